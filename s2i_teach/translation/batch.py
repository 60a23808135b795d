"""Many pictures at once, each as if it were made alone: what they have in common is computed once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch

from s2i_teach.errors import InputError
from s2i_teach.models.devices import device_of, held_device, is_small, one_thread
from s2i_teach.models.fit import out_of_memory, step_down
from s2i_teach.models.kept import is_read, read_text
from s2i_teach.models.kinds import (
    Text,
    decode_latents,
    drawn,
    dtype_of,
    encode_picture,
    evaluate,
    guided_scales,
    hint_of,
    hint_tensor,
    is_distilled,
    is_guided,
    kind_of,
    look_over,
)
from s2i_teach.models.schedulers import make_scheduler
from s2i_teach.models.style import Styled
from s2i_teach.translation.page import Pages
from s2i_teach.translation.plan import set_timesteps, start_index
from s2i_teach.translation.prepare import make_hint, prepare_sketch
from s2i_teach.translation.run import BLACKED_OUT, call_pipeline, finite, in_use, ran_short, short_of_memory
from s2i_teach.translation.settings import Resolved

CPU_BATCH = 16
"""Samples in one call of the U-Net at 16 × 16 latents on a CPU; more are no faster (``benchmarks.sweep``)."""

POOL = 64
"""Pictures that are on their way at a time: more would take memory for their schedulers and latents, and win nothing."""


@dataclass
class Counts:
    """What was computed, and what was spared.

    Attributes:
        evaluations: samples that went through the U-Net, or through the transformer in its place.
        led: those of them that went through the ControlNet before, its scale not being 0.
        shared: samples that were taken from an equal one instead.
        calls: how often the U-Net was called.
        encoded: sketches that went through the VAE's encoder.
        prompts: texts that were encoded, each with the negative one beside it.
        decoded: pictures that came out of the VAE's decoder.
    """

    evaluations: int = 0
    shared: int = 0
    calls: int = 0
    encoded: int = 0
    prompts: int = 0
    decoded: int = 0
    led: int = 0


@dataclass
class _Cell:
    """One picture on its way. ``past`` names everything that made its latents: equal pasts are equal latents.

    ``scales`` has for each evaluation the ControlNet's weight in each sample, one for each of ``text``; it is empty, and ``hint``
    None, where there is no ControlNet.
    """

    index: int
    settings: Resolved
    scheduler: Any
    timesteps: torch.Tensor
    latents: torch.Tensor
    extra: dict
    guided: bool
    text: tuple
    past: tuple
    hint: torch.Tensor | None
    scales: tuple[tuple[float, ...], ...]
    done: int = 0
    requests: list = field(default_factory=list)
    inputs: torch.Tensor | None = None  # the latents as the scheduler wants them before an evaluation

    @property
    def left(self) -> int:
        return len(self.timesteps) - self.done

    def samples(self) -> Iterator[tuple[tuple, float]]:
        """Text and the ControlNet's weight of each sample of the evaluation that comes next."""
        return zip(self.text, self.scales[self.done] if self.scales else (0.0,) * len(self.text), strict=True)


def run_batch(
    sketch,
    cells: Sequence[Resolved],
    pipe,
    *,
    max_batch: int | None = None,
    on_step: Callable[[int, int], None] | None = None,
    counts: Counts | None = None,
) -> Iterator[tuple[int, torch.Tensor, tuple[str, ...]]]:
    """The pictures of one sketch with many settings, or of many sketches, each equal to :func:`s2i_teach.translate`'s alone.

    A sketch is encoded once and each prompt once. Up to ``max_batch`` samples go through the U-Net together, whatever
    their timesteps. Samples that are equal (the same latents, timestep and text, as before guidance has told two cells
    apart) go once, and where guidance does nothing (a scale of at most 1) only the prompt's half goes. Where a ControlNet
    leads, each sample has its own scale; at a scale of 0 it is left out, as what it says would be multiplied by 0.

    A small model runs in one CPU thread, as in a single run (:func:`s2i_teach.models.devices.fitting_threads`).

    A model that edits (FLUX.2 [klein]) makes its pictures one after the other, as its pipeline takes one sketch and one size a
    call; each is the single run itself. Only the prompts are shared. So does a family that denoises nothing.

    Equal means: up to the last bits of fp32, which depend on how many samples go together, and which guidance
    multiplies: one evaluation of the miniature is 1.7e-6 from the exact one in either way, its pictures differ by up to
    3e-5 of the brightness, less than a hundredth of the smallest step of an 8-bit picture (``tests/test_sweep.py``).

    Args:
        sketch: anything that :func:`s2i_teach.open_sketch` opens, or its :class:`Pages`; a list of :class:`Pages`, one for
            each of the settings, makes each of its own sketch.
        cells: settings, with every default filled in (``Settings.resolved``).
        max_batch: samples in one call of the U-Net; None chooses by size and device. Halved where memory is short; where one
            is too many, the pipeline goes down :data:`s2i_teach.models.fit.LADDER`.
        on_step: called as ``on_step(done, total)`` with the evaluations finished and all of them.
        counts: is filled with what was computed.

    Yields:
        index of the settings, pixels ``(1, 3, H, W)`` in [0, 1], notes; in the order in which they are finished.

    Raises:
        InputError: as :func:`s2i_teach.translate`.
    """
    try:
        with in_use(pipe):
            if kind_of(pipe).is_flow or kind_of(pipe).is_family:
                yield from _one_by_one(sketch, cells, pipe, on_step, counts or Counts())
                return
            yield from _by_style(sketch, cells, pipe, max_batch, on_step, counts or Counts())
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        largest = max((cell.size for cell in cells), key=lambda size: size[0] * size[1])
        raise InputError(short_of_memory(pipe, largest)) from error


