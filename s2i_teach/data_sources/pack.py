"""A sample as one zip for a class: made by the teacher, put on Drive, fetched and verified by thirty notebooks."""

import hashlib
import os
import re
import shutil
import zipfile
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path

from s2i_teach.data_sources.archives import open_archive
from s2i_teach.data_sources.download import check_space, fetch
from s2i_teach.data_sources.manifest import NAME, Entry, Manifest, parse_manifest, read_manifest
from s2i_teach.data_sources.sample import short_name
from s2i_teach.data_sources.sampled import Sample, open_sample
from s2i_teach.data_sources.sources import UNKNOWN, is_address
from s2i_teach.data_sources.web import readable
from s2i_teach.data_sources.writing import LOCK, alone
from s2i_teach.errors import InputError
from s2i_teach.files import as_path, file_sha256, reading, shown, write_whole, written

_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The date of every file in a pack: the same sample gives the same bytes."""
PARTIAL = ".pack.partial"
"""The corner of the folder in which a pack is unpacked."""


@dataclass(frozen=True)
class Pack:
    """A class's zip: its path, its SHA-256, its bytes, and what one should know of its licences."""

    path: Path
    sha256: str
    bytes: int
    licences: tuple[str, ...]

    @property
    def call(self) -> str:
        """What the class runs, with the link to be filled in."""
        return f's2i.class_pack("LINK", sha256="{self.sha256}")'

    def __str__(self) -> str:
        lines = [
            f"{self.path}, {readable(self.bytes)}, sha256 {self.sha256}",
            "Put it on Google Drive and choose Share, Anyone with the link, Copy link; the class runs, with that link:",
            f"    {self.call}",
        ]
        if any(licence == UNKNOWN or licence.startswith("not known") for licence in self.licences):
            lines.append("The licence of some of these files is not known: share the link with your class alone.")
        return "\n".join(lines)


def pack(sample, to) -> Pack:
    """One zip of a sample with its manifest, ready to be put on Drive for a class; the same bytes every time.

    Args:
        sample: a :class:`~s2i_teach.data_sources.sampled.Sample`, or the folder of one.
        to: the zip to make; it is written whole or not at all.

    Raises:
        InputError: the folder holds no sample or lacks files, or the zip cannot be written or is another file already.
    """
    target = pack_place(to)
    made = open_sample(sample.folder if isinstance(sample, Sample) else sample)
    if not made.files:
        raise InputError(f"{shown(made.folder)} has no files left to pack: sample more, or clean by fewer rules.")

    source = str(made.manifest.request.get("source", ""))
    if not is_address(source):  # a path of the teacher's computer is nobody's business
        source = Path(source).name
    manifest = Manifest({**made.manifest.request, "source": source}, made.files).to_bytes()

    def write(file) -> None:
        # Pictures are packed already: to store them is as small, and a student can fetch single ones.
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name in (NAME, *(entry.path for entry in made.files)):
                info = zipfile.ZipInfo(name, _LONG_AGO)
                info.external_attr = 0o644 << 16
                archive.writestr(info, manifest if name == NAME else (made.folder / name).read_bytes())

    write_whole(target, write)
    licences = tuple(sorted({entry.licence for entry in made.files}))
    return Pack(target, file_sha256(target), target.stat().st_size, licences)


def pack_place(to) -> Path:
    """Where a pack is made, checked: what is no name for one is told before a sample is made for it.

    Raises:
        InputError: it does not end in .zip, or something else is there.
    """
    target = as_path(to)
    if target.suffix.lower() != ".zip":
        raise InputError(f"{shown(target)} is no name for a pack: let it end in .zip.")
    with reading(target):
        if target.is_dir():
            raise InputError(f"{shown(target)} is a folder: name a file.")
        if target.exists() and not _is_pack(target):
            raise InputError(f"{shown(target)} is there already and is no class pack: name another file.")
    return target


