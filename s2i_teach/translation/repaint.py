"""A part of a picture is drawn anew, and the rest stays."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

from s2i_teach.errors import InputError
from s2i_teach.files import as_path, shown, written
from s2i_teach.images import fit_to, identified, read_picture, to_tensor
from s2i_teach.models.devices import device_of
from s2i_teach.models.kinds import drawn, encode_picture, kind_of
from s2i_teach.models.load import shared_pipeline
from s2i_teach.theory.inpaint import mask_to_latents
from s2i_teach.translation.result import Result
from s2i_teach.translation.run import run
from s2i_teach.translation.settings import Resolved, Settings, vae_factor


def repaint(
    picture,
    mask,
    prompt: str,
    *,
    pipe=None,
    strength: float = 1.0,
    guidance_scale: float | None = None,
    num_inference_steps: int | None = None,
    seed: int = 0,
    negative_prompt: str = "",
    size: tuple[int, int] | None = None,
    fit: str = "pad",
    scheduler: str | None = None,
    style: str | None = None,
    style_weight: float | None = None,
    paste: bool = True,
    on_step: Callable[[int, int], None] | None = None,
) -> Result:
    """Draw the masked part of a picture anew, by a model that knows nothing of masks; the rest stays.

    After each step the latents outside the mask are put back, noised as the others are (blended latent diffusion,
    Avrahami et al. 2022; :func:`s2i_teach.theory.inpaint.blend`). A latent stands for a block of 8 × 8 pixels, and a
    block that the mask touches is drawn anew as a whole.

    Equal, but for one level of 255 by rounding, to diffusers' ``StableDiffusionInpaintPipeline`` with the same U-Net of four
    channels, a mask of whole blocks, strength below 1, ``paste=False`` and a sampler that adds no noise of its own. At
    strength 1 that pipeline starts from noise alone, and this one from the picture at the schedule's noisiest level, where
    next to nothing of it is left.

    Args:
        picture: a :class:`Result`, or anything that :func:`s2i_teach.open_sketch` opens; it is taken as it is.
        mask: white where the picture is drawn anew, black where it stays: ``pad.mask``, the pad itself, any picture, or an array
            or a tensor of 0 and 1. It is brought to the picture's size as the picture is.
        prompt: what the *whole* picture shows afterwards, or what is in the part.
        pipe: from :func:`s2i_teach.load_pipeline`, or a model's name; None is ``"mini"``. A model that starts from a picture, as
            ``"mini"``, ``"sd15"`` and their fast ones.
        strength: 1 draws the part from noise in which next to nothing of it is left; less keeps more of what was there.
        guidance_scale, num_inference_steps, seed, negative_prompt, size, fit, scheduler, style, style_weight: see
            :class:`s2i_teach.Settings`.
        paste: put the picture's own pixels back outside the blocks; else all pixels come from the VAE's decoder.
        on_step: called as ``on_step(done, total)`` after every evaluation.

    Raises:
        InputError: a mask with nothing to draw anew, a model that cannot do it, or what :func:`s2i_teach.translate` refuses.
    """
    settings = Settings(
        prompt,
        negative_prompt,
        strength,
        guidance_scale,
        num_inference_steps,
        seed,
        size,
        "picture",
        fit,
        scheduler=scheduler,
        style=style,
        style_weight=style_weight,
    )
    if not isinstance(paste, bool):
        raise InputError(f"paste must be True or False, not {written(paste)}.")
    if pipe is None or isinstance(pipe, str):
        pipe = shared_pipeline(pipe or "mini")
    return run_repaint(picture, mask, settings, pipe, paste, on_step)


def run_repaint(picture, mask, settings: Settings, pipe, paste: bool = True, on_step=None) -> Result:
    """:func:`repaint` with its settings in one object."""
    if kind_of(pipe).name != "img2img":
        raise InputError(
            f"{shown(getattr(pipe, 's2i_model', 'This pipeline'))} cannot repaint a part: use a model that starts from a "
            'picture, such as "mini".'
        )
    resolved = settings.resolved(pipe)
    area = open_mask(mask, resolved.size, resolved.fit)
    blocks = mask_to_latents(torch.from_numpy(np.asarray(area) / np.float32(255))[None, None], vae_factor(pipe))
    blending = Blend(blocks, resolved)
    made = run(picture, resolved, pipe, on_step, blend=blending)
    image = made.image
    if paste:
        enlarged = blocks[0, 0].repeat_interleave(vae_factor(pipe), 0).repeat_interleave(vae_factor(pipe), 1)
        where = Image.fromarray((enlarged.numpy() * 255).astype(np.uint8))
        image = Image.composite(image, made.sketch, where)
    return replace(made, image=image, mask=area, pasted=paste)


def open_mask(mask, size: tuple[int, int], fit: str = "pad") -> Image.Image:
    """A mask at ``size``, "L", of 0 and 255 alone: 255 where the picture is drawn anew.

    ``mask`` is a pad with a mask on it, or any picture whose white says where; grey counts from the middle on, and what is
    transparent stays. An array or a tensor of 0 and 1, or of floats in [0, 1], is a mask as well. Where the mask has another
    shape than the picture, its margins stay as they are.

    Raises:
        InputError: no mask, or one with nothing to draw anew.
    """
    nothing = InputError("The mask is empty: paint white what is to be drawn anew, or use the pad's mask brush.")
    mask = mask.mask if hasattr(mask, "page") else mask  # a pad: not its drawing
    if mask is None:  # a pad's mask with no mark on it
        raise nothing
    if isinstance(mask, torch.Tensor):  # (H, W), (1, H, W) or (1, 1, H, W)
        mask = mask.detach().cpu().float() if mask.is_floating_point() else mask.detach().cpu()
        mask = (mask[0] if mask.ndim == 4 and len(mask) == 1 else mask).numpy()
    if isinstance(mask, np.ndarray):
        mask = mask[0] if mask.ndim == 3 and len(mask) == 1 else mask
        if mask.dtype.kind in "iu" and mask.size and mask.max() <= 1:
            mask = mask > 0
    opened = read_picture(mask)
    opaque = _opacity(mask)
    if opaque is not None:
        opened = Image.composite(opened, Image.new("RGB", opened.size), opaque.resize(opened.size))
    opened = ImageOps.invert(fit_to(ImageOps.invert(opened), size, fit)).convert("L")
    area = opened.point([255 if level >= 128 else 0 for level in range(256)])
    if area.getextrema()[1] == 0:
        raise nothing
    return area


def _opacity(mask) -> Image.Image | None:
    """How opaque a picture, or a picture's file that can be read, is at each place, "L"; None where it has no transparency."""
    if isinstance(mask, (str, os.PathLike)):
        with as_path(mask).open("rb") as file, identified(file) as opened:
            return _opacity(opened)
    if not isinstance(mask, Image.Image) or not mask.has_transparency_data:
        return None
    return ImageOps.exif_transpose(mask.convert("RGBA")).getchannel("A")


