"""Every symbol and term of the lessons, in one table: ``glossary.md`` beside this file."""

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from s2i_teach.errors import InputError
from s2i_teach.files import written

PATH = Path(__file__).with_name("glossary.md")


@dataclass(frozen=True)
class Term:
    """A term or symbol: ``name``, ``symbol`` (empty where it has none), the ``lesson`` that defines it, its ``meaning``."""

    name: str
    symbol: str
    lesson: int
    meaning: str

    def __str__(self) -> str:
        symbol = f", {self.symbol}" if self.symbol else ""
        return f"{self.name}{symbol} (lesson {self.lesson}): {self.meaning}"


@dataclass(frozen=True)
class Glossary:
    """Some terms, shown as a table in a notebook and a line each in a terminal."""

    terms: tuple[Term, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, self.terms))

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        rows = (f"| {term.name} | {term.symbol} | {term.lesson} | {term.meaning} |" for term in self.terms)
        return "\n".join(["| term | symbol | lesson | meaning |", "|---|---|---:|---|", *rows])


@cache
def terms() -> tuple[Term, ...]:
    """All terms, in the table's order: as the lessons define them."""
    lines = PATH.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("|")][2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return tuple(Term(name, symbol, int(lesson), meaning) for name, symbol, lesson, meaning in cells)


def glossary(word: str | None = None) -> Glossary:
    """What a term or symbol of the lessons means: ``glossary("latent")``, ``glossary("ᾱ_t")``; all of them without a word.

    Args:
        word: a term, its plural in s, or a symbol; in any case.

    Raises:
        InputError: no lesson defines that word; terms that are written alike are named.
    """
    if word is None:
        return Glossary(terms())
    if not isinstance(word, str) or not word.strip():
        raise InputError(f'Give a word or a symbol, as in glossary("latent"), not {written(word)}.')
    wanted = " ".join(word.split()).casefold()
    found = [term for term in terms() if wanted in _spellings(term)]
    if not found:
        found = [term for term in terms() if wanted in term.name.casefold()]
    if not found:
        known = [term.name for term in terms()]
        close = get_close_matches(wanted, known, n=3, cutoff=0.6)
        alike = f" Did you mean {' or '.join(close)}?" if close else " glossary() lists all terms."
        raise InputError(f"No lesson defines {word!r}.{alike}")
    return Glossary(tuple(found))


def _spellings(term: Term) -> set[str]:
    name = term.name.casefold()
    symbols = {symbol.strip(" `$").casefold() for symbol in term.symbol.split(",")} - {""}
    return {name, f"{name}s", *symbols}
