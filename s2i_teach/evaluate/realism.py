"""How far a set of pictures looks like real ones: micro-KID, a kernel distance on features of the small CLIP.

It is no KID and no FID, whose features come from another network: compare its values with each other and with nothing
in a paper. It judges sets. For one picture alone nothing was found that holds (docs/decisions.md).
"""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from s2i_teach.errors import InputError
from s2i_teach.evaluate.bootstrap import DRAWS, Interval, bootstrap
from s2i_teach.models.small_clip import as_batch, features, load_clip
from s2i_teach.paths import data_dir

REFERENCES = 600
"""Real pictures that are compared with."""


def kernel_distance(x: torch.Tensor, y: torch.Tensor) -> float:
    """KID's unbiased squared maximum mean discrepancy of two sets of features (Bińkowski et al. 2018, equation 4).

    The kernel is (x·y / d + 1)³. Near 0 if both come from one distribution (it may be negative, since it is unbiased),
    the larger the further apart.

    Args:
        x, y: ``(m, d)`` and ``(n, d)``, m and n at least 2.

    Raises:
        InputError: other shapes, or fewer.
    """
    if x.dim() != 2 or y.dim() != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise InputError(
            f"Features of shapes {tuple(x.shape)} and {tuple(y.shape)} cannot be compared: give (m, d) and (n, d) with "
            "m and n at least 2."
        )
    x, y = x.double(), y.double()  # the terms nearly cancel
    xx, yy, xy = polynomial_kernel(x, x), polynomial_kernel(y, y), polynomial_kernel(x, y)
    m, n = len(x), len(y)
    within_x = (xx.sum() - xx.trace()) / (m * (m - 1))
    within_y = (yy.sum() - yy.trace()) / (n * (n - 1))
    return (within_x + within_y - 2 * xy.mean()).item()


def polynomial_kernel(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """KID's kernel (x·y / d + 1)³ of every pair: ``(m, d)`` and ``(n, d)`` → ``(m, n)``."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def kernel_distance_interval(
    x: torch.Tensor, y: torch.Tensor, groups=None, draws: int = DRAWS, seed: int = 0
) -> Interval:
    """:func:`kernel_distance` with its bootstrap interval: ``x`` is drawn anew, the real ones ``y`` stay as they are.

    Drawing with replacement puts copies into a set, and two copies are not two pictures: their kernel is that of a
    picture with itself, which the unbiased estimate leaves out. So pairs of copies are left out as well.

    Args:
        x, y: features ``(m, d)`` and ``(n, d)``, m and n at least 2.
        groups: of each of ``x``, see :func:`s2i_teach.evaluate.bootstrap.interval`.

    Raises:
        InputError: other shapes, or fewer.
    """
    value = kernel_distance(x, y)
    x, y = x.double(), y.double()
    xx, yy = polynomial_kernel(x, x), polynomial_kernel(y, y)
    xx.fill_diagonal_(0)
    to_real = polynomial_kernel(x, y).mean(1).numpy()
    within_y = ((yy.sum() - yy.trace()) / (len(y) * (len(y) - 1))).item()
    within_x = xx.numpy()

    def statistic(weights: np.ndarray) -> np.ndarray:
        pairs = weights.sum(1) ** 2 - (weights**2).sum(1)
        within = np.divide(
            ((weights @ within_x) * weights).sum(1), pairs, out=np.full(len(weights), np.nan), where=pairs > 0
        )
        return within + within_y - 2 * (weights @ to_real) / weights.sum(1)

    return bootstrap(statistic, value, len(x), groups, draws, seed)


def real_pictures(count: int = REFERENCES, seed: int = 0) -> list[Path]:
    """Files of ``count`` real pictures in colour, drawn from ``data/pairs/train``; the same for the same seed.

    Raises:
        InputError: there are not so many.
    """
    folder = data_dir() / "pairs" / "train"
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    coloured = [folder / row["file_name"] for row in rows if row["style"] != "line"]
    if not 1 <= count <= len(coloured):
        raise InputError(f"{count} real pictures were asked for: there are {len(coloured)}.")
    order = torch.randperm(len(coloured), generator=torch.Generator().manual_seed(seed))[:count]
    return [coloured[i] for i in order.tolist()]


@lru_cache(maxsize=2)
def _features_of(paths: tuple[Path, ...]) -> torch.Tensor:
    return features(load_clip(), as_batch(paths))


def real_features(count: int = REFERENCES, seed: int = 0) -> torch.Tensor:
    """Features ``(count, 192)`` of :func:`real_pictures`; computed once."""
    return _features_of(tuple(real_pictures(count, seed)))


def picture_features(pictures) -> torch.Tensor:
    """Features ``(B, 192)`` of a list of pictures of any kind and size.

    Raises:
        InputError: there is none, or one cannot be opened.
    """
    pictures = list(pictures)
    if not pictures:
        raise InputError("There is no picture to judge: give at least one.")
    return features(load_clip(), as_batch(pictures))


def micro_kid(pictures, real=None) -> float:
    """:func:`kernel_distance` on features of the small CLIP of a set of pictures and real ones; smaller is better.

    It also measures *what* is shown: ten turtles are far from pictures of all things however well they are drawn. So
    compare sets that show the same things.

    Args:
        pictures: at least 2, of any kind and size.
        real: pictures to compare with; None takes :func:`real_pictures`.

    Raises:
        InputError: fewer than 2, or one that cannot be opened.
    """
    return kernel_distance(picture_features(pictures), real_features() if real is None else picture_features(real))
