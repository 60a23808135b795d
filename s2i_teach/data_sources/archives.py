"""A zip, on this computer or behind a web address, read member by member."""

import contextlib
import io
import itertools
import re
import stat
import struct
import threading
import zipfile
import zlib
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import s2i_teach.data_sources.web as web
from s2i_teach.data_sources.download import cached
from s2i_teach.data_sources.offline import is_offline
from s2i_teach.errors import InputError
from s2i_teach.files import as_path, place_key, reading, shown

BOMB_RATIO = 100
"""Unpacked bytes per packed byte from which something large is no honest picture."""
BOMB_MEMBER = 100_000_000
BOMB_TOTAL = 1_000_000_000
"""Unpacked bytes of one member and of all from which the ratio counts: small blank pages pack well and do no harm."""
LARGEST_MEMBER = 250_000_000
"""Bytes of a member that are read into memory at most."""
LARGEST_TABLE = 256_000_000
"""Bytes of an archive's table of contents: some three million members."""
GAP = 16_384
"""Bytes between two wanted members that are fetched along rather than asked around."""
SPAN = 4_000_000
"""Bytes of members fetched by one request, so that memory stays small."""
AT_ONCE = 8
"""Requests under way to one server: each waits for its answer, so that eight take the time of one."""
TAIL = 65_536 + 22 + 20 + 56
"""A zip's end records with the longest comment."""
SLACK = 256
"""Bytes that a member's own header may be longer than the table of contents tells."""


class BadMember(InputError):
    """One file cannot be had, damaged or too large as it is; the source's other files can."""


class NoRanges(InputError):
    """The server does not serve parts of a file: it has to be fetched as a whole. ``size`` is its bytes, if told."""

    def __init__(self, message: str, size: int | None = None):
        super().__init__(message)
        self.size = size


@dataclass(frozen=True, slots=True)
class Member:
    """One file in an archive: its name with ``/`` between folders, and its bytes unpacked and packed."""

    name: str
    size: int
    packed: int


def open_archive(path_or_url, *, offline: bool = False) -> "Archive":
    """A zip to read from; of a web address only the table of contents and the members asked for are fetched.

    Args:
        path_or_url: a file, or an http(s) address; a Google Drive link will do. A file that ``fetch`` brought from
            the address earlier is read from the cache.
        offline: ask nobody; ``S2I_OFFLINE=1`` does the same.

    Raises:
        NoRanges: the server does not serve parts.
        InputError: missing, no whole zip, or one that no honest program makes: names that lead out of the folder,
            links, two files at one place, encryption, a bomb; or the server refuses.
    """
    if not (isinstance(path_or_url, str) and re.match(r"\s*https?://", path_or_url, re.I)):
        path = as_path(path_or_url)
        return Archive(_Disk(path), shown(path))
    known = cached(path_or_url)
    if known is not None:
        return Archive(_Disk(known), shown(path_or_url))
    if is_offline(offline):
        raise InputError(f"{shown(path_or_url)} is not in the cache and offline is set: fetch it once with a network.")
    return Archive(_Web(path_or_url), shown(path_or_url))


