# %% [markdown]
# # Lesson 12. Judging
#
# {{badge}}
#
# "The model generates high-quality and faithful images." How do you know? Such a sentence needs a number. It needs to say how sure the
# number is, and which cheat would have scored better.
#
# | | |
# |---|---|
# | **You will** | unmask four cheats; write two measures; find out what FID hides; find out what counts as one trial; vote blindly; read a report |
# | **Time** | two sittings: 65 minutes for sections 1 to 4, two exercises; 55 minutes for sections 5 to 8, one exercise |
# | **You need** | strength and guidance (lesson 8), the CLIP of lesson 6, means over sketches (lesson 11); arrays and masks in numpy |
# | **Hardware** | any computer, two CPU cores are enough; the pictures take some 25 seconds in each sitting |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %% [markdown]
# # First sitting: what does a number measure?
#
# ## 1. One number, four cheats
#
# 86 things were held out: no training saw them. For each there is a sketch and the coloured picture that OpenMoji's artists made of it.
# We call it the **true picture**. Lesson 10's lottery draws 20 of these things. The miniature translates each sketch at three strengths
# and two guidance scales.

# %%
import textwrap

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image, ImageFilter
from scipy.ndimage import distance_transform_edt
from skimage.morphology import skeletonize

from s2i_teach.data_sources.draw import pick
from s2i_teach.evaluate.agreement import psnr, ssim
from s2i_teach.evaluate.bootstrap import interval
from s2i_teach.evaluate.distribution import frechet_distance, precision_recall
from s2i_teach.evaluate.faithfulness import CHANCE_F1, TOLERANCE, edge_distances, edges, ink
from s2i_teach.evaluate.realism import (
    kernel_distance_interval,
    picture_features,
    polynomial_kernel,
    real_features,
    real_pictures,
)
from s2i_teach.gallery import embedded_pairs
from s2i_teach.lessons import predict
from s2i_teach.widgets.figures import COLOURS, filmstrip

lesson = s2i.lesson(12)
pipe = s2i.load_pipeline("mini-fast", device="cpu", dtype="fp32")

held_out = {pair.thing: pair for pair in embedded_pairs("test")}
drawn = pick(list(held_out), 20, seed=0, category="openmoji")
sketches, true = zip(*(held_out[thing].open() for thing in drawn))
others = [pair.open()[1] for thing, pair in held_out.items() if thing not in drawn]

settings = dict(pipe=pipe, prepare="filled", quiet=True)
sweeps = [  # the folder keeps the pictures for the second sitting
    s2i.sweep(
        sketch,
        held_out[thing].prompt,
        strength=[0.25, 0.5, 0.75],
        guidance_scale=[1, 2.5],
        to=f"out/lesson12/{thing}",
        **settings,
    )
    for sketch, thing in zip(sketches, drawn)
]
print(f"{len(sketches)} sketches, {sum(map(len, sweeps))} pictures, {len(others)} other true ones")

# %% [markdown]
# Four "translators" compete with the miniature, and they cost nothing. The first returns the sketch as it is. The second gives the true
# picture of *another* thing. The third blurs the true picture. The fourth leaves the page empty.


# %%
def made(strength, guidance_scale=2.5):
    return [s.result(strength=strength, guidance_scale=guidance_scale).image for s in sweeps]


translators = {
    "sketch, copied": sketches,
    "another thing": true[1:] + true[:1],
    "truth, blurred": [image.filter(ImageFilter.GaussianBlur(3)) for image in true],
    "empty page": [Image.new("RGB", (128, 128), "white")] * len(true),
    "miniature, 0.25": made(0.25),
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
    alt=f"Seven sketches ({', '.join(short[i] for i in some)}), their true pictures, and what seven translators make of "
    "them: the copied sketch, the picture of another thing, the true one blurred, an empty page, and the miniature's "
    "pictures at strength 0.25, 0.5 and 0.75.",
)

# %% [markdown]
# Which of the seven would *you* choose? The first four are cheats: none of them looked at the sketch and coloured it.
#
# We have true pictures, so we can measure how far each result agrees with them. **PSNR** is lesson 1's: the mean
# squared error in decibels. A smaller error gives a larger PSNR. **SSIM** compares brightness, contrast and structure in small windows: a perfect copy has 1. Many
# papers on image translation report both.

# %%
winner = predict("Which translator has the highest PSNR?", answer=..., options=tuple(translators))

# %%
mean_of = {
    name: [np.mean([score(a, b) for a, b in zip(images, true)]) for score in (psnr, ssim)]
    for name, images in translators.items()
}
print(f"{'':16}  PSNR  SSIM   (more is better)")
for name, (of_psnr, of_ssim) in mean_of.items():
    print(f"{name:16} {of_psnr:5.1f} {of_ssim:5.2f}")
winner.compare(max(mean_of, key=lambda name: mean_of[name][0]))
print("best SSIM:", max(mean_of, key=lambda name: mean_of[name][1]))
above = [name for name in translators if mean_of[name][1] < mean_of["empty page"][1]]
print("the empty page has a higher SSIM than:", ", ".join(above) or "nobody")

