# %% [markdown]
# # Lesson 12. Judging
#
# {{badge}}
#
# "The model generates high-quality and faithful images." Says who? Whoever writes that owes you a number, how sure it is, and
# which cheat would have scored better. In this lesson you judge translators that cheat, write two measures yourself, find out what
# twenty sketches can prove, vote without knowing for whom, and read a report that also says what it does *not* show.
#
# | | |
# |---|---|
# | **You will** | unmask four cheats; write edge F1 and a kernel distance; put an interval on a mean; vote blindly; read a report |
# | **Time** | about 50 minutes, two exercises; the pictures take about a minute together |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import random
import textwrap

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image, ImageFilter
from scipy.ndimage import distance_transform_edt
from skimage.morphology import skeletonize

from s2i_teach.data_sources.draw import pick
from s2i_teach.errors import InputError
from s2i_teach.evaluate import report
from s2i_teach.evaluate.agreement import psnr, ssim
from s2i_teach.evaluate.bootstrap import difference, interval
from s2i_teach.evaluate.conclusions import MEASURES, best
from s2i_teach.evaluate.faithfulness import (
    TOLERANCE,
    edge_distances,
    edge_scores,
    edges,
    faithfulness,
    ink,
)
from s2i_teach.evaluate.prompt_match import prompt_matches
from s2i_teach.evaluate.rating import (
    Vote,
    merge,
    ranking,
    rater_agreement,
    votes_needed,
    write_votes,
)
from s2i_teach.evaluate.realism import (
    kernel_distance_interval,
    micro_kid,
    picture_features,
    polynomial_kernel,
    real_features,
)
from s2i_teach.images import to_picture
from s2i_teach.training.pictures import load_pairs
from s2i_teach.widgets.blind_rating import choose_pairs
from s2i_teach.widgets.figures import COLOURS, filmstrip

lesson = s2i.lesson(12)
pipe = s2i.load_pipeline("mini-fast", device="cpu", dtype="fp32")

# %% [markdown]
# ## 1. Why one number lies
#
# 86 things were held out: no training saw them. For each there is a sketch and *the* coloured picture that OpenMoji's artists made of
# it, a true pair. We draw 20 by lesson 10's lottery, so that nobody can say we picked the nice ones. The miniature translates them
# at two strengths and two guidance scales. (It never learnt these things, so its colours are guesses.)

# %%
pairs = load_pairs("test", keep=lambda row: row["style"] in ("openmoji", "line"))
place = {row["file_name"]: i for i, row in enumerate(pairs.rows)}
rows = {row["thing"]: row for row in pairs.rows if row["style"] == "openmoji"}
drawn = pick(list(rows), 20, seed=0, category="openmoji")


def picture(name):
    return to_picture(pairs.batch([place[name]])[0])


sketches = [picture(rows[thing]["sketch"]) for thing in drawn]
true = [picture(rows[thing]["file_name"]) for thing in drawn]
others = [picture(row["file_name"]) for thing, row in rows.items() if thing not in drawn]

settings = dict(pipe=pipe, prepare="filled", quiet=True)
sweeps = [  # some 20 seconds
    s2i.sweep(sketch, rows[t]["text"], strength=[0.5, 0.75], guidance_scale=[1, 2.5], **settings)
    for sketch, t in zip(sketches, drawn)
]
counts = len(drawn), sum(map(len, sweeps)), len(others)
print("{} sketches, {} pictures; {} true pictures left over".format(*counts))

# %% [markdown]
# Against the miniature stand four "translators" that cost nothing: one hands the sketch back as it is; one hands out the true picture of *another*
# thing; one has the true picture, but blurs it; one leaves the page empty. (The lesson runs on the CPU, on Colab as well. With
# `pipe = s2i.load_pipeline("sd15")`, on a GPU, the same cells judge Stable Diffusion: its pictures are larger, so shrink them to the size of
# the true ones where `made` gives them out, `.image.resize((128, 128))`.)


# %%
def made(strength, guidance_scale=2.5):
    return [s.result(strength=strength, guidance_scale=guidance_scale).image for s in sweeps]


