"""Effects of a change: against scipy's paired test, a brute force and what can be told beforehand."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from s2i_teach.errors import InputError
from s2i_teach.evaluate.effects import leave_one_out, paired_effect, verdict
from s2i_teach.translation.compare import what_it_does


@pytest.fixture
def scores():
    generator = torch.Generator().manual_seed(0)
    hard = torch.rand(12, 1, generator=generator)
    before, after = (hard + 0.1 * torch.randn(12, 3, generator=generator) for _ in range(2))
    return after + 0.05, before


def test_a_paired_effect_is_student_s(scores):
    after, before = scores
    effect, error = paired_effect(after, before)
    t = stats.ttest_rel(after.mean(1).numpy(), before.mean(1).numpy()).statistic
    assert effect / error == pytest.approx(t, rel=1e-5)
    assert effect == pytest.approx((after - before).mean().item(), abs=1e-6)


def test_copies_of_a_column_do_not_make_it_surer(scores):
    after, before = scores
    once, often = (paired_effect(a, b) for a, b in ((after, before), (after.repeat(1, 9), before.repeat(1, 9))))
    assert often == pytest.approx(once, abs=1e-6)


def test_what_chance_alone_shows():
    """Without any effect, two standard errors are passed about once in twenty times, however many columns there are."""
    generator = torch.Generator().manual_seed(1)
    shown = 0
    for _ in range(400):
        own = 2.0 * torch.randn(50, 1, generator=generator)  # how each sketch takes the change
        after, before = own + torch.randn(50, 3, generator=generator), torch.randn(50, 3, generator=generator)
        shown += verdict(*paired_effect(after, before), claimed=1) != "not shown"
    assert 8 <= shown <= 36


def test_verdicts():
    assert verdict(0.3, 0.1, 1) == verdict(-0.3, 0.1, -1) == "shown"
    assert verdict(-0.3, 0.1, 1) == verdict(0.3, 0.1, -1) == "the other way round"
    assert verdict(0.19, 0.1, 1) == verdict(-0.19, 0.1, 1) == verdict(0.0, 0.0, 1) == "not shown"


def test_leave_one_out_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(size=20)
    score, error = leave_one_out(lambda places: float(values[places].mean()), 20)
    assert score == pytest.approx(values.mean())
    assert error == pytest.approx(values.std(ddof=1) / math.sqrt(20))


def test_what_a_change_does():
    def make(colour="white", size=(2, 4), unused=None, fixed=4):
        if fixed != 4:
            raise InputError(f"fixed is {fixed}: leave it 4.")
        return Image.new("RGB", size, colour)

    assert what_it_does(make, {"unused": 1}) == what_it_does(make, {}) == "nothing"
    assert what_it_does(make, {"colour": "black"}) == what_it_does(make, {"size": (4, 2)}) == "another picture"
    assert what_it_does(make, {"fixed": 3, "colour": "black"}) == "refused"
    with pytest.raises(TypeError):  # a wrong name is a bug of the caller, not a refusal
        what_it_does(make, {"no_such": 1})


def test_what_cannot_be_judged_is_refused():
    good, nan = torch.rand(5, 3), float("nan")
    for bad in (
        torch.rand(1, 3),
        torch.rand(5, 1),
        torch.rand(3),
        torch.rand(5, 3, 2),
        torch.rand(4, 3),
        [[1.0]],
        None,
    ):
        with pytest.raises(InputError, match="cannot be paired"):
            paired_effect(good, bad)
    with pytest.raises(InputError, match="at least 2"):
        paired_effect(good[:1], good[:1])
    with pytest.raises(InputError, match="finite"):
        paired_effect(good, torch.full((5, 3), nan))
    for bad in ((0.3, nan, 1), (nan, nan, 1), (0.0, -0.1, 1), (0.3, math.inf, 1)):
        with pytest.raises(InputError, match="says nothing"):
            verdict(*bad)
    with pytest.raises(InputError, match="claimed is 0"):
        verdict(0.3, 0.1, 0)
    for n in (0, 1, 2.0, True):
        with pytest.raises(InputError, match="at least 2"):
            leave_one_out(lambda places: 0.0, n)
    assert all(type(number) is float for number in leave_one_out(lambda places: torch.tensor(1.0), 3))


def test_pictures_alone_are_compared():
    red, blue = (Image.new("P", (2, 2)) for _ in range(2))
    red.putpalette([255, 0, 0]), blue.putpalette([0, 0, 255])
    assert what_it_does(lambda blue_=False: blue if blue_ else red, {"blue_": True}) == "another picture"
    with pytest.raises(InputError, match="PIL picture"):
        what_it_does(lambda x=0: 3, {"x": 1})
