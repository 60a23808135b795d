"""How long a model's picture will take on this machine: its operations are counted, a few of their kind are timed.

A count needs no weights and no time (:func:`s2i_teach.models.measure.nothing_computed`), so a model that was never
downloaded can be predicted as well as one that is loaded.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, partial
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from s2i_teach.models.catalog import Model
from s2i_teach.models.devices import wait_for
from s2i_teach.models.flows import evaluate_flow, vae_latents
from s2i_teach.models.kinds import KINDS, Text, evaluate, guided_scales, kind_of, told
from s2i_teach.models.measure import flop_counter, nothing_computed
from s2i_teach.models.untrained import makers

PROMPT_TOKENS = 512
"""What a flow's prompt is padded to."""
WIDE = 128 * 128
"""Places of a map from which on a convolution counts as wide: these are a VAE's, and memory slows them."""


@dataclass(frozen=True)
class Work:
    """What is to be done, by kind; a multiplication with its addition counts as two operations.

    Attributes:
        convolved: operations of convolutions.
        widely_convolved: those on maps of at least :data:`WIDE` places.
        multiplied: operations of matrix products, attention's apart.
        attended: operations of attention's two products.
        touched: numbers written by everything else (norms, activations, sums, copies).
        called: how many operations of torch there are, which cost time by themselves.
    """

    convolved: float = 0
    widely_convolved: float = 0
    multiplied: float = 0
    attended: float = 0
    touched: float = 0
    called: float = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))

    def __mul__(self, times: float) -> "Work":
        return Work(*(times * a for a in _values(self)))

    def of_samples(self, number: int) -> "Work":
        """The same for several samples in one call: torch is called as often."""
        return replace(self * number, called=self.called)

    @property
    def flops(self) -> float:
        """All floating-point operations but those of ``touched``."""
        return self.convolved + self.widely_convolved + self.multiplied + self.attended


@dataclass(frozen=True)
class Speed:
    """Seconds for one unit of each kind of :class:`Work`, on one device, in one precision, with one number of threads."""

    convolved: float
    widely_convolved: float
    multiplied: float
    attended: float
    touched: float
    called: float

    def seconds(self, work: Work) -> float:
        """What the work will take."""
        return sum(a * b for a, b in zip(_values(self), _values(work), strict=True))


def _values(table) -> tuple[float, ...]:
    return tuple(getattr(table, field.name) for field in fields(table))


