"""The tool for a style: what is drawn is learned, and what its slider says is what runs."""

import numpy as np
import pytest
from PIL import Image

import s2i_teach as s2i
from s2i_teach.errors import InputError
from s2i_teach.models.style import read_style
from s2i_teach.translation.looks import LOOKS, in_look
from s2i_teach.widgets.strings import STRINGS
from s2i_teach.widgets.style import FROM_WORDS, LED, SIDE, Style


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    s2i.language("en")


def same(a, b) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b))


def drawn(tool: Style, name: str, caption: str) -> None:
    tool.pad.load(name)
    tool._caption.value = caption
    tool._add.click()


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A tool that learned two drawings in three updates."""
    folder = tmp_path_factory.mktemp("learned")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        tool = Style(to=folder / "mine.safetensors", steps=3)
        drawn(tool, "house", "a house")
        drawn(tool, "owl", "an owl")
        tool._train.click()
    return tool


def test_a_drawing_is_printed_in_the_inks_that_were_chosen():
    tool = Style()
    assert tool._train.disabled and tool._weight.disabled and tool.file is None
    tool._ink.label, tool._fill.label = "green", "yellow"
    drawn(tool, "turtle", " a turtle ")
    picture, caption = tool.drawings[0]
    assert caption == "a turtle" and picture.size == (SIDE, SIDE)
    pad = s2i.SketchPad("turtle", keep=False)
    assert same(picture, in_look(pad.sketch, LOOKS["forest"]))
    assert tool.pad.page.is_empty and tool._caption.value == "", "ready for the next one"
    assert not tool._train.disabled and 'alt="a turtle"' in tool._shown.value and "1 of 10" in tool._shown.value
    tool._take_back.click()
    assert tool.drawings == [] and tool._train.disabled


def test_what_is_missing_is_said_and_nothing_is_lost():
    tool = Style()
    tool._add.click()
    assert "The page is empty" in tool._status.value
    tool.pad.load("turtle")
    tool._add.click()
    assert "Say what the drawing shows" in tool._status.value
    assert not tool.pad.page.is_empty and tool.drawings == []
    with pytest.raises(InputError, match="train first"):
        tool.draw()
    with pytest.raises(InputError, match="no drawing"):
        tool.train()


def test_what_is_learned_is_a_file_that_draws(learned):
    style = read_style(learned.file)
    assert style.numbers > 0 and learned._progress.value == 3
    assert str(learned.file.name) in learned._status.value
    without, with_it = learned.results
    assert (without.settings.style_weight, with_it.settings.style_weight) == (0.0, 1.0)
    page = Image.new("RGB", (SIDE, SIDE), "white")
    plain = s2i.translate(page, "a turtle", pipe=FROM_WORDS, strength=1.0, seed=0)
    assert same(without.image, plain.image), "weight 0 is the model without the style"
    by_hand = s2i.translate(
        page, "a turtle", pipe=FROM_WORDS, strength=1.0, seed=0, style=str(learned.file), style_weight=1.0
    )
    assert same(with_it.image, by_hand.image) and not same(with_it.image, plain.image)


def test_the_slider_says_what_runs(learned):
    learned._weight.value = 0.5
    assert learned.results[1].settings.style_weight == 0.5 and "weight 0.5" in learned._pictures.value
    learned._prompt.value = "an <b>owl</b>"
    assert learned.results[1].settings.prompt == "an <b>owl</b>"
    assert "<b>owl" not in learned._pictures.value and "&lt;b&gt;owl" in learned._pictures.value
    learned.pad.load("turtle")
    learned._leads.value = True
    assert [result.model for result in learned.results] == [LED, LED] and learned.results[0].hint is not None
    learned.pad.clear()
    learned._prompt.value = "a turtle"
    assert learned.results[0].model == FROM_WORDS, "an empty page leads nothing"


def test_a_style_of_earlier_can_be_drawn_with_at_once(learned):
    again = Style(to=learned.file)
    assert not again._weight.disabled and again._train.disabled
    again.draw()
    assert again.results[1].settings.style == str(learned.file)


def test_drawings_from_elsewhere(tmp_path):
    page = Image.new("RGB", (300, 200), "white")
    page.save(tmp_path / "page.png")
    tool = Style([(page, "a page"), (tmp_path / "page.png", "another")])
    assert [caption for _, caption in tool.drawings] == ["a page", "another"]
    assert all(picture.size == (SIDE, SIDE) for picture, _ in tool.drawings)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"drawings": 3}, "must be a list"),
        ({"drawings": ["turtle.png"]}, "needs its caption"),
        ({"drawings": [("nothing.png", "a cat")]}, "nothing.png"),
        ({"drawings": [(Image.new("RGB", (9, 9)), " ")]}, "Say what the drawing shows"),
        ({"to": "style.bin"}, "ends in .safetensors"),
        ({"steps": 0}, "steps is 0"),
        ({"steps": True}, "steps is True"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_what_no_tool_can_be_made_of(given, words):
    with pytest.raises(InputError, match=words):
        Style(**given)


def test_a_damaged_style_is_refused(tmp_path):
    (tmp_path / "mine.safetensors").write_bytes(b"no style")
    with pytest.raises(InputError, match="damaged"):
        Style(to=tmp_path / "mine.safetensors")


def test_in_german():
    s2i.language("de")
    tool = Style()
    assert tool._train.description == STRINGS["de"]["style_train"]
    tool._add.click()
    assert "Das Blatt ist leer" in tool._status.value
