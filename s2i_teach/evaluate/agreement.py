"""How far a picture agrees with the one it should have become, where there is one: PSNR and SSIM."""

import math
from dataclasses import dataclass

import numpy as np
from skimage.metrics import structural_similarity

from s2i_teach.evaluate.pixels import same_size


@dataclass(frozen=True)
class Agreement:
    """Figures of one picture beside its paired one.

    Attributes:
        psnr: in dB; infinite for a copy.
        ssim: −1 to 1.
    """

    psnr: float
    ssim: float


def psnr(picture, wanted) -> float:
    """Peak signal-to-noise ratio in dB: 10 · log10(255² / mean squared error); infinite for a copy.

    Args:
        picture, wanted: anything that :func:`s2i_teach.open_sketch` opens, of the same size.

    Raises:
        InputError: sizes that differ.
    """
    a, b = (np.asarray(p, dtype=np.float64) for p in same_size(picture, wanted))
    error = float(((a - b) ** 2).mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(picture, wanted) -> float:
    """Structural similarity (Wang et al. 2004) with the paper's Gaussian window, mean over the three channels, −1 to 1.

    Raises as :func:`psnr` does.
    """
    a, b = (np.asarray(p) for p in same_size(picture, wanted))
    return float(
        structural_similarity(
            a, b, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
    )


def agreement(picture, wanted) -> Agreement:
    """Both figures. No picture is the one right one for a sketch: red where the pair is blue scores low, however good.

    Raises as :func:`psnr` does.
    """
    return Agreement(psnr(picture, wanted), ssim(picture, wanted))
