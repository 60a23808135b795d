"""The tool for a style in a real browser: drawn on, trained, slid."""

import re

from tests.browser.look import photograph, violations

CELL = """\
import s2i_teach as s2i
tool = s2i.Style(to="NAME.safetensors", steps=3)
tool"""


def test_draw_learn_and_slide(lane, shared_page):
    page = shared_page
    lane.run(page, CELL.replace("NAME", lane.name))
    root = page.locator(".s2i-style").last
    root.wait_for()
    root.get_by_role("button", name="Add this drawing").click()
    root.get_by_text("The page is empty").wait_for()
    for name in ("house", "owl"):
        lane.python(page, f"tool.pad.load({name!r})")
        root.get_by_label("It shows", exact=True).fill(f"a {name}")
        root.get_by_label("It shows", exact=True).press("Tab")
        root.get_by_role("button", name="Add this drawing").click()
        root.locator(f'img[alt="a {name}"]').wait_for()
    root.get_by_text("Drawings: 2 of 10").wait_for()
    root.get_by_role("button", name="Learn this look").click()
    root.get_by_text(re.compile("Learned, and written to")).wait_for()
    root.locator('img[alt="a turtle: with your style, weight 1"]').wait_for()
    # The handle of ipywidgets' slider has no name of its own; the number beside it can be typed into.
    assert [found for found in violations(page, ".s2i-style") if "noUi-handle" not in found] == []
    photograph(root, f"style-{lane.name}")
    lane.python(page, "tool._weight.value = 0.5")
    root.locator('img[alt="a turtle: with your style, weight 0.5"]').wait_for()
