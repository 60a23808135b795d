"""``s2i.survey()``: eight statements to agree or disagree with, before the course or a lesson and once more after it."""

import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s2i_teach.files import as_path
from s2i_teach.lessons.quiz import Sheet, answered
from s2i_teach.lessons.quiz_file import PHASES
from s2i_teach.lessons.quiz_questions import UNSURE
from s2i_teach.lessons.survey_questions import SCALE, SURVEY, Statement, answer_text, statements


class SurveySheet(Sheet):
    """The survey of one student, as text in a terminal; its attributes are those of the quiz's sheet."""

    form = SURVEY

    @property
    def questions(self) -> tuple[Statement, ...]:  # type: ignore[override]
        """The statements in this sheet's language."""
        return statements(self.words["code"])

    def order(self, question) -> list[str]:
        """The answers from strong disagreement to strong agreement, and no answer at the end."""
        return [*SCALE, UNSURE]

    def state(self) -> dict[str, Any]:
        """What a page shows; in the end both answers to each statement."""
        state: dict[str, Any] = {"kind": "survey", "phase": self.phase, "path": str(self.folder / self.form.name)}
        if self.phase in PHASES:
            state["questions"] = [self._asked(statement) for statement in self.questions]
        elif self.phase == "done":
            state["results"] = [self._told(statement) for statement in self.questions]
        return state

    def _told(self, statement) -> dict:
        given = {phase: (getattr(self.kept, phase) or {}).get(statement.name, UNSURE) for phase in PHASES}
        return {"text": statement.text} | {phase: self._text(statement, name) for phase, name in given.items()}

    def _text(self, question, name: str) -> str:
        return answer_text(name, self.words["code"])

    def __str__(self) -> str:
        state, say = self.state(), self.words
        if state["phase"] == "kept":
            return say["survey_kept"].format(path=state["path"])
        if state["phase"] == "done":
            rows = [
                "\n".join([f"{number}. {row['text']}", *(f"   {say[f'quiz_{p}_was']} {row[p]}" for p in PHASES)])
                for number, row in enumerate(state["results"], 1)
            ]
            return "\n\n".join([say["survey_result"], *rows])
        texts = [text for _, text in state["questions"][0]["options"]]
        scale = [f"{letter}) {text}" for letter, text in zip(string.ascii_lowercase, texts, strict=False)]
        asked = [f"{number}. {row['text']}" for number, row in enumerate(state["questions"], 1)]
        return "\n\n".join([say[f"survey_{state['phase']}"], "   ".join(scale), *asked])

    __repr__ = __str__


def survey(answers: Sequence | None = None, folder: str | Path = "."):
    """The survey: eight statements about pictures that were made with models, answered twice. None is right or wrong.

    The answers are kept in ``s2i_survey.json`` of the folder. It holds no name, and a number by lot ties the first time
    to the second. ``s2i scores`` tells the means of a class, and nothing of anybody. Delete the file to begin anew.

    Args:
        answers: None asks in a notebook's page. A list of eight answers, in the statements' order, hands them in without
            a widget: letters as the sheet shows them, ``"1"`` (I disagree strongly) to ``"5"`` (I agree strongly), or None
            for no answer. An empty list hands nothing in and shows the sheet.
        folder: where the file lies.

    Returns:
        A widget; with ``answers`` a :class:`SurveySheet`, which prints as text.

    Raises:
        InputError: other answers, or not eight of them; a third time; a file that holds no survey.
    """
    sheet = SurveySheet(as_path(folder))
    if answers is None:
        from s2i_teach.widgets.quiz import Quiz

        return Quiz(sheet.state, sheet.hand_in)
    return answered(sheet, answers)
