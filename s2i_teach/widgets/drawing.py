"""A drawing as strokes rather than pixels: renders at any size, undoes, and saves as JSON or SVG."""

import base64
import io
import json
import math
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

from PIL import Image, ImageDraw

from s2i_teach.errors import InputError
from s2i_teach.files import as_path, shown, write_whole
from s2i_teach.images import PAPER, check_size, fit_to, read_picture

FORMAT = "s2i_teach drawing 1"
PAGE = (512, 512)
"""``(width, height)`` of the page in its own units, which strokes are noted in."""
CURVE = 6
"""Straight pieces that a curve between two noted points is drawn with; the browser's code uses the same."""
SHARPER = 4
"""Pixels are computed as many times finer, each way, and then averaged."""
MASKING = {"mask": 255, "unmask": 0}
"""Tools that mark the part to be painted anew, and what they leave on the mask."""
MOST_BYTES = 20_000_000
MOST_PIXELS = 1024
"""Of the longer side of a picture on the page, which travels with every stroke."""
SVG = "{http://www.w3.org/2000/svg}"
DATA_URL = "data:image/png;base64,"


@dataclass(frozen=True)
class Drawing:
    """What was done on a page, in order.

    Attributes:
        width, height: of the page, in its own units.
        ops: each a dict. ``{"tool": "brush" or "eraser", "size": width in units, "points": [[x, y, pressure], …]}`` with
            pressure from 0 to 1 (½ is what a mouse has and gives the width itself, 0 half and 1 one and a half of it),
            ``{"tool": "picture", "png": data URL}``, or ``{"tool": "clear"}``. ``"mask"`` and ``"unmask"`` are strokes as
            well: they mark the part that is to be painted anew, and are no ink.
        done: how many of them count; those behind were undone and can be done again.
    """

    width: int = PAGE[0]
    height: int = PAGE[1]
    ops: tuple[dict, ...] = field(default=())
    done: int = 0

    @property
    def visible(self) -> tuple[dict, ...]:
        """The operations that are still to be seen: those after the last clearing."""
        kept = self.ops[: self.done]
        cleared = [number for number, op in enumerate(kept) if op["tool"] == "clear"]
        return kept[cleared[-1] + 1 :] if cleared else kept

    @property
    def is_empty(self) -> bool:
        """Whether nothing was drawn; a mask is no drawing."""
        return all(op["tool"] == "eraser" or op["tool"] in MASKING for op in self.visible)

    def then(self, op: dict) -> "Drawing":
        """With one more operation; what had been undone is gone."""
        return replace(self, ops=(*self.ops[: self.done], op), done=self.done + 1)

    def undo(self) -> "Drawing":
        """Without the last operation, which :meth:`redo` brings back."""
        return replace(self, done=max(0, self.done - 1))

    def redo(self) -> "Drawing":
        """With the operation that was undone last."""
        return replace(self, done=min(len(self.ops), self.done + 1))

    def with_picture(self, picture: Image.Image) -> "Drawing":
        """With a picture laid on the page, fitted without distortion, to draw over."""
        smaller = min(1, MOST_PIXELS / max(self.width, self.height))
        page = fit_to(picture, (max(1, round(self.width * smaller)), max(1, round(self.height * smaller))))
        return self.then({"tool": "picture", "png": picture_url(page)})

    def image(self, width: int | None = None, height: int | None = None) -> Image.Image:
        """The drawing as an RGB picture of ``width`` × ``height`` pixels, black on white, without distortion.

        Computed from the strokes, so it is as sharp at any size; a page of other proportions is padded with paper.
        ``height`` is ``width`` if left out, and the page's own size if both are.

        Raises:
            InputError: a size that cannot be used.
        """
        page, finer, scale, offset = self._canvas(width, height, "RGB", PAPER)
        draw = ImageDraw.Draw(page)
        for op in self.visible:
            if op["tool"] in MASKING:
                continue
            if op["tool"] == "picture":
                size = max(1, round(self.width * scale)), max(1, round(self.height * scale))
                page.paste(_resized(op["png"], size), (round(offset[0]), round(offset[1])))
            else:
                ink = PAPER if op["tool"] == "eraser" else (0, 0, 0)
                _stroke(draw, flatten(op["points"], op["size"]), ink, scale, offset)
        return page.reduce(finer) if finer > 1 else page

    def mask(self, width: int | None = None, height: int | None = None) -> Image.Image | None:
        """The part that was marked, white on black, "L", at the size that :meth:`image` has; None where nothing is marked.

        Raises:
            InputError: a size that cannot be used.
        """
        page, finer, scale, offset = self._canvas(width, height, "L", 0)
        draw = ImageDraw.Draw(page)
        for op in self.visible:
            if op["tool"] in MASKING:
                _stroke(draw, flatten(op["points"], op["size"]), MASKING[op["tool"]], scale, offset)
        made = page.reduce(finer) if finer > 1 else page
        return made if made.getextrema()[1] >= 128 else None

    def _canvas(self, width, height, mode: str, ground):
        """An empty page to paint on, how many times finer it is, and the scale and offset of the page's units on it."""
        if width is None:
            width = self.width
        if height is None:
            height = self.height if isinstance(width, int) and width == self.width else width
        width, height = check_size((width, height))
        finer = max(1, min(SHARPER, math.isqrt(4096 * 4096 // (width * height))))
        page = Image.new(mode, (width * finer, height * finer), ground)
        scale = min(page.width / self.width, page.height / self.height)
        return page, finer, scale, ((page.width - self.width * scale) / 2, (page.height - self.height * scale) / 2)

    def checked(self) -> "Drawing":
        """The same, if its page can be one.

        Raises:
            InputError: it cannot.
        """
        width, height = check_size((self.width, self.height))
        if max(width, height) > 4096 or min(width, height) < 16:
            raise InputError(f"A page of {width} × {height} cannot be drawn on: give sides from 16 to 4096.")
        return replace(self, width=width, height=height)

    # Files

    def to_dict(self) -> dict:
        """As plain values for JSON."""
        return {
            "format": FORMAT,
            "width": self.width,
            "height": self.height,
            "ops": [dict(op) for op in self.ops],
            "done": self.done,
        }

    @classmethod
    def from_dict(cls, table) -> "Drawing":
        """From :meth:`to_dict`'s values.

        Raises:
            InputError: not a drawing, or a damaged one; the sentence says where.
        """
        if not isinstance(table, dict) or table.get("format") != FORMAT:
            raise InputError("This is no drawing of s2i_teach's pad: give a JSON or SVG file that a pad saved.")
        try:
            width, height = check_size((table["width"], table["height"]))
            ops = tuple(_checked(op, number) for number, op in enumerate(table["ops"], 1))
            done = table["done"]
        except (KeyError, TypeError) as error:
            raise InputError(f"The drawing is damaged ({shown(error)}): save it from the pad again.") from error
        if not isinstance(done, int) or isinstance(done, bool) or not 0 <= done <= len(ops):
            raise InputError(
                f"The drawing is damaged (done is {shown(done)} of {len(ops)}): save it from the pad again."
            )
        return cls(width, height, ops, done).checked()

    def to_svg(self) -> str:
        """As SVG, which any vector program opens; the drawing itself travels in its metadata."""
        root = ElementTree.Element(
            "svg",
            {
                "xmlns": SVG[1:-1],
                "viewBox": f"0 0 {self.width} {self.height}",
                "width": str(self.width),
                "height": str(self.height),
            },
        )
        ElementTree.SubElement(root, "metadata").text = json.dumps(self.to_dict())
        ElementTree.SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "white"})
        for op in self.visible:
            if op["tool"] in MASKING:
                continue
            if op["tool"] == "picture":
                size = {"width": str(self.width), "height": str(self.height)}
                ElementTree.SubElement(root, "image", {"href": op["png"], **size})
                continue
            style = {
                "stroke": "white" if op["tool"] == "eraser" else "black",
                "stroke-linecap": "round",
                "fill": "none",
            }
            group = ElementTree.SubElement(root, "g", style)
            pieces = flatten(op["points"], op["size"])
            # Neighbours of the same width are one line; a stroke without pressure is a single one.
            runs: list[list] = []
            for start, end in zip(pieces, pieces[1:] or pieces, strict=False):
                thick = round((start[2] + end[2]) / 2, 2)
                if not runs or runs[-1][0] != thick:
                    runs.append([thick, [start]])
                runs[-1][1].append(end)
            for thick, points in runs:
                places = " ".join(f"{x:.2f},{y:.2f}" for x, y, _ in points)
                ElementTree.SubElement(
                    group, "polyline", {"points": places, "stroke-width": str(thick), "stroke-linejoin": "round"}
                )
        return ElementTree.tostring(root, encoding="unicode")

    @classmethod
    def from_svg(cls, text: str) -> "Drawing":
        """From :meth:`to_svg`'s text.

        Raises:
            InputError: no SVG, or one that no pad saved.
        """
        try:
            metadata = ElementTree.fromstring(text).find(f"{SVG}metadata")
            table = json.loads(metadata.text or "") if metadata is not None else None
        except (ElementTree.ParseError, ValueError, TypeError, RecursionError) as error:
            raise InputError(f"The SVG cannot be read ({shown(error)}): give one that a pad saved.") from error
        return cls.from_dict(table)

    @classmethod
    def open(cls, path: str | Path) -> "Drawing":
        """From a ``.json`` or ``.svg`` file that a pad saved.

        Raises:
            InputError: the file is not there, too large, or no drawing.
        """
        path = as_path(path)
        try:
            if path.stat().st_size > MOST_BYTES:
                raise InputError(f"{shown(path)} is too large for a drawing: give a file that a pad saved.")
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"{shown(path)} cannot be read: {error.strerror or error}.") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{shown(path)} is no text: give a JSON or SVG file that a pad saved.") from error
        return cls.from_text(text, path.name)

    @classmethod
    def from_text(cls, text: str, name: str) -> "Drawing":
        """From the text of a file of that name; one that ends in ``.svg`` is SVG, any other JSON.

        Raises:
            InputError: no drawing.
        """
        if name.lower().endswith(".svg"):
            return cls.from_svg(text)
        try:
            table = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{shown(name)} is no JSON: give a file that a pad saved.") from error
        return cls.from_dict(table)

    def save(self, path: str | Path) -> Path:
        """Write the strokes as ``.json`` or ``.svg``, whole or not at all. Folders are made. Returns the path.

        Raises:
            InputError: another ending, or a place that cannot be written.
        """
        path = as_path(path)
        kinds = {".json": lambda: json.dumps(self.to_dict()), ".svg": self.to_svg}
        if path.suffix.lower() not in kinds:
            raise InputError(
                f"{shown(path)} ends in none of .json, .svg and .png: these are what a drawing is saved as."
            )
        text = kinds[path.suffix.lower()]()
        return write_whole(path, lambda file: file.write(text.encode("utf-8")))


