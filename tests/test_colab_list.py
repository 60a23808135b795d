"""What a lesson's first cell does on Colab, as far as it can be seen without Colab."""

import ast
import json
import re
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

from notebooks.build import SETUP, branch, repository
from tests.colab_list import ROOT, colab_by_name, colab_versions

LIGHT = {"s2i_teach", "ImageHash"}
"""What the set-up cell may install: the course, and the one small package that Colab lacks."""


def ask_pip(python: Path, *wanted: str) -> subprocess.CompletedProcess:
    """What pip would install into an environment; its report as JSON on standard output."""
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--dry-run", "--quiet", "--report", "-"]
    waits = ["--retries", "0", "--timeout", "20"]
    return subprocess.run([*command, *waits, *wanted], cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """The Python of an environment with Colab's packages by name; skips where no package index answers."""
    python = colab_by_name(tmp_path_factory.mktemp("colab") / "env")
    asked = ask_pip(python, "--no-deps", "--force-reinstall", "imagehash")
    if asked.returncode:
        pytest.skip(f"no package index can be reached: {asked.stderr.strip().splitlines()[-1]}")
    return python


def would_install(colab: Path, *wanted: str) -> dict[str, str]:
    asked = ask_pip(colab, *wanted)
    assert asked.returncode == 0, asked.stderr
    parts = [part["metadata"] for part in json.loads(asked.stdout)["install"]]
    return {part["name"]: part["version"] for part in parts}


@pytest.mark.seconds(25)
def test_on_colab_the_course_installs_nothing_heavy(colab):
    assert would_install(colab, str(ROOT)).keys() == LIGHT


@pytest.mark.seconds(10)
def test_a_bound_that_colab_does_not_meet_would_be_seen(colab):
    assert "ipywidgets" in would_install(colab, "ipywidgets>=8")
    assert would_install(colab, "ipywidgets>=7.7.1", "torch>=2.4", "gdown>=5.2") == {}


def test_the_list_is_whole_and_the_tested_versions_are_its_own():
    """``make test-colab`` and the browser's tests install the versions that the list has."""
    versions = {name.lower().replace("_", "-"): version for name, version in colab_versions().items()}
    assert len(versions) > 600 and versions["google-colab"] == "1.0.0" and versions["torch"].startswith("2.")
    for file in ("tests/colab.txt", "tests/browser/colab.txt"):
        pinned = re.findall(r"^([\w-]+)==(\S+)$", (ROOT / file).read_text(encoding="utf-8"), re.M)
        assert len(pinned) > 3
        for name, version in pinned:
            listed = versions.get(name.lower().replace("_", "-"))
            assert listed is None and name == "notebook" or listed.partition("+")[0] == version, (file, name, listed)


@pytest.mark.parametrize("installed", [False, True])
def test_the_set_up_cell_asks_for_this_repository_once(monkeypatch, installed):
    calls, names = [], {}
    monkeypatch.setattr(util, "find_spec", lambda name: object() if installed else None)
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: calls.append((args, options)))
    exec(SETUP.format(repository=repository(), branch=branch()), names)
    assert names["s2i"].__name__ == "s2i_teach"
    course = f"s2i_teach @ git+{repository()}@{branch()}"
    wanted = [sys.executable, "-m", "pip", "install", "--quiet", course]
    assert calls == ([] if installed else [((wanted,), {"check": True})])


def test_every_use_of_colab_s_own_package_has_a_stand_in():
    """Drive's is in tests/test_fetch.py; anywidget's is below. A new use needs one."""
    using = set()
    for path in (ROOT / "s2i_teach").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if any(name.startswith("google") for name in names):
                using.add(path.relative_to(ROOT).as_posix())
    assert using == {"s2i_teach/data_sources/drive.py"}


STANDS_IN = """
import sys, types
calls = []
google, colab, output = (types.ModuleType(name) for name in ("google", "google.colab", "google.colab.output"))
output.enable_custom_widget_manager = lambda: calls.append("enabled")
google.colab, colab.output = colab, output
sys.modules |= {"google": google, "google.colab": colab, "google.colab.output": output}
import s2i_teach as s2i
assert calls == []
s2i.SketchPad()
print(calls)
"""


@pytest.mark.seconds(5)
def test_a_pad_asks_colab_to_show_widgets():
    """Colab shows no widget of others before its custom widget manager is on; nobody should have to know that."""
    ran = subprocess.run([sys.executable, "-c", STANDS_IN], cwd=ROOT, capture_output=True, text=True)
    assert (ran.stdout, ran.returncode) == ("['enabled']\n", 0), ran.stderr
