"""Turns the clean lines of a page into what people draw: wobbly, gappy, with any pen, scanned."""

import torch
import torch.nn.functional as F

from s2i_teach.training.pictures import widen_lines


def doodle(
    lines: torch.Tensor, inside: torch.Tensor, generator: torch.Generator, by_people: torch.Tensor | None = None
) -> torch.Tensor:
    """Hints ``(B, 3, H, W)`` in [0, 1], white lines on black, made from ``lines`` and ``inside (B, 1, H, W)`` in {0, 1}.

    Each page by its own lot: lines or, in a fifth, the outline of things alone; wobble of up to 2 % of the page; two
    strokes for one (a tenth); gaps (half, up to a quarter of the line); a part left out (a seventh); pens of 1 to 6
    pixels; soft edges; paler ink and grain, as a scan has them. Where ``by_people (B,)`` is true, a person drew the lines:
    they keep their shape, and only pen, ink and scan are drawn by lot. All randomness comes from ``generator``.
    """
    batch, _, height, width = lines.shape

    def chance(share: float) -> torch.Tensor:
        return (torch.rand(batch, 1, 1, 1, generator=generator) < share).float()

    def even(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(batch, 1, 1, 1, generator=generator)

    outline = widen_lines(inside - _eroded(inside))
    alone = chance(0.2) * (outline.flatten(1).sum(1) > 0).float().view(-1, 1, 1, 1)
    drawn = (lines > 0.4).float()
    lines = torch.where(alone > 0, outline, lines)
    # Lots are drawn for all pages, but lines bent only where no person drew them.
    made = torch.ones(batch, dtype=torch.bool) if by_people is None else ~by_people
    wobbly = _wobbled(lines, even(0, 0.02), generator, made)
    twice = (chance(0.1) > 0).flatten()
    if twice.any():
        again = _wobbled(lines[twice], even(0.005, 0.015)[twice], generator, made[twice])
        wobbly[twice[made]] = torch.maximum(wobbly[twice[made]], again)
    field = _smooth(batch, 1, 9, height, width, generator, made)
    share = (even(0, 0.25) * chance(0.5)).flatten()[made]
    limits = [one[:, ::8, ::8].quantile(q) for one, q in zip(field, share, strict=True)]
    limit = torch.tensor(limits).view(-1, 1, 1, 1)
    spots = chance(0.15) * _spots(batch, height, width, generator)
    drawn[made] = (wobbly > 0.4).float() * (field >= limit).float() * (1 - spots[made])
    drawn = _pens(drawn, generator)
    soft = F.avg_pool2d(F.pad(drawn, (1, 1, 1, 1)), 3, 1)
    drawn = torch.lerp(drawn, soft, even(0, 1) * chance(0.7))
    drawn = drawn * (1 - chance(0.3) * even(0, 0.5))
    drawn = drawn + chance(0.15) * even(0, 0.08) * torch.randn(drawn.shape, generator=generator)
    return drawn.clamp(0, 1).expand(-1, 3, -1, -1)


def _eroded(x: torch.Tensor) -> torch.Tensor:
    return -F.max_pool2d(-x, 3, 1, 1)


def _smooth(
    batch: int, channels: int, cells: int, height: int, width: int, generator: torch.Generator, kept: torch.Tensor
) -> torch.Tensor:
    """Smooth random fields of about unit variance, with ``cells`` bumps along the height; of a batch those ``kept (B,)``."""
    coarse = torch.randn(batch, channels, cells, round(cells * width / height), generator=generator)[kept]
    # Cubic to a quarter of the size and linear from there: as smooth to the eye, and a tenth of the time.
    quarter = F.interpolate(coarse, (height // 4, width // 4), mode="bicubic", align_corners=True)
    return F.interpolate(quarter, (height, width), mode="bilinear", align_corners=True)


def _wobbled(x: torch.Tensor, strength: torch.Tensor, generator: torch.Generator, kept: torch.Tensor) -> torch.Tensor:
    """Pages moved by a smooth field of ``strength (B, 1, 1, 1)``, fractions of their height; those ``kept (B,)``."""
    batch, _, height, width = x.shape
    field, finer = (_smooth(batch, 2, cells, height, width, generator, kept) for cells in (6, 16))
    field = (field + 0.4 * finer) * 2 * strength[kept] * torch.tensor([height / width, 1.0]).view(1, 2, 1, 1)
    x = x[kept]
    if not len(x):
        return x  # no grid may be empty
    still = torch.eye(2, 3).expand(len(x), -1, -1)
    grid = F.affine_grid(still, list(x.shape), align_corners=False) + field.permute(0, 2, 3, 1)
    return F.grid_sample(x, grid, align_corners=False)


def _spots(batch: int, height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """One round spot a page, of 0.1 to 0.25 of its height in radius."""
    x, y, r = torch.rand(3, batch, 1, 1, 1, generator=generator)
    down, right = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / height, indexing="ij")
    distance = (right - x * width / height) ** 2 + (down - y) ** 2
    return (distance < (0.1 + 0.15 * r) ** 2).float()


def _pens(drawn: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Each page with its own pen; the lines that come are nearly 2 pixels wide."""
    extra = torch.multinomial(torch.tensor([0.62, 0.2, 0.1, 0.05, 0.03]), len(drawn), True, generator=generator)
    thin = torch.rand(len(drawn), generator=generator) < 0.2
    made = drawn.clone()
    for size in range(1, 5):
        chosen = extra == size
        if chosen.any():
            left = size // 2
            padded = F.pad(drawn[chosen], (left, size - left, left, size - left))
            made[chosen] = F.max_pool2d(padded, size + 1, 1)
    chosen = thin & (extra == 0)
    if chosen.any():  # a pixel taken from one side leaves a fine pen
        shifted = F.pad(drawn[chosen], (1, 0, 1, 0))[..., :-1, :-1]
        made[chosen] = drawn[chosen] * (1 - 0.7 * shifted * drawn[chosen])
    return made
