"""Exercises of lesson 13, prompts."""

from itertools import product

import numpy as np
import torch
from scipy import stats
from transformers import CLIPTokenizer

from s2i_teach.evaluate.bootstrap import sign_flip
from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.paths import data_dir
from s2i_teach.translation.compare import variance_shares
from s2i_teach.translation.prompts import read_and_lost

WORDS = "turtle snail house sailboat mushroom owl rocket cactus strawberry tree".split()  # one piece each
RARE = "masterpiece quarterly Tuesday breathtaking wonderful".split()  # several pieces each


def _tokenizer(**changes):
    """The miniature's, which does not warn of long prompts, and of which a copy is itself.

    A copy by deepcopy writes "</w>" into the text that it decodes (transformers 5).
    """
    tokenizer = CLIPTokenizer.from_pretrained(data_dir() / "mini" / "tokenizer", **changes)
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


def _grid_cases(generator):
    for prompts, seeds, *size in ((3, 4, 2, 3), (2, 5, 3, 2, 2), (4, 3), (3, 3, 4)):
        noise = torch.randn(prompts, seeds, *size, generator=generator)
        words = 1.5 * torch.randn(prompts, 1, *size, generator=generator)
        chance = 0.7 * torch.randn(1, seeds, *size, generator=generator)
        place = torch.rand(size, generator=generator) * 4 + 1
        yield (noise + words + chance + place,)


def _shares(centre=lambda x: x.mean((0, 1)), size=lambda part: (part**2).mean(), whole=None):
    """A variant of the shares, for the mistakes."""

    def variant(pictures):
        centred = pictures - centre(pictures)
        words, seeds = centred.mean(1, keepdim=True), centred.mean(0, keepdim=True)
        parts = [size(part) for part in (words, seeds, centred - words - seeds)]
        total = size(centred) if whole is None else whole(parts)
        return tuple((part / total).item() for part in parts)

    return variant


def _of(change):
    """The right shares, changed, for the mistakes."""
    return lambda pictures: change(*variance_shares(pictures))


def _per_pixel(pictures):
    flat = pictures.flatten(2) if pictures.dim() > 2 else pictures[..., None]
    found = [variance_shares(flat[..., i]) for i in range(flat.shape[2])]
    return tuple(sum(column) / len(found) for column in zip(*found, strict=True))


def _pixels_first(pictures):
    return variance_shares(pictures.flatten(2).mean(2) if pictures.dim() > 2 else pictures)


def _corrected(pictures):
    def size(x, axes):
        return x.var(axes).mean()

    words, seeds = size(pictures.mean(1), 0), size(pictures.mean(0), 0)
    total = size(pictures, (0, 1))
    return (words / total).item(), (seeds / total).item(), (1 - (words + seeds) / total).item()


def _with_the_rest(words, seeds, total=lambda p: p.var((0, 1), correction=0).mean()):
    """A variant for the mistakes: the sizes of words and seeds by the whole, and both as what is left."""

    def variant(pictures):
        shares = [(size(pictures) / total(pictures)).item() for size in (words, seeds)]
        return (*shares, 1 - sum(shares))

    return variant


def _one_column_at_a_time(words_over, correction=0):
    """The mean variance over one axis, at one place of the other."""
    return _with_the_rest(
        lambda p: p.var(words_over, correction=correction).mean(),
        lambda p: p.var(1 - words_over, correction=correction).mean(),
        lambda p: p.var((0, 1), correction=correction).mean(),
    )


def _over_everything(correction):
    return _with_the_rest(
        lambda p: p.mean(1).var(correction=correction),
        lambda p: p.mean(0).var(correction=correction),
        lambda p: p.var(correction=correction),
    )


def _squares(axis=None):
    """The sum of squares of the means over an axis, each counted once; of all pictures without one."""

    def size(pictures):
        centred = pictures - pictures.mean((0, 1))
        return ((centred if axis is None else centred.mean(axis)) ** 2).sum()

    return size


def _grand_mean_left(pictures):
    centred = pictures - pictures.mean((0, 1))
    words, seeds = centred.mean(1, keepdim=True), centred.mean(0, keepdim=True)
    parts = (words, seeds, pictures - words - seeds)
    return tuple(((part**2).mean() / (centred**2).mean()).item() for part in parts)


