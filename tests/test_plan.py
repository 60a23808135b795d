"""What a plan says is what runs, for every scheduler, number of steps and strength."""

import os
from weakref import WeakKeyDictionary

import pytest
import torch
from torch import nn

from s2i_teach import InputError, Settings
from s2i_teach.models.schedulers import make_scheduler
from s2i_teach.translation.plan import start_index
from s2i_teach.translation.run import run

NAMES = ["ddim", "dpm++", "euler", "lcm", "pndm"]


def settings(n, s, name, **more):
    return Settings("a cat", strength=s, num_inference_steps=n, scheduler=name, guidance_scale=1.0, **more)


def test_start_index_equals_diffusers_everywhere(tiny_pipe):
    """All steps 1–100 × strengths 0.01–1.00: the same steps are left out as by the pipeline, where it runs at all."""
    tiny_pipe.scheduler.set_timesteps(1)
    for n in range(1, 101):
        for percent in range(1, 101):
            s = percent / 100
            start, handed = start_index(n, s)
            steps = n - start
            assert 1 <= steps <= n and min(int(n * handed), n) == steps
            if int(n * s) >= 1:
                assert handed == s and steps == tiny_pipe.get_timesteps(n, s, "cpu")[1]


@pytest.mark.parametrize(("n", "s", "steps"), [(50, 0.58, 28), (100, 0.29, 28), (100, 0.57, 56), (100, 0.58, 57)])
def test_float_errors_are_told(tiny_pipe, n, s, steps):
    assert settings(n, s, "ddim").plan(tiny_pipe, measure=False).evaluations == steps


class Recorder(nn.Module):
    """Stands in for a U-Net: notes the timesteps at which it is called, and the first latents, and predicts nothing."""

    def __init__(self, unet):
        super().__init__()
        self.config, self.calls, self.first = unet.config, [], None
        self.weight = nn.Parameter(torch.zeros(()))

    dtype, device = torch.float32, torch.device("cpu")
    add_embedding = None

    def forward(self, sample, timestep, **rest):
        if not self.calls:
            self.first = sample
        self.calls.append(float(timestep))
        return (torch.zeros_like(sample),)


@pytest.fixture()
def recorded(tiny_pipe, monkeypatch):
    recorder = Recorder(tiny_pipe.unet)
    monkeypatch.setattr(tiny_pipe, "unet", recorder)
    return tiny_pipe, recorder


def run_loop(pipe, recorder, n, strength, name):
    """The pipeline's own loop on ready latents and text: everything but the networks."""
    recorder.calls.clear()
    current = pipe.scheduler
    pipe.scheduler = make_scheduler(name, current, n)
    try:
        pipe(
            image=torch.ones(1, 4, 2, 2),
            prompt_embeds=torch.zeros(1, 4, 32),
            strength=strength,
            guidance_scale=1.0,
            num_inference_steps=n,
            output_type="latent",
            generator=torch.Generator().manual_seed(0),
        )
    finally:
        pipe.scheduler = current
    return recorder.calls


