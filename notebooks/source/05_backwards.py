# %% [markdown]
# # Lesson 5. Backwards, step by step
#
# {{badge}}
#
# Twice you took a step on trust, in lessons 3 and 4. Now you build it, in its two famous forms, and find out what the number
# of steps really is. At the end you know what two settings mean that are often confused: `diffusion_steps` 1000 and
# `timestep_respacing` 100.
#
# | | |
# |---|---|
# | **You will** | write the steps of DDIM and DDPM, watch a picture appear, shorten a chain of 1000 steps to 100, and measure what fewer steps cost |
# | **Time** | about 50 minutes, three exercises |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import torch

from s2i_teach.theory.ideal import ideal_x0
from s2i_teach.theory.measure import max_difference
from s2i_teach.theory.plane import heart
from s2i_teach.theory.prediction import eps_from_x0, to_x0_and_eps, x0_from_eps
from s2i_teach.theory.sampler import space_timesteps, spaced_timesteps
from s2i_teach.theory.schedule import alphas_cumprod, scaled_linear_betas
from s2i_teach.widgets.figures import (
    curves,
    filmstrip,
    latent_picture,
    picture_row,
    scatter,
    schedule,
)

lesson = s2i.lesson(5)
alpha_bar = alphas_cumprod(scaled_linear_betas())  # Stable Diffusion's schedule, lesson 2
data = heart(40)  # forty points, the data of lesson 3


def predict(x_t, a):
    """The perfect guess of the noise in x_t, from lesson 3; a is alpha_bar there, a number."""
    return eps_from_x0(x_t, ideal_x0(x_t, data, a), a)


# %% [markdown]
# ## 1. Subtract a fraction?
#
# A sampler starts with pure noise at a large $t$ and visits smaller and smaller ones. At each it asks the network for the noise
# $\hat\varepsilon$ and goes one step. What is a step? A widespread answer: "the network predicts the noise, and a fraction of it
# is subtracted".
#
# **Spot the bug.** Here is that answer, with the perfect denoiser of the heart, in 50 steps. **Predict first:** will the points
# arrive on the heart?


# %%
def subtract_a_fraction(x, times):
    for t in times:
        x = x - predict(x, alpha_bar[t].item()) / len(times)
    return x


times = spaced_timesteps(50, spacing="trailing")  # 999, 979, … , 19; section 5 is about this
pure_noise = torch.randn(200, 2, generator=torch.Generator().manual_seed(2))
figure, alt = scatter(
    {
        "start": pure_noise,
        "a fraction subtracted, 50 times": subtract_a_fraction(pure_noise, times),
        "data": data,
    },
    size=4.2,
)
s2i.show(figure, alt=alt)

# %% [markdown]
# They come nearer, but they do not arrive. Each step here forgets two things from lesson 2. The noise is in $x_t$ with the factor
# $\sqrt{1-\bar\alpha_t}$, not whole. And at the next, smaller $t$ the *picture* has a larger factor than at this one. Both
# factors have to change in every step. So a sampler may subtract a multiple of $\hat\varepsilon$, but not the same one in every step,
# and it must enlarge $x_t$ too. Section 3 has the formula.
#
# ## 2. DDIM: guess, and noise again
#
# A *level* is a value of $\bar\alpha$; the larger, the less noise. Write $a$ for the level where we stand and $a'$ for the one where
# we go next, which has less noise, $a' > a$. (In code it is `a_prev`: the previous one on the way *forward*.) From $x_t$ and
# $\hat\varepsilon$ you know the guessed picture $\hat x_0$ (lesson 3). Now noise it as the forward process would, but only to
# the new level, and with the same noise (Song et al. 2020, equation 12 with $\eta = 0$; what we call $\bar\alpha$ is $\alpha$ there):
#
# $$x' = \sqrt{a'}\;\hat x_0 + \sqrt{1-a'}\;\hat\varepsilon .$$
#
# Nothing is drawn at random: the same start gives the same picture. If you like, a part of the old noise can be exchanged for
# fresh noise $n$. $\eta$ (eta), between 0 and 1, says how much (equation 16):
#
# $$x' = \sqrt{a'}\;\hat x_0 + \sqrt{1-a'-\sigma^2}\;\hat\varepsilon + \sigma n, \qquad
# \sigma = \eta\,\sqrt{\frac{1-a'}{1-a}\Big(1-\frac{a}{a'}\Big)} .$$
#
# Why is $\sigma^2$ taken away under the root? The noise has the variance $1-a'$ at the new level, and variances add up.
# `x0_from_eps(x_t, eps, a)` is there. (`a` and `a_prev` are numbers, or tensors with one number a picture, `(B, 1, 1, 1)`. `a ** 0.5` works
# for both.)


