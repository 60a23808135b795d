"""Half precision: the formats are torch's, weights are counted as they lie in memory, and lost pictures are decoded anew."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import s2i_teach as s2i
from s2i_teach.lessons.lesson15 import Decoder
from s2i_teach.models.measure import AliveBytes, measured
from s2i_teach.theory.attention import sliced_attention
from s2i_teach.theory.precision import answers_rounded, bits_of, decode_safely, spacing, weight_bytes

FORMATS = {torch.float64: (11, 52), torch.float32: (8, 23), torch.float16: (5, 10), torch.bfloat16: (8, 7)}


@pytest.mark.parametrize("dtype", FORMATS)
def test_bits_and_spacing_are_those_of_the_format(dtype):
    exponent, fraction = bits_of(dtype)
    assert (exponent, fraction) == FORMATS[dtype]
    about = torch.finfo(dtype)
    assert spacing(1.0, dtype) == about.eps and spacing(1000.0, dtype) == about.eps * 512
    assert math.isinf(spacing(about.max, dtype)), "there is nothing beyond the largest"
    for x in (1.0, 0.3, 1000.0):
        here = torch.tensor(x, dtype=dtype)
        if dtype in (torch.float32, torch.float64):
            there = torch.nextafter(here, torch.tensor(torch.inf, dtype=dtype))
            assert spacing(x, dtype) == (there.double() - here.double()).item()
        assert here + spacing(x, dtype) > here


def test_weights_are_counted_as_they_lie_in_memory(tiny_pipe):
    parts = [tiny_pipe.unet, tiny_pipe.vae, tiny_pipe.text_encoder]
    for dtype in (torch.float32, torch.float16):
        moved = [copy.deepcopy(part).to(dtype) for part in parts]
        storages = {
            t.untyped_storage().data_ptr(): t.untyped_storage().nbytes()
            for part in moved
            for t in (*part.parameters(), *part.buffers())
        }
        assert weight_bytes(parts, dtype) == sum(storages.values())
        assert weight_bytes(parts + parts[:1], dtype) == weight_bytes(parts, dtype)


def test_weights_that_are_nowhere_are_counted_too():
    with torch.device("meta"):
        network = nn.Sequential(nn.Linear(1000, 1000), nn.BatchNorm1d(1000))
    assert weight_bytes([network], torch.float16) == 2 * (1000 * 1001 + 4 * 1000) + 8


def test_the_imitation_of_half_precision_rounds_each_layer_and_leaves_no_trace(tiny_pipe):
    decoder, z = tiny_pipe.vae.decoder, torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = decoder(z)
        for dtype in (torch.float16, torch.bfloat16):
            with answers_rounded(decoder, dtype):
                rounded = decoder(z)
            assert rounded.dtype == torch.float32 and torch.equal(rounded, rounded.to(dtype).float())
            real = copy.deepcopy(decoder).to(dtype)(z.to(dtype)).float()
            tone = torch.finfo(dtype).eps * exact.abs().max()
            assert 0 < (rounded - exact).abs().max() < 30 * tone and (rounded - real).abs().max() < 60 * tone
        assert torch.equal(decoder(z), exact)


def test_the_hooks_go_where_the_network_fails():
    layer = nn.Linear(2, 2)
    with pytest.raises(RuntimeError), answers_rounded(layer, torch.float16):
        layer(torch.zeros(3))
    assert not layer._forward_hooks


def test_only_what_failed_is_decoded_anew():
    z = torch.rand(4, 4, 2, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    z[:, 3] = -1
    z[2, 0, 0, 0] = 4.0
    decode = Decoder(200.0)
    pictures = decode_safely(decode, z, torch.float16)
    assert decode.asked == [(torch.float16, 4), (torch.float32, 1)]
    assert pictures.dtype == torch.float32 and torch.isfinite(pictures).all()
    assert torch.equal(pictures[2], Decoder(200.0)(z)[2])
    assert torch.equal(pictures[:2], Decoder(200.0)(z.half()).float()[:2])
    decode = Decoder(200.0)
    decode_safely(decode, z, torch.bfloat16)
    assert decode.asked == [(torch.bfloat16, 4)], "bf16 does not overflow here"


@pytest.mark.parametrize("slice_size", [1, 7, 16, 100])
@pytest.mark.parametrize("shape", [(2, 3, 33, 8), (16, 4)])
def test_slices_are_torch_s_attention_and_the_peak_is_theirs(shape, slice_size):
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(shape, generator=generator)
    k, v = (torch.randn(*shape[:-2], 64, shape[-1], generator=generator) for _ in range(2))
    with AliveBytes() as memory:
        out = sliced_attention(q, k, v, slice_size)
    assert (out - F.scaled_dot_product_attention(q, k, v)).abs().max() < 1e-5
    table = math.prod(shape[:-2]) * min(slice_size, shape[-2]) * 64 * 4
    assert memory.largest == max(table, out.nbytes)


def test_a_table_that_is_too_large_is_refused_with_its_size():
    exercise = s2i.lesson(15).sliced_attention

    def cut_afterwards(q, k, v, slice_size):
        weights = torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1)
        return torch.cat([part @ v for part in weights.split(slice_size, -2)], -2)

    def two_at_a_time(q, k, v, slice_size):
        return sliced_attention(q, k, v, slice_size * 2)

    assert "all queries are asked at once" in exercise.judge(cut_afterwards).message
    assert "has room for the weights of 12 queries, where slice_size is 6" in exercise.judge(two_at_a_time).message


def test_another_wrong_decoding_says_what_is_left_or_how_much_was_done():
    judge = s2i.lesson(15).decode_safely.judge

    def only_the_first(decode, latents, dtype):
        pictures = decode(latents.to(dtype)).float()
        if not torch.isfinite(pictures).all():
            bad = (~torch.isfinite(pictures)).flatten(1).any(1).nonzero()[0]
            pictures[bad] = decode(latents[bad])
        return pictures

    def twice(decode, latents, dtype):
        decode_safely(decode, latents, dtype)
        return decode_safely(decode, latents, dtype)

    assert judge(only_the_first).message == "some pictures are still not finite."
    assert judge(twice).message == "6 pictures were decoded in half precision and 0 in fp32: 3 and 0 are needed."


def test_measured_tells_the_peak_and_the_time():
    calls = []

    def run():
        calls.append(len(calls))
        return torch.zeros(1000) + 1

    peak, seconds = measured(run, torch.device("cpu"), repeats=2)
    assert peak == 8000 and 0 < seconds < 1 and len(calls) == 4
