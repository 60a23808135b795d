"""Drawings that outlive their kernel: one file a pad, in a folder beside the notebook."""

import hashlib
import itertools
import json
import os
import re
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2i_teach.errors import InputError
from s2i_teach.files import place_key, shown, write_whole, written
from s2i_teach.widgets.drawing import Drawing, url_picture

FOLDER = "s2i_pads"
"""Beside the notebook, that is in the kernel's working directory; not hidden, so that its owner finds it."""
LARGEST = 4_000_000
"""Bytes of a file above which it leaves out pages that were put away before, the oldest first."""


@dataclass(frozen=True)
class Origin:
    """The code that made a pad.

    Attributes:
        run: of which execution of a cell; None outside of a notebook.
        cell: the cell's id and the pad's number among those of its name that one run of the cell made; None where the
            notebook program does not say which cell it runs.
        notebook: its file's name; None where the program does not say it.
    """

    run: str | None = None
    cell: str | None = None
    notebook: str | None = None

    def is_surely_not(self, other: "Origin") -> bool:
        """Whether these cannot be two runs of one piece of code."""
        if self.run is not None and self.run == other.run:
            return True
        return None not in (self.cell, other.cell) and self.cell != other.cell


_made: dict[str, tuple[str, int]] = {}  # name → the run that made a pad of it last, and how many


def origin_of(name: str) -> Origin:
    """Where the code stands that is just making a pad of this name."""
    from IPython import get_ipython

    shell = get_ipython()
    asked: dict[str, Any] = (getattr(shell, "get_parent", dict)() or {}) if shell else {}
    run = asked.get("header", {}).get("msg_id")
    cell = asked.get("metadata", {}).get("cellId")
    if run is None:
        return Origin()
    before, count = _made.get(name, (None, 0))
    _made[name] = run, count + 1 if before == run else 1
    notebook = os.environ.get("JPY_SESSION_NAME") or shell.user_ns.get("__vsc_ipynb_file__")
    return Origin(run, cell and f"{cell}#{_made[name][1]}", notebook and Path(notebook).name)


@dataclass(frozen=True)
class Kept:
    """What a pad's file holds: the drawing, what else was noted, and the digest of the file's bytes."""

    page: Drawing
    notes: dict[str, Any]
    digest: str


