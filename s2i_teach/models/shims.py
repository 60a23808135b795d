"""What differs between the versions of diffusers and transformers, in one place."""

import json
from contextlib import contextmanager
from pathlib import Path

from packaging.version import Version


def dtype_keyword() -> str:
    """``from_pretrained``'s keyword for the precision: diffusers ≤ 0.39 ignores ``dtype=``, newer ones warn."""
    import diffusers

    return "dtype" if Version(diffusers.__version__) >= Version("0.40") else "torch_dtype"


@contextmanager
def quiet_loading():
    """Keep the loading bars and the import-time remarks of both libraries off the screen; errors still show.

    Downloads keep their bars: those are huggingface_hub's.
    """
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    libraries = (diffusers_logging, transformers_logging)
    before = [(library.get_verbosity(), library.is_progress_bar_enabled()) for library in libraries]
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library, (verbosity, bars) in zip(libraries, before, strict=True):
            library.set_verbosity(verbosity)
            if bars:
                library.enable_progress_bar()


def load_text_encoder(folder: str | Path):
    """A CLIPTextModel from a folder, in fp32, whichever transformers saved it and whichever runs here.

    transformers ≥ 5.6 drops the prefix ``text_model.`` from the names; older ones meet such a file with random numbers
    and a warning. Here the names are made to fit, and a gap is an error.

    Raises:
        RuntimeError: the weights do not fill the model.
    """
    from safetensors.torch import load_file
    from transformers import CLIPTextConfig, CLIPTextModel

    folder = Path(folder)
    model = CLIPTextModel(CLIPTextConfig.from_pretrained(str(folder)))
    state = {}
    for shard in sorted(folder.glob("model*.safetensors")):
        state.update(load_file(str(shard)))
    wanted_prefix = any(name.startswith("text_model.") for name in model.state_dict())
    state = {name.removeprefix("text_model."): value for name, value in state.items() if "position_ids" not in name}
    if wanted_prefix:
        state = {f"text_model.{name}": value for name, value in state.items()}
    missing = [n for n in model.load_state_dict(state, strict=False).missing_keys if "position_ids" not in n]
    if missing:
        raise RuntimeError(f"The text encoder in {folder} lacks {len(missing)} weights, among them {missing[0]}.")
    return model.float().eval()


def saved_parts(folder: Path, dtype) -> dict:
    """Parts of a saved pipeline that must be loaded by hand here, as keyword arguments for ``from_pretrained``.

    Empty where transformers reads the folder as it is.
    """
    import transformers

    if Version(transformers.__version__) >= Version("5.6"):
        return {}
    parts = {}
    weights = folder / "text_encoder" / "model.safetensors"
    if weights.is_file():
        from safetensors import safe_open

        with safe_open(str(weights), "pt") as file:
            prefixed = any(name.startswith("text_model.") for name in file.keys())  # noqa: SIM118 (no dict)
        if not prefixed:
            parts["text_encoder"] = load_text_encoder(folder / "text_encoder").to(dtype)
    tokenizer = folder / "tokenizer"
    if (tokenizer / "tokenizer.json").is_file() and not (tokenizer / "vocab.json").is_file():
        # transformers 5 writes only tokenizer.json, which the slow CLIPTokenizer of 4.x cannot read.
        table = json.loads((tokenizer / "tokenizer_config.json").read_text(encoding="utf-8"))
        parts["tokenizer"] = transformers.CLIPTokenizerFast(  # type: ignore[attr-defined]  # of 4.x
            tokenizer_file=str(tokenizer / "tokenizer.json"), model_max_length=table.get("model_max_length", 77)
        )
    return parts
