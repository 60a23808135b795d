# %% [markdown]
# # Lesson 9. The studio
#
# {{badge}}
#
# You know what happens between a sketch and a picture. Now you get an instrument for it: a pad, all the settings and
# the picture side by side, made anew while you draw and slide. With an instrument one makes experiments: predict, try
# it on your own sketch, then measure.
#
# | | |
# |---|---|
# | **You will** | draw and slide in the studio; find out with your own sketch where its lines vanish and when the seed matters; keep your best three pictures |
# | **Time** | about 50 minutes, three exercises |
# | **You need** | $\hat x_0$ from lesson 3, samplers from lesson 5, guidance from lesson 6, strength and start timestep from lesson 8 |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
from dataclasses import fields
from itertools import combinations

import torch

from s2i_teach.images import to_tensor
from s2i_teach.lessons import predict
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
# The model is `mini-fast`: the miniature with another sampler and only four sampling steps, so that a picture takes a
# fraction of a second. The sampler is that of *latent consistency models*, LCM. In each step it takes the guess
# $\hat x_0$ and noises it afresh, to the next and lower noise level. Models made for this sampler need few steps
# because their *network* was trained for few steps. The miniature's was not. Its pictures are simple, so four
# steps give a picture, but details are lost. Do not expect four steps to be enough for plain Stable Diffusion 1.5. Lesson 19 has a miniature
# that was trained for four steps.
#
# Below is the studio. **Try it for a minute:** slide, change a word, throw the die for another seed, add a line with the brush.
#
# Under the strength slider stands what *will run*: where the run starts, how much of the sketch is left there, how many evaluations it
# takes. With four steps the slider has four places and no more, since strength is a place in a list of steps (lesson 8). The studio shows
# you no setting that does not exist. If you prefer German, run `s2i.language("de")` before the next cell.

# %%
studio = s2i.Studio("turtle", model="mini-fast")
studio

# %% [markdown]
# There is nothing new inside. Press **Show me the code** below the picture: it is one call of `s2i.translate`, on a sketch that was
# saved beside the notebook. That call runs lesson 8's ten lines, and every slider is one of its arguments.
#
# Check it. `studio.result` is the picture on show, with its sketch and settings. The next cell makes it again without
# the studio. If the studio is not on the screen, it makes no picture. Then the cell makes one itself.

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
    """The picture once more, made only from what the result says of itself."""
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
# Scroll up to the studio and press **New page**. Draw one thing, large, with few lines and closed shapes. Say in *What it shows*
# what it is, and choose a style. The miniature knows animals, food, vehicles and everyday things, such as emoji show. Your drawing is
# kept in `s2i_pads`, a folder beside the notebook: it is there again after a restart.
#
# Then run the next cell. It takes your drawing for all that follows. If you drew nothing, the turtle stays. The cells below
# calculate in fp32 on the CPU, so that their numbers are the same on every computer, to rounding. The studio takes what is fastest on
# yours, so its pictures may differ a little.

# %%
if studio.page.is_empty:
    studio.page = s2i.SketchPad("turtle").page
mine = studio.page.image(128, 128)
my_prompt = studio.result.settings.prompt if studio.result else "a turtle, openmoji style"
my_page = to_tensor(mine)


def make(sketch=mine, prompt=my_prompt, **settings):
    """One picture, its noise from a fresh generator."""
    return s2i.translate(sketch, prompt, pipe=pipe, **({"prepare": "filled"} | settings))


print(my_prompt)
s2i.show(mine, alt=f"The sketch for: {my_prompt}.")

# %% [markdown]
# ## 3. One thing at a time
#
# Two pictures differ, and you want to say why. You can say it only if *one* setting differs. Then the comparison is
# **fair**. That sounds easy, but a run has more than a dozen settings, and most of them are not in view. So let a
# function look.
#
# `Settings` is a dataclass, a class that is mostly a list of named values. `fields(a)` from `dataclasses` lists them,
# each with a `.name`. `getattr(a, name)` gives the value of one. Keep their order.


