"""One process's work: it claims a shard, reads, translates and writes at the same time, and goes on until all shards are done."""

import queue
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from operator import methodcaller
from pathlib import Path
from typing import TypeVar

from s2i_teach.data_sources.archives import BadMember
from s2i_teach.data_sources.sources import Item, Source
from s2i_teach.errors import InputError
from s2i_teach.files import shown, write_whole
from s2i_teach.images import read_picture
from s2i_teach.models.devices import device_of
from s2i_teach.models.fit import out_of_memory
from s2i_teach.translation.batch import run_batch
from s2i_teach.translation.dataset.claims import Claims
from s2i_teach.translation.dataset.listing import Listing, Shard
from s2i_teach.translation.dataset.places import KEPT
from s2i_teach.translation.dataset.request import Request
from s2i_teach.translation.dataset.rows import Rows, filled, row_of
from s2i_teach.translation.page import Pages
from s2i_teach.translation.plan import Plan
from s2i_teach.translation.result import Result
from s2i_teach.translation.settings import Resolved
from s2i_teach.translation.sweep import result_of

T = TypeVar("T")
POLL = 0.5
"""Seconds between two looks at what others have done."""
MOST_IN_A_ROW = 12
"""Pictures that may fail one after the other: more, and it is not the sketches that are bad."""


@dataclass
class Job:
    """One sketch, opened."""

    item: Item
    settings: Resolved
    pages: Pages


@dataclass
class Open:
    """A shard that this process works on, and its rows so far."""

    shard: Shard
    rows: dict[str, dict]


@dataclass
class Batch:
    """Sketches of one size that go through the network together."""

    open: Open
    jobs: list[Job]


@dataclass
class Aside:
    """A sketch that cannot be used, and why."""

    open: Open
    item: Item
    reason: str


@dataclass
class Read:
    """All of a shard has been read."""

    open: Open


@dataclass
class Tally:
    """What this process has done: pictures made, sketches set aside, and its shards that are not done yet."""

    made: int = 0
    aside: int = 0
    unfinished: dict[str, Open] = field(default_factory=dict)


