"""A grid of pictures over one, two or three settings; each cell equals the single run."""

import hashlib
import html
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from itertools import product
from pathlib import Path

from s2i_teach.errors import InputError
from s2i_teach.files import as_path, shown, write_whole, written
from s2i_teach.models.catalog import DEFAULT
from s2i_teach.models.devices import denoiser_of, precision_of
from s2i_teach.models.kinds import has_small_vae, hint_of, is_quantized, networks
from s2i_teach.models.load import shared_pipeline
from s2i_teach.models.style import style_hash
from s2i_teach.translation.batch import Counts, run_batch
from s2i_teach.translation.page import Pages, as_opened
from s2i_teach.translation.plan import Plan
from s2i_teach.translation.prepare import make_hint
from s2i_teach.translation.result import Result, read_record
from s2i_teach.translation.run import as_image, prompt_notes, size_notes
from s2i_teach.translation.settings import Resolved, Settings
from s2i_teach.translation.wording import value_words

PLURALS = {"prompts": "prompt", "seeds": "seed", "strengths": "strength"}
"""Other words for an axis."""
MOST_CELLS = 10_000


def sweep(
    sketch,
    prompt=None,
    *,
    pipe=None,
    to=None,
    max_batch: int | None = None,
    on_step: Callable[[int, int], None] | None = None,
    quiet: bool = False,
    **settings,
) -> "Sweep":
    """Pictures of one sketch over one, two or three settings: a setting given as a list is an axis of the grid.

    Each cell equals :func:`s2i_teach.translate` with the same settings (fp32: up to its last bits), since each
    has its own scheduler and its own generator. It is faster because what cells have in common is computed once; see
    :func:`s2i_teach.translation.batch.run_batch`.

    Args:
        sketch: anything that :func:`s2i_teach.open_sketch` opens.
        prompt: what the picture shows, or a list of such (also ``prompts=``).
        pipe: from :func:`s2i_teach.load_pipeline`, or a model's name; None is ``"mini-scribble"``.
        to: a folder that keeps every finished cell as a PNG with its settings inside: a sweep that was stopped, or that
            gets more cells, takes from there what it finds.
        max_batch: samples in one call of the U-Net; None chooses, fewer take less memory.
        on_step: called as ``on_step(done, total)`` with the steps finished, of all cells together.
        quiet: no progress bar.
        settings: any of :class:`s2i_teach.Settings`, each one value or a list: ``strength=[0.4, 0.6, 0.8]``,
            ``guidance_scale=[1, 5]``, ``seeds=range(4)``, ``scheduler=["ddim", "euler"]``. The axes stand in the order in
            which they are written; the first one varies slowest.

    Raises:
        InputError: a setting that is not known or cannot be used, no list or more than three, or an empty one.
    """
    given = {"prompt": prompt, **settings} if prompt is not None else settings
    axes, fixed = _axes(given)
    if pipe is None or isinstance(pipe, str):
        pipe = shared_pipeline(pipe or DEFAULT)
    cells = [
        Settings(**fixed, **dict(zip(axes, values, strict=True))).resolved(pipe) for values in product(*axes.values())
    ]
    opened = Pages(sketch)
    pages = [opened[cell] for cell in cells]
    folder = _folder(to)
    if max_batch is not None and (isinstance(max_batch, bool) or not isinstance(max_batch, int) or max_batch < 1):
        raise InputError(f"max_batch is {written(max_batch)}: give a whole number from 1 up, or None.")
    counts, started = Counts(), time.perf_counter()
    results: dict[int, Result] = {}
    names = {}
    if folder is not None:
        prints = fingerprint(pipe)
        names = {i: folder / _file_name(cell, pages[i][0], prints) for i, cell in enumerate(cells)}
        results = {i: kept for i, name in names.items() if (kept := kept_result(name, cells[i], pipe)) is not None}
    todo = [i for i in range(len(cells)) if i not in results]
    if todo:
        plans = {i: cells[i].plan(pipe, measure=False) for i in todo}
        total = sum(plan.evaluations for plan in plans.values())
        precision = precision_of(pipe)
        with _progress(total, on_step, quiet) as step:
            batch = run_batch(opened, [cells[i] for i in todo], pipe, max_batch=max_batch, on_step=step, counts=counts)
            for position, pixels, notes in batch:
                i = todo[position]
                made = result_of(pipe, cells[i], pages[i], pixels, notes, plans[i], precision)
                results[i] = replace(made, hint=make_hint(pages[i][0], hint_of(pipe)))
                if folder is not None:
                    results[i].save(names[i])
    seconds = time.perf_counter() - started
    return Sweep(axes, tuple(results[i] for i in range(len(cells))), seconds, counts)


