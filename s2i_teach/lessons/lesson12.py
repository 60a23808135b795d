"""Exercises of lesson 12, judging."""

import math
from itertools import groupby
from statistics import median

import numpy as np
import torch
import torch.nn.functional as F

from s2i_teach.evaluate.bootstrap import independent_differences
from s2i_teach.evaluate.faithfulness import edge_f1
from s2i_teach.evaluate.realism import kernel_distance, polynomial_kernel
from s2i_teach.lessons.engine import Exercise, Lesson, Mistake

SIDE = 128


def _edge_cases(generator):
    def steps(low, high, count):
        return torch.randint(low, high, (count,), generator=generator).numpy()

    tolerance = 2 / SIDE
    # Ends that are always there: near, far, and exactly at the tolerance, whatever is drawn.
    to_ink = np.concatenate([steps(0, 9, 30), [0, 2, 2, 2, 3, 7, 8]]) / SIDE
    to_edge = np.concatenate([steps(0, 3, 14), [0, 1, 2, 2, 5]]) / SIDE
    yield to_ink, to_edge, tolerance
    yield steps(3, 20, 12) / SIDE, steps(4, 9, 7) / SIDE, tolerance  # everything is far
    yield np.zeros(0), np.full(8, np.inf), tolerance  # no edge at all
    yield np.zeros(5), np.zeros(4), tolerance  # a copy: all distances are 0
    yield np.concatenate([steps(0, 6, 20), [0, 5]]), np.concatenate([steps(2, 9, 9), [3, 8]]), 3.0  # in pixels
    yield np.array([0, 0, 1, 2, 4]) / SIDE, np.array([0.0, 0.0, 0.0]), 0.0  # nothing is forgiven


def _harmonic(p, r):
    return 2 * p * r / (p + r) if p + r else 0.0


def _scores(to_ink, to_edge, tolerance, near=lambda d, t: d <= t, share=np.mean, mean=_harmonic, empty=0.0):
    """A variant of the three scores, for the mistakes."""
    precision = float(share(near(to_ink, tolerance))) if len(to_ink) else empty
    recall = float(share(near(to_edge, tolerance)))
    return precision, recall, mean(precision, recall)


def _variant(**changes):
    return lambda to_ink, to_edge, tolerance: _scores(to_ink, to_edge, tolerance, **changes)


def _with_numpy(p, r):
    """The harmonic mean as numpy's numbers take it: 0 / 0 is nan."""
    return 2 * p * r / (p + r) if p + r else math.nan


def _plain_python(to_ink, to_edge, tolerance):
    """Divides by the number of edges, whatever it is."""
    precision = sum(bool(d <= tolerance) for d in to_ink) / len(to_ink)
    recall = sum(bool(d <= tolerance) for d in to_edge) / len(to_edge)
    return precision, recall, _harmonic(precision, recall)


def _both_together(to_ink, to_edge, tolerance):
    """One share of all points, edges and lines together."""
    precision, recall, _ = edge_f1(to_ink, to_edge, tolerance)
    everything = np.concatenate([to_ink, to_edge])
    return precision, recall, float((everything <= tolerance).mean())


def _in_pixels(to_ink, to_edge, tolerance):
    return edge_f1(to_ink, to_edge, tolerance / SIDE)


def _picked(*places):
    return lambda to_ink, to_edge, tolerance: tuple(edge_f1(to_ink, to_edge, tolerance)[i] for i in places)


def _kernel_cases(generator):
    def some(count, d, shift=0.0, scale=1.0):
        return torch.randn(count, d, generator=generator) * scale + shift

    yield some(6, 5, 2.0), some(9, 5)  # above 0
    same = some(5, 4)
    yield same, same.clone()  # below 0
    yield some(2, 3), some(4, 3, 0.5)
    yield some(12, 16, 20.0, 0.05), some(10, 16, 20.0, 0.05)  # large terms that nearly cancel


def _mean_within(kernel_values):
    n = len(kernel_values)
    return (kernel_values.sum() - kernel_values.trace()) / (n * (n - 1))


def _mmd(kernel=polynomial_kernel, within=_mean_within, across=torch.mean, factor=2.0, last=lambda value: value):
    """A variant of the kernel distance, for the mistakes."""

    def variant(x, y):
        x, y = x.double(), y.double()
        return last((within(kernel(x, x)) + within(kernel(y, y)) - factor * across(kernel(x, y))).item())

    return variant


