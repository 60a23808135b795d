"""The book: its pages are made from the lessons and the documents, and nothing in it asks another machine."""

import base64
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from book import api, check, contents, execute, links, outputs, terms
from book import lessons as pages
from notebooks.build import build, colab_address, exercise_of, github_address
from s2i_teach.lessons.glossary import Term
from s2i_teach.lessons.glossary import terms as all_terms

ROOT = Path(__file__).resolve().parent.parent
SOURCES = contents.sources()
KNOWN = (
    Term("latent", "z", 3, "The small tensor."),
    Term("text encoder", "", 6, "The network for words."),
    Term("encoder", "", 4, "The network in front."),
    Term("head", "", 4, "One of several attentions."),
)
DOT = base64.b64encode(b"not really a picture").decode()


def test_the_transforms_need_no_sphinx():
    """The suite's environment has none."""
    code = "import sys; from book import build; sys.exit(any(name in sys.modules for name in ('sphinx', 'myst_nb')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


# Terms


def test_the_first_use_of_a_term_is_linked_once():
    linker = terms.Linker(5, KNOWN)
    assert linker.linked("Two **latents** and a\nlatent.") == "Two **{term}`latents <latent>`** and a\nlatent."
    assert linker.linked("A latent again.") == "A latent again."


def test_a_longer_term_is_no_use_of_a_shorter_one_and_later_lessons_terms_wait():
    assert terms.Linker(5, KNOWN).linked("the text encoder, then an encoder") == (
        "the text encoder, then an {term}`encoder <encoder>`"
    )
    assert terms.Linker(6, KNOWN).linked("a text\nencoder") == "a {term}`text encoder <text encoder>`"
    assert terms.Linker(2, KNOWN).linked("a latent") == "a latent"


@pytest.mark.parametrize(
    "text",
    [
        "## The latent",
        "`latent = 1`",
        "``a ` latent``",
        "```python\nlatent = 1\n```",
        "$latent$",
        "$$\nlatent\n$$",
        "[a latent](x.md)",
        "[![a latent](a.svg)](b)",
        '<img alt="latent">',
        "https://example.org/latent",
        "latent-free, sublatent",
        "## Sources\n\nA paper on the latent",
    ],
)
def test_code_formulas_headings_and_links_are_left_alone(text):
    assert terms.Linker(5, KNOWN).linked(text) == text
    after = terms.Linker(5, KNOWN).linked(f"A latent.\n\n{text}")
    assert after == "A {term}`latent <latent>`.\n\n" + text


def test_an_everyday_word_is_linked_where_it_is_defined_alone():
    assert terms.Linker(4, KNOWN).linked("a head turns; a **head** attends") == (
        "a head turns; a **{term}`head <head>`** attends"
    )
    assert terms.Linker(5, KNOWN).linked("a **head**") == "a **head**"
    assert {term.name for term in all_terms()} >= terms.EVERYDAY


def test_every_term_is_linked_in_the_lesson_that_defines_it():
    """The role and the glossary page agree on the name, and Sphinx would warn of another."""
    for source in SOURCES:
        number, linker = pages.number(source), terms.Linker(pages.number(source))
        cells = nbformat.reads(build(source, teacher=False), as_version=4).cells[1:]
        text = "\n\n".join(linker.linked(cell.source) for cell in cells if cell.cell_type == "markdown")
        defined = {term.name for term in all_terms() if term.lesson == number}
        linked = re.findall(r"\{term\}`[^`<]* <([^`>]*)>`", text)
        assert defined <= set(linked) and len(linked) == len(set(linked)), source.name


def test_the_glossary_page_has_every_term_below_its_lesson():
    page = terms.glossary_page(KNOWN, {3: "Lesson 3. Three"}, {3: "lessons/03.ipynb"})
    assert "## Lesson 3. Three\n\n[Open the lesson](lessons/03.ipynb)\n" in page
    assert page.index("## Lesson 3") < page.index("\nlatent\n  *z* · The small tensor.\n") < page.index("## Lesson 6")
    assert terms.with_indices("√ᾱ_t · ε, x_0 and a_name") == "√ᾱ<sub>t</sub> · ε, x<sub>0</sub> and a_name"


# Links


