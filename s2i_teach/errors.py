"""The one exception for a user's mistake."""


class InputError(ValueError):
    """Something that a user gave cannot be used. The message is one sentence: what is wrong, and what to do.

    The command line prints it and exits with status 2.
    """
