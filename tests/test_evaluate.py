"""Judging pictures: against brute force, closed forms, pictures whose answer is known, and runs of the miniature."""

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter
from scipy import stats
from scipy.spatial.distance import cdist
from skimage.morphology import skeletonize

import s2i_teach as s2i
from s2i_teach.errors import InputError
from s2i_teach.evaluate import agreement, faithfulness, known, prompt_match, realism
from s2i_teach.evaluate.bootstrap import (
    Interval,
    difference,
    expanded_tail,
    independent_differences,
    interval,
)
from s2i_teach.evaluate.faithfulness import CHANCE_F1, chamfer, edge_scores, edge_ssim
from s2i_teach.images import fit_to

SIDE = 128
NAMES = ("turtle", "sailboat", "mushroom", "owl", "snail", "rocket", "cactus", "butterfly_by_hand")


def drawn(name: str) -> Image.Image:
    return fit_to(next(s for s in s2i.sketches() if s.name == name).open(), (SIDE, SIDE))


def page(*lines, width=3, side=SIDE) -> Image.Image:
    picture = Image.new("RGB", (side, side), "white")
    for line in lines:
        ImageDraw.Draw(picture).line(line, fill="black", width=width)
    return picture


def blurred(picture: Image.Image, radius: float) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(radius))


@pytest.fixture(scope="module")
def real() -> list[Image.Image]:
    """Pictures in colour of which the reference for realism has none."""
    return [Image.open(path).convert("RGB") for path in realism.real_pictures(realism.REFERENCES + 60)[-60:]]


# Faithfulness


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_of_the_sketch_is_perfectly_faithful(name):
    sketch = drawn(name)
    found = faithfulness.faithfulness(sketch, sketch)
    assert (found.precision, found.recall, found.f1) == pytest.approx((1, 1, 1), abs=0.003)
    assert found.edge_ssim == 1 and found.chamfer < 0.004


def test_edge_scores_equal_brute_force():
    """A line of the sketch beside a step edge: every distance by hand, over all pairs of pixels."""
    sketch = page((20, 30, 100, 30), (60, 30, 60, 110))
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    ImageDraw.Draw(picture).rectangle([15, 35, 90, 100], fill=(40, 90, 200))
    inked = np.argwhere(faithfulness.ink(sketch))
    found = np.argwhere(faithfulness.edges(picture))
    outside = np.argwhere(~faithfulness.ink(sketch))
    middle = np.argwhere(skeletonize(faithfulness.ink(sketch)))

    def nearest(points, others):
        return cdist(points, others).min(1)

    for tolerance in (0.016, 0.05, 0.1):
        precision = (nearest(found, inked) <= tolerance * SIDE).mean()
        recall = (nearest(middle, found) - nearest(middle, outside) <= tolerance * SIDE).mean()
        f1 = 2 * precision * recall / (precision + recall)
        assert edge_scores(sketch, picture, tolerance) == pytest.approx((precision, recall, f1))
    away, back = nearest(found, inked), np.maximum(nearest(middle, found) - nearest(middle, outside), 0)
    assert chamfer(sketch, picture) == pytest.approx((away.mean() + back.mean()) / 2 / SIDE)


def test_precision_falls_by_what_is_added_and_recall_by_what_is_lost():
    sketch = page((20, 30, 108, 30), (20, 64, 108, 64))
    added = page((20, 30, 108, 30), (20, 64, 108, 64), (20, 98, 108, 98), (20, 115, 108, 115))
    precision, recall, _ = edge_scores(sketch, added)
    assert precision == pytest.approx(0.5, abs=0.02) and recall == 1
    precision, recall, _ = edge_scores(sketch, page((20, 30, 108, 30)))
    assert precision == 1 and recall == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("width", [2, 5, 9])
def test_the_pen_s_width_is_no_error(width):
    sketch = page((20, 64, 108, 64), (64, 20, 64, 108), width=width)
    assert edge_scores(sketch, sketch) == pytest.approx((1, 1, 1), abs=0.01)


def test_a_shift_counts_from_the_tolerance_on():
    sketch = page((20, 64, 108, 64))
    scores = [edge_scores(sketch, page((20, 64 + shift, 108, 64 + shift)))[2] for shift in (0, 1, 2, 8)]
    assert scores[0] == scores[1] == 1 and scores[1] >= scores[2] > 0.3 and scores[3] == 0


