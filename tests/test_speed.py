"""What a model has to compute is counted right, and a plan predicts without computing; how well, benchmarks.real_models shows."""

from dataclasses import replace

import diffusers
import pytest
import torch
import torch.nn.functional as F

from s2i_teach import Settings
from s2i_teach.models import devices, speed
from s2i_teach.models.catalog import MODELS
from s2i_teach.models.kinds import KINDS
from s2i_teach.models.measure import count, flop_counter
from s2i_teach.models.speed import Speed, Work, count_parts, counted, measure_speed, parts_of, predicted, work_of
from s2i_teach.theory.cost import attention_flops, convolution_flops

CPU = torch.device("cpu")


def test_each_kind_of_work_is_told_apart():
    x, kernel = torch.zeros(1, 3, 16, 16), torch.zeros(8, 3, 3, 3)
    assert work_of(lambda: F.conv2d(x, kernel, padding=1)) == Work(
        convolved=convolution_flops(3, 8, 3, 16, 16), called=1
    )
    wide = torch.zeros(1, 3, 128, 128)
    assert work_of(lambda: F.conv2d(wide, kernel, padding=1)) == Work(
        widely_convolved=convolution_flops(3, 8, 3, 128, 128), called=1
    )
    a, b = torch.zeros(5, 7), torch.zeros(7, 11)
    assert work_of(lambda: a @ b) == Work(multiplied=2 * 5 * 7 * 11, called=1)
    q = torch.zeros(1, 2, 64, 8)
    assert work_of(lambda: F.scaled_dot_product_attention(q, q, q)).attended == attention_flops(8, 8, 16)
    assert work_of(lambda: a + a) == Work(touched=35, called=1)
    assert work_of(lambda: a.view(7, 5)[:2].t()) == Work(), "a view costs nothing"


def test_work_adds_up_and_speed_makes_seconds_of_it():
    one, other = Work(convolved=2, called=1), Work(multiplied=3, touched=5)
    both = one + other * 2
    assert both == Work(convolved=2, multiplied=6, touched=10, called=1) and both.flops == 8
    assert Speed(0.5, 1, 2, 3, 0.1, 7).seconds(both) == pytest.approx(0.5 * 2 + 2 * 6 + 0.1 * 10 + 7)


@pytest.mark.parametrize("name", ["tiny_pipe", "tiny_led", "tiny_xl", "tiny_xl_led"])
def test_a_loaded_pipeline_is_counted_as_it_runs(name, request):
    pipe, size = request.getfixturevalue(name), (96, 64)
    parts = parts_of(pipe, size, 2)
    x, t = torch.zeros(2, 4, 8, 12), torch.full((2,), 9)
    more = {"hint": torch.zeros(2, 3, 64, 96), "scales": [1.0, 1.0]} if "led" in name else {}
    from s2i_teach.models.kinds import blank_text, encode_text, evaluate

    text = blank_text(pipe, 2)
    assert parts.evaluation.flops == count(lambda: evaluate(pipe, x, t, text, **more)).flops
    assert parts.words.flops == count(lambda: encode_text(pipe, "a turtle", "a stone")).flops
    assert parts.decoding.flops == count(lambda: pipe.vae.decode(x[:1])).flops
    assert parts.encoding.flops == count(lambda: pipe.vae.encode(torch.zeros(1, 3, 64, 96))).flops
    whole = parts.picture(3)
    assert whole.flops == (parts.words + parts.encoding + parts.decoding).flops + 3 * parts.evaluation.flops


def test_what_the_real_models_have_to_compute():
    """Against torch's own counter, on the real shapes, where nothing is computed."""
    from s2i_teach.models.measure import nothing_computed
    from s2i_teach.models.untrained import makers

    with nothing_computed(), flop_counter() as counter:
        makers("sd1")["unet"]()(torch.zeros(1, 4, 64, 64), torch.tensor(1), torch.zeros(1, 77, 768))
    plain, led = counted(MODELS["sd15"], 1, False), counted(MODELS["sd15-scribble"], 1, False)
    assert plain.evaluation.flops == counter.get_total_flops()
    assert 1.3 < led.evaluation.flops / plain.evaluation.flops < 1.4, "a ControlNet is the U-Net's way down once more"
    assert led.decoding == plain.decoding
    whole = count_parts(makers("sd1", led=True), (512, 512), 2)
    two = counted(MODELS["sd15-scribble"], 2, False)
    assert two.evaluation.flops == whole.evaluation.flops, "U-Net and ControlNet, counted apart and together"
    assert two.words.flops == whole.words.flops
    small = counted(MODELS["sd-turbo"], 1, True)
    own = counted(MODELS["sd-turbo"], 1, False)
    assert small.evaluation == own.evaluation
    together = count_parts(makers("sd2", small_vae=True), (512, 512), 1)
    assert (small.encoding, small.decoding) == (together.encoding, together.decoding)
    there_and_back = [(parts.encoding + parts.decoding).flops for parts in (own, small)]
    assert 10 < there_and_back[0] / there_and_back[1] < 20
    assert 4 < there_and_back[0] / own.evaluation.flops < 5, "what fit.FEW_EVALUATIONS says"


def test_this_machine_is_measured_once_and_every_kind_takes_time(monkeypatch):
    measured = measure_speed(CPU, torch.float32, torch.get_num_threads())
    assert all(0 < value < 1 for value in vars(measured).values())
    assert measure_speed(CPU, torch.float32, torch.get_num_threads()) is measured
    fixed = Speed(1e-11, 1e-11, 1e-11, 1e-11, 1e-9, 1e-5)
    monkeypatch.setattr(speed, "measure_speed", lambda *rest: fixed)
    known = {n: e for n, e in MODELS.items() if e.ids and hasattr(diffusers, KINDS[e.kind].pipeline)}
    seconds = {n: predicted(e, CPU, torch.float32, small_vae=False) for n, e in known.items()}
    assert seconds["sd-turbo"] < seconds["sd15-lcm"] < seconds["sd15-hyper"] < seconds["sd15"]
    assert seconds["sd15"] == fixed.seconds(counted(MODELS["sd15"], 2, False).picture(37))
    assert predicted(MODELS["sd-turbo"], CPU, torch.float32, small_vae=True) < seconds["sd-turbo"] / 2


def test_a_plan_for_a_large_model_on_a_cpu_computes_nothing(tiny_pipe, monkeypatch):
    monkeypatch.setattr(devices, "SMALL", 0)
    monkeypatch.setattr("s2i_teach.translation.timing._timings", {})
    monkeypatch.setattr(speed, "measure_speed", lambda *rest: Speed(1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 0))
    monkeypatch.setattr(tiny_pipe.unet, "forward", None)
    settings = Settings("a turtle", size=(64, 64), num_inference_steps=4, strength=1.0, guidance_scale=3.0)
    plan = settings.plan(tiny_pipe)
    parts = parts_of(tiny_pipe, (64, 64), 2)
    work = parts.picture(4)
    assert plan.seconds == pytest.approx((work.flops + work.touched) * 1e-9)
    assert replace(settings, num_inference_steps=8).plan(tiny_pipe).seconds > plan.seconds
