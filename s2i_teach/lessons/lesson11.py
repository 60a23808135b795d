"""Exercises of lesson 11, turning the knobs."""

import math

import numpy as np
import torch
from PIL import Image

from s2i_teach.errors import InputError
from s2i_teach.evaluate.effects import paired_effect, verdict
from s2i_teach.images import to_tensor
from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.theory.measure import max_difference
from s2i_teach.translation.compare import same_picture, what_it_does


def _model(generator):
    """Stands for a model in the cases: a small picture that depends on some of the arguments."""
    start = torch.randint(0, 150, (), generator=generator).item()

    def make(steps=4, strength=0.5, rescale=True, resolutions=4, size=(3, 2), mirrored=False):
        if resolutions != 4:
            raise InputError(f"resolutions is {resolutions}: leave it 4.")
        if not isinstance(strength, float):
            raise TypeError("strength must be a number")
        picture = Image.new("RGB", size, "white")
        picture.putpixel((0 if mirrored else size[0] - 1, 0), (start + steps, 0, round(50 * strength)))
        return picture

    return make


def _blank(size=(4, 2)):
    return Image.new("RGB", size, "white")


def _trial_cases(generator):
    make = _model(generator)
    for change in (
        {"size": (1, 2)},
        {"rescale": False},
        {"resolutions": 3},
        {"size": (4, 2)},
        {"steps": 60},
        {"steps": 5},
    ):
        yield make, change
    yield _blank, {"size": (2, 4)}  # the same bytes, all of them white, but another picture
    yield make, {"rescale": False, "strength": 0.52}
    yield make, {"steps": 4, "resolutions": 4}
    yield make, {"mirrored": True}  # the same colours, each as often as before, at other places
    yield make, {"rescale": False, "steps": 5, "resolutions": 3}  # refused as a whole, though its second part is not
    yield make, {"strength": "a lot"}  # a bug of the caller, which must not pass for a refusal


def _tried(make, change, same=same_picture, words=("refused", "nothing", "another picture")):
    """A variant of the trial, for the mistakes."""
    first = make()
    try:
        changed = make(**change)
    except InputError:
        return words[0]
    return words[1] if same(changed, first) else words[2]


def _any_error(make, change):
    """Takes every error for a refusal, for the mistakes."""
    try:
        return what_it_does(make, change)
    except Exception:
        return "refused"


def _all_equal(make, change):
    return "nothing" if (np.asarray(make()) == np.asarray(make(**change))).all() else "another picture"


def _nearly(a, b):
    return a.size == b.size and np.allclose(np.asarray(a, dtype=float), np.asarray(b, dtype=float), atol=2)


def _one_by_one(make, change):
    """Looks at the first of several changes only, for the mistakes."""
    return what_it_does(make, dict(list(change.items())[:1]))


def _one_after_the_other(make, change):
    """Makes the changes one at a time and stops at the first that does something, for the mistakes."""
    found = (what_it_does(make, {name: value}) for name, value in change.items())
    return next((outcome for outcome in found if outcome != "nothing"), "nothing")


def _scores_cases(generator):
    for sketches, columns, shift in ((50, 3, 0.0), (6, 2, 0.3), (4, 1, -0.2), (9, 4, 0.1)):
        hard = torch.rand(sketches, 1, generator=generator) * 2  # what makes a sketch easy or hard in both
        own = torch.randn(sketches, 1, generator=generator) * 0.2  # how a sketch takes the change
        before = hard + 0.1 * torch.randn(sketches, columns, generator=generator)
        after = hard + own + shift + 0.1 * torch.randn(sketches, columns, generator=generator)
        yield after, before


def _error(gain, n=None, correction=1) -> float:
    return gain.std(correction=correction).item() / math.sqrt(n or gain.numel())


def _effect(error, sign=1):
    """A variant of the paired effect with another error, for the mistakes."""
    return lambda after, before: (sign * (after - before).mean().item(), error(after, before))


def _right_error(after, before) -> float:
    return paired_effect(after, before)[1]


def _verdict_cases(generator):
    error = 0.02 + 0.01 * torch.rand((), generator=generator).item()
    for times, claimed in ((3, 1), (3, -1), (-3, 1), (0.5, 1), (1.5, 1), (-1.5, 1), (-3, -1), (-0.5, -1)):
        yield times * error, error, claimed
    yield 0.004, 0.001, 1  # small and sure
    yield 0.4, 0.3, 1  # large and not sure
    yield 0.0, 0.0, 1  # nothing at all changed
    yield 1.98 * error, error, 1
    yield -2.05 * error, error, -1