def _explain_shares(arguments, answer) -> str | None:
    """What is wrong with three numbers that are no typical mistake."""
    if tuple(getattr(answer, "shape", ())) == (3,):
        return "these are one array: return a tuple, words, seeds, both."
    if not isinstance(answer, (tuple, list)) or len(answer) != 3:
        return "return three numbers, (words, seeds, both)."
    try:
        total = float(sum(answer))
    except (TypeError, ValueError, RuntimeError):
        return "return three plain numbers: take the mean over all pixels, and .item()."
    if abs(total - 1) > 1e-3:
        if total > 0 and np.allclose([part / total for part in answer], variance_shares(*arguments), atol=1e-3):
            return (
                f"words, seeds and both are in the right ratio but add up to {total:.3g}: the whole is the variance of "
                "each *pixel* over all pictures, and then the mean over the pixels."
            )
        return f"the three add up to {total:.3g}: of shares of one total the sum is 1."
    return None


def _difference_cases(generator):
    def eighths(count, shift):
        # Sums of eighths are exact, so that a tie is a tie.
        return ((torch.randn(count, generator=generator) * 8).round() / 8 + shift).tolist()

    yield ([-0.5, -1.25, 0.25, -2.0, -0.75, 0.5, -1.0],)  # below 0, where the two one-sided tests differ
    yield (eighths(7, 0.5),)
    yield ([1.0, 1.0, -1.0, 1.0, 1.0],)
    yield ([0.5, 0.25, 0.75, 0.125],)
    yield ([0.5, -0.25, -0.25],)
    yield ([-2.0],)


def _flips(reached=np.abs, target=lambda d: abs(d.sum()), at_least=np.greater_equal, result=np.mean):
    """A variant of the test, for the mistakes."""

    def variant(differences):
        d = np.asarray(differences)
        signs = np.array(list(product((1, -1), repeat=len(d))))
        return float(result(at_least(reached(signs @ d), target(d))))

    return variant


def _t_test(differences):
    return float(stats.ttest_1samp(differences, 0).pvalue) if len(differences) > 1 else 1.0


def _signs_alone(differences):
    return _flips()(np.sign(differences))


def _explain_p(arguments, answer) -> str | None:
    """What is wrong with a number that is no typical mistake."""
    try:
        value = float(answer)
    except (TypeError, ValueError, RuntimeError):
        return None
    if not 0 <= value <= 1:
        return f"{value:.4g} is no share: p lies between 0 and 1."
    if abs(value - sign_flip(*arguments)) < 0.04:
        return (
            f"{value:.4g} is near {sign_flip(*arguments):.4g}, but not it. Drawn by lot? Try *all* 2ⁿ, "
            "product((1, -1), repeat=n). All tried? Count the real signs exactly once, take >=, and compare means with "
            "the real mean (or sums with the real sum)."
        )
    return None


