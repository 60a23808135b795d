"""Says in words how an answer differs from the right one: wrong type, wrong shape and wrong values are three things."""

import math
from numbers import Real

import torch
from PIL import Image


def difference(answer, expected, tolerance: float) -> str | None:
    """None if ``answer`` is right, else one sentence. Numbers, tensors, pictures, and tuples, lists and dicts of them.

    ``tolerance`` bounds max |a − b|, relative to the largest expected value where that is above 1.
    """
    if isinstance(expected, torch.Tensor):
        return _tensor_difference(answer, expected, tolerance)
    if isinstance(expected, (bool, str)) or expected is None:
        if type(answer) is type(expected) and answer == expected:
            return None
        return f"{answer!r} instead of {expected!r}{': did you forget to return?' if answer is None else '.'}"
    if isinstance(expected, (int, float)):
        if isinstance(answer, torch.Tensor) and answer.numel() == 1:
            answer = answer.item()
        if not isinstance(answer, Real) or isinstance(answer, bool):
            return f"a number is expected, this is {_kind(answer)}"
        # Two mistakes that end in nan, or in infinity, are alike.
        same = answer == expected or (answer != answer and expected != expected)
        near = same or math.isfinite(expected) and abs(float(answer) - expected) <= tolerance * max(1.0, abs(expected))
        return None if near else f"{answer:.6g} instead of {expected:.6g}."
    if isinstance(expected, (tuple, list)):
        if not isinstance(answer, (tuple, list)):
            return f"{len(expected)} values are expected, this is {_kind(answer)}"
        if len(answer) != len(expected):
            return f"{len(expected)} values are expected, these are {len(answer)}."
        for number, (one, other) in enumerate(zip(answer, expected, strict=True), 1):
            if words := difference(one, other, tolerance):
                return f"value {number}: {words}"
        return None
    if isinstance(expected, dict):
        if not isinstance(answer, dict) or set(answer) != set(expected):
            return f"a dict with the keys {sorted(expected)} is expected."
        for key in expected:
            if words := difference(answer[key], expected[key], tolerance):
                return f"{key!r}: {words}"
        return None
    if isinstance(expected, Image.Image):
        if not isinstance(answer, Image.Image):
            return f"a picture is expected, this is {_kind(answer)}"
        if (answer.mode, answer.size) != (expected.mode, expected.size):
            return f"a picture {answer.mode} {answer.size} instead of {expected.mode} {expected.size}."
        return None if answer.tobytes() == expected.tobytes() else "right size, wrong pixels."
    raise TypeError(f"answers of type {type(expected).__name__} cannot be compared")


def _tensor_difference(answer, expected: torch.Tensor, tolerance: float) -> str | None:
    if not isinstance(answer, torch.Tensor):
        return f"a tensor of shape {tuple(expected.shape)} is expected, this is {_kind(answer)}"
    if answer.shape != expected.shape:
        return f"wrong shape: {tuple(answer.shape)} instead of {tuple(expected.shape)}."
    if answer.dtype != expected.dtype:
        return f"wrong type of numbers: {answer.dtype} instead of {expected.dtype}."
    a, b = answer.detach().double(), expected.detach().double()
    if not torch.isfinite(a).all() and torch.isfinite(b).all():
        return f"right shape, but {int((~torch.isfinite(a)).sum())} of its {a.numel()} values are not finite."
    if a.numel() == 0:
        return None
    # Two mistakes that end in nan, or in infinity, at the same places are alike.
    same = (a == b) | (a.isnan() & b.isnan())
    gap = torch.where(same, 0.0, (a - b).abs()).nan_to_num(nan=torch.inf)
    if gap.max() <= tolerance * max(1.0, b[b.isfinite()].abs().max().item() if b.isfinite().any() else 0.0):
        return None
    place = tuple(int(i) for i in torch.unravel_index(gap.argmax(), gap.shape))
    where = f" at {list(place)}" if place else ""
    return f"right shape, wrong values: {a[place].item():.4g} instead of {b[place].item():.4g}{where}."


def _kind(value) -> str:
    """What an answer is, in words that end a sentence."""
    if value is None:
        return "None: did you forget to return?"
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}."
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}."
