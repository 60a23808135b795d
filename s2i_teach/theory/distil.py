"""Few steps in place of many: what a student network learns from a teacher's sampler.

A sampler's path is bent, and a step is straight. A student of few steps therefore has to predict something else than its teacher:
not where the path points now, but where it will have led to.
"""

import torch

from s2i_teach.theory.prediction import eps_from_v, x0_from_v


def turned(a: torch.Tensor | float, a_next: torch.Tensor | float) -> tuple:
    """cos Δ and sin Δ of the angle by which a step from ᾱ = ``a`` to ``a_next`` turns x_t towards the picture.

    √ᾱ = cos φ and √(1 − ᾱ) = sin φ, so x_t is a turn by φ from the picture to the noise, and v the direction of the turn.
    A step of DDIM at η = 0 is x_s = cos Δ · x_t − sin Δ · v, with Δ = φ_t − φ_s (Salimans & Ho 2022, appendix D).
    """
    cosine = (a * a_next) ** 0.5 + ((1 - a) * (1 - a_next)) ** 0.5
    sine = (a_next * (1 - a)) ** 0.5 - (a * (1 - a_next)) ** 0.5
    return cosine, sine


def one_step_target(
    x_t: torch.Tensor, x_s: torch.Tensor, a: torch.Tensor | float, a_next: torch.Tensor | float
) -> torch.Tensor:
    """The v with which one step of DDIM from ``x_t`` lands at ``x_s``: (cos Δ · x_t − x_s) / sin Δ.

    What a student learns in progressive distillation, where ``x_s`` is where two or more steps of its teacher led from ``x_t``
    (Salimans & Ho 2022, algorithm 2, for v in place of x_0).

    Args:
        x_t, x_s: ``(B, …)``, before and after the teacher's steps.
        a, a_next: ᾱ there, numbers or shaped to be multiplied with them; ``a_next`` is above ``a``.
    """
    cosine, sine = turned(a, a_next)
    return (cosine * x_t - x_s) / sine


def jump(x_t: torch.Tensor, v: torch.Tensor, a: torch.Tensor | float, a_next: torch.Tensor | float) -> torch.Tensor:
    """One step of DDIM at η = 0 by v from ᾱ = ``a`` to ``a_next``: ``(B, …)``. The inverse of :func:`one_step_target`."""
    return a_next**0.5 * x0_from_v(x_t, v, a) + (1 - a_next) ** 0.5 * eps_from_v(x_t, v, a)


def distribution_matching_gradient(x0: torch.Tensor, real_x0: torch.Tensor, fake_x0: torch.Tensor) -> torch.Tensor:
    """Where a generator's pictures ``x0`` should *not* go: the gradient of distribution-matching distillation.

    Both guesses are of ``x0`` after the same noise was added: ``real_x0`` by the teacher, which knows real pictures,
    ``fake_x0`` by a network that is trained on the generator's. Their difference is that of the two scores. It is divided by
    how far the teacher's guess lies away, on average, so that all noise levels count alike (Yin et al. 2023, equations 7
    and 8). All are ``(B, …)``; a step against the gradient makes the generator's pictures as probable as real ones.
    """
    distance = (x0 - real_x0).abs().flatten(1).mean(1)
    return (fake_x0 - real_x0) / distance.view(-1, *[1] * (x0.dim() - 1)).clamp(min=1e-8)


@torch.no_grad()
def average_in(averaged: torch.nn.Module, network: torch.nn.Module, decay: float) -> None:
    """Move the weights of ``averaged`` towards the network's: w̄ ← decay · w̄ + (1 − decay) · w.

    The slow copy gives a student a target that does not run after its own mistakes (Song et al. 2023, algorithm 2).

    Raises:
        ValueError: ``decay`` outside [0, 1].
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"The decay is {decay}: it lies between 0 and 1.")
    for slow, fast in zip(averaged.parameters(), network.parameters(), strict=True):
        slow.lerp_(fast.detach(), 1 - decay)