def result_of(
    pipe, settings: Resolved, page: tuple, pixels, notes: tuple[str, ...], plan: Plan, precision: str
) -> Result:
    """A picture that :func:`s2i_teach.translation.batch.run_batch` made, without its hint.

    Args:
        page: what :class:`Pages` gives for these settings.
        pixels, notes: as ``run_batch`` yields them.
        precision: :func:`precision_of` the pipeline.
    """
    sketch, page_notes = page
    return Result(
        image=as_image(pipe, pixels),
        sketch=sketch,
        settings=as_opened(settings),
        plan=plan,
        model=getattr(pipe, "s2i_model", "a pipeline"),
        seconds=None,
        evaluation_seconds=None,
        precision=precision,
        notes=page_notes + notes + prompt_notes(pipe, settings) + size_notes(pipe, sketch, settings),
        small_vae=has_small_vae(pipe),
        quantized=is_quantized(pipe),
        style_sha256=style_hash(settings.style),
    )


@dataclass(frozen=True)
class Sweep:
    """A grid of results.

    Attributes:
        axes: setting → its values, in the order of the grid.
        results: a :class:`~s2i_teach.translation.result.Result` a cell, the first axis slowest. Their ``seconds`` are
            None: cells ran together.
        seconds: wall time of the whole.
        counts: what was computed and what was spared; zeros where all cells were taken from the folder.
    """

    axes: dict[str, tuple]
    results: tuple[Result, ...]
    seconds: float
    counts: Counts

    @property
    def images(self) -> list:
        """The pictures, in the order of ``table``."""
        return [result.image for result in self.results]

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of values of each axis."""
        return tuple(len(values) for values in self.axes.values())

    @property
    def table(self):
        """A pandas DataFrame, a row a cell: all settings, and what ran: evaluations, start timestep, √ᾱ, or σ of a flow."""
        import pandas

        rows = []
        for cell, result in zip(product(*self.axes.values()), self.results, strict=True):
            plan = result.plan
            row = dict(zip(self.axes, cell, strict=True))  # as asked: a result says "lines" of a page that was cleaned
            row |= {"evaluations": plan.evaluations, "start_timestep": plan.start_timestep}
            row |= {"sqrt_alpha_bar": plan.sqrt_alpha_bar} if plan.sigma is None else {"sigma": plan.sigma}
            row |= {name: value for name, value in vars(result.settings).items() if name not in row}
            rows.append(row | {"model": result.model, "precision": result.precision})
        return pandas.DataFrame(rows)

    def result(self, **values) -> Result:
        """The cell with these values of the axes: ``result(strength=0.6, guidance_scale=5)``.

        Raises:
            InputError: an axis that is not there, or values that leave no cell or several.
        """
        values = {PLURALS.get(name, name): value for name, value in values.items()}
        unknown = [name for name in values if name not in self.axes]
        if unknown:
            raise InputError(f"{unknown[0]} is no axis of this sweep: its axes are {', '.join(self.axes)}.")
        found = [
            result
            for cell, result in zip(product(*self.axes.values()), self.results, strict=True)
            if all(dict(zip(self.axes, cell, strict=True))[name] == value for name, value in values.items())
        ]
        if len(found) != 1:
            asked = ", ".join(f"{name}={value!r}" for name, value in values.items()) or "nothing"
            raise InputError(f"{shown(asked)} leaves {len(found)} cells: name one value of each axis.")
        return found[0]

    def figure(self, side: float = 1.3):
        """The grid as a matplotlib figure, axes named; ``side`` inches a picture. A third axis makes a panel a value.

        The first axis runs down, the second to the right; a single axis runs to the right.
        """
        from s2i_teach.translation.grid import grid_figure

        return grid_figure(self.axes, self.results, side)

    def describe(self) -> str:
        """The figure in words, for those who do not see it."""
        axes = " by ".join(f"{len(values)} values of {name}" for name, values in self.axes.items())
        first = self.results[0].settings
        return f"A grid of {len(self.results)} pictures of {first.prompt!r}: {axes}."

    def __len__(self) -> int:
        return len(self.results)

    def __str__(self) -> str:
        axes = "; ".join(
            f"{name} {', '.join(value_words(name, value) for value in values)}" for name, values in self.axes.items()
        )
        counts = self.counts
        network = "U-Net" if self.results[0].plan.sigma is None else "transformer"
        computed = f"{counts.evaluations} samples through the {network} in {counts.calls} calls, {counts.shared} shared"
        computed += f", {counts.led} through the ControlNet as well" if counts.led else ""
        return f"{len(self)} pictures: {axes}; {computed if counts.calls else 'all kept from before'}; {self.seconds:.1f} s"

    def _repr_html_(self) -> str:
        import base64
        import io

        file = io.BytesIO()
        self.figure().savefig(file, format="png", dpi=110, bbox_inches="tight")
        picture = base64.b64encode(file.getvalue()).decode("ascii")
        alt = html.escape(self.describe(), quote=True)
        return f'<img alt="{alt}" src="data:image/png;base64,{picture}"><p>{html.escape(str(self))}</p>'


def save_sweep(made: Sweep, folder: Path) -> list[Path]:
    """Write ``grid.png`` and ``table.csv`` into a folder; returns the two paths.

    Raises:
        InputError: they cannot be written.
    """
    grid = write_whole(folder / "grid.png", lambda file: made.figure().savefig(file, format="png", dpi=110))
    text = made.table.to_csv(index=False).encode("utf-8")
    return [grid, write_whole(folder / "table.csv", lambda file: file.write(text))]


def _axes(given: dict) -> tuple[dict[str, tuple], dict]:
    """The settings that are lists, in their order, and those that are not."""
    known = [field.name for field in fields(Settings)]
    axes, fixed = {}, {}
    for word, value in given.items():
        name = PLURALS.get(word, word)
        if name not in known:
            raise InputError(f"{shown(word)} is no setting: use {', '.join(known)}.")
        if name in axes or name in fixed:
            raise InputError(f"{name} is given twice: write it once.")
        if isinstance(value, (set, frozenset, dict)):
            raise InputError(f"{name} has no order as a {type(value).__name__}: give a list.")
        if hasattr(value, "tolist"):  # of NumPy, pandas or torch
            value = value.tolist()
        one = isinstance(value, (str, bytes)) or not hasattr(value, "__iter__")
        if one or (name == "size" and isinstance(value, tuple) and not any(hasattr(v, "__iter__") for v in value)):
            fixed[name] = value
            continue
        values = tuple(v.tolist() if hasattr(v, "tolist") else v for v in value)
        if not values:
            raise InputError(f"{name} is an empty list: give the values of the axis.")
        try:
            distinct = set(map(repr, values))
        except ValueError as error:  # Python writes out no number of more than 4300 digits
            raise InputError(f"{name} has a value that is too long to be written out: give another.") from error
        if len(distinct) < len(values):
            raise InputError(f"{name} has a value twice: give each once.")
        axes[name] = values
    if "prompt" not in axes and "prompt" not in fixed:
        raise InputError('Say what the picture shows: prompt="a turtle, openmoji style", or a list of prompts.')
    if not axes:
        raise InputError("No setting is a list: give one to three, such as strength=[0.4, 0.6, 0.8].")
    if len(axes) > 3:
        raise InputError(
            f"{len(axes)} settings are lists ({', '.join(axes)}): give at most three, one value of the rest."
        )
    cells = 1
    for values in axes.values():
        cells *= len(values)
    if cells > MOST_CELLS:
        raise InputError(f"This grid has {cells} cells: give shorter lists, {MOST_CELLS} cells at most.")
    return axes, fixed


def _folder(to) -> Path | None:
    if to is None:
        return None
    folder = as_path(to)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{shown(folder)} is a file: name a folder.")
    return folder


def fingerprint(pipe) -> str:
    """Of the weights, so that a model that was trained on is not taken for what it was before."""
    digest = hashlib.sha256()
    for part in networks(pipe):
        for weight in part.parameters():
            digest.update(weight.detach().flatten()[:64].float().cpu().numpy().tobytes())
    return f"{getattr(pipe, 's2i_model', '')} {denoiser_of(pipe).dtype} {digest.hexdigest()}"


def _file_name(settings: Settings, picture, prints: str) -> str:
    style = f" {style_hash(settings.style)}" if settings.style else ""  # a style that was trained anew is another
    key = f"{sorted(as_opened(settings).to_dict().items())} {prints}{style}".encode()
    return f"cell-{hashlib.sha256(key + picture.tobytes()).hexdigest()[:20]}.png"


def kept_result(path: Path, settings: Settings, pipe) -> Result | None:
    """A picture that was kept with its record, or None where there is none that can be read."""
    if not path.exists():
        return None
    from PIL import Image

    try:
        record = read_record(path)
    except InputError:
        return None  # damaged: it is made again
    with Image.open(path, formats=["PNG"]) as picture:
        image = picture.convert("RGB")
    plan = settings.plan(pipe, measure=False)
    hint = make_hint(record.sketch, hint_of(pipe))
    made = Result(image, record.sketch, record.settings, plan, record.model, None, None, record.precision, hint=hint)
    return replace(made, small_vae=record.small_vae, quantized=record.quantized, style_sha256=record.style_sha256)


class _progress:
    """A bar over all steps, unless quiet, and the caller's own function."""

    def __init__(self, total: int, on_step, quiet: bool):
        self.total, self.on_step, self.quiet, self.bar = total, on_step, quiet, None

    def __enter__(self):
        if not self.quiet:
            from tqdm.auto import tqdm

            self.bar = tqdm(total=self.total, unit="step")
        return self._step

    def _step(self, done: int, total: int) -> None:
        if self.bar is not None:
            self.bar.update(done - self.bar.n)
        if self.on_step:
            self.on_step(done, total)

    def __exit__(self, *_):
        if self.bar is not None:
            self.bar.close()