# %% [markdown]
# Why do cheats win? Both measures reward what is *safe*. No colour costs less than a wrong colour. In PSNR a blur costs
# less than a sharp edge at the wrong place; SSIM forgives the blur less. And both know only **one right answer**. A red trolleybus counts as an error where OpenMoji's is blue.
#
# So ask what you really want. There are two questions. Are the sketch's lines kept? Does the result look like a real picture?
#
# ## 2. Are the lines kept? Edge F1
#
# This question needs no true picture. Take the sketch's **ink**: all pixels that are darker than mid-grey. Take the picture's **edges**:
# the places where brightness changes most steeply, found by Canny's method. Then measure distances in both directions:
#
# - For each *edge pixel*: how far is the nearest ink? If it is far, the edge was invented.
# - For each *line point*: how far is the nearest edge? If it is far, the line was lost.
#
# A line point lies on the middle of a line, and half of the line's width is subtracted from its distance. So a thick pen is no error.
# In the two maps on the right white is near and blue is far. Green points are near enough, orange points are not.

# %%
first = some[0]
its_ink, its_edges = ink(sketches[first]), edges(translators["miniature, 0.75"][first])
to_ink, to_edge = edge_distances(its_ink, its_edges)
y_lines, x_lines = np.nonzero(skeletonize(its_ink))
y_found, x_found = np.nonzero(its_edges)  # in the order of to_ink
panels = {
    "ink of the sketch": np.where(its_ink, 0, 1),
    "the picture": np.asarray(translators["miniature, 0.75"][first]),
    "its edges": np.where(its_edges, 0, 1),
    "edges: the nearest ink": distance_transform_edt(~its_ink),
    "lines: the nearest edge": distance_transform_edt(~its_edges),
}
figure, all_axes = plt.subplots(1, 5, figsize=(13, 3), layout="constrained")
for axes, values in zip(all_axes[:3], list(panels.values())[:3]):
    axes.imshow(values, cmap="gray")
for axes, values, x, y, far in (
    (all_axes[3], list(panels.values())[3], x_found, y_found, to_ink > TOLERANCE),
    (all_axes[4], list(panels.values())[4], x_lines, y_lines, to_edge > TOLERANCE),
):
    shade = axes.imshow(values, cmap="Blues", vmin=0, vmax=30)
    axes.scatter(x, y, s=2, c=np.where(far, COLOURS[1], COLOURS[2]))
for axes, title in zip(all_axes, panels):
    axes.set_title(title, fontsize=11)
    axes.set_axis_off()
figure.colorbar(shade, ax=all_axes[-1], label="distance, pixels", shrink=0.7)
s2i.show(
    figure,
    alt=f"The sketch of a {drawn[first]}: its ink; the miniature's picture; the picture's edges; a map of the distance to "
    "the nearest ink with the edges on it, green where they are near, orange where far; a map of the distance to the "
    "nearest edge with the middle of the sketch's lines on it, green and orange likewise.",
)
print(f"{len(to_ink)} edge pixels, the first distances: ", *np.round(to_ink[:6] * 128, 1), "pixels")
print(f"{len(to_edge)} line points, the first distances:", *np.round(to_edge[:6] * 128, 1), "pixels")
print(f"tolerance: {TOLERANCE * 128:.2f} pixels")

# %% [markdown]
# `edge_distances` gives both lists as shares of the picture's shorter side. The rest is yours:
#
# - **Precision** is the share of edge pixels that lie near ink.
# - **Recall** is the share of line points that lie near an edge.
# - *Near* means a distance of at most the **tolerance**.
# - **Edge F1** is the harmonic mean of precision $P$ and recall $R$, which is $2PR / (P + R)$. It lies near the smaller of the two.
#
# A picture without any edge has an empty `to_ink`: its precision is 0. If both shares are 0, F1 is 0.


# %% tags=["teacher"]
from s2i_teach.errors import InputError  # the library's lines name these
from s2i_teach.evaluate.faithfulness import check_distances


# %% tags=["exercise-edge_f1"]
def edge_f1(to_ink, to_edge, tolerance):
    """Precision, recall and F1, three numbers from 0 to 1; to_ink and to_edge are arrays of distances."""
    ...


# %%
lesson.edge_f1.check(edge_f1)
edge_f1 = lesson.edge_f1.use(edge_f1)

# %% [markdown]
# Why two shares, and why not their plain mean? Try two bad pictures. One has a single dot that lies on a line. The other is scribbled all
# over, with an edge at every pixel.

# %%
shares = predict(
    "Are these shares above or below 0.5?",
    answer={
        "precision of the dot": ...,
        "recall of the dot": ...,
        "precision of the scribble": ...,
        "recall of the scribble": ...,
    },
    options=("above", "below"),
)

# %%
dot = np.zeros_like(its_ink)
dot[tuple(np.argwhere(its_ink)[0])] = True
found = {}
for name, marks in {
    "dot": dot,
    "scribble": np.ones_like(its_ink),
    "miniature": its_edges,
    "true picture": edges(true[first]),
}.items():
    p, r, both = edge_f1(*edge_distances(its_ink, marks), TOLERANCE)
    found |= {f"precision of the {name}": p, f"recall of the {name}": r}
    print(f"{name:12} precision {p:.2f}  recall {r:.2f}  F1 {both:.2f}  plain mean {(p + r) / 2:.2f}")
shares.compare({name: "above" if found[name] > 0.5 else "below" for name in shares.answer})

# %% [markdown]
# All that the dot says is true, but it says almost nothing. The scribble says everything, true or not. The plain mean would reward both.
# The harmonic mean does not.
#
# Now measure everybody. What does a picture of *another* thing get?

# %%
unrelated = predict("Mean edge F1 of another thing's picture, 0 to 1?", answer=...)

# %%
distances = {
    name: [edge_distances(ink(a), edges(b)) for a, b in zip(sketches, images)]
    for name, images in ({"the true picture": true} | translators).items()
}
f1 = {name: [edge_f1(*d, TOLERANCE)[2] for d in of_one] for name, of_one in distances.items()}
print(f"{'':16}  edge F1   (more is better)")
for name, values in f1.items():
    print(f"{name:16} {np.mean(values):8.2f}")
