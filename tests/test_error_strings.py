"""Errors in another language: every sentence that a widget can show has a translation, and is found by its words."""

import ast
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import s2i_teach as s2i
from s2i_teach.error_strings import ERRORS, in_language
from s2i_teach.errors import InputError
from s2i_teach.languages import LANGUAGES, Sentences, literals
from s2i_teach.models.catalog import MODELS
from s2i_teach.models.fit import LADDER
from s2i_teach.models.kinds import KINDS
from s2i_teach.translation import page, run
from s2i_teach.widgets import strings

PACKAGE = Path(s2i.__file__).parent
WIDGETS = (
    "widgets/style",
    "widgets/studio",
    "widgets/sketch_pad",
    "widgets/blind_rating",
    "widgets/playground",
    "lessons/quiz",
    "lessons/survey",
)


# What the code can raise, read from the code


def imported(tree: ast.Module) -> Iterator[Path]:
    """The files of the package that a module imports, anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "s2i_teach":
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                path = PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py")
                if path.is_file():
                    yield path


def reached() -> dict[Path, ast.Module]:
    """Every module that a live widget imports, with those that they import."""
    found, waiting = {}, [PACKAGE / f"{name}.py" for name in WIDGETS]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = ast.parse(path.read_text(encoding="utf-8"))
            waiting += imported(found[path])
    return found


def escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


class Reader:
    """The templates of one module's errors, and the words that can stand as a value in them.

    What it cannot follow fails, so that no sentence escapes in silence.
    """

    def __init__(self, path: Path, tree: ast.Module, errors: set[str]):
        self.path, self.tree, self.errors = path, tree, errors
        self.parent = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        self.sentences: set[str] = set()
        self.parts: set[str] = set()
        self.handed_on: list[str] = []
        self.asked: set[tuple[str, ast.AST]] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in errors:
                self.sentences |= self.templates(node.args[0])

    def function_of(self, node: ast.AST) -> ast.AST:
        while node in self.parent:
            node = self.parent[node]
            if isinstance(node, (ast.FunctionDef, ast.Lambda)):
                return node
        return self.tree

    def templates(self, node: ast.expr) -> set[str]:
        """Of an error's argument."""
        match node:
            case ast.Constant(value=str(text)):
                return {escaped(text)}
            case ast.JoinedStr(values=pieces):
                for piece in pieces:
                    if isinstance(piece, ast.FormattedValue):
                        self.parts |= self.words(piece.value)
                return {self.joined(node)}
            case (
                ast.Call(func=ast.Name(id="str"))
                | ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="str"))))
            ):
                self.handed_on.append(ast.unparse(node))
                return set()
            case ast.Call(func=ast.Name(id=name)):
                (made,) = [f for f in ast.walk(self.tree) if isinstance(f, ast.FunctionDef) and f.name == name]
                returned = [part.value for part in ast.walk(made) if isinstance(part, ast.Return)]
                return set().union(*map(self.templates, returned))
            case ast.Subscript(value=ast.Attribute(attr="words"), slice=ast.Constant(value=key)):
                assert all(key in table for table in strings.STRINGS.values())
                return set()
        raise AssertionError(f"{self.path}:{node.lineno}: cannot follow {ast.unparse(node)}")

    def joined(self, node: ast.JoinedStr) -> str:
        return "".join(escaped(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values)

    def words(self, node: ast.expr) -> set[str]:
        """Of a value in a sentence: the words that the code itself puts there."""
        match node:
            case ast.Constant(value=str(text)):
                return {escaped(text)} if any(map(str.isalpha, text)) else set()
            case ast.JoinedStr():
                return self.templates(node)
            case ast.IfExp(body=one, orelse=other):
                return self.words(one) | self.words(other)
            case ast.BoolOp(values=values):
                return set().union(*map(self.words, values))
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(joint)), attr="join")):
                return {joint} if any(map(str.isalpha, joint)) else set()
            case ast.Name(id=name):
                return self.values(name, self.function_of(node))
        return set()

    def values(self, name: str, function: ast.AST) -> set[str]:
        """Of a variable: the words assigned to it, or handed to the function whose parameter it is."""
        if (name, function) in self.asked:
            return set()
        self.asked.add((name, function))
        found: set[str] = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                found |= self.words(node.value)
        if isinstance(function, ast.FunctionDef):
            parameters = [argument.arg for argument in function.args.args]
            if name in parameters:
                for call in ast.walk(self.tree):
                    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == function.name:
                        given = dict(zip(parameters, call.args, strict=False)) | {k.arg: k.value for k in call.keywords}
                        if name in given and not self.is_a_name(given[name]):
                            found |= self.words(given[name])
            elif not found and self.function_of(function) is not self.tree:
                found |= self.values(name, self.function_of(function))
        return found

    @staticmethod
    def is_a_name(node: ast.expr) -> bool:
        """Whether it is the name of an argument or a setting, which is the same in every language."""
        return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier()


