"""The control network of the theory equals diffusers', and the shapes that lesson 14 leads are what they say."""

import pytest
import torch
from torch import nn

from s2i_teach.lessons.shapes import inside, overlap, shapes
from s2i_teach.theory.control import (
    ControlNet,
    HintEmbedding,
    WayDown,
    add_control,
    control_for,
    conv_gradients,
    led,
    way_up,
)
from s2i_teach.theory.measure import max_difference
from s2i_teach.theory.unet import UNet


def random_weights(model: nn.Module, seed: int) -> nn.Module:
    """Every parameter drawn anew, zeros included, so that no two parts agree by accident."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model


# Against diffusers


class TheirWayDown(nn.Module):
    """The way down of a diffusers U-Net or ControlNet, made of its own blocks under their own names."""

    def __init__(self, model, words):
        super().__init__()
        self.conv_in, self.time_proj, self.time_embedding = model.conv_in, model.time_proj, model.time_embedding
        self.down_blocks, self.mid_block, self.words = model.down_blocks, model.mid_block, words

    def forward(self, x, t, hint=0.0):
        time = self.time_embedding(self.time_proj(t))
        h = self.conv_in(x) + hint
        skips = [h]
        for block in self.down_blocks:
            told = {"encoder_hidden_states": self.words} if getattr(block, "has_cross_attention", False) else {}
            h, made = block(h, time, **told)
            skips += made
        return skips, self.mid_block(h, time, encoder_hidden_states=self.words)


def their_way_up(unet, skips, middle, t, words):
    """The way up of a diffusers U-Net, by its own blocks."""
    time, h, skips = unet.time_embedding(unet.time_proj(t)), middle, list(skips)
    for block in unet.up_blocks:
        count = len(block.resnets)
        told = {"encoder_hidden_states": words} if getattr(block, "has_cross_attention", False) else {}
        h = block(h, tuple(skips[-count:]), time, **told)
        del skips[-count:]
    return unet.conv_out(unet.conv_act(unet.conv_norm_out(h)))


def our_name(name: str, residuals: int, embedding: int) -> str:
    """A weight of diffusers' ControlNetModel as it is called here."""
    part, _, rest = name.partition(".")
    if part == "controlnet_cond_embedding":
        kind, _, rest = rest.partition(".")
        if kind == "blocks":
            number, _, rest = rest.partition(".")
            return f"hint.{2 + 2 * int(number)}.{rest}"
        return f"hint.{0 if kind == 'conv_in' else embedding - 1}.{rest}"
    if part == "controlnet_down_blocks":
        return f"zero.{rest}"
    return f"zero.{residuals - 1}.{rest}" if part == "controlnet_mid_block" else f"copy.{name}"


@pytest.fixture(scope="module")
def theirs():
    from diffusers import ControlNetModel, UNet2DConditionModel

    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=12,
        attention_head_dim=4,
        norm_num_groups=4,
    )
    control = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 6, 10), conditioning_channels=3)
    return random_weights(unet, 0).eval(), random_weights(control, 1).eval()


def inputs(seed=2):
    generator = torch.Generator().manual_seed(seed)
    x, words = torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, 5, 12, generator=generator)
    return x, torch.tensor([3, 700]), words, torch.rand(2, 3, 32, 32, generator=generator)