def test_scores_do_not_depend_on_the_size():
    picture, sketch = drawn("owl"), drawn("turtle")
    large = [p.resize((4 * SIDE, 4 * SIDE), Image.Resampling.BICUBIC) for p in (sketch, picture)]
    small, big = edge_scores(sketch, picture), edge_scores(*large)
    assert small == pytest.approx(big, abs=0.06)
    assert chamfer(sketch, picture) == pytest.approx(chamfer(*large), abs=0.005)


def test_a_picture_of_another_thing_is_unfaithful():
    found = [edge_scores(drawn(a), drawn(b))[2] for a, b in zip(NAMES, NAMES[1:] + NAMES[:1], strict=True)]
    assert np.mean(found) == pytest.approx(CHANCE_F1, abs=0.1) and max(found) < 0.65
    assert all(edge_ssim(drawn(a), drawn(b)) < 0.5 for a, b in zip(NAMES, NAMES[1:], strict=False))


@pytest.mark.parametrize("name", NAMES[:4])
def test_blur_hurts_faithfulness(name):
    sketch = drawn(name)
    scores = [faithfulness.faithfulness(sketch, blurred(sketch, radius)) for radius in (0, 2, 4, 8)]
    assert [s.f1 for s in scores] == sorted((s.f1 for s in scores), reverse=True)
    assert scores[3].f1 < 0.5 and scores[3].chamfer > scores[0].chamfer and scores[3].edge_ssim < 0.7


def test_an_empty_picture_has_nothing_right():
    blank = Image.new("RGB", (SIDE, SIDE), "white")
    found = faithfulness.faithfulness(drawn("turtle"), blank)
    assert (found.precision, found.recall, found.f1, found.chamfer) == (0, 0, 0, pytest.approx(math.sqrt(2)))


def test_one_direction_alone_is_fooled():
    """A dot on a line is precise, a page full of edges finds all: F1 sees both."""
    lines = faithfulness.ink(drawn("turtle"))
    dot, scribble = np.zeros_like(lines), np.ones_like(lines)
    dot[tuple(np.argwhere(lines)[0])] = True
    precision, recall, f1 = faithfulness.edge_f1(*faithfulness.edge_distances(lines, dot), 0.016)
    assert precision == 1 and recall < 0.1 and f1 < 0.2
    precision, recall, f1 = faithfulness.edge_f1(*faithfulness.edge_distances(lines, scribble), 0.016)
    assert precision < 0.6 and recall == 1 and f1 < 0.8


@pytest.mark.parametrize("tolerance", [0.0, 1 / SIDE, 2 / SIDE, 0.1])
def test_what_lies_exactly_at_the_tolerance_is_near(tolerance):
    far = np.nextafter(tolerance, 1)
    assert faithfulness.edge_f1(np.array([tolerance, far]), np.array([tolerance] * 3 + [far]), tolerance) == (
        pytest.approx((0.5, 0.75, 0.6))
    )


def test_distances_that_cannot_be():
    page = np.zeros((SIDE, SIDE), dtype=bool)
    with pytest.raises(InputError, match="at least one pixel of ink"):
        faithfulness.edge_distances(page, page)
    with pytest.raises(InputError, match="cannot be compared"):
        faithfulness.edge_distances(~page, page[:, :-1])
    with pytest.raises(InputError, match="no point of a line"):
        faithfulness.edge_f1(np.zeros(3), np.zeros(0), 0.016)
    for tolerance in (float("nan"), -1, True, None, "2"):
        with pytest.raises(InputError, match="tolerance is"):
            faithfulness.edge_f1(np.zeros(3), np.zeros(3), tolerance)
    for bad in ([0.0], np.zeros((2, 2)), np.array([float("nan")]), None):
        with pytest.raises(InputError, match="no list of distances"):
            faithfulness.edge_f1(bad, np.zeros(3), 0.016)


