"""The command line: the same as the library, exit status 2 and one line on bad input, never a traceback."""

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2i_teach import InputError, Settings
from s2i_teach.cli import build_parser, main


@pytest.fixture(scope="module")
def model(tiny_pipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "tiny"
    tiny_pipe.save_pretrained(folder)
    return str(folder)


@pytest.fixture()
def drawing(sketch, tmp_path):
    path = tmp_path / "drawing.png"
    sketch.save(path)
    return str(path)


def test_translate_writes_the_picture(model, drawing, tmp_path, capsys, tiny_pipe):
    out = tmp_path / "new" / "picture.png"
    status = main(
        [
            "translate",
            drawing,
            "--prompt",
            "a turtle",
            "--model",
            model,
            "--strength",
            "0.5",
            "--guidance",
            "3",
            "--steps",
            "6",
            "--seed",
            "4",
            "--negative",
            "blurry",
            "--size",
            "64x48",
            "--prepare",
            "filled",
            "--dtype",
            "fp32",
            "--scheduler",
            "euler",
            "--out",
            str(out),
        ]
    )
    assert status == 0 and str(out) in capsys.readouterr().out
    from s2i_teach import translate

    expected = translate(
        drawing,
        "a turtle",
        pipe=tiny_pipe,
        strength=0.5,
        guidance_scale=3,
        num_inference_steps=6,
        seed=4,
        negative_prompt="blurry",
        size=(64, 48),
        prepare="filled",
        scheduler="euler",
    )
    assert np.array_equal(np.asarray(Image.open(out)), np.asarray(expected.image))


def test_like_repeats_to_the_byte_and_takes_changes(model, drawing, tmp_path):
    first, again, other = (tmp_path / f"{name}.png" for name in ("first", "again", "other"))
    common = ["--model", model, "--steps", "4"]
    assert main(["translate", drawing, "--prompt", "a turtle", "--out", str(first), "--seed", "9", *common]) == 0
    assert main(["translate", "--like", str(first), "--out", str(again)]) == 0
    assert again.read_bytes() == first.read_bytes()
    assert main(["translate", "--like", str(first), "--seed", "10", "--out", str(other)]) == 0
    assert other.read_bytes() != first.read_bytes()
    from s2i_teach import read_record

    assert read_record(other).settings.seed == 10 and read_record(other).settings.prompt == "a turtle"


def test_the_default_name_never_overwrites(model, drawing, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(3):
        assert main(["translate", drawing, "--prompt", "a", "--model", model, "--steps", "2"]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"drawing.png", "drawing-2.png", "drawing-3.png"}


def test_a_terminal_without_greek_loses_no_picture(model, drawing, tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = run_s2i(
        "translate", drawing, "--prompt", "a", "--model", model, "--steps", "2", cwd=tmp_path, env=environment
    )
    assert done.returncode == 0 and (tmp_path / "out" / "drawing.png").is_file(), done.stderr


def test_missing_data_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setenv("S2I_DATA", "/nonexistent")
    assert main(["demo"]) == 2 and "reinstall" in capsys.readouterr().err
    assert main(["doctor"]) == 0 and "reinstall" in capsys.readouterr().out


def test_a_plan_runs_nothing(model, drawing, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["translate", drawing, "--prompt", "a turtle", "--model", model, "--plan"]) == 0
    assert "evaluations" in capsys.readouterr().out and not (tmp_path / "out").exists()


BAD = [
    ([], "COMMAND"),
    (["paint"], "invalid choice"),
    (["translate"], "Name a sketch"),
    (["translate", "{drawing}"], "--prompt"),
    (["translate", "missing.png", "--prompt", "a"], "does not exist"),
    (["translate", "{folder}", "--prompt", "a"], "is a folder"),
    (["translate", "{text}", "--prompt", "a"], "not a picture"),
    (["translate", "{drawing}", "--prompt", "a", "--strength", "0"], "strength"),
    (["translate", "{drawing}", "--prompt", "a", "--strength", "much"], "strength"),
    (["translate", "{drawing}", "--prompt", "a", "--steps", "0"], "num_inference_steps"),
    (["translate", "{drawing}", "--prompt", "a", "--size", "big"], "768x512"),
    (["translate", "{drawing}", "--prompt", "a", "--size", "65x64", "--model", "{model}"], "multiples of 8"),
    (["translate", "{drawing}", "--prompt", "a", "--model", "nothing here"], "is not known"),
    (["translate", "{drawing}", "--prompt", "a", "--out", "a.jpg"], "end in .png"),
    (["translate", "{drawing}", "--prompt", "a", "--dtype", "fp16"], "slower"),
    (["translate", "--like", "{drawing}"], "holds no settings"),
    (["translate", "--like", "missing.png"], "does not exist"),
    (["translate", "{drawing}", "--prompt", "a", "--scheduler", "magic"], "scheduler"),
    (["translate", "{drawing}", "--prompt", "a", "--seed", "-1"], "seed"),
    (["train"], "PART"),
    (["train", "vae"], "budget"),
    (["train", "vae", "--minutes", "-1"], "above 0"),
    (["train", "vae", "--minutes", "1", "--device", "cuda"], "no GPU"),
    (["train", "unet", "--steps", "1", "--out", "{folder}"], "train text first"),
    (["train", "save", "--out", "{folder}"], "train text first"),
    (["train", "vae", "--steps", "1", "--decoder-only"], "--start-from"),
    (["train", "vae", "--steps", "1", "--start-from", "nowhere"], "no saved model"),
    (["train", "control", "--steps", "1", "--hinted", "0"], "share above 0"),
    (["train", "control", "--steps", "1", "--whole", "1.5"], "share from 0 to 1"),
    (["train", "control", "--steps", "1", "--whole", "nan"], "share from 0 to 1"),
    (["train", "control", "--steps", "1", "--by-people", "-0.1"], "--by-people is -0.1"),
    (["train", "control", "--steps", "1", "--noisy", "2"], "--noisy is 2: use a share from 0 to 1"),
    (["train", "save", "--control-scale", "0"], "--control-scale is 0.0: it must be above 0 and at most 2"),
    (["train", "save", "--control-scale", "nan"], "--control-scale is nan"),
    (["train", "save", "--out", "{folder}", "--control-scale", "0.8"], "--control-scale needs a ControlNet"),
    (["train", "control", "--steps", "1", "--fall", "0"], "--fall is 0"),
    (["train", "control", "--steps", "1", "--naming", "0"], "above 0"),
    (["translate", "", "--prompt", "a"], "file name is empty"),
    (["translate", "~nobody-of-this-name/a.png", "--prompt", "a"], "user that is not known"),
    (["translate", "{drawing}", "--prompt", "a", "--out", "{drawing}"], "another name"),
    (["translate", "{drawing}", "--prompt", "a", "--out", "{text}/a.png"], "cannot be written"),
    (["translate", "{drawing}", "--prompt", "a", "--more"], "unrecognized"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(a) or "nothing" for a, _ in BAD])
def test_bad_input(arguments, message, model, drawing, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.png").write_text("no picture")
    places = {"drawing": drawing, "folder": str(tmp_path), "text": str(tmp_path / "text.png"), "model": model}
    before = sorted(path for path in tmp_path.rglob("*"))
    try:
        status = main([argument.format(**places) for argument in arguments])
    except SystemExit as stop:  # argparse leaves this way
        status = stop.code
    error = capsys.readouterr().err
    assert status == 2 and message in error
    said = [
        line for line in error.strip().splitlines() if not line.startswith("On the CPU: ")
    ]  # how a model was loaded
    assert len(said) == 1 and "Traceback" not in error
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_white_on_black_is_offered_and_done(model, sketch, tmp_path, capsys):
    dark = tmp_path / "dark.png"
    Image.eval(sketch, lambda value: 255 - value).save(dark)
    common = [
        "translate",
        str(dark),
        "--prompt",
        "a",
        "--model",
        model,
        "--steps",
        "2",
        "--out",
        str(tmp_path / "o.png"),
    ]
    assert main(common) == 0 and "--invert" in capsys.readouterr().err
    assert main([*common, "--invert"]) == 0 and "--invert" not in capsys.readouterr().err


def run_s2i(*arguments, **options):
    command = [sys.executable, "-m", "s2i_teach.cli", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=300, **options)


HEAVY = {"torch", "diffusers", "transformers", "numpy", "PIL"}


@pytest.mark.parametrize(
    ("code", "seconds"),
    [
        ("import s2i_teach; dir(s2i_teach)", 0.3),
        (
            "from s2i_teach.cli import build_parser; build_parser()",
            None,
        ),  # the words that a setting is chosen from, too
    ],
)
def test_it_is_quick_and_lazy(code, seconds):
    """Under 0.3 s for the library, with neither torch nor diffusers loaded."""
    code = (
        f"import time, sys; t = time.perf_counter(); {code}; t = time.perf_counter() - t; "
        f"heavy = {HEAVY} & set(sys.modules); print(t, heavy); sys.exit(t > {seconds or 60} or bool(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_line_s_words_are_the_settings_own():
    """What the settings take, the command line offers, and nothing else."""
    commands = build_parser()._subparsers._group_actions[0].choices
    options = {name: {a.dest: a for a in parser._actions} for name, parser in commands.items()}
    assert list(options["translate"]["prepare"].choices) == words_of("prepare")
    assert list(options["translate"]["fit"].choices) == words_of("fit")
    for text, name in (
        (options["sweep"]["prepare"].help, "prepare"),
        (options["translate"]["scheduler"].help, "scheduler"),
        (options["sweep"]["scheduler"].help, "scheduler"),
    ):
        assert re.split(", | or ", text) == words_of(name)


def words_of(name: str) -> list[str]:
    """The words that a setting takes, as its own message lists them."""
    with pytest.raises(InputError) as told:
        Settings("a turtle", **{name: "nothing of that name"})
    return re.findall('"([^"]+)"', str(told.value))


def test_every_public_name_is_there():
    import s2i_teach

    for name in s2i_teach.__all__:
        assert getattr(s2i_teach, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute"):
        getattr(s2i_teach, "nothing_of_that_name")  # noqa: B009


def test_the_doctor(capsys):
    assert main(["doctor"]) == 0
    report = capsys.readouterr().out
    for words in ("Python", "torch", "device", "mini: runs here", "sd15", "free disk"):
        assert words in report


def test_from_the_shell_in_a_folder_of_its_own(tmp_path, sketch):
    """The miniature, as a user runs it: relative names, another working folder, a prompt with odd characters."""
    sketch.save(tmp_path / "a sketch.png")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = run_s2i(
        "translate", "a sketch.png", "--prompt", 'a "ball"; <b>ü 🐢', "--steps", "2", cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert Image.open(tmp_path / "out" / "a sketch.png").size == (128, 128)
    assert "Traceback" not in done.stderr


@pytest.mark.seconds(15)
def test_the_demo(tmp_path, capsys, monkeypatch):
    """All of it, with two sampling steps a picture instead of twenty."""
    import s2i_teach.demo

    monkeypatch.setattr(s2i_teach.demo, "translate", partial(s2i_teach.demo.translate, num_inference_steps=2))
    assert main(["demo", "--out", str(tmp_path)]) == 0
    from s2i_teach import sketches

    names = {f"{sketch.name}-{way}" for sketch in sketches() for way in ("start", "guide")}
    assert {path.stem for path in Path(tmp_path).glob("*.png")} == names | {"demo"}
    assert str(tmp_path / "demo.png") in capsys.readouterr().out
