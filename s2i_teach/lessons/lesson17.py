"""Exercises of lesson 17, who is the artist."""

from math import comb

import torch

from s2i_teach.evaluate.authorship import decided_by
from s2i_teach.evaluate.copies import nearer_than_new
from s2i_teach.evaluate.energy import kilowatt_hours
from s2i_teach.evaluate.selection import chance_of_so_few
from s2i_teach.lessons.engine import Exercise, Lesson, Mistake

# Who decided the picture?

OTHERS = ((1, 2), (0, 2), (0, 1))


def _layout_cases(generator):
    for sketches, prompts, seeds, *size in ((3, 2, 4, 2, 3), (2, 4, 3, 3, 2, 2), (4, 3, 2), (2, 2, 2, 5)):
        noise = torch.randn(sketches, prompts, seeds, *size, generator=generator)
        by_sketch = 1.5 * torch.randn(sketches, 1, 1, *size, generator=generator)
        by_prompt = 0.9 * torch.randn(1, prompts, 1, *size, generator=generator)
        by_seed = 0.6 * torch.randn(1, 1, seeds, *size, generator=generator)
        together = 0.8 * torch.randn(sketches, prompts, 1, *size, generator=generator)
        place = torch.rand(size, generator=generator) * 4 + 1
        yield (noise + by_sketch + by_prompt + by_seed + together + place,)


def _shares(
    centre=lambda x: x.mean((0, 1, 2)),
    size=lambda part: (part**2).mean(),
    averaged=OTHERS,
):
    """A variant of the shares, for the mistakes."""

    def variant(pictures):
        centred = pictures - centre(pictures)
        alone = [(size(centred.mean(axes)) / size(centred)).item() for axes in averaged]
        return (*alone, 1 - sum(alone))

    return variant


def _of(change):
    """The right shares, changed, for the mistakes."""
    return lambda pictures: change(*decided_by(pictures))


def _at_one_place(pictures):
    whole = pictures.var((0, 1, 2), correction=0).mean()
    alone = [(pictures.var(axis, correction=0).mean() / whole).item() for axis in range(3)]
    return (*alone, 1 - sum(alone))


def _corrected(pictures):
    whole = pictures.flatten(0, 2).var(0).mean()
    alone = [(pictures.mean(axes).var(0).mean() / whole).item() for axes in OTHERS]
    return (*alone, 1 - sum(alone))


def _pixels_first(pictures):
    return decided_by(pictures.flatten(3).mean(3) if pictures.dim() > 3 else pictures)


def _sums(pictures):
    centred = pictures - pictures.mean((0, 1, 2))
    alone = [((centred.mean(axes) ** 2).sum() / (centred**2).sum()).item() for axes in OTHERS]
    return (*alone, 1 - sum(alone))


