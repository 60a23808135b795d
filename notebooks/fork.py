"""Makes this copy a teacher's own: ``make fork REPO=school/course BRANCH=main``.

Badges, set-up cells and links then lead to that repository on GitHub, and to that branch or tag. ``--check``
(``make fork-check``) writes nothing, names each place that leads elsewhere, and fails if there is one.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from notebooks import build
from s2i_teach.errors import InputError

GITHUB = "https://github.com/"
OTHERS = {
    "black-forest-labs/flux",
    "black-forest-labs/flux2",
    "googlecreativelab/quickdraw-dataset",
    "googlefonts/noto-emoji",
    "huggingface/diffusers",
    "huggingface/peft",
    "jdecked/twemoji",
    "microsoft/fluentui-emoji",
    "stability-ai/stablediffusion",
}
"""Repositories that the course names as sources: on GitHub a link to one of these is meant so."""

LINK = re.compile(
    r"(?P<host>colab\.research\.google\.com/github|nbviewer\.org/github|mybinder\.org/v2/gh"
    r"|raw\.githubusercontent\.com|(?<![\w.])github\.com)"
    r"[/:](?P<name>[\w.-]+/[\w-]+(?:\.(?!git\b)[\w-]+)*)(?:\.git)?"
    r"(?P<between>/(?:blob|tree|raw|edit|archive(?:/refs/(?:heads|tags))?)/|[@/])?"
    r"(?P<branch>(?<=[/@])[\w.%-]+?(?=\.zip\b|\.tar\b|\.?(?:[^\w.%-]|$)))?"
)
"""An address in a repository: where it is shown, whose it is, and the branch where it names one."""

BINARY = {".webp", ".png", ".jpg", ".jpeg", ".gif", ".safetensors", ".zip", ".npz", ".woff2", ".ico"}
OF_ANY = {"notebooks/fork.py", "tests/test_fork.py"}
"""What speaks of other copies on purpose."""
MADE_HERE = {".git", ".venv", ".make", "out", "runs", "build", "dist", "node_modules"}


def checked_name(repository: str) -> str:
    """``owner/name`` of a repository on GitHub, from that or its address; InputError if it cannot be one."""
    name = repository.strip().removeprefix(GITHUB).removesuffix("/").removesuffix(".git")
    owner = r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}"
    if not re.fullmatch(rf"{owner}/(?!\.\.?$)[A-Za-z0-9._-]{{1,100}}", name):
        raise InputError(
            f"REPO is {repository!r}: give owner/name as GitHub has it, as in make fork REPO=school/course."
        )
    return name


def checked_branch(branch: str) -> str:
    """A branch or tag that Colab, Binder and pip can all be asked for; InputError if it is none."""
    if not re.fullmatch(r"[A-Za-z0-9_][\w-]*(?:\.[\w-]+)*", branch, re.ASCII) or branch.endswith(".lock"):
        raise InputError(
            f"BRANCH is {branch!r}: give a branch or tag of letters, digits, dots, dashes and underscores, without a "
            "slash, which in Colab's and Binder's addresses begins a path."
        )
    return branch


def listed() -> list[Path]:
    """The files of this copy that may hold text: what git has or would take; without git, all that was not made here."""
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        found = subprocess.run(asked, cwd=build.ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):  # no git, or a copy that was unpacked from a zip
        found = []
    paths = sorted(build.ROOT / name for name in found if name)
    if build.ROOT / "pyproject.toml" not in paths:
        paths = sorted(path for path in build.ROOT.rglob("*") if not MADE_HERE & {*path.relative_to(build.ROOT).parts})
    paths = [path for path in paths if path.relative_to(build.ROOT).as_posix() not in OF_ANY]
    return [path for path in paths if path.suffix.lower() not in BINARY and path.is_file()]


def text_of(path: Path) -> str:
    """A file's text; empty if it holds none."""
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return ""


def mention(name: str) -> re.Pattern:
    """A repository's name, and no longer one that contains it; GitHub's names have no case."""
    return re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.(?!git\b)\w)", re.IGNORECASE)


def faults() -> list[str]:
    """One sentence for each place in this copy that leads to another repository or another branch."""
    name, branch = build.repository().removeprefix(GITHUB), build.branch()
    former = {old: mention(old) for old in build.project()["tool"]["s2i_teach"]["forked-from"]}
    found = []
    for path in listed():
        for number, line in enumerate(text_of(path).splitlines(), 1):
            if path.name == "pyproject.toml" and line.startswith("forked-from = "):
                continue
            place = f"{path.relative_to(build.ROOT).as_posix()}:{number}"
            found += [f"{place} names {old}" for old, pattern in former.items() if pattern.search(line)]
            for link in LINK.finditer(line):
                if link["name"].lower() != name.lower():
                    if not (
                        link["host"] == "github.com" and link["name"].lower() in OTHERS | {*map(str.lower, former)}
                    ):
                        found.append(f"{place} leads to {link['name']}")
                elif link["branch"] and link["between"] and link["branch"] != branch and names_a_branch(link):
                    found.append(f"{place} leads to the branch {link['branch']}")
    return found


def names_a_branch(link: re.Match) -> bool:
    """Whether the word after the repository is a branch: on GitHub itself it may be ``issues`` or the like."""
    return link["between"] != "/" or link["host"] in ("mybinder.org/v2/gh", "raw.githubusercontent.com")


def fork(repository: str, branch: str = "main") -> list[str]:
    """Lead everything in this copy to ``repository`` (owner/name) and ``branch``; InputError if they cannot be names.

    Returns:
        What still leads elsewhere, one sentence each: nothing, unless somebody wrote an address that is not known here.
    """
    name, branch = checked_name(repository), checked_branch(branch)
    before = build.repository().removeprefix(GITHUB)
    former = [before, *build.project()["tool"]["s2i_teach"]["forked-from"]]
    former = [old for old in dict.fromkeys(former) if old.lower() != name.lower()]

    def led_here(link: re.Match) -> str:
        if link["name"].lower() != name.lower() or not link["branch"] or not names_a_branch(link):
            return link[0]
        return link[0].removesuffix(link["branch"]) + branch

    for path in listed():
        text = text_of(path)
        if path == build.ROOT / "pyproject.toml":
            continue
        made = text
        for old in (before, *former):
            made = mention(old).sub(name, made)
        made = LINK.sub(led_here, made)
        if made != text:
            path.write_text(made, encoding="utf-8", newline="\n")
    lines = {"Repository": GITHUB + name, "branch": branch, "forked-from": former}
    text = (build.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for key, value in lines.items():
        text, count = re.subn(rf"^{key} = .*$", f"{key} = {json.dumps(value)}", text, flags=re.M)
        if count != 1:
            raise InputError(f"pyproject.toml has {count} lines {key} = …: take the file as the course has it.")
    (build.ROOT / "pyproject.toml").write_text(text, encoding="utf-8", newline="\n")
    build.write()
    return faults()


def main() -> int:
    """Lead this copy to a repository, or check where it leads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repository", nargs="?", default="", help="owner/name on GitHub")
    parser.add_argument("--branch", default="main", help="the branch or tag to open (main)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something leads elsewhere")
    asked = parser.parse_args()
    try:
        found = faults() if asked.check else fork(asked.repository, asked.branch)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print("".join(f"{sentence}\n" for sentence in found), end="")
    if not asked.check and not found:
        print(f"Everything leads to {build.repository()}, branch {build.branch()}: commit and push it there.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
