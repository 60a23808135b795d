"""A teacher's own copy: everything leads to it, and what does not is found."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from notebooks import build
from notebooks.fork import LINK, checked_branch, checked_name, faults, fork
from s2i_teach.errors import InputError

ROOT = Path(__file__).resolve().parent.parent
LESSONS = ("00_first_picture", "08_sketch_to_picture")
WRITTEN = [
    "README.md",
    "CITATION.cff",
    "pyproject.toml",
    *(f"notebooks/{edition}{name}.ipynb" for name in LESSONS for edition in ("", "teacher/")),
]


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of what names the repository, as unpacked from a zip: no git, two lessons. It is called first/course."""
    for name in (*WRITTEN, *(f"notebooks/source/{name}.py" for name in LESSONS)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "HERE", tmp_path / "notebooks")
    assert fork("first/course") == []
    project = (tmp_path / "pyproject.toml").read_text(encoding="utf-8")
    assert project.count("forked-from = [") == 1
    project = re.sub(r"^forked-from = .*", "forked-from = []", project, flags=re.M)
    (tmp_path / "pyproject.toml").write_text(project, encoding="utf-8")
    return tmp_path


def read(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text(encoding="utf-8") for name in WRITTEN}


def test_this_copy_leads_to_one_place():
    assert faults() == []


def test_a_copy_is_led_to_its_own_repository_and_on(copy):
    old = "first/course"
    first = read(copy)
    assert fork("school/course") == [] and build.stale() == ({}, [])
    lesson = read(copy)["notebooks/08_sketch_to_picture.ipynb"]
    assert "s2i_teach @ git+https://github.com/school/course@main" in lesson
    assert "colab.research.google.com/github/school/course/blob/main/notebooks/08_sketch_to_picture.ipynb" in lesson
    assert "github.com/school/course/blob/main/s2i_teach/lessons/glossary.md" in lesson
    readme = read(copy)["README.md"]
    assert "kernels/welcome?src=https://github.com/school/course/blob/main/notebooks/00" in readme
    assert "mybinder.org/v2/gh/school/course/main?labpath=notebooks%2F00_first_picture.ipynb" in readme
    assert "repository-code: https://github.com/school/course\n" in read(copy)["CITATION.cff"]
    for name, text in read(copy).items():
        assert name == "pyproject.toml" or old not in text
    # On to another name, which contains the one before, and another branch.
    assert fork("https://github.com/school/course.v2.git", "autumn-2026") == [] and build.stale() == ({}, [])
    lesson = read(copy)["notebooks/teacher/00_first_picture.ipynb"]
    assert "git+https://github.com/school/course.v2@autumn-2026" in lesson
    assert "/github/school/course.v2/blob/autumn-2026/notebooks/teacher/00_first_picture.ipynb" in lesson
    assert "gh/school/course.v2/autumn-2026?labpath" in read(copy)["README.md"]
    assert f'forked-from = ["school/course", "{old}"]' in read(copy)["pyproject.toml"]
    # And home: the same bytes, but for the record of where it was.
    assert fork(old) == []
    home = read(copy)
    assert home.pop("pyproject.toml") != first.pop("pyproject.toml") and home == first


def test_a_text_of_the_first_repository_that_comes_later_is_led_here_too(copy):
    """After a merge from the course that a copy was made of."""
    fork("school/course")
    news = "See [it](https://github.com/first/course/blob/main/README.md).\n"
    (copy / "NEWS.md").write_text(news, encoding="utf-8")
    assert faults() == ["NEWS.md:1 names first/course"]
    assert fork("school/course") == []
    assert (copy / "NEWS.md").read_text() == "See [it](https://github.com/school/course/blob/main/README.md).\n"


@pytest.mark.parametrize(
    ("name", "of", "to", "said"),
    [
        ("notebooks/08_sketch_to_picture.ipynb", "/github/school/", "/github/scool/", "leads to scool/course"),
        ("notebooks/teacher/00_first_picture.ipynb", "blob/main/notebooks", "blob/master/notebooks", "branch master"),
        ("notebooks/00_first_picture.ipynb", "course@main", "course@old", "leads to the branch old"),
        ("README.md", "gh/school/course/main?", "gh/school/course/HEAD?", "leads to the branch HEAD"),
        ("README.md", "src=https://github.com/school", "src=https://github.com/microsoft", "microsoft/course"),
        ("CITATION.cff", "school/course", "{old}", "names {old}"),
    ],
)
def test_one_address_that_was_altered_by_hand_is_found(copy, capsys, name, of, to, said):
    old = "first/course"
    fork("school/course")
    text = (copy / name).read_text(encoding="utf-8")
    assert of in text
    (copy / name).write_text(text.replace(of, to.format(old=old), 1), encoding="utf-8")
    (sentence,) = faults()
    assert sentence.startswith(f"{name}:") and sentence.endswith(said.format(old=old))


def test_sources_may_be_linked_on_github_alone(copy):
    page = copy / "page.md"
    lines = [
        "https://github.com/googlefonts/noto-emoji/blob/main/README.md and [us]({us}/issues), {us}/tree/main.",
        "https://colab.research.google.com/github/googlefonts/noto-emoji/blob/main/a.ipynb",
        "https://raw.githubusercontent.com/some/body/main/a.png",
        "git clone git@github.com:some/body.git",
        "{us}/archive/refs/heads/old.zip, {us}/archive/refs/heads/main.zip",
        "{us}.git@old",
    ]
    page.write_text("\n".join(lines).replace("{us}", build.repository()), encoding="utf-8")
    assert faults() == [
        "page.md:2 leads to googlefonts/noto-emoji",
        "page.md:3 leads to some/body",
        "page.md:4 leads to some/body",
        "page.md:5 leads to the branch old",
        "page.md:6 leads to the branch old",
    ]
    assert LINK.search("https://github.com/a/b.c.git")["name"] == "a/b.c"


def test_what_git_ignores_is_left_alone(copy):
    subprocess.run(["git", "init", "-q"], cwd=copy, check=True)
    (copy / ".gitignore").write_text("mine/\n", encoding="utf-8")
    (copy / "mine").mkdir()
    (copy / "mine" / "page.md").write_text(build.repository(), encoding="utf-8")
    before = build.repository()
    assert fork("school/course") == []
    assert (copy / "mine" / "page.md").read_text(encoding="utf-8") == before


BAD_NAMES = ["", "course", "school/", "/course", "-school/course", "sch ool/course", "school/a/b", "school/..", "a_b/c"]


@pytest.mark.parametrize("name", [*BAD_NAMES, "https://gitlab.com/school/course", "school/" + "c" * 101])
def test_bad_names_are_refused_before_anything_is_written(copy, name):
    assert checked_name("https://github.com/school/course/") == checked_name(" school/course.git") == "school/course"
    before = read(copy)
    with pytest.raises(InputError, match="^REPO is .* give owner/name as GitHub has it"):
        fork(name)
    assert read(copy) == before


@pytest.mark.parametrize("branch", ["", "feature/x", "a b", "-x", ".x", "a..b", "a.lock", "a.", "ä", "a@{1}", "x\n"])
def test_bad_branches_are_refused(copy, branch):
    with pytest.raises(InputError, match="^BRANCH is .* give a branch or tag"):
        fork("school/course", branch)
    assert checked_branch("v1.2") == "v1.2"


def test_the_command_says_no_in_one_sentence():
    ran = subprocess.run(
        [sys.executable, "-m", "notebooks.fork", "my course"], cwd=ROOT, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert ran.stderr.startswith("REPO is 'my course': give owner/name")
