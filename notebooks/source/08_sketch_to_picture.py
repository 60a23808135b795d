# %% [markdown]
# # Lesson 8. A sketch becomes a picture
#
# {{badge}}
#
# Everything is on the table: schedule, network, sampler, words, latents. This lesson puts them together into what the course
# is named after. It takes ten lines. You write them, find out what *strength* really does, see where the method is weak, and prove
# that what you wrote is what Stable Diffusion's pipeline runs, number for number.
#
# | | |
# |---|---|
# | **You will** | write SDEdit, sketch to picture in ten lines; test a widespread claim about strength; take a real run apart |
# | **Time** | about 50 minutes, three exercises |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
from collections.abc import Callable

import ipywidgets
import torch
from PIL import ImageFilter

from s2i_teach.evaluate.faithfulness import faithfulness
from s2i_teach.images import fit_to, to_picture, to_tensor
from s2i_teach.theory.forward import add_noise
from s2i_teach.theory.guidance import classifier_free_guidance
from s2i_teach.theory.ideal import ideal_x0
from s2i_teach.theory.latent import draw_latent, undo_scaling
from s2i_teach.theory.measure import max_difference
from s2i_teach.theory.plane import heart
from s2i_teach.theory.prediction import eps_from_x0, to_x0_and_eps, x0_from_eps
from s2i_teach.theory.sampler import ddim_step, ddpm_step, spaced_timesteps
from s2i_teach.theory.schedule import alphas_cumprod, scaled_linear_betas
from s2i_teach.translation.prepare import prepare_sketch
from s2i_teach.widgets.figures import (
    curves,
    filmstrip,
    latent_picture,
    picture_row,
    scatter,
    schedule,
)

lesson = s2i.lesson(8)
alpha_bar = alphas_cumprod(scaled_linear_betas())  # Stable Diffusion's schedule, lesson 2

# %% [markdown]
# ## 1. Start in the middle
#
# Lesson 5's sampler starts with pure noise and has 20 steps to go. But its steps do not know that it started there. All that a step
# sees is some $x_t$ and its noise level. So give it another one: take a *sketch*, bury it under just as much noise as belongs to
# a timestep in the middle, and let the sampler go on from there. It will take what shines through the noise for the beginnings of
# a picture, and finish it. That is the whole idea (Meng et al. 2021, *SDEdit*).
#
# Where in the middle? **Strength** says it: the share of the steps that run. At 1 all run, at 0.3 the first 70 % are skipped.
# Pipelines calculate in whole steps and cut off: `int(steps * strength)` run, the others are skipped, beginning with
# the noisiest.


# %% tags=["exercise-start_step"]
def start_step(num_inference_steps, strength):
    """How many steps are skipped, a whole number; strength is above 0 and at most 1."""
    ...


# %%
lesson.start_step.check(start_step)
start_step = lesson.start_step.use(start_step)

# %% [markdown]
# And how much of the sketch is left at that place? It goes into $x_t = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\varepsilon$
# (lesson 2) with a factor that the schedule gives. `timesteps` are those of the whole way, the noisiest first.


# %% tags=["exercise-signal_left"]
def signal_left(alpha_bar, timesteps, strength):
    """The sketch's factor in the first x_t of the run, a number from 0 to 1."""
    ...


# %%
lesson.signal_left.check(signal_left)
signal_left = lesson.signal_left.use(signal_left)


# %% [markdown]
# **Turn the knobs. Predict first:** with 20 steps, at which strength is half of the sketch's amplitude left? And does the *number*
# of steps change it?


# %%
def where(strength, steps):
    times = spaced_timesteps(steps, offset=1)
    if int(steps * strength) == 0:
        print(f"strength {strength} of {steps} steps leaves none")
        return
    skipped = start_step(steps, strength)
    figure, alt = schedule(
        alpha_bar,
        times[skipped:],
        times[:skipped],
        title=f"{steps} steps, strength {strength:.2f}",
    )
    s2i.show(figure, alt=alt)


strength = ipywidgets.FloatSlider(
    0.7, min=0.05, max=1, step=0.05, description="strength", continuous_update=False
)
steps = ipywidgets.IntSlider(
    20, min=2, max=100, description="steps", continuous_update=False
)
_ = ipywidgets.interact(where, strength=strength, steps=steps)

# %%
where(0.7, 20)

