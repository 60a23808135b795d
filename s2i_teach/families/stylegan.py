"""StyleGAN2: styles scale the channels of every convolution; a sketch gives the styles and the first map.

Karras et al. 2018 (StyleGAN), Karras et al. 2019 (StyleGAN2), Richardson et al. 2020 (pixel2style2pixel, pSp).
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from s2i_teach.families.base import Batch, Family
from s2i_teach.families.blocks import Residual
from s2i_teach.families.pix2pix import PatchDiscriminator, hinge
from s2i_teach.families.vae import CODE, Encoder, kl_from_standard_normal, reparameterise

W = 64
"""Numbers of a style vector w."""
SIDES, WIDTHS = (16, 32, 64), (64, 48, 24)
"""Sides and channels of the synthesis' maps, two convolutions each; a pixel shuffle makes 128 of the last 64."""
LAYERS = 2 * len(SIDES)
"""Convolutions of the synthesis, each with a w of its own (pSp's space w+)."""


def modulated_conv2d(x: torch.Tensor, weight: torch.Tensor, style: torch.Tensor, demodulate=True) -> torch.Tensor:
    """A convolution with other weights for each picture of the batch (Karras et al. 2019, equations 1 to 3).

    Modulation: w′_ijk = s_i · w_ijk (1). If x has variance 1, what comes out has σ_j² = Σ_ik w′_ijk² (2). Demodulation
    divides by σ_j: w″_ijk = w′_ijk / √(Σ_ik w′_ijk² + ε) (3). So a style says how much of each channel comes in, and
    makes nothing stronger as a whole. i counts channels that come in, j those that go out, k the kernel's places.

    A convolution is linear: x is scaled before it, its outcome after it, and one weight serves the whole batch.

    Args:
        x: ``(B, in, H, W)``.
        weight: ``(out, in, k, k)``, k odd; as much is padded as keeps H and W.
        style: s, ``(B, in)``.
        demodulate: by equation 3; the layers that give RGB go without.
    """
    x = F.conv2d(x * style.to(x)[:, :, None, None], weight, padding=weight.shape[-1] // 2)
    if demodulate:
        variance = style.float() ** 2 @ (weight.float() ** 2).sum((2, 3)).T
        x = x * (variance + 1e-8).rsqrt().to(x)[:, :, None, None]
    return x


class EqualisedLinear(nn.Module):
    """A linear layer whose weights begin at variance 1 and are made small in use (Karras et al. 2017, section 4.1).

    Adam moves every number by about the learning rate. So all layers, wide or narrow, learn at one relative speed.
    """

    def __init__(self, channels: int, out: int, bias: float = 0.0):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(out, channels)), nn.Parameter(torch.full((out,), bias))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weight * self.weight.shape[1] ** -0.5, self.bias)


class Mapping(nn.Module):
    """f: z → w, ``(B, CODE)`` → ``(B, W)`` (Karras et al. 2018, section 2); z is first brought to length √CODE.

    N(0, 1) is round; what pictures differ by is not. f may bend the one into the other.
    """

    def __init__(self, depth: int = 3):
        super().__init__()
        self.layers = nn.ModuleList(EqualisedLinear(a, b) for a, b in pairwise((CODE, *[W] * depth)))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        z = z * (z**2).mean(1, keepdim=True).add(1e-8).rsqrt()
        for layer in self.layers:
            z = F.leaky_relu(layer(z), 0.2) * 2**0.5
        return z


