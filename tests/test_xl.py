"""SDXL: single runs equal diffusers by hand, grids equal single runs, and all that looks into a run understands it."""

import itertools
import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from packaging.version import Version

import s2i_teach as s2i
from s2i_teach import InputError, Settings, load_pipeline, translate
from s2i_teach.images import open_sketch
from s2i_teach.lines import line_hint
from s2i_teach.models import kinds
from s2i_teach.models.kept import forget_texts
from s2i_teach.models.kinds import CONTROL_XL, IMG2IMG_XL, kind_of
from s2i_teach.models.schedulers import SCHEDULERS, make_scheduler
from s2i_teach.translation.batch import Counts, run_batch
from s2i_teach.translation.prepare import prepare_sketch
from tests.conftest import led, let_memory_be_short, make_tiny_xl
from tests.test_anatomy import check_drawing

FEW = dict(num_inference_steps=3, size=(64, 48))


@pytest.fixture(params=["plain", "led"])
def xl(request, tiny_xl, tiny_xl_led):
    """A tiny SDXL with and without a ControlNet."""
    return tiny_xl if request.param == "plain" else tiny_xl_led


def pixels_by_hand(pipe, sketch, settings) -> torch.Tensor:
    """The stock pipeline, called as a careful user would call it."""
    own, picture, more = pipe.scheduler, open_sketch(sketch, settings.size), {}
    if kind_of(pipe).hint:
        more = {
            "control_image": line_hint(picture),
            "controlnet_conditioning_scale": settings.control_scale,
            "control_guidance_start": settings.control_start,
            "control_guidance_end": settings.control_end,
        }
    try:
        pipe.scheduler = make_scheduler(settings.scheduler, own, settings.num_inference_steps)
        return pipe(
            prompt=settings.prompt,
            negative_prompt=settings.negative_prompt,
            image=prepare_sketch(picture, settings.prepare),
            strength=settings.strength,
            guidance_scale=settings.guidance_scale,
            num_inference_steps=settings.num_inference_steps,
            generator=torch.Generator("cpu").manual_seed(settings.seed),
            output_type="pt",
            **more,
        ).images
    finally:
        pipe.scheduler = own


def eight_bits(pixels: torch.Tensor) -> np.ndarray:
    return (pixels[0].permute(1, 2, 0) * 255).round().numpy().astype(np.uint8)


def same(a, b) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b))


# One picture


def test_what_they_are(tiny_xl, tiny_xl_led):
    assert kind_of(tiny_xl) is IMG2IMG_XL and kind_of(tiny_xl_led) is CONTROL_XL
    assert kinds.text_encoders(tiny_xl) == [tiny_xl.text_encoder, tiny_xl.text_encoder_2]
    assert tiny_xl.text_encoder_2 in kinds.networks(tiny_xl_led) and tiny_xl_led.controlnet in kinds.networks(
        tiny_xl_led
    )
    settings = Settings("a").resolved(tiny_xl_led)
    assert (settings.strength, settings.control_scale, settings.size) == (1, 1, (128, 128))
    assert Settings("a").resolved(tiny_xl).strength == 0.75


@pytest.mark.parametrize("scheduler", ["euler", "ddim", "dpm++", "lcm"])
@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_equals_the_pipeline_by_hand(xl, sketch, scheduler, guidance):
    given = dict(strength=0.8, guidance_scale=guidance, negative_prompt="blurry", scheduler=scheduler, seed=7, **FEW)
    if kind_of(xl).hint:
        given |= dict(control_scale=0.7, control_start=0.2, control_end=0.9)
    result = translate(sketch, "a turtle", pipe=xl, **given)
    assert same(result.image, eight_bits(pixels_by_hand(xl, sketch, Settings("a turtle", **given))))
    assert result.plan.batch == (2 if guidance > 1 else 1)


def test_the_size_and_both_prompts_matter(xl, sketch, monkeypatch):
    """What SDXL is told besides words reaches the network: the picture's size, and the second encoder's vector."""
    seen = []
    handle = xl.unet.register_forward_pre_hook(
        lambda module, args, named: seen.append(named["added_cond_kwargs"]), with_kwargs=True
    )
    try:
        cell = Settings("a turtle", "a stone", guidance_scale=3.0, **FEW).resolved(xl)
        list(run_batch(sketch, [cell], xl))
        ours, seen[:] = list(seen), []
        pixels_by_hand(xl, sketch, cell)
    finally:
        handle.remove()
    assert len(ours) == len(seen)
    for one, other in zip(ours, seen, strict=True):
        assert one["time_ids"].tolist() == other["time_ids"].tolist() == [[48, 64, 0, 0, 48, 64]] * 2
        assert torch.equal(one["text_embeds"], other["text_embeds"])


