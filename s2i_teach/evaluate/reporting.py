"""A report on results: tables, heat maps, the trade-off, pictures, and what to conclude, in a notebook or as a page."""

import base64
import io
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

from PIL import Image

from s2i_teach.errors import InputError
from s2i_teach.evaluate import figures
from s2i_teach.evaluate.bootstrap import Interval
from s2i_teach.evaluate.cells import PAIRED_SCORES, SCORES, Cell, Row, as_results, cells, judged, name_of, words
from s2i_teach.evaluate.conclusions import MEASURES, Conclusions, best, conclusions, measures, of
from s2i_teach.evaluate.known import available
from s2i_teach.files import as_path, shown, write_whole
from s2i_teach.translation.wording import value_words

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
    """

    rows: tuple[Row, ...]
    cells: tuple[Cell, ...]
    over_strength_and_guidance: tuple[Cell, ...]
    conclusions: Conclusions
    front: tuple[int, ...]

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
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{_title(self)}</title><style>{PAGE_CSS}</style></head>\n"
            f"<body><main>{self._html(page=True)}</main></body></html>\n"
        )
        return write_whole(path, lambda file: file.write(page.encode("utf-8")))

    def _repr_html_(self) -> str:
        return self._html()

    def _html(self, page: bool = False) -> str:
        top, below = ("h1", "h2") if page else ("h2", "h3")
        parts = [f"<style>{CSS}</style><{top}>{_title(self)}</{top}>"]
        parts += [f"<{below}>What to conclude</{below}>", _list(self.conclusions.so or ("Nothing was compared.",))]
        parts += [f"<{below}>What not to conclude</{below}>", _list(self.conclusions.not_so)]
        if len(self.over_strength_and_guidance) > 1:
            pooled = len(self.over_strength_and_guidance) < len(self.cells)
            parts.append(f"<{below}>Over strength and guidance</{below}>")
            parts.append(
                "<p>Each cell: the figure, below it its 95 % interval."
                f"{' All other settings are taken together.' if pooled else ''}</p>"
            )
            shown_in_maps = ["f1", self.other, *(["ssim"] if self.paired else [])]
            drawn = [_heat_map(self.over_strength_and_guidance, measure, page) for measure in shown_in_maps]
            parts.append(f'<div class="figures">{"".join(drawn)}</div>')
        if len(self.cells) > 1:
            title = "Faithfulness and realism" if self.other == "micro_kid" else "Faithfulness and prompt match"
            parts += [f"<{below}>{title}</{below}>", _trade_off(self, page)]
            parts += [f"<{below}>Best and worst cells</{below}>", _pictures(self)]
        parts += [f"<{below}>Cells</{below}>", _cell_table(self)]
        parts += [f"<details><summary>All {len(self.rows)} results</summary>{_row_table(self)}</details>"]
        parts.append(_notes(self.paired))
        return f'<section class="s2i-report">{"".join(parts)}</section>'


def report(results, targets=None) -> Report:
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

    Raises:
        InputError: no result, a sketch or prompt that is empty, or true pictures of another number or size.
    """
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
    return Report(tuple(rows), tuple(made), tuple(pooled), conclusions(made, rows), tuple(front))


def _other(made) -> str:
    return "micro_kid" if all(cell.micro_kid is not None for cell in made) else "prompt_match"


def _title(found: Report) -> str:
    sketches = len({row.sketch for row in found.rows})
    seeds = len({row.result.settings.seed for row in found.rows})
    counts = ((len(found.rows), "picture"), (sketches, "sketch"), (seeds, "seed"), (len(found.cells), "cell"))
    many = {"sketch": "sketches"}
    told = [f"{count} {name if count == 1 else many.get(name, name + 's')}" for count, name in counts]
    return f"Report on {', '.join(told[:-1])} and {told[-1]}"


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


def _heat_map(made, measure: str, page: bool) -> str:
    name = next(name for key, name, _ in measures(made) if key == measure)
    values = "; ".join(
        f"{name_of({axis: c.settings[axis] for axis in ('strength', 'guidance_scale')})}: {of(c, measure).value:.2f}"
        for c in made
    )
    dark = figures.heat_map(made, measure, "dark") if page else None
    return _image(figures.heat_map(made, measure), f"Heat map of {name}. {values}.", dark)


def _trade_off(found: Report, page: bool) -> str:
    data = figures.trade_off(list(found.cells), found.other)
    dark = figures.trade_off(list(found.cells), found.other, "dark") if page else None
    on_front = "; ".join(
        f"{found.cells[i].name}: edge F1 {found.cells[i].f1.value:.2f}, {words(found.other)} "
        f"{of(found.cells[i], found.other).value:.2f}"
        for i in found.front
    )
    alt = f"Each cell as a point, edge F1 to the right, {words(found.other)} upwards. On the Pareto front: {on_front}."
    told = "<p>Thin lines are intervals. A point on the front is not shown to beat one whose lines cross its own.</p>"
    return _image(data, alt, dark, width=720) + told


