"""``s2i.translate_dataset``: every sketch of a folder or an archive becomes a picture."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from s2i_teach.data_sources.arguments import byte_limit, whole_number
from s2i_teach.data_sources.sources import Source, open_source
from s2i_teach.data_sources.web import readable
from s2i_teach.errors import InputError
from s2i_teach.files import shown
from s2i_teach.models.catalog import DEFAULT
from s2i_teach.translation.dataset.claims import Claims
from s2i_teach.translation.dataset.finish import Finish, finished
from s2i_teach.translation.dataset.listing import Listing, check_apart
from s2i_teach.translation.dataset.places import MANIFEST, PICTURES, REPORT, SHEET
from s2i_teach.translation.dataset.plan import DatasetPlan, left_of, plan_of
from s2i_teach.translation.dataset.process import pipeline_here, speaks
from s2i_teach.translation.dataset.request import Request, check_template, fields_of
from s2i_teach.translation.dataset.rows import lines_of
from s2i_teach.translation.dataset.work import Worker
from s2i_teach.translation.settings import Settings

OWN = ("prompt", "seed", "size", "style", "style_weight")
"""Settings that each picture has of its own; and the LoRA's, as a set's ``style`` is a word of its prompts."""


@dataclass(frozen=True)
class Dataset:
    """A set of pictures that is complete.

    Attributes:
        folder: where it lies: ``pictures/`` with the source's own tree and ``metadata.jsonl``, ``manifest.jsonl``,
            ``sheet.png`` and ``report.html``.
        made: how many pictures there are.
        aside: how many sketches could not be used; the manifest says why.
        bytes: of all pictures.
        here: how many of them this process made, now.
        seconds: wall time of this call.
        notes: sentences on what else there is to know.
    """

    folder: Path
    made: int
    aside: int
    bytes: int
    here: int
    seconds: float
    notes: tuple[str, ...] = ()

    def rows(self) -> Iterator[dict]:
        """The manifest, a row a sketch, in the source's order; of one set aside ``file`` is None and ``error`` tells why."""
        return lines_of(self.folder / MANIFEST)

    def __len__(self) -> int:
        return self.made

    def __str__(self) -> str:
        rate = f", {self.here / self.seconds:.2g} a second" if self.here else ""
        lines = [
            f"{self.made} pictures in {self.folder / PICTURES}, {readable(self.bytes)}; {self.here} of them made here in "
            f"{self.seconds:.0f} s{rate}",
            f"What each was made of: {self.folder / MANIFEST}",
        ]
        if self.aside:
            lines.append(f"{self.aside} sketches were set aside: the manifest says why; retry takes them again.")
        lines += [str(self.folder / name) for name in (SHEET, REPORT) if (self.folder / name).exists()]
        return "\n".join([*lines, *self.notes])


def translate_dataset(
    source,
    to,
    prompt: str,
    *,
    style=(),
    pipe=None,
    seed: int = 0,
    size=None,
    batch: int | None = None,
    limit: int | None = None,
    shuffle: bool = False,
    retry: bool = False,
    report: bool = True,
    dry_run: bool = False,
    price: float | None = None,
    max_bytes: float = 1e9,
    offline: bool = False,
    quiet: bool = False,
    **settings,
) -> Dataset | DatasetPlan:
    """Turn every sketch of a folder or an archive into a picture, on this device or on many.

    Start the same call in as many processes as there are devices, at any time, on any machine that sees the folder ``to``:
    ``accelerate launch -m s2i_teach.translation.dataset`` does. They share the work out among them. What was stopped goes on
    where it was: what is finished is not made again, and what a dead process left is done by the others or by the next call.

    A picture depends on its sketch, the sketch's name and the settings alone: its seed is the SHA-256 of ``seed`` and the
    name. It is the same in any order and on any number of processes, and :func:`s2i_teach.translate` with these settings makes
    it again, within the bound of :func:`s2i_teach.translation.batch.run_batch`: the last bits depend on how many sketches go
    together, which is therefore fixed. On another kind of device the last bits differ.

    Args:
        source: what :func:`s2i_teach.sample` takes: a folder or a zip of pictures, the http(s) address of a zip, "sketches".
        to: the folder to make, or one that this call has begun. Pictures lie in ``to/pictures``, each with its settings and
            its sketch inside.
        prompt: a template: ``"a {category}, {style}"``. ``{category}`` is the folder that a sketch lies in, ImageNet's ids by
            their English names; ``{style}`` see there; ``{name}`` is the file's own; ``{caption}`` what a source tells.
        style: what stands for ``{style}``; of several each sketch has one by lot.
        pipe: from :func:`s2i_teach.load_pipeline`, or a model's name; None is ``"mini-scribble"``.
        seed: of the whole set.
        size: ``(width, height)`` in pixels, or several such: each sketch takes the one whose shape is nearest its own.
        batch: sketches that go through the network together; None chooses. It is kept with the set.
        limit: take the first so many; more can be taken later.
        shuffle: take the sketches by lot, and not in the order of their names.
        retry: take those again that were set aside.
        report: when all are there, judge some by lot (:func:`s2i_teach.evaluate.report`) and draw a sheet.
        dry_run: make nothing: return what it would take, measured on this device.
        price: of an hour of a device, for what ``dry_run`` tells.
        max_bytes: a set that would fetch more from the web is refused.
        offline: use no network.
        quiet: no progress bar.
        settings: any other of :class:`s2i_teach.Settings`, one value each.

    Returns:
        a :class:`Dataset`, when all pictures are there, whoever made them; with ``dry_run`` a :class:`DatasetPlan`.

    Raises:
        InputError: something asked for cannot be used, the folder holds pictures with other settings, or source, disk or
            device failed. What is finished is kept.
    """
    started = time.perf_counter()
    styles = (style,) if isinstance(style, str) else tuple(style)
    check_template(prompt, styles)
    _check_settings(settings)
    seed = whole_number("seed", seed)
    batch = None if batch is None else whole_number("batch", batch, 1)
    limit = None if limit is None else whole_number("limit", limit, 1)
    max_bytes = byte_limit(max_bytes)
    quiet = quiet or not speaks()
    with open_source(source, max_bytes=max_bytes, offline=offline, quiet=quiet) as opened:
        folder = check_apart(opened, to)
        if "caption" in fields_of(prompt) and not any((item.more or {}).get("caption") for item in opened.items):
            raise InputError(f"The prompt asks for {{caption}}, and {shown(opened.title)} has none: use {{category}}.")
        if pipe is None or isinstance(pipe, str):
            pipe = pipeline_here(pipe or DEFAULT)
        request = Request.of(prompt, styles, seed, _sizes(size), batch, settings, _name_of(opened), pipe)
        listing = Listing(opened, request.batch, limit, shuffle, seed)
        if dry_run:
            return plan_of(listing, opened, request, folder, pipe, price)
        _check_bytes(listing, opened, folder, max_bytes)
        request.agree(folder)
        with Claims(folder) as claims:
            worker = Worker(folder, opened, listing, request, pipe, claims)
            worker.rows.reopen(listing, (lambda row: bool(row["error"])) if retry else lambda row: False)
            with _Progress(listing, worker, quiet) as progress:
                for _ in worker.run():
                    progress.tell()
            for _ in finished(folder, listing, worker.rows, claims, pipe, report):
                pass
        found = Finish.there(folder, listing.cut)
    if found is None:
        raise InputError(f"{shown(folder)} was changed by something else: run the same command again.")
    seconds = time.perf_counter() - started
    return Dataset(folder, found.made, found.aside, found.bytes, worker.tally.made, seconds, found.notes)


