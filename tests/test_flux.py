"""FLUX.2 [klein], a flow that edits the sketch: runs equal diffusers by hand, plans say what runs, the rest says what it cannot."""

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import s2i_teach as s2i
from s2i_teach import InputError, Settings, load_pipeline, sweep, translate
from s2i_teach.images import open_sketch
from s2i_teach.models import fit, kinds, quantise
from s2i_teach.models.catalog import MODELS
from s2i_teach.models.fit import stand_on, step_down
from s2i_teach.models.kinds import EDIT, IMG2IMG, kind_of
from s2i_teach.models.preview import linear_map, preview
from s2i_teach.models.speed import counted, parts_of
from s2i_teach.translation.batch import Counts, run_batch
from s2i_teach.translation.prepare import prepare_sketch
from s2i_teach.translation.result import read_record
from s2i_teach.translation.run import run
from tests.conftest import make_tiny_flux, needs_flux

SMALL = dict(size=(96, 64), num_inference_steps=3)
PROMPT = "turn this sketch into a watercolour"


@pytest.fixture(scope="module")
def guided(tmp_path_factory):
    """The same parts as those of a base model, which was not distilled."""
    needs_flux()
    return make_tiny_flux(tmp_path_factory.mktemp("base"), is_distilled=False)


def by_hand(pipe, sketch, settings, output_type="pt", **more) -> torch.Tensor:
    """The stock pipeline, called as a careful user would call it."""
    return pipe(
        image=prepare_sketch(open_sketch(sketch, settings.size), settings.prepare),
        prompt=settings.prompt,
        width=settings.size[0],
        height=settings.size[1],
        num_inference_steps=settings.num_inference_steps,
        guidance_scale=1.0 if settings.guidance_scale is None else settings.guidance_scale,
        generator=torch.Generator("cpu").manual_seed(settings.seed),
        output_type=output_type,
        **more,
    ).images


def eight_bits(pixels: torch.Tensor) -> np.ndarray:
    return (pixels[0].permute(1, 2, 0) * 255).round().numpy().astype(np.uint8)


def same(a, b) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b))


# One picture


def test_what_it_is(tiny_flux):
    assert kind_of(tiny_flux) is EDIT and EDIT.is_flow and not IMG2IMG.is_flow
    networks = kinds.networks(tiny_flux)
    assert networks == [tiny_flux.transformer, tiny_flux.vae, tiny_flux.text_encoder]
    settings = Settings(PROMPT).resolved(tiny_flux)
    assert (settings.strength, settings.control_scale, settings.scheduler) == (None, None, None)
    assert (settings.size, settings.num_inference_steps, settings.guidance_scale) == ((1024, 1024), 4, 1.0)


@pytest.mark.parametrize("prepare", ["lines", "filled", "picture"])
@pytest.mark.parametrize("size", [(64, 64), (96, 64)])
def test_equals_the_pipeline_by_hand(tiny_flux, sketch, prepare, size):
    given = dict(seed=7, prepare=prepare, size=size, num_inference_steps=3)
    result = translate(sketch, PROMPT, pipe=tiny_flux, **given)
    assert same(result.image, eight_bits(by_hand(tiny_flux, sketch, Settings(PROMPT, **given))))
    assert not same(result.image, translate(sketch, PROMPT, pipe=tiny_flux, **{**given, "seed": 8}).image)
    assert not same(result.image, translate(sketch, "a stone", pipe=tiny_flux, **given).image)
    assert not same(
        result.image, translate(np.full((80, 100, 3), 255, np.uint8), PROMPT, pipe=tiny_flux, **given).image
    )


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_a_model_that_was_not_distilled_is_guided(guided, sketch, scale):
    given = dict(guidance_scale=scale, seed=2, **SMALL)
    result = translate(sketch, PROMPT, pipe=guided, **given)
    assert same(result.image, eight_bits(by_hand(guided, sketch, Settings(PROMPT, **given))))
    assert result.plan.batch == (2 if scale > 1 else 1)
    usual = Settings(PROMPT).resolved(guided)
    assert (usual.num_inference_steps, usual.guidance_scale) == (50, 4.0)


