"""``s2i train …``: the commands that made the miniature, in the order they ran."""

import os
from pathlib import Path

from s2i_teach.errors import InputError
from s2i_teach.files import as_path, shown


def add_train_parsers(parts) -> None:
    """Add the parts' parsers to argparse's subparsers. Nothing heavy is imported here."""
    data = parts.add_parser("data", help="build data/pairs and data/sketches from the open packages")
    _packages(data)
    data.add_argument("--to", metavar="FOLDER", help="default: the project's data/")
    data.set_defaults(run=_data)

    text = _training(parts, "text", "the tokenizer and a CLIP in small; its text tower steers the U-Net")
    text.set_defaults(run=_text)
    vae = _training(parts, "vae", "the VAE, 128 × 128 × 3 to 16 × 16 × 4 and back")
    vae.add_argument(
        "--decoder-only", action="store_true", help="keep the encoder, so that a trained U-Net stays valid"
    )
    vae.add_argument("--start-from", metavar="FOLDER", help="a VAE to go on from, for instance data/mini/vae")
    vae.add_argument("--crop", type=int, metavar="SIDE", help="train on squares of SIDE pixels around what is drawn")
    vae.set_defaults(run=_vae)
    unet = _training(parts, "unet", "the U-Net, on the frozen VAE's latents")
    unet.add_argument("--start-from", metavar="FOLDER", help="a U-Net to go on from, for instance data/mini/unet")
    unet.set_defaults(run=_unet)
    control = _training(parts, "control", "a ControlNet that leads the U-Net by a sketch, and the U-Net along with it")
    control.add_argument("--start-from", metavar="FOLDER", help="the U-Net to go on from (default: OUT/unet/unet)")
    control.add_argument("--control-from", metavar="FOLDER", help="a ControlNet to go on from")
    control.add_argument("--hinted", type=float, default=0.6, help="share of samples with a sketch (default: 0.6)")
    control.add_argument(
        "--whole",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="of the samples without a sketch, those that show one picture as it is (default: 0)",
    )
    control.add_argument(
        "--people", metavar="FILE", help="of `s2i train people`: some of the sketches are then people's drawings"
    )
    control.add_argument(
        "--by-people",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="with --people, of the sketches that are people's drawings (default: 0.5)",
    )
    _packages(control)
    control.add_argument(
        "--fall",
        type=float,
        default=0.3,
        metavar="SHARE",
        help="of the budget, from its end: over it the learning rate falls to zero (default: 0.3)",
    )
    control.add_argument(
        "--noisy",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="of the samples with a sketch, those whose timestep lies in the noisier half for sure (default: 0)",
    )
    control.add_argument("--freeze-unet", action="store_true", help="let only the ControlNet learn")
    control.add_argument(
        "--freeze-hints", action="store_true", help="keep the ControlNet's layers that read the sketch's pixels"
    )
    control.add_argument(
        "--classifier",
        metavar="FILE",
        help="of `s2i train classifier`: it says whether the sampler draws what is asked for",
    )
    control.add_argument("--naming", type=float, default=0.1, help="weight of what the classifier says (default: 0.1)")
    control.set_defaults(run=_control)
    people = parts.add_parser("people", help="bend icons until they lie on people's drawings, for `s2i train control`")
    _packages(people)
    people.add_argument("--out", default="runs", metavar="FOLDER", help="works in FOLDER/people (default: runs)")
    people.add_argument(
        "--limit", type=int, metavar="N", help="of each thing's drawings take the first N (default: all)"
    )
    people.set_defaults(run=_people)
    classifier = _training(parts, "classifier", "a classifier of noisy latents, for `s2i train control --classifier`")
    classifier.add_argument("--people", metavar="FILE", help="of `s2i train people`: learn the bent icons too")
    _packages(classifier)
    classifier.set_defaults(run=_classifier)
    few = _training(parts, "fast-unet", "the U-Net to draw in four steps without guidance: a LoRA, by distillation")
    few.add_argument("--model", metavar="FOLDER", help="the miniature that is its teacher (default: data/mini)")
    few.add_argument("--paths", type=int, default=2000, help="pictures that the teacher draws first (default: 2000)")
    few.add_argument("--rank", type=int, default=32, help="of the change of each layer (default: 32)")
    few.set_defaults(run=_fast_unet)
    for part in (vae, unet, control):
        part.add_argument(
            "--optimizer",
            choices=("adamw", "muon"),
            default="adamw",
            help="muon is for matrices and convolutions, with AdamW for the rest (default: adamw)",
        )
    fast = _training(parts, "fast", "a small decoder for previews, on the frozen VAE")
    fast.set_defaults(run=_fast)
    judge = _training(parts, "judge", "the classifier that says what a picture shows, for the benchmarks")
    judge.set_defaults(run=_judge)
    family = _training(parts, "family", "one of the families of the literature review")
    family.add_argument("name", metavar="NAME", help="for instance cnn, vae, pix2pix, cyclegan or cascade")
    family.set_defaults(run=_family)
    reward = _training(parts, "reward", "the sampler of mini-scribble by a reward, the lines that its pictures keep")
    reward.set_defaults(run=_reward)
    style = parts.add_parser("style", help="teach a model the style of ten drawings or so: a LoRA, in a minute")
    style.add_argument("folder", metavar="FOLDER", help="pictures; their names, or metadata.jsonl, say what they show")
    style.add_argument("--out", required=True, metavar="FILE", help="ends in .safetensors, or a folder for diffusers")
    style.add_argument("--model", default="mini", help="a name that `s2i models` lists (default: mini)")
    style.add_argument("--rank", type=int, help="of the change of each layer")
    style.add_argument("--alpha", type=float, help="the change is multiplied by alpha / rank (default: the rank)")
    style.add_argument("--which", choices=("attention", "convolutions", "all"), help="layers (default: all)")
    style.add_argument("--steps", type=int, help="updates")
    style.add_argument("--batch-size", type=int, help="drawings an update")
    style.add_argument("--lr", type=float, help="highest learning rate")
    style.add_argument("--seed", type=int, help="fixes every random number")
    style.add_argument(
        "--keep", type=int, default=0, metavar="N", help="learn N embedded pictures along, not to forget them"
    )
    style.set_defaults(run=_style)
    for part in (unet, control):
        part.add_argument(
            "--sheet-every",
            type=float,
            metavar="MINUTES",
            help="draw a sheet and print errors this often; a sheet may take minutes on a CPU (default: 20)",
        )
    for part in (unet, control, judge):
        part.add_argument(
            "--all-things", action="store_true", help="train on all things, not only what people like to draw"
        )

    save = parts.add_parser("save", help="put the trained parts together as data/mini, in fp16")
    save.add_argument("--out", default="runs", metavar="FOLDER", help="where the parts were trained (default: runs)")
    fast.add_argument("--vae", metavar="FOLDER", help="default: OUT/vae/vae")
    fast.add_argument("--start-from", metavar="FOLDER", help="a preview decoder to go on from, of another VAE too")
    for part in (unet, control, classifier, save):
        part.add_argument("--text", metavar="FOLDER", help="tokenizer and text encoder (default: OUT/text)")
        part.add_argument("--vae", metavar="FOLDER", help="default: OUT/vae/vae")
    save.add_argument("--unet", metavar="FOLDER", help="default: OUT/control/unet if there, else OUT/unet/unet")
    save.add_argument("--controlnet", metavar="FOLDER", help="default: OUT/control/controlnet, if there")
    save.add_argument(
        "--control-scale",
        type=float,
        default=1.0,
        help="multiply what the ControlNet adds by this, for good: scale 1 then does what this scale did (default: 1)",
    )
    save.add_argument(
        "--fast", metavar="FOLDER", help="the preview decoder (default: OUT/fast/preview_decoder, if there)"
    )
    save.add_argument("--to", metavar="FOLDER", help="default: the project's data/")
    save.set_defaults(run=_save)


