# %% [markdown]
# # Lesson 1. Pictures, tensors, noise, seeds
#
# {{badge}}
#
# A computer does not see an owl. It sees 49,152 numbers. This lesson is about these numbers: how a picture becomes a tensor
# and comes back without a scratch, what noise is, why a seed makes it come back, and what makes a comparison fair. It looks
# harmless, and many bugs of later lessons start here.
#
# | | |
# |---|---|
# | **You will** | turn pictures into tensors and back, write the test that every proof of this course uses, measure quality in decibels, make noise that can be had again, and compare two settings fairly |
# | **Time** | about 40 minutes, five exercises |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import numpy as np
import torch

from s2i_teach.training.pictures import load_pairs
from s2i_teach.widgets.figures import histogram, picture_row

lesson = s2i.lesson(1)
pairs = load_pairs(keep=lambda row: row["thing"] == "owl")
pixels = {
    row["style"]: pairs.pixels[i].permute(1, 2, 0) for i, row in enumerate(pairs.rows)
}
owl = pixels["noto"]
print(f"{owl.dtype}, shape {tuple(owl.shape)}, from {owl.min()} to {owl.max()}")
sheet, alt = picture_row(
    {row["style"]: pairs.batch(torch.tensor([i]))[0] for i, row in enumerate(pairs.rows)}
)
s2i.show(sheet, alt=f"One owl in the drawing styles of the course. {alt}")

# %% [markdown]
# ## 1. A picture is a block of numbers
#
# A picture file holds, for every pixel, three **bytes**, whole numbers from 0 to 255: how much red, green and blue. numpy,
# Pillow and every camera order them as (height, width, colour), short $(H, W, C)$. Here are a few pixels at the edge of
# the owl, how red each is:

# %%
owl[60:68, 26:34, 0]

# %% [markdown]
# A network wants something else:
#
# - **floats**, since it will add and multiply fractions;
# - from **−1 to 1**: middle grey is then 0, and the noise that we shall add, whose mean is 0 too, makes a picture neither
#   darker nor brighter;
# - the colours **first**, $(C, H, W)$: to a network, red, green and blue are three *channels*, and lesson 4 makes up to 96 of them.
#
# Each exercise is a function to write. Its check tells you whether it is right, and if not, what is wrong.
# `lesson.pixels_to_tensor.hint()` gives a hint; call it again for a plainer one; `.solution()` shows the answer, which is the
# library's own code.


# %% tags=["exercise-pixels_to_tensor"]
def pixels_to_tensor(pixels):
    """Bytes (H, W, C) from 0 to 255 → floats (C, H, W) from -1 to 1."""
    ...


# %%
lesson.pixels_to_tensor.check(pixels_to_tensor)
pixels_to_tensor = lesson.pixels_to_tensor.use(pixels_to_tensor)

# %% [markdown]
# `lesson.….use(…)` keeps your function if it is right and takes the library's otherwise, so that you can always go on.

# %%
x = pixels_to_tensor(owl)
sheet, alt = picture_row(
    {"owl": x}
    | {name: x[i].expand(3, -1, -1) for i, name in enumerate(["red", "green", "blue"])}
)
s2i.show(sheet, alt=f"The owl and its three channels as grey pictures. {alt}")

# %% [markdown]
# White paper is white in all three channels, the pupils are dark in all three. The face is orange: in which channel
# is it bright, and in which one dark?
#
# ## 2. And back again
#
# What a model makes must become bytes again, and a model is not careful: its values may reach 1.02, where bytes end at 255.


# %% tags=["exercise-tensor_to_pixels"]
def tensor_to_pixels(x):
    """Floats (C, H, W), about -1 to 1 → bytes (H, W, C), dtype torch.uint8."""
    ...


# %%
lesson.tensor_to_pixels.check(tensor_to_pixels)
tensor_to_pixels = lesson.tensor_to_pixels.use(tensor_to_pixels)

# %% [markdown]
# **Predict first.** Suppose someone cuts the fraction off (`(…).to(torch.uint8)`) instead of rounding. One round trip changes
# a pixel by at most 1 of 255. Now somebody opens the picture, lowers its contrast by a thousandth, saves it, raises it by a thousandth and saves again;
# sixty times. What will be seen?


# %%
def careless(x):
    """The way back with the fraction cut off."""
    return ((x.clamp(-1, 1) + 1) * 127.5).to(torch.uint8).permute(1, 2, 0)


def round_trips(back, times, factor=0.999):
    """Go there and back: a change too small to see each time, then its opposite."""
    p = owl
    for _ in range(times):
        p = back(pixels_to_tensor(p) * factor)
        p = back(pixels_to_tensor(p) / factor)
    return p


row = {}
for times in [1, 20, 60]:
    row[f"rounded, {times}×"] = pixels_to_tensor(round_trips(tensor_to_pixels, times))
    row[f"cut off, {times}×"] = pixels_to_tensor(round_trips(careless, times))