unrelated.compare(np.mean(f1["another thing"]), within=0.1)
print(f"over 60 other pairs of unrelated pictures: {CHANCE_F1:.2f}")

# %% [markdown]
# An unrelated picture does not get 0, since lines in the middle of a page usually meet some other lines. So an F1 of 0.5 does not mean
# "half faithful". **A number says nothing until you know what others get.** Here an unrelated picture marks the bottom, and the true
# picture marks the top.
#
# The copied sketch is above the top: it *is* the sketch. Edge F1 has its cheat, too. The miniature at strength 0.25 is close to that cheat: it adds
# hardly a line. A true picture has lines that its sketch does not have.
#
# The tolerance is a choice, and the number depends on it:

# %%
shown = ("sketch, copied", "miniature, 0.25", "miniature, 0.5", "miniature, 0.75", "another thing")
print(f"{'tolerance':>12}  " + "  ".join(f"{name:>15}" for name in shown))
for pixels in (0, 1, 2, 4, 8, 16):
    means = [np.mean([edge_f1(*d, pixels / 128)[2] for d in distances[name]]) for name in shown]
    print(f"{pixels:>5} pixels  " + "  ".join(f"{mean:15.2f}" for mean in means))

# %% [markdown]
# The course uses the smallest tolerance at which a copy has 1. If you report an F1, report its tolerance.
#
# ## 3. Does it look real? A kernel distance
#
# This is a question about two *sets*: could these pictures be a random part of the real ones? First, each picture becomes 192 numbers, its
# **features**. They come from lesson 6's small CLIP.
#
# A **kernel** says how alike two pictures are. For features $a$ and $b$ with $d$ numbers each we take $k(a, b) = (a \cdot b / d + 1)^3$.
# Set $x$ has $m$ pictures and set $y$ has $n$. Are pictures more alike *within* the sets than *across* them? If both sets are random
# parts of one large set, they are not:
#
# $$\text{distance} = \underbrace{\text{mean of } k(x_i, x_j)}_{\text{within } x,\ i \neq j} + \underbrace{\text{mean of } k(y_i, y_j)}_{\text{within } y,\ i \neq j} - 2 \cdot \underbrace{\text{mean of } k(x_i, y_j)}_{\text{across, all pairs}}$$
#
# This is an estimate of the squared **maximum mean discrepancy**, MMD. The true value is never below 0, but an estimate from few pictures
# misses it on both sides. Near 0 means alike.
#
# Why $i \neq j$? A picture is very like itself. These $m$ pairs would make every small set look far from everything. Without them the
# estimate is **unbiased**: its mean over many draws is right, for small sets too.
#
# `polynomial_kernel(x, y)` gives the table of all pairs, `(m, n)`. How many pairs remain of $m^2$ without the diagonal? Three large numbers
# nearly cancel here, so calculate in double precision: `x.double()`.


# %% tags=["exercise-kernel_distance"]
def kernel_distance(x, y):
    """The squared MMD of features x (m, d) and y (n, d), unbiased, as a number."""
    ...


# %%
lesson.kernel_distance.check(kernel_distance)
kernel_distance = lesson.kernel_distance.use(kernel_distance)

# %% [markdown]
# Test a measure before you use it. Here are 600 real pictures of all styles and things. We draw two sets that share no picture and
# measure their distance, 40 times for each size.

# %%
negative = predict("Of 40 distances between real sets of 10, how many are below 0?", answer=...)

# %%
real = real_features()  # some seconds, once
generator = torch.Generator().manual_seed(0)
for size in (5, 10, 50, 200):
    values = []
    for _ in range(40):
        order = torch.randperm(len(real), generator=generator)
        values.append(kernel_distance(real[order[:size]], real[order[size : 2 * size]]))
    below = sum(v < 0 for v in values)
    print(
        f"{size:>3} and {size:>3} real ones: mean {np.mean(values):+.2f}, standard deviation {np.std(values):.2f}, "
        f"from {min(values):+.2f} to {max(values):+.2f}, {below} below 0"
    )
    if size == 10:
        negative.compare(below, within=5)
far = kernel_distance(picture_features(sketches), real)
print(f"copies of the 20 sketches: {far:.2f}")

# %% [markdown]
# The mean is near 0 for every size. For that, some values *must* be below 0. But a single value from a small set can be far from 0. So
# with small sets you can be sure of a difference only if it is large.
#
# Measured so, on the features of our small CLIP, the distance is called **micro-KID**. The **KID** of papers uses 2,048 features of another
# network, Inception, and thousands of pictures. The two cannot be compared.
#
# Now measure everybody. The real ones are the other held-out pictures: the same style, other things.

# %%
most_real = predict("Which translator has the lowest micro-KID?", answer=..., options=tuple(translators))

# %%
reference = picture_features(others)
kid = {
    name: kernel_distance_interval(picture_features(images), reference)
    for name, images in ({"the true picture": true} | translators).items()
}
print(f"{'':16}  micro-KID   (less is better)")
for name, its_kid in kid.items():
    print(f"{name:16} {its_kid.value:10.2f}")
most_real.compare(min(translators, key=lambda name: kid[name].value))

# %% [markdown]
# True pictures in the wrong order are still true pictures. The measure sees a set, and it never sees the sketches. So micro-KID has its
# cheat, too.
#
# It has one more trap. Clocks and mammals by the same artists are real pictures. Are they as far away as copied sketches?

