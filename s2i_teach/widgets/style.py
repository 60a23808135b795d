"""A tool that learns somebody's own style: draw, train, slide the weight."""

from collections.abc import Callable, Sequence
from html import escape

import ipywidgets  # type: ignore[import-untyped]
from PIL import Image

from s2i_teach.error_strings import in_language
from s2i_teach.errors import InputError
from s2i_teach.files import as_path
from s2i_teach.images import fit_to, read_picture
from s2i_teach.models.load import shared_pipeline
from s2i_teach.models.style import read_style, save_style
from s2i_teach.training.style import STEPS, Drawing, train_style
from s2i_teach.translation.looks import LOOKS, WHITE, Look, in_look
from s2i_teach.translation.run import translate
from s2i_teach.widgets.show import as_html
from s2i_teach.widgets.sketch_pad import SketchPad
from s2i_teach.widgets.strings import words

LEARNS, FROM_WORDS, LED = "mini", "mini-fast", "mini-scribble-fast"
"""The model that learns, and those of the same U-Net that draw: from words alone, and led by the sketch."""
WANTED = 10
"""Drawings that are asked for; fewer may be learned from as well."""
SIDE = 128
"""Pixels a side of what is learned."""
WHOLE = {"description_width": "initial"}
"""Of a field whose description is not to be cut off."""


