# %% [markdown]
# # Lesson 13. Prompts
#
# {{badge}}
#
# People believe many things about prompts, and most of them were never tested. Here you look at what the model really reads. Then you
# measure whether words or luck made a picture, and you put a famous belief to a test that it could fail.
#
# | | |
# |---|---|
# | **You will** | see where a prompt is cut off; use negative prompts; measure words; split words from luck; test "magic words" |
# | **Time** | two sittings: 50 minutes for sections 1 to 4, one exercise; 55 minutes for sections 5 to 7, two exercises |
# | **You need** | guidance (lesson 6), strength (lesson 8), edge F1 and paired differences (lesson 12); means over axes in torch |
# | **Hardware** | any computer, two CPU cores are enough; the pictures take about a minute in each sitting |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %% [markdown]
# # First sitting: what does a prompt do?

# %%
import torch

from s2i_teach.images import to_tensor
from s2i_teach.lessons import predict
from s2i_teach.models.devices import one_thread
from s2i_teach.translation.compare import spread
from s2i_teach.translation.prompts import fill
from s2i_teach.widgets.figures import filmstrip, picture_row

lesson = s2i.lesson(13)
pipe = s2i.load_pipeline("mini-fast", device="cpu", dtype="fp32")
tokenizer = pipe.tokenizer
sketches = {s.name: s for s in s2i.sketches()}


def grid(sketch, prompts, **settings):
    """Pictures of all prompts with all other settings that are lists, as s2i.sweep makes them."""
    settings = {"strength": 0.6, "num_inference_steps": 5, "prepare": "filled"} | settings
    with one_thread():  # the miniature is too small for two
        return s2i.sweep(sketch, prompts=prompts, pipe=pipe, quiet=True, **settings)


# %% [markdown]
# ## 1. What the model reads
#
# A text encoder does not see letters. The **tokenizer** cuts the text into pieces from a fixed vocabulary, lesson 6's
# **tokens**. Each piece has a number. A frequent word is one piece. Other words are put together from several pieces.
# `</w>` marks the end of a word.

# %%
pieces_of = predict(
    "One piece or several?",
    answer={"turtle": ..., "turtles": ..., "tortoise": ...},
    options=("one", "several"),
)

# %%
print(f"{len(tokenizer):,} pieces in the vocabulary, {tokenizer.model_max_length} places")
texts = ("a turtle, openmoji style", "A TURTLE,   OpenMoji style", "turtles", "tortoise")
for text in (*texts, "masterpiece", "Schildkröte", "🐢"):
    print(f"{text!r:>30}: ", *tokenizer.tokenize(text))
pieces_of.compare(
    {word: "one" if len(tokenizer.tokenize(word)) == 1 else "several" for word in pieces_of.answer}
)

# %% [markdown]
# No text is refused. Capitals and extra spaces make no difference. An unknown word is cut into smaller and smaller pieces, in the end into
# single bytes: `Ã ¶` are the two bytes of *ö*. Such pieces mean something only if the training met them often.
#
# The miniature's vocabulary was made from its captions and a list of common words. Stable Diffusion's has 49,408 pieces, so there most
# common English words are one piece.
#
# The encoder has a fixed number of places, here as in Stable Diffusion **77**. The start token takes the first place, and an end token
# follows your pieces. What does not fit is cut off.
#
# Write the function that says what was read and what was lost, both as text. If nothing is lost, the second text is
# `""`. Your tools:
#
# - `tokenizer.model_max_length` is the number of places.
# - `tokenizer(prompt).input_ids` is the list of numbers, with the start and the end token.
# - `tokenizer.decode(numbers)` makes text of numbers. Its spaces may differ from yours.


# %% tags=["teacher"]
from s2i_teach import InputError  # the library's lines name it


# %% tags=["exercise-read_and_lost"]
def read_and_lost(tokenizer, prompt):
    """The part of a prompt that the text encoder reads, and the part that it does not: two texts."""
    ...


# %%
lesson.read_and_lost.check(read_and_lost)
read_and_lost = lesson.read_and_lost.use(read_and_lost)

# %% [markdown]
# Here are two long prompts. Only their ends differ: one wants a red hat, the other a green hill. Both have fewer than
# 77 *words*.

