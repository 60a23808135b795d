# %% [markdown]
# # Lesson 18. One process, three languages
#
# {{badge}}
#
# Papers speak of scores, of flows, of SDEs and of sigmas. The names sound like different methods. In this lesson you prove that they
# are one process, written in three ways. Then you find out what really differs: what the network is asked for, where the steps
# stop, and how a step follows a curve.
#
# | | |
# |---|---|
# | **You will** | derive a score and check it against autograd, walk up it, turn noise off in a walk, write one step for DDIM, flow and EDM, convert every prediction into every other, train a flow beside a noise predictor and a transformer beside a U-Net, straighten its paths, find a published bug, and measure the order of three solvers |
# | **Time** | two sittings: 65 minutes for sections 1 to 5, three exercises; 62 minutes for sections 6 to 10, one exercise |
# | **You need** | the three predictions and the perfect denoiser of lesson 3, the training of lesson 4, DDIM and DDPM of lesson 5; for section 8 also the attention of lesson 6; derivatives of $\log$, $\exp$ and a quotient |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import time
from collections.abc import Callable  # the library's lines name this

import torch
import torch.nn.functional as F

from s2i_teach.lessons import predict
from s2i_teach.theory.conversion import factors
from s2i_teach.theory.dit import DiT
from s2i_teach.theory.flow import detour, flow_point, flow_step, follow, ideal_velocity, shift_times, train_flow
from s2i_teach.theory.ideal import ideal_eps, ideal_x0
from s2i_teach.theory.measure import max_difference
from s2i_teach.theory.plane import PlaneNet, heart, mean_distance
from s2i_teach.theory.sampler import ddim_step, ddpm_step, spaced_timesteps
from s2i_teach.theory.schedule import alphas_cumprod, scaled_linear_betas
from s2i_teach.theory.score import (
    langevin_step,
    mixture_log_density,
    probability_flow_step,
    reverse_sde_step,
    score_from_eps,
    x0_from_score,
)
from s2i_teach.theory.solvers import dpmpp_2m, euler, heun, karras_sigmas, preconditioning, slope
from s2i_teach.theory.training import train
from s2i_teach.theory.unet import UNet
from s2i_teach.training.pictures import load_pairs
from s2i_teach.widgets.figures import curves, picture_row, scatter, trails

torch.set_num_threads(1)  # these networks are too small for two
lesson = s2i.lesson(18)
alpha_bar = alphas_cumprod(scaled_linear_betas())  # Stable Diffusion's schedule, lesson 2
data = heart(40)  # forty points, the data of lesson 3
outline = heart(400)  # the same heart, finely drawn, to measure distances

# %% [markdown]
# # First sitting: the score
#
# ## 1. An arrow at each place
#
# Take all noisy pictures at one timestep. They lie densely in some places and thinly in others. Their density is $p(x)$. The **score** is
# the gradient of its logarithm, $\nabla_x \log p(x)$. It is an arrow at each place, and it points where the density grows fastest. You
# saw it in lesson 3.
#
# For a small data set you can write it down. Each data point became a bell curve, with the centre $c_i$ and the variance $\sigma^2$.
# In our notation $c_i = \sqrt{\bar\alpha}\,x_i$ and $\sigma^2 = 1-\bar\alpha$. All together:
#
# $$p(x) = \frac1N \sum_i \mathcal N(x;\,c_i,\,\sigma^2), \qquad \mathcal N(x;\,c,\,\sigma^2) \propto \exp\Big(-\frac{\lVert x-c\rVert^2}{2\sigma^2}\Big) .$$
#
# **Derive it.** Two facts are enough. $\nabla \log p = \nabla p \,/\, p$. And the gradient of one bell curve is the bell curve times
# something simple. Then look at the weights that appear: you know them from lesson 3.
#
# Write it without a loop over the points. Later cells call your function thousands of times, with thousands of points. Autograd is off while
# your answer is checked.


# %% tags=["exercise-mixture_score"]
def mixture_score(x, centres, sigma):
    """The gradient of log p at each x: (B, D), centres (N, D), a number sigma → (B, D). No autograd."""
    ...


# %%
lesson.mixture_score.check(mixture_score)
mixture_score = lesson.mixture_score.use(mixture_score)

# %% [markdown]
# Three ways lead to the same arrow. The first is yours. The second is autograd on $\log p$, which knows nothing of your derivation. The
# third is the perfect noise predictor of lesson 3: $-\,\mathrm E[\varepsilon \mid x_t]\,/\sqrt{1-\bar\alpha_t}$.

# %%
a = alpha_bar[400].item()
x = 1.5 * torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
mine = mixture_score(x, a**0.5 * data, (1 - a) ** 0.5)
leaf = x.clone().requires_grad_(True)
[gradient] = torch.autograd.grad(mixture_log_density(leaf, a**0.5 * data, (1 - a) ** 0.5).sum(), leaf)
from_noise = score_from_eps(ideal_eps(x, data, a), a)
print(f"yours and autograd's differ by        {max_difference(mine, gradient):.1e}")
print(f"yours and the noise predictor's by    {max_difference(mine, from_noise):.1e}")
from_score = x0_from_score(x, mine, a)
print(f"Tweedie's picture and the perfect by  {max_difference(from_score, ideal_x0(x, data, a)):.1e}")

# %% [markdown]
# So **every denoiser is a score network**. Only the factor differs. Read backwards, this is **Tweedie's formula** (Efron 2011):
#
# $$\mathrm E[x_0 \mid x_t] = \frac{x_t + (1-\bar\alpha_t)\,\nabla \log p(x_t)}{\sqrt{\bar\alpha_t}} .$$
#
# The best guess of the picture is one step along the score. The step has a definite length, the variance of the noise. Here are the
# steps $\sigma^2\,\nabla\log p$ from points of a grid, for $x = x_0 + \sigma\varepsilon$ with $\sigma = 0.4$. Each arrow ends at the guess
# $\hat x_0$.

# %%
line = torch.linspace(-2.2, 2.2, 12)
grid = torch.cartesian_prod(line, line)
figure, alt = scatter(
    {"data": data},
    arrows=(grid, grid + 0.4**2 * mixture_score(grid, data, 0.4)),
    title="σ² times the score, σ = 0.4",
    size=5,
)
s2i.show(figure, alt=f"Arrows from a grid of places to the guessed picture. {alt}")

# %% [markdown]
# Outside the heart the arrows end near its outline. In the middle they are short: there all directions cancel, and the guess is a mean.
#
# ## 2. How a network learns a score that nobody knows
#
# For forty points you can write the score down. For photographs nobody can. So one cannot train a network $s$ on
# $\lVert s(x_t) - \nabla\log p(x_t)\rVert^2$, since the target is unknown.
#
# **Denoising score matching** replaces the target by one that is known in each single case: the score of the *one* bell curve from which
# $x_t$ was drawn. With $x_t = \sqrt{\bar\alpha}\,x_0 + \sqrt{1-\bar\alpha}\,\varepsilon$ it is $-\varepsilon/\sqrt{1-\bar\alpha}$. Vincent (2011)
# proved that the two losses differ by a constant, whatever $s$ is. So they have the same minimum.
#
# The next cell takes three networks that need no training: one says 0, one is right, and one says half of the right thing. It measures
# both losses on 200,000 noisy points.

