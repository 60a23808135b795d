"""Does a model give its training pictures back? Nearest neighbours, with a control."""

import torch

from s2i_teach.errors import InputError


def nearest(x: torch.Tensor, others: torch.Tensor, skip_self: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """The nearest of ``others`` to each of ``x``, by the root of the mean squared difference.

    Args:
        x, others: ``(M, d)`` and ``(N, d)``.
        skip_self: ``x`` and ``others`` are the same, and none is its own neighbour.

    Returns:
        Distances ``(M,)`` in double precision, and places in ``others`` ``(M,)``.

    Raises:
        InputError: other shapes, nothing to compare with, or ``skip_self`` for sets of different size.
    """
    x, others = check_sets(x, others)
    if skip_self and (len(x) != len(others) or len(x) < 2):
        raise InputError(f"{len(x)} and {len(others)} pictures are not one set of two or more: leave skip_self out.")
    apart = torch.cdist(x, others) / x.shape[1] ** 0.5  # by a matrix product where there are many, which is quick
    if skip_self:
        apart.fill_diagonal_(torch.inf)
    found = apart.min(1)
    return found.values, found.indices


def nearer_than_new(made: torch.Tensor, new: torch.Tensor, training: torch.Tensor) -> float:
    """How often a made picture lies nearer to the training pictures than a new one does.

    Near is the distance to the *nearest* training picture. Of all pairs of a made and a new picture, the share in which
    the made one is nearer, ties as half. New pictures are real ones that no training has seen: they are the control. ½
    says that the made pictures are as near as new ones, 1 that each is nearer than any new one. It is the area under the
    ROC curve, or the Mann–Whitney U divided by the number of pairs (Mann & Whitney 1947).

    Args:
        made, new, training: pictures or features, ``(M, d)``, ``(N, d)`` and ``(T, d)``.

    Raises:
        InputError: other shapes, or an empty set.
    """
    of_made = distances(*check_sets(made, training)).min(1).values  # (M,)
    of_new = distances(*check_sets(new, training)).min(1).values  # (N,)
    gap = of_new[None, :] - of_made[:, None]  # (M, N)
    return ((gap > 0).double() + (gap == 0).double() / 2).mean().item()


def distances(x: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """All Euclidean distances of ``x`` ``(M, d)`` from ``others`` ``(N, d)``: ``(M, N)``."""
    # Without torch's short cut by a matrix product, in which two equal distances come out unequal.
    return torch.cdist(x, others, compute_mode="donot_use_mm_for_euclid_dist")


def check_sets(x, others) -> tuple[torch.Tensor, torch.Tensor]:
    """Both sets in double precision.

    Raises:
        InputError: they are no two sets of pictures ``(M, d)`` and ``(N, d)`` that can be compared.
    """
    for one in (x, others):
        if not isinstance(one, torch.Tensor) or one.dim() != 2 or not one.numel() or one.is_complex():
            shape = tuple(getattr(one, "shape", ())) or type(one).__name__
            raise InputError(f"{shape} cannot be compared: give tensors (pictures, numbers), none of them empty.")
        if not one.isfinite().all():
            raise InputError("Not all of these numbers are finite: leave those pictures out.")
    if x.shape[1] != others.shape[1]:
        raise InputError(f"{x.shape[1]} numbers cannot be compared with {others.shape[1]}: give as many of both.")
    return x.double(), others.double()