def _in_float32(x, y):
    xx, yy, xy = polynomial_kernel(x, x), polynomial_kernel(y, y), polynomial_kernel(x, y)
    return (_mean_within(xx) + _mean_within(yy) - 2 * xy.mean()).item()


def _one_count(x, y):
    """Divides both sums within by the first set's number."""
    x, y = x.double(), y.double()
    xx, yy, xy = polynomial_kernel(x, x), polynomial_kernel(y, y), polynomial_kernel(x, y)
    m = len(x)
    return ((xx.sum() - xx.trace() + yy.sum() - yy.trace()) / (m * (m - 1)) - 2 * xy.mean()).item()


def _across_without_diagonal(xy):
    places = min(xy.shape)
    return (xy.sum() - xy.diagonal().sum()) / (xy.numel() - places)


def _mean_root(value):
    return math.sqrt(value) if value > 0 else math.nan


def _cosine(x, y):
    return F.normalize(x, dim=1) @ F.normalize(y, dim=1).T


def _of_the_means(x, y):
    return ((x.double().mean(0) - y.double().mean(0)) ** 2).sum().item()


def _explain_kernel(arguments: tuple, answer) -> str | None:
    """What is wrong with a number that is nearly right: rounding."""
    try:
        near = abs(float(answer) - kernel_distance(*arguments))
    except (TypeError, ValueError):
        return None
    x, y = arguments
    size = polynomial_kernel(x.double(), y.double()).abs().mean().item()
    return ROUNDING if 0 < near < 1e-5 * size else None


ROUNDING = (
    "right but for rounding: three large numbers nearly cancel, and float32 keeps seven digits of each. Begin with "
    "x, y = x.double(), y.double()."
)


def _row_cases(generator):
    def scores(count):
        return (torch.rand(count, generator=generator, dtype=torch.float64) * 0.5 + 0.4).tolist()

    def rows(names):
        after, before = scores(len(names)), scores(len(names))
        before[2] = after[2] + 0.5  # one loss at least, and one gain; neither the first nor the last seed
        before[1] = after[1] - 0.25
        return after, before, names

    yield rows(["tree", "owl", "tree", "tree", "lamp", "owl", "tree"])  # mixed, numbers of seeds that differ
    yield rows(["owl", "owl", "cup", "cup", "cup", "cup"])  # in blocks
    yield rows(["tree", "owl", "cup"])  # one seed
    yield rows(["owl", "owl", "owl", "owl"])  # one sketch


def _gathered(after, before, sketches):
    """Sketch → its differences, in order of first appearance."""
    found = {}
    for a, b, sketch in zip(after, before, sketches, strict=True):
        found.setdefault(sketch, []).append(a - b)
    return found


def _each(change):
    """A variant that makes its one number per sketch by ``change``, for the mistakes."""
    return lambda after, before, sketches: [change(gaps) for gaps in _gathered(after, before, sketches).values()]


def _as_given(change):
    """The right list, changed, for the mistakes."""
    return lambda after, before, sketches: change(independent_differences(after, before, sketches))


def _neighbours(after, before, sketches):
    """Takes rows together only where the same sketch follows itself."""
    gaps = [(sketch, a - b) for a, b, sketch in zip(after, before, sketches, strict=True)]
    blocks = [[gap for _, gap in block] for _, block in groupby(gaps, key=lambda row: row[0])]
    return [sum(block) / len(block) for block in blocks]


def _sorted_by_name(after, before, sketches):
    return [sum(gaps) / len(gaps) for _, gaps in sorted(_gathered(after, before, sketches).items())]


def _equal_shares(after, before, sketches):
    """Divides each sketch's sum by the mean number of seeds."""
    found = _gathered(after, before, sketches)
    return [sum(gaps) * len(found) / len(after) for gaps in found.values()]


def _best_of_each(after, before, sketches):
    found = {}
    for a, b, sketch in zip(after, before, sketches, strict=True):
        found.setdefault(sketch, []).append((a, b))
    return [max(a for a, _ in rows) - max(b for _, b in rows) for rows in found.values()]


def _after_alone(after, before, sketches):
    return independent_differences(after, [0.0] * len(after), sketches)


def _explain_rows(arguments, answer) -> str | None:
    """What is wrong with a list that is no typical mistake: how many numbers there are."""
    if not isinstance(answer, (list, tuple)):
        return "return a list of numbers."
    sketches = arguments[2]
    if len(answer) != len(set(sketches)):
        return (
            f"these {len(sketches)} rows come from {len(set(sketches))} sketches, and you return {len(answer)} "
            "numbers: what is independent of what here?"
        )
    return None


