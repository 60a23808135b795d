"""How many of the embedded scenes' things the judge names in their places, each cut out of the picture."""

import torch
from PIL import Image

from benchmarks.judging import Way, is_led, share
from s2i_teach.gallery import find_sketch
from s2i_teach.images import to_picture, to_tensor
from s2i_teach.models.catalog import SCENE, find
from s2i_teach.training.judge import judge_pixels, judge_ranks
from s2i_teach.training.pages import SIDE
from s2i_teach.training.pictures import Pairs
from s2i_teach.training.pool import WIDE
from s2i_teach.training.sketches import SCENES
from s2i_teach.translation.run import translate

PAGE = (768, 512)
"""Width and height in pixels of the page that ``SCENES`` gives its places on."""
TRAINED, LARGE = (WIDE, SIDE), SCENE
"""Widths and heights of the pictures: that of training's wide pages, and the larger one on which things are as large as single ones."""
SEEDS = range(4)


def place(left: int, top: int, side: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A thing's place on the page as a box ``(left, top, right, bottom)`` in pixels of a picture of ``size``."""
    across, down = size[0] / PAGE[0], size[1] / PAGE[1]
    return round(left * across), round(top * down), round((left + side) * across), round((top + side) * down)


def cut(picture: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """What is in the box; beyond the picture is white paper."""
    page = Image.new("RGB", (box[2] - box[0], box[3] - box[1]), "white")
    page.paste(picture, (-box[0], -box[1]))
    return page


def named(judge, picture: Image.Image, things: list[tuple[str, int, int, int]]) -> torch.Tensor:
    """The rank (0 = first) that the judge gives each thing in its place on the page, ``(things,)``."""
    cuts = [judge_pixels(to_tensor(cut(picture, place(*where, picture.size)))[None]) for _, *where in things]
    return judge_ranks(judge, torch.cat(cuts), [name for name, *_ in things])


def real_scene(pairs: Pairs, things: list[tuple[str, int, int, int]], style: str, size: tuple[int, int]) -> Image.Image:
    """The real pictures of a scene's things in their places on a page of ``size``: what could be named at all."""
    page = Image.new("RGB", size, "white")
    for name, *where in things:
        number = next(i for i, row in enumerate(pairs.rows) if row["thing"] == name and row["style"] == style)
        left, top, right, bottom = place(*where, size)
        real = to_picture(pairs.batch(torch.tensor([number]))[0])
        page.paste(real.resize((right - left, bottom - top), Image.Resampling.LANCZOS), (left, top))
    return page


def scene_ways(pipe) -> list[Way]:
    """How scenes are translated."""
    return (
        [Way(strength=find(pipe.s2i_model).strength, control_scale=1.0)]
        if is_led(pipe)
        else [Way("lines", 0.7), Way("filled", 0.7)]
    )


def scene_figures(pipe, judge, pairs: Pairs) -> list[str]:
    """The share of all things named, of real pictures in their places, of the sketch itself, and by way, on both sizes."""
    ranks: dict[str, list[torch.Tensor]] = {}

    def look(label: str, picture: Image.Image, things: list) -> None:
        ranks.setdefault(label, []).append(named(judge, picture, things))

    for size in (TRAINED, LARGE):
        told = f"{size[0]} × {size[1]}"
        for name, (prompt, things, _) in SCENES.items():
            sketch = find_sketch(f"scene_{name}").open()
            look(f"{told}: real pictures", real_scene(pairs, things, "openmoji", size), things)
            look(f"{told}: the sketch itself", sketch.resize(size, Image.Resampling.LANCZOS), things)
            for way in scene_ways(pipe):
                led = {} if way.control_scale is None else {"control_scale": way.control_scale}
                for seed in SEEDS:
                    made = translate(
                        sketch,
                        prompt,
                        pipe=pipe,
                        strength=way.strength,
                        prepare=way.prepare,
                        seed=seed,
                        size=size,
                        **led,
                    ).image
                    look(f"{told}: {way}", made, things)
                    if size == LARGE:
                        reduced = made.resize(TRAINED, Image.Resampling.LANCZOS)
                        look(f"the same, reduced to {TRAINED[0]} × {TRAINED[1]}: {way}", reduced, things)
    count = sum(len(things) for _, things, _ in SCENES.values())
    lines = [f"| {count} things in {len(SCENES)} scenes, {len(SEEDS)} seeds | top-1 | top-5 |", "|---|---|---|"]
    for label, found in ranks.items():
        together = torch.cat(found)
        lines.append(f"| {label} | {share(together, 1):.1%} | {share(together, 5):.1%} |")
    return lines
