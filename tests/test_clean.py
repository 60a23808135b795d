"""Cleaning: every rule finds what it must and leaves what it must not, and the source stays as it is."""

import csv
import hashlib
import io
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

import s2i_teach as s2i
from s2i_teach.data_sources import hashes
from s2i_teach.data_sources.pictures import ENDINGS
from s2i_teach.data_sources.rules import RULES, grey_values, ink, paper_tone, tones
from s2i_teach.errors import InputError
from s2i_teach.paths import data_dir


def line(name: str) -> Image.Image:
    """An embedded line drawing, 512 × 512."""
    return next(sketch for sketch in s2i.sketches() if sketch.name == name).open()


def photograph() -> Image.Image:
    from skimage import data

    return Image.fromarray(data.camera()).convert("RGB")


def put(folder, name: str, picture: Image.Image, **options):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **options)
    return path


def tree(folder) -> dict[str, str]:
    """Every file with its hash, every folder and link."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"link to {os.readlink(path)}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "folder"
    return found


def manifest_of(folder) -> dict:
    files = [
        {
            "path": path.relative_to(folder).as_posix(),
            "category": path.parent.name,
            "class_id": None,
            "name": path.name,
            "licence": "CC0",
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
            "taste": "sweet",
        }
        for path in sorted(folder.rglob("*.*"))
        if path.is_file()
    ]
    return {"format": 1, "source": "a test", "seed": 3, "files": files}


BAD = {
    "cat/a_small.jpg": "near_duplicates",
    "cat/a_turned.png": "near_duplicates",
    "cat/again.png": "duplicates",
    "cat/pixels.bmp": "duplicates",
    "house/blank.png": "empty",
    "house/black.png": "full",
    "house/broken.png": "unreadable",
    "house/camera.jpg": "photographs",
    "house/page.jpg": "unreadable",
    "house/small.png": "tiny",
    "owl/mirrored.png": "near_duplicates",
}
GOOD = ["cat/a.png", "house/house.png", "owl/owl.png", "owl/snail.png"]
NEGATIVE = "owl/white.jpg"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Four sketches, one white on black, and one picture or more for each rule; with a manifest."""
    folder = tmp_path_factory.mktemp("clean") / "sketches"
    cat, house, owl = line("cat_by_hand"), line("house"), line("owl")
    put(folder, "cat/a.png", cat)
    put(folder, "cat/a_small.jpg", cat.resize((180, 180)), quality=40)
    put(folder, "cat/a_turned.png", cat.rotate(90))
    shutil.copyfile(folder / "cat/a.png", folder / "cat/again.png")
    put(folder, "cat/pixels.bmp", cat)
    put(folder, "house/house.png", house)
    put(folder, "house/blank.png", Image.new("RGB", (300, 300), (250, 248, 240)))
    put(folder, "house/black.png", Image.new("L", (300, 300), 0))
    (folder / "house/broken.png").write_bytes((folder / "house/house.png").read_bytes()[:900])
    (folder / "house/page.jpg").write_text("<html>Quota exceeded</html>")
    put(folder, "house/camera.jpg", photograph())
    put(folder, "house/small.png", line("apple_by_hand").resize((40, 40)))
    put(folder, "owl/owl.png", owl)
    put(folder, "owl/mirrored.png", ImageOps.mirror(house))
    put(folder, "owl/snail.png", line("snail"))
    put(folder, NEGATIVE, ImageOps.invert(line("rocket")))
    (folder / "manifest.json").write_text(json.dumps(manifest_of(folder)))
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture(scope="module")
def cleaned(source, tmp_path_factory):
    to = tmp_path_factory.mktemp("copy") / "clean"
    before = tree(source)
    cleaning = s2i.clean(source, to)
    assert tree(source) == before
    return cleaning


def verdicts(cleaning) -> dict[str, str]:
    return {row.path: row.rule for row in cleaning.rows if row.verdict == "left out"}


def test_every_rule_finds_its_pictures_and_no_others(cleaned):
    assert verdicts(cleaned) == BAD
    assert cleaned.kept == sorted([*GOOD, NEGATIVE])
    assert sorted(cleaned.left_out + cleaned.kept) == [row.path for row in cleaned.rows]
    assert [row.rule for row in cleaned.rows if row.path == NEGATIVE] == ["inverted"]


