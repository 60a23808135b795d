"""Every exercise is proven: its solution passes, its stub is not attempted, its mistakes get their messages."""

import ast
import hashlib
import heapq
import inspect
import math
import random
import re
import textwrap
import time
from itertools import product
from statistics import harmonic_mean

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops, ImageFilter
from scipy import stats

import s2i_teach as s2i
from s2i_teach import InputError
from s2i_teach.lessons import predict, predictions, sandbox
from s2i_teach.lessons.compare import difference
from s2i_teach.lessons.engine import Exercise, is_stub
from s2i_teach.lessons.progress import Progress

NUMBERS = tuple(range(1, 22))
EXERCISES = [(number, exercise) for number in NUMBERS for exercise in s2i.lesson(number)]
IDS = [f"{number}-{exercise.name}" for number, exercise in EXERCISES]
every_exercise = pytest.mark.parametrize(("number", "exercise"), EXERCISES, ids=IDS)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@every_exercise
def test_the_solution_passes(number, exercise, capsys):
    for seed in (0, 1, 12345):
        assert exercise.judge(exercise.reference, seed).status == "passed"
    assert exercise.check(exercise.reference).passed and "✓ passed" in capsys.readouterr().out


@every_exercise
def test_the_untouched_stub_is_not_attempted(number, exercise):
    parameters = exercise.signature
    for body in ("...", "pass", '"""Says what to do."""', '"""Says."""\n    ...', "raise NotImplementedError"):
        space = {}
        exec(f"def {exercise.name}{parameters}:\n    {body}\n", space)
        assert exercise.judge(space[exercise.name]).status == "not attempted", body


@every_exercise
def test_hints_and_mistakes_are_there(number, exercise):
    assert len(exercise.hints) >= 2 and len(exercise.mistakes) >= 3
    assert 1 <= exercise.difficulty <= 5 and exercise.minutes > 0
    messages = [mistake.message for mistake in exercise.mistakes.values()]
    assert len(set(messages)) == len(messages)
    assert exercise.reference.__module__.startswith("s2i_teach."), "the answer is the library"
    assert exercise.reference.__doc__


@every_exercise
def test_each_mistake_is_refused_with_its_message(number, exercise):
    for name, mistake in exercise.mistakes.items():
        for seed in (0, 77):
            outcome = exercise.judge(mistake.function, seed)
            assert outcome.status in ("incorrect", "raised"), name
            assert outcome.message == mistake.message, name


# Mutants of the reference


class Mutate(ast.NodeTransformer):
    """Changes one place, number ``target``, of a function; counts the places."""

    SWAPS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.MatMult: ast.Add}

    def __init__(self, target):
        self.target, self.places = target, 0

    def here(self):
        self.places += 1
        return self.places - 1 == self.target

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if type(node.op) in self.SWAPS and self.here():
            node.op = self.SWAPS[type(node.op)]()
        elif isinstance(node.op, ast.Pow) and self.here():
            return node.left
        return node

    def visit_UnaryOp(self, node):
        self.generic_visit(node)
        return node.operand if isinstance(node.op, ast.USub) and self.here() else node

    def visit_Constant(self, node):
        if isinstance(node.value, (int, float)) and not isinstance(node.value, bool) and self.here():
            return ast.copy_location(ast.Constant(node.value + 1), node)
        return node

    def visit_Call(self, node):
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("sqrt", "exp", "cos", "sin") and self.here():
            return node.func.value if not node.args else node.args[0]
        return node


def mutants(function):
    """Every function that differs from ``function`` in one place of its body."""
    source = textwrap.dedent(inspect.getsource(function))
    target = 0
    while True:
        tree = ast.parse(source)
        definition = tree.body[0]
        defaults, definition.args.defaults = (
            definition.args.defaults,
            [],
        )  # what the caller gives is not the body's fault
        change = Mutate(target)
        changed = change.visit(tree)
        definition.args.defaults = defaults
        if target >= change.places:
            return
        space = dict(inspect.getmodule(function).__dict__)
        exec(compile(ast.fix_missing_locations(changed), "<mutant>", "exec"), space)
        yield ast.unparse(changed), space[function.__name__]
        target += 1


def changes_the_result(exercise, mutant):
    for arguments in exercise.cases(torch.Generator().manual_seed(4)):
        ran = sandbox.call(mutant, arguments)
        try:
            expected = exercise.reference(*arguments)
        except exercise.lets_through as error:
            if type(ran.error) is not type(error):
                return True
            continue
        if ran.error or ran.timed_out or difference(ran.value, expected, exercise.tolerance):
            return True
    return False


def test_mutants_are_refused():
    """At least 95 % of the one-place mutants that change the result, over all exercises."""
    refused, survived = 0, []
    for number, exercise in EXERCISES:
        for source, mutant in mutants(exercise.reference):
            if not changes_the_result(exercise, mutant):
                continue
            if exercise.judge(mutant, seed=1).passed:
                survived.append((number, source))
            else:
                refused += 1
    assert refused >= 3 * len(EXERCISES)
    assert len(survived) <= 0.05 * (refused + len(survived)), survived


