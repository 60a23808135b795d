"""Styles: a LoRA's file read and written, and a pipeline's U-Net with it for the length of a run."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch

from s2i_teach.errors import InputError
from s2i_teach.files import as_path, shown, write_tensors
from s2i_teach.theory.lora import LowRank, low_rank_update, merged

FILE = "pytorch_lora_weights.safetensors"
"""What diffusers calls the file in a LoRA's folder."""
LARGEST = 2_000_000_000
"""Bytes of a style's file at most."""
_UP = {"lora_A": "lora_B", "lora.down": "lora.up"}
"""How the two matrices are called, in diffusers' present and former way."""


@dataclass(frozen=True, eq=False)
class Style:
    """What a style's file holds.

    Attributes:
        path: the file.
        sha256: of its bytes.
        changes: name of a layer of the U-Net → (A, B, α), as :func:`s2i_teach.theory.lora.low_rank_update` takes them.
    """

    path: Path
    sha256: str
    changes: Mapping[str, tuple[torch.Tensor, torch.Tensor, float]]

    @property
    def numbers(self) -> int:
        """How many numbers were trained."""
        return sum(down.numel() + up.numel() for down, up, _ in self.changes.values())


def read_style(path) -> Style:
    """A style from the file that :func:`save_style` or diffusers' ``save_lora_weights`` wrote, or from its folder.

    Only safetensors are read. Read once, as long as the file stays as it is.

    Raises:
        InputError: nothing is there, it is no LoRA of a U-Net, or one that changes other networks as well.
    """
    file = as_path(path)
    file = file / FILE if file.is_dir() else file
    if file.suffix != ".safetensors" or not file.is_file():
        raise InputError(f"The style {shown(path)} is not there: give a file that ends in .safetensors, or its folder.")
    seen = file.stat()
    if seen.st_size > LARGEST:
        raise InputError(f"The style {shown(path)} is larger than {LARGEST // 10**9} GB: give another.")
    return _read(file, seen.st_mtime_ns, seen.st_size)


@lru_cache(4)
def _read(file: Path, *_) -> Style:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        data = file.read_bytes()
        tensors = load(data)
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise InputError(f"The style {shown(file)} is damaged ({shown(error)}): make it again.") from error
    changes: dict[str, tuple] = {}
    used = set()
    for key in tensors:
        name, way, last = _parts(key)
        if way not in _UP or last != "weight":
            continue
        names = (key, f"{name}.{_UP[way]}.weight", f"{name}.alpha")
        down, up = tensors[key], tensors.get(names[1])
        if up is None or up.dim() != down.dim() or up.dim() not in (2, 4) or up.shape[1] != down.shape[0]:
            raise InputError(
                f"The style {shown(file)} is damaged (B of {shown(name)} does not fit its A): make it again."
            )
        alpha = float(tensors[names[2]]) if names[2] in tensors else float(len(down))
        if not (down.isfinite().all() and up.isfinite().all()):
            raise InputError(f"The style {shown(file)} is damaged (not all of its numbers are finite): make it again.")
        changes[name.removeprefix("unet.")] = (down, up, alpha)
        used |= set(names)
    other = sorted(set(tensors) - used) + [name for name in changes if name.startswith("text_encoder")]
    if not changes or other:
        what = f"it has {shown(other[0])}" if other else "it holds nothing"
        raise InputError(f"{shown(file)} is no style that can be used here ({what}): give a LoRA of a U-Net alone.")
    return Style(file, hashlib.sha256(data).hexdigest(), changes)


def _parts(key: str) -> tuple[str, str, str]:
    """``"unet.conv_in.lora_A.weight"`` → its layer, which of the two matrices, and the last word."""
    front, _, last = key.rpartition(".")
    for way in (*_UP, *_UP.values()):
        if front.endswith(f".{way}"):
            return front.removesuffix(f".{way}"), way, last
    return front, "", last


def style_hash(path) -> str | None:
    """The SHA-256 of a style's file, or None for no style."""
    return None if path is None else read_style(path).sha256


