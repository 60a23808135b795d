"""Figures for the lessons: colours that everybody can tell apart, and alternative text made from the data shown."""

from collections.abc import Sequence

import torch

from s2i_teach.errors import InputError
from s2i_teach.images import to_picture
from s2i_teach.theory.plane import spread

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Okabe & Ito's colours, which people with any kind of colour vision can tell apart."""
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1, 1, 1)))
"""A dash pattern for each colour, for grey prints."""


def _axes(width: float, height: float):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    return figure, axes


def curves(
    x,
    lines: dict,
    *,
    x_label: str,
    y_label: str,
    title: str = "",
    log: bool = False,
    log_x: bool = False,
    marks: dict | None = None,
    errors: dict | None = None,
):
    """Lines over a common x. Returns ``(figure, alt)``.

    Args:
        x: numbers ``(N,)``.
        lines: label → values ``(N,)``.
        log, log_x: a logarithmic y axis, x axis (with a tick at every x).
        marks: label → x of a vertical mark.
        errors: label → half the length of a vertical bar at each x ``(N,)``, for some lines or all. Lines with bars stand a little
            beside one another, or one would hide the others.

    Raises:
        InputError: ``errors`` names no line, or has other numbers of values.
    """
    for label, bars in (errors or {}).items():
        if label not in lines or len(bars) != len(lines[label]):
            raise InputError(
                f"errors has {label!r} with {len(bars)} values: give a line's name, and a value for each of its."
            )
    figure, axes = _axes(7, 3.2)
    x = [float(value) for value in x]
    words = []
    largest = max((abs(float(value)) for values in lines.values() for value in values), default=0.0)

    def told(value: float) -> str:
        return f"{0 if not log and abs(value) < largest / 1000 else value:.3g}"

    for number, (label, values) in enumerate(lines.items()):
        y = [float(value) for value in values]
        style = {"color": COLOURS[number % 7], "linestyle": DASHES[number % 7], "linewidth": 2}
        beside = (number - (len(lines) - 1) / 2) * (max(x) - min(x)) / 80 if errors and not log_x else 0.0
        at = [place + beside for place in x]
        axes.plot(at, y, label=label, **style)
        if errors and label in errors:
            bars = [float(value) for value in errors[label]]
            axes.errorbar(at, y, bars, fmt="none", ecolor=style["color"], capsize=3)
        middle = y[len(y) // 2]
        words.append(f"{label} goes from {told(y[0])} over {told(middle)} in the middle to {told(y[-1])}")
        if errors and label in errors:
            words[-1] += f", with bars of ±{min(bars):.2g} to ±{max(bars):.2g}"
    for label, place in (marks or {}).items():
        axes.axvline(float(place), color="#666666", linewidth=1)
        axes.annotate(
            label, (float(place), axes.get_ylim()[1]), textcoords="offset points", xytext=(4, -12), fontsize=9
        )
    if log:
        axes.set_yscale("log")
        everything = [float(value) for values in lines.values() for value in values]
        if max(everything) < 20 * min(everything):
            _plain_numbers(axes.yaxis)
    if log_x:
        axes.set_xscale("log")
        axes.set_xticks(x, [f"{value:g}" for value in x])
        axes.minorticks_off()
    axes.set(xlabel=x_label, ylabel=y_label, title=title)
    if len(lines) > 1:
        axes.legend(frameon=False)
    alt = f"{title or y_label} over {x_label}, from {x[0]:.4g} to {x[-1]:.4g}: {'; '.join(words)}."
    return figure, alt


def _plain_numbers(axis) -> None:
    """Write a logarithmic axis of little more than a decade as 0.2, 0.4, … rather than as powers of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 4, 6, 8)))
    axis.set_major_formatter(ScalarFormatter())
    axis.set_minor_formatter(NullFormatter())


def schedule(alpha_bar: torch.Tensor, run: list[int], skipped: Sequence[int] = (), *, title: str = ""):
    """A noise schedule and the timesteps that a run visits. Returns ``(figure, alt)``.

    Args:
        alpha_bar: ᾱ ``(T,)``; √ᾱ, the picture's factor, and √(1 − ᾱ), the noise's, are drawn.
        run: timesteps that are visited, the noisiest first.
        skipped: those that strength leaves out.
    """
    signal, noise = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    figure, axes = _axes(7, 3.2)
    axes.plot(signal.tolist(), color=COLOURS[0], label="√ᾱ, the picture's factor", linewidth=2)
    axes.plot(noise.tolist(), color=COLOURS[1], label="√(1 − ᾱ), the noise's", linewidth=2, linestyle=DASHES[1])
    for times, words, style in (
        (run, "run", {"color": COLOURS[0]}),
        (skipped, "skipped", {"mfc": "white", "mec": "#777777"}),
    ):
        if len(times):
            heights = signal[torch.as_tensor(times)].tolist()
            axes.plot(times, heights, "o", label=f"{len(times)} steps {words}", markersize=5, zorder=3, **style)
    start = signal[run[0]].item()
    # The words stand where no curve is: below the start on the right, above it on the left.
    right = run[0] < 0.6 * len(alpha_bar)
    axes.annotate(
        f"starts at t = {run[0]}\n√ᾱ = {start:.2f}",
        (run[0], start),
        xytext=(12 if right else -12, 16 if right else -30),
        textcoords="offset points",
        ha="left" if right else "right",
        fontsize=9,
        arrowprops={"arrowstyle": "-", "color": "#777777"},
    )
    axes.set(xlabel="timestep t", ylabel="factor", title=title, ylim=(-0.03, 1.05))
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
    alt = (
        f"{title or 'The noise schedule'}: {len(run)} steps from t = {run[0]} to {run[-1]}"
        f"{f', {len(skipped)} skipped' if len(skipped) else ''}; the picture's factor is {start:.2f} at the start and "
        f"{signal[run[-1]]:.2f} at the end."
    )
    return figure, alt


def histogram(values: dict, *, x_label: str, title: str = "", bins: int = 60, span: tuple[float, float] = (-4, 4)):
    """Histograms of numbers (tensors of any shape), as densities. Returns ``(figure, alt)``."""
    figure, axes = _axes(5, 2.6)
    words = []
    for number, (label, numbers) in enumerate(values.items()):
        flat = torch.as_tensor(numbers).flatten().float()
        axes.hist(
            flat.tolist(),
            bins,
            span,
            density=True,
            histtype="step",
            linewidth=2,
            label=label,
            color=COLOURS[number % 7],
        )
        words.append(f"{label} has mean {flat.mean():.2f} and standard deviation {flat.std():.2f}")
    axes.set(xlabel=x_label, ylabel="density", title=title)
    if len(values) > 1:
        axes.legend(frameon=False)
    return figure, f"Histogram of {x_label}: {'; '.join(words)}."


def scatter(
    groups: dict, *, title: str = "", arrows: tuple | None = None, span: float = 2.5, size: float = 3.6, rows: int = 1
):
    """Points of the plane, ``(N, 2)`` a group. Returns ``(figure, alt)``.

    Args:
        groups: label → points; a dict of such dicts makes one panel for each, in ``rows`` rows.
        arrows: from and to, each ``(N, 2)``, drawn below the points (one panel only).
        span: both axes go from −span to span.
    """
    import matplotlib.pyplot as plt

    panels = groups if isinstance(next(iter(groups.values())), dict) else {title: groups}
    columns = -(-len(panels) // rows)
    figure, axes = plt.subplots(
        rows, columns, figsize=(size * columns, (size + 0.3) * rows), layout="constrained", squeeze=False
    )
    words = []
    for place, (name, panel) in zip(axes.flat, panels.items(), strict=False):
        if arrows is not None:
            start, step = torch.as_tensor(arrows[0]), torch.as_tensor(arrows[1]) - torch.as_tensor(arrows[0])
            place.quiver(
                *start.T.tolist(),
                *step.T.tolist(),
                angles="xy",
                scale_units="xy",
                scale=1,
                width=0.004,
                color="#999999",
            )
        for number, (label, points) in enumerate(panel.items()):
            xy = torch.as_tensor(points).float()
            marker = "os^Dv"[number % 5]
            place.scatter(*xy.T.tolist(), s=14, marker=marker, label=label, color=COLOURS[number % 7], alpha=0.8)
            mean, wide = xy.mean(0), spread(xy)
            words.append(
                f"{name + ', ' if name else ''}{label}: {len(xy)} points around ({mean[0]:.2f}, {mean[1]:.2f}), "
                f"spread {wide:.2f}"
            )
        place.set(xlim=(-span, span), ylim=(-span, span), aspect="equal", title=name)
        place.spines[["top", "right"]].set_visible(False)
        place.tick_params(labelsize=8)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    if len(labels) > 1:
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure, f"{title or 'Points of the plane'}. {'; '.join(words)}."


def trails(panels: dict, *, dots: dict | None = None, span: float = 2.5, size: float = 3.6):
    """Paths of points of the plane, a panel for each kind, from a ring to a filled dot. Returns ``(figure, alt)``.

    Args:
        panels: name → places ``(T, B, 2)``, T places of each of B points.
        dots: label → points ``(N, 2)`` that lie below the paths in every panel.
        span: both axes go from −span to span.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, len(panels), figsize=(size * len(panels), size + 0.3), layout="constrained", squeeze=False
    )
    words = []
    for place, (name, path) in zip(axes.flat, panels.items(), strict=True):
        path = torch.as_tensor(path).float()
        for label, points in (dots or {}).items():
            place.scatter(*torch.as_tensor(points).T.tolist(), s=9, color="#AAAAAA", label=label)
        for number in range(path.shape[1]):
            colour = COLOURS[number % 7]
            place.plot(*path[:, number].T.tolist(), color=colour, linewidth=1.2)
            place.plot(*path[0, number].tolist(), marker="o", color=colour, markerfacecolor="white", markersize=5)
            place.plot(*path[-1, number].tolist(), marker="o", color=colour, markersize=5)
        way, straight = path.diff(dim=0).norm(dim=2).sum(), (path[-1] - path[0]).norm(dim=1).sum()
        words.append(f"{name}: {path.shape[1]} paths, {way / straight:.2f} times as long as straight lines")
        place.set(xlim=(-span, span), ylim=(-span, span), aspect="equal", title=name)
        place.spines[["top", "right"]].set_visible(False)
        place.tick_params(labelsize=8)
    below = f" Below them lie {', '.join(dots)}." if dots else ""
    return figure, f"{'; '.join(words)}.{below}"