# %% [markdown]
# Half is left near $t = 520$: at strength 0.55 of 20 steps (0.52), 0.55 of 50 (0.50), 0.6 of 10 (0.52). Strength is not the noise level. It is a place in a list of timesteps, and two sliders decide together where the run really
# starts: with few steps the places lie far apart, and a strength between two of them does what the lower one does. That is why this
# library tells you before it runs (`Settings.plan`), and why "strength 0.5" of two programs need not be the same.
#
# ## 2. Ten lines
#
# Now the whole of it. `timesteps` is a list of whole numbers, the noisiest first. `predict(x_t, t)` gives the predicted noise, with words, guidance and all. `step(x_t, eps, a, a_prev,
# noise)` is one of lesson 5's steps, from the level `a` to `a_prev`. All noise comes from `generator`: the noise that buries the
# sketch, and then at every step noise for `step` (which may ignore it). After the last step the level is `final`. Lesson 2's
# `add_noise(x0, eps, alpha_bar, t)` is there; its `t` is a tensor, one number a picture, `(B,)`.


# %% tags=["exercise-sdedit"]
def sdedit(z, predict, alpha_bar, timesteps, strength, step, generator, final=1.0):
    """From the sketch z, (B, ...), to a picture of that shape: noise it part of the way, then denoise."""
    ...


# %%
lesson.sdedit.check(sdedit)
sdedit = lesson.sdedit.use(sdedit)

# %% [markdown]
# First in the plane, where everything can be seen. The data is the heart of lessons 3 and 5, with its perfect denoiser. The *sketch*
# is a triangle, somebody's quick idea of a heart; its three sides have three colours, so that you can see where each point came
# from. **Predict first:** at which strengths will the points arrive on the heart? And where will the colours be?


# %%
def triangle(n=50):
    """Points on the outline of a triangle, (3 n, 2)."""
    corners = torch.tensor([[-1.7, 1.1], [1.7, 1.1], [0.0, -1.9], [-1.7, 1.1]])
    along = torch.linspace(0, 1, n + 1)[:-1, None]
    return torch.cat([p + along * (q - p) for p, q in zip(corners, corners[1:])])


data, sketch = heart(), triangle()


def predict_in_the_plane(x_t, t):
    a = alpha_bar[t].item()
    return eps_from_x0(x_t, ideal_x0(x_t, data, a), a)


times = spaced_timesteps(100, spacing="trailing")


