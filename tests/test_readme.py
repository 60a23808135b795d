"""What the README and the model card show in Python runs as it stands there, one block after the other."""

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

import s2i_teach as s2i
from s2i_teach.models.catalog import MODELS

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "data/mini/README.md")
READERS = {"docs/dataset.md": "datasets"}
"""Page → the package that its only block needs and the course does not; tests/test_dataset.py runs what it shows."""


def python_blocks(text: str) -> list[str]:
    """The ```python blocks of a page of Markdown, in order."""
    return re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)


def out_of_reach(block: str) -> str | None:
    """Why a block cannot run here, by the texts in its code (not its comments); None if it can.

    A model to be downloaded or an address needs a network, and the name of a GPU a GPU.
    """
    texts = [
        node.value
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    for text in texts:
        hub_id = re.fullmatch(r"[\w.-]+/[\w.-]+", text) and not (ROOT / text).exists()
        if (text in MODELS and MODELS[text].download) or text.startswith(("http://", "https://")) or hub_id:
            return f"{text!r} needs a network"
        if re.fullmatch(r"(cuda|mps)(:\d+)?", text):
            return f"{text!r} needs a GPU"
    return None


def test_only_a_network_and_a_gpu_are_out_of_reach():
    assert out_of_reach('pipe = s2i.load_pipeline("sd15")') == "'sd15' needs a network"
    assert "network" in out_of_reach('from_pretrained("stable-diffusion-v1-5/stable-diffusion-v1-5")')
    assert out_of_reach('pipe.to("cuda:0")') == "'cuda:0' needs a GPU"
    assert out_of_reach('s2i.load_pipeline("mini")  # "sd15" on "cuda"') is None
    assert out_of_reach('from_pretrained("data/mini")') is None


def test_no_other_page_shows_python():
    files = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    shown = {name for name in files.split() if python_blocks((ROOT / name).read_text(encoding="utf-8"))}
    assert shown == {*PAGES, *READERS}


@pytest.mark.seconds(30)
@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_shows_runs(page, tmp_path, monkeypatch):
    """In one namespace, as a reader would type it, in a folder that is the project's to read: ``data`` is its own."""
    (tmp_path / "data").symlink_to(ROOT / "data", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    blocks = python_blocks((ROOT / page).read_text(encoding="utf-8"))
    names: dict = {}
    before = s2i.language()
    try:
        for block in blocks:
            code = compile(block, page, "exec")
            if out_of_reach(block) is None:
                exec(code, names)
    finally:
        s2i.language(before)
    if page == "README.md":
        assert names["result"].settings.seed == 0 and len(names["grid"].results) == 9
        assert (tmp_path / "turtle.png").is_file() and (tmp_path / "report.html").is_file()
    else:
        assert names["started"].size == names["led"].size == (128, 128)
        assert names["started"].tobytes() != names["led"].tobytes()


def test_the_miniature_says_its_precision():
    """Unasked, transformers 5 would load the text encoder in that of its weights, and diffusers all else in fp32."""
    config = ROOT / "data" / "mini" / "text_encoder" / "config.json"
    assert json.loads(config.read_text(encoding="utf-8"))["dtype"] == "float32"
