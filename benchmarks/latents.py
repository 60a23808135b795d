"""The VAE's figures: what its latents keep of a picture, which hues come back, and how much noise they bear."""

import torch

from benchmarks.judging import Way, generate
from s2i_teach.images import to_picture
from s2i_teach.models.catalog import find
from s2i_teach.theory.measure import psnr
from s2i_teach.training.colours import CELL, RANGES, WRONG, chroma_kept, flat_cells, hue_errors, hue_table, in_range
from s2i_teach.training.pictures import Pairs
from s2i_teach.training.vae import reconstruct
from s2i_teach.training.vocabulary import STYLES

NOISE = 0.1
"""Standard deviations of each channel."""
PALE = 0.5
"""Share of its chroma below which a colour is pale."""
STRENGTH, STEPS = 0.15, 20
"""How far real pictures are noised, and of how many steps the last ones take it away."""


def drawn_by_lot(pairs: Pairs, count: int) -> Pairs:
    """A fixed sample of pairs."""
    index = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(0))[:count]
    return Pairs(pairs.pixels[index], [pairs.rows[i] for i in index])


def everything(pairs: Pairs) -> torch.Tensor:
    """All pictures ``(N, 3, H, W)`` in [−1, 1]."""
    return pairs.batch(torch.arange(len(pairs)))


def vae_figures(values: torch.Tensor, held_out: Pairs) -> list[str]:
    """PSNR of the held-out pictures encoded and decoded, ``(N,)`` in dB, by style."""
    styles = [row["style"] for row in held_out.rows]
    lines = ["| held-out pictures | PSNR (dB) |", "|---|---|", f"| all {len(held_out)} | **{values.mean():.2f}** |"]
    for style in STYLES:
        lines.append(f"| {style} | {values[[s == style for s in styles]].mean():.2f} |")
    return lines


def hue_figures(sets: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> list[str]:
    """The hues of several sets, each by name: pictures and what came back of them, ``(N, 3, H, W)`` each.

    Cells of one picture come back alike, so the number of pictures beside that of cells says how sure a share is.
    """
    lines = [
        f"| hue | {' | '.join(f'{name}: cells (pictures) | wrong | median | pale' for name in sets)} |",
        "|---" * (1 + 4 * len(sets)) + "|",
    ]
    rows = {hue: [] for hue in RANGES}
    for before, after in sets.values():
        hues, errors = hue_errors(before, after)
        pale = chroma_kept(before, after) < PALE
        picture = flat_cells(before).nonzero()[:, 0]
        for hue, (cells, wrong, median) in hue_table(hues, errors).items():
            own = in_range(hues, hue)
            rows[hue].append(f"{cells} ({len(picture[own].unique())})")
            values = (f"{wrong:.1%}", f"{median:.1f}°", f"{pale[own].float().mean():.1%}")
            rows[hue] += values if cells else ("–", "–", "–")
    lines += [f"| {hue} | {' | '.join(row)} |" for hue, row in rows.items()]
    about = (
        f"Of flat saturated cells of {CELL} × {CELL} pixels: *wrong* are those whose hue is more than {WRONG:g}° off or that "
        f"came back grey, *pale* those with less than {PALE:.0%} of their chroma."
    )
    return [*lines, "", about]


def latent_figures(pipe, held_out: Pairs, plain: torch.Tensor, count: int) -> list[str]:
    """What latents bear: noise of the decoder's input, and real pictures noised a little and denoised.

    ``plain`` is the PSNR ``(N,)`` of each held-out picture encoded and decoded; ``count`` pictures are denoised.
    """
    x = everything(held_out)
    noisy = psnr(reconstruct(pipe.vae, x, noise=NOISE), x)
    few = drawn_by_lot(held_out, count)
    y = everything(few)
    rows = [
        (len(held_out), "encoded and decoded", plain.mean()),
        (len(held_out), f"the same, latents with noise of {NOISE:g} standard deviations", noisy.mean()),
        (len(few), "encoded and decoded", psnr(reconstruct(pipe.vae, y), y).mean()),
    ]
    captions, sketches = [row["text"] for row in few.rows], [to_picture(picture) for picture in y]
    for guidance in (1.0, find(pipe.s2i_model).guidance_scale):
        made = generate(pipe, captions, list(range(len(few))), sketches, Way("lines", STRENGTH), STEPS, guidance)
        words = f"noised to strength {STRENGTH:g} and denoised, {STEPS} steps, guidance {guidance:g}"
        rows.append((len(few), words, psnr(made, y).mean()))
    lines = ["| held-out pictures | come back | PSNR (dB) |", "|---|---|---|"]
    return lines + [f"| {number} | {words} | {value:.2f} |" for number, words, value in rows]