def test_the_plan_is_what_the_scheduler_runs(tiny_flux, sketch):
    for size in ((64, 64), (96, 64), (512, 512)):
        for steps in (1, 2, 4, 9):
            plan = Settings(PROMPT, size=size, num_inference_steps=steps).plan(tiny_flux, measure=False)
            assert plan.evaluations == len(plan.timesteps) == steps and plan.batch == 1
            assert plan.sigma == 1 and plan.sqrt_alpha_bar is None and plan.start_timestep == 1000
    plan = Settings(PROMPT, **SMALL).plan(tiny_flux, measure=False)
    seen = []
    handle = tiny_flux.transformer.register_forward_pre_hook(
        lambda module, args, named: seen.append(1000 * named["timestep"].item()), with_kwargs=True
    )
    try:
        by_hand(tiny_flux, sketch, Settings(PROMPT, **SMALL))
    finally:
        handle.remove()
    assert plan.timesteps == pytest.approx(seen, abs=1e-3)
    large = Settings(PROMPT, size=(1024, 1024), num_inference_steps=3).plan(tiny_flux, measure=False)
    assert large.timesteps[1] > plan.timesteps[1], "a larger picture spends more of the run at much noise"


def test_the_plan_in_words(tiny_flux):
    words = str(replace(Settings(PROMPT, **SMALL).plan(tiny_flux, measure=False), seconds=None))
    assert words == (
        "FlowMatchEulerDiscreteScheduler: starts at pure noise (σ = 1) with nothing of the sketch in it; each of the 3 "
        "evaluations of the transformer without guidance reads the sketch beside it; 96 × 64 pixels; not measured"
    )
    assert "√ᾱ" not in words


def test_a_plan_measures_and_learns(tiny_flux, sketch, monkeypatch):
    monkeypatch.setattr("s2i_teach.translation.timing._timings", {})
    first = Settings(PROMPT, **SMALL).plan(tiny_flux)
    assert 0 < first.seconds < 60
    result = translate(sketch, PROMPT, pipe=tiny_flux, **SMALL)
    again = Settings(PROMPT, **SMALL).plan(tiny_flux, measure=False)
    assert again.seconds == pytest.approx(result.seconds, rel=1e-6)


def test_steps_and_guesses_are_told(tiny_flux, sketch):
    """x̂_0 at each step is what the scheduler would come to if it went to σ = 0 at once."""
    steps, guesses, seen = [], [], []
    settings = Settings(PROMPT, **SMALL)
    result = run(sketch, settings, tiny_flux, lambda done, total: steps.append((done, total)), guesses.append)
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert [tuple(guess.shape) for guess in guesses] == [(1, 16, 4, 6)] * 3

    def noted(pipe, step, timestep, tensors):
        seen.append(tensors["latents"])
        return {}

    last = by_hand(tiny_flux, sketch, settings, "latent", callback_on_step_end=noted)
    # In the last step σ goes to 0, so that the guess is what comes out.
    assert (kinds.unpacked(tiny_flux, seen[-1], (96, 64)) - guesses[-1]).abs().max() < 1e-5
    assert (kinds.decoder_input(tiny_flux.vae, guesses[-1]) - last).abs().max() < 1e-5
    sigmas = [t / 1000 for t in result.plan.timesteps] + [0.0]
    before, after = (kinds.unpacked(tiny_flux, z, (96, 64)) for z in seen[:2])
    velocity = (after - before) / (sigmas[2] - sigmas[1])
    assert (guesses[1] - (before - sigmas[1] * velocity)).abs().max() < 1e-4


