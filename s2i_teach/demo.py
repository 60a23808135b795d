"""Translates every embedded sketch in two ways, as a start and as a guide, and draws one sheet of it all."""

import time
from pathlib import Path
from typing import Any

from PIL import Image

from s2i_teach.gallery import contact_sheet, sketches
from s2i_teach.models.catalog import SCENE, offered
from s2i_teach.models.load import load_pipeline
from s2i_teach.translation.result import save_png
from s2i_teach.translation.run import translate

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "start": ("mini", {"prepare": "filled", "strength": 0.6}),
    "guide": ("mini-scribble", {}),
}
"""Way → model and settings: plain img2img, whose sketch is only where it starts, and a sketch that leads at every step."""


def demo(folder: str | Path = "out", seed: int = 0, progress=print) -> Path:
    """Write ``folder/<sketch>-start.png`` and ``-guide.png`` for each embedded sketch, and the sheet ``folder/demo.png``.

    The sheet shows each sketch, its picture by plain img2img (the thesis's way), and the one that the sketch led. Returns
    the sheet's path.
    """
    folder = Path(folder)
    started = time.perf_counter()
    ways = {way: (load_pipeline(model), how) for way, (model, how) in WAYS.items() if model in offered()}
    progress(f"the miniatures are loaded ({time.perf_counter() - started:.1f} s)")
    groups: dict[str, list] = {"things": [], "scenes": []}
    for sketch in sketches():
        size = SCENE if sketch.kind == "scene" else None
        results = {
            way: translate(sketch.path, sketch.prompt, pipe=pipe, seed=seed, size=size, **how)
            for way, (pipe, how) in ways.items()
        }
        for way, result in results.items():
            path = result.save(folder / f"{sketch.name}-{way}.png")
            progress(f"{path}  {sketch.prompt}  ({result.seconds:.1f} s)")
        first = next(iter(results.values()))
        words = " | ".join(["sketch", *(f"{way} {result.seconds:.1f} s" for way, result in results.items())])
        pictures = [first.sketch, *(result.image for result in results.values())]
        groups["scenes" if size else "things"].append((pictures, f"{sketch.prompt}\n{words}"))
    # Scenes are larger pictures, and so they are larger on the sheet.
    parts = [
        contact_sheet(groups[kind], columns, side)
        for kind, columns, side in (("things", 3, 160), ("scenes", 2, 240))
        if groups[kind]
    ]
    sheet = save_png(_below_each_other(parts), folder / "demo.png")
    made = len(ways) * sum(map(len, groups.values()))
    progress(f"{made} pictures in {time.perf_counter() - started:.0f} s; all on one sheet: {sheet}")
    return sheet


def _below_each_other(parts: list[Image.Image]) -> Image.Image:
    """Pictures in a column, on white."""
    whole = Image.new("RGB", (max(part.width for part in parts), sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height
    return whole
