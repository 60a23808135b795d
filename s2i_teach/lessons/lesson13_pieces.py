"""Lesson 13's exercise ``read_and_lost``: which pieces of a prompt are read."""

import torch

from s2i_teach.lessons.engine import Exercise, Mistake
from s2i_teach.models.small_clip import new_tokenizer
from s2i_teach.translation.prompts import read_and_lost

WORDS = "turtle snail house sailboat mushroom owl rocket cactus strawberry tree".split()  # one piece each
RARE = "masterpiece quarterly Tuesday breathtaking wonderful".split()  # several pieces each


def _tokenizer(**changes):
    """The miniature's, which does not warn of long prompts, and of which a copy is itself.

    A copy by deepcopy writes "</w>" into the text that it decodes (transformers 5).
    """
    tokenizer = new_tokenizer(**changes)
    tokenizer.__deepcopy__ = lambda memo: tokenizer
    getattr(tokenizer, "deprecation_warnings", {})["sequence-length-is-longer-than-the-specified-maximum"] = True
    return tokenizer


def _prompt_cases(generator):
    def some(words, count):
        return " ".join(words[i] for i in torch.randint(len(words), (count,), generator=generator).tolist())

    full, small = _tokenizer(), _tokenizer(model_max_length=12)
    yield full, f"A turtle, {some(RARE, 24)}, {some(WORDS, 20)}"  # fewer than 75 words, more than 77 pieces
    yield small, f"a turtle, {some(WORDS, 12)}"
    yield full, some(WORDS, 75)
    yield full, some(WORDS, 76)
    yield small, "an owl flat style"  # which decode writes as it was typed: whoever gives it back as it is, is right
    yield full, ""


def _parts(at=75, by=0, again=0):
    """A variant of the cut, for the mistakes: after ``at`` pieces, the lost part from ``again`` pieces earlier."""

    def variant(tokenizer, prompt):
        pieces = tokenizer(prompt).input_ids[1:-1]
        cut = (at or tokenizer.model_max_length - 2) + by
        return tokenizer.decode(pieces[:cut]).strip(), tokenizer.decode(pieces[cut - again :]).strip()

    return variant


def _with_the_marks(tokenizer, prompt):
    ids, room = tokenizer(prompt).input_ids, tokenizer.model_max_length
    return tokenizer.decode(ids[:room]).strip(), tokenizer.decode(ids[room:]).strip()


def _end_kept(tokenizer, prompt):
    ids, room = tokenizer(prompt).input_ids, tokenizer.model_max_length
    return tokenizer.decode(ids[1:-1][: room - 2]).strip(), tokenizer.decode(ids[room - 1 :]).strip()


def _as_numbers(tokenizer, prompt):
    pieces, room = tokenizer(prompt).input_ids[1:-1], tokenizer.model_max_length - 2
    return pieces[:room], pieces[room:]


def _not_decoded(join):
    def variant(tokenizer, prompt):
        pieces, room = tokenizer.tokenize(prompt), tokenizer.model_max_length - 2
        return join.join(pieces[:room]), join.join(pieces[room:])

    return variant


def _by_words(count):
    def variant(tokenizer, prompt):
        words = prompt.split()
        return " ".join(words[:count]), " ".join(words[count:])

    return variant


def _by_letters_read(tokenizer, prompt):
    read, _ = read_and_lost(tokenizer, prompt)
    return read, prompt[len(read) :].strip()


def _from_behind(tokenizer, prompt):
    pieces = tokenizer(prompt).input_ids[1:-1]
    many = max(0, len(pieces) - (tokenizer.model_max_length - 2))
    return tokenizer.decode(pieces[:-many]).strip(), tokenizer.decode(pieces[-many:]).strip()


def _nothing_is_none(tokenizer, prompt):
    read, lost = read_and_lost(tokenizer, prompt)
    return read, lost or None


