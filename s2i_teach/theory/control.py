"""A sketch that leads at every step: a control network beside a U-Net (Zhang, Rao & Agrawala 2023, ControlNet).

The U-Net is kept as it is. A copy of its way down sees the noisy picture *and* the hint, for instance a sketch. What the
copy makes at each level goes through a zero convolution Z, times a scale s, and is added to what the U-Net hands over:

    h₀' = conv_in(x_t) + E(hint),   f'₁ … f'ₙ, m' = way down and middle of the copy, from h₀'
    skip_i ← f_i + s · Z_i(f'_i),   middle ← m + s · Z_m(m')        (equation 2 of the paper, once for each level)

E's last convolution and all Z start at zero, so an untrained control network changes nothing.
"""

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from s2i_teach.theory.unet import UNet, timestep_embedding


def zeroed(conv: nn.Conv2d) -> nn.Conv2d:
    """The convolution itself, its weight and bias set to zero. It still learns: see :func:`conv_gradients`."""
    for parameter in conv.parameters():
        nn.init.zeros_(parameter)
    return conv


def conv_gradients(w: torch.Tensor, x: torch.Tensor, grad_y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What a loss's gradient at y says of w and of x, where y = w x at every pixel: a 1 × 1 convolution.

    dL/dw = Σ over pictures and pixels of dL/dy · x, whatever w is; dL/dx = wᵀ dL/dy, nothing where w is nothing.
    ``w`` is ``(D, C)``, ``x`` ``(B, C, H, W)``, ``grad_y`` ``(B, D, H, W)``; returns ``(D, C)`` and ``(B, C, H, W)``.
    Equals torch's autograd.
    """
    return torch.einsum("bdhw,bchw->dc", grad_y, x), torch.einsum("dc,bdhw->bchw", w, grad_y)


class HintEmbedding(nn.Sequential):
    """The hint as features of the U-Net's first width: ``(B, C, H · k, W · k)`` → ``(B, out, H, W)``, at first zero.

    The same computation as diffusers' ``ControlNetConditioningEmbedding``.

    Args:
        channels: of the hint, which lies in [0, 1]: 1 where there is a line.
        widths: of the convolutions; each after the first halves the side, so k = 2^(len(widths) − 1).
        out: the U-Net's first width.
    """

    def __init__(self, channels: int, widths: Sequence[int], out: int):
        layers = [nn.Conv2d(channels, widths[0], 3, padding=1), nn.SiLU()]
        for before, width in zip(widths, widths[1:], strict=False):
            layers += [nn.Conv2d(before, before, 3, padding=1), nn.SiLU()]
            layers += [nn.Conv2d(before, width, 3, padding=1, stride=2), nn.SiLU()]
        super().__init__(*layers, zeroed(nn.Conv2d(widths[-1], out, 3, padding=1)))


class WayDown(nn.Module):
    """The first half of a :class:`~s2i_teach.theory.unet.UNet`, made of its own blocks (not of copies)."""

    def __init__(self, unet: UNet):
        super().__init__()
        self.first_width, self.time, self.conv_in = unet.first_width, unet.time, unet.conv_in
        self.down, self.down_attention, self.middle = unet.down, unet.down_attention, unet.middle

    def forward(
        self, x: torch.Tensor, t: torch.Tensor, hint: torch.Tensor | float = 0.0
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """``x`` ``(B, C, H, W)``, ``t`` ``(B,)`` → what each level hands over, the finest first, and the middle.

        ``hint``, ``(B, widths[0], H, W)``, is added behind the first convolution.
        """
        time = self.time(timestep_embedding(t, self.first_width))
        h, skips = self.conv_in(x) + hint, []
        for level, (block, attend) in enumerate(zip(self.down, self.down_attention, strict=True)):
            h = attend(block(F.avg_pool2d(h, 2) if level > 0 else h, time))
            skips.append(h)
        return skips, self.middle(h, time)


def way_up(unet: UNet, skips: list[torch.Tensor], middle: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """The second half: what the U-Net predicts from what was handed over. Its two halves together are the U-Net."""
    time, h = unet.time(timestep_embedding(t, unet.first_width)), middle
    for level, (block, attend) in enumerate(zip(unet.up, unet.up_attention, strict=True)):
        h = F.interpolate(h, scale_factor=2.0, mode="nearest") if level > 0 else h
        h = attend(block(torch.cat([h, skips[-1 - level]], dim=1), time))
    return unet.conv_out(F.silu(unet.norm_out(h)))


class ControlNet(nn.Module):
    """Residuals for a U-Net, from the noisy picture and a hint. The same computation as diffusers' ``ControlNetModel``.

    Args:
        way_down: of the U-Net to be led, called with ``(x, t, hint features)`` as :class:`WayDown`; it is copied.
        channels: of what it hands over, in its order, and of the middle.
        hint: the hint as features: :class:`HintEmbedding`.
    """

    def __init__(self, way_down: nn.Module, channels: Sequence[int], hint: nn.Module):
        super().__init__()
        self.copy, self.hint = copy.deepcopy(way_down).requires_grad_(True), hint
        self.zero = nn.ModuleList(zeroed(nn.Conv2d(c, c, 1)) for c in channels)

    def forward(self, x: torch.Tensor, t: torch.Tensor, hint: torch.Tensor) -> list[torch.Tensor]:
        """A residual for each skip, in their order, and the middle's last; each has its skip's shape."""
        skips, middle = self.copy(x, t, self.hint(hint))
        return [zero(h) for zero, h in zip(self.zero, [*skips, middle], strict=True)]


def control_for(unet: UNet, hint_channels: int = 1, hint_widths: Sequence[int] = (16,)) -> ControlNet:
    """An untrained :class:`ControlNet` that fits a :class:`~s2i_teach.theory.unet.UNet`; the U-Net is left alone."""
    hint = HintEmbedding(hint_channels, hint_widths, unet.first_width)
    return ControlNet(WayDown(unet), [*unet.widths, unet.widths[-1]], hint)


def add_control(
    skips: Sequence[torch.Tensor], middle: torch.Tensor, residuals: Sequence[torch.Tensor], scale: float = 1.0
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """What the way up gets: each skip and the middle with ``scale`` times its residual, the middle's the last of them.

    ``scale`` 0 is the U-Net alone, 1 what was trained (diffusers' ``controlnet_conditioning_scale``). n skips, n + 1
    residuals; each residual has the shape of what it is added to.
    """
    *for_skips, for_middle = residuals
    led = [skip + scale * residual for skip, residual in zip(skips, for_skips, strict=True)]
    return led, middle + scale * for_middle


def led(
    unet: UNet, control: ControlNet, x: torch.Tensor, t: torch.Tensor, hint: torch.Tensor, scale: float = 1.0
) -> torch.Tensor:
    """What a U-Net predicts with a control network beside it: ``(B, C, H, W)``, as :class:`UNet` itself."""
    skips, middle = WayDown(unet)(x, t)
    skips, middle = add_control(skips, middle, control(x, t, hint), scale)
    return way_up(unet, skips, middle, t)
