"""The playground in a real browser: drawn in, played, turned at random, and with a student's wrong function."""

import json
import random

import pytest

from tests.browser.look import photograph, violations

CELL = """\
import s2i_teach as s2i
from s2i_teach.theory.sampler import ddim_step
from s2i_teach.widgets import film

film.TRAINING_STEPS = 300

def no_roots(x_t, eps, a, a_prev):
    x0 = (x_t - (1 - a) ** 0.5 * eps) / a ** 0.5
    return a_prev * x0 + (1 - a_prev) * eps

def unwritten(x_t, eps, a, a_prev, noise):
    ...

ground = s2i.Playground(step=[ddim_step, no_roots, unwritten], direction="forward")
ground"""


@pytest.fixture(scope="module")
def page(shared_page):
    """Opening a notebook takes longer than a test: all share one."""
    return shared_page


@pytest.fixture(scope="module")
def ground(lane, page):
    """The playground, its first film shown."""
    lane.run(page, CELL)
    root = page.locator(".s2i")
    settle(page)
    return root


def settle(page) -> None:
    """Wait until nothing is asked any more and all is drawn."""
    page.wait_for_selector(".s2i[aria-busy=false] .s2i-plane[aria-label]")
    page.wait_for_timeout(100)


def settings(lane, page) -> dict:
    """What Python has answered last."""
    settle(page)
    return json.loads(lane.python(page, "import json; print(json.dumps(ground.settings))"))


def pick(page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label, exact=True).select_option(label=option)
    settle(page)


def turn(page, to: str) -> None:
    page.locator(f"[data-direction={to}]").click()
    settle(page)


def drag_time(page, share: float) -> str:
    """Press and release on the time slider; returns what stands below it."""
    page.locator(".s2i-time").scroll_into_view_if_needed()
    box = page.locator(".s2i-time").bounding_box()
    page.mouse.click(box["x"] + 8 + share * (box["width"] - 16), box["y"] + box["height"] / 2)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator(".s2i-where").inner_text()


def spread(words: str) -> float:
    return float(words.rsplit(" ", 1)[1].rstrip("."))


def test_points_turn_to_noise_and_come_back(lane, page, ground):
    assert "t = 0:" in page.locator(".s2i-where").inner_text()
    assert abs(spread(drag_time(page, 0)) - 0.79) < 0.02
    assert abs(spread(drag_time(page, 1)) - 1) < 0.06 and "t = 999" in page.locator(".s2i-where").inner_text()
    photograph(ground, f"playground-noise-{lane.name}")
    drag_time(page, 0.8)
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").wait_for()
    page.wait_for_function("document.querySelector('.s2i-where').textContent.startsWith('The end')", timeout=20_000)
    page.get_by_role("button", name="Play").wait_for()
    assert settings(lane, page)["direction"] == "backward"
    assert "agrees with the library's" in page.locator(".s2i-said").inner_text()
    assert page.locator(".s2i-error:visible").count() == 0


def test_whatever_is_turned_in_a_hurry_ends_on_what_was_turned_last(lane, page, ground):
    chance = random.Random(0)
    turn(page, "backward")
    steps = page.locator(".s2i-steps")
    for _ in range(12):
        steps.evaluate(
            "(slider, n) => { slider.value = n; slider.dispatchEvent(new Event('input')) }", str(chance.randint(1, 100))
        )
        drag_time(page, chance.random())
        if chance.random() < 0.3:
            page.get_by_role("combobox", name="Step", exact=True).select_option(chance.choice(["DDIM", "DDPM"]))
        if chance.random() < 0.2:
            page.locator(f"[data-direction={chance.choice(['forward', 'backward'])}]").click()
    turn(page, "backward")
    pick(page, "Step", "DDPM")
    steps.evaluate("slider => { slider.value = 7; slider.dispatchEvent(new Event('input')) }")
    now = settings(lane, page)
    assert (now["direction"], now["sampler"], now["steps"]) == ("backward", "DDPM", 7)
    assert page.locator(".s2i-time").get_attribute("max") == "7"
    seen = {drag_time(page, share / 7).split(":")[0] for share in range(8)}
    assert len(seen) == 8, seen


def test_a_wrong_function_is_seen_to_be_wrong(lane, page, ground):
    turn(page, "backward")
    pick(page, "Step", "your no_roots")
    words = page.locator(".s2i-said").inner_text()
    assert "Your no_roots is not the library's" in words and "With the library's functions alone" in words
    assert "where the library's points are" in page.locator(".s2i-legend").inner_text()
    drag_time(page, 0)
    photograph(ground, f"playground-wrong-{lane.name}")
    pick(page, "Step", "your unwritten")
    alert = page.locator(".s2i-error:visible")
    assert alert.inner_text() == "Your unwritten returns nothing yet: write its body."
    pick(page, "Step", "your ddim_step")
    assert alert.count() == 0 and "library's points" not in page.locator(".s2i-legend").inner_text()


def test_a_drawing_becomes_the_data(lane, page, ground):
    turn(page, "forward")
    pick(page, "The data", "your drawing")
    assert "draw something first" in page.locator(".s2i-main .s2i-error").inner_text()
    page.locator(".s2i-paper").scroll_into_view_if_needed()
    box = page.locator(".s2i-paper").bounding_box()
    for line in ([(0.2, 0.2), (0.8, 0.2)], [(0.5, 0.2), (0.5, 0.85)]):
        for number, (x, y) in enumerate(line):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8)
            page.mouse.down() if number == 0 else page.mouse.up()
    assert settings(lane, page)["shape"] == "drawing"
    assert page.locator(".s2i-error:visible").count() == 0
    code = "d = ground._data('drawing'); print(bool(d[d[:, 0].abs() > 0.5][:, 1].min() > 0.3), len(d))"
    assert lane.python(page, code) == "True 300", "left and right of a T all is at the top"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_network_beside_the_ideal_and_nothing_is_inaccessible(lane, page, ground, theme):
    lane.set_theme(page, theme)
    page.wait_for_selector(f".s2i[data-theme={theme}]")
    turn(page, "backward")
    pick(page, "The data", "heart" if theme == "light" else "spiral")
    page.get_by_role("button", name="Train a network").click()
    page.get_by_text("The network learned for").wait_for(timeout=30_000)
    settle(page)
    assert page.locator(".s2i-plane").count() == 2
    for box in ("Score field", "Guesses"):
        page.get_by_role("checkbox", name=box).check()
    settle(page)
    drag_time(page, 0.4)
    assert violations(page, ".s2i") == []
    photograph(ground, f"playground-{theme}-{lane.name}")
    for box in ("Score field", "Guesses"):
        page.get_by_role("checkbox", name=box).uncheck()
    settle(page)
    pick(page, "Denoiser", "ideal")
    assert page.locator(".s2i-plane").count() == 1


def test_the_keyboard_does_it_too(lane, page, ground):
    page.locator(".s2i-time").focus()
    page.keyboard.press("Home")
    page.wait_for_timeout(60)
    before = page.locator(".s2i-where").inner_text()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(60)
    assert page.locator(".s2i-where").inner_text() != before
    page.get_by_role("button", name="Follow one more").press("Enter")
    page.get_by_role("button", name="New noise").press("Space")
    assert settings(lane, page)["seed"] == 1
