"""The measures that papers report, where their packages and weights are on this machine: LPIPS, KID, FID, CLIPScore.

Their networks were trained on data of their own and weigh 90 to 600 MB. Nothing is fetched here: what is missing is
said, with how to get it, and never replaced by something else under the same name.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from s2i_teach.errors import InputError
from s2i_teach.evaluate.pixels import same_size
from s2i_teach.images import fit_to, read_picture, to_tensor

INCEPTION = "weights-inception-2015-12-05-6726825d.pth"
ALEXNET = "alexnet-owt-7be5be79.pth"
CLIP = "openai/clip-vit-base-patch16"
INCEPTION_SIDE = 299


class NotAvailable(InputError):
    """A measure whose package or weights are not on this machine."""


def _need(measure: str, packages: tuple[str, ...], weights: str | None) -> None:
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        names = " ".join(name.replace("_", "-") for name in missing)
        raise NotAvailable(f"{measure} is not available: install what it needs with pip install {names}.")
    if weights is None:
        return
    place = Path(torch.hub.get_dir()) / "checkpoints" / weights
    if not place.is_file():
        raise NotAvailable(f"{measure} is not available: put its weights, {weights}, into {place.parent}.")


def available() -> dict[str, str]:
    """Each measure → "" where it can be computed, else the sentence that says what is missing."""
    answers = {}
    for name, check in (("LPIPS", _lpips), ("KID", _inception), ("FID", _inception), ("CLIPScore", _clip)):
        try:
            check(name)
            answers[name] = ""
        except NotAvailable as error:
            answers[name] = str(error)
    return answers


def _lpips(measure: str = "LPIPS") -> None:
    _need(measure, ("lpips", "torchvision"), ALEXNET)


def _inception(measure: str) -> None:
    _need(measure, ("torchmetrics", "torch_fidelity"), INCEPTION)


def _clip(measure: str = "CLIPScore") -> None:
    from huggingface_hub import try_to_load_from_cache

    kept = [try_to_load_from_cache(CLIP, name) for name in ("model.safetensors", "pytorch_model.bin")]
    if not any(isinstance(path, str) for path in kept):
        raise NotAvailable(f"{measure} is not available: fetch its model with huggingface-cli download {CLIP}.")


def lpips(picture, wanted) -> float:
    """Learned perceptual distance (Zhang et al. 2018, AlexNet) of two pictures of one size; 0 is a copy.

    Raises:
        NotAvailable: the package ``lpips`` or AlexNet's weights are not here.
        InputError: sizes that differ.
    """
    a, b = same_size(picture, wanted)
    _lpips()
    with torch.no_grad():
        return _lpips_net()(to_tensor(a)[None], to_tensor(b)[None]).item()


@lru_cache(1)
def _lpips_net() -> torch.nn.Module:
    import lpips as package

    return package.LPIPS(net="alex", verbose=False).eval()


def kid(pictures, real, *, extractor: torch.nn.Module | None = None) -> float:
    """Kernel Inception Distance by torchmetrics, all pictures in one subset: the mean that it reports.

    ``extractor`` replaces Inception by another network of bytes ``(B, 3, H, W)`` → ``(B, d)``; it is then no KID.

    Raises:
        NotAvailable: torchmetrics, torch-fidelity or Inception's weights are not here.
        InputError: fewer than 2 pictures of a kind.
    """
    pictures, real = _bytes(pictures), _bytes(real)
    if extractor is None:
        _inception("KID")
    else:
        _need("KID", ("torchmetrics",), None)
    from torchmetrics.image.kid import KernelInceptionDistance

    smaller = min(len(pictures), len(real))
    metric = KernelInceptionDistance(feature=extractor or 2048, subsets=1, subset_size=smaller)
    with torch.random.fork_rng():  # it draws the subset from torch's global generator
        torch.manual_seed(0)
        for batch, is_real in ((real, True), (pictures, False)):
            for part in batch.split(32):
                metric.update(part, real=is_real)
        return metric.compute()[0].item()


def fid(pictures, real, *, extractor: torch.nn.Module | None = None) -> float:
    """Fréchet Inception Distance (Heusel et al. 2017) by torchmetrics.

    It is biased for few pictures: papers use 10,000 and more.

    Raises as :func:`kid` does.
    """
    pictures, real = _bytes(pictures), _bytes(real)
    if extractor is None:
        _inception("FID")
    else:
        _need("FID", ("torchmetrics",), None)
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(feature=extractor or 2048)
    for batch, is_real in ((real, True), (pictures, False)):
        for part in batch.split(32):
            metric.update(part, real=is_real)
    return metric.compute().item()


def clip_score(picture, prompt: str) -> float:
    """CLIPScore as torchmetrics defines it: max(100 · cosine, 0) by OpenAI's CLIP (Hessel et al. 2021).

    Raises:
        NotAvailable: the model is not in Hugging Face's cache.
    """
    picture = read_picture(picture)
    _clip()
    from transformers import CLIPModel, CLIPProcessor

    model = CLIPModel.from_pretrained(CLIP, local_files_only=True).eval()
    processor = CLIPProcessor.from_pretrained(CLIP, local_files_only=True)
    inputs = processor(text=[prompt], images=[picture], return_tensors="pt", padding=True, truncation=True)
    with torch.no_grad():
        answer = model(**inputs)
    # Both embeddings come out with length 1.
    return max(100 * (answer.image_embeds * answer.text_embeds).sum().item(), 0.0)


def _bytes(pictures) -> torch.Tensor:
    """Pictures as ``(B, 3, 299, 299)`` uint8, padded to a square."""
    side = (INCEPTION_SIDE, INCEPTION_SIDE)
    made = [torch.from_numpy(np.array(fit_to(read_picture(p), side))).permute(2, 0, 1) for p in pictures]
    if len(made) < 2:
        raise InputError(f"{len(made)} pictures have no distribution: give at least 2 of each kind.")
    return torch.stack(made)
