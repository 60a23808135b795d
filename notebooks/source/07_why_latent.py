# %% [markdown]
# # Lesson 7. Why latent?
#
# {{badge}}
#
# Stable Diffusion is a *latent* diffusion model: it never denoises a picture. It denoises a small stack of numbers that stands for
# the picture, and a second network, the VAE, makes the picture of them at the end. In this lesson you find out what these
# numbers are, what they keep and what they lose, and you measure what you would pay without them.
#
# | | |
# |---|---|
# | **You will** | open the VAE, draw latents with your own hands, count what attention costs, and run three ways to a larger picture side by side |
# | **Time** | about 50 minutes, three exercises; the trainings take less than a minute together |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import time

import torch
import torch.nn.functional as F
from torch import nn

from s2i_teach.images import to_tensor
from s2i_teach.lessons.costs import as_markdown, latent_costs
from s2i_teach.theory.forward import add_noise
from s2i_teach.theory.latent import undo_scaling
from s2i_teach.theory.measure import psnr
from s2i_teach.theory.prediction import eps_from_x0, to_x0_and_eps
from s2i_teach.theory.sampler import ddim_step, spaced_timesteps
from s2i_teach.theory.schedule import alphas_cumprod, scaled_linear_betas
from s2i_teach.theory.training import what_to_predict
from s2i_teach.theory.unet import UNet
from s2i_teach.training.pictures import load_pairs
from s2i_teach.widgets.figures import curves, filmstrip, picture_row

lesson = s2i.lesson(7)
alpha_bar = alphas_cumprod(scaled_linear_betas())  # Stable Diffusion's schedule, lesson 2
pipe = s2i.load_pipeline("mini", device="cpu", dtype="fp32")
vae, scaling_factor = pipe.vae, pipe.vae.config.scaling_factor

# %% [markdown]
# ## 1. A small picture of the picture
#
# The VAE (*variational autoencoder*, Kingma and Welling 2013) is two networks. The **encoder** halves the side three times, with
# wider and wider features in between, and ends with few channels. The **decoder** goes back. They were trained together, long
# before the U-Net, to give back the picture they were given. Stable Diffusion's was trained besides to look right to two other
# networks: one that compares what pictures show (a *perceptual* loss), and one that learns to tell decoded patches from real ones (an
# *adversarial* loss; Rombach et al. 2021, section 3.1).

# %%
things = ["strawberry", "sailboat", "owl"]
pairs = load_pairs(keep=lambda row: row["thing"] in things and row["style"] == "noto")
pictures = pairs.batch(torch.arange(len(pairs)))  # (3, 3, 128, 128)

with torch.no_grad():
    z = vae.encode(pictures).latent_dist.mode()  # (3, 4, 16, 16)
    back = vae.decode(z).sample.clamp(-1, 1)
print("picture", tuple(pictures.shape[1:]), "=", pictures[0].numel(), "numbers")
print("latent ", tuple(z.shape[1:]), "=", z[0].numel(), "numbers")

row = {"picture": pictures[0]}
row |= {f"channel {c}": (z[0, c : c + 1] * scaling_factor / 3).expand(3, -1, -1) for c in range(4)}
sheet, alt = picture_row(row | {"decoded": back[0]})
s2i.show(
    sheet,
    alt=f"A picture, the four channels of its latent as grey maps, and the picture decoded. {alt}",
)

# %% [markdown]
# The four maps are no mystery: each is a small picture of the picture, **place by place**. Where the page is white they are even
# (but for its edge, where the convolutions have nothing to look at), and the outline is in all of them. What they *mean*, which one is bright and which one is red, nobody told the network; it
# found its own code.
#
# A place of the latent stands for 8 × 8 pixels. So when the latent is moved by one place, the picture should move by 8 pixels,
# and when two latents are cut and put together, so are the pictures. **Predict first:** will the seam be seen?

# %%
with torch.no_grad():
    moved = vae.decode(z[:1].roll(4, dims=3)).sample.clamp(-1, 1)
    halves = torch.cat([z[:1, :, :, :8], z[1:2, :, :, 8:]], dim=3)
    joined = vae.decode(halves).sample.clamp(-1, 1)
    between = vae.decode((z[:1] + z[1:2]) / 2).sample.clamp(-1, 1)
