"""A stock of encoded pages that is renewed while a training draws from it: ever new poses, for a twelfth of the time."""

import random
from collections import deque
from dataclasses import dataclass

import numpy as np
import torch

from s2i_teach.training.pages import SIDE, Page, PageMaker

WIDE = 192
"""Width in pixels of the wide pages; one batch in six is of these."""


@dataclass
class Stock:
    """Encoded pages of one batch: scaled latents ``(B, 4, 16, W / 8)`` in fp16, lines and insides as packed bits."""

    latents: torch.Tensor
    lines: np.ndarray
    inside: np.ndarray
    pages: list[Page]


def _packed(x: torch.Tensor) -> np.ndarray:
    return np.packbits(x[:, 0].bool().numpy(), axis=-1)


def _unpacked(rows: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.unpackbits(np.stack(rows), axis=-1)).float()[:, None]


class Pool:
    """Keeps the last ``batches`` batches; number ``r`` is made when step ``r · every`` is reached, a quarter beforehand.

    A batch is made from ``(seed, r)`` alone, so a resumed training finds the pool that a whole one has.

    Args:
        maker: makes the pages.
        encode: pictures ``(B, 3, H, W)`` → scaled latents ``(B, 4, H / 8, W / 8)``.
        batches, every: size of the stock, and steps of the training between two new batches.
        number: pages of 128 × 128 in a batch; of wide ones two thirds.
    """

    def __init__(self, maker: PageMaker, encode, batches: int = 160, every: int = 10, number: int = 32, seed: int = 0):
        self.maker, self.encode, self.every, self.number, self.seed = maker, encode, every, number, seed
        self.keep = batches
        self.stock: dict[int, deque] = {SIDE: deque(), WIDE: deque()}
        self.newest: int | None = None

    def advance(self, step: int, progress=lambda numbers: numbers) -> None:
        """Make what is new at this step; the first call makes all that should be there, ``progress`` wraps its numbers."""
        wanted = step // self.every
        first = 1 - (self.keep + 3) // 4 if self.newest is None else self.newest + 1
        numbers = range(max(first, wanted - self.keep + 1), wanted + 1)
        for r in progress(numbers) if self.newest is None else numbers:
            self._make(r)
        self.newest = wanted

    def _make(self, r: int) -> None:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + 700_000_001 + r)
        width = WIDE if r % 6 == 5 else SIDE
        batch = self.maker.batch(max(1, self.number * SIDE // width), width, generator)
        latents = self.encode(batch.pictures).half().cpu()
        self.stock[width].append((r, Stock(latents, _packed(batch.lines), _packed(batch.inside), batch.pages)))
        for stock in self.stock.values():
            while stock and stock[0][0] <= r - self.keep:
                stock.popleft()

    def draw(self, number: int, generator: torch.Generator):
        """Random pages of one size: latents ``(B, 4, 16, w)``, lines and insides ``(B, 1, 128, W)``, what stands on them.

        ``number`` of 128 × 128, or two thirds as many wide ones, one time in six.
        """
        width = WIDE if torch.rand((), generator=generator) < 1 / 6 and self.stock[WIDE] else SIDE
        stock = self.stock[width] or self.stock[WIDE]
        rng = random.Random(int(torch.randint(2**31, (), generator=generator)))
        latents, lines, inside, pages = [], [], [], []
        for _ in range(max(1, number * SIDE // width)):
            one = stock[rng.randrange(len(stock))][1]
            i = rng.randrange(len(one.pages))
            latents.append(one.latents[i])
            lines.append(one.lines[i])
            inside.append(one.inside[i])
            pages.append(one.pages[i])
        return torch.stack(latents).float(), _unpacked(lines), _unpacked(inside), pages


class Whole:
    """The pairs' own pictures, each as it is: upright, filling its page, never mirrored. Encoded once, 2 kB a picture.

    Args:
        maker: whose pairs and styles they are.
        encode: see :class:`Pool`.
    """

    def __init__(self, maker: PageMaker, encode):
        self.maker = maker
        parts = torch.arange(len(maker.pairs)).split(32)
        self.latents = torch.cat([encode(maker.pairs.batch(index)).half().cpu() for index in parts])

    def draw(self, rng: random.Random) -> tuple[torch.Tensor, Page]:
        """A random one: scaled latents ``(4, 16, 16)`` and what stands on its page."""
        style = rng.choices(self.maker.styles, self.maker.weights)[0]
        row = rng.choice(self.maker.by_style[style])
        return self.latents[row].float(), Page([row], [None], style)
