"""The anatomy of a run: every part of a latent diffusion model drawn as it ran, with what was measured."""

from dataclasses import dataclass
from textwrap import shorten

from s2i_teach.images import to_picture
from s2i_teach.translation.dissect import Dissection, Part, dissect
from s2i_teach.translation.settings import Settings
from s2i_teach.widgets.figures import COLOURS, latent_picture
from s2i_teach.widgets.show import as_html

LEGEND = """In each box: what comes out (channels × height × width);
parameters · time of one call · memory beside the weights.
The darker, the more of the whole time.
Dashed: skip connections, how many tensors and how large."""
HUES = {
    "text encoder": COLOURS[3],
    "VAE encoder": COLOURS[4],
    "ControlNet": COLOURS[1],
    "U-Net": COLOURS[5],
    "VAE decoder": COLOURS[2],
}


def anatomy(pipe, sketch, prompt: str, **settings) -> "Anatomy":
    """Run ``translate(sketch, prompt, pipe=pipe, **settings)`` with every part watched, and draw what ran.

    Shows itself in a notebook. ``.result`` is the picture, ``.parts`` the measurements, ``.table()`` them in words,
    ``.figure()`` the drawing with its alternative text.

    Args:
        pipe: from :func:`s2i_teach.load_pipeline`.
        sketch, prompt, settings: as for :func:`s2i_teach.translate`.

    Raises:
        InputError: as ``translate``.
    """
    return Anatomy(dissect(pipe, sketch, Settings(prompt, **settings)))


def _size(shape: tuple[int, ...]) -> str:
    """A tensor's shape without the batch, as ``96 × 8 × 8``."""
    return " × ".join(map(str, shape[1:]))


def _short(number: float) -> str:
    """A number in three digits or so: ``887``, ``28 k``, ``13.7 M``, ``860 M``."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:.{0 if number >= 100 * unit or name == 'k' else 1}f} {name}"
    return f"{number:.0f} "


def _time(seconds: float) -> str:
    """``1.3 ms``, ``45 ms``, ``6.4 s``."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{1000 * seconds:.{0 if seconds >= 0.01 else 1}f} ms"


def _measured(part: Part) -> str:
    """Parameters, time of a call and memory of a part."""
    return f"{_short(part.parameters).strip()} · {_time(part.seconds / part.calls)} · {_short(part.peak_bytes)}B"


