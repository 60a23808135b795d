"""A family of the literature review where a diffusers pipeline is expected: the same call, and nothing to set but the seed."""

import torch
from PIL import Image

from s2i_teach.errors import InputError
from s2i_teach.families.base import SIDE, Facts, Family, as_hint
from s2i_teach.families.catalog import load_family
from s2i_teach.models.readers import read_captions

SIZE = (SIDE, SIDE)


class FamilyPipeline:
    """What :func:`s2i_teach.load_pipeline` gives for ``"pix2pix"`` and the others.

    It computes in fp32, so that a picture is the same on any machine.

    Attributes:
        s2i_model: the family's name.
        family: the network.
        facts: CPU minutes and steps of its training, and how many parameters it has.
        device: where it computes.
    """

    def __init__(self, name: str, family: Family, facts: Facts | None = None, device="cpu"):
        from diffusers.image_processor import VaeImageProcessor

        self.s2i_model, self.facts, self.device = name, facts, torch.device(device)
        self.family = family.to(self.device).eval()
        self.image_processor = VaeImageProcessor(do_convert_rgb=True)

    @torch.no_grad()
    def __call__(self, hint: Image.Image, prompt: str, seed: int) -> torch.Tensor:
        """Pixels ``(1, 3, 128, 128)`` in [0, 1].

        Args:
            hint: white lines on black, 128 × 128.
            prompt: what the picture shows, for a family that reads it.
            seed: of all randomness.
        """
        generator = torch.Generator("cpu").manual_seed(seed)
        text = read_captions([prompt]).each(lambda x: x.to(self.device)) if self.family.reads_prompt else None
        made = self.family.generate(as_hint(hint).to(self.device), generator, text)
        return (made.float().clamp(-1, 1) + 1) / 2


def load_family_pipeline(name: str, device: torch.device, dtype: torch.dtype | None = None) -> FamilyPipeline:
    """A trained family of the catalog.

    Raises:
        InputError: its weights are not there or damaged, or another precision than fp32 is asked for.
    """
    if dtype not in (None, torch.float32):
        raise InputError(f'{name} computes in fp32 alone: leave dtype out, or use "fp32".')
    return FamilyPipeline(name, *load_family(name), device)
