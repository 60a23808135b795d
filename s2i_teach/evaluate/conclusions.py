"""What a set of scores allows to say, and what it does not, in sentences made from the numbers."""

from dataclasses import dataclass
from math import comb
from statistics import fmean

import torch
from scipy.stats import t as student

from s2i_teach.evaluate.bootstrap import LEVEL, Interval, difference
from s2i_teach.evaluate.cells import Cell, Row, independent, words
from s2i_teach.evaluate.effects import paired_effect
from s2i_teach.evaluate.faithfulness import CHANCE_F1
from s2i_teach.evaluate.paired import blur_radius
from s2i_teach.translation.wording import value_words

FEW = 10
"""Below so many pictures in a cell micro-KID says little: of 10 real ones it had a standard deviation of 0.2, of 50 one
of 0.07; copies of sketches have 3.0 where real pictures have 0.1."""
FEW_SKETCHES = 6
"""Below so many, intervals of differences are too narrow: of two cells that do not differ, 45 in 100 pairs were told
apart with 2 sketches, 10 with 5."""
MEASURES = (("f1", "Faithfulness (edge F1)", True), ("micro_kid", "Realism (micro-KID)", False))
MEASURES += (("prompt_match", "Prompt match (cosine)", True),)
"""Attribute of a cell, its name, whether more is better."""
PAIRED_MEASURES = (("psnr", "Agreement (PSNR, dB)", True), ("ssim", "Agreement (SSIM)", True))
PAIRED_MEASURES += (("lpips", "Agreement (LPIPS)", False),)
"""The same, of what needs a true picture."""


@dataclass(frozen=True)
class Conclusions:
    """Sentences: ``so`` may be concluded, ``not_so`` may not."""

    so: tuple[str, ...]
    not_so: tuple[str, ...]


def of(cell: Cell, measure: str) -> Interval | None:
    """A cell's figure by the name of the measure."""
    return getattr(cell, measure)


def measures(cells: list[Cell]) -> list[tuple[str, str, bool]]:
    """``MEASURES``, and those of ``PAIRED_MEASURES`` that the cells have."""
    return [*MEASURES, *(measure for measure in PAIRED_MEASURES if of(cells[0], measure[0]) is not None)]


def best(cells: list[Cell], measure: str, more: bool) -> Cell:
    """The cell with the best figure."""
    return (max if more else min)(cells, key=lambda cell: of(cell, measure).value)


def conclusions(cells: list[Cell], rows: list[Row]) -> Conclusions:
    """What the figures of these cells say.

    Args:
        cells, rows: as :func:`s2i_teach.evaluate.cells.cells` and ``judged`` make them.
    """
    so, not_so = [], []
    sketches, seeds = {row.sketch for row in rows}, {row.result.settings.seed for row in rows}
    smallest = min(cell.n for cell in cells)
    if len(cells) > 1:
        for measure, name, more in measures(cells):
            if all(of(cell, measure) is not None for cell in cells):
                so.append(_ranking(cells, measure, name, more))
        for axis in ("strength", "guidance_scale"):
            so += _trend(rows, axis)
    so += _chance(cells)
    if rows[0].paired is not None:
        so.append(_beside_the_sketch(cells, rows))
        not_so.append(_blur(rows))
        not_so.append(
            "Not that a picture with little agreement is bad: one sketch has many right pictures, and red where the "
            "true one is blue scores low, however good."
        )
    if all(cell.micro_kid is None for cell in cells):
        not_so.append("Nothing about realism: each cell has one picture, and micro-KID is a distance between sets.")
    elif any(cell.micro_kid is None for cell in cells):
        not_so.append("Nothing about realism: some cells have one picture, and micro-KID is a distance between sets.")
    elif smallest < FEW:
        not_so.append(
            f"Little about realism: the smallest cell has n = {smallest} pictures, and micro-KID needs {FEW} at least, "
            "better 50."
        )
    if smallest == 1:
        not_so.append("Nothing about single cells: some have one picture, and one picture has no interval.")
    elif min(cell.f1.n for cell in cells) < FEW_SKETCHES:
        fewest = min(cell.f1.n for cell in cells)
        not_so.append(f"Intervals from n = {fewest} are too narrow: a bootstrap of so few knows only those few.")
    if len(sketches) == 1:
        not_so.append("Nothing about other sketches: all pictures come from one.")
    if len(seeds) == 1:
        not_so.append(
            "Nothing about other seeds: one seed cannot show how much depends on it; run the same again with others."
        )
    if len(cells) > 2:
        not_so.append(
            f"Not that the best of {len(cells)} cells is the best there is: the best of many is so partly by luck. Try "
            "it on sketches that chose nothing."
        )
    not_so.append(
        "Not that a picture is beautiful: edge F1 sees lines, micro-KID a small network's features, and the cosine the "
        "taste of the CLIP that steers the miniature. People judge with s2i.BlindRating."
    )
    return Conclusions(tuple(so), tuple(not_so))


