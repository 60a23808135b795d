"""Exercises of lesson 21, editing."""

import torch

from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.theory.inpaint import blend, mask_to_latents
from s2i_teach.theory.inversion import ddim_inverse_step, solved_inverse_step
from s2i_teach.theory.prediction import x0_from_eps
from s2i_teach.theory.prompt_to_prompt import edited_maps


def _inverse_cases(generator):
    for shape, a, a_next in (((2, 3, 4, 4), 0.81, 0.36), ((1, 4, 2, 2), 0.9991, 0.95), ((3, 2), 0.3, 0.05)):
        yield torch.randn(shape, generator=generator), torch.randn(shape, generator=generator), a, a_next


def _guess(x, t):
    """Stands for a network: what it says depends on the picture and on the timestep, and not in a straight line."""
    return torch.tanh(x.flip(-1)) + 0.1 * x * t**0.5


def _solved_cases(generator):
    for shape, t, a, a_next, rounds in (
        ((2, 3, 2, 2), 4, 0.8, 0.6, 2),
        ((1, 4, 2, 2), 9, 0.95, 0.85, 0),
        ((3, 2), 2, 0.5, 0.2, 5),
        ((2, 2), 1, 0.7, 0.4, 1),
    ):
        yield torch.randn(shape, generator=generator), _guess, t, a, a_next, rounds


def _mask_cases(generator):
    for shape, factor, marked in (((1, 1, 16, 12), 2, 0.45), ((2, 1, 16, 8), 8, 0.02), ((1, 1, 8, 12), 4, 0.2)):
        light = torch.rand(shape, generator=generator) / 2
        yield torch.where(torch.rand(shape, generator=generator) < marked, light + 0.5, light), factor
    line = torch.zeros(1, 1, 16, 16)
    line[..., 5, :9] = 1  # thin, and away from each block's corner
    yield line, 8
    yield (
        torch.tensor([[0.5, 0.4], [0.2, 0.6]])[None, None].repeat(1, 1, 2, 2).repeat_interleave(2, -1),
        2,
    )  # at the limit


def _blend_cases(generator):
    for shape, a in (((2, 3, 4, 4), 0.6), ((1, 4, 2, 6), 1.0), ((3, 1, 3, 3), 0.05)):
        x, known, noise = (torch.randn(shape, generator=generator) for _ in range(3))
        mask = (torch.rand(shape[0], 1, *shape[2:], generator=generator) < 0.5).float()
        yield x, known, mask, noise, a


def _map_cases(generator):
    for leading, places, of, factors in (
        ((2,), 4, [0, 1, 3, -1, 2], [1.0, 1.0, 2.0, 1.0, 0.5]),
        ((), 3, [0, -1, 1, 2], None),
        ((1, 2), 5, [-1, 0, 0], [0.0, 3.0, 1.0]),
    ):
        source, target = (
            torch.rand(*leading, places, len(of), generator=generator).softmax(-1) for _ in ("source", "target")
        )
        yield source, target, torch.tensor(of), None if factors is None else torch.tensor(factors)


def _solved(start=lambda x: x, count=lambda rounds: rounds + 1, of=lambda x, y: x, ask=lambda x, y: y, swap=False):
    """A variant of the solved step, for the mistakes."""

    def variant(x, predict_eps, t, a, a_next, rounds=0):
        y = start(x)
        for _ in range(count(rounds)):
            levels = (a_next, a) if swap else (a, a_next)
            y = ddim_inverse_step(of(x, y), predict_eps(ask(x, y), t), *levels)
        return y

    return variant


def _pooled(pool, threshold=None):
    """A variant of the mask in latents, for the mistakes."""

    def variant(mask, factor=8):
        made = pool(mask, factor)
        return made if threshold is None else (made >= threshold).to(mask.dtype)

    return variant


def _edited(taken=None, chosen=None, scaled=None):
    """A variant of the edited maps, for the mistakes."""

    def variant(source, target, source_of, scale=None):
        from_source = taken(source, source_of) if taken else source[..., source_of.clamp(min=0)]
        known = source_of >= 0
        maps = chosen(known, from_source, target) if chosen else torch.where(known, from_source, target)
        if scaled:
            return scaled(maps, known, torch.ones(len(known)) if scale is None else scale)
        return maps if scale is None else maps * scale

    return variant


