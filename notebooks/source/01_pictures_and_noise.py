# %% [markdown]
# # Lesson 1. Pictures, tensors, noise, seeds
#
# {{badge}}
#
# A computer does not see an owl. It sees 49,152 numbers. This lesson is about these numbers. You turn a picture into numbers and
# back without a loss, you measure how far two pictures are apart, and you make noise that can be made again. At the end you compare
# two settings fairly. Many bugs of the later lessons start in these simple steps.
#
# | | |
# |---|---|
# | **You will** | turn pictures into tensors and back, write the test that every proof of this course uses, measure quality in decibels, make noise that can be made again, and compare two settings fairly |
# | **Time** | about 40 minutes, five exercises |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |
#
# **You need:** lesson 0, and Python with functions, lists and loops. It helps if you have used arrays in numpy. You need no PyTorch:
# each of its functions is explained where you first use it.

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import numpy as np
import torch

from s2i_teach.lessons import predict
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
# A **pixel** is one dot of a picture. A picture file holds three bytes per pixel: how much red, how much green and how much blue.
# A **byte** is a whole number from 0 to 255. numpy, Pillow and cameras order these numbers as (height, width, colour). We write
# this order as $(H, W, C)$. Here are a few pixels at the edge of the owl. Each number says how red one pixel is.

# %%
owl[60:68, 26:34, 0]

# %% [markdown]
# PyTorch calls such a block of numbers a **tensor**. It is like an array in numpy, and it can also be used on a GPU and in training.
# The list of its lengths is its *shape*, and the type of its numbers is its *dtype*.
#
# A network wants another tensor than a picture file holds:
#
# - **Floats**, which are numbers with a fraction. The network adds and multiplies fractions.
# - Values **from −1 to 1**. Middle grey is then 0. The noise that we shall add has the mean 0 too, so it makes a picture neither
#   darker nor brighter.
# - The colours **first**, $(C, H, W)$. A network calls red, green and blue three **channels**. Lesson 4 makes up to 96 of them.
#
# Each exercise is a function to write. Its check tells you whether it is right, and if not, what is wrong.
# `lesson.pixels_to_tensor.hint()` gives a hint, and each further call gives a plainer one. `lesson.pixels_to_tensor.solution()` shows
# the answer, which is the library's own code. The order of the axes of a tensor is changed by `x.permute(...)`.


# %% tags=["exercise-pixels_to_tensor"]
def pixels_to_tensor(pixels):
    """Bytes (H, W, C) from 0 to 255 → floats (C, H, W) from -1 to 1."""
    ...


# %%
lesson.pixels_to_tensor.check(pixels_to_tensor)
pixels_to_tensor = lesson.pixels_to_tensor.use(pixels_to_tensor)

# %% [markdown]
# `lesson.pixels_to_tensor.use(…)` keeps your function if it is right and takes the library's otherwise. So you can always go on.

# %%
x = pixels_to_tensor(owl)
sheet, alt = picture_row(
    {"owl": x}
    | {name: x[i].expand(3, -1, -1) for i, name in enumerate(["red", "green", "blue"])}
)
s2i.show(sheet, alt=f"The owl and its three channels as grey pictures. {alt}")

# %% [markdown]
# White paper is bright in all three channels. The pupils are dark in all three. The face is orange. In which channel
# is it bright, and in which one is it dark?
#
# ## 2. And back again
#
# What a model makes must become bytes again. Two things stand in the way. A model may answer 1.02, but no byte is larger than 255.
# And a byte is a whole number, but 127.6 is not.


# %% tags=["exercise-tensor_to_pixels"]
def tensor_to_pixels(x):
    """Floats (C, H, W), about -1 to 1 → bytes (H, W, C), dtype torch.uint8."""
    ...


# %%
lesson.tensor_to_pixels.check(tensor_to_pixels)
tensor_to_pixels = lesson.tensor_to_pixels.use(tensor_to_pixels)

# %% [markdown]
# Suppose someone cuts the fraction off with `(…).to(torch.uint8)` and does not round. One round trip then changes a pixel by at
# most 1 of 255. Now somebody opens the picture, lowers its contrast by a thousandth and saves it. Then she raises the contrast by a
# thousandth and saves it again. She does this sixty times.
#
# **Predict first.** Write your answer in the place of `...` and run the cell. You will see the measured answer beside it.

# %%
sixty = predict(
    "With the fraction cut off, the owl after sixty times is:",
    answer=...,
    options=("about as before", "darker", "brighter"),
)


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


row, shift = {}, {}
for times in [1, 20, 60]:
    for name, back in {"rounded": tensor_to_pixels, "cut off": careless}.items():
        after = round_trips(back, times)
        row[f"{name}, {times}×"] = pixels_to_tensor(after)
        shift[name] = (after.float() - owl.float()).mean().item()
