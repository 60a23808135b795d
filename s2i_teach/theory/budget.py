"""What a class gets out of one graphics card: pictures for each in a given time, and how long they wait."""

from collections.abc import Mapping


def pictures_each(
    students: int, seconds: float, load_seconds: float, batch_seconds: Mapping[int, float]
) -> tuple[int, int]:
    """How many pictures each of a class gets at most, all as many, and the batch size that gives it.

    The model is loaded once. Then one batch follows the other. A batch may hold pictures of different students, and takes
    its time even where it is not full. A batch that is not done in time gives nothing.

    Args:
        students: at least 1.
        seconds: that the class has, with loading.
        load_seconds: until the model is ready.
        batch_seconds: batch size → seconds of such a batch.

    Returns:
        Pictures for each, and the smallest batch size that gives so many.
    """
    best = 0, min(batch_seconds)
    for batch in sorted(batch_seconds):
        batches = max(0.0, seconds - load_seconds) // batch_seconds[batch]
        each = int(batches) * batch // students
        if each > best[0]:
            best = each, batch
    return best


ORDERS = ("orders", "turns")
"""How a queue is served: one student's whole order after the other's, or a picture each in turns."""


def ready_times(students: int, each: int, batch: int, seconds: float, order: str) -> list[list[float]]:
    """When each picture of each student is ready, in seconds from the first batch's beginning: a list a student.

    Args:
        students, each: how many, and how many pictures each of them.
        batch, seconds: pictures in a batch, and how long one takes.
        order: one of :data:`ORDERS`.

    Raises:
        ValueError: another order.
    """
    if order not in ORDERS:
        raise ValueError(f"The order is {order!r}: use {' or '.join(map(repr, ORDERS))}.")
    queue = [student for student in range(students) for _ in range(each)]
    if order == "turns":
        queue = [student for _ in range(each) for student in range(students)]
    ready: list[list[float]] = [[] for _ in range(students)]
    for place, student in enumerate(queue):
        ready[student].append((place // batch + 1) * seconds)
    return ready
