"""What a class hands in: read as text, tabulated, made anonymous; whatever it is, the rest goes on."""

import csv
import json
import os
import re
import time
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

import s2i_teach as s2i
from s2i_teach.cli import main
from s2i_teach.errors import InputError
from s2i_teach.lessons import predict, predictions
from s2i_teach.lessons.handed_in import LARGEST, collect
from s2i_teach.lessons.progress import Progress
from s2i_teach.lessons.quiz_questions import UNSURE, questions
from s2i_teach.lessons.scores import SALT, code, plain
from tests.fuzzing import JSON, examples, near, one_sentence, spoilt

RIGHT = {question.name: question.right for question in questions("en")}
NAMES = list(s2i.lesson(2).exercises)


def quiz_bytes(before: int, after: int | None, seed: int = 1) -> bytes:
    """A quiz with so many right answers each time; the others are not known."""

    def some(right: int) -> dict:
        return {name: given if i < right else UNSURE for i, (name, given) in enumerate(RIGHT.items())}

    return json.dumps({"seed": seed, "before": some(before), "after": None if after is None else some(after)}).encode()


def progress(folder: Path, **rows) -> Path:
    """A file of lesson 2 as the lesson itself writes it, in a folder."""
    folder.mkdir(exist_ok=True, parents=True)
    kept = Progress(2, NAMES, folder)
    for name, (attempts, hints, passed, solution) in rows.items():
        for _ in range(hints):
            kept.hinted(name, 9)
        if solution:
            kept.shown(name)
        for number in range(attempts):
            kept.attempted(name, passed and number == attempts - 1)
    if not rows:
        kept.hinted(NAMES[0], 0)
    return kept.path


def cell(source: str, *printed: str):
    made = nbformat.v4.new_code_cell(source)
    made.outputs = [nbformat.v4.new_output("stream", name="stdout", text="\n".join(printed) + "\n")]
    return made


def notebook(path: Path, *cells, number: int = 2) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    heading = nbformat.v4.new_markdown_cell(f"# Lesson {number}. The noise schedule")
    nbformat.write(nbformat.v4.new_notebook(cells=[heading, *cells]), path)
    return path


@pytest.fixture()
def room(tmp_path):
    """Three students: two in folders of their own, one by the names of the files."""
    folder = tmp_path / "class"
    progress(folder / "anna", add_noise=(3, 1, True, False), alphas_cumprod=(2, 0, False, False))
    (folder / "anna" / "s2i_quiz.json").write_bytes(quiz_bytes(4, 7))
    kept = progress(tmp_path / "bo", add_noise=(1, 0, True, True))
    kept.rename(folder / "bo_s2i_progress_lesson02.json")
    (folder / "bo-s2i_quiz.json").write_bytes(quiz_bytes(10, None))
    notebook(
        folder / "cleo" / "02_noise_schedule.ipynb",
        cell("lesson.add_noise.check(add_noise)", "✓ passed: It agrees."),
        cell("x.compare(1)", "It is 2. You predicted 3: not so.", " a: it is b. You predicted b: right."),
    )
    return folder


def test_the_table_of_a_class(room):
    table = s2i.scores(room)
    assert table.lessons == (2,) and table.set_aside == ()
    assert table.rows == [
        ["student", "L2 (5)", "predictions", "before", "after", "gain"],
        ["anna", "1/2 1h", "–", "4", "7", "0.50"],
        ["bo", "1/1 1s", "–", "10", "–", "–"],
        ["cleo", "1/1", "1/2", "–", "–", "–"],
    ]
    assert "Quiz, both times (1): 4.0 before, 7.0 after, gain of the means 0.50." in str(table)
    assert "1. asked (lesson 3): all 2 → 1, share 0 → 0, last 0 → 0, picture 0 → 0, unsure 0 → 0" in str(table)
    assert "5. bottleneck (lesson 7): room 1 → 1, steps 0 → 0, words 0 → 0, seed 0 → 0, unsure 1 → 0" in str(table)


