"""Exercises of lesson 15, on the GPU."""

import math

import torch
from torch import nn

from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.models.measure import AliveBytes
from s2i_teach.theory.attention import attention, sliced_attention
from s2i_teach.theory.budget import pictures_each
from s2i_teach.theory.precision import decode_safely, weight_bytes

# Weights


def _small_network(generator, width):
    """A network with weights, counters and positions: floats and whole numbers."""
    network = nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.Conv2d(width, 2, 1, bias=False))
    network.register_buffer("positions", torch.randint(0, 9, (1, 5 + width), generator=generator))
    return network


def _weight_cases(generator):
    one, other = nn.Linear(7, 5), nn.Linear(3, 4, bias=False)
    yield [one, other], torch.float32
    yield [one, other], torch.float16
    yield [nn.Linear(7, 5).half(), other], torch.float32  # asked for another type than the one they have
    yield [nn.Linear(4, 4).requires_grad_(False), other], torch.bfloat16
    yield [_small_network(generator, 4)], torch.float32
    yield [_small_network(generator, 3)], torch.float16
    unsaved = _small_network(generator, 5)
    unsaved.register_buffer("unsaved", torch.zeros(6), persistent=False)
    yield [unsaved], torch.float32
    yield [nn.Sequential(one, nn.ReLU(), nn.Linear(5, 2)), other, one], torch.float16  # one is shared
    with torch.device("meta"):
        yield [nn.Sequential(nn.Conv2d(3, 5, 3), nn.Linear(4, 4))], torch.float16


def _numbers_in(parts):
    return sum(p.numel() for part in parts for p in part.parameters())


def _all_tensors(parts):
    return [t for part in parts for t in (*part.parameters(), *part.buffers())]


def _once(tensors):
    return {id(t): t for t in tensors}.values()


# Half precision


class Decoder:
    """Stands for a VAE in the cases: goes up by ``gain`` twice and down again, and remembers what it was asked.

    In half precision large latents overflow on the way. The fourth channel says what a picture does with an infinite
    number: where its mean is above 0 the picture is divided by its largest number, and infinite by infinite is nan.
    """

    def __init__(self, gain: float):
        self.gain = gain
        self.asked: list[tuple[torch.dtype, int]] = []

    def __call__(self, latents: torch.Tensor) -> torch.Tensor:
        self.asked.append((latents.dtype, len(latents)))
        grown = latents[:, :3] * self.gain * self.gain
        largest = grown.abs().amax((1, 2, 3), keepdim=True)
        divides = latents[:, 3:].mean((1, 2, 3), keepdim=True) > 0
        return torch.where(divides, grown / largest, grown / self.gain / self.gain)


def _decode_cases(generator):
    def latents(n, infinite=(), nan=(), lost=()):
        z = torch.rand(n, 4, 3, 2, generator=generator) - 0.5
        z[:, 3] = -1.0
        z[[*infinite, *nan], :3, 1, 1] = 4.0
        z[list(lost), :3] += 5.0
        z[[*nan, *lost], 3] = 1.0
        return z

    yield Decoder(30.0), latents(3, infinite=[0]), torch.float16  # nothing overflows
    yield Decoder(200.0), latents(3, infinite=[0], nan=[1]), torch.bfloat16  # nor here
    yield Decoder(200.0), latents(6, infinite=[1, 4], nan=[2], lost=[3]), torch.float16
    yield Decoder(200.0), latents(2, nan=[0, 1]), torch.float16


def _with_work(function):
    """The pictures, and how many were decoded in half precision and how many in fp32."""

    def run(decode, latents, dtype):
        pictures = function(decode, latents, dtype)
        return pictures, tuple(sum(n for kind, n in decode.asked if kind == one) for one in (dtype, torch.float32))

    return run


def _safely(failed=None, again=None, join=None):
    """A variant of decoding safely, for the mistakes."""

    def variant(decode, latents, dtype):
        pictures = decode(latents.to(dtype)).float()
        bad = failed(pictures) if failed else ~torch.isfinite(pictures).flatten(1).all(1)
        if bad.any():
            pictures = (join or _put)(pictures, bad, decode, latents, dtype)
        return pictures

    return variant


