"""``s2i scores``: what a class has handed in, as one table; with codes in place of names where others look on."""

import csv
import hashlib
import html
import io
import secrets
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from s2i_teach.errors import InputError
from s2i_teach.files import as_path, reading, shown, write_whole
from s2i_teach.lessons.handed_in import collect
from s2i_teach.lessons.handed_work import Student, Work, exercises, farther
from s2i_teach.lessons.quiz_file import PHASES, Kept
from s2i_teach.lessons.quiz_questions import UNSURE, gain, points, questions
from s2i_teach.lessons.survey_questions import FEWEST, SCALE, opinions, statements

SALT = ".s2i_scores_salt"
"""The file, in the folder that was handed in, that keeps codes the same from week to week."""
NOTHING = "–"
LEGEND = (
    "A cell: exercises solved/tried, of as many as the head says; h hints taken; s solutions shown before solving. "
    "Predictions: right/compared, from executed notebooks. Quiz: right of 10 before and after, and the gain, "
    "(after − before)/(10 − before)."
)


@dataclass(frozen=True)
class Scores:
    """The table of a class. ``str`` of it is text; a notebook shows it as a table.

    Attributes:
        students: each with lessons and quiz; by name, or by code.
        set_aside: what could not be used, a sentence each.
        surveys: those of the class, in an order that tells nothing.
    """

    students: tuple[Student, ...]
    set_aside: tuple[str, ...]
    surveys: tuple[Kept, ...] = ()

    @property
    def lessons(self) -> tuple[int, ...]:
        """Numbers of the lessons of which anybody handed something in."""
        return tuple(sorted({number for student in self.students for number in student.lessons}))

    @property
    def rows(self) -> list[list[str]]:
        """The table as it is shown: a head, then a row a student."""
        heads = [f"L{n} ({len(exercises(n))})" if n else "L0" for n in self.lessons]
        table = [["student", *heads, "predictions", "before", "after", "gain"]]
        for student in self.students:
            cells = [_cell(student.lessons.get(n)) for n in self.lessons]
            right, predicted = predictions_of(student)
            before, after = quiz_of(student)
            change = None if before is None or after is None else gain(before, after)
            shares = [_number(before), _number(after), NOTHING if change is None else _signed(change)]
            told = NOTHING if predicted is None else f"{right}/{predicted}"
            table.append([shown(student.name, 60), *cells, told, *shares])
        return table

    def class_gain(self) -> str:
        """The mean points of those who answered the quiz twice, and the gain of the means (Hake 1998)."""
        both = [(b, a) for b, a in map(quiz_of, self.students) if b is not None and a is not None]
        if not both:
            return ""
        before, after = (sum(column) / len(both) for column in zip(*both, strict=True))
        change = gain(before, after)
        told = "" if change is None else f", gain of the means {_signed(change)}"
        return f"Quiz, both times ({len(both)}): {before:.1f} before, {after:.1f} after{told}."

    def quiz_table(self) -> list[list[str | int]]:
        """How many chose which answer: a row an answer, with its question, whether it is right, and the counts."""
        table: list[list[str | int]] = [["question", "lesson", "answer", "right", *PHASES]]
        kept = [student.quiz for student in self.students if student.quiz]
        for question in questions("en"):
            chosen = {
                phase: Counter((getattr(quiz, phase) or {}).get(question.name) for quiz in kept) for phase in PHASES
            }
            for name in [*(option.name for option in question.options), UNSURE]:
                option = question.option(name)
                text = option.text if option else "I do not know yet."
                right = "yes" if name == question.right else "no"
                table.append([question.text, question.lesson, text, right, *(chosen[phase][name] for phase in PHASES)])
        return table

    def quiz_lines(self) -> list[str]:
        """:meth:`quiz_table` in short, a line a question: the answers by name, and how many chose each, before → after."""
        if not self.has_quiz:
            return []
        lines = ["Chosen before → after, the right answer first:"]
        table = self.quiz_table()[1:]
        for number, question in enumerate(questions("en")):
            names = [*(option.name for option in question.options), UNSURE]
            rows = table[number * len(names) : (number + 1) * len(names)]
            counts = {name: f"{name} {row[-2]} → {row[-1]}" for name, row in zip(names, rows, strict=True)}
            told = [counts.pop(question.right), *counts.values()]
            lines.append(f"{number + 1}. {question.name} (lesson {question.lesson}): {', '.join(told)}")
        return lines

    def survey_table(self) -> list[list]:
        """What the class thinks, statement by statement: how many answered it both times, the mean before, after, change.

        The scale goes from 1 to 5. A statement that fewer than three answered both times says nothing but that.
        """
        table: list[list] = [["statement", "answered", *PHASES, "change"]]
        found = {opinion.statement.name: opinion for opinion in opinions(self.surveys)}
        for statement in statements("en"):
            if opinion := found.get(statement.name):
                means = [round(mean, 2) for mean in (opinion.before, opinion.after, opinion.change)]
                table.append([statement.text, opinion.count, *means])
            else:
                table.append([statement.text, f"fewer than {FEWEST}", None, None, None])
        return table

    def survey_lines(self) -> list[str]:
        """:meth:`survey_table` in short, a line a statement."""
        if not self.surveys:
            return []
        lines = [
            f"Survey, {len(self.surveys)} handed in: means from {SCALE[0]}, strong disagreement, to {SCALE[-1]}, of those "
            "who answered both times:"
        ]
        for number, (text, count, before, after, change) in enumerate(self.survey_table()[1:], 1):
            told = (
                f"answered by {count}"
                if before is None
                else f"{before:.1f} → {after:.1f}, {_signed(change, '+')} ({count})"
            )
            lines.append(f"{number}. {text} {told}")
        return lines

    @property
    def has_quiz(self) -> bool:
        """Whether anybody handed in a quiz."""
        return any(student.quiz for student in self.students)

    def save(self, path: str | Path) -> list[Path]:
        """Write the table as CSV, and beside it, where there are some, ``…-quiz.csv`` with the answers chosen, and
        ``…-survey.csv`` with the means of the survey.

        A text that a spreadsheet would take for a formula gets an apostrophe before it. Returns the files.

        Raises:
            InputError: the name does not end in .csv, or the place cannot be written.
        """
        path = as_path(path)
        if path.suffix.lower() != ".csv":
            raise InputError(f"{shown(path)} does not end in .csv: scores are a table.")
        made = [_write(path, self._columns())]
        if self.has_quiz:
            made.append(_write(path.with_name(f"{path.stem}-quiz{path.suffix}"), self.quiz_table()))
        if self.surveys:
            made.append(_write(path.with_name(f"{path.stem}-survey{path.suffix}"), self.survey_table()))
        return made

    def _columns(self) -> list[list]:
        """The table for a program: one number a cell, empty where nothing is known."""
        heads = [f"lesson_{n:02d}_{what}" for n in self.lessons for what in ("exercises", *_COUNTS)]
        ends = ["predictions_right", "predictions", "quiz_before", "quiz_after", "quiz_gain"]
        table: list[list] = [["student", *heads, *ends]]
        for student in self.students:
            row: list = [student.name]
            for number in self.lessons:
                work = student.lessons.get(number)
                counts = [getattr(work, what) if work else None for what in _COUNTS]
                row += [len(exercises(number)), *counts]
            before, after = quiz_of(student)
            change = None if before is None or after is None else gain(before, after)
            row += [*predictions_of(student), before, after, None if change is None else round(change, 3)]
            table.append(row)
        return table

    def __str__(self) -> str:
        table = self.rows
        wide = [max(_width(row[i]) for row in table) for i in range(len(table[0]))]
        lines = ["  ".join(c + " " * (w - _width(c)) for c, w in zip(row, wide, strict=True)).rstrip() for row in table]
        return "\n".join([*lines, "", *self._notes()])

    def _notes(self) -> list[str]:
        return [LEGEND, *filter(None, [self.class_gain()]), *self.quiz_lines(), *self.survey_lines(), *self.set_aside]

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *rows = [[html.escape(cell) for cell in row] for row in self.rows]
        body = "".join(f'<tr><th scope="row">{n}</th>{"".join(f"<td>{c}</td>" for c in row)}</tr>' for n, *row in rows)
        heads = "".join(f'<th scope="col">{cell}</th>' for cell in head)
        notes = "".join(f"<p>{html.escape(s)}</p>" for s in self._notes())
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{notes}"


