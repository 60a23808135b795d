# %% [markdown]
# # Lesson 17. Who is the artist?
#
# {{badge}}
#
# A picture that a model made has many parents: whoever drew the sketch, whoever wrote the words, whoever drew what the model
# learned from, and chance. People have strong opinions on which of them is the artist. This lesson offers experiments. Each of them
# could have ended differently.
#
# | | |
# |---|---|
# | **You will** | measure what decides a picture; vote blindly; draw with three strokes; look for copies of training pictures, with a control; find out who was left out of the training; sign a picture; estimate what a training costs; prepare a debate |
# | **Time** | two sittings: 55 minutes for sections 1 to 4, one exercise; 55 minutes for sections 5 to 11, three exercises |
# | **You need** | strength (lesson 8), edge F1 and blind votes (lesson 12), the hint (lesson 14); means over axes in torch |
# | **Hardware** | any computer, two CPU cores are enough; the pictures take one or two minutes in all |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %% [markdown]
# # First sitting: who decides?
#
# Before you begin, say what you think today. The survey has eight statements. None of them is right or wrong, and your name is not
# kept. At the end of the lesson you answer once more.

# %%
s2i.survey()

# %%
import numpy as np
import torch
from PIL import Image

from s2i_teach.evaluate.bootstrap import sign_flip
from s2i_teach.evaluate.faithfulness import edge_scores
from s2i_teach.evaluate.prompt_match import prompt_ranks
from s2i_teach.evaluate.rating import ranking
from s2i_teach.evaluate.realism import picture_features
from s2i_teach.gallery import embedded_pairs
from s2i_teach.images import to_tensor
from s2i_teach.lessons import predict
from s2i_teach.lessons.strokes import by_keyboard, drawn, few_strokes
from s2i_teach.models.devices import one_thread
from s2i_teach.translation.compare import spread
from s2i_teach.widgets.figures import filmstrip

lesson = s2i.lesson(17)
led = s2i.load_pipeline("mini-scribble-fast", device="cpu", dtype="fp32")
start = s2i.load_pipeline("mini-fast", device="cpu", dtype="fp32")
gallery = {sketch.name: sketch for sketch in s2i.sketches()}


def prompt_of(thing):
    return f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}, openmoji style"


def results_of(pipe, sketch, prompts, seeds=(0,), **settings):
    """Results of one sketch with every prompt and every seed, the seeds of a prompt side by side."""
    with one_thread():  # the miniature is too small for two
        sweep = s2i.sweep(sketch, prompts=list(prompts), seeds=list(seeds), pipe=pipe, quiet=True, **settings)
    return sweep.results


# %% [markdown]
# ## 1. Ten sketches, ten prompts
#
# Two rows of ten pictures will be made. The row *ten sketches* has **one prompt**, "a turtle", with ten sketches. The row *ten prompts* has
# **one sketch**, a turtle's, with ten prompts. The sketch leads at every step, as in lesson 14, and the seed is always the same.

# %%
varies_more = predict(
    "In which row do the pictures differ more, pixel by pixel?",
    answer=...,
    options=("ten sketches", "ten prompts"),
)

# %%
things = ["turtle", "cat", "apple", "rocket", "house", "owl", "cactus", "fish", "star", "umbrella"]
pages = [next(s for s in gallery.values() if s.name.split("_")[0] == thing) for thing in things]
rows = {
    "the sketches": [page.open() for page in pages],
    "ten sketches": [results_of(led, p.path, [prompt_of("turtle")])[0].image for p in pages],
    "ten prompts": [r.image for r in results_of(led, pages[0].path, map(prompt_of, things))],
}
sheet, _ = filmstrip(rows, things, side=88)
s2i.show(
    sheet,
    alt=f"Three rows of ten. First ten sketches: {', '.join(things)}. Then a turtle asked for with each of these sketches. Then "
    "the turtle's sketch with a prompt for each of these things.",
)
apart = {
    name: spread(torch.stack([to_tensor(image) for image in rows[name]]))
    for name in ("ten sketches", "ten prompts")
}
for name, distance in apart.items():
    print(f"{name:>12}: two pictures differ by {distance:.3f} on average")
varies_more.compare(max(apart, key=apart.get))

# %% [markdown]
# Now look as a stranger would, who knows neither sketches nor prompts. What would you call each picture of *ten sketches*? And what would you
# call each picture of *ten prompts*? *Differ more* is one question. *Show something else* is another, and we come back to it.
#
# ## 2. Shares of authorship
#
# Two rows are an impression. For a measurement, take *every* sketch with *every* prompt and *every* seed. Then the variance of the
# pictures can be split into parts:
#
# - **sketch**: take the mean picture of each sketch, over all prompts and seeds. The part is the variance of these means. It is what a
#   sketch does, whatever prompt and seed are.
# - **prompt** and **seed**: likewise.
# - **rest**: what none of the three decides alone. A prompt may do something with one sketch that it does not do with another.
#
# Take each part pixel by pixel, and add it up over the pixels. Do the same with the variance of all pictures: that is the whole. A **share**
# is a part divided by the whole.


# %% tags=["teacher"]
from s2i_teach import InputError  # the library's lines name it


# %% tags=["exercise-decided_by"]
def decided_by(pictures):
    """The shares (sketch, prompt, seed, rest) of the variance of pictures (sketches, prompts, seeds, ...), four numbers."""
    ...


# %%
lesson.decided_by.check(decided_by)
decided_by = lesson.decided_by.use(decided_by)

# %% [markdown]
# Test it before you use it. In the first set below only the sketch decides, in the second nobody does.

# %%
generator = torch.Generator().manual_seed(0)
noise = torch.randn(3, 3, 2, 3, 64, 64, generator=generator)
names = ("sketch", "prompt", "seed", "rest")


def in_words(shares):
    return "  ".join(f"{name} {round(float(share), 2) + 0.0:.2f}" for name, share in zip(names, shares))


print("only the sketch:", in_words(decided_by(noise[:, :1, :1].expand_as(noise))))
print("    pure noise :", in_words(decided_by(noise)))

# %% [markdown]
# Noise has shares, too. There are 3 · 3 · 2 = 18 pictures, and on average a sketch gets (3 − 1)/(18 − 1), a prompt as much, and a seed
# (2 − 1)/(18 − 1). These are 0.12, 0.12 and 0.06. Only what is clearly above that counts.
#
# Now three ways to make a picture from the same sketches and prompts:
#
# - **words alone**: the hint is switched off, and the run starts from noise at strength 1. The sketch can hardly act.
# - **the sketch starts**: lesson 8's way, at strength 0.75.
# - **the sketch leads**: lesson 14's way.
#
# The first way is a **control**. If your measure gives the sketch a large share there, the measure is wrong.

# %%
largest = predict(
    "Which share is the largest?",
    answer={"words alone": ..., "the sketch starts": ..., "the sketch leads": ...},
    options=names,
)