def test_links_lead_into_the_book_or_to_github():
    rewriter = links.Rewriter(contents.places())
    text = (
        "[a](notebooks/00_first_picture.ipynb) [b](docs/untested.md#x) [c](s2i_teach/) "
        "[d](#other-families) [e](#lessons)\n"
        '[f](https://example.org/a) <img src="docs/pad.webp" alt="p"> [g](data/README.md#pairs)\n'
        "```\n[a](notebooks/00_first_picture.ipynb)\n```\n"
    )
    first, second, *code = rewriter.rewritten(text, "README.md", "index.md").splitlines()
    assert first == (
        f"[a](lessons/00_first_picture.ipynb) [b]({github_address('docs/untested.md')}#x) "
        f"[c]({github_address('s2i_teach').replace('/blob/', '/tree/')}) "
        "[d](library.md#other-families) [e](#lessons)"
    )
    assert second == '[f](https://example.org/a) <img src="pictures/pad.webp" alt="p"> [g](datasheet.md#pairs)'
    assert code == ["```", "[a](notebooks/00_first_picture.ipynb)", "```"] and rewriter.pictures == {"docs/pad.webp"}


def test_a_lesson_s_link_to_the_glossary_and_its_badge_stay_in_reach_of_a_reader_offline():
    rewriter = links.Rewriter(contents.places())
    path = "notebooks/08_sketch_to_picture.ipynb"
    address = colab_address(path)
    terms_at = github_address("s2i_teach/lessons/glossary.md")
    text = f"[![Open in Colab](https://c.example/b.svg)]({address}) · [terms]({terms_at})"
    made = rewriter.rewritten(text, path, "lessons/08_sketch_to_picture.ipynb")
    assert made == f"[Open in Colab]({address}){{.badge-link}} · [terms](../glossary.md)"


# Outputs


def a_slider(model: str) -> dict:
    """The state of a slider with a picture below it, as ``s2i.interact`` leaves it."""
    picture = f'<div><img src="data:image/png;base64,{DOT}" alt="a dot"></div>'
    knob = {"_model_name": "FloatSliderModel", "description": "strength", "value": 0.7}
    choice = {"_model_name": "DropdownModel", "description": "thing", "index": 1, "_options_labels": ["owl", "<cat>"]}
    below = {"_model_name": "HTMLModel", "description": "", "value": picture}
    children = {"children": ["IPY_MODEL_a", "IPY_MODEL_b", "IPY_MODEL_c"], "_model_name": "VBoxModel"}
    return {key: {"state": s} for key, s in {model: children, "a": knob, "b": choice, "c": below}.items()}


def view(model: str):
    return nbformat.v4.new_output("display_data", {outputs.VIEW: {"model_id": model}, "text/plain": "asleep"})


def test_sliders_are_shown_as_they_stand_with_what_is_below_them(tmp_path):
    pictures = outputs.Pictures(tmp_path / "out", "../_static/out")
    [made] = outputs.for_the_book([view("m")], a_slider("m"), pictures)
    html = made.data["text/html"]
    assert "<b>strength</b> 0.7, <b>thing</b> &lt;cat&gt;" in html and list(made.data) == ["text/html"]
    [file] = (tmp_path / "out").iterdir()
    assert f'src="../_static/out/{file.name}"' in html and 'alt="a dot"' in html
    assert file.read_bytes() == b"not really a picture"


def test_a_live_widget_is_one_line_before_its_picture_and_stderr_is_left_out(tmp_path):
    states = {"m": {"state": {"_model_name": "AnyModel", "_anywidget_id": "s2i_teach.widgets.studio.Studio"}}}
    still = nbformat.v4.new_output("display_data", {"text/html": '<div class="s2i-still-0a"></div>'})
    said = [nbformat.v4.new_output("stream", name=name, text="words\n") for name in ("stdout", "stderr")]
    made = outputs.for_the_book([view("m"), still, *said], states, outputs.Pictures(tmp_path, "x"))
    assert [output.output_type for output in made] == ["display_data", "stream"]
    assert "live <b>Studio</b>" in made[0].data["text/html"] and made[1].name == "stdout"
    [unknown] = outputs.for_the_book([view("gone")], {}, outputs.Pictures(tmp_path, "x"))
    assert "live <b>widget</b>" in unknown.data["text/html"]


# Lessons


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Lesson 8's solved edition as if it had been run: every code cell printed its place."""
    source = next(path for path in SOURCES if pages.number(path) == 8)
    notebook = execute.solved(source)
    for i, cell in enumerate(c for c in notebook.cells if c.cell_type == "code" and execute.own(c)):
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=f"cell {i}\n")]
    path = tmp_path_factory.mktemp("run") / source.name
    nbformat.write(notebook, path)
    return source, path


