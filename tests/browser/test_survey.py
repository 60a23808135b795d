"""The survey in a real browser: the quiz's page without right and wrong, in both themes and in German."""

import json

import pytest

from tests.browser.look import photograph, violations

CELL = """\
import s2i_teach as s2i
survey = s2i.survey(folder="NAME-survey")
survey"""


@pytest.fixture(scope="module")
def page(shared_page):
    return shared_page


def shown(lane, page, folder: str, before: str = ""):
    lane.run(page, before + CELL.replace("NAME", folder))
    root = page.locator(".s2i-quiz").last
    root.wait_for()
    return root


def test_answered_twice_and_shown_without_a_verdict(lane, page):
    root = shown(lane, page, lane.name)
    assert root.locator("fieldset").count() == 8 and root.locator("input").count() == 48
    assert root.get_attribute("aria-label").startswith("Survey")
    for number in range(8):
        root.locator("fieldset").nth(number).locator("label").nth(number % 6).click()
    root.get_by_text("8 of 8 answered").wait_for()
    assert violations(page, ".s2i-quiz") == []
    photograph(root, f"survey-{lane.name}")
    root.get_by_role("button", name="Hand in").click()
    root.get_by_text("without your name").wait_for()
    kept = json.loads(lane.python(page, "print(open(survey.state['path']).read())"))["before"]
    assert list(kept.values()) == ["1", "2", "3", "4", "5", "unsure", "1", "2"]

    root = shown(lane, page, lane.name)
    for number in range(8):
        root.locator("fieldset").nth(number).locator("label").first.click()
    root.get_by_role("button", name="Hand in").click()
    root.get_by_text("None is right or wrong").wait_for()
    assert root.locator("li").count() == 8 and "I would rather not say." in root.inner_text()
    assert "✓" not in root.inner_text() and "✗" not in root.inner_text()
    photograph(root, f"survey-end-{lane.name}")


@pytest.mark.lab_only
def test_it_asks_in_german(lane, page):
    try:
        root = shown(lane, page, f"{lane.name}-german", 'import s2i_teach as s2i\ns2i.language("de")\n')
        assert root.get_attribute("lang") == "de" and root.get_by_text("Ich widerspreche sehr.").count() == 8
        assert violations(page, ".s2i-quiz") == []
    finally:
        lane.python(page, 's2i.language("en")')
