"""Whatever a page sends and whatever is typed on the command line: a sentence, and never a traceback."""

import contextlib
import copy
import json

import numpy as np
import pytest
import traitlets
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import s2i_teach as s2i
from s2i_teach.cli import build_parser, main
from s2i_teach.widgets.drawing import Drawing
from tests.fuzzing import JSON, PROMPTS, TEXTS, examples, near, one_sentence
from tests.test_fuzz import OP, PAGE, pages

URL = "data:image/png;base64,iVBORw0KGgo="


@contextlib.contextmanager
def silent():
    """What traitlets itself refuses, a value of another type, is refused."""
    with contextlib.suppress(traitlets.TraitError):
        yield


def listening(widget, monkeypatch) -> list:
    """What a widget sends to its page; all of it is JSON, and each failure one sentence."""
    sent: list = []

    def send(content, buffers=None):
        json.dumps(content, allow_nan=False)
        for key in ("failure", "refused"):
            if key in content:
                one_sentence(ValueError(content[key]))
        sent.append(content)

    monkeypatch.setattr(widget, "send", send)
    return sent


def message(*words: str, **more):
    """A request of a page, or nearly one."""
    right = {"do": "file", "name": "a.png", "data": URL, "how": "draw", "number": 1, "kept": True, **more}
    known = st.sampled_from([*words, "hello", "sketch", "file", "untrace"])
    tables = st.tuples(known, near(right, st.one_of(JSON, TEXTS))).map(lambda made: {**made[1], "do": made[0]})
    return st.one_of(tables, JSON, near(right))


# Pads


@examples(100)
@given(asked=message(), drawing=st.one_of(pages(), JSON))
def test_a_pad(asked, drawing):
    with pytest.MonkeyPatch.context() as patch:
        pad = s2i.SketchPad()
        listening(pad, patch)
        with silent():
            pad.drawing = drawing
        pad._asked(pad, asked, [])
        assert isinstance(pad.page, Drawing) and pad.image(16).size == (16, 16)
        pad._still()


def test_a_huge_message_is_refused_or_answered_in_time():
    pad = s2i.SketchPad()
    stroke = {**OP, "points": [[1, 2, 0.5]] * 3_000}
    pad.drawing = {**PAGE, "ops": [stroke], "done": 1}
    assert pad.image(16).size == (16, 16)
    with pytest.raises(traitlets.TraitError):
        pad.drawing = {**PAGE, "ops": [{**OP, "tool": "a" * 10**7}], "done": 1}
    with pytest.MonkeyPatch.context() as patch:
        sent = listening(pad, patch)
        pad._asked(pad, {"do": "file", "name": "x" * 10**6, "data": "data:;base64," + "A" * 10**7, "how": "draw"}, [])
        pad._asked(pad, {"do": "sketch", "name": "x" * 10**6}, [])
        assert [list(each) for each in sent] == [["failure"]] * 2


# Studio

CONTROLS = {
    "version": 3,
    "final": True,
    "model": "tiny",
    "prompt": "a turtle",
    "style": "",
    "negative_prompt": "",
    "evaluations": 1,
    "steps": 2,
    "guidance": 2.5,
    "seed": 7,
    "filled": False,
    "scheduler": "",
}
DO = ("poll", "stop", "back", "picture", "keep", "save", "sheet", "code")


