"""Near duplicates: a perceptual hash of a sketch, and which sketch is a copy of which, mirrored and turned ones too."""

from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

from s2i_teach.data_sources.rules import paper_tone

HASH_SIDE = 16
BITS = HASH_SIDE * HASH_SIDE
FRAME = 64
SPREADS = 1.6
"""The frame reaches so many times the ink's spread (standard deviation) from its centre."""
TILTS = (0, -4, 4, -8, 8, -12, 12)
"""Degrees by which a page may lie askew beside its copy; the hash bears about two degrees more."""
VARIANTS = tuple((mirrored, quarter, tilt) for tilt in TILTS for mirrored in (False, True) for quarter in range(4))
"""``(mirrored, quarter turns, degrees)``, anticlockwise, mirrored first; number 0 is the picture as it is."""
_BLOCK = 512


def framed(grey: np.ndarray) -> Image.Image | None:
    """The ink of a sketch, light on black, 64 × 64, moved to the middle and scaled to one spread; None without ink.

    A line drawing is mostly paper. Framed by its ink, a drawing that was moved on the page, cut closer or scaled gives
    the same picture. Centre and spread come from all of the ink: a speck moves an edge of the drawing, but hardly them.
    """
    darker = paper_tone(grey) - grey.astype(np.float64)
    darkness = np.where(darker > 40, darker, 0)
    total = darkness.sum()
    if total == 0:
        return None
    across, down = darkness.sum(0) / total, darkness.sum(1) / total
    x, y = np.arange(len(across)) + 0.5, np.arange(len(down)) + 0.5
    centre = (across @ x, down @ y)
    spread = np.sqrt(across @ (x - centre[0]) ** 2 + down @ (y - centre[1]) ** 2)
    half = max(SPREADS * spread, 2.0)
    left, top, side = round(centre[0] - half), round(centre[1] - half), round(2 * half)
    # Beyond the page crop() gives 0, which is paper here.
    cut = Image.fromarray(darkness.astype(np.uint8)).crop((left, top, left + side, top + side))
    way = Image.Resampling.BOX if side >= FRAME else Image.Resampling.BICUBIC
    return cut.resize((FRAME, FRAME), way)


def codes(grey: np.ndarray) -> np.ndarray | None:
    """The difference hashes of a sketch in all ``VARIANTS``, ``(len(VARIANTS), 32)`` packed bits; None without ink."""
    picture = framed(grey)
    if picture is None:
        return None
    packed = np.empty((len(VARIANTS), BITS // 8), np.uint8)
    for number, variant in enumerate(VARIANTS):
        packed[number] = np.packbits(imagehash.dhash(turned(picture, *variant), HASH_SIDE).hash)
    return packed


def turned(picture: Image.Image, mirrored: bool, quarter: int, tilt: float) -> Image.Image:
    """A picture mirrored left to right, then turned anticlockwise by quarters and degrees; corners are filled black."""
    if mirrored:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if quarter:
        ways = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
        picture = picture.transpose(ways[quarter - 1])
    return picture.rotate(tilt, Image.Resampling.BILINEAR) if tilt else picture


@dataclass(frozen=True)
class Match:
    """A copy: the number of the picture that it is like, the bits that differ, and how it was turned, in words."""

    like: int
    distance: int
    how: str


def find_copies(all_codes: list[np.ndarray], limit: float) -> dict[int, Match]:
    """Number → :class:`Match` for every picture that is a near copy of an earlier one that is itself no copy.

    Each is compared with all kept ones before it, in all ``VARIANTS``, by matrix products: bits as ±1 have the
    product ``BITS − 2 · distance``. A pair's distance is the same in both directions, so that the order of
    names does not matter once the copies are gone.
    """
    found: dict[int, Match] = {}
    kept: list[int] = []
    for start in range(0, len(all_codes), _BLOCK):
        numbers = list(range(start, min(start + _BLOCK, len(all_codes))))
        block = np.stack([all_codes[n] for n in numbers])
        best = [(BITS + 1, -1)] * len(numbers)  # (distance, number of the other)
        for first in range(0, len(kept), _BLOCK):
            others = kept[first : first + _BLOCK]
            apart = distances(block, np.stack([all_codes[n] for n in others]))
            for row, nearest in enumerate(apart.argmin(1)):
                best[row] = min(best[row], (int(apart[row, nearest]), others[nearest]))
        apart = distances(block, block)
        fresh: list[int] = []
        for row, number in enumerate(numbers):
            if fresh:
                nearest = fresh[int(apart[row, fresh].argmin())]
                best[row] = min(best[row], (int(apart[row, nearest]), numbers[nearest]))
            distance, like = best[row]
            if distance <= limit:
                found[number] = Match(like, distance, _how(all_codes[number], all_codes[like]))
            else:
                fresh.append(row)
        kept += [numbers[row] for row in fresh]
    return found


def distances(block: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Least bits that differ between all of ``(N, ways, bytes)`` and ``(M, ways, bytes)``: ``(N, M)``, whole numbers.

    Way 0 of either is held against every way of the other.
    """
    forth = _likeness(block, others)
    back = forth if block is others else _likeness(others, block)
    return ((8 * block.shape[2] - np.maximum(forth, back.T)) / 2).astype(np.int32)


def _likeness(straight: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The largest product of way 0 of the first and any way of the others, ``(N, M)``."""
    signs = _signs(straight[:, 0])
    best = np.full((len(straight), len(others)), -np.inf, np.float32)
    # Several ways a product: with small ones, BLAS's threads wait for each other longer than they work.
    for start in range(0, others.shape[1], 8):
        ways = _signs(others[:, start : start + 8].transpose(1, 0, 2).reshape(-1, others.shape[2]))
        np.maximum(best, (signs @ ways.T).reshape(len(signs), -1, len(others)).max(1), out=best)
    return best


def _how(later: np.ndarray, earlier: np.ndarray) -> str:
    """How a copy differs from the earlier picture: "" for not at all, else "mirrored", "turned by 90°" …"""
    forth = np.unpackbits(later[0] ^ earlier, axis=1).sum(1)
    back = np.unpackbits(later ^ earlier[0], axis=1).sum(1)
    if forth.min() <= back.min():
        mirrored, quarter, tilt = VARIANTS[int(forth.argmin())]
        degrees = 90 * quarter + tilt
    else:  # the later one was turned to match the earlier; a mirroring with its turn undoes itself
        mirrored, quarter, tilt = VARIANTS[int(back.argmin())]
        degrees = (1 if mirrored else -1) * (90 * quarter + tilt)
    degrees = (degrees + 180) % 360 - 180
    words = ["mirrored"] if mirrored else []
    if degrees:
        words.append(f"turned by {'about ' if degrees % 90 else ''}{abs(degrees)}°")
    return ", ".join(words)


def _signs(packed: np.ndarray) -> np.ndarray:
    return np.unpackbits(packed, axis=-1).astype(np.float32) * 2 - 1
