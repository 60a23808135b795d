"""What SECURITY.md promises and no other test holds: nothing is run, escapes, reads files or tells secrets."""

import ast
import base64
import json
import os
import re
import subprocess
import sys
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from PIL import Image, PngImagePlugin

import s2i_teach as s2i
from s2i_teach import InputError
from s2i_teach.cli import main
from s2i_teach.evaluate import report
from s2i_teach.translation.result import KEY
from s2i_teach.widgets.drawing import Drawing
from s2i_teach.widgets.show import as_html
from s2i_teach.widgets.studio import Entry, python_call
from tests.test_report import made

ROOT = Path(__file__).parent.parent
PACKAGE = Path(s2i.__file__).parent
HOSTILE = "</script></p>\"'><img src=x onerror=alert(1)><svg onload=alert(2)>{{constructor}}${alert(3)}"


# The promises name their tests


def test_every_promise_names_a_test_that_is_there():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    promises = [line for line in text.replace("\n  ", " ").splitlines() if line.startswith("- ")]
    assert len(promises) >= 12
    for promise in promises:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", promise)
        assert named, promise
        for file, test in named:
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert test in tests and test.startswith("test_"), f"{file} has no {test}"


# The code


@lru_cache(1)
def calls() -> list[tuple[Path, ast.Call, str]]:
    """Every call in the package: its file, the call, and what is called, as it is written."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                found.append((path, node, ast.unparse(node.func)))
    return found


CONFIGURATIONS = ("Tokenizer", "Config", "Processor")
OTHERS = {"evaluate/known.py"}
"""Measures of other packages, for who has installed them; see SECURITY.md."""


def test_nothing_in_the_package_reads_a_pickle_or_runs_a_text():
    forbidden = re.compile(
        r"(pickle|dill|joblib|marshal|shelve|cloudpickle)\.\w+|.*read_pickle|eval|exec|os\.system|os\.popen|yaml\.load|"
        r"importlib\.import_module"
    )
    seen = 0
    for path, call, name in calls():
        place = f"{path.relative_to(PACKAGE)}:{call.lineno}: {ast.unparse(call)[:100]}"
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert not forbidden.fullmatch(name), place
        assert given.get("trust_remote_code", "False") == given.get("shell", "False") == "False", place
        assert given.get("allow_pickle", "False") == "False", place
        if name == "torch.load":
            seen += 1
            assert given["weights_only"] == "True", place
        if name.endswith(".from_pretrained") and path.relative_to(PACKAGE).as_posix() not in OTHERS:
            seen += 1
            safe = given.get("use_safetensors") == "True" or any(word in name for word in CONFIGURATIONS)
            if not safe:  # the options stand in a table: the file must say it there
                assert None in given and '"use_safetensors": True' in path.read_text(encoding="utf-8"), place
    assert seen > 10


def test_pictures_of_others_are_opened_by_known_decoders_alone():
    own = {
        "gallery.py",
        "lessons/archive.py",
        "training/pictures.py",
        "training/data.py",
    }  # what ships or is built here
    opened = [(path, call) for path, call, name in calls() if name == "Image.open"]
    assert len(opened) > 4
    for path, call in opened:
        where = path.relative_to(PACKAGE).as_posix()
        assert where in own or "formats" in {keyword.arg for keyword in call.keywords}, where


def test_pages_are_built_of_elements_and_never_of_markup():
    files = sorted((PACKAGE / "widgets").glob("*.js"))
    assert len(files) > 8
    sinks = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|\beval\s*\(|new Function|"
        r"setAttribute\(\s*[\"']on|javascript:|setTimeout\(\s*[\"'`]|import\s*\(|https?://(?!www\.w3\.org)"
    )
    for file in files:
        assert not sinks.search(file.read_text(encoding="utf-8")), file.name


# Pages


class Tags(HTMLParser):
    """What a browser would make of a page: its tags with their attributes."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


def harmless(page: str) -> None:
    tags = Tags(page).tags
    assert tags
    for tag, attributes in tags:
        assert tag not in ("script", "iframe", "object", "embed", "form", "base"), tag
        assert not any(name.startswith("on") for name in attributes), attributes
        if tag == "img":
            assert attributes["src"].startswith("data:image/")


def test_the_measure_of_harmless_pages_refuses_others():
    harmless('<p><img src="data:image/png;base64,AA" alt="a &lt;script&gt;"></p>')
    for bad in ("<p><script>", "<img src=x>", "<p onclick=a()>", "nothing"):
        with pytest.raises((AssertionError, KeyError)):
            harmless(bad)


