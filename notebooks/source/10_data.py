# %% [markdown]
# # Lesson 10. Data: where sketches come from
#
# {{badge}}
#
# No model that you trained or ran in this course knew more than its pictures. So where do pictures come from? Who made them, may
# one use them, and what is missing among them? In this lesson you draw a sample that anybody can draw again. You clean it and find
# out what cleaning breaks. You check what is said of famous data sets. And you filter a training set "by beauty" to see what that does to
# a model.
#
# | | |
# |---|---|
# | **You will** | sample, look, clean and count; read datasheets; find the evidence for or against ten claims; train a model on a beautiful half and on a random one |
# | **Time** | about 55 minutes, three exercises; the trainings take less than a minute together |
# | **You need** | for sections 1 to 5 Python's lists, dicts and numpy arrays; for section 6 also the training loop of lesson 4 and the sampler of lesson 5 |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none; the lines for the real data set stand ready in section 4 |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import hashlib
import random
import textwrap
import zipfile
from collections import Counter

import numpy as np
import torch
import torch.nn.functional as F
from IPython.display import Markdown
from torch import nn

from s2i_teach.data_sources.rules import GRAIN, grey_values, paper_tone
from s2i_teach.images import read_picture, to_picture, to_tensor
from s2i_teach.lessons import predict
from s2i_teach.lessons.archive import write_archive
from s2i_teach.lessons.claims import CLAIMS, FACTS, as_markdown
from s2i_teach.models.devices import one_thread
from s2i_teach.theory.forward import add_noise
from s2i_teach.theory.measure import colourfulness
from s2i_teach.theory.prediction import eps_from_x0
from s2i_teach.theory.sampler import ddim_step, spaced_timesteps
from s2i_teach.theory.schedule import alphas_cumprod, scaled_linear_betas
from s2i_teach.theory.unet import UNet
from s2i_teach.training.pictures import load_pairs
from s2i_teach.translation.prepare import fill_regions
from s2i_teach.widgets.figures import filmstrip

lesson = s2i.lesson(10)

# %% [markdown]
# ## 1. A sample that can be drawn again
#
# **ImageNet-Sketch** is a zip of 7.8 GB. It has a folder for each of ImageNet's 1,000 classes, named after the class's id, with some 50
# drawings each. Nobody works with all of them at first: you draw a **sample**, a few hundred by lot. The cell makes a zip of the same
# layout from the drawings that ship with the course, small enough to look through. Section 4 has the lines for the real one, and a line that
# tells what it would cost before anything is fetched.

# %%
source = "ImageNet-Sketch-in-miniature.zip"
planted = write_archive(source)  # what this gives back, we open later
with zipfile.ZipFile(source) as archive:
    names = archive.namelist()
classes = {name.split("/")[1] for name in names}
print(f"{len(names)} files, {len(classes)} classes, such as", *names[:3], sep="\n  ")

# %% [markdown]
# "We drew a few hundred sketches at random" stands in many reports, and nobody can draw the same ones. The usual cure is a
# seed, as in `random.Random(0)`. You have the files as a folder, a friend has them as a zip. Both of you draw two with seed 0. **Predict:**
# the same two?

# %%
same_two = predict(
    "The same seed, a folder and a zip: what does your friend draw?",
    answer=...,
    options=("the same two files", "other files"),
)

# %%
folder = ["sketch_0.JPEG", "sketch_1.JPEG", "sketch_2.JPEG", "sketch_3.JPEG", "sketch_4.JPEG"]
zipped = ["sketch_4.JPEG", "sketch_1.JPEG", "sketch_0.JPEG", "sketch_3.JPEG", "sketch_2.JPEG"]
draws = []
for names in (folder, zipped, sorted(zipped), sorted(zipped)[1:]):
    draws.append(random.Random(0).sample(names, 2))
    print(draws[-1], "from", *names)
same_two.compare("the same two files" if set(draws[0]) == set(draws[1]) else "other files")

