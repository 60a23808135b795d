# %% [markdown]
# # Lesson 8. A sketch becomes a picture
#
# {{badge}}
#
# You have everything: schedule, network, sampler, words, latents. This lesson puts them together into what the course is named
# after. It takes ten lines. You write them, find out what *strength* really does, see where the method is weak, and prove
# that what you wrote is what Stable Diffusion's pipeline runs, number for number.
#
# | | |
# |---|---|
# | **You will** | write SDEdit, sketch to picture in ten lines; test a widespread claim about strength; take a real run apart |
# | **Time** | about 55 minutes, three exercises |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |
# | **You need** | `add_noise` from lesson 2, the steps and the timestep spacing of lesson 5, guidance from lesson 6, the latents of lesson 7 |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
from collections.abc import Callable

import ipywidgets
import torch
from PIL import ImageFilter

from s2i_teach.evaluate.faithfulness import faithfulness
from s2i_teach.images import fit_to, to_picture, to_tensor
from s2i_teach.lessons import predict
from s2i_teach.theory.forward import add_noise
from s2i_teach.theory.guidance import classifier_free_guidance
from s2i_teach.theory.ideal import ideal_x0
from s2i_teach.theory.latent import draw_latent, undo_scaling
from s2i_teach.theory.measure import max_difference
from s2i_teach.theory.plane import heart, mean_distance
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
# Lesson 5's sampler starts with pure noise. But its steps do not know that. A step sees only some $x_t$ and its
# timestep. So give it another $x_t$. Take a *sketch*, add just as much noise as belongs to a timestep in the middle,
# and let the sampler go on from there. The network takes what is left of the sketch for the beginnings of a picture,
# and the sampler finishes it. That is the whole idea of **SDEdit** (Meng et al. 2021).
#
# Where in the middle? **Strength** says it: the share of the sampling steps that run. At 1 all of them run. At 0.3 the
# first 70 % are skipped. Pipelines calculate in whole steps and round down: `int(steps * strength)` of them run, and
# the noisiest ones are skipped.


# %% tags=["exercise-start_step"]
def start_step(num_inference_steps, strength):
    """How many steps are skipped, a whole number; strength is above 0 and at most 1."""
    ...


# %%
lesson.start_step.check(start_step)
start_step = lesson.start_step.use(start_step)

# %% [markdown]
# How much of the sketch is left where the run starts? That is the factor of $x_0$ in lesson 2's formula for $x_t$. `timesteps` are those
# of *all* the sampling steps, the noisiest first.


# %% tags=["exercise-signal_left"]
def signal_left(alpha_bar, timesteps, strength):
    """The sketch's factor in the first x_t of the run, a number from 0 to 1."""
    ...


# %%
lesson.signal_left.check(signal_left)
signal_left = lesson.signal_left.use(signal_left)


# %% [markdown]
# **Predict**, and then turn the knobs. Two sliders decide how much is left.

# %%
half = predict("With 20 steps: the largest strength that leaves at least half of the sketch's amplitude?", answer=...)

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
s2i.interact(where, strength=strength, steps=steps)

# %%
where(0.7, 20)
at_half = {}
for n in (10, 20, 50):
    all_times = spaced_timesteps(n, offset=1)
    # A little above k / n, so that int() gives k steps and never k − 1.
    left = {k / n: signal_left(alpha_bar, all_times, (k + 0.01) / n) for k in range(1, n)}
    at_half[n] = max(s for s, factor in left.items() if factor >= 0.5)
    print(f"{n} steps: at least half is left up to strength {at_half[n]:.2f}, {left[at_half[n]]:.2f} of the amplitude")
half.compare(at_half[20], within=0.1)

