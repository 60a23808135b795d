"""The painting agent: strokes, policy gradient, the game with its rewards, and a training that resumes."""

import importlib.util

import numpy as np
import pytest
import torch

from s2i_teach.errors import InputError
from s2i_teach.families import painter as families_painter
from s2i_teach.families.catalog import build, load_family
from s2i_teach.families.painter import (
    NUMBERS,
    REACH,
    THICK,
    THIN,
    Attention,
    Painter,
    apply_strokes,
)
from s2i_teach.families.unlearned import compare, filled, greedy_painter, guess, random_painter
from s2i_teach.theory.policy import clipped_loss
from s2i_teach.training.families import Stock, fit, save_family, train_family

HAVE_GYMNASIUM = all(importlib.util.find_spec(name) for name in ("gymnasium", "stable_baselines3"))
needs_gymnasium = pytest.mark.skipif(not HAVE_GYMNASIUM, reason="gymnasium and stable-baselines3 are not installed")


@pytest.fixture(scope="module")
def stock() -> Stock:
    """Twelve pages with a coloured square each."""
    generator = torch.Generator().manual_seed(0)
    pictures, lines, inside = torch.full((12, 3, 128, 128), 255, dtype=torch.uint8), *torch.zeros(2, 12, 128, 128)
    for i in range(12):
        x, y, size = torch.randint(20, 40, (3,), generator=generator).tolist()
        pictures[i, :, y : y + size, x : x + size] = torch.randint(256, (3, 1, 1), generator=generator).byte()
        inside[i, y : y + size, x : x + size] = 1
        lines[i, y : y + size, x : x + size] = 1
        lines[i, y + 2 : y + size - 2, x + 2 : x + size - 2] = 0
    packed = [torch.from_numpy(np.packbits(x.bool().numpy(), axis=-1)) for x in (lines, inside)]
    return Stock(pictures, *packed, ["a square"] * 12)


@pytest.fixture
def hints(stock) -> torch.Tensor:
    return stock.batch(2, torch.Generator().manual_seed(3)).hints


def untrained(seed: int = 0) -> Painter:
    torch.manual_seed(seed)
    return Painter().eval()


def painted_by_hand(canvas: np.ndarray, stroke: np.ndarray) -> np.ndarray:
    """Pixel by pixel: the distance to the nearest of many points on the stroke's middle line."""
    side, made = canvas.shape[-1], canvas.copy()
    x, y, half_x, half_y, width, *colour, opacity = stroke.astype(float)
    radius = THIN + (THICK - THIN) * (width + 1) / 2
    points = [(x + t * half_x * REACH, y + t * half_y * REACH) for t in np.linspace(-1, 1, 2001)]
    for row in range(side):
        for column in range(side):
            px, py = (column + 0.5) * 2 / side - 1, (row + 0.5) * 2 / side - 1
            distance = min(((px - a) ** 2 + (py - b) ** 2) ** 0.5 for a, b in points)
            share = min(1.0, max(0.0, (radius - distance) * side / 2 + 0.5)) * (opacity + 1) / 2
            made[:, row, column] = (1 - share) * canvas[:, row, column] + share * np.array(colour)
    return made


def test_a_stroke_is_painted_as_by_hand():
    generator = torch.Generator().manual_seed(1)
    strokes = torch.rand(3, len(NUMBERS), generator=generator) * 2 - 1
    strokes[2, 2:4] = 0  # a dot
    canvas = torch.rand(3, 3, 12, 12, generator=generator) * 2 - 1
    made = apply_strokes(canvas, strokes)
    for i in range(3):
        by_hand = painted_by_hand(canvas[i].double().numpy(), strokes[i].double().numpy())
        assert np.abs(made[i].numpy() - by_hand).max() < 1e-4
        assert np.abs(by_hand - canvas[i].numpy()).max() > 0.1


def test_a_stroke_looks_the_same_on_a_large_canvas():
    stroke = torch.tensor([[0.1, -0.2, 0.5, 0.4, -0.3, 1.0, -1.0, 0.0, 1.0]])
    large = apply_strokes(torch.ones(1, 3, 128, 128), stroke)
    small = apply_strokes(torch.ones(1, 3, 32, 32), stroke)
    assert (families_painter.shrunk(large) - small).abs().mean() < 0.005
    clear = stroke.clone()
    clear[:, 8] = -1
    assert torch.equal(apply_strokes(small, clear), small)


def test_attention_says_where_it_looks():
    attention = Attention(1, 1)
    with torch.no_grad():
        attention.score.weight.fill_(50.0)
    h = torch.zeros(1, 1, 8, 8)
    h[0, 0, 6, 1] = 1
    read, where = attention(h, torch.full((1, 1, 8, 8), 0.5))
    assert torch.allclose(where, torch.tensor([[[-0.625, 0.625]]]), atol=1e-4)
    assert torch.allclose(read, torch.ones(1, 1), atol=1e-4)