def test_counts_are_those_that_the_lesson_itself_scores(tmp_path, monkeypatch, capsys):
    """Hand in what a lesson leaves behind, and read the same as the lesson tells the student."""
    monkeypatch.chdir(tmp_path)
    lesson = s2i.lesson(2)
    lesson.add_noise.check(lesson.alphas_cumprod.reference)
    lesson.add_noise.hint()
    lesson.add_noise.check(lesson.add_noise.reference)
    lesson.scaled_linear_betas.solution()
    lesson.scaled_linear_betas.check(lesson.scaled_linear_betas.reference)
    lesson.alphas_cumprod.hint()
    capsys.readouterr()
    told = lesson.score()
    printed = capsys.readouterr().out.splitlines()
    folder = tmp_path / "class"
    folder.mkdir()
    os.replace("s2i_progress_lesson02.json", folder / "a_s2i_progress_lesson02.json")
    notebook(folder / "b.ipynb", cell("lesson.score()", *printed))
    by_file, by_notebook = (student.lessons[2] for student in collect(folder)[0])
    assert by_file.exercises == by_notebook.exercises == told
    assert (by_file.solved, by_file.tried, by_file.hints, by_file.shown) == (2, 2, 2, 1)


def test_a_notebook_s_checks_hints_and_predictions_are_read(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lesson = s2i.lesson(2)
    cells = []

    def ran(source: str) -> None:
        capsys.readouterr()
        exec(source, {"lesson": lesson, "predict": predict})
        cells.append(cell(source, *capsys.readouterr().out.splitlines()))

    predictions.forget()
    ran("lesson.add_noise.check(lambda x0, eps, alpha_bar, t: x0)")
    ran("lesson.alphas_cumprod.check(lambda betas: ...)")
    ran("lesson.alphas_cumprod.hint(); lesson.alphas_cumprod.hint()")
    ran("lesson.add_noise_from.solution()")
    ran("lesson.add_noise_from.check(lesson.add_noise_from.reference)")
    ran("predict('How many?', 3).compare(4, within=1); predict('Which?', options=('a', 'b')).compare('a')")
    predictions.forget()
    notebook(tmp_path / "class" / "ada.ipynb", *cells)
    (student,), aside = collect(tmp_path / "class")
    work = student.lessons[2]
    assert aside == [] and (work.solved, work.tried, work.hints, work.shown) == (1, 2, 2, 1)
    assert (work.right, work.predicted) == (1, 1), "what was not predicted is not wrong"


def test_two_sources_of_one_lesson_count_once_and_the_most(tmp_path):
    progress(tmp_path / "c" / "anna", add_noise=(1, 2, False, False))
    again = progress(tmp_path / "c" / "anna" / "later", add_noise=(4, 0, True, False))
    again.rename(tmp_path / "c" / "anna" / "s2i_progress_lesson02 (1).json")
    (student,), _ = collect(tmp_path / "c")
    assert student.lessons[2].exercises["add_noise"] == {"attempts": 4, "hints": 2, "passed": True, "solution": False}
    (tmp_path / "c" / "anna" / "s2i_quiz (1).json").write_bytes(quiz_bytes(1, 9))
    (tmp_path / "c" / "anna" / "s2i_quiz.json").write_bytes(quiz_bytes(1, None))
    assert collect(tmp_path / "c")[0][0].quiz.phase == "done"


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("anna_s2i_progress_lesson02.json", "anna"),
        ("Anna Maria - s2i_progress_lesson2.json", "Anna Maria"),
        ("anna.s2i_progress_lesson02 (3).json", "anna"),
        ("s2i_progress_lesson02.json", "the class"),
        ("Zoe\u0308_s2i_progress_lesson02.json", "Zoë"),
    ],
)
def test_whose_a_file_is(tmp_path, name, student):
    folder = tmp_path / "the class"
    progress(tmp_path / "x", add_noise=(1, 0, True, False)).rename(_made(folder) / name)
    assert [found.name for found in collect(folder)[0]] == [student]