# %% tags=["exercise-ddim_step"]
def ddim_step(x_t, eps, a, a_prev, noise=None, eta=0.0):
    """From level a to level a_prev: x_t, eps and noise are (B, ...), and so is what comes out.

    With eta = 0 no noise is given (noise is None).
    """
    ...


# %%
lesson.ddim_step.check(ddim_step)
ddim_step = lesson.ddim_step.use(ddim_step)

# %% [markdown]
# ## 3. DDPM: draw where you could have come from
#
# DDPM is older (Ho et al. 2020) and argues differently. The forward process went from $x'$ to $x_t$ by adding noise. If the
# picture was $\hat x_0$: where may $x'$ have been? Two bell curves tell. Before one has seen $x_t$, $x'$ lies around
# $\sqrt{a'}\,\hat x_0$ with variance $1-a'$ (lesson 2). And $x_t$ came from it, as $\sqrt{\alpha}\,x'$ and noise of variance $1-\alpha$, so it
# lies around $x_t/\sqrt{\alpha}$. Here $\alpha = a/a'$ is what the steps between the two levels leave together ($\bar\alpha$ is the product
# of all $\alpha$). The product of the two curves is a bell curve again (equations 6 and 7):
#
# $$\text{mean}=\frac{\sqrt{a'}\,(1-\alpha)\;\hat x_0+\sqrt{\alpha}\,(1-a')\;x_t}{1-a},\qquad
# \text{variance}=\frac{1-a'}{1-a}\,(1-\alpha) .$$
#
# A step draws from it. You have seen this variance before: it is $\sigma^2$ for $\eta = 1$. With it the means agree too, and DDIM
# with $\eta = 1$ *is* DDPM.
#
# Put $\hat x_0 = (x_t - \sqrt{1-a}\,\hat\varepsilon)/\sqrt a$ into the mean, and you have it as DDPM's authors write it (equation 11):
#
# $$\text{mean}=\frac{1}{\sqrt\alpha}\Big(x_t-\frac{1-\alpha}{\sqrt{1-a}}\,\hat\varepsilon\Big) .$$
#
# That is section 1's subtraction, put right. What is subtracted is another multiple of $\hat\varepsilon$ at each level, and the
# division by $\sqrt\alpha$ enlarges $x_t$.


# %% tags=["exercise-ddpm_step"]
def ddpm_step(x_t, eps, a, a_prev, noise):
    """From level a to level a_prev, at random: x_t, eps and noise are (B, ...), and so is what comes out."""
    ...


# %%
lesson.ddpm_step.check(ddpm_step)
ddpm_step = lesson.ddpm_step.use(ddpm_step)

# %% [markdown]
# Both are steps from one noise level to *any* less noisy one. A sampler is a loop around one of them:


# %%
def sample(step, times, x, predict, seed=0):
    """From pure noise x (B, ...) over the timesteps, the noisiest first; returns all x on the way, the last is the end."""
    generator = torch.Generator().manual_seed(seed)
    levels = [alpha_bar[t].item() for t in times] + [1.0]  # 1: no noise is left
    seen = [x]
    for a, a_prev in zip(levels, levels[1:]):
        noise = torch.randn(x.shape, generator=generator)
        x = step(x, predict(x, a), a, a_prev, noise)
        seen.append(x)
    return seen


def ddim(x_t, eps, a, a_prev, noise):
    return ddim_step(x_t, eps, a, a_prev)


panels = {}
for steps in [2, 5, 50]:
    times = spaced_timesteps(steps, spacing="trailing")
    panels[f"DDIM, {steps} steps"] = {"end": sample(ddim, times, pure_noise, predict)[-1]}
    panels[f"DDPM, {steps} steps"] = {
        "end": sample(ddpm_step, times, pure_noise, predict)[-1]
    }
