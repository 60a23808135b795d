"""Lesson 17's measures: shares of authorship, copies with a control, a fair lottery, kilowatt-hours; against other ways to them."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from s2i_teach.errors import InputError
from s2i_teach.evaluate.authorship import decided_by
from s2i_teach.evaluate.copies import nearer_than_new, nearest
from s2i_teach.evaluate.energy import kilowatt_hours, trainings_of
from s2i_teach.evaluate.prompt_match import prompt_matches, prompt_ranks
from s2i_teach.evaluate.selection import chance_of_so_few
from s2i_teach.gallery import embedded_pairs
from s2i_teach.lessons.strokes import by_keyboard, drawn, few_strokes
from s2i_teach.paths import data_dir
from s2i_teach.translation.compare import variance_shares
from tests.fuzzing import examples


def layout(*size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


# Who decided


def test_what_one_choice_decides_alone_is_all_its_own():
    noise = layout(3, 4, 2, 3, 5, 5)
    for axis in range(3):
        only = noise.movedim(axis, 0)[:, :1, :1].expand(noise.movedim(axis, 0).shape).movedim(0, axis)
        shares = decided_by(only)
        assert shares[axis] == pytest.approx(1) and sum(shares) == pytest.approx(1)
    added = noise[:, :1, :1] + noise[:1, :, :1] + noise[:1, :1]
    assert decided_by(added)[3] == pytest.approx(0, abs=1e-9), "what only adds up leaves no rest"


def test_shares_are_sums_of_squares_by_brute_force():
    """Effect by effect, cell by cell, as a textbook writes them (Fisher 1925)."""
    x = layout(3, 2, 4, 6).double().numpy()
    mean = x.mean((0, 1, 2))
    total = sum(((x[cell] - mean) ** 2).sum() for cell in itertools.product(range(3), range(2), range(4)))
    parts = [
        sum(24 / x.shape[axis] * ((np.take(x, i, axis).mean((0, 1)) - mean) ** 2).sum() for i in range(x.shape[axis]))
        for axis in range(3)
    ]
    expected = [part / total for part in parts]
    assert decided_by(torch.from_numpy(x))[:3] == pytest.approx(expected)


def test_with_one_choice_that_does_nothing_it_is_the_two_way_split():
    two = layout(4, 3, 7)
    words, seeds, both = variance_shares(two)
    assert decided_by(two[:, :, None].expand(4, 3, 2, 7)) == pytest.approx((words, seeds, 0, both), abs=1e-9)


def test_noise_gives_each_choice_its_degrees_of_freedom():
    shares = np.mean([decided_by(layout(3, 3, 2, 400, seed=seed)) for seed in range(20)], 0)
    assert shares == pytest.approx([2 / 17, 2 / 17, 1 / 17, 12 / 17], abs=0.01)


@pytest.mark.parametrize(
    ("pictures", "words"),
    [
        (torch.zeros(3, 3), "sketches, prompts, seeds"),
        ("x", "str cannot be split"),
        (torch.zeros(3, 1, 2, 4), "too few"),
        (torch.zeros(3, 2, 2, 4), "all equal"),
        (torch.full((2, 2, 2, 2), math.nan), "not finite"),
    ],
)
def test_pictures_that_cannot_be_split(pictures, words):
    with pytest.raises(InputError, match=words):
        decided_by(pictures)


# Copies


def test_the_share_of_nearer_pictures_is_mann_and_whitney_s():
    made, new, training = layout(9, 4), layout(13, 4, seed=1), layout(11, 4, seed=2)
    near = [np.linalg.norm(x.numpy()[:, None] - training.numpy(), axis=2).min(1) for x in (made, new)]
    u = stats.mannwhitneyu(near[1], near[0]).statistic
    assert nearer_than_new(made, new, training) == pytest.approx(u / (9 * 13))


def test_copies_are_nearest_and_a_set_against_itself_is_even():
    training, new = layout(20, 6), layout(10, 6, seed=1)
    assert nearer_than_new(training[:5], new, training) == 1
    assert nearer_than_new(new, training[:5], training) == 0
    assert nearer_than_new(new, new, training) == 0.5, "ties count as half, exactly"


def test_nearest_is_the_nearest_and_not_itself():
    x, others = layout(40, 30), layout(50, 30, seed=1)
    distance, place = nearest(x, others)
    every = ((x[:, None] - others) ** 2).mean(2).sqrt()
    assert torch.allclose(distance, every.min(1).values.double(), atol=1e-6) and torch.equal(place, every.argmin(1))
    distance, place = nearest(x, x, skip_self=True)
    assert distance.min() > 0.1 and not (place == torch.arange(40)).any()
    assert nearest(x, x)[0].max() < 1e-4


def test_sets_that_cannot_be_compared():
    good = layout(3, 2)
    for odd in ("x", torch.zeros(0, 2), torch.zeros(3), layout(3, 4), good / 0, good.to(torch.complex64)):
        with pytest.raises(InputError):
            nearer_than_new(good, odd, good)
        with pytest.raises(InputError):
            nearest(odd, good)
    for other in (layout(4, 2), good[:1]):
        with pytest.raises(InputError, match="skip_self"):
            nearest(other[:1], other, skip_self=True)


# A fair lottery


@examples(60)
@given(st.data())
def test_the_chance_is_the_hypergeometric_law_s(data):
    total = data.draw(st.integers(1, 300))
    group, chosen = (data.draw(st.integers(0, total)) for _ in range(2))
    found = data.draw(st.integers(max(0, group + chosen - total), min(group, chosen)))
    expected = stats.hypergeom.cdf(found, total, group, chosen)
    assert chance_of_so_few(found, group, chosen, total) == pytest.approx(expected, abs=1e-9)
    assert chance_of_so_few(found, chosen, group, total) == pytest.approx(expected, abs=1e-9), (
        "it does not matter who draws"
    )


def test_a_small_lottery_counted_by_hand():
    """3 of 5 drawn, 2 of them red: of the 10 ways 1 takes no red one, and 7 take at most one."""
    assert chance_of_so_few(0, 2, 3, 5) == pytest.approx(0.1) and chance_of_so_few(1, 2, 3, 5) == pytest.approx(0.7)


@pytest.mark.parametrize(
    "numbers",
    [(-1, 2, 3, 5), (1.0, 2, 3, 5), (True, 2, 3, 5), (3, 2, 3, 5), (0, 4, 3, 5), (1, 9, 3, 5), (0, 0, 0, 10**9)],
)
def test_numbers_that_no_lottery_has(numbers):
    with pytest.raises(InputError):
        chance_of_so_few(*numbers)


# Kilowatt-hours


def test_energy_in_joules_comes_to_the_same():
    trainings, watts = [(30, 2), (45.5, 1), (0, 4)], (7, 28)
    joules = [sum(60 * minutes * cores for minutes, cores in trainings) * power for power in watts]
    assert kilowatt_hours(trainings, watts) == pytest.approx([joule / 3.6e6 for joule in joules])
    assert kilowatt_hours([(60, 1)], (1000, 1000)) == (1, 1), "a kilowatt for an hour"
    assert kilowatt_hours([], (1, 2)) == (0, 0)


@pytest.mark.parametrize(
    ("trainings", "watts"),
    [
        ([(1, 2)], (3, 2)),
        ([(-1, 2)], (1, 2)),
        ([(1, math.nan)], (1, 2)),
        ([1, 2], (1, 2)),
        ("ab", (1, 2)),
        ([], 5),
        ([], (1,)),
    ],
)
def test_trainings_that_are_none(trainings, watts):
    with pytest.raises(InputError):
        kilowatt_hours(trainings, watts)


def test_the_miniature_s_card_lists_its_trainings():
    found = trainings_of((data_dir() / "mini" / "README.md").read_text(encoding="utf-8"))
    assert found[0] == ("tokenizer and CLIP", 29) and ("the same, predicting v", 227) in found and len(found) == 20
    assert sum(minutes for _, minutes in found) == 1177


def test_tables_without_minutes_are_passed_over():
    card = "| a | b |\n|---|---|\n| x | 3 |\n\n| part | minutes |\n|---|---|\n| one | 1,650 |\n| two | – |\n| three | 2.5 |\n"
    assert trainings_of(card) == [("one", 1650), ("three", 2.5)]
    for odd in ("", "minutes", "| minutes |\n|---|\n| 3 |\n", 5, None):
        with pytest.raises(InputError):
            trainings_of(odd)


# Which prompt fits


def test_ranks_count_the_prompts_that_fit_better():
    pairs = embedded_pairs("test")[:6]
    pictures, among = [pair.picture for pair in pairs], [pair.prompt for pair in pairs]
    ranks = prompt_ranks(pictures, among, among)
    for picture, own, rank in zip(pictures, among, ranks, strict=True):
        fits = prompt_matches([picture] * len(among), among)
        assert rank == int((fits > fits[among.index(own)]).sum())
    with pytest.raises(InputError, match="'a unicorn' is not one of the prompts"):
        prompt_ranks(pictures[:1], ["a unicorn"], among)
    for odd in ([], pictures[:2]):
        with pytest.raises(InputError, match="give one prompt for each"):
            prompt_ranks(odd, among[:1], among)
    with pytest.raises(InputError, match="5 is not one of the prompts"):
        prompt_ranks(pictures[:1], among[:1], [*among, 5])


# Few strokes


def test_keys_move_the_pen_in_eight_directions_by_one_length():
    for thing, strokes in few_strokes().items():
        assert len(strokes) <= 3, thing
        for smooth, keyed in zip(strokes, by_keyboard(strokes), strict=True):
            steps = np.diff(np.array(keyed), axis=0)
            assert set(np.abs(steps).ravel()) <= {0.0, 10.0} and (np.abs(steps).sum(1) > 0).all()
            for x, y in smooth:
                assert min(max(abs(x - a), abs(y - b)) for a, b in keyed) <= 5, "on the grid's point nearest to it"


def test_a_drawing_is_black_on_white():
    page = drawn([[(10, 20), (100, 20)]], width=4)
    pixels = np.asarray(page)
    assert page.size == (128, 128) and page.mode == "RGB"
    assert (pixels[20, 30:80] < 40).all() and (pixels[40:] == 255).all() and (pixels[18:22, 30:80] < 160).all()
