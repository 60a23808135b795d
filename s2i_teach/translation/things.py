"""How large the things on a page are: the miniature draws small ones badly, and a larger picture has room for them."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from s2i_teach.lines import outline_mask
from s2i_teach.models.catalog import Model, sizes

SMALL = (48, 64)
"""Pixels: where half of a page's things are below the first and all below the second, they are too small for the miniature. One
place of its latent is 8 pixels wide."""
GROUND = 0.6
"""Share of a page's width: a row with so much ink is ground that things stand on."""
SPECK = 8
"""Pixels: what is smaller is no thing."""
FEWEST = 3
"""Things that make several: two small rings may be the eyes of a face that is still being drawn."""


def small_things(picture: Image.Image) -> int | None:
    """How large most of several small things on an RGB page are, in pixels; None where they are not small, or not several.

    A thing encloses something and does not lie within another's box; a level ground joins no things. Its size is the square
    root of its box's width times its height. Specks are no things.
    """
    from scipy.ndimage import find_objects

    ink = np.asarray(picture.convert("L")) < 128
    if any(min(side.stop - side.start for side in place) >= SMALL[1] for place in find_objects(_numbered(ink))):
        return None  # one line alone is large: there is no need to look closer
    boxes = _free_boxes(ink, outline_mask(picture))
    things = [box.size for box in boxes if box.encloses]
    if len(things) < FEWEST or np.median(things) >= SMALL[0] or max(box.size for box in boxes) >= SMALL[1]:
        return None
    return round(float(np.median(things)))


def better_size(picture: Image.Image, entry: Model) -> tuple[int, tuple[int, int]] | None:
    """How large most things on a page are, in pixels, and a larger size ``(width, height)`` that suits them.

    None where the things are not small, or the model has no larger size.
    """
    width, height = picture.size
    own, *larger = (min(size) for size in sizes(entry))
    factors = [size // own for size in larger if size // own * min(width, height) <= larger[-1]]
    small = small_things(picture) if factors else None
    if small is None:
        return None
    factor = next((factor for factor in factors if factor * small >= SMALL[0]), factors[-1])
    return small, (factor * width, factor * height)


@dataclass(frozen=True)
class _Box:
    """What hangs together on a page: its box in pixels, and whether it is more than lines."""

    left: int
    top: int
    right: int
    bottom: int
    encloses: bool

    @property
    def size(self) -> float:
        return float(np.sqrt((self.right - self.left) * (self.bottom - self.top)))

    def holds(self, other: "_Box") -> bool:
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom


def _numbered(inside: np.ndarray) -> np.ndarray:
    """What hangs together, numbered from 1 on, ``(H, W)``."""
    from scipy.ndimage import label

    return label(inside, np.ones((3, 3)))[0]


def _free_boxes(ink: np.ndarray, inside: np.ndarray) -> list[_Box]:
    """The boxes of what is drawn, without specks and those within others; what the ground joins is apart.

    Args:
        ink, inside: the lines, and the lines with what they enclose, ``(H, W)`` bool.
    """
    from scipy.ndimage import binary_dilation, binary_opening, find_objects

    rows = ink.mean(axis=1) >= GROUND
    ground = rows & ~binary_opening(rows, np.ones(max(3, round(0.04 * len(rows)))))  # what is thicker is no line
    numbers = _numbered(inside)
    joined = np.isin(numbers, np.setdiff1d(numbers[ground], [0]))
    numbers = _numbered(inside & ~(joined & binary_dilation(ground, iterations=2)[:, None]))
    boxes = []
    for number, (down, across) in enumerate(find_objects(numbers), 1):
        area = numbers[down, across] == number
        encloses = bool(area.sum() >= 1.5 * (area & ink[down, across]).sum())
        boxes.append(_Box(across.start, down.start, across.stop, down.stop, encloses))
    boxes = [box for box in boxes if box.size >= SPECK]
    return [box for box in boxes if not any(other is not box and other.holds(box) for other in boxes)]
