"""Pages as people have them: turned, huge, tiny, of many bits, in frames, cut off, or no picture at all."""

import io
import json
import struct
import subprocess
import sys
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw

import s2i_teach as s2i
from s2i_teach import InputError, Settings, images, open_sketch
from s2i_teach.translation.page import BOARD_NOTE, PAGE_NOTE, open_page
from s2i_teach.translation.prepare import make_hint
from tests.pages import pages
from tests.peak import PEAK
from tests.test_page import close_to


def encoded(picture, kind="PNG", **options) -> bytes:
    with io.BytesIO() as file:
        picture.save(file, kind, **options)
        return file.getvalue()


def flag(size=(90, 60)) -> Image.Image:
    """A page that shows which way is up: black in its upper left corner."""
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).rectangle([5, 5, 40, 20], fill="black")
    return picture


def png(rows: list[bytes], width: int, kind: int, bits: int) -> bytes:
    """A PNG by hand, since Pillow writes no colours of 16 bits."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(b"\0" + row) for row in rows) + packer.flush()
    header = struct.pack(">IIBBBBB", width, len(rows), bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def same(a: Image.Image, b: Image.Image, most: int = 0) -> bool:
    return a.size == b.size and np.abs(np.asarray(a).astype(int) - np.asarray(b)).max() <= most


# Turned

TURNS = {
    1: (),
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_90,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_270,),
}
"""EXIF's orientation → what the camera did to the page."""


def held(picture: Image.Image, orientation: int, kind: str, **options) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8825)[1] = "N"  # where it was taken
    exif[0x010F] = "A camera's maker"
    for turn in TURNS[orientation]:
        picture = picture.transpose(turn)
    return encoded(picture, kind, exif=exif, **options)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", TURNS)
def test_a_photograph_is_upright_however_often_it_is_opened(kind, orientation):
    data = held(flag(), orientation, kind, **({"lossless": True} if kind == "WEBP" else {}))
    once = open_sketch(data)
    assert same(once, flag(), 80)
    assert same(open_sketch(once), once) and same(open_page(data, Settings("x"))[0], once)
    assert same(open_sketch(Image.open(io.BytesIO(data))), once)


def test_a_turned_photograph_of_squared_paper_is_cleaned_upright():
    name, picture, true = next(pages("squared paper"))
    clean, notes = open_page(held(picture, 6, "PNG"), Settings("x"))
    assert notes == (PAGE_NOTE,)
    close_to(clean, true, name=name)


def test_neither_place_nor_camera_is_in_what_is_saved(tiny_pipe, tmp_path):
    photo = tmp_path / "photo.jpg"
    more = {"icc_profile": b"a profile" * 40, "comment": b"by a person", "xmp": b"<x:xmpmeta>a place</x:xmpmeta>"}
    photo.write_bytes(held(flag(), 6, "JPEG", **more))
    assert open_sketch(photo).info == {}
    made = s2i.translate(photo, "a flag", pipe=tiny_pipe, num_inference_steps=2, size=(96, 64), prepare="picture")
    assert same(made.sketch, images.fit_to(flag(), (96, 64)), 80), "the sketch of the record is upright"
    saved = made.save(tmp_path / "it.png").read_bytes()
    kept = io.BytesIO()
    s2i.read_record(tmp_path / "it.png").sketch.save(kept, "PNG")
    for data in (saved, kept.getvalue(), json.dumps(made.record()).encode()):
        assert not any(word in data for word in (b"camera", b"profile", b"person", b"a place", b"eXIf", b"iCCP"))


# Kinds of files


