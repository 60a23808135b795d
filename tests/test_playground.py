"""The playground without a browser: its frames are the theory's, and a wrong function is told from a right one."""

import json

import numpy as np
import pytest
import torch

import s2i_teach as s2i
from s2i_teach.errors import InputError
from s2i_teach.theory.forward import add_noise
from s2i_teach.theory.ideal import ideal_eps, ideal_x0, weights
from s2i_teach.theory.plane import SHAPES, heart, scaled, spread
from s2i_teach.theory.sampler import ddim_step, ddpm_step, spaced_timesteps
from s2i_teach.widgets import film
from s2i_teach.widgets.drawing import Drawing

ALPHA_BAR = film.ALPHA_BAR


def points(panel, frame: int) -> torch.Tensor:
    return torch.tensor(panel["points"][frame]).view(-1, 2) / 100


def asked(ground, monkeypatch, **request) -> list[dict]:
    """What the playground answers to a question from the page."""
    said = []
    monkeypatch.setattr(ground, "send", lambda content, buffers=None: said.append(content))
    ground._asked(ground, {"version": "v 1", "settings": dict(ground.settings), **request}, [])
    return said


# Right


def test_shapes_are_centred_and_as_wide_as_each_other():
    for name, make in SHAPES.items():
        made = make(300)
        assert made.shape == (300, 2) and made.mean(0).abs().max() < 0.02, name
        assert 0.75 < spread(made) < 0.85 and made.abs().max() < 2, name
        assert (make(300) == made).all(), name
    assert heart().shape == (40, 2)


def test_forward_frames_are_add_noise_s():
    seen = s2i.Playground().frames({"seed": 5})
    data = heart(film.POINTS)
    eps = torch.randn(data.shape, generator=torch.Generator().manual_seed(5))
    assert seen["t"][0] == 0 and seen["t"][-1] == 999 and len(seen["panels"]) == 1
    for frame in (0, 7, len(seen["t"]) - 1):
        t = torch.full((len(data),), seen["t"][frame])
        expected = add_noise(data, eps, ALPHA_BAR, t)
        assert (points(seen["panels"][0], frame) - expected).abs().max() < 0.0051
        assert abs(seen["panels"][0]["spread"][frame] - spread(expected)) < 0.0051


@pytest.mark.parametrize("name", ["DDIM", "DDPM"])
def test_backward_frames_are_the_sampler_s(name):
    asked = {"direction": "backward", "sampler": name, "steps": 12, "guess": True, "field": True}
    seen = s2i.Playground("moons").frames(asked)
    data, panel = SHAPES["moons"](film.POINTS), seen["panels"][0]
    times = spaced_timesteps(12, spacing="trailing")
    assert seen["t"] == [*times, -1]
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(film.POINTS, 2, generator=generator)
    levels = [*ALPHA_BAR[times].tolist(), 1.0]
    for frame, (a, a_prev) in enumerate(zip(levels, levels[1:], strict=False)):
        assert (points(panel, frame) - x).abs().max() < 0.0051
        guess = torch.tensor(panel["guess"][frame]).view(-1, 2) / 100
        assert (guess - ideal_x0(x, data, a)).abs().max() < 0.006
        arrows, score = torch.tensor(panel["field"][frame]).view(-1, 2), -ideal_eps(film.places(), data, a)
        long = arrows.float().norm(dim=1) > 5
        assert (torch.cosine_similarity(arrows[long].float(), score[long]) > 0.98).all()
        eps, noise = ideal_eps(x, data, a), torch.randn(x.shape, generator=generator)
        x = ddim_step(x, eps, a, a_prev) if name == "DDIM" else ddpm_step(x, eps, a, a_prev, noise)
    assert (points(panel, -1) - x).abs().max() < 0.0051
    assert torch.cdist(x, data).min(1).values.mean() < 0.15


def test_an_answer_is_small_and_quick():
    ground = s2i.Playground(step=ddim_step)
    settings = {"direction": "backward", "steps": 100, "field": True, "guess": True}
    answer = ground.frames(settings)
    size = len(json.dumps(answer)) / 1000
    print(f"{size:.0f} KB, {answer['milliseconds']} ms")
    assert size < 1000


def test_points_of_your_own():
    own = torch.tensor([[0.5, 0.5], [-0.5, 0.5], [0.0, -0.7]])
    seen = s2i.Playground(own).frames({"direction": "backward"})
    assert seen["settings"]["shape"] == "own" and seen["data"] == [50, 50, -50, 50, 0, -70]
    assert torch.cdist(points(seen["panels"][0], -1), own).min(1).values.mean() < 0.05
    assert s2i.Playground(own.numpy().tolist()).frames()["data"] == seen["data"]


