"""Puts the trained parts together as the miniature that ships: fp16, in shards that git and Colab take easily."""

import filecmp
import json
import shutil
from pathlib import Path

import torch


def save_miniature(
    text_folder: str | Path,
    vae_folder: str | Path,
    unet_folder: str | Path,
    to: str | Path,
    controlnet_folder: str | Path | None = None,
    shard: str = "14MB",
    control_scale: float = 1.0,
) -> Path:
    """Write the pipeline to ``to`` in diffusers' format, weights in fp16; what else lies there (the card) is kept.

    A ControlNet goes to ``to/controlnet``, beside the pipeline and not part of it. It leads the one U-Net that it was
    trained with, so without a new one an old one is taken away. So is what a reward or distillation
    changed in another U-Net. With ``control_scale`` its residuals are multiplied for good: at scale 1 it then leads as it
    did at that scale.

    The text encoder is copied as ``save_clip`` wrote it: saved anew, it would lose the prefix that old versions need.
    Everything is put together beside its place first, so that a part may come from ``to`` itself.
    """
    from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel

    from s2i_teach.training.unet import assemble, load_parts

    to = Path(to)
    made = to.with_name(to.name + ".partial")
    shutil.rmtree(made, ignore_errors=True)
    tokenizer, text_encoder, _ = load_parts(text_folder, vae_folder)
    vae = _rounded(AutoencoderKL.from_pretrained(vae_folder, use_safetensors=True))
    unet = _rounded(UNet2DConditionModel.from_pretrained(unet_folder, use_safetensors=True))
    pipe = assemble(vae, text_encoder.half(), tokenizer, unet)
    pipe.scheduler.save_pretrained(made / "scheduler")
    pipe.save_config(made)
    models = {"vae": vae, "unet": unet}
    if controlnet_folder:
        controlnet = ControlNetModel.from_pretrained(controlnet_folder, use_safetensors=True)
        models["controlnet"] = _rounded(_scaled(controlnet, control_scale))
    for name, model in models.items():
        model.to(memory_format=torch.contiguous_format).save_pretrained(made / name, max_shard_size=shard)
    for name in ("tokenizer", "text_encoder"):
        shutil.copytree(Path(text_folder) / name, made / name)
    for config in (*made.rglob("config.json"), *made.rglob("scheduler_config.json"), made / "model_index.json"):
        table = json.loads(config.read_text(encoding="utf-8"))
        table.pop("_name_or_path", None)  # a path of the machine it was trained on
        if config.parent.name == "text_encoder":
            # Unasked, diffusers loads its parts in fp32, but transformers 5 in what the config says, or else the weights.
            table["dtype"] = "float32"
        config.write_text(json.dumps(table, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    to.mkdir(parents=True, exist_ok=True)
    if not controlnet_folder:
        shutil.rmtree(to / "controlnet", ignore_errors=True)
    if not (controlnet_folder and all(_same_weights(made / name, to / name) for name in ("unet", "controlnet"))):
        for changes in ("rewarded.safetensors", "distilled.safetensors"):
            (to / changes).unlink(missing_ok=True)
    for part in made.iterdir():
        _replace(part, to / part.name)
    made.rmdir()
    return to


@torch.no_grad()
def _scaled(controlnet, scale: float):
    """The ControlNet with its residuals times ``scale``: they leave it by these convolutions and by no other way."""
    for last in (*controlnet.controlnet_down_blocks, controlnet.controlnet_mid_block):
        for parameter in last.parameters():
            parameter.mul_(scale)
    return controlnet


def _rounded(model):
    """The model in fp16 with bf16's eight bits of precision: what a CPU with bf16 runs anyway, and a fifth less in a zip."""
    return model.to(torch.bfloat16).half()


def _same_weights(one: Path, other: Path) -> bool:
    """Whether two folders hold the same weights, byte by byte."""
    names = [sorted(file.name for file in folder.glob("*.safetensors")) for folder in (one, other)]
    return names[0] == names[1] and not any(filecmp.cmpfiles(one, other, names[0], shallow=False)[1:])


def _replace(new: Path, old: Path) -> None:
    """Move ``new`` to the place of ``old``, readable by everybody (safetensors writes for its owner alone)."""
    for file in (new, *new.rglob("*")) if new.is_dir() else (new,):
        file.chmod(0o755 if file.is_dir() else 0o644)
    if old.is_dir():
        shutil.rmtree(old)
    new.replace(old)


def save_everything(
    text: Path,
    vae: Path,
    unet: Path,
    judge: Path,
    fast: Path,
    data: Path,
    controlnet: Path | None = None,
    control_scale: float = 1.0,
) -> str:
    """Put the trained parts into ``data``: the miniature, as ``data/mini``, and, where they were trained, the small CLIP,
    the judge and the preview decoder.

    Returns what it wrote, in words.
    """
    written = [save_miniature(text, vae, unet, data / "mini", controlnet, control_scale=control_scale)]
    for source, place in ((text / "clip", "clip"), (judge, "judge"), (fast, "mini/preview_decoder")):
        if source.is_dir():
            (data / place).parent.mkdir(parents=True, exist_ok=True)
            copy = data / f"{place}.partial"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source, copy)
            _replace(copy, data / place)
            written.append(data / place)
    total = sum(file.stat().st_size for folder in written for file in folder.rglob("*.safetensors"))
    return f"{', '.join(str(folder) for folder in written)}: {total / 1e6:.1f} MB of weights"