class Blend:
    """Puts the known latents back after each step of a run, noised as those of diffusers' inpainting pipeline.

    Args:
        blocks: ``(1, 1, h, w)``, 1 where the picture is drawn anew.
        settings: of the run.
    """

    def __init__(self, blocks: torch.Tensor, settings: Resolved):
        self.blocks, self.settings = blocks, settings
        self.known: torch.Tensor | None = None
        self.noise: torch.Tensor | None = None

    def begin(self, pipe, picture: Image.Image) -> None:
        """Draw again what the pipeline draws at its beginning: the picture's latents, then the noise."""
        generator = torch.Generator("cpu").manual_seed(self.settings.seed)
        encoded = encode_picture(pipe, to_tensor(picture)[None])
        known = drawn(encoded, generator).to(pipe.unet.dtype) * pipe.vae.config.scaling_factor
        noise = torch.randn(known.shape, generator=generator, dtype=known.dtype)
        self.known, self.noise = known, noise.to(device_of(pipe))
        self.blocks = self.blocks.to(known)

    def __call__(self, pipe, step: int, latents: torch.Tensor) -> torch.Tensor:
        """The latents after step number ``step``, with the known part put back at the level that they have come to."""
        timesteps = pipe.scheduler.timesteps[-pipe.num_timesteps :]
        known: Any = self.known
        if step + 1 < len(timesteps):
            known = pipe.scheduler.add_noise(self.known, self.noise, timesteps[step + 1 : step + 2])
        return (1 - self.blocks) * known + self.blocks * latents
