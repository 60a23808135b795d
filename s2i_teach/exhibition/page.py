"""Writes the class gallery: one web page with all in it, which loads nothing and runs nothing but its own script."""

import base64
import hashlib
import io
import json
import os
from collections.abc import Sequence
from html import escape
from pathlib import Path, PurePath

from PIL import Image

from s2i_teach.errors import InputError
from s2i_teach.evaluate.rating import merge, picture_id
from s2i_teach.exhibition.entries import Entry, SetAside, collect, ranked
from s2i_teach.exhibition.strings import words
from s2i_teach.files import as_path, shown, write_whole, written
from s2i_teach.models.catalog import describe

SIDE = 384
"""Most pixels of a picture's side on the page."""
SKETCH_SIDE = 160
HERE = Path(__file__).parent


def class_gallery(
    folder: str | Path,
    out: str | Path = "gallery.html",
    *,
    votes: str | Path | Sequence[str | Path] = (),
    anonymous: bool = False,
    title: str | None = None,
    language: str | None = None,
) -> Path:
    """Everybody's pictures with sketch and settings, as one page that any browser shows without a network.

    On the page a class can vote: two pictures at a time, names hidden, which one to hang on the wall. Each votes on a copy of
    the page and hands in the file of votes that it gives; ``votes`` takes these files, and then the page is in the order of the
    votes (Bradley–Terry, :func:`s2i_teach.evaluate.rating.ranking`), each with its 95 % interval.

    Args:
        folder: one folder a person in it, with pictures as the studio's *Save the picture* or ``result.save`` writes them; or the
            pictures themselves.
        out: the page to write, ``.html``.
        votes: files of votes (CSV) that the page gave.
        anonymous: no names, and an order by chance.
        title: of the page.
        language: "en" or "de"; None is :func:`s2i_teach.language`'s.

    Returns:
        The page's path. Files that could not be shown stand at its end, each with its reason.

    Raises:
        InputError: no such folder, no picture with settings in it, a file of votes that cannot be read, or a place that
            cannot be written.
    """
    out = as_path(out)
    if out.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{shown(out)} does not end in .html: a gallery is a web page.")
    if out.is_dir():
        raise InputError(f"{shown(out)} is a folder: give a file name.")
    table = words(language)
    if title is not None and not isinstance(title, str):
        raise InputError(f"A {type(title).__name__} is no title: give text.")
    try:
        given = [votes] if isinstance(votes, (str, bytes, os.PathLike)) else list(votes)
    except TypeError as error:
        raise InputError(f"votes is {written(votes)}: give the names of the CSV files.") from error
    cast = merge(given) if given else []
    entries, aside = collect(folder, anonymous)
    if cast:
        entries = ranked(entries, cast)
    page = _page(entries, aside, title or table["title"], table, len({vote.rater for vote in cast}), len(cast))
    return write_whole(out, lambda file: file.write(page.encode("utf-8", "replace")))


def _page(
    entries: list[Entry], aside: list[SetAside], title: str, table: dict[str, str], raters: int, votes: int
) -> str:
    script = (HERE / "gallery.js").read_text(encoding="utf-8")
    style = (HERE / "gallery.css").read_text(encoding="utf-8")
    seal = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'sha256-{seal}'"
    told = table["about"].format(count=len(entries))
    if votes:
        told += " " + table["voted"].format(votes=votes, raters=raters)
    data = {
        "words": {key: text for key, text in table.items() if key.startswith("js_")},
        "entries": [
            {"id": e.id, "label": e.label, "person": e.person, "sketch": picture_id(e.record.sketch)} for e in entries
        ],
    }
    sealed = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")  # so that no text can end the element
    return (
        f'<!DOCTYPE html>\n<html lang="{table["code"]}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n<body>"
        f"<header><h1>{escape(title)}</h1><p>{escape(told)}</p>"
        f'<button type="button" id="begin">{escape(table["rate"])}</button></header>'
        f'<main id="wall">{"".join(_card(entry, table) for entry in entries)}</main>'
        f'<section id="rating" hidden aria-label="{escape(table["rate"], quote=True)}"></section>'
        f"{_aside(aside, table)}"
        f'<script type="application/json" id="data">{sealed}</script><script>{script}</script></body></html>\n'
    )


def _style(settings, named: bool) -> str | None:
    """A style's file by its own name, and its weight; the folders above it are nobody's business, nor the name without names."""
    if settings.style is None:
        return None
    name = PurePath(settings.style.replace("\\", "/")).name if named else ""
    return f"{name} × {1.0 if settings.style_weight is None else settings.style_weight:g}".strip()


def _card(entry: Entry, table: dict[str, str]) -> str:
    settings = entry.record.settings
    facts = [
        (table["model"], describe(entry.record.model)),
        (table["strength"], settings.strength),
        (table["guidance"], settings.guidance_scale),
        (table["steps"], settings.num_inference_steps),
        (table["control_scale"], settings.control_scale),
        (table["style"], _style(settings, bool(entry.person))),
        (table["scheduler"], settings.scheduler),
        (table["seed"], settings.seed),
        (table["negative"], settings.negative_prompt or None),
        (table["file"], entry.path.as_posix()) if entry.person else ("", None),
    ]
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(_shown(value))}</dd>" for name, value in facts if value is not None
    )
    alt = table["alt"].format(prompt=settings.prompt, label=entry.label)
    rank = ""
    if entry.rank is not None:
        r = entry.rank
        rank = table["rank"].format(strength=r.strength, low=r.low, high=r.high, votes=r.votes).replace("-", "−")
        rank = f'<p class="rank">{escape(rank)}</p>'
    return (
        f'<article><img class="picture" id="p{entry.id}" src="{_url(entry.picture, SIDE)}" alt="{escape(alt, quote=True)}">'
        f"<h2>{escape(entry.label)}</h2><p>{escape(settings.prompt)}</p>{rank}"
        f'<details><summary>{escape(table["how"])}</summary><div class="how"><img id="s{entry.id}" '
        f'src="{_url(entry.record.sketch, SKETCH_SIDE)}" alt="{escape(table["the_sketch"], quote=True)}"><dl>{rows}</dl></div></details>'
        "</article>"
    )


def _shown(value) -> str:
    return f"{value:g}" if isinstance(value, float) else shown(value, 300)


def _url(picture: Image.Image, side: int) -> str:
    small = picture.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    with io.BytesIO() as file:
        small.save(file, "PNG", optimize=True)
        return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _aside(aside: list[SetAside], table: dict[str, str]) -> str:
    if not aside:
        return ""
    rows = "".join(f"<li>{escape(shown(file.path))}: {escape(shown(file.reason, 400))}</li>" for file in aside)
    return f"<footer><h2>{escape(table['aside'])}</h2><ul>{rows}</ul></footer>"
