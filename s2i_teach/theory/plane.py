"""Diffusion in the plane, where everything can be seen: shapes to be the data, and a network that learns in seconds.

Points are ``(N, 2)``, x to the right and y up, with a standard deviation of about 0.8 in each direction: noise, which
has 1, is a little wider.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from s2i_teach.theory.unet import timestep_embedding

SPREAD = 0.8


def heart(n: int = 40) -> torch.Tensor:
    """Points on the outline of a heart, ``(n, 2)``."""
    s = torch.linspace(0, 2 * math.pi, n + 1)[:-1]
    x = 16 * s.sin() ** 3
    y = 13 * s.cos() - 5 * (2 * s).cos() - 2 * (3 * s).cos() - (4 * s).cos()
    return torch.stack([x, y], 1) / 12


def ring(n: int = 40) -> torch.Tensor:
    """Points on a circle, ``(n, 2)``."""
    s = torch.linspace(0, 2 * math.pi, n + 1)[:-1]
    return scaled(torch.stack([s.cos(), s.sin()], 1))


def moons(n: int = 40) -> torch.Tensor:
    """Points on two half circles that reach into each other, ``(n, 2)``."""
    upper = torch.linspace(0, math.pi, n - n // 2)
    lower = torch.linspace(0, math.pi, n // 2)
    x = torch.cat([upper.cos(), 1 - lower.cos()])
    y = torch.cat([upper.sin(), 0.5 - lower.sin()])
    return scaled(torch.stack([x, y], 1))


def spiral(n: int = 40) -> torch.Tensor:
    """Points on a spiral of two turns, ``(n, 2)``, about equally far from one another."""
    s = 4 * math.pi * torch.linspace(0.03, 1, n).sqrt()
    return scaled(torch.stack([s * s.cos(), s * s.sin()], 1))


def spots(n: int = 40) -> torch.Tensor:
    """Points scattered around five places, ``(n, 2)``."""
    corner = 2 * math.pi * torch.arange(n).remainder(5) / 5 + math.pi / 2
    scatter = torch.randn(n, 2, generator=torch.Generator().manual_seed(0))
    return scaled(torch.stack([corner.cos(), corner.sin()], 1) + 0.07 * scatter)


SHAPES = {"heart": heart, "moons": moons, "spiral": spiral, "ring": ring, "spots": spots}
"""Name → function of the number of points."""


def scaled(points: torch.Tensor) -> torch.Tensor:
    """Centred, and as wide as the other shapes without being distorted: mean 0, root mean square 0.8. ``(N, 2)``."""
    centred = points - points.mean(0)
    return centred * (SPREAD / centred.pow(2).mean().sqrt().clamp(min=1e-6))


def spread(points: torch.Tensor) -> float:
    """Root mean square distance from the middle, in each direction: 1 for pure noise. ``(N, 2)`` → a number."""
    return (points - points.mean(0)).pow(2).mean().sqrt().item()


def mean_distance(points: torch.Tensor, others: torch.Tensor) -> float:
    """How far a point is from the nearest of the others, on average. ``(N, 2)``, ``(M, 2)`` → a number."""
    return torch.cdist(points, others).min(1).values.mean().item()


class PlaneNet(nn.Module):
    """A perceptron with shortcuts that predicts from ``x_t`` ``(B, 2)`` and ``t`` ``(B,)``: → ``(B, 2)``.

    The place enters as waves of several lengths as well, without which such a network draws no fine shapes
    (Tancik et al. 2020, Fourier features).
    """

    frequencies: torch.Tensor

    def __init__(self, width: int = 128, depth: int = 3, waves: int = 4):
        super().__init__()
        self.register_buffer("frequencies", 2.0 ** torch.arange(waves))
        self.enter = nn.Linear(2 + 4 * waves + 32, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.leave = nn.Linear(width, 2)

    def forward(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        angles = (x_t[:, :, None] * self.frequencies).flatten(1)  # (B, 2 · waves)
        h = self.enter(torch.cat([x_t, angles.sin(), angles.cos(), timestep_embedding(t, 32)], 1))
        for layer in self.layers:
            h = h + layer(F.silu(h))
        return self.leave(F.silu(h))
