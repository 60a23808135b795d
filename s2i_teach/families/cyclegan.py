"""CycleGAN: no pair is ever seen; there and back must be the same again (Zhu et al. 2017)."""

import torch
import torch.nn.functional as F

from s2i_teach.families.base import Batch, Family
from s2i_teach.families.blocks import SketchUNet
from s2i_teach.families.pix2pix import PatchDiscriminator, hinge

WIDTHS = (16, 24, 40, 48)
"""Channels of either network: there are two, for the size of one."""


def cycle_loss(sketches, pictures, paint, draw) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """E‖draw(paint(s)) − s‖₁ + E‖paint(draw(p)) − p‖₁ (Zhu et al. 2017, equation 2), as its two terms, and what lay between.

    Args:
        sketches, pictures: s and p, ``(B, 1, H, W)`` and ``(B, 3, H, W)``, of different pages.
        paint, draw: networks from sketch to picture and from picture to sketch.

    Returns:
        the error of the sketches, that of the pictures, ``paint(s)`` and ``draw(p)``.
    """
    painted, drawn = paint(sketches), draw(pictures)
    return F.l1_loss(draw(painted), sketches), F.l1_loss(paint(drawn), pictures), painted, drawn


class CycleGAN(Family):
    """G: sketch → picture and F: picture → sketch, each against a discriminator, and the cycle loss (equations 1 to 3).

    Nothing says *which* picture belongs to a sketch. So G is right if its pictures look real and F finds the sketch in them:
    a turtle may be purple, and a well-known fault is that G hides the sketch in its picture where nobody sees it (Chu et al.
    2017).
    """

    name, title = "cyclegan", "CycleGAN, learned without pairs"
    paper = "Zhu et al. 2017, Unpaired image-to-image translation using cycle-consistent adversarial networks"
    learning_rate, betas, batch_size = 5e-4, (0.5, 0.99), 8
    not_shipped = ("picture_critic.", "sketch_critic.")
    CYCLE = (20.0, 10.0)
    """Weights of the sketches' and the pictures' cycle error."""

    def __init__(self):
        super().__init__()
        self.paint, self.draw = SketchUNet(1, 3, WIDTHS), SketchUNet(3, 1, WIDTHS)
        self.picture_critic, self.sketch_critic = PatchDiscriminator(3), PatchDiscriminator(1, 16)

    def parts(self):
        networks = torch.nn.ModuleList([self.paint, self.draw])
        return {"networks": networks, "critics": torch.nn.ModuleList([self.picture_critic, self.sketch_critic])}

    def losses(self, batch: Batch, generator: torch.Generator):
        # Of each pair one half is put away, so that none is left: these sketches' pictures are not among those.
        half = len(batch.hints) // 2
        sketches, pictures = batch.hints[:half], batch.pictures[half:]
        back, again, painted, drawn = (x.float() for x in cycle_loss(sketches, pictures, self.painted, self.drawn))
        fooled = -self.picture_critic(painted).float().mean() - self.sketch_critic(drawn).float().mean()
        loss = fooled + self.CYCLE[0] * back + self.CYCLE[1] * again
        yield "networks", {"loss": loss, "sketch again": back, "picture again": again}
        picture = hinge(self.picture_critic(pictures).float(), self.picture_critic(painted.detach()).float())
        sketch = hinge(self.sketch_critic(sketches).float(), self.sketch_critic(drawn.detach()).float())
        told = (picture["told"] + sketch["told"]) / 2
        yield "critics", {"loss": picture["loss"] + sketch["loss"], "told": told}

    def painted(self, hints: torch.Tensor) -> torch.Tensor:
        """Pictures ``(B, 3, H, W)`` for hints ``(B, 1, H, W)``."""
        return torch.tanh(self.paint(hints))

    def drawn(self, pictures: torch.Tensor) -> torch.Tensor:
        """Hints ``(B, 1, H, W)`` in [0, 1] for pictures ``(B, 3, H, W)``: the way back."""
        return torch.sigmoid(self.draw(pictures))

    def generate(self, hints, generator, text=None):
        return self.painted(hints)
