"""The hint: what a sketch-guided network sees at every step, white lines on black."""

from PIL import Image, ImageOps


def line_hint(picture: Image.Image, size: tuple[int, int] | None = None) -> Image.Image:
    """The lines of a drawing, white on black: an RGB image of the picture's size, or of ``size`` (width, height).

    Args:
        picture: dark lines on white paper.
    """
    grey = picture.convert("L")
    if size is not None and grey.size != tuple(size):
        grey = grey.resize(size, Image.Resampling.LANCZOS)
    return ImageOps.invert(grey).convert("RGB")