def test_rows_say_what_was_measured_and_what_a_copy_is_like(cleaned):
    rows = {row.path: row for row in cleaned.rows}
    assert rows["cat/again.png"].like == rows["cat/pixels.bmp"].like == rows["cat/a_small.jpg"].like == "cat/a.png"
    assert rows["cat/again.png"].reason == "the same file as cat/a.png"
    assert rows["cat/pixels.bmp"].reason == "the same pixels as cat/a.png"
    assert rows["cat/a_turned.png"].reason.startswith("turned by 90°")
    assert rows["owl/mirrored.png"].like == "house/house.png"
    assert rows["owl/mirrored.png"].reason.startswith("mirrored") or rows["owl/mirrored.png"].value <= 2
    assert rows["house/small.png"].value == 40 and rows["house/small.png"].limit == 64
    assert rows["house/blank.png"].value == 0 and rows["house/black.png"].value == 1
    assert rows["house/camera.jpg"].value > rows["house/camera.jpg"].limit
    assert "not a picture" in rows["house/page.jpg"].reason
    assert str(cleaned.folder) not in rows["house/page.jpg"].reason
    assert all(row.value is None or isinstance(row.value, (int, float)) for row in cleaned.rows)


def test_the_copy_holds_the_same_bytes_and_what_was_turned_round(source, cleaned):
    copy = tree(cleaned.to)
    original = tree(source)
    files = {name for name, what in copy.items() if what != "folder"}
    assert files == {*GOOD, "owl/white.png", "manifest.json", "cleaned.json"}
    assert all(copy[name] == original[name] for name in GOOD)
    with Image.open(source / NEGATIVE) as before, Image.open(cleaned.to / "owl/white.png") as after:
        assert (np.asarray(after) == 255 - np.asarray(before.convert("RGB"))).all()


