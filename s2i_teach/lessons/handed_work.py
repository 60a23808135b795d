"""A student's work, read from the text of files: progress, quiz, executed notebook. Nothing in them is run."""

import json
import re
from dataclasses import dataclass, field

from s2i_teach.errors import InputError
from s2i_teach.lessons import lesson, quiz_file
from s2i_teach.lessons.engine import MARKS
from s2i_teach.lessons.quiz_file import Kept
from s2i_teach.lessons.survey_questions import SURVEY

MOST_CELLS = 5_000
LONGEST = 1_000
"""Characters of a printed line above which no lesson wrote it."""
MOST = 1_000_000
"""A count above it is none."""


@dataclass
class Work:
    """What a student did in one lesson.

    Attributes:
        exercises: name → ``{"attempts", "hints", "passed", "solution"}``, of every exercise of the lesson.
        right, predicted: predictions that were right, and all that were compared; None where no notebook tells.
    """

    exercises: dict[str, dict]
    right: int | None = None
    predicted: int | None = None

    def add(self, name: str, attempts: int = 0, hints: int = 0, passed: bool = False, solution: bool = False) -> None:
        """Put what another source says of an exercise to what is known: the most of both."""
        row = self.exercises[name]
        row["attempts"], row["hints"] = max(row["attempts"], attempts), max(row["hints"], hints)
        row["passed"], row["solution"] = row["passed"] or passed, row["solution"] or solution

    @property
    def solved(self) -> int:
        """Exercises that were passed."""
        return sum(row["passed"] for row in self.exercises.values())

    @property
    def tried(self) -> int:
        """Exercises with an attempt."""
        return sum(row["passed"] or row["attempts"] > 0 for row in self.exercises.values())

    @property
    def hints(self) -> int:
        """Hints taken, over all exercises."""
        return sum(row["hints"] for row in self.exercises.values())

    @property
    def shown(self) -> int:
        """Exercises whose solution was shown before they were passed."""
        return sum(row["solution"] for row in self.exercises.values())


@dataclass
class Student:
    """A student's lessons by number, the quiz, and surveys.

    ``quiz`` is None where none was handed in. Surveys are kept by their number, since a folder may hold those of a class:
    whose they are is nobody's business.
    """

    name: str
    lessons: dict[int, Work] = field(default_factory=dict)
    quiz: Kept | None = None
    surveys: dict[int, Kept] = field(default_factory=dict)

    def work(self, number: int) -> Work:
        """The work in a lesson; empty at first."""
        if number not in self.lessons:
            nothing = {"attempts": 0, "hints": 0, "passed": False, "solution": False}
            self.lessons[number] = Work({name: dict(nothing) for name in exercises(number)})
        return self.lessons[number]


def exercises(number: int) -> tuple[str, ...]:
    """The names of a lesson's exercises; none where a lesson has none.

    Raises:
        ValueError: there is no such lesson.
    """
    if number == 0:
        return ()
    try:
        return tuple(lesson(number).exercises)
    except InputError as error:
        raise ValueError(f"is of lesson {number}, which is not there") from error


def _loaded(data: bytes) -> dict:
    try:
        table = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError("is damaged: it is no JSON") from error
    if not isinstance(table, dict):
        raise ValueError("is damaged: it is no table")
    return table


def read_progress(data: bytes, student: Student, number: int) -> None:
    """Add a lesson's file of progress; ValueError says why it cannot be used, as the end of a sentence."""
    table, names = _loaded(data), exercises(number)
    if not set(table) & set(names):
        raise ValueError(f"names no exercise of lesson {number}")
    rows = {}
    for name in names:
        row = table.get(name, {})
        counts = [row.get(key, 0) for key in ("attempts", "hints")] if isinstance(row, dict) else [None]
        flags = [row.get(key, False) for key in ("passed", "solution")] if isinstance(row, dict) else []
        if not all(type(n) is int and 0 <= n <= MOST for n in counts) or not all(type(f) is bool for f in flags):
            raise ValueError(f"is damaged: the row of {name} is none")
        rows[name] = (*counts, *flags)
    for name, row in rows.items():
        student.work(number).add(name, *row)


