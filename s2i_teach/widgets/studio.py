"""Draw, slide, watch: a pad, all settings and the picture in one widget."""

import base64
import hashlib
import io
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import traitlets

from s2i_teach.error_strings import part_in_language
from s2i_teach.errors import InputError
from s2i_teach.evaluate import strings
from s2i_teach.files import shown
from s2i_teach.gallery import Sketch, contact_sheet, find_sketch, sketches
from s2i_teach.languages import language
from s2i_teach.models.catalog import DEFAULT_FAST, MODELS, describe, find, offered, sizes
from s2i_teach.models.devices import PRECISIONS, is_small, pick_device, pick_dtype
from s2i_teach.models.kinds import KINDS, kind_of
from s2i_teach.models.load import is_loaded, shared_pipeline
from s2i_teach.models.preview import preview
from s2i_teach.models.schedulers import SCHEDULERS, scheduler_name
from s2i_teach.translation.choices import CONTROLS
from s2i_teach.translation.compare import differences
from s2i_teach.translation.plan import Plan, strength_for
from s2i_teach.translation.result import Result, save_png
from s2i_teach.translation.run import in_use, run
from s2i_teach.translation.settings import Resolved, Settings
from s2i_teach.widgets.base import source
from s2i_teach.widgets.drawing import Drawing, picture_url
from s2i_teach.widgets.sketch_pad import PadHolder, open_drawing
from s2i_teach.widgets.strings import STRINGS
from s2i_teach.widgets.worker import Worker

log = logging.getLogger(__name__)

OWN = "a pipeline"
"""The name of a pipeline that was not loaded by us."""
KEPT = 60
"""Pictures in the history besides favourites; the oldest goes when there are more."""
THUMB = 112
MOST_STEPS = 50
PREVIEW_EVERY = 0.25
"""Seconds between previews, at least: a preview costs a decoding."""
WORTH_ENDING = 0.8
"""Seconds; a run with more than that ahead is given up for a newer request, a shorter one is finished and shown."""
WAIT = 0.25
"""Seconds that a question of the page waits for news, at most."""


class _Ended(Exception):
    """Stopped, or given up for a newer request."""


@dataclass(frozen=True)
class Job:
    """One request of the page: what is drawn and how it is to be translated."""

    version: int
    page: Drawing
    model: str
    settings: Settings
    final: bool
    controls: dict


@dataclass(frozen=True)
class Entry:
    """One picture of the history."""

    number: int
    result: Result
    page: Drawing
    controls: dict
    kept: bool = False


