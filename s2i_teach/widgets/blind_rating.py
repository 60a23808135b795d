"""Two pictures and their sketch, which is better? Settings stay hidden until the last vote."""

import random
import time
from collections import Counter
from itertools import combinations
from pathlib import Path

import traitlets
from PIL import Image

from s2i_teach.errors import InputError
from s2i_teach.evaluate import rating, strings
from s2i_teach.evaluate.cells import as_results, cell_names
from s2i_teach.evaluate.rating import Rank, Vote, picture_id
from s2i_teach.files import as_path, shown, written
from s2i_teach.gallery import contact_sheet
from s2i_teach.translation.result import Result
from s2i_teach.widgets.base import LiveWidget, source
from s2i_teach.widgets.drawing import picture_url

SIDE = 384
"""Pixels to which larger pictures are shrunk before they travel to the page."""


class BlindRating(LiveWidget):
    """Votes between two pictures of the same sketch, made with different settings.

    Which pairs, in which order and on which side is random; the settings are hidden until the last vote. After every
    vote ``path`` is written, whole, in English whatever the language; the same call goes on where it ended. Arrow keys left and right vote, down is a
    tie, U takes the last vote back. For the file's columns see :class:`s2i_teach.evaluate.rating.Vote`.

    Args:
        results: what ``translate`` returned, at least two of one sketch with different settings; or an object that has
            them as ``.results``.
        path: of the CSV file.
        rater: your name in the file; anything that tells you from others.
        votes: how many pairs, at most; each setting comes about equally often.
        seed: of the choice of pairs. Raters who use the same one see the same pairs, each in an order of their own, and
            only those can agree or not.

    Raises:
        InputError: nothing to compare, no name, or a file of other pictures or another rater.
    """

    _esm = source("parts.js", "blind_rating.js")
    state = traitlets.Dict().tag(sync=True)

    def __init__(self, results, path: str | Path = "ratings.csv", *, rater: str = "me", votes: int = 40, seed: int = 0):
        results = as_results(results)
        if not isinstance(rater, str) or not rater.strip():
            raise InputError(f"The rater is {written(rater)}: give a name, or anything that tells you from others.")
        if not isinstance(votes, int) or isinstance(votes, bool) or votes < 1:
            raise InputError(f"votes is {written(votes)}: give how many pairs you want to see, 1 or more.")
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise InputError(f"The seed is {written(seed)}: give a whole number.")
        self._names = dict(zip(cell_names(results), cell_names(results, strings.table()), strict=True))
        path = as_path(path)
        if path.suffix.lower() != ".csv":
            raise InputError(f"{shown(path)} does not end in .csv: votes are a table.")
        self.path, self.rater = path, rater.strip()
        self._pairs = _in_order(choose_pairs(results, votes, seed), self.rater, seed)
        self._votes: list[Vote] = self._resumed() if path.exists() else []
        self._shown_at = time.monotonic()
        super().__init__(state=self._state(self._votes))
        self.on_msg(self._asked)

    @property
    def votes(self) -> list[Vote]:
        """The votes so far, as they are in the file."""
        return list(self._votes)

    @property
    def finished(self) -> bool:
        """Whether every pair has its vote."""
        return len(self._votes) == len(self._pairs)

    def ranking(self) -> list[Rank]:
        """Settings from best to worst by the votes so far: see :func:`s2i_teach.evaluate.rating.ranking`.

        Who has looked at it does not vote blindly any more.

        Raises:
            InputError: there is no vote yet.
        """
        return rating.ranking(self._votes)

    def vote(self, choice: str) -> None:
        """Vote on the pair that is shown: "left", "right" or "tie".

        Raises:
            InputError: another word, or no pair is left; or the file cannot be written: then the vote does not count.
        """
        if choice not in rating.CHOICES:
            raise InputError(f"The vote is {written(choice)}: use left, right or tie.")
        if self.finished:
            raise InputError("Every pair has its vote: undo one, or make a new rating.")
        left, right = self._pairs[len(self._votes)]
        seconds = round(time.monotonic() - self._shown_at, 2)
        made = Vote(self.rater, left.sketch, left.picture, right.picture, left.cell, right.cell, choice, seconds)
        self._keep([*self._votes, made])

    def undo(self) -> None:
        """Take the last vote back, if there is one; its pair comes again.

        Raises:
            InputError: the file cannot be written.
        """
        if self._votes:
            self._keep(self._votes[:-1])

    def _keep(self, votes: list[Vote]) -> None:
        rating.write_votes(self.path, votes)
        self._votes = votes
        self._shown_at = time.monotonic()
        self.state = self._state(votes)
        self._renew_still()

    def _asked(self, _, request, buffers) -> None:
        """A message from the page: a vote counts if it is about the pair that is shown, since two pages may show it."""
        what = request.get("do") if isinstance(request, dict) else None
        if what == "hello":
            self.send({"hello": True})
        elif what in ("vote", "undo") and request.get("done") == len(self._votes):
            try:
                self.vote(request.get("vote")) if what == "vote" else self.undo()
            except InputError as error:
                self.send({"failure": self._said(error)})

    def _state(self, votes: list[Vote]) -> dict:
        """What the page shows: the pair, or in the end the ranking."""
        state = {"done": len(votes), "total": len(self._pairs), "last": votes[-1].vote if votes else ""}
        if len(votes) < len(self._pairs):
            left, right = self._pairs[len(votes)]
            pictures = {"sketch": left.result.sketch, "left": left.result.image, "right": right.result.image}
            return state | {name: picture_url(_small(picture)) for name, picture in pictures.items()}
        rows = [
            [name, f"{row.strength:+.2f}", f"{row.low:+.2f}", f"{row.high:+.2f}", f"{row.wins:g}", str(row.votes)]
            for row in rating.ranking(votes)
            for name in [self._names.get(row.cell, row.cell)]
        ]
        needed = rating.votes_needed(votes)
        return state | {"ranking": rows, "path": str(self.path), "needed": -1 if needed is None else needed}

    def _resumed(self) -> list[Vote]:
        """The votes of the file, which must be the first ones of this rating."""
        votes = rating.read_votes(self.path)
        raters = {vote.rater for vote in votes} - {self.rater}
        if raters:
            raise InputError(
                f"{shown(self.path)} holds votes of {shown(raters.pop())}: give another path, or rater= with that name."
            )
        for vote, (left, right) in zip(votes, self._pairs, strict=False):
            if (vote.left, vote.right, vote.sketch) != (left.picture, right.picture, left.sketch):
                raise InputError(
                    f"{shown(self.path)} holds votes on other pictures or in another order: give another path."
                )
        if len(votes) > len(self._pairs):
            raise InputError(
                f"{shown(self.path)} holds {len(votes)} votes, more than the {len(self._pairs)} asked for: give more "
                "votes= or another path."
            )
        return votes

    def _still(self):
        total, done = len(self._pairs), len(self._votes)
        left, right = self._pairs[min(done, total - 1)]
        captions = [self.words["left_picture"], self.words["the_sketch"], self.words["right_picture"]]
        pictures = [left.result.image, left.result.sketch, right.result.image]
        sheet = contact_sheet([([p], caption) for p, caption in zip(pictures, captions, strict=True)], 3, 128)
        return sheet, self.words["still_rating"].format(done=done, total=total)


