"""Ten drawings in one style that no training saw: embedded doodles printed in two inks; and how far a style has come."""

import numpy as np
import torch
from PIL import Image

from s2i_teach.gallery import find_sketch
from s2i_teach.images import fit_to, read_picture, to_tensor
from s2i_teach.training.judge import judge_ranks, load_judge
from s2i_teach.translation.looks import LOOKS, in_look

TEN = (
    "umbrella_by_hand",
    "butterfly_by_hand",
    "car_by_hand",
    "cat_by_hand",
    "duck_by_hand",
    "fish_by_hand",
    "house_by_hand",
    "mushroom_by_hand",
    "sailboat_by_hand",
    "tree_by_hand",
)


def ten_drawings(look: str = "two inks") -> list[tuple[Image.Image, str]]:
    """Ten pictures with their captions, such as "a duck"; every one an embedded doodle in the same look."""
    made = []
    for sketch in (sketch for name in TEN if (sketch := find_sketch(name))):
        made.append((in_look(sketch, LOOKS[look]), sketch.prompt.split(",")[0]))
    return made


def palette(drawings, colours: int = 3) -> np.ndarray:
    """The colours that most of some drawings is made of, paper among them: ``(colours, 3)``, 0 to 255 (median cut)."""
    pixels = np.concatenate([np.asarray(read_picture(picture)).reshape(-1, 3) for picture, _ in drawings])
    reduced = Image.fromarray(pixels[None]).quantize(colours, dither=Image.Dither.NONE)
    table = np.array((reduced.getpalette() or [])[: 3 * colours], dtype=float).reshape(-1, 3)
    return table[np.unique(np.asarray(reduced))]


def off_palette(pictures, colours: np.ndarray) -> float:
    """How far from a palette pictures are: 0 is in its colours alone.

    Of each pixel that is not white, the distance to the nearest colour, divided by the largest there is, from black to white. The
    mean over all of these pixels.
    """
    pixels = np.concatenate([np.asarray(read_picture(picture), dtype=float).reshape(-1, 3) for picture in pictures])
    drawn = pixels[pixels.min(axis=1) < 235]
    if not len(drawn):
        return 0.0
    apart = np.linalg.norm(drawn[:, None] - colours[None], axis=2).min(axis=1)
    return float(apart.mean() / np.linalg.norm([255.0] * 3))


def named_share(pictures, things: list[str]) -> float:
    """In which share of pictures the judge names the very thing that was asked for, out of all that it knows, 0 to 1.

    The judge is a small classifier that never saw a picture of a model: :mod:`s2i_teach.training.judge`.

    Raises:
        KeyError: a thing that it does not know.
    """
    judge = load_judge()
    x = torch.stack([to_tensor(fit_to(read_picture(picture), (128, 128))) for picture in pictures])
    return (judge_ranks(judge, x, things) == 0).float().mean().item()
