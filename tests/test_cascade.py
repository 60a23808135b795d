"""The cascade in pixels, its prior and what CLIP tells them: against closed forms, oracles and toys."""

import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from s2i_teach.errors import InputError
from s2i_teach.families.base import TOKENS, Facts, FamilyTranslator, Told, as_hint
from s2i_teach.families.cascade import AUGMENTATION, LOW, Cascade, UnCLIP, sample, smaller, v_loss
from s2i_teach.families.catalog import build, load_family
from s2i_teach.families.unclip import LEVELS, WIDTH, Prior
from s2i_teach.models.readers import read_captions
from s2i_teach.models.small_clip import load_clip, load_tokenizer, text_embeddings
from s2i_teach.theory.prediction import v_from_x0_and_eps, x0_from_v
from s2i_teach.training.families import Fitting, Stock, save_family, told_of


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def unit(number, seed=0):
    return F.normalize(random(number, WIDTH, seed=seed), dim=1)


def told(number, seed=0, seen=False):
    return Told(
        random(number, TOKENS, 128, seed=seed), unit(number, seed + 1), unit(number, seed + 2) if seen else None
    )


def oracle(picture):
    """The true v of the one picture that there is."""

    def predict_v(x_t, t):
        a = LEVELS[t].view(-1, 1, 1, 1)
        return v_from_x0_and_eps(picture, (x_t - a.sqrt() * picture) / (1 - a).sqrt(), a)

    return predict_v


@pytest.fixture(scope="module")
def awake():
    """A cascade of few steps whose every convolution is random: untrained, its last ones are 0 and all is the same."""
    torch.manual_seed(0)
    family = Cascade()
    with torch.no_grad():
        for value in family.parameters():
            if value.dim() == 4:
                value.normal_(0, value[0].numel() ** -0.5)
    family.STEPS, family.UP_STEPS = 3, 2
    return family.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def hints():
    return (random(2, 1, 128, 128, seed=5) > 1.5).float()


def difference(a, b):
    assert a.shape == b.shape
    return (a - b).abs().max().item()


def test_it_is_small_and_its_networks_give_what_they_are_given_back(awake, hints):
    assert sum(value.numel() for value in awake.shipped().values()) <= 900_000
    t = torch.tensor([3, 700])
    assert awake.base(random(2, 3, LOW, LOW), t, hints, told(2)).shape == (2, 3, LOW, LOW)
    low = random(2, 3, LOW, LOW)
    assert awake.upsampler(random(2, 3, 128, 128), t, low, torch.tensor([0, 9]), hints).shape == (2, 3, 128, 128)
    assert awake.prior(random(2, WIDTH), t, unit(2)).shape == (2, WIDTH)


@pytest.mark.parametrize("change", ["t", "hints", "tokens", "embedding", "seen"])
def test_the_base_hears_all_that_it_is_told(awake, hints, change):
    x, t, text = random(2, 3, LOW, LOW), torch.tensor([3, 700]), told(2, seen=True)
    plain = awake.base(x, t, hints, text)
    if change == "t":
        other = awake.base(x, t + 100, hints, text)
    elif change == "hints":
        other = awake.base(x, t, 1 - hints, text)
    else:
        other = awake.base(x, t, hints, Told(**{**vars(text), change: -getattr(text, change)}))
    assert difference(plain, other) > 1e-3


@pytest.mark.parametrize("scale", [0.0, 1.0, 2.5])
def test_guidance_is_the_formula(awake, hints, scale):
    x, t, text = random(2, 3, LOW, LOW), torch.tensor([3, 700]), told(2)
    without = awake.base(x, t, hints, Told.of_nothing(2))
    worded = awake.base(x, t, hints, text)
    guided = awake.guided(hints, text, scale)(x, t)
    assert difference(guided, scale * worded + (1 - scale) * without) < 1e-4
    assert difference(worded, without) > 1e-2  # else any scale would pass


def test_with_the_true_v_the_sampler_returns_the_picture_and_the_loss_is_none():
    picture = random(2, 3, 8, 8).tanh()

    for steps in (1, 4, 16):
        assert difference(sample(oracle(picture), random(2, 3, 8, 8, seed=1), steps), picture) < 2e-2 / steps
    assert v_loss(oracle(picture), picture, torch.Generator().manual_seed(0)).item() < 1e-3
    assert v_loss(lambda x, t: 0 * x, picture, torch.Generator().manual_seed(0)).item() > 0.1


def test_a_prediction_beyond_the_range_is_held_within_it():
    made = sample(lambda x, t: -5 * torch.ones_like(x), random(1, 3, 8, 8), 4)
    assert x0_from_v(random(1, 3, 8, 8), torch.tensor(-5.0), LEVELS[749]).max() > 2
    assert made.max() < 1.01


