"""Looks: a line drawing printed in two inks on white paper."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from s2i_teach.images import fit_to, read_picture
from s2i_teach.lines import outline_mask

WHITE = (255, 255, 255)
"""The paper of all looks: a coloured one is not learned (docs/decisions.md, "Ten doodles in two inks")."""


@dataclass(frozen=True)
class Look:
    """A style on white paper: the colours of lines and areas, 0 to 255, and the pen's width in pixels at 128."""

    ink: tuple[int, int, int]
    fill: tuple[int, int, int]
    pen: float = 3.0


LOOKS = {
    "two inks": Look(ink=(34, 52, 140), fill=(242, 104, 84)),
    "forest": Look(ink=(20, 84, 52), fill=(250, 206, 84)),
}


def in_look(sketch, look: Look, side: int = 128) -> Image.Image:
    """A line drawing as ``look`` prints it: RGB, ``side`` pixels a side. Its closed regions are filled.

    Raises:
        InputError: a sketch that cannot be opened.
    """
    from scipy.ndimage import distance_transform_edt

    large = fit_to(read_picture(sketch), (4 * side, 4 * side))  # drawn four times as large: soft edges without steps
    dark = np.asarray(large.convert("L")) < 160
    inside = outline_mask(large)
    lines = (distance_transform_edt(~dark) <= 2 * look.pen * side / 128) if dark.any() else dark
    pixels = np.empty((*dark.shape, 3), np.uint8)
    pixels[:] = WHITE
    pixels[inside] = look.fill
    pixels[lines] = look.ink
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BOX)
