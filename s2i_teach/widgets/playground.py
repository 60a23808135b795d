"""A diffusion in the plane that one can see through, in the notebook."""

import hashlib
import json
import time
from collections.abc import Callable
from functools import partial

import torch
import traitlets

from s2i_teach.errors import InputError
from s2i_teach.files import shown
from s2i_teach.models.devices import one_thread
from s2i_teach.theory.forward import add_noise as library_add_noise
from s2i_teach.theory.ideal import ideal_x0 as library_ideal_x0
from s2i_teach.theory.plane import SHAPES, mean_distance, spread
from s2i_teach.theory.sampler import ddim_step, ddpm_step
from s2i_teach.widgets import film
from s2i_teach.widgets.base import source
from s2i_teach.widgets.drawing import Drawing
from s2i_teach.widgets.sketch_pad import PadHolder

DIRECTIONS = ("forward", "backward")
DENOISERS = ("ideal", "network", "both")
STEPS = {"DDIM": ddim_step, "DDPM": ddpm_step}
MOST_STEPS = 100
STILLS = 4


class Playground(PadHolder):
    """A diffusion of points in the plane: choose a shape or draw one, and see it turn to noise and come back.

    Everything seen is computed in Python, with ``s2i_teach.theory`` or with your own functions. A wrong one is seen to
    be wrong: the library's points stand beside yours, and a sentence says where they are farthest apart.

    Args:
        shape: ``"heart"``, ``"moons"``, ``"spiral"``, ``"ring"``, ``"spots"``, or points ``(N, 2)`` of your own, about
            0.8 wide in each direction.
        add_noise: your ``add_noise(x0, eps, alpha_bar, t)`` (lesson 2) in place of ``theory.forward.add_noise``.
        step: your ``ddim_step(x_t, eps, a, a_prev)`` or ``ddpm_step(x_t, eps, a, a_prev, noise)`` (lesson 5), or a list
            of several to choose from; DDIM and DDPM of ``theory.sampler`` can be chosen as well.
        ideal_x0: your ``ideal_x0(x_t, data, a)`` (lesson 3) in place of ``theory.ideal.ideal_x0``.
        steps: of the sampler, from 1 to 100.
        direction: ``"forward"``, to noise, or ``"backward"``, to data. None is backward if a step was given.

    Raises:
        InputError: an unknown shape, what is no data, what is no such function, or a number out of range.
    """

    _esm = source("parts.js", "pad.js", "playground.js")
    settings = traitlets.Dict().tag(sync=True)
    choices = traitlets.Dict().tag(sync=True)

    def __init__(
        self, shape="heart", *, add_noise=None, step=None, ideal_x0=None, steps: int = 20, direction: str | None = None
    ):
        self._own_data = None if isinstance(shape, str) else film.checked_points(shape)
        self._add_noise = None if add_noise is None else film.own_function(add_noise, library_add_noise, 4, "add_noise")
        self._ideal = None if ideal_x0 is None else film.own_function(ideal_x0, library_ideal_x0, 3, "ideal_x0")
        own = [] if step is None else [film.own_step(each) for each in (step if _is_list(step) else [step])]
        self._steps = {f"own {number}": each for number, each in enumerate(own)} | STEPS
        self._network: film.Trained | None = None
        self._network_of: str | None = None
        self._page = Drawing()
        self._film: tuple[film.Film, torch.Tensor] | None = None
        super().__init__(Drawing())
        self.observe(self._drawn, "drawing")
        self.choices = {
            "shapes": [*SHAPES, *([] if self._own_data is None else ["own"]), "drawing"],
            "samplers": {key: self.words["yours"].format(name=made.name) if isinstance(made, film.Own) else key
                         for key, made in self._steps.items()},
            "span": film.SPAN,
            "grid": film.GRID,
            "most_steps": MOST_STEPS,
        }  # fmt: skip
        self.settings = self._checked(
            {
                "shape": "own" if self._own_data is not None else shape,
                "direction": ("backward" if own else "forward") if direction is None else direction,
                "sampler": next(iter(self._steps)),
                "steps": steps,
                "denoiser": "ideal",
                "seed": 0,
                "field": False,
                "guess": False,
            }
        )

    def _checked(self, wanted: dict) -> dict:
        """Settings that can be computed, plain values only.

        Raises:
            InputError: one of them is none of those that there are.
        """
        for key, there in {
            "shape": self.choices["shapes"],
            "direction": DIRECTIONS,
            "sampler": list(self._steps),
            "denoiser": DENOISERS,
        }.items():
            if not isinstance(wanted.get(key), str) or wanted[key] not in there:
                raise InputError(f"The {key} {shown(wanted.get(key))} is not there: use one of {', '.join(there)}.")
        for key, lowest, highest in (("steps", 1, MOST_STEPS), ("seed", 0, 2**31)):
            number = wanted.get(key)
            if not isinstance(number, int) or isinstance(number, bool) or not lowest <= number <= highest:
                raise InputError(f"{key} is {shown(number)}: give a whole number from {lowest} to {highest}.")
        names = ("shape", "direction", "sampler", "denoiser", "steps", "seed")
        return {name: wanted[name] for name in names} | {name: bool(wanted.get(name)) for name in ("field", "guess")}

    # Questions from the page

    def _drawn(self, change) -> None:
        self._page = self.page

    def _asked(self, _, request, buffers) -> None:
        if not isinstance(request, dict) or request.get("do") not in ("film", "train"):
            return super()._asked(_, request, buffers)
        version = request.get("version")
        try:
            wanted = request.get("settings")
            settings = self._checked(wanted if isinstance(wanted, dict) else {})
            if "drawing" in request:
                self._page = Drawing.from_dict(request["drawing"])
            with one_thread():
                if request["do"] == "train":
                    self._train(settings["shape"], version)
                    settings["denoiser"] = "both"
                answer = self.frames(settings)
            self.send({"version": version, "film": answer})
            self.settings = settings
            self._renew_still()
        except InputError as error:
            self.send({"version": version, "refused": self._said(error)})

    def _data(self, shape: str) -> torch.Tensor:
        if shape == "own" and self._own_data is not None:
            return self._own_data
        if shape == "drawing":
            if self._page.is_empty:
                raise InputError(self.words["no_data"])
            return film.points_of_ink(self._page.image(256))
        return SHAPES[shape](film.POINTS)

    def _train(self, shape: str, version) -> None:
        data = self._data(shape)

        def tell(share, loss):
            self.send({"version": version, "training": share, "loss": loss})

        self._network, self._network_of = film.trained(data, tell), _fingerprint(data)

    # Answers

    def frames(self, settings: dict | None = None) -> dict:
        """All frames for some settings (None: those chosen), as plain values: what the page draws.

        Numbers of points are hundredths of a unit, ``[x, y, x, y, …]``. ``panels`` holds one table a denoiser.

        Raises:
            InputError: settings that are not there, or an empty page.
        """
        settings = self._checked(self.settings if settings is None else {**self.settings, **settings})
        started = time.perf_counter()
        data = self._data(settings["shape"])
        fresh = self._network is not None and self._network_of == _fingerprint(data)
        if not fresh:
            settings["denoiser"] = "ideal"
        names = ("ideal", "network") if settings["denoiser"] == "both" else (settings["denoiser"],)
        panels: list[dict] = []
        said: list[str] = []
        wrong: list[str] = []
        alerts: list[str] = []
        for name in names:
            made, denoiser, trouble, right = self._one(settings, data, name, wrong)
            panel = {"denoiser": name, "points": [_plain(points) for points in made.points]}
            panel["spread"] = [round(spread(points), 2) for points in made.points]
            library = made.library if made.library and (trouble or not _same(made.library, made.points)) else []
            panel["library"] = [_plain(points) for points in library]
            panel["guess"] = [_plain(points) for points in self._extra(film.guesses, settings["guess"], made, denoiser)]
            arrows = self._extra(film.score_field, settings["field"], made, denoiser)
            panel["field"] = [_plain(each) for each in arrows]
            panels.append(panel)
            said += [sentence for sentence in right if sentence not in said]
            alerts += [trouble] if trouble and trouble not in alerts else []
            if name == names[0]:
                self._film = made, data
        network = self._network if fresh else None
        return {
            "settings": settings,
            "t": made.t,
            "levels": [round(level, 5) for level in made.levels],
            "field_every": film.field_every(made),
            "data": _plain(data),
            "panels": panels,
            "wrong": wrong,
            "said": said,
            "alert": " ".join(alerts),
            "trained": network and self.words["trained"].format(
                seconds=f"{network.seconds:.1f}", loss=f"{network.loss:.3f}", ideal=f"{network.ideal_loss:.3f}"
            ),
            "milliseconds": round(1000 * (time.perf_counter() - started)),
        }  # fmt: skip

    def _extra(self, make, wanted: bool, made: film.Film, denoiser) -> list:
        try:
            return make(made, denoiser) if wanted else []
        except film.Unusable:  # told already
            return []

    def _one(self, settings: dict, data: torch.Tensor, name: str, wrong: list[str]):
        """One panel: its film, its denoiser, what stopped it (or None), and what is to be said; adds to ``wrong``."""
        own_ideal = self._ideal if name == "ideal" else None
        library = film.ideal(data) if name == "ideal" or self._network is None else self._network
        denoiser = film.ideal(data, own_ideal) if own_ideal else library
        seed = settings["seed"]
        sentences: list[str] = []
        checks: dict[str, Callable] = {}
        if settings["direction"] == "forward":
            made = film.forward(data, seed, self._add_noise or library_add_noise)
            if self._add_noise:
                pairs = zip(made.t, made.points, made.library or (), strict=False)
                checks[self._add_noise.name] = partial(film.departure, pairs)
        else:
            step = self._steps[settings["sampler"]]
            made = film.backward(step, settings["steps"], denoiser, seed + 1, library if own_ideal else None)
            if isinstance(step, film.Own):
                checks[step.name] = partial(film.step_departure, step, made, library, seed)
        if own_ideal:
            checks[own_ideal.name] = partial(film.ideal_departure, own_ideal, made, data)
        if made.trouble:
            return made, denoiser, self._in_words(made, made.trouble), sentences
        for own, check in checks.items():
            try:
                found = check()
            except film.Unusable as trouble:
                made.trouble = trouble
                return made, denoiser, self._in_words(made, trouble), sentences
            if found is None:
                sentences.append(self.words["agrees"].format(name=own))
            else:
                numbers = {key: f"{getattr(found, key):.2f}" for key in ("yours", "right", "distance")}
                sentence = self.words["departs"].format(name=own, t=found.t, **numbers)
                wrong += [] if sentence in wrong else [sentence]
        if settings["direction"] == "backward":
            sentences.append(self._how_well(made, data, name))
        return made, denoiser, None, sentences

    def _in_words(self, made: film.Film, trouble: film.Unusable) -> str:
        """What stopped a film."""
        table = {
            "nothing": self.words["nothing"],
            "raised": self.words["raised"],
            "no_tensor": self.words["no_tensor"],
            "shape": self.words["wrong_shape"],
            "not_finite": self.words["not_finite"],
        }
        return table[trouble.key].format(**{"t": made.t[0], **trouble.values})

    def _how_well(self, made: film.Film, data: torch.Tensor, name: str) -> str:
        who = {"ideal": self.words["ideal"], "network": self.words["network"]}[name]
        there, back = mean_distance(made.points[-1], data), mean_distance(data, made.points[-1])
        said = self.words["how_well"].format(who=who, there=f"{there:.3f}", back=f"{back:.3f}")
        if made.library and not _same(made.library, made.points):
            there, back = mean_distance(made.library[-1], data), mean_distance(data, made.library[-1])
            said += " " + self.words["library_well"].format(there=f"{there:.3f}", back=f"{back:.3f}")
        return said

    def _still(self):
        if self._film is None:
            try:
                with one_thread():
                    self.frames()
            except InputError:
                return None
        made, data = self._film
        if not made.points:
            return None
        last = len(made.points) - 1
        frames = [round(last * number / (STILLS - 1)) for number in range(STILLS)]
        told = ", ".join(
            self.words["still_frame"].format(t=max(made.t[i], 0), spread=f"{spread(made.points[i]):.2f}")
            for i in frames
        )
        picture = strip([made.points[i] for i in frames], data)
        return picture, self.words["still_playground"].format(frames=told)


