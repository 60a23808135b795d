# %% [markdown]
# # Lesson 5. Backwards, step by step
#
# {{badge}}
#
# In lessons 3 and 4 you took a step on trust. Now you build it, in its two famous forms. You find out why it may use a guess that is
# only a blurred mean, and what the number of steps really is. At the end you can tell apart two settings that are often confused:
# `diffusion_steps` 1000 and `timestep_respacing` 100.
#
# | | |
# |---|---|
# | **You will** | write the steps of DDIM and DDPM, derive how much noise a step subtracts, compare a step with the true way back, watch a picture appear, shorten a chain of 1000 steps to 100 |
# | **Time** | about 60 minutes, four exercises |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |
# | **You need** | $\bar\alpha_t$ and `add_noise` from lesson 2, $\hat x_0$ and the perfect denoiser from lesson 3, the trained U-Net of lesson 4; the product of two bell curves helps |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import ipywidgets
import torch

from s2i_teach.images import to_picture
from s2i_teach.lessons import predict
from s2i_teach.theory.ideal import ideal_x0
from s2i_teach.theory.measure import max_difference
from s2i_teach.theory.plane import heart, mean_distance, spread
from s2i_teach.theory.prediction import eps_from_x0, to_x0_and_eps, x0_from_eps
from s2i_teach.theory.reverse import draw_true, reverse_density, spread_lost
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
outline = heart(400)  # the same heart, finely drawn, to measure distances


def perfect_eps(x_t, a):
    """The perfect guess of the noise in x_t (B, 2), from lesson 3; a is alpha_bar there, a number."""
    return eps_from_x0(x_t, ideal_x0(x_t, data, a), a)


# %% [markdown]
# ## 1. Subtract a fraction?
#
# A **sampler** starts with pure noise at a large $t$ and visits smaller and smaller ones. At each of them it asks the network for the
# noise $\hat\varepsilon$ and goes one **sampling step**. What is a step? A widespread answer: "the network predicts the noise, and a
# fraction of it is subtracted".
#
# **Spot the bug.** The next cells take that answer at its word, with the perfect denoiser of the heart, in 50 steps.
# Replace the three dots by your answer, then run the cell.

# %%
arrives = predict(
    "Where do the points end if a fiftieth of the noise is subtracted 50 times?",
    answer=...,
    options=("on the heart", "on the way to it", "no nearer than they started"),
)


# %%
def subtract_a_fraction(x, times):
    for t in times:
        x = x - perfect_eps(x, alpha_bar[t].item()) / len(times)
    return x


times = spaced_timesteps(50, spacing="trailing")  # 999, 979, … , 19; section 7 is about this
pure_noise = torch.randn(200, 2, generator=torch.Generator().manual_seed(2))
end = subtract_a_fraction(pure_noise, times)
figure, alt = scatter(
    {"start": pure_noise, "a fraction subtracted, 50 times": end, "data": data}, size=4.2
)
s2i.show(figure, alt=alt)
before, after = mean_distance(pure_noise, outline), mean_distance(end, outline)
print(f"mean distance to the heart: {before:.2f} at the start, {after:.2f} at the end")
arrives.compare(
    "on the heart"
    if after < 0.05
    else "on the way to it"
    if after < 0.9 * before
    else "no nearer than they started"
)

