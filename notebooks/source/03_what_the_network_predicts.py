# %% [markdown]
# # Lesson 3. What the network predicts
#
# {{badge}}
#
# "The network predicts the noise, and we subtract it." So it is told, and half of it is true. This lesson finds out which
# half: what a network can be asked for, why the answers are the same answer in three forms, what a perfect network would say,
# and why nobody takes all the noise away in one go.
#
# | | |
# |---|---|
# | **You will** | turn a predicted noise into a predicted picture and back, build the perfect denoiser of a small data set, and see why denoising takes steps |
# | **Time** | about 45 minutes, four exercises |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import torch

from s2i_teach.theory.forward import add_noise
from s2i_teach.theory.measure import psnr
from s2i_teach.theory.plane import heart
from s2i_teach.theory.prediction import to_x0_and_eps
from s2i_teach.theory.schedule import alphas_cumprod, scaled_linear_betas
from s2i_teach.training.pictures import load_pairs
from s2i_teach.widgets.figures import curves, picture_row, scatter

lesson = s2i.lesson(3)
alpha_bar = alphas_cumprod(scaled_linear_betas())  # lesson 2
pairs = load_pairs(keep=lambda row: row["thing"] == "owl" and row["style"] == "noto")
owl = pairs.batch(torch.tensor([0]))  # (1, 3, 128, 128) in [-1, 1]
eps = torch.randn(owl.shape, generator=torch.Generator().manual_seed(0))

# %% [markdown]
# ## 1. Taking the noise away
#
# From lesson 2: at timestep $t$ a noisy picture is
#
# $$x_t = \sqrt{\bar\alpha_t}\;x_0 + \sqrt{1-\bar\alpha_t}\;\varepsilon,$$
#
# with $x_0$ the picture, $\varepsilon$ the noise, and $\bar\alpha_t$ the share of the picture's variance that is left.
# Suppose that someone knows $\varepsilon$ exactly.
#
# **Spot the bug.** Here the noise is subtracted, just as that sentence says.
#
# **Predict first:** what will be left at $t = 100$, and what at $t = 900$?


# %%
def take_it_away(x_t, eps):
    return x_t - eps


row = {}
for t in [100, 500, 900]:
    x_t = add_noise(owl, eps, alpha_bar, torch.tensor([t]))
    row |= {f"x at t = {t}": x_t[0], f"minus ε, t = {t}": take_it_away(x_t, eps)[0]}
sheet, alt = picture_row(row)
s2i.show(sheet, alt=f"At t = 100 subtracting the noise makes it worse. {alt}")

# %% [markdown]
# At $t = 100$ more noise was taken out than was in: the noise's negative appears. At $t = 900$ nearly all noise
# goes, and a faint ghost stays, since the picture itself had been shrunk. Solve the equation for $x_0$ instead (Ho et al.
# 2020, equation 15). In code $\bar\alpha_t$ is called `a`.


# %% tags=["exercise-x0_from_eps"]
def x0_from_eps(x_t, eps, a):
    """The picture, from x_t and the noise in it: all (B, ...); a is alpha_bar at t."""
    ...


# %%
lesson.x0_from_eps.check(x0_from_eps)
x0_from_eps = lesson.x0_from_eps.use(x0_from_eps)

# %%
row = {}
for t in [100, 500, 900]:
    x_t = add_noise(owl, eps, alpha_bar, torch.tensor([t]))
    row |= {
        f"x at t = {t}": x_t[0],
        f"x0, from t = {t}": x0_from_eps(x_t, eps, alpha_bar[t])[0],
    }
sheet, alt = picture_row(row)
s2i.show(sheet, alt=f"With the right formula the owl comes back at every t. {alt}")

# %% [markdown]
# If the noise were known exactly, one step would do at any $t$, and this course would end here. But a network only guesses
# it. The question is what a guess is worth.
#
# ## 2. Three ways to ask
#
# Whoever knows $x_t$ and the noise knows the picture, and the other way round. So a network can be trained to predict
#
# - the **noise** $\varepsilon$ (DDPM, Stable Diffusion 1; diffusers calls it `"epsilon"`),
# - the **picture** $x_0$ (`"sample"`),
# - or a mixture, the **velocity** $v = \sqrt{\bar\alpha_t}\,\varepsilon - \sqrt{1-\bar\alpha_t}\,x_0$ (Salimans and Ho 2022;
#   Stable Diffusion 2 for 768 pixels, and the miniature of this course; `"v_prediction"`).
#
# Where does $v$ come from? Put $\cos\varphi = \sqrt{\bar\alpha_t}$ and $\sin\varphi = \sqrt{1-\bar\alpha_t}$: then
# $x_t = \cos\varphi\;x_0 + \sin\varphi\;\varepsilon$: its two factors walk on a circle from the picture ($\varphi = 0$) to the
# noise ($\varphi = 90°$), and $v = \mathrm{d}x_t / \mathrm{d}\varphi$ is the direction in which it walks.


