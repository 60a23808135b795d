"""The house: layers, environments that agree, notebooks that are fresh and run, no trace of one machine."""

import ast
import builtins
import dis
import itertools
import re
import subprocess
import tomllib
import types
from graphlib import TopologicalSorter
from pathlib import Path

import nbformat
import pytest
from packaging.version import Version

import s2i_teach
from tests import links

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "s2i_teach"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

GROUND = {"errors", "languages", "error_strings", "files", "paths", "images", "lines"}
ALLOWED = {
    "errors": set(),
    "languages": {"errors"},
    "error_strings": {"languages"},
    "files": {"errors"},
    "paths": {"errors"},
    "images": {"errors", "files"},
    "lines": {"errors", "files", "images"},
    "gallery": GROUND,
    "theory": set(),
    "data_sources": {*GROUND, "gallery"},
    "models": {*GROUND, "theory", "families"},
    "translation": {*GROUND, "theory", "models", "data_sources"},
    "evaluate": {*GROUND, "models", "translation"},
    "families": {*GROUND, "theory"},
    "training": {*GROUND, "gallery", "theory", "models", "families", "evaluate"},
    "translation.dataset": {*GROUND, "gallery", "models", "data_sources", "translation", "evaluate"},
    "exhibition": {*GROUND, "models", "translation", "evaluate"},
    "widgets": {*GROUND, "gallery", "theory", "models", "translation", "evaluate", "training"},
}
"""Room → the rooms it may import; a room that is not named here (cli, lessons, doctor, demo) may import everything.

``translation.dataset`` lies in a room and stands a storey above it. A ``__main__`` is a door: nobody imports it.
"""


def room_of(parts: list[str]) -> str:
    """The room of a file or a module, by its path's or its name's parts below the package."""
    return "translation.dataset" if parts[:2] == ["translation", "dataset"] else parts[0]


