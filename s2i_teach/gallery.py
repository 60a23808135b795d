"""The embedded sketches, and sheets of pictures."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from s2i_teach.errors import InputError
from s2i_teach.images import fit_to
from s2i_teach.paths import data_dir


@dataclass(frozen=True)
class Sketch:
    """One drawing of ``data/sketches/``: ``kind`` is ``"line art"``, ``"by people"`` or ``"scene"``."""

    name: str
    path: Path
    caption: str
    prompt: str
    kind: str
    credit: str
    licence: str

    def open(self) -> Image.Image:
        """The drawing as an RGB picture."""
        with Image.open(self.path) as picture:
            return picture.convert("RGB")

    @property
    def image(self) -> Image.Image:
        """The same, so that a sketch can be given wherever a picture is wanted."""
        return self.open()

    def _repr_png_(self) -> bytes:
        return self.path.read_bytes()


def sketches(kind: str | None = None) -> list[Sketch]:
    """The embedded sketches, all or of one kind, in the order of ``data/sketches/sketches.json``."""
    folder = data_dir() / "sketches"
    table = json.loads((folder / "sketches.json").read_text(encoding="utf-8"))
    everything = [Sketch(path=folder / row.pop("file"), **row) for row in table]
    return [sketch for sketch in everything if kind in (None, sketch.kind)]


def find_sketch(name) -> Sketch | None:
    """The embedded sketch of that name, or None."""
    return next((sketch for sketch in sketches() if sketch.name == name), None)


@dataclass(frozen=True)
class Pair:
    """A sketch of ``data/pairs/`` and the picture that artists made of it: the files, and the caption as ``prompt``."""

    thing: str
    prompt: str
    subgroup: str
    sketch: Path
    picture: Path

    def open(self) -> tuple[Image.Image, Image.Image]:
        """The sketch and the picture, both RGB and of one size."""
        with Image.open(self.sketch) as sketch, Image.open(self.picture) as picture:
            return sketch.convert("RGB"), picture.convert("RGB")


def embedded_pairs(split: str = "train", style: str = "openmoji") -> list[Pair]:
    """The embedded pairs in one style, in the order of their table.

    Args:
        split: ``"train"``, or ``"test"`` for the things that no training saw.
        style: ``"openmoji"``, ``"noto"``, ``"twemoji"``, ``"fluent"`` or ``"flat"``.

    Raises:
        InputError: there is no such split, or no picture of that style in it.
    """
    folder = data_dir() / "pairs" / split
    if split not in ("train", "test"):
        raise InputError(f"There is no split {split!r}: use 'train' or 'test'.")
    rows = map(json.loads, (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines())
    found = [
        Pair(row["thing"], row["text"], row["subgroup"], folder / row["sketch"], folder / row["file_name"])
        for row in rows
        if row["style"] == style != "line"
    ]
    if not found:
        raise InputError(
            f"There is no picture of the style {style!r}: use 'openmoji', 'noto' or another with pictures."
        )
    return found


def font(size: int):
    """A readable font at ``size`` pixels; the one that comes with matplotlib, which every machine here has."""
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)


def contact_sheet(rows: list[tuple[list[Image.Image], str]], columns: int = 3, side: int = 192) -> Image.Image:
    """Groups of pictures with a caption below each, ``columns`` groups a row, on white.

    Each entry is ``(pictures, caption)``; pictures are shown at ``side`` × ``side`` pixels, padded; a caption may have
    several lines.

    Raises:
        InputError: it is no list of such.
    """
    for row in rows if isinstance(rows, (list, tuple)) else [None]:
        whole = isinstance(row, (list, tuple)) and len(row) == 2 and isinstance(row[1], str)
        if not whole or not all(isinstance(picture, Image.Image) for picture in row[0]):
            raise InputError("A contact sheet is made of a list of (pictures, caption): give pictures as PIL images.")
    columns = max(1, min(columns, len(rows)))
    gap, line = side // 12, max(13, side // 13)
    text_font = font(line)
    most = max((len(pictures) for pictures, _ in rows), default=1)
    width = most * side + (most - 1) * gap // 2
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    captions = [wrapped(measure, caption, text_font, width) for _, caption in rows]
    text_height = max((len(lines) for lines in captions), default=1) * round(line * 1.35)
    cell = (width + 2 * gap, side + text_height + 2 * gap)
    lines_down = -(-len(rows) // columns)
    sheet = Image.new("RGB", (columns * cell[0], lines_down * cell[1]), "white")
    draw = ImageDraw.Draw(sheet)
    for number, ((pictures, _), lines) in enumerate(zip(rows, captions, strict=True)):
        left = (number % columns) * cell[0] + gap
        top = (number // columns) * cell[1] + gap
        for position, picture in enumerate(pictures):
            x = left + position * (side + gap // 2)
            sheet.paste(fit_to(picture, (side, side)), (x, top))
            draw.rectangle([x - 1, top - 1, x + side, top + side], outline=(205, 205, 205))
        draw.multiline_text(
            (left, top + side + gap // 2), "\n".join(lines), (40, 40, 40), text_font, spacing=line * 0.3
        )
    return sheet


def wrapped(draw, caption: str, text_font, width: int) -> list[str]:
    """A caption in lines that fit ``width`` pixels, broken at spaces, after underscores, and where nothing helps."""

    def fits(text: str) -> bool:
        return draw.textlength(text, font=text_font) <= width

    lines = []
    for part in caption.split("\n"):
        line = ""
        for piece in re.findall(r"[^\s_]*_|\S+|\s+", part):
            if line and not fits((line + piece).rstrip()):
                lines.append(line.rstrip())
                line = ""
            for letter in piece.lstrip() if not line else piece:
                if line and not fits((line + letter).rstrip()):
                    lines.append(line.rstrip())
                    line = ""
                line += letter
        lines.append(line.rstrip())
    return lines
