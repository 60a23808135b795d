"""Votes: files, Bradley–Terry against closed forms and simulation, agreement against examples, the widget."""

import csv
import json
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

import s2i_teach as s2i
from s2i_teach.errors import InputError
from s2i_teach.evaluate import rating
from s2i_teach.evaluate.rating import Vote
from s2i_teach.widgets.blind_rating import choose_pairs
from tests.test_report import made


def vote(left, right, choice, rater="ada", sketch="s", seconds=1.5) -> Vote:
    return Vote(rater, sketch, f"picture {left}", f"picture {right}", left, right, choice, seconds)


def played(strengths: dict, count: int, seed: int, ties: float = 0.0) -> list[Vote]:
    """Votes between random cells as the model says that they fall."""
    rng = np.random.default_rng(seed)
    votes = []
    for _ in range(count):
        a, b = rng.choice(list(strengths), 2, replace=False)
        chance = 1 / (1 + math.exp(strengths[b] - strengths[a]))
        choice = "tie" if rng.random() < ties else "left" if rng.random() < chance else "right"
        votes.append(vote(str(a), str(b), choice))
    return votes


# Bradley–Terry


@pytest.mark.parametrize("wins, losses, ties", [(7, 3, 0), (30, 10, 4), (5, 5, 2)])
def test_two_cells_have_the_closed_form(wins, losses, ties):
    """The difference is the logit of the share of wins, its error 1 / √(n p (1 − p)); only a wide prior between."""
    votes = [vote("a", "b", "left")] * wins + [vote("b", "a", "left")] * losses + [vote("a", "b", "tie")] * ties
    gap, error = rating.bradley_terry(votes).difference("a", "b")
    n = wins + losses + ties
    share = (wins + ties / 2) / n
    assert gap == pytest.approx(math.log(share / (1 - share)), rel=0.01, abs=1e-6)
    assert error == pytest.approx(1 / math.sqrt(n * share * (1 - share)), rel=0.01)


def test_strengths_are_those_that_another_library_finds():
    """choix 0.4.1: opt_pairwise(5, pairs, alpha=0.005) of the same 60 votes, less its mean."""
    strengths = {"a": 1.0, "b": 0.4, "c": 0.0, "d": -0.4, "e": -1.0}
    found = rating.bradley_terry(played(strengths, 60, seed=7))
    theirs = [0.95124, 0.87021, 0.24166, -0.79189, -1.27123]
    assert found.cells == tuple(strengths)
    assert found.strengths == pytest.approx(theirs, abs=1e-4)


def test_intervals_cover_the_truth():
    truth = {"a": 0.9, "b": 0.2, "c": -0.3, "d": -0.8}
    held, found = [], []
    for seed in range(60):
        rows = {row.cell: row for row in rating.ranking(played(truth, 150, seed))}
        held += [rows[c].low <= s <= rows[c].high for c, s in truth.items()]
        found.append([rows[c].strength for c in truth])
    assert 0.9 < np.mean(held) <= 0.99
    assert np.mean(found, axis=0) == pytest.approx(list(truth.values()), abs=0.1)


def test_a_ranking_is_from_best_to_worst_and_counts():
    votes = [vote("a", "b", "left"), vote("b", "a", "tie"), vote("c", "b", "left"), vote("a", "c", "left")]
    rows = rating.ranking(votes)
    assert [row.cell for row in rows] == ["a", "c", "b"]
    assert [(row.votes, row.wins) for row in rows] == [(3, 2.5), (2, 1.0), (3, 0.5)]
    assert sum(row.strength for row in rows) == pytest.approx(0, abs=1e-9)


def test_one_who_wins_always_stays_finite_and_unsure():
    rows = rating.ranking([vote("a", "b", "left")] * 8)
    assert rows[0].cell == "a" and math.isfinite(rows[0].strength) and rows[0].high - rows[0].low > 3


def test_cells_that_never_met_are_not_told_apart():
    fit = rating.bradley_terry([vote("a", "b", "left"), vote("a", "b", "right"), vote("c", "d", "tie")])
    gap, error = fit.difference("a", "c")
    assert abs(gap) < 1e-6 and error > 5


def test_the_side_does_not_matter():
    votes = played({"a": 1.0, "b": 0.0, "c": -1.0}, 80, seed=1, ties=0.2)
    turn = {"left": "right", "right": "left", "tie": "tie"}
    turned = [
        replace(v, left=v.right, right=v.left, left_cell=v.right_cell, right_cell=v.left_cell, vote=turn[v.vote])
        for v in votes
    ]
    assert rating.bradley_terry(votes).strengths == pytest.approx(rating.bradley_terry(turned).strengths, abs=1e-6)
    assert rating.rater_agreement(votes) == pytest.approx(rating.rater_agreement(turned), nan_ok=True)