def _packages(parser) -> None:
    parser.add_argument("--packages", default="build/packages", metavar="FOLDER", help="where the packages are kept")


def _training(parts, name: str, help: str):
    parser = parts.add_parser(name, help=f"train {help}")
    place = "families/NAME" if name == "family" else name
    parser.add_argument("--out", default="runs", metavar="FOLDER", help=f"works in FOLDER/{place} (default: runs)")
    time = "CPU time" if name in ("family", "reward") else "wall time"
    parser.add_argument("--minutes", type=float, help=f"budget in {time}, over all resumes")
    parser.add_argument("--steps", type=int, help="budget in updates")
    parser.add_argument("--batch-size", type=int, help="pictures an update")
    parser.add_argument("--lr", type=float, help="highest learning rate")
    parser.add_argument("--seed", type=int, help="fixes every random number")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: a GPU if there is one")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's choice)")
    return parser


def _options(args) -> dict:
    """The options that were given, as keyword arguments of the trainings; checks the budget."""
    import torch

    if args.minutes is None and args.steps is None:
        raise InputError("Give a budget: --minutes 20, or --steps 5000.")
    for name in ("minutes", "steps", "batch_size", "lr", "threads", "sheet_every"):
        value = getattr(args, name, None)
        if value is not None and not value > 0:
            raise InputError(f"--{name.replace('_', '-')} is {value}: it must be above 0.")
    for start in (getattr(args, "start_from", None), getattr(args, "control_from", None)):
        _check_saved(start)
    if args.device == "cuda" and not torch.cuda.is_available():
        raise InputError("There is no GPU that this torch can use: leave --device out.")
    if os.environ.get("WORLD_SIZE", "1") != "1" and args.run not in (_unet, _control, _vae, _fast_unet):
        raise InputError(
            "Only VAE, U-Net, ControlNet and fast-unet are trained by several processes: run this part without torchrun."
        )
    if args.threads:
        torch.set_num_threads(args.threads)
    names = ("minutes", "steps", "batch_size", "lr", "seed", "device")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if getattr(args, "sheet_every", None):
        given["sample_every"] = 60 * args.sheet_every
    return {**given, "resume": args.resume}


