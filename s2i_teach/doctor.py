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
    """What runs: the miniature measured now, the others by what they need."""
    from s2i_teach.models.catalog import offered
    from s2i_teach.models.devices import free_memory, pick_device
    from s2i_teach.models.fit import LADDER, rung_for
    from s2i_teach.models.hub import download_of
    from s2i_teach.models.load import load_pipeline
    from s2i_teach.translation.settings import Settings

    lines, for_a_gpu = [], []
    device = pick_device()
    for entry in offered().values():
        if entry.embedded:
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
            continue
        fetched = download_of(entry)
        if device.type == "cpu":
            for_a_gpu.append(f"{entry.name} ({fetched})")
        elif rung := rung_for(entry.memory, free_memory(device), device):
            lines.append(
                f"{entry.name}: {fetched}; needs {entry.memory:.1f} GB, {free_memory(device):.1f} GB are free, so "
                f"{LADDER[rung - 1].words}; to free more, restart the notebook"
            )
        else:
            lines.append(f"{entry.name}: {fetched}; fits this GPU (its speed here was not measured)")
    if for_a_gpu:
        lines.append(
            f"{', '.join(for_a_gpu)}: on a CPU a picture takes minutes, so use a GPU (on Colab: Runtime, Change runtime "
            "type, T4 GPU)"
        )
    return lines


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
