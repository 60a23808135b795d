"""Small pictures that a network learns in half a minute, each with its outline: circles, squares and triangles."""

import math

import torch

SHAPES = ("circle", "square", "triangle")


def shapes(n: int, generator: torch.Generator, side: int = 24) -> tuple[torch.Tensor, torch.Tensor]:
    """``n`` shapes, one a picture, of random kind, place, size and one of six colours on white, and their outlines.

    Returns pictures ``(n, 3, side, side)`` in [−1, 1] and outlines ``(n, 1, side, side)`` in [0, 1], 1 on the line. The
    outline says nothing of the colour.
    """

    def between(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(n, 1, 1, generator=generator)

    kind = torch.randint(len(SHAPES), (n, 1, 1), generator=generator)
    radius = side * between(0.19, 0.3)
    x0, y0 = (radius + 2 + (side - 2 * radius - 4) * between(0, 1) for _ in range(2))
    y, x = torch.meshgrid(torch.arange(side) + 0.5, torch.arange(side) + 0.5, indexing="ij")
    dx, dy = x - x0, y - y0  # (n, side, side), in pixels
    slope = math.sqrt(3) / 2
    distance = torch.stack(  # to the border, below 0 inside
        [
            (dx**2 + dy**2).sqrt() - radius,
            torch.maximum(dx.abs(), dy.abs()) - 0.9 * radius,
            torch.maximum(slope * dx.abs() - (dy - radius / 4) / 2, dy - radius / 4) - 0.58 * radius,
        ]
    ).gather(0, kind.expand(n, side, side)[None])[0]
    hue = math.pi / 3 * torch.randint(6, (n, 1, 1), generator=generator)
    colour = torch.stack([(hue + third * 2 * math.pi / 3).cos() for third in range(3)], 1)  # (n, 3, 1, 1)
    inside = (0.5 - distance).clamp(0, 1)[:, None]
    return 1 + inside * (colour - 1), (1.2 - distance.abs()).clamp(0, 1)[:, None]


def inside(outline: torch.Tensor) -> torch.Tensor:
    """What an outline of :func:`shapes` encloses, its line included: ``(n, 1, H, W)`` → the same, true inside.

    A pixel is outside if it can be reached from the border without crossing the line.
    """
    line = outline > 0.5
    outside = torch.zeros_like(line)
    outside[..., [0, -1], :] = outside[..., :, [0, -1]] = True
    outside &= ~line
    for _ in range(sum(outline.shape[-2:])):
        near = torch.nn.functional.max_pool2d(outside.float(), (3, 1), 1, (1, 0)).maximum(
            torch.nn.functional.max_pool2d(outside.float(), (1, 3), 1, (0, 1))
        )
        outside = (near > 0) & ~line
    return ~outside


def overlap(pictures: torch.Tensor, outlines: torch.Tensor) -> torch.Tensor:
    """How well what is painted covers what the outlines enclose, ``(n,)``: intersection over union, 0 to 1.

    Painted is a pixel one of whose colours is darker than half of white. ``pictures`` ``(n, 3, H, W)`` in [−1, 1].
    """
    painted, wanted = pictures.amin(1, keepdim=True) < 0.4, inside(outlines)
    both, either = (painted & wanted).flatten(1).sum(1), (painted | wanted).flatten(1).sum(1)
    return both / either.clamp(min=1)