def imported_rooms(path: Path):
    """The rooms of s2i_teach that a file imports, anywhere in it, with the line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] if node.module != "s2i_teach" else [f"s2i_teach.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith("s2i_teach."):
                yield room_of(name.split(".")[1:]), node.lineno


def test_imports_run_downwards():
    for path in PACKAGE.rglob("*.py"):
        room = room_of(list(path.relative_to(PACKAGE).with_suffix("").parts))
        if room not in ALLOWED or path.name == "__main__.py":
            continue
        for other, line in imported_rooms(path):
            assert other == room or other in ALLOWED[room], f"{path.name}:{line} imports {other}"


def test_no_files_import_each_other():
    """Neither at once nor through others, nor by an import inside a function."""
    files = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    files = {name.removesuffix(".__init__"): path for name, path in files.items()}

    def imports(path: Path) -> set[str]:
        found = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = (f"{node.module}.{alias.name}" for alias in node.names)
                found |= {name if name in files else node.module for name in names}
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
        return found & set(files)

    graph = {name: imports(path) for name, path in files.items()}
    assert len(graph) > 100 and sum(map(len, graph.values())) > 200
    TopologicalSorter(graph).prepare()  # raises CycleError, with the files


def test_theory_needs_torch_alone():
    for path in (PACKAGE / "theory").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(
            r"^\s*(from|import)\s+(diffusers|transformers|accelerate|matplotlib|PIL|numpy)", text, re.M
        ), path


def bounds(requirements) -> dict[str, str]:
    return dict(re.fullmatch(r"([\w-]+)(>=[\w.]+)", line).groups() for line in requirements)


@pytest.mark.parametrize("file", ["environment.yml", "binder/environment.yml"])
def test_environments_have_the_bounds_of_pyproject(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    conda = dict(re.findall(r"^  - ([\w-]+)(>=[\w.]+)$", text, re.M))
    names = {"pytorch-cpu": "torch", "matplotlib-base": "matplotlib"}
    found = {names.get(name, name): bound for name, bound in conda.items()}
    expected = bounds(PROJECT["project"]["dependencies"]) | bounds(PROJECT["project"]["optional-dependencies"]["lab"])
    assert found == expected
    assert "- python=3.12\n" in text, "repo2docker falls back to Python 3.10 on any other spelling"
    assert f"- -e {'..' if 'binder' in file else '.'}\n" in text


def test_no_upper_bounds():
    for line in PROJECT["project"]["dependencies"]:
        assert re.fullmatch(r"[\w-]+>=[\w.]+", line), line
    extras = PROJECT["project"]["optional-dependencies"]
    for line in (line for group in extras.values() for line in group):
        assert re.fullmatch(r"[\w-]+>=[\w.]+", line), line
    # For this project's own work alone: torch decides last bits, and the two checkers what they find.
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split())
    assert list(pinned) == ["torch", "ruff", "mypy"]
    for name, bound in bounds([*PROJECT["project"]["dependencies"], *extras["check"]]).items():
        if name in pinned:
            assert Version(pinned[name]) >= Version(bound.removeprefix(">=")), name


def test_the_repository_s_address_stands_in_one_place():
    from notebooks.build import branch, colab_address, repository
    from notebooks.fork import OF_ANY

    assert repository().startswith("https://github.com/")
    name = repository().removeprefix("https://github.com/")
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    elsewhere = {"README.md", "pyproject.toml", *OF_ANY, *(f for f in files if f.endswith(".ipynb"))}
    for file in files:
        if file.endswith((".py", ".md", ".yml", ".toml", "Makefile")) and file not in elsewhere:
            assert name not in (ROOT / file).read_text(encoding="utf-8"), file
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert colab_address("notebooks/00_first_picture.ipynb") in readme
    assert f"/{name}/{branch()}?" in readme, "Binder's badge"
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"repository-code: {repository()}\n" in citation and f"version: {s2i_teach.__version__}\n" in citation


def test_links_lead_somewhere(tmp_path):
    pages = links.pages()
    assert {"README.md", "CONTRIBUTING.md", "data/README.md"} <= {str(page.relative_to(ROOT)) for page in pages}
    assert [broken for page in pages for broken in links.broken(page)] == []
    page = tmp_path / "page.md"
    page.write_text("# A *first* part, 2\n```\n# no heading\n```\n## Twice\n## Twice\n", encoding="utf-8")
    with page.open("a", encoding="utf-8") as file:
        file.write("[a](#a-first-part-2) [b](#twice-1) [c](page.md#twice) [d](https://example.org/x#y) [e](page.md)\n")
        file.write('[f](#no-heading) [g](other.md) ![h](other.png) <img src="third.webp"> [i](page.md#none)\n')
    found = [broken.rpartition(" ")[2] for broken in links.broken(page)]
    assert found == ["#no-heading", "other.md", "other.png", "page.md#none", "third.webp"]


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


def test_what_runs_by_itself_names_targets_that_are_there():
    """The workflows, the commit's hook and CI's script go through the Makefile, so that a reader can do the same."""
    files = [*(ROOT / ".github" / "workflows").glob("*.yml"), ROOT / ".pre-commit-config.yaml", ROOT / ".ci" / "run"]
    assert len(files) > 2
    for file in files:
        text = file.read_text(encoding="utf-8")
        named = re.findall(r"^(?:\s*(?:- )?(?:run|entry): )?make ([\w-]+)$", text, re.M)
        if "make ${{ matrix.target }}" in text:
            named += re.findall(r"\btarget: ([\w-]+)", text)
        assert named, file.name
        assert [name for name in named if name not in makefile_targets()] == [], file.name


def test_workflows_read_only_and_run_the_makefile_alone():
    for file in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = file.read_text(encoding="utf-8")
        assert re.findall(r"^permissions:\n  contents: read\n(?! )", text, re.M), "read-only, and once for all jobs"
        # The book's pages are put on GitHub by a job that runs nothing of ours.
        pages = "  deploy:.*?    permissions:\n      pages: write\n      id-token: write\n(?! {6}).*uses: actions/deploy-pages"
        job = re.search(pages, text, re.S) if file.name == "book.yml" else None
        assert text.count("permissions:") == 1 + bool(job) and "secrets." not in text
        assert not job or "run:" not in job[0]
        assert all(re.fullmatch(r"actions/[\w-]+@v\d+", used) for used in re.findall(r"uses: (.+)", text))
        assert all(command.startswith("make ") for command in re.findall(r"run: (.+)", text))


def test_every_target_that_help_lists_is_phony():
    """Else a folder of that name, such as data, would count as made."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert set(re.search(r"^\.PHONY: (.+)$", text, re.M)[1].split()) == makefile_targets()


