"""The live widgets without a browser: drawings, the pad's Python side, and the words they show."""

import ast
import base64
import json
import re
import string

import numpy as np
import pytest
from PIL import Image

import s2i_teach as s2i
from s2i_teach.errors import InputError
from s2i_teach.widgets import strings
from s2i_teach.widgets.base import HERE
from s2i_teach.widgets.drawing import Drawing, flatten


def stroke(*points, size=12, tool="brush") -> dict:
    return {"tool": tool, "size": size, "points": [[*point, 0.5] for point in points]}


@pytest.fixture()
def drawn() -> Drawing:
    """Two strokes, an erased part, and one stroke that was undone."""
    pressed = {"tool": "brush", "size": 20, "points": [[60 + 20 * n, 300 + 3 * n, n / 20] for n in range(20)]}
    drawing = Drawing().then(stroke((50, 50), (450, 60), (430, 400), (100, 380))).then(pressed)
    drawing = drawing.then(stroke((250, 20), (260, 500), size=30, tool="eraser"))
    return drawing.then(stroke((1, 1), (500, 500))).undo()


def pixels(picture) -> bytes:
    return picture.tobytes()


def grey(picture) -> np.ndarray:
    return np.asarray(picture.convert("L")).astype(float)


# Drawings


def test_a_drawing_is_the_same_at_every_size(drawn):
    large = drawn.image(1024)
    assert large.size == (1024, 1024)
    small = drawn.image(256)
    assert np.abs(grey(large.resize((256, 256), Image.Resampling.BOX)) - grey(small)).mean() < 1.5
    wide = drawn.image(768, 512)
    assert wide.size == (768, 512)
    assert (grey(wide)[:, :128] == 255).all() and (grey(wide)[:, 640:] == 255).all(), "what is missing is paper"
    assert np.abs(grey(wide)[:, 128:640] - grey(drawn.image())).max() <= 16, "but for a sixteenth of a pixel"


def test_a_line_has_the_width_that_was_asked_for():
    column = 255 - grey(Drawing().then(stroke((50, 256), (450, 256), size=12)).image())[:, 250]
    assert column.sum() == 12 * 255
    assert column[250:262].sum() == 12 * 255


def test_pressure_makes_a_line_wider_and_a_click_is_a_dot():
    pressed = Drawing().then({"tool": "brush", "size": 20, "points": [[50, 256, 0.0], [450, 256, 1.0]]})
    ink = (255 - grey(pressed.image())).sum(axis=0) / 255
    assert abs(ink[60] - 10.5) < 1 and abs(ink[440] - 29.5) < 1.5
    dot = (255 - grey(Drawing().then(stroke((256, 256), size=20)).image())).sum() / 255
    assert abs(dot - np.pi * 100) < 5


def test_smoothing_keeps_the_ends_and_stays_between_the_points():
    points = [[0, 0, 0.5], [100, 0, 0.5], [100, 100, 0.5], [0, 100, 0.5]]
    line = flatten(points, 10)
    assert line[0] == (0, 0, 10) and line[-1] == (0, 100, 10)
    assert (100, 0, 10) not in line and max(x for x, _, _ in line) <= 100 and len(line) == 2 + 2 * 6
    assert flatten(points[:2], 10) == [(0, 0, 10), (100, 0, 10)]


def test_undo_and_redo(drawn):
    assert len(drawn.visible) == 3 and len(drawn.ops) == 4
    assert drawn.redo().done == 4 and drawn.redo().redo() == drawn.redo()
    cleared = drawn.then({"tool": "clear"})
    assert cleared.is_empty and len(cleared.ops) == 4, "what was undone cannot be done again after something new"
    assert cleared.undo().visible == drawn.visible
    assert Drawing().undo() == Drawing()
    assert Drawing().then(stroke((1, 1), tool="eraser")).is_empty


@pytest.mark.parametrize("kind", ["json", "svg"])
def test_a_drawing_saves_and_loads_back(drawn, kind, tmp_path):
    drawn = drawn.with_picture(s2i.sketches()[0].open()).then(stroke((5, 5), (500, 5)))
    path = drawn.save(tmp_path / "new folder" / f"mine.{kind}")
    again = Drawing.open(path)
    assert json.dumps(again.to_dict()) == json.dumps(Drawing.from_dict(drawn.to_dict()).to_dict())
    assert pixels(again.image(300)) == pixels(drawn.image(300))
    assert s2i.SketchPad(path).sketch == drawn.image()


def test_the_svg_looks_like_the_drawing(drawn, tmp_path):
    import io

    import resvg_py

    seen = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=drawn.to_svg()))))
    assert seen.size == (512, 512)
    difference = np.abs(grey(seen) - grey(drawn.image())).sum() / (255 - grey(drawn.image())).sum()
    assert difference < 0.06


