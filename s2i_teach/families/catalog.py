"""The families by name, and what ships of them."""

import json
from importlib import import_module
from pathlib import Path

import torch

from s2i_teach.errors import InputError
from s2i_teach.families.base import Facts, Family
from s2i_teach.files import shown
from s2i_teach.paths import data_dir

FAMILIES = {
    "cnn": ("cnn", "CNN"),
    "vae": ("vae", "ConditionalVAE"),
    "pix2pix": ("pix2pix", "Pix2Pix"),
    "cyclegan": ("cyclegan", "CycleGAN"),
    "stylegan": ("stylegan", "StyleGAN"),
    "painter": ("painter", "Painter"),
    "cascade": ("cascade", "Cascade"),
    "unclip": ("cascade", "UnCLIP"),
}
"""Name → file of this room and class in it."""
WEIGHTS = {"unclip": "cascade"}
"""Name → the family whose weights it paints with, where these are not its own."""


def build(name: str) -> Family:
    """An untrained family.

    Raises:
        InputError: there is none of that name.
    """
    if name not in FAMILIES:
        raise InputError(f"There is no family {shown(name)!r}: use {', '.join(FAMILIES)}.")
    module, kind = FAMILIES[name]
    return getattr(import_module(f"s2i_teach.families.{module}"), kind)()


def weights_of(name: str) -> Path:
    """Where a family's weights lie, if they ship."""
    return data_dir() / "families" / f"{WEIGHTS.get(name, name)}.safetensors"


def load_family(name: str, file: str | Path | None = None) -> tuple[Family, Facts]:
    """A trained family in fp32, and what is known of its training.

    Args:
        file: its weights, as ``s2i train family`` wrote them; None takes those that ship.

    Raises:
        InputError: no such family, no weights, or those of another family.
    """
    from safetensors import SafetensorError, safe_open

    with torch.random.fork_rng(devices=[]):  # weights that are drawn first and then read
        family = build(name)
    file = Path(file) if file else weights_of(name)
    if not file.is_file():
        raise InputError(f"The weights of {name} are not in {file}: train them with s2i train family {name}.")
    try:
        with safe_open(str(file), "pt") as weights:
            told = weights.metadata() or {}
            state = {key: weights.get_tensor(key).float() for key in weights.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(f"{file} is damaged: train the family again.") from error
    kind = told.get("family", "")
    if WEIGHTS.get(kind, kind) != WEIGHTS.get(name, name) or set(state) != set(family.shipped()):
        raise InputError(f"{file} holds no weights of {name}, or of another version of it: train it again.")
    family.load_state_dict(state, strict=False)
    return family.eval().requires_grad_(False), Facts(**json.loads(told["facts"]))