def _put(pictures, bad, decode, latents, dtype):
    pictures[bad] = decode(latents[bad])
    return pictures


def _all_again(pictures, bad, decode, latents, dtype):
    return decode(latents)


def _all_again_for_some(pictures, bad, decode, latents, dtype):
    pictures[bad] = decode(latents)[bad]
    return pictures


def _from_halved(pictures, bad, decode, latents, dtype):
    pictures[bad] = decode(latents.to(dtype)[bad].float())
    return pictures


def _patched(pictures, bad, decode, latents, dtype):
    pictures[bad] = torch.where(torch.isfinite(pictures[bad]), pictures[bad], decode(latents[bad]))
    return pictures


def _explain_decoding(arguments, answer) -> str | None:
    """What is wrong with decoded pictures that are no typical mistake."""
    pictures, work = answer
    if isinstance(pictures, torch.Tensor) and not torch.isfinite(pictures).all():
        return "some pictures are still not finite."
    right, wanted = _with_work(decode_safely)(*_again(arguments))
    if isinstance(pictures, torch.Tensor) and pictures.shape == right.shape and work != wanted:
        return (
            f"{work[0]} pictures were decoded in half precision and {work[1]} in fp32: {wanted[0]} and {wanted[1]} are "
            "needed."
        )
    return None


def _again(arguments):
    """The arguments with a decoder that was asked nothing yet."""
    decode, *others = arguments
    return Decoder(decode.gain), *others


# Slices


def _slice_cases(generator):
    for before, n, m, d, e, slice_size in (
        ((2,), 24, 24, 4, 4, 6),
        ((1, 2), 25, 20, 3, 3, 4),  # the last slice is not full
        ((), 21, 32, 4, 5, 1),
        ((2,), 6, 18, 3, 3, 10),  # one slice has room for all
    ):
        q = 3 * torch.randn(*before, n, d, generator=generator)
        k = 3 * torch.randn(*before, m, d, generator=generator)
        yield q, k, torch.randn(*before, m, e, generator=generator), slice_size


def _with_memory(function):
    """The answer, and for how many queries weights existed at once: slice_size, if it was no more."""

    def run(q, k, v, slice_size):
        with AliveBytes() as memory:
            out = function(q, k, v, slice_size)
        of_a_query = math.prod(q.shape[:-2]) * k.shape[-2] * q.element_size()
        comes_and_goes = max(t.nbytes for t in (q, k, v, out)) if isinstance(out, torch.Tensor) else 0
        if memory.largest <= max(slice_size * of_a_query, comes_and_goes):
            return out, slice_size
        return out, math.ceil(memory.largest / of_a_query)

    return run


def _keys_too(q, k, v, slice_size):
    parts = zip(k.split(slice_size, dim=-2), v.split(slice_size, dim=-2), strict=True)
    return sum(attention(q, some, its) for some, its in parts)


def _keys_with_their_queries(q, k, v, slice_size):
    triples = zip(*(x.split(slice_size, dim=-2) for x in (q, k, v)), strict=False)
    return torch.cat([attention(*triple) for triple in triples], dim=-2)


def _full_slices_only(q, k, v, slice_size):
    whole = q.shape[-2] // slice_size * slice_size
    starts = range(0, whole, slice_size)
    return torch.cat([attention(q[..., i : i + slice_size, :], k, v) for i in starts] or [q[..., :0, :]], dim=-2)


def _along_the_first(q, k, v, slice_size):
    return torch.cat([attention(q[..., i : i + slice_size, :], k, v) for i in range(0, q.shape[-2], slice_size)], dim=0)


def _slice_size_for_their_number(q, k, v, slice_size):
    return torch.cat([attention(part, k, v) for part in q.chunk(slice_size, dim=-2)], dim=-2)


def _softmax_over_the_slice(q, k, v, slice_size):
    parts = q.split(slice_size, dim=-2)
    return torch.cat([torch.softmax(p @ k.mT / p.shape[-1] ** 0.5, dim=-2) @ v for p in parts], dim=-2)


