"""Theory equals diffusers, to 1e-6 by the maximum of |a − b|; where there is no such function, a brute force."""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from s2i_teach.theory import forward, ideal, prediction, schedule

SCHEDULES = {
    "linear": schedule.linear_betas,
    "scaled_linear": schedule.scaled_linear_betas,
    "squaredcos_cap_v2": schedule.cosine_betas,
}
RANGES = {"linear": (1e-4, 0.02), "scaled_linear": (0.00085, 0.012), "squaredcos_cap_v2": (1e-4, 0.02)}


def diffusers_scheduler(name, kind=DDPMScheduler, steps=1000, **more):
    start, end = RANGES[name]
    return kind(num_train_timesteps=steps, beta_schedule=name, beta_start=start, beta_end=end, **more)


def worst(a, b):
    return (a - b).abs().max().item()


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [10, 1000])
def test_schedules(name, steps):
    betas, theirs = SCHEDULES[name](steps), diffusers_scheduler(name, steps=steps)
    assert betas.shape == (steps,) and betas.dtype == torch.float32
    assert worst(betas, theirs.betas) <= 1e-6
    alpha_bar = schedule.alphas_cumprod(betas)
    assert worst(alpha_bar, theirs.alphas_cumprod) <= 1e-6
    assert (alpha_bar.diff() < 0).all()


@pytest.mark.parametrize("name", ["linear", "scaled_linear"])
def test_zero_terminal_snr(name):
    betas = schedule.rescale_zero_terminal_snr(SCHEDULES[name]())
    theirs = diffusers_scheduler(name, kind=DDIMScheduler, rescale_betas_zero_snr=True)
    assert worst(betas, theirs.betas) <= 1e-6
    assert schedule.alphas_cumprod(betas)[-1] == 0 and betas[-1] == 1


def test_signal_to_noise_ratio():
    from diffusers.training_utils import compute_snr

    theirs = diffusers_scheduler("scaled_linear")
    t = torch.tensor([0, 1, 500, 999])
    ours = schedule.signal_to_noise_ratio(theirs.alphas_cumprod)[t]
    assert ((ours - compute_snr(theirs, t)) / ours).abs().max() <= 1e-5


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("shape", [(5, 2), (5, 3, 4, 6)])
def test_add_noise(name, shape):
    generator = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)
    t = torch.tensor([0, 1, 10, 500, 999])
    theirs = diffusers_scheduler(name)
    ours = forward.add_noise(x0, eps, theirs.alphas_cumprod, t)
    assert worst(ours, theirs.add_noise(x0, eps, t)) <= 1e-6


def test_the_chain_has_the_closed_form_s_distribution():
    """T single steps: mean √ᾱ_T · x_0 and variance 1 − ᾱ_T; adding (1 − α) · ε instead of its root gives 0.014."""
    betas = schedule.scaled_linear_betas(200, 0.00085 * 5, 0.012 * 5)
    alpha_bar = schedule.alphas_cumprod(betas)
    generator = torch.Generator().manual_seed(0)
    x = torch.full((100_000,), 2.0)
    for step in range(200):
        t = torch.full((len(x),), step)
        x = forward.add_noise_one_step(x, torch.randn(x.shape, generator=generator), betas, t)
    assert x.mean().item() == pytest.approx(2 * alpha_bar[-1].sqrt().item(), abs=0.015)
    assert x.var().item() == pytest.approx(1 - alpha_bar[-1].item(), abs=0.015)


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
def test_predictions_tell_each_other(kind):
    generator = torch.Generator().manual_seed(1)
    x0, eps = torch.randn(4, 3, 5, 5, generator=generator), torch.randn(4, 3, 5, 5, generator=generator)
    t = torch.tensor([0, 100, 500, 900])
    scheduler = diffusers_scheduler("scaled_linear", prediction_type=kind, clip_sample=False)
    a = forward.per_picture(scheduler.alphas_cumprod, t, x0)
    x_t = forward.add_noise(x0, eps, scheduler.alphas_cumprod, t)
    velocity = prediction.v_from_x0_and_eps(x0, eps, a)
    assert worst(velocity, scheduler.get_velocity(x0, eps, t)) <= 1e-6
    given = {"epsilon": eps, "sample": x0, "v_prediction": velocity}[kind]
    found_x0, found_eps = prediction.to_x0_and_eps(given, kind, x_t, a)
    assert worst(found_x0, x0) <= 1e-5 and worst(found_eps, eps) <= 2e-5
    for i in range(4):  # diffusers' own step works x̂_0 out in the same way
        theirs = scheduler.step(given[i : i + 1], int(t[i]), x_t[i : i + 1]).pred_original_sample
        assert worst(found_x0[i : i + 1], theirs) <= 1e-6


def test_an_unknown_prediction():
    with pytest.raises(ValueError, match="not known"):
        prediction.to_x0_and_eps(torch.zeros(1), "noise", torch.zeros(1), torch.tensor(0.5))


def test_the_ideal_denoiser_is_the_posterior_mean():
    """Against brute force: draw many (x_0, ε), keep those whose x_t falls near a point, average their x_0."""
    data = torch.tensor([[-1.0, 0.0], [1.0, 0.5], [0.5, -1.0]])
    a = 0.4
    generator = torch.Generator().manual_seed(0)
    which = torch.randint(3, (4_000_000,), generator=generator)
    x_t = a**0.5 * data[which] + (1 - a) ** 0.5 * torch.randn(len(which), 2, generator=generator)
    for point in ([0.2, 0.1], [-0.5, 0.4], [0.6, -0.7]):
        point = torch.tensor([point])
        near = ((x_t - point) ** 2).sum(1) < 0.03**2
        assert near.sum() > 500
        expected = data[which[near]].mean(0)
        assert worst(ideal.ideal_x0(point, data, a)[0], expected) < 0.06


def test_the_ideal_noise_is_the_score():
    data = torch.tensor([[-1.0, 0.0], [1.0, 0.5]], dtype=torch.float64)
    a, x = 0.3, torch.tensor([[0.1, 0.2]], dtype=torch.float64, requires_grad=True)
    log_p = torch.logsumexp(-((x - a**0.5 * data) ** 2).sum(1) / (2 * (1 - a)), 0)
    (score,) = torch.autograd.grad(log_p, x)
    assert worst(-ideal.ideal_eps(x.detach(), data, a) / (1 - a) ** 0.5, score) < 1e-9


def test_the_ideal_denoiser_has_the_shape_of_pictures():
    data = torch.rand(6, 3, 4, 4)
    x_t = torch.rand(2, 3, 4, 4)
    assert ideal.ideal_x0(x_t, data, 0.5).shape == x_t.shape
    assert torch.allclose(ideal.weights(x_t, data, 0.5).sum(1), torch.ones(2))
    assert worst(ideal.ideal_x0(0.999**0.5 * data[:1], data, 0.9999), data[:1]) < 1e-3
