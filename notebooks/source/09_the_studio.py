# %% [markdown]
# # Lesson 9. The studio
#
# {{badge}}
#
# You know what happens between a sketch and a picture. Now you get an instrument for it: a pad, all the settings and the picture side
# by side, made anew while you draw and slide. And with an instrument one makes experiments: predict, try it on your own sketch, then
# measure. Not everything will come out as expected.
#
# | | |
# |---|---|
# | **You will** | draw and slide in the studio; find out with your own sketch where its lines vanish and when the seed matters; keep your best three pictures |
# | **Time** | about 50 minutes, three exercises |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
from dataclasses import fields
from itertools import combinations

import torch

from s2i_teach.images import to_tensor
from s2i_teach.theory.measure import max_difference
from s2i_teach.translation.compare import line_agreement
from s2i_teach.translation.run import run
from s2i_teach.translation.settings import Settings
from s2i_teach.widgets.figures import curves, filmstrip, picture_row
from s2i_teach.widgets.studio import describe_result, python_call, sheet_of

lesson = s2i.lesson(9)
pipe = s2i.load_pipeline("mini-fast", device="cpu", dtype="fp32")
sketches = {s.name: s for s in s2i.sketches()}

# %% [markdown]
# ## 1. From ten lines to sliders
#
# The model is `mini-fast`: the miniature with another sampler and only four steps, so that a picture takes a fraction of a second. The
# sampler is LCM's. In each step it takes the guess $\hat x_0$ and noises it afresh to the next level. Models made for it need few steps
# because their *network* was trained for that. The miniature's was not; its pictures are simple enough. Do not expect four steps to do on
# plain Stable Diffusion 1.5.
#
# Below is the studio. **Try it for a minute:** slide, change a word, throw another seed, add a line with the brush.
#
# Under the strength slider stands what *will run*: where the run starts, how much of the sketch is left there, how many evaluations it
# takes. With four steps the slider has four places and no more (lesson 8: strength is a place in a list). The studio shows you no
# setting that does not exist. (`s2i.language("de")`, run before the next cell, makes its words German.)

# %%
studio = s2i.Studio("turtle", model="mini-fast")
studio

# %% [markdown]
# There is nothing new inside. Press **Show me the code** below the picture: it is one call of `s2i.translate`, on a sketch that was
# saved beside the notebook, and that call runs lesson 8's ten lines; every slider is one of its arguments. Don't believe it, check it.
# `studio.result` is the picture on show, with its sketch and settings; the cell makes it again without the studio. (While nobody looks
# at the studio it makes no picture; then the cell takes one from the code.)

# %%
shown = studio.result or s2i.translate(
    studio.page.image(128, 128),  # what is on the pad, at the model's size
    "a turtle, openmoji style",
    pipe="mini-fast",
    prepare="filled",
    seed=0,
)
print(python_call(shown, "sketch.png"))


def made_again(result):
    """The picture once more, from nothing but what the result says of itself."""
    model = s2i.load_pipeline(result.model, dtype=result.precision)
    return run(result.sketch, result.settings, model).image


again = made_again(shown)
row = {"on show": shown.image, "made again": again}
sheet, alt = picture_row(row)
s2i.show(sheet, alt=f"Twice the same picture. {alt}")
print("largest difference:", max_difference(to_tensor(shown.image), to_tensor(again)))

# %% [markdown]
# ## 2. Your own sketch
#
# Scroll up to the studio and press **Clear the page**. Draw one thing, large, with few lines and closed shapes. Say in *What it shows*
# what it is, and choose a style. The miniature knows animals, food, vehicles and everyday things, such as emoji show.
#
# Then run the next cell. It takes your drawing for all that follows. (If you drew nothing, the turtle stays.) The cells below
# calculate in fp32 on the CPU, so that their numbers are the same on every computer, to rounding; the studio takes what is fastest on
# yours, and its pictures may differ from theirs a little.

