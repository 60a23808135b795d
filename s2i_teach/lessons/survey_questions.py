"""The statements of the survey: what people think of pictures made with models. None is right or wrong."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from s2i_teach.languages import known, language
from s2i_teach.lessons.quiz_file import PHASES, Form, Kept
from s2i_teach.lessons.quiz_questions import UNSURE

HERE = Path(__file__).parent
SCALE = ("1", "2", "3", "4", "5")
"""From strong disagreement to strong agreement; the names of the answers in files. ``UNSURE`` is no answer."""
FEWEST = 3
"""People who have answered both times, below whom nothing is told: two would know each other's answers."""


@dataclass(frozen=True)
class Statement:
    """One statement: its ``name`` in files and its ``text``."""

    name: str
    text: str


def statements(code: str | None = None) -> tuple[Statement, ...]:
    """All eight, in the language chosen, or that of ``code``.

    Raises:
        InputError: there is no such language.
    """
    return _statements(language() if code is None else known(code))


def answer_text(name: str, code: str) -> str:
    """An answer in words: of the scale, or that there is none."""
    table = _table(code)
    return table["no answer"] if name == UNSURE else table["scale"][SCALE.index(name)]


@cache
def _table(code: str) -> dict:
    return json.loads((HERE / f"survey_{code}.json").read_text(encoding="utf-8"))


@cache
def _statements(code: str) -> tuple[Statement, ...]:
    return tuple(Statement(row["name"], row["text"]) for row in _table(code)["statements"])


SURVEY = Form("s2i_survey.json", lambda: {statement.name: {UNSURE, *SCALE} for statement in statements("en")})


@dataclass(frozen=True)
class Opinion:
    """What a class thinks of one statement: the means from 1 to 5 of the ``count`` people who answered it both times."""

    statement: Statement
    before: float
    after: float
    count: int

    @property
    def change(self) -> float:
        """After less before."""
        return self.after - self.before


def opinions(surveys: Iterable[Kept]) -> list[Opinion]:
    """The class's means, statement by statement, of the people who answered a statement both times.

    A statement that fewer than ``FEWEST`` people have answered both times is left out.
    """
    kept = [survey for survey in surveys if survey.after is not None]
    found = []
    for statement in statements("en"):
        pairs = [[(getattr(survey, phase) or {}).get(statement.name, UNSURE) for phase in PHASES] for survey in kept]
        both = [[int(answer) for answer in pair] for pair in pairs if UNSURE not in pair]
        if len(both) >= FEWEST:
            before, after = (sum(column) / len(both) for column in zip(*both, strict=True))
            found.append(Opinion(statement, before, after, len(both)))
    return found
