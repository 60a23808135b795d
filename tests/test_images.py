"""Any picture in, an upright RGB picture on white paper out; bad input gets one sentence."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from s2i_teach import InputError, open_sketch
from s2i_teach.images import fit_to, looks_white_on_black, to_picture, to_tensor


def encoded(picture, kind="PNG", **options) -> bytes:
    with io.BytesIO() as file:
        picture.save(file, kind, **options)
        return file.getvalue()


def drawing(mode="RGB", size=(60, 40)):
    """A black square on white, in any mode."""
    picture = Image.new("L", size, 255)
    ImageDraw.Draw(picture).rectangle([10, 10, 30, 30], fill=0)
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture).astype(np.uint16) * 257)
    if mode == "F":
        return Image.fromarray(np.asarray(picture).astype(np.float32) / 255)
    if mode == "I":
        return Image.fromarray(np.asarray(picture).astype(np.int32) * 257)
    return picture.convert("RGB").convert(mode)  # older Pillows make LAB of RGB only


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I", "F", "CMYK", "YCbCr", "HSV", "LAB"])
def test_every_mode_becomes_the_same_rgb(mode):
    opened = open_sketch(drawing(mode))
    assert opened.mode == "RGB" and opened.size == (60, 40)
    difference = np.abs(np.asarray(opened).astype(int) - np.asarray(drawing("RGB")).astype(int))
    assert difference.max() <= 3


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_white_paper(mode):
    picture = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    ImageDraw.Draw(picture).rectangle([5, 5, 10, 10], fill=(0, 0, 0, 255))
    if mode == "P":
        picture = Image.open(io.BytesIO(encoded(picture.quantize(8))))
    opened = open_sketch(picture.convert(mode) if mode != "P" else picture)
    assert opened.getpixel((0, 0)) == (255, 255, 255)
    assert opened.getpixel((7, 7)) == (0, 0, 0)


def test_exif_rotation_is_applied():
    picture = drawing(size=(60, 40))
    exif = picture.getexif()
    exif[274] = 6  # turn a quarter clockwise to see it upright
    opened = open_sketch(encoded(picture, "JPEG", exif=exif, quality=95))
    assert opened.size == (40, 60)


def test_all_sources_agree(tmp_path):
    picture = drawing()
    path = tmp_path / "a sketch é.png"
    picture.save(path)
    expected = np.asarray(picture)
    sources = [
        path,
        str(path),
        path.read_bytes(),
        bytearray(path.read_bytes()),
        io.BytesIO(path.read_bytes()),
        picture,
        expected,
        expected / 255,
        expected.astype(np.uint16) * 257,
        to_tensor(picture),
    ]
    for source in sources:
        assert np.abs(np.asarray(open_sketch(source)).astype(int) - expected.astype(int)).max() == 0
    assert np.array_equal(np.asarray(open_sketch(expected[:, :, 0] > 128)), expected)


def test_fits_without_distortion():
    circle = Image.new("RGB", (200, 100), "white")
    ImageDraw.Draw(circle).ellipse([70, 20, 130, 80], fill="black")
    for fit in ("pad", "crop"):
        ink = np.asarray(open_sketch(circle, (128, 128), fit=fit).convert("L")) < 128
        rows, columns = ink.any(1).sum(), ink.any(0).sum()
        assert abs(int(rows) - int(columns)) <= 1
    padded = open_sketch(circle, (128, 128), fit="pad")
    assert padded.getpixel((64, 2)) == (255, 255, 255)
    with pytest.raises(InputError, match="pad"):
        fit_to(circle, (8, 8), "stretch")


def test_white_on_black_is_offered_inverted():
    dark = Image.eval(drawing(), lambda value: 255 - value)
    assert looks_white_on_black(dark) and not looks_white_on_black(drawing())
    with pytest.warns(UserWarning, match="invert"):
        open_sketch(dark)
    assert np.array_equal(np.asarray(open_sketch(dark, invert=True)), np.asarray(drawing()))


def bomb() -> bytes:
    """A PNG of a few bytes that says it has 40,000 × 40,000 pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 40000, 40000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def animated() -> bytes:
    frames = [drawing("P"), Image.new("P", (60, 40))]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def test_bad_input_gets_one_sentence(tmp_path):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "empty.png").touch()
    whole = encoded(drawing(size=(400, 400)))
    jpeg = encoded(Image.effect_noise((200, 200), 50).convert("RGB"), "JPEG")
    cases = {
        "does not exist": tmp_path / "missing.png",
        "is a folder": tmp_path / "folder.png",
        "is empty": tmp_path / "empty.png",
        "web address": "https://example.org/cat.png",
        "zero byte": "a\0b.png",
        "not a picture": b"this is text, not a picture",
        "damaged or cut off": whole[: len(whole) // 2],
        "damaged": jpeg[: len(jpeg) // 2],
        "too large|too many": bomb(),
        "animated": animated(),
        "cannot be made from a int": 5,
        "cannot be made from a NoneType": None,
        "no pixels": np.zeros((0, 4, 3), np.uint8),
        "is no picture": np.zeros((4, 4, 7), np.uint8),
        "not finite": np.full((4, 4), np.nan),
        r"scale them to \[0, 1\]": np.full((4, 4), 3.0),
        "0 to 255": np.full((4, 4), 900),
        "tensor of shape": torch.zeros(2, 2),
        "tensor of torch.uint8": torch.zeros(3, 4, 4, dtype=torch.uint8),
        "The tensor has no pixels": torch.zeros(3, 0, 4),
        "array of complex128": np.zeros((4, 4), complex),
        "array of object": np.full((4, 4), None),
        "file name is empty": " ",
        "user that is not known": "~nobody-of-this-name/a.png",
    }
    for expected, source in cases.items():
        with pytest.raises(InputError, match=expected) as caught:
            open_sketch(source)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no pixels"):
        open_sketch(Image.new("RGB", (0, 5)))


def test_a_phone_s_picture_of_two_frames_is_its_first():
    """JPEGs with a second picture inside (MPO) are no animations; TIFFs of several pages neither."""
    for kind in ("MPO", "TIFF"):
        data = encoded(drawing(), kind, save_all=True, append_images=[Image.new("RGB", (60, 40), "red")])
        assert np.abs(np.asarray(open_sketch(data)).astype(int) - np.asarray(drawing())).max() < 60


def test_odd_exif_does_no_harm():
    picture = drawing()
    assert open_sketch(encoded(picture, exif=b"Exif\0\0" + b"junk" * 9)).size == (60, 40)
    exif = Image.Exif()
    for orientation, size in ((1, (60, 40)), (3, (60, 40)), (5, (40, 60)), (8, (40, 60)), (77, (60, 40))):
        exif[274] = orientation
        opened = open_sketch(encoded(picture, "PNG", exif=exif))
        from PIL import ImageOps

        expected = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded(picture, "PNG", exif=exif))))
        assert opened.size == size and np.array_equal(np.asarray(opened), np.asarray(expected))