@dataclass
class Anatomy:
    """A run taken apart, and its drawing."""

    dissection: Dissection

    @property
    def result(self):
        """The picture: a :class:`s2i_teach.Result`."""
        return self.dissection.result

    @property
    def parts(self) -> list[Part]:
        """Every part with its shapes, parameters, seconds and memory, in the order of the run."""
        return self.dissection.parts

    def seconds(self) -> dict[str, float]:
        """Seconds of the whole run by organ; ``"between"`` is guidance and the scheduler's steps."""
        organs = [organ for organ in HUES if self.dissection.organ(organ)]
        table = {organ: sum(part.seconds for part in self.dissection.organ(organ)) for organ in organs}
        return table | {"between": self.dissection.between}

    def table(self) -> str:
        """The measurements as a Markdown table."""
        lines = [
            "| organ | part | in | out | parameters | calls | ms a call | MB |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for part in self.parts:
            shapes = f"{_size(part.shape_in)} | {_size(part.shape_out)}"
            lines.append(
                f"| {part.organ} | {part.name}{', asks the words' if part.words else ''} | {shapes} "
                f"| {part.parameters:,} | {part.calls} | {1000 * part.seconds / part.calls:.2f} | {part.peak_bytes / 1e6:.2f} |"
            )
        return "\n".join(lines)

    def alt(self) -> str:
        """What the drawing shows, in words."""
        result, unet = self.result, self.dissection.organ("U-Net")
        seconds = self.seconds()
        most = max(seconds, key=lambda name: seconds[name])
        levels = ", ".join(_size(part.shape_in) for part in unet if part.name.startswith("down"))
        skips = sum(len(part.skips) for part in unet if part.name.startswith("up"))
        led = ""
        if self.dissection.organ("ControlNet"):
            led = (
                "before each run a ControlNet is shown the sketch's lines as a hint and adds to the U-Net's middle and "
                "skip connections, "
            )
        return (
            f"The run of {result.model} on {result.settings.prompt!r}: the sketch is encoded to a latent of "
            f"{_size((0, *self.dissection.latents['noisy'].shape))}, noise is added so that "
            f"{result.plan.sqrt_alpha_bar:.0%} of it is left, the U-Net runs {result.plan.evaluations} times, down "
            f"over {levels}, through its middle and up again with {skips} skip connections, {led}and the decoder makes "
            f"the picture. {most} took most of the time, {seconds[most] / sum(seconds.values()):.0%}."
        )

    def figure(self):
        """The drawing. Returns ``(figure, alt)``."""
        return _Drawing(self).figure, self.alt()

    def _repr_html_(self) -> str:
        import matplotlib.pyplot as plt

        figure, alt = self.figure()
        html = as_html(figure, alt)
        plt.close(figure)
        return html


class _Drawing:
    """Lays the organs out from left to right; units are hundredths of the width of a figure without a ControlNet."""

    ROW, HEIGHT, WIDTH = 6.6, 5.0, 20.0
    LEADS = 26.0
    """The width that a ControlNet's column takes."""

    def __init__(self, anatomy: Anatomy):
        import matplotlib.pyplot as plt

        self.found, self.result, self.plan = anatomy.dissection, anatomy.result, anatomy.result.plan
        self.total = sum(anatomy.seconds().values())
        depth = 2 + sum(part.name.startswith("down") for part in self.found.organ("U-Net"))  # with "in" and the middle
        columns = [self.found.organ(organ) for organ in ("VAE encoder", "ControlNet", "VAE decoder")]
        rows = max(depth + 1, *map(len, columns))
        self.lead = self.found.organ("ControlNet")
        self.top = 35 + (rows - 1) * self.ROW
        width, height = 100 + (self.LEADS if self.lead else 0), self.top + 7
        self.figure = plt.figure(figsize=(10.5 * width / 100, 10.5 * height / 100))
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(0, height))
        self.axes.set_autoscale_on(False)
        self.axes.axis("off")
        self.draw()

    # Pieces

    def box(self, part: Part, x: float, y: float, title: str, width: float) -> None:
        """A part: its name and shape, and below what was measured; the darker, the more of the run's time."""
        from matplotlib.patches import FancyBboxPatch

        share = part.seconds / self.total
        style = "round,pad=0,rounding_size=0.8"
        frame = (x - width / 2, y - self.HEIGHT / 2), width, self.HEIGHT
        hue = HUES[part.organ]
        self.axes.add_patch(FancyBboxPatch(*frame, boxstyle=style, fc="white", ec="none"))
        self.axes.add_patch(
            FancyBboxPatch(*frame, boxstyle=style, fc=hue, alpha=min(0.85, 0.08 + 3 * share), ec="none")
        )
        self.axes.add_patch(FancyBboxPatch(*frame, boxstyle=style, fc="none", ec=hue, lw=2.4 if part.words else 1.0))
        self.text(x, y + 0.95, f"{title}   {_size(part.shape_out)}", size=8.5, weight="bold")
        self.text(x, y - 1.15, _measured(part), size=8)

    def text(self, x: float, y: float, words: str, size: float = 9, **style) -> None:
        style = {"ha": "center", "va": "center", "color": "#222222", **style}
        self.axes.text(x, y, words, fontsize=size, parse_math=False, **style)

    def arrow(self, start, end, **style) -> None:
        style = {"arrowstyle": "-|>", "color": "#555555", "lw": 1.3, "mutation_scale": 11, **style}
        self.axes.annotate("", xy=end, xytext=start, arrowprops=style)

    def path(self, *points) -> None:
        """Straight lines from point to point, the last with an arrow's head."""
        self.axes.plot(*zip(*points[:-1], strict=True), color="#555555", lw=1.3, solid_joinstyle="round")
        self.arrow(points[-2], points[-1], shrinkA=0)

    def picture(self, image, x: float, y: float, side: float, words: str) -> None:
        """A picture around (x, y), with a line below."""
        import numpy as np
        from matplotlib.patches import Rectangle

        wide, high = image.size
        width, height = side * wide / max(image.size), side * high / max(image.size)
        place = (x - width / 2, x + width / 2, y - height / 2, y + height / 2)
        self.axes.imshow(np.asarray(image), extent=place, interpolation="nearest", aspect="auto", zorder=2)
        frame = (place[0], place[2]), width, height
        self.axes.add_patch(Rectangle(*frame, fc="none", ec="#999999", lw=0.8, zorder=3))
        self.text(x, place[2] - 1.4, words, size=8.5)

    # The organs

    def draw(self) -> None:
        beside = self.LEADS if self.lead else 0.0  # the U-Net and what follows stand so much further to the right
        left, right, middle = 13.0, 87.0 + beside, 50.0 + beside
        top = self.top
        self.header(left, middle, right)
        self.picture(self.result.prepared, left, top - 6, 11, "the sketch")
        first = top - 18
        entry = first + self.ROW  # where the U-Net's way in and out stand
        encoded = self.column(self.found.organ("VAE encoder"), left, first)
        self.arrow((left, top - 13.9), (left, first + self.HEIGHT / 2 + 0.2))
        self.unet(middle, first)
        z = {name: to_picture(latent_picture(value)) for name, value in self.found.latents.items()}
        last = first - self.ROW * (len(self.lead) - 1) if self.lead else encoded
        low = min(encoded, last) - 9.5
        self.picture(z["encoded"], left - 6, low, 8.5, "its latent")
        self.picture(z["noisy"], left + 7.5, low, 8.5, f"with noise, √ᾱ {self.plan.sqrt_alpha_bar:.2f}")
        self.arrow((left, encoded - self.HEIGHT / 2), (left - 4, low + 4.6))
        self.arrow((left - 1.6, low), (left + 3.1, low))
        bend = 25.2 + beside
        self.path((left + 11.9, low), (bend, low), (bend, entry), (bend + 2.1, entry))
        if self.lead:
            self.control(left, 37.0, first, low, middle)
        decoder = self.found.organ("VAE decoder")
        start = first - self.ROW * (len(decoder) - 1)
        self.column(decoder, right, start, upwards=True)
        self.picture(z["final"], right, low, 8.5, "the last latent")
        self.arrow((right, low + 4.5), (right, start - self.HEIGHT / 2 - 0.2))
        bend = 74.8 + beside
        self.path((bend - 2.2, entry), (bend, entry), (bend, low), (right - 4.4, low))
        self.picture(self.result.image, right, top - 6, 11, "the picture")
        self.arrow((right, first + self.HEIGHT / 2), (right, top - 13.9))

    def header(self, left: float, middle: float, right: float) -> None:
        """Titles of the organs, with their seconds."""
        y = self.top + 4.5
        times = f"{self.plan.evaluations} times"
        leads = [(37.0, "ControlNet", f"ControlNet, {times}")] if self.lead else []
        for x, organ, title in (
            (left, "VAE encoder", "VAE encoder, once"),
            *leads,
            (middle, "U-Net", f"U-Net, {times}"),
            (right, "VAE decoder", "VAE decoder, once"),
        ):
            parts = self.found.organ(organ)
            seconds, weights = sum(part.seconds for part in parts), self.found.parameters[organ]
            self.text(x, y, title, size=12, weight="bold")
            self.text(
                x, y - 2.4, f"{_short(weights).strip()} parameters, {seconds:.2f} s, {seconds / self.total:.0%}", size=9
            )

    def width(self, part: Part, parts: list[Part]) -> float:
        """Of a part's box in a column: the smaller the tensors, the narrower."""
        sides = [max(one.shape_out[2:]) for one in parts]
        return self.WIDTH - 1.1 * (max(sides) // max(part.shape_out[2:])).bit_length() + 1.1

    def column(self, parts: list[Part], x: float, y: float, upwards: bool = False) -> float:
        """An organ as a column, a box below (or above) the other; returns the last one's y."""
        sign = 1 if upwards else -1
        for number, part in enumerate(parts):
            here = y + sign * self.ROW * number
            self.box(part, x, here, part.name, self.width(part, parts))
            if number:
                edge = here - sign * self.HEIGHT / 2
                self.arrow((x, edge - sign * (self.ROW - self.HEIGHT)), (x, edge))
        return here

    def control(self, left: float, x: float, first: float, low: float, middle: float) -> None:
        """The ControlNet: from its hint down, and from its zero convolutions across to the U-Net."""
        self.picture(self.result.hint, x, self.top - 6, 11, "the hint")
        self.arrow((left + 6, self.top - 6), (x - 6, self.top - 6))
        self.arrow((x, self.top - 13.9), (x, first + self.HEIGHT / 2 + 0.2))
        parts = sorted(self.lead, key=lambda part: part.name != "hint")  # what it is shown first
        last = self.column(parts, x, first)
        # Latents come in below the hint.
        entry, edge = first - self.ROW, x - self.WIDTH / 2
        self.path((left + 11.9, low), (edge - 1.8, low), (edge - 1.8, entry), (edge + 0.2, entry))
        start, beside = x + self.width(parts[-1], parts) / 2, x + self.WIDTH / 2
        at = first - self.ROW * sum(part.name.startswith("down") for part in self.lead) - 1.5  # the U-Net's middle
        self.path((start, last), (beside + 2.2, last), (beside + 2.2, at), (middle - self.WIDTH / 2, at))
        self.text(beside + 5.2, at - 2.6, "added to the middle\nand to the skips", size=8, ha="left", linespacing=1.3)

    def unet(self, x: float, first: float) -> None:
        """The U: down on the left, up on the right, skip connections across, the words from below."""
        parts = {part.name: part for part in self.found.organ("U-Net")}
        downs = [name for name in parts if name.startswith("down")]
        ups = [name for name in parts if name.startswith("up")]
        away, width = 12.6, self.WIDTH
        left = ["in", *downs]
        right = ["out", *reversed(ups)]
        y = {level: first - self.ROW * (level - 1) for level in range(len(left) + 1)}
        for level, (one, other) in enumerate(zip(left, right, strict=True)):
            self.box(parts[one], x - away, y[level], one, width)
            self.box(parts[other], x + away, y[level], other, width)
            if level:
                self.arrow((x - away, y[level - 1] - 2.5), (x - away, y[level] + 2.5))
                self.arrow((x + away, y[level] + 2.5), (x + away, y[level - 1] - 2.5))
                across = (x - away + width / 2, x + away - width / 2)
                self.arrow((across[0], y[level]), (across[1], y[level]), linestyle="--")
                skips = parts[other].skips
                self.text(x, y[level] + 1.2, str(len(skips)), size=8)
                if skips:
                    self.text(x, y[level] - 1.4, " × ".join(map(str, skips[0][2:])), size=7)
        bottom = y[len(left) - 1] - self.ROW
        self.box(parts["middle"], x, bottom, "middle", width)
        self.arrow(
            (x - away, y[len(left) - 1] - 2.5), (x - width / 2, bottom), connectionstyle="angle3,angleA=90,angleB=0"
        )
        self.arrow(
            (x + width / 2, bottom), (x + away, y[len(left) - 1] - 2.5), connectionstyle="angle3,angleA=0,angleB=90"
        )
        # Once around for every evaluation.
        each = sum(part.seconds for part in [*parts.values(), *self.lead]) / self.plan.evaluations
        self.arrow(
            (x + away, y[0] + 2.6), (x - away, y[0] + 2.6), connectionstyle="bar,fraction=0.12", linestyle="-", lw=1.3
        )
        steps = f"{self.result.settings.scheduler or self.plan.scheduler} step"
        twice = ", with and without the words at once" if self.plan.batch == 2 else ""
        self.text(
            x, y[0] + 6.9,
            f"again after each {steps} ({_time(self.found.between / max(1, self.plan.evaluations - 1))}); "
            f"{_time(each)} an evaluation{twice}",
            size=8.5,
        )  # fmt: skip
        encoders = self.found.organ("text encoder")
        low, above = bottom - 8.2, bottom - 4.7
        places = [x] if len(encoders) == 1 else [x - away, x + away]
        for number, (encoder, place) in enumerate(zip(encoders, places, strict=True), start=1):
            name = "text encoder" if len(encoders) == 1 else f"text encoder {number}"
            self.box(encoder, place, low, name, self.WIDTH + 3)
            self.path((place, low + 2.5), (place, above), (x, above), (x, bottom - 2.6))
            self.arrow((x, low - 4.0), (place, low - 2.5))
        self.text(x + 1.3, (above + bottom - 2.6) / 2, "to all boxes with a thick frame", size=8, ha="left")
        self.text(
            x, low - 4.8, f"“{shorten(self.result.settings.prompt, 60, placeholder=' …')}”", size=10, style="italic"
        )
        self.text(x, low - 11, LEGEND, size=8.5, linespacing=1.5)
