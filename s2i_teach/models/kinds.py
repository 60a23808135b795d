"""Kinds of pipeline: what each takes and what one evaluation of it is. No other file asks for a diffusers class.

A kind to come (an adapter) is one more ``Kind`` here, and a branch in :func:`evaluate` where its evaluation goes another way.
What flows have of their own stands in :mod:`s2i_teach.models.flows`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from s2i_teach.errors import InputError
from s2i_teach.models.catalog import find
from s2i_teach.models.devices import denoiser_of, device_of
from s2i_teach.models.flows import unpacked_tokens, vae_latents


@dataclass(frozen=True, eq=False)
class Kind:
    """What is the same for all models of a kind.

    Attributes:
        name: as the catalog has it.
        pipeline: the diffusers class that it is loaded as.
        takes: setting → the keyword of that class for it; what is not named here, the kind does not take. ``"hint"`` is
            the picture that leads the network at each step.
        evaluated: title → the pipeline's part, of all that runs in one evaluation, in this order; the U-Net, or the
            transformer in its place, is the last.
        hint: how the hint is made of the sketch (``"lines"``: white lines on black), or None where there is none. A model
            of the catalog may want it otherwise: :func:`hint_of`.
        strength: where the catalog names no other; None where there is none.
        encoders: the pipeline's parts that read the prompt. With two of them it is built as SDXL (:attr:`is_xl`).
    """

    name: str
    pipeline: str
    takes: Mapping[str, str]
    evaluated: Mapping[str, str]
    hint: str | None
    strength: float | None
    encoders: tuple[str, ...] = ("text_encoder",)

    @property
    def is_flow(self) -> bool:
        """Whether a transformer predicts a flow's velocity (:mod:`s2i_teach.models.flows`), in place of a U-Net that
        predicts noise."""
        return "transformer" in self.evaluated.values()

    @property
    def is_family(self) -> bool:
        """Whether it is no diffusion pipeline but another family's network (:mod:`s2i_teach.models.families`)."""
        return "family" in self.evaluated.values()

    @property
    def is_xl(self) -> bool:
        """Whether it is built as SDXL (Podell et al. 2023): the U-Net is also told the whole prompt in one vector and the
        picture's size, the VAE may ask for fp32, and there is no safety checker."""
        return len(self.encoders) > 1


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
_BOTH = ("text_encoder", "text_encoder_2")
IMG2IMG_XL = replace(IMG2IMG, name="img2img-xl", pipeline="StableDiffusionXLImg2ImgPipeline", encoders=_BOTH)
CONTROL_XL = replace(CONTROL, name="control-xl", pipeline="StableDiffusionXLControlNetImg2ImgPipeline", encoders=_BOTH)
EDIT = Kind(
    name="edit",
    pipeline="Flux2KleinPipeline",
    takes={name: name for name in ("prompt", "guidance_scale", "num_inference_steps", "width", "height")},
    evaluated={"transformer": "transformer"},
    hint=None,
    strength=None,
)
"""The sketch is a picture to be edited, which every evaluation reads; the prompt is an instruction."""
FAMILY = Kind(
    name="family",
    pipeline="FamilyPipeline",
    takes={"prompt": "prompt", "hint": "hint"},
    evaluated={"network": "family"},
    hint="lines",
    strength=None,
    encoders=(),
)
"""A family of the literature review (:mod:`s2i_teach.families`): no noise, no steps, nothing to set but the seed."""
KINDS = {kind.name: kind for kind in (IMG2IMG, CONTROL, IMG2IMG_XL, CONTROL_XL, EDIT, FAMILY)}


def kind_for(led: bool, is_xl: bool, is_flow: bool = False) -> Kind:
    """The kind of a pipeline with or without a ControlNet, that is built as SDXL, as a flow, or as Stable Diffusion 1 and 2."""
    wanted = (led, is_xl, is_flow)
    diffusion = (kind for kind in KINDS.values() if not kind.is_family)
    return next(kind for kind in diffusion if (kind.hint is not None, kind.is_xl, kind.is_flow) == wanted)


