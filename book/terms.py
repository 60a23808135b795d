"""Links a lesson's words to the glossary: the first use of each term that the lesson, or one before it, defines.

Code, formulas, headings, links, pictures and HTML are left alone.
"""

import re
from collections.abc import Iterable

from s2i_teach.lessons.glossary import Term, terms

LEFT_ALONE = re.compile(
    r"""
      ^(?P<fence>`{3,}|~{3,}|:{3,}).*?(?:^(?P=fence)|\Z)  # fenced code, directives
    | (?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)          # code
    | \$\$.+?\$\$ | (?<![\\$])\$(?!\s)[^$]+?(?<![\s\\])\$ # formulas
    | !?\[(?:[^\[\]]|\[[^\]]*\])*\]\([^)]*\)              # links and pictures, a picture in a link too
    | <[a-zA-Z/!][^>]*> | https?://\S+                    # HTML and addresses
    | ^\ {0,3}\#{1,6}\ [^\n]*                            # headings
    """,
    re.X | re.S | re.M,
)
EVERYDAY = {"control", "effect", "front", "generator", "head", "score"}
"""Terms with another meaning in everyday or Python's language: only their definition, in bold, is linked."""
SOURCES = "## Sources"
"""Here the titles of papers begin."""


def use_of(names: Iterable[str]) -> re.Pattern:
    """Any of the names as words of their own, in the plural too; the longest where several begin at one place."""
    longest_first = sorted(names, key=len, reverse=True)
    words = "|".join(r"\s+".join(map(re.escape, name.split())) for name in longest_first)
    return re.compile(rf"(?<![\w-])({words})(?:s|es)?(?![\w-])", re.I)


class Linker:
    """Goes through a lesson's markdown cells in order and links each term once."""

    def __init__(self, lesson: int, known: Iterable[Term] | None = None):
        """``lesson`` is its number; ``known`` are terms (without, those of the glossary)."""
        everything = tuple(terms() if known is None else known)
        # Terms of later lessons are found, so that "text encoder" is no use of "encoder", and not linked.
        self.named = {term.name.casefold(): term for term in everything}
        self.lesson = lesson
        self.left = {term.name.casefold() for term in everything if term.lesson <= lesson}
        self.pattern = use_of(self.named) if everything else re.compile(r"(?!)")

    def linked(self, text: str) -> str:
        """A cell's markdown with its links, as Sphinx's role ``term``."""
        text, sources, titles = text.partition(SOURCES)
        parts, at = [], 0
        for quiet in LEFT_ALONE.finditer(text):
            parts += [self._linked(text[at : quiet.start()]), quiet[0]]
            at = quiet.end()
        parts.append(self._linked(text[at:]))
        if sources:
            self.left.clear()
        return "".join([*parts, sources, titles])

    def _linked(self, text: str) -> str:
        def link(found: re.Match) -> str:
            name = " ".join(found[1].split()).casefold()
            if name not in self.left:
                return found[0]
            defined = self.named[name].lesson == self.lesson and text[: found.start()].endswith("**")
            if name in EVERYDAY and not defined:
                return found[0]
            self.left.remove(name)
            return f"{{term}}`{' '.join(found[0].split())} <{self.named[name].name}>`"

        return self.pattern.sub(link, text)


def glossary_page(known: Iterable[Term], titles: dict[int, str], pages: dict[int, str]) -> str:
    """The glossary as a page of its own: a heading a lesson, below it the terms that the lesson defines.

    Args:
        known: terms, in the order of the lessons.
        titles, pages: number → the lesson's title, and its file in the book.
    """
    lines = ["# Glossary", "", "Every symbol and term of the lessons, in the order in which they are defined."]
    by_lesson: dict[int, list[Term]] = {}
    for term in known:
        by_lesson.setdefault(term.lesson, []).append(term)
    for number, some in by_lesson.items():
        lines += ["", f"## {titles.get(number, f'Lesson {number}')}", ""]
        lines += [f"[Open the lesson]({pages[number]})", ""] if number in pages else []
        lines += ["::::{glossary}"]
        for term in some:
            symbol = f"*{term.symbol}* · " if term.symbol else ""
            lines += [term.name, f"  {with_indices(symbol + term.meaning)}", ""]
        lines += ["::::"]
    return "\n".join(lines) + "\n"


def with_indices(text: str) -> str:
    """``x_t`` with its t set low."""
    return re.sub(r"(?<=\S)_(\w)(?!\w)", r"<sub>\1</sub>", text)
