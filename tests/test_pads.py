"""A drawing survives its kernel: which file a pad has, and that nothing in it is ever lost."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

import s2i_teach as s2i
from s2i_teach.errors import InputError
from s2i_teach.widgets import keeping
from s2i_teach.widgets.drawing import Drawing
from s2i_teach.widgets.keeping import FOLDER, Origin, read_kept
from tests.test_widgets import stroke

LINE, DOT = stroke((50, 50), (450, 60)), stroke((200, 200))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """An empty working directory and a kernel that has just begun."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keeping, "origin_of", lambda name: Origin())
    restart(monkeypatch)
    return tmp_path / FOLDER


def restart(monkeypatch) -> None:
    for table in ("_holders", "_moved", "_made"):
        monkeypatch.setattr(keeping, table, {})


def in_cell(monkeypatch, cell: str | None, run: str | None, notebook: str | None = "a.ipynb") -> None:
    monkeypatch.setattr(keeping, "origin_of", lambda name: Origin(run, cell, notebook))


def shown(pad):
    """The pad as after its cell has displayed it."""
    pad._begin_keeping()
    return pad


def draw(pad, *ops):
    for op in ops:
        pad.page = pad.page.then(op)
    return pad


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


# Back again


def test_a_drawing_is_back_after_a_second_run_and_after_a_restart(folder, monkeypatch):
    first = draw(shown(s2i.SketchPad()), LINE, DOT)
    first.undo()
    again = shown(s2i.SketchPad())
    assert again.page == first.page and again.page.redo().done == 2, "what was undone can be done again"
    assert again.kept["said"] == "Your last drawing is back. It is kept in s2i_pads/sketch.json."
    restart(monkeypatch)
    later = shown(s2i.SketchPad())
    assert later.page == first.page
    later.redo()
    assert later.kept["said"] == "Kept in s2i_pads/sketch.json." and not later.kept["wrong"]
    assert read_kept(folder / "sketch.json").page == later.page
    assert s2i.SketchPad("s2i_pads/sketch.json", keep=False).page == later.page, "the file is one that a pad opens"
    assert files(folder) == ["sketch.json"]


def test_nothing_is_kept_before_a_pad_is_shown_or_where_it_is_turned_off(folder, monkeypatch):
    draw(s2i.SketchPad(), LINE)
    draw(shown(s2i.SketchPad(keep=False)), LINE)
    draw(shown(s2i.SketchPad(name="cat", keep=False)), LINE)
    monkeypatch.setenv("S2I_KEEP_PADS", "0")
    quiet = draw(shown(s2i.SketchPad(name="cat")), LINE)
    assert quiet.kept == {} and files(folder) == []


def test_a_pad_that_was_shown_and_not_drawn_on_leaves_no_file(folder):
    shown(s2i.SketchPad("turtle"))
    assert files(folder) == []


def test_a_named_pad_is_open_before_it_is_shown(folder):
    draw(s2i.SketchPad(name="my cat"), LINE)
    assert s2i.SketchPad(name="my cat").page.ops == (Drawing.from_dict(Drawing().then(LINE).to_dict()).ops)
    assert files(folder) == ["my cat.json"]


@pytest.mark.parametrize("name", ["", " ", "a/b", "..", "a.json", "C:", "a*", "x" * 61, 5, "a\0b"])
def test_a_name_that_no_file_can_have_is_refused_in_a_sentence(name):
    with pytest.raises(InputError, match=r"A pad cannot be called .*: use up to 60 letters"):
        s2i.SketchPad(name=name)


def test_a_new_page_can_be_undone_after_a_restart(monkeypatch):
    pad = draw(shown(s2i.SketchPad()), LINE)
    pad.clear()
    draw(pad, DOT)
    restart(monkeypatch)
    again = shown(s2i.SketchPad())
    assert len(again.page.visible) == 1
    again.undo()
    assert again.page.is_empty
    again.undo()
    assert again.page.visible[0]["points"] == LINE["points"]


