# %% [markdown]
# # Lesson 6. Words steer pictures
#
# {{badge}}
#
# Until now noise became *some* picture. How do a few words make it the one that was asked for? You follow the words: from letters to
# tokens, from tokens to vectors, and from vectors into the U-Net. Two ways lead into it, and you train both, side by side. Then you
# build the knob that everybody turns, guidance, and turn it too far.
#
# | | |
# |---|---|
# | **You will** | see how CLIP learned which caption belongs to which picture, write attention, find out what a text encoder mixes up, test which way in keeps two words apart, see where a network looks for each word, and steer with guidance |
# | **Time** | about 60 minutes, three exercises; two trainings take about 20 seconds each |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |
# | **You need** | the U-Net and its training from lesson 4, `ddim_step` from lesson 5; matrix products and the softmax |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import time

import ipywidgets
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from s2i_teach.errors import InputError
from s2i_teach.lessons import predict
from s2i_teach.models.attention_maps import recorded_attention, word_maps
from s2i_teach.models.small_clip import image_embeddings, load_clip
from s2i_teach.theory.attention import Attention
from s2i_teach.theory.contrastive import contrastive_loss, similarities
from s2i_teach.theory.forward import add_noise
from s2i_teach.theory.guidance import drop_labels
from s2i_teach.theory.prediction import eps_from_x0, x0_from_v
from s2i_teach.theory.sampler import ddim_step, spaced_timesteps
from s2i_teach.theory.schedule import alphas_cumprod, scaled_linear_betas
from s2i_teach.theory.training import what_to_predict
from s2i_teach.theory.unet import ResBlock, hourglass, timestep_embedding
from s2i_teach.training.pictures import load_pairs
from s2i_teach.widgets.figures import attention_overlay, curves, filmstrip, picture_row

lesson = s2i.lesson(6)
alpha_bar = alphas_cumprod(scaled_linear_betas())  # Stable Diffusion's schedule, lesson 2
pipe = s2i.load_pipeline("mini", device="cpu", dtype="fp32")

# %% [markdown]
# ## 1. Words become numbers
#
# A **tokenizer** cuts text into pieces that have a number each, the **tokens**. A rare word is cut into several. Stable Diffusion's
# tokenizer has 49,408 pieces, the miniature's 3,214. `</w>` marks the end of a word. Every prompt is filled up to 77 tokens with
# more end tokens, the **padding**, which is left out here.

# %%
for prompt in ("a strawberry, noto style", "an unbelievable strawberry"):
    ids = pipe.tokenizer(prompt).input_ids
    print(prompt, "→", pipe.tokenizer.convert_ids_to_tokens(ids), ids)

# %% [markdown]
# The **text encoder** turns each token into a vector. Stable Diffusion's is that of **CLIP** (Radford et al. 2021). It was not trained
# to draw. It was trained to tell which text belongs to which picture, so texts about similar pictures get similar vectors. It reads
# from left to right: each token knows what stood before it, and the last one, `<|endoftext|>`, knows everything.
#
# The next cells compare things by the *cosine* of their vectors. It is 1 for the same direction and −1 for opposite ones.

# %%
nearest = predict(
    "Which of these does the text encoder find most like 'an apple'?",
    answer=...,
    options=("a pear", "a cat", "a ship", "a bus"),
)


# %%
@torch.no_grad()
def encode(prompts):
    """Prompts as vectors of their tokens: (B, 77, 128)."""
    ids = pipe.tokenizer(prompts, padding="max_length", max_length=77, return_tensors="pt")
    return pipe.text_encoder(ids.input_ids)[0]


def last_token(prompts):
    """The vector of each prompt's end token: (B, 128)."""
    ends = [len(pipe.tokenizer(prompt).input_ids) - 1 for prompt in prompts]
    return encode(prompts)[range(len(prompts)), ends]


def with_article(thing):
    return f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"


things = "apple strawberry lemon pear cat dog lion owl duck fish house castle ship car bus truck"
texts = [with_article(thing) for thing in things.split()]
features = last_token(texts)
features = features - features.mean(0)  # what all of them share tells nothing
likeness = dict(zip(texts, F.cosine_similarity(features, features[:1]).tolist()))
for prompt in sorted(likeness, key=likeness.get, reverse=True):
    print(f"{prompt:>12}: {likeness[prompt]:+.2f}")
