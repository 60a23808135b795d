"""Any page becomes clean ink: what is drawn is kept; paper, light, ruling and grain are not. Clean sketches stay."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps
from scipy.ndimage import distance_transform_edt

from s2i_teach import Settings, open_sketch, read_record, sweep, translate
from s2i_teach.gallery import sketches
from s2i_teach.paths import data_dir
from s2i_teach.translation.batch import run_batch
from s2i_teach.translation.choices import PREPARE
from s2i_teach.translation.page import BOARD_NOTE, LARGEST, PAGE_NOTE, Look, clean_page, cleaned, open_page
from tests.pages import KINDS, ink_of, pages, paper

ANY = Settings("a house")


def ink_in(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L")) < 128


def found(picture: Image.Image, true: np.ndarray, within: float = 2) -> tuple[float, float]:
    """Precision and recall of a picture's ink: the share near the true ink, and of the true ink the share near it."""
    ink = ink_in(picture)
    assert ink.shape == true.shape and ink.any()
    precision = (distance_transform_edt(~true)[ink] <= within).mean()
    return precision, (distance_transform_edt(~ink)[true] <= within).mean()


def close_to(picture: Image.Image, true: np.ndarray, least: float = 0.95, within: float = 2, name: str = "") -> None:
    precision, recall = found(picture, true, within)
    assert precision > least and recall > least, f"{name}: precision {precision:.3f}, recall {recall:.3f}"
    grey = np.asarray(picture)
    assert (grey[distance_transform_edt(~true) > 8] == 255).mean() > 0.98, f"{name}: paper is white"


@pytest.mark.parametrize("kind", KINDS)
def test_of_each_kind_of_page_the_ink_is_left(kind):
    for name, picture, true in pages(kind):
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # nobody is asked to invert a board that was turned around
            clean, notes = open_page(picture, ANY)
        assert notes == (BOARD_NOTE if kind == "chalk" else PAGE_NOTE,), name
        close_to(clean, true, name=name)
        again, notes = open_page(clean, ANY)
        assert again.tobytes() == clean.tobytes() and notes == (), f"{name}: once clean it is left alone"


