# %% [markdown]
# # Lesson 19. Few steps
#
# {{badge}}
#
# Some models draw in four steps, some in one. Their names are Turbo, Lightning, LCM, Hyper, schnell, klein. What was done to them, and
# what did it cost? In this lesson you find out why few steps blur, teach three students in the plane to do without many, and look
# behind the names. Then you open the other thing that students learn by heart: guidance.
#
# | | |
# |---|---|
# | **You will** | see why four steps blur even with a perfect network, build the targets of progressive distillation, consistency and distribution matching, train a student by each, spot a published bug, read which method lies behind which model, measure the miniature in four steps, find out that guidance does not reach what it aims at, and run four kinds of guidance side by side; five checked exercises |
# | **Time** | two sittings: 65 minutes for sections 1 to 5, four exercises; 50 minutes for sections 6 to 9, one exercise |
# | **You need** | $v$ and the perfect denoiser of lesson 3, DDIM of lesson 5, guidance of lesson 6, the figures of lesson 12, the paths of lesson 18 |
# | **Hardware** | any computer, two CPU cores are enough |
# | **Download** | none |

# %% tags=["setup"]
# (made from the template in notebooks/build.py)

# %%
import copy
import time
from collections import deque
from collections.abc import Callable  # the library's lines name this
from itertools import pairwise

import torch

from s2i_teach.lessons import predict
from s2i_teach.theory.consistency import boundary, lcm_step, lcm_timesteps
from s2i_teach.theory.distil import jump, turned
from s2i_teach.theory.few_steps import (
    consistent,
    distil_consistency,
    distil_segments,
    follow_student,
    follow_teacher,
)
from s2i_teach.theory.ideal import ideal_eps, weights
from s2i_teach.theory.matching import distil_distribution
from s2i_teach.theory.measure import max_difference
from s2i_teach.theory.plane import PlaneNet, heart, mean_distance, moons
from s2i_teach.theory.sampler import ddim_step, levels_of, spaced_timesteps
from s2i_teach.theory.schedule import alphas_cumprod, scaled_linear_betas
from s2i_teach.theory.training import train
from s2i_teach.widgets.figures import scatter, trails

torch.set_num_threads(1)  # these networks are too small for two
lesson = s2i.lesson(19)
alpha_bar = alphas_cumprod(scaled_linear_betas())  # Stable Diffusion's schedule, lesson 2
data = heart(100)
outline = heart(400)  # the same heart, finely drawn, to measure distances
noise = torch.randn(1000, 2, generator=torch.Generator().manual_seed(5))

# %% [markdown]
# # First sitting: three ways to be quick
#
# ## 1. Why four steps blur
#
# A network that has learned badly makes bad pictures. So let us exclude that. The denoiser of this section is *perfect*: for a hundred
# points on a heart it can be written down (lesson 3). The sampler is DDIM without fresh noise (lesson 5). Only the number of steps changes.
#
# Two numbers tell what comes out. **Off** is how far a made point lies from the heart, on average. **Missed** is the other direction: how far a
# place of the heart is from the nearest made point. A blurred crowd is off. A crowd that forgot half of the heart misses it.

# %%
off = predict(
    "Four steps instead of 64, with a perfect denoiser. How many times as far off the heart are the points?",
    answer=...,
    options=("less than 3 times", "3 to 10 times", "more than 10 times"),
)


# %%
def teacher(x, a):
    """The perfect ε̂ at the noise level a."""
    return ideal_eps(x, data, a)


def stops(n):
    """n timesteps from 999 down, evenly spaced."""
    return spaced_timesteps(n, 1000, "trailing")


def told(points):
    return f"off {mean_distance(points, outline):.3f}, missed {mean_distance(outline, points):.3f}"


by_steps = {n: follow_teacher(teacher, noise, levels_of(alpha_bar, stops(n))) for n in (1, 2, 4, 8, 16, 64)}
for n, points in by_steps.items():
    print(f"{n:>2} steps: {told(points)}")
times = mean_distance(by_steps[4], outline) / mean_distance(by_steps[64], outline)
print(f"four steps are {times:.0f} times as far off as 64")
off.compare(off.options[0 if times < 3 else 1 if times <= 10 else 2])


# %%
def path(x, n):
    """Every place on the way of n steps, (n + 1, B, 2)."""
    places = [x]
    for a, a_next in pairwise(levels_of(alpha_bar, stops(n))):
        places.append(ddim_step(places[-1], teacher(places[-1], a), a, a_next))
    return torch.stack(places)


some = noise[:7]
figure, alt = trails({"64 steps": path(some, 64), "4 steps": path(some, 4)}, dots={"data": data}, size=4)
s2i.show(figure, alt=f"The same seven starts. {alt}")

# %% [markdown]
# The fine paths are bent. At first there is only noise, and the best guess of the picture is the middle of everything. So a path begins towards the middle. Later the guess is
# sure, and the path turns towards one place on the outline. A long step does not turn. It keeps to the guess that was made
# where it began. **The guess is a mean of all that could be. A short step in its direction is right. A long step lands on the mean.**
#
# ### What a student could know
#
# Is there a way out? One step from pure noise ends in the middle, and no training makes a denoiser better than perfect. But one can ask for something
# else: where does the path from this noise end? Compare the two questions. Take one noise. The next cell draws two hundred clean points that could have become it. A likely
# point is drawn more often. Then the cell follows the fine path from the same noise two hundred times. It prints how widely both are spread.

