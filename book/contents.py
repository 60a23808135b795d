"""The book's pages: which there are, in which order, and from which file of the repository each is made."""

import re
from collections.abc import Iterable
from pathlib import Path

from book.lessons import number, page_name
from notebooks.build import ROOT

PARTS = {
    0: "From noise to picture",
    9: "Draw, compare, judge",
    14: "Further",
}
"""The number with which a part begins → its title. A new lesson falls into its part by itself."""

PAGES = {
    "README.md": "index.md",
    "docs/dataset.md": "dataset.md",
    "s2i_teach/lessons/glossary.md": "glossary.md",
    "data/mini/README.md": "model-card.md",
    "data/README.md": "datasheet.md",
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
}
"""The repository's pages that the book has, and the book's file for each."""
TEACHING = "docs/teach*.md"
"""Guides for teachers, as many as there are."""

FRONT = ("What you need to know", "Lessons")
"""The README's sections that stand on the first page, after its opening."""
LICENCES = "Licences"
"""That one opens the page of licences; all others make the page about the library."""
LIBRARY, LICENCE_PAGE = "library.md", "licences.md"


def sources() -> list[Path]:
    """The lessons' sources, in their order."""
    return sorted((ROOT / "notebooks" / "source").glob("*.py"))


def parts(lessons: Iterable[Path]) -> dict[str, list[Path]]:
    """Title of a part → its lessons; every lesson is in one, in its order."""
    found: dict[str, list[Path]] = {}
    for source in lessons:
        begins = max(first for first in PARTS if first <= number(source))
        found.setdefault(PARTS[begins], []).append(source)
    return found


def teaching() -> dict[str, str]:
    """The guides for teachers: path in the repository → the book's file."""
    return {path.relative_to(ROOT).as_posix(): path.name for path in sorted(ROOT.glob(TEACHING))}


def sections(text: str) -> dict[str, str]:
    """A page's ``##`` sections by title, each with its heading; what stands before them is ``""``."""
    pieces = re.split(r"^(?=## )", text, flags=re.M)
    return {re.match(r"## (.+)", piece)[1] if piece.startswith("## ") else "": piece for piece in pieces}


def without_front_matter(text: str) -> str:
    """A page without the lines of YAML that a model hub reads."""
    return re.sub(r"\A---\n.*?^---\n+", "", text, flags=re.M | re.S)


def anchor(heading: str) -> str:
    """A heading's anchor in GitHub's spelling."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def places() -> dict[str, str]:
    """Path in the repository → the book's file; a section of the README that is not on the first page has its own."""
    found = {**PAGES, **teaching(), "LICENSE": LICENCE_PAGE, "data/LICENSES": LICENCE_PAGE}
    found |= {f"notebooks/{source.stem}.ipynb": page_name(source) for source in sources()}
    for name, text in sections((ROOT / "README.md").read_text(encoding="utf-8")).items():
        page = LICENCE_PAGE if name == LICENCES else LIBRARY
        if name and name not in FRONT:
            headings = re.findall(r"^##+ (.+)$", text, re.M)
            found |= {f"README.md#{anchor(heading)}": f"{page}#{anchor(heading)}" for heading in headings}
    return found


def toctree(caption: str, entries: Iterable[str]) -> str:
    """A part of the table of contents, shown in the side bar alone."""
    names = "\n".join(entry.rsplit(".", 1)[0] for entry in entries)
    return f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{names}\n```\n"


def index() -> str:
    """The first page: the README's opening, what the lessons ask for and the lessons, and the book's contents."""
    found = sections((ROOT / "README.md").read_text(encoding="utf-8"))
    trees = [toctree(name, map(page_name, some)) for name, some in parts(sources()).items()]
    trees.append(toctree("For teachers", [*teaching().values(), PAGES["CONTRIBUTING.md"]]))
    trees.append(
        toctree("Look things up", [PAGES["s2i_teach/lessons/glossary.md"], LIBRARY, "dataset.md", "api/index.md"])
    )
    about = ["data/mini/README.md", "data/README.md", "SECURITY.md"]
    trees.append(toctree("What ships", [*(PAGES[name] for name in about), LICENCE_PAGE]))
    return "\n".join([found[""], *(found[name] for name in FRONT), *trees])


def library() -> str:
    """The page about the library: the README's other sections."""
    found = sections((ROOT / "README.md").read_text(encoding="utf-8"))
    others = [text for name, text in found.items() if name and name not in (*FRONT, LICENCES)]
    return "\n".join(["# Using the library\n", *others])


def licences() -> str:
    """The page of licences: what the README says, and each licence in full."""
    found = sections((ROOT / "README.md").read_text(encoding="utf-8"))
    lines = [f"# {LICENCES}\n", found[LICENCES].partition("\n")[2]]
    files = [ROOT / "LICENSE", *sorted((ROOT / "data" / "LICENSES").iterdir())]
    for path in files:
        lines += [
            f"## {path.relative_to(ROOT).as_posix()}\n",
            f"````text\n{path.read_text(encoding='utf-8').rstrip()}\n````\n",
        ]
    return "\n".join(lines)
