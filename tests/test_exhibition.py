"""The class gallery: what hangs, what is set aside, what the votes do, and that the page is safe and needs nothing."""

import json
import re
from dataclasses import replace

import pytest
from PIL import Image

from s2i_teach import InputError, Settings, class_gallery
from s2i_teach.cli import main
from s2i_teach.evaluate.rating import Vote, picture_id, write_votes
from s2i_teach.exhibition.entries import MOST, collect, ranked
from s2i_teach.exhibition.strings import STRINGS
from s2i_teach.translation.result import Result

NASTY = "</script><img src=x onerror=alert(1)>"


def result(colour, prompt="a turtle", **settings) -> Result:
    settings = Settings(prompt, seed=3, strength=0.7, guidance_scale=4.0, num_inference_steps=20, **settings)
    pages = Image.new("RGB", (64, 64), colour), Image.new("RGB", (64, 64), "white")
    return Result(*pages, settings, None, "mini", 0.1, 0.01, "fp32")


@pytest.fixture()
def folder(tmp_path):
    made = tmp_path / "class"
    for number, (person, colour) in enumerate((("anna", "red"), ("anna", "blue"), ("ben", "green"), ("cem", "gold"))):
        result(colour, f"a {colour} turtle").save(made / person / f"{number}.png")
    return made


def data(path) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', path.read_text(encoding="utf-8"), re.S)[1])


def test_everybody_s_pictures_hang(folder, tmp_path):
    page = class_gallery(folder, tmp_path / "g.html", title="Friday")
    text = page.read_text(encoding="utf-8")
    assert [entry["label"] for entry in data(page)["entries"]] == ["anna 1", "anna 2", "ben 1", "cem 1"]
    assert text.count("<article>") == 4 and "<h1>Friday</h1>" in text and "a gold turtle" in text
    assert "<dt>Guidance</dt><dd>4</dd>" in text and "ben/2.png" in text
    assert all(re.search(r'alt="[^"]+"', image) for image in re.findall(r"<img[^>]*>", text))


def test_a_style_is_told_without_its_folders_and_without_a_name(folder, tmp_path):
    made = result("pink", style="/home/anna/anna.safetensors", style_weight=0.5)
    made.save(folder / "anna" / "9.png")
    text = class_gallery(folder, tmp_path / "g.html").read_text(encoding="utf-8")
    assert text.count("<dt>Style</dt>") == 1 and "<dd>anna.safetensors × 0.5</dd>" in text and "/home" not in text
    text = class_gallery(folder, tmp_path / "a.html", anonymous=True).read_text(encoding="utf-8")
    assert "<dt>Style</dt><dd>× 0.5</dd>" in text and "anna" not in re.sub(r"base64,[^\"]*", "", text)