# The engine


def double(x: torch.Tensor) -> torch.Tensor:
    """Twice x."""
    return 2 * x


def make_exercise(**changes):
    return Exercise(
        **{
            "name": "double",
            "reference": double,
            "cases": lambda generator: iter([(torch.rand(3, 2, generator=generator) + 1,)]),
            "hints": ("One.", "Two."),
            "mistakes": {},
            "seconds": 0.5,
            **changes,
        }
    )


def test_wrong_type_shape_and_values_are_told_apart():
    exercise = make_exercise()
    answers = {
        "wrong shape": lambda x: 2 * x[:1],
        "wrong values": lambda x: 3 * x,
        "not finite": lambda x: x / 0,
        "is expected, this is a list": lambda x: [2],
        "forget to return": lambda x: print("", end=""),
        "wrong type of numbers": lambda x: x.long(),
        "tensor of shape": lambda x: (x, x),
    }
    for words, answer in answers.items():
        outcome = exercise.judge(answer)
        assert outcome.status == "incorrect" and words in outcome.message


def test_tensors_that_end_in_nan_or_infinity_are_alike_where_they_do_so_at_the_same_places():
    inf, nan = torch.inf, torch.nan
    one = torch.tensor([1.0, nan, inf, -inf])
    assert difference(one.clone(), one, 1e-5) is None
    for other in ([1.0, inf, nan, -inf], [1.0, nan, inf, inf], [1.1, nan, inf, -inf], [1.0, 0.0, inf, -inf]):
        assert "wrong values" in difference(torch.tensor(other), one, 1e-5), other
    assert "1 of its 4 values are not finite" in difference(torch.tensor([1.0, 2, 3, nan]), torch.ones(4), 1e-5)


def test_an_exercise_may_look_at_what_was_used_on_the_way():
    def counted(function):
        def run(x):
            before = x.numel()
            return function(x), x.numel() - before

        return run

    def grows(x):
        answer = 2 * x
        x.resize_(10)
        return answer

    exercise = make_exercise(seen=counted, explain=lambda arguments, answer: f"{answer[1]} more were used")
    assert exercise.judge(double).passed
    assert exercise.judge(grows).message == "4 more were used"


def test_the_learner_s_own_line_is_shown():
    def double(x):
        y = x + 1
        return y.no_such_thing()

    outcome = make_exercise().judge(double)
    assert outcome.status == "raised"
    assert "AttributeError" in outcome.message and "y.no_such_thing()" in outcome.message


def test_deep_inside_a_library_it_is_still_the_learner_s_line():
    outcome = make_exercise().judge(lambda x: torch.nn.functional.conv2d(x, x, padding="odd"))
    assert outcome.status == "raised" and "padding" in outcome.message and "site-packages" not in outcome.message


def test_endless_loops_are_stopped():
    def double(x):
        while True:
            x = x + 1

    started = time.monotonic()
    outcome = make_exercise().judge(double)
    assert outcome.status == "raised" and "endless loop" in outcome.message and time.monotonic() - started < 5


def test_leaving_python_does_not_leave_the_notebook():
    for stop in (SystemExit, KeyboardInterrupt):

        def double(x, stop=stop):
            raise stop

        assert make_exercise().judge(double).status == "raised"


def test_the_session_s_random_state_is_kept():
    def double(x):
        torch.manual_seed(1)
        random.seed(1)
        np.random.seed(1)
        torch.set_grad_enabled(False)
        return 2 * x

    torch.manual_seed(5), random.seed(5), np.random.seed(5)
    expected = torch.rand(1), random.random(), np.random.rand()
    torch.manual_seed(5), random.seed(5), np.random.seed(5)
    assert make_exercise().judge(double).passed
    assert (torch.rand(1), random.random(), np.random.rand()) == expected and torch.is_grad_enabled()


def test_changing_the_inputs_does_no_harm():
    def double(x):
        x *= 2
        return x

    assert make_exercise().judge(double).passed


def test_other_things_than_functions():
    assert "without calling it" in make_exercise().judge(torch.ones(2)).message
    assert "parameters should be (x)" in make_exercise().judge(lambda a, b: a).message


def test_stubs():
    def written(x):
        return x

    def documented(x):
        """Words."""

    assert is_stub(documented) and not is_stub(written) and not is_stub(torch.relu)


def test_hints_come_one_at_a_time_and_are_counted(capsys):
    exercise = s2i.lesson(2).add_noise
    for expected in (0, 1, 2, 2):
        exercise.hint()
        assert exercise.hints[expected] in capsys.readouterr().out
    assert s2i.lesson(2).score()["add_noise"]["hints"] == 3


