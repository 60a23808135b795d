# %% [markdown]
# # Lesson 4. A U-Net that predicts noise
#
# {{badge}}
#
# Lesson 3 asked a network for the noise in a picture. Now you build one: a U-Net, small enough to read in one sitting
# and to train while you read on. At the end it makes pictures from nothing but noise. They are tiny, 24 × 24 pixels, and they
# are yours.
#
# | | |
# |---|---|
# | **You will** | tell a network the time, wire a U-Net with skip connections, write its loss, train it, and find out what it can and cannot do |
# | **Time** | about 50 minutes, three exercises; the training takes about a minute |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import math
import time

import torch
import torch.nn.functional as F
from torch import nn

from s2i_teach.theory.forward import add_noise
from s2i_teach.theory.ideal import ideal_eps
from s2i_teach.theory.measure import max_difference
from s2i_teach.theory.prediction import x0_from_eps
from s2i_teach.theory.schedule import alphas_cumprod, scaled_linear_betas
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
# Eight pictures are few. With so few a network learns them by heart, and a minute is enough; the miniature of this course saw
# 1,710, in ever new poses, for hours. The principle is the same.
#
# ## 1. Telling the time
#
# The network gets $x_t$ and has to know how noisy it is. It could be told the number $t$; but to a network 500 and 501 are
# almost equal while 0 and 999 are worlds apart, and one number is easily lost among thousands. So $t$ is written as a vector
# of waves, fast ones that tell neighbours apart and slow ones that tell early from late (Vaswani et al. 2017): with
# $d$ = `dim`, $P$ = `max_period` and $f_i = P^{-i/(d/2)}$, $i = 0 … d/2-1$,
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
# **Predict first:** how similar is the vector of $t = 500$ to those of the other timesteps? Where is it most alike, and does it
# fall off evenly?

# %%
all_times = timestep_embedding(torch.arange(1000), 64)
likeness = F.cosine_similarity(all_times, all_times[500:501])
figure, alt = curves(
    range(1000),
    {"likeness": likeness},
    x_label="timestep t",
    y_label="cosine similarity",
    title="How alike t and 500 are",
)
s2i.show(figure, alt=alt)

# %% [markdown]
# Most alike are its neighbours; the likeness falls steeply, then in ripples, wherever the fast waves come round again.
#
# ## 2. Down, and up again
#
# To find the noise a network must look twice: closely, since noise is a matter of single pixels, and from far away, since
# whether a dark pixel is noise or an owl's eye depends on the owl. A **U-Net** does both. On the way down it halves the picture
# again and again, so that each number stands for a larger region; on the way up it doubles again. But what was halved has lost
# its details. Therefore each level on the way up is handed what the same level saw on the way down: the **skip connections**.
#
# **Spot the bug.** The wiring below is that of a U-Net notebook which has been copied many times. Read it, and find out
# what is handed to whom. To see it, the levels here are the simplest that there are: on the way down they do nothing, on the
# way up they keep only what the skip connection brought them.


# %%
def with_a_bug(x, down, up):
    seen = []
    for block in down:
        x = F.avg_pool2d(block(x), 2)
        seen.append(x)
    for block in up:
        x = torch.cat([x, seen.pop()], dim=1)
        x = F.interpolate(block(x), scale_factor=2.0, mode="nearest")
    return x


def nothing(h):
    """A level on the way down: hands on what it gets."""
    return h


