"""Few steps and guidance, part two: equal to diffusers, to a closed form, or to what a fine path gives."""

import copy
from collections import deque

import pytest
import torch
from diffusers import LCMScheduler, StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg

from s2i_teach.theory import consistency, distil, few_steps, guided_density, matching
from s2i_teach.theory.guidance import classifier_free_guidance
from s2i_teach.theory.ideal import ideal_eps
from s2i_teach.theory.plane import PlaneNet, heart, mean_distance
from s2i_teach.theory.prediction import v_from_x0_and_eps
from s2i_teach.theory.sampler import ddim_step, spaced_timesteps
from s2i_teach.theory.schedule import alphas_cumprod, scaled_linear_betas
from s2i_teach.theory.solvers import heun
from s2i_teach.theory.training import train

STABLE_DIFFUSION = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
ALPHA_BAR = alphas_cumprod(scaled_linear_betas())


def worst(a, b):
    return (a - b).abs().max().item()


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# Consistency


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 8, 50])
def test_lcm_visits_the_timesteps_of_diffusers(n):
    scheduler = LCMScheduler(**STABLE_DIFFUSION)
    scheduler.set_timesteps(n)
    assert consistency.lcm_timesteps(n) == scheduler.timesteps.tolist()


def test_lcm_has_no_more_steps_than_it_was_trained_at():
    with pytest.raises(ValueError, match="51 steps"):
        consistency.lcm_timesteps(51)
    with pytest.raises(ValueError, match="0 steps"):
        consistency.lcm_timesteps(0)


def test_the_boundary_is_that_of_diffusers_and_x_itself_at_0():
    scheduler = LCMScheduler(**STABLE_DIFFUSION)
    for t in (0, 1, 19, 999):
        wanted = scheduler.get_scalings_for_boundary_condition_discrete(t)
        assert consistency.boundary(t) == pytest.approx(wanted, abs=1e-12)
    x, said = draw(3, 2), draw(3, 2, seed=1)
    assert worst(consistency.consistency_function(x, said, 0), x) == 0
    assert worst(consistency.consistency_function(x, said, 999), said) < 1e-4


def test_lcm_s_steps_are_those_of_diffusers():
    scheduler = LCMScheduler(**STABLE_DIFFUSION, clip_sample=False)
    scheduler.set_timesteps(4)
    ours = theirs = draw(2, 4, 8, 8)
    generator = torch.Generator().manual_seed(3)
    timesteps = scheduler.timesteps.tolist()
    levels = few_steps.levels_of(ALPHA_BAR, timesteps)
    for place, t in enumerate(timesteps):
        eps = draw(2, 4, 8, 8, seed=10 + place)
        noise = torch.randn(eps.shape, generator=torch.Generator().manual_seed(place))
        generator.manual_seed(place)
        theirs = scheduler.step(eps, t, theirs, generator=generator, return_dict=False)[0]
        ours = consistency.lcm_step(ours, eps, t, levels[place], levels[place + 1], noise)
        assert worst(ours, theirs) < 2e-4, t


def test_the_perfect_consistency_function_is_its_own_target():
    """Of one data point every path leads to it: f ≡ that point is consistent, and so is what the target gives."""
    point = torch.tensor([[0.5, -1.0]])
    x, a, a_next = draw(6, 2), 0.3, 0.6
    eps = ideal_eps(x, point, a)
    found = consistency.consistency_target(
        x, eps, lambda x, t: x - (1 - a_next) ** 0.5 * ideal_eps(x, point, a_next), a, a_next, 300
    )
    assert worst(found, a_next**0.5 * point.expand(6, 2)) < 1e-5


# Distillation


