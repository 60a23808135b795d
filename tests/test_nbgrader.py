"""The lessons as nbgrader assignments: whole, answered by the library, and without a trace of answers for students."""

import ast
import inspect
import re
from pathlib import Path

import nbformat
import pytest

import s2i_teach as s2i
from notebooks.build import HERE, exercise_of
from notebooks.nbgrader import BEGIN, END, answered, assignment, main, with_test

SOURCES = sorted((HERE / "source").glob("*.py"))
REQUIRED = {"grade": bool, "locked": bool, "solution": bool, "task": bool, "schema_version": int, "grade_id": str}


@pytest.fixture(scope="module")
def made() -> dict[int, nbformat.NotebookNode]:
    """Lesson → its assignment, of all that have one."""
    found = {int(source.stem[:2]): assignment(source) for source in SOURCES}
    return {number: notebook for number, notebook in found.items() if notebook is not None}


def marked(notebook) -> list:
    return [cell for cell in notebook.cells if "nbgrader" in cell.metadata]


def for_students(text: str) -> str:
    """What ``nbgrader generate_assignment`` makes of a cell with the marks, by its documentation."""
    stub = r"\1# YOUR CODE HERE\n\1raise NotImplementedError()"
    return re.sub(rf"(?ms)^( *){BEGIN}\n.*?^ *{END}$", stub, text)


def test_every_lesson_with_exercises_has_one(made):
    with_exercises = {
        int(s.stem[:2]) for s in SOURCES if (HERE.parent / f"s2i_teach/lessons/lesson{s.stem[:2]}.py").exists()
    }
    assert set(made) == with_exercises and len(made) >= 17 and 0 not in made


def test_the_metadata_are_whole_by_version_3_of_the_schema(made):
    """Types, names and what belongs together, as nbgrader's own schema and validator have it."""
    for number, notebook in made.items():
        nbformat.validate(notebook)
        entries = [cell.metadata.nbgrader for cell in marked(notebook)]
        ids = [entry.grade_id for entry in entries]
        assert len(set(ids)) == len(ids) and len({cell.id for cell in notebook.cells}) == len(notebook.cells), number
        for cell, entry in zip(marked(notebook), entries, strict=True):
            assert cell.cell_type == "code" and set(entry) == set(REQUIRED) | ({"points"} if entry.grade else set())
            assert all(type(entry[key]) is kind for key, kind in REQUIRED.items()) and entry.schema_version == 3
            assert re.fullmatch(r"[a-zA-Z0-9_-]+", entry.grade_id) and not entry.task
            assert not (entry.grade and entry.solution) and (entry.grade or entry.solution or entry.locked)
            assert not entry.grade or 1 <= entry.points <= 5


def test_each_exercise_is_an_answer_with_its_test_behind_it(made):
    for number, notebook in made.items():
        cells = notebook.cells
        answers = [i for i, cell in enumerate(cells) if cell.metadata.get("nbgrader", {}).get("solution")]
        names = [exercise_of(cells[i].metadata.tags) for i in answers]
        assert sorted(names) == sorted(s2i.lesson(number).exercises)
        for name, i in zip(names, answers, strict=True):
            test = cells[i + 1].metadata.nbgrader
            assert test.grade and test.locked and test.grade_id == f"{cells[i].metadata.nbgrader.grade_id}-check"
            assert test.points == getattr(s2i.lesson(number), name).difficulty
            assert f"outcome = lesson.{name}.check({name})" in cells[i + 1].source
            assert cells[i + 1].source.endswith("assert outcome.passed, str(outcome)")
        locked = {c.metadata.nbgrader.grade_id for c in marked(notebook) if c.metadata.nbgrader.locked}
        assert {f"lesson{number:02d}-setup-1", f"lesson{number:02d}-setup-2"} <= locked
        assert any("lesson = s2i.lesson(" in c.source for c in marked(notebook) if c.metadata.nbgrader.locked)


