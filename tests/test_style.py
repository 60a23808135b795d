"""Styles: low-rank changes equal to peft's, in a file that diffusers loads, and honest in settings, record and grid."""

import copy
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import s2i_teach as s2i
from s2i_teach.errors import InputError
from s2i_teach.lessons.styles import TEN, ten_drawings
from s2i_teach.models.style import FILE, Styled, read_style, save_style, style_hash
from s2i_teach.theory.lora import (
    LowRank,
    add_low_rank,
    layers_to_adapt,
    loss_with_prior,
    low_rank_gradients,
    low_rank_update,
    merged,
    take_off,
    trainable_numbers,
)
from s2i_teach.training.drawings import not_to_forget, read_drawings
from s2i_teach.training.style import posed, train_style
from s2i_teach.translation.batch import run_batch
from s2i_teach.translation.looks import LOOKS, WHITE, in_look
from s2i_teach.translation.settings import Settings
from tests.test_control import same

COMMON = dict(num_inference_steps=3, size=(64, 64))


def random_change(unet, rank=3, alpha=5.0, which="all", size=0.3):
    """A low-rank change of random numbers, taken off again."""
    added = add_low_rank(copy.deepcopy(unet), rank, alpha, which)
    generator = torch.Generator().manual_seed(2)
    for layer in added.values():
        layer.up.weight.data = size * torch.randn(layer.up.weight.shape, generator=generator)
    return added


@pytest.fixture(scope="module")
def style(tiny_pipe, tmp_path_factory):
    return str(save_style(random_change(tiny_pipe.unet), tmp_path_factory.mktemp("style") / "own.safetensors"))


# By hand


def peft_layer(layer, own: LowRank):
    """peft's layer with the same matrices."""
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(r=own.rank, lora_alpha=own.alpha, target_modules=["0"])
    made = inject_adapter_in_model(config, nn.Sequential(copy.deepcopy(layer)))[0]
    made.lora_A["default"].weight.data = own.down.weight.data.clone()
    made.lora_B["default"].weight.data = own.up.weight.data.clone()
    return made


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(7, 5), (2, 3, 7)),
        (nn.Conv2d(4, 6, 3, padding=1), (2, 4, 9, 8)),
        (nn.Conv2d(4, 6, 3, padding=1, stride=2), (2, 4, 9, 8)),
        (nn.Conv2d(5, 4, 1), (1, 5, 4, 4)),
    ],
)
def test_equals_peft(layer, shape):
    torch.manual_seed(0)
    own = LowRank(layer, 3, 5.0)
    x = torch.randn(shape)
    assert torch.equal(own(x), layer(x)), "an untrained change changes nothing"
    nn.init.normal_(own.up.weight)
    theirs = peft_layer(layer, own)
    assert (own(x) - theirs(x)).abs().max() < 1e-5
    assert (own.update() - theirs.get_delta_weight("default")).abs().max() < 1e-5
    plain = copy.deepcopy(layer)
    plain.weight.data = merged(layer.weight.detach(), own.update())
    assert (own(x) - plain(x)).abs().max() < 1e-5, "merged it computes the same"


def test_the_first_gradients_reach_b_alone():
    torch.manual_seed(0)
    own = LowRank(nn.Linear(6, 4), 2)
    own(torch.randn(3, 6)).pow(2).sum().backward()
    assert own.layer.weight.grad is None and own.up.weight.grad.abs().max() > 0
    assert own.down.weight.grad.abs().max() == 0, "B is zero, so nothing comes through to A"