def _check_saved(folder: str | None) -> None:
    """Refuse a folder that was given and holds no saved model."""
    if folder and not (as_path(folder) / "config.json").is_file():
        raise InputError(f"{shown(folder)} holds no saved model (no config.json): give the folder that does.")


def _fetched(folder: str, names: tuple[str, ...]):
    """The folder of npm's packages, with these in it.

    Raises:
        InputError: one cannot be fetched.
    """
    from s2i_teach.training.data import fetch_packages

    try:
        return fetch_packages(folder, names)
    except RuntimeError as error:
        raise InputError(str(error)) from error


def _data(args) -> None:
    from s2i_teach.paths import data_dir
    from s2i_teach.training.data import PACKAGES, build_pairs
    from s2i_teach.training.sketches import build_sketches

    to = as_path(args.to) if args.to else data_dir()
    packages = _fetched(args.packages, tuple(PACKAGES))
    print(build_pairs(packages, to / "pairs"))
    print(f"{len(build_sketches(packages, to / 'sketches'))} sketches")


def _text(args) -> None:
    from s2i_teach.training.text import train_text

    train_text(as_path(args.out) / "text", **_options(args))


def _vae(args) -> None:
    from s2i_teach.training.vae import train_vae

    if args.decoder_only and not args.start_from:
        raise InputError("--decoder-only needs --start-from, the VAE whose encoder is kept.")
    if args.crop is not None and (args.crop < 32 or args.crop > 128 or args.crop % 8):
        raise InputError(f"--crop is {args.crop}: use a multiple of 8 from 32 to 128.")
    train_vae(
        as_path(args.out) / "vae",
        decoder_only=args.decoder_only,
        start_from=args.start_from,
        crop=args.crop,
        optimizer=args.optimizer,
        **_options(args),
    )


def _part(args, name: str) -> Path:
    """The folder of a trained part: the one given, or where the training before left it.

    Raises:
        InputError: it is not there.
    """
    given = getattr(args, name)
    folder = as_path(given) if given else as_path(args.out) / name / ("" if name == "text" else name)
    if not (folder / ("text_encoder" if name == "text" else "config.json")).exists():
        raise InputError(f"{shown(folder)} is not there: run s2i train {name} first.")
    return folder


def _unet(args) -> None:
    from s2i_teach.training.unet import train_unet

    text, vae = _part(args, "text"), _part(args, "vae")
    train_unet(
        as_path(args.out) / "unet",
        text,
        vae,
        core_only=not args.all_things,
        start_from=args.start_from,
        optimizer=args.optimizer,
        **_options(args),
    )


def _control(args) -> None:
    from s2i_teach.training.naming import naming_loss
    from s2i_teach.training.unet import train_unet

    if not 0 < args.hinted <= 1:
        raise InputError(f"--hinted is {args.hinted:g}: use a share above 0 and up to 1.")
    for name, share in (("whole", args.whole), ("by-people", args.by_people), ("noisy", args.noisy)):
        if not 0 <= share <= 1:
            raise InputError(f"--{name} is {share:g}: use a share from 0 to 1.")
    if not 0 < args.fall <= 1:
        raise InputError(f"--fall is {args.fall:g}: use a share above 0 and up to 1.")
    if not args.naming > 0:
        raise InputError(f"--naming is {args.naming:g}: it must be above 0.")
    text, vae = _part(args, "text"), _part(args, "vae")
    args.unet = args.start_from
    people = _stock_of_people(args) if args.people else None
    train_unet(
        as_path(args.out) / "control",
        text,
        vae,
        hinted=args.hinted,
        whole=args.whole,
        people=people,
        by_people=args.by_people,
        noisy=args.noisy,
        freeze_unet=args.freeze_unet,
        freeze_hints=args.freeze_hints,
        core_only=not args.all_things,
        start_from=_part(args, "unet"),
        control_from=args.control_from,
        further=naming_loss(as_path(args.classifier), args.naming) if args.classifier else None,
        optimizer=args.optimizer,
        fall=args.fall,
        **_options(args),
    )


