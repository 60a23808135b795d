"""Teaches the miniature to draw what the words name: a classifier of noisy latents looks at the sampler's own steps.

The classifier says how likely latents on their way become the thing of the prompt. Its gradient could push each step of a sampler:
that is classifier guidance (Dhariwal & Nichol 2021, section 4), at the price of the classifier in every step. Here the push is learned.
The network's own sampler is on its way all the time, and each step is asked to land where the classifier is surer. So
the network learns from the latents that it meets when it draws, and not from noised pictures alone, and drawing costs what it did.

The classifier is apart from the judge of the benchmarks: it has another network, seed and input, and never sees a decoded picture.
"""

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from tqdm.auto import tqdm

from s2i_teach.errors import InputError
from s2i_teach.files import write_tensors
from s2i_teach.theory.distil import jump
from s2i_teach.theory.forward import add_noise
from s2i_teach.theory.guidance import classifier_free_guidance
from s2i_teach.theory.sampler import levels_of, spaced_timesteps
from s2i_teach.training.doodles import doodle
from s2i_teach.training.loop import Budget, Trainer, make_accelerator
from s2i_teach.training.pages import SIDE, PageMaker
from s2i_teach.training.people import People
from s2i_teach.training.pictures import Pairs, load_pairs
from s2i_teach.training.pool import Pool, Whole
from s2i_teach.training.unet import FrozenParts, Led

WIDTHS = (96, 160, 224)
FILE = "classifier.safetensors"
LEAST_NOISE = 250
"""The classifier looks at latents with the noise of this timestep at least, so that no fine pattern can please it."""
STEPS, GUIDANCE = (10, 14, 20), (3.0, 5.0)
"""Steps and guidance of the runs that it looks at."""


class _Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int = 1):
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(16, before), nn.SiLU(), nn.Conv2d(before, after, 3, stride, 1))
        self.time = nn.Linear(128, after)
        self.second = nn.Sequential(nn.GroupNorm(16, after), nn.SiLU(), nn.Conv2d(after, after, 3, 1, 1))
        self.past = nn.Identity() if before == after and stride == 1 else nn.Conv2d(before, after, 1, stride)

    def forward(self, x, time):
        return self.past(x) + self.second(self.first(x) + self.time(time)[:, :, None, None])


