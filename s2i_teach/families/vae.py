"""VAE: a code for all that the sketch does not say, drawn anew for every picture (Kingma and Welling 2013)."""

import torch
import torch.nn.functional as F
from torch import nn

from s2i_teach.families.base import Batch, Family
from s2i_teach.families.blocks import Residual, SketchUNet

CODE = 32
"""Numbers that say what the sketch leaves open: colours, style, where the light comes from."""


def reparameterise(mean: torch.Tensor, log_variance: torch.Tensor, eps: torch.Tensor) -> torch.Tensor:
    """z = μ + σ · ε, with σ = exp(½ log σ²): a draw from N(μ, σ²) that gradients can go through (Kingma and Welling 2013, 2.4).

    All three are ``(B, n)``; ``eps`` is drawn from N(0, 1) and depends on nothing.
    """
    return mean + (0.5 * log_variance).exp() * eps


def kl_from_standard_normal(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """KL(N(μ, σ²) ‖ N(0, 1)) = ½ Σ (μ² + σ² − 1 − log σ²), in nats, ``(B,)`` (Kingma and Welling 2013, appendix B)."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)


class Encoder(nn.Module):
    """q(z | picture, sketch): ``(B, 4, 128, 128)`` → mean and logarithm of the variance, ``(B, CODE)`` each."""

    def __init__(self, widths=(16, 32, 48, 64)):
        super().__init__()
        self.first = nn.Conv2d(4 * 4, widths[0], 3, padding=1)
        self.downs = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(widths, widths[1:], strict=False)
        )
        self.block = Residual(widths[-1], widths[-1])
        self.last = nn.Linear(widths[-1], 2 * CODE)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = self.first(F.pixel_unshuffle(x, 2))
        for down in self.downs:
            h = down(F.silu(h))
        mean, log_variance = self.last(F.silu(self.block(h)).mean((2, 3))).float().chunk(2, 1)
        return mean, log_variance.clamp(-10, 10)


class ConditionalVAE(Family):
    """−log p(picture | sketch) ≤ E_q[−log p(picture | z, sketch)] + KL(q(z | picture, sketch) ‖ N(0, 1)) (Sohn et al. 2015,
    equation 4).

    p(picture | z, sketch) is a Laplace distribution around what the decoder makes, so its −log is an absolute error. In
    training z comes from an encoder that sees the picture; afterwards from N(0, 1). Every z is another picture; but what z
    cannot hold in its few numbers is answered by one value between all that could be, the median.
    """

    name, title = "vae", "VAE, several pictures of a sketch"
    paper = "Sohn, Lee and Yan 2015, Learning structured output representation using deep conditional generative models"
    not_shipped = ("encoder.",)
    SPREAD = 0.1
    """Of the Laplace distribution, for pictures in [−1, 1]: the smaller, the more z is made to tell. Its −log is
    |error| / SPREAD a number, and the KL is weighed as if one number in 64 were seen, since neighbours say the same."""
    SEEN = 3 * 128 * 128 / 64

    def __init__(self):
        super().__init__()
        self.encoder, self.network = Encoder(), SketchUNet(1, 3, told=CODE)

    def losses(self, batch: Batch, generator: torch.Generator):
        mean, log_variance = self.encoder(torch.cat([batch.pictures, batch.hints], 1))
        z = reparameterise(mean, log_variance, torch.randn(mean.shape, generator=generator).to(mean))
        error = F.l1_loss(self.network(batch.hints, z).float(), batch.pictures)
        kl = kl_from_standard_normal(mean, log_variance).mean()
        yield "network", {"loss": error / self.SPREAD + kl / self.SEEN, "l1": error, "kl": kl}

    def generate(self, hints, generator, text=None):
        return self.network(hints, torch.randn(len(hints), CODE, generator=generator).to(hints))
