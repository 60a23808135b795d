"""The trainings: exact resumption, the fast norm, poses and colours, and each part learning from tiny data."""

import random
import subprocess
import sys

import pytest
import torch
from torch import nn

from s2i_teach.training.loop import EMA, Budget, Trainer, learning_rate, make_accelerator
from s2i_teach.training.norms import fast_group_norm
from s2i_teach.training.pictures import Pairs, augment, load_pairs, random_pose, recolour, thicken_lines


def train(out, stop_at=None, steps=30, **options):
    """Fit a line; optionally be killed at a step."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.Linear(8, 1))

    def step_fn(step, generator):
        if step == stop_at:
            raise KeyboardInterrupt
        x = torch.randn(16, 3, generator=generator)
        return {"loss": (model(x) - x.sum(1, keepdim=True)).square().mean()}

    trainer = Trainer(
        out,
        model,
        step_fn,
        Budget(steps=steps),
        accelerator=make_accelerator("cpu"),
        lr=1e-2,
        checkpoint_every=0,
        **options,
    )
    return trainer.run().state_dict()


def test_a_killed_training_resumes_to_the_same_weights(tmp_path):
    whole = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "killed", stop_at=17)
    resumed = train(tmp_path / "killed", resume=True)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    other = train(tmp_path / "other", seed=1)
    assert not all(torch.equal(whole[name], other[name]) for name in whole)


def test_resuming_with_another_seed_is_refused(tmp_path):
    train(tmp_path, steps=3)
    with pytest.raises(ValueError, match="seed 0, not 5"):
        train(tmp_path, steps=6, seed=5, resume=True)


TWO_PROCESSES = """
import atexit
import os
import sys
from pathlib import Path
import torch
from torch import nn
from s2i_teach.training.loop import Budget, Trainer, make_accelerator



def nobody_stays():
    threads = [Path(f"/proc/self/task/{number}/comm").read_text() for number in os.listdir("/proc/self/task")]
    if any("gloo" in name for name in threads):
        print("threads outlive the group:", threads, file=sys.stderr, flush=True)
        os._exit(7)


if sys.platform == "linux":
    atexit.register(nobody_stays)  # registered first, it runs last
torch.set_num_threads(1)
folder, stop_at, resume = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "resume"
torch.manual_seed(0)
model, seen = nn.Linear(3, 1), []
accelerator = make_accelerator("cpu")
assert accelerator.num_processes == 2


def step_fn(step, generator):
    if step == stop_at:
        sys.exit(3)
    x = torch.randn(16, 3, generator=generator)
    seen.append(x)
    return {"loss": (model(x) - x.sum(1, keepdim=True)).square().mean()}


trainer = Trainer(folder, model, step_fn, Budget(steps=14), accelerator=accelerator, lr=1e-2, checkpoint_every=0,
                  average_every=4, resume=resume)
