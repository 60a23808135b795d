"""Exercises of lesson 8, a sketch becomes a picture."""

import math

import torch

from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.theory.forward import add_noise
from s2i_teach.theory.sampler import ddpm_step, spaced_timesteps
from s2i_teach.theory.schedule import alphas_cumprod, scaled_linear_betas
from s2i_teach.theory.sdedit import sdedit, signal_left, start_step


def _start_cases(generator):
    yield 10, 0.32
    yield 50, 0.3
    yield 20, 0.7
    yield 10, 1.0
    yield 50, 0.58  # 50 · 0.58 is 28.999… in a computer
    yield 7, 0.5


def _signal_cases(generator):
    alpha_bar = alphas_cumprod(scaled_linear_betas())
    for steps, strength in ((20, 0.7), (50, 0.3), (10, 1.0), (25, 0.5)):
        yield alpha_bar, spaced_timesteps(steps, offset=1), strength
    yield alpha_bar, spaced_timesteps(8, spacing="trailing"), 0.5


def _signal(of=lambda a: a.sqrt(), time=lambda times, n, s: times[start_step(n, s)]):
    """A variant of what is left of the sketch, for the mistakes."""

    def variant(alpha_bar, timesteps, strength):
        return float(of(alpha_bar[time(timesteps, len(timesteps), strength)]))

    return variant


def _guess(x, t):
    """Stands for a network: what it says depends on the picture and on the timestep."""
    return 0.4 * x.flip(-1) + math.sin(t)


def _sdedit_cases(generator):
    alpha_bar = alphas_cumprod(scaled_linear_betas())
    for shape, steps, strength, final in (
        ((2, 3, 4, 4), 10, 0.6, 1.0),
        ((3, 2), 6, 1.0, 1.0),
        ((1, 4, 2, 2), 8, 0.3, 0.9991),
    ):
        z = torch.randn(shape, generator=generator)
        seed = int(torch.randint(1000, (), generator=generator))
        draws = torch.Generator().manual_seed(seed)
        yield z, _guess, alpha_bar, spaced_timesteps(steps, offset=1), strength, ddpm_step, draws, final


def _sdedit(
    times_of=lambda timesteps, s: timesteps[start_step(len(timesteps), s) :],
    start_at=lambda times, timesteps: times[0],
    begin=lambda z, eps, alpha_bar, t: add_noise(z, eps, alpha_bar, t),
    end=lambda final: final,
    first_noise=lambda z, generator: torch.randn(z.shape, generator=generator),
    step_noise=lambda z, eps, generator: torch.randn(z.shape, generator=generator),
    ask=lambda predict_eps, x, z, t, i: predict_eps(x, t),
    previous=lambda levels, alpha_bar, times, i: levels[i + 1],
    walk=lambda times: times,
):
    """A variant of SDEdit, for the mistakes."""

    def variant(z, predict_eps, alpha_bar, timesteps, strength, step, generator, final=1.0):
        times = times_of(timesteps, strength)
        eps = first_noise(z, generator)
        x = begin(z, eps, alpha_bar, torch.full((len(z),), start_at(times, timesteps)))
        levels = [*alpha_bar[torch.tensor(times)].tolist(), end(final)]
        for i, t in enumerate(walk(times)):
            guess = ask(predict_eps, x, z, t, i)
            x = step(x, guess, levels[i], previous(levels, alpha_bar, times, i), step_noise(z, eps, generator))
        return x

    return variant


