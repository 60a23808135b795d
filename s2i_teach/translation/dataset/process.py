"""Which of several processes this is, as 🤗 accelerate's launcher says."""

import os

from s2i_teach.models.load import load_pipeline, shared_pipeline
from s2i_teach.models.processes import before_meeting, is_launched


def speaks() -> bool:
    """Whether this process tells its node's progress: the first one there."""
    return not is_launched() or os.environ["LOCAL_RANK"] == "0"


def pipeline_here(model: str, dtype=None):
    """A model on this process's own device.

    accelerate gives each process of a node its GPU. Its other means are not used: a set is shared out by claims in its
    folder, so that no process waits for one that is slower, dead, or not yet there.
    """
    if not is_launched():
        return shared_pipeline(model) if dtype is None else load_pipeline(model, dtype=dtype)
    from accelerate import PartialState

    before_meeting()
    device = PartialState().device
    return load_pipeline(model, dtype=dtype, device="cpu" if device.type == "cpu" else str(device))