weights = trainer.run().state_dict()
torch.save((weights, trainer.model.state_dict(), torch.cat(seen)), folder / f"end-{accelerator.process_index}.pt")
"""


@pytest.mark.seconds(30)
def test_two_processes_train_one_model_and_resume_to_the_same_weights(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(TWO_PROCESSES)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script)]

    def run(folder, *arguments):
        folder.mkdir(exist_ok=True)
        done = subprocess.run([*launch, str(folder), *arguments], capture_output=True, text=True, timeout=240)
        return done.returncode, done.stderr

    code, errors = run(tmp_path / "whole", "-1", "fresh")
    assert code == 0, errors
    (first, _, one), (second, _, other) = (torch.load(tmp_path / "whole" / f"end-{rank}.pt") for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first), "both hold the same weights in the end"
    assert not torch.equal(one, other), "each saw pictures of its own"
    assert run(tmp_path / "killed", "10", "fresh")[0] != 0
    code, errors = run(tmp_path / "killed", "-1", "resume")
    assert code == 0, errors
    resumed = torch.load(tmp_path / "killed" / "end-0.pt")[0]
    assert all(torch.equal(first[name], resumed[name]) for name in first)


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path):
    model = nn.Linear(1, 1)
    trainer = Trainer(
        tmp_path,
        model,
        lambda step, generator: {"loss": model(torch.full((1, 1), float("nan"))).sum()},
        Budget(steps=100),
        accelerator=make_accelerator("cpu"),
        lr=1e-3,
    )
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        trainer.run()


def test_minutes_are_a_budget(tmp_path):
    model = nn.Linear(1, 1)
    trainer = Trainer(
        tmp_path,
        model,
        lambda step, generator: {"loss": model(torch.ones(1, 1)).sum() ** 2},
        Budget(minutes=0.02),
        accelerator=make_accelerator("cpu"),
        lr=1e-3,
    )
    trainer.run()
    assert 1.2 <= trainer.seconds < 3 and (tmp_path / "log.csv").is_file()
    with pytest.raises(ValueError, match="budget"):
        Budget()


def test_learning_rate_rises_stays_and_falls():
    assert learning_rate(1.0, 0, 0.0) == pytest.approx(0.01)
    assert learning_rate(1.0, 500, 0.5) == 1.0
    assert learning_rate(1.0, 500, 0.85) == pytest.approx(0.5)
    assert learning_rate(1.0, 500, 1.0) == 0.0
    assert learning_rate(1.0, 500, 0.85, fall=0.6) == pytest.approx(0.25)


@pytest.mark.parametrize(("fall", "rates"), [(0.5, [1, 1, 1, 0.8, 0.4]), (1.0, [1, 0.8, 0.6, 0.4, 0.2])])
def test_a_training_lets_its_rate_fall_over_the_share_that_was_asked_for(tmp_path, fall, rates):
    """The warm-up's factor, (step + 1) / 100, times what is left of the fall."""
    model, seen = nn.Linear(1, 1), []

    def step_fn(step, generator):
        seen.append(trainer.optimizer.param_groups[0]["lr"])
        return {"loss": model(torch.ones(1, 1)).sum() ** 2}

    accelerator = make_accelerator("cpu")
    trainer = Trainer(tmp_path, model, step_fn, Budget(steps=5), accelerator=accelerator, lr=1.0, fall=fall)
    trainer.run()
    assert seen == pytest.approx([rate * (step + 1) / 100 for step, rate in enumerate(rates)])


