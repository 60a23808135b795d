"""The concept quiz: its answers are what the lessons show, it tells nothing too early, and it loses nothing."""

import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest
import torch

import s2i_teach as s2i
from s2i_teach.errors import InputError
from s2i_teach.languages import LANGUAGES
from s2i_teach.lessons import quiz_file
from s2i_teach.lessons.quiz_file import Kept
from s2i_teach.lessons.quiz_questions import UNSURE, gain, points, questions

SOURCE = Path(__file__).parent.parent / "notebooks" / "source"
RIGHT = {question.name: question.right for question in questions("en")}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture()
def german():
    s2i.language("de")
    yield
    s2i.language("en")


# The questions


def test_there_are_ten_in_the_order_of_the_lessons():
    assert len(questions("en")) == len(RIGHT) == 10
    lessons = [question.lesson for question in questions("en")]
    assert lessons == sorted(lessons)
    for question in questions("en"):
        assert len(question.options) == 4 and question.option(question.right)
        texts = [option.text for option in question.options]
        reasons = [option.why for option in question.options]
        assert len({*texts, *reasons}) == 8 and all(texts) and all(reasons)
        assert UNSURE not in [option.name for option in question.options]


@pytest.mark.parametrize("question", questions("en"), ids=list(RIGHT))
def test_a_lesson_shows_the_answer(question):
    """The section is there, and says in these words what makes the answer right."""
    (path,) = SOURCE.glob(f"{question.lesson:02d}_*.py")
    text = re.sub(r"(?m)^# ?", "", path.read_text(encoding="utf-8"))
    _, heading, rest = text.partition(f"## {question.section}\n")
    assert heading, question.section
    section = rest.partition("\n## ")[0]
    assert question.shows in section, question.shows


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_has_all_of_it(code):
    for own, english in zip(questions(code), questions("en"), strict=True):
        assert (own.name, own.right, own.lesson) == (english.name, english.right, english.lesson)
        assert [option.name for option in own.options] == [option.name for option in english.options]
        assert code == "en" or own.text != english.text
        assert all(option.text and option.why for option in own.options)
    with pytest.raises(InputError, match="en, de"):
        questions("xx")


def test_no_question_gives_its_answer_away():
    """Neither by its length nor by its place: over students the right answer is at each place equally often."""
    for code in LANGUAGES:
        longest = [max(q.options, key=lambda option: len(option.text)).name == q.right for q in questions(code)]
        assert 1 <= sum(longest) <= 4, code
    places = Counter(Kept(seed).order(q).index(q.right) for seed in range(300) for q in questions())
    assert all(abs(places[place] / 3000 - 0.25) < 0.03 for place in range(4)) and len(places) == 4
    assert all(Kept(seed).order(q)[-1] == UNSURE for seed in range(20) for q in questions())
    assert Kept(5).order(questions()[0]) == Kept(5).order(questions()[0])


# What the library says to them


def test_a_lot_costs_twice_the_error_of_the_mean():
    """Question *blur*: the mean of the pictures that it might have been, against one of them by lot."""
    weights = torch.softmax(torch.randn(40, generator=torch.Generator().manual_seed(0)), 0).double()
    data = torch.randn(40, 3, generator=torch.Generator().manual_seed(1)).double()
    mean = (weights[:, None] * data).sum(0)
    distances = ((data[:, None] - data[None]) ** 2).sum(2)
    by_lot = (weights[:, None] * weights[None] * distances).sum()
    of_mean = (weights * ((data - mean) ** 2).sum(1)).sum()
    assert by_lot == pytest.approx(2 * of_mean.item())


def test_guidance_of_one_is_the_prediction_with_the_words():
    """Questions *guidance* and *negative*: at 1 what stands in the place of the empty prompt cancels."""
    from s2i_teach.theory.guidance import classifier_free_guidance

    empty, words = torch.randn(2, 4, 8, 8)
    assert torch.allclose(classifier_free_guidance(empty, words, 1), words, atol=1e-6)
    assert torch.equal(classifier_free_guidance(empty, words, 0), empty)
    assert torch.allclose(classifier_free_guidance(empty, words, 0.5), (empty + words) / 2, atol=1e-6)


