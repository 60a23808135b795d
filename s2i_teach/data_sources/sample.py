"""A few sketches of each category, drawn by lot: the same seed gives the same files, wherever and whenever."""

import contextlib
import hashlib
import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path, PurePosixPath

from s2i_teach.data_sources.classes import class_name, find_categories, folder_name
from s2i_teach.data_sources.download import check_space
from s2i_teach.data_sources.drive import drive_id
from s2i_teach.data_sources.manifest import NAME, Entry, Manifest, is_same, read_entry, read_manifest
from s2i_teach.data_sources.sources import Folder, Item, Source, open_source
from s2i_teach.data_sources.web import readable
from s2i_teach.errors import InputError
from s2i_teach.files import PARTIAL, as_path, place_key, reading, shown, write_whole

JOURNAL = ".manifest.part.jsonl"
"""What is written already, a line a file, while a sample is made: a stopped one goes on from it."""
LOCK = ".manifest.lock"
"""Who has it writes into the folder."""
OURS = (JOURNAL, LOCK)


def pick(names: Iterable[str], k: int, seed: int, category: str) -> list[str]:
    """``k`` of the names, drawn without replacement; all of them where there are fewer.

    Every name gets a lottery ticket, the SHA-256 of ``"seed/category/name"``, and the ``k`` smallest tickets win, in
    their order. A ticket depends on nothing else, so neither the order of the names nor another category changes the
    draw; a larger ``k`` keeps what a smaller one drew, and a file more or less moves at most one pick.

    Args:
        names: in any order; one that stands twice takes part once.
        k: 0 or more.
        seed: any whole number.
        category: the name under which the draw is made.
    """

    def ticket(name: str) -> bytes:
        return hashlib.sha256(f"{seed}/{category}/{name}".encode("utf-8", "surrogatepass")).digest()

    return sorted(set(names), key=ticket)[:k]


def sample(
    source,
    *,
    categories=None,
    per_category: int = 10,
    seed: int = 0,
    to=None,
    clean: bool = False,
    plan: bool = False,
    max_bytes: float = 1e9,
    offline: bool = False,
    quiet: bool = False,
):
    """A few hundred sketches of different categories, in folders named after them, with a manifest.

    The draw depends on the seed, the category and the files' own names alone: the same seed gives the same files from
    every copy of a data set, and more of each category keeps those that fewer gave. A sample that was stopped goes on
    where it was; one that is complete is not fetched again.

    Args:
        source: where the sketches lie:

            - ``"imagenet-sketch"``: 50,889 sketches of 1,000 categories; Kaggle's input, the copy on Hugging Face or
              the one on Google Drive. Where a server allows it, only the zip's table and the files drawn are fetched.
            - ``"quickdraw"``: 50 million drawings of 345 categories; a file a category is fetched, some 50 to 200 MB.
            - ``"sketches"``, ``"line-art"``, ``"pairs"``: what ships with the course.
            - a folder or a zip of pictures, a Quick, Draw! file (.ndjson, .bin), or a folder of such.
            - the http(s) address of a zip or of a Quick, Draw! file; the link of a file or a folder on Google Drive.
            - ``"my-drive"`` or ``"my-drive/folder"``: the student's own Drive on Colab.

            A picture's category is the folder that it lies in; ImageNet's class ids are given their English names.
        categories: English names or class ids; a whole number draws that many by lot; None takes all.
        per_category: how many of each; a category that has fewer gives all it has.
        seed: any whole number.
        to: the folder to make, or one that holds the same sample; None is ``samples/<name of the source>``.
        clean: afterwards make a cleaned copy, ``<to>-clean``, and a report, ``<to>-report``; see :func:`s2i_teach.clean`.
        plan: fetch and write nothing: return what would be drawn and how many bytes it would cost.
        max_bytes: a sample that would fetch more from the web is refused before it starts; one of a Drive folder,
            whose list tells no sizes, stops when it has fetched more.
        offline: use no network.
        quiet: no progress bar and no lines on what it costs.

    Returns:
        a :class:`Sample`; with ``plan=True`` a :class:`Draw`.

    Raises:
        InputError: what is asked for is not there, cannot be fetched, costs too much, or the folder holds other things.
    """
    per_category, seed = _whole("per_category", per_category, 1), _whole("seed", seed)
    categories = _categories(categories)
    folder = as_path(to) if to is not None else Path("samples") / short_name(source)
    # A number of pictures named "5" is fine; what the manifest keeps has to be plain JSON.
    request = {
        "source": str(source),
        "categories": [str(one) for one in categories] if isinstance(categories, list) else categories,
        "per_category": per_category,
        "seed": seed,
    }
    if not plan:
        manifest = _already_there(folder, request)
        if manifest is not None:
            return _finished(Sample(folder, manifest), clean, quiet)
    allowed = 0 if plan else _bytes(max_bytes)
    with open_source(source, categories, max_bytes=allowed, offline=offline, quiet=quiet) as opened:
        drawn = _draw(opened, categories, per_category, seed)
        if plan:
            return drawn
        if isinstance(opened, Folder) and folder.resolve().is_relative_to(opened.path.resolve()):
            raise InputError(f"{shown(folder)} lies inside the folder that is sampled: name a folder beside it.")
        return _finished(_write(opened, drawn, folder, request, max_bytes, quiet), clean, quiet)


