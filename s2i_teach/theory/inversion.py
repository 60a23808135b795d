"""From a picture back to the noise that it would come from: DDIM walked the other way, and what goes wrong on the way.

DDIM without fresh noise is a fixed path, so it can be walked backwards (Song, Meng & Ermon 2020, section 4.3). A step down from y, at ᾱ', to x, at ᾱ, asks for ε̂(y). On the way up x is known and y is
wanted, so ε̂(y) cannot be asked for. Plain inversion asks for ε̂(x) and is wrong by a little at each step. The fixed
point y = up(x, ε̂(y)) has no such error. Pan et al. 2023 (arXiv 2309.04907) and Garibi et al. 2024 (arXiv 2403.14602)
find it by asking again where the last answer has led.
"""

from collections.abc import Callable
from itertools import pairwise

import torch

from s2i_teach.theory.prediction import x0_from_eps
from s2i_teach.theory.sampler import levels_of


def ddim_inverse_step(
    x: torch.Tensor, eps: torch.Tensor, a: torch.Tensor | float, a_next: torch.Tensor | float
) -> torch.Tensor:
    """One step of DDIM towards the noise: x̂_0, noised with the same ε̂ to ``a_next`` < ``a``.

    √ᾱ' · (x − √(1 − ᾱ) · ε̂) / √ᾱ + √(1 − ᾱ') · ε̂. It is :func:`~s2i_teach.theory.sampler.ddim_step` at η = 0 with the
    levels in the other order, so with the same ε̂ the one undoes the other. Equals diffusers' ``DDIMInverseScheduler.step``.
    Tensors are ``(B, …)``.
    """
    return a_next**0.5 * x0_from_eps(x, eps, a) + (1 - a_next) ** 0.5 * eps


def solved_inverse_step(
    x: torch.Tensor, predict_eps: Callable, t: int, a: float, a_next: float, rounds: int = 0
) -> torch.Tensor:
    """The step up to timestep ``t``, where ᾱ is ``a_next``: its ε̂ asked for again ``rounds`` times where it has led.

    0 rounds is plain inversion: ε̂ is asked for at x itself. Each round puts the last y in its place. Where the rounds
    come to rest, ``ddim_step`` from y leads to x exactly. ``x`` is ``(B, …)``; the network runs ``rounds`` + 1 times.

    The rounds come to rest where ε̂ changes less than y does by the factor |√(1 − ᾱ') − √(ᾱ' / ᾱ) · √(1 − ᾱ)|: always
    for short steps, not always with strong guidance.
    """
    y = x
    for _ in range(rounds + 1):
        y = ddim_inverse_step(x, predict_eps(y, t), a, a_next)
    return y


def ddim_invert(
    x: torch.Tensor,
    predict_eps: Callable[[torch.Tensor, int], torch.Tensor],
    alpha_bar: torch.Tensor,
    timesteps: list[int],
    rounds: int = 0,
    final: float = 1.0,
) -> list[torch.Tensor]:
    """A picture up to the noise: x, then x after each step, the noise last. ``len(timesteps) + 1`` tensors ``(B, …)``.

    Args:
        x: the picture, pixels in [−1, 1] or scaled latents.
        predict_eps: ``predict_eps(x, t)`` gives ε̂, guidance included.
        alpha_bar: ᾱ ``(T,)``.
        timesteps: those of the way down, the noisiest first: :func:`~s2i_teach.theory.sampler.spaced_timesteps`.
        rounds: as in :func:`solved_inverse_step`.
        final: ᾱ of the picture, where the way down ends; Stable Diffusion's DDIM has ``alpha_bar[0]`` there.

    ε̂ at each step is asked for with the timestep that the step goes to: the one that the way down asks with, and
    diffusers' way.
    """
    path, a = [x], final
    for t in reversed(timesteps):
        a_next = alpha_bar[t].item()
        path.append(solved_inverse_step(path[-1], predict_eps, t, a, a_next, rounds))
        a = a_next
    return path


def ddim_down(
    x: torch.Tensor, predict_eps: Callable, alpha_bar: torch.Tensor, timesteps: list[int], final: float = 1.0
) -> list[torch.Tensor]:
    """The way back: x, then x after each step of DDIM at η = 0, the picture last. Arguments as in :func:`ddim_invert`."""
    path = [x]
    for t, (a, a_prev) in zip(timesteps, pairwise(levels_of(alpha_bar, timesteps, final)), strict=True):
        path.append(ddim_inverse_step(path[-1], predict_eps(path[-1], t), a, a_prev))
    return path


def gaussian_eps(x: torch.Tensor, mean: torch.Tensor | float, deviation: float, a: float) -> torch.Tensor:
    """E[ε | x_t] where the data are Gaussian, N(mean, deviation²) in each number: √(1 − ᾱ) · (x − √ᾱ · mean) / var(x_t).

    What a perfect network would say. var(x_t) = ᾱ · deviation² + 1 − ᾱ. ``x`` is ``(B, …)``.
    """
    return (1 - a) ** 0.5 * (x - a**0.5 * mean) / (a * deviation**2 + 1 - a)


def gaussian_path(
    x: torch.Tensor, mean: torch.Tensor | float, deviation: float, a: float, a_next: float
) -> torch.Tensor:
    """Where infinitely short steps from ᾱ to ᾱ' lead such data: the number of deviations from the mean stays.

    The probability-flow ODE's solution (Song et al. 2020, arXiv 2011.13456) for Gaussian data. ``x`` is ``(B, …)``.
    """
    before, after = ((level * deviation**2 + 1 - level) ** 0.5 for level in (a, a_next))
    return a_next**0.5 * mean + after / before * (x - a**0.5 * mean)