# %% [markdown]
# `sample` draws *places* in the list, and folders and zips list their files in orders of their own. Sorting helps until there is one
# file more or less: then the places shift, as in the last line. And if a second category is drawn with the same generator, its files depend
# on how many were drawn from the first.
#
# A **lottery** has none of these troubles. Every file gets a ticket that depends only on the seed, its category and its
# own name, and the $k$ smallest tickets win. The ticket is the SHA-256 of the text `seed/category/name`. **SHA-256** is a **hash**: a
# function that makes of any bytes 32 bytes that look random and are the same on every computer.
#
# ```python
# hashlib.sha256("0/tench/sketch_7.JPEG".encode()).digest()
# ```
#
# Python's own `hash` would not do: it gives other numbers each time Python starts. If there are fewer than $k$ names, take all.
# A name that is listed twice takes part once. Leave the winners in the order of their tickets.


# %% tags=["teacher"]
from collections.abc import Iterable  # the library's signature names it


# %% tags=["exercise-pick"]
def pick(names, k, seed, category):
    """k of the names as a list, drawn by tickets; names is a list in any order."""
    ...


# %%
lesson.pick.check(pick)
pick = lesson.pick.use(pick)

# %%
for names in (folder, zipped, folder[1:]):
    print(pick(names, 2, 0, "tench"), "from", *names)
print(pick(folder, 4, 0, "tench"), "are four, the first two as before")

# %% [markdown]
# This is how `s2i.sample` draws, from any source. It puts the files into folders named after their categories; class ids get
# their English names. And it writes a **manifest**: a list that says for each file where it came from, its size, its hash, its licence.

# %%
sample = s2i.sample(
    source, categories=["snail", "umbrella", "tabby"], per_category=3, seed=0, to="first_sample"
)
print(sample.counts)
print(sample.files[0])
s2i.show(
    sample.sheet(3), alt="Three drawings each of snails, umbrellas and cats, drawn by lot."
)

# %%
with zipfile.ZipFile(source) as archive:
    umbrellas = [name.split("/")[-1] for name in archive.namelist() if "n04507155" in name]
drawn = [entry.name.split("/")[-1] for entry in sample.files if entry.category == "umbrella"]
print("your draw:", sorted(pick(umbrellas, 3, 0, "n04507155")))  # in the zip a category is its id
print("its draw: ", sorted(drawn))

# %% [markdown]
# ## 2. Look
#
# Before any program looks at the data, you do. Here is the whole small archive. A crossed square is a file that cannot be read. How many of
# these pictures would you not want in a set of different sketches? Section 3 cleans the archive by rules.
# Write down how many pictures you think the rules will leave out.

# %%
everything = s2i.sample(source, per_category=12, seed=0, to="everything", quiet=True)
print(everything.counts)
s2i.show(
    everything.sheet(12, 76),
    alt="All 49 drawings of the small archive, a line a category: among them twelve clocks that differ "
    "in their hands, a photograph of a cat, a white car on black, a page with one speck, a crossed "
    "square, and some drawings that stand twice in their line, one of them mirrored and one turned.",
)

# %%
unwanted = predict("How many of these pictures will the cleaning leave out?", answer=...)

# %% [markdown]
# ## 3. Clean
#
# Rules are numbers with a limit. *Nearly empty* and *nearly full* rest on one number: the share of the page that ink covers, from
# 0 to 1. That is less simple than it sounds.
#
# - Paper is not always white. Its tone is the commonest light one, and `paper_tone(grey)` finds it.
# - Paper has grain. What is darker than it by 16 tones (`GRAIN`) or fewer is no ink.
# - The edge of a line is grey. So **count how dark a pixel is**, compared with the paper's tone, not whether it is dark.
# - A black pixel counts 1, on any paper. So a page that is half black and half paper has the share 0.5, on white paper and on yellowed.
#
# `grey` is a numpy array of *bytes*. **Find the bug** before you make it: on paper of tone 250, a pixel of 255 is 250 − 255
# darker. What is that in bytes, which go from 0 to 255?

