"""Trains the miniature's VAE: a diffusers ``AutoencoderKL`` of four resolutions, 128 × 128 × 3 ↔ 16 × 16 × 4."""

from pathlib import Path

import torch
import torch.nn.functional as F

from s2i_teach.theory.measure import psnr
from s2i_teach.training.colours import hue_errors, hue_table
from s2i_teach.training.loop import Budget, Trainer, make_accelerator, save_grid
from s2i_teach.training.norms import fast_group_norm
from s2i_teach.training.pictures import Pairs, augment, content_crops, load_pairs, turn_hues

CONFIG = dict(
    in_channels=3,
    out_channels=3,
    down_block_types=("DownEncoderBlock2D",) * 4,
    up_block_types=("UpDecoderBlock2D",) * 4,
    block_out_channels=(32, 64, 96, 160),
    layers_per_block=1,
    latent_channels=4,
    norm_num_groups=16,
    sample_size=128,
    # Without attention the VAE is a pure convolution and works at any size, not only at the one it was trained at.
    mid_block_add_attention=False,
)

SCALING_FACTOR = 0.18215
"""Of the latents, as in Stable Diffusion 1: scaled latents have standard deviation 1, unscaled ones 1 / 0.18215."""


def build_vae():
    """An untrained VAE of the miniature's shape."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(**CONFIG)


def edges(x: torch.Tensor) -> torch.Tensor:
    """Differences between neighbours, ``(B, 3, H, W)`` → ``(B, 6, H−1, W−1)``: what a blurred picture gets wrong."""
    return torch.cat([x[..., 1:, :-1] - x[..., :-1, :-1], x[..., :-1, 1:] - x[..., :-1, :-1]], 1)


def chroma(x: torch.Tensor) -> torch.Tensor:
    """What is left of each pixel without its brightness; a VAE left to itself learns grey pictures first, and long."""
    return x - x.mean(1, keepdim=True)


def reconstruction_loss(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """L1 + 2·MSE + L1 of the colours + 0.5·L1 of the edges + L1 of the colours of 8 × 8 cells, all means.

    Of pictures ``y`` that ought to be ``x``, ``(B, 3, H, W)`` in [−1, 1].
    """
    error = (y - x).abs()
    loss = error.mean() + 2 * error.square().mean()
    loss = loss + (chroma(y) - chroma(x)).abs().mean() + 0.5 * (edges(y) - edges(x)).abs().mean()
    return loss + F.avg_pool2d(chroma(y) - chroma(x), 8).abs().mean()


def disturb(z: torch.Tensor, noise: float, generator: torch.Generator) -> torch.Tensor:
    """Latents ``(B, C, h, w)`` with noise of 0 to ``noise`` standard deviations of their channel, evenly drawn for each.

    A decoder that has only seen an encoder's own latents shatters what a U-Net draws, which is always a little off
    (noise-augmented decoding). The deviation is the batch's own and is learned through, so that the encoder cannot escape
    the noise by making its latents larger.
    """
    scale = z.std((0, 2, 3), keepdim=True)
    level = noise * torch.rand(len(z), 1, 1, 1, generator=generator).to(z)
    return z + level * scale * torch.randn(z.shape, generator=generator).to(z)


@torch.no_grad()
def reconstruct(vae, x: torch.Tensor, batch: int = 16, noise: float = 0.0, seed: int = 0) -> torch.Tensor:
    """Encode to the mode and decode, in batches; with ``noise`` standard deviations of the channels on the latents."""
    z = torch.cat([vae.encode(part).latent_dist.mode() for part in x.split(batch)])
    if noise:
        normal = torch.randn(z.shape, generator=torch.Generator().manual_seed(seed)).to(z)
        z = z + noise * z.float().std((0, 2, 3), keepdim=True).to(z) * normal
    return torch.cat([vae.decode(part).sample for part in z.split(batch)])


def train_vae(
    out: str | Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    batch_size: int = 8,
    lr: float = 1e-3,
    kl_weight: float = 1e-4,
    equivariance: float = 0.25,
    crop: int | None = None,
    noise: float = 0.3,
    optimizer: str = "adamw",
    seed: int = 0,
    resume: bool = False,
    decoder_only: bool = False,
    start_from: str | Path | None = None,
    pairs: Pairs | None = None,
    held_out: Pairs | None = None,
    device: str | None = None,
):
    """Train the VAE and save it in diffusers' format to ``out/vae``; returns it.

    The loss is :func:`reconstruction_loss` + ``kl_weight`` · KL. Most pictures have their hues turned
    (:func:`~s2i_teach.training.pictures.turn_hues`). The decoder gets latents with noise of up to ``noise`` standard
    deviations (:func:`disturb`). ``crop`` trains on squares of that side around what is drawn: a convolution may, and sees
    four times as many of them in the same time. In a share
    ``equivariance`` of the steps the latents are shrunk before decoding and compared with the shrunk picture (Kouzelis
    et al. 2025, EQ-VAE): a latent that scales like a picture is easier to denoise for a small U-Net.

    ``decoder_only`` with ``start_from`` keeps the encoder, so that a U-Net trained on its latents stays valid.
    """
    from diffusers import AutoencoderKL

    accelerator = make_accelerator(device)
    torch.manual_seed(seed)
    vae = AutoencoderKL.from_pretrained(start_from, use_safetensors=True) if start_from else build_vae()
    vae = vae.float().to(memory_format=torch.channels_last).train()
    if decoder_only:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    pairs = pairs or load_pairs("train")
    held_out = held_out or load_pairs("test")
    shown = held_out.batch(torch.linspace(0, len(held_out) - 1, 12).long(), accelerator.device)
    measured = held_out.batch(torch.arange(0, len(held_out), 4), accelerator.device)

    def step_fn(step, generator):
        index = torch.randint(len(pairs), (batch_size,), generator=generator)
        styles = [pairs.rows[i]["style"] for i in index]
        x, _ = augment(pairs.batch(index, accelerator.device), styles, generator, colour=0, scale=(0.3, 1.1))
        x = turn_hues(x if crop is None else content_crops(x, crop, generator), generator)
        x = x.contiguous(memory_format=torch.channels_last)
        with accelerator.autocast():
            with torch.set_grad_enabled(not decoder_only):
                posterior = vae.encode(x).latent_dist
            z = posterior.sample()
            if torch.rand((), generator=generator) < equivariance:
                side = int(torch.randint(z.shape[2] // 2, z.shape[2], (), generator=generator))
                z = F.interpolate(z.float(), (side, side), mode="bilinear", antialias=True, align_corners=False)
                x = F.interpolate(x, (8 * side, 8 * side), mode="bilinear", antialias=True, align_corners=False)
                x, z = (t.contiguous(memory_format=torch.channels_last) for t in (x, z))
            z = disturb(z.float(), noise, generator).contiguous(memory_format=torch.channels_last)
            y = vae.decode(z).sample.float()
        loss = reconstruction_loss(y, x)
        kl = 0.5 * (posterior.mean**2 + posterior.var - 1 - posterior.logvar).float().mean()
        return {"loss": loss + kl_weight * kl, "l1": (y - x).abs().mean().detach(), "kl": kl.detach()}

    def sample_fn(model, step):
        with accelerator.autocast():
            save_grid(torch.cat([shown, reconstruct(model, shown)]), Path(out) / f"vae-{step:06d}.png", len(shown))
            again = reconstruct(model, measured).float()
            noisy = reconstruct(model, measured, noise=0.1).float()
        table = hue_table(*hue_errors(measured, again))
        wrong = ", ".join(f"{name} {share:.0%}" for name, (_, share, _) in table.items())
        print(
            f"step {step}: held-out PSNR {psnr(again, measured).mean():.2f} dB, with noise of 0.1 on the latents "
            f"{psnr(noisy, measured).mean():.2f} dB; wrong hues: {wrong}",
            flush=True,
        )

    with fast_group_norm():
        trainer = Trainer(
            out,
            vae,
            step_fn,
            Budget(steps, minutes),
            accelerator=accelerator,
            lr=lr,
            seed=seed,
            resume=resume,
            sample_fn=sample_fn,
            name="vae",
            optimizer=optimizer,
        )
        vae = trainer.run().eval()
    if not decoder_only:  # a kept encoder keeps its latents, which the U-Net was trained on
        standardise(vae, *latent_statistics(vae, pairs, accelerator, seed), scaling_factor=SCALING_FACTOR)
    if accelerator.is_main_process:
        vae.save_pretrained(Path(out) / "vae")
    return vae


@torch.no_grad()
def latent_statistics(vae, pairs: Pairs, accelerator, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation ``(4,)`` of each latent channel, before scaling, over augmented training pictures.

    Of 512 of them, or of eight poses a picture where there are few.
    """
    generator = torch.Generator().manual_seed(seed)
    index = torch.randint(len(pairs), (min(512, 8 * len(pairs)),), generator=generator)
    x, _ = augment(pairs.batch(index, accelerator.device), [pairs.rows[i]["style"] for i in index], generator)
    latents = torch.cat([vae.encode(part).latent_dist.mode() for part in x.split(32)]).float()
    return latents.mean((0, 2, 3)), latents.std((0, 2, 3))


@torch.no_grad()
def standardise(vae, mean: torch.Tensor, std: torch.Tensor, scaling_factor: float):
    """Change the VAE's latent z to (z − mean) / std / ``scaling_factor``, channel by channel, and nothing else.

    Scaled latents then have mean 0 and standard deviation 1 in every channel. The change is folded into the 1 × 1
    convolutions on both sides of the latent, so that what the VAE reconstructs stays the same.
    """
    channels = len(mean)
    factor = 1 / (std * scaling_factor)
    weight, bias = vae.quant_conv.weight, vae.quant_conv.bias  # first the means, then the log-variances
    weight[:channels] *= factor.view(-1, 1, 1, 1)
    bias[:channels] = (bias[:channels] - mean) * factor
    bias[channels:] += 2 * factor.log()
    after = vae.post_quant_conv
    after.bias += after.weight[:, :, 0, 0] @ mean
    after.weight /= factor.view(1, -1, 1, 1)
    vae.register_to_config(scaling_factor=scaling_factor)
    return vae
