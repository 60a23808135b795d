"""Looks at a model's folder before anything of it is loaded: no code, no pickles, nothing missing, the right kind."""

import json
from pathlib import Path

from s2i_teach.errors import InputError
from s2i_teach.files import shown, written
from s2i_teach.models.kinds import EDIT

LIBRARIES = {"diffusers", "transformers", "stable_diffusion"}
"""Where a pipeline's parts may come from; ``stable_diffusion`` is diffusers' old word for its safety checker."""


def check_folder(folder: Path) -> None:
    """Refuse a pipeline that is no Stable Diffusion 1, 2 or XL nor FLUX.2 [klein], or that would need code or pickles.

    Older versions of diffusers import whatever a model's index names; here it is read before they see it.

    Raises:
        InputError: says what is wrong.
    """
    code = next(iter(sorted(folder.glob("*.py")) + sorted(folder.glob("*/*.py"))), None)
    if code:
        raise InputError(f"{folder} brings code along ({code.name}): such code is never run; delete it to go on.")
    index = _json(folder / "model_index.json")
    if not isinstance(index.get("_class_name"), str):
        raise InputError(f"{folder} names code of its own as its pipeline: such code is never run.")
    for part, entry in index.items():
        if part.startswith("_") or not isinstance(entry, list):
            continue
        if len(entry) != 2 or (entry[0] is not None and entry[0] not in LIBRARIES):
            raise InputError(f"{folder} wants code of its own for its part {written(part)}: such code is never run.")
    is_flow = built_as_flow(folder)
    more = ("text_encoder_2", "tokenizer_2") if built_as_xl(folder) else ()
    for part in ("transformer" if is_flow else "unet", "vae", "text_encoder", "tokenizer", "scheduler", *more):
        if isinstance(index.get(part), list) and (folder / part).is_dir():
            continue
        if is_flow:
            raise InputError(f"{folder} has no {part}: it is no FLUX.2 [klein] in diffusers' format.")
        raise InputError(f"{folder} has no {part}: it is no Stable Diffusion model in diffusers' format.")
    for listing in folder.glob("*/*.safetensors.index.json"):
        files = _json(listing).get("weight_map", {}).values()
        if any(not str(name).endswith(".safetensors") or set("/\\") & set(str(name)) for name in files):
            raise InputError(f"{folder} lists weights that are no safetensors: pickles are never read.")
    if is_flow:
        return
    unet, vae = (_json(folder / part / "config.json") for part in ("unet", "vae"))
    told = unet.get("addition_embed_type")
    if unet.get("in_channels", 4) != 4 or (told and not built_as_xl(folder)) or vae.get("latents_mean"):
        raise InputError(
            f"{folder} is of another kind (inpainting, say, by its U-Net or VAE): use a plain Stable Diffusion 1, 2 or XL."
        )


def built_as_flow(folder: Path) -> bool:
    """Whether a folder's pipeline is FLUX.2 [klein], with a transformer in the U-Net's place.

    Raises:
        InputError: the folder's index cannot be read.
    """
    return _json(folder / "model_index.json").get("_class_name") == EDIT.pipeline


def built_as_xl(folder: Path) -> bool:
    """Whether a pipeline's U-Net is one of SDXL, which is told the whole prompt in one vector and the picture's size."""
    config = folder / "unet" / "config.json"
    return config.is_file() and _json(config).get("addition_embed_type") == "text_time"


def led_by_controlnet(folder: Path) -> bool:
    """Whether a saved pipeline has a ControlNet of its own.

    Raises:
        InputError: the folder's index cannot be read.
    """
    entry = _json(folder / "model_index.json").get("controlnet")
    return isinstance(entry, list) and None not in entry


def check_controlnet(folder: Path, base: Path) -> None:
    """Refuse a ControlNet that cannot lead the pipeline in ``base``, by what its configuration says.

    Raises:
        InputError: it is not there, of another kind, or made for another U-Net.
    """
    if not (folder / "config.json").is_file():
        raise InputError(f'its ControlNet is not in {folder}: train it with s2i train control, or use "mini"')
    config, unet = _json(folder / "config.json"), _json(base / "unet" / "config.json")
    if config.get("_class_name") != "ControlNetModel":
        raise InputError(f"{folder} is no ControlNet: its configuration names {shown(config.get('_class_name'))}.")
    if config.get("global_pool_conditions"):
        raise InputError(f"{folder} is a ControlNet that pools its hint (shuffle): use one of lines.")
    if config.get("conditioning_channels", 3) != 3:
        raise InputError(f"{folder} takes hints of {config['conditioning_channels']} channels: use one that takes 3.")
    for name in ("block_out_channels", "layers_per_block", "cross_attention_dim", "in_channels"):
        if name in config and name in unet and config[name] != unet[name]:
            raise InputError(
                f"{folder} was made for another U-Net ({name} is {config[name]} there and {unet[name]} in {base}): "
                "use the ControlNet of this model."
            )


def check_text_encoder(folder: Path, model) -> None:
    """Refuse the text encoder in a folder that its files did not fill: transformers fills gaps with random numbers in silence.

    Raises:
        InputError: weights are missing.
    """
    from safetensors import safe_open

    there: set[str] = set()
    files = sorted(folder.glob("*.safetensors"))
    for file in files:
        with safe_open(str(file), "pt") as weights:
            there |= {name.removeprefix("text_model.") for name in weights.keys()}  # noqa: SIM118
    # Of two names for the same weights, as a language model's input and output may be, the file has one; so has this list.
    wanted = {name.removeprefix("text_model.") for name, _ in model.named_parameters()}
    missing = sorted(wanted - there)
    if missing:
        raise InputError(f"The text encoder in {folder} lacks {len(missing)} of its weights, among them {missing[0]}.")


def _json(path: Path) -> dict:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: fetch or save the model again.") from error
    if not isinstance(table, dict):
        raise InputError(f"{path} is damaged: fetch or save the model again.")
    return table
