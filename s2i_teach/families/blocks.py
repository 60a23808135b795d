"""What the families' networks are built of: residual blocks, and a U-Net from a sketch's lines to a picture."""

import torch
import torch.nn.functional as F
from torch import nn

WIDTHS = (16, 32, 48, 64)
"""Channels at a half, a quarter, an eighth and a sixteenth of the picture's side."""


class Residual(nn.Module):
    """x + f(x) with two 3 × 3 convolutions (He et al. 2015), ``(B, in, H, W)`` → ``(B, out, H, W)``.

    Args:
        told: length of a vector that scales and shifts the second normalisation's channels (Perez et al. 2017, FiLM);
            0 where the block is told nothing.
        dropout: share of channels that are set to 0 between the two convolutions, in training and afterwards alike.
    """

    def __init__(self, channels: int, out: int, told: int = 0, dropout: float = 0.0):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(8, channels), nn.Conv2d(channels, out, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(8, out), nn.Conv2d(out, out, 3, padding=1)
        self.skip = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()
        self.film = nn.Linear(told, 2 * out) if told else None
        self.dropout = dropout
        for value in self.conv2.parameters():
            nn.init.zeros_(value)

    def forward(self, x: torch.Tensor, told: torch.Tensor | None = None) -> torch.Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.norm2(h)
        if self.film is not None:
            scale, shift = self.film(told)[:, :, None, None].chunk(2, 1)
            h = h * (1 + scale) + shift
        h = F.silu(h)
        if self.dropout:
            h = F.dropout2d(h, self.dropout, training=True)
        return self.skip(x) + self.conv2(h)


class SketchUNet(nn.Module):
    """A U-Net (Ronneberger et al. 2015) from ``(B, channels, H, W)`` to ``(B, out, H, W)``; H and W multiples of 16.

    It works at half the size and below: 2 × 2 pixels come in as channels and go out so again (Shi et al. 2016), which on a
    CPU is four times as fast. What comes in is seen once more by the last layer, so that a line stays where it was drawn.
    """

    def __init__(self, channels: int, out: int, widths: tuple[int, ...] = WIDTHS, told: int = 0, dropout: float = 0.0):
        super().__init__()
        self.first = nn.Conv2d(4 * channels, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(Residual(width, width, told) for width in widths)
        self.downs = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(widths, widths[1:], strict=False)
        )
        self.middle = Residual(widths[-1], widths[-1], told, dropout)
        self.ups = nn.ModuleList(nn.Conv2d(b, a, 3, padding=1) for a, b in zip(widths, widths[1:], strict=False))
        self.up_blocks = nn.ModuleList(
            Residual(2 * width, width, told, dropout * (i > 0)) for i, width in enumerate(widths[:-1])
        )
        self.norm = nn.GroupNorm(8, widths[0])
        self.shuffled = nn.Conv2d(widths[0], 4 * 8, 3, padding=1)
        self.last = nn.Conv2d(8 + channels, out, 3, padding=1)

    def forward(self, x: torch.Tensor, told: torch.Tensor | None = None) -> torch.Tensor:
        h, kept = self.first(F.pixel_unshuffle(x, 2)), []
        for i, block in enumerate(self.down_blocks):
            h = block(h, told)
            if i < len(self.downs):
                kept.append(h)
                h = self.downs[i](h)
        h = self.middle(h, told)
        for i in reversed(range(len(self.ups))):
            h = self.ups[i](F.interpolate(h, scale_factor=2.0, mode="nearest"))
            h = self.up_blocks[i](torch.cat([h, kept[i]], 1), told)
        h = F.pixel_shuffle(self.shuffled(F.silu(self.norm(h))), 2)
        return self.last(torch.cat([F.silu(h), x], 1))
