"""A classifier of noisy latents, and the loss that teaches the sampler to draw what is named."""

import contextlib
import copy

import pytest
import torch
from diffusers import DDIMScheduler

from s2i_teach import InputError
from s2i_teach.cli import main
from s2i_teach.paths import data_dir
from s2i_teach.training.loop import make_accelerator
from s2i_teach.training.naming import (
    GUIDANCE,
    LEAST_NOISE,
    STEPS,
    Naming,
    NoisyClassifier,
    load_classifier,
    naming_loss,
    save_classifier,
    train_classifier,
)
from s2i_teach.training.pictures import load_pairs
from s2i_teach.training.unet import SCHEDULE, FrozenParts, Led, build_controlnet, build_unet, train_unet

MINI = data_dir() / "mini"
SMALL = (32, 32, 48)


@pytest.fixture(scope="module")
def few():
    pairs = load_pairs("train").select(lambda row: row["core"] and row["style"] in ("openmoji", "noto"))
    first = sorted({row["thing"] for row in pairs.rows})[:3]
    return pairs.select(lambda row: row["thing"] in first)


@pytest.fixture(scope="module")
def frozen():
    return FrozenParts(MINI, MINI / "vae", make_accelerator("cpu"))


@pytest.fixture
def led(frozen):
    torch.manual_seed(0)
    unet = build_unet(block_out_channels=(16, 16, 32, 32), norm_num_groups=4)
    made = Led(unet, build_controlnet(unet))
    with torch.no_grad():  # a ControlNet that has learned says something
        for convolution in made.controlnet.controlnet_down_blocks:
            convolution.weight.normal_(0, 0.1)
    return made


@pytest.fixture(scope="module")
def classifier(few):
    torch.manual_seed(1)
    return NoisyClassifier(sorted({row["thing"] for row in few.rows}), SMALL).eval().requires_grad_(False)


@pytest.mark.seconds(60)
def test_it_learns_what_noisy_latents_show_and_is_found_again_in_its_file(few, frozen, tmp_path):
    file = train_classifier(
        tmp_path,
        MINI,
        MINI / "vae",
        steps=80,
        batch_size=16,
        lr=5e-3,
        widths=SMALL,
        pool_batches=2,
        pairs=few,
        device="cpu",
    )
    found = load_classifier(file)
    assert found.things == sorted({row["thing"] for row in few.rows})
    assert not any(weight.requires_grad for weight in found.parameters())
    own = few.select(lambda row: row["style"] == "openmoji")
    x0 = frozen.encode(own.batch(torch.arange(len(own))))
    target = torch.tensor([found.things.index(row["thing"]) for row in own.rows])
    level = frozen.alpha_bar[100]
    x_t = level.sqrt() * x0 + (1 - level).sqrt() * torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
    right = (found(x_t, torch.full((len(x0),), 100)).argmax(1) == target).float().mean()
    assert right > 0.6, "three things, 80 updates"
    wide = found(torch.randn(2, 4, 16, 24), torch.tensor([0, 999]))
    assert wide.shape == (2, 3)