# %%
three = ["turtle", "house", "mushroom"]
ways = {
    "words alone": dict(pipe=led, strength=1.0, control_scale=0.0),
    "the sketch starts": dict(pipe=start, strength=0.75, prepare="filled"),
    "the sketch leads": dict(pipe=led, strength=1.0),
}
pictures = {}
for way, settings in ways.items():
    images = [
        r.image
        for name in three
        for r in results_of(
            sketch=gallery[name].path, prompts=map(prompt_of, three), seeds=(0, 1), **settings
        )
    ]
    pictures[way] = torch.stack([to_tensor(image) for image in images]).unflatten(0, (3, 3, 2))
rows = {
    f"sketch: {name}": [x[i, j, 0] for x in pictures.values() for j in range(3)]
    for i, name in enumerate(three)
}
captions = [f"{way.removeprefix('the sketch ')}\n{word}" for way in ways for word in three]
sheet, _ = filmstrip(rows, captions, side=108)
s2i.show(
    sheet,
    alt=f"Nine columns: three ways ({', '.join(ways)}), each with the prompts {', '.join(three)}. Three rows, one for each sketch: "
    f"{', '.join(three)}.",
)
by_pixels = {way: decided_by(x) for way, x in pictures.items()}
for way, shares in by_pixels.items():
    print(f"{way:>18}: {in_words(shares)}")
largest.compare({way: names[int(np.argmax(by_pixels[way]))] for way in ways})

# %% [markdown]
# Who is the artist, then? Before you answer, ask *what* was divided. A pixel that changes from white to black counts the same whether it
# changes the outline or the meaning. So divide something else: the 192 features of lesson 12's small CLIP. They were trained to go with the
# words for a picture, not to say where its edges lie. They are no neutral judge: this CLIP learned pictures together with prompts like ours.


# %%
same_winner = predict(
    "The sketch leads. One choice has the largest share of the pixels' variance. Has it the largest of the features' variance, too?",
    answer=...,
    options=("yes", "no"),
)

# %%
by_features = {}
for way, x in pictures.items():
    seen = picture_features([*x.flatten(0, 2)]).unflatten(0, (3, 3, 2))
    by_features[way] = decided_by(seen)
    print(f"{way:>18}: {in_words(by_features[way])}")
way = "the sketch leads"
winner = [names[int(np.argmax(shares[way]))] for shares in (by_pixels, by_features)]
same_winner.compare("yes" if winner[0] == winner[1] else "no")
gained = {
    what: shares[way][0] - shares["words alone"][0]
    for what, shares in (("pixels", by_pixels), ("features", by_features))
}
for what, gain in gained.items():
    print(f"share of the sketch, when it leads, less that of words alone: {gain:+.2f} of the {what}")

# %% [markdown]
# One word, *share*, and two answers. Whoever tells you that a prompt "makes" a picture, or that a sketch does, has chosen what to
# divide. They have also chosen a judge. How does this judge see?
#
# Be a judge yourself first. Look at the nine pictures under *leads* again, and name each: turtle, house or mushroom? Then CLIP names them,
# once in colour and once in grey. Six of the nine have a sketch of one thing and the prompt of another. With two seeds that makes twelve
# pictures.

# %%
named_by_clip = predict("Of these twelve, in colour: how many does CLIP name after the prompt?", answer=...)


# %%
def named(some):
    """What CLIP calls each picture, of three words."""
    ranks = [prompt_ranks(some, [prompt_of(word)] * len(some), [prompt_of(w) for w in three]) for word in three]
    return [three[places.index(0)] for places in zip(*ranks)]


in_colour = pictures[way].flatten(0, 2)
in_grey = in_colour.mean(1, keepdim=True).expand_as(in_colour)
by_sketch = [name for name in three for _ in range(6)]
by_prompt = [name for name in three for _ in range(2)] * 3
after_prompt = {}
for look, some in {"in colour": in_colour, "in grey": in_grey}.items():
    disagree = [row for row in zip(named([*some]), by_sketch, by_prompt) if row[1] != row[2]]
    after_prompt[look] = sum(name == prompt for name, _, prompt in disagree)
    after_sketch = sum(name == sketch for name, sketch, _ in disagree)
    print(f"{look}: of {len(disagree)} CLIP names {after_prompt[look]} after the prompt, {after_sketch} after the sketch")
    print(f"   the names that it gives: {', '.join(sorted({name for name, _, _ in disagree}))}")
named_by_clip.compare(after_prompt["in colour"], within=1)

# %% [markdown]
# Compare CLIP's names with yours. The grey pictures have the same lines and no colours. Look at the names that CLIP gives to
# the grey ones: are they one answer to everything? Such a judge is right about the prompt as often as a guess among three words would be. So this judge goes largely by colour, and the prompt decides the colours. You may have gone by
# the lines, and the sketch decides those. Neither of you is neutral.
#
# Three things never varied here: the model, its training pictures, and you, who chose three things and two seeds. What does not
# vary gets no share. That does not mean that it decided nothing. **A share of the variance measures choices, not merit.**
#
# ## 3. A blind vote: sketch-led or machine-led?
#
# Numbers said who decides. Now ask people, with lesson 12's instrument. Each pair has one sketch, one prompt and one seed. One picture was
# led by the sketch, and the other was made from the words alone. Lots decide which is left. The vote is blind, because no label says
# which is which. But the sketch stands between them, so you can often guess.
#
# The question is not *which is prettier*. It is this: **under which of the two would you write your name, if the sketch were yours?**

# %%
who_wins = predict("Of eight pairs, how many go to the picture that the sketch led?", answer=...)

# %%
by_hand = s2i.sketches("by people")[:8]
asked = [
    result
    for sketch in by_hand
    for scale in (0.0, 1.0)
    for result in results_of(led, sketch.path, [sketch.prompt], strength=1.0, control_scale=scale)
]
mine = s2i.BlindRating(asked, "who_is_the_artist.csv", rater="me", votes=8)
mine

# %% [markdown]
# Vote eight times, then run the next cell. As long as you have not finished, a **program** votes in your place, so that there is something
# to count. It prefers the higher edge F1, which is what a sketch that leads is good at. It says nothing of what people like.
#
# The cell also prints **p**. Suppose it made no difference which picture was led, and a coin decided each vote. Then p is the chance
# of a result at least as one-sided as this one, for either side.

# %%
if mine.finished:
    cells = [vote.left_cell if vote.vote == "left" else vote.right_cell for vote in mine.votes]
    points = [
        0 if vote.vote == "tie" else 1 if cell == "control scale 1" else -1
        for vote, cell in zip(mine.votes, cells)
    ]
    whose = "your votes"
    for row in ranking(mine.votes):
        print(f"{row.cell}: {row.wins:g} of {row.votes} won")