def _ranking(cells: list[Cell], measure: str, name: str, more: bool) -> str:
    first = best(cells, measure, more)
    own = of(first, measure)
    if own.low is None:
        return f"{name}: the best figure is {own.value:.2f} ({first.name}), which means nothing without intervals."
    told = f"{name}: best is {own} ({first.name}, n = {first.n})."
    rest = [cell for cell in cells if cell is not first]
    # The best cell is found by looking, so all pairs of cells count: together at 95 %, by Bonferroni.
    apart = [_apart(first, cell, measure, 1 - (1 - LEVEL) / comb(len(cells), 2)) for cell in rest]
    if None not in apart:
        open_ = apart.count(False)
        if not open_:
            return f"{told} Sketch by sketch it differs from every other cell."
        if open_ == len(rest):
            return f"{told} Sketch by sketch, no difference from any other cell is shown."
        return f"{told} Sketch by sketch, {open_} of {len(rest)} others are not told apart from it."
    others = [cell for cell in rest if of(cell, measure).overlaps(own)]
    if not others:
        return f"{told} No other cell's interval reaches it."
    if len(others) == len(rest):
        return f"{told} Every other cell's interval overlaps with it, so no difference between cells is shown."
    return f"{told} {len(others)} of {len(rest)} others overlap with it: they are not told apart from it."


def _apart(first: Cell, other: Cell, measure: str, level: float) -> bool | None:
    """Whether a score of single pictures differs between two cells that are made of the same sketches and seeds.

    By Student's paired test over sketches, each the mean of its seeds. Intervals that overlap do not say that there is
    no difference, since what is hard about a sketch is hard in both cells. None for a measure of sets, for cells of
    other sketches or seeds, and for few sketches.
    """
    keyed = [{(row.sketch, row.result.settings.seed): row for row in cell.rows} for cell in (first, other)]
    same = keyed[0].keys() == keyed[1].keys() and len(keyed[0]) == first.n == other.n
    if measure not in first.rows[0].scores or not same:
        return None
    sketches = {sketch for sketch, _ in keyed[0]}
    if len(sketches) < FEW_SKETCHES:
        return None
    after, before = (
        torch.tensor(
            [[fmean(row.scores[measure] for row in rows.values() if row.sketch == sketch)] for sketch in sketches],
            dtype=torch.float64,
        )
        for rows in keyed
    )
    effect, error = paired_effect(after, before)
    return abs(effect) > student.ppf((1 + level) / 2, len(sketches) - 1) * error


def _trend(rows: list[Row], axis: str) -> list[str]:
    """What the highest value of a setting changes against the lowest, in pairs alike in everything else."""
    if axis not in rows[0].settings:
        return []
    values = sorted({row.settings[axis] for row in rows})
    low, high = values[0], values[-1]
    keyed = {value: {_rest(row, axis): row for row in rows if row.settings[axis] == value} for value in (low, high)}
    both = [key for key in keyed[low] if key in keyed[high]]
    if not both:
        return []
    groups = independent([keyed[low][key] for key in both])
    sketches = len({keyed[low][key].sketch for key in both})
    what = f"{words(axis).capitalize()} from {value_words(axis, low)} to {value_words(axis, high)}"
    told = []
    scores = [("f1", "edge F1"), *((score, words(score)) for score in ("prompt_match", "psnr", "ssim"))]
    for score, name in [(score, name) for score, name in scores if score in rows[0].scores]:
        after, before = ([keyed[value][key].scores[score] for key in both] for value in (high, low))
        change = difference(after, before, groups)
        if change.low is None:
            told.append(f"{name} {change.value:+.2f}")
        elif change.low <= 0 <= change.high:
            told.append(f"no change of {name} is shown ({_signed(change)})")
        else:
            told.append(f"{name} {'rises' if change.value > 0 else 'falls'} by {_size(change)}")
    if change.low is None:
        return [f"{what}: {_and(told)}, for one sketch and one seed, which shows nothing of others."]
    over = f"{sketches} sketches" if sketches > 1 else f"{len(set(groups))} seeds of one sketch"
    few = ", too few to show it" if len(set(groups)) < FEW_SKETCHES else ""
    return [f"{what}: {_and(told)}, over {over}{few}, all else equal."]