def test_a_page_has_the_student_s_stubs_the_folded_answers_and_all_outputs(executed, tmp_path):
    source, run = executed
    text = pages.page(source, run, outputs.Pictures(tmp_path, "x"), links.Rewriter(contents.places()))
    made = nbformat.reads(text, as_version=4)
    nbformat.validate(made)
    student = nbformat.reads(build(source, teacher=False), as_version=4)
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    said = [output.text for cell in code for output in cell.outputs]
    stubs = [cell.source for cell in student.cells if exercise_of(cell.metadata.get("tags", []))]
    assert said == [f"cell {i}\n" for i in range(len(said))] and len(code) == len(said) + len(stubs)
    assert len(stubs) == 3
    for stub in stubs:
        place = next(i for i, cell in enumerate(made.cells) if cell.source == stub)
        answer = made.cells[place + 1]
        assert answer.metadata["tags"] == ["hide-input"] and answer.source != stub
        assert answer.metadata["mystnb"]["code_prompt_show"] == "Show the library's lines"
    setup = next(cell for cell in code if "find_spec" in cell.source)
    assert setup.metadata["mystnb"]["code_prompt_show"] == "Show the set-up cell"
    assert "widgets" not in made.metadata and made.cells[0].source.startswith("# Lesson 8. ")
    assert f"({colab_address(f'notebooks/{source.stem}.ipynb')})" in made.cells[0].source


def test_a_page_has_one_title():
    """A comment in a fence is no heading."""
    text = "# Second sitting\n\n## 5. More\n\n```python\n# a comment\n```\n# Third\n"
    assert pages.below_the_title(text) == text.replace("# Second", "## Second").replace("# Third", "## Third")


def test_no_teacher_s_note_is_on_a_page(tmp_path):
    for source in SOURCES:
        teacher = nbformat.reads(build(source, teacher=True), as_version=4).cells
        notes = {cell.source for cell in teacher if "teacher" in cell.metadata.get("tags", [])}
        text = pages.page(source, None, outputs.Pictures(tmp_path, "x"), links.Rewriter(contents.places()))
        assert notes.isdisjoint(cell.source for cell in nbformat.reads(text, as_version=4).cells)
        assert pages.NOT_RUN in text, "a page without outputs says so"


def test_what_a_teacher_s_cell_imports_for_an_answer_is_run_and_not_shown(tmp_path):
    """The answers name what their own cells import; on the page the student's cells have their outputs, one by one."""
    found = 0
    for source in SOURCES:
        run = execute.solved(source)
        code = [cell for cell in run.cells if cell.cell_type == "code"]
        found += sum(not execute.own(cell) for cell in code)
        teacher = nbformat.reads(build(source, teacher=True), as_version=4).cells
        assert [cell.source for cell in code] == [cell.source for cell in teacher if cell.cell_type == "code"]
        student = nbformat.reads(build(source, teacher=False), as_version=4).cells
        assert sum(map(execute.own, code)) == sum(cell.cell_type == "code" for cell in student)
        assert all(map(execute.own, (cell for cell in run.cells if cell.cell_type == "markdown")))
    assert found > 0


def test_a_lesson_is_run_again_when_its_code_or_the_package_changes_and_not_for_prose(executed):
    notebook = execute.solved(executed[0])
    before = execute.key(notebook, "package")
    notebook.cells[0].source += " More words."
    assert execute.key(notebook, "package") == before
    assert execute.key(notebook, "another package") != before
    next(cell for cell in notebook.cells if cell.cell_type == "code").source += "\n1"
    assert execute.key(notebook, "package") != before


def test_what_is_kept_is_not_run_again_and_an_old_state_goes(tmp_path, monkeypatch):
    import notebooks.run

    asked = []

    def run_all(paths, to, at_once, threads):
        asked.extend(path.stem for path in paths)
        for path in paths:
            (to / path.name).write_bytes(path.read_bytes())
        return {path: {"seconds": 1.0} for path in paths}

    monkeypatch.setattr(notebooks.run, "run_all", run_all)
    monkeypatch.setattr(execute, "package_digest", lambda: "first")
    some = SOURCES[:2]
    assert execute.run_missing(some, folder=tmp_path) == some and asked == [path.stem for path in some]
    assert execute.run_missing(some, folder=tmp_path) == [] and len(asked) == 2
    monkeypatch.setattr(execute, "package_digest", lambda: "second")
    assert execute.run_missing(some[:1], folder=tmp_path) == some[:1]
    assert len(list(tmp_path.iterdir())) == 2