def test_a_place_is_drawn_as_often_as_its_softmax_says():
    attention, draws = Attention(1, 2), 4000
    h = torch.tensor([0.0, 1.0, 2.0, 0.5]).view(1, 1, 2, 2)
    with torch.no_grad():
        attention.score.weight.fill_(1.0)
        lots = torch.rand(draws, 1, 2, 2, generator=torch.Generator().manual_seed(0))
        drawn = (h + families_painter.gumbel(lots)).flatten(1).argmax(1)
        _, where = attention(h.expand(draws, -1, -1, -1), lots)
    often = torch.bincount(drawn, minlength=4) / draws
    assert (often - h.flatten().softmax(0)).abs().max() < 0.03
    cells = torch.tensor([[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]])
    nearest = (where[:, 0, None] - cells).square().sum(2).argmin(1)
    assert (nearest == drawn).float().mean() > 0.95, "the first place is near the cell that was drawn"
    assert where[:, 1].std(0).max() < 1e-6, "the others are no matter of chance"


def test_a_painting_follows_from_its_seed(hints):
    family = untrained()
    with torch.no_grad():
        first, again, other = (family.generate(hints, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert first.shape == (2, 3, 128, 128) and first.abs().max() <= 1
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_paint_ends_in_what_generate_gives(hints):
    family = untrained()
    with torch.no_grad():
        canvases = list(family.paint(hints, torch.Generator().manual_seed(4)))
        made = family.generate(hints, torch.Generator().manual_seed(4))
    assert len(canvases) == families_painter.STROKES + 1
    assert torch.equal(canvases[0], torch.ones_like(made)) and torch.equal(canvases[-1], made)
    assert all((a - b).abs().max() > 0 for a, b in zip(canvases, canvases[1:], strict=False))


def test_what_ships_is_small_and_enough(tmp_path, hints):
    family = build("painter")
    file = save_family(family, families_facts(), tmp_path / "painter.safetensors")
    assert file.stat().st_size < 300_000
    assert not [name for name in family.shipped() if name.startswith("value.")]
    loaded, facts = load_family("painter", file)
    assert facts.steps == 3
    with torch.no_grad():
        made, again = (loaded.generate(hints, torch.Generator().manual_seed(0)) for _ in range(2))
    assert torch.equal(made, again)


def families_facts():
    from s2i_teach.families.base import Facts

    return Facts(1.0, 3, 1)


def test_what_lines_close_in_is_filled():
    hints = torch.zeros(1, 1, 128, 128)
    hints[:, :, 30:90, 30:34] = hints[:, :, 30:90, 86:90] = 1
    hints[:, :, 30:34, 30:90] = hints[:, :, 86:90, 30:90] = 1
    hints[:, :, 120:, 0] = 1
    inside = filled(hints)[0, 0]
    assert inside[8:22, 8:22].all() and not inside[:7].any() and not inside[8:22, 24:].any()
    open_at_the_top = hints.clone()
    open_at_the_top[:, :, 30:34, 50:70] = 0
    assert not filled(open_at_the_top)[0, 0, 15, 15]


def test_greedy_comes_nearer_to_its_guess_than_chance(hints):
    generator = torch.Generator().manual_seed(0)
    target = guess(hints)

    def away(made):
        return float((families_painter.shrunk(made) - target).square().mean())

    greedy = away(greedy_painter(hints, generator, strokes=6, tries=32))
    assert greedy < away(torch.ones(2, 3, 128, 128)) < away(random_painter(hints, generator, strokes=6))


def test_shares_of_the_blank_page_s_error_are_compared():
    real = torch.zeros(4, 3, 8, 8)
    real[0] = -1
    made = {"half": (1 + real) / 2, "blank": torch.ones_like(real), "real": real.clone()}
    found = compare(made, real)
    assert found["half"] == pytest.approx((0.25, 0.25, 0.25)) and found["real"] == (0, 0, 0)
    assert found["half - blank"] == pytest.approx((-0.75,) * 3)
    made["half"][0] = 1
    share, low, high = compare(made, real)["half"]
    assert share == pytest.approx((4 + 3 * 0.25) / 7) and low == pytest.approx(0.25) and high > 0.8


@needs_gymnasium
@pytest.mark.filterwarnings("error")
def test_the_environment_is_one(stock):
    from gymnasium.utils.env_checker import check_env

    from s2i_teach.training.painting import Painting

    check_env(Painting(stock, strokes=5), skip_render_check=True)


@needs_gymnasium
def test_rewards_add_up_to_what_was_gained(stock):
    from s2i_teach.training.painting import Painting

    env = Painting(stock, strokes=4)
    seen, _ = env.reset(seed=5)
    assert seen["left"] == 1 and (seen["canvas"] == 1).all()
    blank, total, env.easel.blank = env.easel.error(), 0.0, env.easel.error()
    env.action_space.seed(0)
    for i in range(4):
        seen, reward, over, cut, told = env.step(env.action_space.sample())
        total += reward
        assert over == (i == 3) and not cut and seen["left"] == pytest.approx(1 - (i + 1) / 4)
    assert total == pytest.approx(1 - told["error"] / float(blank), abs=1e-5)
    by_hand = np.mean((seen["canvas"] - env.easel.real[0].numpy()) ** 2)
    assert told["error"] == pytest.approx(by_hand, rel=1e-5)


@needs_gymnasium
def test_many_paintings_are_painted_as_one(stock):
    from s2i_teach.training.painting import Easel, ManyPaintings

    many, actions = ManyPaintings(stock, 3, strokes=2), np.random.default_rng(0).uniform(-1, 1, (2, 3, 9))
    many.reset()
    lines, real = many.easel.lines.clone(), many.easel.real.clone()
    gained = [many.step(stroke.astype(np.float32)) for stroke in actions]
    assert gained[1][2].all() and not gained[0][2].any() and not torch.equal(many.easel.lines, lines)
    for i in range(3):
        one = Easel(stock, 1, strokes=2)
        one.start(torch.Generator())
        one.real, one.blank = real[i : i + 1], (1 - real[i : i + 1]).square().mean((1, 2, 3)).clamp(min=0.15)
        for step, stroke in enumerate(actions):
            reward = one.stroke(torch.tensor(stroke[i : i + 1], dtype=torch.float32))
            assert abs(float(reward) - gained[step][1][i]) < 1e-5
        ended = gained[1][3][i]["terminal_observation"]["canvas"]
        assert np.abs(one.canvas[0].numpy() - ended).max() < 1e-5


@needs_gymnasium
def test_ppo_descends_our_clipped_loss(stock):
    """The loss that stable-baselines3 reports for the first batch of a round is that of equation 7, here at r = 1."""
    from s2i_teach.training.painting import PainterFitting

    fitting = PainterFitting(stock, steps=1, canvases=2, batch_size=48, n_epochs=1)
    before = {name: value.clone() for name, value in fitting.family.state_dict().items()}
    said = fitting.update()
    kept = fitting.ppo.rollout_buffer
    advantage = torch.as_tensor(kept.advantages).flatten()
    advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    log_prob = torch.as_tensor(kept.log_probs).flatten()
    assert abs(said["policy_gradient_loss"] - float(clipped_loss(log_prob, log_prob, advantage))) < 1e-4
    after = fitting.family.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before if name.startswith("stroke."))


@needs_gymnasium
def test_resumed_equals_one_go(stock, tmp_path):
    from s2i_teach.training.painting import train_painter

    options = {"canvases": 2, "batch_size": 24, "seed": 3}
    whole, facts = train_painter(stock, tmp_path / "whole", steps=4, **options)
    # The learning rate follows the budget: a run that is cut short must have had the same one.
    from s2i_teach.training.painting import PainterFitting

    cut = PainterFitting(stock, tmp_path / "cut", steps=4, **options)
    for _ in range(2):
        cut.update()
    torch.save(cut._state(), tmp_path / "cut" / "checkpoint.pt")
    torch.manual_seed(99)
    resumed, _ = train_painter(stock, tmp_path / "cut", steps=4, resume=True, **options)
    assert facts.steps == 4 and facts.parameters == sum(v.numel() for v in whole.shipped().values())
    ours = resumed.state_dict()
    assert all(torch.equal(value, ours[name]) for name, value in whole.state_dict().items())
    with pytest.raises(InputError, match="seed 3, not 4"):
        train_painter(stock, tmp_path / "cut", steps=5, resume=True, canvases=2, seed=4)


@needs_gymnasium
def test_all_painters_are_measured_on_the_same_pages(stock):
    from s2i_teach.training.painting import measure

    found = measure(untrained(), stock)
    assert list(found) == ["agent", "greedy", "random", "agent - greedy", "agent - random"]
    assert found["greedy"][0] < 1 < found["random"][0] and found == measure(untrained(), stock)


@needs_gymnasium
def test_the_family_is_trained_by_its_name(stock, tmp_path, monkeypatch):
    monkeypatch.setattr("s2i_teach.training.painting.CANVASES", 2)
    torch.save(vars(stock), tmp_path / "stock.pt")
    file = train_family("painter", tmp_path, steps=1, batch_size=24)
    assert file == tmp_path / "painter" / "painter.safetensors" and load_family("painter", file)[1].steps == 1
    assert (tmp_path / "painter" / "log.jsonl").is_file() and list((tmp_path / "painter").glob("*.png"))
    monkeypatch.setattr("s2i_teach.training.families.make_stock", lambda pairs, pages, seed: stock)
    assert fit("painter", pairs=object(), steps=1).family.name == "painter"


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    import sys

    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    monkeypatch.delitem(sys.modules, "s2i_teach.training.painting", raising=False)
    with pytest.raises(InputError, match=r'pip install "s2i_teach\[families\]"'):
        train_family("painter", tmp_path, steps=1)
