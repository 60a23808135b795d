"""Sampling: the same seed gives the same files from every copy of a data set, and a stopped sample goes on."""

import errno
import hashlib
import io
import itertools
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import s2i_teach as s2i
from s2i_teach.cli import main
from s2i_teach.data_sources import sources
from s2i_teach.data_sources.classes import classes, find_categories, folder_name
from s2i_teach.data_sources.draw import pick
from s2i_teach.data_sources.manifest import FORMAT, Entry, Manifest, parse_manifest, read_manifest, stays_inside
from s2i_teach.data_sources.writing import JOURNAL, alone
from s2i_teach.errors import InputError
from s2i_teach.files import place_key
from tests.peak import PEAK
from tests.sketch_zip import SketchZip

IDS = ("n01440764", "n01443537", "n02099601", "n02012849", "n03126707")
"""tench, goldfish, golden retriever, and the two cranes."""


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("S2I_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def draw(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (16 + number % 7, 20 + number), 255 - number % 9).save(path)


@pytest.fixture()
def copy(tmp_path) -> Path:
    """A copy of a data set in ImageNet-Sketch's layout: five classes, eight pictures each."""
    for position, class_id in enumerate(IDS):
        for number in range(8):
            draw(tmp_path / "copy" / "sketch" / class_id / f"sketch_{number}.JPEG", 10 * position + number)
    return tmp_path / "copy"


def zipped(folder: Path, path: Path, below: str = "", names=None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in names or sorted(folder.rglob("*.JPEG"), reverse=True):
            archive.write(file, below + file.relative_to(folder).as_posix())
    return path


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder with its hash."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def pictures(folder: Path) -> dict[str, str]:
    return {name: digest for name, digest in contents(folder).items() if name != "manifest.json"}


def refusal(call, *arguments, **named) -> str:
    with pytest.raises(InputError) as told:
        call(*arguments, **named)
    text = str(told.value)
    assert text.endswith((".", "?")) and "\n" not in text and "Traceback" not in text
    return text


# The draw


@given(st.lists(st.text(min_size=1), unique=True, max_size=30), st.integers(0, 30), st.integers(), st.text())
def test_the_draw_depends_on_names_alone_and_grows(names, k, seed, category):
    drawn = pick(names, k, seed, category)
    assert drawn == pick(reversed(names), k, seed, category)
    assert len(drawn) == min(k, len(names)) == len(set(drawn)) and set(drawn) <= set(names)
    assert pick(names, k + 1, seed, category)[:k] == drawn


def test_the_draw_is_the_same_on_every_machine():
    names = [f"sketch_{number}.JPEG" for number in range(50)]
    # Written down once: a change of these would change every class's sample.
    assert pick(names, 3, 0, "n01440764") == ["sketch_9.JPEG", "sketch_12.JPEG", "sketch_19.JPEG"]


def test_every_name_is_drawn_about_as_often():
    names = [str(number) for number in range(10)]
    times = [sum(name in pick(names, 3, seed, "cat") for seed in range(1000)) for name in names]
    assert all(240 < count < 360 for count in times), times  # 300 expected; five standard deviations are 72


def test_every_copy_gives_the_same_files(copy, web, tmp_path, monkeypatch):
    wanted = {"categories": ["tench", "n02099601", "Carassius auratus"], "per_category": 3, "seed": 5, "quiet": True}
    first = s2i.sample(copy, **wanted, to="first")
    assert first.counts == {"golden retriever": 3, "goldfish": 3, "tench": 3}
    assert {entry.class_id for entry in first.files} == {"n02099601", "n01443537", "n01440764"}
    assert (tmp_path / "first" / "golden_retriever").is_dir()
    local = zipped(copy, tmp_path / "copy.zip")
    kaggle = zipped(copy, tmp_path / "kaggle.zip", below="imagenetsketch/sketch/")
    web.put("/a.zip", local.read_bytes())
    web.put("/whole.zip", kaggle.read_bytes(), ranges=False)
    for number, source in enumerate([local, kaggle, copy / "sketch", f"{web.url}/a.zip", f"{web.url}/whole.zip"]):
        other = s2i.sample(source, **wanted, to=f"other{number}")
        assert pictures(other.folder) == pictures(first.folder)
    monkeypatch.setattr(sources, "KAGGLE", copy)
    assert pictures(s2i.sample("imagenet-sketch", **wanted, to="named").folder) == pictures(first.folder)
    assert first.files[0].licence.startswith("not known")


def test_another_category_or_more_of_each_keep_what_was_drawn(copy):
    few = s2i.sample(copy, categories=["tench"], per_category=2, to="few", quiet=True)
    many = s2i.sample(copy, per_category=4, to="many", quiet=True)
    assert pictures(few.folder).items() <= pictures(many.folder).items()
    assert len(many) == 20 and set(many.counts) == {
        "tench",
        "goldfish",
        "golden retriever",
        "crane (bird)",
        "crane (machine)",
    }
    other = s2i.sample(copy, per_category=4, seed=1, to="other", quiet=True)
    assert pictures(other.folder) != pictures(many.folder)


def test_so_many_categories_by_lot(copy):
    three = s2i.sample(copy, categories=3, per_category=1, to="three", quiet=True)
    four = s2i.sample(copy, categories=4, per_category=1, to="four", quiet=True)
    assert len(three.counts) == 3 and set(three.counts) < set(four.counts)
    assert "5" in refusal(s2i.sample, copy, categories=6, to="six")


@pytest.mark.parametrize(
    "categories",
    [
        np.array(["tench", "goldfish"]),
        ("tench", "goldfish"),
        {"goldfish", "tench"},
        (name for name in ("tench", "goldfish")),
    ],
    ids=["array", "tuple", "set", "generator"],
)
def test_categories_in_any_form(categories, copy):
    made = s2i.sample(copy, categories=categories, per_category=np.int64(1), seed=np.int32(-3), to="made", quiet=True)
    assert made.counts == {"goldfish": 1, "tench": 1}
    assert len(s2i.sample(copy, categories=np.int64(2), per_category=1, to="two", quiet=True).counts) == 2


def test_a_class_id_and_its_name_are_one_category(tmp_path):
    draw(tmp_path / "mixed" / IDS[0] / "a.png", 1)
    draw(tmp_path / "mixed" / "tench" / "a.png", 2)
    made = s2i.sample("mixed", to="made", quiet=True)
    assert made.counts == {"tench": 2} and {entry.class_id for entry in made.files} == {IDS[0]}


def test_a_category_with_fewer_says_so(copy, capsys):
    made = s2i.sample(copy, categories=["tench"], per_category=50, to="all")
    assert len(made) == 8 and made.notes == ("Fewer than 50 are there of: tench 8.",)
    assert "8 of 40 files" in capsys.readouterr().out


def test_the_plan_fetches_and_writes_nothing(copy, web, tmp_path):
    archive = web.put("/a.zip", zipped(copy, tmp_path / "a.zip").read_bytes())
    plan = s2i.sample(f"{web.url}/a.zip", per_category=2, to="nothing", plan=True)
    assert plan.counts["tench"] == 2 and len(plan.files) == 10 and not (tmp_path / "nothing").exists()
    before = archive.served
    made = s2i.sample(f"{web.url}/a.zip", per_category=2, to="there", quiet=True)
    assert list(plan.files) == [entry.path for entry in made.files]
    # What was announced is what the files cost; the table of contents is read again besides.
    assert archive.served - before <= plan.cost + before


def test_what_is_too_dear_is_refused_before_it_starts(copy, web, tmp_path):
    data = zipped(copy, tmp_path / "a.zip").read_bytes()
    web.put("/a.zip", data)
    assert "max_bytes" in refusal(s2i.sample, f"{web.url}/a.zip", max_bytes=100, to="x", quiet=True)
    whole = web.put("/b.zip", data, ranges=False)
    assert "fetched whole" in refusal(s2i.sample, f"{web.url}/b.zip", max_bytes=100, to="x", quiet=True)
    assert "fetched whole" in refusal(s2i.sample, f"{web.url}/b.zip", plan=True)
    assert not (tmp_path / "x").exists() and whole.served < len(data) + 200_000


def test_a_second_place_is_asked_when_the_first_fails(copy, web, tmp_path, monkeypatch):
    data = zipped(copy, tmp_path / "a.zip").read_bytes()
    first, second = web.put("/first.zip", data), web.put("/second.zip", data)
    monkeypatch.setattr(sources, "IMAGENET_SKETCH", (f"{web.url}/gone.zip", f"{web.url}/second.zip"))
    made = s2i.sample("imagenet-sketch", per_category=2, to="made", quiet=True)
    assert len(made) == 10 and second.served > 0

    # Google Drive, when the copy on Hugging Face is out of reach.
    link, drive = web.drive(data, page="confirm")
    monkeypatch.setattr(sources, "IMAGENET_SKETCH", (f"{web.url}/gone.zip", link))
    third = s2i.sample("imagenet-sketch", per_category=2, to="third", quiet=True)
    assert pictures(third.folder) == pictures(made.folder) and drive.served > 0

    # The first gives its table of contents, and then no more.
    monkeypatch.setattr(sources, "IMAGENET_SKETCH", (f"{web.url}/first.zip", f"{web.url}/second.zip"))
    first.once_served = lambda: first.statuses.extend([404] * 40)
    again = s2i.sample("imagenet-sketch", per_category=2, to="again", quiet=True)
    assert pictures(again.folder) == pictures(made.folder)
    both = refusal(s2i.sample, f"{web.url}/none.zip", to="none", quiet=True)
    assert "404" in both


# Going on


def test_the_same_sample_again_asks_nobody(copy, web, tmp_path):
    archive = web.put("/a.zip", zipped(copy, tmp_path / "a.zip").read_bytes())
    made = s2i.sample(f"{web.url}/a.zip", per_category=2, to="there", quiet=True)
    asked = archive.requests
    again = s2i.sample(f"{web.url}/a.zip", per_category=2, to="there", quiet=True, offline=True)
    assert again.files == made.files and archive.requests == asked


def test_what_was_damaged_or_lost_is_made_again(copy, tmp_path):
    made = s2i.sample(copy, per_category=2, to="there", quiet=True)
    before = contents(made.folder)
    made.path(made.files[0]).write_bytes(b"scribble")
    made.path(made.files[3]).unlink()
    assert "lacks" in refusal(s2i.open_sample, made.folder)
    s2i.sample(copy, per_category=2, to="there", quiet=True)
    assert contents(made.folder) == before
    assert s2i.open_sample(made.folder).files == made.files


def test_a_folder_with_other_things_is_left_alone(copy, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "essay.txt").write_text("mine")
    assert "not empty" in refusal(s2i.sample, copy, to="mine", quiet=True)
    assert contents(tmp_path / "mine") == {"essay.txt": hashlib.sha256(b"mine").hexdigest()}
    s2i.sample(copy, per_category=1, to="one", quiet=True)
    before = contents(tmp_path / "one")
    assert "seed 0" in refusal(s2i.sample, copy, per_category=1, seed=9, to="one", quiet=True)
    assert "is a file" in refusal(s2i.sample, copy, to="one/manifest.json", quiet=True)
    assert contents(tmp_path / "one") == before


def test_a_sample_is_never_laid_into_its_source(copy, tmp_path, monkeypatch):
    before = contents(copy)
    assert "inside the folder that is sampled" in refusal(s2i.sample, copy, to=copy / "out", quiet=True)
    monkeypatch.chdir(copy)
    assert "inside the folder that is sampled" in refusal(s2i.sample, ".", quiet=True)
    assert contents(copy) == before and not (copy / "out").exists()


def test_a_sample_in_the_folder_one_is_in(copy, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    made = s2i.sample(copy, per_category=1, to=".", clean=True, quiet=True)
    assert len(made) == 5 and (tmp_path / "here-clean" / "manifest.json").exists()


def test_a_cleaned_copy_is_not_taken_for_the_sample(tmp_path, monkeypatch):
    wanted = dict(categories=4, per_category=1, quiet=True)
    s2i.sample("line-art", **wanted, to="made", clean=True)
    assert "another sample" in refusal(s2i.sample, "line-art", **wanted, to="made-clean")
    assert "Cleaned by the rules: unreadable, tiny" in s2i.open_sample("made-clean").datasheet()
    assert "Cleaned" not in s2i.open_sample("made").datasheet()
    s2i.sample("line-art", **wanted, to="made", clean=True)  # once more replaces the copy
    assert Image.open("made-report/cleaning.png").width > 100
    assert len(Path("made-report/cleaning.csv").read_text().splitlines()) == 1 + len(s2i.open_sample("made"))
    pack = s2i.pack("made-clean", "clean.zip")
    assert s2i.class_pack(pack.path, to="theirs").files == s2i.open_sample("made-clean").files
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert "you are in" in refusal(s2i.clean, "../made", to=".")


def test_two_processes_do_not_write_one_sample(copy, tmp_path):
    with alone(tmp_path / "made"):
        assert "Another process" in refusal(s2i.sample, copy, per_category=1, to="made", quiet=True)
    assert len(s2i.sample(copy, per_category=1, to="made", quiet=True)) == 5
    assert [path.name for path in (tmp_path / "made").rglob(".*")] == []


@pytest.mark.parametrize("left", [b"", b'{"source": '])
def test_a_kill_as_it_began_is_no_other_sample(left, copy, tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / JOURNAL).write_bytes(left)
    (tmp_path / "made" / ".s2i-abc.partial").write_bytes(b"half")
    assert len(s2i.sample(copy, per_category=1, to="made", quiet=True)) == 5
    assert [path.name for path in (tmp_path / "made").rglob(".*")] == []
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / JOURNAL).write_bytes(b"[1]\n")
    assert "damaged" in refusal(s2i.sample, copy, to="odd", quiet=True)


def test_a_stop_as_it_goes_on_keeps_what_was_noted(copy, tmp_path, monkeypatch):
    """The journal is whole at every moment: what it had noted is not read again."""

    def stop_after(number):
        def read_many(self, items):
            for done, pair in enumerate(read(self, items)):
                if done == number:
                    raise KeyboardInterrupt
                asked.append(pair[0].name)
                yield pair

        return read_many

    read, asked = sources.Folder.read_many, []
    for number in (4, 0, 2):
        monkeypatch.setattr(sources.Folder, "read_many", stop_after(number))
        with pytest.raises(KeyboardInterrupt):
            s2i.sample(copy, per_category=2, to="made", quiet=True)

    calls = itertools.count()

    def stop_at_third(row):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return json.dumps(row).encode() + b"\n"

    with monkeypatch.context() as patched:
        patched.setattr("s2i_teach.data_sources.writing._line", stop_at_third)
        with pytest.raises(KeyboardInterrupt):
            s2i.sample(copy, per_category=2, to="made", quiet=True)
    monkeypatch.setattr(sources.Folder, "read_many", stop_after(-1))
    assert len(s2i.sample(copy, per_category=2, to="made", quiet=True)) == 10
    assert len(asked) == len(set(asked)) == 10


def test_a_full_disk_is_one_sentence_and_the_sample_goes_on(copy, tmp_path, monkeypatch):
    """The journal's disk fills up: what was written stays, and is gone on from."""

    class Full(io.FileIO):
        def write(self, data):
            if self.tell() > 900:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data[:100])

    def opened(file, mode="r", *rest, **more):
        return Full(file, mode) if Path(file).name == JOURNAL and "a" in mode else open(file, mode, *rest, **more)

    monkeypatch.setattr("s2i_teach.data_sources.writing.open", opened, raising=False)
    assert "No space" in refusal(s2i.sample, copy, per_category=2, to="made", quiet=True)
    assert len(journal_of(tmp_path / "made")) > 0
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert len(s2i.sample(copy, per_category=2, to="made", quiet=True)) == 10
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10, 10, 0))
    assert "name a folder on a larger disk" in refusal(s2i.sample, copy, to="more", quiet=True)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="there Path.exists() answers False instead")