# %% tags=["exercise-differences"]
def differences(a, b):
    """The names of the settings in which the Settings a and b differ, as a list."""
    ...


# %%
lesson.differences.check(differences)
differences = lesson.differences.use(differences)

# %% [markdown]
# **Predict:** which of these four comparisons with the first picture, of strength 0.5 and seed 0, are fair?

# %%
fair = predict(
    "Is it fair to compare this picture with the first one?",
    answer={
        "another strength": ...,
        "another strength, and the die": ...,
        "more steps": ...,
        "strength 0.6": ...,
    },
    options=("fair", "not fair"),
)

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
judged = {}
for name, other in others.items():
    names = differences(first.settings, other.settings)
    judged[name] = "fair" if len(names) == 1 else "not fair"
    print(f"{name}: {names}, {what_ran(other)}")
    if other.image.tobytes() == first.image.tobytes():
        print("    and it is the same picture")
fair.compare(judged)

# %% [markdown]
# One of them is fair and yet shows nothing: the setting differs and the picture is the same. Of four steps, strength 0.5 and 0.6 both run
# two. The studio's slider has no such places.
#
# Compare `result.settings`, not what you typed. There the run has put the model's default in the place of each None.
# Sketch and model must be the same as well: `differences` does not see them.
#
# ## 4. Strength: where do the lines go?
#
# **In the studio:** set *steps* to 8, so that strength has eight places. Keep the seed. Go through the places from left to right, and
# watch *your lines*. Then **predict** the strength from which on they are gone.

# %%
strengths = [step / 8 for step in range(1, 9)]
gone = predict(
    "From which strength on are your lines gone?",
    answer=...,  # for example "0.5"
    options=[*map(str, strengths), "never"],
)

# %% [markdown]
# Three people will name three strengths, so we need a number. `line_agreement` takes the local contrast of both
# pictures: how much darker a pixel is than the pixels around it. This leaves the lines and drops the areas. The
# **agreement of the lines** is the correlation of these two contrasts: 1 is a copy, about 0 is unrelated, −1 is a
# negative. Before a measure is used, it should show what it can do:

# %%
prompts = {"house": "a house, flat style", "mushroom": "a mushroom, openmoji style"}
pages = {name: to_tensor(s2i.open_sketch(sketches[name].path, (128, 128))) for name in prompts}
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
# Does the measure mind pale lines? Does it mind where the lines are?
#
# All eight strengths, with three seeds each, since one seed could be an accident.

# %%
seeds = [0, 1, 2]


def grid(sketch, prompt, seeds=seeds, **settings):
    """A row of results for each seed, one per strength."""
    settings = {"num_inference_steps": 8} | settings
    return [
        [make(sketch, prompt, strength=s, seed=seed, **settings) for s in strengths]
        for seed in seeds
    ]


def as_tensors(results):
    """All pictures of a grid: (seeds, strengths, 3, 128, 128)."""
    return torch.stack([torch.stack([to_tensor(r.image) for r in row]) for row in results])


def agreements(page, pictures):
    """The mean agreement over the seeds, one number per strength."""
    return [
        sum(line_agreement(page, x) for x in column) / len(column)
        for column in pictures.unbind(1)
    ]


def in_words(numbers):
    return "  ".join(f"{number:.2f}" for number in numbers)


results = grid(mine, my_prompt)
pictures = as_tensors(results)
rows = {f"seed {seed}": list(row) for seed, row in zip(seeds, pictures)}
sheet, alt = filmstrip(rows, [f"{s}" for s in strengths], side=100, steps=False)
s2i.show(sheet, alt=f"{my_prompt}, at eight strengths with three seeds. {alt}")
mine_agree = agreements(my_page, pictures)
print("agreement:", in_words(mine_agree))

# %% [markdown]
# To say at which strength the lines *vanish* we need a threshold, and nature does not give one. We take 0.25. Look at the pictures on
# both sides of it: do you agree?
#
# The lines vanish at the lowest strength from which on the agreement is below the threshold **and stays below**. At a
# single strength it may dip by accident. The strengths may come in any order. If the lines never vanish, the answer is
# None.


