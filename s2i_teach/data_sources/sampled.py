"""A folder of sketches with its manifest: what is in it, as a sheet, as a datasheet, and opened again."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from s2i_teach.data_sources.arguments import whole_number
from s2i_teach.data_sources.manifest import NAME, Entry, Manifest, read_manifest
from s2i_teach.data_sources.web import readable
from s2i_teach.errors import InputError
from s2i_teach.files import as_path, reading, shown


@dataclass(frozen=True)
class Sample:
    """A folder of sketches, sorted by category, with its manifest.

    Attributes:
        folder: where it lies.
        manifest: what is in it.
        notes: what one should know of the draw.
        fetched: bytes that were fetched from the web for it, as far as the source counts them.
    """

    folder: Path
    manifest: Manifest
    notes: tuple[str, ...] = ()
    fetched: int = 0

    @property
    def files(self) -> tuple[Entry, ...]:
        """The entries of the manifest, in the order of their paths."""
        return self.manifest.files

    @property
    def counts(self) -> dict[str, int]:
        """Category → number of files."""
        return dict(Counter(entry.category for entry in self.files))

    def path(self, entry: Entry) -> Path:
        """Where a file lies."""
        return self.folder / entry.path

    def sheet(self, per_category: int = 5, side: int = 96):
        """A picture of the first sketches of each category, with its name: a PIL image. A damaged one is crossed out."""
        from s2i_teach.gallery import contact_sheet
        from s2i_teach.images import read_picture

        per_category = whole_number("per_category", per_category, 1)

        def shown_as(path: Path):
            try:
                return read_picture(path)
            except InputError:  # a data set may hold damaged files; to see that is what a sheet is for
                return _crossed_out(side)

        rows = []
        for category in self.counts:
            entries = [entry for entry in self.files if entry.category == category]
            pictures = [shown_as(self.path(entry)) for entry in entries[:per_category]]
            rows.append((pictures, f"{category}, {len(entries)}"))
        return contact_sheet(rows, columns=max(1, 12 // per_category), side=side)

    def datasheet(self) -> str:
        """What can be counted for a datasheet (Gebru et al., arXiv 1803.09010), and what only people can answer."""
        sizes = [entry.bytes for entry in self.files]
        licences = Counter(entry.licence for entry in self.files)
        counts = self.counts
        few, many = min(counts.values(), default=0), max(counts.values(), default=0)
        request = self.manifest.request
        rules = request.get("cleaned")
        cleaned = [f"Cleaned by the rules: {', '.join(rules)}"] if isinstance(rules, dict) else []
        lines = [
            f"Source: {request.get('source', 'not written down')}",
            f"Drawn: {request.get('per_category', '?')} of each category, seed {request.get('seed', '?')}",
            *cleaned,
            f"Files: {len(sizes)}, {readable(sum(sizes))} ({readable(min(sizes, default=0))} to "
            f"{readable(max(sizes, default=0))} each)",
            f"Categories: {len(counts)}, {few} to {many} files each",
            *(f"Licence of {number}: {licence}" for licence, number in licences.most_common()),
            f"The same bytes twice: {len(sizes) - len({entry.sha256 for entry in self.files})}",
            "Not to be counted: who drew these, whether they agreed, what was left out, and for what use.",
        ]
        return "\n".join(lines)

    def __len__(self) -> int:
        return len(self.files)

    def __str__(self) -> str:
        size = readable(sum(entry.bytes for entry in self.files))
        line = f"{len(self.files)} files of {len(self.counts)} categories in {self.folder}, {size}"
        return "\n".join([line, *self.notes])

    def _repr_png_(self) -> bytes:
        import io

        file = io.BytesIO()
        self.sheet().save(file, "PNG")
        return file.getvalue()


def _crossed_out(side: int):
    from PIL import Image, ImageDraw

    square = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(square)
    draw.line([0, 0, side, side], (150, 150, 150), 2)
    draw.line([0, side, side, 0], (150, 150, 150), 2)
    return square


def open_sample(folder) -> Sample:
    """The sample that lies in a folder.

    Raises:
        InputError: no folder, no manifest, or files that are missing or not what they were.
    """
    path = as_path(folder)
    with reading(path):
        manifest = read_manifest(path) if path.is_dir() else None
    if manifest is None:
        raise InputError(f"{shown(path)} holds no {NAME}: make a sample there with s2i.sample(…, to=…).")
    wrong = manifest.is_missing(path)
    if wrong:
        raise InputError(
            f"{shown(path)} lacks {shown(wrong[0].path)} as its manifest has it"
            + (f", and {len(wrong) - 1} more" if len(wrong) > 1 else "")
            + ": sample or fetch it again."
        )
    return Sample(path, manifest)