@dataclass(frozen=True)
class Draw:
    """What a sample would be: ``files`` as path in the folder → item of the source, ``notes``, and its cost.

    Attributes:
        source: the source's title.
        files: path in the folder → (category, class id or None, item).
        there: how many files the source has.
        cost: bytes that would be fetched from the web, or None where the source cannot tell.
        notes: a sentence on the categories that have fewer files than asked for.
    """

    source: str
    files: dict[str, tuple[str, str | None, Item]]
    there: int
    cost: int | None
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Category → number of files."""
        return dict(Counter(category for category, _, _ in self.files.values()))

    def __str__(self) -> str:
        cost = "an unknown number of bytes" if self.cost is None else readable(self.cost)
        lines = [
            f"{len(self.files)} of {self.there} files of {self.source}, {len(self.counts)} categories; "
            + ("nothing is fetched from the web" if self.cost == 0 else f"{cost} to fetch from the web")
        ]
        return "\n".join([*lines, *self.notes])


@dataclass(frozen=True)
class Sample:
    """A folder of sketches, sorted by category, with its manifest.

    Attributes:
        folder: where it lies.
        manifest: what is in it.
        notes: what one should know of the draw.
        fetched: bytes that were fetched from the web for it, as far as the source counts them.
    """

    folder: Path
    manifest: Manifest
    notes: tuple[str, ...] = ()
    fetched: int = 0

    @property
    def files(self) -> tuple[Entry, ...]:
        """The entries of the manifest, in the order of their paths."""
        return self.manifest.files

    @property
    def counts(self) -> dict[str, int]:
        """Category → number of files."""
        return dict(Counter(entry.category for entry in self.files))

    def path(self, entry: Entry) -> Path:
        """Where a file lies."""
        return self.folder / entry.path

    def sheet(self, per_category: int = 5, side: int = 96):
        """A picture of the first sketches of each category, with its name: a PIL image. A damaged one is crossed out."""
        from s2i_teach.gallery import contact_sheet
        from s2i_teach.images import read_picture

        per_category = _whole("per_category", per_category, 1)

        def shown_as(path: Path):
            try:
                return read_picture(path)
            except InputError:  # a data set may hold damaged files; to see that is what a sheet is for
                return _crossed_out(side)

        rows = []
        for category in self.counts:
            entries = [entry for entry in self.files if entry.category == category]
            pictures = [shown_as(self.path(entry)) for entry in entries[:per_category]]
            rows.append((pictures, f"{category}, {len(entries)}"))
        return contact_sheet(rows, columns=max(1, 12 // per_category), side=side)

    def datasheet(self) -> str:
        """What can be counted for a datasheet (Gebru et al., arXiv 1803.09010), and what only people can answer."""
        sizes = [entry.bytes for entry in self.files]
        licences = Counter(entry.licence for entry in self.files)
        counts = self.counts
        few, many = min(counts.values(), default=0), max(counts.values(), default=0)
        request = self.manifest.request
        rules = request.get("cleaned")
        cleaned = [f"Cleaned by the rules: {', '.join(rules)}"] if isinstance(rules, dict) else []
        lines = [
            f"Source: {request.get('source', 'not written down')}",
            f"Drawn: {request.get('per_category', '?')} of each category, seed {request.get('seed', '?')}",
            *cleaned,
            f"Files: {len(sizes)}, {readable(sum(sizes))} ({readable(min(sizes, default=0))} to "
            f"{readable(max(sizes, default=0))} each)",
            f"Categories: {len(counts)}, {few} to {many} files each",
            *(f"Licence of {number}: {licence}" for licence, number in licences.most_common()),
            f"The same bytes twice: {len(sizes) - len({entry.sha256 for entry in self.files})}",
            "Not to be counted: who drew these, whether they agreed, what was left out, and for what use.",
        ]
        return "\n".join(lines)

    def __len__(self) -> int:
        return len(self.files)

    def __str__(self) -> str:
        size = readable(sum(entry.bytes for entry in self.files))
        line = f"{len(self.files)} files of {len(self.counts)} categories in {self.folder}, {size}"
        return "\n".join([line, *self.notes])

    def _repr_png_(self) -> bytes:
        import io

        file = io.BytesIO()
        self.sheet().save(file, "PNG")
        return file.getvalue()


def _crossed_out(side: int):
    from PIL import Image, ImageDraw

    square = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(square)
    draw.line([0, 0, side, side], (150, 150, 150), 2)
    draw.line([0, side, side, 0], (150, 150, 150), 2)
    return square


def open_sample(folder) -> Sample:
    """The sample that lies in a folder.

    Raises:
        InputError: no folder, no manifest, or files that are missing or not what they were.
    """
    path = as_path(folder)
    with reading(path):
        manifest = read_manifest(path) if path.is_dir() else None
    if manifest is None:
        raise InputError(f"{shown(path)} holds no {NAME}: make a sample there with s2i.sample(…, to=…).")
    wrong = manifest.is_missing(path)
    if wrong:
        raise InputError(
            f"{shown(path)} lacks {shown(wrong[0].path)} as its manifest has it"
            + (f", and {len(wrong) - 1} more" if len(wrong) > 1 else "")
            + ": sample or fetch it again."
        )
    return Sample(path, manifest)


def _whole(name: str, value, least: int | None = None) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or (least is not None and value < least):
        raise InputError(
            f"{name} is {shown(repr(value))}: give a whole number{'' if least is None else f' from {least} up'}."
        )
    return int(value)


def _bytes(value) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"max_bytes is {shown(repr(value))}: give a number of bytes.") from error
    if not number >= 0:
        raise InputError(f"max_bytes is {shown(repr(value))}: give 0 or more bytes.")
    return number


def short_name(source) -> str:
    """A name for the folder, from the source's last part; of a Drive link, which ends in nothing of use, its id."""
    drive = drive_id(str(source))
    if drive:
        return f"drive-{drive[0]}"
    last = PurePosixPath(str(source).rstrip("/").replace("\\", "/").split("?")[0]).name
    return folder_name(re.sub(r"\.(zip|ndjson|bin)$", "", last, flags=re.IGNORECASE))


