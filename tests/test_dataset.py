"""A whole set of sketches becomes pictures: each as if made alone, none lost, none made twice, whatever happens meanwhile."""

import errno
import hashlib
import json
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import s2i_teach as s2i
from s2i_teach.cli import main
from s2i_teach.data_sources.sources import Item, open_source
from s2i_teach.errors import InputError
from s2i_teach.files import PARTIAL
from s2i_teach.translation import batch as batches
from s2i_teach.translation.dataset import claims, finish, places, process, request, run, work
from s2i_teach.translation.dataset.listing import Listing
from s2i_teach.translation.dataset.rows import Rows
from s2i_teach.translation.result import KEY
from tests.sketch_zip import SketchZip

ROOT = Path(__file__).resolve().parents[1]
QUICK = {
    "size": (32, 32),
    "num_inference_steps": 2,
    "strength": 1.0,
    "guidance_scale": 3.0,
    "report": False,
    "quiet": True,
}
TEMPLATE = "a {category}, {style}"
STYLES = ("openmoji style", "noto style", "flat style")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes that share a tiny pipeline are forked")


def draw(path: Path, seed: int, size=(60, 48)) -> None:
    lot = random.Random(seed)
    page = Image.new("L", size, 255)
    box = sorted(lot.sample(range(4, size[0] - 4), 2)), sorted(lot.sample(range(4, size[1] - 4), 2))
    ImageDraw.Draw(page).ellipse([box[0][0], box[1][0], box[0][1] + 3, box[1][1] + 3], outline=0, width=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path)


@pytest.fixture()
def sketches(tmp_path) -> Path:
    """Two categories of five and four sketches."""
    for number in range(9):
        draw(tmp_path / "in" / ("golden_retriever" if number % 2 else "owl") / f"{number}.png", number)
    return tmp_path / "in"


def translated(source, to, pipe, prompt=TEMPLATE, style=STYLES, **named) -> s2i.Dataset:
    return s2i.translate_dataset(source, to, prompt, style=style, pipe=pipe, **{**QUICK, **named})


def pictures(folder) -> dict[str, str]:
    """Path below ``pictures/`` → hash."""
    base = Path(folder) / places.PICTURES
    return {p.relative_to(base).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in base.rglob("*.png")}