# %%
ends_matter = predict(
    "Are the two pictures equal?",
    answer=...,
    options=("yes, in every pixel", "no"),
)

# %%
praise = ", very beautiful, very detailed, very colourful, very bright, very big, very small" * 3
long = {end: f"a turtle, openmoji style{praise}, {end}" for end in ("a red hat", "on a green hill")}
for end, prompt in long.items():
    read, lost = read_and_lost(tokenizer, prompt)
    print(f"{len(prompt.split())} words, {len(tokenizer.tokenize(prompt))} pieces; lost: {lost!r}")
turtle = sketches["turtle"].path
results = {end: grid(turtle, [prompt], seed=0).results[0] for end, prompt in long.items()}
sheet, alt = picture_row({f"…, {end}": result.image for end, result in results.items()})
s2i.show(sheet, alt=f"Turtles from two long prompts that differ in their last words. {alt}")
one, other = results.values()
same_bytes = one.image.tobytes() == other.image.tobytes()
ends_matter.compare("yes, in every pixel" if same_bytes else "no")
print("a result says so itself:", *one.notes)

# %% [markdown]
# The red lines are warnings of transformers and diffusers, and they are easy to overlook. The first one threatens with indexing errors. None
# comes, because the pipeline cuts the list first. Put what matters in front.
#
# ## 2. One template, many prompts
#
# To compare prompts, change one thing and keep the rest. `fill` makes every combination of its fields. It refuses a field that the
# template does not have:

# %%
for prompt in fill("a {thing}, {style} style", thing=["house", "cat"], style=["noto", "flat"]):
    print(prompt)
try:
    fill("a {thing}, {style} style", thing="house", stlye=["noto", "flat"])  # misspelt on purpose
except s2i.InputError as error:
    print("InputError:", error)

# %%
styles = ["openmoji", "noto", "twemoji", "fluent", "flat"]
house = sketches["house"].path
seeds = [0, 1]
five = grid(house, fill("a house, {style} style", style=styles), seeds=seeds)
rows = {f"seed {seed}": five.images[i :: len(seeds)] for i, seed in enumerate(seeds)}
sheet, _ = filmstrip(rows, styles, side=110)
s2i.show(
    sheet,
    alt=f"One sketch of a house in five styles, with two seeds. Columns: {', '.join(styles)}.",
)

# %% [markdown]
# Now try other endings: a style that the miniature never saw, two styles at once, *not* a style, and no style at all. Of
# these only the last was in the captions of its training.
#
# The distance of two pictures is the mean of |a − b| over all pixels: 0 if they are equal, 2 for black against white.

# %%
negation = predict(
    "'not openmoji style': the pictures are nearer to those of",
    answer=...,
    options=("openmoji style", "no style"),
)

# %%
captions = ["openmoji", "watercolour", "openmoji noto", "not openmoji", "no style"]
odd = [*fill("a house, {style} style", style=captions[:-1]), "a house"]
strange = grid(house, odd, seeds=seeds)
x = torch.stack([to_tensor(image) for image in strange.images]).unflatten(0, (len(odd), len(seeds)))
rows = {f"seed {seed}": list(x[:, i]) for i, seed in enumerate(seeds)}
sheet, _ = filmstrip(rows, captions, side=120)
s2i.show(
    sheet,
    alt=f"The house with five endings of the prompt and two seeds. Columns: {', '.join(captions)}.",
)
for name, pictures in zip(captions, x):
    to_openmoji, to_none = ((pictures - x[i]).abs().mean() for i in (0, -1))
    print(f"{name:>14}: distance to openmoji {to_openmoji:.3f}, to no style {to_none:.3f}")
to_openmoji, to_none = ((x[3] - x[i]).abs().mean() for i in (0, -1))
negation.compare("openmoji style" if to_openmoji < to_none else "no style")

