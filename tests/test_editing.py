"""Inversion, inpainting and prompt-to-prompt, each against an independent truth."""

import numpy as np
import pytest
import torch

import s2i_teach as s2i
from s2i_teach.errors import InputError
from s2i_teach.lessons.editing import guesser, latents_of, pictures_of, places_of, side_by_side, tokens_of
from s2i_teach.models.attention_maps import changed_attention
from s2i_teach.theory.inpaint import blend, inpaint, mask_to_latents, repaint_schedule
from s2i_teach.theory.inversion import (
    ddim_down,
    ddim_inverse_step,
    ddim_invert,
    gaussian_eps,
    gaussian_path,
    solved_inverse_step,
)
from s2i_teach.theory.measure import max_difference
from s2i_teach.theory.prompt_to_prompt import align, edited_maps, leads
from s2i_teach.theory.sampler import ddim_step, spaced_timesteps
from s2i_teach.theory.schedule import alphas_cumprod, scaled_linear_betas

ALPHA_BAR = alphas_cumprod(scaled_linear_betas())
SD = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "clip_sample": False}


def draw(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def no_words(x, t):
    """A network without a mind."""
    return torch.tanh(x.flip(-1)) + 0.001 * t


# Inversion


@pytest.mark.parametrize("spacing", ["leading", "trailing"])
@pytest.mark.parametrize("steps", [4, 10, 50])
def test_an_inversion_equals_diffusers_inverse_scheduler(spacing, steps):
    from diffusers import DDIMInverseScheduler

    offset = int(spacing == "leading")
    scheduler = DDIMInverseScheduler(**SD, set_alpha_to_one=False, steps_offset=offset, timestep_spacing=spacing)
    scheduler.set_timesteps(steps)
    ours = spaced_timesteps(steps, 1000, spacing, offset)
    assert scheduler.timesteps.tolist() == ours[::-1]
    # diffusers steps by whole strides from t, ours along the list: alike from where the stride comes above 0.
    theirs = mine = draw(2, 4, 4, 4)
    a = ALPHA_BAR[0].item()
    for t in scheduler.timesteps.tolist():
        before = t - 1000 // steps
        a = ALPHA_BAR[before].item() if before >= 0 else ALPHA_BAR[0].item()
        theirs = scheduler.step(no_words(theirs, t), t, theirs).prev_sample
        mine = ddim_inverse_step(mine, no_words(mine, t), a, ALPHA_BAR[t].item())
        assert max_difference(theirs, mine) < 1e-5
    path = ddim_invert(draw(2, 4, 4, 4), no_words, ALPHA_BAR, ours, final=ALPHA_BAR[0].item())
    if spacing == "leading":
        assert len(path) == steps + 1 and max_difference(path[-1], theirs) < 1e-5


def test_the_inverse_step_undoes_the_step_with_the_same_noise():
    x, eps = draw(2, 3), draw(2, 3, seed=1)
    up = ddim_inverse_step(x, eps, 0.8, 0.3)
    assert max_difference(ddim_step(up, eps, 0.3, 0.8), x) < 1e-6


def test_the_way_down_is_ddim():
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(**SD, set_alpha_to_one=False, steps_offset=1)
    scheduler.set_timesteps(10)
    x = draw(1, 4, 4, 4)
    path = ddim_down(x, no_words, ALPHA_BAR, spaced_timesteps(10, offset=1), final=ALPHA_BAR[0].item())
    for t in scheduler.timesteps.tolist():
        x = scheduler.step(no_words(x, t), t, x).prev_sample
    assert max_difference(path[-1], x) < 1e-5


def gaussian(x, t, mean=0.7, deviation=0.5):
    return gaussian_eps(x, mean, deviation, ALPHA_BAR[t].item())


def test_the_gaussian_network_is_the_slope_of_the_density():
    x = draw(5, dtype=torch.float64).requires_grad_()
    a = 0.4
    density = torch.distributions.Normal(a**0.5 * 0.7, (a * 0.25 + 1 - a) ** 0.5).log_prob(x).sum()
    score = torch.autograd.grad(density, x)[0]
    assert max_difference(gaussian_eps(x.detach(), 0.7, 0.5, a), -score * (1 - a) ** 0.5) < 1e-6


def test_plain_inversion_comes_to_the_exact_path_and_its_error_halves():
    x = 0.7 + 0.5 * draw(1, 64, dtype=torch.float64)
    alpha_bar = ALPHA_BAR.double()
    exact = gaussian_path(x, 0.7, 0.5, 1.0, alpha_bar[-1].item())
    back = gaussian_path(exact, 0.7, 0.5, alpha_bar[-1].item(), 1.0)
    assert max_difference(back, x) < 1e-12
    errors = []
    for steps in (50, 100, 200):
        times = spaced_timesteps(steps, spacing="trailing")
        up = ddim_invert(x, gaussian, alpha_bar, times)[-1]
        down = ddim_down(up, gaussian, alpha_bar, times)[-1]
        errors.append((max_difference(up, exact), max_difference(down, x)))
    for (first, second), (third, fourth) in zip(errors, errors[1:], strict=False):
        assert 1.6 < first / third < 2.4 and 1.6 < second / fourth < 2.4
    assert errors[-1][1] < 0.03


def test_rounds_lead_back_exactly():
    x = 0.7 + 0.5 * draw(1, 64, dtype=torch.float64)
    alpha_bar, times = ALPHA_BAR.double(), spaced_timesteps(20, spacing="trailing")
    errors = []
    for rounds in (0, 1, 2, 60):
        up = ddim_invert(x, gaussian, alpha_bar, times, rounds)[-1]
        errors.append(max_difference(ddim_down(up, gaussian, alpha_bar, times)[-1], x))
    assert errors[0] > 3 * errors[1] > 9 * errors[2] and errors[3] < 1e-10


def test_a_solved_step_is_the_root_that_algebra_finds():
    """The Gaussian's ε̂ is a straight line in y, so y = up(x, ε̂(y)) has a solution in closed form."""
    x, t, a = draw(4, dtype=torch.float64), 500, 0.9
    a_next = ALPHA_BAR[t].double().item()
    gain = (1 - a_next) ** 0.5 - (a_next / a * (1 - a)) ** 0.5
    slope = (1 - a_next) ** 0.5 / (a_next * 0.25 + 1 - a_next)

    def predict_eps(y, t):
        return gaussian_eps(y, 0.7, 0.5, a_next)

    root = ((a_next / a) ** 0.5 * x - gain * slope * a_next**0.5 * 0.7) / (1 - gain * slope)
    assert max_difference(solved_inverse_step(x, predict_eps, t, a, a_next, 80), root) < 1e-9


# Inpainting


def test_a_mask_in_latents_is_one_where_any_pixel_is():
    mask = (torch.rand(2, 1, 24, 16, generator=torch.Generator().manual_seed(0)) < 0.02).float()
    made = mask_to_latents(mask, 8)
    for b in range(2):
        for i in range(3):
            for j in range(2):
                block = mask[b, 0, 8 * i : 8 * i + 8, 8 * j : 8 * j + 8]
                assert made[b, 0, i, j] == float(bool(block.any()))
    assert 0 < made.mean() < 1
    with pytest.raises(ValueError, match="no whole blocks of 8"):
        mask_to_latents(torch.zeros(1, 1, 12, 16))


def test_what_is_known_is_noised_as_diffusers_does_it():
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(**SD)
    x, known, noise = (draw(2, 4, 4, 4, seed=seed) for seed in range(3))
    mask = (draw(2, 1, 4, 4, seed=3) > 0).float()
    noised = scheduler.add_noise(known, noise, torch.tensor([300, 300]))
    expected = (1 - mask) * noised + mask * x
    assert max_difference(blend(x, known, mask, noise, ALPHA_BAR[300].item()), expected) < 1e-6


def test_inpainting_equals_diffusers_pipeline(tiny_pipe, monkeypatch):
    """Four channels, strength 1, the same noise, the same guidance: latent for latent."""
    from diffusers import DDIMScheduler, StableDiffusionInpaintPipeline

    scheduler = DDIMScheduler(**SD, set_alpha_to_one=False, steps_offset=1)
    theirs = StableDiffusionInpaintPipeline(
        **{**tiny_pipe.components, "scheduler": scheduler}, requires_safety_checker=False
    )
    theirs.set_progress_bar_config(disable=True)
    kept = {"image": draw(1, 4, 8, 8, seed=5), "latents": draw(1, 4, 8, 8, seed=6)}
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:48, 8:40] = 1
    made = theirs(
        "a cat", image=kept["image"], mask_image=mask, masked_image_latents=torch.zeros(1, 4, 8, 8), height=64, width=64,
        latents=kept["latents"], strength=1.0, guidance_scale=3.0, num_inference_steps=5, output_type="latent",
    ).images  # fmt: skip
    predict_eps = guesser(theirs_as_img2img(tiny_pipe, scheduler), "a cat", 3.0)

    monkeypatch.setattr(torch, "randn", lambda *shape, **named: kept["latents"].clone())
    ours = inpaint(
        kept["image"], mask_to_latents(mask), predict_eps, scheduler.alphas_cumprod, spaced_timesteps(5, offset=1),
        lambda x, eps, a, a_prev, noise: ddim_step(x, eps, a, a_prev), torch.Generator(),
        final=scheduler.alphas_cumprod[0].item(),
    )  # fmt: skip
    assert max_difference(ours, made) < 1e-4


