"""Machines as people have them: no home, no display, no letters but ASCII, no network, a full disk, Windows' names."""

import contextlib
import ntpath
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import s2i_teach as s2i
from s2i_teach import InputError
from s2i_teach.cli import main
from s2i_teach.data_sources.classes import folder_name
from s2i_teach.data_sources.manifest import stays_inside
from s2i_teach.files import as_path, place_key
from s2i_teach.training.checkpoints import gone_on_from, load_checkpoint, save_atomically
from s2i_teach.translation.sweep import save_sweep
from tests.fuzzing import examples

ROOT = Path(__file__).parent.parent

# A machine that lacks everything

POOR = """
import socket, sys
def refused(*arguments, **named):
    raise OSError("there is no network")
socket.socket.connect = socket.getaddrinfo = refused
sys.path.insert(0, {root!r})
from s2i_teach.cli import main
import s2i_teach as s2i
from pathlib import Path
from s2i_teach.files import write_whole
common = ["--model", {model!r}, "--steps", "2"]
assert main(["translate", "drawing.png", "--prompt", "eine Schildkröte 🐢", *common, "--out", "a.png"]) == 0
assert main(["translate", "--like", "a.png", "--model", {model!r}, "--out", "again/a.png"]) == 0
assert main(["translate", "drawing.png", "--prompt", "a", *common, "--out", "Käfer.png"]) == 2  # ASCII alone
try:
    write_whole(Path("Käfer") / "a.png", print)
    raise SystemExit("it was written")
except s2i.InputError as error:
    assert "cannot be written in a name here" in str(error)
assert main(["sweep", "drawing.png", "--prompt", "a", "ü 🐢", *common, "--to", "grid"]) == 0
cats = ["--categories", "cat", "--to", "cats", "--pack", "cats.zip"]
assert main(["sample", "sketches", "--per-category", "1", *cats]) == 0
assert main(["class-pack", "cats.zip", "--to", "class"]) == 0
assert main(["sample", "imagenet-sketch", "--categories", "tench", "--to", "tench"]) == 2
assert s2i.read_record("a.png").settings.prompt == "eine Schildkröte 🐢"
assert s2i.SketchPad(s2i.SketchPad("turtle").save("pad.svg")).page.visible
"""


@pytest.mark.skipif(os.name == "nt", reason="its folders of programs and homes are named by other variables")
@pytest.mark.seconds(15)
def test_on_a_machine_without_home_display_letters_and_network(tiny_pipe, sketch, tmp_path):
    """All at once: what runs here runs where only some of it is missing."""
    tiny_pipe.save_pretrained(tmp_path / "tiny")
    sketch.save(tmp_path / "drawing.png")
    bare = {
        "PATH": "/nonexistent",
        "HOME": "/dev/null",  # no folder can be made in it, not even by root
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii",
        "OMP_NUM_THREADS": "1",
        "MPLCONFIGDIR": str(tmp_path),  # or matplotlib looks through all fonts anew
    }
    code = POOR.format(root=str(ROOT), model=str(tmp_path / "tiny"))
    (tmp_path / "poor.py").write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, "poor.py"], cwd=tmp_path, env=bare, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    said = done.stderr.decode("ascii")
    assert "K?fer.png has characters that no file name can have" in said
    assert "Traceback" not in said and "s2i: The cache cannot be made" in said and "set S2I_CACHE" in said
    names = {path.name for path in tmp_path.iterdir()}
    assert {"a.png", "again", "grid", "cats", "cats.zip", "class", "pad.svg"} < names and "tench" not in names


# A full disk