@pytest.fixture(scope="module")
def readers() -> list[Reader]:
    modules = reached()
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for tree in modules.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    errors = {"InputError"}
    while more := {name for name, above in bases.items() if above & errors} - errors:
        errors |= more
    assert errors == {"InputError", "RefusedDrawing", "NotAvailable"}
    return [Reader(path, tree, errors) for path, tree in modules.items()]


def own_templates(path: str, function: str, kind: type) -> set[str]:
    """The templates of all errors of a kind in one function."""
    tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
    (made,) = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == function]
    return Reader(PACKAGE / path, ast.Module([made], []), {kind.__name__}).sentences


def notes() -> set[str]:
    """The notes on results that a studio shows."""
    found = {run.BLACKED_OUT, run.READS_NO_WORDS, page.BOARD_NOTE, page.PAGE_NOTE}
    tree = ast.parse((PACKAGE / "translation" / "run.py").read_text(encoding="utf-8"))
    reader = Reader(PACKAGE / "translation" / "run.py", tree, set())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "ran_short":
            found |= reader.templates(node.body[-1].value)
        if isinstance(node, ast.FunctionDef) and node.name in ("prompt_notes", "size_notes", "finite"):
            for part in ast.walk(node):
                if isinstance(part, ast.Call) and ast.unparse(part.func) == "notes.append":
                    found |= reader.templates(part.args[0])
                elif isinstance(part, ast.Return) and isinstance(part.value, ast.Tuple):
                    said = part.value.elts[1]
                    found |= {note for each in said.elts for note in reader.templates(each)}
    return found


def test_the_reader_finds_what_the_code_raises():
    code = """
def refuse(what):
    return InputError(f"It is {what}: {{go}} on.")

def check(value, path):
    words = "a whole number" if value else f"of {path}"
    if value > 3:
        raise refuse("too large")
    try:
        raise InputError("Plain, " "and joined.")
    except InputError as error:
        raise InputError(str(error)) from error
    raise InputError(f"{path} is {words}, {value!r}.")
"""
    reader = Reader(Path("code.py"), ast.parse(code), {"InputError"})
    assert reader.sentences == {"It is {}: {{go}} on.", "Plain, and joined.", "{} is {}, {}."}
    assert reader.parts == {"too large", "a whole number", "of {}"}
    assert reader.handed_on == ["str(error)"]
    with pytest.raises(AssertionError, match="cannot follow sentence % value"):
        Reader(Path("code.py"), ast.parse("raise InputError(sentence % value)"), {"InputError"})


def test_every_error_that_a_widget_can_show_has_a_sentence(readers):
    assert {reader.path.name for reader in readers} > {"images.py", "files.py", "settings.py", "rating.py", "load.py"}
    handed_on = {(reader.path.name, code) for reader in readers for code in reader.handed_on}
    assert handed_on == {
        ("sketch_pad.py", "str(error)"),  # of a drawing
        ("sketch_pad.py", "str(error).replace('These bytes', shown(name))"),  # of a picture
        ("thesis.py", "str(error)"),  # of space_timesteps
    }
    wanted = set().union(*(reader.sentences for reader in readers))
    assert len(wanted) > 150
    wanted |= own_templates("theory/sampler.py", "space_timesteps", ValueError) | notes()
    for code, table in ERRORS.items():
        assert wanted - set(table.sentences) == set(), f"{code}: translate these"
        assert set(table.sentences) - wanted == set(), f"{code}: nobody says these any more"


def test_every_word_that_stands_in_an_error_has_one_too(readers):
    wanted = set().union(*(reader.parts for reader in readers))
    assert " or " in wanted
    wanted = wanted - {" or "} | {" or ".join(kind.pipeline for kind in KINDS.values() if not kind.is_family)}
    wanted |= {model.title for model in MODELS.values() if model.title != "Stable Diffusion 1.5"}
    wanted |= {"prompt", "negative prompt"}  # prompt_notes says of which
    wanted |= {rung.words for rung in LADDER}  # ran_short says which
    system = {os.strerror(number) for number in errno.errorcode}
    for code, table in ERRORS.items():
        assert wanted - set(table.parts) == set(), f"{code}: translate these"
        others = set(table.parts) - wanted
        assert len(others) == 10
        if sys.platform == "linux":
            assert others <= system, f"{code}: nobody says these any more"


# The tables themselves


def fields(translation: str) -> list[int]:
    import string

    return sorted(int(name) for _, name, _, _ in string.Formatter().parse(translation) if name is not None)


def test_every_language_has_its_errors_with_the_same_fields():
    assert set(ERRORS) == set(LANGUAGES) - {"en"} and set(strings.STRINGS) == set(LANGUAGES)
    for table in ERRORS.values():
        for template, translation in (*table.sentences.items(), *table.parts.items()):
            assert fields(translation) == list(range(len(literals(template)) - 1)), template
            assert translation.strip() and translation != template or template == "StableDiffusionImg2ImgPipeline"
        for template, translation in table.sentences.items():
            assert (template[-1] == ".") == (translation[-1] == "."), template