# %% [markdown]
# The points come nearer and stop too early. Each step here forgets two things from lesson 2. The noise is in $x_t$ with the factor
# $\sqrt{1-\bar\alpha_t}$. And at the next, smaller $t$ the *picture* has a larger factor than at this one. A right step changes both
# factors.
#
# ## 2. DDIM: guess, and noise again
#
# Write $a$ for the value of $\bar\alpha$ where we stand and $a'$ for its value where the step ends. There is less noise there, so
# $a' > a$. In code $a'$ is `a_prev`, since it is the previous one on the way *forward*. The guessed picture $\hat x_0$ follows from
# $x_t$ and $\hat\varepsilon$ (lesson 3). **DDIM** noises it again as the forward process would, but only up to $a'$, and with the same
# noise (Song et al. 2020, equation 12 with $\eta = 0$; that paper writes $\alpha$ for our $\bar\alpha$):
#
# $$x' = \sqrt{a'}\;\hat x_0 + \sqrt{1-a'}\;\hat\varepsilon .$$
#
# A part of the old noise can also be exchanged for fresh noise $n$.
# The number **$\eta$** (eta), between 0 and 1, says how much (equation 16):
#
# $$x' = \sqrt{a'}\;\hat x_0 + \sqrt{1-a'-\sigma^2}\;\hat\varepsilon + \sigma n, \qquad
# \sigma = \eta\,\sqrt{\frac{1-a'}{1-a}\Big(1-\frac{a}{a'}\Big)} .$$
#
# Why is $\sigma^2$ subtracted under the root? At $a'$ all the noise together has the variance $1-a'$, and variances of independent
# noises add up.
#
# `x0_from_eps(x_t, eps, a)` is there for you. `a` and `a_prev` are numbers, or tensors `(B, 1, 1, 1)` with one number per picture.
# `a ** 0.5` works for both.


# %% tags=["exercise-ddim_step"]
def ddim_step(x_t, eps, a, a_prev, noise=None, eta=0.0):
    """From alpha_bar = a to alpha_bar = a_prev: x_t, eps and noise are (B, ...), and so is the result.

    With eta = 0 no noise is given (noise is None).
    """
    ...


# %%
lesson.ddim_step.check(ddim_step)
ddim_step = lesson.ddim_step.use(ddim_step)

# %% [markdown]
# ## 3. DDPM: draw where you could have come from
#
# **DDPM** is older (Ho et al. 2020) and argues differently. The forward process came to $x_t$ from some $x'$ by adding noise. Suppose
# that the picture was $\hat x_0$. Where was $x'$? Two bell curves tell:
#
# - From the picture's side, $x'$ lies around $\sqrt{a'}\,\hat x_0$ with variance $1-a'$ (lesson 2).
# - From the other side, $x_t$ is $\sqrt{\alpha}\,x'$ plus noise of variance $1-\alpha$. So $x'$ lies around $x_t/\sqrt{\alpha}$ with
#   variance $(1-\alpha)/\alpha$.
#
# Here $\alpha = a/a'$ belongs to this step alone: $\bar\alpha$ is the product of all $\alpha$, so the quotient of two $\bar\alpha$ is the
# product of those in between. The product of two bell curves, with means $m_1, m_2$ and
# variances $v_1, v_2$, is a bell curve again. Its variance $V$ has $1/V = 1/v_1 + 1/v_2$, and its mean is $V\,(m_1/v_1 + m_2/v_2)$. Put
# the two curves in and use $a = \alpha a'$ (Ho et al. 2020, equations 6 and 7):
#
# $$\text{mean}=\frac{\sqrt{a'}\,(1-\alpha)\;\hat x_0+\sqrt{\alpha}\,(1-a')\;x_t}{1-a},\qquad
# \text{variance}=\frac{1-a'}{1-a}\,(1-\alpha) .$$
#
# A step of DDPM draws from it. You have seen this variance before: it is $\sigma^2$ for $\eta = 1$. The means agree too, so DDIM with
# $\eta = 1$ *is* DDPM.


# %% tags=["exercise-ddpm_step"]
def ddpm_step(x_t, eps, a, a_prev, noise):
    """From alpha_bar = a to alpha_bar = a_prev, at random: x_t, eps and noise are (B, ...), and so is the result."""
    ...


# %%
lesson.ddpm_step.check(ddpm_step)
ddpm_step = lesson.ddpm_step.use(ddpm_step)

# %% [markdown]
# ### What a step really subtracts
#
# DDPM's authors write the same step without $\hat x_0$. Its mean is then a multiple of $x_t$ minus a multiple of $\hat\varepsilon$:
#
# $$\text{mean} = A\,x_t - B\,\hat\varepsilon .$$
#
# **Derive it.** Find $A$ and $B$ on paper, from the mean above and lesson 3's formula for $\hat x_0$. They shall depend on two numbers
# alone: the step's own $\alpha$, and $\bar\alpha$ where it stands, our $a$. Everything else cancels if you put $\alpha a' = a$ in.