def read_quiz(data: bytes, student: Student) -> None:
    """Add a quiz; of two the one that went farther counts. ValueError as above."""
    student.quiz = farther(student.quiz, quiz_file.parse(data))


def read_survey(data: bytes, student: Student) -> None:
    """Add a survey; of two with one number, before and after of one person, the one that went farther counts."""
    kept = quiz_file.parse(data, SURVEY)
    student.surveys[kept.seed] = farther(student.surveys.get(kept.seed), kept)


def farther(one: Kept | None, other: Kept) -> Kept:
    """Of two files of answers the one that went farther, the first if both did."""
    phases = (*quiz_file.PHASES, "done")
    return other if one is None or phases.index(other.phase) > phases.index(one.phase) else one


# Notebooks

_ANSWERED = (": right.", ": not so.")
_SCORE = re.compile(r"(.) (\w+): (\d{1,6}) attempts, (\d{1,6}) hints(, with the solution)?")
_HINT = re.compile(r"Hint (\d{1,3}) of \d{1,3}: ")


def read_notebook(data: bytes, student: Student) -> None:
    """Add what an executed notebook of a lesson has printed. ValueError as above."""
    table = _loaded(data)
    cells = table.get("cells")
    if not isinstance(cells, list):
        raise ValueError("is damaged: it has no cells")
    if len(cells) > MOST_CELLS:
        raise ValueError(f"has more than {MOST_CELLS} cells, as no lesson has")
    number = _lesson_of(table, cells)
    work, names = student.work(number), exercises(number)
    right = predicted = 0
    for cell in cells:
        source, lines = _text(cell, "source"), _printed(cell)
        answers = [line for line in lines if "You predicted " in line and line.endswith(_ANSWERED)]
        right += sum(line.endswith(_ANSWERED[0]) for line in answers)
        predicted += len(answers)
        for line in lines:
            found = _SCORE.fullmatch(line)
            if found and found[2] in names:
                passed, solution = found[1] == MARKS["passed"], found[5] is not None
                work.add(found[2], min(MOST, int(found[3])), min(MOST, int(found[4])), passed, solution)
        judged = next((line for line in reversed(lines) if line.startswith(_JUDGED)), "")
        for name in names:
            if judged and re.search(rf"\.{name}\.check\(", source):
                work.add(name, 0 if judged.startswith(_IDLE) else 1, 0, judged.startswith(_PASSED))
            if re.search(rf"\.{name}\.hint\(", source):
                work.add(name, hints=max((int(found[1]) for line in lines if (found := _HINT.match(line))), default=0))
            if re.search(rf"\.{name}\.solution\(", source) and any(line.startswith("def ") for line in lines):
                work.add(name, solution=not work.exercises[name]["passed"])
    work.right, work.predicted = max(work.right or 0, right), max(work.predicted or 0, predicted)


_JUDGED = tuple(f"{mark} {status}: " for status, mark in MARKS.items())
_PASSED, _IDLE = (f"{MARKS[status]} {status}: " for status in ("passed", "not attempted"))


def _lesson_of(table: dict, cells: list) -> int:
    """The lesson that a notebook is, by its metadata, or by its heading where a program left those out.

    Raises:
        ValueError: it is none of this course.
    """
    metadata = table.get("metadata")
    source = metadata.get("s2i_source") if isinstance(metadata, dict) else None
    found = re.match(r"notebooks/source/(\d\d)_", source) if isinstance(source, str) else None
    found = found or (re.match(r"# Lesson (\d\d?)\.", _text(cells[0], "source")) if cells else None)
    if not found:
        raise ValueError("is no lesson of this course")
    exercises(int(found[1]))
    return int(found[1])


def _text(cell, key: str) -> str:
    """A text of a cell or an output, which nbformat also writes as a list of lines."""
    value = cell.get(key) if isinstance(cell, dict) else None
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def _printed(cell) -> list[str]:
    """The lines that a cell has printed."""
    outputs = cell.get("outputs") if isinstance(cell, dict) else None
    streams = (
        [o for o in outputs if isinstance(o, dict) and o.get("name") == "stdout"] if isinstance(outputs, list) else []
    )
    return [line for line in "".join(_text(output, "text") for output in streams).splitlines() if len(line) <= LONGEST]
