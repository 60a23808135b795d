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