else:
    f1 = [edge_scores(r.sketch, r.image)[2] for r in asked]
    points = [int(np.sign(with_hint - alone)) for alone, with_hint in zip(f1[0::2], f1[1::2])]
    whose = "made up by a program that looks at edge F1"
p = sign_flip(points)
print(f"{whose}: {points.count(1)} of {len(points)} for the picture that the sketch led, p = {p:.3f}")
who_wins.compare(points.count(1), within=1)
sheet, _ = filmstrip(
    {
        "sketch": [s.open() for s in by_hand],
        "words alone": [r.image for r in asked[0::2]],
        "the sketch leads": [r.image for r in asked[1::2]],
    },
    [s.name.removesuffix("_by_hand").replace("_", " ") for s in by_hand],
    side=96,
)
s2i.show(
    sheet,
    alt="Eight drawings by people, and below each the picture from the words alone and the one that the sketch led.",
)

# %% [markdown]
# Would the vote change if each picture said who made it? Bellaiche and others (2023) showed people paintings that were *all* made by a
# model. Lots decided which of them were said to be made by a person. Those were liked more and were thought to be worth more. So a label
# changes the judgement, and a vote with labels measures the label, too.
#
# ## 4. Three strokes and a keyboard
#
# "Image models let people make art who could not make it before." That is one hope behind this course. Put it to a test. How little
# drawing is enough, and what of it still comes through?
#
# Below are four things in at most three strokes. Each is also drawn as a person draws who can press four arrow keys and nothing else.
#
# Draw the first of them yourself: a **mushroom**. Use three strokes, or tab to the pad and use only the keyboard. Its help says which keys
# draw. Your drawing then takes the place of ours. If you leave the pad empty, ours stays.

# %%
pad = s2i.SketchPad(name="three strokes")
pad

# %%
keys_cost = predict(
    "Edge F1 of a picture and its own sketch: keyboard drawings, compared with smooth ones",
    answer=...,
    options=("lower by more than 0.1", "within 0.1", "higher by more than 0.1"),
)
rank_before = predict(
    "In how many of four does the picture fit its prompt better than the three-stroke sketch itself?", answer=...
)

# %%
smooth = {thing: drawn(strokes) for thing, strokes in few_strokes().items()}
keyed = {thing: drawn(by_keyboard(strokes)) for thing, strokes in few_strokes().items()}
first = next(iter(smooth))
if not pad.page.is_empty:
    smooth[first] = pad.sketch
    print(f"the first drawing is yours; the prompt calls it a {first}")
every_prompt = sorted({pair.prompt for split in ("train", "test") for pair in embedded_pairs(split)})
shown, f1, rank = {}, {}, {}
for name, drawings in {"three strokes": smooth, "arrow keys": keyed}.items():
    images = [
        results_of(led, page, [prompt_of(thing)])[0].image for thing, page in drawings.items()
    ]
    shown |= {name: list(drawings.values()), f"{name}, led": images}
    f1[name] = [edge_scores(page, image)[2] for page, image in zip(drawings.values(), images)]
    for what, some in ((name, drawings.values()), (f"{name}, led", images)):
        rank[what] = prompt_ranks(some, [prompt_of(thing) for thing in drawings], every_prompt)
sheet, _ = filmstrip(shown, list(smooth), side=112)
s2i.show(
    sheet,
    alt=f"Four columns: {', '.join(smooth)}. Rows: the drawings in three strokes, the pictures that they led, the drawings by arrow "
    "keys, the pictures that those led.",
)
for name, values in f1.items():
    print(f"{name:>20}: edge F1 {np.mean(values):.2f}")
for name, values in rank.items():
    print(f"{name:>20}: of {len(every_prompt)} prompts, so many fit better than its own: {values}")
gap = np.mean(f1["arrow keys"]) - np.mean(f1["three strokes"])
keys_cost.compare(
    "within 0.1" if abs(gap) <= 0.1 else "lower by more than 0.1" if gap < 0 else "higher by more than 0.1"
)
better = sum(a < b for a, b in zip(rank["three strokes, led"], rank["three strokes"]))
rank_before.compare(better)

# %% [markdown]
# Look at both sides of it.
#
# - What came through? Find two things in the pictures that come from whoever drew, such as a proportion or a place on the page.
# - What did the model do to it? Compare the steps of the arrow keys before and after. Then find something that nobody drew.
#
# Edge F1 compares each picture with *its own* drawing. It does not say which drawing is the better one.
#
# Skill with a pen is one barrier of several. This model understands English alone. It draws what it was trained on, in five styles of five design
# teams. And it needs a computer. The second sitting asks who was left out by that.
#
# **A good place to stop.** You have shares of authorship, for pixels and for features, a blind vote, and pictures from three strokes.
#
# # Second sitting: at whose cost?
#
# What the first sitting gave: when the sketch leads, its share of the pixels' variance is far above that of the control. The share
# depends on what is divided, and on who judges.
#
# If you come back later, run the set-up cell at the top, then go on here. The next cell loads everything else.

# %%
import json
import time
import zlib

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from s2i_teach.evaluate.copies import nearest
from s2i_teach.evaluate.energy import trainings_of
from s2i_teach.evaluate.prompt_match import prompt_ranks
from s2i_teach.gallery import embedded_pairs
from s2i_teach.images import to_tensor
from s2i_teach.lessons import predict
from s2i_teach.models.devices import one_thread
from s2i_teach.paths import data_dir
from s2i_teach.translation.credentials import has_package, manifest, read_credentials, sign
from s2i_teach.widgets.figures import filmstrip, histogram

lesson = s2i.lesson(17)
led = s2i.load_pipeline("mini-scribble-fast", device="cpu", dtype="fp32")
blank = Image.new("RGB", (128, 128), "white")


def prompt_of(thing):
    return f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}, openmoji style"


def from_words(prompt, seed):
    """A picture from the words alone: no hint, and a start in noise."""
    with one_thread():
        made = s2i.translate(blank, prompt, pipe=led, strength=1.0, control_scale=0.0, seed=seed)
    return made.image


def rows_of(split):
    """The table of the embedded pictures, in colour."""
    lines = (data_dir() / "pairs" / split / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) | {"split": split} for line in lines]
    return [row for row in rows if row["style"] != "line"]


def opened(row):
    with Image.open(data_dir() / "pairs" / row["split"] / row["file_name"]) as picture:
        return picture.convert("RGB")


def coarse(pictures):
    """Pictures at 32 × 32, a row of 3,072 numbers each: coarse enough to forgive a pixel's shift."""
    x = (p if isinstance(p, torch.Tensor) else to_tensor(p) for p in pictures)
    return torch.stack([F.avg_pool2d(one, 4).flatten() for one in x])


training = [row for row in rows_of("train") if row["core"]]
seen = coarse(opened(row) for row in training)  # a few seconds
print(f"in colour the U-Net was trained on {len(training):,} pictures of {len({r['thing'] for r in training})} things")