@pytest.mark.parametrize("zero", [False, True])
def test_gradients_by_hand_equal_autograd(zero):
    generator = torch.Generator().manual_seed(0)
    down = torch.randn(2, 5, generator=generator, requires_grad=True)
    up = (torch.randn(4, 2, generator=generator) * (not zero)).requires_grad_()
    x, grad_y = torch.randn(6, 5, generator=generator), torch.randn(6, 4, generator=generator)
    (x @ low_rank_update(down, up, 3.0).T).backward(grad_y)
    by_hand = low_rank_gradients(down.detach(), up.detach(), 3.0, x, grad_y)
    assert (by_hand[0] - down.grad).abs().max() < 1e-5 and (by_hand[1] - up.grad).abs().max() < 1e-5
    assert (by_hand[0].abs().max() == 0) == zero and by_hand[1].abs().max() > 0


def test_a_change_has_its_rank():
    update = low_rank_update(torch.randn(3, 20), torch.randn(15, 3), 3)
    assert torch.linalg.matrix_rank(update) == 3


def test_put_on_and_taken_off(tiny_pipe):
    unet = copy.deepcopy(tiny_pipe.unet)
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    added = add_low_rank(unet, 2, which="attention")
    assert {name.rpartition("attn")[2][2:] for name in added} == {"to_q", "to_k", "to_v", "to_out.0"}
    learns = [parameter for parameter in unet.parameters() if parameter.requires_grad]
    shapes = [tuple(layer.layer.weight.shape) for layer in added.values()]
    assert sum(p.numel() for p in learns) == sum(trainable_numbers(shape, 2) for shape in shapes)
    take_off(unet, added)
    after = unet.state_dict()
    assert set(after) == set(before) and all(torch.equal(after[name], before[name]) for name in before)


def test_which_layers(tiny_pipe):
    everything = layers_to_adapt(tiny_pipe.unet)
    convolutions = layers_to_adapt(tiny_pipe.unet, "convolutions")
    assert set(convolutions) < set(everything) and "conv_in" in convolutions
    assert layers_to_adapt(tiny_pipe.unet, lambda name, layer: name == "conv_out") == ["conv_out"]
    for which, words in (("some", "not known"), (lambda name, layer: False, "No layer")):
        with pytest.raises(ValueError, match=words):
            layers_to_adapt(tiny_pipe.unet, which)


def test_merged_with_weight_0_is_the_weight_itself():
    weight = torch.randn(3, 4).half()
    assert merged(weight, torch.randn(3, 4), 0) is weight
    assert merged(weight, torch.ones(3, 4), 0.5).dtype == torch.float16


def test_loss_with_prior():
    own, prior = torch.tensor([[1.0, 3.0]]), torch.tensor([[4.0], [6.0]])
    assert loss_with_prior(own, prior, 0.5).item() == 2 + 0.5 * 5


# The file


