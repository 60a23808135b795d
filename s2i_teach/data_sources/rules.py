"""What is measured on one picture, and the limits beyond which a rule of :func:`s2i_teach.clean` finds it."""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import maximum_filter1d

from s2i_teach.errors import InputError
from s2i_teach.files import written

SIDE = 256
"""Pictures are measured at most this large, in pixels: enough for lines, and equal for scans of any size."""
GRAIN = 16
"""Tones, of 256, by which paper that was scanned differs from itself."""


@dataclass(frozen=True)
class Rule:
    """One rule: its limit when nobody says another, the range a limit may have, and what it is about in words."""

    name: str
    title: str
    limit: float | None = None
    lowest: float = 0.0
    highest: float = 0.0
    unit: str = ""


RULES = {
    rule.name: rule
    for rule in (
        Rule("unreadable", "Cannot be read"),
        Rule("tiny", "Tiny", 64, 2, 4096, "pixels of the shorter side, at least"),
        Rule("photographs", "Photographs", 1.45, 0, 5, "bits of tones beside the paper, at most"),
        Rule("empty", "Nearly empty", 0.001, 0, 1, "of the page inked, at least"),
        Rule("full", "Nearly full", 0.7, 0, 1, "of the page inked, at most"),
        Rule("duplicates", "Duplicates"),
        Rule("near_duplicates", "Near duplicates", 30, 0, 64, "of 256 bits differ, or fewer"),
        Rule("inverted", "White on black, turned round"),
    )
}
"""Name → rule, in the order in which they are asked; the first one that finds a picture decides."""


def chosen(switches: dict) -> dict[str, float | bool]:
    """The rules that are on: name → limit, or True for a rule without one. What is False or None is off.

    Raises:
        InputError: a switch is neither True nor False nor a limit that this rule can have.
    """
    on = {}
    for name, switch in switches.items():
        rule = RULES[name]
        if switch is None or switch is False:
            continue
        if switch is True:
            on[name] = True if rule.limit is None else rule.limit
            continue
        if rule.limit is None:
            raise InputError(f"{name}={written(switch)} is neither True nor False: this rule has no limit to set.")
        number = isinstance(switch, (int, float, np.number)) and not isinstance(switch, np.bool_)
        if not number or not rule.lowest <= switch <= rule.highest:
            raise InputError(
                f"{name}={written(switch)} cannot be used: give True, False, or a limit from {rule.lowest:g} to "
                f"{rule.highest:g} ({rule.unit})."
            )
        on[name] = float(switch)
    return on


def grey_values(picture: Image.Image) -> np.ndarray:
    """A picture as grey values ``(H, W)``, uint8, at most ``SIDE`` × ``SIDE`` pixels, each the mean of its area."""
    grey = picture.convert("L")
    scale = SIDE / max(grey.size)
    if scale < 1:
        size = [max(1, round(side * scale)) for side in grey.size]
        grey = grey.resize(size, Image.Resampling.BOX)
    return np.asarray(grey)


def paper_tone(grey: np.ndarray) -> int:
    """The tone of the paper, 128 to 255: the lightest of the light tones that are about as common as any."""
    if grey.max() < 128:
        return 255  # no light tone at all: the page is ink
    around = _counts_around(grey)[128:]
    peaks = (around == maximum_filter1d(around, 2 * GRAIN + 1)) & (2 * around >= around.max())
    peak = 128 + int(np.flatnonzero(peaks)[-1])
    return int(np.median(grey[np.abs(grey.astype(np.int16) - peak) <= GRAIN]))


def ink(grey: np.ndarray) -> float:
    """The share of the page that ink covers, 0 (blank) to 1 (black all over), from grey values 0 to 255.

    Half-dark pixels count half, so the share stays the same when a picture is made smaller. What differs from the
    paper by ``GRAIN`` tones or fewer is left out.
    """
    paper = paper_tone(grey)
    darker = paper - grey.astype(np.float64)
    return float(np.where(darker > GRAIN, darker, 0).mean() / paper)


def tones(grey: np.ndarray) -> float:
    """How many tones there are beside the paper, in bits: 0 (one tone) to 5. A photograph has many and no paper.

    The entropy of the histogram in 32 steps, times the share of the page that is further than ``GRAIN`` tones away
    from the most common one. The same for a picture and its negative.
    """
    counts = np.bincount(grey.ravel() >> 3, minlength=32) / grey.size
    entropy = -(counts[counts > 0] * np.log2(counts[counts > 0])).sum()
    return float(entropy * (1 - _counts_around(grey).max() / grey.size))


def _counts_around(grey: np.ndarray) -> np.ndarray:
    """For each of the 256 tones the number of pixels within ``GRAIN`` tones of it."""
    return np.convolve(np.bincount(grey.ravel(), minlength=256), np.ones(2 * GRAIN + 1, np.int64), "same")
