"""pix2pix: the CNN's own network, and a second one that says of every patch whether it looks real (Isola et al. 2016)."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from s2i_teach.families.base import Batch, Family
from s2i_teach.families.blocks import SketchUNet


class PatchDiscriminator(nn.Module):
    """Real or made, patch by patch: pictures with their condition, ``(B, channels, H, W)`` → logits ``(B, 1, H / 8, W / 8)``.

    A convolution of kernel k and stride s sees k + (r − 1) · s pixels of its input where what comes after it sees r: from
    the last layer back to the first that is :func:`receptive_field`. Nothing beyond it changes a logit, since no layer
    normalises over the page, as the paper's does. What holds the weights in place of that is their spectral norm (Miyato et
    al. 2018): without it the discriminator ran away from the generator within 500 steps.
    """

    LAYERS = ((4, 2), (4, 2), (4, 2), (3, 1))
    """Kernel and stride of each convolution."""

    def __init__(self, channels: int, width: int = 32):
        super().__init__()
        widths = (channels, width, 2 * width, 4 * width, 1)
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.spectral_norm(nn.Conv2d(a, b, kernel, stride, padding=1))
            for (a, b), (kernel, stride) in zip(pairwise(widths), self.LAYERS, strict=True)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers[:-1]:
            x = F.leaky_relu(layer(x), 0.2)
        return self.layers[-1](x)


def receptive_field(layers) -> int:
    """Side in pixels of what one output of a stack of convolutions sees; ``layers`` are (kernel, stride), the first one first.

    r = 1 behind the last layer, and r ← k + (r − 1) · s for each layer on the way back.
    """
    side = 1
    for kernel, stride in reversed(list(layers)):
        side = kernel + (side - 1) * stride
    return side


class Pix2Pix(Family):
    """G*: min over G, max over D of E[log D(x, y)] + E[log(1 − D(x, G(x)))] + λ · E‖y − G(x)‖₁ (equation 4), λ = 100.

    x is the sketch, y its picture. Here with the hinge loss of later GANs (Lim and Ye 2017) for the first two terms, and λ
    for logits. The discriminator sees the sketch as well, so a real-looking patch of another thing is found out. Noise comes
    from dropout that stays on, as in the paper, which found what one finds here: it changes little.
    """

    name, title = "pix2pix", "GAN: pix2pix"
    paper = "Isola et al. 2016, Image-to-image translation with conditional adversarial networks"
    learning_rate, betas, batch_size = 5e-4, (0.5, 0.99), 8
    paces = {"critic": 2.0}
    not_shipped = ("critic.",)
    L1 = 10.0
    """Weight of the absolute error, for pictures in [−1, 1] and logits of a hinge loss."""

    def __init__(self):
        super().__init__()
        self.network = SketchUNet(1, 3, dropout=0.2)
        self.critic = PatchDiscriminator(4)

    def parts(self):
        return {"network": self.network, "critic": self.critic}

    def losses(self, batch: Batch, generator: torch.Generator):
        made = self.network(batch.hints).float()
        error = F.l1_loss(made, batch.pictures)
        fooled = -self.critic(torch.cat([made, batch.hints], 1)).float().mean()
        yield "network", {"loss": self.L1 * error + fooled, "l1": error}
        real = self.critic(torch.cat([batch.pictures, batch.hints], 1)).float()
        fake = self.critic(torch.cat([made.detach(), batch.hints], 1)).float()
        yield "critic", hinge(real, fake)

    def generate(self, hints, generator, text=None):
        return with_dropout(self.network, hints, generator)


def hinge(real: torch.Tensor, fake: torch.Tensor) -> dict[str, torch.Tensor]:
    """E max(0, 1 − D(real)) + E max(0, 1 + D(made)), and the share of patches that were told apart."""
    loss = F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    return {"loss": loss, "told": ((real > 0).float().mean() + (fake < 0).float().mean()).detach() / 2}


def with_dropout(network: nn.Module, hints: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """``network(hints)`` with the dropout's randomness from ``generator``, and torch's own left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        return network(hints)
