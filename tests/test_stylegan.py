"""The StyleGAN family: its convolution against a brute force, its seeds, its mixing, and a step of each part."""

import math

import pytest
import torch
import torch.nn.functional as F

from s2i_teach.families.catalog import build, load_family
from s2i_teach.families.stylegan import LAYERS, SIDES, WIDTHS, Mapping, draw, mixed, modulated_conv2d
from s2i_teach.training.families import Fitting, Stock, facts_of, save_family

torch.set_num_threads(1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def apart(a: torch.Tensor, b: torch.Tensor) -> float:
    return (a - b).abs().max().item()


@pytest.fixture(scope="module")
def family():
    torch.manual_seed(1)
    family = build("stylegan").eval()
    with torch.no_grad():  # as after some training: noise is heard
        for layer in (*family.synthesis.first, *family.synthesis.second):
            layer.strength.fill_(0.1)
    return family.requires_grad_(False)


@pytest.fixture(scope="module")
def hints():
    return (torch.rand(4, 1, 128, 128, generator=seeded(3)) < 0.1).float()


@pytest.fixture()
def stock():
    """Six pages of noise: lines in packed bits, insides of the left half."""
    g = seeded(5)
    pictures = torch.randint(0, 256, (6, 3, 128, 128), generator=g, dtype=torch.uint8)
    lines = torch.randint(0, 256, (6, 128, 16), generator=g, dtype=torch.uint8)
    inside = torch.zeros(6, 128, 16, dtype=torch.uint8)
    inside[:, :, :8] = 255
    return Stock(pictures, lines, inside, ["a thing"] * 6)


def arguments(kernel: int, batch: int = 3):
    g = seeded(kernel)
    x = torch.randn(batch, 5, 9, 7, generator=g)
    return x, torch.randn(4, 5, kernel, kernel, generator=g), 1 + torch.randn(batch, 5, generator=g)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("demodulate", [True, False])
def test_modulated_convolution_is_each_picture_with_weights_of_its_own(kernel, demodulate):
    x, weight, style = arguments(kernel)
    made = modulated_conv2d(x, weight, style, demodulate)
    for n in range(len(x)):
        own = torch.empty_like(weight)
        for j in range(4):
            for i in range(5):
                own[j, i] = style[n, i] * weight[j, i]
            if demodulate:
                own[j] /= math.sqrt(own[j].pow(2).sum().item() + 1e-8)
        assert apart(made[n : n + 1], F.conv2d(x[n : n + 1], own, padding=kernel // 2)) < 1e-5


def test_modulated_convolution_is_the_grouped_one():
    x, weight, style = arguments(3)
    own = weight[None] * style[:, None, :, None, None]
    own = own / (own.pow(2).sum((2, 3, 4), keepdim=True) + 1e-8).sqrt()
    grouped = F.conv2d(x.reshape(1, 15, 9, 7), own.reshape(12, 5, 3, 3), padding=1, groups=3).view(3, 4, 9, 7)
    assert apart(modulated_conv2d(x, weight, style), grouped) < 1e-5


def test_demodulated_outputs_have_variance_one_whatever_the_style():
    g = seeded(2)
    x, weight = torch.randn(2, 32, 64, 64, generator=g), 3 * torch.randn(16, 32, 3, 3, generator=g)
    style = torch.stack([torch.ones(32), 20 * torch.rand(32, generator=g)])
    inner = modulated_conv2d(x, weight, style)[:, :, 1:-1, 1:-1]
    assert (inner.var((2, 3)) - 1).abs().max() < 0.15
    plain = modulated_conv2d(x, weight, style, demodulate=False)[:, :, 1:-1, 1:-1]
    assert plain.var((2, 3)).min() > 1000, "without equation 3 the style's and the weight's size stay"


def test_mapping_hears_the_direction_of_z_and_not_its_length():
    mapping = Mapping()
    z = torch.randn(2, 32, generator=seeded())
    assert apart(mapping(z), mapping(7 * z)) < 1e-4
    assert apart(mapping(z), mapping(-z)) > 0.1


def test_pictures_follow_the_seed(family, hints):
    first, again, other = (family.generate(hints, seeded(seed)) for seed in (0, 0, 1))
    assert first.shape == (4, 3, 128, 128) and torch.equal(first, again)
    assert apart(first, other) > 0.01


def test_z_and_noise_each_change_the_picture(family, hints):
    z, noise = draw(4, seeded(0), hints)
    other, others = draw(4, seeded(1), hints)
    made = family.synthesis(*family.told(hints, z), noise)
    assert apart(made, family.synthesis(*family.told(hints, other), noise)) > 0.01
    assert apart(made, family.synthesis(*family.told(hints, z), others)) > 0.01


def test_mixing_ends_in_one_sketch_s_styles_or_the_other_s(family, hints):
    a, b = hints[:2], hints[2:]
    assert torch.equal(family.mix(a, b, seeded(4), LAYERS), family.generate(a, seeded(4)))
    g = seeded(4)
    z, noise = draw(2, g, a)
    start, _ = family.told(a, z)
    _, styles = family.told(b, torch.randn(z.shape, generator=g))
    assert torch.equal(family.mix(a, b, seeded(4), 0), family.synthesis(start, styles, noise))
    between = family.mix(a, b, seeded(4), 2)
    assert apart(between, family.mix(a, b, seeded(4), 0)) > 1e-3 < apart(between, family.mix(a, b, seeded(4), LAYERS))


def test_mixed_styles_change_at_the_crossover_of_each_picture():
    a, b = torch.zeros(3, LAYERS, 2), torch.ones(3, LAYERS, 2)
    for crossover in range(LAYERS + 1):
        assert mixed(a, b, crossover)[0, :, 0].tolist() == [0] * crossover + [1] * (LAYERS - crossover)
    each = mixed(a, b, torch.tensor([[0], [2], [99]]))
    assert each.sum((1, 2)).tolist() == [2 * LAYERS, 2 * (LAYERS - 2), 0]


def test_nothing_of_a_sketch_but_its_map_and_its_styles_is_seen(family, hints):
    start, styles = family.encoder(hints)
    assert start.shape == (4, WIDTHS[0], SIDES[0], SIDES[0]) and styles.shape == (4, LAYERS, 64)
    assert sum(value.numel() for value in family.shipped().values()) <= 600_000
    assert not any(name.startswith(("critic", "look")) for name in family.shipped())


def test_each_part_s_step_leaves_the_other_alone(stock):
    fitting = Fitting(build("stylegan"), stock, steps=10, batch_size=4, device="cpu")
    family, seen = fitting.family, []

    def weights(name):
        return torch.cat([value.detach().flatten() for value in fitting.parameters[name]])

    steps = family.losses(stock.batch(4, seeded()), seeded())
    for name, losses in steps:
        before = {part: weights(part) for part in fitting.parameters}
        fitting._learn(name, losses["loss"], 1e-3)
        for part, values in before.items():
            assert torch.equal(values, weights(part)) == (part != name), (name, part)
        seen.append(name)
    assert seen == ["network", "critic"]


def test_a_few_steps_stay_finite_and_lower_the_error(stock):
    fitting = Fitting(build("stylegan"), stock, steps=30, batch_size=4, device="cpu")
    said = [fitting.update() for _ in range(12)]
    assert all(math.isfinite(value) for one in said for value in one.values())
    assert said[-1]["network l1"] < said[0]["network l1"]


def test_weights_are_saved_and_loaded(tmp_path, hints, stock):
    fitting = Fitting(build("stylegan"), stock, steps=2, batch_size=2, device="cpu")
    family = fitting.run()
    file = save_family(family, facts_of(fitting), tmp_path / "stylegan.safetensors")
    loaded, facts = load_family("stylegan", file)
    assert facts.steps == 2 and facts.parameters == sum(value.numel() for value in loaded.state_dict().values()) - sum(
        value.numel() for name, value in loaded.state_dict().items() if name.startswith(("critic.", "look."))
    )
    assert apart(family.generate(hints, seeded()), loaded.generate(hints, seeded())) < 0.05
