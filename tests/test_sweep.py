"""A sweep's cells equal single runs, share what they have in common, and are kept on disk."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

import s2i_teach as s2i
from s2i_teach.errors import InputError
from s2i_teach.images import open_sketch
from s2i_teach.models.kept import forget_texts
from s2i_teach.models.schedulers import SCHEDULERS, make_scheduler
from s2i_teach.translation import batch
from s2i_teach.translation.batch import Counts, run_batch
from s2i_teach.translation.page import Pages
from s2i_teach.translation.prepare import prepare_sketch
from s2i_teach.translation.run import run
from s2i_teach.translation.settings import Settings
from s2i_teach.translation.wording import value_words
from tests.conftest import let_memory_be_short


def pixels_by_hand(pipe, sketch, settings) -> torch.Tensor:
    """The stock pipeline, called as a careful user would call it."""
    own = pipe.scheduler
    try:
        pipe.scheduler = make_scheduler(settings.scheduler, own, settings.num_inference_steps)
        return pipe(
            prompt=settings.prompt,
            negative_prompt=settings.negative_prompt,
            image=prepare_sketch(open_sketch(sketch, settings.size), settings.prepare),
            strength=settings.strength,
            guidance_scale=settings.guidance_scale,
            num_inference_steps=settings.num_inference_steps,
            generator=torch.Generator("cpu").manual_seed(settings.seed),
            output_type="pt",
        ).images
    finally:
        pipe.scheduler = own


def grid(pipe, scheduler, guidance=(1.0, 3.0, 5.0), steps=6):
    table = itertools.product((0.35, 0.7, 1.0), guidance, (0, 1), ("a turtle", "a house, flat style"))
    return [
        Settings(
            prompt,
            "blurry",
            strength=strength,
            guidance_scale=scale,
            seed=seed,
            scheduler=scheduler,
            num_inference_steps=steps,
        ).resolved(pipe)
        for strength, scale, seed, prompt in table
    ]


def furthest(pipe, sketch, cells, **named) -> float:
    made = {i: pixels for i, pixels, _ in run_batch(sketch, cells, pipe, **named)}
    assert sorted(made) == list(range(len(cells)))
    return max((pixels_by_hand(pipe, sketch, cells[i]) - made[i]).abs().max().item() for i in range(0, len(cells), 5))


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_each_cell_equals_the_single_run(tiny_pipe, sketch, scheduler):
    assert furthest(tiny_pipe, sketch, grid(tiny_pipe, scheduler)) <= 1e-5


@pytest.mark.parametrize("scheduler", ["ddim", "dpm++", "euler", "lcm", "pndm"])
def test_each_cell_equals_the_single_run_of_the_miniature(mini, scheduler):
    # The last bits of fp32 depend on how many samples go together; guidance and the decoder multiply them.
    assert furthest(mini, s2i.sketches()[0], grid(mini, scheduler, steps=5)) <= 5e-5


def test_mixed_cells_of_other_sizes_steps_and_schedulers(tiny_pipe, sketch):
    cells = [
        Settings("a turtle", size=size, num_inference_steps=steps, scheduler=scheduler, strength=0.8, prepare=prepare)
        for size in ((64, 64), (48, 64))
        for steps in (3, 7)
        for scheduler in ("ddim", "pndm", "euler")
        for prepare in ("lines", "filled")
    ]
    cells = [cell.resolved(tiny_pipe) for cell in cells]
    assert furthest(tiny_pipe, sketch, cells, max_batch=3) <= 1e-5


@pytest.mark.parametrize("scheduler", ["ddpm", "dpm++", "euler"])
def test_given_timesteps_run_alone_and_together(tiny_pipe, sketch, scheduler):
    """The stock pipeline with ``timesteps=…``, ``translate``'s run and the batch are one."""
    cells = [
        Settings(
            "a turtle",
            strength=0.8,
            guidance_scale=g,
            scheduler=scheduler,
            timesteps=[3, 700, 30, 500, 951],
            size=(48, 48),
        )
        for g in (1.0, 4.0)
    ]
    cells = [cell.resolved(tiny_pipe) for cell in cells]
    assert cells[0].timesteps == (951, 700, 500, 30, 3) and cells[0].num_inference_steps == 5
    assert cells[0].plan(tiny_pipe).timesteps == (700, 500, 30, 3)
    made = {i: pixels for i, pixels, _ in run_batch(sketch, cells, tiny_pipe)}
    for i, cell in enumerate(cells):
        own = tiny_pipe.scheduler
        tiny_pipe.scheduler = make_scheduler(scheduler, own, 5)
        stock = tiny_pipe(
            prompt=cell.prompt,
            image=open_sketch(sketch, cell.size),
            strength=0.8,
            guidance_scale=cell.guidance_scale,
            timesteps=[951, 700, 500, 30, 3],
            generator=torch.Generator("cpu").manual_seed(0),
            output_type="pt",
        ).images
        tiny_pipe.scheduler = own
        assert (stock - made[i]).abs().max() <= 1e-5
        alone = run(sketch, cell, tiny_pipe)
        assert np.array_equal(
            np.asarray(alone.image), (stock[0].permute(1, 2, 0) * 255).round().numpy().astype(np.uint8)
        )
        assert Settings.from_dict(cell.to_dict()) == cell


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"timesteps": [1, 1]}, "different"),
        ({"timesteps": []}, "1 to 999"),
        ({"timesteps": [-1]}, "from 0 up"),
        ({"timesteps": [0.5]}, "whole"),
        ({"timesteps": 7}, "list"),
        ({"timesteps": [1, 2], "num_inference_steps": 3}, "leave one out"),
        ({"timesteps": [1, 2], "scheduler": "ddim"}, "chooses its timesteps itself"),
        ({"timesteps": [1, 2000], "scheduler": "euler"}, "not on this model"),
    ],
)
def test_timesteps_that_cannot_be_used(given, words, tiny_pipe):
    with pytest.raises(InputError, match=words):
        Settings("a", **given).resolved(tiny_pipe)