def _explain_parts(arguments, answer) -> str | None:
    """What is wrong with a pair that is no typical mistake."""
    tokenizer, prompt = arguments
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        return "return a pair of two texts, (read, lost)."
    if not all(isinstance(part, str) for part in answer):
        return "both parts are texts: tokenizer.decode makes a text of a list of numbers."
    if "<|" in "".join(answer):
        message = (
            "the start or end token stands in your text: in a *short* prompt the end token comes early. Take both off "
            "first, input_ids[1:-1], then cut."
        )
        places = tokenizer.model_max_length
        enough = len(tokenizer.tokenize(prompt)) <= places - 2
        return message if enough else f"{message} And this tokenizer has {places} places: take model_max_length."
    right = read_and_lost(tokenizer, prompt)
    if tuple(part.strip() for part in answer) == right:
        return "right but for spaces at the ends: take them off with .strip()."
    if answer[0].strip() != right[0]:
        many = "too little" if len(answer[0]) < len(right[0]) else "too much, or something else,"
        pieces = min(len(tokenizer.tokenize(prompt)), tokenizer.model_max_length - 2)
        return f"{many} is read here: of this prompt, with this tokenizer, the model reads {pieces} pieces."
    return "what is read is right, what is lost is not: it is all the pieces behind, without the end token."


READ_AND_LOST = Exercise(
    "read_and_lost",
    read_and_lost,
    _prompt_cases,
    hints=(
        "tokenizer(prompt).input_ids is a list of numbers with the start token in front and the end token "
        "behind. Without them: [1:-1].",
        "There are tokenizer.model_max_length places. Two of them belong to the start and the end token.",
        "tokenizer.decode(list of numbers) makes a text of them; .strip() takes the spaces off its ends.",
    ),
    mistakes={
        "words": Mistake(
            _by_words(75),
            "this counts words: the model counts *pieces*, of which a rare word has several. Count the "
            "tokenizer's numbers.",
        ),
        "letters": Mistake(
            lambda tokenizer, prompt: (prompt[:77], prompt[77:]),
            "this counts letters: the places are for pieces, and a piece may be a whole word.",
        ),
        "start and end forgotten": Mistake(
            _parts(0, by=2),
            "two pieces too many are read: the start and the end token take a place each.",
        ),
        "one of the two forgotten": Mistake(
            _parts(0, by=1),
            "one piece too many is read: the start token takes a place, and the end token too.",
        ),
        "one too few": Mistake(_parts(0, by=-1), "one piece too few is read: of 77 places two are taken, 75 are left."),
        "two too few": Mistake(
            _parts(0, by=-2),
            "the start and the end token are taken off twice here: once from the numbers ([1:-1]) and once too "
            "often from the room.",
        ),
        "start and end in the text": Mistake(
            _with_the_marks,
            "the start and the end token stand in your text: take them off, [1:-1], before you cut; the room "
            "for the rest is two less.",
        ),
        "the end in the lost part": Mistake(
            _end_kept,
            "the end token stands in what is lost: the model does get one. Leave the last number out.",
        ),
        "numbers": Mistake(_as_numbers, "these are the tokens' numbers: make texts of them with tokenizer.decode."),
        "pieces joined": Mistake(
            _not_decoded(""),
            "</w> marks the end of a word in the vocabulary: tokenizer.decode (of the numbers) makes a text "
            "without it.",
        ),
        "pieces with spaces": Mistake(
            _not_decoded(" "),
            "the pieces of a word are torn apart, and </w> marks where words end: tokenizer.decode (of the "
            "numbers) puts them together.",
        ),
        "from behind": Mistake(
            _from_behind,
            "where nothing is too many, [-0:] is the whole list and [:-0] is empty: cut from the front.",
        ),
        "the wrong way round": Mistake(
            lambda tokenizer, prompt: read_and_lost(tokenizer, prompt)[::-1],
            "what is read comes first, then what is lost.",
        ),
        "only what is lost": Mistake(
            lambda tokenizer, prompt: read_and_lost(tokenizer, prompt)[1],
            "this is only what is lost: return both, (read, lost).",
        ),
        "only what is read": Mistake(
            lambda tokenizer, prompt: read_and_lost(tokenizer, prompt)[0],
            "this is only what is read: return both, (read, lost).",
        ),
        "one piece in both": Mistake(
            _parts(0, again=1),
            "the last piece that is read stands in the lost part too: cut both at one place.",
        ),
        "one piece in none": Mistake(_parts(0, again=-1), "one piece is in neither part: cut both at one place."),
        "cut by the letters that were read": Mistake(
            _by_letters_read,
            "the text that comes out of decode has other spaces than the one that was typed, so its length "
            "tells nothing about where to cut: cut the list of numbers.",
        ),
        "77 written down": Mistake(
            _parts(75),
            "right for 77 places, but this tokenizer has 12: take tokenizer.model_max_length.",
        ),
        "None for nothing": Mistake(_nothing_is_none, 'where nothing is lost, the lost text is "", an empty one.'),
    },
    explain=_explain_parts,
    minutes=7,
    difficulty=2,
)
