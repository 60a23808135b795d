"""The catalog as text: what each model is for, what it takes, and what its licence means."""

from collections.abc import Sequence

from s2i_teach.errors import InputError
from s2i_teach.files import shown
from s2i_teach.models.catalog import DEFAULT, LICENCES, MODELS, Model, offered
from s2i_teach.models.hub import download_of, in_bytes
from s2i_teach.models.kinds import KINDS


def listing(names: Sequence[str] = ()) -> str:
    """The models of the catalog, or those named, a paragraph each.

    Raises:
        InputError: a name that is not in it.
    """
    unknown = next((name for name in names if name not in MODELS), None)
    if unknown is not None:
        raise InputError(f"The catalog has no model {shown(unknown)!r}: it has {', '.join(MODELS)}.")
    return "\n\n".join(_paragraph(entry) for name, entry in offered().items() if not names or name in names)


def _paragraph(entry: Model) -> str:
    default = ", the default" if entry.name == DEFAULT else ""
    kind = KINDS[entry.kind]
    led = "every step sees the sketch" if kind.hint or kind.is_flow else "the sketch is the start"
    led = "another family than diffusion: the sketch's lines become a picture" if kind.is_family else led
    lines = [f"{entry.name}: {entry.title}{default}", f"  {led}"]
    if entry.whole_download:
        lines.append(f"  {download_of(entry)}; needs about {entry.memory:.1f} GB of memory in half precision")
    else:
        lines.append("  comes with the course")
    width, height = entry.size
    if kind.is_family:
        lines.append(f"  {width} × {height} pixels; nothing to set but the seed")
    else:
        lines.append(
            f"  unless told otherwise: {width} × {height} pixels, {entry.steps} steps, guidance {entry.guidance_scale:g}, "
            + ("no strength" if entry.strength is None else f"strength {entry.strength:g}")
        )
    if entry.cannot:
        lines.append(f"  cannot {entry.cannot}")
    parts = [*entry.parts, *([entry.small_vae] if entry.small_vae else [])]
    if entry.small_vae:
        lines.append(
            f"  a small VAE can stand in for its own ({in_bytes(entry.small_vae.download)}), for previews and on a CPU"
        )
    licences = [entry.licence, *(part.licence for part in parts if part.licence)]
    for licence in dict.fromkeys(licences):
        lines.append(f"  licence {licence}: {LICENCES[licence]}" if licence in LICENCES else f"  licence {licence}")
    lines += [f"  from {name}" for name in (*entry.ids, *(i for part in parts for i in part.ids))]
    return "\n".join(lines)