def _one_by_one(sketch, cells: Sequence[Resolved], pipe, on_step, counts: Counts):
    """:func:`run_batch` by single runs; a prompt is read once, since the runs keep it."""
    pages = _pages_of(sketch, cells)
    plans = [settings.plan(pipe, measure=False) for settings in cells]
    total, before = sum(plan.evaluations for plan in plans), 0
    for index, (settings, plan) in enumerate(zip(cells, plans, strict=True)):

        def told(done: int, _, before=before) -> None:
            if on_step:
                on_step(before + done, total)

        page, _ = pages[index][settings]
        negative = settings.negative_prompt if plan.batch == 2 else None
        counts.prompts += not kind_of(pipe).is_family and not is_read(pipe, settings.prompt, negative)
        prepared, hint = prepare_sketch(page, settings.prepare), make_hint(page, hint_of(pipe))
        _, _, pixels, notes = call_pipeline(pipe, settings, plan, prepared, hint, told)
        before += plan.evaluations
        counts.evaluations += plan.evaluations * plan.batch
        counts.calls += plan.evaluations * plan.batch  # with guidance the pipeline calls twice
        counts.encoded += 1
        counts.decoded += 1
        yield index, pixels, notes


def _by_style(sketch, cells: Sequence[Resolved], pipe, max_batch, on_step, counts: Counts):
    """:func:`run_batch` style after style: samples that go through the U-Net together share its weights."""
    pages = _pages_of(sketch, cells)
    groups: dict[tuple, list[int]] = {}
    for index, settings in enumerate(cells):
        groups.setdefault((settings.style, settings.style_weight) if settings.style_weight else (), []).append(index)
    batches = [
        _Batch([pages[i] for i in places], [cells[i] for i in places], pipe, max_batch, counts)
        for places in groups.values()
    ]
    total, before = sum(batch.total for batch in batches), 0
    for places, batch in zip(groups.values(), batches, strict=True):

        def told(done: int, before=before) -> None:
            if on_step:
                on_step(before + done, total)

        for position, pixels, notes in batch.run(told):
            yield places[position], pixels, notes
        before += batch.total


