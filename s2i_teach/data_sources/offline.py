"""Whether anybody may be asked over the network."""

import os


def is_offline(offline: bool = False) -> bool:
    """Whether nobody may be asked: by the argument, or by ``S2I_OFFLINE`` (anything but empty and 0)."""
    return offline or os.environ.get("S2I_OFFLINE", "0").strip() not in ("", "0")