# %% tags=["exercise-v_from_x0_and_eps"]
def v_from_x0_and_eps(x0, eps, a):
    """The velocity: all (B, ...); a is alpha_bar at t."""
    ...


# %%
lesson.v_from_x0_and_eps.check(v_from_x0_and_eps)
v_from_x0_and_eps = lesson.v_from_x0_and_eps.use(v_from_x0_and_eps)

# %% [markdown]
# And back: from $x_t$ and $v$ to the picture. On the circle it is a rotation; on paper it is two equations in which
# $\varepsilon$ must vanish.


# %% tags=["exercise-x0_from_v"]
def x0_from_v(x_t, v, a):
    """The picture, from x_t and the velocity: all (B, ...); a is alpha_bar at t."""
    ...


# %%
lesson.x0_from_v.check(x0_from_v)
x0_from_v = lesson.x0_from_v.use(x0_from_v)

# %% [markdown]
# If they all say the same, why does it matter what the network is asked for? Because its answer is never exact. Suppose each
# answer is off by 0.1 in every pixel. **Predict first:** at which $t$ does an error in $\varepsilon$ hurt the picture most?

# %%
wrong_by = 0.1
zero = torch.zeros(1)
t = torch.arange(1000)
figure, alt = curves(
    t,
    {
        "asked for ε": x0_from_eps(zero, zero + wrong_by, alpha_bar).abs(),
        "asked for x0": torch.full((1000,), wrong_by),
        "asked for v": x0_from_v(zero, zero + wrong_by, alpha_bar).abs(),
    },
    x_label="timestep t",
    y_label="error of the guessed picture",
    title="What an error of 0.1 in the answer does to x̂0",
    log=True,
)
s2i.show(figure, alt=alt)

# %% [markdown]
# Near the end an error in $\varepsilon$ is blown up fifteenfold: the loss of $\varepsilon$ hardly sees there what is wrong with the
# picture. (Real errors are not equal: how the error of $\varepsilon$ itself changes with $t$, lesson 4 measures.) The makers of
# this course paid for that: the miniature's first U-Net was asked for $\varepsilon$, and learned no shapes from words. Then two
# were trained side by side from nothing, 1,371 updates each, everything else equal. The mean squared error of the guessed
# picture at $t$ = 700, 900 and 990 was 0.43, 0.86 and 1.19 for the one asked for $\varepsilon$, and 0.40, 0.73 and 0.83 for the
# one asked for $v$.
#
# ## 3. What would a perfect network say?
#
# Let the data be $N$ points $y_1 … y_N$, each as likely as the others. We see $x_t$ and know $t$. Which $x_0$ was it? If it
# was $y_i$, then $x_t$ lies near $\sqrt{\bar\alpha_t}\,y_i$, scattered with variance $1-\bar\alpha_t$. So each point has the
# probability
#
# $$w_i = \frac{\exp\!\big(-\lVert x_t-\sqrt{\bar\alpha_t}\,y_i\rVert^2 / (2(1-\bar\alpha_t))\big)}{\sum_j
# \exp\!\big(-\lVert x_t-\sqrt{\bar\alpha_t}\,y_j\rVert^2 / (2(1-\bar\alpha_t))\big)},$$
#
# and the guess with the smallest mean squared error is the weighted mean $\hat x_0 = \sum_i w_i y_i$ (Karras et al. 2022,
# appendix B.3). No network can do better on these data. Write the weights.


# %% tags=["exercise-weights"]
def weights(x_t, data, a):
    """How likely each data point is, given x_t: (B, ...) and (N, ...) → (B, N), each row sums to 1.

    a is a plain number; points may have any shape: .flatten(1) makes rows of them.
    """
    ...


# %%
lesson.weights.check(weights)
weights = lesson.weights.use(weights)

# %% [markdown]
# Our data: forty points on the outline of a heart, in the plane, where we can see everything.


# %%
def ideal_x0(x_t, data, a):
    """The perfect guess: the mean of the data, weighted."""
    return weights(x_t, data, a) @ data


data = heart(40)
start = data.repeat(4, 1)
noise = torch.randn(start.shape, generator=torch.Generator().manual_seed(1))
panels = {}
for t in [50, 300, 500, 800]:
    x_t = add_noise(start, noise, alpha_bar, torch.full((len(start),), t))
    panels[f"t = {t}"] = {
        "x_t": x_t,
        "perfect guess x̂0": ideal_x0(x_t, data, alpha_bar[t].item()),
    }