class Archive:
    """An open zip, a context manager; made by :func:`open_archive`. Not for several threads at once.

    Attributes:
        name: what to call it in a message.
        members: its files in the archive's order, without what file managers add (``__MACOSX/``, ``.DS_Store``, …).
    """

    def __init__(self, source: "_Disk | _Web", name: str):
        self.name, self._source = name, source
        try:
            with self._told():
                self._file = _Window(source, name)
                self._zip = zipfile.ZipFile(self._file)
            infos = self._zip.infolist()
            _check_names(infos, name)
            _check_contents(infos, name)
            self._stops = _check_places(infos, self._zip.start_dir, name)
            files = [(info, _name_of(info)) for info in infos]
            files = [(info, member) for info, member in files if not member.endswith("/") and not _is_junk(member)]
            self.members = [Member(member, info.file_size, info.compress_size) for info, member in files]
            self._infos = {member: info for info, member in files}
        except BaseException:
            source.close()
            raise

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self._zip.close()
        self._source.close()

    @property
    def fetched(self) -> int:
        """Bytes fetched from the web so far, the table of contents included; 0 for a file on this computer."""
        return self._source.fetched

    def cost(self, members: Iterable[Member]) -> int:
        """Bytes that :meth:`read_many` would fetch for these members; 0 for a file on this computer."""
        return sum(stop - start for start, stop, _ in self._spans(members)) if self._source.costs else 0

    def read(self, member: Member) -> bytes:
        """A member's bytes, as many as its size says and with the right check sum.

        Raises:
            InputError: damaged, larger than ``LARGEST_MEMBER``, or the server refuses.
        """
        return next(self.read_many([member]))[1]

    def read_many(self, members: Iterable[Member]) -> Iterator[tuple[Member, bytes]]:
        """Members and their bytes, in the archive's own order.

        What lies close together is fetched by one request, and :data:`AT_ONCE` requests are under way to a server.

        Raises:
            BadMember: one is damaged, or larger than ``LARGEST_MEMBER``.
            InputError: the server refuses.
        """
        spans = self._spans(members)
        with contextlib.closing(self._source.get_many([(start, stop) for start, stop, _ in spans])) as stretches:
            for start, _, wanted in spans:
                with self._told():
                    self._file.hold(start, next(stretches))
                for member in wanted:
                    yield member, self._unpack(member)

    def _unpack(self, member: Member) -> bytes:
        with self._told(member), self._zip.open(self._infos[member.name]) as file:
            data = file.read()
            if len(data) != member.size:
                raise EOFError
            return data

    def _spans(self, members: Iterable[Member]) -> list[tuple[int, int, list[Member]]]:
        """Stretches ``(start, stop, members in it)`` of the archive that hold the members, in its order."""
        spans: list[tuple[int, int, list[Member]]] = []
        for member in sorted(set(members), key=lambda member: self._info(member).header_offset):
            start, stop = self._info(member).header_offset, self._stop(member)
            if max(member.size, member.packed) > LARGEST_MEMBER:
                raise BadMember(
                    f"{shown(member.name)} in {self.name} has {web.readable(max(member.size, member.packed))}, more "
                    f"than the {web.readable(LARGEST_MEMBER)} that are read at once: leave it out."
                )
            if spans and start - spans[-1][1] <= GAP and stop - spans[-1][0] <= SPAN:
                spans[-1] = (spans[-1][0], stop, [*spans[-1][2], member])
            else:
                spans.append((start, stop, [member]))
        return spans

    def _info(self, member: Member) -> zipfile.ZipInfo:
        info = self._infos.get(member.name)
        if info is None:
            raise InputError(f"{shown(member.name)} is not in {self.name}: take its members' names.")
        return info

    def _stop(self, member: Member) -> int:
        """Where a member ends at the latest. Its own header's length is not known yet: hence the slack."""
        info = self._info(member)
        header = 30 + len(info.orig_filename.encode()) + len(info.extra) + SLACK
        return min(self._stops[info.header_offset], info.header_offset + header + info.compress_size)

    @contextlib.contextmanager
    def _told(self, member: Member | None = None) -> Iterator[None]:
        """Whatever a damaged archive makes the decoders raise, as one sentence."""
        try:
            yield
        except InputError:
            raise
        except web.Refused as refusal:
            raise InputError(web.in_words(self.name, [(self._source.host, refusal)])) from refusal
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, struct.error) as error:
            if member is None:
                raise InputError(
                    f"{self.name} is not a whole zip archive ({shown(error)}): fetch or copy it again."
                ) from error
            raise BadMember(
                f"{shown(member.name)} in {self.name} is damaged: fetch or copy the archive again."
            ) from error
        except OSError as error:
            raise InputError(f"{self.name} cannot be read: {error.strerror or error}.") from error


