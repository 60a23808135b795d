"""The embedded pairs as tensors, and the augmentations that a doodler needs."""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image

from s2i_teach.errors import InputError
from s2i_teach.paths import data_dir
from s2i_teach.training.vocabulary import HUES


@dataclass
class Pairs:
    """All pictures of a split in memory. ``pixels`` is ``(N, 3, 128, 128)`` uint8; ``rows`` the metadata, aligned."""

    pixels: torch.Tensor
    rows: list[dict] = field(default_factory=list)

    def __len__(self):
        return len(self.rows)

    def select(self, keep) -> "Pairs":
        """The pictures whose row satisfies ``keep(row)``."""
        index = [i for i, row in enumerate(self.rows) if keep(row)]
        return Pairs(self.pixels[index], [self.rows[i] for i in index])

    def batch(self, index, device="cpu") -> torch.Tensor:
        """Pictures by index as ``(B, 3, 128, 128)`` in [−1, 1]."""
        return self.pixels[index].to(device).float().div_(127.5).sub_(1)


def load_pairs(split: str = "train", folder: str | Path | None = None, keep=None) -> Pairs:
    """The pictures of ``data/pairs/<split>`` (``"train"`` or ``"test"``, the held-out things).

    With ``keep`` only those whose row of metadata satisfies ``keep(row)``; the others are not read. A row says what is
    to be seen: ``row["thing"]``, ``row["style"]``, ``row["tags"]``, ``row["text"]``.

    Raises:
        InputError: nothing satisfies ``keep``.
    """
    folder = Path(folder or data_dir() / "pairs") / split
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if keep is None or keep(row)]
    if not rows:
        raise InputError(f"No picture of {folder} is kept: look at the things and styles in its metadata.jsonl.")
    pictures = []
    for row in rows:
        with Image.open(folder / row["file_name"]) as picture:
            pictures.append(torch.frombuffer(bytearray(picture.convert("RGB").tobytes()), dtype=torch.uint8))
            side = picture.size
    pixels = torch.stack(pictures).view(-1, side[1], side[0], 3).permute(0, 3, 1, 2).contiguous()
    return Pairs(pixels, rows)


