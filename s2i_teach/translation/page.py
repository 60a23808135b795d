"""A sketch from any page: what was drawn is kept as ink on white; shadow, paper, ruling and grain are left out."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

from s2i_teach.images import fit_to, open_sketch, read_picture
from s2i_teach.translation.settings import Settings

S = TypeVar("S", bound=Settings)

LARGEST = 2400
"""Pixels of the longer side on which a page is cleaned: a pencil line in a phone's photograph is still two wide."""
COARSE = 128
"""Pixels of the shorter side on which the paper is looked at."""
PEN = 12
"""What is wider is no line, on the coarse page."""
WHITE = 240
"""Paper this light, 0 to 255, needs no cleaning."""
SOLID = 0.55
"""A large area is ink if it takes this share of the paper's light, and a shadow otherwise."""
BOARD_NOTE = "The page looks like light lines on a dark board: it was turned around and cleaned to ink on white."
PAGE_NOTE = "The page was not white paper: it was cleaned to ink on white before anything else."


def open_page(sketch, settings: Settings) -> tuple[Image.Image, tuple[str, ...]]:
    """A sketch as a run takes it: upright, RGB, dark on white, at ``settings.size``; and what was done, in sentences.

    A page that is not clean is cleaned at its own size, before it is fitted, so that thin lines last: see
    :func:`clean_page`. ``settings.prepare="photo"`` cleans whatever it looks like, ``"picture"`` nothing. A drawing on
    white paper, coloured ones included, is what :func:`s2i_teach.open_sketch` makes of it, to the byte.

    Raises:
        InputError: as :func:`s2i_teach.open_sketch`.
    """
    picture = read_picture(sketch)
    turned = ImageOps.invert(picture) if settings.invert else picture
    if settings.prepare != "picture":
        clean, notes = cleaned(turned, force=settings.prepare == "photo")
        if notes:
            return (clean if settings.size is None else fit_to(clean, settings.size, settings.fit)), notes
    return open_sketch(picture, settings.size, fit=settings.fit, invert=settings.invert), ()


class Pages:
    """One sketch, opened once for each way in which settings want it: a photograph takes seconds to decode and clean."""

    def __init__(self, sketch):
        self._sketch, self._opened = read_picture(sketch), {}

    @classmethod
    def alone(cls, sketch, settings: Settings) -> "Pages":
        """A sketch opened for these settings and no others: what is kept of it has the picture's size, not its own."""
        pages = cls(sketch)
        pages._sketch, _ = pages[settings]
        return pages

    def __getitem__(self, settings: Settings) -> tuple[Image.Image, tuple[str, ...]]:
        """What :func:`open_page` gives; the very same picture where the way is the same."""
        cleaning = settings.prepare if settings.prepare in ("photo", "picture") else "as it looks"
        way = (settings.size, settings.fit, settings.invert, cleaning)
        if way not in self._opened:
            self._opened[way] = open_page(self._sketch, settings)
        return self._opened[way]


def as_opened(settings: S) -> S:
    """The settings that leave as it is what :func:`open_page` opened: it is turned and cleaned already."""
    return replace(settings, invert=False, prepare="lines" if settings.prepare == "photo" else settings.prepare)


def cleaned(picture: Image.Image, force: bool = False) -> tuple[Image.Image, tuple[str, ...]]:
    """A picture and no note where it is clean; else :func:`clean_page` of it and the sentence that says so.

    ``force`` cleans it whatever it looks like.
    """
    look = Look.at(picture)
    if not (force or look.is_dirty):
        return picture, ()
    if look.is_board:
        return clean_page(ImageOps.invert(picture)), (BOARD_NOTE,)
    return clean_page(picture), (PAGE_NOTE,)


