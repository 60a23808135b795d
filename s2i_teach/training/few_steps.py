"""Teaches the miniature to draw in four steps what its sampler draws in sixteen with guidance: a low-rank change of its U-Net.

Progressive distillation (Salimans & Ho 2022) in one go, and of the guided model (Meng et al. 2023). First the teacher, the
U-Net as it is, draws pictures: from noise, from pictures and from line drawings with noise added, by words alone or led by a doodle. Of
each, four places on the path are kept. Then the student learns to get from each place to the next in one step of
DDIM, without guidance. The paths are drawn once and learned from several times, since a path costs as much as ten updates.
"""

import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from tqdm.auto import tqdm

from s2i_teach.models.style import save_style
from s2i_teach.theory.distil import jump
from s2i_teach.theory.guidance import classifier_free_guidance
from s2i_teach.theory.lora import LowRank, layers_to_adapt
from s2i_teach.theory.sampler import levels_of, spaced_timesteps
from s2i_teach.training.checkpoints import load_own, save_atomically
from s2i_teach.training.doodles import doodle
from s2i_teach.training.loop import Budget, Trainer, make_accelerator
from s2i_teach.training.pages import PageMaker
from s2i_teach.training.pictures import Pairs, load_pairs
from s2i_teach.training.pool import Pool
from s2i_teach.training.unet import FrozenParts, Led

STEPS, EACH = 4, 4
"""Steps of the student, and of the teacher for each of them."""
GUIDANCE = 4.0
RANK = 32
NOISE, LINES = 0.6, 0.5
"""Share of the paths that begin with noise alone; of the others, the share that begins with a line drawing."""
FILE = "distilled.safetensors"


@dataclass
class Paths:
    """Pieces of the teacher's paths, of pages of one size.

    Attributes:
        x_t, x_s: latents before and after a piece, ``(N, 4, h, w)``, fp16.
        place: which of the student's steps a piece is, 0 the noisiest, ``(N,)``.
        captions: of each.
        hints: packed bytes of the doodle, of those that are led; else None.
    """

    x_t: torch.Tensor
    x_s: torch.Tensor
    place: torch.Tensor
    captions: list[str]
    hints: list[torch.Tensor | None]


def levels(alpha_bar: torch.Tensor, steps: int) -> tuple[list[int], torch.Tensor]:
    """Timesteps of a sampler of ``steps`` steps, and ᾱ at each and where the last one ends, ``(steps + 1,)``."""
    times = spaced_timesteps(steps, len(alpha_bar), "trailing")
    return times, torch.tensor(levels_of(alpha_bar, times, final=alpha_bar[0].item()))


class Teacher:
    """Draws paths with guidance; only the half with the prompt is led, as in ``mini-scribble``.

    Args:
        led: U-Net and ControlNet, frozen.
        embed: captions → text features ``(B, L, D)``.
        alpha_bar: ``(T,)``.
        each: its steps for one of the student's.
    """

    def __init__(self, led: Led, embed, alpha_bar: torch.Tensor, guidance_scale: float = GUIDANCE, each: int = EACH):
        self.led, self.embed, self.guidance_scale = led, embed, guidance_scale
        self.dtype, self.device = next(led.parameters()).dtype, next(led.parameters()).device
        self.each = each
        self.times, self.levels = levels(alpha_bar, STEPS * each)

    @torch.no_grad()
    def path(self, x: torch.Tensor, captions: list[str], hints: torch.Tensor | None, start: int) -> list[torch.Tensor]:
        """Latents at the student's places, from ``start`` to the end, ``STEPS − start + 1`` of ``(B, 4, h, w)``.

        The first ``len(hints)`` pictures are led by ``hints``.
        """
        text = self.embed([*captions, *[""] * len(captions)]).to(self.dtype)
        hints = None if hints is None else hints.to(self.device, self.dtype)
        found = [x]
        for n in range(start * self.each, STEPS * self.each):
            t = torch.full((2 * len(x),), self.times[n], device=x.device)
            v = self.led(torch.cat([x, x]).to(self.dtype), t, text, hints).float()
            with_words, without = v.chunk(2)
            v = classifier_free_guidance(without, with_words, self.guidance_scale)
            x = jump(x, v, float(self.levels[n]), float(self.levels[n + 1]))
            if (n + 1) % self.each == 0:
                found.append(x)
        return found