def random_pose(
    x: torch.Tensor,
    generator: torch.Generator,
    scale=(0.5, 1.1),
    rotate: float = 15.0,
    stretch: float = 0.12,
    shift: float = 0.25,
    warp: float = 0.03,
    flip: bool = True,
) -> torch.Tensor:
    """Each picture ``(B, 3, H, W)`` in [−1, 1] in a new pose on the same white page, of the same shape.

    Flip, scale, rotation (degrees), stretch, shift (fraction of the page; kept so that most of the thing stays on it)
    and a slight smooth warp, so that a thing has no one pose and the network must look at where the sketch stands.
    """
    batch, _, height, width = x.shape

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(*shape, generator=generator)

    size = uniform(*scale, batch)
    angle = uniform(-rotate, rotate, batch).deg2rad()
    ratio = uniform(-stretch, stretch, batch).exp()
    mirror = torch.where(torch.rand(batch, generator=generator) < 0.5, -1.0, 1.0) if flip else torch.ones(batch)
    # A small thing may stand anywhere on the page, a large one only near the middle.
    room = (1 - size).clamp(min=0.06)
    dx = uniform(-1, 1, batch) * room.clamp(max=2 * shift)
    dy = uniform(-1, 1, batch) * room.clamp(max=2 * shift)
    cos, sin = angle.cos(), angle.sin()
    # Output coordinates -> input coordinates (the inverse of the pose).
    inv_x, inv_y = 1 / (size * ratio), ratio / size
    row1 = torch.stack([mirror * cos * inv_x, mirror * sin * inv_x, -mirror * inv_x * (cos * dx + sin * dy)], 1)
    row2 = torch.stack([-sin * inv_y, cos * inv_y, -inv_y * (-sin * dx + cos * dy)], 1)
    theta = torch.stack([row1, row2], 1).to(x)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    if warp:
        coarse = torch.randn(batch, 2, 4, 4, generator=generator).to(x) * warp
        grid = grid + F.interpolate(coarse, (height, width), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    return on_paper(x, grid)


def on_paper(x: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Pictures ``(B, 3, H, W)`` in [−1, 1] looked up at ``grid (B, h, w, 2)``, in half pages; beyond them lies white paper."""
    # The darkness (1 − x) is sampled, with zeros outside.
    return 1 - F.grid_sample(1 - x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def rgb_to_hsv(x: torch.Tensor):
    """Colours ``(B, 3, H, W)`` in [0, 1] as hue in degrees, saturation and value in [0, 1], ``(B, H, W)`` each."""
    high, _ = x.max(1)
    low, _ = x.min(1)
    span = (high - low).clamp(min=1e-6)
    r, g, b = x.unbind(1)
    hue = torch.where(high == r, ((g - b) / span) % 6, torch.where(high == g, (b - r) / span + 2, (r - g) / span + 4))
    return hue * 60, (high - low) / high.clamp(min=1e-6), high


def hsv_to_rgb(hue, saturation, value):
    """The inverse of :func:`rgb_to_hsv`."""

    def channel(n):
        k = (n + hue / 60) % 6
        return value - value * saturation * torch.minimum(torch.minimum(k, 4 - k), torch.ones_like(k)).clamp(min=0)

    return torch.stack([channel(5), channel(3), channel(1)], 1)


def recolour(x: torch.Tensor, rng: random.Random) -> tuple[torch.Tensor, list[str | None]]:
    """Turn each picture's hues so that its main colour becomes one of the named ``HUES``; returns it with the name.

    ``x`` is ``(B, 3, H, W)`` in [−1, 1]. A picture without a clear main colour (line art, grey things, a rainbow)
    comes back unchanged, with None.
    """
    hue, saturation, value = rgb_to_hsv((x + 1) / 2)
    weight = saturation * value * (saturation > 0.25)
    names: list[str | None] = []
    turned = hue.clone()
    for i in range(len(x)):
        total = weight[i].sum()
        radians = hue[i].deg2rad()
        mean_sin, mean_cos = (weight[i] * radians.sin()).sum(), (weight[i] * radians.cos()).sum()
        clear = torch.hypot(mean_sin, mean_cos) / total.clamp(min=1e-6)
        if total < 0.02 * weight[i].numel() or clear < 0.8:
            names.append(None)
            continue
        name = rng.choice(list(HUES))
        main = torch.atan2(mean_sin, mean_cos).rad2deg()
        turned[i] = (hue[i] + HUES[name] - main) % 360
        names.append(name)
    return hsv_to_rgb(turned, saturation, value) * 2 - 1, names


def turn_hues(x: torch.Tensor, generator: torch.Generator, share: float = 0.75) -> torch.Tensor:
    """A share of the pictures ``(B, 3, H, W)`` in [−1, 1] with all their hues turned by an angle, evenly drawn.

    Icons are red, orange and yellow much more often than green or purple; so every hue comes equally often.
    """
    turned = torch.rand(len(x), generator=generator) < share
    angle = (360 * torch.rand(len(x), generator=generator) * turned).view(-1, 1, 1).to(x)
    hue, saturation, value = rgb_to_hsv((x + 1) / 2)
    return hsv_to_rgb((hue + angle) % 360, saturation, value) * 2 - 1


def content_crops(x: torch.Tensor, side: int, generator: torch.Generator) -> torch.Tensor:
    """A square of ``side`` pixels from each picture ``(B, 3, H, W)``, placed around a pixel that is not paper."""
    height, width = x.shape[2:]
    inked = (x.amin(1) < 0.9).flatten(1).float() + 1e-6
    centre = torch.multinomial(inked.cpu(), 1, generator=generator).squeeze(1)
    jitter = torch.randint(-side // 3, side // 3 + 1, (2, len(x)), generator=generator)
    top = (centre // width - side // 2 + jitter[0]).clamp(0, height - side)
    left = (centre % width - side // 2 + jitter[1]).clamp(0, width - side)
    return torch.stack([x[i, :, t : t + side, k : k + side] for i, (t, k) in enumerate(zip(top, left, strict=True))])


def thicken_lines(x: torch.Tensor, radius: int) -> torch.Tensor:
    """Dark lines made ``radius`` pixels thicker on each side: a felt pen instead of a fine one."""
    return -F.max_pool2d(-x, 2 * radius + 1, stride=1, padding=radius) if radius else x


def widen_lines(lines: torch.Tensor) -> torch.Tensor:
    """Lines ``(B, 1, H, W)``, 1 on the line, a pixel wider: so a moved one does not fall between the pixels."""
    return F.max_pool2d(F.pad(lines, (0, 1, 0, 1)), 2, 1)


def augment(
    x: torch.Tensor, styles: list[str], generator: torch.Generator, colour: float = 0.25, move: bool = True, **pose
) -> tuple[torch.Tensor, list[str | None]]:
    """A training batch ``(B, 3, H, W)`` in random poses; a share ``colour`` recoloured, half of the line art thickened.

    Without ``move`` the pictures stay where they are, at most flipped; ``pose`` goes to :func:`random_pose`.
    Returns the pictures and, for each, the colour word it was turned to, or None.
    """
    x = random_pose(x, generator, **pose) if move else random_pose(x, generator, (1, 1), 0, 0, 0, 0)
    names: list[str | None] = [None] * len(x)
    chosen = [i for i in range(len(x)) if styles[i] != "line" and torch.rand((), generator=generator) < colour]
    if chosen:
        rng = random.Random(int(torch.randint(2**31, (), generator=generator)))
        turned, found = recolour(x[chosen], rng)
        x[chosen] = turned
        for i, name in zip(chosen, found, strict=True):
            names[i] = name
    for i, style in enumerate(styles):
        if style == "line" and torch.rand((), generator=generator) < 0.5:
            x[i : i + 1] = thicken_lines(x[i : i + 1], 1)
    return x, names
