"""What cleaning found: a row for each picture, counts, a table as text and HTML, and a sheet of what was left out."""

import csv
import html
import io
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path

from PIL import Image, ImageDraw

from s2i_teach.data_sources.rules import RULES
from s2i_teach.errors import InputError
from s2i_teach.files import as_path, shown, write_whole, written
from s2i_teach.gallery import font

KEPT, TURNED, LEFT_OUT = "kept", "turned round", "left out"


@dataclass(frozen=True)
class Row:
    """What was found of one picture.

    Attributes:
        path: the picture in its folder, with ``/`` between folders.
        category: the manifest's category, else the folder that the picture lies in ("" for the top one).
        verdict: ``"kept"``, ``"turned round"`` (kept, white on black as black on white) or ``"left out"``.
        rule: the rule that decided, "" where none did.
        reason: the same as words.
        value: what was measured, None for a rule that measures nothing.
        limit: what it was held against.
        like: the picture that this one is a copy of, "" where it is none.
    """

    path: str
    category: str
    verdict: str = KEPT
    rule: str = ""
    reason: str = ""
    value: float | None = None
    limit: float | None = None
    like: str = ""


@dataclass(frozen=True)
class Cleaning:
    """What :func:`s2i_teach.clean` found.

    Attributes:
        folder: the folder that was looked at; nothing in it was changed.
        to: the cleaned copy, or None.
        rows: one a picture, by path.
        rules: the rules that were on, with their limits (True for those without).
        others: how many files were no pictures, or links, and were not looked at.
    """

    folder: Path
    to: Path | None
    rows: tuple[Row, ...]
    rules: dict[str, float | bool]
    others: int = 0

    @property
    def kept(self) -> list[str]:
        """The paths of the pictures that are kept, those turned round among them."""
        return [row.path for row in self.rows if row.verdict != LEFT_OUT]

    @property
    def left_out(self) -> list[str]:
        """The paths of the pictures that are left out."""
        return [row.path for row in self.rows if row.verdict == LEFT_OUT]

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Rule → category → how many pictures it decided on; all rules that were on, also where they found nothing."""
        found: dict[str, Counter[str]] = {name: Counter() for name in self.rules}
        for row in self.rows:
            if row.rule:
                found.setdefault(row.rule, Counter())[row.category] += 1
        return {name: dict(counter) for name, counter in found.items()}

    @property
    def table(self) -> list[list[str]]:
        """Categories down, rules across: a heading, a line a category, a line of sums."""
        counts = {name: found for name, found in self.counts.items() if found}
        heading = ["category", "pictures", *(RULES[name].title.lower() for name in counts), "kept"]
        total: Counter[str] = Counter()
        kept: Counter[str] = Counter()
        for row in self.rows:
            total[row.category] += 1
            kept[row.category] += row.verdict != LEFT_OUT
        lines = []
        for category in sorted(total):
            cells = [found.get(category, 0) for found in counts.values()]
            lines.append([shown(category) or "(no category)", total[category], *cells, kept[category]])
        sums = [sum(column) for column in list(zip(*lines, strict=True))[1:]]
        return [heading, *[[str(cell) for cell in line] for line in lines], ["all", *map(str, sums)]]

    def __str__(self) -> str:
        table = self.table
        widths = [max(len(line[n]) for line in table) for n in range(len(table[0]))]
        lines = [
            "  ".join(cell.ljust(width) if n == 0 else cell.rjust(width) for n, (cell, width) in enumerate(pairs))
            for pairs in (list(zip(line, widths, strict=True)) for line in table)
        ]
        return "\n".join([self._summary(), "", *lines])

    def _repr_html_(self) -> str:
        heading, *lines = self.table
        cells = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in heading)
        body = "".join(
            f'<tr><th scope="row">{html.escape(line[0])}</th>'
            + "".join(f"<td>{html.escape(cell)}</td>" for cell in line[1:])
            + "</tr>"
            for line in lines
        )
        caption = f'<caption style="text-align:left">{html.escape(self._summary())}</caption>'
        return f"<table>{caption}<thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"

    def _summary(self) -> str:
        turned = sum(row.verdict == TURNED for row in self.rows)
        words = f"{len(self.rows)} pictures in {shown(self.folder)}: {len(self.kept)} kept"
        words += f" ({turned} of them white on black)" if turned else ""
        words += f", {len(self.left_out)} left out."
        off = [name for name in RULES if name not in self.rules]
        words += f" Rules switched off: {', '.join(off)}." if off else ""
        words += f" Other files, not looked at: {self.others}." if self.others else ""
        return words + (f" The cleaned copy is in {shown(self.to)}." if self.to else " Nothing was written.")

    def sheet(self, columns: int = 6, most: int = 12, side: int = 144) -> Image.Image:
        """What was left out or turned round as one picture, grouped by rule; a copy beside what it is a copy of.

        Args:
            columns: places for a picture in a line; a copy takes two, and there are at least two.
            most: pictures a rule at most; the rest is counted.
            side: of a picture, in pixels.

        Raises:
            InputError: a number below 1 (``side``: below 32), or a sheet larger than can be drawn.
        """
        for name, value, least in (("columns", columns, 1), ("most", most, 1), ("side", side, 32)):
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 2000:
                raise InputError(f"{name}={written(value)} cannot be used: give a whole number from {least} to 2000.")
        return _draw_sheet(self, columns, most, side)

    def save(self, folder) -> list[Path]:
        """Write the rows as ``cleaning.csv`` and the sheet as ``cleaning.png`` into a folder; returns both paths.

        Raises:
            InputError: the folder cannot be written, or lies where pictures are: the sheet would count as a sketch.
        """
        folder = as_path(folder)
        place = folder.resolve()
        for pictures in (self.folder, self.to):
            if pictures is not None and place.is_relative_to(pictures.resolve()):
                raise InputError(
                    f"{shown(folder)} lies where the pictures are, and the sheet would count as one: "
                    "give another folder for the report."
                )
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        names = [field.name for field in fields(Row)]
        writer.writerow(names)
        for row in self.rows:
            writer.writerow(["" if (value := getattr(row, name)) is None else value for name in names])
        table = write_whole(
            folder / "cleaning.csv", lambda file: file.write(text.getvalue().encode("utf-8", "backslashreplace"))
        )
        sheet = self.sheet()
        return [table, write_whole(folder / "cleaning.png", lambda file: sheet.save(file, "PNG"))]


@dataclass(frozen=True)
class _Group:
    """The pictures of one rule on the sheet: ``across`` pictures or pairs in a line, ``wide`` places for a picture.

    The note follows the title where both fit.
    """

    title: str
    note: str
    rows: list[Row]
    pair: int
    across: int
    wide: int


def _groups(cleaning: Cleaning, columns: int, most: int) -> list[_Group]:
    groups = []
    for name in RULES:
        rows = [row for row in cleaning.rows if row.rule == name]
        if not rows:
            continue
        title = f"{RULES[name].title}: {len(rows)}" + (f", {most} shown" if len(rows) > most else "")
        pair = 2 if any(row.like for row in rows) else 1
        note = ", each beside its original" if pair == 2 else ""
        across = max(1, min(columns // pair, len(rows), most))
        groups.append(_Group(title, note, rows[:most], pair, across, max(across * pair, 2)))
    return groups


def _draw_sheet(cleaning: Cleaning, columns: int, most: int, side: int) -> Image.Image:
    gap, letters = max(6, side // 12), max(11, side // 12)
    small, large = font(letters), font(round(letters * 1.3))
    line = round(letters * 1.35)
    down = side + 3 * line + gap
    columns = max(columns, 2)
    groups = _groups(cleaning, columns, most)

    # Groups stand side by side as long as they fit.
    places, taken, top, height = [], 0, gap, 0
    for group in groups:
        if taken and taken + group.wide > columns:
            top, taken, height = top + height, 0, 0
        places.append((gap + taken * (side + gap), top))
        taken += group.wide
        height = max(height, 2 * line + -(-len(group.rows) // group.across) * down)
    width, bottom = columns * (side + gap) + gap, max(top + height, 2 * gap + 2 * line)
    if width * bottom > 64_000_000:
        raise InputError(f"A sheet of {width} × {bottom} pixels is too large: show fewer (most=) or smaller pictures.")

    sheet = Image.new("RGB", (width, bottom), "white")
    draw = ImageDraw.Draw(sheet)
    if not groups:
        draw.text((gap, gap), "Nothing was left out.", (40, 40, 40), large)
    for group, (left, top) in zip(groups, places, strict=True):
        room = group.wide * (side + gap) - gap
        title = group.title + group.note
        title = title if draw.textlength(title, font=large) <= room else _cut(draw, group.title, large, room)
        draw.text((left, top), title, (0, 0, 0), large)
        for number, row in enumerate(group.rows):
            x = left + number % group.across * group.pair * (side + gap)
            y = top + 2 * line + number // group.across * down
            if row.like:
                _tile(sheet, draw, cleaning.folder, row.like, x, y, side)
                _label(draw, [row.like, "kept"], x, y + side, side, small, line)
                x += side + gap // 3
            _tile(sheet, draw, cleaning.folder, row.path, x, y, side)
            # The picture that it is like stands beside it with its name.
            reason = row.reason.removesuffix(row.like).removesuffix(" from ").removesuffix(" as ")
            _label(draw, [row.path, *_split(draw, reason, small, side)], x, y + side, side, small, line)
    return sheet


def _tile(sheet, draw, folder: Path, path: str, x: int, y: int, side: int) -> None:
    """One picture in its square; a crossed square for what cannot be read."""
    from s2i_teach.images import fit_to, read_picture

    try:
        sheet.paste(fit_to(read_picture(folder / path), (side, side)), (x, y))
    except InputError:
        draw.line([x, y, x + side, y + side], (200, 200, 200), 2)
        draw.line([x, y + side, x + side, y], (200, 200, 200), 2)
    draw.rectangle([x - 1, y - 1, x + side, y + side], outline=(190, 190, 190))


def _label(draw, lines: list[str], x: int, y: int, width: int, font, line: int) -> None:
    for number, text in enumerate(lines[:3]):
        colour = (0, 0, 0) if number == 0 else (90, 90, 90)
        draw.text((x, y + 3 + number * line), _cut(draw, shown(text), font, width), colour, font)


def _cut(draw, text: str, font, width: int) -> str:
    """A text that fits: what is too much is taken from its middle, since the ends of two names tell them apart."""
    keep = len(text)
    cut = text
    while keep > 2 and draw.textlength(cut, font=font) > width:
        keep -= 1
        cut = f"{text[: keep // 2]}…{text[len(text) - (keep - keep // 2) :]}"
    return cut


def _split(draw, text: str, font, width: int) -> list[str]:
    """A reason in two lines, broken at a space."""
    words, first = text.split(" "), ""
    while words and draw.textlength(f"{first} {words[0]}".strip(), font=font) <= width:
        first = f"{first} {words.pop(0)}".strip()
    return [first, " ".join(words)] if first else [text]