class Worker:
    """What the three threads of a process share: one reads, one translates, one writes."""

    def __init__(self, folder: Path, source: Source, listing: Listing, request: Request, pipe, claims: Claims):
        self.folder, self.source, self.listing, self.request, self.pipe = folder, source, listing, request, pipe
        self.claims, self.rows = claims, Rows(folder, claims.token)
        self.tally = Tally()
        self._plans: dict[tuple[int, int], Plan] = {}
        self._failed = 0

    def run(self) -> Iterator[None]:
        """Work until every shard is done, here or elsewhere; yields now and then, so that progress can be told.

        Raises:
            InputError: the source, the disk or the device failed, in one sentence. What is finished stays.
        """
        with ThreadPoolExecutor(1, "writing") as writer, closing(ahead(self._read(), most=2)) as pieces:
            written: deque[Future] = deque()
            for piece in pieces:
                match piece:
                    case Batch():
                        for job, made in self._translated(piece.jobs):
                            written.append(writer.submit(self._write, piece.open, job, made))
                    case Aside():
                        written.append(writer.submit(self._set_aside, piece.open, piece.item, piece.reason))
                    case Read():
                        written.append(writer.submit(self._finish, piece.open))
                while len(written) > 2 * self.request.batch or (written and written[0].done()):
                    written.popleft().result()
                yield
            while written:
                written.popleft().result()
            yield

    # in the reading thread

    def _read(self) -> Iterator[Batch | Aside | Read | None]:
        """All that this process is to do, as it claims it; None while there is nothing."""
        for number in self._claimed():
            if number is None:
                yield None
                continue
            shard = self.listing.shard(number)
            kept = self.rows.kept(shard, self.listing, self.request, self.source.licence)
            work = Open(shard, kept)
            self.tally.unfinished[shard.name] = work
            waiting: dict[tuple[int, int], list[Job]] = {}
            for item, data in self._bytes_of([item for item in shard.items if item.name not in kept]):
                try:
                    if isinstance(data, BadMember):
                        raise data
                    picture = read_picture(data)
                    settings = self.request.settings(item, picture.size)
                    job = Job(item, settings, Pages.alone(picture, settings))
                except InputError as error:
                    yield Aside(work, item, str(error).replace("These bytes", shown(item.name)))
                    continue
                alike = waiting.setdefault(settings.size, [])
                alike.append(job)
                if len(alike) == self.request.batch:
                    yield Batch(work, waiting.pop(settings.size))
            for alike in waiting.values():
                yield Batch(work, alike)
            yield Read(work)

    def _claimed(self) -> Iterator[int | None]:
        """The numbers of the shards that this process has claimed: first what nobody has, then what dead ones left."""
        names = self.listing.names
        done, mine = self.rows.done(), set()
        for number, name in enumerate(names):
            if name not in done and self.claims.take(name) and name not in self.rows.done():
                mine.add(name)
                yield number
        while True:
            done = self.rows.done()
            left = [name for name in names if name not in done and name not in mine]
            if not left:
                return
            taken = self.claims.take_over(left)
            if taken is None:
                time.sleep(POLL)
                yield None
            elif taken not in self.rows.done():
                mine.add(taken)
                yield names.index(taken)

    def _bytes_of(self, items: list[Item]) -> Iterator[tuple[Item, bytes | BadMember]]:
        """Each item's bytes, or why it cannot be had. Where one fails, the rest is read one by one."""
        left = {item.name: item for item in items}
        try:
            for item, data in self.source.read_many(items):
                del left[item.name]
                yield item, data
        except BadMember:
            for item in left.values():
                try:
                    yield from self.source.read_many([item])
                except BadMember as error:
                    yield item, error

    # in the main thread

    def _translated(self, jobs: list[Job]) -> Iterator[tuple[Job, Result | InputError]]:
        """The jobs' pictures; where a batch fails, each alone, with blanks beside it, to find the one that does."""
        done = set()
        try:
            for position, result in self._run(jobs):
                done.add(position)
                self._failed = 0
                yield jobs[position], result
        except InputError as error:
            if isinstance(error.__cause__, RuntimeError) and out_of_memory(error.__cause__):
                raise InputError(f"{error} {KEPT}") from error
            rest = [job for position, job in enumerate(jobs) if position not in done]
            if len(rest) > 1:
                for job in rest:
                    yield from self._translated([job])
                return
            self._failed += 1
            if self._failed >= MOST_IN_A_ROW:
                raise InputError(f"{MOST_IN_A_ROW} pictures in a row failed: {error} {KEPT}") from error
            yield rest[0], error
        except RuntimeError as error:
            if not _device_failed(error):
                raise
            first = shown(str(error).partition("\n")[0])
            raise InputError(f"The device {device_of(self.pipe)} failed ({first}). {KEPT}") from error

    def _run(self, jobs: list[Job]) -> Iterator[tuple[int, Result]]:
        """Always as many together as ``request.batch`` says: how many there are decides the last bits."""
        beside = self.request.batch - len(jobs)
        last = jobs[-1]
        # Another seed: equal ones would go through the network once.
        blanks = [replace(last.settings, seed=(last.settings.seed + 1 + i) % 2**63) for i in range(beside)]
        cells = [job.settings for job in jobs] + blanks
        pages = [job.pages for job in jobs] + [last.pages] * beside
        plan = self._plan(last.settings)
        for position, pixels, notes in run_batch(pages, cells, self.pipe, max_batch=2 * self.request.batch):
            if position < len(jobs):
                job = jobs[position]
                page, precision = job.pages[job.settings], self.request.identity["precision"]
                yield position, result_of(self.pipe, job.settings, page, pixels, notes, plan, precision)

    def _plan(self, settings: Resolved) -> Plan:
        """The same for all pictures of a size."""
        if settings.size not in self._plans:
            self._plans[settings.size] = settings.plan(self.pipe, measure=False)
        return self._plans[settings.size]

    # in the writing thread

    def _write(self, work: Open, job: Job, made: Result | InputError) -> None:
        if isinstance(made, InputError):
            self._set_aside(work, job.item, str(made))
            return
        data, place = made.png(), self.listing.place(job.item)
        row = row_of(job.item, self.source.licence)
        row = filled(row, place, job.settings, data, " ".join(made.notes))
        # The row first: whoever finds the picture after a kill finds what is known of it.
        self.rows.note(work.shard, row)
        self._whole(self.folder / place, data)
        work.rows[job.item.name] = row
        self.tally.made += 1

    def _whole(self, path: Path, data: bytes) -> None:
        try:
            write_whole(path, methodcaller("write", data))
        except InputError as error:
            raise InputError(f"{error} {KEPT}") from error

    def _set_aside(self, work: Open, item: Item, reason: str) -> None:
        work.rows[item.name] = row_of(item, self.source.licence) | {"error": reason}
        self.tally.aside += 1

    def _finish(self, work: Open) -> None:
        self.rows.finish(work.shard, work.rows)
        self.tally.unfinished.pop(work.shard.name, None)


def _device_failed(error: RuntimeError) -> bool:
    """Whether a GPU went away or broke off, in the words of torch and its libraries."""
    words = ("CUDA", "cuDNN", "CUBLAS", "NCCL", "HIP", "MPS", "device-side assert")
    return type(error).__name__ == "AcceleratorError" or any(word in str(error) for word in words)


def ahead(things: Iterator[T], most: int) -> Generator[T]:
    """The things, made in a thread of their own, ``most`` of them before they are asked for; its exceptions come out here."""
    ready: queue.Queue = queue.Queue(most)
    stop = threading.Event()

    def put(thing, error: BaseException | None = None, last: bool = False) -> None:
        while not stop.is_set():
            try:
                return ready.put((thing, error, last), timeout=0.1)
            except queue.Full:
                continue

    def make() -> None:
        try:
            for thing in things:
                put(thing)
                if stop.is_set():
                    return
            put(None, last=True)
        except BaseException as error:  # raised where it is waited for
            put(None, error)

    thread = threading.Thread(target=make, name="reading", daemon=True)
    thread.start()
    try:
        while True:
            try:
                thing, error, last = ready.get(timeout=1)  # on Windows a wait without end cannot be interrupted
            except queue.Empty:
                continue
            if error is not None:
                raise error
            if last:
                return
            yield thing
    finally:
        stop.set()
        thread.join(timeout=2)  # one that waits for the network ends with the process
