"""What all live widgets share: their files, their language, and a still picture for readers without them."""

from html import escape
from pathlib import Path
from uuid import uuid4

import anywidget
import traitlets

from s2i_teach.error_strings import in_language
from s2i_teach.widgets.show import as_html
from s2i_teach.widgets.strings import words

HERE = Path(__file__).parent


def source(*names: str) -> str:
    """JavaScript files of this folder, joined to one module."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


class LiveWidget(anywidget.AnyWidget):
    """A widget that leaves a picture of itself in the notebook.

    A live widget is gone when the notebook is reopened or exported. So every display also puts an ordinary picture with
    alternative text below it, keeps it up to date, and hides it as long as the live one is there.
    """

    _css = source("style.css")
    words = traitlets.Dict().tag(sync=True)
    still = traitlets.Unicode().tag(sync=True)

    def __init__(self, **traits):
        super().__init__(words=words(), still=f"s2i-still-{uuid4().hex}", **traits)
        self._still_shown = None

    def _said(self, sentence) -> str:
        """An error, or a note on a result, in the language of this widget."""
        return in_language(str(sentence), self.words["code"])

    def _still(self):
        """The picture to leave behind and its alternative text, or None while there is nothing to see."""
        raise NotImplementedError

    def _still_html(self) -> str:
        kept = self._still()
        if kept is None:
            return f'<div class="{self.still}"></div>'
        picture, alt = kept
        return f'<div class="{self.still}">{as_html(picture, alt)}<p>{escape(alt)}</p></div>'

    def close(self) -> None:
        """Take the widget off the page; showing it once more opens it again."""
        super().close()
        # A closed widget of ipywidgets cannot be shown; these are how it sees to that, in versions 7 and 8.
        for name in ("_ipython_display_", "_repr_mimebundle_"):
            self.__dict__.pop(name, None)

    def _ipython_display_(self, **kwargs):
        from IPython.display import HTML, display

        if self.comm is None:
            self.layout.open()
            self.open()
        bundle = self._repr_mimebundle_()
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        # What a notebook program shows that has no live widget to show, for instance after a restart.
        display({**data, "text/plain": self.words["asleep"]}, metadata=metadata, raw=True)
        self._still_shown = self._still_html()
        display(HTML(self._still_shown), display_id=self.still)

    def _renew_still(self) -> None:
        """Bring the picture in the notebook up to date."""
        from IPython.display import HTML, update_display

        if self._still_shown is None:  # not displayed yet
            return
        now = self._still_html()
        if now != self._still_shown:
            self._still_shown = now
            update_display(HTML(now), display_id=self.still)
