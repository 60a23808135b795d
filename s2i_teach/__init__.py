"""s2i_teach: from sketches to pictures with diffusion models, a course that runs.

Importing it is quick: torch and diffusers load when something needs them.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "open_sketch": "images",
    "load_pipeline": "models.load",
    "translate": "translation.run",
    "repaint": "translation.repaint",
    "sweep": "translation.sweep",
    "translate_dataset": "translation.dataset.run",
    "Dataset": "translation.dataset.run",
    "Sweep": "translation.sweep",
    "Settings": "translation.settings",
    "Plan": "translation.plan",
    "Result": "translation.result",
    "read_record": "translation.result",
    "clean": "data_sources.clean",
    "InputError": "errors",
    "sketches": "gallery",
    "contact_sheet": "gallery",
    "show": "widgets.show",
    "interact": "widgets.sliders",
    "anatomy": "widgets.anatomy",
    "SketchPad": "widgets.sketch_pad",
    "Studio": "widgets.studio",
    "Playground": "widgets.playground",
    "Style": "widgets.style",
    "BlindRating": "widgets.blind_rating",
    "language": "languages",
    "glossary": "lessons.glossary",
    "lesson": "lessons",
    "quiz": "lessons.quiz",
    "survey": "lessons.survey",
    "scores": "lessons.scores",
    "sample": "data_sources.sample",
    "open_sample": "data_sources.sampled",
    "pack": "data_sources.pack",
    "class_pack": "data_sources.pack",
    "class_gallery": "exhibition.page",
}
"""Public name → the module that defines it."""

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 's2i_teach' has no attribute {name!r}")
    value = getattr(import_module(f"s2i_teach.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_HOME})
