"""Pairs of a person's drawing and a picture that it could have been drawn from: icons bent until they lie on it.

A drawing by a person has no picture of its own, and lines of a picture, however wobbly, are no drawing by a person: people
draw a car's two wheels as rings below a box. But we have icons of a car. One of them, mirrored, turned, stretched and bent
a little until its outline lies on the drawing's, shows what the person may have meant, where the person drew it.
"""

import json
import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from tqdm.auto import tqdm

from s2i_teach.errors import InputError
from s2i_teach.files import shown, write_tensors
from s2i_teach.images import fit_to
from s2i_teach.lines import contours, outline_mask
from s2i_teach.training.data import (
    READABLE,
    benchmark_number,
    fetch_packages,
    quickdraw_categories,
    quickdraw_drawings,
)
from s2i_teach.training.pages import SIDE, Page, PageMaker, contours_and_insides
from s2i_teach.training.pictures import Pairs, load_pairs, on_paper, widen_lines
from s2i_teach.training.sketches import BY_PEOPLE

SMALL = 64
"""Side in pixels on which outlines are compared."""
TURNS = (-20.0, -10.0, 0.0, 10.0, 20.0)
STEEP = (-75.0, -60.0, -45.0, -30.0, 30.0, 45.0, 60.0, 75.0)
"""Angles in degrees that are tried, and those of long things besides: a broom may lie or stand."""
LONG = 2.0
"""Length over width from which a thing is long."""
STRETCH = 0.7
"""Logarithm of the most that an icon's height may change against its width before it is bent."""
CELLS = 8
"""A bend is a smooth field given at CELLS × CELLS places, in half pages."""
MOST = 0.25
"""Of a bend, in half pages of the icon."""
CHOICES = 4
"""Icons that are bent onto each drawing."""
ALIKE = 0.65
"""IoU of the outlines from which a pair is kept."""


def drawings_to_learn(packages: str | Path, category: str) -> dict[int, Image.Image]:
    """A category's drawings by number, 128 × 128, that a training may read: neither the benchmark's nor an embedded sketch's."""
    kept = {benchmark_number(category), BY_PEOPLE.get(category, (-1, ""))[0]}
    numbers = [number for number in range(READABLE) if number not in kept]
    drawn = quickdraw_drawings(packages, category, numbers)
    return {number: fit_to(drawing, (SIDE, SIDE)) for number, drawing in zip(numbers, drawn, strict=True)}


