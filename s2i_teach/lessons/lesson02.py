"""Exercises of lesson 2, the noise schedule and the forward process."""

import torch

from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.theory.forward import add_noise, add_noise_one_step, per_picture
from s2i_teach.theory.schedule import alphas_cumprod, scaled_linear_betas, signal_to_noise_ratio


def _betas_cases(generator):
    yield from ((1000, 0.00085, 0.012), (10, 0.1, 0.4), (2, 0.01, 0.5))


def _alphas_cases(generator):
    yield (scaled_linear_betas(),)
    yield (torch.tensor([0.1, 0.5, 0.2]),)
    yield (0.001 + 0.3 * torch.rand(50, generator=generator),)


def _picture_cases(values):
    """Batches of pictures and of points with noise, ``values`` (β or ᾱ) and a timestep each, the ends among them."""

    def cases(generator):
        for shape in ((4, 3, 6, 5), (3, 2), (1, 1, 4, 4)):
            x, eps = torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)
            t = torch.randint(len(values), (shape[0],), generator=generator)
            t[0] = len(values) - 1
            if shape[0] > 1:
                t[1] = 0
            yield x, eps, values, t

    return cases


def _all_times_equal(function):
    """A mistake's shape: every picture gets the first one's timestep."""

    def wrong(x, eps, values, t):
        return function(x, eps, values, t[:1].expand(len(t)))

    return wrong


BETAS = scaled_linear_betas(50, 0.01, 0.3)
ALPHA_BAR = alphas_cumprod(BETAS)

