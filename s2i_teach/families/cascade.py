"""GLIDE's cascade in small: a base that denoises 32 × 32 pixels, an up-sampler to 128 × 128 (Nichol et al. 2021)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from s2i_teach.families.base import SIDE, Batch, Family, Told
from s2i_teach.families.blocks import Residual, SketchUNet
from s2i_teach.families.unclip import LEVELS, WIDTH, Prior
from s2i_teach.theory.attention import Attention
from s2i_teach.theory.forward import add_noise, per_picture
from s2i_teach.theory.guidance import classifier_free_guidance, drop_labels
from s2i_teach.theory.prediction import eps_from_x0, v_from_x0_and_eps, x0_from_v
from s2i_teach.theory.sampler import ddim_step, spaced_timesteps
from s2i_teach.theory.unet import hourglass, timestep_embedding

LOW = 32
"""Pixels of the base's pictures, both ways."""
TIME = 64
"""Numbers that a timestep is told in."""
AUGMENTATION = torch.cat([torch.ones(1), LEVELS])
"""ᾱ of the noise on the up-sampler's small picture, by level; level 0 is none."""


def sample(predict_v: Callable, x: torch.Tensor, steps: int) -> torch.Tensor:
    """DDIM from noise ``(B, …)`` to a picture in [−1, 1]; ``predict_v(x_t, t)`` is the network, ``t`` ``(B,)``.

    Every x̂_0 is held within the pictures' range (Saharia et al. 2022, section 2.3, static thresholding): else strong
    guidance leads out of it, and the next step starts where none has been trained.
    """
    timesteps = spaced_timesteps(steps, len(LEVELS), "trailing")
    for t, after in zip(timesteps, [*timesteps[1:], -1], strict=True):
        a, a_prev = LEVELS[t], LEVELS[after] if after >= 0 else 1.0
        v = predict_v(x, torch.full((len(x),), t, device=x.device))
        x0 = x0_from_v(x, v, a).clamp(-1, 1)
        x = ddim_step(x, eps_from_x0(x, x0, a), a, a_prev)
    return x