translators = {
    "sketch, copied": sketches,
    "another thing": true[1:] + true[:1],
    "truth, blurred": [image.filter(ImageFilter.GaussianBlur(3)) for image in true],
    "empty page": [Image.new("RGB", (128, 128), "white")] * len(true),
    "miniature, 0.5": made(0.5),
    "miniature, 0.75": made(0.75),
}
shown_first = ("root vegetable", "dumpling", "carpentry saw", "trolleybus")
some = [drawn.index(t) for t in shown_first if t in drawn]
some += [i for i in range(len(drawn)) if i not in some][:3]
short = [textwrap.shorten(t, 16, placeholder=" …") for t in drawn]
strip = {"the sketch": sketches, "the true picture": true} | translators
sheet, _ = filmstrip(
    {name: [images[i] for i in some] for name, images in strip.items()},
    [short[i] for i in some],
    side=92,
)
s2i.show(
    sheet,
    alt=f"Seven sketches ({', '.join(short[i] for i in some)}), their true pictures, and what six translators make of "
    "them: the copied sketch, the picture of another thing, the true one blurred, an empty page, and the "
    "miniature's, which keeps the outline at strength 0.5 and loses part of it at 0.75; its colours are often wrong.",
)

# %% [markdown]
# Whom would *you* hire? Probably not the first four.
#
# There is a true picture, so why not measure how far each result agrees with it? **PSNR** turns the mean squared error of the pixels round, in
# decibels: more is better; **SSIM** compares means, contrasts and structure in small windows, 1 is a copy. Both appear in many papers on image translation.
# **Predict first:** which of the six wins? Write down the order.

# %%
print(f"{'':16}  PSNR  SSIM   (more is better)")
for name, images in translators.items():
    of_psnr = np.mean([psnr(a, b) for a, b in zip(images, true)])
    of_ssim = np.mean([ssim(a, b) for a, b in zip(images, true)])
    print(f"{name:16} {of_psnr:5.1f} {of_ssim:5.2f}")

# %% [markdown]
# **The copy wins**, by both. Most of a page is white paper, the lines are right to the pixel, and only the colours are missing, which
# is all that was asked for. Second is the blurred truth, which nobody would print. And look at the empty page: its SSIM is 0.50,
# between those of the miniature's two strengths.
#
# Two things go wrong. Both measures reward what is *safe*: no colour beats a wrong colour, a blur beats an edge that is two pixels
# off. And both know **one right answer** for a sketch that has many: a red trolleybus where OpenMoji's is blue counts as an error.
# LPIPS (a distance of network features, closer to the eye) cures some of the first, and nothing of the second.
#
# So ask what was really wanted. *Are the lines kept?* For that no true picture is needed, the sketch is enough. **Edge F1**, which you
# will write below, asks whether the picture has edges where the sketch has lines, and nowhere else: 0 to 1.
# **Predict first:** who wins now? And what does a picture of *another* thing get?

# %%
f1 = {
    name: [edge_scores(a, b)[2] for a, b in zip(sketches, images)]
    for name, images in ({"the true picture": true} | translators).items()
}
print(f"{'':16}  edge F1   (more is better)")
for name, values in f1.items():
    print(f"{name:16} {np.mean(values):8.2f}")

# %% [markdown]
# The copy is perfect: of course, it *is* the sketch. It even beats the true picture, which has some edges that the sketch does not have. And
# the picture of another thing does not have 0 but nearly 0.4, since lines in the middle of a page usually meet some others. (Over 60
# other pairs it was 0.40.) So 0.5 is not "half faithful": it is close to nothing. **A number says nothing until you know what others
# get.** Here: 0.4 is a picture that knows nothing of the sketch, 0.95 the true picture. (Lower is possible, an empty page has no edge at
# all; higher too, the copy.)
#
# Then ask the other thing that was wanted. *Does it look like a real picture?* **micro-KID**, your second exercise, compares a *set* of
# pictures with a set of real ones, here with the 66 true pictures that were not drawn: the same style, other things. Near 0 means alike,
# larger means farther apart. **Predict first:** who wins?

# %%
reference = picture_features(others)
kid = {
    name: kernel_distance_interval(picture_features(images), reference)
    for name, images in ({"the true picture": true} | translators).items()
}
print(f"{'':16}  micro-KID   (less is better)")
for name, its_kid in kid.items():
    print(f"{name:16} {its_kid.value:10.2f}")

# %% [markdown]
# The picture of another thing is as good as the truth: as a set they are the same pictures, and the measure has never seen the
# sketches. Copies of the sketches, the winners until now, are far off, and the blur does not pass any more either.
#
# So each number alone has a cheat that wins. Take **both**:

# %%
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for number, name in enumerate(kid):
    x, y = interval(f1[name]), kid[name]
    colour = COLOURS[number % len(COLOURS)]
    axes.plot([x.low, x.high], [y.value, y.value], color=colour, alpha=0.5)
    axes.plot([x.value, x.value], [y.low, y.high], color=colour, alpha=0.5)
    axes.plot(x.value, y.value, "os^Dv*P"[number], color=colour, label=name, markersize=8)
