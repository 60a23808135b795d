"""What is counted agrees with worked-out numbers, with a real run, and with the formulas of lesson 7."""

import pytest
import torch
import torch.nn.functional as F

from s2i_teach.lessons.costs import as_markdown, latent_costs
from s2i_teach.models.measure import AliveBytes, count, nothing_computed
from s2i_teach.theory.cost import attention_flops, convolution_flops


@pytest.mark.parametrize("channels_in, channels_out, kernel, height, width", [(3, 8, 3, 16, 16), (5, 2, 1, 4, 7)])
def test_the_formula_for_convolutions(channels_in, channels_out, kernel, height, width):
    layer = torch.nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2)
    x = torch.zeros(1, channels_in, height, width)
    assert count(lambda: layer(x)).flops == convolution_flops(channels_in, channels_out, kernel, height, width)


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("height, width, channels", [(8, 8, 32), (3, 5, 16)])
def test_the_formula_for_attention(heads, height, width, channels):
    q = torch.zeros(1, heads, height * width, channels // heads)
    cost = count(lambda: F.scaled_dot_product_attention(q, q, q))
    assert cost.flops == cost.attention_flops == attention_flops(height, width, channels)


def test_memory_is_what_lives_at_once():
    def run():
        a = torch.zeros(1000)  # 4000 bytes
        b = a + 1
        del a
        b += 1  # in place: nothing new
        c = b.view(10, 100)[:5]  # a view: nothing new
        return (c * 2).sum()

    assert count(run).peak_bytes == 8000


def test_weights_and_inputs_do_not_count():
    x, w = torch.zeros(100, 100), torch.zeros(100, 100)
    assert count(lambda: x.t() @ w.t()).peak_bytes == 40_000


def test_a_part_of_the_memory():
    memory = AliveBytes()
    with memory:
        kept = torch.zeros(100)
        window = memory.open_window()
        inner = torch.zeros(200) + 1
        assert memory.close_window(window) == 1600
        del inner
        again = memory.open_window()
        assert memory.close_window(again) == 0
    assert memory.alive == 400 and memory.peak == 2000 and kept is not None


@pytest.mark.parametrize("side", [8, 16])
def test_counting_without_computing_equals_counting(tiny_pipe, side):
    inputs = torch.zeros(1, 4, side, side), 500, torch.zeros(1, 77, 32)
    real = count(lambda: tiny_pipe.unet(*inputs))
    with nothing_computed():
        unet = type(tiny_pipe.unet).from_config(tiny_pipe.unet.config)
        inputs = torch.zeros(1, 4, side, side), 500, torch.zeros(1, 77, 32)
        assert count(lambda: unet(*inputs)) == real
    assert real.flops > real.attention_flops > 0 and real.peak_bytes > 0


def test_latent_costs(tiny_pipe):
    said = []
    rows = latent_costs(tiny_pipe, (64, 128), flops_up_to=2e8, say=said.append)
    table = {(row.side, row.space): row for row in rows}
    assert table[64, "pixels"].numbers == 3 * 64 * 64 and table[64, "latents"].numbers == 4 * 8 * 8
    small, large = table[64, "pixels"].evaluation, table[128, "pixels"].evaluation
    assert 4 < large.flops / small.flops < 16  # convolutions grow fourfold, attention more
    assert large.attention_flops / small.attention_flops > 8
    assert large.peak_bytes / small.peak_bytes == pytest.approx(4, rel=0.01)
    run = [row for row in rows if row.seconds is not None]
    assert len(run) == len(said) and all(row.evaluation.flops <= 2e8 for row in run) and 0 < len(run) < len(rows)
    assert all((row.decode is None) == (row.space == "pixels") for row in rows)
    latents = table[64, "latents"]
    assert latents.picture_flops(20) == 20 * latents.evaluation.flops + latents.decode.flops
    assert latents.picture_seconds(20) == pytest.approx(20 * latents.seconds + latents.decode_seconds)
    lines = as_markdown(rows, 20).splitlines()
    assert len(lines) == 2 + len(rows) and len({line.count("|") for line in lines}) == 1
    assert any("not run" in line for line in lines)


def test_what_needs_too_much_memory_is_not_run(tiny_pipe):
    rows = latent_costs(tiny_pipe, (64,), bytes_up_to=1.0)
    assert all(row.seconds is None and row.picture_seconds(20) is None for row in rows)