def test_diffusers_loads_the_file_and_draws_the_same(tiny_pipe, style, sketch):
    parts = {**tiny_pipe.components, "unet": copy.deepcopy(tiny_pipe.unet)}
    pipe = type(tiny_pipe)(**parts, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    expected = s2i.translate(sketch, "a turtle", pipe=tiny_pipe, style=style, style_weight=0.7, **COMMON)
    pipe.load_lora_weights(str(Path(style).parent), weight_name=Path(style).name)
    pipe.fuse_lora(lora_scale=0.7)
    got = s2i.translate(sketch, "a turtle", pipe=pipe, **COMMON)
    plain = s2i.translate(sketch, "a turtle", pipe=tiny_pipe, **COMMON)
    gap = np.abs(np.asarray(got.image).astype(int) - np.asarray(expected.image)).max()
    assert gap <= 1 and np.abs(np.asarray(plain.image).astype(int) - np.asarray(expected.image)).max() > 8


def test_the_file_is_what_diffusers_saves(tiny_pipe, tmp_path):
    from tests.test_hub import make_lora

    theirs = make_lora(copy.deepcopy(tiny_pipe.unet), tmp_path / "theirs", FILE)
    read = read_style(tmp_path / "theirs")
    assert {f"{name}.lora_A.weight" for name in read.changes} == {key for key in theirs if "lora_A" in key}
    assert save_style(random_change(tiny_pipe.unet, which="attention"), tmp_path / "own").name == FILE
    assert read_style(tmp_path / "own").numbers == sum(
        trainable_numbers(tuple(tiny_pipe.unet.get_submodule(name).weight.shape), 3)
        for name in layers_to_adapt(tiny_pipe.unet, "attention")
    )


def test_alpha_is_in_the_file(tiny_pipe, tmp_path):
    """Loaders take α for r where the file has none (diffusers issue 6087): so it is multiplied into B."""
    added = random_change(tiny_pipe.unet, rank=4, alpha=2.0)
    read = read_style(save_style(added, tmp_path / "a.safetensors"))
    for name, (down, up, alpha) in read.changes.items():
        assert (low_rank_update(down, up, alpha) - added[name].update()).abs().max() < 1e-5


def test_files_that_are_no_style(tiny_pipe, tmp_path, sketch):
    from safetensors.torch import save_file

    good = {"unet.conv_in.lora_A.weight": torch.ones(2, 4, 3, 3), "unet.conv_in.lora_B.weight": torch.ones(32, 2, 1, 1)}
    (tmp_path / "damaged.safetensors").write_bytes(b"not at all")
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    files = {
        "lacks": ({"unet.conv_in.lora_A.weight": torch.ones(2, 4, 3, 3)}, "does not fit its A"),
        "nan": ({**good, "unet.conv_in.lora_B.weight": torch.full((32, 2, 1, 1), torch.nan)}, "not all of its numbers"),
        "other": ({**good, "weight": torch.ones(1)}, "is no style that can be used here"),
        "nothing": ({}, "it holds nothing"),
        "text": ({f"text_encoder.{key[5:]}": value for key, value in good.items()}, "is no style"),
        "shape": ({**good, "unet.conv_in.lora_B.weight": torch.ones(31, 2, 1, 1)}, "does not fit this model"),
        "name": ({key.replace("conv_in", "conv_on"): value for key, value in good.items()}, "does not fit this model"),
    }
    for name, (tensors, _) in files.items():
        save_file(tensors, tmp_path / f"{name}.safetensors")
    asked = {f"{name}.safetensors": words for name, (_, words) in files.items()}
    asked |= {
        "damaged.safetensors": "is damaged",
        "a.txt": "is not there",
        "empty": "is not there",
        "b": "is not there",
    }
    for name, words in asked.items():
        with pytest.raises(InputError, match=words):
            s2i.translate(sketch, "a", pipe=tiny_pipe, style=tmp_path / name, **COMMON)


# In a run


def test_the_weights_come_back_bit_for_bit(tiny_pipe, style):
    before = {name: value.clone() for name, value in tiny_pipe.unet.state_dict().items()}
    styled = Styled(tiny_pipe, style, 0.5)
    for _ in range(2):
        with styled:
            assert not torch.equal(tiny_pipe.unet.conv_in.weight, before["conv_in.weight"])
        assert all(torch.equal(value, before[name]) for name, value in tiny_pipe.unet.state_dict().items())
    with pytest.raises(RuntimeError, match="on the way"), styled:
        raise RuntimeError("on the way")
    assert all(torch.equal(value, before[name]) for name, value in tiny_pipe.unet.state_dict().items())
    assert not Styled(tiny_pipe, style, 0) and not Styled(tiny_pipe, None, None) and styled


def test_a_run_within_a_run_has_its_own_style(tiny_pipe, style, sketch):
    plain = s2i.translate(sketch, "a turtle", pipe=tiny_pipe, **COMMON)
    full = s2i.translate(sketch, "a turtle", pipe=tiny_pipe, style=style, **COMMON)
    half = s2i.translate(sketch, "a turtle", pipe=tiny_pipe, style=style, style_weight=0.5, **COMMON)
    within = []

    def look(done, total):
        if done == 1:
            for given in ({}, {"style": style, "style_weight": 0.5}):
                within.append(s2i.translate(sketch, "a turtle", pipe=tiny_pipe, **given, **COMMON))

    around = s2i.translate(sketch, "a turtle", pipe=tiny_pipe, style=style, on_step=look, **COMMON)
    assert same(within[0].image, plain.image) and same(within[1].image, half.image)
    assert same(around.image, full.image)


def test_weight_0_is_the_model_itself(tiny_pipe, tiny_led, style, sketch):
    for pipe in (tiny_pipe, tiny_led):
        plain = s2i.translate(sketch, "a turtle", pipe=pipe, **COMMON)
        none = s2i.translate(sketch, "a turtle", pipe=pipe, style=style, style_weight=0, **COMMON)
        full = s2i.translate(sketch, "a turtle", pipe=pipe, style=style, **COMMON)
        assert same(plain.image, none.image) and not same(plain.image, full.image)
        assert (none.plan.style_weight, full.plan.style_weight, plain.plan.style_weight) == (0, 1, None)
        assert "the style has the weight 1;" in str(full.plan) and "style" not in str(plain.plan)


def test_a_grid_equals_single_runs(tiny_pipe, style, sketch):
    made = s2i.sweep(
        sketch, "a turtle", pipe=tiny_pipe, style=style, style_weight=[0, 1, 0.5], seeds=[0, 1], quiet=True, **COMMON
    )
    assert list(made.axes) == ["style_weight", "seed"]
    for result in made.results:
        alone = s2i.translate(
            sketch,
            "a turtle",
            pipe=tiny_pipe,
            style=style,
            style_weight=result.settings.style_weight,
            seed=result.settings.seed,
            **COMMON,
        )
        assert np.abs(np.asarray(alone.image).astype(int) - np.asarray(result.image)).max() <= 1
        assert result.style_sha256 == alone.style_sha256 == style_hash(style) and result.plan.style_weight is not None
    seen = []
    cells = [Settings("a", style=style, style_weight=w, **COMMON).resolved(tiny_pipe) for w in (0.2, 1.0, 0.2)]
    got = [index for index, _, _ in run_batch(sketch, cells, tiny_pipe, on_step=lambda *done: seen.append(done))]
    assert sorted(got) == [0, 1, 2] and seen[-1][0] == seen[-1][1] and len({total for _, total in seen}) == 1
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_kept_cells_know_their_style(tiny_pipe, style, sketch, tmp_path):
    file = tmp_path / "own.safetensors"
    shutil.copy(style, file)
    asked = dict(pipe=tiny_pipe, style=str(file), style_weight=[0.5, 1], to=tmp_path / "cells", quiet=True, **COMMON)
    first = s2i.sweep(sketch, "a", **asked)
    again = s2i.sweep(sketch, "a", **asked)
    assert first.counts.decoded == 2 and again.counts.decoded == 0
    assert again.results[0].style_sha256 == first.results[0].style_sha256
    save_style(random_change(tiny_pipe.unet, size=0.1), file)
    assert s2i.sweep(sketch, "a", **asked).counts.decoded == 2, "another style under the same name"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (dict(style_weight=0.5), "style_weight is 0.5, and there is no style"),
        (dict(style="a", style_weight=-0.1), "style_weight is -0.1: use a number from 0 to 2"),
        (dict(style="a", style_weight=2.1), "style_weight is 2.1"),
        (dict(style="a", style_weight="much"), "style_weight must be a number"),
        (dict(style=7), "style must be the path of a file, not 7"),
        (dict(style="\ud800"), "characters that are no text"),
        (dict(style=""), "The file name is empty"),
    ],
)
def test_settings_that_cannot_be(given, words, tiny_pipe, sketch):
    with pytest.raises(InputError, match=words):
        s2i.translate(sketch, "a", pipe=tiny_pipe, **COMMON, **given)


