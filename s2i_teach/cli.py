"""The command line, ``s2i``: the same words as the library's.

Exit status 0 on success, 2 on bad input with one line that says what to do.
"""

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

from s2i_teach import __version__
from s2i_teach.errors import InputError
from s2i_teach.files import as_path, shown
from s2i_teach.models.catalog import DEFAULT
from s2i_teach.models.schedulers import SCHEDULERS
from s2i_teach.translation.choices import CONTROLS, FIT, PREPARE, STYLES
from s2i_teach.translation.options import OPTIONS, as_size, one_of


class Parser(argparse.ArgumentParser):
    """argparse with its complaint on one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {shown(message, 400)} (see {self.prog} --help)\n")


def build_parser() -> Parser:
    """The parser of all commands."""
    parser = Parser(prog="s2i", description="From sketches to pictures with diffusion models.")
    parser.add_argument("--version", action="version", version=f"s2i_teach {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    translate = commands.add_parser("translate", help="turn a sketch into a picture")
    translate.add_argument("sketch", nargs="?", metavar="SKETCH", help="a picture file; with --like, the one inside it")
    translate.add_argument(
        "--prompt",
        metavar="TEXT",
        help='what it shows, for instance "a turtle, openmoji style"; what is to be done, for flux2-klein',
    )
    translate.add_argument("--like", metavar="PNG", help="repeat a saved picture; other options change its settings")
    translate.add_argument(
        "--model", help=f"a name that `s2i models` lists, a folder or a Hugging Face id (default: {DEFAULT})"
    )
    translate.add_argument("--strength", type=float, metavar="S", help="above 0, up to 1: how far from the sketch")
    translate.add_argument("--guidance", type=float, metavar="G", help="weight of the prompt, 1 is none")
    translate.add_argument("--steps", type=int, metavar="N", help="steps on the whole schedule")
    translate.add_argument("--seed", type=int, help="whole number (default: 0)")
    translate.add_argument("--negative", metavar="TEXT", help="what to steer away from")
    translate.add_argument("--size", type=as_size, metavar="WxH", help="pixels of the picture, width first")
    translate.add_argument(
        "--prepare",
        choices=PREPARE,
        help="take the lines, fill what they enclose, clean the page even if it does not look like paper, or take it as it is",
    )
    translate.add_argument("--fit", choices=FIT, help="how the sketch is brought to the size")
    translate.add_argument("--invert", action="store_true", default=None, help="the sketch is white on black")
    translate.add_argument("--scheduler", metavar="NAME", help=one_of(SCHEDULERS))
    translate.add_argument("--control-scale", type=float, metavar="C", help="0 to 2: how firmly the lines lead")
    translate.add_argument("--control-start", type=float, metavar="F", help="0 to 1: where in the run they begin to")
    translate.add_argument("--control-end", type=float, metavar="F", help="0 to 1: where in the run they cease to")
    translate.add_argument("--style", metavar="FILE", help="a style that `s2i train style` made, or another LoRA")
    translate.add_argument(
        "--style-weight", type=float, metavar="W", help="0 to 2: how strong the style is (default: 1)"
    )
    translate.add_argument(
        "--dtype", choices=("fp32", "fp16", "bf16"), help="precision (default: what suits the device)"
    )
    translate.add_argument(
        "--slicing", action="store_true", help="attention in slices, for a torch without fused attention"
    )
    translate.add_argument("--out", metavar="FILE", help="PNG to write (default: out/<sketch>.png)")
    translate.add_argument("--plan", action="store_true", help="say what would run, and stop")
    translate.set_defaults(run=_translate)

    sweep = commands.add_parser(
        "sweep", help="a grid of pictures over one to three settings: several values make an axis"
    )
    sweep.add_argument("sketch", metavar="SKETCH", help="a picture file")
    sweep.add_argument(
        "--prompt", nargs="+", required=True, metavar="TEXT", help='for instance "a turtle, openmoji style"'
    )
    sweep.add_argument(
        "--model",
        default=DEFAULT,
        help=f"a name that `s2i models` lists, a folder or a Hugging Face id (default: {DEFAULT})",
    )
    sweep.add_argument("--strength", type=float, nargs="+", metavar="S", help="above 0, up to 1")
    sweep.add_argument("--guidance", type=float, nargs="+", metavar="G", help="weight of the prompt, 1 is none")
    sweep.add_argument("--steps", type=int, nargs="+", metavar="N", help="steps on the whole schedule")
    sweep.add_argument("--seed", type=int, nargs="+", help="whole numbers (default: 0)")
    sweep.add_argument("--negative", nargs="+", metavar="TEXT", help="what to steer away from")
    sweep.add_argument("--scheduler", nargs="+", metavar="NAME", help=one_of(SCHEDULERS))
    sweep.add_argument("--control-scale", type=float, nargs="+", metavar="C", help="0 to 2: how firmly the lines lead")
    sweep.add_argument("--control-start", type=float, nargs="+", metavar="F", help="0 to 1: where they begin to")
    sweep.add_argument("--control-end", type=float, nargs="+", metavar="F", help="0 to 1: where they cease to")
    sweep.add_argument("--style", nargs="+", metavar="FILE", help="styles that `s2i train style` made, or other LoRAs")
    sweep.add_argument("--style-weight", type=float, nargs="+", metavar="W", help="0 to 2: how strong the style is")
    sweep.add_argument("--size", type=as_size, metavar="WxH", help="pixels of the pictures, width first")
    sweep.add_argument("--prepare", nargs="+", metavar="HOW", help=one_of(PREPARE))
    sweep.add_argument("--dtype", choices=("fp32", "fp16", "bf16"), help="precision (default: what suits the device)")
    sweep.add_argument(
        "--max-batch", type=int, metavar="N", help="samples in one call of the U-Net: fewer take less memory"
    )
    sweep.add_argument(
        "--to",
        metavar="FOLDER",
        help="keeps the pictures, grid.png and table.csv; goes on where it was (default: out/sweep)",
    )
    sweep.set_defaults(run=_sweep)

    from s2i_teach.data_sources.commands import add_data_parsers
    from s2i_teach.translation.dataset.commands import add_dataset_parser

    add_dataset_parser(commands)
    add_data_parsers(commands)

    wall = commands.add_parser(
        "wall",
        help="one sheet of several sketches by several models: every family of the literature review side by side",
    )
    wall.add_argument(
        "sketch",
        nargs="*",
        metavar="SKETCH",
        help="names of embedded sketches, or picture files (default: a few sketches)",
    )
    wall.add_argument(
        "--models",
        nargs="+",
        metavar="NAME",
        help="names that `s2i models` lists (default: all families and the miniatures)",
    )
    wall.add_argument("--prompt", metavar="TEXT", help="for sketches that have none of their own")
    wall.add_argument("--unseen", type=int, default=0, metavar="N", help="adds N things that no training saw")
    wall.add_argument("--seed", type=int, default=0, help="whole number (default: 0)")
    wall.add_argument("--out", default="out/wall.png", metavar="FILE", help="PNG to write (default: out/wall.png)")
    wall.set_defaults(run=_wall)

    hang = commands.add_parser(
        "class-gallery", help="everybody's pictures with their settings as one page, with a blind rating"
    )
    hang.add_argument(
        "folder", metavar="FOLDER", help="a folder a person in it, with PNG files that hold their settings"
    )
    hang.add_argument("--out", default="gallery.html", metavar="FILE", help="page to write (default: gallery.html)")
    hang.add_argument(
        "--votes", nargs="+", default=[], metavar="CSV", help="files of votes that the page gave: hang by them"
    )
    hang.add_argument("--anonymous", action="store_true", help="no names, an order by chance")
    hang.add_argument("--title", metavar="TEXT", help="of the page")
    hang.add_argument("--language", metavar="CODE", help="en or de")
    hang.set_defaults(run=_class_gallery)

    demo = commands.add_parser("demo", help="translate every embedded sketch and draw a contact sheet")
    demo.add_argument("--out", default="out", metavar="FOLDER", help="where the pictures go (default: out)")
    demo.set_defaults(run=_demo)

    models = commands.add_parser("models", help="the models by name: what each is for, takes and allows")
    models.add_argument("name", nargs="*", metavar="NAME", help="these alone")
    models.set_defaults(run=_models)

    doctor = commands.add_parser("doctor", help="what this machine has, what runs here and how fast")
    doctor.set_defaults(run=_doctor)

    scores = commands.add_parser("scores", help="what a class has handed in: exercises, predictions, quiz and survey")
    scores.add_argument("folder", metavar="FOLDER", help="one sub-folder a student, or files that begin with a name")
    scores.add_argument(
        "--out", metavar="CSV", help="write the table, and beside it the quiz's answers and the survey's means"
    )
    scores.add_argument("--anonymous", action="store_true", help="codes in place of names, in an order of their own")
    scores.set_defaults(run=_scores)

    lab = commands.add_parser("lab", help="open JupyterLab at the first lesson; further options are handed to it")
    lab.set_defaults(run=_lab)

    train = commands.add_parser("train", help="make the miniature anew, part by part")
    from s2i_teach.training.commands import add_train_parsers

    add_train_parsers(train.add_subparsers(dest="part", metavar="PART", required=True))
    return parser


SWEPT = (
    "prompt",
    "negative",
    "strength",
    "guidance",
    "steps",
    "seed",
    "prepare",
    "scheduler",
    "control_scale",
    "control_start",
    "control_end",
    "style",
    "style_weight",
)
"""The options of ``s2i sweep`` that may have several values, in the order in which they become axes."""


def _translate(args) -> None:
    from dataclasses import replace

    given = {name: getattr(args, option) for option, name in OPTIONS.items() if getattr(args, option) is not None}
    if args.like is None and args.sketch is None:
        raise InputError("Name a sketch to translate, or a picture to repeat with --like.")
    if args.like is None and args.prompt is None:
        raise InputError('Say what the picture shows: --prompt "a turtle, openmoji style".')

    # Everything that can be wrong with the input is found before the model is loaded.
    from s2i_teach.images import read_picture
    from s2i_teach.translation.result import read_record
    from s2i_teach.translation.settings import Settings

    if args.like is not None:
        record = read_record(args.like)
        model, dtype, settings = args.model or record.model, args.dtype or record.precision, record.settings
        if args.model is None and not _may_be_loaded(model):
            raise InputError(
                f"{shown(args.like)} names the model {shown(model)}: if you trust it, add --model {shown(model)}."
            )
        if model != record.model:
            own = ("size", "num_inference_steps", *CONTROLS)  # the other model has its own
            nothing: dict[str, Any] = dict.fromkeys(own)
            if not (
                _is_denoised(model) and _is_denoised(record.model)
            ):  # and there these mean nothing, or something else
                nothing |= {
                    **dict.fromkeys(("strength", "guidance_scale", "scheduler", "timesteps", *STYLES)),
                    "negative_prompt": "",
                }
            settings = replace(settings, **nothing)
        if dtype == "fp16" and not args.dtype and not _has_gpu():
            print("Note: it was made in fp16 on a GPU; here fp32 is used, and pixels will differ.", file=sys.stderr)
            dtype = "fp32"
        _check_style_like(args, record)
        settings = replace(settings, **given)
        small_vae = record.small_vae if model == record.model else "auto"
        quantize = _quantize_like(record) if model == record.model else "auto"
        sketch, mask = record.sketch if args.sketch is None else args.sketch, record.mask
    else:
        model, dtype, settings, sketch = args.model or DEFAULT, args.dtype, Settings(**given), args.sketch
        small_vae = quantize = "auto"
        mask = None
    read_picture(sketch)
    out = _out_path(args)

    from s2i_teach.models.load import load_pipeline
    from s2i_teach.translation.repaint import run_repaint
    from s2i_teach.translation.run import run

    slicing = True if args.slicing else "auto"
    pipe = load_pipeline(model, dtype=dtype, attention_slicing=slicing, small_vae=small_vae, quantize=quantize)
    if args.plan:
        print(settings.plan(pipe))
        return
    if mask is None:
        result = run(sketch, settings, pipe, _progress)
    else:
        result = run_repaint(sketch, mask, settings, pipe, record.pasted, _progress)
    saved = result.save(out)
    print(result.plan)
    for note in result.notes:
        print(note)
    print(f"{saved} ({result.seconds:.1f} s)")


def _sweep(args) -> None:
    from s2i_teach.images import read_picture
    from s2i_teach.models.load import load_pipeline
    from s2i_teach.translation.sweep import save_sweep, sweep

    read_picture(args.sketch)
    named = {"prompt": "prompt", **OPTIONS}
    given = {}
    for option in SWEPT:
        values = getattr(args, option)
        if values is not None:
            given[named[option]] = values[0] if len(values) == 1 else values
    if args.size is not None:
        given["size"] = args.size
    folder = as_path(args.to or "out/sweep")
    pipe = load_pipeline(args.model, dtype=args.dtype)
    made = sweep(args.sketch, pipe=pipe, to=folder, max_batch=args.max_batch, **given)
    print(made)
    for path in save_sweep(made, folder):
        print(path)


def _may_be_loaded(model: str) -> bool:
    """Whether a picture's record may have a model loaded by its word: none is fetched, no other machine is asked."""
    from s2i_teach.models.catalog import find

    elsewhere = model.replace("\\", "/").startswith("//")  # of another machine, on Windows
    return find(model) is not None or (not elsewhere and as_path(model).is_dir())


