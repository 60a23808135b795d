"""Distillation to four steps: the target, the gradient, the teacher's paths against diffusers' pipelines, the training."""

import copy

import pytest
import torch

from s2i_teach.gallery import find_sketch
from s2i_teach.models.load import load_pipeline
from s2i_teach.models.style import read_style
from s2i_teach.paths import data_dir
from s2i_teach.theory.distil import average_in, distribution_matching_gradient, jump, one_step_target, turned
from s2i_teach.theory.lora import add_low_rank
from s2i_teach.theory.prediction import v_from_x0_and_eps
from s2i_teach.training.few_steps import FILE, STEPS, Change, Stock, Teacher, draw_paths, levels, train_few_steps
from s2i_teach.training.pages import PageMaker
from s2i_teach.training.pictures import load_pairs
from s2i_teach.training.text import tokenize
from s2i_teach.training.unet import Led
from s2i_teach.translation.run import translate


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def mini():
    return load_pipeline("mini", dtype="fp32", device="cpu")


def test_a_jump_is_diffusers_step(mini):
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler.from_config(mini.scheduler.config, timestep_spacing="trailing")
    scheduler.set_timesteps(STEPS)
    times, alphas = levels(scheduler.alphas_cumprod, STEPS)
    assert times == scheduler.timesteps.tolist()
    x, v = drawn(2, 4, 3, 3).float(), drawn(2, 4, 3, 3, seed=1).float()
    for n, t in enumerate(times):
        wanted = scheduler.step(v, t, x).prev_sample
        assert (jump(x, v, float(alphas[n]), float(alphas[n + 1])) - wanted).abs().max() < 1e-5


def test_the_target_leads_in_one_step_where_many_led():
    x, a = drawn(2, 3), [0.01, 0.1, 0.4, 0.9]
    end = x
    for n in range(3):
        end = jump(end, drawn(2, 3, seed=n + 1), a[n], a[n + 1])
    v = one_step_target(x, end, a[0], a[-1])
    assert (jump(x, v, a[0], a[-1]) - end).abs().max() < 1e-12
    # One step of the teacher is its own v.
    own = drawn(2, 3, seed=9)
    assert (one_step_target(x, jump(x, own, 0.2, 0.7), 0.2, 0.7) - own).abs().max() < 1e-12


def test_a_path_to_one_picture_is_straight_already():
    """Where all data are one picture, every v on the path leads to it: the target for any two places is the v that holds there."""
    x0, eps = drawn(1, 5), drawn(1, 5, seed=1)

    def at(a):
        return a**0.5 * x0 + (1 - a) ** 0.5 * eps

    target = one_step_target(at(0.05), at(0.8), 0.05, 0.8)
    assert (target - v_from_x0_and_eps(x0, eps, 0.05)).abs().max() < 1e-12
    cosine, sine = turned(0.05, 0.8)
    assert abs(cosine**2 + sine**2 - 1) < 1e-12


def test_the_gradient_is_that_of_the_divergence_between_gaussians():
    """KL(N(m, s²) ‖ N(0, s²)) = m² / 2s²: its gradient by m, times what the weight makes of it, is what pulls the pictures."""
    a, s, m = 0.6, 0.5, 1.5
    x0 = m + s * drawn(200_000, 1)
    x = a**0.5 * x0 + (1 - a) ** 0.5 * drawn(200_000, 1, seed=1)
    noisy = a * s**2 + 1 - a

    def guess(mean):  # E[x_0 | x] of N(mean, s²)
        return mean + a**0.5 * s**2 / noisy * (x - a**0.5 * mean)

    gradient = distribution_matching_gradient(x0, guess(0.0), guess(m))
    # The scores differ by √ᾱ m / noisy, in guesses of x_0 by (1 − ᾱ) / √ᾱ times that.
    wanted = (1 - a) * m / noisy / (x0 - guess(0.0)).abs()
    assert (gradient - wanted).abs().max() / wanted.max() < 1e-9
    assert (gradient > 0).all()  # too large a mean is pulled down
    same = distribution_matching_gradient(x0, guess(m), guess(m))
    assert same.abs().max() == 0