def test_a_photograph_of_an_iphone(monkeypatch, tmp_path):
    heic = struct.pack(">I", 24) + b"ftypheic" + b"\0\0\0\0mif1heic" + b"\0" * 99
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(heic)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr(Image, "OPEN", {name: it for name, it in Image.OPEN.items() if name != "HEIF"})
    for source in (path, heic, io.BytesIO(heic)):
        with pytest.raises(InputError, match="is a HEIC photograph: pip install pillow-heif, or save it as JPEG"):
            open_sketch(source)

    def register_heif_opener():
        Image.OPEN["HEIF"] = (lambda file, name: Image.open(io.BytesIO(encoded(flag()))), lambda head: b"heic" in head)

    monkeypatch.setitem(sys.modules, "pillow_heif", SimpleNamespace(register_heif_opener=register_heif_opener))
    monkeypatch.setattr(Image, "ID", [*Image.ID, "HEIF"])
    assert same(open_sketch(path), flag()), "with the package it is read"


def test_16_bits_of_every_kind():
    grey = np.asarray(flag().convert("L"))
    deep = grey.astype(">u2") * 257
    opaque = np.full_like(deep, 65535)
    clear = np.where(grey == 0, opaque, 0)  # paper that is transparent
    for kind, channels in {
        0: [deep],
        2: [deep] * 3,
        4: [deep, opaque],
        6: [np.zeros_like(deep)] * 3 + [clear],
    }.items():
        rows = np.stack(channels, axis=2)
        data = png([row.tobytes() for row in rows], rows.shape[1], kind, 16)
        assert same(open_sketch(data), flag(), 1), kind
    tiff = Image.fromarray(deep.astype(np.uint16))
    assert same(open_sketch(encoded(tiff, "TIFF")), flag(), 1)


def test_cmyk_and_palettes_with_transparency(tmp_path):
    assert same(open_sketch(encoded(flag().convert("CMYK"), "JPEG", quality=95)), flag(), 60)
    assert same(open_sketch(encoded(flag().convert("CMYK"), "TIFF")), flag())
    palette = Image.fromarray((np.asarray(flag().convert("L")) == 0).astype(np.uint8)).convert("P")
    palette.putpalette([200, 30, 30, 0, 0, 0])
    for clear in (0, bytes([0, 255])):  # one colour of the palette, or how much of each
        assert same(open_sketch(encoded(palette, "PNG", transparency=clear)), flag())
    half = open_sketch(encoded(palette, "PNG", transparency=bytes([128, 255])))
    assert half.getpixel((80, 50)) == (227, 142, 142), "a veil over white paper"
    assert same(open_sketch(encoded(palette, "GIF", transparency=0)), flag())


@pytest.mark.parametrize(
    ("begin", "words"),
    [
        (b"%PDF-1.7\n1 0 obj", "is a PDF: save its page as PNG"),
        (b'<?xml version="1.0"?>\n<!-- Inkscape -->\n<svg width="9">', "is an SVG, lines without pixels: export it"),
        (b"\xef\xbb\xbf<svg>", "is an SVG"),
        (b"just a text", "is not a picture that can be read: save it as PNG or JPEG"),
        (b"<!doctype html><html>", "is not a picture"),
        (b"PK\3\4" + b"\0" * 40, "is not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not a picture"),
    ],
)
def test_what_has_no_pixels_is_told_by_what_is_in_it(tmp_path, begin, words):
    path = tmp_path / "drawing.png"
    path.write_bytes(begin)
    for source in (path, begin, io.BytesIO(begin)):
        with pytest.raises(InputError, match=words) as caught:
            open_sketch(source)
        assert "\n" not in str(caught.value)


def test_the_svg_of_a_pad_says_what_opens_it(tmp_path):
    pad = s2i.SketchPad("turtle")
    path = pad.save(tmp_path / "mine.svg")
    with pytest.raises(InputError, match="s2i.SketchPad"):
        open_sketch(path)
    assert same(s2i.SketchPad(path).sketch, pad.sketch)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_animations_are_refused(kind):
    frames = [flag(), flag().rotate(180)]
    with pytest.raises(InputError, match=r"animated \(2 frames\): save one frame as a PNG"):
        open_sketch(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))


