"""Consistency: one function that answers with the same picture from every place of a sampler's path.

Song et al. 2023 (arXiv 2303.01469) ask for f(x_t, t) = f(x_s, s) along each path of the probability-flow ODE, and for f = x where
nothing is left to be removed. Luo et al. 2023 (LCM, arXiv 2310.04378) do it in latents, with a guided teacher, and step by it.
``a`` and ``a_next`` are ᾱ, numbers or shaped to be multiplied with the pictures; exactly 1 is the finished picture.
"""

from collections.abc import Callable

import torch

from s2i_teach.theory.prediction import x0_from_eps
from s2i_teach.theory.sampler import ddim_step


def boundary(
    t: torch.Tensor | float, sigma_data: float = 0.5, timestep_scaling: float = 10.0
) -> tuple[torch.Tensor | float, torch.Tensor | float]:
    """c_skip and c_out of :func:`consistency_function`: 1 and 0 at t = 0, nearly 0 and 1 soon after.

    c_skip = σ_d² / ((10 t)² + σ_d²) and c_out = 10 t / √((10 t)² + σ_d²). They equal diffusers'
    ``LCMScheduler.get_scalings_for_boundary_condition_discrete``. ``t`` is a timestep, a number or any tensor; so are both.
    """
    scaled = t * timestep_scaling
    total = scaled**2 + sigma_data**2
    return sigma_data**2 / total, scaled / total**0.5


def consistency_function(x_t: torch.Tensor, x0: torch.Tensor, t: torch.Tensor | float) -> torch.Tensor:
    """f(x_t, t) = c_skip · x_t + c_out · x̂_0, where x̂_0 ``(B, …)`` is the network's guess (Song et al. 2023, equation 5).

    At t = 0 it is x_t itself, whatever the network says. ``t`` is a number, or shaped to be multiplied with the pictures.
    """
    c_skip, c_out = boundary(t)
    return c_skip * x_t + c_out * x0


def consistency_target(
    x_t: torch.Tensor,
    eps: torch.Tensor,
    averaged: Callable[[torch.Tensor, int], torch.Tensor],
    a: float,
    a_next: float,
    t_next: int,
) -> torch.Tensor:
    """What the student's f(x_t, t) is to become: the slow copy's answer one step of the teacher further. ``(B, …)``.

    The teacher's noise ``eps`` leads from ``x_t`` by a step of DDIM to ``a_next``; there the averaged copy f⁻(x, t_next) is asked.
    No gradient flows into it (Song et al. 2023, algorithm 2; Luo et al. 2023, algorithm 1).

    Args:
        x_t, eps: ``(B, …)``; ``eps`` is the teacher's prediction at ``x_t``, guided or not.
        averaged: f⁻ of places ``(B, …)`` and a timestep.
        a, a_next: ᾱ before and after the teacher's step.
        t_next: the timestep after it.
    """
    with torch.no_grad():
        x_next = ddim_step(x_t, eps, a, a_next)
        return averaged(x_next, t_next)


def lcm_timesteps(num_inference_steps: int, num_train_timesteps: int = 1000, original_steps: int = 50) -> list[int]:
    """The timesteps that LCM's sampler visits, the noisiest first; some of the ``original_steps`` that it was trained at.

    Equals diffusers' ``LCMScheduler.set_timesteps``: the origins are k − 1, 2k − 1, …, T − 1 with k = T / ``original_steps``, and
    they are visited from the top in strides that are as even as whole numbers allow.

    Raises:
        ValueError: more steps than there are to choose from.
    """
    if not 1 <= num_inference_steps <= original_steps:
        raise ValueError(f"{num_inference_steps} steps: LCM chooses between 1 and {original_steps} of them.")
    k = num_train_timesteps // original_steps
    origins = [i * k - 1 for i in range(original_steps, 0, -1)]
    return [origins[i * original_steps // num_inference_steps] for i in range(num_inference_steps)]


def lcm_step(
    x_t: torch.Tensor, eps: torch.Tensor, t: int, a: float, a_next: float, noise: torch.Tensor
) -> torch.Tensor:
    """One step of LCM's sampler: jump to the picture, then noise it again, with *fresh* noise, to ``a_next``. ``(B, …)``.

    √ᾱ' · f(x_t, t) + √(1 − ᾱ') · n (Luo et al. 2023, algorithm 3). The last step goes to ``a_next`` = 1, where no noise is added.
    Equals diffusers' ``LCMScheduler.step``.
    """
    picture = consistency_function(x_t, x0_from_eps(x_t, eps, a), t)
    return a_next**0.5 * picture + (1 - a_next) ** 0.5 * noise