# %%
a_top = alpha_bar[999].item()
one = noise[:1]
which = torch.multinomial(weights(one, data, a_top)[0], 200, replacement=True, generator=torch.Generator().manual_seed(0))
ends = follow_teacher(teacher, one.expand(200, 2), levels_of(alpha_bar, stops(64)))
print(f"clean points that could have become this noise: spread {data[which].std(0).norm():.2f}")
print(f"where the fine path from this noise ends:       spread {ends.std(0).norm():.2f}")

# %% [markdown]
# For a denoiser the answer is widely spread, so it learns a mean. For a path without fresh noise the answer is **one point**. A mean of
# one point is the point. So a network can learn the path's end, if it is trained for *that* question. This is distillation of steps, which you
# met in lesson 15. The many-step sampler is the *teacher*, and the network that jumps is the *student*.
#
# ## 2. Arrive where the teacher arrives
#
# **Progressive distillation** (Salimans and Ho 2022) lets the teacher make two steps. The student learns to reach the same place in one. Then the
# student becomes the teacher of the next one: 64 steps, 32, 16, 8, 4.
#
# We do all halvings at once. The path is cut into four segments. In each the teacher makes eight steps, from $x_t$ to $x_s$. So this teacher has 32 steps in all.
# What must the student say at $x_t$, so that *one* step of DDIM leads to $x_s$?
#
# Write DDIM with $v$ (lesson 3). Let $\cos\varphi = \sqrt{\bar\alpha}$ and $\sin\varphi = \sqrt{1-\bar\alpha}$. A step from the angle
# $\varphi_t$ to the smaller $\varphi_s$ is a turn by $\Delta = \varphi_t - \varphi_s$:
#
# $$x_s = \cos\Delta \; x_t \;-\; \sin\Delta \; v .$$
#
# `turned(a, a_next)` gives $\cos\Delta$ and $\sin\Delta$. Now $x_t$ and $x_s$ are known. What is $v$?


# %% tags=["exercise-one_step_target"]
def one_step_target(x_t, x_s, a, a_next):
    """The v with which one step of DDIM from x_t (ᾱ = a) lands at x_s (ᾱ = a_next): (B, …)."""
    ...


# %%
lesson.one_step_target.check(one_step_target)
one_step_target = lesson.one_step_target.use(one_step_target)
x_t, levels = noise[:5], levels_of(alpha_bar, stops(32))[:9]  # eight of the teacher's steps
x_s = follow_teacher(teacher, x_t, levels)
once = jump(x_t, one_step_target(x_t, x_s, levels[0], levels[-1]), levels[0], levels[-1])
print(f"One step by your v and the teacher's eight end {max_difference(once, x_s):.0e} apart.")

# %% [markdown]
# Now the training. First a network learns to denoise in the ordinary way, as in lesson 4. Every student starts as a copy of it. That is
# how it is done with large models as well: the student has the teacher's weights to begin with. Then it learns your target in the four segments.

# %%
student_off = predict(
    "After training, the student's four steps are off by…",
    answer=...,
    options=("as much as four steps of the teacher", "about half of that", "less than a quarter"),
)


# %%
def last(updates):
    """Run a training to its end."""
    return deque(updates, maxlen=1)[0]


def some_data(n, generator):
    return data[torch.randint(len(data), (n,), generator=generator)]


def like_the_teacher():
    """A new student: a copy of the network that learned to denoise."""
    return copy.deepcopy(denoiser).requires_grad_(True).train()


started = time.perf_counter()
torch.manual_seed(0)
denoiser = last(
    train(PlaneNet(), data, alpha_bar, steps=1500, batch_size=128, kind="v_prediction", lr=2e-3)
).averaged
ordinary = follow_student(denoiser, noise, alpha_bar, stops(4))
print(f"the denoiser learned in {time.perf_counter() - started:.0f} s; its own four steps: {told(ordinary)}")
started = time.perf_counter()
segments = last(
    distil_segments(like_the_teacher(), teacher, some_data, alpha_bar, steps=800, batch_size=128, teacher_steps=8)
).averaged
four = follow_student(segments, noise, alpha_bar, stops(4))
print(f"the student in {time.perf_counter() - started:.0f} s;  its four steps:             {told(four)}")
figure, alt = scatter(
    {"teacher, 4 steps": {"made": by_steps[4]}, "student, 4 steps": {"made": four}, "teacher, 64 steps": {"made": by_steps[64]}}
)
s2i.show(figure, alt=alt)
part = mean_distance(four, outline) / mean_distance(by_steps[4], outline)
student_off.compare(student_off.options[2 if part < 0.25 else 1 if part < 0.75 else 0])

# %% [markdown]
# The student is as large as the denoiser, and makes as many evaluations. Only the question was another one. Some of its points still lie inside the heart. There the teacher's
# paths part: noises side by side end far from each other. A smooth network bridges such a gap.
#
# And the student's points are the *teacher's own* points. The next line compares them one by one.

# %%
own = (four - by_steps[64]).norm(dim=1).mean().item()
other = (four - by_steps[64].roll(1, 0)).norm(dim=1).mean().item()
print(f"from the student's point to the teacher's of the same noise: {own:.2f}; to that of another noise: {other:.2f}")

# %% [markdown]
# ## 3. The same answer all along the path
#
# In section 2 the teacher made eight steps for each target. **Consistency models** (Song et al. 2023) need one short step of it. The idea: take the function
# $f(x_t, t)$ that jumps from a place on a path to the path's end. From all places of one path it gives the same end. This is the **consistency function**. So ask for just that:
# *neighbours on a path must get the same answer.*
#
# One thing has to be pinned down, or "always 0" would be a perfect answer. At $t = 0$ nothing is left to be done, so $f(x, 0) = x$. It is built in, by
# two factors:
#
# $$f(x_t, t) = c_\text{skip}(t)\; x_t + c_\text{out}(t)\; \hat x_0 .$$
#
# $\hat x_0$ is the network's guess. `boundary(t)` gives $c_\text{skip}$ and $c_\text{out}$. They are 1 and 0 at $t = 0$, and soon nearly 0 and 1.