axes.axvline(0.4, color="#888888", linestyle=":", linewidth=1)
axes.text(0.39, 3.4, "0.40: other things", ha="right", color="#555555", fontsize=9)
axes.invert_yaxis()
axes.set(xlabel="edge F1: keeps the lines →", ylabel="micro-KID: looks real ↑ (axis turned)")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
told = "; ".join(
    f"{name}: F1 {np.mean(f1[name]):.2f}, micro-KID {kid[name].value:.2f}" for name in kid
)
s2i.show(
    figure,
    alt=f"Seven translators in the plane of edge F1 (right) and micro-KID (up is better). {told}.",
)

# %% [markdown]
# Top right, where lines are kept *and* things look real, there is the true picture, and no cheat. The blurred truth keeps as many lines
# as the miniature at strength 0.5, but looks less real. From 0.5 to 0.75 the miniature moves to the left: it pays with lines, and
# whether it gains anything upwards is not shown. (The thin lines are 95 % intervals: section 4.)
#
# If somebody shows you one number, ask for the cheat that would win it.
#
# ## 2. Edge F1 by hand
#
# A radish: the sketch's **ink**, all pixels darker than mid-grey, and the picture's **edges**, found by Canny's method, which looks for
# the steepest changes of brightness. Then two questions, each with its own map of distances:
#
# - each *edge* asks: how far is the nearest ink? (If it is far, the edge was invented.)
# - each *line* asks: how far is the nearest edge? (If it is far, the line was lost.)
#
# A pen line has two edges, one on either side. So for the second question a line is thinned to its middle, and half of its width is
# taken off the distance: a thick pen is no error. In the maps white is near and blue is far; green points are near enough, orange ones are not.

# %%
radish = some[0]
its_ink, its_edges = ink(sketches[radish]), edges(translators["miniature, 0.75"][radish])
to_ink, to_edge = edge_distances(its_ink, its_edges)
y_lines, x_lines = np.nonzero(skeletonize(its_ink))
y_found, x_found = np.nonzero(its_edges)  # in the order of to_ink
panels = {
    "ink of the sketch": np.where(its_ink, 0, 1),
    "the picture": np.asarray(translators["miniature, 0.75"][radish]),
    "its edges": np.where(its_edges, 0, 1),
    "edges look for ink": distance_transform_edt(~its_ink),
    "lines look for an edge": distance_transform_edt(~its_edges),
}
figure, all_axes = plt.subplots(1, 5, figsize=(13, 3), layout="constrained")
for axes, (title, values) in zip(all_axes[:3], list(panels.items())[:3]):
    axes.imshow(values, cmap="gray")
for axes, title, x, y, far in (
    (all_axes[3], "edges look for ink", x_found, y_found, to_ink > TOLERANCE),
    (all_axes[4], "lines look for an edge", x_lines, y_lines, to_edge > TOLERANCE),
):
    shade = axes.imshow(panels[title], cmap="Blues", vmin=0, vmax=30)
    axes.scatter(x, y, s=2, c=np.where(far, COLOURS[1], COLOURS[2]))
for axes, title in zip(all_axes, panels):
    axes.set_title(title, fontsize=11)
    axes.set_axis_off()
figure.colorbar(shade, ax=all_axes[-1], label="distance, pixels", shrink=0.7)
s2i.show(
    figure,
    alt="A radish. The sketch's ink; the miniature's picture, which bends the other way; its edges; a map of the "
    "distance to the nearest ink with the edges on it, green where they are near, orange where far; a map of the "
    "distance to the nearest edge with the middle of the sketch's lines on it, green and orange likewise.",
)
print(f"{len(to_ink)} edge pixels, {len(to_edge)} points on the middle of lines")
print("the first edges, in pixels:", *np.round(to_ink[:8] * 128, 1))
print("the first lines, in pixels:", *np.round(to_edge[:8] * 128, 1))
print(f"tolerance: {TOLERANCE * 128:.2f} pixels")

# %% [markdown]
# `edge_distances` gives both lists, as shares of the picture's shorter side, so that pictures of all sizes can be compared. The rest is
# yours. **Precision** is the share of edges that lie near ink. **Recall** is the share of line points that lie near an edge. *Near* is
# up to the tolerance, the tolerance itself included. **F1** is their harmonic mean,
#
# $$F_1 = \frac{2\,P\,R}{P + R},$$
#
# which is never more than twice the smaller of the two. Two rules for the empty cases: a picture without any edge has precision 0 (its `to_ink` is empty,
# its `to_edge` infinite), and where both shares are 0, F1 is 0.


