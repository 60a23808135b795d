"""The real models' architectures with random weights: to see how they are built, where nothing can be downloaded."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from s2i_teach.errors import InputError
from s2i_teach.files import written
from s2i_teach.models.catalog import MODELS, find
from s2i_teach.models.devices import check_dtype, pick_device
from s2i_teach.models.flows import check_available
from s2i_teach.models.kinds import EDIT, KINDS
from s2i_teach.models.schedulers import make_scheduler
from s2i_teach.models.shims import quiet_loading
from s2i_teach.models.small_clip import new_tokenizer

_VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 512,
}
_WORDS = {"vocab_size": 49408, "max_position_embeddings": 77}
_CLIP_L = {
    **_WORDS,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "hidden_act": "quick_gelu",
}
_SDXL_DOWN = {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 6 * 256 + 1280,
}
"""What SDXL's U-Net and its ControlNets have in common."""

SHAPES: dict[str, dict[str, dict[str, Any]]] = {
    "sd1": {
        "unet": {"sample_size": 64, "cross_attention_dim": 768},  # all else is diffusers' default, which is this model
        "controlnet": {"cross_attention_dim": 768},
        "vae": _VAE,
        "text_encoder": _CLIP_L,
    },
    "sd2": {
        "unet": {
            "sample_size": 64,
            "cross_attention_dim": 1024,
            "attention_head_dim": (5, 10, 20, 20),
            "use_linear_projection": True,
        },
        "vae": _VAE,
        "text_encoder": {
            **_WORDS,
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 23,
            "num_attention_heads": 16,
            "hidden_act": "gelu",
        },
    },
    "sdxl": {
        "unet": {
            **_SDXL_DOWN,
            "sample_size": 128,
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        },
        "controlnet": _SDXL_DOWN,
        "vae": {**_VAE, "scaling_factor": 0.13025, "force_upcast": False},
        "text_encoder": _CLIP_L,
        "text_encoder_2": {
            **_WORDS,
            "hidden_size": 1280,
            "intermediate_size": 5120,
            "num_hidden_layers": 32,
            "num_attention_heads": 20,
            "hidden_act": "gelu",
            "projection_dim": 1280,
        },
    },
    "flux2-klein": {
        "transformer": {
            "num_layers": 5,
            "num_single_layers": 20,
            "num_attention_heads": 24,
            "joint_attention_dim": 3 * 2560,  # three of the text encoder's layers side by side
            "guidance_embeds": False,
        },
        "vae": {},  # diffusers' default is this model
        "text_encoder": {
            "vocab_size": 151936,
            "hidden_size": 2560,
            "intermediate_size": 9728,
            "num_hidden_layers": 36,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "tie_word_embeddings": True,
        },
    },
}
"""Architecture → its parts' shapes, as the configuration files of Stable Diffusion 1.5, SD-Turbo and SDXL give them; those of
FLUX.2 [klein] 4B come to the 7.75, 8.05 and 0.17 GB of its files."""


def makers(architecture: str, *, led: bool = False, small_vae: bool = False, **unet) -> dict[str, Callable]:
    """Part → a function that makes it with random weights, for one of :data:`SHAPES`.

    Args:
        led: with a ControlNet.
        small_vae: TAESD's shape in place of the model's own VAE.
        unet: entries of diffusers' ``UNet2DConditionModel`` that should differ.

    Raises:
        InputError: diffusers is too old for it.
    """
    if "transformer" in SHAPES[architecture]:
        return _flow_makers(SHAPES[architecture])
    from diffusers import AutoencoderKL, AutoencoderTiny, ControlNetModel, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    shapes = SHAPES[architecture]
    made: dict[str, Callable] = {
        "unet": lambda: UNet2DConditionModel(**{**shapes["unet"], **unet}),
        # AutoencoderTiny's defaults are TAESD.
        "vae": AutoencoderTiny if small_vae else lambda: AutoencoderKL(**shapes["vae"]),
        "text_encoder": lambda: CLIPTextModel(CLIPTextConfig(**shapes["text_encoder"])),
    }
    if "text_encoder_2" in shapes:
        made["text_encoder_2"] = lambda: CLIPTextModelWithProjection(CLIPTextConfig(**shapes["text_encoder_2"]))
    if led:
        made["controlnet"] = lambda: ControlNetModel(**shapes["controlnet"])
    return made


def _flow_makers(shapes: Mapping[str, dict[str, Any]]) -> dict[str, Callable]:
    check_available(EDIT.pipeline)
    from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel
    from transformers import Qwen3Config, Qwen3ForCausalLM

    return {
        "transformer": lambda: Flux2Transformer2DModel(**shapes["transformer"]),
        "vae": lambda: AutoencoderKLFlux2(**shapes["vae"]),
        "text_encoder": lambda: Qwen3ForCausalLM(Qwen3Config(**shapes["text_encoder"])),
    }


def untrained_pipeline(model: str = "sd15", *, device: str | None = None, dtype=None, small_vae: bool = False, **unet):
    """A real model as it is built, with random weights: it runs and costs the same, and draws nothing.

    Stable Diffusion 1.5 has 1,066 million parameters: 2.1 GB of memory in half precision, 4.3 GB in fp32, and as much
    again for a moment. The words are cut by the miniature's tokenizer, which is all that is at hand. A LoRA is left out,
    since it adds nothing to the cost of a run.

    Args:
        model: a name of the catalog that is on the hub, such as ``"sd15"``, ``"sd-turbo"``, ``"sd15-scribble"``.
        device, dtype: as for :func:`s2i_teach.load_pipeline`.
        small_vae: TAESD's shape in place of the model's own VAE.
        unet: entries of diffusers' ``UNet2DConditionModel`` that should differ.

    Raises:
        InputError: another model, or one whose words the miniature's tokenizer cannot cut.
    """
    entry = find(model)
    can_be_built = [name for name, other in MODELS.items() if other.shapes in SHAPES and not KINDS[other.kind].is_flow]
    if entry is None or entry.name not in can_be_built:
        known = ", ".join(can_be_built)
        raise InputError(f"The shapes of {written(model)} are not known here: use {known}.")
    import diffusers

    kind = KINDS[entry.kind]
    chosen_device = pick_device(device)
    chosen_dtype = check_dtype(dtype, chosen_device)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(chosen_dtype)
    try:
        with quiet_loading(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            parts = {
                name: make().eval()
                for name, make in makers(entry.shapes, led=kind.hint is not None, small_vae=small_vae, **unet).items()
            }
    finally:
        torch.set_default_dtype(usual)
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    scheduler: Any = diffusers.DDIMScheduler(**schedule, clip_sample=False, set_alpha_to_one=False, steps_offset=1)
    if entry.scheduler:
        scheduler = make_scheduler(entry.scheduler, scheduler, 1)
    more: dict[str, Any] = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    if kind.is_xl:
        more = {"tokenizer_2": new_tokenizer(), "add_watermarker": False}
    pipe: Any = getattr(diffusers, kind.pipeline)(**parts, tokenizer=new_tokenizer(), scheduler=scheduler, **more)
    pipe = pipe.to(chosen_device)
    pipe.set_progress_bar_config(disable=True)
    pipe.s2i_model = f"{model}, untrained"
    return pipe
