"""The ten questions of the concept quiz: each wrong answer is what people really believe, with what speaks against it."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from s2i_teach.languages import known, language

HERE = Path(__file__).parent
UNSURE = "unsure"
"""The answer of those who do not know yet; it stands last in every question and is never right."""


@dataclass(frozen=True)
class Option:
    """One answer: its ``name`` in files, its ``text``, and ``why`` it is right or wrong."""

    name: str
    text: str
    why: str


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        name: in files.
        lesson, section: where the course shows the answer; the section's heading.
        shows: words of that section that say it.
        text: the question.
        options: four answers.
        right: the name of the only right one.
    """

    name: str
    lesson: int
    section: str
    shows: str
    text: str
    options: tuple[Option, ...]
    right: str

    def option(self, name: str) -> Option | None:
        """The answer of that name; None for ``UNSURE`` and for names that are not there."""
        return next((option for option in self.options if option.name == name), None)


def questions(code: str | None = None) -> tuple[Question, ...]:
    """All ten, in the order in which the lessons answer them; in the language chosen, or that of ``code``.

    Raises:
        InputError: there is no such language.
    """
    return _questions(language() if code is None else known(code))


@cache
def _questions(code: str) -> tuple[Question, ...]:
    rows = json.loads((HERE / "quiz_en.json").read_text(encoding="utf-8"))
    said = {row["name"]: row for row in rows}
    if code != "en":
        said = json.loads((HERE / f"quiz_{code}.json").read_text(encoding="utf-8"))
    made = []
    for row in rows:
        words = said[row["name"]]
        options = tuple(Option(name, **words["options"][name]) for name in row["options"])
        place = (row["name"], row["lesson"], row["section"], row["shows"])
        made.append(Question(*place, words["text"], options, row["right"]))
    return tuple(made)


def points(answers: dict[str, str]) -> int:
    """How many of the answers, question → answer, are right."""
    return sum(answers.get(question.name) == question.right for question in questions("en"))


def gain(before: float, after: float) -> float | None:
    """The share of what was not known before and is known after: (after − before) / (10 − before).

    This is the normalised gain of Hake, *Interactive-engagement versus traditional methods*, 1998, with points in place
    of per cent. It is None where all ten were right before, and below 0 where less is right than before.
    """
    most = len(questions("en"))
    return None if before >= most else (after - before) / (most - before)
