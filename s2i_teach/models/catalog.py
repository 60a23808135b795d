"""Every model by name: its kind, where it lies, by which living ids, its licence, its size and what it needs."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from s2i_teach.paths import data_dir

LICENCES = {
    "Apache 2.0": "use it for anything; keep the notices, and say what you changed",
    "CC BY-SA 4.0": "use it for anything; name the source, and share what you change under the same licence",
    "CreativeML OpenRAIL-M": "use it for anything, sale too, but what its list of harmful uses forbids; pictures are yours",
    "CreativeML OpenRAIL++-M": "use it for anything, sale too, but what its list of harmful uses forbids; pictures are yours",
    "Stability AI Community": (
        "free for learning, and for firms below a million dollars a year, whose products must say Powered by Stability AI"
    ),
    "MIT": "use it for anything; keep the notice",
    "Stability AI Non-Commercial Research": "for learning and research; nothing that is made with it may earn money",
}
"""Licence → what it means for a class, in plain words that replace no lawyer."""


@dataclass(frozen=True)
class Part:
    """What a model takes from elsewhere than from its pipeline's own folder.

    ``role`` is ``"controlnet"``, which leads the U-Net, ``"lora"``, which is added to the U-Net's weights,
    ``"changes"``, which are added to some weights of U-Net and ControlNet, ``"vae"``, an
    ``AutoencoderKL`` in place of the pipeline's own, whose weights are then not fetched, or ``"small_vae"``, which may stand in
    for its VAE.
    It lies in ``embedded``, a folder below ``data/``, or under one of ``ids``, which are tried one after the other. ``file`` is
    the one that is wanted where a folder on the hub holds many. ``download`` is in bytes.
    """

    role: str
    ids: tuple[str, ...] = ()
    embedded: str | None = None
    file: str | None = None
    download: int = 0
    licence: str = ""


@dataclass(frozen=True)
class Model:
    """One entry. ``ids`` are tried one after the other; ``embedded`` is a folder below ``data/`` that is tried first.

    An id is ``owner/name``, or ``owner/name@commit`` for weights that cannot change; where the commit is gone, the newest is
    taken.
    ``kind`` is a name of :data:`s2i_teach.models.kinds.KINDS`; ``parts`` are what comes from other folders, and
    ``control_scale`` is what a ControlNet's residuals are multiplied by. ``guess_mode`` keeps the ControlNet out of the evaluation
    without the prompt, so that guidance leads towards the lines as well (:func:`s2i_teach.models.kinds.guesses`). ``hint`` says
    how it wants the sketch drawn, where its kind's usual way is not right for it.
    ``scheduler`` is the short name of the one to use in place of the model's own, and ``spacing`` its way of picking
    timesteps (diffusers' ``timestep_spacing``).
    ``shapes`` names its architecture (:data:`s2i_teach.models.untrained.SHAPES`), and ``small_vae`` is a VAE of the same
    latents that is many times quicker and keeps less detail.
    ``styles`` are words that go into ``"a turtle, … style"``; the miniature knows just these.
    ``strength`` is None for a kind that has none.
    ``size`` is ``(width, height)`` in pixels, ``download`` in bytes (0: nothing; the parts' own come on top), ``memory`` in GB
    with half precision. ``cannot`` says what it should not be asked for.
    """

    name: str
    title: str
    ids: tuple[str, ...]
    licence: str
    size: tuple[int, int]
    download: int
    memory: float
    steps: int
    guidance_scale: float
    strength: float | None
    kind: str = "img2img"
    embedded: str | None = None
    parts: tuple[Part, ...] = ()
    control_scale: float = 1.0
    guess_mode: bool = False
    hint: str | None = None
    scheduler: str | None = None
    spacing: str | None = None
    variant: str | None = None
    shapes: str = ""
    small_vae: Part | None = None
    cannot: str = ""
    styles: tuple[str, ...] = ("watercolour", "oil painting", "pencil drawing", "comic book", "photograph")

    def sources(self) -> list[str]:
        """Folders and hub ids to try, in order."""
        local = [str(data_dir() / self.embedded)] if self.embedded else []
        return local + list(self.ids)

    @property
    def evaluations(self) -> int:
        """Samples that the network is asked for in a picture with the defaults: one per step, two with guidance."""
        strength = 1.0 if self.strength is None else self.strength
        return max(1, int(self.steps * strength)) * (2 if self.guidance_scale > 1 else 1)

    @property
    def whole_download(self) -> int:
        """Bytes to fetch for the model with its parts, but for a small VAE; 0 if all of it comes with the course."""
        return self.download + sum(part.download for part in self.parts)


_OPENRAIL = "CreativeML OpenRAIL-M"

_TAESD = Part(
    role="small_vae",
    ids=("madebyollin/taesd@f4a5c744c09b16bba019971e6fdb156bd633332b",),
    file="diffusion_pytorch_model.safetensors",
    download=9_800_000,
    licence="MIT",
)
"""A small VAE for the latents of Stable Diffusion 1 and 2."""
_TAESDXL = replace(_TAESD, ids=("madebyollin/taesdxl@b20258aaef75ef61e659c1e0f14f251cf0ad153e",))
"""The same for those of SDXL."""

_SD15 = Model(
    name="sd15",
    title="Stable Diffusion 1.5",
    # The original, runwayml/stable-diffusion-v1-5, was deleted in August 2024.
    ids=(
        "stable-diffusion-v1-5/stable-diffusion-v1-5@451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
        "sd-legacy/stable-diffusion-v1-5",
        "crynux-network/stable-diffusion-v1-5",
        "pcuenq/stable-diffusion-v1-5@63641623774da2998a288384bd73dffe1a02f004",
    ),
    licence=_OPENRAIL,
    size=(512, 512),
    download=2_742_000_000,
    memory=2.6,
    steps=50,
    guidance_scale=7.5,
    strength=0.75,
    variant="fp16",
    shapes="sd1",
    small_vae=_TAESD,
    cannot="follow a line drawing closely: below strength 0.8 the lines show through, above it they are forgotten",
)
"""The thesis's model."""

_LCM_LORA = Part(
    role="lora",
    ids=("latent-consistency/lcm-lora-sdv1-5@cf2fced511dbe7e26c8d1d397e728fbab875db4b",),
    file="pytorch_lora_weights.safetensors",
    download=135_000_000,
    licence="CreativeML OpenRAIL++-M",
)
_HYPER_LORA = Part(
    role="lora",
    ids=("ByteDance/Hyper-SD@bc08d970a87c74c71209491d64e3525845698863",),
    file="Hyper-SD15-8steps-CFG-lora.safetensors",
    download=269_000_000,
    licence="CreativeML OpenRAIL++-M",
)
_SCRIBBLE_NET = Part(
    role="controlnet",
    ids=("lllyasviel/control_v11p_sd15_scribble@3564ec7b87dd706d5fc760d21c9e90bb160d1e9f",),
    download=723_000_000,
    licence=_OPENRAIL,
)
_LINEART_NET = replace(
    _SCRIBBLE_NET, ids=("lllyasviel/control_v11p_sd15_lineart@8a158f547e031c5b8fbca19ead09a74767ff4db0",)
)


def _led(controlnet: Part, name: str, title: str) -> Model:
    """Stable Diffusion 1.5 with a ControlNet: the sketch is seen at every step, so nothing of it need be left at the start."""
    return replace(
        _SD15,
        name=name,
        title=title,
        kind="control",
        parts=(controlnet,),
        memory=3.4,
        steps=30,
        strength=1.0,
        cannot="draw what the lines and the prompt disagree about: the lines win",
    )


_SDXL = Model(
    name="sdxl",
    title="Stable Diffusion XL",
    ids=("stabilityai/stable-diffusion-xl-base-1.0@462165984030d82259a11f4367a4eed129e94a7b",),
    licence="CreativeML OpenRAIL++-M",
    kind="img2img-xl",
    # Its own VAE overflows in fp16; this is the same one with smaller numbers inside.
    parts=(
        Part(
            role="vae",
            ids=("madebyollin/sdxl-vae-fp16-fix@207b116dae70ace3637169f1ddd2434b91b3a8cd",),
            download=335_000_000,
            licence="MIT",
        ),
    ),
    size=(1024, 1024),
    download=6_774_000_000,
    memory=7.0,
    steps=30,
    guidance_scale=5.0,
    strength=0.75,
    variant="fp16",
    shapes="sdxl",
    small_vae=_TAESDXL,
)
_SDXL_SCRIBBLE_NET = Part(
    role="controlnet",
    ids=("xinsir/controlnet-scribble-sdxl-1.0@d8ad966a3f33d9ba6a46ad663d86edb6cd779807",),
    download=2_502_000_000,
    licence="Apache 2.0",
)
_SDXL_LCM_LORA = Part(
    role="lora",
    ids=("latent-consistency/lcm-lora-sdxl@e4f4bc876032ad70aa9d241af2a2f33db0f3f048",),
    file="pytorch_lora_weights.safetensors",
    download=394_000_000,
    licence="CreativeML OpenRAIL++-M",
)

_MINI_STYLES = ("openmoji", "noto", "fluent", "flat", "twemoji", "line")

_SCRIBBLE = Model(
    name="mini-scribble",
    title="The miniature, led by the sketch",
    kind="control",
    ids=(),
    embedded="mini",
    parts=(Part(role="controlnet", embedded="mini/controlnet", licence="CC BY-SA 4.0"),),
    styles=_MINI_STYLES,
    licence="CC BY-SA 4.0",
    size=(128, 128),
    download=0,
    memory=0.2,
    steps=20,
    guidance_scale=4.0,
    # Guidance leads towards words and lines together, which alone keeps the shape: docs/decisions.md.
    guess_mode=True,
    strength=1.0,
)

_DISTILLED = Part(role="lora", embedded="mini", file="distilled.safetensors", licence="CC BY-SA 4.0")
_FOUR_STEPS: dict[str, Any] = {
    "scheduler": "ddim",
    "spacing": "trailing",
    "steps": 4,
    "guidance_scale": 1.0,
    "cannot": "steer away with a negative prompt: its teacher's guidance is learned along, and more of it makes colours glare",
}
"""How the distilled miniature is run: where its training has put its steps (:mod:`s2i_teach.training.few_steps`)."""


def _family(name: str, title: str, cannot: str, *, weights: str | None = None, styles: tuple[str, ...] = ()) -> Model:
    """A family of the literature review: a network of its own, and nothing to set but the seed.

    ``weights`` names the family whose weights it has, where these are not its own; ``styles`` are known to one that reads the
    prompt.
    """
    return Model(
        name=name,
        title=title,
        ids=(),
        embedded=f"families/{weights or name}.safetensors",
        kind="family",
        licence="CC BY-SA 4.0",
        size=(128, 128),
        download=0,
        memory=0.1,
        steps=1,
        guidance_scale=1.0,
        strength=None,
        styles=styles,
        cannot=cannot,
    )


MODELS = {
    model.name: model
    for model in (
        Model(
            name="mini",
            title="The miniature",
            ids=(),
            embedded="mini",
            styles=_MINI_STYLES,
            licence="CC BY-SA 4.0",
            size=(128, 128),
            download=0,
            memory=0.1,
            steps=20,
            guidance_scale=4.0,
            strength=0.7,
        ),
        Model(
            name="mini-fast",
            title="The miniature in few steps",
            ids=(),
            embedded="mini",
            styles=_MINI_STYLES,
            # LCM's sampler jumps to the guessed picture and noises it again. It was made for distilled networks, and this one
            # is none: docs/decisions.md.
            scheduler="lcm",
            licence="CC BY-SA 4.0",
            size=(128, 128),
            download=0,
            memory=0.1,
            steps=4,
            guidance_scale=2.5,
            strength=0.75,
        ),
        Model(
            name="mini-distilled",
            title="The miniature, distilled to four steps",
            ids=(),
            embedded="mini",
            styles=_MINI_STYLES,
            parts=(_DISTILLED,),
            licence="CC BY-SA 4.0",
            size=(128, 128),
            download=0,
            memory=0.1,
            strength=0.75,
            **_FOUR_STEPS,
        ),
        _SCRIBBLE,
        replace(
            _SCRIBBLE,
            name="mini-scribble-fast",
            title="The miniature, led by the sketch, in few steps",
            scheduler="lcm",
            steps=4,
            guidance_scale=2.5,
        ),
        replace(
            _SCRIBBLE,
            name="mini-scribble-distilled",
            title="The miniature, led by the sketch, distilled to four steps",
            parts=(*_SCRIBBLE.parts, _DISTILLED),
            **_FOUR_STEPS,
        ),
        replace(
            _SCRIBBLE,
            name="mini-scribble-rewarded",
            title="The miniature, led by the sketch, fine-tuned by a reward for kept lines",
            parts=(
                *_SCRIBBLE.parts,
                Part(role="changes", embedded="mini", file="rewarded.safetensors", licence="CC BY-SA 4.0"),
            ),
        ),
        _SD15,
        replace(
            _SD15,
            name="sd15-lcm",
            title="Stable Diffusion 1.5 in four steps",
            parts=(_LCM_LORA,),
            scheduler="lcm",
            steps=4,
            guidance_scale=1.5,
            cannot="steer away with a negative prompt: its guidance is nearly none",
        ),
        replace(
            _SD15,
            name="sd15-hyper",
            title="Stable Diffusion 1.5 in eight steps",
            parts=(_HYPER_LORA,),
            scheduler="ddim",
            spacing="trailing",
            steps=8,
            guidance_scale=6.0,
            cannot="take guidance below 5 or above 8, for which it was not made",
        ),
        Model(
            name="sd-turbo",
            title="SD-Turbo, one to four steps",
            ids=("stabilityai/sd-turbo@b261bac6fd2cf515557d5d0707481eafa0485ec2",),
            licence="Stability AI Community",
            size=(512, 512),
            download=2_580_000_000,
            memory=2.6,
            steps=2,
            guidance_scale=1.0,
            strength=0.6,
            variant="fp16",
            shapes="sd2",
            small_vae=_TAESD,
            cannot="be guided: guidance above 1 and negative prompts do not help it",
        ),
        _led(_SCRIBBLE_NET, "sd15-scribble", "Stable Diffusion 1.5, led by a scribble"),
        # It was taught with the fine lines of line art; the scribbles of the other are broad.
        replace(_led(_LINEART_NET, "sd15-lineart", "Stable Diffusion 1.5, led by clean lines"), hint="thin lines"),
        replace(
            _SDXL,
            name="sdxl-lcm",
            title="Stable Diffusion XL in four steps",
            parts=(*_SDXL.parts, _SDXL_LCM_LORA),
            scheduler="lcm",
            steps=4,
            guidance_scale=1.0,
            cannot="steer away with a negative prompt: it has no guidance unless you ask for a little (up to 2)",
        ),
        replace(
            _SDXL,
            name="sdxl-turbo",
            title="SDXL-Turbo, one to four steps",
            ids=("stabilityai/sdxl-turbo",),
            licence="Stability AI Non-Commercial Research",
            size=(512, 512),
            steps=2,
            guidance_scale=1.0,
            strength=0.6,
            cannot="be guided, nor draw large: guidance above 1 and negative prompts do not help it, and it was made for 512 × 512",
        ),
        replace(
            _SDXL,
            name="sdxl-scribble",
            title="Stable Diffusion XL, led by a scribble",
            kind="control-xl",
            parts=(*_SDXL.parts, _SDXL_SCRIBBLE_NET),
            memory=9.5,
            strength=1.0,
            cannot="draw small pictures well: it was made for about 1024 × 1024 pixels",
        ),
        Model(
            name="flux2-klein",
            title="FLUX.2 [klein] 4B, which edits the sketch in four steps",
            ids=("black-forest-labs/FLUX.2-klein-4B",),
            licence="Apache 2.0",
            kind="edit",
            size=(1024, 1024),
            # Transformer 7.75 GB, text encoder 8.05 GB, VAE 0.17 GB, in bf16; the copy in a single file is not fetched.
            download=15_980_000_000,
            memory=16.0,
            steps=4,
            guidance_scale=1.0,
            strength=None,
            shapes="flux2-klein",
            cannot=(
                "take strength, guidance or a negative prompt: every step reads the sketch as a picture to be edited, and the "
                'prompt is an instruction, such as "turn this sketch into a watercolour of a turtle". Not run on a T4 here. '
                "It needs diffusers 0.37.1 or newer"
            ),
        ),
        _family(
            "cnn", "CNN: the mean of what could be", "read the prompt, nor choose: it paints the mean of all pictures"
        ),
        _family("vae", "VAE: a code for what the sketch leaves open", "read the prompt, nor draw sharp edges"),
        _family(
            "pix2pix",
            "GAN: pix2pix, judged patch by patch",
            "read the prompt, nor make two different pictures of one sketch",
        ),
        _family("cyclegan", "CycleGAN: learned without pairs", "read the prompt, nor know which colours a thing has"),
        _family("stylegan", "GAN: StyleGAN2 with a sketch encoder", "read the prompt, nor keep fine lines"),
        _family("painter", "Reinforcement learning: an agent that paints", "read the prompt, nor paint anything small"),
        _family(
            "cascade",
            "Pixel diffusion: GLIDE's cascade",
            "be guided otherwise than it is: its steps and its guidance are its own",
            styles=_MINI_STYLES[:-1],
        ),
        _family(
            "unclip",
            "Pixel diffusion: unCLIP, by way of an image embedding",
            "keep all that the words say: of them it has one embedding",
            weights="cascade",
            styles=_MINI_STYLES[:-1],
        ),
    )
}


DEFAULT = "mini-scribble"
"""The model of who names none: the sketch leads."""

DEFAULT_FAST = "mini-scribble-fast"
"""The same in few steps, for a studio that draws along."""


SCENE = (384, 256)
"""``(width, height)`` in pixels of the miniatures' pictures of a scene. Most things are about as large there as single things on
the miniatures' own page of 128 × 128, and so come out like those; on 192 × 128, the wide pages of training, they do not. Measured in
docs/decisions.md."""


def sizes(entry: Model) -> tuple[tuple[int, int], ...]:
    """The sizes that a learner chooses among: the model's own and, of a miniature, two larger ones for several things."""
    larger = (2, 3) if entry.embedded and entry.kind != "family" else ()
    return tuple((factor * entry.size[0], factor * entry.size[1]) for factor in (1, *larger))


def offered() -> dict[str, Model]:
    """The models that can be had: all but those whose embedded parts were not trained yet (``s2i train``)."""

    def is_there(entry: Model) -> bool:
        folders = [entry.embedded, *(part.embedded for part in entry.parts)]
        return all(folder is None or (data_dir() / folder).exists() for folder in folders)

    return {name: entry for name, entry in MODELS.items() if is_there(entry)}


def find(name: str) -> Model | None:
    """The catalog's entry of that name, or None: then the name is a folder or a hub id."""
    return MODELS.get(name)


def describe(source: str | Path) -> str:
    """A model's title for people: the catalog's, or the last part of its folder or id."""
    entry = find(str(source))
    return entry.title if entry else Path(str(source)).name