# %% [markdown]
# ## 5. Does it give its training back?
#
# **Memorisation** means that a model can give back a picture of its training. Carlini and others (2023) got over a thousand training
# pictures out of several models. From Stable Diffusion they got 109. They had looked for the 350,000 pictures that its training repeats
# most often, and made 175 million pictures. Somepalli and others (2022) found copies as well. The smaller the training set, the more copies
# there were. Ours is tiny. Does it copy?
#
# Take 24 captions of the training by lot, make a picture of each from the words alone, and look for its **nearest neighbour**: the
# training picture with the smallest distance.

# %%
own = predict("For how many of 24 is the nearest training picture the very one of its caption?", answer=...)

# %%
generator = torch.Generator().manual_seed(0)
places = torch.randperm(len(training), generator=generator)[:24].tolist()
made = [from_words(training[place]["text"], seed) for seed, place in enumerate(places)]
of_made, found = nearest(coarse(made), seen)
some = range(8)
sheet, _ = filmstrip(
    {
        "made": [made[i] for i in some],
        "nearest": [opened(training[found[i]]) for i in some],
        "of its caption": [opened(training[places[i]]) for i in some],
    },
    [training[places[i]]["text"].split(" ", 1)[1].replace(", ", "\n") for i in some],
    side=100,
)
s2i.show(
    sheet,
    alt="Eight pictures from words alone; below each its nearest training picture, and the training picture of its caption.",
)
same = sum(place == int(nearest_one) for place, nearest_one in zip(places, found))
print(f"median distance to the nearest training picture: {of_made.median():.2f}")
own.compare(same, within=1)

# %% [markdown]
# A distance alone says nothing. You need something to compare with on either side.
#
# - **A perfect copy**: the training picture itself, encoded and decoded by the miniature's VAE. All that the model paints goes through this
#   decoder, so we expect nothing to be nearer.
# - **New pictures**: real pictures by the same artists that no training has seen. They are no copies, and lie near the training by chance.
#
# Write the comparison with new pictures. Of all pairs of a made and a new picture, in what share is the made one nearer to its nearest
# training picture? A distance is the root of the added squared differences, which `torch.cdist` gives. The distances that the
# cells print are divided by √3072, which changes no comparison. A tie counts as half. So ½ says *as near as a new picture*, and 1 says
# *nearer than any*.


# %% tags=["teacher"]
from s2i_teach.evaluate.copies import check_sets, distances  # the library's lines name them


# %% tags=["exercise-nearer_than_new"]
def nearer_than_new(made, new, training):
    """The share of pairs in which a made picture is nearer than a new one; (M, d), (N, d) and (T, d)."""
    ...


# %%
lesson.nearer_than_new.check(nearer_than_new)
nearer_than_new = lesson.nearer_than_new.use(nearer_than_new)

# %%
against_new = predict("The share for our 24 pictures against new ones, 0 to 1?", answer=...)

# %%
new = coarse(opened(row) for row in rows_of("test"))
with torch.no_grad():
    x = torch.stack([to_tensor(opened(training[place])) for place in places])
    parts = [led.vae.decode(led.vae.encode(some).latent_dist.mean).sample for some in x.split(4)]
copies = torch.cat(parts).clamp(-1, 1)
share = {
    "perfect copies": nearer_than_new(coarse(copies), new, seen),
    "made from words": nearer_than_new(coarse(made), new, seen),
}
for name, value in share.items():
    print(f"{name:>16}: nearer than a new picture in {value:.0%} of the pairs")
against_new.compare(share["made from words"], within=0.1)

# %% [markdown]
# If the share is above ½, is that copying? Think about the control before you say so. The new pictures show things that are **not** in the
# training. Our pictures show things that **are**, and nearly each of these was drawn by five artists. A sixth drawing of a fox would also lie
# near the other five foxes, and nobody would call it a copy.
#
# A fairer control is a real picture of such a thing, by an artist who is *not* in the training. We have none, but each training picture can
# play this part. Take it out of the set, and look for its nearest neighbour among the others. The others still have its thing, drawn by
# other artists.

# %%
fairer = predict(
    "Against real pictures of trained things, each taken out of the set: the share is",
    answer=...,
    options=("below 0.4", "0.4 to 0.6", "above 0.6"),
)

# %%
of_artists, _ = nearest(seen, seen, skip_self=True)
of_copies, back = nearest(coarse(copies), seen)
of_new, _ = nearest(new, seen)
gap = of_artists[None, :] - of_made[:, None]
against_artists = ((gap > 0).double() + (gap == 0).double() / 2).mean().item()
figure, alt = histogram(
    {
        "perfect copies": of_copies,
        "made from words": of_made,
        "taken out": of_artists,
        "new things": of_new,
    },
    x_label="distance to the nearest training picture",
    bins=24,
    span=(0, 0.9),
)
s2i.show(figure, alt=alt)
print(f"made from words, nearer than a real picture that was taken out: {against_artists:.0%} of the pairs")
print(f"perfect copies find themselves: {sum(p == int(b) for p, b in zip(places, back))} of {len(places)}")
fairer.compare(
    "below 0.4" if against_artists < 0.4 else "above 0.6" if against_artists > 0.6 else "0.4 to 0.6"
)
nearer_than_any_copy = (of_made <= of_copies.max()).sum().item()
print(f"made pictures as near as the worst perfect copy: {nearer_than_any_copy} of {len(made)}")

# %% [markdown]
# Compare the two shares. They are about the same pictures, and only the control differs. **Ask of every claim of copying: nearer than what?**
#
# This has limits. We looked at 24 pictures at 32 × 32 pixels, so a copied detail would escape. And a model that does not copy pictures may
# still copy a *style*, which no nearest neighbour shows. In most of its training our model saw turned, shifted and scaled pictures, which
# makes copies harder. Late in its training it saw pictures as they are, more than forty times each, which makes copies likelier. Stable Diffusion has
# another history. So our result says nothing of it.
#
# ## 6. Who is missing?
#
# Every data set was chosen by somebody. Stable Diffusion's card says that white and western cultures are often its default. Luccioni and
# others (2023) and Bianchi and others (2022) measured such stereotypes in pictures of people. Our miniature has no people in its data at
# all. That does not make it neutral.
#
# Of 861 things, 286 are marked *core*, and the U-Net learned these alone. The authors of this course wrote the list, from what people
# like to draw and from the names of *Quick, Draw!*. Here are two groups, named before you see the result: **Asian food**, 17 things, and
# **religious buildings**, 6 things. Both groups are Unicode's, which has ideas of its own: look where it puts
# spaghetti.

# %%
expected = predict("Had lots decided, how many of the 17 Asian dishes would have been chosen?", answer=...)
chosen_food = predict("How many of the 17 were chosen?", answer=...)