def test_models_that_take_no_style(style, sketch):
    with pytest.raises(InputError, match="style is given, which cnn does not take: leave it out"):
        s2i.translate(sketch, "a", pipe="cnn", style=style)


def test_records(tiny_pipe, style, sketch, tmp_path):
    made = s2i.translate(sketch, "a", pipe=tiny_pipe, style=style, style_weight=0.6, **COMMON)
    record = s2i.read_record(made.save(tmp_path / "a.png"))
    assert (record.settings.style, record.settings.style_weight) == (style, 0.6)
    assert record.style_sha256 == style_hash(style) and record.settings == made.settings
    plain = s2i.translate(sketch, "a", pipe=tiny_pipe, **COMMON)
    assert not {"style", "style_weight"} & set(plain.settings.to_dict()) and "style_sha256" not in plain.record()


# Training


@pytest.fixture(scope="module")
def drawings():
    return ten_drawings()


def test_training_lowers_the_loss_and_leaves_the_pipeline_alone(tiny_pipe, drawings):
    before = {name: value.clone() for name, value in tiny_pipe.unet.state_dict().items()}
    state = torch.get_rng_state()
    steps = list(train_style(tiny_pipe, drawings, rank=2, steps=24, batch_size=4, lr=1e-2))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in tiny_pipe.unet.state_dict().items())
    losses = [step.loss for step in steps]
    assert sum(losses[-6:]) < sum(losses[:6]) and [step.step for step in steps] == list(range(24))
    again = [step.loss for step in train_style(tiny_pipe, drawings, rank=2, steps=3, batch_size=4, lr=1e-2)]
    other = [step.loss for step in train_style(tiny_pipe, drawings, rank=2, steps=3, batch_size=4, lr=1e-2, seed=1)]
    assert len(set(again)) == 3 and again != other
    shapes = [tuple(layer.layer.weight.shape) for layer in steps[0].added.values()]
    assert steps[0].numbers == sum(trainable_numbers(shape, 2) for shape in shapes)


