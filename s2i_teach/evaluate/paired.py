"""Results beside the pictures that their sketches belong to, where there are such: what a pair knows about a result."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from PIL import Image, ImageFilter

from s2i_teach.errors import InputError
from s2i_teach.evaluate.agreement import Agreement, agreement
from s2i_teach.evaluate.known import available, lpips
from s2i_teach.images import read_picture
from s2i_teach.translation.result import Result

COPY = 60.0
"""dB that a copy counts for: its PSNR is infinite and would make every mean so. Rounding to bytes alone costs 59 dB."""
BLUR = 1 / 64
"""Standard deviation of the blur that PSNR and SSIM are tried with, as a part of the shorter side: 2 pixels of 128."""


@dataclass(frozen=True)
class Paired:
    """A result's true picture, and what it says of more than the result.

    Attributes:
        target: the true picture.
        scores: name → value of the result: psnr (dB), ssim and, where it is available, lpips.
        sketch: how far the sketch as it is agrees with the true picture.
        blurred: how far the result would agree if it were blurred.
    """

    target: Image.Image
    scores: dict
    sketch: Agreement
    blurred: Agreement


def blur_radius(size: tuple[int, int]) -> float:
    """The blur's standard deviation in pixels for pictures of ``size``."""
    return BLUR * min(size)


def paired(results: list[Result], targets, places: list[int]) -> list[Paired]:
    """Each result beside its true picture.

    Args:
        targets: as :func:`s2i_teach.evaluate.report` takes them.
        places: of each result the number of its sketch, from 0 in order of appearance.

    Raises:
        InputError: another number of pictures, one that cannot be read, or one of another size than its result.
    """
    numbers, pictures = _one_a_result(targets, places)
    with_lpips = available()["LPIPS"] == ""
    found = []
    sketches: dict[tuple[int, int], Agreement] = {}
    for result, number, place in zip(results, numbers, places, strict=True):
        target, image = pictures[number], result.image
        if target.size != image.size:
            raise InputError(
                f"Number {number} of the true pictures is {target.width} × {target.height} and its result "
                f"{image.width} × {image.height}: bring it to that with s2i.open_sketch(picture, size=…)."
            )
        own = _agreement(image, target)
        scores = {"psnr": own.psnr, "ssim": own.ssim}
        if with_lpips:
            scores["lpips"] = lpips(image, target)
        soft = image.convert("RGB").filter(ImageFilter.GaussianBlur(blur_radius(target.size)))
        if (place, number) not in sketches:
            sketches[place, number] = _agreement(result.sketch, target)
        found.append(Paired(target, scores, sketches[place, number], _agreement(soft, target)))
    return found


def _agreement(picture, target) -> Agreement:
    found = agreement(picture, target)
    return replace(found, psnr=min(found.psnr, COPY))


def _one_a_result(targets, places: list[int]) -> tuple[list[int], list[Image.Image]]:
    """Of each result the number of its true picture, and the pictures."""
    given = _listed(targets)
    sketches = len(set(places))
    if len(given) not in (sketches, len(places)):
        count = f"There are {len(given)} true pictures" if len(given) != 1 else "There is 1 true picture"
        raise InputError(
            f"{count} for {len(places)} results of {sketches} {'sketch' if sketches == 1 else 'sketches'}: give one "
            "for each sketch, in order of appearance, or one for each result."
        )
    pictures = [_read(picture, number) for number, picture in enumerate(given)]
    return places if len(given) == sketches else list(range(len(places))), pictures


def _listed(targets) -> list:
    """One picture or many, of anything, as a list."""
    given = getattr(targets, "pixels", targets)  # the embedded pairs, as load_pairs gives them
    dimensions = getattr(given, "ndim", None)
    if isinstance(given, (str, bytes, os.PathLike, Image.Image)) or callable(given) or dimensions in (2, 3):
        return [given]
    if dimensions is None and any(hasattr(given, name) for name in ("image", "read")):
        return [given]
    if dimensions != 0 and isinstance(given, Iterable) and not isinstance(given, (dict, set, frozenset)):
        return list(given)
    raise InputError(f"This is no list of pictures ({type(given).__name__}): give the true pictures in a list.")


def _read(picture, number: int) -> Image.Image:
    if isinstance(picture, torch.Tensor) and picture.dtype == torch.uint8 and picture.dim() == 3:
        picture = picture.permute(1, 2, 0).numpy()  # the pairs keep bytes
    try:
        return read_picture(picture)
    except InputError as error:
        raise InputError(f"Number {number} of the true pictures: {error}") from error
