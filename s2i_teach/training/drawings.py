"""What a style is learned from: a folder of drawings with captions; and embedded pictures that should not be forgotten."""

import json
from pathlib import Path

from s2i_teach.errors import InputError
from s2i_teach.files import as_path, reading, shown
from s2i_teach.gallery import embedded_pairs
from s2i_teach.images import read_picture
from s2i_teach.training.style import Drawing
from s2i_teach.training.vocabulary import with_article

CAPTIONS = "metadata.jsonl"
"""As Hugging Face's ImageFolder has it: a line a picture, with ``file_name`` and ``text``."""
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")


def read_drawings(folder) -> list[Drawing]:
    """The pictures of a folder with their captions, in the order of their names.

    Captions are in ``metadata.jsonl``; without it a file's name is its caption: ``palm_tree.png`` is "a palm tree".

    Raises:
        InputError: no such folder, no picture in it, or a picture or a caption that cannot be read.
    """
    folder = as_path(folder)
    if not folder.is_dir():
        raise InputError(f"{shown(folder)} is no folder: give one with ten drawings or so.")
    with reading(folder):
        table = _captions(folder / CAPTIONS) if (folder / CAPTIONS).is_file() else None
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in ENDINGS)
    if not files:
        raise InputError(f"{shown(folder)} holds no picture: put ten drawings or so into it.")
    made = []
    for file in files:
        if table is not None and file.name not in table:
            raise InputError(f"{CAPTIONS} has no line for {shown(file.name)}: add one with file_name and text.")
        caption = table[file.name] if table is not None else with_article(file.stem.replace("_", " ").lower())
        made.append((read_picture(file), caption))
    return made


def _captions(file: Path) -> dict[str, str]:
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        table = {row["file_name"]: row["text"] for row in rows}
        if not all(isinstance(value, str) for pair in table.items() for value in pair):
            raise ValueError("file_name and text must be text")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{shown(file)} is damaged ({shown(error)}): give each line file_name and text.") from error
    return table


def not_to_forget(number: int = 40) -> list[Drawing]:
    """Embedded pictures with their captions, evenly from four styles: what the miniature draws without a style of one's own."""
    styles = ("openmoji", "noto", "twemoji", "fluent")
    made = []
    for place, style in enumerate(styles):
        pairs = embedded_pairs("train", style)
        wanted = (number - place + len(styles) - 1) // len(styles)
        made += [(pair.open()[1], pair.prompt) for pair in pairs[:: max(1, len(pairs) // max(1, wanted))][:wanted]]
    return made