def test_a_folder_that_may_not_be_looked_into(copy, tmp_path, monkeypatch):
    """Whether something exists is asked first, and that can be refused, too."""
    made = s2i.sample(copy, per_category=1, to="made", quiet=True)
    s2i.pack(made, "class.zip")
    ask = os.stat

    def refuse(path, *rest, **more):
        if not isinstance(path, int) and "locked" in os.fspath(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return ask(path, *rest, **more)

    monkeypatch.setattr(os, "stat", refuse)
    for call in (
        lambda: s2i.sample("locked/x", to="no", quiet=True),
        lambda: s2i.sample("locked/x.zip", to="no", quiet=True),
        lambda: s2i.sample(copy, to="locked/x", quiet=True),
        lambda: s2i.open_sample("locked/x"),
        lambda: s2i.pack(made, "locked/x.zip"),
        lambda: s2i.class_pack("locked/x.zip", to="no"),
        lambda: s2i.class_pack("class.zip", to="locked/x"),
    ):
        assert "cannot be read: Permission denied" in refusal(call)


def test_killed_at_ten_points_it_ends_with_the_same_files(web, tmp_path):
    archive = SketchZip(ids=IDS, per_category=50, bytes_each=60_000)
    item = web.put("/a.zip", archive, pause=0.004)
    arguments = ["sample", f"{web.url}/a.zip", "--per-category", "6", "--quiet", "--to"]
    whole = s2i.sample(f"{web.url}/a.zip", per_category=6, to="whole", quiet=True)
    item.served = 0
    item.starts.clear()
    target, lot, noted = tmp_path / "killed", random.Random(4), set()
    for _ in range(10):
        goal = item.served + lot.randrange(20_000, 400_000)
        process = subprocess.Popen([sys.executable, "-m", "s2i_teach.cli", *arguments, str(target)], cwd=tmp_path)
        while item.served < goal and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.02)  # what was on its way to the dead process is served to nobody
        # What is written down as finished is finished, and is never asked for again.
        asked_after = noted & {place for place in item.starts}
        assert not asked_after
        item.starts.clear()
        for entry in journal_of(target):
            assert hashlib.sha256((target / entry["path"]).read_bytes()).hexdigest() == entry["sha256"]
            noted.add(archive.place(entry["name"]))
    assert main([*arguments, str(target)]) == 0
    assert not noted & set(item.starts)
    assert pictures(target) == pictures(whole.folder)
    assert [path.name for path in target.rglob(".*")] == []


