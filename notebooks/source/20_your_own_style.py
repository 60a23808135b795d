# %% [markdown]
# # Lesson 20. Your own style in a minute
#
# {{badge}}
#
# The miniature knows five drawing styles. Yours is not among them. In this lesson you teach it a sixth with ten drawings, in about
# a minute on a laptop. The trick is to leave the network as it is, and to train a thin change beside it.
#
# | | |
# |---|---|
# | **You will** | write a low-rank change of a matrix, count what it saves, find out why one of its two halves begins at zero, merge it, spot a published bug, train a style from ten drawings, slide its weight, measure what was forgotten, and save it as a LoRA that diffusers loads; five checked exercises |
# | **Time** | two sittings: 60 minutes for sections 1 to 4, four exercises; 50 minutes for sections 5 to 10, one exercise |
# | **You need** | the training of lesson 4, attention's matrices of lesson 6, the zero convolution of lesson 14; matrix products |
# | **Hardware** | any computer, two CPU cores are enough; the training takes half a minute to a minute |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import math  # the library's lines name this
import time
from importlib.util import find_spec

import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from s2i_teach.gallery import embedded_pairs, find_sketch
from s2i_teach.lessons import predict
from s2i_teach.lessons.styles import named_share, off_palette, palette, ten_drawings
from s2i_teach.models.shims import quiet_loading
from s2i_teach.models.style import Styled, save_style
from s2i_teach.theory.lora import LowRank, layers_to_adapt
from s2i_teach.theory.measure import max_difference
from s2i_teach.training.style import train_style
from s2i_teach.training.vocabulary import with_article
from s2i_teach.translation.looks import LOOKS, in_look
from s2i_teach.widgets.figures import curves, filmstrip, picture_row

torch.set_num_threads(1)  # the miniature is too small for two
lesson = s2i.lesson(20)
pipe = s2i.load_pipeline("mini", device="cpu", dtype="fp32")
fast = s2i.load_pipeline("mini-fast", device="cpu", dtype="fp32")  # the same weights, in fewer steps
unet = pipe.unet
print(f"The miniature's U-Net has {sum(p.numel() for p in unet.parameters()):,} numbers.")

# %% [markdown]
# # First sitting: a thin change
#
# ## 1. Two thin matrices
#
# Fine-tuning changes all numbers of a network. For a new style that is wasteful, for three reasons. Each style would be a file as large
# as the network. The optimiser keeps two more numbers for every one that learns. And ten pictures are very few for millions of numbers.
#
# Hu et al. (2021) keep the trained weight $W$ and train a change $\Delta W$ beside it. They write the change as a product of two thin
# matrices:
#
# $$y = W x + \frac{\alpha}{r}\, B A\, x .$$
#
# $A$ has $r$ rows, and $B$ has $r$ columns. The number $r$ is the **rank**. It is small: 4 or 8. The number $\alpha$ is a **strength**
# that you choose once. The division by $r$ keeps the change about as large when you try another rank. The method is called **LoRA**,
# *low-rank adaptation*.
#
# A convolution is a matrix as well. For each place it takes the $\text{in} \times k \times k$ numbers around that place, as one long
# row. So $A$ is a convolution with a kernel of the same size and $r$ outputs. $B$ is a 1 × 1 convolution from $r$ channels to all.


# %% tags=["exercise-low_rank_update"]
def low_rank_update(down, up, alpha):
    """The change (α / r) · B A. down is A, (r, in) or (r, in, k, k); up is B, (out, r) or (out, r, 1, 1)."""
    ...


# %%
lesson.low_rank_update.check(low_rank_update)
low_rank_update = lesson.low_rank_update.use(low_rank_update)

# %% [markdown]
# How many numbers is that? `shape` is the shape of $W$: `(out, in)`, or `(out, in, k, k)` for a convolution.


# %% tags=["exercise-trainable_numbers"]
def trainable_numbers(shape, rank):
    """How many numbers A and B have together for a weight of that shape."""
    ...


# %%
lesson.trainable_numbers.check(trainable_numbers)
trainable_numbers = lesson.trainable_numbers.use(trainable_numbers)