# %%
if studio.page.is_empty:
    studio.page = s2i.SketchPad("turtle").page
mine = studio.page.image(128, 128)
my_prompt = studio.result.settings.prompt if studio.result else "a turtle, openmoji style"
my_page = to_tensor(mine)
predicted, measured = {}, {}  # what you expect, and what comes out


def make(sketch=mine, prompt=my_prompt, **settings):
    """One picture, its noise from a fresh generator."""
    return s2i.translate(sketch, prompt, pipe=pipe, **({"prepare": "filled"} | settings))


print(my_prompt)
s2i.show(mine, alt=f"The sketch for: {my_prompt}.")

# %% [markdown]
# ## 3. One thing at a time
#
# Two pictures differ, and you want to say why. You can only if *one* setting differs: change strength and seed together, and
# nobody can tell which of them did it. That sounds easy, but a run has more than a dozen settings, and most of them are not in view. So let a
# function look. (`Settings` is a dataclass: `fields(a)` from `dataclasses` lists its fields, each with a `.name`. Keep their order.)


# %% tags=["exercise-differences"]
def differences(a, b):
    """The names of the settings in which the Settings a and b differ, as a list."""
    ...


# %%
lesson.differences.check(differences)
differences = lesson.differences.use(differences)

# %% [markdown]
# **Predict first:** which of these four comparisons with the first picture are fair?

# %%
first = make(strength=0.5, seed=0)
others = {
    "another strength": make(strength=0.75, seed=0),
    "another strength, and the die": make(strength=0.75, seed=3),
    "more steps": make(strength=0.5, seed=0, num_inference_steps=8),
    "strength 0.6": make(strength=0.6, seed=0),
}


def what_ran(result):
    return f"{result.plan.evaluations} evaluations from t = {result.plan.start_timestep:g}"


print(f"the first: {what_ran(first)}")
for name, other in others.items():
    print(f"{name}: {differences(first.settings, other.settings)}, {what_ran(other)}")
    if other.image.tobytes() == first.image.tobytes():
        print("    and it is the same picture")

# %% [markdown]
# All but the second. The last one differs in strength and makes the very same picture: of four steps, 0.5 and 0.6 both run two. (The
# studio's slider has no such places.)
#
# Compare `result.settings`, not what you typed: there the defaults are filled in; in what you typed they are None. And sketch and
# model must be the same as well, which `differences` does not see.
#
# ## 4. Strength: where do the lines go?
#
# **In the studio:** set *steps* to 8, so that strength has eight places. Keep the seed. Go through the places from left to right, and
# watch *your lines*.
#
# **Predict first:** from which strength on are they gone? Write the number down.

# %%
predicted["the lines vanish at strength"] = None  # your number

# %% [markdown]
# Three people will name three strengths, so we need a number. `line_agreement` takes of both pictures the local contrast, how much
# darker a pixel is than the pixels around it, which leaves the lines and drops the areas; and of these two the correlation. 1 is a
# copy, 0 is unrelated. Before a measure is used, it should show what it can do:

# %%
pages = {
    name: to_tensor(s2i.open_sketch(sketches[name].path, (128, 128)))
    for name in ("house", "strawberry")
}
for name, picture in {
    "your sketch with itself": my_page,
    "paler": my_page * 0.5,
    "its negative": -my_page,
    "shifted by 1 pixel": my_page.roll(1, 2),
    "shifted by 4 pixels": my_page.roll(4, 2),
    "the sketch of a house": pages["house"],
}.items():
    print(f"{name}: {line_agreement(my_page, picture):+.2f}")

# %% [markdown]
# It does not mind pale lines, but it does mind where they are: moved by four pixels, the same lines count as other lines. That is a
# choice.
#
# Now all eight strengths, with three seeds each, since one seed could be an accident.

# %%
strengths = [step / 8 for step in range(1, 9)]
seeds = [0, 1, 2]


