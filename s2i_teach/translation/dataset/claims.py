"""Who works on which shard: claims that only one process can make, and signs of life beside them.

A claim is a file that is made only where there is none. It names its process, which has a file of its own and touches it every few
seconds. Where that file is gone, or its process is on this machine and has ended, or nothing has touched it for
:data:`PATIENCE` of our own seconds, the claim is a dead one's: whoever makes the next claim on the shard has it. So it needs
no locks and no common clock, only a folder that all processes see. If a process that was merely stopped comes back, it makes the
same pictures once more and nothing else happens.
"""

import contextlib
import json
import os
import re
import socket
import threading
import time
import uuid
from pathlib import Path

import psutil

from s2i_teach.translation.dataset.places import ALIVE, CLAIMS, create

BEAT = 5.0
"""Seconds between two signs of life."""
PATIENCE = 90.0
"""Seconds without one after which a process counts as dead: more than any cache of NFS keeps a file's time."""


class Claims:
    """One process's claims in a set's folder; a context manager. When it is left, what was not finished is free at once."""

    def __init__(self, folder: Path):
        self._claims, self._alive = folder / CLAIMS, folder / ALIVE
        self.token = uuid.uuid4().hex
        self._mine = self._alive / f"{self.token}.json"
        self._stop = threading.Event()
        self._seen: dict[str, tuple[float, float]] = {}  # a process → its file's time, and when we first saw that
        self._dead: set[str] = set()
        self._thread = threading.Thread(target=self._beat, name="signs of life", daemon=True)

    def __enter__(self) -> "Claims":
        self._claims.mkdir(parents=True, exist_ok=True)
        me = psutil.Process()
        create(self._mine, json.dumps({"at": _here(), "pid": me.pid, "started": me.create_time()}).encode())
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join()
        with contextlib.suppress(OSError):  # the folder may be what failed
            self._mine.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            with contextlib.suppress(OSError):  # a disk that is away for a moment; for longer, and we count as dead
                os.utime(self._mine)

    def clear(self, names: list[str]) -> None:
        """Forget all claims on these, which are done, and the files of processes that have ended."""
        gone = set(names)
        for path in list(self._claims.iterdir()):
            if path.name.rpartition(".")[0] in gone:
                path.unlink(missing_ok=True)
        for path in list(self._alive.iterdir()):
            if self.is_dead(path.stem):
                path.unlink(missing_ok=True)

    def take(self, name: str) -> bool:
        """Claim what nobody has ever claimed. Returns whether it is ours now."""
        return self._make(name, 0)

    def take_over(self, names: list[str]) -> str | None:
        """Claim the first of these whose claim is free, our own or a dead process's; None where there is none."""
        newest = self._newest()
        for name in names:
            turn = newest.get(name, -1)
            owner = self._owner(name, turn) if turn >= 0 else None
            if owner == self.token:
                return name
            if (turn < 0 or self.is_dead(owner or f"{name}.{turn}")) and self._make(name, turn + 1):
                return name
        return None

    def _make(self, name: str, turn: int) -> bool:
        return create(self._claims / f"{name}.{turn}", self.token.encode())

    def _newest(self) -> dict[str, int]:
        """Shard → the number of the last claim on it."""
        newest: dict[str, int] = {}
        for file in os.listdir(self._claims):
            if found := re.fullmatch(r"([^.].*)\.(\d+)", file):
                newest[found[1]] = max(int(found[2]), newest.get(found[1], -1))
        return newest

    def _owner(self, name: str, turn: int) -> str | None:
        """Who made a claim; None for an empty one, whose maker was killed in the middle or is about to write."""
        with contextlib.suppress(FileNotFoundError):
            return (self._claims / f"{name}.{turn}").read_text(encoding="ascii") or None
        return None

    def is_dead(self, owner: str) -> bool:
        """Whether a process has ended, for all that can be seen from here."""
        if owner not in self._dead and self._looks_dead(owner):
            self._dead.add(owner)
        return owner in self._dead

    def _looks_dead(self, owner: str) -> bool:
        path = self._alive / f"{owner}.json" if re.fullmatch("[0-9a-f]{32}", owner) else self._claims / owner
        try:
            with open(path, "rb") as file:  # which makes NFS ask its server
                changed, words = os.fstat(file.fileno()).st_mtime, file.read()
        except FileNotFoundError:
            return True
        with contextlib.suppress(ValueError, KeyError, TypeError):
            about = json.loads(words)
            if about["at"] == _here():
                return not _runs(about["pid"], about["started"])
        before, since = self._seen.get(owner, (None, 0.0))
        if changed != before:
            self._seen[owner] = changed, time.monotonic()
            return False
        return time.monotonic() - since > PATIENCE


def _here() -> str:
    """This machine since it was started, and what processes can be seen from here: containers may share a host's name."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{socket.gethostname()} {boot} {os.stat('/proc/self/ns/pid').st_ino}"
    return f"{socket.gethostname()} {psutil.boot_time():.0f}"


def _runs(pid: int, started: float) -> bool:
    """Whether that very process runs: a number may have gone to another one since."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - started) < 5
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
