"""Exercises of lesson 19, few steps."""

import torch

from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.theory.consistency import boundary, consistency_function, consistency_target
from s2i_teach.theory.distil import distribution_matching_gradient, one_step_target, turned
from s2i_teach.theory.guided_density import rescale_guidance
from s2i_teach.theory.sampler import ddim_step


def _step_cases(generator):
    for shape, a, a_next in (((3, 2), 0.2, 0.7), ((2, 4, 4, 4), 0.005, 0.3), ((5, 2), 0.6, 1.0)):
        yield torch.randn(shape, generator=generator), torch.randn(shape, generator=generator), a, a_next


def _consistency_cases(generator):
    for shape, t in (((3, 2), 0.07), ((2, 4, 4, 4), 0.03), ((3, 2), 0), ((3, 2), 999)):
        yield torch.randn(shape, generator=generator), torch.randn(shape, generator=generator), t


def _bent(x, t):
    return torch.tanh(x + t / 400) - 0.2 * x


def _target_cases(generator):
    for shape, a, a_next, t_next in (
        ((3, 2), 0.2, 0.5, 300),
        ((2, 4, 4, 4), 0.05, 0.15, 640),
        ((4, 2), 0.9, 0.97, 20),
        ((3, 2), 0.99, 0.999, 0.03),
    ):
        yield torch.randn(shape, generator=generator), torch.randn(shape, generator=generator), _bent, a, a_next, t_next


def _matching_cases(generator):
    for shape in ((3, 2), (2, 4, 3, 3), (4, 5)):
        yield tuple(torch.randn(shape, generator=generator) * size for size in (0.8, 0.6, 1.1))


def _rescale_cases(generator):
    for shape, share in (((3, 4, 5, 5), 0.7), ((2, 3, 6), 1.0), ((4, 2, 3, 3), 0.25)):
        size = 1 + torch.arange(shape[0]).view(-1, *[1] * (len(shape) - 1))
        conditional = torch.randn(shape, generator=generator) + 0.2
        yield 2 * size * torch.randn(shape, generator=generator) - 0.3, conditional, share


# Variants of the answers, for the mistakes


def _with_the_gradient(function):
    """What a target is, and whether a gradient would flow through the slow copy."""

    def run(x_t, eps, averaged, a, a_next, t_next):
        weight = torch.ones((), requires_grad=True)
        found = function(x_t, eps, lambda x, t: weight * averaged(x, t), a, a_next, t_next)
        return found.detach(), torch.tensor(float(found.requires_grad))

    return run


def _target(place=None, answer=None):
    """``consistency_target`` asked at another place, or with another answer from there."""

    def variant(x_t, eps, averaged, a, a_next, t_next):
        with torch.no_grad():
            x = place(x_t, eps, a, a_next) if place else ddim_step(x_t, eps, a, a_next)
            return answer(x, x_t) if answer else averaged(x, t_next)

    return variant


def _through_the_copy(x_t, eps, averaged, a, a_next, t_next):
    return averaged(ddim_step(x_t, eps, a, a_next), t_next)


def _factors_again(x_t, eps, averaged, a, a_next, t_next):
    with torch.no_grad():
        x = ddim_step(x_t, eps, a, a_next)
        return consistency_function(x, averaged(x, t_next), t_next)


def _step(of):
    """``one_step_target`` from cos Δ, sin Δ and what it is given."""
    return lambda x_t, x_s, a, a_next: of(*turned(a, a_next), x_t, x_s)


def _consistent(of):
    return lambda x_t, x0, t: of(*boundary(t), x_t, x0)


def _matching(distance, difference=lambda x0, real, fake: fake - real):
    """``distribution_matching_gradient`` with something else in the denominator, or above it."""

    def variant(x0, real_x0, fake_x0):
        size = distance(x0, real_x0, fake_x0)
        size = size.view(-1, *[1] * (x0.dim() - 1)) if size.dim() == 1 else size
        return difference(x0, real_x0, fake_x0) / size

    return variant


def _far(x, y):
    return (x - y).abs().flatten(1).mean(1)


def _rescale(ratio=None, mixed=lambda guided, scaled, share: share * scaled + (1 - share) * guided):
    """``rescale_guidance`` with another factor, or mixed in another way."""

    def variant(guided, conditional, share):
        own = list(range(1, guided.dim()))
        factor = (ratio or (lambda g, c, d: c.std(d, keepdim=True) / g.std(d, keepdim=True)))(guided, conditional, own)
        return mixed(guided, guided * factor, share)

    return variant


