# %% [markdown]
# # Lesson 15. On the GPU
#
# {{badge}}
#
# All lessons so far ran on two CPU cores. Stable Diffusion itself wants a graphics card, and a graphics card has little memory. In this
# lesson you read the script that people run there, line by line. You find out what half precision can break, measure what memory is
# spent on, and plan an hour for a whole class.
#
# | | |
# |---|---|
# | **You will** | take a script apart and prove it equal to one call; repair black pictures; count weights; cut attention into slices; judge few-step models and what they cost; plan a class of thirty |
# | **Time** | two sittings: 65 minutes for sections 1 to 3, three exercises; 50 minutes for sections 4 to 6, one exercise |
# | **You need** | floats from lesson 1, attention from lesson 6, the VAE of lesson 7, the pipeline of lesson 8, the figures of lesson 12, the control network of lesson 14 |
# | **Hardware** | any computer, two CPU cores are enough; with a GPU the same cells take the real models |
# | **Download** | none for the miniatures; 6.2 GB for the real models, so have 8 GB free |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %% [markdown]
# ## Two lanes, the same cells
#
# This lesson has two *lanes*, two sets of models. The next cell decides which one you are in. If a GPU works and the models can be had, it takes Stable Diffusion. Otherwise it takes
# the miniatures. All later cells are the same in both lanes.
#
# **What we have measured, and what not.** We ran these cells with the miniatures on two CPU cores. We have *not* run them on a GPU. So the
# text names no second and no gigabyte of a GPU as a result. The cells print what *your* machine does, and the conclusions are made from
# that.

# %%
import math
import time

import matplotlib.pyplot as plt
import numpy as np
import torch

from s2i_teach.images import to_picture, to_tensor
from s2i_teach.lessons import predict
from s2i_teach.lessons.lanes import choose_lane, tidy
from s2i_teach.models.catalog import MODELS
from s2i_teach.models.devices import DTYPES, fitting_threads, one_thread
from s2i_teach.widgets.figures import COLOURS, DASHES, filmstrip, picture_row

lesson = s2i.lesson(15)
lane = choose_lane()  # choose_lane("the miniatures") takes these on a GPU, too
print(lane)

# %% [markdown]
# # First sitting: one card
#
# ## 1. The script, line by line
#
# The thesis used Stable Diffusion's img2img through diffusers, and so do most scripts that you find. They have these lines:
#
# ```python
# pipe = StableDiffusionImg2ImgPipeline.from_pretrained(name, torch_dtype=torch.float16)   # 1
# pipe = pipe.to("cuda")                                                                   # 2
# pipe.enable_attention_slicing()                                                          # 3
# generator = torch.Generator("cpu").manual_seed(0)                                        # 4
# picture = pipe(prompt, image=sketch, strength=0.75, guidance_scale=7.5,
#                num_inference_steps=50, generator=generator).images[0]                    # 5
# ```
#
# 1. **Load.** The weights are read from files into the computer's own memory. `torch_dtype` says as which type of float. Without it they
#    come as fp32 and take twice the room. Newer diffusers call it `dtype`. Colab's free computers have less memory of their own than the
#    card has. So a large model that is loaded as fp32 can fail *here*, before the card has seen it.
# 2. **Move.** The weights are copied to the card.
# 3. **Slice.** Attention is computed in parts. Section 3 measures what this wins.
# 4. **Draw.** The seed fixes the noise. A generator on the CPU gives the same numbers with every card. One on the card need not.
# 5. **Run.** Strength, guidance and steps are lessons 8, 6 and 5.
#
# Your lane now runs this script by hand. The files of the weights lie in a folder that the course's own loader has found. The miniature
# computes in one thread (`fitting_threads`), since the last bits depend on the number of threads.

# %%
from pathlib import Path

from s2i_teach.models.shims import dtype_keyword, quiet_loading, saved_parts

house = next(sketch for sketch in s2i.sketches() if sketch.name == "house")
prompt = lane.prompt("house")
entry, dtype = MODELS[lane.full], DTYPES[lane.dtype]
settings = dict(
    strength=0.75, guidance_scale=entry.guidance_scale, num_inference_steps=entry.steps
)
sketch = s2i.open_sketch(house.path, lane.size)
full = lane.load(lane.full)
folder = Path(full.s2i_folder)
halved = {"variant": "fp16"} if list(folder.glob("unet/*.fp16.safetensors")) else {}  # files of fp16

from diffusers import StableDiffusionImg2ImgPipeline


def script(dtype=dtype, slices=False, seed=0):
    """The five lines."""
    with quiet_loading():
        pipe = StableDiffusionImg2ImgPipeline.from_pretrained(  # 1
            folder, **{dtype_keyword(): dtype}, **halved, **saved_parts(folder, dtype)
        )
    pipe = pipe.to(lane.device)  # 2
    pipe.set_progress_bar_config(disable=True)
    if slices:
        pipe.enable_attention_slicing()  # 3
    generator = torch.Generator("cpu").manual_seed(seed)  # 4
    with fitting_threads(pipe):
        return pipe(prompt, image=sketch, **settings, generator=generator).images[0]  # 5


def tones(a, b):
    """The largest and the mean difference of two pictures, in tones of 255."""
    gap = (to_tensor(a) - to_tensor(b)).abs() * 255 / 2
    return gap.max().item(), gap.mean().item()


by_hand = script()
ours = s2i.translate(house.path, prompt, pipe=full, seed=0, **settings)
print(f"script and translate differ by at most {tones(by_hand, ours.image)[0]:.0f} of 255 tones")
print("what ran:", ours.plan)

# %% [markdown]
# `translate` is this script, and it also opens the sketch with care, makes a fresh generator for each call, and keeps the settings with the
# picture. Line 3 was left out so far. What do single lines do to the picture? `tones` says how far two pictures are apart on average.

# %%
changed_line = predict(
    "If only this changes, what happens to the picture?",
    answer={
        "attention in slices (line 3)": ...,
        "another precision (line 1)": ...,
        "seed 1 (line 4)": ...,
    },
    options=("mean below 0.25 of 255 tones", "mean below 8 tones", "another picture: 8 tones or more"),
)