def test_whose_a_notebook_is(tmp_path):
    for name in ("ada_02_noise_schedule.ipynb", "bo.ipynb", "02_noise_schedule.ipynb", "cy/deep/er/any name.ipynb"):
        notebook(tmp_path / "all" / name)
    assert [student.name for student in collect(tmp_path / "all")[0]] == ["ada", "all", "bo", "cy"]


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    return folder


# What cannot be used

BAD = {
    "s2i_progress_lesson02.json": {
        b"": "is damaged: it is no JSON",
        b"{": "is damaged: it is no JSON",
        b"\xff\xfe": "is damaged: it is no JSON",
        b"[" * 60_000: "is damaged: it is no JSON",
        b'{"add_noise": ' + b"9" * 5000 + b"}": "is damaged: it is no JSON",
        b"[1]": "is damaged: it is no table",
        b"{}": "names no exercise of lesson 2",
        b'{"another": {}}': "names no exercise of lesson 2",
        b'{"add_noise": 5}': "is damaged: the row of add_noise is none",
        b'{"add_noise": {"attempts": "1"}}': "is damaged: the row of add_noise is none",
        b'{"add_noise": {"attempts": -1}}': "is damaged: the row of add_noise is none",
        b'{"add_noise": {"attempts": 1e999}}': "is damaged: the row of add_noise is none",
        b'{"add_noise": {"passed": "<b>"}}': "is damaged: the row of add_noise is none",
        b" " * 70_000: "is larger than 0.064 MB",
    },
    "s2i_progress_lesson77.json": {b"{}": "is of lesson 77, which is not there"},
    "s2i_quiz.json": {b"{": "is damaged", b"{}": "holds no answers of before and after"},
    "other.json": {b"{}": "is no file that a lesson keeps"},
    "02_noise_schedule.ipynb": {
        b"{": "is damaged: it is no JSON",
        b"{}": "is damaged: it has no cells",
        b'{"cells": []}': "is no lesson of this course",
        b'{"cells": [5]}': "is no lesson of this course",
        b'{"cells": [{"source": "# Lesson 77. X"}]}': "is of lesson 77, which is not there",
        b'{"cells": [' + b",".join([b"1"] * 5001) + b"]}": "has more than 5000 cells, as no lesson has",
    },
}
CASES = [(name, data, why) for name, table in BAD.items() for data, why in table.items()]


@pytest.mark.parametrize(("name", "data", "why"), CASES, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(CASES)])
def test_what_cannot_be_used_is_set_aside_in_one_sentence(room, name, data, why):
    (_made(room / "zed") / name).write_bytes(data)
    table = s2i.scores(room)
    assert table.set_aside == (f"Set aside: {os.path.join('zed', name)} {why}.",)
    assert [row[0] for row in table.rows[1:]] == ["anna", "bo", "cleo", "zed"], "the student has a row all the same"
    assert table.rows[1:4] == s2i.scores(room).rows[1:4]


def test_links_large_notebooks_and_empty_folders_are_set_aside(room, tmp_path, monkeypatch):
    secret = progress(tmp_path / "secret", add_noise=(1, 0, True, False))
    (_made(room / "dan") / secret.name).symlink_to(secret)
    (room / "eve").symlink_to(secret.parent)
    _made(room / "fay")
    (_made(room / "gus") / "photo.png").write_bytes(b"\0")
    _made(room / ".git")
    _made(room / "__MACOSX")
    monkeypatch.setitem(LARGEST, ".ipynb", 100)
    assert s2i.scores(room).set_aside == (
        f"Set aside: {os.path.join('cleo', '02_noise_schedule.ipynb')} is larger than 0.0001 MB.",
        f"Set aside: {os.path.join('dan', secret.name)} is a link or no plain file.",
        "Set aside: fay holds nothing that a lesson keeps.",
        "Set aside: gus holds nothing that a lesson keeps.",
    )
    names = [row[0] for row in s2i.scores(room).rows[1:]]
    assert names == ["anna", "bo", "cleo", "dan", "fay", "gus"], "a link to a folder is not followed"


