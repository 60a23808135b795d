"""The line hint: one pen, whatever a sketch was drawn with."""

import time

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation

from s2i_teach import InputError
from s2i_teach.gallery import sketches
from s2i_teach.lines import contours, drawn, line_hint

BALL = np.hypot(*np.mgrid[-1:2, -1:2]) <= 1


def page(side: int, paint, ink=0, paper=255, over: int = 8) -> Image.Image:
    """A square page on which ``paint(draw, unit, ink)`` drew in units of a 128th of its side, antialiased."""
    large = Image.new("L", (side * over, side * over), paper)
    paint(ImageDraw.Draw(large), side * over / 128, ink)
    return large.resize((side, side), Image.Resampling.BOX).convert("RGB")


def house(width: float):
    def paint(draw, unit, ink):
        def line(points):
            draw.line([(x * unit, y * unit) for x, y in points], ink, round(width * unit), "curve")
            for x, y in points:
                r = width / 2
                draw.ellipse([(x - r) * unit, (y - r) * unit, (x + r) * unit, (y + r) * unit], ink)

        line([(30, 60), (30, 110), (98, 110), (98, 60), (64, 22), (30, 60), (98, 60)])
        line([(45, 110), (45, 85), (62, 85), (62, 110)])

    return paint


def circle(x: float, y: float, radius: float):
    def paint(draw, unit, ink):
        draw.ellipse([(x - radius) * unit, (y - radius) * unit, (x + radius) * unit, (y + radius) * unit], fill=ink)

    return paint


def white(hint: Image.Image) -> np.ndarray:
    return np.asarray(hint.convert("L")) > 127


def alike(a: np.ndarray, b: np.ndarray, within: int = 1) -> float:
    """Intersection over union, a pixel counting as shared where the other has one within so many pixels."""
    wide_a, wide_b = (binary_dilation(mask, BALL, iterations=within) for mask in (a, b))
    shared = (a & wide_b) | (b & wide_a)
    return shared.sum() / (a | b).sum()


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 6])
def test_every_pen_gives_the_same_hint(width):
    wanted = white(Image.fromarray(255 - np.asarray(page(128, house(2)))))
    for ink in (0, 120):
        hint = white(line_hint(page(128, house(width), ink)))
        assert alike(hint, wanted) > 0.95, ink
        assert 0.8 < hint.sum() / wanted.sum() < 1.2, ink


