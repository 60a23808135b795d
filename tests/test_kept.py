"""A prompt is read once, and again whenever that would give something else."""

import pytest
import torch

from s2i_teach import anatomy, translate
from s2i_teach.models import kept
from tests.conftest import make_tiny_pipe

FEW = dict(num_inference_steps=2, strength=1.0, size=(64, 64), guidance_scale=3.0)


@pytest.fixture()
def pipe(tmp_path, monkeypatch):
    """A pipeline of its own, and in ``pipe.read`` how many prompts its text encoder was given."""
    pipe = make_tiny_pipe(tmp_path)
    pipe.read = []
    pipe.text_encoder.register_forward_pre_hook(lambda module, args: pipe.read.append(len(args[0])))
    return pipe


def test_the_same_words_are_read_once_and_make_the_same_picture(pipe, sketch):
    first = translate(sketch, "a turtle", pipe=pipe, **FEW)
    seen = len(pipe.read)
    again = translate(sketch, "a turtle", pipe=pipe, **FEW)
    assert seen == 2 == len(pipe.read) and again.image.tobytes() == first.image.tobytes()
    translate(sketch, "a turtle", pipe=pipe, **{**FEW, "guidance_scale": 7.0, "seed": 4})
    assert len(pipe.read) == seen, "neither guidance above 1 nor the seed changes what is read"
    translate(sketch, "a turtle", pipe=pipe, negative_prompt="a stone", **FEW)
    translate(sketch, "a house", pipe=pipe, **FEW)
    unguided = translate(sketch, "a turtle", pipe=pipe, **{**FEW, "guidance_scale": 1.0})
    assert len(pipe.read) == seen + 2 + 2 + 1 and unguided.image.tobytes() != first.image.tobytes()


def test_an_encoder_that_changed_reads_again(pipe, sketch):
    first = translate(sketch, "a turtle", pipe=pipe, **FEW)
    with torch.no_grad():
        next(pipe.text_encoder.parameters()).mul_(3)
    other = translate(sketch, "a turtle", pipe=pipe, **FEW)
    assert len(pipe.read) == 4 and other.image.tobytes() != first.image.tobytes()
    state = {
        name: weight / 3 if weight.is_floating_point() else weight
        for name, weight in pipe.text_encoder.state_dict().items()
    }
    pipe.text_encoder.load_state_dict(state)
    translate(sketch, "a turtle", pipe=pipe, **FEW)
    assert len(pipe.read) == 6


def test_few_are_kept_and_who_looks_on_sees_it_read(pipe, sketch, monkeypatch):
    monkeypatch.setattr(kept, "MOST", 2)
    for words in ("a turtle", "a house", "a turtle", "a tree", "a turtle"):
        translate(sketch, words, pipe=pipe, **FEW)
    assert len(pipe.read) == 3 * 2, "the house went, the turtle stayed"
    found = anatomy(pipe, sketch, "a turtle", **FEW).dissection
    assert found.organ("text encoder")[0].calls == 2 and len(pipe.read) == 3 * 2 + 2 * 2
