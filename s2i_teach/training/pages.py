"""Makes training pages: one thing or several on white paper, with the lines that a sketch of the page would have."""

import random
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import binary_fill_holes

from s2i_teach.lines import contours
from s2i_teach.training.pictures import Pairs, recolour, widen_lines
from s2i_teach.training.vocabulary import STYLE_WORDS, STYLES, join_things, varied_caption, with_article

SIDE = 128
"""Pixels of a page's height; a picture at scale 1 is as high."""

PLACES = {"on the grass": 115, "at sea": 205, "on the sand": 45, "": None}
"""Words for a coloured ground, and its hue in degrees; none is a mere line."""

_SCENERY = {"sun", "moon", "cloud", "star", "tree", "evergreen tree", "palm tree", "house", "mountain", "tulip", "bird"}


@dataclass
class Page:
    """What stands on a page: rows of the pairs, the colour word of each or None, their style, and words for the place."""

    rows: list[int]
    colours: list[str | None]
    style: str
    place: str = ""


@dataclass
class Batch:
    """Pages of one size: ``pictures (B, 3, H, W)`` in [−1, 1]; ``lines`` and ``inside (B, 1, H, W)`` in {0, 1}, what a
    sketch would draw and what belongs to things; and what stands on each."""

    pictures: torch.Tensor
    lines: torch.Tensor
    inside: torch.Tensor
    pages: list[Page] = field(default_factory=list)


