"""Which models a lesson works with: the real ones where a GPU and the hub are there, else the miniatures."""

import gc
from dataclasses import dataclass

import torch

from s2i_teach.errors import InputError
from s2i_teach.models.catalog import MODELS
from s2i_teach.models.devices import PRECISIONS, pick_device, pick_dtype
from s2i_teach.models.hub import is_within_reach
from s2i_teach.models.load import load_pipeline

LANES = ("the real models", "the miniatures")
REAL = ("sd15", "sd15-lcm", "sd-turbo", "sd15-scribble")


@dataclass(frozen=True)
class Lane:
    """What a lesson works with.

    Attributes:
        name: one of ``LANES``.
        why: a sentence that says why this one.
        device: where the models compute.
        dtype: ``"fp32"``, ``"fp16"`` or ``"bf16"``.
        models: all that are compared, the one that needs many steps first.
        twins: pairs of names, a model and the same in few steps.
        sides: two sides of pictures in pixels: the model's own, and a larger one.
        style: words that follow a thing in a prompt.
    """

    name: str
    why: str
    device: torch.device
    dtype: str
    models: tuple[str, ...]
    twins: tuple[tuple[str, str], ...]
    sides: tuple[int, int]
    style: str

    @property
    def full(self) -> str:
        """The model that needs many steps."""
        return self.twins[0][0]

    @property
    def few(self) -> str:
        """The same in few steps."""
        return self.twins[0][1]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the models' own pages, in pixels."""
        return MODELS[self.full].size

    def load(self, model: str):
        """A model on the lane's device and in its precision."""
        return load_pipeline(model, device=str(self.device), dtype=self.dtype)

    def prompt(self, thing: str) -> str:
        """The thing in the lane's style: ``"a turtle, openmoji style"``."""
        article = "an" if thing[0] in "aeiou" else "a"
        return f"{article} {thing}, {self.style}"

    def __str__(self) -> str:
        return f"{self.name} on {self.device.type} in {self.dtype}: {', '.join(self.models)} ({self.why})"


def choose_lane(wanted: str | None = None) -> Lane:
    """The lane for this machine.

    Args:
        wanted: one of ``LANES``; None takes the real models where there is a GPU that works (CUDA or Apple's) and they are
            on this machine or within the hub's reach.

    Raises:
        InputError: another lane, or the real models where they cannot be had.
    """
    if wanted not in (None, *LANES):
        raise InputError(f"There is no lane {wanted!r}: use {' or '.join(map(repr, LANES))}.")
    device = pick_device()
    missing = _missing(device) if wanted != LANES[1] else "as you wished"
    if wanted == LANES[0] and missing:
        raise InputError(f"The real models cannot be had here, since {missing}: leave the lane out.")
    if missing:
        return Lane(
            LANES[1],
            missing,
            torch.device("cpu"),
            "fp32",
            ("mini", "mini-fast", "mini-scribble", "mini-scribble-fast"),
            (("mini", "mini-fast"), ("mini-scribble", "mini-scribble-fast")),
            (128, 256),
            "openmoji style",
        )
    return Lane(
        LANES[0],
        "a GPU works, and the models can be had",
        device,
        PRECISIONS[pick_dtype(device)],
        REAL,
        (("sd15", "sd15-lcm"),),
        (512, 768),
        "flat emoji on white paper",
    )


def _missing(device: torch.device) -> str:
    """What the real models lack here, in words; empty where nothing is."""
    if device.type == "cpu":
        return "no GPU works here"
    from diffusers.utils import USE_PEFT_BACKEND

    if not USE_PEFT_BACKEND:
        return "the package peft is not there, or too old"
    away = [name for name in REAL if not is_within_reach(MODELS[name])]
    return f"{' and '.join(away)} cannot be fetched" if away else ""


def tidy(device: torch.device) -> None:
    """Give back the memory of what was deleted."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