def test_a_leap_that_takes_the_root_of_a_negative_number_is_explained():
    def last_for_clean(x_s, eps, alpha_bar, s, t):
        share = alpha_bar[t] / alpha_bar[s]
        return share**0.5 * x_s + (1 - share) ** 0.5 * eps

    def upside_down(x_s, eps, alpha_bar, s, t):
        share = (alpha_bar[s] if s >= 0 else 1.0) / alpha_bar[t]
        return share**0.5 * x_s + (1 - share) ** 0.5 * eps

    judge = s2i.lesson(2).add_noise_from.judge
    assert "is the *last* element" in judge(last_for_clean).message
    assert "of a negative number" in judge(upside_down).message
    assert "wrong values" in judge(lambda x_s, eps, alpha_bar, s, t: 2 * x_s).message


def test_a_leap_and_a_weight_written_another_way_pass():
    def leap(x_s, eps, alpha_bar, s, t):
        with_the_clean_picture = torch.cat([torch.ones(1), alpha_bar])
        share = with_the_clean_picture[t + 1] / with_the_clean_picture[s + 1]
        return share.sqrt() * x_s + (1 - share).sqrt() * eps

    def weight(kind, a):
        snr = a / (1 - a)
        return {"epsilon": snr, "sample": 0 * a + 1, "v_prediction": snr + 1}[kind]

    assert s2i.lesson(2).add_noise_from.judge(leap).passed
    assert s2i.lesson(4).loss_weight.judge(weight).passed


def test_the_solution_is_the_library_s_source(capsys):
    s2i.lesson(2).add_noise.solution()
    from s2i_teach.theory import forward

    assert capsys.readouterr().out.strip() == inspect.getsource(forward.add_noise).strip()


def test_progress_is_kept_counted_and_exported(tmp_path, capsys):
    lesson = s2i.lesson(2)
    lesson.add_noise.check(lambda x0, eps, alpha_bar, t: x0)
    lesson.add_noise.check(lesson.add_noise.reference)
    lesson.add_noise.check(lambda x0, eps, alpha_bar, t: x0)
    lesson.alphas_cumprod.check(lambda betas: ...)
    row = lesson.score()["add_noise"]
    assert row == {"attempts": 3, "hints": 0, "passed": True, "solution": False}
    assert lesson.score()["alphas_cumprod"]["attempts"] == 0
    assert "1 of 5 passed" in capsys.readouterr().out
    table = lesson.progress.export(tmp_path / "class.csv").read_text(encoding="utf-8").splitlines()
    assert table[0] == "lesson,exercise,attempts,hints,passed,solution" and "2,add_noise,3,0,True,False" in table


def test_the_score_says_where_the_solution_was_shown(capsys):
    lesson = s2i.lesson(2)
    lesson.add_noise.check(lesson.add_noise.reference)
    lesson.add_noise.solution()
    lesson.alphas_cumprod.solution()
    lesson.alphas_cumprod.check(lesson.alphas_cumprod.reference)
    table = lesson.score()
    assert not table["add_noise"]["solution"], "it was passed before"
    assert table["alphas_cumprod"]["solution"]
    said = capsys.readouterr().out
    assert "✓ alphas_cumprod: 1 attempts, 0 hints, with the solution\n" in said
    assert "✓ add_noise: 1 attempts, 0 hints\n" in said and "2 of 5 passed, 1 without the solution" in said


@pytest.fixture()
def no_predictions():
    predictions.forget()
    yield
    predictions.forget()


def test_a_prediction_is_compared_with_what_was_measured(capsys, no_predictions):
    choice = predict("Which strength keeps more of the sketch?", "  At 0.3 ", options=("at 0.3", "at 0.8"))
    number = predict("PSNR at t = 500", 20)
    open_ = predict("PSNR at t = 100", ...)
    several = predict("Turned", {"seed": "nothing", "prompt": ""}, options=("nothing", "another picture"))
    assert "Which strength keeps more of the sketch? at 0.3 / at 0.8\n" in capsys.readouterr().out
    assert predictions.summary() == "", "nothing was compared yet"
    choice.compare("at 0.3")
    number.compare(17.34, unit="dB", within=1)
    open_.compare(31.0, unit="dB")
    assert capsys.readouterr().out.splitlines()[:2] == [
        "It is at 0.3. You predicted at 0.3: right.",
        "It is 17.34 dB. You predicted 20 dB: not so.",
    ]
    several.compare({"seed": "another picture", "prompt": "another picture"})
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "  seed: it is another picture. You predicted nothing: not so."
    assert said[1].startswith("prompt: it is another picture. There was no prediction;")
    assert predictions.summary() == "1 of 3 predictions were right."
    number.compare(20.5, unit="dB", within=1)
    assert predictions.summary() == "2 of 3 predictions were right.", "compared again, it counts once"
    s2i.lesson(2).score()
    assert "2 of 3 predictions were right." in capsys.readouterr().out
    predict("PSNR at t = 500", ...)
    assert predictions.summary() == "1 of 2 predictions were right.", "asked again, the old answer is gone"


