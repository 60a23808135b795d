"""Exercises of lesson 9, the studio."""

from dataclasses import fields
from itertools import combinations

import torch

from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.translation.compare import differences, spread, vanishing_strength
from s2i_teach.translation.settings import Settings


def _settings_cases(generator):
    def pair(left: dict, right: dict):
        same = {"prompt": "a turtle, openmoji style", "strength": 0.5, "guidance_scale": 2.5, "num_inference_steps": 8}
        # A size of its own for each: equal, but not one and the same object.
        return tuple(Settings(**{**same, "size": [128, 128], **one}) for one in (left, right))

    yield pair(
        {"strength": 0.6, "seed": 7, "scheduler": "ddim"},
        {"strength": 0.8, "seed": 3, "scheduler": "euler", "negative_prompt": "grey"},
    )
    yield pair({"prompt": "a cat", "seed": 0, "prepare": "filled"}, {"prompt": "a dog", "seed": 5})
    yield pair({"num_inference_steps": None, "scheduler": "ddim"}, {"guidance_scale": 4.0, "scheduler": None})
    yield pair({"size": [256, 128]}, {"negative_prompt": "grey", "fit": "crop", "invert": True})
    yield pair({}, {})
    yield pair({"seed": 1}, {"seed": 2})


def _names(a, b, among=None, differ=lambda x, y: x != y):
    """A variant of the list of differences, for the mistakes."""
    return [f.name for f in fields(a) if among in (None, f.name) and differ(getattr(a, f.name), getattr(b, f.name))]


def _without(*left_out):
    return lambda a, b: [name for name in _names(a, b) if name not in left_out]


def _spread_cases(generator):
    for count, height, width in ((4, 4, 4), (3, 2, 6), (2, 4, 4), (5, 3, 3)):
        yield (torch.rand(count, 3, height, width, generator=generator) * 2 - 1,)


def _distance(a, b):
    return (a - b).abs().mean()


def _mean(values):
    return torch.stack(list(values)).mean().item()


def _strength_cases(generator):
    shift = torch.rand((), generator=generator).item() * 0.02
    for strengths, agreements in (
        ([0.25, 0.5, 0.625, 0.75, 1.0], [0.8, 0.1, 0.45, 0.2, 0.05]),
        ([0.3, 0.9, 0.5, 0.7, 0.6, 0.8], [0.7, 0.06, 0.6, 0.21, 0.35, 0.13]),
        ([0.2, 0.4, 0.6, 0.8], [0.9, 0.7, 0.5, 0.4]),
        ([0.5, 0.75, 1.0], [0.1, 0.05, -0.1]),
        ([0.25, 0.5, 0.75, 1.0], [0.9, 0.2, 0.1, 0.5]),
    ):
        yield strengths, [round(a + shift, 3) for a in agreements], 0.25
    yield [0.25, 0.5, 0.75], [0.5, 0.25, 0.125], 0.25


def _below(strengths, agreements, threshold):
    return [s for s, a in zip(strengths, agreements, strict=True) if a < threshold]


def _first_from_behind(strengths, agreements, threshold):
    """Walks from the end of the lists as they came, whatever the order of the strengths."""
    gone = None
    for strength, agreement in reversed(list(zip(strengths, agreements, strict=True))):
        if agreement >= threshold:
            break
        gone = strength
    return gone


