"""The blind rating in a real browser: voted on with keys and mouse, to the end, in both themes."""

import json

import pytest

from tests.browser.look import photograph, violations

CELL = """\
import numpy as np
from PIL import Image
import s2i_teach as s2i
from s2i_teach.images import fit_to
from s2i_teach.translation.result import Result
from s2i_teach.translation.settings import Settings

def made(sketch, strength):
    page = fit_to(sketch.open(), (128, 128))
    noise = np.random.default_rng(0).normal(0, 120 * strength, (128, 128, 3))
    picture = Image.fromarray((np.asarray(page) + noise).clip(0, 255).astype("uint8"))
    settings = Settings(sketch.prompt, "", strength, 5.0, 10, 0, (128, 128), scheduler="ddim")
    return Result(picture, page, settings, None, "mini", 0.1, 0.01, "fp32")

results = [made(sketch, strength) for sketch in s2i.sketches()[:2] for strength in (0.2, 0.5, 0.9)]
rating = s2i.BlindRating(results, "NAME.csv", votes=4)
rating"""


@pytest.fixture(scope="module")
def page(shared_page):
    return shared_page


@pytest.fixture(scope="module")
def notebook(lane, page):
    return lane.run(page, CELL.replace("NAME", lane.name))


@pytest.fixture()
def root(lane, page, notebook):
    """The widget, with no vote given."""
    lane.python(page, "while rating.votes: rating.undo()")
    root = page.locator(".s2i-rating")
    wait_for_count(root, 0)
    return root


def wait_for_count(root, done: int) -> None:
    root.locator(f"text='{done} of 4'").wait_for()


def votes(lane, page) -> list[str]:
    code = "import csv, json; print(json.dumps([row['vote'] for row in csv.DictReader(open(rating.path))]))"
    return json.loads(lane.python(page, code))


def test_voted_on_with_keys_and_mouse_to_the_end(lane, page, root):
    cells = ".jp-Notebook .jp-Cell, #notebook .cell"
    before = page.locator(cells).count()
    assert "strength" not in root.inner_text().lower()
    shown = root.locator("img").nth(2).get_attribute("src")
    root.get_by_role("img", name="Left picture").click()
    wait_for_count(root, 1)
    assert root.locator("img").nth(2).get_attribute("src") != shown, "another pair"
    page.keyboard.press("ArrowDown")
    wait_for_count(root, 2)
    page.keyboard.press("u")
    wait_for_count(root, 1)
    for key in ("a", "b", "x", "d", "d"):  # would insert and cut cells in the notebook's command mode
        page.keyboard.press(key)
    page.keyboard.press("ArrowRight")
    wait_for_count(root, 2)
    root.get_by_role("button", name="A tie").click()
    wait_for_count(root, 3)
    assert votes(lane, page) == ["left", "right", "tie"]
    assert "strength" not in root.inner_text().lower() and page.locator(cells).count() == before
    page.keyboard.press("ArrowLeft")
    root.locator("table").wait_for()
    assert votes(lane, page) == ["left", "right", "tie", "left"]
    assert root.locator("tbody tr").count() == 3 and "strength 0.9" in root.locator("tbody").inner_text()
    page.keyboard.press("ArrowLeft")  # nothing is left to vote on
    page.keyboard.press("u")
    wait_for_count(root, 3)
    assert root.get_by_role("img", name="Right picture").is_visible()
    assert "Taken back. 3 of 4" in root.locator("[role=status]").inner_text()


def test_a_key_held_down_votes_once(lane, page, root):
    root.locator("img").nth(1).click()  # the sketch is no vote
    page.keyboard.down("ArrowLeft")
    for _ in range(3):
        page.keyboard.down("ArrowLeft")  # the browser repeats it
    page.keyboard.up("ArrowLeft")
    wait_for_count(root, 1)
    page.wait_for_timeout(300)
    assert votes(lane, page) == ["left"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_inaccessible(lane, page, root, theme):
    lane.set_theme(page, theme)
    page.wait_for_selector(f".s2i-rating[data-theme={theme}]")
    assert violations(page, ".s2i-rating") == []
    photograph(root, f"rating-{theme}-{lane.name}")
    lane.python(page, "while not rating.finished: rating.vote('left')")
    root.locator("table").wait_for()
    assert violations(page, ".s2i-rating") == []
    photograph(root, f"rating-end-{theme}-{lane.name}")


@pytest.mark.lab_only
def test_in_another_language(lane, page):
    lane.run(page, "import s2i_teach as s2i\ns2i.language('de')", CELL.replace("NAME", "german"))
    assert page.get_by_role("button", name="Unentschieden").is_visible()
    assert violations(page, ".s2i-rating") == []
    photograph(page.locator(".s2i-rating"), "rating-german")
