"""Shared fixtures: a tiny pipeline with random weights in Stable Diffusion's architecture, and no network."""

import os
import socket

os.environ.setdefault("HF_HUB_OFFLINE", "1")
if "PYTEST_XDIST_WORKER" in os.environ:
    # What a worker starts leaves the other worker its core.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

import s2i_teach as s2i

torch.set_num_threads(1)


def pytest_collection_modifyitems(config, items):
    """Workers take tests in this order: the longest first, so that none of them is waited for in the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: -sum(mark.args[0] for mark in item.iter_markers("seconds")))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A worker drives one notebook program, all its tests; of everything else each takes what comes next.

    A scheduler and no ``xdist_group`` marks: xdist 3.8 writes a group into the test's name, which pytest 9.2 does not
    let it, and then groups nothing and says nothing. Groups come first, as they are the longest pieces.
    """
    if config.getvalue("dist") not in ("load", "loadgroup"):
        return None
    from xdist.scheduler import LoadScopeScheduling

    from tests.browser.lanes import lane_of

    class OneLaneAWorker(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return lane_of(nodeid) or nodeid

    return OneLaneAWorker(config, log)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Any connection to another machine is an error: everything tested here runs offline."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family == getattr(socket, "AF_UNIX", None) or address[0] in ("127.0.0.1", "::1", "localhost"):
            return connect(self, address)
        raise AssertionError(f"a test tried to reach {address}")

    monkeypatch.setattr(socket.socket, "connect", guarded)


def make_tiny_pipe(tmp, seed: int = 0):
    """Stable Diffusion's parts, four resolutions each, so small that an evaluation takes milliseconds."""
    from diffusers import AutoencoderKL
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    from s2i_teach.training.text import train_tokenizer
    from s2i_teach.training.unet import assemble, build_unet
    from s2i_teach.training.vae import CONFIG

    rows = [{"text": "a turtle, openmoji style", "thing": "turtle", "tags": ["animal"]}] * 3
    train_tokenizer(rows, tmp / "tokenizer", vocabulary=600)
    tokenizer = CLIPTokenizer.from_pretrained(str(tmp / "tokenizer"))
    torch.manual_seed(seed)
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=2,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=tokenizer.bos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    ).eval()
    vae = AutoencoderKL(**{**CONFIG, "block_out_channels": (8, 8, 16, 16), "norm_num_groups": 4}).eval()
    unet = build_unet(
        block_out_channels=(8, 8, 16, 16), norm_num_groups=4, cross_attention_dim=32, attention_head_dim=2
    )
    pipe = assemble(vae, text, tokenizer, unet.eval())
    pipe.set_progress_bar_config(disable=True)
    return pipe


def make_tiny_xl(pipe, seed: int = 3, force_upcast: bool = False):
    """SDXL's parts around a tiny pipeline's tokenizer: two text encoders, three resolutions, many layers of attention."""
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLImg2ImgPipeline
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    from s2i_teach.training.unet import build_unet

    torch.manual_seed(seed)
    config = {**pipe.text_encoder.config.to_dict(), "num_hidden_layers": 2}
    first = CLIPTextModel(CLIPTextConfig.from_dict({**config, "hidden_act": "quick_gelu"}))
    config |= {"hidden_size": 48, "projection_dim": 48, "hidden_act": "gelu"}
    second = CLIPTextModelWithProjection(CLIPTextConfig.from_dict(config))
    tokenizer_2 = CLIPTokenizer.from_pretrained(pipe.tokenizer.name_or_path, pad_token="!")
    unet = build_unet(
        block_out_channels=(8, 8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
        cross_attention_dim=32 + 48,
        attention_head_dim=[1, 2, 4],
        transformer_layers_per_block=[1, 2, 3],
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 48,
        sample_size=16,
    )
    vae = {name: value for name, value in pipe.vae.config.items() if not name.startswith("_")}
    vae |= {"scaling_factor": 0.13025, "force_upcast": force_upcast, "mid_block_add_attention": True}
    schedule = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1}
    made = StableDiffusionXLImg2ImgPipeline(
        vae=AutoencoderKL(**vae).eval(),
        text_encoder=first.eval(),
        text_encoder_2=second.eval(),
        tokenizer=pipe.tokenizer,
        tokenizer_2=tokenizer_2,
        unet=unet.eval(),
        scheduler=EulerDiscreteScheduler(**schedule, timestep_spacing="leading"),
        add_watermarker=False,
    )
    made.set_progress_bar_config(disable=True)
    return made


def needs_flux():
    """Skip a test where diffusers is too old for FLUX.2 [klein]."""
    import diffusers

    if not hasattr(diffusers, "Flux2KleinPipeline"):
        pytest.skip("diffusers is too old for FLUX.2 [klein]")


CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n\n</think>\n\n{% endif %}"
)
"""How Qwen3's own template frames a single question that is not to be thought about."""