def test_training_with_a_prior(tiny_pipe, drawings):
    [step] = train_style(tiny_pipe, drawings[:2], rank=1, steps=1, batch_size=2, prior=not_to_forget(4))
    assert step.prior_loss is not None and step.prior_loss > 0
    [plain] = train_style(tiny_pipe, drawings[:2], rank=1, steps=1, batch_size=2)
    assert plain.prior_loss is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (dict(drawings=[]), "no drawing to learn from"),
        (dict(drawings="folder"), "must be a list"),
        (dict(drawings=[Image.new("RGB", (9, 9))]), "needs its caption"),
        (dict(rank=0), "rank is 0"),
        (dict(steps=1.5), "steps is 1.5"),
        (dict(batch_size=True), "batch_size is True"),
        (dict(lr=0), "lr is 0"),
        (dict(alpha=float("nan")), "alpha is nan"),
        (dict(prior_weight=-1), "prior_weight is -1"),
        (dict(which="most"), "which='most' is not known"),
        (dict(prior=[3]), "needs its caption"),
    ],
)
def test_trainings_that_cannot_be(given, words, tiny_pipe, drawings):
    with pytest.raises(InputError, match=words):
        train_style(tiny_pipe, **{"drawings": drawings, **given})


def test_kinds_that_learn_no_style(tiny_xl, drawings):
    with pytest.raises(InputError, match="built as Stable Diffusion 1 or 2"):
        train_style(tiny_xl, drawings)


def test_poses_keep_the_paper():
    pictures = torch.full((6, 3, 16, 16), 0.25)
    moved = posed(pictures, torch.Generator().manual_seed(0))
    assert (moved - 0.25).abs().max() < 1e-6


def test_the_looks():
    assert len(TEN) == 10 == len({caption for _, caption in ten_drawings("forest")})
    for look in LOOKS.values():
        blank = np.asarray(in_look(Image.new("RGB", (60, 40), "white"), look))
        assert (blank == WHITE).all() and blank.shape == (128, 128, 3)
        colours = np.asarray(in_look(s2i.sketches()[0], look)).reshape(-1, 3).tolist()
        assert all(list(colour) in colours for colour in (WHITE, look.ink, look.fill))


