# %% [markdown]
# # Lesson 7. Why latent?
#
# {{badge}}
#
# Stable Diffusion is a *latent* diffusion model: it never denoises a picture. It denoises a small stack of numbers that stands for
# the picture, the **latent**. At the end a second network, the **VAE**, makes the picture from it. In this lesson you find out
# what these numbers are, what they keep and what they lose, and you measure what you would pay without them.
#
# | | |
# |---|---|
# | **You will** | open the VAE, change latents with your own hands, count what attention costs, and run three ways to a larger picture side by side |
# | **Time** | about 50 minutes, three exercises; the trainings take about a minute together |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |
# | **You need** | lesson 1's PSNR, the U-Net of lesson 4, the sampler of lesson 5, attention from lesson 6; variance and standard deviation |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import time

import torch
import torch.nn.functional as F
from IPython.display import Markdown
from PIL import Image, ImageDraw
from torch import nn

from s2i_teach.gallery import font
from s2i_teach.images import to_tensor
from s2i_teach.lessons import predict
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
# The VAE (*variational autoencoder*, Kingma and Welling 2013) is two networks. The **encoder** halves the side of the picture three
# times and ends with few channels. The **decoder** goes back. They were trained together, long before the U-Net, to give back the
# picture that they were given.
#
# Stable Diffusion's VAE had two more judges in its training. A *perceptual* loss compares what another network sees in the two pictures. An
# *adversarial* loss comes from a network that learns to tell decoded patches from real ones (Rombach et al. 2021, section 3.1).

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
# Each of the four maps is a small picture of the picture, **place by place**. Where the page is white they are even, and the outline is
# in all of them. Only at the page's edge do they change, where the convolutions have nothing to look at. What the maps *mean*,
# which one is for brightness and which for red, nobody told the network. It found its own code.
#
# One place of the latent stands for 8 × 8 pixels. So if the latent is moved by one place, the picture should move by 8 pixels. If two
# latents are cut and joined, the pictures should be joined too. And what if you take the *mean* of two latents?

# %%
mean_of_two = predict(
    "For most pairs the decoded mean of two latents is nearest to…",
    answer=...,
    options=("the two pictures laid over each other", "one of the two pictures", "a third picture"),
)

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
        "the two laid over each other": (pictures[0] + pictures[1]) / 2,
    }
)
s2i.show(sheet, alt=f"Decoded latents after changing them by hand, and two pictures laid over each other. {alt}")

# %% [markdown]
# The seam is sharp to about one place. Every place of the latent speaks for its own pixels and a little for its neighbours', where the
# decoder smooths the join. (`roll` brings in on the left what leaves on the right.)
#
# One pair of pictures proves nothing about the mean. So here are 16 pairs that the VAE never saw. Each decoded mean is compared with the
# two pictures laid over each other, and with each of the 32 single pictures. For comparison stands what you get by chance: the
# same means against *another* pair laid over each other.

# %%
unseen = load_pairs("test", keep=lambda row: row["style"] == "noto")
unseen = unseen.batch(torch.arange(0, len(unseen), 2)[:40])


@torch.no_grad()
def encoded(x):
    """The means of the latents of pictures (B, 3, H, W), a few pictures at a time to spare the memory."""
    return torch.cat([vae.encode(few).latent_dist.mode() for few in x.split(8)])


@torch.no_grad()
def decoded(z):
    """The pictures of latents (B, 4, h, w)."""
    return torch.cat([vae.decode(few).sample.clamp(-1, 1) for few in z.split(8)])


one, other = unseen[:16], unseen[16:32]
means = decoded((encoded(one) + encoded(other)) / 2)
overlaid = (one + other) / 2
to_overlaid = psnr(means, overlaid)
to_single = torch.stack([psnr(means, x.expand_as(means)) for x in unseen[:32]])  # (32, 16)
to_own = to_single[torch.stack([torch.arange(16), torch.arange(16, 32)]), torch.arange(16)].amax(0)
print(f"mean of the latents to its own two pictures overlaid: {to_overlaid.mean():.1f} dB")
print(f"to another two pictures overlaid (chance):            {psnr(means, overlaid.roll(1, 0)).mean():.1f} dB")
nearer = (to_overlaid > to_single.amax(0)).sum().item()
print(f"in {nearer} of 16 pairs nothing else is nearer than its own two pictures overlaid")
third = (to_single.amax(0) > torch.maximum(to_overlaid, to_own)).sum().item()
counts = dict(zip(mean_of_two.options, (nearer, 16 - nearer - third, third)))
mean_of_two.compare(max(counts, key=counts.get))

