"""Links inside the documentation that lead nowhere: ``python -m tests.links`` (``make check``) names them, and fails."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FENCED = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)


def pages() -> list[Path]:
    """Every page of the repository that is written in markdown."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\n") if name]


def anchors(page: Path) -> set[str]:
    """What a link may name behind its ``#``: of each heading its words in GitHub's spelling, numbered if they come again."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text(encoding="utf-8")), re.M):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        found.append(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return {name if number == 0 else f"{name}-{number}" for name in found for number in range(found.count(name))}


def broken(page: Path) -> list[str]:
    """One sentence for each link or picture of a page whose file or heading is not there; other sites are not asked."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    found = []
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = page.parent / name if name else page
        if not there.exists() or anchor and anchor not in anchors(there):
            found.append(f"{page.name} leads to {target}")
    return found


if __name__ == "__main__":
    wrong = [sentence for page in pages() for sentence in broken(page)]
    print("".join(f"{sentence}, which is not there\n" for sentence in wrong), end="")
    sys.exit(bool(wrong))
