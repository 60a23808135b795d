"""Colab's packages by name alone: an environment where each of them counts as installed, and none is there."""

import os
import re
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def colab_versions() -> dict[str, str]:
    """Package → version, from the list that Google publishes; a package from a file has its version in the file's name."""
    found = {}
    for line in (ROOT / "tests" / "colab-freeze.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, version = re.fullmatch(r"([\w.-]+)(?:==| @ .*?-)([^\s/]+?)(?:\.tar\.gz)?", line).groups()
            found[name] = version
    return found


def colab_by_name(folder: Path, with_pip: bool = False) -> Path:
    """Make an environment in ``folder`` that has the metadata of all of Colab's packages; the path of its Python."""
    venv.EnvBuilder(with_pip=with_pip, symlinks=os.name != "nt").create(folder)
    paths = sysconfig.get_paths(scheme="venv", vars={"base": str(folder), "platbase": str(folder)})
    for name, version in colab_versions().items():
        if name in ("pip", "setuptools"):  # the environment's own, if it has them
            continue
        made = Path(paths["purelib"]) / f"{re.sub(r'[-_.]+', '_', name)}-{version}.dist-info"
        made.mkdir()
        (made / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
        (made / "INSTALLER").write_text("colab\n", encoding="utf-8")
        (made / "RECORD").write_text("", encoding="utf-8")
    return Path(paths["scripts"]) / ("python.exe" if os.name == "nt" else "python")
