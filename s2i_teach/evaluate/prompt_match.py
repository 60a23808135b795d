"""How far pictures show what the prompt says: the cosine of the small CLIP's two towers."""

import torch

from s2i_teach.errors import InputError
from s2i_teach.files import written
from s2i_teach.models.small_clip import as_batch, image_embeddings, load_clip, load_tokenizer, text_embeddings

AT_ONCE = 100
"""Prompts that are encoded together: a thousand would take half a gigabyte."""


def prompt_matches(pictures, prompts: list[str]) -> torch.Tensor:
    """The cosine of each picture with its own prompt, ``(B,)``, −1 to 1.

    By the small CLIP that ships: no CLIPScore, and not to be compared with one. It knows the things of the embedded
    pairs. Its text tower also steers the miniature, so pictures made with high guidance are made to its taste.

    Args:
        pictures: of any kind and size.
        prompts: one for each.

    Raises:
        InputError: none, another number of prompts, or a prompt that is no text.
    """
    pictures, prompts = list(pictures), [prompts] if isinstance(prompts, str) else list(prompts)
    if not pictures or len(pictures) != len(prompts):
        raise InputError(f"{len(pictures)} pictures and {len(prompts)} prompts were given: give one prompt for each.")
    for prompt in prompts:
        if not isinstance(prompt, str) or not prompt.strip():
            raise InputError(f"The prompt {written(prompt)} says nothing that a picture could match: give words.")
    clip = load_clip()
    images, texts = image_embeddings(clip, as_batch(pictures)), text_embeddings(clip, load_tokenizer(), prompts)
    return (images * texts).sum(1)


def prompt_match(picture, prompt: str) -> float:
    """:func:`prompt_matches` of one picture."""
    return prompt_matches([picture], [prompt]).item()


def prompt_ranks(pictures, prompts: list[str], among: list[str]) -> list[int]:
    """How many other prompts fit each picture better than its own, by the small CLIP: 0 says that its own fits best.

    Args:
        pictures: of any kind and size.
        prompts: one for each.
        among: all prompts to choose from, these among them.

    Raises:
        InputError: no picture, another number of prompts, or a prompt that is not among those to choose from.
    """
    pictures, prompts, among = list(pictures), list(prompts), list(among)
    if not pictures or len(pictures) != len(prompts):
        raise InputError(f"{len(pictures)} pictures and {len(prompts)} prompts were given: give one prompt for each.")
    for prompt in [*among, *prompts]:
        if not isinstance(prompt, str) or prompt not in among:
            raise InputError(f"{written(prompt)} is not one of the prompts to choose from, which are texts: add it.")
    clip, tokenizer = load_clip(), load_tokenizer()
    parts = [among[first : first + AT_ONCE] for first in range(0, len(among), AT_ONCE)]
    texts = torch.cat([text_embeddings(clip, tokenizer, part) for part in parts])
    fits = image_embeddings(clip, as_batch(pictures)) @ texts.T  # (B, prompts)
    own = fits.gather(1, torch.tensor([[among.index(prompt)] for prompt in prompts]))
    return (fits > own).sum(1).tolist()
