"""What hangs in a class gallery: the pictures of a folder that hold their own settings, and what the votes say of them."""

import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from PIL import Image

from s2i_teach.errors import InputError
from s2i_teach.evaluate.rating import Rank, Vote, picture_id, ranking
from s2i_teach.files import as_path, reading, shown
from s2i_teach.images import read_picture
from s2i_teach.translation.result import Record, read_record

MOST = 400
"""Pictures in a gallery."""


@dataclass(frozen=True)
class Entry:
    """A picture on the wall.

    Attributes:
        label: what it is called: the person's name with a number, or "picture" with one.
        id: the first 12 letters of a SHA-256 over its pixels, as votes name it.
        person: who made it; "" in an anonymous gallery.
        path: the file, below the gallery's folder.
        picture: RGB.
        record: how it was made.
        rank: what the votes say of it, or None.
    """

    label: str
    id: str
    person: str
    path: Path
    picture: Image.Image
    record: Record
    rank: Rank | None = None


@dataclass(frozen=True)
class SetAside:
    """A file that could not hang, and why, in a sentence."""

    path: Path
    reason: str


def collect(folder: str | Path, anonymous: bool = False) -> tuple[list[Entry], list[SetAside]]:
    """The pictures of a folder and of those in it, by person, and the PNG files that could not be taken.

    A person is a folder in the folder; a picture that lies in none is its own: its file's name without numbers at the end.
    The same picture twice hangs once. An anonymous gallery's order is by chance.

    Raises:
        InputError: no such folder, no picture with settings in it, or more than :data:`MOST`.
    """
    folder = as_path(folder)
    if not folder.is_dir():
        raise InputError(f"{shown(folder)} is no folder: give the one with everybody's pictures.")
    with reading(folder):
        files = sorted(path.relative_to(folder) for path in islice(_pngs(folder), MOST + 1))
    if len(files) > MOST:
        raise InputError(f"{shown(folder)} holds more than {MOST} PNG files, the most of a gallery: choose among them.")
    found: dict[str, Entry] = {}
    aside = []
    for path in files:
        try:
            record, picture = read_record(folder / path), read_picture(folder / path).convert("RGB")
        except InputError as error:
            aside.append(SetAside(path, str(error)))
            continue
        name = picture_id(picture)
        if name in found:
            aside.append(SetAside(path, f"It is the same picture as {shown(found[name].path)}."))
            continue
        found[name] = Entry("", name, _person(path), path, picture, record)
    if not found:
        why = f" {aside[0].path}: {aside[0].reason}" if aside else ""
        raise InputError(f"{shown(folder)} holds no picture with its settings inside.{why}")
    return _labelled(list(found.values()), anonymous), aside


def _pngs(folder: Path) -> Iterable[Path]:
    """PNG files below a folder, none that is hidden or lies behind a link to elsewhere."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(place, name)
            if name.lower().endswith(".png") and not name.startswith(".") and not path.is_symlink():
                yield path


def _person(path: Path) -> str:
    name = path.parts[0] if len(path.parts) > 1 else path.stem.rstrip("0123456789 -_()")
    return shown(name or path.stem, 60)


def _labelled(entries: list[Entry], anonymous: bool) -> list[Entry]:
    if anonymous:
        random.SystemRandom().shuffle(entries)
        return [replace(entry, label=f"picture {n}", person="") for n, entry in enumerate(entries, 1)]
    counts: dict[str, int] = {}
    made = []
    for entry in entries:
        counts[entry.person] = counts.get(entry.person, 0) + 1
        made.append(replace(entry, label=f"{entry.person} {counts[entry.person]}"))
    return made


def ranked(entries: Sequence[Entry], votes: Sequence[Vote]) -> list[Entry]:
    """The entries with what the votes say of them, the best first; those without a vote come last.

    Votes on pictures that do not hang here count for nothing.
    """
    here = {entry.id for entry in entries}
    mine = [
        replace(vote, left_cell=vote.left, right_cell=vote.right)
        for vote in votes
        if vote.left in here and vote.right in here and vote.left != vote.right
    ]
    ranks = {rank.cell: rank for rank in ranking(mine)} if mine else {}
    places = {name: place for place, name in enumerate(ranks)}
    return sorted(
        (replace(entry, rank=ranks.get(entry.id)) for entry in entries),
        key=lambda entry: places.get(entry.id, len(places)),
    )