# %% tags=["teacher"]
from s2i_teach.evaluate.faithfulness import check_distances  # the library's lines name it


# %% tags=["exercise-edge_f1"]
def edge_f1(to_ink, to_edge, tolerance):
    """Precision, recall and F1, three numbers from 0 to 1; to_ink and to_edge are arrays of distances."""
    ...


# %%
lesson.edge_f1.check(edge_f1)
edge_f1 = lesson.edge_f1.use(edge_f1)

# %% [markdown]
# Why two shares? **Predict first:** what are precision and recall of a picture with a single dot that lies on a line? Of a page that is
# scribbled all over, an edge at every pixel?

# %%
dot = np.zeros_like(its_ink)
dot[tuple(np.argwhere(its_ink)[0])] = True
for name, marks in {
    "one dot on a line": dot,
    "scribbled all over": np.ones_like(its_ink),
    "the miniature's": its_edges,
    "the true picture's": edges(true[radish]),
    "no edge at all": np.zeros_like(its_ink),
}.items():
    p, r, both = edge_f1(*edge_distances(its_ink, marks), TOLERANCE)
    print(
        f"{name:19} precision {p:.2f}   recall {r:.2f}   F1 {both:.2f}   plain mean {(p + r) / 2:.2f}"
    )

# %% [markdown]
# The dot has precision 1: all that it says is true, but it says next to nothing. The scribble has recall 1: it says everything. The
# plain mean would give each of them more than half; the harmonic mean does not forgive a share that is near 0: the scribble comes to
# what another thing's picture has.
#
# And the tolerance? It is a choice, so look at what it does before you believe a number that was made with it:

# %%
shown = ("sketch, copied", "miniature, 0.5", "miniature, 0.75", "another thing")
all_distances = {
    name: [edge_distances(ink(a), edges(b)) for a, b in zip(sketches, translators[name])]
    for name in shown
}
print(f"{'tolerance':>12}  " + "  ".join(f"{name:>15}" for name in shown))
for pixels in (0, 1, 2, 3, 4, 8, 16):
    means = [np.mean([edge_f1(*d, pixels / 128)[2] for d in all_distances[n]]) for n in shown]
    print(f"{pixels:>5} pixels  " + "  ".join(f"{mean:15.2f}" for mean in means))

# %% [markdown]
# Below 2 pixels even the copy is no longer perfect: Canny's edges lie beside the line. With 16, even another thing's
# picture has more than 0.8. The course takes 0.016 of the side, 2.05 pixels here: in this table the first at which the copy has 1. A paper that says "F1 = 0.8" without its
# tolerance has said nothing.
#
# ## 3. A kernel distance by hand
#
# "Looks real" is no property of one pixel or one picture. It is a question about two *sets*: could these pictures have come out of the
# same bag as the real ones? Every picture becomes 192 numbers, the **features** of the small CLIP that you met in lesson 6. (KID, which
# papers report, takes 2,048 numbers of the Inception network and many thousands of pictures; hence *micro*-KID. Never compare
# the two.)
#
# Set $x$ has $m$ pictures, set $y$ has $n$. A **kernel** says how alike two pictures are, given their features $a$ and $b$ with $d$ numbers each: $k(a, b) = (a \cdot b / d + 1)^3$.
# Take all pairs and ask: are pictures more alike *within* each set than *across* the two? If both came out of one bag, then no:
#
# $$\text{distance} = \underbrace{\frac{1}{m(m-1)} \sum_{i \neq j} k(x_i, x_j)}_{\text{within } x} + \underbrace{\frac{1}{n(n-1)} \sum_{i \neq j} k(y_i, y_j)}_{\text{within } y} - \underbrace{\frac{2}{mn} \sum_{i, j} k(x_i, y_j)}_{\text{across, twice}}$$
#
# It is called the squared *maximum mean discrepancy* (MMD). Why $i \neq j$? A picture is always very like itself. Left in,
# these $m$ pairs would make every small set look far from everything, the smaller the set, the more. So the diagonal of the table is
# left out, and $m(m-1)$ pairs remain of $m^2$. Without the diagonal the estimate is *unbiased*: right on the average, however small the sets.
#
# `polynomial_kernel(x, y)` gives the table of all pairs, `(m, n)`. Three large numbers nearly cancel, so calculate in double precision:
# `x.double()`. (`table.trace()` is the sum of the diagonal.)


# %% tags=["exercise-kernel_distance"]
def kernel_distance(x, y):
    """The squared MMD of features x (m, d) and y (n, d), unbiased, as a number."""
    ...


