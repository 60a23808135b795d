"""Any picture in, an upright RGB picture on white paper out; and tensors to pictures and back."""

import io
import os
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from s2i_teach.errors import InputError

PAPER = (255, 255, 255)
MAX_PIXELS = 64_000_000
"""Larger pictures are refused: a sketch never needs more, and a small file can unpack to gigabytes."""


def open_sketch(source, size: tuple[int, int] | None = None, *, fit: str = "pad", invert: bool = False) -> Image.Image:
    """Any picture as an upright RGB picture on white paper.

    Args:
        source: a path (``str`` or ``Path``), the bytes of a picture file, a file object, a PIL image, or an array
            ``(H, W)``, ``(H, W, 1|2|3|4)`` of bool, uint8, uint16 or floats in [0, 1]. Modes 1, L, LA, P, RGBA, I;16,
            I, F and CMYK are understood; transparency becomes white paper; EXIF rotation is applied.
        size: ``(width, height)`` in pixels to fit to, without distortion; None keeps the size.
        fit: ``"pad"`` fills what is missing with paper, ``"crop"`` cuts what is too much.
        invert: turn white lines on black into black lines on white. A sketch that looks so and is not inverted is
            answered with a warning that offers it.

    Raises:
        InputError: no picture, cut off, of no size, too large, animated, a folder, or missing.
    """
    picture = _on_paper(ImageOps.exif_transpose(_load(source)))
    if invert:
        picture = ImageOps.invert(picture)
    elif looks_white_on_black(picture):
        warnings.warn(
            "This sketch looks like white lines on black; models expect dark lines on white: pass invert=True "
            "(--invert on the command line) to turn it around.",
            stacklevel=2,
        )
    return picture if size is None else fit_to(picture, size, fit)


def _load(source) -> Image.Image:
    if isinstance(source, Image.Image):
        return _checked(source, "The picture")
    if isinstance(source, torch.Tensor):
        return to_picture(source)
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _read(io.BytesIO(bytes(source)), "These bytes")
    if hasattr(source, "read"):
        return _read(source, "This file object")
    if isinstance(source, (str, os.PathLike)):
        return _open_path(source)
    raise InputError(
        f"A sketch cannot be made from a {type(source).__name__}: give a path, the bytes of a picture file, "
        "a PIL image or an array."
    )


