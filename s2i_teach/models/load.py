"""Loads a model by name as a genuine diffusers pipeline, ready for this machine."""

import logging
import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from s2i_teach.errors import InputError
from s2i_teach.files import shown, written
from s2i_teach.models.catalog import DEFAULT, Model, Part, describe, find, offered
from s2i_teach.models.devices import check_dtype, free_memory, is_small, pick_device
from s2i_teach.models.families import load_family_pipeline
from s2i_teach.models.fit import (
    check_offload,
    explain,
    first_rung,
    stand_on,
    wants_small_vae,
    weights_of,
)
from s2i_teach.models.flows import check_available
from s2i_teach.models.folder import (
    built_as_flow,
    built_as_xl,
    check_controlnet,
    check_folder,
    check_text_encoder,
    led_by_controlnet,
)
from s2i_teach.models.hub import choices, fetch, why
from s2i_teach.models.kinds import KINDS, keep_scale, kind_for
from s2i_teach.models.preview import load_small_vae
from s2i_teach.models.quantise import check_quantize, quantisation, saved_size, wants_quantised
from s2i_teach.models.schedulers import make_scheduler
from s2i_teach.models.shims import dtype_keyword, quiet_loading, saved_parts
from s2i_teach.models.style import merge_style
from s2i_teach.paths import data_dir

log = logging.getLogger(__name__)
T = TypeVar("T")

_loading = threading.RLock()
"""diffusers and transformers patch themselves while they load: two threads that load at once spoil each other."""
_shared: dict[str, object] = {}


