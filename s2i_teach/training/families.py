"""Trains the families of the literature review: the same pages, the same CPU minutes, a checkpoint to go on from."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from s2i_teach.errors import InputError
from s2i_teach.families.base import Batch, Facts, Family, FamilyTranslator, Told
from s2i_teach.families.catalog import WEIGHTS, build
from s2i_teach.files import write_tensors
from s2i_teach.models.readers import read_captions, see
from s2i_teach.training.checkpoints import gone_on_from, load_checkpoint, load_own, save_atomically
from s2i_teach.training.doodles import doodle
from s2i_teach.training.loop import EMA, Budget, learning_rate, make_accelerator, save_grid
from s2i_teach.training.pages import SIDE, PageMaker
from s2i_teach.training.pictures import Pairs, load_pairs

PAGES = 8192
"""Pages in a stock."""
BITS = 5
"""Of a shipped weight, behind the leading one. Rounding to them changes a picture by 53 dB and more, less than its 8 bits do."""


@dataclass
class Stock:
    """Pages that are made once, for all families: pictures ``(N, 3, 128, 128)`` uint8, lines and insides as packed bits."""

    pictures: torch.Tensor
    lines: torch.Tensor
    inside: torch.Tensor
    captions: list[str]

    def __len__(self) -> int:
        return len(self.captions)

    def batch(self, number: int, generator: torch.Generator) -> Batch:
        """Pages by lot, half of them mirrored, each with a doodle of its own: no two sketches of a page are the same."""
        index = torch.randint(len(self), (number,), generator=generator)
        mirrored = (torch.rand(number, generator=generator) < 0.5).view(-1, 1, 1, 1)
        pictures = self.pictures[index].float().div_(127.5).sub_(1)
        lines, inside = _unpacked(self.lines[index]), _unpacked(self.inside[index])
        pictures, lines, inside = (torch.where(mirrored, x.flip(3), x) for x in (pictures, lines, inside))
        hints = doodle(lines, inside, generator)[:, :1]
        return Batch(hints.contiguous(), pictures, [self.captions[i] for i in index.tolist()], index)


def _packed(x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.packbits(x[:, 0].bool().numpy(), axis=-1))


def _unpacked(x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.unpackbits(x.numpy(), axis=-1)).float()[:, None]


def make_stock(pairs: Pairs, pages: int = PAGES, seed: int = 0, progress: Callable = tqdm) -> Stock:
    """Pages of one thing mostly, in all coloured styles, in the pairs' own colours; the same for the same seed."""
    maker = PageMaker(pairs, scenes=0.1, recoloured=0.0, line_art=0.0)
    generator, rng = torch.Generator().manual_seed(seed), random.Random(seed)
    parts = []
    for start in progress(range(0, pages, 32), desc="pages", mininterval=5):
        batch = maker.batch(min(32, pages - start), SIDE, generator)
        pictures = ((batch.pictures + 1) * 127.5).round().byte()
        captions = [maker.caption(page, rng, style_word=0.9) for page in batch.pages]
        parts.append((pictures, _packed(batch.lines), _packed(batch.inside), captions))
    pictures, lines, inside, captions = zip(*parts, strict=True)
    return Stock(torch.cat(pictures), torch.cat(lines), torch.cat(inside), sum(captions, []))


def stock_in(folder: Path, pairs: Pairs | None = None, pages: int = PAGES) -> Stock:
    """The stock that lies in a folder, made there if there is none."""
    file = folder / "stock.pt"
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        save_atomically(vars(make_stock(pairs or load_pairs("train"), pages)), file)
    return Stock(**load_checkpoint(file, mmap=True))


def told_of(stock: Stock, file: Path | None = None) -> Told:
    """What CLIP makes of the stock's captions and pictures, in fp16, kept in ``file``: no step runs CLIP.

    A page that is mirrored later is told as the one that is not.
    """
    if file is None or not file.is_file():
        said = read_captions(stock.captions)
        parts = tqdm(stock.pictures.split(64), desc="CLIP", mininterval=5)
        seen = torch.cat([see(part.float().div_(127.5).sub_(1)) for part in parts])
        told = Told(said.tokens, said.embedding, seen).each(torch.Tensor.half)
        if file is None:
            return told
        save_atomically(vars(told), file)
    return Told(**load_checkpoint(file, mmap=True))