def test_a_pad_that_starts_from_a_sketch_is_back_as_it_was_left(monkeypatch):
    draw(shown(s2i.SketchPad("turtle")), LINE)
    restart(monkeypatch)
    assert [op["tool"] for op in shown(s2i.SketchPad("turtle")).page.visible] == ["picture", "brush"]
    other = shown(s2i.SketchPad("snail"))
    assert [op["tool"] for op in other.page.visible] == ["picture"], "who asks for a snail gets one"
    other.undo()
    other.undo()
    assert [op["tool"] for op in other.page.visible] == ["picture", "brush"], "and undo brings the turtle back"


def test_what_a_cell_drew_before_it_showed_the_pad_is_laid_over_what_was_kept(monkeypatch):
    draw(shown(s2i.SketchPad()), LINE)
    restart(monkeypatch)
    pad = shown(draw(s2i.SketchPad(), DOT))
    assert [op["points"] for op in pad.page.visible] == [DOT["points"]]
    pad.undo()
    pad.undo()
    assert [op["points"] for op in pad.page.visible] == [LINE["points"]]


def test_a_page_of_another_size_is_another_page(folder, monkeypatch):
    draw(shown(s2i.SketchPad()), LINE)
    restart(monkeypatch)
    wide = shown(s2i.SketchPad(width=300, height=200))
    assert wide.page.is_empty and (wide.page.width, wide.page.height) == (300, 200)
    draw(wide, DOT)
    restart(monkeypatch)
    assert shown(s2i.SketchPad(width=300, height=200)).page == wide.page
    assert files(folder) == ["sketch-2.json", "sketch.json"]


def test_pages_put_away_long_ago_are_left_out_of_a_large_file(folder, monkeypatch):
    monkeypatch.setattr(keeping, "LARGEST", 20_000)
    pad = shown(s2i.SketchPad())
    for _ in range(8):
        draw(pad, stroke(*((n, n) for n in range(1, 200))))
        pad.clear()
    draw(pad, LINE)
    assert (folder / "sketch.json").stat().st_size < 20_000
    restart(monkeypatch)
    again = shown(s2i.SketchPad())
    assert again.page.visible == pad.page.visible and 3 < again.page.done < pad.page.done


# Several pads, several kernels


def test_an_older_pad_of_the_name_that_is_drawn_on_goes_on_in_a_file_of_its_own(folder):
    older = draw(shown(s2i.SketchPad()), LINE)
    newer = draw(shown(s2i.SketchPad()), DOT)
    draw(older, stroke((9, 9)))
    assert "Another pad is called sketch as well" in older.kept["said"] and "sketch-2.json" in older.kept["said"]
    draw(newer, stroke((8, 8)))
    assert read_kept(folder / "sketch.json").page == newer.page
    assert read_kept(folder / "sketch-2.json").page == older.page


def test_pads_of_two_cells_are_two_where_the_program_tells_the_cells_apart(folder, monkeypatch):
    def made(cell, run, what=None):
        in_cell(monkeypatch, cell, run)
        return shown(s2i.SketchPad(what))

    cat = draw(made("one#1", "r1"), LINE)
    dog = made("two#1", "r2")
    assert dog.page.is_empty, "another cell begins an empty page"
    draw(dog, DOT)
    assert made("one#1", "r3").page == cat.page and made("two#1", "r4").page == dog.page
    restart(monkeypatch)
    cells = [nbformat.v4.new_code_cell("", id=name) for name in ("one", "two", "three")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), "a.ipynb")
    assert made("three#1", "r5").page.is_empty, "the first that runs takes no other cell's drawing"
    assert made("two#1", "r6").page == dog.page and made("one#1", "r7").page == cat.page, "out of order"
    assert files(folder) == ["sketch-2.json", "sketch.json"]


