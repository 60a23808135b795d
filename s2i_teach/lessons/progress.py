"""What a learner has done, in a small JSON file beside the notebook; no network."""

import csv
import json
import os
import warnings
from pathlib import Path


class Progress:
    """Attempts, hints, passes and shown solutions of one lesson's exercises, in ``s2i_progress_lesson<number>.json`` of the folder."""

    def __init__(self, lesson: int, names: list[str], folder: str | Path = "."):
        self.lesson, self.names, self.folder = lesson, names, Path(folder)
        self._unsaved: dict | None = None  # where nothing can be written, this session still counts

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return self.folder / f"s2i_progress_lesson{self.lesson:02d}.json"

    def table(self) -> dict[str, dict]:
        """Exercise → ``{"attempts", "hints", "passed", "solution"}``; a missing or damaged file counts as nothing done.

        ``solution`` says that the solution was shown before the exercise was passed.
        """
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
                "solution": bool(row.get("solution")),
            }
            for name, row in rows.items()
        }

    def attempted(self, name: str, passed: bool) -> None:
        """Count an attempt; what was passed once stays passed."""
        table = self.table()
        table[name]["attempts"] += 1
        table[name]["passed"] = table[name]["passed"] or passed
        self._write(table)

    def shown(self, name: str) -> None:
        """Note that the solution was shown, unless the exercise was passed without it."""
        table = self.table()
        table[name]["solution"] = table[name]["solution"] or not table[name]["passed"]
        self._write(table)

    def hinted(self, name: str, most: int) -> int:
        """Count a hint, up to ``most``; returns how many have been shown."""
        table = self.table()
        table[name]["hints"] = min(most, table[name]["hints"] + 1)
        self._write(table)
        return table[name]["hints"]

    def export(self, path: str | Path) -> Path:
        """Write a CSV for the teacher, one row per exercise: lesson, exercise, attempts, hints, passed, solution."""
        path = Path(path)
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["lesson", "exercise", "attempts", "hints", "passed", "solution"])
            for name, row in self.table().items():
                writer.writerow([self.lesson, name, *row.values()])
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
