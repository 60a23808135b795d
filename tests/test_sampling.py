"""Samplers, attention, guidance, latents and SDEdit equal diffusers' and torch's own."""

import pytest
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, DDPMScheduler, EulerDiscreteScheduler

from s2i_teach.theory import attention, guidance, latent, sampler, schedule, sdedit
from s2i_teach.theory.forward import per_picture
from s2i_teach.theory.ideal import ideal_x0
from s2i_teach.theory.prediction import eps_from_v, eps_from_x0

SD = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
ALPHA_BAR = schedule.alphas_cumprod(schedule.scaled_linear_betas())


def worst(a, b):
    return (a - b).abs().max().item()


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
@pytest.mark.parametrize("steps", [1, 3, 7, 20, 30, 50, 999, 1000])
def test_spacings(spacing, steps):
    offset = 1 if spacing == "leading" and steps < 999 else 0
    theirs = DDIMScheduler(**SD, timestep_spacing=spacing, steps_offset=offset)
    theirs.set_timesteps(steps)
    assert sampler.spaced_timesteps(steps, 1000, spacing, offset) == theirs.timesteps.tolist()


@pytest.mark.parametrize("arguments", [(0,), (1001,), (10, 1000, "karras")])
def test_spacings_that_do_not_exist(arguments):
    with pytest.raises(ValueError):
        sampler.spaced_timesteps(*arguments)


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("steps", [4, 20, 1000])
def test_ddim_step(eta, steps):
    theirs = DDIMScheduler(**SD, clip_sample=False, set_alpha_to_one=False, steps_offset=0)
    theirs.set_timesteps(steps)
    times = theirs.timesteps.tolist()
    for i in sorted({0, 1, len(times) // 2, len(times) - 1}):
        x, eps, noise = normal(2, 3, 4, 5, seed=i), normal(2, 3, 4, 5, seed=i + 1), normal(2, 3, 4, 5, seed=i + 2)
        a = ALPHA_BAR[times[i]].item()
        a_prev = ALPHA_BAR[times[i + 1] if i + 1 < len(times) else 0].item()
        expected = theirs.step(eps, times[i], x, eta=eta, variance_noise=noise).prev_sample
        assert worst(sampler.ddim_step(x, eps, a, a_prev, noise, eta), expected) <= 1e-5


@pytest.mark.parametrize("steps", [4, 20, 1000])
def test_ddpm_step(steps):
    theirs = DDPMScheduler(**SD, clip_sample=False)
    theirs.set_timesteps(steps)
    times = theirs.timesteps.tolist()
    for i in sorted({0, 1, len(times) // 2, len(times) - 1}):
        x, eps = normal(2, 3, 4, 5, seed=i), normal(2, 3, 4, 5, seed=i + 1)
        a = ALPHA_BAR[times[i]].item()
        a_prev = ALPHA_BAR[times[i + 1]].item() if i + 1 < len(times) else 1.0
        expected = theirs.step(eps, times[i], x, generator=torch.Generator().manual_seed(9)).prev_sample
        assert worst(sampler.ddpm_step(x, eps, a, a_prev, normal(2, 3, 4, 5, seed=9)), expected) <= 1e-5


@pytest.mark.parametrize("steps", [4, 20, 50])
def test_euler_step_is_ddim_s(steps):
    theirs = EulerDiscreteScheduler(**SD, timestep_spacing="leading", steps_offset=1)
    theirs.set_timesteps(steps)
    times = sampler.spaced_timesteps(steps, offset=1)
    assert times == theirs.timesteps.tolist()
    for i in sorted({0, 1, len(times) // 2, len(times) - 1}):
        x, eps = normal(2, 3, 4, 5, seed=i), normal(2, 3, 4, 5, seed=i + 1)
        a = ALPHA_BAR[times[i]].item()
        a_prev = ALPHA_BAR[times[i + 1]].item() if i + 1 < len(times) else 1.0
        ours = sampler.euler_step(x, eps, a, a_prev)
        theirs.set_timesteps(steps)
        theirs.set_begin_index(i)
        theirs.scale_model_input(x, theirs.timesteps[i])
        expected = theirs.step(eps, theirs.timesteps[i], x / a**0.5).prev_sample * a_prev**0.5
        assert worst(ours, expected) <= 1e-5
        assert worst(ours, sampler.ddim_step(x, eps, a, a_prev)) <= 1e-5


def test_ddim_with_eta_1_is_ddpm_and_wants_noise():
    x, eps, noise = normal(2, 3), normal(2, 3, seed=1), normal(2, 3, seed=2)
    assert worst(sampler.ddim_step(x, eps, 0.2, 0.6, noise, 1.0), sampler.ddpm_step(x, eps, 0.2, 0.6, noise)) <= 1e-6
    with pytest.raises(ValueError, match="give noise"):
        sampler.ddim_step(x, eps, 0.2, 0.6, eta=0.5)


def test_ddpm_step_draws_from_the_posterior():
    """Against Bayes: of many chains through x_prev, those that end near x_t have the mean and variance of the step."""
    a_prev, a, x0, x_t = 0.8, 0.5, 0.7, 0.9
    generator = torch.Generator().manual_seed(0)
    x_prev = a_prev**0.5 * x0 + (1 - a_prev) ** 0.5 * torch.randn(4_000_000, generator=generator)
    alpha = a / a_prev
    arrived = alpha**0.5 * x_prev + (1 - alpha) ** 0.5 * torch.randn(len(x_prev), generator=generator)
    x_prev = x_prev[(arrived - x_t).abs() < 0.01]
    point = torch.full((200_000,), x_t)
    noise = torch.randn(len(point), generator=generator)
    drawn = sampler.ddpm_step(point, eps_from_x0(point, torch.full_like(point, x0), a), a, a_prev, noise)
    assert drawn.mean().item() == pytest.approx(x_prev.mean().item(), abs=0.01)
    assert drawn.std().item() == pytest.approx(x_prev.std().item(), abs=0.01)


@pytest.mark.parametrize("how", ["ddpm", "ddim", "euler"])
def test_sampling_with_the_ideal_denoiser_arrives_at_the_data(how):
    data = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [0.0, 1.0]])
    steps = {
        "ddpm": sampler.ddpm_step,
        "ddim": lambda x, eps, a, b, noise: sampler.ddim_step(x, eps, a, b),
        "euler": lambda x, eps, a, b, noise: sampler.euler_step(x, eps, a, b),
    }

    def predict(x, t):
        a = ALPHA_BAR[t]
        return eps_from_x0(x, ideal_x0(x, data, a), a)

    start = torch.zeros(300, 2)
    found = sdedit.sdedit(
        start, predict, ALPHA_BAR, sampler.spaced_timesteps(50, spacing="trailing"), 1.0, steps[how],
        torch.Generator().manual_seed(0),
    )  # fmt: skip
    distance, nearest = torch.cdist(found, data).min(1)
    assert distance.max() < 0.05
    assert torch.bincount(nearest, minlength=3).min() > 60  # every one of the three is found, by about a third


@pytest.mark.parametrize("respacing, expected", [
    (5, [0, 2, 4, 7, 9]),
    ("5", [0, 2, 4, 7, 9]),
    ("2,3", [0, 4, 5, 7, 9]),
    ("ddim5", [0, 2, 4, 6, 8]),
    (1, [0]),
    (10, list(range(10))),
])  # fmt: skip
def test_space_timesteps(respacing, expected):
    assert sampler.space_timesteps(10, respacing) == expected


def test_space_timesteps_of_a_thousand():
    kept = sampler.space_timesteps(1000, 100)
    assert len(kept) == 100 and kept[0] == 0 and kept[-1] == 999 and kept[:4] == [0, 10, 20, 30]
    assert kept == [round(i * 999 / 99) for i in range(100)]
    parts = sampler.space_timesteps(300, "10,15,20")
    assert [sum(low <= k < low + 100 for k in parts) for low in (0, 100, 200)] == [10, 15, 20]
    assert sampler.space_timesteps(1000, "ddim50") == list(range(0, 1000, 20))


@pytest.mark.parametrize("respacing", ["ddim600", "600,600", "many", "", "ddim", "-3", 0, "5,", 1.5])
def test_a_respacing_that_cannot_be(respacing):
    with pytest.raises(ValueError):
        sampler.space_timesteps(1000, respacing)


@pytest.mark.parametrize("respacing", [100, "10,15,20", "ddim50"])
def test_rebuilt_betas_pass_the_same_noise_levels(respacing):
    """Walking the short chain with its own β is walking the long one at the kept timesteps."""
    kept = sampler.space_timesteps(1000, respacing)
    betas = sampler.respaced_betas(ALPHA_BAR, kept)
    short = schedule.alphas_cumprod(betas)
    assert worst(short, ALPHA_BAR[kept]) <= 1e-6
    theirs = DDPMScheduler(trained_betas=betas.tolist(), clip_sample=False)
    for i in (len(kept) - 1, len(kept) // 2, 1):
        x, eps, noise = normal(2, 3, seed=3), normal(2, 3, seed=4), normal(2, 3, seed=5)
        ours = sampler.ddpm_step(x, eps, ALPHA_BAR[kept[i]].item(), ALPHA_BAR[kept[i - 1]].item(), noise)
        expected = theirs.step(eps, i, x, generator=torch.Generator().manual_seed(5)).prev_sample
        assert worst(ours, expected) <= 1e-5


@pytest.mark.parametrize("shape", [(5, 7, 8), (2, 3, 4, 16)])
def test_attention_equals_torch(shape):
    q, k, v = normal(*shape), normal(*shape[:-2], 11, shape[-1], seed=1), normal(*shape[:-2], 11, 6, seed=2)
    assert worst(attention.attention(q, k, v), F.scaled_dot_product_attention(q, k, v)) <= 1e-5
    assert worst(attention.attention_weights(q, k).sum(-1), torch.ones(shape[:-1])) <= 1e-5


@pytest.mark.parametrize("context_channels", [None, 24])
def test_attention_module_equals_diffusers(context_channels):
    from diffusers.models.attention_processor import Attention

    torch.manual_seed(0)
    theirs = Attention(32, cross_attention_dim=context_channels, heads=4, dim_head=8)
    ours = attention.Attention(32, context_channels, heads=4)
    ours.load_state_dict(theirs.state_dict())
    x = normal(2, 9, 32)
    context = None if context_channels is None else normal(2, 5, 24, seed=1)
    assert worst(ours(x, context), theirs(x, encoder_hidden_states=context)) <= 1e-5
    assert ours.weights(x, context).shape == (2, 4, 9, 9 if context is None else 5)


def test_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="divisor"):
        attention.Attention(10, heads=4)


def test_the_two_conventions_of_guidance():
    u, c = normal(2, 4), normal(2, 4, seed=1)
    assert worst(guidance.classifier_free_guidance(u, c, 0.0), u) <= 1e-6
    assert worst(guidance.classifier_free_guidance(u, c, 1.0), c) <= 1e-6
    assert worst(guidance.classifier_free_guidance(u, c, 7.5), guidance.guidance_weight(u, c, 6.5)) <= 1e-5
    assert worst(guidance.guidance_weight(u, c, 0.0), c) <= 1e-6


def test_guidance_interval():
    scales = [guidance.guidance_at(t, 5.0, (200, 700)) for t in (0, 199, 200, 500, 700, 701)]
    assert scales == [1.0, 1.0, 5.0, 5.0, 5.0, 1.0]
    assert guidance.guidance_at(3, 5.0) == 5.0
    with pytest.raises(ValueError, match="empty"):
        guidance.guidance_at(3, 5.0, (7, 2))


def test_label_dropout():
    labels = torch.arange(1, 20_001)
    dropped = guidance.drop_labels(labels, torch.tensor(0), 0.1, torch.Generator().manual_seed(0))
    gone = dropped == 0
    assert gone.float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert torch.equal(dropped[~gone], labels[~gone])
    words = guidance.drop_labels(normal(50, 7, 3), torch.zeros(7, 3), 0.5, torch.Generator().manual_seed(1))
    whole = (words == 0).flatten(1).all(1)
    assert 10 < whole.sum() < 40 and not (words[~whole] == 0).any()  # a picture loses all its words or none
    assert torch.equal(guidance.drop_labels(labels, torch.tensor(0), 0.0), labels)
    with pytest.raises(ValueError, match="between 0 and 1"):
        guidance.drop_labels(labels, torch.tensor(0), 10)


def test_the_posterior_equals_diffusers():
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

    moments = 3 * normal(2, 8, 4, 4)
    theirs = DiagonalGaussianDistribution(moments)
    mean, std = latent.posterior(moments)
    assert worst(mean, theirs.mean) <= 1e-6 and worst(std, theirs.std) <= 1e-5
    expected = theirs.sample(torch.Generator().manual_seed(3)) * 0.18215
    ours = latent.draw_latent(moments, 0.18215, normal(2, 4, 4, 4, seed=3))
    assert worst(ours, expected) <= 1e-5
    assert worst(latent.undo_scaling(ours, 0.18215), expected / 0.18215) <= 1e-5
    # theirs adds the channels up as well; both over the whole picture
    assert (latent.kl_from_standard_normal(moments) / theirs.kl() - 1).abs().max() <= 1e-5
    with pytest.raises(ValueError, match="halved"):
        latent.posterior(torch.zeros(1, 3, 2, 2))


def test_the_scaling_factor_makes_latents_unit_sized():
    latents = 5.49 * normal(8, 4, 16, 16)
    assert (latents * latent.scaling_factor_for(latents)).std().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("steps, strength, skipped", [(50, 0.3, 35), (50, 0.58, 22), (20, 1.0, 0), (100, 0.29, 72)])
def test_start_step(steps, strength, skipped):
    assert sdedit.start_step(steps, strength) == skipped


@pytest.mark.parametrize("steps, strength", [(50, 0.0), (50, 1.1), (50, -0.2), (4, 0.2), (50, float("nan"))])
def test_start_step_that_cannot_be(steps, strength):
    with pytest.raises(ValueError):
        sdedit.start_step(steps, strength)


@pytest.mark.parametrize("name", ["DDIM", "DDPM", "Euler"])
@pytest.mark.parametrize("strength", [0.45, 1.0])
def test_sdedit_is_the_pipeline(mini, name, strength):
    """The fifteen lines above give the latents of StableDiffusionImg2ImgPipeline, from the same generator."""
    import copy

    kind = {"DDIM": DDIMScheduler, "DDPM": DDPMScheduler, "Euler": EulerDiscreteScheduler}[name]
    pipe = copy.copy(mini)
    pipe.scheduler = kind.from_config(mini.scheduler.config)
    page = normal(1, 3, 128, 128, seed=7).tanh() * 0.5 + 0.5
    scale, steps = 3.0, 10
    expected = pipe(
        "a turtle, openmoji style", image=page, strength=strength, guidance_scale=scale, num_inference_steps=steps,
        generator=torch.Generator().manual_seed(5), output_type="latent",
    ).images  # fmt: skip

    words = torch.cat(pipe.encode_prompt("a turtle, openmoji style", "cpu", 1, True)[::-1])  # without them, with them
    alpha_bar = schedule.alphas_cumprod(schedule.scaled_linear_betas())

    @torch.no_grad()
    def predict(x, t):
        pair = pipe.unet(torch.cat([x, x]), t, encoder_hidden_states=words).sample.chunk(2)
        v = guidance.classifier_free_guidance(*pair, scale)
        return eps_from_v(x, v, per_picture(alpha_bar, torch.tensor([t]), x))

    step = {
        "DDIM": lambda x, eps, a, a_prev, noise: sampler.ddim_step(x, eps, a, a_prev),
        "DDPM": sampler.ddpm_step,
        "Euler": lambda x, eps, a, a_prev, noise: sampler.euler_step(x, eps, a, a_prev),
    }[name]
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        moments = pipe.vae.quant_conv(pipe.vae.encoder(2 * page - 1))
    z = latent.draw_latent(moments, pipe.vae.config.scaling_factor, torch.randn(1, 4, 16, 16, generator=generator))
    times = sampler.spaced_timesteps(steps, offset=1)
    final = alpha_bar[0].item() if name == "DDIM" else 1.0
    ours = sdedit.sdedit(z, predict, alpha_bar, times, strength, step, generator, final=final)
    assert worst(ours, expected) <= 1e-4
