"""The report's figures: heat maps over strength and guidance, and faithfulness against realism."""

import io
from collections.abc import Mapping

import numpy as np

from s2i_teach.evaluate.cells import ENGLISH, Cell, pareto_front, shown_value, words
from s2i_teach.evaluate.conclusions import MEASURES, PAIRED_MEASURES, of

AXES = ("strength", "guidance_scale")
LOOK = {
    "light": {"paper": "#ffffff", "ink": "#1b1b1f", "soft": "#6d7078", "front": "#b34700"},
    "dark": {"paper": "#1c1d21", "ink": "#ececf1", "soft": "#a5a8b1", "front": "#ff9d5c"},
}
DPI = 150


def heat_map(cells: list[Cell], measure: str, look: str = "light", table: Mapping[str, str] = ENGLISH) -> bytes:
    """A PNG: one measure over strength (right) and guidance (up), the value and its interval written in each cell.

    ``cells`` are gathered by these two settings; a cell that was not run stays empty. ``table`` has the words.
    """
    more = _more(measure)
    colours = LOOK[look]
    strengths, guidances = ([*dict.fromkeys(cell.settings[axis] for cell in cells)] for axis in AXES)
    strengths, guidances = sorted(strengths), sorted(guidances)
    place = {(cell.settings[AXES[0]], cell.settings[AXES[1]]): of(cell, measure) for cell in cells}
    values = np.full((len(guidances), len(strengths)), np.nan)
    for (s, g), found in place.items():
        values[guidances.index(g), strengths.index(s)] = found.value
    figure, axes = _axes(look, 1.3 + 1.05 * max(2, len(strengths)), 1.3 + 0.8 * len(guidances))
    # Dark is better in both maps, so that they read alike.
    picture = axes.imshow(values, cmap="viridis_r" if more else "viridis", origin="lower", aspect="auto")
    for y, g in enumerate(guidances):
        for x, s in enumerate(strengths):
            found = place.get((s, g))
            if found is None:
                axes.text(x, y, table["not_run"], ha="center", va="center", color=colours["soft"], fontsize=8)
                continue
            red, green, blue, _ = picture.cmap(picture.norm(found.value))
            ink = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "black"
            axes.text(x, y + 0.13, f"{found.value:.2f}", ha="center", va="center", color=ink, fontsize=14)
            inner = f"n = {found.n}" if found.low is None else _ends(found, table)
            axes.text(x, y - 0.22, inner, ha="center", va="center", color=ink, fontsize=10)
    axes.set_xticks(range(len(strengths)), [shown_value("strength", s, table) for s in strengths])
    axes.set_yticks(range(len(guidances)), [shown_value("guidance_scale", g, table) for g in guidances])
    axes.set_xlabel(words("strength", table))
    axes.set_ylabel(words("guidance_scale", table))
    title = table["more_is_better" if more else "less_is_better"].format(measure=table[f"measure_{measure}"])
    _fitting_title(axes, title, colours["ink"])
    axes.tick_params(length=0)
    return _png(figure)


def _fitting_title(axes, title: str, colour: str) -> None:
    """A title in two lines, cut after its colon, where one line is wider than the figure."""
    written = axes.set_title(title, fontsize=11, color=colour)
    axes.figure.canvas.draw()
    box = written.get_window_extent()
    if box.x0 < 0 or box.x1 > axes.figure.bbox.width:
        written.set_text(title.replace(": ", ":\n"))


def front(cells: list[Cell], measure: str) -> list[int]:
    """The places of the cells on the Pareto front of faithfulness and another measure."""
    more = _more(measure)
    return pareto_front([(c.f1.value, of(c, measure).value if more else -of(c, measure).value) for c in cells])


def _ends(found, table: Mapping[str, str]) -> str:
    return table["low_to_high"].format(low=f"{found.low:.2f}", high=f"{found.high:.2f}")


