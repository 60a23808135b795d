"""The studio in a real browser: what it says is what runs, the newest wins, and nothing gets lost."""

import json
import math
import random
import time

import pytest
from playwright.sync_api import expect

from tests.browser.look import photograph, violations
from tests.browser.test_pad import drag

CELL = "import s2i_teach as s2i\nstudio = s2i.Studio(model='mini-fast')\nstudio"
NOTE_VERSIONS = """() => {
  const frame = document.querySelector(".s2i-frame"), picture = frame.querySelector("img");
  window.seen = [];
  new MutationObserver(() => window.seen.push([Number(frame.dataset.version), picture.src.length]))
    .observe(frame, {attributes: true, attributeFilter: ["data-version"]});
}"""


@pytest.fixture(scope="module")
def page(shared_page):
    return shared_page


@pytest.fixture(scope="module")
def notebook(lane, page):
    page.set_viewport_size({"width": 1280, "height": 1500})
    path = lane.run(page, CELL)
    page.wait_for_selector(".s2i-frame[data-state=result]", timeout=60_000)
    return path


@pytest.fixture()
def studio(lane, page, notebook):
    """The studio at rest, with the settings it began with."""
    model = page.get_by_role("combobox", name="Model", exact=True)
    if model.input_value() != "mini-fast":
        model.select_option("mini-fast")
    prompt = page.get_by_role("textbox", name="What it shows")
    if prompt.input_value() != "a turtle":
        prompt.fill("a turtle")
        page.wait_for_timeout(700)
    settle(page, 100)
    return page.locator(".s2i-studio")


def settle(page, wait: int = 900) -> None:
    """Wait until nothing runs and nothing is about to: a typed prompt counts after 0.6 s."""
    page.wait_for_timeout(wait)
    page.wait_for_selector(".s2i-frame[aria-busy=false]", timeout=60_000)


def slide(page, name: str, value) -> None:
    """Let go of a slider at a value, as a hand does: some positions on the way, then the last."""
    page.get_by_role("slider", name=name).evaluate(
        """(slider, value) => {
          slider.value = value;
          slider.dispatchEvent(new Event("input", {bubbles: true}));
          slider.dispatchEvent(new Event("change", {bubbles: true}));
        }""",
        str(value),
    )


def python(lane, page, expression: str):
    return json.loads(lane.python(page, f"import json; print(json.dumps({expression}))"))


def test_what_it_says_is_what_runs(lane, page, studio):
    slide(page, "Steps", 8)
    slide(page, "Strength", 5)
    slide(page, "Guidance", 3.5)
    said = page.locator(".s2i-plan")
    settle(page)
    words = said.inner_text()
    plan = python(
        lane,
        page,
        "[studio.result.plan.start_timestep, studio.result.plan.sqrt_alpha_bar, studio.result.plan.evaluations,"
        " studio.result.settings.strength, studio.result.settings.guidance_scale]",
    )
    assert f"t = {round(plan[0])}," in words and f"{round(100 * plan[1])} %" in words
    assert f"evaluations: {plan[2]}," in words and plan[2] == 5 and plan[3:] == [0.625, 3.5]
    assert f"from t = {round(plan[0])} with {round(100 * plan[1])} %" in page.locator(".s2i-side").inner_text()
    same = """
from s2i_teach.widgets.studio import python_call
s = studio.result.settings
again = s2i.translate(studio.page.image(*s.size), s.prompt, pipe="mini-fast", strength=s.strength, seed=s.seed,
                      guidance_scale=s.guidance_scale, num_inference_steps=s.num_inference_steps, prepare=s.prepare)
print(again.image.tobytes() == studio.result.image.tobytes())"""
    assert lane.python(page, same).splitlines()[-1] == "True"


def test_a_stroke_changes_the_picture(lane, page, studio):
    before = page.locator(".s2i-picture").first.get_attribute("src")
    number = python(lane, page, "len(studio.history)")
    paper = page.locator(".s2i-paper")
    drag(page, paper, (60, 60), (200, 60), (200, 160), (60, 160), (60, 60))
    settle(page, 300)
    assert page.locator(".s2i-picture").first.get_attribute("src") != before
    assert python(lane, page, "len(studio.history)") == number + 1, "one stroke, one picture in the history"
    assert python(lane, page, "[op['tool'] for op in studio.page.visible]") == ["picture", "brush"]
    page.get_by_role("button", name="Undo").click()
    settle(page, 300)
    assert page.locator(".s2i-picture").first.get_attribute("src") == before