# %% [markdown]
# Which layers should get a change? Three choices are common: the four matrices of each attention, as in diffusers' own
# training scripts; the convolutions; or every linear and convolutional layer. The last choice has more than the first two together:
# the U-Net has linear layers outside attention's four matrices as well.
#
# A prediction within 3 percentage points counts as right.

# %%
share = predict(
    "Rank 8 on all linear and convolutional layers: how many percent of the U-Net's numbers learn?", answer=...
)

# %%
total = sum(p.numel() for p in unet.parameters())
for which in ("attention", "convolutions", "all"):
    shapes = [tuple(unet.get_submodule(name).weight.shape) for name in layers_to_adapt(unet, which)]
    learns = sum(trainable_numbers(shape, 8) for shape in shapes)
    print(f"{which:>12}: {len(shapes):3} layers, {learns:9,} numbers learn, {learns / total:.1%} of the U-Net")
share.compare(100 * learns / total, unit="%", within=3)
large = (640, 640, 3, 3)  # one convolution of Stable Diffusion 1.5
print(f"One convolution {large} of Stable Diffusion 1.5: {math.prod(large):,} numbers, at rank 8 {trainable_numbers(large, 8):,}.")

# %% [markdown]
# The larger the matrix, the more is saved: $W$ grows with the square of its side, $A$ and $B$ with the side. The miniature is small. So
# its share is large. For the one convolution of Stable Diffusion 1.5 it is about 1.4 %.
#
# The price: $\Delta W$ has at most rank $r$. Whatever you train, what it adds to $y$ lies in $r$ directions only.
#
# ## 2. One zero, not two
#
# An untrained change should change nothing. So $BA = 0$ at the start. Three starts would do that: $A = 0$, $B = 0$, or both.
#
# Look at the gradients before you choose. `x` is `(N, in)`, and `grad_y` is the gradient of the loss at $y$, `(N, out)`. You did this
# for one matrix in lesson 14. Here are two, one behind the other.


# %% tags=["exercise-low_rank_gradients"]
def low_rank_gradients(down, up, alpha, x, grad_y):
    """Gradients of A and of B, where y = (α / r) · B A x: (r, in) and (out, r). Without autograd."""
    ...


# %%
lesson.low_rank_gradients.check(low_rank_gradients)
low_rank_gradients = lesson.low_rank_gradients.use(low_rank_gradients)

# %%
starts = predict(
    "After 200 updates, which start has lowered the loss?",
    answer={"B zero": ..., "A zero": ..., "both zero": ...},
    options=("lowered", "not lowered"),
)

# %%
generator = torch.Generator().manual_seed(0)
x = torch.randn(64, 12, generator=generator)
wanted = x @ torch.randn(12, 10, generator=generator)


def trained(zero_a, zero_b, steps=200):
    """The loss at each step of plain gradient descent, with your gradients."""
    down = torch.zeros(4, 12) if zero_a else 0.3 * torch.randn(4, 12, generator=torch.Generator().manual_seed(1))
    up = torch.zeros(10, 4) if zero_b else 0.3 * torch.randn(10, 4, generator=torch.Generator().manual_seed(2))
    losses = []
    for _ in range(steps):
        y = x @ low_rank_update(down, up, 4).T
        losses.append(F.mse_loss(y, wanted).item())
        of_down, of_up = low_rank_gradients(down, up, 4, x, 2 * (y - wanted) / y.numel())
        down, up = down - 0.5 * of_down, up - 0.5 * of_up
    return losses


lines = {"B zero": trained(False, True), "A zero": trained(True, False), "both zero": trained(True, True)}
figure, alt = curves(range(200), lines, x_label="update", y_label="loss", title="Three starts that change nothing")
s2i.show(figure, alt=alt)
starts.compare({name: "lowered" if line[-1] < 0.9 * line[0] else "not lowered" for name, line in lines.items()})