# %%
gap = predict(
    "Denoising loss minus true loss, for the three networks:",
    answer=...,
    options=("nearly the same number three times", "three different numbers", "always 0"),
)

# %%
generator = torch.Generator().manual_seed(1)
clean = data[torch.randint(len(data), (200_000,), generator=generator)]
eps = torch.randn(clean.shape, generator=generator)
x_t = a**0.5 * clean + (1 - a) ** 0.5 * eps
right = torch.cat([score_from_eps(ideal_eps(part, data, a), a) for part in x_t.split(20_000)])
target = score_from_eps(eps, a)  # of the one bell curve
gaps = []
for name, answer in {"says 0": 0 * right, "half": right / 2, "right": right}.items():
    denoising, true = F.mse_loss(answer, target).item(), F.mse_loss(answer, right).item()
    gaps.append(denoising - true)
    print(f"{name:>7}: denoising loss {denoising:.4f} − true loss {true:.4f} = {gaps[-1]:.4f}")
spread = max(gaps) - min(gaps)
gap.compare(gap.options[2 if max(gaps) < 0.01 else 0 if spread < 0.05 * max(gaps) else 1])

# %% [markdown]
# You met both parts in lesson 4, section 5. The denoising loss is lesson 4's loss, divided by $1-\bar\alpha_t$. The constant is the loss of the
# perfect denoiser, divided in the same way. It is what nobody can know of the noise, and no training changes it.
# **Whoever trains a noise predictor trains a score.**
#
# ## 3. Walk up the score
#
# What can one do with a score? Suppose that you stand anywhere. Walk along the arrow, and shake a little. This is a **Langevin step** of
# length $h$:
#
# $$x' = x + h\,\nabla \log p(x) + \sqrt{2h}\;n, \qquad n \text{ fresh noise.}$$
#
# With many short steps, the points come to have the density $p$. No time and no schedule are needed.
#
# Or so it seems. Try it on two spots far apart. Eight of ten data points lie in the left spot, two in the right one. 1000 points take 500
# Langevin steps. At one noise level they start spread over a square. The other run begins with much noise, so they start from noise as wide. An answer within 8 per cent counts as right.

# %%
shares = predict(
    "Which share of the 1000 points ends in the left spot, in per cent?",
    {"at the one noise level 0.3": ..., "first at 5, then down to 0.3": ...},
)


# %%
def langevin(x, levels, steps, generator):
    for sigma in levels:
        for _ in range(steps):
            noise = torch.randn(x.shape, generator=generator)
            length = 0.1 * sigma**2  # less noise, a narrower bell curve, shorter steps
            x = langevin_step(x, mixture_score(x, spots, sigma), length, noise)
    return x


spots = torch.tensor([[-1.5, 0.0]] * 8 + [[1.5, 0.0]] * 2)
generator = torch.Generator().manual_seed(0)
anywhere = 4 * torch.rand(1000, 2, generator=generator) - 2
one_level = langevin(anywhere, [0.3], 500, generator)
levels = torch.logspace(0.7, -0.52, 20).tolist()  # 5.0 … 0.3
annealed = langevin(5 * torch.randn(1000, 2, generator=generator), levels, 25, generator)
figure, alt = scatter(
    {"one noise level": {"end": one_level}, "from much noise to little": {"end": annealed}}, size=3.6
)
s2i.show(figure, alt=alt)
ends = {"at the one noise level 0.3": one_level, "first at 5, then down to 0.3": annealed}
shares.compare(
    {name: 100 * (end[:, 0] < 0).float().mean().item() for name, end in ends.items()},
    unit="%",
    within=8,
)

# %% [markdown]
# At one noise level the points climb the nearer spot and stay there. Between the spots the density is almost 0. The score there
# says where the nearer spot is, and nothing of how many points belong to it.
#
# With much noise the two bell curves overlap. There the points divide themselves rightly, and then the noise is lowered. So the schedule of
# lesson 2 is no detail. **Noise of many sizes is what makes the score usable** (Song and Ermon 2019).
#
# ## 4. Two walks, one crowd
#
# The noise levels now become a time that runs without jumps. Forwards, a short step of lesson 2 with a small $\beta$ is
# $x' = \sqrt{1-\beta}\,x + \sqrt{\beta}\,n \approx x - \tfrac{\beta}{2}\,x + \sqrt{\beta}\,n$. A walk with fresh noise in every
# infinitely short step is a **stochastic differential equation** (SDE). Song et al. (2020) ask for walks *back* that have, at each moment, the same
# crowd of points as the forward walk. There are many. Here is one with noise, and the one without:
#
# $$\text{SDE:}\quad x' = x + \beta\Big(\frac{x}{2} + \nabla\log p(x)\Big) + \sqrt{\beta}\,n, \qquad\quad
# \text{ODE:}\quad x' = x + \frac{\beta}{2}\Big(x + \nabla\log p(x)\Big) .$$
#
# Without the noise the score counts half. This second one is the **probability-flow ODE**, an ordinary differential equation. Each start
# has exactly one path.
#
# Watch both. The data are two points on a line, −1 and 1. Four walkers of each kind start from the same place.

# %%
middle = predict(
    "4000 walkers of each kind, at t = 200. Which crowd has more walkers within ±0.5 of the middle?",
    answer=...,
    options=("SDE", "ODE", "equally many"),
)

# %%
two = torch.tensor([[-1.0], [1.0]])
betas = scaled_linear_betas()


def walk(x, with_noise, generator):
    """From t = 999 to 0, all steps: every x on the way, (1000, B, 1)."""
    path = []
    for t in range(999, 0, -1):
        path.append(x)
        a_t, beta = alpha_bar[t].item(), betas[t].item()
        s = mixture_score(x, a_t**0.5 * two, (1 - a_t) ** 0.5)
        if with_noise:
            x = reverse_sde_step(x, s, beta, torch.randn(x.shape, generator=generator))
        else:
            x = probability_flow_step(x, s, beta)
    return torch.stack([*path, x])


generator = torch.Generator().manual_seed(3)
crowd = torch.randn(4000, 1, generator=generator)
crowd[:4] = 0.4
by_sde, by_ode = walk(crowd, True, generator), walk(crowd, False, generator)
figure, alt = curves(
    range(999, -1, -1),
    {f"SDE {i + 1}": by_sde[:, i, 0] for i in range(4)} | {"ODE, all four": by_ode[:, 0, 0]},
    x_label="timestep t, from noise to data",
    y_label="x",
    title="Five walks from x = 0.4",
)
axes = figure.axes[0]
for walker in axes.get_lines()[:4]:
    walker.set(linestyle="-", linewidth=1)