def _is_denoised(model: str) -> bool:
    """Whether a model takes noise away along a schedule; a flow and another family than diffusion do not."""
    from s2i_teach.models.catalog import find
    from s2i_teach.models.kinds import KINDS

    entry = find(model)
    return entry is None or not (KINDS[entry.kind].is_flow or KINDS[entry.kind].is_family)


def _check_style_like(args, record) -> None:
    """A picture's record names a style by its path: it must be the very file, and none of another machine is asked for."""
    path = record.settings.style
    if path is None or args.style is not None:
        return
    if str(path).replace("\\", "/").startswith("//"):
        raise InputError(
            f"{shown(args.like)} names the style {shown(path)}: if you trust it, add --style {shown(path)}."
        )
    from s2i_teach.models.style import style_hash

    if style_hash(path) != record.style_sha256:
        raise InputError(
            f"The style {shown(path)} is not the one that {shown(args.like)} was made with: find it, or add --style FILE."
        )


def _quantize_like(record) -> str:
    """What ``load_pipeline`` is asked for, so that the weights are in as many bits as they were."""
    if record.quantized and not _has_gpu():
        print(
            "Note: it was made with weights in 4 bits on a GPU; here they are whole, and pixels will differ.",
            file=sys.stderr,
        )
        return "none"
    return "nf4" if record.quantized else "none"


