"""Runs the lessons for the book, offline, and keeps what they gave by the content of their code and the package."""

import hashlib
import json
import tempfile
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import nbformat

from notebooks.build import ROOT, build

KEPT = ROOT / "build" / "book-cache"
"""Where outputs are kept: a notebook a lesson, as executed."""
MADE_OF = ("s2i_teach", "data")
"""What a lesson's outputs hang on, beside its own cells."""
DRAWN_BY = ("torch", "diffusers", "transformers", "matplotlib", "ipywidgets")
"""Libraries whose new versions may change an output."""


def solved(source: Path) -> nbformat.NotebookNode:
    """The lesson as it is run for the book: the teacher's edition, its notes left out.

    The teacher's code cells stay, which import what an answer needs; :func:`own` tells them apart.
    """
    notebook = nbformat.reads(build(source, teacher=True), as_version=4)
    notebook.cells = [cell for cell in notebook.cells if own(cell) or cell.cell_type == "code"]
    return notebook


def own(cell: nbformat.NotebookNode) -> bool:
    """Whether a cell of the teacher's edition has its place in the student's."""
    return "teacher" not in cell.metadata.get("tags", [])


@cache
def package_digest() -> str:
    """A hash of every file of the package and its data, and of the libraries' versions."""
    digest = hashlib.sha256()
    for folder in MADE_OF:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(ROOT).as_posix()}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    for name in DRAWN_BY:
        try:
            digest.update(f"{name} {version(name)}\0".encode())
        except PackageNotFoundError:
            continue
    return digest.hexdigest()


def key(notebook: nbformat.NotebookNode, package: str) -> str:
    """What decides whether a lesson is run again: its code cells, in order, and the package. Prose is free."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256(json.dumps([package, *code]).encode()).hexdigest()[:16]


def kept(source: Path, folder: Path = KEPT) -> Path:
    """Where a lesson's outputs are, or will be once it was run."""
    return folder / f"{source.stem}-{key(solved(source), package_digest())}.ipynb"


def run_missing(sources: Iterable[Path], at_once: int = 2, threads: int = 1, folder: Path = KEPT) -> list[Path]:
    """Run the lessons whose outputs are not kept, by the project's own runner with the network closed.

    Returns:
        The sources that were run. What is kept of an older state of theirs is removed.

    Raises:
        RuntimeError: a lesson failed, with the end of what it said; those that ran before it are kept.
    """
    from notebooks.run import run_all

    missing = [source for source in sources if not kept(source, folder).is_file()]
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(missing), at_once):
        some = missing[start : start + at_once]
        with tempfile.TemporaryDirectory() as asked, tempfile.TemporaryDirectory() as run:
            paths = {source: Path(asked) / f"{source.stem}.ipynb" for source in some}
            for source, path in paths.items():
                nbformat.write(solved(source), path)
            took = run_all(list(paths.values()), Path(run), at_once, threads)
            for source, path in paths.items():
                for old in folder.glob(f"{source.stem}-*.ipynb"):
                    old.unlink()
                kept(source, folder).write_bytes((Path(run) / path.name).read_bytes())
                print(f"{source.stem}: run in {took[path]['seconds']:.0f} s", flush=True)
    return missing
