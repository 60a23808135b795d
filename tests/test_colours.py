"""The measure of colours that come back: which cells count, how far a hue is off, and the table of ranges."""

import colorsys

import pytest
import torch

from s2i_teach.training.colours import CELL, RANGES, chroma_kept, flat_cells, hue_errors, hue_table, in_range


def page(*colours: tuple[float, float, float]) -> torch.Tensor:
    """One row of cells ``(1, 3, 8, 8 · n)`` in [−1, 1], each of one colour in [0, 1]."""
    cells = [torch.tensor(colour).view(3, 1, 1).expand(3, CELL, CELL) for colour in colours]
    return torch.cat(cells, 2)[None] * 2 - 1


def hsv(hue: float, saturation: float = 0.9, value: float = 0.8) -> tuple[float, float, float]:
    return colorsys.hsv_to_rgb(hue / 360, saturation, value)


def test_flat_cells_are_of_one_strong_colour():
    white, grey, dark, pale = (1.0, 1.0, 1.0), (0.5, 0.5, 0.5), hsv(0, 0.9, 0.25), hsv(0, 0.4, 0.8)
    x = page(hsv(120), white, grey, dark, pale, hsv(230), hsv(0), hsv(0))
    x[..., 6 * CELL] = 1  # a column of the seventh cell is white
    x[..., 7 * CELL :] += torch.linspace(0, 0.09, CELL)  # and the eighth a slow change, within what counts as flat
    assert flat_cells(x).tolist() == [[[True, False, False, False, False, True, False, True]]]


def test_hue_errors_are_the_shorter_way_round():
    before = [350.0, 10.0, 100.0, 200.0, 300.0]
    turned = [20.0, -30.0, 41.0, 179.0, 0.0]
    x = page(*map(hsv, before))
    y = page(*(hsv((hue + by) % 360, 0.6, 0.5) for hue, by in zip(before, turned, strict=True)))
    hues, errors = hue_errors(x, y)
    assert (hues - torch.tensor(before)).abs().max() < 0.01
    assert (errors - torch.tensor(turned).abs()).abs().max() < 0.01


def test_a_lost_colour_is_as_wrong_as_can_be_and_a_pale_one_is_told_apart():
    x = page(hsv(120), hsv(120), hsv(120))
    y = page((0.5, 0.5, 0.5), hsv(120, 0.45, 0.8), hsv(120))
    _, errors = hue_errors(x, y)
    assert errors.tolist() == pytest.approx([180, 0, 0], abs=0.01)
    assert chroma_kept(x, y).tolist() == pytest.approx([0, 0.5, 1], abs=1e-5)


def test_cells_come_picture_by_picture():
    x = torch.cat([page((1.0, 1.0, 1.0), hsv(10)), page(hsv(60), hsv(200))])
    hues, _ = hue_errors(x, x)
    assert hues.tolist() == pytest.approx([10, 60, 200], abs=0.01)
    assert flat_cells(x).nonzero()[:, 0].tolist() == [0, 1, 1]


def test_every_hue_is_in_one_range():
    hues = torch.arange(0, 360.5, 0.25)
    found = torch.stack([in_range(hues, name) for name in RANGES])
    assert (found.sum(0) == 1).all()
    for name, hue in {"red": 359.0, "orange": 30.0, "yellow": 52.0, "green": 115.0, "blue": 215.0}.items():
        assert in_range(torch.tensor([hue]), name).all(), name
    assert in_range(torch.tensor([275.0, 325.0]), "purple and pink").all()


def test_the_table_counts_by_range():
    hues = torch.tensor([350.0, 5.0, 100.0, 120.0, 140.0, 160.0])
    errors = torch.tensor([50.0, 0.0, 40.0, 41.0, 180.0, 3.0])
    table = hue_table(hues, errors)
    assert table["red"][:2] == (2, 0.5)
    assert table["green"] == pytest.approx((4, 0.5, 40.0))  # exactly 40° off is not wrong; of four the lower middle one
    assert table["blue"][0] == 0 and table["blue"][1] != table["blue"][1]
