"""Guidance, second part: the density that it seems to aim at, what a sampler makes of it, and three repairs.

The guided score is the gradient of log p(x) + s · (log p(x | c) − log p(x)). At every noise level it is right for *that level's* two
densities. But the sharpened density of noisy pictures is not the noisy version of the sharpened density. So the sampler arrives
elsewhere (Bradley & Nakkiran 2024, arXiv 2408.09000; Chidambaram et al. 2024, arXiv 2409.13074).
"""

import math

import torch


def aimed_log_density(log_p: torch.Tensor, log_p_given_c: torch.Tensor, guidance_scale: float) -> torch.Tensor:
    """log of p(x) · p(c | x)^s up to a constant: log p(x) + s · (log p(x | c) − log p(x)). Any shape."""
    return log_p + guidance_scale * (log_p_given_c - log_p)


def aimed_variance(conditional: float, unconditional: float, guidance_scale: float) -> float:
    """The variance of :func:`aimed_log_density` for two bell curves around 0: 1 / (s / c + (1 − s) / u).

    ``conditional`` is c, the variance of p(x | c), and ``unconditional`` u, that of p(x).

    Raises:
        ValueError: nothing that falls off on both sides comes out, as with a wide p(x | c) in a narrow p(x).
    """
    inverse = guidance_scale / conditional + (1 - guidance_scale) / unconditional
    if inverse <= 0:
        raise ValueError(
            f"Guidance {guidance_scale} makes no bell curve of variances {conditional} and {unconditional}."
        )
    return 1 / inverse


def reached_variance(
    conditional: float, unconditional: float, guidance_scale: float, sigma: float = float("inf")
) -> float:
    """The variance that the guided ODE arrives at from noise of variance σ²: c^s · u^(1−s) from infinitely much noise.

    With x = x_0 + σ · n the guided score is −x · (s / (c + σ²) + (1 − s) / (u + σ²)), and dx/dσ = −σ · score is solved by
    x ∝ (c + σ²)^(s/2) · (u + σ²)^((1−s)/2) (after Bradley & Nakkiran 2024, section 3, who take c = 1 and u = 2).
    """
    c, u, s = conditional, unconditional, guidance_scale
    if sigma == float("inf"):
        return c**s * u ** (1 - s)
    return sigma**2 * (c / (c + sigma**2)) ** s * (u / (u + sigma**2)) ** (1 - s)


def rescale_guidance(guided: torch.Tensor, conditional: torch.Tensor, share: float) -> torch.Tensor:
    """Guided predictions ``(B, …)``, brought back to the standard deviation of the conditional ones, by a share from 0 to 1.

    Guidance makes a prediction larger, which gives glaring pictures. Each picture of the batch is scaled by its own
    std(conditional) / std(guided), and this is mixed with what was given (Lin et al. 2023, arXiv 2305.08891, equations 15 and 16).
    Equals diffusers' ``rescale_noise_cfg``.
    """
    everything = list(range(1, guided.dim()))
    ratio = conditional.std(everything, keepdim=True) / guided.std(everything, keepdim=True)
    return share * (guided * ratio) + (1 - share) * guided


def guidance_embedding(guidance_scale: torch.Tensor, dim: int = 256) -> torch.Tensor:
    """How a network is told the guidance scale: ``(B,)`` → ``(B, dim)``, sines and cosines of 1000 · (s − 1); ``dim`` even.

    A student that is trained to answer as its guided teacher does, for a scale that it is told, needs one evaluation where the
    teacher needs two (Meng et al. 2022, arXiv 2210.03142, section 3.1). Equals diffusers' ``get_guidance_scale_embedding`` of w = s − 1.
    """
    half = dim // 2
    frequencies = torch.exp(-math.log(10_000) * torch.arange(half) / (half - 1))
    angles = 1000 * (guidance_scale[:, None] - 1) * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)