_COUNTS = ("solved", "tried", "hints", "shown")


def scores(folder: str | Path, *, anonymous: bool = False) -> Scores:
    """Read what a class has handed in: progress files, quizzes, surveys and executed notebooks.

    Args:
        folder: holds one sub-folder a student, or files with the student's name before their own, as
            ``anna_s2i_progress_lesson03.json``. Notebooks are read as text; nothing in them is run. Everything that a
            student can write can be forged: it is a picture of the class and no proof.
        anonymous: codes in place of names, in their order. A code comes from the name and a random salt, which is made
            once and kept in the folder as ``.s2i_scores_salt``, so that codes stay the same from week to week. Without
            the salt nobody can tell whose a code is.

    Returns:
        A :class:`Scores`.

    Raises:
        InputError: there is no such folder, it holds nothing of a class, or the salt cannot be kept.
    """
    place = as_path(folder)
    students, aside = collect(place)
    if not students and not aside:
        raise InputError(f"{shown(place)} holds nothing that a lesson keeps: it needs s2i_progress_lesson….json files.")
    surveys = _shuffled(students)
    students = [student for student in students if student.lessons or student.quiz or not student.surveys]
    if not anonymous:
        return Scores(tuple(students), tuple(f"Set aside: {shown(a.path)} {a.why}." for a in aside), surveys)
    salt = _salt(place)
    coded = [Student(code(student.name, salt), student.lessons, student.quiz) for student in students]
    whose = [f"a file of {code(a.student, salt)}" if a.student else "a file" for a in aside]
    told = sorted(f"Set aside: {who} {a.why}." for who, a in zip(whose, aside, strict=True))
    return Scores(tuple(sorted(coded, key=lambda student: student.name)), tuple(told), surveys)


