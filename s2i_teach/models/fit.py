"""How a model is fitted to a machine's memory: chosen as it is loaded, and one rung further where memory runs short."""

import gc
from collections.abc import Callable
from dataclasses import dataclass

import torch

from s2i_teach.errors import InputError
from s2i_teach.files import written
from s2i_teach.models.catalog import Model
from s2i_teach.models.devices import PRECISIONS, cpu_is_fast_in_bf16, denoiser_of, device_of
from s2i_teach.models.kinds import is_quantized


def _slices(pipe, device: torch.device) -> None:
    pipe.vae.enable_slicing()
    # Elsewhere torch's fused attention takes less memory than attention in slices, which would replace it.
    if device.type == "mps":
        pipe.enable_attention_slicing()


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
    Rung("slices", "pictures are decoded one after the other", _slices, False),
    Rung("parts", "each part is on the GPU only while it works", _parts_by_turns, True),
    Rung("layers", "each layer is on the GPU only while it works, which is slow", _layers_by_turns, True),
)
"""Each makes the same picture with less memory, and the lower rungs take more time. The numbers 1 to 3 are their places."""


def slices_help(pipe) -> bool:
    """Whether the first rung does anything: a flow's pictures are decoded one after the other anyway."""
    return hasattr(pipe, "unet")


OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""How torch words it on CUDA, MPS and the CPU."""


def out_of_memory(error: RuntimeError) -> bool:
    """Whether an error of torch says that memory was not enough."""
    return any(words in str(error).lower() for words in OUT_OF_MEMORY)


OFFLOAD = {"none": 0, "parts": 2, "layers": 3}
"""What may be asked for → its place on the ladder."""


@dataclass(frozen=True)
class Fit:
    """What was chosen for a model on this machine; as text one line that says it and why.

    Attributes:
        device: where it computes.
        dtype: its precision.
        rung: its place on the ladder, 0 to 3.
        small_vae: whether a small VAE stands in for its own.
        reasons: a few words for each choice.
    """

    device: torch.device
    dtype: torch.dtype
    rung: int
    small_vae: bool
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"On {'the CPU' if self.device.type == 'cpu' else self.device}: {'; '.join(self.reasons)}."


def check_offload(offload: str, device: torch.device) -> str:
    """What was asked for.

    Raises:
        InputError: not a word we know, or nothing to bring parts away from.
    """
    if not isinstance(offload, str) or offload not in ("auto", *OFFLOAD):
        raise InputError(f"offload={written(offload)} is not known: use {', '.join(['auto', *OFFLOAD])}.")
    if offload in ("parts", "layers") and device.type != "cuda":
        raise InputError(f'offload="{offload}" needs a GPU, and this runs on {device}: leave it out.')
    return offload


def need_of(entry: Model, dtype: torch.dtype) -> float:
    """GB that the weights of a model of the catalog take in a precision."""
    return entry.memory * (2 if dtype == torch.float32 else 1)


def weights_of(pipe) -> float:
    """GB that a loaded pipeline's weights take."""
    parts = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
    return sum(p.numel() * p.element_size() for part in parts for p in part.parameters()) / 1e9


def first_rung(need: float, free: float, device: torch.device, attention_slicing: bool | str, offload: str) -> int:
    """The rung to begin on: what memory asks for, but for what was asked for by hand.

    Args:
        need, free: GB that the model's weights take, and that are free on the device.
        attention_slicing: True or False instead of ``"auto"`` leaves the ladder to ``offload``.
        offload: ``"auto"``, or a name of :data:`OFFLOAD`.
    """
    if offload != "auto":
        return OFFLOAD[offload]
    return rung_for(need, free, device) if attention_slicing == "auto" else 0


def explain(pipe, free: float, *, asked_dtype: bool, vae: str) -> Fit:
    """The fit of a loaded pipeline, which stands on its rung.

    Args:
        free: GB that were free before.
        asked_dtype: whether the precision was asked for.
        vae: ``"own"``, ``"small"``, or why a small one is not used.
    """
    device, dtype = device_of(pipe), denoiser_of(pipe).dtype
    reasons = [f"{PRECISIONS[dtype]}, {'as asked' if asked_dtype else _why_precision(device, dtype)}"]
    if is_quantized(pipe):
        reasons.append("most weights in 4 bits (nf4), which changes the picture a little")
    rung = getattr(pipe, "s2i_rung", 0)
    if rung:
        reasons.append(f"{LADDER[rung - 1].words}, as it needs {weights_of(pipe):.1f} GB and {free:.1f} GB were free")
    else:
        reasons.append("all of it in memory at once")
    if vae == "small":
        reasons.append("a small VAE, which is many times quicker and loses fine detail (small_vae=False: its own)")
    elif vae != "own":
        reasons.append(f"its own VAE, as the small one could not be had ({vae})")
    return Fit(device, dtype, rung, vae == "small", tuple(reasons))


def _why_precision(device: torch.device, dtype: torch.dtype) -> str:
    if dtype == torch.float16:
        return "since this GPU has no bf16"
    if dtype == torch.bfloat16:
        return f"for which this {'CPU' if device.type == 'cpu' else 'GPU'} has instructions"
    if device.type == "cpu" and not cpu_is_fast_in_bf16():
        return "since this CPU has no instructions for less"
    return "the safe choice here"


FEW_EVALUATIONS = 8
"""Samples in a picture up to which a small VAE is worth its loss on a CPU: Stable Diffusion's own, there and back at 512 × 512,
takes the time of four to five."""


def wants_small_vae(asked: bool | str, evaluations: int, device: torch.device) -> bool:
    """Whether a model with a small VAE should use it.

    Raises:
        InputError: not True, False or ``"auto"``.
    """
    if not isinstance(asked, (bool, str)) or asked not in (True, False, "auto"):
        raise InputError(f'small_vae={written(asked)} is not known: use "auto", True or False.')
    return asked is True or (asked == "auto" and device.type == "cpu" and evaluations <= FEW_EVALUATIONS)


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
    if rung == 1 and not slices_help(pipe):
        rung = 0
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
    if rung == 0 and not slices_help(pipe):
        rung = 1
    if rung >= len(LADDER) or (LADDER[rung].on_gpu and device.type != "cuda"):
        return None
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    LADDER[rung].apply(pipe, device)
    pipe.s2i_rung = rung + 1
    return LADDER[rung].words