def load_pipeline(
    model: str | Path = DEFAULT,
    *,
    device: str | None = None,
    dtype=None,
    attention_slicing: bool | str = "auto",
    offload: str = "auto",
    small_vae: bool | str = "auto",
    quantize: str = "auto",
    scheduler: str | None = None,
    safety_checker: bool = True,
    offline: bool | None = None,
    progress: bool = False,
):
    """A diffusers ``StableDiffusionImg2ImgPipeline``, on the best device and in the precision that suits it.

    A model that is led by the sketch is a ``StableDiffusionControlNetImg2ImgPipeline``; one of SDXL's has ``XL`` in these names.
    One that edits the sketch is a ``Flux2KleinPipeline``. A family of the literature review, such as ``"pix2pix"``, is a
    :class:`s2i_teach.models.families.FamilyPipeline`, to which only ``device`` and ``dtype`` mean something.

    Args:
        model: a name of the catalog (``s2i models`` lists them), a folder saved by diffusers, or a Hugging Face id,
            which may end in ``@`` and a commit.
        device: ``"cuda"``, ``"mps"``, ``"cpu"``; None picks the best that works.
        dtype: ``"fp32"``, ``"fp16"``, ``"bf16"`` or torch's; None picks fp16 on CUDA (bf16 from capability 8), bf16 on
            a CPU that has it, else fp32.
        attention_slicing: computes attention in slices. Where torch has fused attention this takes more memory, and more
            time. ``"auto"`` fits the model to the memory that is free: pictures decoded one by one, then each part or each
            layer on the GPU only while it works (:mod:`s2i_teach.models.fit`).
        offload: ``"none"``; ``"parts"``, each on the GPU only while it works; ``"layers"``, likewise each layer; ``"auto"``
            chooses by the memory that is free.
        small_vae: take a small VAE in place of the model's own, where one is known (TAESD): many times quicker, and fine
            detail is lost. ``"auto"`` takes it on a CPU, for models of few steps.
        quantize: ``"nf4"`` keeps the weights of a model that edits in 4 bits each (Dettmers et al. 2023), which takes a third of
            the memory, changes the pictures a little, and needs a GPU and the package ``bitsandbytes``; ``"none"`` keeps them
            as they are; ``"auto"`` quantises where all of them would not fit and the package is there.
        scheduler: a short name (``"ddim"``, ``"dpm++"``, ``"euler"``, ``"lcm"``, ``"pndm"``, ``"unipc"``, ``"ddpm"``);
            None is the catalog's for this model, else the model's own.
        safety_checker: load the model's safety checker, where it has one.
        offline: use only what is on this machine. None: offline if ``HF_HUB_OFFLINE`` is set.
        progress: show diffusers' progress bar.

    What was chosen for this machine, and why, is printed in one line for models that do not come with the course, and is
    kept in ``pipe.s2i_fit``.

    Only safetensors are read, never pickles, and no code that comes with a model is run.

    Raises:
        InputError: an unknown name, a folder without a pipeline, another kind of model, damaged or pickled weights, or
            nothing to be had from any id.
    """
    if not isinstance(attention_slicing, (bool, str)) or attention_slicing not in (True, False, "auto"):
        raise InputError(f'attention_slicing={written(attention_slicing)} is not known: use "auto", True or False.')
    if not isinstance(model, (str, os.PathLike)):
        raise InputError(f"A {type(model).__name__} names no model: give a name of the catalog, a folder or an id.")
    chosen_device = pick_device(device)
    chosen_dtype = check_dtype(dtype, chosen_device)
    entry = find(str(model))
    if entry and KINDS[entry.kind].is_family:
        return load_family_pipeline(entry.name, chosen_device, None if dtype is None else chosen_dtype)
    sources = entry.sources() if entry else [_checked_source(model)]
    if offline is None:
        offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON")

    check_offload(offload, chosen_device)
    entry_kind = KINDS[entry.kind] if entry else None
    check_quantize(quantize, chosen_device, entry_kind)
    if entry_kind and entry_kind.is_flow:
        check_available(entry_kind.pipeline)
    small = entry.small_vae if entry else None
    if small_vae is True and small is None:
        raise InputError(f"For {shown(str(model))} no small VAE is known: leave small_vae out.")
    use_small = wants_small_vae(small_vae, entry.evaluations if entry else 0, chosen_device) and small is not None

    parts = {part.role: (part, _part_folder(part, str(model), offline)) for part in (entry.parts if entry else ())}
    vae, small_folder = "own", None
    if small is not None:
        try:
            small_folder = _part_folder(small, str(model), offline)
        except InputError as error:
            if small_vae is True:
                raise
            vae = str(error) if use_small else "own"
        else:
            vae = "small" if use_small else "own"

    free = free_memory(chosen_device)

    def load(source: str):
        with _loading:
            pipe = _load(source, entry, parts, chosen_device, chosen_dtype, safety_checker, offline, quantize)
            if vae == "small" and small_folder is not None:
                pipe.register_modules(vae=load_small_vae(small_folder, chosen_dtype))
            stand_on(pipe, first_rung(weights_of(pipe), free, chosen_device, attention_slicing, offload), chosen_device)
            return pipe

    pipe = _first(sources, load, model)

    wanted = entry.scheduler if entry and scheduler is None else scheduler
    if wanted is not None:
        pipe.scheduler = make_scheduler(wanted, pipe.scheduler, 1)
    if entry and entry.spacing:
        pipe.scheduler.register_to_config(timestep_spacing=entry.spacing)
    pipe.set_progress_bar_config(disable=not progress)
    if attention_slicing is True:
        pipe.enable_attention_slicing()
    if chosen_device.type == "cpu" and chosen_dtype == torch.bfloat16 and is_small(pipe):
        # Else each call of a convolution first puts its weights in order: a tenth to a third of a part's time.
        networks: list[Any] = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
        for network in networks:
            network.to(memory_format=torch.channels_last)
    pipe.s2i_small_vae = small_folder
    pipe.s2i_fit = explain(pipe, free, asked_dtype=dtype is not None, vae=vae)
    if entry is None or entry.whole_download:
        print(pipe.s2i_fit, file=sys.stderr)
    pipe.s2i_model = str(model)
    return pipe


