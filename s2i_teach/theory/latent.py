"""Latents: what the autoencoder of Stable Diffusion hands to the diffusion model (Rombach et al. 2021, section 3.1).

The encoder gives, for every position, the mean and the log-variance of a normal distribution (Kingma & Welling 2014). A
latent is *drawn* from it and multiplied with a scaling factor, so that its standard deviation is about 1, as the noise's.
"""

import torch


def posterior(moments: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What the encoder says, as mean and standard deviation: ``(B, 2C, h, w)`` → two ``(B, C, h, w)``.

    The first half of the channels is the mean, the second the log of the variance, held between −30 and 20 as in
    diffusers' ``DiagonalGaussianDistribution``.

    Raises:
        ValueError: an odd number of channels.
    """
    if moments.shape[1] % 2:
        raise ValueError(f"{moments.shape[1]} channels cannot be halved into means and log-variances.")
    mean, log_variance = moments.chunk(2, dim=1)
    return mean, torch.exp(0.5 * log_variance.clamp(-30, 20))


def draw_latent(
    moments: torch.Tensor, scaling_factor: float, noise: torch.Tensor, shift_factor: float = 0.0
) -> torch.Tensor:
    """(mean + std · noise − shift) · scaling factor: a latent as the U-Net wants it. ``noise`` is ``(B, C, h, w)``."""
    mean, std = posterior(moments)
    return (mean + std * noise - shift_factor) * scaling_factor


def undo_scaling(latent: torch.Tensor, scaling_factor: float, shift_factor: float = 0.0) -> torch.Tensor:
    """The latent as the decoder wants it: latent / scaling factor + shift."""
    return latent / scaling_factor + shift_factor


def scaling_factor_for(latents: torch.Tensor) -> float:
    """1 over the standard deviation of unscaled latents of many pictures: 0.18215 for Stable Diffusion 1."""
    return 1 / latents.std().item()


def kl_from_standard_normal(moments: torch.Tensor) -> torch.Tensor:
    """KL(q ‖ N(0, 1)) of each picture, the term that keeps latents tame (Kingma & Welling 2014, appendix B). ``(B,)``."""
    mean, std = posterior(moments)
    return 0.5 * (mean**2 + std**2 - 1 - 2 * std.log()).flatten(1).sum(1)