@pytest.mark.parametrize(
    ("answer", "options", "sentence"),
    [
        ("0.5", ("0.3", "0.8"), "one of '0.3', '0.8', not '0.5'"),
        (0.3, ("0.3", "0.8"), "one of '0.3', '0.8', not 0.3"),
        ("twenty", (), "is a number, and 'twenty' is none"),
        (True, (), "is a number, and True is none"),
        ({"a": 1, "b": "x"}, (), "is a number, and 'x' is none"),
        ("yes", ("yes",), "with one option"),
    ],
)
def test_a_prediction_that_is_none(answer, options, sentence, no_predictions):
    with pytest.raises(InputError, match=sentence):
        predict("What?", answer, options)


def test_what_was_measured_must_fit_the_question(no_predictions):
    with pytest.raises(InputError, match="one of 'more', 'less', not 'equal'"):
        predict("What?", "more", ("more", "less")).compare("equal")
    with pytest.raises(InputError, match="Nothing was measured"):
        predict("What?", 3).compare(None)
    with pytest.raises(InputError, match="The prediction is about a, b"):
        predict("What?", {"a": 1, "b": 2}).compare({"a": 1})


def test_damaged_progress_counts_as_none(tmp_path):
    progress = Progress(7, ["a"], tmp_path)
    for text in ("{", "[]", '{"a": 5}', '{"a": {"attempts": null}}', ""):
        progress.path.write_text(text)
        assert progress.table() == {"a": {"attempts": 0, "hints": 0, "passed": False, "solution": False}}
    progress.attempted("a", True)
    assert progress.table()["a"]["passed"]


def test_progress_where_nothing_can_be_written(tmp_path):
    progress = Progress(7, ["a"], tmp_path / "missing")
    with pytest.warns(UserWarning, match="cannot be kept"):
        progress.attempted("a", True)
    assert progress.hinted("a", 2) == 1 and progress.hinted("a", 2) == 2 and progress.table()["a"]["passed"]


def test_lessons_that_are_not_there():
    for number in (99, -1, "two", 2.0, None):
        with pytest.raises(InputError, match="no lesson"):
            s2i.lesson(number)
    with pytest.raises(AttributeError, match="it has scaled_linear_betas"):
        getattr(s2i.lesson(2), "no_such_exercise")  # noqa: B009