# %% [markdown]
# Strength is not the noise level. It is a place in a list of timesteps. Both sliders decide where the run really
# starts. With few steps the places lie far apart, and a strength between two of them does what the lower one does. So
# "strength 0.5" need not be the same in two programs. This library tells you the real start before a run:
# `Settings.plan`.
#
# ## 2. Ten lines
#
# The parts:
#
# - `timesteps` are those of all the sampling steps, whole numbers, the noisiest first.
# - `predict_eps(x_t, t)` gives the predicted noise. Words and guidance are in it already.
# - `step(x_t, eps, a, a_prev, noise)` is one of lesson 5's steps, from $\bar\alpha$ = `a` to $\bar\alpha$ = `a_prev`.
# - All noise comes from `generator`: first the noise that is added to the sketch, then at every step noise for `step`, which may
#   ignore it.
# - `final` is the $\bar\alpha$ where the last step ends.
# - Lesson 2's `add_noise(x0, eps, alpha_bar, t)` is there. Its `t` is a tensor `(B,)` with one number per picture.
#
# **Why is `final` not simply 1?** In lesson 2's code `alpha_bar[0]` is the paper's $\bar\alpha_1 = \alpha_1$. So $t = 0$ is not the clean
# picture, but the picture with a first bit of noise. A sampler can go all the way to 1, the clean picture. Or it can stop at
# `alpha_bar[0]`, the least noisy place that the network knows. Stable Diffusion's DDIM stops there.

# %%
print(f"at t = 0: the picture's factor is {alpha_bar[0].sqrt():.4f}, the noise level {(1 - alpha_bar[0]).sqrt():.4f}")


# %% tags=["exercise-sdedit"]
def sdedit(z, predict_eps, alpha_bar, timesteps, strength, step, generator, final=1.0):
    """From the sketch z, (B, ...), to a picture of that shape: noise it part of the way, then denoise."""
    ...


# %%
lesson.sdedit.check(sdedit)
sdedit = lesson.sdedit.use(sdedit)

# %% [markdown]
# First in the plane. The data is the heart of lessons 3 and 5, with its perfect denoiser. The *sketch* is a triangle, somebody's quick idea
# of a heart. Its three sides have three colours, so that you can see where each point came from. Where will the colours be at the end?

# %%
arrive = predict(
    "At which strengths do the points arrive on the heart?",
    answer=...,
    options=("only at high ones", "only at low ones", "at every strength"),
)


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
from_data = [mean_distance(end, outline) for end in ends]
figure, alt = curves(
    values,
    {
        "from the data": from_data,
        "from its own place in the sketch": [(end - sketch).norm(dim=1).mean() for end in ends],
    },
    x_label="strength",
    y_label="mean distance of a point",
    title="The price of each strength",
)
s2i.show(figure, alt=alt)
low, high = max(from_data[:4]) < 0.05, max(from_data[-4:]) < 0.05
arrive.compare(
    "at every strength" if low and high else "only at high ones" if high else "only at low ones"
)

# %% [markdown]
# What is lost with strength is only *where the points came from*. With little noise each point goes to the part of the heart that is near,
# and the colours keep their order. With much noise it goes anywhere. The result is a heart, but no longer *your* heart.
#
# So, as little strength as possible? With a perfect denoiser, yes. A trained network is not perfect. At low noise
# levels it has only ever seen pictures that were nearly finished. A sketch with a little noise looks to it like just
# that: a finished drawing of black lines. It cleans the drawing and changes nothing else. With pictures there is a
# price on *both* sides.
#
# ## 3. The same with pictures
#
# Latents take the place of the points, and the miniature's U-Net with guidance takes the place of the perfect denoiser. Your `sdedit`
# stays as it is.

# %%
pipe = s2i.load_pipeline("mini", device="cpu", dtype="fp32")
vae, scaling_factor = pipe.vae, pipe.vae.config.scaling_factor
sketches = {s.name: s for s in s2i.sketches()}


@torch.no_grad()
def decode(z):
    """A latent (1, 4, 16, 16) as a picture (3, 128, 128)."""
    return vae.decode(undo_scaling(z, scaling_factor)).sample[0].clamp(-1, 1)


