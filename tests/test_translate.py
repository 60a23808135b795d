"""``translate`` equals the pipeline called by hand; results repeat to the byte; failures are said in one sentence."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image

from s2i_teach import InputError, Settings, open_sketch, read_record, translate
from s2i_teach.lines import outline_mask
from s2i_teach.translation.prepare import fill_regions
from s2i_teach.translation.run import run


def by_hand(pipe, picture, scheduler=None, **settings):
    from s2i_teach.models.schedulers import make_scheduler

    pipe = copy.copy(pipe)
    if scheduler:
        pipe.scheduler = make_scheduler(scheduler, pipe.scheduler, 1)
    generator = torch.Generator("cpu").manual_seed(settings.pop("seed"))
    return pipe(image=picture, generator=generator, **settings).images[0]


@pytest.mark.parametrize("scheduler", [None, "ddim", "dpm++", "euler", "lcm", "pndm", "unipc", "ddpm"])
@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_equals_the_pipeline_by_hand(tiny_pipe, sketch, scheduler, guidance):
    common = dict(strength=0.6, guidance_scale=guidance, num_inference_steps=10, negative_prompt="blurry")
    picture = open_sketch(sketch, (64, 48))
    expected = by_hand(tiny_pipe, picture, scheduler, prompt="a turtle", seed=7, **common)
    result = translate(sketch, "a turtle", pipe=tiny_pipe, seed=7, size=(64, 48), scheduler=scheduler, **common)
    assert np.array_equal(np.asarray(result.image), np.asarray(expected))


def test_equals_the_miniature_by_hand(mini):
    from s2i_teach import sketches

    drawing = sketches()[0]
    common = dict(strength=0.7, guidance_scale=4.0, num_inference_steps=6)
    expected = by_hand(mini, open_sketch(drawing.path, (128, 128)), prompt=drawing.prompt, seed=3, **common)
    result = translate(drawing.path, drawing.prompt, pipe=mini, seed=3, **common)
    assert np.array_equal(np.asarray(result.image), np.asarray(expected))


def test_leaves_the_pipeline_as_it_was(tiny_pipe, sketch):
    before = tiny_pipe.scheduler
    first = translate(sketch, "a turtle", pipe=tiny_pipe, scheduler="euler", num_inference_steps=5)
    assert tiny_pipe.scheduler is before
    translate(sketch, "another", pipe=tiny_pipe, scheduler="pndm", seed=5, num_inference_steps=9)
    again = translate(sketch, "a turtle", pipe=tiny_pipe, scheduler="euler", num_inference_steps=5)
    assert np.array_equal(np.asarray(first.image), np.asarray(again.image))


def test_the_pipeline_survives_an_error(tiny_pipe, sketch):
    before = tiny_pipe.scheduler

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        translate(sketch, "a turtle", pipe=tiny_pipe, num_inference_steps=5, scheduler="lcm", on_step=stop)
    assert tiny_pipe.scheduler is before


def test_on_step_counts_to_the_plan(tiny_pipe, sketch):
    seen = []
    result = translate(
        sketch,
        "a turtle",
        pipe=tiny_pipe,
        num_inference_steps=10,
        strength=0.5,
        on_step=lambda *step: seen.append(step),
    )
    assert seen == [(i + 1, 5) for i in range(5)] and result.plan.evaluations == 5


def test_everything_is_in_the_picture(tiny_pipe, sketch, tmp_path):
    result = translate(
        sketch,
        "ein Haus ⌂",
        pipe=tiny_pipe,
        strength=0.4,
        guidance_scale=2.5,
        num_inference_steps=8,
        seed=2**60,
        negative_prompt="<b>",
        size=(64, 32),
        prepare="filled",
        fit="crop",
        scheduler="dpm++",
    )
    path = result.save(tmp_path / "deep" / "picture.png")
    record = read_record(path)
    assert record.settings == result.settings
    assert np.array_equal(np.asarray(record.sketch), np.asarray(result.sketch))
    again = run(record.sketch, record.settings, tiny_pipe).save(tmp_path / "again.png")
    assert again.read_bytes() == path.read_bytes()
    assert not list(tmp_path.rglob("*.partial"))


def test_an_inverted_sketch_repeats_too(tiny_pipe, sketch, tmp_path):
    dark = Image.eval(sketch, lambda value: 255 - value)
    path = translate(dark, "a turtle", pipe=tiny_pipe, num_inference_steps=4, invert=True).save(tmp_path / "a.png")
    record = read_record(path)
    assert run(record.sketch, record.settings, tiny_pipe).save(tmp_path / "b.png").read_bytes() == path.read_bytes()


def test_records_that_cannot_be_read(tiny_pipe, sketch, tmp_path):
    plain = tmp_path / "plain.png"
    sketch.save(plain)
    with pytest.raises(InputError, match="holds no settings"):
        read_record(plain)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match="not a picture"):
        read_record(tmp_path / "text.png")
    good = translate(sketch, "a turtle", pipe=tiny_pipe, num_inference_steps=4)
    from PIL import PngImagePlugin

    for text in ("{", "[]", '{"settings": {}}', '{"settings": {"prompt": "a"}, "sketch_png": "%%%"}'):
        info = PngImagePlugin.PngInfo()
        info.add_itxt("s2i_teach", text)
        good.image.save(tmp_path / "bad.png", pnginfo=info)
        with pytest.raises(InputError) as caught:
            read_record(tmp_path / "bad.png")
        assert "\n" not in str(caught.value)


def test_saving_where_it_cannot_be_saved(tiny_pipe, sketch, tmp_path):
    result = translate(sketch, "a turtle", pipe=tiny_pipe, num_inference_steps=4)
    (tmp_path / "file").write_text("in the way")
    for path, message in (("a.jpg", "end in .png"), ("", "end in .png"), ("file/a.png", "cannot be written")):
        with pytest.raises(InputError, match=message):
            result.save(tmp_path / path)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        result.save(tmp_path / "folder.png")


def test_non_finite_latents_say_what_to_do(tiny_pipe, sketch):
    handle = tiny_pipe.unet.register_forward_hook(
        lambda module, args, output: (output[0] * float("nan"),) if isinstance(output, tuple) else None
    )
    try:
        with pytest.raises(InputError, match="fp32"):
            translate(sketch, "a turtle", pipe=tiny_pipe, num_inference_steps=3)
    finally:
        handle.remove()


def test_an_overflow_in_the_vae_is_decoded_again_in_fp32(tiny_pipe, sketch):
    pipe = copy.copy(tiny_pipe)
    pipe.vae = copy.deepcopy(tiny_pipe.vae)
    plain = translate(sketch, "a turtle", pipe=pipe, num_inference_steps=3)
    decode, calls = pipe.vae.decode, []

    def overflow_once(latents, *rest, **more):
        calls.append(latents.dtype)
        decoded = decode(latents, *rest, **more)
        if len(calls) == 1:
            return (decoded[0] * float("nan"),)
        return decoded

    pipe.vae.decode = overflow_once
    result = translate(sketch, "a turtle", pipe=pipe, num_inference_steps=3)
    assert len(calls) == 2 and "fp32" in result.notes[0]
    assert np.abs(np.asarray(result.image).astype(int) - np.asarray(plain.image)).max() <= 1


def test_settings_defaults_come_from_the_model(tiny_pipe, mini):
    assert Settings("a").resolved(mini).num_inference_steps == 20
    assert Settings("a").resolved(mini).size == (128, 128)
    assert Settings("a").resolved(tiny_pipe).size == (128, 128)  # sample_size 16 times the VAE's factor


def test_a_chosen_scheduler_is_in_the_record(tmp_path, sketch, tiny_pipe):
    """A pipeline that was given another scheduler: its pictures repeat from their record alone."""
    from s2i_teach.models.schedulers import make_scheduler

    pipe = copy.copy(tiny_pipe)
    pipe.scheduler = make_scheduler("euler", tiny_pipe.scheduler, 1)
    path = translate(sketch, "a turtle", pipe=pipe, num_inference_steps=5).save(tmp_path / "a.png")
    record = read_record(path)
    assert record.settings.scheduler == "euler"
    assert run(record.sketch, record.settings, tiny_pipe).save(tmp_path / "b.png").read_bytes() == path.read_bytes()


def test_sketches_results_and_names_of_models_can_be_given(mini, tiny_pipe, sketch):
    from s2i_teach import sketches

    assert open_sketch(sketches()[0]).size == (512, 512)
    result = translate(sketch, "a turtle", pipe=tiny_pipe, num_inference_steps=2)
    assert open_sketch(result).tobytes() == result.image.tobytes()
    assert translate(sketch, "a turtle", pipe="mini", num_inference_steps=2).model == "mini"
    with pytest.raises(InputError, match="is not known"):
        translate(sketch, "a turtle", pipe="maxi")


def test_out_of_memory_says_what_to_do(tiny_pipe, sketch, monkeypatch):
    monkeypatch.setattr("s2i_teach.models.fit.LADDER", ())  # the pipeline of all tests stays as it is
    for words in ("CUDA out of memory. Tried to allocate", "[enforce fail] DefaultCPUAllocator: can't allocate memory"):

        def fail(*rest, words=words, **more):
            raise RuntimeError(words)

        monkeypatch.setattr(tiny_pipe.vae, "encode", fail)
        with pytest.raises(InputError, match="use a smaller size, or restart the notebook"):
            translate(sketch, "a turtle", pipe=tiny_pipe, num_inference_steps=2)


def test_filling():
    from PIL import ImageDraw

    page = Image.new("RGB", (128, 128), "white")
    pen = ImageDraw.Draw(page)
    pen.ellipse([20, 20, 100, 100], outline="black", width=3)
    pen.ellipse([50, 50, 70, 70], outline="black", width=3)
    pen.rectangle([58, 17, 60, 24], fill="white")  # a gap such as a hand leaves
    mask = outline_mask(page)
    assert mask[60, 60] and mask[30, 60] and not mask[5, 5] and not mask[110, 110]
    assert abs(mask.sum() / (np.pi * 40.5**2) - 1) < 0.05
    filled = np.asarray(fill_regions(page))
    assert tuple(filled[40, 40]) == (176, 176, 176) and tuple(filled[5, 5]) == (255, 255, 255)
    open_shape = Image.new("RGB", (128, 128), "white")
    ImageDraw.Draw(open_shape).arc([20, 20, 100, 100], 0, 180, fill="black", width=3)
    assert np.array_equal(np.asarray(fill_regions(open_shape)), np.asarray(open_shape))
    blank = Image.new("RGB", (64, 64), "white")
    assert np.array_equal(np.asarray(fill_regions(blank)), np.asarray(blank))


def test_filling_keeps_colours():
    from PIL import ImageDraw

    page = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(page).rectangle([16, 16, 48, 48], fill="red", outline="black", width=3)
    assert np.array_equal(np.asarray(fill_regions(page))[32, 32], (255, 0, 0))
