"""What a learner has done, in a small JSON file beside the notebook; no network."""

import csv
import json
import os
import warnings
from pathlib import Path


class Progress:
    """Attempts, hints and passes of one lesson's exercises, in ``s2i_progress_lesson<number>.json`` of the folder."""

    def __init__(self, lesson: int, names: list[str], folder: str | Path = "."):
        self.lesson, self.names, self.folder = lesson, names, Path(folder)
        self._unsaved: dict | None = None  # where nothing can be written, this session still counts

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return self.folder / f"s2i_progress_lesson{self.lesson:02d}.json"

    def table(self) -> dict[str, dict]:
        """Exercise → ``{"attempts", "hints", "passed"}``; a missing or damaged file counts as nothing done."""
        if self._unsaved is not None:
            return self._unsaved
        try:
            stored = json.loads(self.path.read_text(encoding="utf-8"))
            stored = stored if isinstance(stored, dict) else {}
        except (OSError, ValueError):
            stored = {}
        rows: dict[str, dict] = {}
        for name in self.names:
            row = stored.get(name)
            rows[name] = row if isinstance(row, dict) else {}
        return {
            name: {
                "attempts": int(row.get("attempts") or 0),
                "hints": int(row.get("hints") or 0),
                "passed": bool(row.get("passed")),
            }
            for name, row in rows.items()
        }

    def attempted(self, name: str, passed: bool) -> None:
        """Count an attempt; what was passed once stays passed."""
        table = self.table()
        table[name]["attempts"] += 1
        table[name]["passed"] = table[name]["passed"] or passed
        self._write(table)

    def hinted(self, name: str, most: int) -> int:
        """Count a hint, up to ``most``; returns how many have been shown."""
        table = self.table()
        table[name]["hints"] = min(most, table[name]["hints"] + 1)
        self._write(table)
        return table[name]["hints"]

    def export(self, path: str | Path) -> Path:
        """Write a CSV for the teacher, one row an exercise: lesson, exercise, attempts, hints, passed."""
        path = Path(path)
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["lesson", "exercise", "attempts", "hints", "passed"])
            for name, row in self.table().items():
                writer.writerow([self.lesson, name, row["attempts"], row["hints"], row["passed"]])
        return path

    def _write(self, table: dict) -> None:
        partial = self.path.with_name(self.path.name + ".partial")
        try:
            partial.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
            os.replace(partial, self.path)
            self._unsaved = None
        except OSError as error:
            if self._unsaved is not None:
                return
            self._unsaved = table
            warnings.warn(
                f"Your progress cannot be kept here ({error.strerror}); the checks work all the same.", stacklevel=3
            )