def read_kept(path: Path) -> Kept | None:
    """A pad's file, or None where there is none.

    Raises:
        InputError: it is damaged.
        OSError: it cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        table = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{shown(path.name)} is no JSON: give a file that a pad saved.") from error
    page = Drawing.from_dict(table)
    notes = table.get("kept")
    return Kept(page, notes if isinstance(notes, dict) else {}, hashlib.sha256(data).hexdigest())


class Keeper:
    """Keeps the drawing of one pad.

    A pad's file is called as the pad. Of several pads of one name in a kernel the newest has it, for running a cell again
    makes a new pad; an older one that is still drawn on goes on in a file of its own. Where the notebook program tells
    which cell runs (JupyterLab, Notebook 7), pads of different cells are known to be different from the start. What
    another kernel wrote, or nobody can read, is never written over.

    Args:
        name: of the pad.
        named: whether somebody chose it. A pad without a name belongs to its cell, as long as its notebook has that cell.
        alive: tells whether the pad is still in use.

    Attributes:
        path: of the file; None before :meth:`begin` and where nothing can be kept.
        said: a key of the table of words and its values: where the drawing is kept, or why it is not.

    Raises:
        InputError: a name that no file can have everywhere.
    """

    def __init__(self, name: str, named: bool, alive: Callable[[], bool]):
        self.name, self.named, self.alive = _checked_name(name), named, alive
        self.origin = origin_of(self.name)
        self.path: Path | None = None
        self.said: tuple[str, dict[str, str]] = ("", {})
        self._seen: str | None = None
        self._notes: dict[str, Any] = {}

    def begin(self, start: Drawing) -> tuple[Drawing, dict[str, Any]]:
        """The drawing to go on with, and what was noted with it: the one kept, if this pad starts as that one did.

        A drawing that starts from something else is laid over the kept one: undo brings that back.
        """
        self._notes = {"start": fingerprint(start), "page": [start.width, start.height]}
        try:
            self._folder = Path.cwd() / FOLDER
            path, kept = self._found(start)
        except OSError as error:
            self._fails(f"{FOLDER} cannot be read: {error.strerror or error}.")
            return start, {}
        self._take(path)
        if not self.said[0]:
            taken = self.named and _holder(self._folder / f"{self.name}.json") not in (None, self)
            self._say("kept_other" if taken else "kept_in", name=self.name)
        if kept is None:
            return start, {}
        self._seen = kept.digest
        if not (_is_new(start) or kept.notes.get("start") == self._notes["start"]):
            page = kept.page
            for op in ({"tool": "clear"}, *start.visible)[0 if page.visible else 1 :]:
                page = page.then(op)
            return page, {}
        if not kept.page.is_empty and self.said[0] == "kept_in":
            self._say("kept_back")
        return kept.page, kept.notes

    def write(self, page: Drawing, **notes) -> None:
        """Keep the drawing, unless the file has it already."""
        if self.path is None:
            return
        data = self._bytes(page, notes)
        digest = hashlib.sha256(data).hexdigest()
        if digest == self._seen:
            return
        try:
            if _holder(self.path) is not self:
                self._move("kept_other")
            elif self._is_foreign():
                _moved[_key(self._folder / f"{self.name}.json")] = self._move("kept_foreign")
            write_whole(self.path, lambda file: file.write(data))
        except InputError as error:
            return self._fails(str(error))
        except OSError as error:
            return self._fails(f"{shown(self.path)} cannot be read: {error.strerror or error}.")
        self._seen = digest
        if self.said[0] in ("kept_back", "kept_not"):
            self._say("kept_in")

    def _bytes(self, page: Drawing, notes: dict) -> bytes:
        while True:
            kept = {**self._notes, "cell": self.origin.cell, "notebook": self.origin.notebook, **notes}
            data = json.dumps({**page.to_dict(), "kept": kept}).encode("utf-8")
            cleared = [number for number, op in enumerate(page.ops[: page.done], 1) if op["tool"] == "clear"]
            if len(data) <= LARGEST or not cleared:
                return data
            page = Drawing(page.width, page.height, page.ops[cleared[0] :], page.done - cleared[0])

    # Which file

    def _found(self, start: Drawing) -> tuple[Path, Kept | None]:
        """The file of this pad and what it holds, if there is any."""
        for path in itertools.chain(self._of_this_cell(), self._names()):
            holder = _holder(path)
            if holder not in (None, self) and holder.origin.is_surely_not(self.origin):
                continue
            try:
                kept = read_kept(path)
            except InputError:
                aside = next(each for each in _numbered(path.with_suffix(".damaged.json")) if not each.exists())
                path.rename(aside)
                self._say("kept_damaged", path=_place(path), aside=_place(aside))
                return path, None
            if kept is None or self._may_take(kept, start):
                return path, kept
        raise AssertionError("names never end")

    def _names(self) -> Iterator[Path]:
        """The names that a pad of this name may get, the best first."""
        own = self._folder / f"{self.name}.json"
        if _key(own) in _moved:
            yield _moved[_key(own)]
        yield from _numbered(own)

    def _of_this_cell(self) -> Iterator[Path]:
        """Files of this name that were made by this very cell."""
        if self.origin.cell is None:
            return
        for path in sorted(self._folder.glob(f"{self.name}*.json")):
            if re.fullmatch(rf"{re.escape(self.name)}(-\d+)?", path.stem):
                try:
                    kept = read_kept(path)
                except InputError:
                    continue
                notebook = kept.notes.get("notebook") if kept else None
                mine = notebook == self.origin.notebook or not (self._folder.parent / str(notebook)).exists()
                if kept and kept.notes.get("cell") == self.origin.cell and mine:
                    yield path

    def _may_take(self, kept: Kept, start: Drawing) -> bool:
        """Whether a drawing can be this pad's: the page has its size, and no other cell is known to have it."""
        size = [start.width, start.height]
        if kept.notes.get("page", size) != size:
            return False
        laid_over = not _is_new(start) and kept.notes.get("start") != self._notes["start"]
        if laid_over and [kept.page.width, kept.page.height] != size:
            return False
        cell, notebook = kept.notes.get("cell"), kept.notes.get("notebook")
        if self.named or self.origin.cell is None or not isinstance(cell, str) or not isinstance(notebook, str):
            return True
        return cell == self.origin.cell or not _has_cell(self._folder.parent / notebook, cell.partition("#")[0])

    def _is_foreign(self) -> bool:
        """Whether the file is no longer as this pad left or found it."""
        assert self.path is not None
        try:
            return hashlib.sha256(self.path.read_bytes()).hexdigest() != self._seen
        except FileNotFoundError:
            return False

    def _move(self, why: str) -> Path:
        """Go on in a file that nobody has."""
        assert self.path is not None
        before = self.path
        free = (path for path in self._names() if not path.exists() and _holder(path) is None)
        path = self._take(next(free))
        self._say(why, name=self.name, other=_place(before))
        return path

    def _take(self, path: Path) -> Path:
        self.path = path
        _holders[_key(path)] = weakref.ref(self)
        return path

    def _say(self, key: str, **values: str) -> None:
        self.said = key, {"path": _place(self.path) if self.path else "", **values}

    def _fails(self, error: str) -> None:
        self.said = "kept_not", {"error": error}


_holders: dict[str, "weakref.ref[Keeper]"] = {}
_moved: dict[str, Path] = {}  # a name's file that another kernel took → where this kernel went on


def _holder(path: Path) -> Keeper | None:
    """The pad of this kernel that keeps its drawing there."""
    found = _holders.get(_key(path))
    keeper = found() if found else None
    return keeper if keeper and keeper.alive() else None


def _key(path: Path) -> str:
    return place_key(str(path))


def _place(path: Path) -> str:
    return shown(f"{FOLDER}/{path.name}")


def _numbered(path: Path) -> Iterator[Path]:
    """``cat.json``, ``cat-2.json``, ``cat-3.json``, … without an end."""
    yield path
    for number in itertools.count(2):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def _checked_name(name) -> str:
    text = name.strip() if isinstance(name, str) else ""
    if not 0 < len(text) <= 60 or not all(letter.isalnum() or letter in " -_" for letter in text):
        raise InputError(f"A pad cannot be called {written(name)}: use up to 60 letters, digits, spaces, - and _.")
    return text


def _has_cell(notebook: Path, cell: str) -> bool:
    """Whether a notebook's file has a cell of that id."""
    try:
        return json.dumps(cell) in notebook.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _is_new(page: Drawing) -> bool:
    return not page.visible and page.done == 0


def fingerprint(page: Drawing) -> str:
    """A digest of what is seen on a page: its strokes, and the pixels of its pictures however they are packed."""
    seen = [
        {**op, "png": hashlib.sha256(url_picture(op["png"]).tobytes()).hexdigest()} if op["tool"] == "picture" else op
        for op in page.visible
    ]
    return hashlib.sha256(json.dumps([page.width, page.height, seen], sort_keys=True).encode()).hexdigest()
