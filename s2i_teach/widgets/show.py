"""Pictures and figures in a notebook, with words for those who do not see them."""

import base64
import html
import io

from PIL import Image

from s2i_teach.errors import InputError


def as_html(figure, alt: str, width: int | None = None) -> str:
    """An HTML ``<img>`` with alternative text. ``figure`` is a PIL picture, a matplotlib figure or a ``Result``; a list of
    PIL pictures becomes an animation (animated WebP, which browsers play by themselves), the last held for a second.

    Raises:
        InputError: no alternative text, or something that is no picture.
    """
    if not isinstance(alt, str) or not alt.strip():
        raise InputError("Give alt, a sentence that says what is to be seen, for readers who do not see the picture.")
    with io.BytesIO() as file:
        picture, kind = getattr(figure, "image", figure), "png"
        if isinstance(picture, (list, tuple)) and picture and all(isinstance(frame, Image.Image) for frame in picture):
            durations, kind = [120] * (len(picture) - 1) + [1500], "webp"
            first, *others = picture
            first.save(file, "WEBP", save_all=True, append_images=others, duration=durations, loop=0, quality=85)
            picture, width = first, width or first.width
        elif isinstance(picture, Image.Image):
            picture.save(file, "PNG")
            width = width or picture.width
        elif hasattr(figure, "savefig"):
            figure.savefig(file, format="png", bbox_inches="tight", dpi=110)
        else:
            raise InputError(f"A {type(figure).__name__} cannot be shown: give a picture, a figure or a result.")
        data = base64.b64encode(file.getvalue()).decode("ascii")
    # Small pictures are shown enlarged with their pixels visible, rather than blurred by the browser.
    style = "max-width:100%;" + (
        "image-rendering:pixelated;" if width and width > 1.5 * getattr(picture, "width", width) else ""
    )
    size = f' width="{width}"' if width else ""
    return f'<img src="data:image/{kind};base64,{data}" alt="{html.escape(alt, quote=True)}"{size} style="{style}">'


def show(figure, *, alt: str, width: int | None = None) -> None:
    """Show a picture or figure in the notebook with alternative text that also survives an export.

    Args:
        figure: a PIL picture, a matplotlib figure (closed afterwards, so that it is not shown twice), a ``Result``, or a
            list of PIL pictures, which is shown as an animation.
        alt: what is to be seen, in a sentence.
        width: in CSS pixels; None shows a picture at its own size.
    """
    from IPython.display import HTML, display

    display(HTML(as_html(figure, alt, width)))
    if hasattr(figure, "savefig"):
        import matplotlib.pyplot as plt

        plt.close(figure)