def test_ninety_positions_of_a_slider(lane, page, studio):
    slide(page, "Steps", 10)
    settle(page, 300)
    history = python(lane, page, "len(studio.history)")
    page.evaluate(NOTE_VERSIONS)
    chance = random.Random(5)
    slider = page.get_by_role("slider", name="Strength")
    value, positions, until = 5, 0, time.monotonic() + 60

    def moved():
        return len({version for version, _ in page.evaluate("window.seen")})

    # On a slow machine ninety positions are over before three pictures came: the hand then goes on.
    while positions < 90 or (moved() < 3 and time.monotonic() < until):
        positions += 1
        value = chance.choice([n for n in range(1, 11) if n != value])
        slider.evaluate(
            "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }", str(value)
        )
        page.wait_for_timeout(20)
    slider.evaluate("slider => slider.dispatchEvent(new Event('change'))")
    settle(page, 300)
    versions = [
        version for version, _ in page.evaluate("window.seen")
    ]  # the pictures of the drag, then the one at rest
    assert versions == sorted(versions) and len(set(versions)) >= 4, "pictures moved during the drag, none went back"
    assert python(lane, page, "studio.result.plan.evaluations") == value == int(slider.input_value())
    assert python(lane, page, "studio.request['version']") == versions[-1]
    assert python(lane, page, "len(studio.history)") == history + 1, "only where it rests makes history"


def test_stop_and_previews(lane, page, studio):
    page.get_by_role("combobox", name="Model", exact=True).select_option("mini")
    settle(page)
    history = python(lane, page, "len(studio.history)")
    shown = page.locator(".s2i-picture").first.get_attribute("src")
    slide(page, "Steps", 50)
    page.wait_for_selector(".s2i-frame[data-state=preview]", timeout=30_000)
    photograph(page.locator(".s2i-studio"), f"studio-preview-{lane.name}")
    page.get_by_role("button", name="Stop").click()
    page.wait_for_selector("text=Stopped.", timeout=10_000)
    settle(page, 100)
    assert page.locator(".s2i-picture").first.get_attribute("src") == shown
    assert python(lane, page, "len(studio.history)") == history
    page.get_by_role("button", name="Throw another seed").click()
    settle(page, 300)
    assert python(lane, page, "len(studio.history)") == history + 1, "it goes on after a stop"


def test_what_goes_wrong_is_said_in_a_sentence(lane, page, studio):
    prompt = page.get_by_role("textbox", name="What it shows")
    prompt.fill("<img src=x onerror=alert(1)><b>bold</b>")
    settle(page)
    assert page.locator(".s2i b, .s2i img[src=x]").count() == 0
    assert "<b>bold</b>" in page.locator(".s2i-picture").first.get_attribute("alt")
    error = page.locator(".s2i-side .s2i-error")
    seed = page.get_by_role("spinbutton", name="Seed")
    seed.fill("-3")
    error.wait_for(state="visible")
    assert "The seed is -3" in error.inner_text()
    seed.fill("3")
    error.wait_for(state="hidden")
    page.get_by_role("combobox", name="Model", exact=True).select_option("sd15")
    assert "2.7 GB" in page.locator(".s2i-words").inner_text()
    page.get_by_role("button", name="Load it").click()
    error.wait_for(state="visible", timeout=60_000)
    assert "Stable Diffusion 1.5 could not be loaded" in error.inner_text() and "The miniature" in error.inner_text()
    page.get_by_role("combobox", name="Model", exact=True).select_option("mini-fast")
    error.wait_for(state="hidden")
    prompt.fill("a turtle")
    page.get_by_role("button", name="New page").click()
    page.wait_for_selector("text=The page is empty")
    page.get_by_role("button", name="Undo").click()
    settle(page, 300)
    assert python(lane, page, "studio.error") is None


