"""A U-Net that predicts noise, small enough to read in one sitting.

On the way down blocks halve the picture's side and widen its channels, on the way up blocks double the side again. A skip
connection hands each block on the way up the features of the same resolution from the way down (Ronneberger et al.
2015). Every block gets the timestep (Ho et al. 2020, appendix B).
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


def timestep_embedding(t: torch.Tensor, dim: int, max_period: float = 10_000) -> torch.Tensor:
    """cos and sin of t at ``dim``/2 frequencies from 1 down to 1/``max_period`` (Vaswani et al. 2017, section 3.5).

    Equals diffusers' ``get_timestep_embedding(t, dim, flip_sin_to_cos=True, downscale_freq_shift=0)``.
    ``t`` is ``(B,)``, ``dim`` even; returns ``(B, dim)`` in [−1, 1].
    """
    half = dim // 2
    frequencies = torch.exp(-math.log(max_period) * torch.arange(half, device=t.device) / half)
    angles = t[:, None].float() * frequencies  # (B, dim/2)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class ResBlock(nn.Module):
    """Two convolutions with a shortcut around them; the timestep is added in between. ``(B, C_in, H, W)`` → ``C_out``.

    The same computation as diffusers' ``ResnetBlock2D``.
    """

    def __init__(self, in_channels: int, out_channels: int, time_dim: int, groups: int = 8):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.time = nn.Linear(time_dim, out_channels)
        self.norm2 = nn.GroupNorm(groups, out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else nn.Identity()

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.time(F.silu(time))[:, :, None, None]  # (B, C) to every pixel
        h = self.conv2(F.silu(self.norm2(h)))
        return self.shortcut(x) + h


class SelfAttention(nn.Module):
    """Every pixel looks at every other. ``(B, C, H, W)`` → the same; cost grows with (H · W)²."""

    def __init__(self, channels: int, heads: int = 4, groups: int = 8):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(groups, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = x.shape
        qkv = self.qkv(self.norm(x)).view(batch, 3, self.heads, channels // self.heads, height * width)
        q, k, v = qkv.transpose(3, 4).unbind(1)  # each (B, heads, H·W, C/heads)
        h = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(h.transpose(2, 3).reshape(batch, channels, height, width))


def hourglass(x: torch.Tensor, down: list, middle, up: list, skips: bool = True) -> torch.Tensor:
    """Down to coarser resolutions and up again; each resolution's features from the way down return on the way up.

    ``down`` holds one function per resolution, the finest first, ``up`` one per resolution, the coarsest first. Between
    two resolutions the side is halved (mean of 2 × 2) or doubled (each pixel four times). With ``skips`` a function of
    ``up`` gets ``(B, C, H, W)`` features followed by the skip connection's, joined along the channels. H and W of ``x``
    must be multiples of 2^(resolutions − 1) (Ronneberger et al. 2015, figure 1).
    """
    kept = []
    for i, block in enumerate(down):
        if i > 0:
            x = F.avg_pool2d(x, 2)
        x = block(x)
        kept.append(x)
    x = middle(x)
    for i, block in enumerate(up):
        if i > 0:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        skip = kept.pop()
        x = block(torch.cat([x, skip], dim=1) if skips else x)
    return x


class UNet(nn.Module):
    """Predicts from a noisy picture and its timestep, for instance the noise in it. ``(B, C, H, W)`` → the same.

    Args:
        channels: of the picture.
        widths: channels of the features at each resolution, the finest first; the side is halved between two
            resolutions, so H and W must be multiples of 2^(resolutions − 1).
        attention: the resolutions (0 is the finest) that have self-attention.
        skips: hand the features of the way down to the way up; False shows what that is good for.
    """

    def __init__(
        self,
        channels: int = 3,
        widths: tuple[int, ...] = (32, 64, 96),
        attention: tuple[int, ...] = (),
        skips: bool = True,
        groups: int = 8,
    ):
        super().__init__()
        self.skips, self.widths, self.first_width, time_dim = skips, widths, widths[0], 4 * widths[0]
        self.time = nn.Sequential(nn.Linear(widths[0], time_dim), nn.SiLU(), nn.Linear(time_dim, time_dim))
        self.conv_in = nn.Conv2d(channels, widths[0], 3, padding=1)

        def attend(level: int, width: int) -> nn.Module:
            return SelfAttention(width, groups=groups) if level in attention else nn.Identity()

        before = (widths[0], *widths)  # what arrives at each level from the one above it
        levels = range(len(widths))
        self.down = nn.ModuleList(ResBlock(before[i], widths[i], time_dim, groups) for i in levels)
        self.down_attention = nn.ModuleList(attend(i, widths[i]) for i in levels)
        self.middle = ResBlock(widths[-1], widths[-1], time_dim, groups)
        self.up = nn.ModuleList(
            ResBlock(widths[i] * (2 if skips else 1), before[i], time_dim, groups) for i in reversed(levels)
        )
        self.up_attention = nn.ModuleList(attend(i, before[i]) for i in reversed(levels))
        self.norm_out = nn.GroupNorm(groups, widths[0])
        self.conv_out = nn.Conv2d(widths[0], channels, 3, padding=1)
        for weight in self.conv_out.parameters():  # an untrained network predicts no noise rather than more noise
            nn.init.zeros_(weight)

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """``x`` is ``(B, C, H, W)``, ``t`` ``(B,)`` whole numbers.

        Raises:
            ValueError: H or W is no multiple of 2^(resolutions − 1).
        """
        factor = 2 ** (len(self.down) - 1)
        if x.shape[2] % factor or x.shape[3] % factor:
            raise ValueError(f"The picture is {x.shape[2]} × {x.shape[3]}: this U-Net needs multiples of {factor}.")
        time = self.time(timestep_embedding(t, self.first_width))  # (B, time_dim)

        def told(
            blocks, attentions
        ) -> list:  # each block knows the time, so that it is a function of the features alone
            pairs = zip(blocks, attentions, strict=True)
            return [lambda h, block=block, attend=attend: attend(block(h, time)) for block, attend in pairs]

        down, up = told(self.down, self.down_attention), told(self.up, self.up_attention)
        h = hourglass(self.conv_in(x), down, lambda h: self.middle(h, time), up, self.skips)
        return self.conv_out(F.silu(self.norm_out(h)))