# %% [markdown]
# If *not openmoji* comes out near *openmoji*, the reason is simple: the word *openmoji* is in the prompt, and *not* is
# one more word. CLIP has trouble with *not*, too (Alhamoud et al. 2025, arXiv 2501.09425). What you do not want has a
# field of its own.
#
# ## 3. Negative prompts
#
# Guidance goes from the prediction without words towards the prediction with words, and beyond:
#
# $$\hat\varepsilon = \hat\varepsilon_\varnothing + s\,(\hat\varepsilon_c - \hat\varepsilon_\varnothing)$$
#
# Here $s$ is the guidance scale, $c$ is the prompt, and $\varnothing$ is the empty prompt. A **negative prompt** $n$ takes the place of the
# empty one: $\hat\varepsilon_n + s\,(\hat\varepsilon_c - \hat\varepsilon_n)$. Each step then starts at the prediction for what you do
# *not* want. It goes towards the prediction for what you want, and beyond.

# %%
at_one = predict("Five negative prompts at s = 1: how many different pictures?", answer=...)
not_green = predict(
    "From *nothing* to *green* as the negative prompt, at s = 5: the picture's mean red minus its mean green",
    answer=...,
    options=("rises", "falls", "stays within 0.02"),
)

# %%
negatives = ["", "green", "red", "line art", "noto style"]
scales = [1.0, 2.5, 5.0]
away = grid(
    turtle, "a turtle, openmoji style", guidance_scale=scales, negative_prompt=negatives, seed=0
)
rows = {
    f"guidance {s:g}": [away.result(guidance_scale=s, negative_prompt=n).image for n in negatives]
    for s in scales
}
sheet, _ = filmstrip(rows, [n or "(empty)" for n in negatives], side=120)
s2i.show(
    sheet,
    alt="A turtle with five negative prompts, at three guidance scales. Columns: empty, green, red, line art, noto style.",
)
distinct = [len({image.tobytes() for image in row}) for row in rows.values()]
print("different pictures in each row:", distinct)
at_one.compare(distinct[0])
reddish = {}
for n, image in zip(negatives, rows["guidance 5"]):
    red, green, _ = to_tensor(image).mean((1, 2))
    reddish[n] = (red - green).item()
    print(f"guidance 5, away from {n or 'nothing':>10}: red minus green {reddish[n]:+.3f}")
gain = reddish["green"] - reddish[""]
not_green.compare("stays within 0.02" if abs(gain) <= 0.02 else "rises" if gain > 0 else "falls")

# %% [markdown]
# Put $s = 1$ into the formula: the two $\hat\varepsilon_n$ cancel. The pipeline does not even compute them. If you run a fast model with
# guidance at 1, your negative prompt does nothing.
#
# Above 1 a negative prompt works as a *direction*, not as an eraser. Away from *green* is not colourless. *Noto style*
# has no black lines: look how much black the picture away from it has.
#
# And *bad, ugly, blurry*, which so many people write there? Such words ask for something only where the training met
# them beside such pictures.
#
# ## 4. What a word is worth
#
# Does the article matter? A comma, a plural, a synonym, the order? Measure it: how far are the pictures from those of the plain prompt,
# with the same three seeds? A distance means nothing without something to compare it with. Ours is this: how far apart are two *seeds* of
# the plain prompt?

# %%
small_change = predict(
    "Does it change the pictures less or more than another seed does?",
    answer={"CAPITALS": ..., "no comma": ..., "plural": ..., "style first": ...},
    options=("less", "more"),
)

# %%
variants = {
    "plain": "a turtle, openmoji style",
    "CAPITALS": "A TURTLE, Openmoji STYLE",
    "no comma": "a turtle openmoji style",
    "no article": "turtle, openmoji style",
    "green": "a green turtle, openmoji style",
    "plural": "turtles, openmoji style",
    "synonym": "a tortoise, openmoji style",
    "style first": "openmoji style, a turtle",
    "style only": "openmoji style",
}
seeds = [0, 1, 2]
words = grid(turtle, list(variants.values()), seeds=seeds)
x = torch.stack([to_tensor(image) for image in words.images])
x = x.unflatten(0, (len(variants), len(seeds)))
far = dict(zip(variants, (x - x[0]).abs().mean((1, 2, 3, 4)).tolist()))
from_style = (x - x[-1]).abs().mean((1, 2, 3, 4)).tolist()
another_seed = float(spread(x[0]))
print("mean distance from the pictures of   plain    style only")
print(f"{'another seed of the plain prompt':>32} {another_seed:9.3f}")
for (name, distance), far_style in zip(far.items(), from_style):
    print(f"{name:>32} {distance:9.3f} {far_style:11.3f}")