def journal_of(folder: Path) -> list[dict]:
    if (folder / "manifest.json").exists():
        return json.loads((folder / "manifest.json").read_text())["files"]
    if not (folder / JOURNAL).exists():
        return []
    lines = (folder / JOURNAL).read_bytes().split(b"\n")[1:]
    return [json.loads(line) for line in lines if line.endswith(b"}")]


def test_three_hundred_of_a_thousand_categories_cost_two_per_cent_and_little_memory(web, tmp_path):
    archive = SketchZip(ids=[one.class_id for one in classes()], per_category=50, bytes_each=150_000)
    assert len(archive.names) == 50_000 and len(archive) > 7e9
    item = web.put("/sketch.zip", archive)
    code = (
        "import s2i_teach as s2i\n"
        f"made = s2i.sample('{web.url}/sketch.zip', categories=100, per_category=3, to='three', quiet=True)\n"
        "print(len(made), len(made.counts), made.fetched)\n" + PEAK
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    files, categories, fetched, kilobytes = map(int, said.split())
    assert (files, categories) == (300, 100)
    assert abs(fetched - item.served) < 1000
    assert item.served <= 0.02 * len(archive), f"{item.served / len(archive):.2%}"
    assert kilobytes <= 200_000


# Sources


def test_the_embedded_data_are_sources(tmp_path):
    drawn = s2i.sample("sketches", per_category=2, to="sketches", quiet=True)
    assert drawn.counts["scene"] == 2 and drawn.files[0].more["credit"]
    assert {entry.licence for entry in drawn.files} <= {"CC BY 4.0", "CC BY-SA 4.0"}
    lines = s2i.sample("line-art", categories=["animal-mammal"], per_category=5, to="line", quiet=True)
    assert all(entry.more["style"] == "line" for entry in lines.files)
    assert len(s2i.sample("pairs", plan=True, per_category=100).counts) > 40
    for entry in (*drawn.files, *lines.files):
        Image.open(tmp_path / ("sketches" if entry in drawn.files else "line") / entry.path).verify()


def ndjson(path: Path, word: str, count: int) -> Path:
    rows = [
        {
            "word": word,
            "key_id": str(1000 + i),
            "recognized": True,
            "drawing": [[[0, 200, i], [5, 100, 50]], [[3], [4]]],
        }
        for i in range(count)
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return path


def test_quick_draw_in_both_forms(tmp_path, web, monkeypatch):
    lines = ndjson(tmp_path / "cat.ndjson", "cat", 12)
    with open(tmp_path / "cat.bin", "wb") as file:
        for i in range(12):
            file.write(struct.pack("<Q2sbIH", 1000 + i, b"CH", 1, 0, 2))
            for xs, ys in (((0, 200, i), (5, 100, 50)), ((3,), (4,))):
                file.write(struct.pack("<H", len(xs)) + bytes(xs) + bytes(ys))
    text = s2i.sample(lines, per_category=4, to="text", quiet=True)
    binary = s2i.sample(tmp_path / "cat.bin", per_category=4, to="binary", quiet=True)
    assert text.counts == {"cat": 4} and "CC BY 4.0" in text.files[0].licence
    assert pictures(text.folder) == pictures(binary.folder)
    page = Image.open(text.path(text.files[0]))
    assert page.size == (512, 512) and page.getextrema() == (0, 255) and page.getpixel((2, 2)) == 255

    web.put("/dog.ndjson", ndjson(tmp_path / "dog.ndjson", "dog", 5).read_bytes())
    web.put("/the%20cat.ndjson", lines.read_bytes())
    monkeypatch.setattr("s2i_teach.data_sources.quickdraw.ADDRESS", web.url + "/{}.ndjson")
    named = s2i.sample("quickdraw", categories=["dog"], per_category=2, to="named", quiet=True)
    assert named.counts == {"dog": 2}
    assert "max_bytes" in refusal(s2i.sample, "quickdraw", categories=["the_cat"], max_bytes=10, to="dear", quiet=True)
    assert "404" in refusal(s2i.sample, "quickdraw", categories=["nothing"], to="no", quiet=True)
    assert "345" in refusal(s2i.sample, "quickdraw", to="no", quiet=True)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("cut.bin", struct.pack("<Q2sbIH", 1, b"CH", 1, 0, 2) + b"\3\0\1"),
        ("other.ndjson", b'{"word": "cat"}\n'),
        ("page.ndjson", b"<html>404</html>\n"),
        ("empty.ndjson", b""),
        ("none.ndjson", b'{"word": "cat", "key_id": "1", "drawing": []}\n'),
        (
            "mixed.ndjson",
            b'{"word":"a","key_id":"1","drawing":[[[1],[1]]]}\n{"word":"b","key_id":"2","drawing":[[[1],[1]]]}',
        ),
    ],
)
def test_a_damaged_drawing_file_is_refused(name, data, tmp_path):
    (tmp_path / name).write_bytes(data)
    assert name in refusal(s2i.sample, tmp_path / name, to="no", quiet=True)
    assert not (tmp_path / "no").exists()


