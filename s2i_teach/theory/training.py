"""Training a denoiser, one step at a time: a generator, so that a notebook can plot as it goes and stop at will."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from s2i_teach.theory.forward import add_noise, per_picture
from s2i_teach.theory.prediction import v_from_x0_and_eps


@dataclass
class Step:
    """One update: its number (from 0), its loss, what it was trained on, and the averaged network so far.

    ``x0``, ``x_t``, ``target`` and ``prediction`` are ``(B, …)``, ``t`` is ``(B,)``; ``averaged`` is the same module
    object at every step, its weights the running average of the trained ones.
    """

    step: int
    loss: float
    x0: torch.Tensor
    x_t: torch.Tensor
    t: torch.Tensor
    target: torch.Tensor
    prediction: torch.Tensor
    averaged: nn.Module


def what_to_predict(kind: str, x0: torch.Tensor, eps: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """The network's target for a kind of prediction: ε (``"epsilon"``), x_0 (``"sample"``) or v (``"v_prediction"``).

    Raises:
        ValueError: another kind.
    """
    if kind not in ("epsilon", "sample", "v_prediction"):
        raise ValueError(f'The prediction type {kind!r} is not known: use "epsilon", "sample" or "v_prediction".')
    return {"epsilon": eps, "sample": x0, "v_prediction": v_from_x0_and_eps(x0, eps, a)}[kind]


def denoising_loss(
    model, x0: torch.Tensor, eps: torch.Tensor, alpha_bar: torch.Tensor, t: torch.Tensor
) -> torch.Tensor:
    """Mean squared error of the predicted noise: what a denoiser is trained on (Ho et al. 2020, equation 14).

    ``model(x_t, t)`` predicts ε; ``x0`` and ``eps`` are ``(B, …)``, ``alpha_bar`` ``(T,)``, ``t`` ``(B,)``. A number.
    """
    x_t = add_noise(x0, eps, alpha_bar, t)
    return F.mse_loss(model(x_t, t), eps)


def loss_weight(kind: str, a: torch.Tensor) -> torch.Tensor:
    """How often the squared error of x̂_0 is counted in the squared error of what the network predicts.

    The loss of a prediction ε̂, x̂_0 or v̂ at one timestep is this weight times ‖x_0 − x̂_0‖²: SNR for ``"epsilon"``, 1
    for ``"sample"``, SNR + 1 for ``"v_prediction"`` (Salimans & Ho 2022, section 4). ``a`` is ᾱ_t in (0, 1), of any
    shape; so is what comes back.

    Raises:
        ValueError: another kind.
    """
    if kind == "epsilon":
        return a / (1 - a)
    if kind == "sample":
        return torch.ones_like(a)
    if kind == "v_prediction":
        return 1 / (1 - a)
    raise ValueError(f'The prediction type {kind!r} is not known: use "epsilon", "sample" or "v_prediction".')


@torch.no_grad()
def loss_by_timestep(
    model: Callable, data: torch.Tensor, alpha_bar: torch.Tensor, timesteps: list[int], seed: int = 0
) -> list[float]:
    """:func:`denoising_loss` over all of ``data`` at each of some timesteps, with the same noise at every one."""
    eps = torch.randn(data.shape, generator=torch.Generator().manual_seed(seed))
    return [denoising_loss(model, data, eps, alpha_bar, torch.full((len(data),), t)).item() for t in timesteps]


def train(
    model: nn.Module,
    data: torch.Tensor | Callable[[int, torch.Generator], torch.Tensor],
    alpha_bar: torch.Tensor,
    *,
    steps: int,
    batch_size: int = 32,
    lr: float = 1e-3,
    kind: str = "epsilon",
    average: float = 0.995,
    seed: int = 0,
) -> Iterator[Step]:
    """Train ``model(x_t, t)`` to predict from noisy pictures; yields every step (Ho et al. 2020, algorithm 1).

    Args:
        data: pictures ``(N, …)`` in [−1, 1], drawn with replacement, or ``data(batch_size, generator)`` that makes a
            batch.
        alpha_bar: ᾱ ``(T,)``; t is drawn evenly from its indices.
        lr: AdamW's. It rises over the first twentieth of the steps and falls to zero over the last third: while it is
            large the network learns fast and trembles, while it falls the network settles.
        kind: what the network predicts.
        average: decay of the running average of the weights.
        seed: all random numbers come from it; the session's own random state is left alone.
    """

    def batch(generator):
        if callable(data):
            x0 = data(batch_size, generator)
        else:
            x0 = data[torch.randint(len(data), (batch_size,), generator=generator)]
        t = torch.randint(len(alpha_bar), (len(x0),), generator=generator)
        eps = torch.randn(x0.shape, generator=generator)
        x_t = add_noise(x0, eps, alpha_bar, t)
        return x0, x_t, t, what_to_predict(kind, x0, eps, per_picture(alpha_bar, t, x0))

    return fit(model, batch, steps=steps, lr=lr, average=average, seed=seed)


def fit(
    model: nn.Module,
    batch: Callable[[torch.Generator], tuple[torch.Tensor, ...]],
    *,
    steps: int,
    lr: float = 1e-3,
    average: float = 0.995,
    seed: int = 0,
) -> Iterator[Step]:
    """The loop of :func:`train`, for any target: ``batch(generator)`` gives x_0, x_t, t and what to predict.

    The other arguments are those of :func:`train`.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0)
    averaged = copy.deepcopy(model).requires_grad_(False).eval()
    warmup = max(1, steps // 20)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, (step + 1) / warmup, 3 * (steps - step) / steps)
        x0, x_t, t, target = batch(generator)
        prediction = model(x_t, t)
        loss = F.mse_loss(prediction, target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        decay = min(average, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, value in zip(averaged.state_dict().values(), model.state_dict().values(), strict=True):
                mean.lerp_(value, 1 - decay) if mean.is_floating_point() else mean.copy_(value)
        yield Step(step, loss.item(), x0, x_t, t, target, prediction.detach(), averaged)