def test_no_other_file_is_taken(tmp_path, classifier):
    from safetensors.torch import save_file

    save_file({"weight": torch.ones(1)}, tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("hello", encoding="utf-8")
    for name in ("other.safetensors", "text.safetensors", "missing.safetensors"):
        with pytest.raises(InputError, match="holds no classifier"):
            load_classifier(tmp_path / name)
    again = load_classifier(save_classifier(classifier, tmp_path / "own.safetensors"))
    x, t = torch.randn(2, 4, 16, 16), torch.tensor([3, 700])
    assert (again(x, t) - classifier(x, t)).abs().max() < 1e-2, "fp16"


def test_a_place_that_refuses_is_told_and_keeps_what_was_there(tmp_path, classifier, monkeypatch):
    (tmp_path / "file").write_text("hello", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        save_classifier(classifier, tmp_path / "file" / "own.safetensors")
    file = save_classifier(classifier, tmp_path / "own.safetensors")
    before = file.read_bytes()

    def refused(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("s2i_teach.files.os.replace", refused)
    with pytest.raises(InputError, match="No space left on device"):
        save_classifier(classifier, file)
    assert file.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "own.safetensors"], "nothing half-written"


def test_a_step_is_that_of_diffusers_with_guidance(few, frozen, led, classifier):
    """One run is followed to its end beside DDIM with the same prompt, hint and guidance."""
    naming = Naming(classifier, frozen, few, number=1, pool_batches=1)
    generator = torch.Generator().manual_seed(3)
    naming.pool.advance(0)
    while not naming.runs or naming.runs[0].hint is None:
        naming.runs.clear()
        naming._begin(generator)
    run = copy.deepcopy(naming.runs[0])
    assert len(run.times) in STEPS and GUIDANCE[0] <= run.guidance_scale <= GUIDANCE[1]
    scheduler = DDIMScheduler(**SCHEDULE)
    scheduler.set_timesteps(len(run.times))
    assert scheduler.timesteps.tolist() == run.times
    x = run.latents[None]
    for t in run.times:
        naming.runs = [run]
        naming._begin = lambda generator: naming.runs.append(run)  # no other run comes between
        naming.loss(led, 0, generator, contextlib.nullcontext)
        time = torch.tensor([t])
        with torch.no_grad():
            words = led(x, time, frozen.embed([run.caption]), run.hint[None])
            none = led(x, time, frozen.embed([""]))
        x = scheduler.step(none + run.guidance_scale * (words - none), t, x).prev_sample
    assert run.place == len(run.times)
    assert (run.latents - x[0]).abs().max() < 1e-4 * x.abs().max()


def test_the_gradient_leads_to_the_name_and_trains_both_networks(few, frozen, led, classifier):
    """With the same noise, a small step along the gradient makes the loss smaller; a step back makes it larger."""

    def value_and_gradients(network):
        naming = Naming(classifier, frozen, few, number=4, led=0.5, pool_batches=1)
        network.zero_grad()
        value = naming.loss(network, 0, torch.Generator().manual_seed(5), contextlib.nullcontext)
        value.backward()
        return value.item()

    before = value_and_gradients(led)
    for part in (led.unet, led.controlnet):
        assert any(weight.grad is not None and weight.grad.abs().max() > 0 for weight in part.parameters())
    for sign in (-1, 1):
        moved = copy.deepcopy(led)
        norm = sum(weight.grad.square().sum() for weight in led.parameters() if weight.grad is not None).sqrt()
        with torch.no_grad():
            for weight, first in zip(moved.parameters(), led.parameters(), strict=True):
                if first.grad is not None:
                    weight += sign * 0.01 * first.grad / norm
        assert (value_and_gradients(moved) - before) * sign > 0


def test_runs_move_on_end_and_are_followed_by_others(few, frozen, led, classifier):
    naming = Naming(classifier, frozen, few, number=4, pool_batches=1)
    generator = torch.Generator().manual_seed(0)
    places = []
    for _ in range(30):
        with torch.no_grad():
            naming.loss(led, 0, generator, contextlib.nullcontext)
        places.append(sum(run.place for run in naming.runs))
        assert len(naming.runs) <= 12 and all(run.place < len(run.times) for run in naming.runs)
    assert places[0] == 4 and any(after < before for before, after in zip(places, places[1:], strict=False)), (
        "a run ended"
    )


def test_it_looks_at_no_less_noise_than_said(few, frozen, led, classifier):
    """Where the sampler lands nearly without noise, noise is added up to that level: the latents stay of unit variance."""
    seen = []

    class Watch(NoisyClassifier):
        def forward(self, x_t, t):
            seen.append((x_t, t))
            return super().forward(x_t, t)

    watch = Watch(classifier.things, SMALL)
    naming = Naming(watch, frozen, few, number=6, pool_batches=1)
    for _ in range(12):
        with torch.no_grad():
            naming.loss(led, 0, torch.Generator().manual_seed(1), contextlib.nullcontext)
    assert min(int(t.min()) for _, t in seen) == LEAST_NOISE
    assert all(x.isfinite().all() for x, _ in seen)


def test_things_that_it_does_not_know_are_refused(few, frozen):
    with pytest.raises(InputError, match="knows none of the things"):
        Naming(NoisyClassifier(["something else"], SMALL), frozen, few)


@pytest.mark.seconds(60)
def test_the_training_takes_it_along(few, classifier, tmp_path):
    """It changes what is learned, and a weight of nearly nothing trains as without it."""
    file = save_classifier(classifier, tmp_path / "classifier.safetensors")
    shape = dict(block_out_channels=(16, 16, 32, 32), norm_num_groups=4)
    common = dict(
        steps=3, batch_size=4, hinted=0.5, pool_batches=1, samples=False, pairs=few, device="cpu", config=shape
    )
    trained = {}
    for name, weight in (("without", None), ("nearly", 1e-12), ("with", 1.0)):
        further = None if weight is None else naming_loss(file, weight, number=2, pool_batches=1)
        trained[name] = train_unet(tmp_path / name, MINI, MINI / "vae", further=further, **common).state_dict()
    apart = {
        name: max(float((trained[name][key] - value).abs().max()) for key, value in trained["without"].items())
        for name in ("nearly", "with")
    }
    assert apart["nearly"] < 0.1 * apart["with"]


def test_bad_words_on_the_command_line_are_one_sentence(tmp_path, capsys):
    common = [
        "train",
        "control",
        "--steps",
        "1",
        "--text",
        str(MINI),
        "--vae",
        str(MINI / "vae"),
        "--start-from",
        str(MINI / "unet"),
    ]
    for more, said in (
        (["--naming", "0"], "--naming is 0: it must be above 0."),
        (["--naming", "nan"], "--naming is nan: it must be above 0."),
        (["--classifier", str(tmp_path / "none.safetensors")], "holds no classifier of s2i train classifier."),
    ):
        assert main([*common, *more]) == 2
        error = capsys.readouterr().err
        assert said in error and "Traceback" not in error
