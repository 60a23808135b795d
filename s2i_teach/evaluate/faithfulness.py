"""How far a picture keeps a sketch's lines: edge precision, recall and F1, chamfer distance, SSIM of edge maps."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter
from skimage.feature import canny
from skimage.metrics import structural_similarity
from skimage.morphology import skeletonize

from s2i_teach.errors import InputError
from s2i_teach.evaluate.pixels import grey, same_size
from s2i_teach.files import written

DARKNESS = 0.5
"""Sketch pixels darker than this (0 black, 1 white) are ink."""
SIGMA = 0.012
"""Of Canny's Gaussian, as a share of the shorter side: 1.5 pixels at 128. At 3 pixels thin lines melt together (a copy
of the sketch falls below 1), below 1.5 nothing is gained."""
TOLERANCE = 0.016
"""How far an edge may lie from where it belongs, as a share of the shorter side: 2 pixels at 128. It is the smallest at
which a copy has F1 = 1. Wider ones forgive unrelated pictures: their mean F1 is 0.40 here, 0.50 at 0.03."""
CHANCE_F1 = 0.40
"""Mean F1 of a sketch with a picture of *another* thing, over 60 embedded pairs that fill their page: this, not 0, is
what an unfaithful picture has."""


@dataclass(frozen=True)
class Faithfulness:
    """Figures of one picture beside its sketch.

    Attributes:
        precision: share of the picture's edges that lie at a line of the sketch, 0 to 1.
        recall: share of the sketch's lines that the picture has an edge at, 0 to 1.
        f1: their harmonic mean, 0 to 1.
        chamfer: mean distance between lines and edges, both ways, as a share of the shorter side; 0 is perfect.
        edge_ssim: SSIM of the two blurred edge maps, −1 to 1.
    """

    precision: float
    recall: float
    f1: float
    chamfer: float
    edge_ssim: float


def ink(sketch) -> np.ndarray:
    """Where a sketch (RGB picture, dark on white) is drawn on: ``(H, W)`` bool.

    Raises:
        InputError: nothing is.
    """
    found = grey(sketch) < DARKNESS
    if not found.any():
        raise InputError("The sketch is empty: nothing on it is darker than mid-grey, so nothing can be kept or lost.")
    return found


def edges(picture, sigma: float = SIGMA) -> np.ndarray:
    """Canny's edges of a picture's brightness: ``(H, W)`` bool. ``sigma`` is a share of the shorter side."""
    return canny(grey(picture), sigma * min(picture.size))


def edge_scores(sketch, picture, tolerance: float = TOLERANCE) -> tuple[float, float, float]:
    """Edge precision, recall and F1 of a picture beside its sketch, each 0 to 1.

    A pen line has an edge on either side, and how far apart they are is the pen's affair. So a line's width counts as
    no error: an edge is right if it lies within the tolerance of *ink*, and a point on the middle of a line is found if
    an edge lies within the tolerance of the line's own border. A picture without any edge has 0, 0, 0.

    Args:
        sketch, picture: anything that :func:`s2i_teach.open_sketch` opens, of the same size.
        tolerance: as a share of the shorter side, 0 or more.

    Raises:
        InputError: sizes that differ, an empty sketch, a tolerance that is no such number.
    """
    sketch, picture = same_size(sketch, picture)
    return edge_f1(*edge_distances(ink(sketch), edges(picture)), tolerance)


def edge_distances(lines: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far a picture's edges lie from the sketch's lines, and these from the edges, as shares of the shorter side.

    Args:
        lines: where the sketch is drawn on, ``(H, W)`` bool, as :func:`ink` gives it.
        found: the picture's edges, ``(H, W)`` bool, as :func:`edges` gives them.

    Returns:
        ``to_ink``, one number an edge pixel: from there to the nearest ink. And ``to_edge``, one number a point on the
        middle of the lines: from there to the nearest edge, less the line's half width, since a pen line has its edges
        on its two sides; infinite where there is no edge at all.

    Raises:
        InputError: shapes that differ, or no ink.
    """
    lines, found = np.asarray(lines, dtype=bool), np.asarray(found, dtype=bool)
    if lines.ndim != 2 or lines.shape != found.shape or not lines.any():
        raise InputError(
            f"Lines of shape {lines.shape} and edges of shape {found.shape} cannot be compared: give two (H, W) of one "
            "size, and at least one pixel of ink."
        )
    middle = skeletonize(lines)
    half_width = distance_transform_edt(lines)[middle]
    side = min(lines.shape)
    to_ink = distance_transform_edt(~lines)[found] / side
    if not found.any():
        return to_ink, np.full(half_width.shape, np.inf)
    to_edge = distance_transform_edt(~found)[middle]
    return to_ink, np.maximum(to_edge - half_width, 0) / side


