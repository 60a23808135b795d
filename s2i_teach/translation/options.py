"""What several commands share: options for settings, and how a value is read."""

import argparse

from s2i_teach.files import written

OPTIONS = {
    "prompt": "prompt",
    "negative": "negative_prompt",
    "strength": "strength",
    "guidance": "guidance_scale",
    "steps": "num_inference_steps",
    "seed": "seed",
    "size": "size",
    "prepare": "prepare",
    "fit": "fit",
    "invert": "invert",
    "scheduler": "scheduler",
    "control_scale": "control_scale",
    "control_start": "control_start",
    "control_end": "control_end",
    "style": "style",
    "style_weight": "style_weight",
}
"""The option's name → the setting's."""


def as_size(text: str) -> tuple[int, int]:
    """``768x512``, width first."""
    parts = text.lower().replace("×", "x").split("x")
    try:
        width, height = (int(part) for part in parts)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{written(text)} is no size: write it like 768x512, width first") from error
    return width, height


def one_of(words) -> str:
    """Several words as a choice: "a, b or c"."""
    *others, last = words
    return f"{', '.join(others)} or {last}"
