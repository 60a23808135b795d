"""Several processes at one work: before they meet, and when they part."""

import os


def is_launched() -> bool:
    """Whether ``accelerate launch`` (or ``torchrun``) started this process as one of several."""
    return "LOCAL_RANK" in os.environ and "WORLD_SIZE" in os.environ


def before_meeting() -> None:
    """Call it before accelerate makes the process group.

    ``torch.distributed.nn`` keeps the group that it finds when it is imported, as the default of its arguments, and an
    optimizer imports it. A group that is kept cannot be left: its threads run on and may abort the process at its end.
    """
    if is_launched():
        import torch.distributed.nn  # noqa: F401


def leave() -> None:
    """Say good-bye to the other processes, where there are any."""
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
