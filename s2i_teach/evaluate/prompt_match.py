"""How far pictures show what the prompt says: the cosine of the small CLIP's two towers."""

import torch

from s2i_teach.errors import InputError
from s2i_teach.files import written
from s2i_teach.models.small_clip import as_batch, image_embeddings, load_clip, load_tokenizer, text_embeddings


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
