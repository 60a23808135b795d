"""Flow-matching models that edit a picture (FLUX.2 [klein]): what is theirs alone, for :mod:`s2i_teach.models.kinds`.

In a flow (Lipman et al. 2023, Liu et al. 2023) x_t = (1 − σ) · x_0 + σ · noise, with σ from 1 to 0, and the network predicts the
velocity v = noise − x_0, so x̂_0 = x_t − σ · v. There is no √ᾱ. An editing model starts at pure noise, σ = 1. The sketch is not in
the noisy latents: it stands beside them, as more tokens that every evaluation reads.
"""

import numpy as np
import torch

from s2i_teach.errors import InputError
from s2i_teach.files import shown

NEEDS = "0.37.1"
"""The diffusers that has the pipeline."""
LEAST_SIDE, MOST_ASPECT = 64, 8
"""Pixels, and a ratio: what the pipeline takes as a picture to be edited."""


def check_available(pipeline: str) -> None:
    """Refuse where the diffusers that is installed does not know a pipeline.

    Raises:
        InputError: it is too old.
    """
    import diffusers

    if not hasattr(diffusers, pipeline):
        raise InputError(f'A {pipeline} needs diffusers {NEEDS} or newer: pip install -U "diffusers>={NEEDS}".')


def check_flow_size(size: tuple[int, int]) -> tuple[int, int]:
    """A size that a sketch can be read at.

    Raises:
        InputError: it is too small or too long.
    """
    width, height = size
    if min(size) < LEAST_SIDE or max(size) > MOST_ASPECT * min(size):
        raise InputError(
            f"The size {width} × {height} cannot be edited: give sides from {LEAST_SIDE} pixels, the longer at most "
            f"{MOST_ASPECT} times the shorter."
        )
    return size


def check_guidance(pipe, guidance_scale: float | None) -> None:
    """Refuse a guidance scale where it would change nothing.

    Raises:
        InputError: the model was distilled, and diffusers would only log that it ignores the scale.
    """
    if pipe.config.is_distilled and guidance_scale not in (None, 1):
        raise InputError(
            f"guidance_scale is {guidance_scale:g}, and {shown(getattr(pipe, 's2i_model', 'this pipeline'))} was distilled "
            "to run without guidance: leave it out."
        )


def usual_settings(pipe) -> tuple[int, float]:
    """Steps and guidance scale of a model that is not in the catalog: few and 1 where it was distilled."""
    return (4, 1.0) if pipe.config.is_distilled else (50, 4.0)


def usual_size(pipe) -> tuple[int, int]:
    """``(width, height)`` in pixels that the pipeline itself takes."""
    side = pipe.default_sample_size * pipe.vae_scale_factor
    return side, side


def tokens_of(pipe, size: tuple[int, int]) -> tuple[int, int]:
    """``(h, w)``: the tokens that stand for a picture of ``(width, height)`` pixels, each for 2 × 2 latents."""
    factor = 2 * pipe.vae_scale_factor
    return size[1] // factor, size[0] // factor


def set_sigmas(scheduler, pipe, num_inference_steps: int, size: tuple[int, int], device) -> None:
    """Set a run's σ as ``Flux2KleinPipeline`` does: evenly from 1 to 1/N, then shifted by μ, which grows with the size.

    The more tokens a picture has, the more of the run is spent at much noise (Esser et al. 2024, section 5.3.2).
    """
    from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu

    h, w = tokens_of(pipe, size)
    own = scheduler.config.get("use_flow_sigmas")
    sigmas = None if own else np.linspace(1.0, 1 / num_inference_steps, num_inference_steps)
    mu = compute_empirical_mu(image_seq_len=h * w, num_steps=num_inference_steps)
    if sigmas is None:
        scheduler.set_timesteps(num_inference_steps, device=device, mu=mu)
    else:
        scheduler.set_timesteps(sigmas=sigmas, device=device, mu=mu)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)


