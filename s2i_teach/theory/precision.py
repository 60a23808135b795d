"""Numbers with half the bits: what weights take in them, what overflows, and what to do then.

A float has a sign, an exponent and a fraction. fp32 gives the last two 8 and 23 bits, fp16 5 and 10 (IEEE 754), bf16 8 and
7 (Kalamkar et al. 2019): fp16 ends at 65,504, bf16 reaches as far as fp32 and is eight times as coarse as fp16.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn


def bits_of(dtype: torch.dtype) -> tuple[int, int]:
    """How many bits of a float type are its exponent's, and how many its fraction's: (5, 10) for fp16."""
    fraction = round(-torch.log2(torch.tensor(torch.finfo(dtype).eps, dtype=torch.float64)).item())
    return torch.finfo(dtype).bits - 1 - fraction, fraction


def spacing(x: float, dtype: torch.dtype) -> float:
    """The distance from ``x``, a number above 0, to the next larger number of a float type; infinite at its end."""
    number = torch.tensor(x, dtype=dtype)
    bits = number.view({16: torch.int16, 32: torch.int32, 64: torch.int64}[torch.finfo(dtype).bits])
    return ((bits + 1).view(dtype).double() - number.double()).item()


def weight_bytes(parts: Iterable[nn.Module], dtype: torch.dtype) -> int:
    """Bytes that the weights of some networks take with their floats in ``dtype``.

    Parameters and buffers count, trainable or not. What several networks share counts once. Whole numbers, such as
    positions, stay as they are: a pipeline changes the type of floats alone. A network on the device ``meta`` can be
    counted as well.
    """
    tensors = {id(tensor): tensor for part in parts for tensor in (*part.parameters(), *part.buffers())}
    return sum(
        tensor.numel() * (dtype.itemsize if tensor.is_floating_point() else tensor.element_size())
        for tensor in tensors.values()
    )


@contextmanager
def answers_rounded(network: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """Within it each layer's answer is rounded to ``dtype`` and kept in the network's own type.

    This imitates half precision where there is none: matrix units add up in fp32 and round what comes out. What
    overflows becomes infinite, as there.
    """
    layers = [layer for layer in network.modules() if not list(layer.children())]
    hooks = [
        layer.register_forward_hook(lambda layer, given, answer: answer.to(dtype).to(answer.dtype)) for layer in layers
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def decode_safely(
    decode: Callable[[torch.Tensor], torch.Tensor], latents: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    """Pictures ``(B, 3, H, W)`` in fp32: decoded in ``dtype``, and anew in fp32 those that did not come out finite.

    Args:
        decode: latents ``(B, C, h, w)`` of any float type → pictures ``(B, 3, H, W)``, computed in that type.
        latents: ``(B, C, h, w)`` in fp32.
    """
    pictures = decode(latents.to(dtype)).float()
    failed = ~torch.isfinite(pictures).flatten(1).all(1)  # (B,)
    if failed.any():
        pictures[failed] = decode(latents[failed])
    return pictures