# %% tags=["exercise-ddpm_coefficients"]
def ddpm_coefficients(alpha, alpha_bar):
    """A and B: the mean of DDPM's step is A * x_t - B * eps. Both arguments are numbers below 1."""
    ...


# %%
lesson.ddpm_coefficients.check(ddpm_coefficients)
ddpm_coefficients = lesson.ddpm_coefficients.use(ddpm_coefficients)

# %% [markdown]
# Does it agree with the step that you wrote? The next cell tries random pictures, at a short step and at a long one. Then it draws
# $B$ for all 50 steps of a sampler, beside the constant fraction of section 1.

# %%
generator = torch.Generator().manual_seed(0)
x, eps, noise = (torch.randn(4, 3, 8, 8, generator=generator) for _ in range(3))
for t, t_next in ((500, 499), (900, 300)):
    a, a_prev = alpha_bar[t].item(), alpha_bar[t_next].item()
    A, B = ddpm_coefficients(a / a_prev, a)
    sigma = ((1 - a_prev) / (1 - a) * (1 - a / a_prev)) ** 0.5
    gap = max_difference(A * x - B * eps + sigma * noise, ddpm_step(x, eps, a, a_prev, noise))
    print(f"t = {t} to {t_next}: A = {A:.4f}, B = {B:.4f}, the two forms differ by {gap:.1e}")

bars = [alpha_bar[t].item() for t in times] + [1.0]  # 1: no noise is left
both = [ddpm_coefficients(a / b, a) for a, b in zip(bars, bars[1:])]
figure, alt = curves(
    times,
    {
        "B, the multiple of ε̂": [B for A, B in both],
        "A − 1, by which x_t is enlarged": [A - 1 for A, B in both],
        "a constant fraction, 1/50": [1 / 50] * 50,
    },
    x_label="timestep t",
    y_label="factor",
    title="What DDPM subtracts in 50 steps",
    log=True,
)
figure.axes[0].set_ylim(0.005, 2)
s2i.show(figure, alt=alt)

# %% [markdown]
# So there is some truth in section 1's answer. A step does subtract a multiple of $\hat\varepsilon$. But the multiple is another one at
# each $t$, and $x_t$ is enlarged as well. All the multiples add up to much more than 1, for two reasons. Each step enlarges $x_t$, and with
# it the noise that is still there. And each step of DDPM adds fresh noise. Later steps must take both away. Written out, the whole step is (Ho et al. 2020, equation 11 and algorithm 2)
#
# $$x' = \frac{1}{\sqrt\alpha}\Big(x_t-\frac{1-\alpha}{\sqrt{1-\bar\alpha}}\,\hat\varepsilon\Big) + \sigma n .$$
#
# ## 4. Why may a step trust a blurred mean?
#
# Something should worry you. Lesson 3 showed that $\hat x_0$ is a *mean* of everything that the picture might be. DDPM's argument put it
# in the place of *the* picture. That is not true: the picture is no mean. Why does it work?
#
# Look at the **true reverse kernel** $q(x' \mid x_t)$. It is the distribution of all the $x'$ from which the forward process came to this
# $x_t$. For a small data set it can be calculated by brute force, with Bayes' rule on a fine grid:
#
# $$q(x' \mid x_t) \;\propto\; q(x_t \mid x')\;q(x') .$$
#
# In words: an $x'$ is likely if the forward step leads from it to $x_t$, and if it is likely at all. The first factor is one
# Gaussian, the forward step. The second is the noised data: a Gaussian around each data point, as in lesson 3. `reverse_density`
# multiplies the two at every point of the grid. The data are as simple as they can be: two points on a line, at −1 and 1.
#
# The next cells compare it with the Gaussian from which your `ddpm_step` draws, for a step of 10 timesteps and for one of 400.

# %%
wrong = predict(
    "What is wrong with the Gaussian of a step, compared with the true kernel?",
    {"a step of 10 timesteps": ..., "a step of 400 timesteps": ...},
    options=("nearly nothing", "its mean", "its variance", "both"),
)

