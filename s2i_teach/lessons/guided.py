"""The miniature with the guidance laid open: what it compares with, and how, is a function that a lesson writes."""

import copy
from collections.abc import Callable
from itertools import pairwise

import torch

from s2i_teach.images import to_picture
from s2i_teach.theory.distil import jump
from s2i_teach.theory.sampler import levels_of, spaced_timesteps

Guide = Callable[[float, torch.Tensor, torch.Tensor], torch.Tensor]
"""t, what it is compared with, and what the words say: both ``(B, 4, h, w)`` → what the step follows."""


@torch.no_grad()
def guided_pictures(pipe, prompts: list[str], guide: Guide, *, steps: int = 20, seed: int = 0, worse=None) -> list:
    """PIL pictures of the prompts from noise alone, by DDIM in ``steps`` evenly spaced steps; one batch.

    ``guide(t, other, conditional)`` gives the prediction that a step follows. ``other`` is the U-Net's own answer without words, or,
    where ``worse`` is given, the answer of that U-Net *with* them. ``pipe`` predicts v, as the miniature does. Each prompt has noise
    of its own from ``seed``, so a prompt's place in the list decides its noise.
    """
    text, nothing = pipe.encode_prompt(prompts, pipe.device, 1, True)
    other_text = nothing if worse is None else text
    generator = torch.Generator().manual_seed(seed)
    side = pipe.unet.config.sample_size
    x = torch.randn((len(prompts), pipe.unet.config.in_channels, side, side), generator=generator).to(text)
    alpha_bar = pipe.scheduler.alphas_cumprod
    stops = spaced_timesteps(steps, len(alpha_bar), "trailing")
    for t, (a, a_next) in zip(stops, pairwise(levels_of(alpha_bar, stops)), strict=True):
        conditional = pipe.unet(x, t, text, return_dict=False)[0]
        other = (worse or pipe.unet)(x, t, other_text, return_dict=False)[0]
        x = jump(x, guide(t, other, conditional), a, a_next)
    decoded = pipe.vae.decode(x / pipe.vae.config.scaling_factor, return_dict=False)[0]
    return [to_picture(picture) for picture in decoded.clamp(-1, 1)]


class _ItselfAlone:
    """Attention in which each place looks at itself alone, so that its value passes through."""

    def __call__(self, attn, hidden_states, *_, **__):
        return attn.to_out[1](attn.to_out[0](attn.to_v(hidden_states)))


def worsened(unet):
    """A copy of a U-Net whose places no longer look at one another: each self-attention map is the identity.

    A worse version of the same network, as autoguidance asks for (Karras et al. 2024, arXiv 2406.02507). There it is smaller and
    less trained. The miniature has no such sister, so it is crippled, which is what perturbed-attention guidance compares with (Ahn
    et al. 2024, arXiv 2403.17377).
    """
    bad = copy.deepcopy(unet)
    bad.set_attn_processor(
        {name: _ItselfAlone() if "attn1" in name else old for name, old in unet.attn_processors.items()}
    )
    return bad