def _first(sources: list[str], attempt: Callable[[str], T], model: str | Path) -> T:
    """What comes of the first source that works; those before it are told.

    Raises:
        InputError: none works.
    """
    failures: list[str] = []
    for source in sources:
        try:
            made = attempt(source)
        except Exception as error:  # damaged weights make the libraries raise nearly anything; each becomes a sentence
            failures.append(f"{source}: {why(source, error)}")
            log.info("%s could not be loaded", source, exc_info=True)
            continue
        if failures:
            print(f"Note: {'; '.join(failures)}. So {source} is used.", file=sys.stderr)
        return made
    entry = find(str(model))
    hint = "" if entry and entry.embedded else ' The miniature needs no network: load_pipeline("mini").'
    raise InputError(f"{describe(model)} could not be loaded ({'; '.join(failures)}).{hint}")


def _part_folder(part: Part, model: str, offline: bool) -> Path:
    """Where a part of a model lies: below ``data/``, or fetched."""
    if part.embedded:
        return data_dir() / part.embedded
    if part.role == "lora":
        from diffusers.utils import USE_PEFT_BACKEND  # not there, or too old for this diffusers

        if not USE_PEFT_BACKEND:
            raise InputError(f"{model} needs a newer package peft: pip install -U peft.")

    def fetched(source: str) -> Path:
        folder = Path(source)
        wanted = choices(part.role, "fp16", part.file)
        return folder if folder.is_dir() else fetch(source, wanted, offline=offline, licence=part.licence)

    return _first(list(part.ids), fetched, model)


def shared_pipeline(model: str | Path):
    """:func:`load_pipeline` with its defaults, loaded once for all who ask for that model.

    Raises:
        InputError: as ``load_pipeline``.
    """
    with _loading:
        if str(model) not in _shared:
            _shared[str(model)] = load_pipeline(model)
        return _shared[str(model)]


def is_loaded(model: str | Path) -> bool:
    """Whether :func:`shared_pipeline` has that model already."""
    return str(model) in _shared


def _checked_source(model) -> str:
    """A folder that holds a pipeline, or something that can be a hub id."""
    text = str(model)
    try:
        folder = Path(text).expanduser()
        is_folder = folder.is_dir()
    except (OSError, RuntimeError, ValueError):  # too long, an unknown user, a zero byte
        is_folder = False
    if is_folder:
        if not (folder / "model_index.json").is_file():
            raise InputError(f"{folder} holds no diffusers pipeline (no model_index.json): give the folder that does.")
        return str(folder)
    if re.fullmatch(r"[\w.-]{1,96}/[\w.-]{1,96}(@[\w.-]{1,96})?", text) and not text.startswith((".", "~")):
        return text
    raise InputError(
        f"The model {shown(text)!r} is not known: use {', '.join(offered())}, a folder saved by diffusers, or a Hugging "
        "Face id such as stable-diffusion-v1-5/stable-diffusion-v1-5."
    )


