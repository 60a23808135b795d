"""Where the course runs: Binder's files, and a README that claims no more than is tested."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.test_project import ROOT, makefile_targets

BINDER = ROOT / "binder"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_binder_s_environment_is_whole():
    """Its bounds are compared with pyproject.toml's in tests/test_project.py."""
    assert {path.name for path in BINDER.iterdir()} == {"environment.yml", "postBuild"}
    file = yaml.safe_load((BINDER / "environment.yml").read_text(encoding="utf-8"))
    assert file["channels"] == ["conda-forge"]
    *conda, last = file["dependencies"]
    assert all(isinstance(line, str) for line in conda) and {"python=3.12", "pip"} <= {*conda}
    # torch comes without CUDA's gigabytes, and pip adds this course alone.
    assert [line for line in conda if "torch" in line] == ["pytorch-cpu>=2.4"]
    assert list(last) == ["pip"] and len(last["pip"]) == 1
    course = (BINDER / last["pip"][0].removeprefix("-e ")).resolve()
    assert (course / "pyproject.toml").is_file()


def test_binder_s_last_step_stops_at_a_failure():
    file = BINDER / "postBuild"
    listed = subprocess.run(["git", "ls-files", "-s", str(file)], cwd=ROOT, capture_output=True, text=True).stdout
    assert listed.startswith("100755 "), "repo2docker runs it as a program"
    first, *rest = file.read_text(encoding="utf-8").splitlines()
    code = [line for line in rest if not line.startswith("#")]
    assert first == "#!/usr/bin/env bash" and code[0] == "set -euo pipefail"


@pytest.mark.seconds(8)
@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash here")
def test_binder_s_last_step_runs():
    """With this environment in the place of Binder's. All four steps run: the model's own strength is 1."""
    subprocess.run(["bash", "-n", str(BINDER / "postBuild")], check=True)
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(["bash", str(BINDER / "postBuild")], cwd=ROOT, env=env, capture_output=True, text=True)
    assert (ran.returncode, "4 evaluations" in ran.stdout) == (0, True), ran.stderr


def test_every_lesson_fits_into_binder_s_memory():
    """2 GB for a session, of which JupyterLab's server needs its part."""
    peaks = [float(peak) for peak in re.findall(r"\.ipynb\).*\| \d+ s, ([\d.]+) GB \|$", README, re.M)]
    assert len(peaks) == len(list((ROOT / "notebooks" / "source").glob("*.py")))
    assert max(peaks) <= 1.7


def places() -> dict[str, list[str]]:
    """The rows of the README's table of places: place → its other columns."""
    table = README.partition("## Where it runs")[2].partition("\n\n| ")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()[2:]]
    return {row[0]: row[1:] for row in rows}


def test_the_readme_names_a_command_for_all_that_it_calls_tested():
    found = places()
    names = ("Colab", "Kaggle", "Binder", "JupyterLab", "VS Code", "Windows", "JupyterLite")
    assert all(any(name in place for place in found) for name in names)
    for place, columns in found.items():
        assert len(columns) == 3, place
        _, tested, untested = columns
        commands = re.findall(r"`(?:make ([a-z-]+)|(tests/\w+\.py))`", tested)
        assert tested in ("nothing", "—") or commands, place
        assert tested != "nothing" or untested != "—", place
        for target, file in commands:
            assert target in makefile_targets() if target else (ROOT / file).is_file(), (place, target, file)