LESSON = Lesson(
    2,
    "The noise schedule and the forward process",
    [
        Exercise(
            "scaled_linear_betas",
            scaled_linear_betas,
            _betas_cases,
            hints=(
                "torch.linspace(a, b, n) gives n numbers from a to b in equal steps.",
                "Not β but √β rises in equal steps: start at √beta_start, end at √beta_end, and square at the end.",
            ),
            mistakes={
                "linear": Mistake(
                    lambda n=1000, a=0.00085, b=0.012: torch.linspace(a, b, n),
                    "this is the linear schedule: here √β, not β, rises in equal steps.",
                ),
                "not squared": Mistake(
                    lambda n=1000, a=0.00085, b=0.012: torch.linspace(a**0.5, b**0.5, n),
                    "these are √β: square them to get β.",
                ),
                "ends squared": Mistake(
                    lambda n=1000, a=0.00085, b=0.012: torch.linspace(a**2, b**2, n) ** 0.5,
                    "you squared first and took the root last: it is the other way round.",
                ),
            },
            minutes=5,
            difficulty=1,
            tolerance=1e-6,
        ),
        Exercise(
            "alphas_cumprod",
            alphas_cumprod,
            _alphas_cases,
            hints=(
                "α is what is left of the variance after one step: α = 1 − β.",
                "What is left after t steps is the product of the first t of them: torch.cumprod.",
            ),
            mistakes={
                "of betas": Mistake(lambda betas: torch.cumprod(betas, 0), "you multiplied the β: multiply α = 1 − β."),
                "sum": Mistake(lambda betas: torch.cumsum(1 - betas, 0), "you added the α up: they are multiplied."),
                "no running product": Mistake(
                    lambda betas: 1 - betas, "this is α of each step alone: ᾱ is the product of all steps so far."
                ),
                "total product": Mistake(
                    lambda betas: (1 - betas).prod(),
                    "this is one number, ᾱ of the last step: ᾱ is wanted at every step.",
                ),
            },
            minutes=5,
            difficulty=1,
            tolerance=1e-6,
        ),
        Exercise(
            "signal_to_noise_ratio",
            signal_to_noise_ratio,
            lambda generator: iter([(ALPHA_BAR,), (torch.rand(3, 4, generator=generator) * 0.9 + 0.05,)]),
            hints=(
                "In x_t the picture has the variance ᾱ and the noise the variance 1 − ᾱ.",
                "A ratio of variances: one divided by the other, nothing squared and no root.",
            ),
            mistakes={
                "upside down": Mistake(lambda a: (1 - a) / a, "this is noise over signal: turn the fraction around."),
                "of amplitudes": Mistake(
                    lambda a: (a / (1 - a)) ** 0.5,
                    "this is the ratio of the amplitudes: the SNR is that of the variances.",
                ),
                "in decibels": Mistake(
                    lambda a: 10 * torch.log10(a / (1 - a)), "this is the SNR in decibels: leave the logarithm out."
                ),
            },
            minutes=3,
            difficulty=1,
        ),
        Exercise(
            "add_noise_one_step",
            add_noise_one_step,
            _picture_cases(BETAS),
            hints=(
                "per_picture(betas, t, x_prev) is β of each picture's own step, shaped to be multiplied with pictures.",
                "β is the variance of what is added. To give ε the variance β, multiply it by √β.",
                "√(1 − β) · x_prev + √β · ε",
            ),
            mistakes={
                # A reviewed practical multiplies the noise by (1 − α) where its own text says variance (1 − α).
                "noise by its variance": Mistake(
                    lambda x, eps, betas, t: (1 - per_picture(betas, t, x)).sqrt() * x + per_picture(betas, t, x) * eps,
                    "the noise is multiplied by β: β is its variance, so multiply by √β. (This very slip stands in a "
                    "published course: 200 such steps end with a variance of 0.01 instead of 0.87.)",
                ),
                "picture by its variance": Mistake(
                    lambda x, eps, betas, t: (1 - per_picture(betas, t, x)) * x + per_picture(betas, t, x).sqrt() * eps,
                    "the picture is multiplied by 1 − β: that is its variance, so multiply by √(1 − β).",
                ),
                "no shrinking": Mistake(
                    lambda x, eps, betas, t: x + per_picture(betas, t, x).sqrt() * eps,
                    "the picture is not shrunk: without √(1 − β) the variance grows at every step.",
                ),
                "minus": Mistake(
                    lambda x, eps, betas, t: (
                        (1 - per_picture(betas, t, x)).sqrt() * x - per_picture(betas, t, x).sqrt() * eps
                    ),
                    "the noise is subtracted: it is added.",
                ),
                "one time for all": Mistake(
                    _all_times_equal(add_noise_one_step),
                    "every picture gets the first one's step: use the whole of t, one step a picture.",
                ),
            },
            minutes=8,
            difficulty=2,
        ),
        Exercise(
            "add_noise",
            add_noise,
            _picture_cases(ALPHA_BAR),
            hints=(
                "It looks like one step, with ᾱ_t in the place of 1 − β.",
                "per_picture(alpha_bar, t, x0) is ᾱ of each picture's own t, shaped to be multiplied with pictures.",
                "√ᾱ · x0 + √(1 − ᾱ) · ε",
            ),
            mistakes={
                "no roots": Mistake(
                    lambda x, eps, a, t: per_picture(a, t, x) * x + (1 - per_picture(a, t, x)) * eps,
                    "the roots are missing: ᾱ and 1 − ᾱ are variances, and amplitudes are their roots.",
                ),
                "swapped": Mistake(
                    lambda x, eps, a, t: (1 - per_picture(a, t, x)).sqrt() * x + per_picture(a, t, x).sqrt() * eps,
                    "picture and noise have changed places: at t = 0 it should be nearly all picture.",
                ),
                "noise not weighted": Mistake(
                    lambda x, eps, a, t: per_picture(a, t, x).sqrt() * x + eps,
                    "the noise is not weighted: without √(1 − ᾱ) the variance does not stay 1.",
                ),
                "off by one": Mistake(
                    lambda x, eps, a, t: add_noise(x, eps, a, (t - 1).clamp(min=0)),
                    "you take ᾱ one step too early: index 0 of alpha_bar is already the first step.",
                ),
                "one time for all": Mistake(
                    _all_times_equal(add_noise),
                    "every picture gets the first one's t: use the whole of t, one a picture.",
                ),
            },
            minutes=8,
            difficulty=2,
        ),
    ],
)