# %%
clocks_far = predict(
    "Real clocks: how far, compared with copied sketches?",
    answer=...,
    options=("less than half as far", "at least half as far"),
)

# %%
everything = embedded_pairs("train")
sets = {
    "mammals": [p.open()[1] for p in everything if p.subgroup == "animal-mammal"],
    "clocks": [p.open()[1] for p in everything if p.subgroup == "time"],
    "copies of sketches": sketches,
}
apart = {name: kernel_distance(picture_features(images), reference) for name, images in sets.items()}
for name, distance in apart.items():
    print(f"{len(sets[name]):>3} {name:20} {distance:+.2f}")
half = apart["copies of sketches"] / 2
clocks_far.compare("at least half as far" if apart["clocks"] >= half else "less than half as far")

# %% [markdown]
# The distance also sees *what* is shown. A set of clocks is no random part of all things. So compare only sets that show the same things in
# the same style, and say with what they were compared. The same holds for KID.
#
# ### What papers print
#
# Most papers print the **FID**. It is the **Fréchet distance** of two sets, on features of Inception. It describes each set by two things only: the
# mean $m$ of its features, and their covariance $C$. The covariance says how far each number is spread, and which numbers rise and fall together.
#
# $$\text{distance} = \lVert m - m' \rVert^2 + \operatorname{Tr}\!\big(C + C' - 2\,(C\,C')^{1/2}\big)$$
#
# For a single number per picture this is easy to read: $(m - m')^2 + (s - s')^2$, with the standard deviations $s$ and $s'$.
#
# `frechet_distance` calculates it. Test it as you tested the kernel distance: real pictures against other real pictures, on the features of
# our small CLIP. The right answer is 0.

# %%
biased = predict(
    "Real pictures against others, first 25 of each, then 300. What does the Fréchet distance do?",
    answer=...,
    options=("it is near 0 for both", "it falls", "it rises"),
)

# %%
generator = torch.Generator().manual_seed(0)
of_size = {}
for size in (25, 50, 100, 300):
    orders = [torch.randperm(len(real), generator=generator) for _ in range(10)]
    parts = [(real[order[:size]], real[order[size : 2 * size]]) for order in orders]
    of_size[size] = np.mean([frechet_distance(*pair) for pair in parts])
    kernel = np.mean([kernel_distance(*pair) for pair in parts])
    print(f"{size:>3} and {size:>3} real ones: Fréchet distance {of_size[size]:5.1f}, kernel distance {kernel:+.2f}")
small, large = of_size[25], of_size[300]
biased.compare("it is near 0 for both" if max(small, large) < 1 else "it falls" if large < small else "it rises")

# %% [markdown]
# The estimate is **biased**: its mean over many draws is too high, and the more so the fewer pictures there are. Every error in a mean or a
# covariance adds to the distance, and few pictures make large errors. How much is added also depends on the model (Chong and Forsyth 2019). So
# two FIDs can be compared only if both have the same number of pictures and the same real ones, and even
# then a small lead proves little. Many papers take 50,000 pictures.
#
# One number also hides *what* is wrong. **Precision and recall of sets** split the question (Kynkäänniemi et al. 2019). They draw a ball around
# each picture's features, which just reaches its third neighbour in its own set.
#
# - **Precision**: the share of the made pictures that lie in a ball of the real ones. Could they be real?
# - **Recall**: the share of the real pictures that lie in a ball of the made ones. Could they have been made?
#
# Two models fail. One knows only ten pictures. It draws each of them 30 times, at other places and sizes. The other one knows 300 pictures, and
# everything it draws is blurred.

# %%
which_fails = predict(
    "Of these two, which one has the higher precision, and which one the higher recall?",
    answer={"precision": ..., "recall": ...},
    options=("ten pictures only", "all blurred"),
)

# %%
lots = np.random.default_rng(0)


def placed(picture):
    """The picture at another place and in another size."""
    side = int(lots.integers(104, 128))
    sheet = Image.new("RGB", picture.size, "white")
    sheet.paste(picture.resize((side, side)), tuple(int(v) for v in lots.integers(0, 128 - side + 1, 2)))
    return sheet


some_real = [Image.open(path).convert("RGB") for path in real_pictures()[:300]]  # the other 300 are the reference
models = {
    "other real ones": some_real,
    "ten pictures only": [placed(picture) for picture in some_real[:10] * 30],
    "all blurred": [picture.filter(ImageFilter.GaussianBlur(4)) for picture in some_real],
}
sheet, _ = filmstrip(
    {name: pictures[:30:4] for name, pictures in models.items()}, [str(i + 1) for i in range(8)], side=84, steps=False
)
s2i.show(sheet, alt="Eight of the real pictures, of the model that knows only ten, and of the one that blurs.")

of_models = {}
for name, pictures in models.items():
    made_features = picture_features(pictures)
    precision, recall = precision_recall(made_features, real[300:])
    of_models[name] = {"precision": precision, "recall": recall}
    distances = frechet_distance(made_features, real[300:]), kernel_distance(made_features, real[300:])
    print(
        f"{name:20} precision {precision:.2f}  recall {recall:.2f}   "
        f"Fréchet {distances[0]:5.1f}  kernel {distances[1]:+.2f}"
    )
failing = list(which_fails.options)
which_fails.compare(
    {measure: max(failing, key=lambda name: of_models[name][measure]) for measure in ("precision", "recall")}
)

