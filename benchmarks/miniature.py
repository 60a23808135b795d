"""The miniature's figures: ``python -m benchmarks.miniature [--model mini-fast] [--threads 2] [--pictures 200] [--write] …``.

1. The VAE's PSNR on the held-out things.
2. How often the judge, a separately trained classifier, names the thing of a prompt, beside the real pictures' score.
3. How pictures follow line art that is shifted, scaled and flipped, at four strengths, plain and filled.

Scheduler, steps and guidance are the model's own of the catalog. With ``--write`` the tables go into the model card,
``data/mini/README.md``, each model's between its own marks.
"""

import argparse
import sys
import time

import numpy as np
import torch
from scipy.ndimage import binary_fill_holes

from s2i_teach.evaluate.realism import kernel_distance
from s2i_teach.images import to_picture, to_tensor
from s2i_teach.models.catalog import find
from s2i_teach.models.load import load_pipeline
from s2i_teach.models.schedulers import make_scheduler
from s2i_teach.models.small_clip import features, load_clip
from s2i_teach.paths import data_dir
from s2i_teach.theory.measure import psnr
from s2i_teach.training.judge import judge_ranks
from s2i_teach.training.pictures import load_pairs, random_pose
from s2i_teach.training.vae import reconstruct
from s2i_teach.training.vocabulary import STYLES, caption
from s2i_teach.translation.prepare import outline_mask, prepare_sketch

STRENGTHS = (0.3, 0.5, 0.7, 0.9)
BATCH = 20
MARKS = {
    "mini": "<!-- figures: python -m benchmarks.miniature --write -->",
    "mini-fast": "<!-- figures: python -m benchmarks.miniature --model mini-fast --write -->",
}


def load_judge():
    """The judge in fp32."""
    from transformers import ResNetForImageClassification

    return ResNetForImageClassification.from_pretrained(data_dir() / "judge").float().eval()


def vae_figures(pipe) -> list[str]:
    """PSNR over the held-out pictures, by style."""
    pairs = load_pairs("test")
    lines = ["| held-out pictures | PSNR (dB) |", "|---|---|"]
    values = torch.cat(
        [
            psnr(reconstruct(pipe.vae, pairs.batch(part)), pairs.batch(part))
            for part in torch.arange(len(pairs)).split(32)
        ]
    )
    styles = [row["style"] for row in pairs.rows]
    lines.append(f"| all {len(pairs)} | **{values.mean():.2f}** |")
    for style in STYLES:
        lines.append(f"| {style} | {values[[s == style for s in styles]].mean():.2f} |")
    return lines


def generate(pipe, prompts: list[str], seeds: list[int], images=None, strength: float = 1.0) -> torch.Tensor:
    """Pictures ``(N, 3, H, W)`` in [−1, 1], in batches that equal single runs; from noise alone without images."""
    from diffusers import StableDiffusionPipeline

    entry, made = find(pipe.s2i_model), []
    for start in range(0, len(prompts), BATCH):
        part = slice(start, start + BATCH)
        common = dict(
            prompt=prompts[part],
            num_inference_steps=entry.steps,
            guidance_scale=entry.guidance_scale,
            output_type="pt",
            generator=[torch.Generator().manual_seed(seed) for seed in seeds[part]],
        )
        components = {**pipe.components, "scheduler": make_scheduler(None, pipe.scheduler, entry.steps)}
        if images is None:
            maker = StableDiffusionPipeline(**components, requires_safety_checker=False)
        else:
            maker = type(pipe)(**components, requires_safety_checker=False)
            common |= {"image": images[part], "strength": strength}
        maker.set_progress_bar_config(disable=True)
        made.append(maker(**common).images.float() * 2 - 1)
    return torch.cat(made)


def share(ranks: torch.Tensor, top: int) -> float:
    return (ranks < top).float().mean().item()


