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
    if any(min(box.right - box.left, box.bottom - box.top) >= SMALL[1] for box in _boxes(_ink(picture))[1]):
        return None  # one line alone is large: there is no need to look closer
    boxes = _free_boxes(picture)
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
    encloses: bool = False

    @property
    def size(self) -> float:
        return float(np.sqrt((self.right - self.left) * (self.bottom - self.top)))

    def holds(self, other: "_Box") -> bool:
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom


def _ink(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L")) < 128


def _boxes(inside: np.ndarray, ink: np.ndarray | None = None) -> tuple[np.ndarray, list[_Box]]:
    """What hangs together, numbered from 1 on, ``(H, W)``, and the box of each."""
    from scipy.ndimage import find_objects, label

    labels, _ = label(inside, np.ones((3, 3)))
    boxes = []
    for number, place in enumerate(find_objects(labels), 1):
        area = labels[place] == number
        encloses = ink is not None and bool(area.sum() >= 1.5 * (area & ink[place]).sum())
        down, across = place
        boxes.append(_Box(across.start, down.start, across.stop, down.stop, encloses))
    return labels, boxes


def _free_boxes(picture: Image.Image) -> list[_Box]:
    """The boxes of what is drawn on a page, without specks and those within others; what the ground joins is apart."""
    from scipy.ndimage import binary_dilation, binary_opening

    ink, inside = _ink(picture), outline_mask(picture)
    rows = ink.mean(axis=1) >= GROUND
    ground = rows & ~binary_opening(rows, np.ones(max(3, round(0.04 * len(rows)))))  # what is thicker is no line
    labels, _ = _boxes(inside)
    joined = np.isin(labels, np.setdiff1d(labels[ground], [0]))
    _, boxes = _boxes(inside & ~(joined & binary_dilation(ground, iterations=2)[:, None]), ink)
    boxes = [box for box in boxes if box.size >= SPECK]
    return [box for box in boxes if not any(other is not box and other.holds(box) for other in boxes)]
