"""Whatever is handed in, what comes out is an answer or the package's own error in one sentence."""

import contextlib
import io
import json
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

import s2i_teach as s2i
from s2i_teach import InputError, Settings, open_sketch, read_record
from s2i_teach.data_sources.manifest import parse_manifest, stays_inside
from s2i_teach.evaluate.rating import COLUMNS, read_votes
from s2i_teach.translation.prompts import fill, read_and_lost
from s2i_teach.translation.result import KEY
from s2i_teach.widgets.drawing import Drawing
from tests.fuzzing import JSON, ODD, PROMPTS, TEXTS, examples, near, one_sentence, spoilt


@contextlib.contextmanager
def only_sentences():
    try:
        yield
    except InputError as error:
        one_sentence(error)


# Pictures


def drawing(mode: str = "RGB") -> Image.Image:
    picture = Image.new("L", (24, 20), 255)
    picture.paste(0, (5, 5, 15, 12))
    return picture.convert("RGB").convert(mode)


def encoded(kind: str, mode: str = "RGB", **options) -> bytes:
    with io.BytesIO() as file:
        drawing(mode).save(file, kind, **options)
        return file.getvalue()


exif = Image.Exif()
exif[0x0112] = 6
FILES = {
    "PNG": encoded("PNG"),
    "PNG of a palette": encoded("PNG", "P", transparency=0),
    "PNG of grey": encoded("PNG", "LA"),
    "JPEG": encoded("JPEG", exif=exif),
    "JPEG in CMYK": encoded("JPEG", "CMYK"),
    "GIF": encoded("GIF", "P"),
    "WEBP": encoded("WEBP"),
    "TIFF": encoded("TIFF", compression="tiff_lzw"),
    "BMP": encoded("BMP"),
    "ICO": encoded("ICO"),
    "PPM": encoded("PPM"),
    "TGA": encoded("TGA"),
}


@pytest.mark.parametrize("kind", FILES)
@examples(12)
@given(data=st.data())
def test_spoilt_pictures(kind, data):
    with only_sentences():
        opened = open_sketch(data.draw(spoilt(FILES[kind])))
        assert opened.mode == "RGB" and min(opened.size) > 0


ARRAYS = st.builds(
    lambda shape, kind, value: np.full(shape, value).astype(kind),
    st.lists(st.integers(0, 5), max_size=4).map(tuple),
    st.sampled_from(["?", "u1", "i1", "u2", "i4", "u8", "f2", "f4", "f8", "c8", "O", "U3", "M8[s]", "S2"]),
    st.sampled_from([0, 1, 255, 200]),
)
TENSORS = st.builds(
    lambda shape, kind: torch.zeros(shape, dtype=kind),
    st.lists(st.integers(0, 4), max_size=5),
    st.sampled_from([torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.complex64]),
)


@examples(60)
@given(st.one_of(ODD, ARRAYS, TENSORS), st.one_of(st.none(), ODD), st.one_of(st.just("pad"), ODD))
def test_anything_as_a_sketch(source, size, fit):
    with only_sentences():
        assert open_sketch(source, size if not isinstance(size, list) or len(size) != 2 else (9, 9), fit=fit)


# Settings and prompts

FIELDS = list(Settings("").__dataclass_fields__)


@examples(150)
@given(st.dictionaries(st.sampled_from(FIELDS), st.one_of(ODD, ARRAYS, TENSORS), max_size=3))
def test_settings(values):
    with only_sentences():
        made = Settings(**{"prompt": "a", **values})
        assert Settings.from_dict(json.loads(json.dumps(made.to_dict()))) == made


@examples(60)
@given(st.one_of(ODD, near({**Settings("a", strength=0.5, size=(64, 64), timesteps=(5, 1)).to_dict()}, ODD)))
def test_settings_from_a_table(table):
    with only_sentences():
        assert isinstance(Settings.from_dict(table), Settings)


@examples(40)
@given(st.one_of(TEXTS, ODD), st.dictionaries(TEXTS, ODD, max_size=2))
def test_templates(template, fields):
    with only_sentences():
        assert all(isinstance(prompt, str) for prompt in fill(template, **fields))


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=list(PROMPTS))
def test_odd_prompts_run_and_come_back_from_the_file(prompt, tiny_pipe, sketch, tmp_path):
    read, lost = read_and_lost(tiny_pipe.tokenizer, prompt)
    assert isinstance(read, str) and bool(lost) == (len(tiny_pipe.tokenizer(prompt, verbose=False).input_ids) > 77)
    made = s2i.translate(sketch, prompt, negative_prompt=prompt, pipe=tiny_pipe, num_inference_steps=2, size=(64, 64))
    again = read_record(made.save(tmp_path / "it.png"))
    assert again.settings == made.settings and again.settings.prompt == prompt


# Records


@pytest.fixture(scope="module")
def saved(tiny_pipe, tmp_path_factory):
    """A saved picture: its bytes, and its record as a table."""
    made = s2i.translate(drawing(), "a turtle", pipe=tiny_pipe, num_inference_steps=2, size=(64, 64))
    path = made.save(tmp_path_factory.mktemp("saved") / "it.png")
    return path.read_bytes(), made.record()


@examples(60)
@given(data=st.data())
def test_spoilt_records(saved, tmp_path, data):
    path = tmp_path / "spoilt.png"
    path.write_bytes(data.draw(spoilt(saved[0])))
    with only_sentences():
        read_record(path)


