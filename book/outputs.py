"""What cells gave, for readers without Python: pictures in files, and live widgets as what they showed.

A widget's state is kept in the executed notebook. Of sliders the book shows where they stand and what stood below them;
a live widget leaves a picture of itself in the output that follows it (``s2i_teach/widgets/base.py``).
"""

import base64
import hashlib
import html
import re
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_output

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
DATA = re.compile(r"data:image/(png|webp|jpeg|gif|svg\+xml);base64,([A-Za-z0-9+/=\s]+)")
EMPTY = re.compile(r'\s*<div class="s2i-still-\w+"></div>\s*')


class Pictures:
    """Puts the pictures that stand inside HTML into files named after their content."""

    def __init__(self, folder: Path, address: str):
        """``address`` is the folder's, as the pages name it."""
        self.folder, self.address = folder, address

    def taken_out(self, text: str) -> str:
        """HTML whose pictures are files."""

        def keep(found: re.Match) -> str:
            data = base64.b64decode(found[2])
            suffix = {"svg+xml": "svg", "jpeg": "jpg"}.get(found[1], found[1])
            name = f"{hashlib.sha256(data).hexdigest()[:20]}.{suffix}"
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(data)
            return f"{self.address}/{name}"

        return DATA.sub(keep, text)


def still(model: str, states: dict) -> str:
    """The HTML of what a widget showed, from the state of all widgets; empty where there is nothing to see."""
    state = states.get(model, {}).get("state", {})
    kind = state.get("_model_name", "")
    if "children" in state:
        inside = [child.removeprefix("IPY_MODEL_") for child in state["children"]]
        knobs = [words for child in inside if (words := knob(states.get(child, {}).get("state", {})))]
        line = f'<p class="knobs">In the notebook these are controls: {", ".join(knobs)}.</p>' if knobs else ""
        return line + "".join(still(child, states) for child in inside)
    if kind in ("HTMLModel", "HTMLMathModel"):
        return f"<div>{state.get('value', '')}</div>" if state.get("value") else ""
    if kind == "OutputModel":
        return "".join(as_html(output) for output in state.get("outputs", []))
    return ""


def knob(state: dict) -> str:
    """``"<b>strength</b> 0.7"`` of a control with a name and a value."""
    name = state.get("description")
    if not name or state.get("_model_name") == "HTMLModel":
        return ""
    if "_options_labels" in state and state.get("index") is not None:
        value = state["_options_labels"][state["index"]]
    else:
        value = state.get("value", "")
    return f"<b>{html.escape(name)}</b> {html.escape(f'{value:g}' if isinstance(value, float) else str(value))}"


def as_html(output: dict) -> str:
    """An output inside a widget."""
    if output.get("output_type") == "stream":
        return f"<pre>{html.escape(output['text'])}</pre>"
    data = output.get("data", {})
    if "text/html" in data:
        return "".join(data["text/html"])
    return f"<pre>{html.escape(''.join(data.get('text/plain', '')))}</pre>"


def live(state: dict) -> str:
    """One line in the place of a live widget."""
    name = state.get("_anywidget_id", "").rpartition(".")[2] or "widget"
    return f'<p class="knobs">In the notebook a live <b>{html.escape(name)}</b> stands here.</p>'


def for_the_book(outputs: list, states: dict, pictures: Pictures) -> list[NotebookNode]:
    """A cell's outputs without anything that needs Python, a network or a script."""
    made: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream":
            if output.name == "stdout" and output.text.strip():
                made.append(output)
            continue
        if output.output_type == "error":
            made.append(output)
            continue
        data = dict(output.data)
        if VIEW in data:
            model = data[VIEW]["model_id"]
            text = still(model, states) or live(states.get(model, {}).get("state", {}))
        elif "text/html" in data:
            text = "".join(data["text/html"])
            if EMPTY.fullmatch(text):
                continue
        else:
            made.append(output)
            continue
        made.append(new_output("display_data", {"text/html": pictures.taken_out(text)}))
    return made