def test_the_average_is_the_closed_form():
    slow, fast = torch.nn.Linear(1, 1, bias=False).double(), torch.nn.Linear(1, 1, bias=False).double()
    first = slow.weight.item()
    for _ in range(5):
        average_in(slow, fast, 0.9)
    assert slow.weight.item() == pytest.approx(0.9**5 * first + (1 - 0.9**5) * fast.weight.item(), abs=1e-12)
    with pytest.raises(ValueError, match="between 0 and 1"):
        average_in(slow, fast, 1.5)


def test_a_change_is_a_lora_multiplied_out(mini):
    unet = copy.deepcopy(mini.unet)
    change = Change(unet, 2)
    with torch.no_grad():
        for one in change.added.values():
            one.up.weight.normal_(std=0.02, generator=torch.Generator().manual_seed(0))
    x, t, text = torch.randn(1, 4, 16, 16), torch.tensor([300]), torch.randn(1, 32, 128)
    text = torch.randn(1, 32, unet.config.cross_attention_dim)
    with torch.no_grad():
        merged = change(x, t, text).sample
        thin = copy.deepcopy(mini.unet)
        beside = add_low_rank(thin, 2)
        for name, one in beside.items():
            one.load_state_dict(change.added[name].state_dict())
        wanted = thin(x, t, text).sample
    assert (merged - wanted).abs().max() < 1e-4
    assert sum(p.numel() for p in change.parameters()) == sum(
        one.down.weight.numel() + one.up.weight.numel() for one in change.added.values()
    )


@pytest.fixture(scope="module")
def teacher():
    pipe = load_pipeline("mini-scribble", dtype="fp32", device="cpu")

    def embed(captions):
        with torch.no_grad():
            return pipe.text_encoder(tokenize(pipe.tokenizer, captions))[0]

    led = Led(pipe.unet, pipe.controlnet).requires_grad_(False).eval()
    return Teacher(led, embed, pipe.scheduler.alphas_cumprod, 4.0)


def test_the_teacher_draws_what_diffusers_draws(mini, teacher):
    """By words alone from noise: the path's end is the latents of a StableDiffusionPipeline of twenty steps.

    Of sixteen it would be nearly so: diffusers steps by 1000 // 16 timesteps, which is not from one of its timesteps to the next.
    """
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    parts = {
        **mini.components,
        "scheduler": DDIMScheduler.from_config(mini.scheduler.config, timestep_spacing="trailing"),
    }
    pipe = StableDiffusionPipeline(**parts, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    wanted = pipe(
        "a cat, openmoji style",
        latents=noise,
        num_inference_steps=5 * STEPS,
        guidance_scale=4.0,
        output_type="latent",
    ).images
    finer = Teacher(teacher.led, teacher.embed, mini.scheduler.alphas_cumprod, 4.0, each=5)
    path = finer.path(noise, ["a cat, openmoji style"], None, 0)
    assert len(path) == STEPS + 1
    assert (path[-1] - wanted).abs().max() < 1e-3


def test_the_led_are_led_and_the_others_are_not(teacher):
    noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0)).expand(2, -1, -1, -1)
    hint = torch.zeros(1, 3, 128, 128)
    hint[:, :, 30:100, 60:64] = 1
    both = teacher.path(noise, ["a cat"] * 2, hint, 2)
    alone = teacher.path(noise[1:], ["a cat"], None, 2)
    assert (both[-1][1:] - alone[-1]).abs().max() < 1e-4
    assert (both[-1][0] - both[-1][1]).abs().max() > 0.1


@pytest.fixture(scope="module")
def few():
    return load_pairs("train", keep=lambda row: row["thing"] in ("cat", "house", "tree", "car"))