nearest.compare(max(nearest.options, key=likeness.get))

# %% [markdown]
# Nobody told the encoder what fruit is. It only learned which caption goes with which picture. The miniature's CLIP is very small, and
# was trained on the captions and pictures of this course alone. Where it is wrong, the U-Net after it cannot know better.
#
# ### How it learned
#
# CLIP has a second tower, which turns a picture into a vector. Training takes a batch of $B$ pictures with their captions. Let $s_{ij}$ be the
# cosine of picture $i$ and caption $j$. Each picture must find its own caption among all $B$, and each caption its own picture. This is a
# **contrastive loss**:
#
# $$\text{loss} = -\frac{1}{2B} \sum_i \Big( \log \frac{e^{s_{ii}/\tau}}{\sum_j e^{s_{ij}/\tau}} + \log \frac{e^{s_{ii}/\tau}}{\sum_j e^{s_{ji}/\tau}} \Big)$$
#
# The fractions are softmaxes, over a row and over a column. Whoever guesses gives each caption the share $1/B$, so the loss is $\log B$.
#
# What is the **temperature** $\tau$ for? Cosines lie between −1 and 1. The miniature's CLIP learned a $\tau$ of its own, as CLIP did. The cell takes
# eight pictures and their captions. A prediction within 15 percentage points counts as right.

# %%
without_tau = predict(
    "The loss at τ = 1, as a share of log 8, which is the loss of guessing: how many per cent?", answer=...
)

# %%
eight = "apple strawberry lemon pear cat dog lion owl".split()
shown = load_pairs(keep=lambda row: row["thing"] in eight and row["style"] == "noto")
order = [[row["thing"] for row in shown.rows].index(thing) for thing in eight]
clip = load_clip()
captions = [with_article(thing) for thing in eight]
with torch.no_grad():
    of_pictures = image_embeddings(clip, shown.batch(order))
    of_captions = clip.text_projection(last_token(captions))
learned = 1 / clip.logit_scale.exp().item()
guessing = torch.tensor(8.0).log().item()
for tau in (1.0, learned):
    loss = contrastive_loss(of_pictures, of_captions, tau).item()
    own = similarities(of_pictures, of_captions, tau).softmax(1).diagonal().mean().item()
    print(f"τ = {tau:.3f}: loss {loss:.2f}, {loss / guessing:.0%} of guessing; share of a picture's own caption {own:.0%}")
    if tau == 1:
        without_tau.compare(100 * loss / guessing, unit="%", within=15)

figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained", sharey=True)
for ax, tau in zip(axes, (1.0, learned)):
    table = similarities(of_pictures, of_captions, tau).softmax(1)
    image = ax.imshow(table, cmap="Blues", vmin=0, vmax=1)
    ax.set(title=f"τ = {tau:.2g}", xlabel="caption", xticks=range(8), yticks=range(8), yticklabels=eight)
    ax.set_xticklabels(eight, rotation=60)
axes[0].set_ylabel("picture")
figure.colorbar(image, ax=axes, label="share of the row")
s2i.show(
    figure,
    alt=f"Which caption does CLIP find for each of eight pictures? Two tables. At τ = 1 every row is nearly even. At τ = {learned:.2g} "
    "most rows are dark where a picture meets its own caption; apple and strawberry share theirs.",
)

# %% [markdown]
# The cosines are the same in both tables. At $\tau = 1$ even the best possible answer, 1 for its own and −1 for all others, has a share of only
# $e / (e + 7/e)$, which is 51 %. Dividing by a small $\tau$ lets a small lead count. The learned one is small for that reason. What the table
# still mixes up looks alike to this small CLIP: apple and strawberry, dog and owl, pear and lemon, and the yellow cat
# with the lemon and the lion.
#
# The loss compares *whole* captions. Nothing in it asks which word belongs to which thing. Keep that in mind for the next measurement.
#
# ### Two things in one prompt
#
# Take "a red apple beside a green pear". The U-Net can only draw it rightly if the vectors still say which colour belongs to which
# thing. That is not certain: the encoder *mixes*, since each token has read what stood before it.
#
# So let us measure the mixing. The cell encodes all 64 prompts "a cat beside an owl", "a cat beside a fish", … with eight things. Then
# it takes the vector of the *second* thing's token and asks what makes it differ from prompt to prompt: the second thing itself, or the
# first one? The answer is a share of the variance for each. A prediction within 15 per cent counts as right.

