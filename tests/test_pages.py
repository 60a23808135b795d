"""Training pages: things and scenes, the lines a sketch of them has, doodles, the stock that is renewed; Muon; leading."""

import random

import pytest
import torch
from torch import nn

from s2i_teach.lines import contours
from s2i_teach.models import catalog
from s2i_teach.training.doodles import doodle
from s2i_teach.training.optimizers import NEWTON_SCHULZ, Muon, MuonAdamW, is_matrix, orthogonalized
from s2i_teach.training.pages import SIDE, Page, PageMaker, place
from s2i_teach.training.pictures import content_crops, load_pairs, turn_hues
from s2i_teach.training.pool import WIDE, Pool, Whole
from s2i_teach.training.unet import Led, build_controlnet, build_unet, draw_timesteps, noisier
from s2i_teach.training.vocabulary import join_things

THINGS = {"turtle", "house", "cat face", "sun", "tree"}


@pytest.fixture(scope="module")
def pairs():
    return load_pairs("train", keep=lambda row: row["thing"] in THINGS)


@pytest.fixture(scope="module")
def maker(pairs):
    return PageMaker(pairs, scenes=0.5)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_pages_hold_what_they_say(maker, pairs):
    batch = maker.batch(48, SIDE, seeded())
    assert batch.pictures.shape == (48, 3, SIDE, SIDE)
    assert batch.lines.shape == batch.inside.shape == (48, 1, SIDE, SIDE)
    assert batch.pictures.min() >= -1 and batch.pictures.max() <= 1
    numbers = [len(page.rows) for page in batch.pages]
    assert 12 < sum(n > 1 for n in numbers) < 36 and max(numbers) <= 4
    for page, picture, lines, inside in zip(batch.pages, batch.pictures, batch.lines, batch.inside, strict=True):
        assert {pairs.rows[row]["style"] for row in page.rows} == {page.style}, "a page has one style"
        ink = picture.amin(0) < 0.8
        assert ink.float().mean() > 0.01 and lines.mean() > 0.005
        assert (inside[0] > 0).float().mean() >= 0.5 * ink.float().mean() or page.place or len(page.rows) > 1
        near = torch.nn.functional.max_pool2d(inside + lines, 9, 1, 4)[0] > 0
        assert (lines[0] * ~near).sum() == 0


def test_every_page_comes_again_from_its_seed(maker):
    one, two, other = (maker.batch(4, WIDE, seeded(s)) for s in (1, 1, 2))
    assert torch.equal(one.pictures, two.pictures) and torch.equal(one.lines, two.lines) and one.pages == two.pages
    assert not torch.equal(one.pictures, other.pictures)
    assert one.pictures.shape[-1] == WIDE