@torch.no_grad()
def by_hand(picture, prompt, strength, seed, steps=20, guidance_scale=4.0, final=alpha_bar[0].item()):
    """Sketch to picture; returns the last latent, and for every sampling step (t, x_t, eps)."""
    with_words, without = pipe.encode_prompt(prompt, "cpu", 1, True)
    words = torch.cat([without, with_words])
    path = []

    def predict_eps(x_t, t):
        answers = pipe.unet(torch.cat([x_t, x_t]), t, words).sample.chunk(2)
        answer = classifier_free_guidance(*answers, guidance_scale)
        kind = pipe.scheduler.config.prediction_type
        eps = to_x0_and_eps(answer, kind, x_t, alpha_bar[t])[1]
        path.append((t, x_t, eps))
        return eps

    def ddim(x_t, eps, a, a_prev, noise):
        return ddim_step(x_t, eps, a, a_prev)

    generator = torch.Generator().manual_seed(seed)
    moments = vae.quant_conv(vae.encoder(to_tensor(picture)[None]))
    first = torch.randn(1, 4, 16, 16, generator=generator)  # the VAE's own draw, lesson 7
    z = draw_latent(moments, scaling_factor, first)
    times = spaced_timesteps(steps, spacing="leading", offset=1)  # Stable Diffusion's choice
    end = sdedit(z, predict_eps, alpha_bar, times, strength, ddim, generator, final)
    return end, path


prompt = "a house, noto style"
page = fit_to(sketches["house"].open(), (128, 128))
page = prepare_sketch(page, "filled")  # its areas filled with grey: section 5
end, path = by_hand(page, prompt, 0.7, seed=0)

shown = [path[i] for i in (0, 2, 5, 8, 10, 12, 13)]
rows = {
    "x_t": [decode(x_t) for t, x_t, eps in shown],
    "guess x̂0": [decode(x0_from_eps(x_t, eps, alpha_bar[t])) for t, x_t, eps in shown],
    "noise ε̂": [latent_picture(eps[0]) for t, x_t, eps in shown],
}
sheet, alt = filmstrip(rows, [f"t = {t}" for t, x_t, eps in shown])
s2i.show(sheet, alt=f"A house at strength 0.7, {len(path)} steps. {alt}")

# %% [markdown]
# The lowest row is the predicted noise, in latents: three of the four channels, shown as colours. Look at the first
# column. Decoded, the first $x_t$ is a tangle of strokes, and yet the first guess shows already where house and roof are.
# From pure noise the network would know only the words.
#
# As a film, the guesses:

# %%
film = [page] + [to_picture(decode(x0_from_eps(x, eps, alpha_bar[t]))) for t, x, eps in path]
film.append(to_picture(decode(end)))
s2i.show(film, alt="A film: a grey sketch of a house becomes a coloured house.", width=256)

# %% [markdown]
# ## 4. "Strength controls the smoothing"
#
# It is often said that a higher strength smooths more and so makes more realistic pictures. Let us test the claim. The
# *roughness* of a picture is the mean difference of neighbouring pixels. Its edges are the *steepest* hundredth of
# these differences: the number is where this hundredth begins.

# %%
steeper = predict(
    "A blur brings the roughness nearly as low as strength 0.9 does. Which has the steeper edges?",
    answer=...,
    options=("the blurred sketches", "the pictures at strength 0.9", "about equal"),
)

# %%
drawings = ["house", "mushroom", "strawberry", "cactus", "sailboat", "rocket"]
strengths = [0.1, 0.3, 0.5, 0.7, 0.9]


def differences(picture):
    x = to_tensor(picture)
    return torch.cat([x.diff(dim=1).flatten().abs(), x.diff(dim=2).flatten().abs()])


def mean_and_steepest(pictures):
    """Roughness and steepest differences, both averaged over the pictures."""
    all_differences = [differences(p) for p in pictures]
    mean = sum(d.mean().item() for d in all_differences) / len(pictures)
    return mean, sum(d.quantile(0.99).item() for d in all_differences) / len(pictures)


pages = [fit_to(sketches[name].open(), (128, 128)) for name in drawings]
made = {"sketches": mean_and_steepest(pages)}
for s in strengths:
    results = [
        s2i.translate(p, sketches[n].prompt, pipe=pipe, strength=s, seed=0).image
        for n, p in zip(drawings, pages)
    ]
    made[f"strength {s}"] = mean_and_steepest(results)