def theirs_as_img2img(pipe, scheduler):
    from diffusers import StableDiffusionImg2ImgPipeline

    return StableDiffusionImg2ImgPipeline(**{**pipe.components, "scheduler": scheduler}, requires_safety_checker=False)


def test_the_rest_is_what_it_was_to_the_bit():
    known, mask = draw(1, 4, 8, 8), torch.zeros(1, 1, 8, 8)
    mask[..., 2:5, 3:7] = 1
    for given in ({}, {"fixed_noise": False}, {"fixed_noise": False, "jump": 2, "times": 3}):
        made = inpaint(
            known, mask, no_words, ALPHA_BAR, spaced_timesteps(6, offset=1),
            lambda x, eps, a, a_prev, noise: ddim_step(x, eps, a, a_prev), torch.Generator().manual_seed(1), **given,
        )  # fmt: skip
        inside = mask.expand_as(known) == 1
        assert torch.equal(made[~inside], known[~inside]) and (made[inside] - known[inside]).abs().min() > 1e-4


def test_repaint_s_schedule_is_the_paper_s():
    assert repaint_schedule(4) == [4, 3, 2, 1, 0]
    assert repaint_schedule(4, 2, 2) == [4, 3, 2, 3, 4, 3, 2, 1, 0, 1, 2, 1, 0]
    for steps, jump, times in ((10, 3, 4), (7, 7, 2), (5, 1, 3)):
        visited = repaint_schedule(steps, jump, times)
        assert visited[0] == steps and visited[-1] == 0
        assert all(abs(one - other) == 1 for one, other in zip(visited, visited[1:], strict=False))
        down = sum(one > other for one, other in zip(visited, visited[1:], strict=False))
        assert down == steps * times
    with pytest.raises(ValueError, match="each must be at least 1"):
        repaint_schedule(3, 0)


