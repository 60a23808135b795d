# %% [markdown]
# # Lesson 11. Turning the knobs
#
# {{badge}}
#
# Papers, theses and forum posts are full of advice: set this to 4, more of that is better. In this lesson you take a list of eight
# settings and find out which of them do anything; you look at strength and guidance in one grid; and you test what is said of
# them, on fifty sketches. The question behind it: how do you know that a knob does what people say it does?
#
# | | |
# |---|---|
# | **You will** | try eight parameters; make a grid; write the two functions that decide whether a claim holds; decide on four claims |
# | **Time** | about 50 minutes, three exercises; the fifty sketches take one or two minutes of computing |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import math

import numpy as np
import torch
from PIL import ImageFilter
from skimage.measure import blur_effect

from s2i_teach.errors import InputError
from s2i_teach.evaluate.faithfulness import edge_scores
from s2i_teach.evaluate.realism import kernel_distance_interval, picture_features, real_features
from s2i_teach.images import to_picture, to_tensor
from s2i_teach.theory.measure import max_difference
from s2i_teach.theory.sampler import space_timesteps
from s2i_teach.training.pictures import load_pairs
from s2i_teach.data_sources.sample import pick
from s2i_teach.widgets.figures import curves, filmstrip, picture_row

lesson = s2i.lesson(11)
pipe = s2i.load_pipeline("mini", device="cpu", dtype="fp32")

# %% [markdown]
# ## 1. Eight parameters
#
# A thesis on this very subject, sketches to pictures with Stable Diffusion, lists what it set:
#
# | parameter | value | what the thesis says it is |
# |---|---|---|
# | `model_name_or_path` | | the model, or a folder |
# | `image_size` | (768, 512) | the size of the input picture |
# | `diffusion_steps` | 1000 | the number of diffusion steps to take |
# | `timestep_respacing` | 100 | the spacing of the time steps |
# | `start_scale` | 0 | the start scale of the diffusion |
# | `num_resolutions` | 4 | the number of resolutions |
# | `rescale_timesteps` | True | whether the time steps are rescaled between resolutions |
# | `use_fp16` | True | whether to use 16-bit precision |
#
# The list mixes names from three code bases, and not all of them are knobs. **Predict first:** for each one, if you change it and
# nothing else, does the picture change, stay the same to the last bit, or is the change refused because the model's weights fix it?

# %%
predicted = {}  # for instance {"image_size": "another picture", "start_scale": "nothing", "num_resolutions": "refused"}

# %% [markdown]
# One way to find out needs no theory: turn one knob, leave the rest, and compare. It only works if the same settings always give the
# same picture, so a fresh generator each time, which `s2i.translate` sees to. Write that test once, for any function `make` that
# gives a picture. `make()` is the picture as it was; `make(**change)` gives each value of the dict `change` to the argument of
# that name. What cannot be done raises `InputError`; every other error is a bug and should not be hidden.


# %% tags=["teacher"]
from collections.abc import Callable  # the library's signature names it


# %% tags=["exercise-what_it_does"]
def what_it_does(make, change):
    """ "refused", "nothing" or "another picture": what the dict change does to the picture of make."""
    ...


# %%
lesson.what_it_does.check(what_it_does)
what_it_does = lesson.what_it_does.use(what_it_does)


# %%
def thesis_picture(**change):
    """The picture of one sketch by the eight parameters, small and with few steps."""
    asked = {"image_size": (128, 128), "timestep_respacing": 10, "prompt": "a turtle, openmoji style"}
    made = s2i.Settings.from_thesis(**asked | change)
    return s2i.translate("turtle", pipe=made.pipe, **made.settings.to_dict()).image


tries = {
    "model_name_or_path": "mini-fast",
    "image_size": (128, 192),
    "diffusion_steps": 500,
    "timestep_respacing": 20,
    "start_scale": 1,
    "num_resolutions": 3,
    "rescale_timesteps": False,
    "use_fp16": False,
}
for name, value in tries.items():
    found = what_it_does(thesis_picture, {name: value})
    print(f"{name:>20} = {value!s:<12} {found:<16} you said: {predicted.get(name, 'nothing yet')}")

# %% [markdown]
# TODO
