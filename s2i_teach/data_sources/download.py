"""From the web into the cache: whole, verified and once, or not at all."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from s2i_teach.data_sources.drive import drive_id
from s2i_teach.data_sources.offline import is_offline
from s2i_teach.data_sources.web import (
    CHUNK,
    Address,
    Refused,
    chunks,
    in_words,
    insist,
    part_of,
    readable,
    validator_of,
)
from s2i_teach.errors import InputError
from s2i_teach.files import as_path, file_sha256, reading, shown, write_whole
from s2i_teach.paths import cache_dir


def fetch(
    locations: str | Sequence[str],
    *,
    name: str | None = None,
    sha256: str | None = None,
    size: int | None = None,
    offline: bool = False,
    quiet: bool = False,
    to: str | Path | None = None,
) -> Path:
    """A file of the web, fetched once: the path where it lies, complete.

    The transfer goes into a partial file in the cache and is continued after a cut or a kill; only a complete and
    verified file is moved to its place. Several processes that want the same file wait for the first of them.

    Args:
        locations: one http(s) address of the file or several, tried in order; any link of a Google Drive file will do.
        name: the file's name in the cache; None makes one of the first location.
        sha256: the file's hash, 64 hexadecimal digits. It is what makes sure that the file is the right one, and what
            lets a transfer that began at one location go on at another.
        size: the file's size in bytes, checked where no hash is given.
        offline: ask nobody: what is not in the cache is an error. ``S2I_OFFLINE=1`` does the same.
        quiet: no progress bar.
        to: the path of the file to make, instead of one in the cache.

    Without hash or size the file is still refused if it is a web page, or ends in .zip and is no zip.

    Raises:
        InputError: no location gave the file (each one's reason is told), it is not the file that was promised, the
            disk is full, it is not in the cache and nobody may be asked, or ``to`` exists and is another file.
    """
    urls = [locations] if isinstance(locations, str) else list(locations)
    if not urls or not all(isinstance(url, str) for url in urls):
        raise InputError("No address to fetch from: give an http(s) address, or a list of them.")
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise InputError(f"The hash {shown(sha256)} is no sha256: give its 64 hexadecimal digits.")
    called = _last_part(urls[0]) if name is None else name  # in messages
    name = _cache_name(urls[0]) if name is None else name
    wanted = _Wanted(
        name=called,
        target=cached_path(name) if to is None else _target(to),
        ours=to is None,
        sha256=sha256 and sha256.lower(),
        size=size,
    )
    if wanted.is_complete():
        return wanted.target
    if is_offline(offline):
        raise InputError(
            f"{shown(called)} is not in the cache ({shown(cached_path(name).parent)}) and offline is set: "
            "fetch it once with a network."
        )
    addresses = [Address(url) for url in urls]
    with _alone(wanted, quiet):
        if wanted.is_complete():  # by the process that we waited for
            return wanted.target
        wanted.check_place()
        refusals = []
        try:
            for address in addresses:
                try:
                    return _Transfer(wanted, address, quiet).run()
                except Refused as refusal:
                    refusals.append((address.host, refusal))
        finally:
            for address in addresses:
                address.close()
    raise InputError(in_words(called, refusals)) from refusals[-1][1]


def cached(location: str, name: str | None = None) -> Path | None:
    """The file that :func:`fetch` brought from ``location`` into the cache earlier, or None."""
    wanted = _Wanted(name=name or _cache_name(location), target=cached_path(name or _cache_name(location)))
    return wanted.target if wanted.is_complete() else None


def cached_path(name: str) -> Path:
    """Where a fetched file of this name lies in the cache, whether it is there or not.

    Raises:
        InputError: the name is no plain file name.
    """
    if not name or name in (".", "..") or name.startswith(".") or re.search(r'[\\/:*?"<>|\0-\x1f]', name):
        raise InputError(f"{shown(name)} is no plain file name: give one without / and without a leading dot.")
    return _downloads() / name


def check_space(folder: str | Path, bytes_needed: int, remedy="set S2I_CACHE to a folder on a larger disk") -> None:
    """Make sure that a folder's disk has room; the folder need not exist yet. ``remedy`` is what else would help.

    Raises:
        InputError: less than ``bytes_needed`` is free.
    """
    folder = Path(folder)
    place = next(path for path in [folder.absolute(), *folder.absolute().parents] if path.is_dir())
    free = shutil.disk_usage(place).free
    if free < bytes_needed:
        raise InputError(
            f"{shown(folder)} has {readable(free)} free and {readable(bytes_needed)} are needed: "
            f"free some space, or {remedy}."
        )


class _Wanted:
    """A file to have: where it goes, how it is known, and what the cache remembers of it."""

    def __init__(self, *, name, target, ours=True, sha256=None, size=None):
        self.name, self.target, self.ours, self.sha256, self.size = name, target, ours, sha256, size
        # Everything unfinished lies in the cache, wherever the file goes: no one else's folder sees it.
        stem = hashlib.sha256(os.fsencode(os.path.abspath(target))).hexdigest()[:16]
        self.state = _downloads() / ".state" / f"{stem}.json"
        self.part = self.state.with_suffix(".part")
        self.lock = self.state.with_suffix(".lock")

    def is_complete(self) -> bool:
        """Whether the file lies there whole. It is hashed once; after that its size and date vouch for it."""
        try:
            stat = self.target.stat()
        except OSError:
            return False
        known = _read_json(self.state).get("complete", {})
        if (known.get("size"), known.get("mtime_ns")) != (stat.st_size, stat.st_mtime_ns):
            known = {}
        if self.sha256 is None:
            if self.size is not None:
                return stat.st_size == self.size
            return bool(known) or self.ours and self._is_plausible(self.target)
        if "sha256" not in known:
            known = {"sha256": _hash_of(self.target), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
            # A read-only cache that a teacher filled is as good: then every process hashes anew.
            with contextlib.suppress(InputError):
                _write_json(self.state, {"complete": known})
        return known["sha256"] == self.sha256

    def _is_plausible(self, path: Path) -> bool:
        try:
            self.verify(path, None)
        except Refused:
            return False
        return True

    def check_place(self) -> None:
        """A file of the user's own is never replaced."""
        if not self.ours and self.target.exists():
            raise InputError(
                f"{shown(self.target)} exists and is not the file that is fetched: move it away, or give another name."
            )

    def verify(self, path: Path, digest: str | None) -> None:
        """Raise Refused unless ``path``, with this sha256 where it is known, can be the file."""
        size = path.stat().st_size
        if self.sha256 is not None and digest is not None and digest != self.sha256:
            raise Refused("contents", f"has another file there (sha256 {digest[:12]}…, not {self.sha256[:12]}…)")
        if self.size is not None and size != self.size:
            raise Refused("contents", f"has another file there ({size} bytes, not {self.size})")
        if self.sha256 is not None:
            return
        with open(path, "rb") as file:
            start = file.read(512).lstrip().lower()
        if start.startswith((b"<!doctype html", b"<html")) and not self.name.lower().endswith((".html", ".htm")):
            raise Refused("page", "gave a web page instead of the file")
        is_zip = self.target.suffix.lower() == ".zip" or start.startswith(b"PK\x03\x04")
        if is_zip and not zipfile.is_zipfile(path):
            raise Refused("contents", "gave something that is no whole zip")


class _Transfer:
    """One location's attempt at a file: continued, repeated, verified, moved to its place."""

    def __init__(self, wanted: _Wanted, address: Address, quiet: bool):
        self.wanted, self.address, self.quiet = wanted, address, quiet
        self.hash = hashlib.sha256()
        self.have = 0  # bytes of the partial file, all of them in the hash
        self.reached = 0  # the most bytes there were: what patience is measured by
        self.continued = False  # whether bytes of several answers stand together
        self.total = wanted.size
        self.bar: Any = None  # tqdm, which has no types, while a transfer runs

    def run(self) -> Path:
        from tqdm.auto import tqdm

        self._take_up()
        name = self.wanted.name
        with tqdm(unit="B", unit_scale=True, desc=name, disable=self.quiet, initial=self.have) as self.bar:
            insist(self._bring, lambda: self.reached)
            try:
                return self._finish()
            except Refused:
                if not self.continued:
                    raise
            # The parts did not fit together: the file changed in between. Once more, from its start.
            self._start_over()
            insist(self._bring, lambda: self.reached)
            return self._finish()

    def _take_up(self) -> None:
        """Go on with the partial file where it can be told that it belongs to the same file."""
        note = _read_json(self.wanted.state).get("part", {})
        same = note.get("url") == self.address.url and note.get("validator")
        by_hash = self.wanted.sha256 is not None and note.get("sha256") == self.wanted.sha256
        self.validator = note.get("validator") if same else None
        if not (same or by_hash) or not self.wanted.part.is_file():
            return
        with open(self.wanted.part, "rb") as file:
            while piece := file.read(CHUNK):
                self.hash.update(piece)
                self.have += len(piece)
        self.total = note.get("total") or self.total

    def _start_over(self) -> None:
        self.wanted.part.unlink(missing_ok=True)
        self.hash, self.have, self.validator, self.total = hashlib.sha256(), 0, None, self.wanted.size
        self.continued = False
        if self.bar is not None:
            self.bar.reset()

    def _bring(self) -> None:
        """Ask for what is missing and append it."""
        if self.have and self.have == self.total:
            return
        if self.have and self.validator is None and self.wanted.sha256 is None:
            self._start_over()  # nothing would tell the halves of two different files apart
        answer = self.address.ask(self.have, validator=self.validator)
        with contextlib.closing(answer):
            if answer.status_code == 416:  # nothing there behind our bytes: another, shorter file
                self._start_over()
                raise Refused("busy", "changed the file during the transfer", passing=True)
            total = self._agree(answer)
            if self.wanted.size is not None and total is not None and total != self.wanted.size:
                raise Refused("contents", f"has another file there ({total} bytes, not {self.wanted.size})")
            self.total = total
            check_space(self.wanted.part.parent, (total or 0) - self.have)
            self._note(answer)
            self.bar.total = total
            self.bar.refresh()
            self._append(answer)
        if total is not None and self.have != total:
            raise Refused("cut", f"sent {self.have} of {total} bytes", passing=True)

    def _agree(self, answer) -> int | None:
        """The whole file's size, by an answer that continues our bytes or, else, begins anew."""
        part = part_of(answer)
        if answer.status_code == 206:
            other_size = part is not None and None not in (self.total, part[1]) and self.total != part[1]
            other_state = self.validator is not None and validator_of(answer) not in (None, self.validator)
            if part is None or part[0] != self.have or other_size or other_state:
                self._start_over()
                raise Refused("busy", "changed the file during the transfer", passing=True)
            self.continued = True
            return part[1] if part[1] is not None else self.total
        if self.have:  # it knows no ranges, or the file has changed: this answer is the whole of it
            self._start_over()
        encoded = answer.headers.get("Content-Encoding", "identity") != "identity"
        length = answer.headers.get("Content-Length", "")
        return int(length) if length.isdigit() and not encoded else None

    def _note(self, answer) -> None:
        self.validator = validator_of(answer) or self.validator
        note = {
            "url": self.address.url,
            "validator": self.validator,
            "total": self.total,
            "sha256": self.wanted.sha256,
        }
        _write_json(self.wanted.state, {"part": note})

    def _append(self, answer) -> None:
        try:
            file = open(self.wanted.part, "ab" if self.have else "wb", buffering=0)  # noqa: SIM115 (closed below)
        except OSError as error:
            raise _unwritable(self.wanted.part, error) from error
        with file:
            for piece in chunks(answer):
                try:
                    written = file.write(piece)
                    while written < len(piece):  # a nearly full disk takes a piece in part
                        written += file.write(piece[written:])
                except OSError as error:
                    raise _unwritable(self.wanted.part, error) from error
                self.hash.update(piece)
                self.have += len(piece)
                self.reached = max(self.reached, self.have)
                self.bar.update(len(piece))

    def _finish(self) -> Path:
        """Verify the partial file and move it to its place."""
        wanted, digest = self.wanted, self.hash.hexdigest()
        if not wanted.part.exists():
            wanted.part.touch()  # an empty file
        try:
            wanted.verify(wanted.part, digest)
        except Refused:
            wanted.part.unlink()
            raise
        try:
            wanted.target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(wanted.part, wanted.target)
        except OSError:  # on another disk than the cache, or not writable: this copies, or says so
            with open(wanted.part, "rb") as part:
                write_whole(wanted.target, lambda file: shutil.copyfileobj(part, file, CHUNK))
            wanted.part.unlink()
        stat = wanted.target.stat()
        _write_json(wanted.state, {"complete": {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": digest}})
        return wanted.target


@contextlib.contextmanager
def _alone(wanted: _Wanted, quiet: bool) -> Iterator[None]:
    """Nobody else fetches this file meanwhile, in this process or another. A killed process's lock is free."""
    from filelock import FileLock, Timeout

    lock = FileLock(wanted.lock)
    try:
        wanted.lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if not quiet:
                print(f"{wanted.name} is being fetched by another process: waiting for it.", file=sys.stderr)
            lock.acquire()
    except (OSError, NotImplementedError) as error:
        raise _unwritable(wanted.lock.parent, error) from error
    try:
        yield
    finally:
        lock.release()


def _unwritable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{shown(path)} cannot be written ({getattr(error, 'strerror', None) or error}): "
        "free some space, or set S2I_CACHE to a folder of your own that has room."
    )


def _cache_name(url: str) -> str:
    """A name for an address: its last part, marked, since many files on the web are called data.zip."""
    found = drive_id(url)
    if found:
        return f"drive-{found[0]}"
    plain = re.sub(r"[^\w.-]", "_", _last_part(url)).strip("._")[-80:] or "file"
    return f"{hashlib.sha256(url.strip().encode()).hexdigest()[:8]}-{plain}"


def _last_part(url: str) -> str:
    """An address's last part, as one reads it; all of it for a Drive link, which ends in nothing of use."""
    last = unquote(urlsplit(url.strip()).path.rstrip("/").rpartition("/")[2])
    return url.strip() if drive_id(url) or not last else last


def _downloads() -> Path:
    try:
        return cache_dir() / "downloads"
    except OSError as error:
        raise InputError(
            f"The cache cannot be made ({error.strerror or error}): set S2I_CACHE to a folder that can be written."
        ) from error


def _target(to: str | Path) -> Path:
    path = as_path(to)
    if path.is_dir():
        raise InputError(f"{shown(path)} is a folder: give the name of the file to make.")
    return path


def _hash_of(path: Path) -> str:
    with reading(path):
        return file_sha256(path)


def _read_json(path: Path) -> dict:
    """A note of the cache; one that is missing or damaged knows nothing."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {key: value for key, value in note.items() if isinstance(value, dict)} if isinstance(note, dict) else {}


def _write_json(path: Path, note: dict) -> None:
    write_whole(path, lambda file: file.write(json.dumps(note).encode()))