def test_an_evaluation_equals_the_pipeline_s(tiny_flux, sketch):
    """What is timed and counted is what runs."""
    from s2i_teach.models.flows import evaluate_flow

    calls = []
    handle = tiny_flux.transformer.register_forward_hook(
        lambda module, args, named, out: calls.append((named, out[0])), with_kwargs=True
    )
    try:
        by_hand(tiny_flux, sketch, Settings(PROMPT, **SMALL))
    finally:
        handle.remove()
    named, out = calls[1]
    picture, page = (kinds.unpacked(tiny_flux, z, (96, 64)) for z in named["hidden_states"].split(24, dim=1))
    with torch.no_grad():
        ours = evaluate_flow(
            tiny_flux.transformer, picture, page, 1000 * named["timestep"], named["encoder_hidden_states"]
        )
    assert (ours - out[:, :24]).abs().max() < 1e-5


@pytest.mark.parametrize("way", ["decoded", "mapped"])
def test_a_preview_shows_the_picture(tiny_flux, sketch, way, monkeypatch):
    monkeypatch.setattr("s2i_teach.models.preview._decoders", {})
    monkeypatch.setattr("s2i_teach.models.preview.FAST", 100 if way == "decoded" else -1)
    guesses = []
    result = run(sketch, Settings(PROMPT, **SMALL), tiny_flux, None, guesses.append)
    shown = preview(tiny_flux, guesses[-1])
    if way == "decoded":
        assert np.abs(np.asarray(shown, int) - np.asarray(result.image, int)).max() <= 1
    else:
        assert shown.size == (12, 8) and linear_map(tiny_flux).shape == (5, 3)


def test_decoded_again_in_single_precision(tiny_flux, sketch, monkeypatch):
    """Where the decoder overflows, the picture is the one that the same latents make in fp32."""
    vae, decode = tiny_flux.vae, tiny_flux.vae.decode
    wanted = translate(sketch, PROMPT, pipe=tiny_flux, **SMALL)
    calls = []

    def overflows(z, **named):
        calls.append(z.dtype)
        made = decode(z, **named)
        return (made[0] * float("nan"),) if len(calls) == 1 else made

    monkeypatch.setattr(vae, "decode", overflows)
    result = translate(sketch, PROMPT, pipe=tiny_flux, **SMALL)
    assert result.notes == ("Half precision overflowed in the VAE: the picture was decoded in fp32.",)
    assert np.abs(np.asarray(result.image, int) - np.asarray(wanted.image, int)).max() <= 1 and len(calls) == 2
    assert vae.dtype == torch.float32


def test_what_is_too_long_to_read_is_said(tiny_flux, sketch):
    fits, cut = "a" * 400, "a" * 500 + "bcdefgh"
    assert translate(sketch, fits, pipe=tiny_flux, **SMALL).notes == ()
    [note] = translate(sketch, cut, pipe=tiny_flux, **SMALL).notes
    # "<|im_start|>user\n" is six tokens here.
    assert note == "The model reads 506 pieces of words; of the prompt it did not read: h."


def test_a_record_makes_the_same_picture(tiny_flux, sketch, tmp_path, monkeypatch):
    result = translate(sketch, PROMPT, pipe=tiny_flux, **SMALL)
    record = read_record(result.save(tmp_path / "one.png"))
    assert record.settings == result.settings and record.settings.strength is None and not record.quantized
    assert same(run(record.sketch, record.settings, tiny_flux).image, result.image)
    read_record(replace(result, quantized=True).save(tmp_path / "two.png"))
    assert read_record(tmp_path / "two.png").quantized


