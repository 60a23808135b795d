"""A run taken apart is the run: its picture, its shapes, its memory; and the drawing shows all of it."""

import re

import pytest
import torch
from PIL import ImageChops

import s2i_teach as s2i
from s2i_teach.models.measure import count
from s2i_teach.models.untrained import SHAPES, untrained_pipeline
from s2i_teach.widgets.anatomy import _short, _time, latent_picture


@pytest.fixture(scope="module")
def taken_apart(mini):
    return s2i.anatomy(
        mini, "data/sketches/turtle.png", "a turtle, openmoji style", num_inference_steps=6, strength=0.7
    )


def part(anatomy, organ, name):
    return next(part for part in anatomy.parts if (part.organ, part.name) == (organ, name))


def test_the_picture_is_translate_s(mini, taken_apart):
    same = s2i.translate(
        "data/sketches/turtle.png", "a turtle, openmoji style", pipe=mini, num_inference_steps=6, strength=0.7
    )
    assert ImageChops.difference(taken_apart.result.image, same.image).getbbox() is None
    assert taken_apart.result.settings == same.settings


def test_what_ran_how_often_and_with_which_shapes(mini, taken_apart):
    assert {p.calls for p in taken_apart.dissection.organ("U-Net")} == {4} == {taken_apart.result.plan.evaluations}
    assert {p.calls for p in taken_apart.dissection.organ("VAE encoder")} == {1}
    assert part(taken_apart, "text encoder", "all").shape_out == (1, 77, 128)
    assert part(taken_apart, "VAE encoder", "in").shape_in == (1, 3, 128, 128)
    assert part(taken_apart, "VAE encoder", "out").shape_out == (1, 8, 16, 16)
    assert part(taken_apart, "U-Net", "in").shape_in == (2, 4, 16, 16)  # with and without the words
    assert part(taken_apart, "VAE decoder", "out").shape_out == (1, 3, 128, 128)
    unet = taken_apart.dissection.organ("U-Net")
    for one, next_one in zip(unet[1:5], unet[2:6], strict=True):
        assert one.shape_out == next_one.shape_in
    given = [skip for p in unet if p.name.startswith("down") for skip in p.skips]
    taken = [skip for p in unet if p.name.startswith("up") for skip in p.skips]
    assert len(taken) == 8 and set(given) <= set(taken)  # and one from before the first level
    asking = {p.name for p in unet if p.words}
    assert asking == {"down 1", "down 2", "middle", "up 1", "up 2"}
    assert taken_apart.dissection.parameters["U-Net"] == sum(p.numel() for p in mini.unet.parameters())
    assert not mini.unet._forward_hooks and not mini.unet.conv_in._forward_hooks


def test_the_memory_of_a_part_is_what_it_needs_alone(mini, taken_apart):
    x = torch.zeros(2, 96, 16, 16)
    alone = count(lambda: mini.unet.down_blocks[0](x, torch.zeros(2, 384)))
    assert part(taken_apart, "U-Net", "down 0").peak_bytes == pytest.approx(alone.peak_bytes, rel=0.02)
    x = torch.zeros(1, 96, 64, 64)
    alone = count(lambda: mini.vae.decoder.up_blocks[2](x))
    assert part(taken_apart, "VAE decoder", "up 2").peak_bytes == pytest.approx(alone.peak_bytes, rel=0.02)


def test_the_seconds_are_within_the_run_s(taken_apart):
    seconds = taken_apart.seconds()
    assert all(value > 0 for value in seconds.values())
    assert 0.5 * taken_apart.result.seconds < sum(seconds.values()) <= taken_apart.result.seconds


def test_the_latents_are_those_of_the_run(mini, taken_apart):
    found = taken_apart.dissection.latents
    assert {name: tuple(z.shape) for name, z in found.items()} == dict.fromkeys(
        ("encoded", "noisy", "final"), (4, 16, 16)
    )
    with torch.no_grad():
        again = mini.vae.decode(found["final"][None] / mini.vae.config.scaling_factor).sample
    picture = mini.image_processor.postprocess(again)[0]
    assert max(high for _, high in ImageChops.difference(picture, taken_apart.result.image).getextrema()) <= 1
    shown = latent_picture(found["final"])
    assert shown.shape == (3, 16, 16) and shown.abs().max() <= 1


def test_the_table_has_a_row_for_each_part(taken_apart):
    lines = taken_apart.table().splitlines()
    assert len(lines) == 2 + len(taken_apart.parts) == 2 + 1 + 7 + 11 + 7
    assert len({line.count("|") for line in lines}) == 1