def test_right_answers_written_another_way_pass():
    """What a careful learner may write instead of the library's lines."""
    from s2i_teach.data_sources.rules import paper_tone
    from s2i_teach.evaluate.realism import polynomial_kernel
    from s2i_teach.theory.conversion import factors
    from s2i_teach.theory.forward import add_noise
    from s2i_teach.theory.sdedit import start_step

    def sdedit(z, predict, alpha_bar, timesteps, strength, step, generator, final=1.0):
        times = timesteps[start_step(len(timesteps), strength) :]
        noise = torch.randn(z.shape, generator=generator)
        x = add_noise(z, noise, alpha_bar, torch.tensor([times[0]] * len(z)))
        for i, t in enumerate(times):
            a = alpha_bar[t]  # a tensor of 32 bits rather than a number
            a_prev = alpha_bar[times[i + 1]] if i + 1 < len(times) else torch.tensor(final)
            x = step(x, predict(x, t), a, a_prev, torch.randn(z.shape, generator=generator))
        return x

    def posterior(moments):
        half = moments.shape[1] // 2
        return moments[:, :half], moments[:, half:].clamp(-30, 20).exp().sqrt()

    def attention_flops(height, width, channels):
        pairs = (height * width) * (height * width)
        return float(2 * pairs * channels * 2)

    def differences(a, b):
        one, other = a.to_dict(), b.to_dict()
        return [name for name in one if one[name] != other[name]]

    def spread(pictures):
        n = len(pictures)
        return (pictures[:, None] - pictures).abs().mean((2, 3, 4)).sum() / (n * (n - 1))

    def vanishing_strength(strengths, agreements, threshold):
        gone = None
        for strength, agreement in sorted(zip(strengths, agreements, strict=True))[::-1]:
            if agreement >= threshold:
                return gone
            gone = strength
        return gone

    def pick(names, k, seed, category):
        tickets = {name: hashlib.sha256(bytes(f"{seed}/{category}/{name}", "utf-8")).hexdigest() for name in names}
        return heapq.nsmallest(k, tickets, key=tickets.get)

    def ink(grey):
        paper = paper_tone(grey)
        darker = np.clip(paper - grey.astype(np.float32), 0, None)
        darker[darker <= 16] = 0
        return darker.mean() / paper

    def ink_in_bytes(grey):
        paper = paper_tone(grey)
        dark = grey < paper - 16
        return np.where(dark, paper - grey, 0).mean() / paper  # bytes overflow in pixels that are not taken, alone

    def evidence():
        falsehoods = dict(a="laion", b="relaion", c="query", d="columns", f="fill", g="licence")
        truths = dict(j="count", i="card", h="by", e="size")
        return {claim: [claim in truths, key] for claim, key in (truths | falsehoods).items()}

    def edge_f1(to_ink, to_edge, tolerance):
        def share(distances):
            return sum(float(d) <= tolerance for d in distances) / max(1, len(distances))

        shares = [share(to_ink), share(to_edge)]
        return [*shares, harmonic_mean(shares)]

    def kernel_distance(x, y):
        x, y = x.to(torch.float64), y.to(torch.float64)

        def within(a):
            table = polynomial_kernel(a, a)
            return table[~torch.eye(len(a), dtype=torch.bool)].mean()

        return within(x) + within(y) - 2 * polynomial_kernel(x, y).mean()  # a tensor of one number

    def what_it_does(make, change):
        before = np.asarray(make())
        try:
            after = np.asarray(make(**change))
        except InputError:
            return "refused"
        return "nothing" if np.array_equal(before, after) else "another picture"

    def seen_by_pillow(make, change):
        before = make()
        try:
            after = make(**change)
        except Exception as error:
            if isinstance(error, InputError):
                return "refused"
            raise
        apart = before.size != after.size or ImageChops.difference(before, after).getbbox()
        return "another picture" if apart else "nothing"

    def paired_effect(after, before):
        gains = [sum(a) / len(a) - sum(b) / len(b) for a, b in zip(after.tolist(), before.tolist(), strict=True)]
        mean = sum(gains) / len(gains)
        squares = sum((gain - mean) ** 2 for gain in gains)
        return [mean, (squares / (len(gains) - 1) / len(gains)) ** 0.5]

    def claimed(effect, error, claimed):
        low, high = effect - 2 * error, effect + 2 * error
        if low <= 0 <= high:
            return "not shown"
        return "shown" if (low > 0) == (claimed > 0) else "the other way round"

    def read_and_lost(tokenizer, prompt):
        kept = tokenizer(prompt, truncation=True).input_ids
        pieces = tokenizer.encode(prompt, add_special_tokens=False)
        read = tokenizer.decode(kept, skip_special_tokens=True)
        return [read.strip(), tokenizer.decode(pieces[len(kept) - 2 :]).strip()]

    def as_typed(tokenizer, prompt):
        pieces, room = tokenizer(prompt).input_ids[1:-1], tokenizer.model_max_length - 2
        if len(pieces) <= room:
            return prompt, ""
        return tokenizer.decode(pieces[:room]).strip(), tokenizer.decode(pieces[room:]).strip()

    def variance_shares(pictures):
        total = pictures.var((0, 1), correction=0).mean()
        words = pictures.mean(1).var(0, correction=0).mean() / total
        seeds = torch.var(pictures.mean(0), 0, unbiased=False).mean() / total
        return words, seeds, 1 - words - seeds

    def sign_flip(differences):
        real, count, n = abs(sum(differences) / len(differences)), 0, len(differences)
        for number in range(2**n):
            flipped = [d if number >> i & 1 else -d for i, d in enumerate(differences)]
            count += abs(sum(flipped) / n) >= real
        return count / 2**n

    def mixture_score(x, centres, sigma):
        above, below = torch.zeros_like(x), torch.zeros(len(x), 1)
        for centre in centres:
            bell = torch.exp(-(x - centre).square().sum(1, keepdim=True) / (2 * sigma**2))
            above, below = above + bell * (centre - x) / sigma**2, below + bell
        return above / below

    def from_the_mean(x, centres, sigma):
        share = torch.softmax(-(torch.cdist(x, centres) ** 2) / 2 / sigma**2, 1)
        return (share @ centres - x) / sigma**2

    def ode_step(x_t, eps, alpha, sigma, alpha_next, sigma_next):
        x0 = (x_t - sigma * eps) / alpha
        return alpha_next * x0 + sigma_next * eps

    def convert(prediction, kind, wanted, x_t, alpha, sigma):
        if kind == "sample":
            x0, eps = prediction, (x_t - alpha * prediction) / sigma
        elif kind == "epsilon":
            x0, eps = (x_t - sigma * prediction) / alpha, prediction
        elif kind == "v_prediction":
            size = alpha**2 + sigma**2
            x0, eps = (alpha * x_t - sigma * prediction) / size, (sigma * x_t + alpha * prediction) / size
        else:
            x0 = (x_t - sigma * prediction) / (alpha + sigma)
            eps = x0 + prediction
        return {"sample": x0, "epsilon": eps, "v_prediction": alpha * eps - sigma * x0, "flow_prediction": eps - x0}[
            wanted
        ]

    def solved(prediction, kind, wanted, x_t, alpha, sigma):
        table = torch.tensor([[alpha, sigma], factors(kind, alpha, sigma)])
        both = torch.linalg.solve(table, torch.stack([x_t, prediction]).flatten(1))
        return (torch.tensor(factors(wanted, alpha, sigma)) @ both).view_as(x_t)

    def heun_step(denoise, x, sigma, sigma_next):
        first = x + (sigma_next - sigma) * (x - denoise(x, sigma)) / sigma
        if not sigma_next:
            return denoise(x, sigma)
        second = first + (sigma_next - sigma) * (first - denoise(first, sigma_next)) / sigma_next
        return (x + second) / 2

    for seed in range(5):
        assert s2i.lesson(18).mixture_score.judge(from_the_mean, seed).passed
        assert s2i.lesson(18).convert.judge(solved, seed).passed
        for answer in (mixture_score, ode_step, convert, heun_step):
            outcome = getattr(s2i.lesson(18), answer.__name__).judge(answer, seed)
            assert outcome.passed, (answer.__name__, outcome.message)
        assert s2i.lesson(13).read_and_lost.judge(as_typed, seed).passed
        for answer in (read_and_lost, variance_shares, sign_flip):
            assert getattr(s2i.lesson(13), answer.__name__).judge(answer, seed).passed, answer.__name__
        for answer in (edge_f1, kernel_distance):
            assert getattr(s2i.lesson(12), answer.__name__).judge(answer, seed).passed
        for answer in (what_it_does, paired_effect):
            assert getattr(s2i.lesson(11), answer.__name__).judge(answer, seed).passed
        assert s2i.lesson(11).what_it_does.judge(seen_by_pillow, seed).passed
        assert s2i.lesson(11).verdict.judge(claimed, seed).passed
        for answer in (pick, ink, evidence):
            assert getattr(s2i.lesson(10), answer.__name__).judge(answer, seed).passed
        assert s2i.lesson(10).ink.judge(ink_in_bytes, seed).passed
        for answer in (differences, spread, vanishing_strength):
            assert getattr(s2i.lesson(9), answer.__name__).judge(answer, seed).passed
        assert s2i.lesson(8).sdedit.judge(sdedit, seed).passed
        assert s2i.lesson(7).posterior.judge(posterior, seed).passed
        assert s2i.lesson(7).attention_flops.judge(attention_flops, seed).passed