def _is_pack(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return NAME in archive.namelist()


def class_pack(link, *, sha256: str | None = None, to=None, offline: bool = False, quiet: bool = False) -> Sample:
    """The sample that a teacher packed, fetched once, verified and unpacked.

    Args:
        link: a Google Drive link or another http(s) address of the pack, several that are tried in order, or the path
            of the zip.
        sha256: the hash that the teacher was given with the pack; without it only the manifest's own hashes are
            checked.
        to: the folder to make, whole or not at all; None is ``samples/<name of the source>``. Where the pack lies
            there already, what is missing or changed is laid there anew.
        offline: use only what an earlier call fetched.
        quiet: no progress bar.

    Raises:
        InputError: it cannot be fetched, is not the file promised, is no pack, or the folder holds other things.
    """
    try:
        links = [link] if isinstance(link, (str, os.PathLike)) else list(link)
    except TypeError as error:
        raise InputError(f"{written(link)} is no link: ask your teacher for the pack's link.") from error
    if not links:
        raise InputError("No link is given: ask your teacher for the pack's link.")
    if sha256 is not None:
        sha256 = sha256.strip().lower() if isinstance(sha256, str) else written(sha256)
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise InputError(f"The hash {shown(sha256)} is no sha256: copy all of its 64 hexadecimal digits.")
    if is_address(links[0]):
        path = fetch([str(each) for each in links], sha256=sha256, offline=offline, quiet=quiet)
    else:
        path = as_path(links[0])
        with reading(path):
            if sha256 is not None and path.is_file() and file_sha256(path) != sha256:
                raise InputError(f"{shown(path)} is not the pack with this sha256: copy it again.")
    with open_archive(path) as archive:
        members = {member.name: member for member in archive.members}
        if NAME not in members:
            raise InputError(f"{shown(links[0])} is no class pack (it has no {NAME}): make one with s2i sample --pack.")
        manifest = parse_manifest(archive.read(members[NAME]), f"The manifest of {shown(links[0])}")
        lacking = next((entry.path for entry in manifest.files if entry.path not in members), None)
        if lacking is not None:
            raise InputError(f"{shown(links[0])} lacks {shown(lacking)}: ask your teacher to pack it again.")
        folder = as_path(to) if to is not None else Path("samples") / short_name(manifest.request.get("source", "pack"))
        missing = manifest.is_missing(folder)
        if not missing and read_manifest(folder) == manifest:
            return Sample(folder, manifest)
        with reading(folder):
            if folder.exists() and _holds_other_things(folder, manifest):
                raise InputError(
                    f"{shown(folder)} is there already and holds other things: name another folder with to=…."
                )
        _unpack(archive, members, manifest, missing, folder, shown(links[0]))
    return Sample(folder, manifest)


def _holds_other_things(folder: Path, manifest: Manifest) -> bool:
    if not folder.is_dir():
        return True
    if (folder / NAME).exists():
        return read_manifest(folder) != manifest
    return any(path.name not in (PARTIAL, LOCK) for path in folder.iterdir())


def _unpack(archive, members: dict, manifest: Manifest, missing: list[Entry], folder: Path, name: str) -> None:
    """Write the missing files of the pack into a corner of the folder, and move them to their places when all are
    verified."""
    entries = {entry.path: entry for entry in missing}
    partial, was_there = folder / PARTIAL, folder.exists()
    try:
        check_space(folder, sum(entry.bytes for entry in missing), "name a folder on a larger disk")
        with alone(folder):
            shutil.rmtree(partial, ignore_errors=True)  # of a call that was killed
            try:
                for member, data in archive.read_many([members[path] for path in entries]):
                    if hashlib.sha256(data).hexdigest() != entries[member.name].sha256:
                        raise InputError(
                            f"{shown(member.name)} in {name} is not what its manifest says: fetch the pack again."
                        )
                    write_whole(partial / member.name, methodcaller("write", data))
                manifest.write(folder)  # first: what is stopped from here on is made good by the next call
                for path in entries:
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    os.replace(partial / path, folder / path)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{shown(folder)} cannot be written: {error.strerror or error}.") from error
    finally:
        if not was_there and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