def _check_settings(given: dict) -> None:
    known = [field.name for field in fields(Settings) if field.name not in OWN]
    for name, value in given.items():
        if name not in known:
            raise InputError(f"{shown(name)} is no setting of a set: use {', '.join(known)}.")
        if isinstance(value, (list, set, dict)) and name != "timesteps":
            raise InputError(f"{name} is a {type(value).__name__}: a set of pictures has one value of it.")


def _sizes(size) -> list:
    """One size or several as a list."""
    if size is None:
        return []
    try:
        several = all(hasattr(one, "__iter__") and not isinstance(one, str) for one in size)
    except TypeError as error:
        raise InputError(f"The size {shown(size)} is not two numbers: give (width, height) in pixels.") from error
    return list(size) if several else [size]


def _name_of(source: Source) -> str:
    """What a source is called wherever its copy lies: the last part of its path or address."""
    last = source.title.rstrip("/\\").replace("\\", "/").rpartition("/")[2]
    return last if last not in ("", ".", "..") else Path(source.title).resolve().name


def _check_bytes(listing: Listing, source: Source, folder: Path, max_bytes: float) -> None:
    """Refuse a set of which more than ``max_bytes`` is still to be fetched from the web."""
    cost = source.cost(item for number in left_of(listing, folder) for item in listing.shard(number).items)
    if cost is not None and cost > max_bytes:
        raise InputError(
            f"This set would fetch {readable(cost)}, more than max_bytes={readable(max_bytes)}: raise max_bytes, or take "
            "fewer sketches with limit."
        )


class _Progress:
    """A bar over the whole set, whichever process makes its pictures: rate and remaining time are those of all together."""

    def __init__(self, listing: Listing, worker: Worker, quiet: bool):
        self._listing, self._worker, self._quiet = listing, worker, quiet
        self._sizes = {name: listing.size(number) for number, name in enumerate(listing.names)}
        self._looked = 0.0
        self._elsewhere = self._done()
        self._bar = None

    def __enter__(self) -> "_Progress":
        if not self._quiet:
            from tqdm.auto import tqdm

            every = 0.5 if sys.stderr.isatty() else 30.0  # a job's log is no terminal
            self._bar = tqdm(
                total=len(self._listing), initial=self._elsewhere, unit="picture", smoothing=0, mininterval=every
            )
        return self

    def __exit__(self, *_) -> None:
        if self._bar is not None:
            self.tell(now=True)
            self._bar.close()

    def tell(self, now: bool = False) -> None:
        """Look at what is done, here and elsewhere."""
        if self._bar is None:
            return
        if now or time.monotonic() - self._looked > 2:
            self._looked = time.monotonic()
            self._elsewhere = self._done()
        on_the_way = sum(len(work.rows) for work in list(self._worker.tally.unfinished.values()))
        self._bar.update(max(0, min(self._elsewhere + on_the_way, len(self._listing)) - self._bar.n))

    def _done(self) -> int:
        done = self._worker.rows.done()
        return sum(size for name, size in self._sizes.items() if name in done)