# %%
lesson.kernel_distance.check(kernel_distance)
kernel_distance = lesson.kernel_distance.use(kernel_distance)

# %% [markdown]
# Before a measure is used, it should show what it can do. 600 real pictures, of all styles and things: take two sets of them that share
# no picture. **Predict first:** what is their distance, for sets of 5, of 10, of 50? Can it be below 0?

# %%
real = real_features()  # some seconds, once
generator = torch.Generator().manual_seed(0)
for size in (5, 10, 50, 200):
    values = []
    for _ in range(40):
        order = torch.randperm(len(real), generator=generator)
        values.append(kernel_distance(real[order[:size]], real[order[size : 2 * size]]))
    first = "  ".join(f"{v:+.2f}" for v in values[:6])
    print(
        f"{size:>3} and {size:>3} real ones:  {first} …   mean of 40 {np.mean(values):+.2f}, "
        f"standard deviation {np.std(values):.2f}, below 0: {sum(v < 0 for v in values)}"
    )
print(
    f"copies of the 20 sketches and all 600: {kernel_distance(picture_features(sketches), real):.2f}"
)

# %% [markdown]
# The mean is about 0 for every size: that is what unbiased means, and for that some values *must* be below 0. But single values jump: with
# 5 pictures by half a unit up and down, with 50 by about a twentieth. Copies of sketches, at almost 3, can be told from real pictures
# with a handful. (In section 1 they had 2.08: those were other real ones.) The miniature's two strengths, 0.13 apart in section 1, cannot
# be told from each other. More pictures help; so do pairs, as section 4 shows.
#
# One more trap. **Predict first:** these are real pictures, drawn by professionals, and nothing is wrong with them. How far are they?

# %%
clocks = load_pairs("train", keep=lambda r: r["subgroup"] == "time" and r["style"] == "openmoji")
mammals = load_pairs(
    "train", keep=lambda r: r["subgroup"] == "animal-mammal" and r["style"] == "openmoji"
)
sets = {
    "true pictures of the 20 things": true,
    "mammals": [to_picture(x) for x in mammals.batch(range(len(mammals)))],
    "clocks": [to_picture(x) for x in clocks.batch(range(len(clocks)))],
}
for name, images in (sets | {"copies of sketches": sketches}).items():
    distance = kernel_distance(picture_features(images), reference)
    found = kernel_distance_interval(picture_features(images), reference)
    print(f"{len(images):>3} {name:31} {distance:+.2f}   [{found.low:+.2f}, {found.high:+.2f}]")

# %% [markdown]
# Real clocks are as far off as copied sketches! (In brackets stand 95 % intervals, of which section 4 tells.) The distance sees *what* is shown, too, and a set of nothing but clocks is not the
# bag of all things. So compare only sets that show the same things in the same style, and say with what they were compared. The same
# holds for KID and FID: a model of faces has another FID against cats.
#
# ## 4. How sure?
#
# "Strength 0.5 has an edge F1 of 0.81." With *these* twenty sketches. With twenty others it would have been another number, and how
# far another, the twenty themselves can tell: draw twenty of them *with replacement*, so that some come twice and some never; take the
# mean; do that 2,000 times. The middle 95 % of these means are the **bootstrap interval**. (For few sketches that is a bit too
# narrow, and `interval` widens it.)

# %%
by_setting = {
    (strength, guidance): [
        edge_scores(sketch, image)[2] for sketch, image in zip(sketches, made(strength, guidance))
    ]
    for strength in (0.5, 0.75)
    for guidance in (1, 2.5)
}
for (strength, guidance), values in by_setting.items():
    print(
        f"strength {strength:<4} guidance {guidance:<3}   5 sketches: {interval(values[:5])}   20: {interval(values)}"
    )

# %% [markdown]
# Four times the sketches should halve the width, since it shrinks with the root of their number, and roughly it does. With 20 sketches the strengths are told apart easily.
# **Predict first:** does guidance 2.5 cost lines, compared with 1? The two intervals of the same strength overlap.

# %%
for strength in (0.5, 0.75):
    after, before = by_setting[strength, 2.5], by_setting[strength, 1]
    for n in (5, 20):
        print(
            f"strength {strength:<4}  {n:>2} sketches: {difference(after[:n], before[:n])}   "
            f"lower on {sum(a < b for a, b in zip(after[:n], before[:n]))} of {n}"
        )