for radius in (1, 2, 3):
    blurred = [p.filter(ImageFilter.GaussianBlur(radius)) for p in pages]
    made[f"blur of {radius} px"] = mean_and_steepest(blurred)
for name, (mean, steepest) in made.items():
    print(f"{name:>12}: mean {mean:.3f}, steepest {steepest:.2f}")
blurs = [name for name in made if name.startswith("blur")]
alike = min(blurs, key=lambda name: abs(made[name][0] - made["strength 0.9"][0]))
ratio = made["strength 0.9"][1] / made[alike][1]
print(f"strength 0.9 has {ratio:.1f} times as steep edges as the {alike}, which is about as rough")
kinds = "the pictures at strength 0.9", "the blurred sketches"
steeper.compare("about equal" if 0.8 < ratio < 1.25 else kinds[ratio < 1])

# %% [markdown]
# At high strength the mean is low: black lines gave way to coloured areas. So the claim looks right. But the edges are
# much steeper than those of a blur that is about as rough. And there is a better test. **A smoothing does not know the
# words or the seed.** Here is one sketch at one strength:

# %%
mushroom = pages[drawings.index("mushroom")]
row = {"sketch": mushroom, "blurred, 2 px": mushroom.filter(ImageFilter.GaussianBlur(2))}
for words, seed in (
    ("a mushroom, noto style", 1),
    ("a mushroom, noto style", 2),
    ("an umbrella, noto style", 1),
    ("a strawberry, fluent style", 2),
):
    result = s2i.translate(mushroom, words, pipe=pipe, strength=0.75, seed=seed)
    row[f"{words}, seed {seed}"] = result.image
sheet, alt = picture_row(row)
s2i.show(sheet, alt=f"One sketch, blurred, and translated at strength 0.75. {alt}")

# %% [markdown]
# One strength, four pictures. Strength sets where on the noise schedule the denoising starts, and so how many steps
# run. It decides how much of the sketch the network still sees, and how much it makes up. What it makes up depends on
# the words and on the seed.
#
# The claim has a true core, though. Noise drowns the fine lines first and the large shapes last. So **what the network can still *see***
# is the sketch's large shapes. Look at its very first guess: at low strengths it still has the lines, at high ones only the large shapes.

# %%
strengths = [0.3, 0.5, 0.7, 0.8, 0.9, 1.0]
rows = {"first guess": [], "the end": []}
captions = []
for s in strengths:
    end, path = by_hand(page, prompt, s, seed=0)
    t, x_t, eps = path[0]
    rows["first guess"].append(decode(x0_from_eps(x_t, eps, alpha_bar[t])))
    rows["the end"].append(decode(end))
    captions.append(f"{s}: √ᾱ {alpha_bar[t].sqrt():.2f}")
sheet, alt = filmstrip(rows, captions, side=110, steps=False)
s2i.show(sheet, alt=f"First guess and end for six strengths. {alt}")

# %% [markdown]
# From 0.7 on the first guess is blurred. The end is not. Even at strength 1 the first $x_t$ is not pure noise. Stable Diffusion's schedule
# leaves some of the picture at its last timestep (lesson 2). With `"leading"` spacing 20 steps do not even start there, but at
# $t = 951$ (lesson 5).
#
# ## 5. The weakness of lines
#
# A sketch is lines on white paper. To the network, which learned from *pictures*, that is a finished picture of thin black things on a
# white ground. The miniature even knows line art as one of its styles. Below some strength it keeps just that. Above, the thin lines
# are drowned, little by little, until nothing is left of them. Compare with the sketch whose closed areas were filled with grey first
# (`prepare="filled"`), so that there is something large to see.
#
# **Before you run it:** at which strength do the lines of the house vanish? And from which one on does filling make no
# difference?

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
sheet, alt = filmstrip(rows, [f"{s}" for s in strengths], side=100, steps=False)
s2i.show(sheet, alt=f"Three sketches as lines and filled, at six strengths. {alt}")

