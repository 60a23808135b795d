"""How long a learner waits: from the end of a stroke to the new picture, in a real browser.

``python -m benchmarks.studio_latency`` draws scripted strokes in the studio, in JupyterLab and Chromium, and prints the
median and the 95th percentile of the time from the pointer's release to the frame in which the browser shows the picture
of that stroke, with the kernel's CPU seconds beside it. Before that: the seconds until a studio is ready.
"""

import argparse
import math
import random
import statistics
import tempfile
from pathlib import Path

from s2i_teach.models.catalog import DEFAULT, DEFAULT_FAST

CELL = """import torch
torch.set_num_threads({threads})
import s2i_teach as s2i
studio = s2i.Studio({sketch!r}, model={model!r})
studio"""
WATCH = """() => {
  const frame = document.querySelector(".s2i-frame"), picture = frame.querySelector("img");
  window.waits = [];
  let released = null;
  document.querySelector(".s2i-paper").addEventListener("pointerup", () => { released = performance.now(); }, true);
  new MutationObserver(async () => {
    // Pictures of the growing stroke have no number in the history; that of the finished one has.
    if (released === null || frame.dataset.number === "") return;
    const since = released;
    released = null;
    await picture.decode();
    requestAnimationFrame(() => requestAnimationFrame(() => window.waits.push(performance.now() - since)));
  }).observe(frame, {attributes: true, attributeFilter: ["data-version"]});
}"""


def strokes(number: int, seed: int = 0):
    """Scripted strokes on the page of 512 × 512: arcs of many sizes, as lists of points."""
    chance = random.Random(seed)
    for _ in range(number):
        x, y, radius = chance.uniform(120, 390), chance.uniform(120, 390), chance.uniform(20, 100)
        start, turn = chance.uniform(0, 6), chance.uniform(1, 6)
        yield [
            (x + radius * math.cos(start + turn * k / 12), y + radius * math.sin(start + turn * k / 12))
            for k in range(13)
        ]


def measure(number: int, model: str, sketch: str, threads: int) -> tuple[list[float], float]:
    """Seconds of every stroke, and CPU seconds of the kernel a stroke."""
    from playwright.sync_api import sync_playwright

    from tests.browser.lanes import FLAGS, Lab, find_browser

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        lane = Lab(Path(folder))
        lane.start()
        try:
            browser = play.chromium.launch(executable_path=find_browser(), args=FLAGS)
            page = browser.new_page(viewport={"width": 1280, "height": 1400})
            lane.run(page, CELL.format(model=model, sketch=sketch, threads=threads))
            page.wait_for_selector(".s2i-frame[data-state=result]", timeout=60_000)
            page.wait_for_selector(".s2i-frame[aria-busy=false]")
            page.evaluate(WATCH)
            before = float(lane.python(page, "import time; print(time.process_time())"))
            box = page.locator(".s2i-paper").bounding_box()
            for count, points in enumerate(strokes(number), 1):
                places = [(box["x"] + x / 512 * box["width"], box["y"] + y / 512 * box["height"]) for x, y in points]
                page.mouse.move(*places[0])
                page.mouse.down()
                for place in places[1:]:
                    page.mouse.move(*place)
                    page.wait_for_timeout(25)
                page.mouse.up()
                page.wait_for_function("count => window.waits.length >= count", arg=count, timeout=30_000)
                page.wait_for_timeout(200)
            after = float(lane.python(page, "print(time.process_time())"))
            waits = page.evaluate("window.waits")
            browser.close()
        finally:
            lane.stop()
    return [wait / 1000 for wait in waits], (after - before) / number


def ready(model: str) -> float:
    """Seconds from ``Studio(model=…)`` until it can run, the libraries being loaded."""
    import time

    import torch
    import transformers  # noqa: F401
    from diffusers import StableDiffusionImg2ImgPipeline  # noqa: F401

    import s2i_teach as s2i

    torch.set_num_threads(2)
    _ = s2i.Studio, s2i.translate
    started = time.perf_counter()
    studio = s2i.Studio(model=model)
    while studio._worker.busy:
        time.sleep(0.005)
        studio._worker.collect()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--strokes", type=int, default=50)
    parser.add_argument("--model", default=DEFAULT_FAST)
    parser.add_argument("--sketch", default="turtle")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    for model in dict.fromkeys((DEFAULT, arguments.model)):
        print(f"Studio(model={model!r}) is ready {ready(model):.1f} s after the libraries are loaded")
    waits, cpu = measure(arguments.strokes, arguments.model, arguments.sketch, arguments.threads)
    ordered = sorted(waits)
    print(
        f"{arguments.model}, {len(waits)} strokes, {arguments.threads} threads: median {statistics.median(waits):.2f} s, "
        f"p95 {ordered[math.ceil(0.95 * len(ordered)) - 1]:.2f} s, longest {ordered[-1]:.2f} s; "
        f"{cpu:.2f} CPU s of the kernel a stroke"
    )


if __name__ == "__main__":
    main()
