"""What a lesson's set-up cell costs: ``python -m benchmarks.setup_cell``, about a minute.

The cell's own lines run in a fresh environment where all of Colab's packages count as installed. GitHub is played by a
bare copy of this repository's last commit and its history on this disk; ImageHash and the build tool come from the
package index, which must be within reach; their few hundred kilobytes are not counted.
"""

import os
import subprocess
import tempfile
import time
from pathlib import Path

from notebooks.build import SETUP, branch, repository
from tests.colab_list import ROOT, colab_by_name


def git(*words: str, at: Path = ROOT) -> str:
    return subprocess.run(["git", *words], cwd=at, capture_output=True, text=True, check=True).stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        origin = here / "origin.git"
        git("init", "-q", "--bare", f"--initial-branch={branch()}", str(origin))
        git("push", "-q", str(origin), f"HEAD:refs/heads/{branch()}")
        git("config", "uploadpack.allowFilter", "true", at=origin)  # as GitHub allows it
        address = origin.as_uri()

        # As pip clones: https://pip.pypa.io/en/stable/topics/vcs-support/
        git("clone", "-q", "--filter=blob:none", "--branch", branch(), address, str(here / "clone"))
        fetched = sum(pack.stat().st_size for pack in (here / "clone").glob(".git/objects/pack/*.pack"))
        print(f"git fetches {fetched / 1e6:.1f} MB (bar: 80 MB)")
        git("archive", "--format=zip", f"--output={here / 'all.zip'}", "HEAD")
        print(f"an archive of the same files is {(here / 'all.zip').stat().st_size / 1e6:.1f} MB")

        python = colab_by_name(here / "env", with_pip=True)
        played = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{address}.insteadOf",
            "GIT_CONFIG_VALUE_0": repository(),
        }
        code = SETUP.format(repository=repository(), branch=branch()).partition("import s2i_teach")[0]
        start, before = time.perf_counter(), os.times()
        subprocess.run([python, "-c", code], cwd=here, env=os.environ | played, check=True)
        wall, after = time.perf_counter() - start, os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        print(f"the cell takes {wall:.0f} s here, {cpu:.0f} of them on a CPU, none for the network (bar: 60 s in all)")
        code = "import importlib.metadata as m; print(*(d.name for d in m.distributions() if (d.read_text('INSTALLER') or '') == 'pip\\n'))"
        there = subprocess.run([python, "-c", code], cwd=here, capture_output=True, text=True, check=True).stdout
        print(f"pip installed: {there.strip()}")


if __name__ == "__main__":
    main()
