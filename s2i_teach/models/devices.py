"""Which device, which precision, and whether memory is short."""

import os
import warnings
from contextlib import contextmanager, nullcontext

import torch

from s2i_teach.errors import InputError
from s2i_teach.files import written


def pick_device(device: str | None = None) -> torch.device:
    """The device asked for, or the best that really works: CUDA, then Apple's MPS, then the CPU.

    Raises:
        InputError: the device asked for is not there.
    """
    if device is not None:
        try:
            chosen = torch.device(device)
            torch.zeros(1, device=chosen)
        except (RuntimeError, AssertionError, TypeError, ValueError) as error:
            raise InputError(f'The device {written(device)} is not available here: use "cpu".') from error
        return chosen
    if torch.cuda.is_available():
        try:
            # A P100 is "available" to builds of torch that hold no kernels for it; only running one tells.
            torch.zeros(8, device="cuda").add(1).sum().item()
            return torch.device("cuda")
        except RuntimeError as error:
            warnings.warn(f"The GPU is there but this torch cannot use it ({error}); the CPU is used.", stacklevel=2)
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def cpu_is_fast_in_bf16() -> bool:
    """Whether this CPU has instructions for bf16 (AMX or AVX512_BF16); without them bf16 is slower than fp32."""
    checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, name)() for name in checks if hasattr(torch.cpu, name))


def pick_dtype(device: torch.device) -> torch.dtype:
    """fp16 on CUDA (bf16 from capability 8), bf16 on a CPU that has it, else fp32."""
    if device.type == "cuda":
        # is_bf16_supported() says True by emulation on a T4: the capability tells.
        return torch.bfloat16 if torch.cuda.get_device_capability(device)[0] >= 8 else torch.float16
    if device.type == "cpu" and cpu_is_fast_in_bf16():
        return torch.bfloat16
    return torch.float32


def device_of(pipe) -> torch.device:
    """Where a pipeline computes; its weights may wait elsewhere (``pipe.device`` says where)."""
    return getattr(pipe, "s2i_held_device", None) or getattr(pipe, "_execution_device", None) or pipe.device


@contextmanager
def held_device(pipe, device: torch.device):
    """Within it :func:`device_of` is this: diffusers looks through all modules for it, some 10 ms each time."""
    before = getattr(pipe, "s2i_held_device", None)
    pipe.s2i_held_device = device
    try:
        yield
    finally:
        pipe.s2i_held_device = before


def denoiser_of(pipe):
    """The network that a run evaluates: a pipeline's U-Net, the transformer in its place, or another family's network."""
    parts = (getattr(pipe, name, None) for name in ("unet", "transformer", "family"))
    return next(part for part in parts if part is not None)


SMALL = 50_000_000
"""Parameters of a U-Net below which one CPU thread does."""


@contextmanager
def one_thread():
    """Within it torch computes in one CPU thread, which for tiny tensors is the fastest."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def is_small(pipe) -> bool:
    """Whether a model's U-Net has less than :data:`SMALL` parameters."""
    return denoiser_of(pipe).num_parameters() < SMALL


def fitting_threads(pipe):
    """Within it a small model on a CPU runs in one thread; others in as many as torch was told.

    Threads that wait for each other at every tiny operation win nothing on a quiet machine and lose much on a busy one,
    where a browser draws beside them. One thread also makes the same picture on any machine, however many it has.
    """
    return one_thread() if device_of(pipe).type == "cpu" and is_small(pipe) else nullcontext()


DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
PRECISIONS = {dtype: name for name, dtype in DTYPES.items()}


def precision_of(pipe) -> str:
    """The precision of the network that a run evaluates: "fp32", "fp16", "bf16" or "mixed"."""
    return PRECISIONS.get(denoiser_of(pipe).dtype, "mixed")


def check_dtype(dtype, device: torch.device) -> torch.dtype:
    """A dtype from its name or itself; None picks.

    Raises:
        InputError: not a name we know, or fp16 on a CPU (30 to 50 times slower than fp32).
    """
    if dtype is None:
        return pick_dtype(device)
    chosen = DTYPES.get(dtype) if isinstance(dtype, str) else dtype
    if not isinstance(chosen, torch.dtype) or chosen not in DTYPES.values():
        raise InputError(f"The dtype {written(dtype)} is not known: use {', '.join(DTYPES)}.")
    if chosen == torch.float16 and device.type == "cpu":
        raise InputError("fp16 on a CPU is 30 to 50 times slower than fp32: leave dtype out, or use fp32.")
    return chosen


def free_memory(device: torch.device) -> float:
    """Free memory of the device in GB (the system's, for CPU and MPS)."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] / 1e9
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            table = dict(line.split(":", 1) for line in lines)
        return int(table["MemAvailable"].split()[0]) * 1024 / 1e9
    except (OSError, KeyError):
        pages = {"SC_AVPHYS_PAGES", "SC_PAGE_SIZE"} & set(getattr(os, "sysconf_names", ()))
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9 if len(pages) == 2 else float("inf")


def wait_for(device: torch.device) -> None:
    """Wait until the device has done what it was given: a GPU works on while the clock is read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