# Refusals


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            dict(strength=0.5),
            'strength is given, which this pipeline does not take: leave it out, or use a model such as "mini"',
        ),
        (dict(negative_prompt="a stone"), "negative_prompt is given, which this pipeline does not take: leave it out"),
        (dict(control_scale=1.0), "control_scale is given, which this pipeline does not take: leave it out"),
        (dict(timesteps=(1, 2)), "timesteps is given, which this pipeline does not take: leave it out"),
        (
            dict(guidance_scale=3.0),
            "guidance_scale is 3, and this pipeline was distilled to run without guidance: leave it out",
        ),
        (dict(scheduler="ddim"), "scheduler='ddim' is of another kind than this model, which is a flow: leave it out"),
        (dict(size=(72, 64)), "The size 72 × 64 does not fit this model: its sides must be multiples of 16"),
        (
            dict(size=(48, 64)),
            "The size 48 × 64 cannot be edited: give sides from 64 pixels, the longer at most 8 times",
        ),
        (dict(size=(1024, 64)), "The size 1024 × 64 cannot be edited"),
    ],
)
def test_what_it_does_not_take_is_refused(tiny_flux, sketch, given, words):
    with pytest.raises(InputError) as told:
        run(sketch, Settings(PROMPT, **given), tiny_flux)
    assert words in str(told.value) and "\n" not in str(told.value)
    if "timesteps" in given:  # several values are an axis there
        return
    with pytest.raises(InputError) as swept:
        sweep(sketch, PROMPT, pipe=tiny_flux, quiet=True, seed=[1, 2], **given)
    assert str(swept.value) == str(told.value)


def test_a_guidance_of_one_is_no_guidance(tiny_flux, sketch):
    plain, one = (translate(sketch, PROMPT, pipe=tiny_flux, **SMALL, **more) for more in ({}, {"guidance_scale": 1}))
    assert same(plain.image, one.image)


def test_what_looks_into_u_nets_says_that_there_is_none(tiny_flux, sketch, monkeypatch):
    from s2i_teach.models.attention_maps import recorded_attention
    from s2i_teach.models.untrained import untrained_pipeline
    from s2i_teach.translation import thesis
    from s2i_teach.widgets.anatomy import anatomy

    with pytest.raises(InputError, match="This model has a transformer where the anatomy draws a U-Net"):
        anatomy(tiny_flux, sketch, PROMPT)
    with (
        pytest.raises(InputError, match="A Flux2Transformer2DModel has no cross-attention"),
        recorded_attention(tiny_flux.transformer),
    ):
        pass
    with pytest.raises(InputError, match="The shapes of 'flux2-klein' are not known here: use sd15"):
        untrained_pipeline("flux2-klein")
    with pytest.raises(InputError, match="flux2-klein is a flow, of which these parameters say nothing"):
        Settings.from_thesis(model_name_or_path="flux2-klein")
    monkeypatch.setattr(thesis, "_pipeline", lambda *rest: (tiny_flux, ()))
    with pytest.raises(InputError, match="some/folder is a flow"):
        Settings.from_thesis(model_name_or_path="some/folder")


# Many pictures


def test_each_cell_is_the_single_run(tiny_flux, sketch):
    from s2i_teach.models.kept import forget_texts

    forget_texts(tiny_flux)
    steps = []
    made = sweep(
        sketch,
        [PROMPT, "a stone"],
        seeds=[0, 5],
        num_inference_steps=[2, 3],
        size=(64, 64),
        pipe=tiny_flux,
        quiet=True,
        on_step=lambda done, total: steps.append((done, total)),
    )
    for result in made.results:
        single = run(sketch, result.settings, tiny_flux)
        assert same(single.image, result.image)
        assert single.settings == result.settings and replace(single.plan, seconds=None) == replace(
            result.plan, seconds=None
        )
    assert steps == [(done, 20) for done in range(1, 21)]
    counts = Counts(evaluations=20, calls=20, encoded=8, decoded=8, prompts=2)
    assert made.counts == counts
    assert list(made.table["sigma"]) == [1.0] * 8 and "sqrt_alpha_bar" not in made.table
    assert "20 samples through the transformer in 20 calls, 0 shared" in str(made)
    assert made.figure() is not None