# %%
two_points = torch.tensor([-1.0, 1.0])
grid = torch.linspace(-4, 4, 1601)
width = (grid[1] - grid[0]).item()
x_t = torch.tensor([[0.3]])  # where we stand, at t = 600
t, measured = 600, {}
for length in (10, 400):
    a, a_prev = alpha_bar[t].item(), alpha_bar[t - length].item()
    true = reverse_density(grid, x_t.item(), two_points, a, a_prev)
    true_mean = (true * grid).sum().item() * width
    true_variance = (true * (grid - true_mean) ** 2).sum().item() * width
    eps = eps_from_x0(x_t, ideal_x0(x_t, two_points[:, None], a), a)
    mean = ddpm_step(x_t, eps, a, a_prev, torch.zeros(1, 1)).item()  # your step, without its noise
    sigma = ddpm_step(x_t, eps, a, a_prev, torch.ones(1, 1)).item() - mean
    step = torch.exp(-((grid - mean) ** 2) / (2 * sigma**2)) / (sigma * (2 * torch.pi) ** 0.5)
    figure, alt = curves(
        grid,
        {"true kernel": true, "your step": step},
        x_label="x'",
        y_label="density",
        title=f"One step of {length} timesteps, from x = 0.3 at t = {t}",
    )
    s2i.show(figure, alt=alt)
    print(f"mean:     true {true_mean:.4f}, step {mean:.4f}")
    print(f"variance: true {true_variance:.4f}, step {sigma**2:.4f}")
    faults = abs(mean - true_mean) > 0.01, abs(sigma**2 / true_variance - 1) > 0.1
    words = ("nearly nothing", "its variance", "its mean", "both")[2 * faults[0] + faults[1]]
    measured[f"a step of {length} timesteps"] = words
wrong.compare(measured)

# %% [markdown]
# **The mean is right, for any length of the step.** If we knew the picture $x_0$, then $x'$ would have the bell curve of section 3, with
# $x_0$ in the place of $\hat x_0$. Its mean is a constant times $x_0$ plus a constant times $x_t$. We do not know $x_0$, so we average
# over all the pictures that are possible. The constants and $x_t$ stay as they are, and $x_0$ becomes the mean
# $\hat x_0 = \mathrm E[x_0 \mid x_t]$. So the blurred mean is just what the step needs, and it is just what a network learns from a squared error
# (lesson 3).
#
# **What a step loses is spread.** The true kernel is a mixture of Gaussians, one for each possible picture, all of the same variance
# $\sigma^2$ but around different means. The variance of a mixture has two parts: the variance inside each Gaussian, here
# $\sigma^2$, and the variance of their centres. Your step has the first part alone. Let $\mathrm{Var}[x_0 \mid x_t]$ be the variance of
# the pictures that are possible, and $c = \sqrt{a'}\,(1-\alpha)/(1-a)$ the factor of $x_0$ in the mean. Then in each coordinate
#
# $$\text{true variance} = \sigma^2 + c^2\;\mathrm{Var}[x_0 \mid x_t] .$$
#
# **In a short step hardly any is lost.** For a short step $1-\alpha$ is small. $\sigma^2$ shrinks in proportion to it, and $c^2$ to
# its *square*. So with shorter and shorter steps the second term disappears beside the first, and the mixture becomes one Gaussian
# (Feller's theorem of 1949, which Sohl-Dickstein et al. 2015 built the first diffusion model on).
#
# How fast? Measure it on the heart. `spread_lost` is the share of the true variance that a step lacks.

# %%
shrinks = predict(
    "A step of 100 timesteps loses some share of the spread. How many times smaller is the share for a step of 10?",
    answer=...,
)

# %%
t = 600
a = alpha_bar[t].item()
start = data.repeat(10, 1)
generator = torch.Generator().manual_seed(0)
x_t = a**0.5 * start + (1 - a) ** 0.5 * torch.randn(start.shape, generator=generator)
lengths = [1, 2, 5, 10, 20, 50, 100, 200, 400]
lost = {n: spread_lost(x_t, data, a, alpha_bar[t - n].item()).mean().item() for n in lengths}
figure, alt = curves(
    lengths,
    {"share lost": lost.values()},
    x_label=f"length of the step in timesteps, from t = {t}",
    y_label="share of the variance",
    title="The spread that one Gaussian step loses",
    log=True,
    log_x=True,
)
s2i.show(figure, alt=alt)
print(f"lost by a step of 100: {lost[100]:.2%}, by a step of 10: {lost[10]:.2%}")
shrinks.compare(lost[100] / lost[10], unit="times", within=4)