def latent_picture(z: torch.Tensor) -> torch.Tensor:
    """The first three channels of a latent ``(C, h, w)`` as red, green and blue, ±3 as the full range: ``(3, h, w)``.

    The colours mean nothing by themselves: each channel is the VAE's own code.
    """
    return (z[:3] / 3).clamp(-1, 1)


def _enlarged(picture, side: int):
    """A tensor or PIL picture as a PIL picture, its pixels repeated as often as fits into ``side``."""
    from PIL import Image

    image = to_picture(picture) if isinstance(picture, torch.Tensor) else picture
    factor = max(1, side // max(image.size))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def picture_row(pictures: dict, *, side: int = 128, columns: int | None = None):
    """Pictures, tensors ``(3, H, W)`` in [−1, 1] or PIL, in a row with a caption each. Returns ``(sheet, alt)``."""
    from s2i_teach.gallery import contact_sheet

    groups = [([_enlarged(picture, side)], label) for label, picture in pictures.items()]
    alt = f"{len(groups)} pictures in a row: {', '.join(pictures)}."
    return contact_sheet(groups, columns or len(groups), side), alt


def filmstrip(rows: dict, captions: list[str], *, side: int = 96, steps: bool = True):
    """Pictures over the steps of a run: a row for each kind, a column for each step. Returns ``(sheet, alt)``.

    Args:
        rows: label (``"x_t"``, ``"guess x̂0"``, …) → tensors ``(3, H, W)`` in [−1, 1] or PIL pictures, one a step.
        captions: one a step, for instance ``"t = 801"``; a line break makes two lines.
        steps: False where the columns are no steps of a run; the alternative text then names rows and columns.

    Raises:
        InputError: a row has not as many pictures as there are captions.
    """
    from PIL import Image, ImageDraw

    from s2i_teach.gallery import font
    from s2i_teach.images import fit_to

    for label, pictures in rows.items():
        if len(pictures) != len(captions):
            raise InputError(f"{label} has {len(pictures)} pictures for {len(captions)} captions: give one a step.")
    letters, gap = font(max(11, side // 8)), 6
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    left = gap + max(round(measure.textlength(label, font=letters)) for label in rows) + gap
    lines = max(caption.count("\n") for caption in captions) if captions else 0
    top = round(letters.size * (1.8 + 1.3 * lines))
    sheet = Image.new("RGB", (left + len(captions) * (side + gap), top + len(rows) * (side + gap)), "white")
    draw = ImageDraw.Draw(sheet)
    for column, caption in enumerate(captions):
        middle = left + column * (side + gap) + side / 2
        draw.multiline_text((middle, top / 2), caption, (40, 40, 40), letters, anchor="mm", align="center")
    words = []
    for line, (label, pictures) in enumerate(rows.items()):
        y = top + line * (side + gap)
        draw.text((gap, y + side / 2), label, (40, 40, 40), letters, anchor="lm")
        for column, picture in enumerate(pictures):
            image = fit_to(_enlarged(picture, side).convert("RGB"), (side, side))
            x = left + column * (side + gap)
            draw.rectangle([x - 1, y - 1, x + side, y + side], outline=(205, 205, 205))  # white paper on a white sheet
            sheet.paste(image, (x, y))
        if all(isinstance(picture, torch.Tensor) for picture in pictures):
            far = [(picture - pictures[-1]).abs().mean().item() for picture in pictures]
            words.append(
                f"{label} differs from its last picture by {far[0]:.2f} at first, {far[len(far) // 2]:.2f} halfway"
            )
        else:
            words.append(label)
    if not steps:
        columns = "; ".join(caption.replace("\n", " ") for caption in captions)
        return sheet, f"Rows: {'; '.join(rows)}. Columns: {columns}."
    return sheet, f"{len(captions)} steps, {captions[0]} to {captions[-1]}. {'; '.join(words)}."


def attention_overlay(picture, maps: dict, *, side: int = 128, columns: int | None = None):
    """A picture once for each word, bright where the word is looked at. Returns ``(sheet, alt)``.

    Args:
        picture: a PIL picture or a tensor ``(3, H, W)`` in [−1, 1].
        maps: word → ``(h, w)`` of weights; each is stretched from its least (dark) to its greatest (bright), which stands in
            the caption.
    """
    from PIL import Image

    image = to_picture(picture) if isinstance(picture, torch.Tensor) else picture.convert("RGB")
    dark = Image.blend(image, Image.new("RGB", image.size, (0, 20, 60)), 0.8)
    shown, words = {}, []
    for word, weights in maps.items():
        low, high = weights.min(), weights.max()
        bright = (weights - low) / (high - low).clamp(min=1e-12)
        mask = Image.fromarray((bright * 255).round().byte().cpu().numpy()).resize(image.size, Image.Resampling.BICUBIC)
        shown[f"“{word}”, up to {high:.2f}"] = Image.composite(image, dark, mask)
        row, column = divmod(int(weights.argmax()), weights.shape[1])
        across = ("left", "middle", "right")[min(2, 3 * column // weights.shape[1])]
        down = ("top", "middle", "bottom")[min(2, 3 * row // weights.shape[0])]
        words.append(f"{word} most at the {down} {across}, {low:.3f} to {high:.3f}")
    sheet, _ = picture_row(shown, side=side, columns=columns)
    return sheet, f"Where the network looks for each word: {'; '.join(words)}."