def test_strength_one_half_starts_where_the_question_says(tiny_pipe):
    """Question *strength*, with Stable Diffusion's schedule and diffusers' spacing."""
    from s2i_teach.theory.schedule import alphas_cumprod, scaled_linear_betas, signal_to_noise_ratio

    plan = s2i.Settings("a", strength=0.5, num_inference_steps=20, size=(64, 64)).plan(tiny_pipe)
    assert (plan.timesteps[0], len(plan.timesteps)) == (451, 10)
    ratio = signal_to_noise_ratio(alphas_cumprod(scaled_linear_betas()))
    assert int((ratio - 1).abs().argmin()) == 354


# Before and after


def letters(sheet, answers: dict) -> list[str]:
    return ["abcde"[sheet.kept.order(q).index(answers[q.name])] for q in sheet.questions]


def test_before_tells_nothing_and_after_tells_all():
    sheet = s2i.quiz(answers=[])
    assert sheet.phase == "before" and sheet.questions[0].text in str(sheet)
    hidden = [option.why for question in questions() for option in question.options]
    assert not any(why in str(sheet) or why in json.dumps(sheet.state()) for why in hidden)
    assert not Path(quiz_file.NAME).exists(), "looking writes nothing"
    first = {**RIGHT, "blur": "knows", "trial": UNSURE, "lead": "every"}
    done = s2i.quiz(answers=[first[q.name] for q in questions()])
    assert (
        done.phase == "kept" and not any(why in str(done) for why in hidden) and "right" not in json.dumps(done.state())
    )
    again = s2i.quiz(answers=[])
    assert again.phase == "after" and again.kept.before == first and again.kept.seed == done.kept.seed
    end = s2i.quiz(answers=letters(again, {**RIGHT, "lead": "guidance"}))
    assert end.phase == "done" and end.kept.before == first
    said = str(end)
    assert "7 before the course, 9 after it. Normalised gain: 67%." in said
    lead = questions()[-1]
    assert lead.option("guidance").why in said and lead.option("every").why in said and lead.option("none").why in said
    assert "See lesson 14, section 1." in said
    with pytest.raises(InputError, match="answered twice"):
        s2i.quiz(answers=list(RIGHT.values()))
    assert str(s2i.quiz(answers=[])) == said


def test_gain_is_the_share_of_what_was_missing():
    assert gain(4, 7) == pytest.approx(0.5) and gain(0, 10) == 1 and gain(6, 6) == 0
    assert gain(8, 6) == pytest.approx(-1) and gain(10, 10) is None
    assert points(RIGHT) == 10 and points({}) == 0 and points({**RIGHT, "trial": "pairs", "blur": UNSURE}) == 8


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ("abcdabcdab", "a list of letters"),
        (3, "a list of letters"),
        (["a"] * 9, "10 questions and 9 answers"),
        (["a"] * 9 + ["f"], "question 10 is 'f'"),
        (["a"] * 9 + [2], "question 10 is 2"),
    ],
)
def test_answers_that_no_question_has(answers, words):
    with pytest.raises(InputError, match=words):
        s2i.quiz(answers=answers)
    assert not Path(quiz_file.NAME).exists()