# %% tags=["exercise-consistency_function"]
def consistency_function(x_t, x0, t):
    """c_skip · x_t + c_out · x0, where x0 is the network's guess of the picture: (B, …)."""
    ...


# %%
lesson.consistency_function.check(consistency_function)
consistency_function = lesson.consistency_function.use(consistency_function)

# %% [markdown]
# Now the target. From $x_t$ the teacher makes one short step, to $x_s$. There an **averaged copy** of the student is asked. Its weights are a running mean of the student's
# weights. What it says is what the student should say at $x_t$. No gradient may flow into the target.
#
# `averaged(x, t)` is the copy's $f$. The two factors are in it already. `ddim_step(x_t, eps, a, a_next)` is the teacher's step.


# %% tags=["exercise-consistency_target"]
def consistency_target(x_t, eps, averaged, a, a_next, t_next):
    """What f(x_t, t) is to become: the averaged copy's answer one step of the teacher further. (B, …)"""
    ...


# %%
lesson.consistency_target.check(consistency_target)
consistency_target = lesson.consistency_target.use(consistency_target)

# %% [markdown]
# Is the averaged copy needed? The student could be its own target. Try both. The first student has a copy that keeps 90 % of itself at each update, the
# second is its own target.

# %%
which_target = predict(
    "One step from noise. Which student is nearer to the heart?",
    answer=...,
    options=("with an averaged copy", "its own target", "about equal"),
)

# %%
one_step, made_by = {}, {}
for name, decay in {"with an averaged copy": 0.9, "its own target": 0.0}.items():
    started = time.perf_counter()
    student = like_the_teacher()
    last(
        distil_consistency(
            student, teacher, some_data, alpha_bar, steps=1200, batch_size=128, origins=20, decay=decay, lr=2e-3
        )
    )
    with torch.no_grad():
        one_step[name] = consistent(student, noise, alpha_bar, 999)
    made_by[name] = student
    print(f"{name:>21}, {time.perf_counter() - started:.0f} s: one step is {told(one_step[name])}")
figure, alt = scatter({"teacher, 1 step": {"made": by_steps[1]}} | {name: {"made": points} for name, points in one_step.items()})
s2i.show(figure, alt=f"One step from noise. {alt}")
near, far = (mean_distance(points, outline) for points in one_step.values())
which_target.compare("with an averaged copy" if near < 0.8 * far else "its own target" if far < 0.8 * near else "about equal")

# %% [markdown]
# The student that runs after itself takes its own mistakes for the truth. Each update moves the target, so an error at one noise level is handed on to the next. The average is slow and
# smooth. There are other cures: later work goes without a copy and makes the training calm by other means (Song and Dhariwal 2023, Lu and Song 2024).
# The miniature may have met the same. In a first try the student was its own target. It learned to leave the noise in, and was thrown away.
#
# ### Several steps, and a bug
#
# A consistency student draws in one step. Can more steps help it? LCM's sampler does it so: jump to the picture, add *fresh* noise, less than before, and jump again. You know
# this sampler from lesson 9. Luo et al. (2023) published it together with their student.
#
# The first version in diffusers had a bug, which was repaired in November 2023 (pull request 5681). Here is the core of its step. Predict what its points look like, and find the line.

# %%
looks = predict(
    "Four steps of this sampler, compared with four of the repaired one:",
    answer=...,
    options=("the same", "further off the heart", "nearer to the heart"),
)


# %%
def first_version(student, x, timesteps, generator):
    for i, t in enumerate(timesteps):
        t_next = timesteps[i + 1] if i + 1 < len(timesteps) else t
        picture = consistent(student, x, alpha_bar, t)
        a_next = alpha_bar[t_next].item()
        if len(timesteps) > 1:  # noise is not used for one-step sampling
            fresh = torch.randn(x.shape, generator=generator)
            x = a_next**0.5 * picture + (1 - a_next) ** 0.5 * fresh
        else:
            x = picture
    return x


def repaired(student, x, timesteps, generator):
    levels = levels_of(alpha_bar, timesteps)  # 1 at the end: no noise
    for t, a, a_next in zip(timesteps, levels, levels[1:]):
        v = student(x, torch.full((len(x),), t))
        eps = a**0.5 * v + (1 - a) ** 0.5 * x
        x = lcm_step(x, eps, t, a, a_next, torch.randn(x.shape, generator=generator))
    return x


student = made_by["with an averaged copy"]
with torch.no_grad():
    makers = {"first version": first_version, "repaired": repaired}
    by_lcm = {
        name: maker(student, noise, lcm_timesteps(4), torch.Generator().manual_seed(9)) for name, maker in makers.items()
    }
figure, alt = scatter({name: {"made": points} for name, points in by_lcm.items()})
s2i.show(figure, alt=alt)
for name, points in by_lcm.items():
    print(f"{name:>13}: {told(points)}")
far, near = (mean_distance(points, outline) for points in by_lcm.values())
looks.compare("further off the heart" if far > 1.2 * near else "nearer to the heart" if near > 1.2 * far else "the same")