rows = {f"seed {seed}": list(x[:, i]) for i, seed in enumerate(seeds)}
sheet, _ = filmstrip(rows, list(variants), side=92)
s2i.show(
    sheet,
    alt=f"A turtle sketch with nine prompts and three seeds. Columns: {', '.join(variants)}.",
)
small_change.compare(
    {name: "less" if far[name] < another_seed else "more" for name in small_change.answer}
)
print("less than another seed:", ", ".join(n for n in far if n != "plain" and far[n] < another_seed))

# %% [markdown]
# Two rules follow:
#
# - If a change of the prompt changes less than another seed does, try another seed before you praise the comma.
# - A distance says how *much* changed, not *what*. Look at *green* in the pictures.
#
# Is *style first* nearer to *style only* than to *plain*? Then the model hardly read *turtle*. No caption in the
# miniature's training had the style in front, and *turtles* and *tortoise* were hardly ever in a caption. Stable
# Diffusion's training had captions of every form, so it should mind less. The rule is the same: **a model reads well
# what looks like its captions.**
#
# **A good place to stop.**
#
# # Second sitting: words or luck?
#
# What the first sitting gave: the model reads at most 77 pieces. A negative prompt is a direction. And a change of words means little
# until you compare it with a change of the seed.
#
# If you come back later, run the set-up cell at the top, then go on here. The next cell loads everything else.

# %%
from itertools import product

import numpy as np
import torch

from s2i_teach.data_sources.draw import pick
from s2i_teach.evaluate.bootstrap import difference
from s2i_teach.evaluate.faithfulness import edge_scores
from s2i_teach.evaluate.prompt_match import prompt_matches
from s2i_teach.gallery import embedded_pairs
from s2i_teach.images import to_tensor
from s2i_teach.lessons import predict
from s2i_teach.models.devices import one_thread
from s2i_teach.training.vocabulary import with_article
from s2i_teach.translation.prompts import fill
from s2i_teach.widgets.figures import curves, filmstrip

lesson = s2i.lesson(13)
pipe = s2i.load_pipeline("mini-fast", device="cpu", dtype="fp32")
tokenizer = pipe.tokenizer
sketches = {s.name: s for s in s2i.sketches()}
turtle = sketches["turtle"].path


def grid(sketch, prompts, **settings):
    """Pictures of all prompts with all other settings that are lists, as s2i.sweep makes them."""
    settings = {"strength": 0.6, "num_inference_steps": 5, "prepare": "filled"} | settings
    with one_thread():  # the miniature is too small for two
        return s2i.sweep(sketch, prompts=prompts, pipe=pipe, quiet=True, **settings)


# %% [markdown]
# ## 5. Words or luck?
#
# You changed the prompt and the picture got better. Was it the words, or the seed? Take *every* prompt with *every*
# seed, P × S pictures. For each pixel, its variance over all pictures is the sum of three parts:
#
# - **words**: the variance of the prompts' means over all seeds. This is what a prompt does whatever the seed.
# - **seeds**: the variance of the seeds' means over all prompts. This is what a seed does whatever the prompt.
# - **both**: the rest. This is what a seed does with this prompt and not with that one.
#
# Add up each part over all pixels and divide by the whole. The three **shares** make 1 if every variance divides by n,
# and not by n − 1: in torch, `x.var(…, correction=0)`. Statisticians call this a two-way analysis of variance.
#
# The function gets all pictures as one tensor: axis 0 the prompts, axis 1 the seeds, then whatever a picture has.


# %% tags=["exercise-variance_shares"]
def variance_shares(pictures):
    """The shares (words, seeds, both) of the variance of pictures (P, S, ...), three numbers."""
    ...


# %%
lesson.variance_shares.check(variance_shares)
variance_shares = lesson.variance_shares.use(variance_shares)

# %% [markdown]
# Test a measure before you use it. In 4 × 4 pictures of pure noise neither words nor seeds do anything.

# %%
share_of_noise = predict("Share of the words in 4 × 4 pictures of pure noise, 0 to 1?", answer=...)