def test_damaged_files_of_every_kind_get_one_sentence():
    rng = np.random.default_rng(0)
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "ICO", "TGA"):
        whole = encoded(drawing(size=(64, 64)), kind)
        for _ in range(60):
            data = bytearray(whole)
            for place in rng.integers(0, len(data), 6):
                data[place] = rng.integers(256)
            try:
                assert open_sketch(bytes(data)).mode == "RGB"
            except InputError as error:
                assert "\n" not in str(error)


def test_pictures_that_cannot_be_decoded_later(tmp_path):
    path = tmp_path / "half.png"
    path.write_bytes(encoded(drawing(size=(300, 300)))[:200])
    with Image.open(path) as half, pytest.raises(InputError, match="cut off"):
        open_sketch(half)
    closed = Image.open(io.BytesIO(encoded(drawing())))
    closed.close()
    with pytest.raises(InputError):
        open_sketch(closed)


def test_very_thin_pictures_keep_their_ink():
    thin = Image.new("RGB", (5000, 4), "black")
    fitted = np.asarray(fit_to(thin, (128, 128)).convert("L"))
    assert (fitted < 128).sum() == 128


def test_transparency_of_16_bits():
    values = np.full((4, 4), 65535, np.uint16)
    values[0, 0] = 0
    picture = Image.fromarray(values)
    assert open_sketch(picture).getpixel((0, 0)) == (0, 0, 0)
    picture.info["transparency"] = 0
    assert open_sketch(picture).getpixel((0, 0)) == (255, 255, 255)
    dark = Image.fromarray(np.full((4, 4), 200, np.uint16))
    assert open_sketch(dark).getpixel((0, 0)) == (1, 1, 1), "0.3 % of white, not 78 %"


def test_a_huge_array_is_refused_before_it_is_copied():
    huge = np.broadcast_to(np.uint8(0), (100_000, 100_000))
    with pytest.raises(InputError, match="too large"):
        open_sketch(huge)
    with pytest.raises(InputError, match="too large"):
        open_sketch(torch.zeros(1, 1, 1).expand(3, 100_000, 100_000))


@pytest.mark.parametrize(
    "size", [(0, 8), (-8, 8), ("a", 8), (8,), (8, 8, 8), 8, (1.5, 8), (10**6, 10**6), (float("inf"), 8), {8, 16}, "88"]
)
def test_bad_sizes(size):
    with pytest.raises(InputError, match="size"):
        open_sketch(drawing(), size)


def test_tensors_and_back():
    picture = drawing()
    tensor = to_tensor(picture)
    assert tensor.shape == (3, 40, 60) and tensor.min() == -1 and tensor.max() == 1
    assert np.array_equal(np.asarray(to_picture(tensor)), np.asarray(picture))
    assert np.array_equal(np.asarray(to_picture(tensor[None])), np.asarray(picture))
    with pytest.raises(InputError, match="not finite"):
        to_picture(tensor * float("nan"))


def test_tensors_and_bytes_are_diffusers_own():
    from diffusers.image_processor import VaeImageProcessor

    processor = VaeImageProcessor(do_resize=False)
    picture = Image.fromarray(np.arange(256 * 3, dtype=np.uint8).reshape(16, 16, 3))
    x = to_tensor(picture)
    assert (x - processor.preprocess(picture)[0]).abs().max() < 1e-6
    assert x.min() == -1 and x.max() == 1 and to_picture(x).tobytes() == picture.tobytes()
    wild = torch.linspace(-1.3, 1.3, 3 * 16 * 16).view(3, 16, 16)
    theirs = processor.postprocess(wild[None], output_type="pil")[0]
    assert np.abs(np.asarray(to_picture(wild)).astype(int) - np.asarray(theirs).astype(int)).max() <= 1