# How many more


def test_votes_needed_has_the_closed_form():
    """For 6 of 10: gap log 1.5, error 1/√(10·0.24), until the gap is 2.8 errors."""
    votes = [vote("a", "b", "left")] * 6 + [vote("a", "b", "right")] * 4
    wanted = 10 * (2.8 / math.sqrt(2.4) / math.log(1.5)) ** 2 - 10
    assert rating.votes_needed(votes) == pytest.approx(wanted, rel=0.03)
    assert rating.votes_needed([vote("a", "b", "left")] * 90 + [vote("a", "b", "right")] * 10) == 0
    assert rating.votes_needed([vote("a", "b", "tie")] * 10) is None


def test_that_many_votes_suffice_four_times_in_five():
    truth = {"a": 0.3, "b": -0.3}
    start = [vote("a", "b", "left")] * 13 + [vote("a", "b", "right")] * 7  # a gap of 0.62, as in truth
    total = len(start) + rating.votes_needed(start)
    shown_apart = []
    for seed in range(150):
        gap, error = rating.bradley_terry(played(truth, total, seed)).difference("a", "b")
        shown_apart.append(gap > rating.CERTAIN * error)
    assert 0.68 < np.mean(shown_apart) < 0.9


def test_only_what_was_voted_on_has_a_number():
    with pytest.raises(InputError, match="No vote is about z: choose one of a, b"):
        rating.votes_needed([vote("a", "b", "left")], "a", "z")
    for call in (rating.bradley_terry, rating.ranking, rating.votes_needed):
        with pytest.raises(InputError, match="no vote yet"):
            call([])


# Agreement


def test_alpha_of_krippendorff_s_example():
    """From "Computing Krippendorff's Alpha-Reliability" (2011), example C: four observers, 12 units, α = 0.849."""
    _ = math.nan
    table = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
            [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
        ]
    )
    units = [column[~np.isnan(column)] for column in table.T]
    assert rating.krippendorff_alpha(units) == pytest.approx(0.849, abs=0.0005)


def test_alpha_equals_brute_force():
    rng = np.random.default_rng(0)
    units = [rng.integers(-1, 2, rng.integers(1, 5)).tolist() for _ in range(30)]
    pairable = [unit for unit in units if len(unit) > 1]
    values = [v for unit in pairable for v in unit]
    n = len(values)
    observed = sum(
        (a - b) ** 2 / (len(u) - 1) for u in pairable for i, a in enumerate(u) for j, b in enumerate(u) if i != j
    )
    expected = sum((a - b) ** 2 for i, a in enumerate(values) for j, b in enumerate(values) if i != j) / (n - 1)
    assert rating.krippendorff_alpha(units) == pytest.approx(1 - observed / expected)


def test_raters_who_agree_contradict_or_guess():
    base = played({"a": 1.0, "b": 0.0, "c": -1.0}, 200, seed=3)
    base = [replace(v, sketch=str(i)) for i, v in enumerate(base)]
    turn = {"left": "right", "right": "left"}
    same = [replace(v, rater="bob") for v in base]
    against = [replace(v, rater="bob", vote=turn[v.vote]) for v in base]
    rng = np.random.default_rng(0)
    guess = [replace(v, rater="bob", vote=str(rng.choice(["left", "right"]))) for v in base]
    assert rating.rater_agreement(base + same) == 1
    assert rating.rater_agreement(base + against) == pytest.approx(-1, abs=0.01)
    assert abs(rating.rater_agreement(base + guess)) < 0.2
    assert math.isnan(rating.rater_agreement(base)), "one rater has nobody to agree with"


def test_always_left_is_no_agreement():
    """Both see each pair with sides of their own: choosing the left one agrees by chance only."""
    rng = np.random.default_rng(1)
    votes = []
    for number in range(300):
        for rater in ("ada", "bob"):
            a, b = ("a", "b") if rng.random() < 0.5 else ("b", "a")
            votes.append(vote(a, b, "left", rater, str(number)))
    assert abs(rating.rater_agreement(votes)) < 0.15


# Files


def test_votes_come_back_from_their_file(tmp_path):
    votes = [vote('strength 0.2, "plain"', "stärke; 1", "tie", "Ada, 7b"), vote("a", "b", "left", seconds=0.25)]
    path = rating.write_votes(tmp_path / "votes" / "ada.csv", votes)
    assert rating.read_votes(path) == votes
    with path.open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == list(rating.COLUMNS)


def test_what_a_spreadsheet_saved_is_read(tmp_path):
    path = rating.write_votes(tmp_path / "a.csv", [vote("a", "b", "left")])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b",", b";").replace(b"1.5", b"1,5"))
    assert rating.read_votes(path) == [vote("a", "b", "left")]


