"""Predict first: an answer that is written down before the figures are seen, and compared with them afterwards."""

from collections.abc import Mapping
from numbers import Real

from s2i_teach.errors import InputError

_made: dict[str, "Prediction"] = {}


class Prediction:
    """What a learner expects; :meth:`compare` shows it beside what was measured. Made by :func:`predict`."""

    def __init__(self, question: str, answer, options: tuple[str, ...] = ()):
        self.question, self.options = question, options
        named = isinstance(answer, Mapping)
        self.answer = {name: self._read(one) for name, one in answer.items()} if named else self._read(answer)
        self.right: dict[str, bool] = {}

    def _read(self, answer):
        """One answer: an option, a number, or None where nothing was written down."""
        if answer is ... or answer is None or (isinstance(answer, str) and not answer.strip()):
            return None
        if not self.options:
            if isinstance(answer, Real) and not isinstance(answer, bool):
                return float(answer)
            raise InputError(f"An answer here is a number, and {answer!r} is none.")
        given = " ".join(answer.split()).casefold() if isinstance(answer, str) else answer
        for option in self.options:
            if given == option.casefold():
                return option
        raise InputError(f"An answer here is one of {', '.join(map(repr, self.options))}, not {answer!r}.")

    def compare(self, measured, unit: str = "", within: float = 0.0) -> None:
        """Show the prediction beside what was measured.

        Args:
            measured: one of the options, or a number; a dict of them where the prediction is a dict.
            unit: of a number, for the words: ``"dB"``, ``"%"``.
            within: a number counts as right up to this far away, in the same unit.

        Raises:
            InputError: ``measured`` has other names than the prediction, or is none of the options, or no number.
        """
        if not isinstance(self.answer, dict):
            words = self._words("", self.answer, measured, unit, within)
            print(words[0].upper() + words[1:])
            return
        if not isinstance(measured, Mapping) or set(measured) != set(self.answer):
            raise InputError(f"The prediction is about {', '.join(self.answer)}: give what was measured for each.")
        wide = max(map(len, self.answer))
        for name, answer in self.answer.items():
            print(f"{name:>{wide}}: {self._words(name, answer, measured[name], unit, within)}")

    def _words(self, name: str, answer, measured, unit: str, within: float) -> str:
        measured = self._read(measured)
        if measured is None:
            raise InputError(f"Nothing was measured to compare with the prediction: {self.question}")
        shown = _words_of(measured, unit)
        if answer is None:
            return f"it is {shown}. There was no prediction; even a wrong one helps you to remember."
        right = answer == measured if self.options else abs(answer - measured) <= within
        self.right[name] = right
        return f"it is {shown}. You predicted {_words_of(answer, unit)}: {'right' if right else 'not so'}."


def _words_of(answer, unit: str) -> str:
    """``"17.3 dB"``, or the option itself."""
    return answer if isinstance(answer, str) else f"{answer:.4g} {unit}".rstrip()


def predict(question: str, answer=..., options=()) -> Prediction:
    """Write a prediction down before the figures are seen.

    Args:
        question: what will be measured, in one sentence; it is shown, with the options.
        answer: one of ``options``, in any case, or a number where there are none. ``...`` stands for no answer yet. A
            dict asks for several things at once, name → answer.
        options: the possible answers, at least two strings; empty for a number.

    Returns:
        A :class:`Prediction`. Asked again with the same question, the new answer takes the old one's place.

    Raises:
        InputError: an answer that is none of the options, or no number; a single option.
    """
    options = tuple(options)
    if len(options) == 1:
        raise InputError("A prediction with one option is none: give two or more, or none for a number.")
    prediction = Prediction(question, answer, options)
    _made[question] = prediction
    print(f"{question} {'A number.' if not options else ' / '.join(options)}")
    return prediction


def summary() -> str:
    """``"2 of 3 predictions were right."``; empty where nothing predicted was compared yet."""
    right = [one for prediction in _made.values() for one in prediction.right.values()]
    if not right:
        return ""
    return f"{sum(right)} of {len(right)} {'predictions were' if len(right) != 1 else 'prediction was'} right."


def forget() -> None:
    """Forget all predictions, as a new kernel does."""
    _made.clear()
