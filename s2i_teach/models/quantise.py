"""Weights in 4 bits each, where a model of a flow is too large for a GPU (NF4, Dettmers et al. 2023), by diffusers and bitsandbytes."""

import importlib.util
from pathlib import Path

import torch

from s2i_teach.errors import InputError
from s2i_teach.files import written
from s2i_teach.models.fit import rung_for
from s2i_teach.models.kinds import Kind

CHOICES = ("auto", "none", "nf4")


def check_quantize(quantize: str, device: torch.device, kind: Kind | None) -> None:
    """Refuse what cannot be quantised here. ``kind`` is the model's, or None where it is not known yet.

    Raises:
        InputError: not a word we know, no GPU, no bitsandbytes, or a model that is not so large.
    """
    if not isinstance(quantize, str) or quantize not in CHOICES:
        raise InputError(f"quantize={written(quantize)} is not known: use {', '.join(CHOICES)}.")
    if quantize != "nf4":
        return
    if kind is not None and not kind.is_flow:
        raise InputError('quantize="nf4" is for models such as "flux2-klein": leave it out for this one.')
    if device.type != "cuda":
        raise InputError(f'quantize="nf4" needs a GPU, and this runs on {device}: leave it out.')
    if not can_quantise():
        raise InputError('quantize="nf4" needs the package bitsandbytes: pip install -U bitsandbytes.')


def can_quantise() -> bool:
    """Whether the package is installed that quantises."""
    return importlib.util.find_spec("bitsandbytes") is not None


def wants_quantised(quantize: str, kind: Kind, need: float, free: float, device: torch.device) -> bool:
    """Whether a model's weights are kept in 4 bits: as asked, or, for ``"auto"``, where they would not fit all at once.

    Args:
        need, free: GB that the weights take as they are, and that are free on the device.
    """
    if quantize != "auto" or not kind.is_flow or device.type != "cuda" or not can_quantise():
        return quantize == "nf4"
    return rung_for(need, free, device) > 1


def saved_size(folder: Path, dtype: torch.dtype) -> float:
    """GB that a saved pipeline's weights take in a precision; they are saved in half precision."""
    return sum(file.stat().st_size for file in folder.glob("*/*.safetensors")) / 1e9 * dtype.itemsize / 2


def quantisation(kind: Kind, dtype: torch.dtype):
    """What diffusers is asked for: transformer and text encoder in NF4, computing in ``dtype``; the VAE as it is."""
    from diffusers import PipelineQuantizationConfig

    compute = str(dtype).removeprefix("torch.")
    return PipelineQuantizationConfig(
        quant_backend="bitsandbytes_4bit",
        quant_kwargs={"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": compute},
        components_to_quantize=["transformer", *kind.encoders],
    )
