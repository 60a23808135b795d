# %% [markdown]
# # Lesson 3. What the network predicts
#
# {{badge}}
#
# "The network predicts the noise, and we subtract it." You read this everywhere, and half of it is true. This lesson finds out which
# half. What can we ask a network for? Why is it the same answer in three forms? What would a perfect network say? And why is
# the noise taken away in many steps?
#
# | | |
# |---|---|
# | **You will** | turn a predicted noise into a predicted picture and back, build the perfect denoiser of a small data set, and see why denoising takes steps |
# | **Time** | about 50 minutes, four exercises |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |
#
# **You need:** lesson 2 (the leap to $x_t$, $\bar\alpha_t$, the noise level), PSNR of lesson 1, and the bell curve. Section 3 repeats
# Bayes' rule.

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import torch

from s2i_teach.lessons import predict
from s2i_teach.theory.forward import add_noise
from s2i_teach.theory.measure import psnr
from s2i_teach.theory.plane import heart, mean_distance
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
# $$x_t = \sqrt{\bar\alpha_t}\;x_0 + \sqrt{1-\bar\alpha_t}\;\varepsilon.$$
#
# $x_0$ is the picture, $\varepsilon$ the noise, and $\bar\alpha_t$ the share of the picture's variance that is left.
# Suppose that someone knows $\varepsilon$ exactly.
#
# **Spot the bug.** Here the noise is subtracted, just as that sentence says.


# %%
def take_it_away(x_t, eps):
    return x_t - eps


# %% [markdown]
# **Predict first:** what will be left?

# %%
left = predict(
    "What is left?",
    answer={"t = 100": ..., "t = 900": ...},
    options=("the clean owl", "an owl with the negative of the noise", "a faint owl"),
)


# %%
def parts(picture):
    """How much of the owl and how much of the noise is in a picture: two factors, by least squares."""
    both = torch.stack([owl.flatten(), eps.flatten()], 1)
    return torch.linalg.lstsq(both, picture.flatten()[:, None]).solution.flatten().tolist()


row, result = {}, {}
for t in [100, 500, 900]:
    x_t = add_noise(owl, eps, alpha_bar, torch.tensor([t]))
    after = take_it_away(x_t, eps)
    row |= {f"x at t = {t}": x_t[0], f"minus ε, t = {t}": after[0]}
    of_owl, of_noise = parts(after)
    print(f"t = {t}: left are {of_owl:.2f} of the owl and {of_noise:+.2f} of the noise")
    result[f"t = {t}"] = (
        "an owl with the negative of the noise"
        if of_noise < -0.1
        else "a faint owl"
        if of_owl < 0.9
        else "the clean owl"
    )
sheet, alt = picture_row(row)
s2i.show(sheet, alt=f"Noisy owls, and each less all of its noise. {alt}")
left.compare({name: result[name] for name in left.answer})

# %% [markdown]
# Every time the two factors of the formula were forgotten. Solve the equation for $x_0$ instead (Ho et al.
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
# the noise. We mark a guess by a hat: $\hat\varepsilon$ is the guessed noise, and $\hat x_0$ the guessed picture. What is a guess worth?
#
# ## 2. Three ways to ask
#
# If you know $x_t$ and the noise, you know the picture. If you know $x_t$ and the picture, you know the noise. So a network can be
# trained to predict one of three things:
#
# - the **noise** $\varepsilon$, as Stable Diffusion 1 does. diffusers calls this `"epsilon"`.
# - the **picture** $x_0$. diffusers calls this `"sample"`.
# - the **velocity** $v$, a mixture of both that you will derive in a moment (Salimans and Ho 2022). Stable Diffusion 2 for 768 pixels
#   and the miniature of this course do so. diffusers calls this `"v_prediction"`.
#
# Where does $v$ come from? The squares of the two factors of $x_t$ add up to 1. So there is an angle $\varphi$ with
# $\cos\varphi = \sqrt{\bar\alpha_t}$ and $\sin\varphi = \sqrt{1-\bar\alpha_t}$, and
#
# $$x_t = \cos\varphi\;x_0 + \sin\varphi\;\varepsilon.$$
#
# At $\varphi = 0$ this is the picture, at $\varphi = 90°$ it is the noise. In between $x_t$ moves on a quarter of an ellipse. Its
# velocity on this way is $v = \mathrm{d}x_t / \mathrm{d}\varphi$. Differentiate $x_t$ by $\varphi$, and write the result with
# $\bar\alpha_t$ again. `a ** 0.5` is the root of `a`, for a number as for a tensor.