def check_drawing(anatomy):
    """Every part is drawn with its numbers; no words leave the page or lie over one another. Returns the alt text."""
    figure, alt = anatomy.figure()
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    page = figure.bbox
    boxes = {}
    for text in figure.axes[0].texts:
        if text.get_text():
            box = text.get_window_extent(renderer)
            assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text
            boxes[text] = box
    texts = list(boxes)
    for i, one in enumerate(texts):
        for other in texts[i + 1 :]:
            assert not boxes[one].overlaps(boxes[other]), (one, other)
    words = "\n".join(text.get_text() for text in texts)
    for p in anatomy.parts:
        assert " × ".join(map(str, p.shape_out[1:])) in words
    import matplotlib.pyplot as plt

    plt.close(figure)
    return alt


def test_the_drawing(taken_apart):
    alt = check_drawing(taken_apart)
    assert "the U-Net runs 4 times" in alt and "8 skip connections" in alt
    html = taken_apart._repr_html_()
    assert re.search(r'<img [^>]*alt="The run of mini', html)


@pytest.mark.parametrize("prompt", ["", "$\\frac{1}{0}$ <b>a</b> $", "a very long prompt " * 30])
@pytest.mark.parametrize("guidance_scale", [1.0, 4.0])
def test_any_prompt_can_be_drawn(tiny_pipe, sketch, prompt, guidance_scale):
    found = s2i.anatomy(tiny_pipe, sketch, prompt, num_inference_steps=1, guidance_scale=guidance_scale)
    check_drawing(found)
    assert "<b>" not in found._repr_html_()
    assert found.parts[-1].calls == 1 and found.seconds()["between"] == 0


def test_bad_settings_are_translate_s_errors(tiny_pipe, sketch):
    with pytest.raises(s2i.InputError, match="strength"):
        s2i.anatomy(tiny_pipe, sketch, "a", strength=7)
    assert not tiny_pipe.unet._forward_hooks


def test_hooks_are_taken_away_when_a_run_fails(tiny_pipe, sketch, monkeypatch):
    monkeypatch.setattr(tiny_pipe.vae, "decode", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        s2i.anatomy(tiny_pipe, sketch, "a", num_inference_steps=2)
    assert not tiny_pipe.unet._forward_hooks and not tiny_pipe.unet.conv_in._forward_pre_hooks


def test_short_numbers():
    assert [_short(n).strip() for n in (887, 27872, 2267712, 13.66e6, 859.5e6, 1.2e9)] == [
        "887", "28 k", "2.3 M", "13.7 M", "860 M", "1.2 G",
    ]  # fmt: skip
    assert [_time(s) for s in (0.00131, 0.045, 6.441)] == ["1.3 ms", "45 ms", "6.4 s"]


def test_the_shapes_of_stable_diffusion_have_its_sizes():
    from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    with torch.device("meta"):
        parts = (
            UNet2DConditionModel(**SHAPES["sd1"]["unet"]),
            AutoencoderKL(**SHAPES["sd1"]["vae"]),
            CLIPTextModel(CLIPTextConfig(**SHAPES["sd1"]["text_encoder"])),
            ControlNetModel(**SHAPES["sd1"]["controlnet"]),
            UNet2DConditionModel(**SHAPES["sd2"]["unet"]),
            CLIPTextModel(CLIPTextConfig(**SHAPES["sd2"]["text_encoder"])),
            UNet2DConditionModel(**SHAPES["sdxl"]["unet"]),
            ControlNetModel(**SHAPES["sdxl"]["controlnet"]),
            CLIPTextModelWithProjection(CLIPTextConfig(**SHAPES["sdxl"]["text_encoder_2"])),
        )
    wanted = [859_520_964, 83_653_863, 123_060_480, 361_279_120, 865_910_724, 340_387_840]
    wanted += [2_567_463_684, 1_251_014_160, 694_659_840]
    assert [sum(p.numel() for p in part.parameters()) for part in parts] == wanted


def test_only_models_whose_shapes_are_known():
    with pytest.raises(s2i.InputError, match="sd15"):
        untrained_pipeline("sdxl")


def test_the_anatomy_of_stable_diffusion(sketch):
    """Its blocks and levels, with narrower U-Net layers, so that it takes seconds."""
    state = torch.get_rng_state()
    pipe = untrained_pipeline("sd15", device="cpu", dtype="fp32", block_out_channels=(32, 64, 96, 96))
    assert torch.equal(torch.get_rng_state(), state) and torch.get_default_dtype() == torch.float32
    found = s2i.anatomy(pipe, sketch, "a turtle in the grass", num_inference_steps=3, size=(64, 64))
    assert "12 skip connections" in check_drawing(found)
    asking = {p.name for p in found.dissection.organ("U-Net") if p.words}
    assert asking == {"down 0", "down 1", "down 2", "middle", "up 1", "up 2", "up 3"}
