"""Exercises of lesson 6, words steer pictures."""

import torch

from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.theory.attention import attention, attention_weights
from s2i_teach.theory.guidance import classifier_free_guidance


def _weights_cases(generator):
    for shape, keys in (((5, 4), 3), ((2, 6, 8), 7), ((2, 3, 4, 16), 5)):
        yield (
            2 * torch.randn(shape, generator=generator),
            2 * torch.randn(*shape[:-2], keys, shape[-1], generator=generator),
        )


def _attention_cases(generator):
    for q, k in _weights_cases(generator):
        yield q, k, torch.randn(*k.shape[:-1], 6, generator=generator)


def _guidance_cases(generator):
    for scale in (7.5, 1.0, 0.0, 3):
        yield torch.randn(2, 4, 3, 3, generator=generator), torch.randn(2, 4, 3, 3, generator=generator), scale


def _scores(q, k):
    return q @ k.transpose(-1, -2)


LESSON = Lesson(
    6,
    "Words steer pictures",
    [
        Exercise(
            "attention_weights",
            attention_weights,
            _weights_cases,
            hints=(
                "Every query with every key: q @ k.transpose(-1, -2) holds all the dot products, (…, N, M).",
                "A product of two independent numbers of mean 0 and variance 1 has variance 1 too. What is the variance of a "
                "sum of d such products, and what is its standard deviation?",
                "Divide by √d: q.shape[-1] ** 0.5.",
                "torch.softmax(scores, dim=-1) makes the row of each query add up to 1.",
            ),
            mistakes={
                "not scaled": Mistake(
                    lambda q, k: torch.softmax(_scores(q, k), -1),
                    "the comparisons are not divided by anything: with long vectors the softmax picks one key and ignores the rest.",
                ),
                "by d": Mistake(
                    lambda q, k: torch.softmax(_scores(q, k) / q.shape[-1], -1),
                    "you divide by d, the variance of a dot product: its standard deviation is the root of it.",
                ),
                "over the queries": Mistake(
                    lambda q, k: torch.softmax(_scores(q, k) / q.shape[-1] ** 0.5, -2),
                    "the softmax runs over the queries: the row of each query must add up to 1, over the keys, dim=-1.",
                ),
                "the second axis": Mistake(
                    lambda q, k: torch.softmax(_scores(q, k) / q.shape[1] ** 0.5, -1),
                    "q.shape[1] is d only where there is no batch: the length of a query is q.shape[-1].",
                ),
                "no softmax": Mistake(
                    lambda q, k: _scores(q, k) / q.shape[-1] ** 0.5,
                    "these are the comparisons: a softmax makes weights of them, positive, with the sum 1.",
                ),
                "by the number of keys": Mistake(
                    lambda q, k: torch.softmax(_scores(q, k) / k.shape[-2] ** 0.5, -1),
                    "you divide by the root of the number of keys: d is the length of a query, q.shape[-1].",
                ),
                "by the number of queries": Mistake(
                    lambda q, k: torch.softmax(_scores(q, k) / q.shape[-2] ** 0.5, -1),
                    "you divide by the root of the number of queries: d is the length of a query, q.shape[-1].",
                ),
                "multiplied": Mistake(
                    lambda q, k: torch.softmax(_scores(q, k) * q.shape[-1] ** 0.5, -1),
                    "you multiply by √d, which makes the comparisons larger still: divide by it.",
                ),
                "after the softmax": Mistake(
                    lambda q, k: torch.softmax(_scores(q, k), -1) / q.shape[-1] ** 0.5,
                    "you divide after the softmax, so that the weights no longer add up to 1: divide the comparisons, before "
                    "it.",
                ),
                "keys ask": Mistake(
                    lambda q, k: torch.softmax(_scores(k, q) / q.shape[-1] ** 0.5, -1),
                    "queries and keys have changed places: there is a row for each query and a column for each key.",
                ),
            },
            minutes=8,
            difficulty=2,
        ),
        Exercise(
            "attention",
            attention,
            _attention_cases,
            hints=(
                "You have the weights already: attention_weights(q, k), (…, N, M).",
                "The mean of the values, weighted, is a matrix product: weights @ v.",
            ),
            mistakes={
                "keys for values": Mistake(
                    lambda q, k, v: attention_weights(q, k) @ k,
                    "you averaged the keys: keys say who answers, values are the answers.",
                ),
                "plain mean": Mistake(
                    lambda q, k, v: v.mean(-2, keepdim=True).expand(*q.shape[:-1], v.shape[-1]),
                    "every value counts alike here: multiply them by attention_weights(q, k).",
                ),
                "the best alone": Mistake(
                    lambda q, k, v: torch.take_along_dim(v, attention_weights(q, k).argmax(-1, keepdim=True), dim=-2),
                    "you take the best value alone: attention averages all of them by their weights, so that it can be trained.",
                ),
                "twice": Mistake(
                    lambda q, k, v: torch.softmax(attention_weights(q, k), -1) @ v,
                    "the softmax is taken twice: attention_weights has done it already.",
                ),
                "not weighted": Mistake(
                    lambda q, k, v: _scores(q, k) / q.shape[-1] ** 0.5 @ v,
                    "these comparisons are no weights yet: use attention_weights(q, k), whose rows add up to 1.",
                ),
            },
            minutes=4,
            difficulty=1,
        ),
        Exercise(
            "classifier_free_guidance",
            classifier_free_guidance,
            _guidance_cases,
            hints=(
                "A straight line: a starting point, plus a direction times a number.",
                "Start at the prediction without words, and go towards the one with words.",
                "The direction is conditional − unconditional; go guidance_scale times that far.",
            ),
            mistakes={
                "the other convention": Mistake(
                    lambda u, c, s: (1 + s) * c - s * u,
                    "you start at conditional, as Ho and Salimans write it, where 0 is no guidance: here scale 0 must give "
                    "unconditional.",
                ),
                "the wrong way": Mistake(
                    lambda u, c, s: c + s * (u - c),
                    "you go from the prediction with words to the one without: start at unconditional.",
                ),
                "one step short": Mistake(
                    lambda u, c, s: u + (s - 1) * (c - u),
                    "it goes one step short: with scale 1 the result must be conditional, with 0 unconditional.",
                ),
                "only the words": Mistake(
                    lambda u, c, s: s * c,
                    "only the prediction with words is multiplied: what is to be amplified is the "
                    "difference between the two predictions.",
                ),
                "no way back": Mistake(
                    lambda u, c, s: u + s * c,
                    "the whole prediction with words is added, where the difference belongs: conditional − unconditional.",
                ),
                "the difference alone": Mistake(
                    lambda u, c, s: s * (c - u),
                    "this is the way alone: it needs its starting point, unconditional.",
                ),
                "away from the words": Mistake(
                    lambda u, c, s: u + s * (u - c),
                    "the direction is turned round, and leads away from the words: conditional − unconditional.",
                ),
                "mean": Mistake(
                    lambda u, c, s: (u + s * c) / (1 + s),
                    "this is a mean, which never leaves the range between the two: guidance goes beyond.",
                ),
            },
            minutes=5,
            difficulty=1,
        ),
    ],
)