def _categories(categories) -> str | int | list | None:
    """What is asked for, in a form that can be read twice: a generator or an array is a list, a set has an order."""
    if hasattr(categories, "tolist"):  # of NumPy or pandas
        categories = categories.tolist()
    if categories is None or isinstance(categories, str):
        return categories
    if hasattr(categories, "__index__"):
        return _whole("categories", categories, 1)
    try:
        return sorted(categories, key=str) if isinstance(categories, (set, frozenset)) else list(categories)
    except TypeError as error:
        raise InputError(
            f"categories is {shown(repr(categories))}: give names, a number of categories, or None for all."
        ) from error


def _already_there(folder: Path, request: dict) -> Manifest | None:
    """The manifest of the same sample if it is complete there; None if there is something to do.

    Raises:
        InputError: the folder holds something else, which is left alone.
    """
    with reading(folder):
        if not folder.exists():
            return None
        if not folder.is_dir():
            raise InputError(f"{shown(folder)} is a file: name a folder.")
        others = [path for path in folder.iterdir() if path.name not in OURS and not path.match(PARTIAL)]
    manifest = read_manifest(folder)
    if manifest is not None:
        if manifest.request != request:
            raise InputError(
                f"{shown(folder)} holds another sample ({_in_words(manifest.request)}): name another folder."
            )
        return None if manifest.is_missing(folder) else manifest
    journal = _read_journal(folder)
    if journal is not None and journal[0] != request:
        raise InputError(
            f"{shown(folder)} holds another, unfinished sample ({_in_words(journal[0])}): name another folder."
        )
    if journal is None and others:
        raise InputError(f"{shown(folder)} is not empty and holds no sample: name another folder.")
    return None


def _in_words(request: dict) -> str:
    return shown(", ".join(f"{key} {value}" for key, value in request.items()))