def test_folders_of_drawings(tmp_path):
    picture = Image.new("RGB", (30, 20), "white")
    picture.save(tmp_path / "palm_tree.png")
    picture.save(tmp_path / "Owl.jpg")
    (tmp_path / "notes.txt").write_text("no picture")
    assert [caption for _, caption in read_drawings(tmp_path)] == ["an owl", "a palm tree"]
    rows = [{"file_name": "palm_tree.png", "text": "two palms"}, {"file_name": "Owl.jpg", "text": "it"}]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert [caption for _, caption in read_drawings(tmp_path)] == ["it", "two palms"]
    (tmp_path / "metadata.jsonl").write_text(json.dumps(rows[0]))
    with pytest.raises(InputError, match="has no line for Owl.jpg"):
        read_drawings(tmp_path)
    for text in ("{", "[]", '{"file_name": 3, "text": "a"}'):
        (tmp_path / "metadata.jsonl").write_text(text)
        with pytest.raises(InputError, match="is damaged"):
            read_drawings(tmp_path)
    (tmp_path / "none").mkdir()
    for folder, words in ((tmp_path / "none", "holds no picture"), (tmp_path / "nowhere", "is no folder")):
        with pytest.raises(InputError, match=words):
            read_drawings(folder)


@pytest.mark.parametrize("number", [1, 4, 10, 40])
def test_what_is_not_to_be_forgotten(number):
    kept = not_to_forget(number)
    assert len(kept) == number and len({caption for _, caption in kept}) == number


# On the command line


def test_on_the_command_line(tiny_pipe, drawings, sketch, tmp_path, monkeypatch, capsys):
    from s2i_teach.cli import main
    from s2i_teach.models import load

    monkeypatch.setattr(load, "load_pipeline", lambda *args, **named: tiny_pipe)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ten").mkdir()
    for picture, caption in drawings:
        picture.save(tmp_path / "ten" / f"{caption.split()[-1]}.png")
    sketch.save("drawing.png")
    given = ["--steps", "2", "--batch-size", "2", "--rank", "2", "--keep", "3"]
    assert main(["train", "style", "ten", "--out", "own.safetensors", *given]) == 0
    assert "own.safetensors" in capsys.readouterr().out
    ask = ["translate", "drawing.png", "--prompt", "a", "--model", "mini", "--steps", "2"]
    assert main([*ask, "--style", "own.safetensors", "--style-weight", "1.5", "--out", "a.png"]) == 0
    record = s2i.read_record("a.png")
    assert (record.settings.style, record.settings.style_weight) == ("own.safetensors", 1.5)
    assert record.style_sha256 == style_hash("own.safetensors")
    sweep = ["sweep", "drawing.png", "--prompt", "a", "--model", "mini", "--steps", "2", "--style", "own.safetensors"]
    assert main([*sweep, "--style-weight", "0", "1", "--to", "cells"]) == 0
    assert "2 pictures: style_weight 0, 1" in capsys.readouterr().out
    assert main(["translate", "--like", "a.png", "--model", "mini", "--style-weight", "0", "--out", "b.png"]) == 0
    assert s2i.read_record("b.png").settings.style_weight == 0
    assert main(["train", "style", "ten", "--out", "own.safetensors", *given, "--seed", "1"]) == 0
    capsys.readouterr()
    for asked, words in (
        (
            ["translate", "--like", "a.png", "--model", "mini", "--out", "c.png"],
            "is not the one that a.png was made with",
        ),
        (["train", "style", "nowhere", "--out", "x.safetensors"], "nowhere is no folder"),
        (["train", "style", "ten", "--out", "x.safetensors", "--keep", "-1"], "--keep is -1"),
        ([*ask, "--style", "nothing.safetensors"], "The style nothing.safetensors is not there"),
    ):
        assert main(asked) == 2 and words in capsys.readouterr().err