LESSON = Lesson(
    8,
    "A sketch becomes a picture",
    [
        Exercise(
            "start_step",
            start_step,
            _start_cases,
            hints=(
                "Strength is the share of the steps that *run*; the question is how many are skipped.",
                "int(num_inference_steps * strength) run: int() rounds down. The others are skipped.",
            ),
            mistakes={
                "those that run": Mistake(
                    lambda num_inference_steps, strength: int(num_inference_steps * strength),
                    "this is how many run: asked is how many are skipped.",
                ),
                "rounded": Mistake(
                    lambda num_inference_steps, strength: num_inference_steps - round(num_inference_steps * strength),
                    "the steps that run are rounded to the nearest number here: round them down, with int().",
                ),
                "share skipped": Mistake(
                    lambda num_inference_steps, strength: int(num_inference_steps * (1 - strength)),
                    "one too few in places: you round down the number that is skipped. Round down the number that "
                    "*runs*, with int(), and subtract it from all.",
                ),
                "a share": Mistake(
                    lambda num_inference_steps, strength: 1 - strength,
                    "this is a share: the answer is a number of steps, a whole number.",
                ),
            },
            minutes=4,
            difficulty=1,
        ),
        Exercise(
            "signal_left",
            signal_left,
            _signal_cases,
            hints=(
                "Which timestep is the first that runs? timesteps[start_step(len(timesteps), strength)].",
                "x_t = √ᾱ · sketch + √(1 − ᾱ) · noise: return the sketch's factor, as a number (.item()).",
            ),
            mistakes={
                "no root": Mistake(_signal(of=lambda a: a), "this is ᾱ: the sketch is in x_t with the factor √ᾱ."),
                "the noise's": Mistake(
                    _signal(of=lambda a: (1 - a).sqrt()), "this is the noise's factor: the sketch's is √ᾱ."
                ),
                "noisiest": Mistake(
                    _signal(time=lambda times, n, s: times[0]),
                    "this is the first of all timesteps: the first that *runs* comes later, and start_step tells which.",
                ),
                "step for timestep": Mistake(
                    lambda alpha_bar, timesteps, strength: (
                        alpha_bar[start_step(len(timesteps), strength)].sqrt().item()
                    ),
                    "start_step gives a place in the list `timesteps`, not a timestep: look up timesteps[…] there first.",
                ),
                "all of a thousand": Mistake(
                    lambda alpha_bar, timesteps, strength: (
                        alpha_bar[len(alpha_bar) - start_step(len(alpha_bar), strength) - 1].sqrt().item()
                    ),
                    "strength is a share of the sampler's timesteps, which need not be evenly spread: use the list.",
                ),
                "a share of the sketch": Mistake(
                    lambda alpha_bar, timesteps, strength: 1 - strength,
                    "what is left does not fall evenly with strength: alpha_bar says how much it is.",
                ),
                "strength as place": Mistake(
                    _signal(time=lambda times, n, s: times[min(n - 1, int(n * s))]),
                    "you skip strength · N steps: strength is the share that runs.",
                ),
                "strength as time": Mistake(
                    _signal(time=lambda times, n, s: min(999, int(1000 * s))),
                    "strength · 1000 is near it, but the run starts at one of the sampler's timesteps: look it up in the list.",
                ),
                "the last skipped": Mistake(
                    _signal(time=lambda times, n, s: times[max(0, start_step(n, s) - 1)]),
                    "this is the last timestep that is skipped: the run starts at the next one.",
                ),
            },
            minutes=4,
            difficulty=1,
        ),
        Exercise(
            "sdedit",
            sdedit,
            _sdedit_cases,
            hints=(
                "Which timesteps run? Those from start_step on. Everything else is about them alone.",
                "First: eps = torch.randn(z.shape, generator=generator), and add_noise(z, eps, alpha_bar, t), with "
                "t = torch.full((len(z),), times[0]).",
                "The steps go along the values of alpha_bar at the times that run, and after the last of them to `final`.",
                "For each t, with a = alpha_bar[t] and a_prev the next value: eps = predict_eps(x, t); noise = torch.randn(x.shape, "
                "generator=generator); x = step(x, eps, a, a_prev, noise).",
            ),
            mistakes={
                "from the very noise": Mistake(
                    _sdedit(start_at=lambda times, timesteps: timesteps[0]),
                    "the sketch gets the noise of the first of all timesteps, and the steps then begin where less noise "
                    "is expected: noise it to the first timestep that runs.",
                ),
                "no noise": Mistake(
                    _sdedit(begin=lambda z, eps, alpha_bar, t: z),
                    "the clean sketch goes into the first step, which expects noise: add_noise first.",
                ),
                "noise on top": Mistake(
                    _sdedit(begin=lambda z, eps, alpha_bar, t: z + eps),
                    "all of the noise is added to all of the sketch: add_noise has a factor for each, √(1 − ᾱ) and √ᾱ.",
                ),
                "pure noise": Mistake(
                    _sdedit(begin=lambda z, eps, alpha_bar, t: eps),
                    "the sketch does not come in at all: x starts as add_noise(z, eps, …).",
                ),
                "all steps": Mistake(
                    _sdedit(times_of=lambda timesteps, s: timesteps),
                    "all timesteps run, whatever the strength: leave out the first start_step(…) of them.",
                ),
                "the wrong ones": Mistake(
                    _sdedit(times_of=lambda timesteps, s: timesteps[: len(timesteps) - start_step(len(timesteps), s)]),
                    "the first timesteps run and the last are left out: it is the noisiest that are skipped.",
                ),
                "final forgotten": Mistake(
                    _sdedit(end=lambda final: 1.0), "the last step ends at alpha_bar = `final`, which need not be 1."
                ),
                "the same noise again": Mistake(
                    _sdedit(step_noise=lambda z, eps, generator: eps),
                    "every step gets the noise that was added to the sketch: each needs fresh noise from the generator.",
                ),
                "not from the generator": Mistake(
                    _sdedit(
                        first_noise=lambda z, generator: torch.randn(z.shape),
                        step_noise=lambda z, eps, generator: torch.randn(z.shape),
                    ),
                    "the noise does not come from the generator, so a seed would not decide the picture: write "
                    "torch.randn(…, generator=generator).",
                ),
                "first noise not from the generator": Mistake(
                    _sdedit(first_noise=lambda z, generator: torch.randn(z.shape)),
                    "the noise that is added to the sketch does not come from the generator; that of the steps does.",
                ),
                "the neighbour": Mistake(
                    _sdedit(
                        previous=lambda levels, alpha_bar, times, i: (
                            alpha_bar[times[i] - 1].item() if i + 1 < len(times) else levels[-1]
                        )
                    ),
                    "each step goes to the next timestep of the *list*, not to t − 1: the two lie many timesteps apart.",
                ),
                "one step short": Mistake(
                    _sdedit(walk=lambda times: times[:-1]),
                    "the last step is missing: from the last timestep it goes on to alpha_bar = `final`.",
                ),
                "no noise for the steps": Mistake(
                    _sdedit(step_noise=lambda z, eps, generator: torch.zeros_like(z)),
                    "the steps get no noise: step(…) wants fresh noise from the generator, even if some steps ignore it.",
                ),
                "number for timestep": Mistake(
                    _sdedit(ask=lambda predict_eps, x, z, t, i: predict_eps(x, i)),
                    "the network is told the number of the step: it wants to know the timestep t.",
                ),
                "asked of the sketch": Mistake(
                    _sdedit(ask=lambda predict_eps, x, z, t, i: predict_eps(z, t)),
                    "the network is asked about the sketch at every step: it has to see x, as it is by then.",
                ),
            },
            minutes=12,
            difficulty=3,
            tolerance=3e-4,  # levels kept as tensors of 32 bits are right as well
        ),
    ],
)