# %%
things = {row["thing"]: row for split in ("train", "test") for row in rows_of(split)}
groups = {}
for row in things.values():
    groups.setdefault(row["subgroup"], []).append(row)
total, chosen = len(things), sum(row["core"] for row in things.values())
expected.compare(len(groups["food-asian"]) * chosen / total, within=0.5)
chosen_food.compare(sum(row["core"] for row in groups["food-asian"]))
for name in ("food-asian", "place-religious"):
    print(f"{name}:", *(f"{row['thing']}{' ✓' if row['core'] else ''}," for row in groups[name]))

# %% [markdown]
# Could that be chance? Suppose a fair lottery drew `chosen` of `total` things, none twice. A group has `group` things. How likely is it
# that the lottery takes `found` of them **or fewer**?
#
# Python has `math.comb(n, k)`, the number of ways to take k of n things. Count the ways with exactly k of the group, for each k up to
# `found`, and divide by the number of all ways.


# %% tags=["teacher"]
from math import comb  # the library's lines name these

from s2i_teach.evaluate.selection import MOST
from s2i_teach.files import written


# %% tags=["exercise-chance_of_so_few"]
def chance_of_so_few(found, group, chosen, total):
    """The probability that a fair lottery takes at most `found` of a group, a number."""
    ...


# %%
lesson.chance_of_so_few.check(chance_of_so_few)
chance_of_so_few = lesson.chance_of_so_few.use(chance_of_so_few)

# %%
shown_by_counting = predict(
    "Is the chance below 0.05?",
    answer={"food-asian": ..., "place-religious": ...},
    options=("yes", "no"),
)

# %%
chance = {
    name: chance_of_so_few(sum(r["core"] for r in rows), len(rows), chosen, total)
    for name, rows in groups.items()
}
for name in shown_by_counting.answer:
    print(f"{name:>16}: {sum(r['core'] for r in groups[name])} of {len(groups[name])} chosen, chance {chance[name]:.4f}")
shown_by_counting.compare(
    {name: "yes" if chance[name] < 0.05 else "no" for name in shown_by_counting.answer}
)
few = [name for name in sorted(chance, key=chance.get) if chance[name] < 0.05]
print(f"\n{len(few)} of all {len(groups)} groups are below 0.05; fair lots give at most {0.05 * len(groups):.1f} on average:")
for name in few:
    print(f"  {name:18} {sum(r['core'] for r in groups[name]):>2} of {len(groups[name]):>2}  {chance[name]:.4f}")

# %% [markdown]
# The list at the end is an exploration: all groups were looked at, so some small numbers were to be expected. The two above it were named
# beforehand. And a small chance speaks against a fair lottery. Nobody had said that there was one.
#
# Look at the religious buildings again. Counting shows nothing there, since six are few. But read *which* one was chosen. **A
# chance counts how many. It does not see which.** We meant no harm. A list of what "people like to draw" was written at a desk, and it
# shows whose desk it was.
#
# Does it matter for the pictures? Ask for all six in words, and then with a sketch. The sketch holds the lines of an artist's own picture.

# %%
best_known = predict(
    "From words alone: which fits its prompt best, among all prompts of the data?",
    answer=...,
    options=("church", "mosque", "synagogue", "hindu temple", "shinto shrine", "kaaba"),
)

# %%
six = [row["thing"] for row in groups["place-religious"]]
prompts = [prompt_of(thing) for thing in six]
pairs = {pair.thing: pair for split in ("train", "test") for pair in embedded_pairs(split)}
every_prompt = sorted({prompt_of(thing) for thing in things})
with one_thread():
    rows = {
        "words, seed 0": [from_words(prompt, 0) for prompt in prompts],
        "words, seed 1": [from_words(prompt, 1) for prompt in prompts],
        "a sketch leads": [
            s2i.translate(pairs[thing].sketch, prompt, pipe=led, seed=0).image
            for thing, prompt in zip(six, prompts)
        ],
        "the artist's": [pairs[thing].open()[1] for thing in six],
    }
sheet, _ = filmstrip(rows, six, side=110)
s2i.show(
    sheet,
    alt=f"Six religious buildings: {', '.join(six)}. Rows: two pictures from words alone, one that a sketch led, the artist's.",
)
ranks = {name: prompt_ranks(images, prompts, every_prompt) for name, images in rows.items()}
print(f"how many of {len(every_prompt)} prompts fit better than its own (0 is best):")
for name, values in ranks.items():
    print(f"  {name:>16}: " + "  ".join(f"{thing} {value}" for thing, value in zip(six, values)))
mean_rank = np.mean([ranks["words, seed 0"], ranks["words, seed 1"]], 0)
best_known.compare(six[int(np.argmin(mean_rank))])