# %% [markdown]
# With both at zero, each gradient is multiplied by the other's zero. Nothing ever moves. It is the trap that the zero convolution
# avoids: its *input* is not zero. One zero is enough to change nothing, and one random matrix is enough to learn.
#
# The other two stop above zero, however long they learn: the wanted matrix has rank 10, and a change of rank 4 cannot be it.
#
# The paper takes $A$ at random and $B = 0$. In the first update only $B$ moves. From the second on both do.
#
# ## 3. Beside the layer, or in it
#
# During training the change stands beside the layer. This is the library's module, with your idea in it. It begins as the layer alone.

# %%
layer = unet.get_submodule("conv_in")
torch.manual_seed(0)  # A is drawn at random
changed = LowRank(layer, rank=8)
layer.requires_grad_(True)  # LowRank freezes its layer; here nothing is trained
x = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
with torch.no_grad():
    print(f"At the start the output differs by {max_difference(changed(x), layer(x))}.")
    changed.up.weight.normal_(generator=torch.Generator().manual_seed(1))
    print(f"After a change of B by {max_difference(changed(x), layer(x)):.1f}.")

# %% [markdown]
# After training the change can go **into** the weight. A style then costs nothing: the network has as many numbers as before, and runs
# as fast. And there is a slider, for nothing:
#
# $$W_s = W + s \cdot \Delta W .$$
#
# $s = 0$ is the old network, and $s = 1$ is what was trained.
#
# Write it with care. The weight may be in half precision, where a small change is rounded away. So add in fp32, and round once. Do not
# write into `weight`: the next $s$ needs it. At $s = 0$ give back `weight` itself. Then every bit is as it was.


# %% tags=["exercise-merged"]
def merged(weight, update, scale=1.0):
    """W + scale · ΔW: a new weight of the same type; the weight itself where scale is 0."""
    ...


# %%
lesson.merged.check(merged)
merged = lesson.merged.use(merged)

# %%
with torch.no_grad():
    inside = F.conv2d(x, merged(layer.weight, low_rank_update(changed.down.weight, changed.up.weight, 8)), layer.bias, padding=1)
    print(f"Beside the layer and in it differ by {max_difference(inside, changed(x)):.1e}.")
if find_spec("peft"):  # Hugging Face's library for LoRA
    import copy

    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(r=8, lora_alpha=8, target_modules=["0"])
    theirs = inject_adapter_in_model(config, nn.Sequential(copy.deepcopy(layer)))[0]
    theirs.lora_A["default"].weight.data = changed.down.weight.data
    theirs.lora_B["default"].weight.data = changed.up.weight.data
    with torch.no_grad():
        print(f"Yours and peft's differ by {max_difference(theirs(x), changed(x)):.1e}.")
else:
    print("The package peft is not here: pip install peft, and run this cell again to compare.")

# %% [markdown]
# ## 4. Spot the bug
#
# A training script of diffusers made LoRAs that had another strength when they were loaded (issue 6087, December 2023). It had trained
# with $\alpha = 8$, which is peft's default. Below is the core of it, with rank 4. Training uses `strong`. Then A and B are saved, and
# another program loads them.

# %%
bug = predict(
    "The loaded change is… as large as the trained one?", answer=..., options=("half", "just", "twice")
)

# %%
generator = torch.Generator().manual_seed(0)
rank, alpha = 4, 8
down, up = torch.randn(rank, 20, generator=generator), torch.randn(30, rank, generator=generator)


def strong(down, up):
    """The change while it was trained."""
    return low_rank_update(down, up, alpha)


def save(down, up):
    return {"lora_A.weight": down, "lora_B.weight": up}


def load(file):
    down, up = file["lora_A.weight"], file["lora_B.weight"]
    return low_rank_update(down, up, alpha=len(down))  # a loader's usual guess: α = r


ratio = (load(save(down, up)).norm() / strong(down, up).norm()).item()
print(f"loaded / trained: {ratio:.2f}")
bug.compare("half" if ratio < 0.75 else "twice" if ratio > 1.5 else "just")

# %% [markdown]
# Each half is right. But $\alpha$ is not in the file, and the loader had to guess. A file format is a contract: whatever the numbers
# mean has to be in it. There are two cures. Write $\alpha$ into the file, or leave nothing to guess. The second is simpler: multiply
# $\alpha / r$ into $B$ before saving. This is what `save_style` does. Then $\alpha = r$ is right for every loader.