def kind_of(pipe) -> Kind:
    """The kind of a loaded pipeline.

    Raises:
        InputError: none that is known here, one that is led by several ControlNets, or SDXL's refiner.
    """
    names = {cls.__name__ for cls in type(pipe).__mro__}
    found = next((kind for kind in KINDS.values() if kind.pipeline in names), None)
    if found is None:
        known = " or ".join(kind.pipeline for kind in KINDS.values() if not kind.is_family)
        raise InputError(f"A {type(pipe).__name__} cannot be run here: use load_pipeline, or make a {known}.")
    if type(getattr(pipe, "controlnet", None)).__name__ == "MultiControlNetModel":
        raise InputError("This pipeline has several ControlNets, and one is all that can be run here: give it one.")
    if found.is_xl and pipe.config.get("requires_aesthetics_score"):
        raise InputError("This pipeline is SDXL's refiner, which finishes what SDXL's base begins: use the base alone.")
    return found


def hint_of(pipe) -> str | None:
    """How a pipeline wants its hint made (:data:`s2i_teach.translation.prepare.PENS`), or None where it takes none."""
    entry, usual = find(getattr(pipe, "s2i_model", "")), kind_of(pipe).hint
    return (entry.hint if entry and usual else None) or usual


def evaluated_parts(pipe) -> dict:
    """Title → network, of all that runs in one evaluation, in order."""
    return {title: getattr(pipe, part) for title, part in kind_of(pipe).evaluated.items()}


def networks(pipe) -> list:
    """All networks whose weights decide the picture; the U-Net or transformer, the VAE and the text encoders first."""
    if kind_of(pipe).is_family:
        return [pipe.family]
    first = [denoiser_of(pipe), pipe.vae, *text_encoders(pipe)]
    return first + [part for part in evaluated_parts(pipe).values() if part is not denoiser_of(pipe)]


def has_small_vae(pipe) -> bool:
    """Whether a small VAE encodes and decodes, whose latents have no distribution."""
    return type(getattr(pipe, "vae", None)).__name__ == "AutoencoderTiny"


def is_quantized(pipe) -> bool:
    """Whether most weights are in 4 bits each (:mod:`s2i_teach.models.quantise`)."""
    return getattr(pipe, "s2i_quantized", False)


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
    kind = kind_of(pipe)
    return kind.hint is None and not kind.is_flow and pipe.unet.config.time_cond_proj_dim is not None


def is_guided(pipe, guidance_scale: float) -> bool:
    """Whether each evaluation is done twice, with and without the prompt."""
    if kind_of(pipe).is_flow:  # one that was distilled needs no guidance, and is not told of any
        return guidance_scale > 1 and not pipe.config.is_distilled
    return guidance_scale > 1 and not is_distilled(pipe)


def guesses(pipe) -> bool:
    """Whether the evaluation without the prompt is not led by the sketch either: guidance then leads towards words and lines.

    diffusers' ``guess_mode`` (Zhang et al. 2023), but for its weights, which fall from block to block: each residual keeps its
    whole weight (:func:`keep_scale`).
    """
    entry = find(getattr(pipe, "s2i_model", ""))
    return entry is not None and entry.guess_mode and kind_of(pipe).hint is not None


