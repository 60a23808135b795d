"""What a run means before anything runs (``Plan``), read from the scheduler itself."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch

from s2i_teach.models.devices import device_of
from s2i_teach.models.families import SIZE as FAMILY_SIZE
from s2i_teach.models.flows import set_sigmas
from s2i_teach.models.kinds import guesses, is_guided, kind_of
from s2i_teach.models.schedulers import make_scheduler, scheduler_name
from s2i_teach.translation.timing import Timing, timing


class Wanted(Protocol):
    """Of resolved settings (:class:`s2i_teach.Settings`) what a plan depends on; they import this file, not the other way."""

    @property
    def strength(self) -> float: ...

    @property
    def guidance_scale(self) -> float: ...

    @property
    def num_inference_steps(self) -> int: ...

    @property
    def timesteps(self) -> tuple[int, ...] | None: ...

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def scheduler(self) -> str | None: ...

    @property
    def style_weight(self) -> float | None: ...

    def control_scales(self, evaluations: int) -> tuple[float, ...]: ...


@dataclass(frozen=True)
class Plan:
    """What will run: made by :meth:`s2i_teach.Settings.plan` from the scheduler itself, so what it says is what runs.

    Attributes:
        scheduler: its short name.
        timesteps: the timesteps of the training schedule (0 to 999) at which the U-Net is evaluated, in order. In a flow
            they are 1000 · σ. Another family than diffusion has none, and no scheduler.
        sqrt_alpha_bar: √ᾱ at the start, in [0, 1]: how much of the sketch is in the first noisy latent. None in a flow.
        evaluations: how often the U-Net, or the network in its place, is evaluated.
        batch: pictures in each call: 2 with guidance (with and without the prompt), else 1.
        size: ``(width, height)`` in pixels.
        strength_run: the strength handed to diffusers; differs from the one asked for only where no step would be left.
        seconds: predicted wall time in seconds on this machine, or None if nothing was measured.
        control_scales: what the ControlNet's residuals are multiplied by in each evaluation; empty for models without one.
        guess_mode: whether the half without the prompt is led by no lines, so that guidance leads towards words and lines.
        sigma: σ at the start of a flow, whose latents are (1 − σ) · x_0 + σ · noise: 1 is pure noise, with nothing of the
            sketch, which stands beside the latents at every step instead. None for models that are no flows.
        style_weight: what the style's change of the weights is multiplied by; None without a style.
    """

    scheduler: str
    timesteps: tuple[float, ...]
    sqrt_alpha_bar: float | None
    evaluations: int
    batch: int
    size: tuple[int, int]
    strength_run: float
    seconds: float | None
    control_scales: tuple[float, ...] = ()
    guess_mode: bool = False
    sigma: float | None = None
    style_weight: float | None = None

    @property
    def start_timestep(self) -> float | None:
        """The timestep of the training schedule where the denoising starts; None where nothing is denoised."""
        return self.timesteps[0] if self.timesteps else None

    def __str__(self) -> str:
        seconds = "not measured" if self.seconds is None else f"about {self.seconds:.1f} s"
        guided = f"{'with' if self.batch == 2 else 'without'} guidance"
        size = f"{self.size[0]} × {self.size[1]} pixels"
        if not self.timesteps:
            times = "once" if self.evaluations == 1 else f"{self.evaluations} times"
            return f"the network runs {times}; no noise, no schedule, nothing to guide; {size}; {seconds}"
        if self.sqrt_alpha_bar is None:
            noise = "pure noise" if self.sigma == 1 else "noise"
            return (
                f"{self.scheduler}: starts at {noise} (σ = {self.sigma:g}) with nothing of the sketch in it; each of the "
                f"{self.evaluations} evaluations of the transformer {guided} reads the sketch beside it; {size}; {seconds}"
            )
        return (
            f"{self.scheduler}: starts at t = {self.start_timestep:g}, where {self.sqrt_alpha_bar:.0%} of the sketch's "
            f"amplitude is left (√ᾱ); {self.evaluations} evaluations of the U-Net {guided}; {self._led}{self._styled}{size}; {seconds}"
        )

    @property
    def _styled(self) -> str:
        return "" if self.style_weight is None else f"the style has the weight {self.style_weight:g}; "

    @property
    def _led(self) -> str:
        if not self.control_scales:
            return ""
        led = [number for number, scale in enumerate(self.control_scales, start=1) if scale]
        if not led:
            return "the sketch's lines lead none of them; "
        which = f"evaluations {led[0]} to {led[-1]}" if len(led) < self.evaluations else "all of them"
        half = ", where the prompt is read" if self.guess_mode else ""
        return f"the sketch's lines lead {which} at scale {max(self.control_scales):g}{half}; "


def make_plan(pipe, settings: Wanted, measure: bool = True) -> Plan:
    """:meth:`s2i_teach.Settings.plan` of resolved settings."""
    if kind_of(pipe).is_family:
        return _family_plan(pipe, timing(pipe, settings.size, 1, measure))
    scheduler = make_scheduler(settings.scheduler, pipe.scheduler, settings.num_inference_steps)
    batch = 2 if is_guided(pipe, settings.guidance_scale) else 1
    cost = timing(pipe, settings.size, batch, measure)
    if kind_of(pipe).is_flow:
        return _flow_plan(pipe, settings, scheduler, batch, cost)
    start, strength = start_index(settings.num_inference_steps, settings.strength)
    # The scheduler is set on the device where it will run, as the pipeline does; asked once, since diffusers looks
    # through all modules for it.
    device = device_of(pipe)
    set_timesteps(scheduler, settings, device)
    timesteps = scheduler.timesteps[start * scheduler.order :]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(start * scheduler.order)
    one, zero = torch.ones(1, 1, 1, 1, device=device), torch.zeros(1, 1, 1, 1, device=device)
    # What the scheduler really mixes: any scheduler's own convention comes out as signal and noise.
    signal = scheduler.add_noise(one, zero, timesteps[:1]).item()
    noise = scheduler.add_noise(zero, one, timesteps[:1]).item()
    return Plan(
        scheduler=scheduler_name(scheduler),
        timesteps=tuple(round(float(t), 3) for t in timesteps),
        sqrt_alpha_bar=signal / (signal**2 + noise**2) ** 0.5,
        evaluations=len(timesteps),
        batch=batch,
        size=settings.size,
        strength_run=strength,
        seconds=None if cost is None else cost.fixed + cost.evaluation * len(timesteps),
        control_scales=settings.control_scales(len(timesteps)),
        guess_mode=batch == 2 and guesses(pipe),
        style_weight=settings.style_weight,
    )


def _flow_plan(pipe, settings: Wanted, scheduler, batch: int, cost: Timing | None) -> Plan:
    """The plan of a flow: all of its steps run, from pure noise."""
    set_sigmas(scheduler, pipe, settings.num_inference_steps, settings.size, device_of(pipe))
    steps = len(scheduler.timesteps)
    return Plan(
        scheduler=scheduler_name(scheduler),
        timesteps=tuple(round(float(t), 3) for t in scheduler.timesteps),
        sqrt_alpha_bar=None,
        evaluations=steps,
        batch=batch,
        size=settings.size,
        strength_run=1.0,
        seconds=None if cost is None else cost.fixed + cost.evaluation * steps,
        sigma=scheduler.sigmas[0].item(),
    )


def _family_plan(pipe, cost: Timing | None) -> Plan:
    """The plan of a model that denoises nothing."""
    evaluations = pipe.family.evaluations
    return Plan(
        scheduler="",
        timesteps=(),
        sqrt_alpha_bar=None,
        evaluations=evaluations,
        batch=1,
        size=FAMILY_SIZE,
        strength_run=1.0,
        seconds=None if cost is None else cost.fixed + cost.evaluation * evaluations,
    )


def set_timesteps(scheduler, settings: Wanted, device) -> None:
    """Set a run's timesteps as diffusers' pipelines do: chosen by the scheduler, or given."""
    if settings.timesteps is None:
        scheduler.set_timesteps(settings.num_inference_steps, device=device)
    else:
        scheduler.set_timesteps(timesteps=list(settings.timesteps), device=device)


def start_index(num_inference_steps: int, strength: float) -> tuple[int, float]:
    """How many of the steps are left out, and the strength to hand to diffusers so that it leaves out as many.

    Equals ``StableDiffusionImg2ImgPipeline.get_timesteps``, which runs ``int(N · strength)`` steps in floating point:
    0.58 of 50 steps are 28, not 29. Where no step at all would be left, and diffusers fails, one step runs.
    """
    steps = min(int(num_inference_steps * strength), num_inference_steps)
    if steps < 1:
        steps, strength = 1, min(1.0, 1.5 / num_inference_steps)
    return num_inference_steps - steps, strength


def strength_for(num_inference_steps: int, evaluations: int) -> float:
    """The strength, in (0, 1], at which exactly so many of the steps run: ``evaluations / num_inference_steps``.

    A little more where the quotient's float would run one step less, as :func:`start_index` counts.
    """
    strength = evaluations / num_inference_steps
    while start_index(num_inference_steps, strength)[0] > num_inference_steps - evaluations:
        strength = math.nextafter(strength, 2)
    return min(strength, 1.0)
