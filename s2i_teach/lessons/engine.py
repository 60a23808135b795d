"""The exercise engine: an exercise knows its answer, its hints and its typical mistakes, and tells outcomes apart.

The reference is the library's own function. An answer is right when it agrees with the reference on the exercise's
cases; a wrong answer that agrees with one of the typical mistakes gets that mistake's message.
"""

import dis
import inspect
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field

import torch

from s2i_teach.lessons import predictions, sandbox
from s2i_teach.lessons.compare import difference
from s2i_teach.lessons.progress import Progress

STATUSES = ("passed", "incorrect", "raised", "not attempted")
MARKS = {"passed": "✓", "incorrect": "✗", "raised": "!", "not attempted": "…"}


@dataclass(frozen=True)
class Outcome:
    """What a check found. ``status`` is one of ``STATUSES``; ``message`` says what to do, in a sentence or two."""

    status: str
    message: str

    @property
    def passed(self) -> bool:
        """Whether the answer is right."""
        return self.status == "passed"

    def __str__(self) -> str:
        return f"{MARKS[self.status]} {self.status}: {self.message}"

    def _ipython_display_(self) -> None:
        """Nothing: the check has already shown it."""


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people really give, and the message it deserves."""

    function: Callable
    message: str


@dataclass
class Exercise:
    """One function to write.

    Attributes:
        name: of the function.
        reference: the right answer, a function of the library.
        cases: ``cases(generator)`` yields tuples of arguments; they decide right and wrong.
        hints: from gentle to plain, shown one at a time.
        mistakes: name → :class:`Mistake`.
        minutes, difficulty: for the learner; difficulty from 1 to 5.
        tolerance: bound on max |a − b|, see :func:`compare.difference`.
        seconds: time limit of one call.
        lets_through: errors that the right answer does not catch, where a case raises them.
        explain: ``explain(arguments, answer)`` gives a sentence for a wrong answer that is no typical mistake, or None
            for the plain difference.
        seen: where more than the answer counts, ``seen(function)`` is a function of the same arguments; what it gives is
            compared in place of what ``function`` gives. It can add what was used on the way, such as memory.
    """

    name: str
    reference: Callable
    cases: Callable[[torch.Generator], Iterator[tuple]]
    hints: tuple[str, ...]
    mistakes: dict[str, Mistake]
    minutes: int = 5
    difficulty: int = 2
    tolerance: float = 1e-5
    seconds: float = 10.0
    praise: str = "It agrees with the library's own function."
    lets_through: tuple[type[Exception], ...] = ()
    explain: Callable[[tuple, object], str | None] | None = None
    seen: Callable[[Callable], Callable] = lambda function: function
    progress: Progress | None = field(default=None, repr=False)

    def check(self, answer: Callable, seed: int = 0) -> Outcome:
        """Compare the learner's function with the reference; shows and returns the outcome."""
        outcome = self.judge(answer, seed)
        if self.progress and outcome.status != "not attempted":
            self.progress.attempted(self.name, outcome.passed)
        print(outcome)
        return outcome

    def judge(self, answer: Callable, seed: int = 0) -> Outcome:
        """:meth:`check` without showing or counting it."""
        if not callable(answer):
            return Outcome("incorrect", f"give the function itself, {self.name}, without calling it.")
        if is_stub(answer):
            return self._not_attempted()
        try:
            inspect.signature(answer).bind(*self._some_arguments())
        except TypeError:
            return Outcome("incorrect", f"its parameters should be {self.signature}: keep the line with def as it was.")
        except ValueError:
            pass  # some callables have no signature; calling them will tell
        for arguments in self.cases(torch.Generator().manual_seed(seed)):
            ran = sandbox.call(self.seen(answer), arguments, self.seconds)
            if ran.timed_out:
                return Outcome(
                    "raised", f"it ran for more than {self.seconds:g} s and was stopped: is there an endless loop?"
                )
            if isinstance(ran.error, NotImplementedError):
                return self._not_attempted()
            try:
                with sandbox.kept_random_state():
                    expected = self.seen(self.reference)(
                        *deepcopy(arguments)
                    )  # a generator among them must not move on
            except self.lets_through as error:
                if type(ran.error) is type(error):
                    continue
                words = f"here {type(error).__name__} ({error}) should go through."
                return self._explain(answer, arguments, ran, words)
            wrong = None if ran.error else difference(ran.value, expected, self.tolerance)
            if ran.error or wrong:
                return self._explain(answer, arguments, ran, wrong)
        return Outcome("passed", self.praise)

    def _not_attempted(self) -> Outcome:
        lesson = f"s2i.lesson({self.progress.lesson})." if self.progress else ""
        return Outcome("not attempted", f"write the body of {self.name}; {lesson}{self.name}.hint() helps.")

    def _explain(self, answer, arguments, ran, words) -> Outcome:
        """The message of the typical mistake that does the same, else what is seen."""
        for mistake in self.mistakes.values():
            same = sandbox.call(self.seen(mistake.function), arguments, self.seconds)
            if ran.error or same.error:
                alike = (
                    type(ran.error) is type(same.error) and ran.error is not None and str(ran.error) == str(same.error)
                )
            else:
                alike = _alike(ran.value, same.value, self.tolerance)
            if alike:
                return Outcome("raised" if ran.error else "incorrect", mistake.message)
        if ran.error:
            place = f" ({ran.line})" if ran.line else ""
            return Outcome("raised", f"your code raised {type(ran.error).__name__}: {ran.error}{place}")
        return Outcome("incorrect", self.explain and self.explain(arguments, ran.value) or words)

    def _some_arguments(self) -> tuple:
        return next(iter(self.cases(torch.Generator().manual_seed(0))))

    @property
    def signature(self) -> str:
        """The parameters with their defaults, as ``(x_t, eps, a, a_prev, noise=None, eta=0.0)``."""
        parameters = inspect.signature(self.reference).parameters.values()
        words = [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters]
        return f"({', '.join(words)})"

    def use(self, answer: Callable) -> Callable:
        """The learner's function if it is right, else the library's, so that the rest of a notebook always works."""
        if self.judge(answer).passed:
            return answer
        print(f"{self.name}: the library's own is used from here on, until yours passes.")
        return self.reference

    def hint(self) -> None:
        """Show the next hint; the last one again when there are no more."""
        used = self.progress.hinted(self.name, len(self.hints)) if self.progress else 1
        print(f"Hint {used} of {len(self.hints)}: {self.hints[used - 1]}")

    def solution(self) -> None:
        """Show the answer: the library's own source. The score says so, if the exercise was not passed before."""
        if self.progress:
            self.progress.shown(self.name)
        print(inspect.getsource(self.reference))


