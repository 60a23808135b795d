"""How a model is fitted to a machine's memory: chosen as it is loaded, and one rung further where memory runs short."""

import gc
from collections.abc import Callable
from dataclasses import dataclass

import torch

from s2i_teach.models.devices import device_of


def _slices(pipe, device: torch.device) -> None:
    pipe.enable_attention_slicing()
    pipe.vae.enable_slicing()


def _parts_by_turns(pipe, device: torch.device) -> None:
    pipe.enable_model_cpu_offload(device=device)


def _layers_by_turns(pipe, device: torch.device) -> None:
    pipe.enable_sequential_cpu_offload(device=device)


@dataclass(frozen=True)
class Rung:
    """One rung of the ladder: what it does, in words; ``apply(pipe, device)``; and whether it needs a GPU."""

    name: str
    words: str
    apply: Callable
    on_gpu: bool


LADDER = (
    Rung("slices", "attention and decoding are done in slices", _slices, False),
    Rung("parts", "each part is on the GPU only while it works", _parts_by_turns, True),
    Rung("layers", "each layer is on the GPU only while it works, which is slow", _layers_by_turns, True),
)
"""Each makes the same picture with less memory, and the lower rungs take more time. The numbers 1 to 3 are their places."""


OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""How torch words it on CUDA, MPS and the CPU."""


def out_of_memory(error: RuntimeError) -> bool:
    """Whether an error of torch says that memory was not enough."""
    return any(words in str(error).lower() for words in OUT_OF_MEMORY)


def rung_for(need: float, free: float, device: torch.device) -> int:
    """The rung to begin on: 0 holds all at once.

    Args:
        need: GB that the model's weights take.
        free: GB free on the device.
        device: where it will compute. Only on a GPU can the weights wait elsewhere.
    """
    if free >= 1.5 * need:
        return 0
    if device.type != "cuda" or free >= need + 0.5:
        return 1
    return 2 if free >= 0.85 * need else 3


def stand_on(pipe, rung: int, device: torch.device) -> None:
    """Bring a freshly loaded pipeline to its device, on a rung; on a lower one where a GPU has no room for it there."""
    try:
        if rung < 2:
            pipe.to(device)
    except RuntimeError as error:
        if not out_of_memory(error) or device.type != "cuda":
            raise
        rung = 2
    for place in ([1] if rung else []) + ([rung] if rung > 1 else []):
        LADDER[place - 1].apply(pipe, device)
    pipe.s2i_rung = rung


def step_down(pipe) -> str | None:
    """Bring a pipeline whose memory ran short one rung further; the words for it, or None where there is no further."""
    device, rung = device_of(pipe), getattr(pipe, "s2i_rung", 0)
    if rung >= len(LADDER) or (LADDER[rung].on_gpu and device.type != "cuda"):
        return None
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    LADDER[rung].apply(pipe, device)
    pipe.s2i_rung = rung + 1
    return LADDER[rung].words