def trade_off(cells: list[Cell], measure: str, look: str = "light", table: Mapping[str, str] = ENGLISH) -> bytes:
    """A PNG: faithfulness to the right, another measure up (better is always up), a point a cell, and the front."""
    more = _more(measure)
    colours = LOOK[look]
    figure, axes = _axes(look, 7.2, 4.8)
    xs, ys = [cell.f1 for cell in cells], [of(cell, measure) for cell in cells]
    strengths = [cell.settings.get("strength") for cell in cells]
    varied = len(set(strengths)) > 1
    for x, y in zip(xs, ys, strict=True):
        for ends, vertical in ((x, False), (y, True)):
            if ends.low is not None:
                line = ([x.value, x.value], [y.low, y.high]) if vertical else ([x.low, x.high], [y.value, y.value])
                axes.plot(*line, color=colours["soft"], lw=0.7, alpha=0.45, zorder=1)
    points = axes.scatter(
        [x.value for x in xs],
        [y.value for y in ys],
        c=strengths if varied else colours["soft"],
        cmap="viridis_r" if varied else None,
        s=42,
        zorder=3,
        edgecolors=colours["ink"],
        linewidths=0.5,
    )
    order = sorted(front(cells, measure), key=lambda i: xs[i].value)
    axes.plot(
        [xs[i].value for i in order],
        [ys[i].value for i in order],
        color=colours["front"],
        lw=1.5,
        marker="o",
        markersize=9,
        markerfacecolor="none",
        zorder=2,
        label=table["front"],
    )
    if varied:
        bar = figure.colorbar(points, ax=axes, pad=0.02)
        bar.set_label(words("strength", table), color=colours["ink"])
        bar.ax.tick_params(colors=colours["ink"])
        bar.outline.set_edgecolor(colours["soft"])
    if not more:
        axes.invert_yaxis()
    axes.set_xlabel(table["axis_more"].format(measure=table["axis_f1"]))
    axes.set_ylabel(table["axis_more" if more else "axis_less"].format(measure=table[f"axis_{measure}"]))
    axes.legend(loc="best", frameon=False, labelcolor=colours["ink"], fontsize=8)
    labels = table["labels"].format(names=", ".join(words(name, table) for name in cells[0].settings))
    axes.set_title(labels, fontsize=9, color=colours["ink"], loc="left")
    # Last, since it depends on where everything lies.
    others = [(xs[i].value, ys[i].value) for i in range(len(cells)) if i not in order]
    _label(axes, [(xs[i].value, ys[i].value, _short(cells[i], table)) for i in order], others, colours["front"])
    return _png(figure)


def _short(cell: Cell, table: Mapping[str, str]) -> str:
    text = ", ".join(shown_value(name, value, table) for name, value in cell.settings.items())
    return text if len(text) <= 28 else f"{text[:27]}…"


def _label(axes, points: list[tuple[float, float, str]], others: list[tuple[float, float]], colour: str) -> None:
    """Names beside points, but none that would lie on another one, or on one of the other points."""
    from matplotlib.text import Text

    axes.figure.canvas.draw()
    page, written = axes.get_window_extent(), []
    marks = axes.transData.transform([point[:2] for point in points] + others)
    # From both ends inwards: the ends of a front say most.
    for place in sorted(range(len(points)), key=lambda i: min(i, len(points) - 1 - i)):
        x, y, text = points[place]
        near = ((12, 12, "left"), (-12, -21, "right"), (12, -21, "left"), (-12, 12, "right"))
        for right, up, side in (*near, *((2 * right, 2.5 * up, side) for right, up, side in near)):
            note = axes.annotate(
                text,
                (x, y),
                (right, up),
                textcoords="offset points",
                fontsize=9,
                color=colour,
                zorder=4,
                ha=side,
                arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4},
            )
            note.get_window_extent()  # puts it in its place
            box = Text.get_window_extent(note)  # without the line to the point
            inside = page.contains(box.x0, box.y0) and page.contains(box.x1, box.y1)
            free = not any(box.overlaps(other) for other in written)
            if inside and free and not any(box.padded(3).contains(*mark) for mark in marks):
                written.append(box)
                break
            note.remove()


def _more(measure: str) -> bool:
    """Whether more of it is better."""
    return next(more for key, _, more in (*MEASURES, *PAIRED_MEASURES) if key == measure)


def _axes(look: str, width: float, height: float):
    """A figure that pyplot does not know of, so that a notebook does not show it a second time."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    colours = LOOK[look]
    figure = Figure(figsize=(width, height), facecolor=colours["paper"], layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_facecolor(colours["paper"])
    for side, spine in axes.spines.items():
        spine.set_color(colours["soft"])
        spine.set_visible(side in ("left", "bottom"))
    axes.tick_params(colors=colours["ink"])
    axes.xaxis.label.set_color(colours["ink"])
    axes.yaxis.label.set_color(colours["ink"])
    return figure, axes


def _png(figure) -> bytes:
    with io.BytesIO() as file:
        figure.savefig(file, format="png", dpi=DPI, facecolor=figure.get_facecolor())
        return file.getvalue()
