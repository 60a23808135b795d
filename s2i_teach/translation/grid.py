"""A sweep's pictures as one figure."""

from itertools import product

from s2i_teach.translation.wording import value_words

NAMES = {
    "strength": "strength",
    "guidance_scale": "guidance scale",
    "num_inference_steps": "steps",
    "negative_prompt": "negative prompt",
    "control_scale": "control scale",
    "control_start": "control start",
    "control_end": "control end",
    "style_weight": "style weight",
}


def grid_figure(axes: dict[str, tuple], results, side: float):
    """The figure of :meth:`s2i_teach.translation.sweep.Sweep.figure`."""
    from matplotlib.figure import Figure

    names = list(axes)
    if len(names) == 1:
        down, across, panels = None, names[0], None
    else:
        down, across, panels = names[0], names[1], names[2] if len(names) == 3 else None
    cells = dict(zip(product(*(range(len(values)) for values in axes.values())), results, strict=True))
    rows, columns = len(axes[down]) if down else 1, len(axes[across])
    count = len(axes[panels]) if panels else 1

    # Panels stand side by side as long as the page is wide enough.
    beside = max(1, min(count, int(12 / (columns * side + 0.8))))
    lines = -(-count // beside)
    figure = Figure(figsize=(beside * (columns * side + 0.8), lines * (rows * side + 0.9)), layout="constrained")
    parts = figure.subfigures(lines, beside, squeeze=False).flatten()
    for number in range(count):
        part = parts[number]
        grid = part.subplots(rows, columns, squeeze=False)
        for row, column in product(range(rows), range(columns)):
            place = {across: column}
            if down:
                place[down] = row
            if panels:
                place[panels] = number
            result = cells[tuple(place[name] for name in names)]
            ax = grid[row][column]
            ax.imshow(result.image)
            ax.set_xticks([])
            ax.set_yticks([])
            for spine in ax.spines.values():
                spine.set_color("0.8")
            if row == rows - 1:
                ax.set_xlabel(_short(across, axes[across][column]), fontsize=9)
            if column == 0 and down:
                ax.set_ylabel(_short(down, axes[down][row]), fontsize=9)
        part.supxlabel(NAMES.get(across, across), fontsize=10)
        if down:
            part.supylabel(NAMES.get(down, down), fontsize=10)
        if panels:
            part.suptitle(f"{NAMES.get(panels, panels)} {_short(panels, axes[panels][number])}", fontsize=10)
    return figure


def _short(name: str, value) -> str:
    """What fits beside a small picture."""
    text = value_words(name, value)
    return text if len(text) <= 24 else f"{text[:23]}…"
