"""What a playground shows: every frame of a diffusion in the plane, computed with ``theory/`` or a student's functions.

Points are ``(N, 2)``; a noise level is ᾱ, and t = −1 stands for the end, where no noise is left and ᾱ = 1.
"""

import inspect
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import nn

from s2i_teach.errors import InputError
from s2i_teach.theory.forward import add_noise
from s2i_teach.theory.ideal import ideal_eps, ideal_x0
from s2i_teach.theory.plane import PlaneNet, scaled, spread
from s2i_teach.theory.prediction import eps_from_x0, x0_from_eps
from s2i_teach.theory.sampler import ddim_step, ddpm_step, spaced_timesteps
from s2i_teach.theory.schedule import alphas_cumprod, scaled_linear_betas
from s2i_teach.theory.training import loss_by_timestep, train

ALPHA_BAR = alphas_cumprod(scaled_linear_betas())
"""The lessons' schedule, Stable Diffusion's: ``(1000,)``."""
POINTS = 300
FORWARD = [*range(0, 1000, 20), 999]
"""The timesteps that the way to noise is shown at."""
SPAN = 2.8
"""The picture goes from −SPAN to SPAN."""
GRID = 17
"""Arrows of the score field, each way."""
MOST_FIELDS = 34
TRAINING_STEPS = 1500
MOST_SECONDS = 9.0
SAME = 1e-4
"""Two results that differ by no more than this in any number are called the same."""


LARGEST = 1e6
"""A student's number beyond this, in either direction, is as good as infinite."""


class Unusable(Exception):
    """A student's function gave nothing that can be shown. ``key`` names the sentence, ``values`` fill it in."""

    def __init__(self, key: str, **values):
        super().__init__(key)
        self.key, self.values = key, values


@dataclass(frozen=True)
class Own:
    """A function of the student's, to be called as the library's own is.

    ``reference`` is the library's function; ``needs_noise`` says that a step wants fresh noise, as DDPM's does.
    """

    name: str
    function: Callable
    reference: Callable
    needs_noise: bool = False

    def __call__(self, first: torch.Tensor, *others):
        """What the function gives, checked to be points like ``first``; it gets copies, so that it can spoil nothing.

        Raises:
            Unusable: it raised, or gave something else.
        """
        copies = [value.clone() if isinstance(value, torch.Tensor) else value for value in (first, *others)]
        try:
            with torch.no_grad():
                found = self.function(*copies)
        except NotImplementedError as error:
            raise Unusable("nothing", name=self.name) from error
        except Exception as error:
            raise Unusable("raised", name=self.name, error=f"{type(error).__name__}: {error}"[:300]) from error
        if found is None or found is ...:
            raise Unusable("nothing", name=self.name)
        if not isinstance(found, torch.Tensor):
            raise Unusable("no_tensor", name=self.name, kind=type(found).__name__)
        if found.shape != first.shape:
            raise Unusable("shape", name=self.name, yours=tuple(found.shape), right=tuple(first.shape))
        found = found.detach().float()
        if not (found.abs() < LARGEST).all():
            raise Unusable("not_finite", name=self.name)
        return found


def own_function(function, reference: Callable, arguments: int, what: str) -> Own:
    """A student's function that takes the place of the library's ``reference``, called with so many arguments.

    Raises:
        InputError: it is no function, or cannot be called so.
    """
    names = list(inspect.signature(reference).parameters)[:arguments]
    _check_callable(function, what)
    if not _takes(function, arguments):
        raise InputError(f"{what} must be a function of ({', '.join(names)}): yours takes {_parameters(function)}.")
    return Own(_name(function, what), function, reference)


def own_step(function) -> Own:
    """A student's step: DDIM's if four arguments are enough, DDPM's if it needs noise as well.

    Raises:
        InputError: it is neither.
    """
    _check_callable(function, "step")
    if _takes(function, 4):
        return Own(_name(function, "step"), function, ddim_step)
    if _takes(function, 5):
        return Own(_name(function, "step"), function, ddpm_step, needs_noise=True)
    raise InputError(
        f"step must be a function of (x_t, eps, a, a_prev) or of (x_t, eps, a, a_prev, noise): yours takes "
        f"{_parameters(function)}."
    )


def _check_callable(function, what: str) -> None:
    if not callable(function):
        raise InputError(f"{what} is a {type(function).__name__}: give the function itself, without calling it.")


def _takes(function: Callable, arguments: int) -> bool:
    try:
        inspect.signature(function).bind(*[None] * arguments)
    except TypeError:
        return False
    except ValueError:  # a function written in C tells nothing
        return True
    return True


def _parameters(function: Callable) -> str:
    return str(inspect.signature(function))


def _name(function: Callable, otherwise: str) -> str:
    name = getattr(function, "__name__", otherwise)
    return otherwise if name == "<lambda>" else name


# The data