def test_a_sample_of_a_sample_keeps_category_class_id_and_licence(copy, tmp_path):
    first = s2i.sample(copy, per_category=4, to="first", quiet=True)
    s2i.pack(first, "pack.zip")
    again = [s2i.sample(copy, per_category=2, to="direct", quiet=True)]
    again += [s2i.sample(source, per_category=2, to=f"{source}-again", quiet=True) for source in ("first", "pack.zip")]
    direct, *others = [
        [(entry.path, entry.category, entry.class_id, entry.sha256, entry.licence) for entry in made.files]
        for made in again
    ]
    assert others == [direct, direct] and direct[0][2]
    drawn = s2i.sample("line-art", per_category=1, categories=2, to="open", quiet=True)
    more = s2i.sample("open", to="open-again", quiet=True)
    assert [(entry.licence, entry.more) for entry in more.files] == [(e.licence, e.more) for e in drawn.files]
    manifest = tmp_path / "open" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"licence"', '"lizenz"', 1))
    assert "not a manifest of sketches" in refusal(s2i.sample, "open", plan=True)
    manifest.write_text('{"name": "an app", "files": 3}')
    assert set(s2i.sample("open", plan=True).counts) == {Path(entry.path).parts[0] for entry in drawn.files}


def test_the_licence_is_known_by_class_ids_in_a_folder_and_in_a_zip(copy, tmp_path):
    for source in (copy, zipped(copy, tmp_path / "a.zip")):
        made = s2i.sample(source, per_category=1, to=f"of-{source.name}", quiet=True)
        assert all("do not redistribute" in entry.licence for entry in made.files)
    draw(tmp_path / "own" / "sketch" / "a.png", 1)
    assert "ask where" in s2i.sample("own", to="made", quiet=True).files[0].licence


