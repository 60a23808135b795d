"""A finished picture with the record of how it was made, inside the PNG as well."""

import base64
import contextlib
import hashlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from s2i_teach.errors import InputError
from s2i_teach.files import as_path, shown, write_whole
from s2i_teach.images import read_picture
from s2i_teach.translation.plan import Plan
from s2i_teach.translation.prepare import prepare_sketch
from s2i_teach.translation.settings import Settings

KEY = "s2i_teach"
"""The PNG text entry that holds the record, as JSON."""
FORMAT = 1
"""Of the record; a record of another format is refused."""


@dataclass(frozen=True)
class Result:
    """One translation.

    Attributes:
        image: the picture, RGB.
        sketch: the sketch, upright, at the picture's size, dark on white; ``prepared`` is what was encoded of it.
        settings: with every default filled in (``invert`` is False and ``prepare`` not "photo": the sketch has been
            turned and cleaned).
        plan: what ran.
        model: the name or folder it was loaded by.
        seconds: wall time of the run; None where it ran together with others.
        evaluation_seconds: mean wall time of one evaluation of the network with its scheduler step, or None.
        precision: of the U-Net or transformer: "fp32", "fp16" or "bf16".
        notes: sentences on what was done besides, for instance a decoding repeated in fp32.
        small_vae: whether a small VAE encoded and decoded, in place of the model's own.
        quantized: whether the weights were in 4 bits each (``load_pipeline(quantize="nf4")``).
        style_sha256: of the style's file, where there was a style.
        hint: the picture that led the network at each step, white lines on black, or None for a model that takes none.
        mask: 255 where :func:`s2i_teach.repaint` drew the picture ``sketch`` anew, "L", or None where all was drawn.
        pasted: whether the pixels outside are those of ``sketch``.
    """

    image: Image.Image
    sketch: Image.Image
    settings: Settings
    plan: Plan
    model: str
    seconds: float | None
    evaluation_seconds: float | None
    precision: str
    notes: tuple[str, ...] = ()
    hint: Image.Image | None = None
    small_vae: bool = False
    quantized: bool = False
    style_sha256: str | None = None
    mask: Image.Image | None = None
    pasted: bool = False

    @property
    def prepared(self) -> Image.Image:
        """The sketch as it was encoded: as it is, or with its regions filled."""
        return prepare_sketch(self.sketch, self.settings.prepare)

    def record(self) -> dict:
        """What must be known to make the picture again: model, precision, settings, and the sketch itself."""
        sketch = _png(self.sketch)
        mask = {} if self.mask is None else {"mask_png": _text(_png(self.mask.convert("1"))), "pasted": self.pasted}
        return {
            "format": FORMAT,
            "model": self.model,
            "precision": self.precision,
            **({"small_vae": True} if self.small_vae else {}),
            **({"quantized": True} if self.quantized else {}),
            **({"style_sha256": self.style_sha256} if self.style_sha256 else {}),
            "settings": self.settings.to_dict(),
            "sketch_sha256": hashlib.sha256(sketch).hexdigest(),
            "sketch_png": _text(sketch),
            **mask,
        }

    def save(self, path: str | Path) -> Path:
        """Write the picture with its record; a PNG, whole or not at all. Folders are made. Returns the path.

        Raises:
            InputError: the name does not end in ``.png``, or the place cannot be written.
        """
        return save_png(self.image, path, self._info())

    def png(self) -> bytes:
        """The bytes of the file that :meth:`save` writes."""
        with io.BytesIO() as file:
            self.image.save(file, "PNG", pnginfo=self._info())
            return file.getvalue()

    def _info(self) -> PngImagePlugin.PngInfo:
        info = PngImagePlugin.PngInfo()
        info.add_itxt(KEY, json.dumps(self.record(), ensure_ascii=False, sort_keys=True))
        return info

    def _repr_png_(self) -> bytes:
        with io.BytesIO() as file:
            self.image.save(file, "PNG")
            return file.getvalue()


def _png(picture: Image.Image) -> bytes:
    with io.BytesIO() as file:
        picture.save(file, "PNG")
        return file.getvalue()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def check_png_path(path: str | Path) -> Path:
    """A path that a PNG can be written to: right ending, no folder, in a place that may be written.

    Raises:
        InputError: it cannot.
    """
    path = as_path(path)
    if path.suffix.lower() != ".png":
        raise InputError(
            f"{shown(path)} does not end in .png: results are PNG files, since only those hold the settings."
        )
    if path.is_dir():
        raise InputError(f"{shown(path)} is a folder: give a file name.")
    there = next(folder for folder in (path.parent, *path.absolute().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"{shown(path)} cannot be written: {shown(there)} is no folder that you may write to.")
    return path


def save_png(picture: Image.Image, path: str | Path, info: PngImagePlugin.PngInfo | None = None) -> Path:
    """Write a PNG beside its place and move it there, so that no half-written file is ever seen."""
    path = check_png_path(path)
    return write_whole(path, lambda file: picture.save(file, "PNG", pnginfo=info))


@dataclass(frozen=True)
class Record:
    """What a saved picture says of itself: everything needed to make it again."""

    model: str
    precision: str
    settings: Settings
    sketch: Image.Image
    small_vae: bool = False
    quantized: bool = False
    style_sha256: str | None = None
    mask: Image.Image | None = None
    pasted: bool = False


def read_record(path: str | Path) -> Record:
    """The record inside a picture that :meth:`Result.save` wrote.

    Raises:
        InputError: no picture, no record, or a damaged one.
    """
    read_picture(path)  # says what is wrong with a file that is no picture
    path = as_path(path)
    text = None
    with contextlib.suppress(UnidentifiedImageError), Image.open(path, formats=["PNG"]) as picture:
        picture.load()
        text = getattr(picture, "text", {}).get(KEY)
    if text is None:
        raise InputError(
            f"{shown(path)} holds no settings: only pictures saved by s2i_teach do (a copy through an editor or a "
            "messenger loses them)."
        )
    try:
        table = json.loads(text)
        if not isinstance(table, dict) or table.get("format") != FORMAT:
            raise ValueError("it is of another format")
        png = base64.b64decode(table["sketch_png"], validate=True)
        if hashlib.sha256(png).hexdigest() != table["sketch_sha256"]:
            raise ValueError("the sketch inside does not have the hash that was noted")
        settings = Settings.from_dict(table["settings"])
        small_vae, quantized = (table.get(name, False) is True for name in ("small_vae", "quantized"))
        style = str(table["style_sha256"]) if table.get("style_sha256") else None
        sketch, mask = read_picture(png), None
        if "mask_png" in table:
            mask = read_picture(base64.b64decode(table["mask_png"], validate=True)).convert("L")
        names = str(table["model"]), str(table["precision"])
        return Record(*names, settings, sketch, small_vae, quantized, style, mask, table.get("pasted", False) is True)
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(
            f"The settings inside {shown(path)} are damaged ({shown(error)}): make the picture again."
        ) from error
