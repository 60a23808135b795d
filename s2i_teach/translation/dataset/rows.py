"""What is known of each finished picture, a line each: kept shard by shard, so that memory holds one shard and no more."""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from operator import methodcaller
from pathlib import Path

from s2i_teach.data_sources.sources import Item
from s2i_teach.errors import InputError
from s2i_teach.files import reading, shown, write_whole
from s2i_teach.translation.dataset.listing import Listing, Shard
from s2i_teach.translation.dataset.places import FINISHED, KEPT, ROWS
from s2i_teach.translation.dataset.request import Request, category_of, key_of, lot
from s2i_teach.translation.result import read_record


def row_of(item: Item, licence: str) -> dict:
    """A sketch's line before anything is known of its picture."""
    return {
        "sketch": item.name,
        "category": category_of(item),
        "file": None,
        "prompt": None,
        "seed": None,
        "width": None,
        "height": None,
        "bytes": None,
        "sha256": None,
        "notes": "",
        "licence": item.licence or licence,
        "error": None,
    }


def filled(row: dict, place: str, settings, data: bytes, notes: str = "") -> dict:
    """The line of a finished picture."""
    return row | {
        "file": place,
        "prompt": settings.prompt,
        "seed": settings.seed,
        "width": settings.size[0],
        "height": settings.size[1],
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "notes": notes,
    }


def as_line(row: dict) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def lines_of(path: Path) -> Iterator[dict]:
    """The rows of a file; one that a kill cut off in the middle counts as not there."""
    with reading(path), open(path, "rb") as file:
        for line in file:
            with contextlib.suppress(ValueError):
                yield json.loads(line.decode("utf-8", "surrogatepass"))


class Rows:
    """The rows in a set's folder: ``<shard>.jsonl`` where all of a shard is done, ``<shard>.<process>.part`` on the way."""

    def __init__(self, folder: Path, token: str):
        self._folder, self._rows, self._token = folder, folder / ROWS, token

    def done(self) -> set[str]:
        """The names of the shards that are done."""
        try:
            return {name.removesuffix(".jsonl") for name in os.listdir(self._rows) if name.endswith(".jsonl")}
        except (FileNotFoundError, NotADirectoryError):
            return set()

    def of(self, name: str) -> Iterator[dict]:
        """The rows of a shard that is done."""
        return lines_of(self._rows / f"{name}.jsonl")

    def kept(self, shard: Shard, listing: Listing, request: Request, licence: str) -> dict[str, dict]:
        """Sketch → row, of the pictures of a shard that are finished already, by whichever process or run."""
        known = {row["sketch"]: row for path in self._parts(shard) for row in lines_of(path) if row["file"]}
        found = {}
        for item in shard.items:
            path = self._folder / listing.place(item)
            try:
                size = path.stat().st_size
            except OSError:
                continue  # not made yet
            row = known.get(item.name)
            if row is None or row["bytes"] != size:
                row = self._from_picture(path, item, listing, request, licence)
            if row is not None:
                found[item.name] = row
        return found

    def _from_picture(self, path: Path, item: Item, listing: Listing, request: Request, licence: str) -> dict | None:
        """The row of a picture that was finished, and its process killed before it noted that; None for another's."""
        try:
            settings = read_record(path).settings
            if (settings.prompt, settings.seed) != (request.prompt(item), lot(request.seed, key_of(item))):
                return None
            with reading(path):
                return filled(row_of(item, licence), listing.place(item), settings, path.read_bytes())
        except InputError:
            return None  # damaged: it is made again

    def _parts(self, shard: Shard) -> list[Path]:
        return sorted(self._rows.glob(f"{shard.name}.*.part"))

    def note(self, shard: Shard, row: dict) -> None:
        """Add a row on the way; it stands even if the process is killed right after."""
        path = self._rows / f"{shard.name}.{self._token}.part"
        try:
            self._rows.mkdir(parents=True, exist_ok=True)
            with open(path, "ab", buffering=0) as file:
                file.write(as_line(row))
        except OSError as error:
            raise InputError(f"{shown(path)} cannot be written: {error.strerror or error}. {KEPT}") from error

    def finish(self, shard: Shard, rows: dict[str, dict]) -> None:
        """All of a shard is done."""
        data = b"".join(as_line(rows[item.name]) for item in shard.items)
        write_whole(self._rows / f"{shard.name}.jsonl", methodcaller("write", data))
        for part in self._parts(shard):
            part.unlink(missing_ok=True)

    def reopen(self, listing: Listing, again: Callable[[dict], bool] = lambda row: False) -> int:
        """Shards whose pictures are no longer there, or with a row to be done again, are not done; how many these are."""
        folders: dict[Path, set[str]] = {}

        def is_there(row: dict) -> bool:
            path = self._folder / row["file"]
            if path.parent not in folders:
                with contextlib.suppress(OSError):  # a folder that is gone holds nothing
                    folders[path.parent] = set(os.listdir(path.parent))
            return path.name in folders.get(path.parent, ())

        wrong = []
        for name in sorted(self.done() & set(listing.names)):
            if any(not is_there(row) if row["file"] else again(row) for row in self.of(name)):
                wrong.append(name)
        for name in wrong:
            with contextlib.suppress(FileNotFoundError):  # another process was quicker
                os.replace(self._rows / f"{name}.jsonl", self._rows / f"{name}.before.part")
        if wrong:
            (self._folder / FINISHED).unlink(missing_ok=True)
        return len(wrong)
