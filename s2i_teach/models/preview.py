"""A quick look at latents: by a small decoder that comes with the model, else the VAE's own where that is fast, else a
linear map fitted to it."""

import time
from collections.abc import Callable
from pathlib import Path
from weakref import WeakKeyDictionary

import torch

from s2i_teach.images import to_picture
from s2i_teach.models.devices import device_of, wait_for
from s2i_teach.models.kinds import decoder_input, encode_picture, likeliest, overflows
from s2i_teach.models.shims import dtype_keyword, quiet_loading

FAST = 0.15
"""Seconds; a decoder that takes longer is stood in for by the linear map."""
FOLDER = "preview_decoder"
"""Beside the model's parts: a diffusers ``AutoencoderTiny`` that takes the U-Net's own latents."""
PIECE = 16
FITTED_ON = 2
FIT_SIDE = 256
PATCHES = 12

_decoders: WeakKeyDictionary = WeakKeyDictionary()


def load_small_vae(folder: Path, dtype: torch.dtype):
    """A diffusers ``AutoencoderTiny`` from a folder."""
    from diffusers import AutoencoderTiny

    with quiet_loading():  # diffusers warns of what it wrote into the configuration itself
        options = {dtype_keyword(): dtype, "use_safetensors": True, "local_files_only": True}
        return AutoencoderTiny.from_pretrained(str(folder), **options)


@torch.no_grad()
def preview(pipe, latents: torch.Tensor):
    """Latents ``(1, C, h, w)``, as the network has them, as an RGB picture; cheap beside an evaluation of the network.

    The first call for a pipeline looks for its small decoder; without one it times the VAE's, and where that is slow fits a
    map from a latent pixel to a colour by least squares. A mapped preview has one pixel for each latent one.
    """
    if not torch.isfinite(latents).all():
        latents = torch.nan_to_num(latents)  # the run itself tells, with a sentence
    if pipe not in _decoders:
        _decoders[pipe] = _pick_decoder(pipe, latents)
    return _decoders[pipe](latents)


def _pick_decoder(pipe, latents: torch.Tensor) -> Callable:
    """The best cheap way from this pipeline's latents to a picture. What it returns must not keep the pipeline alive."""
    vae = pipe.vae
    folder = getattr(pipe, "s2i_small_vae", None) or Path(getattr(pipe, "s2i_folder", "")) / FOLDER
    if (folder / "config.json").is_file():
        small = load_small_vae(folder, vae.dtype).to(device_of(pipe))
        return lambda z: to_picture(small.decode(z.to(small.dtype)).sample.float())
    half = vae.dtype == torch.float16
    if not (half and overflows(pipe)) and _decoding_seconds(pipe, decoder_input(vae, latents)) < FAST:
        return lambda z: to_picture(vae.decode(decoder_input(vae, z).to(vae.dtype)).sample.float())
    colours = linear_map(pipe)

    def mapped(z: torch.Tensor):
        z = decoder_input(vae, z).float().cpu()
        return to_picture(torch.einsum("bchw,cd->bdhw", torch.cat([z, torch.ones_like(z[:, :1])], dim=1), colours))

    return mapped


@torch.no_grad()
def _decoding_seconds(pipe, latents: torch.Tensor) -> float:
    """Of a decoding of this size, judged by a small piece: at Stable Diffusion's size one takes seconds on a CPU."""
    z = torch.zeros_like(latents[..., :PIECE, :PIECE], dtype=pipe.vae.dtype)
    pipe.vae.decode(z)
    wait_for(device_of(pipe))
    started = time.perf_counter()
    pipe.vae.decode(z)
    wait_for(device_of(pipe))
    return (time.perf_counter() - started) * latents[0, 0].numel() / z[0, 0].numel()


@torch.no_grad()
def linear_map(pipe) -> torch.Tensor:
    """``(C + 1, 3)``: the linear map from unscaled latents and a constant to colours that fits this VAE best.

    By least squares on pairs that the VAE itself makes: pictures of soft random colours, and their latents.
    """
    generator = torch.Generator().manual_seed(0)
    rows, colours = [], []
    for _ in range(FITTED_ON):
        patches = 2 * torch.rand(1, 3, PATCHES, PATCHES, generator=generator) - 1
        picture = torch.nn.functional.interpolate(patches, (FIT_SIDE, FIT_SIDE), mode="bilinear")
        z = likeliest(encode_picture(pipe, picture)).float().cpu()
        small = torch.nn.functional.adaptive_avg_pool2d(picture, (z.shape[2], z.shape[3]))
        rows.append(torch.cat([z, torch.ones(1, 1, *z.shape[2:])], dim=1).flatten(2)[0].T)
        colours.append(small.flatten(2)[0].T)
    return torch.linalg.lstsq(torch.cat(rows), torch.cat(colours)).solution
