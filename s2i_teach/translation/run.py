"""One sketch, one prompt, one picture."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from weakref import WeakKeyDictionary

import torch

from s2i_teach.errors import InputError
from s2i_teach.files import shown
from s2i_teach.models.catalog import DEFAULT, find
from s2i_teach.models.devices import PRECISIONS, denoiser_of, device_of, fitting_threads, wait_for
from s2i_teach.models.fit import out_of_memory, step_down
from s2i_teach.models.flows import unread
from s2i_teach.models.kept import read_text
from s2i_teach.models.kinds import (
    Kind,
    as_arguments,
    decoder_input,
    guesses,
    has_small_vae,
    hint_of,
    is_guided,
    is_quantized,
    kind_of,
    tokenizers,
    unpacked,
)
from s2i_teach.models.load import shared_pipeline
from s2i_teach.models.schedulers import is_flow_scheduler, make_scheduler
from s2i_teach.models.style import Styled, style_hash
from s2i_teach.translation.page import as_opened, open_page
from s2i_teach.translation.plan import Plan
from s2i_teach.translation.prepare import make_hint, prepare_sketch
from s2i_teach.translation.prompts import read_and_lost
from s2i_teach.translation.result import Result
from s2i_teach.translation.settings import Resolved, Settings
from s2i_teach.translation.things import better_size
from s2i_teach.translation.timing import Timing, note_timing


def short_of_memory(pipe, size: tuple[int, int]) -> str:
    """What to tell, and to do, where memory was not enough for a picture of this size."""
    return (
        f"The memory of {device_of(pipe)} is not enough for {size[0]} × {size[1]} pixels: use a "
        "smaller size, or restart the notebook to free what it holds."
    )


def ran_short(words: str) -> str:
    """The note on a picture for which memory ran short on the way; ``words`` say what was done."""
    return f"Memory ran short, so {words}."


def with_less_memory(pipe, size: tuple[int, int], run: Callable[[], tuple]) -> tuple:
    """``run()``, whose last value are notes; where its memory runs short, again and again with the pipeline on the next rung.

    Raises:
        InputError: there is no further rung.
    """
    fitted: tuple[str, ...] = ()
    while True:
        try:
            *made, notes = run()
            return *made, (*notes, *fitted)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            short = error.with_traceback(None)  # which would keep all that the run had made
        words = step_down(pipe)
        if words is None:
            raise InputError(short_of_memory(pipe, size)) from short
        fitted += (ran_short(words),)


BLACKED_OUT = "The model's safety checker blacked this picture out: use another prompt or seed."


READS_NO_WORDS = "This model reads no words: it made the picture of the lines alone."


def as_image(pipe, pixels: torch.Tensor):
    """Pixels ``(1, 3, H, W)`` in [0, 1] as a PIL image, as the pipeline makes it."""
    return pipe.image_processor.numpy_to_pil(pipe.image_processor.pt_to_numpy(pixels))[0]


_in_use: WeakKeyDictionary = WeakKeyDictionary()
_in_use_lock = threading.Lock()


def in_use(pipe) -> threading.RLock:
    """The lock that a run holds: a pipeline's scheduler is exchanged for a run, so two at once would spoil each other."""
    with _in_use_lock:
        try:
            return _in_use.setdefault(pipe, threading.RLock())
        except TypeError:
            kind_of(pipe)  # says what a pipeline is
            raise