# %% tags=["exercise-vanishing_strength"]
def vanishing_strength(strengths, agreements, threshold):
    """The lowest of the strengths from which on all agreements are below the threshold, or None."""
    ...


# %%
lesson.vanishing_strength.check(vanishing_strength)
vanishing_strength = lesson.vanishing_strength.use(vanishing_strength)

# %%
grids = {name: as_tensors(grid(sketches[name].path, words)) for name, words in prompts.items()}
lines = {"yours": mine_agree} | {name: agreements(pages[name], grids[name]) for name in pages}
vanished = {name: vanishing_strength(strengths, line, 0.25) for name, line in lines.items()}
figure, alt = curves(
    strengths,
    lines,
    x_label="strength",
    y_label="agreement of the lines",
    title="What is left of the lines",
)
s2i.show(figure, alt=alt)
left = results[0][-1].plan.sqrt_alpha_bar
for name, line in lines.items():
    print(
        f"{name}: lines gone at {vanished[name] or 'no strength'}; agreement {line[-1]:.2f} at strength 1, "
        f"where {left:.0%} of the sketch's amplitude is left"
    )
gone.compare("never" if vanished["yours"] is None else str(vanished["yours"]))

# %% [markdown]
# Compare house and mushroom at the highest strength. Hardly anything of the sketch is left there for either of them, and yet the
# mushroom's lines are still found in its pictures. Is that sketch so strong?
#
# An experiment needs a **control**: the same run without the thing that is supposed to be the cause. Here it is a run from an empty page,
# with the same words and seeds. **Predict** its agreement with the mushroom's sketch. The cell turns the experiment round, too: it keeps
# the sketch and asks for a house.

# %%
from_nothing = predict(
    "From an empty page: the mean agreement with the mushroom's sketch, from −1 to 1?",
    answer=...,
)

# %%
blank = torch.ones(3, 128, 128)


def at_the_top(sketch, words):
    """Pictures of strength 1, one for each seed."""
    return [
        to_tensor(make(sketch, words, num_inference_steps=8, strength=1.0, seed=seed).image)
        for seed in seeds
    ]


rows = {
    "from the sketch": list(grids["mushroom"][:, -1]),
    "from an empty page": at_the_top(blank, prompts["mushroom"]),
    "from the sketch, “a house”": at_the_top(sketches["mushroom"].path, "a house, openmoji style"),
}
sheet, alt = filmstrip(rows, [f"seed {seed}" for seed in seeds], side=110, steps=False)
s2i.show(sheet, alt=f"Strength 1, {prompts['mushroom']} and, in the last row, a house. {alt}")
agree = {name: [line_agreement(pages["mushroom"], x) for x in row] for name, row in rows.items()}
for name, numbers in agree.items():
    over = sum(number >= 0.25 for number in numbers)
    print(f"{name}: {in_words(numbers)}; 0.25 or more with {over} of {len(seeds)} seeds")
from_nothing.compare(sum(agree["from an empty page"]) / len(seeds), within=0.1)

# %% [markdown]
# Where the empty page gives the same mushroom, the lines come from the *words*. The sketch is OpenMoji's mushroom, and its coloured
# original is among the pictures that the miniature was trained on.
#
# The third row has the mushroom's sketch and a house's words. If the sketch made the lines, they would be there as well. Are they?
#
# So a high agreement alone does not prove that the sketch was followed. The control must be low. Did *your* curve end near 0? Then the
# words alone do not draw your lines: your sketch did.
#
# ## 5. The seed
#
# **In the studio:** choose a low strength and throw the die a few times. Then a middle one, then the highest.
#
# **Predict:** at which of the eight strengths are the pictures of different seeds farthest apart? Many say: the higher the strength, the
# more noise, so the more the seed decides.

# %%
seed_matters = predict(
    "At which strength are the pictures of different seeds farthest apart?",
    answer=...,  # for example "0.5"
    options=[*map(str, strengths)],
)