def _read_journal(folder: Path) -> tuple[dict, dict[str, Entry]] | None:
    """The request and the finished files of a sample that was stopped. A line that was cut off counts as not there."""
    try:
        lines = (folder / JOURNAL).read_bytes().split(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{shown(folder / JOURNAL)} cannot be read: {error.strerror or error}.") from error
    rows = []
    for line in lines:
        try:
            rows.append(json.loads(line.decode("utf-8", "surrogatepass")))
        except ValueError:
            break
    if not rows:
        return None
    try:
        if not isinstance(rows[0], dict):
            raise TypeError
        entries = [read_entry(row) for row in rows[1:]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{shown(folder / JOURNAL)} is damaged: delete the folder and sample anew.") from error
    return rows[0], {entry.path: entry for entry in entries}


def _draw(source: Source, categories, per_category: int, seed: int) -> Draw:
    """Which files are drawn, and where each will lie."""
    by_category: dict[str, list[Item]] = {}
    there: dict[str, str | None] = {}  # name → class id; a folder "tench" and one "n01440764" are one category
    for item in source.items:
        known = class_name(item.category)
        name = known or item.category
        by_category.setdefault(name, []).append(item)
        there[name] = item.category if known else there.get(name)
    if categories is None:
        chosen = sorted(there)
    elif isinstance(categories, int):
        if categories > len(there):
            raise InputError(
                f"{categories} categories are asked for and {source.title} has {len(there)}: ask for fewer."
            )
        plain = {_one_letter(name): name for name in there}
        chosen = sorted(plain[name] for name in pick(plain, categories, seed, ""))
    else:
        chosen = find_categories(categories, there)
        if not chosen:
            raise InputError("No category is asked for: name some, or give None for all.")

    files: dict[str, tuple[str, str | None, Item]] = {}
    taken: set[str] = set()
    fewer, folders = [], _folders(there)
    for name in chosen:
        items = _short_names(by_category[name])
        wanted = pick(items, per_category, seed, there[name] or _one_letter(name))
        if len(wanted) < per_category:
            fewer.append(f"{name} {len(wanted)}")
        for short in sorted(wanted):
            path = _free(f"{folders[name]}/{_file_name(short)}", taken)
            taken.add(place_key(path))
            files[path] = (name, there[name], items[short])
    files = dict(sorted(files.items()))
    cost = source.cost(item for _, _, item in files.values())
    listed = ", ".join(fewer[:8]) + (f" and {len(fewer) - 8} more" if len(fewer) > 8 else "")
    notes = (f"Fewer than {per_category} are there of: {listed}.",) if fewer else ()
    return Draw(source.title, files, len(source.items), cost, notes)


def _folders(there: Iterable[str]) -> dict[str, str]:
    """Category → its folder; two that would share one on Windows or macOS are told apart."""
    taken: set[str] = set()
    folders = {}
    for name in sorted(there):
        folders[name] = _free(folder_name(name), taken)
        taken.add(place_key(folders[name]))
    return folders


def _short_names(items: list[Item]) -> dict[str, Item]:
    """The items by the name that takes part in the draw: the file's own, which is the same in every copy of a data set.

    Where two files of a category share it, their whole names take part.
    """
    own = Counter(_one_letter(PurePosixPath(item.name).name) for item in items)
    names = {}
    for item in items:
        short = _one_letter(PurePosixPath(item.name).name)
        names[short if own[short] == 1 else item.name] = item
    return names


def _one_letter(name: str) -> str:
    """A name whose accented letters are one letter each (NFC): a Mac's copy of a data set writes them as two."""
    return unicodedata.normalize("NFC", name)


def _file_name(name: str) -> str:
    """A file's name that every system takes, with its ending."""
    path = PurePosixPath(name)
    return folder_name("_".join(path.with_suffix("").parts)) + path.suffix


def _free(path: str, taken: set[str]) -> str:
    """The path, or the first of path-2, path-3, … that has a place of its own on every system."""
    stem, dot, suffix = path.rpartition(".") if "." in PurePosixPath(path).name else (path, "", "")
    number = 2
    while place_key(path) in taken:
        path = f"{stem}-{number}{dot}{suffix}"
        number += 1
    return path


def _write(source: Source, drawn: Draw, folder: Path, request: dict, max_bytes: float, quiet: bool) -> Sample:
    """Read what is missing, file by file, and write the manifest when all are there."""
    known = _read_journal(folder)
    finished = known[1] if known else {}
    old = read_manifest(folder) if folder.is_dir() else None
    finished |= {entry.path: entry for entry in old.files} if old else {}
    finished = {path: entry for path, entry in finished.items() if is_same(folder / path, entry)}
    missing = {path: row for path, row in drawn.files.items() if path not in finished}
    items = [item for _, _, item in missing.values()]
    cost = source.cost(items)
    if cost is not None and cost > max_bytes:
        raise InputError(
            f"This sample would fetch {readable(cost)}, more than max_bytes={readable(max_bytes)}: "
            "take fewer categories or fewer of each, or raise max_bytes."
        )
    check_space(folder, sum(item.size or 0 for item in items), "name a folder on a larger disk")
    if not quiet:
        print(Draw(drawn.source, drawn.files, drawn.there, cost, drawn.notes))

    entries = {path: entry for path, entry in finished.items() if path in drawn.files}
    fetched = 0
    at = {item: path for path, (_, _, item) in missing.items()}
    with alone(folder), _journal(folder, request, entries.values()) as journal:
        for item, data in _with_progress(source.read_many(items), len(items), quiet):
            category, class_id, _ = missing[at[item]]
            write_whole(folder / at[item], methodcaller("write", data))
            entries[at[item]] = entry = Entry(
                path=at[item],
                category=category,
                class_id=class_id,
                name=item.name,
                bytes=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
                licence=item.licence or source.licence,
                more=item.more or {},
            )
            _note(journal, entry.row())
            fetched += len(data)
            if cost is None and fetched > max_bytes:
                raise InputError(
                    f"This sample has fetched {readable(fetched)} by now, more than max_bytes={readable(max_bytes)}: "
                    "raise max_bytes to go on from there, or take fewer of each into another folder."
                )
        manifest = Manifest(request, tuple(entries[path] for path in sorted(entries)))
        for left in folder.rglob(PARTIAL):
            left.unlink(missing_ok=True)  # of a process that was killed while it wrote
        manifest.write(folder)
        journal.close()
        (folder / JOURNAL).unlink()
    return Sample(folder, manifest, drawn.notes, getattr(source, "fetched", 0))


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else makes a sample in this folder meanwhile, which is made. A killed process's lock is free.

    Raises:
        InputError: another process makes one there, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"Another process is making a sample in {shown(folder)}: wait until it is done, or name another folder."
        ) from error
    except NotImplementedError:
        pass  # a disk that knows no locks, as some of the network: there nobody is kept out
    except OSError as error:
        raise InputError(f"{shown(folder)} cannot be written: {error.strerror or error}.") from error
    try:
        yield
    finally:
        if os.name != "nt":  # where filelock takes the file away itself, and nobody else can
            (folder / LOCK).unlink(missing_ok=True)
        lock.release()


def _journal(folder: Path, request: dict, entries: Iterable[Entry]):
    """The journal, open to add to. It is written whole first: a kill meanwhile leaves the one that was there."""
    lines = b"".join(_line(row) for row in (request, *(entry.row() for entry in entries)))
    path = write_whole(folder / JOURNAL, lambda file: file.write(lines))
    try:
        return open(path, "ab", buffering=0)  # what a full disk refused would be tried again as it is closed
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be written: {error.strerror or error}.") from error


def _line(row: dict) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def _note(journal, row: dict) -> None:
    """Add a line that stands even if the process is killed right after."""
    try:
        line = _line(row)
        while line:  # a nearly full disk takes a line in part
            line = line[journal.write(line) :]
        os.fsync(journal.fileno())
    except OSError as error:
        raise InputError(f"{shown(journal.name)} cannot be written: {error.strerror or error}.") from error


def _with_progress(files, total: int, quiet: bool):
    if quiet or not total:
        return files
    from tqdm.auto import tqdm

    return tqdm(files, total=total, unit="file")


def _beside(folder: Path, word: str) -> Path:
    """The place beside a folder whose name ends in a word more."""
    folder = folder.resolve() if folder.name in ("", "..") else folder
    return folder.with_name(f"{folder.name}-{word}")


def _finished(made: Sample, clean: bool, quiet: bool) -> Sample:
    """The sample, its cleaned copy made beside it if that was asked for."""
    if clean:
        clean_beside(made, quiet)
    return made


def clean_beside(made: Sample, quiet: bool = False) -> Path:
    """Make the cleaned copy ``<folder>-clean`` and the report ``<folder>-report``; returns the copy's folder."""
    from s2i_teach.data_sources.clean import clean

    folder = _beside(made.folder, "clean")
    report = clean(made.folder, to=folder, progress=False if quiet else None)
    table, sheet = report.save(_beside(made.folder, "report"))
    if quiet:
        print(f"The cleaned copy is in {folder}, the report in {table.parent}.")
    else:
        print(report)
        print(f"The report is {table} and {sheet}.")
    return folder
