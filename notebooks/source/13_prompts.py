# %% [markdown]
# # Lesson 13. Prompts
#
# {{badge}}
#
# People believe many things about prompts, and most of them were never tested. In this lesson you look at what the model really reads,
# find out which words it knows, push a picture away from something, measure whether words or luck made it, and put a famous belief
# to a test that it could fail.
#
# | | |
# |---|---|
# | **You will** | see where a prompt is cut off; make prompts from a template; use negative prompts; split differences into words and seeds; test "magic words" with a control |
# | **Time** | about 45 minutes, three exercises |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import json
from itertools import product

import numpy as np
import torch

from s2i_teach.data_sources.draw import pick
from s2i_teach.evaluate.bootstrap import difference
from s2i_teach.evaluate.faithfulness import edge_scores
from s2i_teach.evaluate.prompt_match import prompt_matches
from s2i_teach.evaluate.realism import kernel_distance_interval, picture_features, real_features
from s2i_teach.images import to_tensor
from s2i_teach.models.devices import one_thread
from s2i_teach.paths import data_dir
from s2i_teach.training.vocabulary import with_article
from s2i_teach.translation.compare import spread
from s2i_teach.translation.prompts import fill
from s2i_teach.widgets.figures import curves, filmstrip, picture_row

lesson = s2i.lesson(13)
pipe = s2i.load_pipeline("mini-fast", device="cpu", dtype="fp32")
tokenizer = pipe.tokenizer
sketches = {s.name: s for s in s2i.sketches()}


def grid(sketch, prompts, **settings):
    """Pictures of all prompts with all other settings that are lists, as s2i.sweep makes them."""
    settings = {"strength": 0.75, "prepare": "filled"} | settings
    with one_thread():  # the miniature is too small for two
        return s2i.sweep(sketch, prompts=prompts, pipe=pipe, quiet=True, **settings)


# %% [markdown]
# ## 1. What the model reads
#
# A text encoder does not see letters. The **tokenizer** cuts the text into *pieces* from a fixed vocabulary, and each piece is a
# number. Frequent words are one piece, others are put together from several. `</w>` marks the end of a word.
#
# **Predict first:** which of these words is one piece: *turtle*, *turtles*, *tortoise*? And what becomes of a word that the
# vocabulary does not have, or of no word at all?

# %%
print(f"{len(tokenizer):,} pieces in the vocabulary, {tokenizer.model_max_length} places")
for text in ("a turtle, openmoji style", "A TURTLE,   OpenMoji style", "turtles", "tortoise"):
    print(f"{text!r:>30}: ", *tokenizer.tokenize(text))
for text in ("masterpiece", "Schildkröte", "🐢"):
    print(f"{text!r:>30}: ", *tokenizer.tokenize(text))

# %% [markdown]
# Nothing is refused. Capitals and *extra* spaces make no difference. A word that is not in the vocabulary falls into smaller and
# smaller pieces, if need be into single bytes (`Ã ¶` are the two bytes of *ö*), and these pieces mean something only if the training
# met them often enough. (The miniature's vocabulary, 3,214 pieces, was made from its captions and tags and a short list of common
# words; Stable Diffusion's CLIP has 49,408, so that most common English words are one piece there.)
#
# The encoder has a fixed number of places, here as in Stable Diffusion **77**. The start token takes the first, and behind your
# pieces comes an end token. What does not fit is cut off, and most programs do not show it. Write the function that says what: `read` and
# `lost`, both as text. `tokenizer(prompt).input_ids` is the list of numbers with the start and the end token;
# `tokenizer.decode(numbers)` makes a text of numbers (its spaces may differ from yours). If nothing is lost, `lost` is `""`.


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
# Two long prompts. Both say what everybody says, and then, at the end, they want different things. **Predict first:** how different
# will the pictures be?

