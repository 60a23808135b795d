"""What a model is given of a sketch: as it is or with what its lines enclose filled, and its hint."""

import numpy as np
from PIL import Image

from s2i_teach.lines import PEN, line_hint

FILL = (176, 176, 176)


def prepare_sketch(picture: Image.Image, how: str) -> Image.Image:
    """``"filled"``: :func:`fill_regions`; else the picture as it is. How it was opened: :func:`s2i_teach.translation.page.open_page`."""
    return fill_regions(picture) if how == "filled" else picture


PENS = {"lines": PEN, "thin lines": 1.0}
"""How a hint is made → its pen, in pixels at a shorter side of 128: 8 and 4 pixels at 512."""


def make_hint(picture: Image.Image, how: str | None) -> Image.Image | None:
    """The hint for a model that takes it made like this (:func:`s2i_teach.models.kinds.hint_of`); None makes none.

    The hint is made of the sketch's lines, whatever ``prepare`` does to the picture that the noise is added to.
    """
    return None if how is None else line_hint(picture, pen=PENS[how])


def outline_mask(picture: Image.Image, darkness: int = 128, gaps: tuple[float, ...] = (0.02, 0.06)) -> np.ndarray:
    """What belongs to the drawing rather than to the page: ``(H, W)`` bool, lines and all that they enclose.

    Page is what can be reached from the border without crossing a line. Lines darker than ``darkness`` (0 to 255)
    count; gaps in them, as a hand leaves them, are closed: narrow ones first, so that fine shapes stay fine, then wider
    ones. ``gaps`` are fractions of the picture's longer side.
    """
    ink = np.asarray(picture.convert("L")) < darkness
    inside = ink
    for gap in gaps if ink.any() else ():
        inside = inside | _enclosed(ink, max(1, round(gap * max(ink.shape) / 2)))
    return inside


SMALL = (48, 64)
"""Pixels: where half of the things on a page are below the first and all below the second, they are too small. A latent is 8
pixels wide, and of the miniature's training pictures of one thing none was below 51."""


GROUND = 0.6
"""Share of a page's width: a row with so much ink is ground that things stand on."""


def small_things(picture: Image.Image) -> int | None:
    """How large most of several small things on an RGB page are, in pixels; None where they are not small, or only one.

    A thing is what hangs together, with all that lies within its box; the ground joins no things. Its size is the square root of
    its box's width times its height. Specks below 8 pixels are no things.
    """
    ink = np.asarray(picture.convert("L")) < 128
    if any(min(right - left, bottom - top) >= SMALL[1] for left, top, right, bottom in _boxes(ink)[1]):
        return None  # one line alone is large: there is no need to look closer
    sizes = [float(np.sqrt((right - left) * (bottom - top))) for left, top, right, bottom in _things(picture)]
    sizes = [size for size in sizes if size >= 8]
    if len(sizes) < 2 or np.median(sizes) >= SMALL[0] or max(sizes) >= SMALL[1]:
        return None
    return round(float(np.median(sizes)))


def _things(picture: Image.Image) -> list[tuple[int, int, int, int]]:
    """Boxes ``(left, top, right, bottom)`` in pixels of what is drawn on a page, each by itself.

    Where rows of :data:`GROUND` are taken away, what stood on them falls apart; pieces above each other are one thing then.
    """
    from scipy.ndimage import binary_dilation, binary_opening

    inside = outline_mask(picture)
    rows = (np.asarray(picture.convert("L")) < 128).mean(axis=1) >= GROUND
    ground = rows & ~binary_opening(rows, np.ones(max(3, round(0.04 * len(rows)))))  # what is thicker is no line
    labels, boxes = _boxes(inside)
    joined = set(np.unique(labels[ground])) - {0}
    free = [box for number, box in enumerate(boxes, 1) if number not in joined]
    _, pieces = _boxes(np.isin(labels, list(joined)) & ~binary_dilation(ground, iterations=2)[:, None])
    standing: list[tuple[int, int, int, int]] = []
    for piece in sorted(pieces):
        if standing and piece[0] < standing[-1][2]:
            last = standing.pop()
            piece = (last[0], min(last[1], piece[1]), max(last[2], piece[2]), max(last[3], piece[3]))
        standing.append(piece)
    return free + standing


def _boxes(inked: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int, int, int]]]:
    """What hangs together, by number from 1 on, ``(H, W)``, and the box of each."""
    from scipy.ndimage import find_objects, label

    labels, _ = label(inked, np.ones((3, 3)))
    return labels, [(across.start, down.start, across.stop, down.stop) for down, across in find_objects(labels)]


def _enclosed(ink: np.ndarray, radius: int) -> np.ndarray:
    """What lines enclose once gaps of up to 2 · ``radius`` pixels are closed: ``(H, W)`` bool, ink included."""
    from scipy.ndimage import distance_transform_edt
    from skimage.measure import label

    margin = radius + 2
    padded = np.pad(ink, margin)
    regions = label(distance_transform_edt(~padded) > radius, connectivity=1)
    page = regions == regions[0, 0]
    # Grow the page back by what closing took from it.
    inside = (distance_transform_edt(~page) > radius) | padded
    return inside[margin:-margin, margin:-margin]


def fill_regions(picture: Image.Image, fill: tuple[int, int, int] = FILL) -> Image.Image:
    """An RGB sketch with its closed regions filled grey under the lines.

    Plain img2img takes a line drawing for white paper with a few dark strokes, and paints white bodies; a filled one
    says where the body is. A sketch whose regions are already coloured keeps its colours.
    """
    inside = outline_mask(picture)
    pixels = np.asarray(picture.convert("RGB")).astype(np.float32)
    paper = inside & (pixels.min(axis=2) > 235)
    # Only paper is filled; the soft edge of a line is darkened with it, or it would stand as a white halo.
    grey_edge = inside & ~paper & (np.ptp(pixels, axis=2) < 24)
    pixels[paper] = fill
    pixels[grey_edge] *= np.asarray(fill, dtype=np.float32) / 255
    return Image.fromarray(pixels.round().astype(np.uint8))