# Many pictures


def grid(pipe, scheduler, steps=5):
    table = itertools.product((0.35, 0.7, 1.0), (1.0, 4.0), (0, 1), ("a turtle", "a house, flat style"))
    cells = [
        dict(prompt=prompt, strength=strength, guidance_scale=scale, seed=seed)
        for strength, scale, seed, prompt in table
    ]
    if kind_of(pipe).hint:
        leads = itertools.cycle([(0.0, 0.0, 1.0), (0.5, 0.0, 1.0), (1.3, 0.3, 0.8), (1.0, 0.0, 0.6), (0.7, 0.2, 1.0)])
        for cell, (scale, start, end) in zip(cells, leads, strict=False):
            cell |= dict(control_scale=scale, control_start=start, control_end=end)
    common = dict(negative_prompt="blurry", scheduler=scheduler, num_inference_steps=steps, size=(64, 64))
    return [Settings(**common, **cell).resolved(pipe) for cell in cells]


def furthest(pipe, sketch, cells, every=5, **named) -> float:
    made = {i: pixels for i, pixels, _ in run_batch(sketch, cells, pipe, **named)}
    assert sorted(made) == list(range(len(cells)))
    looked_at = range(0, len(cells), every)
    return max((pixels_by_hand(pipe, sketch, cells[i]) - made[i]).abs().max().item() for i in looked_at)


DOUBLE = Version(transformers.__version__) >= Version("5")
"""Whether the text encoders run in double precision, where nothing is left of rounding: who differs computes otherwise."""


@pytest.fixture(scope="module")
def exact(tiny_pipe):
    plain = make_tiny_xl(tiny_pipe).to(torch.float64 if DOUBLE else torch.float32)
    return {"plain": plain, "led": led(plain)}


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_each_cell_equals_the_single_run(exact, sketch, scheduler):
    assert furthest(exact["plain"], sketch, grid(exact["plain"], scheduler)) <= (1e-10 if DOUBLE else 5e-5)
    # A ControlNet's scales are weighed in fp32: models.kinds.evaluate.
    assert furthest(exact["led"], sketch, grid(exact["led"], scheduler)) <= (1e-6 if DOUBLE else 5e-5)


def test_each_cell_equals_the_single_run_in_single_precision(xl, sketch):
    assert furthest(xl, sketch, grid(xl, "euler")) <= 1e-5


def test_cells_of_other_sizes_and_prepared_otherwise(xl, sketch):
    cells = [
        Settings("a", size=size, prepare=prepare, num_inference_steps=3, guidance_scale=scale).resolved(xl)
        for size in ((64, 64), (48, 64))
        for prepare in ("lines", "filled")
        for scale in (1.0, 5.0)
    ]
    assert furthest(xl, sketch, cells, every=1, max_batch=3) <= 1e-5


def test_what_is_common_is_computed_once(tiny_xl, sketch):
    counts = Counts()
    cells = [
        Settings("a turtle", strength=1.0, guidance_scale=scale, num_inference_steps=4, size=(64, 64)).resolved(tiny_xl)
        for scale in (0.5, 1.0, 3.0, 6.0)
    ]
    forget_texts(tiny_xl)
    list(run_batch(sketch, cells, tiny_xl, counts=counts))
    assert counts.evaluations == 4 + 1 + 3 * 2 * 2  # as in test_sweep
    assert (counts.encoded, counts.decoded, counts.prompts, counts.calls) == (1, 4, 2, 4)


def test_given_timesteps_run_alone_and_together(tiny_xl, tiny_xl_led, sketch):
    given = dict(scheduler="euler", timesteps=(951, 700, 500, 30, 3), strength=0.8, size=(48, 48))
    cell = Settings("a turtle", guidance_scale=4.0, **given).resolved(tiny_xl)
    alone = translate_with(cell, sketch, tiny_xl)
    [(_, pixels, _)] = run_batch(sketch, [cell], tiny_xl)
    assert alone.plan.timesteps == (700, 500, 30, 3)
    assert np.abs(np.asarray(alone.image, int) - eight_bits(pixels)).max() <= 1
    with pytest.raises(InputError, match="timesteps is given"):
        Settings("a", **given).resolved(tiny_xl_led)