sheet, alt = picture_row(row, columns=2)
s2i.show(sheet, alt=f"Left: rounding. Right: cutting off, 1, 20 and 60 times. {alt}")
for name, change in shift.items():
    print(f"{name}, after 60 times: the mean byte has changed by {change:+.1f}")
change = shift["cut off"]
sixty.compare(
    "about as before" if abs(change) < 2 else "darker" if change < 0 else "brighter"
)

# %% [markdown]
# An error of less than one byte value is invisible until it is repeated. A diffusion model takes many steps to make one picture. So an
# error that always points in the same direction is the dangerous one.
#
# ## 3. When are two tensors equal?
#
# **Spot the bug.** You will often have to show that your code and somebody else's agree. Here is a test for that. It looks sensible,
# and it is wrong.


# %%
def looks_equal(a, b):
    return abs((a - b).sum().item()) < 0.01


ramp = torch.linspace(0, 1, 1000)  # a thousand numbers that rise in equal steps
print("a picture and itself:            ", looks_equal(x, x))
print("a picture and a brighter one:    ", looks_equal(x, x + 0.1))
print("a picture and its mirror image:  ", looks_equal(x, x.flip(2)))
print("a ramp and its reverse:          ", looks_equal(ramp, ramp.flip(0)))

# %% [markdown]
# Why does it call the mirror image equal? Which other pairs of pictures would it confuse? Find the reason. Then write a measure that
# cannot be fooled in this way. It is 0 if the two tensors are equal, and only then. One wrong pixel among a million must show as
# clearly as a million of them.


# %% tags=["exercise-max_difference"]
def max_difference(a, b):
    """How far apart two tensors of one shape are: a plain number, 0 only if they are equal."""
    ...


# %%
lesson.max_difference.check(max_difference)
max_difference = lesson.max_difference.use(max_difference)

# %%
print(f"a picture and itself:            {max_difference(x, x):g}")
print(f"a picture and its mirror image:  {max_difference(x, x.flip(2)):g}")
print(f"a ramp and its reverse:          {max_difference(ramp, ramp.flip(0)):g}")
print(
    f"there and back:                  {max_difference(pixels_to_tensor(tensor_to_pixels(x)), x):g}"
)

# %% [markdown]
# The mirror image has the same numbers in other places. In one place it is larger, in another place it is smaller, and in a sum with
# signs these differences cancel. Every picture with the same mean brightness is "equal" under that test.
#
# Wherever this course says that two things are equal, it has taken your maximum.
#
# ## 4. How good is a picture?
#
# "Equal" is too strict for a picture that went through a model. The oldest measure of quality is the **peak signal-to-noise
# ratio**, PSNR, in decibels (dB). It starts from the **mean squared error**, MSE, between picture $a$ and picture $b$ over all
# $N$ numbers:
#
# $$\mathrm{MSE} = \frac1N \sum_i (a_i - b_i)^2, \qquad \mathrm{PSNR} = 10 \log_{10} \frac{\text{peak}^2}{\mathrm{MSE}}.$$
#
# The *peak* is the distance from black to white. At 40 dB most people see no difference. At 20 dB the damage is visible.
# What is the peak here? Be careful: most code on the web has pictures from 0 to 1.
# Two equal pictures would have infinitely many dB. Keep the MSE above $10^{-10}$, then the scale ends at 106 dB.


# %% tags=["exercise-psnr"]
def psnr(a, b):
    """PSNR in dB of pictures (B, C, H, W) in [-1, 1], one number per picture: (B,). Clip both to [-1, 1] first."""
    ...


# %%
lesson.psnr.check(psnr)
psnr = lesson.psnr.use(psnr)

# %% [markdown]
# Four kinds of damage: a little noise, a brighter picture, a picture moved to the right by three pixels, and a blur.
# **Predict first:** which one gets the lowest PSNR? And which one would *you* call the worst?

# %%
damages = ("a little noise", "more brightness", "a move by 3 pixels", "a blur")
lowest = predict("The lowest PSNR comes from:", answer=..., options=damages)

# %%
noisy = x + 0.15 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
blurred = torch.nn.functional.avg_pool2d(  # the mean of 5 × 5 pixels
    x[None], 5, stride=1, padding=2, count_include_pad=False
)[0]
damaged = dict(zip(damages, [noisy, x + 0.25, x.roll(3, dims=2), blurred]))
quality = {name: psnr(x[None], y[None]).item() for name, y in damaged.items()}
sheet, alt = picture_row(
    {"original": x} | {f"{name}: {quality[name]:.1f} dB": y for name, y in damaged.items()}
)
s2i.show(sheet, alt=f"An owl, damaged in four ways, with the PSNR of each. {alt}")
lowest.compare(min(quality, key=quality.get))