figure, alt = scatter(panels, size=2.6)
s2i.show(figure, alt=alt)

# %% [markdown]
# Read it from left to right. With little noise the guess lies on the outline or close to it, a mean of a few neighbours. With more noise it lies *inside* the heart,
# where no data are at all: the mean of all the points that it might have been. At $t = 800$ it is nearly the middle, whatever
# $x_t$ was. That is not a weakness of the network, for this is the perfect one. It is the honest answer to an impossible
# question.
#
# **Turn the knob. Predict first:** at which $t$ do the guesses leave the outline?

# %%
import ipywidgets


def look(t):
    x_t = add_noise(data, noise[: len(data)], alpha_bar, torch.full((len(data),), t))
    guess = ideal_x0(x_t, data, alpha_bar[t].item())
    figure, alt = scatter(
        {"data": data, "x_t": x_t, "x̂0": guess},
        title=f"t = {t}",
        arrows=(x_t, guess),
        size=4.5,
    )
    s2i.show(figure, alt=alt)


slider = ipywidgets.IntSlider(
    250, min=0, max=999, step=1, description="t", continuous_update=False
)
_ = ipywidgets.interact(look, t=slider)

# %% [markdown]
# ## 4. Why not all the noise in one go?
#
# Now you can answer. From pure noise, one go gives the middle of all hearts, or of all pictures: a blur. So take a small step
# towards the guess, and ask again. Each step decides a little; the next guess is a mean over fewer possibilities. Here is
# the whole walk, with the perfect denoiser and the step of DDIM (Song et al. 2020), on trust until lesson 5: keep the guessed
# noise, put it on the guessed picture, only less of it.


# %%
def walk(x, times):
    """From noise to data: (B, 2) at the first of the times → (B, 2), and all the guesses on the way."""
    guesses = []
    for now, then in zip(times, [*times[1:], None]):
        x0 = ideal_x0(x, data, alpha_bar[now].item())
        guesses.append(x0)
        guessed_eps = (x - alpha_bar[now].sqrt() * x0) / (1 - alpha_bar[now]).sqrt()
        a = alpha_bar[then] if then is not None else torch.tensor(1.0)
        x = a.sqrt() * x0 + (1 - a).sqrt() * guessed_eps
    return x, guesses


pure_noise = torch.randn(200, 2, generator=torch.Generator().manual_seed(2))
panels = {}
for steps in [1, 2, 5, 50]:
    times = torch.linspace(999, 0, steps + 1)[:-1].round().long().tolist()
    panels[f"{steps} step{'s' if steps > 1 else ''}"] = {
        "noise": pure_noise,
        "end": walk(pure_noise, times)[0],
    }
figure, alt = scatter(panels, size=2.6)
s2i.show(figure, alt=alt)

# %% [markdown]
# One step: everything in the middle. Fifty: a heart, although every single guess on the way was a mean.
#
# **Your playground.** Here the same is alive, with three hundred points and your own perfect denoiser. Press play: the points
# turn to noise and come back.
#
# - Tick *Guesses x̂₀* and drag the time. Where are the guesses when the points are noise, and when do they find the outline?
# - Tick *Score field*. The arrows point to where points are likelier; they are the guessed noise, turned round. Which way do
#   they point far outside, and which way near the outline at small $t$?
# - Draw a shape of your own. **Predict first:** what will the guesses look like at $t = 999$?
# - Train a network on it. **Predict first:** can its loss come below that of the perfect denoiser? Where do its points end that
#   those of the perfect one never would?

# %%
s2i.Playground(ideal_x0=ideal_x0)

# %% [markdown]
# At $t = 999$ all guesses lie near the middle of the data, whatever was drawn. The network was never shown the formula, only
# noisy points and the noise in them, and still its guesses come close. Its loss stays a little above the perfect denoiser's,
# which is the smallest that there is on these data. Set 100 steps: the perfect one's points end *on* the data, the network's near
# them, and a few of them (11 of 300, with the heart) in places where no data are. Section 6 asks what such errors are good for.
#
# ## 5. The same with pictures
#
# The miniature is no perfect denoiser, but it does the same thing. It works on small tensors of its VAE, *latents*, which
# lesson 7 explains; for now take them as a picture of 16 × 16 pixels with four colours. We put noise on the owl's latents,
# ask the U-Net once, and turn its answer into a picture. Beside it stands what one could do without a network: blur the same
# noisy latents, as strongly as is best for PSNR.
#
# **Predict first:** where will the network be far better than the blur, and where will it have a hard time itself?

# %%
import torch.nn.functional as F

pipe = s2i.load_pipeline("mini", device="cpu", dtype="fp32")
text = pipe.encode_prompt("an owl, noto style", pipe.device, 1, False)[0]
scale = pipe.vae.config.scaling_factor
with torch.no_grad():
    z0 = pipe.vae.encode(owl).latent_dist.mode() * scale  # (1, 4, 16, 16)
