# %% [markdown]
# # Lesson 4. A U-Net that predicts noise
#
# {{badge}}
#
# Lesson 3 asked a network for the noise in a picture. Now you build one: a U-Net that is small enough to read in one sitting
# and to train while you read on. At the end it makes pictures from nothing but noise. They are tiny, 24 × 24 pixels, and they
# are yours.
#
# | | |
# |---|---|
# | **You will** | tell a network the time, wire a U-Net with skip connections, write its loss, train it, derive what its loss weighs, and find out what it can and cannot do |
# | **Time** | about 60 minutes, four exercises; the training takes about a minute |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |
#
# **You need:** lesson 2 (the leap to $x_t$, the SNR) and lesson 3 ($\hat x_0$ from $\hat\varepsilon$, the conditional mean, the perfect
# denoiser). You should know what a convolution and a gradient are. The pieces of PyTorch are explained where they first stand.

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import math
import time

import torch
import torch.nn.functional as F
from torch import nn

from s2i_teach.lessons import predict
from s2i_teach.theory.forward import add_noise
from s2i_teach.theory.ideal import ideal_eps
from s2i_teach.theory.measure import max_difference
from s2i_teach.theory.prediction import x0_from_eps
from s2i_teach.theory.schedule import alphas_cumprod, scaled_linear_betas, signal_to_noise_ratio
from s2i_teach.theory.training import loss_by_timestep, train
from s2i_teach.theory.unet import ResBlock, UNet
from s2i_teach.training.pictures import load_pairs
from s2i_teach.widgets.figures import curves, picture_row

lesson = s2i.lesson(4)
alpha_bar = alphas_cumprod(scaled_linear_betas())  # Stable Diffusion's schedule, lesson 2

things = ["cat", "owl", "fish", "mushroom", "apple", "strawberry", "house", "sailboat"]
pairs = load_pairs(keep=lambda row: row["thing"] in things and row["style"] == "noto")
data = F.interpolate(
    pairs.batch(torch.arange(len(pairs))), (24, 24), mode="area"
)  # (8, 3, 24, 24)
names = [row["thing"] for row in pairs.rows]
sheet, alt = picture_row(dict(zip(names, data)), side=96)
s2i.show(sheet, alt=f"The eight pictures that the network will learn. {alt}")

# %% [markdown]
# Eight pictures are few. A network learns so few by heart, and a minute is enough for it. The miniature of this course learned from
# 1,710 pictures in ever new poses, for hours. The principle is the same.
#
# ## 1. Telling the time
#
# The network gets $x_t$ and has to know how noisy it is. We could hand it the number $t$. But one number is easily lost among
# thousands, and a network should treat 500 and 501 almost alike and 0 and 999 very differently. So $t$ is written as a vector of waves,
# the **timestep embedding**. Fast waves tell neighbours apart, and slow waves tell early from late (Vaswani et al. 2017). With
# $d$ = `dim`, $P$ = `max_period` and the frequencies $f_i = P^{-i/(d/2)}$ for $i = 0 … d/2-1$ it is
#
# $$\big(\cos(f_0 t), \cos(f_1 t), \dots, \sin(f_0 t), \sin(f_1 t), \dots\big).$$


# %% tags=["exercise-timestep_embedding"]
def timestep_embedding(t, dim, max_period=10_000):
    """t is (B,), dim is even: (B, dim), first all cosines, then all sines."""
    ...


# %%
lesson.timestep_embedding.check(timestep_embedding)
timestep_embedding = lesson.timestep_embedding.use(timestep_embedding)

# %% [markdown]
# How similar is the vector of $t = 500$ to those of the other timesteps? The cosine similarity is 1 for equal directions and 0 for
# directions that have nothing in common. **Predict first:** what happens to it on the way from $t = 500$ to $t = 999$?

# %%
way = predict(
    "From t = 500 to 999 the similarity:",
    answer=...,
    options=("falls all the way", "falls and rises in turns", "stays as it is"),
)

# %%
all_times = timestep_embedding(torch.arange(1000), 64)
likeness = F.cosine_similarity(all_times, all_times[500:501])
figure, alt = curves(
    range(1000),
    {"similarity": likeness},
    x_label="timestep t",
    y_label="cosine similarity",
    title="How similar t and 500 are",
)
s2i.show(figure, alt=alt)
change = likeness[500:].diff()
way.compare(
    "stays as it is"
    if change.abs().max() < 1e-3
    else "falls and rises in turns"
    if (change > 1e-3).any()
    else "falls all the way"
)