def v_loss(predict_v: Callable, x0: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """E ‖v̂(x_t, t) − v‖² per number, with t drawn evenly (Salimans and Ho 2022, appendix D)."""
    t = torch.randint(len(LEVELS), (len(x0),), generator=generator).to(x0.device)
    eps = torch.randn(x0.shape, generator=generator).to(x0)
    target = v_from_x0_and_eps(x0, eps, per_picture(LEVELS, t, x0))
    return F.mse_loss(predict_v(add_noise(x0, eps, LEVELS, t), t).float(), target)


class Attending(nn.Module):
    """Every place ``(B, C, H, W)`` looks at every other, then at the words' tokens ``(B, L, 128)``; the same shape."""

    def __init__(self, channels: int):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(2))
        self.among, self.words = Attention(channels), Attention(channels, WIDTH)

    def forward(self, x: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        h = x.flatten(2).transpose(1, 2)  # (B, H·W, C)
        h = h + self.among(self.norms[0](h))
        h = h + self.words(self.norms[1](h), tokens)
        return h.transpose(1, 2).reshape(x.shape)


class Base(nn.Module):
    """v̂ of 32 × 32 pixels, told the time, the lines, and the words or a picture's embedding: a U-Net of three sizes.

    What is not told is 0: no lines, no words, no embedding. So one network has all that guidance compares.
    """

    def __init__(self, widths: tuple[int, int, int] = (32, 48, 80), told: int = 80):
        super().__init__()
        before = (widths[0], *widths)
        self.time = nn.Sequential(nn.Linear(TIME, told), nn.SiLU(), nn.Linear(told, told))
        self.text, self.seen = nn.Linear(WIDTH, told, bias=False), nn.Linear(WIDTH, told, bias=False)
        self.first = nn.Conv2d(3 + (SIDE // LOW) ** 2, widths[0], 3, padding=1)
        self.down = nn.ModuleList(Residual(a, b, told) for a, b in zip(before, widths, strict=False))
        self.attending = Attending(widths[-1])
        self.middle = Residual(widths[-1], widths[-1], told)
        self.up = nn.ModuleList(Residual(2 * b, a, told) for a, b in reversed(list(zip(before, widths, strict=False))))
        self.norm, self.last = nn.GroupNorm(8, widths[0]), nn.Conv2d(widths[0], 3, 3, padding=1)
        nn.init.zeros_(self.last.weight)

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, hints: torch.Tensor, text: Told) -> torch.Tensor:
        """``x_t`` ``(B, 3, 32, 32)``, ``t`` ``(B,)``, hints ``(B, 1, 128, 128)`` → v̂ ``(B, 3, 32, 32)``."""
        told = self.time(timestep_embedding(t, TIME).to(x_t)) + self.text(WIDTH**0.5 * text.embedding)
        if text.seen is not None:
            told = told + self.seen(WIDTH**0.5 * text.seen)
        told = F.silu(told)

        def knowing(blocks) -> list:
            return [lambda h, block=block: block(h, told) for block in blocks]

        def middle(h: torch.Tensor) -> torch.Tensor:
            return self.middle(self.attending(h, text.tokens), told)

        h = self.first(torch.cat([x_t, F.pixel_unshuffle(hints, SIDE // LOW)], 1))
        h = hourglass(h, knowing(self.down), middle, knowing(self.up))
        return self.last(F.silu(self.norm(h)))


class UpSampler(nn.Module):
    """v̂ of 128 × 128 pixels, told the time, the lines and a small picture with a known level of noise on it.

    In training the small picture is a real one, later the base's, which has faults. Noise on both hides what differs
    (Ho et al. 2021, cascaded diffusion; Saharia et al. 2022, section 2.4), and the level says how far the small picture
    is to be trusted.

    What the small picture m says of v by itself is not left to the network (after Karras et al. 2022, section 5). If
    x_0 is N(m, s²), then r = x_t − √ᾱ · m has the variance u = s² · ᾱ + 1 − ᾱ, v has the mean
    √(ᾱ (1 − ᾱ)) · (1 − s²) · r / u − √(1 − ᾱ) · m, and what remains of it the spread s / √u: the network's part.
    """

    HIGHEST = 200
    """Level of noise that training goes up to."""
    LACK = 0.2
    """s, what a small picture made large lacks of the real one, for pictures in [−1, 1]."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 48), told: int = 64):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(2 * TIME, told), nn.SiLU(), nn.Linear(told, told), nn.SiLU())
        self.network = SketchUNet(3 + 3 + 1, 3, widths, told)
        nn.init.zeros_(self.network.last.weight)

    def forward(self, x_t, t, low, level, hints) -> torch.Tensor:
        """``x_t`` ``(B, 3, 128, 128)``, ``low`` ``(B, 3, 32, 32)``, ``t`` and ``level`` ``(B,)`` → v̂ as ``x_t``."""
        told = torch.cat([timestep_embedding(t, TIME), timestep_embedding(level, TIME)], 1)
        m, a, s = F.interpolate(low, x_t.shape[2:], mode="bilinear"), per_picture(LEVELS, t, x_t), self.LACK
        r, u = x_t - a**0.5 * m, s**2 * a + 1 - a
        known = (a * (1 - a)) ** 0.5 * (1 - s**2) * r / u - (1 - a) ** 0.5 * m
        return known + s / u**0.5 * self.network(torch.cat([r / u**0.5, m, hints], 1), self.time(told.to(x_t)))


class Cascade(Family):
    """Pixels, no VAE: x_0 is the picture itself, small at first (GLIDE, section 3; Imagen, section 2).

    A frozen CLIP reads the caption. The base is trained with the words, with the embedding of the picture itself in
    their place (unCLIP's decoder, Ramesh et al. 2022, section 2.1), and with neither. The schedule is the cosine one,
    the networks predict v.
    """

    name, title, reads_prompt = "cascade", "Pixel diffusion: GLIDE's cascade", True
    paper = (
        "Nichol et al. 2021, GLIDE: Towards photorealistic image generation and editing "
        "with text-guided diffusion models"
    )
    learning_rate, batch_size = 1.5e-3, 16
    SEEN, NOTHING, NO_LINES = 1 / 3, 0.12, 0.1
    """Shares of pages with a picture's embedding for the words, with neither, and without a sketch."""
    STEPS, GUIDANCE, UP_STEPS, LEVEL = 16, 2.0, 6, 60
    """Of generation: the base's steps and guidance scale, the up-sampler's steps and its level of noise."""
    evaluations = STEPS + UP_STEPS

    def __init__(self):
        super().__init__()
        self.base, self.upsampler, self.prior = Base(), UpSampler(), Prior()

    def parts(self):
        return {"base": self.base, "upsampler": self.upsampler, "prior": self.prior}

    def losses(self, batch: Batch, generator: torch.Generator):
        low, told = smaller(batch.pictures), batch.told
        if told is None or told.seen is None:
            raise ValueError("The cascade learns from captions and pictures that CLIP has read: give the batch's told.")
        text = self.thinned(told.tokens, told.embedding, told.seen, generator)
        hints = drop_labels(batch.hints, torch.zeros(1, SIDE, SIDE), self.NO_LINES, generator)
        yield "base", {"loss": v_loss(lambda x, t: self.base(x, t, hints, text), low, generator)}
        few = max(1, len(low) // 4)  # a large picture costs three times as much as a small one
        level = torch.randint(self.upsampler.HIGHEST, (few,), generator=generator).to(low.device)
        shown = add_noise(low[:few], torch.randn(low[:few].shape, generator=generator).to(low), AUGMENTATION, level)
        upsample = lambda x, t: self.upsampler(x, t, shown, level, hints[:few])  # noqa: E731
        yield "upsampler", {"loss": v_loss(upsample, batch.pictures[:few], generator)}
        yield "prior", {"loss": self.prior.loss(told.seen, told.embedding, generator)}

    def thinned(self, tokens, embedding, seen, generator: torch.Generator) -> Told:
        """Each page with its words, with its picture's embedding, or with neither."""
        lot = torch.rand(len(embedding), generator=generator).to(embedding)[:, None]
        worded, pictured = lot >= self.SEEN + self.NOTHING, lot < self.SEEN
        return Told(tokens * worded[:, :, None], embedding * worded, seen * pictured)

    def guided(self, hints: torch.Tensor, text: Told, scale: float) -> Callable:
        """v̂ of the base with classifier-free guidance by the words, or by the embedding (GLIDE, section 2.3)."""
        both, twice = text.each(torch.zeros_like).beside(text), torch.cat([hints, hints])

        def predict(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            without, told = self.base(torch.cat([x, x]), torch.cat([t, t]), twice, both).chunk(2)
            return classifier_free_guidance(without, told, scale)

        return predict

    def paint(self, hints: torch.Tensor, text: Told, noises: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """:meth:`generate` with all its noise given: for the base, on the base's picture, and for the up-sampler."""
        small, grain, large = noises
        low = sample(self.guided(hints, text, self.GUIDANCE), small, self.STEPS)
        level = torch.full((len(low),), self.LEVEL, device=low.device)
        shown = add_noise(low, grain, AUGMENTATION, level)
        return sample(lambda x, t: self.upsampler(x, t, shown, level, hints), large, self.UP_STEPS)

    def generate(self, hints, generator, text=None):
        """Paints from the words; from ``text.seen``, a picture's embedding, where it is given."""
        text = text if text is not None else Told.of_nothing(len(hints)).each(lambda x: x.to(hints))
        if text.seen is not None:
            text = Told(torch.zeros_like(text.tokens), torch.zeros_like(text.embedding), text.seen)
        noises = (torch.randn(len(hints), 3, side, side, generator=generator).to(hints) for side in (LOW, LOW, SIDE))
        return self.paint(hints, text, tuple(noises))


class UnCLIP(Cascade):
    """The same networks another way: the prior draws a picture's embedding from the caption's, the base paints from it.

    P(x | y) = P(x | z_i, y) · P(z_i | y) (Ramesh et al. 2022, equation 1), here with y in the second factor alone.
    """

    name, title = "unclip", "unCLIP: words, an image embedding, a picture"
    paper = "Ramesh et al. 2022, Hierarchical text-conditional image generation with CLIP latents"
    evaluations = Cascade.evaluations + 2 * Prior.STEPS

    def generate(self, hints, generator, text=None):
        noises = torch.randn(2, len(hints), WIDTH, generator=generator).to(hints)
        text = text if text is not None else Told.of_nothing(len(hints)).each(lambda x: x.to(hints))
        if text.seen is None:
            text = Told(text.tokens, text.embedding, self.prior.best_of(text.embedding, noises))
        return super().generate(hints, generator, text)


def smaller(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures ``(B, 3, 128, 128)`` at 32 × 32: the mean of every 4 × 4 pixels."""
    return F.avg_pool2d(pictures, SIDE // LOW)