# %% [markdown]
# We need a number for how far apart a handful of pictures is, their **spread**. You get no formula this time, only what
# the number should mean:
#
# - The distance of *two* pictures is the mean of |a − b| over all their values.
# - The spread of N pictures is the distance that you get *on average* if you draw two different ones of them by lot.
#
# So it is 0 if all are equal, it does not depend on their order, and it does not grow only because there are more pictures. It must be exact:
# do not draw anything by lot.


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
figure, alt = curves(
    strengths,
    spreads,
    x_label="strength",
    y_label="mean distance of two seeds",
    title="What the seed decides",
)
s2i.show(figure, alt=alt)
rows = {f"house, seed {seed}": list(row) for seed, row in zip(seeds, grids["house"])}
sheet, alt = filmstrip(rows, [f"{s}" for s in strengths], side=100, steps=False)
s2i.show(sheet, alt=f"A house at eight strengths with three seeds. {alt}")
farthest = {name: strengths[torch.tensor(line).argmax()] for name, line in spreads.items()}
for name, line in spreads.items():
    print(
        f"{name}: farthest apart at {farthest[name]}, {max(line):.3f}; "
        f"{line[0]:.3f} at {strengths[0]} and {line[-1]:.3f} at {strengths[-1]}"
    )
seed_matters.compare(str(farthest["yours"]))

# %% [markdown]
# Does the house follow the rule "the higher, the more"? Look at its pictures, column by column. At low strength the sketch decides. At high
# strength the words decide: for "a house, flat style" the miniature draws nearly the same house with every seed. In between neither
# decides: the noise says which parts are still drawn and which are painted, and in what colours.
#
# So the seed matters where sketch and words leave something open. How much that is for *your* sketch, your curve shows. A large
# model has seen thousands of houses, so its words should leave more open at the top. That is a guess; it was not measured here.
#
# ## 6. Guidance
#
# **In the studio:** steps back to 4, strength 0.75, one seed. Slide guidance from 1 to 12. Guidance 1 is none at all (lesson 6). Look at
# three things: how clear the colours are, how clean the paper is, and whether all parts hold together.

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
sheet, alt = filmstrip(rows, [f"{g:g}" for g in scales], side=110, steps=False)
s2i.show(sheet, alt=f"Two sketches at six guidance scales, from 1 to 12. {alt}")

# %% [markdown]
# Which scale would you choose for each of the two? The model's own value is 2.5 in these four steps. The miniature in
# twenty steps has 4. With few steps each one is long, and a strong push in each of them soon goes too far: harsh
# colours, black where a colour was, stains on the paper.
#
# ## 7. Steps, and who takes them
#
# A *scheduler* is a sampler. The model's own is `lcm`; `ddim` stands under *More settings*. **Predict:** with a
# *single* step at strength 1, which of the two gives your sketch back? Then try **in the studio:** guidance 2.5,
# strength at its highest, and steps from 1 to 8 with both.

# %%
one_step = predict(
    "Strength 1, a single step: who gives the sketch back?",
    answer=...,
    options=("lcm", "ddim", "both", "neither"),
)

# %%
numbers = [1, 2, 3, 4, 6, 8]
rows, back = {}, []
for scheduler in ("lcm", "ddim"):
    row = [
        make(strength=1.0, num_inference_steps=n, seed=0, scheduler=scheduler) for n in numbers
    ]
    rows[scheduler] = [r.image for r in row]
    starts = ", ".join(f"{r.plan.start_timestep:g}" for r in row)
    agree = line_agreement(to_tensor(row[0].prepared), to_tensor(row[0].image))
    back += [scheduler] if agree > 0.6 else []
    print(f"{scheduler} starts at t = {starts}; one step agrees with the sketch by {agree:.2f}")
one_step.compare({0: "neither", 1: back[0] if back else "", 2: "both"}[len(back)])
sheet, alt = filmstrip(rows, [f"{n}" for n in numbers], side=110, steps=False)
s2i.show(sheet, alt=f"{my_prompt}, strength 1, with one to eight steps. {alt}")

