# %% [markdown]
# # Lesson 21. Editing
#
# {{badge}}
#
# You have a picture, and you like most of it. Only one thing should change. So far every run began with noise, and a new prompt gave a
# new picture. In this lesson you walk a picture back to its noise, repaint a part of it, and change a word while the rest stays.
#
# | | |
# |---|---|
# | **You will** | invert DDIM and measure its error, take the error away by asking again, spot a published bug, edit with other words, write a mask in latents and a blend, repaint a part on a pad and look at the seams, exchange attention maps, and compare three ways in which a model reads a picture; five checked exercises |
# | **Time** | two sittings: 55 minutes for sections 1 to 5, two exercises; 60 minutes for sections 6 to 10, three exercises |
# | **You need** | the noise levels of lesson 2, the steps of lesson 5, attention and guidance of lesson 6, latents of lesson 7, the start in the middle of lesson 8; for section 9 also the zero convolution of lesson 14 and the tokens of lesson 18 |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
from collections.abc import Callable  # the library's lines name this
from functools import cache

import numpy as np
import torch
from PIL import Image, ImageDraw

from s2i_teach.gallery import find_sketch
from s2i_teach.lessons import predict
from s2i_teach.lessons.editing import guesser, latents_of, pictures_of, places_of, side_by_side, tokens_of
from s2i_teach.models.attention_maps import recorded_attention
from s2i_teach.models.kinds import encode_text
from s2i_teach.theory.inpaint import inpaint
from s2i_teach.theory.inversion import ddim_down, gaussian_eps, gaussian_path
from s2i_teach.theory.measure import max_difference
from s2i_teach.theory.prediction import x0_from_eps
from s2i_teach.theory.sampler import ddim_step, spaced_timesteps
from s2i_teach.translation.repaint import open_mask
from s2i_teach.widgets.figures import curves, filmstrip, latent_picture, picture_row

torch.set_num_threads(1)  # the miniature is too small for two
lesson = s2i.lesson(21)
pipe = s2i.load_pipeline("mini", device="cpu", dtype="fp32")
led = s2i.load_pipeline("mini-scribble", device="cpu", dtype="fp32")
alpha_bar = pipe.scheduler.alphas_cumprod
final = alpha_bar[0].item()  # where Stable Diffusion's DDIM ends

turtle, owl, cactus = (
    s2i.translate(find_sketch(name), prompt, pipe=led, seed=0).image
    for name, prompt in (("turtle", "a turtle, openmoji style"), ("owl", "an owl, openmoji style"), ("cactus", "a cactus, noto style"))
)
sheet, alt = picture_row({"turtle": turtle, "owl": owl, "cactus": cactus}, side=128)
s2i.show(sheet, alt=f"The pictures of this lesson, made from sketches. {alt}")

# %% [markdown]
# **Yours instead.** Any square picture will do: `turtle = s2i.open_sketch("mine.png", (128, 128))`. The prompts below then need your words.
#
# # First sitting: back to the noise
#
# ## 1. The path has two directions
#
# At $\eta = 0$ DDIM adds no fresh noise. The same noise always gives the same picture. So the way from noise to picture is a path, and a path
# can be walked in both directions. Walking it from the picture to the noise is called **DDIM inversion**, or inversion for short.
#
# Why would you want that? The noise at the end is a start that leads to *your* picture. Start there with another prompt, and much of
# your picture stays.
#
# One step up is the step of lesson 5, with the two levels exchanged. You stand at $\bar\alpha$ = `a`, and you go to `a_next`, which is
# smaller: there is more noise.


# %% tags=["exercise-ddim_inverse_step"]
def ddim_inverse_step(x, eps, a, a_next):
    """One step of DDIM towards the noise, from ᾱ = a to a_next < a. Tensors (B, ...)."""
    ...


# %%
lesson.ddim_inverse_step.check(ddim_inverse_step)
ddim_inverse_step = lesson.ddim_inverse_step.use(ddim_inverse_step)