# %%
praise = ", very beautiful, very detailed, very colourful, very bright, very big, very small" * 3
long = {end: f"a turtle, openmoji style{praise}, {end}" for end in ("a red hat", "on a green hill")}
for end, prompt in long.items():
    read, lost = read_and_lost(tokenizer, prompt)
    print(f"{len(prompt.split())} words, {len(tokenizer.tokenize(prompt))} pieces; lost: {lost!r}")
turtle = sketches["turtle"].path
results = {
    end: s2i.translate(turtle, prompt, pipe=pipe, prepare="filled") for end, prompt in long.items()
}
sheet, alt = picture_row({f"…, {end}": result.image for end, result in results.items()})
s2i.show(sheet, alt=f"Turtles from two long prompts that differ in their last words. {alt}")
one, other = results.values()
print("the same bytes:", one.image.tobytes() == other.image.tobytes())
print("a result says so itself:", *one.notes)

# %% [markdown]
# The prompts have fewer than 77 *words*; the pieces are too many. (The red lines are warnings of transformers and diffusers; the
# "indexing errors" do not come, since the pipeline cuts.) What matters belongs in front. (Some programs cut long prompts
# into several parts, encode each and put them in a row. Then more is read, but no part knows of the others.)
#
# ## 2. One template, many prompts
#
# To compare prompts, change one thing and keep the rest. `fill` makes every combination, the first field slowest, as the axes of
# `s2i.sweep`. A field that the template does not have, here a misspelt one, is refused rather than left out:

# %%
for prompt in fill("a {thing}, {style} style", thing=["snail", "cat"], style=["noto", "flat"]):
    print(prompt)
try:
    fill("a {thing}, {style} style", thing="snail", stlye=["noto", "flat"])  # misspelt on purpose
except s2i.InputError as error:
    print("InputError:", error)

# %%
styles = ["openmoji", "noto", "twemoji", "fluent", "flat"]
snail = sketches["snail"].path
seeds = [0, 1]
five = grid(snail, fill("a snail, {style} style", style=styles), seeds=seeds)
rows = {f"seed {seed}": five.images[i :: len(seeds)] for i, seed in enumerate(seeds)}
sheet, _ = filmstrip(rows, styles, side=110)
s2i.show(
    sheet,
    alt="One sketch of a snail in five styles, with two seeds: openmoji has black outlines, noto, fluent and flat are "
    "soft patches without lines in reds and browns, twemoji is orange on light blue.",
)

# %% [markdown]
# One sketch, one word changed, five looks. Now words that do not fit. **Predict first:** what does the miniature make of
# *watercolour*, which it never saw? Of two styles at once? Of *not openmoji*? Of no style at all?

# %%
odd = fill(
    "a snail, {style}", style=["watercolour style", "openmoji noto style", "not openmoji style"]
)
odd = ["a snail, openmoji style", *odd, "a snail"]
strange = grid(snail, odd, seeds=seeds)
captions = ["openmoji", "watercolour", "openmoji noto", "not openmoji", "no style"]
rows = {f"seed {seed}": strange.images[i :: len(seeds)] for i, seed in enumerate(seeds)}
sheet, _ = filmstrip(rows, captions, side=120)
s2i.show(
    sheet,
    alt="The snail with five endings of the prompt: openmoji, a brown shell with black lines; watercolour, mostly a black "
    "line drawing; openmoji noto, black lines with a lighter, warmer shell; not openmoji, almost the same as openmoji; no "
    "style, a black line drawing.",
)

