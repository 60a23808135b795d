"""The picture wall: rows are sketches, columns are models, and every picture is a single run of its own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from s2i_teach.errors import InputError
from s2i_teach.files import shown
from s2i_teach.gallery import embedded_pairs, find_sketch, font, wrapped
from s2i_teach.images import fit_to, open_sketch
from s2i_teach.models.catalog import MODELS, offered
from s2i_teach.models.load import shared_pipeline
from s2i_teach.translation.result import check_png_path, save_png
from s2i_teach.translation.run import translate

HOW: dict[str, dict[str, Any]] = {"mini": {"prepare": "filled"}}
"""Model → the settings it is shown with, where they are not its own: plain img2img takes lines alone for white paper."""
DIFFUSION = ("mini", "mini-scribble")
"""The latent diffusion beside the other families."""
SKETCHES = ("turtle", "house", "cactus", "sailboat_by_hand", "cat_by_hand", "mushroom_by_hand")
"""What is on the wall unless others are asked for."""
MOST = 400
"""Pictures on a wall."""


def families() -> list[str]:
    """The names of the families whose weights are there, in the order of the catalog."""
    return [name for name, entry in offered().items() if entry.kind == "family"]


def row_of(sketch, prompt: str | None = None) -> tuple[Image.Image, str]:
    """A sketch and its prompt; an embedded sketch, by its name, brings its own.

    Raises:
        InputError: a sketch that cannot be opened, or one without a prompt.
    """
    known = find_sketch(sketch) if isinstance(sketch, str) else None
    if known is not None:
        return known.open(), prompt or known.prompt
    picture = open_sketch(sketch)
    if not prompt:
        raise InputError(f'{shown(sketch)} has no prompt of its own: give one, such as --prompt "a turtle".')
    return picture, prompt


def held_out(number: int) -> list[tuple[Image.Image, str, Image.Image]]:
    """Line art of things that no training saw, with its prompt and its artist's picture, spread over all of them.

    Raises:
        InputError: there are not so many.
    """
    pairs = embedded_pairs("test")
    if not 1 <= number <= len(pairs):
        raise InputError(f"{number} held-out sketches were asked for: use 1 to {len(pairs)}.")
    chosen = [pairs[i * len(pairs) // number] for i in range(number)]
    opened = [(pair, *pair.open()) for pair in chosen]
    return [(sketch, pair.prompt, picture) for pair, sketch, picture in opened]


def picture_wall(
    rows: Sequence[tuple],
    models: Sequence[str],
    seed: int = 0,
    side: int = 128,
    progress: Callable[[str], None] = print,
) -> Image.Image:
    """One sheet: a row for each sketch, a column for each model, and the artist's picture where a row has one.

    Args:
        rows: ``(sketch, prompt)`` or ``(sketch, prompt, picture)``, pictures as PIL images.
        models: names of the catalog.
        side: pixels of each picture on the sheet.
        progress: is told of each finished row.

    Raises:
        InputError: an unknown model, or more pictures than a wall holds.
    """
    unknown = next((name for name in models if name not in MODELS), None)
    if unknown is not None:
        raise InputError(f"The catalog has no model {shown(unknown)!r}: it has {', '.join(offered())}.")
    if not rows or not models:
        raise InputError("A wall needs at least one sketch and one model.")
    if len(rows) * len(models) > MOST:
        raise InputError(f"{len(rows)} sketches by {len(models)} models are too many: {MOST} pictures at most.")
    pipes = {name: shared_pipeline(name) for name in models}
    titles = ["sketch", *models, *(["the artist's"] if any(len(row) > 2 for row in rows) else [])]
    cells = []
    for number, (sketch, prompt, *real) in enumerate(rows, 1):
        made = [translate(sketch, prompt, pipe=pipes[name], seed=seed, **HOW.get(name, {})) for name in models]
        cells.append(([made[0].sketch, *(result.image for result in made), *real], prompt))
        progress(f"{number} of {len(rows)}: {prompt}")
    return hung(titles, cells, side)


def hung(titles: Sequence[str], cells: Sequence[tuple[Sequence[Image.Image], str]], side: int = 128) -> Image.Image:
    """Pictures under their titles, each row with its caption below; where a row is shorter, its end stays white."""
    gap, line = side // 16, max(11, side // 10)
    letters, measure = font(line), ImageDraw.Draw(Image.new("RGB", (1, 1)))
    width = gap + len(titles) * (side + gap)
    heads = [wrapped(measure, title, letters, side) for title in titles]
    top = gap + max(map(len, heads)) * round(1.35 * line) + gap
    row = side + round(1.8 * line) + gap
    sheet = Image.new("RGB", (width, top + len(cells) * row), "white")
    draw = ImageDraw.Draw(sheet)
    for column, lines in enumerate(heads):
        draw.multiline_text((gap + column * (side + gap), gap), "\n".join(lines), (20, 20, 20), letters)
    for number, (pictures, caption) in enumerate(cells):
        y = top + number * row
        for column, picture in enumerate(pictures):
            x = gap + column * (side + gap)
            sheet.paste(fit_to(picture, (side, side)), (x, y))
            draw.rectangle([x - 1, y - 1, x + side, y + side], outline=(205, 205, 205))
        draw.text((gap, y + side + gap // 3), caption, (90, 90, 90), letters)
    return sheet


def wall(
    sketches: Sequence | None = None,
    models: Sequence[str] | None = None,
    *,
    prompt: str | None = None,
    unseen: int = 0,
    seed: int = 0,
    side: int = 128,
    out: str | Path = "out/wall.png",
    progress: Callable[[str], None] = print,
) -> Path:
    """Write :func:`picture_wall` to a PNG; returns its path.

    Args:
        sketches: names of embedded sketches, files or pictures; None takes a few of the embedded ones.
        models: names of the catalog; None takes all families, plain img2img and sketch guidance.
        prompt: for sketches that have none of their own.
        unseen: adds so many rows of things that no training saw, with the artist's picture.

    Raises:
        InputError: as :func:`picture_wall`, or a name that no PNG can have.
    """
    path = check_png_path(out)
    if sketches is None:
        sketches = () if unseen else SKETCHES
    rows: list[tuple] = [row_of(sketch, prompt) for sketch in sketches]
    rows += held_out(unseen) if unseen else []
    chosen = list(models or [*families(), *(name for name in DIFFUSION if name in offered())])
    return save_png(picture_wall(rows, chosen, seed, side, progress), path)