# %% [markdown]
# It is often said that the middle between two latents shows some third *thing*. Does your count support that, for this VAE? The VAE
# works place by place, and knows edges and colours. *Things* are the U-Net's business.
#
# ## 2. A cloud, not a point
#
# The encoder does not say "this is the latent". For every number it gives a bell curve, by its mean and the *logarithm of its
# variance*. So twice as many channels come out, here 8. The first half are the means, the second half the log-variances. All of them
# together are called the **moments**. Training also pulls every curve a little towards the standard one, by a term called KL, so that no
# curve becomes infinitely narrow.
#
# Before anything else the log-variance is limited to the range from −30 to 20. Write the function that turns moments into means and
# standard deviations.


# %% tags=["exercise-posterior"]
def posterior(moments):
    """Mean and standard deviation, each (B, C, h, w), of what the encoder says, (B, 2C, h, w)."""
    ...


# %%
lesson.posterior.check(posterior)
posterior = lesson.posterior.use(posterior)

# %% [markdown]
# A latent is *drawn* from these curves, with noise of standard deviation 1. Then it is multiplied by the **scaling factor**, the
# same number for all pictures. It is 0.18215 for Stable Diffusion 1 and for the miniature. Why? Lesson 2's formula keeps the variance of
# $x_t$ at 1 if the data have variance 1. The factor brings the latents there, on average over all pictures. Some models subtract a
# **shift factor** before they scale, so that the mean is 0 as well.


# %% tags=["exercise-draw_latent"]
def draw_latent(moments, scaling_factor, noise, shift_factor=0.0):
    """A latent as the U-Net wants it, (B, C, h, w); noise is of that shape."""
    ...


# %%
lesson.draw_latent.check(draw_latent)
draw_latent = lesson.draw_latent.use(draw_latent)

# %%
with torch.no_grad():
    moments = vae.quant_conv(vae.encoder(pictures))  # the encoder and its last layer: (3, 8, 16, 16)
    mean, std = posterior(moments)
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    drawn = draw_latent(moments, scaling_factor, noise)
    again = vae.decode(undo_scaling(drawn, scaling_factor)).sample.clamp(-1, 1)
print(f"the means spread by {mean.std():.2f}; each curve is about {std.mean():.3f} wide")
print(f"scaled, the latents of these three pictures spread by {drawn.std():.2f}")
print(f"decoded from the mean and from a draw: PSNR {psnr(back, again).mean():.0f} dB")

# %% [markdown]
# The curves are narrow, and the eye does not see the draw. But the computer does. When a run starts from a sketch (lesson 8), it
# draws *this* noise first and the noise of the schedule second, from the same generator. If a program leaves out the first draw, it
# makes another picture from the same seed.
#
# **Spot the bug.** A program makes latents with the right seed, denoises them rightly, and decodes:
#
# ```python
# picture = vae.decode(latents).sample
# ```
#
# What is missing?

# %%
looks = predict(
    "What will the program's picture look like?", answer=..., options=("too dark", "too pale", "all noise")
)

# %%
with torch.no_grad():
    wrong = vae.decode(drawn).sample.clamp(-1, 1)
row = {}
for i, name in enumerate(row["thing"] for row in pairs.rows):
    row |= {f"{name}, rightly": again[i], f"{name}, as in the program": wrong[i]}
sheet, alt = picture_row(row)
s2i.show(sheet, alt=f"Decoded rightly, and decoded without undoing the scaling. {alt}")
contrast = (wrong.std() / again.std()).item()
rough, roughness = ((x.diff(dim=3).abs().mean() / x.std()).item() for x in (wrong, again))
print(f"contrast: {contrast:.2f} of what it should be; the latents are {1 / scaling_factor:.1f} times too small")
darker = wrong.mean() < again.mean() - 0.5
looks.compare("all noise" if rough > 3 * roughness else "too dark" if darker else "too pale")

# %% [markdown]
# The scaling is not undone, and the decoder paints a pale ghost. If an otherwise right program makes pale pictures, look for
# this first.
#
# ## 3. What does the bottleneck keep?
#
# 49,152 numbers go in, and 1,024 come through. There are other ways to keep that few. One can make the picture smaller: 18 × 18 pixels
# have 972 numbers. Or one can write it as a sum of waves, as JPEG does block by block, and keep the 512 largest. Each wave is two
# numbers, and the place of each is not even counted. Here are all three, on 40 pictures that the VAE never saw. 6 dB more PSNR means
# half the typical error of a pixel (lesson 1).

