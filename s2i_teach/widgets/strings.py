"""Every word that a widget shows, in each language: to add one, translate the table and nothing else."""

from s2i_teach.errors import InputError

STRINGS: dict[str, dict[str, str]] = {
    "en": {
        "code": "en",
        # the pad
        "pad": "Sketch pad",
        "paper": "Paper. Arrow keys move the pen, Shift for fine steps, Space puts it down and lifts it, Escape leaves it.",
        "keys": "Draw with mouse, finger or pen; or with the arrow keys, Space puts the pen down.",
        "pen_down": "Drawing at {x}, {y}. Space lifts the pen.",
        "pen_up": "Pen at {x}, {y}. Space puts it down.",
        "tools": "Drawing tools",
        "brush": "Brush",
        "eraser": "Eraser",
        "width": "Width",
        "undo": "Undo",
        "redo": "Redo",
        "clear": "Clear the page",
        "ctrl": "Ctrl",
        "pictures": "Start from a picture",
        "from_gallery": "Sketch",
        "choose_sketch": "Choose …",
        "how": "Use it",
        "to_draw": "as the drawing",
        "to_trace": "faintly, to trace",
        "from_file": "or a file",
        "file": "A picture, or a drawing saved as JSON or SVG",
        "file_too_large": "{name} is larger than 20 MB: make it smaller.",
        "file_unreadable": "{name} cannot be read: choose it again.",
        "trace_opacity": "Tracing picture",
        "untrace": "Take it away",
        "still": "The last drawing ({strokes} strokes)",
    },
    "de": {
        "code": "de",
        "pad": "Zeichenblock",
        "paper": "Papier. Pfeiltasten bewegen den Stift, Umschalt in feinen Schritten, Leertaste setzt ihn auf und hebt ihn ab, "
        "Escape legt ihn weg.",
        "keys": "Mit Maus, Finger oder Stift zeichnen; oder mit den Pfeiltasten, Leertaste setzt den Stift auf.",
        "pen_down": "Zeichnet bei {x}, {y}. Leertaste hebt den Stift ab.",
        "pen_up": "Stift bei {x}, {y}. Leertaste setzt ihn auf.",
        "tools": "Zeichenwerkzeuge",
        "brush": "Pinsel",
        "eraser": "Radierer",
        "width": "Breite",
        "undo": "Rückgängig",
        "redo": "Wiederholen",
        "clear": "Blatt leeren",
        "ctrl": "Strg",
        "pictures": "Mit einem Bild beginnen",
        "from_gallery": "Skizze",
        "choose_sketch": "Wählen …",
        "how": "Verwenden",
        "to_draw": "als Zeichnung",
        "to_trace": "blass, zum Abpausen",
        "from_file": "oder eine Datei",
        "file": "Ein Bild oder eine als JSON oder SVG gespeicherte Zeichnung",
        "file_too_large": "{name} ist größer als 20 MB: bitte verkleinern.",
        "file_unreadable": "{name} kann nicht gelesen werden: bitte noch einmal wählen.",
        "trace_opacity": "Vorlage",
        "untrace": "Wegnehmen",
        "still": "Die letzte Zeichnung ({strokes} Striche)",
    },
}
"""Language → key → words; ``{name}`` is filled in."""

_chosen = "en"


def language(code: str | None = None) -> str:
    """Choose the language of widgets made from now on; without an argument, tell the one chosen.

    Raises:
        InputError: a language that is not there.
    """
    global _chosen
    if code is not None:
        if code not in STRINGS:
            raise InputError(f"The language {code!r} is not there: use one of {', '.join(STRINGS)}.")
        _chosen = code
    return _chosen


def words() -> dict[str, str]:
    """The table of the language chosen."""
    return STRINGS[_chosen]