GOOD = "rater,sketch,left,right,left_cell,right_cell,vote,seconds\n"


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "no column rater"),
        (b"a,b\n1,2\n", "no column rater"),
        (b"\xff\xfe\x00", "is no text"),
        (GOOD.replace("vote", "choice").encode(), "no column vote"),
        ((GOOD + "ada,s,p,q,a,b,up,1\n").encode(), "line 2: the vote is up"),
        ((GOOD + "ada,s,p,q,a,b,left,1\nada,s,p,q,a").encode(), "line 3: right_cell is empty"),
        ((GOOD + "ada,s,p,q,a,b,left,soon\n").encode(), "seconds is soon"),
        ((GOOD + "ada,s,p,q,a,a,left,1\n").encode(), "same settings"),
    ],
)
def test_files_that_are_no_votes(tmp_path, content, words):
    path = tmp_path / "v.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        rating.read_votes(path)
    assert "\n" not in str(caught.value)


def test_a_class_s_files_merge(tmp_path):
    first, second = [vote("a", "b", "left")], [vote("a", "b", "right", "bob"), vote("b", "c", "tie", "bob")]
    other_me = [vote("c", "a", "left"), vote("a", "b", "tie")]
    names = ("x.csv", "y.csv", "z.csv", "copy.csv", "earlier.csv")
    paths = [tmp_path / name for name in names]
    for path, votes in zip(paths, (first, second, other_me, second, second[:1]), strict=True):
        rating.write_votes(path, votes)
    merged = rating.merge(paths)
    assert len(merged) == 5, "copies, also earlier ones, count once"
    assert {v.rater for v in merged} == {"ada", "bob", "ada (z.csv)"}
    assert rating.merge(reversed(paths)) == merged
    assert rating.merge(str(paths[0])) == first
    with pytest.raises(InputError, match="no file of votes"):
        rating.merge([])
    with pytest.raises(InputError, match="cannot be read"):
        rating.merge([tmp_path / "none.csv"])


# The widget


@pytest.fixture()
def results():
    return [made(s, name=name, seed=k) for name in ("turtle", "owl") for k in (0, 1) for s in (0.2, 0.5, 0.9)]


@pytest.fixture()
def rate(results, tmp_path):
    """Makes a rating of these results; what it sends to its page is kept."""

    def make(**more):
        widget = s2i.BlindRating(**{"results": results, "path": tmp_path / "votes.csv", "votes": 8, **more})
        widget.heard = []
        widget.send = widget.heard.append
        return widget

    return make


def ask(widget, **request):
    widget._asked(widget, request, [])


def test_pairs_share_sketch_and_seed_and_come_about_equally_often(results):
    pairs = choose_pairs(results, 9, seed=0)
    for a, b in pairs:
        assert a.sketch == b.sketch and a.result.settings.seed == b.result.settings.seed and a.cell != b.cell
    counts = Counter(c.cell for pair in pairs for c in pair)
    assert set(counts) == {"strength 0.2", "strength 0.5", "strength 0.9"} and set(counts.values()) == {6}
    assert len({frozenset((a.picture, b.picture)) for a, b in pairs}) == 9
    assert len(choose_pairs(results, 99, seed=0)) == 12, "there are no more"
    seeds = [made(0.2, seed=0), made(0.9, seed=1)]
    assert len(choose_pairs(seeds, 5, 0)) == 1, "other seeds where there are no others"


def test_raters_see_the_same_pairs_in_an_order_of_their_own(rate, tmp_path):
    ada, again, bob = (rate(rater=r, path=tmp_path / f"{n}.csv") for n, r in enumerate(("ada", "ada", "bob")))

    def order(widget, sort=False):
        pairs = [(a.picture, b.picture) for a, b in widget._pairs]
        return {frozenset(pair) for pair in pairs} if sort else pairs

    assert order(ada) == order(again) != order(bob) and order(ada, True) == order(bob, True)
    assert order(rate(seed=1, path=tmp_path / "other.csv"), True) != order(ada, True)
    sides = [a.result.settings.strength < b.result.settings.strength for a, b in rate(votes=12)._pairs]
    assert 2 <= sum(sides) <= 10, "the stronger one is on either side"


def test_nothing_that_the_page_gets_tells_the_settings(rate):
    widget = rate()
    for _ in range(7):
        words = json.dumps({key: value for key, value in widget.state.items() if not str(value).startswith("data:")})
        assert set(widget.state) == {"done", "total", "last", "sketch", "left", "right"} and "strength" not in words
        widget.vote("left")
    widget.vote("tie")
    assert widget.finished and {row[0] for row in widget.state["ranking"]} >= {"strength 0.2"}