def test_history_comparison_and_export(lane, page, studio):
    settle(page)
    strength = python(lane, page, "studio.result.settings.strength")
    count = python(lane, page, "len(studio.history)")
    slide(page, "Strength", 1)
    settle(page, 300)
    cards = page.locator(".s2i-strip li")
    assert cards.count() == count + 1 or count == 60
    second = page.locator(".s2i-picture").first.get_attribute("src")
    cards.nth(1).get_by_role("button", name="Compare").click()
    page.wait_for_selector(".s2i-under:visible")
    page.get_by_role("slider", name="Before and after").focus()
    page.keyboard.press("ArrowRight")
    assert "inset" in page.locator(".s2i-under").evaluate("image => image.style.clipPath")
    assert "They differ in strength alone: a fair comparison." in page.locator(".s2i-side").inner_text()
    photograph(page.locator(".s2i-studio"), f"studio-wipe-{lane.name}")
    page.get_by_role("button", name="End comparing").click()
    cards.nth(1).get_by_role("button", name="Back to").click()
    page.wait_for_function("second => document.querySelector('.s2i-picture').src !== second", arg=second)
    settle(page, 500)
    assert python(lane, page, "studio.result.settings.strength") == strength
    assert python(lane, page, "len(studio.history)") == cards.count() == count + 1, "going back makes nothing new"
    cards.nth(0).get_by_role("button", name="Keep").click()
    page.wait_for_selector(".s2i-strip .s2i-icon[aria-pressed=true]")
    assert python(lane, page, "len(studio.favourites)") == 1

    page.get_by_role("button", name="Save the picture").click()
    page.wait_for_selector("text=Saved as")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "a-turtle-1.png"
    assert python(lane, page, "s2i.read_record('a-turtle-1.png').settings.strength") == strength
    page.get_by_role("button", name="Contact sheet").click()
    page.wait_for_selector("text=s2i-sheet-1.png, in")
    page.get_by_role("button", name="Show me the code").click()
    code = page.locator(".s2i-code pre")
    code.wait_for(state="visible")
    check = f"{code.inner_text()}\nprint(result.image.tobytes() == studio.result.image.tobytes())"
    assert lane.python(page, check).splitlines()[-1] == "True"
    page.get_by_role("button", name="Close").click()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_inaccessible(lane, page, studio, theme):
    lane.set_theme(page, theme)
    page.wait_for_selector(f".s2i[data-theme={theme}]")
    for details in page.locator(".s2i-more").all():
        details.evaluate("details => { details.open = true }")
    page.get_by_role("button", name="Show me the code").click()
    page.locator(".s2i-code pre").wait_for(state="visible")
    assert violations(page, ".s2i") == []
    page.get_by_role("button", name="Close").click()
    for details in page.locator(".s2i-more").all():
        details.evaluate("details => { details.open = false }")
    photograph(page.locator(".s2i-studio"), f"studio-{theme}-{lane.name}")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_on_a_projector_all_is_large_and_in_view(lane, page, studio, theme):
    usual = page.viewport_size
    page.set_viewport_size({"width": 1920, "height": 1080})
    lane.set_theme(page, theme)
    page.wait_for_selector(f".s2i[data-theme={theme}]")
    button = page.get_by_role("button", name="Projector")
    try:
        button.click()
        page.wait_for_function("document.fullscreenElement?.matches('.s2i-projector') ?? false")
        settle(page)
        assert button.get_attribute("aria-pressed") == "true"
        sizes = studio.evaluate(
            "root => [...root.querySelectorAll('label, .s2i-slider, .s2i-slider output, .s2i-plan')].filter(e => e.offsetParent)"
            ".map(e => parseFloat(getComputedStyle(e).fontSize))"
        )
        assert min(sizes) >= 20
        for seen in (".s2i-paper", ".s2i-frame", ".s2i-sliders"):
            box = page.locator(f".s2i-studio {seen}").bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 1920 and box["y"] >= 0, seen
            assert box["y"] + box["height"] <= 1080, f"{seen} is cut off at the bottom"
        assert violations(page, ".s2i-studio") == []
        photograph(studio, f"projector-{lane.name}-{theme}")
        page.evaluate("document.exitFullscreen()")  # as the Escape key does
        page.wait_for_function("!document.querySelector('.s2i-projector')")
        assert button.get_attribute("aria-pressed") == "false"
    finally:
        page.set_viewport_size(usual)


def test_every_control_is_reached_by_tab_and_shows_it(lane, page, studio):
    wanted = page.locator(".s2i").evaluate(
        "root => [...root.querySelectorAll('button, input, select, canvas, summary')]"
        ".filter(e => !e.disabled && e.checkVisibility() && !e.closest('details:not([open]) > div')).length"
    )
    page.get_by_role("textbox", name="What it shows").focus()
    reached = set()
    for _ in range(wanted + 5):
        there, outline = page.evaluate(
            """() => {
              const e = document.activeElement;
              if (!e.closest(".s2i")) return [null, null];
              e.dataset.tab = e.dataset.tab || String(Math.random());
              return [e.dataset.tab, getComputedStyle(e).outlineStyle];
            }"""
        )
        if there is None:
            break
        assert outline not in ("none", ""), "focus must be seen"
        reached.add(there)
        page.keyboard.press("Tab")
    assert len(reached) >= wanted, f"{len(reached)} of {wanted} controls are reached"


