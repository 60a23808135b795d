"""The exact denoiser of a finite data set: what a perfect network would predict.

If the data are N points, each as likely as the others, then x_t is a mixture of N Gaussians around √ᾱ · x_i, and the
best guess of x_0 in the least-squares sense is the mean of the points, weighted by how likely each made this x_t.
"""

import torch


def weights(x_t: torch.Tensor, data: torch.Tensor, a: float) -> torch.Tensor:
    """p(x_i | x_t) ∝ exp(−‖x_t − √ᾱ · x_i‖² / (2 · (1 − ᾱ))).

    ``x_t`` is ``(B, …)``, ``data`` ``(N, …)`` of the same trailing shape, ``a`` is ᾱ_t in (0, 1); returns ``(B, N)``,
    each row summing to 1.
    """
    distance = torch.cdist(x_t.flatten(1), a**0.5 * data.flatten(1)) ** 2
    return torch.softmax(-distance / (2 * (1 - a)), dim=1)


def ideal_x0(x_t: torch.Tensor, data: torch.Tensor, a: float) -> torch.Tensor:
    """E[x_0 | x_t], the minimiser of the mean squared error (Karras et al. 2022, appendix B.3). ``(B, …)``."""
    return (weights(x_t, data, a) @ data.flatten(1)).view_as(x_t)


def ideal_eps(x_t: torch.Tensor, data: torch.Tensor, a: float) -> torch.Tensor:
    """E[ε | x_t] = (x_t − √ᾱ · E[x_0 | x_t]) / √(1 − ᾱ). ``(B, …)``.

    −E[ε | x_t] / √(1 − ᾱ) is the score, the gradient of log p(x_t) (Song et al. 2020, arXiv 2011.13456).
    """
    return (x_t - a**0.5 * ideal_x0(x_t, data, a)) / (1 - a) ** 0.5
