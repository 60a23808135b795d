"""A setting's value in words."""


def value_words(name: str, value, own: str = "the model's own", empty: str = "none") -> str:
    """A setting's value as one reads it: ``0.5``, ``128 × 128``, ``the model's own``.

    Whole numbers keep all their digits, as a seed must; others have six.

    Args:
        name: of the setting, such as ``"size"``.
        value: as :class:`s2i_teach.Settings` takes it, or a score's value.
        own, empty: the words for None and for an empty text, in another language than English.
    """
    if value is None:
        return own
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (tuple, list, range)):
        return (" × " if name == "size" else ", ").join(map(str, value))
    return str(value) or empty