def keep_scale(controlnet, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """torch's hook before a ControlNet's forward that lets each residual keep its whole weight in guess mode."""
    return args, kwargs | {"guess_mode": False}


def guided_scales(pipe, scale: float, halves: int) -> tuple[float, ...]:
    """What the ControlNet's residuals are multiplied by in the samples of one evaluation of a picture.

    They are two with guidance, the one without the prompt first, or one.
    """
    return (0.0, scale) if halves == 2 and guesses(pipe) else (scale,) * halves


def led_by(scale: float, start: float, end: float, evaluations: int) -> tuple[float, ...]:
    """What the ControlNet's residuals are multiplied by in each evaluation of a run.

    Equals diffusers: ``scale`` in the evaluations that lie whole between the fractions ``start`` and ``end`` of the run,
    0 in the others.
    """
    n = evaluations
    return tuple(scale * (1.0 - float(i / n < start or (i + 1) / n > end)) for i in range(n))


def text_encoders(pipe) -> list:
    """The networks that read the prompt."""
    return [getattr(pipe, name) for name in kind_of(pipe).encoders]


def tokenizers(pipe) -> list:
    """What cuts the prompt into pieces, for each text encoder."""
    return [getattr(pipe, name) for name in ("tokenizer", "tokenizer_2") if hasattr(pipe, name)]


def dtype_of(pipe) -> torch.dtype:
    """The precision of texts, latents and noise: that of the last text encoder, as in diffusers' pipelines."""
    return text_encoders(pipe)[-1].dtype


@dataclass(frozen=True, eq=False)
class Text:
    """Prompts as the U-Net takes them.

    Attributes:
        words: of each token a vector, ``(B, L, D)``; SDXL has those of both text encoders side by side.
        pooled: of each whole prompt one, ``(B, P)``, for SDXL.
    """

    words: torch.Tensor
    pooled: torch.Tensor | None = None

    @staticmethod
    def together(texts: Sequence["Text"]) -> "Text":
        """Several as one batch."""
        pooled = [text.pooled for text in texts if text.pooled is not None]
        return Text(torch.cat([text.words for text in texts]), torch.cat(pooled) if pooled else None)

    def some(self, places: list[int]) -> "Text":
        """Those at some places of the batch."""
        return Text(self.words[places], None if self.pooled is None else self.pooled[places])


@torch.no_grad()
def encode_text(pipe, prompt: str, negative_prompt: str | None) -> tuple[Text, Text | None]:
    """The prompt and the negative prompt, each as a batch of one; None stays None, as without guidance none is needed."""
    if kind_of(pipe).is_flow:
        texts = [prompt] if negative_prompt is None else [prompt, negative_prompt]
        made = [Text(pipe.encode_prompt(prompt=text, device=device_of(pipe))[0]) for text in texts]
        return made[0], made[1] if len(made) > 1 else None
    words, negative, *pooled = pipe.encode_prompt(
        prompt=prompt,
        device=device_of(pipe),
        num_images_per_prompt=1,
        do_classifier_free_guidance=negative_prompt is not None,
        negative_prompt=negative_prompt,
    )
    one, other = pooled or (None, None)
    return Text(words, one), None if negative_prompt is None else Text(negative, other)


def as_arguments(text: Text, negative: Text | None) -> dict[str, torch.Tensor]:
    """Encoded prompts as diffusers' pipelines are called with them, in place of words."""
    given = {"prompt_embeds": text.words, "pooled_prompt_embeds": text.pooled}
    if negative is not None:
        given |= {"negative_prompt_embeds": negative.words, "negative_pooled_prompt_embeds": negative.pooled}
    return {keyword: value for keyword, value in given.items() if value is not None}


def blank_text(pipe, batch: int) -> Text:
    """Zeros in the shape of prompts, where only the time or the cost of an evaluation is asked for."""
    config, like = pipe.unet.config, {"device": device_of(pipe), "dtype": pipe.unet.dtype}
    words = torch.zeros(batch, pipe.tokenizer.model_max_length, config.cross_attention_dim, **like)
    if not kind_of(pipe).is_xl:
        return Text(words)
    return Text(words, torch.zeros(batch, pipe.text_encoder_2.config.projection_dim, **like))


def told(pipe, text: Text, latents: torch.Tensor) -> dict[str, Any]:
    """What U-Net and ControlNet are told beside latents and timesteps, by their own keywords.

    SDXL learned from pictures of all sizes and cuts, and is told them: here that the picture was of the size that it is to be,
    and that nothing was cut off. Equals ``_get_add_time_ids`` of diffusers' pipelines.
    """
    if text.pooled is None:
        return {"encoder_hidden_states": text.words}
    height, width = (side * pipe.vae_scale_factor for side in latents.shape[-2:])
    sizes = torch.tensor([[height, width, 0, 0, height, width]], dtype=text.words.dtype, device=text.words.device)
    added = {"text_embeds": text.pooled, "time_ids": sizes.repeat(len(latents), 1)}
    return {"encoder_hidden_states": text.words, "added_cond_kwargs": added}


def vae_factor(pipe) -> int:
    """Pixels a side of a latent, 2^(resolutions − 1); in a flow of a token, which is two latents wide."""
    return 2 ** (len(pipe.vae.config.block_out_channels) - 1) * (2 if kind_of(pipe).is_flow else 1)


def overflows(pipe) -> bool:
    """Whether the VAE must not run in fp16, as its configuration says and SDXL's pipelines heed."""
    return kind_of(pipe).is_xl and bool(pipe.vae.config.force_upcast)


def encode_picture(pipe, pixels: torch.Tensor):
    """What the VAE's encoder gives for pixels ``(1, 3, H, W)`` in [-1, 1]; :func:`drawn` makes latents of it, not scaled yet."""
    pixels = pixels.to(device_of(pipe), dtype_of(pipe))
    if not overflows(pipe):
        return pipe.vae.encode(pixels)
    pipe.vae.to(dtype=torch.float32)
    try:
        return pipe.vae.encode(pixels.float())
    finally:
        pipe.vae.to(dtype=dtype_of(pipe))


def unpacked(pipe, latents: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Latents as a pipeline's loop has them as a map ``(B, C, h, w)``; a flow's are a row of tokens. ``size`` is in pixels."""
    return unpacked_tokens(pipe, latents, size) if kind_of(pipe).is_flow else latents


def decoder_input(vae, latents: torch.Tensor) -> torch.Tensor:
    """A network's latents ``(B, C, h, w)`` as its VAE decodes them."""
    return vae_latents(vae, latents) if hasattr(vae, "bn") else latents / vae.config.scaling_factor


def decode_latents(pipe, latents: torch.Tensor) -> torch.Tensor:
    """A network's latents ``(B, C, h, w)`` → pixels ``(B, 3, H, W)`` in [-1, 1]."""
    upcast = pipe.vae.dtype == torch.float16 and overflows(pipe)
    if upcast:
        # Which layers stay in fp16 differs between versions of diffusers; the pipeline knows.
        getattr(pipe, "upcast_vae", pipe.vae.float)()
        latents = latents.to(next(pipe.vae.post_quant_conv.parameters()).dtype)
    try:
        return pipe.vae.decode(decoder_input(pipe.vae, latents), return_dict=False)[0]
    finally:
        if upcast:
            pipe.vae.to(dtype=torch.float16)


def look_over(pipe, pixels: torch.Tensor) -> tuple[torch.Tensor, list[bool] | None]:
    """What a pipeline does with decoded pixels: the safety checker blackens some and says which; SDXL's may leave a watermark."""
    if not kind_of(pipe).is_xl:
        return pipe.run_safety_checker(pixels, device_of(pipe), dtype_of(pipe))
    return (pixels if pipe.watermark is None else pipe.watermark.apply_watermark(pixels)), None


def hint_tensor(pipe, hint) -> torch.Tensor:
    """A hint as the network takes it: a PIL image → ``(1, 3, H, W)`` in [0, 1]."""
    return pipe.prepare_control_image(hint, None, None, 1, 1, device_of(pipe), pipe.controlnet.dtype)


def evaluate(
    pipe,
    latents: torch.Tensor,
    t: torch.Tensor,
    text: Text,
    *,
    hint: torch.Tensor | None = None,
    scales: Sequence[float] = (),
    timestep_cond: torch.Tensor | None = None,
) -> torch.Tensor:
    """One evaluation as diffusers' pipeline does it, of samples that may differ in everything but their size.

    Args:
        latents: ``(B, C, h, w)``, scaled as the scheduler wants them.
        t: timesteps, ``(B,)``.
        text: of each sample.
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
            controlnet_cond=hint[led],
            # In fp32, and rounded once: as half precision is multiplied by a Python number, which is diffusers' way.
            conditioning_scale=torch.tensor([scales[i] for i in led], device=latents.device).view(-1, 1, 1, 1),
            return_dict=False,
            **told(pipe, text.some(led), latents[led]),
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
    given = {**told(pipe, text, latents), **residuals}
    return pipe.unet(latents, t, timestep_cond=timestep_cond, return_dict=False, **given)[0]
