"""``s2i.clean``: what is wrong with a folder of sketches, as a report and a cleaned copy; the folder stays as it is."""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm.auto import tqdm

from s2i_teach.data_sources.hashes import BITS, codes, find_copies
from s2i_teach.data_sources.manifest import NAME, Manifest, own_manifest
from s2i_teach.data_sources.pictures import pictures_in
from s2i_teach.data_sources.report import LEFT_OUT, TURNED, Cleaning, Row
from s2i_teach.data_sources.rules import chosen, grey_values, ink, tones
from s2i_teach.errors import InputError
from s2i_teach.files import as_path, file_sha256, reading, shown
from s2i_teach.images import MAX_IN_FILE, looks_white_on_black, read_picture

RECORD = "cleaned.json"
LARGE = 16_000_000
"""JPEGs of more pixels are decoded at a fraction of their size, which saves most of the memory and the time."""


def clean(
    folder,
    to=None,
    *,
    unreadable=True,
    tiny=True,
    photographs=True,
    empty=True,
    full=True,
    duplicates=True,
    near_duplicates=True,
    inverted=True,
    progress: bool | None = None,
) -> Cleaning:
    """Look through a folder of sketches, say what is wrong with which, and write a cleaned copy.

    Nothing in ``folder`` is changed. Rules are asked in the order below, and the first that finds a picture decides.
    Each is True, False (off), or a limit in place of its own.

    Args:
        folder: with pictures, or with a folder of pictures for each category, as ``s2i.sample`` makes it. Links,
            hidden files and files whose name is no picture's are not looked at.
        to: a folder to be made for the cleaned copy, with the manifest less what was left out, and a record of what
            is in it (``cleaned.json``); a former copy that nobody changed is replaced. None: only a report.
        unreadable: damaged, cut off, animated, or no picture.
        tiny: the shorter side has fewer pixels than this (64; 2 to 4096).
        photographs: many tones and little paper, more than so many bits (1.45; 0 to 5). Shaded pictures in colour,
            too.
        empty: less than this share of the page is ink (0.001; 0 to 1).
        full: more than this share of the page is ink (0.7; 0 to 1).
        duplicates: the same file, or the same pixels in another file, as a picture before it by path.
        near_duplicates: a copy that was scaled, moved, saved anew, mirrored or turned: at most so many of the hash's
            256 bits differ (30; 0 to 64).
        inverted: white lines on black are turned round in the copy, and saved as PNG. Every rule measures them so.
        progress: whether to show a bar; None shows one for more than 100 pictures.

    Raises:
        InputError: no such folder, no pictures in it, a manifest that cannot be read, a limit that a rule cannot have,
            or a ``to`` that holds something else, lies inside ``folder`` or around it, or cannot be written.
    """
    rules = chosen(
        {
            "unreadable": unreadable,
            "tiny": tiny,
            "photographs": photographs,
            "empty": empty,
            "full": full,
            "duplicates": duplicates,
            "near_duplicates": near_duplicates,
            "inverted": inverted,
        }
    )
    folder = _source(folder)
    to = None if to is None else _target(as_path(to), folder)
    manifest = own_manifest(folder)
    paths, other_files = pictures_in(folder)
    if not paths:
        raise InputError(f"{shown(folder)} has no pictures in it: give the folder that holds them.")
    ours = {RECORD} if manifest is None else {RECORD, NAME}
    others = sum(path not in ours for path in other_files)
    categories = {entry.path: entry.category for entry in manifest.files} if manifest else {}

    shows = len(paths) > 100 if progress is None else progress
    bar = tqdm(paths, desc="Looking at pictures", unit="picture", disable=not shows)
    looks = [_look(folder / path, rules) for path in bar]
    rows = []
    for path, look in zip(paths, looks, strict=True):
        rows.append(Row(path, categories.get(path, path.rpartition("/")[0]), **look.finding))
    rows = _without_copies(rows, looks, rules)
    rows = [
        Row(row.path, row.category, TURNED, "inverted", "white lines on black")
        if "inverted" in rules and look.inverted and row.verdict != LEFT_OUT
        else row
        for row, look in zip(rows, looks, strict=True)
    ]
    cleaning = Cleaning(folder, to, tuple(rows), rules, others)
    if to is not None:
        _write_copy(cleaning, to, {row.path: look.sha256 for row, look in zip(rows, looks, strict=True)}, manifest)
    return cleaning


@dataclass(frozen=True)
class _Look:
    """What is kept of a picture once it was looked at: no pixels."""

    finding: dict
    sha256: str = ""
    pixels: str = ""
    codes: np.ndarray | None = None
    inverted: bool = False


