"""Prompts: what is read and lost, templates, whose doing a difference is, and the test by flipping signs."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy import stats

import s2i_teach as s2i
from s2i_teach import InputError
from s2i_teach.evaluate.bootstrap import sign_flip
from s2i_teach.models.small_clip import load_tokenizer
from s2i_teach.translation.compare import variance_shares
from s2i_teach.translation.prompts import fill, read_and_lost
from s2i_teach.translation.run import prompt_notes

# What is read and what is lost


@pytest.mark.parametrize("pieces", [0, 1, 74, 75, 76, 77, 78, 200])
def test_what_is_read_is_what_the_tokenizer_keeps_when_it_truncates(pieces):
    tokenizer = load_tokenizer()
    prompt = " ".join(["turtle", "snail", "owl"][i % 3] for i in range(pieces))
    read, lost = read_and_lost(tokenizer, prompt)
    kept = tokenizer(prompt, truncation=True).input_ids
    assert len(kept) <= 77 and read == tokenizer.decode(kept[1:-1]).strip()
    assert len(read.split()) == min(pieces, 75) and f"{read} {lost}".strip() == prompt


def test_two_prompts_that_differ_behind_the_limit_are_one_to_the_encoder():
    tokenizer = load_tokenizer()
    one, other = ("a turtle, openmoji style, " + "very " * 80 + end for end in ("red", "green"))
    assert read_and_lost(tokenizer, one)[0] == read_and_lost(tokenizer, other)[0]
    assert read_and_lost(tokenizer, one)[1].endswith("red")
    assert tokenizer(one, truncation=True).input_ids == tokenizer(other, truncation=True).input_ids


def test_the_notes_name_each_prompt_that_lost_something():
    pipe = type("StableDiffusionImg2ImgPipeline", (), {"tokenizer": load_tokenizer()})()
    long = "snail " * 75 + "owl"
    assert prompt_notes(pipe, s2i.Settings("a turtle", negative_prompt="grey")) == ()
    notes = prompt_notes(pipe, s2i.Settings(long, negative_prompt=long))
    assert notes[0] == "The model reads 75 pieces of words; of the prompt it did not read: owl."
    assert len(notes) == 2 and "of the negative prompt it did not read: owl." in notes[1]


def test_a_prompt_is_a_text():
    for bad in (5, None, ["a cat"]):
        with pytest.raises(InputError, match="give a text"):
            read_and_lost(load_tokenizer(), bad)


# Templates


def test_a_template_makes_every_combination_the_first_field_slowest():
    made = fill("a {thing}, {style} style", thing=["cat", "owl"], style=("noto", "flat", "fluent"))
    assert made == [f"a {t}, {s} style" for t, s in product(["cat", "owl"], ["noto", "flat", "fluent"])]
    assert fill("{b}{a}", a=["1", "2"], b=["x", "y"]) == ["x1", "y1", "x2", "y2"], "the order of the fields given"
    assert fill("{a} and {a}", a="cat") == ["cat and cat"]
    assert fill("a cat") == ["a cat"] and fill("{{a}} {a}", a=["{b}"]) == ["{a} {b}"]


@pytest.mark.parametrize(
    ("template", "fields", "words"),
    [
        ("a {thing}", {}, "asks for 'thing', which is not given"),
        ("a {thing}", {"thing": ["cat"], "style": ["noto"]}, "has no {style}"),
        ("a {thing}", {"thing": []}, "no value"),
        ("a {thing}", {"thing": ["cat", 5]}, "5 among its values"),
        ("a {thing}", {"thing": {"cat"}}, "give a list"),
        ("a {thing}", {"thing": 5}, "give a list"),
        ("a {thing", {"thing": ["cat"]}, "brace"),
        ("a {}", {}, "no plain name"),
        ("a {thing.name}", {"thing": ["cat"]}, "no plain name"),
        ("a {thing!r}", {"thing": ["cat"]}, "no plain name"),
        ("a {thing:>9}", {"thing": ["cat"]}, "no plain name"),
        (5, {}, "give a text"),
        ("{a}{b}", {"a": ["x"] * 200, "b": ["y"] * 200}, "40000 prompts"),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused_in_one_sentence(template, fields, words):
    with pytest.raises(InputError) as refused:
        fill(template, **fields)
    assert words in str(refused.value) and "\n" not in str(refused.value)


# Words against seeds


def test_the_shares_are_those_of_the_textbook_s_sums_of_squares():
    """Written out with loops, in float64, for one number a picture and for many."""
    x = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)).double() + 7
    parts = [0.0, 0.0, 0.0]
    total = 0.0
    for pixel in range(5):
        y = x[:, :, pixel].tolist()
        grand = sum(map(sum, y)) / 12
        rows = [sum(row) / 4 for row in y]
        columns = [sum(row[j] for row in y) / 3 for j in range(4)]
        for i, j in product(range(3), range(4)):
            parts[0] += (rows[i] - grand) ** 2
            parts[1] += (columns[j] - grand) ** 2
            parts[2] += (y[i][j] - rows[i] - columns[j] + grand) ** 2
            total += (y[i][j] - grand) ** 2
    shares = variance_shares(x)
    assert max(abs(a - b / total) for a, b in zip(shares, parts, strict=True)) < 1e-12
    assert abs(sum(shares) - 1) < 1e-12
    swapped = variance_shares(x.transpose(0, 1))
    assert max(abs(a - b) for a, b in zip(swapped, (shares[1], shares[0], shares[2]), strict=True)) < 1e-12
    assert max(abs(a - b) for a, b in zip(variance_shares(3 * x - 2), shares, strict=True)) < 1e-12


def test_the_shares_of_what_has_one_cause_and_of_what_has_none():
    noise = torch.randn(4, 4, 20_000, generator=torch.Generator().manual_seed(1))
    for pictures, expected in (
        (noise[:, :1].expand(4, 4, -1), (1, 0, 0)),
        (noise[:1].expand(4, 4, -1), (0, 1, 0)),
        (noise, (3 / 15, 3 / 15, 9 / 15)),
    ):
        assert max(abs(a - b) for a, b in zip(variance_shares(pictures), expected, strict=True)) < 0.01


@pytest.mark.parametrize("shape", [(4,), (1, 4, 3), (4, 1, 3)])
def test_shares_need_two_prompts_and_two_seeds(shape):
    with pytest.raises(InputError, match="at least 2 prompts and 2 seeds"):
        variance_shares(torch.randn(shape))
    for bad in (torch.ones(3, 3, 2), torch.full((3, 3, 2), torch.nan)):
        with pytest.raises(InputError, match="all equal, or not finite"):
            variance_shares(bad)
    with pytest.raises(InputError, match="list cannot be split"):
        variance_shares([[1.0, 2.0], [3.0, 4.0]])


def test_shares_of_bytes_are_those_of_their_numbers():
    x = torch.randint(256, (3, 3, 8), generator=torch.Generator().manual_seed(2))
    assert variance_shares(x.byte()) == variance_shares(x.float())


# Flipped signs


@pytest.mark.parametrize("n", [1, 2, 5, 9, 12])
def test_flipping_signs_is_scipy_s_permutation_test_of_paired_samples(n):
    rng = np.random.default_rng(n)
    for shift in (0.0, 0.4):
        a, b = rng.normal(shift, 1, n), rng.normal(0, 1, n)
        expected = 1.0
        if n > 1:
            expected = stats.permutation_test(
                (a, b),
                lambda x, y, axis: np.mean(x - y, axis=axis),
                permutation_type="samples",
                n_resamples=np.inf,
                vectorized=True,
            ).pvalue
        assert sign_flip((a - b).tolist()) == pytest.approx(expected, abs=1e-12)


def test_ties_count_and_rounding_breaks_none():
    assert sign_flip([0.1] * 10) == 2 / 1024
    assert sign_flip([0.1, 0.2, -0.3]) == 1 and sign_flip([0.0, 0.0]) == 1
    assert sign_flip([0.1, 0.2, 0.3]) == 2 / 8 and sign_flip([-0.1, -0.2, -0.3]) == 2 / 8
    assert sign_flip([0.1, 0.2, 0.3, -0.6 + 1.2]) == 2 / 16
    assert 0 < sign_flip(list(range(1, 17))) == 2 / 2**16


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ([], "0 differences cannot be flipped"),
        ([1.0] * 17, "17 differences cannot be flipped in all ways: give 1 to 16"),
        ([1.0, float("nan")], "finite"),
        ([[1.0], [2.0]], "give a list of numbers"),
        ([[1.0], [2.0, 3.0]], "give a list of numbers"),
        (5, "give a list of numbers"),
        (None, "give a list of numbers"),
        ("123", "give a list of numbers"),
        ({1: 2}, "give a list of numbers"),
        (np.array(1.0), "give a list of numbers"),
    ],
)
def test_differences_that_cannot_be_flipped(bad, words):
    with pytest.raises(InputError, match=words):
        sign_flip(bad)


def test_large_differences_do_not_overflow():
    assert sign_flip([1e308, 1e308]) == 0.5
