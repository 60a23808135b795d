"""The lines of a picture: where colours meet."""

import numpy as np
from scipy import ndimage
from skimage.filters import apply_hysteresis_threshold


def contours(rgb: np.ndarray, low: float = 0.06, high: float = 0.14) -> np.ndarray:
    """Where the colours of a picture change, in lines of one pixel: ``(H, W, 3)`` uint8 → ``(H, W)`` bool.

    Canny's way (1986) in colour: gradients of a slightly smoothed picture, of the channel that changes most; only the
    crest of each ridge; weak crests (``low`` to ``high`` of the largest possible gradient) only where they go on from strong ones.
    """
    smooth = ndimage.uniform_filter(rgb.astype(np.float32) / 255, (3, 3, 1))
    dx, dy = (ndimage.sobel(smooth, axis) / 4 for axis in (1, 0))
    strength = np.hypot(dx, dy)
    channel = strength.argmax(2)[..., None]
    dx, dy, strength = (np.take_along_axis(x, channel, 2)[..., 0] for x in (dx, dy, strength))
    direction = np.round(np.arctan2(dy, dx) / (np.pi / 4)).astype(int) % 4
    padded = np.pad(strength, 1)
    crest = np.zeros(strength.shape, bool)
    for number, (across, down) in enumerate(((1, 0), (1, 1), (0, 1), (-1, 1))):
        ahead = padded[1 + down :, 1 + across :][: len(strength), : strength.shape[1]]
        behind = np.roll(np.roll(padded, down, 0), across, 1)[1:-1, 1:-1]
        ahead = np.roll(np.roll(padded, -down, 0), -across, 1)[1:-1, 1:-1]
        crest |= (direction == number) & (strength >= ahead) & (strength > behind)
    return apply_hysteresis_threshold(np.where(crest, strength, 0), low, high)