def test_nothing_is_run(room, tmp_path):
    code = f"open({str(tmp_path / 'ran')!r}, 'w')"
    notebook(room / "mal" / "02_noise_schedule.ipynb", cell(code), cell(f"!touch {tmp_path / 'ran'}"))
    (room / "mal" / "s2i_teach.py").write_text(code)
    (room / "mal" / "work.pkl").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    (room / "mal" / "conftest.py").write_text(code)
    s2i.scores(room)
    assert not (tmp_path / "ran").exists() and not Path("ran").exists()


def test_a_hostile_notebook_takes_no_time(tmp_path):
    line = "You predicted " * 300_000
    cells = [cell("a", line, "Hint 1" * 100_000), *[cell("x" * 5000, "You predicted " * 70)] * 4000]
    table = {"metadata": {"s2i_source": "notebooks/source/02_x.py"}, "cells": cells}
    (_made(tmp_path / "c") / "x.ipynb").write_text(json.dumps(table))
    started = time.perf_counter()
    (student,), _ = collect(tmp_path / "c")
    assert student.lessons[2].predicted == 0 and time.perf_counter() - started < 20


@pytest.mark.parametrize("what", ["missing", "file", "empty"])
def test_a_folder_that_is_none(tmp_path, what):
    place = tmp_path / what
    if what == "file":
        place.write_text("x")
    elif what == "empty":
        place.mkdir()
    with pytest.raises(InputError, match="holds nothing" if what == "empty" else "is no folder"):
        s2i.scores(place)


@examples(15)
@given(st.data())
def test_whatever_is_handed_in_is_read_or_set_aside(data):
    import tempfile

    good = {"add_noise": {"attempts": 1, "hints": 0, "passed": True, "solution": False}}
    whole = json.dumps({**good, "alphas_cumprod": good["add_noise"]}).encode()
    book = nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Lesson 2. X")])).encode()
    with tempfile.TemporaryDirectory() as place:
        folder = _made(Path(place) / "ada")
        (folder / "s2i_progress_lesson02.json").write_bytes(data.draw(spoilt(whole)))
        (folder / "s2i_quiz.json").write_bytes(data.draw(spoilt(quiz_bytes(3, 5))))
        (folder / "a.ipynb").write_bytes(data.draw(spoilt(book)))
        table = data.draw(near({"cells": [{"source": "# Lesson 2."}, {"outputs": []}], "metadata": {}}, JSON))
        (folder / "b.ipynb").write_bytes(json.dumps(table).encode("utf-8", "replace"))
        (folder / "s2i_progress_lesson03.json").write_bytes(json.dumps(data.draw(JSON)).encode("utf-8", "replace"))
        found = s2i.scores(place)
        assert len(found.students) == 1 and found.rows and str(found) and found._repr_html_()
        for sentence in found.set_aside:
            one_sentence(InputError(sentence))


# Names


FORMULAS = ("=1+1", "+1", "-2", "@SUM(A1)", " =1", "\t=1", "＝1", "\r=1", "\n+1")


@pytest.mark.parametrize("text", FORMULAS)
def test_a_cell_is_no_formula(text):
    assert plain(text) == f"'{text}"


def test_other_cells_stay_as_they_are():
    for value in ("anna", "", "a=b", -0.5, 3, None, "'=1", "Zoë"):
        assert plain(value) == value


