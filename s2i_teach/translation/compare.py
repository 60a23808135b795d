"""Compare pictures fairly: which settings differ, what seed and words decide, and where the sketch's lines are lost."""

from collections.abc import Callable
from dataclasses import fields
from itertools import combinations

import torch
import torch.nn.functional as F
from PIL import Image

from s2i_teach.errors import InputError
from s2i_teach.translation.settings import Settings

NEIGHBOURHOOD = 0.035
"""Radius around a pixel that its darkness is compared with, as a share of the shorter side: a little more than a line."""


def differences(a: Settings, b: Settings) -> list[str]:
    """The names of the settings in which two runs differ, in the order in which ``Settings`` has them.

    A comparison is fair if it is one name (and sketch and model are the same). None is the model's own
    default and differs from every number: compare settings that are resolved, as a ``Result`` has them.
    """
    return [field.name for field in fields(a) if getattr(a, field.name) != getattr(b, field.name)]


def what_it_does(make: Callable, change: dict) -> str:
    """What a change of arguments does: ``"refused"``, ``"nothing"`` or ``"another picture"``.

    Args:
        make: gives a PIL picture, or raises ``InputError`` at what it does not take; it is called as ``make()`` and as
            ``make(**change)``. It must give the same picture for the same arguments, so with a fresh generator each time.
        change: names of arguments and their values.

    Raises:
        InputError: ``make`` gives something else, or refuses its own defaults.
    """
    plain = make()
    try:
        changed = make(**change)
    except InputError:
        return "refused"
    return "nothing" if same_picture(plain, changed) else "another picture"


def same_picture(a, b) -> bool:
    """Whether two PIL pictures have one size and show the same in every pixel.

    Raises:
        InputError: one of them is no picture.
    """
    for picture in (a, b):
        if not isinstance(picture, Image.Image):
            raise InputError(f"This is no PIL picture ({type(picture).__name__}): a result has one, result.image.")
    return a.size == b.size and a.convert("RGBA").tobytes() == b.convert("RGBA").tobytes()


def spread(pictures: torch.Tensor) -> float:
    """How far apart pictures are: the mean of |a − b| over all pixels and all pairs of different ones.

    ``pictures`` ``(N, 3, H, W)`` in [−1, 1], N ≥ 2. 0 if all are equal, 2 between black and white.
    """
    distances = [(a - b).abs().mean() for a, b in combinations(pictures, 2)]
    return torch.stack(distances).mean().item()


def variance_shares(pictures: torch.Tensor) -> tuple[float, float, float]:
    """What makes pictures of P prompts × S seeds differ: the shares of words, of seeds, and of both together.

    The two-way analysis of variance, one picture a cell (Fisher 1925; the shares are η²): a pixel's variance around its
    mean over all pictures is the variance of the prompts' means, plus that of the seeds' means, plus what neither
    explains, and the three are added up over all pixels. "Both" is what a seed does under one prompt and not under
    another. Pictures without any order have on average the shares (P − 1) : (S − 1) : (P − 1)(S − 1), not 0.

    Args:
        pictures: ``(P, S, …)``, P and S at least 2; every prompt with every seed.

    Returns:
        ``(words, seeds, both)``, each from 0 to 1, together 1.

    Raises:
        InputError: fewer than two prompts or seeds, or pictures that are all equal.
    """
    if (
        not isinstance(pictures, torch.Tensor)
        or pictures.dim() < 2
        or min(pictures.shape[:2]) < 2
        or pictures.is_complex()
    ):
        shape = tuple(getattr(pictures, "shape", ())) or type(pictures).__name__
        raise InputError(f"{shape} cannot be split: give a tensor (P, S, …) with at least 2 prompts and 2 seeds.")
    centred = pictures.double() - pictures.double().mean((0, 1))
    words = centred.mean(1, keepdim=True)  # (P, 1, …): what a prompt does whatever the seed
    seeds = centred.mean(0, keepdim=True)  # (1, S, …)
    both = centred - words - seeds
    total = (centred**2).mean()
    if not 0 < total < torch.inf:
        raise InputError("These pictures have no variance to share out: they are all equal, or not finite.")
    shares = [((part**2).mean() / total).item() for part in (words, seeds, both)]
    return shares[0], shares[1], shares[2]


def vanishing_strength(strengths: list[float], agreements: list[float], threshold: float) -> float | None:
    """The lowest strength from which on the lines are gone, or None if the highest still has them.

    Gone means an agreement below ``threshold`` at this strength and at every higher one. The strengths
    may come in any order; ``agreements[i]`` belongs to ``strengths[i]``.
    """
    seen = [s for s, agreement in zip(strengths, agreements, strict=True) if agreement >= threshold]
    return min((s for s in strengths if s > max(seen, default=0)), default=None)


def line_agreement(sketch: torch.Tensor, picture: torch.Tensor) -> float:
    """How far the sketch's lines are dark lines in the picture too, from −1 to 1, of two ``(3, H, W)`` in [−1, 1].

    The correlation of both pictures' local contrast, the darkness of a pixel compared with its neighbourhood's mean. A copy
    has 1, unrelated lines about 0, light lines where dark ones were drawn a negative value; areas count little. 0 if
    either of the two has no contrast at all.
    """
    a, b = (_local_contrast(x) for x in (sketch, picture))
    lengths = (a.norm() * b.norm()).item()
    return (a * b).sum().item() / lengths if lengths > 1e-6 else 0.0


def _local_contrast(x: torch.Tensor) -> torch.Tensor:
    """``(3, H, W)`` in [−1, 1] → ``(H, W)`` of mean 0: how much darker than its neighbourhood each pixel is."""
    darkness = -x.mean(0, keepdim=True)
    radius = max(1, round(NEIGHBOURHOOD * min(x.shape[1:])))
    around = F.avg_pool2d(darkness, 2 * radius + 1, 1, radius, count_include_pad=False)
    contrast = (darkness - around)[0]
    return contrast - contrast.mean()
