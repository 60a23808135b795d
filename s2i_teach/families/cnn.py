"""CNN: one network, one squared error, one picture for a sketch, and so the mean of all that it could have been."""

import torch
from torch import nn

from s2i_teach.families.base import Batch, Family
from s2i_teach.families.blocks import SketchUNet


class CNN(Family):
    """Regression by an encoder and decoder: f(sketch) is to be the picture, and the loss is ‖picture − f(sketch)‖².

    The f that makes the mean of this smallest is the mean of all pictures that have this sketch, E[picture | sketch]
    (Bishop 2006, equation 1.89). Where some apples are red and others green, that is a brown one; where an edge may lie here
    or there, it is soft. The network is not to blame: pix2pix has the very same one, and another loss.
    """

    name, title = "cnn", "CNN, the mean of what could be"
    paper = "Long, Shelhamer and Darrell 2014, Fully convolutional networks for semantic segmentation"

    def __init__(self):
        super().__init__()
        self.network = SketchUNet(1, 3)

    def losses(self, batch: Batch, generator: torch.Generator):
        loss = nn.functional.mse_loss(self.network(batch.hints).float(), batch.pictures)
        yield "network", {"loss": loss}

    def generate(self, hints, generator, text=None):
        return self.network(hints)
