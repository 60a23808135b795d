"""Rectified flow: straight lines between picture and noise, and the mean velocity along them.

x_t = (1 − t) · x_0 + t · ε, with t from 0 (picture) to 1 (noise). A network learns the velocity dx_t/dt = ε − x_0; its
best answer is the mean velocity E[ε − x_0 | x_t], which an ODE follows back (Liu et al. 2022, arXiv 2209.03003; Lipman
et al. 2022, arXiv 2210.02747).
"""

from collections.abc import Callable, Iterator

import torch
from torch import nn

from s2i_teach.theory.ideal import ideal_x0
from s2i_teach.theory.training import Step, fit


def flow_point(x0: torch.Tensor, eps: torch.Tensor, t: torch.Tensor | float) -> torch.Tensor:
    """x_t = (1 − t) · x_0 + t · ε. Tensors are ``(B, …)``, t is a number or shaped to be multiplied with them."""
    return (1 - t) * x0 + t * eps


def flow_step(x: torch.Tensor, velocity: torch.Tensor, t: float, t_next: float) -> torch.Tensor:
    """One Euler step along the velocity ``(B, …)``. Equals diffusers' ``FlowMatchEulerDiscreteScheduler.step``."""
    return x + (t_next - t) * velocity


def follow(velocity: Callable, x: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
    """Every x on the way of :func:`flow_step`, ``(len(times), B, …)``; ``velocity(x, t)`` is asked at each time but the
    last. ``times`` fall from 1 to 0.
    """
    path = [x]
    for t, t_next in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        path.append(flow_step(path[-1], velocity(path[-1], t), t, t_next))
    return torch.stack(path)


def ideal_velocity(x: torch.Tensor, data: torch.Tensor, t: float) -> torch.Tensor:
    """E[ε − x_0 | x_t], the best velocity for a finite data set ``(N, …)``: ``(B, …)`` → ``(B, …)``, t in (0, 1].

    x_t over √((1 − t)² + t²) is a variance-preserving noisy picture with √ᾱ = (1 − t) over the same root, so the
    perfect denoiser is :func:`s2i_teach.theory.ideal.ideal_x0`.
    """
    root = ((1 - t) ** 2 + t**2) ** 0.5
    return (x - ideal_x0(x / root, data, ((1 - t) / root) ** 2)) / t


def shift_times(t: torch.Tensor, shift: float) -> torch.Tensor:
    """t' = s · t / (1 + (s − 1) · t): noise over picture, t/(1 − t), becomes s times as large. 0 and 1 stay.

    Esser et al. 2024 (arXiv 2403.03206), section 5.3.2. Equals ``shift`` of diffusers'
    ``FlowMatchEulerDiscreteScheduler``.
    """
    return shift * t / (1 + (shift - 1) * t)


def detour(path: torch.Tensor) -> float:
    """How many times as long the paths are, all together, as the straight lines between their ends: 1 is straight.

    ``path`` is ``(T, B, …)``, T places of each of B points.
    """
    places = path.flatten(2)
    return (places.diff(dim=0).norm(dim=2).sum() / (places[-1] - places[0]).norm(dim=1).sum()).item()


def train_flow(
    model: nn.Module, pairs: Callable[[torch.Generator], tuple[torch.Tensor, torch.Tensor]], **settings
) -> Iterator[Step]:
    """Train ``model(x_t, 1000 · t)`` to predict ε − x_0, with t drawn evenly from 0 to 1; yields every step.

    ``pairs(generator)`` gives a batch of pictures and of the noise that each is joined with, ``(B, …)`` twice: noise
    drawn at random, or, in a second round, the noise from which the first network made the picture (*reflow*).
    ``settings`` are those of :func:`s2i_teach.theory.training.fit`. A network made for 1000 timesteps sees the time as it knows it.
    """

    def batch(generator):
        x0, eps = pairs(generator)
        t = torch.rand(len(x0), generator=generator)
        x_t = flow_point(x0, eps, t.view(-1, *[1] * (x0.dim() - 1)))
        return x0, x_t, 1000 * t, eps - x0

    return fit(model, batch, **settings)