# %%
def save_whole(down, up):
    return {"lora_A.weight": down, "lora_B.weight": alpha / rank * up}


print(f"with α in B: {(load(save_whole(down, up)).norm() / strong(down, up).norm()).item():.2f}")

# %% [markdown]
# # Second sitting: your style
#
# ## 5. Ten drawings
#
# Here are ten drawings with their captions. They are embedded doodles by people, printed in two inks: a blue line and a coral fill. No
# training of the miniature has seen this look.
#
# **Yours instead.** Draw ten things on ten pads. `in_look` prints your lines in the two inks; `LOOKS["forest"]` has others. Or put ten pictures
# on white paper into a folder, all in one style, and name each file after what it shows. The lines with `#` tell how: put your ten things
# in the place of the cat and the house. Captions are plain: what it is, and no word for the style.

# %%
drawings = ten_drawings()
# pads = {caption: s2i.SketchPad(name=caption) for caption in ("a cat", "a house")}; display(*pads.values())
# When they are drawn:  drawings = [(in_look(pad.sketch, LOOKS["two inks"]), caption) for caption, pad in pads.items()]
# From a folder:        from s2i_teach.training.drawings import read_drawings; drawings = read_drawings("my_drawings")

captions = [caption for _, caption in drawings]
sheet, alt = picture_row({caption: picture for picture, caption in drawings}, side=104, columns=5)
s2i.show(sheet, alt=f"The drawings to learn from. {alt}")

# %% [markdown]
# ## 6. Train
#
# Nothing in this training is new. The loss is that of lesson 4, in latents. Rank 8 on all layers, 80 updates with 8 drawings each,
# AdamW. Each drawing is shown in eight poses: mirrored, moved, smaller. A tenth of the drawings come without words, since guidance
# compares with those.

# %%
falls = predict(
    "The mean loss of the last ten updates, as a share of that of the first ten?",
    answer=...,
    options=("less than half", "between half and all", "more than all"),
)

# %%
started, steps = time.perf_counter(), []
for step in train_style(pipe, drawings):
    steps.append(step)
    if step.step % 20 == 19:
        mean = sum(one.loss for one in steps[-10:]) / 10
        print(f"update {step.step + 1}: loss {mean:.3f}, a mean of ten; {time.perf_counter() - started:.0f} s")
own = save_style(steps[-1].added, "my_style/my_style.safetensors")
print(f"{step.numbers:,} numbers in {own.stat().st_size / 1e6:.1f} MB: {own}")
losses = torch.tensor([step.loss for step in steps])
smooth = losses.unfold(0, 10, 1).mean(1)
figure, alt = curves(
    range(10, len(losses) + 1), {"mean of ten updates": smooth.tolist()}, x_label="update", y_label="loss", title="A style is learned"
)
s2i.show(figure, alt=alt)
ratio = (smooth[-1] / smooth[0]).item()
falls.compare("less than half" if ratio < 0.5 else "between half and all" if ratio <= 1 else "more than all")

# %% [markdown]
# The loss falls most at the beginning. It also goes up and down: each update draws other drawings, other timesteps and other noise. It
# cannot fall to zero: lesson 3 showed that nobody can guess all of the noise in a noisy picture. The loss tells that something was learned. It does
# not tell what.
#
# ## 7. Slide the weight
#
# Now ask for things that were **not** among the drawings. `style_weight` is your $s$.

# %%
shows = predict("Does the style show on things that were not drawn?", answer=..., options=("yes", "no"))

