# %% [markdown]
# # Lesson 2. The noise schedule and the forward process
#
# {{badge}}
#
# A diffusion model learns to undo what we do to pictures on purpose: we bury them under noise, step by step. This lesson is
# about the burying. It needs no network, only two formulas. In one of them a square root is easily forgotten, and you will see what
# happens then. By the end you can add the noise of a thousand steps in one.
#
# | | |
# |---|---|
# | **You will** | build a noise schedule, add noise one step at a time and in one leap, derive a leap from any step to any other, and test it |
# | **Time** | about 45 minutes, five exercises |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |
#
# **You need:** lesson 1 (tensors, pictures from −1 to 1, noise, seeds). From statistics you need mean and variance, and one rule: the
# variances of independent numbers add up.

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import torch

from s2i_teach.images import fit_to, to_tensor
from s2i_teach.lessons import predict
from s2i_teach.theory.forward import per_picture
from s2i_teach.theory.schedule import cosine_betas, linear_betas, signal_to_noise_ratio
from s2i_teach.widgets.figures import curves, histogram, picture_row

lesson = s2i.lesson(2)
sketches = {s.name: s for s in s2i.sketches()}
x0 = to_tensor(fit_to(sketches["owl"].open(), (64, 64)))[None]  # (1, 3, 64, 64) in [-1, 1]
x0.shape

# %% [markdown]
# The shape is $(B, C, H, W)$: a **batch** of $B$ pictures, here of one. `lesson.add_noise.hint()` gives a hint to the exercise
# `add_noise`, and `lesson.add_noise.solution()` shows its answer.
#
# ## 1. One step
#
# The **forward process** is a chain of steps. $x_0$ is the clean picture. Step $t$ takes $x_{t-1}$ and gives the slightly noisier $x_t$
# (Ho, Jain and Abbeel 2020, equation 2):
#
# $$x_t = \sqrt{1-\beta_t}\;x_{t-1} + \sqrt{\beta_t}\;\varepsilon, \qquad \varepsilon \sim \mathcal N(0, I).$$
#
# $\beta_t$ ("beta") is a small number between 0 and 1. It is the **variance** of the noise that step $t$ adds. $\varepsilon$ is fresh
# noise, one number per pixel and channel. The first factor shrinks the picture a little.
#
# **Spot the bug.** Somebody has written one step down and then run 200 of them, from numbers of variance 1.


# %%
def one_step_with_a_bug(x_prev, eps, betas, t):
    # β of each picture's own step, in a shape that can be multiplied with the pictures
    beta = per_picture(betas, t, x_prev)
    return (1 - beta).sqrt() * x_prev + beta * eps


# %% [markdown]
# **Predict first:** what becomes of the variance under this code?

# %%
shrinking = predict(
    "After 200 steps with the bug the variance is:",
    answer=...,
    options=("nearly 0", "about 1", "larger than 2"),
)


# %%
def variances(step, betas, points=20_000):
    """The variance after each step of a chain that starts with variance 1."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(points, generator=generator)
    after = []
    for t in range(len(betas)):
        eps = torch.randn(points, generator=generator)
        x = step(x, eps, betas, torch.full((points,), t))
        after.append(x.var().item())
    return after


def plot_variances(after, title):
    figure, alt = curves(
        range(1, 201),
        {"variance": after},
        x_label="steps",
        y_label="variance of x",
        title=title,
    )
    figure.axes[0].set_ylim(0, 1.2)
    s2i.show(figure, alt=alt)


betas = torch.linspace(0.001, 0.04, 200)
with_the_bug = variances(one_step_with_a_bug, betas)
plot_variances(with_the_bug, "With the bug")
last = with_the_bug[-1]
shrinking.compare(
    "nearly 0" if last < 0.1 else "larger than 2" if last > 2 else "about 1"
)

# %% [markdown]
# The variance should stay 1: a step takes the share $\beta$ of it away from the picture and gives it to the noise. With the bug
# the picture gets smaller and too little noise takes its place. Write the step as it should be.


# %% tags=["exercise-add_noise_one_step"]
def add_noise_one_step(x_prev, eps, betas, t):
    """One step: x_prev and eps are (B, ...), betas is (T,), t is (B,), the step of each picture."""
    ...


# %%
lesson.add_noise_one_step.check(add_noise_one_step)
add_noise_one_step = lesson.add_noise_one_step.use(add_noise_one_step)

# %%
plot_variances(variances(add_noise_one_step, betas), "As it should be")

# %% [markdown]
# ## 2. The schedule
#
# Which $\beta$ at which step? The list of all $T$ of them is the **noise schedule**. Three schedules are common, here all with
# $T = 1000$ steps:
#
# - **linear** (Ho et al. 2020): $\beta$ rises in equal steps from 0.0001 to 0.02.
# - **scaled linear** (Stable Diffusion): $\sqrt\beta$ rises in equal steps, from $\sqrt{0.00085}$ to $\sqrt{0.012}$.
# - **cosine** (Nichol and Dhariwal 2021): the $\beta$ are chosen so that what is left of the picture falls like a squared
#   cosine. Its authors trained with $T = 4000$.
#
# $T$ counts the **training steps of the schedule**. It is fixed when a model is trained. Scripts of guided-diffusion call it
# `diffusion_steps`. Nothing that you set when you make a picture changes it. How many of these steps a run *visits* is another
# number, and lesson 5 is about it.


# %% tags=["exercise-scaled_linear_betas"]
def scaled_linear_betas(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012):
    """The β of Stable Diffusion's schedule, a tensor (T,)."""
    ...


