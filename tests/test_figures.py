"""Figures carry words made from their data, and animations are whole."""

import base64
import io
import re

import pytest
import torch
from PIL import Image

from s2i_teach import InputError
from s2i_teach.widgets.figures import attention_overlay, curves, filmstrip, latent_picture, scatter, schedule, trails
from s2i_teach.widgets.show import as_html


def grey(value, side=12):
    return torch.full((3, side, side), value)


def test_a_filmstrip_shows_every_step_in_its_place():
    steps = [-1.0, 0.0, 1.0]
    sheet, alt = filmstrip({"x_t": [grey(v) for v in steps], "guess": [grey(0.0)] * 3}, ["t = 900", "t = 500", "t = 1"])
    line = sheet.height - (96 + 6) * 2 + 48  # the middle of the upper row
    found = [sheet.getpixel((sheet.width - (3 - i) * 102 + 48, line))[0] for i in range(3)]
    assert found == [0, 128, 255]
    assert "t = 900 to t = 1" in alt and "x_t differs from its last picture by 2.00 at first, 1.00 halfway" in alt
    assert "guess differs from its last picture by 0.00" in alt


def test_a_filmstrip_of_other_things_names_its_rows_and_columns():
    rows = {"small": [grey(0.0)] * 2, "large": [grey(1.0)] * 2}
    film, _ = filmstrip(rows, ["cat,\nowl", "fish"])
    sheet, alt = filmstrip(rows, ["cat,\nowl", "fish"], steps=False)
    assert alt == "Rows: small; large. Columns: cat, owl; fish."
    assert film.tobytes() == sheet.tobytes()


def test_a_filmstrip_that_does_not_fit():
    with pytest.raises(InputError, match="2 pictures for 1 captions"):
        filmstrip({"x_t": [grey(0.0)] * 2}, ["t = 1"])


def test_an_animation_keeps_its_pictures_and_their_order():
    film = [Image.new("RGB", (32, 32), (value, value, value)) for value in (10, 120, 240)]
    html = as_html(film, "From black to white.", width=64)
    kind, data = re.search(r'src="data:image/(\w+);base64,([^"]+)"', html).groups()
    assert kind == "webp" and 'alt="From black to white."' in html and 'width="64"' in html
    with Image.open(io.BytesIO(base64.b64decode(data))) as shown:
        assert shown.n_frames == 3
        for number, value in enumerate((10, 120, 240)):
            shown.seek(number)
            assert abs(shown.convert("RGB").getpixel((16, 16))[0] - value) <= 4


@pytest.mark.parametrize("thing", [[], ["a.png"], 3, None])
def test_what_cannot_be_shown(thing):
    with pytest.raises(InputError, match="cannot be shown"):
        as_html(thing, "Nothing.")


def test_alternative_text_tells_the_data():
    _, alt = curves([0, 1, 2], {"loss": [3.0, 2.0, 0.5]}, x_label="step", y_label="loss")
    assert "from 3 over 2 in the middle to 0.5" in alt
    _, alt = scatter({"ends": torch.zeros(4, 2) + 1})
    assert "4 points around (1.00, 1.00)" in alt


def test_trails_end_where_the_paths_do_and_tell_their_length():
    corner = torch.tensor([[[0.0, 0.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.5]], [[1.0, 1.0], [1.0, 2.0]]])
    figure, alt = trails({"round": corner, "straight": corner[[0, 2]]}, dots={"data": torch.zeros(3, 2)})
    assert "round: 2 paths, 1.24 times as long" in alt and "straight: 2 paths, 1.00 times" in alt and "data" in alt
    lines = figure.axes[0].get_lines()
    assert [list(line.get_xydata()[-1]) for line in lines if len(line.get_xdata()) == 3] == [[1, 1], [1, 2]]
    assert len(figure.axes) == 2


def test_bars_are_drawn_and_told():
    lines = {"a": [1.0, 2.0, 3.0], "b": [3.0, 2.0, 1.0]}
    plain, _ = curves([0, 1, 2], lines, x_label="x", y_label="y")
    figure, alt = curves([0, 1, 2], lines, x_label="x", y_label="y", errors={"b": [0.1, 0.2, 0.4]})
    count = [len(f.axes[0].collections) for f in (plain, figure)]
    assert count == [0, 1] and alt.count("with bars of") == 1 and "±0.1 to ±0.4" in alt
    for bad in ({"c": [0.1, 0.1, 0.1]}, {"a": [0.1]}):
        with pytest.raises(InputError, match="give a line's name"):
            curves([0, 1, 2], lines, x_label="x", y_label="y", errors=bad)


def test_an_attention_overlay_is_bright_where_the_word_is_looked_at():
    weights = torch.zeros(8, 8)
    weights[0, 7] = 0.5
    sheet, alt = attention_overlay(Image.new("RGB", (128, 128), "white"), {"moon": weights})
    assert "moon most at the top right, 0.000 to 0.500" in alt
    whites = [(x, y) for x in range(sheet.width) for y in range(sheet.height) if sheet.getpixel((x, y))[0] < 120]
    assert whites, "the rest of the picture is dark"
    flat, _ = attention_overlay(grey(1.0, 64), {"even": torch.full((4, 4), 0.1)})  # nothing to stretch: all dark
    assert flat.size[0] > 0


def test_a_schedule_shows_where_the_run_starts():
    alpha_bar = torch.linspace(1, 0, 1000)
    figure, alt = schedule(alpha_bar, [600, 300, 0], [900], title="Three steps")
    assert "Three steps: 3 steps from t = 600 to 0, 1 skipped" in alt and "0.63 at the start and 1.00 at the end" in alt
    axes = figure.axes[0]
    dots = {line.get_label(): line for line in axes.lines}
    assert list(dots["3 steps run"].get_xdata()) == [600, 300, 0] and list(dots["1 steps skipped"].get_xdata()) == [900]
    assert dots["3 steps run"].get_ydata() == pytest.approx([0.4**0.5, 0.7**0.5, 1.0], abs=1e-3)
    assert any("t = 600" in text.get_text() for text in axes.texts)
    _, alt = schedule(alpha_bar, [999])
    assert "skipped" not in alt


def test_curves_with_a_logarithmic_x_have_a_tick_at_each():
    figure, _ = curves([64, 128, 1024], {"a": [1, 2, 3]}, x_label="side", y_label="y", log_x=True)
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["64", "128", "1024"]


def test_a_latent_as_colours():
    z = torch.full((4, 2, 2), 1.5)
    z[1] = 30
    shown = latent_picture(z)
    assert shown.shape == (3, 2, 2) and shown[0].unique().item() == 0.5 and shown[1].unique().item() == 1.0
