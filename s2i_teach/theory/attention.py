"""Attention: every position asks, every position of the context answers, and the answers are averaged.

In self-attention the context is the picture itself; in cross-attention it is the words, and that is how a prompt enters
Stable Diffusion's U-Net (Vaswani et al. 2017, equation 1; Rombach et al. 2021, section 3.3).
"""

import torch
from torch import nn


def attention_weights(q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """softmax(q kᵀ / √d): how much each of N queries looks at each of M keys; a row adds up to 1.

    ``q`` is ``(…, N, d)``, ``k`` ``(…, M, d)``; returns ``(…, N, M)``.
    """
    return torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1)


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """The values, averaged with :func:`attention_weights`. Equals ``torch.nn.functional.scaled_dot_product_attention``.

    ``q`` is ``(…, N, d)``, ``k`` ``(…, M, d)``, ``v`` ``(…, M, e)``; returns ``(…, N, e)``.
    """
    return attention_weights(q, k) @ v


def sliced_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, slice_size: int) -> torch.Tensor:
    """:func:`attention` with no more than ``slice_size`` queries at a time: the same numbers with less memory.

    A query's weights need all keys but no other query, so no more than ``(…, slice_size, M)`` of them exist at once. To
    cut the keys as well needs a softmax that is corrected as it goes on (Rabe and Staats 2021; Dao et al. 2022).

    ``q`` is ``(…, N, d)``, ``k`` ``(…, M, d)``, ``v`` ``(…, M, e)``; returns ``(…, N, e)``.
    """
    return torch.cat([attention(part, k, v) for part in q.split(slice_size, dim=-2)], dim=-2)


class Attention(nn.Module):
    """Several attentions side by side (heads), each on its own part of the channels.

    The same computation as diffusers' ``Attention``, with the same names of the weights.

    Args:
        channels: of the queries, and of what comes out.
        context_channels: of the context; ``channels`` if left out.
        heads: must divide ``channels``.
    """

    def __init__(self, channels: int, context_channels: int | None = None, heads: int = 4):
        super().__init__()
        if channels % heads:
            raise ValueError(f"{channels} channels cannot be shared among {heads} heads: choose a divisor.")
        self.heads = heads
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(context_channels or channels, channels, bias=False)
        self.to_v = nn.Linear(context_channels or channels, channels, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels), nn.Dropout(0.0)])

    def queries_keys_values(self, x: torch.Tensor, context: torch.Tensor | None = None) -> tuple[torch.Tensor, ...]:
        """``x`` ``(B, N, C)`` and ``context`` ``(B, M, D)`` as q ``(B, heads, N, C/heads)`` and k, v with M for N."""
        context = x if context is None else context
        projected = self.to_q(x), self.to_k(context), self.to_v(context)
        return tuple(h.unflatten(2, (self.heads, -1)).transpose(1, 2) for h in projected)

    def weights(self, x: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """How much each position of ``x`` looks at each of the context: ``(B, heads, N, M)``."""
        q, k, _ = self.queries_keys_values(x, context)
        return attention_weights(q, k)

    def forward(self, x: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """``x`` ``(B, N, C)``; ``context`` ``(B, M, D)``, or None for self-attention. Returns ``(B, N, C)``."""
        h = attention(*self.queries_keys_values(x, context))
        return self.to_out[0](h.transpose(1, 2).flatten(2))