@pytest.mark.parametrize(("a", "a_next"), [(0.005, 0.3), (0.4, 0.9), (0.7, 1.0)])
def test_one_step_by_the_target_lands_where_the_teacher_landed(a, a_next):
    x_t, x_s = draw(5, 3), draw(5, 3, seed=1)
    v = distil.one_step_target(x_t, x_s, a, a_next)
    assert worst(distil.jump(x_t, v, a, a_next), x_s) < 1e-5
    x0, eps = draw(5, 3, seed=2), draw(5, 3, seed=3)
    x = a**0.5 * x0 + (1 - a) ** 0.5 * eps
    one = ddim_step(x, eps, a, a_next)
    assert worst(distil.one_step_target(x, one, a, a_next), v_from_x0_and_eps(x0, eps, a)) < 1e-5


def test_the_gradient_vanishes_where_both_guesses_agree_and_else_it_points_away_from_the_real():
    x0, real = draw(4, 2), draw(4, 2, seed=1)
    assert worst(distil.distribution_matching_gradient(x0, real, real), torch.zeros(4, 2)) == 0
    # Two bell curves of one width: their scores differ by the same arrow everywhere, from one middle to the other.
    a, middle, other = 0.5, torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 0.5])
    x_t = draw(9, 2, seed=2)

    def guess(mean):
        return mean + a**0.5 * (x_t - a**0.5 * mean)  # E[x_0 | x_t] of N(mean, 1)

    found = distil.distribution_matching_gradient(x_t, guess(middle), guess(other))
    directions = torch.nn.functional.normalize(found, dim=1)
    assert worst(directions, torch.nn.functional.normalize(other - middle, dim=0).expand(9, 2)) < 1e-5


def test_a_slow_copy_moves_by_a_share():
    fast, slow = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    before = slow.weight.clone()
    distil.average_in(slow, fast, 0.75)
    assert worst(slow.weight, 0.75 * before + 0.25 * fast.weight) < 1e-6


@pytest.fixture(scope="module")
def plane():
    """A heart, its perfect teacher, and a network that has learned it as usual."""
    torch.manual_seed(0)
    data = heart(60)
    net = PlaneNet(width=64)
    step = last(train(net, data, ALPHA_BAR, steps=600, batch_size=128, kind="v_prediction", lr=2e-3))

    def teacher(x, a):
        return ideal_eps(x, data, a)

    def some(n, generator):
        return data[torch.randint(len(data), (n,), generator=generator)]

    return data, teacher, some, step.averaged


def last(updates):
    """The last of them all."""
    return deque(updates, maxlen=1)[0]


def unlearned(plane):
    return copy.deepcopy(plane[3]).requires_grad_(True).train()


def test_segments_bring_four_steps_nearer_than_the_teacher_s_own_four(plane):
    data, teacher, some, _ = plane
    step = last(
        few_steps.distil_segments(
            unlearned(plane), teacher, some, ALPHA_BAR, steps=300, batch_size=128, teacher_steps=8
        )
    )
    noise, stops = draw(400, 2, seed=5), spaced_timesteps(4, 1000, "trailing")
    few = few_steps.follow_teacher(teacher, noise, few_steps.levels_of(ALPHA_BAR, stops))
    own = few_steps.follow_student(step.averaged, noise, ALPHA_BAR, stops)
    fine = few_steps.follow_teacher(
        teacher, noise, few_steps.levels_of(ALPHA_BAR, spaced_timesteps(32, 1000, "trailing"))
    )
    assert mean_distance(own, data) < 0.5 * mean_distance(few, data)
    assert (own - fine).norm(dim=1).mean() < 0.5 * (few - fine).norm(dim=1).mean(), "the teacher's own picture is meant"


def test_consistency_brings_one_step_nearer_than_the_mean(plane):
    data, teacher, some, _ = plane
    step = last(
        few_steps.distil_consistency(
            unlearned(plane), teacher, some, ALPHA_BAR, steps=500, batch_size=128, origins=20, decay=0.9
        )
    )
    noise = draw(400, 2, seed=5)
    with torch.no_grad():
        one = few_steps.consistent(step.averaged, noise, ALPHA_BAR, 999)
    mean = few_steps.follow_teacher(teacher, noise, few_steps.levels_of(ALPHA_BAR, [999]))
    assert mean_distance(one, data) < 0.6 * mean_distance(mean, data)
    assert mean_distance(data, one) < 0.3 * mean_distance(data, mean), "and all of the heart is there"


