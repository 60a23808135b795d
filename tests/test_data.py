"""What ships: pairs, sketches, licences; their sizes, splits and formats."""

import json
import zlib

import numpy as np
import pytest
from PIL import Image

from s2i_teach import InputError, sketches
from s2i_teach.gallery import embedded_pairs
from s2i_teach.paths import data_dir
from s2i_teach.training.vocabulary import STYLES, caption, with_article

PAIRS = data_dir() / "pairs"


@pytest.fixture(scope="module")
def rows():
    return {
        split: [
            json.loads(line) for line in (PAIRS / split / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
        ]
        for split in ("train", "test")
    }


def test_861_things_in_up_to_five_styles_with_line_art(rows):
    everything = rows["train"] + rows["test"]
    assert len({row["hexcode"] for row in everything}) == 861
    for style in STYLES:
        assert sum(row["style"] == style for row in everything) >= 850
    lines = {row["file_name"] for row in everything if row["style"] == "line"}
    assert all(row["sketch"] in lines for row in everything)


def test_held_out_things_are_never_in_train(rows):
    train, test = ({row["thing"] for row in rows[split]} for split in ("train", "test"))
    assert len(test) == 86 and not train & test
    assert not {row["hexcode"] for row in rows["train"]} & {row["hexcode"] for row in rows["test"]}


def test_every_file_is_listed_and_every_listed_file_is_a_picture(rows):
    for split, table in rows.items():
        files = {path.name for path in (PAIRS / split).iterdir()} - {"metadata.jsonl"}
        assert files == {row["file_name"] for row in table}
        for row in table[::50]:
            with Image.open(PAIRS / split / row["file_name"]) as picture:
                assert picture.size == (128, 128) and picture.convert("RGB").getpixel((0, 0)) >= (240, 240, 240)


def test_captions(rows):
    assert caption("turtle", "openmoji") == "a turtle, openmoji style"
    assert caption("owl", "line") == "an owl, line art"
    assert with_article("turtle", "orange") == "an orange turtle"
    assert with_article("hourglass") == "an hourglass" and with_article("euro banknote") == "a euro banknote"
    assert with_article("unicorn") == "a unicorn" and with_article("orange", "white") == "a white orange"
    assert with_article("scissors") == "scissors" and with_article("cactus") == "a cactus"
    for row in rows["train"]:
        assert row["text"] == caption(row["thing"], row["style"])


def test_sketch_and_picture_lie_on_top_of_each_other(rows):
    """The line art's ink and OpenMoji's own picture overlap: they are true pairs."""
    overlaps = []
    for row in rows["test"]:
        if row["style"] != "openmoji":
            continue
        ink, picture = (
            np.asarray(Image.open(PAIRS / "test" / row[key]).convert("L")) < 250 for key in ("sketch", "file_name")
        )
        overlaps.append((ink & picture).sum() / max(1, ink.sum()))
    assert np.median(overlaps) > 0.95


def test_pairs_are_the_table_s_files(rows):
    for split, style in (("test", "openmoji"), ("train", "noto")):
        pairs = embedded_pairs(split, style)
        assert [pair.prompt for pair in pairs] == [row["text"] for row in rows[split] if row["style"] == style]
        assert {pair.thing for pair in pairs} <= {row["thing"] for row in rows[split]}
    pair = next(pair for pair in embedded_pairs("test") if pair.thing == "moose")
    sketch, picture = pair.open()
    assert sketch.size == picture.size == (128, 128) and sketch.mode == picture.mode == "RGB"
    drawn, painted = (np.asarray(image.convert("HSV"))[..., 1] for image in (sketch, picture))
    assert drawn.max() < 30 < painted.max()  # the sketch is the one without colours
    for split, style in (("held out", "openmoji"), ("train", "line"), ("train", "crayon")):
        with pytest.raises(InputError):
            embedded_pairs(split, style)


def test_sizes():
    def megabytes(folder):
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6

    assert megabytes(PAIRS) <= 15
    assert 40 <= sum(path.stat().st_size for path in (data_dir() / "mini").rglob("*.safetensors")) / 1e6 <= 60
    assert all(path.stat().st_size < 15e6 for path in data_dir().rglob("*.safetensors"))
    # A wheel is a zip; the weights' last three bits are zero (training/save.py), so it is smaller than what it holds.
    packed = sum(len(zlib.compress(path.read_bytes())) for path in data_dir().rglob("*") if path.is_file()) / 1e6
    assert packed + 2 <= 100


def test_the_sketches():
    table = sketches()
    assert len(table) >= 24 and len({sketch.name for sketch in table}) == len(table)
    for kind in ("line art", "by people", "scene"):
        assert len(sketches(kind)) >= 4
    for sketch in table:
        assert sketch.caption and sketch.prompt and sketch.credit and sketch.licence.startswith("CC BY")
        grey = np.asarray(sketch.open().convert("L"))
        assert grey[0].min() > 200 and 0.005 < (grey < 128).mean() < 0.4
    listed = {sketch.path.name for sketch in table}
    assert {path.name for path in (data_dir() / "sketches").glob("*.png")} == listed


def test_licences_travel_with_the_data():
    texts = {path.name: path.read_text(encoding="utf-8") for path in (data_dir() / "LICENSES").iterdir()}
    for name, words in {
        "openmoji.txt": "CC BY-SA 4.0",
        "noto.txt": "Apache",
        "fluent-emoji.txt": "MIT",
        "twemoji.txt": "CC BY 4.0",
        "quickdraw.txt": "CC BY 4.0",
        "miniature.txt": "CC BY-SA 4.0",
    }.items():
        assert words in texts[name], name
    assert "Datasheet" in (data_dir() / "README.md").read_text(encoding="utf-8")