def test_star_stop_and_close_keep_the_focus(lane, page, studio):
    inside = "document.activeElement.closest('.s2i') !== null && document.activeElement !== document.body"
    star = page.locator(".s2i-strip li").nth(0).get_by_role("button", name="Keep")
    star.focus()
    before = star.get_attribute("aria-pressed")
    for wanted in ({"true": "false", "false": "true"}[before], before):
        page.keyboard.press("Enter")
        page.wait_for_function(f"document.activeElement.getAttribute('aria-pressed') === '{wanted}'")
    page.get_by_role("button", name="Show me the code").focus()
    page.keyboard.press("Enter")
    page.locator(".s2i-code pre").wait_for(state="visible")
    page.get_by_role("button", name="Close").focus()
    page.keyboard.press("Enter")
    assert page.evaluate(inside)
    page.get_by_role("button", name="Throw another seed").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Stop").focus()
    settle(page, 300)
    assert page.evaluate(inside), "a button that does nothing now keeps the focus"


def test_the_last_picture_is_seen_after_reopening(lane, page, studio, notebook):
    page.wait_for_timeout(500)
    lane.save(page)
    page.wait_for_timeout(1000)
    lane.close()
    lane.open(page, notebook)
    still = page.locator("img[alt^='a turtle']")
    still.wait_for(state="visible")
    photograph(still, f"studio-still-{lane.name}")


@pytest.mark.lab_only
def test_a_learner_draws_slides_and_compares(lane, page):
    """From an empty page to a favourite; the README shows how it ends."""
    page.set_viewport_size({"width": 1280, "height": 1500})
    lane.run(page, "import s2i_teach as s2i\nstudio = s2i.Studio(None, 'a mushroom')\nstudio")
    page.wait_for_selector("text=The page is empty")
    paper = page.locator(".s2i-paper")
    cap = [(256 + 190 * math.cos(math.pi * k / 14), 270 - 190 * math.sin(math.pi * k / 14)) for k in range(15)]
    drag(page, paper, *cap, (256, 290), cap[0])
    drag(page, paper, (210, 285), (200, 440), (256, 455), (312, 440), (302, 285))
    for x, y, radius in ((190, 190, 26), (270, 140, 22), (335, 205, 28)):
        drag(page, paper, *((x + radius * math.cos(a), y + radius * math.sin(a)) for a in (0, 1, 2, 3, 4, 5, 6, 6.3)))
    page.get_by_role("combobox", name="Style").select_option("twemoji")
    for scale in (0.5, 1.5, 1):
        slide(page, "Lines lead", scale)
        settle(page, 300)
    assert python(lane, page, "[r.settings.control_scale for r in studio.history][-3:]") == [0.5, 1.5, 1]
    hint = page.get_by_role("img", name="White lines on black")
    assert not hint.is_visible()
    page.get_by_text("What leads the network", exact=True).click()
    hint.wait_for(state="visible")
    assert hint.evaluate("image => image.naturalWidth") == python(lane, page, "studio.result.hint.width")
    slide(page, "from", 50)
    settle(page, 300)
    leads = python(lane, page, "[scale > 0 for scale in studio.result.plan.control_scales]")
    assert leads == [False, False, True, True]
    slide(page, "from", 0)
    page.get_by_role("button", name="Throw another seed").click()
    settle(page, 300)
    assert violations(page, ".s2i") == []
    assert "×1" in page.locator(".s2i-strip li").nth(0).inner_text()
    page.get_by_text("What leads the network", exact=True).click()
    page.locator(".s2i-strip li").nth(0).get_by_role("button", name="Keep").click()
    page.wait_for_selector(".s2i-strip .s2i-icon[aria-pressed=true]")
    prompts = python(lane, page, "sorted({r.settings.prompt for r in studio.history})")
    assert prompts == ["a mushroom, openmoji style", "a mushroom, twemoji style"]
    assert python(lane, page, "len([op for op in studio.page.visible if op['tool'] == 'brush'])") == 5
    photograph(page.locator(".s2i-studio"), f"studio-{lane.name}")