def test_a_guided_grid_counts_both_halves(guided, sketch):
    counts = Counts()
    cells = [Settings(PROMPT, guidance_scale=scale, **SMALL).resolved(guided) for scale in (1.0, 3.0)]
    made = [pixels for _, pixels, _ in run_batch(sketch, cells, guided, counts=counts)]
    for settings, pixels in zip(cells, made, strict=True):
        assert (by_hand(guided, sketch, settings) - pixels).abs().max() == 0
    assert (counts.evaluations, counts.calls, counts.encoded, counts.decoded) == (9, 9, 2, 2)


def test_a_grid_that_was_kept_is_taken_up(tiny_flux, sketch, tmp_path):
    given = dict(pipe=tiny_flux, quiet=True, to=tmp_path, **SMALL)
    first = sweep(sketch, PROMPT, seed=[1, 2], **given)
    again = sweep(sketch, PROMPT, seed=[1, 2, 3], **given)
    assert again.counts.evaluations == 3 and again.counts.decoded == 1
    for before, after in zip(first.results, again.results, strict=False):
        assert same(before.image, after.image) and before.settings == after.settings


# Loading


@pytest.fixture()
def folder(tiny_flux, tmp_path):
    tiny_flux.save_pretrained(tmp_path / "flux")
    return tmp_path / "flux"


def test_it_loads_from_a_folder_and_from_the_catalog(tiny_flux, folder, sketch, monkeypatch, capsys):
    pipe = load_pipeline(folder, device="cpu", dtype="fp32")
    assert kind_of(pipe) is EDIT and pipe.s2i_fit.rung in (0, 1) and not pipe.s2i_quantized
    wanted = translate(sketch, PROMPT, pipe=tiny_flux, **SMALL)
    made = translate(sketch, PROMPT, pipe=pipe, **SMALL)
    assert np.abs(np.asarray(made.image, int) - np.asarray(wanted.image, int)).max() <= 1
    monkeypatch.setitem(MODELS, "flux2-klein", replace(MODELS["flux2-klein"], ids=(str(folder),)))
    made = translate(sketch, PROMPT, pipe=load_pipeline("flux2-klein", device="cpu", dtype="fp32"), **SMALL)
    assert made.model == "flux2-klein" and made.precision == "fp32"
    with pytest.raises(InputError, match="guidance_scale is 2, and flux2-klein was distilled"):
        translate(sketch, PROMPT, pipe=load_pipeline("flux2-klein", device="cpu", dtype="fp32"), guidance_scale=2)
    with pytest.raises(InputError, match="scheduler='euler' is of another kind than this model"):
        load_pipeline(folder, device="cpu", dtype="fp32", scheduler="euler")


def test_it_runs_in_bf16(folder, sketch):
    result = translate(sketch, PROMPT, pipe=load_pipeline(folder, device="cpu", dtype="bf16"), **SMALL)
    assert result.precision == "bf16" and result.image.size == (96, 64)


def drop_a_weight(file):
    from safetensors.torch import load_file, save_file

    weights = load_file(file)
    weights.pop(max(name for name in weights if "mlp" in name or "attn" in name))
    save_file(weights, file, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda f: shutil.rmtree(f / "transformer"),
            "has no transformer: it is no FLUX.2 [klein] in diffusers' format",
        ),
        (lambda f: (f / "tokenizer" / "own.py").write_text("1 / 0", encoding="utf-8"), "brings code along (own.py)"),
        (
            lambda f: (f / "transformer" / "diffusion_pytorch_model.safetensors").rename(f / "transformer" / "d.bin"),
            "could not be loaded",
        ),
        (lambda f: drop_a_weight(f / "text_encoder" / "model.safetensors"), "The text encoder in"),
    ],
)
def test_a_spoilt_folder_is_one_sentence(folder, spoil, words):
    spoil(folder)
    with pytest.raises(InputError) as told:
        load_pipeline(folder, device="cpu", dtype="fp32")
    assert words in str(told.value) and "\n" not in str(told.value)


def test_a_part_of_another_library_is_refused(folder):
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    index["transformer"] = ["my_code", "MyTransformer"]
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(InputError, match="wants code of its own for its part 'transformer'"):
        load_pipeline(folder, device="cpu", dtype="fp32")


