"""What a picture costs on this machine: measured once for a pipeline and size, predicted, or learned from a run."""

import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from PIL import Image

from s2i_teach.models.devices import denoiser_of, device_of, fitting_threads, is_small, wait_for
from s2i_teach.models.flows import blank_words, evaluate_flow
from s2i_teach.models.kinds import (
    blank_text,
    decode_latents,
    encode_picture,
    evaluate,
    guided_scales,
    kind_of,
    likeliest,
    vae_factor,
)
from s2i_teach.models.speed import parts_of, speed_here


@dataclass(frozen=True)
class Timing:
    """Seconds on this machine: of one evaluation with all that runs in it, and of the rest (text, encoding, decoding)."""

    evaluation: float
    fixed: float


_timings: WeakKeyDictionary = WeakKeyDictionary()


def timing(pipe, size: tuple[int, int], batch: int, measure: bool) -> Timing | None:
    """The cost known for this pipeline, size and batch; measured or predicted now, once, if asked."""
    table = _timings.setdefault(pipe, {})
    if (size, batch) not in table and measure:
        table[size, batch] = (_measure if is_small(pipe) or device_of(pipe).type != "cpu" else _predict)(
            pipe, size, batch
        )
    return table.get((size, batch))


def _predict(pipe, size: tuple[int, int], batch: int) -> Timing:
    """By counted operations and this machine's speed: to run them would take a large model on a CPU half a minute."""
    parts, speed = parts_of(pipe, size, batch), speed_here(device_of(pipe), denoiser_of(pipe).dtype)
    fixed = parts.words + parts.encoding + parts.decoding
    return Timing(speed.seconds(parts.evaluation), speed.seconds(fixed))


def note_timing(pipe, size: tuple[int, int], batch: int, seen: Timing) -> None:
    """Learn from a run: later plans predict from what was seen."""
    _timings.setdefault(pipe, {})[size, batch] = seen


def _measure_family(pipe, size: tuple[int, int]) -> Timing:
    """Time the second of two pictures of an empty page."""
    page = Image.new("RGB", size)
    with fitting_threads(pipe):
        pipe(page, "", 0)
        started = time.perf_counter()
        pipe(page, "", 0)
        return Timing((time.perf_counter() - started) / pipe.family.evaluations, 0.0)


@torch.no_grad()
def _measure(pipe, size: tuple[int, int], batch: int) -> Timing:
    """Time the second of two evaluations, and one pass through the VAE each way."""
    if kind_of(pipe).is_family:
        return _measure_family(pipe, size)
    kind, network = kind_of(pipe), denoiser_of(pipe)
    factor, device, dtype = vae_factor(pipe), device_of(pipe), network.dtype
    generator = torch.Generator().manual_seed(0)
    shape = (batch, network.config.in_channels, size[1] // factor, size[0] // factor)
    latents = torch.randn(shape, generator=generator).to(device, dtype)
    t = torch.full((batch,), 500, device=device)
    led = {}
    if kind.hint is not None:
        hint = torch.zeros(batch, 3, size[1], size[0], device=device, dtype=dtype)
        led = {"hint": hint, "scales": guided_scales(pipe, 1.0, batch)}
    words = blank_words(pipe, batch) if kind.is_flow else None
    text = None if kind.is_flow else blank_text(pipe, batch)

    def seconds(run) -> float:
        started = time.perf_counter()
        run()
        wait_for(device)
        return time.perf_counter() - started

    def evaluation():
        if text is None:
            evaluate_flow(network, latents, latents, t, words)
        else:
            evaluate(pipe, latents, t, text, **led)

    def there_and_back():
        z = likeliest(encode_picture(pipe, torch.zeros(1, 3, size[1], size[0])))
        decode_latents(pipe, latents[:1] if kind.is_flow else z.to(dtype))

    with fitting_threads(pipe):
        evaluation()
        return Timing(seconds(evaluation), seconds(there_and_back))