def flatten(points: list, size: float) -> list[tuple[float, float, float]]:
    """A stroke as a smooth line in straight pieces: ``(x, y, width)`` each, in the page's units.

    Quadratic curves run from the middle of one pair of noted points to the middle of the next, with the point between
    them as control; width follows the pressure.
    """
    noted = [(x, y, size * (0.5 + pressure)) for x, y, pressure in points]
    if len(noted) < 3:
        return noted
    line = [noted[0]]
    for here, after in zip(noted[1:-1], noted[2:], strict=True):
        start = line[-1]
        end = tuple((a + b) / 2 for a, b in zip(here, after, strict=True))
        for piece in range(1, CURVE + 1):
            t = piece / CURVE
            line.append(
                tuple(
                    (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c for a, b, c in zip(start, here, end, strict=True)
                )
            )
    return [*line, noted[-1]]


def _stroke(draw: ImageDraw.ImageDraw, line, ink, scale: float, offset: tuple[float, float]) -> None:
    """Paint round dots and, between neighbours, the quadrilateral that joins them."""
    # Pillow counts from the middles of pixels and paints the last one too: half a pixel each.
    placed = [
        (offset[0] + x * scale - 0.5, offset[1] + y * scale - 0.5, max(0, width * scale / 2 - 0.5))
        for x, y, width in line
    ]
    for x, y, radius in placed:
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=ink)
    for (x0, y0, r0), (x1, y1, r1) in zip(placed, placed[1:], strict=False):
        length = math.hypot(x1 - x0, y1 - y0)
        if length:
            across = (y0 - y1) / length, (x1 - x0) / length
            sides = [(x0, y0, r0), (x1, y1, r1), (x1, y1, -r1), (x0, y0, -r0)]
            draw.polygon([(x + across[0] * r, y + across[1] * r) for x, y, r in sides], fill=ink)


