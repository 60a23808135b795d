"""The class gallery in a real browser, from the disk: a class votes on it, and what it gives is a file of votes."""

import pytest
from PIL import Image, ImageDraw

from s2i_teach import Settings, class_gallery
from s2i_teach.evaluate.rating import ranking, read_votes
from s2i_teach.translation.result import Result
from tests.browser.look import photograph, violations

PEOPLE = ("Anna", "Ben", "=Cem")


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    for number in range(6):
        picture = Image.new("RGB", (128, 128), "white")
        box = (20 + 4 * number, 20, 108, 108 - 6 * number)
        ImageDraw.Draw(picture).ellipse(box, ("red", "gold", "green", "blue", "purple", "teal")[number], "black", 3)
        sketch = Image.new("RGB", (128, 128), "white")
        ImageDraw.Draw(sketch).ellipse(box, None, "black", 3)
        settings = Settings(f"a ball {number}", seed=number, strength=0.7, guidance_scale=4.0, num_inference_steps=20)
        result = Result(picture, sketch, settings, None, "mini", 0.1, 0.01, "fp32")
        result.save(folder / PEOPLE[number % 3] / f"{number}.png")
    return class_gallery(folder, folder / "gallery.html")


@pytest.fixture()
def page(browser, gallery):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True, offline=True)
    page = context.new_page()
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
    page.goto(gallery.as_uri())
    yield page
    context.close()
    assert not wrong


def enter(page, name: str, own: str = "") -> None:
    page.get_by_role("button", name="Rate them blind").click()
    page.get_by_label("Your name").fill(name)
    if own:
        page.get_by_label("I made the pictures of").select_option(own)
    page.get_by_role("button", name="Begin").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_seen_and_accessible(page, scheme):
    page.emulate_media(color_scheme=scheme)
    assert page.locator("article").count() == 6 and page.get_by_text("a ball 3").is_visible()
    page.locator("summary").first.click()
    assert violations(page, "body") == []
    photograph(page.locator("body"), f"gallery-{scheme}")
    enter(page, "Zoe")
    assert violations(page, "body") == []
    photograph(page.locator("body"), f"gallery-rating-{scheme}")


def test_votes_become_a_file(page, tmp_path):
    enter(page, "=Zoe", own="Anna")
    assert page.locator("#rating").inner_text().count("Anna") == 0, "no names while one votes"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    page.get_by_role("button", name="Take the last vote back").click()
    page.get_by_role("button", name="Right picture").click()
    page.get_by_role("button", name="Back to the gallery").click()
    page.get_by_role("button", name="Rate them blind").click()
    assert page.get_by_text("Votes: 2 of 6").is_visible(), "who comes back goes on"
    while not page.get_by_text("Thank you").is_visible():
        page.keyboard.press("ArrowRight")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save my votes").click()
    assert download.value.suggested_filename == "votes--Zoe.csv"
    file = tmp_path / "votes.csv"
    download.value.save_as(file)
    votes = read_votes(file)
    assert [vote.vote for vote in votes] == ["left"] + 5 * ["right"] and {vote.rater for vote in votes} == {"'=Zoe"}
    cells = {cell for vote in votes for cell in (vote.left_cell, vote.right_cell)}
    assert cells == {"Ben 1", "Ben 2", "'=Cem 1", "'=Cem 2"}, "nobody votes on their own"
    assert len({frozenset((vote.left, vote.right)) for vote in votes}) == 6 and len(ranking(votes)) == 4


def test_a_name_is_asked_for(page):
    page.get_by_role("button", name="Rate them blind").click()
    page.get_by_role("button", name="Begin").click()
    assert page.get_by_role("alert").inner_text() == "Write a name first."
