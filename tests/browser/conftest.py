"""A browser and the notebook programs, each started once. Without a browser the tests say so; in CI that is a failure."""

import os
from contextlib import contextmanager

import pytest

from tests.browser.lanes import COLAB, FLAGS, Colab, Lab, find_browser, lane_of

LANES = {"lab": Lab, "colab": Colab}
MISSING = "No Chromium was found: install it (Debian: apt-get install chromium), or name it in S2I_BROWSER."


def pytest_collection_modifyitems(config, items):
    """Some tests say nothing new in the second lane."""
    double = [i for i in items if i.get_closest_marker("lab_only") and i.callspec.params["lane"] != "lab"]
    config.hook.pytest_deselected(items=double)
    items[:] = [item for item in items if item not in double]
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        if "lane" in params and lane_of(item.nodeid) != params["lane"]:
            raise pytest.UsageError(f"{item.nodeid}: its lane cannot be read from its name (tests/browser/lanes.py).")


def missing(why: str):
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="package")
def browser():
    found = find_browser()
    if found is None:
        missing(MISSING)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package", params=list(LANES))
def lane(request, browser, tmp_path_factory):
    if request.param == "colab" and not COLAB.exists():
        missing("The environment with Colab's versions is not there: run `make test-browser`, which installs it.")
    lane = LANES[request.param](tmp_path_factory.mktemp(request.param))
    lane.start()
    yield lane
    lane.stop()


@contextmanager
def fresh_page(browser):
    """A page of its own; an error in our code that its console reports fails what was done on it."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, has_touch=True, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(30_000)
    wrong = []
    page.on("pageerror", lambda error: wrong.append(f"{error} {error.stack}"))
    yield page
    context.close()
    # Notebook programs have errors of their own; ours come from the module that anywidget loads from a blob.
    assert not [text for text in wrong if "blob:" in text], wrong


@pytest.fixture()
def page(browser):
    with fresh_page(browser) as page:
        yield page


@pytest.fixture(scope="module")
def shared_page(browser):
    """One page for all tests of a file, for widgets that a test can put back to their beginning."""
    with fresh_page(browser) as page:
        yield page
