"""Work beside the notebook's own thread, of which only the newest request matters."""

import queue
import threading
from collections.abc import Callable

IDLE = 30.0
"""Seconds without a request after which the thread ends."""


class Worker:
    """One thread with a mailbox of size one, and an outbox that the notebook's thread empties.

    A new request takes the place of one that waits; the one at work may ask whether it is still wanted. What the work
    has to say goes into the outbox and is sent by whoever calls :meth:`collect`: on Colab nothing that another thread
    sends ever reaches the page, so it must be a callback's own thread.

    Args:
        work: ``work(job, say)``; calls ``say(event)`` as often as it likes. It must not raise.
    """

    def __init__(self, work: Callable):
        self._work = work
        self._outbox: queue.SimpleQueue = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._waiting = self._running = None
        self._stopped = False
        self._thread: threading.Thread | None = None

    def ask(self, job) -> None:
        """Put a job into the mailbox; what waited there is dropped."""
        with self._changed:
            self._waiting = job
            self._stopped = False
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="s2i-studio", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def stop(self) -> None:
        """Ask the job at work to end, and drop the one that waits."""
        with self._changed:
            self._waiting = None
            self._stopped = self._running is not None

    @property
    def stopped(self) -> bool:
        """Whether :meth:`stop` was called while the job at work was running."""
        return self._stopped

    @property
    def newer(self):
        """The job that waits, or None."""
        return self._waiting

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits, or something it said was not collected yet."""
        with self._changed:
            return self._waiting is not None or self._running is not None or not self._outbox.empty()

    def collect(self, seconds: float = 0.0) -> list:
        """All that was said since the last time; waits up to so many seconds for a first word while a job is there."""
        events = []
        try:
            if seconds > 0 and self.busy:
                events.append(self._outbox.get(timeout=seconds))
            while True:
                events.append(self._outbox.get_nowait())
        except queue.Empty:
            return events

    def _serve(self) -> None:
        while True:
            with self._changed:
                if self._waiting is None and not self._changed.wait_for(lambda: self._waiting is not None, IDLE):
                    self._thread = None  # with it goes what it holds; the next request starts another
                    return
                job, self._waiting = self._waiting, None
                self._running = job
            self._work(job, self._outbox.put)
            with self._changed:
                self._running = None
                self._stopped = False