@pytest.mark.lab_only
def test_german(lane, page):
    lane.run(page, "import s2i_teach as s2i\ns2i.language('de')", CELL)
    page.wait_for_selector(".s2i-frame[data-state=result]", timeout=60_000)
    assert "Stärke" in page.locator(".s2i-picture").first.get_attribute("alt")
    assert page.locator(".s2i").get_attribute("lang") == "de"
    assert violations(page, ".s2i") == []
    photograph(page.locator(".s2i-studio"), f"studio-de-{lane.name}")
    # The very first thing that is done on the page: a sketch of the gallery is translated as well.
    page.locator(".s2i-pad .s2i-more").evaluate("details => { details.open = true }")
    page.get_by_role("combobox", name="Skizze").select_option("snail")
    page.wait_for_function("document.querySelectorAll('.s2i-strip li').length === 2")
    settle(page, 300)
    assert python(lane, page, "studio.result.settings.prompt").startswith("a snail")


def becomes(lane, page, expression: str, value) -> None:
    """Wait until Python has this value: on a busy machine what a page sends may take seconds to arrive."""
    deadline = time.monotonic() + 30
    while (found := python(lane, page, expression)) != value and time.monotonic() < deadline:
        page.wait_for_timeout(200)
    assert found == value


def test_two_views_and_a_reload_agree(lane, page):
    lane.run(page, CELL, "studio")
    page.wait_for_function("document.querySelectorAll('.s2i-frame[data-state=result]').length === 2", timeout=60_000)
    becomes(lane, page, "len(studio.history)", 1)
    settle(page, 500)
    first, second = page.locator(".s2i-studio").nth(0), page.locator(".s2i-studio").nth(1)
    slider = first.get_by_role("slider", name="Strength")
    slider.evaluate(
        "(slider) => { slider.value = 1; slider.dispatchEvent(new Event('input')); slider.dispatchEvent(new Event('change')); }"
    )
    becomes(lane, page, "len(studio.history)", 2)
    settle(page, 500)
    expect(second.get_by_role("slider", name="Strength")).to_have_value("1", timeout=20_000)
    sources = [view.locator(".s2i-picture").first.get_attribute("src") for view in (first, second)]
    assert sources[0] == sources[1]
    drag(page, second.locator(".s2i-paper"), (50, 60), (100, 60))
    becomes(lane, page, "len(studio.history)", 3)
    settle(page, 500)
    assert python(lane, page, "studio.result.plan.evaluations") == 1
    if lane.name == "colab":
        return  # the classic page does not bring live widgets back
    lane.save(page)
    page.wait_for_timeout(500)
    page.reload(wait_until="domcontentloaded")
    page.wait_for_selector(".s2i-frame[data-state=result]", timeout=60_000)
    settle(page, 500)
    assert page.get_by_role("slider", name="Strength").first.input_value() == "1"
    assert python(lane, page, "len(studio.history)") == 3, "a reload runs nothing"


@pytest.mark.lab_only
def test_the_knobs_of_the_led_model_come_and_go(lane, page):
    lane.run(page, "import s2i_teach as s2i\nstudio = s2i.Studio('house')\nstudio")
    page.wait_for_selector(".s2i-frame[data-state=result]", timeout=60_000)
    model = page.get_by_role("combobox", name="Model", exact=True)
    assert model.input_value() == "mini-scribble-fast"
    knobs = page.get_by_role("group", name="The sketch leads")
    assert knobs.is_visible() and page.get_by_text("What leads the network", exact=True).is_visible()
    model.select_option("mini-fast")
    settle(page)
    assert not knobs.is_visible() and not page.get_by_text("What leads the network", exact=True).is_visible()
    assert python(lane, page, "[studio.result.model, studio.result.settings.control_scale]") == ["mini-fast", None]
    # Going back to the led picture brings its knobs and its hint.
    page.locator(".s2i-strip li").nth(1).get_by_role("button", name="Back to").click()
    knobs.wait_for(state="visible")
    assert page.get_by_text("What leads the network", exact=True).is_visible()
    assert python(lane, page, "studio.result.model") == "mini-scribble-fast"


def knobs_alone(browser, model: str):
    """A page with the studio's settings and nothing else, for a model."""
    from s2i_teach.widgets.base import source
    from s2i_teach.widgets.strings import STRINGS
    from s2i_teach.widgets.studio import _model_options

    options = {"models": _model_options(model), "model": model, "prompt": "", "schedulers": ["ddim"], "most_steps": 50}
    page = browser.new_page()
    page.set_content(f"<style>{source('style.css')}</style><div class=s2i></div>")
    page.add_script_tag(content=source("parts.js", "studio_knobs.js"))
    page.evaluate(
        """([options, table]) => {
          window.knobs = makeKnobs({words: makeWords(table), options, changed: () => {}, modelChosen: () => {}});
          document.querySelector("div").append(knobs.words, knobs.sliders, knobs.more);
        }""",
        [options, STRINGS["en"]],
    )
    return page


