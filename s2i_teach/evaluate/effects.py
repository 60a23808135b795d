"""Does a change do what somebody claims? Its mean effect over sketches, how sure that is, and what follows."""

import math
from collections.abc import Callable

import torch


def paired_effect(after: torch.Tensor, before: torch.Tensor) -> tuple[float, float]:
    """The mean of ``after − before`` over sketches, and its standard error.

    A row is a sketch, and a sketch is one trial: its columns (seeds, or other settings, the same in both) are averaged
    first. The standard error is s / √n with n the number of sketches and s the standard deviation (divided by n − 1) of
    the sketches' differences, as in Student's paired test. That the differences are taken sketch by sketch removes what
    is hard about a sketch in both.

    Args:
        after, before: scores ``(sketches, columns)``, with at least two sketches.
    """
    gain = (after - before).mean(1)  # one number a sketch
    return gain.mean().item(), gain.std().item() / math.sqrt(len(gain))


def verdict(effect: float, error: float, claimed: int) -> str:
    """What an effect with its standard error says of a claim: ``"holds"``, ``"the opposite holds"``, ``"not shown"``.

    An effect shows something if it is more than two standard errors from 0, which is about a 95 % interval that does
    not reach 0. "Not shown" is not "false": the effect may be too small for so few sketches.

    Args:
        claimed: +1 if the claim is that the score rises, −1 if it is that it falls.
    """
    if abs(effect) <= 2 * error:
        return "not shown"
    return "holds" if effect * claimed > 0 else "the opposite holds"


def leave_one_out(score: Callable[[list[int]], float], n: int) -> tuple[float, float]:
    """A score that only a whole set has, such as a kernel distance, and its standard error: the jackknife.

    The set is scored ``n`` times more, each time without one of its sketches. How far these scores s_i lie apart tells
    how far the score would move with other sketches: √((n − 1)/n · Σ (s_i − s̄)²), which for a mean is s / √n (Efron &
    Tibshirani 1993, *An Introduction to the Bootstrap*, equation 11.5).

    Args:
        score: of a list of places in the set, from 0 to n − 1.
        n: sketches, at least two.
    """
    everything = list(range(n))
    scores = torch.tensor([score(everything[:i] + everything[i + 1 :]) for i in everything], dtype=torch.float64)
    return score(everything), math.sqrt((n - 1) / n * ((scores - scores.mean()) ** 2).sum().item())