# %%
leak = predict(
    "How many per cent of the variance of the second thing's token come from the FIRST thing?", answer=...
)

# %%
things = ["cat", "owl", "fish", "mushroom", "apple", "strawberry", "house", "sailboat"]
names = [with_article(thing) for thing in things]
prompts = [f"{first} beside {second}" for first in names for second in names]
second_thing = [len(pipe.tokenizer(prompt).input_ids) - 2 for prompt in prompts]  # before the end token
vectors = encode(prompts)[range(64), second_thing].view(8, 8, -1)  # (first, second, 128)
centred = vectors - vectors.mean((0, 1))
total = centred.pow(2).sum()
of_first = (8 * centred.mean(1).pow(2).sum() / total).item()
of_second = (8 * centred.mean(0).pow(2).sum() / total).item()
print(f"the second thing's token: {of_first:.0%} from the first thing, {of_second:.0%} from the second")
leak.compare(100 * of_first, unit="%", within=15)

# %% [markdown]
# The rest, up to 100 %, comes from the two together. The miniature's encoder has learned from captions of *single* things, and so it
# hardly listens to a second one. Large encoders have read captions of many things and are better at it. But they mix too. With Stable
# Diffusion, colours in such a prompt are sometimes exchanged or shared, which is called **leakage** (Feng et al. 2022).
#
# ## 2. Attention: asking the words
#
# The U-Net has a vector for every place of the picture, and the text has one for every token. **Cross-attention** lets every place
# ask the tokens. Three learned matrices do it:
#
# - From a place's vector the first one makes a **query** $q$: what do I want to know?
# - From a token's vector the second one makes a **key** $k$: what am I about?
# - From a token's vector the third one makes a **value** $v$: what have I to say?
#
# Query and key are compared by their dot product, and a softmax makes weights of the comparisons, which add up to 1 for each query
# (Vaswani et al. 2017). With one query per row and one token per row:
#
# $$w = \operatorname{softmax}\!\Big(\frac{q\,k^\top}{s}\Big), \qquad \text{answer} = w\,v .$$
#
# **Derive the number $s$.** A softmax of large numbers picks one token and ignores the rest, and then hardly anything can be learned. So
# the comparisons shall have a standard deviation of about 1, however long the vectors are. Let $q$ and $k$ have $d$ numbers each, all
# independent, with mean 0 and variance 1. What is the standard deviation of $q \cdot k$? That is $s$.


# %% tags=["exercise-attention_weights"]
def attention_weights(q, k):
    """q is (..., N, d), k is (..., M, d): how much each query looks at each key, (..., N, M)."""
    ...


# %%
lesson.attention_weights.check(attention_weights)
attention_weights = lesson.attention_weights.use(attention_weights)


# %% tags=["exercise-attention"]
def attention(q, k, v):
    """v is (..., M, e): the values, averaged with the weights, (..., N, e)."""
    ...


# %%
lesson.attention.check(attention)
attention = lesson.attention.use(attention)

# %%
q, k, v = torch.randn(2, 64, 32), torch.randn(2, 7, 32), torch.randn(2, 7, 32)
difference = (attention(q, k, v) - F.scaled_dot_product_attention(q, k, v)).abs().max()
print("yours and torch's differ by", difference.item())
for d in (16, 256, 4096):
    one, another = torch.randn(1000, d), torch.randn(1000, d)
    print(f"d = {d:>4}: the standard deviation of q · k is {(one * another).sum(1).std():.1f}")