@contextlib.contextmanager
def limit_on_files():
    """No file may become longer than 900 bytes: a full disk that needs no rights to make."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (900, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def small_disk(folder: Path):
    """A disk of a few pages of memory."""
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"no disk can be mounted: {error}")
    if done.returncode:
        pytest.skip(f"no disk can be mounted: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with contextlib.suppress(OSError), open(file, "wb", buffering=0) as full:
        while full.write(b"x" * 512):
            pass


@pytest.fixture(scope="module")
def made(tiny_pipe):
    """Two results and their grid."""
    common = dict(pipe=tiny_pipe, num_inference_steps=2, size=(64, 64))
    results = [s2i.translate("data/sketches/turtle.png", "a", strength=s, **common) for s in (0.5, 1.0)]
    return results, s2i.sweep("data/sketches/turtle.png", "a", strength=[0.5, 1.0], quiet=True, **common)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed")
    s2i.sample("sketches", per_category=1, categories=["cat", "car", "fish"], to=folder / "some", quiet=True)
    s2i.pack(folder / "some", folder / "some.zip")
    return folder


@pytest.mark.parametrize("kind", ["limit", "disk"])
def test_a_full_disk_is_told_and_what_was_there_stays(kind, made, packed, tmp_path, monkeypatch):
    results, grid = made
    page = s2i.SketchPad("turtle")
    state = {"model": torch.arange(9000)}
    here = tmp_path / "disk"
    here.mkdir()
    before = b"what was there"
    with contextlib.ExitStack() as stack:
        stack.enter_context(small_disk(here) if kind == "disk" else contextlib.nullcontext())
        monkeypatch.chdir(here)
        stack.callback(os.chdir, tmp_path)
        names = ("a.png", "pad.svg", "pad.png", "checkpoint.pt")
        for name in names:
            Path(name).write_bytes(before)
        if kind == "limit":
            stack.enter_context(limit_on_files())
        else:
            fill(here / "full")
        for write in (
            lambda: results[0].save("a.png"),
            lambda: page.save("pad.svg"),
            lambda: page.save("pad.png"),
            lambda: save_atomically(state, Path("checkpoint.pt")),
            lambda: save_sweep(grid, Path("grid")),
            lambda: s2i.sample("sketches", per_category=1, categories=["cat", "car", "fish"], to="some", quiet=True),
            lambda: s2i.pack(packed / "some", "some.zip"),
            lambda: s2i.class_pack(packed / "some.zip", to="class", quiet=True),
            lambda: s2i.clean(packed / "some", to="clean", progress=False),
        ):
            with pytest.raises(InputError, match="cannot be written|is too small|has .* free") as caught:
                write()
            assert "\n" not in str(caught.value)
        assert all(Path(name).read_bytes() == before for name in names)
        left = {path.name for path in Path().rglob("*") if path.is_file()} - {*names, "full"}
        assert left <= {".manifest.part.jsonl", "cat.png", "car.png", "fish.png"} | {
            path.name for path in (packed / "some").rglob("*.png")
        }, "nothing is left half written"


def test_a_vote_on_a_full_disk_does_not_count(made, tmp_path):
    rating = s2i.BlindRating(made[0], tmp_path / "votes.csv", rater="r" * 1000)
    with limit_on_files(), pytest.raises(InputError, match="cannot be written"):
        rating.vote("left")
    assert rating.votes == [] and not list(tmp_path.iterdir())


def test_the_command_line_says_what_the_disk_says(sketch, tmp_path, capsys, monkeypatch):
    """What a training or a library writes past our own functions ends in one line as well."""
    monkeypatch.chdir(tmp_path)

    def fails(*arguments, **named):
        raise OSError(28, "No space left on device", "runs/a\nb.bin")

    monkeypatch.setattr("s2i_teach.training.judge.train_judge", fails)
    assert main(["train", "judge", "--steps", "1"]) == 2
    assert capsys.readouterr().err == "s2i: runs/a?b.bin: No space left on device.\n"


# Checkpoints


class Opens:
    """A pickle that would make a file when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_checkpoint_of_others_runs_nothing_and_a_damaged_one_says_so(tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_atomically({"step": 3, "model": torch.ones(2)}, path)
    assert load_checkpoint(path)["step"] == 3
    whole = path.read_bytes()
    for bad in (
        b"",
        b"PK\3\4",
        whole[: len(whole) // 2],
        pickle.dumps(Opens(tmp_path / "made"), 2),
        pickle.dumps([1], 2),
    ):
        path.write_bytes(bad)
        with pytest.raises(InputError, match="train without --resume"):
            load_checkpoint(path)
    torch.save({"step": Opens(tmp_path / "made")}, path)
    with pytest.raises(InputError, match="holds more than numbers"):
        load_checkpoint(path)
    assert not (tmp_path / "made").exists()
    with pytest.raises(InputError, match="does not fit what is trained here"), gone_on_from(path):
        torch.nn.Linear(2, 2).load_state_dict({"weight": torch.ones(5)})


def test_a_loss_that_is_not_finite_is_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)

    def fails(*arguments, **named):
        raise FloatingPointError("The loss is not finite at step 50: lower the learning rate.")

    monkeypatch.setattr("s2i_teach.training.judge.train_judge", fails)
    assert main(["train", "judge", "--steps", "1"]) == 2
    assert capsys.readouterr().err == "s2i: The loss is not finite at step 50: lower the learning rate.\n"


# Windows and macOS

PIECES = st.one_of(
    st.sampled_from(
        ["..", ".", " ", ".. ", "...", "a.", "a ", "C:", "CON", "nul.png", "com1", "COM¹.a.b", "a.png", "é"]
    ),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=5),
)


@examples(200)
@given(st.lists(PIECES, min_size=1, max_size=4), st.sampled_from(["/", "/", "\\"]))
def test_a_path_of_a_manifest_is_inside_on_windows_too(pieces, separator):
    path = separator.join(pieces)
    if not stays_inside(path):
        return
    inside = ntpath.normpath(ntpath.join("D:\\unpack\\here", path))
    assert inside.startswith("D:\\unpack\\here\\") and ntpath.splitdrive(path)[0] == ""
    for part in path.split("/"):
        assert part.rstrip(". ") == part, "Windows drops these, and the file is another one"
        assert folder_name(part.partition(".")[0]).casefold() != part.partition(".")[0].casefold() + "_"


@pytest.mark.parametrize("name", ["CON", "nul.png", "Aux", "COM1", "lpt9.tar.gz", "con .png"])
def test_devices_of_windows_are_no_names(name):
    assert not stays_inside(f"cats/{name}") and not stays_inside(f"{name}/a.png")
    assert folder_name(name).casefold().partition(".")[0] != name.casefold().partition(".")[0]


@examples(100)
@given(st.text(max_size=20))
def test_a_folder_s_name_is_one_on_every_system(category):
    name = folder_name(category)
    assert stays_inside(name) and len(name.encode()) <= 204 and name == ntpath.basename(name)
    assert not set(name) & set('<>:"|?*/\\') and folder_name(name) == name


def test_names_that_share_a_place_on_windows_and_macos():
    assert place_key("Cat/A.png") == place_key("cat/a.PNG")
    assert place_key("\u00e9.png") == place_key("e\u0301.png")


def test_long_and_foreign_names_are_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    deep = "/".join(["d" * 200] * 30)
    for name in (f"{deep}/a.png", "C:\\Users\\a b\\sketch.png", "\\\\host\\share\\a.png", "a" * 300, "CON", "a\tb.png"):
        for argv in (["translate", name, "--prompt", "a"], ["translate", "--like", name]):
            assert main(argv) == 2
            said = capsys.readouterr().err
            assert len(said.splitlines()) == 1 and said.startswith("s2i: ")
    with pytest.raises(InputError, match="longer than a file name can be"):
        as_path("ü" * 200)
    with pytest.raises(InputError, match="characters that no file name can have"):
        as_path("a\ud800.png")