LESSON = Lesson(
    9,
    "The studio",
    [
        Exercise(
            "differences",
            differences,
            _settings_cases,
            hints=(
                "Go through *all* settings, not only those with a slider: dataclasses.fields(a) lists them, each "
                "with its .name.",
                "getattr(a, name) is the value of that name. Two values differ if they are not equal (!=).",
            ),
            mistakes={
                "the seed forgotten": Mistake(
                    _without("seed"),
                    "the seed is missing: it is a setting like the others, and the one that is forgotten most.",
                ),
                "only the sliders": Mistake(
                    lambda a, b: [
                        name
                        for name in ("strength", "guidance_scale", "num_inference_steps", "seed")
                        if getattr(a, name) != getattr(b, name)
                    ],
                    "only some of the settings are compared: the words, the filling, the scheduler and the rest "
                    "count as well.",
                ),
                "a yes or no": Mistake(
                    lambda a, b: a != b, "this says only whether they differ: give the names, in a list."
                ),
                "fair or not": Mistake(
                    lambda a, b: len(differences(a, b)) == 1,
                    "this says whether the comparison is fair: give the names, and let the reader count them.",
                ),
                "how many": Mistake(
                    lambda a, b: len(differences(a, b)), "this is how many differ: give their names, in a list."
                ),
                "the equal ones": Mistake(
                    lambda a, b: _names(a, b, differ=lambda x, y: x == y),
                    "these are the settings that are equal: give those that differ.",
                ),
                "the same object": Mistake(
                    lambda a, b: _names(a, b, differ=lambda x, y: x is not y),
                    "`is` asks whether two values are one and the same object; equal ones need not be. Use !=.",
                ),
                "None passed over": Mistake(
                    lambda a, b: _names(a, b, differ=lambda x, y: None not in (x, y) and x != y),
                    "a None is passed over: it stands for the model's default, and that need not be the other one's "
                    "value. Count it as different.",
                ),
                "zero is nothing": Mistake(
                    lambda a, b: _names(a, b, differ=lambda x, y: bool(x and y) and x != y),
                    "a value that counts as false (seed 0, an empty negative prompt, None) is taken for missing: "
                    "compare with != alone.",
                ),
                "the first only": Mistake(
                    lambda a, b: differences(a, b)[:1], "this stops at the first difference: give all of them."
                ),
                "the values": Mistake(
                    lambda a, b: [getattr(b, name) for name in differences(a, b)],
                    "these are values: give the names of the settings.",
                ),
                "by the alphabet": Mistake(
                    lambda a, b: sorted(differences(a, b)),
                    "the right names in another order: keep the one in which Settings lists them.",
                ),
            },
            minutes=5,
            difficulty=2,
        ),
        Exercise(
            "vanishing_strength",
            vanishing_strength,
            _strength_cases,
            hints=(
                "At which strengths can the lines still be seen (agreement ≥ threshold)? The last of these decides.",
                "Of the strengths above it, the lowest is the answer; if there is none, None.",
                "max(numbers, default=0) and min(numbers, default=None) know what to do with an empty list.",
            ),
            mistakes={
                "the first dip": Mistake(
                    lambda strengths, agreements, threshold: min(
                        _below(strengths, agreements, threshold), default=None
                    ),
                    "this is the first strength below the threshold, but the lines come back after it: give the lowest "
                    "one from which on they *stay* gone.",
                ),
                "the highest": Mistake(
                    lambda strengths, agreements, threshold: max(
                        _below(strengths, agreements, threshold), default=None
                    ),
                    "this is the highest strength without lines: give the lowest one from which on they stay gone.",
                ),
                "one for never": Mistake(
                    lambda strengths, agreements, threshold: (
                        vanishing_strength(strengths, agreements, threshold) or max(strengths)
                    ),
                    "where the lines are still there at the highest strength, the answer is None: nothing vanished.",
                ),
                "at the threshold": Mistake(
                    lambda strengths, agreements, threshold: vanishing_strength(
                        strengths, agreements, threshold + 1e-9
                    ),
                    "an agreement of exactly the threshold counts as still there: gone is < threshold.",
                ),
                "still there": Mistake(
                    lambda strengths, agreements, threshold: max(
                        (s for s, a in zip(strengths, agreements, strict=True) if a >= threshold), default=None
                    ),
                    "at this strength the lines are still there, for the last time: give the next higher one.",
                ),
                "the first one still there": Mistake(
                    lambda strengths, agreements, threshold: min(
                        (s for s, a in zip(strengths, agreements, strict=True) if a >= threshold), default=None
                    ),
                    "this is the lowest strength at which the lines *are* there: look for where they are gone.",
                ),
                "the order trusted": Mistake(
                    _first_from_behind,
                    "this trusts that the strengths come in order, but they may come in any: compare them, or sort "
                    "the pairs.",
                ),
                "an agreement": Mistake(
                    lambda strengths, agreements, threshold: max(
                        (a for a in agreements if a < threshold), default=None
                    ),
                    "this is an agreement: give the strength that belongs to it.",
                ),
                "a place": Mistake(
                    lambda strengths, agreements, threshold: next(
                        (
                            i
                            for i, s in enumerate(strengths)
                            if s == vanishing_strength(strengths, agreements, threshold)
                        ),
                        None,
                    ),
                    "this is a place in the list: give the strength that stands there.",
                ),
            },
            minutes=8,
            difficulty=3,
        ),
        Exercise(
            "spread",
            spread,
            _spread_cases,
            hints=(
                "The distance of two pictures is (a - b).abs().mean(). If two different ones are drawn by lot, every "
                "pair is as likely as any other.",
                "itertools.combinations(pictures, 2) gives every pair of two different pictures once; take the mean "
                "of their distances.",
            ),
            mistakes={
                "with itself": Mistake(
                    lambda pictures: (pictures[:, None] - pictures[None]).abs().mean().item(),
                    "every picture is compared with itself as well, which is 0 and makes the mean too small: only "
                    "pairs of two different ones.",
                ),
                "signs cancel": Mistake(
                    lambda pictures: _mean((a - b).mean() for a, b in combinations(pictures, 2)),
                    "signed differences cancel: a pixel that is too bright makes up for one too dark. Take abs() "
                    "before the mean.",
                ),
                "abs too late": Mistake(
                    lambda pictures: _mean((a - b).mean().abs() for a, b in combinations(pictures, 2)),
                    "abs() comes after the mean over the pixels, where the signs have cancelled already: take it "
                    "before.",
                ),
                "from the mean": Mistake(
                    lambda pictures: (pictures - pictures.mean(0)).abs().mean().item(),
                    "this is the distance from the mean picture: take the distances of the pictures from one another.",
                ),
                "from the first": Mistake(
                    lambda pictures: (pictures[1:] - pictures[0]).abs().mean().item(),
                    "only the first picture is compared with the others: every pair counts.",
                ),
                "neighbours": Mistake(
                    lambda pictures: pictures.diff(dim=0).abs().mean().item(),
                    "only neighbours in the list are compared: every pair counts.",
                ),
                "a sum": Mistake(
                    lambda pictures: sum(_distance(a, b).item() for a, b in combinations(pictures, 2)),
                    "the distances of all pairs are added up, so more seeds would look like more spread: take their "
                    "mean.",
                ),
                "squared": Mistake(
                    lambda pictures: _mean(((a - b) ** 2).mean() for a, b in combinations(pictures, 2)),
                    "this is the mean of squares: take the mean of |a − b|.",
                ),
                "root of squares": Mistake(
                    lambda pictures: _mean(((a - b) ** 2).mean().sqrt() for a, b in combinations(pictures, 2)),
                    "this is the root of the mean square: take the mean of |a − b|.",
                ),
                "standard deviation": Mistake(
                    lambda pictures: pictures.std(0).mean().item(),
                    "this is the standard deviation of each pixel, which is a spread as well: here take the mean "
                    "distance of two pictures.",
                ),
                "the farthest": Mistake(
                    lambda pictures: max(_distance(a, b).item() for a, b in combinations(pictures, 2)),
                    "this is the distance of the two that are farthest apart: take the mean of all pairs.",
                ),
                "all distances": Mistake(
                    lambda pictures: torch.stack([_distance(a, b) for a, b in combinations(pictures, 2)]),
                    "these are the distances of all pairs: give one number, their mean.",
                ),
            },
            minutes=6,
            difficulty=2,
        ),
    ],
)