def translate_with(settings, sketch, pipe):
    from s2i_teach.translation.run import run

    return run(sketch, settings, pipe)


def test_short_memory_makes_smaller_calls(xl, sketch, monkeypatch):
    cells = grid(xl, "ddim")[:8]
    network = xl.controlnet if kind_of(xl).hint else xl.unet
    forward = network.forward
    sizes = let_memory_be_short(network, monkeypatch)
    made = {i: pixels for i, pixels, _ in run_batch(sketch, cells, xl)}
    monkeypatch.setattr(network, "forward", forward)
    assert sizes and max(sizes) <= 3
    assert max((made[i] - pixels_by_hand(xl, sketch, cells[i])).abs().max() for i in (1, 4, 7)) <= 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("upcast", [True, False])
def test_half_precision_goes_the_pipeline_s_way(tiny_pipe, sketch, dtype, upcast):
    """SDXL's own VAE overflows in fp16 and says so: the pipeline encodes it in fp32, and decodes fp16 in fp32 too."""
    plain = make_tiny_xl(tiny_pipe, force_upcast=upcast)
    used: list[torch.dtype] = []
    for module in (plain.vae.encoder, plain.vae.decoder):
        module.register_forward_pre_hook(lambda module, args: used.append(args[0].dtype))
    for pipe in (plain.to(dtype), led(plain.to(dtype))):
        used.clear()
        cell = Settings("a turtle", "a stone", guidance_scale=4.0, **FEW).resolved(pipe)
        [(_, pixels, notes)] = run_batch(sketch, [cell], pipe)
        ours = list(used)
        used.clear()
        assert torch.equal(pixels, pixels_by_hand(pipe, sketch, cell)) and not notes
        assert ours == used and used[0] == (torch.float32 if upcast else dtype)
        assert pipe.vae.dtype == dtype


def test_a_watermark_is_the_pipeline_s(tiny_xl, sketch, monkeypatch):
    """diffusers puts one in where a package for it is installed; here in its place a thing that inverts."""

    class Inverts:
        def apply_watermark(self, images):
            return -images

    plain = Settings("a", **FEW).resolved(tiny_xl)
    [(_, without, _)] = run_batch(sketch, [plain], tiny_xl)
    monkeypatch.setattr(tiny_xl, "watermark", Inverts())
    [(_, pixels, _)] = run_batch(sketch, [plain], tiny_xl)
    assert (pixels - pixels_by_hand(tiny_xl, sketch, plain)).abs().max() <= 1e-5
    assert (pixels - (1 - without)).abs().max() <= 1e-5


def test_a_sweep(xl, sketch, tmp_path):
    named = dict(pipe=xl, to=tmp_path / "cells", quiet=True, guidance_scale=4.0, **FEW)
    made = s2i.sweep(sketch, prompts=["a turtle", "a house"], strength=[0.5, 1.0], **named)
    for result in made.results:
        single = translate_with(result.settings, sketch, xl)
        assert np.abs(np.asarray(single.image, int) - np.asarray(result.image, int)).max() <= 1
        assert single.settings == result.settings and (result.hint is None) == (kind_of(xl).hint is None)
        assert result.hint is None or same(result.hint, single.hint)
    again = s2i.sweep(sketch, prompts=["a turtle", "a house"], strength=[0.5, 1.0], **named)
    assert again.counts.calls == 0
    weight = xl.text_encoder_2.text_projection.weight  # other weights are other cells, the second encoder's too
    with torch.no_grad():
        weight.view(-1)[0] += 0.1
    try:
        other = s2i.sweep(sketch, prompts=["a turtle", "a house"], strength=[0.5, 1.0], **named)
    finally:
        with torch.no_grad():
            weight.view(-1)[0] -= 0.1
    assert other.counts.decoded == 4


# What looks into a run


def test_an_overflow_in_the_vae_is_decoded_again_in_fp32(xl, sketch, monkeypatch):
    plain = translate(sketch, "a turtle", pipe=xl, **FEW)
    decode, calls = xl.vae.decode, []

    def overflow_once(latents, *rest, **more):
        calls.append(1)
        decoded = decode(latents, *rest, **more)
        return (decoded[0] * float("nan"),) if len(calls) == 1 else decoded

    monkeypatch.setattr(xl.vae, "decode", overflow_once)
    result = translate(sketch, "a turtle", pipe=xl, **FEW)
    assert len(calls) == 2 and "fp32" in result.notes[0]
    assert np.abs(np.asarray(result.image, int) - np.asarray(plain.image)).max() <= 1