class Studio(PadHolder):
    """A sketch pad, the settings, and the picture beside them, made anew as you draw and slide.

    What the sliders say is what runs: it comes from :meth:`Settings.plan`. ``studio.result`` is the newest picture of the
    history, or the one gone back to: a :class:`Result`, as ``translate`` gives it for the same sketch and settings.
    ``studio.history`` holds them all, ``studio.favourites`` those with a star. Pictures are made when a page asks for them,
    one at a time, beside the notebook's own work.

    Args:
        sketch: to start with: the name of an embedded sketch, a file, a picture, a drawing; None is an empty page.
        prompt: what the picture is to show; None takes an embedded sketch's own.
        model: a name of the catalog, a folder or an id, or a pipeline that is loaded already.
        name: of the pad, whose drawing is kept as a :class:`SketchPad`'s is; a studio without a name is called *studio*.
            The words of the prompt are kept with it.
        keep: False keeps nothing on the disk and opens nothing from there.
        projector: begin in large letters and strong contrast, for a picture on the wall. The button *Projector* does the same, and
            fills the screen where the page may.

    Raises:
        InputError: a sketch that cannot be opened, or a name that no file can have.
    """

    usual_name = "studio"

    _esm = source(
        "parts.js",
        "pad.js",
        "keeping.js",
        "studio_knobs.js",
        "studio_picture.js",
        "studio_history.js",
        "studio_code.js",
        "studio_projector.js",
        "studio.js",
    )
    options = traitlets.Dict().tag(sync=True)
    request = traitlets.Dict().tag(sync=True, echo_update=False)

    def __init__(
        self,
        sketch="turtle",
        prompt: str | None = None,
        *,
        model=DEFAULT_FAST,
        name: str | None = None,
        keep: bool = True,
        projector: bool = False,
    ):
        blank = Drawing()
        if isinstance(sketch, str):
            sketch = find_sketch(sketch) or sketch
        page = blank if sketch is None else open_drawing(sketch, blank)
        self._own_pipe = None
        if not isinstance(model, (str, Path)):
            self._own_pipe = model
            model = getattr(model, "s2i_model", OWN)
        self._entries: list[Entry] = []
        self._lock = threading.Lock()  # of the history, which the worker's thread writes as well
        self._current: Entry | None = None
        self._numbers = 0
        self._last: tuple | None = None
        self._plans_sent: tuple[list, float | None] | None = None
        self.error: Exception | None = None
        self._prompt_given = prompt is not None
        if prompt is None:
            prompt = _subject(sketch.prompt) if isinstance(sketch, Sketch) else ""
        options = {
            "models": _model_options(str(model), self._own_pipe),
            "model": str(model),
            "prompt": Settings(prompt).prompt,
            "schedulers": list(SCHEDULERS),
            "most_steps": MOST_STEPS,
            "prompts": {s.name: _subject(s.prompt) for s in sketches()},
            "projector": bool(projector),
        }
        super().__init__(page, keep, name, options=options)
        self._worker = Worker(self._work)
        self.observe(self._requested, "request")
        self.observe(self._changed, "request")
        self._worker.ask(Job(0, blank, str(model), Settings(""), False, {}))  # only loads the model

    # What others see

    @property
    def result(self) -> Result | None:
        """The newest picture of the history, or the one gone back to. None while there is none.

        While a slider is dragged or a stroke grows, what the page shows is ahead of it.
        """
        return self._current.result if self._current else None

    @property
    def history(self) -> list[Result]:
        """All pictures that are still kept, oldest first."""
        return [entry.result for entry in self._entries]

    @property
    def favourites(self) -> list[Result]:
        """The pictures marked with the star, oldest first."""
        return [entry.result for entry in self._entries if entry.kept]

    # What is kept

    def _brought_back(self, page: Drawing, notes: dict) -> None:
        super()._brought_back(page, notes)
        prompt = notes.get("prompt")
        if isinstance(prompt, str) and not self._prompt_given:
            self.options = {**self.options, "prompt": prompt}

    def _notes(self) -> dict:
        return {"prompt": self.request.get("prompt", self.options["prompt"])}

    @property
    def _is_growing(self) -> bool:
        return not self.request.get("final", True)

    # Requests of the page

    def _asked(self, _, request, buffers) -> None:
        answers: dict[str, Callable] = {
            "hello": self._hello,
            "poll": self._poll,
            "stop": self._stop,
            "back": self._back,
            "picture": self._picture,
            "keep": self._keep,
            "save": self._save,
            "sheet": self._sheet,
            "code": self._code,
        }
        what = request.get("do") if isinstance(request, dict) else None
        if not isinstance(what, str) or what not in answers:
            return super()._asked(_, request, buffers)
        try:
            answers[what](request)
        except InputError as error:
            self.send({"failure": self._said(error)})

    def _requested(self, change) -> None:
        """A new request: into the mailbox, or answered at once with what is wrong with it."""
        table = change["new"]
        version = table.get("version", 0)
        try:
            self._worker.ask(self._job(table))
        except InputError as error:
            self._worker.stop()
            self.send({"failure": self._said(error), "version": version})

    def _job(self, table: dict) -> Job:
        version, model = table.get("version"), table.get("model")
        if type(version) is not int or not isinstance(model, str):
            raise InputError("The page's request is damaged: run the studio's cell again.")
        steps, guidance = table.get("steps"), table.get("guidance")
        control: dict[str, Any] = {name: table.get(name) for name in CONTROLS}
        settings = Settings(
            _styled(table.get("prompt", ""), table.get("style", "")),
            negative_prompt=table.get("negative_prompt", ""),
            guidance_scale=guidance,
            num_inference_steps=steps,
            seed=table.get("seed", 0),
            size=table.get("size"),
            prepare="filled" if table.get("filled") else "lines",
            scheduler=table.get("scheduler") or None,
            **control,
        )
        evaluations = table.get("evaluations")
        most = settings.num_inference_steps or 0
        if not isinstance(evaluations, int) or not 1 <= evaluations <= most:
            raise InputError(f"{shown(evaluations)} of {steps} steps cannot run: choose another strength.")
        settings = replace(settings, strength=strength_for(most, evaluations))
        return Job(version, self.page, model, settings, bool(table.get("final")), dict(table))

    def _poll(self, request=None) -> None:
        """Pass on what the worker has said; the page asks again while there is work."""
        try:
            for event in self._worker.collect(WAIT):
                self.send(event)
        finally:  # an interrupted kernel must answer too, or the page would wait for ever
            busy = self._worker.busy
            self.send({"polled": True, "busy": busy, "seen": self.request.get("version", 0)})
        if not busy:
            self._renew_still()

    def _stop(self, request) -> None:
        self._worker.stop()

    def _hello(self, request) -> None:
        """Everything that a page which has just opened must know."""
        self._plans_sent = None
        self._begin_keeping()
        self.send({"hello": True, "entries": [self._card(entry) for entry in self._entries]})
        if self._current:
            self.send({"result": self._shown(self._current), "version": self.request.get("version", 0)})
        else:
            self.send({"nothing": True})

    def _entry(self, request) -> Entry:
        for entry in self._entries:
            if entry.number == request.get("number"):
                return entry
        raise InputError("This picture is no longer in the history: choose another one.")

    def _back(self, request) -> None:
        """Put drawing and settings back to those of a picture of the history."""
        entry = self._entry(request)
        self._worker.stop()  # what is being made belongs to other settings
        self._current = entry
        self._last = (entry.controls["model"], entry.result.settings, entry.page), entry.result
        self.send(
            {
                "controls": entry.controls,
                "drawing": entry.page.to_dict(),
                "result": self._shown(entry),
                "version": request.get("version", 0),
            }
        )
        self._renew_still()

    def _picture(self, request) -> None:
        entry, current = self._entry(request), self._current or self._entry(request)
        names = differences(entry.result.settings, current.result.settings)
        names += ["model"] if entry.result.model != current.result.model else []
        names += ["sketch"] if entry.result.sketch.tobytes() != current.result.sketch.tobytes() else []
        names = [strings.table(self.words["code"])[f"name_{name}"] for name in names]
        self.send({"compare": {**self._shown(entry), "with": current.number, "differs": names}})

    def _keep(self, request) -> None:
        with self._lock:
            entry = self._entry(request)
            changed = replace(entry, kept=bool(request.get("kept")))
            self._entries[self._entries.index(entry)] = changed
            self._current = changed if self._current is entry else self._current
        self.send({"entry": self._card(changed)})

    def _save(self, request) -> None:
        entry = self._entry(request)
        path = entry.result.save(_free_name(_slug(entry.result.settings.prompt), ".png"))
        self.send({"said": self.words["saved"].format(name=path.name), "file": _download(path)})

    def _sheet(self, request) -> None:
        chosen = [entry.result for entry in self._entries if entry.kept] or self.history
        if not chosen:
            raise InputError("There is no picture yet: draw something first.")
        path = save_png(sheet_of(chosen, self.words), _free_name("s2i-sheet", ".png"))
        self.send({"said": self.words["saved"].format(name=path.name), "file": _download(path)})

    def _code(self, request) -> None:
        result = self._entry(request).result
        with io.BytesIO() as file:
            result.sketch.save(file, "PNG")
            name = f"sketch-{hashlib.sha256(file.getvalue()).hexdigest()[:8]}.png"
        if not Path(name).exists():
            save_png(result.sketch, name)
        self.send({"code": python_call(result, name), "said": self.words["sketch_saved"].format(name=name)})

    # The work

    def _work(self, job: Job, say: Callable) -> None:
        """One job from beginning to end, in the worker's thread; every way it can fail becomes a sentence."""
        try:
            self._run(job, say)
        except _Ended:
            if self._worker.stopped:
                say({"stopped": True, "version": job.version})
        except InputError as error:
            say({"failure": self._said(error), "version": job.version})
        except Exception as error:  # a widget has nowhere else to show it; it is kept whole for who wants to look
            self.error = error
            log.exception("the studio's run failed")
            words = f"{type(error).__name__}: {shown(str(error).splitlines()[0]) if str(error) else ''}"
            say({"failure": self.words["unexpected"].format(error=words), "version": job.version})

    def _run(self, job: Job, say: Callable) -> None:
        pipe = self._pipeline(job, say)
        with in_use(pipe):  # a cell that runs the same pipeline has its scheduler exchanged meanwhile
            self._run_on(pipe, job, say)

    def _run_on(self, pipe, job: Job, say: Callable) -> None:
        settings = _fitting(job.settings, pipe).resolved(pipe)
        if job.version == 0:
            # A small model is timed beforehand, a larger one by its first run.
            settings.plan(pipe, measure=is_small(pipe))
            return
        self._tell_plans(job, settings, pipe, say)
        if job.page.is_empty:
            say({"empty": True, "version": job.version})
            return
        key = (job.model, settings, job.page)
        if self._last is None or self._last[0] != key:
            result = self._translate(job, settings, pipe, say)
            if self._worker.stopped:
                raise _Ended
            self._last = key, result
            self._tell_plans(job, settings, pipe, say)  # with the seconds just learnt
        result = self._last[1]
        answer = self._answer(result)
        # While a slider is dragged or a stroke grows there are many pictures; those one rests at make the history.
        if job.final:
            with self._lock:
                entry = self._remember(job, result)
                gone = self._forget()
            answer["number"] = entry.number
            say({"entry": self._card(entry), "gone": gone})
        say({"result": answer, "version": job.version})

    def _pipeline(self, job: Job, say: Callable):
        if self._own_pipe is not None and job.model == self.options["model"]:
            return self._own_pipe
        if not is_loaded(job.model):
            title = part_in_language(describe(job.model), self.words["code"])
            say({"loading": title, "version": job.version})
        return shared_pipeline(job.model)

    def _translate(self, job: Job, settings: Resolved, pipe, say: Callable) -> Result:
        told = time.monotonic()
        previews = 0
        first_step: float | None = None

        def guessed(x0) -> None:
            nonlocal told, previews, first_step
            now = time.monotonic()
            if now - told > PREVIEW_EVERY:
                say({"preview": picture_url(preview(pipe, x0)), "version": job.version})
                told = time.monotonic()
                previews += 1
            first_step = first_step or time.monotonic()

        def stepped(step: int, total: int) -> None:
            began = time.monotonic() if first_step is None else first_step
            ahead = (time.monotonic() - began) / step * (total - step)
            newer = self._worker.newer
            # A growing stroke gives way to the finished one. Among settings of a drag a short run comes to its end and a
            # long one shows at least a preview, or the picture would stand still while the hand moves.
            give_way = newer and ((ahead > WORTH_ENDING and previews) or (newer.final and not job.final))
            if self._worker.stopped or give_way:
                raise _Ended
            say({"progress": [step, total], "left": round(ahead, 1), "version": job.version})

        return run(job.page.image(*settings.size), settings, pipe, stepped, guessed)

    def _tell_plans(self, job: Job, settings: Resolved, pipe, say: Callable) -> None:
        """What each position of the strength slider means, if the page does not know yet; in a flow they mean the same."""
        asked = job.settings  # what the page counts in, where the model knows neither steps nor guidance
        guidance = settings.guidance_scale if asked.guidance_scale is None else asked.guidance_scale
        steps = settings.num_inference_steps or asked.num_inference_steps or 1
        key = [job.model, steps, asked.scheduler or "", guidance > 1, job.controls.get("size")]
        seconds = settings.plan(pipe, measure=False).seconds
        known, before = self._plans_sent or (None, None)
        if known == key and (seconds is None or 0.8 < (before or 1e9) / seconds < 1.25):
            return
        rows = []
        kind = kind_of(pipe)
        for evaluations in range(1, steps + 1):
            at = settings
            if not kind.is_flow and not kind.is_family:
                at = replace(settings, strength=strength_for(settings.num_inference_steps, evaluations))
            rows.append(_plan_row(at, at.plan(pipe, measure=False)))
        own = "" if kind.is_family else scheduler_name(pipe.scheduler)
        say({"plans": rows, "key": key, "own": own})
        self._plans_sent = key, seconds

    # The history

    def _remember(self, job: Job, result: Result) -> Entry:
        for entry in self._entries:
            if entry.result is result:
                self._current = entry
                return entry
        self._numbers += 1
        entry = self._current = Entry(self._numbers, result, job.page, job.controls)
        self._entries.append(entry)
        return entry

    def _forget(self) -> int | None:
        """Let the oldest picture go that is no favourite, if there are too many of these; returns its number."""
        others = [entry for entry in self._entries if not entry.kept]
        if len(others) <= KEPT:
            return None
        self._entries.remove(others[0])
        return others[0].number

    def _card(self, entry: Entry) -> dict:
        """A picture of the history as the page shows it."""
        thumb = entry.result.image.copy()
        thumb.thumbnail((THUMB, THUMB))
        return {
            "number": entry.number,
            "thumb": picture_url(thumb),
            "about": self._about(entry.result),
            "short": _short(entry.result),
            "kept": entry.kept,
        }

    def _shown(self, entry: Entry) -> dict:
        return {**self._answer(entry.result), "number": entry.number}

    def _answer(self, result: Result) -> dict:
        """A result as the page shows it, with what really ran."""
        return {
            "picture": picture_url(result.image),
            "about": self._about(result),
            "plan": {**_plan_row(result.settings, result.plan), "seconds": result.seconds},
            "notes": [self._said(note) for note in result.notes],
            "hint": picture_url(result.hint) if result.hint else None,
        }

    def _about(self, result: Result) -> str:
        return describe_result(result, self.words)

    def _still(self):
        if self.result is None:
            page = self.page
            return None if page.is_empty else (page.image(256), self.words["still_sketch"])
        return sheet_of([self.result], self.words), self._about(self.result)


