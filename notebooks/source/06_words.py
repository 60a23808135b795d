# %% [markdown]
# # Lesson 6. Words steer pictures
#
# {{badge}}
#
# Until now noise became *some* picture. How do a few words make it the one that was asked for? You follow them: from letters to
# tokens, from tokens to vectors, from the vectors into the U-Net, by two routes, which you train side by side. Then you build the
# knob that everybody turns, guidance, and turn it too far.
#
# | | |
# |---|---|
# | **You will** | write attention, let two networks learn the same eight words, see where a network looks for each word, and steer with guidance |
# | **Time** | about 50 minutes, three exercises; two trainings take about 25 seconds each |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import time

import torch
import torch.nn.functional as F
from torch import nn

from s2i_teach.models.attention_maps import recorded_attention, word_maps
from s2i_teach.theory.attention import Attention
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
# A **tokenizer** cuts text into pieces it has a number for; a rare word is cut into several. Stable Diffusion's has 49,408
# pieces, the miniature's 3,214. `</w>` marks the end of a word. (Before a prompt is encoded it is filled up to 77 tokens with more end
# tokens, which are left out here.)

# %%
for prompt in ("a strawberry, noto style", "an unbelievable strawberry"):
    ids = pipe.tokenizer(prompt).input_ids
    print(prompt, "→", pipe.tokenizer.convert_ids_to_tokens(ids), ids)

# %% [markdown]
# The **text encoder** of CLIP (Radford et al. 2021) turns each token into a vector. It was not trained to draw, but to tell which
# text belongs to which picture, and so texts about similar pictures come out alike. It reads from left to right: a token knows
# what stood before it, and the last one, `<|endoftext|>`, knows everything.
#
# **Predict first:** which of these is most like "an apple", and which least?


# %%
@torch.no_grad()
def encode(prompts):
    """Prompts as features: (B, 77, 128)."""
    ids = pipe.tokenizer(prompts, padding="max_length", max_length=77, return_tensors="pt")
    return pipe.text_encoder(ids.input_ids)[0]


def last_token(prompts):
    """The feature of each prompt's end token: (B, 128)."""
    ends = [len(pipe.tokenizer(prompt).input_ids) - 1 for prompt in prompts]
    return encode(prompts)[range(len(prompts)), ends]


things = (
    "apple strawberry lemon pear cat dog lion owl duck fish house castle ship car bus truck"
)
texts = [f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}" for thing in things.split()]
features = last_token(texts)
features = features - features.mean(0)  # what all of them share tells nothing
likeness = F.cosine_similarity(features, features[:1])
for i in likeness.argsort(descending=True).tolist():
    print(f"{texts[i]:>12}: {likeness[i]:+.2f}")

# %% [markdown]
# Fruit is like fruit, though the encoder only ever learned which caption goes with which picture. (It is a very small CLIP,
# trained on the captions and pictures of this course alone; where it is wrong, the U-Net after it cannot know better.)
#
# ## 2. Attention: asking the words
#
# The U-Net has a vector for every place of the picture, the text has one for every token. **Cross-attention** lets every place
# ask the tokens. From a place's vector a learned matrix makes a *query* $q$; two others make of each token's vector a *key* $k$
# (what it is about) and a *value* $v$ (what it has to say). Query and key are compared by their dot product; the comparisons become
# weights that add up to 1 (Vaswani et al. 2017). With one row a query, one row a token:
#
# $$w = \operatorname{softmax}\!\Big(\frac{q\,k^\top}{\sqrt d}\Big), \qquad \text{answer} = w\,v ,$$
#
# with $d$ numbers in a query, and the softmax along each row. Why $\sqrt d$? A sum of $d$ random products grows like $\sqrt d$, and a softmax of large numbers
# picks one and ignores the rest.


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

