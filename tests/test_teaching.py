"""The page for teachers: its commands parse, its names exist, its minutes are the README's and fit into its hours."""

import importlib
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

import s2i_teach as s2i
from notebooks.map import lessons
from s2i_teach.cli import build_parser, main
from tests.test_project import ROOT, makefile_targets

PAGE = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```bash\n(.*?)^```", PAGE, re.M | re.S)
LINES = [line for block in BLOCKS for line in block.splitlines()]
INLINE = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", PAGE, flags=re.M | re.S))
MINUTES = {
    int(number): minutes
    for number, minutes in re.findall(r"^\| \[(\d+)\. .*? \| (\d+(?: \+ \d+)?) \| \d+ s,", README, re.M)
}
"""Lesson → its minutes as the README writes them."""


def part(heading: str) -> str:
    """A section of the page, up to the next heading of its level or above."""
    marks = heading.partition(" ")[0]
    return re.split(rf"^#{{2,{len(marks)}}} ", PAGE.partition(f"{heading}\n")[2], maxsplit=1, flags=re.M)[0]


def rows(text: str) -> list[list[str]]:
    """The rows of the first table of a text, without its head."""
    table = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


@pytest.mark.parametrize("line", [line for line in LINES + INLINE if line.startswith("s2i ")])
def test_a_command_is_one(line):
    """argparse takes the whole line, its options included; with … in place of a value it takes the command alone."""
    words = shlex.split(line)[1:]
    commands = next(action for action in build_parser()._actions if action.dest == "command").choices
    assert words[0] in commands, line
    if line in LINES:
        build_parser().parse_args(words)


def test_every_other_line_of_a_block_is_known():
    """A target of the Makefile, a module of ours, or pip, venv and Jupyter, which are no part of the course."""
    others = ("python3 -m venv ", "python3 -m pip wheel ", ".venv/bin/python -m pip install ", ".venv/bin/jupyter lab ")
    for line in LINES:
        target, module = re.fullmatch(r"make ([a-z-]+)", line), re.match(r"python -m ([\w.]+)", line)
        if target:
            assert target[1] in makefile_targets(), line
        elif module:
            assert find_spec(module[1]), line
        else:
            assert line.startswith(("s2i ", *others)), line
    for target in re.findall(r"`make ([a-z-]+)`", PAGE):
        assert target in makefile_targets()


def test_every_name_exists():
    named = {name for text in INLINE for name in re.findall(r"\bs2i\.([A-Za-z_]+)", text)}
    assert {"quiz", "scores", "BlindRating", "Playground", "class_pack"} <= named
    assert named <= set(s2i.__all__)
    for text in INLINE:
        for number, name, method in re.findall(r"s2i\.lesson\((\d+)\)\.(\w+)\.(\w+)\(", text):
            assert callable(getattr(getattr(s2i.lesson(int(number)), name), method))
        if re.fullmatch(r"s2i_teach(\.\w+)+", text):
            importlib.import_module(text)
    rating = importlib.import_module("s2i_teach.evaluate.rating")
    for name in ("merge", "ranking", "rater_agreement", "votes_needed"):
        assert f"`{name}`" in PAGE and callable(getattr(rating, name))
    assert callable(importlib.import_module("s2i_teach.evaluate").report)


def test_every_exercise_that_is_named_exists():
    there = {name for number in MINUTES if number for name in s2i.lesson(number).exercises}
    known = {"prepare", "lines", "filled", "control_scale", "num_inference_steps", "seed", "rater", "report"}
    known |= {"merge", "ranking", "rater_agreement", "votes_needed", "python"}
    named = {text for text in INLINE if re.fullmatch(r"[a-z_]+", text)}
    assert named - known and named - known <= there, named - known - there


def test_settings_that_are_named_exist():
    settings = s2i.Settings("a", control_scale=0.5, num_inference_steps=4, seed=0)
    assert settings and all(s2i.Settings("a", prepare=prepare) for prepare in ("lines", "filled"))


def test_paths_that_are_named_exist():
    for text in INLINE:
        if re.fullmatch(r"(notebooks|data|docs)/[\w./]*|constraints\.txt", text):
            assert (ROOT / text).exists(), text


# Lessons and their minutes


def test_the_table_of_lessons_is_the_readme_s():
    found = {int(row[0]): row[1] for row in rows(part("## What each lesson needs and gives"))}
    assert found == MINUTES and len(found) == len(lessons())


def test_what_a_lesson_needs_is_what_it_says_itself():
    """The lessons in its own line *You need*, as the map has them."""
    own = {lesson.number: lesson.needs | lesson.in_part for lesson in lessons()}
    for number, _, needed, _ in rows(part("## What each lesson needs and gives")):
        assert {int(n) for n in re.findall(r"\d+", needed)} == own[int(number)], number


def test_an_afternoon_has_four_hours():
    table = rows(part("### One afternoon"))
    assert sum(int(row[0]) for row in table) == 240
    for minutes, what, *_ in table:
        if found := re.fullmatch(r"lesson (\d+)", what):
            assert minutes == MINUTES[int(found[1])]


@pytest.mark.parametrize("plan", ["### Six sessions of 90 minutes", "### Half a semester"])
def test_a_session_fits_into_its_hour(plan):
    seen = []
    for number, (session, what, *_) in enumerate(rows(part(plan)), 1):
        assert int(session) == number
        assert 50 <= sum(map(int, re.findall(r"\((\d+)\)", what))) <= 85, what
        for lesson, rest, minutes in re.findall(
            r"lesson (\d+)((?: (?:first|second) sitting| sections?[^(]*)?) \((\d+)\)", what
        ):
            whole = MINUTES[int(lesson)].split(" + ")
            seen.append(int(lesson))
            if "sitting" in rest:
                assert minutes == whole["second" in rest]
            elif rest:
                assert int(minutes) < int(whole[0])
            else:
                assert [minutes] == whole, what
    assert sorted(set(seen))[:9] == list(range(9)) and seen == sorted(seen)


def test_nothing_is_named_that_does_not_exist():
    assert {int(n) for n in re.findall(r"\blesson (\d+)", PAGE)} <= set(MINUTES)


# Mistakes


def test_what_the_check_says_is_what_a_check_says():
    """Each quoted refusal is that of an exercise of its lesson, word by word where it is not shortened."""
    table = rows(part("## What students get wrong"))
    assert {int(row[0]) for row in table} == set(MINUTES) - {0}
    for number, quoted, *_ in table:
        said = [m.message for e in s2i.lesson(int(number)) for m in e.mistakes.values()]
        plain = quoted.strip("*")
        assert any(plain in " ".join(message.replace("*", "").split()) for message in said), (number, plain)


# The commands run


def test_a_class_pack_goes_round(tmp_path, monkeypatch, capsys):
    """The page's own lines, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    for start in ("s2i sample sketches", "s2i class-pack"):
        (line,) = (line for line in LINES if line.startswith(start))
        assert main(shlex.split(line)[1:]) == 0
    assert "s2i.class_pack(" in capsys.readouterr().out
    assert len(list(Path("sketches").rglob("*.png")) + list(Path("sketches").rglob("*.svg"))) >= 2
