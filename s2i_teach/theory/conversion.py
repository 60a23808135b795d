"""One process in three languages: any prediction from any other, and one step for all of them.

A noisy picture is x_t = α · x_0 + σ · ε. Variance-preserving diffusion has α = √ᾱ and σ = √(1 − ᾱ), rectified flow has
α = 1 − t and σ = t, EDM has α = 1. Every prediction is a sum p = a · x_0 + b · ε as well, so x_t and p are two
equations for the two unknowns x_0 and ε.
"""

import torch

KINDS = ("sample", "epsilon", "v_prediction", "flow_prediction")
"""x_0, ε, v = α · ε − σ · x_0, and the velocity ε − x_0: diffusers' words."""


def factors(kind: str, alpha: float, sigma: float) -> tuple[float, float]:
    """a and b of a prediction p = a · x_0 + b · ε.

    Raises:
        ValueError: none of ``KINDS``.
    """
    table = {
        "sample": (1.0, 0.0),
        "epsilon": (0.0, 1.0),
        "v_prediction": (-sigma, alpha),
        "flow_prediction": (-1.0, 1.0),
    }
    if kind not in table:
        raise ValueError(f"The prediction type {kind!r} is not known: use one of {', '.join(KINDS)}.")
    return table[kind]


def convert(
    prediction: torch.Tensor, kind: str, wanted: str, x_t: torch.Tensor, alpha: float, sigma: float
) -> torch.Tensor:
    """A prediction of one of ``KINDS`` as another: ``(B, …)`` → ``(B, …)``, with x_t = ``alpha`` · x_0 + ``sigma`` · ε.

    Solves p = a · x_0 + b · ε and x_t = α · x_0 + σ · ε (Cramer's rule). There is no answer where the two say the same:
    x_0 from ε at α = 0, ε from x_0 at σ = 0.
    """
    a, b = factors(kind, alpha, sigma)
    both = alpha * b - sigma * a
    x0 = (b * x_t - sigma * prediction) / both
    eps = (alpha * prediction - a * x_t) / both
    c, d = factors(wanted, alpha, sigma)
    return c * x0 + d * eps


def ode_step(
    x_t: torch.Tensor, eps: torch.Tensor, alpha: float, sigma: float, alpha_next: float, sigma_next: float
) -> torch.Tensor:
    """One Euler step of dx̄/dσ̄ = ε̂, where x̄ = x/α and σ̄ = σ/α, from (α, σ) to the next (α, σ): ``(B, …)``.

    With α = √ᾱ and σ = √(1 − ᾱ) it is DDIM at η = 0, with α = 1 − t and σ = t rectified flow's Euler step, with α = 1
    Karras et al.'s (2022, algorithm 1). ``alpha`` and ``alpha_next`` are not 0.
    """
    straight = x_t / alpha + (sigma_next / alpha_next - sigma / alpha) * eps
    return alpha_next * straight