GOOD = {"seed": 1, "before": RIGHT, "after": None}
DAMAGED = {
    "no JSON": b"{",
    "no text": b"\xff\xfe",
    "deep": b"[" * 100_000,
    "a list": b"[]",
    "progress": b'{"add_noise": {"attempts": 1}}',
    "a text as seed": json.dumps({**GOOD, "seed": "1"}).encode(),
    "a huge seed": json.dumps({**GOOD, "seed": 2**70}).encode(),
    "other questions": json.dumps({**GOOD, "before": {"x": "y"}}).encode(),
    "another answer": json.dumps({**GOOD, "before": {**RIGHT, "blur": "x"}}).encode(),
    "a list as answer": json.dumps({**GOOD, "before": {**RIGHT, "blur": []}}).encode(),
    "after alone": json.dumps({**GOOD, "before": None, "after": RIGHT}).encode(),
    "large": b" " * 100_000,
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused_and_left_alone(name):
    Path(quiz_file.NAME).write_bytes(DAMAGED[name])
    with pytest.raises(InputError, match="move it away"):
        s2i.quiz(answers=[])
    assert Path(quiz_file.NAME).read_bytes() == DAMAGED[name]


def test_a_folder_that_cannot_be_written_keeps_the_phase(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match="cannot be (written|read)"):
        s2i.quiz(answers=list(RIGHT.values()), folder=tmp_path / "file")


# The widget


@pytest.fixture()
def page():
    """A widget; what it sends to its page is kept."""
    widget = s2i.quiz()
    widget.heard = []
    widget.send = widget.heard.append
    return widget


def ask(widget, **request):
    widget._asked(widget, request, [])


def test_the_page_hands_in_twice_and_then_shows(page):
    assert page.state["phase"] == "before" and len(page.state["questions"]) == 10
    ask(page, do="hand_in", phase="before", answers={name: UNSURE for name in RIGHT})
    assert page.state["phase"] == "kept" and "questions" not in page.state and "results" not in page.state
    ask(page, do="hand_in", phase="before", answers=RIGHT)
    ask(page, do="hand_in", phase="after", answers=RIGHT)
    assert quiz_file.read(Path()).phase == "after", "the second time needs a cell that runs again"
    again = s2i.quiz()
    ask(again, do="hand_in", phase="after", answers=RIGHT)
    assert again.state["phase"] == "done" and (again.state["before"], again.state["after"]) == (0, 10)
    assert again.state["gain"] == "100%" and all(row["after"][1] for row in again.state["results"])


def test_what_the_page_did_not_ask_counts_for_nothing(page):
    whole = {"do": "hand_in", "phase": "before", "answers": RIGHT}
    for odd in (None, "x", {}, {**whole, "phase": "after"}, {**whole, "answers": None}, {**whole, "answers": {}}):
        page._asked(page, odd, [])
    for answers in ({**RIGHT, "blur": "x"}, {**RIGHT, "blur": ["mean"]}, {**RIGHT, "more": "x"}):
        page._asked(page, {**whole, "answers": answers}, [])
    assert page.heard == [] and not Path(quiz_file.NAME).exists()
    ask(page, do="hello")
    assert page.heard == [{"hello": True}]


def test_two_pages_of_one_quiz_do_not_overwrite_each_other(page):
    other = s2i.quiz()
    ask(page, do="hand_in", phase="before", answers=RIGHT)
    other.heard = []
    other.send = other.heard.append
    ask(other, do="hand_in", phase="before", answers={name: UNSURE for name in RIGHT})
    assert "answered elsewhere" in other.heard[0]["failure"]
    assert quiz_file.read(Path()).before == RIGHT


def test_a_german_quiz_asks_in_german_and_keeps_names(german, page):
    assert page.state["questions"][0]["text"] == questions("de")[0].text != questions("en")[0].text
    assert "e) Das weiß ich noch nicht." in str(s2i.quiz(answers=[]))
    Path(quiz_file.NAME).mkdir()
    ask(page, do="hand_in", phase="before", answers=RIGHT)
    assert "kann nicht gelesen werden" in page.heard[-1]["failure"]
    Path(quiz_file.NAME).rmdir()
    ask(page, do="hand_in", phase="before", answers=RIGHT)
    assert json.loads(Path(quiz_file.NAME).read_text(encoding="utf-8"))["before"] == RIGHT


def test_a_notebook_keeps_a_line_of_it(page):
    assert "ten questions" in page._still_html()
    ask(page, do="hand_in", phase="before", answers=RIGHT)
    assert quiz_file.NAME in page._still_html()


def test_random_answers_are_seldom_right():
    lot = random.Random(0)
    scores = [points({q.name: lot.choice(Kept(n).order(q)[:-1]) for q in questions()}) for n in range(400)]
    assert sum(scores) / 400 == pytest.approx(2.5, abs=0.3)