# %% [markdown]
# If the queries come from the picture and the keys and values from the picture too, it is *self*-attention: places ask each other.
# In networks several attentions run side by side, each with its share of the channels: its *heads*.
#
# ## 3. Two ways in
#
# How do the words get into the U-Net? Two ways:
#
# - **Concatenation:** the whole sentence as one vector, made into extra channels of the input, the same at every pixel. (It is how masks and
#   depth maps are given to such networks, which have something to say at each pixel. One vector for a sentence is more often added to the time.)
# - **Cross-attention:** at some levels, every place asks the tokens. Stable Diffusion does this.
#
# Here are both, in the U-Net of lesson 4. Apart from a tenth more parameters for the second, everything else is equal.

# %%
things = ["cat", "owl", "fish", "mushroom", "apple", "strawberry", "house", "sailboat"]
pairs = load_pairs(keep=lambda row: row["thing"] in things and row["style"] == "noto")
data = F.interpolate(pairs.batch(torch.arange(len(pairs))), (24, 24), mode="area")
names = [row["thing"] for row in pairs.rows]
prompts = [("an " if name[0] in "aeiou" else "a ") + name for name in names]
text = encode(prompts)[:, :8]  # (8, 8 tokens, 128): the rest is padding
nothing = encode([""])[0, :8]  # the empty prompt
mean, spread = text.mean((0, 1)), text.std((0, 1))


