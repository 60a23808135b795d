# %% [markdown]
# # Lesson 0. Your first picture in a minute
#
# {{badge}}
#
# You give a sketch and a few words; a diffusion model makes a picture of them. By the end of this page you have made
# several, from our sketches and from your own, and you know what the most important knob does.
#
# | | |
# |---|---|
# | **You will** | turn sketches into pictures, change the words, the strength and the seed, and see what each does |
# | **Time** | about 15 minutes |
# | **You need** | only this page; section 7 says what the other lessons need |
# | **Hardware** | any computer: two CPU cores are enough, a GPU is not needed |
# | **Download** | none: the model (about 50 MB) comes with the course |
#
# The model is the *miniature*, `"mini"`: built like Stable Diffusion part by part, but small, and trained on drawings of things.
# The same code drives the real one, which is 50 times larger. For that you change one name, `"mini"` to `"sd15"`, on a computer with
# a GPU. It downloads 2.7 GB and takes prompts in plain words instead of our five styles.

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %% [markdown]
# **Before the first picture**, if you have ten minutes: ten questions about what you believe now. *I do not know yet* is a good answer.
# Answer them once. The same ten come back at the end of lessons 9 and 14, and show you there what you learned. Or go on with section 1.

# %%
s2i.quiz()

# %% [markdown]
# ## 1. A sketch, some words, a picture
#
# A **pipeline** is a model with everything around it that turns an input into a picture; here it is `pipe`. `translate` takes a sketch
# and a **prompt**: the words that say what the picture shows. `prepare="filled"` fills the shapes of the sketch with grey first, and
# section 4 shows why.

# %%
from s2i_teach.evaluate.faithfulness import faithfulness
from s2i_teach.images import to_tensor
from s2i_teach.lessons import predict
from s2i_teach.theory.measure import colourfulness

pipe = s2i.load_pipeline("mini")

sketch = "mushroom"
sketches = {s.name: s for s in s2i.sketches()}
result = s2i.translate(
    sketches[sketch].path, "a mushroom, openmoji style", pipe=pipe, prepare="filled", seed=0
)

words = f"{result.settings.prompt}: {result.seconds:.1f} s"
sheet = s2i.contact_sheet([([result.sketch, result.image], words)], columns=1)
s2i.show(sheet, alt="Left: a mushroom in black lines. Right: the picture made from it.")

# %% [markdown]
# That was it. The model buried your sketch under **noise**: random numbers, added to the picture. Then it removed the noise in small
# steps, which is called **denoising**. In each step the words steered it. Lessons 1 to 8 build every part of this by hand.
#
# **Choose another sketch.** Here are all that come with the course. Ten are line art, fourteen were drawn by people in
# the game *Quick, Draw!*, and four are whole scenes.

# %%
gallery = s2i.contact_sheet(
    [([s.open()], s.name) for s in s2i.sketches()], columns=7, side=110
)
s2i.show(gallery, alt=f"{len(sketches)} sketches with their names: {', '.join(sketches)}.")

# %% [markdown]
# Change the two lines below and run the cell again. The words that the model knows best have the form *a thing, a style*:
# the things are animals, plants, food, vehicles and everyday objects, and the styles are `openmoji style`, `noto style`,
# `fluent style`, `flat style` and `twemoji style`. A colour goes before the thing: `a pink tree, openmoji style`.

# %%
sketch = "umbrella_by_hand"
prompt = "a blue umbrella, openmoji style"

result = s2i.translate(sketches[sketch].path, prompt, pipe=pipe, prepare="filled", seed=0)
sheet = s2i.contact_sheet([([result.sketch, result.image], prompt)], columns=1)
s2i.show(sheet, alt=f"Left: the sketch {sketch}. Right: the picture made for: {prompt}.")

# %% [markdown]
# ## 2. The most important knob: strength
#
# **Strength** is a number above 0 and up to 1. It says how deep the sketch is buried under noise before the denoising starts. The next
# cells make five pictures of one sketch, from strength 0.2 to 1.0. If you give no strength, the model takes its own: for `"mini"`, the model of
# these sections, 0.7.
#
# **Predict first.** Throughout the course you write a prediction down before you see a result. Replace the `...` behind `answer=` and
# run the cell. A wrong prediction costs nothing, and it helps you to remember.

