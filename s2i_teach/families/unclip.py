"""unCLIP's prior: from CLIP's embedding of a caption to one of a picture that fits it (Ramesh et al. 2022)."""

import torch
import torch.nn.functional as F
from torch import nn

from s2i_teach.theory.forward import add_noise
from s2i_teach.theory.guidance import drop_labels
from s2i_teach.theory.prediction import eps_from_x0
from s2i_teach.theory.sampler import ddim_step, spaced_timesteps
from s2i_teach.theory.schedule import alphas_cumprod, cosine_betas
from s2i_teach.theory.unet import timestep_embedding

WIDTH = 128
"""Numbers of the small CLIP's embeddings."""
LEVELS = alphas_cumprod(cosine_betas())
"""ᾱ of the cosine schedule (Nichol and Dhariwal 2021), ``(1000,)``: the prior's and the cascade's."""


class Prior(nn.Module):
    """p(z_i | caption): many pictures fit a caption, so their embedding z_i is drawn, by diffusion in its 128 numbers.

    The network predicts the clean embedding, not its noise: L = E ‖f(z_i at t, t, y) − z_i‖² (equation 2). There it is
    a Transformer; here, where y is the caption's embedding alone, three layers do.
    """

    DROPPED = 0.1
    """Share of captions that are left out in training (section 2.2)."""
    STEPS = 16
    """Of drawing an embedding."""
    SCALE = WIDTH**0.5
    """Makes the numbers of an embedding of length 1 as large as the noise."""

    def __init__(self, hidden: int = 128, time: int = 32):
        super().__init__()
        self.time = time
        self.layers = nn.Sequential(
            *(nn.Linear(2 * WIDTH + time, hidden), nn.SiLU()),
            *(nn.Linear(hidden, hidden), nn.SiLU()),
            nn.Linear(hidden, WIDTH),
        )

    def forward(self, z: torch.Tensor, t: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """Noisy embeddings ``(B, 128)``, ``t`` ``(B,)``, captions' embeddings → clean ones, as ``z`` times SCALE."""
        told = timestep_embedding(t, self.time).to(z)
        return self.layers(torch.cat([z, self.SCALE * text, told], 1))

    def loss(self, seen: torch.Tensor, text: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Equation 2 for pictures' embeddings and their captions', ``(B, 128)`` each and of length 1; per number."""
        z = self.SCALE * seen
        t = torch.randint(len(LEVELS), (len(z),), generator=generator).to(z.device)
        eps = torch.randn(z.shape, generator=generator).to(z)
        text = drop_labels(text, torch.zeros(WIDTH), self.DROPPED, generator)
        return F.mse_loss(self(add_noise(z, eps, LEVELS, t), t, text).float(), z)

    def draw(self, text: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Embeddings ``(B, 128)`` of length 1 for captions' embeddings, by DDIM from noise ``(B, 128)``."""
        z, timesteps = noise, spaced_timesteps(self.STEPS, len(LEVELS), "trailing")
        for t, after in zip(timesteps, [*timesteps[1:], -1], strict=True):
            a, a_prev = LEVELS[t], LEVELS[after] if after >= 0 else 1.0
            clean = self(z, torch.full((len(z),), t, device=z.device), text)
            z = ddim_step(z, eps_from_x0(z, clean, a), a, a_prev)
        return F.normalize(z, dim=1)

    def best_of(self, text: torch.Tensor, noises: torch.Tensor) -> torch.Tensor:
        """Of draws from ``noises`` ``(K, B, 128)``, for each caption the one nearest to it (section 2.2, K = 2)."""
        drawn = torch.stack([self.draw(text, noise) for noise in noises])
        best = (drawn * text).sum(2).argmax(0)
        return drawn[best, torch.arange(len(text), device=best.device)]
