"""Makes the notebooks from their sources: ``python -m notebooks.build`` (``make notebooks``).

``--check`` writes nothing, names what is stale, and fails if anything is.

``notebooks/source/*.py`` are py:percent files. A cell tagged ``setup`` becomes the set-up cell of the template below;
cells tagged ``teacher`` go into the teacher's notebooks only; a cell tagged ``exercise-NAME`` holds a stub, in whose
place the teacher's notebook has the answer. The same sources give the same bytes.
"""

import argparse
import hashlib
import inspect
import json
import sys
import tomllib
from pathlib import Path

import jupytext
import nbformat

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

SETUP = """\
# Set-up. On Colab this fetches the course (about a minute, once); where it is installed, it does nothing.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("s2i_teach") is None:
    course = "s2i_teach @ git+{repository}"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", course], check=True)

import s2i_teach as s2i
"""

BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({address})"


def repository() -> str:
    """The repository's address, from the one place where it stands."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return table["project"]["urls"]["Repository"]


def colab_address(notebook: str) -> str:
    """Where Colab opens a notebook of this repository; ``notebook`` is its path in the repository."""
    return (
        repository().replace("https://github.com/", "https://colab.research.google.com/github/")
        + f"/blob/main/{notebook}"
    )


def glossary_address() -> str:
    """Where the glossary is read, from wherever a notebook was opened."""
    return f"{repository()}/blob/main/s2i_teach/lessons/glossary.md"


def exercise_of(tags: list[str]) -> str | None:
    """The exercise that a cell holds the stub of, from its tag ``exercise-NAME``."""
    return next((tag.removeprefix("exercise-") for tag in tags if tag.startswith("exercise-")), None)


def solution(number: int, name: str) -> str:
    """The answer as a teacher's notebook shows it: the library's own source."""
    from s2i_teach.lessons import lesson

    return inspect.getsource(getattr(lesson(number), name).reference).rstrip("\n")


def build(source: Path, teacher: bool) -> str:
    """One notebook as the text of its .ipynb file."""
    notebook = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    target = f"notebooks/{'teacher/' if teacher else ''}{source.stem}.ipynb"
    cells = []
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "teacher" in tags and not teacher:
            continue
        text = cell.source
        if "setup" in tags:
            text = SETUP.format(repository=repository()).rstrip("\n")
        if teacher and (name := exercise_of(tags)):
            text = solution(int(source.stem[:2]), name)
        badge = f"{BADGE.format(address=colab_address(target))} · [terms and symbols]({glossary_address()})"
        text = text.replace("{{badge}}", badge)
        make = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
        made = make(text)
        # Ids by place and content: the same source gives the same file, and an edit changes only its own cell.
        made["id"] = hashlib.sha256(f"{source.stem}/{len(cells)}/{text}".encode()).hexdigest()[:12]
        if tags:
            made["metadata"]["tags"] = list(tags)
        if "setup" in tags:
            made["metadata"]["cellView"] = "form"
        cells.append(made)
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "colab": {"provenance": [], "toc_visible": True},
        "s2i_source": f"notebooks/source/{source.name}",
    }
    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=4) + "\n"


def build_all() -> dict[Path, str]:
    """Every notebook that there should be: its path and text."""
    sources = sorted((HERE / "source").glob("*.py"))
    return {
        HERE / ("teacher" if teacher else "") / f"{source.stem}.ipynb": build(source, teacher)
        for source in sources
        for teacher in (False, True)
    }


def readme_with_badges() -> str:
    """The README with the badge of each lesson between its marks."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    start, end = "<!-- badges: make notebooks -->", "<!-- /badges -->"
    before, _, rest = text.partition(start)
    after = rest.partition(end)[2]
    return f"{before}{start}\n{BADGE.format(address=colab_address('notebooks/00_first_picture.ipynb'))}\n{end}{after}"


def stale() -> tuple[dict[Path, str], list[Path]]:
    """The files that are not what the sources make, with the text that they should have, and those without a source."""
    wanted = build_all() | {ROOT / "README.md": readme_with_badges()}
    changed = {
        path: text for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    }
    there = (*HERE.glob("*.ipynb"), *(HERE / "teacher").glob("*.ipynb"))
    # Only what this builder made: a reader's own notebooks lie here too.
    left_over = [
        path
        for path in there
        if path not in wanted and "s2i_source" in json.loads(path.read_text(encoding="utf-8"))["metadata"]
    ]
    return changed, left_over


def main() -> int:
    """Write what changed, remove what has no source any more, and say so."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something is stale")
    check = parser.parse_args().check
    changed, left_over = stale()
    for path in (*changed, *left_over) if check else ():
        print(f"stale: {path.relative_to(ROOT)} (run make notebooks)")
    if check:
        return 1 if changed or left_over else 0
    for path, text in changed.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        print(f"written: {path.relative_to(ROOT)}")
    for path in left_over:
        path.unlink()
        print(f"removed: {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