def test_an_old_diffusers_is_asked_to_be_renewed(folder, monkeypatch):
    import diffusers

    old = type(sys)("diffusers")

    def known(name):
        if name == "Flux2KleinPipeline":
            raise AttributeError(name)
        return getattr(diffusers, name)

    old.__getattr__ = known
    monkeypatch.setitem(sys.modules, "diffusers", old)
    for model in ("flux2-klein", folder):
        with pytest.raises(InputError, match='needs diffusers 0.37.1 or newer: pip install -U "diffusers>=0.37.1"'):
            load_pipeline(model, device="cpu", dtype="fp32")


# Memory


def test_a_gpu_that_is_too_small_gets_four_bits(monkeypatch):
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    monkeypatch.setattr(quantise, "can_quantise", lambda: True)
    wants = quantise.wants_quantised
    assert wants("auto", EDIT, 16.0, 14.7, gpu) and not wants("auto", EDIT, 16.0, 24.0, gpu)
    assert not wants("auto", EDIT, 16.0, 8.0, cpu) and not wants("auto", IMG2IMG, 16.0, 2.0, gpu)
    assert wants("nf4", EDIT, 16.0, 80.0, gpu) and not wants("none", EDIT, 16.0, 1.0, gpu)
    monkeypatch.setattr(quantise, "can_quantise", lambda: False)
    assert not wants("auto", EDIT, 16.0, 14.7, gpu)


def test_what_diffusers_is_asked_for_in_four_bits(tiny_flux, folder, monkeypatch):
    """Quantising needs a GPU: here it is seen what would be asked of diffusers, for which parts, and what is told of it."""
    import diffusers

    from s2i_teach.models import load

    asked = {}

    def from_pretrained(source, **options):
        asked.update(options)
        return tiny_flux

    class Wanted:
        def __init__(self, **wanted):
            self.wanted = wanted

    monkeypatch.setattr(load, "check_quantize", lambda *rest: None)
    monkeypatch.setattr(diffusers, "PipelineQuantizationConfig", Wanted)
    monkeypatch.setattr(diffusers.Flux2KleinPipeline, "from_pretrained", from_pretrained)
    monkeypatch.setattr(tiny_flux, "s2i_quantized", False, raising=False)
    pipe = load_pipeline(folder, device="cpu", dtype="bf16", quantize="nf4")
    assert asked["quantization_config"].wanted == {
        "quant_backend": "bitsandbytes_4bit",
        "quant_kwargs": {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_compute_dtype": "bfloat16",
        },
        "components_to_quantize": ["transformer", "text_encoder"],
    }
    assert pipe.s2i_quantized and "most weights in 4 bits (nf4)" in str(pipe.s2i_fit)
    asked.clear()
    assert not load_pipeline(folder, device="cpu", dtype="bf16").s2i_quantized and "quantization_config" not in asked


def test_the_real_config_takes_what_it_is_given(monkeypatch):
    """diffusers compares both libraries' configurations as its own is made; only the package itself is not looked for."""
    needs_flux()
    made = quantise.quantisation(EDIT, torch.float16)
    assert made.components_to_quantize == ["transformer", "text_encoder"] and made.quant_kwargs["load_in_4bit"]


def test_what_cannot_be_quantised_is_refused(monkeypatch):
    monkeypatch.setattr(quantise, "can_quantise", lambda: False)
    gpu = torch.device("cuda")
    for call, words in {
        lambda: load_pipeline("mini", quantize="int8"): "quantize='int8' is not known: use auto, none, nf4.",
        lambda: load_pipeline("mini", quantize="nf4"): 'quantize="nf4" is for models such as "flux2-klein"',
        lambda: load_pipeline(
            "flux2-klein", device="cpu", quantize="nf4"
        ): 'quantize="nf4" needs a GPU, and this runs on cpu',
        lambda: quantise.check_quantize("nf4", gpu, EDIT): 'quantize="nf4" needs the package bitsandbytes: pip install',
    }.items():
        with pytest.raises(InputError) as told:
            call()
        assert words in str(told.value)