axes.invert_xaxis()
axes.set_ylim(-3.2, 3.6)
axes.legend(loc="lower left", frameon=False, ncols=3)
s2i.show(figure, alt=alt)
inside = {}
for t in (999, 600, 400, 200, 0):
    inside[t] = [(path[999 - t].abs() < 0.5).float().mean().item() for path in (by_sde, by_ode)]
    print(f"t = {t:>3}: within ±0.5 are {inside[t][0]:.1%} by the SDE and {inside[t][1]:.1%} by the ODE")
more = inside[200][0] - inside[200][1]
middle.compare("equally many" if abs(more) < 0.04 else "SDE" if more > 0 else "ODE")

# %% [markdown]
# A single walker of the SDE has another path than one of the ODE. The *crowds* are the same at each moment, apart from chance. So one may
# choose. Fresh noise repairs errors of earlier steps (Karras et al. 2022, section 4). A path without noise can be followed in few steps. It can also
# be walked the other way, from a picture to its noise.
#
# You wrote both walks in lesson 5: they are your steps for a short $\beta$. The next cell compares them. If two steps agree up to
# $\beta^2$, a step that is ten times as short has a difference that is a hundred times as small.

# %%
x, eps = torch.randn(2, 500, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
for beta in (0.1, 0.01, 0.001):
    a, a_prev = 0.4, 0.4 / (1 - beta)
    s = score_from_eps(eps, a)
    sde = max_difference(reverse_sde_step(x, s, beta, 0 * x), ddpm_step(x, eps, a, a_prev, 0 * x))
    ode = max_difference(probability_flow_step(x, s, beta), ddim_step(x, eps, a, a_prev))
    print(f"β = {beta:<5}: SDE and the mean of DDPM differ by {sde:.1e}, ODE and DDIM by {ode:.1e}")

# %% [markdown]
# **DDPM follows the SDE, DDIM with $\eta = 0$ follows the ODE.** They only do it in different letters.
#
# ## 5. One step in three languages
#
# Which letters are best? Write $x_t = \alpha\,x_0 + \sigma\,\varepsilon$, with any two numbers $\alpha$ and $\sigma$. From here on $\alpha$ is the
# factor of the picture. In lesson 5 it was a step's own $1-\beta$. Divide by $\alpha$:
#
# $$\bar x = \frac{x_t}{\alpha} = x_0 + \bar\sigma\,\varepsilon, \qquad \bar\sigma = \frac{\sigma}{\alpha} .$$
#
# The picture no longer shrinks, and the noise alone grows. In these letters the probability-flow ODE is as simple as it can be:
#
# $$\frac{d\bar x}{d\bar\sigma} = \hat\varepsilon .$$
#
# In words: if the noise gets shorter by a little, take that much of the guessed noise away.
#
# Here is the proof. Take section 4's ODE for a short step *forwards*, with the other sign: $dx = -\frac\beta2\,(x + \nabla\log p)$. In
# this step $\alpha = \sqrt{\bar\alpha_t}$ shrinks by the factor $\sqrt{1-\beta} \approx 1-\frac\beta2$, so $d\alpha = -\frac\beta2\,\alpha$. Put
# both into the derivative of a quotient, with $\nabla\log p = -\hat\varepsilon/\sigma$. The two terms with $x$ cancel:
#
# $$d\bar x = \frac{dx}{\alpha} - \frac{x\,d\alpha}{\alpha^2} = \frac{\beta}{2\,\alpha\,\sigma}\;\hat\varepsilon .$$
#
# And $\bar\sigma^2 = 1/\alpha^2 - 1$ gives $2\,\bar\sigma\,d\bar\sigma = -2\,d\alpha/\alpha^3 = \beta/\alpha^2$, so
# $d\bar\sigma = \beta/(2\,\alpha\,\sigma)$. The quotient of the two is $\hat\varepsilon$.
#
# Does the ODE depend on the family? No. $\bar x = x_0 + \bar\sigma\,\varepsilon$ contains $\bar\sigma$ and nothing else of $\alpha$ and $\sigma$. So at
# each $\bar\sigma$ there is one crowd and one guess $\hat\varepsilon$, and the same curves lead from crowd to crowd. Three families differ in
# $\alpha$ and $\sigma$ alone:
#
# | | $\alpha$ | $\sigma$ | who |
# |---|---|---|---|
# | variance preserving | $\sqrt{\bar\alpha_t}$ | $\sqrt{1-\bar\alpha_t}$ | DDPM, DDIM, Stable Diffusion 1 and 2 |
# | rectified flow | $1-t$ | $t$ | Stable Diffusion 3, FLUX |
# | EDM | $1$ | $\sigma$ | Karras et al. 2022 |
#
# **Euler's step** follows a curve along its slope, straight, for the whole length of the step. Write it for $\bar x$ and
# $\bar\sigma$, and come back to $x$. Then see what you have written.


# %% tags=["exercise-ode_step"]
def ode_step(x_t, eps, alpha, sigma, alpha_next, sigma_next):
    """One Euler step of dx̄/dσ̄ = eps, from (alpha, sigma) to (alpha_next, sigma_next): (B, ...) → (B, ...)."""
    ...


# %%
lesson.ode_step.check(ode_step)
ode_step = lesson.ode_step.use(ode_step)

# %%
x, eps = torch.randn(2, 4, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
a, a_prev = 0.2, 0.7
vp = ode_step(x, eps, a**0.5, (1 - a) ** 0.5, a_prev**0.5, (1 - a_prev) ** 0.5)
print(f"variance preserving: it is DDIM at η = 0, up to {max_difference(vp, ddim_step(x, eps, a, a_prev)):.1e}")
t, t_next = 0.8, 0.3
x0 = (x - t * eps) / (1 - t)
rf = ode_step(x, eps, 1 - t, t, 1 - t_next, t_next)
along = x + (t_next - t) * (eps - x0)
print(f"rectified flow: it is a step along ε̂ − x̂0, up to {max_difference(rf, along):.1e}")
edm = ode_step(x, eps, 1.0, 5.0, 1.0, 3.0)
print(f"EDM: it is x + (σ' − σ) ε̂, up to {max_difference(edm, x - 2 * eps):.1e}")

# %% [markdown]
# **DDIM at $\eta = 0$ is an Euler step.** So is rectified flow's. They are the *same* step, not two that resemble each other. No
# approximation was made, and the step may be long.
#
# The networks answer in different words as well. Each answer is a sum $p = a\,x_0 + b\,\varepsilon$:
#
# | diffusers' word | $a$ | $b$ |
# |---|---|---|
# | `"sample"`: $x_0$ | $1$ | $0$ |
# | `"epsilon"`: $\varepsilon$ | $0$ | $1$ |
# | `"v_prediction"`: $v$ | $-\sigma$ | $\alpha$ |
# | `"flow_prediction"`: $dx_t/dt$ of rectified flow | $-1$ | $1$ |
#
# Note the trap: both of the last two are called *velocity*. They are not the same. The letters $a$ and $b$ belong to the prediction here, and $a$ is
# no $\bar\alpha$.
#
# Together with $x_t = \alpha\,x_0 + \sigma\,\varepsilon$ you have two equations for the two unknowns. Solve them once, with letters, and you
# can convert any answer into any other. `factors(kind, alpha, sigma)` reads $a$ and $b$ from the table. Do not assume
# $\alpha^2+\sigma^2 = 1$: that holds for the first family alone.


# %% tags=["exercise-convert"]
def convert(prediction, kind, wanted, x_t, alpha, sigma):
    """A prediction (B, ...) of one kind as another: "sample", "epsilon", "v_prediction", "flow_prediction"."""
    ...


# %%
lesson.convert.check(convert)
convert = lesson.convert.use(convert)

# %% [markdown]
# # Second sitting: flow
#
# What the first sitting gave: a noise predictor is a **score** network. The **probability-flow ODE** leads from noise to data, and
# DDIM is its **Euler step**. `ode_step` writes it for any $\alpha$ and $\sigma$. In a new session, run the cells of the first sitting again. They
# take less than a minute.
#
# ## 6. Straight lines that bend
#
# **Rectified flow** starts from the simplest picture of all. Draw a straight line from a clean picture to noise, and walk along it with
# constant speed:
#
# $$x_t = (1-t)\,x_0 + t\,\varepsilon, \qquad \frac{dx_t}{dt} = \varepsilon - x_0 .$$
#
# A network learns this velocity from a squared error (Liu et al. 2022; Lipman et al. 2022 call it **flow matching**). In these two papers $t$ runs the
# other way, from noise at 0 to the picture at 1. Stable Diffusion 3 and diffusers let it run as here.
#
# "The paths are straight, so a few steps are enough": you will often read this. The next cell follows the perfect network. The squared error
# makes it the *mean* velocity $\mathrm E[\varepsilon - x_0 \mid x_t]$. In the figure a ring is a start in noise, and a filled dot is where the path ends.
# An answer within 0.3 counts as right.

# %%
straight = predict(
    "How many times as long as a straight line are the paths of the perfect velocity?", answer=...
)


# %%
def perfect_velocity(x, t):
    return ideal_velocity(x, data, t)


pure_noise = torch.randn(200, 2, generator=torch.Generator().manual_seed(2))
partners = data[torch.randint(40, (200,), generator=torch.Generator().manual_seed(0))]
fine = torch.linspace(1, 0, 201)
lines = torch.stack([(1 - t) * partners + t * pure_noise for t in fine])
paths = follow(perfect_velocity, pure_noise, fine)
figure, alt = trails(
    {"what is learned from": lines[:, :24], "the mean velocity": paths[:, :24]}, dots={"data": data}, span=3, size=4.2
)
s2i.show(figure, alt=alt)
straight.compare(detour(paths), unit="times", within=0.3)

# %% [markdown]
# Many training lines pass through the same place at the same moment, each in its own direction. An ODE has one velocity there, and the
# squared error makes it their mean. At first every picture is still possible, so all points move towards the middle of the heart. Later
# they turn to some part of it. So **the paths bend**, although every training line was straight.
#
# Are they other paths than DDIM's? Section 5 says no: it is one ODE. DDIM and flow start at the same noise here, with 1000 steps each.

# %%
same = predict(
    "DDIM and flow from the same noise end…",
    answer=...,
    options=("at the same places", "at different places"),
)


# %%
def ddim(eps_of, steps, x):
    """From noise x (B, ...) in some steps; eps_of(x, t) guesses the noise."""
    times = spaced_timesteps(steps, spacing="trailing")
    bars = [alpha_bar[t].item() for t in times] + [1.0]
    for t, a, a_prev in zip(times, bars, bars[1:]):
        x = ddim_step(x, eps_of(x, t), a, a_prev)
    return x


def perfect_eps(x, t):
    return ideal_eps(x, data, alpha_bar[t].item())


by_ddim = ddim(perfect_eps, 1000, pure_noise)
by_flow = follow(perfect_velocity, pure_noise, torch.linspace(1, 0, 1001))[-1]
apart = (by_ddim - by_flow).norm(dim=1)
print(f"distance of the two ends: {apart.mean():.4f} on average, {apart.max():.4f} at most")
same.compare("at the same places" if apart.mean() < 0.05 else "at different places")

# %% [markdown]
# They end at the same places. Now with few steps. The third line is DDIM's step of lesson 5, which stops where the flow stops: the
# same ratios $\bar\sigma = t/(1-t)$.


# %%
def ddim_at_the_flow_s_stops(steps, x):
    times = torch.linspace(0.999, 0, steps + 1).tolist()  # at 1 there is no picture left to divide by
    for t, t_next in zip(times, times[1:]):
        a, a_prev = ((1 - s) ** 2 / ((1 - s) ** 2 + s**2) for s in (t, t_next))
        x = ddim_step(x, ideal_eps(x, data, a), a, a_prev)
    return x


numbers = [1, 2, 3, 5, 8, 12, 20, 35, 60]
far = {
    "DDIM": [mean_distance(ddim(perfect_eps, n, pure_noise), outline) for n in numbers],
    "flow": [
        mean_distance(follow(perfect_velocity, pure_noise, torch.linspace(1, 0, n + 1))[-1], outline)
        for n in numbers
    ],
    "DDIM, stops of the flow": [
        mean_distance(ddim_at_the_flow_s_stops(n, pure_noise), outline) for n in numbers
    ],
}
figure, alt = curves(
    numbers,
    far,
    x_label="number of steps",
    y_label="mean distance to the heart",
    title="The same ODE, with other stops",
    log=True,
    log_x=True,
)
s2i.show(figure, alt=alt)

# %% [markdown]
# The flow needs fewer steps here. But DDIM needs just as few if it stops where the flow stops: the second line and the third lie on each other.
# So the gain does not come from "straight paths". It comes from **where the steps stop**.
#
# ### The timestep shift
#
# Where should they stop? It depends on the size of the picture. Noise of the same $\bar\sigma$ hides less of a large picture, since
# neighbouring pixels show the same thing. Averaging $2\times2$ pixels leaves a picture as it is, nearly, and halves the noise:

# %%
noise = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
for side in (1, 2, 3):
    print(f"mean of {side} × {side} pixels: noise of deviation {F.avg_pool2d(noise, side).std():.3f}")

# %% [markdown]
# So a picture of twice the side needs twice the $\bar\sigma$ to be hidden as well. The **timestep shift** $s$ does this to all stops at once
# (Esser et al. 2024, section 5.3.2). It multiplies $t/(1-t)$ by $s$:
#
# $$t' = \frac{s\,t}{1+(s-1)\,t} .$$
#
# The library's `shift_times(t, s)` is this formula. The authors of Stable Diffusion 3 chose $s = 3$ for $1024\times1024$ pixels, after they
# had asked people which pictures they prefer. All stops should be shifted once. A report of March 2026 (diffusers, issue 13243) says that
# `FlowMatchEulerDiscreteScheduler` shifts its smallest noise level *twice*. Ask your own copy:

# %%
twice = predict(
    "With shift 3 and 1000 steps the last level before 0 should be shift_times(0.001, 3). diffusers' is…",
    answer=...,
    options=("the same", "about three times as large", "about a third"),
)

# %%
import diffusers

scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
scheduler.set_timesteps(1000)
last, right = scheduler.sigmas[-2].item(), shift_times(torch.tensor(0.001), 3.0).item()
print(f"diffusers {diffusers.__version__}: {last:.5f}. Shifted once: {right:.5f}.")
twice.compare(twice.options[0 if abs(last / right - 1) < 0.1 else 1 if last > right else 2])
stops = torch.linspace(1, 0.001, 8)
scheduler.set_timesteps(8)
print("diffusers' stops:", [f"{s:.3f}" for s in scheduler.sigmas[:-1].tolist()])
print("shifted once:    ", [f"{s:.3f}" for s in shift_times(stops, 3.0).tolist()])

# %% [markdown]
# If your copy still has the bug, look at the place: the smallest level was kept *after* it had been shifted, and all stops are shifted again when
# the steps are chosen. With 8 steps nearly all stops move, but by less than a hundredth: nobody sees it in a picture. Such bugs live long.
#
# ## 7. Rectify: learn the paths, not the pairs
#
# In section 6 noise and picture were paired by chance, so lines of different directions met. **Reflow** (Liu et al. 2022) pairs them anew:
# take noise, follow the first network to *its* picture, and train a second network on these pairs. Paths of an ODE never meet at the same
# moment. Do the straight lines between their ends?
#
# We train three small networks in the plane, with the same number of optimiser steps: one on $\varepsilon$, one on the velocity, and a second
# flow on the first one's pairs. The second flow starts from the first one's weights. An answer within 3 counts as right.

# %%
one_step = predict(
    "One single step: how many times as far from the heart does the first flow end as the second?",
    answer=...,
)


# %%
def pairs(generator):
    x0 = outline[torch.randint(len(outline), (128,), generator=generator)]
    return x0, torch.randn(x0.shape, generator=generator)


def velocity_of(network):
    """velocity(x, t), as follow asks for it."""

    @torch.no_grad()
    def velocity(x, t):
        return network(x, torch.full((len(x),), 1000 * t))

    return velocity


settings = {"steps": 600, "lr": 3e-3, "average": 0.99}
torch.manual_seed(0)
for step in train(PlaneNet(), outline, alpha_bar, batch_size=128, **settings):
    pass
eps_network = step.averaged
torch.manual_seed(0)
for step in train_flow(PlaneNet(), pairs, **settings):
    pass
first = step.averaged

noises = torch.randn(4000, 2, generator=torch.Generator().manual_seed(5))
made = follow(velocity_of(first), noises, torch.linspace(1, 0, 51))[-1]


def pairs_of_the_first(generator):
    which = torch.randint(len(made), (128,), generator=generator)
    return made[which], noises[which]


second = PlaneNet()
second.load_state_dict(first.state_dict())
for step in train_flow(second, pairs_of_the_first, **settings):
    pass
second = step.averaged

# %%
ways = {
    "noise predictor, DDIM": lambda n: ddim(
        lambda x, t: eps_network(x, torch.full((len(x),), t)).detach(), n, pure_noise
    ),
    "flow": lambda n: follow(velocity_of(first), pure_noise, torch.linspace(1, 0, n + 1))[-1],
    "flow, rectified": lambda n: follow(velocity_of(second), pure_noise, torch.linspace(1, 0, n + 1))[-1],
}
far = {name: [mean_distance(way(n), outline) for n in numbers] for name, way in ways.items()}
figure, alt = curves(
    numbers,
    far,
    x_label="number of steps",
    y_label="mean distance to the heart",
    title="Trained networks in the plane",
    log=True,
    log_x=True,
)
s2i.show(figure, alt=alt)
trail = {
    name: follow(velocity_of(network), pure_noise, fine)
    for name, network in (("first flow", first), ("rectified", second))
}
figure, alt = trails({name: path[:, :24] for name, path in trail.items()}, dots={"data": data}, span=3, size=4.2)
s2i.show(figure, alt=alt)
print({name: f"{detour(path):.3f} times as long as straight" for name, path in trail.items()})
one_step.compare(far["flow"][0] / far["flow, rectified"][0], unit="times", within=3)

# %% [markdown]
# Now the paths are straight, so the lines between the new pairs hardly cross. A single step arrives. There is a price. The second network learned
# from the first one's *pictures*, so it keeps their errors. More steps hardly help it.
#
# ## 8. The same with pictures
#
# Does it matter what the network is asked for? Three U-Nets of lesson 4 learn four pictures of 24 × 24. They have the same weights at the start
# and the same number of optimiser steps. One predicts $\varepsilon$, and one rectified flow's velocity. Those two differ in two things at once: in
# the answer, and in $\alpha$ and $\sigma$. So there is a third as a control: Stable Diffusion's $\alpha$ and $\sigma$, but $v$ as the answer. Training
# the three takes about a minute.

# %%
nearest = predict(
    "In 4 steps, whose pictures are nearest to the four?",
    answer=...,
    options=("ε", "v", "flow"),
)
control = predict(
    "And in 32 steps, is the control v nearer to ε or nearer to the flow?", answer=..., options=("ε", "flow")
)

# %%
things = ["apple", "fish", "house", "mushroom"]
rows = load_pairs(keep=lambda row: row["thing"] in things and row["style"] == "noto")
four = F.interpolate(rows.batch(torch.arange(len(rows))), (24, 24), mode="area")  # (4, 3, 24, 24)


def of_the_four(generator):
    x0 = four[torch.randint(len(four), (12,), generator=generator)]
    return x0, torch.randn(x0.shape, generator=generator)


settings = {"steps": 280, "lr": 2e-3, "average": 0.99}
networks, losses, seconds = {}, {}, {}
for name in ("ε", "v", "flow"):
    torch.manual_seed(0)
    model, started = UNet(widths=(24, 48, 96)), time.perf_counter()
    if name == "flow":
        training = train_flow(model, of_the_four, **settings)
    else:
        kind = {"ε": "epsilon", "v": "v_prediction"}[name]
        training = train(model, four, alpha_bar, batch_size=12, kind=kind, **settings)
    losses[name] = []
    for step in training:
        losses[name].append(step.loss)
    networks[name], seconds[name] = step.averaged, time.perf_counter() - started
    print(f"{name:>4}: {settings['steps']} optimiser steps in {seconds[name]:.0f} s")


# %%
@torch.no_grad()
def pictures(name, steps, x):
    """Pictures (B, 3, 24, 24) from noise x, by the network of that name."""
    network = networks[name]
    if name == "flow":
        return follow(velocity_of(network), x, torch.linspace(1, 0, steps + 1))[-1]

    def eps_of(x, t):
        answer, a = network(x, torch.full((len(x),), t)), alpha_bar[t].item()
        kind = {"ε": "epsilon", "v": "v_prediction"}[name]
        return convert(answer, kind, "epsilon", x, a**0.5, (1 - a) ** 0.5)  # your function

    return ddim(eps_of, steps, x)


def error(x):
    """Root mean square distance of pictures (B, 3, 24, 24) to the nearest of the four, on average."""
    return (torch.cdist(x.flatten(1), four.flatten(1)) / four[0].numel() ** 0.5).min(1).values.mean().item()


z = torch.randn(8, 3, 24, 24, generator=torch.Generator().manual_seed(1))
numbers = [1, 2, 4, 8, 16, 32]
made = {name: {n: pictures(name, n, z) for n in numbers} for name in networks}
errors = {name: [error(x) for x in by_steps.values()] for name, by_steps in made.items()}
figure, alt = curves(
    numbers,
    errors,
    x_label="number of steps",
    y_label="distance to the nearest picture",
    title="Four pictures, the same training",
    log=True,
    log_x=True,
)
s2i.show(figure, alt=alt)
shown = {
    f"{name}, {n} ({letter})": made[name][n][i].clamp(-1, 1)
    for name in networks
    for letter, i in (("a", 0), ("b", 2))
    for n in (1, 4, 32)
}
sheet, alt = picture_row(shown, side=96, columns=6)
s2i.show(sheet, alt=f"Two noises after 1, 4 and 32 steps, a row for each network. {alt}")
at_four = {name: line[numbers.index(4)] for name, line in errors.items()}
nearest.compare(min(at_four, key=at_four.get))
at_end = {name: line[-1] for name, line in errors.items()}
control.compare("ε" if abs(at_end["v"] - at_end["ε"]) < abs(at_end["v"] - at_end["flow"]) else "flow")

# %% [markdown]
# After this short training the noise predictor is worst. At large $t$ its guess of the picture is $(x_t-\sqrt{1-\bar\alpha}\,\hat\varepsilon)/\sqrt{\bar\alpha}$: every
# error of $\hat\varepsilon$ is divided by a number near 0. $v$ and the velocity have no such division. Lesson 4 derived the same
# from the weights of the losses. Longer training helps: the pictures of lesson 4 came from a noise predictor after 800 optimiser steps, and
# each of its guesses was clipped to what a picture can be.
#
# What does the control say? Look at its line. Where it leaves the noise predictor behind, only the *answer* has changed. What it still lacks
# comes with $\alpha$ and $\sigma$: which noise levels are trained, with which weight, and where the steps stop. If you compare two methods, change
# one thing at a time.
#
# One noise may become two different things in two rows. With 300 optimiser steps in place of 280 the flow made a fish of noise (a), and $v$ a
# house. Section 6 said that noise decides where a path ends, in all languages. That holds for perfect networks. These three have errors, and at an
# early stop a small error decides between two things.
#
# ### What a U-Net became
#
# Many models after 2022 have no U-Net. A **diffusion transformer** (DiT) does the same work with other parts (Peebles and Xie 2022). It cuts the
# picture into patches. Each patch becomes a token, as a piece of text did in lesson 6. Waves say where the patch lies, since attention itself
# knows no places. Then one kind of block comes again and again. In it every token looks at every other by self-attention, and a small network
# works on each token alone. There are no convolutions, no coarser resolutions and no skip connections from the way down to the way up.
#
# The timestep enters by **adaLN-Zero**. From $t$ each block makes a shift $b$, a scale $s$ and a gate $g$ for its attention, and three more for its
# small network. With the tokens $h$:
#
# $$h' = h + g \cdot \text{attention}\big((1+s)\cdot\text{norm}(h) + b\big) .$$
#
# All of them start at 0. So a new block hands its tokens on unchanged, and learns to do more. `s2i_teach/theory/dit.py` has the whole network.
#
# It learns the velocity of the four pictures, as the flow above did. Its number of weights differs from the U-Net's by less than 1 per cent. A step
# of it costs about half as much, so it gets twice as many steps.

# %%
ahead = predict(
    "U-Net or DiT, both learning the velocity: whose loss is lower?",
    {"after 180 optimiser steps each": ..., "after about the same seconds": ...},
    options=("U-Net", "DiT"),
)

# %%
torch.manual_seed(0)
dit, started = DiT(patch_size=4, width=84), time.perf_counter()
losses["DiT"] = []
for step in train_flow(dit, of_the_four, **settings | {"steps": 560}):
    losses["DiT"].append(step.loss)
networks["DiT"], seconds["DiT"] = step.averaged, time.perf_counter() - started

both = {"U-Net": "flow", "DiT": "DiT"}
for label, name in both.items():
    weights = sum(weight.numel() for weight in networks[name].parameters())
    print(f"{label:>5}: {weights:,} weights, {len(losses[name])} optimiser steps in {seconds[name]:.0f} s")
figure, alt = curves(
    torch.linspace(2.5, 100, 40),
    {label: torch.tensor(losses[name]).view(40, -1).mean(1) for label, name in both.items()},
    x_label="per cent of the training time",
    y_label="loss",
    title="As many weights, about the same seconds",
    log=True,
)
s2i.show(figure, alt=alt)
early = {label: sum(losses[name][130:180]) / 50 for label, name in both.items()}
late = {label: sum(losses[name][-50:]) / 50 for label, name in both.items()}
for label in both:
    print(f"{label:>5}: loss {early[label]:.2f} after 180 steps, {late[label]:.2f} at the end")
ahead.compare(dict(zip(ahead.answer, (min(loss, key=loss.get) for loss in (early, late)))))

# %% [markdown]
# Now their pictures. Two columns at the right ask something else: which pixels does the answer at *one* pixel depend on? They show the size of
# the derivative by each pixel of $x_t$, a mean over noises. Black is nothing, and the five largest are white.


# %%
def influence(network, t):
    """How far the answer at row 13, column 14 depends on each pixel: (3, 24, 24) in [−1, 1]."""
    x0 = four.repeat(8, 1, 1, 1)
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(3))
    x = flow_point(x0, noise, t).requires_grad_(True)
    answer = network(x, torch.full((len(x),), 1000 * t))[:, :, 13, 14].sum()
    [gradient] = torch.autograd.grad(answer, x)
    size = gradient.square().mean((0, 1)).sqrt()
    return 2 * (size / size.flatten().topk(5).values[-1]).clamp(max=1).expand(3, -1, -1) - 1


shown = {}
for label, name in both.items():
    for n in (4, 32):
        x = follow(velocity_of(networks[name]), z, torch.linspace(1, 0, n + 1))[-1]
        print(f"{label:>5}, {n:>2} steps: distance to the nearest picture {error(x):.3f}")
        shown |= {f"{label}, {n} ({letter})": x[i].clamp(-1, 1) for letter, i in (("a", 0), ("b", 2))}
    shown |= {f"{label}, t = {t}": influence(networks[name], t) for t in (0.3, 0.9)}
sheet, alt = picture_row(shown, side=96, columns=6)
s2i.show(sheet, alt=f"A row for each network: its pictures of two noises, then what one pixel depends on. {alt}")

# %% [markdown]
# By seconds the two curves nearly lie on each other, and the DiT ends a little lower. By steps the U-Net is far ahead. So the transformer needs more
# steps, and each is cheap: it works on 36 tokens where the U-Net's first block works on 576 pixels.
#
# The lower loss does not make the better pictures. The loss is a mean over all $t$, and a picture needs every one of them. In the DiT's house and
# mushroom, parts do not fit at the borders of patches. Do not take this for a law: with another seed, and with 600 optimiser steps
# against 300, the two networks came about equally near to the four.
#
# Why does a U-Net need fewer steps? Look at the maps for $t=0.3$. The U-Net's spot is round and soft. The answer depends on the neighbours, and less on
# those farther away. Nobody taught it that: convolutions look at neighbours, and skip connections carry every pixel past the coarse resolutions. The
# DiT's spot is a square with hard edges, the pixel's own patch. Beyond the edge the influence drops at once, since the patch next door is a token like
# any other. At $t=0.9$ both look farther around, the DiT in blocks. That neighbours belong together a transformer must learn, and it takes data and
# time to do so.
#
# Four pictures can be learned by heart, so they say little about large models. There Peebles and Xie found: the more arithmetic a DiT spends on a
# picture, by more blocks, wider tokens or smaller patches, the better are its pictures. They conclude that what is built into a U-Net is not
# crucial. Their data were ImageNet's, more than a million pictures.
#
# How do words come in? **MMDiT** sets the tokens of the text beside those of the picture (Esser et al. 2024). Text and picture have weights of their
# own: for the norms, for queries, keys and values, and for the small network. They meet in attention, where each token looks at all of both. In the
# cross-attention of lesson 6 the picture asked the words, and the words stayed what they were. Here the words change too, from block to block, and
# they read the picture. Stable Diffusion 3 is made of such blocks. FLUX.1 begins with them, and goes on with blocks in which both kinds of tokens share
# the weights.
#
# ## 9. Better steps
#
# An Euler step follows the curve along its slope *at the start*. The curve bends away, and the step misses it. Better steps look twice.
#
# ### σ notation
#
# Karras et al. (2022) write everything with $\alpha = 1$: $x = x_0 + \sigma\varepsilon$. A denoiser $D(x, \sigma)$ answers with
# $\hat x_0$. Then the slope is
#
# $$\frac{dx}{d\sigma} = \frac{x - D(x,\sigma)}{\sigma} = \hat\varepsilon .$$
#
# $x$ has another size at each $\sigma$, and a network learns more easily from numbers of one size. So the denoiser $D$ is more than the network $F$.
# **Preconditioning** gives $F$ an input of variance 1 and asks it for an answer of variance 1, whatever $\sigma$ is:
#
# $$D(x,\sigma) = c_{\text{skip}}\,x + c_{\text{out}}\,F(c_{\text{in}}\,x,\;c_{\text{noise}}) .$$
#
# The four factors follow from $\sigma$ and from the standard deviation of the data. $c_{\text{noise}}$ tells $F$ the noise level, as $t$ does in
# lesson 4.

# %%
generator = torch.Generator().manual_seed(0)
x0 = 0.5 * torch.randn(100_000, generator=generator)  # data of deviation 0.5
eps = torch.randn(100_000, generator=generator)
for sigma in (0.01, 0.5, 80.0):
    c_skip, c_out, c_in, _ = preconditioning(torch.tensor(sigma))
    x = x0 + sigma * eps
    wanted = (x0 - c_skip * x) / c_out  # what F must answer
    print(
        f"σ = {sigma:<5}: x has variance {x.var():9.3f}, F's input {(c_in * x).var():.3f}, "
        f"F's answer {wanted.var():.3f}, c_skip = {c_skip:.4f}"
    )

# %% [markdown]
# At small $\sigma$ nearly all of $x$ is handed on, and $F$ finds the noise. At large $\sigma$ nothing is handed on, and $F$ finds the picture. In between
# it answers a mixture, as $v$ does.
#
# ### Heun's step
#
# **Spot the bug.** Heun's step walks to the end of an Euler step and asks for the slope there. Then it comes back, and walks along the mean of both
# slopes. The cell below has the core of a bug that `HeunDiscreteScheduler` had until December 2022 (diffusers, pull request 1512). For a network that
# predicts $\varepsilon$ it did no harm. With $v$ the pictures were noisy. Find it before you run the cell.

# %%
harm = predict(
    "Compared with Euler's step, with the same number of steps, the step with the bug is…",
    answer=...,
    options=("better", "about equal", "worse"),
)


# %%
def heun_with_a_bug(denoise, x, sigma, sigma_next):
    here = (x - denoise(x, sigma)) / sigma
    end = x + (sigma_next - sigma) * here
    if sigma_next == 0:
        return end
    there = (end - denoise(end, sigma_next)) / sigma
    return x + (sigma_next - sigma) * (here + there) / 2


many = data.double()


def denoise(x, sigma):
    """The perfect denoiser: Tweedie's formula with your score."""
    return x + sigma**2 * mixture_score(x, many, sigma)


start = 5 * torch.randn(100, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
exact = heun(denoise, start, karras_sigmas(1001, 0.3, 5.0).tolist())


def off(solver, steps, **more):
    """How far a solver ends from the fine solution, on average, from σ = 5 down to 0.3."""
    end = solver(denoise, start, karras_sigmas(steps + 1, 0.3, 5.0).tolist(), **more)
    return (end - exact).norm(dim=1).mean().item()


for steps in (8, 32):
    print(f"{steps:>2} steps: Euler {off(euler, steps):.4f}, with the bug {off(heun, steps, step=heun_with_a_bug):.4f}")
ratio = off(heun, 32, step=heun_with_a_bug) / off(euler, 32)
harm.compare("better" if ratio < 0.8 else "worse" if ratio > 1.25 else "about equal")

# %% [markdown]
# It has twice the work of Euler's step and ends farther away. The second slope is divided by `sigma`, but there the noise is `sigma_next`. With a
# network for $v$ in 2022, the wrong $\sigma$ spoiled the guess $\hat x_0$ as well. Why did it do no harm with $\varepsilon$? There the library made
# $\hat x_0$ from $\hat\varepsilon$ with the wrong $\sigma$, and then divided by the same wrong $\sigma$: two errors that cancel.
#
# Write it rightly. `slope(denoise, x, sigma)` is the slope. `sigma` and `sigma_next` are numbers.


# %% tags=["exercise-heun_step"]
def heun_step(denoise, x, sigma, sigma_next):
    """Heun's step from sigma to sigma_next < sigma: (B, ...) → (B, ...). Where sigma_next is 0, Euler's step."""
    ...


# %%
lesson.heun_step.check(heun_step)
heun_step = lesson.heun_step.use(heun_step)

# %% [markdown]
# ### Half the step
#
# Make the steps half as long. If the error halves, the **order of a solver** is 1. If it falls to a quarter, the order is 2. On paper with two logarithmic axes
# the error is a straight line, and the order is how steeply it falls.
#
# A third solver joins in. **DPM-Solver++ (2M)** asks once per step, as Euler's does. It remembers the guess of the step before and continues it in a straight
# line (Lu et al. 2022). The error is measured against a solution in 1000 steps, with the exact score. So no network's error is mixed in.

# %%
orders = predict(
    "The order of each solver, 1 or 2?",
    {"Euler": ..., "Heun": ..., "Heun with the bug": ..., "DPM-Solver++ (2M)": ...},
)

# %%
numbers = [4, 8, 16, 32, 64]
lines = {
    "Euler": [off(euler, n) for n in numbers],
    "Heun": [off(heun, n, step=heun_step) for n in numbers],
    "Heun with the bug": [off(heun, n, step=heun_with_a_bug) for n in numbers],
    "DPM-Solver++ (2M)": [off(dpmpp_2m, n) for n in numbers],
}
figure, alt = curves(
    numbers,
    lines,
    x_label="number of steps",
    y_label="distance to the fine solution",
    title="Order of error",
    log=True,
    log_x=True,
)
s2i.show(figure, alt=alt)
measured = {name: round(torch.tensor(line[-2] / line[-1]).log2().item()) for name, line in lines.items()}
orders.compare(measured)
print("calls of the denoiser for an error below 0.01:")
for name, line in lines.items():
    calls = 2 if "Heun" in name else 1
    enough = next((f"{calls * n}" for n, e in zip(numbers, line) if e < 0.01), f"more than {calls * numbers[-1]}")
    print(f"{name:>18}: {enough}")

# %% [markdown]
# The bug costs a whole order. Heun's and DPM-Solver++'s lines are equally steep. But Heun's step costs two calls of the network, so count *calls*, not steps.
# This is why pipelines use DPM-Solver++ and its relatives.
#
# The order is a promise about *short* steps. With 4 steps it says little, and with a network, whose own error stays, ever better solvers gain
# nothing.
#
# ## 10. Think about it
#
# A vendor writes: "Our new model uses flow matching instead of diffusion, therefore it needs only 8 steps." Which three things could have changed?
# Which comparison would you ask for?

# %%
lesson.score()

# %% [markdown]
# ## Sources
#
# - Vincent, *A Connection Between Score Matching and Denoising Autoencoders*, Neural Computation, 2011.
# - Efron, *Tweedie's Formula and Selection Bias*, Journal of the American Statistical Association, 2011.
# - Song and Ermon, *Generative Modeling by Estimating Gradients of the Data Distribution*, 2019, arXiv 1907.05600: Langevin steps over many
#   noise levels.
# - Song, Meng and Ermon, *Denoising Diffusion Implicit Models*, 2020, arXiv 2010.02502.
# - Song et al., *Score-Based Generative Modeling through Stochastic Differential Equations*, 2020, arXiv 2011.13456: the SDE and the
#   probability-flow ODE.
# - Karras, Aittala, Aila and Laine, *Elucidating the Design Space of Diffusion-Based Generative Models*, 2022, arXiv 2206.00364: EDM.
# - Liu, Gong and Liu, *Flow Straight and Fast: Learning to Generate and Transfer Data with Rectified Flow*, 2022, arXiv 2209.03003.
# - Lipman et al., *Flow Matching for Generative Modeling*, 2022, arXiv 2210.02747.
# - Lu et al., *DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models*, 2022, arXiv 2211.01095.
# - Esser et al., *Scaling Rectified Flow Transformers for High-Resolution Image Synthesis*, 2024, arXiv 2403.03206: Stable Diffusion 3,
#   MMDiT.
# - Gao et al., *Diffusion Meets Flow Matching: Two Sides of the Same Coin*, a web page of 2024: DDIM is the flow's sampler.
# - Peebles and Xie, *Scalable Diffusion Models with Transformers*, 2022, arXiv 2212.09748: DiT and adaLN-Zero.
# - Black Forest Labs, github.com/black-forest-labs/flux, `src/flux/model.py`: the two kinds of blocks of FLUX.1.
# - The bugs: github.com/huggingface/diffusers, pull request 1512 (Heun) and issue 13243 (shift).
#
# **Next:** lesson 19, *Few steps*.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** First sitting: 20 minutes for section 1 with its exercise, 7 for section 2, 8 for Langevin, 10 for the two walks, 20 for section 5 with two
# exercises. Second sitting: 12 minutes for section 6, 8 for reflow, 12 for the pictures (they train for about a minute), 7 for the
# transformer, 20 for section 9. If you have one sitting only, take sections 1, 5, 6 and 9.
#
# **Typical mistakes.** In the score: the gradient of $p$ in place of $\log p$, which is the same without the division; $\sigma$ for $\sigma^2$. In `ode_step`:
# $\sigma$ for $\bar\sigma$. In `convert`: a rule for $v$ that holds for $\alpha^2+\sigma^2=1$ only. In Heun's step: the second slope at the old
# $\sigma$, or going on from the Euler point.
#
# **What to listen for.** "Flow matching has straight paths." The *training lines* are straight. Ask for the figure of section 6: what does the mean velocity do where
# two lines cross? "SDEs are better than ODEs." In what? The crowd is the same.
#
# **The proof of section 5.** It is short, and most readers skip it. Do it at the board, and ask where $\alpha^2+\sigma^2=1$ was used: in
# $\bar\sigma^2 = 1/\alpha^2 - 1$. For the other families the last paragraph does the work: the crowd of $\bar x$ depends on $\bar\sigma$ alone.
#
# **The open question.** The prediction (velocity or noise), the stops (shift), and distillation or reflow may all have changed, and so have data and size. A fair
# comparison takes one trained network and changes the stops and the solver, as sections 6 and 9 do, or trains two that differ in one thing, as section 8 does.