# %% [markdown]
# Compare the judge with your eyes. The small CLIP has learned *all* six from pictures, the U-Net only the church, and both share the
# text encoder. So a box in black lines may satisfy the judge. Would it satisfy a person who prays there? No model answers
# that question. Ask the person.
#
# And look at the third row. Where words are not enough for this model, a sketch can say the shape. It cannot say the colours: compare the
# Kaaba with the artist's.
#
# ## 7. Asked or not? Data, licences, opt-out
#
# Here is what is known of three sets of training pictures. Each line has a source at the end of the lesson.
#
# | | LAION-5B | Stable Diffusion 1 | this course's miniature |
# |---|---|---|---|
# | what | 5.85 billion links to pictures on the web, with their texts; it holds no pictures | a model, trained on parts of LAION-5B | a model, trained on five sets of icons |
# | who was asked | nobody before it was collected | nobody before; requests to be left out were announced for version 3 | nobody by us; each team had published its icons for reuse |
# | licence of the pictures | each its own: LAION licenses its table alone | as on the left | CC BY-SA, CC BY, Apache and MIT; all are named in `data/LICENSES` |
# | licence of what is given away | CC BY 4.0, of the table | CreativeML OpenRAIL-M, which forbids some uses | CC BY-SA 4.0 |
# | found later | links to pictures of child sexual abuse; taken down in December 2023; published again in August 2024 as Re-LAION-5B, without the 2,236 links that matched lists of known or suspected abuse, many of them dead by then | since August 2024 the copy of one of its publishers, Runway, is gone; others hold it | 286 of 861 things were chosen by us, as you saw |
#
# **Opt-out** means that whoever does not say no is taken to agree. **Text and data mining** means that a program searches many works for
# patterns. In the European Union it is allowed for works that one may lawfully see or read. Two articles of Directive 2019/790 say so:
#
# - Article 4 is for everybody. The rights holder can *reserve* a work, that is, forbid its use. Online the reservation must be
#   machine-readable.
# - Article 3 is for scientific research by research organisations. There a reservation does not count.
#
# Since August 2025, whoever brings out a new general-purpose model must have a policy to respect reservations. This is article 53(1)(c) of
# the AI Act.
#
# What courts and offices said, as we found it in November 2026:
#
# - **Hamburg**, 10 December 2025: a photographer lost against LAION, on both articles. His picture agency's reservation, in plain words on
#   its page, was not machine-readable enough in 2021. And LAION counted as research. The case was about making the data set, not about
#   training a model. A further appeal was allowed.
# - **Munich**, 11 November 2025, *GEMA v OpenAI*: a model that gives back song texts almost word for word has *copied* them, and data mining
#   does not allow that. The case was about texts, not pictures. OpenAI has appealed.
# - **London**, 4 November 2025, *Getty Images v Stability AI*: the trained model is not an "infringing copy", since it does not store
#   the pictures. Getty won a small part: early versions had drawn its watermarks, which are trade marks. Whether training was lawful was
#   *not* decided. Getty had dropped that claim, as no training in the United Kingdom could be shown. An appeal on the meaning of "infringing
#   copy" was allowed.
# - **San Francisco**, *Andersen v Stability AI*: in August 2024 a judge let the artists' copyright claims go on. We found no verdict.
# - **Who is the author?** The US Copyright Office wrote in January 2025 that with today's models prompts alone do not give enough control to
#   make somebody the author of a picture. But where a person's own drawing is *perceptible* in the result, that part can be protected. In
#   2023 the Office protected the comic *Zarya of the Dawn* for its text and arrangement, and not for its generated pictures. In *Thaler v.
#   Perlmutter* a machine was to be the only author. A court held in March 2025 that an author must be human. In March 2026 the Supreme
#   Court declined to hear the case.
#
# Laws differ between countries, and none of this is advice. Which of your measures says something about *perceptible*?
#
# Two views, each at its strongest:
#
# - *Asking first is the least.* Artists say that their work was taken to build what competes with them, without consent, credit or
#   pay. Jiang and others (2023) collect harms: lost income, lost reputation, plagiarism. Opting out is work for those whose pictures were
#   taken, and often comes after the training.
# - *Learning is not copying.* A model keeps what pictures have in common, as students do who look at thousands of them. Where it gives
#   pictures back, that is a fault which can be measured and repaired. If each picture needed a contract, only large companies could train.
#
# ## 8. A record in the picture
#
# **Provenance** is where a thing comes from, and through whose hands it went. Every picture that this course saves has a record inside:

# %%
with one_thread():
    turtle = s2i.translate(s2i.sketches()[0].path, prompt_of("turtle"), pipe=led, seed=0)
path = turtle.save("turtle.png")
record = s2i.read_record(path)
print("model:", record.model, " prompt:", record.settings.prompt, " seed:", record.settings.seed)

# %% [markdown]
# Now do what every messenger and editor may do: open the picture and save it anew.

# %%
survives = predict(
    "What of the record is left in the new file?", answer=..., options=("all", "a part", "nothing")
)

# %%
with Image.open(path) as picture:
    picture.convert("RGB").save("copy.png")
with Image.open("copy.png") as copied:
    same_pixels = copied.convert("RGB").tobytes() == turtle.image.tobytes()
try:
    s2i.read_record("copy.png")
    survives.compare("all")
except s2i.InputError as error:
    print("InputError:", error)
    survives.compare("nothing")
print("the same in every pixel:", same_pixels)

# %% [markdown]
# A record like ours has a second weakness: anybody can write another one. The next cell makes a lizard of the turtle, and no pixel changes.


# %%
def forged(path, to, was, becomes):
    """A copy of a PNG in whose record some words were replaced by others of the same length."""
    data = bytearray(path.read_bytes())
    at = data.index(b"iTXt")  # the part that holds the record; its length stands before, a checksum behind
    end = at + 4 + int.from_bytes(data[at - 4 : at], "big")
    part = bytes(data[at:end]).replace(was, becomes)
    data[at : end + 4] = part + zlib.crc32(part).to_bytes(4, "big")
    path.with_name(to).write_bytes(data)


forged(path, "lizard.png", b"a turtle", b"a lizard")
print("its record says:", s2i.read_record("lizard.png").settings.prompt)

# %% [markdown]
# **Content Credentials** answer this with a signature. They come from the C2PA, a group of companies and news organisations. A *manifest* says
# what was done to a picture, by which program, and what kind of source it has. It is signed together with a fingerprint of the file.
# Whoever changes a byte breaks the signature.
#
# This is what ours says. The sketch is not in it, and neither is your name:

# %%
print(json.dumps(manifest(turtle), indent=1)[:900], "…")

# %%
breaks = predict(
    "A signed picture, in which the same was forged: what does its reader say?",
    answer=...,
    options=("Valid", "Invalid", "nothing: there are no credentials"),
)

# %%
if has_package():
    signed = sign(turtle, "signed.png", signer="somebody")
    found = read_credentials(signed)
    print(f"{found.state}: {found.meaning}; signer: {found.signer}; source: {found.source}")
    forged(signed, "changed.png", b"a turtle", b"a lizard")
    with Image.open(signed) as picture:
        picture.convert("RGB").save("saved_anew.png")
    for name in ("changed.png", "saved_anew.png"):
        found = read_credentials(name)
        print(f"{name}:", f"{found.state}: {found.meaning}" if found else "no credentials at all")
    breaks.compare(read_credentials("changed.png").state)
else:
    print("c2pa-python is not installed, and the course runs without it. To sign and to read: pip install c2pa-python")
    print("Then run this cell again. When we ran it, the forged picture came out Invalid, and the one saved anew had none.")
    breaks.compare("Invalid")

# %% [markdown]
# Our certificate is made on the spot, and no list of trusted signers has it. So even an unbroken signature shows only that nothing was
# changed *since*. It does not say that the story was true, nor who told it.
#
# And **absence proves nothing**. To save a picture anew is enough to lose the credentials, and platforms may remove them without any bad
# intention. One answer is *durable* credentials: a watermark or a fingerprint by which a lost manifest can be found again. A picture
# without credentials may be a photograph from 1990, a drawing by hand, or anything else.
#
# ## 9. What does it cost?
#
# A model costs electricity, once for the training and again for each picture. For this course you can work it out, since the model card
# tells the minutes of each training.

# %%
card = (data_dir() / "mini" / "README.md").read_text(encoding="utf-8")
ONE_CORE = ("preview decoder, first generation", "the same, on the second VAE", "the reward's changes")
trainings = [(name, minutes, 1 if name in ONE_CORE else 2) for name, minutes in trainings_of(card)]
for name, minutes, cores in trainings:
    print(f"{minutes:>5.0f} minutes on {cores} core{'s' * (cores > 1)}: {name}")

