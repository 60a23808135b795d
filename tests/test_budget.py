"""A class's budget is what trying everything finds, and both ways to serve a queue do the same work."""

from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2i_teach.theory.budget import ORDERS, pictures_each, ready_times

whole = st.integers(1, 40)


def by_trying(students, seconds, load_seconds, batch_seconds):
    """One batch after the other while the time lasts, for every batch size."""
    found = []
    for batch, one in batch_seconds.items():
        now, made = load_seconds, 0
        while now + one <= seconds:
            now, made = now + one, made + batch
        found.append((-(made // students), batch))
    each, batch = min(found)
    return -each, batch


@settings(deadline=None, max_examples=200)
@given(
    whole, st.integers(0, 900), st.integers(0, 300), st.dictionaries(st.integers(1, 16), whole, min_size=1, max_size=4)
)
def test_pictures_each_is_what_trying_finds(students, seconds, load, batches):
    assert pictures_each(students, seconds, load, batches) == by_trying(students, seconds, load, batches)


def test_a_class_of_thirty():
    assert pictures_each(30, 3600, 180, {1: 6.0}) == (19, 1)
    assert pictures_each(30, 3600, 180, {1: 6.0, 4: 20.0}) == (22, 4)
    assert pictures_each(30, 100, 180, {2: 6.0, 1: 3.0}) == (0, 1), "it is over before the model is there"


@pytest.mark.parametrize("order", ORDERS)
def test_a_queue_makes_every_picture_once_in_full_batches(order):
    ready = ready_times(5, 4, 3, 2.5, order)
    times = sorted(chain.from_iterable(ready))
    assert [len(own) for own in ready] == [4] * 5 and all(own == sorted(own) for own in ready)
    assert times == [2.5 * (place // 3 + 1) for place in range(20)]


def test_turns_give_everybody_a_first_picture_soon():
    first = {order: [own[0] for own in ready_times(30, 20, 4, 10.0, order)] for order in ORDERS}
    assert max(first["turns"]) == 80.0 and max(first["orders"]) == 1460.0
    with pytest.raises(ValueError, match="use 'orders' or 'turns'"):
        ready_times(3, 2, 1, 1.0, "luck")