# %% tags=["exercise-v_from_x0_and_eps"]
def v_from_x0_and_eps(x0, eps, a):
    """The velocity: all (B, ...); a is alpha_bar at t."""
    ...


# %%
lesson.v_from_x0_and_eps.check(v_from_x0_and_eps)
v_from_x0_and_eps = lesson.v_from_x0_and_eps.use(v_from_x0_and_eps)

# %% [markdown]
# And back, from $x_t$ and $v$ to the picture: you have two equations, one for $x_t$ and one for $v$. Combine them so that
# $\varepsilon$ cancels.


# %% tags=["exercise-x0_from_v"]
def x0_from_v(x_t, v, a):
    """The picture, from x_t and the velocity: all (B, ...); a is alpha_bar at t."""
    ...


# %%
lesson.x0_from_v.check(x0_from_v)
x0_from_v = lesson.x0_from_v.use(x0_from_v)

# %% [markdown]
# If all three say the same, why does it matter what the network is asked for? Because its answer is never exact. Suppose that each
# answer is wrong by 0.1 in every pixel, whatever we ask for.
#
# **Predict first:** where is the picture that follows from a wrong $\hat\varepsilon$ worst?

# %%
worst = predict(
    "An error of 0.1 in ε hurts the picture most at:",
    answer=...,
    options=("small t", "the middle", "large t"),
)

# %%
wrong_by = 0.1
zero = torch.zeros(1)
t = torch.arange(1000)
errors = {
    "asked for ε": x0_from_eps(zero, zero + wrong_by, alpha_bar).abs(),
    "asked for x0": torch.full((1000,), wrong_by),
    "asked for v": x0_from_v(zero, zero + wrong_by, alpha_bar).abs(),
}
figure, alt = curves(
    t,
    errors,
    x_label="timestep t",
    y_label="error of the guessed picture",
    title="What an error of 0.1 in the answer does to x̂0",
    log=True,
)
s2i.show(figure, alt=alt)
place = int(errors["asked for ε"].argmax())
factor = errors["asked for ε"][place].item() / wrong_by
print(f"at t = {place} an error in ε becomes {factor:.1f} times as large in x̂0")
worst.compare(
    "small t" if place < 333 else "the middle" if place < 667 else "large t"
)