def picture_url(picture: Image.Image) -> str:
    """A picture as a PNG data URL."""
    with io.BytesIO() as file:
        picture.save(file, "PNG")
        return DATA_URL + base64.b64encode(file.getvalue()).decode("ascii")


@lru_cache(maxsize=16)
def _resized(url: str, size: tuple[int, int]) -> Image.Image:
    """The picture of a data URL at this size; while one draws over it, it is asked for again with every stroke."""
    return url_picture(url).resize(size, Image.Resampling.LANCZOS)


def url_picture(url: str) -> Image.Image:
    """The picture of a PNG data URL, RGB on white paper."""
    try:
        if not isinstance(url, str) or not url.startswith(DATA_URL):
            raise ValueError
        return _decoded(url)
    except ValueError as error:
        raise InputError("The picture in the drawing is damaged: load it into the pad again.") from error


@lru_cache(maxsize=16)
def _decoded(url: str) -> Image.Image:
    """A drawing is checked with every stroke; the pictures on it stay the same."""
    return read_picture(base64.b64decode(url[len(DATA_URL) :], validate=True))


def _checked(op, number: int) -> dict:
    """One operation with its values checked and made plain."""

    def wrong(what: str) -> InputError:
        return InputError(f"The drawing is damaged (operation {number}: {what}): save it from the pad again.")

    tool = op.get("tool") if isinstance(op, dict) else None
    if tool == "clear":
        return {"tool": "clear"}
    if tool == "picture":
        url_picture(op.get("png"))
        return {"tool": "picture", "png": op["png"]}
    if tool not in ("brush", "eraser", *MASKING):
        raise wrong(f"the tool {shown(tool)} is not known")
    try:
        size = float(op["size"])
        points = [[float(value) for value in point] for point in op["points"]]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise wrong("size or points are no numbers") from error
    if not points or any(len(point) != 3 for point in points):
        raise wrong("each point is x, y and pressure")
    if not all(math.isfinite(value) and abs(value) < 1e5 for point in points for value in point):
        raise wrong("a point is not on any page")
    if not 0 < size <= 1000 or not all(0 <= point[2] <= 1 for point in points):
        raise wrong("size must be above 0 and pressure from 0 to 1")
    return {"tool": tool, "size": size, "points": points}