def test_what_is_common_is_computed_once(tiny_pipe, sketch):
    counts = Counts()
    cells = [
        Settings("a turtle", strength=1.0, guidance_scale=scale, num_inference_steps=4, size=(64, 64)).resolved(
            tiny_pipe
        )
        for scale in (0.5, 1.0, 3.0, 6.0)
    ]
    forget_texts(tiny_pipe)
    list(run_batch(sketch, cells, tiny_pipe, counts=counts))
    # Without guidance both cells are one picture: 4 samples. With it the first step is shared: 2 and 3 × 2 × 2 more; the
    # prompt's half of that first step is the unguided cells' as well.
    assert counts.evaluations == 4 + 1 + 3 * 2 * 2
    assert counts.evaluations + counts.shared == 2 * 4 + 2 * 2 * 4
    assert counts.encoded == 1 and counts.decoded == 4 and counts.prompts == 2
    assert counts.calls == 4
    again = Counts()
    list(run_batch(sketch, cells, tiny_pipe, counts=again))
    assert again.prompts == 0, "the same words, read before"


def test_a_small_model_s_grid_runs_in_one_thread_and_gives_the_caller_s_back(tiny_pipe, sketch, monkeypatch):
    """As a single run does: the U-Net, the text encoder and both halves of the VAE; between two pictures it is as before."""
    seen = {}
    for part, method in ((tiny_pipe.unet, "forward"), (tiny_pipe.text_encoder, "forward")):
        watch_threads(monkeypatch, part, method, seen)
    for method in ("encode", "decode"):
        watch_threads(monkeypatch, tiny_pipe.vae, method, seen)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        between = [torch.get_num_threads() for _ in run_batch(sketch, grid(tiny_pipe, "ddim")[:4], tiny_pipe)]
        assert between == [2] * 4 and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert len(seen) == 4 and set().union(*seen.values()) == {1}


def watch_threads(monkeypatch, part, method: str, seen: dict) -> None:
    """Note with how many threads a method of a network is called."""
    own = getattr(part, method)

    def watched(*arguments, **named):
        seen.setdefault((type(part).__name__, method), set()).add(torch.get_num_threads())
        return own(*arguments, **named)

    monkeypatch.setattr(part, method, watched)


