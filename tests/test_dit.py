"""The diffusion transformer equals diffusers', to 1e-5 by the maximum of |a − b|, with the same weights."""

import pytest
import torch
from diffusers import DiTTransformer2DModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.embeddings import get_2d_sincos_pos_embed
from torch import nn

from s2i_teach.theory.dit import DiT, DiTBlock, patchify, position_embedding, unpatchify
from s2i_teach.theory.measure import max_difference
from s2i_teach.theory.unet import timestep_embedding


class Told(nn.Module):
    """Stands where diffusers embeds time and class: tells the block the condition that it is given."""

    def __init__(self, condition):
        super().__init__()
        self.condition = condition

    def forward(self, timestep, class_labels, hidden_dtype=None):
        return self.condition


def random_weights(model, seed=0):
    """Also where they start at 0, or a wrong gate could not be seen."""
    generator = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.2, generator=generator)
    return model


def fill(theirs, ours, condition):
    """A block's weights into diffusers' block, all of them, and the condition in place of its own embedding."""
    names = {"attention": "attn1", "mlp.0": "ff.net.0.proj", "mlp.2": "ff.net.2", "six": "norm1.linear"}
    state = {}
    for key, value in ours.state_dict().items():
        [name] = [name for name in names if key.startswith(f"{name}.")]
        state[names[name] + key.removeprefix(name)] = value
    theirs.norm1.emb = Told(condition)
    theirs.load_state_dict(state)


def draw(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_block_is_diffusers_block():
    ours = random_weights(DiTBlock(16, heads=2))
    theirs = BasicTransformerBlock(
        16,
        num_attention_heads=2,
        attention_head_dim=8,
        activation_fn="gelu-approximate",
        num_embeds_ada_norm=1,
        norm_type="ada_norm_zero",
        norm_elementwise_affine=False,
        norm_eps=1e-6,
    )
    x, condition = draw(3, 5, 16), draw(3, 16, seed=2)
    fill(theirs, ours, condition)
    answer = ours(x, condition)
    assert max_difference(answer, theirs(x, timestep=torch.zeros(3), class_labels=torch.zeros(3))) <= 1e-5
    assert max_difference(answer, x) > 0.1  # the gates are open


@torch.no_grad()
def test_the_transformer_is_diffusers_transformer():
    """With patches and places, so that a picture that is turned or mirrored on the way would be seen."""
    ours = random_weights(DiT(channels=3, patch_size=2, width=16, depth=2, heads=2))
    theirs = DiTTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=3,
        num_layers=2,
        attention_bias=False,
        sample_size=8,
        patch_size=2,
        num_embeds_ada_norm=1,
        norm_eps=1e-6,
    )
    x, t = draw(3, 3, 8, 8), torch.tensor([0, 500, 999])
    condition = ours.time(timestep_embedding(t, 16))
    for their_block, block in zip(theirs.transformer_blocks, ours.blocks, strict=True):
        fill(their_block, block, condition)
    kernel = ours.embed.weight.unflatten(1, (2, 2, 3)).permute(0, 3, 1, 2)  # a row of weights as a convolution's kernel
    theirs.pos_embed.proj.load_state_dict({"weight": kernel, "bias": ours.embed.bias})
    theirs.proj_out_1.load_state_dict(ours.two.state_dict())
    theirs.proj_out_2.load_state_dict(ours.out.state_dict())
    answer = ours(x, t)
    assert max_difference(answer, theirs(x, timestep=t, class_labels=torch.zeros(3)).sample) <= 1e-5
    assert max_difference(answer, ours(x, t.flip(0))) > 0.1  # the time counts


def test_a_new_block_is_the_identity_and_a_new_transformer_answers_zero():
    x, condition = draw(2, 5, 16), draw(2, 16, seed=2)
    assert torch.equal(DiTBlock(16)(x, condition), x)
    model, picture, t = DiT(width=16, depth=1), draw(2, 3, 8, 12), torch.tensor([3, 900])
    assert torch.equal(model(picture, t), torch.zeros_like(picture))
    random_weights(model)
    model(picture, t).square().sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in model.parameters())
    assert max_difference(model(picture, t)[1:], model(picture[1:], t[1:])) <= 1e-5  # pictures of a batch do not mix


def test_patches_are_cut_row_by_row_and_put_together_again():
    x = draw(2, 3, 4, 12)
    tokens = patchify(x, 2)
    assert tokens.shape == (2, 12, 12)
    assert torch.equal(unpatchify(tokens, 2, 4, 12), x)
    seventh = x[:, :, 2:4, 2:4]  # the second patch of the second row of six
    assert torch.equal(tokens[:, 7].unflatten(1, (2, 2, 3)), seventh.permute(0, 2, 3, 1))


def test_places_are_diffusers_places_and_all_different():
    theirs = get_2d_sincos_pos_embed(16, 4, base_size=4, output_type="pt")
    assert max_difference(position_embedding(4, 4, 16), theirs) <= 1e-6
    ours = position_embedding(3, 5, 16)
    assert ours.shape == (15, 16) and torch.equal(ours[:5, 8:], ours[:1, 8:].expand(5, -1))  # one row, many columns
    assert torch.cdist(ours, ours).fill_diagonal_(1).min() > 0.1


def test_without_places_attention_sees_a_set():
    """What the text says of attention: the tokens in another order give the same answers in that order."""
    block, x, condition = random_weights(DiTBlock(16)), draw(2, 6, 16), draw(2, 16, seed=2)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    assert max_difference(block(x[:, order], condition), block(x, condition)[:, order]) <= 1e-5


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: patchify(draw(1, 3, 8, 9), 4), "8 × 9 cannot be cut into patches of side 4: use a divisor."),
        (lambda: patchify(draw(1, 3, 8, 8), 0), "8 × 8 cannot be cut into patches of side 0: use a divisor."),
        (lambda: unpatchify(draw(1, 5, 12), 2, 4, 4), "5 tokens are no picture of 2 × 2 patches: check the sides."),
        (lambda: position_embedding(2, 2, 6), "do not fit 6 channels: use a multiple of 4."),
        (lambda: DiT()(draw(1, 3, 10, 8), torch.tensor([0])), "10 × 8 cannot be cut into patches of side 4"),
        (lambda: DiT(width=18), "18 channels cannot be shared among 4 heads: choose a divisor."),
        (
            lambda: DiT(width=18, heads=2)(draw(1, 3, 8, 8), torch.tensor([0])),
            "do not fit 18 channels: use a multiple of 4.",
        ),
    ],
)
def test_what_cannot_be(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