# %%
other = "bf16" if lane.dtype == "fp32" else "fp32"
others = {
    "attention in slices (line 3)": script(slices=True),
    "another precision (line 1)": script(dtype=DTYPES[other]),
    "seed 1 (line 4)": script(seed=1),
}
tidy(lane.device)

happened = {}
for name, picture in others.items():
    largest, mean = tones(by_hand, picture)
    kinds = changed_line.options
    happened[name] = kinds[0] if mean < 0.25 else kinds[1] if mean < 8 else kinds[2]
    print(f"{name}: largest difference {largest:.0f} tones, mean {mean:.2f}")
sheet, _ = picture_row({"sketch": sketch, "the script": by_hand} | others, side=128)
s2i.show(sheet, alt=f"A house's sketch, the script's picture, and three that differ in one line: {', '.join(others)}.")
changed_line.compare(happened)
print(f"precision: {lane.dtype}, the other one: {other}")

# %% [markdown]
# Slices are a way to compute the same thing: only rounding differs. Precision and seed belong to the settings: if you report a picture,
# report both.
#
# ## 2. Numbers with half the bits
#
# A float has a *sign*, an *exponent* and a *fraction*. The exponent says how large the number is, the fraction says where it lies
# between two powers of two. **Half precision** means 16 bits instead of 32. There are two ways to spend them. **fp16** keeps more fraction.
# **bf16** keeps all of fp32's exponent.

# %%
from s2i_teach.theory.precision import answers_rounded, bits_of, spacing

print(f"{'':6} {'exponent':>8} {'fraction':>9} {'largest':>10} {'next above 1':>13} {'next above 1000':>16}")
for name, kind in DTYPES.items():
    of_exponent, of_fraction = bits_of(kind)
    nearest = [x + spacing(x, kind) for x in (1.0, 1000.0)]
    print(
        f"{name:6} {of_exponent:>3} bits {of_fraction:>4} bits {torch.finfo(kind).max:>10.4g} {nearest[0]:>13.8g} "
        f"{nearest[1]:>16.8g}"
    )
for words, x in (("1 + 0.0004", 1.0004), ("2049", 2049.0), ("70000", 70000.0), ("0.00000001", 1e-8)):
    print(f"{words:>11} becomes", ", ".join(f"{torch.tensor(x, dtype=k).item():g} in {n}" for n, k in DTYPES.items()))

# %%
figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
x = np.logspace(-9, 7, 161)
ends = {}
for number, (name, kind) in enumerate(DTYPES.items()):
    inside = [float(v) for v in x if v < torch.finfo(kind).max]
    gaps = [spacing(v, kind) for v in inside]
    style = dict(color=COLOURS[number], linestyle=DASHES[number], linewidth=2)
    axes.plot(inside, gaps, label=name, **style)
    ends[name] = torch.finfo(kind).max
axes.plot(ends["fp16"], spacing(60000.0, torch.float16), "x", color=COLOURS[1], markersize=10, mew=3)
axes.annotate(
    f"fp16 ends at {ends['fp16']:,.0f}",
    (ends["fp16"], spacing(60000.0, torch.float16)),
    xytext=(-6, 20),
    textcoords="offset points",
    ha="right",
    fontsize=9,
    color=COLOURS[1],
)
axes.set(
    xscale="log", yscale="log", xlabel="size of a number", ylabel="distance to the next one", title="How fine"
)
axes.spines[["top", "right"]].set_visible(False)
axes.grid(alpha=0.25)
axes.legend(frameon=False)
s2i.show(
    figure,
    alt="The distance to the next number over the size of a number, both axes logarithmic: three staircases that rise "
    "together, bf16 highest, fp16 below it, fp32 lowest. fp16 becomes flat below 0.0001 and ends at 65,504; the other "
    "two go on.",
)

# %% [markdown]
# Over most of its range fp16 is eight times as fine as bf16. It has two ends. Below 0.00006 its numbers no longer lie closer together, so
# that a very small number becomes 0: it **underflows**. A number above 65,504 **overflows**: it becomes infinite. Infinite less infinite is
# *nan*, which is no number, and whatever meets it becomes nan as well. A group normalization divides all places of some channels by their
# common spread. So one such number spoils these channels everywhere, and the next convolution carries it to all others. As a byte, nan
# usually becomes 0, which is black. That is the black picture which many people meet in fp16.
#
# ### A decoder that overflows
#
# How near to 65,504 is a VAE? The cell notes the largest answer of each layer while the decoder paints. Then it builds decoders that compute
# **the same picture** with larger numbers on the way. One convolution is multiplied by 100 or 10,000. A normalization follows it and
# divides the factor out again. In fp32 nobody could tell.

# %%
import copy

from s2i_teach.gallery import embedded_pairs

true_ones = [pair.open()[1] for pair in embedded_pairs("test")[:4]]
batch = torch.stack([to_tensor(picture.resize(lane.size)) for picture in true_ones]).to(lane.device)
vae = copy.deepcopy(full.vae).float()  # of our own, in fp32
with torch.no_grad(), one_thread():
    latents = vae.encode(batch).latent_dist.mode()

largest = {}
hooks = [
    layer.register_forward_hook(
        lambda layer, given, answer, name=name: largest.update({name: answer.abs().max().item()})
    )
    for name, layer in vae.decoder.named_modules()
    if not list(layer.children())
]
with torch.no_grad(), one_thread():
    painted = vae.decode(latents).sample
for hook in hooks:
    hook.remove()
name = max(largest, key=largest.get)
print(f"the largest number on the way: {largest[name]:.0f}, in {name}; {65504 / largest[name]:,.0f} times as much fits")
print(f"the largest of the convolution that is multiplied below: {largest['up_blocks.2.resnets.0.conv1']:.0f}")


def grown(factor):
    """The decoder with a convolution that is multiplied, in front of a normalization."""
    made = copy.deepcopy(vae)
    layer = made.decoder.up_blocks[2].resnets[0].conv1
    with torch.no_grad():
        layer.weight *= factor
        layer.bias *= factor
    return made


