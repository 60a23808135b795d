"""A whole set beside the loop that a careful user writes: ``python -m benchmarks.dataset [--only PART …]``.

Parts, each on its own (about 15 minutes in all on two cores):

- ``overhead``: one process, one thread, the miniature that the sketch leads; the stock pipeline in a loop (opened, called, saved), one
  sketch at a time and four at a time, beside ``translate_dataset`` with as many. They take turns in one run. Bar: 3 %.
- ``two``: two processes of one thread each beside one, started from one that has the model loaded. Bar: 1.6 times.
- ``bits``: how much a picture depends on its neighbours in a batch, at 1, 2, 4 and 8 sketches.
- ``memory``: peak of a process with 100, 1,000 and 5,000 sketches and a tiny pipeline, and what 50,889 names take. Bar: flat.
- ``kills``: 500 sketches, two processes, ten SIGKILLs at random points. Bars: none lost, none made twice, the same bytes.
- ``launch``: two nodes as two processes, each started by accelerate's own launcher, beside one process. Bar: the same bytes.
- ``paper``: what 50,889 sketches take: here, measured; on a T4 and on eight H200, computed.

Wall and CPU seconds are printed: on a busy machine only the latter tell.
"""

import argparse
import hashlib
import multiprocessing
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image, ImageDraw

import s2i_teach as s2i
from s2i_teach.data_sources.sources import Item
from s2i_teach.data_sources.web import readable
from s2i_teach.models.catalog import find
from s2i_teach.models.kinds import hint_of
from s2i_teach.models.load import load_pipeline
from s2i_teach.models.speed import counted
from s2i_teach.translation.batch import run_batch
from s2i_teach.translation.dataset.listing import Listing
from s2i_teach.translation.dataset.request import lot
from s2i_teach.translation.page import Pages, open_page
from s2i_teach.translation.prepare import make_hint
from s2i_teach.translation.settings import Settings
from tests.conftest import make_tiny_pipe
from tests.peak import PEAK

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = "a {category}, openmoji style"
WHOLE = 50_889
"""Sketches of ImageNet-Sketch."""
TINY = {
    "size": (32, 32),
    "num_inference_steps": 1,
    "strength": 1.0,
    "guidance_scale": 1.0,
    "report": False,
    "quiet": True,
}