def test_an_answer_is_the_library_s_own_code(made):
    """Statement by statement, whatever the layout: only the docstring is the stub's."""
    for number, notebook in made.items():
        for cell in notebook.cells:
            if name := exercise_of(cell.metadata.get("tags", [])):
                reference = getattr(s2i.lesson(number), name).reference
                (own,), (theirs,) = ast.parse(cell.source).body, ast.parse(inspect.getsource(reference)).body
                assert list(map(ast.dump, own.body[1:])) == list(map(ast.dump, theirs.body[1:])), name
                assert ast.get_docstring(own) != ast.get_docstring(theirs)
                assert [a.arg for a in own.args.args] == [a.arg for a in theirs.args.args]
                assert list(map(ast.dump, own.args.defaults)) == list(map(ast.dump, theirs.args.defaults))


def test_students_find_no_line_of_an_answer(made):
    for number, notebook in made.items():
        texts = [for_students(cell.source) for cell in notebook.cells]
        assert not any(BEGIN in text or END in text for text in texts)
        for cell, text in zip(notebook.cells, texts, strict=True):
            if name := exercise_of(cell.metadata.get("tags", [])):
                inner = cell.source.partition(BEGIN)[2].partition(END)[0]
                lines = {line.strip() for line in inner.splitlines() if len(line.strip()) > 12}
                assert lines or len(inner.strip()) > 5, name
                assert not [line for line in lines if line in text], (number, name)
                assert [type(part) for part in ast.parse(text).body[0].body] == [ast.Expr, ast.Raise]


def cell_function(text: str, name: str, reference):
    space = dict(inspect.getmodule(reference).__dict__)
    exec(text, space)
    return space[name]


def test_the_test_fails_for_the_student_s_stub_and_passes_for_the_answer(made, tmp_path, monkeypatch, capsys):
    """Lesson 2 as nbgrader runs it, cell by cell: an answer, the stub, and a wrong answer."""
    monkeypatch.chdir(tmp_path)
    lesson = s2i.lesson(2)
    cells = made[2].cells
    for i, cell in enumerate(cells):
        name = exercise_of(cell.metadata.get("tags", []))
        if not name:
            continue
        reference = getattr(lesson, name).reference
        right = cell_function(cell.source, name, reference)
        stub = cell_function(for_students(cell.source), name, reference)
        for answer, passes in ((right, True), (stub, False), (lambda *given, **more: 0, False)):
            space = {"lesson": lesson, name: answer}
            if passes:
                exec(cells[i + 1].source, space)
            else:
                with pytest.raises(AssertionError, match="not attempted" if answer is stub else "incorrect"):
                    exec(cells[i + 1].source, space)
            assert space[name] is (answer if passes else reference), "what follows has a function that works"
    assert "✓ passed" in capsys.readouterr().out


def test_a_stub_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="no function of the solution's parameters"):
        answered('def f(x):\n    """X."""\n    ...', "def f(x, y):\n    return x\n")
    with pytest.raises(ValueError, match="no function of the solution's parameters"):
        answered("def f(x):\n    return 1", "def f(x):\n    return x\n")
    with pytest.raises(ValueError, match="does not check it"):
        with_test("print(1)", "f")
    assert answered("def f(x):\n    ...", 'def f(x):\n    """X."""\n    # why\n    return x\n').splitlines()[1:] == [
        f"    {BEGIN}",
        "    # why",
        "    return x",
        f"    {END}",
    ]


def test_the_command_writes_a_course(tmp_path, capsys):
    assert main(["--to", str(tmp_path), "--lessons", "2", "3"]) == 0
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "source/02_noise_schedule/02_noise_schedule.ipynb",
        "source/03_what_the_network_predicts/03_what_the_network_predicts.ipynb",
    ]
    first = paths[0].read_bytes()
    assert main(["--to", str(tmp_path), "--lessons", "2"]) == 0 and paths[0].read_bytes() == first
    capsys.readouterr()
    for number in ("0", "99"):
        assert main(["--to", str(tmp_path), "--lessons", number]) == 2
        assert f"no lesson {number} with exercises" in capsys.readouterr().err


def test_nbgrader_itself_takes_them(made):
    """Its own validator, where nbgrader is installed; it is no dependency."""
    version_3 = pytest.importorskip("nbgrader.nbgraderformat.v3")
    for notebook in made.values():
        version_3.MetadataValidatorV3().validate_nb(notebook)