# %% [markdown]
# The neighbours of 500 are most similar to it. Further away there are ripples: there the fast waves have made some full turns
# and agree again.
#
# ## 2. Down, and up again
#
# To find the noise, a network must look in two ways. It must look closely, since noise is a matter of single pixels. And it must look
# from far away: whether a dark pixel is noise or an owl's eye depends on the owl. A **U-Net** does both. On the way down it halves
# the side of the picture again and again. So it works at several **resolutions**, and at a coarse one each number stands for a large
# region. On the way up it doubles the side again. But the halving has lost the details. Therefore each block on the way up also gets
# what the network had at the same resolution on the way down. This is a **skip connection**.
#
# The numbers that a network calculates on its way are called **features**.
#
# **Spot the bug.** The wiring below looks right at first reading. Read it, and find out
# who gets what from whom. To make it visible, the blocks here are the simplest that there are: on the way down they do nothing, and on
# the way up they keep only what the skip connection brought them.


# %%
def with_a_bug(x, down, up):
    kept = []
    for block in down:
        x = F.avg_pool2d(block(x), 2)
        kept.append(x)
    for block in up:
        x = torch.cat([x, kept.pop()], dim=1)
        x = F.interpolate(block(x), scale_factor=2.0, mode="nearest")
    return x


def nothing(h):
    """A block on the way down: hands on what it gets."""
    return h


