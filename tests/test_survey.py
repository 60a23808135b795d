"""The survey: the same two times as the quiz, without right answers; a class sees means, and nobody sees anybody."""

import csv
import json
from pathlib import Path

import pytest

import s2i_teach as s2i
from s2i_teach.errors import InputError
from s2i_teach.languages import LANGUAGES
from s2i_teach.lessons import quiz_file
from s2i_teach.lessons.quiz_file import Kept
from s2i_teach.lessons.quiz_questions import UNSURE
from s2i_teach.lessons.survey_questions import FEWEST, SCALE, SURVEY, answer_text, opinions, statements

NAMES = [statement.name for statement in statements("en")]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture()
def german():
    s2i.language("de")
    yield
    s2i.language("en")


def given(*answers: str) -> dict[str, str]:
    return dict(zip(NAMES, answers, strict=True))


def handed_in(path: Path, seed: int, before: list[str], after: list[str] | None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = {"seed": seed, "before": given(*before), "after": None if after is None else given(*after)}
    path.write_text(json.dumps(table), encoding="utf-8")
    return path


def test_every_language_has_all_of_it():
    assert len(NAMES) == len(set(NAMES)) == 8
    for code in LANGUAGES:
        assert [statement.name for statement in statements(code)] == NAMES
        texts = [*(s.text for s in statements(code)), *(answer_text(name, code) for name in (*SCALE, UNSURE))]
        assert len(set(texts)) == 14 and all(texts)
        assert code == "en" or not set(texts) & {s.text for s in statements("en")}
    with pytest.raises(InputError, match="en, de"):
        statements("xx")


def test_answered_twice_and_then_shown():
    sheet = s2i.survey(answers=[])
    assert (
        sheet.phase == "before" and statements("en")[0].text in str(sheet) and "a) I disagree strongly." in str(sheet)
    )
    assert not Path(SURVEY.name).exists(), "looking writes nothing"
    first = s2i.survey(answers=["a", "b", "c", "d", "e", "f", None, "5"])
    assert first.phase == "kept" and "without your name" in str(first)
    assert first.kept.before == given("1", "2", "3", "4", "5", UNSURE, UNSURE, "5")
    assert s2i.survey(answers=[]).phase == "after"
    end = s2i.survey(answers=["5"] * 8)
    assert end.phase == "done" and end.kept.seed == first.kept.seed
    assert "Before: I disagree strongly." in str(end) and "After: I agree strongly." in str(end)
    assert "I would rather not say." in str(end) and "right" not in json.dumps(end.state())
    with pytest.raises(InputError, match="answered twice"):
        s2i.survey(answers=["1"] * 8)
    assert set(json.loads(Path(SURVEY.name).read_text())) == {"seed", "before", "after"}, "no name is kept"


@pytest.mark.parametrize("answers", ["abcdeabc", 3, ["a"] * 7, ["a"] * 7 + ["g"], ["a"] * 7 + [6]])
def test_answers_that_no_statement_has(answers):
    with pytest.raises(InputError):
        s2i.survey(answers=answers)
    assert not Path(SURVEY.name).exists()


def test_survey_and_quiz_keep_apart():
    s2i.survey(answers=["3"] * 8)
    assert s2i.quiz(answers=[]).phase == "before" and not Path(quiz_file.NAME).exists()
    Path(SURVEY.name).rename(quiz_file.NAME)
    with pytest.raises(InputError, match="holds no answers that can be read"):
        s2i.quiz(answers=[])


def test_the_page_is_the_quiz_s_without_right_and_wrong():
    page = s2i.survey()
    assert page.state["kind"] == "survey" and len(page.state["questions"]) == 8
    assert [name for name, _ in page.state["questions"][3]["options"]] == [*SCALE, UNSURE], "in order, for everybody"
    assert "eight statements" in page._still_html()
    answers = given(*"12345123")
    page._asked(page, {"do": "hand_in", "phase": "before", "answers": answers | {"mine": "6"}}, [])
    assert page.state["phase"] == "before", "6 is no answer"
    page._asked(page, {"do": "hand_in", "phase": "before", "answers": answers}, [])
    assert page.state["phase"] == "kept" and SURVEY.name in page._still_html()
    again = s2i.survey()
    again._asked(again, {"do": "hand_in", "phase": "after", "answers": answers | {"mine": UNSURE}}, [])
    assert again.state["phase"] == "done" and "questions" not in again.state
    row = again.state["results"][0]
    assert row == {
        "text": statements("en")[0].text,
        "before": "I disagree strongly.",
        "after": "I would rather not say.",
    }
    assert "None is right or wrong" in again._still_html()


def test_in_german(german):
    assert "a) Ich widerspreche sehr." in str(s2i.survey(answers=[]))
    done = [s2i.survey(answers=["2"] * 8) for _ in range(2)][1]
    assert "Vorher: Ich widerspreche." in str(done) and "agree" not in str(done)


# The class


def test_means_are_of_those_who_answered_both_times():
    surveys = [
        Kept(1, given(*["1"] * 8), given(*["3"] * 8)),
        Kept(2, given(*["2"] * 8), given(*["5"] * 8)),
        Kept(3, given(*["3"] * 8), given("4", UNSURE, *["4"] * 6)),
        Kept(4, given(*["5"] * 8), None),
    ]
    found = {opinion.statement.name: opinion for opinion in opinions(surveys)}
    assert NAMES[1] not in found, f"two are fewer than {FEWEST}"
    mine = found["mine"]
    assert (mine.before, mine.after, mine.change, mine.count) == (2, 4, 2, 3)
    assert opinions(surveys[:2]) == [] and opinions([]) == []


def test_a_class_sees_means_and_no_person(tmp_path):
    room = tmp_path / "class"
    handed_in(room / "surveys" / "s2i_survey.json", 11, ["1"] * 8, ["2"] * 8)
    handed_in(room / "surveys" / "s2i_survey (2).json", 12, ["2"] * 8, ["2"] * 8)
    handed_in(room / "anna" / "s2i_survey.json", 13, ["3"] * 8, ["5"] * 8)
    handed_in(room / "s2i_survey (3).json", 13, ["3"] * 8, None)  # the same person's, from before
    (room / "bo").mkdir()
    (room / "bo" / "s2i_survey.json").write_text("{}")
    table = s2i.scores(room)
    assert [kept.seed for kept in table.surveys] == [11, 12, 13]
    assert "Survey, 3 handed in" in str(table) and "2.0 → 3.0, +1.00 (3)" in str(table)
    assert [row[0] for row in table.rows[1:]] == ["bo"], "who handed in a survey alone is no row"
    assert table.set_aside == ("Set aside: bo/s2i_survey.json holds no answers of before and after.",)
    *_, survey = table.save(tmp_path / "scores.csv")
    assert survey.name == "scores-survey.csv"
    rows = list(csv.reader(survey.read_text(encoding="utf-8-sig").splitlines()))
    assert rows[0] == ["statement", "answered", "before", "after", "change"] and rows[1][1:] == [
        "3",
        "2.0",
        "3.0",
        "1.0",
    ]
    assert "anna" not in survey.read_text(encoding="utf-8-sig")
    assert s2i.scores(room, anonymous=True).survey_table() == table.survey_table()


def test_of_two_people_nothing_is_told(tmp_path):
    for number in (1, 2):
        handed_in(tmp_path / "class" / f"s2i_survey ({number}).json", number, ["1"] * 8, ["5"] * 8)
    table = s2i.scores(tmp_path / "class")
    assert all(row[1:] == ["fewer than 3", None, None, None] for row in table.survey_table()[1:])
    assert "answered by fewer than 3" in str(table) and "→" not in str(table)
