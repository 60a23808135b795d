"""What decides every picture of a set besides its sketch: written down in the folder, so that no other is mixed in."""

import hashlib
import json
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import methodcaller
from pathlib import Path, PurePosixPath
from string import Formatter

from s2i_teach.data_sources.classes import class_name
from s2i_teach.data_sources.sources import Item
from s2i_teach.errors import InputError
from s2i_teach.files import reading, shown, write_whole
from s2i_teach.models.devices import device_of, precision_of
from s2i_teach.models.kinds import has_small_vae, is_quantized, kind_of
from s2i_teach.translation.batch import fitting_batch
from s2i_teach.translation.dataset.places import REQUEST, create
from s2i_teach.translation.prompts import fill
from s2i_teach.translation.settings import Resolved, Settings
from s2i_teach.translation.sweep import fingerprint

FORMAT = 1
FIELDS = ("category", "style", "name", "caption")
"""What a prompt's template may ask for."""
CPU_SKETCHES = 4
"""Sketches in one batch on a CPU. Up to here a picture does not depend on its neighbours, to the last bit (``benchmarks.dataset``)."""


def key_of(item: Item) -> str:
    """A sketch's name in its source, accented letters as one each: a Mac's copy of a set writes them as two."""
    return unicodedata.normalize("NFC", item.name)


