"""What a quiz or a survey keeps: a file beside the notebook, with the answers before the course and after it."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from s2i_teach.errors import InputError
from s2i_teach.files import reading, shown, write_whole
from s2i_teach.lessons.quiz_questions import UNSURE, Question, questions

NAME = "s2i_quiz.json"
LARGEST = 64_000
"""Bytes; a quiz has about a thousand."""
PHASES = ("before", "after")


@dataclass(frozen=True)
class Form:
    """What is asked twice: the ``name`` of its file, and ``answers()``, question → the names of its answers."""

    name: str
    answers: Callable[[], dict[str, set[str]]]


QUIZ = Form(NAME, lambda: {q.name: {UNSURE, *(option.name for option in q.options)} for q in questions("en")})


@dataclass(frozen=True)
class Kept:
    """Answers, question → answer, of each time; None where it was not answered yet. ``seed`` orders the options."""

    seed: int
    before: dict[str, str] | None = None
    after: dict[str, str] | None = None

    @property
    def phase(self) -> str:
        """What comes next: ``"before"``, ``"after"``, or ``"done"``."""
        return next((phase for phase in PHASES if getattr(self, phase) is None), "done")

    def with_answers(self, answers: dict[str, str]) -> "Kept":
        """With the answers of the phase that comes next."""
        return replace(self, before=answers) if self.before is None else replace(self, after=answers)

    def order(self, question: Question) -> list[str]:
        """The names of a question's answers in this student's order, the same each time; ``UNSURE`` is last."""
        names = [option.name for option in question.options]
        random.Random(f"{self.seed} {question.name}").shuffle(names)
        return [*names, UNSURE]


def parse(data: bytes, form: Form = QUIZ) -> Kept:
    """What the bytes of a file hold.

    Raises:
        ValueError: they hold no answers to this form; it says why.
    """
    try:
        table = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError("is damaged") from error
    if not isinstance(table, dict) or not {"seed", *PHASES} <= set(table):
        raise ValueError("holds no answers of before and after")
    if type(table["seed"]) is not int or abs(table["seed"]) >= 2**63:
        raise ValueError("has a damaged seed")
    names = form.answers()
    for phase in PHASES:
        answers = table[phase]
        if answers is None:
            continue
        if not isinstance(answers, dict) or set(answers) != set(names):
            raise ValueError("has answers to other questions")
        if not all(isinstance(given, str) and given in names[name] for name, given in answers.items()):
            raise ValueError("has an answer that no question has")
    if table["before"] is None and table["after"] is not None:
        raise ValueError("has answers after the course and none before it")
    return Kept(table["seed"], table["before"], table["after"])


def read(folder: Path, form: Form = QUIZ) -> Kept:
    """What is kept in a folder; nothing yet, with a seed by lot, where no file is.

    Raises:
        InputError: the file holds no answers to this form, or cannot be read.
    """
    path = folder / form.name
    with reading(path):
        if not path.exists():
            return Kept(random.SystemRandom().randrange(2**31))
        if path.stat().st_size > LARGEST:
            raise InputError(f"{shown(path)} is too large for a file of answers: move it away, and begin anew.")
        data = path.read_bytes()
    try:
        return parse(data, form)
    except ValueError as error:
        raise InputError(f"{shown(path)} holds no answers that can be read: move it away, and begin anew.") from error


def write(folder: Path, kept: Kept, form: Form = QUIZ) -> Path:
    """Keep the answers, whole or not at all.

    Raises:
        InputError: the folder cannot be written to.
    """
    table = {"seed": kept.seed, "before": kept.before, "after": kept.after}
    data = (json.dumps(table, indent=1) + "\n").encode("utf-8")
    return write_whole(folder / form.name, lambda file: file.write(data))