def test_the_measure_refuses_what_is_wrong():
    picture, true = next((picture, true) for _, picture, true in pages("squared paper"))
    with pytest.raises(AssertionError):
        close_to(picture, true)
    with pytest.raises(AssertionError):  # a threshold alone: the pen, and the paper in shadow
        shadow = next(picture for _, picture, _ in pages("gradient and shadow"))
        close_to(shadow.point(lambda value: 255 if value > 128 else 0), true)
    half = true.copy()
    half[:, : true.shape[1] // 2] = False
    with pytest.raises(AssertionError):
        close_to(Image.fromarray(np.where(half, 0, 255).astype(np.uint8)).convert("RGB"), true)


def test_a_thin_pencil_house_on_grey_paper_in_uneven_light():
    side = 480
    line = Image.new("L", (side, side))
    draw = ImageDraw.Draw(line)
    draw.line([(95, 226), (229, 87), (382, 206), (395, 398), (108, 418), (95, 226)], 255, 2)
    draw.line([(223, 410), (216, 299), (283, 295), (290, 404)], 255, 2)
    draw.polygon([(131, 257), (184, 254), (187, 306), (135, 310)], outline=255, width=2)
    ink = np.asarray(line) / 255
    sheet = paper(3, (215, 208, 190))
    sheet.draw(ink, (105, 98, 92))
    sheet.light(0.5)
    clean, notes = open_page(sheet.photographed(noise=0.02), ANY)
    close_to(clean, ink > 0.5)
    assert notes == (PAGE_NOTE,)


def test_a_blue_pen_along_the_squares_of_yellow_paper():
    side = 480
    line = Image.new("L", (side, side))
    draw = ImageDraw.Draw(line)
    draw.line([(96, 216), (240, 86), (384, 216), (384, 408), (96, 408), (96, 216)], 255, 4)
    draw.line([(211, 408), (211, 298), (278, 298), (278, 408)], 255, 4)  # walls and ground lie on the ruling
    sheet = paper(4, (250, 238, 180), fibre=0)
    colours = np.full((side, side, 3), 0.0) + sheet.colours
    colours[::24] = colours[:, ::24] = np.array((200, 215, 200)) / 255
    sheet.colours = colours
    sheet.draw(np.asarray(line) / 255, (32, 50, 150))
    picture = Image.fromarray((sheet.colours.clip(0, 1) * 255).round().astype(np.uint8))
    clean, notes = open_page(picture, ANY)
    close_to(clean, np.asarray(line) > 127, least=0.98)
    assert notes == (PAGE_NOTE,)


def test_pencil_on_squared_paper_goes_on_beneath_the_print():
    ink = ink_of("cat_by_hand", thin=True)
    sheet = paper(1, (245, 244, 240))
    sheet.rule(22, (150, 180, 215), tilt=1)
    sheet.draw(ink, (70, 70, 75), 0.75, 0.6)
    sheet.light(0.6)
    close_to(open_page(sheet.photographed(), ANY)[0], ink > 0.5)


def test_a_margins_line_goes_with_the_ruling():
    ink = ink_of("snail")
    sheet = paper(2, (248, 246, 240))
    sheet.rule(28, (120, 160, 220), 1.5, both=False)
    line = np.zeros_like(ink)
    line[:, 30:32] = 1
    sheet.draw(line, (215, 90, 90))
    sheet.draw(ink, (40, 40, 50))
    sheet.light(0.6)
    close_to(open_page(sheet.photographed(), ANY)[0], ink > 0.5)


def test_ruling_on_paper_that_is_white():
    for both in (True, False):
        ink = ink_of("rocket")
        sheet = paper(5, fibre=0)
        sheet.rule(26, (150, 190, 225), 1.2, both=both)
        sheet.draw(ink, (30, 40, 120))
        clean, notes = open_page(Image.fromarray((sheet.colours * 255).round().astype(np.uint8)), ANY)
        assert notes == (PAGE_NOTE,)
        close_to(clean, ink > 0.5)


def test_a_hard_shadow_is_no_line():
    ink = ink_of("fish_by_hand")
    sheet = paper(6, (240, 238, 230))
    sheet.draw(ink, (50, 50, 60))
    sheet.shadow(0.5, soft=0.015)
    close_to(open_page(sheet.photographed(), ANY)[0], ink > 0.5)


def test_black_areas_stay_black():
    ink = np.zeros((480, 480))
    ink[np.hypot(*(np.mgrid[:480, :480] - np.array([200, 240])[:, None, None])) < 70] = 1
    ink[360:366, 60:420] = 1
    sheet = paper(7, (235, 230, 215))
    sheet.draw(ink, (35, 35, 40))
    sheet.light(0.6)
    clean, _ = open_page(sheet.photographed(), ANY)
    close_to(clean, ink > 0.5)
    assert ink_in(clean)[160:240, 200:280].all()


@pytest.mark.parametrize("side", [128, 200, 1600])
def test_pages_of_any_size(side):
    ink = ink_of("house", side=side)
    sheet = paper(8, (240, 236, 220), side=side)
    sheet.draw(ink, (40, 40, 120))
    sheet.light(0.5)
    close_to(open_page(sheet.photographed(), ANY)[0], ink > 0.5, within=max(2, side / 240))


def test_a_thin_line_of_a_large_photograph_lasts_at_the_models_size():
    side = 2000
    ink = np.zeros((side, side))
    ink[600:604, 300:1700] = ink[300:1700, 900:904] = 1
    sheet = paper(9, (225, 220, 210), side=side)
    sheet.draw(ink, (110, 108, 105))
    sheet.light(0.6)
    small, _ = open_page(sheet.photographed(noise=0.01), Settings("a cross", size=(128, 128)))
    grey = np.asarray(small.convert("L"))
    assert grey[38, 25:105].max() < 140 and grey[25:105, 57].max() < 140
    assert np.median(grey) == 255
    plain = np.asarray(open_sketch(sheet.photographed(noise=0.01), (128, 128)).convert("L"))
    assert plain[38, 25:105].min() > 100, "without cleaning it nearly drowns in the paper"


def test_a_page_larger_than_is_looked_at():
    picture = Image.new("RGB", (LARGEST + 600, 900), (230, 225, 200))
    ImageDraw.Draw(picture).line([(200, 200), (2600, 700)], (20, 20, 20), 12)
    clean = clean_page(picture)
    assert clean.size[0] == LARGEST and ink_in(clean).any()


def test_embedded_sketches_are_not_touched():
    for sketch in sketches():
        cropped = Settings("x", size=(256, 128), fit="crop", prepare="filled")
        for settings in (ANY, Settings("x", size=(128, 128)), cropped):
            opened, notes = open_page(sketch, settings)
            assert opened.tobytes() == open_sketch(sketch, settings.size, fit=settings.fit).tobytes(), sketch.name
            assert notes == ()
        for picture in (jpeg(sketch.open()), open_sketch(sketch, (128, 128))):
            assert not Look.at(picture).is_dirty, sketch.name


def test_coloured_drawings_are_not_touched():
    paths = sorted((data_dir() / "pairs").glob("*/*.webp"))[::37]
    assert len(paths) > 100
    for path in paths:
        picture = open_sketch(path)
        opened, notes = open_page(path, ANY)
        assert opened.tobytes() == picture.tobytes() and notes == (), path.name
        assert not Look.at(jpeg(picture)).is_dirty, path.name


def test_pictures_that_are_no_page_are_not_touched():
    rng = np.random.default_rng(0)
    things = Image.new("RGB", (300, 200), (120, 170, 230))
    draw = ImageDraw.Draw(things)
    draw.rectangle([0, 140, 300, 200], (80, 150, 60))
    draw.ellipse([60, 60, 140, 170], (200, 60, 50))
    draw.rectangle([180, 70, 260, 160], (240, 220, 160))
    for picture in (
        Image.fromarray(rng.integers(0, 256, (90, 90, 3), dtype=np.uint8)),
        things,
        Image.new("RGB", (50, 70), (180, 180, 180)),
        Image.new("RGB", (9, 9), "white"),
        Image.new("RGB", (1, 1)),
    ):
        opened, notes = open_page(picture, ANY)
        assert opened.tobytes() == picture.tobytes() and notes == ()


def test_a_drawing_of_lines_at_even_distances_is_no_ruled_paper():
    fence = Image.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(fence)
    for x in range(40, 380, 24):
        draw.line([(x, 60), (x, 340)], "black", 3)
    draw.line([(20, 120), (380, 120)], "black", 3)
    edge_to_edge = Image.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(edge_to_edge)
    for y in range(20, 400, 30):
        draw.line([(0, y), (400, y)], "black", 4)
    for picture in (fence, edge_to_edge):
        assert not Look.at(picture).is_dirty


def test_white_on_plain_black_is_asked_about_as_before():
    dark = ImageOps.invert(sketches()[0].open())
    with pytest.warns(UserWarning, match="invert=True"):
        opened, notes = open_page(dark, ANY)
    assert opened.tobytes() == dark.tobytes() and notes == ()
    turned, notes = open_page(dark, Settings("x", invert=True))
    assert turned.tobytes() == sketches()[0].open().tobytes() and notes == ()
    cleaned_too, notes = open_page(dark, Settings("x", prepare="photo"))
    close_to(cleaned_too, ink_in(turned))
    assert notes == (BOARD_NOTE,)


def test_a_board_that_somebody_inverts_is_cleaned_once():
    _, picture, true = next(pages("chalk"))
    clean, notes = open_page(picture, Settings("x", invert=True))
    close_to(clean, true)
    assert notes == (PAGE_NOTE,)


def test_photo_cleans_what_does_not_look_like_a_page():
    """A sheet on a table: its edge makes it a picture of things."""
    ink = ink_of("house")
    sheet = paper(0, (90, 60, 40))
    on_it = np.zeros_like(ink)
    on_it[30:-30, 50:-40] = 1
    sheet.draw(on_it, (235, 233, 228))
    sheet.draw(ink * on_it, (40, 40, 50))
    picture = sheet.photographed()
    assert open_page(picture, ANY)[1] == ()
    clean, notes = open_page(picture, Settings("x", prepare="photo"))
    assert notes == (PAGE_NOTE,)
    close_to(clean, (ink * on_it) > 0.5)
    squared = next(pages("squared paper"))[1]
    assert open_page(squared, ANY)[1] == (PAGE_NOTE,)
    assert open_page(squared, Settings("x", prepare="picture")) == (open_sketch(squared), ())
    nothing, _ = cleaned(Image.new("RGB", (60, 40), (200, 190, 180)), force=True)
    assert np.asarray(nothing).min() == 255


def test_a_result_says_so_and_its_file_repeats_itself(tiny_pipe, tmp_path):
    _, picture, true = next(pages("lined paper"))
    common = dict(pipe=tiny_pipe, num_inference_steps=3, size=(64, 64))
    for prepare in ("lines", "filled", "photo"):
        result = translate(picture, "a house", prepare=prepare, **common)
        assert PAGE_NOTE in result.notes
        assert result.sketch.tobytes() == open_page(picture, result.settings)[0].tobytes()
        assert result.settings.prepare == ("lines" if prepare == "photo" else prepare)
        record = read_record(result.save(tmp_path / f"{prepare}.png"))
        again = translate(record.sketch, "a house", prepare=record.settings.prepare, **common)
        assert again.image.tobytes() == result.image.tobytes() and PAGE_NOTE not in again.notes
    assert np.median(result.sketch) == 255
    assert PAGE_NOTE not in translate(sketches()[0], "a house", **common).notes


def test_a_sweep_opens_its_page_as_single_runs_do(tiny_pipe, tmp_path):
    _, picture, _ = next(pages("pencil"))
    common = dict(pipe=tiny_pipe, num_inference_steps=3, size=(64, 64), seed=2)
    made = sweep(picture, "a house", prepare=list(PREPARE), quiet=True, to=tmp_path, **common)
    assert list(made.table["prepare"]) == list(PREPARE)
    for how in PREPARE:
        cell, single = made.result(prepare=how), translate(picture, "a house", prepare=how, **common)
        assert cell.notes == single.notes == (() if how == "picture" else (PAGE_NOTE,))
        assert cell.sketch.tobytes() == single.sketch.tobytes() and cell.settings == single.settings
        assert np.abs(np.asarray(cell.image).astype(int) - np.asarray(single.image)).max() <= 1
    kept = sweep(picture, "a house", prepare=list(PREPARE), quiet=True, to=tmp_path, **common)
    assert kept.counts.calls == 0
    settings = Settings("a house", num_inference_steps=3, size=(64, 64)).resolved(tiny_pipe)
    assert len(list(run_batch(picture, [settings], tiny_pipe))) == 1


def test_a_photograph_on_the_pad_is_ink_and_one_to_trace_is_not():
    from s2i_teach.widgets.sketch_pad import SketchPad

    _, picture, true = next(pages("coloured paper"))
    pad = SketchPad(picture)
    close_to(pad.image(*picture.size), true)
    pad.trace_over(picture)
    traced = pad.trace
    pad.trace_over(clean_page(picture))
    assert traced != pad.trace


def jpeg(picture: Image.Image) -> Image.Image:
    with io.BytesIO() as file:
        picture.save(file, "JPEG", quality=75)
        return Image.open(io.BytesIO(file.getvalue())).convert("RGB")
