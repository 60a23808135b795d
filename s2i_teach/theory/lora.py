"""A small change of a large network: low-rank adaptation (Hu et al. 2021, LoRA).

A trained weight W is kept. Beside it stand two thin matrices, A with few rows and B with as few columns, and the layer is

    h = W x + (α / r) · B A x        (the paper's equation 3, and its section 4.1 for α / r)

A begins at random and B at zero, so that an untrained change changes nothing. r is the rank, and α its strength: a number that is
chosen once. A convolution is a matrix as well: A is a convolution with W's kernel to r channels, B one of 1 × 1 back.
"""

import math
from collections.abc import Callable

import torch
from torch import nn

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
"""How the names of attention's four matrices end in diffusers' U-Nets."""


def low_rank_update(down: torch.Tensor, up: torch.Tensor, alpha: float) -> torch.Tensor:
    """The change of a weight, (α / r) · B A, in the weight's shape.

    ``down`` is A, ``(r, in)`` or for a convolution ``(r, in, k, k)``; ``up`` is B, ``(out, r)`` or ``(out, r, 1, 1)``. Returns
    ``(out, in)`` or ``(out, in, k, k)``. Equals peft's ``get_delta_weight``.
    """
    rank = down.shape[0]
    update = up.reshape(-1, rank) @ down.reshape(rank, -1)
    return alpha / rank * update.reshape(-1, *down.shape[1:])


def trainable_numbers(shape: tuple[int, ...], rank: int) -> int:
    """How many numbers A and B have for a weight ``(out, in)`` or ``(out, in, k, k)``: r · (in · k · k + out)."""
    outputs, *inputs = shape
    return rank * (math.prod(inputs) + outputs)


class LowRank(nn.Module):
    """A linear or convolutional layer with a low-rank change beside it; the layer itself is kept and learns no more.

    The same computation as peft's layer without dropout. A is drawn as peft draws it (Kaiming, uniform, a = √5).

    Args:
        layer: an ``nn.Linear`` or an ``nn.Conv2d`` without groups.
        rank: r, at least 1.
        alpha: α; None is r, so that α / r is 1.
    """

    def __init__(self, layer: nn.Linear | nn.Conv2d, rank: int, alpha: float | None = None):
        super().__init__()
        self.layer, self.rank = layer.requires_grad_(False), rank
        self.alpha = float(rank if alpha is None else alpha)
        self.down: nn.Linear | nn.Conv2d
        self.up: nn.Linear | nn.Conv2d
        if isinstance(layer, nn.Conv2d):
            place = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
            self.down = nn.Conv2d(layer.in_channels, rank, *place, bias=False)  # type: ignore[arg-type]
            self.up = nn.Conv2d(rank, layer.out_channels, 1, bias=False)
        else:
            self.down = nn.Linear(layer.in_features, rank, bias=False)
            self.up = nn.Linear(rank, layer.out_features, bias=False)
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        nn.init.zeros_(self.up.weight)
        self.to(layer.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the layer gives for x, and (α / r) · B A x."""
        return self.layer(x) + self.alpha / self.rank * self.up(self.down(x))

    def update(self) -> torch.Tensor:
        """:func:`low_rank_update` of its matrices: what is added to the layer's weight in all."""
        return low_rank_update(self.down.weight, self.up.weight, self.alpha)


def layers_to_adapt(network: nn.Module, which: str | Callable[[str, nn.Module], bool] = "all") -> list[str]:
    """Names of the layers of a network that are changed, in their order.

    Args:
        which: ``"attention"`` (:data:`ATTENTION`), ``"convolutions"``, ``"all"`` linear and convolutional layers, or a function
            of a layer's name and the layer.

    Raises:
        ValueError: another word, or no layer is left.
    """
    rules: dict[str, Callable] = {
        "attention": lambda name, layer: name.endswith(tuple(f".{end}" for end in ATTENTION)),
        "convolutions": lambda name, layer: isinstance(layer, nn.Conv2d),
        "all": lambda name, layer: True,
    }
    rule = rules.get(which) if isinstance(which, str) else which
    if rule is None:
        raise ValueError(f"which={which!r} is not known: use {', '.join(rules)}, or a function.")
    layers = [
        name
        for name, layer in network.named_modules()
        if isinstance(layer, (nn.Linear, nn.Conv2d)) and rule(name, layer)
    ]
    if not layers:
        raise ValueError("No layer is left to change: choose others.")
    return layers


def add_low_rank(
    network: nn.Module, rank: int, alpha: float | None = None, which: str | Callable[[str, nn.Module], bool] = "all"
) -> dict[str, LowRank]:
    """Put a :class:`LowRank` in the place of each chosen layer. The rest of the network learns no more.

    Returns:
        name → what stands there now; :func:`take_off` puts the layers back.
    """
    network.requires_grad_(False)
    added = {}
    for name in layers_to_adapt(network, which):
        added[name] = LowRank(network.get_submodule(name), rank, alpha)  # type: ignore[arg-type]
        _put(network, name, added[name])
    return added


def take_off(network: nn.Module, added: dict[str, LowRank]) -> None:
    """Undo :func:`add_low_rank`: the network is bit for bit what it was."""
    for name, changed in added.items():
        _put(network, name, changed.layer)


def _put(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(network.get_submodule(parent), last, module)


def merged(weight: torch.Tensor, update: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
    """W + s · ΔW, a new weight that costs no more than W: ``weight`` in its own precision, computed in fp32.

    s = 0 is W itself, 1 what was trained; between and beyond it is weaker and stronger.
    """
    if scale == 0:
        return weight
    return (weight.float() + scale * update.float()).to(weight.dtype)


def loss_with_prior(own: torch.Tensor, prior: torch.Tensor, weight: float = 1.0) -> torch.Tensor:
    """The mean of the own pictures' errors, and ``weight`` times the mean of the prior's (Ruiz et al. 2022, equation 2).

    ``own`` and ``prior`` are squared errors, ``(B, …)`` and ``(P, …)``; the prior is of pictures that the network should not
    forget. A number.
    """
    return own.mean() + weight * prior.mean()


def low_rank_gradients(
    down: torch.Tensor, up: torch.Tensor, alpha: float, x: torch.Tensor, grad_y: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a loss's gradient at y says of A and of B, where y = (α / r) · B A x.

    dL/dA = (α / r) · Bᵀ dL/dy xᵀ, nothing where B is nothing; dL/dB = (α / r) · dL/dy (A x)ᵀ; both added up over the batch.
    ``down`` is A, ``(r, in)``, ``up`` is B, ``(out, r)``, ``x`` ``(N, in)``, ``grad_y`` ``(N, out)``; returns ``(r, in)`` and
    ``(out, r)``. Equals torch's autograd.
    """
    scale = alpha / down.shape[0]
    return scale * (grad_y @ up).T @ x, scale * grad_y.T @ (x @ down.T)