def translate(
    sketch,
    prompt: str,
    *,
    pipe=None,
    strength: float | None = None,
    guidance_scale: float | None = None,
    num_inference_steps: int | None = None,
    seed: int = 0,
    negative_prompt: str = "",
    size: tuple[int, int] | None = None,
    prepare: str = "lines",
    fit: str = "pad",
    invert: bool = False,
    scheduler: str | None = None,
    control_scale: float | None = None,
    control_start: float | None = None,
    control_end: float | None = None,
    style: str | None = None,
    style_weight: float | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> Result:
    """Turn a sketch into a picture with a latent diffusion model.

    The model ``"mini-scribble"`` is led by the sketch's lines at every step (ControlNet, Zhang et al. 2023); to ``"mini"``
    and ``"sd15"`` the sketch is where they start and no more (img2img, SDEdit, Meng et al. 2021). ``"flux2-klein"`` takes it for
    a picture to be edited, and the prompt for what is to be done with it. ``"pix2pix"`` and the other families of the
    literature review make their picture of its lines, without any denoising.

    Equal, pixel for pixel, to calling the diffusers pipeline by hand with the same picture, settings, number of threads
    (a small model runs in one on a CPU: :func:`s2i_teach.models.devices.fitting_threads`) and
    ``generator=torch.Generator("cpu").manual_seed(seed)``.

    Args:
        sketch: anything that :func:`s2i_teach.open_sketch` opens.
        prompt: what the picture shows, for the miniature ``"a turtle, openmoji style"``.
        pipe: from :func:`s2i_teach.load_pipeline`, or a model's name; None is ``"mini-scribble"``.
        strength, guidance_scale, num_inference_steps, seed, negative_prompt, size, prepare, fit, invert, scheduler: see
            :class:`s2i_teach.Settings`; None is the model's default.
        control_scale, control_start, control_end, style, style_weight: the same.
        on_step: called as ``on_step(done, total)`` after every evaluation of the U-Net or transformer.

    Raises:
        InputError: a sketch or setting that cannot be used, in one sentence.
    """
    settings = Settings(
        prompt,
        negative_prompt,
        strength,
        guidance_scale,
        num_inference_steps,
        seed,
        size,
        prepare,
        fit,
        invert,
        scheduler,
        control_scale=control_scale,
        control_start=control_start,
        control_end=control_end,
        style=style,
        style_weight=style_weight,
    )
    if pipe is None:
        pipe = shared_pipeline(DEFAULT)
    elif isinstance(pipe, str):
        pipe = shared_pipeline(pipe)
    return run(sketch, settings, pipe, on_step)


def run(
    sketch,
    settings: Settings,
    pipe,
    on_step: Callable[[int, int], None] | None = None,
    on_x0: Callable[[torch.Tensor], None] | None = None,
    blend=None,
) -> Result:
    """:func:`translate` with its settings in one object.

    ``on_x0`` is called before every step with the clean latents ``(1, C, h, w)`` that the network believes in, x̂_0.
    An exception that either of the two raises ends the run and comes out here; the pipeline stays usable.
    ``blend`` changes the latents after each step: :class:`s2i_teach.translation.repaint.Blend`.
    """
    with in_use(pipe):
        return _run(sketch, settings, pipe, on_step, on_x0, blend)


def _run(sketch, asked: Settings, pipe, on_step, on_x0, blend) -> Result:
    resolved = asked.resolved(pipe)
    plan = resolved.plan(pipe, measure=False)
    picture, page_notes = open_page(sketch, resolved)
    settings = as_opened(resolved)  # the result keeps the sketch as it is now
    hint = make_hint(picture, hint_of(pipe))
    prepared = prepare_sketch(picture, settings.prepare)
    called = call_pipeline(pipe, settings, plan, prepared, hint, on_step, on_x0, blend)
    watch, started, pixels, notes = called
    notes = page_notes + notes + prompt_notes(pipe, settings)
    wait_for(device_of(pipe))
    seconds = time.perf_counter() - started - watch.aside
    image = as_image(pipe, pixels)
    if watch.done > 1:  # a single step warms up and tells little
        fixed = max(0.0, seconds - watch.per_step * plan.evaluations)
        note_timing(pipe, plan.size, plan.batch, Timing(watch.per_step, fixed))
    return Result(
        image=image,
        sketch=picture,
        settings=settings,
        plan=replace(plan, seconds=seconds),
        model=getattr(pipe, "s2i_model", "a pipeline"),
        seconds=seconds,
        evaluation_seconds=watch.per_step,
        precision=PRECISIONS.get(denoiser_of(pipe).dtype, "mixed"),
        notes=notes + size_notes(pipe, picture, settings),
        hint=hint,
        small_vae=has_small_vae(pipe),
        quantized=is_quantized(pipe),
        style_sha256=style_hash(settings.style),
    )


def call_pipeline(pipe, settings: Resolved, plan: Plan, prepared, hint, on_step=None, on_x0=None, blend=None):
    """One call of a pipeline with a prepared sketch, again with less memory where it ran short.

    Returns:
        what watched the steps, when the call began, the pixels ``(1, 3, H, W)`` in [0, 1], and notes.
    """
    kind = kind_of(pipe)
    if kind.is_family:
        return _call_family(pipe, settings, plan, hint, on_step)
    current = pipe.scheduler
    arguments = _arguments(kind, replace(settings, strength=plan.strength_run), hint)
    if guesses(pipe):
        arguments["guess_mode"] = True

    def once():
        watch = _Watch(plan.evaluations, on_step, blend)
        started = time.perf_counter()
        try:
            # A scheduler remembers its last run; each run gets its own.
            pipe.scheduler = make_scheduler(settings.scheduler, current, settings.num_inference_steps)
            if on_x0:
                _watch_x0(pipe.scheduler, watch.look(lambda x0: on_x0(unpacked(pipe, x0, settings.size))))
            with fitting_threads(pipe), Styled(pipe, settings.style, settings.style_weight):
                if blend:
                    blend.begin(pipe, prepared)
                negative = settings.negative_prompt if is_guided(pipe, settings.guidance_scale) else None
                output = pipe(
                    image=prepared,
                    **arguments,
                    **as_arguments(*read_text(pipe, settings.prompt, negative)),
                    generator=torch.Generator("cpu").manual_seed(settings.seed),
                    output_type="pt",
                    callback_on_step_end=watch,
                )
                latents = unpacked(pipe, watch.latents, settings.size)
                return watch, started, output, *finite(pipe, output.images, latents)
        finally:
            pipe.scheduler = current

    watch, started, output, pixels, notes = with_less_memory(pipe, settings.size, once)
    if getattr(output, "nsfw_content_detected", None) and output.nsfw_content_detected[0]:
        notes += (BLACKED_OUT,)
    return watch, started, pixels, notes


def _call_family(pipe, settings: Resolved, plan: Plan, hint, on_step):
    """:func:`call_pipeline` of a family that denoises nothing."""
    watch = _Watch(plan.evaluations, on_step)
    started = time.perf_counter()
    with fitting_threads(pipe):
        pixels = pipe(hint, settings.prompt, settings.seed)
    if on_step:
        on_step(plan.evaluations, plan.evaluations)
    return watch, started, pixels, ()


def _arguments(kind: Kind, settings: Resolved, hint) -> dict:
    """What a pipeline of that kind is called with beside words and picture, by its own keywords."""
    given = {**vars(settings), "hint": hint}
    given["width"], given["height"] = settings.size
    given["timesteps"] = list(settings.timesteps) if settings.timesteps else None
    return {keyword: given[name] for name, keyword in kind.takes.items() if name not in ("prompt", "negative_prompt")}


def _watch_x0(scheduler, on_x0: Callable[[torch.Tensor], None]) -> None:
    """Let a scheduler tell x̂_0 at each of its steps, whatever kind it is and whatever its network predicts."""
    step = scheduler.step
    kind = "flow" if is_flow_scheduler(scheduler) else scheduler.config.get("prediction_type", "epsilon")

    @wraps(step)  # the pipeline looks at the parameters' names
    def told(model_output, timestep, sample, *args, **kwargs):
        first = sample[(slice(1),) * sample.ndim]
        one, zero = torch.ones_like(first), torch.zeros_like(first)
        at = torch.as_tensor(timestep, device=sample.device).reshape(1)
        if kind == "flow":  # x_t = (1 − σ) · x_0 + σ · noise, and v = noise − x_0
            sigma = scheduler.scale_noise(zero, at, one)
            on_x0(sample - sigma * model_output)
            return step(model_output, timestep, sample, *args, **kwargs)
        signal, noise = scheduler.add_noise(one, zero, at), scheduler.add_noise(zero, one, at)
        if kind == "epsilon":
            guess = (sample - noise * model_output) / signal
        elif kind == "v_prediction":
            length = (signal**2 + noise**2).sqrt()  # 1 where the scheduler keeps the variance
            guess = (signal / length * sample / length) - noise / length * model_output
        else:
            guess = model_output
        on_x0(guess)
        return step(model_output, timestep, sample, *args, **kwargs)

    scheduler.step = told


class _Watch:
    """diffusers' callback: counts the steps, times them and keeps the last latents."""

    def __init__(self, total: int, on_step, blend=None):
        self.total, self.on_step, self.blend, self.done = total, on_step, blend, 0
        self.latents = torch.empty(0)
        self.first = self.last = 0.0
        self.aside = self.aside_between = 0.0  # seconds that the caller's own functions took

    def __call__(self, pipe, step, timestep, tensors):
        wait_for(tensors["latents"].device)
        self.last = time.perf_counter()
        self.first = self.first or self.last
        self.latents = self.blend(pipe, step, tensors["latents"]) if self.blend else tensors["latents"]
        self.done += 1
        if self.on_step:
            self.on_step(self.done, self.total)
        return {"latents": self.latents} if self.blend else {}

    def look(self, on_x0: Callable) -> Callable:
        """``on_x0`` with its own time kept apart: it is not the model's."""

        def looked(x0: torch.Tensor) -> None:
            started = time.perf_counter()
            on_x0(x0)
            spent = time.perf_counter() - started
            self.aside += spent
            if self.first:
                self.aside_between += spent

        return looked

    @property
    def per_step(self) -> float:
        """Mean seconds a step, the first left out (it warms up); 0 after a single step."""
        return (self.last - self.first - self.aside_between) / (self.done - 1) if self.done > 1 else 0.0


def prompt_notes(pipe, settings: Settings) -> tuple[str, ...]:
    """A sentence for each prompt that is longer than the text encoder reads; two that read the same of it say it once."""
    given = {"prompt": settings.prompt, "negative prompt": settings.negative_prompt}
    if kind_of(pipe).is_family:
        return _unread_words(pipe)
    if kind_of(pipe).is_flow:
        found = [("prompt", *unread(pipe, settings.prompt))]
    else:  # two places are the start and the end token
        found = [
            (name, tokenizer.model_max_length - 2, read_and_lost(tokenizer, words)[1])
            for tokenizer in tokenizers(pipe)
            for name, words in given.items()
        ]
    notes = []
    for name, room, lost in found:
        if lost:
            notes.append(f"The model reads {room} pieces of words; of the {name} it did not read: {shown(lost)}.")
    return tuple(dict.fromkeys(notes))


def size_notes(pipe, picture, settings: Resolved) -> tuple[str, ...]:
    """A sentence where most things drawn on an opened page are too small for a miniature."""
    entry, notes = find(getattr(pipe, "s2i_model", "")), []
    better = better_size(picture, entry) if entry and settings.prepare != "picture" else None
    if better:
        small, (width, height) = better
        notes.append(
            f"Most things on this page are only about {small} pixels large, so they come out badly: "
            f"a size of {width} × {height} is better for them."
        )
    return tuple(notes)


def _unread_words(pipe) -> tuple[str, ...]:
    """The note on a family that reads no prompt."""
    return () if pipe.family.reads_prompt else (READS_NO_WORDS,)


@torch.no_grad()
def finite(pipe, pixels: torch.Tensor, latents: torch.Tensor) -> tuple[torch.Tensor, tuple[str, ...]]:
    """The decoded pixels; decoded again in fp32 where half precision overflowed (they would show as black)."""
    if torch.isfinite(pixels).all():
        return pixels, ()
    if not torch.isfinite(latents).all():
        raise InputError(
            'The latents are not finite in this precision: load the model with dtype="fp32" (some GPUs, such as the '
            "GTX 16 series, cannot run it in fp16)."
        )
    dtype = pipe.vae.dtype
    pipe.vae.to(torch.float32)
    try:
        decoded = pipe.vae.decode(decoder_input(pipe.vae, latents.float())).sample
    finally:
        pipe.vae.to(dtype)
    if not torch.isfinite(decoded).all():
        raise InputError('The picture is not finite even when decoded in fp32: load the model with dtype="fp32".')
    pixels = (decoded / 2 + 0.5).clamp(0, 1)
    checker = getattr(pipe, "safety_checker", None)
    if checker is not None:  # the one before saw a picture that was not finite
        _, flagged = pipe.run_safety_checker(decoded, device_of(pipe), next(checker.parameters()).dtype)
        pixels = torch.zeros_like(pixels) if flagged and flagged[0] else pixels
    return pixels, ("Half precision overflowed in the VAE: the picture was decoded in fp32.",)