def test_contributing_names_what_is_there():
    """Its walks go through real files and real names."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:s2i_teach|tests|notebooks|docs)/[\w./]+\.\w+)`", text)
    made = {"notebooks/source/16_a_name.py", "s2i_teach/lessons/lesson16.py"}
    assert len(paths) > 10
    assert [path for path in paths if path not in made and not (ROOT / path).is_file()] == []
    rooms = set(re.findall(r"`(\w+)/`", text))
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} <= rooms


def test_a_paper_s_year_is_its_first_version_s():
    """One convention for all lessons: the year of the arXiv number."""
    pattern = re.compile(r"(\d{4}),\s+arXiv[: ](\d{2})\d{2}\.\d{4,5}")
    found = []
    for path in sorted((ROOT / "notebooks" / "source").glob("*.py")):
        text = re.sub(r"\n\s*#\s*", " ", path.read_text(encoding="utf-8"))
        found += [(path.name, match[0], match[1] == f"20{match[2]}") for match in pattern.finditer(text)]
    assert len(found) > 30
    assert [wrong for wrong in found if not wrong[2]] == []


def test_no_path_of_a_machine():
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for file in files:
        if file.endswith((".py", ".md", ".json", ".jsonl", ".toml", ".yml", ".txt", ".ipynb", "Makefile")):
            text = (ROOT / file).read_text(encoding="utf-8")
            assert not re.search(r"(?<![\w.])/(root|home/\w|work|opt|tmp)/", text), file


# Notebooks

LESSONS = sorted(path.stem for path in (ROOT / "notebooks" / "source").glob("*.py"))
EDITIONS = {"student": ROOT / "notebooks", "teacher": ROOT / "notebooks" / "teacher"}


def seconds(name: str) -> int:
    """What the README says that a lesson takes; a new one, of which it says nothing yet, is taken for a long one."""
    row = re.search(rf"\(notebooks/{name}\.ipynb\).*\| (\d+) s,", (ROOT / "README.md").read_text(encoding="utf-8"))
    return int(row[1]) if row else 60


def test_notebooks_are_fresh():
    """What lies in notebooks/ is what their sources make: run `make notebooks` if this fails."""
    from notebooks.build import build_all, stale

    listed = subprocess.run(["git", "ls-files", "*.ipynb"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {ROOT / name for name in listed.split()} == set(build_all())
    changed, left_over = stale()
    assert [path.name for path in (*changed, *left_over)] == []


def test_notebooks_are_built_the_same_twice_and_have_ids():
    from notebooks.build import build_all

    assert build_all() == build_all()
    for path, text in build_all().items():
        notebook = nbformat.reads(text, as_version=4)
        ids = [cell["id"] for cell in notebook.cells]
        assert len(set(ids)) == len(ids)
        assert notebook.metadata["kernelspec"]["name"] == "python3" and "colab" in notebook.metadata
        assert notebook.cells[0].source.startswith("# Lesson"), path
        assert "s2i_teach/lessons/glossary.md)" in notebook.cells[0].source, path
        assert not any("{{" in cell.source for cell in notebook.cells)
        assert all(not cell.get("outputs") for cell in notebook.cells)


def test_teacher_cells_stay_with_the_teacher():
    from notebooks.build import build_all

    for path, text in build_all().items():
        assert ("For the teacher" in text) == ("teacher" in path.parts)


REACHES_OUT = """
import socket, urllib.request
assert "close" not in globals()
closed = []
for reach in (
    lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
    lambda: socket.socket().connect_ex(("192.0.2.1", 80)),
    lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53)),
    lambda: socket.getaddrinfo("example.org", 80),
    lambda: urllib.request.urlopen("http://example.org", timeout=1),
    lambda: __import__("requests").get("http://example.org", timeout=1),
):
    try:
        reach()
    except Exception as error:
        words = ""
        while error:
            words, error = words + repr(error), error.__cause__ or error.__context__
        closed.append("lessons run offline" in words)
    else:
        closed.append(False)
