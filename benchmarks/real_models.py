"""The real models' pipelines as their documentation shows them beside ours: ``python -m benchmarks.real_models [--device cuda]``.

Random weights in the real shapes: what runs costs the same, and nothing need be downloaded. Both ways take turns in one
run and draw from the same sketch.

On a CPU: one step of SD-Turbo at 512 × 512 from sketch to picture. diffusers' defaults are fp32, the model's own VAE, and the
prompt encoded each time; ours are what ``load_pipeline`` chooses for the machine, a small VAE, and the prompt kept. It also prints
what ``s2i doctor`` would have predicted for either.

On a GPU: Stable Diffusion 1.5 at 768 × 512 (50 steps × 0.8), four steps of LCM, one of SD-Turbo, and a ControlNet, one picture and
eight, with attention slicing and without; seconds, and the most memory that was taken. ``--narrow`` makes all networks narrow and the pictures
small, to try the program where no such machine is at hand; its figures mean nothing.
"""

import argparse
import gc
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from s2i_teach import Settings
from s2i_teach.gallery import sketches
from s2i_teach.images import open_sketch
from s2i_teach.models.catalog import MODELS
from s2i_teach.models.devices import device_of, pick_device, pick_dtype, wait_for
from s2i_teach.models.kinds import hint_of
from s2i_teach.models.speed import parts_of, speed_here
from s2i_teach.models.untrained import untrained_pipeline
from s2i_teach.translation.prepare import make_hint
from s2i_teach.translation.run import run
from s2i_teach.translation.sweep import sweep

NARROW = {"block_out_channels": (32, 64, 96, 96)}


@dataclass(frozen=True)
class Case:
    """A model with its settings."""

    model: str
    title: str
    size: tuple[int, int]
    steps: int
    strength: float
    guidance_scale: float


CASES = (
    Case("sd15", "Stable Diffusion 1.5, 50 steps × 0.8", (768, 512), 50, 0.8, 7.5),
    Case("sd15-lcm", "LCM, 4 steps", (512, 512), 4, 1.0, 1.5),
    Case("sd-turbo", "SD-Turbo, 1 step", (512, 512), 2, 0.5, 1.0),
    Case("sd15-scribble", "ControlNet, 30 steps", (512, 512), 30, 1.0, 7.5),
)


@dataclass(frozen=True)
class Taken:
    """Of one call, the median of the rounds; ``peak`` is GB of the GPU's memory, or None on a CPU."""

    seconds: float
    cpu_seconds: float
    peak: float | None


def measured(ways: dict[str, Callable[[], object]], device: torch.device, rounds: int) -> dict[str, Taken]:
    """The ways by turns, after one turn of each that warms up."""
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, call in ways.items():
            gc.collect()
            if device.type == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats(device)
            wait_for(device)
            started = time.perf_counter(), time.process_time()
            call()
            wait_for(device)
            spent = time.perf_counter() - started[0], time.process_time() - started[1]
            peak = torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else 0.0
            if turn:
                rows[name].append((*spent, peak))
    return {
        name: Taken(*(statistics.median(column) for column in list(zip(*row, strict=True))[:2]), _peak(row, device))
        for name, row in rows.items()
    }


def _peak(row: list[tuple[float, float, float]], device: torch.device) -> float | None:
    return max(peak for *_, peak in row) if device.type == "cuda" else None


def as_documented(pipe, case: Case, batch: int = 1) -> Callable[[], object]:
    """The pipeline's own call, as diffusers' pages show it."""
    drawing = sketches()[0]
    page = open_sketch(drawing.path, case.size)
    led = {}
    if hint_of(pipe) is not None:
        led = {"control_image": make_hint(page, hint_of(pipe)), "controlnet_conditioning_scale": 1.0}

    def call():
        return pipe(
            prompt=drawing.prompt,
            image=page,
            **led,
            strength=case.strength,
            num_inference_steps=case.steps,
            guidance_scale=case.guidance_scale,
            num_images_per_prompt=batch,
            generator=torch.Generator("cpu").manual_seed(0),
        ).images

    return call


def ours(pipe, case: Case, batch: int = 1) -> Callable[[], object]:
    """The same picture with ``run``, or as many with ``sweep`` over seeds."""
    drawing = sketches()[0]
    given = dict(
        size=case.size,
        strength=case.strength,
        num_inference_steps=case.steps,
        guidance_scale=case.guidance_scale,
    )
    if batch == 1:
        return lambda: run(drawing.path, Settings(drawing.prompt, **given), pipe)
    return lambda: sweep(drawing.path, drawing.prompt, pipe=pipe, seed=list(range(batch)), quiet=True, **given)