# %% [markdown]
# The share falls about with the length of the step, and so does the step's own variance. So the *amount* that is lost,
# $c^2\,\mathrm{Var}[x_0 \mid x_t]$, falls about with the square of the length. Ten short steps cover the same way as one long step and
# lose roughly ten hundredths of what it loses: a tenth. And each of them starts from a *new* guess.
#
# In the plane you can see what a long step does. From one $x_t$, draw 300 times from the true kernel and 300 times with your step.

# %%
one = x_t[:1].repeat(300, 1)
panels = {}
for length in (10, 550):
    a_prev = alpha_bar[t - length].item()
    noise = torch.randn(one.shape, generator=generator)
    panels[f"a step of {length} timesteps"] = {
        "true kernel": draw_true(one, data, a, a_prev, generator),
        "your step": ddpm_step(one, perfect_eps(one, a), a, a_prev, noise),
    }
figure, alt = scatter(panels, size=3.8)
s2i.show(figure, alt=alt)
for name, panel in panels.items():
    true, step = spread(panel["true kernel"]), spread(panel["your step"])
    print(f"{name}: spread of the true kernel {true:.3f}, of your step {step:.3f}")

# %% [markdown]
# After the short step you can hardly tell the two apart. After the long one the true points show the heart again, while those of your
# step form a single round spot around the mean.
#
# DDIM with $\eta = 0$ draws nothing at all, so this argument does not cover it. Its short steps follow a curve, the solution of a
# differential equation. The only unknown in that equation is $\mathrm E[x_0 \mid x_t]$; the rest is $x$ and $\bar\alpha$ (Song et al. 2020,
# section 4.3). One can prove, and we do not, that points which start as noise and follow these curves have at each $t$ the same
# distribution as the noised data. Long steps follow such a curve badly.
#
# ## 5. A sampler is a loop
#
# Both steps go from one noise level to *any* lower one. A sampler is a loop around one of them. The third row of the figure takes the
# true kernel instead, which is exact at any length. Only somebody who knows all data can draw from it.


# %%
def sample(step, times, x, guess_eps, seed=0):
    """From pure noise x (B, ...) over the timesteps, the noisiest first; returns every x on the way, the last is the end."""
    generator = torch.Generator().manual_seed(seed)
    bars = [alpha_bar[t].item() for t in times] + [1.0]
    path = [x]
    for a, a_prev in zip(bars, bars[1:]):
        noise = torch.randn(x.shape, generator=generator)
        x = step(x, guess_eps(x, a), a, a_prev, noise)
        path.append(x)
    return path


def ddim(x_t, eps, a, a_prev, noise):
    return ddim_step(x_t, eps, a, a_prev)


def true_kernel(x_t, eps, a, a_prev, noise, generator=torch.Generator().manual_seed(0)):
    return draw_true(x_t, data, a, a_prev, generator)


ways = {"DDIM": ddim, "DDPM": ddpm_step, "true kernel": true_kernel}
panels = {}
for name, step in ways.items():
    for steps in (2, 5, 50):
        times = spaced_timesteps(steps, spacing="trailing")
        end = sample(step, times, pure_noise, perfect_eps)[-1]
        panels[f"{name}, {steps} steps"] = {"end": end}
        far = mean_distance(end, outline)
        print(f"{name:>11}, {steps:>2} steps: spread {spread(end):.2f}, mean distance to the heart {far:.2f}")
print(f"the data themselves: spread {spread(data):.2f}")
figure, alt = scatter(panels, size=2.6, rows=3)
s2i.show(figure, alt=alt)

# %% [markdown]
# With 2 steps the heart has shrunk to a spot. For DDPM that is the lost spread, and DDIM's long steps leave the curve. With 5 it is filled. With 50 the points lie on its outline, with
# either step. The true kernel is right even with 2.
#
# **Turn the knobs.** The next cell starts 200 times from the *same* point, and uses your `ddim_step` with some $\eta$.

