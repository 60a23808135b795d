"""Score, flow and solvers equal diffusers, autograd of a log density, or a closed form."""

import math

import pytest
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    EDMEulerScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
)

from s2i_teach.theory import conversion, flow, ideal, sampler, score, solvers
from s2i_teach.theory.plane import heart
from s2i_teach.theory.reverse import step_variance

STABLE_DIFFUSION = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


def worst(a, b):
    return (a - b).abs().max().item()


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# Score


def test_the_mixture_s_density_is_torch_distributions_and_its_score_the_gradient():
    centres, x = draw(5, 2), 2 * draw(30, 2, seed=1)
    mixture = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(torch.ones(5, dtype=torch.float64)),
        torch.distributions.Independent(torch.distributions.Normal(centres, 0.4), 1),
    )
    x.requires_grad_(True)
    log = mixture.log_prob(x)
    assert worst(score.mixture_log_density(x, centres, 0.4), log) <= 1e-10
    gradient = torch.autograd.grad(log.sum(), x)[0]
    assert worst(score.mixture_score(x, centres, 0.4), gradient) <= 1e-10
    far = torch.full((1, 2), 300.0, dtype=torch.float64)
    assert score.mixture_score(far, centres, 0.4).isfinite().all(), "where every density is 0 in floating point"


@pytest.mark.parametrize("a", [0.02, 0.5, 0.97])
def test_tweedie_s_formula_gives_the_perfect_denoiser(a):
    data, x = heart(12).double(), draw(20, 2)
    exact = score.mixture_score(x, a**0.5 * data, (1 - a) ** 0.5)
    assert worst(score.x0_from_score(x, exact, a), ideal.ideal_x0(x, data, a)) <= 1e-10
    assert worst(score.score_from_eps(ideal.ideal_eps(x, data, a), a), exact) <= 1e-10


def test_langevin_steps_arrive_at_the_density():
    """For N(1, 0.5²) an unadjusted chain has the variance σ² / (1 − η / (2σ²)), which is counted out here."""
    x, generator, length = torch.zeros(20_000), torch.Generator().manual_seed(0), 0.05
    for _ in range(120):
        x = score.langevin_step(x, (1 - x) / 0.25, length, torch.randn(len(x), generator=generator))
    assert abs(x.mean().item() - 1) < 0.02
    assert abs(x.var().item() - 0.25 / (1 - length / 0.5)) < 0.01


@pytest.mark.parametrize("beta", [1e-2, 1e-3, 1e-4])
def test_short_steps_of_the_two_walks_are_ddpm_s_and_ddim_s(beta):
    """The mean of DDPM's step and DDIM's agree with them up to β², and so does DDPM's variance."""
    a, x, eps = 0.4, draw(6, 3), draw(6, 3, seed=1)
    a_prev = a / (1 - beta)
    s = score.score_from_eps(eps, a)
    zero = torch.zeros_like(x)
    bound = 40 * beta**2
    assert worst(score.reverse_sde_step(x, s, beta, zero), sampler.ddpm_step(x, eps, a, a_prev, zero)) <= bound
    assert worst(score.probability_flow_step(x, s, beta), sampler.ddim_step(x, eps, a, a_prev)) <= bound
    noise = score.reverse_sde_step(zero, zero, beta, zero + 1)
    assert abs(noise[0, 0].item() ** 2 - step_variance(a, a_prev)) <= bound


# One process in three languages


@pytest.mark.parametrize("alpha, sigma", [(0.8, 0.6), (0.7, 0.3), (1.0, 5.0), (0.05, 0.95)])
def test_every_prediction_from_every_other(alpha, sigma):
    x0, eps = draw(2, 3, 4, 4), draw(2, 3, 4, 4, seed=1)
    x_t = alpha * x0 + sigma * eps
    true = {"sample": x0, "epsilon": eps, "v_prediction": alpha * eps - sigma * x0, "flow_prediction": eps - x0}
    assert set(true) == set(conversion.KINDS)
    for kind in true:
        for wanted in true:
            assert worst(conversion.convert(true[kind], kind, wanted, x_t, alpha, sigma), true[wanted]) <= 1e-9
    with pytest.raises(ValueError, match="'x0' is not known"):
        conversion.factors("x0", 1, 1)