def test_a_long_prompt_is_told_once(xl, sketch):
    settings = Settings("turtle " * 90, "stone " * 90, num_inference_steps=1, size=(64, 64))
    notes = translate_with(settings, sketch, xl).notes
    assert [note for note in notes if "did not read" in note] == list(notes) and len(notes) == 2
    assert "of the prompt" in notes[0] and "of the negative prompt" in notes[1]


def test_the_second_tokenizer_is_asked_too(tiny_pipe, sketch):
    pipe = make_tiny_xl(tiny_pipe)
    pipe.tokenizer_2.model_max_length = 20
    notes = s2i.translation.run.prompt_notes(pipe, Settings("turtle " * 30))
    assert len(notes) == 1 and notes[0].startswith("The model reads 18 pieces of words; of the prompt")


def test_the_plan_measures_with_all_that_an_evaluation_takes(xl, monkeypatch):
    monkeypatch.setattr("s2i_teach.translation.timing._timings", {})
    assert Settings("a", **FEW).plan(xl).seconds > 0


def hooks(network) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in network.modules())


def test_the_anatomy(xl, sketch):
    before = hooks(xl.text_encoder_2)
    found = s2i.anatomy(xl, sketch, "a turtle", guidance_scale=4.0, **FEW)
    plain = translate(sketch, "a turtle", pipe=xl, guidance_scale=4.0, **FEW)
    assert same(found.result.image, plain.image)
    first, second = found.dissection.organ("text encoder")
    assert (first.name, second.name) == ("first", "second") and first.seconds > 0 and second.seconds > 0
    assert (first.shape_in, first.shape_out, second.shape_out) == ((1, 77), (1, 77, 32), (1, 77, 48))
    encoders = sum(p.numel() for encoder in kinds.text_encoders(xl) for p in encoder.parameters())
    assert found.dissection.parameters["text encoder"] == encoders == first.parameters + second.parameters
    assert {p.name for p in found.dissection.organ("U-Net") if p.words} == {
        "down 1",
        "down 2",
        "middle",
        "up 0",
        "up 1",
    }
    assert "| text encoder | second |" in found.table()
    check_drawing(found)
    assert hooks(xl.text_encoder_2) == before
    with torch.no_grad():
        again = xl.vae.decode(found.dissection.latents["final"][None] / xl.vae.config.scaling_factor).sample
    assert np.abs(eight_bits((again / 2 + 0.5).clamp(0, 1)).astype(int) - np.asarray(plain.image)).max() <= 1


def test_attention_maps(xl, sketch):
    from s2i_teach.models.attention_maps import recorded_attention, word_maps

    plain = translate(sketch, "a red apple", pipe=xl, guidance_scale=4.0, **FEW)
    with recorded_attention(xl.unet) as seen:
        recorded = translate(sketch, "a red apple", pipe=xl, guidance_scale=4.0, **FEW)
    assert np.abs(np.asarray(plain.image, int) - np.asarray(recorded.image, int)).max() <= 1
    maps = word_maps(seen, xl.tokenizer, "a turtle", aspect=64 / 48)
    assert list(maps) == ["a", "turtle"] and all(map_.shape == (3, 4) for map_ in maps.values())


def test_x0_and_previews(xl, sketch, monkeypatch):
    from s2i_teach.models import preview as module
    from s2i_teach.translation.run import run

    seen = []
    run(sketch, Settings("a", **FEW), xl, on_x0=lambda x0: seen.append(module.preview(xl, x0).size))
    assert seen and set(seen) == {(64, 48)}
    monkeypatch.setattr(module, "FAST", 0.0)
    monkeypatch.setattr(module, "_decoders", {})
    assert module.preview(xl, torch.zeros(1, 4, 6, 8)).size == (8, 6)


def test_a_vae_that_overflows_makes_previews_another_way(tiny_pipe):
    from s2i_teach.models.preview import linear_map, preview

    pipe = make_tiny_xl(tiny_pipe, force_upcast=True)
    exact = linear_map(pipe)
    pipe.vae.decode = lambda *a, **k: 1 / 0  # not asked in fp16
    pipe = pipe.to(torch.float16)
    assert (linear_map(pipe) - exact).abs().max() < 0.1 and pipe.vae.dtype == torch.float16
    assert preview(pipe, torch.zeros(1, 4, 6, 8, dtype=torch.float16)).size == (8, 6)


