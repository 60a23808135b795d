"""Teaches a model a style with a few drawings: a low-rank change of its U-Net, trained in a minute on a CPU."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from PIL import Image

from s2i_teach.errors import InputError
from s2i_teach.files import written
from s2i_teach.images import fit_to, read_picture, to_tensor
from s2i_teach.models.devices import device_of, fitting_threads, is_small
from s2i_teach.models.kept import read_text
from s2i_teach.models.kinds import encode_picture, kind_of, likeliest
from s2i_teach.theory.forward import add_noise, per_picture
from s2i_teach.theory.lora import LowRank, add_low_rank, loss_with_prior
from s2i_teach.theory.training import what_to_predict

RANK, STEPS, BATCH, LR = 8, 80, 8, 2e-3
"""What shows a style in half a minute: docs/decisions.md, "A style"."""
POSES = 8
"""Of each drawing, so that the network does not learn where on the page things stand."""
BLANK = 0.1
"""Share of the drawings that are learned without words: guidance leads away from what the model draws without words."""
MOST = 1000
"""Drawings at most: all their latents are kept in memory."""

Drawing = tuple[Image.Image, str]
"""A picture and its caption."""


@dataclass(frozen=True, eq=False)
class StyleStep:
    """One update.

    Attributes:
        step: its number, from 0.
        loss: on the own drawings.
        prior_loss: on the pictures that are not to be forgotten, or None without them.
        added: name of a layer → its low-rank change so far, for :func:`s2i_teach.models.style.save_style`.
        unet: the U-Net that is trained, a copy.
    """

    step: int
    loss: float
    prior_loss: float | None
    added: dict[str, LowRank]
    unet: torch.nn.Module

    @property
    def numbers(self) -> int:
        """How many numbers learn."""
        return sum(layer.down.weight.numel() + layer.up.weight.numel() for layer in self.added.values())


def train_style(
    pipe,
    drawings: Sequence[Drawing],
    *,
    rank: int = RANK,
    alpha: float | None = None,
    which: str = "all",
    steps: int = STEPS,
    batch_size: int = BATCH,
    lr: float = LR,
    prior: Sequence[Drawing] = (),
    prior_weight: float = 1.0,
    seed: int = 0,
) -> Iterator[StyleStep]:
    """Train a low-rank change (Hu et al. 2021) of a copy of a pipeline's U-Net on a few drawings; yields every step.

    The loss is the mean squared error of what the U-Net predicts, ε or v, at even timesteps. All is computed in fp32,
    whatever the pipeline's precision; the pipeline itself stays as it is.

    Args:
        pipe: built as Stable Diffusion 1 or 2, such as ``load_pipeline("mini")``.
        drawings: pictures with their captions, such as ``(picture, "a cat")``. Each is shown in :data:`POSES` poses.
        rank, alpha, which: as for :func:`s2i_teach.theory.lora.add_low_rank`.
        batch_size: drawings in one update; of ``prior`` half as many come on top.
        lr: AdamW's; it rises over the first twentieth of the steps and falls to zero over the last third.
        prior: pictures with captions that should stay as they are (Ruiz et al. 2022, prior preservation).
        prior_weight: of their loss, 0 to 100.
        seed: all random numbers come from it; the session's own random state is left alone.

    Raises:
        InputError: another kind of model, no drawing, or a number that cannot be used.
    """
    _check(pipe, drawings, prior, {"rank": rank, "steps": steps, "batch_size": batch_size}, which)
    for name, value, most in (("alpha", alpha, 1000), ("lr", lr, 1), ("prior_weight", prior_weight, 100)):
        real = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not (real and 0 < value <= most):
            raise InputError(f"{name} is {written(value)}: use a number above 0, up to {most}.")
    return _train(pipe, drawings, rank, alpha, which, steps, batch_size, lr, prior, prior_weight, seed)


def _train(pipe, drawings, rank, alpha, which, steps, batch_size, lr, prior, prior_weight, seed):
    generator = torch.Generator().manual_seed(seed)
    with fitting_threads(pipe):
        own = _Examples(pipe, drawings, POSES, generator)
        kept = _Examples(pipe, prior, 1, generator) if prior else None
    unet = copy.deepcopy(pipe.unet).float().train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        added = add_low_rank(unet, rank, alpha, which)
    if not is_small(pipe):
        unet.enable_gradient_checkpointing()
    learning = [part.weight for layer in added.values() for part in (layer.down, layer.up)]
    optimizer = torch.optim.AdamW(learning, lr=lr, weight_decay=0.0)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * min(1.0, (step + 1) / max(1, steps // 20), 3 * (steps - step) / steps)
        with fitting_threads(pipe), torch.enable_grad():
            errors = own.errors(unet, batch_size, generator, BLANK)
            prior_errors = kept.errors(unet, max(1, batch_size // 2), generator, BLANK) if kept else None
            loss = errors.mean() if prior_errors is None else loss_with_prior(errors, prior_errors, prior_weight)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learning, 1.0)
            optimizer.step()
        before = None if prior_errors is None else prior_errors.mean().item()
        yield StyleStep(step, errors.mean().item(), before, added, unet)


class _Examples:
    """Latents and texts of some pictures, encoded once, and the model's error on them."""

    def __init__(self, pipe, drawings: Sequence[Drawing], poses: int, generator: torch.Generator):
        side = pipe.unet.config.sample_size * pipe.vae_scale_factor
        pictures = torch.stack([to_tensor(fit_to(read_picture(picture), (side, side))) for picture, _ in drawings])
        moved = [posed(pictures, generator) for _ in range(poses)] if poses > 1 else [pictures]
        self.latents = torch.cat([latents_of(pipe, part) for part in moved])
        self.texts = texts_of(pipe, [caption for _, caption in drawings])
        self.blank = texts_of(pipe, [""])
        scheduler = pipe.scheduler
        self.kind = scheduler.config.get("prediction_type", "epsilon")
        self.alpha_bar, self.device = scheduler.alphas_cumprod.float(), device_of(pipe)

    def errors(self, unet, number: int, generator: torch.Generator, blank: float) -> torch.Tensor:
        """Squared errors of the prediction, ``(number, C, h, w)``, at drawn pictures, timesteps and noise."""
        chosen = torch.randint(len(self.latents), (number,), generator=generator)
        x0, text = self.latents[chosen], self.texts[chosen % len(self.texts)]
        text = torch.where((torch.rand(number, 1, 1, generator=generator) < blank).to(text.device), self.blank, text)
        t = torch.randint(len(self.alpha_bar), (number,), generator=generator)
        eps = torch.randn(x0.shape, generator=generator).to(x0)
        target = what_to_predict(self.kind, x0, eps, per_picture(self.alpha_bar, t, x0))
        prediction = unet(add_noise(x0, eps, self.alpha_bar, t), t.to(x0.device), text).sample
        return F.mse_loss(prediction, target, reduction="none")


