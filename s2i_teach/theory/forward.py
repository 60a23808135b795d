"""The forward process: a picture becomes noise, one step at a time or in one leap."""

import torch


def per_picture(values: torch.Tensor, t: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """``values[t]`` shaped ``(B, 1, …, 1)``, so that each picture of the batch ``like`` is multiplied by its own.

    ``values`` is ``(T,)``, ``t`` is ``(B,)`` of whole numbers, ``like`` is ``(B, …)``.
    """
    return values.to(like)[t.to(like.device)].view(-1, *[1] * (like.dim() - 1))


def add_noise_one_step(x_prev: torch.Tensor, eps: torch.Tensor, betas: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """x_t = √(1 − β_t) · x_{t−1} + √β_t · ε: one step of the forward process (Ho et al. 2020, equation 2).

    β_t is the *variance* of what is added, so the noise is multiplied by its root. ``x_prev`` and ``eps`` are
    ``(B, …)``, ``betas`` ``(T,)``, ``t`` ``(B,)``; returns ``(B, …)``.
    """
    beta = per_picture(betas, t, x_prev)
    return (1 - beta).sqrt() * x_prev + beta.sqrt() * eps


def add_noise(x0: torch.Tensor, eps: torch.Tensor, alpha_bar: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """x_t = √ᾱ_t · x_0 + √(1 − ᾱ_t) · ε: all the steps to t in one leap (Ho et al. 2020, equation 4).

    Equals diffusers' ``scheduler.add_noise(x0, eps, t)``. ``x0`` and ``eps`` are ``(B, …)``, ``alpha_bar`` ``(T,)``,
    ``t`` ``(B,)``; returns ``(B, …)``.
    """
    a = per_picture(alpha_bar, t, x0)
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def add_noise_from(x_s: torch.Tensor, eps: torch.Tensor, alpha_bar: torch.Tensor, s: int, t: int) -> torch.Tensor:
    """x_t from x_s by the steps that lie between them, in one leap; s = −1 stands for the clean picture.

    √(ᾱ_t / ᾱ_s) · x_s + √(1 − ᾱ_t / ᾱ_s) · ε, with ᾱ = 1 before the first step: q(x_t | x_s) of Kingma et al. 2021,
    arXiv 2107.00630, appendix A. s = t − 1 is :func:`add_noise_one_step`, s = −1 is :func:`add_noise`. ``x_s`` and
    ``eps`` are ``(B, …)``, ``alpha_bar`` ``(T,)``; s and t are indices of it, −1 ≤ s < t; returns ``(B, …)``.
    """
    before = alpha_bar[s] if s >= 0 else 1.0
    kept = alpha_bar[t] / before  # share of the variance of x_s
    return kept**0.5 * x_s + (1 - kept) ** 0.5 * eps