def prompt_figures(pipe, judge, pairs, count: int) -> tuple[list[str], torch.Tensor]:
    """The judge on ``count`` prompts and on the real pictures of the same things in the same styles."""
    generator = torch.Generator().manual_seed(0)
    coloured = pairs.select(lambda row: row["style"] != "line")
    index = torch.randperm(len(coloured), generator=generator)[:count]
    rows = [coloured.rows[i] for i in index]
    things = [row["thing"] for row in rows]
    real = judge_ranks(judge, coloured.batch(index), things)
    pictures = generate(pipe, [caption(row["thing"], row["style"]) for row in rows], list(range(count)))
    made = judge_ranks(judge, pictures, things)
    lines = [
        f"| {count} prompts, {len(judge.config.id2label)} things to choose from | top-1 | top-5 |",
        "|---|---|---|",
    ]
    for name, ranks in (("real pictures", real), ("the miniature's", made)):
        lines.append(f"| {name} | {share(ranks, 1):.1%} | {share(ranks, 5):.1%} |")
    lines.append(
        f"| share of the real score | **{share(made, 1) / share(real, 1):.1%}** | "
        f"**{share(made, 5) / share(real, 5):.1%}** |"
    )
    return lines, pictures


def inked(x: torch.Tensor) -> np.ndarray:
    """Where a picture is not paper: some channel below 0.85 of white, and what such pixels enclose. ``(H, W)`` bool."""
    return binary_fill_holes((x.min(0).values < 0.7).numpy())


def sketch_figures(pipe, judge, clip, pairs, count: int) -> list[str]:
    """Overlap with the sketch, the judge's score and the kernel distance, by strength, plain and filled."""
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
    table = [
        f"| {count} line drawings | strength | IoU | named, of the real score ({real_score:.0%}) | kernel distance |",
        "|---|---|---|---|---|",
    ]
    for how in ("lines", "filled"):
        images = torch.stack([(to_tensor(prepare_sketch(sketch, how)) + 1) / 2 for sketch in sketches])
        for strength in STRENGTHS:
            pictures = generate(pipe, prompts, list(range(count)), images, strength)
            overlap = np.mean(
                [
                    (ink & outline).sum() / max(1, (ink | outline).sum())
                    for ink, outline in zip(map(inked, pictures), outlines, strict=True)
                ]
            )
            named = share(judge_ranks(judge, pictures, things), 1)
            distance = kernel_distance(features(clip, pictures), real_features)
            table.append(
                f"| {how} | {strength} | {overlap:.3f} | {named:.1%} ({named / real_score:.0%}) | {distance:.3f} |"
            )
    return table


def main() -> int:
    """Print the figures; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=("mini", "mini-fast"), default="mini")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--sketches", type=int, default=100)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    started, cpu = time.perf_counter(), time.process_time()
    pipe, entry = load_pipeline(args.model, dtype="fp32", device="cpu"), find(args.model)
    judge, clip = load_judge(), load_clip()
    pairs = load_pairs("train").select(lambda row: row["thing"] in judge.config.label2id)
    weights = sum(p.numel() for p in pipe.unet.parameters())
    sections = [
        [f"U-Net: {weights / 1e6:.2f} M parameters; {entry.steps} steps, guidance {entry.guidance_scale:g}, fp32."],
    ]
    if args.model == "mini":  # the VAE is the same
        sections.append(vae_figures(pipe))
    for line in (line for section in sections for line in section):
        print(line, flush=True)
    sections.append(prompt_figures(pipe, judge, pairs, args.pictures)[0])
    print("\n".join(sections[-1]), flush=True)
    sections.append(sketch_figures(pipe, judge, clip, pairs, args.sketches))
    print("\n".join(sections[-1]), flush=True)
    print(f"{time.perf_counter() - started:.0f} s wall, {time.process_time() - cpu:.0f} s CPU")
    if args.write:
        card, mark = data_dir() / "mini" / "README.md", MARKS[args.model]
        before, _, rest = card.read_text(encoding="utf-8").partition(mark)
        after = rest.partition(mark)[2]
        text = "\n\n".join("\n".join(section) for section in sections)
        card.write_text(f"{before}{mark}\n\n{text}\n\n{mark}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