# %%
black = predict(
    "Which of these decoders paints black?",
    answer={"100 times, fp16": ..., "10,000 times, fp16": ..., "10,000 times, bf16": ...},
    options=("yes", "no"),
)

# %% [markdown]
# A CPU is very slow in real fp16: decoding two pictures took us 27 seconds, and less than one in fp32. So `answers_rounded` imitates
# fp16 in both lanes. Each layer's answer is rounded to 16 bits. The sums inside a layer stay in fp32, as they do on a GPU.

# %%
row, was_black = {"fp32": painted[0]}, {}
for factor, kind in ((100, "fp16"), (10_000, "fp16"), (10_000, "bf16")):
    with torch.no_grad(), one_thread():
        same = grown(factor)
        apart = (same.decode(latents).sample - painted).abs().max().item()
        with answers_rounded(same.decoder, DTYPES[kind]):
            rounded = same.decode(latents).sample
    label = f"{factor:,} times, {kind}"
    lost = 1 - torch.isfinite(rounded).float().mean().item()
    was_black[label] = "yes" if lost else "no"
    error = "all lost" if lost else f"off by at most {(rounded - painted).abs().max() * 255 / 2:.2f} tones"
    print(f"{label:20} {lost:4.0%} of its numbers are not finite, {error}; in fp32 off by {apart * 255 / 2:.5f} tones")
    row[label] = torch.nan_to_num(rounded[0], nan=-1.0)  # as a screen shows it
sheet, _ = picture_row({name: to_picture(x.cpu()).resize((128, 128)) for name, x in row.items()})
s2i.show(sheet, alt=f"One picture decoded in four ways: {', '.join(row)}. Black: {[n for n, b in was_black.items() if b == 'yes']}.")
black.compare(was_black)

# %% [markdown]
# This is no invention. The VAE of Stable Diffusion XL overflows in fp16. It was mended by training: further training made the numbers
# inside smaller and left the pictures as they were (*SDXL-VAE-FP16-Fix*).
#
# So why does anybody take fp16? A T4 cannot compute in bf16 quickly, and an A100 can. Most CPUs are quick in neither. The course therefore chooses by the
# card: bf16 where the hardware has it, else fp16 on a GPU and fp32 on a CPU.
#
# You can also stay in half precision and look afterwards. Write a function that decodes all latents in `dtype` and decodes *those pictures
# that failed* once more in fp32. A picture has failed if any of its numbers is not finite. The check counts how many pictures you
# decode in which precision. `latents` are given in fp32. `decode` takes latents of any type and computes in that type.


# %% tags=["teacher"]
from collections.abc import Callable, Iterable  # the library's lines name these

from torch import nn


# %% tags=["exercise-decode_safely"]
def decode_safely(decode, latents, dtype):
    """Pictures (B, 3, H, W) in fp32, of latents in fp32: decoded in dtype, and anew in fp32 those that are not finite."""
    ...


# %%
lesson.decode_safely.check(decode_safely)
decode_safely = lesson.decode_safely.use(decode_safely)

# %% [markdown]
# Now use it on a decoder that is near the edge, so that it fails for some pictures only. The cell notes how large the numbers of each
# picture become in the grown layer, and chooses the factor between them. It imitates fp16 as before.


# %%
def imitated(network, asked):
    """A function that decodes in the type of its latents, in imitation; it notes how many pictures it was asked for."""

    def decode(z):
        asked.append((str(z.dtype).removeprefix("torch."), len(z)))
        with torch.no_grad(), one_thread(), answers_rounded(network.decoder, z.dtype):
            return network.decode(z.float()).sample

    return decode


reach = []
hook = vae.decoder.up_blocks[2].resnets[0].conv1.register_forward_hook(
    lambda layer, given, answer: reach.extend(answer.abs().amax((1, 2, 3)).tolist())
)
with torch.no_grad(), one_thread():
    vae.decode(latents)
hook.remove()
low, high = sorted(reach)[-2:]
edge = grown(65504 / ((low + high) / 2))  # only the picture with the largest numbers fails
asked = []
saved = decode_safely(imitated(edge, asked), latents, torch.float16)
print("decoded were, in order:", ", ".join(f"{n} in {kind}" for kind, n in asked))
print(f"all finite: {bool(torch.isfinite(saved).all())}, off by at most {(saved - painted).abs().max() * 255 / 2:.2f} tones")

# %% [markdown]
# `s2i.translate` does the same with its one picture, and writes a note on the result.
#
# ### What the weights take
#
# Before anything runs, the weights lie in memory. Count them. `parts` is a list of networks, as a pipeline has them: U-Net, VAE,
# text encoder. Your function says how many bytes they would take with their floats in `dtype`. Three things are easily
# forgotten. Networks keep some tensors that are no parameters. Not all tensors are floats, and `pipe.to(torch.float16)` leaves those
# alone. And two entries of the list may share a network: it lies in memory once.

# %%
gigabytes = predict(
    "Stable Diffusion 1.5 in fp16: how many GB? Its U-Net has 860 million numbers, its VAE 84, its text encoder 123.",
    answer=...,
)


# %% tags=["exercise-weight_bytes"]
def weight_bytes(parts, dtype):
    """Bytes of the parameters and buffers of some networks, a list, with their floats in dtype."""
    ...


# %%
lesson.weight_bytes.check(weight_bytes)
weight_bytes = lesson.weight_bytes.use(weight_bytes)

# %% [markdown]
# On the device `meta` tensors have shapes and no numbers (lesson 14). So the real model can be counted without a download.

# %%
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from s2i_teach.models.untrained import SHAPES

with torch.device("meta"):
    big = {
        "U-Net": UNet2DConditionModel(**SHAPES["sd1"]["unet"]),
        "VAE": AutoencoderKL(**SHAPES["sd1"]["vae"]),
        "text encoder": CLIPTextModel(CLIPTextConfig(**SHAPES["sd1"]["text_encoder"])),
        "ControlNet": ControlNetModel(cross_attention_dim=768),
    }
