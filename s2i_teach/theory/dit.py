"""A diffusion transformer (DiT): what the U-Net of many later models became.

The picture is cut into patches, and each patch becomes a token, a row of numbers. Then the blocks are those of a
language model: every token looks at every other, and a small network works on each token alone. No convolution, no
resolutions, no skip connections. The time enters by the norm of each block (Peebles and Xie 2022, arXiv 2212.09748,
section 3.2 and figure 3).
"""

import torch
import torch.nn.functional as F
from torch import nn

from s2i_teach.theory.attention import Attention
from s2i_teach.theory.unet import timestep_embedding


def patchify(x: torch.Tensor, patch_size: int) -> torch.Tensor:
    """Pictures ``(B, C, H, W)`` as tokens ``(B, N, P · P · C)``, one a patch, row by row; N = H/P · W/P.

    Peebles and Xie 2022, section 3.2 and figure 4.

    Raises:
        ValueError: H or W is no multiple of the patch's side P.
    """
    if patch_size < 1 or x.shape[2] % patch_size or x.shape[3] % patch_size:
        raise ValueError(f"{x.shape[2]} × {x.shape[3]} cannot be cut into patches of side {patch_size}: use a divisor.")
    patches = x.unflatten(3, (-1, patch_size)).unflatten(2, (-1, patch_size))  # (B, C, H/P, P, W/P, P)
    return patches.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)


def unpatchify(tokens: torch.Tensor, patch_size: int, height: int, width: int) -> torch.Tensor:
    """The way back from :func:`patchify`: ``(B, N, P · P · C)`` → ``(B, C, height, width)``, the sides in pixels.

    Raises:
        ValueError: another number of tokens than such a picture has patches.
    """
    rows, columns = height // patch_size, width // patch_size
    if rows * columns != tokens.shape[1]:
        raise ValueError(f"{tokens.shape[1]} tokens are no picture of {rows} × {columns} patches: check the sides.")
    patches = tokens.unflatten(2, (patch_size, patch_size, -1)).unflatten(1, (rows, columns))
    return patches.permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3)


def position_embedding(rows: int, columns: int, dim: int) -> torch.Tensor:
    """Where each token stands, ``(rows · columns, dim)`` in [−1, 1]: waves of its column, then waves of its row.

    Attention sees a set of tokens without places, so the place is added to the token. Equals diffusers'
    ``get_2d_sincos_pos_embed``.

    Raises:
        ValueError: ``dim`` is no multiple of 4.
    """
    if dim % 4:
        raise ValueError(f"Two places in sines and cosines do not fit {dim} channels: use a multiple of 4.")
    across, down = torch.arange(columns).repeat(rows), torch.arange(rows).repeat_interleave(columns)
    waves = (timestep_embedding(place, dim // 2) for place in (across, down))
    return torch.cat([wave.roll(dim // 4, dims=1) for wave in waves], dim=1)  # sines first


def modulate(x: torch.Tensor, shift: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Normed tokens ``(B, N, C)``, scaled and shifted by ``(B, C)``, the same for all tokens of a picture."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale[:, None]) + shift[:, None]


class DiTBlock(nn.Module):
    """Attention and a small network, each with a shortcut around it: ``(B, N, C)`` → the same.

    The condition ``(B, C)`` says how both work, by *adaLN-Zero*: it gives each a shift and a scale for what goes in, and
    a gate for what comes out. All six start at 0, so a new block hands its tokens on unchanged (Peebles and Xie 2022,
    section 3.2). The same computation as diffusers' ``BasicTransformerBlock`` with ``norm_type="ada_norm_zero"``.
    """

    def __init__(self, channels: int, heads: int = 4):
        super().__init__()
        self.attention = Attention(channels, heads=heads)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(approximate="tanh"), nn.Linear(4 * channels, channels)
        )
        self.six = nn.Linear(channels, 6 * channels)
        for weight in self.six.parameters():
            nn.init.zeros_(weight)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = self.six(F.silu(condition)).chunk(6, dim=1)  # (B, C) each
        x = x + gate[:, None] * self.attention(modulate(x, shift, scale))
        return x + gate_mlp[:, None] * self.mlp(modulate(x, shift_mlp, scale_mlp))


class DiT(nn.Module):
    """Predicts from a noisy picture and its timestep, as the U-Net does. ``(B, C, H, W)`` → the same.

    The same computation as diffusers' ``DiTTransformer2DModel`` without classes.

    Args:
        channels: of the picture.
        patch_size: the side of a patch; H and W must be multiples of it. Half the side makes four times the tokens.
        width: channels of a token, a multiple of 4 and of ``heads``.
        depth: the number of blocks.
    """

    def __init__(self, channels: int = 3, patch_size: int = 4, width: int = 96, depth: int = 4, heads: int = 4):
        super().__init__()
        self.patch_size, self.width = patch_size, width
        self.embed = nn.Linear(patch_size**2 * channels, width)
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(DiTBlock(width, heads) for _ in range(depth))
        self.two = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, patch_size**2 * channels)
        for weight in (*self.two.parameters(), *self.out.parameters()):  # an untrained network answers with 0
            nn.init.zeros_(weight)

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """``x`` is ``(B, C, H, W)``, ``t`` ``(B,)`` as for the U-Net.

        Raises:
            ValueError: H or W is no multiple of ``patch_size``; ``width`` is no multiple of 4.
        """
        height, width = x.shape[2:]
        h = self.embed(patchify(x, self.patch_size))  # (B, N, width)
        places = position_embedding(height // self.patch_size, width // self.patch_size, self.width)
        h = h + places.to(h)
        condition = self.time(timestep_embedding(t, self.width))  # (B, width)
        for block in self.blocks:
            h = block(h, condition)
        shift, scale = self.two(F.silu(condition)).chunk(2, dim=1)
        return unpatchify(self.out(modulate(h, shift, scale)), self.patch_size, height, width)
