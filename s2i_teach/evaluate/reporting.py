"""A report on results: tables, heat maps, the trade-off, pictures, and what to conclude, in a notebook or as a page."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

from PIL import Image

from s2i_teach.error_strings import in_language
from s2i_teach.errors import InputError
from s2i_teach.evaluate import figures, strings
from s2i_teach.evaluate.bootstrap import Interval
from s2i_teach.evaluate.cells import (
    PAIRED_SCORES,
    SCORES,
    Cell,
    Row,
    as_results,
    cells,
    judged,
    name_of,
    shown_figure,
    shown_value,
    words,
)
from s2i_teach.evaluate.conclusions import MEASURES, Conclusions, best, conclusions, listed, measures, of
from s2i_teach.evaluate.known import available
from s2i_teach.files import as_path, shown, write_whole

SIDE = 112
"""CSS pixels of a picture."""
MOST_SKETCHES = 6
"""Columns in the table of pictures."""
CSS = """
.s2i-report { font: 15px/1.5 system-ui, sans-serif; max-width: 1000px; }
.s2i-report table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 8px 0; }
.s2i-report th, .s2i-report td { padding: 3px 10px; text-align: right; border-bottom: 1px solid #85878f66; }
.s2i-report th { font-weight: 600; vertical-align: bottom; }
.s2i-report .pictures th, .s2i-report .pictures td { text-align: left; padding: 4px; vertical-align: middle; }
.s2i-report .pictures th { min-width: 170px; max-width: 190px; font-weight: normal; }
.s2i-report img { max-width: 100%; height: auto; }
.s2i-report .pictures img { width: 112px; max-width: none; background: #fff; border: 1px solid #85878f66; }
.s2i-report .wide { overflow-x: auto; }
.s2i-report .figures { display: flex; flex-wrap: wrap; gap: 12px; align-items: flex-start; }
.s2i-report .figures > * { max-width: min(100%, 470px); }
.s2i-report img { border-radius: 4px; }
.s2i-report h2 { font-size: 1.25em; } .s2i-report h3 { font-size: 1.05em; margin: 20px 0 4px; }
.s2i-report li { margin: 3px 0; }
"""
PAGE_CSS = """
:root { color-scheme: light dark; }
body { margin: 24px auto; padding: 0 16px; max-width: 1000px; background: #ffffff; color: #1b1b1f; }
@media (prefers-color-scheme: dark) { body { background: #1c1d21; color: #ececf1; } }
"""


@dataclass(frozen=True)
class Report:
    """What :func:`report` found. A notebook shows it as it is; :meth:`save` writes it as one page.

    Attributes:
        rows: one a result, with settings and scores.
        cells: results gathered by the settings that vary, with intervals.
        conclusions: ``so`` and ``not_so``, sentences made from the numbers.
        front: places in ``cells`` of the Pareto front of faithfulness and realism, or prompt match where realism is not
            to be had.
        language: code of the language that it speaks.
    """

    rows: tuple[Row, ...]
    cells: tuple[Cell, ...]
    over_strength_and_guidance: tuple[Cell, ...]
    conclusions: Conclusions
    front: tuple[int, ...]
    language: str = "en"

    @property
    def words(self) -> Mapping[str, str]:
        """All its words, of :mod:`s2i_teach.evaluate.strings`."""
        return strings.table(self.language)

    @property
    def table(self) -> list[dict]:
        """A row a result: number, sketch, prompt, seed, what varies, the scores; as pandas takes it.

        With true pictures also ``psnr`` (dB; a copy, whose PSNR is infinite, counts as 60), ``ssim`` and, where it is
        available, ``lpips``.
        """
        return [
            {"number": row.number, "sketch": row.sketch, "prompt": row.result.settings.prompt}
            | {"seed": row.result.settings.seed}
            | {name: value for name, value in row.settings.items() if name != "prompt"}
            | row.scores
            for row in self.rows
        ]

    @property
    def other(self) -> str:
        """The measure that faithfulness is set against: "micro_kid", or "prompt_match" where a cell has one picture."""
        return _other(self.cells)

    @property
    def paired(self) -> bool:
        """Whether the true pictures were given."""
        return self.rows[0].paired is not None

    def save(self, path: str | Path) -> Path:
        """Write one HTML file that needs no other, whole or not at all. Returns the path.

        Raises:
            InputError: the name does not end in ``.html``, or the place cannot be written.
        """
        path = as_path(path)
        if path.suffix.lower() not in (".html", ".htm"):
            raise InputError(f"{shown(path)} does not end in .html: a report is a web page.")
        if path.is_dir():
            raise InputError(f"{shown(path)} is a folder: give a file name.")
        page = (
            f'<!DOCTYPE html>\n<html lang="{self.language}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{_title(self)}</title><style>{PAGE_CSS}</style></head>\n"
            f"<body><main>{self._html(page=True)}</main></body></html>\n"
        )
        return write_whole(path, lambda file: file.write(page.encode("utf-8")))

    def _repr_html_(self) -> str:
        return self._html()

    def _html(self, page: bool = False) -> str:
        table = self.words
        top, below = ("h1", "h2") if page else ("h2", "h3")

        def heading(key: str) -> str:
            return f"<{below}>{table[key]}</{below}>"

        parts = [f"<style>{CSS}</style><{top}>{_title(self)}</{top}>"]
        parts += [heading("so"), _list(self.conclusions.so or (table["nothing_compared"],))]
        parts += [heading("not_so"), _list(self.conclusions.not_so)]
        if len(self.over_strength_and_guidance) > 1:
            pooled = len(self.over_strength_and_guidance) < len(self.cells)
            told = [table["maps_how"], *([table["maps_pooled"]] if pooled else [])]
            shown_in_maps = ["f1", self.other, *(["ssim"] if self.paired else [])]
            drawn = [_heat_map(self, measure, page) for measure in shown_in_maps]
            parts += [heading("maps"), f"<p>{' '.join(told)}</p>", f'<div class="figures">{"".join(drawn)}</div>']
        if len(self.cells) > 1:
            parts += [heading(f"trade_{self.other}"), _trade_off(self, page)]
            parts += [heading("best_and_worst"), _pictures(self)]
        parts += [heading("all_cells"), _cell_table(self)]
        summary = table["all_results"].format(n=len(self.rows))
        parts += [f"<details><summary>{summary}</summary>{_row_table(self)}</details>"]
        parts.append(_notes(self))
        return f'<section class="s2i-report" lang="{self.language}">{"".join(parts)}</section>'


def report(results, targets=None, language: str | None = None) -> Report:
    """Judge results and say what follows.

    Args:
        results: a list of :class:`s2i_teach.Result`, or an object that has them as ``.results``, as a sweep does, or a
            list of such: ``report([s2i.sweep(sketch, …) for sketch in sketches])``. Cells are made of the settings that
            vary, apart from seed and sketch.
        targets: the true pictures, where sketches have one, as a list: one for each sketch, in the order in which the
            sketches first appear among the results, or one for each result. A picture is anything that
            :func:`s2i_teach.open_sketch` opens, of the result's size; embedded pairs, as ``load_pairs`` gives them, are
            a list as well, and a single picture does for a single sketch. With them the report also says PSNR, SSIM
            and, where its weights are on this machine, LPIPS.
        language: what the report speaks, ``"en"`` or ``"de"``; None is the one chosen by :func:`s2i_teach.language`.

    Raises:
        InputError: no result, a sketch or prompt that is empty, true pictures of another number or size, or a language
            that is not there.
    """
    table = strings.table(language)
    rows, features = judged(as_results(results), targets)
    made = cells(rows, features)
    axes = [name for name in figures.AXES if name in rows[0].settings]
    pooled: list[Cell] = []
    if axes:
        pooled = made if list(rows[0].settings) == axes else cells(rows, features, axes)
        first = rows[0].result.settings
        fixed = {name: getattr(first, name) for name in figures.AXES}
        pooled = [replace(c, settings={**fixed, **c.settings}) for c in pooled]
    front = figures.front(made, _other(made))
    said = conclusions(made, rows, table)
    return Report(tuple(rows), tuple(made), tuple(pooled), said, tuple(front), table["code"])


def _other(made) -> str:
    return "micro_kid" if all(cell.micro_kid is not None for cell in made) else "prompt_match"


def _title(found: Report) -> str:
    sketches = len({row.sketch for row in found.rows})
    seeds = len({row.result.settings.seed for row in found.rows})
    counts = (
        (len(found.rows), "one_picture", "pictures"),
        (sketches, "one_sketch", "sketches"),
        (seeds, "one_seed", "seeds"),
        (len(found.cells), "one_cell", "cells"),
    )
    told = [found.words[one if count == 1 else many].format(n=count) for count, one, many in counts]
    return found.words["title"].format(what=listed(told, found.words))


def _list(sentences) -> str:
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences) + "</ul>"


def _image(data: bytes, alt: str, dark: bytes | None = None, width: int | None = None, kind: str = "png") -> str:
    def url(content: bytes) -> str:
        return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"

    size = f' width="{width}"' if width else ""
    image = f'<img src="{url(data)}" alt="{escape(alt, quote=True)}"{size}>'
    if dark is None:
        return image
    return f'<picture><source srcset="{url(dark)}" media="(prefers-color-scheme: dark)">{image}</picture>'


def _heat_map(found: Report, measure: str, page: bool) -> str:
    made, table = list(found.over_strength_and_guidance), found.words
    values = "; ".join(
        table["heat_map_cell"].format(
            strength=shown_value("strength", c.settings["strength"], table),
            guidance=shown_value("guidance_scale", c.settings["guidance_scale"], table),
            value=f"{of(c, measure).value:.2f}",
        )
        for c in made
    )
    alt = table["heat_map_of"].format(measure=table[f"measure_{measure}"], values=values)
    dark = figures.heat_map(made, measure, "dark", table) if page else None
    return _image(figures.heat_map(made, measure, table=table), alt, dark)


def _trade_off(found: Report, page: bool) -> str:
    made, table = list(found.cells), found.words
    data = figures.trade_off(made, found.other, table=table)
    dark = figures.trade_off(made, found.other, "dark", table) if page else None
    measure = words(found.other, table)
    on_front = "; ".join(
        table["trade_off_cell"].format(
            cell=name_of(made[i].settings, table),
            f1=f"{made[i].f1.value:.2f}",
            measure=measure,
            value=f"{of(made[i], found.other).value:.2f}",
        )
        for i in found.front
    )
    alt = table["trade_off_of"].format(measure=measure, cells=on_front)
    return _image(data, alt, dark, width=720) + f"<p>{table['trade_lines']}</p>"


def _pictures(found: Report) -> str:
    """Rows: the best and the worst cell of both measures; columns: the same sketches in all of them."""
    table = found.words
    chosen: dict[int, list[str]] = {}
    for measure, _, more in MEASURES:
        if measure not in ("f1", found.other):
            continue
        for word, which in (("best", more), ("worst", not more)):
            cell = best(list(found.cells), measure, which)
            figure = shown_figure(of(cell, measure), table)
            line = table[word].format(measure=table[f"measure_{measure}"], figure=figure)
            chosen.setdefault(found.cells.index(cell), []).append(line)
    sketches = {row.sketch: row for row in reversed(found.rows)}
    columns = sorted(sketches)[:MOST_SKETCHES]
    first = [sketches[column] for column in columns]
    prompts = [row.result.settings.prompt for row in first]
    told_of = [table["sketch_of"].format(prompt=prompt) for prompt in prompts]
    drawn = [(table["the_sketches"], [(row.result.sketch, told) for row, told in zip(first, told_of, strict=True)])]
    if found.paired:
        told_of = [table["true_of"].format(prompt=prompt) for prompt in prompts]
        true = [(row.paired.target, told) for row, told in zip(first, told_of, strict=True)]
        drawn.append((table["the_true"], true))
    lines = []
    for title, pictures in drawn:
        cells_of = "".join(f"<td>{_small(*picture)}</td>" for picture in pictures)
        lines.append(f'<tr><th scope="row">{title}</th>{cells_of}</tr>')
    for place, told in chosen.items():
        cell = found.cells[place]
        own = name_of(cell.settings, table)
        name = f"<strong>{escape(own)}</strong><br>{'<br>'.join(map(escape, told))}"
        shown_cells = []
        for column in columns:
            row = next((row for row in cell.rows if row.sketch == column), None)
            if row is None:
                shown_cells.append(f"<td>{table['not_run']}</td>")
                continue
            f1 = f"{row.scores['f1']:.2f}"
            alt = [table["result_of"].format(prompt=row.result.settings.prompt, cell=own, f1=f1)]
            if row.paired:
                agreement = {"psnr": f"{row.scores['psnr']:.1f}", "ssim": f"{row.scores['ssim']:.2f}"}
                alt.append(table["result_agrees"].format(**agreement))
            shown_cells.append(f"<td>{_small(row.result.image, '; '.join(alt))}</td>")
        lines.append(f'<tr><th scope="row">{name}</th>{"".join(shown_cells)}</tr>')
    more = len(sketches) - len(columns)
    rest = f"<p>{table['first_sketches'].format(n=len(columns), total=len(sketches))}</p>" if more else ""
    return f'<div class="wide"><table class="pictures">{"".join(lines)}</table></div>{rest}'


def _small(picture: Image.Image, alt: str) -> str:
    copy = picture.convert("RGB")
    copy.thumbnail((2 * SIDE, 2 * SIDE))
    with io.BytesIO() as file:
        copy.save(file, "WEBP", quality=90)
        return _image(file.getvalue(), alt, width=SIDE, kind="webp")


def _cell_table(found: Report) -> str:
    table = found.words
    names = list(found.cells[0].settings)
    keys = [key for key, _, _ in measures(found.cells)]
    head = [words(name, table) for name in names] + ["n", *(table[f"measure_{key}"] for key in keys), table["on_front"]]
    lines = []
    for place, cell in enumerate(found.cells):
        figures_of = [_unbroken(of(cell, key), table) if of(cell, key) else table["needs_two"] for key in keys]
        own = [shown_value(name, cell.settings[name], table) for name in names]
        lines.append([*own, str(cell.n), *figures_of, table["yes"] if place in found.front else ""])
    return _table(head, lines, table["table"])


def _unbroken(figure: Interval, table: Mapping[str, str]) -> str:
    """A figure whose interval stays on one line."""
    return shown_figure(figure, table).replace(", ", ",\N{NO-BREAK SPACE}")


def _row_table(found: Report) -> str:
    rows, table = found.table, found.words
    lines = [
        [
            f"{value:.3f}" if key in SCORES + PAIRED_SCORES else shown_value(key, value, table)
            for key, value in row.items()
        ]
        for row in rows
    ]
    return _table([words(name, table) for name in rows[0]], lines, table["table"])


def _table(head: list[str], lines: list[list[str]], label: str) -> str:
    top = "".join(f'<th scope="col">{escape(word)}</th>' for word in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(word)}</td>" for word in line) + "</tr>" for line in lines)
    region = f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label, quote=True)}">'
    return f"{region}<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"


def _notes(found: Report) -> str:
    missing = [in_language(answer, found.language) for answer in available().values() if answer]
    about = ("about_micro_kid", "about_intervals", "about_agreement" if found.paired else "no_agreement")
    notes = [*(found.words[key] for key in about), *missing]
    return f"<details><summary>{found.words['how_measured']}</summary>{_list(notes)}</details>"