# %%
where = predict(
    "200 runs from one point end…",
    {"η = 0": ..., "η = 1": ...},
    options=("in one point", "spread over the heart"),
)


# %%
def from_one_point(steps, eta):
    """Where 200 runs from the same point end, (200, 2)."""

    def step(x_t, eps, a, a_prev, noise):
        return ddim_step(x_t, eps, a, a_prev, noise, eta)

    start = torch.tensor([[0.3, -0.2]]).repeat(200, 1)
    return sample(step, spaced_timesteps(steps, spacing="trailing"), start, perfect_eps)[-1]


def look(steps, eta):
    figure, alt = scatter(
        {"data": data, "end": from_one_point(steps, eta)}, title=f"{steps} steps, η = {eta}", size=4.2
    )
    s2i.show(figure, alt=alt)


where.compare(
    {
        f"η = {eta}": "in one point" if spread(from_one_point(20, eta)) < 0.05 else "spread over the heart"
        for eta in (0, 1)
    }
)
steps = ipywidgets.IntSlider(20, min=1, max=100, description="steps", continuous_update=False)
eta = ipywidgets.FloatSlider(0.5, min=0, max=1, step=0.1, description="η", continuous_update=False)
s2i.interact(look, steps=steps, eta=eta)

# %% [markdown]
# With $\eta = 0$ nothing is drawn, so equal starts have equal ends. With $\eta > 0$ each run takes its own way.
#
# **Your steps at work.** The playground of lesson 3 runs the steps that you wrote. Choose one under *Step*, press play, and look at the
# paths of single points. Which paths are smooth, and which are jagged? What changes with 5 and with 100 steps?
#
# The third step in the cell below is spoiled: it lacks DDIM's two roots, a mistake that is easily made.

# %%
spoils = predict(
    "Where do the points end in 20 steps if both roots are left out?",
    answer=...,
    options=("on the whole heart", "close together", "far outside"),
)


# %%
def spoiled(x_t, eps, a, a_prev):
    """DDIM's step without its roots."""
    return a_prev * x0_from_eps(x_t, eps, a) + (1 - a_prev) * eps


def spoiled_in_a_loop(x_t, eps, a, a_prev, noise):
    return spoiled(x_t, eps, a, a_prev)


times = spaced_timesteps(20, spacing="trailing")
end = sample(spoiled_in_a_loop, times, pure_noise, perfect_eps)[-1]
print(f"spread {spread(end):.3f} (data {spread(data):.3f}), distance to the data {mean_distance(end, data):.3f}")
ratio = spread(end) / spread(data)
spoils.compare(
    "close together" if ratio < 0.5 else "far outside" if ratio > 1.5 else "on the whole heart"
)
s2i.Playground(step=[ddim_step, ddpm_step, spoiled])

# %% [markdown]
# Numbers between 0 and 1 are smaller than their roots, so the spoiled step makes the points shrink too fast. The
# denoiser takes such a small $x$ for a noised point of the middle. Choose this step in the playground and look at the two numbers below the picture. The points end about as near to the data
# as with the right step. Only the second number tells that the heart is gone: most of the data have no point near them. A measure of
# quality that looks one way only can be fooled. That happens with pictures too.
#
# Spoil the step in other ways and run the cell again. Leave out the factor of $\hat x_0$, or change the sign of $\hat\varepsilon$.
#
# ## 6. Watch a picture appear
#
# Now the miniature. Its latents take the place of the heart's points, and its U-Net takes the place of the perfect guess. Your step
# stays as it is. Three things come from elsewhere: latents are lesson 7's, the weight that is given to the words is lesson 6's
# *guidance*, and the U-Net answers $v$, from which $\hat\varepsilon$ follows (lesson 3).

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
def unet_eps(z, a):
    """The noise in the latents z (B, 4, 16, 16) at alpha_bar = a."""
    t = (alpha_bar - a).abs().argmin()  # the U-Net wants to know t
    both = pipe.unet(torch.cat([z, z]), t, words.repeat_interleave(len(z), 0)).sample
    unguided, guided = both.chunk(2)
    answer = unguided + 4 * (guided - unguided)
    kind = pipe.scheduler.config.prediction_type
    return to_x0_and_eps(answer, kind, z, torch.tensor(a))[1]


z = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(3))
times = spaced_timesteps(20, offset=1)  # as Stable Diffusion does: section 7
guesses, noises = [], []


def guess_and_keep(z, a):
    """The same, and keeps the picture that it guesses, and the noise."""
    eps = unet_eps(z, a)
    guesses.append(decode(x0_from_eps(z, eps, a))[0])
    noises.append(latent_picture(eps[0]))
    return eps


path = sample(ddim, times, z, guess_and_keep)
shown = [0, 3, 6, 9, 12, 15, 19]
sheet, alt = filmstrip(
    {
        "x_t": [decode(path[i])[0] for i in shown],
        "guess x̂0": [guesses[i] for i in shown],
        "noise ε̂": [noises[i] for i in shown],
    },
    [f"t = {times[i]}" for i in shown],
)
s2i.show(sheet, alt=alt)

# %% [markdown]
# **Read the middle row.** The first guess is a blur, the mean of everything that it might become. It sharpens step by step, since every
# step leaves fewer possibilities. The place and the colour are settled first, then the outline, and the edges last.
#
# The upper row is still full of noise when the picture is nearly decided. Most films of "denoising" show this row, and it
# hides what happens. The lowest row is the predicted noise, as it is in the latents: three of their four channels, shown as colours.
# DDIM keeps the noise that it guessed, so the next guess finds much the same noise again. Only the last guess is paler: at $t = 1$
# hardly any noise is left in $x_t$ to find it by.
#
# Here is the middle row, as a film:

# %%
film = [to_picture(guess) for guess in guesses]
s2i.show(film, alt=f"A film of {len(film)} guesses: a blur becomes a strawberry.", width=256)

# %% [markdown]
# ## 7. 1000 steps, 100 steps
#
# Texts name two numbers: **`diffusion_steps` = 1000** and **`timestep_respacing` = 100**. The first belongs to the *training*: the
# schedule has 1000 timesteps, and the network has learned all of them. The second says how many sampling steps are taken. A sampler
# of whole timesteps cannot visit more than there are. Some samplers, like Euler's in diffusers, visit places in between as well.
#
# Improved-diffusion (Nichol and Dhariwal 2021), where the words come from, keeps 100 timesteps and builds a *shorter chain* from
# them. The short chain has $\beta$ of its own, chosen so that it passes the very same values of $\bar\alpha$. This is called
# **respacing**. Which $\beta$ are these?


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
gap = max_difference(short, alpha_bar[kept])
print("alpha_bar of the short chain and of the long one differ by", gap)

# %% [markdown]
# So rebuilding $\beta$ and jumping over timesteps are two descriptions of the same thing. Only the network must still be told the *old*
# $t$ of each place, and improved-diffusion looks it up. diffusers jumps.
#
# *Which* timesteps are kept is a choice, the **timestep spacing**. `"leading"` counts up from the beginning of the schedule, `"trailing"`
# counts down from its end, and `"linspace"` contains both ends. diffusers' DDIM uses `"leading"` if nobody says otherwise.

# %%
for n in (5, 50):
    for spacing in ("leading", "trailing", "linspace"):
        visited = spaced_timesteps(n, spacing=spacing)
        root = alpha_bar[visited[0]].sqrt().item()
        ends = f"{visited[0]}, {visited[1]}, … {visited[-1]}"
        print(f"{n:>2} steps, {spacing:>8}: {ends:<20} √ᾱ at the start: {root:.3f}")
print(" 5 steps, respaced:", space_timesteps(1000, 5)[::-1])

figure, alt = schedule(alpha_bar, spaced_timesteps(5), title='Five steps, spacing "leading"')
s2i.show(figure, alt=alt)

# %% [markdown]
# A run starts with pure noise, so √ᾱ at the start should be near 0. With 5 steps `"leading"` starts far down the schedule. There the
# network expects a visible part of the picture in $x_t$, and it gets none. With 50 steps the three hardly differ. Lin et al. (2023)
# compare the three spacings and recommend `"trailing"`.
#
# ## 8. What do fewer steps cost?
#
# With the heart it can be measured: how far from the outline do the points end, on average?

