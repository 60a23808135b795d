"""What a run is asked to do (``Settings``)."""

import os
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, TypeVar, cast

from s2i_teach.errors import InputError
from s2i_teach.files import shown, written
from s2i_teach.images import check_size
from s2i_teach.models.catalog import find, offered
from s2i_teach.models.families import SIZE as FAMILY_SIZE
from s2i_teach.models.flows import (
    check_flow_size,
    check_guidance,
    usual_settings,
    usual_size,
)
from s2i_teach.models.kinds import KINDS, kind_of, led_by, vae_factor
from s2i_teach.models.schedulers import SCHEDULERS, check_scheduler, scheduler_name
from s2i_teach.models.style import read_style
from s2i_teach.translation.choices import CONTROLS, FIT, PREPARE, STYLES
from s2i_teach.translation.plan import Plan, make_plan
from s2i_teach.translation.thesis import ThesisSettings, from_thesis

CHOSEN_TIMESTEPS = ("ddpm", "dpm++", "euler")
"""Schedulers that can be given their timesteps."""

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """Everything that decides a picture besides sketch and model. None means: the model's own default.

    Attributes:
        prompt: what the picture shows; for a model that edits an instruction, such as "turn this sketch into a watercolour".
        negative_prompt: what guidance steers away from.
        strength: in (0, 1]: where on the noise schedule the denoising starts; 1 keeps next to nothing of the sketch.
            A model that edits has none: it starts at pure noise, and reads the sketch at every step.
        guidance_scale: ≥ 0; weight of the prompt (Ho & Salimans 2022, in diffusers' convention: 1 is no guidance).
        num_inference_steps: 1 to 999 steps on the whole schedule, of which the last ``strength`` part runs.
        seed: 0 to 2⁶³ − 1.
        size: ``(width, height)`` in pixels, multiples of the VAE's factor (8), or of 16 for a model that edits.
        prepare: ``"lines"`` takes the sketch's lines, ``"filled"`` fills its closed regions with grey first. A page that is
            not clean (paper in shadow, coloured or ruled, a chalk board) becomes ink on white before either;
            ``"photo"`` does that whatever the page looks like, and is ``"lines"`` from there on. ``"picture"`` takes the
            page as it is, a coloured painting for instance.
        fit: ``"pad"`` or ``"crop"``: how the sketch is brought to ``size``.
        invert: turn white lines on black around.
        scheduler: a short name, or None for the model's own.
        timesteps: the timesteps of the training schedule at which the U-Net is evaluated, of which the last ``strength``
            part runs; in place of ``num_inference_steps``, and only with "ddpm", "dpm++" or "euler".
        control_scale: 0 to 2: what the ControlNet's residuals are multiplied by (``controlnet_conditioning_scale``); 0 is
            the model without it. This and the next two only for models that are led by the sketch.
        control_start, control_end: in [0, 1], start < end: the part of the run in which the ControlNet leads
            (``control_guidance_start`` and ``…_end``): 0 is its first evaluation, 1 its last.
        style: the path of a style, a LoRA of the U-Net as :func:`s2i_teach.training.style.train_style` makes one; not for
            a model that edits, nor for the other families.
        style_weight: 0 to 2: what the style's change of the weights is multiplied by: 0 is the model without it, 1 what was
            trained.
    """

    prompt: str
    negative_prompt: str = ""
    strength: float | None = None
    guidance_scale: float | None = None
    num_inference_steps: int | None = None
    seed: int = 0
    size: tuple[int, int] | None = None
    prepare: str = "lines"
    fit: str = "pad"
    invert: bool = False
    scheduler: str | None = None
    timesteps: tuple[int, ...] | None = None
    control_scale: float | None = None
    control_start: float | None = None
    control_end: float | None = None
    style: str | None = None
    style_weight: float | None = None

    def __post_init__(self):
        for name in ("prompt", "negative_prompt"):
            if not isinstance(getattr(self, name), str):
                raise InputError(f"{name} must be text, not {type(getattr(self, name)).__name__}.")
            if not getattr(self, name).isascii():
                self._encodable(name)
        if not isinstance(self.invert, bool):
            raise InputError(f"invert must be True or False, not {written(self.invert)}.")
        if self.strength is not None:
            self._number("strength", float)
            if not 0 < self.strength <= 1:
                raise InputError(
                    f"strength is {self.strength:g}: use a number above 0 (keeps the sketch) and up to 1 (nearly "
                    "ignores it)."
                )
        if self.guidance_scale is not None:
            self._number("guidance_scale", float)
            if not 0 <= self.guidance_scale <= 100:
                raise InputError(
                    f"guidance_scale is {self.guidance_scale:g}: use a number from 0 to 100, often 3 to 8."
                )
        if self.num_inference_steps is not None:
            self._number("num_inference_steps", int)
            if not 1 <= self.num_inference_steps <= 999:  # at 1000 most of diffusers' schedulers step off their table
                raise InputError(
                    f"num_inference_steps is {shown(self.num_inference_steps)}: use a number from 1 to 999."
                )
        self._number("seed", int)
        if not 0 <= self.seed < 2**63:
            raise InputError(f"The seed is {shown(self.seed)}: use a whole number from 0 to 2^63 - 1.")
        if self.size is not None:
            object.__setattr__(self, "size", check_size(self.size))
        for name, known in (("prepare", PREPARE), ("fit", FIT), ("scheduler", (None, *SCHEDULERS))):
            value = getattr(self, name)
            if not isinstance(value, (str, type(None))) or value not in known:
                words = ", ".join(f'"{word}"' for word in known if word)
                raise InputError(f"{name}={written(value)} is not known: use one of {words}.")

        if self.timesteps is not None:
            self._check_timesteps(self.timesteps)
        self._check_control()
        self._check_style()

    def _check_style(self) -> None:
        if self.style is not None:
            if not isinstance(self.style, (str, os.PathLike)):
                raise InputError(f"style must be the path of a file, not {written(self.style)}.")
            object.__setattr__(self, "style", os.fspath(self.style))
            self._encodable("style")
        if self.style_weight is None:
            return
        self._number("style_weight", float)
        if not 0 <= self.style_weight <= 2:
            raise InputError(f"style_weight is {self.style_weight:g}: use a number from 0 to 2.")

    def _check_control(self) -> None:
        for name, most in zip(CONTROLS, (2, 1, 1), strict=True):
            if getattr(self, name) is not None:
                self._number(name, float)
                if not 0 <= getattr(self, name) <= most:
                    raise InputError(f"{name} is {getattr(self, name):g}: use a number from 0 to {most}.")
        start, end = _default(self.control_start, 0.0), _default(self.control_end, 1.0)
        if start >= end:
            raise InputError(
                f"control_start is {start:g} and control_end {end:g}: the ControlNet must start before it ends."
            )

    def _check_timesteps(self, timesteps: tuple[int, ...]) -> None:
        try:
            steps = tuple(int(t) for t in timesteps if not isinstance(t, bool))
            whole = len(steps) == len(timesteps) and all(int(t) == t for t in timesteps)
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(f"timesteps must be a list of whole numbers, not {written(timesteps)}.") from error
        if not whole or not 1 <= len(set(steps)) == len(steps) <= 999 or min(steps) < 0:
            raise InputError(
                "timesteps must be 1 to 999 different whole numbers from 0 up, such as [0, 250, 500, 750]."
            )
        if self.num_inference_steps not in (None, len(steps)):
            raise InputError(
                f"num_inference_steps is {self.num_inference_steps} and {len(steps)} timesteps are given: leave one out."
            )
        object.__setattr__(self, "timesteps", tuple(sorted(steps, reverse=True)))

    def _encodable(self, name: str) -> None:
        try:
            getattr(self, name).encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(f"{name} has characters that are no text: type it again.") from error

    def _number(self, name: str, kind: type) -> None:
        value = getattr(self, name)
        try:
            converted = kind(value)
            if isinstance(value, (bool, str)) or converted != value:
                raise ValueError
        except (TypeError, ValueError, OverflowError) as error:
            words = "a whole number" if kind is int else "a number"
            raise InputError(f"{name} must be {words}, not {written(value)}.") from error
        object.__setattr__(self, name, converted)

    def resolved(self, pipe) -> "Resolved":
        """The same with every None replaced by the model's default, so that nothing is left open.

        Raises:
            InputError: the size does not fit the model, or a setting is given that its kind does not take.
        """
        entry = find(getattr(pipe, "s2i_model", ""))
        kind = kind_of(pipe)
        self._check_taken(kind, getattr(pipe, "s2i_model", "this pipeline"))
        self._check_style_taken(kind, getattr(pipe, "s2i_model", "this pipeline"))
        if kind.is_family:
            return cast("Resolved", self._of_family(pipe))
        size = self.size or (entry.size if entry else _native_size(pipe))
        size = check_size(size, vae_factor(pipe))
        usual = (50, 7.5)
        if kind.is_flow:
            size, usual = check_flow_size(size), usual_settings(pipe)
            check_guidance(pipe, self.guidance_scale)
            check_scheduler(self.scheduler, pipe.scheduler)
        used = scheduler_name(pipe.scheduler)
        own = used if used in SCHEDULERS else None  # one without a short name is used, but cannot be written down
        steps = entry.steps if entry else usual[0]
        if self.timesteps is not None:
            steps = len(self.timesteps)
            if (self.scheduler or own) not in CHOSEN_TIMESTEPS:
                names = ", ".join(f'"{name}"' for name in CHOSEN_TIMESTEPS)
                raise InputError(f"{self.scheduler or own} chooses its timesteps itself: to give them, use {names}.")
            length = pipe.scheduler.config.num_train_timesteps
            if self.timesteps[0] >= length:
                raise InputError(
                    f"The timestep {self.timesteps[0]} is not on this model's schedule: use 0 to {length - 1}."
                )
        complete = replace(
            self,
            strength=_default(self.strength, entry.strength if entry else kind.strength),
            guidance_scale=_default(self.guidance_scale, entry.guidance_scale if entry else usual[1]),
            num_inference_steps=_default(self.num_inference_steps, steps),
            size=size,
            scheduler=self.scheduler or own,
            **self._resolved_control(kind, entry),
            style_weight=None if self.style is None else _default(self.style_weight, 1.0),
        )
        return cast("Resolved", complete)

    def _of_family(self, pipe) -> "Settings":
        """Of all settings such a model has the seed, and the prompt if it reads it."""
        if self.scheduler is not None:
            raise InputError(f"scheduler is given, and {pipe.s2i_model} denoises nothing: leave it out.")
        if self.size not in (None, FAMILY_SIZE):
            width, height = FAMILY_SIZE
            raise InputError(
                f"{pipe.s2i_model} draws {width} × {height} pixels alone: leave size out, or use another model."
            )
        return replace(self, size=FAMILY_SIZE)

    def _resolved_control(self, kind, entry) -> dict:
        usual = {"control_scale": entry.control_scale if entry else 1.0, "control_start": 0.0, "control_end": 1.0}
        return {name: _default(getattr(self, name), usual[name]) for name in CONTROLS if name in kind.takes}

    def _check_style_taken(self, kind, model: str) -> None:
        if self.style is None:
            if self.style_weight is not None:
                raise InputError(
                    f"style_weight is {self.style_weight:g}, and there is no style: give both, or neither."
                )
            return
        if kind.is_flow or kind.is_family:
            raise InputError(
                f'style is given, which {shown(model)} does not take: leave it out, or use a model such as "mini".'
            )
        read_style(self.style)

    def _check_taken(self, kind, model: str) -> None:
        for field in fields(self):
            takers = [other.name for other in KINDS.values() if field.name in other.takes]
            if getattr(self, field.name) == field.default or kind.name in takers or not takers:
                continue
            other = next((entry.name for entry in offered().values() if entry.kind in takers), None)
            such = f', or use a model such as "{other}"' if other else ""
            raise InputError(f"{field.name} is given, which {shown(model)} does not take: leave it out{such}.")

    def plan(self, pipe, measure: bool = True) -> Plan:
        """What a run with these settings will do on this pipeline, before it runs.

        ``measure=False`` leaves the seconds out where nothing was measured yet. Else one evaluation is timed, or, for a
        large model on a CPU, predicted (:mod:`s2i_teach.models.speed`).
        """
        return make_plan(pipe, self.resolved(pipe), measure)

    def control_scales(self, evaluations: int) -> tuple[float, ...]:
        """What the ControlNet's residuals are multiplied by in each evaluation of a run; empty for models without one.

        The settings must be resolved.
        """
        if self.control_scale is None:
            return ()
        start, end = _default(self.control_start, 0.0), _default(self.control_end, 1.0)
        return led_by(self.control_scale, start, end, evaluations)

    def to_dict(self) -> dict:
        """As plain values for JSON."""
        table = asdict(self)
        table["size"] = list(self.size) if self.size else None
        table["timesteps"] = list(self.timesteps) if self.timesteps else None
        # Entries that came later are left out where they say nothing: a record stays as an older version writes it.
        later = ("timesteps", *CONTROLS, *STYLES)
        return {name: value for name, value in table.items() if value is not None or name not in later}

    @classmethod
    def from_thesis(cls, **parameters) -> ThesisSettings:
        """The eight parameters of older scripts, each doing what it honestly can; ``.explain()`` tells what that is.

        Args:
            model_name_or_path: what :func:`s2i_teach.load_pipeline` takes; default ``"mini"``.
            image_size: ``(width, height)`` or one number; default ``(768, 512)``.
            diffusion_steps: length of the training's schedule, checked against the model; default 1000.
            timestep_respacing: guided-diffusion's forms: ``100``, ``"ddim50"``, ``"10,15,20"``; default 100.
            start_scale: only 0 means something here.
            num_resolutions: of the VAE, checked against the model; default 4.
            rescale_timesteps: True or False; no effect at a schedule of 1000.
            use_fp16: half precision where the device has it; False is fp32.
            prompt, strength, …: any other setting.

        Returns:
            :class:`s2i_teach.translation.thesis.ThesisSettings`, which has the attributes of these settings; its
            ``settings`` and ``pipe`` go into ``run``.

        Raises:
            InputError: what the weights fix is asked to be otherwise, or a value that cannot be used.
        """
        return from_thesis(cls, **parameters)

    @classmethod
    def from_dict(cls, table: dict) -> "Settings":
        """From :meth:`to_dict`'s values; entries that are not known here are refused.

        Raises:
            InputError: an unknown or missing entry, or a value that is not allowed.
        """
        known = {field.name for field in fields(cls)}
        if not isinstance(table, dict):
            raise InputError("The record has no settings: it was written by another version of s2i_teach.")
        unknown = sorted(set(table) - known, key=str)
        if unknown or "prompt" not in table:
            what = f"has the unknown entry {written(unknown[0])}" if unknown else "has no prompt"
            raise InputError(f"The record {what}: it was written by another version of s2i_teach.")
        size = table.get("size")
        return cls(**{**table, "size": tuple(size) if isinstance(size, list) else size})


if TYPE_CHECKING:

    class Resolved(Settings):
        """What :meth:`Settings.resolved` returns. It is no class of its own: a type checker learns here what is not None."""

        strength: float  # None in a flow, whose runs ask for none
        guidance_scale: float
        num_inference_steps: int
        size: tuple[int, int]

else:
    Resolved = Settings


def _default(value: T | None, otherwise: T) -> T:
    return otherwise if value is None else value


def _native_size(pipe) -> tuple[int, int]:
    """``(width, height)`` in pixels that a model was trained on, as its configuration says."""
    if kind_of(pipe).is_flow:
        return usual_size(pipe)
    side = pipe.unet.config.sample_size
    height, width = (side, side) if isinstance(side, int) else side
    return width * vae_factor(pipe), height * vae_factor(pipe)