def make_tiny_flux(tmp, seed: int = 4, is_distilled: bool = True):
    """FLUX.2 [klein]'s parts, tiny: a transformer, a text encoder with all the layers that are read, a tokenizer of bytes."""
    import json

    from diffusers import (
        AutoencoderKLFlux2,
        FlowMatchEulerDiscreteScheduler,
        Flux2KleinPipeline,
        Flux2Transformer2DModel,
    )
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2TokenizerFast, Qwen3Config, Qwen3ForCausalLM

    letters = {letter: number for number, letter in enumerate(sorted(ByteLevel.alphabet()))}
    (tmp / "vocab.json").write_text(json.dumps(letters), encoding="utf-8")
    (tmp / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    frame = ["<|im_start|>", "<|im_end|>"]
    tokenizer = Qwen2TokenizerFast(
        str(tmp / "vocab.json"), str(tmp / "merges.txt"), additional_special_tokens=frame, chat_template=CHAT
    )
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=28,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        tie_word_embeddings=True,
        max_position_embeddings=1024,
    )
    transformer = Flux2Transformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=3 * 16,
        timestep_guidance_channels=16,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )
    vae = AutoencoderKLFlux2(block_out_channels=(8, 8, 16, 16), latent_channels=4, norm_num_groups=4, sample_size=64)
    vae.bn.running_mean.normal_()
    vae.bn.running_var.uniform_(0.5, 1.5)
    pipe = Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        vae=vae.eval(),
        text_encoder=Qwen3ForCausalLM(config).eval(),
        tokenizer=tokenizer,
        transformer=transformer.eval(),
        is_distilled=is_distilled,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="session")
def tiny_flux(tmp_path_factory):
    """A tiny FLUX.2 [klein]."""
    needs_flux()
    return make_tiny_flux(tmp_path_factory.mktemp("flux"))


@pytest.fixture(scope="session")
def tiny_pipe(tmp_path_factory):
    return make_tiny_pipe(tmp_path_factory.mktemp("tiny"))


def let_memory_be_short(network, monkeypatch, most: int = 3) -> list[int]:
    """Let a network run out of memory with more samples than ``most``; returns the sizes of the calls that go through."""
    forward, sizes = network.forward, []

    def short(sample, *arguments, **named):
        if len(sample) > most:
            raise RuntimeError("CUDA out of memory. Tried to allocate 9 GiB")
        sizes.append(len(sample))
        return forward(sample, *arguments, **named)

    monkeypatch.setattr(network, "forward", short)
    return sizes


def led(pipe, seed: int = 1):
    """The same parts with a ControlNet of random weights before the U-Net, its zero convolutions too."""
    import diffusers
    from diffusers import ControlNetModel

    from s2i_teach.models.kinds import kind_for, kind_of

    torch.manual_seed(seed)
    controlnet = ControlNetModel.from_unet(
        pipe.unet, conditioning_channels=3, conditioning_embedding_out_channels=(8, 8, 8, 8)
    )
    for convolution in [
        *controlnet.controlnet_down_blocks,
        controlnet.controlnet_mid_block,
        controlnet.controlnet_cond_embedding.conv_out,
    ]:
        torch.nn.init.normal_(convolution.weight, std=0.3)
        torch.nn.init.normal_(convolution.bias, std=0.3)
    controlnet = controlnet.to(pipe.unet.dtype).eval()
    is_xl = kind_of(pipe).is_xl
    with_it = getattr(diffusers, kind_for(led=True, is_xl=is_xl).pipeline)(
        **{name: part for name, part in pipe.components.items() if name != "controlnet"},
        controlnet=controlnet,
        **({"add_watermarker": False} if is_xl else {"requires_safety_checker": False}),
    )
    with_it.set_progress_bar_config(disable=True)
    return with_it


@pytest.fixture(scope="session")
def tiny_led(tiny_pipe):
    """The tiny pipeline, led by a ControlNet."""
    return led(tiny_pipe)


@pytest.fixture(scope="session")
def tiny_xl(tiny_pipe):
    """A tiny SDXL."""
    return make_tiny_xl(tiny_pipe)


@pytest.fixture(scope="session")
def tiny_xl_led(tiny_xl):
    """The tiny SDXL, led by a ControlNet."""
    return led(tiny_xl)


@pytest.fixture(scope="session")
def mini():
    """The miniature that ships, in fp32."""
    from s2i_teach import load_pipeline

    return load_pipeline("mini", dtype="fp32")


@pytest.fixture()
def sketch():
    """A circle on white paper, 100 × 80."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (100, 80), "white")
    ImageDraw.Draw(picture).ellipse([20, 10, 80, 70], outline="black", width=4)
    return picture


@pytest.fixture()
def web(tmp_path, monkeypatch):
    """A file host and Google Drive on this machine (tests/web.py), and an empty cache."""
    from tests.web import serving

    monkeypatch.setenv("S2I_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("S2I_OFFLINE", raising=False)
    with serving() as server:
        yield server


@pytest.fixture()
def german():
    """The German language, as long as the test runs."""
    s2i.language("de")
    yield
    s2i.language("en")
