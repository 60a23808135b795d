"""Exercises of lesson 4, a U-Net that predicts noise."""

import math

import torch
import torch.nn.functional as F

from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.theory.forward import add_noise
from s2i_teach.theory.schedule import alphas_cumprod, linear_betas
from s2i_teach.theory.training import denoising_loss, loss_weight
from s2i_teach.theory.unet import hourglass, timestep_embedding


def _time_cases(generator):
    yield torch.tensor([0, 1, 500, 999]), 32, 10_000
    yield torch.tensor([3]), 8, 10_000
    yield torch.randint(1000, (5,), generator=generator), 16, 100.0
    yield torch.tensor([17, 400]), 64


def _embedding(order=None, sign=-1, shift=0, ladder=lambda half: torch.arange(half)):
    """A variant of the timestep embedding, for the mistakes."""

    def variant(t, dim, max_period=10_000):
        half = dim // 2
        angles = t[:, None].float() * torch.exp(sign * math.log(max_period) * ladder(half) / (half - shift))
        return (order or (lambda cos, sin: torch.cat([cos, sin], 1)))(angles.cos(), angles.sin())

    return variant


def _blocks(resolutions, channels, generator):
    """Functions that stand for the blocks: each changes its input in a way of its own, whatever its channels."""

    def block(scale, offset):
        weight = torch.linspace(1, 2, 2 * channels) * scale

        def function(h):
            mixed = (h * weight[: h.shape[1]].view(1, -1, 1, 1)).sum(1, keepdim=True)
            return mixed.tanh().repeat(1, channels, 1, 1) + offset + 0.1 * h[:, :channels]

        return function

    numbers = torch.rand(2 * resolutions + 1, 2, generator=generator).tolist()
    made = [block(*pair) for pair in numbers]
    return made[:resolutions], made[resolutions], made[resolutions + 1 :]


def _hourglass_cases(generator):
    for resolutions, channels, skips in ((3, 2, True), (2, 1, True), (1, 2, True), (3, 1, False)):
        x = torch.randn(2, channels, 8, 8, generator=generator)
        yield x, *_blocks(resolutions, channels, generator), skips
    yield torch.randn(1, 2, 4, 4, generator=generator), *_blocks(2, 2, generator)


def _hourglass(
    keep_late=False,
    first_first=False,
    join=None,
    middle_too=True,
    itself=False,
    always=False,
    grow="nearest",
    shrink=F.avg_pool2d,
):
    """A variant of the hourglass, for the mistakes."""

    def variant(x, down, middle, up, skips=True):
        kept = []
        for i, block in enumerate(down):
            x = block(x)
            if not keep_late:
                kept.append(x)
            if i < len(down) - 1:
                x = shrink(x, 2)
            if keep_late:
                kept.append(x)
        x = middle(x) if middle_too else x
        for i, block in enumerate(up):
            if i > 0:
                x = F.interpolate(x, scale_factor=2.0, mode=grow)
            skip = kept.pop(0 if first_first else -1)
            skip = x if itself else skip
            x = block((join or (lambda x, skip: torch.cat([x, skip], 1)))(x, skip) if skips or always else x)
        return x

    return variant


def _halved_at_every_block(bug):
    """Two wirings that halve once too often: the lesson's with its bug, and the sound one of some textbooks."""

    def variant(x, down, middle, up, skips=True):
        kept = []
        for block in down:
            x = block(x)
            if not bug:
                kept.append(x)
            x = F.avg_pool2d(x, 2)
            if bug:
                kept.append(x)
        x = middle(x)
        for block in up:
            x = x if bug else F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, kept.pop()], 1) if skips else x)
            x = F.interpolate(x, scale_factor=2.0, mode="nearest") if bug else x
        return x

    return variant


def _broadcast_loss(model, x0, eps, alpha_bar, t):
    a = alpha_bar[t]
    return F.mse_loss(model(a.sqrt() * x0 + (1 - a).sqrt() * eps, t), eps)


def _half_noise(x, t):
    """Stands for a network: what it says depends on the picture and on the time."""
    return 0.5 * x + t.view(-1, *[1] * (x.dim() - 1)) / 1000


def _loss_cases(generator):
    alpha_bar = alphas_cumprod(linear_betas())
    for shape in ((4, 3, 4, 4), (3, 2)):
        x0, eps = torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)
        yield _half_noise, x0, eps, alpha_bar, torch.randint(100, 1000, (shape[0],), generator=generator)


def _weight_cases(generator):
    for kind in ("epsilon", "v_prediction", "sample"):
        yield kind, 0.02 + 0.95 * torch.rand(6, generator=generator)
        yield kind, 0.02 + 0.95 * torch.rand(2, 1, 1, generator=generator)