def test_the_network_learns_the_data_and_other_data_need_another(monkeypatch):
    ground = s2i.Playground("ring")
    state = torch.get_rng_state()
    said = asked(ground, monkeypatch, do="train", settings={**ground.settings, "direction": "backward"})
    assert (torch.get_rng_state() == state).all(), "the session's random state is left alone"
    answer = said[-1]["film"]
    print(answer["trained"])
    assert [panel["denoiser"] for panel in answer["panels"]] == ["ideal", "network"]
    assert [message["training"] for message in said[:-1]] == sorted(message["training"] for message in said[:-1])
    network = ground._network
    assert network.ideal_loss < network.loss < 1.1 * network.ideal_loss
    end = points(answer["panels"][1], -1)
    assert torch.cdist(end, SHAPES["ring"](300)).min(1).values.mean() < 0.08
    assert (end - points(answer["panels"][0], -1)).abs().max() > 0.01, "it is no copy of the ideal one"
    other = ground.frames({"shape": "heart", "denoiser": "network"})
    assert other["settings"]["denoiser"] == "ideal" and other["trained"] is None


def test_training_ends_in_time_on_a_slow_machine():
    made = film.trained(heart(50), lambda share, loss: None, seconds=0.05)
    assert made.seconds < 2 and made.loss > 0


def test_a_german_playground_says_in_german_what_is_wrong(german, monkeypatch):
    ground = s2i.Playground()
    wanted = {
        ("steps", 1000): "steps ist 1000: eine ganze Zahl von 1 bis 100 angeben.",
        ("sampler", "x"): "sampler x gibt es nicht: eines von DDIM, DDPM verwenden.",
        ("shape", "drawing"): "Das Blatt ist leer: zeichne zuerst etwas.",
    }
    for (name, value), sentence in wanted.items():
        settings = {**ground.settings, name: value}
        assert asked(ground, monkeypatch, do="film", settings=settings)[0]["refused"] == sentence


def test_a_drawing_becomes_the_data(monkeypatch):
    ground = s2i.Playground()
    settings = {**ground.settings, "shape": "drawing"}
    assert "draw something first" in asked(ground, monkeypatch, do="film", settings=settings)[0]["refused"]
    line = Drawing().then({"tool": "brush", "size": 10, "points": [[100, 100, 0.5], [400, 300, 0.5]]})
    answer = asked(ground, monkeypatch, do="film", settings=settings, drawing=line.to_dict())[0]
    data = torch.tensor(answer["film"]["data"]).view(-1, 2) / 100
    assert answer["version"] == "v 1" and len(data) == film.POINTS and abs(spread(data) - 0.8) < 0.01
    slope = np.polyfit(data[:, 0], data[:, 1], 1)[0]
    assert abs(slope + 2 / 3) < 0.03, "down to the right on paper is down to the right in the plane"
    assert ground.settings["shape"] == "drawing"
    dots = Drawing().then({"tool": "brush", "size": 12, "points": [[256, 256, 0.5]]})
    assert torch.isfinite(film.points_of_ink(dots.image(256))).all()


# Wrong


def no_root(x0, eps, alpha_bar, t):
    a = alpha_bar[t][:, None]
    return a * x0 + (1 - a) * eps


def too_much(x0, eps, alpha_bar, t):
    return x0 + 2 * eps


def a_fraction(x_t, eps, a, a_prev):
    return x_t - eps / 20


def fresh_noise_only(x_t, eps, a, a_prev, noise):
    x0 = (x_t - (1 - a) ** 0.5 * eps) / a**0.5
    return a_prev**0.5 * x0 + (1 - a_prev) ** 0.5 * noise


def unshrunk(x_t, data, a):
    return torch.softmax(-(torch.cdist(x_t, data) ** 2) / (2 * (1 - a)), 1) @ data


def test_the_library_s_own_functions_agree():
    def mine(x_t, data, a):
        return weights(x_t, data, a) @ data

    ground = s2i.Playground(add_noise=add_noise, step=[ddim_step, ddpm_step], ideal_x0=mine)
    for wanted in ({"direction": "forward"}, {"sampler": "own 0"}, {"sampler": "own 1"}, {"sampler": "DDPM"}):
        seen = ground.frames(wanted)
        assert not seen["wrong"] and not seen["alert"], wanted
        assert any("agrees" in sentence for sentence in seen["said"])
        assert seen["panels"][0]["library"] == []


@pytest.mark.parametrize("function", [no_root, too_much])
def test_a_wrong_add_noise_is_told_in_numbers(function):
    seen = s2i.Playground(add_noise=function).frames()
    assert len(seen["wrong"]) == 1 and f"Your {function.__name__} is not" in seen["wrong"][0]
    assert len(seen["panels"][0]["library"]) == len(seen["t"]), "the right points are shown beside"
    if function is too_much:
        assert "the spread 2.15, which should be 0.79" in seen["wrong"][0]


@pytest.mark.parametrize("function", [a_fraction, fresh_noise_only])
def test_a_wrong_step_is_told_and_the_library_s_end_as_well(function):
    ground = s2i.Playground(step=function)
    assert ground.settings["direction"] == "backward"
    seen = ground.frames()
    assert f"Your {function.__name__} is not" in seen["wrong"][0] and seen["panels"][0]["library"]
    assert "With the library's functions alone" in seen["said"][0]


def test_a_wrong_ideal_denoiser_is_told_both_ways():
    ground = s2i.Playground(ideal_x0=unshrunk)
    for direction in ("forward", "backward"):
        assert "Your unshrunk is not" in ground.frames({"direction": direction})["wrong"][0]