def test_one_step_in_three_languages():
    x, eps = draw(4, 3), draw(4, 3, seed=1)
    a, b = 0.2, 0.7
    vp = conversion.ode_step(x, eps, a**0.5, (1 - a) ** 0.5, b**0.5, (1 - b) ** 0.5)
    assert worst(vp, sampler.ddim_step(x, eps, a, b)) <= 1e-12
    assert worst(vp, sampler.euler_step(x, eps, a, b)) <= 1e-12
    t, t_next = 0.8, 0.3
    velocity = conversion.convert(eps, "epsilon", "flow_prediction", x, 1 - t, t)
    assert (
        worst(conversion.ode_step(x, eps, 1 - t, t, 1 - t_next, t_next), flow.flow_step(x, velocity, t, t_next))
        <= 1e-12
    )
    assert worst(conversion.ode_step(x, eps, 1.0, 5.0, 1.0, 3.0), x - 2 * eps) <= 1e-12


# Flow


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_flow_steps_and_the_shift_are_diffusers(shift):
    theirs = FlowMatchEulerDiscreteScheduler(shift=1.0)
    theirs.set_shift(shift)
    theirs.set_timesteps(7)
    times = flow.shift_times(torch.linspace(1, 0.001, 7), shift)
    assert worst(theirs.sigmas, torch.cat([times, torch.zeros(1)])) <= 1e-6
    x = y = draw(2, 3).float()
    for i, t in enumerate(theirs.timesteps):
        velocity = torch.sin(3 * x) + i
        x = theirs.step(velocity, t, x).prev_sample
        y = flow.flow_step(y, velocity, theirs.sigmas[i].item(), theirs.sigmas[i + 1].item())
    assert worst(x, y) <= 1e-5
    noise, clean = draw(2, 3, seed=1).float(), draw(2, 3, seed=2).float()
    t = theirs.sigmas[3].item()
    noisy = theirs.scale_noise(clean, theirs.timesteps[3:4], noise)
    assert worst(noisy, flow.flow_point(clean, noise, t)) <= 1e-6


def test_a_shift_multiplies_noise_over_picture():
    t = torch.linspace(0.01, 0.99, 9, dtype=torch.float64)
    shifted = flow.shift_times(t, 3.0)
    assert worst(shifted / (1 - shifted), 3 * t / (1 - t)) <= 1e-9
    assert flow.shift_times(torch.tensor([0.0, 1.0]), 5.0).tolist() == [0, 1]


@pytest.mark.parametrize("t", [0.05, 0.5, 0.98, 1.0])
def test_the_best_velocity_is_the_mean_over_the_data(t):
    """By brute force: the mean of ε − x_i, weighted by how likely each x_i made this x_t."""
    data, x = draw(9, 2), draw(6, 2, seed=1)
    eps = (x[:, None] - (1 - t) * data) / t
    share = torch.softmax(-eps.pow(2).sum(2) / 2, 1)
    expected = (share[:, :, None] * (eps - data)).sum(1)
    assert worst(flow.ideal_velocity(x, data, t), expected) <= 1e-8


def test_the_flow_of_a_gaussian_ends_where_it_should():
    """Data N(m, s²): with the exact velocity each noise ends at m + s · noise, and the detour is counted."""
    m, s, start = 0.7, 0.5, draw(50, 1)

    def velocity(x, t):
        variance = (1 - t) ** 2 * s**2 + t**2
        return -m + (t - (1 - t) * s**2) / variance * (x - (1 - t) * m)

    path = flow.follow(velocity, start, torch.linspace(1, 0, 2001))
    assert path.shape == (2001, 50, 1) and worst(path[-1], m + s * start) <= 2e-3
    assert flow.detour(torch.tensor([[[0.0, 0.0]], [[1.0, 0.0]], [[1.0, 1.0]]])) == pytest.approx(2 / 2**0.5)
    assert flow.detour(torch.linspace(0, 1, 5)[:, None, None] * torch.ones(1, 3, 2)) == pytest.approx(1)


def test_a_flow_is_trained_towards_the_velocity_at_its_time():
    """A network with one weight: where all pictures are m and all noises n, the velocity is n − m at every t."""
    m, n, seen = torch.full((16, 2), 0.5), torch.full((16, 2), 2.0), []

    class Constant(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(2))

        def forward(self, x, t):
            seen.append((x, t))
            return self.weight.expand_as(x)

    steps = list(flow.train_flow(Constant(), lambda generator: (m, n), steps=150, lr=0.1, average=0.9))
    assert worst(steps[-1].averaged.weight, torch.full((2,), 1.5)) <= 0.05
    assert steps[0].loss == pytest.approx(1.5**2) and worst(steps[0].target, n - m) == 0
    for x, t in seen[:5]:
        assert t.min() >= 0 and t.max() <= 1000 and t.std() > 100
        assert worst(x, 0.5 + 1.5 * t[:, None] / 1000) <= 1e-5


# Solvers


