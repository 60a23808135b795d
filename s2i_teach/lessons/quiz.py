"""``s2i.quiz()``: ten questions, asked before the course and once more after it."""

import string
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from s2i_teach.errors import InputError
from s2i_teach.files import as_path, written
from s2i_teach.lessons import quiz_file
from s2i_teach.lessons.quiz_questions import UNSURE, Question, gain, points, questions
from s2i_teach.widgets.strings import words


class Sheet:
    """The quiz of one student, as text in a terminal: what is asked next, or in the end what was right.

    Attributes:
        folder: where ``s2i_quiz.json`` lies.
        kept: the answers so far, a :class:`s2i_teach.lessons.quiz_file.Kept`.
        words: what is said, in the language of this sheet.
    """

    form = quiz_file.QUIZ

    def __init__(self, folder: Path):
        self.folder, self.kept, self.words = folder, quiz_file.read(folder, self.form), words()
        self._handed_in = False  # by this sheet: the second time does not follow at once

    @property
    def phase(self) -> str:
        """``"before"``, ``"after"``, ``"kept"`` (just handed in, the second time is to come) or ``"done"``."""
        return "kept" if self._handed_in and self.kept.phase != "done" else self.kept.phase

    @property
    def questions(self) -> tuple[Question, ...]:
        """In this sheet's language."""
        return questions(self.words["code"])

    def order(self, question) -> list[str]:
        """The names of a question's answers as this sheet shows them."""
        return self.kept.order(question)

    def hand_in(self, answers: dict[str, str]) -> None:
        """Keep the answers, question → answer, of the time that it is.

        Raises:
            InputError: it was answered twice before, also by another notebook; or the file cannot be written.
        """
        kept = quiz_file.read(self.folder, self.form)
        if kept.phase == "done" or kept.phase != self.kept.phase:
            raise InputError("It was answered elsewhere meanwhile: run the cell again.")
        kept = replace(kept, seed=self.kept.seed).with_answers(answers)
        quiz_file.write(self.folder, kept, self.form)
        self.kept, self._handed_in = kept, True

    def state(self) -> dict[str, Any]:
        """What a page shows. Which answers are right is in it only after the second time."""
        state: dict[str, Any] = {"phase": self.phase, "path": str(self.folder / self.form.name)}
        if self.phase in quiz_file.PHASES:
            return state | {"questions": [self._asked(question) for question in self.questions]}
        if self.phase == "done":
            before, after = points(self.kept.before or {}), points(self.kept.after or {})
            state |= {"before": before, "after": after, "gain": _percent(gain(before, after))}
            state["results"] = [self._told(question) for question in self.questions]
        return state

    def _asked(self, question: Any) -> dict:
        options = [[name, self._text(question, name)] for name in self.order(question)]
        return {"name": question.name, "text": question.text, "options": options}

    def _told(self, question: Question) -> dict:
        right = question.option(question.right)
        assert right
        told = {"text": question.text, "right": [right.text, right.why], "lesson": question.lesson}
        told["section"] = question.section.partition(".")[0]
        for phase in quiz_file.PHASES:
            given = (getattr(self.kept, phase) or {}).get(question.name, UNSURE)
            option = question.option(given)
            told[phase] = [self._text(question, given), given == question.right, option.why if option else ""]
        return told

    def _text(self, question: Any, name: str) -> str:
        option = question.option(name)
        return option.text if option else ""  # which is said as "I do not know yet"

    def __str__(self) -> str:
        state, say = self.state(), self.words
        if state["phase"] == "kept":
            return say["quiz_kept"].format(path=state["path"])
        if state["phase"] == "done":
            parts = [say["quiz_result"].format(**state)]
            for number, row in enumerate(state["results"], 1):
                lines = [f"{number}. {row['text']}"]
                lines += [f"   {say[f'quiz_{phase}_was']} {self._mark(*row[phase])}" for phase in quiz_file.PHASES]
                lines.append(f"   {say['quiz_answer']} {row['right'][0]} {row['right'][1]}")
                lines.append(f"   {say['quiz_lesson'].format(lesson=row['lesson'], section=row['section'])}")
                parts.append("\n".join(lines))
            return "\n\n".join(parts)
        parts = [say[f"quiz_{state['phase']}"]]
        for number, row in enumerate(state["questions"], 1):
            texts = [text or say["quiz_unsure"] for _, text in row["options"]]
            lines = [f"   {string.ascii_lowercase[place]}) {text}" for place, text in enumerate(texts)]
            parts.append("\n".join([f"{number}. {row['text']}", *lines]))
        return "\n\n".join(parts)

    def _mark(self, text: str, right: bool, why: str) -> str:
        if not text:
            return self.words["quiz_unsure"]
        return f"{text} {self.words['quiz_right']}" if right else f"{text} {self.words['quiz_wrong']} {why}"

    __repr__ = __str__


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}".replace("-", "−")


def quiz(answers: Sequence | None = None, folder: str | Path = "."):
    """The concept quiz: ten questions, asked before the course and again after it.

    The first time it tells nothing, the second time it tells what was right and why. The answers are kept in
    ``s2i_quiz.json`` of the folder, in which each student has an order of the options of their own. Delete the file to
    begin anew.

    Args:
        answers: None asks in a notebook's page. A list of ten answers, in the questions' order, hands them in without a
            widget: letters as the sheet shows them, names of answers, or None for "I do not know yet". An empty list
            hands nothing in and shows the sheet.
        folder: where the file lies.

    Returns:
        A widget; with ``answers`` a :class:`Sheet`, which prints as text.

    Raises:
        InputError: answers that no question has, or not ten of them; a third time; a file that is no quiz.
    """
    place = as_path(folder)
    sheet = Sheet(place)
    if answers is None:
        from s2i_teach.widgets.quiz import Quiz

        return Quiz(sheet.state, sheet.hand_in)
    return answered(sheet, answers)


def answered(sheet: Sheet, answers) -> Sheet:
    """A sheet after the answers that a user typed were handed in, if there are any."""
    given = _read(answers, sheet)
    if given:
        if sheet.phase == "done":
            raise InputError(f"It was answered twice: move {sheet.form.name} away to begin anew.")
        sheet.hand_in(given)
    return sheet


def _read(answers, sheet: Sheet) -> dict[str, str]:
    """Question → answer, from what a user typed; empty where nothing was given."""
    if isinstance(answers, (str, bytes)) or not isinstance(answers, Sequence):
        raise InputError(f"The answers are {written(answers)}: give a list of letters, one a question.")
    if len(answers) == 0:
        return {}
    if len(answers) != len(sheet.questions):
        raise InputError(
            f"There are {len(sheet.questions)} questions and {len(answers)} answers: give one each, None where you do "
            "not know."
        )
    given = {}
    for number, (answer, question) in enumerate(zip(answers, sheet.questions, strict=True), 1):
        order = sheet.order(question)
        letters = dict(zip(string.ascii_lowercase, order, strict=False))
        typed = UNSURE if answer is None else answer.strip().casefold() if isinstance(answer, str) else answer
        name = letters.get(typed, typed) if isinstance(typed, str) else None
        if name not in order:
            raise InputError(
                f"The answer to question {number} is {written(answer)}: give one of {', '.join(letters)}, or None."
            )
        given[question.name] = name
    return given
