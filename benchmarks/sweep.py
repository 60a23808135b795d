"""A grid beside the loop that a careful user writes: ``python -m benchmarks.sweep [--rounds 3] [--threads 2]``.

5 strengths × 5 guidance scales, 20 steps, the miniature. The loop calls the stock diffusers pipeline once a cell, loaded
once, with its progress bar off and a generator of its own for each cell. Both ways take turns in one run; the loop is
run with one thread and with all, and the better of the two counts; the sweep runs the miniature in one. The last rows
take the loop in fp32 and the sweep in the precision that ``load_pipeline`` chooses for the machine.
"""

import argparse
import statistics
import time

import torch

import s2i_teach as s2i
from s2i_teach.models.devices import pick_dtype
from s2i_teach.models.load import load_pipeline
from s2i_teach.models.schedulers import make_scheduler
from s2i_teach.translation.batch import Counts, run_batch
from s2i_teach.translation.settings import Settings

STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
GUIDANCE = (1.0, 3.0, 5.0, 7.0, 9.0)
STEPS = 20


def loop(pipe, drawing) -> None:
    """The stock pipeline in two loops."""
    picture = s2i.open_sketch(drawing.path, (128, 128))
    own = pipe.scheduler
    for strength in STRENGTHS:
        for guidance in GUIDANCE:
            pipe.scheduler = make_scheduler(None, own, STEPS)
            pipe(
                prompt=drawing.prompt,
                image=picture,
                strength=strength,
                guidance_scale=guidance,
                num_inference_steps=STEPS,
                generator=torch.Generator("cpu").manual_seed(0),
            )
    pipe.scheduler = own


def grid(pipe, drawing, counts: Counts | None = None) -> None:
    """The sweep, as far as its pictures."""
    cells = [
        Settings(drawing.prompt, strength=strength, guidance_scale=guidance, num_inference_steps=STEPS).resolved(pipe)
        for strength in STRENGTHS
        for guidance in GUIDANCE
    ]
    for _, pixels, _ in run_batch(drawing, cells, pipe, counts=counts):
        pipe.image_processor.numpy_to_pil(pipe.image_processor.pt_to_numpy(pixels))


def timed(call, *arguments) -> tuple[float, float]:
    """Wall and CPU seconds."""
    started = time.perf_counter(), time.process_time()
    call(*arguments)
    return time.perf_counter() - started[0], time.process_time() - started[1]


def where_time_goes(pipe, drawing) -> dict[str, float]:
    """Wall seconds of a sweep's parts, by wrapping them; what is left is schedulers, guidance and Python."""
    spent = {"U-Net": 0.0, "VAE decoder": 0.0, "VAE encoder": 0.0, "text encoder": 0.0}
    parts = {
        "U-Net": (pipe.unet, "forward"),
        "VAE decoder": (pipe.vae, "decode"),
        "VAE encoder": (pipe.vae, "encode"),
        "text encoder": (pipe.text_encoder, "forward"),
    }

    def watched(name, method):
        def call(*arguments, **named):
            started = time.perf_counter()
            try:
                return method(*arguments, **named)
            finally:
                spent[name] += time.perf_counter() - started

        return call

    for name, (part, method) in parts.items():
        setattr(part, method, watched(name, getattr(part, method)))
    try:
        total, _ = timed(grid, pipe, drawing)
    finally:
        for part, method in parts.values():
            delattr(part, method)
    return {**spent, "the rest": total - sum(spent.values()), "all": total}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    drawing = s2i.sketches()[0]
    pipes = {"fp32": load_pipeline("mini", dtype="fp32")}
    chosen = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[pick_dtype(torch.device("cpu"))]
    pipes.setdefault(chosen, load_pipeline("mini", dtype=chosen))
    for pipe in pipes.values():
        pipe.set_progress_bar_config(disable=True)

    ways = {}
    for precision, pipe in pipes.items():
        for threads in sorted({1, options.threads}):
            ways[f"loop, {precision}, {threads} thread{'s' * (threads > 1)}"] = (loop, pipe, threads)
        ways[f"sweep, {precision}"] = (grid, pipe, options.threads)  # of which it takes what suits the model
    seconds: dict[str, list] = {name: [] for name in ways}
    for turn in range(options.rounds + 1):
        for name, (call, pipe, threads) in ways.items():
            torch.set_num_threads(threads)
            measured = timed(call, pipe, drawing)
            if turn:  # the first round warms up
                seconds[name].append(measured)
    middle = {name: [statistics.median(values) for values in zip(*rows, strict=True)] for name, rows in seconds.items()}
    print(f"25 pictures, {STEPS} steps, median of {options.rounds} rounds")
    for name, (wall, cpu) in middle.items():
        print(f"{name:24} {wall:6.1f} s wall {cpu:6.1f} CPU s")
    for precision in pipes:
        against = [name for name in middle if name.startswith(f"loop, {precision}")]
        print(_ratio(middle, against, f"sweep, {precision}", f"equal precision, {precision}"))
    if chosen != "fp32":
        against = [name for name in middle if name.startswith("loop, fp32")]
        print(_ratio(middle, against, f"sweep, {chosen}", "precision chosen for the machine"))

    torch.set_num_threads(options.threads)
    counts = Counts()
    grid(pipes[chosen], drawing, counts)
    print(counts)
    for precision, pipe in pipes.items():
        parts = where_time_goes(pipe, drawing)
        shares = ", ".join(f"{name} {value / parts['all']:.0%}" for name, value in parts.items() if name != "all")
        print(f"where the {parts['all']:.1f} s of the sweep in {precision} go: {shares}")


def _ratio(middle: dict, against: list[str], name: str, words: str) -> str:
    best_wall = min(middle[other][0] for other in against)
    best_cpu = min(middle[other][1] for other in against)
    return (
        f"{words}: {best_wall / middle[name][0]:.2f} × faster in wall time, {best_cpu / middle[name][1]:.2f} × in CPU"
    )


if __name__ == "__main__":
    main()
