"""CLIP's contrastive loss: which caption belongs to which picture, asked in both directions (Radford et al. 2021, figure 3)."""

import torch
import torch.nn.functional as F


def similarities(images: torch.Tensor, texts: torch.Tensor, temperature: float) -> torch.Tensor:
    """Cosines of every picture with every caption, divided by the temperature: ``(B, D)`` and ``(N, D)`` → ``(B, N)``.

    CLIP learns the temperature along with everything else, as ``logit_scale``, the logarithm of its inverse.

    Raises:
        ValueError: shapes that do not fit, or a temperature that is not above 0.
    """
    if images.dim() != 2 or texts.dim() != 2 or images.shape[1] != texts.shape[1]:
        raise ValueError(
            f"Embeddings of shapes {tuple(images.shape)} and {tuple(texts.shape)} cannot be compared: give (B, D) and (N, D)."
        )
    if not temperature > 0:
        raise ValueError(f"The temperature is {temperature}: use a number above 0.")
    return F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T / temperature


def contrastive_loss(images: torch.Tensor, texts: torch.Tensor, temperature: float) -> torch.Tensor:
    """The mean of two cross-entropies, of each picture's caption and of each caption's picture, a number.

    Picture i and caption i belong together; the other B − 1 of the batch are the wrong answers. Without knowledge both
    are log B. Equals transformers' ``CLIPModel`` with ``return_loss=True``.

    Args:
        images, texts: embeddings ``(B, D)`` of any length.
        temperature: above 0; CLIP starts at 0.07, and does not go below 0.01.

    Raises:
        ValueError: as :func:`similarities`, or numbers of pictures and captions that differ.
    """
    logits = similarities(images, texts, temperature)
    if logits.shape[0] != logits.shape[1]:
        raise ValueError(f"There are {len(images)} pictures and {len(texts)} captions: each picture needs its own.")
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