def test_a_thing_is_put_where_its_pose_says():
    thing = torch.zeros(1, 5, SIDE, SIDE)
    thing[:, :, 32:96, 32:96] = 1
    upright = (0.0, 0.0, 1.0)
    same = place(thing, torch.tensor([(1.0, 64, 64, *upright)]), SIDE, SIDE, seeded())
    assert (same - thing).abs().max() < 1e-4
    wide = place(thing, torch.tensor([(0.5, 150, 40, *upright)]), SIDE, WIDE, seeded())
    rows, columns = torch.nonzero(wide[0, 0] > 0.5, as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (24, 55, 134, 165)


def test_thin_lines_survive_in_small_things():
    thing = torch.zeros(1, 5, SIDE, SIDE)
    thing[:, 3, 20:108, 41] = 1
    small = place(thing, torch.tensor([(0.25, 64, 64, 0.0, 0.0, 1.0)]), SIDE, SIDE, seeded())[0, 3]
    assert ((small > 0.4).any(1).sum() >= 18).item()


def test_captions_say_what_people_would(maker, pairs):
    rng = random.Random(0)
    row = {(r["thing"], r["style"]): i for i, r in enumerate(pairs.rows)}
    page = Page([row["cat face", "noto"]], [None], "noto")
    led = [maker.caption(page, rng, led=True) for _ in range(300)]
    alone = [maker.caption(page, rng) for _ in range(300)]
    assert 90 < sum("face" not in words.split(",")[0] for words in led) < 210
    assert all("cat face" in words for words in alone)
    assert 60 < sum("style" not in words for words in alone) < 130, "many prompts name no style"
    line = Page([row["turtle", "line"]], [None], "line")
    assert all(maker.caption(line, rng).endswith("line art") for _ in range(50))
    scene = Page([row[t, "flat"] for t in ("house", "tree", "sun")], [None, "blue", None], "flat", "on the grass")
    words = [maker.caption(scene, rng) for _ in range(100)]
    assert all("a house" in w and "blue tree" in w for w in words)
    assert any("sun" not in w for w in words) and any("on the grass" in w for w in words)
    assert join_things(["a house", "a tree"], random.Random(3)) in ("a house and a tree", "a house with a tree")


def test_contours_are_where_colours_meet():
    picture = torch.full((40, 60, 3), 255, dtype=torch.uint8).numpy()
    picture[10:30, 20:40] = (200, 40, 40)
    found = contours(picture)
    assert found.dtype == bool and found.shape == (40, 60)
    rows, columns = found.nonzero()
    assert 60 <= len(rows) <= 100, "one pixel wide around 80"
    distance = [
        min(abs(r - 9.5), abs(r - 29.5), abs(c - 19.5), abs(c - 39.5)) for r, c in zip(rows, columns, strict=True)
    ]
    assert max(distance) <= 1.5
    # Two colours of the same brightness have a contour between them, too.
    picture[:, :30], picture[:, 30:] = (180, 60, 60), (60, 120, 60)
    assert contours(picture)[5:-5, 28:32].any(1).all()
    assert not contours(picture[:, :20]).any()


def test_doodles_follow_the_lines(maker):
    batch = maker.batch(40, SIDE, seeded(5))
    hints = doodle(batch.lines, batch.inside, seeded(6))
    assert hints.shape == (40, 3, SIDE, SIDE) and hints.min() >= 0 and hints.max() <= 1
    assert torch.equal(hints, doodle(batch.lines, batch.inside, seeded(6)))
    grown = torch.nn.functional.max_pool2d(
        torch.maximum(batch.lines, batch.inside - -torch.nn.functional.max_pool2d(-batch.inside, 3, 1, 1)), 21, 1, 10
    )
    ink = (hints[:, :1] > 0.3).float()
    inside = (ink * grown).sum((1, 2, 3)) / ink.sum((1, 2, 3))
    assert inside.min() > 0.9, "ink lies near lines"
    width = ink.sum((1, 2, 3)) / batch.lines.sum((1, 2, 3))
    assert width.max() > 2 * width.median(), "pens differ"
    empty = doodle(torch.zeros(20, 1, SIDE, SIDE), torch.zeros(20, 1, SIDE, SIDE), seeded())
    assert (empty > 0.3).sum() == 0


def test_what_a_person_drew_keeps_its_shape(maker):
    """Pen and ink differ; no line wobbles or is left out. The others are what they are without such drawings."""
    batch = maker.batch(40, SIDE, seeded(5))
    by_people = torch.arange(40) % 2 == 0
    hints, others = (doodle(batch.lines, batch.inside, seeded(6), given) for given in (by_people, None))
    assert torch.equal(hints[~by_people], others[~by_people])

    def kept(made):
        """Of each page's lines, the share that has ink at or next to it."""
        near = torch.nn.functional.max_pool2d((made[:, :1] > 0.15).float(), 3, 1, 1)
        return ((near * batch.lines).sum((1, 2, 3)) / batch.lines.sum((1, 2, 3)))[by_people]

    assert kept(hints).min() > 0.99 and kept(others).min() < 0.9
    grown = torch.nn.functional.max_pool2d(batch.lines, 7, 1, 3)
    assert ((hints[:, :1] > 0.3) * (1 - grown))[by_people].sum() == 0, "no ink further than a pen is wide"


def test_a_resumed_pool_is_the_whole_one(maker):
    def encode(x):
        return x[:, :1, ::8, ::8].repeat(1, 4, 1, 1)

    whole, late = (Pool(maker, encode, batches=7, every=2, number=3, seed=4) for _ in range(2))
    for step in range(25):
        whole.advance(step)
    late.advance(24)
    for width in (SIDE, WIDE):
        assert [r for r, _ in whole.stock[width]] == [r for r, _ in late.stock[width]]
    one, two = (pool.draw(6, seeded(2)) for pool in (whole, late))
    assert all(torch.equal(a, b) for a, b in zip(one[:3], two[:3], strict=True)) and one[3] == two[3]
    shapes = {pool.draw(6, seeded(s))[0].shape for s in range(20) for pool in (whole,)}
    assert shapes == {(6, 4, 16, 16), (4, 4, 16, 24)}


def test_a_whole_picture_is_the_pairs_own(maker, pairs):
    def encode(x):
        return x[:, :1, ::8, ::8].repeat(1, 4, 1, 1)

    stock, rng, styles = Whole(maker, encode), random.Random(0), []
    for _ in range(200):
        latents, page = stock.draw(rng)
        (row,) = page.rows
        assert torch.equal(latents, encode(pairs.batch(torch.tensor([row])))[0].half().float())
        assert page.style == pairs.rows[row]["style"] and page.colours == [None] and not page.place
        styles.append(page.style)
    assert set(styles) == set(maker.styles) and styles.count("line") < 35, "line art half as often as each other style"


def test_a_scenes_things_are_as_large_as_single_ones():
    """On a page of ``SCENE`` the things of training's scenes, of which none is below 0.24 of a page's height, are about as
    large as single things, of which none is below 0.4 of it."""
    for name in ("mini", "mini-scribble"):
        own, *several = catalog.sizes(catalog.MODELS[name])
        assert own == (SIDE, SIDE) and several == [(2 * SIDE, 2 * SIDE), (3 * SIDE, 3 * SIDE)]
        assert all(height * 0.24 > 0.4 * SIDE for _, height in (*several, catalog.SCENE))
    assert catalog.sizes(catalog.MODELS["sd15"]) == ((512, 512),)  # twice as large would take it four times as long


def test_low_noise_is_not_starved():
    t = draw_timesteps(20_000, 1000, seeded())
    assert t.min() >= 0 and t.max() <= 999
    assert 0.13 < (t < 200).float().mean() < 0.16
    assert (t > 800).float().mean() > 0.22


def test_a_share_of_timesteps_is_moved_into_the_noisier_half():
    t = torch.arange(1000).repeat(20)
    moved = noisier(t, 1000, 0.5, seeded())
    assert moved.max() == 999 and torch.equal(moved < 500, (moved < 500) & (moved == t))
    assert (moved < 500).float().mean() == pytest.approx(0.25, abs=0.02)
    assert noisier(t, 1000, 1.0, seeded()).min() == 500
    assert torch.equal(noisier(t, 1000, 0.0, seeded()), t)


@pytest.mark.parametrize("shape", [(24, 90), (90, 24), (24, 24)])
def test_orthogonalized_equals_newton_schulz_step_by_step(shape):
    matrix = torch.randn(shape, generator=seeded())
    a, b, c = NEWTON_SCHULZ
    x = matrix.double() / matrix.double().norm()
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    assert (orthogonalized(matrix) - x).abs().max() < 1e-4
    assert torch.linalg.svdvals(orthogonalized(torch.randn(24, 90, generator=seeded(1)))).min() > 0.5


def test_muon_moves_a_convolution_as_its_matrix():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(6, 8, 3), nn.GroupNorm(2, 8)).to(memory_format=torch.channels_last)
    before = model[0].weight.detach().clone()
    twin = nn.Parameter(before.flatten(1).clone())
    ours = MuonAdamW(model, lr=0.01, weight_decay=0.01)
    theirs = Muon([twin], lr=0.01, weight_decay=0.01)
    x = torch.randn(4, 6, 9, 9)
    for _ in range(3):
        model(x).square().sum().backward()
        twin.grad = model[0].weight.grad.flatten(1).clone()
        ours.step()
        theirs.step()
        ours.zero_grad()
        assert (model[0].weight.detach().flatten(1) - twin.detach()).abs().max() < 1e-6
    assert (model[0].weight - before).abs().max() > 1e-3
    again = MuonAdamW(model, lr=0.01, weight_decay=0.01)
    again.load_state_dict(ours.state_dict())
    assert len(again.state) == len(ours.state) == 4
    assert is_matrix("down.0.conv.weight", before) and not is_matrix("conv_in.weight", before)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon of its own")
