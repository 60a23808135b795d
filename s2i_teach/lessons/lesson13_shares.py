"""Lesson 13's exercise ``variance_shares``: what words and what seeds decide."""

import numpy as np
import torch

from s2i_teach.lessons.engine import Exercise, Mistake
from s2i_teach.translation.compare import variance_shares


def _grid_cases(generator):
    for prompts, seeds, *size in ((3, 4, 2, 3), (2, 5, 3, 2, 2), (4, 3), (3, 3, 4)):
        noise = torch.randn(prompts, seeds, *size, generator=generator)
        words = 1.5 * torch.randn(prompts, 1, *size, generator=generator)
        chance = 0.7 * torch.randn(1, seeds, *size, generator=generator)
        place = torch.rand(size, generator=generator) * 4 + 1
        yield (noise + words + chance + place,)


def _shares(centre=lambda x: x.mean((0, 1)), size=lambda part: (part**2).mean(), whole=None):
    """A variant of the shares, for the mistakes."""

    def variant(pictures):
        centred = pictures - centre(pictures)
        words, seeds = centred.mean(1, keepdim=True), centred.mean(0, keepdim=True)
        parts = [size(part) for part in (words, seeds, centred - words - seeds)]
        total = size(centred) if whole is None else whole(parts)
        return tuple((part / total).item() for part in parts)

    return variant


def _of(change):
    """The right shares, changed, for the mistakes."""
    return lambda pictures: change(*variance_shares(pictures))


def _per_pixel(pictures):
    flat = pictures.flatten(2) if pictures.dim() > 2 else pictures[..., None]
    found = [variance_shares(flat[..., i]) for i in range(flat.shape[2])]
    return tuple(sum(column) / len(found) for column in zip(*found, strict=True))


def _pixels_first(pictures):
    return variance_shares(pictures.flatten(2).mean(2) if pictures.dim() > 2 else pictures)


def _corrected(pictures):
    def size(x, axes):
        return x.var(axes).mean()

    words, seeds = size(pictures.mean(1), 0), size(pictures.mean(0), 0)
    total = size(pictures, (0, 1))
    return (words / total).item(), (seeds / total).item(), (1 - (words + seeds) / total).item()


def _with_the_rest(words, seeds, total=lambda p: p.var((0, 1), correction=0).mean()):
    """A variant for the mistakes: the sizes of words and seeds by the whole, and both as what is left."""

    def variant(pictures):
        shares = [(size(pictures) / total(pictures)).item() for size in (words, seeds)]
        return (*shares, 1 - sum(shares))

    return variant


def _one_column_at_a_time(words_over, correction=0):
    """The mean variance over one axis, at one place of the other."""
    return _with_the_rest(
        lambda p: p.var(words_over, correction=correction).mean(),
        lambda p: p.var(1 - words_over, correction=correction).mean(),
        lambda p: p.var((0, 1), correction=correction).mean(),
    )


def _over_everything(correction):
    return _with_the_rest(
        lambda p: p.mean(1).var(correction=correction),
        lambda p: p.mean(0).var(correction=correction),
        lambda p: p.var(correction=correction),
    )


def _squares(axis=None):
    """The sum of squares of the means over an axis, each counted once; of all pictures without one."""

    def size(pictures):
        centred = pictures - pictures.mean((0, 1))
        return ((centred if axis is None else centred.mean(axis)) ** 2).sum()

    return size


def _grand_mean_left(pictures):
    centred = pictures - pictures.mean((0, 1))
    words, seeds = centred.mean(1, keepdim=True), centred.mean(0, keepdim=True)
    parts = (words, seeds, pictures - words - seeds)
    return tuple(((part**2).mean() / (centred**2).mean()).item() for part in parts)