class NoisyClassifier(nn.Module):
    """What noisy latents show: ``x_t (B, 4, h, w)`` and ``t (B,)`` → logits ``(B, len(things))``, at any size."""

    def __init__(self, things: list[str], widths: tuple[int, int, int] = WIDTHS):
        super().__init__()
        self.things = list(things)
        self.widths = fine, middle, coarse = widths
        self.into = nn.Conv2d(4, fine, 3, 1, 1)
        self.time = nn.Sequential(nn.Linear(64, 128), nn.SiLU(), nn.Linear(128, 128))
        self.blocks = nn.ModuleList(
            [
                _Block(fine, fine),
                _Block(fine, fine),
                _Block(fine, middle, 2),
                _Block(middle, middle),
                _Block(middle, coarse, 2),
                _Block(coarse, coarse),
            ]
        )
        self.out = nn.Sequential(nn.GroupNorm(16, coarse), nn.SiLU())
        self.head = nn.Linear(coarse, len(self.things))

    def forward(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        waves = torch.exp(-math.log(1000) * torch.arange(32, device=x_t.device) / 31)
        angle = t.float()[:, None] * waves
        time = self.time(torch.cat([angle.sin(), angle.cos()], 1))
        h = self.into(x_t)
        for block in self.blocks:
            h = block(h, time)
        return self.head(self.out(h).mean((2, 3)))


def save_classifier(classifier: NoisyClassifier, file: Path) -> Path:
    """Write it in fp16, its things and widths with it; returns the file."""
    weights = {name: value.half() for name, value in classifier.state_dict().items()}
    return write_tensors(
        file, weights, {"things": json.dumps(classifier.things), "widths": json.dumps(classifier.widths)}
    )


def load_classifier(file: str | Path) -> NoisyClassifier:
    """A classifier that was saved, frozen and in fp32.

    Raises:
        InputError: the file is not there, or is none of :func:`save_classifier`.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), "pt") as held:
            about = held.metadata() or {}
            weights = {name: held.get_tensor(name).float() for name in held.keys()}  # noqa: SIM118 - no dict
        classifier = NoisyClassifier(json.loads(about["things"]), tuple(json.loads(about["widths"])))
        classifier.load_state_dict(weights)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"{file} holds no classifier of s2i train classifier.") from error
    return classifier.eval().requires_grad_(False)


def train_classifier(
    out: str | Path,
    text_folder: str | Path,
    vae_folder: str | Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    batch_size: int = 96,
    lr: float = 1.5e-3,
    seed: int = 5,
    resume: bool = False,
    sample_every: float = 600,
    widths: tuple[int, int, int] = WIDTHS,
    pool_batches: int = 320,
    people: Callable | None = None,
    pairs: Pairs | None = None,
    device: str | None = None,
) -> Path:
    """Train a classifier of noisy latents of single things; returns its file in ``out``.

    Half of the samples have t below 340, the last ones 900: beyond that hardly anything can be told apart.
    Of ten, three show a picture as it is and, with ``people``, four an icon bent to lie on a person's drawing; the others
    are of pages where it was moved, turned and recoloured.

    Args:
        people: see :func:`s2i_teach.training.unet.train_unet`.
    """
    out = Path(out)
    accelerator = make_accelerator(device)
    frozen = FrozenParts(text_folder, vae_folder, accelerator)
    pairs = pairs or load_pairs("train").select(lambda row: row["core"])
    things = sorted({row["thing"] for row in pairs.rows})
    number = {thing: i for i, thing in enumerate(things)}
    maker = PageMaker(pairs, scenes=0.0)
    pool = Pool(maker, frozen.encode, batches=pool_batches, every=6, seed=seed)
    as_they_are = Whole(maker, frozen.encode)
    place = (accelerator.process_index, accelerator.num_processes)
    drawn = people(maker, frozen.encode, place, seed) if people else None
    torch.manual_seed(seed)
    classifier = NoisyClassifier(things, widths)

    def step_fn(step, generator):
        pool.advance(step, lambda numbers: tqdm(numbers, desc="pages", mininterval=10))
        x0, pages = _single_things(pool, batch_size, generator)
        rng = random.Random(int(torch.randint(2**31, (), generator=generator)))
        for i in range(len(x0)):
            lot = rng.random()
            if lot < 0.3:
                x0[i], pages[i] = as_they_are.draw(rng)
            elif lot < 0.7 and drawn is not None:
                x0[i], _, _, pages[i] = drawn.draw(rng)
        target = torch.tensor([number[maker.thing(page)] for page in pages], device=accelerator.device)
        t = (900 * torch.rand(len(x0), generator=generator) ** 1.3).long()
        x_t = add_noise(x0, torch.randn(x0.shape, generator=generator), frozen.alpha_bar.cpu(), t)
        with accelerator.autocast():
            logits = classifier(x_t.to(accelerator.device), t.to(accelerator.device)).float()
        right = (logits.argmax(1) == target).float()
        early = (t < 300).to(right.device)
        losses = {"loss": F.cross_entropy(logits, target, label_smoothing=0.05), "right": right.mean().detach()}
        return losses | ({"right below 300": right[early].mean().detach()} if early.any() else {})

    trainer = Trainer(
        out,
        classifier,
        step_fn,
        Budget(steps, minutes),
        accelerator=accelerator,
        lr=lr,
        weight_decay=0.05,
        seed=seed,
        resume=resume,
        sample_fn=lambda model, step: save_classifier(model, out / FILE),
        sample_every=sample_every,
        name="classifier",
        ema=0.998,
    )
    trainer.run()
    return out / FILE


def _single_things(pool: Pool, number: int, generator: torch.Generator):
    """Latents ``(B, 4, 16, 16)`` and pages of one thing each; of a wide page a square of it, at random."""
    x0, _, _, pages = pool.draw(number, generator)
    side = x0.shape[-2]
    start = int(torch.randint(x0.shape[-1] - side + 1, (), generator=generator))
    return x0[..., start : start + side], pages


@dataclass
class _Run:
    """A run of the sampler on its way: latents ``(4, h, w)``, the place in its times, and what it was asked for."""

    latents: torch.Tensor
    times: list[int]
    levels: list[float]
    caption: str
    hint: torch.Tensor | None
    thing: int
    guidance_scale: float
    place: int = 0


class Naming:
    """How surely the sampler lands at what the prompt names, on runs that go on from call to call.

    Runs are DDIM's with guidance; only the half with the prompt is led, as in ``mini-scribble``. A training that resumes begins new ones.

    Args:
        classifier: frozen.
        frozen: text tower and noise schedule.
        pairs: pictures with their rows; things that the classifier does not know are left out.
        number: steps that a call looks at, each of another run. Three times as many runs are on their way.
        led: share of the runs that a doodle leads.
        people, by_people: if given, this share of these doodles are people's drawings.
        pool_batches: see :class:`s2i_teach.training.pool.Pool`.

    Raises:
        InputError: the classifier knows none of the things, or not one that people drew.
    """

    def __init__(
        self,
        classifier: NoisyClassifier,
        frozen: FrozenParts,
        pairs: Pairs,
        number: int = 16,
        led: float = 0.6,
        seed: int = 0,
        pool_batches: int = 60,
        people: People | None = None,
        by_people: float = 0.5,
    ):
        self.classifier, self.frozen, self.number, self.led = classifier.to(frozen.device), frozen, number, led
        self.index = {thing: i for i, thing in enumerate(classifier.things)}
        self.pairs = pairs.select(lambda row: row["thing"] in self.index)
        if not len(self.pairs):
            raise InputError("The classifier knows none of the things that are trained on.")
        self.maker = PageMaker(self.pairs, scenes=0.0)
        self.pool = Pool(self.maker, frozen.encode, batches=pool_batches, every=20, seed=seed + 12)
        self.people, self.by_people = people, by_people
        unknown = {people.maker.thing(page) for page in people.pages} - self.index.keys() if people else ()
        if unknown:
            raise InputError(
                f"The classifier does not know what people drew, {min(unknown)}: train it on the same pairs."
            )
        self.runs: list[_Run] = []

    def _begin(self, generator: torch.Generator) -> None:
        """One new run."""
        _, lines, inside, pages = self.pool.draw(2, generator)
        rng = random.Random(int(torch.randint(2**31, (), generator=generator)))
        led, page, maker = rng.random() < self.led, pages[0], self.maker
        by_person = led and self.people is not None and rng.random() < self.by_people
        if by_person:
            _, lines, inside, page = self.people.draw(rng)
            lines, inside, maker = lines[None], inside[None], self.people.maker
        hint = doodle(lines[:1], inside[:1], generator, torch.tensor([by_person]))[0] if led else None
        times = spaced_timesteps(rng.choice(STEPS), len(self.frozen.alpha_bar), "leading", 1)
        levels = levels_of(self.frozen.alpha_bar.cpu(), times, final=float(self.frozen.alpha_bar[0]))
        shape = (4, lines.shape[-2] // 8, lines.shape[-1] // 8)
        self.runs.append(
            _Run(
                torch.randn(shape, generator=generator),
                times,
                levels,
                maker.caption(page, rng, style_word=0.8, led=led),
                hint,
                self.index[maker.thing(page)],
                rng.uniform(*GUIDANCE),
            )
        )

    def loss(self, led: Led, step: int, generator: torch.Generator, autocast) -> torch.Tensor:
        """Mean of −log p(thing) after a step of some runs, which move on; the gradient goes through the half with the prompt."""
        self.pool.advance(step)
        while len(self.runs) < 3 * self.number:
            self._begin(generator)
        widths = sorted({run.latents.shape[-1] for run in self.runs})
        shares = torch.tensor([float(sum(run.latents.shape[-1] == width for run in self.runs)) for width in widths])
        width = widths[int(torch.multinomial(shares, 1, generator=generator))]
        fits = [run for run in self.runs if run.latents.shape[-1] == width]
        order = torch.randperm(len(fits), generator=generator).tolist()
        chosen = [fits[i] for i in order[: max(1, self.number * SIDE // (8 * width))]]
        chosen.sort(key=lambda run: run.hint is None)
        device, count = self.frozen.device, len(chosen)

        def column(values) -> torch.Tensor:
            return torch.tensor(list(values), device=device).view(-1, 1, 1, 1)

        x = torch.stack([run.latents for run in chosen]).to(device)
        t = torch.tensor([run.times[run.place] for run in chosen], device=device)
        hints = [run.hint for run in chosen if run.hint is not None]
        text = self.frozen.embed([run.caption for run in chosen])
        with torch.no_grad(), autocast():
            without = led(x, t, self.frozen.embed([""] * count)).float()
        with autocast():
            with_words = led(x, t, text, torch.stack(hints).to(device) if hints else None).float()
        v = classifier_free_guidance(without, with_words, column(run.guidance_scale for run in chosen))
        level, after = (column(run.levels[run.place + k] for run in chosen) for k in (0, 1))
        landed = jump(x, v, level, after)
        seen = torch.tensor([max(LEAST_NOISE, ([*run.times, 0])[run.place + 1]) for run in chosen], device=device)
        kept = (self.frozen.alpha_bar[seen].view(-1, 1, 1, 1) / after).clamp(max=1)
        noise = torch.randn(landed.shape, generator=generator).to(device)
        logits = self.classifier(kept.sqrt() * landed + (1 - kept).sqrt() * noise, seen)
        target = torch.tensor([run.thing for run in chosen], device=device)
        for run, latents in zip(chosen, landed.detach().cpu(), strict=True):
            run.latents, run.place = latents, run.place + 1
        self.runs = [run for run in self.runs if run.place < len(run.times)]
        return F.cross_entropy(logits, target)


def naming_loss(file: str | Path, weight: float = 0.1, number: int = 16, pool_batches: int = 60):
    """What :func:`s2i_teach.training.unet.train_unet` takes as ``further``: the loss of :class:`Naming` with its weight.

    Args:
        file: of a classifier, from :func:`train_classifier`.
        number, pool_batches: see :class:`Naming`.
    """
    classifier = load_classifier(file)

    def begin(frozen: FrozenParts, pairs: Pairs, seed: int, people: People | None):
        naming = Naming(classifier, frozen, pairs, number, seed=seed, pool_batches=pool_batches, people=people)

        def loss(led: Led, step: int, generator: torch.Generator, autocast) -> torch.Tensor:
            return weight * naming.loss(led, step, generator, autocast)

        return loss

    return begin
