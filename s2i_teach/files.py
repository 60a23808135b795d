"""Files and their names: a name in a message, a path from what was typed, a file written whole."""

import contextlib
import hashlib
import os
import re
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from s2i_teach.errors import InputError

if TYPE_CHECKING:
    import torch


def shown(name, most: int = 160) -> str:
    """A file name for a message: on one line, and not longer than one reads, ``most`` letters."""
    try:
        whole = str(name)
    except ValueError:  # Python writes out no number of more than 4300 digits
        whole = f"a {type(name).__name__} too long to be written out"
    text = "".join(letter if letter.isprintable() else "?" for letter in whole)
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-(most // 2 - 20) :]}"


def written(value) -> str:
    """A value for a message, as Python writes it: on one line, and not longer than one reads."""
    try:
        return shown(repr(value))
    except ValueError:
        return f"a {type(value).__name__} too long to be written out"


LONGEST = 255
"""Bytes of a file's or a folder's own name on nearly every disk."""


def as_path(name) -> Path:
    """A path with ``~`` replaced.

    Raises:
        InputError: no text and no path, empty, with a zero byte, too long, or of a user who is not known.
    """
    if not isinstance(name, (str, bytes, os.PathLike)):
        raise InputError(f"{written(name)} is no file name: give text or a path.")
    text = os.fsdecode(os.fspath(name))
    if not text.strip():
        raise InputError("The file name is empty: give the name of a file.")
    if "\0" in text:
        raise InputError("The file name has a zero byte in it: give a plain file name.")
    try:
        longest = max((len(os.fsencode(part)) for part in Path(text).parts), default=0)
    except UnicodeEncodeError as error:
        raise InputError(f"{shown(text)} has characters that no file name can have: give a plain file name.") from error
    if longest > LONGEST:
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


def is_device(name: str) -> bool:
    """Whether Windows takes a file's or a folder's name for a device, as it does ``con`` and ``NUL.png``."""
    first = name.partition(".")[0].rstrip(" ")
    return re.fullmatch(r"con|prn|aux|nul|conin\$|conout\$|(com|lpt)[\d¹²³]", first, re.IGNORECASE) is not None


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
    except UnicodeEncodeError as error:  # where a disk's names are not in UTF-8
        raise InputError(f"{shown(path)} has characters that cannot be written in a name here: change it.") from error
    finally:
        if partial and os.path.exists(partial):
            os.unlink(partial)


def write_tensors(path: Path, tensors: Mapping[str, "torch.Tensor"], told: dict[str, str]) -> Path:
    """:func:`write_whole` of tensors as safetensors, from any device, with ``told`` as the file's metadata.

    Raises:
        InputError: the place cannot be written.
    """
    from safetensors.torch import save

    data = save({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, metadata=told)
    return write_whole(path, lambda file: file.write(data))