def test_a_hostile_prompt_is_text_in_every_page(tiny_pipe, sketch, tmp_path):
    common = dict(pipe=tiny_pipe, num_inference_steps=2, size=(64, 64))
    result = s2i.translate(sketch, HOSTILE, **common)
    harmless(s2i.sweep(sketch, [HOSTILE, "a"], quiet=True, **common)._repr_html_())
    harmless(s2i.anatomy(tiny_pipe, sketch, HOSTILE, num_inference_steps=2, size=(64, 64))._repr_html_())
    studio = s2i.Studio(sketch, HOSTILE, model=tiny_pipe)
    studio._current = Entry(1, result, studio.page, {})
    harmless(studio._still_html())
    other = s2i.translate(sketch, f"{HOSTILE}2", strength=0.5, **common)
    harmless(s2i.BlindRating([result, other], tmp_path / "votes.csv", rater=HOSTILE)._still_html())
    harmless(as_html(sketch, HOSTILE))
    harmless(s2i.Settings.from_thesis(prompt=HOSTILE).explain()._repr_html_())


def test_a_hostile_prompt_is_text_in_a_report():
    results = [made(strength, prompt=HOSTILE) for strength in (0.2, 0.8)]
    harmless(report(results)._repr_html_())


def test_the_code_of_the_studio_calls_nothing_that_a_prompt_names(tiny_pipe, sketch):
    prompt = '")\n__import__("os").system("true")\n("'
    result = s2i.translate(sketch, prompt, negative_prompt=prompt, pipe=tiny_pipe, num_inference_steps=2, size=(64, 64))
    tree = ast.parse(python_call(result, "sketch-1.png"))
    named = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert named <= {"s2i.translate", "s2i.load_pipeline"}
    assert [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)].count(prompt) == 2


# Records and drawings that somebody else made


def record_of(path: Path, **changes) -> Path:
    """A picture whose record somebody wrote by hand."""
    picture = Image.new("RGB", (64, 64), "white")
    result = made()
    table = {**result.record(), **changes}
    info = PngImagePlugin.PngInfo()
    info.add_itxt(KEY, json.dumps(table))
    picture.save(path, pnginfo=info)
    return path


@pytest.mark.parametrize(
    "model", ["somebody/a-model", "//host/share/model", "\\\\host\\share\\model", "/nonexistent/a", ""]
)
def test_a_picture_s_record_has_no_model_fetched_or_reached_by_its_word(model, tmp_path, monkeypatch, capsys):
    path = record_of(tmp_path / "theirs.png", model=model)

    def reached(*arguments, **named):
        raise AssertionError("a model was asked for")

    monkeypatch.setattr("s2i_teach.models.load.load_pipeline", reached)
    assert main(["translate", "--like", str(path), "--out", str(tmp_path / "out.png")]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1 and ("if you trust it, add --model" in said or "file name is empty" in said)


def test_a_picture_s_record_reads_no_file(tmp_path):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (8, 8), "red").save(secret)
    for place in (str(secret), secret.as_uri(), f"data:image/png;file={secret}"):
        path = record_of(tmp_path / "theirs.png", sketch_png=place)
        with pytest.raises(InputError, match="damaged"):
            s2i.read_record(path)
    with pytest.raises(InputError, match="unknown entry"):
        s2i.read_record(record_of(tmp_path / "theirs.png", settings={"prompt": "a", "__class__": "os.system"}))


BOMB = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


def test_a_drawing_reads_no_file_and_does_not_swell(tmp_path):
    (tmp_path / "secret.txt").write_text("the secret")
    place = (tmp_path / "secret.txt").as_uri()
    table = json.dumps(Drawing().to_dict())
    outside = f'<!DOCTYPE svg [<!ENTITY x SYSTEM "{place}">]>'
    bomb = f'<!DOCTYPE svg [<!ENTITY l0 "lol">{BOMB}]>'
    for head, body in ((outside, "&x;"), (bomb, "&l9;"), ("", "[" * 100_000), (outside, f"{table}&x;")):
        text = f'{head}<svg xmlns="http://www.w3.org/2000/svg"><metadata>{body}</metadata></svg>'
        with pytest.raises(InputError) as caught:
            Drawing.from_svg(text)
        assert "the secret" not in str(caught.value)
    deep = "<a>" * 200_000 + "</a>" * 200_000
    with pytest.raises(InputError):
        Drawing.from_svg(f"<svg>{deep}</svg>")
    for png in (
        place,
        "http://127.0.0.1/a.png",
        "data:image/svg+xml;base64,PHN2Zy8+",
        "data:image/png;base64,PHN2Zy8+",
    ):
        with pytest.raises(InputError, match="picture in the drawing is damaged"):
            Drawing.from_dict({**Drawing().to_dict(), "ops": [{"tool": "picture", "png": png}], "done": 1})