# %% [markdown]
# First the question above: do more steps help? Compare the repaired sampler's line with the student's one step. It misses a little less, but is no nearer to the heart. Each jump starts
# afresh from a noisier place, so the last jump's own mistake stays. This student's few seconds of training leave such mistakes.
#
# Now the bug. At the last step there is no next timestep. So `t_next` stays `t`, and noise is added once more: the picture is noised again just before it is handed out. The comment
# thinks of one step only. The rule that is right asks whether *this* step is the last.
#
# Nobody saw it at first, for LCM's own pipeline did not take `x`. It took `picture`, which the step returned as well. In any other pipeline the pictures came out noisy. A test of the scheduler
# alone, with a student that says the truth, would have shown it.
#
# ## 4. Not the same picture, the same crowd
#
# Must the student make the teacher's *own* picture of a noise? For a viewer that is of no use. It is enough if all its pictures together
# look like all the teacher's pictures together. This is **distribution matching** (Yin et al. 2023, DMD).
#
# How can one tell where the crowds differ? By scores (lesson 18). At each place the score of the real crowd points to where real pictures get denser. The score of the
# student's own crowd points to where its own pictures get denser. A picture should go along the difference: **to where there are more real ones than made ones**.
#
# In guesses instead of scores: add noise to a made picture $x_0$. Let the teacher guess it, $\hat x_0^\text{real}$. Let a second network guess it as well, $\hat x_0^\text{fake}$. That
# network knows nothing but the student's pictures, and it learns all the time. The gradient is
#
# $$g = \frac{\hat x_0^\text{fake} - \hat x_0^\text{real}}{\text{mean}\,\lvert x_0 - \hat x_0^\text{real}\rvert} .$$
#
# The student makes a step *against* $g$. The mean below the line is over all numbers of one picture. It makes all noise levels count alike.


# %% tags=["exercise-distribution_matching_gradient"]
def distribution_matching_gradient(x0, real_x0, fake_x0):
    """g for made pictures x0 and the two guesses of them after noise was added, all (B, …) → (B, …)."""
    ...


# %%
lesson.distribution_matching_gradient.check(distribution_matching_gradient)
distribution_matching_gradient = lesson.distribution_matching_gradient.use(distribution_matching_gradient)

# %%
same_picture = predict(
    "Does a student by distribution matching make the teacher's own point of each noise?",
    answer=...,
    options=("yes, nearly", "no, others"),
)

# %%
started = time.perf_counter()
_, matching = last(
    distil_distribution(like_the_teacher(), teacher, like_the_teacher(), data[0], alpha_bar, steps=600, batch_size=128)
)
matched = follow_student(matching, noise, alpha_bar, [999])
print(f"{time.perf_counter() - started:.0f} s\n")
ways = {
    "teacher, 64 steps": by_steps[64],
    "teacher, 4 steps": by_steps[4],
    "teacher, 1 step": by_steps[1],
    "segments, 4 steps": four,
    "consistency, 1 step": one_step["with an averaged copy"],
    "matching, 1 step": matched,
}
apart = {name: (points - by_steps[64]).norm(dim=1).mean().item() for name, points in ways.items()}
for name, points in ways.items():
    print(f"{name:>20}: {told(points)}, from the teacher's own point {apart[name]:.2f}")
figure, alt = scatter({name: {"made": points} for name, points in ways.items()}, rows=2, size=3)
s2i.show(figure, alt=alt)
same_picture.compare("yes, nearly" if apart["matching, 1 step"] < 2 * apart["consistency, 1 step"] else "no, others")

# %% [markdown]
# Read the three columns together. Among the students, the one of the segments is first in each of them, but it takes four steps. Of the two that take one step, consistency keeps close to the
# teacher's own points. Matching does not try to, and its points lie several times as far from them. Its crowd covers the heart, and is still blurred. These trainings took
# seconds, and each has settings that were not searched for. So this is no ranking of the methods. It shows *what each is after*.
#
# A fourth way has a judge that learns. An **adversarial** loss asks a discriminator whether a picture is real or made, as in the GANs of lesson 16. A blurred picture is
# easily told from a real one. So this loss punishes just what few steps do wrong. It is seldom used alone: a second loss keeps the student near the teacher.
#
# ## 5. Which lies behind which?
#
# The table was written from the papers and from the makers' own pages. The sources stand at the end of the lesson. None of these models was run for it.
#
# | model | made from | method | steps |
# |---|---|---|---|
# | SD-Turbo, SDXL-Turbo | SD 2.1, SDXL | adversarial diffusion distillation (ADD): a discriminator, and score distillation from a teacher | 1 to 4 |
# | LCM-LoRA | SD 1.5, SDXL, SSD-1B | latent consistency distillation with a guided teacher; the change is a file of its own, a LoRA (lesson 20) | 2 to 8 |
# | SDXL-Lightning | SDXL | progressive distillation with an adversarial loss; a file for each number of steps | 1, 2, 4, 8 |
# | Hyper-SD | SD 1.5, SDXL; later SD 3, FLUX.1 dev | consistency within segments that get fewer, human feedback, and score distillation for one step | 1 to 8; later files up to 16 |
# | DMD2 | SDXL | distribution matching, with a discriminator added | 1 and 4 |
# | FLUX.1 schnell | FLUX.1 | latent adversarial diffusion distillation (LADD) | 1 to 4 |
# | FLUX.1 dev | FLUX.1 | guidance is distilled, steps are not | many |
# | FLUX.2 klein | FLUX.2 klein Base | steps and guidance are distilled; its makers' page names no method | 4 |
# | `mini-distilled` | `mini` | segments, as in section 2, with a guided teacher; a LoRA | 4 |
# | `mini-fast` | `mini` | **none** | 4 |
#
# *Score distillation* moves the student's pictures by a score of the teacher, as section 4 does. *Human feedback*: people said which pictures they prefer, and
# the student is trained towards these.
#
# Look at the last row of the table. `mini-fast` sounds like a student and is none. It has the same weights as `mini`, to the last bit. What it has of LCM is the sampler,
# which was made for consistency students: it jumps to the guess, and noises it again. Does that help a network that was never distilled? You will measure it.
#
# **A student knows its stops.** It learned its answer for certain timesteps. Run it at others, and it was never trained there. The page of DMD2 warns that the LCM scheduler's
# default timesteps are not those of its training, and sets four by hand. That of SDXL-Lightning asks for the file that fits the number of steps.

