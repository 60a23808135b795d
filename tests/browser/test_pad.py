"""The sketch pad in a real browser: drawn on with everything one can draw with."""

import base64
import io
import json
import math

import nbformat
import numpy as np
import pytest
from PIL import Image

from s2i_teach.widgets.drawing import Drawing
from tests.browser.look import photograph, violations

CELL = "import s2i_teach as s2i\npad = s2i.SketchPad({what})\npad"


@pytest.fixture(scope="module")
def page(shared_page):
    """Opening a notebook takes longer than a test: all share one."""
    return shared_page


@pytest.fixture(scope="module")
def notebook(lane, page):
    """A notebook with a pad, open in the page that the tests share."""
    return lane.run(page, CELL.format(what=""))


@pytest.fixture()
def pad(lane, page, notebook):
    """The paper of the pad, empty, with the brush in hand."""
    lane.python(page, "pad.page = type(pad.page)(); pad.trace_over(None)")
    paper = page.locator(".s2i-paper")
    paper.press("b")
    for _ in range(60):
        if (on_screen(page, paper) == 255).all():
            return paper
    raise AssertionError("the pad does not become empty")


def drawing(lane, page) -> Drawing:
    return Drawing.from_dict(json.loads(lane.python(page, "import json; print(json.dumps(pad.drawing))")))


def wait_for_ops(lane, page, done: int) -> Drawing:
    """The drawing once so many of its operations are done, as Python knows it."""
    for _ in range(60):
        now = drawing(lane, page)
        if now.done == done:
            return now
        page.wait_for_timeout(100)
    raise AssertionError(f"{now.done} operations done, not {done}")


def at(pad, x: float, y: float) -> tuple[float, float]:
    """Units of the page to pixels of the screen."""
    box = pad.bounding_box()
    return box["x"] + x / 512 * box["width"], box["y"] + y / 512 * box["height"]