class _Disk:
    """A file on this computer, by its bytes' positions."""

    host, fetched, costs = "this computer", 0, False

    def __init__(self, path: Path):
        with reading(path):
            if path.is_dir():
                raise InputError(f"{shown(path)} is a folder: give a zip file.")
            if not path.exists():
                raise InputError(f"{shown(path)} does not exist: check the name (you are in {Path.cwd()}).")
            self._file = open(path, "rb")  # noqa: SIM115 (closed in close)
        self.size = self._file.seek(0, io.SEEK_END)

    def get(self, start: int, stop: int) -> bytes:
        self._file.seek(start)
        return self._file.read(stop - start)

    def get_many(self, stretches: list[tuple[int, int]]) -> Generator[bytes]:
        """The bytes of each ``(start, stop)``, in this order."""
        yield from (self.get(start, stop) for start, stop in stretches)

    def close(self) -> None:
        self._file.close()


class _Web:
    """A file behind a web address, by its bytes' positions. For several threads at once."""

    costs = True

    def __init__(self, url: str):
        self._address = web.Address(url)
        self._free = [self._address]  # of those that were opened: none is for two threads at once
        self._opened = [self._address]
        self._lock = threading.Lock()
        self.host, self.fetched = self._address.host, 0
        try:
            answer = web.insist(lambda: self._address.ask(0, 1))
        except web.Refused as refusal:
            self.close()
            raise InputError(web.in_words(url, [(self.host, refusal)])) from refusal
        with contextlib.closing(answer):
            part = web.part_of(answer)
            if part is None or part[0] != 0 or part[1] is None:
                self.close()
                raise NoRanges(
                    f"{self.host} does not serve parts of {shown(url)}: fetch it as a whole.", web.whole_size(answer)
                )
            self.size, self._validator = part[1], web.validator_of(answer)
            self.fetched = sum(len(piece) for piece in web.chunks(answer))

    def get(self, start: int, stop: int) -> bytes:
        data = bytearray()

        def bring() -> None:
            at = start + len(data)
            with self._an_address() as address, contextlib.closing(address.ask(at, stop)) as answer:
                if web.part_of(answer) != (at, self.size) or web.validator_of(answer) != self._validator:
                    raise InputError(f"{self.host} changed the file while it was read: start again.")
                for piece in web.chunks(answer):
                    with self._lock:
                        self.fetched += len(piece)
                    data.extend(piece[: stop - start - len(data)])
            if len(data) < stop - start:
                raise web.Refused("cut", f"sent {len(data)} of {stop - start} bytes", passing=True)

        web.insist(bring, lambda: self.fetched)
        return bytes(data)

    def get_many(self, stretches: list[tuple[int, int]]) -> Generator[bytes]:
        """The bytes of each ``(start, stop)``, in this order; :data:`AT_ONCE` are on their way or wait to be taken."""
        if len(stretches) < 2:
            yield from (self.get(start, stop) for start, stop in stretches)
            return
        pool, left = ThreadPoolExecutor(min(AT_ONCE, len(stretches))), iter(stretches)
        under_way = deque(pool.submit(self.get, *stretch) for stretch in itertools.islice(left, AT_ONCE))
        try:
            while under_way:
                data = under_way.popleft().result()
                under_way.extend(pool.submit(self.get, *stretch) for stretch in itertools.islice(left, 1))
                yield data
        finally:
            pool.shutdown(cancel_futures=True)

    @contextlib.contextmanager
    def _an_address(self) -> Iterator[web.Address]:
        """The address for one thread: one that is free, or opened anew where redirects and pages have led already."""
        with self._lock:
            if self._free:
                address = self._free.pop()
            else:
                address = self._address.again()
                self._opened.append(address)
        try:
            yield address
        finally:
            with self._lock:
                self._free.append(address)

    def close(self) -> None:
        for address in self._opened:
            address.close()