def grid(sketch, prompt, seeds=seeds, **settings):
    """A row of results for each seed, one a strength."""
    settings = {"num_inference_steps": 8} | settings
    return [
        [make(sketch, prompt, strength=s, seed=seed, **settings) for s in strengths]
        for seed in seeds
    ]


def as_tensors(results):
    """All pictures of a grid: (seeds, strengths, 3, 128, 128)."""
    return torch.stack([torch.stack([to_tensor(r.image) for r in row]) for row in results])


def agreements(page, pictures):
    """The mean agreement over the seeds, one number a strength."""
    return [
        sum(line_agreement(page, x) for x in column) / len(column)
        for column in pictures.unbind(1)
    ]


def in_words(numbers):
    return "  ".join(f"{number:.2f}" for number in numbers)


results = grid(mine, my_prompt)
pictures = as_tensors(results)
rows = {f"seed {seed}": list(row) for seed, row in zip(seeds, pictures)}
sheet, alt = filmstrip(rows, [f"{s}" for s in strengths], side=100)
s2i.show(sheet, alt=f"{my_prompt}, at eight strengths with three seeds. {alt}")
mine_agree = agreements(my_page, pictures)
print("agreement:", in_words(mine_agree))

# %% [markdown]
# For a strength at which the lines *vanish* one needs a threshold, which nature does not give. We take 0.25; look at the pictures on
# both sides of it and see whether you agree. The lines are gone from where on the agreement is below **and stays below**: at a single
# strength it may dip by accident. The strengths may come in any order. If the lines never go, the answer is None.


# %% tags=["exercise-vanishing_strength"]
def vanishing_strength(strengths, agreements, threshold):
    """The lowest of the strengths from which on all agreements are below the threshold, or None."""
    ...


# %%
lesson.vanishing_strength.check(vanishing_strength)
vanishing_strength = lesson.vanishing_strength.use(vanishing_strength)

# %%
measured["the lines vanish at strength"] = vanishing_strength(strengths, mine_agree, 0.25)
grids = {name: as_tensors(grid(sketches[name].path, sketches[name].prompt)) for name in pages}
lines = {"yours": mine_agree} | {name: agreements(pages[name], grids[name]) for name in pages}
figure, alt = curves(
    strengths,
    lines,
    x_label="strength",
    y_label="agreement of the lines",
    title="What is left of the lines",
)
s2i.show(figure, alt=alt)
for name, line in lines.items():
    print(f"{name}: gone at {vanishing_strength(strengths, line, 0.25)}")

# %% [markdown]
# The house loses its lines for good. The strawberry *never does*: even at strength 1, where 7 % of the sketch's amplitude is left, its
# agreement is near 0.4. Is the sketch so strong? An experiment needs a **control**: the same run without the thing that is supposed to
# be the cause. Here, an empty page. **Predict first:** what will its agreement with the strawberry's sketch be?

# %%
berry = sketches["strawberry"]
blank = torch.ones(3, 128, 128)
control = [
    to_tensor(make(blank, berry.prompt, num_inference_steps=8, strength=1.0, seed=seed).image)
    for seed in seeds
]
rows = {"from the sketch": list(grids["strawberry"][:, -1]), "from an empty page": control}
sheet, alt = filmstrip(rows, [f"seed {seed}" for seed in seeds], side=110)
s2i.show(sheet, alt=f"{berry.prompt}, strength 1. {alt}")
for name, row in rows.items():
    print(f"{name}:", in_words(line_agreement(pages["strawberry"], x) for x in row))