def _not_scaled(q, k, v, slice_size):
    return torch.cat([torch.softmax(p @ k.mT, dim=-1) @ v for p in q.split(slice_size, dim=-2)], dim=-2)


def _explain_slices(arguments, answer) -> str | None:
    """What is wrong with an attention in slices that is no typical mistake."""
    out, at_once = answer
    slice_size = arguments[-1]
    right = sliced_attention(*arguments)
    if isinstance(out, torch.Tensor) and out.shape == right.shape and torch.allclose(out, right, atol=1e-5):
        return (
            f"the numbers are right, but a tensor was made that has room for the weights of {at_once} queries, where "
            f"slice_size is {slice_size}."
        )
    return None


# The class


def _class_cases(generator):
    # Each is the first to tell some mistake from the others.
    for students, seconds, load, batches in (
        (3, 600, 60.0, {2: 3.7, 6: 10.1}),
        (30, 1800, 95.0, {1: 4.9, 3: 10.3, 16: 45.7}),
        (3, 600, 95.0, {1: 4.2, 8: 19.5, 64: 124.5}),
        (30, 300, 30.0, {64: 114.6, 8: 13.9, 1: 2.9}),  # the largest batch leaves much time over
        (12, 300, 40.0, {1: 2.0, 6: 9.0, 40: 55.0, 50: 90.0}),  # the fastest per picture is not the best
        (3, 300, 95.0, {1: 2.1, 8: 8.4, 64: 58.6}),  # two are equally good
        (7, 3600, 3804.0, {1: 1.7, 4: 3.3}),  # it is over before the model is there
        (30, 100, 0.0, {4: 5.8, 8: 12.0, 1: 1.55, 2: 2.85}),  # the class gets more with some, and each as many
    ):
        pace = 1 + torch.rand((), generator=generator).item()  # of everything, so the answer stays
        yield students, seconds * pace, load * pace, {batch: one * pace for batch, one in batches.items()}