def in_the_plane(strength, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return sdedit(
        sketch, predict_in_the_plane, alpha_bar, times, strength, ddpm_step, generator
    )


panels = {"the sketch": sketch} | {f"strength {s}": in_the_plane(s) for s in (0.05, 0.3, 1.0)}
sides = {"top side": slice(0, 50), "right side": slice(50, 100), "left side": slice(100, 150)}
figure, alt = scatter(
    {name: {side: x[part] for side, part in sides.items()} for name, x in panels.items()},
    size=2.7,
)
s2i.show(figure, alt=alt)

# %%
values = [0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0]
outline, ends = heart(400), [in_the_plane(s) for s in values]
figure, alt = curves(
    values,
    {
        "from the data": [torch.cdist(end, outline).min(1).values.mean() for end in ends],
        "from its own place in the sketch": [(end - sketch).norm(dim=1).mean() for end in ends],
    },
    x_label="strength",
    y_label="mean distance of a point",
    title="The price of each strength",
)
s2i.show(figure, alt=alt)

# %% [markdown]
# They arrive at every strength; what is lost is only *where they came from*. With little noise each point goes to the part of the
# heart that is near, and the colours keep their order. With much noise it goes anywhere: real, but no longer *your* heart.
#
# So, as little strength as possible? With a perfect denoiser, yes. A trained network is not perfect. At low noise it has only ever
# seen pictures that were nearly finished, and a sketch with a little noise on it looks to it like just that: a finished drawing
# of black lines. It will clean it and change nothing. With pictures there is a price on *both* sides, as you will see.
#
# ## 3. The same with pictures
#
# In place of the points come latents (lesson 7), in place of the perfect denoiser the miniature's U-Net with guidance (lesson 6).
# Your `sdedit` stays as it is.

# %%
pipe = s2i.load_pipeline("mini", device="cpu", dtype="fp32")
vae, scaling_factor = pipe.vae, pipe.vae.config.scaling_factor
sketches = {s.name: s for s in s2i.sketches()}


@torch.no_grad()
def decode(z):
    """A latent (1, 4, 16, 16) as a picture (3, 128, 128)."""
    return vae.decode(undo_scaling(z, scaling_factor)).sample[0].clamp(-1, 1)


@torch.no_grad()
def by_hand(picture, prompt, strength, seed, steps=20, guidance_scale=4.0):
    """Sketch to picture; returns the last latent, and for every step (t, x_t, eps)."""
    told, without = pipe.encode_prompt(prompt, "cpu", 1, True)
    words = torch.cat([without, told])
    seen = []

    def predict(x_t, t):
        answers = pipe.unet(torch.cat([x_t, x_t]), t, words).sample.chunk(2)
        answer = classifier_free_guidance(*answers, guidance_scale)
        kind = pipe.scheduler.config.prediction_type
        eps = to_x0_and_eps(answer, kind, x_t, alpha_bar[t])[1]
        seen.append((t, x_t, eps))
        return eps

    def ddim(x_t, eps, a, a_prev, noise):
        return ddim_step(x_t, eps, a, a_prev)

    generator = torch.Generator().manual_seed(seed)
    moments = vae.quant_conv(vae.encoder(to_tensor(picture)[None]))
    z = draw_latent(
        moments, scaling_factor, torch.randn(1, 4, 16, 16, generator=generator)
    )
    # Stable Diffusion's own choices, without which section 6 would not come out equal:
    times = spaced_timesteps(steps, spacing="leading", offset=1)
    final = alpha_bar[0].item()  # its DDIM does not stop at 1, but at the first level
    end = sdedit(z, predict, alpha_bar, times, strength, ddim, generator, final)
    return end, seen


prompt = "a house, noto style"
page = fit_to(sketches["house"].open(), (128, 128))
page = prepare_sketch(page, "filled")  # its areas filled with grey: section 5
end, seen = by_hand(page, prompt, 0.7, seed=0)

shown = [seen[i] for i in (0, 2, 5, 8, 10, 12, 13)]
rows = {
    "x_t": [decode(x_t) for t, x_t, eps in shown],
    "guess x̂0": [decode(x0_from_eps(x_t, eps, alpha_bar[t])) for t, x_t, eps in shown],
    "noise ε̂": [latent_picture(eps[0]) for t, x_t, eps in shown],
}
sheet, alt = filmstrip(rows, [f"t = {t}" for t, x_t, eps in shown])
s2i.show(sheet, alt=f"A house at strength 0.7, {len(seen)} steps. {alt}")

# %% [markdown]
# (The lowest row is the predicted noise as it is, in latents: three of the four channels as colours.) Look at the first column. To
# the eye the first $x_t$ is noise, and yet the first guess knows already where house and roof are. From pure noise it would know only
# what the words say: a blurred mean of all houses.
#
# As a film, the guesses:

# %%
film = [page] + [to_picture(decode(x0_from_eps(x, eps, alpha_bar[t]))) for t, x, eps in seen]
film.append(to_picture(decode(end)))
s2i.show(film, alt="A film: a grey sketch of a house becomes a coloured house.", width=256)

# %% [markdown]
# ## 4. "Strength controls the smoothing"
#
# It is often said that a higher strength smooths more and so makes more realistic pictures. Let us take the claim at its word and
# measure. Roughness of a picture: the mean difference of neighbouring pixels. And the *steepest* differences, those that only one pair in
# a hundred exceeds: a picture that has been smoothed has no steep edges any more.

# %%
drawings = ["house", "mushroom", "strawberry", "cactus", "sailboat", "rocket"]
strengths = [0.1, 0.3, 0.5, 0.7, 0.9]


def differences(picture):
    x = to_tensor(picture)
    return torch.cat([x.diff(dim=1).flatten().abs(), x.diff(dim=2).flatten().abs()])


def mean_and_steepest(pictures):
    found = [differences(p) for p in pictures]
    mean = sum(d.mean() for d in found) / len(found)
    steepest = sum(d.quantile(0.99) for d in found) / len(found)
    return f"mean {mean:.3f}, steepest {steepest:.2f}"


pages = [fit_to(sketches[name].open(), (128, 128)) for name in drawings]
made = {
    s: [
        s2i.translate(p, sketches[n].prompt, pipe=pipe, strength=s, seed=0).image
        for n, p in zip(drawings, pages)
    ]
    for s in strengths
}
print("sketches:     ", mean_and_steepest(pages))
for s, pictures in made.items():
    print(f"strength {s}: ", mean_and_steepest(pictures))
for radius in (1, 2, 3):
    blurred = [p.filter(ImageFilter.GaussianBlur(radius)) for p in pages]
    print(f"blur of {radius} px: ", mean_and_steepest(blurred))

# %% [markdown]
# The mean falls as strength rises: black lines give way to coloured areas. So the claim looks right! But look at the steepest
# differences. A real smoothing that brings the mean as low as strength 0.9 does, the blur of 3 pixels, leaves no steep edge; the
# pictures have three times as steep ones. And there is a better test. **A smoothing does not know the words or the seed.** Same
# sketch, same strength:

# %%
mushroom = pages[drawings.index("mushroom")]
row = {"sketch": mushroom, "blurred, 2 px": mushroom.filter(ImageFilter.GaussianBlur(2))}
for words, seed in (
    ("a mushroom, noto style", 0),
    ("a mushroom, noto style", 3),
    ("an umbrella, noto style", 0),
    ("a strawberry, fluent style", 3),
):
    result = s2i.translate(mushroom, words, pipe=pipe, strength=0.75, seed=seed)
    row[f"{words}, seed {seed}"] = result.image
sheet, alt = picture_row(row)
s2i.show(sheet, alt=f"One sketch, blurred, and translated at strength 0.75. {alt}")

# %% [markdown]
# One strength, four pictures. What strength sets is the place on the noise schedule where the denoising starts, no more: how much
# of the sketch the network still sees, and so how much it makes up. What it makes up depends on the words most, and on the seed.
#
# The claim has a true core, though. Noise drowns the fine lines first and the large shapes last. **What the network can still *see***
# is therefore the sketch's large shapes. Its very first guess shows it:

# %%
strengths = [0.3, 0.5, 0.7, 0.8, 0.9, 1.0]
rows = {"first guess": [], "the end": []}
captions = []
for s in strengths:
    end, seen = by_hand(page, prompt, s, seed=0)
    t, x_t, eps = seen[0]
    rows["first guess"].append(decode(x0_from_eps(x_t, eps, alpha_bar[t])))
    rows["the end"].append(decode(end))
    captions.append(f"{s}: √ᾱ {alpha_bar[t].sqrt():.2f}")
sheet, alt = filmstrip(rows, captions, side=110)
s2i.show(sheet, alt=f"First guess and end for six strengths. {alt}")

# %% [markdown]
# The first guess gets blurrier, the end does not. Even at strength 1 the first $x_t$ is not pure noise: Stable Diffusion's schedule ends
# at √ᾱ = 0.07 (lesson 2), and 20 steps do not even start at its end but at $t = 951$, at 0.09.
#
# ## 5. The weakness of lines
#
# A sketch is lines on white paper. To the network, which learned from *pictures*, that is a finished picture of thin black things on a white
# ground. (The miniature even knows line art as one of its styles.) Below some strength it keeps just that; above, the thin lines are
# drowned and nothing is left of them. Compare with the sketch whose closed areas were filled with grey first
# (`prepare="filled"`), so that there is something large to see.
#
# **Predict first:** at which strength do the lines of the house vanish? And from which one on does it not matter any more whether they
# were filled?

# %%
strengths = [0.3, 0.5, 0.6, 0.7, 0.8, 0.9]
rows = {}
for name in ("house", "mushroom", "cat_by_hand"):
    for how in ("lines", "filled"):
        rows[f"{name}, {how}"] = [
            s2i.translate(
                sketches[name].path,
                sketches[name].prompt,
                pipe=pipe,
                strength=s,
                prepare=how,
                seed=0,
            ).image
            for s in strengths
        ]
sheet, alt = filmstrip(rows, [f"{s}" for s in strengths], side=100)
s2i.show(sheet, alt=f"Three sketches as lines and filled, at six strengths. {alt}")

# %% [markdown]
# Plain lines stay a line drawing for long, and then are a picture within a tenth or two of strength; the filled ones turn into
# pictures gently, and earlier, while the sketch still decides. At 0.8 and 0.9 both rows are nearly alike: what you see there comes from
# the words. (With the cat that goes wrong: the sketch is a cat's *face*, and the miniature knows only whole cats. And lines that are not closed cannot be
# filled.)
#
# The real models have the same weakness, only at higher strengths: the lines show through, until the structure goes. There are
# networks made against it. **ControlNet** (Zhang et al. 2023) and **T2I-Adapter** (Mou et al. 2023) show the U-Net the lines at
# *every* step, beside $x_t$, so the denoising can start from pure noise and still follow them. **pix2pix-turbo** (Parmar et al.
# 2024) is trained to go from lines to a picture in one step. They need training on pairs; SDEdit needs nothing but a denoiser.
#
# ## 6. It is the same
#
# diffusers has a class for all this, `StableDiffusionImg2ImgPipeline`. Does it do anything that you did not?

# %%
end, seen = by_hand(page, prompt, 0.7, seed=5)
theirs = pipe(
    prompt,
    image=page,
    strength=0.7,
    num_inference_steps=20,
    guidance_scale=4.0,
    generator=torch.Generator().manual_seed(5),
    output_type="latent",
).images
print("latents, yours and diffusers':", max_difference(end, theirs))

result = s2i.translate(page, prompt, pipe=pipe, strength=0.7, seed=5)
row = {
    "by hand": decode(end),
    "s2i.translate": result.image,
}
sheet, alt = picture_row(row)
s2i.show(sheet, alt=f"The same house twice. {alt}")
print("what ran:", result.plan)
print("by hand: ", [t for t, x_t, eps in seen])

# %% [markdown]
# The difference is in the fifth or sixth place: rounding. There is no secret in the pipeline. (For DDPM and Euler the equality is tested with
# this library.)
#
# **Spot the bug.** Someone compares two strengths, and fixes the seed to be fair:
#
# ```python
# generator = torch.Generator().manual_seed(0)
# for strength in (0.6, 0.8):
#     pictures.append(pipe(prompt, image=page, strength=strength, generator=generator).images[0])
# ```
#
# What is wrong? The cell shows it: *the same* strength twice.

# %%
generator = torch.Generator().manual_seed(0)
twice = [
    pipe(
        prompt,
        image=page,
        strength=0.8,
        num_inference_steps=20,
        guidance_scale=4.0,
        generator=generator,
    ).images[0]
    for _ in range(2)
]
sheet, alt = picture_row({"0.8, first": twice[0], "0.8, second": twice[1]})
s2i.show(sheet, alt=f"Two different pictures from the same settings. {alt}")

# %% [markdown]
# The generator goes on where the first picture left it, so the second one gets other noise. What such a comparison shows is strength *and*
# seed. Each picture needs a fresh generator. (`s2i.translate` makes one for every call.)
#
# Three more traps of the pipeline. None of them raises an error:
# - A picture with **four channels** (a PNG with transparency) is taken for a latent and is not encoded. The result has eight times as
#   many pixels on each side.
# - A transparent PNG made RGB the quick way, `.convert("RGB")`, usually becomes a **black page**.
# - A picture whose sides are no multiples of 8 is squeezed to the next smaller ones.
#
# `s2i.translate` takes care of all three.
#
# ## 7. The anatomy of a run
#
# You have built all the parts. Here is one run with every part drawn as it ran, with the shapes, sizes, times and memory
# measured in that very run. Find: where did most of the time go? How large is the smallest map? Which parts ask the words? What
# comes out of the VAE's encoder, and why twice as many channels as the latent has?

# %%
anatomy = s2i.anatomy(pipe, sketches["house"].path, prompt, strength=0.7, prepare="filled")
anatomy

# %% [markdown]
# And Stable Diffusion 1.5? The same picture with larger numbers: 860 million parameters in the U-Net, 64 × 64 latents. Where it
# cannot be downloaded it can still be looked at: its real shapes with random weights draw nothing, but they cost what they cost. It
# takes 3 GB of memory (5 GB where the computer has no bf16) and a minute or more; set the first line to `True` if you like.

# %%
see_the_real_one = False

if see_the_real_one:
    from IPython.display import display

    from s2i_teach.models.untrained import untrained_pipeline

    real = untrained_pipeline("sd15")
    display(
        s2i.anatomy(
            real,
            sketches["house"].path,
            "a house in the woods",
            num_inference_steps=5,
            strength=0.6,
        )
    )

# %% [markdown]
# ## 8. A look ahead: the sketch leads
#
# Here is a ControlNet at work. `"mini-scribble"` is a second miniature, with a network beside its U-Net that is shown the lines at
# every step. It starts at strength 1, where SDEdit has next to nothing left of the sketch. The number under each picture is the
# *edge F1*, which lesson 12 builds: 1 if all edges of the picture lie on lines of the sketch and all lines on edges, 0 if none do.
#
# **Predict first:** at which strength does the start become a finished picture? What has become of its number by then? And where
# will the led picture's number lie?

# %%
leading = s2i.load_pipeline("mini-scribble", device="cpu", dtype="fp32")
house = fit_to(sketches["house"].open(), (128, 128))
ways = {f"start, strength {s}": (pipe, s) for s in (0.5, 0.7, 0.9, 1.0)}
ways["led, strength 1.0"] = (leading, 1.0)

row = {"the sketch": house}
for name, (model, s) in ways.items():
    made = s2i.translate(house, prompt, pipe=model, strength=s, seed=0)
    row[f"{name}: {faithfulness(made.sketch, made.image).f1:.2f}"] = made.image
sheet, alt = picture_row(row, columns=3)
s2i.show(sheet, alt=f"A house of lines, as a start and as a guide. {alt}")

# %% [markdown]
# Compare the last two pictures: the strength is the same, and the sketch's share of the first $x_t$ too. A start has to choose
# between lines and a finished picture. A guide need not. In lesson 14 you build such a network, train it, and measure over many
# sketches what it is worth, and what it costs.
#
# ## 9. Your turn, and think about it
#
# Draw something with few, thick, closed lines, photograph it, and give its file name below.
#
# Then the question. In section 2 the distances were measured on points. How would you measure on *pictures* how faithful one is to
# its sketch, and how real? Write down two numbers that a program could calculate, and for each a picture that would fool it.
# (Lesson 12 builds them.)

# %%
mine = sketches["strawberry"].path  # or "my_drawing.jpg"
my_prompt = "a strawberry, noto style"

row = {"my sketch": fit_to(s2i.open_sketch(mine), (128, 128))}
for s in (0.5, 0.65, 0.8):
    result = s2i.translate(mine, my_prompt, pipe=pipe, strength=s, prepare="filled")
    row[f"strength {s}"] = result.image
sheet, alt = picture_row(row)
s2i.show(sheet, alt=f"{my_prompt}. {alt}")

# %% [markdown]
# ## Sources
#
# - Meng et al., *SDEdit: Guided Image Synthesis and Editing with Stochastic Differential Equations*, 2021, arXiv 2108.01073.
# - Rombach et al., *High-Resolution Image Synthesis with Latent Diffusion Models*, 2021, arXiv 2112.10752.
# - Zhang, Rao and Agrawala, *Adding Conditional Control to Text-to-Image Diffusion Models* (ControlNet), 2023, arXiv 2302.05543.
#   Mou et al., *T2I-Adapter*, 2023, arXiv 2302.08453. Parmar et al., *One-Step Image Translation with Text-to-Image Models*
#   (pix2pix-turbo), 2024, arXiv 2403.12036.
#
# **Next:** lesson 9, *The studio*, where you draw, slide and measure.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** 8 minutes for section 1, 12 for `sdedit` (let them say the loop in words first), 6 for the plane, 6 for the film, 8 for
# the smoothing, 5 for the lines, the rest for the equality and the anatomy.
#
# **Typical mistakes.** Skipping from the wrong end; burying the sketch to the level of the whole way; one noise for everything; the
# network asked of the sketch instead of $x_t$.
#
# **The anatomy's answers.** The U-Net took most of the time, about 85 %. The smallest map is 2 × 2. Those with a thick frame ask the
# words. Mean and log-variance come out of the encoder (lesson 7), hence twice the channels.
#
# **What to listen for.** "Strength is how much the picture changes." It is how much *may* be changed: at 0.9 a lucky prompt still gives
# the sketch's composition. "Strength 0.5 is half the noise." Let them read √ᾱ off the plot.
#
# **The open question.** Faithful: do the sketch's lines lie on edges of the picture, within some pixels? A copy of the sketch fools it, so do
# edges everywhere. Real: is the picture among real ones in some feature space? Any good picture of another thing fools it. So one needs both.
