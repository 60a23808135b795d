"""Several small things on a page are seen, one thing is not taken for several, and a size is named that suits them."""

import pytest
from PIL import Image, ImageDraw

from s2i_teach import open_sketch, sweep, translate
from s2i_teach.gallery import sketches
from s2i_teach.models.catalog import MODELS
from s2i_teach.translation.things import better_size, small_things


def draw(lines=(), rings=(), arcs=(), side: int = 128) -> Image.Image:
    """A white page with lines, rings ``(left, top, side)`` and arcs ``(box, start, end)``, 2 pixels wide."""
    page = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(page)
    for line in lines:
        pen.line(line, fill="black", width=2)
    for left, top, size in rings:
        pen.ellipse((left, top, left + size - 1, top + size - 1), outline="black", width=2)
    for box, start, end in arcs:
        pen.arc(box, start, end, fill="black", width=2)
    return page


def row(number: int, size: int, gap: int = 18) -> list[tuple[int, int, int]]:
    """Rings of one size across a page."""
    return [(4 + k * (size + gap), 20, size) for k in range(number)]


THREE = draw([(4, 110, 124, 110)], row(3, 24))
FACE = [(42, 45, 11), (62, 45, 11), (52, 66, 12)]


@pytest.mark.parametrize(
    ("page", "size"),
    [
        (draw(rings=row(3, 24)), 24),
        (THREE, 24),
        (draw([(4, 43, 124, 43)], row(3, 24)), 22),  # what stands on the ground is joined by it, and still three things
        (draw(rings=[(4, 4, 40), (68, 4, 40), (4, 68, 30)]), 40),
    ],
)
def test_several_small_things_are_seen(page, size):
    assert small_things(page) == size


@pytest.mark.parametrize(
    "page",
    [
        draw(),
        Image.new("RGB", (128, 128), "black"),
        Image.new("RGB", (8, 64), "white"),
        draw(rings=row(2, 13)),  # the eyes of a face that is still being drawn
        draw(rings=[*row(2, 24), (4, 60, 66)]),  # one of them is large
        draw(rings=row(4, 6)),  # specks
        draw(rings=[(20, 20, 90)]),
        draw([(4, 109, 124, 109)], [(20, 20, 90)]),
        draw(rings=[*FACE, (20, 20, 90)]),
        draw(rings=FACE, arcs=[((30, 30, 88, 88), 20, 340)]),  # an outline with a gap
        draw(arcs=[((14, 14, 114, 114), start, start + 9) for start in range(0, 360, 18)]),  # a dashed one
        draw([(10, 40, 118, 40), (14, 40, 14, 90), (112, 40, 112, 90)]),  # a table, whose top is no ground
        draw([(10, 40, 118, 40), (14, 46, 14, 90), (112, 46, 112, 90)]),
        draw([(30, 100, 90, 100)], [(40, 20, 41)]),
        draw([(5, 100, 120, 112)], [(40, 20, 41)]),
    ],
)
def test_one_thing_is_not_taken_for_several(page):
    assert small_things(page) is None


def test_the_embedded_scenes_have_small_things_and_no_other_sketch_has():
    for sketch in sketches():
        small = small_things(open_sketch(sketch.path, (128, 128)))
        assert (small is not None) == (sketch.kind == "scene"), sketch.name


def test_a_larger_size_is_one_that_the_model_has():
    mini = MODELS["mini-scribble"]
    assert better_size(THREE, mini) == (24, (256, 256))
    assert better_size(draw(rings=row(3, 20)), mini) == (20, (384, 384))
    assert better_size(draw(rings=row(3, 10)), mini) == (10, (384, 384)), "better than nothing"
    assert better_size(draw(rings=row(3, 40), side=256), mini) is None, "512 × 512 was never looked at"
    assert better_size(THREE, MODELS["pix2pix"]) is None
    assert better_size(draw(rings=row(3, 40), side=512), MODELS["sd15"]) is None
    assert better_size(THREE, MODELS["sd15"]) is None, "it has one size"


def test_who_draws_small_things_is_told_of_a_size_that_suits_them(tiny_pipe):
    settings = {"pipe": "mini-scribble", "num_inference_steps": 1}
    told = translate(THREE, "three rings", **settings).notes
    assert told == (
        "Most things on this page are only about 24 pixels large, so they come out badly: a size of 256 × 256 is better for them.",
    )
    assert translate(THREE, "three rings", size=(256, 256), **settings).notes == ()
    assert translate(THREE, "three rings", prepare="picture", **settings).notes == (), "a painting is taken as it is"
    assert translate(THREE, "three rings", pipe=tiny_pipe, num_inference_steps=1).notes == (), "nobody knows that model"
    grid = sweep(THREE, "three rings", seed=[0, 1], quiet=True, **settings)
    assert [result.notes for result in grid.results] == [told] * 2
