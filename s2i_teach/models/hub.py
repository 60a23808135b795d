"""Fetches from the Hugging Face hub: says beforehand what a download takes, and in one sentence why it does not work."""

import errno
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from s2i_teach.errors import InputError
from s2i_teach.models.catalog import LICENCES, Model

WORTH_SAYING = 1e6
"""Bytes; a download below is not announced."""

TRIES = 3
"""How often a download is begun that breaks off; each goes on where the last one stopped."""


@dataclass(frozen=True)
class Choice:
    """Patterns of file names: what to fetch, what of it to leave, and what must be there for this to be a choice, any of it."""

    take: tuple[str, ...]
    leave: tuple[str, ...]
    needs: tuple[str, ...]

    def of(self, files: Iterable[str]) -> list[str]:
        """The files that are fetched."""
        taken = (f for f in files if any(fnmatch(f, pattern) for pattern in self.take))
        return [f for f in taken if not any(fnmatch(f, pattern) for pattern in self.leave)]

    def fits(self, files: Iterable[str]) -> bool:
        """Whether a model with these files has what this choice needs."""
        return any(fnmatch(f, pattern) for f in files for pattern in self.needs)


def choices(
    role: str, variant: str | None = None, file: str | None = None, without: Sequence[str] = ()
) -> list[Choice]:
    """What to fetch of a ``"pipeline"``, a ``"controlnet"``, a ``"vae"``, a ``"lora"`` or a ``"small_vae"``, the best first.

    Never code, never pickles, no copies of a pipeline or a part in a single file. ``variant`` names the set of weights that is
    taken where there are two (``"fp16"``, half the size); ``file`` is the one file of weights of a LoRA or a small VAE.
    ``without`` are parts of a pipeline whose weights come from elsewhere.
    """
    if role in ("lora", "small_vae"):
        wanted = file or "*.safetensors"
        return [Choice((wanted,) if role == "lora" else ("config.json", wanted), (), (wanted,))]
    # A chat's frame for the prompt (jinja) is a text, which transformers fills in a sandbox.
    folder, texts = "*/", ["model_index.json", "*/*.json", "*/*.txt", "*/*.jinja"]
    weights = [f"{network}/diffusion_pytorch_model" for network in ("unet", "transformer")]
    # SDXL's repository also has another VAE (vae_1_0) and copies of its own for other programs.
    left = ("vae_*/*", *(f"{part}/*.safetensors" for part in without))
    if role in ("controlnet", "vae"):
        folder, weights = "diffusion_pytorch_model", ["diffusion_pytorch_model"]
        texts, left = ["config.json"], ()
    others = (f"{folder}*.fp16.*", f"{folder}*.non_ema.*", *left)
    plain = Choice((*texts, f"{folder}*.safetensors"), others, tuple(f"{name}*.safetensors" for name in weights))
    if not variant:
        return [plain]
    needs = tuple(f"{name}*.{variant}.safetensors" for name in weights)
    return [Choice((*texts, f"{folder}*.{variant}.safetensors"), left, needs), plain]


def fetch(source: str, wanted: list[Choice], *, offline: bool, licence: str = "") -> Path:
    """The folder of a model on the hub, fetched or from the cache.

    Before it fetches more than :data:`WORTH_SAYING`, it prints one line: what, how much, the free disk, the licence.

    Args:
        source: ``owner/name`` or ``owner/name@commit``.
        wanted: from :func:`choices`; the first that the model has is taken.
        offline: use only what is on this machine.
        licence: what the catalog says.

    Raises:
        InputError: the disk has no room for it.
        OSError: it is not to be had (huggingface_hub's errors are OSErrors).
    """
    from huggingface_hub.errors import LocalEntryNotFoundError, RevisionNotFoundError

    name, _, commit = source.partition("@")
    try:
        return _fetched(name, commit or None, wanted, offline, licence)
    except (RevisionNotFoundError, LocalEntryNotFoundError):
        if not commit:
            raise
        made = _fetched(name, None, wanted, offline, licence)
        print(f"Note: {name} is not here as of {commit[:7]}; its newest version is used.", file=sys.stderr)
        return made


