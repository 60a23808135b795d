"""Quick, Draw!'s files: drawings as strokes, one category a file, as .ndjson or .bin."""

import io
import json
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from s2i_teach.errors import InputError
from s2i_teach.files import reading, shown

ADDRESS = "https://storage.googleapis.com/quickdraw_dataset/full/simplified/{}.ndjson"
SIDE = 512
"""Pixels of a rendered drawing's side."""
MARGIN = 32
LINE = 7
_OVERSAMPLING = 3


def is_drawings(name: str) -> bool:
    """Whether a file name or an address ends as Quick, Draw!'s files do."""
    path = urlsplit(name).path if re.match(r"https?://", name) else name
    return path.lower().endswith((".ndjson", ".bin"))


def addresses(categories) -> list[str]:
    """Where the files of these categories lie, in the simplified form (strokes in 0 to 255).

    Raises:
        InputError: no categories are named.
    """
    if isinstance(categories, str):
        categories = [categories]
    if not categories or isinstance(categories, int):
        raise InputError(
            '"quickdraw" has one file for each of its 345 categories: name some, such as categories=["cat"].'
        )
    return [ADDRESS.format(quote(str(category).strip().replace("_", " ").lower())) for category in categories]


@dataclass
class Drawings:
    """One file's drawings: ``word`` is what they show, ``keys`` are their ids in the file's order."""

    path: Path
    word: str
    _places: dict[str, int] = field(repr=False)
    """Key → where its drawing begins, in bytes: the drawings themselves stay in the file."""

    @property
    def keys(self) -> list[str]:
        return list(self._places)

    def read(self, key: str) -> list[list[tuple[float, float]]]:
        """A drawing's strokes, each a list of points ``(x, y)``, y downwards."""
        with open(self.path, "rb") as file:
            file.seek(self._places[key])
            if self.path.suffix.lower() == ".bin":
                return _binary(file, str(self.path))[1]
            return _strokes(file.readline(), shown(self.path))[1]


def open_drawings(path: Path) -> Drawings:
    """The drawings of a Quick, Draw! file, raw or simplified .ndjson, or .bin.

    Raises:
        InputError: it cannot be read, is cut off, or holds something else.
    """
    with reading(path), open(path, "rb") as file:
        word, places = (_index_binary if path.suffix.lower() == ".bin" else _index_lines)(file, path)
    if not places:
        raise InputError(f"{shown(path)} holds no drawings: fetch it again.")
    return Drawings(path, word or unquote(path.stem).removeprefix("full_simplified_").replace("_", " "), places)


def _index_lines(file, path: Path) -> tuple[str | None, dict[str, int]]:
    places: dict[str, int] = {}
    word, start = None, 0
    for number, line in enumerate(file, start=1):
        if line.strip():
            try:
                row = json.loads(line)
                key, found = str(row["key_id"]), str(row["word"])
                row["drawing"][0][0]
            except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
                raise InputError(
                    f"Line {number} of {shown(path)} is no drawing of Quick, Draw!: fetch the file again."
                ) from error
            if word not in (None, found):
                raise InputError(f"{shown(path)} mixes {shown(word)} and {shown(found)}: keep one category a file.")
            word = found
            places.setdefault(key, start)
        start += len(line)
    return word, places


def _index_binary(file, path: Path) -> tuple[None, dict[str, int]]:
    places: dict[str, int] = {}
    while True:
        start = file.tell()
        if not file.peek(1):
            return None, places
        key, _ = _binary(file, shown(path))
        places.setdefault(str(key), start)


def _binary(file, name: str) -> tuple[int, list]:
    """One drawing of the binary form: id, country, recognised, time, strokes, each a count and its x and y bytes."""
    try:
        key, _, _, _, count = struct.unpack("<Q2sbIH", file.read(17))
        strokes = []
        for _ in range(count):
            (points,) = struct.unpack("<H", file.read(2))
            xs, ys = file.read(points), file.read(points)
            if len(ys) != points:
                raise struct.error
            strokes.append(list(zip(xs, ys, strict=True)))
        return key, strokes
    except struct.error as error:
        raise InputError(f"{name} is cut off or no binary file of Quick, Draw!: fetch it again.") from error


def _strokes(line: bytes, name: str) -> tuple[str, list]:
    try:
        row = json.loads(line)
        strokes = [list(zip(map(float, stroke[0]), map(float, stroke[1]), strict=True)) for stroke in row["drawing"]]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"{name} has changed while it was read: sample it again.") from error
    return str(row["key_id"]), strokes


def as_png(strokes: list[list[tuple[float, float]]]) -> bytes:
    """A drawing as the bytes of a PNG: black lines on a white page of 512 × 512, fitted and centred.

    Raises:
        InputError: no points, or points that are not finite.
    """
    from PIL import Image, ImageDraw

    points = [point for stroke in strokes for point in stroke]
    if not points or not all(abs(value) < 1e9 for point in points for value in point):
        raise InputError("A drawing of Quick, Draw! has no points: fetch the file again.")
    left, top = (min(axis) for axis in zip(*points, strict=True))
    right, bottom = (max(axis) for axis in zip(*points, strict=True))
    scale = (SIDE - 2 * MARGIN) / max(right - left, bottom - top, 1)
    shift = ((SIDE - scale * (left + right)) / 2, (SIDE - scale * (top + bottom)) / 2)
    page = Image.new("L", (SIDE * _OVERSAMPLING, SIDE * _OVERSAMPLING), 255)
    draw = ImageDraw.Draw(page)
    radius = LINE * _OVERSAMPLING / 2
    for stroke in strokes:
        line = [
            tuple((scale * value + by) * _OVERSAMPLING for value, by in zip(at, shift, strict=True)) for at in stroke
        ]
        draw.line(line, fill=0, width=LINE * _OVERSAMPLING)
        for x, y in line:  # round ends and joints
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
    file = io.BytesIO()
    page.resize((SIDE, SIDE), Image.Resampling.BOX).save(file, "PNG")
    return file.getvalue()