# %% [markdown]
# With two of three seeds the empty page gives the same strawberry. These lines come from the *words*: the sketch is OpenMoji's
# strawberry, and its coloured original is among the pictures that the miniature was trained on. With seed 0 the sketch did have a
# part in it, if only in place and size; had you taken that seed alone, you would believe in the sketch. So a high agreement does not
# prove that the sketch was followed; the control has to be low, and one seed is not enough. Did *your* curve end near 0? Then the
# agreement before it came from your lines.
#
# ## 5. The seed
#
# **In the studio:** choose a low strength and throw the die a few times. Then a middle one, then the highest.
#
# **Predict first:** at which of the eight strengths will the pictures of different seeds be farthest apart? Many say: the higher the
# strength, the more noise, so the more the seed decides.

# %%
predicted["the seed matters most at strength"] = None  # your number

# %% [markdown]
# How far apart is a handful of pictures? For each pair of two different pictures take the mean of |a − b| over all pixels, and then
# the mean over the pairs. 0 says that all are equal.


# %% tags=["exercise-spread"]
def spread(pictures):
    """The mean distance of the pictures (N, 3, H, W) from one another, a number."""
    ...


# %%
lesson.spread.check(spread)
spread = lesson.spread.use(spread)

# %%
spreads = {
    name: [spread(column) for column in x.unbind(1)]
    for name, x in {"yours": pictures, "house": grids["house"]}.items()
}
top = torch.tensor(spreads["yours"]).argmax()
measured["the seed matters most at strength"] = strengths[top]
figure, alt = curves(
    strengths,
    spreads,
    x_label="strength",
    y_label="mean distance of two seeds",
    title="What the seed decides",
)
s2i.show(figure, alt=alt)
rows = {f"house, seed {seed}": list(row) for seed, row in zip(seeds, grids["house"])}
sheet, alt = filmstrip(rows, [f"{s}" for s in strengths], side=100)
s2i.show(sheet, alt=f"A house at eight strengths with three seeds. {alt}")

# %% [markdown]
# The house contradicts the rule. Its seeds are farthest apart *in the middle*, at 0.375, and at the top they are as near as at the
# bottom. Look at its pictures, column by column. At low strength the sketch decides. At high strength the words decide: for "a house,
# flat style" the miniature draws one and the same house with every seed. In between neither does, and there the noise tips the scales
# between a line drawing and a painting. (The turtle, where it stands in for your sketch, follows the rule up to the top: in section 4
# its seed 0 looks to the left, seed 2 to the right, and seed 1 cannot make up its mind.)
#
# So the seed has its say where sketch and words leave something open. How much that is for *your* sketch, your curve shows. A large
# model has seen thousands of houses, so its words should leave more open at the top. (That is a guess; it was not measured here.)
#
# ## 6. Guidance
#
# **In the studio:** steps back to 4, strength 0.75, one seed. Slide guidance from 1 to 12. **Predict first:** what will 1 look like (lesson
# 6: no guidance at all), and what 12?

# %%
house = sketches["house"]
scales = [1, 2.5, 4, 6, 8, 12]
rows = {
    "yours": [make(strength=0.75, guidance_scale=g, seed=0).image for g in scales],
    "house": [
        make(house.path, house.prompt, strength=0.75, guidance_scale=g, seed=0).image
        for g in scales
    ],
}
sheet, alt = filmstrip(rows, [f"{g:g}" for g in scales], side=110)
s2i.show(sheet, alt=f"Two sketches at six guidance scales, from 1 to 12. {alt}")

# %% [markdown]
# At 1 the colours are dull and the edges soft; some guidance makes both clearer. From about 6 on the picture comes apart: harsh
# colours, stains on the paper, holes in the walls. Four steps bear little of it. (The catalog's values: 4 for the miniature in twenty
# steps, 2.5 here.)
#
# ## 7. Steps, and who takes them
#
# **In the studio:** guidance 2.5, strength at its highest, and steps from 1 to 8. Then the same with another scheduler, `ddim`, under *More
# settings*. **Predict first:** what comes out of a *single* step at strength 1?