class Fitting:
    """Trains one family under a budget of CPU time; all randomness of step n follows from ``(seed, n)``.

    Args:
        family: an untrained one.
        stock: what it learns from.
        out: folder for ``checkpoint.pt``, ``log.jsonl`` and sheets; None keeps nothing.
        told: what CLIP makes of the stock, as :func:`told_of` gives it; None asks it where the family reads the prompt.
        minutes: budget in CPU minutes of this process, summed over resumes, so that a busy machine takes nothing away.
        steps: the same in steps; whichever ends first.
        resume: go on from the checkpoint, if there is one.
    """

    def __init__(
        self,
        family: Family,
        stock: Stock,
        out: Path | None = None,
        *,
        told: Told | None = None,
        minutes: float | None = None,
        steps: int | None = None,
        batch_size: int | None = None,
        lr: float | None = None,
        seed: int = 0,
        resume: bool = False,
        device: str | None = None,
        sheet_every: float = 240,
    ):
        if minutes is None and steps is None:
            raise InputError("A training needs a budget: give minutes, steps, or both.")
        self.family, self.stock, self.out, self.minutes, self.steps = family.train(), stock, out, minutes, steps
        self.batch_size, self.lr = batch_size or family.batch_size, lr or family.learning_rate
        self.seed, self.sheet_every = seed, sheet_every
        self.told = told_of(stock) if told is None and family.reads_prompt else told
        self.accelerator = make_accelerator(device)
        family.to(self.accelerator.device)
        self.parameters = {name: list(part.parameters()) for name, part in family.parts().items()}
        self.optimizers = {
            name: torch.optim.AdamW(values, self.lr, betas=family.betas) for name, values in self.parameters.items()
        }
        self.ema = EMA(family, 0.998)
        self.step, self.seconds = 0, 0.0
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            if resume and (out / "checkpoint.pt").is_file():
                with gone_on_from(out / "checkpoint.pt"):
                    self._load(out / "checkpoint.pt")

    @property
    def progress(self) -> float:
        """The share of the budget that is used."""
        return Budget(self.steps, self.minutes).progress(self.step, self.seconds)

    def run(self) -> Family:
        """Train until the budget is used; returns the family with its averaged weights."""
        started, saved, drawn = time.process_time() - self.seconds, self.seconds, self.seconds
        bar = tqdm(initial=self.step, total=self.steps, desc=self.family.name, mininterval=5, smoothing=0.05)
        means: dict[str, float] = {}
        while self.progress < 1:
            for name, value in self.update().items():
                means[name] = 0.98 * means.get(name, value) + 0.02 * value
            self.seconds = time.process_time() - started
            bar.update()
            if self.step % 50 == 0:
                bar.set_postfix({name: f"{value:.4f}" for name, value in means.items()}, refresh=False)
                self._note(means)
            if self.out is not None and self.seconds - saved > 60:
                save_atomically(self._state(), self.out / "checkpoint.pt")
                saved = self.seconds
            if self.out is not None and self.seconds - drawn > self.sheet_every:
                self._draw()
                drawn = self.seconds
        bar.close()
        if self.out is not None:
            save_atomically(self._state(), self.out / "checkpoint.pt")
        self.ema.copy_to(self.family)
        if self.out is not None:
            self._draw()
        return self.family.eval()

    def update(self) -> dict[str, float]:
        """One step of each part; returns all losses as ``"part loss"`` → value."""
        seed = self.seed * 1_000_003 + self.step
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)  # dropout draws by itself
        rate = learning_rate(self.lr, self.step, self.progress, warmup=50)
        batch = self.stock.batch(self.batch_size, generator)
        device = self.accelerator.device
        told = self._told(batch.index)
        batch = Batch(batch.hints.to(device), batch.pictures.to(device), batch.captions, batch.index, told)
        said = {}
        with self.accelerator.autocast():
            for name, losses in self.family.losses(batch, generator):
                self._learn(name, losses["loss"], rate)
                said |= {f"{name} {key}": float(value.detach()) for key, value in losses.items()}
        self.ema.update(self.family)
        self.step += 1
        if self.step % 50 == 0 and not all(np.isfinite(list(said.values()))):
            raise FloatingPointError(f"A loss is not finite at step {self.step}: {said}.")
        return said

    def _told(self, index: torch.Tensor) -> Told | None:
        device = self.accelerator.device
        return self.told and self.told.each(lambda x: x[index].float().to(device))

    def _learn(self, name: str, loss: torch.Tensor, rate: float) -> None:
        """One step of one part, and of no other."""
        values = self.parameters[name]
        with torch.autocast(self.accelerator.device.type, enabled=False):
            gradients = torch.autograd.grad(loss, values, allow_unused=True)
            for value, gradient in zip(values, gradients, strict=True):
                value.grad = gradient
            torch.nn.utils.clip_grad_norm_(values, 1.0)
            optimizer = self.optimizers[name]
            for group in optimizer.param_groups:
                group["lr"] = rate * self.family.paces.get(name, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def _state(self) -> dict:
        return {
            "family": self.family.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "ema": self.ema.average,
            "ema_updates": self.ema.updates,
            "step": self.step,
            "seconds": self.seconds,
            "seed": self.seed,
        }

    def _load(self, file: Path) -> None:
        state = load_own(file, self.seed, self.accelerator.device)
        self.family.load_state_dict(state["family"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.ema.average, self.ema.updates = state["ema"], state["ema_updates"]
        self.step, self.seconds = state["step"], state["seconds"]

    def _note(self, means: dict[str, float]) -> None:
        if self.out is None:
            return
        with open(self.out / "log.jsonl", "a", encoding="utf-8") as file:
            row = {"step": self.step, "seconds": round(self.seconds)} | {k: round(v, 5) for k, v in means.items()}
            file.write(json.dumps(row) + "\n")

    @torch.no_grad()
    def _draw(self) -> None:
        """A sheet of eight doodles, what the averaged weights make of them twice, and the real pictures."""
        generator = torch.Generator().manual_seed(7)
        batch = self.stock.batch(8, generator)
        kept = {name: value.detach().clone() for name, value in self.family.state_dict().items()}
        self.ema.copy_to(self.family)
        self.family.eval()
        told = self._told(batch.index)
        text = told and Told(told.tokens, told.embedding)  # the pictures are not to be seen
        rows = [self.family.generate(batch.hints, torch.Generator().manual_seed(seed), text) for seed in (0, 1)]
        sheet = torch.cat([batch.hints.expand(-1, 3, -1, -1) * -2 + 1, *rows, batch.pictures])
        save_grid(sheet, self.out / f"{self.family.name}-{self.step:06d}.png", 8)
        self.family.load_state_dict(kept)
        self.family.train()


def save_family(family: Family, facts: Facts, file: Path) -> Path:
    """Write a family's shipped weights in fp16, rounded to :data:`BITS`, with its facts; returns the file."""
    weights = {name: rounded(value).half() for name, value in family.shipped().items()}
    return write_tensors(file, weights, {"family": family.name, "facts": json.dumps(asdict(facts))})


def rounded(value: torch.Tensor) -> torch.Tensor:
    """Numbers with :data:`BITS` bits behind the leading one: what a wheel packs into three quarters of the space."""
    mantissa, exponent = torch.frexp(value.float())
    return torch.ldexp((mantissa * 2 ** (BITS + 1)).round() / 2 ** (BITS + 1), exponent)


def fit(
    name: str,
    pairs: Pairs | None = None,
    minutes: float | None = None,
    *,
    steps: int | None = None,
    pages: int = 1024,
    seed: int = 0,
) -> FamilyTranslator:
    """A translator by a family that is trained here and now: ``fit("vae", minutes=2)``.

    Args:
        name: of the family.
        pairs: pictures to learn from, as ``load_pairs`` gives them; None takes all of the train split.
        minutes: budget in CPU minutes.
        steps: the same in steps.
        pages: how many pages are made of the pairs beforehand.

    Raises:
        InputError: there is no such family, or no budget.
    """
    training = training_of(name)
    stock = make_stock(pairs or load_pairs("train"), pages, seed)
    fitting = training(stock, minutes=minutes, steps=steps, seed=seed)
    return FamilyTranslator(fitting.run(), facts_of(fitting), read_captions)


def training_of(name: str) -> Callable:
    """What trains a family: ``training_of(name)(stock, out, **options)`` is a :class:`Fitting`, or the painter's own.

    Raises:
        InputError: there is no such family, or what the painter learns with is not installed.
    """
    family = build(name)
    if name in WEIGHTS:
        raise InputError(f"{name} has the weights of {WEIGHTS[name]}: train that one.")
    if name == "painter":
        from s2i_teach.training.painting import PainterFitting

        return PainterFitting
    return lambda stock, out=None, **options: Fitting(family, stock, out, **options)


def train_family(name: str, out: Path, *, pages: int = PAGES, pairs: Pairs | None = None, **options) -> Path:
    """Train a family in ``out/name`` on the stock in ``out``, made there if there is none; returns the file of its weights.

    ``options`` are those of :class:`Fitting`; the stock is the same whatever the seed.
    """
    training, stock = training_of(name), stock_in(out, pairs, pages)
    if build(name).reads_prompt:
        options["told"] = told_of(stock, out / "told.pt")
    fitting = training(stock, out / name, **options)
    return save_family(fitting.run(), facts_of(fitting), out / name / f"{name}.safetensors")


def facts_of(fitting) -> Facts:
    """What is to be known of a training that ended."""
    return Facts(round(fitting.seconds / 60, 2), fitting.step, fitting.family.num_parameters())