def test_the_known_part_pulls_the_rest_with_it():
    """With a perfect network of a Gaussian whose numbers go together, the part drawn anew follows the part that stays.

    Each picture is two equal numbers; the second is drawn anew. The truth is that it equals the first.
    """
    alpha_bar = ALPHA_BAR.double()
    cov = torch.ones(2, 2, dtype=torch.float64) + 1e-3 * torch.eye(2, dtype=torch.float64)

    def predict_eps(x, t):
        a = alpha_bar[t]
        inverse = torch.linalg.inv(a * cov + (1 - a) * torch.eye(2, dtype=torch.float64))
        return (1 - a).sqrt() * (x.flatten(1) @ inverse).view_as(x)

    known = torch.linspace(-2, 2, 400, dtype=torch.float64).view(-1, 1, 1, 1).expand(-1, 1, 1, 2).clone()
    mask = torch.tensor([0.0, 1.0], dtype=torch.float64).view(1, 1, 1, 2)
    means = []
    for times in (1, 8):
        made = inpaint(
            known, mask, predict_eps, alpha_bar, spaced_timesteps(50, offset=1),
            lambda x, eps, a, a_prev, noise: ddim_step(x, eps, a, a_prev, noise, eta=1.0),
            torch.Generator().manual_seed(0), fixed_noise=False, jump=5, times=times,
        )  # fmt: skip
        means.append((made[..., 1] - known[..., 0]).abs().mean().item())
    assert means[1] < 0.7 * means[0] and means[0] < 0.5


# Prompt-to-prompt


def test_words_find_their_like():
    assert align([9, 1, 2, 8], [9, 1, 3, 8]).tolist() == [0, 1, 2, 3]  # swapped
    assert align([9, 1, 2, 8], [9, 1, 5, 2, 8]).tolist() == [0, 1, -1, 2, 3]  # one more
    assert align([9, 1, 2, 8], [9, 2, 8]).tolist() == [0, 2, 3]  # one less
    assert align([1, 2], [3, 4, 5]).tolist() == [-1, -1, -1]


def test_maps_by_brute_force():
    source, target = draw(2, 3, 4).softmax(-1), draw(2, 3, 4, seed=1).softmax(-1)
    of, scale = torch.tensor([2, -1, 0, 3]), torch.tensor([1.0, 2.0, 0.5, 0.0])
    made = edited_maps(source, target, of, scale)
    for b in range(2):
        for n in range(3):
            for m in range(4):
                own = target[b, n, m] if of[m] < 0 else source[b, n, of[m]]
                assert made[b, n, m] == own * scale[m]
    assert torch.equal(edited_maps(source, target, torch.arange(4)), source)