# %% [markdown]
# Strength is 1 in all of them. The printed lines say what the word hides. DDIM's single step starts at $t = 1$, where
# there is next to no noise. LCM starts at 999 with any number of steps. Its one step gives a blur, the mean of what
# could be (lesson 3). From a few steps on, one step more brings another picture rather than a better one.
#
# `differences` names `scheduler` alone here, and yet two things change: how the steps go, and where they start. *Fair* means that you
# can say what you changed. It does not mean that only one thing happens.
#
# ## 8. Lines or filled
#
# **In the studio:** back to the model's own scheduler, steps 8. Go through the strengths with *fill closed shapes* on, and off.
# **Predict:** in which of the two are your lines gone earlier? Watch also in which of them colour comes earlier.

# %%
earlier = predict(
    "Your lines are gone earlier:",
    answer=...,
    options=("filled", "as lines", "at the same strength"),
)

# %%
both = {
    "yours": (my_page, pictures, (mine, my_prompt)),
    "house": (pages["house"], grids["house"], (house.path, house.prompt)),
}
rows, vanished = {}, {}
for name, (page, filled, what) in both.items():
    plain = as_tensors(grid(*what, seeds=[0], prepare="lines"))
    for how, x in {"filled": filled[:1], "as lines": plain}.items():  # both with seed 0
        rows[f"{name}, {how}"] = list(x[0])
        line = agreements(page, x)
        vanished[name, how] = vanishing_strength(strengths, line, 0.25)
        print(f"{name}, {how}: {in_words(line)}, gone at {vanished[name, how] or 'no strength'}")
sheet, alt = filmstrip(rows, [f"{s}" for s in strengths], side=100, steps=False)
s2i.show(sheet, alt=f"Two sketches, filled and as lines, at eight strengths. {alt}")
filled, plain = (vanished["yours", how] or 2 for how in ("filled", "as lines"))  # None is never
order = "filled" if filled < plain else "as lines"
earlier.compare("at the same strength" if filled == plain else order)

# %% [markdown]
# Look not only at where the lines are gone, but at *how* they go. Compare the numbers of each sketch's two rows: which one loses most within two places
# of the slider, or do they hardly differ? In which of the house's rows is the roof in colour at strength 0.25? And from which strength on do the two
# rows look alike? These are two sketches and one seed, so do not make a rule of it. Section 4 had the mean of three seeds, so it may have
# another place for the same sketch.
#
# ## 9. Your best three
#
# **In the studio:** now for the picture itself. Every picture at which you pause goes into the history. A click on it
# brings back its drawing and its settings. The **star** keeps it. *Compare* lays it over the picture on show, with a
# slider that uncovers one or the other. Give a star to your best three, then run the cell. Without stars it takes three
# from section 4.

# %%
best = studio.favourites[:3]
if not best:
    print("No star was given: these are three from section 4.")
    best = [results[0][2], results[0][4], results[2][3]]
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
# Good pictures are found by changing many things, and knowledge by changing one.
#
# Each file holds its settings and its sketch. If you have the file, you can make the picture again:

# %%
record = s2i.read_record("best_1.png")
model = s2i.load_pipeline(record.model, dtype=record.precision)
again = run(record.sketch, record.settings, model).image
print(record.settings)
print("the same pixels:", again.tobytes() == best[0].image.tobytes())

# %% [markdown]
# ## 10. What you found
#
# The score counts your exercises and your predictions. A wrong prediction is worth as much as a right one if you can say why it was wrong.

# %%
lesson.score()
figure, alt = curves(
    strengths,
    {"agreement of the lines": mine_agree, "distance of two seeds": spreads["yours"]},
    x_label="strength",
    y_label="your sketch",
    title=my_prompt,
)
s2i.show(figure, alt=alt)

