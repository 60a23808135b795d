"""The families of the literature review: their equations, their training, and that they answer the house's one call."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import s2i_teach as s2i
from s2i_teach.errors import InputError
from s2i_teach.families.base import Batch, Family, FamilyTranslator, as_hint
from s2i_teach.families.catalog import FAMILIES, WEIGHTS, build, load_family, weights_of
from s2i_teach.families.cyclegan import CycleGAN, cycle_loss
from s2i_teach.families.pix2pix import PatchDiscriminator, hinge, receptive_field
from s2i_teach.families.vae import kl_from_standard_normal, reparameterise
from s2i_teach.gallery import find_sketch
from s2i_teach.lines import line_hint
from s2i_teach.models.catalog import MODELS, offered
from s2i_teach.models.kinds import FAMILY, kind_of
from s2i_teach.models.readers import read_captions
from s2i_teach.training.families import Fitting, Stock, fit, make_stock, rounded, save_family, stock_in
from s2i_teach.training.pictures import load_pairs
from s2i_teach.wall import families, hung, picture_wall, row_of

THREADS = torch.get_num_threads()


@pytest.fixture(scope="module")
def pairs():
    return load_pairs("train", keep=lambda row: row["thing"] in ("turtle", "house", "banana"))


@pytest.fixture(scope="module")
def stock(pairs):
    return make_stock(pairs, pages=12, seed=3, progress=lambda numbers, **_: numbers)


def new(name: str, seed: int = 0) -> Family:
    torch.manual_seed(seed)
    return build(name)


# The equations


def test_the_receptive_field_is_what_a_logit_sees():
    torch.manual_seed(0)
    critic = PatchDiscriminator(1, 8)
    side = receptive_field(critic.LAYERS)
    assert side == 38
    x = torch.randn(1, 1, 128, 128, requires_grad=True)
    out = critic(x)
    out[0, 0, out.shape[2] // 2, out.shape[3] // 2].backward()
    rows = x.grad[0, 0].abs().sum(1).nonzero().flatten()
    columns = x.grad[0, 0].abs().sum(0).nonzero().flatten()
    assert rows[-1] - rows[0] + 1 == columns[-1] - columns[0] + 1 == side
    assert receptive_field([(4, 2), (4, 2), (4, 2), (4, 1), (4, 1)]) == 70  # the paper's
    assert receptive_field([]) == 1


def test_reparameterised_draws_have_their_distribution_and_a_gradient():
    mean, log_variance = (
        torch.tensor([[1.5, -2.0]], requires_grad=True),
        torch.tensor([[0.6, -1.0]], requires_grad=True),
    )
    eps = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0))
    z = reparameterise(mean, log_variance, eps)
    assert torch.allclose(z.mean(0), mean[0], atol=0.02)
    assert torch.allclose(z.var(0), log_variance[0].exp(), atol=0.02)
    one = reparameterise(mean, log_variance, eps[:1])
    gradients = torch.autograd.grad(one.sum(), (mean, log_variance))
    assert torch.equal(gradients[0], torch.ones(1, 2))  # dz/dμ = 1
    assert torch.allclose(gradients[1], eps[:1] * (log_variance / 2).exp() / 2)  # dz/d log σ² = ½ σ ε


def test_the_kl_is_torch_distributions():
    mean, log_variance = torch.randn(5, 7), torch.randn(5, 7)
    normal = torch.distributions.Normal
    wanted = torch.distributions.kl_divergence(normal(mean, (log_variance / 2).exp()), normal(0.0, 1.0)).sum(1)
    assert torch.allclose(kl_from_standard_normal(mean, log_variance), wanted, atol=1e-5)


def test_the_cycle_loss_goes_there_and_back():
    sketches, pictures = torch.rand(2, 1, 4, 4), torch.rand(2, 3, 4, 4)
    back, again, painted, drawn = cycle_loss(
        sketches, pictures, lambda s: 3 * s.expand(-1, 3, -1, -1), lambda p: p.mean(1, keepdim=True) + 0.5
    )
    assert torch.equal(painted, 3 * sketches.expand(-1, 3, -1, -1))
    assert torch.equal(drawn, pictures.mean(1, keepdim=True) + 0.5)
    assert torch.isclose(back, (3 * sketches + 0.5 - sketches).abs().mean())
    assert torch.isclose(again, (3 * drawn.expand(-1, 3, -1, -1) - pictures).abs().mean())


def test_the_hinge_loss_rests_beyond_its_margins():
    good = hinge(torch.tensor([2.0, 1.0]), torch.tensor([-1.0, -5.0]))
    assert good["loss"] == 0 and good["told"] == 1
    bad = hinge(torch.tensor([-1.0, 0.5]), torch.tensor([1.0, -0.5]))
    assert bad["loss"] == pytest.approx((2 + 0.5) / 2 + (2 + 0.5) / 2) and bad["told"] == 0.5


def test_what_a_cyclegan_learns_from_holds_no_pair():
    family, seen = new("cyclegan"), {}
    family.painted = lambda hints: seen.setdefault("hints", hints).expand(-1, 3, -1, -1).requires_grad_()
    family.drawn = lambda pictures: seen.setdefault("pictures", pictures)[:, :1]
    numbers = torch.arange(4.0).view(4, 1, 1, 1)
    batch = Batch(numbers.expand(-1, 1, 128, 128), numbers.expand(-1, 3, 128, 128))
    next(iter(family.losses(batch, torch.Generator())))
    kept = [set(seen[name].flatten().tolist()) for name in ("hints", "pictures")]
    assert kept[0] and kept[1] and not kept[0] & kept[1]


# What all of them must do


LEARNED = [name for name in FAMILIES if name not in (*WEIGHTS, "painter")]
"""What the common training trains: unclip has the cascade's weights, and the painter learns by reward (test_painter.py)."""