def test_a_drawing_whose_cell_is_gone_goes_to_the_cell_that_comes_next(monkeypatch):
    in_cell(monkeypatch, "one#1", "r1")
    cat = draw(shown(s2i.SketchPad()), LINE)
    restart(monkeypatch)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", id="new")]), "a.ipynb")
    in_cell(monkeypatch, "new#1", "r2")
    assert shown(s2i.SketchPad()).page == cat.page


def test_two_pads_of_one_name_made_by_one_cell_are_two(folder, monkeypatch):
    in_cell(monkeypatch, None, "r1")
    first, second = (draw(shown(s2i.SketchPad(name="cat")), op) for op in (LINE, DOT))
    assert first.kept["said"] == "Kept in s2i_pads/cat.json."
    assert second.kept["said"].startswith(
        "Another pad is called cat as well, so this drawing is kept in s2i_pads/cat-2.json."
    )
    assert [len(read_kept(folder / name).page.ops) for name in files(folder)] == [1, 1]


def test_a_closed_pad_gives_its_name_free(monkeypatch):
    in_cell(monkeypatch, "one#1", "r1")
    draw(shown(s2i.SketchPad(name="cat")), LINE).close()
    in_cell(monkeypatch, "two#1", "r2")
    assert shown(s2i.SketchPad(name="cat")).kept["said"].endswith("It is kept in s2i_pads/cat.json.")


def test_what_another_notebook_wrote_is_never_written_over(folder, monkeypatch):
    mine = draw(shown(s2i.SketchPad()), LINE)
    table = json.loads((folder / "sketch.json").read_text())
    (folder / "sketch.json").write_text(json.dumps(table | {"ops": [DOT, DOT], "done": 2}))
    draw(mine, stroke((7, 7)))
    assert mine.kept["said"] == (
        "Another notebook wrote s2i_pads/sketch.json meanwhile, so this drawing is kept in s2i_pads/sketch-2.json."
    )
    assert (
        len(read_kept(folder / "sketch.json").page.ops) == 2 and read_kept(folder / "sketch-2.json").page == mine.page
    )
    assert shown(s2i.SketchPad()).page == mine.page, "this kernel goes on with its own"
    (folder / "sketch-2.json").unlink()
    draw(shown(s2i.SketchPad()), DOT)
    assert (folder / "sketch-2.json").exists(), "a file that was deleted is written anew"


# What disks do


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b'{"format": "s2i_teach drawing 9"}', b"[" * 100_000])
def test_a_damaged_file_is_put_aside(folder, damage):
    folder.mkdir()
    (folder / "sketch.json").write_bytes(damage)
    (folder / "sketch.damaged.json").write_bytes(b"older")
    pad = shown(s2i.SketchPad())
    assert pad.kept["said"] == (
        "s2i_pads/sketch.json could not be read and is now s2i_pads/sketch.damaged-2.json. This page begins anew."
    )
    draw(pad, LINE)
    assert (folder / "sketch.damaged-2.json").read_bytes() == damage
    assert (folder / "sketch.damaged.json").read_bytes() == b"older"
    assert read_kept(folder / "sketch.json").page == pad.page


def test_where_nothing_can_be_written_the_pad_works_and_says_so(folder, german, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, os.strerror(28))

    pad = shown(s2i.SketchPad())
    with monkeypatch.context() as patch:
        patch.setattr("s2i_teach.files.tempfile.mkstemp", full)
        draw(pad, LINE)
    assert pad.kept["said"].startswith("Diese Zeichnung wird nicht aufbewahrt.") and pad.kept["wrong"]
    assert "kann nicht geschrieben werden" in pad.kept["said"]
    assert len(pad.page.ops) == 1
    draw(pad, DOT)
    assert pad.kept["said"] == "Aufbewahrt in s2i_pads/sketch.json." and not pad.kept["wrong"]


