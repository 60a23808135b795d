"""What a training goes on from: tensors and numbers in a file, written whole and read without running anything."""

import contextlib
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch

from s2i_teach.errors import InputError
from s2i_teach.files import shown, write_whole


def save_atomically(state: dict, path: Path) -> None:
    """``torch.save`` that leaves either the old file or the new one, never half of it.

    Raises:
        InputError: the disk refuses.
    """

    def write(file) -> None:
        try:
            torch.save(state, file)
        except RuntimeError as error:  # torch closes its archive all the same, and what the disk said comes before it
            if isinstance(error.__context__, OSError):
                raise error.__context__ from error
            raise

    write_whole(path, write)


def load_checkpoint(path: Path, place="cpu", *, mmap: bool = False) -> dict:
    """What :func:`save_atomically` wrote. A pickle may hold anything; only tensors, numbers, texts and tables are read.

    Args:
        place: the device that the tensors are put on.
        mmap: leave them in the file until they are used.

    Raises:
        InputError: damaged, or with something else in it.
    """
    try:
        state = torch.load(path, map_location=place, weights_only=True, mmap=mmap)
    except (pickle.UnpicklingError, RuntimeError, EOFError, zipfile.BadZipFile, OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{shown(path)} is damaged or holds more than numbers: delete it, and train without --resume."
        ) from error
    if not isinstance(state, dict):
        raise InputError(f"{shown(path)} is of another program: delete it, and train without --resume.")
    return state


def load_own(path: Path, seed: int, place="cpu") -> dict:
    """:func:`load_checkpoint` of a training whose every step follows from its seed, which the file notes as ``"seed"``.

    Raises:
        InputError: as there, or it was trained with another seed.
    """
    state = load_checkpoint(path, place)
    if state["seed"] != seed:
        raise InputError(
            f"{path} was trained with seed {state['seed']}, not {seed}: use the same seed, or another folder."
        )
    return state


@contextlib.contextmanager
def gone_on_from(path: Path) -> Iterator[None]:
    """What is put into a training within must fit it.

    Raises:
        InputError: it is of another model, another optimiser or another version.
    """
    try:
        yield
    except InputError:
        raise
    except (KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        raise InputError(
            f"{shown(path)} does not fit what is trained here: train with the options as before, or without --resume."
        ) from error
