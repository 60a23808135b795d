"""Exercises of lesson 10, data: where sketches come from."""

import hashlib
import random

import numpy as np
import torch

from s2i_teach.data_sources.draw import pick
from s2i_teach.data_sources.rules import GRAIN, ink, paper_tone
from s2i_teach.lessons.claims import CLAIMS, FACTS, evidence, reasons, what_is_wrong
from s2i_teach.lessons.engine import Exercise, Lesson, Mistake


def _pick_cases(generator):
    names = [f"sketch_{number}.JPEG" for number in range(50)]
    order = torch.randperm(50, generator=generator).tolist()
    seed = int(torch.randint(1000, (), generator=generator))
    yield [names[i] for i in order], 5, seed, "tench"
    yield [names[i] for i in order[::-1]], 8, seed, "tench"
    yield names[:9], 5, seed + 1, "goldfish"
    yield ["b.png", "a.png", "b.png", "c.png", "a.png"], 3, seed, "cat"
    yield names[:4], 10, seed, "owl"
    # So many that some tickets agree in their first byte or two.
    yield [f"sketch_{number}.JPEG" for number in range(1000)], 300, seed, "drake"


def _ticket(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _pick(key=lambda seed, category, name: f"{seed}/{category}/{name}", hashed=_ticket, reverse=False, once=True):
    """A variant of the draw, for the mistakes."""

    def variant(names, k, seed, category):
        some = set(names) if once else names
        return sorted(some, key=lambda name: hashed(key(seed, category, name)), reverse=reverse)[:k]

    return variant


def _explain_pick(arguments: tuple, answer) -> str | None:
    """What is wrong with a list that holds other things than names, such as the tickets."""
    names = arguments[0]
    strange = [one for one in answer if one not in names] if isinstance(answer, (list, tuple)) else []
    return f"{strange[0]!r} is none of the names: give back the names that hold the tickets." if strange else None


def _pages(generator):
    """Grey pages ``(H, W)``, uint8: soft lines on yellowed, grainy paper, lines on white, many, none; stains just as
    dark as grain may be; a label lighter than the paper."""

    def page(height, width, paper, grain, line, lines):
        noise = torch.randint(-grain, grain + 1, (height, width), generator=generator).numpy()
        grey = np.clip(paper + noise, 0, 255).astype(np.uint8)
        for row in torch.randperm(height, generator=generator)[:lines].tolist():
            grey[row, width // 4 :] = line
        return grey

    pages = [
        page(30, 20, 225, 6, 150, 5),
        page(24, 32, 255, 0, 0, 3),
        page(20, 20, 240, 8, 20, 9),
        page(16, 16, 250, 4, 0, 0),
        page(20, 20, 235, 0, 40, 4),
        page(24, 24, 190, 3, 30, 4),
    ]
    pages[-2][:, :3] = 235 - GRAIN
    pages[-1][4:10, 4:10] = 250
    return pages


def _ink_cases(generator):
    for grey in _pages(generator):
        yield (grey,)


def _ink(paper=paper_tone, whole=None, grain=GRAIN, of=lambda grey: grey.astype(float), signed=lambda darker: darker):
    """A variant of the share of ink, for the mistakes."""

    def variant(grey):
        light = paper(grey)
        darker = signed(light - of(grey))
        return float(np.where(darker > grain, darker, 0).mean() / (whole or light))

    return variant


def _of_the_ink_alone(grey):
    """The mean darkness of what is ink, for the mistakes."""
    darker = paper_tone(grey) - grey.astype(float)
    return float(darker[darker > GRAIN].mean() / paper_tone(grey))


def _evidence_case(generator):
    yield ()  # all ten claims at once: a check of one claim could be passed by guessing


_IDLE = set(FACTS) - {key for _, key in evidence().values()}

LESSON = Lesson(
    10,
    "Data: where sketches come from",
    [
        Exercise(
            "pick",
            pick,
            _pick_cases,
            hints=(
                'The ticket of a name: hashlib.sha256(f"{seed}/{category}/{name}".encode()).digest(). Bytes can be '
                "sorted.",
                "sorted(names, key=ticket) puts the names in the order of their tickets, whatever their order was "
                "before.",
                "A name may be listed twice and takes part once: set(names). Then the first k: [:k].",
            ),
            mistakes={
                "first of the list": Mistake(
                    lambda names, k, seed, category: names[:k],
                    "these are the first of the list: the list comes in another order on every computer.",
                ),
                "first by name": Mistake(
                    lambda names, k, seed, category: sorted(set(names))[:k],
                    "these are the first by name, with every seed: sort by the tickets.",
                ),
                "not sorted before random": Mistake(
                    lambda names, k, seed, category: random.Random(seed).sample(names, min(k, len(names))),
                    "random.sample draws *places* of the list, so another order of the names gives other files: draw "
                    "by tickets.",
                ),
                "sorted before random": Mistake(
                    lambda names, k, seed, category: random.Random(seed).sample(sorted(names), min(k, len(names))),
                    "this does not mind the order any more, but draws the same places in every category, and one file "
                    "more changes all of them: draw by tickets.",
                ),
                "with replacement": Mistake(
                    lambda names, k, seed, category: random.Random(seed).choices(names, k=k),
                    "random.choices puts each name back, so one may come twice: draw by tickets.",
                ),
                "own seed per category": Mistake(
                    lambda names, k, seed, category: random.Random(f"{seed}/{category}").sample(
                        sorted(set(names)), min(k, len(set(names)))
                    ),
                    "a good draw, and no category disturbs another; but a file more or less changes all picks, and "
                    "Python promises no `sample` that stays the same for ever. Tickets do better.",
                ),
                "no seed": Mistake(
                    _pick(lambda seed, category, name: f"{category}/{name}"),
                    "the seed is not in the ticket: every seed draws the same.",
                ),
                "always seed 0": Mistake(
                    _pick(lambda seed, category, name: f"0/{category}/{name}"),
                    "the ticket always begins with 0: put the argument there, {seed}.",
                ),
                "no braces": Mistake(
                    _pick(lambda seed, category, name: f"seed/category/{name}"),
                    "the ticket holds the words seed and category, not their values: write braces around them, "
                    'f"{seed}/{category}/{name}".',
                ),
                "cut before sorting": Mistake(
                    lambda names, k, seed, category: pick(names[:k], k, seed, category),
                    "the first k names of the list are taken, and then sorted: sort all of them by their tickets first.",
                ),
                "no category": Mistake(
                    _pick(lambda seed, category, name: f"{seed}/{name}"),
                    "the category is not in the ticket: where files have the same names, every category draws the "
                    "same ones.",
                ),
                "no name": Mistake(
                    _pick(lambda seed, category, name: f"{seed}/{category}"),
                    "the order of a list or a set decides here: each name needs a ticket of its own, with the name in "
                    "it.",
                ),
                "no strokes between": Mistake(
                    _pick(lambda seed, category, name: f"{seed}{category}{name}"),
                    'write strokes between seed, category and name, f"{seed}/{category}/{name}", or 1 and "2.png" '
                    "give the same "
                    'ticket as 12 and ".png".',
                ),
                "another order": Mistake(
                    _pick(lambda seed, category, name: f"{category}/{seed}/{name}"),
                    "seed and category have changed places in the ticket.",
                ),
                "largest": Mistake(_pick(reverse=True), "these are the largest tickets: the smallest win."),
                "twice": Mistake(_pick(once=False), "a name that is listed twice is drawn twice: set(names)."),
                "Python's hash": Mistake(
                    _pick(hashed=lambda text: hash(text)),
                    "Python's own hash gives other numbers each time Python starts: take hashlib.sha256.",
                ),
                "another hash": Mistake(
                    _pick(hashed=lambda text: hashlib.md5(text.encode()).digest()),
                    "this is a lottery, but with other tickets (MD5): take hashlib.sha256, or nobody draws the same.",
                ),
                "the first byte": Mistake(
                    _pick(hashed=lambda text: _ticket(text)[0]),
                    "this is the first byte of the ticket alone, which many names share: compare whole tickets.",
                ),
                "sorted picks": Mistake(
                    lambda names, k, seed, category: sorted(pick(names, k, seed, category)),
                    "the right files; leave them in the order of their tickets, so that the first few stay the first.",
                ),
                "k fails": Mistake(
                    lambda names, k, seed, category: (
                        pick(names, k, seed, category) if k <= len(names) else random.sample(names, k)
                    ),
                    "where there are fewer than k, take all.",
                ),
            },
            explain=_explain_pick,
            minutes=8,
            difficulty=2,
        ),
        Exercise(
            "ink",
            ink,
            _ink_cases,
            hints=(
                "How dark a pixel is: paper_tone(grey) − grey. Black on white is 255, paper is 0.",
                "grey has the type uint8, which knows no numbers below 0: make it grey.astype(float) first.",
                "np.where(darker > 16, darker, 0).mean() / paper_tone(grey).",
            ),
            mistakes={
                "a byte overflows": Mistake(
                    _ink(of=lambda grey: grey),
                    "bytes (uint8) have no numbers below 0: a pixel 5 tones lighter than the paper becomes 251 tones "
                    "darker, nearly black. Use grey.astype(float).",
                ),
                "a byte overflows, divided by 255": Mistake(
                    _ink(of=lambda grey: grey, whole=255),
                    "bytes (uint8) have no numbers below 0, so light paper becomes black: use grey.astype(float). And "
                    "divide by the paper's tone, not by 255.",
                ),
                "dark pixels counted": Mistake(
                    lambda grey: float((grey < 128).mean()),
                    "you count pixels below 128: a soft or pale line then counts as nothing. Add up *how dark* they "
                    "are.",
                ),
                "all dark ones counted": Mistake(
                    lambda grey: float((paper_tone(grey) - grey.astype(float) > GRAIN).mean()),
                    "you count every pixel that is darker than paper as black: a half-dark one counts half.",
                ),
                "paper is white": Mistake(
                    _ink(paper=lambda grey: 255),
                    "you hold the page against 255: yellowed paper then counts as ink. Its own tone is "
                    "paper_tone(grey).",
                ),
                "the lightest is paper": Mistake(
                    _ink(paper=lambda grey: int(grey.max())),
                    "you hold the page against its lightest pixel, and one light speck can make all paper ink: the "
                    "paper's tone is paper_tone(grey).",
                ),
                "the edge of grain": Mistake(
                    _ink(grain=GRAIN - 1),
                    "what is darker by exactly 16 tones counts as ink here: 16 *or fewer* is grain, keep what is > 16.",
                ),
                "the grain taken off": Mistake(
                    lambda grey: float(
                        (paper_tone(grey) - grey.astype(float) - GRAIN).clip(0).mean() / paper_tone(grey)
                    ),
                    "the grain is taken off from the ink as well: what is darker by more than 16 tones counts with all of "
                    "its darkness.",
                ),
                "how light the ink is": Mistake(
                    lambda grey: float(
                        np.where(paper_tone(grey) - grey.astype(float) > GRAIN, grey, 0).mean() / paper_tone(grey)
                    ),
                    "you add up the tones of the ink, which are small where it is black: add up how much darker than the "
                    "paper it is.",
                ),
                "light is ink": Mistake(
                    _ink(signed=np.abs),
                    "what is lighter than the paper counts as ink here: abs takes the sign away; ink is only what is "
                    "darker.",
                ),
                "the ink's own darkness": Mistake(
                    _of_the_ink_alone,
                    "this is how dark the ink is, not how much there is: take the mean over the whole page, with 0 for "
                    "paper.",
                ),
                "grain is ink": Mistake(
                    _ink(grain=0), "the paper's own grain counts as ink: leave out what is darker by 16 tones or fewer."
                ),
                "signed grain": Mistake(
                    _ink(grain=-1000),
                    "everything is added up, lighter spots with a minus: leave out what is darker by 16 tones or "
                    "fewer.",
                ),
                "divided by 255": Mistake(
                    _ink(whole=255),
                    "you divide by 255: on darker paper even black all over would not be 1. Divide by the paper's "
                    "tone.",
                ),
                "not divided": Mistake(
                    _ink(whole=1),
                    "this is the mean darkness in tones: divide by the paper's tone, so that 1 is black all over.",
                ),
                "a sum": Mistake(
                    lambda grey: ink(grey) * grey.size,
                    "you add up where a mean is wanted: a large page then has more ink than a small one.",
                ),
                "paper left": Mistake(
                    lambda grey: 1 - ink(grey), "this is the share of the paper: ink is the rest of it."
                ),
                "brightness": Mistake(
                    lambda grey: float(grey.mean() / 255),
                    "this is how light the page is: ink is what is darker than paper.",
                ),
                "a percentage": Mistake(lambda grey: 100 * ink(grey), "this is in per cent: give a share from 0 to 1."),
            },
            minutes=6,
            difficulty=2,
        ),
        Exercise(
            "evidence",
            evidence,
            _evidence_case,
            hints=(
                "Sort first: which claims and which facts speak of LAION, of ImageNet-Sketch, of Quick, Draw!, of "
                "Stable Diffusion, of this course?",
                "Then take the claims of one group. Which of its facts would be false if the claim were true, or says "
                "just what the claim says?",
                f"Each claim has a fact of its own. These settle none: {', '.join(sorted(_IDLE))}.",
            ),
            mistakes={
                "nothing yet": Mistake(dict, "the dict is empty: give each letter from a to j its line."),
                "opinions": Mistake(
                    lambda: {claim: true for claim, (true, _) in evidence().items()},
                    "True or False alone is an opinion: give each letter a pair, (True or False, key of a fact).",
                ),
                "the keys alone": Mistake(
                    lambda: {claim: key for claim, (_, key) in evidence().items()},
                    "a fact alone does not say whether the claim is true: give each letter a pair, (True or False, "
                    "key).",
                ),
                "the key first": Mistake(
                    lambda: {claim: pair[::-1] for claim, pair in evidence().items()},
                    "the two have changed places: True or False comes first, then the key.",
                ),
                "a list": Mistake(
                    lambda: list(evidence().values()),
                    "these are pairs without letters: return a dict, from the letter of a claim to its pair.",
                ),
                "words for True and False": Mistake(
                    lambda: {claim: (str(true), key) for claim, (true, key) in evidence().items()},
                    '"True" in quotes is a text, and any text counts as true: write True or False without quotes.',
                ),
                "capital letters": Mistake(
                    lambda: {claim.upper(): pair for claim, pair in evidence().items()},
                    "the letters of the claims are small ones, from a to j.",
                ),
            },
            explain=lambda arguments, answer: what_is_wrong(answer),
            minutes=10,
            difficulty=3,
            praise=f"All {len(CLAIMS)}, each with what settles it.\n{reasons()}",
        ),
    ],
)