def _shuffled(students: Sequence[Student]) -> tuple[Kept, ...]:
    """The surveys of all, one a number, ordered by that number, which was drawn by lot."""
    found: dict[int, Kept] = {}
    for student in students:
        for number, kept in student.surveys.items():
            found[number] = farther(found.get(number), kept)
    return tuple(found[number] for number in sorted(found))


def code(name: str, salt: bytes) -> str:
    """A name's code, ``S-`` and eight letters and digits; alike for the same name and salt, and else by chance only."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), key=salt, digest_size=8).digest()
    return "S-" + "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest)


_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without those that are taken for others; 32, so each is as likely


def _salt(folder: Path) -> bytes:
    path = folder / SALT
    with reading(path):
        if not path.exists():
            salt = secrets.token_bytes(32)
            write_whole(path, lambda file: file.write(salt.hex().encode()))
            path.chmod(0o600)
            return salt
        text = path.read_bytes()[:100].strip()
    try:
        salt = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        salt = b""
    if len(salt) != 32:
        raise InputError(f"{shown(path)} is damaged: delete it, and every student gets a new code.")
    return salt


def predictions_of(student: Student) -> tuple[int | None, int | None]:
    """Right predictions and all that were compared, over all lessons; None where no notebook was handed in."""
    told = [work for work in student.lessons.values() if work.predicted is not None]
    return (sum(w.right or 0 for w in told), sum(w.predicted or 0 for w in told)) if told else (None, None)


def quiz_of(student: Student) -> tuple[int | None, int | None]:
    """Points before and after; None where it was not answered."""
    if student.quiz is None:
        return None, None
    before, after = student.quiz.before, student.quiz.after
    return None if before is None else points(before), None if after is None else points(after)


def _cell(work: Work | None) -> str:
    if work is None:
        return NOTHING
    if not work.exercises:
        return "read"
    marks = [f"{work.hints}h"] * bool(work.hints) + [f"{work.shown}s"] * bool(work.shown)
    return " ".join([f"{work.solved}/{work.tried}", *marks])


def _number(points: int | None) -> str:
    return NOTHING if points is None else str(points)


def _signed(share: float, sign: str = "-") -> str:
    return f"{share:{sign}.2f}".replace("-", "−")


def _width(text: str) -> int:
    """Columns of a terminal: wide letters take two, combining ones none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _write(path: Path, table: Sequence[Sequence]) -> Path:
    with io.StringIO(newline="") as text:
        csv.writer(text).writerows([[plain(cell) for cell in row] for row in table])
        data = text.getvalue().encode("utf-8", "replace")
    return write_whole(path, lambda file: file.write(b"\xef\xbb\xbf" + data))  # without the mark Excel reads no umlauts


_FORMULA, _BREAKS = ("=", "+", "-", "@"), ("\t", "\r", "\n")


def plain(cell):
    """A cell of a CSV file that no spreadsheet takes for a formula: text that begins like one gets an apostrophe."""
    if not isinstance(cell, str):
        return cell
    first = unicodedata.normalize("NFKC", cell.lstrip())[:1]
    return f"'{cell}" if first in _FORMULA or cell[:1] in _BREAKS else cell