def test_short_memory_makes_smaller_calls(tiny_pipe, sketch, monkeypatch):
    cells = grid(tiny_pipe, "ddim")[:8]
    expected = {i: pixels for i, pixels, _ in run_batch(sketch, cells, tiny_pipe)}
    sizes = let_memory_be_short(tiny_pipe.unet, monkeypatch)
    made = {i: pixels for i, pixels, _ in run_batch(sketch, cells, tiny_pipe)}
    assert max(sizes) <= 3
    assert max((made[i] - expected[i]).abs().max().item() for i in expected) <= 1e-5
    monkeypatch.setattr("s2i_teach.models.fit.LADDER", ())  # the pipeline of all tests stays as it is
    monkeypatch.setattr(tiny_pipe.unet, "forward", lambda *a, **k: (_ for _ in ()).throw(RuntimeError("out of memory")))
    with pytest.raises(InputError, match="memory"):
        list(run_batch(sketch, cells, tiny_pipe))


def test_a_pool_smaller_than_the_grid(tiny_pipe, sketch, monkeypatch):
    monkeypatch.setattr(batch, "POOL", 5)
    assert furthest(tiny_pipe, sketch, grid(tiny_pipe, "dpm++")) <= 1e-5


# The grid

AXES = {"strength": [0.5, 1.0], "guidance_scale": [1.0, 4.0, 6.0]}


@pytest.fixture()
def swept(tiny_pipe, sketch):
    return s2i.sweep(sketch, "a turtle", pipe=tiny_pipe, num_inference_steps=4, size=(64, 64), quiet=True, **AXES)


def test_the_table_and_the_images_have_one_order(swept, tiny_pipe, sketch):
    table = swept.table
    assert list(table.columns[:2]) == ["strength", "guidance_scale"] and swept.shape == (2, 3)
    assert [tuple(row) for row in table[["strength", "guidance_scale"]].values] == list(
        itertools.product(*AXES.values())
    )
    assert table["evaluations"].tolist() == [2, 2, 2, 4, 4, 4]
    for row, image in zip(table.itertuples(), swept.images, strict=True):
        single = s2i.translate(
            sketch,
            "a turtle",
            pipe=tiny_pipe,
            strength=row.strength,
            guidance_scale=row.guidance_scale,
            num_inference_steps=4,
            size=(64, 64),
        )
        assert np.abs(np.asarray(single.image, int) - np.asarray(image, int)).max() <= 1  # rounding to 8 bits
        assert single.settings == swept.result(strength=row.strength, guidance_scale=row.guidance_scale).settings


def test_the_first_axis_written_is_the_slowest(tiny_pipe, sketch):
    named = dict(pipe=tiny_pipe, num_inference_steps=2, size=(64, 64), quiet=True)
    turned = s2i.sweep(sketch, prompts=["a", "b"], seeds=range(2), strength=(0.5, 1), **named)
    assert list(turned.axes) == ["prompt", "seed", "strength"] and len(turned) == 8
    assert turned.table["prompt"].tolist() == ["a"] * 4 + ["b"] * 4
    assert turned.table["seed"].tolist() == [0, 0, 1, 1] * 2
    arrays = s2i.sweep(sketch, "a", strength=np.array([0.5, 1.0]), **named)
    assert [type(value) for value in arrays.axes["strength"]] == [float, float]
    sizes = s2i.sweep(sketch, "a", size=[(64, 64), (64, 48)], **{key: named[key] for key in ("pipe", "quiet")})
    assert [image.size for image in sizes.images] == [(64, 64), (64, 48)]


def test_a_sketch_that_is_an_open_file_is_read_once(tiny_pipe, sketch, tmp_path):
    sketch.save(tmp_path / "sketch.png")
    named = dict(pipe=tiny_pipe, num_inference_steps=1, size=(64, 64), seeds=[0, 1], quiet=True)
    with open(tmp_path / "sketch.png", "rb") as file:
        made = s2i.sweep(file, "a", **named)
    assert np.array_equal(np.asarray(made.images), np.asarray(s2i.sweep(sketch, "a", **named).images))