@torch.no_grad()
def test_the_control_network_is_diffusers_control_network(theirs):
    unet, control = theirs
    x, t, words, hint = inputs()
    way_down = TheirWayDown(unet, words)
    skips, middle = way_down(x, t)
    embedding = HintEmbedding(3, (4, 6, 10), 8)
    ours = ControlNet(way_down, [h.shape[1] for h in (*skips, middle)], embedding)
    state = control.state_dict()
    ours.load_state_dict({our_name(name, len(ours.zero), len(embedding)): state[name] for name in state})
    for scale in (1.0, 0.3):
        their_skips, their_middle = control(
            x, t, words, controlnet_cond=hint, conditioning_scale=scale, return_dict=False
        )
        residuals = ours(x, t, hint)
        assert len(residuals) == len(their_skips) + 1 and max(r.abs().max() for r in residuals) > 0.1
        for one, other in zip(residuals, [*their_skips, their_middle], strict=True):
            assert max_difference(scale * one, other) <= 1e-5 * max(1, other.abs().max())
        expected = unet(
            x,
            t,
            words,
            down_block_additional_residuals=tuple(their_skips),
            mid_block_additional_residual=their_middle,
        ).sample
        found = their_way_up(unet, *add_control(skips, middle, residuals, scale), t, words)
        assert max_difference(found, expected) <= 1e-5 * max(1, expected.abs().max())
        assert max_difference(expected, unet(x, t, words).sample) > 1e-2, "the residuals do something"


@torch.no_grad()
def test_an_untrained_one_is_diffusers_untrained_one(theirs):
    """Which weights start at zero: the same ones here and there."""
    from diffusers import ControlNetModel

    control = ControlNetModel.from_unet(theirs[0], conditioning_embedding_out_channels=(4, 6, 10))
    embedding = HintEmbedding(3, (4, 6, 10), 8)
    ours = ControlNet(WayDown(UNet(widths=(8, 16))), [8, 16, 16], embedding)
    zero = {our_name(name, 9, len(embedding)) for name, value in control.state_dict().items() if not value.any()}
    assert {name.partition(".")[0] for name in zero} == {"hint", "zero"}
    assert {name for name, value in ours.hint.named_parameters(prefix="hint") if not value.any()} == {
        name for name in zero if name.startswith("hint")
    }
    assert not any(value.any() for value in ours.zero.parameters())


# Beside our own U-Net


@pytest.fixture
def pair():
    unet = random_weights(UNet(channels=3, widths=(8, 16, 24), attention=(1, 2)), 3)
    torch.manual_seed(0)
    return unet, control_for(unet, hint_channels=1, hint_widths=(4,))


def batch(seed=4, hint_channels=1):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 3, 16, 24, generator=generator)
    return x, torch.tensor([5, 900]), torch.rand(2, hint_channels, 16, 24, generator=generator)


def test_the_two_halves_are_the_unet(pair):
    x, t, _ = batch()
    assert torch.equal(way_up(pair[0], *WayDown(pair[0])(x, t), t), pair[0](x, t))


def test_an_untrained_control_changes_nothing(pair):
    """To the last bit, whatever hint and scale: adding 0 is exact."""
    x, t, hint = batch()
    for scale in (0.0, 1.0, 5.0):
        assert torch.equal(led(*pair, x, t, hint, scale), pair[0](x, t))


def test_a_trained_one_is_led_by_hint_and_scale(pair):
    unet, control = pair
    random_weights(control, 5)
    x, t, hint = batch()
    plain, at_one = unet(x, t), led(unet, control, x, t, hint)
    assert max_difference(plain, at_one) > 1e-2
    assert max_difference(at_one, led(unet, control, x, t, hint.flip(0))) > 1e-3
    assert torch.equal(led(unet, control, x, t, hint, scale=0.0), plain)
    assert max_difference(led(unet, control, x, t, hint)[:1], led(unet, control, x[:1], t[:1], hint[:1])) < 1e-4


