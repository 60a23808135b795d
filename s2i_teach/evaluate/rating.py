"""Votes between two pictures: their file, one ranking of them, how far raters agree, how many votes are missing."""

import csv
import hashlib
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.optimize import minimize

from s2i_teach.errors import InputError
from s2i_teach.files import as_path, shown, write_whole

CHOICES = ("left", "right", "tie")
PRIOR = 10.0
"""Standard deviation of a strength before any vote, in log-odds: so wide that it decides nothing, but one who won every
vote keeps a finite strength."""
CERTAIN = 1.96
"""Half a 95 % interval in standard errors."""
POWER = 0.84
"""Standard errors more, for a chance of 80 % that an interval leaves 0 out."""


@dataclass(frozen=True)
class Vote:
    """One vote, a line of the file.

    Attributes:
        rater: who voted.
        sketch: the sketch, by the first 12 letters of its SHA-256.
        left, right: the two pictures, likewise.
        left_cell, right_cell: the settings they were made with, in words: what is ranked.
        vote: "left", "right" or "tie".
        seconds: from when the pair was shown to the vote.
    """

    rater: str
    sketch: str
    left: str
    right: str
    left_cell: str
    right_cell: str
    vote: str
    seconds: float


def picture_id(picture: Image.Image) -> str:
    """A picture's name in votes: the first 12 letters of a SHA-256 over its size and its RGB pixels."""
    return hashlib.sha256(repr(picture.size).encode() + picture.convert("RGB").tobytes()).hexdigest()[:12]


COLUMNS = tuple(field.name for field in fields(Vote))


def write_votes(path: str | Path, votes: Sequence[Vote]) -> Path:
    """Write votes as CSV (UTF-8, one line a vote, the columns are :class:`Vote`'s), whole or not at all.

    Raises:
        InputError: the place cannot be written.
    """
    with io.StringIO(newline="") as text:
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows(asdict(vote) for vote in votes)
        data = text.getvalue().encode("utf-8")
    return write_whole(as_path(path), lambda file: file.write(data))


def read_votes(path: str | Path) -> list[Vote]:
    """The votes of a file that :func:`write_votes` wrote, also if a spreadsheet has saved it since.

    Raises:
        InputError: no such file, other columns, or a line that is no vote.
    """
    path = as_path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{shown(path)} is no text: save it as CSV in UTF-8.") from error
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read: {error.strerror or error}.") from error
    # Spreadsheets of some countries write semicolons.
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in text.partition("\n")[0] else ",")
    if not set(COLUMNS) <= set(reader.fieldnames or ()):
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        raise InputError(f"{shown(path)} is no file of votes: it has no column {missing[0]}.")
    return [_vote(row, f"{shown(path)}, line {reader.line_num}") for row in reader]


def _vote(row: dict, place: str) -> Vote:
    values = {name: row[name] for name in COLUMNS}
    empty = [name for name, value in values.items() if not value]
    if empty:
        raise InputError(f"{place}: {empty[0]} is empty: the file was cut off or changed, ask for it again.")
    if values["vote"] not in CHOICES:
        raise InputError(f"{place}: the vote is {shown(values['vote'])}: it must be left, right or tie.")
    if values["left_cell"] == values["right_cell"]:
        raise InputError(f"{place}: left and right have the same settings, so the vote says nothing: delete the line.")
    try:
        seconds = float(values["seconds"].replace(",", "."))
        if not 0 <= seconds < math.inf:
            raise ValueError
    except ValueError as error:
        raise InputError(f"{place}: seconds is {shown(values['seconds'])}: it must be a number, 0 or more.") from error
    return Vote(**{**values, "seconds": seconds})