def _load(
    source: str,
    entry: Model | None,
    parts: dict[str, tuple[Part, Path]],
    device,
    dtype,
    safety_checker: bool,
    offline: bool,
    quantize: str,
):
    folder, variant = Path(source), entry.variant if entry else None
    if not folder.is_dir():
        wanted = choices("pipeline", variant, without=[role for role in parts if role == "vae"])
        folder = fetch(source, wanted, offline=offline, licence=entry.licence if entry else "")
    check_folder(folder)
    options: dict[str, Any] = {dtype_keyword(): dtype, "use_safetensors": True, "local_files_only": True}
    controlnet = parts["controlnet"][1] if "controlnet" in parts else None
    if controlnet is None and led_by_controlnet(folder):
        controlnet = folder / "controlnet"
    is_flow = built_as_flow(folder)
    kind = kind_for(led=controlnet is not None, is_xl=built_as_xl(folder), is_flow=is_flow)
    check_quantize(quantize, device, kind)
    quantised = wants_quantised(quantize, kind, saved_size(folder, dtype), free_memory(device), device)
    if quantised:
        options["quantization_config"] = quantisation(kind, dtype)
    if is_flow:
        check_available(kind.pipeline)
    elif kind.is_xl:
        options["add_watermarker"] = False  # or a picture would depend on whether another package is installed
    elif not safety_checker:
        options |= {"safety_checker": None, "requires_safety_checker": False}
    if variant and any((folder / "unet").glob(f"*.{variant}.safetensors")):
        options["variant"] = variant
    loaded = {} if is_flow else saved_parts(folder, dtype)
    if controlnet is not None:
        check_controlnet(controlnet, folder)
        loaded["controlnet"] = _load_network("ControlNetModel", "ControlNet", controlnet, dtype)
        if entry and entry.guess_mode:
            loaded["controlnet"].register_forward_pre_hook(keep_scale, with_kwargs=True)
    if "vae" in parts:
        loaded["vae"] = _load_network("AutoencoderKL", "VAE", parts["vae"][1], dtype)
    with quiet_loading():
        import diffusers

        pipe = getattr(diffusers, kind.pipeline).from_pretrained(str(folder), **loaded, **options)
    for name in kind.encoders:
        check_text_encoder(folder / name, getattr(pipe, name))
    if "lora" in parts:
        _add_lora(pipe, *parts["lora"])
    if "changes" in parts:
        _add_changes(pipe, *parts["changes"])
    pipe.s2i_folder, pipe.s2i_quantized = str(folder), quantised
    return pipe


def _add_lora(pipe, part: Part, folder: Path) -> None:
    """Add a LoRA to the U-Net's own weights, for good: the pipeline is as quick as without it (Hu et al. 2021).

    diffusers needs the package peft for it. What comes with the course needs no more than the course.
    """
    if part.embedded:
        merge_style(pipe, folder / str(part.file))
        return
    with quiet_loading():
        try:
            pipe.load_lora_weights(str(folder), weight_name=part.file, local_files_only=True, use_safetensors=True)
            pipe.fuse_lora(components=["unet"])
            pipe.unload_lora_weights()
        except (RuntimeError, ValueError, KeyError) as error:  # torch's, diffusers' or peft's
            raise InputError(f"the LoRA {part.file} does not fit its U-Net") from error


def _add_changes(pipe, part: Part, folder: Path) -> None:
    """Add to some weights what a training by reward has changed them by (:mod:`s2i_teach.training.reward`)."""
    import torch
    from safetensors.torch import load_file

    file = folder / str(part.file)
    if not file.is_file():
        raise InputError(f"the changes {file} are not there")
    weights = {
        f"{name}.{key}": value
        for name in ("unet", "controlnet")
        for key, value in getattr(pipe, name).named_parameters()
    }
    with torch.no_grad():
        changes = load_file(file)
        for key in [key for key in changes if not key.endswith(".scale")]:
            change = changes[key].float() * changes.get(f"{key}.scale", 1.0)
            if key not in weights or weights[key].shape != change.shape:
                raise InputError(f"the changes in {file} do not fit: {key} is not one of the weights")
            weights[key].copy_(weights[key].float() + change.to(weights[key].device))


def _load_network(kind: str, name: str, folder: Path, dtype):
    """A part that lies in a folder of its own, by its class in diffusers."""
    with quiet_loading():
        import diffusers

        options = {dtype_keyword(): dtype, "use_safetensors": True, "local_files_only": True}
        if any(folder.glob("*.fp16.safetensors")) and not (folder / "diffusion_pytorch_model.safetensors").is_file():
            options["variant"] = "fp16"  # of the hub's two sets of weights only this one is fetched
        made, found = getattr(diffusers, kind).from_pretrained(str(folder), output_loading_info=True, **options)
    missing = sorted(found["missing_keys"])
    if missing:  # diffusers fills gaps with random numbers
        raise InputError(f"the {name} in {folder} lacks {len(missing)} of its weights, among them {missing[0]}")
    return made