# %% [markdown]
# What you need besides is the **power** of a busy core, and nobody measured it. So take bounds: at least 5 watts, at most 30, with its
# share of the rest of the computer. These bounds are our assumption. A meter at the plug would narrow them.
#
# A **kilowatt-hour** is 1,000 watts for one hour. Return the lowest and the highest estimate.


# %% tags=["teacher"]
import math  # the library's lines name these
from collections.abc import Sequence

from s2i_teach import InputError


# %% tags=["exercise-kilowatt_hours"]
def kilowatt_hours(trainings, watts):
    """Kilowatt-hours (lowest, highest) of a list of (minutes, cores), at (least, most) watts a busy core."""
    ...


# %%
lesson.kilowatt_hours.check(kilowatt_hours)
kilowatt_hours = lesson.kilowatt_hours.use(kilowatt_hours)

# %%
break_even = predict(
    "After how many pictures have the pictures cost as much as the trainings?",
    answer=...,
    options=("fewer than 1,000", "1,000 to 100,000", "more than 100,000"),
)

# %%
watts = (5, 30)
trained = kilowatt_hours([(minutes, cores) for _, minutes, cores in trainings], watts)
started = time.process_time()
for seed in range(3):
    from_words(prompt_of("turtle"), seed)
seconds = (time.process_time() - started) / 3  # of one busy core
picture = kilowatt_hours([(seconds / 60, 1)], watts)
print(f"all trainings of the miniature: {trained[0]:.2f} to {trained[1]:.2f} kWh")
print(f"one picture here, {seconds:.2f} s of a core: {1000 * picture[0]:.4f} to {1000 * picture[1]:.4f} Wh")
count = trained[0] / picture[0]  # the watts cancel
print(f"as much as the trainings: about {round(count, -3):,.0f} pictures")
break_even.compare(
    "fewer than 1,000" if count < 1e3 else "more than 100,000" if count > 1e5 else "1,000 to 100,000"
)
stable = 150_000 * 0.25  # hours of an A100 by the model's card, and 250 W, the most that this GPU may take
print(f"Stable Diffusion 1, by its own card: {stable:,.0f} kWh, about {round(stable / trained[1], -3):,.0f} times our upper bound")

# %% [markdown]
# The model card of Stable Diffusion 1 names 150,000 hours of an A100 GPU and 11,250 kg of CO₂. The GPU may take 250 watts at most, so the
# product is an estimate. It leaves out the rest of the computer and the cooling. It also leaves out every attempt that failed, and
# so does ours.
#
# For 1,000 pictures, Luccioni, Jernite and Strubell (2023) report about 2.9 kWh, as a mean over several models. The hungriest model took more
# than 11. A first version of the paper had a mean of 1.35, as the press reported. Bertazzini and others (2025) found that one model took
# up to 46 times as much as another. So a number for "an AI picture" says little without the model.
#
# Cheap is not the same as harmless: what is cheap is made more often. And a picture by hand is not free of electricity either. Which
# comparison would be fair? The same purpose, the same quality, all attempts counted.
#
# ## 10. What studies found, and where they end
#
# Do image models displace artists? Do they change the market, and how pictures are made? Here is what was measured, with its limits.
#
# | study | what was found | where it ends |
# |---|---|---|
# | Demirci, Hannane and Zhu (2025), *Management Science* | after image models came out, job posts for image creation fell by 17 % on one large platform for freelancers, compared with posts for manual work | posts and not incomes; one platform; up to July 2023 |
# | Hui, Reshef and Zhou (2024), *Organization Science* | freelancers whose jobs such models can do lost work and earnings, good ones no less than others | one platform, short term |
# | Zhang, Yuan and Xiong (2023), preprint | on a Chinese platform for commissions, prices of one style fell by 64 %, orders rose by 121 %, revenue by 56 %; most stayed with those who were there before | one kind of picture, after one leak of one model |
# | Goldberg and Lam (2025), working paper | when a marketplace let in generated images, their number soared, that of images by people fell, and buyers gained variety | one marketplace; we read a summary, not the paper |
# | Zhou and Lee (2024), *PNAS Nexus* | of over 50,000 users, those who took up image models published 25 % more, and got more favourites for each view; the average novelty of what they showed fell, and its peak rose; the novelty of how it looked fell | who takes up a model is not drawn by lot; favourites are not quality |
# | Zhou, Lee and Gu (2025), *Science Advances* | users of models contributed more new ideas because they made *more*, not because each was newer; at first these were few people, later many | one platform; users of models and others were matched, not drawn by lot |
# | Bellaiche and others (2023) | the same pictures are liked more if people are told that a person made them | pictures on a screen, no purchase |
#
# Read them as you read lesson 12's report. Where studies disagree, look at *who* was counted, *what* was counted, and *how long*. Fewer
# posts, lower prices, more orders and more pictures can all be true at once, for different people.
#
# None of them says what becomes of the traditional making of art in twenty years. Drawing by hand has a value in itself for who does
# it. A price does not show that.
#
# ## 11. A debate
#
# The motion: **"In this class exhibition, the name under a picture is that of whoever drew the sketch, and nobody else's."**
#
# Draw roles by lot. You speak for your role, whatever you think yourself.
#
# - **The sketcher** drew three strokes.
# - **The prompter** wrote forty words and chose among sixty seeds.
# - **The illustrator** drew one of the pictures in the training, and lives by drawing.
# - **The developer** trained the model and gave it away.
# - **The newcomer** cannot hold a pen, and has made pictures for the first time.
# - **The curator** has to decide what stands on the label, and asks all others one question each.
#
# Three rules. Every speech of two minutes uses one number *that you measured today*, or one study with its limit. Nobody says "AI" for what
# is a model, a company or a user. At the end each speaker names the strongest argument of another role.
#
# After the debate, or at home, answer the survey once more.

# %%
s2i.survey()