# %% [markdown]
# Both distances say that both models are bad. Recall says what is wrong with the first one: nearly nothing of what is real could have come from
# it. This is called **mode collapse**. Precision says of that model that all is well. It would say so of a model that copies its training pictures,
# too.
#
# Precision also lets most of the blur pass. A measure sees what its features see, and those of our CLIP learned *what* is shown. So look at
# the pictures as well.
#
# ## 4. Two numbers together
#
# Each measure alone has a cheat that wins. Take both:

# %%
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for number, name in enumerate(kid):
    x, y = interval(f1[name]), kid[name]
    colour = (*COLOURS, "#888888")[number]
    axes.plot([x.low, x.high], [y.value, y.value], color=colour, alpha=0.5)
    axes.plot([x.value, x.value], [y.low, y.high], color=colour, alpha=0.5)
    axes.plot(x.value, y.value, "os^Dv*PX"[number], color=colour, label=name, markersize=8)
axes.axvline(CHANCE_F1, color="#888888", linestyle=":", linewidth=1)
axes.text(CHANCE_F1 - 0.01, 3.4, "other things", ha="right", color="#555555", fontsize=9)
axes.invert_yaxis()
axes.set(xlabel="edge F1: keeps the lines →", ylabel="micro-KID: looks real ↑ (axis turned)")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
figures = "; ".join(
    f"{name}: F1 {np.mean(f1[name]):.2f}, micro-KID {kid[name].value:.2f}" for name in kid
)
s2i.show(
    figure,
    alt=f"The true pictures and seven translators in the plane of edge F1 (right) and micro-KID (up is better). {figures}.",
)
beaten_by = {
    name: [
        other
        for other in kid
        if np.mean(f1[other]) > np.mean(f1[name]) and kid[other].value < kid[name].value - 0.01
    ]
    for name in translators
}
for name, better in beaten_by.items():
    print(f"better than {name!r} in both: {', '.join(better) or 'nobody'}")
for weak, strong in ((0.25, 0.5), (0.5, 0.75)):
    before, after = f"miniature, {weak}", f"miniature, {strong}"
    lost = np.mean(f1[before]) - np.mean(f1[after])
    print(
        f"from strength {weak} to {strong} the miniature loses {lost:.2f} of F1; "
        f"micro-KID goes from {kid[before]} to {kid[after]}"
    )

# %% [markdown]
# Top right is where lines are kept *and* pictures look real. Who stands there? A cheat that is best in one number cannot be beaten in
# both. So look where it stands in the *other* number. The thin lines show how sure the numbers are. The second sitting says how such
# intervals are found.
#
# The miniature has a knob. What does a higher strength cost, and what does it bring? Ask it for both steps of the last two lines. A step
# that costs lines and brings realism is a choice. A step that costs lines and brings nothing is none.
#
# **If somebody shows you one number, ask for the cheat that would win it.**
#
# **A good place to stop.** You have edge F1, which sees one picture and its sketch, and micro-KID, which sees a set. You know the bottom
# and the cheat of each.
#
# # Second sitting: how sure, and who decides?
#
# What the first sitting gave: **edge F1** says whether a picture keeps the sketch's lines. A copy has 1, an unrelated picture about 0.4.
# **micro-KID** says how far a *set* of pictures is from real ones. Near 0 is alike, and it may fall below 0.
#
# If you come back later, run the set-up cell at the top, then go on here. The next cell loads everything else. Pictures that the first
# sitting made are taken from its folder. If the folder is gone, the cell makes them again.

# %%
import random
import textwrap

import numpy as np

from s2i_teach.data_sources.draw import pick
from s2i_teach.evaluate import report
from s2i_teach.evaluate.bootstrap import difference, interval
from s2i_teach.evaluate.conclusions import MEASURES, best
from s2i_teach.evaluate.faithfulness import CHANCE_F1, edge_scores, faithfulness
from s2i_teach.evaluate.prompt_match import prompt_matches
from s2i_teach.evaluate.rating import (
    Vote,
    merge,
    ranking,
    rater_agreement,
    votes_needed,
    write_votes,
)
from s2i_teach.gallery import embedded_pairs
from s2i_teach.lessons import predict
from s2i_teach.widgets.blind_rating import choose_pairs
from s2i_teach.widgets.figures import filmstrip

lesson = s2i.lesson(12)
pipe = s2i.load_pipeline("mini-fast", device="cpu", dtype="fp32")
settings = dict(pipe=pipe, prepare="filled", quiet=True)
held_out = {pair.thing: pair for pair in embedded_pairs("test")}
drawn = pick(list(held_out), 20, seed=0, category="openmoji")
sketches = [held_out[thing].open()[0] for thing in drawn]
f1_of = {(strength, guidance): [] for strength in (0.5, 0.75) for guidance in (1, 2.5)}
for sketch, thing in zip(sketches, drawn):
    sweep = s2i.sweep(
        sketch,
        held_out[thing].prompt,
        strength=[0.25, 0.5, 0.75],
        guidance_scale=[1, 2.5],
        to=f"out/lesson12/{thing}",
        **settings,
    )
    for (strength, guidance), values in f1_of.items():
        image = sweep.result(strength=strength, guidance_scale=guidance).image
        values.append(edge_scores(sketch, image)[2])
print(len(sketches), "sketches at", len(f1_of), "settings; edge F1 measured")

# %% [markdown]
# ## 5. How sure?
#
# With twenty other sketches the mean would be another number. How far might it move? The twenty themselves can tell.
# Draw twenty of them *with replacement*, so that some come twice and some never. Take the mean. Do that 2,000 times. The middle 95 % of
# these means are the **bootstrap interval**. For few sketches it is too narrow, so `interval` widens it: about
# 1.1 times for 20 sketches and 1.6 times for 5. For micro-KID the pictures of the set are drawn with replacement instead.