# %%
print(250 - np.array([255, 250, 0], dtype=np.uint8))


# %% tags=["exercise-ink"]
def ink(grey):
    """The share of the page that ink covers, 0 to 1; grey is (H, W), bytes from 0 to 255."""
    ...


# %%
lesson.ink.check(ink)
ink = lesson.ink.use(ink)

# %%
shares = {}
for entry in everything.files:
    try:
        shares[entry.path] = ink(grey_values(read_picture(everything.path(entry))))
    except s2i.InputError as error:
        print("no page to measure:", error)
for path in sorted(shares, key=shares.get)[:2] + sorted(shares, key=shares.get)[-2:]:
    print(f"{shares[path]:7.2%}  {path}")

# %% [markdown]
# A line drawing covers some per cent of its page. The emptiest page is hardly a drawing, and the fullest is the car on black
# paper. `clean` turns such a page round before it measures.
#
# **Near duplicates** are harder: the same drawing, but smaller, saved anew, mirrored or turned, so that no byte is the same. A
# **perceptual hash** helps, a hash that is nearly the same for pictures that look nearly the same. The picture is framed by its ink and
# shrunk to 17 × 16. Each pixel is compared with its neighbour: lighter or darker? That gives 256 **bits**, answers of yes or no, and copies
# differ in few of them. `clean` compares all pictures with all, also mirrored and turned.
#
# Nothing is deleted: you get a report and a cleaned copy.

# %%
cleaning = s2i.clean(everything, to="cleaned")
cleaning

# %%
s2i.show(
    cleaning.sheet(columns=8, most=13, side=120),
    alt="What cleaning left out or turned round, by rule; copies stand beside what they are copies of. "
    "Nine of the thirteen near duplicates are clocks, each with another time than the one beside it.",
)

# %% [markdown]
# Now open the list of what was planted, and compare. **Was everything found? And what was found that nobody planted?**

# %%
faults = {row.path: row for row in cleaning.rows if row.rule}
paths = {entry.name: entry.path for entry in everything.files}
for name, what in planted:
    row = faults.pop(paths[name], None)
    print(f"{'found' if row else 'MISSED':>6}: {what} → {row.rule if row else 'kept'}")
beyond = Counter(row.category for row in faults.values())
print("and beyond that", len(faults), "more:", dict(beyond))
turned = sum(row.rule == "inverted" for row in cleaning.rows)
print(f"left out: {len(cleaning.left_out)}; turned round and kept: {turned}")
unwanted.compare(len(cleaning.left_out), unit="pictures", within=2)

# %% [markdown]
# What was planted is found, and more than that. Red and green apple are one drawing, cat and black cat are one,
# since line art has no colour: fair enough. But the **clocks!** Twelve clocks show twelve different times, and most of them
# were left out as copies: four o'clock is eight o'clock mirrored, and a clock's hand is a few bits of 256. For a set of
# *sketches* that may be no harm. For a model that should learn to tell the time it is a disaster. The total in the table does
# not show it; the line of the category does.
#
# Two pictures are near duplicates if at most so many of their 256 bits differ. This number is the **limit**, and `clean` takes 30 if you name
# none. A larger limit forgives more bits. **Predict:** is there a limit that leaves out both planted copies and keeps all twelve clocks?

# %%
limits = (0, 2, 5, 10, 20, 30)
good_limit = predict(
    "Which limit leaves out both copies and keeps all clocks?",
    answer=...,
    options=[*map(str, limits), "none of them"],
)

