"""Exercises of lesson 5, backwards step by step."""

import torch

from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.theory.prediction import x0_from_eps
from s2i_teach.theory.sampler import ddim_step, ddpm_coefficients, ddpm_step, respaced_betas
from s2i_teach.theory.schedule import alphas_cumprod, scaled_linear_betas


def _steps(generator):
    """Shapes, and ᾱ at both ends of a step: numbers, the last step among them, and a pair for each picture."""
    yield (3, 2), 0.3, 0.55
    yield (2, 3, 4, 4), 0.08, 0.8
    yield (1, 1, 5, 2), 0.9, 0.97
    yield (2, 3), 0.7, 1.0
    a = torch.rand(4, 1, 1, 1, generator=generator) * 0.4 + 0.1
    yield (4, 3, 2, 2), a, a + 0.3


def _ddpm_cases(generator):
    for shape, a, a_prev in _steps(generator):
        x_t, eps, noise = (torch.randn(shape, generator=generator) for _ in range(3))
        yield x_t, eps, a, a_prev, noise


def _ddim_cases(generator):
    for shape, a, a_prev in _steps(generator):
        x_t, eps, noise = (torch.randn(shape, generator=generator) for _ in range(3))
        yield x_t, eps, a, a_prev
        yield x_t, eps, a, a_prev, noise, 0.5
        yield x_t, eps, a, a_prev, noise, 1.0


def _coefficient_cases(generator):
    yield 0.64, 0.3
    yield 0.99, 0.5
    yield 0.2, 0.05
    alpha = 1 - 0.5 * torch.rand(5, generator=generator)
    yield alpha, alpha * (0.1 + 0.8 * torch.rand(5, generator=generator))


def _respacing_cases(generator):
    alpha_bar = alphas_cumprod(scaled_linear_betas())
    yield alpha_bar, list(range(0, 1000, 10))
    yield alpha_bar, [3, 250, 999]
    yield torch.tensor([0.9, 0.6, 0.5, 0.2]), [1, 3]


def _ddpm(mean=None, variance=None, noise_factor=lambda variance: variance**0.5, alpha_of=lambda a, b: a / b):
    """A variant of the DDPM step, for the mistakes."""

    def variant(x_t, eps, a, a_prev, noise):
        alpha, x0 = alpha_of(a, a_prev), x0_from_eps(x_t, eps, a)
        usual = (a_prev**0.5 * (1 - alpha) * x0 + alpha**0.5 * (1 - a_prev) * x_t) / (1 - a)
        spread = (1 - a_prev) / (1 - a) * (1 - alpha)
        centre = mean(x_t, eps, x0, a, a_prev, alpha) if mean else usual
        return centre + noise_factor(variance(a, a_prev, alpha) if variance else spread) * noise

    return variant


def _ddim(x0=x0_from_eps, keep=lambda a_prev, sigma: (1 - a_prev - sigma**2) ** 0.5, root=0.5, eta_power=1):
    """A variant of the DDIM step, for the mistakes."""

    def variant(x_t, eps, a, a_prev, noise=None, eta=0.0):
        sigma = eta**eta_power * ((1 - a_prev) / (1 - a) * (1 - a / a_prev)) ** root
        out = a_prev**0.5 * x0(x_t, eps, a) + keep(a_prev, sigma) * eps
        return out if noise is None else out + sigma * noise

    return variant


def _swapped_ddim(x_t, eps, a, a_prev, noise=None, eta=0.0):
    x0 = x0_from_eps(x_t, eps, a)
    sigma = eta * ((1 - a_prev) / (1 - a) * (1 - a / a_prev)) ** 0.5
    out = (1 - a_prev - sigma**2) ** 0.5 * x0 + a_prev**0.5 * eps
    return out if noise is None else out + sigma * noise


def _same_level(x_t, eps, a, a_prev, noise=None, eta=0.0):
    return ddim_step(x_t, eps, a, a, noise, 0.0)