# %% [markdown]
# If keys and values come from the picture as well, it is **self-attention**: the places ask each other. Networks run several attentions
# side by side, each with its share of the channels. These are called **heads**.
#
# ## 3. Two ways in
#
# How do the words get into the U-Net?
#
# - **One vector:** everything that the words say becomes a single vector. It is added to the time's vector, and so it reaches every
#   place alike. Class labels are given so, and SDXL gives a vector of the whole text this way, besides attention.
# - **Cross-attention:** at some of the U-Net's resolutions, every place asks the tokens. Stable Diffusion does this.
#
# It is said that cross-attention is better where *different places need different words*. Here is a test that can refute it. A
# picture shows two things, and each half must follow its own word. There are 64 pairs of eight things. 48 pairs are for training. The
# other 16 are *new*: each of their things was seen on its side, but never with this neighbour.
#
# The test has to be fair:
#
# - Both networks get the same two vectors, one per thing. They come from two separate prompts, so the encoder cannot mix them.
#   To each a fixed random vector is added that marks "left" or "right".
# - "One vector" loses nothing: it is made from *both* vectors, by two layers, not from their mean.
# - Both networks are told where each column of the picture lies, by one more input channel.
# - The rest of the U-Net, the training and its random numbers are equal. The number of weights is printed.

# %%
emoji = load_pairs(keep=lambda row: row["thing"] in things and row["style"] == "noto")
order = [[row["thing"] for row in emoji.rows].index(thing) for thing in things]
single = F.interpolate(emoji.batch(order), (12, 12), mode="area")  # (8, 3, 12, 12)

pairs = torch.cartesian_prod(torch.arange(8), torch.arange(8))  # (64, 2): left, right
beside = torch.cat([single[pairs[:, 0]], single[pairs[:, 1]]], dim=3)  # (64, 3, 12, 24)
is_new = ((pairs[:, 1] - pairs[:, 0]) % 8 == 3) | ((pairs[:, 1] - pairs[:, 0]) % 8 == 6)
known, new = (~is_new).nonzero()[:, 0], is_new.nonzero()[:, 0]

vectors = last_token(names)
vectors = (vectors - vectors.mean(0)) / vectors.std(0)  # of variance 1, as networks like it
marks = torch.randn(2, 128, generator=torch.Generator().manual_seed(5))
words = vectors[pairs] + marks  # (64, 2, 128)
nothing = marks  # "draw something on both sides"

captions = [f"{things[i]},\n{things[j]}" for i, j in pairs[new[:6]].tolist()]
sheet, alt = filmstrip({"new pairs": list(beside[new[:6]])}, captions, side=120, steps=False)
s2i.show(sheet, alt=f"Six of the pairs that are kept for the test. {alt}")


# %%
class AskTheWords(nn.Module):
    """Cross-attention, added to the features: (B, C, H, W) and tokens (B, M, 128) → (B, C, H, W)."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.attention = Attention(channels, 128, heads=4)

    def forward(self, h, tokens):
        places = self.norm(h).flatten(2).transpose(1, 2)  # (B, H·W, C)
        return h + self.attention(places, tokens).transpose(1, 2).unflatten(2, h.shape[2:])


class TextUNet(nn.Module):
    """Lesson 4's U-Net with words, which come in by one of two ways."""

    def __init__(self, way, widths=(24, 48, 96)):
        super().__init__()
        self.first, size = widths[0], 4 * widths[0]
        self.time = nn.Sequential(nn.Linear(widths[0], size), nn.SiLU(), nn.Linear(size, size))
        self.conv_in = nn.Conv2d(4, widths[0], 3, padding=1)  # 3 colours, and the column
        before = (widths[0], *widths[:-1])
        self.down = nn.ModuleList(ResBlock(b, w, size) for b, w in zip(before, widths))
        self.middle = ResBlock(widths[-1], widths[-1], size)
        self.up = nn.ModuleList(ResBlock(2 * w, b, size) for b, w in zip(before[::-1], widths[::-1]))
        self.norm_out = nn.GroupNorm(8, widths[0])
        self.conv_out = nn.Conv2d(widths[0], 3, 3, padding=1)
        one_vector = nn.Sequential(nn.Linear(2 * 128, size), nn.SiLU(), nn.Linear(size, size))
        self.sentence = one_vector if way == "one vector" else None
        asking = [widths[-1], before[-1]] if way == "cross-attention" else []
        self.ask = nn.ModuleList(AskTheWords(width) for width in asking)  # both at 3 × 6 places

    def forward(self, x, t, tokens):
        time = self.time(timestep_embedding(t, self.first))
        if self.sentence is not None:
            time = time + self.sentence(tokens.flatten(1))
        column = torch.linspace(-1, 1, x.shape[3]).expand(len(x), 1, *x.shape[2:])
        # A function for each block, which knows time and words already and takes the features alone.
        down = [lambda h, block=block: block(h, time) for block in self.down]
        up = [lambda h, block=block: block(h, time) for block in self.up]
        if len(self.ask):
            last, first = down[-1], up[0]
            down[-1] = lambda h: self.ask[0](last(h), tokens)
            up[0] = lambda h: self.ask[1](first(h), tokens)
        h = self.conv_in(torch.cat([x, column], dim=1))
        h = hourglass(h, down, lambda h: self.middle(h, time), up)
        return self.conv_out(F.silu(self.norm_out(h)))


