"""A lesson as a page: the student's text and stubs, the outputs of the solved edition, the answers folded away."""

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from book.execute import own, solved
from book.links import FENCE, Rewriter
from book.outputs import STATE, Pictures, for_the_book
from book.terms import Linker
from notebooks.build import build, colab_address, exercise_of

RUN = (
    "The outputs on this page are those of the solved edition. To run the lesson and to solve its exercises, "
    "[open it in Colab]({address}){{.badge-link}} or on your own machine."
)
NOT_RUN = "This is a draft: the lesson was not run, so its outputs are missing."
FOLDED = {
    "setup": ("Show the set-up cell", "Hide the set-up cell"),
    "solution": ("Show the library's lines", "Hide the library's lines"),
}


def title(source: Path) -> str:
    """``"Lesson 8. A sketch becomes a picture"``, from the source's first heading."""
    found = re.search(r"^# # (.+)$", source.read_text(encoding="utf-8"), re.M)
    if not found:
        raise ValueError(f"{source.name} has no title.")
    return found[1]


def number(source: Path) -> int:
    """A lesson's number, from its file's name."""
    return int(re.match(r"\d+", source.name)[0])


def page_name(source: Path) -> str:
    """The book's file of a lesson."""
    return f"lessons/{source.stem}.ipynb"


def below_the_title(text: str) -> str:
    """A cell's text whose largest headings are one smaller: a page has one title, of which a second sitting is a part."""
    return re.sub(
        rf"{FENCE.pattern}|^# ", lambda found: "## " if found[0] == "# " else found[0], text, flags=FENCE.flags
    )


def folded(cell: NotebookNode, kind: str) -> NotebookNode:
    """A code cell whose input opens by a button."""
    show, hide = FOLDED[kind]
    made = new_code_cell(cell.source, outputs=cell.outputs)
    made.metadata = {"tags": ["hide-input"], "mystnb": {"code_prompt_show": show, "code_prompt_hide": hide}}
    return made


def page(source: Path, executed: Path | None, pictures: Pictures, links: Rewriter) -> str:
    """The notebook that Sphinx reads, as text.

    Args:
        source: of the lesson.
        executed: the solved edition with its outputs; None for a page without outputs.
        pictures: takes the pictures out of the outputs.
        links: leads the text's links.
    """
    student = nbformat.reads(build(source, teacher=False), as_version=4)
    run = nbformat.read(executed, as_version=4) if executed else solved(source)
    states = run.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    code = iter([cell for cell in run.cells if cell.cell_type == "code" and own(cell)])
    terms = Linker(number(source))
    cells, repository_path = [], f"notebooks/{source.stem}.ipynb"
    for cell in student.cells:
        if cell.cell_type == "markdown":
            text = links.rewritten(cell.source, repository_path, page_name(source))
            if not cells:  # the opening: title and badge, and how the page came about
                note = RUN.format(address=colab_address(repository_path)) if executed else NOT_RUN
                text = re.sub(r"^(# .+)$(?:\n+^\[Open in Colab\].*$)?", rf"\1\n\n{note}", text, count=1, flags=re.M)
            else:
                text = terms.linked(below_the_title(text))
            cells.append(new_markdown_cell(text))
            continue
        ran = next(code)
        shown = new_code_cell(cell.source, outputs=for_the_book(ran.outputs, states, pictures))
        tags = cell.metadata.get("tags", [])
        if "setup" in tags:
            cells.append(folded(shown, "setup"))
        elif exercise_of(tags):
            answer = new_code_cell(ran.source, outputs=shown.outputs)
            cells += [new_code_cell(cell.source), folded(answer, "solution")]
        else:
            cells.append(shown)
    for i, cell in enumerate(cells):
        cell["id"] = f"cell-{i}"
    made = nbformat.v4.new_notebook(cells=cells)
    made.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "pygments_lexer": "ipython3"},
    }
    return nbformat.writes(made, version=4) + "\n"