def test_slices_are_no_rung_for_a_transformer(tiny_flux, monkeypatch):
    monkeypatch.setattr(tiny_flux, "s2i_rung", 0, raising=False)
    stand_on(tiny_flux, 1, torch.device("cpu"))
    assert tiny_flux.s2i_rung == 0 and step_down(tiny_flux) is None, "on a CPU there is no further rung"
    asked = []
    for name in ("enable_model_cpu_offload", "enable_sequential_cpu_offload"):
        monkeypatch.setattr(tiny_flux, name, lambda name=name, **more: asked.append(name))
    monkeypatch.setattr(fit, "device_of", lambda pipe: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    assert [step_down(tiny_flux) for _ in range(3)] == [*(rung.words for rung in fit.LADDER[1:]), None]
    assert asked == ["enable_model_cpu_offload", "enable_sequential_cpu_offload"]


def test_parts_by_turns_make_the_same_picture(tmp_path, sketch):
    """With the CPU in the GPU's place: a text read before the run, and a preview within it, find their parts where they are."""
    needs_flux()
    pipe = make_tiny_flux(tmp_path)
    wanted = translate(sketch, PROMPT, pipe=pipe, **SMALL)
    stand_on(pipe, 2, torch.device("cpu"))
    assert pipe.s2i_rung == 2 and hasattr(pipe.transformer, "_hf_hook")
    shown = []
    made = run(sketch, Settings("another", **SMALL), pipe, None, lambda x0: shown.append(preview(pipe, x0)))
    made = translate(sketch, PROMPT, pipe=pipe, **SMALL)
    assert same(made.image, wanted.image) and len(shown) == 3


def test_the_doctor_says_how_it_would_fit(monkeypatch):
    needs_flux()
    from s2i_teach import doctor
    from s2i_teach.models import devices, hub, speed

    entry, gpu = MODELS["flux2-klein"], torch.device("cuda")
    monkeypatch.setattr(devices, "free_memory", lambda device: 14.7)
    monkeypatch.setattr(devices, "pick_dtype", lambda device: torch.float16)
    monkeypatch.setattr(speed, "predicted", lambda *rest, **named: 30.0)
    monkeypatch.setattr(hub, "is_here", lambda model: False)
    told = {}
    for there in (True, False):
        monkeypatch.setattr(quantise, "can_quantise", lambda there=there: there)
        told[there] = doctor._predicted(entry, gpu)
    head = "flux2-klein: a download of 16.0 GB; a picture would take about 30 s, "
    assert told[True] == f"{head}with most weights in 4 bits, as memory is short"
    assert told[False] == f"{head}and longer as memory is short: each part is on the GPU only while it works"
    monkeypatch.setattr(devices, "pick_dtype", lambda device: torch.float32)
    assert doctor._predicted(entry, torch.device("cpu")).endswith("but it needs 32.0 GB and 14.7 GB are free")


def test_it_is_counted_from_its_shapes(tiny_flux, monkeypatch):
    """The catalog's model at its size: each evaluation reads 2 × 4096 + 512 tokens with nearly four billion weights."""
    parts = counted(MODELS["flux2-klein"], 1, False)
    products = 2 * 3.87e9 * (2 * 4096 + 512)
    assert 0.75 * products < parts.evaluation.multiplied < 1.05 * products
    attention = 25 * 4 * (2 * 4096 + 512) ** 2 * 3072
    assert parts.evaluation.attended == pytest.approx(attention, rel=1e-6)
    small = parts_of(tiny_flux, (64, 64), 1)
    assert 0 < small.evaluation.flops < parts_of(tiny_flux, (128, 64), 1).evaluation.flops


def test_the_catalog_s_sizes_are_those_of_its_shapes():
    needs_flux()
    from s2i_teach.models.measure import nothing_computed
    from s2i_teach.models.untrained import makers

    with nothing_computed():
        size = {name: 2 * sum(p.numel() for p in make().parameters()) for name, make in makers("flux2-klein").items()}
    # What the hub's list of files says, in GB.
    assert [round(size[name] / 1e9, 2) for name in ("transformer", "text_encoder", "vae")] == [7.75, 8.04, 0.17]
    assert 0 < MODELS["flux2-klein"].download - sum(size.values()) < 50e6


# The studio and the command line


def test_the_studio_says_what_is_true_of_it(tiny_flux):
    from s2i_teach.translation.plan import strength_for
    from s2i_teach.widgets import studio

    options = studio._model_options("a pipeline", tiny_flux)
    assert options[-1]["flow"] and options[-1]["strength"] is None
    assert next(row for row in options if row["name"] == "mini")["flow"] is False
    asked = Settings(PROMPT, "a stone", strength_for(4, 3), 7.0, 4, scheduler="ddim", size=(64, 64))
    settings = studio._fitting(asked, tiny_flux).resolved(tiny_flux)
    row = studio._plan_row(settings, settings.plan(tiny_flux, measure=False))
    assert (row["strength"], row["left"], row["sigma"], row["evaluations"]) == (None, None, 1.0, 4)


def test_the_studio_draws_with_it(tiny_flux, tmp_path, monkeypatch):
    """Whatever the page's knobs say that it has not, the picture is translate's, and the words are those of a flow."""
    from tests.test_studio import ask, said, settle

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tiny_flux, "s2i_model", "tiny", raising=False)
    monkeypatch.setattr("s2i_teach.translation.settings.usual_size", lambda pipe: (64, 64))
    studio = s2i.Studio("turtle", model=tiny_flux)
    sent = studio.__dict__.setdefault("sent", [])
    monkeypatch.setattr(studio, "send", lambda content, buffers=None: sent.append(content))
    settle(studio)
    ask(studio, negative_prompt="a stone", scheduler="ddim", evaluations=2)
    assert not said(studio, "failure"), said(studio, "failure")
    [told] = said(studio, "plans")[-1:]
    assert told["key"] == ["tiny", 4, "ddim", True, None] and [row["evaluations"] for row in told["plans"]] == [4] * 4
    answer, result = said(studio, "result")[-1]["result"], studio.result
    assert answer["plan"]["sigma"] == 1 and answer["plan"]["left"] is None
    assert answer["about"] == (
        "a turtle, openmoji style · tiny, FlowMatchEulerDiscreteScheduler · guidance 1 · 4 steps · seed 7"
    )
    drawn = studio.page.image(64, 64)
    single = translate(
        drawn, "a turtle, openmoji style", pipe=tiny_flux, seed=7, num_inference_steps=4, prepare="filled"
    )
    assert same(single.image, result.image)
    studio._code({"number": said(studio, "result")[-1]["result"]["number"]})
    code = said(studio, "code")[-1]["code"]
    assert "strength" not in code and "guidance_scale=1.0" in code and "scheduler" not in code


def test_the_command_line_tells_the_plan(tiny_flux, sketch, tmp_path, monkeypatch, capsys):
    from s2i_teach import cli

    monkeypatch.setattr("s2i_teach.models.load.load_pipeline", lambda *rest, **named: tiny_flux)
    sketch.save(tmp_path / "s.png")
    result = translate(sketch, PROMPT, pipe=tiny_flux, **SMALL)
    result = replace(result, model="flux2-klein", quantized=True)
    made = result.save(tmp_path / "made.png")
    monkeypatch.setattr(cli, "_has_gpu", lambda: False)
    cli.main(["translate", "--like", str(made), "--out", str(tmp_path / "again.png")])
    out = capsys.readouterr()
    assert "reads the sketch beside it" in out.out and "made with weights in 4 bits on a GPU" in out.err
    from PIL import Image

    assert same(Image.open(tmp_path / "again.png").convert("RGB"), result.image)
