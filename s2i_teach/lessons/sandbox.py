"""Runs a learner's function: within a time limit, on copies of its inputs, with the session's random state kept."""

import copy
import ctypes
import random
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

import torch


class OutOfTime(Exception):
    """Raised inside the learner's code when its time is over."""


@dataclass
class Ran:
    """What came of a call: ``value``, or the ``error`` that was raised and the learner's own ``line`` it came from."""

    value: object = None
    error: BaseException | None = None
    line: str | None = None
    timed_out: bool = False


@contextmanager
def kept_random_state():
    """Put back the random state of torch, Python and, if it is loaded, numpy, whatever happens inside."""
    numpy = sys.modules.get("numpy")
    before = torch.get_rng_state(), random.getstate(), numpy.random.get_state() if numpy else None
    grad = torch.is_grad_enabled()
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        random.setstate(before[1])
        if numpy:
            numpy.random.set_state(before[2])
        torch.set_grad_enabled(grad)


def call(function: Callable, arguments: tuple, seconds: float = 10.0) -> Ran:
    """Call ``function`` on deep copies of ``arguments``; stops it after ``seconds``.

    A worker thread runs it, since signals reach only the main thread, where a notebook's callbacks need not be. Python
    code is stopped between two of its instructions; a single long call into C (one huge matrix product) is only given
    up on, and ends by itself.
    """
    ran = Ran(timed_out=True)
    copies = copy.deepcopy(arguments)

    def work():
        try:
            ran.value = function(*copies)
            ran.timed_out = False
        except OutOfTime:
            pass  # ran.timed_out stays True: that is what it says
        except BaseException as error:  # SystemExit and KeyboardInterrupt of the learner's code end here as well
            ran.error, ran.line, ran.timed_out = error, _own_line(error), False

    with kept_random_state():
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(seconds)
        if thread.is_alive() and thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(OutOfTime))
            thread.join(1.0)
    return ran


def _own_line(error: BaseException) -> str | None:
    """The last line of the traceback that is the learner's, as ``line 3: x = y``; skips libraries and this package."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        library = "site-packages" in frame.filename or "dist-packages" in frame.filename
        ours = "s2i_teach" in frame.filename.replace("\\", "/").split("/")
        standard = frame.filename.startswith((sys.base_prefix + "/lib/", "<frozen"))
        if not (library or ours or standard):
            return f"line {frame.lineno}: {frame.line}" if frame.line else f"line {frame.lineno}"
    return None