def _look(path: Path, rules: dict) -> _Look:
    """Measure one picture by every rule that needs no other picture."""
    try:
        sha256 = file_sha256(path)
    except OSError as error:  # what cannot be read cannot be copied either, so no switch keeps it
        return _Look(_left_out("unreadable", f"cannot be read: {error.strerror or error}"))
    try:
        picture, (width, height), whole = _read(path)
    except InputError as error:
        # The sentence begins with the path, which the row has already, and says after the colon what to do.
        words = str(error).removeprefix(f"{shown(path)} ").rpartition(": ")[0]
        return _Look(_left_out("unreadable", words) if "unreadable" in rules else {}, sha256)
    inverted = looks_white_on_black(picture)
    if inverted:
        picture = ImageOps.invert(picture)
    grey = grey_values(picture)
    pixels = hashlib.sha256(f"{picture.size}".encode() + picture.tobytes()).hexdigest() if whole else ""
    covered, many = ink(grey), tones(grey)
    finding = {}
    if "tiny" in rules and min(width, height) < rules["tiny"]:
        finding = _left_out("tiny", f"{width} × {height} pixels", min(width, height), rules["tiny"])
    elif "photographs" in rules and many > rules["photographs"]:
        finding = _left_out("photographs", f"{many:.2f} bits of tones", round(many, 4), rules["photographs"])
    elif "empty" in rules and covered < rules["empty"]:
        finding = _left_out("empty", f"{covered:.2%} ink", round(covered, 6), rules["empty"])
    elif "full" in rules and covered > rules["full"]:
        finding = _left_out("full", f"{covered:.0%} ink", round(covered, 6), rules["full"])
    hashed = codes(grey) if "near_duplicates" in rules and not finding else None
    return _Look(finding, sha256, pixels, hashed, inverted)


def _read(path: Path) -> tuple[Image.Image, tuple[int, int], bool]:
    """A picture, its size in the file, and whether all of its pixels were decoded."""
    try:
        with Image.open(path, formats=["JPEG"]) as file:
            size = file.size
            if LARGE < size[0] * size[1] <= MAX_IN_FILE:
                file.draft("RGB", (1024, 1024))
                return read_picture(file), size, False
    except InputError:
        raise
    except Exception:  # damaged files make Pillow raise nearly anything; read_picture says what it is
        pass
    picture = read_picture(path)
    return picture, picture.size, True


def _left_out(rule: str, reason: str, value=None, limit=None, like: str = "") -> dict:
    return dict(verdict=LEFT_OUT, rule=rule, reason=reason, value=value, limit=limit, like=like)


def _without_copies(rows: list[Row], looks: list[_Look], rules: dict) -> list[Row]:
    """The rows with duplicates and near duplicates left out, among those that no other rule found."""
    rows = list(rows)
    if "duplicates" in rules:
        first: dict[str, int] = {}
        for number, look in enumerate(looks):
            if rows[number].verdict == LEFT_OUT:
                continue
            for key, words in ((look.sha256, "the same file"), (look.pixels, "the same pixels")):
                if key and key in first and rows[number].verdict != LEFT_OUT:
                    like = rows[first[key]].path
                    finding = _left_out("duplicates", f"{words} as {like}", like=like)
                    rows[number] = Row(rows[number].path, rows[number].category, **finding)
                elif key:
                    first.setdefault(key, number)
    if "near_duplicates" in rules:
        open_ones = [
            (n, look.codes) for n, look in enumerate(looks) if look.codes is not None and rows[n].verdict != LEFT_OUT
        ]
        limit = rules["near_duplicates"]
        for position, match in find_copies([codes for _, codes in open_ones], limit).items():
            number, like = open_ones[position][0], rows[open_ones[match.like][0]].path
            how = f"{match.distance} of {BITS} bits differ from {like}"
            how = f"{match.how}, {how}" if match.how else how
            finding = _left_out("near_duplicates", how, match.distance, limit, like)
            rows[number] = Row(rows[number].path, rows[number].category, **finding)
    return rows


def _source(folder) -> Path:
    if not isinstance(folder, (str, os.PathLike)) and hasattr(folder, "folder"):
        folder = folder.folder  # a sample
    if not isinstance(folder, (str, os.PathLike)):
        raise InputError(f"A {type(folder).__name__} is no folder: give the name of a folder with pictures.")
    folder = as_path(folder)
    with reading(folder):
        if folder.is_dir():
            return folder
        there = folder.exists()
    if there:
        raise InputError(f"{shown(folder)} is a file: give the folder that holds it.")
    raise InputError(f"{shown(folder)} does not exist: check the name (you are in {Path.cwd()}).")