# %%
three = ["drake", "snail", "analog clock"]  # a planted copy each in the first two, none in the third
few = s2i.sample(source, categories=three, per_category=12, seed=0, to="three", quiet=True)
good = []
for limit in limits:
    tried = s2i.clean(few, near_duplicates=limit)
    gone = Counter(row.category for row in tried.rows if row.rule == "near_duplicates")
    copies, clocks = gone["drake"] + gone["snail"], gone["analog clock"]
    good += [str(limit)] if (copies, clocks) == (2, 0) else []
    print(f"limit {limit:>2}: {copies} of 2 planted copies, {clocks} of 12 clocks left out")
good_limit.compare(good[0] if good else "none of them")

# %% [markdown]
# Even at limit 0 a clock is taken for a copy: eleven o'clock *is* one o'clock, mirrored. And these planted copies are clean ones. We tilted
# six drawings by 2°, blurred them and put them on grey, grainy paper, as a scan does: they differed in 12 to 18 bits. A limit that
# forgives that does not see a clock's hand.
#
# So a rule is a guess and its limit is a decision. If you decide, look at the sheet. ImageNet-Sketch itself needs this rule: its authors
# filled up small classes with flipped and rotated copies, as you will read in section 5.
#
# ## 4. Count, and write it down
#
# A **datasheet** (Gebru et al. 2018) says of a data set what a leaflet says of a medicine: what is in it, what it is for, and what to be
# careful about. Some of it can be counted from the manifest:

# %%
cleaned = s2i.open_sample("cleaned")
print(everything.datasheet(), end="\n\n")
for category, number in everything.counts.items():
    left = cleaned.counts.get(category, 0)
    print(f"{category:>13} {'■' * left}{'□' * (number - left)} {left} of {number}")

# %% [markdown]
# *Licence: not known.* And yet we know it: these drawings are OpenMoji's and Quick, Draw!'s. It got lost when the zip was made,
# since a zip of pictures carries no licence. That is how licences are lost everywhere. *Found by an image search* is wrong here, too: the
# program saw ImageNet's folders and took this zip for the real ImageNet-Sketch. Here are the course's own sketches, sampled from where the
# licence is written down:

# %%
own = s2i.sample("sketches", per_category=1, seed=0, to="own", quiet=True)
print(own.datasheet())

# %% [markdown]
# Only people can answer the rest. This is the datasheet of **ImageNet-Sketch**, as far as its paper and its pages answer:
#
# | question | answer |
# |---|---|
# | Why was it made? | To test, at ImageNet's scale, what classifiers make of pictures unlike those that they were trained on. Not to train on, and not for translation. |
# | What is in it? | Pictures that a search for sketches found, of 1,000 classes, about 50 each; and for each the number of its class. |
# | How was it collected? | Google Images, "sketch of …", black and white, the first 100 results per class; unfit ones deleted by hand. |
# | Who drew? | **Not known.** Anybody whose drawing was on the web. |
# | Did they agree? | **Nothing is said of it.** A search engine asks nobody. |
# | Licence? | **Not known**, picture by picture. The MIT licence in its repository covers the authors' scripts. |
# | What is missing? | What the search did not rank high, and what nobody called *sketch* in English. The classes are ImageNet's: 118 are breeds of dogs. |
#
# What follows for you? You may study it, and your course may show that you did. **Do not pass the pictures on**: not on your
# website, not in your repository, not in a pack for the public. `s2i.sample` writes that beside each file drawn from it. The
# licences printed above allow it, with attribution. CC BY-SA adds a condition: a changed work keeps the same licence. That is also why
# this course ships emoji and Quick, Draw!, and no ImageNet-Sketch.
#
# A licence is not consent. It says what you may do. It does not say whether those who drew were asked. Ask both questions of every data
# set. Ask them of LAION's links too, where neither has one answer.
#
# On Colab, with a network, this draws 300 of the real ones. A server that gives parts of a file is asked for these parts alone:
#
# ```python
# print(s2i.sample("imagenet-sketch", categories=60, per_category=5, seed=0, plan=True))  # what it would cost
# real = s2i.sample("imagenet-sketch", categories=60, per_category=5, seed=0, to="real", clean=True)
# s2i.pack(real, "for_my_class.zip")  # one zip with hash and manifest, for your class's Drive
# s2i.sample("my-drive/sketches", per_category=10, to="mine")  # from your own Drive, mounted
# ```
#
# ## 5. True or false, and how do you know?
#
# Ten claims. Three of them stand, nearly in these words, in the thesis whose statements this course tests. An opinion is not enough. For
# each claim find the **fact** that settles it, in the table below. Each claim has a fact of its own; two facts are left over.

