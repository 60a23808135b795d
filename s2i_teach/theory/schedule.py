"""Noise schedules: how much noise is added at each of T steps.

β_t is the variance of the noise that step t adds (Ho, Jain & Abbeel 2020, DDPM, equation 2), α_t = 1 − β_t, and
ᾱ_t = α_1 · … · α_t, the share of the picture's variance that is left after t steps. All are float32 tensors of shape
``(T,)``; index 0 is the first step.
"""

import math

import torch


def linear_betas(num_train_timesteps: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02) -> torch.Tensor:
    """β rising in equal steps: DDPM's schedule (section 4). Equals diffusers' ``beta_schedule="linear"``.

    Returns ``(T,)``.
    """
    return torch.linspace(beta_start, beta_end, num_train_timesteps)


def scaled_linear_betas(
    num_train_timesteps: int = 1000, beta_start: float = 0.00085, beta_end: float = 0.012
) -> torch.Tensor:
    """√β rising in equal steps: Stable Diffusion's schedule. Equals diffusers' ``"scaled_linear"``.

    Returns ``(T,)``.
    """
    return torch.linspace(beta_start**0.5, beta_end**0.5, num_train_timesteps) ** 2


def cosine_betas(num_train_timesteps: int = 1000, offset: float = 0.008, max_beta: float = 0.999) -> torch.Tensor:
    """The β for which ᾱ falls like a squared cosine (Nichol & Dhariwal 2021, equation 17), none above ``max_beta``.

    Equals diffusers' ``"squaredcos_cap_v2"``. Returns ``(T,)``.
    """

    def alpha_bar(t: float) -> float:
        return math.cos((t + offset) / (1 + offset) * math.pi / 2) ** 2

    steps = range(num_train_timesteps)
    ratios = [alpha_bar((i + 1) / num_train_timesteps) / alpha_bar(i / num_train_timesteps) for i in steps]
    return torch.tensor([min(1 - ratio, max_beta) for ratio in ratios])


def alphas_cumprod(betas: torch.Tensor) -> torch.Tensor:
    """ᾱ_t, the running product of α = 1 − β (DDPM, above equation 4). ``(T,)`` → ``(T,)``, falling from 1 towards 0."""
    return torch.cumprod(1 - betas, dim=0)


def signal_to_noise_ratio(alpha_bar: torch.Tensor) -> torch.Tensor:
    """SNR_t = ᾱ_t / (1 − ᾱ_t): the picture's variance over the noise's (Kingma et al. 2021). Any shape."""
    return alpha_bar / (1 - alpha_bar)


def rescale_zero_terminal_snr(betas: torch.Tensor) -> torch.Tensor:
    """The same schedule, stretched so that nothing of the picture is left at the last step.

    After Lin et al. (2023), algorithm 1: √ᾱ is shifted so that its last value is 0 and scaled so that its first stays.
    Equals diffusers' ``rescale_betas_zero_snr=True``. ``(T,)`` → ``(T,)``; the last β is 1.
    """
    root = alphas_cumprod(betas).sqrt()
    first, last = root[0].clone(), root[-1].clone()
    root = (root - last) * first / (first - last)
    alpha_bar = root**2
    alphas = torch.cat([alpha_bar[:1], alpha_bar[1:] / alpha_bar[:-1]])
    return 1 - alphas