# %%
coloured = predict(
    "From which strength on is the car in colour?",
    answer=...,  # for example "0.8"
    options=("0.2", "0.4", "0.6", "0.8", "1.0"),
)
left = predict(
    "At strength 1.0: how much of the sketch is left in the noise, in per cent?", answer=...
)

# %%
strengths = [0.2, 0.4, 0.6, 0.8, 1.0]
row = []
for s in strengths:
    result = s2i.translate(
        sketches["car_by_hand"].path,
        "a car, noto style",
        pipe=pipe,
        strength=s,
        prepare="filled",
        seed=0,
    )
    row.append(([result.image], f"strength {s}"))
sheet = s2i.contact_sheet(row, columns=5, side=150)
s2i.show(
    sheet,
    alt="One sketch of a car at five strengths, from the grey sketch to a free picture.",
)
colour = [colourfulness(to_tensor(image)[None]).item() for (image,), _ in row]  # 0 is grey
print("colourfulness:", ", ".join(f"{c:.0f} at {s}" for c, s in zip(colour, strengths)))
coloured.compare(str(next(s for c, s in zip(colour, strengths) if c > max(colour) / 2)))

# %% [markdown]
# *In colour* means here: more than half as colourful as the most colourful of the five. `colourfulness` is 0 for grey. Lesson 10 says how
# it is calculated.
#
# At a low strength little noise is put on the sketch and few steps run. So the picture stays close to your lines, grey filling
# included. At 1.0 the model draws nearly what it likes. In between lies the place where your shape and its colours meet.
#
# You can ask beforehand what will run. All of it but the seconds is exact: it is worked out from the **noise schedule** that the run
# uses, a list that says how much noise there is at each step.

# %%
for s in strengths:
    plan = s2i.Settings("a car, noto style", strength=s).plan(pipe)
    print(f"strength {s}:", plan)
left.compare(100 * plan.sqrt_alpha_bar, unit="%", within=3)

# %% [markdown]
# Read one line.
#
# - The schedule has 1000 **timesteps** $t$, from $t = 0$, nearly clean, to $t = 999$, nearly pure noise. A run visits 20 of them at
#   most, and the $t$ in the line is the one where it starts.
# - $\sqrt{\bar\alpha}$, "root alpha bar" of lesson 2, is how much of the sketch is left there: at 46 % every line is still in the noise
#   with 46 % of its darkness.
# - An **evaluation** is one call of the model's neural network, which has the name **U-Net**. Lesson 4 builds one.
# - **ddim** is the name of the rule by which a step is made. Lesson 5 builds it.
# - **Guidance** is how firmly the prompt steers. Lesson 6 builds it.
#
# Even at strength 1.0 the run does not start at $t = 999$, and the sketch has not gone entirely. Lessons 2 and 5 show why.
#
# ## 3. Another seed
#
# The noise is drawn at random, but from a number that you choose, the **seed**. What does the seed decide? The cell below translates one
# sketch with seed 0, with seed 0 once more, and with the seeds 1 and 2.

# %%
seeded = predict(
    "Compared with the first picture with seed 0, what is the other one?",
    answer={"seed 0 again": ..., "seed 1": ...},
    options=("the same to the last pixel", "nearly the same", "clearly another picture"),
)

# %%
row = []
for seed in [0, 0, 1, 2]:
    result = s2i.translate(
        sketches["butterfly_by_hand"].path,
        "a butterfly, noto style",
        pipe=pipe,
        prepare="filled",
        seed=seed,
    )
    row.append(([result.image], f"seed {seed}"))
sheet = s2i.contact_sheet(row, columns=4, side=150)
s2i.show(
    sheet,
    alt="One butterfly sketch translated with seed 0 twice, then with seeds 1 and 2: three different butterflies.",
)


def compared(one, other):
    """Which of the three options two pictures are; the limit is a mean of 5 of 255 tones."""
    apart = (to_tensor(one) - to_tensor(other)).abs().mean().item() * 255 / 2
    near = "nearly the same" if apart < 5 else "clearly another picture"
    return "the same to the last pixel" if apart == 0 else near


first, again, another, _ = [image for (image,), _ in row]
seeded.compare({"seed 0 again": compared(first, again), "seed 1": compared(first, another)})

# %% [markdown]
# The same seed gives the same noise, and all else is calculation. So if you compare two strengths, keep the seed. If you change both, you
# cannot know which of them made the difference.
#
# **Now with sliders.** Drag them, and let go.

# %%
import ipywidgets