# %% [markdown]
# Plain lines stay a line drawing longer and then change to a picture within a step or two. The filled ones turn into pictures gently,
# and earlier, while the sketch still decides. At high strengths both rows are alike: what you see there comes from the words. The house's black
# lines are gone at about 0.7, and from about 0.8 on filling makes little difference to it. With the
# cat that goes wrong. The sketch is a cat's *face*, and for the words "a cat" the miniature was mostly shown whole cats. Sketch and words do not fit,
# and what is left is a torn face. Small gaps in the lines are closed before a shape is filled. A shape with a wide gap stays white.
#
# The large models have the same weakness, at higher strengths. Some networks were made against it. **ControlNet**
# (Zhang et al. 2023) and **T2I-Adapter** (Mou et al. 2023) show the U-Net the lines at *every* sampling step, beside
# $x_t$. So the denoising can start from pure noise and still follow them. **pix2pix-turbo** (Parmar et al. 2024) is
# trained to go from lines to a picture in one step. They need training on pairs. SDEdit needs nothing but a denoiser.
#
# ## 6. It is the same
#
# diffusers has a class for all this, `StableDiffusionImg2ImgPipeline`. Does it do anything that you did not?

# %%
end, path = by_hand(page, prompt, 0.7, seed=5)
theirs = pipe(
    prompt,
    image=page,
    strength=0.7,
    num_inference_steps=20,
    guidance_scale=4.0,
    generator=torch.Generator().manual_seed(5),
    output_type="latent",
).images
print("latents, yours and diffusers':   ", max_difference(end, theirs))
to_the_end, _ = by_hand(page, prompt, 0.7, seed=5, final=1.0)
print("if your last step goes on to 1:  ", max_difference(to_the_end, theirs))
print("where diffusers' last step ends: ", pipe.scheduler.final_alpha_cumprod.item())
print("alpha_bar[0]:                    ", alpha_bar[0].item())

result = s2i.translate(page, prompt, pipe=pipe, strength=0.7, seed=5)
row = {
    "by hand": decode(end),
    "s2i.translate": result.image,
}
sheet, alt = picture_row(row)
s2i.show(sheet, alt=f"The same house twice. {alt}")
print("what ran:", result.plan)
print("by hand: ", [t for t, x_t, eps in path])

# %% [markdown]
# What differs in the first line is rounding. The second line shows that `final` is no detail: only with the right one
# do the latents agree. For DDPM and Euler the equality is tested with this library.
#
# **Spot the bug.** Someone compares two strengths, and fixes the seed to be fair:
#
# ```python
# generator = torch.Generator().manual_seed(0)
# for strength in (0.6, 0.8):
#     pictures.append(pipe(prompt, image=page, strength=strength, generator=generator).images[0])
# ```
#
# What is wrong? The next cell makes *the same* strength twice in that way, and once with a fresh generator.

# %%
equal = predict(
    "Which of the three pictures will be equal?",
    answer=...,
    options=("all", "first and second", "first and third", "none"),
)

# %%
generator = torch.Generator().manual_seed(0)
three = [
    pipe(
        prompt,
        image=page,
        strength=0.8,
        num_inference_steps=20,
        guidance_scale=4.0,
        generator=g,
    ).images[0]
    for g in (generator, generator, torch.Generator().manual_seed(0))
]
sheet, alt = picture_row(dict(zip(("0.8, first", "0.8, second", "0.8, third"), three)))
s2i.show(sheet, alt=f"Three pictures from the same settings. {alt}")
second, third = (three[0].tobytes() == picture.tobytes() for picture in three[1:])
only = "first and second" if second else "first and third" if third else "none"
equal.compare("all" if second and third else only)

# %% [markdown]
# The generator goes on where the first picture left it, so the second one gets other noise. Such a comparison shows strength *and*
# seed. Each picture needs a fresh generator. `s2i.translate` makes one for every call.
#
# Three more traps of the pipeline. None of them raises an error:
#
# - A picture with **four channels**, such as a PNG with transparency, is taken for a latent and is not encoded. The result has eight
#   times as many pixels on each side.
# - A transparent PNG that was made RGB the quick way, by `.convert("RGB")`, usually becomes a **black page**.
# - A picture whose sides are not multiples of 8 is squeezed to the next smaller ones.
#
# `s2i.translate` takes care of all three.
#
# ## 7. The anatomy of a run
#
# Here is one run with every part drawn. Shapes, sizes, times and memory were measured in that very run. Find out: which
# part took most of the time? How large is the smallest map? Which parts ask the words? What comes out of the VAE's
# encoder, and why has it twice as many channels as the latent?

