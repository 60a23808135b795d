"""Results in a table, and gathered into cells: what was made with the same settings but for sketch, prompt and seed."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

import torch

from s2i_teach.errors import InputError
from s2i_teach.evaluate.bootstrap import Interval, interval
from s2i_teach.evaluate.faithfulness import faithfulness
from s2i_teach.evaluate.paired import Paired, paired
from s2i_teach.evaluate.prompt_match import prompt_matches
from s2i_teach.evaluate.realism import kernel_distance_interval, picture_features, real_features
from s2i_teach.evaluate.strings import STRINGS
from s2i_teach.translation.result import Result
from s2i_teach.translation.settings import Settings
from s2i_teach.translation.wording import value_words

SCORES = ("precision", "recall", "f1", "chamfer", "edge_ssim", "prompt_match")
PAIRED_SCORES = ("psnr", "ssim", "lpips")
NEVER = ("seed", "invert", "prompt")
"""Settings that make no cell of their own; a prompt does if one sketch has several."""
ENGLISH = STRINGS["en"]


@dataclass(frozen=True)
class Row:
    """One result with its scores.

    Attributes:
        number: its place among the results, from 0.
        sketch: a number for its sketch, from 0 in order of appearance.
        settings: name → value of the settings that make its cell.
        scores: name → value, of ``SCORES``, and of ``PAIRED_SCORES`` where it has a true picture.
        paired: its true picture and what goes with it, or None.
    """

    number: int
    result: Result
    sketch: int
    settings: dict
    scores: dict
    paired: Paired | None = None


@dataclass(frozen=True)
class Cell:
    """All results with the same settings.

    Attributes:
        settings: name → value of those that vary between cells.
        rows: its results.
        f1, prompt_match: means with their intervals.
        micro_kid: with its interval; None of fewer than 2 pictures, which have no distance.
        psnr, ssim, lpips: means with their intervals; None without true pictures, ``lpips`` also where it is not
            available.
    """

    settings: dict
    rows: tuple[Row, ...]
    f1: Interval
    prompt_match: Interval
    micro_kid: Interval | None
    psnr: Interval | None = None
    ssim: Interval | None = None
    lpips: Interval | None = None

    @property
    def n(self) -> int:
        """How many pictures."""
        return len(self.rows)

    @property
    def name(self) -> str:
        """Its settings in English words, short."""
        return name_of(self.settings)


def name_of(settings: dict, table: Mapping[str, str] = ENGLISH) -> str:
    """Settings in words, short: "strength 0.5, guidance 5"; ``table`` has the words of some language."""
    named = [f"{words(key, table)} {shown_value(key, value, table)}" for key, value in settings.items()]
    return ", ".join(named) or table["one_cell_name"]


def words(name: str, table: Mapping[str, str] = ENGLISH) -> str:
    """The name of a setting or a score as one reads it."""
    return table[f"name_{name}"]


def shown_figure(figure: Interval, table: Mapping[str, str] = ENGLISH) -> str:
    """A figure with its interval, or with the word that it has none."""
    if figure.low is None:
        return table["no_interval"].format(value=f"{figure.value:.2f}", n=figure.n)
    return str(figure)


def shown_value(name: str, value, table: Mapping[str, str] = ENGLISH) -> str:
    """The value of a setting as one reads it."""
    return value_words(name, value, own=table["own"], empty=table["empty"])


def as_results(results) -> list[Result]:
    """A list of ``Result``, of an iterable or of an object that has them as ``.results``, as a sweep does.

    An iterable may hold such objects too: several sweeps, of as many sketches.

    Raises:
        InputError: none, or something else.
    """
    if isinstance(results, Result):
        results = [results]
    results = getattr(results, "results", results)
    if not isinstance(results, Iterable) or isinstance(results, (str, bytes, dict)) or hasattr(results, "ndim"):
        raise InputError(f"A {type(results).__name__} holds no results: give a list of what s2i.translate returned.")
    found = []
    for number, given in enumerate(results):
        many = getattr(given, "results", None)
        for result in many if isinstance(many, (list, tuple)) else [given]:
            if not isinstance(result, Result):
                raise InputError(
                    f"Number {number} of the results is a {type(given).__name__}: give what s2i.translate or s2i.sweep "
                    "returned."
                )
            found.append(result)
    if not found:
        raise InputError("There is no result to judge: give a list of what s2i.translate returned.")
    return found


def judged(results: list[Result], targets=None) -> tuple[list[Row], torch.Tensor]:
    """Each result with its scores, and features ``(N, 192)`` of the pictures for micro-KID.

    Args:
        targets: the true pictures, as :func:`s2i_teach.evaluate.report` takes them, or None.

    Raises:
        InputError: a sketch is empty, or a prompt; true pictures of another number or size.
    """
    places = sketch_numbers(results)
    beside = [None] * len(results) if targets is None else paired(results, targets, places)
    names = _that_make_cells(results, places)
    pictures = [result.image for result in results]
    matches = prompt_matches(pictures, [result.settings.prompt for result in results]).tolist()
    rows = []
    for number, (result, place, match, pair) in enumerate(zip(results, places, matches, beside, strict=True)):
        found = faithfulness(result.sketch, result.image)
        scores = {name: getattr(found, name) for name in SCORES[:-1]} | {"prompt_match": match}
        scores |= pair.scores if pair else {}
        settings = {name: _setting(result, name) for name in names}
        rows.append(Row(number, result, place, settings, scores, pair))
    return rows, picture_features(pictures)


def cell_names(results: list[Result], table: Mapping[str, str] = ENGLISH) -> list[str]:
    """Of each result the name of its cell: the settings that vary, in words."""
    places = sketch_numbers(results)
    names = _that_make_cells(results, places)
    return [name_of({name: _setting(result, name) for name in names}, table) for result in results]


def sketch_numbers(results: list[Result]) -> list[int]:
    """Of each result a number for its sketch, from 0 in order of appearance."""
    sketches: dict[str, int] = {}
    return [
        sketches.setdefault(
            hashlib.sha256(r.sketch.tobytes() + repr(r.sketch.size).encode()).hexdigest(), len(sketches)
        )
        for r in results
    ]


def _setting(result: Result, name: str):
    return result.model if name == "model" else getattr(result.settings, name)


def _that_make_cells(results: list[Result], places: list[int]) -> list[str]:
    """Names of the settings that vary, model first; the prompt only where one sketch has several."""
    names = ["model", *(field.name for field in fields(Settings) if field.name not in NEVER)]
    found = [name for name in names if len({_setting(result, name) for result in results}) > 1]
    prompts = {(place, result.settings.prompt) for place, result in zip(places, results, strict=True)}
    return found + (["prompt"] if len(prompts) > len(set(places)) else [])


def cells(rows: list[Row], features: torch.Tensor, names: list[str] | None = None) -> list[Cell]:
    """Rows gathered by their settings, or by those of ``names`` alone, in the order of the values.

    Intervals draw what :func:`independent` says.
    """
    names = list(rows[0].settings) if names is None else names
    gathered: dict[tuple, list[Row]] = {}
    for row in rows:
        gathered.setdefault(tuple(row.settings[name] for name in names), []).append(row)
    real = real_features()
    made = []
    for key in sorted(gathered, key=lambda key: [_order(value) for value in key]):
        part = gathered[key]
        groups = independent(part)
        own = features[[row.number for row in part]]
        made.append(
            Cell(
                dict(zip(names, key, strict=True)),
                tuple(part),
                interval([row.scores["f1"] for row in part], groups),
                interval([row.scores["prompt_match"] for row in part], groups),
                kernel_distance_interval(own, real, groups) if len(part) > 1 else None,
                **{
                    name: interval([row.scores[name] for row in part], groups)
                    for name in PAIRED_SCORES
                    if name in part[0].scores
                },
            )
        )
    return made


def independent(rows: list[Row]) -> list[int]:
    """Of each row what makes it a trial of its own: its sketch where there are several, else its seed.

    Seeds of one sketch are no independent trials of a setting, and neither are settings of one seed.
    """
    if len({row.sketch for row in rows}) > 1:
        return [row.sketch for row in rows]
    return [row.result.settings.seed for row in rows]


def _order(value) -> tuple:
    """Numbers by size, everything else by its words; the model's own, None, first."""
    if value is None:
        return (0, 0, "")
    return (1, value, "") if isinstance(value, (int, float)) else (2, 0, str(value))


def pareto_front(points: list[tuple[float, float]]) -> list[int]:
    """Places of the points that no other beats: as good in both and better in one. More is better in both.

    Equal points are all on it.
    """
    return [i for i, (x, y) in enumerate(points) if not any(a >= x and b >= y and (a > x or b > y) for a, b in points)]