LESSON = Lesson(
    12,
    "Judging",
    [
        Exercise(
            "edge_f1",
            edge_f1,
            _edge_cases,
            hints=(
                "to_ink <= tolerance is an array of True and False; its mean is the share of True. That is the "
                "precision.",
                "The recall is the same with to_edge. F1 = 2 · precision · recall / (precision + recall).",
                "Two cases would divide by zero. A picture without any edge has len(to_ink) == 0: its precision is 0. "
                "If both shares are 0, F1 is 0. Use an if for each.",
            ),
            mistakes={
                "any for empty": Mistake(
                    lambda to_ink, to_edge, tolerance: (
                        edge_f1(to_ink, to_edge, tolerance)
                        if to_ink.any()
                        else (0.0, edge_f1(to_ink, to_edge, tolerance)[1], 0.0)
                    ),
                    "to_ink.any() asks whether some distance is not 0, and in a perfect picture all distances are 0. "
                    "Use len(to_ink) to find out whether there is an edge.",
                ),
                "any for empty, all zero": Mistake(
                    lambda to_ink, to_edge, tolerance: (
                        edge_f1(to_ink, to_edge, tolerance) if to_ink.any() else (0.0, 0.0, 0.0)
                    ),
                    "a picture whose edges all lie exactly on ink has distances of 0 and nothing else: to_ink.any() "
                    "takes that for no edge. Ask len(to_ink).",
                ),
                "precision and recall swapped": Mistake(
                    _picked(1, 0, 2),
                    "precision and recall have changed places: precision asks the picture's *edges* how far the ink is "
                    "(to_ink), recall asks the *lines* how far an edge is.",
                ),
                "far instead of near": Mistake(
                    _variant(near=lambda d, t: d > t),
                    "this is the share of what is too far away: near, d <= tolerance, is right.",
                ),
                "tolerance left out": Mistake(
                    _variant(near=lambda d, t: d < t),
                    "what lies exactly at the tolerance counts as right: <=, not <. Distances between pixels are often "
                    "whole numbers, so this happens all the time.",
                ),
                "tolerance in pixels": Mistake(
                    _in_pixels,
                    "the tolerance is in the same unit as the distances: compare them as they are.",
                ),
                "arithmetic mean": Mistake(
                    _variant(mean=lambda p, r: (p + r) / 2),
                    "your F1 is the plain mean of precision and recall: then scribbling over the whole page has at "
                    "least 0.5. The harmonic mean, 2 · p · r / (p + r), is near the smaller one.",
                ),
                "geometric mean": Mistake(
                    _variant(mean=lambda p, r: math.sqrt(p * r)),
                    "your F1 is the geometric mean, √(p · r): F1 is the harmonic one, 2 · p · r / (p + r).",
                ),
                "factor 2 forgotten": Mistake(
                    _variant(mean=lambda p, r: p * r / (p + r) if p + r else 0.0),
                    "the factor 2 of F1 is missing: a perfect picture would have 0.5.",
                ),
                "a product": Mistake(
                    _variant(mean=lambda p, r: p * r),
                    "your F1 is the product of both shares: divide by their sum and take it twice.",
                ),
                "the smaller": Mistake(
                    _variant(mean=min),
                    "your F1 is the smaller of both: the harmonic mean is near it, but sees both.",
                ),
                "F1 of counts": Mistake(
                    _both_together,
                    "your F1 is the share of all points, edges and lines together: then a thousand edge pixels outvote "
                    "a hundred line points. Take the harmonic mean of the two *shares*.",
                ),
                "a sum": Mistake(
                    _variant(share=np.sum, mean=_harmonic),
                    "these are counts: return shares from 0 to 1. Take the mean, not the sum.",
                ),
                "per cent": Mistake(
                    lambda to_ink, to_edge, tolerance: tuple(100 * v for v in edge_f1(to_ink, to_edge, tolerance)),
                    "these are per cent: return shares from 0 to 1.",
                ),
                "distances averaged": Mistake(
                    lambda to_ink, to_edge, tolerance: (
                        float(to_ink.mean()) if len(to_ink) else 0.0,
                        float(to_edge.mean()),
                        _harmonic(float(to_ink.mean()) if len(to_ink) else 0.0, float(to_edge.mean())),
                    ),
                    "these are mean distances, as in the chamfer distance: F1 asks how many are near, d <= tolerance.",
                ),
                "one direction, the edges": Mistake(
                    _picked(0, 0, 0),
                    "only the edges were asked: a picture with one dot on a line would be perfect. The lines must be "
                    "asked too (to_edge).",
                ),
                "one direction, the lines": Mistake(
                    _picked(1, 1, 1),
                    "only the lines were asked: a page scribbled all over would be perfect. The edges must be asked "
                    "too (to_ink).",
                ),
                "F1 first": Mistake(_picked(2, 0, 1), "the order is precision, recall, F1."),
                "F1 alone": Mistake(
                    lambda to_ink, to_edge, tolerance: edge_f1(to_ink, to_edge, tolerance)[2],
                    "this is F1 alone: return precision, recall and F1, three numbers.",
                ),
                "precision and recall alone": Mistake(
                    _picked(0, 1), "F1 is missing: return precision, recall and F1, three numbers."
                ),
                "brackets": Mistake(
                    lambda to_ink, to_edge, tolerance: _scores(
                        to_ink, to_edge, tolerance, mean=lambda p, r: 2 * p * r / p + r if p else 0.0
                    ),
                    "2 * p * r / p + r divides by p alone: brackets, 2 * p * r / (p + r).",
                ),
                "both are zero": Mistake(
                    _variant(mean=_with_numpy),
                    "where precision and recall are both 0, F1 is 0 / 0, which numpy calls nan. It should be 0: "
                    "nothing is right.",
                ),
                "both are zero, in Python": Mistake(
                    _variant(mean=lambda p, r: 2 * p * r / (p + r)),
                    "where precision and recall are both 0, you divide by 0. F1 should be 0 then: ask before you "
                    "divide.",
                ),
                "a mean of nothing": Mistake(
                    lambda to_ink, to_edge, tolerance: (
                        edge_f1(to_ink, to_edge, tolerance) if len(to_ink) else (math.nan, 0.0, math.nan)
                    ),
                    "a picture without any edge gives the mean of nothing, which is nan. All three should be 0 then.",
                ),
                "a mean of nothing, hidden": Mistake(
                    _variant(empty=math.nan, mean=lambda p, r: _harmonic(p, r) if p + r > 0 else 0.0),
                    "a picture without any edge has the precision nan here, the mean of nothing: it should be 0.",
                ),
                "divided by no edge": Mistake(
                    _plain_python,
                    "a picture may have no edge at all, and then you divide by 0: its precision should be 0.",
                ),
                "no edge is precise": Mistake(
                    _variant(empty=1.0),
                    "a picture without edges has nothing wrong, but nothing right either: the rule here is "
                    "precision 0.",
                ),
            },
            minutes=7,
            difficulty=2,
        ),
        Exercise(
            "kernel_distance",
            kernel_distance,
            _kernel_cases,
            hints=(
                "Three tables: xx = polynomial_kernel(x, x), yy = polynomial_kernel(y, y), xy = polynomial_kernel(x, "
                "y). Make x and y .double() before.",
                "Within x: all of xx but its diagonal, (xx.sum() - xx.trace()), over the number of these pairs, m · "
                "(m - 1).",
                "The distance: within x + within y − 2 · xy.mean(); .item() makes it a number.",
            ),
            mistakes={
                "never below 0": Mistake(
                    _mmd(last=lambda v: max(v, 0.0)),
                    "a value below 0 was raised to 0: for sets that are alike it must fall on both sides of 0, or "
                    "its mean is too large.",
                ),
                "absolute value": Mistake(
                    _mmd(last=abs),
                    "a value below 0 was made positive: for sets that are alike it must fall on both sides of 0, or "
                    "its mean is too large.",
                ),
                "brackets, one less": Mistake(
                    _mmd(within=lambda k: (k.sum() - k.trace()) / (len(k) * len(k) - 1)),
                    "m * m - 1 is not m * (m - 1): brackets.",
                ),
                "brackets, times": Mistake(
                    _mmd(within=lambda k: (k.sum() - k.trace()) / len(k) * (len(k) - 1)),
                    "/ m * (m - 1) divides by m and then multiplies: brackets, / (m * (m - 1)).",
                ),
                "across a sum": Mistake(
                    _mmd(across=torch.sum), "the pairs across are added up: take their mean, divide by m · n."
                ),
                "half a table": Mistake(
                    _mmd(within=lambda k: torch.triu(k, 1).sum() / (len(k) * (len(k) - 1))),
                    "torch.triu has each pair once, and m(m − 1) counts it twice: take it twice, or divide by half.",
                ),
                "diagonal kept": Mistake(
                    _mmd(within=torch.mean),
                    "the diagonal is in it, each picture beside itself: that pair is always alike, so that a few "
                    "pictures seem far from everything. Take it out, and divide by m · (m − 1).",
                ),
                "diagonal kept, fewer pairs": Mistake(
                    _mmd(within=lambda k: k.sum() / (len(k) * (len(k) - 1))),
                    "you divide by m · (m − 1), but the diagonal is still in the sum: take the trace off.",
                ),
                "divided by all pairs": Mistake(
                    _mmd(within=lambda k: (k.sum() - k.trace()) / len(k) ** 2),
                    "the diagonal is out of the sum, so only m · (m − 1) pairs are left: do not divide by m².",
                ),
                "pairs counted half": Mistake(
                    _mmd(within=lambda k: (k.sum() - k.trace()) / (len(k) * (len(k) - 1) / 2)),
                    "the table holds each pair twice, (i, j) and (j, i): divide by m · (m − 1), not by half of it.",
                ),
                "factor 2 missing": Mistake(
                    _mmd(factor=1.0),
                    "the pairs across count twice: there are two terms within, so two sets that are alike would not "
                    "come to 0.",
                ),
                "half": Mistake(
                    _mmd(last=lambda v: v / 2),
                    "this is half of it: within x + within y − 2 · across, without a mean of the two.",
                ),
                "sign": Mistake(
                    _mmd(last=lambda v: -v),
                    "the sign is the wrong way round: alike within *minus* alike across, so that a larger number is "
                    "further apart.",
                ),
                "across added": Mistake(
                    _mmd(factor=-2.0), "subtract what is alike across: two sets that mix well are near each other."
                ),
                "one set": Mistake(
                    lambda x, y: (
                        _mean_within(polynomial_kernel(x.double(), x.double()))
                        - polynomial_kernel(x.double(), y.double()).mean()
                    ).item(),
                    "the second set's own pairs are missing: add how alike its pictures are among themselves.",
                ),
                "root": Mistake(
                    _mmd(last=_mean_root),
                    "no root: return the squared discrepancy. A root of a number that may lie below 0 also spoils "
                    "the mean, which should be 0 for sets that are alike.",
                ),
                "linear kernel": Mistake(
                    _mmd(kernel=lambda x, y: x @ y.T / x.shape[1]),
                    "your kernel is linear, x·y / d: that compares only the two mean pictures. Take polynomial_kernel.",
                ),
                "plain product": Mistake(
                    _mmd(kernel=lambda x, y: x @ y.T),
                    "your kernel is the plain product x·y: that compares only the two mean pictures. Take "
                    "polynomial_kernel.",
                ),
                "cosine": Mistake(
                    _mmd(kernel=_cosine),
                    "your kernel is the cosine, which forgets how long the features are: take polynomial_kernel.",
                ),
                "not divided by d": Mistake(
                    _mmd(kernel=lambda x, y: (x @ y.T + 1) ** 3),
                    "the product is not divided by d, the number of features: take polynomial_kernel.",
                ),
                "divided by the pictures": Mistake(
                    _mmd(kernel=lambda x, y: (x @ y.T / x.shape[0] + 1) ** 3),
                    "you divide by the number of pictures, x.shape[0]: d is the number of features, x.shape[1].",
                ),
                "squared kernel": Mistake(
                    _mmd(kernel=lambda x, y: (x @ y.T / x.shape[1] + 1) ** 2),
                    "your kernel has the power 2: KID's has 3. Take polynomial_kernel.",
                ),
                "kernel of distances": Mistake(
                    _mmd(kernel=lambda x, y: torch.exp(-(torch.cdist(x, y) ** 2) / 2)),
                    "your kernel is a Gaussian of the distance, which also makes an MMD, but not KID's: take "
                    "polynomial_kernel.",
                ),
                "means of features": Mistake(
                    _of_the_means,
                    "this compares the mean features only: a set of all things and a set of one mean thing would be "
                    "equal. Compare pair by pair, with the kernel.",
                ),
                "one count for both": Mistake(
                    _one_count, "both sets are divided by the first one's number of pairs: y has n pictures, not m."
                ),
                "diagonal across": Mistake(
                    _mmd(across=_across_without_diagonal),
                    "across there is no diagonal to leave out: picture 3 of x and picture 3 of y are two pictures. "
                    "Take the mean of all.",
                ),
                "sums": Mistake(
                    _mmd(within=lambda k: k.sum() - k.trace(), across=torch.sum),
                    "these are sums: divide each by its number of pairs.",
                ),
                "float32": Mistake(_in_float32, ROUNDING),
            },
            explain=_explain_kernel,
            minutes=8,
            difficulty=3,
        ),
        Exercise(
            "independent_differences",
            independent_differences,
            _row_cases,
            hints=(
                "Seeds of one sketch are alike. So a sketch is one trial, however many seeds it has.",
                "A trial is one number: of a sketch with several seeds that is the mean of its differences.",
                "A dict from sketch to its differences keeps the order of first appearance: "
                "found.setdefault(sketch, []).append(a - b) in a loop over zip(after, before, sketches).",
            ),
            mistakes={
                "every row a trial": Mistake(
                    lambda after, before, sketches: [a - b for a, b in zip(after, before, strict=True)],
                    "here every row is a trial. But five seeds of one sketch share what is hard about that sketch: an "
                    "interval of them would be too narrow.",
                ),
                "before minus after": Mistake(
                    _as_given(lambda found: [-gap for gap in found]),
                    "the sign is turned: after − before is above 0 where the change raised the score.",
                ),
                "one number for all": Mistake(
                    _as_given(lambda found: sum(found) / len(found)),
                    "this is the mean over all sketches, one number: return the list that it is the mean of.",
                ),
                "one number of all rows": Mistake(
                    lambda after, before, sketches: (sum(after) - sum(before)) / len(after),
                    "this is the mean over all rows, one number. Return a list: an interval needs to see how far the "
                    "trials differ.",
                ),
                "a list of one": Mistake(
                    lambda after, before, sketches: [(sum(after) - sum(before)) / len(after)],
                    "this is one trial for everything: different sketches are independent of each other, so there are "
                    "as many trials as sketches.",
                ),
                "sums": Mistake(
                    _each(sum),
                    "these are sums: a sketch with many seeds would count more than one with few. Take the mean of its "
                    "differences.",
                ),
                "neighbours only": Mistake(
                    _neighbours,
                    "only neighbouring rows were taken together: rows of one sketch may stand anywhere in the list.",
                ),
                "first seed only": Mistake(
                    _each(lambda gaps: gaps[0]),
                    "only the first seed of each sketch is used: these are independent, but the other seeds' scores "
                    "are thrown away. Take their mean.",
                ),
                "last seed only": Mistake(
                    _each(lambda gaps: gaps[-1]),
                    "only the last seed of each sketch is left: a later row overwrites the earlier ones. Collect them, "
                    "then take the mean.",
                ),
                "best of each": Mistake(
                    _best_of_each,
                    "the best seed of each setting is compared with the best of the other: then the pairs do not share "
                    "their seed, and many seeds win by luck. Take the mean of the differences.",
                ),
                "median": Mistake(
                    _each(median),
                    "this is the median of each sketch: take the mean, so that the mean of all trials is the effect.",
                ),
                "sorted by name": Mistake(
                    _sorted_by_name,
                    "the values are right, but sorted by the sketch's name: keep the order of first appearance. A dict "
                    "keeps it, a set and sorted() do not.",
                ),
                "divided by the mean number": Mistake(
                    _equal_shares,
                    "each sum is divided by the same number: sketches may have different numbers of seeds. Divide by "
                    "the sketch's own.",
                ),
                "without a sign": Mistake(
                    _each(lambda gaps: sum(abs(gap) for gap in gaps) / len(gaps)),
                    "the signs are gone: a loss would look like a gain, and no interval could ever hold 0.",
                ),
                "after alone": Mistake(
                    _after_alone,
                    "these are means of `after` alone: the difference to `before` is missing.",
                ),
                "a dict": Mistake(
                    lambda after, before, sketches: {
                        sketch: sum(gaps) / len(gaps) for sketch, gaps in _gathered(after, before, sketches).items()
                    },
                    "this is a dict from sketch to number: return its values as a list.",
                ),
            },
            explain=_explain_rows,
            minutes=8,
            difficulty=3,
        ),
    ],
)
