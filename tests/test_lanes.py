"""A lesson takes the real models only where a GPU works and they can be had."""

import pytest
import torch

from s2i_teach import InputError
from s2i_teach.lessons import lanes
from s2i_teach.lessons.lanes import LANES, choose_lane
from s2i_teach.models import hub
from s2i_teach.models.catalog import MODELS


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
    monkeypatch.setattr(hub, "_listed", lambda name, commit: None)
    assert not hub.is_within_reach(model), "the hub does not answer"
    monkeypatch.setattr(hub, "is_here", lambda model: True)
    assert hub.is_within_reach(model)
