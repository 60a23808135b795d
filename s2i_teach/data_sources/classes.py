"""ImageNet's thousand classes: their ids, and the English names that people can read."""

import csv
import difflib
import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from s2i_teach.errors import InputError
from s2i_teach.files import is_device, shown, written
from s2i_teach.paths import data_dir


@dataclass(frozen=True)
class ImageNetClass:
    """One class: ``class_id``, as "n01440764", its ``name``, "tench", which no other has, and all its synonyms."""

    class_id: str
    name: str
    synonyms: tuple[str, ...]


@cache
def classes() -> tuple[ImageNetClass, ...]:
    """The thousand classes of ImageNet's 2012 challenge, and so of ImageNet-Sketch, in the order of their ids."""
    with open(data_dir() / "imagenet" / "classes.tsv", encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return tuple(ImageNetClass(row["class_id"], row["name"], tuple(row["synonyms"].split(", "))) for row in rows)


@cache
def _by_id() -> dict[str, ImageNetClass]:
    return {one.class_id: one for one in classes()}


def class_name(class_id: str) -> str | None:
    """The English name of a class id, or None if it is none of the thousand."""
    found = _by_id().get(class_id)
    return None if found is None else found.name


def folder_name(category: str) -> str:
    """A category as the name of a folder on any system: letters, digits, ``-``, ``.`` and ``_``, some 80 at most."""
    plain = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", category)).strip("._ ")[:80]
    plain = plain.encode()[:200].decode(errors="ignore").rstrip("._ ")  # letters of three and four bytes
    first, dot, rest = plain.partition(".")
    if is_device(first):
        first += "_"
    return first + dot + rest or "unnamed"


def find_categories(wanted, there: dict[str, str | None]) -> list[str]:
    """The categories that someone asks for, among those that a source has.

    Args:
        wanted: names or class ids; letter case and underscores do not matter, and a synonym of one class will do.
        there: the source's categories: name → class id, or None where it is no class of ImageNet.

    Returns:
        names as the source has them, in the order asked for, each once.

    Raises:
        InputError: a name that the source does not have (the nearest ones are told), or that means several.
    """
    if isinstance(wanted, str):
        wanted = [wanted]
    names = {_plain(name): name for name in there}
    names |= {class_id: name for name, class_id in there.items() if class_id}
    synonyms: dict[str, list[str]] = {}
    for name, class_id in there.items():
        for word in _by_id()[class_id].synonyms if class_id in _by_id() else ():
            synonyms.setdefault(_plain(word), []).append(name)
    found = []
    for one in wanted:
        if not isinstance(one, str) or not one.strip():
            raise InputError(f'The category {written(one)} is no name: give words such as "turtle", or a class id.')
        plain = _plain(one)
        exact = one if one in there else names.get(plain)  # "cat" and "CAT" may both be there
        meant = synonyms.get(plain, []) if exact is None else [exact]
        if len(meant) > 1:
            raise InputError(f"The category {shown(one)!r} means several here: choose among {', '.join(meant)}.")
        if not meant:
            raise InputError(_unknown(one, plain, {**{plain: [name] for plain, name in names.items()}, **synonyms}))
        found.append(meant[0])
    return list(dict.fromkeys(found))


def _plain(name: str) -> str:
    return " ".join(re.sub(r"[\s_]+", " ", unicodedata.normalize("NFC", name)).lower().split())


def _unknown(one: str, plain: str, known: dict[str, list[str]]) -> str:
    near = [names[0] for word, names in known.items() if re.search(rf"\b{re.escape(plain)}\b", word)]
    near += [known[word][0] for word in difflib.get_close_matches(plain, known, n=5, cutoff=0.6)]
    near = list(dict.fromkeys(near))[:5]
    if near:
        return f"There is no category {shown(one)!r} here: did you mean {', '.join(near)}?"
    some = sorted({names[0] for names in known.values()})
    listed = ", ".join(some[:8]) + (f" and {len(some) - 8} more" if len(some) > 8 else "")
    return f"There is no category {shown(one)!r} here: this source has {listed}."
