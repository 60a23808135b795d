# %% [markdown]
# # Lesson 2. The noise schedule and the forward process
#
# {{badge}}
#
# A diffusion model learns to undo what we do to pictures on purpose: bury them under noise, step by step. This lesson is
# about the burying. It needs no network, two formulas carry it, and one of them is wrong in more than one published
# course. By the end you can add the noise of a thousand steps in one.
#
# | | |
# |---|---|
# | **You will** | build a noise schedule, add noise one step at a time and in one leap, and prove that both agree |
# | **Time** | about 40 minutes, five exercises |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import torch

from s2i_teach.images import fit_to, to_tensor
from s2i_teach.theory.forward import per_picture
from s2i_teach.theory.schedule import cosine_betas, linear_betas
from s2i_teach.widgets.figures import curves, histogram, picture_row

lesson = s2i.lesson(2)
sketches = {s.name: s for s in s2i.sketches()}
x0 = to_tensor(fit_to(sketches["owl"].open(), (64, 64)))[None]  # (1, 3, 64, 64) in [-1, 1]
x0.shape

# %% [markdown]
# Each exercise below is a function to write. Its check tells you whether it is right, and if not, what is wrong.
# `lesson.add_noise.hint()` gives a hint, again and again a plainer one; `lesson.add_noise.solution()` shows the answer,
# which is the library's own code.
#
# ## 1. One step
#
# Step $t$ of the forward process takes the picture $x_{t-1}$ and gives the slightly noisier $x_t$
# (Ho, Jain and Abbeel 2020, equation 2):
#
# $$x_t = \sqrt{1-\beta_t}\;x_{t-1} + \sqrt{\beta_t}\;\varepsilon, \qquad \varepsilon \sim \mathcal N(0, I).$$
#
# $\beta_t$, a small number between 0 and 1, is the **variance** of the noise that this step adds; $\varepsilon$ is fresh
# noise of variance 1, as large as the picture, one number for every pixel and channel. The first factor shrinks the
# picture a little.
#
# **Spot the bug.** Somebody has written one step down and then run 200 of them. Here is the code, and how the variance of
# the result develops if we start with numbers of variance 1.
#
# **Predict first:** what should the variance be after one step, if $x_{t-1}$ has variance 1? And after 200 steps?


# %%
def one_step_with_a_bug(x_prev, eps, betas, t):
    beta = per_picture(
        betas, t, x_prev
    )  # β of each picture's own step, shaped for multiplying
    return (1 - beta).sqrt() * x_prev + beta * eps


def variances(step, betas, points=20_000):
    """The variance after each step of a chain that starts with variance 1."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(points, generator=generator)
    found = []
    for t in range(len(betas)):
        eps = torch.randn(points, generator=generator)
        x = step(x, eps, betas, torch.full((points,), t))
        found.append(x.var().item())
    return found


betas = torch.linspace(0.001, 0.04, 200)
found = variances(one_step_with_a_bug, betas)
figure, alt = curves(
    range(1, 201),
    {"variance": found},
    x_label="steps",
    y_label="variance of x",
    title="With the bug",
)
figure.axes[0].set_ylim(0, 1.2)
s2i.show(figure, alt=alt)

# %% [markdown]
# The variance should stay 1: a step takes the share $\beta$ of it away from the picture and gives it to the noise. Here
# nearly everything dies out. Write the step as it should be.


# %% tags=["exercise-add_noise_one_step"]
def add_noise_one_step(x_prev, eps, betas, t):
    """One step: x_prev and eps are (B, ...), betas is (T,), t is (B,), the step of each picture."""
    ...


# %%
lesson.add_noise_one_step.check(add_noise_one_step)
add_noise_one_step = lesson.add_noise_one_step.use(add_noise_one_step)

# %%
found = variances(add_noise_one_step, betas)
figure, alt = curves(
    range(1, 201),
    {"variance": found},
    x_label="steps",
    y_label="variance of x",
    title="As it should be",
)
figure.axes[0].set_ylim(0, 1.2)
s2i.show(figure, alt=alt)

# %% [markdown]
# `lesson.….use(…)` keeps your function if it is right and takes the library's otherwise, so that you can always go on.
#
# ## 2. The schedule
#
# Which $\beta$ at which step? Three schedules are common, here all with $T = 1000$ steps:
#
# - **linear** (DDPM 2020): $\beta$ rises in equal steps from 0.0001 to 0.02.
# - **scaled linear** (Stable Diffusion): $\sqrt\beta$ rises in equal steps, from $\sqrt{0.00085}$ to $\sqrt{0.012}$.
# - **cosine** (Nichol and Dhariwal 2021): the $\beta$ are chosen so that what is left of the picture falls like a squared
#   cosine. (Its authors trained with $T = 4000$.)
#
# The thesis's parameter `diffusion_steps = 1000` is this $T$. It belongs to the training: nothing that you set when you
# make a picture changes it.


# %% tags=["exercise-scaled_linear_betas"]
def scaled_linear_betas(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012):
    """The β of Stable Diffusion's schedule, a tensor (T,)."""
    ...