def overlaps(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """IoU ``(N,)`` of soft masks ``(N, 1, H, W)`` in [0, 1]."""
    return torch.minimum(a, b).flatten(1).sum(1) / torch.maximum(a, b).flatten(1).sum(1).clamp(min=1e-6)


def grids(theta: torch.Tensor, bend: torch.Tensor | None, side: int) -> torch.Tensor:
    """Where each pixel of a page of ``side`` pixels looks on its icon, ``(N, side, side, 2)`` in half pages."""
    grid = F.affine_grid(theta, [len(theta), 1, side, side], align_corners=False)
    if bend is None:
        return grid
    return grid + F.interpolate(bend, (side, side), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)


def laid(pictures: torch.Tensor, theta: torch.Tensor, bend: torch.Tensor) -> torch.Tensor:
    """Icons ``(N, 3, H, H)`` in [−1, 1] on white pages of their own, as ``theta (N, 2, 3)`` and ``bend (N, 2, CELLS, CELLS)`` say."""
    return on_paper(pictures, grids(theta, bend, pictures.shape[-1]))


class Fitter:
    """Finds for a drawing how the icons of its thing lie on it best.

    Args:
        insides: what belongs to each icon, ``(N, 1, 128, 128)`` bool.
    """

    def __init__(self, insides: torch.Tensor):
        self.masks = F.avg_pool2d(insides.float(), insides.shape[-1] // SMALL)
        self.known: dict[int, list[tuple]] = {}

    def starts(self, row: int) -> list[tuple]:
        """Icon ``row`` in each turn, mirrored or not: ``(angle, mirror, box)``."""
        if row not in self.known:
            angles = sorted({*TURNS, *STEEP}) if _length_over_width(self.masks[row, 0]) > LONG else TURNS
            ways = [(angle, mirror) for angle in angles for mirror in (1.0, -1.0)]
            theta = torch.stack([_turn(*way)[:2] for way in ways])
            turned = F.grid_sample(
                self.masks[row].expand(len(ways), -1, -1, -1), grids(theta, None, SMALL), align_corners=False
            )
            self.known[row] = [
                (*way, _box(mask[0])) for way, mask in zip(ways, turned, strict=True) if (mask > 0.5).any()
            ]
        return self.known[row]

    def best_starts(self, rows: list[int], drawing: torch.Tensor) -> list[tuple[float, int, torch.Tensor]]:
        """For each icon the best way to lay it box on box over a drawing's mask ``(1, 64, 64)``: ``(score, row, theta)``.

        The score is the IoU, less for a turn and for a stretch. Icons that had to be stretched too much are left out.
        """
        to = _box(drawing[0])
        thetas, own, costs = [], [], []
        for row in rows:
            for angle, mirror, box in self.starts(row):
                stretch = abs(math.log(to[2] * box[3] / (to[3] * box[2])))
                if stretch <= STRETCH:
                    thetas.append(_onto(angle, mirror, box, to))
                    own.append(row)
                    costs.append(0.003 * abs(angle) + 0.15 * max(0.0, stretch - 0.25))
        if not thetas:
            return []
        theta = torch.stack(thetas)
        half = SMALL // 2  # enough to choose by
        made = F.grid_sample(F.avg_pool2d(self.masks[own], 2), grids(theta, None, half), align_corners=False)
        values = overlaps(made, F.avg_pool2d(drawing[None], 2).expand_as(made)) - torch.tensor(costs)
        best: dict[int, tuple[float, int, torch.Tensor]] = {}
        for value, row, one in zip(values.tolist(), own, theta, strict=True):
            if row not in best or value > best[row][0]:
                best[row] = (value, row, one)
        return sorted(best.values(), key=lambda found: -found[0])

    def bent(self, rows: list[int], theta: torch.Tensor, drawings: torch.Tensor, steps: int = 50):
        """Icons bent by descent until their masks lie on ``drawings (N, 1, 64, 64)``: ``theta``, ``bend`` and IoU ``(N,)``."""
        masks = self.masks[rows]
        theta = theta.clone().requires_grad_(True)
        bend = torch.zeros(len(rows), 2, CELLS, CELLS, requires_grad=True)
        optimizer = torch.optim.Adam([{"params": [theta], "lr": 0.006}, {"params": [bend], "lr": 0.05}])
        soft = [_blurred(masks), _blurred(drawings)]
        for step in range(steps):
            # First blurred, so that what lies apart still attracts.
            a, b = soft if step < 0.6 * steps else (masks, drawings)
            made = F.grid_sample(a, grids(theta, bend, SMALL), align_corners=False)
            both = (made * b).flatten(1).sum(1)
            iou = both / ((made + b).flatten(1).sum(1) - both)
            rough = bend.diff(dim=2).square().sum((1, 2, 3)) + bend.diff(dim=3).square().sum((1, 2, 3))
            loss = (1 - iou + 0.15 * rough + 0.008 * bend.square().sum((1, 2, 3))).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        theta, bend = theta.detach(), bend.detach().clamp(-MOST, MOST)
        made = F.grid_sample(masks, grids(theta, bend, SMALL), align_corners=False)
        return theta, bend, overlaps((made > 0.5).float(), (drawings > 0.5).float())


def fit_drawings(
    packages: str | Path, file: str | Path, pairs: Pairs | None = None, per_drawing: int = 3, limit: int | None = None
) -> str:
    """Fit icons to people's drawings of all core things and write what was found to ``file``; returns a line about it.

    The icons that lie on a drawing best are bent, and ``per_drawing`` of them are kept at most. A person who was asked for a cat may
    have drawn its face; so the icons of a cat's face are tried too.

    Args:
        packages: where the npm packages lie; Quick, Draw!'s is fetched if it is not there.
        pairs: the icons (default: the core things of the train split).
        limit: drawings of a category at most.
    """
    packages = fetch_packages(packages, ("quickdraw",))
    pairs = (pairs or load_pairs("train", keep=lambda row: row["core"])).select(lambda row: row["style"] != "line")
    fitter = Fitter(contours_and_insides(pairs)[1])
    categories = sorted(quickdraw_categories(packages) & {row["thing"] for row in pairs.rows})
    thetas, bends, found, seen = [], [], [], 0
    for category in tqdm(categories, desc="drawings", mininterval=10):
        icons = [i for i, row in enumerate(pairs.rows) if row["thing"] in (category, f"{category} face")]
        numbers, rows, starts, masks = [], [], [], []
        for number, drawing in list(drawings_to_learn(packages, category).items())[:limit]:
            mask = F.avg_pool2d(torch.from_numpy(outline_mask(drawing)).float()[None, None], SIDE // SMALL)[0]
            seen += 1
            for _, row, theta in fitter.best_starts(icons, mask)[:CHOICES]:
                numbers.append(number)
                rows.append(row)
                starts.append(theta)
                masks.append(mask)
        if not rows:
            continue
        theta, bend, iou = fitter.bent(rows, torch.stack(starts), torch.stack(masks))
        of_drawing = Counter()
        for i in iou.argsort(descending=True).tolist():
            if iou[i] >= ALIKE and of_drawing[numbers[i]] < per_drawing:
                of_drawing[numbers[i]] += 1
                thetas.append(theta[i])
                bends.append(bend[i])
                icon, value = pairs.rows[rows[i]]["file_name"], round(iou[i].item(), 3)
                found.append({"category": category, "number": numbers[i], "icon": icon, "iou": value})
    if not found:
        raise InputError("No drawing of the package fits an icon: are these the right packages and pairs?")
    tensors = {"theta": torch.stack(thetas), "bend": torch.stack(bends)}
    write_tensors(Path(file), tensors, {"pairs": json.dumps(found)})
    mean = sum(one["iou"] for one in found) / len(found)
    return f"{shown(file)}: {len(found)} pairs of {seen} drawings, mean IoU {mean:.3f}"


class People:
    """A stock of such pairs, encoded once: latents of bent icons, and the lines and insides of the drawings.

    Half of them are moved and made smaller, drawing and icon alike.

    Args:
        file: of :func:`fit_drawings`.
        packages: where Quick, Draw!'s package lies.
        maker: whose pairs the icons are.
        encode: pictures ``(B, 3, H, W)`` → scaled latents.
        place: ``(k, n)``, of n processes that train together this is the k-th: each takes drawings of its own.
        seed: of the poses, and of the lots by which pairs are taken.
        number: pairs at most.

    Raises:
        InputError: the file is no such file, or holds icons that are not among the pairs.
    """

    def __init__(
        self,
        file,
        packages,
        maker: PageMaker,
        encode,
        place: tuple[int, int] = (0, 1),
        seed: int = 0,
        number: int = 5000,
    ):
        self.maker = maker
        theta, bend, found = load_fits(file)
        row_of = {row["file_name"]: i for i, row in enumerate(maker.pairs.rows)}
        chosen = [i for i, f in enumerate(found) if f["icon"] in row_of and f["number"] % place[1] == place[0]]
        chosen = sorted(random.Random(seed).sample(chosen, min(number, len(chosen))))  # a category's together again
        if not chosen:
            raise InputError(f"{shown(file)} has no icon of these pairs: make it of the same data.")
        packages = fetch_packages(packages, ("quickdraw",))
        wanted: dict[str, set[int]] = {}
        for i in chosen:
            wanted.setdefault(found[i]["category"], set()).add(found[i]["number"])
        drawn: dict[str, dict[int, torch.Tensor]] = {}
        generator = torch.Generator().manual_seed(seed)
        parts, self.lines, self.inside, self.pages = [], [], [], []
        for part in tqdm(torch.tensor(chosen).split(32), desc="people's drawings", mininterval=10):
            these = [found[i] for i in part]
            rows = [row_of[one["icon"]] for one in these]
            drawn = {category: drawn.get(category) or {} for category in {one["category"] for one in these}}
            for category, known in drawn.items():
                if not known:
                    drawings = drawings_to_learn(packages, category)
                    known |= {n: _lines_and_inside(drawings[n]) for n in sorted(wanted[category])}
            sketches = torch.stack([drawn[one["category"]][one["number"]] for one in these])
            pictures = laid(maker.pairs.batch(torch.tensor(rows)), theta[part], bend[part])
            grid = grids(_poses(len(rows), generator), None, SIDE)
            sketches = F.grid_sample(sketches, grid, mode="bilinear", align_corners=False)
            parts.append(encode(on_paper(pictures, grid)).half().cpu())
            self.lines += list(np.packbits((sketches[:, :1] > 0.4).numpy(), axis=-1))
            self.inside += list(np.packbits((sketches[:, 1:] > 0.5).numpy(), axis=-1))
            self.pages += [Page([row], [None], maker.pairs.rows[row]["style"]) for row in rows]
        self.latents = torch.cat(parts)

    def draw(self, rng: random.Random) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Page]:
        """A random pair: latents ``(4, 16, 16)``, lines and inside ``(1, 128, 128)`` in {0, 1}, and the page."""
        i = rng.randrange(len(self.pages))
        lines, inside = (
            torch.from_numpy(np.unpackbits(kept[i], axis=-1)).float() for kept in (self.lines, self.inside)
        )
        return self.latents[i].float(), lines, inside, self.pages[i]


def load_fits(file: str | Path) -> tuple[torch.Tensor, torch.Tensor, list[dict]]:
    """What :func:`fit_drawings` wrote: ``theta (N, 2, 3)``, ``bend (N, 2, CELLS, CELLS)``, and of each pair
    ``category``, ``number`` of the drawing, ``icon`` (file name) and ``iou``.

    Raises:
        InputError: the file is not there, or no such file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), framework="pt") as opened:
            theta, bend = opened.get_tensor("theta"), opened.get_tensor("bend")
            found = json.loads(opened.metadata()["pairs"])
        numbers = {(one["category"], one["icon"], one["number"]) for one in found}
    except FileNotFoundError:
        raise InputError(f"{shown(file)} is not there: run s2i train people first.") from None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{shown(file)} is no file of `s2i train people`.") from error
    if not numbers or theta.shape != (len(found), 2, 3) or bend.shape != (len(found), 2, CELLS, CELLS):
        raise InputError(f"{shown(file)} is damaged: make it again with s2i train people.")
    return theta, bend, found


def _lines_and_inside(drawing: Image.Image) -> torch.Tensor:
    """``(2, 128, 128)`` in {0, 1}: a drawing's lines, as a hint of it would have them, and what they enclose."""
    lines = torch.from_numpy(contours(np.asarray(drawing.convert("RGB"))))[None].float()
    return torch.cat([widen_lines(lines[None])[0], torch.from_numpy(outline_mask(drawing))[None].float()])


def _poses(number: int, generator: torch.Generator) -> torch.Tensor:
    """Where each pixel of a page looks on the page as it was, ``(number, 2, 3)``: half of them moved and made smaller."""
    moved = torch.rand(number, generator=generator) < 0.5
    size = torch.where(moved, 0.5 + 0.5 * torch.rand(number, generator=generator), torch.ones(number))
    x, y = (2 * torch.rand(2, number, generator=generator) - 1) * (1 - size)
    zero = torch.zeros(number)
    return torch.stack([torch.stack([1 / size, zero, -x / size], 1), torch.stack([zero, 1 / size, -y / size], 1)], 1)


def _box(mask: torch.Tensor) -> tuple[float, float, float, float]:
    """Centre and half sides, in half pages, of what is above ½ in ``(H, W)``; of nothing the whole page."""
    height, width = mask.shape
    ys, xs = torch.nonzero(mask > 0.5, as_tuple=True)
    if not len(ys):
        return (0.0, 0.0, 1.0, 1.0)
    left, right, top, bottom = xs.min().item(), xs.max().item() + 1, ys.min().item(), ys.max().item() + 1
    return ((left + right) / width - 1, (top + bottom) / height - 1, (right - left) / width, (bottom - top) / height)


def _length_over_width(mask: torch.Tensor) -> float:
    """Of the ellipse with the second moments of a mask ``(H, W)``."""
    points = torch.nonzero(mask > 0.5).float()
    if len(points) < 3:
        return 1.0
    low, high = torch.linalg.eigvalsh(points.T.cov())
    return float((high / low.clamp(min=1e-6)).sqrt())


def _turn(angle: float, mirror: float) -> torch.Tensor:
    """``(3, 3)``, from a turned icon's page to the icon's own, both in half pages around the middle."""
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return torch.tensor([[mirror * cos, mirror * sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])


def _onto(angle: float, mirror: float, box: tuple, to: tuple) -> torch.Tensor:
    """``theta (2, 3)`` that lays the turned icon's ``box`` on the box ``to``."""
    across, down = box[2] / to[2], box[3] / to[3]
    boxes = torch.tensor([[across, 0.0, box[0] - to[0] * across], [0.0, down, box[1] - to[1] * down], [0.0, 0.0, 1.0]])
    return (_turn(angle, mirror) @ boxes)[:2]


def _blurred(masks: torch.Tensor) -> torch.Tensor:
    for _ in range(2):
        masks = F.avg_pool2d(masks, 5, 1, 2, count_include_pad=False)
    return masks