@dataclass(frozen=True)
class Look:
    """What a page looks like from afar.

    Attributes:
        is_board: light lines on dark.
        is_dirty: one sheet that is not white, or ruled, with something drawn on it; a board that is not plain black.
    """

    is_board: bool
    is_dirty: bool

    @classmethod
    def at(cls, picture: Image.Image) -> "Look":
        """Look at an RGB picture."""
        rgb = _at_most(picture, 512)
        small = np.asarray(_coarse(rgb))
        if _rim(small).min() >= WHITE + 10:  # neither shadow nor ruling ends before the border
            return cls(False, False)
        # Paper is smooth once its lines are filled, a board once its light lines are.
        paper, board = _sheet(small), 255 - _sheet(255 - small)
        if (_rim(paper) >= WHITE).all(axis=1).mean() > 0.8:  # a drawing on white, if it is not on ruled paper
            return cls(False, bool(_ruling(_density(np.asarray(rgb)), to_border=True)))
        if _jumps(board) < min(1, _jumps(paper)) and np.median(board.mean(axis=2)) < 128:
            plain = np.percentile(board.max(axis=2), 98) <= 255 - WHITE
            return cls(True, bool(not plain and _has_lines(small, board)))
        return cls(False, _jumps(paper) < 1 and _has_lines(small, paper))


def _rim(small: np.ndarray) -> np.ndarray:
    """The outermost pixels of a coarse page, ``(N, 3)``."""
    return np.concatenate([part.reshape(-1, 3) for part in (small[:3], small[-3:], small[:, :3], small[:, -3:])])


MOST_JUMPS = 0.03
"""Share of a coarse page at which its colour may jump: more, and it is a picture of things rather than one sheet."""
MOST_SHADES = 0.08
"""The same where it only becomes darker or lighter, as at the edge of a hard shadow."""