# %%
lesson.scaled_linear_betas.check(scaled_linear_betas)
scaled_linear_betas = lesson.scaled_linear_betas.use(scaled_linear_betas)

# %% [markdown]
# One step leaves the share $\alpha_t = 1 - \beta_t$ of the picture's variance. After $t$ steps the product of all these shares is left:
# $\bar\alpha_t = \alpha_1 \alpha_2 \cdots \alpha_t$, said **alpha bar**.


# %% tags=["exercise-alphas_cumprod"]
def alphas_cumprod(betas):
    """ᾱ at every step: (T,) → (T,)."""
    ...


# %%
lesson.alphas_cumprod.check(alphas_cumprod)
alphas_cumprod = lesson.alphas_cumprod.use(alphas_cumprod)

# %% [markdown]
# **How we count.** The paper counts steps from 1: $x_0$ is clean, $x_1$ has had one step, and $\bar\alpha_1 = \alpha_1$. A list in
# Python counts from 0. So `alpha_bar[0]` is the paper's $\bar\alpha_1$, and `alpha_bar[999]` is its $\bar\alpha_{1000}$.
#
# From here on we do as diffusers and nearly all code does: the **timestep** $t$ is the *index* in this list, $t = 0, \dots, T-1$, and
# $\bar\alpha_t$ is `alpha_bar[t]`. Two things follow:
#
# - **$t = 0$ is already a little noisy.** One step has been done.
# - The clean picture has $\bar\alpha = 1$, and this 1 stands nowhere in the list. If code needs "the step before $t = 0$", it must
#   put the 1 there itself. `alpha_bar[-1]` is no help: in Python this is the *last* element.
#
# The clean picture keeps its name $x_0$. With our counting it is the picture *before* $t = 0$.

# %%
alpha_bar = alphas_cumprod(scaled_linear_betas())
print(f"the list has {len(alpha_bar)} elements, t = 0 to {len(alpha_bar) - 1}")
for t in (0, 1, 500, 999):
    print(
        f"alpha_bar[{t}] = {alpha_bar[t]:.5f}: the paper's ᾱ after {t + 1} step{'s'[:t]}"
    )

# %% [markdown]
# **Predict first:** which schedule is the first to take half of the picture's variance? Which one leaves most of the picture at the last
# step?

# %%
names = ("linear", "scaled linear", "cosine")
which = predict(
    "Which schedule?",
    answer={"the first at one half": ..., "the most left at the end": ...},
    options=names,
)

# %%
schedules = dict(zip(names, [linear_betas(), scaled_linear_betas(), cosine_betas()]))
shares = {name: alphas_cumprod(betas) for name, betas in schedules.items()}
figure, alt = curves(
    range(1000),
    shares,
    x_label="timestep t",
    y_label="ᾱ",
    title="What is left of the picture's variance",
)
s2i.show(figure, alt=alt)
half = {name: int((share < 0.5).nonzero()[0]) for name, share in shares.items()}
for name, share in shares.items():
    print(
        f"{name}: below one half from t = {half[name]} on; "
        f"at the last step {share[-1].sqrt():.2%} of the picture's amplitude is left"
    )
which.compare(
    {
        "the first at one half": min(half, key=half.get),
        "the most left at the end": max(shares, key=lambda name: shares[name][-1]),
    }
)