DAMAGED = {
    "no table": [],
    "another format": {"format": "x"},
    "no page": {"format": "s2i_teach drawing 1", "ops": [], "done": 0},
    "page of no size": {"format": "s2i_teach drawing 1", "width": 0, "height": 5, "ops": [], "done": 0},
    "ops no list": {"format": "s2i_teach drawing 1", "width": 5, "height": 5, "ops": 3, "done": 0},
    "too much done": {"format": "s2i_teach drawing 1", "width": 5, "height": 5, "ops": [], "done": 1},
    "done no number": {"format": "s2i_teach drawing 1", "width": 5, "height": 5, "ops": [], "done": "0"},
}
OPS = {
    "unknown tool": {"tool": "spray"},
    "no tool": {},
    "no table": 5,
    "no points": {"tool": "brush", "size": 5, "points": []},
    "two numbers": {"tool": "brush", "size": 5, "points": [[1, 2]]},
    "words": {"tool": "brush", "size": 5, "points": [["a", "b", "c"]]},
    "not finite": {"tool": "brush", "size": 5, "points": [[float("nan"), 2, 0.5]]},
    "infinite": {"tool": "brush", "size": 5, "points": [[float("inf"), 2, 0.5]]},
    "no width": {"tool": "brush", "size": 0, "points": [[1, 2, 0.5]]},
    "too hard": {"tool": "brush", "size": 5, "points": [[1, 2, 7]]},
    "no picture": {"tool": "picture"},
    "a web address": {"tool": "picture", "png": "http://example.org/x.png"},
    "a broken picture": {"tool": "picture", "png": "data:image/png;base64,AAAA"},
    "no base64": {"tool": "picture", "png": "data:image/png;base64,ä!"},
}


@pytest.mark.parametrize("table", [*DAMAGED.values(), *OPS.values()], ids=[*DAMAGED, *OPS])
def test_a_damaged_drawing_is_refused_in_a_sentence(table):
    if not isinstance(table, dict) or "format" not in table and table not in DAMAGED.values():
        table = {**Drawing().to_dict(), "ops": [table], "done": 1}
    with pytest.raises(InputError, match=r"[.]$"):
        Drawing.from_dict(table)


def test_a_pad_refuses_a_damaged_drawing_and_keeps_its_own(drawn):
    pad = s2i.SketchPad()
    pad.page = drawn
    with pytest.raises(InputError):
        pad.drawing = {**pad.drawing, "done": 99}
    assert pad.page == Drawing.from_dict(drawn.to_dict())


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", b"{", "no JSON"),
        ("a.json", b"\xff\xfe\x00", "no text"),
        ("a.json", b"[" * 100_000, "no JSON"),
        ("a.svg", b"<svg", "cannot be read"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no drawing"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><metadata>x</metadata></svg>", "cannot be read"),
        ("a.png", b"x", "not a picture"),
    ],
)
def test_a_file_that_is_no_drawing_is_refused_in_a_sentence(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words):
        s2i.SketchPad(tmp_path / name)


# The pad


def test_a_pad_s_sketch_goes_straight_into_translate(drawn, tiny_pipe):
    pad = s2i.SketchPad()
    pad.page = drawn
    settings = {"pipe": tiny_pipe, "num_inference_steps": 4, "seed": 3}
    result = s2i.translate(pad.sketch, "a turtle", **settings)
    assert result.image.size == result.settings.size
    assert pixels(s2i.translate(pad, "a turtle", **settings).image) == pixels(result.image)


def test_a_pad_loads_saves_and_undoes(tmp_path):
    pad = s2i.SketchPad("turtle")
    turtle = next(sketch for sketch in s2i.sketches() if sketch.name == "turtle")
    assert pixels(pad.image(128)) != pixels(s2i.SketchPad().image(128))
    pad.load(turtle)
    assert pad.page.done == 2
    pad.undo()
    pad.undo()
    assert pad.page.is_empty
    pad.redo()
    pad.clear()
    assert pad.page.is_empty and pad.page.done == 2
    pad.undo()
    assert Image.open(pad.save(tmp_path / "turtle.png")).size == (512, 512)
    for wrong in ("turtle.jpg", "turtle", ""):
        with pytest.raises(InputError):
            pad.save(wrong)
    with pytest.raises(InputError):
        s2i.SketchPad(width=3)
    with pytest.raises(InputError):
        s2i.SketchPad(width=100_000, height=10)


def test_a_saved_drawing_takes_the_place_of_what_is_there_and_can_be_undone(drawn, tmp_path):
    path = drawn.save(tmp_path / "saved.json")
    pad = s2i.SketchPad()
    pad.page = pad.page.then(stroke((5, 5), (9, 9)))
    mine = pad.sketch
    pad.load(path)
    assert pixels(pad.sketch) == pixels(drawn.image())
    for _ in range(1 + len(drawn.visible)):
        pad.undo()
    assert pixels(pad.sketch) == pixels(mine)
    other = s2i.SketchPad(width=300, height=200)
    other.load(path)
    assert (other.page.width, other.page.height) == (512, 512)