# %%
lesson.scaled_linear_betas.check(scaled_linear_betas)
scaled_linear_betas = lesson.scaled_linear_betas.use(scaled_linear_betas)

# %% [markdown]
# What is left of the picture after one step is the share $\alpha_t = 1 - \beta_t$ of its variance, and after $t$ steps the
# product of all of them, $\bar\alpha_t = \alpha_1 \alpha_2 \cdots \alpha_t$ ("alpha bar").


# %% tags=["exercise-alphas_cumprod"]
def alphas_cumprod(betas):
    """ᾱ at every step: (T,) → (T,)."""
    ...


# %%
lesson.alphas_cumprod.check(alphas_cumprod)
alphas_cumprod = lesson.alphas_cumprod.use(alphas_cumprod)

# %% [markdown]
# **Predict first:** which of the three schedules destroys the picture fastest? Which one leaves something of it at the
# last step?

# %%
schedules = {
    "linear": linear_betas(),
    "scaled linear": scaled_linear_betas(),
    "cosine": cosine_betas(),
}
figure, alt = curves(
    range(1000),
    {name: alphas_cumprod(betas) for name, betas in schedules.items()},
    x_label="timestep t",
    y_label="ᾱ",
    title="What is left of the picture's variance",
)
s2i.show(figure, alt=alt)
for name, betas in schedules.items():
    left = alphas_cumprod(betas)[-1].sqrt().item()
    print(f"{name}: at the last step {left:.2%} of the picture's amplitude is left")

# %% [markdown]
# Stable Diffusion's schedule leaves almost 7 % of the amplitude at its last step. That sounds like nothing, but the
# brightness of a whole page survives it: the network learns that the last step is never quite noise. Section 6 comes back
# to it.
#
# ## 3. All the steps in one leap
#
# Many small Gaussian steps are one large one. Put the formula of one step into itself and collect: with a single
# $\varepsilon$ (Ho et al. 2020, equation 4)
#
# $$x_t = \sqrt{\bar\alpha_t}\;x_0 + \sqrt{1-\bar\alpha_t}\;\varepsilon.$$
#
# Nothing else in this course is used as often: every training step of DDPM and of Stable Diffusion 1 and 2 begins with this line.
# Other families put other factors before $x_0$ and $\varepsilon$. Rectified flow (Stable Diffusion 3, FLUX) takes
# $(1-t)\,x_0 + t\,\varepsilon$, and EDM takes $x_0 + \sigma\varepsilon$.


# %% tags=["exercise-add_noise"]
def add_noise(x0, eps, alpha_bar, t):
    """x_t in one leap: x0 and eps are (B, ...), alpha_bar is (T,), t is (B,)."""
    ...


# %%
lesson.add_noise.check(add_noise)
add_noise = lesson.add_noise.use(add_noise)

# %%
alpha_bar = alphas_cumprod(scaled_linear_betas())
eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
times = [0, 100, 250, 500, 750, 999]
row = {f"t = {t}": add_noise(x0, eps, alpha_bar, torch.tensor([t]))[0] for t in times}
sheet, alt = picture_row(row)
s2i.show(sheet, alt=f"An owl under more and more noise. {alt}")

# %% [markdown]
# ## 4. The proof that both are the same
#
# A formula is believed when it is tested. Take 20,000 numbers, all equal to 2, and send them through 200 single steps.
# The closed form says what must come out: the mean $2\sqrt{\bar\alpha_T}$ and the variance $1-\bar\alpha_T$.
#
# **Predict first:** would the buggy step of section 1 pass this test?


# %%
def end_of_chain(step, betas, start=2.0, points=20_000):
    """Mean and variance after all the steps."""
    generator = torch.Generator().manual_seed(1)
    x = torch.full((points,), start)
    for t in range(len(betas)):
        eps = torch.randn(points, generator=generator)
        x = step(x, eps, betas, torch.full((points,), t))
    return x.mean().item(), x.var().item()


