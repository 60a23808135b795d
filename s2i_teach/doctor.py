"""Says what this machine has, what of the course runs here and how fast, and what is missing."""

import importlib.util
import platform
import shutil
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version

from s2i_teach.errors import InputError
from s2i_teach.paths import data_dir

PACKAGES = (
    "torch",
    "diffusers",
    "transformers",
    "accelerate",
    "safetensors",
    "huggingface_hub",
    "numpy",
    "pillow",
    "scikit-image",
    "matplotlib",
    "ipywidgets",
    "anywidget",
    "gdown",
)


def report() -> str:
    """The doctor's findings as text, a line each."""
    lines = [f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"]
    missing = []
    for package in PACKAGES:
        try:
            lines.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    try:
        lines.append(f"data: {data_dir()}")
    except InputError as error:
        return "\n".join([*lines, str(error)])
    if missing:
        lines.append(f"missing: {', '.join(missing)}. Get them with: pip install {' '.join(missing)}")
    if {"torch", "diffusers", "transformers"} & set(missing):
        return "\n".join([*lines, "Nothing can run until these are there."])
    return "\n".join([*lines, *_machine(), *_models()])


def _machine() -> list[str]:
    import torch

    from s2i_teach.models.devices import free_memory, pick_device, pick_dtype

    device = pick_device()
    dtype = str(pick_dtype(device)).removeprefix("torch.")
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        capability = ".".join(map(str, torch.cuda.get_device_capability(device)))
        lines = [f"device: {name} (capability {capability}), precision {dtype}"]
    else:
        lines = [f"device: {device.type}, {torch.get_num_threads()} threads, precision {dtype}"]
    lines.append(
        f"free memory: {free_memory(device):.1f} GB on the device, {free_memory(torch.device('cpu')):.1f} GB of RAM"
    )
    lines.append(f"free disk: {shutil.disk_usage('.').free / 1e9:.0f} GB here")
    return lines


def _models() -> list[str]:
    """What runs: the miniatures measured now, the others predicted from what they have to compute."""
    from s2i_teach.models.catalog import offered
    from s2i_teach.models.devices import pick_device
    from s2i_teach.models.load import load_pipeline
    from s2i_teach.translation.settings import Settings

    lines = []
    device = pick_device()
    for entry in offered().values():
        if not entry.embedded:
            lines.append(_predicted(entry, device))
            continue
        try:
            started = time.perf_counter()
            pipe = load_pipeline(entry.name)
            loaded = time.perf_counter() - started
            plan = Settings("a cat").plan(pipe)
            lines.append(
                f"{entry.name}: runs here; loaded in {loaded:.1f} s, a picture in about {plan.seconds:.1f} s "
                f"({plan.evaluations} evaluations at {plan.size[0]} × {plan.size[1]})"
            )
        except InputError as error:
            lines.append(f"{entry.name}: does not run: {error}")
    if device.type == "cpu":
        lines.append("with a GPU the larger models are much quicker (on Colab: Runtime, Change runtime type, T4 GPU)")
    return lines


def _predicted(entry, device) -> str:
    """A model that may not even be downloaded: what it takes, whether it fits, and how long a picture would take."""
    from s2i_teach.models.devices import free_memory, pick_dtype
    from s2i_teach.models.fit import LADDER, need_of, rung_for, wants_small_vae
    from s2i_teach.models.hub import download_of
    from s2i_teach.models.kinds import KINDS
    from s2i_teach.models.quantise import wants_quantised
    from s2i_teach.models.speed import predicted

    dtype, free = pick_dtype(device), free_memory(device)
    need = need_of(entry, dtype)
    small_vae = entry.small_vae is not None and wants_small_vae("auto", entry.evaluations, device)
    try:
        seconds = predicted(entry, device, dtype, small_vae=small_vae)
    except InputError as error:
        return f"{entry.name}: does not run: {error}"
    about = (
        f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
    )
    words = f"{entry.name}: {download_of(entry)}; a picture would take about {about}"
    if device.type == "cpu" and need > free:
        return f"{words}, but it needs {need:.1f} GB and {free:.1f} GB are free"
    kind = KINDS[entry.kind]
    if wants_quantised("auto", kind, need, free, device):
        return f"{words}, with most weights in 4 bits, as memory is short"
    rung = rung_for(need, free, device)
    if rung > (1 if kind.is_flow else 0):  # slices change nothing there
        words += f", and longer as memory is short: {LADDER[rung - 1].words}"
    return words


def open_lab(options: list[str]) -> None:
    """Open JupyterLab at the first lesson.

    Raises:
        InputError: JupyterLab is not installed, did not start, or the lessons are not here.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise InputError('JupyterLab is not installed: pip install "s2i_teach[lab]".')
    lessons = data_dir().parent / "notebooks"
    first = lessons / "00_first_picture.ipynb"
    if not first.is_file():
        raise InputError("The lessons are not beside this installation: clone the repository and use `make lab` there.")
    done = subprocess.run([sys.executable, "-m", "jupyterlab", str(first), *options], check=False)
    if done.returncode:
        raise InputError(f"JupyterLab ended with status {done.returncode}; what it said stands above.")
