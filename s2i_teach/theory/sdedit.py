"""A sketch becomes a picture: noise it part of the way, then denoise (Meng et al. 2021, SDEdit, algorithm 1)."""

from collections.abc import Callable

import torch

from s2i_teach.theory.forward import add_noise


def start_step(num_inference_steps: int, strength: float) -> int:
    """How many of the sampler's steps are skipped: N − int(N · strength), as in Stable Diffusion's img2img.

    Strength 1 skips none, and the sketch is nearly drowned. Strength 0.3 skips 70 of 100.

    Raises:
        ValueError: strength outside (0, 1], or so small that no step is left.
    """
    if not 0 < strength <= 1:
        raise ValueError(f"Strength lies above 0 and up to 1: {strength} does not.")
    run = min(int(num_inference_steps * strength), num_inference_steps)
    if run == 0:
        raise ValueError(f"Strength {strength} of {num_inference_steps} steps leaves none: raise one of the two.")
    return num_inference_steps - run


def signal_left(alpha_bar: torch.Tensor, timesteps: list[int], strength: float) -> float:
    """√ᾱ at the timestep where the denoising starts, in (0, 1]: how much of the sketch's amplitude is in the first x_t.

    ``alpha_bar`` is ``(T,)``; ``timesteps`` are those of all the sampling steps, the noisiest first.
    """
    first = timesteps[start_step(len(timesteps), strength)]
    return alpha_bar[first].sqrt().item()


def sdedit(
    z: torch.Tensor,
    predict_eps: Callable[[torch.Tensor, int], torch.Tensor],
    alpha_bar: torch.Tensor,
    timesteps: list[int],
    strength: float,
    step: Callable,
    generator: torch.Generator,
    final: float = 1.0,
) -> torch.Tensor:
    """From the sketch ``z`` to a picture, both ``(B, …)``: pixels in [−1, 1] or scaled latents.

    Args:
        predict_eps: ``predict_eps(x_t, t)`` gives ε̂, guidance included.
        alpha_bar: ᾱ ``(T,)``.
        timesteps: of all the sampling steps, the noisiest first: :func:`~s2i_teach.theory.sampler.spaced_timesteps`.
        strength: the share of them that run: :func:`start_step`.
        step: ``step(x_t, eps, a, a_prev, noise)`` gives x_prev: ``ddpm_step``, ``ddim_step``, or one of one's own.
        generator: all noise comes from it, the sketch's first.
        final: ᾱ where the last step ends. 1 is no noise. Stable Diffusion's DDIM ends at ``alpha_bar[0]``, which is the
            paper's ᾱ_1: the picture at t = 0 has a first bit of noise.
    """
    times = timesteps[start_step(len(timesteps), strength) :]
    eps = torch.randn(z.shape, generator=generator, dtype=z.dtype)
    x = add_noise(z, eps, alpha_bar, torch.full((len(z),), times[0]))
    levels = [*alpha_bar[torch.tensor(times)].tolist(), final]
    for t, a, a_prev in zip(times, levels, levels[1:], strict=False):
        eps = predict_eps(x, t)
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        x = step(x, eps, a, a_prev, noise)
    return x