# %%
numbers = [1, 2, 3, 4, 6, 8]
rows = {}
for scheduler in ("lcm", "ddim"):
    row = [
        make(strength=1.0, num_inference_steps=n, seed=0, scheduler=scheduler) for n in numbers
    ]
    rows[scheduler] = [r.image for r in row]
    starts = ", ".join(f"{r.plan.start_timestep:g}" for r in row)
    print(f"{scheduler} starts at t = {starts}")
sheet, alt = filmstrip(rows, [f"{n}" for n in numbers], side=110)
s2i.show(sheet, alt=f"{my_prompt}, strength 1, with one to eight steps. {alt}")

# %% [markdown]
# Strength is 1 in all of them, and a single step of DDIM gives the sketch back. The printed line says why: its only timestep is
# $t = 1$, where there is next to no noise. LCM starts at 999 with any number of steps. One step gives a blur, the mean of what could
# be (lesson 3); with two it is a picture, and from four on the next step brings another picture rather than a better one.
#
# `differences` names `scheduler` alone here, and yet two things change: how the steps go, and where they start. *Fair* means that you
# can say what you changed, not that only one thing happens.
#
# ## 8. Lines or filled
#
# **In the studio:** back to the model's own scheduler, steps 8. Go through the strengths with *fill closed shapes* on, and off.
# **Predict first:** in which of the two are your lines gone earlier? And which is in colour earlier?

# %%
both = {
    "yours": (my_page, pictures, (mine, my_prompt)),
    "house": (pages["house"], grids["house"], (house.path, house.prompt)),
}
rows = {}
for name, (page, filled, what) in both.items():
    plain = as_tensors(grid(*what, seeds=[0], prepare="lines"))
    for how, x in {"filled": filled[:1], "lines": plain}.items():  # both with seed 0
        rows[f"{name}, {how}"] = list(x[0])
        line = agreements(page, x)
        gone = vanishing_strength(strengths, line, 0.25)
        print(f"{name}, {how}: {in_words(line)}, gone at {gone}")
sheet, alt = filmstrip(rows, [f"{s}" for s in strengths], side=100)
s2i.show(sheet, alt=f"Two sketches, filled and as lines, at eight strengths. {alt}")

# %% [markdown]
# The lines are gone at the same strength either way: 0.5 for the turtle, 0.625 for the house. What differs is how they go. Without
# filling more of them is left at low strength, and then they are gone within a step or two; filled, they fade, and colour is there
# earlier. From 0.625 on the two rows are alike. (Two sketches and one seed: another drawing may lose its unfilled lines a step later.)
#
# ## 9. Your best three
#
# **In the studio:** now for the picture itself. Every picture that you rest at goes into the history; the **star** keeps it, *Compare*
# lays it under a wipe, and a click on it brings back its drawing and its settings. Give a star to your best three, then run the cell.
# (Without stars it takes three from section 4.)

# %%
best = studio.favourites[:3]
if not best:
    print("No star was given: these are three from section 4.")
    best = [results[0][2], results[1][4], results[2][6]]
for number, result in enumerate(best, 1):
    result.save(f"best_{number}.png")
sheet = sheet_of(best)
s2i.show(sheet, alt=f"The best three: {'; '.join(describe_result(r) for r in best)}.")

# %% [markdown]
# Could you say *why* the first is better than the second?

# %%
for a, b in combinations(range(len(best)), 2):
    names = differences(best[a].settings, best[b].settings)
    print(f"{a + 1} and {b + 1} differ in {names}:", "fair" if len(names) == 1 else "not fair")

# %% [markdown]
# Hardly: good pictures are found by changing many things, and knowledge by changing one. Both are work, and not the same work.
#
# Each file holds its settings and its sketch. Whoever has the file can make the picture again:

# %%
record = s2i.read_record("best_1.png")
model = s2i.load_pipeline(record.model, dtype=record.precision)
again = run(record.sketch, record.settings, model).image
print(record.settings)
print("the same pixels:", again.tobytes() == best[0].image.tobytes())

