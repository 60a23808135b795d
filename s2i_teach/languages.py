"""The language that widgets and reports speak, and sentences that are found again to be said in another one."""

from collections.abc import Mapping
from functools import cached_property
from string import Formatter

from s2i_teach.errors import InputError

LANGUAGES = ("en", "de")
"""Codes of the languages that every table of words has."""

_chosen = "en"


def language(code: str | None = None) -> str:
    """Choose the language of widgets and reports made from now on; without an argument, tell the one chosen.

    Raises:
        InputError: a language that is not there.
    """
    global _chosen
    if code is not None:
        _chosen = known(code)
    return _chosen


def known(code: str) -> str:
    """The code itself.

    Raises:
        InputError: there is no such language.
    """
    if not isinstance(code, str) or code not in LANGUAGES:
        asked = code[:40] if isinstance(code, str) else type(code).__name__
        raise InputError(f"The language {asked!r} is not there: use one of {', '.join(LANGUAGES)}.")
    return code


class Sentences:
    """English sentences in another language, found by their templates.

    An error is raised as an English sentence with its values filled in, since logs, tests and the command line read it
    so. A template has ``{}`` where a value stood, its translation ``{0}``, ``{1}``, … for the values in their order.

    Args:
        sentences: English template → translation, of whole sentences.
        parts: the same of words and sentences that stand as a value within another sentence.
    """

    def __init__(self, sentences: Mapping[str, str], parts: Mapping[str, str]):
        self.sentences, self.parts = dict(sentences), dict(parts)

    def __call__(self, sentence: str) -> str:
        """The sentence in this table's language; a sentence that no template fits comes back as it is."""
        found = self._filled(sentence, self._whole, 0)
        return sentence if found is None else found

    def _filled(self, sentence: str, table: list[tuple[list[str], str]], depth: int) -> str | None:
        """The translation of the first template that fits, its values translated too; None where none fits."""
        for pieces, translation in table:
            values = values_in(sentence, pieces)
            if values is not None:
                return translation.format(*(self._value(value, depth + 1) for value in values))
        return None

    def _value(self, value: str, depth: int) -> str:
        """A value that stood in a sentence: itself, unless it is a part or a sentence of its own."""
        if depth > DEEPEST:
            return value
        found = self._said(value, depth)
        if found is None:  # what several sources said: "a: sentence; b: sentence"
            said = []
            for each in value.split("; "):
                source, colon, sentence = each.partition(": ")
                said.append(f"{source}{colon}{self._said(sentence, depth) or sentence}")
            return "; ".join(said)
        return found

    def _said(self, value: str, depth: int) -> str | None:
        found = self._filled(value, self._within, depth)
        if found is None:  # a sentence within another one may have lost its full stop
            found = self._filled(f"{value}.", self._whole, depth)
            return found and found.removesuffix(".")
        return found

    @cached_property
    def _whole(self) -> list[tuple[list[str], str]]:
        return _ordered(self.sentences)

    @cached_property
    def _within(self) -> list[tuple[list[str], str]]:
        return _ordered({**self.sentences, **self.parts})


DEEPEST = 3
"""Sentences within sentences."""


def literals(template: str) -> list[str]:
    """What stands between the fields of a template, one piece more than it has fields."""
    pieces = [""]
    for literal, field, _, _ in Formatter().parse(template):
        pieces[-1] += literal
        if field is not None:
            pieces.append("")
    return pieces


def values_in(sentence: str, pieces: list[str]) -> list[str] | None:
    """What stands between the pieces of a template, each as short as it can be; None where it does not fit."""
    first, last = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return [] if sentence == first else None
    place, end = len(first), len(sentence) - len(last)
    if place > end or not (sentence.startswith(first) and sentence.endswith(last)):
        return None
    values = []
    for piece in pieces[1:-1]:
        found = sentence.find(piece, place, end)
        if found < 0:
            return None
        values.append(sentence[place:found])
        place = found + len(piece)
    return [*values, sentence[place:end]]


def _ordered(table: Mapping[str, str]) -> list[tuple[list[str], str]]:
    """Pieces and translation of each template; one with more letters of its own is tried first."""
    made = [(literals(template), translation) for template, translation in table.items()]
    return sorted(made, key=lambda entry: -sum(map(len, entry[0])))