def test_muon_takes_torchs_steps():
    start = torch.randn(16, 40, generator=seeded())
    mine, its = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    ours = Muon([mine], lr=0.01, weight_decay=0.1)
    theirs = torch.optim.Muon([its], lr=0.01, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    for i in range(4):
        mine.grad = torch.randn(start.shape, generator=seeded(i))
        its.grad = mine.grad.clone()
        ours.step()
        theirs.step()
    # torch calculates the step in bf16, whose eight bits are worth a few percent after five rounds.
    assert (mine - its).abs().max() < 0.05 * (its - start).abs().max()


def test_hues_are_turned_and_crops_show_something():
    x = torch.ones(64, 3, 32, 32)
    x[:, :, 20:28, 4:12] = torch.tensor([1.0, -1, -1]).view(1, 3, 1, 1)
    turned = turn_hues(x, seeded())
    unchanged = (turned - x).abs().amax((1, 2, 3)) < 1e-5
    assert 6 <= unchanged.sum() <= 28
    assert torch.allclose(turned[:, :, 0, 0], torch.ones(64, 3))
    assert (turned[:, :, 24, 8].amax(1) > 0.99).all() and (turned[:, :, 24, 8].amin(1) < -0.99).all()
    crops = content_crops(x, 16, seeded())
    assert crops.shape == (64, 3, 16, 16) and (crops.amin((1, 2, 3)) < 0).all()


@pytest.fixture(scope="module")
def led():
    torch.manual_seed(0)
    unet = build_unet(block_out_channels=(16, 16, 32, 32), cross_attention_dim=32, norm_num_groups=4)
    return Led(unet, build_controlnet(unet))


def test_a_new_controlnet_changes_nothing_and_learns(led):
    x, t, text = torch.randn(4, 4, 16, 16), torch.tensor([5, 100, 500, 900]), torch.randn(4, 7, 32)
    hints = torch.rand(2, 3, 128, 128)
    with torch.no_grad():
        assert (led(x, t, text, hints) - led.unet(x, t, text).sample).abs().max() < 1e-6
    led(x, t, text, hints).square().mean().backward()
    gradients = [
        p.grad for name, p in led.controlnet.named_parameters() if "controlnet_down" in name and "weight" in name
    ]
    assert all(g.abs().max() > 0 for g in gradients)
    led.zero_grad()


def test_only_hinted_samples_are_led(led):
    torch.manual_seed(1)
    with torch.no_grad():
        for name, p in led.controlnet.named_parameters():
            if "controlnet" in name or "cond" in name:
                p.copy_(0.05 * torch.randn_like(p))
        x, t, text = torch.randn(3, 4, 16, 24), torch.tensor([5, 500, 900]), torch.randn(3, 7, 32)
        hints = torch.rand(1, 3, 128, 192)
        together, alone = led(x, t, text, hints), led.unet(x, t, text).sample
    assert (together[0] - alone[0]).abs().max() > 1e-3
    assert (together[1:] - alone[1:]).abs().max() < 1e-5
