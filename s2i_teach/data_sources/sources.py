"""Where sketches lie: each source lists its files by category, tells what they cost, and reads them."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import s2i_teach.data_sources.quickdraw as quickdraw
from s2i_teach.data_sources.archives import Archive, BadMember, Member, NoRanges, open_archive
from s2i_teach.data_sources.classes import class_name
from s2i_teach.data_sources.download import cached, fetch
from s2i_teach.data_sources.drive import drive_id, file_url, list_folder, mounted
from s2i_teach.data_sources.manifest import NAME, Entry, Manifest, find_manifest, own_manifest
from s2i_teach.data_sources.offline import is_offline
from s2i_teach.data_sources.pictures import ENDINGS, is_picture, pictures_in
from s2i_teach.data_sources.web import readable, size_of
from s2i_teach.errors import InputError
from s2i_teach.files import as_path, reading, shown
from s2i_teach.paths import data_dir

IMAGENET_SKETCH = (
    "https://huggingface.co/datasets/songweig/imagenet_sketch/resolve/main/data/ImageNet-Sketch.zip",
    file_url("1Mj0i5HBthqH1p_yeXzsg22gZduvgoNeA"),
)
"""The same zip of 7.8 GB: the authors' copy on Hugging Face, which serves parts, and theirs on Google Drive."""
KAGGLE = Path("/kaggle/input/imagenetsketch")
"""Where Kaggle lays the data set for a notebook that has it as its input."""

