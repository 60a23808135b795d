"""A run taken apart: what each part of a pipeline was given, made, took and needed, measured as it ran."""

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch

from s2i_teach.errors import InputError
from s2i_teach.models.devices import device_of, wait_for
from s2i_teach.models.kept import forget_texts
from s2i_teach.models.kinds import evaluated_parts, kind_of, text_encoders
from s2i_teach.models.measure import AliveBytes
from s2i_teach.translation.result import Result
from s2i_teach.translation.run import run
from s2i_teach.translation.settings import Resolved, Settings


@dataclass
class Part:
    """One part of a pipeline in one run.

    Attributes:
        organ: ``"text encoder"``, ``"VAE encoder"``, ``"ControlNet"``, ``"U-Net"`` or ``"VAE decoder"``.
        name: within the organ: ``"in"``, ``"down 1"``, ``"middle"``, ``"up 1"``, ``"out"``. A ControlNet also has
            ``"hint"``, which shrinks the hint to the latents' size, and its ``"out"`` is all its zero convolutions. A text
            encoder is ``"all"``; of two they are ``"first"`` and ``"second"``.
        parameters: weights and biases.
        words: whether the text is asked here, by cross-attention.
        calls: how often it ran.
        shape_in, shape_out: of the tensors, with the batch in front.
        skips: shapes that were handed along the skip connections, out of a ``down`` or into an ``up``; of a ControlNet's
            ``"out"`` those that were added to the U-Net's skip connections.
        seconds: wall time of all calls.
        peak_bytes: the most memory that came to be in one call, beside weights and inputs.
    """

    organ: str
    name: str
    parameters: int
    words: bool = False
    calls: int = 0
    shape_in: tuple[int, ...] = ()
    shape_out: tuple[int, ...] = ()
    skips: tuple[tuple[int, ...], ...] = ()
    seconds: float = 0.0
    peak_bytes: int = 0


@dataclass
class Dissection:
    """What :func:`dissect` found.

    Attributes:
        result: the picture, with its settings and plan.
        parts: in the order in which they ran first.
        parameters: of each organ as a whole; more than its parts have together, as norms and the time's layers are no part.
        between: seconds between two evaluations, in all: guidance, the scheduler's step.
        latents: ``"encoded"``, ``"noisy"`` (what the U-Net saw first) and ``"final"``, each ``(C, h, w)``, scaled.
    """

    result: Result
    parts: list[Part]
    parameters: dict[str, int] = field(default_factory=dict)
    between: float = 0.0
    latents: dict[str, torch.Tensor] = field(default_factory=dict)

    def organ(self, name: str) -> list[Part]:
        """The parts of one organ."""
        return [part for part in self.parts if part.organ == name]


def _organs(pipe) -> dict:
    return {
        "text encoder": torch.nn.ModuleList(text_encoders(pipe)),
        "VAE encoder": pipe.vae.encoder,
        **evaluated_parts(pipe),
        "VAE decoder": pipe.vae.decoder,
    }


def _modules(pipe):
    """``(organ, name, modules)`` of everything that is watched: one module, or several that run one after the other."""
    for organ, network in _organs(pipe).items():
        if not hasattr(network, "conv_in"):  # text encoders, and the halves of a small VAE
            several = list(network) if isinstance(network, torch.nn.ModuleList) else [network]
            names = ["all"] if len(several) == 1 else ["first", "second"]
            yield from ((organ, name, [one]) for name, one in zip(names, several, strict=True))
            continue
        yield organ, "in", [network.conv_in]
        if hasattr(network, "controlnet_cond_embedding"):
            yield organ, "hint", [network.controlnet_cond_embedding]
        for number, block in enumerate(getattr(network, "down_blocks", ())):
            yield organ, f"down {number}", [block]
        yield organ, "middle", [network.mid_block]
        for number, block in enumerate(getattr(network, "up_blocks", ())):
            yield organ, f"up {number}", [block]
        if hasattr(network, "controlnet_mid_block"):
            yield organ, "out", [*network.controlnet_down_blocks, network.controlnet_mid_block]
        else:
            yield organ, "out", [network.conv_out]


def _first_tensor(value) -> torch.Tensor:
    """The tensor itself, or the first of a tuple, or of a model's output; of a text encoder's the one with all tokens."""
    if isinstance(value, torch.Tensor):
        return value
    return _first_tensor(value["last_hidden_state"] if isinstance(value, dict) else value[0])


