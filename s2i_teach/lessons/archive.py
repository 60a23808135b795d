"""A zip in ImageNet-Sketch's own layout, of the embedded drawings, with dirt such as an image search brings along."""

import io
import json
import zipfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from s2i_teach.files import as_path, write_whole
from s2i_teach.gallery import sketches
from s2i_teach.paths import data_dir

CLASSES = {
    "n01443537": ("fish", "tropical fish", "blowfish", "fish_by_hand"),
    "n01847000": ("duck", "duck_by_hand"),
    "n01944390": ("snail", "snail_by_hand"),
    "n02123045": ("cat", "cat face", "black cat", "cat_by_hand"),
    "n02279972": ("butterfly", "butterfly_by_hand"),
    "n02708093": tuple(
        f"{hour} o’clock" for hour in "one two three four five six seven eight nine ten eleven twelve".split()
    ),
    "n04285008": ("car", "racing car", "car_by_hand"),
    "n04507155": ("umbrella", "closed umbrella", "umbrella with rain drops", "umbrella_by_hand"),
    "n07614500": ("ice cream", "soft ice cream", "ice_cream_by_hand"),
    "n07734744": ("mushroom", "brown mushroom", "mushroom_by_hand"),
    "n07742313": ("apple", "green apple", "apple_by_hand"),
}
"""ImageNet's class id → embedded line drawings by the names of their things, and sketches by theirs."""


def write_archive(path) -> list[tuple[str, str]]:
    """Make the zip: ``sketch/<class id>/sketch_<number>.JPEG``. The same data give the same bytes.

    Returns what was planted among the drawings: ``(name in the zip, what it is)``.

    Raises:
        InputError: the zip cannot be written.
    """
    drawings = _line_drawings()
    embedded = {sketch.name: sketch for sketch in sketches()}
    pictures = {
        class_id: [drawings[name] if name in drawings else embedded[name].open() for name in names]
        for class_id, names in CLASSES.items()
    }
    files: dict[str, bytes] = {}
    planted: list[tuple[str, str]] = []

    def plant(class_id: str, data: bytes | Image.Image, what: str) -> None:
        name = _name(class_id, len([one for one in files if class_id in one]))
        files[name] = data if isinstance(data, bytes) else _jpeg(data)
        planted.append((name, what))

    car = "n04285008"
    pictures[car][1] = ImageOps.invert(pictures[car][1])
    for class_id, some in pictures.items():
        for number, picture in enumerate(some):
            files[_name(class_id, number)] = _jpeg(picture)

    duck, snail = pictures["n01847000"][0], pictures["n01944390"][0]
    plant("n01847000", ImageOps.mirror(duck), "the first duck, mirrored")
    plant("n01944390", snail.transpose(Image.Transpose.ROTATE_90), "the first snail, turned by 90°")
    plant("n02123045", _photograph(), "a photograph")
    plant("n02279972", files[_name("n02279972", 0)], "the first butterfly once more")
    planted.append((_name(car, 1), "white on black"))
    plant("n07614500", _speck(), "a page with a speck on it")
    plant("n07734744", files[_name("n07734744", 1)][:900], "a file that was cut off")
    plant(
        "n07742313", pictures["n07742313"][0].resize((40, 40), Image.Resampling.LANCZOS), "an apple of 40 × 40 pixels"
    )

    def write(file) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name in sorted(files):
                archive.writestr(zipfile.ZipInfo(name), files[name])  # of one date, whenever it is made

    write_whole(as_path(path), write)
    return planted


def _name(class_id: str, number: int) -> str:
    return f"sketch/{class_id}/sketch_{number}.JPEG"


def _line_drawings() -> dict[str, Image.Image]:
    """Thing → its line drawing, of those that are wanted."""
    wanted = {name for names in CLASSES.values() for name in names}
    found = {}
    for split in ("train", "test"):
        folder = data_dir() / "pairs" / split
        for line in (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["style"] == "line" and row["thing"] in wanted:
                found[row["thing"]] = _opened(folder / row["file_name"])
    return found


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def _photograph() -> Image.Image:
    from skimage import data  # ships inside scikit-image: a cat, CC0, by Stéfan van der Walt

    return Image.fromarray(data.chelsea()).resize((225, 150), Image.Resampling.LANCZOS)


def _speck() -> Image.Image:
    page = Image.new("RGB", (128, 128), "white")
    ImageDraw.Draw(page).ellipse([60, 70, 63, 73], "black")
    return page


def _jpeg(picture: Image.Image) -> bytes:
    with io.BytesIO() as file:
        picture.save(file, "JPEG", quality=90)
        return file.getvalue()