def strip(frames: list[torch.Tensor], data: torch.Tensor, side: int = 200):
    """Pictures side by side, the data in grey below the points of each frame, as an RGB picture."""
    from PIL import Image, ImageDraw

    finer = 3
    picture = Image.new("RGB", (side * finer * len(frames), side * finer), "white")
    draw = ImageDraw.Draw(picture)
    for number, points in enumerate(frames):
        for each, radius, colour in ((data, 1.3 * finer, "#b9bbc2"), (points, 1.9 * finer, "#0072B2")):
            for x, y in each.tolist():
                if max(abs(x), abs(y)) < film.SPAN:
                    across = (number + (x / film.SPAN + 1) / 2) * side * finer
                    down = (1 - y / film.SPAN) / 2 * side * finer
                    draw.ellipse([across - radius, down - radius, across + radius, down + radius], fill=colour)
        if number:
            draw.line([number * side * finer, 0, number * side * finer, side * finer], fill="#c9cbd2", width=finer)
    return picture.reduce(finer)


def _is_list(value) -> bool:
    return isinstance(value, (list, tuple))


def _plain(points: torch.Tensor) -> list[int]:
    """Hundredths of a unit, what flies far away kept within ±99 units."""
    return (points.clamp(-99, 99) * 100).round().int().flatten().tolist()


def _same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    """Whether nobody could see a difference."""
    return len(one) == len(other) and all((a - b).abs().max() < 0.02 for a, b in zip(one, other, strict=True))


def _fingerprint(data: torch.Tensor) -> str:
    return hashlib.sha256(json.dumps(_plain(data)).encode()).hexdigest()