def unpacked_tokens(pipe, latents: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The transformer's tokens ``(B, h·w, C)``, row by row, as a map ``(B, C, h, w)``."""
    return latents.transpose(1, 2).unflatten(2, tokens_of(pipe, size))


def vae_latents(vae, maps: torch.Tensor) -> torch.Tensor:
    """The transformer's map ``(B, 4·C, h, w)`` as latents ``(B, C, 2h, 2w)`` that the VAE decodes.

    As at the end of ``Flux2KleinPipeline.__call__``: the batch norm is undone, and each place spread over 2 × 2.
    """
    mean = vae.bn.running_mean.view(1, -1, 1, 1).to(maps)
    std = torch.sqrt(vae.bn.running_var.view(1, -1, 1, 1) + vae.config.batch_norm_eps).to(maps)
    z = (maps * std + mean).unflatten(1, (-1, 2, 2))  # (B, C, 2, 2, h, w)
    return z.permute(0, 1, 4, 2, 5, 3).flatten(4, 5).flatten(2, 3)


def places(*, texts: int = 0, h: int = 0, w: int = 0, t: int = 0) -> torch.Tensor:
    """``(1, L, 4)``: where tokens stand in time, height, width and text, by which the transformer tells them apart.

    Equals the pipeline's own: the picture is at time 0, the sketch at 10.
    """
    one = torch.zeros(1, dtype=torch.long)
    if texts:
        return torch.cartesian_prod(one, one, one, torch.arange(texts))[None]
    return torch.cartesian_prod(one + t, torch.arange(h), torch.arange(w), one)[None]


def evaluate_flow(transformer, latents: torch.Tensor, sketch: torch.Tensor, t: torch.Tensor, words) -> torch.Tensor:
    """One evaluation as the pipeline does it: the velocity of the picture's tokens, ``(B, h·w, C)``.

    Args:
        latents, sketch: maps ``(B, C, h, w)`` of what becomes the picture and of the sketch.
        t: timesteps, ``(B,)``, 0 to 1000.
        words: ``(B, L, D)``.
    """
    h, w = latents.shape[-2:]
    ids = torch.cat([places(h=h, w=w), places(h=h, w=w, t=10)], dim=1).to(latents.device)
    tokens = torch.cat([latents.flatten(2).transpose(1, 2), sketch.flatten(2).transpose(1, 2)], dim=1)
    velocity = transformer(
        hidden_states=tokens,
        timestep=(t / 1000).to(tokens.dtype),
        guidance=None,
        encoder_hidden_states=words,
        txt_ids=places(texts=words.shape[1]).expand(len(tokens), -1, -1).to(latents.device),
        img_ids=ids.expand(len(tokens), -1, -1),
        return_dict=False,
    )[0]
    return velocity[:, : h * w]


def blank_words(pipe, batch: int) -> torch.Tensor:
    """Zeros in the shape of prompts, where only the time or the cost of an evaluation is asked for."""
    like = {"device": pipe._execution_device, "dtype": pipe.transformer.dtype}
    return torch.zeros(batch, pipe.tokenizer_max_length, pipe.transformer.config.joint_attention_dim, **like)


def unread(pipe, prompt: str) -> tuple[int, str]:
    """``(room, lost)``: how many pieces of a prompt are read, and what of it is cut off.

    The prompt is put into a chat's frame first, of which the beginning takes some of the tokens.
    """
    tokenizer, most = pipe.tokenizer, pipe.tokenizer_max_length
    chat = [{"role": "user", "content": prompt}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    begins = max(0, text.find(prompt))
    spans = tokenizer(text, return_offsets_mapping=True, verbose=False)["offset_mapping"]
    room = most - sum(start < begins for start, _ in spans)
    if len(spans) <= most:
        return room, ""
    return room, text[max(begins, spans[most][0]) : begins + len(prompt)].strip()