# %%
generator = torch.Generator().manual_seed(0)
noise = torch.randn(4, 4, 3, 64, 64, generator=generator)
tests = {
    "only words": noise[:, :1].expand(4, 4, -1, -1, -1),
    "only seeds": noise[:1].expand(4, 4, -1, -1, -1),
    "words and seeds, added": noise[:, :1] + noise[:1],
    "nothing but noise": noise,
}


def in_words(shares):
    return "   ".join(
        f"{name} {share:.2f}" for name, share in zip(("words", "seeds", "both"), shares)
    )


for name, pictures in tests.items():
    print(f"{name:>24}: {in_words(variance_shares(pictures))}")
share_of_noise.compare(variance_shares(noise)[0], within=0.05)

# %% [markdown]
# The means of a few noisy pictures differ by chance, too. So chance alone gives words a share, about 1 / (S − 1) of what *both* has. It
# gives seeds about 1 / (P − 1) of *both*. With 4 × 4 pictures that is a third. Only what is clearly above it counts.
#
# Now take the turtle's sketch, four prompts that ask for four different things, and four seeds each.

# %%
highest = predict(
    "Which share is the highest?",
    answer={"at strength 0.25": ..., "at strength 1": ...},
    options=("words", "seeds", "both"),
)

# %%
things = fill("a {thing}, openmoji style", thing=["turtle", "cat", "mushroom", "house"])
seeds = [0, 1, 2, 3]
strengths = [0.25, 0.5, 0.75, 1.0]
made = {s: grid(turtle, things, seeds=seeds, strength=s, num_inference_steps=4) for s in strengths}
shares = []
for s, sweep in made.items():
    x = torch.stack([to_tensor(image) for image in sweep.images])
    x = x.unflatten(0, (len(things), len(seeds)))
    shares.append(variance_shares(x))
    variance = x.var((0, 1), correction=0).mean()
    by_chance = shares[-1][2] / (len(seeds) - 1)
    print(
        f"strength {s:.2f}: {in_words(shares[-1])}   words by chance: {by_chance:.2f}   variance {variance:.3f}"
    )
figure, alt = curves(
    strengths,
    dict(zip(("words", "seeds", "both"), zip(*shares))),
    x_label="strength",
    y_label="share of the variance",
    title="A turtle's sketch, 4 prompts × 4 seeds",
)
s2i.show(figure, alt=alt)
names = ("words", "seeds", "both")
highest.compare(
    {
        "at strength 0.25": names[int(np.argmax(shares[0]))],
        "at strength 1": names[int(np.argmax(shares[-1]))],
    }
)

# %%
rows = {
    prompt.split(",")[0]: [
        made[s].result(prompt=prompt, seed=seed).image for s in strengths for seed in seeds[:2]
    ]
    for prompt in things
}
sheet, _ = filmstrip(rows, [f"{s}, seed {seed}" for s in strengths for seed in seeds[:2]], side=100)
s2i.show(
    sheet,
    alt="The turtle's sketch with four prompts, one in each row, at four strengths with two seeds each.",
)

# %% [markdown]
# Compare the shares with chance, and then look at the variance itself. A large share of a small variance is little.
#
# A large model has seen many cats, so its seeds should keep a larger share at strength 1. That was not measured here.
#
# ## 6. Magic words
#
# "Add *masterpiece, best quality, trending*, and the pictures get better." Does it help *here*? A good test says beforehand what it does:
#
# - **Sixteen sketches**: eight of things that the miniature was trained on, and eight of things that it never saw.
# - **Pairs.** Each sketch is made with and without the words, with the same seed. What counts is the *difference* in each pair.
# - **Two judges**: edge F1 asks whether the sketch is kept, and prompt match asks whether the thing is shown. Prompt match is asked about
#   the *plain* prompt. Otherwise it would judge whether the picture looks like a "masterpiece".
# - **A control.** Any added words change the picture. So the rival is not only "nothing", but *other words*: a suffix with as many pieces
#   that asks for nothing. We take two, to see how far apart two meaningless suffixes are.
# - **A rule.** A difference is *shown* if chance alone would make one as large in fewer than 1 of 20 experiments.