def only_the_skip(h):
    """A level on the way up: drops what came from below, keeps what was handed over."""
    return h[:, h.shape[1] // 2 :]


owl = data[names.index("owl")][None]
sheet, alt = picture_row(
    {"in": owl[0], "out": with_a_bug(owl, [nothing] * 3, [only_the_skip] * 3)[0]}
)
s2i.show(sheet, alt=f"The owl comes out with half of its resolution. {alt}")

# %% [markdown]
# Two things are wrong. The first level on the way up is joined with *itself*: the last tensor kept is the one it already has.
# And the finest level is handed to nobody: everything that is kept was halved first. Such a network still trains,
# and nothing warns you.
#
# Write it so that the owl comes through unharmed. Halve and double only *between* two levels; `middle` is one more function at
# the bottom of the U.


# %% tags=["exercise-hourglass"]
def hourglass(x, down, middle, up, skips=True):
    """x is (B, C, H, W). down (finest first) and up (coarsest first) are equally many functions.

    Halve with F.avg_pool2d, double with F.interpolate(..., mode="nearest"), join [x, skip] along the
    channels, torch.cat; with skips=False join nothing.
    """
    ...


# %%
lesson.hourglass.check(hourglass)
hourglass = lesson.hourglass.use(hourglass)

# %%
out = hourglass(owl, [nothing] * 3, nothing, [only_the_skip] * 3)
print("in and out differ by", max_difference(owl, out))

# %% [markdown]
# ## 3. The network
#
# All that is missing are levels that can learn. Each is a **residual block**: two convolutions, told the time in between, with
# a shortcut around them. `ResBlock` of the library is twenty lines, the same computation as diffusers' `ResnetBlock2D`; read it
# with `ResBlock??`. Here is the whole U-Net, with your two functions in it.


# %%
class MyUNet(nn.Module):
    def __init__(self, widths=(24, 48, 96), channels=3, skips=True):
        super().__init__()
        self.first, self.skips, time_dim = widths[0], skips, 4 * widths[0]
        self.time = nn.Sequential(
            nn.Linear(widths[0], time_dim), nn.SiLU(), nn.Linear(time_dim, time_dim)
        )
        self.conv_in = nn.Conv2d(channels, widths[0], 3, padding=1)
        before = (widths[0], *widths[:-1])  # what arrives at each level
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
        told = self.time(timestep_embedding(t, self.first))
        down = [lambda h, block=block: block(h, told) for block in self.down]
        up = [lambda h, block=block: block(h, told) for block in self.up]
        h = hourglass(self.conv_in(x), down, lambda h: self.middle(h, told), up, self.skips)
        return self.conv_out(F.silu(self.norm_out(h)))


torch.manual_seed(0)
mine = MyUNet()
print(
    f"{sum(p.numel() for p in mine.parameters()):,} parameters, of which each level on the way down has"
)
print([f"{sum(p.numel() for p in block.parameters()):,}" for block in mine.down])

# %% [markdown]
# Is it the library's? Give both the same weights and ask them the same.

# %%
theirs = UNet(widths=(24, 48, 96))
nn.init.normal_(mine.conv_out.weight)  # it starts at zero: any two networks would agree
theirs.load_state_dict(mine.state_dict())
x, t = torch.randn(2, 3, 24, 24), torch.tensor([3, 700])
print("the two differ by", max_difference(mine(x, t), theirs(x, t)))

# %% [markdown]
# ## 4. What it learns from
#
# Take a picture, a random $t$, fresh noise; make $x_t$; ask for the noise; square the difference (Ho et al. 2020, equation 14).


# %% tags=["exercise-denoising_loss"]
def denoising_loss(model, x0, eps, alpha_bar, t):
    """model(x_t, t) predicts the noise. x0 and eps are (B, ...), alpha_bar is (T,), t is (B,): one number."""
    ...


# %%
lesson.denoising_loss.check(denoising_loss)
denoising_loss = lesson.denoising_loss.use(denoising_loss)

# %% [markdown]
# The whole of training, in seven lines. **Predict first:** what is the loss before the first step, when the network says "no
# noise"? (The noise has variance 1.)

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

# %% [markdown]
# Now for longer. `train` of the library runs these seven lines with some care: the learning rate rises at the start and falls
# at the end, gradients that are too large are cut, and beside the network a running average of its weights is kept, which draws
# calmer pictures. It is a
# generator: it hands you every step, and you look at what you like.

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
    x_label="step",
    y_label="loss",
    title="Training, mean of 25 steps",
    log=True,
)
s2i.show(figure, alt=alt)

# %% [markdown]
# ## 5. What it knows, and where
#
# The loss is a mean over all $t$, and hides what happens at each. **Predict first:** at which $t$ is it hardest to tell the
# noise? Beside the network stands the perfect denoiser of lesson 3.

# %%
times = list(range(20, 1000, 70))
perfect = loss_by_timestep(
    lambda x, t: ideal_eps(x, data, alpha_bar[t[0]].item()), data, alpha_bar, times
)
figure, alt = curves(
    times,
    {
        "your network": loss_by_timestep(trained, data, alpha_bar, times),
        "perfect": [max(p, 1e-6) for p in perfect],
    },
    x_label="timestep t",
    y_label="loss",
    title="Who finds the noise, and where (perfect: not below 0.000001)",
    log=True,
)
s2i.show(figure, alt=alt)

# %% [markdown]
# At small $t$ there is hardly any noise to be seen, and the network finds it hardest; at large $t$ nearly everything is
# noise, and saying "all of it" is almost right. That is why a small loss there means little: lesson 3 showed what it does to
# the picture. The perfect denoiser knows the eight pictures by heart: until well beyond the middle it is sure which one it was.
#
# **Turn the knob:** the noisy picture, the noise that the network sees in it, and the picture that follows.

# %%
import ipywidgets

