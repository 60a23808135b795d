"""Leads the links of the repository's pages to the book's pages, to copied pictures, or to GitHub."""

import posixpath
import re
from collections.abc import Mapping

from notebooks.build import ROOT, github_address

PICTURES = (".webp", ".svg", ".png", ".jpg")
FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1`*$", re.M | re.S)
BADGE = re.compile(r"\[!\[([^\]]+)\]\(https?://[^)]+\)\]\(([^)]+)\)")
TARGET = re.compile(r"(?P<before>\]\(|(?:src|href)=\")(?P<target>[^)\s\"]+)(?=[)\"])")


class Rewriter:
    """Rewrites one repository's page after the other, and notes the pictures that they show."""

    def __init__(self, places: Mapping[str, str]):
        """``places``: path in the repository, with or without ``#anchor`` → the book's file, with or without one."""
        self.places = places
        self.pictures: set[str] = set()

    def rewritten(self, text: str, of: str, at: str) -> str:
        """Markdown of the repository's page ``of``, to stand in the book's file ``at``."""
        parts, end = [], 0
        for fence in FENCE.finditer(text):
            parts += [self._prose(text[end : fence.start()], of, at), fence[0]]
            end = fence.end()
        return "".join([*parts, self._prose(text[end:], of, at)])

    def _prose(self, text: str, of: str, at: str) -> str:
        # A badge is a picture on somebody's server; the book's is a link that looks like one.
        text = BADGE.sub(r"[\1](\2){.badge-link}", text)
        return TARGET.sub(lambda found: found["before"] + self._target(found["target"], of, at), text)

    def _target(self, target: str, of: str, at: str) -> str:
        if target.startswith(github_address("")):
            target, of = target.removeprefix(github_address("")), ""
        elif re.match(r"[a-z]+:", target):
            return target
        name, _, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(of), name)) if name else of
        here = posixpath.dirname(at) or "."
        if path.endswith(PICTURES):
            self.pictures.add(path)
            return posixpath.relpath(f"pictures/{posixpath.basename(path)}", here)
        place = self.places.get(f"{path}#{anchor}") or self.places.get(path)
        if place is None:
            suffix = f"#{anchor}" if anchor else ""
            address = github_address(path)
            return (address.replace("/blob/", "/tree/") if (ROOT / path).is_dir() else address) + suffix
        file, _, given = place.partition("#")
        anchor = given or anchor
        return (posixpath.relpath(file, here) if file != at or not anchor else "") + (f"#{anchor}" if anchor else "")