# %% [markdown]
# # Second sitting: what guidance does
#
# ## 6. The miniature in four steps
#
# Eight things, two seeds each, by every way that is there. *Named* is the share of pictures in which lesson 12's judge names the thing, out of 286. *Variety* is how far the two
# pictures of one thing are from each other, on features of the small CLIP. *Runs* are runs of the U-Net per picture, two a step where the model is guided.

# %%
from PIL import Image

from s2i_teach.evaluate.realism import picture_features
from s2i_teach.lessons.guided import guided_pictures, worsened
from s2i_teach.lessons.styles import named_share
from s2i_teach.models.schedulers import make_scheduler
from s2i_teach.theory.guidance import classifier_free_guidance, guidance_at
from s2i_teach.theory.guided_density import aimed_log_density, aimed_variance, reached_variance
from s2i_teach.theory.score import mixture_log_density, mixture_score
from s2i_teach.theory.solvers import euler, karras_sigmas
from s2i_teach.training.vocabulary import with_article
from s2i_teach.widgets.figures import filmstrip

things = ["strawberry", "rocket", "penguin", "carrot", "cactus", "key", "pizza", "whale"]
prompts = [with_article(thing) for thing in things]
blank = Image.new("RGB", (128, 128), "white")
ways = {
    "mini, 20 steps": dict(pipe="mini"),
    "mini, 4 steps": dict(pipe="mini", num_inference_steps=4),
    "mini-fast, 4 steps": dict(pipe="mini-fast"),
    "mini-distilled, 4 steps": dict(pipe="mini-distilled"),
}

# %%
better = predict(
    "Mini in four steps of DDIM and mini-fast, sixteen pictures each: which has more things named?",
    answer=...,
    options=("mini, by three or more", "mini-fast, by three or more", "no clear difference"),
)

# %%
rows, named = {}, {}
for name, settings in ways.items():
    pipe = s2i.load_pipeline(settings["pipe"], device="cpu", dtype="fp32")
    if settings.get("num_inference_steps"):  # its few steps start at the top, as the others' do
        pipe.scheduler = make_scheduler("ddim", pipe.scheduler, 4)
        pipe.scheduler.register_to_config(timestep_spacing="trailing")
    started = time.perf_counter()
    made = s2i.sweep(blank, prompts=prompts, strength=1.0, seeds=[0, 1], quiet=True, **settings | dict(pipe=pipe))
    seconds = (time.perf_counter() - started) / len(made)
    first, second = ([made.result(prompt=p, seed=seed).image for p in prompts] for seed in (0, 1))
    variety = (picture_features(first) - picture_features(second)).norm(dim=1).mean().item()
    rows[name], named[name] = first, named_share(first + second, things * 2)
    runs = made.results[0].plan.evaluations * (2 if made.results[0].settings.guidance_scale > 1 else 1)
    print(f"{name:>23}: named {named[name]:.0%}, variety {variety:.1f}, {runs:>2} runs, {seconds:.2f} s a picture")
sheet, alt = filmstrip(rows, things, side=92, steps=False)
s2i.show(sheet, alt=f"Pictures from words alone. {alt}")
gap = round(len(things) * 2 * (named["mini, 4 steps"] - named["mini-fast, 4 steps"]))  # in pictures
better.compare(better.options[0 if gap > 2 else 1 if gap < -2 else 2])

