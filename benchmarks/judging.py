"""What the benchmarks of pictures share: ways to follow a sketch, drawing many pictures at once, and judging them."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import binary_fill_holes

from s2i_teach.models.catalog import MODELS, find
from s2i_teach.models.kinds import guesses, hint_of
from s2i_teach.models.schedulers import make_scheduler
from s2i_teach.translation.prepare import make_hint, prepare_sketch

BATCH = 20
EMBEDDED = tuple(name for name, entry in MODELS.items() if entry.embedded and entry.kind != "family")
"""The miniature and its variants by name."""


@dataclass(frozen=True)
class Way:
    """How a model is made to follow a sketch: by plain img2img, or led by the sketch's lines at ``control_scale``."""

    prepare: str = "lines"
    strength: float = 1.0
    control_scale: float | None = None

    def __str__(self):
        led = "" if self.control_scale is None else f", control scale {self.control_scale:g}"
        return f"{self.prepare}, strength {self.strength:g}{led}"


def is_led(pipe) -> bool:
    """Whether the sketch's lines lead a pipeline at each step."""
    return hint_of(pipe) is not None


def generate(
    pipe,
    prompts: list[str],
    seeds: list[int],
    sketches=None,
    way: Way | None = None,
    steps: int | None = None,
    guidance_scale: float | None = None,
) -> torch.Tensor:
    """Pictures ``(N, 3, H, W)`` in [−1, 1], in batches that equal single runs; from noise alone without sketches.

    Sketches are RGB images of the model's size. Without a control scale a model that can be led runs as plain img2img.
    Steps and guidance are the model's own of the catalog.
    """
    from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline

    entry, made = find(pipe.s2i_model), []
    steps = steps or entry.steps
    led = way is not None and way.control_scale is not None
    kind = type(pipe) if led else StableDiffusionPipeline if sketches is None else StableDiffusionImg2ImgPipeline
    parts = {name: part for name, part in pipe.components.items() if led or name != "controlnet"}
    maker = kind(**parts, requires_safety_checker=False)
    maker.set_progress_bar_config(disable=True)
    for start in range(0, len(prompts), BATCH):
        part = slice(start, start + BATCH)
        common = {
            "prompt": prompts[part],
            "num_inference_steps": steps,
            "guidance_scale": entry.guidance_scale if guidance_scale is None else guidance_scale,
            "output_type": "pt",
            "generator": [torch.Generator().manual_seed(seed) for seed in seeds[part]],
        }
        if sketches is not None:
            common |= {
                "image": [prepare_sketch(sketch, way.prepare) for sketch in sketches[part]],
                "strength": way.strength,
            }
            if led:
                hints = [make_hint(sketch, hint_of(pipe)) for sketch in sketches[part]]
                common |= {"control_image": hints, "controlnet_conditioning_scale": way.control_scale}
                common["guess_mode"] = guesses(pipe)
        maker.scheduler = make_scheduler(None, pipe.scheduler, steps)  # it remembers its last run
        made.append(maker(**common).images.float() * 2 - 1)
    return torch.cat(made)


def share(ranks: torch.Tensor, top: int) -> float:
    """The share of ranks (0 = first) that are among the first ``top``."""
    return (ranks < top).float().mean().item()


def inked(x: torch.Tensor) -> np.ndarray:
    """Where a picture is not paper: some channel below 0.85 of white, and what such pixels enclose. ``(H, W)`` bool."""
    return binary_fill_holes((x.min(0).values < 0.7).numpy())


def overlap(pictures: torch.Tensor, outlines: list[np.ndarray]) -> float:
    """Mean intersection over union of what is inked in pictures ``(N, 3, H, W)`` and outlines ``(H, W)`` bool."""
    return float(
        np.mean(
            [
                (ink & outline).sum() / max(1, (ink | outline).sum())
                for ink, outline in zip(map(inked, pictures), outlines, strict=True)
            ]
        )
    )