def test_a_message_of_a_page_reads_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8), "black").save("secret.png")
    pad = s2i.SketchPad()
    said = []
    monkeypatch.setattr(pad, "send", lambda content, buffers=None: said.append(content))
    name = base64.b64encode(b"secret.png").decode()
    for request in (
        {"do": "sketch", "name": "secret.png"},
        {"do": "sketch", "name": str(tmp_path / "secret.png")},
        {"do": "file", "name": "secret.png", "data": ""},
        {"do": "file", "name": "secret.png", "data": f"data:;base64,{name}"},
        {"do": "file", "name": "secret.svg", "data": f"data:;base64,{name}"},
    ):
        pad._asked(pad, request, [])
    assert [list(message) for message in said] == [["failure"]] * 5 and pad.page.is_empty


def test_a_training_goes_on_from_safetensors_alone(tiny_pipe, tmp_path, monkeypatch, capsys):
    tiny_pipe.vae.save_pretrained(tmp_path / "vae")
    (tmp_path / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    torch.save(tiny_pipe.vae.state_dict(), tmp_path / "vae" / "diffusion_pytorch_model.bin")
    argv = ["train", "fast", "--steps", "1", "--vae", str(tmp_path / "vae"), "--out", str(tmp_path), "--threads", "1"]
    monkeypatch.setattr("torch.load", lambda *arguments, **named: pytest.fail("a pickle was opened"))
    assert main(argv) == 2
    assert "safetensors" in capsys.readouterr().err


# Secrets

SECRET = "hf_" + "S3cr3t" * 5
TELLS = """
import logging, os, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
sys.path.insert(0, {root!r})
from s2i_teach import doctor
from s2i_teach.cli import main
from s2i_teach.evaluate import report
for argv in (
    ["translate", "sketch.png", "--prompt", "a", "--model", "somebody/a-model"],
    ["models", "sd15"],
    ["translate", "sketch.png", "--prompt", "a", "--model", {model!r}, "--steps", "2", "--out", "a.png"],
):
    print(main(argv))
print(doctor._machine())
"""


@pytest.mark.seconds(12)
def test_a_token_is_in_no_output_record_or_log(tiny_pipe, sketch, tmp_path):
    """Everything is logged, and the hub, which here is no hub, refuses."""
    tiny_pipe.save_pretrained(tmp_path / "tiny")
    sketch.save(tmp_path / "sketch.png")
    names = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "KAGGLE_KEY")
    surroundings = {**os.environ, **dict.fromkeys(names, SECRET), "HF_HUB_OFFLINE": "0", "OMP_NUM_THREADS": "1"}
    surroundings |= {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hub"), "PYTHONIOENCODING": "utf-8"}
    code = TELLS.format(root=str(ROOT), model=str(tmp_path / "tiny"))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=surroundings, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = done.stdout + done.stderr
    assert "hub is out of reach" in said and "DEBUG" in said
    assert SECRET not in said
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file


def test_a_token_is_sent_to_no_other_server(web, monkeypatch):
    """Files of the web are fetched with neither the hub's token nor a cookie."""
    from s2i_teach.data_sources.download import fetch

    monkeypatch.setenv("HF_TOKEN", SECRET)
    heard = []
    handler = web._server.RequestHandlerClass
    plain = handler.do_GET

    def listened(self):
        heard.append(dict(self.headers))
        plain(self)

    monkeypatch.setattr(handler, "do_GET", listened)
    web.put("/a.bin", b"data")
    fetch(f"{web.url}/a.bin", quiet=True)
    assert heard and all(not {"Authorization", "Cookie"} & set(headers) for headers in heard)
    assert SECRET not in repr(heard)


def test_an_address_with_a_password_is_refused_and_not_repeated(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    address = f"https://teacher:{SECRET}@example.org/pack.zip"
    for argv in (["sample", address], ["class-pack", address], ["sample", address, "--plan"]):
        assert main(argv) == 2
        said = capsys.readouterr().err
        assert "has a name or a password in it" in said and SECRET not in said and "example.org" in said
    assert list(tmp_path.iterdir()) == []