# %% [markdown]
# A style that it does not know is next to no style: what remains looks like the sketch, probably because line drawings were in the
# training, too.
# Two styles that contradict each other give some of both. And *not openmoji* is openmoji: the word is there, and *not* is hardly
# more than another word. Large models have trouble with *not*, too. What you do not want belongs into a field of its own.
#
# ## 3. Negative prompts
#
# Guidance (lesson 6) goes from the prediction without words towards the one with words, and beyond:
#
# $$\hat\varepsilon = \hat\varepsilon_\varnothing + s\,(\hat\varepsilon_c - \hat\varepsilon_\varnothing)$$
#
# $\varnothing$ is the empty prompt. A **negative prompt** $n$ takes its place: $\hat\varepsilon_n + s\,(\hat\varepsilon_c - \hat\varepsilon_n)$.
# That is all that it is. In every step the arrow starts at the prediction for what you do *not* want and goes towards, and beyond, the
# one for what you want.
#
# **Predict first:** put $s = 1$ into the formula. What will a negative prompt do then? And what will *green* as a negative prompt do to
# a turtle?

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
    alt="A turtle with five negative prompts at three guidance scales. At guidance 1 all five are the same dull turtle. "
    "Above: away from green it turns orange and red, away from red it turns green, away from line art it gets paler lines, "
    "away from noto style it is nearly black all over. At guidance 5 all of it is stronger, with stains on the paper.",
)
for s, row in rows.items():
    distinct = len({image.tobytes() for image in row})
    print(f"{s}: {distinct} distinct picture{'s' * (distinct > 1)} of {len(row)}")

# %% [markdown]
# At $s = 1$ the two $\hat\varepsilon_n$ cancel: five negative prompts, one picture, byte for byte. (The pipeline does not even compute them.
# Whoever uses a fast model with guidance at 1 and writes long negative prompts writes for nobody.)
#
# Above 1 it works, and it works as a *direction*, not as an eraser. Away from *green* is not colourless, it is red and orange;
# away from *red* is green. Away from *noto style*, which has no black lines, is black: the picture does not become more openmoji, it
# gets too much of what noto lacks. And *bad, ugly, blurry*, which so many write there? It can help only where the training met
# these words beside such pictures; the miniature's met neither *bad* nor *blurry*. (Both are single pieces of its vocabulary: a piece is
# not yet a meaning.)
#
# ## 4. What a word is worth
#
# Does order matter? The article? Capitals, commas, a plural, a synonym? Do not argue, measure: the mean distance of the pictures
# to those of the plain prompt, with the same three seeds: the mean of |a − b| over all pixels, 0 if they are equal, 2 for black against
# white. And a distance means nothing without a yardstick. Ours: how far apart are two *seeds* of the plain prompt?
#
# **Predict first:** put the list in order, from "no change" to "another picture". Which of them change less than another seed does?

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
from_plain = (x - x[0]).abs().mean((1, 2, 3, 4))
from_style = (x - x[-1]).abs().mean((1, 2, 3, 4))
print("mean distance from the pictures of   plain    style only")
print(f"{'another seed of the plain prompt':>32} {spread(x[0]):9.3f}")
for name, far, far_style in zip(variants, from_plain, from_style):
    print(f"{name:>32} {far:9.3f} {far_style:11.3f}")
rows = {f"seed {seed}": list(x[:, i]) for i, seed in enumerate(seeds)}
sheet, _ = filmstrip(rows, list(variants), side=92)
s2i.show(
    sheet,
    alt="A turtle sketch with nine prompts and three seeds. Plain, capitals, no comma and no article show turtles that "
    "hardly differ; green gives a green beast; the plural a grey lump; synonym, style first and style only give "
    "patchworks of red, blue and brown.",
)

