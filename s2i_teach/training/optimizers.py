"""Muon for what is a matrix, AdamW for the rest, behind one optimiser's face."""

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


def flat(weight: torch.Tensor) -> torch.Tensor:
    """A matrix, or a convolution's weight ``(out, in, h, w)`` as the matrix ``(out, in · h · w)``, in the same memory."""
    if weight.dim() == 2:
        return weight
    if weight.is_contiguous():
        return weight.view(len(weight), -1)
    return weight.permute(0, 2, 3, 1).view(len(weight), -1)  # channels_last: the order of columns does not matter


class MuonAdamW:
    """Muon (Jordan et al. 2024) for matrices and convolutions, AdamW for norms, biases, embeddings and the ends.

    torch's own ``torch.optim.Muon`` (torch ≥ 2.9) takes matrices only, so convolutions go to it flattened. Its steps are
    scaled to the size of AdamW's (Liu et al. 2025), so that one learning rate serves both.

    Raises:
        RuntimeError: this torch has no Muon.
    """

    def __init__(self, model: nn.Module, lr: float, weight_decay: float = 0.01, betas=(0.9, 0.99)):
        if not hasattr(torch.optim, "Muon"):
            raise RuntimeError(f"torch {torch.__version__} has no Muon: use torch 2.9 or newer, or the optimiser adamw.")
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        self.weights = [p for name, p in named if is_matrix(name, p)]
        others = [p for name, p in named if not is_matrix(name, p)]
        self.matrices = [nn.Parameter(flat(p.detach())) for p in self.weights]
        self.muon = torch.optim.Muon(
            self.matrices, lr=lr, weight_decay=weight_decay, momentum=0.95, adjust_lr_fn="match_rms_adamw"
        )
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
        for matrix, weight in zip(self.matrices, self.weights, strict=True):
            if weight.grad is not None and weight.grad.stride() != weight.stride():
                weight.grad = torch.empty_like(weight).copy_(weight.grad)
            matrix.grad = None if weight.grad is None else flat(weight.grad)
        self.muon.step()
        self.adamw.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for matrix, weight in zip(self.matrices, self.weights, strict=True):
            matrix.grad = weight.grad = None
        self.adamw.zero_grad(set_to_none=set_to_none)

    def state_dict(self) -> dict:
        """The moments of both, for a checkpoint."""
        return {"muon": self.muon.state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        """Take :meth:`state_dict`'s moments."""
        self.muon.load_state_dict(state["muon"])
        self.adamw.load_state_dict(state["adamw"])
