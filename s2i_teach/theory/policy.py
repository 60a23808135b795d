"""Learning from a reward: the policy gradient, and the sampler of a diffusion model as a policy (DDPO).

A policy π is a distribution over what to do next. An action is drawn from it, and a reward says how that turned out. The
gradient of the expected reward needs no gradient of the reward: ∇ E[r] = E[r · ∇ log π(a | s)] (Williams 1992).

A sampler with η > 0 is such a policy (Black et al. 2023, equation 3): the state is x_t with its prompt and its hint, the
action is x_{t−1}, drawn from a Gaussian around the step's mean, and the reward comes with the finished picture.
"""

import torch

from s2i_teach.theory.sampler import ddim_step


def gaussian_log_prob(action: torch.Tensor, mean: torch.Tensor, log_std: torch.Tensor) -> torch.Tensor:
    """log π(a | s) of a Gaussian with independent numbers, ``(B,)``, for ``(B, k)``; ``log_std`` is ``(B, k)`` or ``(k,)``."""
    return torch.distributions.Normal(mean, log_std.exp()).log_prob(action).sum(1)


def gaussian_kl(mean: torch.Tensor, other: torch.Tensor, std: torch.Tensor | float) -> torch.Tensor:
    """KL(N(mean, std²) ‖ N(other, std²)) in nats, ``(B,)``, for means ``(B, k)``: ‖mean − other‖² / (2 std²)."""
    return (mean - other).square().sum(1) / (2 * std**2)


def policy_gradient_loss(log_prob: torch.Tensor, advantage: torch.Tensor) -> torch.Tensor:
    """−E[log π(a | s) · A], whose gradient is −E[∇ log π(a | s) · A]: REINFORCE (Williams 1992, theorem 1).

    A says how much better the action turned out than what was expected in that state. Both are ``(B,)``. No gradient
    goes through A: the picture, the renderer and the reward may be anything.
    """
    return -(log_prob * advantage.detach()).mean()


def clipped_loss(
    log_prob: torch.Tensor, old_log_prob: torch.Tensor, advantage: torch.Tensor, clip: float = 0.2
) -> torch.Tensor:
    """−E[min(r · A, clip(r, 1 − ε, 1 + ε) · A)] with r = π(a | s) / π_old(a | s): PPO (Schulman et al. 2017, equation 7).

    At r = 1 its gradient is REINFORCE's. The clip takes the gain away from going on, once π is far from π_old, so the
    same actions serve for several steps. All are ``(B,)``.
    """
    ratio = (log_prob - old_log_prob.detach()).exp()
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()


def denoising_policy(
    x_t: torch.Tensor, eps: torch.Tensor, a: torch.Tensor | float, a_prev: torch.Tensor | float, eta: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor | float]:
    """Mean ``(B, …)`` and standard deviation of π(x_prev | x_t), the Gaussian that a step of DDIM with ``eta`` > 0 draws from.

    ``x_t`` and the predicted noise ``eps`` are ``(B, …)``; ``a`` and ``a_prev`` are ᾱ, as for
    :func:`s2i_teach.theory.sampler.ddim_step`. The last step, to ``a_prev`` = 1, has no spread: nothing is drawn there.
    """
    std = eta * ((1 - a_prev) / (1 - a) * (1 - a / a_prev)) ** 0.5  # DDIM's σ (Song, Meng & Ermon 2020, equation 16)
    return ddim_step(x_t, eps, a, a_prev, torch.zeros_like(x_t), eta), std


def group_advantages(rewards: torch.Tensor, size: int) -> torch.Tensor:
    """How much better each of ``size`` pictures of one sketch turned out than their mean, in standard deviations.

    Some sketches are harder than others, and no policy can help that: so a picture is compared with others of the same
    sketch (Black et al. 2023, section 4.3, per-prompt statistics; the deviation is that of all groups together, which a
    group of equal rewards cannot make 0).

    Args:
        rewards: ``(B,)``, the pictures of a sketch one after the other.
        size: pictures of a sketch, at least 2; B is a multiple of it.

    Returns:
        ``(B,)``; the mean of each group is 0.

    Raises:
        ValueError: groups of one, or a B that is no multiple.
    """
    if size < 2 or len(rewards) % size:
        raise ValueError(f"{len(rewards)} rewards do not make groups of {size}: groups have two or more of one size.")
    groups = rewards.view(-1, size)
    apart = groups - groups.mean(1, keepdim=True)
    spread = (apart.square().sum() / (rewards.numel() - len(groups))).sqrt()
    return (apart / (spread + 1e-6)).view(-1)