order = [f"{name}, {steps} steps" for name in ("DDIM", "DDPM") for steps in (2, 5, 50)]
figure, alt = scatter({name: panels[name] for name in order}, size=2.6, rows=2)
s2i.show(figure, alt=alt)

# %% [markdown]
# After 2 steps all are near the middle, after 5 they fill the heart, after 50 they lie on its outline, with either step. A first
# guess is a mean (lesson 3), and with few steps a point has few occasions to correct it.
#
# **Turn the knobs. Predict first:** starting 200 times from the *same* point, where do they end with $\eta = 0$, and where with
# $\eta = 1$?

# %%
import ipywidgets


def from_one_point(steps, eta):
    def step(x_t, eps, a, a_prev, noise):
        return ddim_step(x_t, eps, a, a_prev, noise, eta)

    start = torch.tensor([[0.3, -0.2]]).repeat(200, 1)
    end = sample(step, spaced_timesteps(steps, spacing="trailing"), start, predict)[-1]
    figure, alt = scatter(
        {"data": data, "start": start[:1], "end": end},
        title=f"{steps} steps, η = {eta}",
        size=4.2,
    )
    s2i.show(figure, alt=alt)


steps = ipywidgets.IntSlider(
    20, min=1, max=100, description="steps", continuous_update=False
)
eta = ipywidgets.FloatSlider(
    0.5, min=0, max=1, step=0.1, description="η", continuous_update=False
)
_ = ipywidgets.interact(from_one_point, steps=steps, eta=eta)

# %% [markdown]
# With $\eta = 0$ all 200 end in one point: nothing was drawn. With $\eta > 0$ each takes its own way, and already at 0.5 they are spread
# over the whole heart.
#
# **Your steps at work.** The playground of lesson 3 runs the steps that you wrote. Choose one under *Step*, press play, and look at the
# ways of single points. **Predict first:** whose ways are smooth, whose are jagged, and what changes with 5 and with 100 steps?
#
# The third step in the cell is spoiled: it lacks the two roots, a mistake that is easily made. **Predict first:** with variances in
# place of their roots, where will the points end in 20 steps? Then spoil it in other ways and run the cell again:
# leave the factor of $\hat x_0$ out, or take the sign of $\hat\varepsilon$ the wrong way round.


# %%
def spoiled(x_t, eps, a, a_prev):
    """DDIM's step without its roots."""
    return a_prev * x0_from_eps(x_t, eps, a) + (1 - a_prev) * eps


s2i.Playground(step=[ddim_step, ddpm_step, spoiled])

# %% [markdown]
# DDIM's ways are smooth curves; DDPM's are jagged, since fresh noise comes in at each step. The spoiled step makes the points
# shrink too fast: variances are smaller than their roots. So they look as if they came from the middle, and in 20 steps all 300 end
# in one spot, the notch of the heart, which is the part of the data nearest to the middle. Look at the two numbers below the
# picture. The points end as near to the data as with the right step. Only the second number tells that the heart is gone: most of
# the data have no point near them. A measure of quality that looks one way only can be fooled; that happens with pictures too.
#
# ## 4. Watch a picture appear
#
# Now the miniature. Its latents (lesson 7) take the place of the heart's points, and its U-Net takes the place of the perfect guess; your
# step stays as it is. The words get some weight by guidance, which is lesson 6. (The miniature's U-Net answers $v$, from which
# $\hat\varepsilon$ follows, as in lesson 3.)

# %%
pipe = s2i.load_pipeline("mini", device="cpu", dtype="fp32")
with_words, without = pipe.encode_prompt("a strawberry, noto style", pipe.device, 1, True)
words = torch.cat([without, with_words])
scale = pipe.vae.config.scaling_factor


@torch.no_grad()
def decode(z):
    """Latents (B, 4, 16, 16) as pictures (B, 3, 128, 128)."""
    return pipe.vae.decode(z / scale).sample.clamp(-1, 1)


