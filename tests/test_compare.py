"""Fair comparison, spread, and what is left of the lines: against brute force and pictures whose answer is known."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from PIL import ImageOps

import s2i_teach as s2i
from s2i_teach.images import fit_to, to_tensor
from s2i_teach.translation.compare import differences, line_agreement, spread, vanishing_strength

OTHER = {
    "prompt": "a cat",
    "negative_prompt": "grey",
    "strength": 0.4,
    "guidance_scale": 3.0,
    "num_inference_steps": 7,
    "seed": 5,
    "size": (64, 64),
    "prepare": "filled",
    "fit": "crop",
    "invert": True,
    "scheduler": "ddim",
    "timesteps": (900, 700, 500, 300, 200, 100, 0),
    "control_scale": 0.5,
    "control_start": 0.1,
    "control_end": 0.9,
    "style": "own.safetensors",
    "style_weight": 0.5,
}


def page(name):
    """An embedded sketch (3, 128, 128) in [-1, 1]."""
    sketch = next(s for s in s2i.sketches() if s.name == name)
    return to_tensor(fit_to(sketch.open(), (128, 128)))


def test_every_setting_that_differs_is_named_and_no_other():
    plain = s2i.Settings("a turtle")
    assert set(OTHER) == {field.name for field in fields(plain)}
    for name, value in OTHER.items():
        assert differences(plain, replace(plain, **{name: value})) == [name]
    assert differences(plain, s2i.Settings(**OTHER)) == [field.name for field in fields(plain)]
    assert differences(plain, replace(plain)) == []


def test_a_default_left_open_is_a_difference_until_it_is_resolved():
    pipe = s2i.load_pipeline("mini-fast", device="cpu", dtype="fp32")
    left_open, written = s2i.Settings("a turtle"), s2i.Settings("a turtle", strength=0.75)
    assert differences(left_open, written) == ["strength"]
    assert differences(left_open.resolved(pipe), written.resolved(pipe)) == []


def test_spread_is_the_mean_over_pairs():
    pictures = torch.rand(5, 3, 4, 6, generator=torch.Generator().manual_seed(0)) * 2 - 1
    array = pictures.double().numpy()
    total = [np.abs(array[i] - array[j]).mean() for i in range(5) for j in range(5) if i != j]
    assert abs(spread(pictures) - np.mean(total)) < 1e-6


def test_spread_of_what_is_known():
    black, white = -torch.ones(3, 4, 4), torch.ones(3, 4, 4)
    assert spread(torch.stack([black, black, black])) == 0
    assert spread(torch.stack([black, white])) == 2
    assert spread(torch.stack([black, white, white])) == pytest.approx(4 / 3)


@pytest.mark.parametrize("seed", range(20))
def test_the_vanishing_strength_is_what_walking_down_finds(seed):
    draws = torch.Generator().manual_seed(seed)
    order = torch.randperm(6, generator=draws).tolist()
    strengths = [(i + 1) / 6 for i in order]
    agreements = torch.rand(6, generator=draws).tolist()
    gone = None
    for strength, agreement in sorted(zip(strengths, agreements, strict=True), reverse=True):
        if agreement >= 0.4:
            break
        gone = strength
    assert vanishing_strength(strengths, agreements, 0.4) == gone


def test_vanishing_at_the_ends():
    assert vanishing_strength([0.5, 1.0], [0.1, 0.2], 0.3) == 0.5
    assert vanishing_strength([0.5, 1.0], [0.1, 0.3], 0.3) is None
    assert vanishing_strength([], [], 0.3) is None


def test_lines_agree_with_themselves_and_not_with_others():
    turtle, house = page("turtle"), page("house")
    assert line_agreement(turtle, turtle) == pytest.approx(1, abs=1e-5)
    assert line_agreement(turtle, -turtle) == pytest.approx(-1, abs=1e-5)
    assert line_agreement(turtle, turtle * 0.3 - 0.2) == pytest.approx(1, abs=1e-5)  # paler, and on darker paper
    assert abs(line_agreement(turtle, house)) < 0.3
    assert abs(line_agreement(turtle, turtle.roll(8, 2))) < 0.4
    assert line_agreement(turtle, torch.zeros_like(turtle)) == line_agreement(torch.ones_like(turtle), house) == 0


def test_lines_are_lost_as_strength_rises():
    pipe = s2i.load_pipeline("mini-fast", device="cpu", dtype="fp32")
    turtle = next(s for s in s2i.sketches() if s.name == "turtle")
    # As it stands it is the artist's own drawing, and the words alone bring its pose back: its mirror image they have never seen.
    sketch = ImageOps.mirror(turtle.open().convert("RGB"))
    found = []
    for strength in (0.25, 0.5, 0.75, 1.0):
        result = s2i.translate(sketch, turtle.prompt, pipe=pipe, strength=strength)
        found.append(line_agreement(to_tensor(result.sketch), to_tensor(result.image)))
    assert found == sorted(found, reverse=True) and found[0] > 0.5 and found[-1] < 0.2
