"""An agent that paints: it looks at the sketch and at what it has painted so far, and makes the next stroke."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import nn

from s2i_teach.families.base import Family
from s2i_teach.families.blocks import Residual

SMALL = 32
"""Pixels, both ways, of what the agent sees; it learns on canvases of this side."""
CELLS = 8
"""Cells, both ways, of the map that the agent picks a stroke's place from."""
STROKES = 24
"""Strokes of a painting."""
NUMBERS = ("x", "y", "half_x", "half_y", "width", "red", "green", "blue", "opacity")
"""A stroke's numbers, each in [−1, 1]: middle, half of its length as a vector, width, colour and opacity."""
REACH = 0.6
"""The longest half of a stroke, along each axis, where the page reaches from −1 to 1."""
THIN, THICK = 0.03, 0.4
"""Half a stroke's width at the least and at the most, in the same units."""


def stroke_alpha(strokes: torch.Tensor, side: int) -> torch.Tensor:
    """How much of each pixel a stroke covers, ``(B, 1, side, side)`` in [0, 1], for strokes ``(B, 9)`` in [−1, 1].

    A stroke is all that lies nearer than half its width to a line segment, with an edge that is one pixel soft. So it looks
    the same on a canvas of any side.
    """
    at = (torch.arange(side, device=strokes.device) + 0.5) * 2 / side - 1
    middle_x, middle_y, half_x, half_y, width, *_, opacity = strokes[:, :, None, None].unbind(1)
    half_x, half_y = half_x * REACH, half_y * REACH
    right, down = at[None, None, :] - middle_x, at[None, :, None] - middle_y
    along = (right * half_x + down * half_y) / (half_x**2 + half_y**2 + 1e-8)
    along = along.clamp(-1, 1)
    distance = ((right - along * half_x) ** 2 + (down - along * half_y) ** 2).clamp(min=1e-12).sqrt()
    radius = THIN + (THICK - THIN) * (width + 1) / 2
    covered = ((radius - distance) * side / 2 + 0.5).clamp(0, 1)
    return (covered * (opacity + 1) / 2)[:, None]


def apply_strokes(canvas: torch.Tensor, strokes: torch.Tensor) -> torch.Tensor:
    """The canvases ``(B, 3, H, H)`` in [−1, 1] with one more stroke each: canvas + α · (colour − canvas)."""
    colour = strokes[:, 5:8, None, None]
    return canvas + stroke_alpha(strokes, canvas.shape[-1]) * (colour - canvas)


