"""What a set would take on this machine, before anything is made."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from s2i_teach.data_sources.sources import Source
from s2i_teach.data_sources.web import readable
from s2i_teach.models.devices import device_of
from s2i_teach.translation.dataset.listing import Listing
from s2i_teach.translation.dataset.request import Request
from s2i_teach.translation.dataset.rows import Rows
from s2i_teach.translation.plan import Plan
from s2i_teach.translation.timing import Timing, timing

BYTES_A_PIXEL = 2.0
"""Of a PNG with its record and its sketch inside, at most about: the miniature's have 1.2, photographs 1.5 and a sketch."""


@dataclass(frozen=True)
class DatasetPlan:
    """What ``dry_run=True`` gives.

    Attributes:
        count: sketches of the set, as far as ``limit`` takes them.
        left: those of them that no finished shard has.
        fetch: bytes to fetch from the web, or None where the source cannot tell.
        disk: bytes that the pictures will take, about.
        free: bytes that are free where they go.
        seconds: of one picture on this device, measured with an evaluation, or predicted for a large model on a CPU.
        device: where it would run.
        batch: sketches that go together.
        plan: of one picture.
        price: of an hour of such a device, or None.
    """

    count: int
    left: int
    fetch: int | None
    disk: float
    free: float
    seconds: float
    device: str
    batch: int
    plan: Plan
    price: float | None = None

    @property
    def hours(self) -> float:
        """On one such device."""
        return self.left * self.seconds / 3600

    @property
    def cost(self) -> float | None:
        """In whatever money ``price`` is."""
        return None if self.price is None else self.hours * self.price

    def __str__(self) -> str:
        fetch = "an unknown number of bytes" if self.fetch is None else readable(self.fetch)
        web = "nothing is fetched from the web" if self.fetch == 0 else f"{fetch} to fetch from the web"
        done = f" ({self.count - self.left} are done)" if self.left < self.count else ""
        lines = [
            f"{self.left} sketches{done}; {web}; the pictures take about {readable(self.disk)}, "
            f"{readable(self.free)} are free",
            f"{self.seconds:.2g} s a picture on {self.device}, {self.batch} together: {_time(self.hours)} on one such "
            f"device, {_time(self.hours / 8)} on eight",
            str(self.plan),
        ]
        if self.cost is not None:
            lines.insert(2, f"at {self.price:g} an hour and device: {self.cost:.2f}")
        return "\n".join(lines)


def _time(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} hours"
    return f"{hours * 60:.0f} minutes" if hours * 60 >= 2 else f"{hours * 3600:.0f} s"


def left_of(listing: Listing, folder: Path) -> list[int]:
    """The numbers of the shards that are not done."""
    done = Rows(folder, "").done()
    return [number for number, name in enumerate(listing.names) if name not in done]


def plan_of(listing: Listing, source: Source, request: Request, folder: Path, pipe, price: float | None) -> DatasetPlan:
    """Measure one evaluation of a full batch, and count."""
    numbers = left_of(listing, folder)
    left = sum(listing.size(number) for number in numbers)
    settings = next(iter(request.by_size.values()))
    plan = settings.plan(pipe, measure=False)
    cost = cast("Timing", timing(pipe, plan.size, plan.batch * request.batch, measure=True))
    seconds = cost.fixed + cost.evaluation * plan.evaluations / request.batch
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return DatasetPlan(
        count=len(listing),
        left=left,
        fetch=source.cost(item for number in numbers for item in listing.shard(number).items),
        disk=left * plan.size[0] * plan.size[1] * BYTES_A_PIXEL,
        free=shutil.disk_usage(there).free,
        seconds=seconds,
        device=str(device_of(pipe)),
        batch=request.batch,
        plan=plan,
        price=price,
    )
