"""What a sample is asked for, checked."""

import operator

from s2i_teach.errors import InputError
from s2i_teach.files import written


def whole_number(name: str, value, least: int | None = None) -> int:
    """A whole number, at least ``least``; ``name`` is the argument's in the message.

    Raises:
        InputError: it is none, or less.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except (TypeError, ValueError, RuntimeError):
        number = None
    if number is None or (least is not None and number < least) or number.bit_length() > 1000:
        raise InputError(
            f"{name} is {written(value)}: give a whole number{'' if least is None else f' from {least} up'}."
        )
    return number


def byte_limit(value) -> float:
    """``max_bytes``, 0 or more.

    Raises:
        InputError: it is no number, or less.
    """
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise InputError(f"max_bytes is {written(value)}: give a number of bytes.") from error
    if not number >= 0:
        raise InputError(f"max_bytes is {written(value)}: give 0 or more bytes.")
    return number


def wanted_categories(categories) -> str | int | list | None:
    """The categories asked for, in a form that can be read twice: a generator or an array is a list, a set has an order.

    Raises:
        InputError: neither names, nor a number, nor None.
    """
    if hasattr(categories, "tolist"):  # of NumPy or pandas
        categories = categories.tolist()
    if categories is None or isinstance(categories, str):
        return categories
    if hasattr(categories, "__index__"):
        return whole_number("categories", categories, 1)
    try:
        return sorted(categories, key=str) if isinstance(categories, (set, frozenset)) else list(categories)
    except TypeError as error:
        raise InputError(
            f"categories is {written(categories)}: give names, a number of categories, or None for all."
        ) from error