def test_the_costs_are_counted(tiny_xl):
    from s2i_teach.lessons.costs import latent_costs

    rows = {row.space: row for row in latent_costs(tiny_xl, sides=(64,), flops_up_to=0)}
    assert (rows["pixels"].numbers, rows["latents"].numbers) == (3 * 64 * 64, 4 * 8 * 8)
    assert rows["pixels"].evaluation.flops > rows["latents"].evaluation.flops > 0


def test_every_rung_makes_the_same_picture(tiny_pipe, sketch):
    from s2i_teach.models import fit

    pipe = led(make_tiny_xl(tiny_pipe))
    wanted = translate(sketch, "a turtle", pipe=pipe, seed=5, **FEW)
    fit.stand_on(pipe, 1, torch.device("cpu"))
    made = translate(sketch, "a turtle", pipe=pipe, seed=5, **FEW)
    assert np.abs(np.asarray(made.image, int) - np.asarray(wanted.image)).max() <= 1


def test_sdxl_s_refiner_is_refused(tiny_pipe, sketch):
    pipe = make_tiny_xl(tiny_pipe)
    pipe.register_to_config(requires_aesthetics_score=True)
    with pytest.raises(InputError, match="SDXL's refiner"):
        translate(sketch, "a", pipe=pipe)


# Loading


@pytest.fixture(scope="module")
def saved(tiny_xl_led, tmp_path_factory):
    """A folder with the tiny SDXL and its ControlNet."""
    folder = tmp_path_factory.mktemp("xl") / "saved"
    tiny_xl_led.save_pretrained(folder)
    return folder


def test_a_saved_one_loads_from_its_folder(saved, tiny_xl, tiny_xl_led, sketch, tmp_path):
    pipe = load_pipeline(saved, dtype="fp32", safety_checker=False)
    assert kind_of(pipe) is CONTROL_XL and pipe.watermark is None
    made, wanted = (translate(sketch, "a turtle", pipe=one, **FEW).image for one in (pipe, tiny_xl_led))
    assert np.abs(np.asarray(made, int) - np.asarray(wanted)).max() <= 1
    tiny_xl.save_pretrained(tmp_path / "plain")
    assert kind_of(load_pipeline(tmp_path / "plain", dtype="fp32")) is IMG2IMG_XL


def changed(file, **changes):
    def change(folder):
        table = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps({**table, **changes}))

    return change


def lose_a_weight(file):
    def lose(folder):
        from safetensors.torch import load_file, save_file

        state = load_file(folder / file)
        state.pop(next(name for name in state if name.endswith("weight")))
        save_file(state, folder / file, metadata={"format": "pt"})

    return lose


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: shutil.rmtree(folder / "text_encoder_2"), "has no text_encoder_2"),
        (lambda folder: shutil.rmtree(folder / "tokenizer_2"), "has no tokenizer_2"),
        (changed("unet/config.json", in_channels=9), "another kind"),
        (changed("unet/config.json", addition_embed_type="image"), "another kind"),
        (changed("vae/config.json", latents_mean=[0.0] * 4, latents_std=[1.0] * 4), "another kind"),
        (changed("controlnet/config.json", cross_attention_dim=32), "made for another U-Net"),
        (lose_a_weight("text_encoder_2/model.safetensors"), "lacks 1 of its weights"),
        (lose_a_weight("controlnet/diffusion_pytorch_model.safetensors"), "the ControlNet in"),
    ],
    ids=["encoder", "tokenizer", "inpainting", "told", "shifted", "controlnet", "gap", "controlnet's gap"],
)
def test_models_that_cannot_be_used(saved, tmp_path, spoil, words):
    folder = tmp_path / "spoilt"
    shutil.copytree(saved, folder)
    spoil(folder)
    with pytest.raises(InputError) as told:
        load_pipeline(folder, dtype="fp32")
    assert words in str(told.value) and "\n" not in str(told.value)


