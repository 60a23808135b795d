"""The sketches of a set in the order in which they are taken, cut into shards, each with the place of its picture."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from s2i_teach.data_sources.sources import Folder, Item, Source
from s2i_teach.errors import InputError
from s2i_teach.files import LONGEST, as_path, place_key, reading, shown
from s2i_teach.translation.dataset.places import PICTURES
from s2i_teach.translation.dataset.request import key_of, lot

MOST_IN_SHARD = 64
"""Sketches that a process takes at a time: at most so many wait for a slow device in the end."""
SHARDS = 64
"""A small set is cut into at least so many, as far as batches allow."""


@dataclass(frozen=True)
class Shard:
    """Some sketches that one process takes. ``name`` tells them from any others: their number and a hash of their keys."""

    name: str
    items: list[Item]


class Listing:
    """A source's sketches, cut into shards: the same ones in every process that lists the same files.

    Args:
        source: where they lie.
        batch: sketches that go together; a shard holds whole batches.
        limit: take the first so many of the order, None for all.
        shuffle: take them by lot instead of in the source's order; the draw depends on ``seed`` and the names alone.
    """

    def __init__(self, source: Source, batch: int, limit: int | None, shuffle: bool, seed: int = 0):
        items = list(source.items)
        self._clashing = _clashing(items)
        if shuffle:
            items.sort(key=lambda item: lot(seed, "order", key_of(item)))
        self.items = items if limit is None else items[:limit]
        batches = min(-(-MOST_IN_SHARD // batch), max(1, len(self.items) // (SHARDS * batch)))
        self._step = batch * batches

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def names(self) -> list[str]:
        """The shards' names, in order."""
        return [self._name(number) for number in range(-(-len(self.items) // self._step))]

    @cached_property
    def cut(self) -> str:
        """A hash of all that is taken, and in which order."""
        return hashlib.sha256("\n".join(self.names).encode()).hexdigest()[:16]

    def shard(self, number: int) -> Shard:
        """One of them, from 0."""
        return Shard(self.names[number], self._items(number))

    def size(self, number: int) -> int:
        """How many sketches a shard has."""
        return len(self._items(number))

    def place(self, item: Item) -> str:
        """Where a sketch's picture lies below the set's folder: the sketch's own path, with ``.png``.

        Where two sketches differ in their ending alone, both keep theirs before it.
        """
        path = PurePosixPath(item.name)
        named = path.with_suffix(".png") if place_key(str(path.with_suffix(""))) not in self._clashing else None
        named = named or path.with_name(f"{path.name}.png")
        if len(named.name.encode("utf-8", "surrogateescape")) > LONGEST:
            stem = named.name.encode("utf-8", "surrogateescape")[:180].decode(errors="ignore")
            named = named.with_name(f"{stem}-{lot(key_of(item)):x}.png")
        return f"{PICTURES}/{named}"

    def _items(self, number: int) -> list[Item]:
        return self.items[number * self._step : (number + 1) * self._step]

    def _name(self, number: int) -> str:
        keys = "\n".join(key_of(item) for item in self._items(number))
        return f"{number:06d}-{hashlib.sha256(keys.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def _clashing(items: list[Item]) -> frozenset[str]:
    """The paths without ending that several sketches share."""
    stems = Counter(place_key(str(PurePosixPath(item.name).with_suffix(""))) for item in items)
    return frozenset(stem for stem, count in stems.items() if count > 1)


def check_apart(source: Source, to) -> Path:
    """The folder to write into; not the sketches' own, whose pictures would be read as sketches the next time.

    Raises:
        InputError: it is their own, or lies in it.
    """
    folder = as_path(to)
    if isinstance(source, Folder):
        with reading(folder):
            inside = folder.resolve().is_relative_to(source.path.resolve())
        if inside:
            raise InputError(f"{shown(folder)} lies in the folder of the sketches: name one outside it.")
    return folder
