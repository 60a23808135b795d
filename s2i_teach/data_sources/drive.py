"""Google Drive both ways: what a link names, what a shared folder holds, and the student's own Drive on Colab."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from s2i_teach.data_sources.offline import is_offline
from s2i_teach.errors import InputError
from s2i_teach.files import shown

MOUNT = Path("/content/drive")
"""Where Colab's own examples mount the student's Drive."""

_HOSTS = ("drive.google.com", "docs.google.com", "drive.usercontent.google.com")
_ID = r"([-\w]{10,})"


@dataclass(frozen=True)
class DriveFile:
    """One file of a shared folder: its id and its path below the folder, parts joined by ``/``."""

    id: str
    path: str

    @property
    def url(self) -> str:
        """The address that :func:`~s2i_teach.data_sources.download.fetch` takes."""
        return file_url(self.id)


def file_url(id: str) -> str:
    """The address of a Drive file's contents."""
    return f"https://drive.google.com/uc?id={id}"


def drive_id(link: str) -> tuple[str, Literal["file", "folder"]] | None:
    """The id that a Google Drive link names, and whether it is a file or a folder; None for any other text.

    Raises:
        InputError: a Google document (it has no file behind it), or a Drive link without an id.
    """
    parts = urlsplit(link.strip()) if re.match(r"\s*https?://", link, re.I) else None
    if parts is None or parts.hostname not in _HOSTS:
        return None
    if re.match(r"/(document|spreadsheets|presentation|forms|drawings)/", parts.path):
        raise InputError(
            f"{shown(link)} is a Google document, not a file: save it from Google (File, Download) and give that file."
        )
    if found := re.match(rf"/file/(?:u/\d+/)?d/{_ID}(?:/|$)", parts.path):
        return found[1], "file"
    if found := re.match(rf"/drive/(?:u/\d+/|mobile/)?folders/{_ID}(?:/|$)", parts.path):
        return found[1], "folder"
    ids = parse_qs(parts.query).get("id", [])
    if len(ids) == 1 and re.fullmatch(_ID, ids[0]):
        return ids[0], "folder" if parts.path.rstrip("/").endswith(("/folderview", "/embeddedfolderview")) else "file"
    raise InputError(
        f"{shown(link)} names no file of Google Drive: in Drive, right-click the file, choose Share, Copy link."
    )


def list_folder(link: str, *, offline: bool = False) -> list[DriveFile]:
    """The files of a shared Drive folder, its sub-folders included, in the order of their paths; nothing is fetched.

    Raises:
        InputError: no folder's link, not shared with everybody, no network or offline, a name that leads out of the
            folder, or more files than the installed gdown can list (50 a folder before gdown 6).
    """
    found = drive_id(link)
    if found is None or found[1] != "folder":
        raise InputError(f"{shown(link)} is not the link of a Drive folder: copy the folder's own link in Drive.")
    if is_offline(offline):
        raise InputError(
            "A Drive folder cannot be listed offline: list it once with a network, or give a local folder."
        )

    import gdown
    import requests

    try:
        files: Any = gdown.download_folder(id=found[0], quiet=True, skip_download=True, use_cookies=False)
    except requests.RequestException as error:
        raise InputError("The Drive folder cannot be listed: check your network connection.") from error
    except Exception as error:  # both versions read Google's page, and a changed page makes them raise anything
        if "more than" in str(error):  # its class is gone in gdown 6
            raise InputError(
                "The Drive folder has 50 files or more in one folder, which this gdown cannot list: "
                "put them in one zip and share that, or install gdown 6."
            ) from error
        raise InputError(_NOT_LISTED.format(shown(link))) from error
    if files is None:  # gdown 5's way to say so
        raise InputError(_NOT_LISTED.format(shown(link)))
    listed = [DriveFile(file.id, Path(file.path).as_posix()) for file in files]
    for file in listed:
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts or "\\" in file.path or "\0" in file.path or not path.name:
            raise InputError(f"The Drive folder has a file named {shown(file.path)}: rename it there.")
    return sorted(listed, key=lambda file: file.path)


_NOT_LISTED = "{} cannot be listed: ask its owner to share the folder with anyone who has the link."


def mounted() -> Path:
    """The student's own Drive on Colab, mounted (Colab asks for leave): the folder "MyDrive".

    Raises:
        InputError: not on Colab, or leave was not given.
    """
    try:
        from google.colab import drive
    except ImportError as error:
        raise InputError(
            "Your own Drive can be mounted on Colab only: here, give the path of a folder on this computer."
        ) from error
    try:
        drive.mount(str(MOUNT))
    except Exception as error:  # Colab raises its own MessageError, or ValueError, by version
        raise InputError(
            f"Google Drive was not mounted ({shown(error)}): run again and allow it, or give the path of a folder."
        ) from error
    for name in ("MyDrive", "My Drive"):
        if (MOUNT / name).is_dir():
            return MOUNT / name
    raise InputError(f"Google Drive was mounted, but {MOUNT} has no MyDrive: unmount it in Colab and run again.")
