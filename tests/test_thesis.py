"""The eight parameters: each does what it can, what the weights fix is checked, and the table tells the truth."""

from copy import copy
from dataclasses import fields

import pytest

from s2i_teach import InputError, Settings
from s2i_teach.translation import thesis
from s2i_teach.translation.run import run


@pytest.fixture(autouse=True)
def small(tiny_pipe, monkeypatch):
    """Stable Diffusion's parts in small in place of a model by name."""
    monkeypatch.setattr(thesis, "shared_pipeline", lambda name: tiny_pipe)
    monkeypatch.setattr(thesis, "load_pipeline", lambda name, dtype: tiny_pipe)


def test_the_defaults_are_the_thesis_s(sketch):
    made = Settings.from_thesis(prompt="a turtle")
    assert made.settings.size == (768, 512) and made.settings.num_inference_steps == 100
    assert len(made.timesteps) == 100 and made.timesteps[0] == 0 and made.timesteps[-1] == 999
    assert "float32" in made.notes[0]
    rows = made.rows()
    assert [row[0].split(" = ")[0] for row in rows] == [
        "model_name_or_path",
        "image_size",
        "diffusion_steps",
        "timestep_respacing",
        "start_scale",
        "num_resolutions",
        "rescale_timesteps",
        "use_fp16",
    ]
    assert "latents of 96 × 64" in rows[1][2] and "guided-diffusion would keep 999" in rows[3][2]
    assert "what it cannot do: be chosen: the weights fix it" in str(made.explain())
    assert made.explain()._repr_html_().count("<tr>") == 9


def test_sections_run_as_guided_diffusion_would(tiny_pipe, sketch):
    made = Settings.from_thesis(timestep_respacing="2,3,4", image_size=48, strength=1.0, use_fp16=False)
    # By hand: 1000 in sections of 334, 333, 333, each from its first to its last.
    assert made.timesteps == (0, 333, 334, 500, 666, 667, 778, 888, 999) and made.notes == ()
    assert made.settings.scheduler == "ddpm"
    result = run(sketch, made.settings, made.pipe)
    assert result.plan.timesteps == tuple(map(float, reversed(made.timesteps)))
    assert "exactly guided-diffusion's" in made.rows()[3][2]


def test_it_has_the_settings_attributes(tiny_pipe, sketch):
    """Under the settings' own names, in ``dir`` as well; ``timesteps`` alone is guided-diffusion's."""
    made = Settings.from_thesis(prompt="a turtle", timestep_respacing=4, image_size=48, strength=0.5, seed=3)
    for name in (field.name for field in fields(Settings) if field.name != "timesteps"):
        assert getattr(made, name) == getattr(made.settings, name), name
    assert made.num_inference_steps == 4 and made.seed == 3 and made.size == (48, 48)
    assert made.timesteps == (0, 333, 666, 999) and made.settings.timesteps is None
    assert {field.name for field in fields(Settings)} | {"settings", "pipe", "plan", "explain"} <= set(dir(made))
    assert made.plan(tiny_pipe, measure=False) == made.settings.plan(tiny_pipe, measure=False)
    assert run(sketch, made, made.pipe).image.tobytes() == run(sketch, made.settings, made.pipe).image.tobytes()


def test_what_the_settings_lack_it_lacks():
    made = Settings.from_thesis(image_size=48)
    with pytest.raises(AttributeError, match="steps_number"):
        made.steps_number  # noqa: B018
    assert not hasattr(made, "_number") and not hasattr(made, "__array__")
    again = copy(made)  # asks an object that has nothing yet
    assert again == made and again.seed == 0


def test_ddim_respacing():
    made = Settings.from_thesis(timestep_respacing="ddim50", image_size=(64, 48))
    assert made.settings.scheduler == "ddim" and made.timesteps == tuple(range(0, 1000, 20))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"num_resolutions": 3}, "num_resolutions is 3 and mini has 4"),
        ({"diffusion_steps": 500}, "trained on 1000"),
        ({"diffusion_steps": 0}, "whole number"),
        ({"start_scale": 1}, "use strength"),
        ({"start_scale": "x"}, "use strength"),
        ({"timestep_respacing": "ddim51"}, "No whole stride"),
        ({"timestep_respacing": "ten"}, "give a number"),
        ({"timestep_respacing": 2000}, "cannot be kept"),
        ({"timestep_respacing": None}, "give a number"),
        ({"image_size": (770, 512)}, "multiples of 8"),
        ({"image_size": "big"}, "two numbers"),
        ({"rescale_timesteps": 1}, "True or False"),
        ({"use_fp16": "yes"}, "True or False"),
        ({"num_inference_steps": 5}, "timestep_respacing"),
        ({"learn_sigma": True}, "learn_sigma is not known"),
        ({"strength": 3}, "strength is 3"),
    ],
)
def test_what_cannot_be_is_said(given, words):
    with pytest.raises(InputError, match=words) as told:
        Settings.from_thesis(**given)
    assert "\n" not in str(told.value)
