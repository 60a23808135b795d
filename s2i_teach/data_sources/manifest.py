"""What lies in a folder of sketches, written down: source, names, sizes, hashes, categories, licence."""

import json
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from s2i_teach.errors import InputError
from s2i_teach.files import file_sha256, is_device, place_key, reading, shown, write_whole

NAME = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """One file of a sample.

    Attributes:
        path: where it lies in the folder, with ``/`` between folders: ``"tench/sketch_0.JPEG"``.
        category: its category's English name.
        class_id: ImageNet's class id, or None.
        name: its name in the source.
        bytes: its size.
        sha256: of its bytes, 64 hexadecimal digits.
        licence: what is known of its licence.
        more: further facts, kept as they are.
    """

    path: str
    category: str
    class_id: str | None
    name: str
    bytes: int
    sha256: str
    licence: str
    more: dict = field(default_factory=dict)

    def row(self) -> dict:
        """As JSON holds it."""
        row = asdict(self)
        return row | row.pop("more")


@dataclass(frozen=True)
class Manifest:
    """A folder's files, and how they were drawn.

    ``request`` holds what decides the draw: the source, the categories, how many of each, the seed.
    """

    request: dict
    files: tuple[Entry, ...]

    def to_bytes(self) -> bytes:
        """As the file holds it: JSON in UTF-8."""
        table = {"format": FORMAT, **self.request, "files": [entry.row() for entry in self.files]}
        return (json.dumps(table, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "surrogatepass")

    def write(self, folder: Path) -> Path:
        """Write it into the folder as ``manifest.json``, whole or not at all."""
        return write_whole(folder / NAME, lambda file: file.write(self.to_bytes()))

    def is_missing(self, folder: Path) -> list[Entry]:
        """The entries whose file is not there, or is not what it was."""
        return [entry for entry in self.files if not is_same(folder / entry.path, entry)]


def is_same(path: Path, entry: Entry) -> bool:
    """Whether a file has the size and the hash of its entry."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size != entry.bytes:
            return False
        return file_sha256(path) == entry.sha256
    except OSError:
        return False  # what cannot be read has to be made again


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder, or None where there is none.

    Raises:
        InputError: it cannot be read, is not ours, or names a place outside the folder.
    """
    path = folder / NAME
    with reading(path):
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None
    return parse_manifest(text, shown(path))


def own_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder of pictures from anywhere; None where there is none, or one that another program wrote.

    Raises:
        InputError: it cannot be read, or is ours and damaged.
    """
    path = folder / NAME
    with reading(path):
        return find_manifest(path.read_bytes(), shown(path)) if path.is_file() else None


def find_manifest(text: bytes, where: str) -> Manifest | None:
    """A manifest from its bytes, or None where another program wrote them; ``where`` is its name in messages.

    Raises:
        InputError: it is ours and damaged.
    """
    # Many programs write a manifest.json of another kind; ours has these words, whole or damaged.
    ours = all(word in text for word in (b'"format"', b'"files"', b'"sha256"'))
    return parse_manifest(text, where) if ours else None


def parse_manifest(text: bytes, where: str) -> Manifest:
    """A manifest from its bytes; ``where`` is its name in messages."""
    try:
        table = json.loads(text.decode("utf-8", "surrogatepass"))
        kind = table.pop("format")
        rows = table.pop("files")
        if kind != FORMAT:
            raise InputError(f"{where} has the format {shown(kind)}, and {FORMAT} is known here: update s2i_teach.")
        if not isinstance(rows, list):
            raise TypeError
        entries = tuple(read_entry(row) for row in rows)
        _check_places(entries, where)
        return Manifest(table, entries)
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{where} is not a manifest of sketches: sample or fetch the folder again.") from error


def _check_places(entries: tuple[Entry, ...], where: str) -> None:
    seen = {place_key(NAME)}
    for entry in entries:
        if place_key(entry.path) in seen:
            raise InputError(f"{where} has two files at {shown(entry.path)}: sample or fetch the folder again.")
        seen.add(place_key(entry.path))


def read_entry(row: dict) -> Entry:
    """One row of a manifest, checked.

    Raises:
        InputError: its path leads out of the folder.
        KeyError, TypeError, ValueError: it is no row of a manifest.
    """
    known = {one.name for one in fields(Entry)} - {"more"}
    entry = Entry(**{name: row[name] for name in known}, more={key: row[key] for key in row if key not in known})
    texts = (entry.path, entry.category, entry.name, entry.licence, entry.sha256, entry.class_id or "")
    if not all(isinstance(text, str) for text in texts) or type(entry.bytes) is not int or entry.bytes < 0:
        raise TypeError("a field of another kind")
    if not re.fullmatch("[0-9a-f]{64}", entry.sha256):
        raise ValueError("no SHA-256")
    if not stays_inside(entry.path):
        raise InputError(f"The manifest names {shown(entry.path)}, a place outside its folder: do not use this folder.")
    return entry


def stays_inside(path: str) -> bool:
    """Whether a relative path with ``/`` names a file inside its folder on every system.

    Windows drops dots and spaces at a name's end, so that ``".. "`` may lead out, and keeps names for its devices.
    """
    if any(letter in path for letter in "\\:\0"):
        return False
    return all(part and part == part.rstrip(". ") and not is_device(part) for part in path.split("/"))
