"""``s2i.sample``: a few sketches of each category, drawn by lot, written into folders, and cleaned if that is asked for."""

import re
from pathlib import Path, PurePosixPath

from s2i_teach.data_sources.arguments import byte_limit, wanted_categories, whole_number
from s2i_teach.data_sources.classes import folder_name
from s2i_teach.data_sources.draw import Draw, draw, pick
from s2i_teach.data_sources.drive import drive_id
from s2i_teach.data_sources.sampled import Sample, open_sample
from s2i_teach.data_sources.sources import Folder, check_source, open_source
from s2i_teach.data_sources.writing import already_there, write_sample
from s2i_teach.errors import InputError
from s2i_teach.files import as_path, shown, written

__all__ = ["Draw", "Sample", "open_sample", "pick", "sample"]


def sample(
    source,
    *,
    categories=None,
    per_category: int = 10,
    seed: int = 0,
    to=None,
    clean: bool = False,
    plan: bool = False,
    max_bytes: float = 1e9,
    offline: bool = False,
    quiet: bool = False,
):
    """A few hundred sketches of different categories, in folders named after them, with a manifest.

    The draw depends on the seed, the category and the files' own names alone: the same seed gives the same files from
    every copy of a data set, and more of each category keeps those that fewer gave. A sample that was stopped goes on
    where it was; one that is complete is not fetched again.

    Args:
        source: where the sketches lie:

            - ``"imagenet-sketch"``: 50,889 sketches of 1,000 categories; Kaggle's input, the copy on Hugging Face or
              the one on Google Drive. Where a server allows it, only the zip's table and the files drawn are fetched.
            - ``"quickdraw"``: 50 million drawings of 345 categories; a file a category is fetched, some 50 to 200 MB.
            - ``"sketches"``, ``"line-art"``, ``"pairs"``: what ships with the course.
            - a folder or a zip of pictures, a Quick, Draw! file (.ndjson, .bin), or a folder of such.
            - the http(s) address of a zip or of a Quick, Draw! file; the link of a file or a folder on Google Drive.
            - ``"my-drive"`` or ``"my-drive/folder"``: the student's own Drive on Colab.

            A picture's category is the folder that it lies in; ImageNet's class ids are given their English names.
        categories: English names or class ids; a whole number draws that many by lot; None takes all.
        per_category: how many of each; a category that has fewer gives all it has.
        seed: any whole number.
        to: the folder to make, or one that holds the same sample; None is ``samples/<name of the source>``.
        clean: afterwards make a cleaned copy, ``<to>-clean``, and a report, ``<to>-report``; see :func:`s2i_teach.clean`.
        plan: fetch and write nothing: return what would be drawn and how many bytes it would cost.
        max_bytes: a sample that would fetch more from the web is refused before it starts; one of a Drive folder,
            whose list tells no sizes, stops when it has fetched more.
        offline: use no network.
        quiet: no progress bar and no lines on what it costs.

    Returns:
        a :class:`Sample`; with ``plan=True`` a :class:`Draw`.

    Raises:
        InputError: what is asked for is not there, cannot be fetched, costs too much, or the folder holds other things.
    """
    per_category, seed = whole_number("per_category", per_category, 1), whole_number("seed", seed)
    categories = wanted_categories(categories)
    check_source(source)
    folder = as_path(to) if to is not None else Path("samples") / short_name(source)
    # A number of pictures named "5" is fine; what the manifest keeps has to be plain JSON.
    request = {
        "source": str(source),
        "categories": [one if isinstance(one, str) else written(one) for one in categories]
        if isinstance(categories, list)
        else categories,
        "per_category": per_category,
        "seed": seed,
    }
    if not plan:
        manifest = already_there(folder, request)
        if manifest is not None:
            return _finished(Sample(folder, manifest), clean, quiet)
    allowed = 0 if plan else byte_limit(max_bytes)
    with open_source(source, categories, max_bytes=allowed, offline=offline, quiet=quiet) as opened:
        drawn = draw(opened, categories, per_category, seed)
        if plan:
            return drawn
        if isinstance(opened, Folder) and folder.resolve().is_relative_to(opened.path.resolve()):
            raise InputError(f"{shown(folder)} lies inside the folder that is sampled: name a folder beside it.")
        return _finished(write_sample(opened, drawn, folder, request, max_bytes, quiet), clean, quiet)


def short_name(source) -> str:
    """A name for the folder, from the source's last part; of a Drive link, which ends in nothing of use, its id."""
    drive = drive_id(str(source))
    if drive:
        return f"drive-{drive[0]}"
    last = PurePosixPath(str(source).rstrip("/").replace("\\", "/").split("?")[0]).name
    return folder_name(re.sub(r"\.(zip|ndjson|bin)$", "", last, flags=re.IGNORECASE))


def _beside(folder: Path, word: str) -> Path:
    """The place beside a folder whose name ends in a word more."""
    folder = folder.resolve() if folder.name in ("", "..") else folder
    return folder.with_name(f"{folder.name}-{word}")


def _finished(made: Sample, clean: bool, quiet: bool) -> Sample:
    """The sample, its cleaned copy made beside it if that was asked for."""
    if clean:
        clean_beside(made, quiet)
    return made


def clean_beside(made: Sample, quiet: bool = False) -> Path:
    """Make the cleaned copy ``<folder>-clean`` and the report ``<folder>-report``; returns the copy's folder."""
    from s2i_teach.data_sources.clean import clean

    folder = _beside(made.folder, "clean")
    report = clean(made.folder, to=folder, progress=False if quiet else None)
    table, sheet = report.save(_beside(made.folder, "report"))
    if quiet:
        print(f"The cleaned copy is in {folder}, the report in {table.parent}.")
    else:
        print(report)
        print(f"The report is {table} and {sheet}.")
    return folder
