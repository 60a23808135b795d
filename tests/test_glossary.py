"""The glossary: every term is defined in its lesson, in bold, before it is used."""

import re
from functools import cache
from pathlib import Path

import jupytext
import pytest

import s2i_teach as s2i
from s2i_teach import InputError
from s2i_teach.lessons.glossary import Glossary, glossary, terms

SOURCES = Path(__file__).resolve().parent.parent / "notebooks" / "source"


@cache
def paragraphs(number: int) -> list[str]:
    """The prose of a lesson between its opening and its sources, without code, formulas, headings and teacher's notes."""
    paths = list(SOURCES.glob(f"{number:02d}_*.py"))
    if not paths:
        return []  # a number that no lesson has yet
    [path] = paths
    cells = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent").cells
    prose = [
        cell.source
        for cell in cells[1:]
        if cell.cell_type == "markdown" and "teacher" not in cell.metadata.get("tags", [])
    ]
    text = "\n\n".join(prose).partition("## Sources")[0]
    plain = re.sub(r"```.*?```|`[^`]*`|\$[^$]*\$|^#[^\n]*$", " ", text, flags=re.S | re.M)
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", plain) if part.strip()]


def use_of(name: str) -> re.Pattern:
    return re.compile(rf"(?<![\w-]){re.escape(name)}(?:s|es)?(?![\w-])", re.I)


def first_use(name: str, text: str) -> int | None:
    """Where a text first uses a term; "text encoder" is no use of "encoder", as it is a term of its own."""
    longer = [use_of(term.name) for term in terms() if name.casefold() in term.name.casefold() != name.casefold()]
    covered = [found.span() for pattern in longer for found in pattern.finditer(text)]
    for found in use_of(name).finditer(text):
        if not any(start <= found.start() and found.end() <= end for start, end in covered):
            return found.start()
    return None


@pytest.mark.parametrize("term", terms(), ids=lambda term: term.name)
def test_a_term_is_defined_before_it_is_used(term):
    """Bold where it is defined. An earlier lesson may name it only where it says which lesson explains it."""
    for number in range(term.lesson):
        uses = [part for part in paragraphs(number) if first_use(term.name, part) is not None]
        early = [part for part in uses if f"lesson {term.lesson}" not in part.lower()]
        assert early == [], f"lesson {number} uses {term.name!r}, which lesson {term.lesson} defines"
    first = next((part for part in paragraphs(term.lesson) if first_use(term.name, part) is not None), None)
    assert first, f"lesson {term.lesson} does not define {term.name!r}"
    at = first_use(term.name, first)
    bold = [found.span() for found in re.finditer(r"\*\*.+?\*\*", first)]
    assert any(start <= at < end for start, end in bold), f"{term.name!r} is used before it is defined: {first}"


def test_terms_are_in_the_order_of_the_lessons_and_each_stands_once():
    lessons = [term.lesson for term in terms()]
    assert lessons == sorted(lessons) and len(terms()) > 60
    names = [term.name.casefold() for term in terms()]
    assert len(set(names)) == len(names)
    assert all(term.meaning.endswith(".") and len(term.meaning) < 220 for term in terms())


def test_a_word_is_looked_up_by_name_plural_symbol_and_part():
    assert [term.name for term in s2i.glossary("latents").terms] == ["latent"]
    assert s2i.glossary("  LATENT ").terms == s2i.glossary("latent").terms
    for term in terms():
        assert term in glossary(term.name).terms
        for symbol in filter(None, (part.strip(" `$") for part in term.symbol.split(","))):
            assert term in glossary(symbol).terms
    assert s2i.glossary().terms == terms()


def test_it_is_shown_as_a_table_and_as_lines():
    found = glossary("latent")
    assert isinstance(found, Glossary) and str(found).startswith("latent")
    assert found._repr_markdown_().splitlines()[1] == "|---|---|---:|---|"
    assert len(glossary()._repr_markdown_().splitlines()) == 2 + len(terms())


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("latint", "No lesson defines 'latint'. Did you mean latent"),
        ("xyzzy", r"No lesson defines 'xyzzy'. glossary\(\) lists all terms"),
        ("", "Give a word or a symbol"),
        (7, "Give a word or a symbol"),
    ],
)
def test_a_word_that_no_lesson_defines(word, sentence):
    with pytest.raises(InputError, match=sentence):
        glossary(word)