def _each(
    time=lambda students, seconds, load: max(0.0, seconds - load),
    batches=lambda left, one: int(left // one),
    share=lambda done, batch, students: done * batch // students,
    better=lambda each, best: each > best,
):
    """A variant of the class's budget, for the mistakes."""

    def variant(students, seconds, load_seconds, batch_seconds):
        best = 0, min(batch_seconds)
        for batch in sorted(batch_seconds):
            done = batches(time(students, seconds, load_seconds), batch_seconds[batch])
            each = share(done, batch, students)
            if better(each, best[0]):
                best = each, batch
        return best

    return variant


def _one_batch_size(choose):
    """Takes one batch size without looking at what comes of it, for the mistakes."""

    def variant(students, seconds, load_seconds, batch_seconds):
        batch = choose(batch_seconds)
        return pictures_each(students, seconds, load_seconds, {batch: batch_seconds[batch]})

    return variant


def _without_floor(students, seconds, load_seconds, batch_seconds):
    left = seconds - load_seconds
    each, negative = max((int(left // one) * batch // students, -batch) for batch, one in batch_seconds.items())
    return each, -negative


def _by_totals(students, seconds, load_seconds, batch_seconds):
    done = {b: int(max(0.0, seconds - load_seconds) // one) * b for b, one in batch_seconds.items()}
    batch = max(sorted(done), key=done.__getitem__)
    return done[batch] // students, batch


def _in_given_order(students, seconds, load_seconds, batch_seconds):
    best = 0, min(batch_seconds)
    for batch, one in batch_seconds.items():
        each = int(max(0.0, seconds - load_seconds) // one) * batch // students
        if each > best[0]:
            best = each, batch
    return best


def _explain_class(arguments, answer) -> str | None:
    """What is wrong with a class's budget that is no typical mistake."""
    right, smallest = pictures_each(*arguments)
    if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[0], int):
        return None
    each, batch = answer
    if each != right:
        few = f"and {right} are possible" if each < right else f"and no more than {right} are ready in time"
        return f"you give each student {each} pictures, {few}."
    return f"{each} pictures each are right; {smallest} is the smallest batch size that gives them, and not {batch}."


LESSON = Lesson(
    15,
    "On the GPU",
    [
        Exercise(
            "weight_bytes",
            weight_bytes,
            _weight_cases,
            hints=(
                "part.parameters() gives tensors, .numel() how many numbers each has, and dtype.itemsize how many bytes "
                "one such number takes.",
                "A network also has buffers: part.buffers(). Some are whole numbers, and those keep their "
                "own .element_size(): only floats, .is_floating_point(), change their type.",
                "A network may come twice, or inside another one. Gather all tensors in a dict by their id, "
                "{id(tensor): tensor}, and add up over its values.",
            ),
            mistakes={
                "their own type": Mistake(
                    lambda parts, dtype: sum(t.numel() * t.element_size() for t in _once(_all_tensors(parts))),
                    "this is what they take as they are now: asked is what they would take with their floats in dtype.",
                ),
                "always half": Mistake(
                    lambda parts, dtype: sum(
                        t.numel() * (2 if t.is_floating_point() else t.element_size())
                        for t in _once(_all_tensors(parts))
                    ),
                    "you count 2 bytes for each float, whatever dtype is: dtype.itemsize tells how many.",
                ),
                "bits": Mistake(
                    lambda parts, dtype: 8 * weight_bytes(parts, dtype),
                    "this is 8 times too much: these are bits, and a byte has 8 of them.",
                ),
                "numbers": Mistake(
                    lambda parts, dtype: _numbers_in(parts),
                    "this counts the numbers: each of them takes dtype.itemsize bytes.",
                ),
                "trainable ones": Mistake(
                    lambda parts, dtype: sum(
                        t.numel() * dtype.itemsize
                        for t in _once(_all_tensors(parts))
                        if t.is_floating_point() and (t.requires_grad or not isinstance(t, nn.Parameter))
                    ),
                    "only what is trained counts here: a frozen weight takes memory as well.",
                ),
                "whole numbers halved": Mistake(
                    lambda parts, dtype: sum(t.numel() * dtype.itemsize for t in _once(_all_tensors(parts))),
                    "whole numbers are counted as floats of dtype: they keep their type, so take their element_size().",
                ),
                "no buffers": Mistake(
                    lambda parts, dtype: sum(
                        t.numel() * dtype.itemsize for t in _once(t for part in parts for t in part.parameters())
                    ),
                    "the buffers are missing: a network also keeps tensors that no training changes, part.buffers().",
                ),
                "by their place": Mistake(
                    lambda parts, dtype: sum(
                        t.numel() * (dtype.itemsize if t.is_floating_point() else t.element_size())
                        for t in {t.data_ptr(): t for t in _all_tensors(parts)}.values()
                    ),
                    "you tell tensors apart by data_ptr(), which is 0 for all tensors on the device meta: take id(tensor).",
                ),
                "counted twice": Mistake(
                    lambda parts, dtype: sum(weight_bytes([part], dtype) for part in parts),
                    "what two of the parts share is counted twice: it lies in memory once. Gather the tensors by id first.",
                ),
                "only what is saved": Mistake(
                    lambda parts, dtype: sum(
                        t.numel() * (dtype.itemsize if t.is_floating_point() else t.element_size())
                        for part in parts
                        for t in part.state_dict().values()
                    ),
                    "state_dict() leaves out tensors that are in memory and are not saved: take parameters() and buffers().",
                ),
            },
            minutes=7,
            difficulty=2,
        ),
        Exercise(
            "decode_safely",
            decode_safely,
            _decode_cases,
            hints=(
                "Decode all of them in dtype first: decode(latents.to(dtype)).float(). torch.isfinite says of each "
                "number whether it is finite.",
                "A picture has failed if any of its numbers is not finite: .flatten(1) puts all of a picture in one "
                "row, and .all(1) asks about rows.",
                "failed is (B,), True or False. pictures[failed] = decode(latents[failed]), and only if failed.any().",
            ),
            mistakes={
                "never again": Mistake(
                    lambda decode, latents, dtype: decode(latents.to(dtype)).float(),
                    "the pictures that overflowed come back as they were, or have overflowed once more: decode them again, in "
                    "fp32.",
                ),
                "always in fp32": Mistake(
                    lambda decode, latents, dtype: decode(latents),
                    "everything is decoded in fp32: then nothing is saved. Half precision comes first, and fp32 only "
                    "for what failed.",
                ),
                "only nan": Mistake(
                    _safely(failed=lambda pictures: pictures.isnan().flatten(1).any(1)),
                    "you look for nan alone: an infinite number has overflowed as well. torch.isfinite finds both.",
                ),
                "only infinite": Mistake(
                    _safely(failed=lambda pictures: pictures.isinf().flatten(1).any(1)),
                    "you look for infinite numbers alone: infinite less infinite is nan, which is no number. "
                    "torch.isfinite finds both.",
                ),
                "wholly lost ones": Mistake(
                    _safely(failed=lambda pictures: ~torch.isfinite(pictures).flatten(1).any(1)),
                    "a picture counts as failed here only if *all* its numbers are lost: one is enough.",
                ),
                "all again": Mistake(
                    _safely(join=_all_again),
                    "if one picture fails, all are replaced: those that came out well can stay as they are.",
                ),
                "all again for some": Mistake(
                    _safely(join=_all_again_for_some),
                    "the pictures are right, but all latents were decoded again and most of it thrown away: decode "
                    "latents[failed].",
                ),
                "from the halved": Mistake(
                    _safely(join=_from_halved),
                    "the second time you begin from latents that were rounded to half precision: take the ones you "
                    "were given.",
                ),
                "patched": Mistake(
                    _safely(join=_patched),
                    "you mix two decodings in one picture, pixel by pixel: the picture is decoded again as a whole.",
                ),
                "painted over": Mistake(
                    lambda decode, latents, dtype: torch.nan_to_num(decode(latents.to(dtype)).float()),
                    "nan_to_num paints over what is lost: the numbers are finite, and the picture is not there.",
                ),
                "left in half": Mistake(
                    lambda decode, latents, dtype: decode(latents.to(dtype)),
                    "the pictures are left in half precision: give them back in fp32, with .float().",
                ),
            },
            explain=_explain_decoding,
            seen=_with_work,
            minutes=8,
            difficulty=3,
        ),
        Exercise(
            "sliced_attention",
            sliced_attention,
            _slice_cases,
            hints=(
                "attention(q, k, v) asks all queries at once. Which queries does the answer to *one* of them depend on? "
                "Which keys?",
                "So cut q alone: q.split(slice_size, dim=-2) gives the slices, and the last one may be smaller.",
                "Put the answers together with torch.cat(…, dim=-2).",
            ),
            mistakes={
                "whole": Mistake(
                    lambda q, k, v, slice_size: attention(q, k, v),
                    "the numbers are right, but all queries are asked at once: cut q before anything is computed, and ask "
                    "slice_size queries at a time.",
                ),
                "keys cut too": Mistake(
                    _keys_too,
                    "you cut the keys and add up the answers: a softmax is over *all* keys, so each part's weights add "
                    "up to 1 on their own here. Cut the queries.",
                ),
                "keys with their queries": Mistake(
                    _keys_with_their_queries,
                    "q, k and v are cut together, so a query sees only the keys of its own slice: it needs all of them.",
                ),
                "full slices only": Mistake(
                    _full_slices_only,
                    "the last queries are missing where their number is no multiple of slice_size.",
                ),
                "other dimension": Mistake(
                    _along_the_first,
                    "the answers are put together along the first dimension: the queries are the last but one, dim=-2.",
                ),
                "number of slices": Mistake(
                    _slice_size_for_their_number,
                    "chunk(n) makes n slices: asked are slices of slice_size queries, which split makes.",
                ),
                "softmax over the slice": Mistake(
                    _softmax_over_the_slice,
                    "the softmax runs over the queries of a slice: it runs over the keys, the last dimension.",
                ),
                "not scaled": Mistake(
                    _not_scaled, "the root of d is missing: call attention(…) of lesson 6, which has it."
                ),
            },
            explain=_explain_slices,
            seen=_with_memory,
            minutes=7,
            difficulty=2,
        ),
        Exercise(
            "pictures_each",
            pictures_each,
            _class_cases,
            hints=(
                "Begin with one batch size. How much time is left after loading? How many *whole* batches are that? How "
                "many pictures?",
                "a // b gives the whole number of times that b fits into a. You need it twice: batches in the time that "
                "is left, and pictures by students.",
                "Do it for each batch size in sorted(batch_seconds), and keep (pictures, batch) where the pictures are "
                "more than the best so far. Begin with (0, min(batch_seconds)), and with no less than 0 s left.",
            ),
            mistakes={
                "loading forgotten": Mistake(
                    _each(time=lambda students, seconds, load: seconds),
                    "the loading is not paid: subtract it from the seconds first.",
                ),
                "below nothing": Mistake(
                    _without_floor,
                    "if loading takes longer than there is time, the pictures are below 0: they are 0 then.",
                ),
                "broken batches": Mistake(
                    _each(
                        batches=lambda left, one: left / one,
                        share=lambda done, batch, students: int(done * batch / students),
                    ),
                    "you count parts of a batch: one that is not done in time gives no picture. Round down to whole "
                    "batches first.",
                ),
                "rounded up": Mistake(
                    _each(batches=lambda left, one: math.ceil(left / one)),
                    "the batches are rounded up: the last one would end too late.",
                ),
                "batches alone": Mistake(
                    _each(share=lambda done, batch, students: done // students),
                    "these are batches for each student: a batch has several pictures.",
                ),
                "own batches": Mistake(
                    _each(share=lambda done, batch, students: done // students * batch),
                    "here a batch belongs to one student: it may hold pictures of several, so divide the pictures and "
                    "not the batches.",
                ),
                "of all": Mistake(
                    _each(share=lambda done, batch, students: done * batch),
                    "these are the pictures of the whole class: divide by the students, and round down.",
                ),
                "parts of a picture": Mistake(
                    _each(share=lambda done, batch, students: done * batch / students),
                    "nobody gets a part of a picture: round down.",
                ),
                "the largest of equals": Mistake(
                    _each(better=lambda each, best: each >= best),
                    "where two batch sizes give as many pictures, the smaller one is asked for: it needs less memory.",
                ),
                "of the class": Mistake(
                    _by_totals,
                    "you compare the pictures of the whole class: asked are those of each student, rounded down.",
                ),
                "as they come": Mistake(
                    _in_given_order,
                    "you go through the batch sizes in the order of the dict: from small to large, the first that gives as "
                    "many is the smallest.",
                ),
                "the largest batch": Mistake(
                    _one_batch_size(max),
                    "you take the largest batch: it may leave much time over. Try all of them.",
                ),
                "the smallest batch": Mistake(
                    _one_batch_size(min),
                    "you take the smallest batch only: larger ones may give more. Try all of them.",
                ),
                "the fastest": Mistake(
                    _one_batch_size(lambda table: min(table, key=lambda b: (table[b] / b, b))),
                    "you take the batch with the least seconds per picture: as the last batch has to be whole, another "
                    "one can give more. Try all of them.",
                ),
                "each batch shared out": Mistake(
                    _each(share=lambda done, batch, students: done * (batch // students)),
                    "you share out each batch on its own: a batch may hold pictures for some of the class, and the next one "
                    "for the others. Divide the pictures of all batches.",
                ),
                "loaded by each": Mistake(
                    _each(time=lambda students, seconds, load: max(0.0, seconds - students * load)),
                    "the model is loaded once for each student here: it is loaded once for all.",
                ),
                "turned": Mistake(
                    lambda *given: pictures_each(*given)[::-1],
                    "the two have changed places: the pictures first, then the batch size.",
                ),
            },
            explain=_explain_class,
            minutes=9,
            difficulty=3,
        ),
    ],
)