class _Batch:
    """One run of many cells: what is shared between them."""

    def __init__(self, pages: list[Pages], cells: list[Resolved], pipe, max_batch, counts):
        self.pages, self.cells, self.pipe, self.counts = pages, cells, pipe, counts
        self._style = cells[0].style, cells[0].style_weight
        self.max_batch = max_batch or fitting_batch(pipe, [settings.size for settings in cells])
        self._images: dict = {}
        self._texts: dict = {}
        self._hints: dict = {}
        self._distilled = is_distilled(pipe)
        # Asked once: to look through all modules for one of them takes some milliseconds.
        self._device, self._dtype = device_of(pipe), dtype_of(pipe)
        self._threads = one_thread if self._device.type == "cpu" and is_small(pipe) else nullcontext
        self._steps_done = 0
        self._notes: tuple[str, ...] = ()
        steps = [
            settings.num_inference_steps - start_index(settings.num_inference_steps, settings.strength)[0]
            for settings in self.cells
        ]
        # Cells with an equal beginning stand side by side, so that they go through the U-Net together; long ones begin.
        self._waiting = sorted(range(len(cells)), key=lambda i: (-steps[i], _beginning(cells[i]), i))
        self.total = sum(steps)

    @contextmanager
    def _computing(self):
        with held_device(self.pipe, self._device), self._threads(), self._styled:
            yield

    @torch.no_grad()
    def run(self, told: Callable[[int], None]):
        self._told, self._styled = told, Styled(self.pipe, *self._style)
        active: list[_Cell] = []
        while active or self._waiting:
            # Never across a yield: what the caller does between two pictures keeps the caller's threads.
            with self._computing():
                while self._waiting and len(active) < POOL:
                    active.append(self._begin(self._waiting.pop(0)))
                self._advance(active)
            finished = [cell for cell in active if not cell.left]
            active = [cell for cell in active if cell.left]
            yield from self._decode(finished)

    def _begin(self, index: int) -> _Cell:
        """What diffusers' pipeline does before its loop, with what is shared taken from where it was."""
        settings, pipe = self.cells[index], self.pipe
        guided = is_guided(pipe, settings.guidance_scale)
        text = self._text(settings, guided)
        encoded = self._image(index)
        generator = torch.Generator("cpu").manual_seed(settings.seed)
        scheduler = make_scheduler(settings.scheduler, pipe.scheduler, settings.num_inference_steps)
        set_timesteps(scheduler, settings, device_of(pipe))
        start, _ = start_index(settings.num_inference_steps, settings.strength)
        start *= scheduler.order
        timesteps = scheduler.timesteps[start:]
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(start)
        # In the pipeline's order: the generator first draws the latents of the picture, then the noise.
        clean = drawn(encoded, generator).to(self._dtype) * pipe.vae.config.scaling_factor
        noise = torch.randn(clean.shape, generator=generator, dtype=clean.dtype).to(device_of(pipe))
        latents = scheduler.add_noise(clean, noise, timesteps[:1])
        held, pipe.scheduler = pipe.scheduler, scheduler  # it asks the scheduler what its step takes
        try:
            extra = pipe.prepare_extra_step_kwargs(generator, 0.0)
        finally:
            pipe.scheduler = held
        past = (id(self.pages[index]), *_beginning(settings), start)
        hint = self._hint(index)
        scales = tuple(guided_scales(pipe, scale, len(text)) for scale in settings.control_scales(len(timesteps)))
        return _Cell(index, settings, scheduler, timesteps, latents, extra, guided, text, past, hint, scales)

    def _text(self, settings: Resolved, guided: bool) -> tuple:
        """``((key, Text), …)``: of the negative prompt and the prompt, or of the prompt alone."""
        key = (settings.prompt, settings.negative_prompt if guided else None)
        if key not in self._texts:
            self.counts.prompts += not is_read(self.pipe, *key)
            prompt, negative = read_text(self.pipe, *key)
            asked = (("prompt", settings.prompt), prompt)
            self._texts[key] = ((("negative", settings.negative_prompt), negative), asked) if guided else (asked,)
        return self._texts[key]

    def _image(self, index: int):
        """What the VAE's encoder gives for a sketch, once for each way of preparing it."""
        settings, pages = self.cells[index], self.pages[index]
        key = (id(pages), settings.size, settings.fit, settings.invert, settings.prepare)
        if key not in self._images:
            picture, _ = pages[settings]
            pixels = self.pipe.image_processor.preprocess(prepare_sketch(picture, settings.prepare))
            self._images[key] = encode_picture(self.pipe, pixels)
            self.counts.encoded += 1
        return self._images[key]

    def _hint(self, index: int) -> torch.Tensor | None:
        """A sketch's hint, made once for each way of opening it."""
        how = hint_of(self.pipe)
        if how is None:
            return None
        page, _ = self.pages[index][self.cells[index]]
        if id(page) not in self._hints:
            self._hints[id(page)] = hint_tensor(self.pipe, make_hint(page, how))
        return self._hints[id(page)]

    def _key(self, cell: _Cell, text: tuple, scale: float) -> tuple:
        weight = cell.settings.guidance_scale if self._distilled else None
        return (*cell.past, cell.timesteps[cell.done].item(), text[0], weight, scale)

    def _advance(self, active: list[_Cell]) -> None:
        """One step of every active cell."""
        wanted: dict[tuple, tuple[_Cell, Text, float]] = {}
        for cell in active:
            cell.requests = [self._key(cell, text, scale) for text, scale in cell.samples()]
            cell.inputs = cell.scheduler.scale_model_input(cell.latents, cell.timesteps[cell.done])
            for key, ((_, text), scale) in zip(cell.requests, cell.samples(), strict=True):
                wanted.setdefault(key, (cell, text, scale))
        self.counts.evaluations += len(wanted)
        self.counts.shared += sum(len(cell.requests) for cell in active) - len(wanted)
        self.counts.led += sum(scale != 0 for _, _, scale in wanted.values())
        predicted = self._evaluate(wanted)
        for cell in active:
            parts = [predicted[key] for key in cell.requests]
            guess = parts[0] + cell.settings.guidance_scale * (parts[1] - parts[0]) if cell.guided else parts[0]
            t = cell.timesteps[cell.done]
            cell.latents = cell.scheduler.step(guess, t, cell.latents, **cell.extra, return_dict=False)[0]
            if cell.scales:
                cell.past += (cell.scales[cell.done],)
            cell.done += 1
            # From here on the latents depend on all that has been asked of the U-Net, and on how it was weighed.
            if cell.done == 1:
                weight = cell.settings.guidance_scale if cell.guided or self._distilled else None
                cell.past += (tuple(text[0] for text in cell.text), weight)
            self._steps_done += 1
        self._told(self._steps_done)

    def _evaluate(self, wanted: dict) -> dict:
        """The U-Net's predictions, ``(1, C, h, w)`` each, in calls of at most ``max_batch``; sizes never mix."""
        predicted: dict = {}
        keys = list(wanted)
        while keys:
            shape = wanted[keys[0]][0].latents.shape
            alike = [key for key in keys if wanted[key][0].latents.shape == shape]
            calls = -(-len(alike) // self.max_batch)
            chunk = alike[: -(-len(alike) // calls)]  # calls of about the same size: a small rest would cost as much
            try:
                predicted |= self._call(chunk, wanted)
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                # Its traceback would keep all that the call had made, while something smaller is tried.
                short = error.with_traceback(None)
            else:
                keys = [key for key in keys if key not in predicted]
                continue
            if len(chunk) > 1:
                self.max_batch = len(chunk) // 2
            elif not self._styled and (words := step_down(self.pipe)) is not None:
                self._notes += (ran_short(words),)
            else:
                raise short
        return predicted

    def _call(self, chunk: list, wanted: dict) -> dict:
        cells = [wanted[key][0] for key in chunk]
        scales = [wanted[key][2] for key in chunk]
        inputs = torch.cat([cell.inputs for cell in cells])
        t = torch.stack([cell.timesteps[cell.done] for cell in cells])
        texts = Text.together([wanted[key][1] for key in chunk])
        condition = None
        if self._distilled:
            weights = torch.tensor([cell.settings.guidance_scale - 1 for cell in cells])
            size = self.pipe.unet.config.time_cond_proj_dim
            condition = self.pipe.get_guidance_scale_embedding(weights, embedding_dim=size).to(inputs)
        led: dict[str, Any] = {}
        if any(scales):
            led = {"hint": torch.cat([cell.hint for cell in cells]), "scales": scales}
        output = evaluate(self.pipe, inputs, t, texts, timestep_cond=condition, **led)
        self.counts.calls += 1
        return dict(zip(chunk, output.split(1), strict=True))

    def _decode(self, cells: list[_Cell]):
        """The finished cells' pictures, decoded together."""
        by_shape: dict = {}
        for cell in cells:
            by_shape.setdefault(cell.latents.shape, []).append(cell)
        for group in by_shape.values():
            for first in range(0, len(group), max(1, self.max_batch // 4)):
                part = group[first : first + max(1, self.max_batch // 4)]
                with self._computing():
                    pixels, flagged = self._pixels(part)
                self.counts.decoded += len(part)
                for position, cell in enumerate(part):
                    with self._computing():
                        one, notes = finite(self.pipe, pixels[position : position + 1], cell.latents)
                    if flagged and flagged[position]:
                        notes += (BLACKED_OUT,)
                    yield cell.index, one, notes + self._notes

    def _pixels(self, cells: list[_Cell]) -> tuple[torch.Tensor, list[bool] | None]:
        """The decoder's pixels ``(B, 3, H, W)`` in [0, 1] of latents of one size, and what the safety checker says."""
        pipe = self.pipe
        latents = torch.cat([cell.latents for cell in cells])
        pixels, flagged = look_over(pipe, decode_latents(pipe, latents))
        shown = [not flag for flag in flagged or [False] * len(cells)]
        return pipe.image_processor.postprocess(pixels, output_type="pt", do_denormalize=shown), flagged


def _pages_of(sketch, cells: Sequence[Resolved]) -> list[Pages]:
    """The opened sketch of each cell; where all have one sketch, the very same object."""
    if isinstance(sketch, list) and all(isinstance(pages, Pages) for pages in sketch):
        if len(sketch) != len(cells):
            raise ValueError(f"{len(sketch)} sketches and {len(cells)} settings: give as many.")
        return sketch
    return [sketch if isinstance(sketch, Pages) else Pages(sketch)] * len(cells)


def _beginning(settings: Resolved) -> tuple:
    """What the first noisy latents depend on besides the sketch and the step where they start."""
    return (
        settings.size,
        settings.fit,
        settings.invert,
        settings.prepare,
        settings.seed,
        settings.scheduler or "",
        settings.num_inference_steps,
        settings.timesteps or (),
    )


def fitting_batch(pipe, sizes) -> int:
    """Samples in one call of the U-Net: as many as are still faster together, fewer for large pictures."""
    pixels = max((width * height for width, height in sizes), default=128 * 128)
    if device_of(pipe).type == "cpu":
        return max(2, min(CPU_BATCH, CPU_BATCH * 128 * 128 * 4 // pixels))
    return max(2, min(64, 16 * 512 * 512 // pixels))
