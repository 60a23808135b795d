"""σ notation, EDM's preconditioning, and three solvers of dx/dσ = (x − D(x, σ)) / σ.

Here x = x_0 + σ · ε, and a denoiser D(x, σ) answers with the picture x̂_0. Karras et al. 2022 (arXiv 2206.00364) write
everything so. ``denoise(x, sigma)`` is any such D, ``(B, …)`` → ``(B, …)``. A variance-preserving x_t has the same
σ = √((1 − ᾱ)/ᾱ) once it is divided by √ᾱ.
"""

import math
from collections.abc import Callable

import torch


def karras_sigmas(n: int, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0) -> torch.Tensor:
    """n noise levels from σ_max down to σ_min, evenly spaced in σ^(1/ρ) (Karras et al. 2022, equation 5). ``(n,)``.

    Their schedule ends with a further 0, which is left out here.
    """
    ends = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return torch.linspace(*ends, n, dtype=torch.float64) ** rho


def preconditioning(sigma: torch.Tensor, sigma_data: float = 0.5) -> tuple[torch.Tensor, ...]:
    """c_skip, c_out, c_in and c_noise of D(x, σ) = c_skip · x + c_out · F(c_in · x, c_noise), shaped like ``sigma``.

    What F gets and what F has to answer then have variance 1 at every σ, for data of standard deviation ``sigma_data``
    (Karras et al. 2022, table 1). c_noise is undefined at σ = 0.
    """
    total = sigma**2 + sigma_data**2
    return sigma_data**2 / total, sigma * sigma_data / total**0.5, 1 / total**0.5, sigma.log() / 4


def slope(denoise: Callable, x: torch.Tensor, sigma: float) -> torch.Tensor:
    """dx/dσ = (x − D(x, σ)) / σ, the guessed noise (Karras et al. 2022, equations 1 and 3 with σ = t). σ > 0."""
    return (x - denoise(x, sigma)) / sigma


def heun_step(denoise: Callable, x: torch.Tensor, sigma: float, sigma_next: float) -> torch.Tensor:
    """Heun's step: walk along the mean of the slope here and the slope where Euler's step would end.

    Where σ_next is 0 there is no slope, and Euler's step stays (Karras et al. 2022, algorithm 1). ``(B, …)``. Equals
    two calls of diffusers' ``HeunDiscreteScheduler.step``.
    """
    here = slope(denoise, x, sigma)
    euler = x + (sigma_next - sigma) * here
    if sigma_next == 0:
        return euler
    there = slope(denoise, euler, sigma_next)
    return x + (sigma_next - sigma) * (here + there) / 2


def euler(denoise: Callable, x: torch.Tensor, sigmas: list[float]) -> torch.Tensor:
    """Follow the slope straight from each σ to the next: one evaluation a step. ``sigmas`` fall. ``(B, …)``."""
    for sigma, sigma_next in zip(sigmas, sigmas[1:], strict=False):
        x = x + (sigma_next - sigma) * slope(denoise, x, sigma)
    return x


def heun(denoise: Callable, x: torch.Tensor, sigmas: list[float], step: Callable = heun_step) -> torch.Tensor:
    """:func:`heun_step` from each σ to the next: two evaluations a step. ``(B, …)``."""
    for sigma, sigma_next in zip(sigmas, sigmas[1:], strict=False):
        x = step(denoise, x, sigma, sigma_next)
    return x


def dpmpp_2m(denoise: Callable, x: torch.Tensor, sigmas: list[float]) -> torch.Tensor:
    """DPM-Solver++ (2M): one evaluation a step, and the guess of the step before for the curve. ``(B, …)``.

    In λ = −log σ the answer D is continued in a straight line through its last two values to the middle of the step
    (Lu et al. 2022, arXiv 2211.01095, algorithm 2). The first step has no value before it, and a step to σ = 0 has no
    λ: both take D as it is. Equals diffusers' ``DPMSolverMultistepScheduler``, whose default is this.
    """
    before, length_before = None, 0.0
    for sigma, sigma_next in zip(sigmas, sigmas[1:], strict=False):
        guess = denoise(x, sigma)
        length = math.log(sigma / sigma_next) if sigma_next > 0 else math.inf
        ahead = guess
        if before is not None and sigma_next > 0:
            ahead = guess + length / (2 * length_before) * (guess - before)
        x = sigma_next / sigma * x + (1 - sigma_next / sigma) * ahead
        before, length_before = guess, length
    return x