class SketchEncoder(nn.Module):
    """Hints ``(B, 1, 128, 128)`` → first map ``(B, 64, 16, 16)`` and the sketch's share of w+, ``(B, LAYERS, W)``.

    As in pSp, the coarse layers' styles come from the smallest map of a pyramid, the fine layers' from the largest.
    """

    def __init__(self, widths: tuple[int, int, int] = (32, 64, 64)):
        super().__init__()
        self.first = nn.Conv2d(16, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(Residual(width, width) for width in widths)
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(widths))
        self.styles = nn.ModuleList(nn.Linear(width, 2 * W) for width in reversed(widths))
        self.coarse, self.map = nn.Conv2d(widths[2], widths[1], 1), nn.Conv2d(widths[1], WIDTHS[0], 3, padding=1)

    def forward(self, hints: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h, pyramid = self.first(F.pixel_unshuffle(hints, 4)), []
        for i, block in enumerate(self.blocks):
            h = block(self.downs[i - 1](h) if i else h)
            pyramid.append(F.silu(h))
        styles = [layer(h.mean((2, 3))) for layer, h in zip(self.styles, reversed(pyramid), strict=True)]
        start = self.map(pyramid[1] + F.interpolate(self.coarse(pyramid[2]), scale_factor=2.0, mode="nearest"))
        return start, torch.stack(styles, 1).unflatten(2, (2, W)).flatten(1, 2)


class Styled(nn.Module):
    """w → style by an affine layer, and a modulated convolution: ``(B, in, H, W)`` → ``(B, out, H, W)``."""

    demodulate = True

    def __init__(self, channels: int, out: int, kernel: int = 3):
        super().__init__()
        self.affine = EqualisedLinear(W, channels, bias=1.0)
        self.weight = nn.Parameter(torch.randn(out, channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(1, out, 1, 1))

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        weight = self.weight * self.weight[0].numel() ** -0.5
        x = modulated_conv2d(x, weight, self.affine(w), self.demodulate)
        return x + self.bias.to(x)


class ToRGB(Styled):
    """Without demodulation: how strong a colour is matters here."""

    demodulate = False


class StyledConv(Styled):
    """And noise, one number a pixel times a learned strength, and a leaky ReLU (Karras et al. 2019, figure 2c).

    The strength begins at 0. After 20 CPU minutes it was below 0.001 everywhere: nothing here asked for grain.
    """

    def __init__(self, channels: int, out: int):
        super().__init__(channels, out)
        self.strength = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor, w: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        x = super().forward(x, w)
        if noise is not None:
            x = x + self.strength.to(x) * noise.to(x)
        return F.leaky_relu(x, 0.2) * 2**0.5


class Synthesis(nn.Module):
    """First map and w+ → picture: each side says in RGB what it can, is made twice as large, and the next adds to it.

    These are the skip outputs of Karras et al. 2019, figure 7b.
    """

    def __init__(self):
        super().__init__()
        self.first = nn.ModuleList(StyledConv(a, b) for a, b in pairwise((WIDTHS[0], *WIDTHS)))
        self.second = nn.ModuleList(StyledConv(width, width) for width in WIDTHS)
        self.rgb = nn.ModuleList([*(ToRGB(width, 3, 1) for width in WIDTHS[:-1]), ToRGB(WIDTHS[-1], 4 * 3, 3)])

    def forward(self, x: torch.Tensor, styles: torch.Tensor, noise: list[torch.Tensor]) -> torch.Tensor:
        picture = x
        for i in range(len(SIDES)):
            if i:
                x = F.interpolate(x, scale_factor=2.0, mode="bilinear")
            x = self.first[i](x, styles[:, 2 * i], noise[2 * i])
            x = self.second[i](x, styles[:, 2 * i + 1], noise[2 * i + 1])
            colours = self.rgb[i](x, styles[:, 2 * i + 1])
            if colours.shape[1] > 3:
                colours = F.pixel_shuffle(colours, 2)
            picture = colours + F.interpolate(picture, colours.shape[2:], mode="bilinear") if i else colours
        return picture


class StyleGAN(Family):
    """w+_l = f(z) + e_l(sketch) for each layer l, and the sketch's 16 × 16 map where StyleGAN has a learned constant.

    So the sketch says where things are, and z what the sketch leaves open: colours, shades, style. Nothing else of the
    sketch is seen. As in StyleGAN and pSp no line is handed to the finer layers: what 64 numbers for each 8 × 8 pixels
    do not hold is lost. The other families see the lines once more at full size, and keep to them more closely.

    An absolute error alone would teach G to ignore z. So half of a batch takes z from an encoder that sees the picture,
    with a KL that keeps it near N(0, 1), and is to be that picture again; the other half draws z from N(0, 1), and has
    only the discriminator to please (Zhu et al. 2017, BicycleGAN, section 3). Of that half, half take their fine styles
    from another page, so that layers do not rely on each other's (mixing regularisation, Karras et al. 2018, 3.1).

    The discriminator is pix2pix's, of patches and with a hinge, where StyleGAN2's judges the whole picture.
    """

    name, title = "stylegan", "GAN: StyleGAN2 with a sketch encoder"
    paper = "Karras et al. 2019, Analyzing and improving the image quality of StyleGAN"
    learning_rate, betas, batch_size = 1e-3, (0.5, 0.99), 8
    not_shipped = ("critic.", "look.")
    L1, KL = 10.0, 0.02
    """Weights of the absolute error, for pictures in [−1, 1], and of the KL in nats, beside logits of a hinge loss."""

    def __init__(self):
        super().__init__()
        self.mapping, self.encoder, self.synthesis = Mapping(), SketchEncoder(), Synthesis()
        self.look, self.critic = Encoder(), PatchDiscriminator(4)

    def parts(self):
        networks = nn.ModuleList([self.mapping, self.encoder, self.synthesis, self.look])
        return {"network": networks, "critic": self.critic}

    def losses(self, batch: Batch, generator: torch.Generator):
        number, seen = len(batch.hints), (len(batch.hints) + 1) // 2
        mean, log_variance = self.look(torch.cat([batch.pictures, batch.hints], 1)[:seen])
        z, noise = draw(number, generator, batch.hints)
        z = torch.cat([reparameterise(mean, log_variance, z[:seen]), z[seen:]])
        start, styles = self.told(batch.hints, z)
        crossover = torch.randint(1, 2 * LAYERS, (number, 1), generator=generator).to(styles.device)
        crossover[:seen] = LAYERS
        styles = mixed(styles, styles.roll(1, 0), crossover)
        made = self.synthesis(start, styles, noise).float()
        error = F.l1_loss(made[:seen], batch.pictures[:seen])
        kl = kl_from_standard_normal(mean, log_variance).mean()
        fooled = -self.critic(torch.cat([made, batch.hints], 1)).float().mean()
        yield "network", {"loss": self.L1 * error + self.KL * kl + fooled, "l1": error, "kl": kl}
        real = self.critic(torch.cat([batch.pictures, batch.hints], 1)).float()
        fake = self.critic(torch.cat([made.detach(), batch.hints], 1)).float()
        yield "critic", hinge(real, fake)

    def told(self, hints: torch.Tensor, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """First map ``(B, 64, 16, 16)`` and w+ ``(B, LAYERS, W)`` of hints ``(B, 1, 128, 128)`` and z ``(B, CODE)``."""
        start, styles = self.encoder(hints)
        return start, styles + self.mapping(z)[:, None]

    def generate(self, hints, generator, text=None):
        z, noise = draw(len(hints), generator, hints)
        return self.synthesis(*self.told(hints, z), noise)

    def mix(
        self, hints_a: torch.Tensor, hints_b: torch.Tensor, generator: torch.Generator, crossover: int
    ) -> torch.Tensor:
        """Pictures ``(B, 3, 128, 128)`` of a's map, with a's styles before layer ``crossover`` and b's from it on.

        Karras et al. 2018, section 3.1. ``crossover=LAYERS`` is :meth:`generate` of a, for the same generator. Where
        StyleGAN's coarse styles make the shape, here the map does, and colour sits low: after 20 CPU minutes another
        page's styles changed a picture by 0.17 with ``crossover=0``, by 0.06 with 2 and by 0.03 with 4 (mean, of 2).
        """
        z, noise = draw(len(hints_a), generator, hints_a)
        start, styles = self.told(hints_a, z)
        _, others = self.told(hints_b, torch.randn(z.shape, generator=generator).to(z))
        return self.synthesis(start, mixed(styles, others, crossover), noise)


def draw(number: int, generator: torch.Generator, like: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """z ``(B, CODE)`` and each layer's noise ``(B, 1, side, side)``, all from N(0, 1), on the device of ``like``."""
    z = torch.randn(number, CODE, generator=generator).to(like)
    return z, [torch.randn(number, 1, side, side, generator=generator).to(like) for side in SIDES for _ in range(2)]


def mixed(styles: torch.Tensor, others: torch.Tensor, crossover: int | torch.Tensor) -> torch.Tensor:
    """w+ ``(B, LAYERS, W)``: ``styles`` for the layers before ``crossover``, ``others`` from it on.

    Args:
        crossover: 0 to LAYERS (more is as LAYERS); one number, or one for each picture, ``(B, 1)``.
    """
    layer = torch.arange(LAYERS, device=styles.device)[None]
    return torch.where((layer < crossover)[:, :, None], styles, others)