def test_a_forgotten_return_is_said_where_a_text_is_expected():
    def what_it_does(make, change):
        try:
            same = make() == make(**change)
        except InputError:
            "refused"
        else:
            return "nothing" if same else "another picture"

    assert (
        s2i.lesson(11).what_it_does.judge(what_it_does).message
        == "None instead of 'refused': did you forget to return?"
    )


# Lesson 12: numbers that are none, and rounding


def test_right_answers_about_authorship_written_another_way_pass():
    def decided_by(pictures):
        shares, whole = [], pictures.double().var((0, 1, 2), correction=0).sum()
        for axis in range(3):
            means = pictures.double().movedim(axis, 0).flatten(1, 2).mean(1)
            shares.append(float(means.var(0, correction=0).sum() / whole))
        return [*shares, 1 - sum(shares)]

    def nearer_than_new(made, new, training):
        def near(x):
            return ((x[:, None] - training) ** 2).sum(-1).min(1)[0]  # squares have the same order

        won = [1.0 if m < n else 0.5 if m == n else 0.0 for m in near(made) for n in near(new)]
        return sum(won) / len(won)

    def nearer_by_torch(made, new, training):
        a, b = (torch.cdist(x, training).min(1).values for x in (made, new))
        return (torch.sign(b - a[:, None]) / 2 + 0.5).mean()

    def chance_of_so_few(found, group, chosen, total):
        return float(stats.hypergeom.cdf(found, total, group, chosen))

    def by_products(found, group, chosen, total):
        chance = 0
        for k in range(found + 1):
            chance += math.comb(chosen, k) * math.comb(total - chosen, group - k)
        return chance / math.comb(total, group)

    def kilowatt_hours(trainings, watts):
        joules = [sum(minutes * 60 * cores * power for minutes, cores in trainings) for power in watts]
        return [energy / 3_600_000 for energy in joules]

    lesson = s2i.lesson(17)
    for name, answers in {
        "decided_by": (decided_by,),
        "nearer_than_new": (nearer_than_new, nearer_by_torch),
        "chance_of_so_few": (chance_of_so_few, by_products),
        "kilowatt_hours": (kilowatt_hours,),
    }.items():
        for answer in answers:
            assert lesson.exercises[name].judge(answer).passed, (
                name,
                answer.__name__,
                lesson.exercises[name].judge(answer),
            )


def test_a_wrong_split_that_is_no_typical_mistake_hears_what_is_wrong():
    decided_by = s2i.lesson(17).decided_by
    right = decided_by.reference

    def said(change):
        return decided_by.judge(lambda pictures: change(right(pictures))).message

    assert said(lambda shares: shares[0]) == "return four numbers, (sketch, prompt, seed, rest)."
    assert "the four add up to 2" in said(lambda shares: [2 * share for share in shares])
    assert "four plain numbers" in said(lambda shares: [torch.ones(3), *shares[1:], None][:4])


def test_two_mistakes_that_end_in_nan_are_alike():
    nan, inf = float("nan"), float("inf")
    assert difference(nan, nan, 0) is None and difference((inf, 1), (inf, 1), 0) is None
    assert (
        difference(nan, 0.0, 1e9) and difference(0.0, nan, 1e9) and difference(inf, -inf, 1) and difference(1.0, inf, 1)
    )


