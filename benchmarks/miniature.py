"""The miniature's figures: ``python -m benchmarks.miniature [--model mini-fast] [--threads 2] [--pictures 200] [--write] …``.

1. The VAE: PSNR on the held-out things, hues that come back wrong, and what noise its latents bear.
2. How often the judge, a separately trained classifier, names the thing of a prompt, beside the real pictures' score.
3. How pictures follow line art that is shifted, scaled and flipped: at four strengths, plain and filled, or, for a model
   that is led by the sketch, at three control scales.
4. How many things of the embedded scenes the judge names in their places.
5. Seconds a picture.

What is told of the VAE is left out for a model that is another's weights in few steps. Scheduler, steps and guidance are the
model's own of the catalog. With ``--write`` the tables go into the model's card, ``data/mini/README.md``, each
model's between its own marks.
"""

import argparse
import statistics
import sys
import time

import torch

from benchmarks.judging import EMBEDDED, Way, generate, is_led, overlap, share
from benchmarks.latents import drawn_by_lot, everything, hue_figures, latent_figures, vae_figures
from benchmarks.scenes import scene_figures
from s2i_teach.evaluate.realism import kernel_distance
from s2i_teach.gallery import find_sketch
from s2i_teach.images import to_picture
from s2i_teach.lines import outline_mask
from s2i_teach.models.catalog import MODELS, find
from s2i_teach.models.devices import PRECISIONS
from s2i_teach.models.load import load_pipeline
from s2i_teach.models.small_clip import features, load_clip
from s2i_teach.paths import data_dir
from s2i_teach.theory.measure import psnr
from s2i_teach.training.judge import judge_ranks, load_judge
from s2i_teach.training.pictures import load_pairs, random_pose
from s2i_teach.training.vae import reconstruct
from s2i_teach.training.vocabulary import STYLES, caption
from s2i_teach.translation.run import translate

STRENGTHS = (0.3, 0.5, 0.7, 0.9)
CONTROL_SCALES = (0.5, 1.0, 1.5)
COLOURED = 600
"""Pictures of the train split of which the hues are compared."""
RUNS = 5
"""Of which the median of the seconds is told."""


def mark(model: str) -> str:
    """What stands in the card before and after a model's figures."""
    return f"<!-- figures: python -m benchmarks.miniature {'' if model == 'mini' else f'--model {model} '}--write -->"


def written(card: str, model: str, text: str) -> str:
    """The card with ``text`` between the model's marks.

    Raises:
        SystemExit: the card has no two such marks.
    """
    parts = card.split(mark(model))
    if len(parts) != 3:
        raise SystemExit(f"The card has not two lines with {mark(model)}: put them where the figures are to stand.")
    return f"{parts[0]}{mark(model)}\n\n{text}\n\n{mark(model)}{parts[2]}"


def vae_sections(pipe, count: int) -> list[list[str]]:
    """All that is told of the VAE; ``count`` held-out pictures are noised and denoised."""
    held_out = load_pairs("test")
    pictures = everything(held_out)
    again = reconstruct(pipe.vae, pictures)
    values = psnr(again, pictures)
    coloured = everything(drawn_by_lot(load_pairs("train", keep=lambda row: row["style"] != "line"), COLOURED))
    sets = {
        f"{COLOURED} trained pictures": (coloured, reconstruct(pipe.vae, coloured)),
        "held-out pictures": (pictures, again),
    }
    return [vae_figures(values, held_out), hue_figures(sets), latent_figures(pipe, held_out, values, count)]


def prompt_figures(pipe, judge, clip, pairs, count: int) -> list[str]:
    """The judge on ``count`` prompts and on the real pictures of the same things in the same styles.

    Both sets' kernel distance is from other real pictures.
    """
    generator = torch.Generator().manual_seed(0)
    coloured = pairs.select(lambda row: row["style"] != "line")
    order = torch.randperm(len(coloured), generator=generator)
    index, others = order[:count], order[count : count + 400]
    rows = [coloured.rows[i] for i in index]
    things = [row["thing"] for row in rows]
    real = coloured.batch(index)
    made = generate(pipe, [caption(row["thing"], row["style"]) for row in rows], list(range(count)))
    reference = features(clip, coloured.batch(others))
    lines = [
        f"| {count} prompts, {len(judge.config.id2label)} things to choose from | top-1 | top-5 | kernel distance |",
        "|---|---|---|---|",
    ]
    ranks = []
    for name, pictures in (("real pictures", real), ("the model's", made)):
        ranks.append(judge_ranks(judge, pictures, things))
        distance = kernel_distance(features(clip, pictures), reference)
        lines.append(f"| {name} | {share(ranks[-1], 1):.1%} | {share(ranks[-1], 5):.1%} | {distance:.3f} |")
    parts = [f"**{share(ranks[1], top) / share(ranks[0], top):.1%}**" for top in (1, 5)]
    return [*lines, f"| share of the real score | {' | '.join(parts)} | |"]