# %% [markdown]
# ## 10. What you found

# %%
for question, found in measured.items():
    said = predicted[question]
    print(f"{question} {found}; you said {'nothing' if said is None else said}")
figure, alt = curves(
    strengths,
    {"agreement of the lines": mine_agree, "distance of two seeds": spreads["yours"]},
    x_label="strength",
    y_label="your sketch",
    title=my_prompt,
)
s2i.show(figure, alt=alt)

# %% [markdown]
# What these numbers are worth: they come from three seeds, so the next three may move them by a place on the slider; from one threshold,
# which we chose; and from a small model, which knows few pictures for each of its words, some of the course's sketches among them.
# Neither of the two measures knows what a picture *shows*.
#
# ## 11. A look at guidance
#
# All that you measured holds for a sketch that is a *start*. The studio has another model, `mini-scribble-fast`, in which the sketch
# *leads*: a second network looks at its lines at every step (lesson 14). Without a model's name, the studio takes this one.
#
# It has three more sliders. **Lines lead** says how firmly: 0 is not at all, 1 is as the network was trained. **from** and **to** say in which
# part of the run. Under the picture, *What leads the network* shows what the second network sees of your page, white on black.
#
# Predict before each: what is left of your shape at 0? And if the lines lead only **from** 50 % on, after half of the steps?
# Draw a line with a gap in it, too: does the picture have a hole there?

# %%
led_studio = s2i.Studio("turtle", model="mini-scribble-fast")
led_studio

# %% [markdown]
# Large shapes are decided early, where the noise is strong. Lines that come late find the shapes already there.
#
# On a GPU, `s2i.Studio(model="sd15")` is the same studio with Stable Diffusion 1.5: 512 × 512 pixels, plain words in place of the five
# styles, 50 steps, with previews on the way and a button to stop, and a download of 2.7 GB at the first start. Do sections 4 and 5 come
# out the same there?
#
# ## Think about it
#
# You chose your best three out of many. If you show only those, what will somebody believe about the method? What would you have to show
# beside them?
#
# ## Sources
#
# - Meng et al., *SDEdit: Guided Image Synthesis and Editing with Stochastic Differential Equations*, 2021, arXiv 2108.01073.
# - Zhang, Rao and Agrawala, *Adding Conditional Control to Text-to-Image Diffusion Models* (ControlNet), 2023, arXiv 2302.05543.
# - Luo et al., *Latent Consistency Models*, 2023, arXiv 2310.04378: the sampler that `mini-fast` uses, and the training that it was made for.
# - Song, Meng and Ermon, *Denoising Diffusion Implicit Models*, 2020, arXiv 2010.02502.
# - The sketches of house, strawberry and turtle: OpenMoji, CC BY-SA 4.0.
#
# **Next:** lesson 10, *Data: where sketches come from*.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** 5 minutes of free play first, or nobody will listen; 5 for the drawing, 7 for section 3, 12 for section 4, 8 for the seed,
# 5 for sections 6 to 8 together, the rest for the best three. Short of time? Leave out 6 to 8. All cells together take about a minute.
#
# **Typical mistakes.** In `differences`: only the sliders; no seed; `if x and y`, which drops seed 0. In `vanishing_strength`: the first
# dip, and the last strength at which the lines are still there. In `spread`: every picture with itself, and signed differences.
#
# **What to listen for.** "The empty page has an agreement of 0.4, so the measure is broken." It measures what it says; it is the
# conclusion that was wrong. "The seed matters most at strength 1." Let them look at the house's last columns, and ask what the words
# leave open.
#
# **Drawings that teach.** A thing that the miniature knows, seen from an unusual side: do the words turn it around? Lines with wide gaps:
# nothing is filled (gaps of up to 6 % of the page are closed).
#
# **The open question.** A picked picture says what is possible, not what is usual. Beside it: how many there were, and all of them, or
# some drawn by lot, with their settings.