def raises(x_t, eps, a, a_prev):
    return x_t + torch.ones(3)


def nothing(x_t, eps, a, a_prev): ...


def not_written(x_t, eps, a, a_prev):
    raise NotImplementedError


def number(x_t, eps, a, a_prev):
    return 0.0


def first_column(x_t, eps, a, a_prev):
    return x_t[:, 0]


def not_finite_late(x_t, eps, a, a_prev):
    return ddim_step(x_t, eps, a, a_prev) * (1.0 if a < 0.5 else float("nan"))


def explodes(x_t, eps, a, a_prev):
    return 50 * x_t


def changes_its_input(x_t, eps, a, a_prev):
    eps *= 2
    x_t.zero_()
    return x_t


BROKEN = {
    raises: "raised an error at t = 999: RuntimeError",
    nothing: "returns nothing yet",
    not_written: "returns nothing yet",
    number: "of the type float",
    first_column: r"shape \(300,\) at t = 999: it should be \(300, 2\)",
    not_finite_late: "not finite, or beyond a million, at t = ",
    explodes: "beyond a million, at t = ",
}


@pytest.mark.parametrize("function", BROKEN, ids=[function.__name__ for function in BROKEN])
def test_a_broken_step_is_told_in_one_sentence(function, monkeypatch):
    import re

    ground = s2i.Playground(step=function)
    answer = asked(ground, monkeypatch, do="film", settings={**ground.settings, "field": True, "guess": True})[0]
    seen = answer["film"]
    assert re.search(BROKEN[function], seen["alert"]), seen["alert"]
    assert f"Your {function.__name__}" in seen["alert"]
    panel = seen["panels"][0]
    json.dumps(answer, allow_nan=False)
    assert len(panel["library"]) == len(seen["t"]) and 1 <= len(panel["points"]) < len(seen["t"])
    if function is not_finite_late:
        t = int(re.search(r"t = (\d+)", seen["alert"]).group(1))
        assert ALPHA_BAR[t] >= 0.5 and t == seen["t"][len(panel["points"]) - 1], "where it stood when it failed"


@pytest.mark.parametrize("what", ["add_noise", "ideal_x0"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_other_broken_functions_are_told_too(what, direction):
    def broken(*arguments):
        raise ValueError("<b>")

    seen = s2i.Playground(**{what: broken}).frames({"direction": direction, "field": True, "guess": True})
    if (what, direction) == ("add_noise", "backward"):
        assert seen["alert"] == "", "the way back does not use it"
    else:
        assert "Your broken raised an error at t = " in seen["alert"] and "ValueError: <b>" in seen["alert"]


def test_a_function_cannot_spoil_what_it_is_given():
    seen = s2i.Playground(step=changes_its_input).frames()
    assert "is not the library's" in seen["wrong"][0]
    assert points(seen["panels"][0], 0).abs().max() > 1, "the noise is still there"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"shape": "cube"}, "heart, moons"),
        ({"shape": None}, "N, 2"),
        ({"shape": [[1.0, 2.0, 3.0]]}, r"\(1, 3\)"),
        ({"shape": [[1.0, float("nan")], [0.0, 0.0]]}, "finite"),
        ({"shape": "own"}, "not there"),
        ({"steps": 0}, "from 1 to 100"),
        ({"steps": 2.5}, "from 1 to 100"),
        ({"direction": "up"}, "forward, backward"),
        ({"add_noise": 5}, "without calling it"),
        ({"add_noise": lambda x0: x0}, r"\(x0, eps, alpha_bar, t\): yours takes \(x0\)"),
        ({"step": lambda x: x}, r"yours takes \(x\)"),
        ({"step": [ddim_step, "ddpm"]}, "without calling it"),
        ({"ideal_x0": lambda x: x}, r"\(x_t, data, a\)"),
    ],
)
def test_bad_arguments_are_refused_in_a_sentence(arguments, words):
    with pytest.raises(InputError, match=words) as error:
        s2i.Playground(**arguments)
    assert str(error.value).endswith(".")


def test_odd_messages_from_the_page_change_nothing(monkeypatch):
    ground = s2i.Playground()
    before = dict(ground.settings)
    for settings in (None, {}, {**before, "steps": "5"}, {**before, "shape": "../x"}, {**before, "sampler": "own 0"}):
        assert list(asked(ground, monkeypatch, do="film", settings=settings)[0]) == ["version", "refused"]
    assert asked(ground, monkeypatch, do="dance") == []
    assert ground.settings == before


# Looks


def test_a_picture_stays_for_readers_without_the_widget():
    ground = s2i.Playground(step=ddpm_step)
    html = ground._still_html()
    assert "<img" in html and 'alt="Points in the plane at four times: t = 999 with the spread 1.0' in html
    assert "<img" not in s2i.Playground(add_noise=lambda *arguments: None)._still_html()


def test_shapes_of_one_point_do_not_divide_by_zero():
    assert torch.isfinite(scaled(torch.ones(5, 2))).all()