def _open_path(source) -> Image.Image:
    text = os.fspath(source)
    if isinstance(text, str) and text.lower().startswith(("http://", "https://")):
        raise InputError(f"{text} is a web address: save the picture first and give its file name.")
    path = Path(os.fsdecode(text)).expanduser()
    if "\0" in str(path):
        raise InputError("The file name has a zero byte in it: give a plain file name.")
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder: give one picture file.")
        if not path.exists():
            raise InputError(f"{path} does not exist: check the name (you are in {Path.cwd()}).")
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty: save the picture again.")
        with open(path, "rb") as file:
            return _read(file, str(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error


def _read(file, name: str) -> Image.Image:
    """Read and decode one still picture; every way this can fail becomes one sentence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS below is the limit
            picture = Image.open(file)
            _checked(picture, name)
            if getattr(picture, "n_frames", 1) > 1:
                raise InputError(f"{name} is animated ({picture.n_frames} frames): save one frame as a PNG.")
            picture.load()
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(f"{name} unpacks to too many pixels: make it smaller than 8000 × 8000.") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{name} is not a picture that can be read: save it as PNG or JPEG.") from error
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
        # Pillow's decoders raise all of these for files that are cut off or damaged.
        raise InputError(f"{name} is damaged or cut off ({error}): save or copy it again.") from error
    return picture


def _checked(picture: Image.Image, name: str) -> Image.Image:
    width, height = picture.size
    if width < 1 or height < 1:
        raise InputError(f"{name} has no pixels ({width} × {height}): save the picture again.")
    if width * height > MAX_PIXELS:
        raise InputError(f"{name} is too large ({width} × {height} pixels): make it smaller than 8000 × 8000.")
    return picture


def _from_array(array: np.ndarray) -> Image.Image:
    shape = array.shape
    if array.ndim == 2 or (array.ndim == 3 and shape[2] in (1, 2, 3, 4)):
        if 0 in shape:
            raise InputError(f"The array has no pixels (shape {shape}): give (H, W) or (H, W, 3).")
    else:
        raise InputError(f"An array of shape {shape} is no picture: give (H, W) or (H, W, 3).")
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    elif array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    elif np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all():
            raise InputError("The array holds values that are not finite: give floats in [0, 1].")
        if array.min() < -1e-6 or array.max() > 1 + 1e-6:
            raise InputError(
                f"The array's floats reach from {array.min():.3g} to {array.max():.3g}: scale them to [0, 1]."
            )
        array = (array.clip(0, 1) * 255).round().astype(np.uint8)
    elif array.dtype != np.uint8:
        if array.min() < 0 or array.max() > 255:
            raise InputError(f"The array's values reach from {array.min()} to {array.max()}: give uint8, 0 to 255.")
        array = array.astype(np.uint8)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    return _checked(Image.fromarray(np.ascontiguousarray(array)), "The array")


def _on_paper(picture: Image.Image) -> Image.Image:
    """Any mode as RGB, what is transparent becoming white paper (``convert("RGB")`` alone makes it black)."""
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        values = np.asarray(picture, dtype=np.float64)
        top = 1.0 if picture.mode == "F" and values.max() <= 1 else 255.0 if values.max() <= 255 else 65535.0
        picture = Image.fromarray((values / top * 255).clip(0, 255).round().astype(np.uint8))
    if picture.has_transparency_data if hasattr(picture, "has_transparency_data") else "A" in picture.getbands():
        picture = picture.convert("RGBA")
        page = Image.new("RGBA", picture.size, PAPER)
        page.alpha_composite(picture)
        picture = page
    return picture.convert("RGB")


def looks_white_on_black(picture: Image.Image) -> bool:
    """Whether an RGB picture is light lines on a dark page: most of it and most of its border is nearly black."""
    grey = np.asarray(picture.convert("L").resize((64, 64), Image.Resampling.BOX))
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return bool(np.median(border) < 64 and np.median(grey) < 64 and grey.max() > 96)


def check_size(size, multiple: int = 1) -> tuple[int, int]:
    """``(width, height)`` as ints, or an InputError; sides must be multiples of ``multiple`` (the VAE's factor)."""
    try:
        width, height = (int(side) for side in size)
        whole = all(int(side) == side for side in size)
    except (TypeError, ValueError) as error:
        raise InputError(f"The size {size!r} is not two numbers: give (width, height) in pixels.") from error
    if not whole or width < multiple or height < multiple or width * height > MAX_PIXELS:
        raise InputError(f"The size {width} × {height} cannot be used: give sides from {multiple} to 8000 pixels.")
    if width % multiple or height % multiple:
        near = tuple(max(multiple, round(side / multiple) * multiple) for side in (width, height))
        raise InputError(
            f"The size {width} × {height} does not fit this model: its sides must be multiples of {multiple}, "
            f"for instance {near[0]} × {near[1]}."
        )
    return width, height


def fit_to(picture: Image.Image, size: tuple[int, int], fit: str = "pad") -> Image.Image:
    """An RGB picture at ``(width, height)`` without distortion: padded with paper, or cropped in the middle."""
    size = check_size(size)
    if fit == "pad":
        return ImageOps.pad(picture, size, Image.Resampling.LANCZOS, color=PAPER)
    if fit == "crop":
        return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)
    raise InputError(f'fit={fit!r} is not known: use "pad" or "crop".')


def to_tensor(picture: Image.Image) -> torch.Tensor:
    """An RGB picture as ``(3, H, W)`` float32 in [−1, 1]."""
    pixels = np.asarray(picture.convert("RGB"), dtype=np.float32)
    return torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1).contiguous()


def to_picture(tensor: torch.Tensor) -> Image.Image:
    """A tensor ``(3, H, W)`` or ``(1, 3, H, W)`` in [−1, 1] (what lies outside is clipped) as an RGB picture.

    Raises:
        InputError: another shape, or values that are not finite.
    """
    if tensor.dim() == 4 and tensor.shape[0] == 1:
        tensor = tensor[0]
    if tensor.dim() != 3 or tensor.shape[0] not in (1, 3):
        raise InputError(f"A tensor of shape {tuple(tensor.shape)} is no picture: give (3, H, W) in [-1, 1].")
    tensor = tensor.detach().float().cpu()
    if not torch.isfinite(tensor).all():
        raise InputError("The tensor holds values that are not finite: nothing can be shown.")
    pixels = ((tensor.clamp(-1, 1) + 1) * 127.5).round().byte().expand(3, -1, -1)
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())