def points_of_ink(picture, n: int = POINTS) -> torch.Tensor:
    """Points ``(n, 2)`` where a picture is dark, the likelier the darker, centred and scaled as the shapes are.

    Raises:
        InputError: nothing is drawn.
    """
    grey = torch.frombuffer(bytearray(picture.convert("L").tobytes()), dtype=torch.uint8)
    ink = (1 - grey.float() / 255).clamp(min=0)
    ink[ink < 0.1] = 0
    if ink.sum() < 1:
        raise InputError("The page is empty: draw something first.")
    generator = torch.Generator().manual_seed(0)
    found = torch.multinomial(ink, n, replacement=True, generator=generator)
    place = torch.stack([found % picture.width, -(found // picture.width)], 1).float()
    return scaled(place + torch.rand(n, 2, generator=generator))  # anywhere in its pixel


def checked_points(points) -> torch.Tensor:
    """A user's own data as float32 ``(N, 2)``, as they are.

    Raises:
        InputError: not 2 to 2000 points, or some of them far away or not finite.
    """
    try:
        found = torch.as_tensor(points, dtype=torch.float32).detach().cpu()
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise InputError(f"A {type(points).__name__} is no data: give points (N, 2) or the name of a shape.") from error
    if found.dim() != 2 or found.shape[1] != 2 or not 2 <= len(found) <= 2000:
        raise InputError(f"Data of shape {tuple(found.shape)} cannot be shown: give 2 to 2000 points, (N, 2).")
    if not (found.abs() <= 100).all():
        raise InputError("Some of the data lie beyond ±100 or are not finite: points about 0.8 wide are seen best.")
    return found


# The denoisers: each is called with x_t (N, 2), ᾱ and t, and returns the predicted noise


def ideal(data: torch.Tensor, own: Own | None = None) -> Callable:
    """The perfect denoiser of the data, by the library or by a student's ``ideal_x0(x_t, data, a)``."""
    if own is None:
        return lambda x_t, a, t: ideal_eps(x_t, data, a)
    return lambda x_t, a, t: eps_from_x0(x_t, own(x_t, data, a), a)


@dataclass
class Trained:
    """A network with what its training took: its mean squared error of the noise, and the ideal denoiser's."""

    net: nn.Module
    loss: float
    ideal_loss: float
    seconds: float

    @torch.no_grad()
    def __call__(self, x_t: torch.Tensor, a: float, t: int) -> torch.Tensor:
        return self.net(x_t, torch.full((len(x_t),), t))


def trained(data: torch.Tensor, tell: Callable, seconds: float = MOST_SECONDS) -> Trained:
    """A small network, trained to predict the noise in the data, on one thread; ends after ``seconds`` wherever it is.

    ``tell(share, loss)`` is called about twenty times, with the share that is done and the mean loss since last time.
    """
    started = time.perf_counter()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = PlaneNet()
    losses = []
    with torch.enable_grad():
        for step in train(net, data, ALPHA_BAR, steps=TRAINING_STEPS, batch_size=256, lr=3e-3):
            losses.append(step.loss)
            late = time.perf_counter() - started > seconds
            if late or len(losses) == TRAINING_STEPS // 20:
                tell((step.step + 1) / TRAINING_STEPS, sum(losses) / len(losses))
                losses = []
            if late:
                break
    made = Trained(step.averaged, 0.0, 0.0, time.perf_counter() - started)
    times = list(range(25, 1000, 50))

    def loss(denoiser):
        def model(x_t, t):
            return denoiser(x_t, ALPHA_BAR[t[0]].item(), int(t[0]))

        return sum(loss_by_timestep(model, data.repeat(3, 1), ALPHA_BAR, times)) / len(times)

    made.loss, made.ideal_loss = loss(made), loss(ideal(data))
    return made


# The films


@dataclass
class Film:
    """Points at every frame, what came in the way, and how far a student's function is from the library's.

    Attributes:
        t, levels: timestep (−1: the end) and ᾱ of each frame that there should be.
        points: ``(N, 2)`` a frame; fewer frames if a student's function stopped it.
        library: the same by the library alone, if the student's differ.
        trouble: what stopped it.
    """

    t: list[int]
    levels: list[float]
    points: list[torch.Tensor] = field(default_factory=list)
    library: list[torch.Tensor] | None = None
    trouble: Unusable | None = None

    def take(self, frames: Iterator[torch.Tensor]) -> None:
        """Fill in the points, as far as they come."""
        try:
            for points in frames:
                self.points.append(points)
        except Unusable as trouble:
            trouble.values["t"] = self.t[len(self.points) - (self.t[-1] < 0)]  # backward it stands one frame before
            self.trouble = trouble


def forward(data: torch.Tensor, seed: int, noising: Callable = add_noise) -> Film:
    """The data turned to noise: at each of the timesteps ``FORWARD`` with the same noise."""
    eps = torch.randn(data.shape, generator=torch.Generator().manual_seed(seed))

    def frames(function):
        for t in FORWARD:
            yield function(data, eps, ALPHA_BAR, torch.full((len(data),), t))

    film = Film(FORWARD, [ALPHA_BAR[t].item() for t in FORWARD])
    film.take(frames(noising))
    if isinstance(noising, Own):
        film.library = list(frames(noising.reference))
    return film


def backward(step: Callable, steps: int, denoiser: Callable, seed: int, reference: Callable | None = None) -> Film:
    """Noise turned to data, in so many steps of ``step`` from pure noise.

    ``denoiser(x_t, a, t)`` predicts the noise. ``reference`` is the denoiser of the library's film, which is made if
    this or the step is the student's.
    """
    times = spaced_timesteps(steps, spacing="trailing")
    film = Film([*times, -1], [*(ALPHA_BAR[t].item() for t in times), 1.0])

    def frames(step, denoiser):
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(POINTS, 2, generator=generator)
        yield x
        for t, a, a_prev in zip(times, film.levels, film.levels[1:], strict=False):
            noise = torch.randn(x.shape, generator=generator)
            x = take_step(step, x, denoiser(x, a, t), a, a_prev, noise)
            yield x

    film.take(frames(step, denoiser))
    if isinstance(step, Own) or reference is not None:
        film.library = list(frames(getattr(step, "reference", step), reference or denoiser))
    return film


def take_step(step: Callable, x, eps, a: float, a_prev: float, noise) -> torch.Tensor:
    """One step, with fresh noise if it is of the kind that wants it."""
    wants = step.needs_noise if isinstance(step, Own) else step is ddpm_step
    return step(x, eps, a, a_prev, noise) if wants else step(x, eps, a, a_prev)


@dataclass(frozen=True)
class Departure:
    """Where a student's function is farthest from the library's, given the same: t, both spreads, mean distance."""

    t: int
    yours: float
    right: float
    distance: float


def departure(pairs: Iterator[tuple[int, torch.Tensor, torch.Tensor]]) -> Departure | None:
    """From ``(t, yours, the library's)``; None if they agree everywhere.

    The spread of points is about 0 when they are all in one place and 1 for pure noise.
    """
    worst = None
    for t, yours, right in pairs:
        if (yours - right).abs().max() > SAME:
            distance = (yours - right).norm(dim=1).mean().item()
            if worst is None or distance > worst.distance:
                worst = Departure(t, spread(yours), spread(right), distance)
    return worst


def step_departure(step: Own, film: Film, denoiser: Callable, seed: int) -> Departure | None:
    """One step of the student's and one of the library's from the same points, all along the library's way."""
    generator = torch.Generator().manual_seed(seed)

    def pairs():
        for x, t, a, a_prev in zip(film.library, film.t, film.levels, film.levels[1:], strict=False):
            eps, noise = denoiser(x, a, t), torch.randn(x.shape, generator=generator)
            right = take_step(step.reference, x, eps, a, a_prev, noise)
            yield t, take_step(step, x, eps, a, a_prev, noise), right

    return departure(pairs())


def ideal_departure(own: Own, film: Film, data: torch.Tensor) -> Departure | None:
    """The student's guess and the library's from the same points, all along the library's way."""
    noisy = [(x, t, a) for x, t, a in zip(film.library or film.points, film.t, film.levels, strict=False) if a < 1]
    return departure((t, own(x, data, a), ideal_x0(x, data, a)) for x, t, a in noisy)


# What else is drawn


def guesses(film: Film, denoiser: Callable) -> list[torch.Tensor]:
    """x̂_0 of every point at every frame, as far as there are points; at the end it is the point itself."""
    found = []
    for x, t, a in zip(film.points, film.t, film.levels, strict=False):
        found.append(x0_from_eps(x, denoiser(x, a, t), a) if a < 1 else x)
    return found


def places() -> torch.Tensor:
    """Where the arrows of the score field stand, ``(GRID², 2)``."""
    line = SPAN * (2 * (torch.arange(GRID) + 0.5) / GRID - 1)
    return torch.cartesian_prod(line, line)


def field_every(film: Film) -> int:
    """The score field changes slowly: in a long film it is shown at every so-manieth frame."""
    return -(-len(film.t) // MOST_FIELDS)


def score_field(film: Film, denoiser: Callable) -> list[torch.Tensor]:
    """Arrows ``(GRID², 2)``, in units of the plane, at every :func:`field_every`-th frame; none at the end.

    Their direction is the score's, −ε̂ (Song et al. 2020). Their length grows with √(1 − ᾱ) · ‖ε̂‖, the way from here to
    where the guess would stand at this noise level, but stays below the distance of two places.
    """
    found = []
    every = field_every(film)
    for t, a in zip(film.t[::every], film.levels[::every], strict=True):
        if a == 1:
            continue
        way = -((1 - a) ** 0.5) * denoiser(places(), a, t)
        length = way.norm(dim=1, keepdim=True)
        found.append(way / (length + 0.5) * (0.9 * 2 * SPAN / GRID))
    return found
