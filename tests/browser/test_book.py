"""The built book in a browser, from a file: it asks nobody, all can read it, on a phone and in the dark, and it searches.

It needs the book: ``make book``, then ``make test-book``. Elsewhere these tests are left out.
"""

import os
import re
from pathlib import Path

import pytest

from book.build import BOOK
from tests.browser.look import photograph, violations

PAGES = ("index", "lessons/01_pictures_and_noise", "lessons/08_sketch_to_picture", "glossary", "api/public")
LOOKED_AT = ("index", "lessons/08_sketch_to_picture", "lessons/12_judging", "api/theory")
EXCEPTIONS = {"region"}
"""Rules of axe-core that the theme breaks: the book's title in the side bar stands outside of any landmark."""


@pytest.fixture(scope="module")
def address():
    """Where the book's pages are."""
    if not (BOOK / "index.html").is_file():
        (pytest.fail if "S2I_BOOK" in os.environ else pytest.skip)("The book is not built: run `make book`.")
    return BOOK.resolve().as_uri()


@pytest.fixture(params=["light", "dark"])
def reader(request, browser):
    """A page of a reader who likes it light or dark; a request that leaves the machine fails what was done on it."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, color_scheme=request.param)
    page = context.new_page()
    asked, wrong = [], []
    page.on("request", lambda request: asked.append(request.url) if request.url.startswith("http") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.theme = request.param
    yield page
    context.close()
    assert asked == [] and wrong == []


@pytest.mark.parametrize("name", LOOKED_AT)
def test_everybody_can_read_it(reader, address, name):
    reader.goto(f"{address}/{name}.html")
    reader.wait_for_function("window.MathJax === undefined || MathJax.startup.promise.then(() => true)")
    found = [text for text in violations(reader, "body") if text.partition(":")[0] not in EXCEPTIONS]
    assert found == []


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_shows_all_of_it(reader, address, name):
    reader.set_viewport_size({"width": 390, "height": 844})
    reader.goto(f"{address}/{name}.html")
    wide = reader.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1]
    photograph(reader.locator("body"), f"book-{reader.theme}-phone-{Path(name).name}")


def test_formulas_are_set_and_a_table_without_a_head_has_none(reader, address):
    reader.goto(f"{address}/lessons/08_sketch_to_picture.html")
    reader.wait_for_selector("mjx-container svg")
    assert reader.locator("mjx-merror").count() == 0
    assert reader.evaluate("[...document.querySelectorAll('thead')].every(head => head.textContent.trim())")


def test_an_answer_is_folded_away_and_opens(reader, address):
    reader.goto(f"{address}/lessons/08_sketch_to_picture.html")
    answer = reader.locator("details", has_text="Show the library's lines").first
    assert not answer.locator("pre").is_visible()
    answer.locator("summary").click()
    assert answer.locator("pre").is_visible() and "return" in answer.locator("pre").inner_text()


def test_a_term_leads_to_the_glossary(reader, address):
    reader.goto(f"{address}/lessons/08_sketch_to_picture.html")
    reader.locator("a", has_text=re.compile("^SDEdit$")).first.click()
    reader.wait_for_url("**/glossary.html#term-SDEdit")
    assert reader.locator("#term-SDEdit").is_visible()


def test_pictures_keep_their_colours_on_white_paper(reader, address):
    reader.goto(f"{address}/index.html")
    style = reader.evaluate(
        "(look => [look.filter, look.backgroundColor])(getComputedStyle(document.querySelector('article img')))"
    )
    assert style[0] == "none"
    assert reader.theme == "light" or style[1] == "rgb(255, 255, 255)"


def test_search_finds_a_lesson(reader, address):
    reader.goto(f"{address}/search.html?q=strength")
    # The hits come one after the other: wait for the one that is meant.
    reader.wait_for_selector('#search-results li a[href*="lessons/08_sketch_to_picture"]')
