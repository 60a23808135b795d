"""What a training costs in electricity: an estimate with its bounds, from minutes, cores and watts."""

import math
import re
from collections.abc import Sequence

from s2i_teach.errors import InputError
from s2i_teach.files import written


def kilowatt_hours(trainings: Sequence[tuple[float, float]], watts: tuple[float, float]) -> tuple[float, float]:
    """The electrical energy of some trainings, in kilowatt-hours, as the lowest and the highest estimate.

    A core that is busy for an hour at 1 watt takes 1 watt-hour, and 1,000 of these are a kilowatt-hour.

    Args:
        trainings: of each its wall time in minutes, and how many cores were busy.
        watts: the least and the most power that one busy core takes, with its share of the rest of the computer.

    Raises:
        InputError: numbers that are not finite or below 0, or bounds in the wrong order.
    """
    try:
        rows = [(float(minutes), float(cores)) for minutes, cores in trainings]
        low, high = (float(power) for power in watts)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError("These are no trainings: give a list of (minutes, cores), and (least, most) watts.") from error
    if not all(0 <= number < math.inf for row in (*rows, (low, high)) for number in row):
        raise InputError("Minutes, cores and watts are finite and not below 0: look at the numbers.")
    if low > high:
        raise InputError(f"The least is {low:g} watts and the most {high:g}: give the lower bound first.")
    core_hours = sum(minutes * cores for minutes, cores in rows) / 60
    return core_hours * low / 1000, core_hours * high / 1000


def trainings_of(card: str) -> list[tuple[str, float]]:
    """The trainings that a model card lists: of each row its name and its minutes of wall time.

    A row counts if it stands in a table with a column *minutes* and has a number there, such as "68" or "1,650".

    Raises:
        InputError: it is no text, or it has no such table.
    """
    if not isinstance(card, str):
        raise InputError(f"The card is {written(card)}: give its text.")
    found, column = [], None
    for line in card.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.lstrip().startswith("|"):
            column = None  # the table is over
        elif column is None:
            column = cells.index("minutes") if "minutes" in cells else -1
        elif 0 < column < len(cells) and (number := re.match(r"\d[\d,]*(?:\.\d+)?", cells[column])):
            found.append((cells[0], float(number[0].replace(",", ""))))
    if not found:
        raise InputError("This card has no table with a column of minutes: give another one.")
    return found