class _Counter(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.counts = dict.fromkeys((field.name for field in fields(Work)), 0.0)
        self.formulas = flop_counter().flop_registry

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        formula = self.formulas.get(function._overloadpacket)
        if formula is not None:
            self.counts[_kind_of(function.name(), out)] += formula(*args, **(kwargs or {}), out_val=out)
        elif function.is_view:
            return out
        else:
            self.counts["touched"] += sum(x.numel() for x in tree_iter(out) if isinstance(x, torch.Tensor))
        self.counts["called"] += 1
        return out


def _kind_of(name: str, out) -> str:
    """The kind of work that an operation is for which torch knows a formula."""
    if "convolution" in name:
        return "widely_convolved" if out.shape[-1] * out.shape[-2] >= WIDE else "convolved"
    return "attended" if "attention" in name else "multiplied"


def work_of(run: Callable[[], object]) -> Work:
    """What a function does, counted as it runs; within :func:`~s2i_teach.models.measure.nothing_computed` at once."""
    with torch.no_grad(), _Counter() as counter:
        run()
    return Work(**counter.counts)


@dataclass(frozen=True)
class Parts:
    """The work of a model's parts at one size, for one picture.

    Attributes:
        words: of the text encoder, for the prompt and the negative prompt.
        encoding, decoding: of the VAE, there and back.
        evaluation: of the U-Net and what runs with it, or of the transformer in its place, for the number of samples it was counted for.
    """

    words: Work
    encoding: Work
    decoding: Work
    evaluation: Work

    def picture(self, evaluations: int) -> Work:
        """A whole picture."""
        return self.words + self.encoding + self.decoding + self.evaluation * evaluations


def count_parts(make: Mapping[str, Callable], size: tuple[int, int], batch: int, scales: Sequence[float] = ()) -> Parts:
    """Count a model that is made of configurations alone.

    Args:
        make: ``"unet"`` or ``"transformer"``, ``"vae"``, ``"text_encoder"``, and ``"text_encoder_2"`` and ``"controlnet"`` if
            there are any → a function that makes the part.
        size: ``(width, height)`` in pixels.
        batch: samples in one evaluation, 2 with guidance.
        scales: what a ControlNet's residuals are multiplied by in each of them; at 0 it is left out. Else 1 in all.
    """
    with nothing_computed():
        parts = {name: one().eval() for name, one in make.items()}
        if "transformer" in parts:
            return _count_flow(size=size, batch=batch, **parts)
        unet, vae = parts["unet"], parts["vae"]
        encoders = [parts[name] for name in ("text_encoder", "text_encoder_2") if name in parts]
        tokens = torch.zeros(batch, encoders[0].config.max_position_embeddings, dtype=torch.long)
        words = torch.zeros(batch, tokens.shape[1], unet.config.cross_attention_dim)
        pooled = torch.zeros(batch, encoders[-1].config.projection_dim) if len(encoders) > 1 else None
        pixels = torch.zeros(1, 3, size[1], size[0])
        factor = 2 ** (len(vae.config.block_out_channels) - 1)
        z = torch.zeros(1, unet.config.in_channels, size[1] // factor, size[0] // factor)
        led = {}
        if "controlnet" in parts:
            led = {"hint": pixels.expand(batch, -1, -1, -1), "scales": scales or [1.0] * batch}

        def evaluation():
            pipe = SimpleNamespace(**parts, vae_scale_factor=factor)
            t = torch.full((batch,), 500)
            evaluate(pipe, z.expand(batch, -1, -1, -1), t, Text(words, pooled), **led)

        return Parts(
            words=work_of(lambda: [encoder(tokens) for encoder in encoders]),
            encoding=work_of(lambda: vae.encode(pixels)),
            decoding=work_of(lambda: vae.decode(z)),
            evaluation=work_of(evaluation),
        )


def _count_flow(transformer, vae, text_encoder, size: tuple[int, int], batch: int) -> Parts:
    """:func:`count_parts` of a flow, whose transformer reads the sketch's tokens beside the picture's."""
    tokens = torch.zeros(batch, PROMPT_TOKENS, dtype=torch.long)
    asked = {"attention_mask": torch.ones_like(tokens), "output_hidden_states": True, "use_cache": False}
    pixels = torch.zeros(1, 3, size[1], size[0])
    factor = 2 ** len(vae.config.block_out_channels)
    z = torch.zeros(batch, transformer.config.in_channels, size[1] // factor, size[0] // factor)
    words = torch.zeros(batch, PROMPT_TOKENS, transformer.config.joint_attention_dim)
    return Parts(
        words=work_of(lambda: text_encoder(input_ids=tokens, **asked)),
        encoding=work_of(lambda: vae.encode(pixels)),
        decoding=work_of(lambda: vae.decode(vae_latents(vae, z[:1]))),
        evaluation=work_of(lambda: evaluate_flow(transformer, z, z, torch.full((batch,), 500), words)),
    )


def _again(encoder):
    return type(encoder)(encoder.config)


def parts_of(pipe, size: tuple[int, int], batch: int) -> Parts:
    """Count a loaded pipeline, by what its parts' configurations say."""
    names = kind_of(pipe).encoders
    make: dict[str, Callable] = {name: partial(_again, getattr(pipe, name)) for name in names}
    for name in ("unet", "transformer", "vae", "controlnet"):
        part = getattr(pipe, name, None)
        if part is not None:
            make[name] = partial(type(part).from_config, part.config)
    return count_parts(make, size, batch, guided_scales(pipe, 1.0, batch))


@cache
def measure_speed(device: torch.device, dtype: torch.dtype, threads: int) -> Speed:
    """Time some operations of each kind on this machine, in the sizes that Stable Diffusion has; a few seconds, once.

    Args:
        threads: on a CPU, how many there are now (``torch.get_num_threads()``); it only tells one measurement from another.
    """

    def zeros(*shape: int) -> torch.Tensor:
        return torch.zeros(shape, device=device, dtype=dtype)

    def seconds(run: Callable[[], object], at_least: float = 0.1) -> float:
        """The quickest of some runs, after one that warms up: what else the machine does is not the model's."""
        run()
        taken: list[float] = []
        while len(taken) < 3 or (sum(taken) < at_least and len(taken) < 200):
            wait_for(device)
            started = time.perf_counter()
            run()
            wait_for(device)
            taken.append(time.perf_counter() - started)
        return min(taken)

    def for_each(run: Callable[[], object], kind: str) -> float:
        return seconds(run) / getattr(work_of(run), kind)

    with torch.no_grad():
        tiny = zeros(8)
        called = seconds(lambda: [tiny.add(1) for _ in range(100)]) / 100
        maps, kernel = zeros(1, 640, 32, 32), zeros(640, 640, 3, 3)
        wide, wide_kernel = zeros(1, 128, 256, 256), zeros(128, 128, 3, 3)
        places, weights, heads = zeros(4096, 320), zeros(2560, 320), zeros(1, 8, 4096, 40)
        block = zeros(1, 320, 64, 64)
        return Speed(
            convolved=for_each(lambda: F.conv2d(maps, kernel, padding=1), "convolved"),
            widely_convolved=for_each(lambda: F.conv2d(wide, wide_kernel, padding=1), "widely_convolved"),
            multiplied=for_each(lambda: F.linear(places, weights), "multiplied"),
            attended=for_each(lambda: F.scaled_dot_product_attention(heads, heads, heads), "attended"),
            touched=for_each(lambda: F.silu(F.group_norm(block, 32)) + block, "touched"),
            called=called,
        )


def speed_here(device: torch.device, dtype: torch.dtype) -> Speed:
    """:func:`measure_speed` with the threads that torch has now."""
    return measure_speed(device, dtype, torch.get_num_threads())


def predicted(entry: Model, device: torch.device, dtype: torch.dtype, *, small_vae: bool) -> float:
    """Seconds for a picture of a model of the catalog with its defaults, downloaded or not.

    Raises:
        KeyError: its shapes are not known.
    """
    batch = 2 if entry.guidance_scale > 1 else 1
    parts = counted(entry, batch, small_vae)
    return speed_here(device, dtype).seconds(parts.picture(entry.evaluations // batch))


def counted(entry: Model, batch: int, small_vae: bool) -> Parts:
    """The parts of a model of the catalog at its size, counted for one sample and multiplied."""
    parts = _counted(entry.shapes, entry.size)
    if small_vae:
        encoding, decoding = _small_vae_work(entry.size)
        parts = replace(parts, encoding=encoding, decoding=decoding)
    evaluation = parts.evaluation.of_samples(batch)
    if KINDS[entry.kind].hint is not None:
        led = 1 if entry.guess_mode else batch
        evaluation += _control_work(entry.shapes, entry.size).of_samples(led)
    return replace(parts, words=parts.words.of_samples(batch), evaluation=evaluation)


@cache
def _counted(architecture: str, size: tuple[int, int]) -> Parts:
    return count_parts(makers(architecture), size, 1)


@cache
def _small_vae_work(size: tuple[int, int]) -> tuple[Work, Work]:
    """TAESD's encoding and decoding."""
    with nothing_computed():
        vae = makers("sd1", small_vae=True)["vae"]().eval()
        z = torch.zeros(1, vae.config.latent_channels, size[1] // 8, size[0] // 8)
        pixels = torch.zeros(1, 3, size[1], size[0])
        return work_of(lambda: vae.encode(pixels)), work_of(lambda: vae.decode(z))


@cache
def _control_work(architecture: str, size: tuple[int, int]) -> Work:
    """One evaluation of the ControlNet alone: its U-Net was counted before."""
    with nothing_computed():
        controlnet = makers(architecture, led=True)["controlnet"]().eval()
        config = controlnet.config
        hint = torch.zeros(1, 3, size[1], size[0])
        down = 2 ** (len(config.conditioning_embedding_out_channels) - 1)
        z = torch.zeros(1, config.in_channels, size[1] // down, size[0] // down)
        words = torch.zeros(1, 77, config.cross_attention_dim)
        pooled = None
        if config.addition_embed_type:  # SDXL's: six sizes beside the whole prompt in one vector
            width = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
            pooled = torch.zeros(1, width)
        given = told(SimpleNamespace(vae_scale_factor=down), Text(words, pooled), z)
        return work_of(lambda: controlnet(z, torch.tensor([500]), controlnet_cond=hint, return_dict=False, **given))
