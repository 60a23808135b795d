"""How far apart two tensors are: the bound that a proof needs, and the number that a picture's quality is told by."""

import torch


def max_difference(a: torch.Tensor, b: torch.Tensor) -> float:
    """max |a − b| over all elements of two tensors of one shape: 0 if and only if they are equal.

    A sum of signed differences is no such test: what is too large in one place makes up for what is too small in another.
    """
    return (a - b).abs().max().item()


def psnr(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Peak signal-to-noise ratio in dB, 10 · log10(peak² / MSE), ``(B,)``, of pictures ``(B, …)`` in [−1, 1].

    The peak is 2, the distance from black to white; what lies outside [−1, 1] is clipped first, as a screen does. Equal
    pictures have 106 dB here instead of infinity.
    """
    error = (a.clamp(-1, 1) - b.clamp(-1, 1)) ** 2
    return 10 * torch.log10(4 / error.flatten(1).mean(1).clamp(min=1e-10))