# %% [markdown]
# What are these numbers worth?
#
# - They come from three seeds. The next three may move them by a place on the slider.
# - The strength at which lines vanish hangs on a threshold that we chose.
# - They come from a small model. It knows few pictures for each of its words, and some of the course's sketches are among them.
# - Neither of the two measures knows what a picture *shows*.
#
# ## 11. A look at lines that lead
#
# All that you measured holds for a sketch that is a *start*. The studio has another model, `mini-scribble-fast`, in which the sketch
# *leads*: a second network looks at its lines at every step (lesson 14). If you name no model, the studio takes this one.
#
# It has three more sliders. **Lines lead** says how firmly: 0 is not at all, 1 is as the network was trained. **from** and **to** say in which
# part of the run. Under the picture, *What leads the network* shows what the second network sees of your page, white on black.
#
# Say beforehand what you expect. What is left of the turtle's shape at 0? What if the lines lead only **from** 50 % on,
# after half of the steps? Draw a line with a gap in it, too: does the picture have a hole there?

# %%
led_studio = s2i.Studio("turtle", model="mini-scribble-fast", name="led")
led_studio

# %% [markdown]
# At 0 the second network adds nothing. So the shape comes from the words and the seed, and from the little of the sketch that is left at the start.
# Large shapes are decided early, where the noise is strong. Lines that come late meet shapes that are there already. What closes a gap is what the
# words and the other lines make likely; nothing tells the network that the gap was a slip.
#
# On a GPU, `s2i.Studio(model="sd15")` is the same studio with Stable Diffusion 1.5: 512 × 512 pixels, plain words in place of the five
# styles, 50 steps, with previews on the way and a button to stop. It downloads 2.7 GB at the first start. Do sections 4 and 5 come
# out the same there?
#
# ## Think about it
#
# You chose your best three out of many. If you show only those, what will somebody believe about the method? What would you have to show
# beside them?

# %% [markdown]
# **The ten questions of lesson 0, once more.** Answer them here if your course ends with this lesson. The second time the quiz tells what is
# right, and why. It finds your first answers in `s2i_quiz.json`, beside this notebook. On Colab, upload that file first.

# %%
s2i.quiz()

# %% [markdown]
# ## Sources
#
# - Meng et al., *SDEdit: Guided Image Synthesis and Editing with Stochastic Differential Equations*, 2021, arXiv 2108.01073.
# - Zhang, Rao and Agrawala, *Adding Conditional Control to Text-to-Image Diffusion Models* (ControlNet), 2023, arXiv 2302.05543.
# - Luo et al., *Latent Consistency Models*, 2023, arXiv 2310.04378: the sampler that `mini-fast` uses, and the training that it was made for.
# - Song, Meng and Ermon, *Denoising Diffusion Implicit Models*, 2020, arXiv 2010.02502.
# - The sketches of house, mushroom and turtle: OpenMoji, CC BY-SA 4.0.
#
# **Next:** lesson 10, *Data: where sketches come from*.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** 5 minutes of free play first, or nobody will listen; 5 for the drawing, 7 for section 3, 12 for section 4, 8 for the seed,
# 5 for sections 6 to 8 together, the rest for the best three. Short of time? Leave out 6 to 8. All cells together take about a minute.
#
# **Typical mistakes.** In `differences`: only the sliders; no seed; `if x and y`, which drops seed 0. In `vanishing_strength`: the first
# dip, and the last strength at which the lines are still there. In `spread`: every picture with itself, and signed differences. A draw that
# may take the same picture twice counts it with itself.
#
# **What we measured.** The house's lines are gone at 0.625, the turtle's at 0.75, the mushroom's never. With seed 0 alone turtle and house are
# both gone at 0.625. Filled or not makes no difference to that for turtle and house. The mushroom's agreement at strength 1 is 0.52 on average, and
# 0.52 from the empty page as well. With a house's words it is −0.02. The house's seeds are farthest apart at 0.5, the turtle's at 0.625, and
# hardly less at 0.75.
#
# **What to listen for.** "The empty page has a high agreement, so the measure is broken." It measures what it says; it is the
# conclusion that was wrong. "The seed matters most at strength 1." Let them look at the house's last columns, and ask what the words
# leave open.
#
# **Drawings that teach.** A thing that the miniature knows, seen from an unusual side: do the words turn it around? Lines with wide gaps:
# nothing is filled, since only gaps of up to 6 % of the page are closed.
#
# **The open question.** A picked picture says what is possible, not what is usual. Beside it belong how many there were, and all of them, or
# some drawn by lot, with their settings.