# %% [markdown]
# The figures also work backwards: at large $t$ a picture that is quite wrong makes only a small error in $\varepsilon$. A network that is
# trained on the error of $\varepsilon$ has little reason to get the picture right there. Lesson 4 makes a formula of this. In a real
# network the error is not the same at all $t$, and lesson 4 measures it.
#
# The makers of this course have seen it happen. The miniature's first network was asked for $\varepsilon$. It never learned which shape
# belongs to which word. Then they trained two networks from nothing, side by side, with 1,371 updates each and everything else
# equal. The table shows the mean squared error of the guessed picture $\hat x_0$, whatever the network was asked for. These pictures are
# compressed ones, as section 5 explains. A network that always answers 0 would have an error of about 1:
#
# | asked for | $t = 700$ | $t = 900$ | $t = 990$ |
# |---|---|---|---|
# | $\varepsilon$ | 0.43 | 0.86 | 1.19 |
# | $v$ | 0.40 | 0.73 | 0.83 |
#
# ## 3. What would a perfect network say?
#
# Let the data be $N$ points $y_1 … y_N$, each as likely as the others. We see $x_t$ and know $t$. Which $x_0$ was it? We know the
# opposite direction: how likely $y_i$ becomes just this $x_t$. **Bayes' rule** turns one into the other. Write $p(x_t \mid y_i)$ for the
# probability density of $x_t$ if the picture was $y_i$. Then the probability that it was $y_i$ is
#
# $$w_i = p(y_i \mid x_t) = \frac{p(x_t \mid y_i)}{\sum_j p(x_t \mid y_j)}.$$
#
# The rule also has the factors $p(y_i)$. They are all equal here and cancel.
#
# What is $p(x_t \mid y_i)$? Look at the formula for $x_t$ in section 1, with $y_i$ in the place of $x_0$: $\varepsilon$ is normal, so $x_t$
# is normal too. Which mean does it have, and which variance? A normal density with mean $m$ and variance $s^2$ in each
# coordinate is $\exp\!\big(-\lVert x-m\rVert^2 / (2 s^2)\big)$ times a number that does not depend on $m$. Put the pieces together
# and write the **weights** $w_i$.
#
# One warning: for distant points every $\exp$ is 0 in a computer, and 0 divided by 0 is no number. `torch.softmax(s, dim=1)` divides
# each $\exp(s_i)$ by the sum of all of them without that trouble.


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
# And which single guess $g$ is best? Measured by the mean squared error, $\sum_i w_i \lVert g - y_i\rVert^2$, it is where the derivative
# $2\sum_i w_i\,(g - y_i)$ is 0, that is at the weighted mean:
#
# $$\hat x_0 = \sum_i w_i\,y_i = \mathbb E[x_0 \mid x_t].$$
#
# This is the **conditional mean**: the mean of all pictures that it might have been, given $x_t$. **The smallest squared error is
# the error of the conditional mean.** No network can do better on these data (Karras et al. 2022, appendix B.3). We call a network that
# always answers with it the **perfect denoiser**.
#
# Our data are forty points on the outline of a heart. They lie in the plane, where we can see everything.
# **Predict first:** where does the perfect denoiser's guess lie at $t = 800$?

# %%
place = predict(
    "At t = 800 the perfect guesses lie:",
    answer=...,
    options=("on the outline", "inside, near the middle", "all over the plane"),
)


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
outline = heart(2000)  # so dense that the nearest point is the distance from the outline
for name, panel in panels.items():
    guess = panel["perfect guess x̂0"]
    from_middle = (guess - data.mean(0)).norm(dim=1).mean().item()
    print(
        f"{name}: on average {mean_distance(guess, outline):.2f} from the outline, "
        f"{from_middle:.2f} from the middle"
    )
# the last panel is t = 800
off, size = mean_distance(guess, outline), (data - data.mean(0)).norm(dim=1).mean().item()
print(f"the data themselves: {size:.2f} from the middle")
place.compare(
    "on the outline"
    if off < 0.1
    else "inside, near the middle"
    if from_middle < 0.5 * size
    else "all over the plane"
)

# %% [markdown]
# Read the panels from left to right. With little noise the guess lies on the outline or close to it: it is a mean of a few neighbours.
# With more noise it lies where no data are at all, *inside* the heart: it is the mean of all the points that it might have been. With
# much noise it hardly depends on $x_t$ any more. This is no weakness of a network, for this denoiser is perfect. The question has no
# better answer.
#
# **Turn the knob.** At which $t$ do the guesses leave the outline?

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
s2i.interact(look, t=slider)

