"""Trains the judge: a small classifier of the things, apart from the miniature, that says what a picture shows."""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

from s2i_teach.models.shims import quiet_loading
from s2i_teach.paths import data_dir
from s2i_teach.training.loop import Budget, Trainer, make_accelerator
from s2i_teach.training.pictures import Pairs, augment, load_pairs

SIDE = 96
"""Pictures are judged at this side, in pixels: details of the VAE's last pixel should not decide what a thing is."""


def build_judge(labels: list[str]):
    """A transformers ResNet with basic blocks, 1.3 M parameters and one class a label."""
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(
        embedding_size=32,
        hidden_sizes=[32, 64, 128, 256],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )
    return ResNetForImageClassification(config)


def load_judge():
    """The judge that ships, ``data/judge``, in fp32."""
    from transformers import ResNetForImageClassification

    with quiet_loading():
        judge = ResNetForImageClassification.from_pretrained(data_dir() / "judge", use_safetensors=True)
    return judge.float().eval()


def judge_pixels(x: torch.Tensor) -> torch.Tensor:
    """Pictures in [−1, 1] of any size as the judge takes them: ``(B, 3, 96, 96)``."""
    return F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)


@torch.no_grad()
def judge_ranks(judge, x: torch.Tensor, things: list[str], batch: int = 64) -> torch.Tensor:
    """The rank (0 = first) that the judge gives each picture's own thing, ``(B,)``. ``x`` is ``(B, 3, H, W)``."""
    target = torch.tensor([judge.config.label2id[thing] for thing in things], device=x.device)
    logits = torch.cat([judge(pixel_values=judge_pixels(part)).logits.float() for part in x.split(batch)])
    own = logits.gather(1, target[:, None])
    return (logits > own).sum(1).cpu()


def train_judge(
    out: str | Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    batch_size: int = 64,
    lr: float = 2e-3,
    core_only: bool = True,
    seed: int = 1,
    resume: bool = False,
    pairs: Pairs | None = None,
    device: str | None = None,
):
    """Train the judge on the real pictures in random poses; writes ``out/judge``. Returns it.

    It never sees a picture of the miniature, and has its own seed, network and loss.
    """
    out = Path(out)
    accelerator = make_accelerator(device)
    pairs = pairs or load_pairs("train").select(lambda row: row["core"] or not core_only)
    labels = sorted({row["thing"] for row in pairs.rows})
    torch.manual_seed(seed)
    judge = build_judge(labels).to(memory_format=torch.channels_last).train()
    number = {label: i for i, label in enumerate(labels)}

    def step_fn(step, generator):
        index = torch.randint(len(pairs), (batch_size,), generator=generator)
        rows = [pairs.rows[i] for i in index]
        x, _ = augment(pairs.batch(index, accelerator.device), [row["style"] for row in rows], generator)
        x = judge_pixels(x)
        # A slight blur now and then: the judge should not fail on softness alone.
        if torch.rand((), generator=generator) < 0.3:
            x = F.interpolate(F.avg_pool2d(x, 2), (SIDE, SIDE), mode="bilinear", align_corners=False)
        target = torch.tensor([number[row["thing"]] for row in rows], device=accelerator.device)
        with accelerator.autocast():
            logits = judge(pixel_values=x.contiguous(memory_format=torch.channels_last)).logits.float()
        loss = F.cross_entropy(logits, target, label_smoothing=0.05)
        return {"loss": loss, "right": (logits.argmax(1) == target).float().mean().detach()}

    trainer = Trainer(
        out,
        judge,
        step_fn,
        Budget(steps, minutes),
        accelerator=accelerator,
        lr=lr,
        weight_decay=0.02,
        seed=seed,
        resume=resume,
        name="judge",
        ema=0.998,
    )
    judge = trainer.run().eval()
    judge.config.dtype = None
    judge.half().save_pretrained(out / "judge")
    (out / "judge" / "labels.json").write_text(json.dumps(labels, ensure_ascii=False) + "\n", encoding="utf-8")
    return judge.float()
