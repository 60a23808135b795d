"""What is made of a set when all of its pictures are there: manifest, table, sheet and report."""

import heapq
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from operator import methodcaller
from pathlib import Path

import numpy as np

from s2i_teach.errors import InputError
from s2i_teach.evaluate.reporting import report
from s2i_teach.files import PARTIAL, write_whole
from s2i_teach.gallery import contact_sheet
from s2i_teach.translation.dataset.claims import Claims
from s2i_teach.translation.dataset.listing import Listing
from s2i_teach.translation.dataset.places import (
    FINISHED,
    MANIFEST,
    PARQUET,
    PICTURES,
    REPORT,
    SHEET,
)
from s2i_teach.translation.dataset.request import lot
from s2i_teach.translation.dataset.rows import Rows, as_line
from s2i_teach.translation.result import Result, read_record, save_png
from s2i_teach.translation.sweep import kept_result

JUDGED = 48
"""Pictures that the report judges and the sheet shows, by lot: memory must not grow with the set."""
NO_PARQUET = "There is no manifest.parquet: install pyarrow and run the same command again to have it."


@dataclass(frozen=True)
class Finish:
    """What the last process wrote: counts, the cut of the set they are of, and notes."""

    cut: str
    made: int
    aside: int
    bytes: int
    notes: tuple[str, ...]

    @classmethod
    def there(cls, folder: Path, cut: str) -> "Finish | None":
        """What stands in the folder, or None where this cut of the set is not finished."""
        try:
            table = json.loads((folder / FINISHED).read_bytes())
            found = cls(**{**table, "notes": tuple(table["notes"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return found if found.cut == cut else None


def finished(folder: Path, listing: Listing, rows: Rows, claims: Claims, pipe, judge: bool) -> Iterator[None]:
    """See to it that a process finishes the set, this one or another; yields while another does.

    Raises:
        InputError: the disk refuses.
    """
    name = f"finish-{listing.cut}"
    while not _is_finished(folder, listing.cut, judge):
        if claims.take_over([name]) is not None:
            if not _is_finished(folder, listing.cut, judge):
                _finish(folder, listing, rows, pipe, judge)
            claims.clear([name, *listing.names])
        else:
            time.sleep(0.2)
            yield


def _is_finished(folder: Path, cut: str, judge: bool) -> bool:
    """Whether all is there, with the table and the sheet that could not be made or were not wanted before."""
    found = Finish.there(folder, cut)
    if found is None or (find_spec("pyarrow") and not (folder / PARQUET).exists()):
        return False
    return not (judge and found.made) or (folder / SHEET).exists()


def _finish(folder: Path, listing: Listing, rows: Rows, pipe, judge: bool) -> None:
    def all_rows() -> Iterator[dict]:
        for name in listing.names:
            yield from rows.of(name)

    def write(path: Path, line: Callable[[dict], bytes]) -> None:
        write_whole(path, lambda file: file.writelines(map(line, all_rows())))

    made = aside = size = 0
    for row in all_rows():
        made, aside, size = made + bool(row["file"]), aside + bool(row["error"]), size + (row["bytes"] or 0)
    write(folder / MANIFEST, as_line)
    write(folder / PICTURES / "metadata.jsonl", _as_metadata)
    notes = []
    if not write_parquet(folder / PARQUET, all_rows()):
        notes.append(NO_PARQUET)
    if judge and made:
        notes += _judge(folder, all_rows(), pipe)
    for left in folder.rglob(PARTIAL):
        if time.time() - left.stat().st_mtime > 3600:  # of a process that was killed while it wrote
            left.unlink(missing_ok=True)
    table = {"cut": listing.cut, "made": made, "aside": aside, "bytes": size, "notes": notes}
    write_whole(folder / FINISHED, methodcaller("write", json.dumps(table).encode()))


def _as_metadata(row: dict) -> bytes:
    """A line as 🤗 datasets' ``imagefolder`` wants it: the file's name from its own folder on, and any columns."""
    if not row["file"]:
        return b""
    table = {"file_name": row["file"].removeprefix(f"{PICTURES}/"), "text": row["prompt"]}
    return as_line(table | {name: row[name] for name in ("category", "seed", "sketch", "licence")})


def write_parquet(path: Path, rows: Iterator[dict]) -> bool:
    """The manifest as a Parquet table, a thousand rows at a time; False where pyarrow is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return False
    numbers = {"seed", "width", "height", "bytes"}

    def write(file) -> None:
        writer, some = None, list[dict]()

        def flush() -> None:
            nonlocal writer
            names = list(some[0])
            kinds = [(name, pyarrow.int64() if name in numbers else pyarrow.string()) for name in names]
            table = pyarrow.Table.from_pylist(some, schema=pyarrow.schema(kinds))
            writer = writer or pyarrow.parquet.ParquetWriter(file, table.schema)
            writer.write_table(table)
            some.clear()

        for row in rows:
            some.append({name: _plain(value) for name, value in row.items()})
            if len(some) == 1000:
                flush()
        if some:
            flush()
        if writer is not None:
            writer.close()

    write_whole(path, write)
    return True


def _plain(value):
    """Text that is Unicode: a file's name may hold bytes that are none."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _judge(folder: Path, rows: Iterator[dict], pipe) -> list[str]:
    """Write sheet and report of a few pictures by lot; returns what to say of them."""
    drawn = heapq.nsmallest(JUDGED, (row for row in rows if row["file"]), key=lambda row: lot("judged", row["sketch"]))
    results = [result for row in drawn if (result := _result(folder / row["file"], pipe)) is not None]
    if not results:
        return []
    groups = [([result.sketch, result.image], result.settings.prompt) for result in results]
    save_png(contact_sheet(groups, columns=6, side=96), folder / SHEET)
    # A page without ink has no lines to be faithful to.
    inked = [result for result in results if (np.asarray(result.sketch.convert("L")) < 128).any()]
    try:
        report(inked).save(folder / REPORT)
    except InputError as error:
        return [f"There is no report: {error}"]
    return [f"The report judges {len(inked)} pictures, drawn by lot."]


def _result(path: Path, pipe) -> Result | None:
    try:
        return kept_result(path, read_record(path).settings, pipe)
    except InputError:
        return None
