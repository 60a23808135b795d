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
from urllib.parse import quote

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
    course = "s2i_teach @ git+{repository}@{branch}"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", course], check=True)

import s2i_teach as s2i
"""

BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({address})"
KAGGLE_BADGE = "[![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)]({address})"
BINDER_BADGE = "[![Launch Binder](https://mybinder.org/badge_logo.svg)]({address})"
FIRST = "notebooks/00_first_picture.ipynb"


def project() -> dict:
    """What pyproject.toml says: the one place where the repository's address and its branch stand."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def repository() -> str:
    """The repository's address."""
    return project()["project"]["urls"]["Repository"]


def branch() -> str:
    """The branch, or tag, that links and set-up cells name."""
    return project()["tool"]["s2i_teach"]["branch"]


def github_address(path: str) -> str:
    """Where GitHub shows a file of this repository; ``path`` is its path in the repository."""
    return f"{repository()}/blob/{branch()}/{path}"


def colab_address(notebook: str) -> str:
    """Where Colab opens a notebook of this repository; ``notebook`` is its path in the repository."""
    return github_address(notebook).replace("https://github.com/", "https://colab.research.google.com/github/")


def kaggle_address(notebook: str) -> str:
    """Where Kaggle copies a notebook of this repository."""
    return f"https://kaggle.com/kernels/welcome?src={github_address(notebook)}"


def binder_address(notebook: str) -> str:
    """Where Binder starts JupyterLab at a notebook of this repository."""
    place = repository().replace("https://github.com/", "https://mybinder.org/v2/gh/")
    return f"{place}/{branch()}?labpath={quote(notebook, safe='')}"


def glossary_address() -> str:
    """Where the glossary is read, from wherever a notebook was opened."""
    return github_address("s2i_teach/lessons/glossary.md")


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
            text = SETUP.format(repository=repository(), branch=branch()).rstrip("\n")
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
    """The README with the first lesson's badges between their marks."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    start, end = "<!-- badges: make notebooks -->", "<!-- /badges -->"
    before, _, rest = text.partition(start)
    after = rest.partition(end)[2]
    badges = (
        BADGE.format(address=colab_address(FIRST)),
        KAGGLE_BADGE.format(address=kaggle_address(FIRST)),
        BINDER_BADGE.format(address=binder_address(FIRST)),
    )
    return "\n".join((before + start, *badges, end + after))


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


def write() -> None:
    """Write what changed, remove what has no source any more, and say so."""
    changed, left_over = stale()
    for path, text in changed.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        print(f"written: {path.relative_to(ROOT)}")
    for path in left_over:
        path.unlink()
        print(f"removed: {path.relative_to(ROOT)}")


def main() -> int:
    """Make all notebooks and the README's badges, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something is stale")
    if not parser.parse_args().check:
        write()
        return 0
    changed, left_over = stale()
    for path in (*changed, *left_over):
        print(f"stale: {path.relative_to(ROOT)} (run make notebooks)")
    return 1 if changed or left_over else 0


if __name__ == "__main__":
    sys.exit(main())