def test_distribution_matching_spreads_one_step_over_the_data(plane):
    data, teacher, _, _ = plane
    student, fake = unlearned(plane), unlearned(plane)
    _, slow = last(matching.distil_distribution(student, teacher, fake, data[0], ALPHA_BAR, steps=250, batch_size=128))
    noise = draw(400, 2, seed=5)
    made = few_steps.follow_student(slow, noise, ALPHA_BAR, [999])
    mean = few_steps.follow_teacher(teacher, noise, few_steps.levels_of(ALPHA_BAR, [999]))
    assert mean_distance(data, made) < 0.4 * mean_distance(data, mean)
    assert mean_distance(made, data) < 0.8 * mean_distance(mean, data)


# Guidance, part two


@pytest.mark.parametrize(("c", "u", "s"), [(1.0, 2.0, 3.0), (0.5, 1.0, 1.5), (0.3, 0.9, 7.0), (1.0, 2.0, 1.0)])
def test_the_guided_ode_arrives_at_the_closed_form_and_not_where_it_aims(c, u, s):
    def denoise(x, sigma):
        """From the guided score of two bell curves around 0."""
        return x + sigma**2 * classifier_free_guidance(-x / (u + sigma**2), -x / (c + sigma**2), s)

    top = 40.0
    sigmas = [*torch.logspace(torch.tensor(top).log10(), -3, 1500, dtype=torch.float64).tolist(), 0.0]
    start = torch.tensor([[top]], dtype=torch.float64)  # one standard deviation
    reached = heun(denoise, start, sigmas).item() ** 2
    assert reached == pytest.approx(guided_density.reached_variance(c, u, s, sigma=top), rel=1e-3)
    assert guided_density.reached_variance(c, u, s, sigma=1e4) == pytest.approx(
        guided_density.reached_variance(c, u, s), rel=1e-6
    )
    aimed = guided_density.aimed_variance(c, u, s)
    if s == 1:
        assert aimed == pytest.approx(c) and reached == pytest.approx(c, rel=1e-2)
    else:
        assert reached < 0.95 * aimed, "narrower than what it aims at"


def test_the_aimed_density_has_the_aimed_variance():
    c, u, s = 1.0, 2.0, 3.0
    grid = torch.linspace(-12, 12, 20_001, dtype=torch.float64)
    log = guided_density.aimed_log_density(-(grid**2) / (2 * u), -(grid**2) / (2 * c), s)
    density = log.exp() / log.exp().sum()
    assert (density * grid**2).sum().item() == pytest.approx(guided_density.aimed_variance(c, u, s), rel=1e-6)
    with pytest.raises(ValueError, match="no bell curve"):
        guided_density.aimed_variance(2.0, 1.0, 3.0)


@pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
def test_rescaled_guidance_is_that_of_diffusers(share):
    guided, conditional = 3 * draw(4, 4, 8, 8), draw(4, 4, 8, 8, seed=1) + 0.1
    guided[1] *= 5
    wanted = rescale_noise_cfg(guided, conditional, guidance_rescale=share)
    assert worst(guided_density.rescale_guidance(guided, conditional, share), wanted) < 1e-5


def test_a_network_is_told_the_scale_as_in_diffusers():
    scales = torch.tensor([1.0, 4.0, 7.5])
    theirs = StableDiffusionPipeline.get_guidance_scale_embedding(None, scales - 1, embedding_dim=64)
    assert worst(guided_density.guidance_embedding(scales, 64), theirs) < 2e-3, "sines of numbers up to 6500, in fp32"