def merge(paths: Iterable[str | Path]) -> list[Vote]:
    """The votes of several files, of a class for instance, in the order of their names.

    A file that is there twice, or a copy from when it was shorter, counts once. Different ones that name the same rater
    belong to different people: those are told apart by the file's name.

    Raises:
        InputError: no file, or one that cannot be read.
    """
    if isinstance(paths, (str, Path)):
        paths = [paths]
    files = {path: read_votes(path) for path in sorted({as_path(path) for path in paths})}
    if not files:
        raise InputError("There is no file of votes: give the names of the CSV files.")
    kept: list[tuple[Path, list[Vote]]] = []
    for path, votes in sorted(files.items(), key=lambda item: -len(item[1])):
        if not any(_same_rater(votes, others) for _, others in kept):
            kept.append((path, votes))
    merged: list[Vote] = []
    taken: set[str] = set()
    for path, votes in sorted(kept):
        names = {vote.rater for vote in votes}
        clash = {name: f"{name} ({path.name})" for name in names & taken}
        while set(clash.values()) & taken:  # files of one name in two folders
            clash = {name: f"{other}′" for name, other in clash.items()}
        merged += [replace(vote, rater=clash.get(vote.rater, vote.rater)) for vote in votes]
        taken |= {clash.get(name, name) for name in names}
    return merged


def _same_rater(votes: list[Vote], others: list[Vote]) -> bool:
    """Whether ``votes`` are a copy of ``others`` or of their beginning: same raters, sides, times, everything."""
    return bool(votes) and votes == others[: len(votes)]


# Bradley–Terry


@dataclass(frozen=True)
class Rank:
    """What the votes say of one setting.

    Attributes:
        cell: the settings, in words.
        strength: in log-odds, mean 0 over all: a difference of 1 means that it wins with probability 0.73.
        low, high: its 95 % interval.
        votes: in how many votes it stood.
        wins: how many it won, a tie as half.
    """

    cell: str
    strength: float
    low: float
    high: float
    votes: int
    wins: float


@dataclass(frozen=True)
class Fit:
    """Bradley–Terry strengths ``(n,)`` of ``cells`` in their order, and the covariance ``(n, n)`` of these."""

    cells: tuple[str, ...]
    strengths: np.ndarray
    covariance: np.ndarray

    def difference(self, a: str, b: str) -> tuple[float, float]:
        """The strength of ``a`` less that of ``b``, and its standard error."""
        i, j = self.cells.index(a), self.cells.index(b)
        c = self.covariance
        return float(self.strengths[i] - self.strengths[j]), math.sqrt(max(0.0, c[i, i] + c[j, j] - 2 * c[i, j]))


def wins_table(votes: Sequence[Vote]) -> tuple[tuple[str, ...], np.ndarray]:
    """The cells, sorted, and how often each (row) won against each other (column), ties as half a win for both."""
    cells = tuple(sorted({name for vote in votes for name in (vote.left_cell, vote.right_cell)}))
    place = {name: i for i, name in enumerate(cells)}
    table = np.zeros((len(cells), len(cells)))
    for vote in votes:
        left, right = place[vote.left_cell], place[vote.right_cell]
        share = {"left": 1.0, "right": 0.0, "tie": 0.5}[vote.vote]
        table[left, right] += share
        table[right, left] += 1 - share
    return cells, table


def bradley_terry(votes: Sequence[Vote]) -> Fit:
    """Strengths such that a beats b with probability 1 / (1 + exp(b − a)), most likely given the votes.

    Bradley & Terry 1952; a tie counts as half a win for both. The maximum is found by scipy under a very wide normal
    prior; the covariance is the inverse of the curvature there. Votes count as independent: many by one rater on one
    picture make the intervals too narrow.

    Raises:
        InputError: no vote.
    """
    votes = list(votes)
    if not votes:
        raise InputError("There is no vote yet: nothing can be ranked.")
    cells, wins = wins_table(votes)
    played = wins + wins.T

    def gaps(s):
        return s[:, None] - s[None, :]

    def loss(s):
        chance = 1 / (1 + np.exp(-gaps(s)))
        value = (wins * np.logaddexp(0, -gaps(s))).sum() + (s**2).sum() / (2 * PRIOR**2)
        return value, -(wins - played * chance).sum(1) + s / PRIOR**2

    found = minimize(loss, np.zeros(len(cells)), jac=True, method="BFGS", options={"gtol": 1e-7})
    s = found.x - found.x.mean()
    chance = 1 / (1 + np.exp(-gaps(s)))
    weight = played * chance * (1 - chance)
    curvature = np.diag(weight.sum(1)) - weight + np.eye(len(cells)) / PRIOR**2
    # Only differences are measured: what all have in common is taken out.
    centre = np.eye(len(cells)) - 1 / len(cells)
    return Fit(cells, s, centre @ np.linalg.inv(curvature) @ centre)


