"""Fine-tuning by a reward: what learns, that it learns, that it resumes, and what is written and read again."""

import numpy as np
import pytest
import torch

from s2i_teach.errors import InputError
from s2i_teach.evaluate.faithfulness import edge_scores
from s2i_teach.images import to_picture
from s2i_teach.models.catalog import MODELS, Part
from s2i_teach.models.load import _add_changes, load_pipeline
from s2i_teach.training.families import Stock
from s2i_teach.training.reward import RewardFitting, edge_reward, facts_in, policy_parameters, save_changes
from tests.conftest import led, make_tiny_pipe


@pytest.fixture(scope="module")
def stock() -> Stock:
    """Eight sketches of a square."""
    lines = torch.zeros(8, 1, 128, 128)
    for i in range(8):
        lines[i, :, 30 : 60 + 5 * i, 30:90] = 1
        lines[i, :, 34 : 56 + 5 * i, 34:86] = 0
    packed = torch.from_numpy(np.packbits(lines[:, 0].bool().numpy(), axis=-1))
    return Stock(torch.full((8, 3, 128, 128), 255, dtype=torch.uint8), packed, packed, ["a square"] * 8)


@pytest.fixture()
def pipe(tmp_path):
    return led(make_tiny_pipe(tmp_path))


def brightness(hints, pictures):
    """A reward that is known: the mean of a picture's pixels."""
    return pictures.flatten(1).mean(1)


def test_edge_reward_is_edge_f1_with_the_sketch(stock):
    hints = torch.zeros(2, 1, 128, 128)
    hints[:, :, 40:44, 20:100] = 1
    pictures = torch.stack([1 - 2 * hints[0].expand(3, -1, -1), torch.ones(3, 128, 128)])
    kept, lost = edge_reward(hints, pictures).tolist()
    page = to_picture(1 - 2 * hints[0].expand(3, -1, -1))
    assert kept == pytest.approx(edge_scores(page, to_picture(pictures[0]))[2]) and kept > 0.9
    assert lost == 0, "a white page has no edge"


def test_only_zero_convolutions_and_norms_learn(pipe, stock):
    before = {f"{part}.{name}": value.clone() for part in ("unet", "controlnet", "vae", "text_encoder")
              for name, value in getattr(pipe, part).state_dict().items()}  # fmt: skip
    fitting = RewardFitting(stock, pipe=pipe, reward=brightness, steps=1, batch_size=4, each=2, inference_steps=2)
    fitting.run()
    after = {f"{part}.{name}": value for part in ("unet", "controlnet", "vae", "text_encoder")
             for name, value in getattr(pipe, part).state_dict().items()}  # fmt: skip
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and changed <= set(policy_parameters(pipe))
    assert any(name.startswith("controlnet.controlnet_mid_block") for name in changed)
    assert not any("cond_embedding" in name for name in policy_parameters(pipe))


def test_pictures_earn_more_than_at_first(pipe, stock):
    fitting = RewardFitting(
        stock, pipe=pipe, reward=brightness, steps=12, batch_size=8, each=8, inference_steps=2, lr=0.1
    )
    facts = fitting.run()
    assert facts.updates == 12 and facts.pictures == 96 and len(facts.rewards) == 10
    assert np.mean(fitting.rewards[-3:]) > np.mean(fitting.rewards[:3]) + 0.01


def test_equal_rewards_teach_nothing(pipe, stock):
    fitting = RewardFitting(
        stock, pipe=pipe, reward=lambda hints, x: torch.ones(len(x)), steps=2, batch_size=4, inference_steps=2
    )
    fitting.run()
    assert all(not change.any() for change in fitting.changes().values())


def test_a_penalty_keeps_the_model_near_what_it_was(tmp_path, stock):
    """Equal chances, with and without: KL to the first policy is smaller with it, and the weights come back after each look."""
    options = {"reward": brightness, "steps": 6, "batch_size": 8, "each": 8, "inference_steps": 2, "lr": 0.05}
    left = {}
    for penalty in (0.0, 10.0):
        fitting = RewardFitting(stock, pipe=led(make_tiny_pipe(tmp_path)), penalty=penalty, **options)
        fitting.run()
        with torch.no_grad():
            made = fitting.pictures(1, 2, torch.Generator().manual_seed(0))
            now = fitting.policy(made, 0)[0]
            before = fitting.mean_as_it_was(made, 0)
            assert torch.equal(fitting.policy(made, 0)[0], now)
        left[penalty] = float((now - before).square().sum())
    assert 0 < left[10.0] < 0.5 * left[0.0]


