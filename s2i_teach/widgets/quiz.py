"""Questions that are asked twice: with one right answer each before a course and after it, or a survey, which has none."""

from collections.abc import Callable
from html import escape
from typing import Any

import traitlets

from s2i_teach.errors import InputError
from s2i_teach.widgets.base import LiveWidget, source


class Quiz(LiveWidget):
    """A page of questions; :func:`s2i_teach.lessons.quiz.quiz` and :func:`s2i_teach.lessons.survey.survey` make it.

    Args:
        state: gives what the page shows: ``kind`` ("survey", or nothing for a quiz), ``phase`` ("before", "after", "kept" or "done"), ``path`` of the file, the
            ``questions`` with their options, or in the end the ``results``.
        hand_in: keeps the answers, question → option.
    """

    _esm = source("parts.js", "quiz.js")
    state = traitlets.Dict().tag(sync=True)

    def __init__(self, state: Callable[[], dict[str, Any]], hand_in: Callable[[dict[str, str]], None]):
        super().__init__(state=state())
        self._now, self._hand_in = state, hand_in
        self.on_msg(self._asked)

    def hand_in(self, answers: dict[str, str]) -> None:
        """Keep the answers and show what comes next.

        Raises:
            InputError: they cannot be kept, or were given elsewhere meanwhile.
        """
        self._hand_in(answers)
        self.state = self._now()
        self._renew_still()

    def _asked(self, _, request, buffers) -> None:
        """A message from the page: answers count if they are of the time that is asked for, since two pages may show it."""
        what = request.get("do") if isinstance(request, dict) else None
        if what == "hello":
            self.send({"hello": True})
        elif what == "hand_in" and request.get("phase") == self.state["phase"] and self._is_whole(request):
            try:
                self.hand_in(dict(request["answers"]))
            except InputError as error:
                self.send({"failure": self._said(error)})

    def _is_whole(self, request: dict) -> bool:
        """Whether there is an answer to every question, and each is one of its options."""
        options = {row["name"]: [name for name, _ in row["options"]] for row in self.state.get("questions", ())}
        answers = request.get("answers")
        if not options or not isinstance(answers, dict) or set(answers) != set(options):
            return False
        return all(given in options[name] for name, given in answers.items())

    def _still_html(self) -> str:
        state = self.state
        kind = state.get("kind", "quiz")
        said = self.words[kind] if "questions" in state else self.words[f"{kind}_{_SAYS[state['phase']]}"]
        return f'<div class="{self.still}"><p>{escape(said.format(**state))}</p></div>'


_SAYS = {"kept": "kept", "done": "result"}