# %% [markdown]
# ## 4. Why not all the noise in one go?
#
# Now you can answer. From pure noise one single step gives the mean of all data: the middle of the heart, or a blur instead of a picture.
# So take a small step towards the guess, and ask again. After the step the noise level is lower. Then the weights are large for fewer
# points, and the next guess is a mean over fewer of them. Here is the whole walk with the perfect denoiser and the step of a method
# called DDIM (Song et al. 2020). Each step keeps the guessed noise and puts it back on the guessed picture, but less of it. Lesson 5
# builds this step and looks at why it is right. Until then, trust it.
#
# **Predict first:** 200 points start as pure noise. What percentage of them ends closer than 0.1 to the outline? An answer within 15
# percentage points counts as right.

# %%
arrive = predict(
    "Percent of the points that end on the outline",
    answer={"2 steps": ..., "5 steps": ..., "50 steps": ...},
)


# %%
def walk(x, times):
    """From noise to data: (B, 2) at the first of the times → (B, 2), and all the guesses on the way."""
    guesses = []
    for now, then in zip(times, [*times[1:], None]):
        x0 = ideal_x0(x, data, alpha_bar[now].item())
        guesses.append(x0)
        guessed_eps = (x - alpha_bar[now].sqrt() * x0) / (1 - alpha_bar[now]).sqrt()
        # after the last step comes the clean picture: its ᾱ is 1 and stands in no list
        a = alpha_bar[then] if then is not None else torch.tensor(1.0)
        x = a.sqrt() * x0 + (1 - a).sqrt() * guessed_eps
    return x, guesses


pure_noise = torch.randn(200, 2, generator=torch.Generator().manual_seed(2))
panels, on_outline = {}, {}
for steps in [1, 2, 5, 50]:
    times = torch.linspace(999, 0, steps + 1)[:-1].round().long().tolist()
    end, name = walk(pure_noise, times)[0], f"{steps} step{'s' if steps > 1 else ''}"
    panels[name] = {"noise": pure_noise, "end": end}
    near = torch.cdist(end, outline).min(1).values < 0.1
    on_outline[name] = 100 * near.float().mean().item()
figure, alt = scatter(panels, size=2.6)
s2i.show(figure, alt=alt)
arrive.compare({name: on_outline[name] for name in arrive.answer}, unit="%", within=15)

# %% [markdown]
# With many small steps the points come to the outline, although every guess on the way was a mean.
#
# **Your playground.** Here you can play with three hundred points and your own perfect denoiser. Press play: the points
# turn to noise and come back.
#
# - Tick *Guesses x̂₀* and drag the time. Where are the guesses when the points are noise? When do they find the outline?
# - The **score** is an arrow at each place of the plane. It points where the density of $x_t$ grows fastest. One can show that it is the
#   guessed noise with a minus, divided by the noise level: $-\hat\varepsilon / \sqrt{1-\bar\alpha_t}$. Tick *Score field*. Which way do the
#   arrows point far outside? Which way do they point near the outline at small $t$?
# - Draw a shape of your own. What do you expect of the guesses at $t = 999$?
# - Train a network on your shape. Its loss is the error that training makes smaller (lesson 4). Can the loss come below that of the
#   perfect denoiser? Where do some of the network's points end, but none of the perfect denoiser's?

# %%
s2i.Playground(ideal_x0=ideal_x0)

# %% [markdown]
# At $t = 999$ all guesses lie near the middle of the data, whatever was drawn. The network never saw the formula. It saw only
# noisy points and the noise in them, and still its guesses come close. Apart from chance its loss stays above the perfect
# denoiser's, which is the smallest that there is on these data. Set 100 steps: the perfect one's points end *on* the data. The
# network's points end near them, and some end where no data are. Section 6 asks what such errors are good for.
#
# ## 5. The same with pictures
#
# The miniature is no perfect denoiser, but it tries to answer the same question. It does not work on pixels. A second network, the **VAE**
# (variational autoencoder), turns a picture into a small tensor, the **latent**, and a latent back into a picture. Lesson 7 is
# about it. For now, take a latent as a picture of 16 × 16 pixels with four channels in place of three.
#
# We put noise on the owl's latent, ask the U-Net once, and turn its answer into a picture. The competitor is what one can do without
# a network: blur the same noisy latent. We try several widths of the blur and take the one with the best PSNR.
#
# **Predict first:** at which $t$ is the network's lead over the best blur largest, in dB?

