"""Every word of the class gallery, in each language."""

from s2i_teach.languages import known
from s2i_teach.languages import language as current_language

STRINGS: dict[str, dict[str, str]] = {
    "en": {
        "code": "en",
        "title": "Class gallery",
        "about": "Pictures: {count}. Each was saved with its sketch and its settings.",
        "voted": "They hang in the order of {votes} votes by {raters} people.",
        "rate": "Rate them blind",
        "how": "How it was made",
        "the_sketch": "The sketch",
        "alt": "{label}: {prompt}",
        "rank": "Strength {strength:+.1f}, from {low:+.1f} to {high:+.1f}, in {votes} votes",
        "model": "Model",
        "strength": "Strength",
        "guidance": "Guidance",
        "steps": "Steps",
        "control_scale": "Lines lead",
        "style": "Style",
        "scheduler": "Scheduler",
        "seed": "Seed",
        "negative": "Not in the picture",
        "file": "File",
        "aside": "Not shown",
        "js_who": "Your name, or any word that only you use",
        "js_own": "I made the pictures of",
        "js_nobody": "nobody here",
        "js_own_note": "Your own pictures are not among those you are asked about.",
        "js_start": "Begin",
        "js_back": "Back to the gallery",
        "js_which": "Which one would you hang on the wall?",
        "js_keys": "Click a picture, or use the arrow keys: left, right, down for no difference, U takes the last vote back.",
        "js_left": "Left picture",
        "js_right": "Right picture",
        "js_tie": "No difference",
        "js_undo": "Take the last vote back",
        "js_done": "Votes: {done} of {total}",
        "js_thanks": "Thank you. Save your votes and hand in the file.",
        "js_save": "Save my votes",
        "js_no_name": "Write a name first.",
        "js_too_few": "There are not two pictures to compare.",
    },
    "de": {
        "code": "de",
        "title": "Galerie der Klasse",
        "about": "Bilder: {count}. Jedes wurde mit Skizze und Einstellungen gespeichert.",
        "voted": "Sie hängen in der Reihenfolge von {votes} Stimmen von {raters} Personen.",
        "rate": "Blind bewerten",
        "how": "Wie es entstand",
        "the_sketch": "Die Skizze",
        "alt": "{label}: {prompt}",
        "rank": "Stärke {strength:+.1f}, von {low:+.1f} bis {high:+.1f}, in {votes} Stimmen",
        "model": "Modell",
        "strength": "Stärke",
        "guidance": "Führung",
        "steps": "Schritte",
        "control_scale": "Linien führen",
        "style": "Stil",
        "scheduler": "Scheduler",
        "seed": "Startzahl",
        "negative": "Nicht im Bild",
        "file": "Datei",
        "aside": "Nicht gezeigt",
        "js_who": "Dein Name, oder ein Wort, das nur du benutzt",
        "js_own": "Ich habe die Bilder gemacht von",
        "js_nobody": "niemandem hier",
        "js_own_note": "Nach deinen eigenen Bildern wirst du nicht gefragt.",
        "js_start": "Beginnen",
        "js_back": "Zurück zur Galerie",
        "js_which": "Welches würdest du an die Wand hängen?",
        "js_keys": "Klicke auf ein Bild, oder nimm die Pfeiltasten: links, rechts, nach unten für keinen Unterschied, U nimmt die letzte Stimme zurück.",
        "js_left": "Linkes Bild",
        "js_right": "Rechtes Bild",
        "js_tie": "Kein Unterschied",
        "js_undo": "Die letzte Stimme zurücknehmen",
        "js_done": "Stimmen: {done} von {total}",
        "js_thanks": "Danke. Speichere deine Stimmen und gib die Datei ab.",
        "js_save": "Meine Stimmen speichern",
        "js_no_name": "Schreibe zuerst einen Namen.",
        "js_too_few": "Es gibt keine zwei Bilder zum Vergleichen.",
    },
}


def words(language: str | None = None) -> dict[str, str]:
    """The table of a language; None is :func:`s2i_teach.language`'s.

    Raises:
        InputError: a language that is not there.
    """
    return STRINGS[current_language() if language is None else known(language)]