# %% [markdown]
# The training is that of lesson 4, and it asks for $v$ (lesson 3). One thing is added: `drop_labels` replaces the words of one sample
# in ten by `nothing`. So the same network also learns what pictures look like when nobody asks for anything. Section 5 needs that.

# %%
better = predict(
    "Which network draws more halves of the NEW pairs rightly?",
    answer=...,
    options=("one vector", "cross-attention", "equally many"),
)


# %%
def learn(way, steps=350):
    torch.manual_seed(0)
    model, generator = TextUNet(way), torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    losses, started = [], time.perf_counter()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1, 3 * (steps - step) / steps)
        which = known[torch.randint(len(known), (16,), generator=generator)]
        t = torch.randint(1000, (16,), generator=generator)
        eps = torch.randn(16, 3, 12, 24, generator=generator)
        x0, tokens = beside[which], drop_labels(words[which], nothing, 0.1, generator)
        target = what_to_predict("v_prediction", x0, eps, alpha_bar[t].view(-1, 1, 1, 1))
        loss = F.mse_loss(model(add_noise(x0, eps, alpha_bar, t), t, tokens), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    size = sum(p.numel() for p in model.parameters())
    seconds = time.perf_counter() - started
    print(f"{way}: {size:,} weights, {steps} optimiser steps in {seconds:.0f} s")
    return model.eval().requires_grad_(False), losses


models, smooth = {}, {}
for way in ("one vector", "cross-attention"):
    models[way], losses = learn(way)
    smooth[way] = torch.tensor(losses).unfold(0, 25, 1).mean(1)
figure, alt = curves(
    range(25, 351),
    smooth,
    x_label="optimiser step",
    y_label="loss",
    title="Two ways in, mean of 25 steps",
    log=True,
)
s2i.show(figure, alt=alt)

# %% [markdown]
# The loss is a mean over all timesteps. At most of them the noisy picture says by itself what it is, and the words add little. They
# matter most at the start of sampling, when there is nothing to see. So let both *draw*, with lesson 5's sampler, and count the halves
# that are nearest to the thing that was asked for. `guide` puts two predictions together and is explained in section 5. For now
# it takes the one with words.


# %%
@torch.no_grad()
def draw(model, wanted, seed=0, guide=lambda without, with_words: with_words, steps=25):
    """Pictures (B, 3, 12, 24) for the words wanted (B, 2, 128)."""
    x = torch.randn(len(wanted), 3, 12, 24, generator=torch.Generator().manual_seed(seed))
    times = spaced_timesteps(steps, spacing="trailing")
    bars = [alpha_bar[t].item() for t in times] + [1.0]
    for t, a, a_prev in zip(times, bars, bars[1:]):
        t = torch.full((len(x),), t)
        v = guide(model(x, t, nothing.expand_as(wanted)), model(x, t, wanted))
        x0 = x0_from_v(x, v, a).clamp(-1, 1)
        x = ddim_step(x, eps_from_x0(x, x0, a), a, a_prev)
    return x


def right_halves(drawn, which):
    """How many halves are nearest to the thing that was asked for: a number up to 2 · len(which)."""
    halves = drawn.unflatten(3, (2, 12)).permute(0, 3, 1, 2, 4).flatten(2)  # (B, 2, 3·12·12)
    nearest = torch.cdist(halves.flatten(0, 1), single.flatten(1)).argmin(1).view(-1, 2)
    return (nearest == pairs[which]).sum().item()


right = {}
for way, model in models.items():
    for kind, which in (("known", known), ("new", new)):
        right[way, kind] = sum(right_halves(draw(model, words[which], s), which) for s in (0, 1))
        print(f"{way}: {right[way, kind]} of {4 * len(which)} halves of {kind} pairs are right")
rows = {way: list(draw(model, words[new[:6]])) for way, model in models.items()}
sheet, _ = filmstrip(rows | {"asked for": list(beside[new[:6]])}, captions, side=120)
s2i.show(
    sheet,
    alt=f"Six new pairs, {'; '.join(captions)}: as the network with one vector draws them, as that with cross-attention "
    "does, and as they were asked for.",
)
gap = right["cross-attention", "new"] - right["one vector", "new"]
better.compare("equally many" if gap == 0 else "cross-attention" if gap > 0 else "one vector")

# %% [markdown]
# Look at the known and the new pairs separately. A network with one vector need not take the two words apart. It can learn *pairs* by
# heart, as if "cat, owl" were one word, and a new pair has no such entry. If it gets more halves of new pairs right than one in eight, it took the
# words apart in part. A place that asks takes what it needs from the token of its own side, and who the neighbour is does
# not matter.
#
# Two limits of this test. It is small, and with more training the other way may catch up on it. And our tokens were clean. Attention can
# deliver only what the tokens hold: with section 1's mixed tokens it would know little of the second thing.
#
# ## 4. Where does it look?
#
# The weights of cross-attention can be looked at. Here they are for the miniature while it draws, for each word, averaged over all
# sampling steps, at its finest cross-attention of 8 × 8 places. A place may also put weight on the start token, the end token and the
# padding.

# %%
weight = predict(
    "All places together: which tokens get more weight?",
    answer=...,
    options=("the words", "start, end and padding"),
)


# %%
def look(prompt, seed):
    """Draws, shows the maps of the words, and returns the share of the weight that the words get."""
    # This pipeline wants a sketch; at strength 1 hardly anything of it is left.
    grey = torch.zeros(1, 3, 128, 128) + 0.5
    with recorded_attention(pipe.unet) as recorded:
        picture = pipe(
            prompt,
            image=grey,
            strength=1.0,
            guidance_scale=4.0,
            num_inference_steps=20,
            generator=torch.Generator().manual_seed(seed),
        ).images[0]
    try:
        maps = word_maps(recorded, pipe.tokenizer, prompt)
    except InputError as problem:
        print(problem)
        return None
    sheet, alt = attention_overlay(picture, maps)
    s2i.show(sheet, alt=f"{prompt}, seed {seed}. {alt}")
    finest = torch.stack([one.weights[-1] for one in recorded if one.weights.shape[2] == 64])
    share = finest.mean((0, 1, 2))  # how much weight each of the 77 tokens gets
    end = 1 + len(maps)
    print(
        f"all places together: start {share[0]:.0%}, words {share[1:end].sum():.0%}, "
        f"end and padding {share[end:].sum():.0%}"
    )
    return share[1:end].sum().item()


share = look("a butterfly, noto style", 2)
weight.compare("the words" if share > 0.5 else "start, end and padding")

# %%
prompt = ipywidgets.Text("a car, noto style", description="prompt", continuous_update=False)
seed = ipywidgets.IntSlider(0, min=0, max=20, description="seed", continuous_update=False)
s2i.interact(lambda prompt, seed: look(prompt, seed) and None, prompt=prompt, seed=seed)

# %% [markdown]
# Each map is stretched from its own least weight to its own greatest, or the weak ones would be black. So read the numbers below the
# maps as well. "butterfly" lies roughly on its thing, and so does "car". But not every noun does: ask for a fish or a star. And the comma,
# which means little by itself, can get more weight. There are two reasons:
#
# - The weights of a place must add up to 1. A place that needs no word puts its weight *somewhere*: on the comma, on the "a", or on the
#   end and the padding.
# - The text encoder has mixed the tokens. The comma after "butterfly" has read "butterfly".
#
# Such maps show where weight goes. They do not prove what a word does.
#
# ## 5. Guidance
#
# The network now says two things at every sampling step: $\hat\varepsilon_c$ with the words (*conditional*) and $\hat\varepsilon_u$
# without them (*unconditional*). Their difference is what the words change. **Classifier-free guidance** (Ho and Salimans 2022) goes
# along that difference, and further. Its strength is a number, the **guidance scale** $s$, which diffusers calls `guidance_scale`.
#
# **Derive it.** The guided prediction lies on the straight line through the two predictions. At $s = 0$ it is
# $\hat\varepsilon_u$, at $s = 1$ it is $\hat\varepsilon_c$, and it moves on evenly beyond. Write the function.


# %% tags=["exercise-classifier_free_guidance"]
def classifier_free_guidance(unconditional, conditional, guidance_scale):
    """Both predictions are (B, ...): scale 0 gives unconditional, 1 conditional, more goes further."""
    ...


# %%
lesson.classifier_free_guidance.check(classifier_free_guidance)
classifier_free_guidance = lesson.classifier_free_guidance.use(classifier_free_guidance)

# %% [markdown]
# So $s = 0$ ignores the words, $s = 1$ is the network as it was trained, and a larger $s$ gives more than it was trained for. diffusers'
# pipelines treat everything up to 1 as 1, and leave out the evaluation without words. Our networks answer $v$. At a given $x_t$ it is
# linear in $\hat\varepsilon$ (lesson 3), so the same function holds for it.
#
# **Spot the bug.** The paper writes $(1+w)\,\hat\varepsilon_c - w\,\hat\varepsilon_u$. A program took this formula, and for $w$ the 7.5
# that Stable Diffusion's pipelines have as their default `guidance_scale`.

# %%
real_scale = predict("Which guidance_scale is the paper's w = 7.5?", answer=...)

# %%
u, c = torch.randn(2, 4), torch.randn(2, 4)
paper = (1 + 7.5) * c - 7.5 * u
gaps = {}
for scale in (6.5, 7.5, 8.5):
    gaps[scale] = (classifier_free_guidance(u, c, scale) - paper).abs().max().item()
    print(f"guidance_scale {scale}: differs from the paper's w = 7.5 by {gaps[scale]:.2f}")
real_scale.compare(min(gaps, key=gaps.get))

# %% [markdown]
# Now your small network with cross-attention. It has also learned what to draw when nobody asks. A prediction within 1 counts as right.

# %%
by_chance = predict("s = 0: how many of the 16 halves of eight pairs will be right?", answer=...)

# %%
chosen = torch.tensor([8 * i + (i + 1) % 8 for i in range(8)])  # eight known pairs
guided, counts = {}, {}
for scale in (0, 1, 3):
    guided[f"s = {scale}"] = draw(
        models["cross-attention"],
        words[chosen],
        guide=lambda without, with_words: classifier_free_guidance(without, with_words, scale),
    )
    counts[scale] = right_halves(guided[f"s = {scale}"], chosen)
    print(f"s = {scale}: {counts[scale]} of 16 halves are right")
asked = [f"{things[i]},\n{things[j]}" for i, j in pairs[chosen].tolist()]
rows = {name: list(drawn) for name, drawn in guided.items()} | {"learned from": list(beside[chosen])}
sheet, _ = filmstrip(rows, asked, side=120)
s2i.show(
    sheet,
    alt=f"Asked for {'; '.join(asked)}: with guidance 0, 1 and 3 there are {counts[0]}, {counts[1]} and {counts[3]} of 16 "
    "halves right. Below them is what was learned from.".replace("\n", " "),
)
by_chance.compare(counts[0], within=1)

# %% [markdown]
# With 0 the words are ignored. By chance one half in eight would be right. Many halves are blends, since the network without words had
# only a tenth of the training. With 3, compare the colours with those that it learned from.
#
# And from 0 to 15, with the miniature. The number in each caption is the standard deviation of the pixels, a measure of contrast.

# %%
contrast = predict(
    "From guidance 1 to guidance 15, the contrast of the picture…", answer=..., options=("rises", "falls")
)

# %%
row, deviations = {}, {}
for scale in (0, 1, 2, 4, 8, 15):
    with_words, without = pipe.encode_prompt("a sailboat, noto style", "cpu", 1, True)
    tokens = torch.cat([without, with_words])
    z = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(4))
    times = spaced_timesteps(20, offset=1)
    bars = [alpha_bar[t].item() for t in times] + [1.0]
    with torch.no_grad():
        for t, a, a_prev in zip(times, bars, bars[1:]):
            both = pipe.unet(torch.cat([z, z]), t, tokens).sample.chunk(2)
            v = classifier_free_guidance(*both, scale)
            z = ddim_step(z, eps_from_x0(z, x0_from_v(z, v, a), a), a, a_prev)
        picture = pipe.vae.decode(z / pipe.vae.config.scaling_factor).sample.clamp(-1, 1)
    deviations[scale] = picture.std().item()
    row[f"s = {scale} (std {deviations[scale]:.2f})"] = picture[0]
