"""Every public name, called with anything at all: an answer, or one sentence."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import s2i_teach as s2i
from tests.fuzzing import ODD, examples
from tests.test_fuzz import ARRAYS, TENSORS, drawing, only_sentences

FEW = {"num_inference_steps": 2, "size": (64, 64)}


@pytest.fixture(scope="module")
def here(tiny_pipe, tmp_path_factory):
    """A folder to work in, with a model, a sample, a pack and two results."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("here"))
        tiny_pipe.save_pretrained("tiny")
        s2i.sample("sketches", per_category=1, categories=["cat", "car"], to="some", quiet=True)
        s2i.pack("some", "some.zip")
        page = drawing()
        results = [s2i.translate(page, "a", pipe=tiny_pipe, strength=s, **FEW) for s in (0.5, 1.0)]
        yield SimpleNamespace(pipe=tiny_pipe, page=page, results=results)
        s2i.language("en")


def no_text(value):
    """For places that are written to: whatever is no name of one."""
    return 5 if isinstance(value, str) else value


QUIET = {"quiet": True, "offline": True}
CALLS = {
    "translate sketch": lambda v, h: s2i.translate(v, "a", pipe=h.pipe, **FEW),
    "translate prompt": lambda v, h: s2i.translate(h.page, v, pipe=h.pipe, **FEW),
    "translate pipe": lambda v, h: s2i.translate(h.page, "a", pipe="x" if v is None else v, **FEW),
    "translate strength": lambda v, h: s2i.translate(h.page, "a", pipe=h.pipe, strength=v, **FEW),
    "translate style": lambda v, h: s2i.translate(h.page, "a", pipe=h.pipe, style=v, **FEW),
    "translate style_weight": lambda v, h: s2i.translate(h.page, "a", pipe=h.pipe, style="none", style_weight=v, **FEW),
    "repaint picture": lambda v, h: s2i.repaint(v, h.page, "a", pipe=h.pipe, **FEW),
    "repaint mask": lambda v, h: s2i.repaint(h.page, v, "a", pipe=h.pipe, **FEW),
    "repaint prompt": lambda v, h: s2i.repaint(h.page, h.page, v, pipe=h.pipe, **FEW),
    "repaint pipe": lambda v, h: s2i.repaint(h.page, h.page, "a", pipe="x" if v is None else v, **FEW),
    "repaint strength": lambda v, h: s2i.repaint(h.page, h.page, "a", pipe=h.pipe, strength=v, **FEW),
    "repaint paste": lambda v, h: s2i.repaint(h.page, h.page, "a", pipe=h.pipe, paste=v, **FEW),
    "sweep prompt": lambda v, h: s2i.sweep(h.page, v, pipe=h.pipe, seed=[0, 1], quiet=True, **FEW),
    "sweep axis": lambda v, h: s2i.sweep(h.page, "a", pipe=h.pipe, strength=v, quiet=True, **FEW),
    "sweep batch": lambda v, h: s2i.sweep(h.page, "a", pipe=h.pipe, seed=[0, 1], max_batch=v, quiet=True, **FEW),
    "load model": lambda v, h: s2i.load_pipeline(v or "x" if isinstance(v, str) else v, offline=True),
    "load device": lambda v, h: s2i.load_pipeline("tiny", device=v),
    "load dtype": lambda v, h: s2i.load_pipeline("tiny", dtype=v),
    "load scheduler": lambda v, h: s2i.load_pipeline("tiny", scheduler=v),
    "load slicing": lambda v, h: s2i.load_pipeline("tiny", attention_slicing=v),
    "load offload": lambda v, h: s2i.load_pipeline("tiny", offload=v),
    "load small_vae": lambda v, h: s2i.load_pipeline("tiny", small_vae=v),
    "load quantize": lambda v, h: s2i.load_pipeline("tiny", quantize=v),
    "record": lambda v, h: s2i.read_record(v),
    "save": lambda v, h: h.results[0].save(no_text(v)),
    "sample": lambda v, h: s2i.sample(no_text(v), to="new", plan=True, **QUIET),
    "sample categories": lambda v, h: s2i.sample("sketches", categories=v, to="new", plan=True, **QUIET),
    "sample per_category": lambda v, h: s2i.sample("sketches", per_category=v, to="new", plan=True, **QUIET),
    "sample seed": lambda v, h: s2i.sample("sketches", seed=v, to="new", plan=True, **QUIET),
    "open_sample": lambda v, h: s2i.open_sample(v),
    "pack": lambda v, h: s2i.pack(v, "new.zip"),
    "pack to": lambda v, h: s2i.pack("some", no_text(v)),
    "class_pack": lambda v, h: s2i.class_pack(v, to="new", **QUIET),
    "class_pack sha256": lambda v, h: s2i.class_pack("some.zip", sha256=v, to="class", **QUIET),
    "class_gallery": lambda v, h: s2i.class_gallery(no_text(v), "new.html"),
    "class_gallery out": lambda v, h: s2i.class_gallery("some", no_text(v)),
    "class_gallery votes": lambda v, h: s2i.class_gallery("some", "new.html", votes=v),
    "class_gallery title": lambda v, h: s2i.class_gallery("some", "new.html", title=v),
    "translate_dataset": lambda v, h: s2i.translate_dataset(no_text(v), "new", "a", pipe=h.pipe, quiet=True),
    "translate_dataset prompt": lambda v, h: s2i.translate_dataset(
        "some", "new", v, pipe=h.pipe, dry_run=True, quiet=True
    ),
    "translate_dataset limit": lambda v, h: s2i.translate_dataset(
        "some", "new", "a", pipe=h.pipe, limit=v, dry_run=True, quiet=True
    ),
    "interact": lambda v, h: s2i.interact(print, value=v),
    "clean": lambda v, h: s2i.clean(no_text(v), progress=False),
    "clean rule": lambda v, h: s2i.clean("some", tiny=v, progress=False),
    "contact_sheet": lambda v, h: s2i.contact_sheet(v),
    "show": lambda v, h: s2i.show(v, alt="a picture"),
    "show alt": lambda v, h: s2i.show(h.page, alt=v),
    "anatomy": lambda v, h: s2i.anatomy(v, h.page, "a"),
    "pad": lambda v, h: s2i.SketchPad(v),
    "pad masking": lambda v, h: s2i.SketchPad(masking=v),
    "pad size": lambda v, h: s2i.SketchPad(None, v, v),
    "pad load": lambda v, h: s2i.SketchPad().load(v),
    "pad trace": lambda v, h: s2i.SketchPad().trace_over(v),
    "pad save": lambda v, h: s2i.SketchPad().save(no_text(v)),
    "pad image": lambda v, h: s2i.SketchPad().image(v),
    "studio": lambda v, h: s2i.Studio(v, model=h.pipe),
    "studio prompt": lambda v, h: s2i.Studio(None, v, model=h.pipe),
    "style drawings": lambda v, h: s2i.Style(v),
    "style drawing": lambda v, h: s2i.Style([(v, "a")]),
    "style caption": lambda v, h: s2i.Style([(h.page, v)]),
    "style to": lambda v, h: s2i.Style(to=v),
    "style steps": lambda v, h: s2i.Style(steps=v),
    "playground": lambda v, h: s2i.Playground(v),
    "playground steps": lambda v, h: s2i.Playground(steps=v),
    "playground direction": lambda v, h: s2i.Playground(direction=v),
    "playground step": lambda v, h: s2i.Playground(step=v),
    "rating": lambda v, h: s2i.BlindRating(v),
    "rating path": lambda v, h: s2i.BlindRating(h.results, no_text(v)),
    "rating rater": lambda v, h: s2i.BlindRating(h.results, "votes.csv", rater=v),
    "rating votes": lambda v, h: s2i.BlindRating(h.results, "votes.csv", votes=v),
    "language": lambda v, h: s2i.language(v),
    "glossary": lambda v, h: s2i.glossary(v),
    "lesson": lambda v, h: s2i.lesson(v),
    "quiz": lambda v, h: s2i.quiz(v),
    "quiz folder": lambda v, h: s2i.quiz([], folder=no_text(v)),
    "survey": lambda v, h: s2i.survey(v),
    "survey folder": lambda v, h: s2i.survey([], folder=no_text(v)),
    "scores": lambda v, h: s2i.scores(no_text(v)),
    "thesis size": lambda v, h: s2i.Settings.from_thesis(image_size=v),
    "thesis respacing": lambda v, h: s2i.Settings.from_thesis(timestep_respacing=v),
}


def test_every_public_name_is_called():
    classes = {
        "Result",
        "Plan",
        "Sweep",
        "Dataset",
        "Settings",
        "InputError",
    }  # made by others, or tested by themselves
    others = {"open_sketch", "sketches"} | classes
    source = " ".join(name for call in CALLS.values() for name in call.__code__.co_names)
    assert set(s2i.__all__) - others - set(source.split()) == set()


@pytest.mark.parametrize("name", CALLS)
@examples(4)
@given(value=st.one_of(ODD, ARRAYS, TENSORS))
def test_anything_at_all(name, here, value):
    with only_sentences():
        CALLS[name](value, here)
