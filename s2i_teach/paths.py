"""Where things lie: the embedded data, and the cache for what is fetched.

The wheel carries ``data/`` inside the package; a checkout has it beside the package.
"""

import os
from pathlib import Path

from s2i_teach.errors import InputError

_PACKAGE = Path(__file__).resolve().parent


def data_dir() -> Path:
    """The folder of the embedded data (pairs, sketches, the miniature's weights, licences).

    ``S2I_DATA`` overrides it, for instance for a miniature that you trained yourself.

    Raises:
        InputError: no data folder is found beside the package or inside it.
    """
    override = os.environ.get("S2I_DATA")
    candidates = [Path(override)] if override else [_PACKAGE / "data", _PACKAGE.parent / "data"]
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise InputError(
        f"The embedded data was not found at {candidates[-1]}: reinstall s2i_teach, "
        "or set S2I_DATA to the folder that holds it."
    )


def cache_dir() -> Path:
    """The folder for fetched and computed files: ``S2I_CACHE``, else ``~/.cache/s2i_teach``. Made on demand."""
    folder = Path(os.environ.get("S2I_CACHE") or "~/.cache/s2i_teach").expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    return folder