def test_a_vae_of_another_folder(saved, tiny_xl, sketch, tmp_path, monkeypatch):
    """It takes the pipeline's own place, whose weights need not be there; with a gap it is refused."""
    from dataclasses import replace

    from s2i_teach.models.catalog import MODELS
    from tests.test_hub import another_vae

    folder, vae = tmp_path / "model", tmp_path / "vae"
    shutil.copytree(saved, folder)
    (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    other = another_vae(tiny_xl.vae)
    other.save_pretrained(vae)
    entry = MODELS["sdxl-scribble"]
    parts = tuple(
        replace(part, ids=(str(vae if part.role == "vae" else folder / "controlnet"),)) for part in entry.parts
    )
    monkeypatch.setitem(MODELS, "sdxl-scribble", replace(entry, ids=(str(folder),), parts=parts))
    pipe = load_pipeline("sdxl-scribble", dtype="fp32")
    assert torch.equal(pipe.vae.decoder.conv_in.weight, other.decoder.conv_in.weight)
    assert not pipe.vae.config.force_upcast
    lose_a_weight("diffusion_pytorch_model.safetensors")(vae)
    with pytest.raises(InputError, match="the VAE in .* lacks 1 of its weights"):
        load_pipeline("sdxl-scribble", dtype="fp32")


# What is chosen for a machine


@pytest.fixture()
def few(tiny_xl, tmp_path, monkeypatch):
    """The entry of few steps, from folders, with a small VAE."""
    from dataclasses import replace

    from diffusers import AutoencoderTiny

    from s2i_teach.models.catalog import MODELS
    from tests.test_hub import another_vae, make_lora

    entry = MODELS["sdxl-lcm"]
    tiny_xl.save_pretrained(tmp_path / "model")
    another_vae(tiny_xl.vae).save_pretrained(tmp_path / "vae")
    make_lora(tiny_xl.unet, tmp_path / "lora", entry.parts[1].file)
    channels = {"encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4}
    torch.manual_seed(4)
    AutoencoderTiny(**channels).save_pretrained(tmp_path / "small")
    parts = tuple(replace(part, ids=(str(tmp_path / part.role),)) for part in entry.parts)
    small = replace(entry.small_vae, ids=(str(tmp_path / "small"),))
    made = replace(entry, ids=(str(tmp_path / "model"),), parts=parts, small_vae=small, size=(64, 64))
    monkeypatch.setitem(MODELS, "sdxl-lcm", made)
    return load_pipeline("sdxl-lcm", device="cpu", dtype="fp32")


def test_a_small_vae_in_its_place(few, sketch):
    assert type(few.vae).__name__ == "AutoencoderTiny" and few.s2i_fit.small_vae
    made = translate(sketch, "a turtle", pipe=few, guidance_scale=1.5)
    assert same(made.image, eight_bits(pixels_by_hand(few, sketch, made.settings))) and made.small_vae
    grid = s2i.sweep(sketch, "a turtle", pipe=few, guidance_scale=[1.0, 1.5], quiet=True)
    assert np.abs(np.asarray(grid.results[1].image, int) - np.asarray(made.image)).max() <= 1
    found = s2i.anatomy(few, sketch, "a turtle")
    assert [part.name for part in found.parts if part.organ.startswith("VAE")] == ["all", "all"]
    assert [part.name for part in found.dissection.organ("text encoder")] == ["first", "second"]


@pytest.mark.parametrize("name", ["sdxl-lcm", "sdxl-scribble"])
def test_untrained_ones_are_built_and_run(name, tiny_xl, tiny_xl_led, sketch, monkeypatch):
    """As the real ones are, but for their size, which no test can hold."""
    from s2i_teach.models.small_clip import new_tokenizer
    from s2i_teach.models.untrained import SHAPES, untrained_pipeline

    def shape(part, **changes):
        own = {name: value for name, value in part.config.items() if not name.startswith("_")}
        return {**own, **changes}

    words = {"vocab_size": len(new_tokenizer())}
    small = {"unet": shape(tiny_xl.unet), "vae": shape(tiny_xl.vae), "controlnet": shape(tiny_xl_led.controlnet)}
    for encoder in ("text_encoder", "text_encoder_2"):
        small[encoder] = {**getattr(tiny_xl, encoder).config.to_dict(), **words}
    monkeypatch.setitem(SHAPES, "sdxl", small)
    pipe = untrained_pipeline(name, device="cpu", dtype="fp32")
    assert kind_of(pipe) is (CONTROL_XL if name == "sdxl-scribble" else IMG2IMG_XL)
    assert translate(sketch, "a turtle", pipe=pipe, **FEW).image.size == FEW["size"]
