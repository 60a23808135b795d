"""Draws which lesson needs which: ``python -m notebooks.map`` (``make map``) writes docs/lessons.svg.

The table is read from the lessons' own rows "You need": there is no second copy to be kept.
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

from notebooks.build import HERE, ROOT

PICTURE = ROOT / "docs" / "lessons.svg"
TITLE = re.compile(r"^# # Lesson (\d+)\. (.+)$", re.M)
ROW = re.compile(r"^# (?:\| )?\*\*You need:?\*\*:? ?\|?(.+?)(?:\|$|^#?$)", re.M | re.S)
NAMED = re.compile(r"\blessons? (\d+(?:(?:, | and | to )\d+)*)")
DARK, PALE, INK = "#1b4f8a", "#b9c6d6", "#111111"


class Lesson(NamedTuple):
    """A lesson's number and title, the lessons that it needs, and those that only one of its sections needs."""

    number: int
    title: str
    needs: frozenset[int]
    in_part: frozenset[int]


def numbers(text: str) -> frozenset[int]:
    """The lessons that a text names: "lesson 3", "lessons 3, 5 and 6", "lessons 3 to 6"."""
    found: set[int] = set()
    for words in NAMED.findall(text):
        found |= {int(word) for word in re.findall(r"\d+", words)}
        for first, last in re.findall(r"(\d+) to (\d+)", words):
            found |= set(range(int(first), int(last)))
    return frozenset(found)


def read(source: Path) -> Lesson:
    """A lesson from its source; ValueError where its title or its row is missing."""
    text = source.read_text(encoding="utf-8")
    title, row = TITLE.search(text), ROW.search(text)
    if not title or not row:
        raise ValueError(f"{source.name} has no title, or no row 'You need' in its opening table.")
    # "for section 6 also the training loop of lesson 4": who leaves that section out can do without.
    whole, in_part = [], []
    for clause in row[1].replace("\n#", " ").split(";"):
        (in_part if re.match(r"\s*for sections? \d.* also\b", clause) else whole).append(clause)
    needs = numbers(";".join(whole))
    return Lesson(int(title[1]), title[2], needs, numbers(";".join(in_part)) - needs)


def lessons() -> list[Lesson]:
    """All lessons, by number."""
    return sorted(map(read, (HERE / "source").glob("*.py")))


def before(number: int, table: dict[int, Lesson]) -> set[int]:
    """Every lesson that comes before one: what it needs, what that needs, and so on."""
    found: set[int] = set()
    for one in table[number].needs:
        found |= {one} | before(one, table)
    return found


def in_words(table: dict[int, Lesson]) -> str:
    """What the picture shows, in one line: it stands in the picture's file too, so that a test can read it there."""
    parts = []
    for lesson in table.values():
        needs = [str(one) for one in sorted(lesson.needs)] + [f"({one})" for one in sorted(lesson.in_part)]
        parts.append(f"{lesson.number} needs {', '.join(needs) or 'nothing'}")
    return "; ".join(parts)


def draw(table: dict[int, Lesson]):
    """The picture: a row per lesson, a column for each that it may need."""
    import matplotlib.pyplot as plt

    size = (
        0.41 * (len(table) + 10),
        0.34 * len(table) + 1.1,
    )  # a lesson more is a column more, and titles keep their room
    figure, axes = plt.subplots(figsize=size, layout="constrained", facecolor="white")
    columns = {number: column for column, number in enumerate(table)}
    for number, lesson in table.items():
        y = -columns[number]
        axes.text(-9.1, y, f"{number}", ha="right", va="center", fontsize=11, fontweight="bold", color=DARK)
        axes.text(-8.8, y, lesson.title, ha="left", va="center", fontsize=11, color=INK)
        axes.plot(columns[number], y, "s", markersize=15, color=PALE)
        for one in sorted(before(number, table) | lesson.in_part):
            x, direct, part = columns[one], one in lesson.needs, one in lesson.in_part
            if not direct and not part:
                axes.plot(x, y, "o", markersize=5, color=PALE)
                continue
            axes.plot(x, y, "o", markersize=17, markeredgecolor=DARK, color=DARK if direct else "white")
            axes.text(
                x, y, f"{one}", ha="center", va="center_baseline", fontsize=9.5, color="white" if direct else DARK
            )
    key, wide = -len(table) - 0.2, 0.55
    for x, mark, size, colour, words in (
        (-9.1, "o", 13, DARK, "uses this lesson itself"),
        (-2.1, "o", 13, "white", "uses it in one section"),
        (4.3, "o", 5, PALE, "comes before through others"),
        (11.8, "s", 13, PALE, "the lesson itself"),
    ):
        axes.plot(
            x, key, mark, markersize=size, color=colour, markeredgecolor=DARK if mark == "o" and size > 9 else colour
        )
        axes.text(x + wide, key, words, ha="left", va="center", fontsize=10, color=INK)
    axes.set(xlim=(-9.8, len(table) + 0.2), ylim=(key - 0.5, 0.6))
    axes.axis("off")
    return figure


def main() -> int:
    """Draw the picture and write it."""
    import matplotlib

    matplotlib.use("Agg")
    # Letters as shapes: the same picture with every viewer's fonts. The same bytes from the same matplotlib.
    matplotlib.rcParams |= {"svg.fonttype": "path", "svg.hashsalt": "lessons"}
    table = {lesson.number: lesson for lesson in lessons()}
    words = {"Title": "Which lesson needs which", "Description": in_words(table), "Date": None}
    draw(table).savefig(PICTURE, metadata=words)
    print(f"written: {PICTURE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
