"""Ten drawings in one style that no training saw: the embedded doodles, printed in two inks on coloured paper."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from s2i_teach.gallery import find_sketch
from s2i_teach.images import fit_to, read_picture
from s2i_teach.translation.prepare import outline_mask


@dataclass(frozen=True)
class Look:
    """A style in four numbers: the colours of paper, lines and areas, and the pen's width in pixels at 128."""

    paper: tuple[int, int, int]
    ink: tuple[int, int, int]
    fill: tuple[int, int, int]
    pen: float = 5.0


LOOKS = {
    "two inks": Look(paper=(255, 255, 255), ink=(34, 52, 140), fill=(242, 104, 84)),
    "chalk": Look(paper=(38, 70, 62), ink=(244, 244, 232), fill=(84, 126, 112)),
    "neon": Look(paper=(24, 18, 48), ink=(80, 236, 240), fill=(232, 60, 170)),
}

TEN = (
    "umbrella_by_hand",
    "butterfly_by_hand",
    "car_by_hand",
    "cat_by_hand",
    "duck_by_hand",
    "fish_by_hand",
    "house_by_hand",
    "mushroom_by_hand",
    "sailboat_by_hand",
    "tree_by_hand",
)


def in_look(sketch, look: Look, side: int = 128) -> Image.Image:
    """A line drawing as ``look`` prints it: RGB, ``side`` pixels a side. Its closed regions are filled."""
    from scipy.ndimage import distance_transform_edt

    large = fit_to(read_picture(sketch), (4 * side, 4 * side))  # drawn four times as large: soft edges without steps
    dark = np.asarray(large.convert("L")) < 160
    inside = outline_mask(large)
    lines = (distance_transform_edt(~dark) <= 2 * look.pen * side / 128) if dark.any() else dark
    pixels = np.empty((*dark.shape, 3), np.uint8)
    pixels[:] = look.paper
    pixels[inside] = look.fill
    pixels[lines] = look.ink
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BOX)


def ten_drawings(look: str = "two inks") -> list[tuple[Image.Image, str]]:
    """Ten pictures with their captions, such as "a duck"; every one an embedded doodle in the same look."""
    made = []
    for name in TEN:
        sketch = find_sketch(name)
        made.append((in_look(sketch, LOOKS[look]), sketch.prompt.split(",")[0]))
    return made
