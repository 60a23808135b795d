"""Theory equals diffusers, to 1e-6 by the maximum of |a − b|; where there is no such function, a brute force."""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from s2i_teach.theory import forward, ideal, prediction, reverse, sampler, schedule
from s2i_teach.theory.measure import colourfulness, max_difference, psnr
from s2i_teach.theory.noise import noise_for
from s2i_teach.theory.training import denoising_loss, loss_by_timestep, loss_weight, train, what_to_predict
from s2i_teach.theory.unet import hourglass

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


def test_add_noise_from_any_step():
    """From the clean picture it is the leap, over one step the step, and two leaps have the moments of one."""
    generator = torch.Generator().manual_seed(0)
    betas = schedule.scaled_linear_betas(50, 0.01, 0.3)
    alpha_bar = schedule.alphas_cumprod(betas)
    x, eps = torch.randn(4, 3, generator=generator), torch.randn(4, 3, generator=generator)
    for t in (0, 7, 49):
        times = torch.full((4,), t)
        leap = forward.add_noise(x, eps, alpha_bar, times)
        assert worst(forward.add_noise_from(x, eps, alpha_bar, -1, t), leap) <= 1e-6
        if t:
            step = forward.add_noise_one_step(x, eps, betas, times)
            assert worst(forward.add_noise_from(x, eps, alpha_bar, t - 1, t), step) <= 1e-6
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    for s, t in ((0, 1), (3, 20), (20, 49)):
        signal = forward.add_noise_from(forward.add_noise_from(one, zero, alpha_bar, -1, s), zero, alpha_bar, s, t)
        early = forward.add_noise_from(forward.add_noise_from(zero, one, alpha_bar, -1, s), zero, alpha_bar, s, t)
        late = forward.add_noise_from(zero, one, alpha_bar, s, t)
        assert worst(signal, alpha_bar[t].double().sqrt()) <= 1e-6
        assert worst(early**2 + late**2, 1 - alpha_bar[t].double()) <= 1e-6


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
def test_loss_weight_is_what_an_error_of_x0_counts(kind):
    """The error of the prediction that belongs to a wrong x̂_0, squared, over the error of x̂_0, squared."""
    generator = torch.Generator().manual_seed(0)
    alpha_bar = schedule.alphas_cumprod(schedule.scaled_linear_betas())
    x0, eps, error = (torch.randn(1000, 6, generator=generator, dtype=torch.float64) for _ in range(3))
    a = alpha_bar.double()[:, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    guess = x0 + error
    wrong = what_to_predict(kind, guess, prediction.eps_from_x0(x_t, guess, a), a)
    counted = (wrong - what_to_predict(kind, x0, eps, a)).pow(2).sum(1) / error.pow(2).sum(1)
    assert ((loss_weight(kind, a[:, 0]) - counted) / counted).abs().max() <= 1e-9
    with pytest.raises(ValueError, match="is not known"):
        loss_weight("noise", a)


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


def grid_moments(x_t, data, a, a_prev):
    """Mean and variance of q(x' | x_t) on the line, counted out by Bayes' rule."""
    grid = torch.linspace(-5, 5, 20_001, dtype=torch.float64)
    density = reverse.reverse_density(grid, x_t, data, a, a_prev)
    assert density.min() >= 0
    width = grid[1] - grid[0]
    mean = (density * grid).sum() * width
    return mean.item(), ((grid - mean) ** 2 * density).sum().item() * width.item()


@pytest.mark.parametrize(("a", "a_prev"), [(0.3, 0.32), (0.3, 0.8), (0.05, 0.6)])
def test_a_step_has_the_true_kernel_s_mean_and_lacks_a_known_share_of_its_variance(a, a_prev):
    data = torch.tensor([-1.2, 0.1, 0.9], dtype=torch.float64)
    for x_t in (-0.8, 0.05, 0.4):
        point = torch.tensor([[x_t]], dtype=torch.float64)
        mean, variance = grid_moments(x_t, data, a, a_prev)
        eps = prediction.eps_from_x0(point, ideal.ideal_x0(point, data[:, None], a), a)
        none, one = torch.zeros(1, 1), torch.ones(1, 1)
        step = sampler.ddpm_step(point, eps, a, a_prev, none).item()
        deviation = sampler.ddpm_step(point, eps, a, a_prev, one).item() - step
        assert abs(step - mean) < 1e-6
        assert abs(deviation**2 - reverse.step_variance(a, a_prev)) < 1e-6
        lost = reverse.spread_lost(point, data[:, None], a, a_prev).item()
        assert abs(lost - (1 - deviation**2 / variance)) < 1e-6 and lost > 0.001


def test_draws_from_the_true_kernel_have_its_moments():
    data = torch.tensor([[-1.2], [0.1], [0.9]])
    draws = reverse.draw_true(torch.full((200_000, 1), 0.3), data, 0.2, 0.7, torch.Generator().manual_seed(0))
    mean, variance = grid_moments(0.3, data[:, 0].double(), 0.2, 0.7)
    assert abs(draws.mean().item() - mean) < 0.01 and abs(draws.var().item() - variance) < 0.01


def test_the_true_kernel_ends_on_the_data_in_two_steps_and_the_gaussian_step_does_not():
    data = torch.tensor([[-1.0, 0.0], [1.0, 0.5], [0.5, -1.0]])
    generator = torch.Generator().manual_seed(0)
    true = step = torch.randn(3000, 2, generator=generator)
    for a, a_prev in ((1e-4, 0.3), (0.3, 1.0)):
        eps = prediction.eps_from_x0(step, ideal.ideal_x0(step, data, a), a)
        step = sampler.ddpm_step(step, eps, a, a_prev, torch.randn(step.shape, generator=generator))
        true = reverse.draw_true(true, data, a, a_prev, generator)
    distance, which = torch.cdist(true, data).min(1)
    assert distance.max() < 1e-5
    shares = torch.bincount(which, minlength=3) / len(which)
    assert worst(shares, torch.full((3,), 1 / 3)) < 0.04
    assert torch.cdist(step, data).min(1).values.mean() > 0.2


def test_the_lost_share_falls_with_the_length_of_the_step():
    """In proportion to it, once steps are short."""
    data = torch.tensor([[-1.0, 0.0], [1.0, 0.5], [0.5, -1.0]], dtype=torch.float64)
    x_t = torch.tensor([[0.1, 0.2], [0.4, -0.3]], dtype=torch.float64)
    lost = [reverse.spread_lost(x_t, data, 0.3, 0.3 + d) for d in (0.004, 0.002, 0.001)]
    for longer, shorter in zip(lost, lost[1:], strict=False):
        assert worst(longer / shorter, torch.full((2,), 2.0)) < 0.02
    assert worst(reverse.spread_lost(x_t, data, 0.3, 1.0), torch.ones(2)) < 1e-9


@pytest.mark.parametrize(("a", "a_prev"), [(0.3, 0.31), (0.05, 0.9), (0.9, 1.0)])
def test_ddpm_s_mean_as_a_multiple_of_x_less_a_multiple_of_the_noise(a, a_prev):
    x, eps = (torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    of_x, of_eps = sampler.ddpm_coefficients(a / a_prev, a)
    assert worst(of_x * x - of_eps * eps, sampler.ddpm_step(x, eps, a, a_prev, torch.zeros_like(x))) < 1e-5


def test_the_ideal_denoiser_has_the_shape_of_pictures():
    data = torch.rand(6, 3, 4, 4)
    x_t = torch.rand(2, 3, 4, 4)
    assert ideal.ideal_x0(x_t, data, 0.5).shape == x_t.shape
    assert torch.allclose(ideal.weights(x_t, data, 0.5).sum(1), torch.ones(2))
    assert worst(ideal.ideal_x0(0.999**0.5 * data[:1], data, 0.9999), data[:1]) < 1e-3


# The U-Net and its training


def test_timestep_embedding():
    from diffusers.models.embeddings import get_timestep_embedding

    from s2i_teach.theory.unet import timestep_embedding

    t = torch.tensor([0, 1, 7, 999])
    theirs = get_timestep_embedding(t, 32, flip_sin_to_cos=True, downscale_freq_shift=0)
    assert worst(timestep_embedding(t, 32), theirs) <= 1e-6


@pytest.mark.parametrize(("inside", "outside"), [(16, 16), (16, 32)])
def test_the_block_is_diffusers_block(inside, outside):
    from diffusers.models.resnet import ResnetBlock2D

    from s2i_teach.theory.unet import ResBlock

    torch.manual_seed(0)
    ours = ResBlock(inside, outside, 24)
    theirs = ResnetBlock2D(in_channels=inside, out_channels=outside, temb_channels=24, groups=8, eps=1e-5)
    names = {"time": "time_emb_proj", "shortcut": "conv_shortcut"}
    state = {
        names.get(k.split(".")[0], k.split(".")[0]) + "." + k.split(".")[1]: v for k, v in ours.state_dict().items()
    }
    theirs.load_state_dict(state)
    x, time = torch.randn(2, inside, 6, 6), torch.randn(2, 24)
    assert worst(ours(x, time), theirs(x, time)) <= 1e-5


def test_attention_is_diffusers_attention():
    from diffusers.models.attention_processor import Attention

    from s2i_teach.theory.unet import SelfAttention

    torch.manual_seed(0)
    ours = SelfAttention(16, heads=4)
    theirs = Attention(
        16,
        heads=4,
        dim_head=4,
        norm_num_groups=8,
        bias=True,
        residual_connection=True,
        _from_deprecated_attn_block=True,
    )
    weight, bias = ours.qkv.weight[:, :, 0, 0], ours.qkv.bias
    parts = {"to_q": slice(0, 16), "to_k": slice(16, 32), "to_v": slice(32, 48)}
    state = {f"{name}.weight": weight[part] for name, part in parts.items()}
    state |= {f"{name}.bias": bias[part] for name, part in parts.items()}
    state |= {"group_norm.weight": ours.norm.weight, "group_norm.bias": ours.norm.bias}
    state |= {"to_out.0.weight": ours.out.weight[:, :, 0, 0], "to_out.0.bias": ours.out.bias}
    theirs.load_state_dict(state)
    x = torch.randn(2, 16, 4, 6)
    assert worst(ours(x), theirs(x)) <= 1e-5


@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.parametrize("attention", [(), (1, 2)])
def test_the_unet_s_shapes_and_gradients(skips, attention):
    from s2i_teach.theory.unet import UNet

    model = UNet(channels=1, widths=(8, 16, 24), attention=attention, skips=skips)
    x, t = torch.randn(3, 1, 16, 24), torch.tensor([0, 10, 999])
    assert model(x, t).shape == x.shape and model(x, t).abs().max() == 0
    torch.nn.init.normal_(model.conv_out.weight)
    model(x, t).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert worst(model(x, t)[1:2], model(x[1:2], t[1:2])) < 1e-4, "pictures of a batch must not mix"
    assert not torch.allclose(model(x, t), model(x, t.flip(0)))
    with pytest.raises(ValueError, match="multiples of 4"):
        model(torch.randn(1, 1, 18, 16), t[:1])


def test_training_learns_what_the_ideal_denoiser_knows():
    """In two dimensions a small network comes near the best loss there is."""
    from torch import nn

    from s2i_teach.theory.training import train

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(4, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))

        def forward(self, x, t):
            angle = t[:, None] / 100 * 3.1416 / 2
            return self.body(torch.cat([x, angle.cos(), angle.sin()], 1))

    torch.manual_seed(0)
    data = torch.tensor([[-1.0, 0.5], [1.0, 0.5], [0.0, -1.0]])
    alpha_bar = schedule.alphas_cumprod(schedule.linear_betas(100, 1e-3, 0.2))
    net, before = Net(), torch.get_rng_state()
    steps = list(train(net, data, alpha_bar, steps=1500, batch_size=256, lr=3e-3))
    assert torch.equal(torch.get_rng_state(), before), "the session's random state is left alone"
    assert [s.step for s in steps[:3]] == [0, 1, 2]
    generator = torch.Generator().manual_seed(9)
    x0 = data[torch.randint(3, (4000,), generator=generator)]
    eps = torch.randn(x0.shape, generator=generator)
    ours = best = 0.0
    for t in range(5, 100, 10):
        times = torch.full((len(x0),), t)
        x_t = forward.add_noise(x0, eps, alpha_bar, times)
        with torch.no_grad():
            ours += (steps[-1].averaged(x_t, times) - eps).square().mean().item()
        best += (ideal.ideal_eps(x_t, data, alpha_bar[t].item()) - eps).square().mean().item()
    assert 0 < ours / 10 - best / 10 < 0.05, "predicting no noise at all would lose 0.9"


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
def test_a_step_tells_what_it_did(kind):
    from s2i_teach.theory.training import train
    from s2i_teach.theory.unet import UNet

    torch.manual_seed(0)
    model = UNet(channels=1, widths=(8, 16))
    alpha_bar = schedule.alphas_cumprod(schedule.linear_betas())
    data = torch.rand(5, 1, 8, 8) * 2 - 1
    step = next(train(model, data, alpha_bar, steps=1, batch_size=4, kind=kind, seed=3))
    a = forward.per_picture(alpha_bar, step.t, step.x0)
    x0, eps = prediction.to_x0_and_eps(step.target, kind, step.x_t, a)
    assert worst(x0, step.x0) < 1e-3
    assert step.loss == pytest.approx((step.prediction - step.target).square().mean().item(), rel=1e-5)


# Noise, measures, the loss


def test_noise_is_the_same_alone_and_in_a_batch_and_equals_diffusers():
    from diffusers.utils.torch_utils import randn_tensor

    seeds = [3, 0, 2**40, 3]
    before = torch.random.get_rng_state()
    noise = noise_for(seeds, (2, 5))
    assert torch.equal(torch.random.get_rng_state(), before)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    assert torch.equal(noise, randn_tensor((4, 2, 5), generator=generators))
    assert torch.equal(noise[0], noise[3]) and not torch.equal(noise[0], noise[1])
    assert all(torch.equal(noise_for([seed], (2, 5))[0], one) for seed, one in zip(seeds, noise, strict=True))


def test_colourfulness_by_hand():
    """Hasler and Süsstrunk's metric, written out with numpy for each picture alone."""
    import numpy as np

    x = torch.rand(3, 3, 5, 7, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for ours, picture in zip(colourfulness(x), x, strict=True):
        red, green, blue = (picture.double().numpy() + 1) * 127.5
        rg, yb = red - green, 0.5 * (red + green) - blue
        expected = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
        assert abs(ours.item() - expected) < 1e-3
    grey = torch.linspace(-1, 1, 16).view(1, 1, 4, 4).expand(1, 3, 4, 4)
    assert colourfulness(grey).max() < 1e-4
    red_page = torch.tensor([1.0, -1, -1]).view(1, 3, 1, 1).expand(1, 3, 4, 4)  # R − G = 255, (R + G)/2 − B = 127.5
    assert abs(colourfulness(red_page).item() - 0.3 * 255 * 1.25**0.5) < 1e-2


def test_psnr_equals_scikit_image_s():
    from skimage.metrics import peak_signal_noise_ratio

    torch.manual_seed(0)
    a = torch.rand(3, 3, 8, 9) * 2 - 1
    b = (a + 0.2 * torch.randn_like(a)).clamp(-1, 1)
    for ours, one, other in zip(psnr(a, b), a, b, strict=True):
        theirs = peak_signal_noise_ratio(one.numpy().astype("float64"), other.numpy().astype("float64"), data_range=2)
        assert ours.item() == pytest.approx(theirs, abs=1e-4)
    assert psnr(a, a).min() > 100 and torch.equal(psnr(a, b + 5), psnr(a, torch.ones_like(b)))


def test_max_difference_sees_what_a_signed_sum_does_not():
    betas = schedule.linear_betas()
    assert abs((betas - betas.flip(0)).sum()) < 1e-6
    assert max_difference(betas, betas.flip(0)) == pytest.approx(0.02 - 1e-4, abs=1e-7)
    assert max_difference(betas, betas) == 0


def test_the_loss_is_that_of_diffusers_noise():
    torch.manual_seed(0)
    scheduler = diffusers_scheduler("linear")
    x0, eps, t = torch.randn(4, 3, 4, 4), torch.randn(4, 3, 4, 4), torch.tensor([0, 10, 500, 999])

    def model(x, t):
        return 0.3 * x + t.view(-1, 1, 1, 1) / 1000

    expected = (model(scheduler.add_noise(x0, eps, t), t) - eps).square().mean().item()
    assert denoising_loss(model, x0, eps, scheduler.alphas_cumprod, t).item() == pytest.approx(expected, abs=1e-6)


def test_the_loss_by_timestep_of_the_perfect_denoiser_is_the_least():
    torch.manual_seed(0)
    data, alpha_bar = torch.randn(6, 2), schedule.alphas_cumprod(schedule.scaled_linear_betas())
    times = [10, 400, 800]
    perfect = loss_by_timestep(lambda x, t: ideal.ideal_eps(x, data, alpha_bar[t[0]].item()), data, alpha_bar, times)
    lazy = loss_by_timestep(lambda x, t: torch.zeros_like(x), data, alpha_bar, times)
    assert all(0 <= best < other for best, other in zip(perfect, lazy, strict=True))
    assert len(set(lazy)) == 1, "the same noise at every timestep"


def test_what_goes_down_comes_up_at_its_own_level():
    """With levels that do nothing, and that keep only what was handed over, the input comes through unharmed."""
    x = torch.randn(2, 3, 16, 8, generator=torch.Generator().manual_seed(0))
    sizes = []

    def up(h):
        sizes.append(tuple(h.shape))
        return h[:, 3:]

    assert torch.equal(hourglass(x, [lambda h: h] * 3, lambda h: h, [up] * 3), x)
    assert sizes == [(2, 6, 4, 2), (2, 6, 8, 4), (2, 6, 16, 8)]
    flat = hourglass(x, [lambda h: h] * 3, lambda h: h, [lambda h: h] * 3, skips=False)
    assert worst(flat[:, :, ::4, ::4], torch.nn.functional.avg_pool2d(x, 4)) < 1e-6


def test_the_learning_rate_of_the_teaching_loop_rises_and_falls():
    class Watched(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, x, t):
            return x * self.weight

    alpha_bar = schedule.alphas_cumprod(schedule.linear_betas())
    model, moved, last = Watched(), [], 1.0
    for _ in train(model, torch.randn(64, 2), alpha_bar, steps=60, lr=1e-2):
        moved.append(abs(model.weight.item() - last))
        last = model.weight.item()
    assert moved[0] < moved[5] and max(moved[-3:]) < 0.3 * max(moved)