class _Window(io.RawIOBase):
    """What ``zipfile`` takes for the archive's file: one stretch of it in memory, the rest fetched when read."""

    def __init__(self, source: _Disk | _Web, name: str):
        super().__init__()
        self._source, self._name, self._at = source, name, 0
        self.load(max(0, source.size - TAIL), source.size)

    def load(self, start: int, stop: int) -> None:
        """Hold the bytes from ``start`` up to ``stop``."""
        self.hold(start, self._source.get(start, stop))

    def hold(self, start: int, data: bytes) -> None:
        """Hold the bytes that stand from ``start`` on."""
        self._start, self._data = start, data

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._source.size}[whence]
        if base + offset < 0:
            raise io.UnsupportedOperation("a position before the file's start")  # an OSError: zipfile relies on it
        self._at = base + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        rest = max(0, self._source.size - self._at)
        size = rest if size is None or size < 0 else min(size, rest)
        if size > max(LARGEST_TABLE, LARGEST_MEMBER):
            raise InputError(
                f"{self._name} says that its table of contents has {web.readable(size)}: no archive of pictures does."
            )
        begin = self._at - self._start
        if begin < 0 or begin + size > len(self._data):
            data = self._source.get(self._at, self._at + size)
        else:
            data = self._data[begin : begin + size]
        self._at += len(data)
        return data


def _name_of(info: zipfile.ZipInfo) -> str:
    """A member's name as written, with the backslashes of some Windows programs turned round."""
    return info.orig_filename.replace("\\", "/")


def _is_junk(name: str) -> bool:
    """What file managers add to an archive by themselves."""
    folder, _, last = name.rpartition("/")
    return (
        folder.split("/")[0] == "__MACOSX"
        or last.startswith("._")
        or last.lower() in (".ds_store", "thumbs.db", "desktop.ini", "icon\r")
    )


def _check_names(infos: list[zipfile.ZipInfo], archive: str) -> None:
    """Refuse names that lead out of the folder they are unpacked in, and two names for one place."""
    seen: dict[str, bool] = {}  # name as a careless file system takes it → whether it is a folder
    for info in infos:
        name = _name_of(info)
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if "\0" in name or name.startswith("/") or name[1:2] == ":" or ".." in parts or not name:
            raise InputError(
                f"{archive} holds a file named {shown(name)!r}, which would leave the folder: do not use this archive."
            )
        key = place_key("/".join(parts))
        is_folder = name.endswith("/")
        if key in seen and not (is_folder and seen[key]):
            raise InputError(
                f"{archive} holds {shown(name)!r} twice (letter case apart): pack it again with distinct names."
            )
        seen[key] = is_folder
    for key in [key for key, is_folder in seen.items() if not is_folder]:
        while "/" in key:
            key = key.rpartition("/")[0]
            if seen.get(key) is False:
                raise InputError(
                    f"{archive} holds {shown(key)!r} both as a file and as a folder: pack it again with distinct names."
                )
            if key in seen:
                break
            seen[key] = True


def _check_contents(infos: list[zipfile.ZipInfo], archive: str) -> None:
    """Refuse links, encryption, rare packings and bombs."""
    for info in infos:
        name = shown(_name_of(info))
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise InputError(f"{archive} holds a link or device ({name}): pack the files themselves.")
        if info.flag_bits & 0x2041:
            raise InputError(f"{archive} is encrypted ({name}): unpack it with its password and pack it without.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 0x20:
            raise InputError(f"{archive} is packed in a rare way ({name}): pack it again as a plain zip.")
        if info.file_size > BOMB_MEMBER and info.file_size > BOMB_RATIO * info.compress_size:
            raise InputError(_BOMB.format(archive, web.readable(info.file_size), web.readable(info.compress_size)))
    total, packed = sum(info.file_size for info in infos), sum(info.compress_size for info in infos)
    if total > BOMB_TOTAL and total > BOMB_RATIO * packed:
        raise InputError(_BOMB.format(archive, web.readable(total), web.readable(packed)))


_BOMB = "{} would unpack {} out of {} (a zip bomb): do not use this archive."


def _check_places(infos: list[zipfile.ZipInfo], table: int, archive: str) -> dict[int, int]:
    """Refuse members that overlap; for each member's start, where the next one or the table of contents begins."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    starts = [info.header_offset for info in ordered] + [table]
    for info, after in zip(ordered, starts[1:], strict=True):
        if info.header_offset < 0 or info.header_offset + 30 + len(info.orig_filename) + info.compress_size > after:
            raise InputError(
                f"{archive} has files that lie over each other ({shown(_name_of(info))}): do not use this archive."
            )
    return dict(zip(starts, starts[1:], strict=False))