def _judged(shows, right=lambda effect, claimed: effect * claimed > 0, words=("shown", "the other way round")):
    """A variant of the verdict, for the mistakes; ``shows(effect, error)`` says whether anything is shown."""

    def variant(effect, error, claimed):
        if not shows(effect, error):
            return "not shown"
        return words[0] if right(effect, claimed) else words[1]

    return variant


def _sure(effect, error) -> bool:
    return abs(effect) > 2 * error


LESSON = Lesson(
    11,
    "Turning the knobs",
    [
        Exercise(
            "what_it_does",
            what_it_does,
            _trial_cases,
            hints=(
                "make() is the picture as it was; make(**change) is the one with the change. The second may raise "
                "InputError.",
                'try: changed = make(**change), and then except InputError: return "refused".',
                "Two pictures are the same if their sizes are and all their bytes: a.size == b.size and a.tobytes() == "
                "b.tobytes().",
            ),
            mistakes={
                "one and the same object": Mistake(
                    lambda make, change: _tried(make, change, same=lambda a, b: a is b),
                    "`is` asks whether both are one and the same object, which two calls never give: compare their "
                    "pixels.",
                ),
                "the first change only": Mistake(
                    _one_by_one, "only the first of the changes is made: make(**change) makes all of them."
                ),
                "one after the other": Mistake(
                    _one_after_the_other,
                    "the changes are made one after the other here: make(**change) makes all of them in one call, and "
                    "refuses them together.",
                ),
                "one number": Mistake(
                    lambda make, change: _tried(
                        make, change, same=lambda a, b: a.size == b.size and np.mean(a) == np.mean(b)
                    ),
                    "one number for a whole picture is compared, such as its mean: other pictures have the same one. "
                    "Compare every pixel, tobytes().",
                ),
                "nearly the same": Mistake(
                    lambda make, change: _tried(make, change, same=_nearly),
                    "nearly the same is not the same: compare without any tolerance.",
                ),
                "the size alone": Mistake(
                    lambda make, change: _tried(make, change, same=lambda a, b: a.size == b.size),
                    "only the sizes are compared: two pictures of one size can show different things. Compare "
                    "tobytes() too.",
                ),
                "the bytes alone": Mistake(
                    lambda make, change: _tried(make, change, same=lambda a, b: a.tobytes() == b.tobytes()),
                    "only the bytes are compared: a white page of 4 × 2 has the same ones as one of 2 × 4. Compare "
                    "size too.",
                ),
                "the first pixel": Mistake(
                    lambda make, change: _tried(
                        make, change, same=lambda a, b: a.getpixel((0, 0)) == b.getpixel((0, 0))
                    ),
                    "one pixel is compared: the others may differ. tobytes() has all of them.",
                ),
                "nothing is refused": Mistake(
                    lambda make, change: _tried(make, change, words=("nothing", "nothing", "another picture")),
                    'a change that is refused is no change that does nothing: it is "refused".',
                ),
                "every error a refusal": Mistake(
                    _any_error,
                    "every error counts as a refusal here, and a bug stays hidden: catch InputError alone.",
                ),
                "arrays of two sizes": Mistake(
                    lambda make, change: _tried(
                        make, change, same=lambda a, b: bool((np.asarray(a) == np.asarray(b)).all())
                    ),
                    "two pictures of different sizes cannot be compared pixel by pixel, but they are different: "
                    "compare the sizes first.",
                ),
                "tensors of two sizes": Mistake(
                    lambda make, change: _tried(
                        make, change, same=lambda a, b: max_difference(to_tensor(a), to_tensor(b)) == 0
                    ),
                    "max_difference needs two tensors of one shape: compare the sizes first, then the pixels.",
                ),
                "the change forgotten": Mistake(
                    lambda make, change: _tried(make, {}),
                    "both calls are alike here: one is make(), the other make(**change).",
                ),
                "not unpacked": Mistake(
                    lambda make, change: what_it_does(lambda *given: make(*given or (change,)), {}),
                    "make(change) hands the dict over as the first argument: make(**change) gives each value to its "
                    "name.",
                ),
                "the error goes through": Mistake(
                    lambda make, change: (
                        "nothing" if make().tobytes() == make(**change).tobytes() else "another picture"
                    ),
                    "a change that is refused raises InputError, and it goes through here: catch it with try and "
                    "except.",
                ),
                "yes or no": Mistake(
                    lambda make, change: _tried(make, change, words=(False, False, True)),
                    'this is yes or no: give one of three words, "refused", "nothing" or "another picture".',
                ),
                "no or yes": Mistake(
                    lambda make, change: _tried(make, change, words=(False, True, False)),
                    'this says whether the pictures are the same: give one of three words, "refused", "nothing" or "another '
                    'picture".',
                ),
            },
            minutes=6,
            difficulty=2,
            seconds=5.0,
            lets_through=(TypeError,),
        ),
        Exercise(
            "paired_effect",
            paired_effect,
            _scores_cases,
            hints=(
                "The rule about √n speaks of *independent* trials. Each sketch changes in a way of its own, in all of "
                "its columns: how many independent numbers are there?",
                "A sketch is one trial: take the mean over its columns, .mean(1), first. The effect is the mean of "
                "these numbers, and its standard error is their .std() divided by √n, n the number of sketches.",
                "(gain.mean().item(), gain.std().item() / math.sqrt(len(gain))), where gain = (after - "
                "before).mean(1).",
            ),
            mistakes={
                "every picture a trial": Mistake(
                    _effect(lambda after, before: _error(after - before)),
                    "every picture counts as a trial of its own here: those of one sketch are easy or hard together. "
                    "Average over the columns first; n is the number of sketches.",
                ),
                "every picture counted": Mistake(
                    _effect(lambda after, before: _error((after - before).mean(1), after.numel())),
                    "the averages are right, but you divide by the root of the number of pictures: n is the number "
                    "of sketches.",
                ),
                "a single picture's spread": Mistake(
                    _effect(lambda after, before: _error(after - before, len(after))),
                    "n is right, but the spread is that of single pictures: average the columns first, .mean(1).",
                ),
                "one column": Mistake(
                    lambda after, before: paired_effect(after[:, :1], before[:, :1]),
                    "only the first column is used: average all columns of a sketch, .mean(1).",
                ),
                "between the columns": Mistake(
                    _effect(lambda after, before: (after - before).std(1).mean().item() / math.sqrt(len(after))),
                    "this is how far the columns of one sketch lie apart: average them first, .mean(1). The error is about "
                    "how far the *sketches* lie apart.",
                ),
                "always fifty": Mistake(
                    _effect(lambda after, before: _error((after - before).mean(1), 50)),
                    "n is always 50 here: it is the number of sketches, len(after).",
                ),
                "n − 1 twice": Mistake(
                    _effect(lambda after, before: _error((after - before).mean(1), len(after) - 1)),
                    ".std() has divided by n − 1 already: divide it by √n.",
                ),
                "the columns added": Mistake(
                    lambda after, before: paired_effect(after * after.shape[1], before * before.shape[1]),
                    "the columns are added up: average them, .mean(1).",
                ),
                "turned round": Mistake(
                    lambda after, before: paired_effect(after, before)[::-1],
                    "the two numbers have changed places: the effect comes first.",
                ),
                "without signs, too early": Mistake(
                    lambda after, before: (
                        (after - before).abs().mean().item(),
                        _error((after - before).abs().mean(1)),
                    ),
                    "abs() comes before the mean, and losses count as gains: keep the signs.",
                ),
                "not paired": Mistake(
                    _effect(
                        lambda after, before: math.sqrt(
                            (after.mean(1).var().item() + before.mean(1).var().item()) / len(after)
                        )
                    ),
                    "this adds up both spreads, as if they were different sketches: take the differences sketch by "
                    "sketch, and what is hard about a sketch drops out.",
                ),
                "only one side": Mistake(
                    _effect(lambda after, before: _error(after.mean(1))),
                    "the error is that of `after` alone: take that of the differences.",
                ),
                "a standard deviation": Mistake(
                    _effect(lambda after, before: (after - before).mean(1).std().item()),
                    "this is the standard deviation, how far one sketch lies from the mean. The mean itself is surer: "
                    "divide by √n.",
                ),
                "divided by n": Mistake(
                    _effect(lambda after, before: (after - before).mean(1).std().item() / len(after)),
                    "divide the standard deviation by √n, not by n.",
                ),
                "a variance": Mistake(
                    _effect(lambda after, before: (after - before).mean(1).var().item() / len(after)),
                    "this is the error's square: take the root.",
                ),
                "divided by n inside": Mistake(
                    _effect(lambda after, before: _error((after - before).mean(1), correction=0)),
                    "the standard deviation is divided by n inside, which makes it a little too small: .std() divides "
                    "by n − 1.",
                ),
                "the columns as trials": Mistake(
                    lambda after, before: (
                        (after - before).mean().item(),
                        _error((after - before).mean(0)) if after.shape[1] > 1 else math.nan,
                    ),
                    "the mean is taken over the sketches, .mean(0), so that columns count as trials: a row is a "
                    "sketch, .mean(1).",
                ),
                "before minus after": Mistake(
                    lambda after, before: (-paired_effect(after, before)[0], _right_error(after, before)),
                    "the sign is turned round: an effect is after − before.",
                ),
                "without signs": Mistake(
                    lambda after, before: (
                        (after - before).mean(1).abs().mean().item(),
                        _error((after - before).mean(1).abs()),
                    ),
                    "abs() makes a gain of every loss, and pure chance looks like an effect: keep the signs.",
                ),
                "a median": Mistake(
                    lambda after, before: ((after - before).mean(1).median().item(), _right_error(after, before)),
                    "this is the median: s / √n belongs to the mean.",
                ),
                "the effect alone": Mistake(
                    lambda after, before: paired_effect(after, before)[0],
                    "an effect alone does not say how sure it is: return the pair, (effect, standard error).",
                ),
                "two errors": Mistake(
                    _effect(lambda after, before: 2 * _right_error(after, before)),
                    "this is twice the standard error, half an interval: return the standard error itself.",
                ),
                "relative": Mistake(
                    lambda after, before: (
                        ((after - before).mean() / before.mean()).item(),
                        _right_error(after, before) / before.mean().item(),
                    ),
                    "this is divided by the score before: give the difference itself.",
                ),
                "tensors": Mistake(
                    lambda after, before: torch.tensor(paired_effect(after, before)),
                    "return a pair of numbers, not a tensor of two: (effect, error), with .item().",
                ),
            },
            minutes=8,
            difficulty=3,
        ),
        Exercise(
            "verdict",
            verdict,
            _verdict_cases,
            hints=(
                "First: is the effect more than two standard errors from 0, on either side? abs(effect) > 2 * error. "
                "If not, "
                '"not shown".',
                "Then the direction: effect * claimed is positive if the effect goes where the claim says.",
            ),
            mistakes={
                "at nothing": Mistake(
                    _judged(lambda effect, error: abs(effect) >= 2 * error),
                    "it takes *more than* two errors: where nothing changed at all, 0 and 0, nothing is shown.",
                ),
                "1.96": Mistake(
                    _judged(lambda effect, error: abs(effect) > 1.96 * error),
                    "a normal distribution goes beyond 1.96 in 5 of 100 cases; the rule here takes the round number: more than 2.",
                ),
                "one error": Mistake(
                    _judged(lambda effect, error: abs(effect) > error),
                    "one standard error is not enough: pure chance goes beyond it in one of three experiments. It "
                    "takes two.",
                ),
                "no error used": Mistake(
                    _judged(lambda effect, error: effect != 0),
                    "the error is not used: with a handful of sketches some effect is never exactly 0. Compare it "
                    "with two standard errors.",
                ),
                "a fixed threshold": Mistake(
                    _judged(lambda effect, error: abs(effect) > 0.05),
                    "a fixed threshold for the effect does not know how sure it is: compare with two standard errors.",
                ),
                "the sign forgotten": Mistake(
                    _judged(lambda effect, error: effect > 2 * error),
                    "an effect far *below* 0 shows something as well: compare abs(effect).",
                ),
                "the claim forgotten": Mistake(
                    _judged(_sure, right=lambda effect, claimed: effect > 0),
                    "`claimed` is not used: a fall confirms the claim that the score falls (claimed = −1).",
                ),
                "one side of the claim": Mistake(
                    lambda effect, error, claimed: "shown" if effect * claimed > 2 * error else "not shown",
                    'an effect that goes surely the other way is more than not shown: "the other way round".',
                ),
                "not shown is false": Mistake(
                    lambda effect, error, claimed: "shown" if effect * claimed > 2 * error else "the other way round",
                    "what is not shown is not refuted: an effect within two errors of 0 shows neither.",
                ),
                "turned round": Mistake(
                    _judged(_sure, words=("the other way round", "shown")),
                    "the two verdicts have changed places: the claim holds where effect and claimed have the same "
                    "sign.",
                ),
                "yes or no": Mistake(
                    lambda effect, error, claimed: effect * claimed > 2 * error,
                    'this is yes or no: give one of three verdicts, "shown", "the other way round" or "not shown".',
                ),
                "a division": Mistake(
                    lambda effect, error, claimed: verdict(effect, error, claimed) if effect / error else "not shown",
                    "where nothing changed at all the error is 0, and you cannot divide by it: compare abs(effect) "
                    "with 2 * error.",
                ),
            },
            minutes=5,
            difficulty=2,
        ),
    ],
)