# %%
width = predict("Interval of 5 sketches: how many times as wide as that of 20?", answer=...)

# %%
wide = {5: [], 20: []}
for (strength, guidance), values in f1_of.items():
    print(f"strength {strength:<4} guidance {guidance:<3}", end="")
    for n in wide:
        mean = interval(values[:n])
        wide[n].append(mean.high - mean.low)
        print(f"   {n} sketches: {mean}", end="")
    print()
width.compare(np.mean(wide[5]) / np.mean(wide[20]), within=0.5)
for strength in (0.5, 0.75):
    low, high = (interval(f1_of[strength, guidance]) for guidance in (1, 2.5))
    print(f"strength {strength}, 20 sketches: guidance 1 and 2.5", "overlap" if low.overlaps(high) else "do not overlap")

# %% [markdown]
# The width falls with the root of the number of sketches, so a plain interval of 5 should be twice as wide as one of 20. `interval` widens
# the one of 5 more: 2 · 1.6 / 1.1 is about 2.9. Yours may be far from that, since five sketches can be alike by luck. Then their interval is
# too narrow, and they cannot know it.
#
# Now compare: does guidance 2.5 lose lines, compared with guidance 1? The last lines say whether the two intervals overlap at each
# strength. That does not settle it. Their width comes from sketches that differ, and a hard sketch is hard at both settings. So take the
# difference **sketch by sketch**, with the same seed, and put the interval on *that*. If 0 lies outside, a difference is shown.

# %%
lines_lost = predict(
    "Guidance 2.5 against 1 at strength 0.5, 20 sketches: the lines are",
    answer=...,
    options=("kept better", "lost", "not shown"),
)

# %%
for strength in (0.5, 0.75):
    after, before = f1_of[strength, 2.5], f1_of[strength, 1]
    for n in (5, 20):
        lower = sum(a < b for a, b in zip(after[:n], before[:n]))
        gap = difference(after[:n], before[:n])
        print(f"strength {strength:<4}  {n:>2} sketches: {gap}   lower on {lower} of {n}")
gap = difference(f1_of[0.5, 2.5], f1_of[0.5, 1])
lines_lost.compare("lost" if gap.high < 0 else "kept better" if gap.low > 0 else "not shown")

# %% [markdown]
# Two intervals that overlap do not show that there is no difference. They show only that this comparison cannot tell.
#
# ### What is one trial?
#
# You have four sketches and time for twenty pairs. So you run each sketch with five seeds, at both settings:

# %%
few = drawn[:4]
rows = []  # (sketch, F1 at guidance 2.5, F1 at guidance 1), with the same seed
for thing in few:
    sketch = held_out[thing].open()[0]
    seeded = s2i.sweep(
        sketch,
        held_out[thing].prompt,
        seeds=range(5),
        guidance_scale=[2.5, 1],
        strength=0.5,
        **settings,
    )
    scores = [edge_scores(sketch, image)[2] for image in seeded.images]
    rows += zip([thing] * 5, scores[0::2], scores[1::2])
    print(f"{textwrap.shorten(thing, 16):>16}  F1 at guidance 2.5:", *(f"{s:.2f}" for s in scores[0::2]))

# %% [markdown]
# Compare the numbers in a row with the numbers in a column. Are five seeds of one sketch five trials? If you ask one person five times, you
# have not asked five people.
#
# Write the function that makes **independent** trials of such rows. It gets three lists of equal length. Place `i` holds a score after a
# change, the score before it with the same sketch and seed, and the sketch's name. Some sketches may have more seeds than others, and the
# rows may be in any order. Return a list of numbers, in the order in which the sketches first appear. You decide how many
# numbers there are, and what each of them is.


# %% tags=["teacher"]
from collections.abc import Sequence  # the library's lines name these

from s2i_teach.evaluate.bootstrap import as_numbers


# %% tags=["exercise-independent_differences"]
def independent_differences(after, before, sketches):
    """The independent differences in these rows, a list of numbers that an interval may be made of."""
    ...


# %%
lesson.independent_differences.check(independent_differences)
independent_differences = lesson.independent_differences.use(independent_differences)

# %% [markdown]
# Try it on two questions. How high is the mean F1 at guidance 2.5? With a `before` of zeros your function gives the mean F1 of each sketch.
# And how large is the difference to guidance 1?

# %%
honest = predict(
    "The interval of 4 sketches: how many times as wide as that of '20 trials'?",
    answer={"mean F1": ..., "difference": ...},
)

# %%
names, after, before = zip(*rows)
ratio = {}
for question, other in {"mean F1": [0.0] * len(after), "difference": before}.items():
    as_if_20 = difference(after, other)
    of_four = interval(independent_differences(after, other, names))
    ratio[question] = (of_four.high - of_four.low) / (as_if_20.high - as_if_20.low)
    print(f"{question:10}   as if 20 trials: {as_if_20}   4 sketches: {of_four}")
honest.compare(ratio, within=0.5)