# %% [markdown]
# Capitals change nothing: the tokenizer takes them away. A comma or an article changes less than another seed does: whoever finds
# a picture better "because of the comma" should try another seed first. *Green* is about as far away as another seed, and it is
# another beast: a distance says how much changed, not what. The plural and the synonym lose the thing: *turtles* and
# *tortoise* fall into pieces, and hardly any caption had them.
#
# And **style first** loses the turtle altogether. Its pictures are nearer to those of *openmoji style* alone than two seeds of the plain
# prompt are to each other. No caption in the miniature's training had the style in front. Nobody told it that order does not matter;
# so, it seems, order matters to it.
#
# Stable Diffusion's encoder read captions of every form, with plurals and synonyms, and should mind less. The rule is the same: **a
# model reads well what looks like its captions.**
#
# ## 5. Words or luck?
#
# You changed the prompt and the picture got better. The words, or the seed? Take *every* prompt with *every* seed, P × S pictures, and
# ask how much of their differences comes from where. For each pixel: its variance over all pictures is
#
# - the variance of the prompts' means (**words**: what a prompt does whatever the seed),
# - plus the variance of the seeds' means (**seeds**: what a seed does whatever the prompt),
# - plus the rest (**both**: what a seed does with this prompt and not with that one).
#
# It is a sum, exactly, like Pythagoras. (Standard deviations do not add up, as the sides of a triangle do not.) Add up the variances over all
# pixels, divide by the whole: three shares that make 1. In statistics: a two-way analysis of variance, its shares are called η².
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
# Before a measure is used, it should show what it can do. **Predict first:** the shares for 4 × 4 pictures of pure noise, in which
# neither words nor seeds do anything?

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

# %% [markdown]
# Noise has 0.2, 0.2, 0.6, and not zeros: four means of four noisy pictures differ by chance, too. For P prompts and S seeds it is
# (P − 1) : (S − 1) : (P − 1)(S − 1), here 3 : 3 : 9. So compare with *both*: chance alone gives words about 1/(S − 1) of what *both* has,
# and seeds 1/(P − 1), with 4 × 4 pictures a third each. What is clearly above that counts. (0.2 itself is the bar for pure noise only.
# Where the seeds take much, less is left for chance to share out, and the bar lies lower.)
#
# Now the turtle's sketch with four prompts that ask for four different things, with four seeds each. **Predict first:** draw the three
# lines over strength, from 0.25 to 1. Which is highest on the left, which on the right?

# %%
things = fill("a {thing}, openmoji style", thing=["turtle", "cat", "mushroom", "house"])
seeds = [0, 1, 2, 3]
strengths = [0.25, 0.5, 0.75, 1.0]
made = {s: grid(turtle, things, seeds=seeds, strength=s) for s in strengths}
shares = []
for s, sweep in made.items():
    x = torch.stack([to_tensor(image) for image in sweep.images])
    x = x.unflatten(0, (len(things), len(seeds)))
    shares.append(variance_shares(x))
    variance = x.var((0, 1), correction=0).mean()
    print(f"strength {s:.2f}: {in_words(shares[-1])}   of a variance of {variance:.3f}")
figure, alt = curves(
    strengths,
    dict(zip(("words", "seeds", "both"), zip(*shares))),
    x_label="strength",
    y_label="share of the variance",
    title="Who made the difference? A turtle's sketch, 4 prompts × 4 seeds",
)
s2i.show(figure, alt=alt)

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
    alt="The turtle's sketch with four prompts at four strengths, two seeds each: at 0.25 all show the sketch's turtle, at 1 "
    "each row shows what its words say, and the two seeds of a prompt look alike.",
)

