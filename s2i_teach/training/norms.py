"""A GroupNorm whose backward pass is fast in channels_last on a CPU; the same numbers as torch's.

torch 2.13's own kernel spends 43 % of a VAE training step there (see docs/decisions.md).
"""

from contextlib import contextmanager

import torch
from torch import nn


class _GroupNorm(torch.autograd.Function):
    """y = (x − μ_group) · rstd_group · γ + β, with dx written as a·dy + b·x + c, one coefficient a channel."""

    @staticmethod
    def forward(ctx, x, weight, bias, groups, eps):
        batch, channels, height, width = x.shape
        y, mean, rstd = torch.native_group_norm(
            x, weight.to(x.dtype), bias.to(x.dtype), batch, channels, height * width, groups, eps
        )
        ctx.save_for_backward(x, weight, mean, rstd)
        ctx.groups = groups
        return y

    @staticmethod
    def backward(ctx, dy):
        x, weight, mean, rstd = ctx.saved_tensors
        batch, channels, height, width = x.shape
        groups, per_group = ctx.groups, channels // ctx.groups
        count = per_group * height * width
        x_flat = x.permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        dy_flat = dy.permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        sum_dy = dy_flat.sum(1, dtype=torch.float32).view(batch, groups, per_group)
        sum_dy_x = (dy_flat * x_flat).sum(1, dtype=torch.float32).view(batch, groups, per_group)
        mean = mean.float().reshape(batch, groups, 1)
        rstd = rstd.float().reshape(batch, groups, 1)
        gamma = weight.float().view(1, groups, per_group)
        group_dy = (sum_dy * gamma).sum(2, keepdim=True)
        group_dy_x = (sum_dy_x * gamma).sum(2, keepdim=True)
        b = (group_dy * mean - group_dy_x) * rstd**3 / count
        c = -b * mean - group_dy * rstd / count
        a, b, c = (
            k.expand(batch, groups, per_group).reshape(batch, 1, channels).to(x.dtype) for k in (gamma * rstd, b, c)
        )
        dx = torch.addcmul(torch.addcmul(c, dy_flat, a), x_flat, b)
        dweight = ((sum_dy_x - sum_dy * mean) * rstd).sum(0).reshape(channels)
        dbias = sum_dy.sum(0).reshape(channels)
        return dx.reshape(batch, height, width, channels).permute(0, 3, 1, 2), dweight, dbias, None, None


@contextmanager
def fast_group_norm(enabled: bool = True):
    """Within this context every ``nn.GroupNorm`` on channels_last pictures ``(B, C, H, W)`` uses the fast backward."""
    original = nn.GroupNorm.forward

    def forward(self, x):
        if x.dim() == 4 and x.device.type == "cpu" and x.is_contiguous(memory_format=torch.channels_last):
            return _GroupNorm.apply(x, self.weight, self.bias, self.num_groups, self.eps)
        return original(self, x)

    if enabled:
        nn.GroupNorm.forward = forward
    try:
        yield
    finally:
        nn.GroupNorm.forward = original
