"""Exercises of lesson 7, why latent."""

import torch

from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.theory.cost import attention_flops
from s2i_teach.theory.latent import draw_latent, posterior


def _moments(generator, *shape):
    return 3 * torch.randn(shape, generator=generator) - 1


def _posterior_cases(generator):
    yield (_moments(generator, 2, 8, 4, 4),)
    yield (_moments(generator, 3, 2, 2, 5),)
    extreme = _moments(generator, 1, 4, 2, 2)
    extreme[:, :2] = torch.linspace(-60, 60, 8).view(1, 2, 2, 2)
    extreme[:, 2:] = torch.linspace(-70, 70, 8).view(1, 2, 2, 2)  # beyond −30 and 20
    yield (extreme,)


def _posterior(variance=lambda half: torch.exp(0.5 * half.clamp(-30, 20)), swap=False, halve=None):
    """A variant of the posterior, for the mistakes."""

    def variant(moments):
        first, second = (halve or (lambda m: m.chunk(2, dim=1)))(moments)
        mean, half = (second, first) if swap else (first, second)
        return mean, variance(half)

    return variant


def _draw_cases(generator):
    for shape, scale, shift in (((3, 4, 2, 2), 0.36, 0.1), ((2, 8, 4, 4), 0.18215, 0.0), ((1, 8, 3, 5), 0.18215, 0.0)):
        noise = torch.randn(shape[0], shape[1] // 2, *shape[2:], generator=generator)
        yield (_moments(generator, *shape), scale, noise) + ((shift,) if shift else ())


def _draw(factor=lambda z, s: z * s, spread=lambda std, noise: std * noise, shift_of=lambda shift: shift):
    """A variant of drawing a latent, for the mistakes."""

    def variant(moments, scaling_factor, noise, shift_factor=0.0):
        mean, std = posterior(moments)
        return factor(mean + spread(std, noise) - shift_of(shift_factor), scaling_factor)

    return variant


def _scaled_before_noise(moments, scaling_factor, noise, shift_factor=0.0):
    mean, std = posterior(moments)
    return (mean - shift_factor) * scaling_factor + std * noise


def _shifted_after_scaling(moments, scaling_factor, noise, shift_factor=0.0):
    mean, std = posterior(moments)
    return (mean + std * noise) * scaling_factor - shift_factor


def _flops_cases(generator):
    yield 4, 16, 24
    yield 8, 8, 160
    yield 64, 64, 320
    yield 1, 3, 5


LESSON = Lesson(
    7,
    "Why latent?",
    [
        Exercise(
            "posterior",
            posterior,
            _posterior_cases,
            hints=(
                "The channels come in two halves: moments.chunk(2, dim=1). The first is the mean.",
                "The second half is the logarithm of the *variance*. The standard deviation is the variance's root.",
                "√(exp(l)) is exp(l / 2). Limit l to the range from −30 to 20 first, with .clamp(-30, 20), so that no value "
                "of the network can make the noise infinite.",
            ),
            mistakes={
                "variance": Mistake(
                    _posterior(lambda half: torch.exp(half.clamp(-30, 20))),
                    "the second value is the variance: the standard deviation is its root, exp(log_variance / 2).",
                ),
                "logarithm kept": Mistake(
                    _posterior(lambda half: half.clamp(-30, 20)),
                    "the second half is still a logarithm, and may be below 0: a standard deviation is exp of half of it.",
                ),
                "root of the logarithm": Mistake(
                    _posterior(lambda half: half.clamp(-30, 20).abs().sqrt()),
                    "you take the root of a logarithm: first exp, then the root.",
                ),
                "not held": Mistake(
                    _posterior(lambda half: torch.exp(0.5 * half)),
                    "right for ordinary values: limit the log-variance to the range from −30 to 20 before exp.",
                ),
                "held too late": Mistake(
                    _posterior(lambda half: torch.exp(0.5 * half).clamp(-30, 20)),
                    "what is limited to −30 … 20 is the log-variance, before exp, not the standard deviation.",
                ),
                "everything held": Mistake(
                    lambda moments: posterior(moments.clamp(-30, 20)),
                    "the means are limited too: only the second half is a logarithm, so limit that half alone.",
                ),
                "half of it held": Mistake(
                    _posterior(lambda half: torch.exp((0.5 * half).clamp(-30, 20))),
                    "it is the whole log-variance that is limited to −30 … 20: clamp before you halve it.",
                ),
                "variance held": Mistake(
                    _posterior(lambda half: half.exp().clamp(-30, 20).sqrt()),
                    "what is limited to −30 … 20 is the *log*-variance: clamp before exp.",
                ),
                "four channels": Mistake(
                    lambda moments: (moments[:, :4], torch.exp(0.5 * moments[:, 4:].clamp(-30, 20))),
                    "you always take four channels: take half of the channels, however many there are.",
                ),
                "halves swapped": Mistake(
                    _posterior(swap=True), "mean and log-variance have changed places: the mean comes first."
                ),
                "every second channel": Mistake(
                    _posterior(halve=lambda m: (m[:, ::2], m[:, 1::2])),
                    "you take every second channel: the means are the first half of the channels, all together.",
                ),
                "rows halved": Mistake(
                    _posterior(halve=lambda m: m.chunk(2, dim=2)),
                    "the picture was cut in two: halve the channels, dim=1.",
                ),
            },
            minutes=6,
            difficulty=2,
        ),
        Exercise(
            "draw_latent",
            draw_latent,
            _draw_cases,
            hints=(
                "Three steps: mean and standard deviation, a draw from them, the scaling factor.",
                "A draw from a bell curve is mean + std · noise, with noise of standard deviation 1.",
                "The shift is subtracted before the scaling: (mean + std · noise − shift) · factor.",
            ),
            mistakes={
                "no scaling": Mistake(
                    _draw(lambda z, s: z),
                    "the scaling factor is not used: the U-Net was trained on latents of standard deviation 1.",
                ),
                "divided": Mistake(
                    _draw(lambda z, s: z / s),
                    "you divide by the scaling factor: that is the way back, before the decoder.",
                ),
                "mean only": Mistake(
                    _draw(spread=lambda std, noise: 0.0),
                    "this is the mean: a latent is drawn, mean + std · noise.",
                ),
                "whole noise": Mistake(
                    _draw(spread=lambda std, noise: noise),
                    "all of the noise is added: multiply it by std, which is small.",
                ),
                "no parentheses": Mistake(
                    lambda moments, scaling_factor, noise, shift_factor=0.0: (
                        draw_latent(moments, 1.0, noise) - shift_factor * scaling_factor
                    ),
                    "only the shift is scaled: put mean + std · noise − shift in parentheses.",
                ),
                "only the noise scaled": Mistake(
                    lambda moments, scaling_factor, noise, shift_factor=0.0: (
                        posterior(moments)[0] + posterior(moments)[1] * noise * scaling_factor - shift_factor
                    ),
                    "only the noise is scaled: the factor belongs around the whole draw.",
                ),
                "own noise": Mistake(
                    _draw(spread=lambda std, noise: std * torch.randn_like(noise)),
                    "you draw noise of your own: use the noise that is given, so that a seed gives the same picture again.",
                ),
                "variance again": Mistake(
                    _draw(spread=lambda std, noise: std**2 * noise),
                    "the noise is multiplied by the variance: multiply it by the standard deviation.",
                ),
                "scaled too early": Mistake(
                    _scaled_before_noise, "only the mean is scaled: the factor belongs around the whole draw."
                ),
                "shifted too late": Mistake(
                    _shifted_after_scaling, "the shift is subtracted after the scaling: it comes before."
                ),
                "shift forgotten": Mistake(
                    _draw(shift_of=lambda shift: 0.0),
                    "shift_factor is not used: Stable Diffusion 1 has none, but Stable Diffusion 3 and FLUX have one.",
                ),
                "the way back": Mistake(
                    lambda moments, scaling_factor, noise, shift_factor=0.0: (
                        draw_latent(moments, 1.0, noise) / scaling_factor + shift_factor
                    ),
                    "this is the way back, before the decoder: here subtract the shift, then multiply by the factor.",
                ),
                "shift added": Mistake(
                    _draw(shift_of=lambda shift: -shift),
                    "the shift is added: subtract it here; it is added on the way back.",
                ),
            },
            minutes=5,
            difficulty=1,
        ),
        Exercise(
            "attention_flops",
            attention_flops,
            _flops_cases,
            hints=(
                "There are H · W places, and each is compared with each: how many pairs is that?",
                "For every pair a dot product of C numbers: C multiplications and as many additions.",
                "The weights times the values cost as much again. So 2 · 2 · (H · W)² · C.",
            ),
            mistakes={
                "one product": Mistake(
                    lambda height, width, channels: 2 * (height * width) ** 2 * channels,
                    "half of it: there are two products, queries with keys and weights with values. And a multiplication and "
                    "its addition count as two operations here.",
                ),
                "multiplications alone": Mistake(
                    lambda height, width, channels: (height * width) ** 2 * channels,
                    "this counts the multiplications of one product: count the additions too, and the second product.",
                ),
                "exact additions": Mistake(
                    lambda height, width, channels: (
                        (height * width) ** 2 * (2 * channels - 1)
                        + height * width * channels * (2 * height * width - 1)
                    ),
                    "this is exact, as a sum of n products needs one addition fewer. The usual count is 2 n, and this exercise "
                    "uses it.",
                ),
                "no channels": Mistake(
                    lambda height, width, channels: 4 * (height * width) ** 2,
                    "each pair needs a whole dot product: multiply by the channels.",
                ),
                "not squared": Mistake(
                    lambda height, width, channels: 4 * height * width * channels,
                    "every place is compared with every place: H · W has to be squared.",
                ),
                "side squared": Mistake(
                    lambda height, width, channels: 4 * height**2 * channels,
                    "the places are H · W, and that is squared: (H · W)².",
                ),
                "channels squared": Mistake(
                    lambda height, width, channels: 4 * height * width * channels**2,
                    "this is the cost of the layers that make q and k from the features: here every place is compared with "
                    "every place.",
                ),
            },
            minutes=5,
            difficulty=2,
        ),
    ],
)