@contextmanager
def _hooks(pairs):
    """Register ``(module, before, after)``, either of which may be None, and take the hooks away again."""
    handles = []
    try:
        for module, before, after in pairs:
            if before:
                handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
            if after:
                handles.append(module.register_forward_hook(after, with_kwargs=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _timed(pipe, sketch, settings: Resolved) -> Dissection:
    """The run itself, its parts timed; shapes and latents noted on the way."""
    latents: dict = {}
    parts, pairs, evaluations = [], [], []

    def watch(part, modules):
        started, handed = [], []

        def begins(module, args, kwargs):
            wait_for(device_of(pipe))
            started.append(time.perf_counter())
            if part.calls == 0:
                given = args[0] if args else kwargs.get("hidden_states", kwargs.get("input_ids"))
                part.shape_in = tuple(given.shape)

        def ends(module, args, kwargs, out):
            wait_for(device_of(pipe))
            part.seconds += time.perf_counter() - started.pop()
            if part.calls == 0:
                part.shape_out = tuple(_first_tensor(out).shape)
                skips = kwargs.get("res_hidden_states_tuple") or (out[1] if isinstance(out, tuple) else ())
                part.skips = (*handed, *(tuple(skip.shape) for skip in skips))
            part.calls += 1

        def hands_on(module, args, kwargs, out):
            if part.calls == 0:
                handed.append(tuple(out.shape))

        pairs.extend((module, None, hands_on) for module in modules[:-1])
        pairs.extend([(modules[0], begins, None), (modules[-1], None, ends)])

    for organ, name, modules in _modules(pipe):
        words = bool(getattr(modules[0], "has_cross_attention", False)) and organ in evaluated_parts(pipe)
        parameters = sum(p.numel() for module in modules for p in module.parameters())
        parts.append(Part(organ, name, parameters, words))
        watch(parts[-1], modules)

    def evaluation_starts(module, args, kwargs):
        wait_for(device_of(pipe))
        latents.setdefault("noisy", args[0][0].float().cpu())
        evaluations.append([time.perf_counter()])

    def evaluation_ends(module, args, kwargs, out):
        wait_for(device_of(pipe))
        evaluations[-1].append(time.perf_counter())

    def encoded(module, args, kwargs, out):
        channels = pipe.vae.config.latent_channels
        mean = out[0][:channels]  # a VAE's log-variances follow its means; a small VAE has none
        latents["encoded"] = mean.float().cpu() * pipe.vae.config.scaling_factor

    def to_be_decoded(module, args, kwargs):
        latents["final"] = args[0][0].float().cpu() * pipe.vae.config.scaling_factor

    evaluated = list(evaluated_parts(pipe).values())
    pairs.extend([(evaluated[0], evaluation_starts, None), (evaluated[-1], None, evaluation_ends)])
    pairs.append((getattr(pipe.vae, "quant_conv", None) or pipe.vae.encoder, None, encoded))
    pairs.append((getattr(pipe.vae, "post_quant_conv", None) or pipe.vae.decoder, to_be_decoded, None))
    forget_texts(pipe)  # so that the text encoder is seen at work
    with _hooks(pairs):
        result = run(sketch, settings, pipe)
    between = sum(after[0] - before[1] for before, after in zip(evaluations, evaluations[1:], strict=False))
    organs = {name: sum(p.numel() for p in network.parameters()) for name, network in _organs(pipe).items()}
    return Dissection(result, [part for part in parts if part.calls], organs, between, latents)


def _weigh(pipe, sketch, settings: Resolved, parts: list[Part]) -> None:
    """Fill in the memory of the parts: a run of one evaluation, since memory does not depend on the timestep."""
    memory, pairs = AliveBytes(), []
    table = {(part.organ, part.name): part for part in parts}

    def watch(part, modules):
        opened = []

        def begins(module, args, kwargs):
            opened.append(memory.open_window())

        def ends(module, args, kwargs, out):
            part.peak_bytes = max(part.peak_bytes, memory.close_window(opened.pop()))

        pairs.extend([(modules[0], begins, None), (modules[-1], None, ends)])

    for organ, name, modules in _modules(pipe):
        if (organ, name) in table:
            watch(table[organ, name], modules)
    forget_texts(pipe)
    with _hooks(pairs), memory:
        run(sketch, replace(settings, strength=1 / settings.num_inference_steps), pipe)


def dissect(pipe, sketch, settings: Settings) -> Dissection:
    """Run :func:`s2i_teach.translate` with every part watched; a second, short run weighs the memory.

    The picture is the one that ``translate`` makes. Times are those of the first run. The memory is counted (tensors
    alive, on any device), which would slow a timed run down.

    Raises:
        InputError: as ``translate``, or a model that has no U-Net.
    """
    if kind_of(pipe).is_family:
        raise InputError(
            "This model is no diffusion: the anatomy follows a picture through text encoder, VAE and U-Net. Use a model such as "
            '"mini".'
        )
    if kind_of(pipe).is_flow:
        raise InputError(
            "This model has a transformer where the anatomy draws a U-Net with its levels and skip connections: use a model "
            'such as "mini".'
        )
    resolved = settings.resolved(pipe)
    found = _timed(pipe, sketch, resolved)
    _weigh(pipe, sketch, resolved, found.parts)
    return found