def posed(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Pictures ``(B, 3, H, W)`` flipped, moved and made a little smaller; beyond their border the paper goes on."""
    count = len(pictures)

    def even(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    size, dx, dy, zero = even(0.95, 1.25), even(-0.12, 0.12), even(-0.12, 0.12), torch.zeros(count)
    rows = (torch.stack([mirror * size, zero, dx], 1), torch.stack([zero, size, dy], 1))
    grid = F.affine_grid(torch.stack(rows, 1), list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


@torch.no_grad()
def latents_of(pipe, pictures: torch.Tensor) -> torch.Tensor:
    """Pictures ``(B, 3, H, W)`` in [−1, 1] → clean latents ``(B, C, h, w)``, fp32, scaled as the U-Net takes them."""
    parts = [likeliest(encode_picture(pipe, part)) for part in pictures.split(8)]
    return torch.cat(parts).float() * pipe.vae.config.scaling_factor


@torch.no_grad()
def texts_of(pipe, captions: Sequence[str]) -> torch.Tensor:
    """Captions as the U-Net takes them, ``(B, L, D)``, fp32."""
    return torch.cat([read_text(pipe, caption, None)[0].words for caption in captions]).float()


def _check(pipe, drawings, prior, whole: dict, which) -> None:
    kind = kind_of(pipe)
    if kind.is_flow or kind.is_family or kind.is_xl:
        raise InputError('A style is trained for a model built as Stable Diffusion 1 or 2: use "mini" or "sd15".')
    if which not in ("attention", "convolutions", "all"):
        raise InputError(f'which={written(which)} is not known: use "attention", "convolutions" or "all".')
    for name, value in whole.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100_000:
            raise InputError(f"{name} is {written(value)}: use a whole number from 1 to 100000.")
    for one in (drawings, prior):
        if not isinstance(one, (list, tuple)) or len(one) > MOST:
            raise InputError(f"The drawings must be a list of pictures with captions, {MOST} at most.")
        if not all(isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[1], str) for pair in one):
            raise InputError('Each drawing needs its caption: give pairs such as (picture, "a cat").')
    if not drawings:
        raise InputError("There is no drawing to learn from: give ten or so.")
