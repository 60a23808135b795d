"""Prompts as the model reads them, and lists of prompts from a template."""

from itertools import product
from string import Formatter

from s2i_teach.errors import InputError
from s2i_teach.files import shown, written

MOST_PROMPTS = 10_000


def read_and_lost(tokenizer, prompt: str) -> tuple[str, str]:
    """What the text encoder reads of a prompt, and what is cut off, as the pair ``(read, lost)`` of texts.

    The encoder has ``tokenizer.model_max_length`` places (77 in Stable Diffusion), of which the start and the end token
    take two. ``lost`` is ``""`` if all is read. Both are written as the tokenizer writes pieces out: in small letters,
    with a space before a comma. A letter that several pieces spell may be cut in two, and shows as �.

    Raises:
        InputError: the prompt is no text.
    """
    if not isinstance(prompt, str):
        raise InputError(f"The prompt is a {type(prompt).__name__}: give a text.")
    if not hasattr(tokenizer, "model_max_length"):
        raise InputError(f"This is no tokenizer ({type(tokenizer).__name__}): give pipe.tokenizer.")
    ids = tokenizer(prompt, verbose=False).input_ids  # or it warns of too many
    end = tokenizer.model_max_length - 1  # the last place belongs to the end token
    read, lost = ids[1:-1][: end - 1], ids[end:-1]
    return tokenizer.decode(read).strip(), tokenizer.decode(lost).strip()


def fill(template: str, /, **fields) -> list[str]:
    """Prompts from a template: every combination of the fields' values, the first field slowest.

    ``fill("a {thing}, {style} style", thing=["cat", "owl"], style=["noto", "flat"])`` gives four. The order of the
    fields is that in which they are given, as the axes of :func:`s2i_teach.sweep`, which takes them as ``prompts=``.

    Args:
        template: with the fields' names in braces, ``{{`` and ``}}`` for braces that are meant.
        fields: name → a text, or a list of texts.

    Raises:
        InputError: a field that the template does not have, one that is not given, or values that are no texts.
    """
    if not isinstance(template, str):
        raise InputError(
            f'The template is a {type(template).__name__}: give a text, such as "a {{thing}}, noto style".'
        )
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise InputError(
            f"The template {shown(template)!r} has a brace without its partner ({error}): close it, or write {{{{ or }}}} "
            "for a brace that is meant."
        ) from None
    wanted = [name for _, name, _, _ in parts if name is not None]
    for _, name, form, conversion in parts:
        if name is not None and (not name.isidentifier() or form or conversion):
            raise InputError(f"A field of the template {shown(template)!r} is no plain name: write it as {{thing}}.")
    for name in wanted:
        if name not in fields:
            raise InputError(f"The template asks for {shown(name)!r}, which is not given: add {shown(name)}=[…].")
    for name in fields:
        if name not in wanted:
            raise InputError(
                f"{shown(name)!r} is given, but the template {shown(template)!r} has no {{{shown(name)}}}."
            )
    lists, number = {}, 1
    for name, values in fields.items():
        if isinstance(values, str):
            values = [values]
        elif isinstance(values, (set, frozenset, dict)) or not hasattr(values, "__iter__"):
            raise InputError(f"{shown(name)} is a {type(values).__name__}: give a list of texts.")
        try:
            values = list(values)
        except TypeError:  # an array of no dimension has an __iter__ that refuses
            raise InputError(f"{shown(name)} is a {type(values).__name__}: give a list of texts.") from None
        strange = [value for value in values if not isinstance(value, str)]
        if strange or not values:
            raise InputError(
                f"{shown(name)} has {f'{written(strange[0])} among its values' if strange else 'no value'}: give texts."
            )
        lists[name] = values
        number *= len(values)
    if number > MOST_PROMPTS:
        raise InputError(f"These lists make {number} prompts: give shorter ones, for {MOST_PROMPTS} at most.")
    return [template.format(**dict(zip(lists, values, strict=True))) for values in product(*lists.values())]