def test_the_unet_is_kept_and_its_copy_is_a_copy(pair):
    unet, control = pair
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    unet.requires_grad_(False)
    x, t, hint = batch()
    optimizer = torch.optim.SGD(control.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (led(unet, control, x, t, hint) - 1).square().mean().backward()
        optimizer.step()
    assert all(torch.equal(value, before[name]) for name, value in unet.state_dict().items())
    assert any(value.any() for value in control.zero.parameters())
    frozen = control_for(unet)  # of a U-Net that is not trained any more, the copy is
    assert all(parameter.requires_grad for parameter in frozen.parameters())
    assert not any(parameter.requires_grad for parameter in unet.parameters())


def test_what_learns_at_the_first_step_and_what_later(pair):
    """The gradient reaches the zero convolutions at once; copy and hint wait until these have left zero."""
    unet, control = pair
    x, t, hint = batch()
    optimizer = torch.optim.SGD(control.parameters(), lr=0.1)

    def sizes():
        control.zero_grad()
        (led(unet, control, x, t, hint) - 1).square().mean().backward()
        parts = {"zero": control.zero, "copy": control.copy.middle, "last": control.hint[-1], "first": control.hint[0]}
        return {name: sum(p.grad.abs().sum().item() for p in part.parameters()) for name, part in parts.items()}

    found = []
    for _ in range(3):
        found.append(sizes())
        optimizer.step()
    learns = [{name for name, size in step.items() if size > 0} for step in found]
    assert learns == [{"zero"}, {"zero", "copy", "last"}, {"zero", "copy", "last", "first"}]


@pytest.mark.parametrize("zero", [True, False])
def test_the_gradients_are_autograd_s(zero):
    generator = torch.Generator().manual_seed(6)
    w, x = torch.randn(5, 3, generator=generator), torch.randn(2, 3, 4, 6, generator=generator)
    w, x = (w * (not zero)).requires_grad_(), x.requires_grad_()
    y = torch.nn.functional.conv2d(x, w[:, :, None, None])
    grad_y = torch.randn(y.shape, generator=generator)
    y.backward(grad_y)
    of_w, of_x = conv_gradients(w.detach(), x.detach(), grad_y)
    assert max_difference(of_w, w.grad) <= 1e-5 and max_difference(of_x, x.grad) <= 1e-5
    assert of_w.abs().min() > 0 and bool(of_x.any()) != zero


def test_the_hint_is_brought_to_the_features_size():
    """Each width after the first halves the side: 128 pixels become the 16 of a latent."""
    features = HintEmbedding(3, (16, 32, 96, 256), 24)(torch.rand(2, 3, 128, 64))
    assert features.shape == (2, 24, 16, 8) and not features.any()
    assert HintEmbedding(1, (4,), 8)(torch.rand(1, 1, 24, 24)).shape == (1, 8, 24, 24)


def test_residuals_that_do_not_fit_are_refused(pair):
    skips, middle = WayDown(pair[0])(*batch()[:2])
    with pytest.raises(ValueError, match="argument 2"):
        add_control(skips, middle, [*skips, middle, middle])


# Lesson 14's shapes


def test_shapes_are_what_their_outlines_enclose():
    x, outlines = shapes(200, torch.Generator().manual_seed(0))
    assert x.shape == (200, 3, 24, 24) and outlines.shape == (200, 1, 24, 24)
    assert x.min() >= -1 and x.max() <= 1 and outlines.min() >= 0 and outlines.max() <= 1
    assert (x[:, :, [0, -1]] == 1).all() and (x[..., [0, -1]] == 1).all(), "white paper around each"
    assert overlap(x, outlines).min() > 0.55 and overlap(x, outlines).mean() > 0.75
    assert overlap(x.roll(1, 0), outlines).mean() < 0.5
    assert overlap(torch.ones_like(x), outlines).max() == 0
    again, _ = shapes(200, torch.Generator().manual_seed(0))
    assert torch.equal(x, again)


def test_inside_is_what_cannot_be_reached_from_the_border():
    outline = torch.zeros(1, 1, 9, 9)
    outline[0, 0, 2:7, 2:7] = 1
    outline[0, 0, 3:6, 3:6] = 0
    assert inside(outline)[0, 0].sum() == 25 and inside(torch.zeros(1, 1, 9, 9)).sum() == 0
    outline[0, 0, 2, 4] = 0  # a gap, through which the outside comes in
    assert inside(outline)[0, 0].sum() == 15


# The exercises' own tools


def test_one_step_leaves_the_layer_alone_and_goes_downhill():
    from s2i_teach.lessons.lesson14 import joins, probe
    from s2i_teach.theory.first_step import one_step

    x, target = probe()
    for name, layer in joins().items():
        before = [weight.clone() for weight in layer.parameters()]
        moved = one_step(layer, x, target)
        assert all(torch.equal(a, b) for a, b in zip(before, layer.parameters(), strict=True)), name
        losses = [(network(x) - target).square().mean().item() for network in (layer, moved)]
        assert losses[1] <= losses[0], name


def test_which_joins_are_silent_and_learn():
    """Against many steps rather than one: what learns in the first also listens after fifty, what does not never does."""
    from s2i_teach.lessons.lesson14 import joins, probe
    from s2i_teach.theory.first_step import one_step, silent_and_learning

    x, target = probe(3)
    for name, layer in joins(3).items():
        silent, learning = silent_and_learning(layer, x, target)
        assert silent == (layer(x).abs().max() == 0), name
        trained = layer
        for _ in range(50):
            trained = one_step(trained, x, target)
        fewer = [network(x) - network(torch.zeros_like(x)) for network in (layer, trained)]
        assert (max_difference(*fewer) > 1e-3) == learning, name


def test_right_answers_written_another_way_pass():
    import numpy as np

    import s2i_teach as s2i

    def conv_gradients(w, x, grad_y):
        pixels, g = x.transpose(0, 1).flatten(1), grad_y.transpose(0, 1).flatten(1)
        back = (w.T @ g).view(x.shape[1], x.shape[0], *x.shape[2:]).transpose(0, 1)
        return g @ pixels.T, back

    def silent_and_learning(layer, x, target):
        y = layer(x)
        weights = [w for w in layer.parameters() if w.requires_grad and w.dim() != 1]
        if not weights:
            return bool((y == 0).all()), False
        gradients = torch.autograd.grad((y * target).sum(), weights)
        return bool((y == 0).all()), any(bool(g.any()) for g in gradients)

    def add_control(skips, middle, residuals, scale=1.0):
        every = [h + residuals[i] * scale for i, h in enumerate([*skips, middle])]
        return every[:-1], every[-1]

    def what_helped(unled, other, right):
        def shown(gain):
            gain = gain.numpy().astype(float)
            return gain.mean() / (gain.std(ddof=1) / np.sqrt(gain.size)) > 2

        if shown(unled - right):
            return "the hint" if shown(other - right) else "the training alone"
        return "the hint is read, nothing is gained" if shown(other - right) else "nothing is shown"

    lesson = s2i.lesson(14)
    for seed in range(3):
        for answer in (conv_gradients, silent_and_learning, add_control, what_helped):
            outcome = getattr(lesson, answer.__name__).judge(answer, seed)
            assert outcome.passed, (answer.__name__, outcome)


def test_answers_that_are_no_booleans_hear_what_to_do():
    import s2i_teach as s2i

    exercise = s2i.lesson(14).silent_and_learning
    message = exercise.judge(lambda layer, x, target: ((layer(x) == 0).all(), torch.tensor(True))).message
    assert message == "the answers are Tensor and Tensor: make them True or False, bool(…)."
    assert "two answers" in exercise.judge(lambda layer, x, target: True).message


def test_what_helped_is_told_from_chance():
    """Of sets without any difference it says so nearly always: two questions, each wrong one time in forty."""
    from s2i_teach.evaluate.effects import what_helped

    generator = torch.Generator().manual_seed(0)
    said = []
    for _ in range(400):
        hard = torch.rand(64, generator=generator)
        losses = [hard + 0.01 * torch.randn(64, generator=generator) for _ in range(3)]
        said.append(what_helped(*losses))
    assert said.count("nothing is shown") > 0.9 * len(said) and said.count("the hint") < 0.05 * len(said)