def test_a_path_is_a_folder_whatever_its_name(tmp_path, monkeypatch):
    draw(tmp_path / "sketches" / "zebra" / "a.png", 1)
    assert s2i.sample(Path("sketches"), to="made", quiet=True).counts == {"zebra": 1}
    draw(tmp_path / "flat" / "a.png", 1)
    monkeypatch.chdir(tmp_path / "flat")
    assert s2i.sample(".", to="../flat-made", quiet=True).counts == {"flat": 1}


def test_a_shared_drive_folder(copy, monkeypatch, tmp_path):
    """The list is gdown's (tested with the fetching); here: what becomes of it."""
    files = {f"tench/{path.name}": path for path in sorted((copy / "sketch" / IDS[0]).iterdir())}

    class File:
        def __init__(self, path):
            self.path, self.url = path, path

    monkeypatch.setattr(sources, "list_folder", lambda link: [File(path) for path in [*files, "notes.txt"]])
    monkeypatch.setattr(sources, "fetch", lambda url, quiet: files[url])
    link = "https://drive.google.com/drive/folders/1abcdefghijklmnop"
    made = s2i.sample(link, per_category=3, to="drive", quiet=True)
    assert made.counts == {"tench": 3}
    assert "unknown" in str(s2i.sample(link, per_category=3, plan=True))
    assert made.folder == Path("drive")
    size = made.files[0].bytes
    assert "by now" in refusal(s2i.sample, link, per_category=3, to="dear", quiet=True, max_bytes=size + 1)
    assert len(journal_of(tmp_path / "dear")) == 2
    assert pictures(s2i.sample(link, per_category=3, to="dear", quiet=True).folder) == pictures(made.folder)
    assert s2i.sample(link, per_category=1, quiet=True).folder == Path("samples/drive-1abcdefghijklmnop")


