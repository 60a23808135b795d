"""Does a change do what somebody claims? Its mean effect over sketches, how sure that is, and what follows."""

import math
from collections.abc import Callable

import torch

from s2i_teach.errors import InputError
from s2i_teach.files import written


def paired_effect(after: torch.Tensor, before: torch.Tensor) -> tuple[float, float]:
    """The mean of ``after − before`` over sketches, and its standard error.

    A row is a sketch, and a sketch is one trial: its columns (seeds, or other settings, the same in both) are averaged
    first. The standard error is s / √n with n the number of sketches and s the standard deviation (divided by n − 1) of
    the sketches' differences, as in Student's paired test. That the differences are taken sketch by sketch removes what
    is hard about a sketch in both.

    With few sketches see also :func:`s2i_teach.evaluate.bootstrap.difference`, whose interval is made for them.

    Args:
        after, before: scores ``(sketches, columns)``, with at least two sketches.

    Raises:
        InputError: other shapes, or numbers that are not finite.
    """
    check_scores(after, before)
    gain = (after - before).mean(1)  # one number a sketch
    return gain.mean().item(), gain.std().item() / math.sqrt(len(gain))


def verdict(effect: float, error: float, claimed: int) -> str:
    """What an effect with its standard error says of a claim: ``"shown"``, ``"the other way round"``, ``"not shown"``.

    An effect shows something if it is more than two standard errors from 0. From a few dozen sketches on that is a 95 %
    interval without 0; of 5 sketches chance alone goes so far 12 times in 100, since Student's t asks for 2.8 errors
    there. "Not shown" is not "false": the effect may be too small for so few sketches.

    Args:
        effect, error: as :func:`paired_effect` gives them.
        claimed: +1 if the claim is that the score rises, −1 if it is that it falls.

    Raises:
        InputError: numbers that are not finite, an error below 0, another claim.
    """
    check_effect(effect, error, claimed)
    if abs(effect) <= 2 * error:
        return "not shown"
    return "shown" if effect * claimed > 0 else "the other way round"


def what_helped(unled: torch.Tensor, other: torch.Tensor, right: torch.Tensor) -> str:
    """What made a network that is given hints better: the hints, or that it was trained at all.

    Two comparisons, each picture by picture, each shown if the mean difference is more than two standard errors. A loss
    that is lower with the right hint than with another picture's says that the hint is *read*. One that is lower than
    without the added network says that something is *gained*.

    Args:
        unled, other, right: losses of the same pictures with the same noise, ``(N,)``: of the network alone, with the hint
            of another picture, with the right one.

    Returns:
        ``"the hint"`` (read and gained), ``"the training alone"`` (gained, not shown to be read), ``"the hint is read,
        nothing is gained"``, or ``"nothing is shown"``.
    """

    def lower(one, another):
        gain = another - one
        return gain.mean() > 2 * gain.std() / len(gain) ** 0.5

    is_read, is_gained = lower(right, other), lower(right, unled)
    if is_read and is_gained:
        return "the hint"
    if is_gained:
        return "the training alone"
    return "the hint is read, nothing is gained" if is_read else "nothing is shown"


def leave_one_out(score: Callable[[list[int]], float], n: int) -> tuple[float, float]:
    """A score that only a whole set has, such as a kernel distance, and its standard error: the jackknife.

    The set is scored ``n`` times more, each time without one of its sketches. How far these scores s_i lie apart tells
    how far the score would move with other sketches: √((n − 1)/n · Σ (s_i − s̄)²), which for a mean is s / √n (Efron &
    Tibshirani 1993, *An Introduction to the Bootstrap*, equation 11.5).

    Args:
        score: of a list of places in the set, from 0 to n − 1.
        n: sketches, at least two.

    Raises:
        InputError: fewer.
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 2:
        raise InputError(f"n is {written(n)}: a set needs at least 2 sketches, of which one can be left out.")
    everything = list(range(n))
    scores = torch.tensor([float(score(everything[:i] + everything[i + 1 :])) for i in everything], dtype=torch.float64)
    return float(score(everything)), math.sqrt((n - 1) / n * ((scores - scores.mean()) ** 2).sum().item())


def check_scores(after, before) -> None:
    """Refuse what :func:`paired_effect` cannot compare: scores that would be stretched to fit, or that are no numbers."""
    tensors = all(isinstance(scores, torch.Tensor) and scores.is_floating_point() for scores in (after, before))
    if not tensors or after.dim() != 2 or after.shape != before.shape or len(after) < 2 or not after.shape[1]:
        shapes = " and ".join(str(tuple(getattr(s, "shape", ())) or type(s).__name__) for s in (after, before))
        raise InputError(
            f"{shapes} cannot be paired: give two tensors (sketches, columns) of one shape, of at least 2 sketches."
        )
    if not (after.isfinite().all() and before.isfinite().all()):
        raise InputError("Not all of these scores are finite numbers: leave those sketches out of both.")


def check_effect(effect: float, error: float, claimed: int) -> None:
    """Refuse what :func:`verdict` cannot judge: nan above all, which is never within two errors."""
    if claimed not in (1, -1):
        raise InputError(f"claimed is {written(claimed)}: give +1 if the score should rise, -1 if it should fall.")
    if not (math.isfinite(effect) and 0 <= error < math.inf):
        raise InputError(
            f"An effect of {effect} with an error of {error} says nothing: give finite numbers, the error not below 0."
        )