UNKNOWN = "not known: ask where the files come from"
LICENCES = {
    "imagenet-sketch": "not known, found by an image search (the MIT licence is for the authors' scripts): "
    "do not redistribute",
    "quickdraw": "CC BY 4.0, the Quick, Draw! Dataset by Google, Inc., drawn by players of the game",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a source: its name there, with ``/`` between folders, its category there, and its bytes or None."""

    name: str
    category: str
    size: int | None = None
    licence: str | None = field(default=None, compare=False)
    more: dict | None = field(default=None, compare=False)


class Source:
    """A place that holds sketches. A context manager.

    Attributes:
        title: what it is called in messages and in the manifest.
        licence: what is known of its files' licence.
        items: its files.
    """

    title = ""
    licence = UNKNOWN
    items: list[Item]

    def cost(self, items: Iterable[Item]) -> int | None:
        """Bytes that reading these would fetch from the web; None if the source cannot tell."""
        return 0

    def read_many(self, items: Iterable[Item]) -> Iterator[tuple[Item, bytes]]:
        """The items' bytes, in the order that suits the source.

        Raises:
            BadMember: one item cannot be had, and the others can.
            InputError: the source cannot be read.
        """
        raise NotImplementedError

    def close(self) -> None:
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.close()


class Folder(Source):
    """Pictures in folders on this computer; a picture's category is the folder that it lies in.

    Where the folder is a sample, its manifest tells the category, the class id and the licence.
    """

    def __init__(self, path: Path, title: str | None = None, licence: str | None = None):
        self.path, self.title = path, title or str(path)
        known = _by_path(own_manifest(path))
        self.items = []
        for name in pictures_in(path)[0]:
            picture = path / name
            category = picture.parent.name if picture.parent != path else path.resolve().name
            with reading(picture):
                self.items.append(_item(name, category, picture.stat().st_size, known))
        self.licence = licence or licence_of(self.items)

    def read_many(self, items):
        for item in items:
            try:
                yield item, (self.path / item.name).read_bytes()
            except OSError as error:
                raise BadMember(f"{shown(self.path / item.name)} cannot be read: {error.strerror or error}.") from error


class Zip(Source):
    """A zip of pictures, on this computer or at one of several web addresses that hold the same.

    Of a web address only the table of contents and the wanted members are fetched. Where one address fails, the next
    one is asked; where none serves parts, the whole file has to be fetched, into the cache. A class pack's manifest
    tells the categories, the class ids and the licences.
    """

    def __init__(
        self,
        locations,
        title: str | None = None,
        licence: str | None = None,
        *,
        offline: bool = False,
        max_bytes: float = 0,
        quiet: bool = False,
    ):
        self.locations = [locations] if isinstance(locations, (str, os.PathLike)) else list(locations)
        self.title, self.offline = title or str(self.locations[0]), offline
        self._left, self._max_bytes, self._quiet = list(self.locations), max_bytes, quiet
        self._refused: list[str] = []
        self._whole: NoRanges | None = None
        self._archive = self._open_next()
        known = {}
        for member in self._archive.members:
            if member.name == NAME:
                known = _by_path(find_manifest(self._archive.read(member), f"The manifest of {shown(self.title)}"))
        stem = PurePosixPath(self.title).stem
        self.items = [
            _item(member.name, PurePosixPath(member.name).parent.name or stem, member.size, known)
            for member in self._archive.members
            if is_picture(member.name)
        ]
        self.licence = licence or licence_of(self.items)

    def _open_next(self) -> Archive:
        """Open the next location; when none is left, the whole file if a server has it but does not give parts."""
        while self._left:
            location = self._left.pop(0)
            try:
                return open_archive(location, offline=self.offline)
            except NoRanges as error:
                self._whole = self._whole or error
            except InputError as error:
                if len(self.locations) == 1:
                    raise
                self._refused.append(str(error))
        if self._whole is None:
            raise InputError(" ".join(self._refused))
        size = self._whole.size
        words = "a size that it does not tell" if size is None else readable(size)
        if size is None and not self._max_bytes or size is not None and size > self._max_bytes:
            raise InputError(
                f"{shown(self.title)} has to be fetched whole, {words}, before one can see what is in it, and "
                f"max_bytes is {readable(self._max_bytes)}: raise max_bytes, or give a copy on this computer."
            )
        if not self._quiet:
            print(f"{shown(self.title)} cannot be had in parts: the whole file is fetched, {words}.")
        self._whole = None
        return open_archive(fetch([str(each) for each in self.locations], offline=self.offline, quiet=self._quiet))

    def cost(self, items):
        return self._archive.cost(self._members(items))

    @property
    def fetched(self) -> int:
        """Bytes fetched from the web so far."""
        return self._archive.fetched

    def _members(self, items) -> list[Member]:
        wanted = {item.name for item in items}
        return [member for member in self._archive.members if member.name in wanted]

    def read_many(self, items):
        left = {item.name: item for item in items}
        while left:
            try:
                for member, data in self._archive.read_many(self._members(left.values())):
                    yield left.pop(member.name), data
                if left:
                    raise InputError(f"{self.title} no longer holds {shown(next(iter(left)))}: sample it anew.")
            except InputError as error:
                if not self._left:
                    raise
                self._refused.append(str(error))
                self.close()
                self._archive = self._open_next()

    def close(self):
        self._archive.close()


class SharedFolder(Source):
    """A shared folder of Google Drive, read file by file; a picture's category is the folder that it lies in."""

    def __init__(self, link: str):
        self.title = link
        self._addresses = {file.path: file.url for file in list_folder(link)}
        self.items = [
            Item(path, PurePosixPath(path).parent.name or "drive") for path in self._addresses if is_picture(path)
        ]

    def cost(self, items):
        return None  # Drive's list of a folder has no sizes

    def read_many(self, items):
        for item in items:
            yield item, fetch(self._addresses[item.name], quiet=True).read_bytes()


class Drawings(Source):
    """Files of Quick, Draw! (.ndjson or .bin): each holds one category's drawings as strokes, read as PNG."""

    licence = LICENCES["quickdraw"]

    def __init__(self, paths: list[Path], title: str):
        self.title = title
        self._files = {}
        self.items = []
        for path in paths:
            drawings = quickdraw.open_drawings(path)
            for key in drawings.keys:
                name = f"{drawings.word}/{key}.png"
                self._files[name] = (drawings, key)
                self.items.append(Item(name, drawings.word, more={"strokes": path.name}))

    def read_many(self, items):
        for item in items:
            drawings, key = self._files[item.name]
            yield item, quickdraw.as_png(drawings.read(key))


class Embedded(Source):
    """What ships with the course: "sketches", by what they show; "line-art" and "pairs", by Unicode's sub-groups."""

    def __init__(self, which: str):
        self.title = which
        self.licence = "open, see each file's own"
        self.items = list(self._sketches() if which == "sketches" else self._pairs(which))

    def _sketches(self) -> Iterator[Item]:
        self._folder = data_dir() / "sketches"
        for row in json.loads((self._folder / "sketches.json").read_text(encoding="utf-8")):
            category = "scene" if row["kind"] == "scene" else re.sub(r"^(an?|the) ", "", row["caption"])
            kept = {"caption": row["caption"], "kind": row["kind"], "credit": row["credit"]}
            yield Item(row["file"], category, (self._folder / row["file"]).stat().st_size, row["licence"], kept)

    def _pairs(self, which: str) -> Iterator[Item]:
        self._folder = data_dir() / "pairs"
        licences = {
            "line": "CC BY-SA 4.0, OpenMoji",
            "openmoji": "CC BY-SA 4.0, OpenMoji",
            "noto": "Apache-2.0, Noto Emoji",
            "fluent": "MIT, Fluent Emoji",
            "flat": "MIT, Fluent Emoji",
            "twemoji": "CC BY 4.0, Twemoji",
        }
        for split in ("train", "test"):
            for line in (self._folder / split / "metadata.jsonl").read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                if which == "line-art" and row["style"] != "line":
                    continue
                name = f"{split}/{row['file_name']}"
                kept = {"caption": row["text"], "thing": row["thing"], "style": row["style"]}
                size = (self._folder / name).stat().st_size
                yield Item(name, row["subgroup"], size, licences[row["style"]], kept)

    def read_many(self, items):
        for item in items:
            yield item, (self._folder / item.name).read_bytes()


EMBEDDED = ("sketches", "line-art", "pairs")
NAMED = (*EMBEDDED, "imagenet-sketch", "quickdraw", "my-drive")
"""The sources that have a name; all others are a path or an address."""


def is_address(source) -> bool:
    return isinstance(source, str) and re.match(r"\s*https?://", source, re.IGNORECASE) is not None


def check_source(source) -> None:
    """Refuse what can be no source.

    Raises:
        InputError: neither text nor a path.
    """
    if not isinstance(source, (str, os.PathLike)):
        raise InputError(f"A source is a name, a path or an address, not a {type(source).__name__}.")


def open_source(source, categories=None, *, max_bytes: float = 0, offline: bool = False, quiet: bool = False) -> Source:
    """The source that a name, a path or an address means; see :func:`s2i_teach.sample` for what there is.

    ``categories`` is needed by "quickdraw" alone, which has one file for each. ``max_bytes`` is the limit for a file
    that has to be fetched whole before one can see what is in it.

    Raises:
        InputError: there is no such source, it cannot be reached or read, or it holds no pictures.
    """
    check_source(source)
    opened = _opened(source, categories, max_bytes, offline, quiet)
    if not opened.items:
        opened.close()
        endings = " ".join(sorted(ENDINGS))
        raise InputError(f"{shown(opened.title)} holds no pictures: give a source with files that end in {endings}.")
    return opened


def _opened(source, categories, max_bytes: float, offline: bool, quiet: bool) -> Source:
    if not isinstance(source, str):
        return _local(as_path(source), None)  # Path("sketches") is a folder, "sketches" what ships with the course
    text = source.strip()
    name, _, rest = text.partition("/")
    if text in EMBEDDED:
        return Embedded(text)
    if text == "imagenet-sketch":
        if KAGGLE.is_dir():
            return Folder(KAGGLE, text, LICENCES[text])
        known = next((path for url in IMAGENET_SKETCH if (path := cached(url)) is not None), None)
        if known is None and is_offline(offline):
            raise InputError(
                '"imagenet-sketch" is not on this computer and offline is set: give a folder or zip, or go online.'
            )
        return Zip(known or IMAGENET_SKETCH, text, LICENCES[text], offline=offline, max_bytes=max_bytes, quiet=quiet)
    if text == "quickdraw":
        return _drawings_at(quickdraw.addresses(categories), text, max_bytes, offline, quiet)
    if name == "my-drive" and not Path(text).exists():
        return _local(mounted() / rest, text)
    if is_address(text):
        return _at(text, max_bytes, offline, quiet)
    return _local(as_path(text), None)


def _at(address: str, max_bytes: float, offline: bool, quiet: bool) -> Source:
    """The source behind a web address."""
    found = drive_id(address)
    if found and found[1] == "folder":
        if is_offline(offline):
            raise InputError(f"{shown(address)} is a folder on Google Drive and offline is set: leave out offline.")
        return SharedFolder(address)
    if quickdraw.is_drawings(address):
        return _drawings_at([address], address, max_bytes, offline, quiet)
    return Zip(address, offline=offline, max_bytes=max_bytes, quiet=quiet)


def _drawings_at(addresses: list[str], title: str, max_bytes: float, offline: bool, quiet: bool) -> Drawings:
    """Quick, Draw! files of the web: each is fetched whole, once."""
    missing = [address for address in addresses if cached(address) is None]
    if missing and not is_offline(offline):
        size = sum(size_of(address) or 0 for address in missing)
        if size > max_bytes or not max_bytes:
            raise InputError(
                f"{shown(title)} has to be fetched whole, {readable(size)} in {len(missing)} files, and max_bytes is "
                f"{readable(max_bytes)}: take fewer categories, or raise max_bytes."
            )
        if not quiet:
            print(f"{shown(title)}: {readable(size)} are fetched, once.")
    return Drawings([fetch(address, offline=offline, quiet=quiet) for address in addresses], title)


def _local(path: Path, title: str | None) -> Source:
    """The source that a path means."""
    with reading(path):
        if not path.exists():
            raise InputError(
                f"{shown(path)} does not exist: give a folder, a zip, a Quick, Draw! file, an http(s) address, "
                f"or one of {', '.join(NAMED)}."
            )
        if path.is_dir():
            drawings = sorted(file for file in path.iterdir() if quickdraw.is_drawings(file.name))
            return Drawings(drawings, str(path)) if drawings else Folder(path, title)
    if quickdraw.is_drawings(path.name):
        return Drawings([path], str(path))
    return Zip(path, title)


def licence_of(items: Iterable[Item]) -> str:
    """What the categories tell of the licence: ImageNet-Sketch is known by its layout of class ids."""
    return LICENCES["imagenet-sketch"] if any(class_name(item.category) for item in items) else UNKNOWN


def _by_path(manifest: Manifest | None) -> dict[str, Entry]:
    """Path → what a manifest says of the picture there."""
    return {entry.path: entry for entry in manifest.files} if manifest else {}


def _item(name: str, category: str, size: int, known: dict[str, Entry]) -> Item:
    """A picture by the folder that it lies in, or by what a manifest says of it."""
    entry = known.get(name)
    if entry is None:
        return Item(name, category, size)
    category = entry.class_id if entry.class_id and class_name(entry.class_id) else entry.category
    return Item(name, category, size, entry.licence, entry.more)