def edge_f1(to_ink: np.ndarray, to_edge: np.ndarray, tolerance: float) -> tuple[float, float, float]:
    """Precision, recall and F1 from distances: what lies as near as the tolerance, or nearer, is right.

    Args:
        to_ink: of each edge of the picture, how far the nearest ink is, ``(E,)``; empty if there is no edge.
        to_edge: of each point of the sketch's lines, how far the nearest edge is, ``(L,)``, L at least 1.
        tolerance: 0 or more, in the distances' own unit: what is exactly as far still counts as near.

    Returns:
        ``precision``, the share of edges that lie near ink; ``recall``, the share of line points near an edge; their
        harmonic mean. Each 0 to 1. A picture without edges has precision 0, and F1 is 0 where both shares are.

    Raises:
        InputError: no line point, distances that are no numbers, another tolerance.
    """
    check_distances(to_ink, to_edge, tolerance)
    precision = float((to_ink <= tolerance).mean()) if len(to_ink) else 0.0
    recall = float((to_edge <= tolerance).mean())
    if precision + recall == 0:
        return 0.0, 0.0, 0.0
    return precision, recall, 2 * precision * recall / (precision + recall)


def check_distances(to_ink, to_edge, tolerance) -> None:
    """Refuse what :func:`edge_f1` cannot judge, nan above all, which is near nothing."""
    if isinstance(tolerance, bool) or not (isinstance(tolerance, (int, float)) and 0 <= tolerance < math.inf):
        raise InputError(f"tolerance is {written(tolerance)}: use 0 or more, such as {TOLERANCE} of the shorter side.")
    for name, distances in (("to_ink", to_ink), ("to_edge", to_edge)):
        if not isinstance(distances, np.ndarray) or distances.ndim != 1 or np.isnan(distances).any():
            raise InputError(
                f"{name} is no list of distances: give what edge_distances returns, an array (n,) without nan."
            )
    if len(to_edge) == 0:
        raise InputError("There is no point of a line, so nothing can be found or lost: is the sketch empty?")


def chamfer(sketch, picture) -> float:
    """Mean distance from the sketch's lines to the nearest edge and from the edges to the nearest line, averaged.

    As a share of the shorter side; line width counts as no distance. A picture without edges is as far off as the page
    is long: its diagonal. Raises as :func:`edge_scores` does.
    """
    sketch, picture = same_size(sketch, picture)
    return _chamfer(*edge_distances(ink(sketch), edges(picture)), sketch.size)


def edge_ssim(sketch, picture) -> float:
    """SSIM (Wang et al. 2004) of the edge maps of both, −1 to 1, each blurred by the tolerance.

    Edge maps are lines one pixel wide: unblurred, a shift by one pixel would look like none of them agreeing. Large
    empty areas agree in any two drawings, so unrelated ones do not have 0. Raises as :func:`edge_scores` does.
    """
    sketch, picture = same_size(sketch, picture)
    ink(sketch)  # says if it is empty
    # Canny's on both sides, and not ink, so that a copy has exactly 1.
    return _edge_ssim(edges(sketch), edges(picture))


def faithfulness(sketch, picture) -> Faithfulness:
    """All figures of a picture beside its sketch.

    Args:
        sketch, picture: anything that :func:`s2i_teach.open_sketch` opens, of the same size; for a ``Result`` give
            ``result.sketch, result.image``.

    Raises:
        InputError: sizes that differ, or an empty sketch.
    """
    sketch, picture = same_size(sketch, picture)
    found = edges(picture)
    gaps = edge_distances(ink(sketch), found)
    return Faithfulness(*edge_f1(*gaps, TOLERANCE), _chamfer(*gaps, sketch.size), _edge_ssim(edges(sketch), found))


def _chamfer(to_ink: np.ndarray, to_edge: np.ndarray, size: tuple[int, int]) -> float:
    if not to_ink.size:
        return math.hypot(*size) / min(size)
    return float((to_ink.mean() + to_edge.mean()) / 2)


def _edge_ssim(a: np.ndarray, b: np.ndarray) -> float:
    width = TOLERANCE * min(a.shape)
    # The factor brings the blurred line's middle back to about 1.
    maps = [gaussian_filter(x.astype(float), width) * width * math.sqrt(2 * math.pi) for x in (a, b)]
    return float(structural_similarity(*maps, data_range=1.0))