def _loss(measure=F.mse_loss, target="eps", see="noisy", time=lambda t: t, noise_time=lambda t: t):
    """A variant of the loss, for the mistakes."""

    def variant(model, x0, eps, alpha_bar, t):
        x_t = add_noise(x0, eps, alpha_bar, noise_time(t))
        return measure(model(x_t if see == "noisy" else x0, time(t)), {"eps": eps, "x0": x0, "x_t": x_t}[target])

    return variant


def _first(t):
    return t[:1].expand(len(t))


LESSON = Lesson(
    4,
    "A U-Net that predicts noise",
    [
        Exercise(
            "timestep_embedding",
            timestep_embedding,
            _time_cases,
            hints=(
                "Half of the numbers are cosines, half are sines: of t times dim/2 different frequencies.",
                "The frequencies fall evenly on a logarithmic scale: exp(−log(max_period) · i / (dim/2)), i = 0, 1, ….",
                "angles = t[:, None].float() * frequencies is (B, dim/2); torch.cat([angles.cos(), angles.sin()], "
                "dim=1).",
            ),
            mistakes={
                "sines first": Mistake(
                    _embedding(lambda cos, sin: torch.cat([sin, cos], 1)),
                    "sines and cosines have changed places. Both orders are in use: Stable Diffusion's has the cosines "
                    "first.",
                ),
                "interleaved": Mistake(
                    _embedding(lambda cos, sin: torch.stack([cos, sin], 2).flatten(1)),
                    "cosines and sines alternate: here all cosines come first, then all sines.",
                ),
                "rising": Mistake(
                    _embedding(sign=1),
                    "the frequencies rise up to max_period: t = 1 and t = 2 then look like chance. They fall from 1.",
                ),
                "to the very end": Mistake(
                    _embedding(shift=1),
                    "you divide by dim/2 − 1, so that the last frequency is exactly 1/max_period. Stable Diffusion "
                    "divides "
                    "by dim/2.",
                ),
                "from one": Mistake(
                    _embedding(ladder=lambda half: torch.arange(1, half + 1)),
                    "the first frequency should be 1: count i from 0.",
                ),
                "max_period ignored": Mistake(
                    lambda t, dim, max_period=10_000: timestep_embedding(t, dim),
                    "max_period is not used: 10,000 is only its default.",
                ),
                "cosines twice": Mistake(
                    _embedding(lambda cos, sin: torch.cat([cos, cos], 1)),
                    "both halves are cosines: the second half is the sines.",
                ),
            },
            minutes=8,
            difficulty=2,
            tolerance=1e-4,
        ),
        Exercise(
            "hourglass",
            hourglass,
            _hourglass_cases,
            hints=(
                "Keep what each block of `down` makes in a list, before it is halved. F.avg_pool2d(x, 2) halves.",
                'kept.pop() takes the *last* one kept. F.interpolate(x, scale_factor=2.0, mode="nearest") doubles '
                "the side.",
                "Join along the channels, x first: torch.cat([x, skip], dim=1); without skips just x.",
            ),
            mistakes={
                "kept too late": Mistake(
                    _hourglass(keep_late=True),
                    "you keep the features after the halving, so what is handed over is too small. Keep them first, "
                    "then halve.",
                ),
                "first in, first out": Mistake(
                    _hourglass(first_first=True),
                    "the finest features are handed to the coarsest block: the last ones kept come first, kept.pop().",
                ),
                "handed to itself": Mistake(
                    _hourglass(itself=True),
                    "each block is joined with its own input: nothing of the way down arrives.",
                ),
                "with the bug": Mistake(
                    _halved_at_every_block(bug=True),
                    "this is the wiring with the bug: the coarsest features are joined with themselves, and nobody "
                    "gets "
                    "the finest. Keep before halving, double before joining.",
                ),
                "halved once too often": Mistake(
                    _halved_at_every_block(bug=False),
                    "it is sound, but you halve once too often: the middle works at the coarsest resolution of "
                    "`down`. Halve "
                    "and double only between two resolutions.",
                ),
                "largest of four": Mistake(
                    _hourglass(shrink=F.max_pool2d),
                    "you halve by the largest of four pixels: here it is their mean, F.avg_pool2d.",
                ),
                "added": Mistake(
                    _hourglass(join=lambda x, skip: x + skip),
                    "x and the skip connection are added: here they are joined along the channels, torch.cat.",
                ),
                "skip first": Mistake(
                    _hourglass(join=lambda x, skip: torch.cat([skip, x], 1)),
                    "the skip connection comes before x: x first, then what is handed over.",
                ),
                "no middle": Mistake(_hourglass(middle_too=False), "the middle was left out, at the bottom of the U."),
                "always": Mistake(
                    _hourglass(always=True),
                    "with skips=False nothing is handed over, but you hand it over all the same.",
                ),
                "smooth": Mistake(
                    _hourglass(grow="bilinear"),
                    'you double the side smoothly: here each pixel becomes four equal ones, mode="nearest".',
                ),
            },
            minutes=12,
            difficulty=3,
        ),
        Exercise(
            "denoising_loss",
            denoising_loss,
            _loss_cases,
            hints=(
                "Do three things: make x_t from x0 and eps, ask the model, compare its answer with the truth.",
                "What is the truth, for a network that predicts noise?",
                "F.mse_loss(model(add_noise(x0, eps, alpha_bar, t), t), eps)",
            ),
            mistakes={
                "asked of the clean picture": Mistake(
                    _loss(see="clean"),
                    "the model gets the clean picture: there is no noise in it to be found.",
                ),
                "compared with the picture": Mistake(
                    _loss(target="x0"),
                    "the answer is compared with the picture: a network that predicts noise is compared with the "
                    "noise.",
                ),
                "compared with the noisy picture": Mistake(
                    _loss(target="x_t"),
                    "the answer is compared with x_t, which the model was given: it would learn to repeat its input.",
                ),
                "sum": Mistake(
                    _loss(lambda a, b: F.mse_loss(a, b, reduction="sum")),
                    "this is the sum of the squares: take the mean, so that the learning rate fits any size.",
                ),
                "absolute": Mistake(_loss(F.l1_loss), "this is the mean absolute error: take the mean squared error."),
                "root": Mistake(
                    _loss(lambda a, b: F.mse_loss(a, b).sqrt()),
                    "you take the root: the loss is the mean of the squares itself.",
                ),
                "time not told": Mistake(
                    _loss(time=torch.zeros_like),
                    "the model gets t = 0 for all: it must know how noisy each picture is.",
                ),
                "not shaped": Mistake(
                    _broadcast_loss,
                    "alpha_bar[t] is (B,) and was multiplied along the last axis: give each picture its own, with "
                    "per_picture, or leave it to add_noise.",
                ),
                "one time for all": Mistake(
                    _loss(time=_first, noise_time=_first),
                    "all pictures get the t of the first one: each has its own.",
                ),
            },
            minutes=6,
            difficulty=2,
        ),
        Exercise(
            "loss_weight",
            loss_weight,
            _weight_cases,
            hints=(
                "Write x_0 − x̂_0 with lesson 3's formulas, once with the truth and once with the guess. x_t cancels.",
                "For ε: x_0 − x̂_0 = −√(1 − ᾱ) / √ᾱ · (ε − ε̂). Square both sides and solve for the error of ε.",
                "For v: x_0 − x̂_0 = −√(1 − ᾱ) · (v − v̂). For x_0 itself nothing has to be converted.",
            ),
            mistakes={
                "upside down": Mistake(
                    lambda kind, a: 1 / loss_weight(kind, a),
                    "a fraction is upside down: the loss is w times the error of the picture, not the other way round.",
                ),
                "not squared": Mistake(
                    lambda kind, a: loss_weight(kind, a) ** 0.5,
                    "these are the factors of the errors: the loss has their squares.",
                ),
                "v like x_0": Mistake(
                    lambda kind, a: torch.ones_like(a) if kind != "epsilon" else a / (1 - a),
                    "for v the weight is not 1: x_0 − x̂_0 has the factor √(1 − ᾱ).",
                ),
                "v by its noise": Mistake(
                    lambda kind, a: 1 / a if kind == "v_prediction" else loss_weight(kind, a),
                    "for v you took the factor with which v gives the noise: the one for the picture is √(1 − ᾱ).",
                ),
                "noise level only": Mistake(
                    lambda kind, a: 1 / (1 - a) if kind == "epsilon" else loss_weight(kind, a),
                    "for ε you forgot √ᾱ: to get x̂_0 the difference is divided by it.",
                ),
                "always 1": Mistake(
                    lambda kind, a: torch.ones_like(a),
                    "the kind is not used: one error of the picture belongs to different errors of ε and of v.",
                ),
                "a plain 1": Mistake(
                    lambda kind, a: 1.0 if kind == "sample" else loss_weight(kind, a),
                    "for x_0 the weight is 1 at every t: return it in the shape of a, torch.ones_like(a).",
                ),
            },
            minutes=10,
            difficulty=3,
        ),
    ],
)
