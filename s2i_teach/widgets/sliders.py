"""Sliders above what a function shows, in one place of the page that is replaced."""

import traceback
from collections.abc import Callable
from html import escape

from s2i_teach.errors import InputError
from s2i_teach.files import written


def interact(function: Callable, **controls) -> None:
    """Show ``controls`` and, below them, what ``function`` shows and prints with their values; anew whenever one changes.

    It is called as ``ipywidgets.interact``. That one catches what is shown by the running cell's number, which the page may
    not know yet: on Colab pictures pile up (ipywidgets issue 3766), in the classic Notebook the sliders themselves go. Here
    what was shown becomes the value of one widget, which is replaced.

    Args:
        function: takes the controls' values by their names; what it returns is not shown.
        controls: ipywidgets with a value.

    Raises:
        InputError: a control that is no widget with a value.
    """
    import ipywidgets  # type: ignore[import-untyped]
    from IPython.display import display

    for name, control in controls.items():
        if not isinstance(control, ipywidgets.Widget) or not control.has_trait("value"):
            raise InputError(f"{name} is {written(control)}: give a widget with a value, such as a slider.")
    place = ipywidgets.HTML()

    def renew(change=None) -> None:
        place.value = _shown_by(function, {name: control.value for name, control in controls.items()})

    for control in controls.values():
        control.observe(renew, "value")
    renew()
    display(ipywidgets.VBox([*controls.values(), place]))


def _shown_by(function: Callable, values: dict) -> str:
    """What a call prints, and then what it displays, as HTML; an error is shown in its place, since nobody else would."""
    from IPython.utils.capture import capture_output
    from matplotlib_inline.backend_inline import flush_figures

    said = ""
    with capture_output() as caught:
        try:
            function(**values)
            flush_figures()  # those that the function drew and did not show
        except InputError as error:
            said = str(error)
        except Exception:
            said = traceback.format_exc()
    texts = [text for text in (caught.stdout, caught.stderr, said) if text.strip()]
    return "".join(
        [f"<pre>{escape(text)}</pre>" for text in texts]
        + [f"<div>{_as_html(each.data)}</div>" for each in caught.outputs]
    )


def _as_html(data: dict) -> str:
    if "text/html" in data:
        return data["text/html"]
    if "image/png" in data:
        return f'<img src="data:image/png;base64,{data["image/png"].strip()}" alt="{escape(data["text/plain"], True)}">'
    return f"<pre>{escape(data.get('text/plain', ''))}</pre>"
