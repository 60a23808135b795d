"""The one form in which pictures are judged: RGB, upright, on white paper, sketch and picture of the same size."""

import numpy as np
from PIL import Image

from s2i_teach.errors import InputError
from s2i_teach.images import read_picture

SMALLEST = 16
"""Pixels of the shorter side: below it no line can be told from another."""


def same_size(a, b) -> tuple[Image.Image, Image.Image]:
    """Two pictures, of anything that :func:`s2i_teach.open_sketch` opens, as RGB pictures of one size.

    Raises:
        InputError: one is no picture, it is below 16 pixels, or the sizes differ: resizing here would move the lines
            that are compared.
    """
    a, b = read_picture(a), read_picture(b)
    if a.size != b.size:
        raise InputError(
            f"The pictures have different sizes ({a.width} × {a.height} and {b.width} × {b.height}): bring one to the "
            "other's with s2i.open_sketch(picture, size=…)."
        )
    if min(a.size) < SMALLEST:
        raise InputError(
            f"The pictures are {a.width} × {a.height}: give at least {SMALLEST} pixels on the shorter side."
        )
    return a, b


def grey(picture: Image.Image) -> np.ndarray:
    """An RGB picture as ``(H, W)`` floats, 0 (black) to 1 (white)."""
    return np.asarray(picture.convert("L"), dtype=np.float64) / 255