class Painter(Family):
    """A policy π(stroke | canvas, sketch, strokes left), a Gaussian around the stroke that the network would make.

    It learns by reinforcement (:mod:`s2i_teach.training.painting`): a stroke's reward is how much nearer it brought the
    canvas to the real picture, which the agent itself never sees. Huang et al. paint from a photograph, which their agent
    sees, and learn by DDPG with the gradient that goes through a neural renderer. Here the agent sees a sketch, has to
    guess the colours, and learns by PPO, which asks nothing of the renderer; and a stroke is a straight line.

    The network attends to a few places of the page (:class:`Attention`), the stroke's middle is at the first of them, and
    what was read there says all else. That first place is drawn by lot: a Gaussian has one middle, and where all that is
    not painted yet lies around what is, its middle would be where there is nothing left to do.

    What it learns in minutes on a CPU is where the thing is and how large, and one dull colour for nearly all of them: the
    squared error's best guess where the sketch does not tell.
    """

    name, title = "painter", "Reinforcement learning: a painting agent"
    paper = "Huang, Heng and Zhou 2019, Learning to paint with model-based deep reinforcement learning"
    not_shipped = ("value.",)
    learning_rate, batch_size, evaluations = 7e-4, 256, STROKES
    LOG_STD = -1.6
    """Of the untrained policy: it tries strokes about so far from its mean."""
    SPREAD = 0.0
    """Share of the policy's σ that a painting is made with. Training tries strokes out and so needs all of it; afterwards the
    lots are chance enough, and on pages of the training the error was least without."""

    def __init__(self, widths: tuple[int, int, int] = (32, 48, 48), places: int = 4, hidden: int = 80):
        super().__init__()
        self.first = nn.Conv2d(4 * 4 + 3, widths[0], 3, padding=1)
        self.down1 = nn.Conv2d(widths[0], widths[1], 3, stride=2, padding=1)
        self.block1 = Residual(widths[1], widths[1])
        self.down2 = nn.Conv2d(widths[1], widths[2], 3, stride=2, padding=1)
        self.block2 = Residual(widths[2], widths[2])
        self.up = nn.Conv2d(widths[2], widths[1], 1)
        self.attention = Attention(widths[1], places)
        told = places * (widths[1] + 2) + widths[2] + 1
        last = nn.Linear(hidden, 2 * len(NUMBERS))
        nn.init.normal_(last.weight, std=0.1 / hidden**0.5)
        nn.init.zeros_(last.bias)
        self.stroke = nn.Sequential(nn.Linear(told, hidden), nn.SiLU(), last)
        self.value = nn.Sequential(nn.Linear(told, hidden), nn.SiLU(), nn.Linear(hidden, 1))

    def forward(
        self, canvas: torch.Tensor, lines: torch.Tensor, left: torch.Tensor, lots: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The stroke's mean in about [−1, 1] and log σ, ``(B, 9)`` each, and the value, the reward still expected, ``(B,)``.

        Args:
            canvas: ``(B, 3, 32, 32)`` in [−1, 1].
            lines: the sketch, white on black, ``(B, 1, 32, 32)`` in [0, 1].
            left: share of the strokes that are left, ``(B, 1)`` in [0, 1].
            lots: drawn evenly from [0, 1] for each stroke anew, ``(B, 1, 8, 8)``. They belong to what the agent sees.
        """
        h = F.pixel_unshuffle(torch.cat([canvas, 2 * lines], 1), 2)
        at = torch.linspace(-1, 1, h.shape[-1], device=h.device)
        down, right = torch.meshgrid(at, at, indexing="ij")
        where = torch.stack([right, down]).expand(len(h), -1, -1, -1)
        h = F.silu(self.first(torch.cat([h, where, left[:, :, None, None].expand(-1, 1, *h.shape[2:])], 1)))
        h = self.block1(self.down1(h))
        low = self.block2(self.down2(F.silu(h)))
        h = F.silu(h + F.interpolate(self.up(low), scale_factor=2.0, mode="nearest"))
        read, places = self.attention(h, lots)
        told = torch.cat([read, places.flatten(1), F.silu(low).mean((2, 3)), left], 1)
        mean, log_std = self.stroke(told).chunk(2, 1)
        mean = torch.cat([places[:, 0] + mean[:, :2], mean[:, 2:].tanh()], 1)
        return mean, (self.LOG_STD + log_std).clamp(-4, -1), self.value(told)[:, 0]

    def paint(self, hints: torch.Tensor, generator: torch.Generator, strokes: int = STROKES) -> Iterator[torch.Tensor]:
        """The canvas ``(B, 3, 128, 128)`` in [−1, 1] after each stroke, the blank page first."""
        lines, canvas = shrunk(hints), torch.ones(len(hints), 3, *hints.shape[2:]).to(hints)
        yield canvas
        for i in range(strokes):
            left = torch.full((len(hints), 1), 1 - i / strokes).to(hints)
            lots = torch.rand(len(hints), 1, CELLS, CELLS, generator=generator).to(hints)
            mean, log_std, _ = self(shrunk(canvas), lines, left, lots)
            noise = torch.randn(mean.shape, generator=generator).to(mean)
            canvas = apply_strokes(canvas, (mean + self.SPREAD * log_std.exp() * noise).clamp(-1, 1))
            yield canvas

    def generate(self, hints, generator, text=None):
        *_, canvas = self.paint(hints, generator)
        return canvas


class Attention(nn.Module):
    """Looks at a few places of a map ``(B, C, H, W)``: what is read there, ``(B, places · C)``, and where, ``(B, places, 2)``.

    Each place is a softmax over the map. Where is the mean position under it, x and y in [−1, 1] (Levine et al. 2015, the
    spatial softmax): a place moves with what it looks at. The first one's scores have Gumbel noise added, so that it is near
    one cell, and each cell as often as its softmax says (Jang et al. 2016, equation 2).
    """

    TEMPERATURE = 0.5

    def __init__(self, channels: int, places: int):
        super().__init__()
        self.score = nn.Conv2d(channels, places, 1)

    def forward(self, h: torch.Tensor, lots: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        score = self.score(h).flatten(2)
        first = (score[:, :1] + gumbel(lots).flatten(2)) / self.TEMPERATURE
        share = torch.cat([first, score[:, 1:]], 1).softmax(2)
        at_y, at_x = ((torch.arange(n, device=h.device) + 0.5) * 2 / n - 1 for n in h.shape[2:])
        down, right = torch.meshgrid(at_y, at_x, indexing="ij")
        where = share @ torch.stack([right.flatten(), down.flatten()], 1)
        return (share @ h.flatten(2).transpose(1, 2)).flatten(1), where


def gumbel(lots: torch.Tensor) -> torch.Tensor:
    """Gumbel noise −log(−log u) of u in [0, 1]: the largest of score + noise is a draw from softmax(score)."""
    return -(-lots.clamp(1e-6, 1 - 1e-6).log()).log()


def shrunk(x: torch.Tensor) -> torch.Tensor:
    """Hints or canvases as the agent sees them, ``(B, C, 32, 32)``: means of squares of pixels."""
    return F.adaptive_avg_pool2d(x, SMALL)