# Contents


def test_the_contents_have_every_lesson_once_and_in_order():
    listed = re.findall(r"^(lessons/\S+)$", contents.index(), re.M)
    assert listed == [f"lessons/{path.stem}" for path in sorted((ROOT / "notebooks" / "source").glob("*.py"))]
    later = Path("notebooks/source/99_a_name.py")
    assert contents.parts([*SOURCES, later])[contents.PARTS[max(contents.PARTS)]][-1] == later


def test_nothing_of_the_readme_is_lost_or_said_twice():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    made = [contents.index(), contents.library(), contents.licences()]
    for heading in re.findall(r"^## .+$", readme, re.M):
        if heading != f"## {contents.LICENCES}":
            assert sum(len(re.findall(rf"^{re.escape(heading)}$", text, re.M)) for text in made) == 1, heading
    assert set(contents.FRONT) | {contents.LICENCES} <= set(contents.sections(readme))
    for path in ("LICENSE", *(f"data/LICENSES/{path.name}" for path in (ROOT / "data" / "LICENSES").iterdir())):
        assert (ROOT / path).read_text(encoding="utf-8").strip() in made[2]


def test_the_contents_name_every_page_that_is_made():
    listed = set(re.findall(r"^([\w/.-]+)$", contents.index(), re.M))
    made = {
        *contents.PAGES.values(),
        *contents.teaching().values(),
        contents.LIBRARY,
        contents.LICENCE_PAGE,
        "api/index.md",
    }
    made |= set(map(pages.page_name, SOURCES))
    assert {name.rsplit(".", 1)[0] for name in made - {"index.md"}} <= listed


def test_the_reference_has_the_public_names_and_the_rooms():
    import s2i_teach

    made = api.pages()
    assert re.findall(r"auto\w+:: s2i_teach\.(\w+)", made["api/public.rst"]) == s2i_teach.__all__
    for room in api.ROOMS:
        named = set(re.findall(r"automodule:: s2i_teach\.(\S+)", made[f"api/{room}.rst"]))
        assert {f"{room}.{path.stem}" for path in (ROOT / "s2i_teach" / room).glob("[!_]*.py")} == named and named


def test_a_bar_in_a_docstring_is_a_bar():
    assert api.escaped(["max |a − b|", "``a | b``"]) == ["max \\|a − b\\|", "``a | b``"]


def test_the_configuration_runs_nothing_and_fetches_nothing():
    text = (ROOT / "book" / "conf.py").read_text(encoding="utf-8")
    assert 'nb_execution_mode = "off"' in text and "nb_ipywidgets_js: dict = {}" in text
    assert "http" not in text, "addresses come from pyproject.toml"


# The check of what was built


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('<script src="https://cdn.example/x.js"></script>', "fetches https://cdn.example/x.js"),
        ('<link rel="stylesheet" href="//fonts.example/x.css">', "fetches //fonts.example/x.css"),
        ('<img src="a.png">', "without alternative text: a.png"),
        ('<img src="b.png" alt="b">', "shows b.png, which is not there"),
        ("<p>A Jupyter widget could not be displayed</p>", "has a live widget"),
        (f"<p>PosixPath(/{'root'}/course/data)</p>", "shows a path of this machine"),
        ('<a href="gone.html">x</a>', "leads to gone.html, which is not there"),
        ('<a href="#gone">x</a>', "there is no such place"),
    ],
)
def test_a_fault_of_a_built_page_is_named(tmp_path, line, fault):
    (tmp_path / "a.png").write_bytes(b"")
    page = '<p id="here"><a href="https://example.org">x</a> <a href="#here">y</a> <img src="a.png" alt="a"></p>'
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    assert check.faults(tmp_path) == []
    (tmp_path / "page.html").write_text(page + line, encoding="utf-8")
    [found] = check.faults(tmp_path)
    assert fault in found


def test_a_style_that_fetches_and_an_empty_book_are_faults(tmp_path):
    assert check.faults(tmp_path) == [f"{tmp_path} has no page."]
    (tmp_path / "page.html").write_text("<p>x</p>", encoding="utf-8")
    (tmp_path / "a.css").write_text("@import 'https://fonts.example/x.css';", encoding="utf-8")
    assert check.faults(tmp_path) == ["a.css fetches from elsewhere"]