def test_of_several_pages_of_a_scan_the_first_is_taken():
    data = encoded(flag(), "TIFF", save_all=True, append_images=[flag().rotate(180)], compression="tiff_lzw")
    assert same(open_sketch(data), flag())


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_files_that_were_cut_off(kind, tmp_path):
    noise = Image.effect_noise((200, 200), 50).convert("RGB")
    whole = encoded(noise, kind)
    path = tmp_path / f"half.{kind.lower()}"
    for part in (0.05, 0.5, 0.9):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(InputError, match="damaged or cut off|not a picture") as caught:
            open_sketch(path)
        assert "\n" not in str(caught.value)


# Sizes


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (3, 2), (10_000, 10), (7, 9000)])
def test_odd_sizes(size, tiny_pipe):
    for colour in ("white", (190, 185, 170), "black"):
        page = Image.new("RGB", size, colour)
        page.putpixel((size[0] // 2, size[1] // 2), (90, 90, 90))
        for prepare in ("lines", "photo", "filled"):
            opened, notes = open_page(page, Settings("x", size=(128, 64), prepare=prepare, invert=colour == "black"))
            assert opened.size == (128, 64) and set(notes) <= {PAGE_NOTE, BOARD_NOTE}
            assert make_hint(opened, "lines").size == (128, 64)
        assert make_hint(page, "lines").size == size
    assert s2i.translate(page, "x", pipe=tiny_pipe, num_inference_steps=2, size=(64, 64), invert=True).image


MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16")


def in_mode(mode: str) -> Image.Image:
    values = np.tile(np.arange(101, dtype=np.float32), (67, 1)) / 100
    if mode in ("I", "F", "I;16"):
        table = {"I": values * 65535, "F": values, "I;16": values * 65535}[mode]
        return Image.fromarray(table.astype({"I": np.int32, "F": np.float32, "I;16": np.uint16}[mode]))
    picture = Image.fromarray((values * 255).astype(np.uint8)).convert("RGB").convert(mode.replace("A", "") or "L")
    if mode.endswith("A"):
        picture = picture.convert(mode)
        picture.putalpha(Image.fromarray((values.T[:67, :1] * 255 + np.zeros_like(values)).astype(np.uint8)))
    return picture


@pytest.mark.parametrize("mode", MODES)
def test_in_strips_is_as_at_once(mode, monkeypatch):
    picture = in_mode(mode)
    whole = images.read_picture(picture)
    monkeypatch.setattr(images, "LARGE", 100)
    monkeypatch.setattr(images, "STRIP", 8)
    assert same(images.read_picture(picture), whole)
    monkeypatch.setattr(images, "MAX_PIXELS", 2000)
    assert same(images.read_picture(picture), whole.reduce(2))


def test_a_large_jpeg_is_decoded_small(monkeypatch):
    picture = flag((401, 300))
    data = held(picture, 6, "JPEG", quality=95)
    monkeypatch.setattr(images, "MAX_PIXELS", 100_000)
    opened = open_sketch(data)
    assert opened.size == (201, 150) and opened.getpixel((10, 6)) == (0, 0, 0)
    monkeypatch.setattr(images, "MAX_IN_FILE", 110_000)
    with pytest.raises(InputError, match=r"is too large \(300 × 401 pixels\): make it smaller than 331 × 331"):
        open_sketch(data)


@pytest.mark.seconds(6)
def test_a_scan_of_100_megapixels_takes_less_than_a_gigabyte(tmp_path):
    """Of 16 bits: the kind that took most."""
    side = 10_000
    path = tmp_path / "scan.png"
    path.write_bytes(png([b"\xff" * 2 * side] * (side - 400) + [b"\0" * 2 * side] * 400, side, 0, 16))
    code = f"from s2i_teach.images import open_sketch\nprint(*open_sketch({str(path)!r}).size){PEAK}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    size, peak = done.stdout.split("\n")[:2]
    assert size == "5000 5000" and int(peak) < 1_000_000