def ranking(votes: Sequence[Vote]) -> list[Rank]:
    """Settings from best to worst, each with its interval. Raises as :func:`bradley_terry` does."""
    votes = list(votes)
    fit = bradley_terry(votes)
    _, wins = wins_table(votes)
    rows = []
    for i, cell in enumerate(fit.cells):
        error = CERTAIN * math.sqrt(max(0.0, fit.covariance[i, i]))
        value = float(fit.strengths[i])
        played = int(round(wins[i].sum() + wins[:, i].sum()))
        rows.append(Rank(cell, value, value - error, value + error, played, float(wins[i].sum())))
    return sorted(rows, key=lambda row: (-row.strength, row.cell))


def votes_needed(votes: Sequence[Vote], a: str | None = None, b: str | None = None) -> int | None:
    """About how many votes more tell ``a`` from ``b``, if they are as far apart as they seem now.

    More of the same kind, so that the standard error shrinks by the root of their number: until the difference is 2.8
    errors, at which 4 of 5 such experiments have an interval without 0. 0 if it is already.

    Args:
        a, b: cells; without them, the best two.

    Returns:
        None where both seem equal, which no number of votes can show.

    Raises:
        InputError: no vote, one cell only, or a name that is none.
    """
    votes = list(votes)
    fit = bradley_terry(votes)
    if a is None or b is None:
        a, b = (row.cell for row in ranking(votes)[:2])
    for name in (a, b):
        if name not in fit.cells:
            raise InputError(f"No vote is about {shown(name)}: choose one of {', '.join(fit.cells)}.")
    gap, error = fit.difference(a, b)
    if abs(gap) < 1e-6:
        return None
    wanted = len(votes) * ((CERTAIN + POWER) * error / abs(gap)) ** 2
    return max(0, math.ceil(wanted - len(votes)))


# Agreement of raters


def krippendorff_alpha(units: Iterable[Sequence[float]]) -> float:
    """Krippendorff's α for numbers (interval metric): 1 is agreement, 0 is what chance gives, below 0 contradiction.

    1 − D_o / D_e, the squared differences within units against those among all values (Krippendorff 2011, "Computing
    Krippendorff's Alpha-Reliability").

    Args:
        units: for each thing that was rated, the values it was given, in any order; fewer than two do not count.

    Returns:
        nan where no two values differ or nothing was rated twice: there is nothing to agree on.
    """
    rated = [np.asarray(unit, dtype=float) for unit in units if len(unit) > 1]
    if not rated:
        return math.nan
    everything = np.concatenate(rated)
    n = len(everything)
    observed = sum(((unit[:, None] - unit) ** 2).sum() / (len(unit) - 1) for unit in rated) / n
    expected = ((everything[:, None] - everything) ** 2).sum() / (n * (n - 1))
    return float(1 - observed / expected) if expected else math.nan


def rater_agreement(votes: Sequence[Vote]) -> float:
    """How far raters agree, by Krippendorff's α over the pairs that two or more have seen; nan if there are none.

    A vote is +1 or −1, a tie 0. Which of two pictures is the first is arbitrary, so each pair counts both ways round:
    then α does not depend on it, and raters who all choose the left side do not seem to agree. A rater's second vote on
    a pair replaces the first.
    """
    given: dict[tuple[str, str, str], dict[str, float]] = {}
    for vote in votes:
        first, second = sorted((vote.left, vote.right))
        value = {"left": 1.0, "right": -1.0, "tie": 0.0}[vote.vote] * (1 if vote.left == first else -1)
        given.setdefault((vote.sketch, first, second), {})[vote.rater] = value
    units = [list(values.values()) for values in given.values()]
    return krippendorff_alpha(units + [[-value for value in unit] for unit in units])
