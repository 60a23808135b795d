"""What a picture costs in pixel space and in latent space: the table of lesson 7, and of ``benchmarks.latent_cost``."""

import time
from dataclasses import dataclass, replace

import torch

from s2i_teach.models.kinds import blank_text, told, vae_factor
from s2i_teach.models.measure import Cost, count, nothing_computed

SIDES = (64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class Row:
    """One side and one space.

    Attributes:
        side: of the picture, in pixels.
        space: ``"pixels"`` or ``"latents"``.
        numbers: in what the U-Net is given.
        evaluation: counted for one evaluation of the U-Net, batch 1, without guidance.
        decode: counted for the VAE's decoder; None in pixel space, which needs none.
        seconds, cpu_seconds: one evaluation, as measured here; None where it was not run.
        decode_seconds: likewise, of the decoder.
    """

    side: int
    space: str
    numbers: int
    evaluation: Cost
    decode: Cost | None
    seconds: float | None = None
    cpu_seconds: float | None = None
    decode_seconds: float | None = None

    @property
    def peak_bytes(self) -> int:
        """The most that a picture of this side needs beside the weights, decoder included."""
        return max(self.evaluation.peak_bytes, self.decode.peak_bytes if self.decode else 0)

    def picture_flops(self, evaluations: int) -> int:
        """Operations of a whole picture."""
        return evaluations * self.evaluation.flops + (self.decode.flops if self.decode else 0)

    def picture_seconds(self, evaluations: int) -> float | None:
        """Seconds of a whole picture: ``evaluations`` times the measured one and the decoder; None if not run."""
        return None if self.seconds is None else evaluations * self.seconds + (self.decode_seconds or 0.0)


def _new_unet(pipe, channels: int):
    """A U-Net like the pipeline's, with new weights, for pictures of some channels."""
    config = {**pipe.unet.config, "in_channels": channels, "out_channels": channels}
    return type(pipe.unet).from_config(config).eval()


def _runs(pipe, unet, vae, side: int, space: str):
    """What one evaluation and one decoding do, as functions; the numbers that go in."""
    factor = vae_factor(pipe) if space == "latents" else 1
    x = torch.zeros(1, unet.config.in_channels, side // factor, side // factor)
    words = told(pipe, blank_text(pipe, 1), x)
    decode = (lambda: vae.decode(x)) if space == "latents" else None
    return (lambda: unet(x, 500, **words)), decode, x.numel()


@torch.no_grad()
def _timed(run) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def latent_costs(
    pipe,
    sides: tuple[int, ...] = SIDES,
    flops_up_to: float = 1e12,
    bytes_up_to: float = 1e10,
    say=lambda words: None,
) -> list[Row]:
    """The same U-Net on pixels (3 channels) and on latents, for pictures of some sides; a row for each.

    Everything is counted; what takes at most ``flops_up_to`` operations an evaluation and ``bytes_up_to`` of memory is
    also run and timed, once, after a smaller one has warmed the machine up. The pixel network has new weights: what it
    costs does not depend on them.

    Args:
        pipe: a pipeline in fp32 on the CPU; its U-Net, VAE and the length of its prompts are taken.
        say: called with a sentence before each run that is timed.
    """
    rows = []
    for space, channels in (("pixels", 3), ("latents", pipe.unet.config.in_channels)):
        with nothing_computed():
            shapes = _new_unet(pipe, channels), type(pipe.vae).from_config(pipe.vae.config).eval()
            counted = {}
            for side in sides:
                evaluate, decode, numbers = _runs(pipe, *shapes, side, space)
                counted[side] = (numbers, count(evaluate), count(decode) if decode else None)
        unet = pipe.unet if space == "latents" else _new_unet(pipe, channels)
        _timed(_runs(pipe, unet, pipe.vae, min(sides), space)[0])
        for side in sides:
            evaluate, decode, _ = _runs(pipe, unet, pipe.vae, side, space)
            numbers, evaluation, decoding = counted[side]
            row = Row(side, space, numbers, evaluation, decoding)
            if evaluation.flops <= flops_up_to and row.peak_bytes <= bytes_up_to:
                say(f"{space}, {side} × {side}: {evaluation.flops / 1e9:,.0f} GFLOP")
                seconds, cpu_seconds = _timed(evaluate)
                row = replace(
                    row, seconds=seconds, cpu_seconds=cpu_seconds, decode_seconds=decode and _timed(decode)[0]
                )
            rows.append(row)
    return rows


def as_markdown(rows: list[Row], evaluations: int) -> str:
    """The table, for a notebook or a terminal; a whole picture has ``evaluations`` of them."""
    lines = [
        "| side | space | numbers | GFLOP an evaluation | share of attention | memory, MB | s an evaluation "
        f"| {evaluations} evaluations, TFLOP | s |",
        "|---:|:---|" + "---:|" * 7,
    ]
    for row in sorted(rows, key=lambda row: (row.side, row.space)):
        cost = row.evaluation
        cells = (
            row.side,
            row.space,
            f"{row.numbers:,}",
            f"{cost.flops / 1e9:,.1f}",
            f"{cost.attention_flops / cost.flops:.0%}",
            f"{row.peak_bytes / 1e6:,.0f}",
            _or_not_run(row.seconds),
            f"{row.picture_flops(evaluations) / 1e12:,.2f}",
            _or_not_run(row.picture_seconds(evaluations)),
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _or_not_run(seconds: float | None) -> str:
    return "not run" if seconds is None else f"{seconds:.2f}" if seconds < 10 else f"{seconds:,.0f}"
