"""A part of a picture is drawn anew, and the rest stays: the network that draws whole pictures is told at each step.

The rest is known, so its noisy version at any level is known as well. After each step it is put back in its place
(Song et al. 2020, arXiv 2011.13456, appendix I.2; Avrahami et al. 2021 and 2022, blended diffusion; Lugmayr et al. 2022,
RePaint). Masks are 1 where a picture is drawn anew and 0 where it stays.
"""

from collections.abc import Callable

import torch

from s2i_teach.theory.forward import add_noise_from


def mask_to_latents(mask: torch.Tensor, factor: int = 8) -> torch.Tensor:
    """A mask of pixels as a mask of latents: 1 wherever any of a latent's pixels is to be drawn anew.

    ``mask`` is ``(B, 1, H, W)`` in [0, 1] with sides that ``factor`` divides; a pixel counts from 0.5 on. Returns
    ``(B, 1, H / factor, W / factor)`` of 0 and 1. diffusers takes each block's pixel at the top left for all of it
    (``interpolate``, "nearest"), by which a thin line may get lost.

    Raises:
        ValueError: a side that ``factor`` does not divide.
    """
    if mask.shape[-1] % factor or mask.shape[-2] % factor:
        raise ValueError(f"A mask of {mask.shape[-1]} × {mask.shape[-2]} pixels has no whole blocks of {factor}.")
    return torch.nn.functional.max_pool2d((mask >= 0.5).to(mask.dtype), factor)


def blend(
    x: torch.Tensor, known: torch.Tensor, mask: torch.Tensor, noise: torch.Tensor, a: torch.Tensor | float
) -> torch.Tensor:
    """mask · x + (1 − mask) · (√ᾱ · known + √(1 − ᾱ) · noise): what is known is put back, noised as x is.

    ``a`` is ᾱ of the level that x *has come to* by the step; 1 after the last one, which gives the known part as it is.
    ``x``, ``known`` and ``noise`` are ``(B, C, H, W)``, ``mask`` ``(B, 1, H, W)``. RePaint, equation 8.
    """
    return mask * x + (1 - mask) * (a**0.5 * known + (1 - a) ** 0.5 * noise)


def repaint_schedule(steps: int, jump: int = 1, times: int = 1) -> list[int]:
    """How many steps from the end a run stands, from the start to 0: down, and again and again up and down.

    After each ``jump`` steps down it goes ``jump`` steps up, ``times`` − 1 times, and then on (RePaint, section 4.2 and
    algorithm 1). ``steps`` = 4, 2 jumps, 2 times: 4 3 2 3 4 3 2 1 0 1 2 1 0. 1 time is the plain way down.

    Raises:
        ValueError: a number below 1.
    """
    if min(steps, jump, times) < 1:
        raise ValueError(f"{steps} steps, jumps of {jump}, {times} times: each must be at least 1.")
    visited, place = [steps], steps
    while place > 0:
        low = max(0, place - jump)
        for again in range(times):
            visited += range(low + 1, place + 1) if again else ()
            visited += range(place - 1, low - 1, -1)
        place = low
    return visited


def inpaint(
    known: torch.Tensor,
    mask: torch.Tensor,
    predict_eps: Callable[[torch.Tensor, int], torch.Tensor],
    alpha_bar: torch.Tensor,
    timesteps: list[int],
    step: Callable,
    generator: torch.Generator,
    *,
    fixed_noise: bool = True,
    jump: int = 1,
    times: int = 1,
    final: float = 1.0,
) -> torch.Tensor:
    """A picture ``(B, C, H, W)`` whose masked part is drawn anew from pure noise; the rest is ``known`` to the bit.

    Args:
        known: the picture, pixels in [−1, 1] or scaled latents; ``mask`` ``(B, 1, H, W)``.
        predict_eps, alpha_bar, timesteps, step, final: as in :func:`~s2i_teach.theory.sdedit.sdedit`.
        fixed_noise: one noise for the known part at all levels, as in diffusers; else fresh noise each time, as in RePaint.
        jump, times: RePaint's jumps back, :func:`repaint_schedule`.
    """

    def fresh() -> torch.Tensor:
        return torch.randn(known.shape, generator=generator, dtype=known.dtype)

    noise = fresh()
    x = noise if fixed_noise else fresh()
    visited = repaint_schedule(len(timesteps), jump, times)
    order = [-1, *reversed(timesteps)]  # place → timestep; at 0 the picture is finished
    for place, following in zip(visited, visited[1:], strict=False):
        t = order[place]
        if following > place:
            x = add_noise_from(x, fresh(), alpha_bar, t, order[following])
            continue
        after = alpha_bar[order[following]].item() if following else final
        x = step(x, predict_eps(x, t), alpha_bar[t].item(), after, fresh())
        x = blend(x, known, mask, noise if fixed_noise else fresh(), after if following else 1.0)
    return x
