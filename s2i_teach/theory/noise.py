"""Noise that can be had again: every picture's own, from its own seed."""

import torch


def noise_for(seeds: list[int], shape: tuple[int, ...]) -> torch.Tensor:
    """Standard normal noise ``(len(seeds), *shape)``, each picture's from a generator of its own.

    The noise of a seed is then the same alone and in any batch, and the session's own random state is left alone. Equals
    diffusers' ``randn_tensor`` with a list of generators.
    """
    return torch.stack([torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed)) for seed in seeds])