mine = {"U-Net": full.unet, "VAE": full.vae, "text encoder": full.text_encoder}
print(f"{'':14} {'SD 1.5':>24}   {lane.full:>22}")
print(f"{'':14} {'fp32':>12} {'half':>11}   {'fp32':>11} {'half':>10}")
for name in big:
    line = f"{name:14}"
    for parts, unit in ((big, 1e9), (mine, 1e6)):
        for kind in (torch.float32, torch.float16):
            size = weight_bytes([parts[name]], kind) / unit if name in parts else math.nan
            line += f"{size:9.2f} {'GB' if unit == 1e9 else 'MB'}" if name in parts else f"{'none':>12}"
    print(line)
three = [big[name] for name in ("U-Net", "VAE", "text encoder")]
print(f"the first three: {weight_bytes(three, torch.float32) / 1e9:.2f} and {weight_bytes(three, torch.float16) / 1e9:.2f} GB")
gigabytes.compare(weight_bytes(three, torch.float16) / 1e9, unit="GB", within=0.3)
both_pipes = [*three, *three, big["ControlNet"]]
print(f"with a second pipeline that shares them, and a ControlNet: {weight_bytes(both_pipes, torch.float16) / 1e9:.2f} GB")

# %% [markdown]
# Two pipelines may share their parts: img2img and ControlNet use the same U-Net. Then only the ControlNet is new. If you load both from
# files instead, you pay for everything twice.
#
# ## 3. Memory while it runs
#
# Beside the weights a run needs room for what the layers hand to each other, the **activations**. They come and go, so what counts is the
# **peak**, the most there is at once. The largest of them used to be in attention. With $N$ places, each head has a table of
# $N \times N$ weights. At 512 × 512 pixels Stable Diffusion has $N = 64 \cdot 64 = 4096$.

# %%
table_gb = predict(
    "16 tables (8 heads, 2 samples with guidance) of 4096 × 4096 in fp32: how many GB?", answer=...
)

# %%
table_gb.compare(16 * 4096**2 * 4 / 1e9, unit="GB", within=0.2)

# %% [markdown]
# Nobody needs the whole table. Write lesson 6's attention so that no more than `slice_size` queries are asked at a time. The numbers must be
# the same, and the check measures that no larger table was made. `attention(q, k, v)` is lesson 6's. What may you cut: queries, keys, or
# both?

# %%
from s2i_teach.theory.attention import attention


# %% tags=["exercise-sliced_attention"]
def sliced_attention(q, k, v, slice_size):
    """attention(q, k, v), (…, N, e), with no more than slice_size queries at a time; q is (…, N, d)."""
    ...


# %%
lesson.sliced_attention.check(sliced_attention)
sliced_attention = lesson.sliced_attention.use(sliced_attention)

# %% [markdown]
# Before you read on:

# %%
at_768 = predict(
    "diffusers' own attention slicing in Stable Diffusion 1.5 at 768 × 768, compared with what torch does by itself, takes…",
    answer=...,
    options=("less memory", "the same memory", "more memory"),
)

# %% [markdown]
# The keys cannot be cut so simply, since a softmax is over all of them. But it can be *corrected* as one goes on: keep the largest score so
# far and the sum so far, and rescale both when a larger score comes (Rabe and Staats 2021). **Fused attention** does that in one program on
# the card, block by block, and never writes a table to memory (FlashAttention, Dao et al. 2022). torch has it as
# `scaled_dot_product_attention`, and diffusers takes it by itself.
#
# Here are the three side by side: lesson 6's formula, yours in slices of 64 queries, and torch's own.

# %%
import torch.nn.functional as F

from s2i_teach.models.measure import count, measured, nothing_computed

ways = {
    "whole table": attention,
    "slices of 64": lambda q, k, v: sliced_attention(q, k, v, 64),
    "fused": F.scaled_dot_product_attention,
}
sides = [8, 16, 24, 32, 48]  # of the latent: pictures of 64 to 384 pixels
took = {name: [] for name in ways}
for side in sides:
    q, k, v = (torch.randn(1, 2, side**2, 40, device=lane.device, dtype=dtype) for _ in range(3))
    for name, way in ways.items():
        with one_thread():
            took[name].append(measured(lambda: way(q, k, v), lane.device))
figure, both_axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for axes, what, unit in zip(both_axes, (0, 1), (1e6, 1e-3)):
    for number, name in enumerate(ways):
        values = [pair[what] / unit for pair in took[name]]
        style = dict(color=COLOURS[number], linestyle=DASHES[number], marker="os^"[number])
        axes.plot(sides, values, label=name, **style)
    axes.set(yscale="log", xlabel="side of the latent", ylabel=("peak, MB", "time, ms")[what])
    axes.set_xticks(sides)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
both_axes[0].legend(frameon=False)
last = {name: pairs[-1] for name, pairs in took.items()}
told = "; ".join(f"{n} {peak / 1e6:.1f} MB and {s * 1e3:.1f} ms" for n, (peak, s) in last.items())
s2i.show(figure, alt=f"Peak of memory and time of attention over the side of the latent, for three ways. At {sides[-1]}: {told}.")
print(f"at {sides[-1]} × {sides[-1]}:", told)
print("least memory:", min(last, key=lambda n: last[n][0]), "  least time:", min(last, key=lambda n: last[n][1]))

# %% [markdown]
# ### In the whole U-Net
#
# `enable_attention_slicing()` is line 3 of the script. It was made when torch had no fused attention. It does not cut the queries as you did:
# it takes some of the 16 tables at a time, each of them whole. What does it do today? The cell runs your lane's U-Net in three ways, at two
# sizes. Then it *counts* the same for Stable Diffusion 1.5 in fp32, without running it. On a CPU the peak counts tensors alone, and not what
# a fused program needs for itself.

# %%
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0

from s2i_teach.models.fit import out_of_memory

by_diffusers = {
    "whole table": lambda unet: unet.set_attn_processor(AttnProcessor()),
    "in slices": lambda unet: unet.set_attention_slice("auto"),
    "fused": lambda unet: unet.set_attn_processor(AttnProcessor2_0()),
}


