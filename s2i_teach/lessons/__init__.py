"""The exercises of the lessons, checked as you write them."""

from importlib import import_module
from importlib.util import find_spec

from s2i_teach.errors import InputError
from s2i_teach.files import written
from s2i_teach.lessons.engine import Lesson
from s2i_teach.lessons.predictions import predict

__all__ = ["Lesson", "lesson", "predict"]


def lesson(number: int) -> Lesson:
    """The exercises of a lesson: ``lesson(2).add_noise.check(add_noise)``, ``.hint()``, ``.solution()``; ``.score()``.

    Raises:
        InputError: there is no such lesson, or it has no exercises.
    """
    name = f"{__name__}.lesson{number:02d}" if isinstance(number, int) and 0 <= number <= 99 else ""
    if not name or find_spec(name) is None:
        raise InputError(f"There is no lesson {written(number)} with exercises: the lessons are listed in the README.")
    return import_module(name).LESSON