# %% [markdown]
# Your file `s2i_survey.json` holds two lists of answers and a number by lot, and no name. Your teacher can put the files of a class
# into one folder and see the means of before and after with `s2i scores FOLDER`.
#
# ## Think about it
#
# The sketch's share of the pixels was one number, and its share of the features another. Which of the two would you show to a court, and
# which to a friend? And what would have to be measured before you believe that *the training pictures* decided more than both?
#
# ## Sources
#
# Experiments and measures:
#
# - Fisher, *Statistical Methods for Research Workers*, 1925 (analysis of variance); *The Design of Experiments*, 1935. Mann and Whitney,
#   *On a Test of Whether one of Two Random Variables is Stochastically Larger than the Other*, 1947.
# - Carlini et al., *Extracting Training Data from Diffusion Models*, 2023, arXiv 2301.13188. Somepalli et al., *Diffusion Art or Digital
#   Forgery?*, 2022, arXiv 2212.03860.
# - Luccioni et al., *Stable Bias*, 2023, arXiv 2303.11408. Bianchi et al., *Easily Accessible Text-to-Image Generation Amplifies
#   Demographic Stereotypes at Large Scale*, 2022, arXiv 2211.03759.
# - Bellaiche et al., *Humans versus AI: whether and why we prefer human-created compared to AI-created artwork*, 2023.
#
# Data, law and provenance:
#
# - Schuhmann et al., *LAION-5B*, 2022, arXiv 2210.08402. Thiel, *Identifying and Eliminating CSAM in Generative ML Training Data and
#   Models*, Stanford Internet Observatory, 2023. LAION, *Releasing Re-LAION 5B*, 2024. Rombach and Esser, *Stable Diffusion v1 Model
#   Card*, 2022. Edwards, *Stability AI plans to let artists opt out of Stable Diffusion 3 image training*, Ars Technica, 2022.
# - Directive (EU) 2019/790, articles 3 and 4. Regulation (EU) 2024/1689 (AI Act), article 53(1)(c). Higher Regional Court of Hamburg,
#   5 U 104/24, 2025. Regional Court of Munich I, 42 O 14139/24, 2025. *Getty Images v Stability AI*, [2025] EWHC 2863 (Ch), and on the appeal
#   [2025] EWHC 3343 (Ch). *Andersen v. Stability AI*, N.D. Cal. 3:23-cv-00201. *Thaler v. Perlmutter*, D.C. Circuit, 23-5233, 2025. US
#   Copyright Office, *Zarya of the Dawn*, 2023, and *Copyright and Artificial Intelligence, Part 2:
#   Copyrightability*, 2025.
# - C2PA, *Content Credentials: Technical Specification*. contentauth, *Durable Content Credentials*.
#
# Work, market and energy:
#
# - Demirci, Hannane and Zhu, *Who Is AI Replacing?*, 2025. Hui, Reshef and Zhou, *The Short-Term Effects of Generative Artificial
#   Intelligence on Employment*, 2024. Zhang, Yuan and Xiong, *The Impact of Generative Artificial Intelligence on Market Equilibrium*,
#   2023, arXiv 2311.07071. Goldberg and Lam, *Generative AI in Equilibrium*, 2025. Zhou and Lee, *Generative artificial intelligence,
#   human creativity, and art*, 2024. Zhou, Lee and Gu, *Who expands the human creative frontier with generative AI*, 2025. Jiang et al.,
#   *AI Art and its Impact on Artists*, 2023.
# - Luccioni, Jernite and Strubell, *Power Hungry Processing*, 2023, arXiv 2311.16863. Bertazzini et al., *The Hidden Cost of an Image*,
#   2025, arXiv 2506.17016. NVIDIA, *A100 40GB PCIe GPU Accelerator, Product Brief*, 2020.
#
# **Next:** lesson 18, one process, three languages. Or take one of today's questions into a project of your own.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** First sitting: 5 minutes for the survey, 7 for section 1, 20 for section 2 with its exercise, 11 for the vote, 12 for the
# three strokes. Second sitting: 15 minutes for copies, 13 for section 6, 8 for section 7, 5 for the record, 8 for the cost, 6 for the
# studies. The debate takes 30 minutes more, and is worth a lesson hour of its own. Short of time? Leave out `kilowatt_hours`, and let
# sections 7 and 10 be read at home before the debate.
#
# **Typical mistakes.** In `decided_by`: averaging over the sketches to see what a sketch does; averaging over one of the two others
# only; standard deviations; the rest left out. In `nearer_than_new`: the mean distance for the nearest; the wrong axis; ties; one yes or
# no for the means. In `chance_of_so_few`: exactly so many for so few; the binomial law, which puts things back. In `kilowatt_hours`:
# minutes for hours, and kilowatts per hour.
#
# **What we saw.** Shares of the pixels for sketch, prompt, seed and rest: from words alone 0.00, 0.91, 0.04, 0.06; the sketch starts 0.04, 0.74,
# 0.04, 0.18; it leads 0.54, 0.23, 0.01, 0.22. So the control behaves. Of the *features*, when it leads: 0.06, 0.81, 0.00, 0.12. A person names
# all led pictures after their sketches: a turtle in the colours of a house is a turtle. CLIP names 10 of 12 after the prompt, and in grey 4 of
# 12, since it then calls all of them turtles. It does so with an artist's house in grey, too. So its features are no measure of *what is
# shown*, but of what goes with the words, above all colour. Vote: 8 of 8 by the program, which has to be so. Strokes: edge F1 0.83 with
# the smooth pen and 0.82 with the keys, since each picture keeps its own drawing. Copies: median distance 0.24, against 0.03 of perfect copies; 19 of 24 had the
# picture of their caption as nearest neighbour; nearer than new pictures in 87 % of the pairs, and nearer than pictures taken out in 59 %.
# So the first control alone would have told of copying. The second tells of little: the pose is the artist's, the details are not. Before the
# hour of training that first showed pictures as they are, the same four figures were 0.34, 3, 71 % and 46 %. Selection: 0 of 17 Asian dishes, chance 0.001; 1 of 6
# religious buildings, chance 0.35. The prompt that fits best was that of the Kaaba, which the U-Net never saw: a warning about judges. With a
# sketch the Kaaba has its shape, and comes out white and orange.
# Cost: 0.18 to 1.10 kWh, as much as some 300,000 pictures; the second number depends on the machine.
#
# **What to listen for.** "The sketch has 54 %, so I own 54 % of it." A share of the variance over *these* choices is no share of a right.
# "The share is above ½, so it copies." Nearer than what? "Only 1 of 6, so it is shown." Not by counting. "No credentials, so it is
# fake." Most pictures in the world have none.
#
# **Care.** Section 7 names links to abuse of children in LAION-5B. Say beforehand that it comes up, in one sentence, and that nobody needs to
# look anything up. Religion in section 6: let nobody speak for a faith that is not their own. Nobody has to reveal an opinion; that is what
# roles by lot are for.
#
# **The debate.** Six roles, or pairs in each. Put the motion on the board, and vote by hand before and after. Mark what was *used*: a
# measured number with its control, a study with its limit, the strongest argument of another role named fairly. Do not mark the side. A
# good round separates four questions: who *decided* the picture, who *worked*, who was *asked*, and whom the label is *for*.
#
# **The survey.** It is anonymous only if you let it be. Ask for the files on a stick or in a shared folder, without names before them, and
# put them into one folder, for instance `class/surveys`. `s2i scores` shows means of at least three people and nothing of anybody. Do not
# read the files one by one.
#
# **Law.** The list is of November 2026 and will age. On *Andersen* reports of mid-2026 disagree whether the trial comes in 2026 or later.
# Let students look up what has happened since, and date what they find.
#
# **The open question.** There is no right answer. A good one sees that features are one judge's idea of *what is shown*, that pixels are
# *how it is laid out* together with colour, and that copyright asks for expression. For the training pictures one would have to vary
# *them*: train on two sets, and take the model as a fourth factor.
