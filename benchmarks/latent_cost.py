"""What a picture costs in pixel space and in latent space: ``python -m benchmarks.latent_cost [--up-to 10] [--threads 2]``.

The miniature's U-Net once on latents and once, with three channels, straight on pixels; one picture, no guidance, fp32.
Operations and memory are counted at every side; what takes at most ``--up-to`` TFLOP an evaluation is also run and timed.
"""

import argparse
import sys

import torch

from s2i_teach import load_pipeline
from s2i_teach.lessons.costs import SIDES, as_markdown, latent_costs


def main() -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES, help="in pixels, multiples of 64")
    parser.add_argument("--evaluations", type=int, default=20, help="of a whole picture (default: 20)")
    parser.add_argument("--up-to", type=float, default=10, help="TFLOP an evaluation that are still run (default: 10)")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    if any(side < 64 or side % 64 for side in args.sides):
        parser.error("the sides are multiples of 64: on latents the U-Net halves an eighth of them three times")
    torch.set_num_threads(args.threads)
    pipe = load_pipeline("mini", device="cpu", dtype="fp32")
    rows = latent_costs(pipe, tuple(args.sides), args.up_to * 1e12, say=lambda words: print(words, file=sys.stderr))
    print(f"{args.threads} threads, fp32, one picture, no guidance; memory is what lives beside the weights\n")
    print(as_markdown(rows, args.evaluations))
    print(
        "\n| side | pixels : latents, operations of a picture | memory | seconds of a picture | CPU s of an evaluation |"
    )
    print("|---|---|---|---|---|")
    for side in args.sides:
        pixels, latents = (next(r for r in rows if (r.side, r.space) == (side, s)) for s in ("pixels", "latents"))
        seconds, cpu = "not run", "not run"
        if pixels.seconds is not None and latents.seconds is not None:
            seconds = f"{pixels.picture_seconds(args.evaluations) / latents.picture_seconds(args.evaluations):.1f}"
            cpu = f"{pixels.cpu_seconds:.2f} : {latents.cpu_seconds:.2f}"
        flops = pixels.picture_flops(args.evaluations) / latents.picture_flops(args.evaluations)
        print(f"| {side} | {flops:.1f} | {pixels.peak_bytes / latents.peak_bytes:.1f} | {seconds} | {cpu} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