# %% [markdown]
# Sixteen pictures prove little: two of them more or less are within chance (lesson 12). So here are larger figures, of forty things, twice each (`python -m benchmarks.few_steps`, November 2026). *Fréchet*, precision and recall are lesson 12's figures,
# against real pictures of all kinds of things.
#
# | model | guidance | runs | named | Fréchet | precision | recall | variety |
# |---|---:|---:|---:|---:|---:|---:|---:|
# | `mini`, 20 steps | 4 | 40 | 95 % | 20.0 | 0.86 | 0.75 | 3.7 |
# | `mini`, 4 steps of DDIM from t = 999 | 4 | 8 | 99 % | 22.1 | 0.91 | 0.74 | 4.2 |
# | `mini`, 4 steps of DDIM, its own stops | 4 | 8 | 80 % | 24.4 | 0.86 | 0.68 | 5.7 |
# | `mini-fast`, 4 steps of LCM's sampler | 4 | 8 | 95 % | 21.1 | 0.90 | 0.71 | 4.5 |
# | `mini-fast`, as it comes | 2.5 | 8 | 96 % | 21.5 | 0.91 | 0.78 | 3.6 |
# | `mini-distilled`, 4 steps | 1 | 4 | 93 % | 25.9 | 0.94 | 0.72 | 4.4 |
# | `mini-distilled`, 8 steps | 1 | 8 | 89 % | 23.5 | 0.94 | 0.76 | 4.7 |
# | `mini-distilled`, guided again | 4 | 8 | 90 % | 21.6 | 0.96 | 0.64 | 3.9 |
#
# With eighty pictures, 93 % to 99 % are hardly different. What four steps cost shows elsewhere: all rows of four steps lie further from real pictures than twenty steps do. The judge asks what a picture shows. It does
# not ask how well. And `mini-fast` is *hardly different* from plain DDIM, if both begin at the top. DDIM's own stops begin with less noise, at t = 751. From pure noise that goes wrong. The course's first test
# compared LCM's sampler with those stops, and gave the merit to the sampler. Where a sampler stops is as much a part of it as its formula.
#
# And the student? Look at the sheet: most of its pictures are those of `mini` with the same noise. It runs the network half as often as the other rows of four steps. It has about as many things named as they have, if they begin at the top. But in the table
# its pictures lie further from real ones than all others. There is a reason: **a student knows the teacher that it had.** The student was taught by this U-Net at an earlier stage. The U-Net was trained further, and the student's file was kept. With its own teacher
# it had a Fréchet distance of 24.4, and plain DDIM at the same stops had 26.7. So the training did bring the pictures nearer to real ones. What a picture shows was another matter: 68 % were named, and 71 % with DDIM. There the stops were worth more than the training.
# Our pictures are small and simple. So this says nothing of larger models.
#
# ### What a student gives up
#
# - **The slider.** The student learned its teacher's *guided* steps. Guidance is in its answers. To guide it again is to guide twice. The last row of the table did it: the pictures of one thing
#   become more alike, and the colours glare. Their colourfulness is 83, against 79.
# - **The negative prompt.** It works by being compared with (lesson 13). At guidance 1 nothing is compared, and no evaluation is spent on it. So it has no place to enter. Hyper-SD has files that keep both, with 8 and 12 steps for
#   SD 1.5 and SDXL. They pay two evaluations a step for it.
# - **More steps.** For a denoiser more steps are better. A student of four steps was trained at four stops. Ours bears eight, as the table shows. Nobody promised that.
# - **Variety.** Guidance takes variety away, and the student has learned guided pictures. A loss that follows the teacher noise by noise keeps what variety the teacher has. A loss on the crowd or by a
#   discriminator may drop rare kinds: this is the mode collapse of lesson 12.
#
# ## 7. What guidance aims at
#
# Lesson 6 steered along the difference of two predictions. Why should that be right? There is an argument, and it is in many papers. The difference of the two scores is
# $\nabla\log p(x \mid c) - \nabla\log p(x) = \nabla \log p(c \mid x)$, by Bayes' rule. So the guided score is the gradient of
#
# $$\log p(x) + s \,\log p(c \mid x) .$$
#
# It looks as if guidance draws pictures from $p(x)\,p(c \mid x)^s$: pictures in which the words are recognised $s$ times as surely. Does it?
#
# Take a case that can be solved on paper. Both crowds are bell curves around 0. With the words the variance is $m = 1$, without them it is $o = 2$. The aimed density is then a bell curve as well, of variance
# $1 / (s/m + (1-s)/o)$. The guided ODE can be solved too. First guess what it gives.

# %%
arrives = predict("At s = 3 guidance aims at a variance of 0.5. It arrives at…", answer=...)

# %%
for s in (1, 1.5, 2, 3, 5, 8):
    print(f"s = {s:<3}: aims at {aimed_variance(1, 2, s):.3f}, arrives at {reached_variance(1, 2, s):.3f}")
arrives.compare(reached_variance(1, 2, 3), within=0.1)

# %% [markdown]
# The end of the guided ODE has the variance $m^{\,s}\,o^{\,1-s}$ (after Bradley and Nakkiran 2024). At $s = 1$ both agree. Above it guidance is *narrower* than what it aims at, and the more so the larger $s$ is. The reason: at each noise level the guided score belongs to the sharpened
# density of the noisy pictures. But to sharpen and then to add noise is not the same as to add noise and then to sharpen. The aims of the single levels do not fit together.
#
# In the plane it can be seen. Two half moons are two kinds of pictures. We ask for the upper one. Left is what was asked for, $p(x \mid c)$. In the middle the density is counted out on a grid, and points
# are drawn from $p(x)\,p(c \mid x)^s$. On the right the guided ODE is followed.

# %%
upper, both, width, scale = moons(80)[:40], moons(80), 0.3, 4.0
generator = torch.Generator().manual_seed(0)
line = torch.linspace(-3, 3, 301)
grid = torch.cartesian_prod(line, line)
log_p, log_p_c = mixture_log_density(grid, both, width), mixture_log_density(grid, upper, width)


def drawn_from(log_density, n=600):
    """Points of a density that is known on the grid."""
    chosen = torch.multinomial(torch.softmax(log_density, 0), n, replacement=True, generator=generator)
    return grid[chosen] + 0.01 * torch.randn(n, 2, generator=generator)


def guided_denoiser(x, sigma):
    """The guess of the picture by the guided score of both crowds, noisy with σ."""
    wide = (width**2 + sigma**2) ** 0.5
    score = classifier_free_guidance(mixture_score(x, both, wide), mixture_score(x, upper, wide), scale)
    return x + sigma**2 * score


sigmas = [*karras_sigmas(200, sigma_max=40.0).float().tolist(), 0.0]
arrived = euler(guided_denoiser, 40 * torch.randn(600, 2, generator=generator), sigmas)
crowds = {
    "asked for": drawn_from(log_p_c),
    f"aimed at, s = {scale:g}": drawn_from(aimed_log_density(log_p, log_p_c, scale)),
    "arrived at": arrived,
}
figure, alt = scatter({name: {"points": points, "the other kind": both[40:]} for name, points in crowds.items()}, span=3.2)
s2i.show(figure, alt=alt)
for name, points in crowds.items():
    print(f"{name:>15}: {points.std(0).norm():.2f} wide, {torch.cdist(points, both[40:]).min(1).values.mean():.2f} from the other kind")