def _has_gpu() -> bool:
    from s2i_teach.models.devices import pick_device

    return pick_device().type == "cuda"


def _out_path(args) -> Path:
    """Where the picture goes: the file that was named, or ``out/<sketch>.png`` with a number if that is taken."""
    from s2i_teach.translation.result import check_png_path

    if args.out is not None:
        out = check_png_path(args.out)
        sources = [Path(source).expanduser() for source in (args.sketch, args.like) if source]
        if out.exists() and any(source.exists() and out.samefile(source) for source in sources):
            raise InputError(f"{out} is the picture that is read: give --out another name.")
        return out
    stem = Path(args.sketch if args.sketch is not None else f"{Path(args.like).stem}-again").stem
    names = [f"out/{stem}.png", *(f"out/{stem}-{number}.png" for number in range(2, 10_000))]
    return check_png_path(next((name for name in names if not Path(name).exists()), names[-1]))


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done}/{total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


def _wall(args) -> None:
    from s2i_teach.wall import wall

    print(
        wall(
            args.sketch or None,
            args.models,
            prompt=args.prompt,
            unseen=args.unseen,
            seed=args.seed,
            out=args.out,
        )
    )


def _class_gallery(args) -> None:
    from s2i_teach.exhibition import class_gallery

    options = {"votes": args.votes, "anonymous": args.anonymous, "title": args.title, "language": args.language}
    print(class_gallery(args.folder, args.out, **options))


def _demo(args) -> None:
    from s2i_teach.demo import demo

    demo(args.out)


def _models(args) -> None:
    from s2i_teach.models.listing import listing

    print(listing(args.name))


def _doctor(args) -> None:
    from s2i_teach.doctor import report

    print(report())


def _scores(args) -> None:
    from s2i_teach.lessons.scores import scores

    found = scores(args.folder, anonymous=args.anonymous)
    print(found)
    for path in found.save(args.out) if args.out else ():
        print(path)


def _lab(args) -> None:
    from s2i_teach.doctor import open_lab

    open_lab(args.rest)


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    warnings.showwarning = lambda message, *rest, **more: print(f"Note: {message}", file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that cannot show √ᾱ shows a question mark
    try:
        parser = build_parser()
        args, rest = parser.parse_known_args(argv)
        if rest and args.command != "lab":
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        args.rest = rest
        args.run(args)
        return 0
    except (InputError, FloatingPointError) as error:  # the second is of a training whose loss is not finite
        print(f"s2i: {shown(error, 2000)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("s2i: stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away, as `| head` does
        return 0
    except OSError as error:  # what a disk or a network refuses is no fault of the program
        place = f"{shown(error.filename)}: " if error.filename else ""
        print(f"s2i: {place}{shown(error.strerror or error)}.", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