LESSON = Lesson(
    19,
    "Few steps",
    [
        Exercise(
            "one_step_target",
            one_step_target,
            _step_cases,
            hints=(
                "Write the step of DDIM with v: x_s = cos Δ · x_t − sin Δ · v. Now v is what you look for.",
                "Bring v to one side: sin Δ · v = cos Δ · x_t − x_s.",
                "cosine, sine = turned(a, a_next), and then (cosine * x_t - x_s) / sine.",
            ),
            mistakes={
                "sign": Mistake(
                    _step(lambda c, s, x, y: (y - c * x) / s),
                    "the sign is wrong: v points from the picture to the noise.",
                ),
                "no turn": Mistake(
                    _step(lambda c, s, x, y: (x - y) / s),
                    "cos Δ is missing: x_t is turned, so only cos Δ of it is left.",
                ),
                "not divided": Mistake(_step(lambda c, s, x, y: c * x - y), "this is sin Δ · v: divide by sin Δ."),
                "times the sine": Mistake(
                    _step(lambda c, s, x, y: (c * x - y) * s),
                    "you multiply by sin Δ: v was multiplied by it, so divide.",
                ),
                "swapped": Mistake(
                    _step(lambda c, s, x, y: (x - c * y) / s),
                    "cos Δ stands at x_s: it belongs to x_t, where the step begins.",
                ),
                "to the picture": Mistake(
                    lambda x_t, x_s, a, a_next: (a**0.5 * x_t - x_s) / (1 - a) ** 0.5,
                    "you take x_s for the finished picture: the step ends at a_next, where noise is left.",
                ),
            },
            minutes=8,
            difficulty=2,
            praise="One step of DDIM by it lands where the teacher landed.",
        ),
        Exercise(
            "consistency_function",
            consistency_function,
            _consistency_cases,
            hints=(
                "boundary(t) gives c_skip and c_out.",
                "c_skip belongs to what comes in, x_t. c_out belongs to what the network says.",
                "c_skip * x_t + c_out * x0",
            ),
            mistakes={
                "swapped": Mistake(
                    _consistent(lambda s, o, x, y: s * y + o * x),
                    "the two are swapped: at t = 0 this gives the network's guess, and x_t is what is asked for.",
                ),
                "no skip": Mistake(
                    _consistent(lambda s, o, x, y: o * y), "c_skip · x_t is missing: at t = 0 nothing would be left."
                ),
                "the guess": Mistake(
                    _consistent(lambda s, o, x, y: y),
                    "this is the network's guess alone: at t = 0 it would have to be x_t, and nothing makes it so.",
                ),
                "as a share": Mistake(
                    _consistent(lambda s, o, x, y: s * x + (1 - s) * y),
                    "you take 1 − c_skip for c_out: c_out has a root in its denominator.",
                ),
                "minus": Mistake(_consistent(lambda s, o, x, y: s * x - o * y), "both are added."),
            },
            minutes=4,
            difficulty=1,
        ),
        Exercise(
            "consistency_target",
            consistency_target,
            _target_cases,
            hints=(
                "Two lines: one step of the teacher from x_t, then the slow copy's answer where it ended.",
                "The teacher's step is ddim_step(x_t, eps, a, a_next).",
                "Put both lines into `with torch.no_grad():`. A target must not be pulled towards the student.",
            ),
            mistakes={
                "no step": Mistake(
                    _target(place=lambda x_t, *_: x_t),
                    "you ask the slow copy at x_t: first the teacher makes its step.",
                ),
                "the place": Mistake(
                    _target(answer=lambda x, x_t: x),
                    "this is where the teacher's step ends: the target is the slow copy's answer there.",
                ),
                "to the picture": Mistake(
                    _target(place=lambda x_t, eps, a, a_next: ddim_step(x_t, eps, a, 1.0)),
                    "you go the whole way to the picture: the teacher makes one short step, to a_next.",
                ),
                "backwards": Mistake(
                    _target(place=lambda x_t, eps, a, a_next: ddim_step(x_t, eps, a_next, a)),
                    "the step begins at a_next and ends at a: it is the other way round.",
                ),
                "noised anew": Mistake(
                    _target(place=lambda x_t, eps, a, a_next: a_next**0.5 * x_t + (1 - a_next) ** 0.5 * eps),
                    "you add noise to x_t: a step of DDIM takes noise away.",
                ),
                "factors again": Mistake(
                    _factors_again,
                    "you put c_skip and c_out in once more: averaged(x, t) is f, they are in it already.",
                ),
                "gradient": Mistake(
                    _through_the_copy,
                    "a gradient flows through the slow copy: the two answers would then meet half way, at any constant.",
                ),
            },
            minutes=8,
            difficulty=2,
            seen=_with_the_gradient,
            praise="And no gradient flows into it.",
        ),
        Exercise(
            "distribution_matching_gradient",
            distribution_matching_gradient,
            _matching_cases,
            hints=(
                "A step goes *against* the gradient. In which direction should the pictures go: to real_x0 or to fake_x0?",
                "Above the line: fake_x0 - real_x0. Below it one number for each picture, |x0 - real_x0| on average.",
                "(x0 - real_x0).abs().flatten(1).mean(1) is (B,). Give it as many axes as the pictures have, with view.",
            ),
            mistakes={
                "sign": Mistake(
                    _matching(lambda x, r, f: _far(x, r), lambda x, r, f: r - f),
                    "the sign is wrong: against this gradient, pictures would go where the student's own lie thickest.",
                ),
                "towards the real": Mistake(
                    _matching(lambda x, r, f: _far(x, r), lambda x, r, f: x - r),
                    "the fake guess is missing: this pulls every picture to the teacher's mean, and makes it blurred.",
                ),
                "not divided": Mistake(
                    _matching(lambda x, r, f: torch.ones(len(x))),
                    "the division is missing: much noise would count far more than little.",
                ),
                "by the fake": Mistake(
                    _matching(lambda x, r, f: _far(x, f)),
                    "you divide by the distance to the fake guess: it is that to the real one.",
                ),
                "by the difference": Mistake(
                    _matching(lambda x, r, f: _far(f, r)),
                    "you divide by the difference itself: all steps would be equally long, also where the two agree.",
                ),
                "one number": Mistake(
                    _matching(lambda x, r, f: (x - r).abs().mean()),
                    "one number for the whole batch: each picture has its own.",
                ),
                "one axis": Mistake(
                    _matching(lambda x, r, f: (x - r).abs().mean(1, keepdim=True)),
                    "you take the mean over one axis: it is over all numbers of a picture.",
                ),
                "squares": Mistake(
                    _matching(lambda x, r, f: (x - r).pow(2).flatten(1).mean(1)),
                    "you take squares: the mean is over absolute values.",
                ),
            },
            minutes=10,
            difficulty=3,
        ),
        Exercise(
            "rescale_guidance",
            rescale_guidance,
            _rescale_cases,
            hints=(
                "Two standard deviations for each picture: of the conditional prediction, and of the guided one.",
                "Over all axes but the first: guided.std(list(range(1, guided.dim())), keepdim=True).",
                "scaled = guided * (std of conditional / std of guided). Then share * scaled + (1 - share) * guided.",
            ),
            mistakes={
                "over the batch": Mistake(
                    _rescale(lambda g, c, own: c.std() / g.std()),
                    "one standard deviation for the whole batch: a picture would depend on its neighbours. Take each one's own.",
                ),
                "upside down": Mistake(
                    _rescale(lambda g, c, own: g.std(own, keepdim=True) / c.std(own, keepdim=True)),
                    "the fraction is upside down: guided predictions are too large, and this makes them larger.",
                ),
                "variances": Mistake(
                    _rescale(lambda g, c, own: c.var(own, keepdim=True) / g.var(own, keepdim=True)),
                    "these are variances: take standard deviations.",
                ),
                "each channel": Mistake(
                    _rescale(lambda g, c, own: c.std(own[1:], keepdim=True) / g.std(own[1:], keepdim=True)),
                    "each channel has a factor of its own here: it is one for each picture.",
                ),
                "no share": Mistake(
                    _rescale(mixed=lambda guided, scaled, share: scaled),
                    "the share is missing: this rescales the whole.",
                ),
                "the other share": Mistake(
                    _rescale(mixed=lambda guided, scaled, share: (1 - share) * scaled + share * guided),
                    "the shares are swapped: at 0 nothing should change.",
                ),
                "the rest conditional": Mistake(
                    lambda guided, conditional, share: (
                        share * rescale_guidance(guided, conditional, 1.0) + (1 - share) * conditional
                    ),
                    "the rest is the guided prediction as it was: you fill up with the conditional one.",
                ),
                "towards the conditional": Mistake(
                    lambda guided, conditional, share: share * conditional + (1 - share) * guided,
                    "you mix with the conditional prediction itself: that takes guidance away. Mix with the scaled one.",
                ),
            },
            minutes=7,
            difficulty=2,
            praise="It equals diffusers' rescale_noise_cfg.",
        ),
    ],
)
