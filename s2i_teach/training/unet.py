"""Trains the miniature's U-Net on latents of the frozen VAE, steered by the frozen text tower."""

import random
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from tqdm.auto import tqdm

from s2i_teach.theory.prediction import v_from_x0_and_eps
from s2i_teach.training.loop import Budget, Trainer, make_accelerator, save_atomically, save_grid
from s2i_teach.training.pictures import Pairs, augment, load_pairs
from s2i_teach.training.text import WIDTH, tokenize
from s2i_teach.training.vocabulary import STYLES, caption, varied_caption

CONFIG = dict(
    sample_size=16,
    in_channels=4,
    out_channels=4,
    layers_per_block=1,
    block_out_channels=(96, 128, 160, 192),
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    cross_attention_dim=WIDTH,
    attention_head_dim=4,  # diffusers' name for the number of heads in Stable Diffusion 1's U-Net
    norm_num_groups=16,
)

SCHEDULE = dict(
    num_train_timesteps=1000,
    beta_start=0.00085,
    beta_end=0.012,
    beta_schedule="scaled_linear",
    clip_sample=False,
    set_alpha_to_one=False,
    steps_offset=1,
    # Written out although it is DDIM's default: a default is forgotten when another scheduler is made from this one.
    timestep_spacing="leading",
    prediction_type="v_prediction",
)
"""Stable Diffusion 1's noise schedule. The U-Net predicts v, as Stable Diffusion 2's does: see ``loss_weight``."""


