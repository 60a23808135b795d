"""Painters that learned nothing, for the agent to be measured against: one by lot, one that tries and takes the best."""

import torch
import torch.nn.functional as F

from s2i_teach.families.painter import NUMBERS, SMALL, STROKES, apply_strokes, shrunk

INSIDE = (0.32, 0.19, 0.06)
"""Mean colour of things' insides in the training pictures, RGB in [−1, 1]."""


def random_painter(hints: torch.Tensor, generator: torch.Generator, strokes: int = STROKES) -> torch.Tensor:
    """Pictures ``(B, 3, 128, 128)`` in [−1, 1] of strokes whose numbers are drawn evenly from [−1, 1]."""
    canvas = torch.ones(len(hints), 3, *hints.shape[2:])
    for _ in range(strokes):
        canvas = apply_strokes(canvas, _random_strokes(len(hints), generator))
    return canvas


def greedy_painter(
    hints: torch.Tensor, generator: torch.Generator, strokes: int = STROKES, tries: int = 64
) -> torch.Tensor:
    """Pictures ``(B, 3, 128, 128)`` in [−1, 1]: of ``tries`` random strokes each time the one that comes nearest to
    :func:`guess`, or none if none comes nearer.
    """
    target, canvas, small = guess(hints), torch.ones(len(hints), 3, *hints.shape[2:]), None
    for _ in range(strokes):
        tried = _random_strokes(len(hints) * tries, generator)
        small = shrunk(canvas)
        made = apply_strokes(small.repeat_interleave(tries, 0), tried)
        error = (made - target.repeat_interleave(tries, 0)).square().flatten(1).mean(1).view(-1, tries)
        best = error.argmin(1)
        chosen = tried.view(-1, tries, len(NUMBERS))[torch.arange(len(hints)), best]
        better = error.gather(1, best[:, None])[:, 0] < (small - target).square().flatten(1).mean(1)
        canvas = torch.where(better.view(-1, 1, 1, 1), apply_strokes(canvas, chosen), canvas)
    return canvas


def guess(hints: torch.Tensor) -> torch.Tensor:
    """What is known without learning, ``(B, 3, 32, 32)`` in [−1, 1]: all that the lines close in, in :data:`INSIDE`."""
    colour = torch.tensor(INSIDE).view(1, 3, 1, 1)
    return 1 + filled(hints) * (colour - 1)


def filled(hints: torch.Tensor) -> torch.Tensor:
    """1 where the page's border cannot be reached without crossing a line, ``(B, 1, 32, 32)``; gaps of 4 pixels are closed."""
    free = (F.adaptive_max_pool2d(hints, SMALL) < 0.3).float()
    free = F.pad(free, (1, 1, 1, 1), value=1.0)
    reached = torch.zeros_like(free)
    reached[:, :, 0, 0] = 1
    cross = torch.tensor([[0.0, 1, 0], [1, 1, 1], [0, 1, 0]]).view(1, 1, 3, 3)
    while True:
        wider = (F.conv2d(reached, cross, padding=1) > 0).float() * free
        if torch.equal(wider, reached):
            return 1 - reached[:, :, 1:-1, 1:-1]
        reached = wider


def _random_strokes(number: int, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(number, len(NUMBERS), generator=generator) * 2 - 1


def compare(
    made: dict[str, torch.Tensor], real: torch.Tensor, draws: int = 2000, seed: int = 0
) -> dict[str, tuple[float, float, float]]:
    """Name → mean squared error to the real pictures as a share of blank pages', and the ends of its 95 % interval.

    ``"first - other"`` is the difference of the first to each other, whose interval has both on the same pages. The
    interval is a bootstrap's over pages (Efron 1979): pages are drawn anew with replacement, ``draws`` times.

    Args:
        made: name → pictures ``(B, 3, H, W)`` in [−1, 1].
        real: ``(B, 3, H, W)`` in [−1, 1].
    """
    blank = (1 - real).square().flatten(1).mean(1)
    errors = {name: (x - real).square().flatten(1).mean(1) for name, x in made.items()}
    drawn = torch.randint(len(real), (draws, len(real)), generator=torch.Generator().manual_seed(seed))
    drawn = torch.cat([torch.arange(len(real))[None], drawn])  # the pages themselves first
    shares = {name: error[drawn].sum(1) / blank[drawn].sum(1) for name, error in errors.items()}
    first, *others = shares
    shares |= {f"{first} - {other}": shares[first] - shares[other] for other in others}
    ends = torch.tensor([0.025, 0.975])
    return {name: (float(x[0]), *x[1:].quantile(ends).tolist()) for name, x in shares.items()}
