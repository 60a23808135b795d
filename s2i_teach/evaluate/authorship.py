"""Who decided the picture? The shares of sketch, prompt and seed in what makes pictures differ."""

import torch

from s2i_teach.errors import InputError


def decided_by(pictures: torch.Tensor) -> tuple[float, float, float, float]:
    """What makes the pictures of A sketches × B prompts × C seeds differ: sketch, prompt, seed, and the rest.

    The three-way analysis of variance with one picture a cell (Fisher 1925; the shares are η²). A pixel's variance over
    all pictures is the variance of the sketches' means, that of the prompts' means and that of the seeds' means, plus what
    none of the three decides by itself, and each part is added up over all pixels. *The rest* is what a choice does
    together with another one, such as a prompt with one sketch and not with the next. For two choices it is
    :func:`s2i_teach.translation.compare.variance_shares`. Pictures without any order have on average the shares
    (A − 1), (B − 1) and (C − 1) of (ABC − 1), not 0.

    Args:
        pictures: ``(A, B, C, …)``, each of the three at least 2; every sketch with every prompt and every seed.

    Returns:
        ``(sketch, prompt, seed, rest)``, each from 0 to 1, together 1.

    Raises:
        InputError: fewer than two of one, or pictures that are all equal, or not finite.
    """
    if not isinstance(pictures, torch.Tensor) or pictures.dim() < 3 or pictures.is_complex():
        shape = tuple(getattr(pictures, "shape", ())) or type(pictures).__name__
        raise InputError(f"{shape} cannot be split: give a tensor (sketches, prompts, seeds, …).")
    if min(pictures.shape[:3]) < 2:
        raise InputError(f"{tuple(pictures.shape[:3])} are too few: give at least 2 sketches, prompts and seeds.")
    centred = pictures.double() - pictures.double().mean((0, 1, 2))
    whole = (centred**2).mean()
    if not 0 < whole < torch.inf:
        raise InputError("These pictures have no variance to share out: they are all equal, or not finite.")
    others = ((1, 2), (0, 2), (0, 1))  # what is averaged out, so that one choice alone is left
    sketch, prompt, seed = (((centred.mean(axes) ** 2).mean() / whole).item() for axes in others)
    return sketch, prompt, seed, 1 - sketch - prompt - seed
