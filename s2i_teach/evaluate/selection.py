"""Who was chosen? How likely a fair lottery would have chosen as few of a group."""

from math import comb

from s2i_teach.errors import InputError
from s2i_teach.files import written


def chance_of_so_few(found: int, group: int, chosen: int, total: int) -> float:
    """The probability that a lottery takes at most ``found`` of a group: the lower tail of the hypergeometric law.

    ``chosen`` of ``total`` things are drawn, each set of them alike and none twice. ``group`` of all things belong to the
    group. This is the one-sided p-value of Fisher's exact test (1935). It assumes that the group was named before the
    choice was seen: of many groups, the worst one always has a small value.

    Args:
        found: how many of the group were chosen.
        group: how many belong to it.
        chosen: how many were chosen of all.
        total: how many things there are.

    Raises:
        InputError: no whole numbers, or numbers that do not fit one another.
    """
    for name, value in (("found", found), ("group", group), ("chosen", chosen), ("total", total)):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST:
            raise InputError(f"{name} is {written(value)}: give a whole number from 0 to {MOST:,}.")
    if max(group, chosen) > total or not max(0, group + chosen - total) <= found <= min(group, chosen):
        raise InputError(
            f"{found} of a group of {group} cannot be among {chosen} chosen of {total}: look at the four numbers."
        )
    ways = sum(comb(group, k) * comb(total - group, chosen - k) for k in range(found + 1) if k <= chosen)
    return ways / comb(total, chosen)


MOST = 100_000
"""Things, above which the whole numbers of the sum take too long."""
