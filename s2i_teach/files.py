"""Files and their names: a name in a message, a path from what was typed, a file written whole."""

import contextlib
import hashlib
import os
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from s2i_teach.errors import InputError


def shown(name) -> str:
    """A file name for a message: on one line, and not longer than one reads."""
    text = "".join(letter if letter.isprintable() else "?" for letter in str(name))
    return text if len(text) <= 160 else f"{text[:80]}…{text[-60:]}"


LONGEST = 255
"""Bytes of a file's or a folder's own name on nearly every disk."""


def as_path(name) -> Path:
    """A path with ``~`` replaced.

    Raises:
        InputError: no text and no path, empty, with a zero byte, too long, or of a user who is not known.
    """
    if not isinstance(name, (str, bytes, os.PathLike)):
        raise InputError(f"{shown(repr(name))} is no file name: give text or a path.")
    text = os.fsdecode(os.fspath(name))
    if not text.strip():
        raise InputError("The file name is empty: give the name of a file.")
    if "\0" in text:
        raise InputError("The file name has a zero byte in it: give a plain file name.")
    if any(len(os.fsencode(part)) > LONGEST for part in Path(text).parts):
        raise InputError(f"{shown(text)} is longer than a file name can be: give a shorter one.")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise InputError(f"{shown(text)} names a user that is not known here: write the folder out.") from error


@contextlib.contextmanager
def reading(path) -> Iterator[None]:
    """What a disk refuses within, as one sentence; to ask whether a file exists can be refused, too.

    Raises:
        InputError: in the place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read: {error.strerror or error}.") from error


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def place_key(path: str) -> str:
    """A path as the most careless file systems compare it: what shares a key may share a place.

    Windows and macOS take letters of either case for the same, macOS also the two ways to write an accent.
    """
    key = path.casefold()
    return key if key.isascii() else unicodedata.normalize("NFC", key)


PARTIAL = ".s2i-*.partial"
"""Files that :func:`write_whole` was writing when its process was killed."""


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> Path:
    """Make a file by ``write(file)`` beside its place and move it there, so that no half-written one is ever seen.

    Folders are made. Returns the path.

    Raises:
        InputError: the place cannot be written.
    """
    partial = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix, _, suffix = PARTIAL.partition("*")
        handle, partial = tempfile.mkstemp(prefix=prefix, suffix=suffix, dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            write(file)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(partial, 0o666 & ~umask)
        os.replace(partial, path)
        return path
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be written: {error.strerror or error}.") from error
    finally:
        if partial and os.path.exists(partial):
            os.unlink(partial)