# %% [markdown]
# The **amplitude** is the square root of the variance: it is the factor $\sqrt{\bar\alpha_t}$ by which the picture is multiplied.
# Stable Diffusion's schedule leaves several percent of it at the last step. That sounds like nothing. But it is enough to show how
# bright a whole page is, so the network learns that the last step is never quite noise. Section 6 comes back to it.
#
# ## 3. All the steps in one leap
#
# Many small steps are one large one. Take two of them (the paper's counting), and put the first into the second:
#
# $$x_2 = \sqrt{\alpha_2}\,\big(\sqrt{\alpha_1}\,x_0 + \sqrt{1-\alpha_1}\,\varepsilon_1\big) + \sqrt{1-\alpha_2}\,\varepsilon_2.$$
#
# The picture has the factor $\sqrt{\alpha_1\alpha_2}$. The two noises are independent, so their variances add up:
# $\alpha_2(1-\alpha_1) + (1-\alpha_2) = 1 - \alpha_1\alpha_2$. And the sum of two independent normal numbers is normal. So a single
# $\varepsilon$ does the work of both. After any number of steps (Ho et al. 2020, equation 4):
#
# $$x_t = \sqrt{\bar\alpha_t}\;x_0 + \sqrt{1-\bar\alpha_t}\;\varepsilon.$$
#
# We call $\sqrt{1-\bar\alpha_t}$ the **noise level**: it is the standard deviation of the noise in $x_t$.
#
# No other line is used as often in this course. Every step of the training of Stable Diffusion 1 and 2 begins with it.
# Other families put other factors before $x_0$ and $\varepsilon$. Rectified flow (Stable Diffusion 3, FLUX) takes
# $(1-t)\,x_0 + t\,\varepsilon$ with $t$ from 0 to 1, and EDM takes $x_0 + \sigma\varepsilon$ with a noise level $\sigma$.


# %% tags=["exercise-add_noise"]
def add_noise(x0, eps, alpha_bar, t):
    """x_t in one leap: x0 and eps are (B, ...), alpha_bar is (T,), t is (B,)."""
    ...


# %%
lesson.add_noise.check(add_noise)
add_noise = lesson.add_noise.use(add_noise)

# %%
eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
times = [0, 100, 250, 500, 750, 999]
row = {f"t = {t}": add_noise(x0, eps, alpha_bar, torch.tensor([t]))[0] for t in times}
sheet, alt = picture_row(row)
s2i.show(sheet, alt=f"An owl under more and more noise. {alt}")

# %% [markdown]
# **Does the variance stay 1?** Only if the picture's own variance is 1. In general the variance of $x_t$ is
# $\bar\alpha_t \cdot \mathrm{Var}(x_0) + (1 - \bar\alpha_t)$. Is our owl such a picture?

# %%
own = x0.var().item()
print(f"the owl's variance: {own:.3f}")
for t in times:
    x_t = add_noise(x0, eps, alpha_bar, torch.tensor([t]))
    expected = alpha_bar[t] * own + (1 - alpha_bar[t])
    print(f"t = {t}: variance of x_t {x_t.var():.3f}, by the formula {expected:.3f}")

# %% [markdown]
# It is not. Pictures from −1 to 1 never have a variance above 1, and most have much less. So $x_t$ gets wider on its way to the noise.
# The formulas stay right. Only the sentence "the variance stays 1" needs data of variance 1. Lesson 7 meets a
# number that is there to bring data to this variance.
#
# ## 4. From any step to any other
#
# The single step goes from $t-1$ to $t$. The leap goes from the clean picture to $t$. Both are special cases: a leap can start at
# any timestep $s$ before $t$, from an $x_s$ that is already noisy. Derive its two factors yourself. Section 3 shows the way, and the
# paragraph *How we count* says what the clean picture needs.


# %% tags=["exercise-add_noise_from"]
def add_noise_from(x_s, eps, alpha_bar, s, t):
    """x_t from x_s, with one fresh eps: s < t are plain whole numbers, s = -1 is the clean picture."""
    ...


# %%
lesson.add_noise_from.check(add_noise_from)
add_noise_from = lesson.add_noise_from.use(add_noise_from)

# %% [markdown]
# Believe a formula when it has passed a test. Take 20,000 numbers, all equal to 2, and send them to the last of 200 steps in four ways: by
# single steps, by the single steps with the bug, by one leap, and by two leaps. The closed form says what must come
# out: the mean $2\sqrt{\bar\alpha}$ and the variance $1-\bar\alpha$.
#
# **Predict first:** which of the two numbers shows the bug?

# %%
shown_by = predict(
    "The bug shows in:", answer=..., options=("the mean", "the variance", "both")
)

# %%
betas = torch.linspace(0.001, 0.02, 200)
short = alphas_cumprod(betas)
generator = torch.Generator().manual_seed(1)
start = torch.full((20_000,), 2.0)


def fresh():
    return torch.randn(start.shape, generator=generator)


def single_steps(step):
    x = start
    for t in range(len(betas)):
        x = step(x, fresh(), betas, torch.full((len(x),), t))
    return x


ends = {
    "single steps": single_steps(add_noise_one_step),
    "with the bug": single_steps(one_step_with_a_bug),
    "one leap": add_noise_from(start, fresh(), short, -1, 199),
    "two leaps": add_noise_from(
        add_noise_from(start, fresh(), short, -1, 120), fresh(), short, 120, 199
    ),
}
mean, variance = 2 * short[-1].sqrt().item(), 1 - short[-1].item()
print(f"closed form:  mean {mean:.3f}, variance {variance:.3f}")
for name, x in ends.items():
    print(f"{name + ':':13} mean {x.mean():.3f}, variance {x.var():.3f}")