# %%
wins = predict(
    "Which way has the highest PSNR?", answer=..., options=("18 × 18 pixels", "512 waves", "the VAE")
)



# %%
def as_small_picture(x):
    small = F.interpolate(x, (18, 18), mode="area")
    return F.interpolate(small, x.shape[2:], mode="bicubic")


def as_largest_waves(x, keep=1024):
    waves = torch.fft.rfft2(x, norm="ortho")
    size = waves.abs().flatten(1)  # one complex wave counts as two numbers
    least = size.topk(keep // 2, dim=1).values[:, -1].view(-1, 1, 1, 1)
    return torch.fft.irfft2(waves * (waves.abs() >= least), s=x.shape[2:], norm="ortho")


def through_the_vae(x):
    return decoded(encoded(x))


ways = {
    "18 × 18 pixels": as_small_picture,
    "512 waves": as_largest_waves,
    "the VAE": through_the_vae,
}
kept = {name: way(unseen).clamp(-1, 1) for name, way in ways.items()}
decibels = {name: psnr(unseen, result).mean().item() for name, result in kept.items()}
for name, value in decibels.items():
    print(f"{name:>15}: {value:.1f} dB")
shown = [1, 7, 13, 22, 31]
sheet, alt = filmstrip(
    {"original": [unseen[i] for i in shown]}
    | {name: [result[i] for i in shown] for name, result in kept.items()},
    [f"picture {i}" for i in shown],
    side=120,
    steps=False,
)
s2i.show(sheet, alt=f"Five pictures, each kept in about 1000 numbers in three ways. {alt}")
wins.compare(max(decibels, key=decibels.get))

# %% [markdown]
# Compare the decibels with what you see. The waves' error is spread over the page as ripples. The VAE knows what drawings look like and
# need not keep what can be guessed: sharp edges, even areas. But where it guesses, it can guess wrong. Look at the corners of the windows
# in picture 13 and of the confetti in picture 22. And what is small can be lost. Look for the moose's mouth, and for the grains in the
# salt shaker. One number does not tell which picture is better. Lesson 12 is about that.
#
# Here is something that hardly any of its training pictures had: writing. At which size will it break down?

# %%
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
# Where several strokes fall into one place of the latent, 4 numbers cannot hold them. That is one reason why small faces and letters go
# wrong in Stable Diffusion's pictures, whatever the U-Net does. Newer models keep 16 channels per place instead of 4.
#
# ## 4. What a pixel costs
#
# Now the reason for all this. A convolution works at every place: with twice the side it does four times the work. **Attention** (lesson 6)
# compares every place with every place. Take a self-attention with $H \cdot W$ places and $C$ channels. How many floating-point
# operations (**FLOP**) do its two products take, $q\,k^\top$ and weights times $v$?
#
# A multiplication is one operation and an addition is one, so a sum of $n$ products counts as $2n$. The softmax between the two products is
# left out.


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
# The next cells compare the miniature's U-Net on latents with the same network on pixels, which has three channels and is untrained.
# Operations and memory are counted for all sides. What is cheap enough is also run, here and now. *Memory* is what is needed besides the
# weights; for latents it is that of the U-Net or of the decoder, whichever needs more. A whole picture is 20 evaluations of the
# U-Net, and for latents the decoder once. An answer within a third counts as right.

# %%
longer = predict(
    "At 256 × 256, how many times longer does one evaluation of the pixel network take?", answer=...
)

# %%
rows = latent_costs(pipe, flops_up_to=7e11, bytes_up_to=3e8)
Markdown(as_markdown(rows, evaluations=20))

# %%
at_256 = {row.space: row for row in rows if row.side == 256}
pixel, small = at_256["pixels"], at_256["latents"]
print("one evaluation at 256 × 256, pixels : latents")
print(f"operations {pixel.evaluation.flops / small.evaluation.flops:.0f} : 1")
print(f"seconds    {pixel.seconds / small.seconds:.0f} : 1")
longer.compare(pixel.seconds / small.seconds, unit="times", within=pixel.seconds / small.seconds / 3)

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
without = lines["pixels, without attention"][-1] / lines["latents, 20 evaluations"][-1]
print(f"at 1024 × 1024, pixels without attention : latents with it = {without:.0f} : 1")
decoders = [row.decode.flops / row.evaluation.flops for row in rows if row.decode]
print(f"the decoder costs as much as {min(decoders):.1f} to {max(decoders):.1f} evaluations")
largest = max(rows, key=lambda row: row.evaluation.flops)
print(f"memory in pixels at 1024 × 1024: {largest.peak_bytes / 1e9:.1f} GB")

# %% [markdown]
# The side of a latent is an eighth, so it has a 64th of the places. Convolutions become 64 times cheaper by that, and attention
# $64^2 = 4096$ times. That is why the gap *grows* with the side.
#
# The seconds differ less than the operations. The small network has so little to do that a part of its time is no arithmetic at all, but the
# starting of each layer. Did you count operations? Then you were right about the work.
#
# A fair objection: nobody puts attention at the finest resolutions of a pixel network. The third line has no attention at all, and it
# still lies far above the latents, whose line has its attention and the decoder in it. The decoder is not free either: it costs several
# evaluations, and it is what needs most of the memory. Even in pixels the memory stays small, which is due to a trick: today's attention
# never stores all its weights at once.
#
# What would a picture of 1024 × 1024 take in pixels, with 150 evaluations?

# %%
measured = max((row for row in rows if row.seconds), key=lambda row: row.evaluation.flops)
speed = measured.evaluation.flops / measured.seconds
hours = 150 * largest.evaluation.flops / speed / 3600
print(f"150 evaluations at 1024 × 1024: {150 * largest.evaluation.flops / 1e15:.0f} PFLOP")
print(f"at the speed just measured, {speed / 1e9:.0f} GFLOP/s: about {hours:.0f} hours")

# %% [markdown]
# ## 5. Three ways to a larger picture
#
# Two ways out became famous. **GLIDE's way** (Nichol et al. 2021): a diffusion model makes a *small picture*, and a second diffusion
# model, the **up-sampler**, makes a large one from it. Such a chain of diffusion models is called a **cascade**. **Latent diffusion**
# (Rombach et al. 2021): a diffusion model makes a *latent*, and a decoder, which is no diffusion model, makes a large picture from it.
#
# Run both, and the straight way for comparison: 64 × 64 pixels, eight pictures, and lesson 4's U-Net everywhere. The numbers of optimiser
# steps were chosen so that no way takes much more time than another on two idle cores. The cell prints your computer's seconds. There are no words,
# to keep it short. Each network draws *one of the eight*.

# %%
wholest = predict(
    "Which way draws the pictures that are nearest to one of the eight?",
    answer=...,
    options=("straight", "GLIDE's way", "latent"),
)

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
        return x[:, 3:] + self.unet(x, t)[:, :3]  # the small picture, and what it lacks


def learn(model, batch, kind, steps, lr=2e-3):
    """Lesson 4's training; batch(generator) gives the data x0 and a condition that the network is given too, or None."""
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0)
    started = time.perf_counter()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1, (step + 1) / 20, 3 * (steps - step) / steps)
        x0, condition = batch(generator)
        t = torch.randint(1000, (len(x0),), generator=generator)
        eps = torch.randn(x0.shape, generator=generator)
        x = add_noise(x0, eps, alpha_bar, t)
        if condition is not None:
            x = torch.cat([x, condition], dim=1)
        target = what_to_predict(kind, x0, eps, alpha_bar[t].view(-1, 1, 1, 1))
        loss = F.mse_loss(model(x, t), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    seconds = time.perf_counter() - started
    return model.eval().requires_grad_(False), f"{steps} optimiser steps in {seconds:.0f} s"


def some(data, n=16):
    """A function that gives n pictures of the data at random."""
    return lambda generator: (data[torch.randint(len(data), (n,), generator=generator)], None)


def crops(generator, n=8, side=32):
    """Pieces of large pictures, and of the small ones enlarged, a little noise on these."""
    which = torch.randint(len(large), (n,), generator=generator)
    top, left = torch.randint(64 - side + 1, (2,), generator=generator).tolist()
    noise = torch.randn(n, 3, 16, 16, generator=generator)
    condition = enlarge(small[which] + 0.05 * noise)
    place = (..., slice(top, top + side), slice(left, left + side))
    return large[which][place], condition[place]


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
# The up-sampler learns on pieces of 32 × 32, since one need not see the whole picture to sharpen an edge. The large cascades train on
# pieces too. And like here, they put a little noise on the small picture, so that the up-sampler copes with the base's errors (Ho et
# al. 2021).
#
# The VAE had its training before, on the course's training pictures, and these eight are among them. That is an advantage here, and
# it is also the point of the method: the VAE is trained once and serves all.


# %%
@torch.no_grad()
def draw(model, shape, kind, condition=None, steps=25, limit=1.0, seed=0):
    """Lesson 5's sampler, from noise of that shape."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    times = spaced_timesteps(steps, spacing="trailing")
    bars = [alpha_bar[t].item() for t in times] + [1.0]
    for t, a, a_prev in zip(times, bars, bars[1:]):
        given = x if condition is None else torch.cat([x, condition], dim=1)
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
drawn = draw(latent, (8, 4, 8, 8), v, limit=5.0)
results["latent"] = decoded(undo_scaling(drawn, scaling_factor))
results["the decoder, given the true ones"] = decoded(undo_scaling(latents, scaling_factor))

near = {}
for name, drawn in results.items():
    best = torch.stack([psnr(drawn, one.expand_as(drawn)) for one in large]).max(0).values
    near[name] = best.mean().item()
    print(f"{name:>32}: PSNR to the nearest of the eight {near[name]:.1f} dB")
sheet, alt = filmstrip(
    {name: list(drawn) for name, drawn in results.items()} | {"learned from": list(large)},
    [f"{i + 1}" for i in range(8)],
    side=88,
    steps=False,
)
s2i.show(sheet, alt=f"Eight drawings for each way. {alt}")
wholest.compare(max(wholest.options, key=near.get))

# %% [markdown]
# **Read the rows.**
#
# - *Straight*: a step on 64 × 64 pixels is slow, so this network got few optimiser steps, and noise is left.
# - *GLIDE's way*: where the base drew a blend of two things, the up-sampler adds detail that nobody drew, such as white dots and sharp
#   edges. Its own work is good, as the row with the true small pictures shows. But what the base got wrong, it makes sharp and wrong. Compare
#   the decibels of "the base, enlarged" with those of "GLIDE's way": sharper is not nearer.
# - *Latent*: mostly whole things with smooth edges, since the decoder has drawn edges before. They are as soft as what the decoder makes
#   of the true latents. Some may be mixtures of two things.
#
# The weak point of a cascade is the hand-over from one network to the next. The weak point of a latent is the bottleneck. Neither way is
# free.
#
# ## 6. Who goes which way?
#
# **True or false? Write down your four answers before you look at the table.**
#
# - (a) GLIDE diffuses at 256 × 256 and then up-samples.
# - (b) DALL·E 2 diffuses in the latent space of a VAE.
# - (c) Imagen's secret is a better picture model.
# - (d) The last step of Stable Diffusion is a diffusion from 64 × 64 to 512 × 512.
#
# | | the text comes as | what is diffused | how it becomes large |
# |---|---|---|---|
# | GLIDE (2021) | tokens of its own transformer | pixels, **64 × 64** | a diffusion up-sampler, 64 → 256 |
# | DALL·E 2 (2022) | CLIP's text vector; a *prior* makes a CLIP **image** vector of it | a CLIP image vector (the prior), then pixels, 64 × 64, given that vector | two diffusion up-samplers, 64 → 256 → 1024 |
# | Imagen (2022) | T5-XXL, a frozen **text** model of 4.6 billion parameters | pixels, 64 × 64 | two diffusion up-samplers, 64 → 256 → 1024 |
# | Stable Diffusion 1 (2022) | CLIP's tokens, by cross-attention | **latents**, 64 × 64 × 4 | a decoder, 64 → 512, no diffusion |
#
# All four are false. (a) GLIDE's base works at 64 × 64, and the up-sampler *ends* at 256 × 256. (b) DALL·E 2 diffuses a CLIP image
# vector and then pixels. (c) Imagen's authors found that a larger *text* encoder helped more than a larger U-Net. (d) The decoder
# runs once, and it has no timestep.
#
# ## 7. Think about it
#
# A pencil line is 2 pixels wide, and a place of the latent holds 8 × 8 pixels in 4 numbers. How can the line survive? And which of
# these drawings would not survive: a page of fine hatching, a face of 20 pixels, a thick outline?
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
# **Pacing.** 9 minutes for section 1, 11 for the two exercises, 7 for what is kept, 10 for the costs, 10 for the three ways (start
# the cell, discuss the predictions while it trains), the rest for true or false.
#
# **Typical mistakes.** The variance for the standard deviation; the scaling factor around the mean alone; $H \cdot W$ not
# squared.
#
# **What to listen for.** "The latent is a compressed file." It is no code to be unpacked. It is a small picture with its own colours, and
# the U-Net can paint in it. "The VAE makes up the picture." It makes up only the details: show the mean of two latents again.
#
# **The open question.** The line survives because lines are common: four numbers are enough to say "a dark line, here,
# slanting so". Hatching and a tiny face have more independent detail in a place than four numbers can say.