@pytest.mark.parametrize("name", LEARNED)
def test_a_family_learns_part_by_part(name, stock):
    family = new(name)
    parts = family.parts()
    listed = [id(value) for part in parts.values() for value in part.parameters()]
    assert sorted(listed) == sorted({id(value) for value in family.parameters()}), "each weight in one part"
    fitting = Fitting(family, stock, steps=1, batch_size=4)
    batch, before = stock.batch(4, torch.Generator().manual_seed(0)), {}
    batch.told = fitting._told(batch.index)
    told = []
    for part, losses in family.losses(batch, torch.Generator().manual_seed(0)):
        for one, module in parts.items():
            before[one] = [value.detach().clone() for value in module.parameters()]
        fitting._learn(part, losses["loss"], 1e-3)
        told.append(part)
        for one, module in parts.items():
            moved = any(not torch.equal(a, b) for a, b in zip(before[one], module.parameters(), strict=True))
            assert moved == (one == part), f"the step of {part} moved {one}"
    assert sorted(told) == sorted(parts)


@pytest.mark.parametrize("name", FAMILIES)
def test_what_ships_is_enough_and_no_more(name, tmp_path):
    family = new(name).eval()
    for value in family.parameters():  # zeros at the start would hide what is missing
        torch.nn.init.normal_(value, std=0.05, generator=torch.Generator().manual_seed(value.numel()))
    facts = _facts(family)
    file = save_family(family, facts, tmp_path / f"{name}.safetensors")
    again, read = load_family(name, file)
    assert read == facts
    family.load_state_dict({key: rounded(value).half().float() for key, value in family.state_dict().items()})
    hints = line_hint(find_sketch("turtle").open(), (128, 128))
    a, b = (FamilyTranslator(one).many([hints], ["a turtle"], [5])[0] for one in (family, again))
    assert a.size == (128, 128) and a.mode == "RGB" and a.tobytes() == b.tobytes()
    assert not [key for key in again.shipped() if key.startswith(family.not_shipped or ("critic", "value"))]
    assert not [key for key in again.shipped() if "critic" in key]
    assert file.stat().st_size < 4e6


def _facts(family):
    from s2i_teach.families.base import Facts

    return Facts(1.5, 7, family.num_parameters())


def test_a_resumed_training_is_the_whole_one(stock, tmp_path):
    whole = Fitting(new("vae"), stock, tmp_path / "whole", steps=6, batch_size=2).run()
    Fitting(new("vae"), stock, tmp_path / "two", steps=6, batch_size=2)  # starts and is forgotten
    first = Fitting(new("vae"), stock, tmp_path / "two", steps=6, batch_size=2)
    for _ in range(3):
        first.update()
    torch.save(first._state(), tmp_path / "two" / "checkpoint.pt")
    second = Fitting(new("vae", seed=9), stock, tmp_path / "two", steps=6, batch_size=2, resume=True)
    assert second.step == 3
    second.run()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, second.family.state_dict()[name]), name
    assert len(list((tmp_path / "whole").glob("vae-*.png"))) == 1