# %% [markdown]
# If the sketches differ more than the seeds do, twenty "trials" pretend to know too much. Differences suffer less, since the pairing has
# removed what is hard about a sketch. But you cannot know beforehand how much less. So count sketches.
#
# Seeds are worth running, because they show what the seed does. They do not replace sketches. And four sketches are few: even their own
# interval is a little too narrow.
#
# ## 6. Ask people, blindly
#
# In the end pictures are for people. Ask them with care:
#
# - Ask *which of these two is better*. It is an easier question than *how good, from 1 to 10*.
# - Show the same sketch and the same seed on both sides, and draw lots for left and right.
# - Nobody may know which setting is which. That is a **blind** rating.
#
# Here are ten drawings by people, from *Quick, Draw!*. They have no true pictures, as yours have none.

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
# First decide what *better* means to you. **Then vote twelve times**: click the better picture or use the arrow keys; down is a tie. Each
# vote is written to `my_votes.csv` at once. If you vote later, run the cells below again.
#
# The next cell **makes votes up**, so that there is something to count. No person stands behind them. Three programs vote by a rule and
# some noise. *Line* prefers the higher edge F1. *Word* prefers the higher **prompt match**, lesson 11's cosine of picture and words. *Both*
# prefers the higher mean of the two. In your own report such votes would be fraud.

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
        gap = taste[number[id(left.result)]] - taste[number[id(right.result)]]
        gap += noise.gauss(0, 0.15)
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
# Votes are wins and losses, as in a league. The **Bradley–Terry** model gives each setting a **skill**. A setting with skill $a$ beats
# one with skill $b$ with probability $1 / (1 + e^{b - a})$. The average skill is 0, and a tie is half a win.
#
# **Krippendorff's α** says how far raters agree. 1 means always. 0 means as often as chance would make them.

# %%
closest = predict(
    "Which two programs agree most?",
    answer=...,
    options=("Line and Word", "Line and Both", "Word and Both"),
)

# %%
voters = {vote.rater for vote in everyone}
by_rater = {name: [v for v in everyone if v.rater == name] for name in sorted(voters)}
for name, votes in ({"everybody": everyone} | by_rater).items():
    print(name)
    for row in ranking(votes):
        print(
            f"   {row.cell:14} {row.strength:+.2f} [{row.low:+.2f}, {row.high:+.2f}]"
            f"  {row.wins:g} of {row.votes} won"
        )
alphas = {}
for pair in closest.options:
    two = [v for v in everyone if v.rater.split()[0] in pair.split(" and ")]
    alphas[pair] = rater_agreement(two)
    print(f"agreement of {pair}: α = {alphas[pair]:.2f}")
print(f"agreement of all: α = {rater_agreement(everyone):.2f}")
closest.compare(max(alphas, key=alphas.get))
one, other, *_ = [row.cell for row in ranking(everyone)]
needed = votes_needed(everyone, one, other)
print(f"to tell {one} from {other}:", f"about {needed} more votes" if needed else needed)

# %% [markdown]
# A mean over people who disagree may be nobody's opinion. So report α beside every ranking. If it is low, ask people what they *meant* by
# better.
#
# Do the votes follow the numbers?

# %%
print(f"{'':13} {'edge F1':>8} {'prompt match':>13}   skills: " + "   ".join(by_rater))
for strength in (0.5, 0.75, 1.0):
    its = [i for i, r in enumerate(asked) if r.settings.strength == strength]
    line = f"strength {strength:<4} {np.mean([lines_kept[i] for i in its]):8.2f}"
    line += f" {np.mean([match[i] for i in its]):13.2f}           "
    for name, votes in by_rater.items():
        skills = {row.cell: row.strength for row in ranking(votes)}
        line += f"{skills.get(f'strength {strength:g}', float('nan')):+{len(name)}.2f}   "
    print(line)

# %% [markdown]
# Do *Line* and *Word* follow their own number? 30 noisy votes show a skill no better than their intervals allow. A mean also counts *by how
# much* a setting wins. Votes count only *how often*. The column worth knowing is **yours**, named `me`. Does it
# follow one of the numbers? If it follows none, the numbers are missing something that you see.
#
# ## 7. The report
#
# `report` takes any list of results and gathers them by the settings that vary. It puts an interval on each number and says what follows.
# Here are nine settings of ten sketches, 90 pictures. Its micro-KID compares with 600 real pictures of all styles, so its values are not
# those of section 3.
#
# Section 8 will ask which setting each score would choose. Predict it before you see the table.

# %%
same = predict(
    "Do edge F1 and prompt match choose the same setting?", answer=..., options=("yes", "no")
)
f1_there = predict("Edge F1 of the setting that prompt match chooses, 0 to 1?", answer=...)

# %%
results = [result for grid in grids for result in grid.results]
judged = report(results)
judged

# %% [markdown]
# Read *What to conclude* aloud, sentence by sentence, and point at the place in the table that it comes from. Then read *What not to
# conclude*. Which of these sentences was missing in the last paper that you read?
#
# The report is stricter than section 5. Nine cells make 36 pairs, and its 95 % hold for all 36 together. So two intervals can lie apart, and the
# report still says that no difference is shown.
#
# Find two things. Where does edge F1 come down nearly to that of an unrelated picture, or below it? Look at
# what such a picture shows. And why is there no single best setting, but a **front**?
# The front has the settings that no other setting beats in both edge F1 and micro-KID.

# %%
judged.save("report.html")
print("report.html: one file, with all pictures inside; give it to somebody who was not here")

# %% [markdown]
# ## 8. When a measure becomes a target
#
# Somebody tunes the settings until a score is best, and then reports that score. What do the pictures look like that each score would
# choose?

# %%
chosen = {}  # place of a cell → the scores that choose it
pick_of = {}  # score → its cell
for measure, name, more in MEASURES:
    cell = pick_of[measure] = best(list(judged.cells), measure, more)
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
    alt="Ten sketches and the pictures at the settings that the scores would choose: "
    + "; ".join(f"for {' and '.join(scores)}, {judged.cells[at].name}" for at, scores in chosen.items())
    + ".",
)
same.compare("yes" if pick_of["f1"] is pick_of["prompt_match"] else "no")
f1_there.compare(pick_of["prompt_match"].f1.value, within=0.1)
print(f"an unrelated picture has {CHANCE_F1:.2f}")

