"""True or false, and how do you know: what is said of data sets, and the facts that settle it."""

from dataclasses import dataclass

CLAIMS = {
    "a": "LAION-5B is a data set of over 5 million sketches, drawn by a diverse group of artists.",
    "b": "LAION hands out the pictures of its data set.",
    "c": "The sketches of ImageNet-Sketch were drawn by annotators in the game Quick, Draw!, in 20 seconds each.",
    "d": "ImageNet-Sketch holds over 50,000 pairs of a sketch and a photograph.",
    "e": "ImageNet-Sketch covers all 1,000 classes of ImageNet.",
    "f": "No picture in ImageNet-Sketch is a copy of another.",
    "g": "The repository of ImageNet-Sketch has an MIT licence, so the sketches may be put on a website.",
    "h": "Drawings from Quick, Draw! may be passed on, as long as one says where they come from.",
    "i": "In the last stages of its training Stable Diffusion 1 saw only pictures chosen by a score for beauty.",
    "j": "Every coloured picture in this course's data/pairs has its sketch.",
}
"""Letter → claim. a, c and d stand, in nearly these words, in a student's thesis."""


ABOUT = {
    "a": ("LAION",),
    "b": ("LAION",),
    "c": ("ImageNet-Sketch", "Quick, Draw!"),
    "d": ("ImageNet-Sketch",),
    "e": ("ImageNet-Sketch",),
    "f": ("ImageNet-Sketch",),
    "g": ("ImageNet-Sketch",),
    "h": ("Quick, Draw!",),
    "i": ("Stable Diffusion",),
    "j": ("this course's pictures",),
}
"""Letter → what the claim speaks of."""


@dataclass(frozen=True)
class Fact:
    """What a source says, in our words, and what it speaks of."""

    source: str
    says: str
    about: str


FACTS = {
    "laion": Fact(
        "Schuhmann et al. 2022, arXiv 2210.08402, abstract",
        "5.85 billion pairs of a picture and a text from the web, 2.32 billion in English, kept if CLIP finds that "
        "picture and text match.",
        "LAION",
    ),
    "relaion": Fact(
        "LAION, note on Re-LAION-5B, August 2024",
        "5.5 billion links with their texts; 2,236 links to suspected pictures of child sexual abuse were taken out. "
        "LAION hands out lists of links, never pictures.",
        "LAION",
    ),
    "card": Fact(
        "Model card of Stable Diffusion 1",
        "237,000 steps on laion2B-en, 194,000 on large pictures, and from there on only pictures with an estimated "
        "aesthetics score above 5.0.",
        "Stable Diffusion",
    ),
    "query": Fact(
        "ImageNet-Sketch, README: how it was made",
        'Google Images was asked for "sketch of …", black and white, 100 results a class; what did not fit was '
        "deleted by hand.",
        "ImageNet-Sketch",
    ),
    "size": Fact(
        "Wang et al. 2019, arXiv 1905.13549",
        "1,000 classes, those of ImageNet, with 50 pictures each.",
        "ImageNet-Sketch",
    ),
    "fill": Fact(
        "ImageNet-Sketch, README: what was done where pictures were lacking",
        "Classes with fewer than 50 pictures after cleaning were filled up by flipping and rotating those they had.",
        "ImageNet-Sketch",
    ),
    "columns": Fact(
        "ImageNet-Sketch on Hugging Face, data fields",
        "50,889 rows of two columns: one picture, one class label.",
        "ImageNet-Sketch",
    ),
    "licence": Fact(
        "ImageNet-Sketch on Hugging Face, licence",
        "Unknown. The MIT licence in the repository is that of its scripts, which ask and sort.",
        "ImageNet-Sketch",
    ),
    "game": Fact(
        "Quick, Draw! Dataset, README; the game's own page",
        "50 million drawings of 345 things by players of a game, who had 20 seconds for each.",
        "Quick, Draw!",
    ),
    "by": Fact(
        "Quick, Draw! Dataset, README: licence",
        "CC BY 4.0: use, change and pass on, with attribution.",
        "Quick, Draw!",
    ),
    "sketchy": Fact(
        "Sangkloy et al. 2016, The Sketchy Database",
        "75,471 sketches of 12,500 photographs, each drawn after its photograph.",
        "The Sketchy Database",
    ),
    "count": Fact(
        "Counted here, in the cell above", "What you count yourself needs nobody's word.", "this course's pictures"
    ),
}
"""Key → what one can look up."""