def refusal(call) -> str:
    with pytest.raises(InputError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture()
def calls(tiny_pipe, monkeypatch) -> list[int]:
    """The sizes of the calls of the tiny U-Net."""
    forward, sizes = tiny_pipe.unet.forward, []

    def counted(sample, *arguments, **named):
        sizes.append(len(sample))
        return forward(sample, *arguments, **named)

    monkeypatch.setattr(tiny_pipe.unet, "forward", counted)
    return sizes


# What is made


def test_the_pictures_lie_in_the_same_tree_with_settings_inside_and_a_manifest(tiny_pipe, sketches, tmp_path):
    (sketches / "owl" / "broken.png").write_bytes(b"no picture")
    made = translated(sketches, tmp_path / "out", tiny_pipe, seed=3)
    out = tmp_path / "out"
    assert (made.made, made.aside, made.here, len(made)) == (9, 1, 9, 9)
    names = [path.relative_to(sketches).as_posix() for path in sorted(sketches.rglob("*.png"))]
    assert sorted(pictures(out)) == [name for name in names if "broken" not in name]
    rows = list(made.rows())
    assert [row["sketch"] for row in rows] == names, "one a sketch, in the order of names"
    for row in rows:
        if row["error"]:
            assert row["error"].startswith("owl/broken.png is not a picture that can be read") and row["file"] is None
            continue
        data = (out / row["file"]).read_bytes()
        record = s2i.read_record(out / row["file"])
        assert (row["bytes"], row["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert (row["prompt"], row["seed"]) == (record.settings.prompt, record.settings.seed)
        assert re.fullmatch(r"a (owl|golden retriever), (openmoji|noto|flat) style", row["prompt"])
        assert record.settings.num_inference_steps == 2 and record.settings.size == (32, 32)
    assert len({row["seed"] for row in rows if row["file"]}) == 9 and made.bytes == sum(
        row["bytes"] or 0 for row in rows
    )
    assert "1 sketches were set aside" in str(made) and "9 pictures in" in str(made)
    assert [path for path in out.rglob("*") if path.match(PARTIAL) or path.suffix in (".part", ".new")] == []


def test_each_picture_is_what_translate_makes(tiny_led, sketches, tmp_path):
    """With a ControlNet, batches of three, two sizes; within half a step of 8 bits and the bound of ``run_batch``."""
    draw(sketches / "owl" / "tall.png", 20, (40, 70))
    out = tmp_path / "out"
    made = translated(sketches, out, tiny_led, batch=3, size=[(32, 32), (24, 40)])
    sizes = Counter()
    for row in made.rows():
        settings = s2i.read_record(out / row["file"]).settings
        named = {name: value for name, value in vars(settings).items() if name not in ("prompt", "timesteps")}
        alone = s2i.translate(sketches / row["sketch"], settings.prompt, pipe=tiny_led, **named)
        assert alone.settings == settings
        with Image.open(out / row["file"]) as picture:
            apart = np.abs(np.asarray(picture).astype(int) - np.asarray(alone.image)).max()
            assert apart <= 1, row["sketch"]
        sizes[settings.size] += 1
        assert settings.seed == request.lot(0, row["sketch"])
    assert sizes == {(32, 32): 9, (24, 40): 1}


def test_a_picture_depends_on_its_own_name_alone(tiny_pipe, sketches, tmp_path):
    """Whatever else is in the set, in whichever order, from a folder or a zip."""
    whole = translated(sketches, tmp_path / "whole", tiny_pipe)
    assert whole.made == 9
    by_lot = translated(sketches, tmp_path / "lot", tiny_pipe, shuffle=True, limit=4)
    assert by_lot.made == 4 and pictures(by_lot.folder).items() < pictures(whole.folder).items()
    first = sorted(pictures(whole.folder))[:4]
    assert sorted(pictures(by_lot.folder)) != first, "by lot"
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for path in reversed(sorted(sketches.rglob("*.png"))):
            archive.write(path, path.relative_to(sketches).as_posix())
    assert pictures(translated(tmp_path / "in.zip", tmp_path / "zip", tiny_pipe).folder) == pictures(whole.folder)
    (sketches / "owl" / "0.png").unlink()
    fewer = translated(sketches, tmp_path / "fewer", tiny_pipe)
    assert fewer.made == 8 and pictures(fewer.folder).items() < pictures(whole.folder).items()
    other = translated(sketches, tmp_path / "seed", tiny_pipe, seed=1)
    assert not set(pictures(other.folder).values()) & set(pictures(whole.folder).values())


def test_names_that_would_share_a_place_are_kept_apart(tmp_path):
    (tmp_path / "in" / "x").mkdir(parents=True)
    for name in ("a.png", "A.jpg", "b.webp", "c.tar.png", "é" * 125 + ".apng"):
        (tmp_path / "in" / "x" / name).write_bytes(b"")
    with open_source(tmp_path / "in") as source:
        listing = Listing(source, 1, None, False)
        found = {item.name: listing.place(item) for item in source.items}
    assert found["x/a.png"] == "pictures/x/a.png.png" and found["x/A.jpg"] == "pictures/x/A.jpg.png"
    assert found["x/b.webp"] == "pictures/x/b.png" and found["x/c.tar.png"] == "pictures/x/c.tar.png"
    assert all(len(Path(place).name.encode()) <= 255 for place in found.values()) and len(set(found.values())) == 5


def test_a_set_is_cut_into_shards_of_whole_batches():
    class Many:
        items = [Item(f"{number:05d}.png", "x", 1) for number in range(2000)]

    for count, batch in ((1, 4), (9, 4), (100, 1), (1000, 4), (2000, 5)):
        listing = Listing(Many(), batch, count, False)
        sizes = [listing.size(number) for number in range(len(listing.names))]
        assert sum(sizes) == count == len(listing) and len(set(listing.names)) == len(sizes)
        assert all(size % batch == 0 for size in sizes[:-1]) and max(sizes) <= 64
        assert len(sizes) >= min(64, -(-count // batch))
        items = [item for number in range(len(sizes)) for item in listing.shard(number).items]
        assert items == Many.items[:count]
    shuffled = Listing(Many(), 8, None, True)
    assert shuffled.items != Many.items == sorted(shuffled.items, key=lambda item: item.name)
    assert shuffled.cut != Listing(Many(), 8, None, False).cut
    Many.items = [Item(f"{number:05d}.png", "x", 1) for number in range(50_889)]
    assert Listing(Many(), 5, None, False).size(0) == 65, "a large set's are larger, but not much"


def test_metadata_is_what_imagefolder_wants(tiny_pipe, sketches, tmp_path):
    """A line for each picture beside them, its name from there; 🤗 datasets itself reads it where it is installed."""
    (sketches / "owl" / "broken.png").write_bytes(b"no picture")
    out = translated(sketches, tmp_path / "out", tiny_pipe).folder / "pictures"
    rows = [json.loads(line) for line in (out / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 9 and all(set(row) == set(rows[0]) and row["text"] and row["category"] for row in rows)
    assert sorted(row["file_name"] for row in rows) == sorted(
        path.relative_to(out).as_posix() for path in out.rglob("*.png")
    )
    endings = {path.suffix for path in out.rglob("*") if path.is_file()}
    assert endings == {".png", ".jsonl"}, "no picture that the metadata does not name"


def test_datasets_reads_it(tiny_pipe, sketches, tmp_path):
    datasets = pytest.importorskip(
        "datasets", reason="🤗 datasets is no dependency: docs/dataset.md tells how to read a set"
    )
    out = translated(sketches, tmp_path / "out", tiny_pipe).folder
    found = datasets.load_dataset(
        "imagefolder", data_dir=str(out / "pictures"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert len(found) == 9 and found[0]["image"].size == (32, 32) and found[0]["text"].startswith("a ")


def test_the_table_is_there_where_pyarrow_is(tiny_pipe, sketches, tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is no dependency: without it there is no table")
    monkeypatch.setattr(finish, "find_spec", lambda name: None)
    with monkeypatch.context() as without:
        without.setattr(finish, "write_parquet", lambda path, rows: False)
        made = translated(sketches, tmp_path / "out", tiny_pipe)
        assert finish.NO_PARQUET in str(made)
    monkeypatch.undo()
    made = translated(sketches, tmp_path / "out", tiny_pipe)
    assert made.here == 0 and finish.NO_PARQUET not in str(made), "made later, when it could be"
    assert parquet.read_table(made.folder / places.PARQUET).to_pylist() == list(made.rows())


def test_without_pyarrow_one_sentence_says_how(tiny_pipe, sketches, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr(finish, "find_spec", lambda name: None)
    made = translated(sketches, tmp_path / "out", tiny_pipe)
    assert finish.NO_PARQUET in str(made) and not (made.folder / places.PARQUET).exists()


def test_sheet_and_report_show_some_by_lot(tiny_pipe, sketches, tmp_path, monkeypatch):
    Image.new("L", (40, 40), 255).save(sketches / "owl" / "blank.png")
    judged = []

    class Written:
        def save(self, path):
            path.write_text("a report", encoding="utf-8")

    def judge(results):
        judged.extend(results)
        return Written()

    monkeypatch.setattr(finish, "JUDGED", 9)
    monkeypatch.setattr(finish, "report", judge)  # tests/test_report.py has the report itself
    made = translated(sketches, tmp_path / "out", tiny_pipe, report=True)
    assert made.made == 10
    with Image.open(made.folder / "sheet.png") as sheet:
        assert sheet.width > 6 * 2 * 96 and sheet.height > 2 * 96
    assert f"The report judges {len(judged)} pictures, drawn by lot." in str(made) and len(judged) in (8, 9)
    by_seed = {row["seed"]: row for row in made.rows()}
    for result in judged:
        row = by_seed[result.settings.seed]
        assert row["sketch"] != "owl/blank.png" and result.settings.prompt == row["prompt"]
        with Image.open(made.folder / row["file"]) as picture:
            assert picture.tobytes() == result.image.tobytes()
    assert str(made.folder / "report.html") in str(made)


# Nothing lost, nothing made twice


def test_what_is_finished_is_not_made_again(tiny_pipe, sketches, tmp_path, calls):
    out = tmp_path / "out"
    translated(sketches, out, tiny_pipe, limit=5, batch=1)
    assert len(calls) == 5 * 2
    before = pictures(out)
    calls.clear()
    more = translated(sketches, out, tiny_pipe, batch=1)
    assert (more.made, more.here) == (9, 4) and len(calls) == 4 * 2, "the four that were missing"
    assert before.items() < pictures(out).items()
    calls.clear()
    again = translated(sketches, out, tiny_pipe, batch=1)
    assert (again.made, again.here) == (9, 0) and not calls
    # What somebody deleted or damaged is made again, and nothing else.
    whole = pictures(out)
    (out / "pictures" / "owl" / "4.png").unlink()
    again = translated(sketches, out, tiny_pipe, batch=1)
    assert (again.made, again.here) == (9, 1) and len(calls) == 2 and pictures(out) == whole
    # The state is gone: pictures speak for themselves.
    for path in sorted((out / ".dataset" / "rows").iterdir()):
        path.unlink()
    (out / ".dataset" / "finished.json").unlink()
    manifest = (out / "manifest.jsonl").read_bytes()
    calls.clear()
    again = translated(sketches, out, tiny_pipe, batch=1)
    assert (again.made, again.here) == (9, 0) and not calls and pictures(out) == whole
    assert (out / "manifest.jsonl").read_bytes() == manifest


def test_a_sketch_set_aside_is_taken_again_when_asked(tiny_pipe, sketches, tmp_path):
    (sketches / "owl" / "broken.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    assert translated(sketches, out, tiny_pipe).aside == 1
    draw(sketches / "owl" / "broken.png", 5)
    assert translated(sketches, out, tiny_pipe).aside == 1, "not by itself"
    mended = translated(sketches, out, tiny_pipe, retry=True)
    assert (mended.made, mended.aside, mended.here) == (10, 0, 1)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"num_inference_steps": 3}, r"another num_inference_steps \(2, and now 3\)"),
        ({"seed": 1}, r"another seed \(0, and now 1\)"),
        ({"prompt": "the {category}, {style}"}, r"another prompt"),
        ({"style": ("noto style",)}, "another style"),
        ({"size": (48, 32)}, "another size"),
        ({"batch": 2}, r"another batch \(4, and now 2\)"),
    ],
)
def test_other_settings_are_refused_in_one_sentence(tiny_pipe, sketches, tmp_path, change, words):
    out = tmp_path / "out"
    translated(sketches, out, tiny_pipe, limit=1)
    before = pictures(out)
    assert re.search(
        f"holds pictures with {words}.*name another folder",
        refusal(lambda: translated(sketches, out, tiny_pipe, **change)),
    )
    assert pictures(out) == before


def test_other_weights_and_another_source_are_refused(tiny_pipe, tiny_led, sketches, tmp_path, monkeypatch):
    out = tmp_path / "out"
    translated(sketches, out, tiny_pipe, limit=1)
    sketches.rename(tmp_path / "others")
    words = refusal(lambda: translated(tmp_path / "others", out, tiny_pipe))
    assert "another source (in, and now others)" in words
    (tmp_path / "others").rename(sketches)
    assert "holds pictures with another" in refusal(lambda: translated(sketches, out, tiny_led))
    with torch.no_grad():
        first = next(tiny_pipe.unet.parameters())
        kept = first.clone()
        first += 1
        try:
            assert "another weights" in refusal(lambda: translated(sketches, out, tiny_pipe))
        finally:
            first.copy_(kept)
    translated(sketches, out, tiny_pipe, limit=1)


def test_mistakes_are_told_in_one_sentence(tiny_pipe, sketches, tmp_path):
    def told(to=None, **named):
        return refusal(lambda: translated(sketches, to or tmp_path / "out", tiny_pipe, **named))

    assert "use {category}, {style}, {name}, {caption}" in told(prompt="a {thing}", style=())
    assert "give a style" in told(style=())
    assert "has no {style}" in told(prompt="a {category}")
    assert "brace" in told(prompt="a {category", style=())
    assert "has none: use {category}" in told(prompt="{caption}", style=())
    assert "Say what the pictures show" in told(prompt=" ", style=())
    assert "give texts" in told(style=("",))
    assert "strenght is no setting" in told(strenght=1)
    assert "one value of it" in told(strength=[0.3, 0.5])
    assert "limit is 0" in told(limit=0)
    assert "batch is 0" in told(batch=0)
    assert "multiples of 8" in told(size=(30, 30))
    assert "not two numbers" in told(size=5)
    assert "lies in the folder of the sketches" in told(to=sketches)
    assert "lies in the folder of the sketches" in told(to=sketches / "out")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert "is a file" in told(to=tmp_path / "file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "holiday.jpg").write_bytes(b"x")
    assert "is not empty and holds no pictures of a set" in told(to=tmp_path / "full")
    assert not (tmp_path / "out").exists() or not pictures(tmp_path / "out")
    (tmp_path / "damaged" / ".dataset").mkdir(parents=True)
    (tmp_path / "damaged" / ".dataset" / "request.json").write_text("{", encoding="utf-8")
    assert "is damaged" in told(to=tmp_path / "damaged")
    (tmp_path / "killed" / ".dataset").mkdir(parents=True)
    (tmp_path / "killed" / ".dataset" / "request.json").touch()
    assert translated(sketches, tmp_path / "killed", tiny_pipe, limit=1).made == 1, (
        "its maker was killed before it wrote"
    )


def test_a_failing_picture_is_set_aside_and_its_neighbours_are_made(tiny_pipe, sketches, tmp_path, monkeypatch):
    whole = pictures(translated(sketches, tmp_path / "whole", tiny_pipe).folder)
    bad = request.lot(0, "owl/4.png")
    run_batch = batches.run_batch

    def failing(pages, cells, pipe, **named):
        if any(cell.seed == bad for cell in cells):
            raise InputError("The latents are not finite.")
        return run_batch(pages, cells, pipe, **named)

    monkeypatch.setattr(work, "run_batch", failing)
    made = translated(sketches, tmp_path / "out", tiny_pipe)
    assert (made.made, made.aside) == (8, 1)
    assert [row["error"] for row in made.rows() if row["error"]] == ["The latents are not finite."]
    assert pictures(made.folder) == {name: digest for name, digest in whole.items() if name != "owl/4.png"}


def test_if_all_fail_it_is_not_the_sketches(tiny_pipe, sketches, tmp_path, monkeypatch):
    def failing(*_, **__):
        raise InputError("The latents are not finite.")

    monkeypatch.setattr(work, "MOST_IN_A_ROW", 5)
    with monkeypatch.context() as broken:
        broken.setattr(work, "run_batch", failing)
        words = refusal(lambda: translated(sketches, tmp_path / "out", tiny_pipe))
        assert words.startswith("5 pictures in a row failed") and places.KEPT in words
    assert translated(sketches, tmp_path / "out", tiny_pipe, retry=True).made == 9


@pytest.mark.parametrize(
    "error, words",
    [
        (
            RuntimeError("CUDA error: unspecified launch failure\nmore"),
            "The device cpu failed (CUDA error: unspecified",
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 9 GiB"), "is not enough"),
    ],
)
def test_a_lost_device_ends_with_a_sentence_and_goes_on_later(
    tiny_pipe, sketches, tmp_path, monkeypatch, calls, error, words
):
    forward = tiny_pipe.unet.forward

    def failing(*arguments, **named):
        if len(calls) >= 4:
            raise error
        return forward(*arguments, **named)

    with monkeypatch.context() as lost:
        lost.setattr(tiny_pipe.unet, "forward", failing)
        told = refusal(lambda: translated(sketches, tmp_path / "out", tiny_pipe, batch=2))
        assert words in told and places.KEPT in told
    assert 1 <= len(pictures(tmp_path / "out")) < 9
    made = translated(sketches, tmp_path / "out", tiny_pipe, batch=2)
    assert made.made == 9 and made.here < 9


def test_an_error_of_ours_is_not_hidden(tiny_pipe, sketches, tmp_path, monkeypatch):
    def failing(*_, **__):
        raise RuntimeError("a mistake of the program")

    monkeypatch.setattr(work, "run_batch", failing)
    with pytest.raises(RuntimeError, match="a mistake of the program"):
        translated(sketches, tmp_path / "out", tiny_pipe)


@pytest.mark.parametrize("full_at", range(0, 24, 4))
def test_a_full_disk_ends_with_a_sentence_and_goes_on_later(tiny_pipe, sketches, tmp_path, monkeypatch, full_at):
    whole = pictures(translated(sketches, tmp_path / "whole", tiny_pipe).folder)
    replace, count = os.replace, [0]

    def filling(source, target):
        count[0] += 1
        if count[0] > full_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(source, target)

    out = tmp_path / "out"
    with monkeypatch.context() as full:
        full.setattr(os, "replace", filling)
        try:
            translated(sketches, out, tiny_pipe)
        except InputError as error:
            assert "cannot be written: No space left on device" in str(error) and "\n" not in str(error)
        else:
            assert count[0] <= full_at
    assert translated(sketches, out, tiny_pipe).made == 9 and pictures(out) == whole
    assert [path for path in out.rglob("*") if path.match(PARTIAL) or path.suffix in (".part", ".new")] == []


# Sources


def test_damaged_members_are_set_aside_and_a_dead_server_is_not(tiny_pipe, web, tmp_path, monkeypatch):
    monkeypatch.setattr("s2i_teach.data_sources.web.PAUSE", 0.01)
    archive = SketchZip(ids=3, per_category=3, bytes_each=40_000)
    data = bytearray(archive.read(0, len(archive)))
    at = archive.place(archive.names[4]) + 500
    data[at : at + 20] = bytes(20)
    item = web.put("/sketch.zip", bytes(data))
    out, url = tmp_path / "out", f"{web.url}/sketch.zip"
    item.statuses = []
    made = translated(url, out, tiny_pipe, prompt="a {category}", style=())
    assert (made.made, made.aside) == (8, 1)
    rows = list(made.rows())
    assert "is damaged" in rows[4]["error"] and rows[4]["sketch"] == archive.names[4]
    assert rows[0]["prompt"] == "a tench" and "do not redistribute" in rows[0]["licence"]
    item.statuses = [503] * 100
    with pytest.raises(InputError, match="too busy"):
        translated(url, tmp_path / "other", tiny_pipe, prompt="a {category}", style=())
    assert "more than max_bytes=100 kB" in refusal(
        lambda: [
            item.statuses.clear(),
            translated(url, tmp_path / "dear", tiny_pipe, style=(), prompt="x", max_bytes=1e5),
        ]
    )


def test_the_server_dies_in_the_middle(tiny_pipe, web, tmp_path, monkeypatch):
    monkeypatch.setattr("s2i_teach.data_sources.web.PAUSE", 0.01)
    archive = SketchZip(ids=4, per_category=4, bytes_each=40_000)
    item = web.put("/sketch.zip", archive)
    asked = []

    def count(one):
        asked.append(1)
        if len(asked) == 6:
            one.statuses = [503] * 1000

    item.once_served = count
    arguments = {"prompt": "a {category}", "style": (), "batch": 1}
    words = refusal(lambda: translated(f"{web.url}/sketch.zip", tmp_path / "out", tiny_pipe, **arguments))
    assert "too busy (503)" in words
    there = len(pictures(tmp_path / "out"))
    assert 0 < there < 16
    item.statuses, item.once_served = [], None
    made = translated(f"{web.url}/sketch.zip", tmp_path / "out", tiny_pipe, **arguments)
    assert (made.made, made.here) == (16, 16 - there)


def test_embedded_sketches_have_captions(tiny_pipe, tmp_path):
    made = translated("sketches", tmp_path / "out", tiny_pipe, prompt="{caption}, {style}", limit=5)
    wanted = {sketch.path.name: sketch.caption for sketch in s2i.sketches()}
    for row in made.rows():
        assert row["prompt"].startswith(wanted[row["sketch"]] + ", ") and "," in row["prompt"]


# Several processes


def in_process(source, to, pipe, named, results):
    try:
        made = translated(source, to, pipe, **named)
        results.put((made.made, made.aside, made.here))
    except BaseException as error:
        results.put(repr(error))
        raise


def start(number: int, source, to, pipe, **named):
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    processes = [context.Process(target=in_process, args=(source, to, pipe, named, results)) for _ in range(number)]
    for one in processes:
        one.start()
    return processes, results


@pytest.fixture()
def thirty(tmp_path) -> Path:
    for number in range(30):
        draw(tmp_path / "in" / f"c{number % 3}" / f"{number}.png", number)
    return tmp_path / "in"


@needs_fork
@pytest.mark.parametrize("number", [2, 5])
def test_processes_share_the_work_and_make_the_same(tiny_pipe, thirty, tmp_path, number):
    whole = translated(thirty, tmp_path / "whole", tiny_pipe, batch=2)
    processes, results = start(number, thirty, tmp_path / "out", tiny_pipe, batch=2)
    for one in processes:
        one.join()
    told = [results.get() for _ in processes]
    assert all(made[:2] == (30, 0) for made in told), told
    assert sum(here for _, _, here in told) == 30, "each once"
    assert sum(here > 0 for _, _, here in told) >= 2
    assert pictures(tmp_path / "out") == pictures(whole.folder)
    for name in ("manifest.jsonl", "pictures/metadata.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (whole.folder / name).read_bytes()


@needs_fork
def test_killed_at_random_points_nothing_is_lost_and_nothing_made_twice(tiny_pipe, thirty, tmp_path):
    """Two processes at a time; one of them is killed five times, at whatever it does; the other goes on or both begin anew."""
    whole = translated(thirty, tmp_path / "whole", tiny_pipe, batch=2)
    out, lot = tmp_path / "out", random.Random(7)
    seen: dict[str, tuple] = {}
    for _ in range(5):
        processes, _ = start(2, thirty, out, tiny_pipe, batch=2)
        goal = len(pictures(out)) + lot.randrange(1, 6)
        while len(list(out.rglob("*.png"))) < goal and processes[0].is_alive():
            time.sleep(0.002)
        for one in processes if lot.random() < 0.5 else processes[:1]:
            one.kill()
        if processes[1].is_alive() and lot.random() < 0.5:
            time.sleep(0.2)
            processes[1].kill()
        for one in processes:
            one.join(timeout=60)
        for path in (out / "pictures").rglob("*.png"):
            facts = path.stat().st_mtime_ns, path.stat().st_ino
            assert seen.setdefault(str(path), facts) == facts, "a finished picture is never made again"
    made = translated(thirty, out, tiny_pipe, batch=2)
    assert (made.made, made.aside) == (30, 0)
    assert all((Path(path).stat().st_mtime_ns, Path(path).stat().st_ino) == facts for path, facts in seen.items())
    assert pictures(out) == pictures(whole.folder)
    assert (out / "manifest.jsonl").read_bytes() == (whole.folder / "manifest.jsonl").read_bytes()


@needs_fork
def test_the_other_takes_over_what_a_dead_process_claimed(tiny_pipe, thirty, tmp_path):
    """One process stands still with its shard; once it is killed, the other, which waits for it, makes the rest."""
    out = tmp_path / "out"
    (standing,), _ = start(1, thirty, out, tiny_pipe, batch=2)
    while not list(out.rglob("*.png")):
        time.sleep(0.005)
    os.kill(standing.pid, signal.SIGSTOP)
    (other,), results = start(1, thirty, out, tiny_pipe, batch=2)
    while len(Rows(out, "").done()) < 13 and other.is_alive():
        time.sleep(0.01)
    time.sleep(0.3)
    assert other.is_alive(), "it waits: whoever stands still may come back"
    os.kill(standing.pid, signal.SIGKILL)
    standing.join()
    other.join(timeout=60)
    assert results.get()[:2] == (30, 0) and len(pictures(out)) == 30


# Claims


@pytest.fixture()
def two(tmp_path):
    with claims.Claims(tmp_path) as first, claims.Claims(tmp_path) as second:
        yield first, second


def test_one_claim_has_one_owner(tmp_path):
    with claims.Claims(tmp_path) as first:
        many = [claims.Claims(tmp_path) for _ in range(4)]
        taken = []

        def grab(one):
            for number in range(50):
                if one.take(f"{number:06d}-x"):
                    taken.append(number)

        threads = [threading.Thread(target=grab, args=(one,)) for one in (first, *many)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(taken) == list(range(50))


def test_a_living_process_keeps_its_claims_and_a_dead_one_does_not(two, tmp_path):
    first, second = two
    assert first.take("a") and not second.take("a") and second.take("b")
    assert second.take_over(["a"]) is None and second.take_over(["a", "c"]) == "c"
    assert second.take_over(["b"]) == "b", "one's own"
    first.__exit__()
    assert second.take_over(["a"]) == "a" and not first.take("a")
    first._stop.clear()


def test_a_process_of_this_machine_is_asked_for(two, tmp_path):
    first, second = two
    assert first.take("a")
    path = tmp_path / places.ALIVE / f"{first.token}.json"
    about = json.loads(path.read_bytes())
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for change in ({"pid": ended.pid}, {"started": about["started"] - 1000}):
        path.write_text(json.dumps(about | change), encoding="utf-8")
        assert second.is_dead(first.token)
        second._dead.clear()
    path.write_text(json.dumps(about), encoding="utf-8")
    assert not second.is_dead(first.token)


def test_a_process_elsewhere_is_dead_when_nothing_moves(two, tmp_path, monkeypatch):
    """By our own clock: the other machine's may be hours off."""
    first, second = two
    path = tmp_path / places.ALIVE / f"{first.token}.json"
    about = json.loads(path.read_bytes()) | {"at": "another node"}
    path.write_text(json.dumps(about), encoding="utf-8")
    first.take("a")
    now = [1000.0]
    monkeypatch.setattr(claims.time, "monotonic", lambda: now[0])
    os.utime(path, (5, 5))
    for seconds in (0, 60, 60, 60):
        now[0] += seconds
        os.utime(path, (now[0], now[0] - 5000))
        assert second.take_over(["a"]) is None
    now[0] += claims.PATIENCE - 1
    assert second.take_over(["a"]) is None
    now[0] += 2
    assert second.take_over(["a"]) == "a"


def test_a_claim_that_was_never_written_is_waited_for(two, tmp_path, monkeypatch):
    _, second = two
    (tmp_path / places.CLAIMS / "a.0").touch()
    now = [1000.0]
    monkeypatch.setattr(claims.time, "monotonic", lambda: now[0])
    assert second.take_over(["a"]) is None
    now[0] += claims.PATIENCE + 1
    assert second.take_over(["a"]) == "a" and (tmp_path / places.CLAIMS / "a.1").exists()


def test_signs_of_life_are_given(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "BEAT", 0.01)
    with claims.Claims(tmp_path) as one:
        path = tmp_path / places.ALIVE / f"{one.token}.json"
        os.utime(path, (5, 5))
        end = time.monotonic() + 10
        while path.stat().st_mtime < 1000 and time.monotonic() < end:
            time.sleep(0.01)
        assert path.stat().st_mtime > 1000
    assert not path.exists()


def test_files_are_made_once_on_a_disk_without_links_too(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "no links")

    for links in (True, False):
        if not links:
            monkeypatch.setattr(os, "link", refuse)
        path = tmp_path / f"{links}" / "x"
        assert places.create(path, b"first") and not places.create(path, b"second") and path.read_bytes() == b"first"
        assert [one.name for one in path.parent.iterdir()] == ["x"]


# Threads


def test_things_are_made_ahead_but_not_far(monkeypatch):
    made = []

    def things():
        try:
            for number in range(100):
                made.append(number)
                yield number
        finally:
            made.append("closed")

    some = work.ahead(things(), most=2)
    assert next(some) == 0
    time.sleep(0.1)
    assert len(made) <= 5
    some.close()
    assert len(made) <= 6

    def failing():
        yield 1
        raise InputError("broken")

    some = work.ahead(failing(), most=2)
    assert next(some) == 1
    with pytest.raises(InputError, match="broken"):
        next(some)


def test_reading_translating_and_writing_overlap(tiny_pipe, sketches, tmp_path, monkeypatch):
    """While a picture is made, the next sketch is read; while one is written, the next is made. Each waits for the other here."""
    begun, read, missed = [], [], []

    def wait_for(what) -> None:
        end = time.monotonic() + 20
        while not what() and time.monotonic() < end:
            time.sleep(0.002)
        missed.extend([1] * (not what()))

    read_picture, run_batch, whole = work.read_picture, batches.run_batch, work.Worker._whole

    def reading(data):
        read.append(1)
        return read_picture(data)

    def making(*arguments, **named):
        begun.append(1)
        number = len(begun)
        wait_for(lambda: len(read) >= min(9, number + 1))
        return run_batch(*arguments, **named)

    def writing(self, path, data):
        number = sum(1 for _ in (tmp_path / "out" / "pictures").rglob("*.png")) + 1
        wait_for(lambda: len(begun) >= min(9, number + 1))
        whole(self, path, data)

    monkeypatch.setattr(work, "read_picture", reading)
    monkeypatch.setattr(work, "run_batch", making)
    monkeypatch.setattr(work.Worker, "_whole", writing)
    assert translated(sketches, tmp_path / "out", tiny_pipe, batch=1).made == 9
    assert not missed and len(begun) == len(read) == 9


def test_progress_tells_rate_and_remaining_time(tiny_pipe, sketches, tmp_path, capfd):
    translated(sketches, tmp_path / "out", tiny_pipe, limit=4)
    capfd.readouterr()
    translated(sketches, tmp_path / "out", tiny_pipe, quiet=False)
    last = capfd.readouterr().err.replace("\r", "\n").strip().splitlines()[-1]
    assert "9/9" in last and "picture/s" in last and "<" in last


# The plan, the command, the recipe


def test_a_dry_run_says_what_it_would_take(tiny_pipe, sketches, tmp_path):
    plan = translated(sketches, tmp_path / "out", tiny_pipe, dry_run=True, price=2.5)
    assert not (tmp_path / "out").exists()
    assert (plan.count, plan.left, plan.fetch, plan.batch, plan.device) == (9, 9, 0, 4, "cpu")
    assert plan.hours == pytest.approx(9 * plan.seconds / 3600) and plan.cost == pytest.approx(2.5 * plan.hours)
    assert re.search(
        r"9 sketches; nothing is fetched.*\n.* a picture on cpu, 4 together.*\n.*at 2.5 an hour", str(plan)
    )
    made = translated(sketches, tmp_path / "out", tiny_pipe, limit=4)
    later = translated(sketches, tmp_path / "out", tiny_pipe, dry_run=True, limit=4)
    assert later.left == 0 and "(4 are done)" in str(later)
    assert made.bytes / 4 < 3 * plan.disk / 9


def test_the_command_says_mistakes_in_one_line(sketches, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(process, "load_pipeline", lambda *_, **__: pytest.fail("the model was loaded for nothing"))
    monkeypatch.setattr(process, "shared_pipeline", lambda *_: pytest.fail("the model was loaded for nothing"))
    there, out = str(sketches), str(tmp_path / "out")
    for arguments, words in (
        ([there, out], "--prompt"),
        ([str(tmp_path / "none"), out, "--prompt", "x"], "does not exist"),
        ([there, there, "--prompt", "x"], "lies in the folder of the sketches"),
        ([there, out, "--prompt", "{x}"], "use {category}"),
        ([there, out, "--prompt", "x", "--price", "1"], "--dry-run"),
        ([there, out, "--prompt", "x", "--limit", "many"], "invalid int"),
        ([there, out, "--prompt", "x", "--size", "big"], "768x512"),
    ):
        try:
            status = main(["dataset", *arguments])
        except SystemExit as error:
            status = error.code
        told = capsys.readouterr().err
        assert status == 2 and words in told and "Traceback" not in told and told.count("\n") == 1, told


def test_the_command_makes_a_set(sketches, tmp_path, capsys):
    """With a model that ships and needs no denoising."""
    arguments = [
        "dataset",
        str(sketches),
        str(tmp_path / "out"),
        "--prompt",
        "a {category}",
        "--model",
        "cnn",
        "--quiet",
    ]
    assert main([*arguments, "--dry-run"]) == 0 and "9 sketches" in capsys.readouterr().out
    assert main([*arguments, "--limit", "2", "--no-report"]) == 0
    assert main([*arguments, "--no-report"]) == 0
    assert "9 pictures in" in capsys.readouterr().out and len(pictures(tmp_path / "out")) == 9
    assert main([*arguments, "--seed", "1"]) == 2
    told = capsys.readouterr().err
    assert "another seed" in told and told.count("\n") == 1
    with Image.open(next((tmp_path / "out" / "pictures").rglob("*.png"))) as picture:
        assert KEY in picture.text and picture.size == (128, 128)


def test_the_module_is_the_command(sketches, tmp_path):
    """What ``accelerate launch -m`` runs; ``python -m benchmarks.dataset --only launch`` runs it by accelerate itself."""
    command = [sys.executable, "-m", "s2i_teach.translation.dataset", str(sketches), str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stdout == ""
    assert "s2i dataset: the following arguments are required: --prompt" in done.stderr and done.stderr.count("\n") == 1


def test_each_process_of_a_launch_has_its_own_device_and_one_speaks(monkeypatch):
    loaded = []

    class State:
        device = torch.device("cuda", 1)

    monkeypatch.setattr("accelerate.PartialState", State)
    monkeypatch.setattr(process, "load_pipeline", lambda model, **named: loaded.append((model, named)))
    monkeypatch.setattr(process, "shared_pipeline", lambda model: loaded.append((model, None)))
    for name in ("LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    process.pipeline_here("mini")
    assert process.speaks() and loaded == [("mini", None)]
    monkeypatch.setenv("WORLD_SIZE", "4")
    for rank, speaks in (("0", True), ("1", False)):
        monkeypatch.setenv("LOCAL_RANK", rank)
        assert process.speaks() == speaks
    process.pipeline_here("mini", "fp16")
    assert loaded[-1] == ("mini", {"dtype": "fp16", "device": "cuda:1"})
    State.device = torch.device("cpu", 0)
    process.pipeline_here("mini")
    assert loaded[-1][1]["device"] == "cpu"


def recipe(language: str) -> list[str]:
    text = (ROOT / "docs" / "dataset.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_recipe_s_scripts_are_scripts_and_its_options_are_there():
    scripts = recipe("bash")
    assert any("#SBATCH --array" in script for script in scripts)
    for script in scripts:
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    from s2i_teach.cli import build_parser

    known = {
        option
        for action in build_parser()._subparsers._group_actions[0].choices["dataset"]._actions
        for option in action.option_strings
    }
    used = re.findall(r"s2i(?:_teach\.translation\.|\s+)dataset\s+((?:[^\n\\]|\\\n)*)", "\n".join(scripts))
    assert len(used) >= 3
    assert set(re.findall(r"--[a-z][a-z-]+", " ".join(used))) <= known
    for block in recipe("python"):
        compile(block, "docs/dataset.md", "exec")


def test_public_names():
    assert s2i.translate_dataset is run.translate_dataset and s2i.Dataset is run.Dataset
