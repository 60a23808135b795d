"""Whether colours come back: the hues of flat, saturated cells of pictures, before and after."""

import torch
import torch.nn.functional as F

from s2i_teach.training.pictures import rgb_to_hsv

CELL = 8
"""Side of a cell in pixels: one latent of the VAE."""

RANGES = {
    "red": (345, 15),
    "orange": (15, 45),
    "yellow": (45, 70),
    "green": (70, 165),
    "blue": (165, 260),
    "purple and pink": (260, 345),
}
"""Name → hue angles in degrees, from and to; red goes over 0."""

WRONG = 40.0
"""Degrees; a hue further off than this is another colour."""


def flat_cells(x: torch.Tensor) -> torch.Tensor:
    """Where pictures ``(B, 3, H, W)`` in [−1, 1] have cells of one saturated colour: ``(B, H / 8, W / 8)`` bool.

    No channel varies by more than 0.1 (of 2) within a cell; saturation and value (HSV) are above 0.5 and 0.3.
    """
    span = F.max_pool2d(x, CELL) + F.max_pool2d(-x, CELL)
    _, saturation, value = rgb_to_hsv((F.avg_pool2d(x, CELL) + 1) / 2)
    return (span.amax(1) <= 0.1) & (saturation > 0.5) & (value > 0.3)


def hue_errors(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """For the flat cells of ``x``: their hue, and how far the hue of ``y`` there is from it; degrees, ``(cells,)`` each.

    A cell of ``y`` that is grey (saturation below 0.1) counts as 180° off.
    """
    cells = flat_cells(x)
    hue, _, _ = rgb_to_hsv((F.avg_pool2d(x, CELL) + 1) / 2)
    other, saturation, _ = rgb_to_hsv((F.avg_pool2d(y, CELL).clamp(-1, 1) + 1) / 2)
    difference = ((other - hue + 180) % 360 - 180).abs()
    difference = torch.where(saturation < 0.1, 180.0, difference)
    return hue[cells], difference[cells]


def chroma_kept(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """For the flat cells of ``x``: how much of their chroma (largest less smallest channel) ``y`` has, ``(cells,)``.

    1 is all of it, 0 a grey: a colour may come back pale with its hue right, which :func:`hue_errors` does not tell.
    """
    before, after = (F.avg_pool2d(part, CELL).clamp(-1, 1) for part in (x, y))
    before, after = (part.amax(1) - part.amin(1) for part in (before, after))
    cells = flat_cells(x)
    return after[cells] / before[cells]


def in_range(hues: torch.Tensor, name: str) -> torch.Tensor:
    """Which hues in degrees belong to a range: bool of the same shape."""
    low, high = RANGES[name]
    return (hues >= low) & (hues < high) if low < high else (hues >= low) | (hues < high)


def hue_table(hues: torch.Tensor, errors: torch.Tensor) -> dict[str, tuple[int, float, float]]:
    """Range → number of cells, share of them more than :data:`WRONG` degrees off, median error in degrees."""
    table = {}
    for name in RANGES:
        own = errors[in_range(hues, name)]
        table[name] = (len(own), (own > WRONG).float().mean().item(), own.median().item() if len(own) else float("nan"))
    return table
