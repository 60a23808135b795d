"""The API reference's pages: the public names, and the rooms whose modules a reader of the lessons meets."""

import inspect
import re
from collections.abc import Iterator

import s2i_teach
from notebooks.build import ROOT

GROUND = ("images", "lines", "gallery")
"""Modules on the ground floor."""
ROOMS = {
    "theory": "what you build by hand",
    "families": "the other families of models",
    "models": "catalog and loading",
    "translation": "a sketch becomes a picture",
    "evaluate": "measures, votes, reports",
    "data_sources": "sketches of others",
}
"""Room → what its page is called."""


def heading(text: str, line: str) -> list[str]:
    """A heading of reStructuredText."""
    return [text, line * len(text), ""]


def public_page() -> str:
    """Every name of ``s2i_teach.__all__``."""
    lines = [*heading("Public names", "="), "``import s2i_teach as s2i`` gives these.", ""]
    for name in s2i_teach.__all__:
        value = getattr(s2i_teach, name)
        kind = "function"
        if inspect.isclass(value):
            kind = "exception" if issubclass(value, Exception) else "class"
        lines += [f".. auto{kind}:: s2i_teach.{name}", *(["   :members:"] if kind == "class" else []), ""]
    return "\n".join(lines)


def modules(room: str) -> Iterator[str]:
    """The modules of a room that have something to say, by name."""
    package = ROOT / "s2i_teach"
    files = [package / f"{name}.py" for name in GROUND] if room == "ground" else sorted((package / room).glob("*.py"))
    for path in files:
        if not path.name.startswith("_"):
            yield "s2i_teach." + ".".join(path.relative_to(package).with_suffix("").parts)


def room_page(room: str, called: str) -> str:
    """The documented names of a room's modules."""
    lines = heading(f"{room}: {called}", "=")
    for module in modules(room):
        lines += [*heading(module.removeprefix("s2i_teach."), "-"), f".. automodule:: {module}", "   :members:", ""]
    return "\n".join(lines)


def pages() -> dict[str, str]:
    """The book's file → its text."""
    rooms = {**ROOMS, "ground": "pictures, lines and the embedded sketches"}
    names = ["public", *rooms]
    tree = ["# API reference", "", "From the docstrings of the code.", "", "```{toctree}", "", *names, "```", ""]
    made = {"api/index.md": "\n".join(tree), "api/public.rst": public_page()}
    return made | {f"api/{room}.rst": room_page(room, called) for room, called in rooms.items()}


def escaped(lines: list[str]) -> list[str]:
    """A docstring's lines whose bars are bars: in |a − b| they would name a substitution of reStructuredText."""
    return [re.sub(r"(``.*?``)|\|", lambda found: found[1] or "\\|", line) for line in lines]
