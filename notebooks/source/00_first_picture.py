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
# | **You will** | turn a sketch into a picture, change the words, the strength and the seed, and see what each does |
# | **Time** | about 10 minutes |
# | **Hardware** | any computer: two CPU cores are enough, a GPU is not needed |
# | **Download** | none: the model (under 45 MB) comes with the course |
#
# The model is the *miniature*, `"mini"`: built like Stable Diffusion part by part, but small, and trained on drawings of things.
# The same code drives the real one, which is 50 times larger: you change its name, `"mini"` to `"sd15"`, on a computer with
# a GPU (a download of 2.7 GB, and prompts in plain words instead of our five styles). Section 6 looks at a second miniature.

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %% [markdown]
# ## 1. A sketch, some words, a picture
#
# `pipe` is the model with everything around it, a *pipeline*. `translate` takes a sketch and a prompt, which says what the
# picture shows. (`prepare="filled"` fills the shapes of the sketch with grey first; section 4 shows why.)

# %%
pipe = s2i.load_pipeline("mini")

sketch = "turtle"
sketches = {s.name: s for s in s2i.sketches()}
result = s2i.translate(
    sketches[sketch].path, "a turtle, openmoji style", pipe=pipe, prepare="filled", seed=0
)

words = f"{result.settings.prompt}: {result.seconds:.1f} s"
sheet = s2i.contact_sheet([([result.sketch, result.image], words)], columns=1)
s2i.show(sheet, alt="Left: a turtle in black lines. Right: the picture made from it.")

# %% [markdown]
# That was it. The model started from your sketch buried under noise, and removed the noise in small steps, each time
# steered by the words. Lessons 1 to 8 build every part of this by hand.
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
# `fluent style`, `flat style` and `twemoji style`. A colour goes before the thing: `a blue turtle, noto style`.

# %%
sketch = "cat_by_hand"
prompt = "an orange cat, noto style"

result = s2i.translate(sketches[sketch].path, prompt, pipe=pipe, prepare="filled", seed=0)
sheet = s2i.contact_sheet([([result.sketch, result.image], prompt)], columns=1)
s2i.show(sheet, alt=f"Left: the sketch {sketch}. Right: the picture made for: {prompt}.")

# %% [markdown]
# ## 2. The most important knob: strength
#
# `strength` is a number above 0 and up to 1. It says how deep the sketch is buried under noise before the denoising
# starts.
#
# **Predict first.** Before you run the next cell: what will the picture look like at strength 0.2? And at 1.0? Say it
# aloud, or write it down. Then run.

# %%
strengths = [0.2, 0.4, 0.6, 0.8, 1.0]
row = []
for s in strengths:
    result = s2i.translate(
        sketches["mushroom"].path,
        "a mushroom, openmoji style",
        pipe=pipe,
        strength=s,
        prepare="filled",
        seed=1,
    )
    row.append(([result.image], f"strength {s}"))
sheet = s2i.contact_sheet(row, columns=5, side=150)
s2i.show(
    sheet,
    alt="One mushroom sketch at five strengths, from the grey sketch to a free picture.",
)

# %% [markdown]
# At a low strength little noise is put on the sketch and few steps run. So the picture stays close to your lines, grey
# filling included. At 1.0 next to nothing of the sketch is left, and the model draws what it likes. In between lies the
# place where your shape and its colours meet.
#
# What will run can be asked beforehand. But for the seconds, nothing of it is an estimate: it is worked out from the very
# noise schedule that the run uses.

# %%
for s in strengths:
    print(
        f"strength {s}:", s2i.Settings("a mushroom, openmoji style", strength=s).plan(pipe)
    )

# %% [markdown]
# Read one line. The noise schedule has 1000 levels, from *t* = 0, nearly clean, to *t* = 999, nearly pure noise. A run visits
# 20 of them, and the *t* in the line is the one where it starts. √ᾱ ("root alpha bar") is how much of the sketch is left there: at
# 46 % every line is still in the noise with 46 % of its darkness. An *evaluation* is one call of the network, *guidance* the
# steering by the prompt. Even at strength 1.0 the run does not start at 999, and the sketch has not gone entirely. Lessons 2 and 5
# show why.
#
# ## 3. Another seed, another picture
#
# The noise is drawn at random, but from a number that you choose, the *seed*. The same seed gives the same noise and so
# the same picture; another seed gives another one. Who compares two strengths must keep the seed, or will not know which
# of the two made the difference.

# %%
row = []
for seed in [0, 1, 2]:
    result = s2i.translate(
        sketches["butterfly_by_hand"].path,
        "a butterfly, noto style",
        pipe=pipe,
        prepare="filled",
        seed=seed,
    )
    row.append(([result.image], f"seed {seed}"))
sheet = s2i.contact_sheet(row, columns=3, side=150)
s2i.show(
    sheet,
    alt="One butterfly sketch translated with three seeds: three different butterflies.",
)