# %% [markdown]
# With 20 sketches it does, at both strengths; with five only at 0.5. What is hard about a sketch is hard for both settings, and the wide intervals come from sketches that
# differ, not from settings. So take the difference **sketch by sketch** (same sketch, same seed) and put the interval on *that*: if 0
# lies outside, the difference is shown. Two intervals that overlap only say that this comparison was too weak.
#
# And if you have only four sketches, why not run each with five seeds, which makes twenty pictures? **Predict first:** which interval is
# the honest one?

# %%
few = range(4)
same = dict(strength=0.5, guidance_scale=1, **settings)
seeded = [s2i.sweep(sketches[i], rows[drawn[i]]["text"], seeds=range(5), **same) for i in few]
values = [edge_scores(sketches[i], image)[2] for i in few for image in seeded[i].images]
groups = [drawn[i] for i in few for _ in seeded[i].images]
for i in few:
    print(f"{short[i]:>16}:", "  ".join(f"{v:.2f}" for v in values[5 * i : 5 * i + 5]))
print("as if 20 trials: ", interval(values))
print("4 sketches:      ", interval(values, groups))

# %% [markdown]
# The second, which is more than twice as wide. One sketch stands apart in all five of its numbers: *which* sketches they were matters
# more than the seeds. Five pictures of one sketch are not five trials, as one person who is asked five times is not five people. (And
# of four sketches even the wide one is too narrow: the report says so where it has fewer than six.) `groups=` says what belongs together, and whole groups are drawn. Seeds are worth running, since they show what the seed does
# (lesson 9), but they do not replace sketches.
#
# ## 5. Ask people, blindly
#
# In the end pictures are for people. They can be asked, if one takes care: *which of these two is better* is an easier question than
# *how good, from 1 to 10*; the same sketch and the same seed on both sides; left and right by lot; and nobody may know which setting
# is which, above all not the one who hopes for one of them.
#
# Here are ten drawings that people made in *Quick, Draw!*. Nobody has a true picture for them, as you have none for yours. The
# cell makes nine pictures of each, for this section and the next.

# %%
by_hand = s2i.sketches("by people")[:10]
grids = [  # some 25 seconds
    s2i.sweep(s.path, s.prompt, strength=[0.5, 0.75, 1.0], guidance_scale=[1, 2.5, 6], **settings)
    for s in by_hand
]
asked = [g.result(strength=s, guidance_scale=2.5) for g in grids for s in (0.5, 0.75, 1.0)]
mine = s2i.BlindRating(asked, "my_votes.csv", rater="me", votes=12)  # in a class: your own name
mine

# %% [markdown]
# **Vote now**, twelve times: click the better picture or use the arrow keys, down is a tie. Decide before you start what *better* means
# to you. Each vote is written to `my_votes.csv` at once. (If you ran the cells below before you voted, run them again. If you change the settings above, give the votes another file.)
#
# To have something to count even if nobody votes, the next cell **makes votes up**. No person stands behind them: three programs
# vote by a rule and some noise, on all 30 pairs. *Line* prefers the higher edge F1, *Word* the higher prompt match (lesson 11: the cosine that the small CLIP
# gives to picture and words), *Both* their mean.
# In your report such votes would be fraud; here they let you see what real ones can say.

# %%
match = prompt_matches([r.image for r in asked], [r.settings.prompt for r in asked]).tolist()
lines_kept = [faithfulness(r.sketch, r.image).f1 for r in asked]
tastes = {
    "Line (made up)": lines_kept,
    "Word (made up)": match,
    "Both (made up)": [(a + b) / 2 for a, b in zip(lines_kept, match)],
}
number = {id(result): i for i, result in enumerate(asked)}
files = []
for name, taste in tastes.items():
    noise, votes = random.Random(name), []
    for left, right in choose_pairs(asked, votes=30, seed=0):
        gap = (
            taste[number[id(left.result)]] - taste[number[id(right.result)]] + noise.gauss(0, 0.15)
        )
        choice = "tie" if abs(gap) < 0.04 else "left" if gap > 0 else "right"
        sides = (left.sketch, left.picture, right.picture, left.cell, right.cell)
        votes.append(Vote(name, *sides, choice, seconds=0.0))
    files.append(write_votes(f"{name.split()[0].lower()}.csv", votes))
if mine.votes:
    files.append(mine.path)
    print("your", len(mine.votes), "votes are in it")
else:
    print("nobody has voted here: all votes below are made up by a rule")
everyone = merge(files)  # in a class: merge(glob.glob("votes/*.csv")), after import glob
print(f"{len(everyone)} votes, the first:", everyone[0], sep="\n")