def test_a_folder_that_is_a_file_and_one_that_is_gone(folder, tmp_path, monkeypatch):
    folder.write_text("a file")
    pad = draw(shown(s2i.SketchPad()), LINE)
    assert pad.kept["wrong"] and "cannot be read" in pad.kept["said"] and len(pad.page.ops) == 1
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    pad = draw(shown(s2i.SketchPad()), LINE)
    assert pad.kept["wrong"] and len(pad.page.ops) == 1
    monkeypatch.chdir(tmp_path)


def test_a_killed_writer_leaves_the_last_whole_drawing(folder, monkeypatch):
    pad = draw(shown(s2i.SketchPad()), LINE)
    before = (folder / "sketch.json").read_bytes()
    monkeypatch.setattr("s2i_teach.files.os.replace", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        draw(pad, DOT)
    assert (folder / "sketch.json").read_bytes() == before and files(folder) == ["sketch.json"]


# What stays in a notebook


def test_a_closed_pad_is_shown_again_and_what_cannot_show_it_says_what_to_do(folder, monkeypatch):
    shows = []
    monkeypatch.setattr("IPython.display.display", lambda what, **more: shows.append(what))
    pad = draw(s2i.SketchPad(), LINE)
    pad._ipython_display_()
    pad.close()
    draw(pad, DOT)
    pad._ipython_display_()
    views, stills = shows[::2], shows[1::2]
    assert [view["text/plain"] for view in views] == ["Run this cell, and it comes to life."] * 2
    assert all("application/vnd.jupyter.widget-view+json" in view for view in views)
    assert "strokes: 1" in stills[0].data and "strokes: 2" in stills[1].data
    assert len(read_kept(folder / "sketch.json").page.ops) == 2


def test_interact_asks_for_widgets():
    with pytest.raises(InputError, match=r"^t is \(0, 9\): give a widget with a value, such as a slider\.$"):
        s2i.interact(print, t=(0, 9))


# The studio


def test_a_studio_keeps_its_drawing_and_its_words(folder, tiny_pipe, monkeypatch):
    def made(**changes):
        studio = s2i.Studio("turtle", model=tiny_pipe, **changes)
        monkeypatch.setattr(studio._worker, "ask", lambda job: None)
        return shown(studio)

    studio = made()
    studio.set_trait("drawing", studio.page.then(LINE).to_dict())
    request = {"version": 1, "final": False, "model": "tiny", "prompt": "a house", "evaluations": 1, "steps": 2}
    studio.request = request
    size = (folder / "studio.json").stat().st_size
    draw(studio, DOT)
    assert (folder / "studio.json").stat().st_size == size, "a stroke that still grows is not written"
    studio.request = {**request, "version": 2, "final": True}
    assert read_kept(folder / "studio.json").page == studio.page
    restart(monkeypatch)
    again = made()
    assert again.page == studio.page and again.options["prompt"] == "a house"
    assert made(prompt="a boat").options["prompt"] == "a boat"
    assert made(keep=False).page.done == 1 and made(name="led").page.done == 1


# In a notebook


def test_the_origin_of_a_pad_is_its_cell(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(keeping, "_made", {})
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/lesson.ipynb")
    parent = {"header": {"msg_id": "r1"}, "metadata": {"cellId": "abc"}}
    shell = SimpleNamespace(get_parent=lambda: parent, user_ns={})
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    assert [keeping.origin_of("a"), keeping.origin_of("a"), keeping.origin_of("b")] == [
        Origin("r1", "abc#1", "lesson.ipynb"),
        Origin("r1", "abc#2", "lesson.ipynb"),
        Origin("r1", "abc#1", "lesson.ipynb"),
    ]
    parent["header"] = {"msg_id": "r2"}
    assert keeping.origin_of("a") == Origin("r2", "abc#1", "lesson.ipynb")
    parent["metadata"] = {}
    assert keeping.origin_of("a") == Origin("r2", None, "lesson.ipynb")
    shell.get_parent = lambda: None
    assert keeping.origin_of("a") == Origin()
