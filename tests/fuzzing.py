"""What the fuzzing tests draw from: odd values, odd texts, bytes that were changed, and how many of them."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

MANY = os.environ.get("S2I_FUZZ")
"""So many examples for each test, other ones each time; unset: a few, always the same."""


def examples(few: int):
    """A test's profile: ``few`` examples in the suite, ``S2I_FUZZ`` of them where that is set."""
    return settings(
        max_examples=int(MANY) if MANY else few,
        derandomize=not MANY,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


PROMPTS = {
    "empty": "",
    "blank": " \t ",
    "long": "turtle " * 1429,
    "one word": "a" * 10_000,
    "emoji": "🐢👩‍👩‍👧‍👦🏳️‍🌈",
    "right to left": "\u202eسلحفاة\u202c צב",
    "a zero byte": "a\0turtle",
    "HTML": "</script><img src=x onerror=alert(1)>",
    "lines": "a\r\nturtle\u2028b\x1b[2J",
    "marks": "<|endoftext|><|startoftext|>",
    "braces": "{0.__class__} {{ %s $HOME `id`",
    "accents": "a\u0300" * 500,
    "not in any plane": "\U0010ffff\ufeff\uffff",
}
"""What people and programs type."""

TEXTS = st.one_of(st.sampled_from(list(PROMPTS.values())), st.text(max_size=40), st.just("\ud800"))
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from([0, 1, -1, 0.5, 1e308, float("nan"), float("inf"), True]),
    st.builds(lambda: 10**5000),  # Python refuses to write it out
)
ODD = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, st.binary(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)),
    max_leaves=6,
)
"""Any value at all."""
JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False), TEXTS
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)),
    max_leaves=6,
)
"""What a page can send."""


def near(right: dict, others=JSON):
    """A table like ``right``: a few values replaced, or left out, or added."""
    entry = st.tuples(st.sampled_from([*right, "more"]), st.one_of(others, st.just(...)))

    def changed(changes) -> dict:
        table = {**right, **dict(changes)}
        return {key: value for key, value in table.items() if value is not ...}

    return st.lists(entry, max_size=3).map(changed)


@st.composite
def spoilt(draw, whole: bytes) -> bytes:
    """Bytes with some changed, cut out, doubled or put in; the head more often than the rest."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.one_of(st.integers(0, min(64, len(data))), st.integers(0, len(data))))
        how = draw(st.sampled_from(["change", "cut", "put", "double", "end"]))
        if how == "change":
            new = draw(st.one_of(st.binary(min_size=1, max_size=4), st.sampled_from([b"\xff" * 4, b"\0" * 4])))
            data[at : at + len(new)] = new
        elif how == "cut":
            del data[at : at + draw(st.integers(1, 200))]
        elif how == "put":
            data[at:at] = draw(st.binary(min_size=1, max_size=12))
        elif how == "double":
            data[at:at] = data[at : at + draw(st.integers(1, 200))]
        else:
            del data[at:]
    return bytes(data)


def one_sentence(error: Exception) -> None:
    """What an error says is one line, and no longer than one reads."""
    text = str(error)
    assert text.strip() and text.splitlines() == [text], repr(text)
    assert len(text) < 1500, len(text)
    text.encode("utf-8")