def test_a_training_ends_with_its_minutes(stock):
    fitting = Fitting(new("cnn"), stock, minutes=0.02, batch_size=2)
    fitting.run()
    assert fitting.seconds >= 1.2 and fitting.step >= 1


def test_another_seed_does_not_go_on(stock, tmp_path):
    Fitting(new("cnn"), stock, tmp_path, steps=1, batch_size=2).run()
    with pytest.raises(InputError, match="was trained with seed 0, not 1"):
        Fitting(new("cnn"), stock, tmp_path, steps=1, seed=1, resume=True)


def test_a_training_needs_a_budget(stock):
    with pytest.raises(InputError, match="needs a budget"):
        Fitting(new("cnn"), stock)


def test_the_cnn_finds_the_mean_of_two_pictures(stock):
    """One sketch, half of the time white and half of the time black: what is learned is grey."""
    family = new("cnn")
    optimizer = torch.optim.Adam(family.parameters(), 3e-3)
    hints = stock.batch(1, torch.Generator().manual_seed(0)).hints.expand(2, -1, -1, -1)[:, :, :64, :64].contiguous()
    pictures = torch.stack([torch.full((3, 64, 64), -0.2), torch.full((3, 64, 64), 0.8)])
    for _ in range(60):
        ((_, losses),) = family.losses(Batch(hints, pictures), torch.Generator())
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
    assert losses["loss"].item() == pytest.approx(0.25, abs=0.02)  # the variance, which no network beats
    assert family.generate(hints, torch.Generator()).mean().item() == pytest.approx(0.3, abs=0.05)


# The stock


def test_a_stock_is_the_same_for_the_same_seed(pairs, stock, tmp_path):
    again = make_stock(pairs, pages=12, seed=3, progress=lambda numbers, **_: numbers)
    assert torch.equal(stock.pictures, again.pictures) and stock.captions == again.captions
    made = stock_in(tmp_path, pairs, 8)
    read = stock_in(tmp_path, None, 8)  # not made anew
    assert isinstance(read, Stock) and torch.equal(made.pictures, read.pictures) and len(read) == 8
    a, b = (stock.batch(5, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(a.hints, b.hints) and torch.equal(a.pictures, b.pictures) and a.captions == b.captions
    assert a.hints.shape == (5, 1, 128, 128) and a.pictures.shape == (5, 3, 128, 128)
    assert a.hints.min() >= 0 and a.hints.max() <= 1 and a.hints.std() > 0.01
    assert all("line" not in caption for caption in stock.captions)


def test_the_lines_of_a_page_lie_where_its_picture_is(stock):
    batch = stock.batch(16, torch.Generator().manual_seed(0))
    drawn = (batch.pictures.amin(1, keepdim=True) < 0.9).float()
    near = torch.nn.functional.max_pool2d(drawn, 9, 1, 4)
    on, lines = (batch.hints * near).sum(), batch.hints.sum()
    assert on / lines > 0.85


def test_fit_gives_a_translator(pairs):
    translator = fit("cnn", pairs, steps=2, pages=4)
    assert translator.facts.steps == 2 and translator.facts.parameters == build("cnn").num_parameters()
    picture = translator(find_sketch("turtle").path, "a turtle", seed=1)
    assert picture.size == (128, 128)
    with pytest.raises(InputError, match="There is no family 'gan': use cnn"):
        fit("gan", pairs, steps=1)
    with pytest.raises(InputError, match="unclip has the weights of cascade"):
        fit("unclip", pairs, steps=1)


# Bad weights


def test_weights_that_cannot_be_used(tmp_path):
    with pytest.raises(InputError, match="are not in .*: train them with s2i train family cnn"):
        load_family("cnn", tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(InputError, match="is damaged"):
        load_family("cnn", tmp_path / "bad.safetensors")
    file = save_family(new("vae"), _facts(new("vae")), tmp_path / "vae.safetensors")
    with pytest.raises(InputError, match="holds no weights of cnn"):
        load_family("cnn", file)
    with pytest.raises(InputError, match="There is no family '../mini'"):
        build("../mini")


# Beside the diffusion models


SHIPPED = [name for name in FAMILIES if weights_of(name).is_file()]


def test_every_family_is_a_model_and_ships():
    assert set(SHIPPED) == set(FAMILIES) == {name for name, entry in MODELS.items() if entry.kind == "family"}
    assert families() == [name for name in offered() if name in FAMILIES]
    for name in FAMILIES:
        kind = build(name)
        assert kind.name == name and kind.paper and kind.title
        assert ("read the prompt" not in MODELS[name].cannot) == kind.reads_prompt


@pytest.mark.parametrize("name", FAMILIES)
def test_translate_takes_a_family(name, tmp_path):
    sketch = find_sketch("turtle").path
    result = s2i.translate(sketch, "a turtle, noto style", pipe=name, seed=4)
    pipe = s2i.load_pipeline(name)
    assert kind_of(pipe) is FAMILY and result.model == name and result.precision == "fp32"
    assert result.image.size == (128, 128) and result.hint is not None
    assert result.plan.evaluations == pipe.family.evaluations and result.plan.start_timestep is None
    assert "no noise" in str(result.plan) and result.seconds > 0
    if not pipe.family.reads_prompt:
        assert result.notes == ("This model reads no words: it made the picture of the lines alone.",)
    alone = FamilyTranslator(pipe.family, read=read_captions)(sketch, "a turtle, noto style", 4)
    assert np.abs(np.asarray(alone, int) - np.asarray(result.image, int)).max() <= 1
    record = s2i.read_record(result.save(tmp_path / "turtle.png"))
    again = s2i.translate(record.sketch, record.settings.prompt, pipe=record.model, seed=record.settings.seed)
    assert again.image.tobytes() == result.image.tobytes()
    assert record.settings.strength is None and record.settings.guidance_scale is None


def test_a_grid_of_a_family_equals_single_runs():
    sketch = find_sketch("house").open()
    grid = s2i.sweep(sketch, "a house", pipe="vae", seeds=[0, 1, 2], quiet=True)
    for seed, image in enumerate(grid.images):
        assert image.tobytes() == s2i.translate(sketch, "a house", pipe="vae", seed=seed).image.tobytes()
    assert len({image.tobytes() for image in grid.images}) == 3
    assert list(grid.table["evaluations"]) == [1, 1, 1] and grid.figure() is not None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"strength": 0.5}, "strength is given, which cnn does not take"),
        ({"guidance_scale": 2.0}, "guidance_scale is given, which cnn does not take"),
        ({"num_inference_steps": 4}, "num_inference_steps is given, which cnn does not take"),
        ({"negative_prompt": "grass"}, "negative_prompt is given, which cnn does not take"),
        ({"control_scale": 1.0}, "control_scale is given, which cnn does not take"),
        ({"scheduler": "ddim"}, "scheduler is given, and cnn denoises nothing"),
        ({"size": (256, 256)}, "cnn draws 128 × 128 pixels alone"),
    ],
)
def test_what_a_family_does_not_take_is_said(given, words):
    with pytest.raises(InputError, match=words):
        s2i.translate(find_sketch("turtle").path, "a turtle", pipe="cnn", **given)