def _fetched(name: str, commit: str | None, wanted: list[Choice], offline: bool, licence: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    def snapshot(choice: Choice, local: bool) -> Path:
        take, leave = list(choice.take), list(choice.leave)
        left = 0 if local else TRIES - 1
        while True:
            try:
                found = snapshot_download(
                    name, revision=commit, local_files_only=local, allow_patterns=take, ignore_patterns=leave
                )
                return Path(found)
            except _broken_lines() as error:  # older versions of huggingface_hub do not go on by themselves
                if left == 0 or isinstance(error, HfHubHTTPError):
                    raise
                left -= 1

    said: Exception | None = None
    try:
        files = None if offline else _listed(name, commit)
    except OSError as error:  # gone, or its licence not accepted; a copy from before may be here
        files, said = None, error
    if files is not None:
        best = next((choice for choice in wanted if choice.fits(files)), wanted[-1])
        missing = _missing(name, commit, files, best)
        _announce(name, missing, licence)
        return snapshot(best, local=not missing)
    try:
        for choice in wanted:
            folder = snapshot(choice, local=True)
            if choice.fits(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()):
                return folder
    except OSError as error:
        raise said or error from None
    return folder


def _listed(name: str, commit: str | None) -> dict[str, int] | None:
    """The hub's files of a model with their sizes in bytes; None where the hub does not answer, and the cache may do.

    Raises:
        OSError: the hub has no such model, or does not give it to us.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        found = HfApi().model_info(name, revision=commit, files_metadata=True).siblings or []
    except (RepositoryNotFoundError, RevisionNotFoundError):  # a gated one is one of the first
        raise
    except _broken_lines():
        return None
    return {file.rfilename: file.size or 0 for file in found}


def _broken_lines() -> tuple[type[Exception], ...]:
    """Errors of a hub that cannot be reached, or of a download that breaks off.

    The library behind huggingface_hub changes (requests, httpx, httpx2); its errors are what huggingface_hub's descend from.
    """
    from huggingface_hub.errors import HfHubHTTPError

    named = [kind for kind in HfHubHTTPError.__mro__ if kind.__name__ in ("HTTPError", "RequestException")]
    return (ConnectionError, *(kind for kind in named if issubclass(kind, Exception)))


def _missing(name: str, commit: str | None, files: dict[str, int], choice: Choice) -> int:
    """Bytes of a choice that are not on this machine yet."""
    from huggingface_hub import try_to_load_from_cache

    return sum(
        files[f] for f in choice.of(files) if not isinstance(try_to_load_from_cache(name, f, revision=commit), str)
    )


def _announce(name: str, size: int, licence: str) -> None:
    """One line about a download to come.

    Raises:
        InputError: the disk has no room for it.
    """
    from huggingface_hub import constants

    if size < WORTH_SAYING:
        return
    place = Path(constants.HF_HUB_CACHE)
    there = next(folder for folder in (place, *place.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    if size > free:
        raise InputError(
            f"its download of {in_bytes(size)} has no room, as {in_bytes(free)} are free in {there}: delete something, or "
            "set HF_HOME to a folder on a larger disk"
        )
    meaning = f" Licence: {licence}{f', {LICENCES[licence]}' if licence in LICENCES else ''}." if licence else ""
    print(f"Fetching {name}: {in_bytes(size)} of {in_bytes(free)} that are free.{meaning}", file=sys.stderr, flush=True)


def is_here(model: Model) -> bool:
    """Whether a model of the catalog and its parts need no download: embedded, or in the hub's cache."""
    from huggingface_hub import try_to_load_from_cache

    def kept(ids: Sequence[str], file: str) -> bool:
        names = (source.partition("@") for source in ids)
        return any(isinstance(try_to_load_from_cache(n, file, revision=c or None), str) for n, _, c in names)

    wanted = [] if model.embedded else [(model.ids, "model_index.json")]
    wanted += [(part.ids, part.file or "config.json") for part in model.parts if not part.embedded]
    return all(kept(*one) for one in wanted)


def is_within_reach(model: Model) -> bool:
    """Whether a model of the catalog and its parts are here, or the hub answers and has them."""

    def has(source: str) -> bool:
        name, _, commit = source.partition("@")
        try:
            return _listed(name, commit or None) is not None
        except OSError:
            return False

    elsewhere = [model.ids, *(part.ids for part in model.parts if not part.embedded)]
    return is_here(model) or all(any(map(has, ids)) for ids in elsewhere)


def download_of(model: Model) -> str:
    """``"a download of 3.5 GB"``, or that it was made already."""
    return "already downloaded" if is_here(model) else f"a download of {in_bytes(model.whole_download)}"


def in_bytes(size: float) -> str:
    """``"2.7 GB"``, or ``"135 MB"`` below one."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def why(source: str, error: Exception) -> str:
    """Why a model could not be had or loaded, in a few words without a full stop."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        page = f"huggingface.co/{source.partition('@')[0]}"
        return f"its licence must be accepted first: do so on {page}, then run huggingface_hub.login()"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "it is not on the Hugging Face hub, or not for everybody"
    if isinstance(error, (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled)):
        return "it is not on this machine, and the hub is out of reach"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200].rstrip(".")
