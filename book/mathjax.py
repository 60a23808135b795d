"""Fetches MathJax once, from the npm registry: one file that typesets formulas as SVG and asks for no fonts."""

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from notebooks.build import ROOT

PACKAGE = "mathjax@3.2.2"
FILES = ("es5/tex-svg.js", "LICENSE")
KEPT = ROOT / "build" / "mathjax"


def fetch(folder: Path = KEPT) -> Path:
    """The folder with MathJax's files; what lies there is kept.

    Raises:
        RuntimeError: npm is missing, or the registry does not answer.
    """
    folder = folder / PACKAGE.replace("@", "-")
    if all((folder / Path(name).name).is_file() for name in FILES):
        return folder
    with tempfile.TemporaryDirectory() as place:
        try:
            asked = ["npm", "pack", "--silent", PACKAGE]
            packed = subprocess.run(asked, cwd=place, check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise RuntimeError("npm was not found: install Node.js (it brings npm) and run make book again.") from error
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"{PACKAGE} could not be fetched: {error.stderr.strip().splitlines()[-1:]}") from error
        with tarfile.open(Path(place) / packed.stdout.strip().splitlines()[-1]) as tar:
            tar.extractall(place, filter="data")
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copy(Path(place) / "package" / name, folder / Path(name).name)
    return folder