# %%
Markdown(as_markdown(CLAIMS))

# %%
pairs = {split: load_pairs(split) for split in ("train", "test")}  # opens all pictures: some seconds
rows = [row for some in pairs.values() for row in some.rows]
files = {row["file_name"] for row in rows}
coloured = [row for row in rows if row["style"] != "line"]
with_sketch = sum(row["sketch"] in files for row in coloured)
print(f"{len(coloured)} coloured pictures, {with_sketch} of them with their sketch")

# %%
Markdown(as_markdown(FACTS))

# %% [markdown]
# All ten are judged together. The check says which fact speaks of something else than its claim. Beyond that it says only *how many* pairs are
# right, so guessing takes longer than reading. When all ten are right, you get the reasons. If you thought that `card` shows claim a to be
# true, your dict would begin with `"a": (True, "card")`.


# %% tags=["exercise-evidence"]
def evidence():
    """A dict: letter of a claim → (True or False, the key of the fact that settles it)."""
    ...


# %%
lesson.evidence.check(evidence)

# %% [markdown]
# These facts are in our words, and stored with the course. If a fact matters to you, look it up at its source: the arXiv
# numbers and pages stand beside them.
#
# ## 6. What "beautiful" does
#
# In the last stages of its training Stable Diffusion saw only **LAION-Aesthetics**: pictures with an *aesthetics score* above 5.
# The score comes from a small network on CLIP's image vectors, fitted to ratings that people gave. It chose some 600 million
# pictures; nobody can have looked at them all. What does a filter of this kind do to a model?
#
# Try it in small, with a score that you can see through: **colourfulness** (Hasler and Süsstrunk 2003). It is the spread of two differences
# over the picture, red minus green and yellow minus blue, fitted to what people call colourful. It is *not* LAION's score. What they share
# is the mechanism: one number, one threshold, one taste.
#
# The filter keeps the more colourful half of all training pictures. **Predict:** which style loses the largest share of its pictures?

# %%
loses_most = predict(
    "Which style loses the largest share of its pictures?",
    answer=...,
    options=("openmoji", "noto", "fluent", "flat", "twemoji", "line"),
)

# %%
train = pairs["train"]
with one_thread():  # a few pictures at a time, which stay in the processor's cache
    score = torch.cat([colourfulness(train.batch(i)) for i in torch.arange(len(train)).split(8)])
kept = score > score.median()


def shares_of(key):
    """(share that the filter keeps, value of the key, pictures), the least first."""
    all_of = Counter(row[key] for row in train.rows)
    kept_of = Counter(row[key] for row, keep in zip(train.rows, kept.tolist()) if keep)
    return sorted(((kept_of[value] / n, value, n) for value, n in all_of.items() if n >= 60))


for key in ("style", "subgroup"):
    ranked = shares_of(key)
    shown = ranked if len(ranked) <= 6 else [*ranked[:5], *ranked[-4:]]
    print(f"{key}:", *(f"\n  {share:4.0%} of {n:>3}  {value}" for share, value, n in shown))
loses_most.compare(shares_of("style")[0][1])