def test_the_small_picture_is_seen_as_it_is_where_the_level_is_0(awake, hints):
    seen = {}

    class Ear(torch.nn.Module):
        def forward(self, x_t, t, low, level, hints):
            seen["low"], seen["level"] = low, level
            return torch.zeros_like(x_t)

    family, picture = Cascade().eval(), random(2, 3, LOW, LOW).tanh()
    family.upsampler, family.LEVEL = Ear(), 0
    family.guided = lambda hints, text, scale: oracle(picture)
    noises = tuple(random(2, 3, side, side) for side in (LOW, LOW, 128))
    family.paint(hints, told(2), noises)
    low = sample(family.guided(hints, None, 1), noises[0], family.STEPS)
    assert torch.equal(seen["low"], low) and not seen["level"].any()
    family.LEVEL = 200
    family.paint(hints, told(2), noises)
    a = AUGMENTATION[200]
    assert difference(seen["low"], a.sqrt() * low + (1 - a).sqrt() * noises[1]) < 1e-5


def test_the_upsampler_starts_from_the_small_picture_alone():
    """Its answer before training, against E[v] of x_0 ~ N(m, s²) by brute force: the line through many draws."""
    upsampler, low, hints = Cascade().upsampler, torch.full((1, 3, LOW, LOW), 0.5), torch.zeros(1, 1, 128, 128)
    for step in (100, 500, 900):
        t, a = torch.tensor([step]), LEVELS[step]
        x0 = 0.5 + upsampler.LACK * random(1, 3, 128, 128, seed=1)
        eps = random(1, 3, 128, 128, seed=2)
        x_t, v = a.sqrt() * x0 + (1 - a).sqrt() * eps, v_from_x0_and_eps(x0, eps, a)
        slope = torch.cov(torch.stack([x_t.flatten(), v.flatten()]))
        line = v.mean() + slope[0, 1] / slope[0, 0] * (x_t - x_t.mean())
        with torch.no_grad():
            made = upsampler(x_t, t, low, torch.tensor([0]), hints)
        assert difference(made, line) < 0.05


def test_small_pictures_are_means_of_their_pixels():
    picture = random(1, 3, 128, 128)
    assert difference(smaller(picture)[0, 1, 3, 7], picture[0, 1, 12:16, 28:32].mean()) < 1e-6


def test_dropped_words_are_an_empty_caption(awake, hints):
    empty = read_captions(["", " "])
    assert not empty.tokens.any() and not empty.embedding.any()
    made = [awake.generate(hints, torch.Generator().manual_seed(3), text) for text in (None, empty)]
    assert torch.equal(*made)
    assert difference(made[0], awake.generate(hints, torch.Generator().manual_seed(3), told(2))) > 1e-2


def test_pages_are_told_words_or_a_picture_or_nothing():
    number = 3000
    text = Cascade.thinned(
        Cascade,
        torch.ones(number, 2, 3),
        torch.ones(number, 3),
        torch.ones(number, 3),
        torch.Generator().manual_seed(0),
    )
    worded, pictured = text.embedding[:, 0], text.seen[:, 0]
    assert torch.equal(text.tokens, worded.view(-1, 1, 1).expand(-1, 2, 3))
    assert not (worded * pictured).any()
    assert abs(pictured.mean().item() - 1 / 3) < 0.03
    assert abs((1 - worded - pictured).mean().item() - 0.12) < 0.02


def test_captions_are_read_as_the_small_clip_reads_them():
    captions = ["a red apple, noto style", "kiwi fruit", "a bird and a cat " * 20]
    read = read_captions(captions)
    assert read.tokens.shape == (3, TOKENS, 128) and read.seen is None
    assert difference(read.embedding[:2], text_embeddings(load_clip(), load_tokenizer(), captions[:2])) < 1e-5
    assert difference(read.embedding.norm(dim=1), torch.ones(3)) < 1e-5
    assert difference(read_captions(captions[1:2]).tokens[0], read.tokens[1]) < 1e-5


def test_the_prior_learns_a_linear_map_better_than_the_mean():
    torch.manual_seed(0)
    prior, generator = Prior(), torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(random(WIDTH, WIDTH)).Q[:, :8]
    codes = F.normalize(random(256, 8), dim=1)  # the captions lie in 8 dimensions, so that a toy is enough
    text, seen = codes @ turn.T, codes.flip(1) @ turn.T
    optimizer = torch.optim.AdamW(prior.parameters(), 3e-3)
    for _ in range(300):
        optimizer.zero_grad()
        prior.loss(seen, text, generator).backward()
        optimizer.step()
    with torch.no_grad():
        drawn = prior.draw(text, random(256, WIDTH, seed=1))
        assert difference(drawn.norm(dim=1), torch.ones(256)) < 1e-5
        near = (drawn * seen).sum(1).mean()
        mean = (F.normalize(seen.mean(0), dim=0) * seen).sum(1).mean()
        assert near > 0.8 and near > mean + 0.5
        best = prior.best_of(text, random(2, 256, WIDTH, seed=1))
        again = torch.stack([prior.draw(text, noise) for noise in random(2, 256, WIDTH, seed=1)])
        assert torch.equal((best * text).sum(1), (again * text).sum(2).amax(0))