# %% [markdown]
# The aimed density keeps to the whole upper moon and leaves out where the other kind is near. Guidance overdoes it. The arm of the moon that comes down at the right is gone, though
# it is as much a part of what was asked for. The points crowd where the other kind is far away, and some lie beyond what was asked for. Chidambaram et al. (2024) proved it for mixtures: with more guidance the samples move to the edge of what was asked for.
#
# So guidance is no exact method for a well-known density. It is a push that works. This is why so many repairs are tried.
#
# ## 8. Four repairs, side by side
#
# **In the middle only.** Kynkäänniemi et al. (2024) guide at middle noise levels alone. Below, these are the timesteps from 800 to 200. `guidance_at` of the library gives $s$ within an interval and 1 outside.
#
# **Rescaled.** A large $s$ makes predictions too large, and the pictures glaring. Lin et al. (2023) scale each guided prediction back to the standard deviation that the
# conditional one has. Then they mix: a share of the scaled one, the rest as it was. Write it. Each picture of the batch has its own standard deviation, over all its numbers.


# %% tags=["exercise-rescale_guidance"]
def rescale_guidance(guided, conditional, share):
    """Guided predictions (B, …), scaled back to the conditional ones' standard deviation, by a share from 0 to 1."""
    ...


# %%
lesson.rescale_guidance.check(rescale_guidance)
rescale_guidance = lesson.rescale_guidance.use(rescale_guidance)

# %% [markdown]
# **Autoguidance** (Karras et al. 2024) keeps the formula and changes the opponent. In place of the network without words stands a *worse version of the network, with the words*. The difference then points away
# from what bad networks do, and not away from other things. In the paper the worse one is smaller and less trained. The miniature has no such sister. So we cripple it: its places can no longer look at
# one another, as if self-attention were missing. That is nearer to perturbed-attention guidance (Ahn et al. 2024).
#
# **Guidance distillation** (Meng et al. 2022) spares the second evaluation. A student learns to say at once what the guided teacher says. It may be *told* the scale as it is told the timestep, as in FLUX.1 dev. Or it learns one scale
# for good, as `mini-distilled` did with 4.
#
# Below, the first three repairs draw the same things from the same noise. Beside them stand no guidance and a plain scale of 8. The row against a worse one has the scale 4. In each row `guide(t, other, conditional)` says what a step follows. The
# row "8, rescaled" runs your function.

# %%
repaired_best = predict(
    "Which row has the most things named?",
    answer=...,
    options=("none", "8", "8, in the middle", "8, rescaled", "against a worse one"),
)

# %%
pipe = s2i.load_pipeline("mini", device="cpu", dtype="fp32")
kinds = {
    "none": dict(guide=lambda t, other, c: c),
    "8": dict(guide=lambda t, other, c: classifier_free_guidance(other, c, 8)),
    "8, in the middle": dict(
        guide=lambda t, other, c: classifier_free_guidance(other, c, guidance_at(t, 8, (200, 800)))
    ),
    "8, rescaled": dict(guide=lambda t, other, c: rescale_guidance(classifier_free_guidance(other, c, 8), c, 0.7)),
    "against a worse one": dict(
        guide=lambda t, other, c: classifier_free_guidance(other, c, 4), worse=worsened(pipe.unet)
    ),
}
rows = {name: guided_pictures(pipe, prompts, steps=12, seed=3, **kind) for name, kind in kinds.items()}
sheet, alt = filmstrip(rows, things, side=92, steps=False)
s2i.show(sheet, alt=f"The same noise under five kinds of guidance. {alt}")
shares = {name: named_share(pictures, things) for name, pictures in rows.items()}
print(", ".join(f"{name}: {share:.0%}" for name, share in shares.items()))
best = [name for name, share in shares.items() if share == max(shares.values())]
repaired_best.compare(repaired_best.answer if repaired_best.answer in best else best[0])  # a tie counts for each

# %% [markdown]
# Look before you count. Eight pictures a row say little in numbers, and a lot to the eye. Which row has the calmest colours? Which one has lost the thing? And what does the last row do well?
#
# The table has the same on forty things, twice each, in twenty steps: `python -m benchmarks.few_steps`, November 2026. *Variety* is that of section 6. *Fréchet*, precision and recall are lesson 12's
# figures, against real pictures of all kinds of things; *colours* is the colourfulness of lesson 0.
#
# | guidance | named | Fréchet | precision | recall | variety | colours |
# |---|---:|---:|---:|---:|---:|---:|
# | none | 64 % | 15.9 | 0.89 | 0.78 | 7.7 | 59 |
# | 4 | 95 % | 18.9 | 0.89 | 0.90 | 4.8 | 76 |
# | 8 | 98 % | 20.0 | 0.90 | 0.75 | 4.2 | 76 |
# | 8, in the middle | 94 % | 19.3 | 0.88 | 0.79 | 4.9 | 73 |
# | 8, rescaled by 0.7 | 95 % | 17.8 | 0.90 | 0.85 | 4.4 | 71 |
# | 2, against a worse one | 84 % | 15.6 | 0.90 | 0.89 | 8.2 | 69 |
# | 4, against a worse one | 75 % | 25.8 | 0.91 | 0.85 | 7.6 | 82 |
#
# The row of 4 is the model of section 6's first row once more. There its recall was 0.75 and its variety 3.7, with other noise and with its sampler's usual stops. Keep such gaps in mind when you compare two rows.
#
# Rescaling takes the glare of 8 away, and about as many things are named. Guidance in the middle keeps a little more variety than 8 everywhere, and has about as many named as 4 everywhere. The crippled opponent keeps all
# variety. At scale 2 it has more things named than no guidance has. Words have still more named, since words are what it does not compare with. At scale 4 its colours glare most, and its pictures lie further from real ones than any others. The smaller sister of the paper may well be
# a better opponent: this course has none to try.
#
# The Fréchet distance likes two rows best: the one without guidance, and 2 against a worse one. Of their pictures 64 % and 84 % are named, where words at scale 4 have 95 %. You know why from lesson 12: it looks at the crowd and asks nobody what a picture was meant to be.
#
# ## 9. Think about it
#
# A friend shows you two models. Both draw in four steps. For the first one, the same seed gives almost the picture of the slow model. For the second one it gives another picture, and a
# crisper one. What was each of them probably trained by? Which would you take for a preview, and which for the final picture?

