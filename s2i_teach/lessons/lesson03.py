"""Exercises of lesson 3, what the network predicts."""

import torch

from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.theory.ideal import weights
from s2i_teach.theory.prediction import v_from_x0_and_eps, x0_from_eps, x0_from_v


def _two_and_alpha_bar(generator):
    """Two batches and ᾱ: one number, or one per picture in a shape that can be multiplied."""
    for shape, a in (((2, 3, 4, 4), 0.3), ((3, 2), 0.9), ((1, 1, 5, 2), 0.06)):
        yield torch.randn(shape, generator=generator), torch.randn(shape, generator=generator), torch.tensor(a)
    per_picture = torch.rand(4, 1, 1, 1, generator=generator) * 0.8 + 0.1
    yield (
        torch.randn(4, 3, 2, 2, generator=generator),
        torch.randn(4, 3, 2, 2, generator=generator),
        per_picture,
    )


def _data_cases(generator):
    for points, dim, a in ((5, 2, 0.5), (3, 2, 0.9), (20, 2, 0.05)):
        data = torch.randn(points, dim, generator=generator)
        yield torch.randn(4, dim, generator=generator), data, a
    yield torch.randn(2, 1, 3, 3, generator=generator), torch.randn(6, 1, 3, 3, generator=generator), 0.3


def _squared_distance(x_t, points):
    return torch.cdist(x_t.flatten(1), points.flatten(1)) ** 2


