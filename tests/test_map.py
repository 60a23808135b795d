"""Which lesson needs which: read from the lessons, and drawn as it was read."""

import re

import pytest

from notebooks import map as lesson_map
from notebooks.map import Lesson, before, in_words, lessons, numbers, read

TABLE = {lesson.number: lesson for lesson in lessons()}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("the U-Net of lesson 4, lesson 1's PSNR", {1, 4}),
        ("lessons 3, 5 and 6", {3, 5, 6}),
        ("lessons 2 to 5 and 9", {2, 3, 4, 5, 9}),
        ("section 7 of this page, two lessons, 3 hours", set()),
    ],
)
def test_the_lessons_that_a_text_names(text, found):
    assert numbers(text) == found


def written(folder, row):
    path = folder / "07_a_name.py"
    path.write_text(
        f"# # Lesson 7. A name\n#\n# | **Time** | lesson 9 |\n{row}\n# Lesson 8 comes next.\n", encoding="utf-8"
    )
    return path


@pytest.mark.parametrize(
    ("row", "needs", "in_part"),
    [
        ("# | **You need** | the step of lesson 5; means |", {5}, set()),
        ("#\n# **You need:** lesson 2 (a leap) and\n# lesson 3.\n#", {2, 3}, set()),
        ("# | **You need** | for section 1 lists; for section 6 also the loop of lesson 4 |", set(), {4}),
        ("# | **You need** | only this page |", set(), set()),
    ],
)
def test_a_row_is_read(tmp_path, row, needs, in_part):
    assert read(written(tmp_path, row)) == Lesson(7, "A name", needs, in_part)


def test_a_lesson_without_its_row_is_refused(tmp_path):
    with pytest.raises(ValueError, match="07_a_name.py has no title, or no row"):
        read(written(tmp_path, "# | **Hardware** | any |"))


def test_lessons_need_earlier_ones_alone():
    sources = sorted((lesson_map.HERE / "source").glob("*.py"))
    assert list(TABLE) == [int(path.name[:2]) for path in sources]
    for number, lesson in TABLE.items():
        assert all(one < number for one in lesson.needs | lesson.in_part), number
        assert lesson.needs or lesson.in_part or number == 0
    assert before(8, TABLE) == set(range(8)), "the miniature's lesson builds on all before it"


def test_the_picture_shows_the_lessons_as_they_are():
    """Run `make map` if this fails."""
    text = lesson_map.PICTURE.read_text(encoding="utf-8")
    assert re.search("<dc:description>(.*?)</dc:description>", text)[1] == in_words(TABLE)
    figure = lesson_map.draw(TABLE)
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert all(lesson.title in shown for lesson in TABLE.values())
    drawn = sum(len(lesson.needs | lesson.in_part) for lesson in TABLE.values())
    assert sum(word.isdigit() for word in shown) == drawn + len(TABLE)


def test_the_readme_tells_what_the_picture_shows():
    page = (lesson_map.ROOT / "README.md").read_text(encoding="utf-8")
    alt = re.search(r'<img src="docs/lessons.svg"[^>]*alt="([^"]+)"', page)[1]
    chains = [(9, 8), (11, 9), (11, 10), (12, 11), (13, 12), (14, 12), (15, 14), (16, 15), (17, 14), (20, 14)]
    chains += [(18, 5), (19, 12), (19, 18), (21, 8)]
    assert all(one in TABLE[number].needs for number, one in chains)
    assert not TABLE[10].needs and TABLE[10].in_part == {4, 5} and "one section that uses 4 and 5" in alt
    assert not any(13 in lesson.needs for lesson in TABLE.values()) and "no lesson needs 13" in page
    assert TABLE[21].in_part == {14, 18} and "sections that use 14 and 18" in alt
    for number in range(8, max(TABLE) + 1):
        assert re.search(rf"\b{number}\b", alt), number


def test_no_title_runs_into_the_dots():
    """Drawn, and measured in pixels."""
    figure = lesson_map.draw(TABLE)
    figure.canvas.draw()
    axes = figure.axes[0]
    left = axes.transData.transform((-0.2, 0))[0]
    titles = [text for text in axes.texts if text.get_text() in {lesson.title for lesson in TABLE.values()}]
    assert len(titles) == len(TABLE)
    assert [text.get_text() for text in titles if text.get_window_extent().x1 > left] == []
