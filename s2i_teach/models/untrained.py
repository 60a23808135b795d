"""The real models' architectures with random weights: to see how they are built, where nothing can be downloaded."""

from typing import Any

import torch

from s2i_teach.errors import InputError
from s2i_teach.models.devices import check_dtype, pick_device
from s2i_teach.models.shims import quiet_loading
from s2i_teach.models.small_clip import new_tokenizer

SD15: dict[str, dict[str, Any]] = {
    "unet": {"sample_size": 64, "cross_attention_dim": 768},  # all else is diffusers' default, which is this model
    "vae": {
        "block_out_channels": (128, 256, 512, 512),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 2,
        "latent_channels": 4,
        "sample_size": 512,
    },
    "text": {
        "vocab_size": 49408,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "max_position_embeddings": 77,
        "hidden_act": "quick_gelu",
    },
}
"""Stable Diffusion 1.5's shapes, as its configuration files give them."""


def untrained_pipeline(model: str = "sd15", *, device: str | None = None, dtype=None, **unet):
    """Stable Diffusion 1.5 as it is built, with random weights: it runs and costs the same, and draws nothing.

    1,066 million parameters: 2.1 GB of memory in half precision, 4.3 GB in fp32, and as much again for a moment. The
    words are cut by the miniature's tokenizer, which is all that is at hand.

    Args:
        model: only ``"sd15"``.
        device, dtype: as for :func:`s2i_teach.load_pipeline`.
        unet: entries of diffusers' ``UNet2DConditionModel`` that should differ.

    Raises:
        InputError: another model.
    """
    if model != "sd15":
        raise InputError(f'The shapes of {model!r} are not known here: use "sd15".')
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionImg2ImgPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    chosen_device = pick_device(device)
    chosen_dtype = check_dtype(dtype, chosen_device)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(chosen_dtype)
    try:
        with quiet_loading(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            parts: dict[str, Any] = {
                "unet": UNet2DConditionModel(**{**SD15["unet"], **unet}),
                "vae": AutoencoderKL(**SD15["vae"]),
                "text_encoder": CLIPTextModel(CLIPTextConfig(**SD15["text"])),
            }
    finally:
        torch.set_default_dtype(usual)
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    pipe: Any = StableDiffusionImg2ImgPipeline(
        **{name: part.eval() for name, part in parts.items()},
        tokenizer=new_tokenizer(),
        scheduler=DDIMScheduler(**schedule, clip_sample=False, set_alpha_to_one=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe = pipe.to(chosen_device)
    pipe.set_progress_bar_config(disable=True)
    pipe.s2i_model = "sd15, untrained"
    return pipe