# %%
suffixes = {
    "nothing": "",
    "magic": ", masterpiece, best quality, trending",
    "control 1": ", Tuesday, fifteen, verb",
    "control 2": ", Thursday, sixty, later",
}
for name, suffix in suffixes.items():
    pieces = tokenizer.tokenize(suffix)
    print(f"{name:>10}: {len(pieces):2} pieces:", *pieces)

# %% [markdown]
# Why not "table, spoon, chair"? The miniature can draw a spoon.

# %%
OUTCOMES = ("better", "worse", "nothing shown")
magic = predict(
    "What will the magic words be?",
    answer={
        "edge F1: magic − nothing": ...,
        "edge F1: magic − control 1": ...,
        "prompt match: magic − nothing": ...,
        "prompt match: magic − control 1": ...,
    },
    options=OUTCOMES,
)

# %%
known = ["turtle", "sailboat", "mushroom", "owl", "rocket", "cactus", "snail", "backpack"]
unseen = ["moose", "lime", "garlic", "seal", "flute", "hut", "accordion", "magic wand"]
held_out = {pair.thing: pair.sketch for pair in embedded_pairs("test")}
pages = {name: sketches[name].path for name in known} | {name: held_out[name] for name in unseen}


def prompt_for(thing):
    return f"{with_article(thing)}, openmoji style"  # as the captions have it: "garlic" without "a"


def judged(sweeps, row, plain):
    """Two scores of each picture in a row: judge → list."""
    with one_thread():
        f1 = [edge_scores(sweep.results[0].sketch, image)[2] for sweep, image in zip(sweeps, row)]
        return {"edge F1": f1, "prompt match": prompt_matches(row, plain).tolist()}


asked = [prompt_for(name) for name in pages]
made = [
    grid(page, fill("{plain}{suffix}", plain=plain, suffix=list(suffixes.values())), seed=0)
    for plain, page in zip(asked, pages.values())
]
pictures = {name: [sweep.images[i] for sweep in made] for i, name in enumerate(suffixes)}
for part, names in {"trained on": known, "never seen": unseen}.items():
    first = 0 if names is known else len(known)
    rows = {name: row[first : first + len(names)] for name, row in pictures.items()}
    sheet, _ = filmstrip(rows, names, side=96)
    s2i.show(
        sheet,
        alt=f"Things {part}: {', '.join(names)}. Rows: nothing, magic, control 1, control 2.",
    )
scores = {name: judged(made, row, asked) for name, row in pictures.items()}
print(f"{'':>10} edge F1  prompt match   (more is better)")
for name, of_judge in scores.items():
    print(f"{name:>10}" + "".join(f" {np.mean(values):7.3f}      " for values in of_judge.values()))

# %% [markdown]
# The means always differ. Is it more than chance?
#
# If the words did neither good nor harm, chance would decide which picture of a pair scores higher. Each difference might as well have the
# other sign. So flip the signs, in all $2^n$ ways. The **p-value** is the share of ways whose mean is *at least as far
# from 0* as the real one, on either side. The real signs are one of the ways, so p is never 0. By our rule a difference
# is shown if p is below 0.05.
#
# Two conditions: the differences must be independent, and without an effect $+d$ must be as likely as $-d$. Sketches are independent. Seeds
# of one sketch are not.
#
# `product((1, -1), repeat=n)` gives all ways. For 16 differences these are 65,536, which takes less than a second.


# %% tags=["teacher"]
from collections.abc import Sequence  # the library's lines name these

from s2i_teach.evaluate.bootstrap import MOST_SIGNS, as_numbers


# %% tags=["exercise-sign_flip"]
def sign_flip(differences):
    """The two-sided p-value of the mean of some differences, a list, by flipping signs in all ways."""
    ...


# %%
lesson.sign_flip.check(sign_flip)
sign_flip = lesson.sign_flip.use(sign_flip)

# %%
comparisons = [
    ("magic", "nothing"),
    ("control 1", "nothing"),
    ("control 2", "nothing"),
    ("magic", "control 1"),
    ("magic", "control 2"),
    ("control 1", "control 2"),
]
p_of, outcome = {}, {}
for judge in ("edge F1", "prompt match"):
    print(judge)
    for one, other in comparisons:
        after, before = scores[one][judge], scores[other][judge]
        gap, d = difference(after, before), np.subtract(after, before)
        p = p_of[judge, one, other] = sign_flip(d.tolist())
        shown = "nothing shown" if p >= 0.05 else "better" if gap.value > 0 else "worse"
        outcome[f"{judge}: {one} − {other}"] = shown
        print(
            f"  {one:>9} − {other:<9} {gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
            f"  p = {p:.3f}, higher in {(d > 0).sum():2} of {len(d)}"
        )
