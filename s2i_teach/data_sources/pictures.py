"""What counts as a picture, by its name, and the pictures that lie in a folder."""

import os
import stat
from pathlib import Path, PurePosixPath

from s2i_teach.errors import InputError
from s2i_teach.files import reading, shown

ENDINGS = frozenset(
    ".png .apng .jpg .jpeg .jpe .jfif .mpo .gif .webp .avif .bmp .dib .tif .tiff .ppm .pgm .pbm .pnm .ico .jp2 .j2k "
    ".tga .psd".split()
)
"""The end of a picture's name, in small letters; a name may have it in any."""


def is_picture(name: str) -> bool:
    """Whether a name, with ``/`` between folders, is a picture's; a hidden file's is none."""
    path = PurePosixPath(name)
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".")


def pictures_in(folder: Path) -> tuple[list[str], list[str]]:
    """The paths of the pictures in a folder and below it, and those of what else lies there, with ``/``, sorted.

    Hidden folders are passed over. Links are among the other files, and those to folders are not followed: they can lead
    round in a circle, or out of the folder.

    Raises:
        InputError: a folder cannot be read.
    """
    pictures: list[str] = []
    others: list[str] = []

    def refuse(error: OSError):
        raise InputError(f"{shown(error.filename)} cannot be read: {error.strerror or error}.") from error

    for place, folders, names in os.walk(folder, onerror=refuse):
        here = Path(place)
        others += [(here / name).relative_to(folder).as_posix() for name in folders if (here / name).is_symlink()]
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            with reading(here / name):
                regular = stat.S_ISREG((here / name).lstat().st_mode)  # a pipe would wait for ever
            relative = (here / name).relative_to(folder).as_posix()
            (pictures if regular and is_picture(name) else others).append(relative)
    return sorted(pictures), sorted(others)