ODD = (
    "-3",
    "'a {b}'",
    "",
    "{0}",
    "Ölkreide…?",
    "two\nlines",
    r"C:\Bilder\x y.png",
    "(1, 2)",
    "[0.5, 'ä']",
    "None",
    "%s",
)


def filled(template: str, values: list[str]) -> str:
    head, *rest = literals(template)
    return head + "".join(value + piece for value, piece in zip(values, rest, strict=True))


@pytest.mark.parametrize("code", ERRORS)
def test_every_sentence_is_found_again_whatever_its_values(code):
    table = ERRORS[code]
    for template, translation in table.sentences.items():
        for shift in range(len(ODD)):
            values = [ODD[(shift + 3 * place) % len(ODD)] for place in range(len(literals(template)) - 1)]
            assert in_language(filled(template, values), code) == translation.format(*values), template


def test_what_is_not_known_stays_as_it_is():
    for sentence in ("", "Something else went wrong.", "{0} is 3 {", "Permission denied", "a whole number"):
        assert in_language(sentence, "de") == sentence
    for sentence in ("The seed is -1: give a whole number.", "{} cannot be read: {}."):
        assert in_language(sentence, "en") == sentence


def test_of_two_templates_that_fit_the_one_with_more_words_is_taken():
    table = Sentences({"{} is {}.": "A {1} {0}", "{} is no {}.": "B {1} {0}", "It is {}.": "C {0}"}, {"no": "X"})
    assert table("it is no cat.") == "B cat it" and table("It is a.") == "C a" and table("a is no.") == "A X a"
    assert Sentences({"{} = {}, {}.": "{2} {1} {0}"}, {})("a = b = c, d.") == "d b = c a", "the first is the shortest"


NESTED = {
    "Number 1 of the true pictures: These bytes is empty: save the picture again.": (
        "Nummer 1 der wahren Bilder: Der Inhalt ist leer: das Bild noch einmal speichern."
    ),
    "The miniature could not be loaded (a/b: its ControlNet is not in m/c: train it with s2i train control, or use "
    '"mini"; c/d: m/x.json is damaged: fetch or save the model again; e: HTTP 404). The miniature needs no network: '
    'load_pipeline("mini").': (
        "Die Miniatur konnte nicht geladen werden (a/b: das ControlNet fehlt in m/c: mit s2i train control trainieren "
        'oder "mini" verwenden; c/d: m/x.json ist beschädigt: das Modell noch einmal holen oder speichern; e: HTTP '
        '404). Die Miniatur braucht kein Netzwerk: load_pipeline("mini").'
    ),
    "seed must be a whole number, not 'no value'.": "seed muss eine ganze Zahl sein, nicht 'no value'.",
    "r.csv, line 3: the vote is x: it must be left, right or tie.": (
        "r.csv, Zeile 3: die Stimme ist x: sie muss left, right oder tie sein."
    ),
}


@pytest.mark.parametrize("sentence", NESTED)
def test_a_sentence_within_a_sentence_is_translated_too(sentence):
    assert in_language(sentence, "de") == NESTED[sentence]


def raised(call) -> str:
    with pytest.raises(InputError) as error:
        call()
    return str(error.value)


def test_errors_as_they_are_really_raised(tmp_path):
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    pipe = SimpleNamespace(device="cuda")
    said = {
        raised(lambda: s2i.Settings("a", seed=-1)): "Der Seed ist -1: eine ganze Zahl von 0 bis 2^63 - 1 verwenden.",
        raised(lambda: s2i.Settings("a", seed="x")): "seed muss eine ganze Zahl sein, nicht 'x'.",
        raised(
            lambda: s2i.Settings("a", strength=2)
        ): "Die Stärke ist 2: eine Zahl über 0 (behält die Skizze) und bis 1 (beachtet sie kaum) verwenden.",
        raised(lambda: s2i.Settings("a", fit="x")): 'fit=\'x\' gibt es nicht: eines von "pad", "crop" verwenden.',
        raised(
            lambda: s2i.open_sketch(tmp_path / "torn.png")
        ): f"{tmp_path / 'torn.png'} ist kein lesbares Bild: als PNG oder JPEG speichern.",
        raised(lambda: s2i.load_pipeline(tmp_path)): f"{tmp_path} enthält keine Pipeline von diffusers (kein "
        "model_index.json): den Ordner angeben, der sie enthält.",
        run.short_of_memory(
            pipe, (512, 640)
        ): "Der Speicher von cuda reicht nicht für 512 × 640 Pixel: eine kleinere Größe "
        "verwenden oder das Notebook neu starten, damit frei wird, was es belegt.",
    }
    for english, german in said.items():
        assert in_language(english, "de") == german


def test_a_long_sentence_takes_no_time():
    started = time.perf_counter()
    in_language("It is 3: 4 is 5, " * 3000, "de")
    assert time.perf_counter() - started < 5