when_let_go = {"continuous_update": False}
choice = ipywidgets.Dropdown(options=list(sketches), value="strawberry", description="sketch")
words = ipywidgets.Text("a strawberry, openmoji style", description="prompt", **when_let_go)
strength = ipywidgets.FloatSlider(
    0.7, min=0.05, max=1.0, step=0.05, description="strength", **when_let_go
)
seed = ipywidgets.IntSlider(0, min=0, max=20, description="seed", **when_let_go)


def draw(sketch, prompt, strength, seed):
    try:
        result = s2i.translate(
            sketches[sketch].path,
            prompt,
            pipe=pipe,
            strength=strength,
            seed=seed,
            prepare="filled",
        )
    except s2i.InputError as error:
        print(error)
        return
    pictures = [result.sketch, result.image]
    sheet = s2i.contact_sheet([(pictures, str(result.plan))], columns=1, side=220)
    s2i.show(
        sheet, alt=f"{sketch} and its picture: {prompt}, strength {strength}, seed {seed}."
    )


s2i.interact(draw, sketch=choice, prompt=words, strength=strength, seed=seed)
# %% [markdown]
# If you choose another sketch, the words stay as they are: write them anew. What happens when sketch and words disagree? Try a
# *mushroom* sketch with the words *an umbrella*.
#
# ## 4. Your own sketch
#
# Draw on paper with a thick dark pen and photograph it, or use any paint program. Save the picture beside this notebook, as PNG or JPEG of
# any size. On Colab you drag the file onto the folder symbol on the left. Put its name below. As long as there is no such file, the cell
# draws a house with a few lines of code, which is a way to sketch too.

# %%
from pathlib import Path

from PIL import Image, ImageDraw

my_file = "my_sketch.png"
my_prompt = "a house, openmoji style"

if Path(my_file).is_file():
    print(f"your sketch: {my_file}")
    mine = s2i.open_sketch(my_file)
else:
    print(f"there is no {my_file} beside this notebook, so the house is drawn")
    mine = Image.new("RGB", (400, 400), "white")
    pen = ImageDraw.Draw(mine)
    roof = [(90, 190), (200, 80), (310, 190), (90, 190)]
    pen.line(roof, fill="black", width=12, joint="curve")
    pen.rectangle([110, 190, 290, 330], outline="black", width=12)  # the wall
    pen.rectangle([180, 250, 230, 330], outline="black", width=10)  # the door

result = s2i.translate(mine, my_prompt, pipe=pipe, prepare="filled", seed=9)
pictures = [result.sketch, result.prepared, result.image]
sheet = s2i.contact_sheet([(pictures, my_prompt)], columns=1)
s2i.show(
    sheet, alt=f"The sketch, the sketch filled grey, and the picture for: {my_prompt}."
)

# %% [markdown]
# The picture in the middle shows what `prepare="filled"` does: the regions that your lines enclose are filled with grey
# before the model sees them. A model that starts from your picture is called **img2img**, image to image. To such a model a line drawing is
# white paper with a few dark strokes. Filled, it has a body. Run the cell once more with `prepare="lines"` and compare.
#
# ## 5. Keep it
#
# A saved picture holds its settings and its sketch, so that exactly the same can be made again.

# %%
path = result.save("my_first_picture.png")
record = s2i.read_record(path)
print(record.settings)

# %% [markdown]
# From that file alone the command line makes the same picture again:

# %%
again = [
    sys.executable,
    "-m",
    "s2i_teach.cli",
    "translate",
    "--like",
    str(path),
    "--out",
    "again.png",
]
print(subprocess.run(again, capture_output=True, text=True).stdout)
print("the same to the byte:", Path("again.png").read_bytes() == path.read_bytes())

# %% [markdown]
# ## 6. When the sketch leads
#
# Until here the sketch was the *start*, and no more. After the first step nobody looked at it again. That is why strength
# is hard to set: with little of it your lines stay a sketch, with much of it they are lost.
#
# `"mini-scribble"` works in another way. It is the same model with a second network beside it. If you give no strength, it takes 1: it starts from nearly
# pure noise. But the second network looks at your lines at *every* step, and says where they are. No area need be filled. The prompts below name no style either.
#
# **Predict** two things over four sketches. In which of the pictures do the edges lie nearer to your lines? Which are more colourful?

# %%
leads = predict(
    "Over four sketches, for which pictures is it higher?",
    answer={"edges on your lines": ..., "colourfulness": ...},
    options=("where it was the start", "where it led"),
)