# %%
enough = predict(
    "How many steps of DDIM bring the distance down to a tenth of what it is after one step?", answer=...
)

# %%
numbers = [1, 2, 3, 5, 8, 12, 20, 35, 60, 100, 200]


def distance(step, steps):
    times = spaced_timesteps(steps, spacing="trailing")
    return mean_distance(sample(step, times, pure_noise, perfect_eps)[-1], outline)


far = {
    "DDIM": [distance(ddim, n) for n in numbers],
    "DDPM": [distance(ddpm_step, n) for n in numbers],
}
figure, alt = curves(
    numbers,
    far,
    x_label="number of sampling steps",
    y_label="mean distance to the heart",
    title="Quality against number of steps",
    log=True,
    log_x=True,
)
s2i.show(figure, alt=alt)
reached = {
    name: next(n for n, d in zip(numbers, line) if d <= line[0] / 10) for name, line in far.items()
}
print("of the numbers tried, the first with a tenth:", reached)
enough.compare(reached["DDIM"], unit="steps", within=8)

# %% [markdown]
# With the *perfect* guess it hardly matters which of the two steps you take, and ever more steps gain ever less. Now the miniature. Its
# guesses are not perfect, and here your eye has to judge:

# %%
row = {}
for name, step in (("DDIM", ddim), ("DDPM", ddpm_step)):
    for steps in (1, 3, 10, 30):
        times = spaced_timesteps(steps, spacing="trailing")
        row[f"{name}, {steps}"] = decode(sample(step, times, z, unet_eps)[-1])[0]
sheet, alt = picture_row(row, columns=4)
s2i.show(sheet, alt=f"A strawberry after 1, 3, 10 and 30 steps. {alt}")

# %% [markdown]
# Compare along the rows. DDIM settles: what 10 steps draw, 30 refine. So one can look for a good seed with few steps and finish the
# picture with many. DDPM draws something else with every number of steps, since each step adds fresh noise. With one step both give
# the bare guess.
#
# Pipelines use DDIM and its relatives, such as DPM-Solver++ and UniPC. These two look back at several steps to follow the curve more
# exactly, so they need fewer calls of the network.
#
# ## 9. Think about it
#
# With $\eta = 0$ nothing is drawn at random: each noise has its picture. So each step can be undone, nearly, and the sampler can be
# run *forwards*, from a picture to "its" noise. What could that be good for, with a sketch in hand? And why is it not exact in 20 steps?
#
# ## Sources
#
# - Sohl-Dickstein, Weiss, Maheswaranathan and Ganguli, *Deep Unsupervised Learning using Nonequilibrium Thermodynamics*, 2015,
#   arXiv 1503.03585, section 2.2: short steps back are Gaussian.
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
# **Pacing.** 6 minutes for section 1, 11 for DDIM, 15 for DDPM and its coefficients (draw the two bell curves), 10 for the true
# kernel, 8 for the film and the playground, 10 for respacing and the plot.
#
# **Typical mistakes.** Noising $x_t$ again instead of the guess; fresh noise on top of the old; the variance where its root
# belongs; $\bar\alpha$ for the step's own $\alpha$; in $B$, the division by $\sqrt\alpha$ forgotten.
#
# **What to listen for.** "The guess is blurred, so the picture must be." Ask which *mean* the step needs, and what it lacks.
# "1000 steps are better than 50." Better than what, measured how? And: "respacing makes the network faster." The network is called less
# often.
#
# **The coefficients, on paper.** With $\hat x_0 = (x_t - \sqrt{1-a}\,\hat\varepsilon)/\sqrt a$ and $a = \alpha a'$, the factor of
# $x_t$ is $\big((1-\alpha)/\sqrt\alpha + \sqrt\alpha\,(1-a')\big)/(1-a) = (1 - \alpha + \alpha - a)/(\sqrt\alpha\,(1-a)) = 1/\sqrt\alpha$.
#
# **The open question.** This is DDIM inversion: it finds the noise from which a given picture would come, so that one can change
# the words and keep the composition. It is exact only in the limit of small steps: going up, the network is asked at the cleaner
# point where one stands, while the sampler had asked it at the noisier one.