def only_the_skip(h):
    """A block on the way up: drops what came from below, keeps what the skip connection brought."""
    return h[:, h.shape[1] // 2 :]


owl = data[names.index("owl")][None]
sheet, alt = picture_row(
    {"in": owl[0], "out": with_a_bug(owl, [nothing] * 3, [only_the_skip] * 3)[0]}
)
s2i.show(sheet, alt=f"The owl comes out with half of its resolution. {alt}")

# %% [markdown]
# The owl has lost half of its resolution, although the skip connections should have brought it unharmed. Such a network still trains,
# and nothing warns you. Two things are wrong in the wiring. Find both.
#
# Then write it so that the owl comes through unharmed. Three blocks on each side mean three resolutions, here 24, 12 and 6, so there are
# two halvings and two doublings, each *between* two blocks. `middle` is one more function. It works at the coarsest resolution, after
# the last block on the way down.


# %% tags=["exercise-hourglass"]
def hourglass(x, down, middle, up, skips=True):
    """x is (B, C, H, W). down (finest first) and up (coarsest first) are equally many functions.

    Halve with F.avg_pool2d, double with F.interpolate(..., mode="nearest"). Join [x, skip] along the
    channels with torch.cat; with skips=False join nothing.
    """
    ...


# %%
lesson.hourglass.check(hourglass)
hourglass = lesson.hourglass.use(hourglass)

# %%
out = hourglass(owl, [nothing] * 3, nothing, [only_the_skip] * 3)
print("in and out differ by", max_difference(owl, out))

# %% [markdown]
# The bug had two parts. Features were kept *after* the halving, so nobody got the finest ones. And everything was halved three times for
# three blocks, so the last doubling made the full size from features that had half of it.
#
# ## 3. The network
#
# All that is missing are blocks that can learn. Each is a **residual block**: two convolutions with a shortcut around them, so
# that the block only has to learn what to add to its input. Between the two convolutions it gets the time: a layer
# turns the timestep embedding into one number per channel, which is added to the whole channel. `ResBlock` of the library
# has twenty lines and is the same computation as diffusers' `ResnetBlock2D`; read it with `ResBlock??`. It uses these pieces of PyTorch:
#
# - **`nn.Module`** is the class of everything that has weights. A module may hold other modules. `parameters()` finds all their weights,
#   and calling the module runs its `forward`.
# - **`nn.Linear`** multiplies a vector by a matrix of weights. **`nn.Conv2d`** is a convolution. **`nn.SiLU`** is the curve
#   $x / (1 + e^{-x})$; without a curve in between, two layers would be no more than one.
# - **`nn.GroupNorm(8, channels)`** puts the channels into 8 groups. In each picture it shifts and scales each group to mean 0 and variance
#   1, and then each channel gets a learned factor and offset. So features keep their size through many layers.
#
# `hourglass` calls its functions with the features alone. So each block must be wrapped in a function that already knows the time. In
# Python this has a trap:

# %%
wrong = [lambda h: name + h for name in ("a", "b", "c")]
right = [lambda h, name=name: name + h for name in ("a", "b", "c")]
print("without the default:", [function("1") for function in wrong])
print("with the default:   ", [function("1") for function in right])

# %% [markdown]
# A `lambda` looks a name up when it is *called*. By then the loop is over, and all three find its last value. The **default argument**
# `name=name` is read when the function is *made*, so each function keeps its own. Here is the whole U-Net, with your two
# functions in it.


# %%
class MyUNet(nn.Module):
    def __init__(self, widths=(24, 48, 96), channels=3, skips=True):
        super().__init__()
        self.first, self.skips, time_dim = widths[0], skips, 4 * widths[0]
        self.time = nn.Sequential(
            nn.Linear(widths[0], time_dim), nn.SiLU(), nn.Linear(time_dim, time_dim)
        )
        self.conv_in = nn.Conv2d(channels, widths[0], 3, padding=1)
        before = (widths[0], *widths[:-1])  # channels that arrive at each resolution
        join = 2 if skips else 1
        self.down = nn.ModuleList(ResBlock(b, w, time_dim) for b, w in zip(before, widths))
        self.middle = ResBlock(widths[-1], widths[-1], time_dim)
        self.up = nn.ModuleList(
            ResBlock(join * w, b, time_dim) for b, w in zip(before[::-1], widths[::-1])
        )
        self.norm_out = nn.GroupNorm(8, widths[0])
        self.conv_out = nn.Conv2d(widths[0], channels, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)  # at the start it says "no noise"
        nn.init.zeros_(self.conv_out.bias)

    def forward(self, x, t):
        time = self.time(timestep_embedding(t, self.first))
        down = [lambda h, block=block: block(h, time) for block in self.down]
        up = [lambda h, block=block: block(h, time) for block in self.up]
        h = hourglass(self.conv_in(x), down, lambda h: self.middle(h, time), up, self.skips)
        return self.conv_out(F.silu(self.norm_out(h)))


torch.manual_seed(0)
mine = MyUNet()
print(f"{sum(p.numel() for p in mine.parameters()):,} parameters; in the blocks on the way down:")
print([f"{sum(p.numel() for p in block.parameters()):,}" for block in mine.down])

# %% [markdown]
# Is `MyUNet` the same network as the library's `UNet`? Give both the same weights and ask them the same.

# %%
theirs = UNet(widths=(24, 48, 96))
nn.init.normal_(mine.conv_out.weight)  # it starts at zero: any two networks would agree
theirs.load_state_dict(mine.state_dict())
x, t = torch.randn(2, 3, 24, 24), torch.tensor([3, 700])
print("the two differ by", max_difference(mine(x, t), theirs(x, t)))

# %% [markdown]
# ## 4. What it learns from
#
# Take a picture, a random $t$ and fresh noise. Make $x_t$, ask the network for the noise, and take the mean of the squared differences
# over all numbers of the batch (Ho et al. 2020, equation 14). This mean is the **loss**: training makes it smaller.
#
# Why does this teach the network to denoise? In training the network never meets the perfect denoiser. It meets only single cases.
# It cannot know which picture and which noise made this $x_t$. But you know from lesson 3 what to answer in such a case: **the smallest
# squared error is that of the conditional mean.** So the loss pulls the network towards $\mathbb E[\varepsilon \mid x_t]$, at each $t$ and
# each $x_t$. Section 5 tests this.


# %% tags=["exercise-denoising_loss"]
def denoising_loss(model, x0, eps, alpha_bar, t):
    """model(x_t, t) predicts the noise. x0 and eps are (B, ...), alpha_bar is (T,), t is (B,): one number."""
    ...


# %%
lesson.denoising_loss.check(denoising_loss)
denoising_loss = lesson.denoising_loss.use(denoising_loss)

# %% [markdown]
# Here is the whole training loop. **AdamW** is the optimiser: it changes all weights a little against their gradient. For each
# weight it keeps a running mean of the gradient and of its square, and from them it takes a step of the right size for this weight. One
# such change is an **optimiser step**. `zero_grad` forgets the last gradients, and `backward` calculates the new ones.
#
# **Predict first:** what is the loss before the first optimiser step, when the network still says "no noise"? Within 0.1 counts as
# right.

# %%
at_first = predict("The first loss", answer=...)

# %%
torch.manual_seed(0)
model = MyUNet()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
losses = []
for step in range(40):
    x0 = data[torch.randint(len(data), (16,))]
    loss = denoising_loss(
        model, x0, torch.randn_like(x0), alpha_bar, torch.randint(1000, (16,))
    )
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(
    f"the first losses: {[round(x, 3) for x in losses[:3]]}, the last: {[round(x, 3) for x in losses[-3:]]}"
)
at_first.compare(losses[0], within=0.1)

# %% [markdown]
# An answer of 0 is wrong by all of the noise, and the noise has variance 1.
#
# Now for longer. The library's `train` runs the same loop with more care. The learning rate rises at the start and falls
# at the end. Gradients that are too large are shortened. And it keeps an **exponential moving average** (EMA) of the weights: after each
# optimiser step the average moves a little towards the new weights. The network with the averaged weights draws calmer pictures.
#
# `train` is a *generator* in Python's sense: a loop over it gets one optimiser step at a time, and you look at what you like.

# %%
torch.manual_seed(0)
model, losses, started = MyUNet(), [], time.perf_counter()
for step in train(model, data, alpha_bar, steps=800, batch_size=16, lr=2e-3, average=0.99):
    losses.append(step.loss)
    if step.step % 150 == 149:
        seconds = time.perf_counter() - started
        print(f"step {step.step + 1}: loss {sum(losses[-50:]) / 50:.4f}, {seconds:.0f} s")
trained = step.averaged
smooth = [
    sum(losses[max(0, i - 24) : i + 1]) / len(losses[max(0, i - 24) : i + 1])
    for i in range(len(losses))
]
figure, alt = curves(
    range(800),
    {"loss": smooth},
    x_label="optimiser step",
    y_label="loss",
    title="Training, mean of 25 optimiser steps",
    log=True,
)
s2i.show(figure, alt=alt)

# %% [markdown]
# ## 5. What it knows, and where
#
# The loss is a mean over all $t$. It does not show what happens at each of them. **Predict first:** where is it hardest to tell the
# noise?

# %%
hardest = predict(
    "Your network's loss is largest at:",
    answer=...,
    options=("small t", "the middle", "large t"),
)

# %%
times = list(range(20, 1000, 70))
yours = loss_by_timestep(trained, data, alpha_bar, times)
perfect = loss_by_timestep(
    lambda x, t: ideal_eps(x, data, alpha_bar[t[0]].item()), data, alpha_bar, times
)
figure, alt = curves(
    times,
    {"your network": yours, "perfect denoiser": [max(p, 1e-6) for p in perfect]},
    x_label="timestep t",
    y_label="loss",
    title="The error of the guessed noise (perfect: not below 0.000001)",
    log=True,
)
s2i.show(figure, alt=alt)
place = times[yours.index(max(yours))]
hardest.compare(
    "small t" if place < 333 else "the middle" if place < 667 else "large t"
)

# %% [markdown]
# At small $t$ there is hardly any noise, and it is hard to see exactly. At large $t$ nearly everything is noise, and the answer "all of
# it" is almost right. The perfect denoiser knows the eight pictures by heart. Until well beyond the middle it is sure which one it
# was, and then it knows the noise too. Only at large $t$ has it a loss worth mentioning: there several pictures are possible.
#
# Here is the test of section 4's claim. For any network the loss has two parts,
#
# $$\mathbb E\,\lVert\varepsilon-\hat\varepsilon\rVert^2 = \mathbb E\,\big\lVert\varepsilon-\mathbb E[\varepsilon \mid x_t]\big\rVert^2
# + \mathbb E\,\big\lVert\mathbb E[\varepsilon \mid x_t]-\hat\varepsilon\big\rVert^2 .$$
#
# The first part is the loss of the perfect denoiser. No training changes it. The second part is the distance of your network from the
# perfect denoiser, and only this part can fall. Why do the two parts add up? At one $x_t$ the mean of $\varepsilon$ is
# $\mathbb E[\varepsilon \mid x_t]$, so the mixed term of the square has the mean 0. This holds for an untrained network as well. What the
# cell shows about training is the last column: how small the distance has become.

# %%
many = data.repeat(40, 1, 1, 1)  # every picture 40 times, each with its own noise
many_eps = torch.randn(many.shape, generator=torch.Generator().manual_seed(2))
print("   t    loss   = perfect + distance")
for t in (100, 500, 900, 990):
    x_t = add_noise(many, many_eps, alpha_bar, torch.full((len(many),), t))
    best = ideal_eps(x_t, data, alpha_bar[t].item())
    with torch.no_grad():
        answer = trained(x_t, torch.full((len(many),), t))
    loss, floor, distance = (
        F.mse_loss(a, b).item()
        for a, b in ((answer, many_eps), (best, many_eps), (answer, best))
    )
    print(f"{t:4}  {loss:.5f}   {floor:.5f} + {distance:.5f} = {floor + distance:.5f}")

# %% [markdown]
# The two parts add up to the loss. The small rest is chance: the sum is exact for the mean over all possible noises only.
#
# **Turn the knob:** the noisy picture, the noise that the network guesses in it, and the picture that follows.

# %%
import ipywidgets

eps = torch.randn(data.shape, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def look(thing, t):
    i = names.index(thing)
    x_t = add_noise(data[i : i + 1], eps[i : i + 1], alpha_bar, torch.tensor([t]))
    guess = trained(x_t, torch.tensor([t]))
    x0 = x0_from_eps(x_t, guess, alpha_bar[t])
    row = {
        f"x at t = {t}": x_t[0],
        "the noise it guesses": guess[0] / 3,
        "the noise that is there": eps[i] / 3,
        "x̂0": x0[0],
    }
    sheet, alt = picture_row(row)
    s2i.show(sheet, alt=f"{thing}: {alt}")


which = ipywidgets.Dropdown(options=names, value="owl", description="thing")
slider = ipywidgets.IntSlider(400, min=0, max=999, description="t", continuous_update=False)
s2i.interact(look, thing=which, t=slider)

# %% [markdown]
# ## 6. What the loss weighs
#
# Drag the knob to large $t$. The guessed noise looks right, and yet the picture $\hat x_0$ is poor. How can the loss be small and the
# picture bad?
#
# The same wrong answer can be read as an error of the noise or as an error of the picture. $x_t$ is known exactly, so
# one error follows from the other. Write
#
# $$\lVert\varepsilon-\hat\varepsilon\rVert^2 = w_t\,\lVert x_0-\hat x_0\rVert^2 .$$
#
# $w_t$ is the **weight** that the $\varepsilon$-loss gives to an error of the picture at $t$. The loss of a network that predicts $x_0$
# has such a weight too, and so has the loss of a network that predicts $v$. Derive all three from the formulas of lesson 3, where
# $v = \sqrt{\bar\alpha_t}\,\varepsilon - \sqrt{1-\bar\alpha_t}\,x_0$. The library calls the three kinds `"epsilon"`, `"sample"` for $x_0$,
# and `"v_prediction"`.


# %% tags=["exercise-loss_weight"]
def loss_weight(kind, a):
    """The weight of |x0 - guessed x0|² in the loss: kind is "epsilon", "sample" or "v_prediction".

    a is alpha_bar at t, a tensor of any shape; the weight has the same shape.
    """
    ...


# %%
lesson.loss_weight.check(loss_weight)
loss_weight = lesson.loss_weight.use(loss_weight)

# %% [markdown]
# So divide the loss by the weight, and you have the error of the guessed picture. Where the weight is tiny, a small loss can hide a large
# error of the picture.

# %%
print("   t   loss of ε   weight   squared error of x̂0")
for t, loss in list(zip(times, yours))[::3]:
    weight = loss_weight("epsilon", alpha_bar[t]).item()
    print(f"{t:4}   {loss:9.4f}  {weight:7.3f}   {loss / weight:.4f}")

# %% [markdown]
# **Where does the loss come from?** A good model makes the training pictures probable. Their probability cannot be computed, but a
# lower bound of it can, the **variational bound**. For each $t$ it compares two steps back: the one that knows the true picture,
# and the one that uses the guess $\hat x_0$. Lesson 5 derives these steps. The result is again a squared error of the picture. Its weight
# is $\tfrac12(\mathrm{SNR}_{t-1} - \mathrm{SNR}_t)$ (Kingma et al. 2021, section 4). Ho et al. (2020, section 3.4) saw that the
# pictures get better with another weight: they took the plain error of $\varepsilon$ for every $t$. So the loss above is a choice.
#
# Let us compare the four weights. Only their course over $t$ matters, since a common factor acts like another learning rate. So we divide
# each by its own value at $t = 500$. **Predict first:** which of the four curves is then the highest at $t = 10$, and which one at
# $t = 900$?

# %%
kinds = ("bound", "ε-loss", "x0-loss", "v-loss")
cares = predict("Which loss?", answer={"t = 10": ..., "t = 900": ...}, options=kinds)

# %%
snr = signal_to_noise_ratio(alpha_bar)
weights = dict(
    zip(
        kinds,
        [
            (snr[:-1] - snr[1:]) / 2,
            *(loss_weight(kind, alpha_bar)[1:] for kind in ("epsilon", "sample", "v_prediction")),
        ],
    )
)
relative = {name: weight / weight[499] for name, weight in weights.items()}  # [499] is t = 500
figure, alt = curves(
    range(1, 1000),
    relative,
    x_label="timestep t",
    y_label="weight, 1 at t = 500",
    title="What an error of the guessed picture counts",
    log=True,
)
s2i.show(figure, alt=alt)
for name, weight in weights.items():
    print(f"{name}: {weight[499:].sum() / weight.sum():.2%} of all its weight lies at t ≥ 500")
cares.compare(
    {
        f"t = {t}": max(relative, key=lambda name, t=t: relative[name][t - 1])
        for t in (10, 900)
    }
)

# %% [markdown]
# The bound and the $\varepsilon$-loss put nearly all their weight on small $t$. There almost the whole picture is visible, and
# only the finest details are still open. At large $t$, where shapes and colours of the whole picture are decided, an error counts little.
# The $v$-loss has the weight $1/(1-\bar\alpha_t) = \mathrm{SNR}_t + 1$, which is never below 1. It still asks for
# the finest details at small $t$, as the $x_0$-loss does not, and at large $t$ it does not fall to 0, as the $\varepsilon$-loss does. That
# is why the miniature predicts $v$. Its training also draws large $t$ more often than small $t$, and that is a weight too.
#
# A weight does not change what a *perfect* network says. At each $t$ the conditional mean has the smallest squared error, whatever
# positive number it is multiplied by. But a real network has too few weights and too little time. Then the weight decides what
# it gets right first.
#
# ## 7. Without the skip connections
#
# The same network, but with nothing handed over. Both are trained for 200 optimiser steps. **Predict first:** how much worse is it?

# %%
loses = predict(
    "Without skip connections the mean loss is:",
    answer=...,
    options=("less than twice as large", "2 to 5 times as large", "more than 5 times as large"),
)

# %%
torch.manual_seed(0)
without, losses_without = MyUNet(skips=False), []
for step in train(
    without, data, alpha_bar, steps=200, batch_size=16, lr=2e-3, average=0.99
):
    losses_without.append(step.loss)
torch.manual_seed(0)
with_skips, losses_with = MyUNet(), []
for with_step in train(
    with_skips, data, alpha_bar, steps=200, batch_size=16, lr=2e-3, average=0.99
):
    losses_with.append(with_step.loss)
with_them = loss_by_timestep(with_step.averaged, data, alpha_bar, times)
without_them = loss_by_timestep(step.averaged, data, alpha_bar, times)
figure, alt = curves(
    times,
    {"with skip connections": with_them, "without": without_them},
    x_label="timestep t",
    y_label="loss",
    title="After 200 optimiser steps each",
    log=True,
)
s2i.show(figure, alt=alt)
factor = sum(without_them) / sum(with_them)
print(f"mean loss without skip connections: {factor:.1f} times as large")
loses.compare(loses.options[0 if factor < 2 else 1 if factor <= 5 else 2])

# %% [markdown]
# The noise is a matter of single pixels. Without skip connections every pixel has to pass through the bottom of the U, where the
# picture is 6 × 6. The 96 channels there have room for all pixels. But the network would first have to learn to pack them in and to
# unpack them again, and 200 optimiser steps are too few for that. The comparison is not quite fair: without
# skip connections there is nothing to join, so the network has fewer weights.
#
# ## 8. A picture from pure noise
#
# Here is once more the step of lesson 3, which lesson 5 will explain. Guess the picture, and put the guessed noise back on it, a
# little less of it each time.


# %%
@torch.no_grad()
def from_noise(model, seeds, steps=50):
    """Pictures (len(seeds), 3, 24, 24) from pure noise, and the guesses on the way for the first of them."""
    x = torch.stack(
        [torch.randn(3, 24, 24, generator=torch.Generator().manual_seed(s)) for s in seeds]
    )
    times, guesses = torch.linspace(999, 0, steps + 1)[:-1].round().long().tolist(), {}
    for now, then in zip(times, [*times[1:], None]):
        guess = model(x, torch.full((len(x),), now))
        # no picture is brighter than white
        x0 = x0_from_eps(x, guess, alpha_bar[now]).clamp(-1, 1)
        guesses[f"t = {now}"] = x0[0]
        guess = (x - alpha_bar[now].sqrt() * x0) / (1 - alpha_bar[now]).sqrt()
        a = alpha_bar[then] if then is not None else torch.tensor(1.0)  # 1: clean
        x = a.sqrt() * x0 + (1 - a).sqrt() * guess
    return x, guesses


made, guesses = from_noise(trained, range(16))
sheet, alt = picture_row(
    {f"seed {i}": picture for i, picture in enumerate(made)}, side=96, columns=8
)
s2i.show(sheet, alt=f"Sixteen pictures that your network made from noise. {alt}")
steps = list(guesses)
sheet, alt = picture_row({key: guesses[key] for key in steps[::7]}, side=96)
s2i.show(sheet, alt=f"The guess x̂0 for seed 0 on its way. {alt}")

# %% [markdown]
# Which of the eight pictures do you recognise? Then look for two faults. Is there a grain? Look at the row of guesses: it is strongest in the
# first ones. At large $t$ the $\varepsilon$-loss weighs an error of the picture least (section 6), and the table there shows how large that error is.
# The later steps take a part of the grain away. What they leave stays in the picture. Are some pages tinted? That has the same cause: the
# brightness of a page is decided in the first steps, too. More training helps against both. Section 6 of lesson 2 names a second cause of the tint.
#
# ## 9. Think about it
#
# Most pictures here are one of the eight, learned by heart. A few may be mixtures of two. The miniature learned from 1,710 pictures. Stable Diffusion learned from some
# two billion, and it has not nearly enough room to keep them. Can *it* have learned pictures by heart? How would you find out? Carlini et
# al. (2023) did.
#
# ## Sources
#
# - Ronneberger, Fischer and Brox, *U-Net: Convolutional Networks for Biomedical Image Segmentation*, 2015, arXiv 1505.04597.
# - Ho, Jain and Abbeel, *Denoising Diffusion Probabilistic Models*, 2020, arXiv 2006.11239: the loss, and a U-Net that gets the
#   time.
# - Kingma, Salimans, Poole and Ho, *Variational Diffusion Models*, 2021, arXiv 2107.00630: the bound, written with the SNR.
# - Salimans and Ho, *Progressive Distillation for Fast Sampling of Diffusion Models*, 2022, arXiv 2202.00512, section 4: the weights
#   of the three losses.
# - Vaswani et al., *Attention Is All You Need*, 2017, arXiv 1706.03762, section 3.5: waves for positions.
# - Carlini et al., *Extracting Training Data from Diffusion Models*, 2023, arXiv 2301.13188.
#
# **Next:** lesson 5, *Backwards, step by step*: the step that you have used twice without a proof.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** 10 minutes for the time, 15 for the hourglass, 10 for the network and the loss, 10 while it trains and for section 5, 15 for
# section 6 and the rest. The bug of section 2 is worth a discussion at the board: draw the U, and let somebody draw the arrows.
#
# **Typical mistakes.** Keeping the features after the halving; taking the first kept instead of the last; adding instead
# of joining. In the loss: comparing with the picture, or handing the network $t = 0$. It trains all the same, which is why a
# falling loss proves little.
#
# **While it trains**, about a minute, ask why the loss began at 1: the last convolution starts at zero, so the error is the noise itself.
#
# **Section 6.** Those who are stuck should write $x_0 - \hat x_0$ with the formula for $\hat x_0$ of lesson 3: $x_t$ cancels, and one
# factor is left. Square it. "The weight at small t is huge, so the loss is huge there": no, the weight meets an error that is tiny.
#
# **The open question.** Carlini et al. generated many pictures for captions that occur often and looked for near copies among
# the training pictures. They found about a hundred in Stable Diffusion, and most of these occur many times in its data. To find
# out, one needs the data: a reason to ask for open data.