class Candidate:
    """A result in a pair, with the names that its file has for it."""

    def __init__(self, result: Result, cell: str):
        self.result, self.cell = result, cell
        self.sketch, self.picture = picture_id(result.sketch), picture_id(result.image)


def choose_pairs(results: list[Result], votes: int, seed: int) -> list[tuple[Candidate, Candidate]]:
    """At most ``votes`` pairs of one sketch, one seed where that is possible, and different settings.

    The same for the same seed. Each time the pair is taken whose settings have been seen least, so that all come about
    equally often.

    Raises:
        InputError: there is no such pair.
    """
    every = [Candidate(result, cell) for result, cell in zip(results, cell_names(results), strict=True)]
    pairs = [
        (a, b)
        for a, b in combinations(every, 2)
        if a.sketch == b.sketch and a.cell != b.cell and a.picture != b.picture
    ]
    same_seed = [(a, b) for a, b in pairs if a.result.settings.seed == b.result.settings.seed]
    pairs = same_seed or pairs
    if not pairs:
        raise InputError(
            "There is nothing to compare: give at least two results of one sketch with different settings and pictures."
        )
    random.Random(seed).shuffle(pairs)
    seen: Counter[str] = Counter()
    chosen: list[tuple] = []
    while pairs and len(chosen) < votes:
        # The first of the least seen: shuffled, so that which one is left to chance.
        place = min(range(len(pairs)), key=lambda i: sum(seen[c.cell] for c in pairs[i]))
        pair = pairs.pop(place)
        seen.update(c.cell for c in pair)
        chosen.append(pair)
    return chosen


def _in_order(pairs: list, rater: str, seed: int) -> list[tuple[Candidate, Candidate]]:
    """The pairs in this rater's own order, each with its sides at random."""
    own = random.Random(f"{seed} {rater}")  # a text is a seed that is the same on every machine
    pairs = [pair if own.random() < 0.5 else pair[::-1] for pair in pairs]
    own.shuffle(pairs)
    return pairs


def _small(picture: Image.Image) -> Image.Image:
    copy = picture.convert("RGB")
    copy.thumbnail((SIDE, SIDE))
    return copy