z_eps = torch.randn(z0.shape, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def decode(z):
    """Latents as a picture, (1, 3, 128, 128)."""
    return pipe.vae.decode(z / scale).sample


@torch.no_grad()
def ask_once(z_t, t):
    """One evaluation of the U-Net; its answer as guessed latents."""
    answer = pipe.unet(z_t, torch.tensor([t]), text).sample
    return to_x0_and_eps(answer, pipe.scheduler.config.prediction_type, z_t, alpha_bar[t])[
        0
    ]


def blur(z, sigma):
    """A Gaussian blur of standard deviation sigma, in pixels of the latents."""
    reach = torch.arange(-8, 9)
    bell = torch.exp(-(reach**2) / (2 * sigma**2))
    bell = (bell / bell.sum()).view(1, 1, 1, -1).repeat(4, 1, 1, 1)
    z = F.conv2d(F.pad(z, (8, 8, 8, 8), mode="replicate"), bell, groups=4)
    return F.conv2d(z, bell.transpose(2, 3), groups=4)


row = {}
for t in [100, 300, 500, 700, 900]:
    z_t = add_noise(z0, z_eps, alpha_bar, torch.tensor([t]))
    blurs = [
        decode(blur(z_t / alpha_bar[t].sqrt(), sigma))
        for sigma in (0.3, 0.5, 0.7, 1, 1.5, 2.5, 4)
    ]
    best = max(blurs, key=lambda picture: psnr(picture, owl).item())
    guess = decode(ask_once(z_t, t))
    row |= {
        f"noisy, t = {t}": decode(z_t)[0],
        f"best blur: {psnr(best, owl).item():.1f} dB": best[0],
        f"U-Net: {psnr(guess, owl).item():.1f} dB": guess[0],
    }
sheet, alt = picture_row(row, columns=3)
s2i.show(
    sheet,
    alt=f"Left: the noisy owl. Middle: the best blur. Right: the guess of the U-Net. {alt}",
)

# %% [markdown]
# A blur knows nothing about owls: it averages neighbours. The network averages over *pictures it has seen*, with the words
# for help. At small $t$ it puts edges back that the noise had eaten; at large $t$ it cannot know which owl, of what size, and
# where, and answers with something like the mean of all owls. It is the heart again, with 1,024 dimensions in place of two.
#
# So what is true of the first sentence? The network predicts *all* of the noise, or what amounts to it, at every step. The step
# then puts the guessed picture and the guessed noise together anew, with the factors of the next, lower noise level. Written out,
# that does subtract a multiple of the guessed noise. But the multiple is another one at each $t$, and $x_t$ itself is enlarged as
# well. Lesson 5 derives both.
#
# ## 6. Think about it
#
# The perfect denoiser of section 3, run with ever more steps, down to no noise at all, ends on points of the data: it can copy
# and nothing else.
# Networks trained on the same data make new pictures. Which of their *errors* do we owe that to?
#
# ## Sources
#
# - Ho, Jain and Abbeel, *Denoising Diffusion Probabilistic Models*, 2020, arXiv 2006.11239: predicting the noise.
# - Salimans and Ho, *Progressive Distillation for Fast Sampling of Diffusion Models*, 2022, arXiv 2202.00512, section 4 and
#   appendix D: $v$, and why.
# - Song, Meng and Ermon, *Denoising Diffusion Implicit Models*, 2020, arXiv 2010.02502: the step of section 4.
# - Karras, Aittala, Aila and Laine, *Elucidating the Design Space of Diffusion-Based Generative Models*, 2022,
#   arXiv 2206.00364, appendix B.3: the ideal denoiser.
# - Kamb and Ganguli, *An analytic theory of creativity in convolutional diffusion models*, 2024, arXiv 2412.20292: on
#   section 6.
#
# **Next:** lesson 4, *A U-Net that predicts noise*: building and training the network.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** 10 minutes for section 1, 15 for section 2 (draw the circle), 12 for section 3, 8 for the walk and the pictures.
#
# **Typical mistakes.** Subtracting ε without its factor; forgetting to divide by √ᾱ; the sign of v; in the weights, the
# distance to $y_i$ in place of √ᾱ · $y_i$, and the softmax over the batch.
#
# **What to listen for.** "The network removes a bit of noise." Ask what it is *asked for*: all of it. Small is the step.
#
# **The open question.** A network that reached the minimum of its loss would be the ideal denoiser, and a copying machine. It
# generalises because it cannot: convolutions see patches, are the same everywhere, and so mix parts of different pictures.
# Let them look for such mixtures in the miniature's pictures.