sheet, alt = picture_row(row)
s2i.show(sheet, alt=f"A sailboat, more and more guidance; then the pixels' standard deviation. {alt}")
contrast.compare("rises" if deviations[15] > deviations[1] else "falls")

# %% [markdown]
# At 0 it is no boat. With some guidance the thing becomes clearer and its colours stronger. With too much, colours appear
# that nobody asked for, such as dark brown on a sail and green in the water: the sampler is pushed to places where no
# training picture ever was. Try other seeds too: at 1 their pictures differ widely, at 15 they look much alike. Guidance also costs two
# evaluations of the U-Net in every sampling step.
#
# ## 6. Think about it
#
# A **negative prompt** puts other words in the place of the empty prompt. Write down what your function then does. Why does "no boat" as
# a prompt draw a boat, and why does "boat" as a negative prompt not?
#
# ## Sources
#
# - Radford et al., *Learning Transferable Visual Models From Natural Language Supervision*, 2021, arXiv 2103.00020: CLIP.
# - Vaswani et al., *Attention Is All You Need*, 2017, arXiv 1706.03762, equation 1.
# - Rombach et al., *High-Resolution Image Synthesis with Latent Diffusion Models*, 2021, arXiv 2112.10752, section 3.3:
#   cross-attention in a U-Net.
# - Feng et al., *Training-Free Structured Diffusion Guidance for Compositional Text-to-Image Synthesis*, 2022, arXiv 2212.05032:
#   leakage of attributes.
# - Ho and Salimans, *Classifier-Free Diffusion Guidance*, 2022, arXiv 2207.12598.
#
# **Next:** lesson 7, *Why latent?*

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** 17 minutes for tokens, CLIP's loss and the mixing, 12 for attention, 12 for the two ways (train while you talk), 8 for the maps,
# 11 for guidance.
#
# **Typical mistakes.** The softmax over the wrong dimension, which still gives positive numbers; $d$ for $\sqrt d$; guidance that
# starts at the conditional prediction.
#
# **What to listen for.** "The network understands the sentence." It has vectors that were alike for alike pictures. "Attention
# is better." At what, and tested how? Ask which result of section 3 would have shown the opposite.
#
# **The number s.** A product of two independent numbers of mean 0 and variance 1 has mean 0 and variance 1. A sum of $d$ of them
# has the variance $d$, hence $s = \sqrt d$.
#
# **The open question.** With a negative prompt the line starts there and leads away from it: $\hat\varepsilon_n + s\,(\hat\varepsilon_c -
# \hat\varepsilon_n)$. "No boat" contains the token "boat", and captions seldom say what is *not* to be seen, so the encoder hardly
# learned "no".