LESSON = Lesson(
    13,
    "Prompts",
    [
        Exercise(
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
                "one too few": Mistake(
                    _parts(0, by=-1), "one piece too few is read: of 77 places two are taken, 75 are left."
                ),
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
                "numbers": Mistake(
                    _as_numbers, "these are the tokens' numbers: make texts of them with tokenizer.decode."
                ),
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
                "one piece in none": Mistake(
                    _parts(0, again=-1), "one piece is in neither part: cut both at one place."
                ),
                "cut by the letters that were read": Mistake(
                    _by_letters_read,
                    "the text that comes out of decode has other spaces than the one that was typed, so its length "
                    "tells nothing about where to cut: cut the list of numbers.",
                ),
                "77 written down": Mistake(
                    _parts(75),
                    "right for 77 places, but this tokenizer has 12: take tokenizer.model_max_length.",
                ),
                "None for nothing": Mistake(
                    _nothing_is_none, 'where nothing is lost, the lost text is "", an empty one.'
                ),
            },
            explain=_explain_parts,
            minutes=7,
            difficulty=2,
        ),
        Exercise(
            "variance_shares",
            variance_shares,
            _grid_cases,
            hints=(
                "First take from every picture the mean of all: centred = pictures − pictures.mean((0, 1)).",
                "What a prompt does whatever the seed is its mean over the seeds: centred.mean(1, keepdim=True). For "
                "the seeds it is the mean over axis 0.",
                "What neither explains: both = centred − words − seeds. The share of each is (part**2).mean() / "
                "(centred**2).mean().",
            ),
            mistakes={
                "the axes swapped": Mistake(
                    _of(lambda words, seeds, both: (seeds, words, both)),
                    "words and seeds have changed places: axis 0 goes through the prompts, so a prompt's mean is taken "
                    "over axis 1.",
                ),
                "standard deviations": Mistake(
                    _shares(size=lambda part: (part**2).mean().sqrt()),
                    "these are standard deviations, which do not add up (3 and 4 make 5): take variances, the squares.",
                ),
                "standard deviations that add up": Mistake(
                    _shares(size=lambda part: (part**2).mean().sqrt(), whole=sum),
                    "they add up to 1 only because you divide by their own sum: standard deviations have no shares, "
                    "variances have. Leave the root out.",
                ),
                "absolute values": Mistake(
                    _shares(size=lambda part: part.abs().mean()),
                    "these are mean absolute values, which do not add up: variance is the mean of *squares*.",
                ),
                "from zero": Mistake(
                    _shares(centre=lambda x: 0),
                    "this is measured from 0 (mid-grey): what all pictures have in common then counts as difference. "
                    "Take off the mean of all first.",
                ),
                "one mean for all pixels": Mistake(
                    _shares(centre=lambda x: x.mean()),
                    "you take one number for the mean of all, so that a dark and a light place of one picture count as "
                    "a difference: every pixel has its own mean, pictures.mean((0, 1)).",
                ),
                "pixels averaged first": Mistake(
                    _pixels_first,
                    "you average over the pixels first: that leaves how light each picture is, and a cat and a house "
                    "may be equally light. Average the *squares* over the pixels, at the end.",
                ),
                "shares of each pixel": Mistake(
                    _per_pixel,
                    "you take the shares of each pixel and then their mean: a pixel that hardly changes then counts as "
                    "much as any. Add the variances up first, then divide.",
                ),
                "both left out": Mistake(
                    _of(lambda words, seeds, both: (words / (words + seeds), seeds / (words + seeds), 0.0)),
                    "the third part is missing: what a seed does under one prompt and not under another.",
                ),
                "two values": Mistake(
                    _of(lambda words, seeds, both: (words, seeds)),
                    "these are two of three: words, seeds, and what neither explains.",
                ),
                "both is all": Mistake(
                    _of(lambda words, seeds, both: (words, seeds, 1.0)),
                    "the third is the whole, 1: take what words and seeds do by themselves off it.",
                ),
                "the grand mean left in": Mistake(
                    _grand_mean_left,
                    "in the third part the mean of all is still there: take off that, and words, and seeds.",
                ),
                "the whole over all pixels": Mistake(
                    _with_the_rest(
                        lambda p: p.mean(1).var(0, correction=0).mean(),
                        lambda p: p.mean(0).var(0, correction=0).mean(),
                        lambda p: p.var(correction=0),
                    ),
                    "words and seeds are right, but your whole is the variance over everything, with the dark and the "
                    "light places of one picture: take pictures.var((0, 1), correction=0), then the mean over pixels.",
                ),
                "everything over all pixels": Mistake(
                    _over_everything(0),
                    "var without axes goes over the pixels, too, so that a dark and a light place of one picture count "
                    "as a difference. Give the axes, 0 and 1, and take the mean over the pixels at the end.",
                ),
                "everything over all pixels, n − 1": Mistake(
                    _over_everything(1),
                    "var() without axes goes over the pixels, too, so that a dark and a light place of one picture "
                    "count as a difference. Give the axes, 0 and 1, with correction=0 (or it divides by n − 1).",
                ),
                "standard deviations and the rest": Mistake(
                    _with_the_rest(
                        lambda p: p.mean(1).var(0, correction=0).mean().sqrt(),
                        lambda p: p.mean(0).var(0, correction=0).mean().sqrt(),
                        lambda p: p.var((0, 1), correction=0).mean().sqrt(),
                    ),
                    "these are standard deviations, and what is left of 1 is no share then: only *variances* add up. "
                    "Leave the root out.",
                ),
                "standard deviations of pixels and the rest": Mistake(
                    _with_the_rest(
                        lambda p: p.mean(1).std(0, correction=0).mean(),
                        lambda p: p.mean(0).std(0, correction=0).mean(),
                        lambda p: p.std((0, 1), correction=0).mean(),
                    ),
                    "std gives standard deviations, and what is left of 1 is no share then: only *variances* add up. "
                    "Take var.",
                ),
                "standard deviations, n − 1, and the rest": Mistake(
                    _with_the_rest(
                        lambda p: p.mean(1).std(0).mean(),
                        lambda p: p.mean(0).std(0).mean(),
                        lambda p: p.std((0, 1)).mean(),
                    ),
                    "std gives standard deviations, which do not add up: take var, with correction=0 (or it divides by "
                    "n − 1).",
                ),
                "a mean counts once": Mistake(
                    _shares(size=lambda part: (part**2).sum()),
                    "these are sums of squares in which a prompt's mean counts once, and it stands for as many "
                    "pictures as there are seeds. Take means of squares.",
                ),
                "a mean counts once, and the rest": Mistake(
                    _with_the_rest(_squares(1), _squares(0), _squares()),
                    "these are sums of squares in which a prompt's mean counts once, though it stands for as many "
                    "pictures as there are seeds; the rest then gets what they lack. Take means of squares.",
                ),
                "within a prompt": Mistake(
                    _one_column_at_a_time(1),
                    "the variance *within* a prompt, over its seeds, is what words do not do: first the mean over the "
                    "seeds, then the variance of these means over the prompts.",
                ),
                "within a prompt, n − 1": Mistake(
                    _one_column_at_a_time(1, 1),
                    "the variance *within* a prompt, over its seeds, is what words do not do: first the mean over the "
                    "seeds, then var over the prompts, with correction=0.",
                ),
                "without averaging first, n − 1": Mistake(
                    _one_column_at_a_time(0, 1),
                    "the variance over the prompts at *one* seed holds what words do and what both do together: take "
                    "the mean over the seeds first, and then var with correction=0.",
                ),
                "without averaging first": Mistake(
                    _one_column_at_a_time(0),
                    "the variance over the prompts at *one* seed holds what words do and what both do together: take "
                    "the mean over the seeds first.",
                ),
                "n − 1": Mistake(
                    _corrected,
                    "torch's var divides by n − 1, for prompts and seeds by other numbers than for all, so that these "
                    "are no shares of one total: use var(…, correction=0), or means of squares.",
                ),
                "not divided": Mistake(
                    lambda pictures: tuple(
                        share * pictures.var((0, 1), correction=0).mean().item() for share in variance_shares(pictures)
                    ),
                    "these are the variances themselves: divide by the whole one.",
                ),
                "per cent": Mistake(
                    _of(lambda *shares: tuple(100 * share for share in shares)),
                    "these are per cent: shares from 0 to 1.",
                ),
            },
            explain=_explain_shares,
            minutes=9,
            difficulty=3,
        ),
        Exercise(
            "sign_flip",
            sign_flip,
            _difference_cases,
            hints=(
                "product((1, -1), repeat=n) gives all 2ⁿ ways to set n signs.",
                "signs @ d, with signs as an array (2ⁿ, n), is the sum of the differences for every way.",
                "The share of the ways with abs(sum) >= abs(d.sum()). The mean of True and False is a share.",
            ),
            mistakes={
                "one side": Mistake(
                    _flips(reached=lambda x: x, target=lambda d: d.sum()),
                    "only sums on one side are counted: far from 0 is far in either direction. Take abs of both.",
                ),
                "the other side": Mistake(
                    _flips(reached=lambda x: x),
                    "the real sum is taken without its sign, and the others with it: take abs of both.",
                ),
                "farther only": Mistake(
                    _flips(at_least=np.greater),
                    "this counts only what is *farther* (>); the real signs are one of the ways: p is never 0. Use >=.",
                ),
                "the rest": Mistake(
                    _flips(at_least=np.less),
                    "this is the share that is *nearer* to 0: p is the share that is as far or farther.",
                ),
                "the rest, with ties": Mistake(
                    _flips(at_least=np.less_equal),
                    "the sign stands the wrong way round, <=: as far or *farther* is >=.",
                ),
                "how many": Mistake(
                    _flips(result=np.sum), "this is how many ways there are: divide by the number of all ways, 2ⁿ."
                ),
                "sum and mean": Mistake(
                    _flips(target=lambda d: abs(d.mean())),
                    "you compare sums with a mean: take two sums, or two means.",
                ),
                "always 1": Mistake(
                    lambda differences: 1.0,
                    "this is 1 here. Is the real mean (below 0 here) taken with abs as well? And are the *signs* "
                    "flipped? Shuffled, or made positive one by one, differences keep their mean.",
                ),
                "Student's t": Mistake(
                    _t_test,
                    "this is Student's t-test, which believes in a bell curve: count the ways to set signs.",
                ),
                "signs alone": Mistake(
                    _signs_alone,
                    "this is the sign test: it knows how many sketches got better, and not by how much. Keep the "
                    "differences' sizes.",
                ),
            },
            explain=_explain_p,
            minutes=7,
            difficulty=3,
        ),
    ],
)
