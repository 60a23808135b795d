"""Every model by name: its kind, where it lies, by which living ids, its licence, its size and what it needs."""

from dataclasses import dataclass, replace
from pathlib import Path

from s2i_teach.paths import data_dir


@dataclass(frozen=True)
class Model:
    """One entry. ``ids`` are tried one after the other; ``embedded`` is a folder below ``data/`` that is tried first.

    ``kind`` is a name of :data:`s2i_teach.models.kinds.KINDS`; ``controlnet`` a folder below ``data/``, for the kind that
    has one, and ``control_scale`` what its residuals are multiplied by.
    ``scheduler`` is the short name of the one to use in place of the model's own.
    ``styles`` are words that go into ``"a turtle, … style"``; the miniature knows just these.
    ``size`` is ``(width, height)`` in pixels, ``download`` in bytes (0: nothing), ``memory`` in GB with half precision.
    """

    name: str
    title: str
    ids: tuple[str, ...]
    licence: str
    size: tuple[int, int]
    download: int
    memory: float
    steps: int
    guidance_scale: float
    strength: float
    kind: str = "img2img"
    embedded: str | None = None
    controlnet: str | None = None
    control_scale: float = 1.0
    scheduler: str | None = None
    variant: str | None = None
    thesis: str = ""
    styles: tuple[str, ...] = ("watercolour", "oil painting", "pencil drawing", "comic book", "photograph")

    def sources(self) -> list[str]:
        """Folders and hub ids to try, in order."""
        local = [str(data_dir() / self.embedded)] if self.embedded else []
        return local + list(self.ids)


_MINI_STYLES = ("openmoji", "noto", "fluent", "flat", "twemoji", "line")

_SCRIBBLE = Model(
    name="mini-scribble",
    title="The second miniature, led by the sketch",
    kind="control",
    ids=(),
    embedded="scribble",
    controlnet="scribble/controlnet",
    styles=_MINI_STYLES,
    licence="CC BY-SA 4.0",
    size=(128, 128),
    download=0,
    memory=0.2,
    steps=20,
    guidance_scale=4.0,
    strength=1.0,
)

MODELS = {
    model.name: model
    for model in (
        Model(
            name="mini",
            title="The miniature",
            ids=(),
            embedded="mini",
            styles=_MINI_STYLES,
            licence="CC BY-SA 4.0",
            size=(128, 128),
            download=0,
            memory=0.1,
            steps=20,
            guidance_scale=4.0,
            strength=0.7,
        ),
        Model(
            name="mini-fast",
            title="The miniature in few steps",
            ids=(),
            embedded="mini",
            styles=_MINI_STYLES,
            # LCM's sampler jumps to the guessed picture and noises it again. It was made for distilled networks, but the
            # miniature needs no distilling for it: docs/decisions.md.
            scheduler="lcm",
            licence="CC BY-SA 4.0",
            size=(128, 128),
            download=0,
            memory=0.1,
            steps=4,
            guidance_scale=2.5,
            strength=0.75,
        ),
        _SCRIBBLE,
        replace(
            _SCRIBBLE,
            name="mini-scribble-fast",
            title="The second miniature, led by the sketch, in few steps",
            scheduler="lcm",
            steps=4,
            guidance_scale=2.5,
        ),
        Model(
            name="sd15",
            title="Stable Diffusion 1.5",
            # The original, runwayml/stable-diffusion-v1-5, was deleted in August 2024.
            ids=(
                "stable-diffusion-v1-5/stable-diffusion-v1-5",
                "sd-legacy/stable-diffusion-v1-5",
                "benjamin-paine/stable-diffusion-v1-5",
            ),
            licence="CreativeML OpenRAIL-M",
            size=(512, 512),
            download=2_742_000_000,
            memory=2.6,
            steps=50,
            guidance_scale=7.5,
            strength=0.75,
            variant="fp16",
            thesis="the model of the thesis",
        ),
    )
}


DEFAULT = "mini-scribble"
"""The model of who names none: the sketch leads."""

DEFAULT_FAST = "mini-scribble-fast"
"""The same in few steps, for a studio that draws along."""


WIDE = (192, 128)
"""``(width, height)`` in pixels of the miniatures' other pages, on which they learned scenes: squeezed into a square of 128
× 128, the things of a scene would be tiny."""


def offered() -> dict[str, Model]:
    """The models that can be had: all but those whose embedded parts were not trained yet (``s2i train``)."""

    def is_there(entry: Model) -> bool:
        return all(folder is None or (data_dir() / folder).is_dir() for folder in (entry.embedded, entry.controlnet))

    return {name: entry for name, entry in MODELS.items() if is_there(entry)}


def find(name: str) -> Model | None:
    """The catalog's entry of that name, or None: then the name is a folder or a hub id."""
    return MODELS.get(name)


def describe(source: str | Path) -> str:
    """A model's title for people: the catalog's, or the last part of its folder or id."""
    entry = find(str(source))
    return entry.title if entry else Path(str(source)).name