# %% [markdown]
# A filter for colour has no use for line art, and nobody had to decide that. Look at the subgroups too. The filter knows nothing of clocks or
# of grey animals: if a kind is rarely colourful, most of it goes, *as a kind*. (One picture in six of every kind is
# line art, so no kind can keep more than five sixths.)
#
# Now the model. It is small: 32 × 32 pixels, one style. It sees a filled sketch and paints it. The sketch is two more channels beside the
# noisy picture. The filter takes the more colourful half of this style. To be fair, both halves have the same number of pictures and both
# trainings the same number of optimiser steps. The control is a **random half**: without it you would not know whether a fault comes
# from the filter or from having half of the pictures. Each training is done with two seeds.

# %%
SIDE = 32
alpha_bar = alphas_cumprod(scaled_linear_betas())


def painted_and_sketched(pairs, style="noto"):
    """Pictures (N, 3, 32, 32), their sketches plain and filled (N, 2, 32, 32), and the pictures' colourfulness."""
    where = {row["file_name"]: i for i, row in enumerate(pairs.rows)}
    chosen = [i for i, row in enumerate(pairs.rows) if row["style"] == style]
    lines = [where[pairs.rows[i]["sketch"]] for i in chosen]
    small = [F.interpolate(pairs.batch(i), (SIDE, SIDE), mode="area") for i in (chosen, lines)]
    filled = torch.stack([to_tensor(fill_regions(to_picture(line))) for line in small[1]])
    sketches = torch.stack([small[1][:, 0], filled[:, 0]], dim=1)
    return small[0], sketches, colourfulness(small[0]), [pairs.rows[i] for i in chosen]


class Painter(nn.Module):
    """Guesses the picture from its noisy version and the sketch: the filled sketch, and what it lacks."""

    def __init__(self):
        super().__init__()
        self.unet = UNet(5, (16, 32, 48))

    def forward(self, x, sketch, t):
        return sketch[:, 1:] + self.unet(torch.cat([x, sketch], dim=1), t)[:, :3]