def _subject(prompt: str) -> str:
    """A prompt without its style: ``"a turtle, openmoji style"`` → ``"a turtle"``."""
    return prompt.partition(",")[0]


def _styled(prompt: str, style: str) -> str:
    if not isinstance(prompt, str) or not isinstance(style, str):
        raise InputError("Prompt and style must be text.")
    return f"{prompt}, {style} style" if style else prompt


def _model_options(chosen: str, pipe=None) -> list[dict]:
    """What the page must know of each model that can be chosen; ``pipe`` is the chosen one, if it is loaded already."""
    known = offered()
    names = [*known, *([] if chosen in known else [chosen])]
    table = []
    for name in names:
        entry = find(name)
        kind = kind_of(pipe) if pipe is not None and name == chosen else KINDS[entry.kind if entry else "img2img"]
        defaults = (entry.steps, entry.guidance_scale, entry.strength) if entry else (50, 7.5, kind.strength)
        table.append(
            {
                "name": name,
                "title": part_in_language(describe(name), language()),
                "steps": min(defaults[0], MOST_STEPS),
                "guidance": defaults[1],
                "strength": defaults[2],
                "download": entry.whole_download if entry else 0,
                "styles": list(entry.styles if entry else MODELS["sd15"].styles),
                "led": "control_scale" in kind.takes,
                "flow": kind.is_flow,
                "family": kind.is_family,
                "control_scale": entry.control_scale if entry else 1.0,
                "sizes": [list(size) for size in sizes(entry)] if entry else [],
            }
        )
    return table


