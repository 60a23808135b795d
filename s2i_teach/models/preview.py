"""A quick look at latents: the VAE's own decoder where it is fast, else a linear map fitted to it."""

import time
from weakref import WeakKeyDictionary

import torch

from s2i_teach.images import to_picture
from s2i_teach.models.devices import wait_for

FAST = 0.15
"""Seconds; a decoder that takes longer is stood in for by the linear map."""
FITTED_ON = 4
FIT_SIDE = 256
PATCHES = 12

_decoders: WeakKeyDictionary = WeakKeyDictionary()


@torch.no_grad()
def preview(pipe, latents: torch.Tensor):
    """Latents ``(1, C, h, w)``, as the U-Net has them, as an RGB picture; cheap beside an evaluation of the U-Net.

    The first call for a pipeline measures its decoder and, where that is slow, fits a map from a latent pixel to a colour
    by least squares. A mapped preview has one pixel for each latent one.
    """
    if pipe not in _decoders:
        _decoders[pipe] = None if _decoding_seconds(pipe, latents) < FAST else linear_map(pipe)
    colours = _decoders[pipe]
    z = (latents / pipe.vae.config.scaling_factor).to(pipe.vae.dtype)
    if not torch.isfinite(z).all():
        z = torch.nan_to_num(z)  # the run itself tells, with a sentence
    if colours is None:
        return to_picture(pipe.vae.decode(z).sample.float())
    channels = torch.cat([z.float().cpu(), torch.ones(1, 1, *z.shape[2:])], dim=1)
    return to_picture(torch.einsum("bchw,cd->bdhw", channels, colours))


@torch.no_grad()
def _decoding_seconds(pipe, latents: torch.Tensor) -> float:
    """Of the second decoding of a latent of this size."""
    z = torch.zeros_like(latents, dtype=pipe.vae.dtype)
    pipe.vae.decode(z)
    wait_for(pipe.device)
    started = time.perf_counter()
    pipe.vae.decode(z)
    wait_for(pipe.device)
    return time.perf_counter() - started


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
        z = pipe.vae.encode(picture.to(pipe.device, pipe.vae.dtype)).latent_dist.mode().float().cpu()
        small = torch.nn.functional.adaptive_avg_pool2d(picture, z.shape[2:])
        rows.append(torch.cat([z, torch.ones(1, 1, *z.shape[2:])], dim=1).flatten(2)[0].T)
        colours.append(small.flatten(2)[0].T)
    return torch.linalg.lstsq(torch.cat(rows), torch.cat(colours)).solution