# %% [markdown]
# **"When a measure becomes a target, it ceases to be a good measure."** This is the best-known wording of Goodhart's law. It is usually
# quoted from Strathern (1997).
#
# Prompt match is no neutral judge here. It comes from the small CLIP, whose text tower also steers the miniature. micro-KID's features come
# from the same CLIP. So if these two agree, it proves little. CLIPScore and Stable Diffusion are related in the same way.
#
# **Choose with one score and judge with another, on sketches that were not used for choosing. And say how many settings you tried.**
#
# The same happens to **preference models**, such as PickScore and ImageReward. For PickScore people saw two pictures for one prompt and chose, as in
# section 6. For ImageReward they ranked several, and each ranking gives many pairs. A network then learned to give the chosen picture the higher
# score $r$. It maximises $\log \sigma(r_\text{chosen} - r_\text{other})$, which is Bradley and Terry's model. Such a score agrees with people better
# than CLIP's cosine does, on pictures like those that people saw. Some generators are then trained to raise it. After that their pictures may
# no longer be like those that people saw. Lesson 16 shows what a generator does with a reward that leaves something out.
#
# ## Think about it
#
# You have time for 60 pictures, and four classmates with ten minutes each. You want to know whether filling the sketch's areas
# (`prepare="filled"`) helps. What do you run? What do you measure? What do you ask people? And what result would convince you that it does
# *not* help?
#
# ## Sources
#
# - Bińkowski et al., *Demystifying MMD GANs*, 2018, arXiv 1801.01401 (KID). Gretton et al., *A Kernel Two-Sample Test*, 2012 (MMD).
# - Wang et al., *Image Quality Assessment: From Error Visibility to Structural Similarity*, 2004 (SSIM).
# - Chong and Forsyth, *Effectively Unbiased FID and Inception Score and Where to Find Them*, 2019, arXiv 1911.07023. Kynkäänniemi et al.,
#   *Improved Precision and Recall Metric for Assessing Generative Models*, 2019, arXiv 1904.06991.
# - Xu et al., *ImageReward*, 2023, arXiv 2304.05977. Kirstain et al., *Pick-a-Pic*, 2023, arXiv 2305.01569 (PickScore).
# - Heusel et al., *GANs Trained by a Two Time-Scale Update Rule*, 2017, arXiv 1706.08500 (FID). Hessel et al., *CLIPScore*, 2021, arXiv
#   2104.08718.
# - Canny, *A Computational Approach to Edge Detection*, 1986.
# - Efron, *Bootstrap Methods: Another Look at the Jackknife*, 1979. Hesterberg, *What Teachers Should Know About the Bootstrap*, 2015.
# - Bradley and Terry, *Rank Analysis of Incomplete Block Designs*, 1952. Krippendorff, *Computing Krippendorff's Alpha-Reliability*, 2011.
# - Goodhart, *Problems of Monetary Management*, 1975. Strathern, *"Improving ratings": audit in the British University system*, 1997.
# - The drawings: OpenMoji, CC BY-SA 4.0; players of Quick, Draw!, CC BY 4.0.
#
# **Next:** lesson 13, prompts.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** First sitting: 10 minutes for section 1, 20 for edge F1, 20 for the kernel distance, 10 for FID, precision and recall, 5 for the plot. Second sitting: 20
# minutes for section 5 with its exercise, 15 for the votes, 10 for the report, 10 for section 8. Short of time? Leave out the tolerance
# table, mammals and clocks, and the table of votes and numbers.
#
# **Typical mistakes.** In `edge_f1`: precision and recall swapped, `<` for `<=`, the plain mean, nan where there is no edge. In
# `kernel_distance`: the diagonal left in, or taken out but divided by m²; the factor 2; a root or `abs` "because a distance cannot be
# negative"; float32. In `independent_differences`: every row a trial; sums; only neighbouring rows taken together; one number for all.
#
# **What to listen for.** "F1 of 0.45, so nearly half of it is right." Ask for the bottom. "The intervals overlap, so there is no
# difference." Ask for the pairs. "KID below 0, so it is better than real." Ask for another draw. "α is low, so the raters were careless."
# Ask what they were asked.
#
# **Left out of the text.** LPIPS, a distance of network features, is closer to the eye than PSNR, but it also needs one right answer.
# Bradley–Terry's intervals take each vote as a new trial. Votes of three raters on the same pair are not, so they are too narrow.
# Of pictures in one style, micro-KID against the 600 of all styles can even prefer blurred ones.
#
# **Stable Diffusion.** With `pipe = s2i.load_pipeline("sd15")` on a GPU the same cells judge Stable Diffusion. Its pictures are larger:
# shrink them in `made`, with `.image.resize((128, 128))`, and take another folder in `to=`.
#
# **A class.** Everybody votes with the same `seed` and another `rater`. The files go into one folder, and `merge` takes them all. Twelve
# votes by 25 students are 300: `votes_needed` says whether that is enough. Discuss beforehand what *better* means, with half of the class,
# and compare the α of both halves.
#
# **The made-up votes.** They are there so that the notebook runs without people. Say so aloud, and let the students find in the code what
# each of the three programs looks at.
#
# **The open question.** A good answer pairs: the same sketch, seed and prompt, filled and not; 30 sketches with one seed rather than 6
# with five. It names the measure before it looks. It asks people blindly which of two keeps *my drawing*. It says which interval around 0
# would count as "no difference that matters".
