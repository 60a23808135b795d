"""The true reverse kernel q(x' | x_t) of a small data set, and what a Gaussian step keeps of it.

Given x_0, the step back is a Gaussian (Ho et al. 2020, equations 6 and 7). Not knowing x_0, it is a mixture of such
Gaussians, one for each data point, with the weights p(x_i | x_t). A sampler's step has a single Gaussian in its place,
around the mean of the data points. Its mean is right at any step length; its variance lacks that of the mixture's means.

``a`` is ᾱ where the step starts, ``a_prev`` where it ends: a < a_prev ≤ 1. Both are numbers.
"""

import torch

from s2i_teach.theory.ideal import ideal_x0, weights


def reverse_density(grid: torch.Tensor, x_t: float, data: torch.Tensor, a: float, a_prev: float) -> torch.Tensor:
    """q(x' | x_t) on the line by Bayes' rule, counted out on a grid: q(x_t | x') · q(x'), divided by its sum.

    q(x') is the data ``(N,)`` noised to ``a_prev`` < 1, and q(x_t | x') a Gaussian around √α · x' of variance 1 − α, with
    α = a / a_prev. ``grid`` is ``(G,)``, evenly spaced and wide enough; returns densities ``(G,)``.
    """
    alpha = a / a_prev
    before = torch.exp(-((grid[:, None] - a_prev**0.5 * data) ** 2) / (2 * (1 - a_prev))).mean(1)
    likelihood = torch.exp(-((x_t - alpha**0.5 * grid) ** 2) / (2 * (1 - alpha)))
    density = before * likelihood
    return density / (density.sum() * (grid[1] - grid[0]))


def mean_weights(a: float, a_prev: float) -> tuple[float, float]:
    """The factors of x_0 and of x_t in the mean of q(x' | x_t, x_0) (Ho et al. 2020, equation 7)."""
    alpha = a / a_prev
    return a_prev**0.5 * (1 - alpha) / (1 - a), alpha**0.5 * (1 - a_prev) / (1 - a)


def step_variance(a: float, a_prev: float) -> float:
    """The variance of q(x' | x_t, x_0), β̃ (Ho et al. 2020, equation 7). 0 where the step ends at ``a_prev`` = 1."""
    return (1 - a_prev) / (1 - a) * (1 - a / a_prev)


def spread_lost(x_t: torch.Tensor, data: torch.Tensor, a: float, a_prev: float) -> torch.Tensor:
    """The share of the true kernel's variance that the Gaussian step lacks, for each x_t: ``(B, D)`` → ``(B,)``, 0 to 1.

    The kernel's variance is β̃ + c² · Var[x_0 | x_t], with c the factor of x_0 in the mean; the step has β̃ alone. Summed
    over the D directions. ``data`` is ``(N, D)``.
    """
    c, _ = mean_weights(a, a_prev)
    mean = ideal_x0(x_t, data, a)
    variance = (weights(x_t, data, a) @ data.pow(2) - mean.pow(2)).sum(1).clamp(min=0)
    lost, kept = c**2 * variance, step_variance(a, a_prev) * data.shape[1]
    return lost / (kept + lost).clamp(min=1e-12)


def draw_true(
    x_t: torch.Tensor, data: torch.Tensor, a: float, a_prev: float, generator: torch.Generator
) -> torch.Tensor:
    """A draw from the true kernel for each x_t: a data point by its weight, then q(x' | x_t, that point). ``(B, D)``.

    Exact at any step length, so that even one step to ``a_prev`` = 1 gives points of the data ``(N, D)``. A network cannot
    do it: it would have to know the weights of all data, where a trained one gives their mean alone.
    """
    of_x0, of_x_t = mean_weights(a, a_prev)
    which = torch.multinomial(weights(x_t, data, a), 1, generator=generator)[:, 0]
    noise = torch.randn(x_t.shape, generator=generator)
    return of_x0 * data[which] + of_x_t * x_t + step_variance(a, a_prev) ** 0.5 * noise