magic.compare({name: outcome[name] for name in magic.answer})
judge, one, other = min(p_of, key=p_of.get)
tried = len(p_of)
print(f"below 0.05: {sum(p < 0.05 for p in p_of.values())} of {tried}")
print(f"the smallest p: {p_of[judge, one, other]:.3f}, {one} − {other} by {judge}")
print(f"chance that at least one of {tried} independent p-values falls below 0.05: {1 - 0.95**tried:.0%}")

# %% [markdown]
# Is the smallest p a discovery? Count how many comparisons you looked at. Where there is nothing to find, each of them
# has a chance of 1 in 20 to fall below 0.05. The last line gives the chance that *at least one* does, if they are
# independent. Ours share pictures, so the chance is smaller, but far above 1 in 20.
#
# Of 12 p-values with nothing behind them 0.6 fall below 0.05 on average. If you have many more, something may be there. But several small p are
# not several witnesses. The magic pictures stand in three of the six lines of each judge, and so do those of each control. If the magic
# pictures are unlucky, all three of their lines say so.
#
# So you have a *suspicion*. Test a suspicion with **new** pictures and *one* comparison that is named beforehand. The next cell takes the
# comparison with the smallest p. It draws sixteen other things by lot, all of them unseen, and uses another seed.
# Half of the first sixteen were trained on, so a "not shown" may come from that, too.

# %%
confirmed = predict(
    f"{one} − {other} by {judge}, on sixteen new sketches:",
    answer=...,
    options=("the same is shown", "not shown", "the opposite is shown"),
)

# %%
new_things = pick(sorted(set(held_out) - set(unseen)), 16, seed=0, category="prompts")
plain = [prompt_for(thing) for thing in new_things]
two = [
    grid(held_out[thing], [prompt + suffixes[name] for name in (one, other)], seed=1)
    for thing, prompt in zip(new_things, plain)
]
after, before = (judged(two, [sweep.images[i] for sweep in two], plain)[judge] for i in (0, 1))
d, gap = np.subtract(after, before), difference(after, before)
p = sign_flip(d.tolist())
how_likely = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
print("drawn:", ", ".join(new_things))
print(
    f"{one} − {other}, {judge}: {gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
    f"  {how_likely}, higher in {(d > 0).sum()} of {len(d)}"
)
first_time = np.mean(np.subtract(scores[one][judge], scores[other][judge]))
alike = "the same is shown" if gap.value * first_time > 0 else "the opposite is shown"
confirmed.compare(alike if p < 0.05 else "not shown")