# %%
anatomy = s2i.anatomy(pipe, sketches["house"].path, prompt, strength=0.7, prepare="filled")
anatomy

# %% [markdown]
# And Stable Diffusion 1.5? Its drawing is the same with larger numbers: 860 million parameters in the U-Net, 64 × 64
# latents. Where it cannot be downloaded, you can still look at it. Its real shapes with random weights draw nothing,
# but they cost what they cost. It takes 3 GB of memory, or 5 GB if the computer has no bf16, and a minute or more. Set
# the first line to `True` if you like.

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
# Here is a ControlNet at work. `"mini-scribble"` has the weights of `"mini"`, and beside its U-Net a network that is shown
# the lines at every sampling step. It starts at strength 1, where SDEdit has next to nothing left of the sketch. The
# number under each picture is the **edge F1**, which lesson 12 builds. It is 1 if all edges of the picture lie on lines
# of the sketch and all lines on edges. It is 0 if none do.

# %%
keeps = predict(
    "Which has the highest edge F1?",
    answer=...,
    options=("start, strength 0.5", "start, strength 0.9", "led, strength 1.0"),
)

# %%
leading = s2i.load_pipeline("mini-scribble", device="cpu", dtype="fp32")
snail = fit_to(sketches["snail"].open(), (128, 128))
ways = {f"start, strength {s}": (pipe, s) for s in (0.5, 0.7, 0.9, 1.0)}
ways["led, strength 1.0"] = (leading, 1.0)

row, f1 = {"the sketch": snail}, {}
for name, (model, s) in ways.items():
    result = s2i.translate(snail, "a snail, noto style", pipe=model, strength=s, seed=0)
    f1[name] = faithfulness(result.sketch, result.image).f1
    row[f"{name}: {f1[name]:.2f}"] = result.image
sheet, alt = picture_row(row, columns=3)
s2i.show(sheet, alt=f"A snail of lines, as a start and as a guide. {alt}")
keeps.compare(max(keeps.options, key=f1.get))

# %% [markdown]
# The start at 0.5 has the highest number: it is still a line drawing. At which strength are its black lines gone, and
# what is its number by then? Compare the last two pictures. Strength and the sketch's share of the first $x_t$ are the
# same. Only one of them was shown the lines. Where do the other one's shapes come from, and where do they lie?
# One snail proves little. In lesson 14 you build and train such a network, and measure over many sketches what it is
# worth.
#
# ## 9. Your turn, and think about it
#
# Draw something with few, thick, closed lines, photograph it, and give its file name below.
#
# Then the question. In section 2 the distances were measured on points. How would you measure on *pictures* how faithful a picture is to
# its sketch, and how real it is? Write down two numbers that a program could calculate, and for each a picture that would fool it.
# Lesson 12 builds them.

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
# **Typical mistakes.** Skipping from the wrong end; noising the sketch up to the first of *all* timesteps; one noise for everything; the
# network asked about the sketch instead of $x_t$.
#
# **The anatomy's answers.** The U-Net took about 85 % of the time. The smallest map is 2 × 2. Those with a thick frame
# ask the words. Mean and log-variance come out of the encoder (lesson 7), which makes twice the channels.
#
# **The start at strength 1** owes most to the words: its picture is a snail that looks the other way.
#
# **What to listen for.** "Strength is how much the picture changes." It is how much *may* be changed: at 0.9 a lucky prompt can still give
# the sketch's composition. "Strength 0.5 is half the noise." Let them read √ᾱ off the plot.
#
# **The open question.** Faithful: do the sketch's lines lie on edges of the picture, within some pixels? A copy of the sketch fools it, so do
# edges everywhere. Real: is the picture among real ones in some feature space? Any good picture of another thing fools it. So one needs both.