def test_guidance_is_part_of_the_policy(pipe, stock):
    means = {}
    for scale in (1.0, 3.0):
        fitting = RewardFitting(stock, pipe=pipe, steps=1, guidance_scale=scale, inference_steps=2)
        with torch.no_grad():
            made = fitting.pictures(1, 2, torch.Generator().manual_seed(0))
            means[scale] = fitting.policy(made, 0)[0]
    assert (means[1.0] - means[3.0]).abs().max() > 1e-3


def test_a_run_that_stopped_goes_on_as_if_it_had_not(tmp_path, stock):
    options = {"reward": brightness, "batch_size": 4, "each": 2, "inference_steps": 2}

    def changes(out, *budgets):
        for i, steps in enumerate(budgets):
            made = led(make_tiny_pipe(tmp_path))
            fitting = RewardFitting(stock, out, pipe=made, steps=steps, resume=i > 0, **options)
            fitting.run()
        return fitting.changes()

    whole, halves = changes(tmp_path / "whole", 3), changes(tmp_path / "halves", 1, 3)
    assert all(torch.equal(whole[name], halves[name]) for name in whole)
    assert (tmp_path / "halves" / "log.jsonl").read_text().count("\n") == 3
    assert list((tmp_path / "halves").glob("reward-*.png"))
    with pytest.raises(InputError, match="seed 0, not 1"):
        RewardFitting(stock, tmp_path / "whole", pipe=led(make_tiny_pipe(tmp_path)), steps=3, seed=1, resume=True)


def test_changes_are_written_and_added_again(tmp_path, stock, pipe):
    fitting = RewardFitting(stock, pipe=pipe, reward=brightness, steps=2, batch_size=4, inference_steps=2)
    fitting.run()
    file = save_changes(fitting, tmp_path / "changes.safetensors")
    other = led(make_tiny_pipe(tmp_path))
    _add_changes(other, Part(role="changes", file=file.name), tmp_path)
    for name, value in policy_parameters(other).items():
        change = fitting.changes()[name]
        assert (value - fitting.parameters[name]).abs().max() <= 0.034 * change.abs().max() + 1e-7
    assert facts_in(file) == fitting.facts() and facts_in(file).updates == 2
    (tmp_path / "text.safetensors").write_text("no weights")
    for other_file in ("text.safetensors", "nowhere.safetensors"):
        with pytest.raises(InputError, match="holds no changes"):
            facts_in(tmp_path / other_file)
    with pytest.raises(InputError, match="are not there"):
        _add_changes(other, Part(role="changes", file="other.safetensors"), tmp_path)
    with pytest.raises(InputError, match="do not fit"):
        _add_changes(led(_wider(tmp_path)), Part(role="changes", file=file.name), tmp_path)


def _wider(tmp_path):
    """A pipeline with the same layers, wider."""
    from s2i_teach.training.unet import assemble, build_unet

    made = make_tiny_pipe(tmp_path)
    unet = build_unet(
        block_out_channels=(16, 16, 16, 16), norm_num_groups=4, cross_attention_dim=32, attention_head_dim=2
    )
    return assemble(made.vae, made.text_encoder, made.tokenizer, unet.eval())


@pytest.mark.parametrize(
    "options, words",
    [
        ({}, "budget"),
        ({"steps": 1, "batch_size": 6, "each": 4}, "no groups of 4"),
        ({"steps": 1, "batch_size": 4, "each": 1}, "multiple of 2"),
    ],
)
def test_bad_options_are_refused(stock, pipe, options, words):
    with pytest.raises(InputError, match=words):
        RewardFitting(stock, pipe=pipe, **options)


def test_the_rewarded_miniature_differs_in_the_changes_alone():
    plain, rewarded = (load_pipeline(name, dtype="fp32") for name in ("mini-scribble", "mini-scribble-rewarded"))
    learned = set(policy_parameters(plain))
    assert MODELS["mini-scribble-rewarded"].whole_download == 0
    for part in ("unet", "controlnet", "vae"):
        pairs = zip(getattr(plain, part).named_parameters(), getattr(rewarded, part).parameters(), strict=True)
        for (name, one), other in pairs:
            assert torch.equal(one, other) or f"{part}.{name}" in learned
