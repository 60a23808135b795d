"""Which files of a source are drawn, and where each will lie: the same seed gives the same files, wherever and whenever."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from s2i_teach.data_sources.classes import class_name, find_categories, folder_name
from s2i_teach.data_sources.sources import Item, Source
from s2i_teach.data_sources.web import readable
from s2i_teach.errors import InputError
from s2i_teach.files import place_key


def pick(names: Iterable[str], k: int, seed: int, category: str) -> list[str]:
    """``k`` of the names, drawn without replacement; all of them where there are fewer.

    Every name gets a lottery ticket, the SHA-256 of ``"seed/category/name"``, and the ``k`` smallest tickets win, in
    their order. A ticket depends on nothing else, so neither the order of the names nor another category changes the
    draw; a larger ``k`` keeps what a smaller one drew, and a file more or less moves at most one pick.

    Args:
        names: in any order; one that stands twice takes part once.
        k: 0 or more.
        seed: any whole number.
        category: the name under which the draw is made.
    """

    def ticket(name: str) -> bytes:
        return hashlib.sha256(f"{seed}/{category}/{name}".encode("utf-8", "surrogatepass")).digest()

    return sorted(set(names), key=ticket)[:k]


@dataclass(frozen=True)
class Draw:
    """What a sample would be: ``files`` as path in the folder → item of the source, ``notes``, and its cost.

    Attributes:
        source: the source's title.
        files: path in the folder → (category, class id or None, item).
        there: how many files the source has.
        cost: bytes that would be fetched from the web, or None where the source cannot tell.
        notes: a sentence on the categories that have fewer files than asked for.
    """

    source: str
    files: dict[str, tuple[str, str | None, Item]]
    there: int
    cost: int | None
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Category → number of files."""
        return dict(Counter(category for category, _, _ in self.files.values()))

    def __str__(self) -> str:
        cost = "an unknown number of bytes" if self.cost is None else readable(self.cost)
        lines = [
            f"{len(self.files)} of {self.there} files of {self.source}, {len(self.counts)} categories; "
            + ("nothing is fetched from the web" if self.cost == 0 else f"{cost} to fetch from the web")
        ]
        return "\n".join([*lines, *self.notes])


def draw(source: Source, categories, per_category: int, seed: int) -> Draw:
    """Which files are drawn, and where each will lie.

    Args:
        source: where the files lie.
        categories: names or class ids, a number of categories that are drawn by lot, or None for all.
        per_category: how many of each, at most.
        seed: of the draw.

    Raises:
        InputError: more categories than there are, none, or one that is not there.
    """
    by_category: dict[str, list[Item]] = {}
    there: dict[str, str | None] = {}  # name → class id; a folder "tench" and one "n01440764" are one category
    for item in source.items:
        known = class_name(item.category)
        name = known or item.category
        by_category.setdefault(name, []).append(item)
        there[name] = item.category if known else there.get(name)
    if categories is None:
        chosen = sorted(there)
    elif isinstance(categories, int):
        if categories > len(there):
            raise InputError(
                f"{categories} categories are asked for and {source.title} has {len(there)}: ask for fewer."
            )
        plain = {_one_letter(name): name for name in there}
        chosen = sorted(plain[name] for name in pick(plain, categories, seed, ""))
    else:
        chosen = find_categories(categories, there)
        if not chosen:
            raise InputError("No category is asked for: name some, or give None for all.")

    files: dict[str, tuple[str, str | None, Item]] = {}
    taken: set[str] = set()
    fewer, folders = [], _folders(there)
    for name in chosen:
        items = _short_names(by_category[name])
        wanted = pick(items, per_category, seed, there[name] or _one_letter(name))
        if len(wanted) < per_category:
            fewer.append(f"{name} {len(wanted)}")
        for short in sorted(wanted):
            path = _free(f"{folders[name]}/{_file_name(short)}", taken)
            taken.add(place_key(path))
            files[path] = (name, there[name], items[short])
    files = dict(sorted(files.items()))
    cost = source.cost(item for _, _, item in files.values())
    listed = ", ".join(fewer[:8]) + (f" and {len(fewer) - 8} more" if len(fewer) > 8 else "")
    notes = (f"Fewer than {per_category} are there of: {listed}.",) if fewer else ()
    return Draw(source.title, files, len(source.items), cost, notes)


def _folders(there: Iterable[str]) -> dict[str, str]:
    """Category → its folder; two that would share one on Windows or macOS are told apart."""
    taken: set[str] = set()
    folders = {}
    for name in sorted(there):
        folders[name] = _free(folder_name(name), taken)
        taken.add(place_key(folders[name]))
    return folders


def _short_names(items: list[Item]) -> dict[str, Item]:
    """The items by the name that takes part in the draw: the file's own, which is the same in every copy of a data set.

    Where two files of a category share it, their whole names take part.
    """
    own = Counter(_one_letter(PurePosixPath(item.name).name) for item in items)
    names = {}
    for item in items:
        short = _one_letter(PurePosixPath(item.name).name)
        names[short if own[short] == 1 else item.name] = item
    return names


def _one_letter(name: str) -> str:
    """A name whose accented letters are one letter each (NFC): a Mac's copy of a data set writes them as two."""
    return unicodedata.normalize("NFC", name)


def _file_name(name: str) -> str:
    """A file's name that every system takes, with its ending."""
    path = PurePosixPath(name)
    return folder_name("_".join(path.with_suffix("").parts)) + path.suffix


def _free(path: str, taken: set[str]) -> str:
    """The path, or the first of path-2, path-3, … that has a place of its own on every system."""
    stem, dot, suffix = path.rpartition(".") if "." in PurePosixPath(path).name else (path, "", "")
    number = 2
    while place_key(path) in taken:
        path = f"{stem}-{number}{dot}{suffix}"
        number += 1
    return path
