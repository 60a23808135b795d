"""Trains a small decoder for previews: a diffusers ``AutoencoderTiny`` that imitates the miniature's VAE.

What draws in few steps is another training's (:mod:`s2i_teach.training.few_steps`).
"""

from pathlib import Path

import torch

from s2i_teach.theory.measure import psnr
from s2i_teach.training.loop import Budget, Trainer, make_accelerator, save_grid
from s2i_teach.training.pictures import Pairs, augment, load_pairs
from s2i_teach.training.vae import reconstruction_loss

CONFIG = dict(
    in_channels=3,
    out_channels=3,
    latent_channels=4,
    # Only the decoder is trained; the encoder is as small as may be, and nobody's.
    encoder_block_out_channels=(8, 8, 8, 8),
    num_encoder_blocks=(1, 1, 1, 1),
    decoder_block_out_channels=(32, 32, 32, 32),
    num_decoder_blocks=(3, 3, 2, 1),
    scaling_factor=1.0,
)


def build_preview_decoder():
    """An untrained ``AutoencoderTiny`` whose decoder takes the U-Net's own (scaled) latents."""
    from diffusers import AutoencoderTiny

    return AutoencoderTiny(**CONFIG)


@torch.no_grad()
def imitation_pairs(
    vae, pairs: Pairs, number: int, seed: int = 0, batch: int = 16
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the small decoder learns from: scaled latents ``(N, 4, 16, 16)`` and what the VAE decodes from them, uint8.

    A third are latents of pictures, a third are mixtures of two, which look like the U-Net's undecided predictions, and a
    third are larger than the VAE's own, as guidance makes them, with a little noise, since a prediction is never clean.
    """
    generator = torch.Generator().manual_seed(seed)
    latents, pictures = [], []
    while sum(map(len, latents)) < number:
        index = torch.randint(len(pairs), (batch,), generator=generator)
        x, _ = augment(pairs.batch(index), [pairs.rows[i]["style"] for i in index], generator)
        z = vae.encode(x).latent_dist.mode() * vae.config.scaling_factor
        share = torch.rand(batch, 1, 1, 1, generator=generator)
        kind = torch.arange(batch).view(-1, 1, 1, 1) % 3
        z = torch.where(kind == 1, share * z + (1 - share) * z.roll(1, 0), z)
        noise = torch.randn(z.shape, generator=generator)
        z = torch.where(kind == 2, z * (1 + 0.5 * share) + 0.2 * share * noise, z)
        y = vae.decode(z / vae.config.scaling_factor).sample
        latents.append(z)
        pictures.append(((y.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8))
    return torch.cat(latents)[:number], torch.cat(pictures)[:number]


def train_fast(
    out: str | Path,
    vae: str | Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    batch_size: int = 8,
    lr: float = 1e-3,
    seed: int = 0,
    resume: bool = False,
    examples: int = 3000,
    start_from: str | Path | None = None,
    pairs: Pairs | None = None,
    held_out: Pairs | None = None,
    device: str | None = None,
):
    """Train the preview decoder on the frozen VAE and save it to ``out/preview_decoder``; returns it.

    The loss is the VAE's :func:`reconstruction_loss`, against the VAE's own decoding. ``start_from`` is a decoder to go on
    from; one of another VAE is a start, too.
    """
    from diffusers import AutoencoderKL, AutoencoderTiny

    accelerator = make_accelerator(device)
    torch.manual_seed(seed)
    teacher = AutoencoderKL.from_pretrained(vae, use_safetensors=True).float().eval()
    small = AutoencoderTiny.from_pretrained(start_from, use_safetensors=True) if start_from else build_preview_decoder()
    small.float().train()
    small.encoder.requires_grad_(False)
    z, decoded = imitation_pairs(teacher, pairs or load_pairs("train"), examples, seed)
    z_new, decoded_new = imitation_pairs(teacher, held_out or load_pairs("test"), min(96, examples), seed + 1)
    pictures, unseen = Pairs(decoded), Pairs(decoded_new).batch(slice(None), accelerator.device)

    def step_fn(step, generator):
        index = torch.randint(len(z), (batch_size,), generator=generator)
        wanted = pictures.batch(index, accelerator.device)
        with accelerator.autocast():
            made = small.decode(z[index].to(accelerator.device)).sample.float()
        return {"loss": reconstruction_loss(made, wanted), "l1": (made - wanted).abs().mean().detach()}

    def sample_fn(model, step):
        with torch.no_grad(), accelerator.autocast():
            made = model.decode(z_new.to(accelerator.device)).sample.float()
        save_grid(torch.cat([unseen[:12], made[:12]]), Path(out) / f"fast-{step:06d}.png", 12)
        print(f"step {step}: held-out PSNR to the VAE {psnr(made, unseen).mean():.2f} dB", flush=True)

    trainer = Trainer(
        out,
        small,
        step_fn,
        Budget(steps, minutes),
        accelerator=accelerator,
        lr=lr,
        seed=seed,
        resume=resume,
        sample_fn=sample_fn,
        name="fast",
    )
    small = trainer.run().eval()
    small.half().save_pretrained(Path(out) / "preview_decoder")
    return small
