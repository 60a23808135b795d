"""Reads captions and pictures for the families that read the prompt: the small CLIP, frozen."""

import torch
import torch.nn.functional as F

from s2i_teach.families.base import TOKENS, Told
from s2i_teach.models.small_clip import BATCH, image_embeddings, load_clip, load_tokenizer


@torch.no_grad()
def read_captions(captions: list[str]) -> Told:
    """What the small CLIP makes of captions; of an empty one 0 everywhere, as a family has it that is told no words.

    What lies beyond 32 tokens is cut off. No token sees those behind it, so the padding changes nothing in front of it.
    """
    clip, tokenizer = load_clip(), load_tokenizer()
    tokens, embeddings = [], []
    for start in range(0, len(captions), BATCH):
        part = captions[start : start + BATCH]
        ids = tokenizer(part, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt").input_ids
        said = clip.text_model(input_ids=ids)
        words = torch.tensor([[bool(caption.strip())] for caption in part])
        tokens.append(said.last_hidden_state.float() * words[:, :, None])
        embeddings.append(F.normalize(clip.text_projection(said.pooler_output).float(), dim=1) * words)
    return Told(torch.cat(tokens), torch.cat(embeddings))


def see(pictures: torch.Tensor) -> torch.Tensor:
    """The small CLIP's embeddings ``(B, 128)`` of length 1 of pictures ``(B, 3, 128, 128)`` in [−1, 1]."""
    return image_embeddings(load_clip(), pictures)