# %% [markdown]
# At strength 0.25 the words have 0.28, and chance alone would give them a third of *both*, 0.05: the words do something from the start.
# (A stricter trial: we shuffled the prompts within each seed, 500 times. Then the words had 0.10 on average, and never more than
# 0.23.) But the seeds have most, and all of it is shares of a *small* variance: every row still shows the sketch. With strength the variance grows
# almost sevenfold, and the words take over. At 1 they have about three quarters; the seeds have 0.07, and chance would give them 0.06. Shares do not say
# *how much* there is to share: print the variance, and look at the pictures, too.
#
# At strength 1 this holds because the miniature draws much the same cat whatever the noise. A large model has seen many
# cats, and its seeds should keep a larger share. That was not measured here; these lines would measure it:
#
# ```python
# big = s2i.load_pipeline("sd15")  # on a GPU; 2.7 GB at the first start
# prompts = fill("a watercolour of {thing}", thing=["a turtle", "a cat", "a mushroom", "a house"])
# big_made = s2i.sweep("my_sketch.png", prompts=prompts, seeds=range(4), strength=1.0, pipe=big)
# big_x = torch.stack([to_tensor(image) for image in big_made.images]).unflatten(0, (4, 4))
# print(in_words(variance_shares(big_x)))
# ```
#
# ## 6. Magic words
#
# "Add *masterpiece, best quality, trending*, and the pictures get better." Thousands of shared prompts do. Does it help *here*? A test
# that deserves the name says beforehand what it does:
#
# - **Sixteen sketches**, eight of things that the miniature was trained on and eight of things that it never saw.
# - **Pairs.** Each sketch is made with and without, same seed, everything else the same; what counts is the *difference* of each pair.
# - **Two judges of each picture**: edge F1 (does it keep the sketch?) and prompt match (does it show the thing?); and for the whole set
#   micro-KID. The prompt match asks about the *plain* prompt: whoever lets the suffix in measures whether the picture matches
#   "masterpiece".
# - **A control.** Any added words change the picture. So the rival is not "nothing", it is *other words*: a suffix with as many pieces,
#   which asks for nothing. Here two of them, so that we see how far two meaningless suffixes are apart.
#
# Why not "table, spoon, chair" as a control? Because a *spoon* is a thing that the miniature can draw. **Look before you choose:**

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
# **Predict first:** better, worse, or no difference that one can show? By edge F1 and by prompt match? Write it down, for *magic against
# nothing* and for *magic against a control*.

# %%
predicted = {  # "better", "worse" or "nothing shown"
    "edge F1": {"magic − nothing": None, "magic − control 1": None},
    "prompt match": {"magic − nothing": None, "magic − control 1": None},
}