def test_every_vote_is_written_and_the_next_call_goes_on(rate, tmp_path):
    widget = rate()
    for number, choice in enumerate(("left", "right", "tie"), 1):
        left, right = widget._pairs[number - 1]
        ask(widget, do="vote", vote=choice, done=number - 1)
        kept = rating.read_votes(tmp_path / "votes.csv")
        assert kept == widget.votes and len(kept) == number and kept[-1].vote == choice
        assert (kept[-1].left_cell, kept[-1].right_cell) == (left.cell, right.cell) and kept[-1].rater == "me"
    again = rate()
    assert again.votes == widget.votes and again.state == widget.state
    ask(again, do="undo", done=3)
    assert len(again.votes) == 2 == len(rating.read_votes(tmp_path / "votes.csv")) and again.state["done"] == 2
    assert again.ranking() and not again.finished


def test_a_vote_on_a_pair_that_is_gone_does_not_count(rate):
    widget = rate()
    ask(widget, do="vote", vote="left", done=0)
    for request in ({"do": "vote", "vote": "left", "done": 0}, {"do": "undo", "done": 0}, {"do": "vote"}, {}, None):
        widget._asked(widget, request, [])
    assert len(widget.votes) == 1 and widget.heard == [], "two pages may show one pair"
    ask(widget, do="vote", vote="up", done=1)
    assert "use left, right or tie" in widget.heard[-1]["failure"] and len(widget.votes) == 1


def test_a_vote_that_cannot_be_written_does_not_count(rate, tmp_path):
    widget = rate(path=tmp_path / "folder" / "votes.csv")
    (tmp_path / "folder").write_text("no folder")
    ask(widget, do="vote", vote="left", done=0)
    assert "cannot be written" in widget.heard[-1]["failure"]
    assert widget.votes == [] and widget.state["done"] == 0


def test_a_german_rating_speaks_german_and_writes_english(german, rate, results, tmp_path):
    widget = rate()
    ask(widget, do="vote", vote="up", done=0)
    assert widget.heard[-1]["failure"] == "Die Stimme ist 'up': left, right oder tie verwenden."
    for done in range(8):
        ask(widget, do="vote", vote="left", done=done)
    assert {row[0] for row in widget.state["ranking"]} == {"Stärke 0.2", "Stärke 0.5", "Stärke 0.9"}
    cells = {vote.left_cell for vote in rating.read_votes(tmp_path / "votes.csv")}
    assert cells <= {"strength 0.2", "strength 0.5", "strength 0.9"}, "raters of all languages can be merged"
    s2i.language("en")
    assert {row[0] for row in rate().state["ranking"]} == {"strength 0.2", "strength 0.5", "strength 0.9"}


def test_a_notebook_keeps_a_picture_of_it(rate):
    widget = rate()
    widget.vote("left")
    assert 'alt="Blind rating, 1 of 8 votes' in widget._still_html() and "strength" not in widget._still_html()


@pytest.mark.parametrize(
    "more, words",
    [
        ({"results": []}, "no result"),
        ({"results": [made()]}, "nothing to compare"),
        ({"results": [made(name="turtle"), made(0.9, name="owl")]}, "nothing to compare"),
        ({"rater": " "}, "give a name"),
        ({"votes": 0}, "votes is 0"),
        ({"votes": True}, "votes is True"),
        ({"seed": "x"}, "seed is 'x'"),
        ({"path": "votes.txt"}, "does not end in .csv"),
    ],
)
def test_ratings_that_cannot_be(rate, more, words):
    with pytest.raises(InputError, match=words):
        rate(**more)


def test_a_file_of_another_rating_is_left_alone(rate, results, tmp_path):
    widget = rate()
    for _ in range(3):
        widget.vote("left")
    before = (tmp_path / "votes.csv").read_bytes()
    for more, words in (
        ({"rater": "bob"}, "holds votes of me"),
        ({"seed": 3}, "other pictures or in another order"),
        ({"results": results[3:]}, "other pictures or in another order"),
    ):
        with pytest.raises(InputError, match=words):
            rate(**more)
    assert (tmp_path / "votes.csv").read_bytes() == before


def test_from_votes_to_a_ranking(rate):
    """A rater who always prefers more strength."""
    widget = rate(votes=12)
    while not widget.finished:
        left, right = widget._pairs[len(widget.votes)]
        more = left.result.settings.strength > right.result.settings.strength
        ask(widget, do="vote", vote="left" if more else "right", done=len(widget.votes))
    assert [row.cell for row in widget.ranking()] == ["strength 0.9", "strength 0.5", "strength 0.2"]
    assert [row[0] for row in widget.state["ranking"]] == ["strength 0.9", "strength 0.5", "strength 0.2"]
    with pytest.raises(InputError, match="Every pair has its vote"):
        widget.vote("left")
