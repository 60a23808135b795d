"""Content Credentials: what is signed, what changes break, and what a copy loses. c2pa-python is not among what is tested with.

Without it the sentence that says so is tested, and the manifest; with it the signatures too.
"""

import importlib.util
import json
import zlib

import pytest
from PIL import Image

import s2i_teach as s2i
from s2i_teach.errors import InputError
from s2i_teach.translation.credentials import has_package, manifest, read_credentials, sign
from tests.test_fuzz import drawing

NEEDS = pytest.mark.skipif(importlib.util.find_spec("c2pa") is None, reason="c2pa-python is not installed")


@pytest.fixture(scope="module")
def result(tiny_pipe):
    return s2i.translate(drawing(), "a cat", pipe=tiny_pipe, num_inference_steps=2, size=(64, 64))


def test_a_manifest_tells_the_settings_and_no_sketch(result):
    made = manifest(result)
    text = json.dumps(made)
    assert "compositeWithTrainedAlgorithmicMedia" in text and "a cat" in text and "sketch_png" not in text
    told = made["assertions"][1]["data"]
    assert told["settings"] == result.record()["settings"]
    assert told["sketch_sha256"] == result.record()["sketch_sha256"]
    with pytest.raises(InputError, match="result of translate"):
        manifest(result.image)


def test_without_the_package_a_sentence_says_so(result, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "c2pa", None)  # as Python has it where an import fails
    assert not has_package()
    for call in (lambda: sign(result, tmp_path / "a.png"), lambda: read_credentials(result.save(tmp_path / "b.png"))):
        with pytest.raises(InputError, match="pip install c2pa-python"):
            call()
    assert not (tmp_path / "a.png").exists()


@NEEDS
def test_a_signed_picture_tells_and_a_changed_one_is_found_out(result, tmp_path):
    path = sign(result, tmp_path / "a.png", "Ada")
    found = read_credentials(path)
    assert found.state == "Valid" and found.signer == "Ada"
    assert found.source == "compositeWithTrainedAlgorithmicMedia"
    assert found.settings["settings"]["prompt"] == "a cat"
    assert found.problems == ("signingCredential.untrusted",), "nobody knows the signer"
    with Image.open(path) as picture:
        assert picture.convert("RGB").tobytes() == result.image.tobytes(), "signing changes no pixel"
    assert s2i.read_record(path).settings == result.settings, "our own record is still there"
    data = path.read_bytes()
    at = data.index(b"iTXt")
    end = at + 4 + int.from_bytes(data[at - 4 : at], "big")
    part = data[at:end].replace(b"a cat", b"a dog")
    (tmp_path / "b.png").write_bytes(data[:at] + part + zlib.crc32(part).to_bytes(4, "big") + data[end + 4 :])
    assert s2i.read_record(tmp_path / "b.png").settings.prompt == "a dog", "our own record can be forged"
    changed = read_credentials(tmp_path / "b.png")
    assert changed.state == "Invalid" and "assertion.dataHash.mismatch" in changed.problems


@NEEDS
def test_saved_anew_it_has_none(result, tmp_path):
    with Image.open(sign(result, tmp_path / "a.png")) as picture:
        for name in ("copy.png", "copy.jpg"):
            picture.convert("RGB").save(tmp_path / name)
            assert read_credentials(tmp_path / name) is None


@NEEDS
@pytest.mark.parametrize("signer", ["", " ", "x" * 61, 5, None])
def test_a_signer_without_a_name(result, tmp_path, signer):
    with pytest.raises(InputError, match="1 to 60"):
        sign(result, tmp_path / "a.png", signer)
    assert not list(tmp_path.iterdir())