def test_odd_folders(tmp_path, copy):
    for name in ("a/cat/x.png", "b/cat/x.png", "b/CAT/y.png", "con/x.png", "l'été (2)/é.png", ".hidden/x.png"):
        draw(tmp_path / "odd" / name, 3)
    os.symlink(copy, tmp_path / "odd" / "link")
    made = s2i.sample(tmp_path / "odd", to="made", quiet=True)
    paths = [entry.path for entry in made.files]
    assert len({path.lower() for path in paths}) == len(paths) == 5
    assert all(stays_inside(path) and "con/" not in path for path in paths)
    draw(tmp_path / "flat" / "x.png", 3)
    assert s2i.sample(tmp_path / "flat", to="made2", quiet=True).counts == {"flat": 1}
    (tmp_path / "empty").mkdir()
    assert "no pictures" in refusal(s2i.sample, tmp_path / "empty", to="no", quiet=True)


def test_a_mac_s_copy_and_every_system_s_places(tmp_path):
    """Accents in one letter or two, ß and ss, and what Windows reserves."""
    for form in ("NFC", "NFD"):
        for number in range(9):
            draw(tmp_path / form / unicodedata.normalize(form, f"été/é{number}.png"), number)
    one, two = (
        s2i.sample(form, categories=["été"], per_category=3, to=f"to{form}", quiet=True) for form in ("NFC", "NFD")
    )
    assert pictures(one.folder) == pictures(two.folder) and len(one) == 3

    for name in ("Straße/a.png", "STRASSE/a.png", "cat/con.x.png", "com¹/a.png", "𠀀" * 60 + "/a.png"):
        draw(tmp_path / "odd" / name, 3)
    made = s2i.sample("odd", to="made", quiet=True)
    paths = [entry.path for entry in made.files]
    assert len({place_key(path) for path in paths}) == len(paths) == 5
    assert not {part.split(".")[0] for path in paths for part in path.split("/")} & {"con", "com¹"}
    s2i.pack(made, "odd.zip")  # a pack whose names the class's systems would take for one is refused by class_pack
    assert s2i.class_pack("odd.zip", to="theirs").files == made.files
    draw(tmp_path / "case" / "cat" / "a.png", 1)
    draw(tmp_path / "case" / "CAT" / "b.png", 2)
    assert s2i.sample("case", categories=["cat"], to="cat", quiet=True).counts == {"cat": 1}
    assert s2i.sample("case", categories=["CAT"], to="CAT", quiet=True).counts == {"CAT": 1}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"source": "nowhere"}, "does not exist"),
        ({"source": 5}, "int"),
        ({"source": "sketches", "per_category": 0}, "per_category"),
        ({"source": "sketches", "per_category": True}, "per_category"),
        ({"source": "sketches", "seed": "x"}, "seed"),
        ({"source": "sketches", "categories": ["aple"]}, "apple"),
        ({"source": "sketches", "categories": []}, "No category"),
        ({"source": "sketches", "categories": [3]}, "is no name"),
        ({"source": "sketches", "categories": 0}, "categories"),
        ({"source": "sketches", "categories": 1.5}, "categories"),
        ({"source": "sketches", "max_bytes": "x"}, "max_bytes"),
        ({"source": "imagenet-sketch", "offline": True}, "offline"),
        ({"source": "my-drive/sketches"}, "Colab"),
        ({"source": "sketches", "to": ""}, "empty"),
        ({"source": "sketches", "to": 5}, "5 is no file name"),
        ({"source": "sketches", "to": "x" * 300}, "longer"),
        ({"source": "x" * 300}, "longer"),
        ({"source": "https://"}, "address"),
    ],
)
def test_bad_input_is_one_sentence(arguments, words, tmp_path):
    assert words in refusal(s2i.sample, **{"to": "made", "quiet": True, **arguments})
    assert not list(tmp_path.glob("made*"))


