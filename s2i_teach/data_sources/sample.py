"""Which files are drawn: the same seed gives the same ones, wherever and whenever."""

import hashlib
from collections.abc import Iterable


def pick(names: Iterable[str], k: int, seed: int, category: str) -> list[str]:
    """``k`` of the names, drawn without replacement; all of them where there are fewer.

    Every name gets a lottery ticket, the SHA-256 of ``"seed/category/name"``, and the ``k`` smallest tickets win, in the
    order of their tickets. A ticket depends on nothing else, so neither the order of the names nor another category
    changes the draw; a larger ``k`` keeps what a smaller one drew, and a file more or less moves at most one pick.

    Args:
        names: in any order; one that stands twice takes part once.
        k: 0 or more.
        seed: any whole number.
        category: the name under which the draw is made.
    """

    def ticket(name: str) -> bytes:
        return hashlib.sha256(f"{seed}/{category}/{name}".encode("utf-8", "surrogatepass")).digest()

    return sorted(set(names), key=ticket)[:k]