def test_a_family_computes_in_fp32_alone():
    with pytest.raises(InputError, match="cnn computes in fp32 alone"):
        s2i.load_pipeline("cnn", dtype="bf16")
    assert s2i.load_pipeline("cnn", dtype="fp32").family.dtype == torch.float32


def test_the_anatomy_is_of_diffusion():
    with pytest.raises(InputError, match="This model is no diffusion"):
        s2i.anatomy(s2i.load_pipeline("cnn"), find_sketch("turtle").path, "a turtle")


def test_a_family_leaves_torch_as_it_was():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    for name in FAMILIES:
        s2i.translate(find_sketch("turtle").path, "a turtle", pipe=name)
    assert torch.equal(torch.rand(3), wanted) and torch.get_num_threads() == THREADS


# The wall


def test_the_wall_holds_single_runs():
    rows = [row_of("turtle"), row_of(find_sketch("house").path, "a house")]
    said: list[str] = []
    sheet = picture_wall(rows, ["cnn", "vae"], seed=1, side=128, progress=said.append)
    assert said == ["1 of 2: a turtle, openmoji style", "2 of 2: a house"]
    made = [s2i.translate(*rows[0], pipe=name, seed=1).image for name in ("cnn", "vae")]
    pixels = np.asarray(sheet)
    places = [_find(pixels, np.asarray(picture)) for picture in made]
    assert places[0] is not None and places[1] is not None and places[0][0] == places[1][0]
    assert places[1][1] - places[0][1] == 128 + 128 // 16


def _find(page: np.ndarray, part: np.ndarray):
    """Row and column where a picture hangs on a page, or None."""
    height, width = part.shape[:2]
    for y, x in itertools.product(range(page.shape[0] - height + 1), range(page.shape[1] - width + 1)):
        if (page[y, x : x + width] == part[0]).all() and (page[y : y + height, x : x + width] == part).all():
            return y, x
    return None