@examples(60)
@given(data=st.data())
def test_records_that_somebody_wrote(saved, tmp_path, data):
    """The picture is whole, and what is written into it is not ours."""
    table = saved[1] | {"settings": data.draw(near(saved[1]["settings"]))}
    text = data.draw(
        st.one_of(near(table).map(json.dumps), TEXTS.map(lambda text: text.replace("\ud800", "")), JSON.map(json.dumps))
    )
    info = PngImagePlugin.PngInfo()
    info.add_itxt(KEY, text, zip=data.draw(st.booleans()))
    path = tmp_path / "theirs.png"
    drawing().save(path, pnginfo=info)
    with only_sentences():
        assert isinstance(read_record(path).model, str)


# Files of others

ROW = {
    "path": "tench/a.png",
    "category": "tench",
    "class_id": None,
    "name": "a.png",
    "bytes": 3,
    "sha256": "0" * 64,
    "licence": "CC0",
}
MANIFEST = {"format": 1, "source": "x", "seed": 0, "files": [ROW, {**ROW, "path": "b.png"}]}


@examples(150)
@given(st.data())
def test_manifests(data):
    table = MANIFEST | {"files": [data.draw(near(ROW)), *MANIFEST["files"]]}
    whole = json.dumps(MANIFEST).encode()
    text = data.draw(st.one_of(near(table).map(lambda made: json.dumps(made).encode()), spoilt(whole), st.binary()))
    with only_sentences():
        manifest = parse_manifest(text, "manifest.json")
        assert all(stays_inside(entry.path) for entry in manifest.files)
        assert parse_manifest(manifest.to_bytes(), "again").files == manifest.files


@examples(40)
@given(data=st.data())
def test_class_packs(tmp_path_factory, data):
    """A zip with any manifest: unpacked into its own folder, or refused."""
    table = near(ROW | {"sha256": "3" * 64})
    rows = data.draw(st.lists(st.one_of(table, JSON), max_size=3))
    names = data.draw(
        st.lists(st.one_of(st.sampled_from(["../a.png", "/a.png", "tench/a.png", "b.png"]), TEXTS), max_size=4)
    )
    here = tmp_path_factory.mktemp("pack")
    with zipfile.ZipFile(here / "pack.zip", "w") as archive:
        for name in dict.fromkeys(name.replace("\ud800", "") for name in names):
            archive.writestr(zipfile.ZipInfo(name), b"abc")
        archive.writestr("manifest.json", json.dumps(MANIFEST | {"files": rows}))
    with only_sentences():
        s2i.class_pack(here / "pack.zip", to=here / "out", quiet=True)
    assert {path.name for path in here.iterdir()} <= {"pack.zip", "out"}


VOTES = ",".join(COLUMNS) + "\nme,ab,cd,ef,strength 0.4,strength 0.6,left,1.5\n"


@examples(60)
@given(data=st.data())
def test_files_of_votes(tmp_path, data):
    path = tmp_path / "votes.csv"
    path.write_bytes(
        data.draw(st.one_of(spoilt(VOTES.encode()), st.binary(), TEXTS.map(lambda t: t.encode("utf-8", "replace"))))
    )
    with only_sentences():
        assert isinstance(read_votes(path), list)


LINE = {"key_id": "5", "word": "cat", "drawing": [[[0, 5, 9], [3, 4, 8]]], "recognized": True}
BINARY = bytes.fromhex("0100000000000000") + b"DE\1" + b"\0\0\0\0" + b"\1\0" + b"\3\0" + b"abcdef"


@examples(60)
@given(data=st.data())
def test_files_of_quick_draw(tmp_path, data):
    from s2i_teach.data_sources.quickdraw import open_drawings

    kind, whole = data.draw(st.sampled_from([("ndjson", json.dumps(LINE).encode() + b"\n"), ("bin", BINARY)]))
    lines = st.lists(near(LINE), max_size=2).map(lambda rows: "\n".join(map(json.dumps, rows)).encode())
    path = tmp_path / f"cat.{kind}"
    path.write_bytes(data.draw(st.one_of(spoilt(whole * 2), lines)))
    with only_sentences():
        found = open_drawings(path)
        for key in found.keys:
            found.read(key)


# Drawings of a pad

OP = {"tool": "brush", "size": 4, "points": [[1, 2, 0.5], [30, 40, 0.5]]}
PAGE = {**Drawing().to_dict(), "ops": [OP, {"tool": "clear"}], "done": 2}


@st.composite
def pages(draw):
    """A drawing as a page sends it, or nearly."""
    ops = draw(st.lists(st.one_of(near(OP), JSON), max_size=3))
    return draw(near({**PAGE, "ops": ops, "done": len(ops)}))


@examples(150)
@given(st.one_of(pages(), JSON))
def test_drawings(table):
    with only_sentences():
        made = Drawing.from_dict(table)
        assert made.image(32).size == (32, 32)
        assert Drawing.from_dict(made.to_dict()) == made
        assert Drawing.from_svg(made.to_svg()) == made


@examples(80)
@given(data=st.data())
def test_files_of_a_pad(tmp_path, data):
    drawn = Drawing.from_dict(PAGE)
    kind, whole = data.draw(st.sampled_from([("json", json.dumps(PAGE)), ("svg", drawn.to_svg())]))
    path = tmp_path / f"it.{kind}"
    path.write_bytes(data.draw(st.one_of(spoilt(whole.encode()), st.binary(), st.just(b"[" * 100_000))))
    with only_sentences():
        Drawing.open(path)
