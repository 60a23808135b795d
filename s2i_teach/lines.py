"""What a sketch-guided model is shown, white lines on black of one pen whatever the sketch was drawn with; and what lines enclose."""

import numpy as np
from PIL import Image

from s2i_teach.images import check_size, fit_to

PEN = 2.0
"""Width of a hint's lines, in pixels at a shorter side of 128."""
THICKEST = 10.0
"""Dark things up to about this width, in pixels at a shorter side of 128, are lines or dots; wider ones are areas."""
INK = (0.07, 0.14)
"""How much darker than its surroundings a line is at least, and somewhere along it (0 to 1)."""
STEP = (0.035, 0.09)
"""How fast a colour changes across a contour at least, and somewhere along it: of the range, per 128th of the side."""
WORK = 256
"""Pixels of the shorter side on which lines are sought: twice as fine as the pen can show."""
LONGEST = 2048
"""Pixels of the longer side at most on which lines are sought."""


def line_hint(picture: Image.Image, size: tuple[int, int] | None = None, pen: float = PEN) -> Image.Image:
    """The lines of a sketch as ControlNet's scribble models expect them: RGB, white on black, antialiased.

    Every line comes out ``pen`` pixels wide at a shorter side of 128 (four times that at 512), whether it was thin, thick,
    faint or grey. Small filled dots stay dots. A larger filled area is given by its outline, and so are the coloured regions of
    a coloured drawing. See :func:`contours`.

    Args:
        picture: an upright sketch, dark on light, of any size and mode.
        size: ``(width, height)`` of the hint in pixels; the sketch is padded to it without distortion. None keeps
            the sketch's own.
        pen: :data:`PEN` is what the miniature learned and what suits a scribble.

    Raises:
        InputError: a size that cannot be used.
    """
    picture = picture.convert("RGB")
    width, height = check_size(size or picture.size)
    scale = min(WORK / min(width, height), LONGEST / max(width, height))
    work = (max(1, round(width * scale)), max(1, round(height * scale)))
    return drawn(contours(np.asarray(_reduced(picture, work))), (width, height), pen)


def _reduced(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """An RGB picture padded to ``size``; where it becomes smaller, dark lines are made wide enough to last."""
    from scipy.ndimage import minimum_filter

    factor = max(picture.width / size[0], picture.height / size[1])
    if factor >= 4:  # most of the way by plain means, which average the noise
        picture = picture.reduce(int(factor / 2))
        factor = max(picture.width / size[0], picture.height / size[1])
    if factor > 1.2:
        reach = round(factor) | 1
        picture = Image.fromarray(minimum_filter(np.asarray(picture), size=(reach, reach, 1)))
    return fit_to(picture, size)


def contours(rgb: np.ndarray) -> np.ndarray:
    """Where a person would draw a line to tell what a picture shows: ``(H, W)`` bool, one pixel wide.

    Two kinds of things, both relative to what is around them, so that grey paper and soft shadows do not count: the
    middles of dark lines, and the edges between regions of different colours. Lines are what a closing of each
    channel removes, so that an outlined region has one line and not two. Edges are sought in what it leaves: the
    gradient by Sobel's filter over all channels together (Di Zenzo 1986), thinned and followed from clear to faint ones
    (Canny 1986). Small dots are filled, less half a pen, so that :func:`drawn` gives them their own size.

    Args:
        rgb: a picture ``(H, W, 3)``, uint8. All measures are relative to its shorter side.
    """
    from scipy.ndimage import distance_transform_edt

    unit = max(1.0, min(rgb.shape[:2]) / 128)
    # Beyond the border is more paper: a line that leaves the page must not become a region there.
    margin = round(2 * THICKEST * unit)
    values = np.pad(rgb, ((margin, margin), (margin, margin), (0, 0)), "edge")
    regions = _without_lines(values, unit)
    strokes = _strokes(_ink(values, regions), unit)
    edges = _edges(regions, unit)
    if edges.any():
        strokes = _without_slivers(strokes, distance_transform_edt(~edges), unit)
        if strokes.any():  # an outlined region's edge lies under its outline
            edges &= distance_transform_edt(~strokes) > 2 * unit
    lines = _thinned(strokes, unit) | _long(edges, 3 * unit)
    return lines[margin:-margin, margin:-margin]


def _ink(values: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """How much darker than around them colours are, 0 to 1: ``(H, W)`` from two of ``(H, W, 3)``, uint8.

    On a strong colour it counts up to half less: there a pencil is not at work, but a shade.
    """
    lightest = np.maximum(regions.max(axis=2), 64).astype(np.float32)
    grey = np.clip(regions.min(axis=2) / lightest, 0.5, 1)
    return (regions - values).max(axis=2) * grey / lightest


def _without_lines(values: np.ndarray, unit: float) -> np.ndarray:
    """Colours ``(H, W, 3)``, uint8, with dark things narrower than :data:`THICKEST` filled from around them."""
    from scipy.ndimage import maximum_filter, minimum_filter

    # An octagon, as a square grown by a diamond: a square alone takes the flanks of round areas for lines.
    reach = THICKEST / 2 * unit
    diamond = round(0.59 * reach)
    square = (2 * (round(reach) - diamond) + 1,) * 2 + (1,)
    closed = maximum_filter(values, size=square)
    for _ in range(diamond):
        closed = _crossed(closed, np.maximum)
    for _ in range(diamond):
        closed = _crossed(closed, np.minimum)
    closed = minimum_filter(closed, size=square)
    for _ in range(round(2 * unit)):  # areas get the tips of their corners back
        closed = np.maximum(values, _crossed(closed, np.minimum))
    return closed


def _crossed(values: np.ndarray, extreme) -> np.ndarray:
    """The extreme of each pixel of ``(H, W, C)`` and its four neighbours."""
    out = values.copy()
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:-1], np.s_[1:])):
        extreme(out[here], values[there], out=out[here])
        extreme(out[:, here], values[:, there], out=out[:, here])
    return out