def evaluation(unet, side, **kind):
    """A function that evaluates a U-Net once, with guidance: two samples."""
    x = torch.zeros(2, 4, side // 8, side // 8, **kind)
    words = torch.zeros(2, 77, unet.config.cross_attention_dim, **kind)
    return lambda: unet(x, 500, words)


running, counted = {}, {}
for side in lane.sides:
    for name, switch in by_diffusers.items():
        switch(full.unet)
        try:
            with fitting_threads(full):
                run = evaluation(full.unet, side, device=lane.device, dtype=dtype)
                running[side, name] = measured(run, lane.device)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            print(f"{side} × {side}, {name}: the memory here is not enough")
by_diffusers["fused"](full.unet)
with nothing_computed():
    real_unet = UNet2DConditionModel(**SHAPES["sd1"]["unet"]).eval()
    for side in (512, 768):
        for name, switch in by_diffusers.items():
            switch(real_unet)
            counted[side, name] = count(evaluation(real_unet, side)).peak_bytes

print(f"{lane.full}, measured here:")
for (side, name), (peak, seconds) in running.items():
    print(f"   {side} × {side}, {name:12} {peak / 1e6:8.1f} MB {seconds * 1e3:8.0f} ms")
print("Stable Diffusion 1.5 in fp32, counted:")
for (side, name), peak in counted.items():
    print(f"   {side} × {side}, {name:12} {peak / 1e9:8.2f} GB")
sliced, fused = counted[768, "in slices"], counted[768, "fused"]
at_768.compare("less memory" if sliced < fused else "more memory" if sliced > fused else "the same memory")

# %%
small = lane.sides[0]
for name in ("whole table", "in slices"):
    times = counted[512, name] / counted[512, "fused"]
    print(f"{name}: {times:.1f} times the memory of fused attention in SD 1.5 at 512 × 512")
here = {name: running[small, name] for name in by_diffusers if (small, name) in running}
same_here = len({peak for peak, _ in here.values()}) == 1
print(f"{lane.full} here at {small} × {small}: {'the same memory' if same_here else 'different memory'} in all ways")
times = sorted((seconds, name) for name, (_, seconds) in here.items())
clear = len(times) > 1 and times[1][0] > 1.1 * times[0][0]
print("the quickest here:", times[0][1] if clear else "not shown, as the times are within 10 %")
winner = "slicing" if sliced < fused else "torch's own way"
print(f"conclusion, from these numbers: {winner} takes the least memory at SD 1.5's size with torch {torch.__version__}")

# %% [markdown]
# Read the conclusion that your machine printed, and then old advice on the web: "enable attention slicing to save memory". It was true
# when the whole table was the other choice. `enable_attention_slicing()` *replaces* fused attention. If the miniature shows no difference,
# look for the reason in its size: its attention has few places, and its convolutions need more than that. The times of a small network
# change from run to run. Run the cell again before you believe them.
#
# ### In the VAE
#
# The VAE's decoder works at full size. If a batch is decoded at once, all its pictures are at full size together. VAE slicing decodes one
# after the other.

# %%
side = lane.sides[0]
z = torch.zeros(4, 4, side // 8, side // 8, device=lane.device, dtype=dtype)
for name, switch in (("at once", full.vae.disable_slicing), ("in slices", full.vae.enable_slicing)):
    switch()
    with fitting_threads(full):
        peak, seconds = measured(lambda: full.vae.decode(z), lane.device)
    print(f"4 pictures, {side} × {side}, {name:10} {peak / 1e6:8.1f} MB {seconds * 1e3:8.0f} ms")
full.vae.disable_slicing()

# %% [markdown]
# Compare the two peaks, then the two times. This slicing decodes each picture as if it were alone. It needs about a quarter of the memory for four
# pictures, and may cost a little time. So it is worth its place where batches are decoded and memory is short.
#
# ### A ladder
#
# What if even that is not enough? The course's loader has a ladder. It begins on the rung that the free memory allows, and goes one further
# where a run fails. Each rung makes the same picture. The first rung used to slice attention as well. After the measurement above we took
# that out, except on Apple's GPUs, where we could not measure.

# %%
from s2i_teach.models.fit import LADDER, rung_for

steps = ["all of it is on the card", *(rung.words for rung in LADDER)]
for free in (1.5, 2.4, 3.5, 6, 15):
    rung = rung_for(MODELS["sd15"].memory, free, torch.device("cuda"))
    print(f"{free:4} GB free for SD 1.5 in half precision: rung {rung}, {steps[rung]}")

# %% [markdown]
# **A good place to stop.** You have taken the script apart, repaired black pictures, counted weights, and measured what attention needs.
#
# # Second sitting: many pictures
#
# What the first sitting gave: **half precision** halves what the weights take, and fp16 can **overflow**. A run needs room for
# **activations**, and **fused attention** keeps no table of weights.
#
# If you come back later, run the set-up cell and the cell that chooses the lane, then go on here.

# %%
import math
import time

import matplotlib.pyplot as plt
import numpy as np
import torch

from s2i_teach.data_sources.draw import pick
from s2i_teach.evaluate import report
from s2i_teach.evaluate.bootstrap import difference, interval
from s2i_teach.evaluate.faithfulness import edge_scores
from s2i_teach.evaluate.prompt_match import prompt_matches
from s2i_teach.evaluate.realism import kernel_distance_interval, picture_features
from s2i_teach.gallery import embedded_pairs
from s2i_teach.lessons import predict
from s2i_teach.lessons.lanes import tidy
from s2i_teach.models.catalog import MODELS
from s2i_teach.models.devices import fitting_threads
from s2i_teach.models.fit import out_of_memory
from s2i_teach.models.measure import measured
from s2i_teach.models.schedulers import make_scheduler
from s2i_teach.widgets.figures import COLOURS, filmstrip

for name in ("full", "mine", "parts", "run", "switch", "vae", "same", "edge", "real_unet"):
    globals().pop(name, None)  # the first sitting's models: their memory is needed
tidy(lane.device)

# %% [markdown]
# ## 4. Few steps
#
# Most of a run is the U-Net, once for each step. So the surest way to be faster is to take fewer steps. Lesson 5 showed the price: a long
# step lands on a mean of what could be. **Distillation** trains a network to take long steps well. A *teacher* takes many steps,
# and a *student* learns to arrive where the teacher arrives. `sd15-lcm` is Stable Diffusion 1.5 with an LCM-LoRA, a small correction to its
# weights that was trained so (Luo et al. 2023). `sd-turbo` had a second judge in its training, a network that tells real pictures
# from made ones (Sauer et al. 2023).
#
# The miniature's twin `mini-fast` was **not** distilled. It has the same weights as `mini` and LCM's way of stepping. What you find here
# about `mini-fast` is no finding about distilled models.
#
# To be fair there is a control: the full model with DDIM, in just as few steps and with the same guidance as the twin. If the twin is no
# better than that, it was only the number of steps. If it is worse, its way of stepping costs something. DDIM's few steps usually begin
# with less noise at the same strength (lesson 8). So the control spaces them as LCM does (`"trailing"`), and the cell prints where
# each run starts.

# %%
for name in lane.models:
    entry = MODELS[name]
    print(f"{name:20} {entry.steps:>3} steps, guidance {entry.guidance_scale:g}", f"| cannot {entry.cannot}" if entry.cannot else "")

# %%
outcome = predict(
    "The model in few steps, compared with the full one:",
    answer={"edge F1": ..., "prompt match": ...},
    options=("more", "less", "not shown to differ"),
)
times_faster = predict("How many times as many pictures per minute does it make?", answer=...)

# %% [markdown]
# Twelve things are chosen at random. No miniature was trained on them; of Stable Diffusion nobody can say that. All pictures have seed 0. Models that take the sketch as a start have strength 0.75 and the sketch
# filled. Models that are led by the sketch begin from noise, strength 1. Each keeps its own steps and guidance. The first
# run of each model warms it up and is thrown away. Seconds are those of a whole picture.

# %%
things = {pair.thing: pair for pair in embedded_pairs("test")}
drawn = pick(list(things), 12, seed=0, category="lesson 15")
sketches, true = zip(*(things[thing].open() for thing in drawn))
others = [pair.open()[1] for thing, pair in things.items() if thing not in drawn]
prompts = [lane.prompt(thing) for thing in drawn]

results, loading = {}, {}
control = f"{lane.full}, few steps"
trailing = dict(timestep_spacing="trailing")
for name in lane.models:
    started = time.perf_counter()
    pipe = lane.load(name)
    loading[name] = time.perf_counter() - started
    led = MODELS[name].kind == "control"
    start = dict(strength=1.0, prepare="lines") if led else dict(strength=0.75, prepare="filled")
    s2i.translate(sketches[0], prompts[0], pipe=pipe, num_inference_steps=4, **start)

    def twelve(**changes):
        return [
            s2i.translate(page, words, pipe=pipe, seed=0, **start, **changes)
            for page, words in zip(sketches, prompts)
        ]

    results[name] = twelve()
    if name == lane.full:
        pipe.scheduler = make_scheduler("ddim", pipe.scheduler, 1)
        pipe.scheduler.register_to_config(**trailing)
        twin = MODELS[lane.few]
        results[control] = twelve(num_inference_steps=twin.steps, guidance_scale=twin.guidance_scale)
    del pipe
    tidy(lane.device)
    print(f"{name}: loaded in {loading[name]:.0f} s, a picture in {np.mean([r.seconds for r in results[name]]):.2f} s")
for label, made in results.items():
    print(f"{label}: {made[0].plan.evaluations} evaluations from t = {made[0].plan.start_timestep:g}")

# %%
def as_judged(picture):
    """As large as the pictures that it is compared with."""
    return picture.resize((128, 128))


pictures = {n: [as_judged(r.image) for r in made] for n, made in results.items()}
f1 = {n: [edge_scores(a, b)[2] for a, b in zip(sketches, p)] for n, p in pictures.items()}
match = {n: prompt_matches(p, prompts).tolist() for n, p in pictures.items()}
reference = picture_features(others)
kid = {n: kernel_distance_interval(picture_features(p), reference) for n, p in pictures.items()}
seconds = {n: [r.seconds for r in made] for n, made in results.items()}
evaluations = {n: made[0].plan.evaluations for n, made in results.items()}


def what(gap):
    """What an interval of differences shows."""
    if gap.low is None or gap.low <= 0 <= gap.high:
        return "not shown to differ"
    return "more" if gap.value > 0 else "less"


def against(one, other):
    """Compare two models sketch by sketch; returns what it shows."""
    print(f"{one} against {other}:")
    shown = {}
    for figure, values in (("edge F1", f1), ("prompt match", match)):
        gap = difference(values[one], values[other])
        shown[figure] = what(gap)
        print(f"   {figure}: {gap}, {shown[figure]}")
    apart = "overlap" if kid[one].overlaps(kid[other]) else "do not overlap"
    print(f"   micro-KID: {kid[one].value:.2f} and {kid[other].value:.2f}, the intervals {apart}")
    faster = np.mean(seconds[other]) / np.mean(seconds[one])
    print(f"   {evaluations[one]} evaluations and not {evaluations[other]}: {faster:.1f} times as many pictures per minute")
    return shown, faster


shown, faster = against(lane.few, lane.full)
outcome.compare(shown)
times_faster.compare(faster, within=1.0)
against(lane.few, control)
for more, fewer in lane.twins[1:]:
    against(fewer, more)

# %% [markdown]
# Twelve sketches are few, and *not shown* is not *equal*. If evaluations fall more than seconds, ask what else a picture needs: text
# encoder, VAE, opening the page. These do not become fewer.
#
# What a model *cannot* do is a price, too; the catalog says it of the real models. A few-step model with guidance near 1 hardly hears a
# negative prompt.
#
# ## 5. Start or guide, large or small: one table
#
# Now all models side by side, with the same sketches.

# %%
shown_ones = range(6)
sheet, _ = filmstrip(
    {"the sketch": [sketches[i] for i in shown_ones]}
    | {name: [made[i] for i in shown_ones] for name, made in pictures.items()}
    | {"the true picture": [true[i] for i in shown_ones]},
    [drawn[i].replace(" ", "\n") for i in shown_ones],
    side=92,
)
names = ", ".join(drawn[i] for i in shown_ones)
s2i.show(sheet, alt=f"Six held-out sketches ({names}), below each its pictures by {', '.join(pictures)}, and the true picture.")

print(f"{'':22} {'s a picture':>12} {'edge F1':>20} {'prompt match':>20} {'micro-KID':>22}")
for n in pictures:
    print(f"{n:22} {np.mean(seconds[n]):12.2f} {interval(f1[n])!s:>20} {interval(match[n])!s:>20} {kid[n]!s:>22}")

# %%
figure, both_axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", sharex=True)
for number, name in enumerate(pictures):
    at, colour, marker = np.mean(seconds[name]), COLOURS[number], "os^Dv*"[number]
    for axes, found in zip(both_axes, (interval(f1[name]), kid[name])):
        axes.plot([at, at], [found.low, found.high], color=colour, alpha=0.5)
        axes.plot(at, found.value, marker, color=colour, markersize=8, label=name)
both_axes[0].set(ylabel="edge F1: keeps the lines ↑")
both_axes[1].set(ylabel="micro-KID: looks real ↑ (axis turned)")
both_axes[1].invert_yaxis()
for axes in both_axes:
    axes.set(xlim=(0, None), xlabel="seconds a picture ←")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
both_axes[1].legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
told = "; ".join(
    f"{n}: {np.mean(seconds[n]):.2f} s, F1 {np.mean(f1[n]):.2f}, micro-KID {kid[n].value:.2f}" for n in pictures
)
s2i.show(figure, alt=f"Edge F1 and micro-KID over the seconds of a picture, with intervals, for each model. {told}.")
by_speed = sorted(pictures, key=lambda n: np.mean(seconds[n]))[: (len(pictures) + 1) // 2]
best = max(by_speed, key=lambda n: np.mean(f1[n]))
print(f"of the quicker ones ({', '.join(by_speed)}), {best} keeps the lines best")

# %% [markdown]
# Be careful with micro-KID if your lane has the real models. Its real pictures are OpenMoji's, and the miniatures learned from OpenMoji.
# Stable Diffusion did not. So compare large models with large ones. The features come from a small CLIP that knows icons.
#
# Which settings differ between these models? The report of lesson 12 takes all results at once, and it names each cell by all that varies.

# %%
judged = report([r for name in lane.models for r in results[name]])
judged.save("models.html")
for cell in judged.cells:
    print(f"F1 {cell.f1}   {cell.name}")
print()
print(judged.conclusions.not_so[0])
print(judged.conclusions.not_so[1])
print("models.html: the whole report, with all pictures; open it in a browser")

# %% [markdown]
# The names are long, and that is the point. A model comes with its own steps, guidance and sampler, and the starts had another
# strength than the guides. So this table can say *which of these* you should take. It cannot say *why* one is better. For a reason
# you would have to change one thing at a time.
#
# ## 6. A class of thirty, one card, one hour
#
# A teacher has thirty students, one T4 and one hour. Everybody wants the same number of pictures. How many are they?
#
# Two things speed a class up. The model is loaded *once*. And a card works on several pictures at a time, as a **batch**. The number of
# pictures per minute is the **throughput**. What does a batch win? Measure it, with the model in few steps and different sketches.

# %%
gain = predict("Seconds per picture in a batch of 8, divided by the seconds of a picture alone?", answer=...)

# %%
few = lane.load(lane.few)
entry = MODELS[lane.few]
pages = [s2i.open_sketch(sketch, lane.size) for sketch in sketches]


def batch_of(n):
    """Pictures of n sketches, made together."""
    with fitting_threads(few):
        return few(
            prompts[:n],
            image=pages[:n],
            strength=0.75,
            guidance_scale=entry.guidance_scale,
            num_inference_steps=entry.steps,
            generator=[torch.Generator("cpu").manual_seed(i) for i in range(n)],
        ).images


batch_seconds, peaks = {}, {}
for n in (1, 2, 4, 8):
    try:
        peaks[n], batch_seconds[n] = measured(lambda: batch_of(n), lane.device, repeats=1)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        print(f"batch of {n}: the memory here is not enough")
        break
    each = batch_seconds[n] / n
    print(f"batch of {n}: {batch_seconds[n]:6.2f} s, {each:5.2f} s a picture, {60 / each:4.0f} a minute, peak {peaks[n] / 1e6:.0f} MB")
most = max(batch_seconds)
print(f"a batch of {most}: {batch_seconds[most] / most / batch_seconds[1]:.2f} times the seconds per picture")
if most == 8:
    gain.compare(batch_seconds[8] / 8 / batch_seconds[1], within=0.15)

# %% [markdown]
# A batch wins in two ways. Some work is done once for each call, however many pictures it makes. And a large card can compute more at once
# than a single picture asks of it, which one CPU thread cannot. The peak of memory grows with the batch in any case.
#
# Now plan. Write the function that says how many pictures *each* student gets at most, and with which batch size. The model is loaded once.
# Then one batch follows the other, and pictures of different students may share a batch. A batch takes its time even where it
# is not full. What is not ready in time does not count. If two batch sizes give each student as many, take the smaller one. If nobody gets
# a picture, give the smallest of all.

# %%
each_gets = predict("Thirty students, one hour, your lane's model in few steps: pictures for each?", answer=...)


# %% tags=["teacher"]
from collections.abc import Mapping  # the library's lines name it


# %% tags=["exercise-pictures_each"]
def pictures_each(students, seconds, load_seconds, batch_seconds):
    """(pictures for each, batch size); batch_seconds is a dict, batch size → seconds of such a batch."""
    ...


# %%
lesson.pictures_each.check(pictures_each)
pictures_each = lesson.pictures_each.use(pictures_each)

# %% [markdown]
# The last line of the next cell plans for a T4. Its numbers are **assumptions**, and not measured by us. 50 · 0.75 are 37 whole
# steps of Stable Diffusion 1.5. Its own sampler asks once more, so there are 38 evaluations. We assume 7 evaluations with guidance per second. We
# assume half a second for all else, hardly a gain from batches, and three minutes for download and loading. If you have a T4, put your own numbers there.

# %%
plan = pictures_each(30, 3600, loading[lane.few], batch_seconds)
print(f"{lane.few} here: {plan[0]} pictures each, in batches of {plan[1]}")
each_gets.compare(plan[0], within=max(5, plan[0] // 4))
alone = {1: float(np.mean(seconds[lane.full]))}
print(f"{lane.full} here: {pictures_each(30, 3600, loading[lane.full], alone)[0]} pictures each")
of_a_t4 = {n: (38 / 7 + 0.5) * n * (1 if n == 1 else 0.97) for n in (1, 2, 4)}
t4_plan = pictures_each(30, 3600, 180, of_a_t4)
print(f"a T4 as assumed, 50 steps: {t4_plan[0]} pictures each, in batches of {t4_plan[1]}")

# %% [markdown]
# An average hides who waits. There are two ways to serve a queue. *Orders*: the first student gets a whole order, then the second.
# *Turns*: everybody gets one picture, then everybody gets a second one. The card does the same work in both.

# %%
waits = predict(
    "Mean wait for one's *first* picture: how many times as long with orders as with turns?", answer=...
)

# %%
from s2i_teach.theory.budget import ready_times

each, batch = t4_plan  # as planned for the T4; the clock starts when the model is loaded
one = of_a_t4[batch]
figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
first = {}
for number, order in enumerate(("orders", "turns")):
    ready = ready_times(30, each, batch, one, order)
    first[order] = [times[0] / 60 for times in ready]
    final = [times[-1] / 60 for times in ready]
    place = np.arange(1, 31) + (number - 0.5) * 0.3
    axes.vlines(place, first[order], final, color=COLOURS[number], alpha=0.35, linewidth=3)
    axes.plot(place, first[order], "os"[number], color=COLOURS[number], markersize=5, label=f"{order}: the first picture")
    axes.plot(place, final, "^v"[number], color=COLOURS[number], markersize=4, label=f"{order}: the last picture")
axes.set(xlabel="student", ylabel="minutes until it is ready", title=f"{each} pictures each, batches of {batch}")
axes.spines[["top", "right"]].set_visible(False)
axes.grid(alpha=0.25)
axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
told = "; ".join(f"with {o} the first picture comes after {min(m):.1f} to {max(m):.1f} minutes" for o, m in first.items())
s2i.show(figure, alt=f"When each of thirty students gets the first and the last of {each} pictures: {told}.")
print(told)
waits.compare(np.mean(first["orders"]) / np.mean(first["turns"]), within=3)

# %% [markdown]
# With turns everybody soon has something to look at, and can change a prompt before the second picture. With orders the first student is
# done early, and the last one sees nothing until the end. The throughput is the same. What a class needs is not decided by it alone.
#
# ## Think about it
#
# A colleague says: "We have no GPU budget, so we cannot teach diffusion models." What of this course needs one, and what does not?
# Which three measurements of this lesson would you show her?
#
# ## Sources
#
# - Micikevicius et al., *Mixed Precision Training*, 2017, arXiv 1710.03740: what half precision breaks, and how to scale around it.
# - Kalamkar et al., *A Study of BFLOAT16 for Deep Learning Training*, 2019, arXiv 1905.12322: bf16.
# - Rabe and Staats, *Self-attention Does Not Need O(n²) Memory*, 2021, arXiv 2112.05682: slices, and a softmax that is corrected.
# - Dao et al., *FlashAttention*, 2022, arXiv 2205.14135: the same in one program on the card.
# - Luo et al., *LCM-LoRA: A Universal Stable-Diffusion Acceleration Module*, 2023, arXiv 2311.05556: `sd15-lcm`.
# - Sauer et al., *Adversarial Diffusion Distillation*, 2023, arXiv 2311.17042: `sd-turbo`.
# - Zhang, Rao and Agrawala, *Adding Conditional Control to Text-to-Image Diffusion Models*, 2023, arXiv 2302.05543: `sd15-scribble`.
#
# **Next:** lesson 16, *Seven ways to colour a sketch*. Or your own project: take a question that you can answer with twelve sketches and an hour.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** First sitting: 12 minutes for the script, 28 for half precision with two exercises, 25 for memory with one. Second sitting:
# 20 minutes for the few steps, 10 for the table, 20 for the class. Short of time? Leave out the ladder and the queue. These minutes
# are estimates. The cells alone take about two minutes on two CPU cores.
#
# **On a GPU.** We have not run this lesson on one. Expect a download of 2.7 GB in section 1 and of 3.4 GB in section 4, and lines that say
# so. On a T4 attention without fused kernels at 768 × 768 needs some 6 GB in half precision by our count. Run the first sitting
# once before class, and keep what it printed: it is the handout for those whose session has no card.
#
# **Typical mistakes.** In `weight_bytes`: buffers and shared parts forgotten; whole numbers halved. In `decode_safely`: looking for nan
# alone, decoding everything twice, starting again from rounded latents. In `sliced_attention`: keys cut along with the queries; the
# whole table made first and cut afterwards, which has the right numbers and saves nothing. In `pictures_each`: parts of a batch; the
# largest batch taken without trying the others.
#
# **What to listen for.** "Half precision is half as good." Ask for the tones. "Slicing saves memory." Ask compared with what. "Four
# steps are five times as fast as twenty." Ask for the seconds. "It is black, so the safety checker did it." A note says so where it
# did; nan is the other reason.
#
# **Queries and keys.** Strong students can write the corrected softmax: for two blocks of keys with largest scores $m_1, m_2$ and sums
# $s_1, s_2$, take $m = \max(m_1, m_2)$ and weigh both blocks' answers with $s_i e^{m_i - m}$. It is ten lines, and it *is* fused attention's
# idea.
#
# **The open question.** Nothing of lessons 0 to 14 needs a card. Large pictures and large models do. A good answer shows what a
# miniature can show: the black picture, the slices' equality, the queue. It also says what it cannot: how good Stable Diffusion is.