def test_finished_cells_are_kept(tiny_pipe, sketch, tmp_path, monkeypatch):
    named = dict(pipe=tiny_pipe, num_inference_steps=6, size=(64, 64), to=tmp_path / "cells", quiet=True)
    whole = s2i.sweep(sketch, "a turtle", strength=[0.2, 0.6, 1.0], seeds=[0, 1], **(named | {"to": None}))

    def stop(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        s2i.sweep(sketch, "a turtle", strength=[0.2, 0.6, 1.0], seeds=[0, 1], on_step=stop, **named)
    kept = len(list((tmp_path / "cells").iterdir()))
    assert 0 < kept < 6
    again = s2i.sweep(sketch, "a turtle", strength=[0.2, 0.6, 1.0], seeds=[0, 1], **named)
    assert again.counts.decoded == 6 - kept
    for a, b in zip(whole.images, again.images, strict=True):
        assert np.abs(np.asarray(a, int) - np.asarray(b, int)).max() <= 1
    more = s2i.sweep(sketch, "a turtle", strength=[0.2, 0.6, 0.8, 1.0], seeds=[0, 1], **named)
    assert more.counts.decoded == 2 and "kept" not in str(more)
    same = s2i.sweep(sketch, "a turtle", strength=[0.2, 0.6, 0.8, 1.0], seeds=[0, 1], **named)
    assert same.counts.calls == 0 and "all kept" in str(same) and same.table.equals(more.table)

    # A damaged file is made anew; other weights, another sketch and other settings are other cells.
    next((tmp_path / "cells").iterdir()).write_bytes(b"no picture")
    assert s2i.sweep(sketch, "a turtle", strength=[0.2, 0.6, 0.8, 1.0], seeds=[0, 1], **named).counts.decoded == 1
    with torch.no_grad():
        tiny_pipe.unet.conv_in.weight.view(-1)[0] += 0.1
    try:
        assert s2i.sweep(sketch, "a turtle", strength=[0.2], seeds=[0, 1], **named).counts.decoded == 2
    finally:
        with torch.no_grad():
            tiny_pipe.unet.conv_in.weight.view(-1)[0] -= 0.1
    other = sketch.rotate(90, fillcolor="white")
    assert s2i.sweep(other, "a turtle", strength=[0.2], seeds=[0, 1], **named).counts.decoded == 2


def test_the_figure_names_its_axes(swept, tiny_pipe, sketch):
    figure = swept.figure()
    words = {text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))}
    assert {"strength", "guidance scale", "0.5", "1", "4", "6"} <= words
    assert sum(len(ax.get_images()) for part in figure.subfigs for ax in part.axes) == 6
    assert "2 values of strength by 3 values of guidance_scale" in swept.describe()
    assert 'alt="A grid of 6 pictures' in swept._repr_html_()
    named = dict(pipe=tiny_pipe, num_inference_steps=1, size=(64, 64), quiet=True)
    three = s2i.sweep(sketch, "a", strength=[0.5, 1], guidance_scale=[1, 2], seeds=[0, 1, 2], **named)
    assert sum(len(ax.get_images()) for part in three.figure().subfigs for ax in part.axes) == 12
    s2i.sweep(sketch, "a", seeds=[0, 1], **named).figure()


def test_a_seed_keeps_its_digits_and_a_size_its_words(tiny_pipe, sketch):
    """In the figure and in the sentence: 12345678 is no 1.23457e+07."""
    made = s2i.sweep(
        sketch,
        "a turtle",
        pipe=tiny_pipe,
        size=[(64, 48), (48, 64)],
        seeds=[12345678],
        num_inference_steps=1,
        quiet=True,
    )
    assert str(made).startswith("2 pictures: size 64 × 48, 48 × 64; seed 12345678; ")
    axes = made.figure().subfigs[0].get_axes()
    assert [ax.get_ylabel() for ax in axes] == ["64 × 48", "48 × 64"] and axes[-1].get_xlabel() == "12345678"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("strength", 0.30000000000000004, "0.3"),
        ("num_inference_steps", 20, "20"),
        ("seed", 2**62, "4611686018427387904"),
        ("size", (768, 512), "768 × 512"),
        ("timesteps", (999, 500, 0), "999, 500, 0"),
        ("scheduler", None, "the model's own"),
        ("negative_prompt", "", "none"),
        ("prepare", "filled", "filled"),
        ("invert", False, "False"),
    ],
)
def test_a_value_in_words(name, value, words):
    assert value_words(name, value) == words