def test_paths_are_pieces_that_join(mini, teacher, few):
    def encode(x):
        with torch.no_grad():
            return mini.vae.encode(x).latent_dist.mode() * mini.vae.config.scaling_factor

    made = list(draw_paths(teacher, PageMaker(few), encode, 4, seed=0, batch=2))
    again = next(draw_paths(teacher, PageMaker(few), encode, 4, seed=0, batch=2))
    assert len(made) == 2 and torch.equal(made[0].x_t, again.x_t)
    for paths in made:
        steps = len(paths.place.unique())
        assert len(paths.x_t) == len(paths.captions) == len(paths.hints) == 2 * steps
        assert torch.equal(paths.x_t[2:], paths.x_s[:-2])  # where one piece ends the next begins
        assert [hint is not None for hint in paths.hints] == [True, False] * steps
    stock = Stock(made)
    x_t, x_s, place, captions, hints = stock.draw(6, torch.Generator().manual_seed(0))
    assert x_t.shape == x_s.shape and len(captions) == len(place) == len(x_t)
    assert hints is None or hints.shape[1:] == (3, 8 * x_t.shape[2], 8 * x_t.shape[3])


def test_training_learns_goes_on_and_is_a_lora(tmp_path, few):
    mini = data_dir() / "mini"
    folders = (mini, mini / "vae", mini / "unet", mini / "controlnet")
    common = dict(paths=2, batch_size=4, rank=2, pairs=few, device="cpu", seed=0)
    file = train_few_steps(tmp_path / "whole", *folders, steps=4, **common)
    assert file.name == FILE
    style = read_style(file)
    assert style.numbers > 1000 and any(up.abs().max() > 0 for _, up, _ in style.changes.values())
    assert all(down.dtype == torch.float16 for down, _, _ in style.changes.values())
    train_few_steps(tmp_path / "parts", *folders, steps=4, **common)
    one, other = (read_style(tmp_path / name / FILE) for name in ("whole", "parts"))
    for name, (down, up, _) in one.changes.items():
        assert torch.equal(down, other.changes[name][0]) and torch.equal(up, other.changes[name][1])
    kept = tmp_path / "whole" / "paths-0.pt"
    before = kept.stat().st_mtime_ns
    train_few_steps(tmp_path / "whole", *folders, steps=6, resume=True, **common)
    assert kept.stat().st_mtime_ns == before  # the paths are read, not drawn again
    on = read_style(tmp_path / "whole" / FILE)
    assert any(not torch.equal(up, on.changes[name][1]) for name, (_, up, _) in one.changes.items())


def test_the_distilled_miniature_is_the_same_weights_and_a_lora(mini):
    from s2i_teach.models.style import merge_style

    distilled = load_pipeline("mini-distilled", dtype="fp32", device="cpu")
    plain = copy.deepcopy(mini.unet)
    assert any(not torch.equal(a, b) for a, b in zip(plain.parameters(), distilled.unet.parameters(), strict=True))

    class Holder:
        unet = plain

    merge_style(Holder, data_dir() / "mini" / FILE)
    for ours, theirs in zip(plain.parameters(), distilled.unet.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_diffusers_loads_the_distilled_lora(mini):
    pytest.importorskip("peft")
    from diffusers import StableDiffusionImg2ImgPipeline

    theirs = StableDiffusionImg2ImgPipeline.from_pretrained(data_dir() / "mini", use_safetensors=True)
    theirs.load_lora_weights(str(data_dir() / "mini"), weight_name=FILE)
    theirs.fuse_lora()
    theirs.unload_lora_weights()
    ours = load_pipeline("mini-distilled", dtype="fp32", device="cpu").unet
    for name, weight in theirs.unet.named_parameters():
        assert (weight - ours.get_parameter(name)).abs().max() < 1e-4, name


@pytest.mark.parametrize("name", ["mini-distilled", "mini-scribble-distilled"])
def test_its_plan_is_the_four_steps_that_it_learned(name):
    pipe = load_pipeline(name, dtype="fp32", device="cpu")
    result = translate(find_sketch("turtle").path, "a turtle, openmoji style", pipe=pipe, strength=1.0, seed=0)
    assert list(result.plan.timesteps) == levels(pipe.scheduler.alphas_cumprod, STEPS)[0]
    assert result.plan.evaluations == STEPS and result.settings.guidance_scale == 1.0
    part = translate(find_sketch("turtle").path, "a turtle", pipe=pipe, strength=0.5, seed=0)
    assert part.plan.timesteps == result.plan.timesteps[2:]