eps = torch.randn(data.shape, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def look(thing, t):
    i = names.index(thing)
    x_t = add_noise(data[i : i + 1], eps[i : i + 1], alpha_bar, torch.tensor([t]))
    found = trained(x_t, torch.tensor([t]))
    x0 = x0_from_eps(x_t, found, alpha_bar[t])
    row = {
        f"x at t = {t}": x_t[0],
        "the noise it finds": found[0] / 3,
        "the noise that is there": eps[i] / 3,
        "x̂0": x0[0],
    }
    sheet, alt = picture_row(row)
    s2i.show(sheet, alt=f"{thing}: {alt}")


which = ipywidgets.Dropdown(options=names, value="owl", description="thing")
slider = ipywidgets.IntSlider(400, min=0, max=999, description="t", continuous_update=False)
_ = ipywidgets.interact(look, thing=which, t=slider)

# %% [markdown]
# ## 6. Without the skip connections
#
# **Predict first:** the same network, nothing handed over. Where does it lose more, at small $t$ or at large?

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
figure, alt = curves(
    times,
    {
        "with skips": loss_by_timestep(with_step.averaged, data, alpha_bar, times),
        "without": loss_by_timestep(step.averaged, data, alpha_bar, times),
    },
    x_label="timestep t",
    y_label="loss",
    title="After 200 steps each",
    log=True,
)
s2i.show(figure, alt=alt)

# %% [markdown]
# The noise is a matter of single pixels. Without skip connections every pixel has to pass through the bottom of the U, where the
# picture is 6 × 6. Its 96 channels would have room, but the network would first have to learn to pack all pixels into them and to
# unpack them again; in 200 steps it does not. (It is a little smaller, too: the way up has nothing to join.)
#
# ## 7. A picture from pure noise
#
# The step that you took on trust in lesson 3, and take on trust once more until lesson 5: guess the picture, and put the
# guessed noise back on it, a little less of it each time.


# %%
@torch.no_grad()
def from_noise(model, seeds, steps=50):
    """Pictures (len(seeds), 3, 24, 24) from pure noise, and the guesses on the way for the first of them."""
    x = torch.stack(
        [torch.randn(3, 24, 24, generator=torch.Generator().manual_seed(s)) for s in seeds]
    )
    times, guesses = torch.linspace(999, 0, steps + 1)[:-1].round().long().tolist(), {}
    for now, then in zip(times, [*times[1:], None]):
        found = model(x, torch.full((len(x),), now))
        x0 = x0_from_eps(x, found, alpha_bar[now]).clamp(
            -1, 1
        )  # no picture is brighter than white
        guesses[f"t = {now}"] = x0[0]
        found = (x - alpha_bar[now].sqrt() * x0) / (1 - alpha_bar[now]).sqrt()
        a = alpha_bar[then] if then is not None else torch.tensor(1.0)
        x = a.sqrt() * x0 + (1 - a).sqrt() * found
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
# You see things that you know. Look closer, and you see what is missing: a fine grain is left, since at the last steps, where
# little noise is, the network finds it hardest (section 5); and some pages are tinted, since their brightness is decided at the
# first steps, where a network that predicts noise knows least about the picture (lesson 3). More training helps against both;
# for the tint, lesson 2, section 6, names a second cause.
#
# ## 8. Think about it
#
# Each picture here is one of the eight, learned by heart. The miniature learned 1,710, Stable Diffusion some two billion with
# not nearly enough room to keep them. Can *it* have learned pictures by heart? How would you find out? (Carlini et al. 2023
# did.)
#
# ## Sources
#
# - Ronneberger, Fischer and Brox, *U-Net: Convolutional Networks for Biomedical Image Segmentation*, 2015, arXiv 1505.04597.
# - Ho, Jain and Abbeel, *Denoising Diffusion Probabilistic Models*, 2020, arXiv 2006.11239: the loss, and a U-Net told the
#   time.
# - Vaswani et al., *Attention Is All You Need*, 2017, arXiv 1706.03762, section 3.5: waves for positions.
# - Carlini et al., *Extracting Training Data from Diffusion Models*, 2023, arXiv 2301.13188.
#
# **Next:** lesson 5, *Backwards, step by step*: the step that you have twice taken on trust.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** 10 minutes for the time, 15 for the hourglass (the bug is worth a discussion at the board: draw the U, let
# somebody draw the arrows), 10 for the network and the loss, 10 while it trains and after.
#
# **Typical mistakes.** Keeping a level's features after the halving; taking the first kept instead of the last; adding instead
# of joining. In the loss: comparing with the picture, or telling the network $t = 0$; it trains all the same, which is why a
# falling loss proves little.
#
# **While it trains** (about a minute) ask for the loss before the first step: 1, the variance of the noise, since the last
# convolution starts at zero.
#
# **The open question.** Carlini et al. generated many pictures for captions that occur often and looked for near copies among
# the training pictures; they found about a hundred in Stable Diffusion, most of which occur many times in its data. To find
# out, one needs the data: a reason to ask for open ones.
