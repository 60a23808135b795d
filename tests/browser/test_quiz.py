"""The quiz in a real browser: answered with keys and mouse, handed in twice, in both themes and in German."""

import json
import re

import pytest

from tests.browser.look import photograph, violations

CELL = """\
import s2i_teach as s2i
quiz = s2i.quiz(folder="NAME-quiz")
quiz"""


@pytest.fixture(scope="module")
def page(shared_page):
    return shared_page


def shown(lane, page, folder: str, before: str = ""):
    lane.run(page, before + CELL.replace("NAME", folder))
    root = page.locator(".s2i-quiz").last
    root.wait_for()
    return root


def answers(lane, page, when: str) -> dict:
    return json.loads(lane.python(page, "print(open(quiz.state['path']).read())"))[when]


def test_answered_with_keys_and_mouse_and_told_the_second_time(lane, page):
    root = shown(lane, page, lane.name)
    groups = root.locator("fieldset")
    assert groups.count() == 10 and root.locator("input").count() == 50
    root.get_by_role("button", name="Hand in").click()
    root.get_by_text("Not answered yet: 1, 2, 3").wait_for()
    page.keyboard.press("Space")  # the first question's first answer has the focus
    page.keyboard.press("ArrowDown")
    for number in range(1, 10):
        groups.nth(number).locator("label").last.click()
    root.get_by_text("10 of 10 answered").wait_for()
    assert violations(page, ".s2i-quiz") == []
    photograph(root, f"quiz-{lane.name}")
    root.get_by_role("button", name="Hand in").click()
    root.get_by_text("Run this cell again after the course.").wait_for()
    kept = answers(lane, page, "before")
    assert list(kept.values())[1:] == ["unsure"] * 9 and kept["asked"] != "unsure"
    assert not re.search("right|not so", root.inner_text())

    root = shown(lane, page, lane.name)
    for number in range(10):
        root.locator("fieldset").nth(number).locator("label").first.click()
    root.get_by_role("button", name="Hand in").click()
    root.get_by_text("Normalised gain").wait_for()
    assert root.locator("li").count() == 10 and "See lesson 14, section 1." in root.inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_inaccessible(lane, page, theme):
    lane.set_theme(page, theme)
    page.wait_for_selector(f".s2i-quiz[data-theme={theme}]")
    assert violations(page, ".s2i-quiz") == []
    photograph(page.locator(".s2i-quiz").last, f"quiz-end-{theme}-{lane.name}")


@pytest.mark.lab_only
def test_it_asks_in_german(lane, page):
    try:
        root = shown(lane, page, f"{lane.name}-german", 'import s2i_teach as s2i\ns2i.language("de")\n')
        assert root.get_attribute("lang") == "de" and root.get_by_text("Das weiß ich noch nicht.").count() == 10
        assert violations(page, ".s2i-quiz") == []
    finally:
        lane.python(page, 's2i.language("en")')
