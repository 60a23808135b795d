"""A lesson takes the real models only where a GPU works and they can be had."""

from dataclasses import replace
from pathlib import Path

import jupytext
import pytest
import torch

import s2i_teach as s2i
from s2i_teach import InputError
from s2i_teach.lessons import lanes
from s2i_teach.lessons.lanes import LANES, choose_lane
from s2i_teach.models import hub
from s2i_teach.models.catalog import MODELS
from tests.test_hub import folders  # noqa: F401 (a fixture)

SOURCE = Path(__file__).resolve().parent.parent / "notebooks" / "source" / "15_on_the_gpu.py"


@pytest.fixture
def a_t4(monkeypatch):
    """A GPU that works, a hub that answers, and peft."""
    import diffusers.utils

    monkeypatch.setattr(lanes, "pick_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(lanes, "pick_dtype", lambda device: torch.float16)
    monkeypatch.setattr(lanes, "is_within_reach", lambda model: True)
    monkeypatch.setattr(diffusers.utils, "USE_PEFT_BACKEND", True)
    return monkeypatch


def test_without_a_gpu_the_miniatures(monkeypatch):
    monkeypatch.setattr(lanes, "pick_device", lambda: torch.device("cpu"))
    lane = choose_lane()
    assert lane.name == LANES[1] and lane.why == "no GPU works here"
    assert (lane.full, lane.few, lane.size, lane.dtype) == ("mini", "mini-fast", (128, 128), "fp32")
    assert lane.prompt("turtle") == "a turtle, openmoji style" and lane.prompt("owl") == "an owl, openmoji style"
    assert str(lane).startswith("the miniatures on cpu in fp32: mini, mini-fast,")
    with pytest.raises(InputError, match="cannot be had here, since no GPU works here"):
        choose_lane("the real models")


def test_with_a_gpu_the_real_models(a_t4):
    lane = choose_lane()
    assert lane.name == LANES[0] and lane.device.type == "cuda" and lane.dtype == "fp16"
    assert (lane.full, lane.few, lane.size) == ("sd15", "sd15-lcm", (512, 512))
    assert str(choose_lane("the real models")) == str(lane)
    assert choose_lane("the miniatures").why == "as you wished"


@pytest.mark.parametrize("wanted", [None, *LANES[1:]])
def test_a_lane_names_models_of_the_catalog(a_t4, wanted):
    lane = choose_lane(wanted)
    assert lane.full == lane.models[0] and set(lane.models) <= set(MODELS)
    assert {name for pair in lane.twins for name in pair} <= set(lane.models)
    assert all(MODELS[few].steps < MODELS[full].steps for full, few in lane.twins)
    assert lane.sides[0] == lane.size[0] < lane.sides[1]


def test_what_is_missing_is_said(a_t4):
    import diffusers.utils

    a_t4.setattr(lanes, "is_within_reach", lambda model: model.name != "sd-turbo")
    assert choose_lane().why == "sd-turbo cannot be fetched"
    a_t4.setattr(diffusers.utils, "USE_PEFT_BACKEND", False)
    assert choose_lane().why == "the package peft is not there, or too old"
    with pytest.raises(InputError, match="There is no lane 'a T4': use 'the real models' or 'the miniatures'"):
        choose_lane("a T4")


def test_a_lane_loads_on_its_device_in_its_precision(monkeypatch):
    asked = []
    monkeypatch.setattr(lanes, "load_pipeline", lambda *given, **named: asked.append((given, named)))
    choose_lane("the miniatures").load("mini")
    assert asked == [(("mini",), {"device": "cpu", "dtype": "fp32"})]


def test_within_reach_is_what_is_here_or_what_the_hub_has(monkeypatch):
    model = MODELS["sd15"]
    monkeypatch.setattr(hub, "is_here", lambda model: False)
    listed = []

    def one_of_them(name, commit):
        listed.append(name)
        if name == model.ids[0].partition("@")[0]:
            raise OSError("gone")
        return {"model_index.json": 1}

    monkeypatch.setattr(hub, "_listed", one_of_them)
    assert hub.is_within_reach(model) and len(listed) == 2
    assert hub.is_within_reach(MODELS["sd15-scribble"]) and len(listed) == 5, "its ControlNet is asked for as well"
    gone = replace(MODELS["sd15-scribble"].parts[0], ids=(model.ids[0],))
    assert not hub.is_within_reach(replace(MODELS["sd15-scribble"], parts=(gone,)))
    monkeypatch.setattr(hub, "_listed", lambda name, commit: None)
    assert not hub.is_within_reach(model), "the hub does not answer"
    monkeypatch.setattr(hub, "is_here", lambda model: True)
    assert hub.is_within_reach(model)


@pytest.mark.lessons
@pytest.mark.seconds(60)
def test_lesson_15_runs_in_the_lane_of_the_real_models(a_t4, folders, tmp_path, capsys):  # noqa: F811
    """Every cell, with the real models' architectures made small, random weights, and a CPU in the GPU's place."""
    for name in choose_lane().models:
        entry = MODELS[name]
        base = folders / ("sd-turbo" if name == "sd-turbo" else "sd15")
        parts = tuple(replace(part, ids=(str(folders / part.role),)) for part in entry.parts)
        a_t4.setitem(MODELS, name, replace(entry, ids=(str(base),), parts=parts, size=(64, 64), variant=None))
    lane = replace(choose_lane(), device=torch.device("cpu"), dtype="fp32", sides=(64, 128))
    a_t4.setattr(lanes, "choose_lane", lambda wanted=None: lane)
    pictures = []
    a_t4.setattr(s2i, "show", lambda figure, *, alt: pictures.append(alt))
    a_t4.chdir(tmp_path)
    space = {"s2i": s2i}
    for cell in jupytext.reads(SOURCE.read_text(encoding="utf-8"), fmt="py:percent").cells:
        if cell.cell_type == "code" and "setup" not in cell.metadata.get("tags", []):
            exec(compile(cell.source, "<cell>", "exec"), space)
    said = capsys.readouterr().out
    assert "the real models on cpu in fp32: sd15, sd15-lcm, sd-turbo, sd15-scribble" in said
    assert "script and translate differ by at most 0 of 255 tones" in said
    assert "decoded were, in order: 4 in float16, 1 in float32" in said
    assert list(space["pictures"]) == ["sd15", "sd15, few steps", "sd15-lcm", "sd-turbo", "sd15-scribble"]
    assert len(pictures) == 7 and (tmp_path / "models.html").is_file()