# Names


def test_the_classes_have_a_thousand_names_and_folders():
    names = [one.name for one in classes()]
    assert len(names) == 1000 and len({folder_name(name).lower() for name in names}) == 1000
    there = {one.name: one.class_id for one in classes()}
    assert find_categories(["Golden_Retriever", "n01440764", "tench"], there) == ["golden retriever", "tench"]
    assert "crane (bird)" in refusal(find_categories, ["crane"], there)
    assert "box turtle" in refusal(find_categories, "turtle", there)


@given(st.text())
def test_any_category_makes_a_plain_folder_name(text):
    name = folder_name(text)
    assert stays_inside(name) and "/" not in name and len(name) <= 81 and name == name.strip(" .")


# Manifests

texts = st.text(max_size=20)
entries = st.builds(
    Entry,
    path=st.lists(st.text("abc é.", min_size=1, max_size=8), min_size=1, max_size=3).map("/".join).filter(stays_inside),
    category=texts,
    class_id=st.none() | texts,
    name=texts,
    bytes=st.integers(0, 2**40),
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    licence=texts,
    more=st.dictionaries(st.text("xyz", min_size=5, max_size=8), st.none() | texts | st.integers(), max_size=2),
)
requests = st.dictionaries(st.text("klm", min_size=2, max_size=6), st.none() | texts | st.integers(), max_size=3)


some = st.lists(entries, max_size=5, unique_by=lambda entry: place_key(entry.path)).map(tuple)


@given(st.builds(Manifest, requests, some))
def test_a_manifest_is_read_as_it_was_written(tmp_path_factory, manifest):
    folder = tmp_path_factory.mktemp("manifest")
    manifest.write(folder)
    assert read_manifest(folder) == manifest


@given(
    st.binary(max_size=200) | st.recursive(st.none() | st.integers() | texts, st.lists, max_leaves=5).map(json.dumps)
)
def test_what_is_no_manifest_is_one_sentence(data):
    refusal(parse_manifest, data if isinstance(data, bytes) else data.encode(), "manifest.json")


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/x", "C:/x", "a\\..\\..\\x", "", ".", "a//b", "a\0b"])
def test_a_manifest_that_leads_out_is_refused(path):
    row = dict(path=path, category="", class_id=None, name="", bytes=1, sha256="0" * 64, licence="")
    text = json.dumps({"format": FORMAT, "files": [row]})
    assert "outside" in refusal(parse_manifest, text.encode(), "manifest.json")


@pytest.mark.parametrize("second", ["A/X.png", "manifest.json"])
def test_a_manifest_with_two_files_at_one_place_is_refused(second):
    row = dict(category="", class_id=None, name="", bytes=1, sha256="0" * 64, licence="")
    text = json.dumps({"format": FORMAT, "files": [row | {"path": "a/x.png"}, row | {"path": second}]})
    assert "two files at" in refusal(parse_manifest, text.encode(), "manifest.json")


# Packs


def test_a_class_pack_there_and_back(copy, web, tmp_path):
    made = s2i.sample(copy, per_category=2, to="made", quiet=True)
    pack = s2i.pack(made, tmp_path / "class.zip")
    assert s2i.pack("made", tmp_path / "again.zip").sha256 == pack.sha256
    assert pack.sha256 in pack.call and "share the link with your class alone" in str(pack)
    link, item = web.drive(pack.path.read_bytes(), page="confirm")
    plain = web.put("/class.zip", pack.path.read_bytes())
    got = s2i.class_pack(f"{web.url}/class.zip", sha256=pack.sha256, to="got", quiet=True)
    assert pictures(got.folder) == pictures(made.folder)
    assert got.manifest.request["source"] == "copy" and str(tmp_path) not in (got.folder / "manifest.json").read_text()
    served = plain.served
    s2i.class_pack(f"{web.url}/class.zip", sha256=pack.sha256, to="got2", quiet=True, offline=True)
    assert plain.served == served
    drive = s2i.class_pack(link, sha256=pack.sha256, to="drive", quiet=True)
    assert pictures(drive.folder) == pictures(made.folder) and item.served >= pack.bytes
    local = s2i.class_pack(pack.path, sha256=pack.sha256)
    assert local.folder == Path("samples/copy") and s2i.class_pack(pack.path).files == made.files
    second = s2i.class_pack([f"{web.url}/gone.zip", f"{web.url}/class.zip"], to="second", quiet=True)
    assert len(second) == 10
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_pack_that_is_none(copy, tmp_path, web):
    made = s2i.sample(copy, per_category=1, to="made", quiet=True)
    pack = s2i.pack(made, "class.zip")
    assert "not the pack" in refusal(s2i.class_pack, "class.zip", sha256="0" * 64, to="no")
    assert "no class pack" in refusal(s2i.class_pack, zipped(copy, tmp_path / "plain.zip"), to="no")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    assert "other things" in refusal(s2i.class_pack, "class.zip", to="full")
    with zipfile.ZipFile("class.zip") as archive, zipfile.ZipFile("forged.zip", "w") as forged:
        for name in archive.namelist():
            data = archive.read(name)
            forged.writestr(name, data[:-1] + b"x" if name.endswith("JPEG") else data)
    assert "not what its manifest says" in refusal(s2i.class_pack, "forged.zip", to="no")
    with zipfile.ZipFile("class.zip") as archive, zipfile.ZipFile("lacking.zip", "w") as lacking:
        lacking.writestr("manifest.json", archive.read("manifest.json"))
    assert "lacks" in refusal(s2i.class_pack, "lacking.zip", to="no")
    assert "let it end in .zip" in refusal(s2i.pack, made, "class.tar")
    assert "holds no" in refusal(s2i.pack, copy, "x.zip")
    made.path(made.files[0]).unlink()
    assert "lacks" in refusal(s2i.pack, made, "x.zip")
    assert not Path("no").exists() and not Path("x.zip").exists() and pack.path.exists()