print(closed)
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).close()
print("this machine is open")
"""


def test_a_lesson_has_no_network(tmp_path):
    """Connections, packets and names: in the kernels of the next test all of it is closed but this machine itself."""
    from notebooks.run import run_one

    lesson = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(REACHES_OUT)])
    lesson.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(lesson, tmp_path / "lesson.ipynb")
    run_one(tmp_path / "lesson.ipynb", tmp_path / "out.ipynb")
    output = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[0].outputs
    said = "".join(part.get("text", "") for part in output if part.get("name") == "stdout")
    assert said.splitlines() == [str([True] * 6), "this machine is open"]


def test_every_lesson_has_both_editions():
    """The tests below take the lessons from their sources: a notebook without one would not be run."""
    assert LESSONS
    for folder in EDITIONS.values():
        assert sorted(path.stem for path in folder.glob("*.ipynb")) == LESSONS


def names_of(code) -> set[str]:
    """The global names that a function's code looks up, its inner functions' too."""
    inner = [names_of(part) for part in code.co_consts if isinstance(part, types.CodeType)]
    looked_up = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return looked_up.union(*inner)


@pytest.mark.parametrize("name", LESSONS)
def test_the_answer_finds_its_names_in_the_teacher_s_notebook(name):
    """The answer is the library's source, so what it names must stand in the notebook before it."""
    from s2i_teach.lessons import lesson

    notebook = nbformat.read(EDITIONS["teacher"] / f"{name}.ipynb", as_version=4)
    bound = set(dir(builtins))
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        tags = [tag for tag in cell.metadata.get("tags", []) if tag.startswith("exercise-")]
        for tag in tags:
            reference = getattr(lesson(int(name[:2])), tag.removeprefix("exercise-")).reference
            missing = names_of(reference.__code__) - bound - {reference.__name__}
            assert not missing, f"{tag} needs {missing}"
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                bound |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                bound.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                bound.add(node.id)


def exercise_of(cell) -> str | None:
    return next((tag for tag in cell.metadata.get("tags", []) if tag.startswith("exercise-")), None)


def in_one(student, teacher):
    """Both editions of a lesson in one notebook: each exercise first as the student finds it, with its check, then answered.

    After a stub's check the library's own function is used, and the answer is that function's source; so what follows
    finds the same in either edition, and runs once.
    """
    both = nbformat.from_dict(teacher)
    both.cells = []
    left = iter(student.cells)
    for cell in teacher.cells:
        if "teacher" not in cell.metadata.get("tags", []):
            own = next(left)
            if exercise_of(cell):
                check = next(left)
                assert exercise_of(own) == exercise_of(cell) and ".check(" in check.source
                both.cells += [own, check]
                left = itertools.chain([check], left)
            else:
                assert own.source == cell.source or cell is teacher.cells[0], "the opening alone links its own edition"
        both.cells.append(cell)
    assert next(left, None) is None
    for i, cell in enumerate(both.cells):
        cell["id"] = f"cell-{i}"
    return both


@pytest.mark.lessons
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.seconds(seconds(name))) for name in LESSONS])
def test_a_lesson_runs_in_both_editions(name, tmp_path):
    """Every cell runs, offline; pictures have alternative text; a stub is met as one, and the teacher's answers are right."""
    from notebooks.run import run_all

    student, teacher = (nbformat.read(folder / f"{name}.ipynb", as_version=4) for folder in EDITIONS.values())
    lesson = tmp_path / f"{name}.ipynb"
    nbformat.write(in_one(student, teacher), lesson)
    (tmp_path / "run").mkdir()
    run_all([lesson], tmp_path / "run", threads=1)  # what runs beside it needs the other core
    notebook = nbformat.read(tmp_path / "run" / lesson.name, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [o["data"] for o in outputs if o.get("output_type") in ("display_data", "execute_result")]
    html = [data["text/html"] for data in shown if "text/html" in data]
    assert html and all(re.search(r'alt="[^"]{10,}"', text) for text in html if "<img" in text)
    assert not any("image/png" in data for data in shown), f"{name} shows a picture without alternative text"
    checks = [cell for cell in notebook.cells if cell.cell_type == "code" and ".check(" in cell.source]
    for cell, wanted in zip(checks, itertools.cycle(("… not attempted", "✓ passed")), strict=False):
        words = "".join(output.get("text", "") for output in cell.outputs)
        assert words.startswith(wanted), f"{name}: {cell.source}: {words}"
    assert len(checks) == 2 * sum(map(bool, map(exercise_of, teacher.cells)))