def save_style(added: Mapping[str, LowRank], path, dtype: torch.dtype = torch.float32) -> Path:
    """Write what was trained as diffusers' LoRA: ``pipe.load_lora_weights(folder, weight_name=file)`` loads it. Returns the file.

    α / r is multiplied into B. A file without α is understood as α = r by every loader, so nothing can be forgotten.

    Args:
        added: what :func:`s2i_teach.theory.lora.add_low_rank` returned, trained.
        path: a file that ends in ``.safetensors``, or a folder, which is made; there the file has diffusers' name.
        dtype: of the numbers in the file.

    Raises:
        InputError: the place cannot be written.
    """
    file = as_path(path)
    if file.suffix != ".safetensors":
        file = file / FILE
    tensors = {}
    for name, layer in added.items():
        up = layer.up.weight.detach().float() * layer.alpha / layer.rank
        tensors[f"unet.{name}.lora_A.weight"] = layer.down.weight.to(dtype)
        tensors[f"unet.{name}.lora_B.weight"] = up.to(dtype)
    return write_tensors(file, tensors, {"format": "pt"})


class Styled:
    """A pipeline's U-Net with a style at some weight, inside ``with``; outside it has its own weights, bit for bit.

    Merged into the weights: an evaluation costs what it costs without the style. It can be entered again and again, by one
    thread at a time.

    Args:
        pipe: with a U-Net.
        style: a path, or None for no style.
        weight: what the change is multiplied by; 0 is no style.

    Raises:
        InputError: the style is not there or does not fit the U-Net, or the U-Net's weights are not at hand.
    """

    def __init__(self, pipe, style: str | Path | None, weight: float | None):
        self._unet = getattr(pipe, "unet", None)
        self._pairs: list[tuple[torch.nn.Parameter, torch.Tensor]] = []
        self._own: list[torch.Tensor] = []
        self._outer: Styled | None = None
        if style is not None and weight:
            outer = self._set_aside()
            try:
                self._pairs = _merged(self._unet, read_style(style), weight)
            finally:
                if outer is not None:
                    outer._put_on()

    def __bool__(self) -> bool:
        return bool(self._pairs)

    def __enter__(self) -> "Styled":
        self._outer = self._set_aside()
        self._put_on()
        return self

    def __exit__(self, *error) -> None:
        self._take_off()
        if self._outer is not None:
            self._outer._put_on()

    def _set_aside(self) -> "Styled | None":
        """Take off the style of a run that this one runs within, as a callback may start one; returns it."""
        outer = None if self._unet is None else _worn.get(self._unet)
        if outer is not None:
            outer._take_off()
        return outer

    def _put_on(self) -> None:
        self._own = [parameter.data for parameter, _ in self._pairs]
        for parameter, changed in self._pairs:
            parameter.data = changed
        if self._unet is not None:
            _worn[self._unet] = self

    def _take_off(self) -> None:
        for (parameter, _), own in zip(self._pairs, self._own, strict=True):
            parameter.data = own
        self._own = []
        if self._unet is not None:
            _worn.pop(self._unet, None)


_worn: WeakKeyDictionary = WeakKeyDictionary()
"""U-Net → the style that it has at present."""


@torch.no_grad()
def merge_style(pipe, path) -> None:
    """Add a style to the U-Net's own weights, for good.

    Raises:
        InputError: it is not there or does not fit.
    """
    for parameter, changed in _merged(pipe.unet, read_style(path), 1.0):
        parameter.copy_(changed)


@torch.no_grad()
def _merged(unet, style: Style, weight: float) -> list[tuple[torch.nn.Parameter, torch.Tensor]]:
    """Each weight that a style changes, and what it is with it."""
    pairs: list[tuple[torch.nn.Parameter, torch.Tensor]] = []
    layers: dict[str, Any] = dict(unet.named_modules())
    for name, (down, up, alpha) in style.changes.items():
        own = getattr(layers.get(name), "weight", None)
        if own is not None and own.is_meta:
            raise InputError(
                'A style needs the weights at hand: load the model with offload="parts", or leave style out.'
            )
        update = low_rank_update(down.float(), up.float(), alpha)
        if own is None or own.shape != update.shape:
            raise InputError(
                f"The style {shown(style.path)} does not fit this model ({shown(name)}): give one that was trained on it."
            )
        pairs.append((own, merged(own.detach(), update.to(own.device), weight)))
    return pairs