def _fitting(settings: Settings, pipe) -> Settings:
    """The page's settings without those that the model does not have, whose knobs the page hides once it knows it."""
    kind = kind_of(pipe)
    if kind.is_family:
        return Settings(settings.prompt, seed=settings.seed)
    if not kind.is_flow:
        return settings
    guidance = None if pipe.config.is_distilled else settings.guidance_scale
    return replace(settings, strength=None, guidance_scale=guidance, negative_prompt="", scheduler=None)


def _plan_row(settings: Settings, plan: Plan) -> dict:
    return {
        "strength": settings.strength,
        "start": plan.start_timestep,
        "left": plan.sqrt_alpha_bar,
        "sigma": plan.sigma,
        "evaluations": plan.evaluations,
        "seconds": plan.seconds,
    }


def _short(result: Result) -> str:
    """What tells one picture of the history from the next: strength, what the lines weigh, guidance, steps and seed."""
    settings = result.settings
    lines = [] if settings.control_scale is None else [f"×{settings.control_scale:g}"]
    seed = str(settings.seed)
    if not result.plan.timesteps:
        return " · ".join([result.model, seed])
    rest = (f"{settings.guidance_scale:g}", str(settings.num_inference_steps), seed)
    strength = [] if settings.strength is None else [f"{settings.strength:.2f}"]
    return " · ".join([*strength, *lines, *rest])