# %% [markdown]
# Suppose somebody had shown you only the line with the smallest p of the *first* table. Nobody would have lied. What would you
# believe?
#
# What does the experiment say? Look at the intervals. "Nothing shown" is not "nothing there": a loss down to the lower
# end and a gain up to the upper end are not excluded.
#
# What did the controls add? If you had compared magic with *nothing* only, you would not know whether its *meaning* did
# it, or just the extra pieces. Do the controls differ from *nothing* as magic does? And what did *nothing* add? Go back to edge F1. If magic is ahead of a control, is it ahead of nothing, too? A control
# can lose lines of its own. Then magic would win by standing still. Do the controls lose any here?
#
# **This result does not carry over to Stable Diffusion.** The miniature never saw *masterpiece*. Stable Diffusion may
# have met such words beside pictures that somebody praised. **The experiment does carry over**: your own sketches, two
# suffixes with as many pieces by *its* tokenizer, and one comparison named beforehand. The miniature's prompt match
# knows only icons, so let people judge:
#
# ```python
# big = s2i.load_pipeline("sd15")  # on a GPU
# rivals = [", masterpiece, best quality, trending", ", …"]  # the magic one, and a control
# big_made = [
#     s2i.sweep(sketch, prompts=[plain + suffix for suffix in rivals], seed=0, strength=0.75, pipe=big)
#     for sketch, plain in my_sketches.items()  # sixteen, chosen before you see a picture
# ]
# s2i.BlindRating([result for sweep in big_made for result in sweep.results])  # people judge 16 pairs
# ```
#
# A vote is +1 where magic won, −1 where the control won, and 0 for a tie. Sixteen such numbers, one per sketch, go into `sign_flip`.
#
# ## 7. Other people's prompts
#
# Prompts are shared, collected and sold. A prompt that you took from someone is somebody's work: say whose.
#
# An artist's name works in a prompt because that artist's pictures were in the training, mostly without the artist being asked. If they
# live by that style, your picture competes with them. You can describe what you want, its lines, colours and light, without the name.
#
# ## Think about it
#
# Somebody shows you twenty splendid pictures and the prompt that made them. What would you have to know before you believe that it was
# the prompt? And whom would you name under a picture: yourself, who wrote the prompt, the model, those whose pictures it learned
# from?
#
# ## Sources
#
# - Ho and Salimans, *Classifier-Free Diffusion Guidance*, 2022, arXiv 2207.12598.
# - Radford et al., *Learning Transferable Visual Models From Natural Language Supervision*, 2021, arXiv 2103.00020: CLIP. The paper
#   names 76 places; the published model has 77.
# - Fisher, *The Design of Experiments*, 1935: the control, the lot, and the test by flipping signs.
# - The sketches: OpenMoji, CC BY-SA 4.0.
#
# **Next:** lesson 14, *The sketch leads*: a sketch that is looked at in every step. You can also take your own sketches to a real Stable
# Diffusion now: on a GPU, `s2i.Studio(model="sd15")` is lesson 9's studio.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** First sitting: 18 minutes for section 1 with its exercise, 8 for templates and styles, 10 for negative prompts, 14 for
# section 4. Second sitting: 20 minutes for words and luck, 30 for the test, 5 for section 7. Short of time? Let them read section 4 from
# its figure.
#
# **Typical mistakes.** In `read_and_lost`: words counted instead of pieces, the two special tokens forgotten, 77 written down,
# `[-0:]`, the end token of a short prompt. In `variance_shares`: standard deviations, which do not add up; `var()` over the pixels too;
# one mean for all pixels; averaging the pixels first; and the variance over prompts at *one* seed, which holds the interaction too. In
# `sign_flip`: one side only, `abs` on the flipped means and not on the real one, > for >=, and Student's t.
#
# **What to listen for.** "p = 0.02, so it is 98 % sure that magic works." p says how often chance alone would get this far, and
# nothing about how likely magic is. "Nothing was shown, so they do nothing." Look at the intervals: small gains are not excluded. "But in
# Stable Diffusion it works!" Perhaps. Which experiment showed it, and what was its control?
#
# **How we chose.** The suffixes and judges stood before the new sketches were drawn. On our machine the smallest p was 0.017: control 2 is
# *worse* than nothing by prompt match. On sixteen new sketches the same was shown, with p below 0.001. By prompt match magic and control 1
# are worse than nothing as well (p = 0.019 and 0.038). Magic is not shown to differ from either control (0.059 and 0.28). So added pieces do harm
# here, whatever they mean. By edge F1 nothing is shown in any comparison. The new set has unseen things only, so it is no exact repetition. We chose strength 0.6 for its pictures, after a look at 0.5 and
# 0.75.
#
# **Shares.** A stricter trial than 1 / (S − 1): the prompts shuffled within each seed, 500 times. With the weights of an earlier training the
# words had 0.08 at strength 0.25 on average, and never more than 0.21. Unshuffled they had 0.23 then, and have 0.43 now.
#
# **Long prompts.** Some programs cut a long prompt into parts, encode each and put them in a row. Then more is read, but no part knows of
# the others.
#
# **A game.** Let every group choose a suffix and a judge of its own, and report only its smallest p-value. With ten groups somebody
# finds something. Then test it once more with new sketches.
#
# **The open questions.** For the prompt: how many pictures there were, all or a random part of them, the same seeds with
# other prompts. For the name there is no right answer; but "nobody but me" is hard to defend.