# %% [markdown]
# An owl that has moved is still a perfect owl. But PSNR compares pixel by pixel, and at every edge it finds a large error.
# PSNR is the right measure for a round trip or for a compressed file. It is the wrong measure for "is this a good picture of an
# owl?". Lesson 12 is about that question.
#
# ## 5. Noise, and where it comes from
#
# In this course **noise** is one random number per pixel and channel. Each number is drawn from the bell curve with mean 0 and
# variance 1, the **standard normal distribution**. We write $\varepsilon \sim \mathcal N(0, I)$: $\varepsilon$ ("epsilon") is the noise,
# and $I$ says that all numbers are independent and have variance 1. `torch.randn` draws such numbers.
#
# A computer cannot throw dice. It calculates each "random" number from the one before. So the whole sequence follows from where
# it started, and this start is the **seed**. An object that calculates such a sequence is a **generator**.
#
# PyTorch has one global generator, and everything that draws from it moves it on. If you run a cell twice, you get other noise. So
# in this course every picture gets a generator of its own.


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
# We add this noise to the owl. **Predict first:** does the PSNR of the noisy owl depend on the seed?

# %%
seed_matters = predict(
    "The PSNR of the noisy owl differs between ten seeds by:",
    answer=...,
    options=("less than 0.5 dB", "0.5 to 3 dB", "more than 3 dB"),
)

# %%
ten = x + 0.5 * noise_for(range(10), x.shape)
decibels = psnr(x.expand(10, -1, -1, -1), ten)
gap = (decibels.max() - decibels.min()).item()
print(f"ten seeds: {decibels.min():.2f} to {decibels.max():.2f} dB")
seed_matters.compare(
    "less than 0.5 dB" if gap < 0.5 else "0.5 to 3 dB" if gap <= 3 else "more than 3 dB"
)

# %% [markdown]
# Each seed gives other numbers, but 49,152 of them have nearly the same mean square. So the *amount* of noise decides the PSNR.
#
# **Turn the knobs.** How much noise can you add before you no longer see the owl? What does PSNR say there?

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
s2i.interact(look, amount=amount, seed=seed)

# %% [markdown]
# ## 6. A fair comparison
#
# **Guidance** says how strongly the words steer the picture; lesson 6 builds it. Does more guidance change the picture? Two
# people try guidance 3 against guidance 5. The first one takes another seed for each picture. The second one keeps the seed.
#
# **Predict first:** who gets the two pictures that differ more?

# %%
further = predict(
    "The two pictures differ more:",
    answer=...,
    options=("with another seed for each", "with the same seed"),
)

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


settings = [(3, 11), (5, 12), (3, 11), (5, 11)]
pictures = [make(guidance, seed) for guidance, seed in settings]
labels = [f"guidance {guidance}, seed {seed}" for guidance, seed in settings]
sheet = s2i.contact_sheet(
    [([p], label) for p, label in zip(pictures, labels)], columns=2, side=160
)
s2i.show(
    sheet,
    alt="Above: two guidances, each with a noise of its own. Below: the same two with the same noise.",
)
a, b, c, d = (pixels_to_tensor(torch.from_numpy(np.array(p))) for p in pictures)
other_seed, same_seed = (a - b).pow(2).mean().item(), (c - d).pow(2).mean().item()
print(f"mean squared difference, another seed for each: {other_seed:.3f}")
print(f"mean squared difference, the same seed:         {same_seed:.3f}")
print(f"the second is {same_seed / other_seed:.0%} of the first")
further.compare(
    "with another seed for each" if other_seed > same_seed else "with the same seed"
)

# %% [markdown]
# In the lower row only the guidance changed, so the whole difference comes from guidance. In the upper row two things changed. The
# first person cannot say how much of the difference comes from guidance and how much from the seed. She will easily
# explain all of it by guidance. The rule, from here to the end of the course: **change one thing and keep the seed. And look
# at more than one seed before you believe the result.**
#
# ## 7. Think about it
#
# A friend says: "Seed 12 makes better owls than seed 11." What must she show to convince you? What if she tried two
# hundred seeds and shows you the best one?
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
# **Pacing.** 8 minutes for section 1, 7 for section 2, 8 for section 3, 7 for section 4, 10 for sections 5 and 6. In section 1 let
# somebody draw $(H, W, C)$ and $(C, H, W)$ on the board as boxes.
#
# **Typical mistakes.** `reshape` in place of `permute`: the shape is right, and the picture is a mess; let them look at it.
# Dividing by 128. Forgetting to clip, which wraps white into black spots. In PSNR the peak of 1, copied from the web: every number
# is 6 dB too low, and nobody notices, since all methods are too low by the same amount. One generator for the whole batch: the noise of
# a picture then depends on its place.
#
# **What to listen for.** "The mean difference is nearly zero, so they are equal." That sentence is the bug of section 3.
#
# **The open question.** Picking the best of two hundred seeds is a search, and a search finds support for any claim. Fair ways:
# choose the seeds beforehand, show all of them, or say how the one was chosen.