# %% [markdown]
# **Now with sliders.** Drag them, and let go.

# %%
import ipywidgets

when_let_go = {"continuous_update": False}
choice = ipywidgets.Dropdown(options=list(sketches), value="sailboat", description="sketch")
words = ipywidgets.Text("a sailboat, noto style", description="prompt", **when_let_go)
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


_ = ipywidgets.interact(draw, sketch=choice, prompt=words, strength=strength, seed=seed)
# %% [markdown]
# Choosing another sketch does not change the words: write them anew. What happens when sketch and words disagree? Try a
# *mushroom* sketch with the words *an umbrella*.
#
# ## 4. Your own sketch
#
# Draw on paper with a thick dark pen and photograph it, or use any paint program, and save the picture beside this
# notebook (on Colab: the folder symbol on the left, then drag the file there), as PNG or JPEG of any size. Put its name
# below. As long as there is no such file, the cell draws a house with a few lines of code, which is a way to sketch too.

# %%
from pathlib import Path

from PIL import Image, ImageDraw

my_file = "my_sketch.png"
my_prompt = "a house, openmoji style"

if Path(my_file).is_file():
    print(f"your sketch: {my_file}")
    mine = s2i.open_sketch(my_file)
else:
    print(f"there is no {my_file} in {Path.cwd()}, so the house is drawn")
    mine = Image.new("RGB", (400, 400), "white")
    pen = ImageDraw.Draw(mine)
    roof = [(90, 190), (200, 80), (310, 190), (90, 190)]
    pen.line(roof, fill="black", width=12, joint="curve")
    pen.rectangle([110, 190, 290, 330], outline="black", width=12)  # the wall
    pen.rectangle([180, 250, 230, 330], outline="black", width=10)  # the door

result = s2i.translate(mine, my_prompt, pipe=pipe, prepare="filled", seed=3)
pictures = [result.sketch, result.prepared, result.image]
sheet = s2i.contact_sheet([(pictures, my_prompt)], columns=1)
s2i.show(
    sheet, alt=f"The sketch, the sketch filled grey, and the picture for: {my_prompt}."
)

# %% [markdown]
# The picture in the middle shows what `prepare="filled"` does: the regions that your lines enclose are filled with grey
# before the model sees them. To a model that starts from your picture (*img2img*, image to image) a line drawing is white
# paper with a few dark strokes; filled, it has a body. Run the cell once more with `prepare="lines"` and compare.
#
# ## 5. Keep it
#
# A saved picture holds its settings and its sketch, so that it can be made again, to the last pixel.

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
# A second miniature, `"mini-scribble"`, works in another way. It starts from noise. But a second network stands beside the
# first, looks at your lines at *every* step, and says where they are. So the shape comes from you at every strength, and no
# area need be filled. The prompts below name no style either.
#
# **Predict first.** Which of the two keeps the shape of the house better? Which has the better colours?

# %%
leading = s2i.load_pipeline("mini-scribble")

groups = []
for name in ["house", "mushroom", "butterfly_by_hand", "fish_by_hand"]:
    words = sketches[name].prompt.split(",")[0]
    start = s2i.translate(sketches[name].path, words, pipe=pipe, prepare="filled", seed=0)
    led = s2i.translate(sketches[name].path, words, pipe=leading, seed=0)
    groups.append(([start.sketch, start.image, led.image], words))
sheet = s2i.contact_sheet(groups, columns=1, side=170)
s2i.show(
    sheet, alt="Four sketches; beside each, its picture as a start and as a guide."
)

# %% [markdown]
# On the left is the sketch. In the middle it was where the model started. On the right it led. `"mini-scribble"` is what you
# get if you name no model, on the command line and in the studio. Lesson 14 builds such a second network.
#
# Why then do the lessons from here to 13 stay with the start? Because every other method stands on it: what a noise level is,
# what a step does, and what strength and guidance are. And it needs no second network: any diffusion model can do it.
#
# ## Think about it
#
# Is a picture made at strength 0.9 still *yours*? What of it came from your hand, what from your words, and what from the
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
# **Pacing.** 3 minutes to run sections 1 to 3, 5 minutes of free play with the sliders, 2 minutes for section 4. With
# bad Wi-Fi let everybody run the set-up cell before the lesson; afterwards nothing is downloaded.
#
# **What to listen for.** In section 2 many predict that strength makes pictures *better* or *smoother*. Let them find a
# sketch for which 0.4 is the best choice. Strength sets where on the noise schedule the denoising starts, no more.
#
# **Typical mistakes.** Changing the sketch and forgetting the prompt (the model then draws the prompt's thing into the
# other's outline); judging two strengths with two different seeds; taking a photograph in the evening, grey on yellow: a
# thick pen and daylight help.