def predicted(pipe, case: Case) -> float:
    """Seconds that the doctor's way of predicting gives for a picture."""
    batch = 2 if case.guidance_scale > 1 else 1
    work = parts_of(pipe, case.size, batch).picture(max(1, int(case.steps * case.strength)))
    return speed_here(device_of(pipe), pipe.unet.dtype).seconds(work)


def on_a_cpu(case: Case, rounds: int, narrow: dict) -> dict[str, tuple[Taken, float]]:
    """Way → what it took, and what was predicted."""
    device = torch.device("cpu")
    documented = untrained_pipeline(case.model, device="cpu", dtype="fp32", **narrow)
    chosen = untrained_pipeline(case.model, device="cpu", small_vae=True, **narrow)
    ways = {"diffusers' defaults": as_documented(documented, case), "ours": ours(chosen, case)}
    taken = measured(ways, device, rounds)
    guesses = {"diffusers' defaults": predicted(documented, case), "ours": predicted(chosen, case)}
    return {name: (taken[name], guesses[name]) for name in ways}


def on_a_gpu(case: Case, batch: int, device: torch.device, rounds: int, narrow: dict) -> dict[str, Taken]:
    """Way → what it took: documented, ours, and ours with attention in slices."""
    pipe = untrained_pipeline(case.model, device=str(device), **narrow)
    taken = measured(
        {"as documented": as_documented(pipe, case, batch), "ours": ours(pipe, case, batch)}, device, rounds
    )
    pipe.enable_attention_slicing()
    return taken | measured({"ours, attention in slices": ours(pipe, case, batch)}, device, rounds)


def main() -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    parser.add_argument("--rounds", type=int, default=3, help="measured calls of each way (default: 3)")
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="on a CPU (default: torch's choice)"
    )
    parser.add_argument("--only", choices=[case.model for case in CASES], help="one model, on a GPU")
    parser.add_argument(
        "--batches", type=int, nargs="+", default=(1, 8), help="pictures in a call on a GPU (default: 1 8)"
    )
    parser.add_argument("--narrow", action="store_true", help="try the program with small networks and pictures")
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error("at least one round is needed")
    torch.set_num_threads(args.threads)
    device = pick_device(args.device)
    narrow = NARROW if args.narrow else {}
    cases = [replace(case, size=(64, 64)) for case in CASES] if args.narrow else list(CASES)
    if args.narrow:
        print("Narrow networks and small pictures: these figures mean nothing.\n")
    if device.type == "cpu":
        _print_cpu(on_a_cpu(cases[2], args.rounds, narrow), cases[2], args.threads)
        print("\nOn a GPU: unmeasured here.")
        return 0
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    print(f"{name}, {pick_dtype(device)}, random weights, median of {args.rounds}\n")
    print("| model | pictures | way | seconds a picture | CPU s | GB at most |\n|---|---|---|---|---|---|")
    for case in cases:
        for batch in args.batches if args.only in (None, case.model) else ():
            for way, taken in on_a_gpu(case, batch, device, args.rounds, narrow).items():
                peak = "unmeasured" if taken.peak is None else f"{taken.peak:.2f}"
                each = taken.seconds / batch
                print(f"| {case.title} | {batch} | {way} | {each:.3f} | {taken.cpu_seconds:.2f} | {peak} |", flush=True)
    return 0


def _print_cpu(rows: dict[str, tuple[Taken, float]], case: Case, threads: int) -> None:
    print(
        f"{MODELS[case.model].title}: one evaluation at {case.size[0]} × {case.size[1]}, {threads} threads, random weights"
    )
    print(f"ours: {pick_dtype(torch.device('cpu'))}\n")
    print("| way | seconds | CPU seconds | predicted seconds |\n|---|---|---|---|")
    for way, (taken, guess) in rows.items():
        print(f"| {way} | {taken.seconds:.2f} | {taken.cpu_seconds:.2f} | {guess:.2f} |")
    first, second = (taken for taken, _ in rows.values())
    print(f"\nratio of CPU seconds: {first.cpu_seconds / second.cpu_seconds:.2f} (bar 4)")
    print(f"ratio of wall time: {first.seconds / second.seconds:.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(f"the whole program, with both models in it, took {peak:.1f} GB of memory at most")


if __name__ == "__main__":
    sys.exit(main())
