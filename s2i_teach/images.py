"""Any picture in, an upright RGB picture on white paper out; and tensors to pictures and back."""

import contextlib
import io
import math
import os
import re
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from s2i_teach.errors import InputError
from s2i_teach.files import as_path, shown, written

PAPER = (255, 255, 255)
MAX_PIXELS = 64_000_000
"""No picture that is given back has more: a sketch never needs more."""
MAX_IN_FILE = 144_000_000
"""Pixels of a file at most: it is read at half its size if it has more than ``MAX_PIXELS``. A file of a few bytes can
unpack to gigabytes, and decoded pixels take up to 4 bytes each."""
STRIP = 256
"""Rows of a large picture that are brought to RGB at once: of 16-bit ones, a copy takes many times the memory."""
LARGE = 16_000_000
"""Pixels from which a picture is large."""

FORMATS = (
    *(
        "PNG",
        "JPEG",
        "MPO",
        "GIF",
        "WEBP",
        "AVIF",
        "HEIF",
        "BMP",
        "DIB",
        "TIFF",
        "PPM",
        "ICO",
        "JPEG2000",
        "TGA",
        "PSD",
    ),
)
"""What is read; Pillow's more exotic decoders (some start other programs) are left alone."""
HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""How the files of phones name their kind; the package ``pillow-heif`` reads them."""
ANIMATED = ("GIF", "WEBP", "AVIF", "PNG")
"""Formats whose frames are an animation. Phones' MPO, TIFF and PSD hold other things besides: frame 0 is taken."""


def open_sketch(source, size: tuple[int, int] | None = None, *, fit: str = "pad", invert: bool = False) -> Image.Image:
    """Any picture as an upright RGB picture on white paper.

    Args:
        source: a path (``str`` or ``Path``), the bytes of a picture file, a file object, a PIL image, one of
            ``s2i.sketches()``, a ``Result``, an array ``(H, W)`` or ``(H, W, 1|2|3|4)`` of bool, uint8, uint16 or
            floats in [0, 1], or a tensor ``(3, H, W)`` of floats in [−1, 1]. Modes 1, L, LA, P, RGBA, I;16, I, F and
            CMYK are understood; transparency becomes white paper; EXIF rotation is applied.
        size: ``(width, height)`` in pixels to fit to, without distortion; None keeps the size.
        fit: ``"pad"`` fills what is missing with paper, ``"crop"`` cuts what is too much.
        invert: turn white lines on black into black lines on white. A sketch that looks so and is not inverted is
            answered with a warning that offers it.

    Raises:
        InputError: no picture, cut off, of no size, too large, animated, a folder, or missing.
    """
    picture = read_picture(source)
    if invert:
        picture = ImageOps.invert(picture)
    elif looks_white_on_black(picture):
        warnings.warn(
            "This sketch looks like white lines on black; models expect dark lines on white: pass invert=True "
            "(--invert on the command line) to turn it around.",
            stacklevel=2,
        )
    return picture if size is None else fit_to(picture, size, fit)


