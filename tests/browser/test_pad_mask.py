"""The mask on the pad in a real browser: marked with the mouse and with keys alone."""

import json

import numpy as np
import pytest
from PIL import Image

from s2i_teach.widgets.drawing import Drawing
from tests.browser.look import photograph, violations
from tests.browser.test_pad import drag

CELL = 'import s2i_teach as s2i\npad = s2i.SketchPad("turtle", masking=True, keep=False)\npad'


@pytest.fixture(scope="module")
def page(shared_page):
    return shared_page


@pytest.fixture(scope="module")
def notebook(lane, page):
    return lane.run(page, CELL)


@pytest.fixture()
def pad(lane, page, notebook):
    """The paper, with the turtle alone and the mask brush in hand."""
    lane.python(page, "pad.page = s2i.SketchPad('turtle', keep=False).page")
    paper = page.locator(".s2i-paper")
    paper.press("m")
    return paper


def wait_for_ops(lane, page, done: int) -> Drawing:
    for _ in range(60):
        now = Drawing.from_dict(json.loads(lane.python(page, "import json; print(json.dumps(pad.drawing))")))
        if now.done == done:
            return now
        page.wait_for_timeout(100)
    raise AssertionError(f"{now.done} operations done, not {done}")


def colours(page, pad) -> np.ndarray:
    import base64
    import io

    page.wait_for_timeout(150)
    data = pad.evaluate("canvas => canvas.toDataURL()").partition(",")[2]
    picture = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
    return np.asarray(picture.resize((256, 256), Image.Resampling.BOX)).astype(int)


def test_a_part_is_marked_and_the_drawing_shines_through(lane, page, pad):
    before = colours(page, pad)
    drag(page, pad, (60, 60), (450, 60))
    now = wait_for_ops(lane, page, 2)
    assert now.ops[1]["tool"] == "mask"
    assert np.asarray(now.mask())[60, 250] == 255 and (np.asarray(now.mask())[200] == 0).all()
    seen = colours(page, pad)
    red, green, blue = seen[30, 125]
    assert green < 170 < red and green < blue, "the mark is seen"
    assert np.abs(seen[80:] - before[80:]).max() < 10, "nothing else has changed"
    page.get_by_role("button", name="Keep this part").click()
    drag(page, pad, (250, 20), (250, 100))
    kept = wait_for_ops(lane, page, 3)
    assert kept.ops[2]["tool"] == "unmask" and np.asarray(kept.mask())[60, 250] == 0
    assert np.abs(colours(page, pad)[30, 125] - before[30, 125]).max() < 10
    page.get_by_role("button", name="Undo").click()
    assert np.asarray(wait_for_ops(lane, page, 2).mask())[60, 250] == 255


def test_a_part_is_marked_with_keys_alone(lane, page, pad):
    pad.press("b")
    pad.press("m")
    pad.press("ArrowRight")
    pad.press("Space")
    for _ in range(5):
        pad.press("ArrowRight")
    pad.press("Space")
    now = wait_for_ops(lane, page, 2)
    assert now.ops[1]["tool"] == "mask" and now.mask() is not None
    pressed = page.get_by_role("button", name="Repaint this part").get_attribute("aria-pressed")
    assert pressed == "true"
    pad.press("k")
    assert page.get_by_role("button", name="Keep this part").get_attribute("aria-pressed") == "true"
    pad.press("Escape")


@pytest.mark.lab_only
def test_it_is_accessible_and_looks_right(lane, page, pad):
    drag(page, pad, (120, 150), (380, 150), (380, 300), (120, 300))
    wait_for_ops(lane, page, 2)
    assert violations(page, ".s2i") == []
    photograph(page.locator(".s2i").first, "pad_mask")