def _explain_shares(arguments, answer) -> str | None:
    """What is wrong with three numbers that are no typical mistake."""
    if tuple(getattr(answer, "shape", ())) == (3,):
        return "these are one array: return a tuple, words, seeds, both."
    if not isinstance(answer, (tuple, list)) or len(answer) != 3:
        return "return three numbers, (words, seeds, both)."
    try:
        total = float(sum(answer))
    except (TypeError, ValueError, RuntimeError):
        return "return three plain numbers: take the mean over all pixels, and .item()."
    if abs(total - 1) > 1e-3:
        if total > 0 and np.allclose([part / total for part in answer], variance_shares(*arguments), atol=1e-3):
            return (
                f"words, seeds and both are in the right ratio but add up to {total:.3g}: the whole is the variance of "
                "each *pixel* over all pictures, and then the mean over the pixels."
            )
        return f"the three add up to {total:.3g}: of shares of one total the sum is 1."
    return None


VARIANCE_SHARES = Exercise(
    "variance_shares",
    variance_shares,
    _grid_cases,
    hints=(
        "First take from every picture the mean of all: centred = pictures − pictures.mean((0, 1)).",
        "What a prompt does whatever the seed is its mean over the seeds: centred.mean(1, keepdim=True). For "
        "the seeds it is the mean over axis 0.",
        "What neither explains: both = centred − words − seeds. The share of each is (part**2).mean() / "
        "(centred**2).mean().",
    ),
    mistakes={
        "the axes swapped": Mistake(
            _of(lambda words, seeds, both: (seeds, words, both)),
            "words and seeds have changed places: axis 0 goes through the prompts, so a prompt's mean is taken "
            "over axis 1.",
        ),
        "standard deviations": Mistake(
            _shares(size=lambda part: (part**2).mean().sqrt()),
            "these are standard deviations, which do not add up (3 and 4 make 5): take variances, the squares.",
        ),
        "standard deviations that add up": Mistake(
            _shares(size=lambda part: (part**2).mean().sqrt(), whole=sum),
            "they add up to 1 only because you divide by their own sum: standard deviations have no shares, "
            "variances have. Leave the root out.",
        ),
        "absolute values": Mistake(
            _shares(size=lambda part: part.abs().mean()),
            "these are mean absolute values, which do not add up: variance is the mean of *squares*.",
        ),
        "from zero": Mistake(
            _shares(centre=lambda x: 0),
            "this is measured from 0 (mid-grey): what all pictures have in common then counts as difference. "
            "Take off the mean of all first.",
        ),
        "one mean for all pixels": Mistake(
            _shares(centre=lambda x: x.mean()),
            "you take one number for the mean of all, so that a dark and a light place of one picture count as "
            "a difference: every pixel has its own mean, pictures.mean((0, 1)).",
        ),
        "pixels averaged first": Mistake(
            _pixels_first,
            "you average over the pixels first: that leaves how light each picture is, and a cat and a house "
            "may be equally light. Average the *squares* over the pixels, at the end.",
        ),
        "shares of each pixel": Mistake(
            _per_pixel,
            "you take the shares of each pixel and then their mean: a pixel that hardly changes then counts as "
            "much as any. Add the variances up first, then divide.",
        ),
        "both left out": Mistake(
            _of(lambda words, seeds, both: (words / (words + seeds), seeds / (words + seeds), 0.0)),
            "the third part is missing: what a seed does under one prompt and not under another.",
        ),
        "two values": Mistake(
            _of(lambda words, seeds, both: (words, seeds)),
            "these are two of three: words, seeds, and what neither explains.",
        ),
        "both is all": Mistake(
            _of(lambda words, seeds, both: (words, seeds, 1.0)),
            "the third is the whole, 1: take what words and seeds do by themselves off it.",
        ),
        "the grand mean left in": Mistake(
            _grand_mean_left,
            "in the third part the mean of all is still there: take off that, and words, and seeds.",
        ),
        "the whole over all pixels": Mistake(
            _with_the_rest(
                lambda p: p.mean(1).var(0, correction=0).mean(),
                lambda p: p.mean(0).var(0, correction=0).mean(),
                lambda p: p.var(correction=0),
            ),
            "words and seeds are right, but your whole is the variance over everything, with the dark and the "
            "light places of one picture: take pictures.var((0, 1), correction=0), then the mean over pixels.",
        ),
        "everything over all pixels": Mistake(
            _over_everything(0),
            "var without axes goes over the pixels, too, so that a dark and a light place of one picture count "
            "as a difference. Give the axes, 0 and 1, and take the mean over the pixels at the end.",
        ),
        "everything over all pixels, n − 1": Mistake(
            _over_everything(1),
            "var() without axes goes over the pixels, too, so that a dark and a light place of one picture "
            "count as a difference. Give the axes, 0 and 1, with correction=0 (or it divides by n − 1).",
        ),
        "standard deviations and the rest": Mistake(
            _with_the_rest(
                lambda p: p.mean(1).var(0, correction=0).mean().sqrt(),
                lambda p: p.mean(0).var(0, correction=0).mean().sqrt(),
                lambda p: p.var((0, 1), correction=0).mean().sqrt(),
            ),
            "these are standard deviations, and what is left of 1 is no share then: only *variances* add up. "
            "Leave the root out.",
        ),
        "standard deviations of pixels and the rest": Mistake(
            _with_the_rest(
                lambda p: p.mean(1).std(0, correction=0).mean(),
                lambda p: p.mean(0).std(0, correction=0).mean(),
                lambda p: p.std((0, 1), correction=0).mean(),
            ),
            "std gives standard deviations, and what is left of 1 is no share then: only *variances* add up. Take var.",
        ),
        "standard deviations, n − 1, and the rest": Mistake(
            _with_the_rest(
                lambda p: p.mean(1).std(0).mean(),
                lambda p: p.mean(0).std(0).mean(),
                lambda p: p.std((0, 1)).mean(),
            ),
            "std gives standard deviations, which do not add up: take var, with correction=0 (or it divides by n − 1).",
        ),
        "a mean counts once": Mistake(
            _shares(size=lambda part: (part**2).sum()),
            "these are sums of squares in which a prompt's mean counts once, and it stands for as many "
            "pictures as there are seeds. Take means of squares.",
        ),
        "a mean counts once, and the rest": Mistake(
            _with_the_rest(_squares(1), _squares(0), _squares()),
            "these are sums of squares in which a prompt's mean counts once, though it stands for as many "
            "pictures as there are seeds; the rest then gets what they lack. Take means of squares.",
        ),
        "within a prompt": Mistake(
            _one_column_at_a_time(1),
            "the variance *within* a prompt, over its seeds, is what words do not do: first the mean over the "
            "seeds, then the variance of these means over the prompts.",
        ),
        "within a prompt, n − 1": Mistake(
            _one_column_at_a_time(1, 1),
            "the variance *within* a prompt, over its seeds, is what words do not do: first the mean over the "
            "seeds, then var over the prompts, with correction=0.",
        ),
        "without averaging first, n − 1": Mistake(
            _one_column_at_a_time(0, 1),
            "the variance over the prompts at *one* seed holds what words do and what both do together: take "
            "the mean over the seeds first, and then var with correction=0.",
        ),
        "without averaging first": Mistake(
            _one_column_at_a_time(0),
            "the variance over the prompts at *one* seed holds what words do and what both do together: take "
            "the mean over the seeds first.",
        ),
        "n − 1": Mistake(
            _corrected,
            "torch's var divides by n − 1, for prompts and seeds by other numbers than for all, so that these "
            "are no shares of one total: use var(…, correction=0), or means of squares.",
        ),
        "not divided": Mistake(
            lambda pictures: tuple(
                share * pictures.var((0, 1), correction=0).mean().item() for share in variance_shares(pictures)
            ),
            "these are the variances themselves: divide by the whole one.",
        ),
        "per cent": Mistake(
            _of(lambda *shares: tuple(100 * share for share in shares)),
            "these are per cent: shares from 0 to 1.",
        ),
    },
    explain=_explain_shares,
    minutes=9,
    difficulty=3,
)
