"""Looks at the built book: nothing is fetched from elsewhere, every picture has words, no live widget is left."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {("script", "src"), ("img", "src"), ("source", "src"), ("video", "src"), ("iframe", "src"), ("link", "href")}
NO_FETCH = {"canonical", "prev", "next", "index", "search", "author", "license", "copyright"}
"""Relations of ``<link>`` that a browser does not follow."""
IN_CSS = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])(https?:)?//")
OF_ONE_MACHINE = re.compile(r"(?<![\w./-])/(?:root|home/\w|work|opt|tmp)/[\w./-]*")
LEFT_OVER = ("application/vnd.jupyter.widget", "A Jupyter widget could not be displayed", "Loading widget")


class Page(HTMLParser):
    """What a page fetches, its pictures without words, and its ids."""

    def __init__(self, text: str):
        super().__init__()
        self.fetched: list[str] = []
        self.without_alt: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids.add(given.get("id", ""))
        if tag == "img" and not given.get("alt", "").strip():
            self.without_alt.append(given.get("src", "")[:80])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        for wanted, attribute in FETCHED:
            if tag == wanted and attribute in given and not (tag == "link" and given.get("rel") in NO_FETCH):
                self.fetched.append(given[attribute])


def faults(book: Path) -> list[str]:
    """One sentence for each fault of the built book in a folder; nothing is right if there is no page."""
    # Some themes leave templates among what they copy.
    files = [path for path in sorted(book.resolve().rglob("*.html")) if "_static" not in path.parts]
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    if not texts:
        return [f"{book} has no page."]
    book = book.resolve()
    pages = {path: Page(text) for path, text in texts.items()}
    found = []
    for path, page in pages.items():
        name = path.relative_to(book).as_posix()
        for address in page.fetched:
            parts = urlsplit(address)
            if parts.scheme in ("http", "https") or parts.netloc:
                found.append(f"{name} fetches {address}")
            elif parts.scheme != "data" and parts.path and not (path.parent / unquote(parts.path)).is_file():
                found.append(f"{name} shows {address}, which is not there")
        found += [f"{name} has a picture without alternative text: {source}" for source in page.without_alt]
        found += [f"{name} has a live widget: {words}" for words in LEFT_OVER if words in texts[path]]
        found += [f"{name} shows a path of this machine: {shown}" for shown in OF_ONE_MACHINE.findall(texts[path])]
        for address in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            there = path if not parts.path else Path(re.sub(r"/\.?$", "", str(path.parent / unquote(parts.path))))
            target = pages.get(there.resolve())
            if not there.exists():
                found.append(f"{name} leads to {address}, which is not there")
            elif parts.fragment and target and unquote(parts.fragment) not in target.ids:
                found.append(f"{name} leads to {address}: there is no such place")
    for path in sorted(book.rglob("*.css")):
        if IN_CSS.search(path.read_text(encoding="utf-8")):
            found.append(f"{path.relative_to(book).as_posix()} fetches from elsewhere")
    return found