def draw_paths(teacher: Teacher, maker: PageMaker, encode, number: int, seed: int, batch: int = 16) -> Iterator[Paths]:
    """Paths of ``number`` pictures, ``batch`` at a time; batch r is made from ``(seed, r)`` alone.

    One batch in six is of wide pages with several things. Half of the pictures are led.
    """
    alpha_bar = teacher.levels[:: teacher.each]
    pool = Pool(maker, encode, batches=24, every=1, number=batch, seed=seed)
    for r in range(-(-number // batch)):
        pool.advance(r)
        generator = torch.Generator().manual_seed(seed * 1_000_003 + 900_000_001 + r)
        x0, lines, inside, pages = pool.draw(batch, generator)
        rng = random.Random(int(torch.randint(2**31, (), generator=generator)))
        led = len(pages) // 2
        captions = [maker.caption(page, rng, led=i < led) for i, page in enumerate(pages)]
        hints = doodle(lines[:led], inside[:led], generator)
        start = 0 if rng.random() < NOISE else rng.choice((1, 1, 2))
        if start and rng.random() < LINES:
            x0 = encode(1 - 2 * lines.expand(-1, 3, -1, -1))
        eps = torch.randn(x0.shape, generator=generator)
        level = float(alpha_bar[start]) if start else 0.0
        x = (level**0.5 * x0.cpu() + (1 - level) ** 0.5 * eps).to(teacher.device)
        found = teacher.path(x, captions, hints, start)
        packed = [torch.from_numpy(np.packbits((hint[0] > 0.5).numpy(), axis=-1)) for hint in hints]
        yield Paths(
            torch.cat(found[:-1]).half().cpu(),
            torch.cat(found[1:]).half().cpu(),
            torch.arange(start, STEPS).repeat_interleave(len(x)),
            captions * (STEPS - start),
            [*packed, *[None] * (len(x) - led)] * (STEPS - start),
        )


class Stock:
    """All pieces of paths, by the pages' width."""

    def __init__(self, made: list[Paths]):
        self.made = made
        self.places: dict[int, list[tuple[int, int]]] = {}
        for b, paths in enumerate(made):
            width = paths.x_t.shape[-1]
            self.places.setdefault(width, []).extend((b, i) for i in range(len(paths.x_t)))

    def __len__(self) -> int:
        return sum(map(len, self.places.values()))

    def draw(self, number: int, generator: torch.Generator):
        """Pieces of one size, those that are led first: x_t, x_s, places, captions, hints ``(H, 3, 8h, 8w)``.

        ``number`` of 16 × 16, or as many fewer wide ones as these are wider.
        """
        sizes = sorted(self.places)
        share = torch.tensor([float(len(self.places[width])) for width in sizes])
        width = sizes[int(torch.multinomial(share, 1, generator=generator))]
        count = max(1, number * sizes[0] // width)
        index = torch.randint(len(self.places[width]), (count,), generator=generator)
        chosen = [(self.made[b], i) for b, i in (self.places[width][k] for k in index.tolist())]
        chosen.sort(key=lambda one: one[0].hints[one[1]] is None)
        hints = [one.hints[i] for one, i in chosen if one.hints[i] is not None]
        drawn = [torch.stack([getattr(one, name)[i] for one, i in chosen]) for name in ("x_t", "x_s", "place")]
        unpacked = torch.from_numpy(np.unpackbits(torch.stack(hints).numpy(), axis=-1)).float() if hints else None
        return (
            drawn[0].float(),
            drawn[1].float(),
            drawn[2],
            [one.captions[i] for one, i in chosen],
            None if unpacked is None else unpacked[:, None].expand(-1, 3, -1, -1),
        )


class Change(nn.Module):
    """A low-rank change of all layers of a frozen network, with which it is run.

    The change is multiplied out and added to each weight before a run, so that a layer stays one operation. On a CPU an
    update then takes two thirds of the time that it takes with thin layers beside the others.
    """

    def __init__(self, network: nn.Module, rank: int):
        super().__init__()
        network.requires_grad_(False)
        self.added = {
            name: LowRank(network.get_submodule(name), rank)  # type: ignore[arg-type]
            for name in layers_to_adapt(network)
        }
        self.parts = nn.ModuleList(part for one in self.added.values() for part in (one.down, one.up))
        self._network = (network,)  # hidden from torch: it is neither trained nor saved

    def forward(self, *args, **extra):
        """What the network gives with the change."""
        network = self._network[0]
        changed = {f"{name}.weight": one.layer.weight + one.update() for name, one in self.added.items()}
        return torch.func.functional_call(network, changed, args, extra)


def train_few_steps(
    out: str | Path,
    text_folder: str | Path,
    vae_folder: str | Path,
    unet_folder: str | Path,
    control_folder: str | Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    paths: int = 2000,
    batch_size: int = 24,
    lr: float = 1e-3,
    rank: int = RANK,
    guidance_scale: float = GUIDANCE,
    seed: int = 0,
    resume: bool = False,
    sample_every: float = 600,
    pairs: Pairs | None = None,
    device: str | None = None,
) -> Path:
    """Train a student of four steps without guidance and save what it changes as a LoRA. Returns the file in ``out``.

    The ControlNet stays as it is. The loss is the squared error of where a step lands: that of v with the weight sin² Δ, so
    that the first step, which turns by little and decides little, does not count most.

    Args:
        steps, minutes: budget of the student's training; the paths come on top.
        paths: pictures that the teacher draws first, shared by all processes. ``out/paths-*.pt`` keeps them for ``resume``.
        rank: of the change of each layer.
        guidance_scale: of the teacher, which the student learns along.
    """
    from diffusers import ControlNetModel, UNet2DConditionModel
    from diffusers.models.attention_processor import AttnProcessor

    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    accelerator = make_accelerator(device)
    device = accelerator.device
    frozen = FrozenParts(text_folder, vae_folder, accelerator)
    alpha_bar = frozen.alpha_bar.cpu()
    unet = UNet2DConditionModel.from_pretrained(unet_folder, use_safetensors=True)
    controlnet = ControlNetModel.from_pretrained(control_folder, use_safetensors=True).requires_grad_(False)
    fast = torch.bfloat16 if accelerator.mixed_precision == "bf16" else torch.float32
    teacher = Teacher(
        Led(copy.deepcopy(unet), copy.deepcopy(controlnet)).requires_grad_(False).to(device, fast).eval(),
        frozen.embed,
        alpha_bar,
        guidance_scale,
    )
    pairs = pairs or load_pairs("train").select(lambda row: row["core"])
    own_seed = seed + 1000 * accelerator.process_index
    kept = out / f"paths-{accelerator.process_index}.pt"
    if resume and kept.is_file():
        stock = Stock([Paths(**one) for one in load_own(kept, own_seed)["paths"]])
    else:
        number = -(-paths // accelerator.num_processes)
        drawn = draw_paths(teacher, PageMaker(pairs), frozen.encode, number, own_seed)
        made = list(
            tqdm(drawn, desc="paths", total=-(-number // 16), mininterval=10, disable=accelerator.process_index)
        )
        save_atomically({"paths": [vars(one) for one in made], "seed": own_seed}, kept)
        stock = Stock(made)
    del teacher

    torch.manual_seed(seed)
    unet, controlnet = unet.float().to(device), controlnet.float().to(device)
    if device.type == "cpu":
        for part in (unet, controlnet):
            part.set_attn_processor(AttnProcessor())
    student = Change(unet, rank)
    led = Led(student, controlnet)
    ends = levels(alpha_bar, STEPS)
    times, alphas = torch.tensor(ends[0]), ends[1]

    def errors(x_t, x_s, place, captions, hints):
        """Squared errors of where the student's step lands, ``(B,)``."""
        a, a_next = (alphas[place + k].view(-1, 1, 1, 1).to(device) for k in (0, 1))
        x_t, text = x_t.to(device), frozen.embed(captions)
        with accelerator.autocast():
            v = led(x_t, times[place].to(device), text, None if hints is None else hints.to(device)).float()
        return F.mse_loss(jump(x_t, v, a, a_next), x_s.to(device), reduction="none").flatten(1).mean(1)

    def step_fn(step, generator):
        drawn = stock.draw(batch_size, generator)
        error = errors(*drawn)
        parts = {f"place {n}": error[drawn[2].to(device) == n].detach().mean() for n in range(STEPS)}
        # Four steps turn by 9 to 31 degrees, so the squared errors are a tenth of v's.
        return {"loss": 10 * error.mean()} | {name: value for name, value in parts.items() if value.isfinite()}

    def save(model, step):
        save_style(student.added, out / FILE, torch.float16)

    trainer = Trainer(
        out,
        student,
        step_fn,
        Budget(steps, minutes),
        accelerator=accelerator,
        lr=lr,
        seed=seed,
        resume=resume,
        sample_fn=save,
        sample_every=sample_every,
        name="fast-unet",
        ema=0.999,
    )
    trainer.run()
    return out / FILE