def _pictures(found: Report) -> str:
    """Rows: the best and the worst cell of both measures; columns: the same sketches in all of them."""
    chosen: dict[int, list[str]] = {}
    for measure, name, more in MEASURES:
        if measure not in ("f1", found.other):
            continue
        for word, which in (("Best", more), ("Worst", not more)):
            cell = best(list(found.cells), measure, which)
            line = f"{word}: {name} {of(cell, measure)}"
            chosen.setdefault(found.cells.index(cell), []).append(line)
    sketches = {row.sketch: row for row in reversed(found.rows)}
    columns = sorted(sketches)[:MOST_SKETCHES]
    first = [sketches[column] for column in columns]
    drawn = [("The sketches", [(row.result.sketch, f"The sketch of: {row.result.settings.prompt}") for row in first])]
    if found.paired:
        true = [(row.paired.target, f"The true picture of: {row.result.settings.prompt}") for row in first]
        drawn.append(("The true pictures", true))
    lines = []
    for title, pictures in drawn:
        cells_of = "".join(f"<td>{_small(*picture)}</td>" for picture in pictures)
        lines.append(f'<tr><th scope="row">{title}</th>{cells_of}</tr>')
    for place, told in chosen.items():
        cell = found.cells[place]
        name = f"<strong>{escape(cell.name)}</strong><br>{'<br>'.join(map(escape, told))}"
        shown_cells = []
        for column in columns:
            row = next((row for row in cell.rows if row.sketch == column), None)
            if row is None:
                shown_cells.append("<td>not run</td>")
                continue
            alt = f"{row.result.settings.prompt}; {cell.name}; edge F1 {row.scores['f1']:.2f}"
            if row.paired:
                alt += f"; PSNR {row.scores['psnr']:.1f} dB, SSIM {row.scores['ssim']:.2f}"
            shown_cells.append(f"<td>{_small(row.result.image, alt)}</td>")
        lines.append(f'<tr><th scope="row">{name}</th>{"".join(shown_cells)}</tr>')
    more = len(sketches) - len(columns)
    rest = f"<p>The first {len(columns)} of {len(sketches)} sketches.</p>" if more else ""
    return f'<div class="wide"><table class="pictures">{"".join(lines)}</table></div>{rest}'


def _small(picture: Image.Image, alt: str) -> str:
    copy = picture.convert("RGB")
    copy.thumbnail((2 * SIDE, 2 * SIDE))
    with io.BytesIO() as file:
        copy.save(file, "WEBP", quality=90)
        return _image(file.getvalue(), alt, width=SIDE, kind="webp")


def _cell_table(found: Report) -> str:
    names = list(found.cells[0].settings)
    all_measures = measures(found.cells)
    head = [words(name) for name in names] + ["n", *(name for _, name, _ in all_measures), "on the front"]
    lines = []
    for place, cell in enumerate(found.cells):
        figures_of = [_unbroken(of(cell, key)) if of(cell, key) else "needs 2 pictures" for key, _, _ in all_measures]
        own = [value_words(name, cell.settings[name]) for name in names]
        lines.append([*own, str(cell.n), *figures_of, "yes" if place in found.front else ""])
    return _table(head, lines)


def _unbroken(figure: Interval) -> str:
    """A figure whose interval stays on one line."""
    return str(figure).replace(", ", ",\N{NO-BREAK SPACE}")


def _row_table(found: Report) -> str:
    table = found.table
    head = list(table[0])
    lines = [
        [f"{v:.3f}" if k in SCORES + PAIRED_SCORES else value_words(k, v) for k, v in row.items()] for row in table
    ]
    return _table([words(name) for name in head], lines)


def _table(head: list[str], lines: list[list[str]]) -> str:
    top = "".join(f'<th scope="col">{escape(word)}</th>' for word in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(word)}</td>" for word in line) + "</tr>" for line in lines)
    region = '<div class="wide" tabindex="0" role="region" aria-label="Table">'
    return f"{region}<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"


def _notes(paired: bool) -> str:
    missing = [answer for answer in available().values() if answer]
    notes = [
        "micro-KID is the kernel distance of KID on features of the small CLIP that ships, against 600 real pictures "
        "of the embedded pairs. It is no KID and no FID. It also sees what is shown and in which style: compare cells "
        "that show the same.",
        "Intervals: 95 %, bootstrap over sketches where a cell has several, else over seeds.",
        "PSNR is the mean of each picture's dB; a copy counts as 60 dB. SSIM has the paper's Gaussian window, and is "
        "the mean of three channels."
        if paired
        else "Agreement with true pictures, PSNR and SSIM: give them as report(results, targets=[…]).",
        *missing,
    ]
    return f"<details><summary>How it was measured, and what is not available here</summary>{_list(notes)}</details>"
