"""Muon for what is a matrix, AdamW for the rest, behind one optimiser's face."""

from collections import defaultdict

import torch
from torch import nn


def make_optimizer(name: str, model: nn.Module, lr: float, weight_decay: float, betas):
    """``"adamw"``, or ``"muon"``: :class:`MuonAdamW`. Frozen parameters are left out."""
    if name == "muon":
        return MuonAdamW(model, lr, weight_decay, betas)
    trained = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.AdamW(trained, lr=lr, weight_decay=weight_decay, betas=betas, fused=True)


def is_matrix(name: str, parameter: torch.Tensor) -> bool:
    """Whether Muon takes a weight: a matrix or a convolution inside the network, not its first or its last layer."""
    outermost = ("conv_in.", "conv_out.", "embedding", "quant_conv.", "cond_embedding.")
    return parameter.dim() in (2, 4) and min(parameter.shape[:2]) > 1 and not any(part in name for part in outermost)


NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Jordan et al.'s coefficients: five rounds bring every singular value that is not tiny to between 0.7 and 1.2."""


def orthogonalized(matrices: torch.Tensor, rounds: int = 5) -> torch.Tensor:
    """Matrices ``(…, m, n)`` with their singular values brought near to 1, by Newton–Schulz (Jordan et al. 2024), in fp32.

    A round is X ← a X + b (X Xᵀ) X + c (X Xᵀ)² X, so after any number of them X is P X₀, where P is a polynomial in the
    small symmetric matrix G = X₀ X₀ᵀ. All rounds are done on P, and X₀ is needed twice: for G and at the end. For a
    convolution, nine times as wide as high, that is two fifths of the multiplications.
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.float().mT if tall else matrices.float()
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    a, b, c = NEWTON_SCHULZ
    gram = x @ x.mT
    polynomial = _plus_product(gram, gram, gram, b, c)  # the first round, whose P is 1
    polynomial.diagonal(dim1=-2, dim2=-1).add_(a)
    for _ in range(rounds - 1):
        now = polynomial @ gram @ polynomial
        polynomial = _plus_product(polynomial, _plus_product(now, now, now, b, c), polynomial, a, 1.0)
    x = polynomial @ x
    return x.mT if tall else x


def _plus_product(added, left, right, beta: float, alpha: float) -> torch.Tensor:
    """β · added + α · left @ right in one pass over the result, of one matrix or of a stack."""
    both = torch.addmm if left.dim() == 2 else torch.baddbmm
    return both(added, left, right, beta=beta, alpha=alpha)


class Muon(torch.optim.Optimizer):
    """Muon (Jordan et al. 2024) for matrices and for convolutions, which count as matrices ``(out, in · h · w)``.

    The same steps as ``torch.optim.Muon`` with ``adjust_lr_fn="match_rms_adamw"``: Nesterov momentum, and steps as large
    as AdamW's (Liu et al. 2025), so that one learning rate serves both. That one takes no convolutions, is missing before
    torch 2.9, and calculates in bf16, which makes a step seventeen times slower on a CPU that has no bf16.
    """

    def __init__(self, params, lr: float, weight_decay: float = 0.01, momentum: float = 0.95):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        """Move the weights by their gradients."""
        for group in self.param_groups:
            alike = defaultdict(list)
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(state["momentum"], group["momentum"]).flatten(1)
                alike[update.shape].append((p, update))
            for shape, some in alike.items():
                size = 0.2 * max(shape) ** 0.5
                updates = [update for _, update in some]
                # A GPU has too little to do with one matrix; a CPU's cache holds just one.
                steps = orthogonalized(torch.stack(updates)) if updates[0].is_cuda else map(orthogonalized, updates)
                for (p, _), step in zip(some, steps, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(step.reshape(p.shape), alpha=-group["lr"] * size)


class MuonAdamW:
    """:class:`Muon` for matrices and convolutions, AdamW for norms, biases, embeddings and the ends."""

    def __init__(self, model: nn.Module, lr: float, weight_decay: float = 0.01, betas=(0.9, 0.99)):
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        matrices = [p for name, p in named if is_matrix(name, p)]
        others = [p for name, p in named if not is_matrix(name, p)]
        self.muon = Muon(matrices, lr=lr, weight_decay=weight_decay)
        self.adamw = torch.optim.AdamW(others, lr=lr, weight_decay=weight_decay, betas=betas, fused=True)

    @property
    def param_groups(self) -> list[dict]:
        """All groups; a changed ``lr`` is used."""
        return [*self.muon.param_groups, *self.adamw.param_groups]

    @property
    def state(self) -> dict:
        """Parameter → its moments."""
        return {**self.muon.state, **self.adamw.state}

    def step(self) -> None:
        """Take the gradients of the model's weights and move them."""
        self.muon.step()
        self.adamw.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        self.muon.zero_grad(set_to_none)
        self.adamw.zero_grad(set_to_none)

    def state_dict(self) -> dict:
        """The moments of both, for a checkpoint."""
        return {"muon": self.muon.state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        """Take :meth:`state_dict`'s moments."""
        self.muon.load_state_dict(state["muon"])
        self.adamw.load_state_dict(state["adamw"])