def test_a_pack_never_replaces_another_file(copy, tmp_path):
    made = s2i.sample(copy, per_category=1, to="made", quiet=True)
    for data in (zipped(copy, tmp_path / "source.zip").read_bytes(), b"essay"):
        (tmp_path / "source.zip").write_bytes(data)
        assert "no class pack" in refusal(s2i.pack, made, "source.zip")
        assert (tmp_path / "source.zip").read_bytes() == data
    s2i.pack(made, "class.zip")
    other = s2i.sample(copy, per_category=2, to="other", quiet=True)
    assert s2i.class_pack(s2i.pack(other, "class.zip").path, to="got").files == other.files


def test_a_class_pack_is_made_good(copy, tmp_path, monkeypatch):
    made = s2i.sample(copy, per_category=2, to="made", quiet=True)
    path = s2i.pack(made, "class.zip").path
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / ".pack.partial").mkdir()  # of a call that was killed
    monkeypatch.chdir(tmp_path / "here")
    got = s2i.class_pack(tmp_path / path, to=".")
    assert pictures(tmp_path / "here") == pictures(tmp_path / made.folder)
    got.path(got.files[0]).unlink()
    got.path(got.files[1]).write_bytes(b"scribble")
    s2i.class_pack(tmp_path / path, to=".")
    assert pictures(tmp_path / "here") == pictures(tmp_path / made.folder)
    with alone(tmp_path / "other"):
        assert "Another process" in refusal(s2i.class_pack, tmp_path / path, to=tmp_path / "other")


@pytest.mark.parametrize(
    ("link", "named", "words"),
    [
        (None, {}, "no link"),
        (5, {}, "no link"),
        ([], {}, "No link"),
        ([None], {}, "no file name"),
        ("nowhere.zip", {}, "does not exist"),
        ("nowhere.zip", {"sha256": "abc"}, "64"),
        ("nowhere.zip", {"sha256": 5}, "64"),
    ],
)
def test_bad_links_are_one_sentence(link, named, words, tmp_path):
    assert words in refusal(s2i.class_pack, link, to="no", **named)
    assert not (tmp_path / "no").exists()


# What is shown, and the commands


def test_sheet_and_datasheet(copy):
    made = s2i.sample(copy, per_category=3, to="made", quiet=True)
    assert made.sheet().width > 300
    told = made.datasheet()
    for words in ("Files: 15", "5, 3 to 3 files each", "Licence of 15: not known", "who drew these", "seed 0"):
        assert words in told


def test_the_commands(copy, capsys, tmp_path):
    arguments = ["sample", str(copy), "--categories", "tench", "goldfish", "--per-category", "2", "--to", "made"]
    assert main([*arguments, "--plan"]) == 0 and not Path("made").exists()
    assert "4 of 40 files" in capsys.readouterr().out
    assert main([*arguments, "--pack", "class.zip", "--quiet"]) == 0
    assert "s2i.class_pack" in capsys.readouterr().out
    assert main(["class-pack", "class.zip", "--to", "theirs"]) == 0
    assert pictures(Path("theirs")) == pictures(Path("made"))
    assert main(["sample", str(copy), "--categories", "2", "--plan"]) == 0
    assert main(["sample", "nowhere"]) == 2
    with pytest.raises(SystemExit) as left:  # argparse's way
        main(["sample", str(copy), "--max-bytes", "much"])
    assert left.value.code == 2
    assert main(["sample", str(copy), "--plan", "--pack", "x.zip"]) == 2
    assert main(["sample", str(copy), "--to", "made"]) == 2
    assert "Traceback" not in capsys.readouterr().err
    # What is no name for a pack is told before a sample is made for it.
    assert main(["sample", str(copy), "--to", "late", "--pack", "class"]) == 2 and not Path("late").exists()
    s2i.sample(copy, per_category=1, to="gone", clean=True, quiet=True)  # all of them too small
    assert "no files left" in refusal(s2i.pack, "gone-clean", "gone.zip") and not Path("gone.zip").exists()
    shutil.rmtree("made")
