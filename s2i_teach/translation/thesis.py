"""The eight parameters of guided-diffusion's and CompVis's scripts, in what they mean here.

They come from several origins: OpenAI's improved-diffusion and guided-diffusion (Nichol & Dhariwal 2021), latent
diffusion (Rombach et al. 2021) and Hugging Face's example scripts. Each does here what it honestly can.
"""

import html
from dataclasses import dataclass, fields
from typing import Any

from s2i_teach.errors import InputError
from s2i_teach.files import shown, written
from s2i_teach.images import check_size
from s2i_teach.models.catalog import find
from s2i_teach.models.devices import device_of
from s2i_teach.models.kinds import KINDS, kind_of
from s2i_teach.models.load import load_pipeline, shared_pipeline
from s2i_teach.theory.sampler import space_timesteps

HEAD = ("parameter", "where it comes from", "what it does here", "what it cannot do")


@dataclass(frozen=True)
class ThesisSettings:
    """The eight parameters, checked against a model; made by :meth:`s2i_teach.Settings.from_thesis`.

    It has every public attribute of its ``settings`` as its own: ``made.num_inference_steps`` is
    ``made.settings.num_inference_steps``, and ``made.plan(made.pipe)`` is the settings' plan. The one exception is
    ``timesteps``, which is explained below.

    Attributes:
        settings: the :class:`s2i_teach.Settings` that the parameters come to, for
            :func:`s2i_teach.translation.run.run`; the prompt is the one given.
        pipe: the pipeline of ``model_name_or_path``, in the precision asked for.
        timesteps: those that guided-diffusion would keep, ascending: ``space_timesteps``. The setting of that name,
            ``made.settings.timesteps``, is None where a scheduler chooses them itself.
        given: the eight parameters as they were given, by name.
        notes: one sentence for each parameter that could not have what was asked for.
    """

    settings: Any
    pipe: Any
    timesteps: tuple[int, ...]
    given: dict
    notes: tuple[str, ...] = ()

    def __getattr__(self, name: str):
        # Asked only for what is not found here. A copy is asked before it has settings, and for private names.
        if name.startswith("_") or "settings" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self.settings, name)

    def __dir__(self):
        return sorted({*super().__dir__(), *(name for name in dir(self.settings) if not name.startswith("_"))})

    def rows(self) -> list[tuple[str, str, str, str]]:
        """A row a parameter, under ``HEAD``."""
        pipe, settings = self.pipe, self.settings
        plan = settings.plan(pipe, measure=False)
        factor = 2 ** (len(pipe.vae.config.block_out_channels) - 1)
        width, height = plan.size
        length = pipe.scheduler.config.num_train_timesteps
        runs = f"{settings.num_inference_steps or len(self.timesteps)} steps on the whole schedule, of which strength "
        runs += f"{settings.resolved(pipe).strength:g} leaves {plan.evaluations}: {_few(plan.timesteps)}"
        same = tuple(sorted(round(t) for t in plan.timesteps)) == self.timesteps[: plan.evaluations]
        other = "exactly guided-diffusion's" if same else f"guided-diffusion would keep {_few(self.timesteps[::-1])}"
        precision = str(pipe.unet.dtype).removeprefix("torch.")
        given = {name: _word(value) for name, value in self.given.items()}
        return [
            (
                f"model_name_or_path = {given['model_name_or_path']}",
                "Hugging Face's example scripts",
                f"loads {getattr(pipe, 's2i_model', 'a pipeline')}",
                "be a checkpoint of guided-diffusion: those are pixel models of another library",
            ),
            (
                f"image_size = {given['image_size']}",
                "in guided-diffusion one number that fixes the network; (768, 512) is the size of the img2img example",
                f"width {width} and height {height}: latents of {width // factor} × {height // factor}",
                f"sides that are no multiples of {factor}; far from the size of the training, drawings get worse",
            ),
            (
                f"diffusion_steps = {given['diffusion_steps']}",
                "the length of the noise schedule that the network was trained on",
                f"is checked: the model has {length}",
                "be chosen: it is no setting of the sampling",
            ),
            (
                f"timestep_respacing = {given['timestep_respacing']}",
                "improved-diffusion: keep so many of the schedule's timesteps",
                f"{runs}; {other}",
                "make a network better at noise levels that it was not trained on",
            ),
            (
                f"start_scale = {given['start_scale']}",
                "not found in any code searched; perhaps init_scale of CLIP-guided notebooks, 0 for off",
                "is checked: only 0 can be had; the starting level is strength",
                "weigh the sketch: img2img has no such loss",
            ),
            (
                f"num_resolutions = {given['num_resolutions']}",
                "latent diffusion: the entries of the VAE's ch_mult",
                f"is checked: the VAE has {len(pipe.vae.config.block_out_channels)}, a factor of {factor} a side",
                "be chosen: the weights fix it",
            ),
            (
                f"rescale_timesteps = {given['rescale_timesteps']}",
                "improved-diffusion: feed t · 1000 / T to the network",
                "nothing to do: T is 1000" if length == 1000 else f"diffusers feeds t itself, 0 to {length - 1}",
                "change anything where T is 1000",
            ),
            (
                f"use_fp16 = {given['use_fp16']}",
                "guided-diffusion: half precision in the U-Net's torso",
                f"the U-Net runs in {precision} on {device_of(pipe).type}",
                "be fp16 on a CPU, where it is many times slower than fp32",
            ),
        ]

    def explain(self) -> "Explanation":
        """What each parameter was in its origin, what it does here, what it cannot do: text, or a table in a notebook."""
        return Explanation(self.rows(), self.notes)


