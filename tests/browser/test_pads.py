"""Notebooks as people use them: cells run twice and out of order, kernels restarted, pages reloaded, pads shown twice."""

import pytest
from playwright.sync_api import expect

from tests.browser.look import photograph
from tests.browser.test_pad import drag

CELL = "import s2i_teach as s2i\npad = s2i.SketchPad(name={name!r})\npad"
DONE = "print(pad.page.done)"


@pytest.fixture(scope="module")
def page(shared_page):
    return shared_page


def wait_for(lane, page, code: str, wanted: str) -> None:
    for _ in range(80):
        if (said := lane.python(page, code)) == wanted:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{code} says {said}, not {wanted}")


def restart(lane, page) -> None:
    if lane.name == "lab":
        page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
        page.wait_for_function(lane.idle)
    else:
        page.evaluate("new Promise(done => Jupyter.notebook.kernel.restart(done))")
        page.wait_for_function(lane.idle)
    page.wait_for_timeout(500)


def test_a_drawing_survives_a_second_run_a_restart_and_a_reload(lane, page):
    path = lane.run(page, CELL.format(name=f"cat {lane.name}"))
    paper, kept = page.locator(".s2i-paper").first, page.locator(".s2i-kept").first
    drag(page, paper, (100, 100), (300, 300))
    wait_for(lane, page, DONE, "1")
    expect(kept).to_have_text(f"Kept in s2i_pads/cat {lane.name}.json.")
    page.evaluate(lane.run_all)
    expect(kept).to_contain_text("Your last drawing is back.", timeout=30_000)
    wait_for(lane, page, DONE, "1")

    restart(lane, page)
    drag(page, paper, (100, 300), (300, 100))  # on a page whose kernel is gone
    expect(kept).to_contain_text("Python does not answer", timeout=9000)
    photograph(page.locator(".s2i").first, f"pad-dead-{lane.name}")
    page.evaluate(lane.run_all)
    expect(kept).to_contain_text("Kept in", timeout=30_000)
    wait_for(lane, page, DONE, "2")  # the stroke of the dead page came along

    lane.save(page)
    page.wait_for_timeout(500)
    page.reload()
    expect(kept).to_contain_text("Kept in", timeout=30_000)
    page.wait_for_function(lane.idle)
    wait_for(lane, page, DONE, "2")
    page.get_by_role("button", name="New page").click()
    wait_for(lane, page, "print(pad.page.is_empty)", "True")
    expect(page.locator(".s2i-status").first).to_have_text("A new page. Undo brings the drawing back.")
    page.keyboard.press("Shift+Tab")
    page.get_by_role("button", name="Undo").click()
    wait_for(lane, page, "print(len(pad.page.visible))", "2")
    if lane.name == "lab":  # a notebook whose kernel is gone shows the last picture
        lane.save(page)
        page.wait_for_timeout(1000)
        lane.close()
        lane.open(page, path)
        page.locator("img[alt='The last drawing (strokes: 2)']").wait_for(state="visible")


def test_pads_in_a_box_in_two_cells_and_closed_and_shown_again(lane, page):
    lane.run(
        page,
        # Where cells cannot be told apart, a pad without a name takes up what another test has left.
        "import s2i_teach as s2i, ipywidgets, shutil\nshutil.rmtree('s2i_pads', ignore_errors=True)\n"
        "a, b = s2i.SketchPad(), s2i.SketchPad()\nipywidgets.HBox([a, b])",
        "a",
        "c = s2i.SketchPad()\nc",
        "c.close()",
        "c",
        "d = s2i.SketchPad()\nd",
    )
    papers = page.locator(".s2i-paper")
    expect(papers).to_have_count(5)
    for nth in (0, 1, 3):
        drag(page, papers.nth(nth), (100, 100), (300, 300 - 50 * nth))
    names = "print([(p.page.done, p._keeper.path.stem) for p in (a, b, c, d)])"
    if lane.name == "lab":  # it tells the cells apart
        wait_for(lane, page, "print([p.page.done for p in (a, b, c, d)])", "[1, 1, 1, 0]")
        assert len(set(lane.python(page, names).split("'")[1::2])) == 4
    else:  # two cells without names share one: who is drawn on then goes on in a file of its own
        wait_for(lane, page, "print([p.page.done for p in (a, b, c, d)])", "[1, 1, 1, 0]")
        files = lane.python(page, names).split("'")[1::2]
        assert len({*files[:3]}) == 3, files
        assert "Another pad is called sketch as well" in lane.python(page, "print(c.kept['said'])")
    same = "() => new Set([0, 2].map((n) => document.querySelectorAll('.s2i-paper')[n].toDataURL())).size"
    assert page.evaluate(same) == 1, "one pad in two cells is one drawing"
    assert page.evaluate(same.replace("[0, 2]", "[0, 1]")) == 2


@pytest.mark.lab_only
def test_two_studios_are_two(lane, page):
    lane.run(
        page,
        "import s2i_teach as s2i\none = s2i.Studio('turtle', model='mini-fast')\none",
        "two = s2i.Studio('snail', model='mini-fast')\ntwo",
    )
    frames = page.locator(".s2i-frame[data-state=result]")
    expect(frames).to_have_count(2, timeout=60_000)
    drag(page, page.locator(".s2i-paper").nth(1), (60, 60), (400, 60))
    wait_for(lane, page, "print(len(one.history), len(two.history))", "1 2")
    assert (
        lane.python(page, "print(one.page.done, two.page.done, one.kept['place'] != two.kept['place'])") == "1 2 True"
    )
    page.evaluate(lane.run_all)
    expect(page.locator(".s2i-kept").nth(1)).to_contain_text("Your last drawing is back.", timeout=30_000)
    assert lane.python(page, "print(one.page.done, two.page.done)") == "1 2"
    photograph(page.locator(".s2i-studio").nth(1), "studio-kept-lab")


def test_what_interact_shows_is_replaced(lane, page):
    """With Colab's versions ``ipywidgets.interact`` itself loses its sliders here; on Colab it piles pictures up."""
    cell = """
import ipywidgets, s2i_teach as s2i
import matplotlib.pyplot as plt
from PIL import Image
def look(t):
    print("t is", t)
    s2i.show(Image.new("RGB", (20, 20), (20 * t, 0, 0)), alt=f"shown {t}")
    plt.figure(figsize=(1, 1)); plt.plot([0, t])
    if t == 3:
        raise s2i.InputError("Three is too many.")
number = ipywidgets.BoundedIntText(0, max=9)
s2i.interact(look, t=number)"""
    lane.run(page, cell, selector="input[type=number]")
    box, pictures = page.locator("input[type=number]"), page.locator(".widget-html img")
    expect(pictures).to_have_count(2)
    for t in (1, 2):
        box.fill(str(t))
        box.press("Enter")
        expect(pictures.first).to_have_attribute("alt", f"shown {t}")
        expect(pictures).to_have_count(2)
        assert page.get_by_text(f"t is {t}", exact=True).count() == 1
        assert page.locator("img[alt^=shown], img[alt^='<Figure']").count() == 2, "nothing is shown elsewhere"
    photograph(page.locator(".widget-vbox").first, f"interact-{lane.name}")
    box.fill("3")
    box.press("Enter")
    expect(page.get_by_text("Three is too many.", exact=True)).to_be_visible()