LESSON = Lesson(
    5,
    "Backwards, step by step",
    [
        Exercise(
            "ddim_step",
            ddim_step,
            _ddim_cases,
            hints=(
                "First the guess: x0 = x0_from_eps(x_t, eps, a). Everything else noises it again, up to a_prev.",
                "With eta = 0: √a_prev · x0 + √(1 − a_prev) · eps. It is add_noise of lesson 2, with the guessed noise.",
                "σ = eta · √((1 − a_prev) / (1 − a) · (1 − a / a_prev)) is how much fresh noise comes in. So that the "
                "variances still add up to 1 − a_prev, the guessed noise keeps √(1 − a_prev − σ²).",
                "Only with eta > 0 is noise given: add σ · noise then, and not when noise is None.",
            ),
            mistakes={
                "no fresh noise": Mistake(
                    lambda x_t, eps, a, a_prev, noise=None, eta=0.0: ddim_step(x_t, eps, a, a_prev),
                    "eta changes nothing: with eta > 0 a part σ · noise of fresh noise comes in.",
                ),
                "noise on top": Mistake(
                    _ddim(keep=lambda a_prev, sigma: (1 - a_prev) ** 0.5),
                    "fresh noise comes on top of the guessed noise: it replaces a part of it, which then keeps only "
                    "√(1 − a_prev − σ²).",
                ),
                "sigma not squared": Mistake(
                    _ddim(keep=lambda a_prev, sigma: (1 - a_prev - sigma) ** 0.5),
                    "under the root variances are subtracted: σ², not σ.",
                ),
                "variance for sigma": Mistake(
                    _ddim(root=1), "your σ is a variance: take the root of the fraction, then multiply by eta."
                ),
                "eta under the root": Mistake(
                    _ddim(eta_power=0.5), "eta multiplies σ: it does not belong under the root."
                ),
                "factors swapped": Mistake(
                    _swapped_ddim, "the two factors have changed places: √a_prev belongs to the guessed picture."
                ),
                "x_t for x0": Mistake(
                    _ddim(x0=lambda x_t, eps, a: x_t),
                    "you noise x_t again: it is the guessed picture x̂0 that is noised.",
                ),
                "stays": Mistake(
                    _same_level, "this noises back to a, where it already stands: the step ends at a_prev."
                ),
                "guess alone": Mistake(
                    lambda x_t, eps, a, a_prev, noise=None, eta=0.0: x0_from_eps(x_t, eps, a),
                    "this is the guessed picture itself, all in one go: a step noises it again, up to a_prev.",
                ),
            },
            minutes=12,
            difficulty=3,
        ),
        Exercise(
            "ddpm_step",
            ddpm_step,
            _ddpm_cases,
            hints=(
                "First x0 = x0_from_eps(x_t, eps, a) and α = a / a_prev, then the mean, then the variance.",
                "The mean is a weighted sum of x0 and x_t: "
                "(√a_prev · (1 − α) · x0 + √α · (1 − a_prev) · x_t) / (1 − a).",
                "The variance is (1 − a_prev) / (1 − a) · (1 − α). Noise is multiplied by its root.",
            ),
            mistakes={
                "noise by its variance": Mistake(
                    _ddpm(noise_factor=lambda variance: variance),
                    "the noise is multiplied by the variance: multiply by its root, the standard deviation.",
                ),
                "no noise": Mistake(
                    _ddpm(noise_factor=lambda variance: 0.0),
                    "this is the mean alone: DDPM draws at random around it, with σ · noise.",
                ),
                "large variance": Mistake(
                    _ddpm(variance=lambda a, a_prev, alpha: 1 - alpha),
                    "your variance is β = 1 − α, the other choice of DDPM's authors; here the smaller one is asked for, "
                    "β · (1 − a_prev) / (1 − a).",
                ),
                "fraction upside down": Mistake(
                    _ddpm(variance=lambda a, a_prev, alpha: (1 - a) / (1 - a_prev + 1e-12) * (1 - alpha)),
                    "the fraction of the variance is upside down: (1 − a_prev) / (1 − a), which is below 1.",
                ),
                "weights swapped": Mistake(
                    _ddpm(
                        mean=lambda x_t, eps, x0, a, a_prev, alpha: (
                            (a_prev**0.5 * (1 - alpha) * x_t + alpha**0.5 * (1 - a_prev) * x0) / (1 - a)
                        )
                    ),
                    "the two weights have changed places: at the last step, a_prev = 1, the mean must be x0.",
                ),
                "cumulative alpha": Mistake(
                    _ddpm(alpha_of=lambda a, a_prev: a),
                    "α is that of this step alone, a / a_prev: you took ᾱ, the product of all steps so far.",
                ),
                "not divided": Mistake(
                    _ddpm(
                        mean=lambda x_t, eps, x0, a, a_prev, alpha: (
                            a_prev**0.5 * (1 - alpha) * x0 + alpha**0.5 * (1 - a_prev) * x_t
                        )
                    ),
                    "the mean is not divided by 1 − a.",
                ),
                "guess noised again": Mistake(
                    lambda x_t, eps, a, a_prev, noise: (
                        a_prev**0.5 * x0_from_eps(x_t, eps, a) + (1 - a_prev) ** 0.5 * noise
                    ),
                    "you noise the guess afresh and forget x_t: x' lies between the two.",
                ),
            },
            minutes=10,
            difficulty=3,
        ),
        Exercise(
            "ddpm_coefficients",
            ddpm_coefficients,
            _coefficient_cases,
            hints=(
                "Put x̂0 = (x_t − √(1 − a) · ε̂) / √a into the mean, and collect what stands before x_t and before ε̂.",
                "Where does a' go? a = α · a', so a' = a / α.",
                "B comes first and easily: √a' · (1 − α) / (1 − a) times √(1 − a) / √a, and √a' / √a is 1 / √α.",
                "A has two parts: (1 − α) / √α from x̂0, and √α · (1 − a') = √α − a / √α. Their sum is (1 − a) / √α, which is "
                "still to be divided by 1 − a.",
            ),
            mistakes={
                "root forgotten": Mistake(
                    lambda alpha, alpha_bar: (
                        ddpm_coefficients(alpha, alpha_bar)[0],
                        (1 - alpha) / (1 - alpha_bar) ** 0.5,
                    ),
                    "A is right, and B lacks 1 / √α: the enlargement concerns what is subtracted as well.",
                ),
                "not enlarged": Mistake(
                    lambda alpha, alpha_bar: (1.0 + 0 * alpha, (1 - alpha) / (1 - alpha_bar) ** 0.5),
                    "here x_t is not enlarged, A = 1: the picture's factor grows in a step, and A with it.",
                ),
                "whole way": Mistake(
                    lambda alpha, alpha_bar: (1 / alpha_bar**0.5, (1 - alpha_bar) ** 0.5 / alpha_bar**0.5),
                    "this is x̂0 itself, the whole way in one go: the mean also keeps a part of x_t.",
                ),
                "DDIM": Mistake(
                    lambda alpha, alpha_bar: (
                        1 / alpha**0.5,
                        ((1 - alpha_bar) / alpha) ** 0.5 - (1 - alpha_bar / alpha) ** 0.5,
                    ),
                    "these are the coefficients of DDIM with η = 0: DDPM's mean subtracts more, since it adds fresh noise.",
                ),
                "no root of 1 − ᾱ": Mistake(
                    lambda alpha, alpha_bar: (1 / alpha**0.5, (1 - alpha) / (alpha**0.5 * (1 - alpha_bar))),
                    "B is divided by 1 − ᾱ: one root of it cancels against the √(1 − ᾱ) of x̂0's formula.",
                ),
                "alpha for its root": Mistake(
                    lambda alpha, alpha_bar: (1 / alpha, (1 - alpha) / (alpha * (1 - alpha_bar) ** 0.5)),
                    "you divide by α: √a' / √a is √(1 / α), so it is its root.",
                ),
                "added": Mistake(
                    lambda alpha, alpha_bar: (
                        ddpm_coefficients(alpha, alpha_bar)[0],
                        -ddpm_coefficients(alpha, alpha_bar)[1],
                    ),
                    "your B is negative: the minus stands in A · x_t − B · ε̂ already.",
                ),
                "noise removed whole": Mistake(
                    lambda alpha, alpha_bar: (1 / alpha**0.5, ((1 - alpha) / alpha) ** 0.5),
                    "this B undoes one forward step as if ε̂ were the noise of that step alone: ε̂ is the noise of all steps so far.",
                ),
            },
            minutes=8,
            difficulty=3,
            praise="This is Ho et al.'s equation 11, and you derived it.",
        ),
        Exercise(
            "respaced_betas",
            respaced_betas,
            _respacing_cases,
            hints=(
                "alpha_bar[torch.as_tensor(kept)] are the values of ᾱ that the short chain passes.",
                "Between two of them lies one step of the short chain: α = this ᾱ / the ᾱ before, β = 1 − α.",
                "Before the first one there is the picture itself, ᾱ = 1.",
            ),
            mistakes={
                "betas of the long chain": Mistake(
                    lambda alpha_bar, kept: respaced_betas(alpha_bar, list(range(len(alpha_bar))))[
                        torch.as_tensor(kept)
                    ],
                    "these are the long chain's β at the kept timesteps: a step of the short chain is longer, so its β is larger.",
                ),
                "first forgotten": Mistake(
                    lambda alpha_bar, kept: respaced_betas(alpha_bar, kept)[1:],
                    "the first step is missing: it leads from the picture, ᾱ = 1, to the first kept timestep.",
                ),
                "alphas": Mistake(
                    lambda alpha_bar, kept: 1 - respaced_betas(alpha_bar, kept),
                    "these are the short chain's α: its β is 1 − α.",
                ),
                "levels": Mistake(
                    lambda alpha_bar, kept: 1 - alpha_bar[torch.as_tensor(kept)],
                    "this is 1 − ᾱ, the noise since the picture: a step's own is 1 − ᾱ / (ᾱ of the kept step before).",
                ),
                "upside down": Mistake(
                    lambda alpha_bar, kept: 1 - 1 / (1 - respaced_betas(alpha_bar, kept)),
                    "the fraction is upside down: the later ᾱ, which is smaller, stands on top.",
                ),
            },
            minutes=6,
            difficulty=2,
            tolerance=1e-6,
        ),
    ],
)
