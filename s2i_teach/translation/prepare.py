"""What a model is given of a sketch: as it is or with what its lines enclose filled, and its hint."""

import numpy as np
from PIL import Image

from s2i_teach.lines import PEN, line_hint, outline_mask

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
