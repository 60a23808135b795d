"""Writes the lessons as nbgrader assignments: ``python -m notebooks.nbgrader --to COURSE``.

COURSE is the folder of an nbgrader course; each lesson becomes ``source/<lesson>/<lesson>.ipynb`` in it. An exercise's
cell is an autograded answer: the library's own lines stand between the marks that ``nbgrader generate_assignment`` cuts
out. The cell that checks it is an autograder test, worth as many points as the exercise is difficult, 1 to 5. Cells
that the tests rest upon are read-only. The metadata follow version 3 of nbgrader's schema. Nothing here needs nbgrader.
"""

import argparse
import ast
import re
import sys
from functools import partial
from pathlib import Path
from typing import BinaryIO

import nbformat

from notebooks import build
from s2i_teach.errors import InputError
from s2i_teach.files import as_path, shown, write_whole

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
SCHEMA = 3


def metadata(grade_id: str, **more) -> dict:
    """A cell's entry ``nbgrader``: neither graded nor locked nor an answer, but for what ``more`` says."""
    plain = {"grade": False, "locked": False, "solution": False, "task": False}
    return {"grade_id": grade_id, "schema_version": SCHEMA, **plain, **more}


def answered(stub: str, solution: str) -> str:
    """A stub's cell with the solution's lines in the place of its body, between the marks.

    ``def`` line and docstring stay the stub's, the library's own docstring is left out.

    Raises:
        ValueError: the stub does not end in a line of three dots, or the two do not have the same parameters.
    """
    head, dots, rest = stub.rstrip().rpartition("\n    ...")
    (wanted,), (given,) = ast.parse(stub).body, ast.parse(solution).body
    assert isinstance(wanted, ast.FunctionDef) and isinstance(given, ast.FunctionDef)
    if not dots or rest or [a.arg for a in wanted.args.args] != [a.arg for a in given.args.args]:
        raise ValueError(f"{wanted.name}: the stub is no function of the solution's parameters with ... as its body")
    documented = ast.get_docstring(given) is not None
    last = given.body[0].end_lineno if documented else given.body[0].lineno - 1
    body = "\n".join(solution.splitlines()[last:])
    return f"{head}\n    {BEGIN}\n{body.rstrip()}\n    {END}"


def with_test(check: str, name: str) -> str:
    """A check's cell that fails where the answer is wrong, but only after its last line: what follows can still run."""
    called = f"lesson.{name}.check({name})"
    if check.count(called) != 1:
        raise ValueError(f"{name}: the cell after the exercise does not check it")
    return f"{check.replace(called, f'outcome = {called}')}\nassert outcome.passed, str(outcome)"


def assignment(source: Path) -> nbformat.NotebookNode | None:
    """A lesson as an assignment's source notebook; None where it has no exercise."""
    from s2i_teach.lessons import lesson

    notebook = nbformat.reads(build.build(source, teacher=False), as_version=4)
    number, waiting, found, locked = int(source.stem[:2]), "", 0, 0
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if name := build.exercise_of(tags):
            cell.source = answered(cell.source, build.solution(number, name))
            cell.metadata["nbgrader"] = metadata(f"lesson{number:02d}-{name}", solution=True)
            waiting, found = name, found + 1
        elif waiting:
            points = getattr(lesson(number), waiting).difficulty
            cell.source = with_test(cell.source, waiting)
            more = {"grade": True, "locked": True, "points": points}
            cell.metadata["nbgrader"] = metadata(f"lesson{number:02d}-{waiting}-check", **more)
            waiting = ""
        elif "setup" in tags or re.search(r"^lesson = ", cell.source, re.MULTILINE):
            locked += 1
            cell.metadata["nbgrader"] = metadata(f"lesson{number:02d}-setup-{locked}", locked=True)
    if not found:
        return None
    nbformat.validate(notebook)
    return notebook


def write(course: Path, numbers: list[int] | None = None) -> list[Path]:
    """Write the assignments of all lessons that have exercises, or of some; returns the files.

    Raises:
        InputError: there is no such lesson, or it has no exercises; or the folder cannot be written to.
    """
    sources = {int(path.stem[:2]): path for path in sorted((build.HERE / "source").glob("*.py"))}
    made = []
    for number in sources if numbers is None else numbers:
        notebook = assignment(sources[number]) if number in sources else None
        if notebook is None:
            if numbers is None:
                continue
            raise InputError(f"There is no lesson {number} with exercises: the lessons are listed in the README.")
        stem = sources[number].stem
        data = (nbformat.writes(notebook, version=4) + "\n").encode("utf-8")
        made.append(write_whole(course / "source" / stem / f"{stem}.ipynb", partial(_put, data)))
    return made


def _put(data: bytes, file: BinaryIO) -> None:
    file.write(data)


def main(argv: list[str] | None = None) -> int:
    """Write the assignments, and say where they lie."""
    parser = argparse.ArgumentParser(prog="python -m notebooks.nbgrader", description=__doc__.splitlines()[0])
    parser.add_argument("--to", required=True, metavar="COURSE", help="the folder of an nbgrader course")
    parser.add_argument("--lessons", nargs="+", type=int, metavar="N", help="numbers (default: all with exercises)")
    args = parser.parse_args(argv)
    try:
        for path in write(as_path(args.to), args.lessons):
            print(path)
        return 0
    except InputError as error:
        print(f"nbgrader: {shown(error, 2000)}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