def test_a_flow_has_no_strength_to_slide(browser):
    """The settings alone, without a notebook, for a model that would be a download of 16 GB."""
    row = {"strength": None, "start": 1000.0, "left": None, "sigma": 1.0, "evaluations": 4, "seconds": None}
    page = knobs_alone(browser, "flux2-klein")
    try:
        strength, guidance, steps = (page.get_by_label(name, exact=True) for name in ("Strength", "Guidance", "Steps"))
        assert not strength.is_visible() and not guidance.is_visible() and steps.is_visible()
        assert not page.locator("details").is_visible(), "a negative prompt and schedulers of noise"
        asked = page.evaluate("knobs.values()")
        assert (asked["evaluations"], asked["steps"], asked["guidance"]) == (4, 4, 1)
        page.evaluate(
            "row => knobs.setPlans({plans: Array(4).fill(row), key: ['flux2-klein', 4, '', false, knobs.values().size], own: 'x'})",
            row,
        )
        assert page.locator(".s2i-plan").inner_text() == (
            "Starts at pure noise (σ = 1.00); each evaluation reads the sketch beside it. Transformer evaluations: 4, about ? s."
        )
        page.get_by_role("combobox", name="Model", exact=True).select_option("mini-fast")
        assert strength.is_visible() and guidance.is_visible() and page.locator("details").is_visible()
    finally:
        page.close()


def test_a_family_has_nothing_to_slide(browser):
    row = {"strength": None, "start": None, "left": None, "sigma": None, "evaluations": 1, "seconds": 0.04}
    page = knobs_alone(browser, "pix2pix")
    try:
        knobs = [page.get_by_label(name, exact=True) for name in ("Strength", "Guidance", "Steps")]
        knobs.append(page.get_by_role("combobox", name="Style", exact=True))
        assert not any(knob.is_visible() for knob in knobs) and not page.locator("details").is_visible()
        assert page.get_by_label("Seed", exact=True).is_visible()
        asked = page.evaluate("knobs.values()")
        assert (asked["evaluations"], asked["steps"], asked["guidance"], asked["style"]) == (1, 1, 1, "")
        assert "control_scale" not in asked
        page.evaluate(
            "row => knobs.setPlans({plans: [row], key: ['pix2pix', 1, '', false, knobs.values().size], own: ''})", row
        )
        assert page.locator(".s2i-plan").inner_text() == (
            "No noise and no steps: the sketch's lines go through the network. Evaluations: 1, about 0.04 s."
        )
        page.get_by_role("combobox", name="Model", exact=True).select_option("cascade")
        assert knobs[3].is_visible() and not any(knob.is_visible() for knob in knobs[:3])
        page.get_by_role("combobox", name="Model", exact=True).select_option("mini-fast")
        assert all(knob.is_visible() for knob in knobs) and page.locator("details").is_visible()
    finally:
        page.close()


def test_a_scene_is_drawn_on_a_larger_page(lane, page):
    """The size is a setting like the others: what it says is what runs, and the plan is that size's own."""
    lane.run(page, "import s2i_teach as s2i\nstudio = s2i.Studio('scene_garden', keep=False)\nstudio")
    page.wait_for_selector(".s2i-frame[data-state=result]", timeout=60_000)
    settle(page, 3000)
    told = "so they come out badly: a size of 384 × 384 is better for them."
    expect(page.get_by_text(told)).to_be_visible()
    photograph(page.locator(".s2i-studio"), "studio-scene-small")
    page.get_by_role("combobox", name="Picture size").select_option("384 × 384")
    settle(page)
    assert python(lane, page, "[studio.result.image.size, studio.result.notes]") == [[384, 384], []]
    expect(page.get_by_text(told)).not_to_be_visible()
    photograph(page.locator(".s2i-studio"), "studio-scene")
    assert not violations(page, ".s2i-studio")
    page.get_by_role("combobox", name="Model", exact=True).select_option("pix2pix")
    expect(page.get_by_role("combobox", name="Picture size")).to_be_hidden()
    page.get_by_role("combobox", name="Model", exact=True).select_option("mini-scribble")
    expect(page.get_by_role("combobox", name="Picture size")).to_have_value("128 × 128")
