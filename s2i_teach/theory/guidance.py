"""Classifier-free guidance: one network, trained with and without the words, steers by the difference.

Two conventions are in print for the same thing. Ho & Salimans (2022, equation 6) write (1 + w) ε_c − w ε_u, where w = 0
is no guidance. Imagen (Saharia et al. 2022, equation 2), GLIDE and diffusers write ε_u + s (ε_c − ε_u), where s = 1 is
no guidance. s = w + 1; the library's ``guidance_scale`` is s.
"""

import torch


def drop_labels(
    labels: torch.Tensor, null: torch.Tensor, probability: float, generator: torch.Generator | None = None
) -> torch.Tensor:
    """The batch's labels with some replaced by ``null``, each picture's with ``probability`` (Ho & Salimans, alg. 1).

    ``labels`` is ``(B,)`` or ``(B, …)`` (class numbers, text features), ``null`` one label without the ``B``.

    Raises:
        ValueError: ``probability`` outside [0, 1].
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"A probability lies between 0 and 1: {probability} does not.")
    drop = torch.rand(len(labels), generator=generator) < probability
    drop = drop.to(labels.device).view(-1, *[1] * (labels.dim() - 1))
    return torch.where(drop, torch.as_tensor(null).to(labels), labels)


def classifier_free_guidance(
    unconditional: torch.Tensor, conditional: torch.Tensor, guidance_scale: float
) -> torch.Tensor:
    """ε_u + s · (ε_c − ε_u), as in diffusers. s = 0: without the words; 1: with them; above 1: more than with them.

    Both predictions are ``(B, …)``, of ε, x_0 or v alike (each is linear in the others).
    """
    return unconditional + guidance_scale * (conditional - unconditional)


def guidance_weight(unconditional: torch.Tensor, conditional: torch.Tensor, w: float) -> torch.Tensor:
    """(1 + w) · ε_c − w · ε_u, as in Ho & Salimans: :func:`classifier_free_guidance` with s = 1 + w."""
    return (1 + w) * conditional - w * unconditional


def guidance_at(t: float, guidance_scale: float, interval: tuple[float, float] = (0, float("inf"))) -> float:
    """The scale to use at timestep ``t``: ``guidance_scale`` within the interval (ends included), else 1.

    Guidance in the middle of the noise levels alone keeps more variety than guidance at all (Kynkäänniemi et al. 2024).

    Raises:
        ValueError: the interval's ends stand the wrong way round.
    """
    low, high = interval
    if low > high:
        raise ValueError(f"The interval {interval} is empty: give (low, high).")
    return guidance_scale if low <= t <= high else 1.0
