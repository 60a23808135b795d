"""What papers print of two sets of pictures: the Fréchet distance (FID's formula), and precision and recall.

All work on features, ``(n, d)``. FID itself takes 2,048 features of Inception and tens of thousands of pictures.
"""

import torch

from s2i_teach.errors import InputError

NEIGHBOURS = 3
"""k of :func:`precision_recall`, as in the paper."""


def _checked(x: torch.Tensor, y: torch.Tensor, least: int) -> tuple[torch.Tensor, torch.Tensor]:
    if x.dim() != 2 or y.dim() != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < least:
        raise InputError(
            f"Features of shapes {tuple(x.shape)} and {tuple(y.shape)} cannot be compared: give (m, d) and (n, d) with "
            f"m and n at least {least}."
        )
    return x.double(), y.double()


def frechet_distance(x: torch.Tensor, y: torch.Tensor) -> float:
    """‖m − m′‖² + Tr(C + C′ − 2 (C C′)^½) of two sets' means and covariances (Heusel et al. 2017, equation 6).

    It is the squared Wasserstein-2 distance of two Gaussians with these means and covariances. An estimate from few pictures is
    too high, the more so the fewer there are (Chong and Forsyth 2019).

    Args:
        x, y: ``(m, d)`` and ``(n, d)``, m and n at least 2.

    Raises:
        InputError: other shapes, or fewer.
    """
    x, y = _checked(x, y, 2)
    of_x, of_y = torch.cov(x.T).reshape(x.shape[1], -1), torch.cov(y.T).reshape(x.shape[1], -1)
    # The trace of (C C′)^½ is the sum of the square roots of C C′'s eigenvalues, which are those of a positive matrix.
    roots = torch.linalg.eigvals(of_x @ of_y).real.clamp(min=0).sqrt().sum()
    return ((x.mean(0) - y.mean(0)).square().sum() + of_x.trace() + of_y.trace() - 2 * roots).item()


def precision_recall(made: torch.Tensor, real: torch.Tensor, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """How much of what was made could be real, and how much of what is real could have been made (Kynkäänniemi et al. 2019).

    A set's manifold is taken for the balls around its points, each as large as the distance to its ``neighbours``-th neighbour.
    Precision is the share of ``made`` within the balls of ``real``; recall is the share of ``real`` within those of ``made``.

    Args:
        made, real: ``(m, d)`` and ``(n, d)``, each with more points than ``neighbours``. Compare values only at equal m and n.
        neighbours: 1 or more.

    Raises:
        InputError: other shapes, or fewer.
    """
    if not isinstance(neighbours, int) or isinstance(neighbours, bool) or neighbours < 1:
        raise InputError(f"neighbours is {neighbours!r}: use a whole number from 1 on.")
    made, real = _checked(made, real, neighbours + 1)

    def covered(points: torch.Tensor, by: torch.Tensor) -> float:
        # The nearest to a point of its own set is itself: the k-th neighbour comes after it.
        exact = "donot_use_mm_for_euclid_dist"  # or a copy would not lie at distance 0
        radius = torch.cdist(by, by, compute_mode=exact).kthvalue(neighbours + 1, dim=1).values
        return (torch.cdist(points, by, compute_mode=exact) <= radius).any(1).double().mean().item()

    return covered(made, real), covered(real, made)
