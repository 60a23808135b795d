"""Exercises of lesson 2, the noise schedule and the forward process."""

import torch

from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.theory.forward import add_noise, add_noise_from, add_noise_one_step, per_picture
from s2i_teach.theory.schedule import alphas_cumprod, scaled_linear_betas


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


def _leap_cases(generator):
    """Leaps between two timesteps, over one step, from the clean picture to the first and to a later timestep."""
    late = torch.randint(30, len(ALPHA_BAR) - 1, (2,), generator=generator).tolist()
    early = torch.randint(1, 29, (2,), generator=generator).tolist()
    for s, t in ((early[0], late[0]), (-1, late[1]), (early[1], early[1] + 1), (-1, 0), (0, late[0])):
        shape = (2, 3, 4, 4) if t % 2 else (5, 2)
        yield torch.randn(shape, generator=generator), torch.randn(shape, generator=generator), ALPHA_BAR, s, t


def _before(alpha_bar, s):
    return alpha_bar[s] if s >= 0 else 1.0


def _leap_over(share, x, eps):
    """The leap that leaves this share of the variance of x, for the mistakes."""
    return share**0.5 * x + (1 - share) ** 0.5 * eps


def _root_of_a_negative(arguments, answer) -> str | None:
    """Where values are not finite, a share of the variance is above 1: which one, in words."""
    if not isinstance(answer, torch.Tensor) or torch.isfinite(answer).all():
        return None
    if arguments[3] == -1:
        return "for s = −1 alpha_bar[s] is the *last* element in Python: before the first step ᾱ is 1."
    return "√ of a negative number: ᾱ falls from step to step, so ᾱ_t / ᾱ_s is below 1, and ᾱ_s / ᾱ_t is above it."


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
                "√β rises in equal steps, from √beta_start to √beta_end. Square these numbers at the end.",
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
                    "this is one number, ᾱ of the last step: the exercise asks for ᾱ at every step.",
                ),
            },
            minutes=5,
            difficulty=1,
            tolerance=1e-6,
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
                "noise by its variance": Mistake(
                    lambda x, eps, betas, t: (1 - per_picture(betas, t, x)).sqrt() * x + per_picture(betas, t, x) * eps,
                    "the noise is multiplied by β: β is the variance that it should have, so multiply by √β.",
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
                    "every picture gets the step of the first picture: use the whole of t, one step per picture.",
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
                "It looks like one step, with ᾱ_t in the place of 1 − β_t.",
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
                    "you take ᾱ one step too early: index 0 of alpha_bar is ᾱ after the first step.",
                ),
                "one time for all": Mistake(
                    _all_times_equal(add_noise),
                    "every picture gets the t of the first picture: use the whole of t, one per picture.",
                ),
            },
            minutes=8,
            difficulty=2,
        ),
        Exercise(
            "add_noise_from",
            add_noise_from,
            _leap_cases,
            hints=(
                "Write x_s and x_t as leaps from the clean picture. What turns the picture's factor in x_s into that "
                "in x_t?",
                "ᾱ_t holds all α up to t, and ᾱ_s all up to s. Which α lie between? The noise gets the rest of the "
                "variance.",
                "Before the first step ᾱ is 1, and this 1 is not in the list: alpha_bar[s] if s >= 0 else 1.0.",
                "With r = ᾱ_t / ᾱ_s: √r · x_s + √(1 − r) · ε",
            ),
            mistakes={
                "from the clean picture": Mistake(
                    lambda x, eps, a, s, t: a[t] ** 0.5 * x + (1 - a[t]) ** 0.5 * eps,
                    "this is the leap from the clean picture: x_s has lost a part already, and holds noise already.",
                ),
                "only the last step": Mistake(
                    lambda x, eps, a, s, t: _leap_over(a[t] / (a[t - 1] if t > 0 else 1.0), x, eps),
                    "this is the last step alone: all the steps after s up to t belong to it.",
                ),
                "difference": Mistake(
                    lambda x, eps, a, s, t: _leap_over(1 - (_before(a, s) - a[t]), x, eps),
                    "you subtract the ᾱ: they are products of α, so what lies between s and t is their quotient.",
                ),
                "first for clean": Mistake(
                    lambda x, eps, a, s, t: _leap_over(a[t] / a[max(s, 0)], x, eps),
                    "for s = −1 you take alpha_bar[0]: that is ᾱ after one step. The clean picture has ᾱ = 1.",
                ),
                "one step too many": Mistake(
                    lambda x, eps, a, s, t: _leap_over(a[t] / _before(a, s - 1), x, eps),
                    "you start one step too early: x_s has had the step number s already.",
                ),
                "noise to the full": Mistake(
                    lambda x, eps, a, s, t: (a[t] / _before(a, s)) ** 0.5 * x + (1 - a[t]) ** 0.5 * eps,
                    "the noise is too strong: x_s brings some of the variance 1 − ᾱ_t with it.",
                ),
                "no roots": Mistake(
                    lambda x, eps, a, s, t: a[t] / _before(a, s) * x + (1 - a[t] / _before(a, s)) * eps,
                    "the roots are missing: shares of the variance are multiplied as their roots.",
                ),
            },
            minutes=9,
            difficulty=3,
            explain=_root_of_a_negative,
        ),
    ],
)