def test_a_picture_on_a_large_page_stays_small():
    pad = s2i.SketchPad(s2i.sketches()[0], width=4000, height=3000)
    from s2i_teach.widgets.drawing import url_picture

    assert url_picture(pad.page.ops[0]["png"]).size == (1024, 768)


def test_a_question_from_the_page_is_answered_or_refused_in_a_sentence(monkeypatch):
    pad = s2i.SketchPad()
    said = []
    monkeypatch.setattr(pad, "send", lambda content, buffers=None: said.append(content))
    for odd in (None, "x", {}, {"do": "rm"}):
        pad._asked(pad, odd, [])
    assert not said
    pad._asked(pad, {"do": "sketch", "name": "../../etc/passwd", "how": "draw"}, [])
    pad._asked(pad, {"do": "file", "name": "<b>.png", "data": "data:;base64,AAAA", "how": "draw"}, [])
    pad._asked(pad, {"do": "file", "name": "a.json", "data": "data:;base64,/////w==", "how": "draw"}, [])
    assert [list(message) for message in said] == [["failure"]] * 3
    assert "No sketch is called" in said[0]["failure"] and "<b>.png is not a picture" in said[1]["failure"]
    assert pad.page.is_empty
    pad._asked(pad, {"do": "sketch", "name": "turtle", "how": "trace"}, [])
    assert pad.trace.startswith("data:image/png") and pad.page.is_empty, "what is traced is no part of the drawing"
    pad._asked(pad, {"do": "untrace"}, [])
    assert pad.trace == ""


def test_a_german_pad_refuses_in_german(german, monkeypatch):
    pad = s2i.SketchPad()
    said = []
    monkeypatch.setattr(pad, "send", lambda content, buffers=None: said.append(content["failure"]))
    damaged = json.dumps({**Drawing().to_dict(), "ops": [{"tool": "spray"}], "done": 1}).encode()
    for name, data in (("<b>.png", b"\0\0"), ("a.json", b"\xff"), ("a.json", damaged)):
        url = "data:;base64," + base64.b64encode(data).decode()
        pad._asked(pad, {"do": "file", "name": name, "data": url, "how": "draw"}, [])
    assert said == [
        "<b>.png ist kein lesbares Bild: als PNG oder JPEG speichern.",
        "a.json ist kein Text: eine von einem Zeichenblock gespeicherte Datei wählen.",
        "Die Zeichnung ist beschädigt (Vorgang 1: das Werkzeug spray gibt es nicht): noch einmal aus dem Zeichenblock "
        "speichern.",
    ]


def test_a_pad_leaves_a_picture_for_readers_without_it(drawn):
    pad = s2i.SketchPad()
    assert "<img" not in pad._still_html()
    pad.page = drawn
    assert re.search(r'alt="The last drawing \(strokes: 2\)"', pad._still_html())


# Words


def test_every_language_has_every_word_with_the_same_gaps():
    def gaps(text):
        return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)

    english = strings.STRINGS["en"]
    for code, table in strings.STRINGS.items():
        assert list(table) == list(english), code
        assert table["code"] == code
        for key, text in table.items():
            assert text.strip() and gaps(text) == gaps(english[key]), (code, key)
    other = strings.STRINGS["de"]
    same = [key for key in english if english[key] == other[key]]
    assert len(same) < 0.1 * len(english), same


def test_no_word_is_there_twice():
    tree = ast.parse((HERE / "strings.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            keys = [key.value for key in node.keys]
            assert len(set(keys)) == len(keys), [key for key in set(keys) if keys.count(key) > 1]


def test_the_pages_say_only_what_the_table_has():
    code = "\n".join(path.read_text(encoding="utf-8") for path in HERE.glob("*.js"))
    used = set(re.findall(r'words\(\s*"(\w+)"', code))
    python = "\n".join(path.read_text(encoding="utf-8") for path in HERE.glob("*.py") if path.name != "strings.py")
    used |= set(re.findall(r'words\["(\w+)"\]', python))
    assert used == set(strings.STRINGS["en"]), used ^ set(strings.STRINGS["en"])
    # No sentence stands in the code itself: children of h(…) and what is said come from the table.
    assert not re.findall(r'textContent = "[^"]', code)
    assert "innerHTML" not in code and "insertAdjacentHTML" not in code, "text is never read as HTML"


def test_a_language_that_is_not_there():
    try:
        assert s2i.language("de") == "de" == s2i.language()
        assert s2i.SketchPad().words["undo"] == "Rückgängig"
        for wrong in ("xx", "", 5):
            with pytest.raises(InputError, match="en, de"):
                s2i.language(wrong)
        assert s2i.language() == "de"
    finally:
        s2i.language("en")