class PageMaker:
    """Makes batches of pages of the given pairs.

    The lines of a picture are those that a person would draw (:func:`s2i_teach.lines.contours`) of it, so that every
    style can be drawn from a sketch; of an OpenMoji picture, in 70 % of the pages, those of its own line art.

    Args:
        pairs: pictures with their rows; line art that belongs to a picture of them is found by its file's name.
        scenes: share of pages with two to four things.
        still: share of single things that fill the page upright, at most mirrored.
        recoloured: share of coloured things whose main hue becomes another one, which the caption then names.
        line_art: how often line art is asked for, beside 1 for each other style.
    """

    def __init__(
        self,
        pairs: Pairs,
        scenes: float = 0.3,
        still: float = 0.3,
        recoloured: float = 0.25,
        line_art: float = 0.5,
    ):
        self.pairs, self.scenes, self.still, self.recoloured = pairs, scenes, still, recoloured
        self.contours, self.inside = contours_and_insides(pairs)
        drawings = {row["file_name"]: i for i, row in enumerate(pairs.rows) if row["style"] == "line"}
        self.partner = [drawings.get(row["sketch"], -1) if row["style"] == "openmoji" else -1 for row in pairs.rows]
        self.by_style = {style: [i for i, r in enumerate(pairs.rows) if r["style"] == style] for style in STYLES}
        self.by_style = {style: index for style, index in self.by_style.items() if index}
        self.styles = list(self.by_style)
        self.weights = [line_art if style == "line" else 1.0 for style in self.styles]
        self.scenery = {
            s: [i for i in index if pairs.rows[i]["thing"] in _SCENERY] for s, index in self.by_style.items()
        }

    def batch(self, number: int, width: int, generator: torch.Generator) -> Batch:
        """``number`` pages of ``SIDE`` × ``width`` pixels; all randomness comes from ``generator``."""
        rng = random.Random(int(torch.randint(2**31, (), generator=generator)))
        pages, poses, grounds = [], [], []
        for _ in range(number):
            style = rng.choices(self.styles, self.weights)[0]
            share = self.scenes if width == SIDE else max(self.scenes, 0.7)
            many = rng.random() < share
            placed = _scene(rng, width) if many else [_single(rng, width, self.still)]
            ground = _ground(rng, width, placed) if many else None
            rows = []
            for _ in placed:
                pool = self.scenery[style] if many and self.scenery[style] and rng.random() < 0.3 else None
                rows.append(rng.choice(pool or self.by_style[style]))
            pages.append(Page(rows, [None] * len(rows), style, ground[0] if ground else ""))
            poses.append(placed)
            grounds.append(ground)
        layers = self._layers(pages, rng)
        flat = [pose for placed in poses for pose in placed]
        sheets = place(layers, torch.tensor(flat), SIDE, width, generator)
        return self._compose(pages, grounds, sheets, width)

    def _layers(self, pages: list[Page], rng: random.Random) -> torch.Tensor:
        """The things of all pages in turn: darkness of red, green and blue, lines, inside, ``(N, 5, 128, 128)``."""
        index = torch.tensor([i for page in pages for i in page.rows])
        x = self.pairs.batch(index)
        wanted = [i for i, row in enumerate(index.tolist()) if self.pairs.rows[row]["style"] != "line"]
        wanted = [i for i in wanted if rng.random() < self.recoloured]
        names: dict[int, str | None] = {}
        if wanted:
            turned, found = recolour(x[wanted], rng)
            x[wanted] = turned
            names = dict(zip(wanted, found, strict=True))
        position = 0
        for page in pages:
            page.colours = [names.get(position + k) for k in range(len(page.rows))]
            position += len(page.rows)
        drawn = [self.partner[row] if self.partner[row] >= 0 and rng.random() < 0.7 else row for row in index.tolist()]
        lines = widen_lines(self.contours[drawn].float())
        return torch.cat([(1 - x) / 2, lines, self.inside[index].float()], 1)

    def _compose(self, pages: list[Page], grounds: list, sheets: torch.Tensor, width: int) -> Batch:
        batch = Batch(
            torch.ones(len(pages), 3, SIDE, width),
            torch.zeros(len(pages), 1, SIDE, width),
            torch.zeros(len(pages), 1, SIDE, width),
            pages,
        )
        position = 0
        for i, page in enumerate(pages):
            picture, lines, inside = batch.pictures[i], batch.lines[i], batch.inside[i]
            if grounds[i]:
                _draw_ground(picture, lines, *grounds[i][1:], ink=page.style in ("openmoji", "line"))
            for _ in page.rows:
                darkness, line, body = sheets[position].split([3, 1, 1])
                # Paper shows through only where nothing of the thing is; a white body hides what is behind it.
                cover = torch.maximum(body, darkness.amax(0, keepdim=True))
                picture.mul_(1 - cover).add_(cover - 2 * darkness)
                lines.mul_((body < 0.5).float())
                torch.maximum(lines, (line > 0.4).float(), out=lines)
                torch.maximum(inside, (body > 0.5).float(), out=inside)
                position += 1
        batch.pictures.clamp_(-1, 1)
        return batch

    def thing(self, page: Page) -> str:
        """What stands on a page; of several things the first."""
        return self.pairs.rows[page.rows[0]]["thing"]

    def caption(self, page: Page, rng: random.Random, style_word: float = 0.7, led: bool = False) -> str:
        """What somebody would write under the page, mostly with the words for its style; ``led`` where a sketch says more.

        Without them any style is right, but for line art, which is always called so.
        """
        rows = [self.pairs.rows[i] for i in page.rows]
        named = page.style == "line" or rng.random() < style_word
        if len(rows) == 1:
            thing = rows[0]["thing"]
            if led and thing.endswith(" face") and rng.random() < 0.5:
                thing = thing.removesuffix(" face")  # people call a cat's face a cat, and draw it so
            return varied_caption(thing, page.style, rows[0]["tags"], rng, page.colours[0], style_word=float(named))
        things = [with_article(row["thing"], colour) for row, colour in zip(rows, page.colours, strict=True)]
        if len(things) > 2 and rng.random() < 0.3:
            things = things[:-1]  # nobody names everything
        words = join_things(things, rng)
        if page.place and rng.random() < 0.7:
            words = f"{words} {page.place}"
        return f"{words}, {STYLE_WORDS[page.style]}" if named else words