# %%
blank = Image.new("RGB", (128, 128), "white")
things = ["turtle", "owl", "strawberry", "star", "bear", "crab"]
prompts = {thing: with_article(thing) for thing in things}
weights = [0.0, 0.5, 1.0]
words_alone = s2i.sweep(
    blank, prompts=list(prompts.values()), pipe=pipe, strength=1.0, style=str(own), style_weight=weights, seeds=[1], quiet=True
)
rows = {
    f"weight {weight:g}": [words_alone.result(prompt=p, style_weight=weight, seed=1).image for p in prompts.values()]
    for weight in weights
}
sheet, alt = filmstrip(rows, things, side=104, steps=False)
s2i.show(sheet, alt=f"Pictures from words alone, the style stronger from row to row. {alt}")
colours = palette(drawings)
off = {name: off_palette(pictures, colours) for name, pictures in rows.items()}
for name, distance in off.items():
    print(f"{name:>10}: {distance:.3f} away from the colours of the drawings")
shows.compare("yes" if off["weight 1"] < 0.8 * off["weight 0"] else "no")

# %% [markdown]
# The printed numbers are a crude measure: how far each coloured pixel is from the nearest of the drawings' own colours. They say
# nothing of lines. Look for those yourself. What of the drawings has come over: the colours, the outline, the flat fill? And which
# things have lost their shape?
#
# The change was trained with plain `mini`. It is a change of the U-Net, so it fits every model that is made of this U-Net. The next
# cell lets a sketch lead, as in lesson 14.

# %%
sketches = [find_sketch(name) for name in ("turtle", "owl", "cactus", "snail_by_hand", "star_by_hand", "rocket")]
led = s2i.load_pipeline("mini-scribble-fast", device="cpu", dtype="fp32")
rows = {"the sketch": [sketch.open() for sketch in sketches]}
for weight in (0.0, 1.0):
    rows[f"weight {weight:g}"] = [
        s2i.translate(
            sketch, sketch.prompt.split(",")[0], pipe=led, style=str(own), style_weight=weight, seed=0
        ).image
        for sketch in sketches
    ]
sheet, alt = filmstrip(rows, [sketch.name.split("_")[0] for sketch in sketches], side=104, steps=False)
s2i.show(sheet, alt=f"The same sketches without and with the style. {alt}")

# %% [markdown]
# ## 8. What was forgotten?
#
# Whoever learns from ten pictures may forget the rest. To measure it, ask for things that the miniature could draw before. A judge that
# never saw a model's picture names what it sees, out of 286 things.

# %%
forgets = predict("With the style at weight 1, the judge names the thing…", answer=..., options=("less often", "about as often", "more often"))

# %%
asked = ["turtle", "owl", "strawberry", "rocket", "cactus", "banana", "penguin", "star", "carrot", "pear", "whale", "rose", "key", "crab", "cupcake"]
prompts = [with_article(thing) for thing in asked]
made = s2i.sweep(
    blank, prompts=prompts, pipe=fast, strength=1.0, style=str(own), style_weight=[0.0, 1.0], seeds=[0, 1], quiet=True
)
named = {}
for weight in (0.0, 1.0):
    pictures = [r.image for r in made.results if r.settings.style_weight == weight]
    shown = [asked[prompts.index(r.settings.prompt)] for r in made.results if r.settings.style_weight == weight]
    named[weight] = named_share(pictures, shown)
    print(f"weight {weight:g}: {named[weight]:.0%} of {len(pictures)} pictures are named rightly")
change = named[1.0] - named[0.0]
forgets.compare("less often" if change < -0.05 else "more often" if change > 0.05 else "about as often")

# %% [markdown]
# Read this number with care. The judge learned from icons. An owl in blue and coral may be a good owl, and yet strange to it. So the
# number mixes two things: shapes that the model lost, and a look that the judge does not know. A **control** parts them: real drawings
# of the same things, printed in the look of section 5.

# %%
by_thing = {pair.thing: pair for pair in reversed(embedded_pairs())}
real = [in_look(by_thing[thing].open()[0], LOOKS["two inks"]) for thing in asked]
print(f"control: {named_share(real, asked):.0%} of {len(real)} real drawings in that look are named rightly")
row = {f"{thing}, real": picture for thing, picture in list(zip(asked, real))[:5]}
row |= {f"{thing}, made": made.result(prompt=prompt, style_weight=1.0, seed=0).image for thing, prompt in list(zip(asked, prompts))[:5]}
sheet, alt = picture_row(row, side=104, columns=5)
s2i.show(sheet, alt=f"Real drawings in the look of section 5, and below them what the model makes of the same words. {alt}")