LESSON = Lesson(
    3,
    "What the network predicts",
    [
        Exercise(
            "x0_from_eps",
            x0_from_eps,
            _two_and_alpha_bar,
            hints=(
                "Lesson 2: x_t = √ᾱ · x_0 + √(1 − ᾱ) · ε. You know everything in it but x_0.",
                "First take away the noise with the factor that it has in x_t. Then undo the factor of x_0.",
                "(x_t − √(1 − ᾱ) · ε) / √ᾱ",
            ),
            mistakes={
                "all of it": Mistake(
                    lambda x_t, eps, a: x_t - eps,
                    "the two factors are forgotten: x_t holds √(1 − ᾱ) of the noise and √ᾱ of the picture. Take the "
                    "noise "
                    "away with its factor, then divide.",
                ),
                "not scaled back": Mistake(
                    lambda x_t, eps, a: x_t - (1 - a) ** 0.5 * eps,
                    "what is left is √ᾱ · x_0: divide by √ᾱ.",
                ),
                "all of it, scaled back": Mistake(
                    lambda x_t, eps, a: (x_t - eps) / a**0.5,
                    "the noise is in x_t with the factor √(1 − ᾱ): you subtract all of ε.",
                ),
                "parentheses": Mistake(
                    lambda x_t, eps, a: x_t - (1 - a) ** 0.5 * eps / a**0.5,
                    "only the noise is divided by √ᾱ: put the whole difference in parentheses and divide that.",
                ),
                "no roots": Mistake(
                    lambda x_t, eps, a: (x_t - (1 - a) * eps) / a,
                    "the roots are missing: ᾱ and 1 − ᾱ are variances, amplitudes are their roots.",
                ),
                "swapped": Mistake(
                    lambda x_t, eps, a: (x_t - a**0.5 * eps) / (1 - a) ** 0.5,
                    "the two factors have changed places: √(1 − ᾱ) belongs to the noise.",
                ),
                "plus": Mistake(
                    lambda x_t, eps, a: (x_t + (1 - a) ** 0.5 * eps) / a**0.5,
                    "the noise is added once more: it has to be subtracted.",
                ),
            },
            minutes=6,
            difficulty=2,
        ),
        Exercise(
            "v_from_x0_and_eps",
            v_from_x0_and_eps,
            _two_and_alpha_bar,
            hints=(
                "It is the derivative of x_t by φ. What are the derivatives of cos φ and of sin φ?",
                "√ᾱ · ε − √(1 − ᾱ) · x_0",
            ),
            mistakes={
                "x_t": Mistake(
                    lambda x0, eps, a: a**0.5 * x0 + (1 - a) ** 0.5 * eps,
                    "this is x_t itself: in v the two factors are exchanged, and x_0 has a minus.",
                ),
                "sign": Mistake(
                    lambda x0, eps, a: (1 - a) ** 0.5 * x0 - a**0.5 * eps,
                    "this is −v: the minus belongs to x_0.",
                ),
                "factors swapped": Mistake(
                    lambda x0, eps, a: (1 - a) ** 0.5 * eps - a**0.5 * x0,
                    "the factors have changed places: √ᾱ belongs to ε here, √(1 − ᾱ) to x_0.",
                ),
                "minus in x_t": Mistake(
                    lambda x0, eps, a: a**0.5 * x0 - (1 - a) ** 0.5 * eps,
                    "this is x_t with a minus: in v the factors have changed places as well.",
                ),
                "plus": Mistake(
                    lambda x0, eps, a: a**0.5 * eps + (1 - a) ** 0.5 * x0,
                    "there is a plus between them: v is a difference.",
                ),
                "no roots": Mistake(
                    lambda x0, eps, a: a * eps - (1 - a) * x0,
                    "the roots are missing: √ᾱ and √(1 − ᾱ).",
                ),
            },
            minutes=4,
            difficulty=1,
        ),
        Exercise(
            "x0_from_v",
            x0_from_v,
            _two_and_alpha_bar,
            hints=(
                "You have two equations, x_t = √ᾱ · x_0 + √(1 − ᾱ) · ε and v = √ᾱ · ε − √(1 − ᾱ) · x_0. Make ε cancel.",
                "Multiply the first by √ᾱ, the second by √(1 − ᾱ), and subtract. Note that ᾱ + (1 − ᾱ) = 1.",
                "√ᾱ · x_t − √(1 − ᾱ) · v",
            ),
            mistakes={
                "plus": Mistake(
                    lambda x_t, v, a: a**0.5 * x_t + (1 - a) ** 0.5 * v,
                    "the sign of v is wrong: multiply out, the terms with ε must cancel.",
                ),
                "noise": Mistake(
                    lambda x_t, v, a: a**0.5 * v + (1 - a) ** 0.5 * x_t,
                    "this is ε: the other one of the two things that follow from x_t and v.",
                ),
                "factors swapped": Mistake(
                    lambda x_t, v, a: (1 - a) ** 0.5 * x_t - a**0.5 * v,
                    "the factors have changed places: √ᾱ belongs to x_t.",
                ),
                "as from noise": Mistake(
                    lambda x_t, v, a: (x_t - (1 - a) ** 0.5 * v) / a**0.5,
                    "this treats v as if it were ε: with v no division is needed.",
                ),
                "no roots": Mistake(
                    lambda x_t, v, a: a * x_t - (1 - a) * v,
                    "the roots are missing: √ᾱ and √(1 − ᾱ).",
                ),
            },
            minutes=8,
            difficulty=3,
        ),
        Exercise(
            "weights",
            weights,
            _data_cases,
            hints=(
                "If x_0 was y_i, then x_t = √ᾱ · y_i + √(1 − ᾱ) · ε. Its mean is √ᾱ · y_i. Which variance does it "
                "have?",
                ".flatten(1) makes a row of each picture. torch.cdist(a, b) is the distance of each row of a to each "
                "of b, (B, N).",
                "torch.softmax(s, dim=1) is exp(s), divided by its sum over the data points: s = −distance² / (2(1 − "
                "ᾱ)).",
            ),
            mistakes={
                "data not shrunk": Mistake(
                    lambda x_t, data, a: torch.softmax(-_squared_distance(x_t, data) / (2 * (1 - a)), 1),
                    "you measure the distance to y_i: x_t scatters around √ᾱ · y_i.",
                ),
                "not flattened": Mistake(
                    lambda x_t, data, a: torch.softmax(-(torch.cdist(x_t, a**0.5 * data) ** 2) / (2 * (1 - a)), 1),
                    "this works for points, but not for pictures: .flatten(1) makes a row of each, then torch.cdist "
                    "compares rows.",
                ),
                "not squared": Mistake(
                    lambda x_t, data, a: torch.softmax(
                        -torch.cdist(x_t.flatten(1), a**0.5 * data.flatten(1)) / (2 * (1 - a)), 1
                    ),
                    "the distance is not squared: the bell curve falls with the square.",
                ),
                "without the two": Mistake(
                    lambda x_t, data, a: torch.softmax(-_squared_distance(x_t, a**0.5 * data) / (1 - a), 1),
                    "the 2 of the bell curve is missing: exp(−distance² / (2 · variance)).",
                ),
                "over the batch": Mistake(
                    lambda x_t, data, a: torch.softmax(-_squared_distance(x_t, a**0.5 * data) / (2 * (1 - a)), 0),
                    "the softmax runs over the batch: each row belongs to one x_t and must sum to 1 over the data "
                    "points, dim=1.",
                ),
                "the farthest": Mistake(
                    lambda x_t, data, a: torch.softmax(_squared_distance(x_t, a**0.5 * data) / (2 * (1 - a)), 1),
                    "the minus is missing: the farthest point gets the most weight.",
                ),
                "standard deviation": Mistake(
                    lambda x_t, data, a: torch.softmax(
                        -_squared_distance(x_t, a**0.5 * data) / (2 * (1 - a) ** 0.5), 1
                    ),
                    "you divide by the standard deviation √(1 − ᾱ): the variance 1 − ᾱ stands in the exponent.",
                ),
            },
            minutes=10,
            difficulty=3,
        ),
    ],
)