@pytest.mark.parametrize("side", [128, 200, 512, 1800])
@pytest.mark.parametrize("out", [128, 512])
def test_a_size_in_and_a_size_out(side, out):
    hint = line_hint(page(side, house(1.5), over=2), (out, out))
    assert hint.mode == "RGB" and hint.size == (out, out)
    wanted = white(Image.fromarray(255 - np.asarray(page(out, house(2)))))
    assert alike(white(hint), wanted, within=out // 128) > 0.95
    assert 0.8 < white(hint).sum() / wanted.sum() < 1.2


def test_the_pen_is_two_pixels_in_128_and_soft_at_its_edge():
    def line(draw, unit, ink):
        draw.line([(0, 64 * unit), (128 * unit, 64 * unit)], ink, round(3 * unit))

    picture = page(512, line)
    for side in (128, 256, 512):
        grey = np.asarray(line_hint(picture, (side, side)).convert("L")) / 255
        assert np.allclose(grey.sum(axis=0), 2 * side / 128, rtol=0.15), "also where the line leaves the page"
    diagonal = page(128, lambda draw, unit, ink: draw.line([(20 * unit, 20 * unit), (100 * unit, 70 * unit)], ink, 16))
    grey = np.asarray(line_hint(diagonal).convert("L"))
    assert ((grey > 40) & (grey < 215)).sum() > 60


def test_a_line_of_one_pixel_on_a_large_page_lasts():
    picture = Image.new("RGB", (3000, 2000), "white")
    ImageDraw.Draw(picture).line([(300, 200), (2700, 1800)], (40, 40, 40), 1)
    hint = white(line_hint(picture, (192, 128)))
    rows, columns = np.nonzero(hint)
    assert set(range(21, 171)) <= set(columns), "without a gap"
    assert np.abs(rows - (columns * 16 / 24)).max() <= 3


def test_faint_grey_on_grey_paper_is_ink_and_a_soft_shadow_is_none():
    wanted = white(line_hint(page(128, house(2))))
    for paper, ink in ((255, 205), (255, 215), (200, 150), (120, 80)):
        assert alike(white(line_hint(page(256, house(2), ink, paper), (128, 128))), wanted) > 0.95
    shadow = np.linspace(0.5, 1, 256)[None, :, None]
    shaded = Image.fromarray((np.asarray(page(256, house(2), 60)) * shadow).astype(np.uint8))
    assert alike(white(line_hint(shaded, (128, 128))), wanted) > 0.95


def test_nothing_is_drawn_of_an_empty_page():
    for paper in (255, 180, 0):
        assert not np.asarray(line_hint(Image.new("RGB", (300, 200), (paper,) * 3), (96, 64))).any()


def test_a_dot_stays_a_dot():
    for radius in (1, 2, 3):
        for side in (128, 512):
            hint = white(line_hint(page(side, circle(60, 70, radius)), (128, 128)))
            wanted = white(Image.fromarray(255 - np.asarray(page(128, circle(60, 70, radius)))))
            assert alike(hint, wanted) == 1 and 0.7 < hint.sum() / wanted.sum() < 1.6, (radius, side)


@pytest.mark.parametrize("ink", [0, 150])
def test_a_black_area_is_given_by_its_outline(ink):
    hint = white(line_hint(page(512, circle(64, 64, 30), ink), (128, 128)))
    away = np.hypot(*(np.mgrid[:128, :128] - 63.5))
    assert np.abs(away[hint] - 30).max() < 2.5
    angles = np.arctan2(*(np.argwhere(hint) - 63.5).T)
    assert np.diff(np.sort(angles)).max() < 0.1, "without a gap"


def test_lines_on_a_grey_area_are_lines():
    def paint(draw, unit, ink):
        draw.rectangle([20 * unit, 20 * unit, 108 * unit, 108 * unit], 176, ink, round(3 * unit))
        draw.line([(20 * unit, 64 * unit), (108 * unit, 64 * unit)], ink, round(3 * unit))

    hint = white(line_hint(page(512, paint), (128, 128)))
    assert alike(hint, white(line_hint(page(512, lambda d, u, i: (
        d.rectangle([20 * u, 20 * u, 108 * u, 108 * u], 255, i, round(3 * u)),
        d.line([(20 * u, 64 * u), (108 * u, 64 * u)], i, round(3 * u)),
    )), (128, 128)))) > 0.95  # fmt: skip


def test_a_coloured_drawing_is_given_by_the_contours_of_its_regions():
    picture = Image.new("RGB", (256, 256), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle([40, 40, 215, 215], (230, 60, 50))
    draw.rectangle([128, 40, 215, 215], (60, 170, 60))  # about as bright: only the colour tells them apart
    hint = white(line_hint(picture, (128, 128)))
    wanted = Image.new("L", (128, 128))
    draw = ImageDraw.Draw(wanted)
    draw.rectangle([19, 19, 108, 108], outline=255, width=2)
    draw.line([(63, 20), (63, 107)], 255, 2)
    assert alike(hint, white(wanted)) > 0.95


def test_an_outlined_region_has_one_line():
    def paint(draw, unit, ink):
        draw.ellipse([20 * unit, 20 * unit, 108 * unit, 108 * unit], None, ink, round(4 * unit))

    filled = page(256, paint)
    ImageDraw.floodfill(filled, (128, 128), (250, 180, 40), thresh=60)
    assert alike(white(line_hint(filled, (128, 128))), white(line_hint(page(256, paint), (128, 128)))) > 0.97


def test_contours_are_thin_and_of_the_pictures_shape():
    rgb = np.asarray(page(200, house(5)))[:, :150]
    lines = contours(rgb)
    assert lines.shape == (200, 150) and lines.dtype == bool and lines.any()
    solid = lines[1:, 1:] & lines[:-1, 1:] & lines[1:, :-1] & lines[:-1, :-1]
    assert solid.sum() <= 4, "only where lines meet"
    assert drawn(lines).size == (150, 200)


def test_a_wide_page_is_padded_with_black():
    picture = page(128, house(3)).crop((0, 10, 128, 120)).resize((256, 220))
    hint = line_hint(picture, (256, 128))
    assert not white(hint)[:, :50].any() and not white(hint)[:, 206:].any()
    assert white(hint).any()
    assert line_hint(picture).size == (256, 220)
    assert line_hint(Image.new("RGB", (900, 3), "white")).size == (900, 3)
    with pytest.raises(InputError, match="0 × 5"):
        line_hint(picture, (0, 5))


def test_embedded_sketches_keep_their_lines_and_each_hint_is_the_same_again():
    for sketch in sketches():
        picture = sketch.open()
        hint = line_hint(picture)
        ink = np.asarray(picture.convert("L")) < 128
        unit = min(picture.size) / 128
        lit = white(hint)
        near = binary_dilation(ink, iterations=round(1.5 * unit))
        assert (lit & near).sum() > 0.98 * lit.sum(), sketch.name
        reached = binary_dilation(lit, iterations=round(6 * unit))
        black = sketch.name == "ice_cream_by_hand"  # a cone that is nearly all black
        assert (ink & reached).sum() > (0.92 if black else 0.99) * ink.sum(), sketch.name
    assert line_hint(picture).tobytes() == hint.tobytes()


def test_it_is_quick():
    picture = sketches()[0].open()
    line_hint(picture)
    took = []
    for _ in range(5):
        started = time.process_time()
        line_hint(picture)
        took.append(time.process_time() - started)
    assert min(took) < 0.2, "0.06 s on a free core"


def test_a_finer_pen_draws_the_same_lines_finer():
    lines = np.zeros((128, 128), dtype=bool)
    lines[64, 20:108] = True
    wide, fine = (np.asarray(drawn(lines, (512, 512), pen)).mean(axis=2) / 255 for pen in (2.0, 1.0))
    assert wide[:, 256].sum() == pytest.approx(8, abs=0.5) and fine[:, 256].sum() == pytest.approx(4, abs=0.5)
    assert wide[:, 256].argmax() == pytest.approx(fine[:, 256].argmax(), abs=4)
