"""What a set of scores allows to say, and what it does not, in sentences made from the numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb
from statistics import fmean

import torch
from scipy.stats import t as student

from s2i_teach.evaluate.bootstrap import LEVEL, Interval, difference
from s2i_teach.evaluate.cells import ENGLISH, Cell, Row, independent, name_of, shown_figure, shown_value, words
from s2i_teach.evaluate.effects import paired_effect
from s2i_teach.evaluate.faithfulness import CHANCE_F1
from s2i_teach.evaluate.paired import blur_radius

FEW = 10
"""Below so many pictures in a cell micro-KID says little: of 10 real ones it had a standard deviation of 0.2, of 50 one
of 0.07; copies of sketches have 3.0 where real pictures have 0.1."""
FEW_SKETCHES = 6
"""Below so many, intervals of differences are too narrow: of two cells that do not differ, 45 in 100 pairs were told
apart with 2 sketches, 10 with 5."""
MEASURES = tuple(
    (name, ENGLISH[f"measure_{name}"], more)
    for name, more in (("f1", True), ("micro_kid", False), ("prompt_match", True))
)
"""Attribute of a cell, its English name, whether more is better."""
PAIRED_MEASURES = tuple(
    (name, ENGLISH[f"measure_{name}"], more) for name, more in (("psnr", True), ("ssim", True), ("lpips", False))
)
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


def conclusions(cells: list[Cell], rows: list[Row], table: Mapping[str, str] = ENGLISH) -> Conclusions:
    """What the figures of these cells say.

    Args:
        cells, rows: as :func:`s2i_teach.evaluate.cells.cells` and ``judged`` make them.
        table: the words of a language, of :mod:`s2i_teach.evaluate.strings`.
    """
    so, not_so = [], []
    sketches, seeds = {row.sketch for row in rows}, {row.result.settings.seed for row in rows}
    smallest = min(cell.n for cell in cells)
    if len(cells) > 1:
        for measure, _, more in measures(cells):
            if all(of(cell, measure) is not None for cell in cells):
                so.append(_ranking(cells, measure, more, table))
        for axis in ("strength", "guidance_scale"):
            so += _trend(rows, axis, table)
    so += _chance(cells, table)
    if rows[0].paired is not None:
        so.append(_beside_the_sketch(cells, rows, table))
        not_so += [_blur(rows, table), table["little_agreement"]]
    if all(cell.micro_kid is None for cell in cells):
        not_so.append(table["no_realism"])
    elif any(cell.micro_kid is None for cell in cells):
        not_so.append(table["no_realism_some"])
    elif smallest < FEW:
        not_so.append(table["little_realism"].format(n=smallest, few=FEW))
    if smallest == 1:
        not_so.append(table["no_single_cells"])
    elif min(cell.f1.n for cell in cells) < FEW_SKETCHES:
        not_so.append(table["narrow"].format(n=min(cell.f1.n for cell in cells)))
    if len(sketches) == 1:
        not_so.append(table["no_other_sketches"])
    if len(seeds) == 1:
        not_so.append(table["no_other_seeds"])
    if len(cells) > 2:
        not_so.append(table["best_by_luck"].format(n=len(cells)))
    not_so.append(table["no_beauty"])
    return Conclusions(tuple(so), tuple(not_so))


def _ranking(cells: list[Cell], measure: str, more: bool, table: Mapping[str, str]) -> str:
    first = best(cells, measure, more)
    own = of(first, measure)
    about = {"measure": table[f"measure_{measure}"], "cell": name_of(first.settings, table)}
    if own.low is None:
        return table["best_alone"].format(value=f"{own.value:.2f}", **about)
    told = table["best_is"].format(figure=shown_figure(own, table), n=first.n, **about)
    rest = [cell for cell in cells if cell is not first]
    # The best cell is found by looking, so all pairs of cells count: together at 95 %, by Bonferroni.
    apart = [_apart(first, cell, measure, 1 - (1 - LEVEL) / comb(len(cells), 2)) for cell in rest]
    if None not in apart:
        open_ = apart.count(False)
        if not open_:
            return f"{told} {table['differs_from_all']}"
        if open_ == len(rest):
            return f"{told} {table['differs_from_none']}"
        return f"{told} {table['differs_from_some'].format(n=len(rest) - open_, total=len(rest))}"
    others = [cell for cell in rest if of(cell, measure).overlaps(own)]
    if not others:
        return f"{told} {table['overlaps_none']}"
    if len(others) == len(rest):
        return f"{told} {table['overlaps_all']}"
    return f"{told} {table['overlaps_some'].format(n=len(others), total=len(rest))}"


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


def _trend(rows: list[Row], axis: str, table: Mapping[str, str]) -> list[str]:
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
    setting = words(axis, table)
    what = {
        "setting": setting[0].upper() + setting[1:],
        "low": shown_value(axis, low, table),
        "high": shown_value(axis, high, table),
    }
    told = []
    scores = [("f1", table["score_f1"]), *((score, words(score, table)) for score in ("prompt_match", "psnr", "ssim"))]
    for score, name in [(score, name) for score, name in scores if score in rows[0].scores]:
        after, before = ([keyed[value][key].scores[score] for key in both] for value in (high, low))
        change = difference(after, before, groups)
        if change.low is None:
            told.append(f"{name} {change.value:+.2f}")
        elif change.low <= 0 <= change.high:
            told.append(table["no_change"].format(score=name, change=_signed(change)))
        else:
            told.append(table["rises" if change.value > 0 else "falls"].format(score=name, change=_size(change)))
    what["changes"] = listed(told, table)
    if change.low is None:
        return [table["trend_alone"].format(**what)]
    over = table["sketches"].format(n=sketches) if sketches > 1 else table["over_seeds"].format(n=len(set(groups)))
    return [table["trend_few" if len(set(groups)) < FEW_SKETCHES else "trend"].format(trials=over, **what)]


def _signed(change: Interval) -> str:
    return f"{change.value:+.2f} [{change.low:+.2f}, {change.high:+.2f}]"


def _size(change: Interval) -> str:
    """A change that has one sign, without it."""
    low, high = sorted((abs(change.low), abs(change.high)))
    return str(Interval(abs(change.value), low, high, change.n))


def _rest(row: Row, axis: str) -> tuple:
    others = tuple(value for name, value in row.settings.items() if name != axis)
    return (row.sketch, row.result.settings.seed, row.result.settings.prompt, *others)


def _chance(cells: list[Cell], table: Mapping[str, str]) -> list[str]:
    near = [cell for cell in cells if cell.f1.low is not None and cell.f1.low <= CHANCE_F1]
    if not near:
        return []
    return [table["chance"].format(chance=f"{CHANCE_F1:.2f}", cells=_names(near, table))]


def _names(cells: list[Cell], table: Mapping[str, str]) -> str:
    """The first three by name, and how many more."""
    more = [table["more_cells"].format(n=len(cells) - 3)] if len(cells) > 3 else []
    return "; ".join([name_of(cell.settings, table) for cell in cells[:3]] + more)


def listed(words: list[str], table: Mapping[str, str] = ENGLISH) -> str:
    """Words in a row, with the word for "and" before the last."""
    return words[0] if len(words) == 1 else table["and"].format(most=", ".join(words[:-1]), last=words[-1])


def _beside_the_sketch(cells: list[Cell], rows: list[Row], table: Mapping[str, str]) -> str:
    """The sketches as they are agree with the true pictures too: whether a cell is shown to agree more."""
    psnr, ssim = (fmean(getattr(row.paired.sketch, name) for row in rows) for name in ("psnr", "ssim"))
    told = [table["beside"].format(psnr=f"{psnr:.2f}", ssim=f"{ssim:.2f}")]
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
            told.append(table["results_higher" if len(cells) == 1 else "cells_higher"].format(measure=word))
        elif not more:
            told.append(table["result_not_higher" if len(cells) == 1 else "cell_not_higher"].format(measure=word))
        else:
            told.append(table["some_higher"].format(measure=word, cells=_names(more, table)))
    return " ".join(told)


def _blur(rows: list[Row], table: Mapping[str, str]) -> str:
    """PSNR and SSIM reward blur: shown with these very pictures."""
    own = [fmean(row.scores[name] for row in rows) for name in ("psnr", "ssim")]
    soft = [fmean(getattr(row.paired.blurred, name) for row in rows) for name in ("psnr", "ssim")]
    pixels = blur_radius(rows[0].paired.target.size)
    rises = [name for name, a, b in zip(("PSNR", "SSIM"), soft, own, strict=True) if a - b >= 0.005]
    verdict = {0: "neither_rises", 1: "one_rises", 2: "both_rise"}[len(rises)]
    return table["blur"].format(
        pixels=f"{pixels:g}",
        psnr=f"{own[0]:.2f}",
        ssim=f"{own[1]:.2f}",
        soft_psnr=f"{soft[0]:.2f}",
        soft_ssim=f"{soft[1]:.2f}",
        verdict=table[verdict].format(measure="".join(rises)),
    )
