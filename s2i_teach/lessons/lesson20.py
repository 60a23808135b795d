"""Exercises of lesson 20, your own style in a minute."""

import math

import torch

from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.theory.lora import loss_with_prior, low_rank_gradients, low_rank_update, merged, trainable_numbers


def _update_cases(generator):
    for down, up, alpha in (
        ((2, 5), (4, 2), 6.0),
        ((3, 4, 3, 3), (5, 3, 1, 1), 1.5),
        ((4, 6, 1, 1), (2, 4, 1, 1), 8.0),
    ):
        yield torch.randn(down, generator=generator), torch.randn(up, generator=generator), alpha


def _number_cases(generator):
    yield from (((320, 768), 4), ((640, 320, 3, 3), 8), ((96, 4, 3, 3), 2), ((5, 7), 1))


def _gradient_cases(generator):
    for rank, inputs, outputs, zero, alpha in ((2, 5, 4, False, 3.0), (3, 4, 6, True, 6.0), (1, 3, 2, False, 4.0)):
        down = torch.randn(rank, inputs, generator=generator)
        up = torch.randn(outputs, rank, generator=generator) * (not zero)
        yield down, up, alpha, torch.randn(7, inputs, generator=generator), torch.randn(7, outputs, generator=generator)


def _merge_cases(generator):
    for shape, scale, dtype in (
        ((4, 5), 0.7, None),
        ((3, 2, 3, 3), 1.5, None),
        ((4, 4), 0.3, torch.half),
        ((2, 3), -0.5, None),
        ((3, 3), 0, None),
    ):
        weight = torch.randn(shape, generator=generator)
        yield weight.to(dtype or weight.dtype), torch.randn(shape, generator=generator), scale


def _prior_cases(generator):
    for own, prior, weight in (((4, 3), (2, 3), 0.5), ((2, 4, 2, 2), (6, 4, 2, 2), 2.0), ((3, 2), (3, 2), 1.0)):
        yield torch.rand(own, generator=generator), 2 + torch.rand(prior, generator=generator), weight


def _product(down, up):
    return (up.reshape(len(up), -1) @ down.reshape(len(down), -1)).reshape(-1, *down.shape[1:])


def _scaled(factor):
    """A variant of the update with another factor of α and r, for the mistakes."""
    return lambda down, up, alpha: factor(alpha, len(down)) * _product(down, up)


def _counted(numbers):
    """A variant of the count, of the outputs, the inputs and the kernel's places."""
    return lambda shape, rank: numbers(shape[0], shape[1], math.prod(shape[2:]), rank)


def _gradients(of_down=None, of_up=None):
    """A variant of the gradients: another one for A or for B."""

    def variant(down, up, alpha, x, grad_y):
        right = low_rank_gradients(down, up, alpha, x, grad_y)
        given, scale = (down, up, x, grad_y), alpha / len(down)
        return (of_down(scale, *given) if of_down else right[0], of_up(scale, *given) if of_up else right[1])

    return variant


def _with_the_weight(function):
    """What a merge gives, the weight that it was given, afterwards, and whether they are one tensor."""

    def run(weight, update, scale):
        result = function(weight, update, scale)
        return result, weight, result is weight

    return run


def _in_place(weight, update, scale):
    return weight.copy_(merged(weight, update, scale))


def _in_half(weight, update, scale):
    return weight + scale * update.to(weight.dtype)