def read_picture(source) -> Image.Image:
    """:func:`open_sketch` without a look at what is on it: upright, RGB, on white paper."""
    source = getattr(source, "image", source)  # a Result, or one of the embedded sketches
    source = source() if callable(source) else source  # a pad or a drawing
    if isinstance(source, torch.Tensor):
        return to_picture(source)
    if isinstance(source, np.ndarray):
        return _on_paper(_from_array(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decoded(io.BytesIO(bytes(source)), "These bytes")
    if isinstance(source, (str, os.PathLike)):
        return _open_path(source)
    if isinstance(source, Image.Image) or hasattr(source, "read"):
        return _decoded(source, "The picture" if isinstance(source, Image.Image) else "This file object")
    raise InputError(
        f"A picture cannot be made from a {type(source).__name__}: give a path, the bytes of a picture file, "
        "a PIL image or an array."
    )


def _open_path(source) -> Image.Image:
    if str(source).lower().startswith(("http://", "https://")):
        raise InputError(f"{shown(source)} is a web address: save the picture first and give its file name.")
    path = as_path(source)
    name = shown(path)
    try:
        if path.is_dir():
            raise InputError(f"{name} is a folder: give one picture file.")
        if not path.exists():
            raise InputError(f"{name} does not exist: check the name (you are in {Path.cwd()}).")
        if path.stat().st_size == 0:
            raise InputError(f"{name} is empty: save the picture again.")
        with open(path, "rb") as file:
            return _decoded(file, name)
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror or error}.") from error


def _decoded(source, name: str) -> Image.Image:
    """Decode one still picture, upright and on paper; every way this can fail becomes one sentence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd files; MAX_PIXELS is the limit on size
            picture = source if isinstance(source, Image.Image) else identified(source)
            _check_pixels(*picture.size, name, MAX_IN_FILE)
            frames = getattr(picture, "n_frames", 1)
            if frames > 1 and picture.format in ANIMATED:
                raise InputError(f"{name} is animated ({frames} frames): save one frame as a PNG.")
            if _is_large(picture, MAX_PIXELS) and picture.format in ("JPEG", "MPO"):
                picture.draft(None, (picture.width // 2, picture.height // 2))  # decoded small, and so in little memory
            picture.load()
            return _upright(_on_paper(picture), _orientation(picture))
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(f"{name} unpacks to too many pixels: make it smaller than 12000 × 12000.") from error
    except UnidentifiedImageError as error:
        raise _unknown(source, name) from error
    except Exception as error:  # damaged files make Pillow's decoders raise nearly anything
        words = shown(error) or type(error).__name__
        raise InputError(f"{name} is damaged or cut off ({words}): save or copy it again.") from error


def identified(file) -> Image.Image:
    """A file object as a Pillow image that is not decoded yet, by the decoders of ``FORMATS`` alone."""
    Image.init()
    if "HEIF" not in Image.OPEN and _head(file)[4:12] in [b"ftyp" + kind for kind in HEIC]:
        with contextlib.suppress(ImportError):
            import pillow_heif

            pillow_heif.register_heif_opener()
    return Image.open(file, formats=[name for name in FORMATS if name in Image.OPEN])


def _head(file) -> bytes:
    """The first bytes of a file, which is left as it was; of one that cannot be wound back none."""
    try:
        here = file.tell()
        head = file.read(4096)
        file.seek(here)
    except (AttributeError, OSError, ValueError):
        return b""
    return head if isinstance(head, bytes) else b""


def _unknown(file, name: str) -> InputError:
    """What to do with a file that is no picture of pixels."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        file.seek(0)
    head = _head(file)
    if head[4:12] in [b"ftyp" + kind for kind in HEIC]:
        return InputError(f"{name} is a HEIC photograph: pip install pillow-heif, or save it as JPEG.")
    if b"%PDF-" in head[:1024]:
        return InputError(f"{name} is a PDF: save its page as PNG, or take a picture of the screen.")
    if re.search(rb"<svg[\s>]", head):
        return InputError(
            f"{name} is an SVG, lines without pixels: export it as PNG; a sketch pad's is opened by s2i.SketchPad."
        )
    return InputError(f"{name} is not a picture that can be read: save it as PNG or JPEG.")


def _is_large(picture: Image.Image, pixels: int) -> bool:
    return picture.width * picture.height > pixels


def _orientation(picture: Image.Image) -> int:
    """How a camera was held, 1 to 8, as EXIF notes it."""
    try:
        orientation = picture.getexif().get(0x0112, 1)
    except Exception:  # what cannot be read says nothing about how the picture was held
        return 1
    return orientation if isinstance(orientation, int) else 1


def _upright(picture: Image.Image, orientation: int) -> Image.Image:
    """Turned as EXIF's orientation says. Pillow's own ``exif_transpose`` writes the EXIF back and fails on odd ones."""
    turns = {
        2: (Image.Transpose.FLIP_LEFT_RIGHT,),
        3: (Image.Transpose.ROTATE_180,),
        4: (Image.Transpose.FLIP_TOP_BOTTOM,),
        5: (Image.Transpose.TRANSPOSE,),
        6: (Image.Transpose.ROTATE_270,),
        7: (Image.Transpose.TRANSVERSE,),
        8: (Image.Transpose.ROTATE_90,),
    }
    for turn in turns.get(orientation, ()):
        picture = picture.transpose(turn)
    return picture


def _check_pixels(width: int, height: int, name: str, most: int = MAX_PIXELS) -> None:
    if width < 1 or height < 1:
        raise InputError(f"{name} has no pixels ({width} × {height}): save the picture again.")
    if width * height > most:
        side = math.isqrt(most)
        raise InputError(f"{name} is too large ({width} × {height} pixels): make it smaller than {side} × {side}.")


def _from_array(array: np.ndarray) -> Image.Image:
    shape = array.shape
    if not (array.ndim == 2 or (array.ndim == 3 and shape[2] in (1, 2, 3, 4))):
        raise InputError(f"An array of shape {shape} is no picture: give (H, W) or (H, W, 3).")
    _check_pixels(shape[1], shape[0], "The array")
    kind = array.dtype
    if kind.kind == "b":
        array = array.astype(np.uint8) * 255
    elif kind.kind == "u" and kind.itemsize == 2:
        array = (array >> 8).astype(np.uint8)
    elif kind.kind == "f":
        if not np.isfinite(array).all():
            raise InputError("The array holds values that are not finite: give floats in [0, 1].")
        if array.min() < -1e-6 or array.max() > 1 + 1e-6:
            raise InputError(
                f"The array's floats reach from {array.min():.3g} to {array.max():.3g}: scale them to [0, 1]."
            )
        array = (array.clip(0, 1) * 255).round().astype(np.uint8)
    elif kind.kind in "iu":
        if array.min() < 0 or array.max() > 255:
            raise InputError(f"The array's values reach from {array.min()} to {array.max()}: give uint8, 0 to 255.")
        array = array.astype(np.uint8)
    else:
        raise InputError(f"An array of {kind} is no picture: give uint8, or floats in [0, 1].")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    return Image.fromarray(np.ascontiguousarray(array))


def _on_paper(picture: Image.Image) -> Image.Image:
    """Any mode as RGB, what is transparent becoming white paper (``convert("RGB")`` alone makes it black).

    At half the size if there are more than ``MAX_PIXELS``. What a file says besides is left behind: how the camera was
    held, or it would be turned again when it is opened again; and where and by whom, which is nobody's business.
    """
    top = _lightest(picture)
    if not _is_large(picture, LARGE):
        page = _strip_on_paper(picture, top)
        page.info = {}
        return page
    smaller = 2 if _is_large(picture, MAX_PIXELS) else 1
    page = Image.new("RGB", (-(-picture.width // smaller), -(-picture.height // smaller)), PAPER)
    for y in range(0, picture.height, STRIP):
        strip = _strip_on_paper(picture.crop((0, y, picture.width, min(y + STRIP, picture.height))), top)
        page.paste(strip.reduce(smaller) if smaller > 1 else strip, (0, y // smaller))
    return page


def _strip_on_paper(picture: Image.Image, top: float) -> Image.Image:
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        picture = _as_grey(picture, top)
    if picture.mode in ("La", "RGBa"):
        picture = picture.convert("LA" if picture.mode == "La" else "RGBA")
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        page = Image.new("RGBA", picture.size, PAPER)
        page.alpha_composite(picture)
        picture = page
    return picture.convert("RGB")


def _lightest(picture: Image.Image) -> float:
    """The number that stands for white in whole numbers of 16 or 32 bits, or floats in [0, 1] or [0, 255]."""
    if picture.mode.startswith("I;16"):
        return 65535.0
    if picture.mode not in ("I", "F"):
        return 255.0
    most = float(np.asarray(picture.getextrema())[1])
    if picture.mode == "I":
        return 65535.0 if most > 255 else 255.0
    return 1.0 if most <= 1.001 else 255.0


def _as_grey(picture: Image.Image, top: float) -> Image.Image:
    """Numbers up to ``top`` as 8-bit grey with its transparency."""
    values = np.asarray(picture, dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError("The picture holds values that are not finite: save it again as a PNG.")
    grey = Image.fromarray((values / top * 255).clip(0, 255).round().astype(np.uint8))
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return grey


def looks_white_on_black(picture: Image.Image) -> bool:
    """Whether an RGB picture is light lines on a dark page: most of it and most of its border is nearly black."""
    grey = np.asarray(picture.convert("L").resize((64, 64), Image.Resampling.BOX))
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return bool(np.median(border) < 64 and np.median(grey) < 64 and grey.max() > 96)


def check_size(size, multiple: int = 1) -> tuple[int, int]:
    """``(width, height)`` as ints, or an InputError; sides must be multiples of ``multiple`` (the VAE's factor)."""
    try:
        if isinstance(size, (set, frozenset, dict, str, bytes)):
            raise TypeError  # no order, or letters
        width, height = (int(side) for side in size)
        whole = all(int(side) == side for side in size)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise InputError(f"The size {shown(size)} is not two numbers: give (width, height) in pixels.") from error
    if not whole or width < multiple or height < multiple or width * height > MAX_PIXELS:
        raise InputError(
            f"The size {shown(width)} × {shown(height)} cannot be used: give sides from {multiple} to 8000 pixels."
        )
    if width % multiple or height % multiple:
        near = tuple(max(multiple, round(side / multiple) * multiple) for side in (width, height))
        raise InputError(
            f"The size {width} × {height} does not fit this model: its sides must be multiples of {multiple}, "
            f"for instance {near[0]} × {near[1]}."
        )
    return width, height


def fit_to(picture: Image.Image, size: tuple[int, int], fit: str = "pad") -> Image.Image:
    """An RGB picture at ``(width, height)`` without distortion: padded with paper, or cropped in the middle."""
    width, height = check_size(size)
    if fit not in ("pad", "crop"):
        raise InputError(f'fit={written(fit)} is not known: use "pad" or "crop".')
    if fit == "crop":
        return ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
    factor = min(width / picture.width, height / picture.height)
    # A very thin picture keeps at least one pixel of its short side.
    inner = [max(1, round(side * factor)) for side in picture.size]
    page = Image.new("RGB", (width, height), PAPER)
    small = picture.resize(inner, Image.Resampling.LANCZOS) if tuple(inner) != picture.size else picture
    page.paste(small, ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return page


def to_tensor(picture: Image.Image) -> torch.Tensor:
    """An RGB picture as ``(3, H, W)`` float32 in [−1, 1]: 0 becomes −1, 255 becomes 1."""
    return pixels_to_tensor(torch.from_numpy(np.array(picture.convert("RGB"))))


def to_picture(tensor: torch.Tensor) -> Image.Image:
    """A tensor ``(3, H, W)`` or ``(1, 3, H, W)`` in [−1, 1] (what lies outside is clipped) as an RGB picture.

    Raises:
        InputError: no tensor, another shape, no floats, or values that are not finite.
    """
    if not isinstance(tensor, torch.Tensor):
        raise InputError(f"A {type(tensor).__name__} is no tensor: give (3, H, W) in [-1, 1].")
    if tensor.dim() == 4 and tensor.shape[0] == 1:
        tensor = tensor[0]
    if tensor.dim() != 3 or tensor.shape[0] not in (1, 3):
        raise InputError(f"A tensor of shape {tuple(tensor.shape)} is no picture: give (3, H, W) in [-1, 1].")
    _check_pixels(tensor.shape[2], tensor.shape[1], "The tensor")
    if not tensor.is_floating_point() or tensor.is_sparse or tensor.device.type == "meta":
        raise InputError(f"A tensor of {tensor.dtype} is no picture: give floats in [-1, 1].")
    tensor = tensor.detach().float().cpu()
    if not torch.isfinite(tensor).all():
        raise InputError("The tensor holds values that are not finite: nothing can be shown.")
    return Image.fromarray(tensor_to_pixels(tensor.expand(3, -1, -1)).numpy())


def pixels_to_tensor(pixels: torch.Tensor) -> torch.Tensor:
    """A picture's bytes ``(H, W, C)``, uint8 from 0 to 255, as ``(C, H, W)`` float32 from −1 to 1.

    Equals diffusers' ``VaeImageProcessor.preprocess``.
    """
    return (pixels.float() / 127.5 - 1).permute(2, 0, 1).contiguous()


def tensor_to_pixels(x: torch.Tensor) -> torch.Tensor:
    """The way back: ``(C, H, W)`` floats to bytes ``(H, W, C)``; what lies outside [−1, 1] is clipped, the rest rounded.

    Equals diffusers' ``VaeImageProcessor.postprocess`` followed by ``numpy_to_pil``.
    """
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0)
