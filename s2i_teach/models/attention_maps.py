"""Where a U-Net looks for each word: the cross-attention's weights, recorded or changed as it runs."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from s2i_teach.errors import InputError


@dataclass
class Seen:
    """One cross-attention in one evaluation: the layer's name and its weights, ``(B, heads, h·w, tokens)``."""

    layer: str
    weights: torch.Tensor


@contextmanager
def recorded_attention(unet):
    """Within this context every cross-attention of ``unet`` notes its weights; yields the list of :class:`Seen`.

    The U-Net computes the same as before, by diffusers' own ``AttnProcessor``, which makes the weights as a matrix and
    is a little slower than the fused one that is put back at the end.

    Raises:
        InputError: the network has no cross-attention, as FLUX's transformer has none: words and picture are one sequence.
    """
    seen: list[Seen] = []

    def noted(layer: str, weights: torch.Tensor) -> torch.Tensor:
        seen.append(Seen(layer, weights.detach()))
        return weights

    with changed_attention(unet, noted):
        yield seen


@contextmanager
def changed_attention(unet, change: Callable[[str, torch.Tensor], torch.Tensor]):
    """Within this context every cross-attention of ``unet`` uses ``change(layer, weights)`` in place of its weights.

    Weights are ``(B, heads, h·w, tokens)``; with guidance the batch's first half is without words. Prompt-to-prompt
    (Hertz et al. 2022) is a change of the second half's: :func:`s2i_teach.theory.prompt_to_prompt.edited_maps`.

    Raises:
        InputError: as :func:`recorded_attention`.
    """
    if not any(".attn2." in name for name in unet.attn_processors):
        raise InputError(f"A {type(unet).__name__} has no cross-attention whose maps could be shown: use a U-Net's.")
    from diffusers.models.attention_processor import AttnProcessor

    class Changer(AttnProcessor):
        def __init__(self, layer: str):
            super().__init__()
            self.layer = layer

        def __call__(self, attn, *args, **kwargs):
            scores = attn.get_attention_scores

            def changed(query, key, mask=None):
                weights = scores(query, key, mask)
                return change(self.layer, weights.unflatten(0, (-1, attn.heads))).flatten(0, 1)

            attn.get_attention_scores = changed
            try:
                return super().__call__(attn, *args, **kwargs)
            finally:
                del attn.get_attention_scores

    before = dict(unet.attn_processors)
    unet.set_attn_processor(
        {name: Changer(name) if ".attn2." in name else processor for name, processor in before.items()}
    )
    try:
        yield
    finally:
        unet.set_attn_processor(before)


def word_maps(seen: list[Seen], tokenizer, prompt: str, aspect: float = 1.0, finest: int = 1) -> dict:
    """What :func:`recorded_attention` saw, as a map for each word of ``prompt``: word → ``(h, w)``, the mean of weights.

    The mean runs over heads, evaluations and the ``finest`` sizes of layers; of a batch (with and without words) the
    last entry counts, the one with words. Start, end and padding are left out; what they draw is missing from the sum.

    Args:
        aspect: width over height of the picture.

    Raises:
        InputError: nothing was recorded, or the prompt has no words.
    """
    if not seen:
        raise InputError("No attention was recorded: run the pipeline within recorded_attention(pipe.unet).")
    tokens = tokenizer.convert_ids_to_tokens(tokenizer(prompt, truncation=True).input_ids)[1:-1]
    if not tokens:
        raise InputError("The prompt is empty: there is no word to make a map of.")

    def grid(positions: int) -> tuple[int, int]:
        height = round((positions / aspect) ** 0.5)
        return height, positions // height

    sizes = sorted({one.weights.shape[2] for one in seen}, reverse=True)[:finest]
    maps = []
    for one in seen:
        positions = one.weights.shape[2]
        if positions not in sizes:
            continue
        weights = one.weights[-1].mean(0)[:, 1 : 1 + len(tokens)]  # (h·w, words)
        layer = weights.T.reshape(1, len(tokens), *grid(positions)).float()
        maps.append(torch.nn.functional.interpolate(layer, size=grid(sizes[0]), mode="bilinear")[0])
    mean = torch.stack(maps).mean(0)
    names = [token.removesuffix("</w>") for token in tokens]
    return {name if names.count(name) == 1 else f"{name} ({i + 1})": mean[i] for i, name in enumerate(names)}