def strengths(n):
    """Strengths 0.01–1.00 to try at ``n`` steps: one for every number of evaluations; of many steps, the telling ones.

    With S2I_EXHAUSTIVE=1 none is left out (some minutes).
    """
    by_count = {}
    for percent in range(1, 101):
        by_count.setdefault(n - start_index(n, percent / 100)[0], percent / 100)
    if n <= 20 or os.environ.get("S2I_EXHAUSTIVE"):
        return list(by_count.values())
    telling = {1, 2, n // 3, n - 1, n}
    odd = {k for k, s in by_count.items() if abs(n * s - round(n * s)) < 1e-9 and k != round(n * s)}
    return [s for k, s in by_count.items() if k in telling | odd]


@pytest.mark.parametrize("name", NAMES)
def test_plan_is_what_runs(recorded, name):
    """All steps 1–100: the U-Net is called at the plan's timesteps, as often as the plan says, and nothing crashes."""
    pipe, recorder = recorded
    for n in range(1, 101):
        for s in strengths(n):
            plan = settings(n, s, name).plan(pipe, measure=False)
            calls = run_loop(pipe, recorder, n, plan.strength_run, name)
            assert len(calls) == plan.evaluations
            assert calls == pytest.approx(plan.timesteps, abs=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_every_combination_has_a_plan(tiny_pipe, name):
    """All steps 1–100, with a strength for each distinct number of evaluations: none crashes, all make sense."""
    for n in range(1, 101):
        previous = None
        for k in range(1, n + 1, 1 if n <= 20 else 9):
            plan = settings(n, min(1.0, (k + 0.5) / n), name).plan(tiny_pipe, measure=False)
            assert plan.evaluations >= 1 and 0 <= plan.start_timestep < 1000 and 0 < plan.sqrt_alpha_bar < 1
            if previous is not None:
                assert plan.start_timestep >= previous.start_timestep
                assert plan.sqrt_alpha_bar <= previous.sqrt_alpha_bar + 1e-6
            previous = plan


@pytest.mark.parametrize("name", NAMES)
def test_sqrt_alpha_bar_is_the_schedule_s(tiny_pipe, name):
    plan = settings(50, 0.6, name).plan(tiny_pipe, measure=False)
    alpha_bar = tiny_pipe.scheduler.alphas_cumprod[round(plan.start_timestep)]
    assert plan.sqrt_alpha_bar == pytest.approx(alpha_bar.sqrt().item(), abs=5e-3)


@pytest.mark.parametrize(("s", "left"), [(0.3, 0.79), (0.5, 0.55), (0.6, 0.42), (0.75, 0.27), (0.8, 0.21), (1.0, 0.08)])
def test_the_table_of_stable_diffusion(tiny_pipe, s, left):
    """√ᾱ at the start on Stable Diffusion's schedule at 50 steps, worked out independently."""
    assert settings(50, s, "ddim").plan(tiny_pipe, measure=False).sqrt_alpha_bar == pytest.approx(left, abs=0.011)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("n", "s"), [(1, 0.01), (3, 0.3), (4, 0.2), (50, 0.01), (60, 0.05), (2, 1.0)])
def test_few_steps_translate_without_a_crash(tiny_pipe, sketch, name, n, s):
    result = run(sketch, settings(n, s, name, size=(32, 32)), tiny_pipe)
    assert result.image.size == (32, 32)


def test_counts_calls_of_the_real_unet(tiny_pipe, sketch):
    calls = []
    handle = tiny_pipe.unet.register_forward_pre_hook(
        lambda module, args, kwargs: calls.append(args[0].shape[0]), with_kwargs=True
    )
    for guidance, batch in ((1.0, 1), (3.0, 2)):
        for name in (*NAMES, "unipc", "ddpm", None):
            calls.clear()
            wanted = Settings("a cat", strength=0.6, num_inference_steps=7, guidance_scale=guidance, scheduler=name)
            plan = wanted.plan(tiny_pipe, measure=False)
            calls.clear()
            run(sketch, wanted, tiny_pipe)
            assert calls == [batch] * plan.evaluations and plan.batch == batch
    handle.remove()


def test_seconds_are_predicted_and_learned(tiny_pipe, sketch, monkeypatch):
    monkeypatch.setattr("s2i_teach.translation.timing._timings", WeakKeyDictionary())  # what other tests measured
    wanted = Settings("a cat", strength=1.0, num_inference_steps=8, size=(64, 64))
    assert wanted.plan(tiny_pipe, measure=False).seconds is None
    assert wanted.plan(tiny_pipe).seconds > 0
    result = run(sketch, wanted, tiny_pipe)
    predicted = wanted.plan(tiny_pipe, measure=False).seconds
    assert predicted == pytest.approx(result.seconds, rel=0.5)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"strength": 0}, "strength"),
        ({"strength": 1.01}, "strength"),
        ({"strength": float("nan")}, "strength"),
        ({"strength": "much"}, "strength"),
        ({"guidance_scale": -1}, "guidance"),
        ({"guidance_scale": 1e9}, "guidance"),
        ({"num_inference_steps": 0}, "num_inference_steps"),
        ({"num_inference_steps": 2.5}, "num_inference_steps"),
        ({"num_inference_steps": 1000}, "1 to 999"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"seed": "0"}, "seed"),
        ({"seed": True}, "seed"),
        ({"size": (0, 8)}, "size"),
        ({"prepare": "x"}, "prepare"),
        ({"fit": "stretch"}, "fit"),
        ({"scheduler": "magic"}, "scheduler"),
        ({"prompt": 3}, "prompt"),
        ({"prompt": "\udc80"}, "no text"),
        ({"invert": "yes"}, "invert"),
        ({"size": (float("inf"), 8)}, "size"),
        ({"scheduler": ["ddim"]}, "scheduler"),
    ],
)
def test_bad_settings_get_one_sentence(bad, message):
    with pytest.raises(InputError, match=message) as caught:
        Settings(**{"prompt": "a cat", **bad})
    assert "\n" not in str(caught.value)


def test_a_size_that_does_not_fit_the_model(tiny_pipe):
    with pytest.raises(InputError, match="multiples of 8, for instance 96 × 104"):
        Settings("a cat", size=(100, 101)).plan(tiny_pipe)


def test_settings_survive_json():
    import json

    wanted = Settings("ein Haus ⌂", strength=0.3, size=(64, 32), seed=2**62, scheduler="lcm")
    assert Settings.from_dict(json.loads(json.dumps(wanted.to_dict()))) == wanted
    with pytest.raises(InputError, match="unknown entry 'magic'"):
        Settings.from_dict({"prompt": "a", "magic": 1})