# %%
times = [100, 300, 500, 700, 900]
lead_at = predict(
    "The network's lead over the blur is largest at:",
    answer=...,
    options=[f"t = {t}" for t in times],
)

# %%
import torch.nn.functional as F

pipe = s2i.load_pipeline("mini", device="cpu", dtype="fp32")
text = pipe.encode_prompt("an owl, noto style", pipe.device, 1, False)[0]
scale = pipe.vae.config.scaling_factor  # brings latents near variance 1, lesson 7
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


row, lead = {}, {}
for t in times:
    z_t = add_noise(z0, z_eps, alpha_bar, torch.tensor([t]))
    blurs = [
        decode(blur(z_t / alpha_bar[t].sqrt(), sigma))
        for sigma in (0.3, 0.5, 0.7, 1, 1.5, 2.5, 4)
    ]
    best = max(blurs, key=lambda picture: psnr(picture, owl).item())
    guess = decode(ask_once(z_t, t))
    of_blur, of_unet = psnr(best, owl).item(), psnr(guess, owl).item()
    lead[f"t = {t}"] = of_unet - of_blur
    row |= {
        f"noisy, t = {t}": decode(z_t)[0],
        f"best blur: {of_blur:.1f} dB": best[0],
        f"U-Net: {of_unet:.1f} dB": guess[0],
    }
sheet, alt = picture_row(row, columns=3)
s2i.show(
    sheet,
    alt=f"Left: the noisy owl. Middle: the best blur. Right: the guess of the U-Net. {alt}",
)
print("lead in dB:", {name: round(decibels, 1) for name, decibels in lead.items()})
lead_at.compare(max(lead, key=lead.get))

# %% [markdown]
# A blur knows nothing about owls: it averages neighbours. The network has learned from *pictures*, and the words help it. It
# puts edges back that the noise had destroyed. At large $t$ it cannot know which owl it was, of what size, and
# where. It answers with something like the mean of all owls. This is the heart again, with 1,024 dimensions in place of two. Its lead
# over the blur may be largest there all the same: with so much noise even the mean over many places is mostly noise, so the blur has
# nothing to show.
#
# So what is true of the first sentence? The network predicts *all* of the noise at every step, or something that amounts to it. The step
# then mixes the guessed picture and the guessed noise again, with the factors of the next, lower noise level. Written out,
# this does subtract a multiple of the guessed noise. But the multiple is another one at each $t$, and $x_t$ itself is enlarged as
# well. Lesson 5 derives both for a second kind of step.
#
# ## 6. Think about it
#
# Run the perfect denoiser of section 3 with more and more steps, down to no noise at all. It ends on points of the data: it can copy
# and nothing else. Networks trained on the same data make new pictures. Which of their *errors* make this possible?
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
# **Pacing.** 10 minutes for section 1, 15 for section 2 (draw the circle of the two factors), 15 for section 3, 10 for the walk and the
# pictures.
#
# **Typical mistakes.** Subtracting ε without its factor. Forgetting to divide by √ᾱ. The sign of v. In the weights: the
# distance to $y_i$ in place of √ᾱ · $y_i$, and the softmax over the batch.
#
# **Section 3.** Let them say in words what $p(x_t \mid y_i)$ is before they type: "If the point was $y_i$, where is $x_t$ on average, and
# how far does it scatter?"
#
# **What to listen for.** "The network removes a bit of noise." Ask what it is *asked for*: all of it. The step is small, not the answer.
#
# **The open question.** A network that reached the minimum of its loss would be the perfect denoiser, and could only copy. It
# generalises because it cannot reach it: convolutions see small parts of a picture and are the same everywhere, so they mix parts of
# different pictures. Let them look for such mixtures in the miniature's pictures.