# %% [markdown]
# Read the three shares one after the other. The real drawings are not all named: that is the judge's fault, since no model touched them.
# Fewer of the made ones are named than of the real ones: that is the model's fault. Hardly any of this fault is older than the style, since
# at weight 0 nearly all pictures are named. Only the drop from weight 0 to weight 1 can be forgetting.
#
# The control is too friendly. It has the lines of OpenMoji's artists, and the judge learned from these artists' coloured pictures. The ten
# drawings have unsteady lines. If you trained your own drawings, their look is another one: then draw some of these things yourself for a
# control.
#
# **Prior preservation** (Ruiz et al. 2022, DreamBooth) works against forgetting. Beside your drawings the network is shown other
# pictures, and it is asked to draw them as before. In DreamBooth the model draws them itself before the training. Here they are forty
# of the embedded pictures. The two errors are averaged apart. The second one has a weight $\lambda$:
#
# $$L = \text{mean}(\text{error on yours}) + \lambda \cdot \text{mean}(\text{error on the others}) .$$


# %% tags=["exercise-loss_with_prior"]
def loss_with_prior(own, prior, weight=1.0):
    """own and prior are squared errors, (B, ...) and (P, ...); weight is λ. One number."""
    ...


# %%
lesson.loss_with_prior.check(loss_with_prior)
loss_with_prior = lesson.loss_with_prior.use(loss_with_prior)

# %% [markdown]
# Such a training takes one and a half times as long. So the figures below were measured beforehand, by `python -m benchmarks.style`, on
# twenty things with two seeds. Plain `mini` made the pictures, in more steps than `mini-fast`. So the
# shares differ from those of your own measurement. The captions of the forty name a style, such as "a turtle, openmoji style". *Off* is how far the colours are from
# those of the drawings.
#
# | learned | asked for | named, weight 0 | named, weight ½ | named, weight 1 | off, weight 0 | off, weight 1 |
# |---|---|---:|---:|---:|---:|---:|
# | the ten alone | "a turtle" | 98 % | 88 % | 47 % | 0.220 | 0.140 |
# | the ten alone | "a turtle, openmoji style" | 98 % | 93 % | 60 % | 0.249 | 0.199 |
# | with forty others | "a turtle" | 98 % | 88 % | 60 % | 0.220 | 0.202 |
# | with forty others | "a turtle, openmoji style" | 98 % | 95 % | 77 % | 0.249 | 0.246 |
#
# With the others less is forgotten: at weight 1, 77 % are still named where the prompt names an old style, and not 60 %. But of the new style hardly anything is left there. Even where no
# style is named, the colours come only a fifth as far towards those of the drawings: 0.018 in place of 0.080. Nothing is free: the change has to
# serve two masters. `s2i train style … --keep 40` does it.
#
# ## 9. Take it home
#
# The file is a genuine LoRA. Plain diffusers loads it, without this course:

# %%
with torch.no_grad(), Styled(pipe, own, 1.0):
    here = unet.conv_in.weight.clone()
if find_spec("peft"):
    from diffusers import StableDiffusionImg2ImgPipeline

    with quiet_loading():
        plain = StableDiffusionImg2ImgPipeline.from_pretrained(pipe.s2i_folder, safety_checker=None)
        plain.load_lora_weights(str(own.parent), weight_name=own.name)
    plain.fuse_lora()
    print(f"The first layer with the style: diffusers' and ours differ by {max_difference(plain.unet.conv_in.base_layer.weight, here):.1e}.")
else:
    print("diffusers needs the package peft for this: pip install peft.")
print(f"And without it every bit is back: {torch.equal(unet.conv_in.weight, fast.unet.conv_in.weight)}.")

# %% [markdown]
# The same on the command line:
#
# ```
# s2i train style my_drawings --out my_style.safetensors
# s2i translate sketch.png --prompt "a turtle" --style my_style.safetensors --style-weight 0.8
# ```
#
# A saved picture remembers the style's file and its fingerprint. `s2i translate --like` refuses another file of the same name.
#
# And as a tool: draw, add, train, and slide the weight. It begins with your drawings and with the style that you trained above. Draw more
# things, or begin anew with `s2i.Style()`.