def test_the_manifest_loses_what_was_left_out_and_keeps_what_it_does_not_know(source, cleaned):
    before = json.loads((source / "manifest.json").read_text())
    after = json.loads((cleaned.to / "manifest.json").read_text())
    assert {key: after[key] for key in ("format", "source", "seed")} == {"format": 1, "source": "a test", "seed": 3}
    entries = {entry["path"]: entry for entry in after["files"]}
    assert set(entries) == {*GOOD, "owl/white.png"}
    old = {entry["path"]: entry for entry in before["files"]}
    assert all(entries[name] == old[name] for name in GOOD)
    turned = entries["owl/white.png"]
    data = (cleaned.to / "owl/white.png").read_bytes()
    assert (turned["sha256"], turned["bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))
    assert turned["turned_round_from"] == {"path": NEGATIVE, "sha256": old[NEGATIVE]["sha256"]}
    assert turned["taste"] == "sweet"


def test_cleaning_a_cleaned_copy_changes_nothing(cleaned, tmp_path):
    again = s2i.clean(cleaned.to, tmp_path / "again")
    assert again.left_out == [] and {row.verdict for row in again.rows} == {"kept"}
    assert tree(again.to) == tree(cleaned.to)


def test_cleaning_is_idempotent_where_copies_are_near_the_limit(tmp_path):
    """Forty copies of five drawings, further and further away, some white on black as JPEG, names in any order."""
    rng = np.random.default_rng(2)
    for number, place in enumerate(rng.permutation(40)):
        picture = line(("snail", "owl", "house", "turtle", "cactus")[number % 5]).resize((200, 200))
        picture = picture.rotate(rng.uniform(-40, 40), fillcolor="white").resize((200, int(rng.integers(170, 230))))
        picture = ImageOps.invert(picture) if number % 4 == 3 else picture
        put(tmp_path / "in", f"{place % 3}/{place}.{'jpg' if number % 2 else 'png'}", picture)
    first = s2i.clean(tmp_path / "in", tmp_path / "first")
    again = s2i.clean(tmp_path / "first", tmp_path / "again")
    values = sorted(row.value for row in first.rows if row.rule == "near_duplicates")
    assert 5 < len(first.left_out) < 35 and values[-1] > 25 and first.counts["inverted"]
    assert again.left_out == [] and tree(again.to) == tree(first.to)


def test_a_former_copy_is_replaced_and_equal(source, cleaned, tmp_path):
    s2i.clean(source, tmp_path / "copy", duplicates=False, near_duplicates=False)
    s2i.clean(source, tmp_path / "copy")
    assert tree(tmp_path / "copy") == tree(cleaned.to)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy"]


@pytest.mark.parametrize("rule", [name for name in RULES if name != "inverted"])
def test_every_rule_can_be_switched_off(source, rule):
    found = verdicts(s2i.clean(source, **{rule: False}))
    expected = {path: name for path, name in BAD.items() if name != rule}
    if rule == "duplicates":  # they are still copies
        expected |= {"cat/again.png": "near_duplicates", "cat/pixels.bmp": "near_duplicates"}
    if rule == "near_duplicates":
        assert rule not in found.values()
    if rule == "photographs":
        assert "photographs" not in found.values()
    assert found == expected


def test_white_on_black_stays_as_it_is_when_switched_off(source, tmp_path):
    cleaning = s2i.clean(source, tmp_path / "copy", inverted=False)
    assert verdicts(cleaning) == BAD
    assert (tmp_path / "copy" / NEGATIVE).read_bytes() == (source / NEGATIVE).read_bytes()


def test_everything_switched_off_keeps_everything(source, tmp_path):
    cleaning = s2i.clean(source, tmp_path / "copy", **dict.fromkeys(RULES, False))
    original, copy = tree(source), tree(tmp_path / "copy")
    assert cleaning.left_out == [] and all(copy[row.path] == original[row.path] for row in cleaning.rows)
    assert "switched off: unreadable" in str(cleaning)


def test_a_limit_takes_the_place_of_the_rules_own(tmp_path):
    put(tmp_path, "a.png", line("cat_by_hand").resize((100, 120)))
    assert s2i.clean(tmp_path, tiny=100).left_out == []
    assert s2i.clean(tmp_path, tiny=101).left_out == ["a.png"]
    assert s2i.clean(tmp_path, full=0.01).counts["full"] == {"": 1}
    assert s2i.clean(tmp_path, empty=0.9).counts["empty"] == {"": 1}
    assert s2i.clean(tmp_path, photographs=0.001).counts["photographs"] == {"": 1}
    put(tmp_path, "b.png", line("cat_by_hand").rotate(8, fillcolor="white", expand=True).resize((90, 90)))
    distance = s2i.clean(tmp_path, near_duplicates=64).rows[1].value
    assert distance > 0
    assert s2i.clean(tmp_path, near_duplicates=distance).left_out == ["b.png"]
    assert s2i.clean(tmp_path, near_duplicates=distance - 1).left_out == []


def test_ink_is_a_share_of_the_page_at_any_size():
    page = Image.new("L", (1000, 800), 255)
    ImageDraw.Draw(page).rectangle([0, 0, 199, 799], fill=0)
    assert ink(np.asarray(page)) == pytest.approx(0.2)
    assert ink(grey_values(page)) == pytest.approx(0.2, abs=0.005)
    thin = Image.new("L", (2000, 2000), 255)
    ImageDraw.Draw(thin).line([100, 0, 100, 1999], fill=0)  # an eighth of a pixel once it is measured
    assert ink(grey_values(thin)) == pytest.approx(1 / 2000, rel=0.15)
    assert ink(np.full((9, 9), 0, np.uint8)) == 1 and ink(np.full((9, 9), 220, np.uint8)) == 0


def test_the_grain_of_a_scan_is_no_ink_and_its_tone_is_the_papers():
    grain = np.random.default_rng(0).normal(215, 5, (200, 200)).clip(0, 255).astype(np.uint8)
    assert abs(paper_tone(grain) - 215) <= 4
    assert ink(grain) < 0.002


def test_tones_are_the_entropy_beside_the_paper_and_blind_to_negatives():
    grey = np.repeat(np.array([4, 84, 164, 244], np.uint8), 25).reshape(10, 10)
    assert tones(grey) == pytest.approx(2 * 0.75)
    assert tones(255 - grey) == pytest.approx(tones(grey))
    assert tones(np.full((10, 10), 99, np.uint8)) == 0


def test_line_drawings_of_the_pairs_are_kept_but_for_twins(tmp_path):
    """Sixty embedded things: no line drawing is a photograph, empty or full, and clocks alone look like copies."""
    files = sorted((data_dir() / "pairs" / "train").glob("*-line.webp"))[::13]
    for file in files:
        shutil.copyfile(file, tmp_path / file.name)
    found = verdicts(s2i.clean(tmp_path))
    assert set(found.values()) <= {"near_duplicates"}
    assert all(name.startswith(("1f55", "1f56")) for name in found), found  # U+1F550 to U+1F567: clock faces


def test_photographs_and_scanned_sketches_are_told_apart(tmp_path):
    from skimage import data

    rng = np.random.default_rng(0)
    photographs = ("astronaut", "camera", "chelsea", "coffee", "coins")
    for name in photographs:
        put(tmp_path, f"{name}.png", Image.fromarray(getattr(data, name)()))
    for name in ("turtle", "house", "owl", "cat_by_hand"):
        paper = rng.normal(215, 5, (300, 300))
        page = paper * (0.25 + 0.75 * np.asarray(line(name).convert("L").resize((300, 300))) / 255)
        put(tmp_path, f"scan_{name}.jpg", Image.fromarray(page.clip(0, 255).astype(np.uint8)))
    assert verdicts(s2i.clean(tmp_path)) == dict.fromkeys((f"{name}.png" for name in photographs), "photographs")


@pytest.mark.parametrize("way", range(8))
def test_mirrored_and_turned_copies_are_named(way):
    picture = line("snail").convert("L")
    mirrored, quarter = bool(way // 4), way % 4
    first = hashes.codes(np.asarray(picture))
    other = hashes.codes(np.asarray(hashes.turned(picture, mirrored, quarter, 0)))
    match = hashes.find_copies([first, other], 30)[1]
    words = ["mirrored"] * mirrored + [f"turned by {min(90 * quarter, 360 - 90 * quarter)}°"] * (quarter > 0)
    assert (match.like, match.how) == (0, ", ".join(words))


def test_copies_are_those_that_a_brute_force_finds(monkeypatch):
    """Blocks of matrix products against counting differing bits one by one, with copies across blocks."""
    monkeypatch.setattr(hashes, "_BLOCK", 4)
    rng = np.random.default_rng(1)
    every = rng.integers(0, 256, (11, len(hashes.VARIANTS), hashes.BITS // 8), dtype=np.uint8)
    every[6, 0] = every[1, 3]  # turned copy, in another block
    every[7, 2] = every[5, 0]  # in the same block, the other way round
    every[9, 0] = every[6, 0]  # a copy of a copy, and so of the first
    every[9, 0, 0] ^= 1

    def distance(a, b):
        pairs = [(a[0], b[n]) for n in range(len(b))] + [(a[n], b[0]) for n in range(len(a))]
        return min(int(np.unpackbits(x ^ y).sum()) for x, y in pairs)

    expected, kept = {}, []
    for number in range(len(every)):
        near = min(((distance(every[number], every[k]), k) for k in kept), default=(999, 0))
        if near[0] <= 30:
            expected[number] = near
        else:
            kept.append(number)
    found = {n: (match.distance, match.like) for n, match in hashes.find_copies(list(every), 30).items()}
    assert found == expected == {6: (0, 1), 7: (0, 5), 9: (1, 1)}


def test_the_order_of_files_does_not_matter(tmp_path, monkeypatch):
    put(tmp_path, "b.png", line("owl"))
    put(tmp_path, "a.png", line("owl"))
    put(tmp_path, "B/c.png", line("owl"))
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda *a, **k: ((p, d, sorted(n)[::-1]) for p, d, n in walk(*a, **k)))
    assert s2i.clean(tmp_path).kept == ["B/c.png"]


def test_links_hidden_files_pipes_and_folders_with_a_pictures_name(tmp_path):
    outside = put(tmp_path, "outside/secret.png", line("owl"))
    folder = tmp_path / "in"
    put(folder, "odd.png/house.png", line("house"))
    (folder / "link.png").symlink_to(outside)
    (folder / "linked").symlink_to(outside.parent)
    (folder / "._house.png").write_bytes(b"resource fork")
    os.mkfifo(folder / "pipe.png")
    cleaning = s2i.clean(folder, tmp_path / "copy")
    assert [row.path for row in cleaning.rows] == ["odd.png/house.png"] and cleaning.others == 4
    assert [path.name for path in (tmp_path / "copy").rglob("*") if path.is_file()] in (
        ["cleaned.json", "house.png"],
        ["house.png", "cleaned.json"],
    )


def test_a_name_that_is_no_text_is_copied_as_it_is(tmp_path):
    folder = tmp_path / "in"
    put(folder, "a.png", line("owl"))
    odd = os.fsdecode(b"\xff.png")
    shutil.copyfile(folder / "a.png", folder / odd)
    put(folder, "\u2028<x>.png", line("house"))
    cleaning = s2i.clean(folder, tmp_path / "copy", duplicates=False, near_duplicates=False)
    assert {path.name for path in (tmp_path / "copy").glob("*.png")} == {"a.png", odd, "\u2028<x>.png"}
    assert cleaning.save(tmp_path / "report")[0].is_file() and s2i.clean(tmp_path / "copy").left_out == [odd]


def test_a_turned_picture_takes_no_others_name(tmp_path):
    put(tmp_path, "in/x.jpg", ImageOps.invert(line("rocket")))
    put(tmp_path, "in/x.png", line("owl"))
    s2i.clean(tmp_path / "in", tmp_path / "copy")
    assert (tmp_path / "copy/x.png").read_bytes() == (tmp_path / "in/x.png").read_bytes()
    with Image.open(tmp_path / "copy/x-2.png") as picture:
        assert picture.getpixel((0, 0)) > (200, 200, 200)


def test_a_large_jpeg_is_decoded_small(tmp_path, monkeypatch):
    from s2i_teach.data_sources import clean as module

    large = line("owl").resize((2400, 2400))
    put(tmp_path, "large.jpg", large)
    put(tmp_path, "owl.png", line("owl"))
    monkeypatch.setattr(module, "LARGE", 1_000_000)
    picture, size, whole = module._read(tmp_path / "large.jpg")
    assert size == (2400, 2400) and picture.size == (1200, 1200) and not whole
    assert verdicts(s2i.clean(tmp_path)) == {"owl.png": "near_duplicates"}


def test_a_file_that_cannot_be_opened_is_left_out_whatever_the_switch(tmp_path, monkeypatch):
    from s2i_teach import files

    put(tmp_path, "in/a.png", line("owl"))
    put(tmp_path, "in/b.png", line("house"))

    def refuse(path, *mode):
        if str(path).endswith("a.png"):
            raise PermissionError(13, "Permission denied")
        return open(path, *mode)

    monkeypatch.setattr(files, "open", refuse, raising=False)
    row = s2i.clean(tmp_path / "in", tmp_path / "copy", unreadable=False).rows[0]
    assert (row.verdict, row.reason) == ("left out", "cannot be read: Permission denied")


def one_picture(folder):
    put(folder, "in/a.png", line("owl"))
    return folder / "in"


def target(folder, name, make):
    make(folder / name)
    return folder / name


WRONG = {
    "the same folder": (lambda t, i: (i, i), "is the folder that is cleaned"),
    "inside": (lambda t, i: (i, i / "clean"), "lies inside"),
    "around": (lambda t, i: (i, t), "has the folder that is cleaned in it"),
    "in use": (lambda t, i: (i, put(t, "used/mine.png", line("owl")).parent), r"no former copy .*mine\.png"),
    "a file to": (lambda t, i: (i, target(t, "f", lambda p: p.write_text("x"))), "is a file: give a folder"),
    "a file": (lambda t, i: (i / "a.png", None), "is a file: give the folder"),
    "missing": (lambda t, i: (t / "none", None), "does not exist"),
    "nothing in it": (lambda t, i: (target(t, "e", lambda p: p.mkdir()), None), "has no pictures in it"),
    "no name": (lambda t, i: ("", None), "is empty"),
    "no folder": (lambda t, i: (3, None), "A int is no folder"),
}


@pytest.mark.parametrize("case", WRONG)
def test_folders_that_cannot_be_used_are_answered_with_a_sentence(tmp_path, case):
    folder = one_picture(tmp_path)
    make, words = WRONG[case]
    arguments = make(tmp_path, folder)
    before = tree(tmp_path)
    with pytest.raises(InputError, match=words) as error:
        s2i.clean(*arguments)
    assert tree(tmp_path) == before and str(error.value).count("\n") == 0


@pytest.mark.parametrize("change", ["edited", "added", "linked", "record"])
def test_a_copy_that_was_worked_on_is_not_replaced(tmp_path, change):
    folder = one_picture(tmp_path)
    copy = tmp_path / "copy"
    s2i.clean(folder, copy)
    if change == "edited":
        put(copy, "a.png", line("house"))
    elif change == "added":
        (copy / "notes.txt").write_text("mine")
    elif change == "linked":
        (copy / "b.png").symlink_to(copy / "a.png")
    else:
        (copy / "cleaned.json").write_text('["no record"]')
    before = tree(tmp_path)
    with pytest.raises(InputError, match="no former copy"):
        s2i.clean(folder, copy)
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    "switch, words",
    [
        ({"tiny": 1}, "from 2 to 4096"),
        ({"tiny": "no"}, "tiny='no' cannot be used"),
        ({"empty": float("nan")}, "from 0 to 1"),
        ({"full": 2}, "from 0 to 1"),
        ({"near_duplicates": -1}, "from 0 to 64"),
        ({"photographs": [1]}, "from 0 to 5"),
        ({"duplicates": 3}, "neither True nor False"),
        ({"inverted": "yes"}, "neither True nor False"),
    ],
)
def test_limits_that_a_rule_cannot_have(tmp_path, switch, words):
    with pytest.raises(InputError, match=words):
        s2i.clean(one_picture(tmp_path), **switch)


@pytest.mark.parametrize("text", ["{", "[]", '{"files": 3}', '{"files": [{"name": "a"}]}', '{"files": ["a"]}', "\xff"])
def test_a_manifest_of_another_program_is_another_file(tmp_path, text):
    """As ``s2i.sample`` takes it: not ours, so it neither stops the cleaning nor goes into the copy."""
    folder = one_picture(tmp_path)
    (folder / "manifest.json").write_bytes(text.encode("latin-1"))
    cleaning = s2i.clean(folder, tmp_path / "copy")
    assert cleaning.others == 1 and sorted(tree(cleaning.to)) == ["a.png", "cleaned.json"]
    assert s2i.sample(folder, to=tmp_path / "sampled", quiet=True).counts == {folder.name: 1}


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda table: table["files"].append("a"), "is not a manifest of sketches"),
        (lambda table: table.update(files={}), "is not a manifest of sketches"),
        (lambda table: table["files"][0].pop("licence"), "is not a manifest of sketches"),
        (lambda table: table["files"][0].update(category=3), "is not a manifest of sketches"),
        (lambda table: table.update(format=2), "has the format 2, and 1 is known here"),
        (lambda table: table["files"][0].update(path="../a.png"), "a place outside its folder"),
        (lambda table: table["files"].append(table["files"][0]), "has two files at a.png"),
    ],
)
def test_a_damaged_manifest_is_refused_as_sampling_refuses_it(tmp_path, change, words):
    folder = one_picture(tmp_path)
    table = manifest_of(folder)
    change(table)
    (folder / "manifest.json").write_text(json.dumps(table | {"was": "sha256"}))
    told = []
    for call in (s2i.clean, lambda folder: s2i.sample(folder, to=tmp_path / "sampled", quiet=True)):
        with pytest.raises(InputError, match=words) as error:
            call(folder)
        told.append(str(error.value))
    assert told[0] == told[1]


