"""A pad to draw on, in the notebook."""

import base64
import os
from pathlib import Path

import traitlets

from s2i_teach.errors import InputError
from s2i_teach.files import as_path, shown, written
from s2i_teach.gallery import find_sketch, sketches
from s2i_teach.images import open_sketch, read_picture
from s2i_teach.translation.page import open_page
from s2i_teach.translation.result import save_png
from s2i_teach.translation.settings import Settings
from s2i_teach.widgets.base import LiveWidget, source
from s2i_teach.widgets.drawing import PAGE, Drawing, picture_url
from s2i_teach.widgets.keeping import Keeper

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
    """What a widget with a pad on it has, and answers to what the pad asks.

    Args:
        drawing: to start with.
        keep: keep the drawing in a file from the moment the widget is shown, or at once if it has a name
            (:class:`s2i_teach.widgets.keeping.Keeper`). ``S2I_KEEP_PADS=0`` in the environment keeps none.
        name: of that file, chosen by somebody; None takes ``usual_name``.

    Raises:
        InputError: a name that no file can have.
    """

    usual_name = "sketch"

    # An echo of what the page sent may arrive late and would put an older drawing back.
    drawing = traitlets.Dict().tag(sync=True, echo_update=False)
    trace = traitlets.Unicode("").tag(sync=True)
    sketches = traitlets.List(traitlets.Unicode()).tag(sync=True)
    kept = traitlets.Dict().tag(sync=True)

    def __init__(self, drawing: Drawing, keep: bool = False, name: str | None = None, **traits):
        self._keeper: Keeper | None = None
        if keep and os.environ.get("S2I_KEEP_PADS", "").strip() != "0":
            wanted = self.usual_name if name is None else name
            self._keeper = Keeper(wanted, name is not None, lambda: self.comm is not None)
        self._keeping = False
        super().__init__(drawing=drawing.to_dict(), sketches=[sketch.name for sketch in sketches()], **traits)
        self.on_msg(self._asked)
        self.observe(self._changed, "drawing")
        if name is not None:
            self._begin_keeping()

    def _begin_keeping(self) -> None:
        """From now on every change is kept; the drawing that was kept before comes back."""
        if self._keeper is None or self._keeping:
            return
        page, notes = self._keeper.begin(self.page)
        self._brought_back(page, notes)
        self._keeping = True
        self._tell_kept()

    def _brought_back(self, page: Drawing, notes: dict) -> None:
        if page != self.page:
            self.page = page

    def _changed(self, change=None) -> None:
        if self._keeping and self._keeper is not None and not self._is_growing:
            self._keeper.write(self.page, **self._notes())
            self._tell_kept()

    def _notes(self) -> dict:
        """What is kept beside the drawing."""
        return {}

    @property
    def _is_growing(self) -> bool:
        """Whether the last stroke is still being drawn."""
        return False

    def _tell_kept(self) -> None:
        """Say on the page where the drawing is kept, or why it is not."""
        if self._keeper is None:
            return
        key, values = self._keeper.said
        words = self.words
        said = {
            "kept_in": words["kept_in"],
            "kept_back": words["kept_back"],
            "kept_other": words["kept_other"],
            "kept_foreign": words["kept_foreign"],
            "kept_damaged": words["kept_damaged"],
            "kept_not": words["kept_not"],
        }[key].format(**values | {"error": self._said(values.get("error", ""))})
        place = str(self._keeper.path) if self._keeper.path else ""
        self.kept = {"said": said, "wrong": key == "kept_not", "place": place}

    def _ipython_display_(self, **kwargs):
        self._begin_keeping()
        super()._ipython_display_(**kwargs)

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
        if not isinstance(request, dict) or request.get("do") not in ("hello", "heard", "sketch", "file", "untrace"):
            return
        try:
            if request["do"] == "hello":
                self._begin_keeping()  # a widget within another one is not told that it is displayed
                return self.send({"hello": True})
            if request["do"] == "heard":
                return self.send({"heard": True})
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

    The drawing stays: run the cell again, restart the kernel or reload the page, and it is there, its undo included. It is
    kept in ``s2i_pads``, a folder beside the notebook, in a file called as the pad. A pad without a name is called
    *sketch*; in JupyterLab, Notebook 7 and VS Code each cell has its own, elsewhere two pads need two names.

    Args:
        what: to start from: a file that a pad saved, the name of an embedded sketch (``"turtle"``), or any picture.
            None is an empty page.
        width, height: of the page, in units; its proportions are what counts.
        masking: with two more tools, which mark the part that :func:`s2i_teach.repaint` draws anew: :attr:`mask`. ``what`` is then
            laid on the page as it is, a coloured picture for instance.
        name: of the pad; the drawing of that name is opened at once, one without a name when the pad is shown.
        keep: False keeps nothing on the disk and opens nothing from there.

    Raises:
        InputError: what cannot be opened, no page, or a name that no file can have.
    """

    _esm = source("parts.js", "pad.js", "keeping.js", "sketch_pad.js")

    masking = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        what=None,
        width: int = PAGE[0],
        height: int = PAGE[1],
        *,
        masking: bool = False,
        name: str | None = None,
        keep: bool = True,
    ):
        if not isinstance(masking, bool):
            raise InputError(f"masking must be True or False, not {written(masking)}.")
        page = Drawing(width, height).checked()
        super().__init__(
            page if what is None else open_drawing(what, page, clean=not masking), keep, name, masking=masking
        )
        self.observe(lambda change: self._renew_still(), "drawing")

    def image(self, width: int | None = None, height: int | None = None):
        """The drawing at ``width`` × ``height`` pixels, without distortion: see :meth:`Drawing.image`."""
        return self.page.image(width, height)

    @property
    def mask(self):
        """The part that was marked: an "L" picture of the page's size, white where it is marked; None where nothing is.

        It goes into :func:`s2i_teach.repaint`. The tools for it are there with ``masking=True``.
        """
        return self.page.mask()

    def clear(self) -> None:
        """Begin a new page; :meth:`undo` brings the drawing back."""
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
