"""A sample is written: file by file, alone in its folder, noted in a journal from which a stopped one goes on."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from operator import methodcaller
from pathlib import Path

from s2i_teach.data_sources.download import check_space
from s2i_teach.data_sources.draw import Draw
from s2i_teach.data_sources.manifest import Entry, Manifest, is_same, read_entry, read_manifest
from s2i_teach.data_sources.sampled import Sample
from s2i_teach.data_sources.sources import Source
from s2i_teach.data_sources.web import readable
from s2i_teach.errors import InputError
from s2i_teach.files import PARTIAL, reading, shown, write_whole

JOURNAL = ".manifest.part.jsonl"
"""What is written already, a line a file, while a sample is made: a stopped one goes on from it."""
LOCK = ".manifest.lock"
"""Who has it writes into the folder."""
OURS = (JOURNAL, LOCK)


def already_there(folder: Path, request: dict) -> Manifest | None:
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


def write_sample(source: Source, drawn: Draw, folder: Path, request: dict, max_bytes: float, quiet: bool) -> Sample:
    """Read what is missing, file by file, and write the manifest when all are there.

    Raises:
        InputError: it costs more than ``max_bytes``, the disk is too small, a file cannot be read or written, or another
            process writes there.
    """
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