def drag(page, pad, *points) -> None:
    pad.scroll_into_view_if_needed()
    page.mouse.move(*at(pad, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*at(pad, *point), steps=6)
    page.mouse.up()


def on_screen(page, pad) -> np.ndarray:
    """What the browser has on the paper, 256 × 256, grey."""
    page.wait_for_timeout(150)
    data = pad.evaluate("canvas => canvas.toDataURL()").partition(",")[2]
    picture = Image.open(io.BytesIO(base64.b64decode(data))).convert("L")
    return np.asarray(picture.resize((256, 256), Image.Resampling.BOX))


def same_ink(seen: np.ndarray, drawing: Drawing) -> bool:
    """Whether the browser and Python put the same ink on the page, to 6 % of it: edges are smoothed in other ways."""
    rendered = np.asarray(drawing.image(256, 256).convert("L"))
    ink = (255.0 - rendered).sum()
    return ink > 300 * 255 and np.abs(rendered.astype(float) - seen).sum() < 0.06 * ink


def test_a_mouse_draws_and_python_sees_the_same(lane, page, pad):
    drag(page, pad, (100, 100), (400, 100), (400, 400), (150, 300))
    drag(page, pad, (100, 400), (250, 200))
    now = wait_for_ops(lane, page, 2)
    assert [op["tool"] for op in now.visible] == ["brush", "brush"]
    x, y, pressure = now.ops[0]["points"][0]
    assert abs(x - 100) < 2 and abs(y - 100) < 2 and pressure == 0.5
    assert same_ink(on_screen(page, pad), now)
    page.get_by_role("button", name="Eraser").click()
    drag(page, pad, (250, 60), (250, 460))
    erased = wait_for_ops(lane, page, 3)
    assert erased.ops[2]["tool"] == "eraser"
    seen = on_screen(page, pad)
    assert same_ink(seen, erased) and seen[50, 125] > 200 and seen[50, 80] < 60


def test_undo_redo_and_clear(lane, page, pad):
    drag(page, pad, (50, 50), (450, 50))
    drag(page, pad, (50, 250), (450, 250))
    undo, redo = page.get_by_role("button", name="Undo"), page.get_by_role("button", name="Redo")
    undo.click()
    assert len(wait_for_ops(lane, page, 1).ops) == 2
    assert on_screen(page, pad)[125, 125] > 200
    redo.click()
    wait_for_ops(lane, page, 2)
    assert on_screen(page, pad)[125, 125] < 60
    page.get_by_role("button", name="New page").click()
    assert wait_for_ops(lane, page, 3).is_empty
    assert (on_screen(page, pad) == 255).all()
    pad.focus()
    page.keyboard.press("Control+z")
    assert len(wait_for_ops(lane, page, 2).visible) == 2
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")  # nothing left to take back
    wait_for_ops(lane, page, 0)
    drag(page, pad, (100, 400), (400, 400))
    assert len(wait_for_ops(lane, page, 1).ops) == 1, "a new stroke ends what could be done again"
    assert undo.get_attribute("aria-disabled") == "false" and redo.get_attribute("aria-disabled") == "true"


def test_fingers_pen_and_palm(lane, page, pad):
    """A finger draws, a second one does not; a pen's pressure makes the line wider; the palm beside it draws nothing."""
    session = page.context.new_cdp_session(page)

    def touch(kind, *places):
        points = [{"x": at(pad, *place)[0], "y": at(pad, *place)[1], "id": n} for n, place in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def pen(kind, x, y, force):
        screen_x, screen_y = at(pad, x, y)
        fields = {"x": screen_x, "y": screen_y, "pointerType": "pen", "force": force, "button": "left", "clickCount": 1}
        session.send("Input.dispatchMouseEvent", {"type": kind, "buttons": 1, **fields})

    scrolled = page.evaluate("window.scrollY")
    touch("touchStart", (100, 400))
    touch("touchMove", (150, 380))
    touch("touchStart", (150, 380), (300, 100))
    for step in range(1, 10):
        touch("touchMove", (150 + 20 * step, 380), (300, 100 + 10 * step))
    touch("touchEnd", (330, 380))
    touch("touchEnd")
    stroke = wait_for_ops(lane, page, 1).ops[0]
    assert {point[2] for point in stroke["points"]} == {0.5}
    assert all(370 < point[1] < 410 for point in stroke["points"]) and len(stroke["points"]) > 5
    assert page.evaluate("window.scrollY") == scrolled

    touch("touchStart", (400, 450))  # the palm lands first
    touch("touchMove", (410, 455))
    pen("mousePressed", 60, 200, 0.05)
    for step in range(1, 20):
        pen("mouseMoved", 60 + 20 * step, 200, 0.05 * step + 0.05)
    pen("mouseReleased", 460, 200, 0)
    touch("touchEnd")
    touch("touchStart", (300, 450))  # and touches again while one writes
    touch("touchMove", (320, 460))
    touch("touchEnd")
    now = wait_for_ops(lane, page, 2)
    pressures = [point[2] for point in now.ops[1]["points"]]
    assert pressures[0] < 0.2 and max(pressures) > 0.8
    page.wait_for_timeout(200)
    assert drawing(lane, page).done == 2
    assert same_ink(on_screen(page, pad), now)


def test_the_keyboard_draws_and_the_notebook_stays_as_it_is(lane, page, pad):
    cells = ".jp-Cell, .cell"
    before = page.locator(cells).count()
    pad.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    for key in ["ArrowRight"] * 12 + ["ArrowDown"] * 12 + ["Shift+ArrowLeft"] * 3:
        page.keyboard.press(key)
    page.keyboard.press("Space")
    for key in ("a", "b", "x", "d", "d", "Escape"):  # would insert and cut cells in the notebook's command mode
        page.keyboard.press(key)
    stroke = wait_for_ops(lane, page, 1).ops[0]
    assert stroke["points"][0] == [248, 256, 0.5] and stroke["points"][-1] == [341, 352, 0.5]
    assert page.locator(cells).count() == before
    page.keyboard.press("e")
    page.keyboard.press("]")
    assert page.get_by_role("button", name="Eraser").get_attribute("aria-pressed") == "true"
    assert page.locator(".s2i label", has_text="Width").locator("output").inner_text() == "12"
    page.keyboard.press("Tab")
    assert not pad.evaluate("canvas => canvas === document.activeElement"), "the keyboard must be able to leave"


def test_sketches_are_drawn_over_and_traced(lane, page, pad, tmp_path):
    page.locator(".s2i-more").evaluate("details => { details.open = true }")
    page.get_by_role("combobox", name="Sketch").select_option("turtle")
    over = wait_for_ops(lane, page, 1)
    assert over.ops[0]["tool"] == "picture"
    drag(page, pad, (20, 20), (480, 20))
    wait_for_ops(lane, page, 2)
    seen = on_screen(page, pad)
    assert seen[10, 120] < 60 and (seen[40:220] < 128).sum() > 500
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    wait_for_ops(lane, page, 0)

    page.get_by_role("combobox", name="Use it").select_option("trace")
    page.get_by_role("combobox", name="Sketch").select_option("snail")
    page.wait_for_selector("text=Take it away")
    for _ in range(30):
        seen = on_screen(page, pad)
        if (seen < 250).any():
            break
    assert (seen < 250).sum() > 100 and seen.min() > 128, "a picture to trace is faint"
    assert drawing(lane, page).is_empty
    shell = [(198 + 110 * math.cos(a / 5), 243 + 110 * math.sin(a / 5)) for a in range(3, 35)]
    inside = [(196 + 57 * math.cos(a / 4), 262 + 57 * math.sin(a / 4)) for a in range(-13, 1)]
    for points in (shell, inside, [(443, 163), (471, 120)]):
        drag(page, pad, *points)
    photograph(page.locator(".s2i"), f"pad-{lane.name}")
    wait_for_ops(lane, page, 3)
    for done in (2, 1, 0):
        page.get_by_role("button", name="Undo").click()
        wait_for_ops(lane, page, done)
    page.get_by_role("button", name="Take it away").click()
    page.wait_for_selector("text=Take it away", state="hidden")
    assert (on_screen(page, pad) == 255).all()

    saved = (
        Drawing()
        .then({"tool": "brush", "size": 20, "points": [[50, 50, 0.5], [450, 450, 0.5]]})
        .save(tmp_path / "line.svg")
    )
    page.get_by_role("combobox", name="Use it").select_option("draw")
    chooser = page.locator(".s2i-file")
    chooser.set_input_files(str(saved))
    assert wait_for_ops(lane, page, 1).ops[0]["points"][1] == [450, 450, 0.5]
    (tmp_path / "bad <b>.png").write_bytes(b"no picture")
    chooser.set_input_files(str(tmp_path / "bad <b>.png"))
    page.wait_for_selector(".s2i-error:visible")
    assert "bad <b>.png is not a picture that can be read" in page.locator(".s2i-error").inner_text()
    assert drawing(lane, page).done == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_inaccessible(lane, page, pad, theme):
    lane.set_theme(page, theme)
    page.wait_for_selector(f".s2i[data-theme={theme}]")
    page.locator(".s2i-more").evaluate("details => { details.open = true }")
    drag(page, pad, (100, 100), (400, 400))
    assert violations(page, ".s2i") == []
    photograph(page.locator(".s2i"), f"pad-{theme}-{lane.name}")


def test_the_last_drawing_is_seen_after_reopening_and_in_an_export(lane, page, pad, notebook):
    drag(page, pad, (100, 100), (400, 400))
    wait_for_ops(lane, page, 1)
    page.wait_for_timeout(500)
    assert page.locator("img[alt^='The last drawing']").count() == 1
    assert not page.locator("img[alt^='The last drawing']").is_visible(), "beside the live pad the still one is hidden"
    lane.save(page)
    for _ in range(50):
        page.wait_for_timeout(100)
        outputs = [output for cell in nbformat.read(notebook, as_version=4).cells for output in cell.get("outputs", [])]
        html = "".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
        if "<img" in html:
            break
    assert 'alt="The last drawing (strokes: 1)"' in html
    lane.close()  # the kernel as well: JupyterLab would bring the live pad back
    lane.open(page, notebook)
    still = page.locator("img[alt^='The last drawing']")
    still.wait_for(state="visible")
    photograph(still, f"pad-still-{lane.name}")


@pytest.mark.lab_only
def test_in_another_language(lane, page):
    lane.run(page, "import s2i_teach as s2i\ns2i.language('de')", "pad = s2i.SketchPad()\npad")
    assert page.get_by_role("button", name="Radierer").is_visible()
    assert violations(page, ".s2i") == []
