"""The mask on the pad: a part is marked, and the drawing stays what it is."""

import numpy as np
import pytest
from PIL import Image

import s2i_teach as s2i
from s2i_teach.errors import InputError
from s2i_teach.widgets.drawing import Drawing


def stroke(tool, *points, size=40):
    return {"tool": tool, "size": size, "points": [[x, y, 0.5] for x, y in points]}


@pytest.fixture()
def pad():
    made = s2i.SketchPad("turtle", masking=True, keep=False)
    made.page = made.page.then(stroke("mask", (100, 256), (400, 256)))
    return made


def test_a_mask_is_as_large_as_its_stroke_and_no_ink(pad):
    bare = s2i.SketchPad("turtle", masking=True, keep=False)
    assert bare.mask is None
    mask = np.asarray(pad.mask).astype(float) / 255
    assert pad.mask.mode == "L" and pad.mask.size == (512, 512)
    assert abs(mask.sum() - (300 * 40 + np.pi * 20**2)) < 30  # a bar and two half discs
    assert mask[256, 250] == 1 and mask[230, 250] == 0
    assert np.array_equal(np.asarray(pad.sketch), np.asarray(bare.sketch))


def test_marks_are_taken_away_undone_and_cleared(pad):
    pad.page = pad.page.then(stroke("unmask", (250, 200), (250, 300)))
    mask = np.asarray(pad.mask)
    assert mask[256, 250] == 0 and mask[256, 120] == 255
    pad.undo()
    assert np.asarray(pad.mask)[256, 250] == 255
    pad.page = pad.page.then(stroke("eraser", (100, 256), (400, 256)))
    assert np.asarray(pad.mask)[256, 250] == 255, "the eraser takes ink"
    pad.page = pad.page.then(stroke("unmask", (0, 256), (512, 256), size=60))
    assert pad.mask is None
    pad.undo()
    pad.clear()
    assert pad.mask is None


def test_the_eraser_of_marks_leaves_ink(pad):
    before = np.asarray(pad.sketch)
    pad.page = pad.page.then(stroke("unmask", (0, 256), (512, 256), size=500))
    assert np.array_equal(np.asarray(pad.sketch), before)


def test_a_page_with_marks_alone_is_empty():
    page = Drawing().then(stroke("mask", (10, 10), (90, 90)))
    assert page.is_empty and page.mask() is not None
    assert (np.asarray(page.image()) == 255).all() and "polyline" not in page.to_svg()


@pytest.mark.parametrize("kind", ["json", "svg"])
def test_a_mask_saves_and_loads_back(pad, kind, tmp_path):
    again = s2i.SketchPad(pad.save(tmp_path / f"it.{kind}"), keep=False)
    assert np.array_equal(np.asarray(again.mask), np.asarray(pad.mask))


def test_a_picture_is_laid_on_the_page_as_it_is():
    picture = Image.new("RGB", (64, 64), (250, 240, 200))
    assert s2i.SketchPad(picture, masking=True, keep=False).sketch.getpixel((256, 256)) == (250, 240, 200)


def test_the_pad_goes_into_repaint(pad, tiny_pipe):
    few = {"pipe": tiny_pipe, "num_inference_steps": 2, "size": (64, 64)}
    by_pad = s2i.repaint(pad.sketch, pad, "a turtle", **few)
    by_mask = s2i.repaint(pad.sketch, pad.mask, "a turtle", **few)
    assert np.array_equal(np.asarray(by_pad.image), np.asarray(by_mask.image))
    assert np.asarray(by_pad.mask)[32, 32] == 255 and np.asarray(by_pad.mask)[10, 32] == 0
    pad.clear()
    with pytest.raises(InputError, match="The mask is empty"):
        s2i.repaint(pad.sketch, pad, "a turtle", **few)


def test_what_is_wrong_is_said():
    with pytest.raises(InputError, match="masking must be True or False, not 3"):
        s2i.SketchPad(masking=3)
    with pytest.raises(InputError, match="the tool masks is not known"):
        Drawing.from_dict(Drawing().then(stroke("masks", (1, 1))).to_dict())
