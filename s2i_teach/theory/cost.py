"""What the layers of a U-Net cost, in floating-point operations: one multiplication with its addition counts as two.

Equal to what torch's ``FlopCounterMode`` counts. (Papers that give multiply–adds, MACs, count half as many.)
"""


def convolution_flops(channels_in: int, channels_out: int, kernel: int, height: int, width: int) -> int:
    """2 · C_in · C_out · k² · H · W: a ``kernel`` × ``kernel`` convolution that makes ``height`` × ``width`` places.

    Twice the side is four times the work.
    """
    return 2 * channels_in * channels_out * kernel**2 * height * width


def attention_flops(height: int, width: int, channels: int) -> int:
    """4 · (H · W)² · C: the two products q·kᵀ and weights·v of self-attention, where every place asks every other.

    Twice the side is sixteen times the work. The number of heads does not matter; the layers that make q, k, v and the
    answer are not in it (Vaswani et al. 2017, table 1).
    """
    places = height * width
    return 4 * places**2 * channels
