"""Kinds of pipeline: what each takes and what one evaluation of it is. No other file asks for a diffusers class.

A kind to come (an adapter, an editing model) is one more ``Kind`` here, and a branch in :func:`evaluate` where its
evaluation goes another way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from s2i_teach.errors import InputError
from s2i_teach.models.catalog import find
from s2i_teach.models.devices import device_of


@dataclass(frozen=True, eq=False)
class Kind:
    """What is the same for all models of a kind.

    Attributes:
        name: as the catalog has it.
        pipeline: the diffusers class that it is loaded as.
        takes: setting → the keyword of that class for it; what is not named here, the kind does not take. ``"hint"`` is
            the picture that leads the network at each step.
        evaluated: title → the pipeline's part, of all that runs in one evaluation, in this order; the U-Net is the last.
        hint: how the hint is made of the sketch (``"lines"``: white lines on black), or None where there is none. A model
            of the catalog may want it otherwise: :func:`hint_of`.
        strength: where the catalog names no other.
    """

    name: str
    pipeline: str
    takes: Mapping[str, str]
    evaluated: Mapping[str, str]
    hint: str | None
    strength: float


_ALL_TAKE = {name: name for name in ("prompt", "negative_prompt", "strength", "guidance_scale", "num_inference_steps")}

IMG2IMG = Kind(
    name="img2img",
    pipeline="StableDiffusionImg2ImgPipeline",
    takes={**_ALL_TAKE, "timesteps": "timesteps"},
    evaluated={"U-Net": "unet"},
    hint=None,
    strength=0.75,
)
CONTROL = Kind(
    name="control",
    pipeline="StableDiffusionControlNetImg2ImgPipeline",
    takes={
        **_ALL_TAKE,
        "hint": "control_image",
        "control_scale": "controlnet_conditioning_scale",
        "control_start": "control_guidance_start",
        "control_end": "control_guidance_end",
    },
    evaluated={"ControlNet": "controlnet", "U-Net": "unet"},
    hint="lines",
    strength=1.0,
)
KINDS = {kind.name: kind for kind in (IMG2IMG, CONTROL)}


def kind_of(pipe) -> Kind:
    """The kind of a loaded pipeline.

    Raises:
        InputError: none that is known here, or one that is led by several ControlNets.
    """
    names = {cls.__name__ for cls in type(pipe).__mro__}
    found = next((kind for kind in KINDS.values() if kind.pipeline in names), None)
    if found is None:
        known = " or ".join(kind.pipeline for kind in KINDS.values())
        raise InputError(f"A {type(pipe).__name__} cannot be run here: use load_pipeline, or make a {known}.")
    if found.hint and type(pipe.controlnet).__name__ == "MultiControlNetModel":
        raise InputError("This pipeline has several ControlNets, and one is all that can be run here: give it one.")
    return found


def hint_of(pipe) -> str | None:
    """How a pipeline wants its hint made (:data:`s2i_teach.translation.prepare.PENS`), or None where it takes none."""
    entry, usual = find(getattr(pipe, "s2i_model", "")), kind_of(pipe).hint
    return (entry.hint if entry and usual else None) or usual


def evaluated_parts(pipe) -> dict:
    """Title → network, of all that runs in one evaluation, in order."""
    return {title: getattr(pipe, part) for title, part in kind_of(pipe).evaluated.items()}


def networks(pipe) -> list:
    """All networks whose weights decide the picture; the U-Net, the VAE and the text encoder first."""
    first = [pipe.unet, pipe.vae, pipe.text_encoder]
    return first + [part for part in evaluated_parts(pipe).values() if part is not pipe.unet]


def has_small_vae(pipe) -> bool:
    """Whether a small VAE encodes and decodes, whose latents have no distribution."""
    return type(pipe.vae).__name__ == "AutoencoderTiny"


def drawn(encoded, generator: torch.Generator) -> torch.Tensor:
    """Latents from what a VAE's encoder gave, as diffusers' pipelines take them: drawn from its distribution.

    A small VAE has none: its latents are what they are, and the generator is left alone.
    """
    return encoded.latent_dist.sample(generator=generator) if hasattr(encoded, "latent_dist") else encoded.latents


def likeliest(encoded) -> torch.Tensor:
    """The likeliest latents of what a VAE's encoder gave; a small VAE's are all it has."""
    return encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents


def is_distilled(pipe) -> bool:
    """Whether the U-Net is told the guidance scale, in place of a second evaluation without the prompt."""
    # diffusers' pipeline with a ControlNet knows of no such U-Net, and guides it like any other.
    return kind_of(pipe) is IMG2IMG and pipe.unet.config.time_cond_proj_dim is not None


def is_guided(pipe, guidance_scale: float) -> bool:
    """Whether each evaluation is done twice, with and without the prompt."""
    return guidance_scale > 1 and not is_distilled(pipe)


def led_by(scale: float, start: float, end: float, evaluations: int) -> tuple[float, ...]:
    """What the ControlNet's residuals are multiplied by in each evaluation of a run.

    Equals diffusers: ``scale`` in the evaluations that lie whole between the fractions ``start`` and ``end`` of the run,
    0 in the others.
    """
    n = evaluations
    return tuple(scale * (1.0 - float(i / n < start or (i + 1) / n > end)) for i in range(n))


def hint_tensor(pipe, hint) -> torch.Tensor:
    """A hint as the network takes it: a PIL image → ``(1, 3, H, W)`` in [0, 1]."""
    return pipe.prepare_control_image(hint, None, None, 1, 1, device_of(pipe), pipe.controlnet.dtype)


def evaluate(
    pipe,
    latents: torch.Tensor,
    t: torch.Tensor,
    text: torch.Tensor,
    *,
    hint: torch.Tensor | None = None,
    scales: Sequence[float] = (),
    timestep_cond: torch.Tensor | None = None,
) -> torch.Tensor:
    """One evaluation as diffusers' pipeline does it, of samples that may differ in everything but their size.

    Args:
        latents: ``(B, C, h, w)``, scaled as the scheduler wants them.
        t: timesteps, ``(B,)``.
        text: embeddings, ``(B, L, D)``.
        hint: ``(B, 3, H, W)`` from :func:`hint_tensor`, for a kind that takes one.
        scales: of each sample, as :func:`led_by` gives them. Samples with 0 are spared the ControlNet: what it says would
            be multiplied by 0 and added.
        timestep_cond: the embedded guidance scale, for a distilled U-Net.

    Returns:
        what the U-Net predicts, ``(B, C, h, w)``.
    """
    residuals: dict[str, Any] = {}
    led = [i for i, scale in enumerate(scales) if scale != 0]
    if led:
        if hint is None:
            raise ValueError("A scale above 0 needs a hint.")
        down, middle = pipe.controlnet(
            latents[led],
            t[led],
            encoder_hidden_states=text[led],
            controlnet_cond=hint[led],
            # In fp32, and rounded once: as half precision is multiplied by a Python number, which is diffusers' way.
            conditioning_scale=torch.tensor([scales[i] for i in led], device=latents.device).view(-1, 1, 1, 1),
            return_dict=False,
        )

        def for_all(some: torch.Tensor) -> torch.Tensor:
            some = some.to(latents.dtype)
            if len(led) == len(latents):
                return some
            whole = some.new_zeros(len(latents), *some.shape[1:])
            whole[led] = some
            return whole

        residuals["down_block_additional_residuals"] = [for_all(part) for part in down]
        residuals["mid_block_additional_residual"] = for_all(middle)
    return pipe.unet(
        latents, t, encoder_hidden_states=text, timestep_cond=timestep_cond, return_dict=False, **residuals
    )[0]