def _stock_of_people(args):
    """What makes the stock of people's drawings; file and package are looked at now."""
    from functools import partial

    from s2i_teach.training.people import People, load_fits

    load_fits(as_path(args.people))
    return partial(People, as_path(args.people), _fetched(args.packages, ("quickdraw",)))


def _people(args) -> None:
    from s2i_teach.training.people import fit_drawings

    if args.limit is not None and args.limit < 1:
        raise InputError(f"--limit is {args.limit}: it must be above 0.")
    packages = _fetched(args.packages, ("quickdraw",))
    print(fit_drawings(packages, as_path(args.out) / "people" / "people.safetensors", limit=args.limit))


def _classifier(args) -> None:
    from s2i_teach.training.naming import train_classifier

    people = _stock_of_people(args) if args.people else None
    text, vae = _part(args, "text"), _part(args, "vae")
    print(train_classifier(as_path(args.out) / "classifier", text, vae, people=people, **_options(args)))


def _fast(args) -> None:
    from s2i_teach.training.fast import train_fast

    train_fast(as_path(args.out) / "fast", _part(args, "vae"), start_from=args.start_from, **_options(args))


def _fast_unet(args) -> None:
    from s2i_teach.paths import data_dir
    from s2i_teach.training.few_steps import train_few_steps

    for name in ("paths", "rank"):
        if getattr(args, name) < 1:
            raise InputError(f"--{name} is {getattr(args, name)}: it must be above 0.")
    folder = as_path(args.model) if args.model else data_dir() / "mini"
    for part in ("vae", "unet", "controlnet"):
        _check_saved(str(folder / part))
    print(
        train_few_steps(
            as_path(args.out) / "fast-unet",
            folder,
            folder / "vae",
            folder / "unet",
            folder / "controlnet",
            paths=args.paths,
            rank=args.rank,
            **_options(args),
        )
    )


def _judge(args) -> None:
    from s2i_teach.training.judge import train_judge

    train_judge(as_path(args.out) / "judge", core_only=not args.all_things, **_options(args))


def _family(args) -> None:
    from s2i_teach.families.catalog import weights_of
    from s2i_teach.training.families import train_family

    made = train_family(args.name, as_path(args.out) / "families", **_options(args))
    print(f"{made}; put it to {weights_of(args.name)} to ship it")


def _reward(args) -> None:
    from s2i_teach.training.reward import train_reward

    print(train_reward(Path(args.out), **_options(args)))


def _style(args) -> None:
    import time

    from s2i_teach.models.load import load_pipeline
    from s2i_teach.models.style import save_style
    from s2i_teach.training.drawings import not_to_forget, read_drawings
    from s2i_teach.training.style import train_style

    drawings = read_drawings(args.folder)
    if not 0 <= args.keep <= 400:
        raise InputError(f"--keep is {args.keep}: use a number from 0 to 400.")
    names = ("rank", "alpha", "which", "steps", "batch_size", "lr", "seed")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    started, step = time.perf_counter(), None
    pipe = load_pipeline(args.model)
    for step in train_style(pipe, drawings, prior=not_to_forget(args.keep) if args.keep else (), **given):
        if step.step % 10 == 0:
            print(f"step {step.step}: loss {step.loss:.3f}", flush=True)
    if step is not None:
        saved = save_style(step.added, args.out)
        print(
            f"{saved}: {step.numbers:,} numbers from {len(drawings)} drawings ({time.perf_counter() - started:.0f} s)"
        )


def _save(args) -> None:
    from s2i_teach.paths import data_dir
    from s2i_teach.training.save import save_everything

    led = as_path(args.out) / "control"
    _check_saved(args.controlnet)
    if not 0 < args.control_scale <= 2:
        raise InputError(f"--control-scale is {args.control_scale}: it must be above 0 and at most 2.")
    controlnet = args.controlnet or (led / "controlnet" if (led / "controlnet").is_dir() else None)
    if args.control_scale != 1 and not controlnet:
        raise InputError(
            "--control-scale needs a ControlNet: give --controlnet, or train one first (s2i train control)."
        )
    args.unet = args.unet or (str(led / "unet") if (led / "unet").is_dir() else None)
    parts = [_part(args, name) for name in ("text", "vae", "unet")]
    judge = as_path(args.out) / "judge" / "judge"
    fast = as_path(args.fast) if args.fast else as_path(args.out) / "fast" / "preview_decoder"
    to = as_path(args.to) if args.to else data_dir()
    print(save_everything(*parts, judge, fast, to, controlnet, args.control_scale))