def test_a_kernel_distance_in_float32_hears_of_rounding_however_it_is_written():
    from s2i_teach.evaluate.realism import polynomial_kernel

    def rounded(x, y):
        def within(a):
            return polynomial_kernel(a, a)[~torch.eye(len(a), dtype=torch.bool)].mean()

        return (within(x) - polynomial_kernel(x, y).mean() + within(y) - polynomial_kernel(y, x).mean()).item()

    for seed in range(5):
        assert "double()" in s2i.lesson(12).kernel_distance.judge(rounded, seed).message


def test_a_wrong_answer_about_prompts_that_is_no_typical_mistake_hears_what_is_wrong():
    exercises = s2i.lesson(13)

    def cut(at):
        def read_and_lost(tokenizer, prompt):
            pieces = tokenizer(prompt).input_ids[1:-1]
            return tokenizer.decode(pieces[:at]), tokenizer.decode(pieces[at:])

        return read_and_lost

    for at, words in ((70, "too little is read"), (80, "too much")):
        message = exercises.read_and_lost.judge(cut(at)).message
        assert message.startswith(words) and message.endswith("the model reads 75 pieces."), message
    halves = exercises.read_and_lost.judge(lambda tokenizer, prompt: (cut(75)(tokenizer, prompt)[0], "later"))
    assert "what is read is right" in halves.message
    assert "pair of two texts" in exercises.read_and_lost.judge(lambda tokenizer, prompt: 75).message

    def from_the_whole(end):
        def read_and_lost(tokenizer, prompt):
            ids, places = tokenizer(prompt).input_ids, end or tokenizer.model_max_length - 1
            return tokenizer.decode(ids[1:places]).strip(), tokenizer.decode(ids[places:-1]).strip()

        return read_and_lost

    for end, places in ((None, False), (76, True)):
        message = exercises.read_and_lost.judge(from_the_whole(end)).message
        assert "in a *short* prompt" in message and ("has 12 places" in message) == places, message
    assert "add up to 1.5" in exercises.variance_shares.judge(lambda pictures: (0.5, 0.5, 0.5)).message
    assert "plain numbers" in exercises.variance_shares.judge(lambda pictures: (pictures,) * 3).message
    shares = exercises.variance_shares.reference
    for array in (torch.tensor, np.array):
        message = exercises.variance_shares.judge(lambda pictures, array=array: array(shares(pictures))).message
        assert "one array" in message, message
    half = exercises.variance_shares.judge(lambda pictures: tuple(share / 2 for share in shares(pictures)))
    assert "right ratio" in half.message

    def drawn(differences):
        signs = np.random.default_rng(0).choice((1, -1), (5000, len(differences)))
        return float(np.mean(abs(signs @ np.array(differences)) >= abs(sum(differences))))

    def means(differences):
        signs = np.array(list(product((1, -1), repeat=len(differences))))
        return signs @ np.array(differences) / len(differences), sum(differences) / len(differences)

    def counted_twice(differences):
        reached, real = means(differences)
        return (1 + sum(abs(reached) >= abs(real))) / (1 + len(reached))

    for answer in (drawn, counted_twice):
        assert "Drawn by lot?" in exercises.sign_flip.judge(answer).message
    for at_least in (
        lambda reached, real: abs(reached) >= real,
        lambda reached, real: (reached >= real) | (reached <= -real),
    ):
        message = exercises.sign_flip.judge(lambda d, far=at_least: float(np.mean(far(*means(d))))).message
        assert "real mean (below 0 here) taken with abs" in message, message
    assert "no share" in exercises.sign_flip.judge(lambda differences: -1.0).message


# Lesson 10: claims, and an archive to clean


def test_claims_have_each_a_fact_of_its_own_that_speaks_of_them_and_a_reason():
    from s2i_teach.lessons.claims import ABOUT, CLAIMS, FACTS, WHY, evidence, reasons

    keys = {claim: key for claim, (_, key) in evidence().items()}
    assert set(keys.values()) <= set(FACTS) and len(set(keys.values())) == len(CLAIMS)
    assert set(keys) == set(CLAIMS) == set(WHY) == set(ABOUT)
    for claim, key in keys.items():
        assert FACTS[key].about in ABOUT[claim], claim
        assert f"  {claim} {str(evidence()[claim][0]).lower()}: {WHY[claim]}" in reasons().splitlines()


def judge_evidence(**other):
    """The outcome of the right evidence with some other pairs."""
    from s2i_teach.lessons.claims import evidence

    return s2i.lesson(10).evidence.judge(lambda: evidence() | other)


def test_a_wrong_pair_is_counted_and_not_named():
    """Neither the claim, nor what is wrong with it, nor the right fact, nor the reason: so guessing does not pay."""
    from s2i_teach.lessons.claims import WHY, evidence

    messages = set()
    for claim, (true, key) in evidence().items():
        outcome = judge_evidence(**{claim: (not true, key)})
        assert outcome.status == "incorrect" and WHY[claim] not in outcome.message
        messages.add(outcome.message)
    messages.add(judge_evidence(c=(False, "game")).message)  # the right verdict with a wrong fact
    messages.add(judge_evidence(c=(True, "game")).message)
    assert len(messages) == 1 and messages.pop().startswith("9 of the 10 pairs are right, true or false and the fact")
    pairs = evidence()
    swapped = {"d": (pairs["d"][0], pairs["f"][1]), "f": (pairs["f"][0], pairs["d"][1])}
    assert judge_evidence(**swapped).message.startswith("8 of the 10")
    turned = {claim: (not true, key) for claim, (true, key) in pairs.items()}
    assert judge_evidence(**turned).message.startswith("0 of the 10")