def test_the_source_leads_at_first():
    assert [leads(step, 5, 0.4) for step in range(5)] == [True, True, False, False, False]
    assert not any(leads(step, 5, 0.0) for step in range(5)) and all(leads(step, 5, 1.0) for step in range(5))
    with pytest.raises(ValueError, match="A share lies between 0 and 1"):
        leads(0, 5, 1.5)


@pytest.fixture(scope="module")
def mini():
    return s2i.load_pipeline("mini", device="cpu", dtype="fp32")


def step(x, eps, a, a_prev):
    return ddim_step(x, eps, a, a_prev)


def test_changing_nothing_changes_nothing_and_the_processors_come_back(mini):
    x, words = draw(1, 4, 16, 16), draw(1, 77, mini.unet.config.cross_attention_dim, seed=1)
    before = dict(mini.unet.attn_processors)
    with torch.no_grad():
        plain = mini.unet(x, 500, words).sample
        with changed_attention(mini.unet, lambda layer, maps: maps):
            same = mini.unet(x, 500, words).sample
        with changed_attention(mini.unet, lambda layer, maps: torch.zeros_like(maps)):
            none = mini.unet(x, 500, words).sample
        blank = mini.unet(x, 500, words).sample
    assert max_difference(plain, same) < 1e-4 and max_difference(plain, none) > 0.01
    assert torch.equal(plain, blank) and dict(mini.unet.attn_processors) == before


def test_side_by_side(mini):
    """With share 0 each prompt is drawn as alone; a prompt beside itself, with all maps exchanged, is itself."""
    times, x = spaced_timesteps(4, offset=1), draw(1, 4, 16, 16)
    source, target = "a red apple, openmoji style", "a green apple, openmoji style"
    alone = [
        ddim_down(x, guesser(mini, prompt, 4.0), ALPHA_BAR, times, ALPHA_BAR[0].item())[-1]
        for prompt in (source, target)
    ]
    apart = side_by_side(mini, source, target, x, times, step, share=0.0)
    assert max_difference(apart, torch.cat(alone)) < 1e-3
    led = side_by_side(mini, source, target, x, times, step, share=1.0)
    assert max_difference(led[:1], alone[0]) < 1e-3 and max_difference(led[1:], alone[1]) > 0.05
    same = side_by_side(mini, source, source, x, times, step, share=1.0, guidance_scale=1.0)
    assert max_difference(same[:1], same[1:]) < 1e-3
    heavier = side_by_side(mini, source, source, x, times, step, share=1.0, weights={"red": 3.0})
    assert max_difference(heavier[:1], alone[0]) < 1e-3 and max_difference(heavier[1:], alone[0]) > 1e-3
    with pytest.raises(InputError, match="does not have the word 'blue'"):
        side_by_side(mini, source, target, x, times, step, weights={"blue": 2.0})


def test_places_of_words(mini):
    prompt = "a red apple, openmoji style"
    pieces = mini.tokenizer.convert_ids_to_tokens(tokens_of(mini, prompt))
    assert [pieces[place] for place in places_of(mini, prompt, "red")] == ["red</w>"]
    assert len(tokens_of(mini, prompt)) == mini.tokenizer.model_max_length


def test_latents_and_pictures(mini):
    picture = s2i.translate("data/sketches/turtle.png", "a turtle", pipe=mini, num_inference_steps=2).image
    z = latents_of(mini, picture)
    back = pictures_of(mini, z)[0]
    assert z.shape == (1, 4, 16, 16) and np.abs(np.asarray(back).astype(float) - np.asarray(picture)).mean() < 12
    with pytest.raises(InputError, match="plain img2img pipelines"):
        guesser(s2i.load_pipeline("mini-scribble", device="cpu", dtype="fp32"), "a turtle")


def test_inversion_of_the_miniature(mini):
    """The figures that lesson 21 lives by: few per cent without guidance, next to nothing with rounds."""
    picture = s2i.translate("data/sketches/turtle.png", "a turtle, openmoji style", pipe=mini, strength=0.8).image
    z, times = latents_of(mini, picture), spaced_timesteps(10, offset=1)
    found = {}
    for rounds in (0, 3):
        predict_eps = guesser(mini, "a turtle, openmoji style")
        up = ddim_invert(z, predict_eps, ALPHA_BAR, times, rounds, ALPHA_BAR[0].item())
        assert predict_eps.calls == 10 * (rounds + 1)
        down = ddim_down(up[-1], predict_eps, ALPHA_BAR, times, ALPHA_BAR[0].item())
        found[rounds] = ((down[-1] - z).norm() / z.norm()).item()
    assert found[3] < 0.2 * found[0] < 0.06