sheet, alt = picture_row(
    {
        "moved by 4 places": moved[0],
        "left of one, right of another": joined[0],
        "mean of the two latents": between[0],
    }
)
s2i.show(sheet, alt=f"Decoded latents after changing them by hand. {alt}")

# %% [markdown]
# The seam is sharp to about one place: every place of the latent speaks for its own pixels and a little for its neighbours', where the
# decoder smooths the join over. (`roll` brings in on the left what leaves on the right; the faint line is the page's old edge.) And the
# last one tells something that is often told wrongly. The mean of two latents is nearly the two pictures laid over each
# other, not some third thing between them. The VAE knows edges and colours; *things* are the U-Net's business.
#
# ## 2. A cloud, not a point
#
# The encoder does not say "this is the latent". For every number it gives a bell curve, by its mean and the *logarithm of its
# variance*. So twice as many channels come out, here 8: the first half are the means, the second half the log-variances (both together
# are called the *moments*). So that no number may be pressed into a width of nothing, training
# pulls all the curves a little towards the standard one (a term called KL). Before anything else the log-variance is held between −30 and
# 20.


# %% tags=["exercise-posterior"]
def posterior(moments):
    """Mean and standard deviation, each (B, C, h, w), of what the encoder says, (B, 2C, h, w)."""
    ...


# %%
lesson.posterior.check(posterior)
posterior = lesson.posterior.use(posterior)

# %% [markdown]
# A latent is *drawn* from these curves, with noise of standard deviation 1. Then it is multiplied with the **scaling factor**, the
# same number for all pictures (0.18215 for Stable Diffusion 1 and for the miniature). Why? Lesson 2's formula keeps the variance of
# $x_t$ at 1 if the data has variance 1, and the factor brings the latents there, on average over all pictures. Some models take
# away a `shift_factor` first, so that the mean is 0 as well.


# %% tags=["exercise-draw_latent"]
def draw_latent(moments, scaling_factor, noise, shift_factor=0.0):
    """A latent as the U-Net wants it, (B, C, h, w); noise is of that shape."""
    ...


# %%
lesson.draw_latent.check(draw_latent)
draw_latent = lesson.draw_latent.use(draw_latent)

# %%
with torch.no_grad():
    moments = vae.quant_conv(vae.encoder(pictures))  # (3, 8, 16, 16)
    mean, std = posterior(moments)
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    drawn = draw_latent(moments, scaling_factor, noise)
    again = vae.decode(undo_scaling(drawn, scaling_factor)).sample.clamp(-1, 1)
print(f"the means spread by {mean.std():.2f}; each curve is about {std.mean():.3f} wide")
print(f"scaled, the latents of these three pictures spread by {drawn.std():.2f}")
print(f"decoded from the mean and from a draw: PSNR {psnr(back, again).mean():.0f} dB")

# %% [markdown]
# The curves are narrow, and the eye does not see the draw (50 dB is nearly equal). But the computer does: when a run starts from a
# sketch (lesson 8), it draws *this* noise first and the noise of the schedule second, from the same generator. Whoever forgets the first
# draw gets another picture from the same seed. (These three are somewhat louder than the average, 1.)
#
# **Spot the bug.** A program makes latents with the right seed, denoises them rightly, and decodes:
#
# ```python
# picture = vae.decode(latents).sample
# ```
#
# Before you run the cell: what is missing, and what will the picture look like?

# %%
with torch.no_grad():
    wrong = vae.decode(drawn).sample.clamp(-1, 1)
row = {}
for i, name in enumerate(row["thing"] for row in pairs.rows):
    row |= {f"{name}, rightly": again[i], f"{name}, as in the program": wrong[i]}
sheet, alt = picture_row(row)
s2i.show(sheet, alt=f"Decoded rightly, and decoded without undoing the scaling. {alt}")

# %% [markdown]
# The scaling is not undone: all latents are 5.5 times too quiet, and the decoder paints a pale ghost. Pale pictures from an
# otherwise right program? Look for this first.
#
# ## 3. What does the bottleneck keep?
#
# 49,152 numbers went in, 1,024 came through. Other ways to keep that few: make the picture smaller (18 × 18 pixels have 972
# numbers), or write it as a sum of waves (JPEG does so, block by block) and keep the 512 largest (each is two numbers; where they
# belong is not even counted). Here are all three, on 40 pictures that the VAE never saw. PSNR is lesson 1's: 6 dB more is half the
# typical error of a pixel.
#
# **Predict first:** who wins, and what will it be bad at?