sheet, alt = picture_row(row, columns=2)
s2i.show(
    sheet,
    alt=f"Left: rounding. Right: cutting off; the picture gets darker and darker. {alt}",
)

# %% [markdown]
# A bug of half a grey level is invisible, until it is repeated. A diffusion model takes fifty steps to make a picture: small
# one-sided errors are the ones to fear.
#
# ## 3. When are two tensors equal?
#
# **Spot the bug.** You will often have to show that your code and somebody else's agree. Here is a test for that; one much
# like it guards a published diffusion library. It is wrong.


# %%
def looks_equal(a, b):
    return abs((a - b).sum().item()) < 0.01


betas = torch.linspace(1e-4, 0.02, 1000)  # a noise schedule: lesson 2
print("a picture and itself:            ", looks_equal(x, x))
print("a picture and a brighter one:    ", looks_equal(x, x + 0.1))
print("a picture and its mirror image:  ", looks_equal(x, x.flip(2)))
print("a schedule and its reverse:      ", looks_equal(betas, betas.flip(0)))

# %% [markdown]
# Why does it call the mirror image equal? Which other pictures would it confuse? (All that have the same numbers in other
# places: what is too large here makes up for what is too small there.) Write a test that cannot be fooled.


# %% tags=["exercise-max_difference"]
def max_difference(a, b):
    """How far apart two tensors of one shape are at most: a plain number, 0 only if they are equal."""
    ...


# %%
lesson.max_difference.check(max_difference)
max_difference = lesson.max_difference.use(max_difference)

# %%
print(f"a picture and itself:            {max_difference(x, x):g}")
print(f"a picture and its mirror image:  {max_difference(x, x.flip(2)):g}")
print(f"a schedule and its reverse:      {max_difference(betas, betas.flip(0)):g}")
print(
    f"there and back:                  {max_difference(pixels_to_tensor(tensor_to_pixels(x)), x):g}"
)

# %% [markdown]
# Wherever this course says that two things are equal, it has taken this maximum.
#
# ## 4. How good is a picture?
#
# Equal or not is too strict for a picture that went through a model. The oldest measure is the **peak signal-to-noise
# ratio**, PSNR, in decibels: from the mean squared error between picture $a$ and picture $b$, over all $N$ numbers,
#
# $$\mathrm{MSE} = \frac1N \sum_i (a_i - b_i)^2, \qquad \mathrm{PSNR} = 10 \log_{10} \frac{\text{peak}^2}{\mathrm{MSE}},$$
#
# where *peak* is the distance from black to white. 40 dB cannot be told from the original, 20 dB is visibly worse.
# What is the peak here? (A trap: most of the web has pictures from 0 to 1.)
# Two equal pictures would have infinitely many dB; keep the MSE above $10^{-10}$, which ends the scale at 106 dB.


# %% tags=["exercise-psnr"]
def psnr(a, b):
    """PSNR in dB of pictures (B, C, H, W) in [-1, 1], one number a picture: (B,). Clip both to [-1, 1] first."""
    ...


# %%
lesson.psnr.check(psnr)
psnr = lesson.psnr.use(psnr)

# %% [markdown]
# **Predict first:** which of these four damages has the lowest PSNR? Which one would *you* call the worst?

# %%
damaged = {
    "original": x,
    "a little noise": x
    + 0.15 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0)),
    "brighter": x + 0.25,
    "moved by 3 pixels": x.roll(3, dims=2),
    "blurred": torch.nn.functional.avg_pool2d(
        x[None], 5, stride=1, padding=2, count_include_pad=False
    )[0],
}
sheet, alt = picture_row(
    {f"{name}: {psnr(x[None], y[None]).item():.1f} dB": y for name, y in damaged.items()}
)
s2i.show(sheet, alt=f"An owl, damaged in four ways, with the PSNR of each. {alt}")

# %% [markdown]
# Moving the owl by three pixels is the "worst", although nothing at all is wrong with it. PSNR compares pixel by pixel and
# knows no owls. It is the right tool for a round trip or a codec, and the wrong one for "is this a good picture of an owl?";
# a later lesson is about that question.
#
# ## 5. Noise, and where it comes from
#
# Noise, in this course, is a number for every pixel and channel, drawn from the bell curve with mean 0 and variance 1,
# written $\varepsilon \sim \mathcal N(0, I)$. A computer cannot throw dice: it computes the next number from the last, so the
# whole sequence follows from where it started, the **seed**.
#
# PyTorch has one global generator; everything that draws from it moves it on. Run a cell twice and the noise is another
# one. So every picture gets a generator of its own.


# %% tags=["exercise-noise_for"]
def noise_for(seeds, shape):
    """Noise (len(seeds), *shape): each picture's torch.randn from a torch.Generator() with its own seed."""
    ...


# %%
lesson.noise_for.check(noise_for)
noise_for = lesson.noise_for.use(noise_for)

