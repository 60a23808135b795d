"""Where things lie in a set's folder, and small files that only one process can make."""

import os
import uuid
from pathlib import Path, PurePosixPath

from s2i_teach.errors import InputError
from s2i_teach.files import shown

PICTURES = "pictures"
"""Holds the pictures in the source's own tree, and ``metadata.jsonl``, as 🤗 datasets' ``imagefolder`` reads it."""
MANIFEST = "manifest.jsonl"
PARQUET = "manifest.parquet"
SHEET = "sheet.png"
REPORT = "report.html"
STATE = ".dataset"
"""What processes tell each other; it may be deleted when a set is complete."""
REQUEST = PurePosixPath(STATE, "request.json")
ALIVE = PurePosixPath(STATE, "alive")
CLAIMS = PurePosixPath(STATE, "claims")
ROWS = PurePosixPath(STATE, "rows")
FINISHED = PurePosixPath(STATE, "finished.json")
KEPT = "What is finished is kept: the same command goes on from there."


def create(path: Path, data: bytes) -> bool:
    """Make a file unless it is there; whatever is seen of it is whole. Returns whether it was made.

    A hard link is made at once or not at all, between nodes of NFS as well. A disk without links (a USB stick, Google
    Drive on Colab) opens the file exclusively: there a kill in the middle leaves an empty one.

    Raises:
        InputError: the place cannot be written.
    """
    partial = path.with_name(f".{uuid.uuid4().hex}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        try:
            os.link(partial, path)
        except FileExistsError:
            return False
        except OSError:
            return _create_alone(path, data)
        finally:
            partial.unlink(missing_ok=True)
        return True
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be written: {error.strerror or error}. {KEPT}") from error


def _create_alone(path: Path, data: bytes) -> bool:
    try:
        with open(path, "xb") as file:
            file.write(data)
        return True
    except FileExistsError:
        return False