def test_unclip_paints_from_what_its_prior_drew_and_not_from_the_words(awake, hints):
    family = UnCLIP().eval()
    family.load_state_dict(awake.state_dict())
    text, heard = told(2), []
    family.paint = lambda hints, text, noises: heard.append(text) or hints
    family.generate(hints, torch.Generator().manual_seed(1), text)
    drawn = family.prior.best_of(text.embedding, torch.randn(2, 2, WIDTH, generator=torch.Generator().manual_seed(1)))
    assert torch.equal(heard[0].seen, drawn)
    assert not heard[0].tokens.any() and not heard[0].embedding.any()
    seen = unit(2, seed=9)
    family.generate(hints, torch.Generator().manual_seed(1), Told(text.tokens, text.embedding, seen))
    assert torch.equal(heard[1].seen, seen)


@pytest.mark.parametrize("kind", [Cascade, UnCLIP])
def test_a_seed_says_all_and_a_batch_changes_nothing(awake, hints, kind):
    family = kind().eval()
    family.load_state_dict(awake.state_dict())
    family.STEPS, family.UP_STEPS, text = 3, 2, told(2)
    made = [family.generate(hints, torch.Generator().manual_seed(seed), text) for seed in (4, 4, 5)]
    assert made[0].shape == (2, 3, 128, 128) and torch.equal(made[0], made[1])
    assert difference(made[0], made[2]) > 1e-2
    noises = tuple(random(2, 3, side, side) for side in (LOW, LOW, 128))
    both = family.paint(hints, text, noises)
    for i in range(2):
        one = Told(text.tokens[i : i + 1], text.embedding[i : i + 1])
        alone = family.paint(hints[i : i + 1], one, tuple(noise[i : i + 1] for noise in noises))
        assert difference(alone[0], both[i]) < 1e-3


def test_the_translator_reads_the_prompt(awake):
    sketch = Image.new("L", (128, 128), "white")
    ImageDraw.Draw(sketch).ellipse((30, 30, 100, 100), outline="black", width=3)
    translator = FamilyTranslator(awake, read=read_captions)
    picture = translator(sketch, "a red apple", seed=1)
    assert picture.size == (128, 128)
    assert picture.tobytes() == translator(sketch, "a red apple", seed=1).tobytes()
    assert picture.tobytes() != translator(sketch, "a blue fish", seed=1).tobytes()
    hint = Image.new("L", (128, 128))
    together = translator.many([hint, hint], ["a red apple", "a blue fish"], [1, 2])
    assert together[1].tobytes() == translator.many([hint], ["a blue fish"], [2])[0].tobytes()
    assert not as_hint(hint).any()


def tiny_stock():
    pictures = (torch.rand(4, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 255).byte()
    lines = torch.zeros(4, 128, 16, dtype=torch.uint8)
    lines[:, 40:80, 4:9] = 24
    return Stock(pictures, lines, lines.clone(), ["a cat", "a dog", "a tree", "a red house"])


def test_it_trains_all_three_parts_and_comes_back_from_its_file(tmp_path):
    stock = tiny_stock()
    kept = told_of(stock, tmp_path / "told.pt")
    assert kept.tokens.dtype == torch.half and kept.seen.shape == (4, WIDTH)
    assert torch.equal(told_of(stock, tmp_path / "told.pt").seen, kept.seen)
    assert difference(kept.embedding.float(), read_captions(stock.captions).embedding) < 1e-3
    torch.manual_seed(0)
    family = build("cascade")
    before = {name: value.clone() for name, value in family.state_dict().items()}
    fitting = Fitting(family, stock, told=kept, steps=3, batch_size=4, device="cpu")
    said = fitting.update()
    assert set(said) == {"base loss", "upsampler loss", "prior loss"}
    fitting.run()
    for part in ("base.", "upsampler.", "prior."):
        assert any(
            name.startswith(part) and difference(value, before[name]) > 0 for name, value in family.state_dict().items()
        )
    file = save_family(family, Facts(0.1, 3, 5), tmp_path / "cascade.safetensors")
    hints = stock.batch(1, torch.Generator().manual_seed(0)).hints
    other = save_family(UnCLIP(), Facts(0.1, 3, 5), tmp_path / "unclip.safetensors")
    for name, saved in (("cascade", file), ("unclip", file), ("cascade", other)):
        again, facts = load_family(name, saved)
        assert again.name == name and facts == Facts(0.1, 3, 5)
    with pytest.raises(InputError, match="no weights of vae"):
        load_family("vae", file)
    again, _ = load_family("cascade", tmp_path / "cascade.safetensors")
    text = told(1)
    for name, value in again.state_dict().items():
        assert torch.allclose(value, family.state_dict()[name], rtol=2**-6, atol=1e-6), name
    with torch.no_grad():
        for one in (family, again):
            one.STEPS, one.UP_STEPS = 3, 2
        made = [one.generate(hints, torch.Generator().manual_seed(0), text) for one in (family, again)]
    assert difference(*made) < 0.2
