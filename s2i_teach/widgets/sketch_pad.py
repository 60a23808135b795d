"""A pad to draw on, in the notebook."""

import base64
from pathlib import Path

import traitlets

from s2i_teach.errors import InputError
from s2i_teach.files import as_path, shown
from s2i_teach.gallery import find_sketch, sketches
from s2i_teach.images import open_sketch, read_picture
from s2i_teach.translation.page import open_page
from s2i_teach.translation.result import save_png
from s2i_teach.translation.settings import Settings
from s2i_teach.widgets.base import LiveWidget, source
from s2i_teach.widgets.drawing import PAGE, Drawing, picture_url

DRAWINGS = (".json", ".svg")


def gallery_sketch(name: str):
    """An embedded sketch by its name.

    Raises:
        InputError: none is called that.
    """
    found = find_sketch(name)
    if found is None:
        raise InputError(
            f"No sketch is called {shown(name)}: s2i.sketches() lists them, for instance {sketches()[0].name}."
        )
    return found


def open_drawing(what, page: Drawing, clean: bool = True) -> Drawing:
    """Anything that can be drawn over, as a drawing: its strokes where there are any, else as a picture on ``page``.

    Args:
        what: a pad, a :class:`Drawing`, a ``.json`` or ``.svg`` file that a pad saved, the name of an embedded sketch, or
            anything that :func:`s2i_teach.open_sketch` opens.
        clean: make ink on white of a photographed or ruled page.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(what, PadHolder):
        return what.page
    if isinstance(what, Drawing):
        return what
    if isinstance(what, str):
        what = find_sketch(what) or what
    if isinstance(what, (str, Path)) and as_path(what).suffix.lower() in DRAWINGS:
        return Drawing.open(what)
    # A photograph loses its paper at its own size, before it is fitted.
    return page.with_picture(open_page(what, Settings(""))[0] if clean else open_sketch(what))


class RefusedDrawing(InputError, traitlets.TraitError):
    """An InputError on which traitlets puts back what was there before."""


class PadHolder(LiveWidget):
    """What a widget with a pad on it has, and answers to what the pad asks."""

    # An echo of what the page sent may arrive late and would put an older drawing back.
    drawing = traitlets.Dict().tag(sync=True, echo_update=False)
    trace = traitlets.Unicode("").tag(sync=True)
    sketches = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, drawing: Drawing, **traits):
        super().__init__(drawing=drawing.to_dict(), sketches=[sketch.name for sketch in sketches()], **traits)
        self.on_msg(self._asked)

    @traitlets.validate("drawing")
    def _valid_drawing(self, proposal):
        try:
            Drawing.from_dict(proposal["value"])
        except InputError as error:
            raise RefusedDrawing(str(error)) from error
        return proposal["value"]

    @property
    def page(self) -> Drawing:
        """The drawing with all its strokes."""
        return Drawing.from_dict(self.drawing)

    @page.setter
    def page(self, drawing: Drawing) -> None:
        self.drawing = drawing.to_dict()

    @property
    def sketch(self):
        """What is drawn, as an RGB picture of the page's size, black on white: for ``translate`` and everything else."""
        return self.page.image()

    def load(self, what) -> None:
        """Lay a picture on the page to draw over, or put a saved drawing in place of what is there; both can be undone,
        but for a drawing on a page of another size, which brings its own.

        Raises:
            InputError: what cannot be opened.
        """
        page, found = self.page, open_drawing(what, self.page)
        same_size = (found.width, found.height) == (page.width, page.height)
        if same_size and found.ops[: page.done] != page.ops[: page.done]:
            for op in ({"tool": "clear"}, *found.visible)[0 if page.visible else 1 :]:
                page = page.then(op)
            found = page
        self.page = found

    def trace_over(self, picture) -> None:
        """Show a picture faintly under the paper, to trace; it is no part of the drawing. None takes it away.

        Raises:
            InputError: no picture.
        """
        page = self.page
        blank = Drawing(page.width, page.height)
        if picture is None:
            self.trace = ""
        else:
            self.trace = picture_url(open_drawing(picture, blank, clean=False).image(page.width, page.height))

    def _asked(self, _, request, buffers) -> None:
        """A message from the page. What goes wrong is shown there, in one sentence."""
        if not isinstance(request, dict) or request.get("do") not in ("hello", "sketch", "file", "untrace"):
            return
        try:
            if request["do"] == "hello":
                return self.send({"hello": True})
            if request["do"] == "untrace":
                return self.trace_over(None)
            what = self._picture_asked_for(request)
            if request.get("how") == "trace":
                self.trace_over(what)
            else:
                self.load(what)
        except InputError as error:
            self.send({"failure": self._said(error)})

    @staticmethod
    def _picture_asked_for(request: dict):
        if request["do"] == "sketch":
            return gallery_sketch(str(request.get("name")))
        name = str(request.get("name"))
        try:
            data = base64.b64decode(str(request.get("data")).partition(",")[2])
        except ValueError as error:
            raise InputError(f"{shown(name)} did not arrive whole: choose it again.") from error
        if name.lower().endswith(DRAWINGS):
            try:
                return Drawing.from_text(data.decode("utf-8"), name)
            except UnicodeDecodeError as error:
                raise InputError(f"{shown(name)} is no text: choose a file that a pad saved.") from error
        try:
            return read_picture(data)
        except InputError as error:
            raise InputError(str(error).replace("These bytes", shown(name))) from error


class SketchPad(PadHolder):
    """A pad to draw on with mouse, finger, pen or keyboard.

    ``pad.sketch`` is the drawing as a picture and goes into ``s2i.translate``. Strokes are kept rather than pixels:
    ``pad.image(768, 512)`` is as sharp, ``pad.save("it.svg")`` and ``s2i.SketchPad("it.svg")`` lose nothing.

    Args:
        what: to start from: a file that a pad saved, the name of an embedded sketch (``"turtle"``), or any picture.
            None is an empty page.
        width, height: of the page, in units; its proportions are what counts.

    Raises:
        InputError: what cannot be opened, or no page.
    """

    _esm = source("parts.js", "pad.js", "sketch_pad.js")

    def __init__(self, what=None, width: int = PAGE[0], height: int = PAGE[1]):
        page = Drawing(width, height).checked()
        super().__init__(page if what is None else open_drawing(what, page))
        self.observe(lambda change: self._renew_still(), "drawing")

    def image(self, width: int | None = None, height: int | None = None):
        """The drawing at ``width`` × ``height`` pixels, without distortion: see :meth:`Drawing.image`."""
        return self.page.image(width, height)

    def clear(self) -> None:
        """Empty the page; :meth:`undo` brings the drawing back."""
        self.page = self.page.then({"tool": "clear"})

    def undo(self) -> None:
        """Take the last stroke back."""
        self.page = self.page.undo()

    def redo(self) -> None:
        """Do again what was undone last."""
        self.page = self.page.redo()

    def save(self, path: str | Path) -> Path:
        """Write the drawing: ``.json`` or ``.svg`` keep the strokes and load back, ``.png`` is a picture. Returns the path.

        Raises:
            InputError: another ending, or a place that cannot be written.
        """
        path = as_path(path)
        kind = path.suffix.lower()
        if kind == ".png":
            return save_png(self.sketch, path)
        return self.page.save(path)

    def _still(self):
        page = self.page
        if page.is_empty:
            return None
        side = 256 / max(page.width, page.height)
        picture = page.image(max(1, round(page.width * side)), max(1, round(page.height * side)))
        strokes = sum(op["tool"] == "brush" for op in page.visible)
        return picture, self.words["still"].format(strokes=strokes)