# %%
unseen = load_pairs("test", keep=lambda row: row["style"] == "noto")
unseen = unseen.batch(torch.arange(0, len(unseen), 2)[:40])


def as_small_picture(x):
    small = F.interpolate(x, (18, 18), mode="area")
    return F.interpolate(small, x.shape[2:], mode="bicubic")


def as_largest_waves(x, keep=1024):
    waves = torch.fft.rfft2(x, norm="ortho")
    size = waves.abs().flatten(1)  # one complex wave counts as two numbers
    least = size.topk(keep // 2, dim=1).values[:, -1].view(-1, 1, 1, 1)
    return torch.fft.irfft2(waves * (waves.abs() >= least), s=x.shape[2:], norm="ortho")


@torch.no_grad()
def through_the_vae(x):
    some = x.split(8)  # a few at a time, to spare the memory
    return torch.cat([vae.decode(vae.encode(few).latent_dist.mode()).sample for few in some])


ways = {
    "18 × 18 pixels": as_small_picture,
    "512 waves": as_largest_waves,
    "the VAE": through_the_vae,
}
kept = {name: way(unseen).clamp(-1, 1) for name, way in ways.items()}
for name, result in kept.items():
    print(f"{name:>15}: {psnr(unseen, result).mean():.1f} dB")
shown = [1, 7, 13, 22, 31]
sheet, alt = filmstrip(
    {"original": [unseen[i] for i in shown]}
    | {name: [result[i] for i in shown] for name, result in kept.items()},
    [f"picture {i}" for i in shown],
    side=120,
)
s2i.show(sheet, alt=f"Five pictures, each kept in about 1000 numbers in three ways. {alt}")

# %% [markdown]
# In decibels the waves come close to the VAE; to the eye they do not. Their fault is spread over the page as ripples. The VAE knows
# what drawings look like and need not keep what can be guessed: sharp edges, even areas. But where it guesses, it can guess wrong:
# look at the colour of the ribbon in picture 22, and at the moose's nostrils. (So one number does not tell which picture is better.
# Lesson 12 is about that.)
#
# Here is something that hardly any of its training pictures had, writing. **Predict first:** at which size will it break down?

# %%
from PIL import Image, ImageDraw

from s2i_teach.gallery import font

row = {}
for size in (60, 26, 13):
    page = Image.new("RGB", (128, 128), "white")
    text = "\n".join(["sketch to", "picture"] * (56 // size + 1))
    ImageDraw.Draw(page).multiline_text((4, 4), text, "black", font(size))
    row[f"letters of {size} pixels"] = to_tensor(page)
    row[f"{size}, through the VAE"] = through_the_vae(to_tensor(page)[None])[0]
sheet, alt = picture_row(row)
s2i.show(sheet, alt=f"Writing of three sizes, before and after the VAE. {alt}")

# %% [markdown]
# Where several strokes fall into one place of the latent, 4 numbers cannot hold them. That is one reason why Stable Diffusion's
# small faces and letters go wrong, whatever the U-Net does. (Newer models keep 16 channels a place instead of 4.)
#
# ## 4. What a pixel costs
#
# Now the reason for all this. A convolution works at every place: twice the side, four times the work. **Attention** (lesson 6)
# compares every place with every place. In a self-attention with $H \cdot W$ places and $C$ channels, how many floating-point operations
# do the two products take, $q\,k^\top$ and weights times $v$? A multiplication is one, an addition is one; a sum of $n$ products counts
# as $2n$. (The softmax between them is left out.)


# %% tags=["exercise-attention_flops"]
def attention_flops(height, width, channels):
    """Operations of the two products, a whole number; the layers that make q, k and v are left out."""
    ...


# %%
lesson.attention_flops.check(attention_flops)
attention_flops = lesson.attention_flops.use(attention_flops)

# %%
for side in (16, 64, 256):
    print(f"{side:>3} × {side}: {attention_flops(side, side, 160) / 1e9:,.2f} GFLOP")

# %% [markdown]
# **Predict first.** The miniature's U-Net, once as it is, on latents, and once (the same network with three channels, untrained)
# straight on the pixels. For a picture of 256 × 256: how many times longer does the pixel network take? 8? 64? More?
#
# Operations and memory are counted for all sides; what is cheap enough is also run, here and now. *Memory* is what lives beside the
# weights, for latents the larger of U-Net and decoder. A whole picture is 20 evaluations of the U-Net, and for the latents once the
# decoder.

# %%
from IPython.display import Markdown

rows = latent_costs(pipe, flops_up_to=7e11, bytes_up_to=3e8)
Markdown(as_markdown(rows, evaluations=20))

# %%
at_256 = {row.space: row for row in rows if row.side == 256}
pixel, small = at_256["pixels"], at_256["latents"]
print("one evaluation at 256 × 256, pixels : latents")
print(f"operations {pixel.evaluation.flops / small.evaluation.flops:.0f} : 1")
print(f"seconds    {pixel.seconds / small.seconds:.0f} : 1")

sides = [64, 128, 256, 512, 1024]
lines = {
    f"{space}, 20 evaluations": [
        row.picture_flops(20) / 1e12 for row in rows if row.space == space
    ]
    for space in ("pixels", "latents")
}
lines["pixels, without attention"] = [
    20 * (row.evaluation.flops - row.evaluation.attention_flops) / 1e12
    for row in rows
    if row.space == "pixels"
]
figure, alt = curves(
    sides,
    lines,
    x_label="side of the picture in pixels",
    y_label="TFLOP",
    title="What a picture costs",
    log=True,
    log_x=True,
)
s2i.show(figure, alt=alt)

# %% [markdown]
# The side of a latent is an eighth, so it has a 64th of the places. Convolutions get 64 times cheaper by it, attention 4096 times. That
# is why the gap *grows* with the side. (A fair objection: nobody puts attention at the finest levels of a pixel network. The
# third line has none at all, and still stands about 40 times above the latents, whose line has its attention and the decoder in it.)
# The decoder is not free either: it costs as much as five to seven evaluations, once, and it is what needs most of the memory. That pixels
# at 1024 × 1024 need 4 GB and not hundreds is due to a trick: today's attention never stores the weights, of which there
# would be 262,144 × 262,144.
#
# What would a picture of 1024 × 1024 take in pixels, with 150 evaluations?

# %%
largest = max(rows, key=lambda row: row.evaluation.flops)
seen = max((row for row in rows if row.seconds), key=lambda row: row.evaluation.flops)
speed = seen.evaluation.flops / seen.seconds
hours = 150 * largest.evaluation.flops / speed / 3600
print(f"150 evaluations at 1024 × 1024: {150 * largest.evaluation.flops / 1e15:.0f} PFLOP")
print(f"at the speed just measured, {speed / 1e9:.0f} GFLOP/s: about {hours:.0f} hours")

# %% [markdown]
# ## 5. Three ways to a larger picture
#
# Two ways out became famous. **GLIDE's way** (Nichol et al. 2021): a diffusion model makes a *small picture*; a second diffusion
# model, the up-sampler, makes it large, given the small one. **Latent diffusion** (Rombach et al. 2021): a diffusion model makes a
# *latent*; a decoder, which is no diffusion model, makes it large.
#
# Run both, and the straight way for comparison: 64 × 64 pixels, eight pictures, lesson 4's U-Net everywhere, and about the same
# seconds of training for each. No words, to keep it short: each draws *one of the eight*.

# %%
things = ["cat", "owl", "fish", "mushroom", "apple", "strawberry", "house", "sailboat"]
pairs = load_pairs(keep=lambda row: row["thing"] in things and row["style"] == "noto")
large = F.interpolate(pairs.batch(torch.arange(len(pairs))), (64, 64), mode="area")
small = F.interpolate(large, (16, 16), mode="area")
with torch.no_grad():
    latents = vae.encode(large).latent_dist.mode() * scaling_factor  # (8, 4, 8, 8)


def enlarge(x):
    return F.interpolate(x, (64, 64), mode="bilinear")


class Upsampler(nn.Module):
    """Guesses the large picture, given the noisy one and the small one enlarged: (B, 6, H, W) → (B, 3, H, W)."""

    def __init__(self):
        super().__init__()
        self.unet = UNet(6, (16, 32, 48))

    def forward(self, x, t):
        return x[:, 3:] + self.unet(x, t)[:, :3]  # the small one, and what it lacks


def learn(model, batch, kind, steps, lr=2e-3):
    """Lesson 4's training; batch(generator) gives the data x0 and what else the network sees, or None."""
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0)
    started = time.perf_counter()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1, (step + 1) / 20, 3 * (steps - step) / steps)
        x0, seen = batch(generator)
        t = torch.randint(1000, (len(x0),), generator=generator)
        eps = torch.randn(x0.shape, generator=generator)
        x = add_noise(x0, eps, alpha_bar, t)
        if seen is not None:
            x = torch.cat([x, seen], dim=1)
        target = what_to_predict(kind, x0, eps, alpha_bar[t].view(-1, 1, 1, 1))
        loss = F.mse_loss(model(x, t), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    seconds = time.perf_counter() - started
    return model.eval().requires_grad_(False), f"{steps} steps in {seconds:.0f} s"


def some(data, n=16):
    """A function that gives n pictures of the data at random."""
    return lambda generator: (data[torch.randint(len(data), (n,), generator=generator)], None)


def crops(generator, n=8, side=32):
    """Pieces of large pictures, and of the small ones enlarged, a little noise on these."""
    which = torch.randint(len(large), (n,), generator=generator)
    top, left = torch.randint(64 - side + 1, (2,), generator=generator).tolist()
    noise = torch.randn(n, 3, 16, 16, generator=generator)
    seen = enlarge(small[which] + 0.05 * noise)
    place = (..., slice(top, top + side), slice(left, left + side))
    return large[which][place], seen[place]


torch.manual_seed(0)
straight, took = learn(UNet(3, (24, 48, 96)), some(large), "v_prediction", 45)
print("straight:", took)
base, took = learn(UNet(3, (24, 48, 96)), some(small), "v_prediction", 280)
print("GLIDE's way, the base:", took)
upsampler, took = learn(Upsampler(), crops, "sample", 190)
print("GLIDE's way, the up-sampler:", took)
latent, took = learn(UNet(4, (24, 48, 96)), some(latents), "v_prediction", 620)
print("latent:", took)

# %% [markdown]
# The up-sampler learns on pieces of 32 × 32: to sharpen an edge one need not see the whole. (The large cascades train on pieces
# too, and like here they put a little noise on the small picture, so that the up-sampler forgives the base its faults: Ho et
# al. 2021.) The VAE had its training before, on the course's training pictures, these eight among them. That is an advantage here,
# and the point of the method: it is trained once and serves all.


# %%
@torch.no_grad()
def draw(model, shape, kind, seen=None, steps=25, limit=1.0, seed=0):
    """Lesson 5's sampler, from noise of that shape."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    times = spaced_timesteps(steps, spacing="trailing")
    levels = [alpha_bar[t].item() for t in times] + [1.0]
    for t, a, a_prev in zip(times, levels, levels[1:]):
        given = x if seen is None else torch.cat([x, seen], dim=1)
        guess = model(given, torch.full((len(x),), t))
        x0 = to_x0_and_eps(guess, kind, x, torch.tensor(a))[0].clamp(-limit, limit)
        x = ddim_step(x, eps_from_x0(x, x0, a), a, a_prev)
    return x


v = "v_prediction"
results = {"straight": draw(straight, (8, 3, 64, 64), v)}
tiny = draw(base, (8, 3, 16, 16), v)
results["the base, enlarged"] = enlarge(tiny)
results["GLIDE's way"] = draw(upsampler, (8, 3, 64, 64), "sample", enlarge(tiny), 10)
results["up-sampler, given the true ones"] = draw(
    upsampler, (8, 3, 64, 64), "sample", enlarge(small), 10
)
found = draw(latent, (8, 4, 8, 8), v, limit=5.0)
with torch.no_grad():
    results["latent"] = vae.decode(undo_scaling(found, scaling_factor)).sample.clamp(-1, 1)
    results["the decoder, given the true ones"] = vae.decode(
        undo_scaling(latents, scaling_factor)
    ).sample.clamp(-1, 1)

for name, drawn in results.items():
    best = torch.stack([psnr(drawn, one.expand_as(drawn)) for one in large]).max(0).values
    print(f"{name:>32}: PSNR to the nearest of the eight {best.mean():.1f} dB")
sheet, alt = filmstrip(
    {name: list(drawn) for name, drawn in results.items()} | {"learned from": list(large)},
    [f"{i + 1}" for i in range(8)],
    side=88,
)
s2i.show(sheet, alt=f"Eight drawings for each way. {alt}")

# %% [markdown]
# **Read the rows.** *Straight*: in the same time it got so few steps that noise is left. *GLIDE's way*: the base finds a strawberry or
# two, the rest are blends, and the up-sampler adds detail that the base never drew, white dots and sharp edges. Its own work is good,
# as the row with the true small pictures shows; but what the base got wrong it makes sharp and wrong. *Latent*: mostly whole things
# with smooth edges, since the decoder has drawn edges before; they are as soft as what the decoder makes of the true latents, and
# some are mixtures of two things. (Compare the decibels of "the base, enlarged" and of "GLIDE's way": sharper is not nearer.)
#
# The cascade's weakness is the hand-over; the latent's is the bottleneck. Neither is free.
#
# ## 6. Who goes which way?
#
# **True or false? Decide before you read on.** (a) GLIDE diffuses at 256 × 256 and then up-samples. (b) DALL·E 2 diffuses in the
# latent space of a VAE. (c) Imagen's secret is a better picture model. (d) The last step of Stable Diffusion is a
# diffusion from 64 × 64 to 512 × 512.
#
# | | the text comes as | what is diffused | how it becomes large |
# |---|---|---|---|
# | GLIDE (2021) | tokens of its own transformer | pixels, **64 × 64** | a diffusion up-sampler, 64 → 256 |
# | DALL·E 2 (2022) | CLIP's text vector; a *prior* makes a CLIP **image** vector of it | a CLIP image vector (the prior), then pixels, 64 × 64, given that vector | two diffusion up-samplers, 64 → 256 → 1024 |
# | Imagen (2022) | T5-XXL, a frozen **text** model of 4.6 billion parameters | pixels, 64 × 64 | two diffusion up-samplers, 64 → 256 → 1024 |
# | Stable Diffusion 1 (2022) | CLIP's tokens, by cross-attention | **latents**, 64 × 64 × 4 | a decoder, 64 → 512, no diffusion |
#
# All four are false. (a) GLIDE's base works at 64 × 64, and 256 is where the up-sampler *ends*. (b) DALL·E 2 diffuses a CLIP image
# vector and then pixels. (c) Its authors found that a larger *text* encoder helped more than a larger U-Net. (d) The decoder
# runs once; it has no timestep.
#
# ## 7. Think about it
#
# A pencil line is 2 pixels wide, a place of the latent is 8 × 8 pixels in 4 numbers. How can the line survive? And which of
# your drawings would not: a page of fine hatching, a face of 20 pixels, a thick outline?
#
# ## Sources
#
# - Kingma and Welling, *Auto-Encoding Variational Bayes*, 2013, arXiv 1312.6114.
# - Rombach et al., *High-Resolution Image Synthesis with Latent Diffusion Models*, 2021, arXiv 2112.10752, sections 3.1 and 4.1.
# - Nichol et al., *GLIDE*, 2021, arXiv 2112.10741. Ramesh et al., *Hierarchical Text-Conditional Image Generation with CLIP
#   Latents* (DALL·E 2), 2022, arXiv 2204.06125. Saharia et al., *Photorealistic Text-to-Image Diffusion Models with Deep Language
#   Understanding* (Imagen), 2022, arXiv 2205.11487.
# - Ho et al., *Cascaded Diffusion Models for High Fidelity Image Generation*, 2021, arXiv 2106.15282: noise on the small picture.
#
# **Next:** lesson 8, *A sketch becomes a picture*.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** 8 minutes for section 1, 12 for the two exercises, 7 for what is kept, 10 for the costs, 10 for the three ways (start
# the cell, discuss the predictions while it trains), the rest for true or false.
#
# **Typical mistakes.** The variance for the standard deviation; the scaling factor around the mean alone; $H \cdot W$ not
# squared.
#
# **What to listen for.** "The latent is a compressed file." It is not coded, it is a small picture with its own colours, and the U-Net can
# paint in it. "The VAE makes up the picture." Only the details; show the mean of two latents again.
#
# **The open question.** The line survives because lines are common: four numbers are enough to say "a dark line, here,
# slanting so". Hatching and a tiny face have more independent detail in a place than four numbers can say.