def build_unet(**changes):
    """An untrained U-Net of the miniature's shape; ``changes`` replace entries of ``CONFIG``."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(**{**CONFIG, **changes})


def loss_weight(snr: torch.Tensor, gamma: float = 5.0) -> torch.Tensor:
    """Weight of the mean squared error of v: 1 up to SNR = γ, then falling so that the error of x̂_0 counts no more.

    ‖v − v̂‖² = (1 + SNR) · ‖x_0 − x̂_0‖², so the error of x̂_0 has the weight min(1 + SNR, 1 + γ): Hang et al.'s (2023)
    cap on the nearly clean pictures, and never below 1 on the nearly empty ones. There, where the words alone decide what
    will be drawn, the loss of ε has the weight SNR, down to 0.005: a U-Net that predicted ε learned no shapes from words.
    """
    return ((1 + gamma) / (1 + snr)).clamp(max=1.0)


@dataclass
class Latents:
    """Scaled latents ``(N, 4, 16, 16)`` of augmented pictures, with the picture's row and colour word of each.

    ``made`` says how they were made, so that a resumed training knows whether they are the ones it asks for.
    """

    values: torch.Tensor
    rows: list[int]
    colours: list[str | None]
    made: dict = field(default_factory=dict)

    def save(self, path: Path) -> None:
        save_atomically(vars(self), path)

    @classmethod
    def load(cls, path: Path) -> "Latents":
        return cls(**torch.load(path, weights_only=True))


@torch.no_grad()
def encode_poses(
    vae, pairs: Pairs, poses: int, accelerator, seed: int = 0, batch: int = 32, still: float = 0.0
) -> Latents:
    """Encode every picture in ``poses`` random poses: the VAE is frozen, so its work is done once.

    A share ``still`` of the poses leaves the picture where it is, at most flipped: shapes are learned sooner from them.
    """
    generator = torch.Generator().manual_seed(seed)
    values, rows, colours = [], [], []
    for pose in tqdm(range(poses), desc="encode", mininterval=10):
        for index in torch.arange(len(pairs)).split(batch):
            styles = [pairs.rows[i]["style"] for i in index]
            move = pose >= round(still * poses)
            x, names = augment(pairs.batch(index, accelerator.device), styles, generator, move=move)
            with accelerator.autocast():
                z = vae.encode(x.contiguous(memory_format=torch.channels_last)).latent_dist.mode()
            values.append((z.float() * vae.config.scaling_factor).half().cpu())
            rows += index.tolist()
            colours += names
    made = {"poses": poses, "still": still, "seed": seed, "pictures": len(pairs)}
    return Latents(torch.cat(values), rows, colours, made)


def cached_latents(cache: Path, vae, pairs: Pairs, poses: int, accelerator, seed: int, still: float) -> Latents:
    """The latents in ``cache`` if they are the ones asked for; else they are made and kept there, by one process.

    The others wait meanwhile, so that one takes their threads too.
    """
    if accelerator.is_main_process:
        made = {"poses": poses, "still": still, "seed": seed, "pictures": len(pairs)}
        if not cache.is_file() or Latents.load(cache).made != made:
            threads = torch.get_num_threads()
            torch.set_num_threads(threads * accelerator.num_processes)
            encode_poses(vae, pairs, poses, accelerator, seed, still=still).save(cache)
            torch.set_num_threads(threads)
    accelerator.wait_for_everyone()
    return Latents.load(cache)


def assemble(vae, text_encoder, tokenizer, unet):
    """The parts as one ``StableDiffusionImg2ImgPipeline`` with a DDIM scheduler."""
    from diffusers import DDIMScheduler, StableDiffusionImg2ImgPipeline

    return StableDiffusionImg2ImgPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDIMScheduler(**SCHEDULE),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def load_parts(text_folder: str | Path, vae_folder: str | Path):
    """The frozen parts: ``(tokenizer, text_encoder, vae)`` in fp32."""
    from diffusers import AutoencoderKL
    from transformers import CLIPTokenizer

    from s2i_teach.models.shims import load_text_encoder

    tokenizer = CLIPTokenizer.from_pretrained(str(Path(text_folder) / "tokenizer"))
    text_encoder = load_text_encoder(Path(text_folder) / "text_encoder").requires_grad_(False)
    vae = AutoencoderKL.from_pretrained(vae_folder).float().eval().requires_grad_(False)
    return tokenizer, text_encoder, vae


def train_unet(
    out: str | Path,
    text_folder: str | Path,
    vae_folder: str | Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    batch_size: int = 16,
    lr: float = 8e-4,
    poses: int = 24,
    still: float = 0.0,
    empty_captions: float = 0.1,
    core_only: bool = True,
    config: dict | None = None,
    start_from: str | Path | None = None,
    seed: int = 0,
    resume: bool = False,
    optimizer: str = "adamw",
    samples: bool = True,
    sample_every: float = 1200,
    pairs: Pairs | None = None,
    device: str | None = None,
):
    """Train the U-Net; writes ``out/unet`` (diffusers' format, fp32, averaged weights). Returns it.

    v-prediction on Stable Diffusion's schedule, weights of :func:`loss_weight`, a share of empty captions for guidance.
    With ``core_only`` the things are those that people like to draw; else all of the train split. ``samples`` draws a
    sheet of pictures every ``sample_every`` seconds. ``still`` is the share of unmoved pictures, see
    :func:`encode_poses`; a resumed training may be given another one.
    """
    from diffusers import DDPMScheduler, UNet2DConditionModel
    from diffusers.models.attention_processor import AttnProcessor

    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    accelerator = make_accelerator(device)
    device = accelerator.device
    tokenizer, text_encoder, vae = load_parts(text_folder, vae_folder)
    text_encoder.to(device)
    vae.to(device, memory_format=torch.channels_last)
    pairs = pairs or load_pairs("train").select(lambda row: row["core"] or not core_only)

    latents = cached_latents(out / "latents.pt", vae, pairs, poses, accelerator, seed, still)
    values = latents.values.to(device)

    torch.manual_seed(seed)
    # On a CPU these small maps are faster as they are (52 pictures/s a core against 46), on a GPU in channels_last.
    layout = torch.contiguous_format if device.type == "cpu" else torch.channels_last
    unet = UNet2DConditionModel.from_pretrained(start_from) if start_from else build_unet(**(config or {}))
    unet = unet.float().to(memory_format=layout).train()
    if device.type == "cpu":
        # On a CPU the fused attention's backward pass takes a fifth of the step; the plain one gives the same numbers.
        unet.set_attn_processor(AttnProcessor())
    scheduler = DDPMScheduler(**{k: v for k, v in SCHEDULE.items() if k not in ("set_alpha_to_one", "steps_offset")})
    alpha_bar = scheduler.alphas_cumprod.to(device)
    snr = alpha_bar / (1 - alpha_bar)

    @torch.no_grad()
    def embed(captions: list[str]) -> torch.Tensor:
        with accelerator.autocast():
            return text_encoder(tokenize(tokenizer, captions).to(device))[0]

    def step_fn(step, generator):
        index = torch.randint(len(values), (batch_size,), generator=generator)
        rng = random.Random(int(torch.randint(2**31, (), generator=generator)))
        captions = []
        for i in index.tolist():
            row = pairs.rows[latents.rows[i]]
            written = varied_caption(row["thing"], row["style"], row["tags"], rng, latents.colours[i])
            captions.append("" if rng.random() < empty_captions else written)
        x0 = values[index.to(device)].float()
        eps = torch.randn(x0.shape, generator=generator).to(device)
        # More often where much noise is, with density ∝ √t: there shapes are decided, and there is most to learn.
        t = (len(alpha_bar) * torch.rand(batch_size, generator=generator) ** (2 / 3)).long().to(device)
        root = alpha_bar[t].view(-1, 1, 1, 1)
        x_t = (root.sqrt() * x0 + (1 - root).sqrt() * eps).contiguous(memory_format=layout)
        text = embed(captions)
        with accelerator.autocast():
            predicted = unet(x_t, t, text).sample.float()
        error = F.mse_loss(predicted, v_from_x0_and_eps(x0, eps, root), reduction="none").flatten(1).mean(1)
        return {"loss": (loss_weight(snr[t]) * error).mean(), "mse": error.mean().detach()}

    def sample_fn(model, step):
        pipe = assemble(vae, text_encoder, tokenizer, model)
        with accelerator.autocast():
            draw_samples(pipe, pairs, out / f"unet-{step:06d}.png")

    trainer = Trainer(
        out,
        unet,
        step_fn,
        Budget(steps, minutes),
        accelerator=accelerator,
        lr=lr,
        seed=seed,
        resume=resume,
        sample_fn=sample_fn if samples else None,
        sample_every=sample_every,
        name="unet",
        ema=0.9995,
        optimizer=optimizer,
    )
    unet = trainer.run().eval()
    unet.set_default_attn_processor()
    if accelerator.is_main_process:
        unet.save_pretrained(out / "unet")
    return unet


SHOWN = ("turtle", "cat", "house", "sailboat", "mushroom", "rocket", "strawberry", "owl", "bicycle", "backpack")


@torch.no_grad()
def draw_samples(
    pipe, pairs: Pairs, path: str | Path, num_inference_steps: int = 25, guidance_scale: float = 4.0
) -> None:
    """One sheet: ten things in five styles from a blank page, then line drawings of them and pictures from those."""
    pipe.set_progress_bar_config(disable=True)
    side = pipe.unet.config.sample_size * 2 ** (len(pipe.vae.config.block_out_channels) - 1)
    things = [thing for thing in SHOWN if any(row["thing"] == thing for row in pairs.rows)]
    rows = []
    for style in STYLES[:5]:
        blank = torch.ones(len(things), 3, side, side, device=pipe.device)
        rows.append(_run(pipe, [caption(t, style) for t in things], blank, 1.0, num_inference_steps, guidance_scale))
    lines = [next(i for i, r in enumerate(pairs.rows) if r["thing"] == t and r["style"] == "line") for t in things]
    sketches = pairs.batch(torch.tensor(lines), pipe.device)
    sketches[::2] = sketches[::2].flip(3)
    small = F.interpolate(sketches, scale_factor=0.6, mode="bilinear", antialias=True)
    sketches = F.pad(small, [side - small.shape[3], 0, side - small.shape[2], 0], value=1.0)
    rows.append(sketches)
    for strength in (0.5, 0.7, 0.9):
        prompts = [caption(t, "openmoji") for t in things]
        rows.append(_run(pipe, prompts, sketches, strength, num_inference_steps, guidance_scale))
    save_grid(torch.cat([row.cpu().float() for row in rows]), path, len(things))


def _run(pipe, prompts, image, strength, steps, guidance):
    generators = [torch.Generator().manual_seed(i) for i in range(len(prompts))]
    pictures = pipe(
        prompt=prompts,
        image=image,
        strength=strength,
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=generators,
        output_type="pt",
    ).images
    return pictures * 2 - 1