def evidence() -> dict[str, tuple[bool, str]]:
    """Letter → whether the claim is true, and the key of the fact that settles it."""
    return {
        "a": (False, "laion"),
        "b": (False, "relaion"),
        "c": (False, "query"),
        "d": (False, "columns"),
        "e": (True, "size"),
        "f": (False, "fill"),
        "g": (False, "licence"),
        "h": (True, "by"),
        "i": (True, "card"),
        "j": (True, "count"),
    }


WHY = {
    "a": "LAION-5B has 5.85 billion pairs, a thousand times more. Nobody drew them for it: they are pictures from the "
    "web with the text that stood beside them.",
    "b": "LAION gives away links and texts. If you want the pictures, you fetch them one by one, and some are gone or "
    "changed.",
    "c": "nobody drew for it: an image search found the pictures. Quick, Draw! is another data set.",
    "d": "a row is one picture and one class. Photographs of the same class, from ImageNet, show other things, so "
    "there are no pairs.",
    "e": "it has a thousand classes, and they are ImageNet's.",
    "f": "its own authors filled up small classes with flipped and rotated copies.",
    "g": "a licence covers what its giver owns. The authors wrote the scripts; they did not draw the pictures.",
    "h": "CC BY 4.0 allows exactly this.",
    "i": "after the first two stages it saw only pictures that a small network on CLIP's vectors had scored above 5.",
    "j": "each coloured picture names its sketch, and each of these files is there. You have just counted it.",
}
"""Letter → why the claim is true or false."""


def reasons() -> str:
    """A line for each claim: true or false, and why."""
    return "\n".join(f"  {claim} {str(true).lower()}: {WHY[claim]}" for claim, (true, _) in evidence().items())


def what_is_wrong(answer) -> str:
    """What to do about an answer that is not :func:`evidence`, without telling which pair is wrong.

    It says what is badly formed, which fact speaks of something else than its claim, or which fact stands twice. An
    answer without such faults hears only how many of its pairs are right, so that guessing takes longer than reading.
    """
    if not isinstance(answer, dict):
        return 'return a dict with a line for each letter: {"a": (True or False, "key of a fact"), …}.'
    if missing := [claim for claim in CLAIMS if claim not in answer]:
        return f"no line yet for {', '.join(missing)}: only all ten together are judged."
    if strange := [claim for claim in answer if claim not in CLAIMS]:
        return f"{strange[0]!r} is none of the claims: their letters go from a to j."
    for claim, pair in answer.items():
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], bool):
            return f"claim {claim}: give a pair, True or False and the key of a fact."
        if not isinstance(pair[1], str) or pair[1] not in FACTS:
            return f"claim {claim}: {pair[1]!r} is no key; the keys are {', '.join(FACTS)}."
    for claim, (_, key) in answer.items():
        if FACTS[key].about not in ABOUT[claim]:
            return (
                f"claim {claim} speaks of {' and '.join(ABOUT[claim])}, and `{key}` of {FACTS[key].about}: it cannot "
                "settle this claim."
            )
    keys = [key for _, key in answer.values()]
    for key in keys:
        if keys.count(key) > 1:
            both = " and ".join(claim for claim in answer if answer[claim][1] == key)
            return f"`{key}` stands at {both}: each claim has a fact of its own."
    right = sum(tuple(pair) == evidence()[claim] for claim, pair in answer.items())
    return (
        f"{right} of the 10 pairs are right, true or false and the fact together. Which ones is not told: read each "
        "claim once more beside its fact."
    )


def as_markdown(table: dict) -> str:
    """Claims, or facts, as a table in Markdown."""
    if all(isinstance(one, Fact) for one in table.values()):
        lines = ["| key | source | what it says |", "|---|---|---|"]
        return "\n".join([*lines, *(f"| `{key}` | {fact.source} | {fact.says} |" for key, fact in table.items())])
    return "\n".join(["| | claim |", "|---|---|", *(f"| **{key}** | {claim} |" for key, claim in table.items())])
