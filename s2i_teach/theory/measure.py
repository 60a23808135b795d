"""Numbers that tell of pictures: how far apart two are, and how colourful one is."""

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


def colourfulness(x: torch.Tensor) -> torch.Tensor:
    """How colourful pictures ``(B, 3, H, W)`` in [−1, 1] look, ``(B,)``: 0 for greys, about 100 for very colourful ones.

    σ + 0.3 · μ of the opponent colours R − G and (R + G)/2 − B, with R, G and B from 0 to 255: σ is the root of the sum
    of both variances, μ the distance of both means from grey (Hasler & Süsstrunk 2003, *Measuring colourfulness in
    natural images*, section 7).
    """
    red, green, blue = ((x + 1) * 127.5).flatten(2).unbind(1)  # each (B, H · W)
    opponent = torch.stack([red - green, (red + green) / 2 - blue])  # (2, B, H · W)
    spread = opponent.var(2, correction=0).sum(0).sqrt()
    return spread + 0.3 * opponent.mean(2).norm(dim=0)