def test_a_wall_that_cannot_be(tmp_path):
    picture = Image.new("RGB", (16, 16))
    with pytest.raises(InputError, match="has no model 'gan'"):
        picture_wall([(picture, "a")], ["gan"])
    with pytest.raises(InputError, match="at least one sketch"):
        picture_wall([], ["cnn"])
    with pytest.raises(InputError, match="too many: 400 pictures"):
        picture_wall([(picture, "a")] * 300, ["cnn", "vae"])
    with pytest.raises(InputError, match="has no prompt of its own"):
        row_of(str(find_sketch("turtle").path))
    assert hung(["sketch"], [([picture], "a")], 64).width == 64 + 2 * 4


def test_a_hint_is_read_as_it_is():
    picture = Image.fromarray(np.array([[0, 255], [51, 0]], dtype=np.uint8))
    assert torch.allclose(as_hint(picture), torch.tensor([[[[0, 1], [0.2, 0]]]]))


def test_a_shipped_family_was_given_the_same_minutes():
    minutes = [load_family(name)[1].cpu_minutes for name in FAMILIES]
    assert max(minutes) - min(minutes) < 0.6, dict(zip(FAMILIES, minutes, strict=True))
    assert all(Path(weights_of(name)).stat().st_size < 4e6 for name in FAMILIES)


def test_cyclegan_finds_its_sketch_again():
    """What the cycle loss is for: the way back is there, in the shipped weights."""
    from s2i_teach.evaluate.faithfulness import edge_scores
    from s2i_teach.images import to_picture

    family, _ = load_family("cyclegan")
    assert isinstance(family, CycleGAN)
    sketch = line_hint(find_sketch("turtle").open(), (128, 128))
    with torch.no_grad():
        back = family.drawn(family.painted(as_hint(sketch)))
    page = to_picture(1 - 2 * back[0].expand(3, -1, -1))
    ink = to_picture(1 - 2 * as_hint(sketch)[0].expand(3, -1, -1))
    assert edge_scores(ink, page)[2] > 0.6


def test_facts_are_json(tmp_path):
    from safetensors import safe_open

    file = save_family(new("cnn"), _facts(new("cnn")), tmp_path / "cnn.safetensors")
    with safe_open(str(file), "pt") as weights:
        told = weights.metadata()
    assert told["family"] == "cnn" and json.loads(told["facts"])["steps"] == 7


def test_the_studio_draws_with_a_family(tmp_path, monkeypatch):
    """Whatever the page's knobs say that it has not, the picture is translate's; going back and code work as well."""
    from s2i_teach.widgets import studio as module
    from tests.test_studio import ask, said, settle

    monkeypatch.chdir(tmp_path)
    studio = s2i.Studio("turtle", model="vae")
    (known,) = [entry for entry in studio.options["models"] if entry["name"] == "vae"]
    assert known["family"] and not known["led"] and not known["flow"] and known["styles"] == []
    sent = studio.__dict__.setdefault("sent", [])
    monkeypatch.setattr(studio, "send", lambda content, buffers=None: sent.append(content))
    settle(studio)
    ask(
        studio, model="vae", style="", negative_prompt="a stone", scheduler="ddim", steps=1, evaluations=1, guidance=1.0
    )
    assert not said(studio, "failure"), said(studio, "failure")
    (told,) = said(studio, "plans")[-1:]
    assert told["key"] == ["vae", 1, "ddim", False, None] and told["own"] == ""
    assert [(row["start"], row["sigma"], row["evaluations"]) for row in told["plans"]] == [(None, None, 1)]
    answer, result = said(studio, "result")[-1]["result"], studio.result
    assert answer["about"] == "a turtle · vae · seed 7" and answer["hint"].startswith("data:image/")
    assert answer["notes"] == ["This model reads no words: it made the picture of the lines alone."]
    single = s2i.translate(studio.page.image(128, 128), "a turtle", pipe="vae", seed=7)
    assert single.image.tobytes() == result.image.tobytes()
    assert module._short(result) == "vae · 7"
    code = module.python_call(result, "sketch.png")
    assert "pipe='vae'" in code and "seed=7" in code and "strength" not in code and "steps" not in code
    ask(studio, model="mini-fast", style="openmoji", steps=4, evaluations=3, guidance=2.5)
    studio._asked(None, {"do": "back", "number": answer["number"]}, [])
    assert studio.result is result