@torch.no_grad()
def predict_latents(z, a):
    """The noise in the latents z (B, 4, 16, 16) at level a."""
    t = (alpha_bar - a).abs().argmin()  # the U-Net wants to know t
    both = pipe.unet(torch.cat([z, z]), t, words.repeat_interleave(len(z), 0)).sample
    plain, told = both.chunk(2)
    answer = plain + 4 * (told - plain)
    kind = pipe.scheduler.config.prediction_type
    return to_x0_and_eps(answer, kind, z, torch.tensor(a))[1]


z = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(3))
times = spaced_timesteps(20, offset=1)  # as Stable Diffusion does: section 5
guesses, noises = [], []


def predict_and_keep(z, a):
    """The same, and keeps the picture that it guesses, and the noise."""
    eps = predict_latents(z, a)
    guesses.append(decode(x0_from_eps(z, eps, a))[0])
    noises.append(latent_picture(eps[0]))
    return eps


way = sample(ddim, times, z, predict_and_keep)
shown = [0, 3, 6, 9, 12, 15, 19]
sheet, alt = filmstrip(
    {
        "x_t": [decode(way[i])[0] for i in shown],
        "guess x̂0": [guesses[i] for i in shown],
        "noise ε̂": [noises[i] for i in shown],
    },
    [f"t = {times[i]}" for i in shown],
)
s2i.show(sheet, alt=alt)

# %% [markdown]
# **Read the middle row.** The first guess is a blur, the mean of everything that it might become; it sharpens step by step, since
# every step leaves fewer possibilities. First the place and the colour are settled, then the outline, the edges last. The upper
# row looks like noise for a long time although the picture is nearly decided: what you see in most films of "denoising" is the
# wrong row. The lowest row is what the network said: the noise, as it is in the latent (three of its four channels as colours).
# It hardly changes before the very end, where almost no noise is left to be seen: each guess finds the noise that the step before
# left in $x_t$.
#
# Here is the middle row, as a film:

# %%
from s2i_teach.images import to_picture

film = [to_picture(guess) for guess in guesses]
s2i.show(
    film, alt=f"A film of {len(film)} guesses: a blur becomes a strawberry.", width=256
)

# %% [markdown]
# ## 5. 1000 steps, 100 steps
#
# Texts name two numbers: **`diffusion_steps` = 1000** and **`timestep_respacing` = 100**. The first belongs to the *training*:
# the schedule has 1000 noise levels, and the network has learned all of them. The second says how many of them the sampler visits.
# A sampler of whole timesteps cannot visit more than there are; some, like Euler's in diffusers, visit places in between as well.
#
# Improved-diffusion (Nichol and Dhariwal 2021), where the words come from, keeps 100 timesteps and builds a *shorter chain* from
# them, with β of its own, so that it passes the very same noise levels. What are these β?


# %% tags=["exercise-respaced_betas"]
def respaced_betas(alpha_bar, kept):
    """The betas of the chain that visits only the timesteps kept (ascending): (T,) and K numbers → (K,)."""
    ...


# %%
lesson.respaced_betas.check(respaced_betas)
respaced_betas = lesson.respaced_betas.use(respaced_betas)

# %%
kept = space_timesteps(1000, 100)
short = alphas_cumprod(respaced_betas(alpha_bar, kept))
print("kept:", kept[:4], "…", kept[-3:])
print(
    "levels of the short chain and of the long one differ by",
    max_difference(short, alpha_bar[kept]),
)

# %% [markdown]
# So rebuilding β and jumping over timesteps are the same thing, told in two ways, as long as the network is still told the *old* $t$ of
# each level (improved-diffusion looks it up). diffusers tells the second: it jumps. But
# *which* timesteps are kept is a choice, and the libraries choose differently:

# %%
for spacing in ("leading", "trailing", "linspace"):
    found = spaced_timesteps(5, spacing=spacing)
    root = alpha_bar[found[0]].sqrt().item()
    print(f"{spacing:>9}: {found}   √ᾱ at the start: {root:.3f}")
print(" respaced:", space_timesteps(1000, 5)[::-1])

figure, alt = schedule(
    alpha_bar, spaced_timesteps(5), title='Five steps, spacing "leading"'
)
s2i.show(figure, alt=alt)

