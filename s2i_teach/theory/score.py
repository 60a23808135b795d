"""The score, the gradient of log p(x_t): what it is, how a network learns it, and where it leads.

With x_t = √ᾱ · x_0 + √(1 − ᾱ) · ε the score is −E[ε | x_t] / √(1 − ᾱ), so every denoiser is a score network. Two walks
follow it from noise to data: one with fresh noise at every step (an SDE), one without (an ODE). Their points have the
same distribution at every moment (Song et al. 2020, arXiv 2011.13456).
"""

import math

import torch


def mixture_log_density(x: torch.Tensor, centres: torch.Tensor, sigma: float) -> torch.Tensor:
    """log p(x) of Gaussians around ``centres`` ``(N, D)``, each as likely as the others: ``(B, D)`` → ``(B,)``.

    ``sigma`` is their standard deviation. Points that were noised to ᾱ have the centres √ᾱ · x_i and σ = √(1 − ᾱ).
    """
    squares = (x[:, None] - centres).pow(2).sum(2) / (2 * sigma**2)
    constant = x.shape[1] / 2 * math.log(2 * math.pi * sigma**2) + math.log(len(centres))
    return torch.logsumexp(-squares, dim=1) - constant


def mixture_score(x: torch.Tensor, centres: torch.Tensor, sigma: float) -> torch.Tensor:
    """∇ log p(x) of Gaussians around ``centres`` ``(N, D)``, each as likely as the others: ``(B, D)`` → ``(B, D)``.

    Σ w_i · (c_i − x) / σ², where w_i is the probability that x came from the centre c_i: the arrows to all centres,
    averaged by Bayes' rule. The gradient of :func:`mixture_log_density`.
    """
    arrows = centres - x[:, None]  # (B, N, D)
    share = torch.softmax(-arrows.pow(2).sum(2) / (2 * sigma**2), dim=1)  # (B, N)
    return (share[:, :, None] * arrows).sum(1) / sigma**2


def score_from_eps(eps: torch.Tensor, a: torch.Tensor | float) -> torch.Tensor:
    """−ε̂ / √(1 − ᾱ), the score that a predicted noise ``(B, …)`` stands for. ``a`` is ᾱ_t in [0, 1)."""
    return -eps / (1 - a) ** 0.5


def x0_from_score(x_t: torch.Tensor, score: torch.Tensor, a: torch.Tensor | float) -> torch.Tensor:
    """E[x_0 | x_t] = (x_t + (1 − ᾱ) · score) / √ᾱ: Tweedie's formula (Efron 2011). ``(B, …)``."""
    return (x_t + (1 - a) * score) / a**0.5


def langevin_step(x: torch.Tensor, score: torch.Tensor, length: float, noise: torch.Tensor) -> torch.Tensor:
    """x + h · score + √(2h) · n: with many short steps h the points come to have the density whose score it is.

    Song & Ermon 2019 (arXiv 1907.05600) walk so through many noise levels; in this form it is equation 2 of Song et al.
    2020 (arXiv 2011.13456). ``length`` is h, in squared units of x. Tensors are ``(B, …)``.
    """
    return x + length * score + (2 * length) ** 0.5 * noise


def reverse_sde_step(x: torch.Tensor, score: torch.Tensor, beta: float, noise: torch.Tensor) -> torch.Tensor:
    """One short step back of the reverse SDE, x + β · (x/2 + score) + √β · n (Song et al. 2020, equation 6 for the SDE of equation 11).

    ``beta`` is β(t) · Δt, how much noise the forward process adds in this step: 1 − α. Tensors are ``(B, …)``.
    """
    return x + beta * (x / 2 + score) + beta**0.5 * noise


def probability_flow_step(x: torch.Tensor, score: torch.Tensor, beta: float) -> torch.Tensor:
    """One short step back of the ODE with the same densities, x + β/2 · (x + score) (Song et al. 2020, equation 13).

    ``beta`` is that of :func:`reverse_sde_step`: the score counts half, and no noise is added.
    """
    return x + beta / 2 * (x + score)