def test_no_single_wrong_pair_tells_the_right_one():
    from s2i_teach.lessons.claims import FACTS, WHY, evidence

    for claim, right in evidence().items():
        for pair in product((True, False), FACTS):
            if pair == right:
                continue
            outcome = judge_evidence(**{claim: pair})
            named = set(re.findall(r"`(\w+)`", outcome.message))
            assert outcome.status == "incorrect" and named <= {pair[1]}, "no other fact than the student's own is named"
            assert not any(why in outcome.message for why in WHY.values())
            assert not re.search(r"\b(is|are) (true|false)\b", outcome.message, re.I)


def test_a_fact_that_speaks_of_something_else_or_stands_twice_is_named():
    assert (
        "claim c speaks of ImageNet-Sketch and Quick, Draw!, and `card` of" in judge_evidence(c=(False, "card")).message
    )
    assert "`query` stands at c and e: each claim has" in judge_evidence(e=(True, "query")).message
    assert "claim h: 'nothing' is no key; the keys are laion," in judge_evidence(h=(True, "nothing")).message
    for odd in (None, False, "query", (False,), ("false", "query"), (False, "query", 1), (1, "columns")):
        assert "claim d: give a pair" in judge_evidence(d=odd).message
    assert "'k' is none of the claims" in judge_evidence(k=(True, "by")).message
    exercise = s2i.lesson(10).evidence
    assert "no line yet for b, c, d, e" in exercise.judge(lambda: {"a": (False, "laion")}).message
    assert "return a dict with a line" in exercise.judge(lambda: "all false").message


def test_the_reasons_come_when_all_ten_are_right():
    from s2i_teach.lessons.claims import WHY

    outcome = judge_evidence()
    assert outcome.passed and all(why in outcome.message for why in WHY.values())


def test_tickets_in_place_of_names_are_told_from_other_names():
    exercise = s2i.lesson(10).pick

    def tickets(names, k, seed, category):
        return sorted(hashlib.sha256(f"{seed}/{category}/{name}".encode()).hexdigest() for name in set(names))[:k]

    assert "is none of the names: give back the names" in exercise.judge(tickets).message
    assert "none of the names" not in exercise.judge(lambda names, k, seed, category: names[-k:]).message


def test_the_small_archive_is_the_same_each_time_and_its_dirt_is_found(tmp_path):
    from s2i_teach.lessons.archive import write_archive

    planted = write_archive(tmp_path / "one.zip")
    assert planted == write_archive(tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    sample = s2i.sample(tmp_path / "one.zip", per_category=12, to=tmp_path / "all", quiet=True)
    assert len(sample) == 49 and sample.counts["analog clock"] == 12
    assert sample.sheet(12, 40).size[0] > 0  # with the damaged file crossed out
    rules = {row.path: row.rule for row in s2i.clean(sample).rows}
    found = {what: rules[entry.path] for name, what in planted for entry in sample.files if entry.name == name}
    assert sorted(found.values()) == sorted(
        "near_duplicates near_duplicates photographs duplicates inverted empty unreadable tiny".split()
    )
    clocks = [rule for path, rule in rules.items() if path.startswith("analog_clock")]
    assert clocks.count("near_duplicates") >= 6, "lesson 10 shows what this rule breaks"


def test_a_scan_differs_in_more_bits_than_the_clocks_do(tmp_path):
    """What lesson 10 says of six drawings: tilted, blurred, on grey and grainy paper."""
    from s2i_teach.lessons.archive import _line_drawings

    noise = np.random.default_rng(0)
    drawings = _line_drawings()
    for thing in ("snail", "duck", "umbrella", "cat", "mushroom", "apple"):
        drawings[thing].save(tmp_path / f"{thing}_0.png")
        tilted = (
            drawings[thing]
            .resize((300, 300), Image.Resampling.LANCZOS)
            .rotate(2, fillcolor="white")
            .filter(ImageFilter.GaussianBlur(2))
        )
        grainy = np.asarray(tilted) * 0.9 + noise.normal(0, 6, (300, 300, 1))
        Image.fromarray(grainy.clip(0, 255).astype(np.uint8)).save(tmp_path / f"{thing}_1.jpg", quality=60)
    reasons = [row.reason for row in s2i.clean(tmp_path).rows if row.rule == "near_duplicates"]
    bits = [int(re.search(r"(\d+) of 256 bits", reason)[1]) for reason in reasons]
    assert len(bits) == 6 and min(bits) >= 10 and max(bits) <= 20