# %% [markdown]
# With 5 steps `"leading"` starts at $t = 800$, where $x_t$ should still hold a fifth of the picture's amplitude, and is handed
# pure noise instead. Lin et al. (2023, table 2) list which samplers do so. With 50 steps it starts at $t = 980$, where √ᾱ is 0.08 against
# 0.07 at 999, and it hardly matters.
#
# ## 6. What do fewer steps cost?
#
# With the heart we can measure it: how far from the outline do the points end, on average? **Predict first:** how many steps
# bring the distance down to a tenth of what it is after one step, and which of the two gets there first?

# %%
numbers = [1, 2, 3, 5, 8, 12, 20, 35, 60, 100, 200]
outline = heart(400)


def distance(step, steps):
    end = sample(step, spaced_timesteps(steps, spacing="trailing"), pure_noise, predict)[-1]
    return torch.cdist(end, outline).min(1).values.mean()


figure, alt = curves(
    numbers,
    {
        "DDIM": [distance(ddim, n) for n in numbers],
        "DDPM": [distance(ddpm_step, n) for n in numbers],
    },
    x_label="number of steps",
    y_label="mean distance to the heart",
    title="Quality against number of steps",
    log=True,
    log_x=True,
)
s2i.show(figure, alt=alt)

# %% [markdown]
# About twenty steps, for both: with the *perfect* guess it hardly matters which of the two steps you take. After that, ever more steps buy
# ever less. Now the miniature, whose guesses are not perfect, and where only the eye can tell:

# %%
row = {}
for name, step in (("DDIM", ddim), ("DDPM", ddpm_step)):
    for steps in (1, 3, 10, 30):
        times = spaced_timesteps(steps, spacing="trailing")
        row[f"{name}, {steps}"] = decode(sample(step, times, z, predict_latents)[-1])[0]
sheet, alt = picture_row(row, columns=4)
s2i.show(sheet, alt=f"A strawberry after 1, 3, 10 and 30 steps. {alt}")

# %% [markdown]
# Compare along the rows. DDIM settles: what 10 steps draw, 30 refine, so one can look for a good seed with few steps and finish
# it with many. DDPM draws something else with every number of steps, since fresh noise comes in at each (with one step both are the bare
# guess). Pipelines use DDIM and its kin, DPM-Solver++ and UniPC, which look back at several steps to go more exactly: they need
# fewer calls of the network, and the same seed gives the same picture.
#
# ## 7. Think about it
#
# With $\eta = 0$ no randomness comes in: one noise, one picture. So each step can be undone, nearly, and the sampler can be run
# *forwards*, from a picture to "its" noise. What could that be good for, with a sketch in hand? And why does it not come out exact in 20 steps?
#
# ## Sources
#
# - Ho, Jain and Abbeel, *Denoising Diffusion Probabilistic Models*, 2020, arXiv 2006.11239: DDPM.
# - Song, Meng and Ermon, *Denoising Diffusion Implicit Models*, 2020, arXiv 2010.02502: DDIM and $\eta$.
# - Nichol and Dhariwal, *Improved Denoising Diffusion Probabilistic Models*, 2021, arXiv 2102.09672: respacing.
# - Lin, Liu, Li and Yang, *Common Diffusion Noise Schedules and Sample Steps are Flawed*, 2023, arXiv 2305.08891: the three
#   spacings.
#
# **Next:** lesson 6, *Words steer pictures*.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** 8 minutes for section 1, 12 for DDIM, 10 for DDPM (draw the two bell curves), 8 for the film, 8 for the respacing,
# the rest for the plot.
#
# **Typical mistakes.** Noising $x_t$ again instead of the guess; fresh noise on top of the old; the variance where its root
# belongs; $\bar\alpha$ for the step's own $\alpha$.
#
# **What to listen for.** "1000 steps are better than 50." Better than what, measured how? And: "respacing makes the network
# faster." It makes it run less often.
#
# **The open question.** This is DDIM inversion: it finds the noise from which a given picture would come, so that one can change
# the words and keep the composition. It is exact only in the limit of small steps: going up, the network is asked at the cleaner
# point where one stands, while the sampler had asked it at the noisier one.