def test_a_prompt_with_html_is_shown_as_text(tiny_pipe, sketch):
    named = dict(pipe=tiny_pipe, num_inference_steps=1, size=(64, 64), quiet=True)
    page = s2i.sweep(sketch, '<b onclick="x">', seeds=[0], **named)._repr_html_()
    assert "<b" not in page.replace("<br", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "No setting is a list"),
        ({"strength": []}, "empty"),
        ({"strength": [0.5, 0.5]}, "twice"),
        ({"strength": {0.5, 0.6}}, "order"),
        ({"strenght": [0.5]}, "strenght is no setting"),
        ({"strength": [0.5, 2]}, "strength is 2"),
        ({"strength": [0.5, "x"]}, "strength"),
        ({"seed": [1], "seeds": [2]}, "given twice"),
        ({"seeds": range(200), "guidance_scale": range(100)}, "cells"),
        ({"seeds": [1], "strength": [1], "guidance_scale": [1], "scheduler": ["ddim"]}, "at most three"),
        ({"seeds": [1], "prompt": None}, "Say what"),
        ({"seeds": [1], "max_batch": 0}, "max_batch"),
        ({"seeds": [1], "to": ""}, "empty"),
        ({"seeds": [1], "size": [(65, 64)]}, "multiples"),
    ],
)
def test_bad_input_is_one_sentence(arguments, words, tiny_pipe, sketch):
    with pytest.raises(InputError) as told:
        s2i.sweep(sketch, **{"prompt": "a turtle", "pipe": tiny_pipe, "quiet": True, **arguments})
    assert words in str(told.value) and "\n" not in str(told.value)


def test_no_such_cell(swept):
    for asked in ({}, {"strength": 0.7}, {"seed": 0}):
        with pytest.raises(InputError):
            swept.result(**asked)


def test_the_sketch_is_checked_before_the_model_runs(tiny_pipe):
    with pytest.raises(InputError, match="does not exist"):
        s2i.sweep("nowhere.png", "a", seeds=[0], pipe=tiny_pipe, quiet=True)
    assert not Path("nowhere.png").exists()


def test_a_batch_of_several_sketches_gives_each_its_own_picture(tiny_led, sketch):
    """In one call of the U-Net, with and without a sketch that two cells share."""
    other = sketch.rotate(90, expand=True, fillcolor="white")
    cells = [
        Settings("a turtle", seed=seed, num_inference_steps=3, size=(64, 48)).resolved(tiny_led) for seed in (0, 1, 0)
    ]
    pages = [Pages.alone(one, cell) for one, cell in zip((sketch, sketch, other), cells, strict=True)]
    counts = Counts()
    made = {i: pixels for i, pixels, _ in run_batch(pages, cells, tiny_led, counts=counts)}
    assert counts.encoded == 3 and counts.calls == 3 and counts.shared == 0
    for i, (one, cell) in enumerate(zip((sketch, sketch, other), cells, strict=True)):
        alone = next(run_batch(one, [cell], tiny_led))[1]
        assert (alone - made[i]).abs().max() <= 1e-5
        assert (
            np.abs(np.asarray(run(one, cell, tiny_led).image) - made[i][0].permute(1, 2, 0).numpy() * 255).max() <= 0.51
        )
    assert (made[0] - made[2]).abs().max() > 0.01, "same settings, another sketch"
    with pytest.raises(ValueError, match="3 sketches and 2 settings"):
        next(run_batch(pages, cells[:2], tiny_led))