def _strokes(ink: np.ndarray, unit: float) -> np.ndarray:
    """The dark lines ``(H, W)`` bool at their own width, from how dark they are against their surroundings."""
    from scipy.ndimage import maximum_filter
    from skimage.filters import apply_hysteresis_threshold

    strokes = apply_hysteresis_threshold(ink, *INK)
    # Half as dark as the darkest nearby: soft edges of two lines do not melt into one.
    return strokes & (ink >= 0.5 * maximum_filter(ink, size=round(2 * unit) | 1))


def _without_slivers(strokes: np.ndarray, from_edges: np.ndarray, unit: float) -> np.ndarray:
    """Strokes without the specks that a closing leaves along a region's soft edge; ``from_edges`` is the way to it."""
    from scipy.ndimage import label

    labels, count = label(strokes, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    away = np.bincount(labels.ravel(), (from_edges > 1.5 * unit).ravel(), minlength=count + 1)
    return strokes & ((sizes > 6 * unit**2) | (away > 0))[labels]


def _thinned(strokes: np.ndarray, unit: float) -> np.ndarray:
    """The middles of strokes; of those as long as wide, what is more than half a pen inside."""
    from scipy.ndimage import distance_transform_edt, find_objects, label
    from skimage.morphology import skeletonize

    middles = _without_spurs(skeletonize(strokes), round(1.5 * unit))
    labels, _ = label(strokes, np.ones((3, 3)))
    inside = distance_transform_edt(strokes)
    for number, place in enumerate(find_objects(labels), 1):
        one = labels[place] == number
        radius = inside[place][one].max()
        if radius > PEN / 2 * unit and one.sum() < 1.5 * np.pi * radius**2:
            middles[place] |= one & (inside[place] > PEN / 2 * unit)
    return middles


def _without_spurs(lines: np.ndarray, length: int) -> np.ndarray:
    """Lines of one pixel without side branches of up to ``length`` pixels; other ends are where they were."""
    from scipy.ndimage import convolve, label

    ring = np.ones((3, 3), dtype=np.uint8)

    def ends(of: np.ndarray) -> np.ndarray:
        return of & (convolve(of.astype(np.uint8), ring, mode="constant") <= 2)

    bare = lines.copy()
    for _ in range(length):
        bare &= ~ends(bare)
    grown = ends(bare)
    kept = bare.copy()
    for _ in range(length):
        grown = lines & ~kept & (convolve(grown.astype(np.uint8), ring, mode="constant") > 0)
        kept |= grown
    # What was no longer than a spur, but hangs on nothing, is a small line.
    labels, count = label(lines, ring)
    gone = np.ones(count + 1, dtype=bool)
    gone[labels[kept]] = False
    return kept | (lines & gone[labels])


def _edges(values: np.ndarray, unit: float) -> np.ndarray:
    """Where colours ``(H, W, 3)``, uint8, change fastest: ``(H, W)`` bool, one pixel wide."""
    from scipy.ndimage import gaussian_filter, map_coordinates
    from skimage.filters import apply_hysteresis_threshold
    from skimage.morphology import skeletonize

    if np.ptp(values, axis=(0, 1)).max() < 255 * STEP[1]:
        return np.zeros(values.shape[:2], dtype=bool)
    # The smoothing holds that of Sobel's filter, which is a difference of neighbours after (1, 2, 1) / 4 across it.
    sigma = np.hypot(0.5 * unit, 0.5**0.5)
    smooth = gaussian_filter(values.astype(np.float32) / 255, (sigma, sigma, 0), truncate=3)
    down, right = np.gradient(smooth, axis=(0, 1))
    # The direction and speed of the fastest change of all channels together: the tensor's larger eigenvalue.
    xx, yy, xy = ((a * b).sum(axis=2) for a, b in ((right, right), (down, down), (right, down)))
    speed = np.sqrt(((xx + yy) + np.hypot(xx - yy, 2 * xy)) / 2)
    clear = speed * unit > STEP[0]
    y, x = np.nonzero(clear)
    angle = np.arctan2(2 * xy[clear], xx[clear] - yy[clear]) / 2
    step = np.sin(angle), np.cos(angle)
    ahead, behind = (
        map_coordinates(speed, (y + sign * step[0], x + sign * step[1]), order=1, mode="nearest") for sign in (1, -1)
    )
    crest = np.zeros_like(speed)
    here = speed[clear]
    crest[clear] = np.where((here >= behind) & (here >= ahead), here, 0)
    return skeletonize(apply_hysteresis_threshold(crest * unit, *STEP))


def _long(lines: np.ndarray, length: float) -> np.ndarray:
    """Lines of one pixel without pieces shorter than ``length`` pixels, which tell nothing."""
    from scipy.ndimage import label

    labels, _ = label(lines, np.ones((3, 3)))
    return lines & (np.bincount(labels.ravel())[labels] >= length)


def drawn(lines: np.ndarray, size: tuple[int, int] | None = None, pen: float = PEN) -> Image.Image:
    """Lines ``(H, W)`` bool, as :func:`contours` gives them, drawn white on black, antialiased, with a pen of that width in
    pixels at a shorter side of 128.

    ``size`` is ``(width, height)`` of the RGB picture, of the same shape as the lines' page; None is one pixel for one.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    height, width = lines.shape
    size = size or (width, height)
    if not lines.any():
        return Image.new("RGB", size)
    unit = min(lines.shape) / 128
    # A distance can be enlarged and smoothed without becoming jagged, unlike a line.
    distance = gaussian_filter(distance_transform_edt(~lines).astype(np.float32), 0.35 * unit)
    zoom = min(size) / min(lines.shape)
    field = Image.fromarray(distance).resize(size, Image.Resampling.BILINEAR)
    white = np.clip((pen / 2 * unit - np.asarray(field)) * min(1, zoom) + 0.5, 0, 1)
    grey = Image.fromarray((white * 255).round().astype(np.uint8))
    return Image.merge("RGB", (grey, grey, grey))


def outline_mask(picture: Image.Image, darkness: int = 128, gaps: tuple[float, ...] = (0.02, 0.06)) -> np.ndarray:
    """What belongs to the drawing rather than to the page: ``(H, W)`` bool, lines and all that they enclose.

    Page is what can be reached from the border without crossing a line. Lines darker than ``darkness`` (0 to 255)
    count; gaps in them, as a hand leaves them, are closed: narrow ones first, so that fine shapes stay fine, then wider
    ones. ``gaps`` are fractions of the picture's longer side.
    """
    ink = np.asarray(picture.convert("L")) < darkness
    inside = ink
    for gap in gaps if ink.any() else ():
        inside = inside | _enclosed(ink, max(1, round(gap * max(ink.shape) / 2)))
    return inside


def _enclosed(ink: np.ndarray, radius: int) -> np.ndarray:
    """What lines enclose once gaps of up to 2 · ``radius`` pixels are closed: ``(H, W)`` bool, ink included."""
    from scipy.ndimage import distance_transform_edt
    from skimage.measure import label

    margin = radius + 2
    padded = np.pad(ink, margin)
    regions = label(distance_transform_edt(~padded) > radius, connectivity=1)
    page = regions == regions[0, 0]
    # Grow the page back by what closing took from it.
    inside = (distance_transform_edt(~page) > radius) | padded
    return inside[margin:-margin, margin:-margin]