def network(x, sigma):
    """A smooth denoiser that depends on both."""
    return torch.tanh(x / (1 + sigma)) + 0.1 * sigma**0.5


def by_diffusers(scheduler, steps, start):
    """A run of a diffusers scheduler with :func:`network`, in the units x = x_0 + σ ε, and its sigmas."""
    scheduler.set_timesteps(steps)
    sigmas = scheduler.sigmas.double()
    # DPM-Solver keeps the variance-preserving x, the others keep x̄.
    scaled = isinstance(scheduler, DPMSolverMultistepScheduler)
    x = start * sigmas[0]
    x = x / (1 + sigmas[0] ** 2).sqrt() if scaled else x
    for i, t in enumerate(scheduler.timesteps):
        sigma = sigmas[i]
        bar = x * (1 + sigma**2).sqrt() if scaled else x
        x = scheduler.step((bar - network(bar, sigma)) / sigma, t, x).prev_sample
    return x, sigmas


@pytest.mark.parametrize("steps", [5, 20])
def test_solvers_are_diffusers(steps):
    start = draw(3, 2)
    more = {"timestep_spacing": "trailing", **STABLE_DIFFUSION}
    x, sigmas = by_diffusers(EulerDiscreteScheduler(**more), steps, start)
    assert worst(solvers.euler(network, start * sigmas[0], sigmas.tolist()), x) <= 2e-4
    x, sigmas = by_diffusers(HeunDiscreteScheduler(**more), steps, start)
    once = [*sigmas[0:-1:2].tolist(), 0.0]  # each is there twice
    assert len(once) == steps + 1
    assert worst(solvers.heun(network, start * sigmas[0], once), x) <= 2e-4
    x, sigmas = by_diffusers(DPMSolverMultistepScheduler(**more), steps, start)
    assert worst(solvers.dpmpp_2m(network, start * sigmas[0], sigmas.tolist()), x) <= 2e-4


def test_karras_sigmas_and_the_preconditioning_are_diffusers():
    theirs = EDMEulerScheduler(sigma_min=0.01, sigma_max=30.0, sigma_data=0.7)
    theirs.set_timesteps(9)
    assert worst(solvers.karras_sigmas(9, 0.01, 30.0), theirs.sigmas[:-1].double()) <= 1e-4
    sigma, x, answer = torch.tensor(1.7), draw(2, 3).float(), draw(2, 3, seed=1).float()
    skip, out, c_in, noise = solvers.preconditioning(sigma, 0.7)
    assert worst(theirs.precondition_outputs(x, answer, sigma), skip * x + out * answer) <= 1e-6
    assert worst(theirs.precondition_inputs(x, sigma), c_in * x) <= 1e-6
    assert worst(theirs.precondition_noise(sigma), noise) <= 1e-6


@pytest.mark.parametrize("sigma", [0.01, 0.5, 40.0])
def test_preconditioning_keeps_the_variances_at_one(sigma):
    """Of what F gets and of what it has to answer, by the variances of independent x_0 and ε."""
    skip, out, c_in, _ = (c.item() for c in solvers.preconditioning(torch.tensor(sigma, dtype=torch.float64), 0.5))
    assert c_in**2 * (0.25 + sigma**2) == pytest.approx(1)
    assert ((1 - skip) ** 2 * 0.25 + skip**2 * sigma**2) / out**2 == pytest.approx(1)


def test_orders_of_error():
    """Exact for one Gaussian: x(σ) goes with √(s² + σ²). Half the step is half the error, or a quarter."""
    s = 0.5

    def denoise(x, sigma):
        return s**2 / (s**2 + sigma**2) * x

    exact = (s**2 + 0.1**2) ** 0.5 / (s**2 + 25) ** 0.5
    one = torch.ones(1, dtype=torch.float64)
    for solver, order in ((solvers.euler, 1), (solvers.heun, 2), (solvers.dpmpp_2m, 2)):
        errors = [
            abs(solver(denoise, one, solvers.karras_sigmas(n + 1, 0.1, 5.0).tolist()).item() - exact)
            for n in (64, 128, 256)
        ]
        for coarse, fine in zip(errors, errors[1:], strict=False):
            assert math.log2(coarse / fine) == pytest.approx(order, abs=0.15), solver.__name__


def test_the_last_step_to_zero_is_the_guess():
    x = draw(3, 2)
    for solver in (solvers.euler, solvers.heun, solvers.dpmpp_2m):
        assert worst(solver(network, x, [2.0, 0.0]), network(x, 2.0)) <= 1e-12
        assert solver(network, x, [3.0, 1.0, 0.0]).isfinite().all()