# %%
leading = s2i.load_pipeline("mini-scribble")

ways = ("where it was the start", "where it led")
groups, edges, colours = [], dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0.0)
for name in ["house", "mushroom", "butterfly_by_hand", "fish_by_hand"]:
    words = sketches[name].prompt.split(",")[0]
    start = s2i.translate(sketches[name].path, words, pipe=pipe, prepare="filled", seed=0)
    led = s2i.translate(sketches[name].path, words, pipe=leading, seed=0)
    groups.append(([start.sketch, start.image, led.image], words))
    for way, result in zip(ways, (start, led)):
        edges[way] += faithfulness(start.sketch, result.image).f1 / 4
        colours[way] += colourfulness(to_tensor(result.image)[None]).item() / 4
sheet = s2i.contact_sheet(groups, columns=1, side=170)
s2i.show(
    sheet, alt="Four sketches; beside each, its picture as a start and as a guide."
)
for way in ways:
    print(f"{way}: edges {edges[way]:.2f}, colourfulness {colours[way]:.0f}")
highest = {"edges on your lines": max(ways, key=edges.get), "colourfulness": max(ways, key=colours.get)}
leads.compare(highest)

# %% [markdown]
# On the left is the sketch. In the middle it was where the model started. On the right it led. The number for the edges is 1 if every edge
# of the picture lies on a line of the sketch and every line has its edge. Lesson 12 builds it and takes it apart.
#
# `"mini-scribble"` is what you get if you name no model, on the command line and in the studio. Lesson 14 builds such a second network.
# Why then do the lessons from here to 13 stay with the start? Because every other method stands on it: the noise, the steps, strength and
# guidance. And it needs no second network: any diffusion model can do it.
#
# ## 7. What you need to know
#
# For the lessons from 1 on:
#
# - **Python**: functions, loops, lists and dicts, and calculating with arrays in numpy or torch. In the exercises you write functions
#   of 1 to 15 lines.
# - **School mathematics**: functions and their graphs, vectors, mean and standard deviation, the first ideas of probability.
# - **English**: the sentences are short on purpose. Tell us which one you did not understand.
#
# Explained on the way: tensors and normal distributions in lesson 1, Bayes' rule, conditional means and the VAE in lesson 3, neural
# networks and their training in lesson 4, attention and CLIP in lesson 6, statistical tests in lesson 11. Every term and symbol
# stands in the glossary: `s2i.glossary("seed")` shows one of them.
#
# Each lesson begins with a line *You need* and says which earlier lessons it uses. Some test what **the thesis** says: a student's work
# on the subject of this course, from sketches to pictures with Stable Diffusion. We tell its statements in our words.
#
# ## Think about it
#
# Is a picture that your lines led still *yours*? What of it came from your hand, what from your words, and what from the
# people whose drawings the model was trained on? There is no right answer.
#
# ## Sources
#
# - Meng et al., *SDEdit: Guided Image Synthesis and Editing with Stochastic Differential Equations*, 2021,
#   arXiv 2108.01073: the idea of starting from a noisy sketch.
# - Zhang, Rao and Agrawala, *Adding Conditional Control to Text-to-Image Diffusion Models* (ControlNet), 2023,
#   arXiv 2302.05543: the second network.
# - Rombach et al., *High-Resolution Image Synthesis with Latent Diffusion Models*, 2021, arXiv 2112.10752: the model that
#   the miniature imitates.
#
# **Next:** lesson 1, *Pictures, tensors, noise, seeds*: what the computer sees when it sees your sketch.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** 5 minutes to run sections 1 to 3 with their predictions, 5 minutes of free play with the sliders, 2 minutes for section 4,
# 3 for sections 5 and 6. With bad Wi-Fi let everybody run the set-up cell before the lesson; afterwards nothing is downloaded.
#
# **What to listen for.** In section 2 many predict that strength makes pictures *better* or *smoother*. Let them find a
# sketch for which 0.4 is the best choice. Strength sets where on the noise schedule the denoising starts, no more. Most predict that
# at strength 1.0 nothing of the sketch is left.
#
# **Typical mistakes.** Changing the sketch and forgetting the prompt: the model then draws the prompt's thing into the
# other's outline. Judging two strengths with two different seeds. Taking a photograph in the evening, grey on yellow: a
# thick pen and daylight help.