LESSON = Lesson(
    20,
    "Your own style in a minute",
    [
        Exercise(
            "low_rank_update",
            low_rank_update,
            _update_cases,
            hints=(
                "B is (out, r) and A is (r, in): which product has the shape (out, in)?",
                "The factor is α / r, and r is the number of A's rows: down.shape[0].",
                "For a convolution flatten first: up.reshape(-1, rank) @ down.reshape(rank, -1). Afterwards the kernel is "
                "put back with .reshape(-1, *down.shape[1:]).",
            ),
            mistakes={
                "no factor": Mistake(_scaled(lambda a, r: 1.0), "α / r is missing: this is B A alone."),
                "alpha alone": Mistake(
                    _scaled(lambda a, r: a), "you multiply by α: it is α / r, so that another rank needs no other α."
                ),
                "upside down": Mistake(_scaled(lambda a, r: r / a), "you multiply by r / α: it is α / r."),
                "root": Mistake(
                    _scaled(lambda a, r: a / r**0.5),
                    "you divide α by √r: that is a later proposal (rsLoRA); here α is divided by r.",
                ),
                "divided by the inputs": Mistake(
                    lambda down, up, alpha: alpha / down.shape[1] * _product(down, up),
                    "you divide α by the number of inputs: r is the number of A's rows.",
                ),
                "transposed": Mistake(
                    lambda down, up, alpha: (
                        alpha / len(down) * down.reshape(len(down), -1).T @ up.reshape(len(up), -1).T
                    ),
                    "this is Aᵀ Bᵀ, the change transposed: B stands on the left.",
                ),
                "flat": Mistake(
                    lambda down, up, alpha: alpha / len(down) * up.reshape(len(up), -1) @ down.reshape(len(down), -1),
                    "a convolution's change comes out flat: give it the kernel's shape, (out, in, k, k).",
                ),
            },
            minutes=8,
            difficulty=2,
            praise="It is peft's own change of a weight.",
        ),
        Exercise(
            "trainable_numbers",
            trainable_numbers,
            _number_cases,
            hints=(
                "A has r rows, each as long as one row of W. For a convolution a row is in · k · k long.",
                "B has a row for each output, of length r. It is a 1 × 1 convolution: the kernel is A's alone.",
                "outputs, *inputs = shape, and math.prod(inputs) is the length of a row.",
            ),
            mistakes={
                "all": Mistake(_counted(lambda o, i, k, r: o * i * k), "this counts W itself, which learns nothing."),
                "A alone": Mistake(_counted(lambda o, i, k, r: r * i * k), "this counts A alone: B learns as well."),
                "B alone": Mistake(_counted(lambda o, i, k, r: r * o), "this counts B alone: A learns as well."),
                "no kernel": Mistake(
                    _counted(lambda o, i, k, r: r * (i + o)),
                    "the kernel is missing: each of A's rows is in · k · k long.",
                ),
                "kernel twice": Mistake(
                    _counted(lambda o, i, k, r: r * (i + o) * k),
                    "you give B a kernel as well: it is a 1 × 1 convolution.",
                ),
                "r times W": Mistake(
                    _counted(lambda o, i, k, r: r * o * i * k),
                    "you multiply where two matrices are added up: r · in + r · out.",
                ),
            },
            minutes=5,
            difficulty=1,
            praise="Compare it with out · in of the matrix itself.",
        ),
        Exercise(
            "low_rank_gradients",
            low_rank_gradients,
            _gradient_cases,
            hints=(
                "Read y = s · B (A x) from the outside. For B, A x is the input. For A, the gradient that arrives is Bᵀ dL/dy.",
                "A linear layer y = W x has dL/dW = dL/dy xᵀ, added up over the batch. With rows as pictures: grad_y.T @ x.",
                "For B: scale * grad_y.T @ (x @ down.T). For A: scale * (grad_y @ up).T @ x, with scale = alpha / r.",
            ),
            mistakes={
                "swapped": Mistake(
                    lambda *given: low_rank_gradients(*given)[::-1],
                    "the two are swapped: the gradient of A comes first.",
                ),
                "zero stays": Mistake(
                    _gradients(of_up=lambda s, down, up, x, grad_y: s * up * (grad_y.T @ (x @ down.T))),
                    "you multiply B's gradient by B: then a B of zero would stay zero for ever.",
                ),
                "as a full layer": Mistake(
                    _gradients(of_down=lambda s, down, up, x, grad_y: s * grad_y.T @ x),
                    "A gets the gradient of W itself: on the way back to A it goes through B.",
                ),
                "no factor": Mistake(
                    _gradients(
                        lambda s, down, up, x, grad_y: (grad_y @ up).T @ x,
                        lambda s, down, up, x, grad_y: grad_y.T @ (x @ down.T),
                    ),
                    "α / r is missing in both.",
                ),
                "alpha alone": Mistake(
                    lambda down, up, alpha, x, grad_y: low_rank_gradients(down, up, alpha * len(down), x, grad_y),
                    "you multiply by α: it is α / r in both.",
                ),
                "factor twice": Mistake(
                    _gradients(
                        lambda s, down, up, x, grad_y: s * s * (grad_y @ up).T @ x,
                        lambda s, down, up, x, grad_y: s * s * grad_y.T @ (x @ down.T),
                    ),
                    "α / r is there twice: y has it once.",
                ),
                "mean": Mistake(
                    _gradients(
                        lambda s, down, up, x, grad_y: s * (grad_y @ up).T @ x / len(x),
                        lambda s, down, up, x, grad_y: s * grad_y.T @ (x @ down.T) / len(x),
                    ),
                    "you take the mean over the batch: gradients add up.",
                ),
                "without A": Mistake(
                    _gradients(of_up=lambda s, down, up, x, grad_y: s * grad_y.T @ x),
                    "B's gradient has the shape of W: what B sees is A x, not x.",
                ),
            },
            minutes=12,
            difficulty=3,
            praise="It agrees with autograd.",
        ),
        Exercise(
            "merged",
            merged,
            _merge_cases,
            hints=(
                "W + s · ΔW. W itself must stay as it is: it is needed for the next s.",
                "Add in fp32 with weight.float(), and go back with .to(weight.dtype): half precision rounds small changes away.",
                "At s = 0 give back the weight itself, before anything is computed.",
            ),
            mistakes={
                "a copy": Mistake(  # first: at s = 0 other mistakes give a copy as well
                    lambda w, u, s: (w.float() + s * u.float()).to(w.dtype, copy=True),
                    "at scale 0 you give back a copy: give back weight itself, before anything is computed.",
                ),
                "no scale": Mistake(
                    lambda w, u, s: merged(w, u, 1.0), "the scale is missing: this is the whole change."
                ),
                "a mixture": Mistake(
                    lambda w, u, s: ((1 - s) * w.float() + s * u.float()).to(w.dtype),
                    "you fade from W to ΔW: all of W stays, and s · ΔW is added.",
                ),
                "scale on both": Mistake(
                    lambda w, u, s: (s * (w.float() + u.float())).to(w.dtype), "W is scaled as well: s is for ΔW alone."
                ),
                "minus": Mistake(lambda w, u, s: merged(w, u, -s), "you take the change away: it is added."),
                "in place": Mistake(
                    _in_place,
                    "the weight that you were given has changed: at the next s you would add to what is there.",
                ),
                "rounded first": Mistake(
                    lambda w, u, s: w + (s * u).to(w.dtype),
                    "the change is rounded before it is added: add in fp32, and round once, at the end.",
                ),
                "in half precision": Mistake(
                    _in_half, "you add in half precision: add in fp32, and round once, at the end."
                ),
                "another type": Mistake(
                    lambda w, u, s: w.float() + s * u,
                    "the numbers come back in fp32: the layer needs its own type, weight.dtype.",
                ),
            },
            minutes=6,
            difficulty=2,
            seen=_with_the_weight,
            praise="And the weight that you were given is still what it was.",
        ),
        Exercise(
            "loss_with_prior",
            loss_with_prior,
            _prior_cases,
            hints=(
                "Two means: one over the own pictures, one over the prior's. There may be more of the one than of the other.",
                "The weight belongs to the prior's mean.",
                "own.mean() + weight * prior.mean()",
            ),
            mistakes={
                "one heap": Mistake(
                    lambda own, prior, weight: torch.cat([own, weight * prior]).mean(),
                    "one mean over all: whichever has more pictures counts more. Take two means.",
                ),
                "no weight": Mistake(
                    lambda own, prior, weight: own.mean() + prior.mean(),
                    "λ is missing: it multiplies the prior's mean.",
                ),
                "shared out": Mistake(
                    lambda own, prior, weight: (own.mean() + weight * prior.mean()) / (1 + weight),
                    "you divide by 1 + λ: the two are added, and nothing is divided.",
                ),
                "own alone": Mistake(
                    lambda own, prior, weight: own.mean(),
                    "the prior is missing: nothing keeps the model from forgetting.",
                ),
                "sums": Mistake(
                    lambda own, prior, weight: own.sum() + weight * prior.sum(),
                    "sums grow with the number of pictures: take means.",
                ),
                "weight on own": Mistake(
                    lambda own, prior, weight: weight * own.mean() + prior.mean(),
                    "the weight belongs to the prior's mean.",
                ),
                "fade": Mistake(
                    lambda own, prior, weight: (1 - weight) * own.mean() + weight * prior.mean(),
                    "you fade from own to prior: the own mean counts whole.",
                ),
                "minus": Mistake(
                    lambda own, prior, weight: own.mean() - weight * prior.mean(),
                    "a large error on the prior is rewarded here: it is added.",
                ),
            },
            minutes=4,
            difficulty=1,
        ),
    ],
)