off = {
    "the mean": abs(ends["with the bug"].mean().item() - mean) > 0.05,
    "the variance": abs(ends["with the bug"].var().item() - variance) > 0.05,
}
shown_by.compare("both" if all(off.values()) else max(off, key=off.get))

# %% [markdown]
# The bug sits in the factor of the noise, and noise has the mean 0. A test of the mean alone would never have found it. A test must
# look at what can be wrong.
#
# ## 5. Turn the knob
#
# The **signal-to-noise ratio**, SNR, tells in one number how deep the picture is buried. It compares the two variances in the leap:
# $\mathrm{SNR}_t = \bar\alpha_t / (1-\bar\alpha_t)$. The picture counts with variance 1 here, whatever its own variance is.
#
# **Predict first:** at which $t$ is the SNR 1, so that picture and noise are equally strong? Within 50 counts as right.

# %%
equal = predict("Picture and noise are equally strong at t =", answer=...)

# %%
snr = signal_to_noise_ratio(alpha_bar)
figure, alt = curves(
    range(1000), {"SNR": snr}, x_label="timestep t", y_label="SNR", log=True
)
s2i.show(figure, alt=alt)
equal.compare(int((snr - 1).abs().argmin()), within=50)

# %% [markdown]
# Now drag.

# %%
import ipywidgets


def look(t):
    x_t = add_noise(x0, eps, alpha_bar, torch.tensor([t]))
    level = (1 - alpha_bar[t]).sqrt()
    print(
        f"t = {t}: √ᾱ = {alpha_bar[t].sqrt():.3f}, noise level {level:.3f}, SNR = {snr[t]:.3g}"
    )
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
s2i.interact(look, t=slider)

# %% [markdown]
# At small $t$ the histogram has two peaks, ink at −1 and paper at 1. At the end it is almost the bell of the noise, whatever the
# picture was. That is why a model can *start* from noise and end at any picture.
#
# Go to $t = 500$. The noise is stronger than the picture there. Do you still see the owl? The picture is in there longer
# than one would expect from the SNR, since all pixels of a line say the same. A network can use even more of it than you.
#
# ## 6. Think about it
#
# With Stable Diffusion's schedule the last step still holds some of the picture's amplitude; section 2 printed how much. But when we
# make a picture from words alone, we start from pure noise, which holds none. What will the model believe about the brightness of the
# picture that it is asked to make? Lin et al. (2023) found what went wrong. Their remedy is `rescale_zero_terminal_snr` in
# `s2i_teach.theory.schedule`. It takes a list of $\beta$ and gives a new one, and `alphas_cumprod` makes $\bar\alpha$ of it. Plot it beside the others.
#
# ## Sources
#
# - Ho, Jain and Abbeel, *Denoising Diffusion Probabilistic Models* (DDPM), 2020, arXiv 2006.11239: the forward process.
# - Nichol and Dhariwal, *Improved Denoising Diffusion Probabilistic Models*, 2021, arXiv 2102.09672: the cosine schedule.
# - Kingma, Salimans, Poole and Ho, *Variational Diffusion Models*, 2021, arXiv 2107.00630: the SNR, and the leap from any step.
# - Lin, Liu, Li and Yang, *Common Diffusion Noise Schedules and Sample Steps are Flawed*, 2023, arXiv 2305.08891.
#
# **Next:** lesson 3, *What the network predicts*: the noise, the picture, or something in between.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** 10 minutes for section 1, and 5 of them belong to the question *what is wrong here?*, asked before
# anybody types. 12 minutes for section 2, 8 for section 3, 8 for section 4, 7 for the slider and the open question.
#
# **Typical mistakes** that the checks know by name: noise multiplied by its variance, picture and noise exchanged, the roots left
# out, the first picture's `t` used for the whole batch, ᾱ taken one step too early, `alpha_bar[-1]` for the clean picture. A student
# who gets "every picture gets the first one's t" has a problem with broadcasting, not with diffusion: show `per_picture`.
#
# **What to listen for.** "β is how much noise": how much *variance*. The root is the whole lesson. And "t = 0 is the clean
# picture": it is the picture after one step.
#
# **Section 4.** Those who are stuck should write $x_t$ and $x_s$ as leaps from $x_0$ and ask: by what must the picture's factor in
# $x_s$ be multiplied to give its factor in $x_t$? The variance of the fresh noise is then what is missing to $1-\bar\alpha_t$.
#
# **The open question.** The model has learned that some of the page's brightness is still there at the last step. Pure noise
# has mean 0, so the model believes that the page is of middle brightness. Very dark and very bright pictures come out grey.