def sketch_figures(pipe, judge, clip, pairs, count: int) -> list[str]:
    """Overlap with the sketch, the judge's score and the kernel distance, by way of following the sketch."""
    generator = torch.Generator().manual_seed(1)
    lines_only = pairs.select(lambda row: row["style"] == "line")
    index = torch.randperm(len(lines_only), generator=generator)[:count]
    rows = [lines_only.rows[i] for i in index]
    posed = random_pose(lines_only.batch(index), generator, scale=(0.55, 0.95), rotate=0, stretch=0, shift=0.2, warp=0)
    sketches = [to_picture(picture) for picture in posed]
    outlines = [outline_mask(sketch) for sketch in sketches]
    styles = [STYLES[i % 5] for i in range(count)]
    prompts = [caption(row["thing"], style) for row, style in zip(rows, styles, strict=True)]
    things = [row["thing"] for row in rows]
    coloured = pairs.select(lambda row: row["style"] != "line")
    real_index = [next(i for i, r in enumerate(coloured.rows) if r["thing"] == t) for t in things]
    real_score = share(judge_ranks(judge, coloured.batch(torch.tensor(real_index)), things), 1)
    every = torch.randperm(len(coloured), generator=generator)[:400]
    real_features = features(clip, random_pose(coloured.batch(every), generator))
    if is_led(pipe):
        what, ways = (
            "control scale",
            [Way(strength=find(pipe.s2i_model).strength, control_scale=scale) for scale in CONTROL_SCALES],
        )
    else:
        what, ways = "strength", [Way(how, strength) for how in ("lines", "filled") for strength in STRENGTHS]
    table = [
        f"| {count} line drawings | {what} | IoU | named, of the real score ({real_score:.0%}) | kernel distance |",
        "|---|---|---|---|---|",
    ]
    for way in ways:
        pictures = generate(pipe, prompts, list(range(count)), sketches, way)
        named = share(judge_ranks(judge, pictures, things), 1)
        distance = kernel_distance(features(clip, pictures), real_features)
        value = way.strength if way.control_scale is None else way.control_scale
        table.append(
            f"| {way.prepare} | {value:g} | {overlap(pictures, outlines):.3f} | {named:.1%} ({named / real_score:.0%}) | "
            f"{distance:.3f} |"
        )
    return table


def seconds_figures(model: str, threads: int) -> list[str]:
    """Wall and CPU seconds of a picture by ``translate``, as a user loads the model, with 20 and with 4 steps."""
    pipe, sketch = load_pipeline(model, device="cpu"), find_sketch("turtle")
    lines = [
        f"| seconds a picture, {PRECISIONS[pipe.unet.dtype]}, at most {threads} threads | wall | CPU |",
        "|---|---|---|",
    ]
    for steps in (20, 4):
        taken = []
        for _ in range(1 + RUNS):  # the first one warms up
            started = time.perf_counter(), time.process_time()
            translate(sketch.path, sketch.prompt, pipe=pipe, num_inference_steps=steps, strength=1.0)
            taken.append((time.perf_counter() - started[0], time.process_time() - started[1]))
        wall, cpu = (statistics.median(column) for column in zip(*taken[1:], strict=True))
        lines.append(f"| {steps} steps, all of them run | {wall:.2f} | {cpu:.2f} |")
    return lines


def main() -> int:
    """Print the figures; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=EMBEDDED, default="mini")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--sketches", type=int, default=100)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    entry = find(args.model)
    card = data_dir() / entry.embedded / "README.md"
    if args.write:
        written(card.read_text(encoding="utf-8"), args.model, "")  # a missing mark is told before the work
    torch.set_num_threads(args.threads)
    started, cpu = time.perf_counter(), time.process_time()
    pipe = load_pipeline(args.model, dtype="fp32", device="cpu")
    judge, clip = load_judge(), load_clip()
    pairs = load_pairs("train").select(lambda row: row["thing"] in judge.config.label2id)
    sections = []

    def tell(*lines: list[str]) -> None:
        for section in lines:
            sections.append(section)
            print("\n".join(section) + "\n", flush=True)

    parts = {"U-Net": pipe.unet} | ({"ControlNet": pipe.controlnet} if is_led(pipe) else {})
    sizes = "".join(f"{name}: {part.num_parameters() / 1e6:.2f} M parameters; " for name, part in parts.items())
    tell([f"{sizes}{entry.steps} steps, guidance {entry.guidance_scale:g}, fp32."])
    if args.model == next(name for name in EMBEDDED if MODELS[name].embedded == entry.embedded):
        tell(*vae_sections(pipe, args.sketches))
    tell(prompt_figures(pipe, judge, clip, pairs, args.pictures))
    tell(sketch_figures(pipe, judge, clip, pairs, args.sketches))
    tell(scene_figures(pipe, judge, pairs))
    tell(seconds_figures(args.model, args.threads))
    print(f"{time.perf_counter() - started:.0f} s wall, {time.process_time() - cpu:.0f} s CPU")
    if args.write:
        text = "\n\n".join("\n".join(section) for section in sections)
        card.write_text(written(card.read_text(encoding="utf-8"), args.model, text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