LESSON = Lesson(
    21,
    "Editing",
    [
        Exercise(
            "ddim_inverse_step",
            ddim_inverse_step,
            _inverse_cases,
            hints=(
                "It is the DDIM step of lesson 5 at η = 0. What changes is where you stand and where you go.",
                "First the guess of the picture: x0_from_eps(x, eps, a). You stand at ᾱ = a.",
                "Then noise it with the same ε to a_next: √a_next times the guess, and √(1 − a_next) times ε.",
            ),
            mistakes={
                "downwards": Mistake(
                    lambda x, eps, a, a_next: ddim_inverse_step(x, eps, a_next, a),
                    "the levels are swapped: you stand at a and go to a_next.",
                ),
                "forward process": Mistake(
                    lambda x, eps, a, a_next: (a_next / a) ** 0.5 * x + (1 - a_next / a) ** 0.5 * eps,
                    "you add ε as if it were fresh noise: that is the forward process of lesson 2. Here ε is in x already.",
                ),
                "x for the picture": Mistake(
                    lambda x, eps, a, a_next: a_next**0.5 * x + (1 - a_next) ** 0.5 * eps,
                    "you take x for the clean picture: guess the picture first, with x0_from_eps.",
                ),
                "no noise": Mistake(
                    lambda x, eps, a, a_next: a_next**0.5 * x0_from_eps(x, eps, a),
                    "ε is missing: this is the guess, dimmed, without noise.",
                ),
                "variance": Mistake(
                    lambda x, eps, a, a_next: a_next * x0_from_eps(x, eps, a) + (1 - a_next) * eps,
                    "the roots are missing: a_next is a share of the variance.",
                ),
                "minus": Mistake(
                    lambda x, eps, a, a_next: a_next**0.5 * x0_from_eps(x, eps, a) - (1 - a_next) ** 0.5 * eps,
                    "you take ε away: going up, it is added.",
                ),
                "not divided": Mistake(
                    lambda x, eps, a, a_next: a_next**0.5 * (x - (1 - a) ** 0.5 * eps) + (1 - a_next) ** 0.5 * eps,
                    "the guess of the picture is not finished: divide by √a once ε is taken away.",
                ),
            },
            minutes=5,
            difficulty=1,
            praise="It is diffusers' own inverse step.",
        ),
        Exercise(
            "solved_inverse_step",
            solved_inverse_step,
            _solved_cases,
            hints=(
                "Wanted is y with y = ddim_inverse_step(x, predict_eps(y, t), a, a_next). Begin with y = x.",
                "Put the last y into predict_eps alone. The step itself always starts at x.",
                "A loop that runs rounds + 1 times: with rounds = 0 it runs once, and that is plain inversion.",
            ),
            mistakes={
                "walks on": Mistake(
                    _solved(of=lambda x, y: y),
                    "you step on from y: that goes higher and higher. Each time the step starts at x.",
                ),
                "one too few": Mistake(
                    _solved(count=lambda rounds: rounds),
                    "one round is missing: ask once at x, and then once more in each round.",
                ),
                "one too many": Mistake(_solved(count=lambda rounds: rounds + 2), "one round too many."),
                "never asks again": Mistake(
                    _solved(ask=lambda x, y: x),
                    "you always ask at x: this is plain inversion, whatever rounds says.",
                ),
                "downwards": Mistake(_solved(swap=True), "the levels are swapped: you stand at a and go to a_next."),
                "starts at zero": Mistake(
                    _solved(start=torch.zeros_like), "you begin with zeros: the first question is asked at x."
                ),
            },
            minutes=10,
            difficulty=3,
            tolerance=1e-4,
            praise="Where the rounds come to rest, the step can be undone exactly.",
        ),
        Exercise(
            "mask_to_latents",
            mask_to_latents,
            _mask_cases,
            hints=(
                "A latent stands for a block of factor × factor pixels. One marked pixel is enough to mark it.",
                "First make 0 and 1 of the mask: marked is 0.5 and more. Then take the largest of each block.",
                "torch.nn.functional.max_pool2d(marked, factor) takes the largest of each block.",
            ),
            mistakes={
                "nearest": Mistake(
                    _pooled(lambda mask, factor: (mask >= 0.5).to(mask.dtype)[..., ::factor, ::factor]),
                    "you look at one pixel of each block, at the top left: a thin line gets lost.",
                ),
                "mean": Mistake(
                    _pooled(lambda mask, factor: torch.nn.functional.avg_pool2d((mask >= 0.5).to(mask.dtype), factor)),
                    "the mean of a block is grey: a latent is drawn anew, or it is not.",
                ),
                "majority": Mistake(
                    _pooled(
                        lambda mask, factor: torch.nn.functional.avg_pool2d((mask >= 0.5).to(mask.dtype), factor), 0.5
                    ),
                    "you ask for half of the block: one marked pixel is enough.",
                ),
                "whole blocks": Mistake(
                    _pooled(
                        lambda mask, factor: 1 - torch.nn.functional.max_pool2d((mask < 0.5).to(mask.dtype), factor)
                    ),
                    "you take blocks that are marked as a whole: one marked pixel is enough.",
                ),
                "grey": Mistake(
                    _pooled(torch.nn.functional.max_pool2d),
                    "grey values come through: make 0 and 1 of the mask first, 1 from 0.5 on.",
                ),
                "above a half": Mistake(
                    lambda mask, factor=8: torch.nn.functional.max_pool2d((mask > 0.5).to(mask.dtype), factor),
                    "a pixel of exactly 0.5 is marked: ask for ≥ 0.5.",
                ),
                "any light": Mistake(
                    lambda mask, factor=8: torch.nn.functional.max_pool2d((mask > 0).to(mask.dtype), factor),
                    "you take every pixel above 0 for marked: marked is 0.5 and more.",
                ),
                "always 8": Mistake(
                    lambda mask, factor=8: torch.nn.functional.max_pool2d((mask >= 0.5).to(mask.dtype), 8),
                    "your blocks are 8 pixels wide: they are factor pixels wide.",
                ),
            },
            minutes=5,
            difficulty=1,
        ),
        Exercise(
            "blend",
            blend,
            _blend_cases,
            hints=(
                "Where the mask is 1, x stays. Where it is 0, the known picture comes in, as noisy as x.",
                "Noise the known picture to a as in lesson 2, with the noise that you were given.",
                "mask * x + (1 - mask) * (…), and in the brackets √a · known + √(1 − a) · noise.",
            ),
            mistakes={
                "inside out": Mistake(
                    lambda x, known, mask, noise, a: blend(x, known, 1 - mask, noise, a),
                    "the mask is inside out: 1 is what is drawn anew, so x stays there.",
                ),
                "clean": Mistake(
                    lambda x, known, mask, noise, a: mask * x + (1 - mask) * known,
                    "the known part is clean beside a noisy one: noise it to the level of x.",
                ),
                "noise on top": Mistake(
                    lambda x, known, mask, noise, a: mask * x + (1 - mask) * (known + (1 - a) ** 0.5 * noise),
                    "noise is added and the picture is not dimmed: √a is missing.",
                ),
                "variance": Mistake(
                    lambda x, known, mask, noise, a: mask * x + (1 - mask) * (a * known + (1 - a) * noise),
                    "the roots are missing: a is a share of the variance.",
                ),
                "twice": Mistake(
                    lambda x, known, mask, noise, a: a**0.5 * (mask * x + (1 - mask) * known) + (1 - a) ** 0.5 * noise,
                    "you noise x as well: it has its noise already.",
                ),
                "added": Mistake(
                    lambda x, known, mask, noise, a: mask * x + a**0.5 * known + (1 - a) ** 0.5 * noise,
                    "the known part shines through inside the mask: multiply it by 1 − mask.",
                ),
                "x everywhere": Mistake(
                    lambda x, known, mask, noise, a: x + (1 - mask) * (a**0.5 * known + (1 - a) ** 0.5 * noise),
                    "x is still there outside the mask: multiply it by mask.",
                ),
            },
            minutes=5,
            difficulty=1,
            praise="At a = 1 the known part comes out as it went in.",
        ),
        Exercise(
            "edited_maps",
            edited_maps,
            _map_cases,
            hints=(
                "source[..., source_of] puts the source's maps in the order of the target's words. Mind the −1.",
                "In Python −1 is the last one. Use source_of.clamp(min=0), and throw away what that took for a new word.",
                "torch.where(source_of >= 0, taken, target), and multiply by scale where there is one.",
            ),
            mistakes={
                "last for new": Mistake(
                    lambda source, target, source_of, scale=None: (
                        source[..., source_of] * (1 if scale is None else scale)
                    ),
                    "a new word gets the map of the source's last token, since −1 counts from the end: it keeps its own.",
                ),
                "no order": Mistake(
                    _edited(taken=lambda source, of: source),
                    "the maps are not put in order: place j of the target takes place source_of[j] of the source.",
                ),
                "the other way": Mistake(
                    _edited(chosen=lambda known, taken, target: torch.where(known, target, taken)),
                    "it is the other way round: a word that both have takes the source's map.",
                ),
                "own maps": Mistake(
                    _edited(chosen=lambda known, taken, target: target),
                    "nothing of the source is there: these are the target's own maps.",
                ),
                "rows of 1": Mistake(
                    _edited(scaled=lambda maps, known, scale: maps * scale / (maps * scale).sum(-1, keepdim=True)),
                    "you make each row add up to 1 again: then a word that counts more takes from all others.",
                ),
                "scale for known": Mistake(
                    _edited(scaled=lambda maps, known, scale: torch.where(known, maps * scale, maps)),
                    "a new word has its factor as well: multiply all maps by scale.",
                ),
                "no scale": Mistake(
                    _edited(scaled=lambda maps, known, scale: maps),
                    "scale is not used: multiply all maps by it at the end.",
                ),
                "first for new": Mistake(
                    lambda source, target, source_of, scale=None: (
                        torch.where(source_of > 0, source[..., source_of.clamp(min=0)], target)
                        * (1 if scale is None else scale)
                    ),
                    "place 0 is a place too: a word is new only where source_of is −1.",
                ),
                "added": Mistake(
                    _edited(scaled=lambda maps, known, scale: maps + scale - 1),
                    "you add the factor: a map is multiplied by it.",
                ),
            },
            minutes=8,
            difficulty=2,
        ),
    ],
)
