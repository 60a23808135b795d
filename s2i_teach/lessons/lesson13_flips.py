"""Lesson 13's exercise ``sign_flip``: whether a mean difference could be chance."""

from itertools import product

import numpy as np
import torch
from scipy import stats

from s2i_teach.evaluate.bootstrap import sign_flip
from s2i_teach.lessons.engine import Exercise, Mistake


def _difference_cases(generator):
    def eighths(count, shift):
        # Sums of eighths are exact, so that a tie is a tie.
        return ((torch.randn(count, generator=generator) * 8).round() / 8 + shift).tolist()

    yield ([-0.5, -1.25, 0.25, -2.0, -0.75, 0.5, -1.0],)  # below 0, where the two one-sided tests differ
    yield (eighths(7, 0.5),)
    yield ([1.0, 1.0, -1.0, 1.0, 1.0],)
    yield ([0.5, 0.25, 0.75, 0.125],)
    yield ([0.5, -0.25, -0.25],)
    yield ([-2.0],)


def _flips(reached=np.abs, target=lambda d: abs(d.sum()), at_least=np.greater_equal, result=np.mean):
    """A variant of the test, for the mistakes."""

    def variant(differences):
        d = np.asarray(differences)
        signs = np.array(list(product((1, -1), repeat=len(d))))
        return float(result(at_least(reached(signs @ d), target(d))))

    return variant


def _t_test(differences):
    return float(stats.ttest_1samp(differences, 0).pvalue) if len(differences) > 1 else 1.0


def _signs_alone(differences):
    return _flips()(np.sign(differences))


def _explain_p(arguments, answer) -> str | None:
    """What is wrong with a number that is no typical mistake."""
    try:
        value = float(answer)
    except (TypeError, ValueError, RuntimeError):
        return None
    if not 0 <= value <= 1:
        return f"{value:.4g} is no share: p lies between 0 and 1."
    if abs(value - sign_flip(*arguments)) < 0.04:
        return (
            f"{value:.4g} is near {sign_flip(*arguments):.4g}, but not it. Drawn by lot? Try *all* 2ⁿ, "
            "product((1, -1), repeat=n). All tried? Count the real signs exactly once, take >=, and compare means with "
            "the real mean (or sums with the real sum)."
        )
    return None


SIGN_FLIP = Exercise(
    "sign_flip",
    sign_flip,
    _difference_cases,
    hints=(
        "product((1, -1), repeat=n) gives all 2ⁿ ways to set n signs.",
        "signs @ d, with signs as an array (2ⁿ, n), is the sum of the differences for every way.",
        "The share of the ways with abs(sum) >= abs(d.sum()). The mean of True and False is a share.",
    ),
    mistakes={
        "one side": Mistake(
            _flips(reached=lambda x: x, target=lambda d: d.sum()),
            "only sums on one side are counted: far from 0 is far in either direction. Take abs of both.",
        ),
        "the other side": Mistake(
            _flips(reached=lambda x: x),
            "the real sum is taken without its sign, and the others with it: take abs of both.",
        ),
        "farther only": Mistake(
            _flips(at_least=np.greater),
            "this counts only what is *farther* (>); the real signs are one of the ways: p is never 0. Use >=.",
        ),
        "the rest": Mistake(
            _flips(at_least=np.less),
            "this is the share that is *nearer* to 0: p is the share that is as far or farther.",
        ),
        "the rest, with ties": Mistake(
            _flips(at_least=np.less_equal),
            "the sign stands the wrong way round, <=: as far or *farther* is >=.",
        ),
        "how many": Mistake(
            _flips(result=np.sum), "this is how many ways there are: divide by the number of all ways, 2ⁿ."
        ),
        "sum and mean": Mistake(
            _flips(target=lambda d: abs(d.mean())),
            "you compare sums with a mean: take two sums, or two means.",
        ),
        "always 1": Mistake(
            lambda differences: 1.0,
            "this is 1 here. Is the real mean (below 0 here) taken with abs as well? And are the *signs* "
            "flipped? Shuffled, or made positive one by one, differences keep their mean.",
        ),
        "Student's t": Mistake(
            _t_test,
            "this is Student's t-test, which believes in a bell curve: count the ways to set signs.",
        ),
        "signs alone": Mistake(
            _signs_alone,
            "this is the sign test: it knows how many sketches got better, and not by how much. Keep the "
            "differences' sizes.",
        ),
    },
    explain=_explain_p,
    minutes=7,
    difficulty=3,
)
