"""Builds the book: ``python -m book.build`` (``make book``).

Pages are written into build/book-source from the lessons, the README, docs/ and the glossary; Sphinx makes build/book
of them. ``--draft`` runs no lesson: one whose outputs are not kept appears without them.
"""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from book import api, contents, execute, lessons, mathjax, terms
from book.check import faults
from book.links import Rewriter
from book.outputs import Pictures
from notebooks.build import HERE, ROOT
from s2i_teach.lessons.glossary import terms as all_terms

SOURCE = ROOT / "build" / "book-source"
EXTRA = ROOT / "build" / "book-extra"
"""What goes into the book's ``_static``: MathJax, and the pictures of outputs."""
BOOK = ROOT / "build" / "book"


def write_pages(draft: bool = False) -> None:
    """Write every page, its pictures and MathJax to where Sphinx reads them."""
    shutil.rmtree(EXTRA, ignore_errors=True)
    shutil.copytree(mathjax.fetch(), EXTRA / "mathjax")
    links = Rewriter(contents.places())
    made: dict[str, str] = {}
    for repository_path, page in (contents.PAGES | contents.teaching()).items():
        text = (ROOT / repository_path).read_text(encoding="utf-8")
        made[page] = links.rewritten(contents.without_front_matter(text), repository_path, page)
    made["index.md"] = links.rewritten(contents.index(), "README.md", "index.md")
    made[contents.LIBRARY] = links.rewritten(contents.library(), "README.md", contents.LIBRARY)
    made[contents.LICENCE_PAGE] = links.rewritten(contents.licences(), "README.md", contents.LICENCE_PAGE)
    sources = contents.sources()
    titles = {lessons.number(path): lessons.title(path) for path in sources}
    made["glossary.md"] = terms.glossary_page(
        all_terms(), titles, {lessons.number(path): lessons.page_name(path) for path in sources}
    )
    made |= api.pages()
    pictures = Pictures(EXTRA / "outputs", "../_static/outputs")
    for path in sources:
        outputs = execute.kept(path)
        if not outputs.is_file() and not draft:
            raise RuntimeError(f"{path.stem} was not run.")
        made[lessons.page_name(path)] = lessons.page(path, outputs if outputs.is_file() else None, pictures, links)
    wanted = {SOURCE / name: text.encode() for name, text in made.items()}
    wanted |= {SOURCE / "pictures" / Path(name).name: (ROOT / name).read_bytes() for name in links.pictures}
    for path in [path for path in SOURCE.rglob("*") if path.is_file() and path not in wanted]:
        path.unlink()
    for path, content in wanted.items():  # an unchanged page keeps its date, so that Sphinx need not read it again
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def build(draft: bool = False, at_once: int = 2, threads: int = 1) -> list[str]:
    """Run what was not run yet, write the pages, let Sphinx build, and look at what came out; returns its faults."""
    if not draft:
        execute.run_missing(contents.sources(), at_once, threads)
    write_pages(draft)
    shutil.rmtree(BOOK, ignore_errors=True)
    sphinx = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-c", str(HERE.parent / "book")]
    if not draft:
        sphinx.append("-E")  # Sphinx does not see that conf.py or a library changed
    done = subprocess.run([*sphinx, "-d", str(ROOT / "build" / "book-doctrees"), str(SOURCE), str(BOOK)], cwd=ROOT)
    if done.returncode:
        raise RuntimeError("Sphinx did not build the book: its warnings are above.")
    return faults(BOOK)


def main() -> int:
    """Build the book, or say what is wrong with it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draft", action="store_true", help="run no lesson")
    parser.add_argument("--at-once", type=int, default=2, help="lessons that run side by side (2)")
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="CPU threads of each (1): more wait for each other where the machine is busy",
    )
    asked = parser.parse_args()
    started = time.perf_counter()
    try:
        found = build(asked.draft, asked.at_once, asked.threads)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    print("".join(f"{sentence}\n" for sentence in found), end="", file=sys.stderr)
    if not found:
        size = sum(path.stat().st_size for path in BOOK.rglob("*") if path.is_file()) / 1e6
        minutes = (time.perf_counter() - started) / 60
        print(f"The book is {(BOOK / 'index.html').relative_to(ROOT)}: {size:.0f} MB, {minutes:.1f} minutes.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