def test_it_loads_nothing_from_anywhere(folder, tmp_path):
    text = class_gallery(folder, tmp_path / "g.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert set(re.findall(r'(?:src|href)="(\w+):', text)) == {"data"}
    assert "http" not in re.sub(r"http-equiv", "", re.sub(r"base64,[^\"]*", "", text))


def test_an_anonymous_gallery_names_nobody(folder, tmp_path):
    page = class_gallery(folder, tmp_path / "g.html", anonymous=True)
    text = re.sub(r"base64,[^\"]*", "", page.read_text(encoding="utf-8"))
    assert not any(name in text for name in ("anna", "ben", "cem", ".png"))
    assert sorted(entry["label"] for entry in data(page)["entries"]) == [f"picture {n}" for n in range(1, 5)]


def test_what_cannot_hang_is_told(folder, tmp_path):
    (folder / "dora").mkdir()
    Image.new("RGB", (8, 8)).save(folder / "dora" / "plain.png")
    (folder / "dora" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    result("red", "a red turtle").save(folder / "dora" / "copy.png")
    (folder / "dora" / "notes.txt").write_text("no picture")
    (folder / ".hidden").mkdir()
    result("pink").save(folder / ".hidden" / "a.png")
    entries, aside = collect(folder)
    told = {file.path.name: file.reason for file in aside}
    assert len(entries) == 4 and set(told) == {"plain.png", "torn.png", "copy.png"}
    assert "holds no settings" in told["plain.png"] and "same picture as anna/0.png" in told["copy.png"]
    text = class_gallery(folder, tmp_path / "g.html").read_text(encoding="utf-8")
    assert "Not shown" in text and "plain.png" in text


def test_words_of_others_are_words(tmp_path):
    """A prompt, a folder's name and a file's name are text, in the page and in its script's data."""
    result("red", NASTY).save(tmp_path / "c" / "<b>eve" / "1.png")
    result("blue", NASTY).save(tmp_path / "c" / "=cmd()" / "1.png")
    page = class_gallery(tmp_path / "c", tmp_path / "g.html", title=NASTY)
    text = page.read_text(encoding="utf-8")
    assert "<img src=x" not in text and "<b>eve" not in text and text.count("</script>") == 2
    assert data(page)["entries"][0]["person"] in ("<b>eve", "=cmd()")


def test_votes_hang_the_best_first(folder, tmp_path):
    entries, _ = collect(folder)
    names = {entry.label: entry.id for entry in entries}

    def vote(left, right, choice="left"):
        return Vote("zoe", "different", names[left], names[right], left, right, choice, 1.0)

    votes = [vote("cem 1", "anna 1"), vote("cem 1", "ben 1"), vote("anna 1", "ben 1"), vote("ben 1", "cem 1", "right")]
    hung = ranked(entries, [*votes, replace(votes[0], left="0" * 12)])
    assert [entry.label for entry in hung] == ["cem 1", "anna 1", "ben 1", "anna 2"]
    assert hung[0].rank.votes == 3 and hung[0].rank.wins == 3 and hung[3].rank is None
    file = write_votes(tmp_path / "v.csv", votes)
    page = class_gallery(folder, tmp_path / "g.html", votes=file)
    assert [entry["label"] for entry in data(page)["entries"]] == ["cem 1", "anna 1", "ben 1", "anna 2"]
    assert "the order of 4 votes by 1 people" in page.read_text(encoding="utf-8")
    assert ranked(entries, [replace(votes[0], left="0" * 12)]) == entries


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere", "g.html"), "is no folder"),
        ((".", "g.png"), "does not end in .html"),
        ((".", "g.html"), "holds no picture with its settings"),
    ],
)
def test_bad_input_gets_a_sentence(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=words):
        class_gallery(*arguments)
    assert main(["class-gallery", arguments[0], "--out", arguments[1]]) == 2
    told = capsys.readouterr().err
    assert words in told and told.count("\n") == 1


def test_more_bad_input(folder, tmp_path):
    for options, words in (
        ({"language": "fr"}, "use one of en, de"),
        ({"votes": "none.csv"}, "cannot be read"),
        ({"votes": None}, "votes is None: give the names"),
        ({"title": 3}, "A int is no title"),
    ):
        with pytest.raises(InputError, match=words):
            class_gallery(folder, tmp_path / "g.html", **options)
    assert not (tmp_path / "g.html").exists()
    for number in range(MOST):
        (folder / f"{number}.png").write_bytes(b"")
    with pytest.raises(InputError, match=f"more than {MOST}"):
        collect(folder)


def test_both_languages_say_everything(folder, tmp_path):
    assert STRINGS["en"].keys() == STRINGS["de"].keys()
    for key, text in STRINGS["en"].items():
        assert set(re.findall(r"\{(\w+)", text)) == set(re.findall(r"\{(\w+)", STRINGS["de"][key])), key
    text = class_gallery(folder, tmp_path / "g.html", language="de").read_text(encoding="utf-8")
    assert '<html lang="de">' in text and "Galerie der Klasse" in text


def test_the_command_writes_the_page(folder, tmp_path, capsys):
    assert main(["class-gallery", str(folder), "--out", str(tmp_path / "g.html"), "--anonymous", "--title", "Us"]) == 0
    assert (
        capsys.readouterr().out.strip() == str(tmp_path / "g.html")
        and "<h1>Us</h1>" in (tmp_path / "g.html").read_text()
    )
    assert picture_id(Image.new("L", (2, 2))) == picture_id(Image.new("RGB", (2, 2)))
