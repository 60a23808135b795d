"""What a computation costs: floating-point operations and memory, counted as it runs or without running it."""

import statistics
import time
import weakref
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from s2i_teach.models.devices import wait_for


class AliveBytes(TorchDispatchMode):
    """While it is entered: the bytes of all tensors made since and still alive, on any device.

    What was there before (weights, inputs) does not count, nor the scratch memory that a kernel takes and gives back
    within itself. ``peak`` is the most there ever were, ``largest`` those of the largest tensor; :meth:`open_window` begins a
    part of its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.alive = self.peak = self.largest = 0
        self._windows: list[list[int]] = []
        self._seen: set[int] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        before = {self._key(x) for x in tree_iter((args, kwargs)) if isinstance(x, torch.Tensor)}
        for x in tree_iter(out):
            if isinstance(x, torch.Tensor) and (key := self._key(x)) not in before and key not in self._seen:
                self._arrived(x.untyped_storage(), key)
        return out

    @staticmethod
    def _key(x: torch.Tensor) -> int:
        return x.untyped_storage()._cdata

    def _arrived(self, storage, key: int) -> None:
        size = storage.nbytes()
        self._seen.add(key)
        self.alive += size
        self.largest = max(self.largest, size)
        self.peak = max(self.peak, self.alive)
        for window in self._windows:
            window[1] = max(window[1], self.alive)

        def left():
            self._seen.discard(key)
            self.alive -= size

        weakref.finalize(storage, left)

    def open_window(self) -> list[int]:
        """Begin to note the peak of a part; hand what is returned to :meth:`close_window`."""
        window = [self.alive, self.alive]
        self._windows.append(window)
        return window

    def close_window(self, window: list[int]) -> int:
        """The most bytes that the part had alive at once beyond those alive at its beginning."""
        self._windows = [other for other in self._windows if other is not window]
        return window[1] - window[0]


def flop_counter():
    """torch's ``FlopCounterMode``, taught the fused attention of CPUs, which it leaves out.

    One multiplication with its addition counts as two operations.
    """
    from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

    def fused(query, key, value, *args, out_shape=None, **kwargs):
        return sdpa_flop_count(query, key, value)

    on_cpu = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    return FlopCounterMode(display=False, custom_mapping={on_cpu: fused})


@contextmanager
def nothing_computed():
    """Within it tensors have shapes but no values: models and inputs made here can be counted at any size at once."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(), torch.no_grad():
        yield


@dataclass(frozen=True)
class Cost:
    """Of one run: operations, of these those of attention's two products, and the peak of memory in bytes."""

    flops: int
    attention_flops: int
    peak_bytes: int


def count(run: Callable[[], object]) -> Cost:
    """Run once and count. Slower than the run alone: time it apart.

    Works within :func:`nothing_computed` too, if what runs was made there, and then takes as long at any size.
    """
    memory = AliveBytes()
    with torch.no_grad(), flop_counter() as counter, memory:
        run()
    by_kind = counter.get_flop_counts().get("Global", {})
    attention = sum(value for kind, value in by_kind.items() if "attention" in str(kind))
    return Cost(counter.get_total_flops(), attention, memory.peak)


def measured(run: Callable[[], object], device: torch.device, repeats: int = 3) -> tuple[int, float]:
    """What running something takes: the peak of memory in bytes beyond what is there before, and seconds.

    It runs once to warm up, ``repeats`` times by the clock, of which the median counts, and once more for the memory: as
    torch's allocator tells on CUDA, elsewhere as :class:`AliveBytes` counts it.
    """
    times = []
    with torch.no_grad():
        for _ in range(repeats + 1):
            wait_for(device)
            started = time.perf_counter()
            run()
            wait_for(device)
            times.append(time.perf_counter() - started)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            before = torch.cuda.memory_allocated(device)
            run()
            peak = torch.cuda.max_memory_allocated(device) - before
        else:
            with AliveBytes() as memory:
                run()
            peak = memory.peak
    return peak, statistics.median(times[1:])
