"""Translates every embedded sketch with the miniature and draws one sheet of it all."""

import time
from pathlib import Path

from s2i_teach.gallery import contact_sheet, sketches
from s2i_teach.models.load import load_pipeline
from s2i_teach.translation.result import save_png
from s2i_teach.translation.run import translate


def demo(folder: str | Path = "out", seed: int = 0, progress=print) -> Path:
    """Write ``folder/<sketch>.png`` for each embedded sketch and the sheet ``folder/demo.png``. Returns its path."""
    folder = Path(folder)
    started = time.perf_counter()
    pipe = load_pipeline("mini")
    progress(f"the miniature is loaded ({time.perf_counter() - started:.1f} s)")
    groups = []
    for sketch in sketches():
        result = translate(sketch.path, sketch.prompt, pipe=pipe, seed=seed, prepare="filled")
        path = result.save(folder / f"{sketch.name}.png")
        progress(f"{path}  {sketch.prompt}  ({result.seconds:.1f} s)")
        groups.append(([result.sketch, result.image], f"{sketch.prompt}\nseed {seed}, {result.seconds:.1f} s"))
    sheet = save_png(contact_sheet(groups, columns=4, side=160), folder / "demo.png")
    progress(f"{len(groups)} pictures in {time.perf_counter() - started:.0f} s; all on one sheet: {sheet}")
    return sheet