def _explain_shares(arguments, answer) -> str | None:
    """What is wrong with shares that are no typical mistake."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 4:
        return "return four numbers, (sketch, prompt, seed, rest)."
    try:
        total = float(sum(answer))
    except (TypeError, ValueError, RuntimeError):
        return "return four plain numbers: take the mean over all pixels, and .item()."
    return f"the four add up to {total:.3g}: of shares of one whole the sum is 1." if abs(total - 1) > 1e-3 else None


DECIDED_BY = Exercise(
    "decided_by",
    decided_by,
    _layout_cases,
    hints=(
        "Take the mean of all pictures off first: centred = pictures − pictures.mean((0, 1, 2)).",
        "What a sketch does, whatever prompt and seed, is the mean over prompts and seeds: centred.mean((1, 2)). Its share "
        "is (that**2).mean() / (centred**2).mean().",
        "For the prompt average over axes 0 and 2, for the seed over 0 and 1. The rest is 1 less the three.",
    ),
    mistakes={
        "its own axis averaged": Mistake(
            _shares(averaged=(0, 1, 2)),
            "you average over the sketches to see what a sketch does: that removes it. Average over the two *others*.",
        ),
        "one other axis averaged": Mistake(
            _shares(averaged=(1, 2, 0)),
            "you average over one of the two others, so that a sketch's part still holds what the seed does. Average "
            "over both.",
        ),
        "the other one axis averaged": Mistake(
            _shares(averaged=(2, 0, 1)),
            "you average over the seeds alone, so that a sketch's part still holds what the prompt does. Average over "
            "both others.",
        ),
        "variance at one place": Mistake(
            _at_one_place,
            "the variance over the sketches at *one* prompt and seed holds all that a sketch does together with them: "
            "average over prompts and seeds first.",
        ),
        "sketch and prompt swapped": Mistake(
            _of(lambda sketch, prompt, seed, rest: (prompt, sketch, seed, rest)),
            "sketch and prompt have changed places: axis 0 goes through the sketches.",
        ),
        "the order turned": Mistake(
            _of(lambda sketch, prompt, seed, rest: (seed, prompt, sketch, rest)),
            "sketch and seed have changed places: axis 2 goes through the seeds.",
        ),
        "standard deviations": Mistake(
            _shares(size=lambda part: (part**2).mean().sqrt()),
            "these are standard deviations, which do not add up: leave the root out.",
        ),
        "from zero": Mistake(
            _shares(centre=lambda x: 0),
            "this is measured from 0, so that what all pictures have in common counts as somebody's decision. Take off "
            "the mean of all first.",
        ),
        "one mean for all pixels": Mistake(
            _shares(centre=lambda x: x.mean()),
            "dark and light places of one picture count as a difference here: each pixel has its own mean, "
            "pictures.mean((0, 1, 2)), and var without axes goes over the pixels, too.",
        ),
        "pixels averaged first": Mistake(
            _pixels_first,
            "you average over the pixels first: that leaves how light a picture is. Average the *squares*, at the end.",
        ),
        "sums of means": Mistake(
            _sums,
            "a sketch's mean stands for all its pictures, and in your sum it counts once. Take means of squares.",
        ),
        "n − 1": Mistake(
            _corrected,
            "torch's var divides by n − 1, by another n for each part: use correction=0, or means of squares.",
        ),
        "the rest left out": Mistake(
            _of(lambda sketch, prompt, seed, rest: (sketch, prompt, seed)),
            "these are three of four: what nobody decides alone is missing.",
        ),
        "only main effects": Mistake(
            _of(lambda *shares: (*(share / sum(shares[:3]) for share in shares[:3]), 0.0)),
            "your three make 1 because you divide by their own sum: divide by the whole variance, and keep the rest.",
        ),
        "per cent": Mistake(
            _of(lambda *shares: tuple(100 * share for share in shares)),
            "these are per cent: shares from 0 to 1.",
        ),
    },
    explain=_explain_shares,
    minutes=8,
    difficulty=3,
)

# Copies


def _picture_cases(generator):
    # Here no two of the mistakes below come to the same, so that each hears its own message.
    made = torch.tensor([[1.0, 0], [9, 8], [8, 6], [2, 0], [5, 1]])
    yield made, torch.tensor([[0.0, 7], [2, 0], [5, 3], [1, 8]]), torch.tensor([[2.0, 0], [0, 3], [5, 7]])
    for made, new, training, width in ((12, 15, 9, 3), (5, 3, 7, 2), (3, 4, 4, 4), (1, 3, 2, 2)):
        seen = torch.randint(0, 6, (training, width), generator=generator).float()
        near = seen[torch.arange(made) % training] + torch.randint(0, 3, (made, width), generator=generator)
        far = torch.randint(0, 7, (new, width), generator=generator).float()
        far[0] = near[0]  # a tie
        yield near, far, seen
    # Ties of different pictures, and one training picture among many far ones.
    line = torch.tensor([[0.0, 0], [10, 0], [50, 50]])
    yield torch.tensor([[1.0, 0], [10, 2]]), torch.tensor([[0.0, 1], [12, 0], [4, 0]]), line


def _near(x, training):
    return torch.cdist(x.double(), training.double(), compute_mode="donot_use_mm_for_euclid_dist")


def _pairs(of=lambda d: d.min(1).values, wins=lambda gap: (gap > 0).double() + (gap == 0).double() / 2, distance=_near):
    """A variant, for the mistakes: what counts as near, and what counts as nearer."""

    def variant(made, new, training):
        gap = of(distance(new, training))[None, :] - of(distance(made, training))[:, None]
        return wins(gap).mean().item()

    return variant


def _to_each_other(made, new, training):
    return _pairs()(made, training, new)


def _of_means(made, new, training):
    return float(_near(made, training).min(1).values.mean() < _near(new, training).min(1).values.mean())


def _below_all(made, new, training):
    return (_near(made, training).min(1).values < _near(new, training).min()).double().mean().item()


def _place_by_place(made, new, training):
    pairs = list(zip(_near(made, training).min(1).values, _near(new, training).min(1).values, strict=False))
    return sum(float(a < b) + float(a == b) / 2 for a, b in pairs) / len(pairs)


def _below_median(made, new, training):
    return (_near(made, training).min(1).values < _near(new, training).min(1).values.median()).double().mean().item()


NEARER_THAN_NEW = Exercise(
    "nearer_than_new",
    nearer_than_new,
    _picture_cases,
    hints=(
        "torch.cdist(made, training) is the table (M, T) of all distances. For each made picture you want its smallest: "
        ".min(1).values.",
        "Do the same for the new pictures. Then compare every made with every new one: new[None, :] − made[:, None] is a "
        "table (M, N).",
        "A pair counts 1 where this gap is above 0 and ½ where it is 0; return the mean over all pairs.",
    ),
    mistakes={
        "the mean distance": Mistake(
            _pairs(of=lambda d: d.mean(1)),
            "you take the mean distance to all training pictures: a copy of one of them is still far from the others. Take "
            "the nearest.",
        ),
        "the farthest": Mistake(
            _pairs(of=lambda d: d.max(1).values), "max gives the farthest training picture: take the nearest."
        ),
        "over the wrong axis": Mistake(
            _pairs(of=lambda d: d.min(0).values),
            "min(0) gives every *training* picture its nearest: min(1) gives every made picture its own.",
        ),
        "the other way round": Mistake(
            _pairs(wins=lambda gap: (gap < 0).double() + (gap == 0).double() / 2),
            "this counts the pairs in which the *new* picture is nearer: turn the comparison.",
        ),
        "ties not counted": Mistake(
            _pairs(wins=lambda gap: (gap > 0).double()),
            "a tie counts nothing here, so that a set compared with itself does not get ½: count it as half.",
        ),
        "ties counted whole": Mistake(
            _pairs(wins=lambda gap: (gap >= 0).double()),
            "a tie counts as won here, so that a set compared with itself gets more than ½: count it as half.",
        ),
        "distances to the new pictures": Mistake(
            _to_each_other,
            "new and training have changed places: ask how far both are from the *training* pictures.",
        ),
        "one answer for all": Mistake(
            _of_means,
            "this is one yes or no for two averages: compare every made with every new picture, and give the share.",
        ),
        "absolute differences": Mistake(
            _pairs(distance=lambda x, training: torch.cdist(x, training, p=1)),
            "you add up absolute differences. A distance is here the root of the added squares, as torch.cdist gives it.",
        ),
        "nearer than all": Mistake(
            _below_all,
            "this counts a made picture only if it is nearer than *every* new one: count the pairs.",
        ),
        "place by place": Mistake(
            _place_by_place,
            "you compare the first made picture with the first new one, the second with the second: their order means "
            "nothing. Compare *every* made with *every* new one.",
        ),
        "nearer than the middle": Mistake(
            _below_median,
            "this compares with the median new picture only: count the pairs with all of them.",
        ),
        "per cent": Mistake(
            lambda made, new, training: 100 * nearer_than_new(made, new, training),
            "this is per cent: a share from 0 to 1.",
        ),
    },
    minutes=8,
    difficulty=3,
)

# A lottery


def _lottery_cases(generator):
    yield 1, 6, 20, 50
    yield 0, 5, 8, 30
    yield 3, 9, 12, 40
    yield 2, 4, 7, 21
    yield 0, 17, 286, 861
    yield 4, 4, 10, 25  # all of them were taken


def _exactly(found, group, chosen, total):
    return comb(group, found) * comb(total - group, chosen - found) / comb(total, chosen)


def _with_replacement(found, group, chosen, total):
    p = chosen / total
    return sum(comb(group, k) * p**k * (1 - p) ** (group - k) for k in range(found + 1))


def _upper(found, group, chosen, total):
    return 1 - chance_of_so_few(found, group, chosen, total) + _exactly(found, group, chosen, total)


CHANCE_OF_SO_FEW = Exercise(
    "chance_of_so_few",
    chance_of_so_few,
    _lottery_cases,
    hints=(
        "There are comb(total, chosen) ways to choose, and the lottery takes each as likely. Count those with few of the "
        "group.",
        "With exactly k of the group: comb(group, k) ways to take these, times comb(total − group, chosen − k) ways to take "
        "the others.",
        "Add that up for k = 0, 1, … up to found, and divide by comb(total, chosen).",
    ),
    mistakes={
        "exactly so many": Mistake(
            _exactly,
            "this is the chance of *exactly* so many. Fewer would have surprised you as well: add k = 0 up to found.",
        ),
        "fewer only": Mistake(
            lambda found, group, chosen, total: (
                chance_of_so_few(found, group, chosen, total) - _exactly(found, group, chosen, total)
            ),
            "range(found) stops one short: what was found belongs to it, too.",
        ),
        "with replacement": Mistake(
            _with_replacement,
            "this is the binomial law, which puts each thing back after it was drawn: nothing is chosen twice here.",
        ),
        "at least so many": Mistake(_upper, "this is the chance of so *many* or more: add k from 0 up to found."),
        "more": Mistake(
            lambda found, group, chosen, total: 1 - chance_of_so_few(found, group, chosen, total),
            "this is the chance of *more* than were found: take it from 1.",
        ),
        "two sides": Mistake(
            lambda found, group, chosen, total: 2 * chance_of_so_few(found, group, chosen, total),
            "this is doubled, as a test for too few *or* too many would be: asked is for so few.",
        ),
        "a ratio": Mistake(
            lambda found, group, chosen, total: (found / group) / (chosen / total),
            "this is how many times as often the group was chosen. It is worth knowing, but it is no chance.",
        ),
        "not divided": Mistake(
            lambda found, group, chosen, total: sum(
                comb(group, k) * comb(total - group, chosen - k) for k in range(found + 1)
            ),
            "these are the ways: divide by all of them, comb(total, chosen).",
        ),
        "the others' ways left out": Mistake(
            lambda found, group, chosen, total: sum(comb(group, k) for k in range(found + 1)) / comb(total, chosen),
            "for each way to take k of the group the others can be taken in comb(total − group, chosen − k) ways: multiply.",
        ),
    },
    minutes=7,
    difficulty=3,
)

# Kilowatt-hours


def _meter_cases(generator):
    yield [(60.0, 1.0)], (10.0, 20.0)
    yield [(90.0, 2.0), (30.0, 1.0), (20.0, 4.0)], (3.0, 25.0)
    yield [(7.5, 3.0), (120.0, 2.0)], (0.5, 0.5)
    yield [(600.0, 2.0)], (6.0, 40.0)


def _core_hours(rows):
    return sum(minutes * cores for minutes, cores in rows) / 60


def _energy(hours=_core_hours, scale=1e-3):
    """A variant of the energy, for the mistakes."""
    return lambda trainings, bounds: tuple(hours(trainings) * power * scale for power in bounds)


def _per_hour(trainings, bounds):
    return tuple(power / 1000 / _core_hours(trainings) for power in bounds)


KILOWATT_HOURS = Exercise(
    "kilowatt_hours",
    kilowatt_hours,
    _meter_cases,
    hints=(
        "First core-hours: minutes times cores of each training, added up, divided by 60.",
        "Core-hours times watts are watt-hours; 1,000 of these are a kilowatt-hour. Do it once for each bound.",
    ),
    mistakes={
        "watt-hours": Mistake(_energy(scale=1.0), "these are watt-hours: 1,000 of them are a kilowatt-hour."),
        "minutes for hours": Mistake(
            _energy(lambda rows: sum(m * c for m, c in rows)),
            "you multiply watts by *minutes*: a watt-hour is a watt for an hour, so divide by 60.",
        ),
        "joules": Mistake(
            _energy(lambda rows: 60 * sum(m * c for m, c in rows), 1.0),
            "these are joules, watts times seconds: 3.6 million of them are a kilowatt-hour.",
        ),
        "the cores forgotten": Mistake(
            _energy(lambda rows: sum(m for m, _ in rows) / 60),
            "two busy cores take twice the power of one: multiply each training's minutes by its cores.",
        ),
        "sums multiplied": Mistake(
            _energy(lambda rows: sum(m for m, _ in rows) * sum(c for _, c in rows) / 60),
            "you add up the minutes and the cores and multiply the sums: each training has its own cores.",
        ),
        "kilowatts per hour": Mistake(
            _per_hour,
            "you divide the power by the time. Energy is power *times* time: there are no kilowatts per hour here.",
        ),
        "the middle": Mistake(
            lambda trainings, bounds: sum(kilowatt_hours(trainings, bounds)) / 2,
            "one number hides how little is known about the watts: return both bounds, (lowest, highest).",
        ),
        "the bounds swapped": Mistake(
            lambda trainings, bounds: kilowatt_hours(trainings, bounds)[::-1],
            "the highest estimate stands first: return (lowest, highest).",
        ),
        "each training by itself": Mistake(
            lambda trainings, bounds: [
                tuple(minutes * cores / 60 * power / 1000 for power in bounds) for minutes, cores in trainings
            ],
            "these are the trainings one by one: add them up, and return two numbers.",
        ),
    },
    minutes=4,
    difficulty=1,
)

LESSON = Lesson(17, "Who is the artist?", [DECIDED_BY, NEARER_THAN_NEW, CHANCE_OF_SO_FEW, KILOWATT_HOURS])