def _alike(one, other, tolerance: float) -> bool:
    try:
        return difference(one, other, tolerance) is None
    except TypeError:
        return False


def is_stub(function: Callable) -> bool:
    """Whether a function's body is empty: a docstring, ``...``, ``pass`` or ``return ...``, and nothing else."""
    code = getattr(function, "__code__", None)
    if code is None:
        return False
    idle = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "CACHE"}
    instructions = list(dis.get_instructions(code))
    returns_none = all(i.argval in (None, ...) for i in instructions if i.opname in ("LOAD_CONST", "RETURN_CONST"))
    return returns_none and all(i.opname in idle for i in instructions)


class Lesson:
    """The exercises of one lesson: ``lesson.add_noise`` by name, or one after the other in a loop."""

    def __init__(self, number: int, title: str, exercises: list[Exercise]):
        self.number, self.title = number, title
        self.exercises = {exercise.name: exercise for exercise in exercises}
        self.progress = Progress(number, list(self.exercises))
        for exercise in exercises:
            exercise.progress = self.progress

    def __getattr__(self, name: str) -> Exercise:
        exercises = self.__dict__.get("exercises", {})
        if name in exercises:
            return exercises[name]
        raise AttributeError(
            f"Lesson {self.__dict__.get('number')} has no exercise {name!r}: it has {', '.join(exercises)}."
        )

    def __iter__(self) -> Iterator[Exercise]:
        return iter(self.exercises.values())

    def __len__(self) -> int:
        return len(self.exercises)

    def __dir__(self):
        return [*super().__dir__(), *self.exercises]

    def score(self) -> dict:
        """Show what was passed, with attempts, hints and shown solutions, and the predictions; returns it by exercise."""
        table = self.progress.table()
        for name, row in table.items():
            mark = MARKS["passed"] if row["passed"] else MARKS["not attempted"]
            with_it = ", with the solution" if row["solution"] else ""
            print(f"{mark} {name}: {row['attempts']} attempts, {row['hints']} hints{with_it}")
        passed = [row for row in table.values() if row["passed"]]
        alone = sum(not row["solution"] for row in passed)
        print(
            f"{len(passed)} of {len(table)} passed" + (f", {alone} without the solution" if alone < len(passed) else "")
        )
        if predicted := predictions.summary():
            print(predicted)
        return table