def lot(*words) -> int:
    """A whole number from 0 to 2⁶³ − 1 that depends on these words alone (SHA-256)."""
    text = "/".join(map(str, words)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def category_of(item: Item) -> str:
    """What a sketch shows, by the folder that it lies in: ImageNet's class ids by their English names."""
    return class_name(item.category) or item.category.replace("_", " ")


@dataclass(frozen=True)
class Request:
    """How the sketches of a set become pictures.

    Attributes:
        template: the prompt, with any of ``FIELDS`` in braces.
        styles: what stands for ``{style}``; of several each sketch has one by lot.
        seed: of the whole; a picture's own follows from it and the sketch's name.
        by_size: ``(width, height)`` → the settings, resolved, with neither prompt nor seed of their own. A sketch takes
            the size whose shape is nearest its own.
        batch: sketches that go through the network together; always so many, the last ones with blanks beside them.
        identity: all that decides the pictures, as JSON holds it.
    """

    template: str
    styles: tuple[str, ...]
    seed: int
    by_size: dict[tuple[int, int], Resolved]
    batch: int
    identity: dict

    @classmethod
    def of(
        cls, template: str, styles, seed: int, sizes, batch: int | None, given: dict, source: str, pipe
    ) -> "Request":
        """From what was asked for, with every default of the model filled in.

        Raises:
            InputError: a setting that cannot be used.
        """
        resolved = [Settings("", size=size, seed=seed, **given).resolved(pipe) for size in sizes or (None,)]
        by_size = {one.size: one for one in resolved}
        batch = batch or fitting_sketches(pipe, by_size)
        common = resolved[0].to_dict()
        identity = {
            "format": FORMAT,
            "source": source,
            "prompt": template,
            "style": list(styles),
            "seed": seed,
            "size": [list(size) for size in by_size],
            "settings": {name: common[name] for name in common if name not in ("prompt", "seed", "size")},
            "model": getattr(pipe, "s2i_model", "a pipeline"),
            "precision": precision_of(pipe),
            "small_vae": has_small_vae(pipe),
            "quantized": is_quantized(pipe),
            "weights": fingerprint(pipe).rpartition(" ")[2],
            "batch": batch,
        }
        return cls(template, tuple(styles), seed, by_size, batch, identity)

    def prompt(self, item: Item) -> str:
        """A sketch's prompt.

        Raises:
            InputError: the template asks for a caption, and the sketch has none.
        """
        values = {
            "category": category_of(item),
            "name": PurePosixPath(item.name).stem.replace("_", " "),
            "caption": (item.more or {}).get("caption"),
        }
        if self.styles:
            values["style"] = self.styles[lot(self.seed, "style", key_of(item)) % len(self.styles)]
        wanted = {name: values.get(name) for name in fields_of(self.template)}
        missing = [name for name, value in wanted.items() if value is None]
        if missing:
            raise InputError(f"It has no {missing[0]}, which the prompt asks for.")
        return fill(self.template, **wanted)[0]

    def settings(self, item: Item, page_size: tuple[int, int]) -> Resolved:
        """A sketch's settings: they depend on its name, its category and its page's shape alone.

        Raises:
            InputError: as :meth:`prompt`, or a name with characters that are no text.
        """
        width, height = page_size
        shape = math.log(width / height)
        size = min(self.by_size, key=lambda size: abs(math.log(size[0] / size[1]) - shape))
        return replace(self.by_size[size], prompt=self.prompt(item), seed=lot(self.seed, key_of(item)))

    def agree(self, folder: Path) -> None:
        """Write the request into the folder, or make sure that what stands there is the same.

        Raises:
            InputError: it is another one, or the folder holds other things, which are left alone.
        """
        path = folder / REQUEST
        with reading(folder):
            if folder.exists() and not folder.is_dir():
                raise InputError(f"{shown(folder)} is a file: name a folder.")
            if not path.exists() and folder.exists() and any(one.name != path.parent.name for one in folder.iterdir()):
                raise InputError(f"{shown(folder)} is not empty and holds no pictures of a set: name another folder.")
        mine = json.dumps(self.identity, indent=1, sort_keys=True).encode()
        if create(path, mine):
            return
        with reading(path):
            text = path.read_bytes()
        if not text:  # who made it was killed before it wrote
            write_whole(path, methodcaller("write", mine))
            return
        try:
            there = json.loads(text)
            differing = [name for name in self.identity if there.get(name) != self.identity[name]]
        except (ValueError, AttributeError) as error:
            raise InputError(f"{shown(path)} is damaged: name another folder.") from error
        if differing:
            name, there_words, words = _difference(there, self.identity, differing[0])
            raise InputError(
                f"{shown(folder)} holds pictures with another {name} ({there_words}, and now {words}): give the same, "
                "or name another folder."
            )


def _difference(there: dict, here: dict, name: str) -> tuple[str, str, str]:
    """What differs first, and the two values in words."""
    if name == "settings" and isinstance(there.get(name), dict):
        inside = {*there[name], *here[name]}
        name, there, here = next(
            (one, there[name], here[name])
            for one in sorted(inside)
            if there[name].get(one, ()) != here[name].get(one, ())
        )
    return name, shown(there.get(name)), shown(here.get(name))


def fields_of(template: str) -> list[str]:
    """The fields that a template asks for."""
    return list(dict.fromkeys(name for _, name, _, _ in Formatter().parse(template) if name is not None))


def check_template(template, styles: Sequence[str]) -> None:
    """Refuse a template before anything is read.

    Raises:
        InputError: no text, a brace that is not closed, an unknown field, or a style too few or too many.
    """
    if not isinstance(template, str) or not template.strip():
        raise InputError('Say what the pictures show: a prompt such as "a {category}, openmoji style".')
    try:
        wanted = fields_of(template)
    except ValueError:
        wanted = []  # the next line says what is wrong with it
    unknown = [name for name in wanted if name not in FIELDS]
    if unknown:
        named = ", ".join(f"{{{name}}}" for name in FIELDS)
        raise InputError(f"The prompt asks for {{{shown(unknown[0])}}}, which is not known: use {named}.")
    if "style" in wanted and not styles:
        raise InputError('The prompt asks for {style}: give a style, such as "openmoji style".')
    if styles and "style" not in wanted:
        raise InputError("A style is given, and the prompt has no {style}: write it there, or leave the style out.")
    fill(template, **dict.fromkeys(wanted, "x"))
    if not all(isinstance(style, str) and style.strip() for style in styles):
        raise InputError(f"The styles are {shown(list(styles))}: give texts.")


def fitting_sketches(pipe, sizes) -> int:
    """Sketches in one batch: as many as are still faster together, with two samples each for guidance."""
    if kind_of(pipe).is_flow or kind_of(pipe).is_family:
        return 1
    most = max(1, fitting_batch(pipe, sizes) // 2)
    return min(most, CPU_SKETCHES) if device_of(pipe).type == "cpu" else most