@dataclass(frozen=True)
class Explanation:
    """A table that shows itself."""

    rows: list[tuple[str, str, str, str]]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        lines = []
        for name, *cells in self.rows:
            lines.append(name)
            lines += [f"    {head}: {cell}" for head, cell in zip(HEAD[1:], cells, strict=True)]
        return "\n".join([*lines, *self.notes])

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col" style="text-align:left">{word}</th>' for word in HEAD)
        body = "".join(
            "<tr>"
            + "".join(f'<td style="text-align:left;vertical-align:top">{html.escape(cell)}</td>' for cell in row)
            + "</tr>"
            for row in self.rows
        )
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"


def from_thesis(
    settings_type: type,
    /,
    *,
    prompt: str = "",
    model_name_or_path: str = "mini",
    image_size=(768, 512),
    diffusion_steps: int = 1000,
    timestep_respacing: int | str = 100,
    start_scale: float = 0,
    num_resolutions: int = 4,
    rescale_timesteps: bool = True,
    use_fp16: bool = True,
    **settings,
) -> ThesisSettings:
    """See :meth:`s2i_teach.Settings.from_thesis`, whose class ``settings_type`` is."""
    given = {
        "model_name_or_path": model_name_or_path,
        "image_size": image_size,
        "diffusion_steps": diffusion_steps,
        "timestep_respacing": timestep_respacing,
        "start_scale": start_scale,
        "num_resolutions": num_resolutions,
        "rescale_timesteps": rescale_timesteps,
        "use_fp16": use_fp16,
    }
    known = {field.name for field in fields(settings_type)}
    unknown = sorted(set(settings) - known)
    if unknown:
        raise InputError(f"{unknown[0]} is not known: use {', '.join(sorted({*given, *known}))}.")
    for name in ("rescale_timesteps", "use_fp16"):
        if not isinstance(given[name], bool):
            raise InputError(f"{name} must be True or False, not {written(given[name])}.")
    if isinstance(start_scale, bool) or not isinstance(start_scale, (int, float)) or start_scale != 0:
        raise InputError(
            f"start_scale is {written(start_scale)}: img2img has no loss that it could weigh; leave it 0 and "
            "use strength."
        )
    size = (image_size, image_size) if isinstance(image_size, int) and not isinstance(image_size, bool) else image_size
    size = check_size(size)
    respaced = _respaced(timestep_respacing, diffusion_steps, settings)
    entry = find(str(model_name_or_path))
    loaded = None if entry and KINDS[entry.kind].is_flow else _pipeline(model_name_or_path, use_fp16)
    if loaded is None or kind_of(loaded[0]).is_flow:
        raise InputError(
            f"{shown(str(model_name_or_path))} is a flow, of which these parameters say nothing: use a model of diffusion, "
            'such as "mini".'
        )
    pipe, notes = loaded
    length, resolutions = pipe.scheduler.config.num_train_timesteps, len(pipe.vae.config.block_out_channels)
    if diffusion_steps != length:
        raise InputError(
            f"diffusion_steps is {written(diffusion_steps)} and {model_name_or_path} was trained on {length}: "
            f"leave it {length}, and choose the number of steps by timestep_respacing."
        )
    if num_resolutions != resolutions:
        raise InputError(
            f"num_resolutions is {written(num_resolutions)} and {model_name_or_path} has {resolutions}, fixed by its "
            f"weights: leave it {resolutions}."
        )
    made = settings_type(prompt, size=size, **{**respaced[1], **settings})
    made.resolved(pipe)  # says what does not fit the model
    return ThesisSettings(made, pipe, respaced[0], given, notes)


def _respaced(respacing, length, settings: dict) -> tuple[tuple[int, ...], dict]:
    """guided-diffusion's timesteps, and the settings that come nearest to them."""
    if isinstance(respacing, bool) or not isinstance(respacing, (int, str)):
        raise InputError(f'timestep_respacing is {written(respacing)}: give a number, "10,15,20" or "ddim50".')
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise InputError(f"diffusion_steps is {written(length)}: give a whole number, 1000 for Stable Diffusion.")
    if "num_inference_steps" in settings or "timesteps" in settings:
        raise InputError("The steps are given by timestep_respacing: leave num_inference_steps and timesteps out.")
    try:
        kept = tuple(space_timesteps(length, respacing))
    except ValueError as error:
        raise InputError(str(error)) from error
    words = str(respacing)
    if words.startswith("ddim"):
        return kept, {"num_inference_steps": len(kept), "scheduler": "ddim"}
    if "," in words:
        # Several sections are no scheduler's own choice. DDPM is guided-diffusion's sampler, and can be given them.
        return kept, {"timesteps": kept, "scheduler": "ddpm"}
    return kept, {"num_inference_steps": len(kept)}


def _pipeline(model: str, use_fp16: bool) -> tuple[Any, tuple[str, ...]]:
    """The model in half precision where that is asked for and where the device has it, else in fp32."""
    pipe = shared_pipeline(model) if use_fp16 else load_pipeline(model, dtype="fp32")
    precision = str(pipe.unet.dtype).removeprefix("torch.")
    if use_fp16 and precision != "float16":
        why = f"use_fp16: on this {device_of(pipe).type} the U-Net runs in {precision}, which is what suits it."
        return pipe, (why,)
    return pipe, ()


def _few(timesteps) -> str:
    words = [f"{t:g}" for t in timesteps]
    return ", ".join(words if len(words) <= 6 else [*words[:3], "…", *words[-2:]])


def _word(value) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