class Style(ipywidgets.VBox):
    """Draw some things, let the miniature learn their look, and slide how much of it shows.

    Each drawing is printed in two inks as it is added, and needs a caption. The training takes about half a minute on a CPU,
    in which the notebook does nothing else. What was learned is written as a LoRA that diffusers loads
    (:func:`s2i_teach.models.style.save_style`), and ``translate(…, style=tool.file)`` draws with it. Both pictures are real
    runs with the same seed: on the left without the style, on the right with it.

    Args:
        drawings: to begin with, as ``(picture, caption)``.
        to: file of the style, which ends in ``.safetensors``. If it is there already, its style can be drawn with at once.
        steps: updates of the training, from 1 to 1000.
        seed: of the training and of the pictures.

    Attributes:
        drawings: what will be learned, a list of ``(picture, caption)``.
        file: the style's file, or None as long as there is none.
        results: the last two :class:`s2i_teach.Result`, without and with the style.

    Raises:
        InputError: a drawing that cannot be opened or has no caption, a file of another ending, or a number that cannot be used.
    """

    def __init__(
        self, drawings: Sequence[Drawing] = (), *, to="my_style.safetensors", steps: int = STEPS, seed: int = 0
    ):
        self.words = words()
        self._path = as_path(to)
        if self._path.suffix != ".safetensors":
            raise InputError(f"The style's file is called {self._path.name}: give a name that ends in .safetensors.")
        if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= 1000:
            raise InputError(f"steps is {steps!r}: use a whole number from 1 to 1000.")
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
            raise InputError(f"seed is {seed!r}: use a whole number from 0 on, below {2**32}.")
        self.steps, self.seed = steps, seed
        self.drawings: list[Drawing] = []
        self.results: tuple = ()
        self.file = self._path if self._path.is_file() else None
        if self.file is not None:
            read_style(self.file)
        self._make_parts()
        super().__init__(self._laid_out())
        self.add_class("s2i-style")
        if not isinstance(drawings, (list, tuple)):
            raise InputError('The drawings must be a list of pairs such as (picture, "a cat").')
        for drawing in drawings:
            if not isinstance(drawing, (list, tuple)) or len(drawing) != 2:
                raise InputError('Each drawing needs its caption: give pairs such as (picture, "a cat").')
            self.add(*drawing)
        self._tell(self.words["style_begin"] if not self.drawings else "")
        self._refresh()

    def _make_parts(self) -> None:
        look = LOOKS["two inks"]
        inks = {
            self.words["style_blue"]: look.ink,
            self.words["style_green"]: LOOKS["forest"].ink,
            self.words["style_black"]: (30, 30, 30),
            self.words["style_brown"]: (110, 62, 30),
            self.words["style_purple"]: (96, 40, 130),
        }
        fills = {
            self.words["style_coral"]: look.fill,
            self.words["style_yellow"]: LOOKS["forest"].fill,
            self.words["style_sky"]: (140, 196, 240),
            self.words["style_mint"]: (150, 216, 180),
            self.words["style_white"]: WHITE,
        }
        self.pad = SketchPad(name="style")
        self._caption = ipywidgets.Text(
            description=self.words["style_caption"], placeholder=self.words["style_example"], style=WHOLE
        )
        self._ink, self._fill = (
            ipywidgets.Dropdown(description=title, options=list(colours.items()), style=WHOLE)
            for title, colours in ((self.words["style_ink"], inks), (self.words["style_fill"], fills))
        )
        self._add = self._button(self.words["style_add"], self._add_from_pad)
        self._take_back = self._button(self.words["style_take_back"], self.take_back)
        self._shown = ipywidgets.HTML()
        self._train = self._button(self.words["style_train"], self.train)
        self._progress = ipywidgets.IntProgress(max=self.steps, layout={"width": "20em"})
        self._status = ipywidgets.HTML()
        self._prompt = ipywidgets.Text(
            value=self.words["style_prompt_value"],
            description=self.words["prompt"],
            continuous_update=False,
            style=WHOLE,
        )
        self._leads = ipywidgets.Checkbox(description=self.words["style_leads"], indent=False)
        self._weight = ipywidgets.FloatSlider(
            value=1.0, min=0.0, max=1.5, step=0.05, description=self.words["style_weight"], continuous_update=False
        )
        self._pictures = ipywidgets.HTML()
        for control in (self._prompt, self._leads, self._weight):
            control.observe(lambda change: self._guarded(self.draw), "value")

    def _laid_out(self) -> list:
        def titled(title: str, *parts) -> list:
            return [ipywidgets.HTML(f"<b>{escape(title)}</b>"), *parts]

        return [
            *titled(self.words["style_draw"], ipywidgets.HTML(escape(self.words["style_how"])), self.pad),
            ipywidgets.HBox([self._caption, self._ink, self._fill], layout={"flex_flow": "row wrap"}),
            ipywidgets.HBox([self._add, self._take_back]),
            self._shown,
            *titled(self.words["style_learn"], ipywidgets.HBox([self._train, self._progress]), self._status),
            *titled(self.words["style_slide"], self._prompt, self._leads, self._weight, self._pictures),
        ]

    def _button(self, text: str, action: Callable) -> ipywidgets.Button:
        button = ipywidgets.Button(description=text, layout={"width": "auto"})
        button.on_click(lambda clicked: self._guarded(action))
        return button

    def _guarded(self, action: Callable) -> None:
        """What goes wrong after a click is said on the page, in one sentence."""
        try:
            action()
        except InputError as error:
            self._tell(in_language(str(error), self.words["code"]))

    def _tell(self, sentence: str) -> None:
        self._status.value = f'<div role="status">{escape(sentence)}</div>'

    def _refresh(self) -> None:
        """Show the drawings, and let be pressed what can be."""
        pictures = (as_html(picture, caption, 64) for picture, caption in self.drawings)
        parts = (
            f'<figure style="margin:2px;display:inline-block;text-align:center">{picture}<figcaption>{escape(caption)}'
            "</figcaption></figure>"
            for picture, (_, caption) in zip(pictures, self.drawings, strict=True)
        )
        count = self.words["style_count"].format(done=len(self.drawings), wanted=WANTED)
        self._shown.value = f"<div>{escape(count)}</div><div>{''.join(parts)}</div>"
        self._train.disabled = self._take_back.disabled = not self.drawings
        for control in (self._prompt, self._leads, self._weight):
            control.disabled = self.file is None

    def add(self, picture, caption: str) -> None:
        """Add a drawing, anything that :func:`s2i_teach.open_sketch` opens, with what it shows: "a cat".

        Raises:
            InputError: a picture that cannot be opened, or no caption.
        """
        if not isinstance(caption, str) or not caption.strip():
            raise InputError('Say what the drawing shows, such as "a cat": the model learns from words and pictures.')
        self.drawings.append((fit_to(read_picture(picture), (SIDE, SIDE)), caption.strip()))
        self._refresh()

    def _add_from_pad(self) -> None:
        if self.pad.page.is_empty:
            raise InputError("The page is empty: draw something first.")
        self.add(in_look(self.pad.sketch, Look(self._ink.value, self._fill.value)), self._caption.value)
        self.pad.clear()
        self._caption.value = ""
        self._tell("")

    def take_back(self) -> None:
        """Take the last drawing out of the list."""
        if self.drawings:
            self.drawings.pop()
        self._refresh()

    def train(self) -> None:
        """Learn from the drawings, write the file, and draw with it.

        Raises:
            InputError: there is no drawing, or the file cannot be written.
        """
        self._train.disabled = True
        self._tell(self.words["style_learning"])
        try:
            for update in train_style(shared_pipeline(LEARNS), self.drawings, steps=self.steps, seed=self.seed):
                self._progress.value = update.step + 1
            self.file = save_style(update.added, self._path)
        finally:
            self._refresh()
        self._tell(self.words["style_learned"].format(path=self.file))
        self.draw()

    def draw(self) -> None:
        """Draw the prompt without the style and with it, at the slider's weight.

        Raises:
            InputError: there is no style yet, or a prompt or a file that cannot be used.
        """
        if self.file is None:
            raise InputError("Nothing was learned yet: train first.")
        leads = self._leads.value and not self.pad.page.is_empty
        sketch = self.pad.sketch if leads else Image.new("RGB", (SIDE, SIDE), WHITE)
        pipe = shared_pipeline(LED if leads else FROM_WORDS)
        self.results = tuple(
            translate(
                sketch,
                self._prompt.value,
                pipe=pipe,
                strength=1.0,
                seed=self.seed,
                style=str(self.file),
                style_weight=weight,
            )
            for weight in (0.0, self._weight.value)
        )
        captions = (self.words["style_without"], self.words["style_with"].format(weight=self._weight.value))
        self._pictures.value = "".join(
            f'<figure style="margin:4px;display:inline-block">{as_html(result, f"{self._prompt.value}: {caption}", 256)}'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
            for result, caption in zip(self.results, captions, strict=True)
        )