# %%
noise = noise_for([0, 1, 2, 0], (3, 128, 128))
labels = ["seed 0", "seed 1", "seed 2", "seed 0 again"]
sheet, alt = picture_row({label: n / 3 for label, n in zip(labels, noise)})
s2i.show(sheet, alt=f"Four pictures of noise; the first and the last are equal. {alt}")
alone = noise_for([2], (3, 128, 128))[0]
print("seed 2, alone and as the third of four, differ by", max_difference(alone, noise[2]))
figure, alt = histogram({"noise": noise, "owl": x}, x_label="value of a pixel")
s2i.show(figure, alt=alt)

# %% [markdown]
# **Turn the knobs.** How much noise can you add before you no longer see the owl? And what does PSNR say there?
# **Predict first:** does the answer depend on the seed?

# %%
import ipywidgets


def look(amount, seed):
    noisy = x + amount * noise_for([seed], x.shape)[0]
    words = f"owl + {amount:g} · noise of seed {seed}: {psnr(x[None], noisy[None]).item():.1f} dB"
    sheet, alt = picture_row({words: noisy}, side=256)
    s2i.show(sheet, alt=alt)


amount = ipywidgets.FloatSlider(
    0.5, min=0, max=4, step=0.1, description="amount", continuous_update=False
)
seed = ipywidgets.IntSlider(0, min=0, max=20, description="seed", continuous_update=False)
_ = ipywidgets.interact(look, amount=amount, seed=seed)

# %% [markdown]
# ## 6. A fair comparison
#
# Now the point of it all. *Guidance* says how strongly the words steer (lesson 6). Does more of it change the picture? Two
# people try 3 against 5. The first takes noise as it comes; the second gives both the same seed.
#
# **Predict first:** in which row do the two pictures differ more, and how much of that is the guidance's doing?

# %%
pipe = s2i.load_pipeline("mini")
sketch = {s.name: s for s in s2i.sketches()}["mushroom"]


def make(guidance, seed):
    result = s2i.translate(
        sketch,
        "a mushroom, noto style",
        pipe=pipe,
        guidance_scale=guidance,
        strength=0.8,
        prepare="filled",
        seed=seed,
    )
    return result.image


pictures = [make(3, 11), make(5, 12), make(3, 11), make(5, 11)]
labels = [
    "guidance 3, seed 11",
    "guidance 5, seed 12",
    "guidance 3, seed 11",
    "guidance 5, seed 11",
]
sheet = s2i.contact_sheet(
    [([p], label) for p, label in zip(pictures, labels)], columns=2, side=160
)
s2i.show(
    sheet,
    alt="Above: two guidances, each with a noise of its own. Below: the same two with the same noise.",
)
a, b, c, d = (pixels_to_tensor(torch.from_numpy(np.array(p)))[None] for p in pictures)
print(
    f"above, other noise: {psnr(a, b).item():.1f} dB    below, same noise: {psnr(c, d).item():.1f} dB"
)

# %% [markdown]
# The lower the PSNR, the further apart. In this pair most of what the first person sees, and will explain by guidance, is the
# seed. With
# one pair of pictures it cannot be told apart at all; with the same seed for both it can. The rule, from here to the end of
# the course: **change one thing, keep the seed; and look at more than one seed before you believe it.**
#
# ## 7. Think about it
#
# A friend says: "seed 12 makes better owls than seed 11." What would you have to show to convince you? What if she tried two
# hundred seeds and shows you the best?
#
# ## Sources
#
# - Ho, Jain and Abbeel, *Denoising Diffusion Probabilistic Models*, 2020, arXiv 2006.11239, section 3.3: pictures scaled to
#   [−1, 1].
# - Wang, Bovik, Sheikh and Simoncelli, *Image Quality Assessment: From Error Visibility to Structural Similarity*, 2004: why
#   the mean squared error is not what we see.
# - PyTorch, *Reproducibility*: which results are the same on another machine, and which are not.
#
# **Next:** lesson 2, *The noise schedule and the forward process*: a thousand amounts of noise, and one formula for all.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** 8 minutes for section 1 (let somebody draw $(H, W, C)$ and $(C, H, W)$ on the board as boxes), 7 for section 2, 8
# for section 3, 7 for PSNR, 10 for seeds and the fair comparison.
#
# **Typical mistakes.** `reshape` in place of `permute`: the shape is right, the picture is confetti; let them look at it.
# Dividing by 128. Forgetting to clip, which wraps white into black spots. In PSNR the peak of 1, copied from the web: everything
# is 6 dB too low, and nobody notices, since all methods suffer alike. One generator for the whole batch: every picture then
# depends on its place.
#
# **What to listen for.** "The mean difference is nearly zero, so they are equal." That sentence is the bug of section 3.
#
# **The open question.** Picking the best of two hundred seeds is a search, and with it anything can be shown. Fair: fix the
# seeds beforehand, show all of them, or say how the one was chosen.