def _jumps(paper: np.ndarray) -> float:
    """How often the colour of coarse paper ``(h, w, 3)``, uint8, jumps, as a share of :data:`MOST_JUMPS`.

    The outermost part, where sheets end, is left out. A jump of brightness alone counts less, unless others do.
    """
    height, width = (max(1, side // 12) for side in paper.shape[:2])
    inner = paper[height:-height, width:-width]
    if min(inner.shape[:2]) < 3:
        return 1.0

    def largest(values: np.ndarray, size) -> np.ndarray:
        return np.maximum(size(values[2:, 1:-1] - values[:-2, 1:-1]), size(values[1:-1, 2:] - values[1:-1, :-2]))

    jumps = (largest(inner.astype(np.int16), lambda step: np.abs(step).max(axis=2)) > 20).mean()
    # Light that is taken away divides all channels by the same number.
    hues = (largest(np.log(inner.astype(np.float32) + 8), lambda step: np.ptp(step, axis=2)) > 0.15).mean()
    return float(jumps / (MOST_JUMPS if hues > 0.005 else MOST_SHADES))


def _has_lines(small: np.ndarray, paper: np.ndarray) -> bool:
    """Whether something is drawn on paper, and leaves some of it free."""
    apart = np.abs(small.astype(np.int16) - paper).max(axis=2)
    return bool((apart > 24).mean() > 0.001 and (apart > 24).mean() < 0.5)


def clean_page(picture: Image.Image) -> Image.Image:
    """Black ink on white paper, RGB, from a photograph or scan of a page with darker lines on it.

    The page may be of any colour, in shadow, ruled or squared; the pen of any colour. The size is the picture's own, at
    most :data:`LARGEST`. Lines thinner than a 128th of the shorter side are made that wide.
    """
    picture = _at_most(picture, LARGEST)
    ink = _density(np.asarray(picture))
    for ruling, axis in _ruling(ink):
        ink = _without_ruling(ink, ruling, axis)
    return Image.fromarray(_as_ink(ink)).convert("RGB")


def _at_most(picture: Image.Image, longest: int) -> Image.Image:
    """The same, reduced so that neither side is longer."""
    if max(picture.size) <= longest:
        return picture
    scale = longest / max(picture.size)
    return picture.resize([max(1, round(side * scale)) for side in picture.size], Image.Resampling.BOX)


def _coarse(picture: Image.Image) -> Image.Image:
    scale = min(1.0, COARSE / min(picture.size))
    return picture.resize([max(1, round(side * scale)) for side in picture.size], Image.Resampling.BOX)


def _paper(small: np.ndarray) -> np.ndarray:
    """A coarse page ``(h, w, 3)``, uint8, with its dark lines filled from the paper around them."""
    from scipy.ndimage import grey_closing, median_filter

    even = median_filter(small, size=(3, 3, 1), mode="nearest")
    around = np.pad(np.maximum(even, small), ((PEN, PEN), (PEN, PEN), (0, 0)), "edge")
    return grey_closing(around, size=(PEN + 1, PEN + 1, 1))[PEN:-PEN, PEN:-PEN]


def _sheet(small: np.ndarray) -> np.ndarray:
    """:func:`_paper` without black areas: they are ink, however large; those at the border are the table's."""
    from scipy.ndimage import binary_dilation, label, median_filter

    paper = _paper(small)
    size = paper.shape[1::-1]
    least = Image.fromarray(paper).resize([-(-side // 4) for side in size], Image.Resampling.BOX)
    around = median_filter(np.asarray(least), size=(15, 15, 1), mode="nearest")
    usual = np.asarray(Image.fromarray(around).resize(size, Image.Resampling.BILINEAR))
    share = (paper / np.maximum(usual, 1)).max(axis=2)
    labels, _ = label(share < 1 - SOLID)
    rim = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    # The flank of a black area is as light as a shadow, since its last lines were filled.
    black = binary_dilation(~np.isin(labels, [0, *rim]), iterations=PEN // 3) & (share < 0.8)
    return np.where(black[..., None], usual, paper)


def _density(values: np.ndarray) -> np.ndarray:
    """How much of the paper's light each pixel of ``(H, W, 3)``, uint8, takes: ``(H, W)``, about 0 on paper, below 1."""
    from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter

    height, width = values.shape[:2]
    sheet = _sheet(np.asarray(_coarse(Image.fromarray(values))))
    paper = gaussian_filter(sheet.astype(np.float32), (1.5, 1.5, 0), mode="nearest")
    # Where a sheet ends, or a hard shadow, smooth paper would make the darker side a line.
    least, most = (extreme(sheet, size=(5, 5, 1)) for extreme in (minimum_filter, maximum_filter))
    paper = np.where((most - least).max(axis=2, keepdims=True) > 40, least, paper).astype(np.float32)
    channels = (Image.fromarray(np.ascontiguousarray(paper[..., channel])) for channel in range(3))
    full = np.stack([np.asarray(part.resize((width, height), Image.Resampling.BILINEAR)) for part in channels], axis=2)
    grain = max(0.6, 0.0016 * min(height, width))
    smooth = gaussian_filter(values.astype(np.float32), (grain, grain, 0), mode="nearest")
    taken = 1 - smooth / np.maximum(full, 16)
    # A dark table's grain is no ink, large as its share of so little light may be.
    light = full.max(axis=2, keepdims=True)
    taken *= np.minimum(1, light / (0.5 * np.median(light)))
    taken -= np.median(taken, axis=(0, 1))  # the paper is filled a little too light, by its own grain
    return np.clip(taken.max(axis=2), -1, 0.98)


def _as_ink(ink: np.ndarray) -> np.ndarray:
    """Grey values ``(H, W)``, uint8, 0 where the pen drew and 255 elsewhere, from how much light is taken."""
    from scipy.ndimage import binary_closing, binary_dilation, distance_transform_edt, label, minimum_filter
    from skimage.filters import apply_hysteresis_threshold
    from skimage.morphology import disk, skeletonize

    side = min(ink.shape)
    noise = 1.4826 * np.median(np.abs(ink - np.median(ink))) + 0.004
    seen = ink[ink > max(0.06, 4 * noise)]
    if seen.size < 16:
        return np.full(ink.shape, 255, dtype=np.uint8)
    level = np.percentile(seen, 80)
    high = max(0.45 * level, 5 * noise)
    low = max(0.22 * level, 3 * noise)
    mask = apply_hysteresis_threshold(ink, low, high)
    mask = binary_closing(mask, disk(max(1, round(0.003 * side))))
    labels, _ = label(mask, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())
    kept = sizes >= max(4, (0.008 * side) ** 2)
    kept[0] = False
    mask = kept[labels]
    if not mask.any():
        return np.full(ink.shape, 255, dtype=np.uint8)
    dark = np.clip((ink - 0.2 * level) / (0.35 * level), 0, 1) * binary_dilation(mask)
    dark = np.maximum(dark, mask * 0.6)
    grey = ((1 - dark) * 255).round().astype(np.uint8)
    width = 2 * np.median(distance_transform_edt(mask)[skeletonize(mask)])
    wider = round((side / 128 - width) / 2)
    return minimum_filter(grey, footprint=disk(wider)) if wider > 0 else grey


def _ruling(ink: np.ndarray, to_border: bool = False) -> list[tuple[np.ndarray, int]]:
    """The light that printed lines take, ``(H, W)``, with the axis that runs across them; nothing where paper is plain.

    Ruling is five or more thin straight lines at even distances that cross the whole page one way, and perhaps as many
    the other way, or else a margin's line. ``to_border`` asks that they reach both borders and are fainter than what is
    drawn.
    """
    across, down = _crossing(ink, to_border), _crossing(ink.T, to_border)
    if across is not None and down is None:
        down = _crossing(ink.T, margin=True)
    elif across is None and down is not None:
        across = _crossing(ink, margin=True)
    both = (across, 0), (None if down is None else down.T, 1)
    return [(light, axis) for light, axis in both if light is not None]


def _without_ruling(ink: np.ndarray, ruling: np.ndarray, axis: int) -> np.ndarray:
    """What the pen took of the light where printed lines took some, too; ``axis`` runs across the lines."""
    from scipy.ndimage import grey_closing

    printed = ruling > 0
    # Two inks on one spot let through the product of what each lets through.
    alone = 1 - (1 - ink) / (1 - np.minimum(ruling, 0.9))
    # A pencil as faint as the print goes on beneath it if it is on both sides.
    steps = np.diff(np.pad(np.moveaxis(printed, axis, 1), ((0, 0), (1, 1))).astype(np.int8), axis=1).ravel()
    thick = np.percentile(np.nonzero(steps < 0)[0] - np.nonzero(steps > 0)[0], 95)
    size = [1, 1]
    size[axis] = int(thick) + 2
    return np.where(printed, np.maximum(alone, grey_closing(np.where(printed, 0, ink), size=size)), ink)


TILTS = np.tan(np.radians(np.arange(-8, 8.01, 0.2)))
"""Slopes of ruling that are tried."""


def _crossing(ink: np.ndarray, to_border: bool = False, margin: bool = False) -> np.ndarray | None:
    """The light taken by lines that cross the page from left to right at even distances, ``(H, W)``, or None.

    ``margin`` looks for one or two lines, all the way across, instead.
    """
    from scipy.ndimage import grey_opening, maximum_filter1d, uniform_filter1d
    from skimage.transform import downscale_local_mean

    factor = max(1, round(min(ink.shape) / 512))
    small = downscale_local_mean(ink, (factor, factor)).astype(np.float32)
    height, width = small.shape
    if height < 64 or width < 64:
        return None
    small = np.maximum(small, 0)
    thin = uniform_filter1d(small - grey_opening(small, size=(max(5, height // 60), 1)), 9, axis=1)
    middle = np.median(thin)
    marks = thin > middle + max(0.012, 4 * np.median(np.abs(thin - middle)))
    # How much of its way across the page each straight line has marks on it, for each slope and height in the middle.
    y, x = np.nonzero(maximum_filter1d(marks, 3, axis=0))
    covered = np.empty((len(TILTS), height), dtype=np.float32)
    for number, tilt in enumerate(TILTS):
        middle = np.rint(y - tilt * (x - width / 2)).astype(int)
        covered[number] = np.bincount(middle[(middle >= 0) & (middle < height)], minlength=height) / width
    best = covered.max(axis=0)
    chance = np.median(best)
    peaks = np.nonzero((best == maximum_filter1d(best, 7)) & (best > np.clip(2 * chance, 0.6, 0.9)))[0]
    peaks = peaks[np.diff(peaks, prepend=-9) > 2]
    if margin:
        peaks = peaks[best[peaks] > 0.93]
        if not 1 <= len(peaks) <= 2:
            return None
        tilts = np.array([0, TILTS[covered[:, peaks].argmax(axis=0)].mean()])
        return _traced(ink, list(peaks * float(factor)), height / 20 * factor, tilts)
    if len(peaks) < 5:
        return None
    pitch = float(np.median(np.diff(peaks)))
    steps = np.diff(peaks) / pitch
    even = np.abs(steps - np.rint(steps)) < np.maximum(0.15, 1.5 / pitch)
    if pitch < 5 or even.mean() < 0.7 or pitch * len(peaks) < 0.4 * height:
        return None
    if to_border and not _is_printed(small, marks, peaks, TILTS[covered[:, peaks].argmax(axis=0)]):
        return None
    # Lines that the drawing hides are where the others say.
    tilts = np.polyfit(peaks, TILTS[covered[:, peaks].argmax(axis=0)], 1)
    tops = list(peaks)
    for here, there in zip(peaks[:-1], peaks[1:], strict=True):
        between = round((there - here) / pitch)
        tops += [here + (there - here) * k / between for k in range(1, between)]
    tops += np.arange(peaks[0] - pitch, -pitch, -pitch).tolist()
    tops += np.arange(peaks[-1] + pitch, height + pitch, pitch).tolist()
    return _traced(ink, [top * factor for top in sorted(tops)], pitch * factor, tilts / [factor, 1])


def _is_printed(ink: np.ndarray, marks: np.ndarray, tops, tilts) -> bool:
    """Whether most lines reach both borders and are fainter than the drawing."""
    height, width = ink.shape
    ends, taken = [], []
    for top, tilt in zip(tops, tilts, strict=True):
        x = np.arange(width)
        y = np.rint(top + tilt * (x - width / 2)).astype(int)
        inside = (y >= 1) & (y < height - 1)
        on = marks[np.clip(y, 1, height - 2)[None] + np.array([[-1], [0], [1]]), x].any(axis=0)
        edge = max(4, width // 40)
        ends += [on[:edge][inside[:edge]].mean() if inside[:edge].any() else 1, on[-edge:].mean()]
        near = ink[np.clip(y + np.arange(-3, 4)[:, None], 0, height - 1), x]
        taken.append(np.median(near, axis=1).max())
    drawn = ink[ink > 2 * np.median(taken)]
    return bool(np.mean(np.array(ends) > 0.5) > 0.8) and drawn.size > 0.001 * ink.size


def _traced(ink: np.ndarray, tops: list[float], pitch: float, tilts: np.ndarray) -> np.ndarray:
    """The light taken by lines of known height in the middle and slope, followed piece by piece along their way.

    What lies along most of a piece is the line's own; what is drawn across it is not.
    """
    from scipy.ndimage import maximum_filter1d

    height, width = ink.shape
    reach = int(max(2, min(0.3 * pitch, 0.012 * min(ink.shape))))
    offsets = np.arange(-reach, reach + 1)
    pieces = np.array_split(np.arange(width), 8)
    profiles = np.zeros((len(tops), len(pieces), len(offsets)), dtype=np.float32)
    rows = []
    for number, top in enumerate(tops):
        x = np.arange(width)
        y = np.rint(top + np.polyval(tilts, top) * (x - width / 2)).astype(int)
        rows.append(y)
        band = ink[np.clip(y + offsets[:, None], 0, height - 1), x]
        for place, piece in enumerate(pieces):
            profiles[number, place] = np.median(band[:, piece], axis=1)
    # A straight stroke of the pen may lie along a line: no piece counts for much more than its kind.
    usual = np.median(profiles.max(axis=2))
    profiles = np.minimum(profiles, 1.5 * usual)
    profiles = (maximum_filter1d(profiles, 3, axis=2) * 1.25 + 0.2 * usual) * (profiles > 0.25 * usual)
    model = np.zeros_like(ink)
    for y, profile in zip(rows, profiles, strict=True):
        for piece, light in zip(pieces, profile, strict=True):
            at = y[piece][None] + offsets[:, None]
            inside = (at >= 0) & (at < height)
            columns = np.broadcast_to(piece[None], at.shape)
            values = np.broadcast_to(light[:, None], at.shape)
            np.maximum.at(model, (at[inside], columns[inside]), values[inside])
    return model
