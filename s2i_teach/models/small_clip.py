"""The small CLIP that ships: what a picture and a caption look like to it, offline."""

from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F

from s2i_teach.images import fit_to, read_picture, to_tensor
from s2i_teach.paths import data_dir

SIDE = 128
"""Pixels of the pictures it was trained on."""
BATCH = 50


def clip_pixels(x: torch.Tensor) -> torch.Tensor:
    """Pictures in [−1, 1] as the image tower takes them: scaled by CLIP's mean and standard deviation."""
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(1, 3, 1, 1).to(x)
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(1, 3, 1, 1).to(x)
    return ((x + 1) / 2 - mean) / std


def pooled(clip, ids=None, pixels=None) -> torch.Tensor:
    """Projected embeddings ``(B, 128)``; written out because ``get_*_features`` changed its type in transformers 5."""
    if ids is not None:
        return clip.text_projection(clip.text_model(input_ids=ids).pooler_output).float()
    return clip.visual_projection(clip.vision_model(pixel_values=pixels).pooler_output).float()


@lru_cache(maxsize=1)
def read_clip(folder: Path, text_encoder: Path):
    """A ``CLIPModel`` in fp32, whose text tower lies in a folder of its own: it is the miniature's text encoder too."""
    from safetensors.torch import load_file
    from transformers import CLIPConfig, CLIPModel

    with torch.random.fork_rng(devices=[]):  # weights that are drawn first and then read
        clip = CLIPModel(CLIPConfig.from_pretrained(str(folder)))
    state = {k: v for part in (folder, text_encoder) for k, v in load_file(part / "model.safetensors").items()}
    clip.load_state_dict(state)
    return clip.float().eval().requires_grad_(False)


def load_clip():
    """The small CLIP of ``data/clip`` and ``data/mini/text_encoder`` in fp32, read once."""
    return read_clip(data_dir() / "clip", data_dir() / "mini" / "text_encoder")


def _read_tokenizer(folder: Path, **changes):
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(str(folder), **changes)


_loaded_tokenizer = lru_cache(maxsize=1)(_read_tokenizer)


def load_tokenizer():
    """Its tokenizer, which is the miniature's, read once."""
    return _loaded_tokenizer(data_dir() / "mini" / "tokenizer")


def new_tokenizer(**changes):
    """The same, of the caller's own: with changes of its configuration, such as ``model_max_length=12``."""
    return _read_tokenizer(data_dir() / "mini" / "tokenizer", **changes)


def as_batch(pictures) -> torch.Tensor:
    """Pictures of any size and kind (see :func:`s2i_teach.open_sketch`) as ``(B, 3, 128, 128)`` in [−1, 1], padded."""
    return torch.stack([to_tensor(fit_to(read_picture(picture), (SIDE, SIDE))) for picture in pictures])


@torch.no_grad()
def features(clip, x: torch.Tensor) -> torch.Tensor:
    """Image features ``(B, 192)``, before the projection, of pictures ``(B, 3, 128, 128)`` in [−1, 1]."""
    return torch.cat([clip.vision_model(pixel_values=clip_pixels(part)).pooler_output for part in x.split(BATCH)])


@torch.no_grad()
def image_embeddings(clip, x: torch.Tensor) -> torch.Tensor:
    """Embeddings ``(B, 128)`` of length 1 of pictures ``(B, 3, 128, 128)`` in [−1, 1]."""
    return F.normalize(torch.cat([pooled(clip, pixels=clip_pixels(part)) for part in x.split(BATCH)]), dim=-1)


@torch.no_grad()
def text_embeddings(clip, tokenizer, captions: list[str]) -> torch.Tensor:
    """Embeddings ``(B, 128)`` of length 1 of captions; what lies beyond 77 tokens is cut off."""
    made = []
    for start in range(0, len(captions), BATCH):
        part = captions[start : start + BATCH]
        # To the length that the model was trained with, whatever else is in the batch.
        ids = tokenizer(part, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
        made.append(pooled(clip, ids=ids))
    return F.normalize(torch.cat(made), dim=-1)
