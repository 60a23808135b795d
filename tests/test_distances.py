"""CLIP's loss, the Fréchet distance, precision and recall: against other libraries, closed forms and brute force."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import linalg

from s2i_teach.errors import InputError
from s2i_teach.evaluate import known
from s2i_teach.evaluate.distribution import frechet_distance, precision_recall
from s2i_teach.models.small_clip import clip_pixels, load_clip, load_tokenizer, pooled
from s2i_teach.theory.contrastive import contrastive_loss, similarities
from tests.test_evaluate import Means


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_contrastive_loss_is_transformers_s():
    clip, tokenizer = load_clip(), load_tokenizer()
    ids = tokenizer(
        ["a turtle", "a house", "two owls"], padding="max_length", max_length=77, return_tensors="pt"
    ).input_ids
    pixels = clip_pixels(normal(3, 3, 128, 128).clamp(-1, 1))
    with torch.no_grad():
        theirs = clip(input_ids=ids, pixel_values=pixels, return_loss=True)
        images, texts = pooled(clip, pixels=pixels), pooled(clip, ids=ids)
    temperature = 1 / clip.logit_scale.exp().item()
    assert (similarities(images, texts, temperature) - theirs.logits_per_image).abs().max() < 1e-4
    assert contrastive_loss(images, texts, temperature).item() == pytest.approx(theirs.loss.item(), abs=1e-5)


def test_without_knowledge_the_loss_is_log_b():
    same = torch.ones(7, 5)
    assert contrastive_loss(same, same, 0.07).item() == pytest.approx(math.log(7), abs=1e-6)
    own = torch.eye(7)
    assert contrastive_loss(own, own, 0.01).item() < 1e-6, "each knows its own"
    at_one = -math.log(math.e / (math.e + 6))
    assert contrastive_loss(own, 3 * own, 1.0).item() == pytest.approx(at_one, abs=1e-6), "lengths do not count"


@pytest.mark.parametrize(
    ("images", "texts", "temperature", "words"),
    [
        ((2, 3), (2, 4), 1.0, "cannot be compared"),
        ((3,), (3,), 1.0, "cannot be compared"),
        ((2, 3), (4, 3), 1.0, "2 pictures and 4 captions"),
        ((2, 3), (2, 3), 0.0, "temperature is 0.0"),
        ((2, 3), (2, 3), math.nan, "temperature is nan"),
    ],
)
def test_embeddings_without_a_loss(images, texts, temperature, words):
    with pytest.raises(ValueError, match=words):
        contrastive_loss(torch.ones(images), torch.ones(texts), temperature)


def test_the_frechet_distance_is_torchmetrics_s():
    pytest.importorskip("torchmetrics")
    sets = [[Image.new("RGB", (32, 32), (40 * i, 30 * j + i * i, 90 - i)) for i in range(6)] for j in (1, 6)]
    by_hand = [torch.stack([torch.tensor(p.getpixel((0, 0))) / 255 for p in group]) for group in sets]
    assert frechet_distance(*by_hand) == pytest.approx(known.fid(*sets, extractor=Means()), abs=1e-5)


def test_the_frechet_distance_by_a_matrix_root():
    x, y = normal(40, 6, seed=1), 2 * normal(50, 6, seed=2) + 1
    of_x, of_y = np.cov(x.double().T), np.cov(y.double().T)
    gap = ((x.double().mean(0) - y.double().mean(0)) ** 2).sum().item()
    wanted = gap + np.trace(of_x + of_y - 2 * linalg.sqrtm(of_x @ of_y).real)
    assert frechet_distance(x, y) == pytest.approx(wanted, abs=1e-8)


def test_the_frechet_distance_of_moved_and_stretched_sets():
    x = normal(30, 4)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(x, x + torch.tensor([3.0, 0, 4, 0])) == pytest.approx(25, abs=1e-4)
    line = x[:, :1]  # one number: (s − s′)² is added
    assert frechet_distance(line, 3 * (line - line.mean())) == pytest.approx(
        (line.mean() ** 2 + (2 * line.std()) ** 2).item(), abs=1e-4
    )
    assert frechet_distance(normal(3, 8), normal(3, 8, seed=1)) > 0, "fewer pictures than numbers"


def test_the_frechet_distance_is_too_high_for_few():
    pool = normal(4000, 8)
    of = {n: np.mean([frechet_distance(pool[i : i + n], pool[-n:]) for i in range(0, 1000, 100)]) for n in (20, 200)}
    assert of[20] > 5 * of[200] > 0


def by_brute_force(points, by, k):
    inside = 0
    for point in points:
        for centre in by:
            radius = sorted((centre - other).norm().item() for other in by)[k]  # the first is itself
            if (point - centre).norm().item() <= radius:
                inside += 1
                break
    return inside / len(points)


def test_precision_and_recall_by_brute_force():
    made, real = normal(25, 2, seed=3) + 1.5, normal(30, 2, seed=4)
    for k in (1, 3):
        wanted = by_brute_force(made.double(), real.double(), k), by_brute_force(real.double(), made.double(), k)
        assert precision_recall(made, real, k) == pytest.approx(wanted)
        assert 0 < wanted[0] < 1 and 0 < wanted[1] < 1


def test_precision_and_recall_of_known_sets():
    real = normal(60, 3)
    assert precision_recall(real, real) == (1, 1)
    assert precision_recall(real + 100, real) == (0, 0)
    few = real[:5].repeat(12, 1) + 1e-3 * normal(60, 3, seed=5)
    precision, recall = precision_recall(few, real)
    assert precision == 1 and recall < 0.15, "all could be real, and hardly any real one could have been made"


@pytest.mark.parametrize("measure", [frechet_distance, precision_recall])
@pytest.mark.parametrize(("x", "y"), [((9, 3), (9, 4)), ((9,), (9,)), ((1, 3), (9, 3)), ((9, 3), (0, 3))])
def test_sets_without_a_distance(measure, x, y):
    with pytest.raises(InputError, match="cannot be compared"):
        measure(torch.zeros(x), torch.zeros(y))


@pytest.mark.parametrize("neighbours", [0, -1, 2.5, True, "3"])
def test_neighbours_that_are_none(neighbours):
    with pytest.raises(InputError, match="neighbours is"):
        precision_recall(normal(9, 3), normal(9, 3), neighbours)