class AskTheWords(nn.Module):
    """Cross-attention, added to the features: (B, C, H, W) and tokens (B, 8, 128) → (B, C, H, W)."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.attention = Attention(channels, 128, heads=4)

    def forward(self, h, tokens):
        places = self.norm(h).flatten(2).transpose(1, 2)  # (B, H·W, C)
        return h + self.attention(places, tokens).transpose(1, 2).unflatten(2, h.shape[2:])


class TextUNet(nn.Module):
    def __init__(self, way, widths=(24, 48, 96)):
        super().__init__()
        self.way, self.first, time_dim = way, widths[0], 4 * widths[0]
        self.time = nn.Sequential(
            nn.Linear(widths[0], time_dim), nn.SiLU(), nn.Linear(time_dim, time_dim)
        )
        extra = 8 if way == "concatenation" else 0
        self.sentence = nn.Linear(128, extra) if extra else None
        self.conv_in = nn.Conv2d(3 + extra, widths[0], 3, padding=1)
        before = (widths[0], *widths[:-1])
        self.down = nn.ModuleList(ResBlock(b, w, time_dim) for b, w in zip(before, widths))
        self.middle = ResBlock(widths[-1], widths[-1], time_dim)
        self.up = nn.ModuleList(
            ResBlock(2 * w, b, time_dim) for b, w in zip(before[::-1], widths[::-1])
        )
        asking = [widths[-1], before[-1]] if way == "cross-attention" else []
        self.ask = nn.ModuleList(AskTheWords(width) for width in asking)  # both at 6 × 6
        self.norm_out = nn.GroupNorm(8, widths[0])
        self.conv_out = nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, x, t, tokens):
        tokens = (tokens - mean) / spread  # of size 1, as networks like it
        if self.sentence is not None:
            told = self.sentence(tokens.mean(1))[:, :, None, None]  # one vector: the tokens' mean
            x = torch.cat([x, told.expand(-1, -1, *x.shape[2:])], dim=1)
        time = self.time(timestep_embedding(t, self.first))
        down = [lambda h, block=block: block(h, time) for block in self.down]
        up = [lambda h, block=block: block(h, time) for block in self.up]
        if len(self.ask):
            last, first = down[-1], up[0]
            down[-1] = lambda h: self.ask[0](last(h), tokens)
            up[0] = lambda h: self.ask[1](first(h), tokens)
        h = hourglass(self.conv_in(x), down, lambda h: self.middle(h, time), up)
        return self.conv_out(F.silu(self.norm_out(h)))


# %% [markdown]
# The training is that of lesson 4, asking for $v$ (lesson 3), with one thing more. One time in ten the words are replaced by the
# empty prompt (`drop_labels`), so that the same network also learns what pictures look like when nobody asks for anything.
# Section 5 needs that.
#
# **Predict first:** one of the two ways learns the eight words faster. Which?


# %%
def learn(way, steps=350):
    torch.manual_seed(0)
    model, generator = TextUNet(way), torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    losses, started = [], time.perf_counter()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1, 3 * (steps - step) / steps)
        which = torch.randint(len(data), (16,), generator=generator)
        t = torch.randint(1000, (16,), generator=generator)
        eps = torch.randn(16, 3, 24, 24, generator=generator)
        x0, tokens = data[which], drop_labels(text[which], nothing, 0.1, generator)
        a = alpha_bar[t].view(-1, 1, 1, 1)
        target = what_to_predict("v_prediction", x0, eps, a)
        loss = F.mse_loss(model(add_noise(x0, eps, alpha_bar, t), t, tokens), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    size = sum(p.numel() for p in model.parameters())
    seconds = time.perf_counter() - started
    print(f"{way}: {size:,} parameters, {steps} steps in {seconds:.0f} s")
    return model.eval().requires_grad_(False), losses


models, smooth = {}, {}
for way in ("concatenation", "cross-attention"):
    models[way], losses = learn(way)
    smooth[way] = torch.tensor(losses).unfold(0, 25, 1).mean(1)
figure, alt = curves(
    range(25, 351),
    smooth,
    x_label="step",
    y_label="loss",
    title="Two ways in, mean of 25 steps",
    log=True,
)
s2i.show(figure, alt=alt)

# %% [markdown]
# Cross-attention ends with a quarter less loss. (It also has a tenth more parameters.) At most timesteps the noisy picture says by
# itself what it is, and the words add little. The words matter most at the start of sampling, when there is nothing to see. So let both draw, from the
# same noise, what we ask for. (The sampler is lesson 5's; `guide` puts two predictions together and is explained in a moment.
# For now it takes the one with words.)


# %%
@torch.no_grad()
def draw(model, wanted, seed=0, guide=lambda without, told: told, steps=25):
    """Pictures (B, 3, 24, 24) for tokens wanted (B, 8, 128)."""
    x = torch.randn(len(wanted), 3, 24, 24, generator=torch.Generator().manual_seed(seed))
    times = spaced_timesteps(steps, spacing="trailing")
    levels = [alpha_bar[t].item() for t in times] + [1.0]
    for t, a, a_prev in zip(times, levels, levels[1:]):
        t = torch.full((len(x),), t)
        told = model(x, t, wanted)
        without = model(x, t, nothing.expand_as(wanted))
        x0 = x0_from_v(x, guide(without, told), a).clamp(-1, 1)
        x = ddim_step(x, eps_from_x0(x, x0, a), a, a_prev)
    return x


def right_ones(pictures, wanted):
    """How many are nearest to the picture that was asked for."""
    nearest = torch.cdist(pictures.flatten(1), data.flatten(1)).argmin(1)
    return (nearest == wanted).sum().item()


everything = torch.arange(8)
for way, model in models.items():
    right = sum(right_ones(draw(model, text, seed), everything) for seed in range(4))
    print(f"{way}: {right} of 32 drawings are what was asked for")
sheet, alt = filmstrip(
    {way: list(draw(model, text)) for way, model in models.items()}, names, side=84
)
s2i.show(
    sheet, alt=f"What the two networks draw when asked, side by side: {', '.join(names)}."
)

# %% [markdown]
# Both get (nearly) all of them right; compare the edges. With eight short sentences one vector is enough to tell them apart, and both ways work.
# Cross-attention pays more when *different places need different words*: in "a red apple beside a green pear" one vector for all
# has to say to every place what is red and what is green; a place that asks gets the answer for itself. That is one reason why
# large models use it (and some use both: SDXL also adds a vector of the whole text to the time).
#
# ## 4. Where does it look?
#
# The weights of cross-attention can be looked at. Here they are for the miniature while it draws, for each word, averaged over
# all steps, at its finest cross-attention of 8 × 8 places.
#
# **Predict first:** where does "strawberry" look? And "a"?

# %%
import ipywidgets

from s2i_teach.errors import InputError


def look(prompt, seed):
    # This pipeline wants a sketch; at strength 1 hardly anything of it is left.
    grey = torch.zeros(1, 3, 128, 128) + 0.5
    with recorded_attention(pipe.unet) as seen:
        picture = pipe(
            prompt,
            image=grey,
            strength=1.0,
            guidance_scale=4.0,
            num_inference_steps=20,
            generator=torch.Generator().manual_seed(seed),
        ).images[0]
    try:
        maps = word_maps(seen, pipe.tokenizer, prompt)
    except InputError as problem:
        print(problem)
        return
    sheet, alt = attention_overlay(picture, maps)
    s2i.show(sheet, alt=f"{prompt}, seed {seed}. {alt}")
    finest = torch.stack([one.weights[-1] for one in seen if one.weights.shape[2] == 64])
    share = finest.mean((0, 1, 2))  # how much weight each of the 77 tokens gets
    end = 1 + len(maps)
    print(
        f"all places together: start {share[0]:.0%}, words {share[1:end].sum():.0%}, "
        f"end and padding {share[end:].sum():.0%}"
    )


words = ipywidgets.Text(
    "a strawberry, noto style", description="prompt", continuous_update=False
)
seed = ipywidgets.IntSlider(3, min=0, max=20, description="seed", continuous_update=False)
_ = ipywidgets.interact(look, prompt=words, seed=seed)

# %% [markdown]
# Each map is stretched from its own least to its own greatest weight, or the weak ones would be black: mind the numbers below them. The
# noun lies roughly on its thing, but "a" and the comma, which mean nothing by themselves, get many times its weight. Two reasons. The
# weights of a place must add up to 1, and a place that needs no word puts its weight *somewhere*: on the comma, the "a", or the
# end and padding, as the last line says. And the text encoder has mixed the tokens: the comma after "strawberry" has read
# "strawberry". Such maps show where weight goes; they are no proof of what a word does.
#
# ## 5. Guidance
#
# The network now says two things at every step: $\hat\varepsilon_c$ with the words and $\hat\varepsilon_u$ without. Their difference is
# what the words change. **Classifier-free guidance** (Ho and Salimans 2022) walks along that difference, and further:
#
# $$\hat\varepsilon = \hat\varepsilon_u + s\,(\hat\varepsilon_c - \hat\varepsilon_u).$$
#
# $s$ is `guidance_scale`: 0 ignores the words, 1 is the network as it was trained, more is more than it was trained for. (diffusers'
# pipelines treat everything up to 1 as 1, and save themselves the wordless half.) Our networks answer $v$; at a given $x_t$ it is
# linear in $\hat\varepsilon$ (lesson 3), so the same formula holds for it.
#
# **Spot the bug.** The paper writes $(1+w)\,\hat\varepsilon_c - w\,\hat\varepsilon_u$. A program took this formula, and for $w$ the 7.5 which
# Stable Diffusion's pipelines have as their default for the other one. How strong is the guidance really?


# %% tags=["exercise-classifier_free_guidance"]
def classifier_free_guidance(unconditional, conditional, guidance_scale):
    """Both predictions are (B, ...): scale 0 gives unconditional, 1 conditional, more goes further."""
    ...


# %%
lesson.classifier_free_guidance.check(classifier_free_guidance)
classifier_free_guidance = lesson.classifier_free_guidance.use(classifier_free_guidance)

# %%
u, c = torch.randn(2, 4), torch.randn(2, 4)
paper = (1 + 7.5) * c - 7.5 * u
for scale in (6.5, 7.5, 8.5):
    difference = (classifier_free_guidance(u, c, scale) - paper).abs().max().item()
    print(f"guidance_scale {scale}: differs from the paper's w = 7.5 by {difference:.2f}")

# %% [markdown]
# So it was 8.5. Now your small network with cross-attention, which has also learned what to draw when nobody asks (the empty prompt,
# one time in ten). **Predict first:** what does it draw with $s = 0$?

# %%
strengths = {}
for scale in (0, 1, 3):
    strengths[f"s = {scale}"] = draw(
        models["cross-attention"],
        text,
        guide=lambda without, told: classifier_free_guidance(without, told, scale),
    )
    right = right_ones(strengths[f"s = {scale}"], everything)
    print(f"s = {scale}: {right} of 8 are what was asked for")
sheet, alt = filmstrip(
    {name: list(pictures) for name, pictures in strengths.items()}
    | {"learned from": list(data)},
    names,
    side=84,
)
s2i.show(sheet, alt=f"Asked for {', '.join(names)} with guidance 0, 1 and 3.")

# %% [markdown]
# With 0 the words are ignored. By chance one in eight would be right; most are blends of several things, since the network without words
# had only a tenth of the training. With 3 compare the colours with those it learned from.
#
# And from 0 to 15, with the miniature. **Predict first:** what does too much look like?

# %%
row = {}
for scale in (0, 1, 2, 4, 8, 15):
    told, without = pipe.encode_prompt("a sailboat, noto style", "cpu", 1, True)
    tokens = torch.cat([without, told])
    z = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    times = spaced_timesteps(20, offset=1)
    levels = [alpha_bar[t].item() for t in times] + [1.0]
    with torch.no_grad():
        for t, a, a_prev in zip(times, levels, levels[1:]):
            pair = pipe.unet(torch.cat([z, z]), t, tokens).sample.chunk(2)
            v = classifier_free_guidance(*pair, scale)
            z = ddim_step(z, eps_from_x0(z, x0_from_v(z, v, a), a), a, a_prev)
        picture = pipe.vae.decode(z / pipe.vae.config.scaling_factor).sample.clamp(-1, 1)
    row[f"s = {scale} (std {picture.std():.2f})"] = picture[0]
sheet, alt = picture_row(row)
s2i.show(
    sheet,
    alt=f"A sailboat, more and more guidance; then the pixels' standard deviation. {alt}",
)

# %% [markdown]
# The number is the standard deviation of the pixels. At 0 it is another thing altogether. From 1 on it rises: the thing becomes
# clearer, its colours stronger. With too much, outlines fray and colours appear that nobody asked for: the sampler is pushed to places
# where no training picture ever was. Guidance also costs two evaluations in every step.
#
# ## 6. Think about it
#
# A *negative prompt* puts other words in the place of the empty prompt. Write down what the formula then does. Why does
# "no boat" as a prompt draw a boat, and why does "boat" as a negative prompt not?
#
# ## Sources
#
# - Radford et al., *Learning Transferable Visual Models From Natural Language Supervision*, 2021, arXiv 2103.00020: CLIP.
# - Vaswani et al., *Attention Is All You Need*, 2017, arXiv 1706.03762, equation 1.
# - Rombach et al., *High-Resolution Image Synthesis with Latent Diffusion Models*, 2021, arXiv 2112.10752, section 3.3: both
#   ways in.
# - Ho and Salimans, *Classifier-Free Diffusion Guidance*, 2022, arXiv 2207.12598.
#
# **Next:** lesson 7, *Why latent?*

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** 8 minutes for tokens, 12 for attention, 12 for the two ways (train while you talk), 8 for the maps, 10 for guidance.
#
# **Typical mistakes.** The softmax over the wrong dimension, which still gives positive numbers; $d$ for $\sqrt d$; guidance that
# starts at the conditional prediction.
#
# **What to listen for.** "The network understands the sentence." It has vectors that were alike for alike pictures.
#
# **The open question.** With a negative prompt the walk starts there and leads away from it: $\hat\varepsilon_n + s\,(\hat\varepsilon_c -
# \hat\varepsilon_n)$. "No boat" contains the token "boat", and captions seldom say what is *not* to be seen, so the encoder hardly
# learned "no".