# %%
lesson.score()

# %% [markdown]
# ## Sources
#
# - Salimans and Ho, *Progressive Distillation for Fast Sampling of Diffusion Models*, 2022, arXiv 2202.00512.
# - Song et al., *Consistency Models*, 2023, arXiv 2303.01469. Luo et al., *Latent Consistency Models*, 2023, arXiv 2310.04378, and *LCM-LoRA*, 2023, arXiv 2311.05556.
# - Song and Dhariwal, *Improved Techniques for Training Consistency Models*, 2023, arXiv 2310.14189. Lu and Song, *Simplifying, Stabilizing and Scaling Continuous-Time Consistency Models*, 2024, arXiv 2410.11081.
# - Yin et al., *One-step Diffusion with Distribution Matching Distillation*, 2023, arXiv 2311.18828, and *Improved Distribution Matching Distillation for Fast Image Synthesis*, 2024, arXiv 2405.14867 (DMD2), with its page huggingface.co/tianweiy/DMD2.
# - Sauer et al., *Adversarial Diffusion Distillation*, 2023, arXiv 2311.17042, with huggingface.co/stabilityai/sd-turbo and huggingface.co/stabilityai/sdxl-turbo. Sauer et al., *Fast High-Resolution Image Synthesis with Latent Adversarial Diffusion Distillation*, 2024, arXiv 2403.12015.
# - Lin et al., *SDXL-Lightning: Progressive Adversarial Diffusion Distillation*, 2024, arXiv 2402.13929, with huggingface.co/ByteDance/SDXL-Lightning. Ren et al., *Hyper-SD: Trajectory Segmented Consistency Model for Efficient Image Synthesis*, 2024, arXiv 2404.13686, with huggingface.co/ByteDance/Hyper-SD.
# - FLUX.1 schnell and dev: their model cards by Black Forest Labs and diffusers' page on Flux. FLUX.2 klein: the table *Model Overview* in github.com/black-forest-labs/flux2.
# - The bug: github.com/huggingface/diffusers, pull request 5681.
# - Bradley and Nakkiran, *Classifier-Free Guidance is a Predictor-Corrector*, 2024, arXiv 2408.09000. Chidambaram et al., *What does guidance do? A fine-grained analysis in a simple setting*, 2024, arXiv 2409.13074.
# - Kynkäänniemi et al., *Applying Guidance in a Limited Interval Improves Sample and Distribution Quality in Diffusion Models*, 2024, arXiv 2404.07724. Lin et al., *Common Diffusion Noise Schedules and Sample Steps are Flawed*, 2023, arXiv 2305.08891, section 3.4.
# - Karras et al., *Guiding a Diffusion Model with a Bad Version of Itself*, 2024, arXiv 2406.02507. Ahn et al., *Self-Rectifying Diffusion Sampling with Perturbed-Attention Guidance*, 2024, arXiv 2403.17377.
# - Meng et al., *On Distillation of Guided Diffusion Models*, 2022, arXiv 2210.03142.
#
# **Next:** lesson 20, *Your own style in a minute*.

# %% [markdown] tags=["teacher"]
# ## For the teacher
#
# **Pacing.** First sitting: 14 minutes for section 1, 16 for section 2, 18 for section 3 with the bug, 12 for section 4, 5 for the table. Second sitting: 14 minutes for
# section 6, 14 for section 7, 17 for section 8, 5 for the question. With one sitting take sections 1, 2, 5 and 6.
#
# **Typical mistakes.** $v$ with the other sign. Asking the averaged copy at $x_t$. A gradient through the target. The sign of the matching gradient. One standard deviation
# for the whole batch.
#
# **What to listen for.** "Few steps blur since the network is small." Section 1's denoiser is perfect. "The student is better than the teacher." It is faster; section 2 measures that it follows. "mini-fast
# is distilled." Ask for the weights.
#
# **Section 8's picture.** The row without guidance has the calmest colours, and has lost rocket and key. The plain 8 has the hardest outlines. In the middle only, all the things stay, but the key has no black outline. Rescaled, everything
# that 8 draws stays, with softer colours. The last row has cleaner edges than the first and the strongest colours of all, not always the right ones: its whale is violet. So a worse opponent mends the
# drawing. In this sheet it also helps to name more things. Eight pictures prove little.
#
# **The open question.** The first one was probably trained along the teacher's paths: progressive or consistency distillation. The second one on the crowd or by a
# discriminator. For a preview the first is better, as it shows what the slow model will draw. There is no one answer for the final picture: crisp is not all, and rare kinds may be missing.
