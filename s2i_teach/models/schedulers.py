"""Schedulers by short name, made from a pipeline's own schedule."""

from copy import deepcopy

from s2i_teach.errors import InputError
from s2i_teach.files import written

SCHEDULERS = {
    "ddim": ("DDIMScheduler", {}),
    "ddpm": ("DDPMScheduler", {}),
    "dpm++": ("DPMSolverMultistepScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "lcm": ("LCMScheduler", {}),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
    "unipc": ("UniPCMultistepScheduler", {}),
}
"""Short name → diffusers' class and what it needs besides the pipeline's configuration."""


def make_scheduler(name: str | None, current, num_inference_steps: int):
    """A fresh scheduler for one run; ``current`` (the pipeline's) stays untouched.

    Args:
        name: one of ``SCHEDULERS``, or None for a copy of the current one.
        num_inference_steps: LCM picks its steps from ``original_inference_steps`` (50) and refuses to take more; the
            copy's limit is raised to what was asked for.

    Raises:
        InputError: an unknown name, or any name for a flow.
    """
    import diffusers

    check_scheduler(name, current)
    if name is not None and (not isinstance(name, str) or name not in SCHEDULERS):
        raise InputError(f"The scheduler {written(name)} is not known: use one of {', '.join(SCHEDULERS)}.")
    if name is None or name == scheduler_name(current):
        scheduler = deepcopy(current)
    else:
        kind, extra = SCHEDULERS[name]
        scheduler = getattr(diffusers, kind).from_config(current.config, **extra)
    limit = scheduler.config.get("original_inference_steps")
    if limit is not None and num_inference_steps > limit:
        scheduler.register_to_config(original_inference_steps=num_inference_steps)
    return scheduler


def check_scheduler(name: str | None, current) -> None:
    """Refuse a scheduler of noise where a model's own is one of flows.

    Raises:
        InputError: it is.
    """
    if name is not None and is_flow_scheduler(current):
        raise InputError(
            f"scheduler={written(name)} is of another kind than this model, which is a flow: leave it out."
        )


def is_flow_scheduler(scheduler) -> bool:
    """Whether it mixes (1 − σ) · x_0 + σ · noise, as diffusers' ``FlowMatch…`` schedulers do."""
    return type(scheduler).__name__.startswith("FlowMatch")


def scheduler_name(scheduler) -> str:
    """The short name of a scheduler, or its class's name where it has none."""
    kind = type(scheduler).__name__
    return next((name for name, (known, _) in SCHEDULERS.items() if known == kind), kind)