def describe_result(result: Result, words: Mapping[str, str] = STRINGS["en"]) -> str:
    """A picture's settings in one line; ``words`` are those of some language."""
    settings = result.settings
    if not result.plan.timesteps:
        return words["about_family"].format(prompt=settings.prompt, model=result.model, seed=settings.seed)
    about = words["about_flow"] if settings.strength is None else words["about"]
    line = about.format(
        prompt=settings.prompt,
        model=result.model,
        scheduler=result.plan.scheduler,
        strength="" if settings.strength is None else f"{settings.strength:.3g}",
        guidance=f"{settings.guidance_scale:g}",
        steps=settings.num_inference_steps,
        seed=settings.seed,
    )
    if settings.control_scale is None or settings.control_start is None or settings.control_end is None:
        return line
    part = (f"{100 * end:g}" for end in (settings.control_start, settings.control_end))
    led = words["about_led"].format(settings.control_scale, *part)
    return f"{line} · {led}"


def sheet_of(results: list[Result], words: Mapping[str, str] = STRINGS["en"]):
    """Sketch and picture of each result with its settings, on one sheet."""
    rows = [([result.prepared, result.image], describe_result(result, words)) for result in results]
    return contact_sheet(rows, columns=min(3, len(results)))


def python_call(result: Result, sketch: str) -> str:
    """The Python code that makes this picture again from the sketch file of that name."""
    s = result.settings
    usual = PRECISIONS[pick_dtype(pick_device())] if result.plan.timesteps else "fp32"
    if result.model == OWN:
        pipe = "pipe=pipe,  # the pipeline that you gave to the studio"
    elif result.precision == usual and not result.small_vae and not result.quantized:
        pipe = f"pipe={result.model!r},"
    else:
        more = (", small_vae=True" if result.small_vae else "") + (', quantize="nf4"' if result.quantized else "")
        pipe = f"pipe=s2i.load_pipeline({result.model!r}, dtype={result.precision!r}{more}),"
    lines = [
        f"{name}={getattr(s, name)!r}"
        for name in ("strength", "guidance_scale", "num_inference_steps", "seed")
        if getattr(s, name) is not None
    ]
    lines += [f"{name}={getattr(s, name)!r}" for name in CONTROLS if getattr(s, name) is not None]
    if s.negative_prompt:
        lines.append(f"negative_prompt={s.negative_prompt!r}")
    entry = find(result.model)
    if s.size != (entry.size if entry else None):
        lines.append(f"size={s.size!r}")
    if s.prepare != "lines":
        lines.append(f"prepare={s.prepare!r}")
    if s.scheduler is not None and s.scheduler != (entry.scheduler if entry else None):
        lines.append(f"scheduler={s.scheduler!r}")
    lines = [f"{line}," for line in (repr(sketch), repr(s.prompt), *lines)]
    arguments = "".join(f"    {line}\n" for line in (*lines[:2], pipe, *lines[2:]))
    return f"import s2i_teach as s2i\n\nresult = s2i.translate(\n{arguments})\nresult"


def _slug(prompt: str) -> str:
    """A file name's beginning from a prompt: letters, digits and dashes."""
    letters = "".join(letter if letter.isalnum() else "-" for letter in _subject(prompt).lower())
    return "-".join(part for part in letters.split("-") if part)[:40] or "picture"


def _free_name(beginning: str, ending: str) -> Path:
    """A name in the current folder that no file has yet."""
    number = 1
    while (path := Path(f"{beginning}-{number}{ending}")).exists():
        number += 1
    return path


def _download(path: Path) -> dict:
    return {"name": path.name, "data": "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")}