betas = torch.linspace(0.001, 0.02, 200)
last = alphas_cumprod(betas)[-1]
print(f"closed form:  mean {2 * last.sqrt():.3f}, variance {1 - last:.3f}")
for name, step in {
    "your step": add_noise_one_step,
    "with the bug": one_step_with_a_bug,
}.items():
    mean, variance = end_of_chain(step, betas)
    print(f"{name + ':':13} mean {mean:.3f}, variance {variance:.3f}")

# %% [markdown]
# The mean alone would not have shown the bug; the variance does, at once. A test must look at what can be wrong.
#
# ## 5. Turn the knob
#
# The signal-to-noise ratio (SNR) tells how deep the picture is buried, in one number: the picture's variance over the
# noise's.


# %% tags=["exercise-signal_to_noise_ratio"]
def signal_to_noise_ratio(alpha_bar):
    """SNR from ᾱ, of any shape."""
    ...


# %%
lesson.signal_to_noise_ratio.check(signal_to_noise_ratio)
signal_to_noise_ratio = lesson.signal_to_noise_ratio.use(signal_to_noise_ratio)

# %% [markdown]
# **Predict first:** at which $t$ are picture and noise equally strong? Then drag.

# %%
import ipywidgets


def look(t):
    x_t = add_noise(x0, eps, alpha_bar, torch.tensor([t]))
    snr = signal_to_noise_ratio(alpha_bar)[t].item()
    print(f"t = {t}: √ᾱ = {alpha_bar[t].sqrt():.3f}, SNR = {snr:.3g}")
    sheet, alt = picture_row(
        {"x0": x0[0], f"x at t = {t}": x_t[0], "the noise in it": eps[0] / 3}
    )
    s2i.show(sheet, alt=alt)
    figure, alt = histogram(
        {"x0": x0, "x_t": x_t, "noise": eps}, x_label="value of a pixel"
    )
    s2i.show(figure, alt=alt)


slider = ipywidgets.IntSlider(
    250, min=0, max=999, step=1, description="t", continuous_update=False
)
_ = ipywidgets.interact(look, t=slider)

# %% [markdown]
# At the start the histogram has two peaks, ink at −1 and paper at 1. At the end it is the bell of the noise, whatever the
# picture was: that is why a model can *start* from noise and end at any picture.
#
# The picture is in there longer than the eye believes. At $t = 500$ the SNR is below one half, and yet you still see the
# owl; a network sees more than you.
#
# ## 6. Think about it
#
# With Stable Diffusion's schedule the last step still holds 7 % of the picture's amplitude, but when we make a picture
# from words alone, we start from pure noise, which holds none. What will the model believe about the brightness of the
# picture it is asked to make? Lin et al. (2023) found what went wrong, and `s2i_teach.theory.schedule` has their remedy,
# `rescale_zero_terminal_snr`. Plot its $\bar\alpha$ beside the others.
#
# ## Sources
#
# - Ho, Jain and Abbeel, *Denoising Diffusion Probabilistic Models*, 2020, arXiv 2006.11239: the forward process.
# - Nichol and Dhariwal, *Improved Denoising Diffusion Probabilistic Models*, 2021, arXiv 2102.09672: the cosine schedule.
# - Lin, Liu, Li and Yang, *Common Diffusion Noise Schedules and Sample Steps are Flawed*, 2023, arXiv 2305.08891.
#
# **Next:** lesson 3, *What the network predicts*: the noise, the picture, or something in between.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** 10 minutes for section 1, of which 5 belong to the question *what is wrong here?* asked into the room before
# anybody types; 10 for section 2; 10 for sections 3 and 4; 10 for the slider and the open question.
#
# **Typical mistakes** that the checks know by name: noise multiplied by its variance (published, and found again in many
# notebooks), picture and noise with their places changed, the roots left out, the first picture's `t` used for the whole
# batch, ᾱ taken one step too early. A student who gets "every picture gets the first one's t" has met broadcasting, not
# diffusion: show `per_picture`.
#
# **What to listen for.** "β is how much noise": how much *variance*. The root is the whole lesson.
#
# **The open question.** The model has learned that the brightness of the page leaks through at the last step. Pure noise
# has mean 0, so it believes the page is of middle brightness: very dark and very bright pictures come out grey.