# %% [markdown]
# Votes are wins and losses, as in a league. The **Bradley–Terry** model gives each setting a *skill*, such that A with skill $a$
# beats B with skill $b$ with probability $1 / (1 + e^{b - a})$: the average is 0, one more means winning 73 of 100 times. (A tie is half a
# win. The intervals take each vote as a new trial. Votes of three raters on the same pair are not, so they are too narrow.) **Krippendorff's α** says how far raters
# agree: 1 always, 0 as often as chance, below 0 less. **Predict first:** who agrees with whom?

# %%
voters = {vote.rater for vote in everyone}
shown = {name: [v for v in everyone if v.rater == name] for name in sorted(voters)}
for name, votes in ({"everybody": everyone} | shown).items():
    print(name)
    for row in ranking(votes):
        print(
            f"   {row.cell:14} {row.strength:+.2f} [{row.low:+.2f}, {row.high:+.2f}]  {row.wins:g} of {row.votes} won"
        )
print(f"agreement of all: α = {rater_agreement(everyone):.2f}")
for a, b in (("Line", "Word"), ("Line", "Both"), ("Word", "Both")):
    two = [v for v in everyone if v.rater.split()[0] in (a, b)]
    print(f"agreement of {a} and {b}: α = {rater_agreement(two):.2f}")
first, second, *_ = [row.cell for row in ranking(everyone)]
needed = votes_needed(everyone, first, second)
print(f"to tell {first} from {second}:", f"about {needed} more votes" if needed else needed)

# %% [markdown]
# The pooled ranking hides a quarrel: *Line* and *Word* agree no more than chance would. The α of all only hints at it, the α of each two
# says it. (*Both* is nearer to *Word*: prompt match varies more than F1, so it has more to say in a plain mean.) A mean over people who
# disagree may be nobody's opinion, so report α beside every ranking, and if it is low, ask what people *meant* by better. The last line
# tells, after a first round, whether your class is large enough, if the difference is really as large as it looks now.
#
# Do votes agree with the numbers? Put them side by side. (micro-KID is now against 600 real pictures of all styles, as in every report, and
# not against the 66 of section 1: do not compare its numbers with those. Of pictures in one style it can even prefer blurred ones.)

# %%
print(f"{'':14} {'edge F1':>8} {'micro-KID':>10} {'prompt match':>13}   " + "   ".join(shown))
for strength in (0.5, 0.75, 1.0):
    its = [i for i, r in enumerate(asked) if r.settings.strength == strength]
    line = f"strength {strength:<5} {np.mean([lines_kept[i] for i in its]):8.2f}"
    line += f" {micro_kid([asked[i].image for i in its]):10.2f} {np.mean([match[i] for i in its]):13.2f}   "
    for name, votes in shown.items():
        skills = {row.cell: row.strength for row in ranking(votes)}
        line += f"{skills.get(f'strength {strength:g}', float('nan')):+{len(name)}.2f}   "
    print(line)

# %% [markdown]
# *Line* follows F1, for so we made it. *Word* should follow the prompt match, and its 30 votes do not show it: look at its intervals. The column worth knowing is **yours**. Does it follow F1, or micro-KID,
# or neither? If neither, it is the numbers that have to explain themselves, not you.
#
# ## 6. The report
#
# Everything at once: `report` takes any list of results, gathers them by the settings that vary, puts an interval on each number and
# says what follows. 90 pictures, nine settings, ten sketches.

# %%
results = [result for grid in grids for result in grid.results]
judged = report(results)
judged

# %% [markdown]
# Read *What to conclude* aloud, sentence by sentence, and point at the cell in the table that it comes from. Then *What not to
# conclude*: which of these sentences did you miss in the last paper that you read? (Where two cells have
# the same sketches the report compares them sketch by sketch, as you did.)
#
# Find three things. Where does edge F1 come down to the 0.40 of another thing's picture? Which cells does micro-KID really tell apart?
# (Look at the intervals: n is 10.) And why is there no single best cell, but a **front**, the cells
# that no other one beats in both?

# %%
judged.save("report.html")
print("report.html: one file, with all pictures inside; give it to somebody who was not here")

# %% [markdown]
# Now the oldest trap. Somebody tunes the settings, takes the ones with the best score, and then reports that score. **Predict first:** what
# do the pictures look like that each score would choose?

# %%
chosen = {}  # place of a cell → the scores that choose it
for measure, name, more in MEASURES:
    cell = best(list(judged.cells), measure, more)
    chosen.setdefault(judged.cells.index(cell), []).append(name.split(" (")[0].lower())
