"""Sphinx's configuration of the book. ``make book`` writes its pages first (book/build.py)."""

import inspect
import re
import sys
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

import s2i_teach
from book import mathjax
from book.api import escaped
from book.build import EXTRA
from notebooks import build
from notebooks.build import ROOT, branch, github_address, repository

project = "s2i_teach"
author = re.search(r"^  - name: (.+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M)[1]
copyright = f"{author}. Code: MIT; pictures and weights: see Licences"
version = release = s2i_teach.__version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.linkcode", "sphinx.ext.mathjax"]
suppress_warnings = [
    "ref.python",  # the built-in type bytes in a signature also fits attributes of that name
]

nb_execution_mode = "off"  # book/execute.py runs the lessons
nb_output_stderr = "remove"
nb_mime_priority_overrides = [("html", "text/html", 0)]
nb_ipywidgets_js: dict = {}
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "html_image", "attrs_inline", "deflist"]
myst_heading_anchors = 4
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
add_module_names = False
napoleon_numpy_docstring = False
toc_object_entries = False  # a page of a module would fill the side bar

html_theme = "sphinx_book_theme"
html_title = build.project()["project"]["description"].partition(":")[0]
html_static_path = ["static", str(EXTRA)]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_copy_source = html_show_sourcelink = False
html_theme_options = {
    "repository_url": repository(),
    "repository_branch": branch(),
    "use_repository_button": True,
    "use_download_button": False,
    "show_toc_level": 2,
    "home_page_in_toc": True,
    "navbar_persistent": [],  # the side bar has a search field
}
mathjax_path = f"mathjax/{Path(mathjax.FILES[0]).name}"
mathjax3_config = {"options": {"enableMenu": False}}


def linkcode_resolve(domain: str, info: dict) -> str | None:
    """Where GitHub shows the code of a documented name; None for what has no lines of its own."""
    found = sys.modules.get(info["module"])
    for name in info["fullname"].split("."):
        found = getattr(found, name, None)
    found = inspect.unwrap(found.fget if isinstance(found, property) else found) if found is not None else None
    try:
        lines, first = inspect.getsourcelines(found)
        path = Path(inspect.getsourcefile(found)).resolve().relative_to(ROOT)
    except (TypeError, OSError, ValueError):  # a constant, or code of another library
        return None
    return f"{github_address(path.as_posix())}#L{first}-L{first + len(lines) - 1}"


def without_empty_heads(app, doctree) -> None:
    """Markdown's tables must have a head; one without words is none."""
    for head in list(doctree.findall(nodes.thead)):
        if not head.astext().strip():
            head.parent.remove(head)


def without_long_values(app, doctree) -> None:
    """Of a table the reference would show the whole table, and of a path this machine's folders."""
    for value in list(doctree.findall(addnodes.desc_annotation)):
        words = value.astext().strip()
        if words.startswith("=") and (len(words) > 40 or "Path(" in words):
            value.parent.remove(value)


def signature(app, what, name, found, options, given, returned):
    """A widget's parameters: its base class says that it takes anything."""
    if what == "class" and given and given.startswith("(*args"):
        own = inspect.signature(found.__init__)
        return str(own.replace(parameters=list(own.parameters.values())[1:])), returned
    return None


def docstring(app, what, name, found, options, lines) -> None:
    """Docstrings are written for Python's own ``help`` first."""
    lines[:] = escaped(lines)


def setup(app):
    """Sphinx calls this once."""
    app.connect("autodoc-process-docstring", docstring)
    app.connect("autodoc-process-signature", signature)
    app.connect("doctree-read", without_empty_heads)
    app.connect("doctree-read", without_long_values)
