"""What a network can predict, and how each prediction tells the others.

From x_t = √ᾱ · x_0 + √(1 − ᾱ) · ε, any one of ε, x_0 and v = √ᾱ · ε − √(1 − ᾱ) · x_0 gives the other two, once x_t is
known. v is Salimans & Ho's (2022, appendix D): the derivative of x_t by the angle φ with cos φ = √ᾱ, sin φ = √(1 − ᾱ).

All tensors are ``(B, …)``; ``a`` is ᾱ_t, a number or shaped to be multiplied with them.
"""

import torch


def x0_from_eps(x_t: torch.Tensor, eps: torch.Tensor, a: torch.Tensor | float) -> torch.Tensor:
    """x̂_0 = (x_t − √(1 − ᾱ) · ε) / √ᾱ (Ho et al. 2020, equation 15)."""
    return (x_t - (1 - a) ** 0.5 * eps) / a**0.5


def eps_from_x0(x_t: torch.Tensor, x0: torch.Tensor, a: torch.Tensor | float) -> torch.Tensor:
    """ε̂ = (x_t − √ᾱ · x_0) / √(1 − ᾱ)."""
    return (x_t - a**0.5 * x0) / (1 - a) ** 0.5


def v_from_x0_and_eps(x0: torch.Tensor, eps: torch.Tensor, a: torch.Tensor | float) -> torch.Tensor:
    """v = √ᾱ · ε − √(1 − ᾱ) · x_0. Equals diffusers' ``scheduler.get_velocity``."""
    return a**0.5 * eps - (1 - a) ** 0.5 * x0


def x0_from_v(x_t: torch.Tensor, v: torch.Tensor, a: torch.Tensor | float) -> torch.Tensor:
    """x̂_0 = √ᾱ · x_t − √(1 − ᾱ) · v."""
    return a**0.5 * x_t - (1 - a) ** 0.5 * v


def eps_from_v(x_t: torch.Tensor, v: torch.Tensor, a: torch.Tensor | float) -> torch.Tensor:
    """ε̂ = √ᾱ · v + √(1 − ᾱ) · x_t."""
    return a**0.5 * v + (1 - a) ** 0.5 * x_t


def to_x0_and_eps(
    prediction: torch.Tensor, kind: str, x_t: torch.Tensor, a: torch.Tensor | float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Any prediction as ``(x̂_0, ε̂)``. ``kind`` is diffusers' word: ``"epsilon"``, ``"sample"`` or ``"v_prediction"``.

    Raises:
        ValueError: another kind.
    """
    if kind == "epsilon":
        return x0_from_eps(x_t, prediction, a), prediction
    if kind == "sample":
        return prediction, eps_from_x0(x_t, prediction, a)
    if kind == "v_prediction":
        return x0_from_v(x_t, prediction, a), eps_from_v(x_t, prediction, a)
    raise ValueError(f'The prediction type {kind!r} is not known: use "epsilon", "sample" or "v_prediction".')
