"""Which files a class has handed in, and whose they are."""

import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from s2i_teach.errors import InputError
from s2i_teach.files import reading, shown
from s2i_teach.lessons.handed_work import Student, read_notebook, read_progress, read_quiz, read_survey

LARGEST = {".json": 64_000, ".ipynb": 50_000_000}
"""Bytes: a file of progress has about five hundred; a notebook carries its pictures."""
MOST_FILES = 20_000
DEEPEST = 4
"""Folders within a student's folder."""
NO_STUDENTS = {"s2i_pads", "__MACOSX"}
"""Folders that lie beside the work: drawings, and what a Mac puts into an archive."""

_BEFORE = r"(?P<student>.*?)[\s._-]*"
_COPY = r"(?:[\s_-]*\(?\d{1,3}\)?)?"  # as a browser and a file manager call a second copy
PROGRESS = re.compile(rf"{_BEFORE}s2i_progress_lesson(?P<lesson>\d\d?){_COPY}\.json", re.IGNORECASE)
QUIZ = re.compile(rf"{_BEFORE}s2i_quiz{_COPY}\.json", re.IGNORECASE)
SURVEY = re.compile(rf"{_BEFORE}s2i_survey{_COPY}\.json", re.IGNORECASE)
NOTEBOOK = re.compile(rf"{_BEFORE}(?<!\d)\d\d_[a-z].*\.ipynb", re.IGNORECASE)


@dataclass(frozen=True)
class SetAside:
    """A file that could not be used: whose, which, and why (the end of a sentence that begins with the file)."""

    student: str
    path: str
    why: str


def collect(folder: Path) -> tuple[list[Student], list[SetAside]]:
    """All students of a folder, by name, and what was set aside.

    A sub-folder is a student, with all that lies in it. A file that lies in the folder itself is of the student whose
    name stands before its own, as in ``anna_s2i_quiz.json``; without a name it is the folder's.

    Raises:
        InputError: there is no such folder, or it cannot be read; or it holds far more than a class hands in.
    """
    students: dict[str, Student] = {}
    aside: list[SetAside] = []
    for path in _files(folder):
        name, is_sure = _whose(path, folder)
        student = students.get(name) or Student(name)
        if is_sure:
            students[name] = student
        try:
            read = _reader(path)
            if read is None:
                continue
            read(_bytes(path), student)
            students[name] = student
        except ValueError as error:
            aside.append(SetAside(name, str(path.relative_to(folder)), str(error)))
    with reading(folder):
        for place in sorted(filter(_is_student, folder.iterdir())):
            name = unicodedata.normalize("NFC", place.name)
            student = students.setdefault(name, Student(name))
            if not (student.lessons or student.quiz or student.surveys) and name not in {
                each.student for each in aside
            }:
                aside.append(SetAside(name, name, "holds nothing that a lesson keeps"))
    return sorted(students.values(), key=lambda student: student.name.casefold()), aside


def _whose(path: Path, folder: Path) -> tuple[str, bool]:
    """The student's name, and whether the file's place or name says it; else it may be no student's at all."""
    inside = path.relative_to(folder)
    if len(inside.parts) > 1:
        return unicodedata.normalize("NFC", inside.parts[0]), True
    for pattern in (PROGRESS, QUIZ, SURVEY, NOTEBOOK):
        if own := pattern.fullmatch(path.name):
            return unicodedata.normalize("NFC", own["student"].strip() or folder.resolve().name), True
    return (unicodedata.normalize("NFC", path.stem) if path.suffix.lower() == ".ipynb" else ""), False


def _is_student(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not path.name.startswith(".") and path.name not in NO_STUDENTS


def _files(folder: Path) -> Iterator[Path]:
    """Files of a folder in a fixed order; no links to folders, nothing hidden, no copies that Jupyter keeps."""
    with reading(folder):
        if not folder.is_dir():
            raise InputError(f"{shown(folder)} is no folder: give the one that holds what the class handed in.")
        next(folder.iterdir(), None)
    count = 0
    for place, folders, files in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in NO_STUDENTS and depth < DEEPEST)
        for name in sorted(files):
            count += 1
            if count > MOST_FILES:
                raise InputError(f"{shown(folder)} holds more than {MOST_FILES} files: give the folder of one class.")
            if not name.startswith("."):
                yield Path(place) / name


def _reader(path: Path) -> Callable[[bytes, Student], None] | None:
    """What reads a file, by its name; None for files that no lesson makes and nobody expects to be read.

    Raises:
        ValueError: its name says JSON, and no lesson makes it.
    """
    suffix = path.suffix.lower()
    if suffix == ".ipynb":
        return read_notebook
    if suffix != ".json":
        return None
    if QUIZ.fullmatch(path.name):
        return read_quiz
    if SURVEY.fullmatch(path.name):
        return read_survey
    if found := PROGRESS.fullmatch(path.name):
        number = int(found["lesson"])
        return lambda data, student: read_progress(data, student, number)
    raise ValueError("is no file that a lesson keeps")


def _bytes(path: Path) -> bytes:
    """A file's bytes.

    Raises:
        ValueError: it is no plain file, too large, or the disk refuses it.
    """
    try:
        state = path.lstat()
        if not stat.S_ISREG(state.st_mode):
            raise ValueError("is a link or no plain file")
        if state.st_size > LARGEST[path.suffix.lower()]:
            raise ValueError(f"is larger than {LARGEST[path.suffix.lower()] / 1e6:g} MB")
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror or 'the disk refuses it'})") from error
