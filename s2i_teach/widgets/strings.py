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
        # the playground
        "playground": "Playground: a diffusion in the plane",
        "the_data": "The data",
        "shape_heart": "heart",
        "shape_moons": "two moons",
        "shape_spiral": "spiral",
        "shape_ring": "ring",
        "shape_spots": "five spots",
        "shape_own": "your points",
        "shape_drawing": "your drawing",
        "draw_data": "Or draw them:",
        "empty": "The page is empty: draw something first.",
        "direction": "Direction",
        "forward": "to noise",
        "backward": "back to data",
        "play": "Play",
        "pause": "Pause",
        "time": "Time",
        "data_end": "data",
        "noise_end": "noise",
        "at_time": "t = {t}: √ᾱ = {signal}, √(1 − ᾱ) = {noise}. The points' spread is {spread}.",
        "at_end": "The end: no noise is left. The points' spread is {spread}.",
        "sampler": "Step",
        "yours": "your {name}",
        "steps": "Number of steps",
        "denoiser": "Denoiser",
        "ideal": "ideal",
        "network": "network",
        "both": "both",
        "train": "Train a network on these data",
        "training": "Training: {percent} %, loss {loss}",
        "trained": "The network learned for {seconds} s. Its loss is {loss}; the ideal denoiser's, which none can beat on "
        "these data, is {ideal}.",
        "new_noise": "New noise",
        "paths": "Ways of single points",
        "another_path": "Follow one more",
        "field": "Score field",
        "guess": "Guesses x̂₀",
        "click_hint": "Click a point to follow it.",
        "legend": "What is seen",
        "legend_data": "data",
        "legend_points": "points xₜ",
        "legend_guess": "guesses x̂₀",
        "legend_field": "score: towards likelier places",
        "legend_path": "ways",
        "legend_library": "where the library's points are",
        "panel": "{denoiser} denoiser",
        "canvas": "{n} points in the plane, t = {t}, spread {spread}; {denoiser} denoiser.",
        "canvas_empty": "Only the data are shown.",
        "how_well": "With the {who} denoiser the points end {there} from the nearest data on average, and the data lie "
        "{back} from the nearest end.",
        "library_well": "With the library's functions alone it would be {there} and {back}.",
        "agrees": "Your {name} agrees with the library's at every t.",
        "departs": "Your {name} is not the library's. Most at t = {t}: what it gives there has the spread {yours}, "
        "which should be {right}, and lies {distance} from where it should on average.",
        "nothing": "Your {name} returns nothing yet: write its body.",
        "raised": "Your {name} raised an error at t = {t}: {error}",
        "no_tensor": "Your {name} returns a value of the type {kind}: a tensor of points is needed.",
        "wrong_shape": "Your {name} returns a tensor of the shape {yours} at t = {t}: it should be {right}, as the points "
        "it was given.",
        "not_finite": "Your {name} gives numbers that are not finite, or beyond a million, at t = {t}: is there a division by zero "
        "or the root of a negative number?",
        "still_playground": "Points in the plane at four times: {frames}",
        "still_frame": "t = {t} with the spread {spread}",
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
        # the playground
        "playground": "Spielwiese: eine Diffusion in der Ebene",
        "the_data": "Die Daten",
        "shape_heart": "Herz",
        "shape_moons": "zwei Monde",
        "shape_spiral": "Spirale",
        "shape_ring": "Kreis",
        "shape_spots": "fünf Flecken",
        "shape_own": "deine Punkte",
        "shape_drawing": "deine Zeichnung",
        "draw_data": "Oder zeichne sie:",
        "empty": "Das Blatt ist leer: zeichne zuerst etwas.",
        "direction": "Richtung",
        "forward": "zum Rauschen",
        "backward": "zurück zu den Daten",
        "play": "Abspielen",
        "pause": "Anhalten",
        "time": "Zeit",
        "data_end": "Daten",
        "noise_end": "Rauschen",
        "at_time": "t = {t}: √ᾱ = {signal}, √(1 − ᾱ) = {noise}. Die Punkte streuen um {spread}.",
        "at_end": "Das Ende: kein Rauschen ist übrig. Die Punkte streuen um {spread}.",
        "sampler": "Schritt",
        "yours": "dein {name}",
        "steps": "Zahl der Schritte",
        "denoiser": "Entrauscher",
        "ideal": "ideal",
        "network": "Netz",
        "both": "beide",
        "train": "Ein Netz mit diesen Daten trainieren",
        "training": "Training: {percent} %, Verlust {loss}",
        "trained": "Das Netz hat {seconds} s gelernt. Sein Verlust ist {loss}; der des idealen Entrauschers, den mit diesen "
        "Daten keines unterbietet, ist {ideal}.",
        "new_noise": "Neues Rauschen",
        "paths": "Wege einzelner Punkte",
        "another_path": "Einem weiteren folgen",
        "field": "Score-Feld",
        "guess": "Vermutungen x̂₀",
        "click_hint": "Klicke auf einen Punkt, um ihm zu folgen.",
        "legend": "Was zu sehen ist",
        "legend_data": "Daten",
        "legend_points": "Punkte xₜ",
        "legend_guess": "Vermutungen x̂₀",
        "legend_field": "Score: dorthin, wo Punkte wahrscheinlicher sind",
        "legend_path": "Wege",
        "legend_library": "wo die Punkte der Bibliothek sind",
        "panel": "Entrauscher: {denoiser}",
        "canvas": "{n} Punkte in der Ebene, t = {t}, Streuung {spread}; Entrauscher: {denoiser}.",
        "canvas_empty": "Nur die Daten sind zu sehen.",
        "how_well": "Entrauscher {who}: Die Punkte enden im Mittel {there} vom nächsten Datenpunkt, und die Daten liegen "
        "{back} vom nächsten Ende.",
        "library_well": "Allein mit den Funktionen der Bibliothek wären es {there} und {back}.",
        "agrees": "Dein {name} stimmt bei jedem t mit dem der Bibliothek überein.",
        "departs": "Dein {name} ist nicht das der Bibliothek. Am meisten bei t = {t}: was es dort ergibt, streut um "
        "{yours}, richtig wäre {right}, und liegt im Mittel {distance} vom richtigen Ort entfernt.",
        "nothing": "Dein {name} gibt noch nichts zurück: schreibe, was es tun soll.",
        "raised": "Dein {name} meldet bei t = {t} einen Fehler: {error}",
        "no_tensor": "Dein {name} gibt einen Wert vom Typ {kind} zurück: ein Tensor von Punkten ist nötig.",
        "wrong_shape": "Dein {name} gibt bei t = {t} einen Tensor der Form {yours} zurück: nötig ist {right}, wie die "
        "Punkte, die es bekam.",
        "not_finite": "Dein {name} ergibt bei t = {t} Zahlen, die nicht endlich oder größer als eine Million sind: wird durch null "
        "geteilt oder die Wurzel aus etwas Negativem gezogen?",
        "still_playground": "Punkte in der Ebene zu vier Zeiten: {frames}",
        "still_frame": "t = {t} mit Streuung {spread}",
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
