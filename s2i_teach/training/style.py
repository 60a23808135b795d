"""Teaches a model a style with a few drawings: low-rank adaptation of its U-Net, in a minute on a CPU."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from s2i_teach.errors import InputError
from s2i_teach.images import fit_to, read_picture, to_tensor
from s2i_teach.models.devices import device_of, fitting_threads
from s2i_teach.models.kept import read_text
from s2i_teach.models.kinds import encode_picture, kind_of, likeliest
from s2i_teach.theory.forward import add_noise, per_picture
from s2i_teach.theory.lora import LowRank, add_low_rank, loss_with_prior, take_off
from s2i_teach.theory.training import what_to_predict

RANK = 4
STEPS = 100
BATCH = 8
LR = 2e-3
POSES = 8
"""Of each drawing, so that it does not learn where on the page things stand."""
BLANK = 0.1
"""Share of drawings that are learned with no words: guidance steers away from what the model draws without words."""


@dataclass(frozen=True)
class StyleStep:
    """One update: its number (from 0), its loss, and the low-rank changes so far, name of the layer → change."""

    step: int
    loss: float
    added: dict[str, LowRank]


def posed(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Pictures ``(B, 3, H, W)`` flipped, moved and scaled a little; beyond their border their paper goes on."""
    count = len(pictures)

    def even(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    size, dx, dy = even(0.95, 1.25), even(-0.12, 0.12), even(-0.12, 0.12)
    zero = torch.zeros(count)
    rows = (torch.stack([mirror * size, zero, dx], 1), torch.stack([zero, size, dy], 1))
    grid = F.affine_grid(torch.stack(rows, 1), list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


@torch.no_grad()
def latents_of(pipe, pictures: torch.Tensor) -> torch.Tensor:
    """Clean latents ``(B, C, h, w)``, scaled as the U-Net takes them, of pictures ``(B, 3, H, W)`` in [−1, 1]."""
    parts = [likeliest(encode_picture(pipe, part)) for part in pictures.split(8)]
    return torch.cat(parts).float() * pipe.vae.config.scaling_factor


@torch.no_grad()
def texts_of(pipe, captions: Sequence[str]) -> torch.Tensor:
    return torch.cat([read_text(pipe, caption, None)[0].words for caption in captions]).float()


def train_style(pipe, drawings, *, rank=RANK, alpha=None, which="all", steps=STEPS, batch_size=BATCH, lr=LR, prior=(), prior_weight=1.0, seed=0, poses=POSES) -> Iterator[StyleStep]:
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.stack([to_tensor(fit_to(read_picture(p), (128, 128))) for p, _ in drawings])
    x0 = torch.cat([latents_of(pipe, posed(pictures, generator)) for _ in range(poses)])
    words = texts_of(pipe, [c for _, c in drawings])
    blank = texts_of(pipe, [""])
    scheduler = pipe.scheduler
    alpha_bar = scheduler.alphas_cumprod
    kind = scheduler.config.prediction_type
    unet = pipe.unet
    torch.manual_seed(seed)
    added = add_low_rank(unet, rank, alpha, which)
    numbers = [p for layer in added.values() for p in (*layer.down.parameters(), *layer.up.parameters())]
    optimizer = torch.optim.AdamW(numbers, lr=lr, weight_decay=0.0)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * min(1.0, (step + 1) / max(1, steps // 20), 3 * (steps - step) / steps)
        chosen = torch.randint(len(x0), (batch_size,), generator=generator)
        clean = x0[chosen]
        text = words[chosen % len(words)]
        none = torch.rand(batch_size, generator=generator) < BLANK
        text = torch.where(none.view(-1, 1, 1), blank, text)
        eps = torch.randn(clean.shape, generator=generator)
        t = torch.randint(len(alpha_bar), (batch_size,), generator=generator)
        x_t = add_noise(clean, eps, alpha_bar, t)
        target = what_to_predict(kind, clean, eps, per_picture(alpha_bar, t, clean))
        loss = F.mse_loss(unet(x_t, t, text).sample, target)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(numbers, 1.0)
        optimizer.step()
        yield StyleStep(step, loss.item(), added)