def draw(folder: Path, count: int, side: int = 480) -> Path:
    """So many sketches in ten categories, as large as those of ImageNet-Sketch."""
    for number in range(count):
        lots = random.Random(number)
        page = Image.new("L", (side, side), 255)
        pen = ImageDraw.Draw(page)
        for _ in range(6):
            inner = range(side // 12, side - side // 12)  # a white margin, as drawings on paper have
            corners = sorted(lots.sample(inner, 2)), sorted(lots.sample(inner, 2))
            pen.ellipse([corners[0][0], corners[1][0], corners[0][1], corners[1][1]], outline=0, width=side // 80 + 1)
        path = folder / f"category_{number % 10}" / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        page.save(path)
    return folder


def hashes(folder: Path) -> dict[str, str]:
    """Path below the pictures' folder → SHA-256."""
    base = folder / "pictures"
    return {p.relative_to(base).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in base.rglob("*.png")}


def loop(pipe, source: Path, to: Path, batch: int) -> None:
    """The stock pipeline, as it is called by hand, with the same pages; led by the sketch's lines."""
    how = Settings("", size=(128, 128))
    paths = sorted(source.rglob("*.jpg"))
    for first in range(0, len(paths), batch):
        some = paths[first : first + batch]
        pages = [open_page(path, how)[0] for path in some]
        made = pipe(
            prompt=[f"a {path.parent.name.replace('_', ' ')}, openmoji style" for path in some],
            image=pages,
            control_image=[make_hint(page, hint_of(pipe)) for page in pages],
            strength=1.0,
            guidance_scale=4.0,
            num_inference_steps=20,
            controlnet_conditioning_scale=1.0,
            generator=[torch.Generator("cpu").manual_seed(lot(0, path.name)) for path in some],
        )
        for path, image in zip(some, made.images, strict=True):
            target = to / path.parent.name / f"{path.stem}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            image.save(target)


def whole(pipe, source: Path, to: Path, batch: int) -> None:
    """The same pictures by the library."""
    s2i.translate_dataset(source, to, TEMPLATE, pipe=pipe, batch=batch, strength=1.0, report=False, quiet=True)


def cpu_seconds() -> float:
    """Of this process and of those that it started and waited for."""
    return sum(resource.getrusage(who).ru_utime + resource.getrusage(who).ru_stime for who in WHOSE)


WHOSE = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def timed(call, *arguments) -> tuple[float, float]:
    """Wall and CPU seconds."""
    started = time.perf_counter(), cpu_seconds()
    call(*arguments)
    return time.perf_counter() - started[0], cpu_seconds() - started[1]


def in_turns(ways: dict, rounds: int, count: int) -> dict[str, list[float]]:
    """Each way so often, in turns, after a round that warms up: medians of seconds a picture, wall and CPU."""
    seconds: dict[str, list] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, call in ways.items():
            with tempfile.TemporaryDirectory() as to:
                taken = timed(call, Path(to) / "out")
            if turn:
                seconds[name].append(taken)
    middle = {name: [statistics.median(v) / count for v in zip(*rows, strict=True)] for name, rows in seconds.items()}
    for name, (wall, cpu) in middle.items():
        print(f"  {name:38} {wall:6.3f} s wall {cpu:6.3f} CPU s a picture", flush=True)
    return middle


def overhead(options) -> None:
    pipe = load_pipeline("mini-scribble")
    pipe.set_progress_bar_config(disable=True)
    count = options.pictures
    print(f"overhead: {count} sketches, {options.rounds} rounds in turns, {pipe.unet.dtype}")
    with tempfile.TemporaryDirectory() as folder:
        source = draw(Path(folder) / "in", count)
        ways = {}
        for batch in (1, 4):
            ways[f"the pipeline in a loop, {batch} at a time"] = lambda to, n=batch: loop(pipe, source, to, n)
            ways[f"translate_dataset, {batch} at a time"] = lambda to, n=batch: whole(pipe, source, to, n)
        middle = in_turns(ways, options.rounds, count)
        alone = beside_the_networks(pipe, ways, options.rounds, count)
    for batch in (1, 4):
        names = [f"{name}, {batch} at a time" for name in ("the pipeline in a loop", "translate_dataset")]
        theirs, ours = (middle[name] for name in names)
        print(
            f"  {batch} at a time: {ours[0] / theirs[0] - 1:+.1%} wall, {ours[1] / theirs[1] - 1:+.1%} CPU (bar: +3 %)"
        )
        more = [mine - loop for loop, mine in zip(*(alone[name] for name in names), strict=True)]
        print(
            f"  {batch} at a time, networks left out: {1000 * more[0]:+.1f} ms wall, {1000 * more[1]:+.1f} ms CPU a picture, "
            f"{more[0] / theirs[0]:+.1%} and {more[1] / theirs[1]:+.1%} of the loop's whole time"
        )


def beside_the_networks(pipe, ways: dict, rounds: int, count: int) -> dict[str, list[float]]:
    """The same ways while U-Net and ControlNet answer from memory, each shape of question once.

    They are all but a tenth of the time and the same in both ways. Without them a difference of some milliseconds is seen, which
    the machine's own unsteadiness, some 5 %, else hides.
    """
    networks, answers = (pipe.unet, pipe.controlnet), {}

    def remembered(network, forward):
        def answer(sample, *args, **kwargs):
            key = (id(network), sample.shape)
            if key not in answers:
                answers[key] = forward(sample, *args, **kwargs)
            return answers[key]

        return answer

    print("  the same, U-Net and ControlNet answering from memory:")
    for network in networks:
        network.forward = remembered(network, network.forward)
    try:
        return in_turns(ways, rounds, count)
    finally:
        for network in networks:
            del network.forward


def in_child(source: Path, to: Path, pipe, named: dict) -> None:
    torch.set_num_threads(1)
    s2i.translate_dataset(source, to, TEMPLATE, pipe=pipe, **named)


def start(number: int, source: Path, to: Path, pipe, **named) -> list:
    """Processes that share a loaded model; they are forked, so that only the work is measured."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=in_child, args=(source, to, pipe, named)) for _ in range(number)]
    for one in processes:
        one.start()
    return processes


def together(number: int, source: Path, to: Path, pipe, **named) -> None:
    for one in start(number, source, to, pipe, **named):
        one.join()
        if one.exitcode:
            raise RuntimeError(f"a process ended with {one.exitcode}")


def two(options) -> None:
    pipe = load_pipeline("mini-scribble")
    count = 3 * options.pictures
    print(f"two processes: {count} sketches, {options.rounds} rounds in turns, one thread each")
    with tempfile.TemporaryDirectory() as folder:
        source = draw(Path(folder) / "in", count)
        named = {"report": False, "quiet": True}
        ways = {
            "one process": lambda to: together(1, source, to, pipe, **named),
            "two processes": lambda to: together(2, source, to, pipe, **named),
        }
        middle = in_turns(ways, options.rounds, count)
    one, pair = middle["one process"], middle["two processes"]
    print(f"  {one[0] / pair[0]:.2f} × faster (bar: 1.6); CPU seconds {pair[1] / one[1] - 1:+.1%}")


def bits(options) -> None:
    """Pictures of one name among other names, in other places of the batch; and beside the single run."""
    page = s2i.sketches()[0]
    for precision in ("fp32", "bf16"):
        pipe = load_pipeline("mini-scribble", dtype=precision)
        cell = Settings("a turtle", num_inference_steps=8).resolved(pipe)
        alone = next(run_batch(page, [cell], pipe))[1]
        for batch in (1, 2, 4, 8):
            seen = []
            for others in range(4):
                cells = [replace(cell, seed=1 + others * 100 + i, prompt=f"an owl {i}") for i in range(batch)]
                cells[others % batch] = cell
                pages = [Pages.alone(page.path, one) for one in cells]
                made = {i: pixels for i, pixels, _ in run_batch(pages, cells, pipe, max_batch=2 * batch)}
                seen.append(made[others % batch])
            apart = max((one - seen[0]).abs().max().item() for one in seen)
            print(
                f"  {precision}, {batch} at a time: among other neighbours {apart:.1e} of the brightness, beside the "
                f"single run {(seen[0] - alone).abs().max().item():.1e}",
                flush=True,
            )


MEMORY = """
import sys, tempfile, torch
from pathlib import Path
import s2i_teach as s2i
from tests.conftest import make_tiny_pipe
from benchmarks.dataset import TINY, TEMPLATE
torch.set_num_threads(1)
with tempfile.TemporaryDirectory() as folder:
    pipe = make_tiny_pipe(Path(folder))
    s2i.translate_dataset({source!r}, {to!r}, TEMPLATE, pipe=pipe, limit={limit}, batch=8, **TINY)
"""


def memory(options) -> None:
    print("memory: a tiny pipeline, 1 step, 32 × 32 pixels, sketches of 480 × 480")
    with tempfile.TemporaryDirectory() as folder:
        source = draw(Path(folder) / "in", options.most)
        peaks = {}
        for count in sorted({100, min(1000, options.most), options.most}):
            code = MEMORY.format(source=str(source), to=str(Path(folder) / f"out{count}"), limit=count) + PEAK
            started = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
            peaks[count] = int(done.stdout.split()[-1]) / 1000
            print(
                f"  {count:6} sketches: {peaks[count]:.1f} MB at most, {time.perf_counter() - started:.0f} s",
                flush=True,
            )
    first, last = peaks[100], peaks[max(peaks)]
    print(f"  {last - first:+.1f} MB from 100 to {max(peaks)}")

    class Names:
        items: list[Item] = []

    tracemalloc.start()
    Names.items = [
        Item(f"sketch/n{i // 50:08d}/sketch_{i % 50}.JPEG", f"n{i // 50:08d}", 150_000) for i in range(WHOLE)
    ]
    listing = Listing(Names(), 4, None, True)
    assert listing.cut and len(listing) == WHOLE
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"  the names of {WHOLE} sketches: {readable(held)} held, {readable(most)} while they are sorted by lot")


def kills(options) -> None:
    count, lots = options.sketches, random.Random(options.seed)
    print(f"kills: {count} sketches, two processes, ten SIGKILLs at random points")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        pipe = make_tiny_pipe(folder)
        source = draw(folder / "in", count, 120)
        named = {**TINY, "batch": 4}
        together(1, source, folder / "whole", pipe, **named)
        expected = hashes(folder / "whole")
        out, killed, rounds, again = folder / "out", 0, 0, 0
        seen: dict[str, tuple[int, int]] = {}
        processes = start(2, source, out, pipe, **named)
        while killed < 10:
            goal = len(hashes(out)) + lots.randrange(1, count // 12)
            while len(list((out / "pictures").rglob("*.png"))) < goal and any(one.is_alive() for one in processes):
                time.sleep(0.003)
            time.sleep(lots.random() * 0.05)
            victim = lots.choice([one for one in processes if one.is_alive()] or processes)
            killed += victim.is_alive()
            victim.kill()
            victim.join()
            for path in (out / "pictures").rglob("*.png"):
                facts = path.stat().st_mtime_ns, path.stat().st_ino
                again += seen.setdefault(str(path), facts) != facts
            processes = [one for one in processes if one.is_alive()]
            if not processes or lots.random() < 0.7:
                processes += start(2 - len(processes), source, out, pipe, **named)
                rounds += 1
        for one in processes:
            one.join()
        together(2, source, out, pipe, **named)
        found = hashes(out)
        again += sum((Path(p).stat().st_mtime_ns, Path(p).stat().st_ino) != facts for p, facts in seen.items())
        rows = [row["sketch"] for row in s2i.translate_dataset(source, out, TEMPLATE, pipe=pipe, **named).rows()]
        same = (out / "manifest.jsonl").read_bytes() == (folder / "whole" / "manifest.jsonl").read_bytes()
    print(f"  {killed} kills, {rounds} new starts: {len(expected.keys() - found.keys())} lost, {again} made again, "
          f"{len(rows) - len(set(rows))} doubled in the manifest, {sum(found[n] != expected[n] for n in found)} other bytes; "
          f"the manifest is {'the same' if same else 'ANOTHER'}")  # fmt: skip


def launch(options) -> None:
    print("launch: the embedded sketches, two nodes by accelerate's launcher, beside one process")
    order = ["sketches", "OUT", "--prompt", "{caption}, {style}", "--style", "openmoji style", "noto style"]
    order += ["--steps", "4", "--no-report", "--quiet"]
    module = ["-m", "s2i_teach.translation.dataset"]
    launcher = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--multi_gpu",
        "--num_machines",
        "2",
        "--num_processes",
        "2",
    ]
    launcher += ["--main_process_ip", "127.0.0.1", "--main_process_port", str(29_500 + os.getpid() % 500)]
    launcher += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    with tempfile.TemporaryDirectory() as folder:
        both, one = Path(folder) / "both", Path(folder) / "one"
        nodes = [
            subprocess.Popen(
                [
                    *launcher,
                    "--machine_rank",
                    str(rank),
                    *module,
                    *[str(both) if word == "OUT" else word for word in order],
                ],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(2)
        ]
        told = [node.communicate()[0].splitlines()[0] for node in nodes]
        alone = [str(one) if word == "OUT" else word for word in order]
        subprocess.run(
            [sys.executable, *module, *alone], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True
        )
        same = hashes(both) == hashes(one)
        count = len(hashes(both))
    for line in told:
        print(f"  {line}")
    print(f"  {count} pictures, {'the same bytes' if same else 'OTHER BYTES'} as one process's")


def paper(options) -> None:
    pipe = load_pipeline("mini-scribble")
    with tempfile.TemporaryDirectory() as folder:
        source = draw(Path(folder) / "in", 8)
        whole(pipe, source, Path(folder) / "warm", 4)
        wall, cpu = timed(whole, pipe, source, Path(folder) / "out", 4)
        size = sum(path.stat().st_size for path in (Path(folder) / "out").rglob("*.png")) / 8
        plan = s2i.translate_dataset(source, Path(folder) / "plan", TEMPLATE, pipe=pipe, dry_run=True)
    print(f"paper: {WHOLE} sketches")
    print(f"  here, mini-scribble, 128 × 128, 20 steps, one thread: measured {wall / 8:.2f} s a picture ({cpu / 8:.2f} CPU s), the plan "
          f"says {plan.seconds:.2f}: {WHOLE * wall / 8 / 3600:.1f} hours on one core ({WHOLE * cpu / 8 / 3600:.1f} of CPU time), {readable(WHOLE * size)}")  # fmt: skip
    # Lesson 15's assumption for a T4: 38 guided evaluations of Stable Diffusion 1.5 at 7 a second, half a second for the rest.
    evaluations, a_second, rest = 38, 7.0, 0.5
    on_t4 = evaluations / a_second + rest
    parts = counted(find("sd15"), 2, False)
    work, other = parts.evaluation.flops, parts.encoding.flops + parts.decoding.flops + parts.words.flops
    share = work * a_second / 65e12
    on_h200 = (evaluations * work + other) / (share * 989e12)
    print(f"  T4, sd15, 512 × 512, computed from lesson 15's 7 guided evaluations a second: {on_t4:.1f} s a picture, "
          f"{WHOLE * on_t4 / 3600:.0f} hours")  # fmt: skip
    print(f"  8 × H200, sd15, computed: {work / 1e12:.2f} TFLOP a guided evaluation, at the T4's {share:.0%} of the peak (989 "
          f"TFLOP/s in bf16): {on_h200:.2f} s a picture, {WHOLE * on_h200 / 8 / 3600:.1f} hours")  # fmt: skip


PARTS = {
    "overhead": overhead,
    "two": two,
    "bits": bits,
    "memory": memory,
    "kills": kills,
    "launch": launch,
    "paper": paper,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=8, help="of a round; three times as many for two processes")
    parser.add_argument("--sketches", type=int, default=500, help="of the kills")
    parser.add_argument("--most", type=int, default=5000, help="sketches of the largest set whose memory is measured")
    parser.add_argument("--seed", type=int, default=0, help="of the points of the kills")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name in options.only:
        PARTS[name](options)


if __name__ == "__main__":
    main()