def place(
    layers: torch.Tensor, poses: torch.Tensor, height: int, width: int, generator: torch.Generator
) -> torch.Tensor:
    """Things ``(N, C, 128, 128)``, zero where nothing is, on pages of their own ``(N, C, height, width)``.

    ``poses (N, 6)``: scale, centre x and y in pixels, angle in degrees, logarithm of the stretch, mirror (1 or −1).
    """
    scale, x, y, angle, stretch, mirror = (column.view(-1, 1, 1) for column in poses.float().unbind(1))
    dy, dx = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    dx, dy = dx - x, dy - y
    cos, sin, half = angle.deg2rad().cos(), angle.deg2rad().sin(), scale * SIDE / 2
    u = mirror * (cos * dx + sin * dy) / (half * stretch.exp())
    v = (-sin * dx + cos * dy) * stretch.exp() / half
    grid = torch.stack([u, v], -1)
    coarse = 0.03 * torch.randn(len(poses), 2, 4, 4, generator=generator) * (angle != 0).view(-1, 1, 1, 1)
    grid = grid + F.interpolate(coarse, (height, width), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    made = layers.new_empty(len(layers), layers.shape[1], height, width)
    for low, high, halvings in ((0, 0.35, 2), (0.35, 0.7, 1), (0.7, float("inf"), 0)):
        chosen = (poses[:, 0] >= low) & (poses[:, 0] < high)
        if chosen.any():
            source = layers[chosen]
            for _ in range(halvings):
                source = _halved(source)
            made[chosen] = F.grid_sample(source, grid[chosen], mode="bilinear", align_corners=False)
    return made


def _halved(layers: torch.Tensor) -> torch.Tensor:
    """Half as large, for small things: the mean, but of a line's pixels the darkest, or thin lines would vanish."""
    small = F.avg_pool2d(layers, 2)
    small[:, 3:4] = F.max_pool2d(layers[:, 3:4], 2)
    return small


def contours_and_insides(pairs: Pairs) -> tuple[torch.Tensor, torch.Tensor]:
    """For each picture its contours and what they enclose, ``(N, 1, H, W)`` bool each."""
    pixels = pairs.pixels.permute(0, 2, 3, 1).numpy()
    lines = np.stack([contours(picture) for picture in pixels])
    insides = np.stack([binary_fill_holes(picture.min(2) < 245) for picture in pixels])
    return torch.from_numpy(lines)[:, None], torch.from_numpy(insides)[:, None]


def _single(rng: random.Random, width: int, still: float) -> tuple:
    mirror = rng.choice((1.0, -1.0))
    if rng.random() < still:
        return (1.0, width / 2, SIDE / 2, 0.0, 0.0, mirror)
    scale = rng.uniform(0.4, 1.08)
    room_x, room_y = (max(0.06 * SIDE, (side - scale * SIDE) / 2 * 1.1) for side in (width, SIDE))
    x, y = width / 2 + rng.uniform(-1, 1) * room_x, SIDE / 2 + rng.uniform(-1, 1) * room_y
    return (scale, x, y, rng.uniform(-15, 15), rng.uniform(-0.12, 0.12), mirror)


def _scene(rng: random.Random, width: int) -> list[tuple]:
    """Two to four things, placed so that they hide little of each other; the largest first, so the small lie on top."""
    number = rng.choice((2, 2, 3, 3, 4))
    # What the things may take of the page together: small enough to leave paper.
    placed: list[tuple] = []
    most = {2: 0.68, 3: 0.58, 4: 0.5}[number]
    sizes = sorted((rng.uniform(0.24, most) for _ in range(number)), reverse=True)
    for size in sizes:
        side = size * SIDE
        best, least = None, float("inf")
        for _ in range(12):
            x = rng.uniform(side / 2 - 4, width - side / 2 + 4)
            y = rng.uniform(side / 2 - 4, SIDE - side / 2 + 4)
            overlap = 0.0
            for other in placed:
                reach = (side + other[0] * SIDE) / 2
                both = max(0.0, reach - abs(x - other[1])) * max(0.0, reach - abs(y - other[2]))
                overlap += both / side**2
            if overlap < least:
                best, least = (x, y), overlap
        placed.append((size, *best, rng.uniform(-8, 8), rng.uniform(-0.1, 0.1), rng.choice((1.0, -1.0))))
    return placed


def _ground(rng: random.Random, width: int, placed: list[tuple]):
    """Words for the ground, its height in pixels, its colour (RGB in [0, 1]) or None for a line alone; or None."""
    if rng.random() < 0.5:
        return None
    words = rng.choice(list(PLACES))
    lowest = max(y + scale * SIDE / 2 for scale, _, y, *_ in placed)
    level = min(SIDE - 3, max(SIDE * 0.6, lowest - rng.uniform(2, 14)))
    if PLACES[words] is None or rng.random() < 0.3:
        return ("", level, None)
    import colorsys

    hue = (PLACES[words] + rng.uniform(-12, 12)) / 360
    return (words, level, colorsys.hsv_to_rgb(hue, rng.uniform(0.45, 0.8), rng.uniform(0.7, 0.95)))


def _draw_ground(picture: torch.Tensor, lines: torch.Tensor, level: float, colour, ink: bool) -> None:
    """A ground from ``level`` down, or a line; in place."""
    top = int(level)
    if colour is not None:
        picture[:, top:] = torch.tensor(colour).view(3, 1, 1) * 2 - 1
    if ink or colour is None:
        picture[:, top : top + 2] = -0.9
    lines[:, top] = 1