def test_names_are_defused_in_csv_html_and_terminal(room, tmp_path):
    evil = "=HYPERLINK(1)<img src=x onerror=alert(1)>\x1b[2J".replace("/", "")
    progress(room / evil, add_noise=(1, 0, True, False))
    table = s2i.scores(room)
    (path, answers) = table.save(tmp_path / "out" / "scores.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = [row["student"] for row in csv.DictReader(file)]
    assert names[0] == f"'{evil}" and answers.name == "scores-quiz.csv"
    assert "<img" not in table._repr_html_() and "&lt;img" in table._repr_html_()
    assert "\x1b" not in str(table)


def test_the_file_has_a_number_a_cell(room, tmp_path):
    path, quiz = s2i.scores(room).save(str(tmp_path / "scores.csv"))
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "student": "anna",
        "lesson_02_exercises": "5",
        "lesson_02_solved": "1",
        "lesson_02_tried": "2",
        "lesson_02_hints": "1",
        "lesson_02_shown": "0",
        "predictions_right": "",
        "predictions": "",
        "quiz_before": "4",
        "quiz_after": "7",
        "quiz_gain": "0.5",
    }
    assert (rows[2]["predictions_right"], rows[2]["predictions"]) == ("1", "2")
    with quiz.open(encoding="utf-8-sig", newline="") as file:
        chosen = list(csv.DictReader(file))
    assert len(chosen) == 50 and sum(int(row["before"]) for row in chosen) == 20
    asked = [row for row in chosen if row["question"] == questions("en")[0].text]
    assert [(row["right"], row["before"], row["after"]) for row in asked if row["right"] == "yes"] == [
        ("yes", "2", "1")
    ]
    with pytest.raises(InputError, match="does not end in .csv"):
        s2i.scores(room).save(tmp_path / "scores.txt")


# Anonymous


def test_codes_in_place_of_names_that_nobody_can_work_out(room, tmp_path):
    (_made(room / "zed") / "s2i_quiz.json").write_bytes(b"{")
    named, coded = s2i.scores(room), s2i.scores(room, anonymous=True)
    salt = bytes.fromhex((room / SALT).read_text())
    everything = str(coded) + coded._repr_html_() + "".join(p.read_text() for p in coded.save(tmp_path / "s.csv"))
    for name in ("anna", "bo_", "cleo", "zed", salt.hex()):
        assert name not in everything
    codes = [student.name for student in coded.students]
    assert all(re.fullmatch("S-[A-Z2-9]{8}", each) for each in codes) and codes == sorted(codes)
    assert sorted(codes) == sorted(code(student.name, salt) for student in named.students)
    rest = sorted(row[1:] for row in named.rows[1:])
    assert sorted(row[1:] for row in coded.rows[1:]) == rest, "all else is the same"
    assert coded.set_aside == (f"Set aside: a file of {code('zed', salt)} is damaged.",)
    assert [student.name for student in s2i.scores(room, anonymous=True).students] == codes, "stable from week to week"
    (room / SALT).unlink()
    assert not {*codes} & {student.name for student in s2i.scores(room, anonymous=True).students}, "another salt"
    if os.name == "posix":
        assert (room / SALT).stat().st_mode & 0o077 == 0


def test_the_order_tells_nothing(tmp_path):
    """Over salts each student comes first about equally often."""
    first = [min(("anna", "bo", "cleo"), key=lambda name: code(name, bytes([n, 1]))) for n in range(240)]
    assert all(50 < first.count(name) < 110 for name in ("anna", "bo", "cleo"))


def test_a_damaged_salt_is_said(room):
    (room / SALT).write_text("abc")
    with pytest.raises(InputError, match="delete it"):
        s2i.scores(room, anonymous=True)


# The command


def test_the_command_says_what_the_library_says(room, tmp_path, capsys):
    assert main(["scores", str(room), "--out", str(tmp_path / "scores.csv")]) == 0
    said = capsys.readouterr().out
    assert str(s2i.scores(room)) in said and str(tmp_path / "scores.csv") in said
    assert main(["scores", str(room), "--anonymous"]) == 0
    assert "anna" not in capsys.readouterr().out.replace(str(room), "")
    assert main(["scores", str(tmp_path / "none")]) == 2
    assert "is no folder: give the one" in capsys.readouterr().err