# %%
x, eps = torch.randn(2, 1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
up = ddim_inverse_step(x, eps, 0.8, 0.3)
print(f"Up and down again with the same ε: off by {max_difference(ddim_step(up, eps, 0.3, 0.8), x):.1e}.")

# %% [markdown]
# With the same $\varepsilon$, up and down cancel. The catch is that you do not have this $\varepsilon$. Let $y$ be the noisier point of a
# step and $x$ the cleaner one. On the way down the network is asked at $y$. On the way up you stand at $x$, and $y$ is what you look for.
# You cannot ask at a place where you have not been. So the plain way asks at $x$, and takes the answer for the one at $y$. It names the
# timestep of $y$, as the way down does. `DDIMInverseScheduler` of diffusers does the same.
#
# ## 2. How wrong is it?
#
# First with a perfect network. If the data are Gaussian, a formula gives the best guess of the noise. Another formula gives the exact path,
# that of infinitely many steps. Take numbers with mean 0.7 and standard deviation 0.5, invert them, and walk back. The figure has two errors:
# how far the noise is from the exact path, and how far you come back from where you began.

# %%
halves = predict("Twice as many steps make the error of going there and back…", answer=..., options=("as large", "half as large", "a quarter as large"))


# %%
def perfect(x, t):
    return gaussian_eps(x, 0.7, 0.5, alpha_bar[t].item())


def invert(x, predict_eps, times, final=1.0, rounds=0):
    """From the picture up to the noise, with your steps; the last x."""
    a = final
    for t in reversed(times):
        x = step_up(x, predict_eps, t, a, alpha_bar[t].item(), rounds)
        a = alpha_bar[t].item()
    return x


def step_up(x, predict_eps, t, a, a_next, rounds):
    return ddim_inverse_step(x, predict_eps(x, t), a, a_next)  # plain: asked at x


numbers = 0.7 + 0.5 * torch.randn(1, 500, generator=torch.Generator().manual_seed(0))
counts, there, back = (10, 20, 40, 80, 160), [], []
for steps in counts:
    times = spaced_timesteps(steps, spacing="trailing")
    noise = invert(numbers, perfect, times)
    there.append(max_difference(noise, gaussian_path(numbers, 0.7, 0.5, 1.0, alpha_bar[times[0]].item())))
    back.append(max_difference(ddim_down(noise, perfect, alpha_bar, times)[-1], numbers))
figure, alt = curves(
    counts, {"noise, against the exact path": there, "there and back": back}, x_label="steps", y_label="largest error",
    title="Inversion with a perfect network", log=True, log_x=True,
)
s2i.show(figure, alt=alt)
ratio = back[-2] / back[-1]
halves.compare("as large" if ratio < 1.4 else "half as large" if ratio < 2.8 else "a quarter as large")

# %% [markdown]
# The network is perfect, and you do not come back to where you began. The only cause is that you asked at the wrong place. Look at the line of
# there and back: DDIM is a method of first order, as you may know from lesson 18. Half the step gives half the error. The other line also has
# the error of the long steps themselves. It comes near this rule only with many steps.
#
# Now the miniature with a real picture. `guesser` gives you `predict_eps(x, t)` for a prompt, with guidance in it. The error is the length of
# the difference, divided by the length of the latents.

# %%
guided = predict("With guidance 4 on both ways, the error is… without guidance", answer=..., options=("smaller than", "about as large as", "larger than"))

# %%
z = latents_of(pipe, turtle)
words = "a turtle, openmoji style"


@cache  # what was computed once is kept
def there_and_back(z, prompt, steps, guidance_scale, rounds):
    """The noise, the latents that come back, and how far off they are, as a share."""
    times = spaced_timesteps(steps, offset=1)
    predict_eps = guesser(pipe, prompt, guidance_scale)
    noise = invert(z, predict_eps, times, final, rounds)
    again = ddim_down(noise, predict_eps, alpha_bar, times, final)[-1]
    return noise, again, ((again - z).norm() / z.norm()).item()


counts = (5, 10, 20)
errors = {f"guidance {g:g}": [there_and_back(z, words, steps, g, 0)[2] for steps in counts] for g in (1.0, 4.0)}
figure, alt = curves(counts, errors, x_label="steps", y_label="error, there and back", title="Inversion with the miniature", log_x=True)
s2i.show(figure, alt=alt)
larger = np.mean(errors["guidance 4"]) / np.mean(errors["guidance 1"])
guided.compare("smaller than" if larger < 0.9 else "about as large as" if larger <= 1.1 else "larger than")

# %% [markdown]
# Guidance multiplies the difference of two guesses. It multiplies their change from $x$ to $y$ as well. So the wrong place costs more.
# With guidance more steps need not help: look at the line of guidance 4.
#
# Is what comes out noise at all? Noise has standard deviation 1 everywhere. Compare the places where the paper is empty with those of the turtle.

# %%
noise, again, _ = there_and_back(z, words, 20, 1.0, 0)
fresh = torch.randn(noise.shape, generator=torch.Generator().manual_seed(0))
ink = torch.from_numpy(np.asarray(turtle.convert("L")).copy() < 220)
paper = ~ink.unfold(0, 8, 8).unfold(1, 8, 8).any(-1).any(-1)  # (16, 16): no ink in the block
for name, x in (("inverted", noise), ("fresh noise", fresh)):
    print(f"{name:>11}: standard deviation {x[0][:, ~paper].std():.2f} on the turtle, {x[0][:, paper].std():.2f} on the paper")
sheet, alt = picture_row(
    {"picture": turtle, "inverted": latent_picture(noise[0]), "fresh noise": latent_picture(fresh[0]), "back again": pictures_of(pipe, again)[0]}, side=128
)
s2i.show(sheet, alt=f"A picture, the noise that inversion finds for it, fresh noise, and the picture that comes back. {alt}")

# %% [markdown]
# It is not quite noise. The shape of your picture is still in it: empty paper gives quieter noise. Keep this in mind for section 5.
#
# ## 3. Ask again
#
# The wanted point $y$ solves an equation: $y = \text{up}(x, \hat\varepsilon(y))$. Here up is your step from section 1. You can evaluate the right
# side for any $y$. So take the $y$ of the plain way, evaluate, and put the result in again. Each time the step begins at $x$. This is called a
# **fixed-point iteration**. Pan et al. (2023) and Garibi et al. (2024) use it for inversion.


# %% tags=["exercise-solved_inverse_step"]
def solved_inverse_step(x, predict_eps, t, a, a_next, rounds=0):
    """The step up to timestep t, its ε̂ asked for again `rounds` times where it has led. 0 rounds: asked at x alone."""
    ...


# %%
lesson.solved_inverse_step.check(solved_inverse_step)
solved_inverse_step = lesson.solved_inverse_step.use(solved_inverse_step)

# %%
helps = predict(
    "Ten steps: do four rounds bring the error below a tenth of what it is without rounds?",
    answer={"guidance 1": ..., "guidance 4": ...},
    options=("yes", "no"),
)

# %%
step_up = solved_inverse_step
tries = (0, 2, 4)
errors = {f"guidance {g:g}": [there_and_back(z, words, 10, g, rounds)[2] for rounds in tries] for g in (1.0, 4.0)}
figure, alt = curves(tries, errors, x_label="rounds", y_label="error, there and back", title="Ten steps, asked again", log=True)
figure.axes[0].set_xticks(tries)
s2i.show(figure, alt=alt)
helps.compare({name: "yes" if line[-1] < 0.1 * line[0] else "no" for name, line in errors.items()})

# %% [markdown]
# Without guidance the rounds take nearly all of the error away. Each round costs an evaluation per step. Compare with the figure of section 2:
# twenty plain steps are forty evaluations, there and back. Ten steps with four rounds are sixty, and their error is far smaller.
#
# With guidance 4 the rounds do not come to rest here. A round helps only if the answer changes less than the question did. Guidance makes the network's answers
# change more, and long steps make them count more. Shorter steps cure it: with 40 steps, four rounds leave an error below 0.01 at guidance 4. Less guidance
# helps as well: at guidance 2 ten steps are enough. This is why most editing methods invert without guidance.
#
# ## 4. Spot the bug
#
# Below is the core of an inversion that was published with Stable Diffusion 2, shortened and with our names. In March 2023
# pull request 226 of that repository said what is wrong. Nobody has merged it. Read the code, and decide what is wrong before you run on.

# %%
bug = predict("What is wrong?", answer=..., options=("the levels", "the timestep", "the sign of the noise"))

# %%
def encode(x, predict_eps, times, final):
    timesteps = times[::-1]  # from little noise to much
    levels = [final, *alpha_bar[torch.tensor(timesteps)].tolist()]
    for i in range(len(timesteps)):
        eps = predict_eps(x, i)
        x = (levels[i + 1] / levels[i]) ** 0.5 * x + levels[i + 1] ** 0.5 * (
            (1 / levels[i + 1] - 1) ** 0.5 - (1 / levels[i] - 1) ** 0.5
        ) * eps
    return x


times = spaced_timesteps(20, offset=1)
predict_eps = guesser(pipe, words)
wrong = encode(z, predict_eps, times, final)
right, right_again, _ = there_and_back(z, words, 20, 1.0, 0)
rows = {"picture": turtle}
for name, noise, again in (
    ("published", wrong, ddim_down(wrong, predict_eps, alpha_bar, times, final)[-1]),
    ("plain", right, right_again),
):
    print(f"{name:>9}: standard deviation of the noise {noise.std():.2f}, error there and back {(again - z).norm() / z.norm():.2f}")
    rows[f"{name}: noise"], rows[f"{name}: back"] = latent_picture(noise[0]), pictures_of(pipe, again)[0]
sheet, alt = picture_row(rows, side=128)
s2i.show(sheet, alt=f"What the published inversion finds and what comes back, beside the plain one. {alt}")
bug.compare("the timestep")

# %% [markdown]
# The network is asked with `i`, the number of the step, in place of `timesteps[i]`. It is told 0, 1, 2 and so on up to 19, while the latents stand at up to
# timestep 951. So it takes noisy latents for nearly clean ones all the way. Nothing crashes, since both are whole numbers. What comes out even looks more
# like noise than what the right code finds: its standard deviation is nearer to 1.
#
# A round trip finds such a bug in seconds. It is the test to write first for anything that claims to be an inverse.
#
# ## 5. The same start, other words
#
# Now edit. Invert with the words of the picture and without guidance. Then walk down with other words and some guidance. For a control, walk
# down with the same words from fresh noise.

# %%
keeps = predict("Which keep more of the picture's outline?", answer=..., options=("those from inverted noise", "those from fresh noise", "neither"))

# %%
def edited(picture, source, targets, guidance_scale=2.0, steps=16):
    """Pictures for other words from the picture's own noise, and from fresh noise."""
    times = spaced_timesteps(steps, offset=1)
    own = invert(latents_of(pipe, picture), guesser(pipe, source), times, final, rounds=2)
    other = torch.randn(own.shape, generator=torch.Generator().manual_seed(0))
    made = []
    for noise in (own, other):
        ends = ddim_down(noise.repeat(len(targets), 1, 1, 1), guesser(pipe, targets, guidance_scale), alpha_bar, times, final)[-1]
        made.append(pictures_of(pipe, ends))
    return made


def inked(picture):
    return torch.tensor(np.asarray(picture.convert("L")) < 220)


def overlap(one, other):
    """Of all pixels that either of two pictures covers, the share that both cover."""
    return ((inked(one) & inked(other)).sum() / (inked(one) | inked(other)).sum()).item()


shares = {"inverted": [], "fresh": []}
for picture, name, targets in ((turtle, "a turtle", ["a crab", "a bear"]), (owl, "an owl", ["a penguin", "a chick"])):
    style = ", openmoji style"
    own, other = edited(picture, name + style, [target + style for target in targets])
    row = {name: picture}
    for target, one, two in zip(targets, own, other):
        row |= {f"{target}, inverted": one, f"{target}, fresh": two}
        shares["inverted"].append(overlap(picture, one))
        shares["fresh"].append(overlap(picture, two))
    sheet, alt = picture_row(row, side=128)
    s2i.show(sheet, alt=f"Another animal from the picture's own noise and from fresh noise. {alt}")
for name, values in shares.items():
    print(f"{name:>9}: overlap with the picture {np.mean(values):.2f}")
gap = np.mean(shares["inverted"]) - np.mean(shares["fresh"])
keeps.compare("those from inverted noise" if gap > 0.1 else "those from fresh noise" if gap < -0.1 else "neither")

# %% [markdown]
# Little of the outline comes over with the noise here: some from the owl, hardly any from the turtle. The colour comes from the words. What the
# thing *is* comes mostly from the words as well. Fresh noise has some overlap as well: the
# miniature puts nearly everything in the middle. But you cannot say what shall stay. If a part must stay to the pixel, you need a mask.
#
# # Second sitting: a part, a word
#
# ## 6. A mask
#
# Some part of a picture is to be drawn anew, and the rest must stay. This is called **inpainting**. There are models that learned it.
# But it works with any model, by a trick that needs no training.
#
# The rest is known. So its noisy version is known at every level: add noise, as in lesson 2. Let the network draw the whole picture. After each
# step put the known part back, as noisy as the rest is now. At the next step the network sees a picture in which the known part is right, and
# fits its own part to it.
#
# The steps run in latents, so the mask must get there too. One place of the latents stands for a block of 8 × 8 pixels. The small mask is 1
# there if *any* pixel of the block is marked, and 0 otherwise.


# %% tags=["exercise-mask_to_latents"]
def mask_to_latents(mask, factor=8):
    """A mask (B, 1, H, W) in [0, 1], marked from 0.5 on → (B, 1, H / factor, W / factor) of 0 and 1."""
    ...


# %%
lesson.mask_to_latents.check(mask_to_latents)
mask_to_latents = lesson.mask_to_latents.use(mask_to_latents)

# %%
lost = predict("A line is 5 pixels wide. diffusers looks at one pixel of each 8 × 8. How many percent of the touched blocks does it lose?", answer=...)

# %%
page = Image.new("L", (128, 128))
ImageDraw.Draw(page).line([(14, 100), (60, 30), (115, 90)], fill=255, width=5)
mask = torch.from_numpy(np.asarray(page) / np.float32(255))[None, None]
ours = mask_to_latents(mask)
theirs = torch.nn.functional.interpolate(mask, size=(16, 16))  # the line of diffusers' inpainting pipelines
sheet, alt = picture_row(
    {
        "the mask": page,
        "any pixel": Image.fromarray((ours[0, 0].numpy() * 255).astype(np.uint8)).resize((128, 128), 0),
        "one pixel of each block": Image.fromarray((theirs[0, 0].numpy() * 255).astype(np.uint8)).resize((128, 128), 0),
    },
    side=128,
)
s2i.show(sheet, alt=f"A thin mask, and what of it arrives in the latents. {alt}")
lost.compare(100 * (1 - (theirs[ours == 1] >= 0.5).float().mean().item()), "%", within=15)

# %% [markdown]
# Now the heart of it. `x` is what the step has made, `known` the clean latents of the picture, `mask` is 1 where the picture is drawn anew. `a` is
# $\bar\alpha$ at the level that `x` **has come to**.


# %% tags=["exercise-blend"]
def blend(x, known, mask, noise, a):
    """The known part put back into x, as noisy as x is. mask is (B, 1, H, W), all others (B, C, H, W)."""
    ...


# %%
lesson.blend.check(blend)
blend = lesson.blend.use(blend)

# %% [markdown]
# Which level is a famous trap. diffusers once noised the known part to the level *before* the step (issue 3730, June 2023). So the known part was
# always one step too noisy, and the network was told otherwise. Pull request 3749 repaired it.
#
# The whole loop is short. Here it is for a cactus that is to bloom.

# %%
flower = Image.new("L", (128, 128))
ImageDraw.Draw(flower).ellipse([24, 0, 104, 44], fill=255)


def marked(picture, mask):
    """The picture with its mask in red."""
    return Image.composite(Image.blend(picture, Image.new("RGB", picture.size, (200, 0, 60)), 0.5), picture, mask)


def repaint_by_hand(picture, mask, prompt, seed, steps=20, guidance_scale=5.0):
    times = spaced_timesteps(steps, offset=1)
    known = latents_of(pipe, picture)
    blocks = mask_to_latents(torch.from_numpy(np.asarray(mask) / np.float32(255))[None, None])
    predict_eps = guesser(pipe, prompt, guidance_scale)
    noise = torch.randn(known.shape, generator=torch.Generator().manual_seed(seed))
    x, levels = noise, [*alpha_bar[torch.tensor(times)].tolist(), 1.0]
    for i, t in enumerate(times):
        x = ddim_step(x, predict_eps(x, t), levels[i], levels[i + 1] if i < steps - 1 else final)
        x = blend(x, known, blocks, noise, levels[i + 1])
    return x, known, blocks


row = {"the picture": cactus, "the mask": marked(cactus, flower)}
for seed in range(3):
    x, known, blocks = repaint_by_hand(cactus, flower, "a rose, noto style", seed)
    row[f"seed {seed}"] = pictures_of(pipe, x)[0]
sheet, alt = picture_row(row, side=128)
s2i.show(sheet, alt=f"The marked part of a cactus is drawn anew as a rose. {alt}")
print(f"Outside the mask the latents differ by {max_difference(x * (1 - blocks), known * (1 - blocks))}.")

# %% [markdown]
# ### Going back up
#
# At each step the known part is put in from outside. The network had no say in it. So the two parts may not fit, above all at the start, when both are nearly
# noise. RePaint (Lugmayr et al. 2022) gives the network more chances. After some steps down it adds fresh noise, so that the picture is some levels
# higher again. From there it comes down once more. Three times down cost three times the evaluations. The library's `inpaint` has it.

# %%
row = {"the mask": marked(cactus, flower)}
blocks = mask_to_latents(torch.from_numpy(np.asarray(flower) / np.float32(255))[None, None])
for name, given in (("down once", {}), ("up and down, 3 times", {"jump": 4, "times": 3})):
    predict_eps = guesser(pipe, "a rose, noto style", 5.0)
    x = inpaint(
        latents_of(pipe, cactus), blocks, predict_eps, alpha_bar, spaced_timesteps(16, offset=1),
        lambda x, eps, a, a_prev, noise: ddim_step(x, eps, a, a_prev), torch.Generator().manual_seed(1),
        fixed_noise=False, final=final, **given,
    )
    row[name] = pictures_of(pipe, x)[0]
    print(f"{name}: {predict_eps.calls // 2} steps")
sheet, alt = picture_row(row, side=128)
s2i.show(sheet, alt=f"A part drawn anew, without and with steps up in between. {alt}")

# %% [markdown]
# One seed proves nothing. Try more of them before you believe that the jumps help here.
#
# ## 7. On the pad
#
# `s2i.repaint` does the same with any Stable Diffusion 1 or 2 that starts from a picture. It starts at the noisiest level, where very little of the
# picture is left. The plan says how much; its word for the picture is sketch. `s2i.SketchPad(…, masking=True)` has two more tools. The
# first marks a part: press M, and draw with mouse, finger, pen or the arrow keys. The second takes marks away: press K. **Mark a part of the turtle,**
# and run the cell below. If you mark nothing, its shell is taken.

# %%
pad = s2i.SketchPad(turtle, masking=True, name="repaint this part")
pad

# %%
shell = Image.new("L", (128, 128))
ImageDraw.Draw(shell).ellipse([44, 26, 104, 78], fill=255)
part = open_mask(pad.mask or shell, turtle.size)  # white where it is marked, at the picture's size
results = [s2i.repaint(turtle, part, "a strawberry, openmoji style", pipe=pipe, guidance_scale=5.0, seed=seed) for seed in range(3)]
sheet, alt = picture_row(
    {"the mask": marked(turtle, part), **{f"seed {seed}": result.image for seed, result in enumerate(results)}}, side=128
)
s2i.show(sheet, alt=f"The marked part of the turtle, drawn anew as a strawberry. {alt}")
print(results[0].plan)

# %% [markdown]
# ### Look at the seams
#
# Outside the marked blocks every pixel is that of your picture. `paste=False` leaves that out: then all pixels come from the VAE's decoder, also those that
# stayed. Which is better? Measure two things: how much the rest has changed, and how hard the edge is between the blocks and the rest.

# %%
seam = predict(
    "With the rest pasted in, compared with the decoder's, …",
    answer={"the change of the rest": ..., "the edge": ...},
    options=("smaller", "as large", "larger"),
)

# %%
touched = mask_to_latents(torch.from_numpy(np.asarray(part) / np.float32(255))[None, None])[0, 0]
inside = touched.repeat_interleave(8, 0).repeat_interleave(8, 1).numpy() == 1
border = inside[:, 1:] != inside[:, :-1]  # between a pixel and the one to its right


def array(picture):
    return np.asarray(picture).astype(float)


def looked_at(picture):
    """Mean change of the rest, and the mean jump across the upright edges, both of 255."""
    change = abs(array(picture) - array(turtle)).mean(2)[~inside].mean()
    jump = abs(np.diff(array(picture), axis=1)).mean(2)[border].mean()
    return {"the change of the rest": change, "the edge": jump}


whole = s2i.repaint(turtle, part, "a strawberry, openmoji style", pipe=pipe, guidance_scale=5.0, seed=1, paste=False)
pasted, decoded = looked_at(results[1].image), looked_at(whole.image)
for name in pasted:
    print(f"{name:>22}: pasted {pasted[name]:5.1f}, decoded {decoded[name]:5.1f}, of 255")
sheet, alt = picture_row({"pasted": results[1].image, "decoded": whole.image}, side=320)
s2i.show(sheet, alt=f"The same run with its rest pasted in and as the decoder makes it. {alt}")
seam.compare({name: "smaller" if pasted[name] < 0.9 * decoded[name] else "larger" if pasted[name] > 1.1 * decoded[name] else "as large" for name in pasted})

# %% [markdown]
# This is the trade. Pixels that stay to the bit meet pixels that a decoder made, and the edge shows. The decoder smooths the edge, since it looks at
# neighbouring latents, and it changes the whole picture a little. Blended latent diffusion (Avrahami et al. 2022) therefore fine-tunes the decoder for each
# picture.
#
# A saved result keeps its mask. `s2i translate --like` makes it again.
#
# ## 8. A word
#
# Here is a third way. It needs neither inversion nor a mask. In lesson 6 you looked at attention maps: how much each place of the picture looks at each word.
# Hertz et al. (2022) draw two prompts side by side from the same noise. In the first part of the run the second prompt uses the *maps* of the first. So the
# first prompt decides which place looks at which word, and the second decides what the words bring. This is called **prompt-to-prompt**.
#
# The tokens of the two prompts must be paired. `source_of[j]` is the place in the source of the target's token j, or −1 if it is new. A new token keeps its own
# map. `scale` is a factor for each of the target's tokens, new ones as well: so a word can count more or less. Without it (None) every factor is 1. The rows need not add up to 1 afterwards.


# %% tags=["exercise-edited_maps"]
def edited_maps(source, target, source_of, scale=None):
    """The maps for the target's run. source and target are (..., N, M): N places, M tokens. source_of and scale are (M,)."""
    ...


# %%
lesson.edited_maps.check(edited_maps)
edited_maps = lesson.edited_maps.use(edited_maps)

# %%
layout = predict("With the first prompt's maps, the second picture comes… to the first", answer=..., options=("much nearer", "a little nearer", "no nearer"))

# %%
times = spaced_timesteps(16, offset=1)
start = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
pairs = {"red apple → green apple": ("a red apple, openmoji style", "a green apple, openmoji style"), "cat → dog": ("a cat, openmoji style", "a dog, openmoji style")}
rows, distances = {}, {0.0: [], 0.8: []}
for name, (source, target) in pairs.items():
    rows[name] = []
    for share in distances:
        ends = side_by_side(pipe, source, target, start, times, ddim_step, share=share, edit=edited_maps)
        distances[share].append(((ends[1] - ends[0]).norm() / ends[0].norm()).item())
        first, second = pictures_of(pipe, ends)
        rows[name] += [second] if rows[name] else [first, second]
sheet, alt = filmstrip(rows, ["first", "own maps", "first's maps"], side=128, steps=False)
s2i.show(sheet, alt=f"Two prompts from the same noise, without and with the first one's maps. {alt}")
for share, values in distances.items():
    print(f"maps of the first prompt in {share:.0%} of the steps: the latents are {np.mean(values):.2f} of their length apart")
nearer = np.mean(distances[0.8]) / np.mean(distances[0.0])
layout.compare("much nearer" if nearer < 0.7 else "a little nearer" if nearer < 0.97 else "no nearer")

# %% [markdown]
# In the paper, with a far larger model, this keeps a whole scene. Here it does not help: the common noise keeps the rough layout already. The maps
# change the picture, but bring it no nearer to the first. The numbers are large because another colour counts as a distance too. Do not blame your code: it is checked. Ask where the miniature keeps its
# words.
#
# The text encoder mixes the words before attention sees them. Each token's vector knows of all tokens before it (lesson 6). So test it. Take the vectors of "a
# red apple". Exchange *only* the vector of the word itself for that of "green", from the other prompt. Then exchange all vectors *but* that one.

# %%
where = predict("The apple becomes green if you exchange…", answer=..., options=("the word's vector", "all but the word's"))

# %%
source, target = pairs["red apple → green apple"]
red, green = (encode_text(pipe, prompt, None)[0].words for prompt in (source, target))
word = torch.zeros(red.shape[1], dtype=torch.bool)
word[places_of(pipe, source, "red")] = True
mixtures = {
    "red": red,
    "only the word": torch.where(word[None, :, None], green, red),
    "all but the word": torch.where(word[None, :, None], red, green),
    "green": green,
}


def drawn_from(vectors, guidance_scale=4.0):
    """Pictures of vectors (B, 77, D) from the same noise."""
    nothing = encode_text(pipe, "", None)[0].words.expand_as(vectors)
    x = start.repeat(len(vectors), 1, 1, 1)

    def predict_eps(x, t):
        with torch.no_grad():
            without, v = pipe.unet(torch.cat([x, x]), t, torch.cat([nothing, vectors])).sample.chunk(2)
        v = without + guidance_scale * (v - without)
        a = alpha_bar[t].item()
        return a**0.5 * v + (1 - a) ** 0.5 * x  # lesson 3

    return pictures_of(pipe, ddim_down(x, predict_eps, alpha_bar, times, final)[-1])


made = dict(zip(mixtures, drawn_from(torch.cat(list(mixtures.values())))))
sheet, alt = picture_row(made, side=128)
s2i.show(sheet, alt=f"Apples of mixed vectors. {alt}")


def greenness(picture):
    red, green, _ = array(picture)[inked(picture).numpy()].mean(0)
    return green - red


for name, picture in made.items():
    print(f"{name:>16}: green minus red {greenness(picture):+4.0f} of 255")
only, but = greenness(made["only the word"]), greenness(made["all but the word"])
where.compare("the word's vector" if only > but else "all but the word's")
with recorded_attention(pipe.unet) as seen, torch.no_grad():
    pipe.unet(start, 500, red)
looks = torch.stack([one.weights[-1].mean((0, 1)) for one in seen]).mean(0)
print(f"Of all attention at timestep 500, {looks[word].sum():.0%} goes to the word 'red'.")

# %% [markdown]
# The colour does not sit in its word. The vectors after it carry it. They belong to "apple", to the style, to the end and to the padding, and this test does
# not say which of them counts. The last line fits: little of the attention goes to the word. So a map that belongs to one token does not steer one thing. "The
# map of a word" is a useful picture of what happens. It is not the whole of it, and how far it holds has to be tested for each model.
#
# ## 9. Models that read a picture
#
# All three ways so far are tricks with a model that draws. Other models were *trained* to edit: they get a picture and an instruction. How does the
# picture get in? There are three answers.
#
# | | how the picture gets in | what it learned from |
# |---|---|---|
# | Stable Diffusion's inpainting models | more channels: 4 of the noisy latents, 4 of the masked picture, 1 of the mask | pictures with made-up masks |
# | InstructPix2Pix (Brooks et al. 2022) | more channels: 4 of the noisy latents, 4 of the picture | made pairs: a language model wrote captions and instructions, prompt-to-prompt drew the pictures |
# | FLUX.1 Kontext (2025), FLUX.2 [klein] | more tokens: the picture's tokens stand in the row behind the noisy ones | Kontext: millions of pairs with instructions |
#
# **More channels.** The first convolution of the U-Net gets more inputs. Everything else stays. New inputs begin with weights of zero, as your zero convolution
# in lesson 14. In this first layer each place of the noisy latents meets the same place of the picture and its neighbours, and no other. InstructPix2Pix has two scales of guidance, one for
# the words and one for the picture, and three evaluations a step.
#
# **More tokens.** A diffusion transformer is a row of tokens (lesson 18). The picture is encoded by the same VAE, cut into tokens, and put behind the noisy
# ones. Attention then lets every place of the result look at every place of the picture. So a thing can move. Besides its row and column, each token's position
# has a number that tells which picture the token comes from. After the last block only the noisy tokens are kept. The picture's tokens are never noised.
#
# `flux2-klein` in this course's catalog is of this kind. Your sketch is *not* a start, as in lesson 8. It is read at every one of its four steps. So it has no
# strength. What does it cost?

# %%
cost = predict("How many times as many pairs does attention compare, if a picture of the same size is read?", answer=...)

# %%
def tokens(width, height, patch=16):  # FLUX.2: the VAE's 8, and patches of 2
    return (width // patch) * (height // patch)


text = 512
alone, reading = tokens(1024, 1024) + text, 2 * tokens(1024, 1024) + text
print(f"1024 × 1024: {tokens(1024, 1024)} tokens a picture and {text} of text; {alone**2:,} pairs alone, {reading**2:,} with a picture to read")
cost.compare(reading**2 / alone**2, within=0.5)
for name, channels in (("InstructPix2Pix", 8), ("inpainting", 9)):
    more = 320 * (channels - 4) * 3 * 3  # Stable Diffusion's first convolution: 320 outputs, 4 inputs, 3 × 3
    print(f"{name}: {more:,} more numbers in the first convolution, {more / 859_520_964:.4%} of the U-Net's")

# %% [markdown]
# More channels are nearly free. More tokens are not: the row is nearly twice as long, and attention compares more than three times as many pairs, at every
# step.
#
# On a GPU with 16 GB the following asks klein. **This cell was not run** for the course: it needs a download of 16 GB.
#
# ```python
# klein = s2i.load_pipeline("flux2-klein")
# s2i.translate(find_sketch("turtle"), "turn this sketch into a watercolour of a turtle", pipe=klein)
# s2i.translate(turtle, "make its shell red, and keep everything else", pipe=klein)
# ```
#
# "Keep everything else" is a wish there. No step puts the old pixels back. If a part must stay, take a mask.
#
# ## 10. Think about it
#
# Inversion, mask, words, instruction: which one would you take to remove a stranger from a holiday picture? Which one to see a face ten years older? And for
# the second: who should be asked before you do it, and how would anybody know afterwards that it was done?

# %%
lesson.score()

# %% [markdown]
# ## Sources
#
# - Song, Meng, Ermon, *Denoising Diffusion Implicit Models*, 2020, arXiv 2010.02502: the path and its inverse.
# - Pan et al., *Effective Real Image Editing with Accelerated Iterative Diffusion Inversion*, 2023, arXiv 2309.04907.
# - Garibi et al., *ReNoise: Real Image Inversion Through Iterative Noising*, 2024, arXiv 2403.14602.
# - Avrahami, Fried, Lischinski, *Blended Latent Diffusion*, 2022, arXiv 2206.02779.
# - Lugmayr et al., *RePaint: Inpainting using Denoising Diffusion Probabilistic Models*, 2022, arXiv 2201.09865.
# - Hertz et al., *Prompt-to-Prompt Image Editing with Cross Attention Control*, 2022, arXiv 2208.01626.
# - Brooks, Holynski, Efros, *InstructPix2Pix: Learning to Follow Image Editing Instructions*, 2022, arXiv 2211.09800.
# - Black Forest Labs et al., *FLUX.1 Kontext: Flow Matching for In-Context Image Generation and Editing in Latent Space*, 2025, arXiv 2506.15742.
# - How klein puts the picture behind the noise: `Flux2KleinPipeline` of diffusers, github.com/huggingface/diffusers.
# - The bug of section 4: github.com/Stability-AI/stablediffusion, pull request 226. The trap of section 6: github.com/huggingface/diffusers, issue 3730 and
#   pull request 3749.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** First sitting: 10 minutes for section 1, 14 for section 2, 14 for section 3, 7 for the bug, 10 for other words. Second sitting: 20 minutes for
# section 6 with two exercises, 12 for the pad and its seams, 16 for section 8, 8 for section 9, 4 for the open question. With one sitting take sections 1,
# 2, 5, 6 and 7.
#
# **Typical mistakes.** Fresh noise in the inverse step: inversion is taken for the forward process. Stepping on from $y$ in a round. A mask that is looked at
# in one pixel of each block. A clean known part beside noisy latents. −1 as an index.
#
# **What to listen for.** "Inversion finds the noise that the picture came from." A photograph came from no noise: it finds *a* noise that leads there. "The
# mask protects the rest." In the latents it does; ask what the decoder does.
#
# **Section 8 is a negative result.** It is there on purpose. A method is checked, it is known to work elsewhere, and it does little here. The experiment with
# the vectors says why. Let students propose that experiment before they see it: what would you exchange, if you wanted to know where the colour is?
#
# **The pad.** With `name=` its marks are kept in `s2i_pads/`. A class that shares a folder needs other names.
#
# **The open question.** For the stranger a mask, since the rest must stay. For the face an instruction, or inversion. Good answers ask the person shown, and
# speak of a record that travels with the picture (lesson 17, section on signing).