def learn(pictures, sketches, seed, steps=110, lr=2e-3):
    """Lesson 4's training, the target being the picture itself; half of the pictures are mirrored."""
    torch.manual_seed(seed)
    model, generator = Painter(), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1, (step + 1) / 20, 3 * (steps - step) / steps)
        some = torch.randint(len(pictures), (16,), generator=generator)
        x0, sketch = pictures[some], sketches[some]
        mirrored = torch.rand(16, 1, 1, 1, generator=generator) < 0.5
        x0 = torch.where(mirrored, x0.flip(3), x0)
        sketch = torch.where(mirrored, sketch.flip(3), sketch)
        t = torch.randint(1000, (16,), generator=generator)
        noisy = add_noise(x0, torch.randn(x0.shape, generator=generator), alpha_bar, t)
        loss = F.mse_loss(model(noisy, sketch, t), x0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval().requires_grad_(False)


# Half a minute or so. For layers this small two threads lose more by waiting than they gain.
with one_thread():
    pictures, sketches, colour, _ = painted_and_sketched(train)
    half = len(pictures) // 2
    by_colour = colour.argsort(descending=True)[:half]
    models = {}
    for seed in (0, 1):
        generator = torch.Generator().manual_seed(seed)
        by_lot = torch.randperm(len(pictures), generator=generator)[:half]
        for name, some in (("random half", by_lot), ("colourful half", by_colour)):
            models[name, seed] = learn(pictures[some], sketches[some], seed)
print(f"{len(models)} models, each on {half} of {len(pictures)} pictures")

# %% [markdown]
# Now ask all four models about things that no training saw. The error is that of the guessed picture $\hat x_0$, at three timesteps, with the
# same noise for all. The held-out things are sorted by the colourfulness of their *true* pictures: the greyest third, among them clapper board
# and poodle, and the most colourful third. **Predict:** which half's model has the smaller error? And how colourful will the filtered
# model paint grey things?

# %%
better = predict(
    "Which half's model is better at these things?",
    answer={"grey": ..., "colourful": ...},
    options=("random half", "colourful half"),
)
painted_grey = predict(
    "The colourful half's model paints grey things",
    answer=...,
    options=("greyer than they are", "as they are", "more colourful than they are"),
)

# %%
new, new_sketches, true_colour, new_rows = painted_and_sketched(pairs["test"])
order = true_colour.argsort()  # the greyest first
third = len(order) // 3
thirds = {"grey": order[:third], "colourful": order[-third:]}


@torch.no_grad()
def guesses(model, some, timesteps=(400, 700, 900)):
    """Mean squared error of the guessed pictures, and their mean colourfulness."""
    generator = torch.Generator().manual_seed(0)
    losses, vivid = [], []
    for t in timesteps:
        times = torch.full((len(new),), t)
        noisy = add_noise(new, torch.randn(new.shape, generator=generator), alpha_bar, times)
        guess = model(noisy[some], new_sketches[some], times[some]).clamp(-1, 1)
        losses.append(F.mse_loss(guess, new[some]))
        vivid.append(colourfulness(guess).mean())
    return torch.stack(losses).mean().item(), torch.stack(vivid).mean().item()


@torch.no_grad()
def paint(model, sketch, seed=0, steps=12):
    """Lesson 5's sampler, from noise, with the sketch beside it."""
    x = torch.randn((len(sketch), 3, SIDE, SIDE), generator=torch.Generator().manual_seed(seed))
    times = spaced_timesteps(steps, spacing="trailing")
    levels = [alpha_bar[t].item() for t in times] + [1.0]
    for t, a, a_prev in zip(times, levels, levels[1:]):
        x0 = model(x, sketch, torch.full((len(x),), t)).clamp(-1, 1)
        x = ddim_step(x, eps_from_x0(x, x0, a), a, a_prev)
    return x


with one_thread():
    tested = {
        key: {kind: guesses(model, some) for kind, some in thirds.items()}
        for key, model in models.items()
    }
print(f"{'':24} error on   grey  colourful    colourfulness of   grey  colourful")
for (name, seed), row in tested.items():
    (grey, grey_vivid), (bright, bright_vivid) = row["grey"], row["colourful"]
    print(
        f"{name:>24}, seed {seed} {grey:7.3f} {bright:10.3f} {grey_vivid:26.0f} {bright_vivid:10.0f}"
    )
true = {kind: true_colour[some].mean().item() for kind, some in thirds.items()}
print(f"{'the true pictures':>24} {true['grey']:53.0f} {true['colourful']:10.0f}")


def mean_of(name, kind, which):
    """Over both seeds: the error (which = 0) or the colourfulness (1)."""
    return sum(tested[name, seed][kind][which] for seed in (0, 1)) / 2


errors = {
    kind: {name: mean_of(name, kind, 0) for name in ("random half", "colourful half")}
    for kind in thirds
}
for kind, by_name in errors.items():
    change = by_name["colourful half"] / by_name["random half"] - 1
    more = "larger" if change > 0 else "smaller"
    print(f"{kind} things: the colourful half's model has an error that is {abs(change):.0%} {more}")
better.compare({kind: min(by_name, key=by_name.get) for kind, by_name in errors.items()})
ratio = mean_of("colourful half", "grey", 1) / true["grey"]
print(f"its grey things are {ratio:.2f} times as colourful as the true ones")
limits_of_same = "as they are" if 0.85 <= ratio <= 1.15 else "more colourful than they are"
painted_grey.compare("greyer than they are" if ratio < 0.85 else limits_of_same)

# %%
chosen = [*order[:5].tolist(), *order[-4:].tolist()]
asked = new_sketches[chosen]
rows = {"true": list(new[chosen]), "sketch": list(asked[:, 1:].expand(-1, 3, -1, -1))}
with one_thread():
    for (name, seed), model in models.items():
        rows[f"{name}, seed {seed}"] = list(paint(model, asked, seed))
captions = [textwrap.shorten(new_rows[i]["thing"], 14, placeholder=" …") for i in chosen]
sheet, _ = filmstrip(rows, captions, side=96)
words = (
    f"Things that no training saw, their filled sketches, and what four models paint: {', '.join(captions)}. "
    "The paintings are soft patches within the outline of the sketch; the colourful halves' are the more "
    "vividly orange and blue, on grey things too."
)
s2i.show(sheet, alt=words)


# %% [markdown]
# **Read the table first**, since a painting depends on its noise: compare the two seeds of one half. Each model is better at what it saw more
# of. And in the table the filtered model gives colour to what has none. In the paintings the random halves colour grey things, too: a painting begins
# at pure noise, where nothing of the true picture is left, and the table's guesses begin at the noisy true picture. Colourful things come out too pale from all four: so small a
# model, under so much noise, guesses the mean of what it holds possible.
#
# Is that luck with two seeds? We ran six. The colourful half's model was worse at grey things in all six, by 11 to 20 %, and better at
# colourful ones in all six, by 4 to 11 %. What this does *not* show: how much LAION's filter does to Stable Diffusion. Its score is another
# one, its data are a million times more, and nobody trained a model on a random half beside it.
#
# If you judge both models by colourful pictures, the filter was a success. If you judge them by grey ones, it was a failure.
# **The score that filters must not be the score that judges.**
#
# ## Think about it
#
# You want to make a fair data set of sketches for your country's schools. Whose drawings do you take, whom do you ask, what do
# you leave out, and who can later see that you did?
#
# ## Sources
#
# - Schuhmann et al., *LAION-5B*, 2022, arXiv 2210.08402. LAION, *Releasing Re-LAION-5B*, August 2024.
# - Wang et al., *Learning Robust Global Representations by Penalizing Local Predictive Power*, 2019, arXiv 1905.13549 (ImageNet-Sketch), and its repository HaohanWang/ImageNet-Sketch.
# - Gebru et al., *Datasheets for Datasets*, 2018, arXiv 1803.09010.
# - Hasler and Süsstrunk, *Measuring Colourfulness in Natural Images*, 2003.
# - Baio and Willison, *Exploring 12 Million of the 2.3 Billion Images Used to Train Stable Diffusion's Image Generator*, 2022: what a look into LAION-Aesthetics found.
# - Sangkloy et al., *The Sketchy Database*, 2016. Ha and Eck, *A Neural Representation of Sketch Drawings*, 2017, arXiv 1704.03477 (Quick, Draw!).
# - The drawings: OpenMoji, CC BY-SA 4.0; players of Quick, Draw!, CC BY 4.0. The photograph of a cat: Stéfan van der Walt, CC0, from scikit-image.
#
# **Next:** lesson 11, turning the knobs.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** 12 minutes for section 1, 3 for looking (let them count aloud), 12 for cleaning, 5 for the datasheet, 12 for the
# claims, 8 for section 6 (start the trainings, discuss the predictions while they run). Short of time? Give the ten claims to pairs of
# students, who read the facts aloud to each other.
#
# **Typical mistakes.** In `pick`: `random.sample` on the list as it comes, the same places in every category, the seed or the
# category left out of the ticket. In `ink`: bytes that overflow, pixels counted instead of darkness, 255 for the paper. In
# `evidence`: right about true and false, with a fact that is not the one that settles it. The check counts right pairs and does not name
# them, so a student who asks "which one is wrong?" has to say which fact speaks against which claim.
#
# **What to listen for.** "We set the seed, so it is reproducible." Of what list? "Cleaning improved the data." For whom? Ask for
# the clocks. "It has an MIT licence." Who gave it, and what did they own? "The filtered model is better." At what?
#
# **With a network.** Let one student run the plan of section 4 aloud before anybody fetches. If thirty students fetch 7.8 GB each, the
# file's quota on Drive is used up for the day. Make one pack for the class, and keep its link inside the class.
#
# **The open question.** There is no data set without a choice. A good answer names who decides, writes down what was left out and
# why, asks those who draw, and lets them take their drawings back.