def test_ema_is_the_average():
    module = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(0.0)
    ema = EMA(module, 0.9)
    expected = 0.0
    for n in range(1, 200):
        with torch.no_grad():
            module.weight.fill_(float(n))
        ema.update(module)
        decay = min(0.9, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * n
    ema.copy_to(module)
    assert module.weight.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("shape", [(2, 32, 8, 8), (3, 48, 5, 7)])
def test_the_fast_norm_equals_torch_s(shape):
    torch.manual_seed(0)
    norm = nn.GroupNorm(8, shape[1])
    nn.init.normal_(norm.weight)
    x = torch.randn(shape).to(memory_format=torch.channels_last).requires_grad_()
    weight = torch.randn(shape)
    inputs = [x, norm.weight, norm.bias]
    plain = torch.autograd.grad((norm(x) * weight).sum(), inputs)
    with fast_group_norm():
        y = norm(x)
        fast = torch.autograd.grad((y * weight).sum(), inputs)
    assert (y - norm(x)).abs().max() < 1e-6
    for a, b in zip(plain, fast, strict=True):
        assert (a - b).abs().max() < 1e-4 * max(1.0, a.abs().max().item())


def square(side=64):
    x = torch.ones(1, 3, side, side)
    x[:, :, 20:40, 16:48] = torch.tensor([0.8, -0.8, -0.8]).view(1, 3, 1, 1)
    return x


def test_poses_stay_on_white_paper_and_differ():
    generator = torch.Generator().manual_seed(0)
    posed = random_pose(square().repeat(64, 1, 1, 1), generator)
    assert posed.min() >= -1 and posed.max() <= 1 + 1e-5
    ink = posed[:, 1] < 0
    areas = ink.flatten(1).sum(1) / (20 * 32)
    assert areas.min() > 0.15 and areas.max() < 1.5 and areas.std() > 0.1
    ys = torch.stack([torch.nonzero(one).float().mean(0) for one in ink])
    assert ys.std(0).min() > 4, "a thing must have no one place"


def test_the_identity_pose_changes_nothing():
    x = square()
    still = random_pose(x, torch.Generator(), scale=(1, 1), rotate=0, stretch=0, shift=0, warp=0, flip=False)
    assert (still - x).abs().max() < 1e-4


def test_unmoved_pictures_are_at_most_flipped():
    x = square().repeat(8, 1, 1, 1)
    x[:, :, 20:40, 16:24] = -1
    still, _ = augment(x.clone(), ["line"] * 8, torch.Generator().manual_seed(0), colour=0, move=False)
    # Lines are thickened in half of the pictures, so the middle of the square is compared.
    inside = still[:, :, 24:36, 20:44]
    plain, flipped = x[0, :, 24:36, 20:44], x[0].flip(2)[:, 24:36, 20:44]
    close = [min((one - plain).abs().mean(), (one - flipped).abs().mean()) for one in inside]
    assert max(close) < 0.2 and len({bool((one - plain).abs().mean() < 0.2) for one in inside}) == 2


def test_colours_are_turned_and_named():
    rng = random.Random(0)
    turned, names = recolour(square().repeat(30, 1, 1, 1), rng)
    assert len(set(names)) > 4
    for picture, name in zip(turned, names, strict=True):
        red, green, blue = picture[:, 30, 30]
        if name == "green":
            assert green > red and green > blue
        if name == "blue":
            assert blue > red and blue > green
        assert torch.allclose(picture[:, 0, 0], torch.ones(3))
    grey = torch.ones(1, 3, 8, 8) * 0.1
    assert recolour(grey, rng)[1] == [None]


def test_thicker_lines():
    x = torch.ones(1, 1, 9, 9)
    x[..., 4, :] = -1
    assert (thicken_lines(x, 1) < 0).sum() == 27 and torch.equal(thicken_lines(x, 0), x)


def test_augmentation_is_repeatable():
    x = square().repeat(6, 1, 1, 1)
    styles = ["noto", "line", "flat", "line", "fluent", "noto"]
    one, two = (augment(x.clone(), styles, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one[0], two[0]) and one[1] == two[1]
    assert one[1][1] is None and one[1][3] is None


@pytest.fixture(scope="module")
def few():
    pairs = load_pairs("test")
    return pairs.select(lambda row: row["hexcode"] in {r["hexcode"] for r in pairs.rows[:12]})


def test_load_pairs(few):
    assert isinstance(few, Pairs) and few.pixels.dtype == torch.uint8 and few.pixels.shape[1:] == (3, 128, 128)
    batch = few.batch(torch.tensor([0, 1]))
    assert batch.shape == (2, 3, 128, 128) and batch.max() == 1


def first_and_last_loss(folder):
    import csv

    with open(folder / "log.csv", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return float(rows[0]["loss"]), float(rows[-1]["loss"])


@pytest.mark.seconds(90)
def test_the_whole_recipe_in_small(tmp_path, few, sketch):
    """Text, VAE, U-Net, ControlNet, judge and saving, a few updates each: the parts fit, and the pipeline runs."""
    from diffusers import AutoencoderKL, ControlNetModel, StableDiffusionImg2ImgPipeline

    from s2i_teach import load_pipeline, translate
    from s2i_teach.models.preview import preview
    from s2i_teach.training.fast import build_preview_decoder, imitation_pairs, train_fast
    from s2i_teach.training.judge import judge_ranks, train_judge
    from s2i_teach.training.save import save_everything
    from s2i_teach.training.text import train_text
    from s2i_teach.training.unet import train_unet
    from s2i_teach.training.vae import train_vae

    runs = tmp_path / "runs"
    common = dict(pairs=few, device="cpu")
    train_text(runs / "text", steps=4, batch_size=8, **common)
    train_vae(runs / "vae", steps=3, batch_size=2, held_out=few, **common)
    train_unet(
        runs / "unet",
        runs / "text",
        runs / "vae" / "vae",
        steps=3,
        batch_size=2,
        pool_batches=1,
        samples=False,
        **common,
    )
    train_unet(
        runs / "control",
        runs / "text",
        runs / "vae" / "vae",
        steps=2,
        batch_size=4,
        hinted=0.5,
        whole=0.5,
        pool_batches=1,
        samples=False,
        optimizer="muon",
        start_from=runs / "unet" / "unet",
        **common,
    )
    judge = train_judge(runs / "judge", steps=60, batch_size=16, **common)
    assert judge_ranks(judge, few.batch(torch.arange(4)), [row["thing"] for row in few.rows[:4]]).shape == (4,)
    first, last = first_and_last_loss(runs / "judge")
    assert last <= first
    vae = AutoencoderKL.from_pretrained(runs / "vae" / "vae")
    small = train_fast(runs / "fast", runs / "vae" / "vae", steps=40, batch_size=2, examples=32, held_out=few, **common)
    z, wanted = imitation_pairs(vae, few, 16, seed=5)

    def error(decoder):
        with torch.no_grad():
            return (decoder.float().decode(z).sample - (wanted / 127.5 - 1)).square().mean()

    torch.manual_seed(0)
    assert error(small) < 0.7 * error(build_preview_decoder()), "it imitates the VAE better than untrained"
    parts = [runs / "text", runs / "vae" / "vae", runs / "unet" / "unet", runs / "judge" / "judge"]
    parts.append(runs / "fast" / "preview_decoder")
    save_everything(*parts, tmp_path / "data", runs / "control" / "controlnet")
    led = ControlNetModel.from_pretrained(tmp_path / "data" / "mini" / "controlnet")
    assert any(p.abs().max() > 0 for p in led.controlnet_mid_block.parameters()), "it has begun to learn"
    plain = StableDiffusionImg2ImgPipeline.from_pretrained(tmp_path / "data" / "mini")
    assert {plain.vae.dtype, plain.text_encoder.dtype, plain.unet.dtype} == {torch.float32}, "it runs as it is loaded"
    pipe = load_pipeline(tmp_path / "data" / "mini", dtype="fp32")
    assert translate(sketch, "a turtle", pipe=pipe, num_inference_steps=2, strength=1.0).image.size == (128, 128)
    changes = [tmp_path / "data" / "mini" / f"{name}.safetensors" for name in ("rewarded", "distilled")]
    for again, stays in ((parts[2], True), (runs / "control" / "unet", False)):  # the changes of one U-Net fit no other
        for file in changes:
            file.write_bytes(b"changes")
        save_everything(*parts[:2], again, *parts[3:], tmp_path / "data", runs / "control" / "controlnet")
        assert [file.exists() for file in changes] == [stays] * 2
    save_everything(*parts, tmp_path / "half", runs / "control" / "controlnet", control_scale=0.5)
    half = ControlNetModel.from_pretrained(tmp_path / "half" / "mini" / "controlnet")
    seen = (torch.randn(1, 4, 16, 16), torch.tensor([500]), torch.randn(1, 77, led.config.cross_attention_dim))
    hint = torch.rand(1, 3, 128, 128)
    with torch.no_grad():
        wanted = led(*seen, hint, conditioning_scale=0.5, return_dict=False)
        given = half(*seen, hint, return_dict=False)
    for one, other in zip((*wanted[0], wanted[1]), (*given[0], given[1]), strict=True):
        assert one.abs().max() > 0 and torch.allclose(one, other, rtol=1e-3, atol=1e-6)
    assert preview(pipe, torch.zeros(1, 4, 16, 16)).size == (128, 128)
    for config in (tmp_path / "data").rglob("*.json"):
        assert str(tmp_path) not in config.read_text(encoding="utf-8"), config


def test_standardising_changes_the_latents_and_nothing_else():
    from diffusers import AutoencoderKL

    from s2i_teach.training.vae import CONFIG, standardise

    torch.manual_seed(0)
    vae = AutoencoderKL(**{**CONFIG, "block_out_channels": (8, 8, 16, 16), "norm_num_groups": 4}).eval()
    x = torch.rand(4, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        before = vae.encode(x).latent_dist
        picture = vae.decode(before.mode()).sample
        mean, std = before.mean.mean((0, 2, 3)), before.mean.std((0, 2, 3))
        standardise(vae, mean, std, 0.18215)
        after = vae.encode(x).latent_dist
        assert (vae.decode(after.mode()).sample - picture).abs().max() < 1e-4
        scaled = after.mean * vae.config.scaling_factor
        assert scaled.mean((0, 2, 3)).abs().max() < 1e-4 and (scaled.std((0, 2, 3)) - 1).abs().max() < 1e-4
        ratio = after.std / before.std * std.view(1, -1, 1, 1) * 0.18215
        assert (ratio - 1).abs().max() < 1e-4


def test_the_judge_comes_without_a_bar(capfd):
    """Lessons load it in the midst of their own output."""
    from s2i_teach.training.judge import load_judge

    assert not load_judge().training
    assert capfd.readouterr() == ("", "")