def test_a_manifest_cut_off_is_refused(tmp_path):
    folder = one_picture(tmp_path)
    (folder / "manifest.json").write_text(json.dumps(manifest_of(folder))[:-3])
    with pytest.raises(
        InputError, match="manifest.json is not a manifest of sketches: sample or fetch the folder again"
    ):
        s2i.clean(folder)


def test_what_is_sampled_and_what_is_cleaned_are_the_same_pictures(tmp_path):
    """Every ending in either letter case; hidden files, links and pipes are none."""
    folder = tmp_path / "in"
    drawn = put(folder, "cat/a.png", line("owl"))
    names = {f"cat/b{ending}" for ending in ENDINGS} | {f"cat/c{ending.upper()}" for ending in ENDINGS} | {"cat/a.png"}
    for name in names - {"cat/a.png"}:
        shutil.copyfile(drawn, folder / name)
    for name in ("cat/.hidden.png", ".folder/a.png", "cat/notes.txt", "cat/png"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(drawn, folder / name)
    (folder / "cat/linked.png").symlink_to(drawn)
    (folder / "linked").symlink_to(folder / "cat", target_is_directory=True)
    os.mkfifo(folder / "cat/pipe.png")
    cleaning = s2i.clean(folder, duplicates=False, near_duplicates=False)
    assert set(cleaning.kept) == names == {row.path for row in cleaning.rows}
    assert cleaning.others == 6  # three files, a link, a linked folder and a pipe
    made = s2i.sample(folder, per_category=100, to=tmp_path / "sampled", quiet=True)
    assert {f"cat/{entry.name.rpartition('/')[2]}" for entry in made.files} == names


def test_a_copy_that_fails_leaves_nothing(tmp_path, monkeypatch):
    folder = one_picture(tmp_path)

    def full(*paths):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    before = tree(tmp_path)
    with pytest.raises(InputError, match="cannot be written: No space left on device"):
        s2i.clean(folder, tmp_path / "copy")
    assert tree(tmp_path) == before


def test_the_table_adds_up_and_is_text_and_html(cleaned):
    heading, *lines, sums = cleaned.table
    assert heading[:2] == ["category", "pictures"] and heading[-1] == "kept"
    assert [sum(int(line[n]) for line in lines) for n in range(1, len(heading))] == [int(cell) for cell in sums[1:]]
    assert sums[1] == str(len(cleaned.rows)) and sums[-1] == str(len(cleaned.kept))
    assert {line[0] for line in lines} == {"cat", "house", "owl"}
    assert cleaned.counts["near_duplicates"] == {"cat": 2, "owl": 1}
    assert "16 pictures in" in str(cleaned) and "5 kept (1 of them white on black), 11 left out" in str(cleaned)
    assert cleaned._repr_html_().count("<tr>") == len(lines) + 2


def test_names_are_escaped_in_html(tmp_path):
    put(tmp_path, "<b>&/a.png", line("owl"))
    assert "<b>" not in s2i.clean(tmp_path)._repr_html_()


def test_the_sheet_shows_what_was_left_out(cleaned, tmp_path):
    sheet = cleaned.sheet(side=96)
    assert sheet.mode == "RGB" and sheet.width == 6 * 104 + 8
    assert cleaned.sheet(columns=2, most=1, side=96).height < cleaned.sheet(columns=1, side=96).height
    clean_one = s2i.clean(cleaned.to)
    assert clean_one.sheet().height < 60
    for wrong in ({"columns": 0}, {"most": 1.5}, {"side": 5}, {"side": True}):
        with pytest.raises(InputError, match="cannot be used"):
            cleaned.sheet(**wrong)


def test_the_report_is_saved_beside_the_pictures_never_among_them(cleaned, tmp_path):
    table, sheet = cleaned.save(tmp_path / "report")
    rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
    assert [row["path"] for row in rows] == [row.path for row in cleaned.rows]
    assert {row["path"]: row["rule"] for row in rows if row["verdict"] == "left out"} == BAD
    with Image.open(sheet) as picture:
        assert picture.format == "PNG"
    for place in (cleaned.folder, cleaned.to, cleaned.folder / "report"):
        with pytest.raises(InputError, match="give another folder"):
            cleaned.save(place)