def _signed(change: Interval) -> str:
    return f"{change.value:+.2f} [{change.low:+.2f}, {change.high:+.2f}]"


def _size(change: Interval) -> str:
    """A change that has one sign, without it."""
    low, high = sorted((abs(change.low), abs(change.high)))
    return str(Interval(abs(change.value), low, high, change.n))


def _rest(row: Row, axis: str) -> tuple:
    others = tuple(value for name, value in row.settings.items() if name != axis)
    return (row.sketch, row.result.settings.seed, row.result.settings.prompt, *others)


def _chance(cells: list[Cell]) -> list[str]:
    near = [cell for cell in cells if cell.f1.low is not None and cell.f1.low <= CHANCE_F1]
    if not near:
        return []
    return [
        f"Edge F1 of about {CHANCE_F1:.2f} is what a picture of another thing has. Not shown to be above it: {_names(near)}."
    ]


def _names(cells: list[Cell]) -> str:
    """The first three by name, and how many more."""
    return "; ".join([cell.name for cell in cells[:3]] + ([f"and {len(cells) - 3} more"] if len(cells) > 3 else []))


def _and(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _beside_the_sketch(cells: list[Cell], rows: list[Row]) -> str:
    """The sketches as they are agree with the true pictures too: whether a cell is shown to agree more."""
    psnr, ssim = (fmean(getattr(row.paired.sketch, name) for row in rows) for name in ("psnr", "ssim"))
    told = f"The sketches as they are have PSNR {psnr:.2f} dB and SSIM {ssim:.2f} beside the true pictures."
    for name, word in (("psnr", "PSNR"), ("ssim", "SSIM")):
        changes = [
            difference(
                [row.scores[name] for row in cell.rows],
                [getattr(row.paired.sketch, name) for row in cell.rows],
                independent(list(cell.rows)),
            )
            for cell in cells
        ]
        more = [
            cell for cell, change in zip(cells, changes, strict=True) if change.n >= FEW_SKETCHES and change.low > 0
        ]
        if len(more) == len(cells):
            told += (
                f" On the average the results have a higher {word}."
                if len(cells) == 1
                else f" Every cell has a higher {word} on the average."
            )
        elif not more:
            told += f" No {'result' if len(cells) == 1 else 'cell'} is shown to have a higher {word}."
        else:
            told += f" Shown to have a higher {word}: {_names(more)}."
    return told


def _blur(rows: list[Row]) -> str:
    """PSNR and SSIM reward blur: shown with these very pictures."""
    own = [fmean(row.scores[name] for row in rows) for name in ("psnr", "ssim")]
    soft = [fmean(getattr(row.paired.blurred, name) for row in rows) for name in ("psnr", "ssim")]
    figures = f"PSNR {soft[0]:.2f} dB instead of {own[0]:.2f}, SSIM {soft[1]:.2f} instead of {own[1]:.2f}"
    pixels = blur_radius(rows[0].paired.target.size)
    rises = [name for name, a, b in zip(("PSNR", "SSIM"), soft, own, strict=True) if a - b >= 0.005]
    verdict = f"{_and(rises)} {'rises' if len(rises) == 1 else 'rise'}" if rises else "here neither rises"
    return (
        "Not that more PSNR or SSIM looks better: they prefer a blurred picture to a sharp one whose details lie "
        f"elsewhere. These pictures, blurred by {pixels:g} pixels, have {figures}: {verdict}."
    )