strip = {"the sketch": [grid.results[0].sketch for grid in grids]}
for at, scores in chosen.items():
    cell = judged.cells[at]
    strip[f"for {' and '.join(scores)}"] = [row.result.image for row in cell.rows]
    print(f"best in {' and '.join(scores)}: {cell.name}")
    print(f"   F1 {cell.f1}   micro-KID {cell.micro_kid}   prompt match {cell.prompt_match}")
sheet, _ = filmstrip(
    strip, [s.name.removesuffix("_by_hand").replace("_", " ") for s in by_hand], side=84
)
s2i.show(
    sheet,
    alt="Ten sketches and the pictures at the settings that the scores would choose. Edge F1 chooses pictures that are "
    "near to the sketch, dull and soft; realism and prompt match choose clear icons in full colour, many of them of "
    "another shape than the sketch; the cat has become a yellow blot.",
)

# %% [markdown]
# Realism and prompt match choose the same settings, the highest strength: clear icons, and the lines are redrawn. Their edge F1 is what
# *another thing's* picture has. Whoever tunes on F1 gets the sketch back, tinted. **"When a measure becomes a target, it ceases to be a good measure"** (Goodhart's law, in Strathern's words). Prompt
# match is also a relative of the accused: it comes from the small CLIP, whose text tower steers the miniature (as a CLIP's text
# encoder steers Stable Diffusion, and CLIPScore judges it). And micro-KID's features come from the same small CLIP, so that these two choose
# the same settings proves little. So: choose with one score, judge with another,
# on sketches that chose nothing. And say how many settings you tried.
#
# ## Think about it
#
# You have time for 60 pictures and four classmates with ten minutes each. You want to know whether filling the sketch's areas
# (`prepare="filled"`) helps. What do you run, what do you measure, whom do you ask what, and what would convince you that it does *not*?
#
# ## Sources
#
# - Bińkowski et al., *Demystifying MMD GANs*, 2018, arXiv 1801.01401 (KID). Gretton et al., *A Kernel Two-Sample Test*, 2012 (MMD).
# - Wang et al., *Image Quality Assessment: From Error Visibility to Structural Similarity*, 2004 (SSIM).
# - Heusel et al., *GANs Trained by a Two Time-Scale Update Rule*, 2017, arXiv 1706.08500 (FID). Hessel et al., *CLIPScore*, 2021, arXiv 2104.08718.
# - Zhang et al., *The Unreasonable Effectiveness of Deep Features as a Perceptual Metric*, 2018, arXiv 1801.03924 (LPIPS).
# - Canny, *A Computational Approach to Edge Detection*, 1986.
# - Efron, *Bootstrap Methods: Another Look at the Jackknife*, 1979. Hesterberg, *What Teachers Should Know About the Bootstrap*, 2015.
# - Bradley and Terry, *Rank Analysis of Incomplete Block Designs*, 1952. Krippendorff, *Computing Krippendorff's Alpha-Reliability*, 2011.
# - Goodhart, *Problems of Monetary Management*, 1975. Strathern, *"Improving ratings"*, 1997.
# - The drawings: OpenMoji, CC BY-SA 4.0; players of Quick, Draw!, CC BY 4.0.
#
# **Next:** lesson 13, prompts.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** 12 minutes for section 1 (let them bet on the order before each table), 10 for edge F1, 12 for the kernel distance, 6 for the
# intervals, 6 for the votes, 4 for the report. Short of time? Leave out the tolerance table and the seeds.
#
# **Typical mistakes.** In `edge_f1`: precision and recall swapped, `<` for `<=`, the plain mean, nan where there is no edge. In
# `kernel_distance`: the diagonal left in, or taken out but divided by m²; the factor 2; a root or `abs` "because a distance cannot be
# negative"; float32.
#
# **What to listen for.** "F1 of 0.45, so nearly half of it is right." Ask for the floor. "The intervals overlap, so there is no
# difference." Ask for the pairs. "KID below 0, so it is better than real." Ask for another draw. "α is low, so the raters were careless."
# Ask what they were asked.
#
# **A class.** Everybody votes with the same `seed` and another `rater`; the files go into one folder, and `merge` takes them all. Twelve
# votes by 25 students are 300: `votes_needed` says whether that is enough. Discuss beforehand what *better* means, with half of the class;
# compare the α of both halves.
#
# **The made-up votes.** They are there so that the notebook runs without people. Say so aloud, and let the students find in the code what
# each of the three programs looks at.
#
# **The open question.** A good answer pairs: the same sketch, seed and prompt, filled and not; 30 sketches with one seed rather than 6
# with five; names the measure before it looks; asks people blindly, which of two keeps *my drawing*; and says which interval around 0
# would count as "no difference that matters".
