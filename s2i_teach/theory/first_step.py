"""What a layer says before it is trained, and whether one step of training can change that."""

import copy

import torch
import torch.nn.functional as F
from torch import nn


def one_step(layer: nn.Module, x: torch.Tensor, target: torch.Tensor, lr: float = 0.1) -> nn.Module:
    """A copy of a layer after one step of gradient descent on its mean squared error; the layer itself is left alone.

    ``x`` is ``(B, …)``, ``target`` has the shape of ``layer(x)``. A layer without trainable weights comes back as it was.
    """
    moved = copy.deepcopy(layer)
    weights = [weight for weight in moved.parameters() if weight.requires_grad]
    if weights:
        gradients = torch.autograd.grad(F.mse_loss(moved(x), target), weights)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.sub_(lr * gradient)
    return moved


def silent_and_learning(layer: nn.Module, x: torch.Tensor, target: torch.Tensor) -> tuple[bool, bool]:
    """Whether a layer says nothing before training, and whether it starts to listen with the first step of it.

    Silent: ``layer(x)`` is 0 everywhere. Learning: one step towards the target changes what of the answer *depends on x*,
    layer(x) − layer(0); a bias that moves does not count, as it says the same whatever comes in.
    A zero convolution is both (Zhang et al. 2023, section 3.1).
    """

    def listens(layer):
        return layer(x) - layer(torch.zeros_like(x))

    silent = not layer(x).any()
    return silent, not torch.equal(listens(layer), listens(one_step(layer, x, target)))
