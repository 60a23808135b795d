"""A small VAE in the place of a model's own: everything works with it, it is chosen where it pays, and a picture says so."""

import contextlib
import io
from dataclasses import replace

import pytest
import torch

from s2i_teach import InputError, anatomy, load_pipeline, sweep, translate
from s2i_teach.models import fit
from s2i_teach.models.catalog import MODELS, Part
from s2i_teach.models.preview import preview
from s2i_teach.translation.result import read_record
from s2i_teach.translation.run import run
from tests.test_fit import apart

FEW = dict(num_inference_steps=3, strength=1.0, size=(64, 64), guidance_scale=3.0)


@pytest.fixture(scope="module")
def folders(tiny_pipe, tmp_path_factory):
    """A model, and a small VAE whose decoder gives colours."""
    from diffusers import AutoencoderTiny

    folder = tmp_path_factory.mktemp("small")
    tiny_pipe.save_pretrained(folder / "model")
    torch.manual_seed(3)
    small = AutoencoderTiny(
        encoder_block_out_channels=(8,) * 4,
        decoder_block_out_channels=(8,) * 4,
        num_encoder_blocks=(1,) * 4,
        num_decoder_blocks=(1,) * 4,
    )
    small.save_pretrained(folder / "small")
    return folder


@pytest.fixture()
def entry(folders, monkeypatch):
    """A catalog entry of few steps that has both."""
    part = Part("small_vae", ids=(str(folders / "small"),), licence="MIT")
    made = replace(MODELS["sd-turbo"], ids=(str(folders / "model"),), small_vae=part, steps=4, size=(64, 64))
    monkeypatch.setitem(MODELS, "sd-turbo", made)
    return made


def loaded(**options):
    """The pipeline, and the lines that were said."""
    heard = io.StringIO()
    with contextlib.redirect_stderr(heard):
        pipe = load_pipeline("sd-turbo", device="cpu", dtype="fp32", **options)
    return pipe, heard.getvalue().splitlines()


def test_it_is_chosen_for_few_steps_on_a_cpu_and_said_in_one_line(entry, monkeypatch):
    monkeypatch.setattr("s2i_teach.models.load.free_memory", lambda device: 100.0)
    pipe, [line] = loaded()
    assert type(pipe.vae).__name__ == "AutoencoderTiny" and pipe.s2i_fit.small_vae
    assert (
        line
        == str(pipe.s2i_fit)
        == (
            "On the CPU: fp32, as asked; all of it in memory at once; a small VAE, which is many times quicker and loses fine "
            "detail (small_vae=False: its own)."
        )
    )
    own, [line] = loaded(small_vae=False)
    assert type(own.vae).__name__ == "AutoencoderKL" and not own.s2i_fit.small_vae
    assert line == "On the CPU: fp32, as asked; all of it in memory at once."
    monkeypatch.setitem(MODELS, "sd-turbo", replace(entry, steps=50))
    assert type(loaded()[0].vae).__name__ == "AutoencoderKL", "many steps take the time, not the VAE"


@pytest.mark.parametrize(
    "asked, evaluations, device, wanted",
    [("auto", 1, "cpu", True), ("auto", 74, "cpu", False), ("auto", 1, "cuda", False), (True, 74, "cuda", True)],
)
def test_where_it_pays(asked, evaluations, device, wanted):
    assert fit.wants_small_vae(asked, evaluations, torch.device(device)) is wanted


def test_pictures_equal_diffusers_own_and_a_grid_equals_single_runs(entry, sketch):
    from s2i_teach.images import open_sketch

    pipe, _ = loaded()
    made = translate(sketch, "a turtle", pipe=pipe, seed=5, **FEW)
    plain = pipe(
        prompt="a turtle",
        negative_prompt="",
        image=open_sketch(sketch, (64, 64)),
        strength=1.0,
        num_inference_steps=3,
        guidance_scale=3.0,
        generator=torch.Generator().manual_seed(5),
    )
    assert made.image.tobytes() == plain.images[0].tobytes()
    assert (
        made.image.tobytes()
        != translate(sketch, "a turtle", pipe=loaded(small_vae=False)[0], seed=5, **FEW).image.tobytes()
    )
    grid = sweep(sketch, "a turtle", pipe=pipe, seed=[5, 6], quiet=True, **FEW)
    assert apart(grid.results[0].image, made.image) <= 1 and grid.results[1].small_vae


def test_the_picture_s_record_tells_it(entry, sketch, tmp_path, monkeypatch):
    pipe, _ = loaded()
    made = translate(sketch, "a turtle", pipe=pipe, **FEW)
    assert read_record(made.save(tmp_path / "one.png")).small_vae
    other = translate(sketch, "a turtle", pipe=loaded(small_vae=False)[0], **FEW)
    assert "small_vae" not in other.record() and not read_record(other.save(tmp_path / "two.png")).small_vae
    from s2i_teach.cli import main

    asked = []
    monkeypatch.setattr("s2i_teach.models.load.load_pipeline", lambda model, **more: asked.append(more) or pipe)
    assert main(["translate", "--like", str(tmp_path / "one.png"), "--out", str(tmp_path / "again.png")]) == 0
    assert main(["translate", "--like", str(tmp_path / "two.png"), "--out", str(tmp_path / "again.png")]) == 0
    assert [more["small_vae"] for more in asked] == [True, False]


def test_anatomy_previews_plan_and_overflow(entry, sketch, monkeypatch):
    pipe, _ = loaded()
    found = anatomy(pipe, sketch, "a turtle", **FEW).dissection
    assert [part.name for part in found.parts if part.organ.startswith("VAE")] == ["all", "all"]
    assert found.latents["encoded"].shape == found.latents["final"].shape == (4, 8, 8)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    own, _ = loaded(small_vae=False)
    assert preview(pipe, latents).tobytes() == preview(own, latents).tobytes(), (
        "previews are the small one's either way"
    )
    from s2i_teach import Settings

    assert Settings("a turtle", **FEW).plan(pipe).seconds > 0
    decode = pipe.vae.decode
    overflowing = iter([True])
    monkeypatch.setattr(
        pipe.vae, "decode", lambda z, **more: decode(z * float("nan") if next(overflowing, False) else z, **more)
    )
    made = run(sketch, Settings("a turtle", **FEW), pipe)
    assert "Half precision overflowed in the VAE: the picture was decoded in fp32." in made.notes


def test_one_that_cannot_be_had_gives_way_to_the_model_s_own(entry, monkeypatch, tmp_path):
    gone = replace(entry.small_vae, ids=(str(tmp_path / "nowhere"),))
    monkeypatch.setitem(MODELS, "sd-turbo", replace(entry, small_vae=gone))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pipe, lines = loaded()
    assert type(pipe.vae).__name__ == "AutoencoderKL"
    assert "its own VAE, as the small one could not be had (" in lines[-1] and len(lines) == 1
    with pytest.raises(InputError, match="could not be loaded"):
        loaded(small_vae=True)


def test_what_cannot_be_asked_for():
    with pytest.raises(InputError, match='small_vae=2 is not known: use "auto", True or False'):
        load_pipeline("sd-turbo", small_vae=2)
    with pytest.raises(InputError, match="For mini no small VAE is known: leave small_vae out"):
        load_pipeline("mini", small_vae=True)
    with pytest.raises(InputError, match="offload='disk' is not known: use auto, none, parts, layers"):
        load_pipeline("mini", offload="disk")
    with pytest.raises(InputError, match='offload="parts" needs a GPU, and this runs on cpu: leave it out'):
        load_pipeline("mini", offload="parts", device="cpu")