@pytest.fixture(scope="module")
def studio(tiny_pipe, tmp_path_factory):
    """A studio with one picture, whose worker takes what it is handed and does not run it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("studio"))
        patch.setattr(tiny_pipe, "s2i_model", "tiny", raising=False)
        made = s2i.Studio("turtle", model=tiny_pipe)
        while made._worker.busy:
            made._poll()
        made.request = CONTROLS
        while made._worker.busy:
            made._poll()
        assert len(made.history) == 1 and made.error is None
        patch.setattr(made._worker, "ask", lambda job: None)
        yield made


@examples(150)
@given(asked=message(*DO), request=st.one_of(near(CONTROLS), JSON))
def test_a_studio(studio, asked, request):
    with pytest.MonkeyPatch.context() as patch:
        sent = listening(studio, patch)
        with silent():
            studio.request = request
        if isinstance(request, dict):
            with contextlib.suppress(s2i.InputError):
                assert studio._job(request).settings.prompt.startswith(request.get("prompt", ""))
        studio._asked(studio, asked, [])
        assert all(isinstance(each, dict) for each in sent) and len(studio.history) == 1


# Playground and rating


@pytest.fixture(scope="module")
def ground():
    return s2i.Playground()


@examples(60)
@given(data=st.data())
def test_a_playground(ground, data):
    settings = data.draw(st.one_of(near(copy.deepcopy(ground.settings) | {"steps": 2}), JSON))
    more = {"settings": settings} | ({"drawing": data.draw(pages())} if data.draw(st.booleans()) else {})
    asked = data.draw(message("film")) if data.draw(st.booleans()) else {"do": "film", "version": 1}
    with pytest.MonkeyPatch.context() as patch:
        sent = listening(ground, patch)
        ground._asked(ground, {**asked, **more} if isinstance(asked, dict) else asked, [])
        assert all(isinstance(each, dict) for each in sent)
        assert ground._checked(ground.settings) == ground.settings


@examples(40)
@given(asked=st.one_of(near({"do": "vote", "vote": "left", "done": 0}), JSON))
def test_a_blind_rating(tiny_pipe, tmp_path, asked):
    picture = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    made = getattr(test_a_blind_rating, "results", None)
    if made is None:
        common = dict(pipe=tiny_pipe, num_inference_steps=2, size=(64, 64))
        made = [s2i.translate(picture, "a", strength=s, **common) for s in (0.5, 1.0)]
        test_a_blind_rating.results = made
    (tmp_path / "votes.csv").unlink(missing_ok=True)
    rating = s2i.BlindRating(made, tmp_path / "votes.csv")
    with pytest.MonkeyPatch.context() as patch:
        listening(rating, patch)
        rating._asked(rating, asked, [])
    assert len(rating.votes) <= 1


# The command line

BAD = [
    "-1", "0", "nan", "inf", "-inf", "1e400", "9" * 5000, "0x10", "1_0", "٣", "64x64", "7x", "x", "×", "64x64x64",
    "-5x3",
    "1e9x1e9", "", " ", "a\nb", "\0", "\udcff", "~nobody-of-this-name/a.png", "/", "..", "/dev/zero", "con", "a" * 300,
    "euler", "pndm", "mini", "fp16", "file:///etc/passwd", "http://127.0.0.1:1/a.png", "\\\\host\\share\\a.png",
    "C:\\a.png",
    "--", "-", "{here}", "{here}/sketch.png", "{here}/text.png", "{here}/deep/more.png", "{here}/it.zip",
    "{here}/a.csv",
    *PROMPTS.values(),
]  # fmt: skip


def options() -> dict[str, list]:
    """Command → its options and positions, as the parser itself knows them."""
    found = {}

    def look(parser, words: tuple[str, ...]) -> None:
        for action in parser._actions:
            if getattr(action, "choices", None) and isinstance(action.choices, dict):
                for name, below in action.choices.items():
                    look(below, (*words, name))
                return
        found[words] = [action for action in parser._actions if "-h" not in action.option_strings]

    look(build_parser(), ())
    return found


COMMANDS = options()
HEAVY = {("lab",), ("doctor",), ("demo",)}
"""They take a minute, or open a program, with any options."""


@st.composite
def arguments(draw) -> list[str]:
    words = draw(st.sampled_from(sorted(set(COMMANDS) - HEAVY)))
    value = st.one_of(st.sampled_from(BAD), st.sampled_from(BAD), TEXTS.map(lambda text: text.replace("\ud800", "")))
    line = list(words)
    for action in draw(st.lists(st.sampled_from(COMMANDS[words]), max_size=5)):
        several = action.nargs in ("+", "*")
        known = list(action.choices) if action.choices else []
        one = st.one_of(value, st.sampled_from(known)) if known else value
        values = draw(st.lists(one, min_size=1, max_size=3 if several else 1)) if action.nargs != 0 else []
        name = draw(st.sampled_from(action.option_strings)) if action.option_strings else None
        line += [name, *values] if name else values
    return line


@pytest.fixture(scope="module")
def here(tmp_path_factory, sketch_of_a_circle):
    folder = tmp_path_factory.mktemp("here")
    sketch_of_a_circle.save(folder / "sketch.png")
    (folder / "text.png").write_text("no picture")
    (folder / "it.zip").write_bytes(b"PK\5\6" + bytes(18))
    (folder / "a.csv").write_text("a,b\n1,2\n")
    return folder


@pytest.fixture(scope="module")
def sketch_of_a_circle():
    from PIL import ImageDraw

    picture = Image.new("RGB", (100, 80), "white")
    ImageDraw.Draw(picture).ellipse([20, 10, 80, 70], outline="black", width=4)
    return picture


@examples(150)
@given(argv=arguments())
def test_any_command_line(argv, here, tiny_pipe, tmp_path, capsys):
    """Nothing is trained, fetched or loaded: only what is said of the words is of interest."""
    nothing = lambda *args, **named: None  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        for part in ("text", "vae", "unet", "fast", "judge", "families", "reward"):
            name = "family" if part == "families" else part
            patch.setattr(f"s2i_teach.training.{part}.train_{name}", nothing)
        patch.setattr("s2i_teach.training.few_steps.train_few_steps", nothing)
        patch.setattr("s2i_teach.training.naming.train_classifier", nothing)
        patch.setattr("s2i_teach.training.people.fit_drawings", nothing)
        patch.setattr("s2i_teach.training.style.train_style", lambda *args, **named: iter(()))
        patch.setattr("s2i_teach.training.save.save_everything", nothing)
        patch.setattr("s2i_teach.training.data.fetch_packages", nothing)
        patch.setattr("s2i_teach.training.data.build_pairs", nothing)
        patch.setattr("s2i_teach.training.sketches.build_sketches", lambda *args: [])
        patch.setattr("s2i_teach.models.load.load_pipeline", lambda *args, **named: tiny_pipe)
        patch.setattr("s2i_teach.wall.shared_pipeline", lambda name: tiny_pipe)
        patch.setattr("s2i_teach.wall.MOST", 2)
        patch.setattr("s2i_teach.translation.sweep.MOST_CELLS", 2)
        patch.setattr("torch.set_num_threads", nothing)
        try:
            status = main([word.replace("{here}", str(here)) for word in argv])
        except SystemExit as stop:  # argparse leaves this way
            status = stop.code
    error = capsys.readouterr().err
    said = [line for line in error.splitlines() if not line.startswith(("Note: ", "On the CPU: "))]
    assert status in (0, 2), (status, error)
    assert "Traceback" not in error
    if status == 2:
        assert len(said) == 1 and len(said[0]) < 2500, error
