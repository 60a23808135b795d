"""A part of a picture is drawn anew: equal to diffusers' own pipeline, and honest about what stayed."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import s2i_teach as s2i
from s2i_teach import cli
from s2i_teach.errors import InputError
from s2i_teach.translation.repaint import open_mask

FEW = {"num_inference_steps": 4, "size": (64, 64), "seed": 3}


@pytest.fixture(scope="module")
def picture():
    page = Image.new("RGB", (64, 64), (250, 240, 200))
    ImageDraw.Draw(page).ellipse([8, 20, 50, 60], fill=(40, 90, 200))
    return page


def mask_of(box, size=(64, 64)):
    page = Image.new("L", size)
    ImageDraw.Draw(page).rectangle(box, fill=255)
    return page


def pixels(image):
    return np.asarray(image).astype(int)


@pytest.mark.parametrize("scheduler", [None, "euler", "dpm++"])
@pytest.mark.parametrize("guidance_scale", [1.0, 4.0])
def test_equals_diffusers_inpainting_pipeline(tiny_pipe, picture, scheduler, guidance_scale):
    from diffusers import StableDiffusionInpaintPipeline

    from s2i_teach.models.devices import fitting_threads
    from s2i_teach.models.schedulers import make_scheduler

    mask = mask_of([16, 24, 47, 55])  # whole blocks of 8
    ours = s2i.repaint(
        picture, mask, "a cat", pipe=tiny_pipe, strength=0.8, guidance_scale=guidance_scale, scheduler=scheduler,
        paste=False, **FEW,
    )  # fmt: skip
    theirs = StableDiffusionInpaintPipeline(
        **{**tiny_pipe.components, "scheduler": make_scheduler(scheduler, tiny_pipe.scheduler, 4)},
        requires_safety_checker=False,
    )
    theirs.set_progress_bar_config(disable=True)
    with fitting_threads(tiny_pipe):
        image = theirs(
            "a cat", image=picture, mask_image=mask, strength=0.8, guidance_scale=guidance_scale, num_inference_steps=4,
            height=64, width=64, generator=torch.Generator().manual_seed(3),
        ).images[0]  # fmt: skip
    assert abs(pixels(ours.image) - pixels(image)).max() <= 1  # rounding
    plain = s2i.translate(
        picture, "a cat", pipe=tiny_pipe, strength=0.8, guidance_scale=guidance_scale, scheduler=scheduler,
        prepare="picture", **FEW,
    )  # fmt: skip
    assert abs(pixels(plain.image) - pixels(image)).max() > 50


def test_outside_the_touched_blocks_every_pixel_stays(tiny_pipe, picture):
    made = s2i.repaint(picture, mask_of([20, 30, 21, 31]), "a cat", pipe=tiny_pipe, **FEW)
    changed = abs(pixels(made.image) - pixels(picture)).max(axis=2) > 0
    block = np.zeros((64, 64), bool)
    block[24:32, 16:24] = True  # the one block that the mask touches
    assert changed.any() and not (changed & ~block).any()
    whole = s2i.repaint(picture, mask_of([20, 30, 21, 31]), "a cat", pipe=tiny_pipe, paste=False, **FEW)
    assert abs(pixels(whole.image) - pixels(picture)).max(axis=2)[~block].any()
    assert (pixels(whole.image)[block] == pixels(made.image)[block]).all()


def test_a_full_mask_is_the_whole_picture_drawn(tiny_pipe, picture):
    made = s2i.repaint(picture, Image.new("L", (64, 64), 255), "a cat", pipe=tiny_pipe, strength=0.6, **FEW)
    plain = s2i.translate(picture, "a cat", pipe=tiny_pipe, strength=0.6, prepare="picture", **FEW)
    assert abs(pixels(made.image) - pixels(plain.image)).max() <= 1  # rounding
    assert made.plan.timesteps == plain.plan.timesteps and made.plan.evaluations == 2


def test_plan_and_steps_are_what_runs(tiny_pipe, picture):
    seen = []
    made = s2i.repaint(
        picture, mask_of([0, 0, 20, 20]), "a cat", pipe=tiny_pipe, on_step=lambda *step: seen.append(step), **FEW
    )
    assert seen == [(n, made.plan.evaluations) for n in range(1, made.plan.evaluations + 1)]
    assert made.settings.strength == 1.0 and made.settings.prepare == "picture"


@pytest.mark.parametrize("paste", [True, False])
def test_the_record_makes_it_again(tiny_pipe, picture, tmp_path, monkeypatch, paste):
    monkeypatch.chdir(tmp_path)
    tiny_pipe.save_pretrained("tiny")
    pipe = s2i.load_pipeline("tiny")
    made = s2i.repaint(picture, mask_of([10, 10, 30, 50]), "a cat", pipe=pipe, paste=paste, **FEW)
    made.save("part.png")
    record = s2i.read_record("part.png")
    assert abs(pixels(record.mask) - pixels(made.mask)).max() == 0 and record.pasted is paste
    assert cli.main(["translate", "--like", "part.png", "--out", "again.png"]) == 0
    assert abs(pixels(Image.open("again.png")) - pixels(made.image)).max() <= 1  # rounding
    plain = s2i.translate(picture, "a cat", pipe=pipe, **FEW)
    plain.save("plain.png")
    assert s2i.read_record("plain.png").mask is None and "mask_png" not in plain.record()


def test_a_mask_is_brought_to_the_pictures_size():
    area = open_mask(mask_of([0, 0, 127, 255], (256, 256)), (64, 64))
    assert area.mode == "L" and area.size == (64, 64)
    assert (pixels(area)[:, :31] == 255).all() and (pixels(area)[:, 33:] == 0).all()
    wide = open_mask(Image.new("RGB", (128, 64), "white"), (64, 64))
    assert (pixels(wide)[:15] == 0).all() and (pixels(wide)[17:47] == 255).all()  # the margins stay
    assert set(np.unique(pixels(area))) == {0, 255}


def test_a_mask_is_read_from_arrays_tensors_and_transparent_pictures(tmp_path):
    white = mask_of([16, 24, 47, 55])
    wanted = pixels(open_mask(white, (64, 64)))
    ones = (np.asarray(white) > 0).astype(int)
    transparent = Image.new("RGBA", white.size, (255, 255, 255, 0))
    transparent.paste((255, 255, 255, 255), None, white)
    transparent.save(tmp_path / "mask.png")
    tensor = torch.from_numpy(ones).float()
    for mask in (
        ones, ones.astype(np.uint8), ones > 0, ones.astype(float), ones[None], ones[..., None],
        tensor, tensor[None], tensor[None, None], tensor.bool(), tensor.long(), tensor.bfloat16(),
        transparent, tmp_path / "mask.png", str(tmp_path / "mask.png"),
    ):  # fmt: skip
        assert (pixels(open_mask(mask, (64, 64))) == wanted).all()
    for mask in (tensor[None].repeat(2, 1, 1)[None], 3, "nowhere.png", np.zeros((0, 0)), tensor * 255):
        with pytest.raises(InputError):
            open_mask(mask, (64, 64))


@pytest.mark.parametrize(
    "mask", [None, Image.new("L", (64, 64)), Image.new("L", (64, 64), 100), np.zeros((64, 64), int)]
)
def test_an_empty_mask_is_said(tiny_pipe, picture, mask):
    with pytest.raises(InputError, match="The mask is empty"):
        s2i.repaint(picture, mask, "a cat", pipe=tiny_pipe, **FEW)


def test_a_model_that_cannot_is_named(picture):
    for name in ("mini-scribble", "pix2pix"):
        with pytest.raises(InputError, match=f"{name} cannot repaint a part"):
            s2i.repaint(picture, mask_of([0, 0, 20, 20]), "a cat", pipe=name)


def test_paste_is_checked(tiny_pipe, picture):
    with pytest.raises(InputError, match="paste must be True or False, not 5"):
        s2i.repaint(picture, mask_of([0, 0, 20, 20]), "a cat", pipe=tiny_pipe, paste=5)