def _target(to: Path, folder: Path) -> Path:
    """The place for the copy, or an InputError where it would meet the original or something else."""
    place, original = to.resolve(), folder.resolve()
    if place == original:
        raise InputError(f"{shown(to)} is the folder that is cleaned: give another folder for the copy.")
    if Path.cwd().is_relative_to(place):
        raise InputError(f"{shown(to)} is the folder that you are in, and the copy is made as a whole: give another.")
    if place.is_relative_to(original):
        raise InputError(f"{shown(to)} lies inside the folder that is cleaned: give a folder beside it for the copy.")
    if original.is_relative_to(place):
        raise InputError(f"{shown(to)} has the folder that is cleaned in it: give a folder beside it for the copy.")
    with reading(to):
        if not place.exists():
            return to
        if not place.is_dir():
            raise InputError(f"{shown(to)} is a file: give a folder for the copy.")
        foreign = _first_foreign(place)
    if foreign:
        raise InputError(
            f"{shown(to)} is not empty and no former copy as clean() left it ({shown(foreign)}): "
            "give another folder, or empty this one."
        )
    return to


def _first_foreign(place: Path) -> str:
    """A file in ``place`` that no former copy left there so; "" where there is none, and it may be replaced."""
    files = [path.relative_to(place).as_posix() for path in sorted(place.rglob("*")) if not path.is_dir()]
    try:
        known = json.loads((place / RECORD).read_bytes())["files"]
        known = {**known, RECORD: file_sha256(place / RECORD)}  # a record cannot name its own hash
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        known = {}
    changed = (n for n in files if (place / n).is_symlink() or known.get(n) != file_sha256(place / n))
    return next(changed, "")


def _write_copy(cleaning: Cleaning, to: Path, hashes: dict[str, str], manifest: Manifest | None) -> None:
    """Make the cleaned copy beside its place and move it there, so that no half-written one is ever seen."""
    to, names = to.resolve(), _new_names(cleaning)
    partial = None
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".s2i-", suffix=".partial", dir=to.parent))
        written = {}
        for row in cleaning.rows:
            if row.verdict == LEFT_OUT:
                continue
            source, target = cleaning.folder / row.path, partial / names[row.path]
            target.parent.mkdir(parents=True, exist_ok=True)
            if row.verdict == TURNED:
                ImageOps.invert(read_picture(source)).save(target, "PNG")
            else:
                shutil.copyfile(source, target)
            written[names[row.path]] = file_sha256(target)
            if row.verdict != TURNED and written[row.path] != hashes[row.path]:
                raise InputError(f"{shown(source)} was changed while it was copied: clean the folder again.")
        if manifest is not None:
            written[NAME] = file_sha256(_manifest_of_copy(manifest, names, cleaning, partial, written).write(partial))
        record = {"format": 1, "rules": cleaning.rules, "files": dict(sorted(written.items()))}
        text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
        (partial / RECORD).write_bytes(text.encode("utf-8", "surrogatepass"))
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(partial, 0o777 & ~umask)
        if to.exists():
            shutil.rmtree(to)  # empty, or a former copy as clean() left it
        os.replace(partial, to)
    except OSError as error:
        raise InputError(f"The copy {shown(cleaning.to)} cannot be written: {error.strerror or error}.") from error
    finally:
        if partial is not None and partial.exists():
            shutil.rmtree(partial)


def _new_names(cleaning: Cleaning) -> dict[str, str]:
    """Path → path in the copy: the same, but .png for what is turned round, under a name that no picture has."""
    names = {row.path: row.path for row in cleaning.rows}
    taken = {row.path.casefold() for row in cleaning.rows}
    for row in cleaning.rows:
        if row.verdict == TURNED and not row.path.lower().endswith(".png"):
            stem = name = str(Path(row.path).with_suffix("").as_posix())
            number = 1
            while f"{name}.png".casefold() in taken:
                number += 1
                name = f"{stem}-{number}"
            names[row.path] = f"{name}.png"
            taken.add(f"{name}.png".casefold())
    return names


def _manifest_of_copy(manifest: Manifest, names: dict, cleaning: Cleaning, copy: Path, written: dict) -> Manifest:
    """The manifest less what was left out; of what was turned round, the new path, hash and size, and what it was."""
    verdicts = {row.path: row.verdict for row in cleaning.rows}
    files = []
    for entry in manifest.files:
        verdict = verdicts.get(entry.path, LEFT_OUT)
        if verdict == TURNED:
            name = names[entry.path]
            entry = replace(
                entry,
                path=name,
                bytes=(copy / name).stat().st_size,
                sha256=written[name],
                more={**entry.more, "turned_round_from": {"path": entry.path, "sha256": entry.sha256}},
            )
        if verdict != LEFT_OUT:
            files.append(entry)
    # Among what tells how the sample was drawn, so that nobody takes the copy for the sample itself.
    return Manifest({**manifest.request, "cleaned": cleaning.rules}, tuple(files))