# %%
tool = s2i.Style(drawings, to=own)
tool

# %% [markdown]
# ### Two relatives
#
# Two other ways to teach a model something of your own are often named beside LoRA. They differ in *what* learns.
#
# - **Textual inversion** (Gal et al. 2022): the whole model is frozen. One new word gets a vector, and only that vector learns. The
#   change is tiny. But a word can only ask for what the model can already draw.
# - **DreamBooth** (Ruiz et al. 2022): the whole network learns from three to five pictures of one thing, your own dog for example. A
#   rare word stands for it. Prior preservation keeps other dogs from turning into yours. Today DreamBooth is often done with LoRA: the
#   recipe is that of DreamBooth, and what learns is a LoRA.

# %%
width = pipe.text_encoder.config.hidden_size
counts = {"textual inversion, one word": width, "LoRA, rank 8, all layers": steps[-1].numbers, "DreamBooth, the whole U-Net": total}
for name, count in counts.items():
    print(f"{name:>28}: {count:9,} numbers in the miniature, {4 * count / 1e6:8.4f} MB in fp32")

# %% [markdown]
# ### The same on a GPU
#
# On Colab's free T4 the same lines should teach Stable Diffusion 1.5. All is computed in fp32, on a copy of the U-Net, and two drawings at a
# time. **This cell was not run** for the course, and its time is not known: it needs a download of 2.7 GB. `python -m benchmarks.style`
# has no figures of it.
#
# ```python
# pipe = s2i.load_pipeline("sd15")
# for step in train_style(pipe, drawings, which="attention", rank=8, steps=300, batch_size=2, lr=1e-4):
#     ...
# save_style(step.added, "sd15_style.safetensors")
# s2i.translate(find_sketch("turtle"), "a turtle", pipe=pipe, style="sd15_style.safetensors", style_weight=0.8)
# ```
#
# ## 10. Think about it
#
# Somebody offers a LoRA: "in the style of a living illustrator, trained on ten of her pictures". Technically it took a minute. What
# would you want to know before you use it? Whom would you ask?

# %%
lesson.score()

# %% [markdown]
# ## Sources
#
# - Hu et al., *LoRA: Low-Rank Adaptation of Large Language Models*, 2021, arXiv 2106.09685.
# - Ruiz et al., *DreamBooth: Fine Tuning Text-to-Image Diffusion Models for Subject-Driven Generation*, 2022, arXiv 2208.12242: prior preservation.
# - Gal et al., *An Image is Worth One Word: Personalizing Text-to-Image Generation using Textual Inversion*, 2022, arXiv 2208.01618.
# - The bug: github.com/huggingface/diffusers, issue 6087.
# - Hugging Face's package for LoRA and its relatives: github.com/huggingface/peft.
#
# **Next:** lesson 21, *Editing*.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** First sitting: 20 minutes for section 1 with two exercises, 18 for section 2, 14 for section 3, 8 for the bug. Second
# sitting: 10 minutes for ten drawings, if the students draw their own 20 more; 5 for the training, 10 for the weight, 12 for
# forgetting, 13 for the rest. With one sitting take sections 1, 2, 5, 6 and 7.
#
# **Typical mistakes.** $\alpha$ without $r$. A kernel for $B$ as well. B's gradient multiplied by $B$. Merging into the given weight:
# the slider then adds up. One mean over both kinds of pictures.
#
# **What to listen for.** "LoRA is worse since it has fewer numbers." Worse at what, with ten pictures? "The style was learned." Which
# part of it: ask for the line and the fill, not only for the colours.
#
# **Their own drawings.** One style for all ten is the hard part. Agree on it first: one pen, two colours, filled or not. Things with a
# simple shape are learned best. Faces are the miniature's weakness.
#
# **The open question.** There is no answer to read off. Good answers ask whether she was asked, what the pictures are used for, whether
# buyers could take them for hers, and what the law says where you are. Lesson 17 has the experiments to go with it.