@pytest.mark.parametrize(
    "sketch, picture, words",
    [
        (Image.new("RGB", (128, 128), "white"), page((1, 1, 9, 9)), "sketch is empty"),
        (page((1, 1, 9, 9)), page((1, 1, 9, 9), side=64), r"different sizes \(128 × 128 and 64 × 64\)"),
        (page((1, 1, 9, 9), side=8), page((1, 1, 9, 9), side=8), "at least 16 pixels"),
        ("nowhere.png", page((1, 1, 9, 9)), "nowhere.png does not exist"),
        (page((1, 1, 9, 9)), 7, "cannot be made from a int"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_sentence(sketch, picture, words):
    for measure in (faithfulness.faithfulness, edge_scores, chamfer, edge_ssim):
        with pytest.raises(InputError, match=words) as caught:
            measure(sketch, picture)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tolerance", [-0.1, math.nan, math.inf, "wide"])
def test_a_tolerance_that_is_none(tolerance):
    with pytest.raises(InputError, match="tolerance is"):
        edge_scores(drawn("turtle"), drawn("turtle"), tolerance)


@pytest.fixture(scope="module")
def runs(mini):
    """The miniature's pictures of seven sketches at four strengths: {strength: [Result, …]}."""
    return {
        strength: [
            s2i.translate(
                drawn(name),
                next(s for s in s2i.sketches() if s.name == name).prompt,
                pipe=mini,
                strength=strength,
                guidance_scale=5,
                num_inference_steps=8,
                prepare="filled",
            )
            for name in NAMES[:7]
        ]
        for strength in (0.25, 0.5, 0.75, 1.0)
    }


def test_scores_move_the_right_way_along_strength(runs):
    """Less of the sketch, more of the prompt, more like real pictures: what the course says of strength."""
    f1, match, distance, chamfers = [], [], [], []
    for results in runs.values():
        found = [faithfulness.faithfulness(r.sketch, r.image) for r in results]
        f1.append(np.mean([f.f1 for f in found]))
        chamfers.append(np.mean([f.chamfer for f in found]))
        pictures = [r.image for r in results]
        match.append(prompt_match.prompt_matches(pictures, [r.settings.prompt for r in results]).mean().item())
        distance.append(realism.micro_kid(pictures))
    assert f1 == sorted(f1, reverse=True) and f1[0] - f1[-1] > 0.1
    assert chamfers == sorted(chamfers)
    assert match[0] < match[1] < match[2] and match[3] > match[0] + 0.2
    assert distance[0] > distance[1] > distance[2] and distance[3] < distance[0] - 0.5, distance


# Agreement


def test_psnr_has_its_closed_form():
    grey = Image.new("RGB", (32, 32), (100, 100, 100))
    other = Image.new("RGB", (32, 32), (110, 110, 110))
    assert agreement.psnr(grey, other) == pytest.approx(20 * math.log10(25.5))
    assert agreement.agreement(grey, grey) == agreement.Agreement(math.inf, 1.0)


def test_ssim_of_flat_pictures_has_its_closed_form():
    """Without contrast only the paper's term of brightness is left: (2 a b + C1) / (a² + b² + C1)."""
    a, b, c1 = 100, 140, (0.01 * 255) ** 2
    flat = [Image.new("RGB", (32, 32), (value,) * 3) for value in (a, b)]
    assert agreement.ssim(*flat) == pytest.approx((2 * a * b + c1) / (a**2 + b**2 + c1))


def test_agreement_falls_with_blur(real):
    for picture in real[:5]:
        found = [agreement.agreement(blurred(picture, radius), picture) for radius in (1, 3, 6)]
        assert found[0].psnr > found[1].psnr > found[2].psnr and found[0].ssim > found[1].ssim > found[2].ssim


# Realism


def test_the_kernel_distance_equals_brute_force():
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(n, 5, generator=generator) for n in (6, 9))

    def k(a, b):
        return (sum(p * q for p, q in zip(a.tolist(), b.tolist(), strict=True)) / 5 + 1) ** 3

    xx = sum(k(x[i], x[j]) for i in range(6) for j in range(6) if i != j) / 30
    yy = sum(k(y[i], y[j]) for i in range(9) for j in range(9) if i != j) / 72
    xy = sum(k(a, b) for a in x for b in y) / 54
    assert realism.kernel_distance(x, y) == pytest.approx(xx + yy - 2 * xy, abs=1e-9)


def test_the_kernel_distance_is_unbiased():
    """Two sets of one distribution: 0 on the average, below 0 as often as above."""
    generator = torch.Generator().manual_seed(1)
    found = [realism.kernel_distance(*torch.randn(2, 20, 4, generator=generator)) for _ in range(400)]
    assert abs(np.mean(found)) < 4 * np.std(found) / math.sqrt(400) and 0.35 < np.mean(np.array(found) < 0) < 0.75


@pytest.mark.parametrize("x, y", [((1, 4), (9, 4)), ((5, 4), (5, 3)), ((5,), (5,)), ((5, 4), (0, 4))])
def test_features_that_have_no_distance(x, y):
    with pytest.raises(InputError, match="cannot be compared"):
        realism.kernel_distance(torch.zeros(x), torch.zeros(y))


def test_the_interval_of_the_kernel_distance_covers():
    """Of 120 sets of 20, about nine in ten intervals hold what all 4,000 have; copies do not push it upwards."""
    generator = torch.Generator().manual_seed(2)
    reference = torch.randn(100, 6, generator=generator)
    everything = torch.randn(4000, 6, generator=generator) + 0.6
    truth = realism.kernel_distance(everything, reference)
    held = []
    for number in range(120):
        part = everything[torch.randperm(4000, generator=generator)[:20]]
        found = realism.kernel_distance_interval(part, reference, draws=400, seed=number)
        assert found.low <= found.value <= found.high
        held.append(found.low <= truth <= found.high)
    assert 0.82 < np.mean(held) <= 1


def test_real_pictures_are_realistic_and_copies_of_sketches_are_not(real):
    random_pixels = np.random.default_rng(0).integers(0, 256, (20, SIDE, SIDE, 3), dtype=np.uint8)
    real_distance = realism.micro_kid(real)
    assert abs(real_distance) < 0.25
    assert realism.micro_kid([drawn(name) for name in NAMES]) > real_distance + 1
    assert realism.micro_kid(list(random_pixels)) > real_distance + 1
    others = realism.picture_features(real)
    same_sets = realism.kernel_distance(others, realism.real_features())
    assert real_distance == pytest.approx(same_sets)


def test_blur_hurts_realism(real):
    """Of the same pictures, so that what they show does not matter."""
    found = [realism.micro_kid([blurred(p, radius) for p in real], real) for radius in (1, 3, 6)]
    assert found[0] < found[1] < found[2] and found[2] > 0.1


def test_reference_pictures_are_the_same_for_the_same_seed():
    assert realism.real_pictures(5) == realism.real_pictures(50)[:5] != realism.real_pictures(5, seed=1)
    for count in (0, 10**6):
        with pytest.raises(InputError, match="real pictures were asked for"):
            realism.real_pictures(count)


def test_micro_kid_needs_pictures():
    for pictures in ([], [drawn("turtle")]):
        with pytest.raises(InputError):
            realism.micro_kid(pictures)


# Prompt match


def test_the_right_prompt_matches_best(real):
    things = ["turtle", "sailboat", "mushroom", "owl", "rocket", "cactus"]
    from s2i_teach.paths import data_dir

    pictures = []
    for thing in things:
        rows = (data_dir() / "pairs" / "train" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
        row = next(line for line in rows if f'"thing": "{thing}"' in line and "noto" in line)
        pictures.append(data_dir() / "pairs" / "train" / row.split('"file_name": "')[1].split('"')[0])
    prompts = [f"a {thing}, noto style" for thing in things]
    table = torch.stack([prompt_match.prompt_matches([p] * len(things), prompts) for p in pictures])
    assert (table.argmax(1) == torch.arange(len(things))).sum() >= 5
    assert table.diagonal().mean() > table.mean() + 0.3 and table.abs().max() <= 1 + 1e-5
    assert prompt_match.prompt_match(pictures[0], prompts[0]) == pytest.approx(table[0, 0].item(), abs=1e-5)


@pytest.mark.parametrize("pictures, prompts", [([], []), (["x"], []), (["x"], [" "]), (["x"], [3])])
def test_prompts_that_cannot_be_matched(pictures, prompts):
    with pytest.raises(InputError, match="prompt"):
        prompt_match.prompt_matches(pictures, prompts)


# The measures of papers


def test_what_is_missing_is_said_and_never_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    answers = known.available()
    assert set(answers) == {"LPIPS", "KID", "FID", "CLIPScore"}
    pair = [drawn("turtle"), drawn("owl")]
    calls = {
        "LPIPS": lambda: known.lpips(*pair),
        "KID": lambda: known.kid(pair, pair),
        "FID": lambda: known.fid(pair, pair),
        "CLIPScore": lambda: known.clip_score(pair[0], "a turtle"),
    }
    for name in ("LPIPS", "KID", "FID"):
        assert answers[name].startswith(f"{name} is not available: ") and answers[name].endswith(".")
        with pytest.raises(known.NotAvailable, match=f"{name} is not available"):
            calls[name]()
    if answers["CLIPScore"]:
        with pytest.raises(known.NotAvailable, match="huggingface-cli download openai"):
            calls["CLIPScore"]()


class Means(torch.nn.Module):
    """A feature extractor whose answer is known: the mean of each channel."""

    num_features = 3

    def forward(self, x):
        return x.float().mean((2, 3)) / 255


def test_kid_by_torchmetrics_is_the_kernel_distance():
    pytest.importorskip("torchmetrics")
    sets = [[Image.new("RGB", (32, 32), (40 * i, 30 * j, 90 + i)) for i in range(5)] for j in (1, 6)]
    by_hand = [torch.tensor(np.array(p.resize((1, 1)))).view(1, 3) / 255 for group in sets for p in group]
    wanted = realism.kernel_distance(torch.cat(by_hand[:5]), torch.cat(by_hand[5:]))
    assert known.kid(*sets, extractor=Means()) == pytest.approx(wanted, abs=1e-5)
    assert known.fid(*sets, extractor=Means()) > 0


# Intervals


def test_an_interval_is_scipy_s():
    values = np.random.default_rng(0).normal(0.5, 0.2, 40)
    found = interval(values)
    level = 1 - 2 * expanded_tail(40)
    theirs = stats.bootstrap(
        (values,), np.mean, confidence_level=level, n_resamples=20000, method="percentile", rng=1
    ).confidence_interval
    assert found.value == pytest.approx(values.mean()) and found.n == 40
    assert (found.low, found.high) == pytest.approx(tuple(theirs), abs=0.006)


def test_independent_differences_are_one_per_sketch():
    generator = np.random.default_rng(0)
    of = {"owl": 3, "cup": 1, "tree": 5}
    names = generator.permutation([name for name, count in of.items() for _ in range(count)]).tolist()
    after, before = generator.random((2, len(names)))
    found = independent_differences(after.tolist(), before.tolist(), names)
    order = sorted(of, key=names.index)
    theirs = [np.mean((after - before)[np.array(names) == name]) for name in order]
    np.testing.assert_allclose(found, theirs, rtol=1e-12)
    # With as many seeds of each, the mean is that of all rows, and the interval is the one by groups.
    names = ["owl", "cup", "tree", "lamp"] * 3
    after, before = generator.random((2, 12)).tolist()
    grouped, own = difference(after, before, names), interval(independent_differences(after, before, names))
    np.testing.assert_allclose([own.value, own.low, own.high], [grouped.value, grouped.low, grouped.high], rtol=1e-9)
    for wrong in (([1.0], [1.0, 2.0], ["owl"]), ([1.0], [1.0], []), ([], [], []), ([math.nan], [1.0], ["owl"])):
        with pytest.raises(InputError):
            independent_differences(*wrong)


def test_the_tail_is_the_plain_one_for_many():
    assert expanded_tail(10**6) == pytest.approx(0.025, abs=1e-5) and expanded_tail(8) < 0.01


@pytest.mark.parametrize("n", [8, 20])
def test_intervals_hold_the_truth_as_often_as_they_say(n):
    rng = np.random.default_rng(n)
    held = [found.low <= 0 <= found.high for found in (interval(rng.normal(0, 1, n), draws=1000) for _ in range(400))]
    assert 0.91 < np.mean(held) < 0.98


def test_an_interval_is_seeded_and_read_easily():
    values = [0.1, 0.5, 0.7, 0.9, 0.4]
    assert interval(values, seed=3) == interval(values, seed=3) != interval(values, seed=4)
    assert str(Interval(0.612, 0.549, 0.661, 9)) == "0.61 [0.55, 0.66]"
    assert str(interval([0.5])) == "0.50 [no interval: n = 1]"
    assert interval([0.5] * 4) == Interval(0.5, 0.5, 0.5, 4)


def test_ten_seeds_of_one_sketch_are_not_ten_sketches():
    rng = np.random.default_rng(0)
    sketches = np.repeat(np.arange(6), 10)
    values = rng.normal(0, 1, 6)[sketches] + rng.normal(0, 0.05, 60)
    alone, together = interval(values), interval(values, groups=sketches)
    assert together.n == 6 and alone.n == 60
    assert together.high - together.low > 2 * (alone.high - alone.low)
    assert interval(values[:10], groups=sketches[:10]).low is None


def test_pairs_tell_apart_what_overlaps():
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 1, 30)
    before, after = hard, hard + 0.2 + rng.normal(0, 0.1, 30)
    assert interval(before).overlaps(interval(after))
    assert difference(after, before).low > 0.1
    assert not Interval(1, 0.9, 1.1, 5).overlaps(Interval(2, 1.2, 2.5, 5))
    assert Interval(1, None, None, 1).overlaps(Interval(2, 1.2, 2.5, 5)), "nothing is known of one picture"


@pytest.mark.parametrize(
    "call",
    [
        lambda: interval([]),
        lambda: interval([1.0, math.nan]),
        lambda: interval([1.0, 2.0], groups=[1]),
        lambda: difference([1.0], [1.0, 2.0]),
    ],
)
def test_values_without_an_interval(call):
    with pytest.raises(InputError):
        call()
