"""Prompts that a pipeline has read before: they are read once, however many pictures are made of them."""

from collections import OrderedDict
from weakref import WeakKeyDictionary

from s2i_teach.models.devices import device_of
from s2i_teach.models.kinds import Text, encode_text, text_encoders

MOST = 32
"""Pairs of prompt and negative prompt that are kept for a pipeline; the one that was longest not asked for goes first."""

_kept: WeakKeyDictionary = WeakKeyDictionary()


def read_text(pipe, prompt: str, negative_prompt: str | None) -> tuple[Text, Text | None]:
    """:func:`s2i_teach.models.kinds.encode_text`, or what it gave before for the same words, weights, precision and device."""
    table, key = _kept.setdefault(pipe, OrderedDict()), _key(pipe, prompt, negative_prompt)
    if key not in table:
        table[key] = encode_text(pipe, prompt, negative_prompt)
    table.move_to_end(key)
    while len(table) > MOST:
        table.popitem(last=False)
    return table[key]


def is_read(pipe, prompt: str, negative_prompt: str | None) -> bool:
    """Whether :func:`read_text` has it already."""
    return _key(pipe, prompt, negative_prompt) in _kept.get(pipe, ())


def _key(pipe, prompt: str, negative_prompt: str | None) -> tuple:
    weights = [parameter for encoder in text_encoders(pipe) for parameter in encoder.parameters()]
    # torch counts the changes of each tensor in place: an encoder that was trained on has other numbers.
    changes = sum(0 if parameter.is_inference() else parameter._version for parameter in weights)
    return (prompt, negative_prompt, weights[0].dtype, device_of(pipe), changes, *map(id, text_encoders(pipe)))


def forget_texts(pipe) -> None:
    """The next run reads its prompts again, for whoever wants to watch that."""
    _kept.pop(pipe, None)
