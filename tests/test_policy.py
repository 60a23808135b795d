"""The policy gradient, and a sampler as a policy: each formula beside an independent truth."""

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from s2i_teach.theory.policy import (
    clipped_loss,
    denoising_policy,
    gaussian_kl,
    gaussian_log_prob,
    group_advantages,
    policy_gradient_loss,
)
from s2i_teach.theory.sampler import spaced_timesteps


def test_the_log_probability_is_the_gaussian_density():
    action, mean, log_std = torch.tensor([[0.3, -1.0]]), torch.tensor([[0.1, 0.5]]), torch.tensor([-0.5, 0.2])
    std = log_std.exp()
    density = torch.exp(-((action - mean) ** 2) / (2 * std**2)) / (std * (2 * torch.pi) ** 0.5)
    assert torch.allclose(gaussian_log_prob(action, mean, log_std), density.log().sum(1))


def test_policy_gradient_is_the_score_function():
    """For a Gaussian: −mean (a − μ) / σ² · A for the mean, and −mean ((a − μ)² / σ² − 1) · A for log σ."""
    action = torch.tensor([[0.5, -0.2], [1.0, 0.3], [-0.4, 0.8]])
    advantage = torch.tensor([1.0, -2.0, 0.5], requires_grad=True)
    mean, log_std = torch.tensor([0.1, 0.2], requires_grad=True), torch.tensor([-0.7, 0.3], requires_grad=True)
    loss = policy_gradient_loss(gaussian_log_prob(action, mean.expand(3, -1), log_std), advantage)
    to_mean, to_std = torch.autograd.grad(loss, (mean, log_std), retain_graph=True)
    away, variance = action - mean.detach(), (2 * log_std.detach()).exp()
    assert torch.allclose(to_mean, -(away / variance * advantage[:, None]).mean(0).detach(), atol=1e-6)
    assert torch.allclose(to_std, -((away**2 / variance - 1) * advantage[:, None]).mean(0).detach(), atol=1e-6)
    loss.backward()
    assert advantage.grad is None


def test_the_policy_gradient_climbs_the_expected_reward():
    """E[r] of r = −(a − 1)² under N(μ, σ²) has the slope −2 (μ − 1): the mean over many actions comes near it."""
    mean = torch.tensor([0.2], requires_grad=True)
    log_std, generator = torch.tensor([-1.0]), torch.Generator().manual_seed(0)
    action = mean.detach() + log_std.exp() * torch.randn(200_000, 1, generator=generator)
    reward = -((action[:, 0] - 1) ** 2)
    loss = policy_gradient_loss(gaussian_log_prob(action, mean.expand(len(action), 1), log_std), reward - reward.mean())
    (slope,) = torch.autograd.grad(loss, mean)
    assert abs(float(slope) - 2 * (0.2 - 1)) < 0.02


def test_the_clip_takes_away_what_is_too_far():
    log_prob = torch.tensor([0.0, 0.5, 0.5, -0.5, -0.5], requires_grad=True)
    advantage = torch.tensor([1.0, 1.0, -1.0, 1.0, -1.0])
    loss = clipped_loss(log_prob, torch.zeros(5), advantage)
    ratio = np.exp([0.0, 0.5, 0.5, -0.5, -0.5])
    by_hand = [1.0, 1.2, -ratio[2], ratio[3], -0.8]
    assert abs(float(loss.detach()) + np.mean(by_hand)) < 1e-6
    loss.backward()
    assert [bool(value) for value in log_prob.grad != 0] == [True, False, True, True, False]
    again = torch.zeros(5, requires_grad=True)
    clipped_loss(again, torch.zeros(5), advantage).backward()
    assert torch.allclose(again.grad, -advantage / 5), "where the policies agree it is REINFORCE's"


@pytest.mark.parametrize("eta", [1.0, 0.5])
def test_the_policy_of_a_step_is_what_diffusers_draws_from(eta):
    """Mean and spread of many draws of DDIMScheduler.step from one x_t."""
    scheduler = DDIMScheduler(timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=True)
    scheduler.set_timesteps(4)
    t, after = spaced_timesteps(4, 1000, "trailing")[1:3]
    assert t in scheduler.timesteps.tolist()
    generator = torch.Generator().manual_seed(0)
    x, eps = torch.randn(2, 1, 2, 2, generator=generator), torch.randn(2, 1, 2, 2, generator=generator)
    levels = scheduler.alphas_cumprod
    mean, std = denoising_policy(x, eps, levels[t], levels[after], eta)
    draws = torch.stack([scheduler.step(eps, t, x, eta=eta, generator=generator).prev_sample for _ in range(4000)])
    assert torch.allclose(draws.mean(0), mean, atol=5 * float(std) / 4000**0.5)
    assert torch.allclose(draws.std(0), torch.full_like(mean, float(std)), rtol=0.06)


def test_the_last_step_draws_nothing():
    x, eps = torch.ones(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.5)
    mean, std = denoising_policy(x, eps, 0.25, 1.0)
    assert std == 0 and torch.allclose(mean, (x - 0.75**0.5 * eps) / 0.5)


def test_a_picture_is_compared_with_its_own_group_alone():
    rewards = torch.tensor([0.9, 0.7, 0.1, 0.3])
    advantages = group_advantages(rewards, 2)
    assert torch.allclose(advantages, torch.tensor([1.0, -1.0, -1.0, 1.0]) * 0.1 / 0.02**0.5, atol=1e-4)
    assert torch.allclose(group_advantages(rewards * 3 + 5, 2), advantages, atol=1e-4), "a reward has no unit"
    assert torch.equal(group_advantages(torch.ones(4), 2), torch.zeros(4))


@pytest.mark.parametrize("number, size", [(4, 1), (5, 2), (4, 3)])
def test_groups_of_one_size(number, size):
    with pytest.raises(ValueError, match="groups"):
        group_advantages(torch.zeros(number), size)


def test_the_divergence_of_two_gaussians_is_torchs():
    mean, other = torch.tensor([[0.1, -0.4], [2.0, 0.0]]), torch.tensor([[0.3, 0.4], [2.0, 0.0]])
    normals = (torch.distributions.Normal(m, 0.7) for m in (mean, other))
    assert torch.allclose(gaussian_kl(mean, other, 0.7), torch.distributions.kl_divergence(*normals).sum(1))