# %%
known = ["turtle", "sailboat", "mushroom", "owl", "rocket", "cactus", "snail", "backpack"]
unseen = ["moose", "lime", "garlic", "seal", "flute", "hut", "accordion", "magic wand"]
folder = data_dir() / "pairs" / "test"
lines = (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
drawn = {
    row["thing"]: folder / row["file_name"]
    for row in map(json.loads, lines)
    if row["style"] == "line"
}
pages = {name: sketches[name].path for name in known} | {name: drawn[name] for name in unseen}


def prompt_for(thing):
    return f"{with_article(thing)}, openmoji style"  # as the captions have it: "garlic" without "a"


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
    if names is known:
        seen = "Most hardly change with a suffix; the rocket and the mushroom's stem get blue with any."
    else:
        seen = "Most change in colour or shape with a suffix; the moose and the hut get blue with magic."
    alt = f"Things {part}: {', '.join(names)}. Rows: nothing, magic, control 1, control 2. {seen}"
    s2i.show(sheet, alt=alt)

# %%
with one_thread():
    real = real_features()
    f1 = {
        name: [edge_scores(sweep.results[0].sketch, image)[2] for sweep, image in zip(made, row)]
        for name, row in pictures.items()
    }
    match = {name: prompt_matches(row, asked).tolist() for name, row in pictures.items()}
    far = {
        name: kernel_distance_interval(picture_features(row), real)
        for name, row in pictures.items()
    }
print(f"{'':>10} edge F1  prompt match  micro-KID (less is better)")
for name in suffixes:
    print(f"{name:>10} {np.mean(f1[name]):7.3f} {np.mean(match[name]):13.3f}  {far[name]}")

# %% [markdown]
# (In brackets stand 95 % intervals, as in lesson 12.) Micro-KID compares sets and has no pairs. The magic set's is the smallest, but the
# intervals are wide and the gaps small: it shows nothing here.
#
# And the judges of each picture? Each gives four means that differ a little. They always do. Is it more than chance? If the words did neither good nor
# harm, it would be chance which picture of a pair scores higher, and each difference might as well have the other sign. So flip
# them: all $2^n$ ways to set the signs of the $n$ differences. The share of ways whose mean is *at least as far from 0* as the real
# one, on either side, is the **p-value**. (The real signs are one of the ways, so p is never 0.) It believes in no bell curve. It
# needs pairs that are independent, which sketches are and seeds of one sketch are not, and that, where there is nothing to find, $+d$
# is as likely as $-d$.
#
# `product((1, -1), repeat=n)` gives all ways. Up to 16 differences, 65,536 ways, that takes less than a second.


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
found = []
for judge, scores in {"edge F1": f1, "prompt match": match}.items():
    print(judge)
    for one, other in comparisons:
        d = np.subtract(scores[one], scores[other])
        gap, p = difference(scores[one], scores[other]), sign_flip(d.tolist())
        found.append(p)
        print(
            f"  {one:>9} − {other:<9} {gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
            f"  p = {p:.3f}, higher in {(d > 0).sum():2} of {len(d)}"
        )
print(f"smallest of {len(found)} p-values: {min(found):.3f}")
lead = np.subtract(f1["magic"], f1["control 2"])
on_known, on_unseen = lead[: len(known)].mean(), lead[len(known) :].mean()
print(
    f"magic − control 2, edge F1: {on_known:+.3f} on known things, {on_unseen:+.3f} on unseen ones"
)
for judge, said in predicted.items():
    print(f"you said of {judge}:", said)

# %% [markdown]
# Look for the comparison that most people make, *magic − nothing*: the sketch is kept a little better (+0.008), the thing is matched
# worse (−0.066, p 0.06), and for neither can chance be ruled out. Between the two controls no difference shows. Both lie a little
# below no suffix by both judges; that may be chance, too (p from 0.07 to 0.17).
#
# But two p are below 0.05, both by edge F1: magic against control 2, 0.020, and against control 1, 0.047. (The two controls are nearly
# equal, so that is one witness who speaks twice. And 0.05 is no cliff: with *a garlic* for *garlic*, one article in one of sixteen
# prompts, the second was 0.053.) A discovery? Count. You looked at **twelve** comparisons. Where there is nothing to find, each has a
# chance of 1 in 20 to fall below 0.05. At least one of twelve *independent* ones does so 46 times in 100; ours share their pictures,
# so that it happens somewhat less often, but far more often than 5 times. What you have is a *suspicion*, and a suspicion is tested
# with **new** pictures and *one* comparison, named beforehand: magic against control 2, edge F1, 16 other things that no training
# saw, drawn by lot (lesson 10), another seed. (This time *all* things are unseen, which makes it no exact
# repetition: in the first set magic's lead was +0.017 on the known and +0.030 on the unseen ones.)
#
# **Predict first:** will it hold?

# %%
others = pick(sorted(set(drawn) - set(unseen)), 16, seed=0, category="prompts")
fresh = {"magic": [], "control 2": []}
for thing in others:
    two = grid(drawn[thing], [prompt_for(thing) + suffixes[name] for name in fresh], seed=1)
    for name, result in zip(fresh, two.results):
        fresh[name].append(edge_scores(result.sketch, result.image)[2])
d = np.subtract(fresh["magic"], fresh["control 2"])
gap = difference(fresh["magic"], fresh["control 2"])
print("drawn:", ", ".join(others))
print(
    f"magic − control 2, edge F1: {gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
    f"  p = {sign_flip(d.tolist()):.2f}, higher in {(d > 0).sum()} of {len(d)}"
)

# %% [markdown]
# It is not confirmed: the difference is about 0, and 80 of 100 ways to set the signs get at least as far. (We also
# made the *first* sixteen sketches again, with a second seed: +0.007, p = 0.57. That is a weaker test, since a second seed of a sketch
# is no new sketch.) Shown alone, that one line of the *first* table would have been a success story:
# "magic words keep the sketch, p = 0.02". It is how many success stories are made, and nobody has to lie for it.
#
# What the experiment says: *in the miniature* this suffix brings no gain that sixteen sketches can show. (A gain up to the upper ends of
# the intervals is not excluded; that would take more sketches.) And why the control? Had magic been better than nothing, you would
# not know whether its *meaning* did it, or that there were thirteen pieces more. The prompt's own words share the attention with all
# of them.
#
# What it does not say: anything about Stable Diffusion. The miniature never saw *masterpiece*; to it that is `ma st er piece` and says no
# more than *Tuesday*. Stable Diffusion has probably met such words, perhaps beside pictures that somebody praised; there they may
# well mean something. **This result does not carry over. The experiment does**, with your own sketches and, this time, one
# comparison named beforehand:
#
# ```python
# big = s2i.load_pipeline("sd15")  # on a GPU
# rivals = [", masterpiece, best quality, trending", ", …"]  # the magic one, and a control with as many pieces
# big_made = [
#     s2i.sweep(sketch, prompts=[plain + suffix for suffix in rivals], seed=0, strength=0.75, pipe=big)
#     for sketch, plain in my_sketches.items()  # sixteen, chosen before you see a picture
# ]
# s2i.BlindRating([result for sweep in big_made for result in sweep.results])  # people judge 16 pairs
# ```
#
# (Count the pieces with *its* tokenizer, `big.tokenizer`: there the control needs other words to be as long. The miniature's prompt
# match and micro-KID know only icons: for real pictures let people judge. Their votes go into a CSV with both prompts of each pair:
# +1 for a sketch where magic won, −1 where the control did, 0 for a tie; if several people voted, the mean of theirs. These 16 numbers
# go into `sign_flip`.)
#
# ## 7. Other people's prompts
#
# Prompts are shared, collected and sold. A prompt that you took from someone is somebody's work: say whose, as you do with a sketch. And
# an artist's name works in a prompt because that artist's pictures were trained on, mostly without the artist being asked; if they
# make their living by that style, your picture competes with them. A description of what you want (lines, colours, light) does
# without the name.
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
# - Radford et al., *Learning Transferable Visual Models From Natural Language Supervision*, 2021, arXiv 2103.00020: CLIP. (The
#   paper names 76 places; the published model has 77.)
# - Fisher, *The Design of Experiments*, 1935: the control, the lot, and the test by flipping signs.
# - The sketches: OpenMoji, CC BY-SA 4.0.
#
# **Next:** lesson 14, *The sketch leads*: a sketch that is looked at in every step. You can also take your own sketches to a real Stable
# Diffusion now: on a GPU, `s2i.Studio(model="sd15")` is lesson 9's studio.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** 10 minutes for section 1 with its exercise, 5 for templates and styles, 5 for negative prompts, 5 for section 4, 10 for
# words and luck, 10 for the test. Short of time? Let them read section 4 from its figure. All cells together take about a
# minute and a half.
#
# **Typical mistakes.** In `read_and_lost`: words counted instead of pieces, the two special tokens forgotten, 77 written down,
# `[-0:]`, the end token of a short prompt. In `variance_shares`: standard deviations, `var()` over the pixels too, one mean for all pixels, averaging the pixels first, and the variance over
# prompts at *one* seed, which holds the interaction too. In `sign_flip`: one side only, `abs` on the flipped means and not on the real one, > for >=, and Student's t.
#
# **What to listen for.** "p = 0.02, so it is 98 % sure that magic works." p says how often chance alone would get this far, and
# nothing about how likely magic is. "Nothing was shown, so they do nothing." Look at the intervals: small gains are not excluded. "But in
# Stable Diffusion it works!" Perhaps. Which experiment showed it, and what was its control?
#
# **How we chose.** The suffixes and judges stood before the new sketches were drawn. With a second seed the *first* sixteen
# sketches have magic +0.018 before control 1 (p = 0.20) and +0.007 before control 2 (p = 0.57): not shown, and not excluded. An effect
# too small for sixteen sketches is still possible.
#
# **A game.** Let every group choose a suffix and a judge of its own, and report only its smallest p-value. With ten groups somebody
# finds something. Then test it once more with new sketches.
#
# **The open questions.** For the prompt: how many pictures there were, all or a random part of them, the same seeds with
# other prompts. For the name there is no right answer; but "nobody but me" is hard to defend.
