"""``s2i dataset``: a whole set of sketches as one command."""

import argparse

from s2i_teach.data_sources.commands import as_bytes
from s2i_teach.errors import InputError
from s2i_teach.models.catalog import DEFAULT
from s2i_teach.models.schedulers import SCHEDULERS
from s2i_teach.translation.choices import FIT, PREPARE
from s2i_teach.translation.options import OPTIONS, as_size, one_of


def add_dataset_parser(commands) -> None:
    """Add the command to argparse's subparsers. Nothing heavy is imported here."""
    parser = commands.add_parser(
        "dataset",
        help="turn every sketch of a folder or an archive into a picture, on one device or many",
        description="Start it as often as there are devices: all processes that write into one folder share the work. "
        "What was stopped goes on where it was. See docs/dataset.md.",
    )
    parser.add_argument(
        "source", metavar="IN", help="a folder, a zip, the address of a zip, or what `s2i sample` takes"
    )
    parser.add_argument("to", metavar="OUT", help="the folder to make, or to go on with")
    parser.add_argument(
        "--prompt",
        required=True,
        metavar="TEXT",
        help='a template, such as "a {category}, {style}"; there are {category}, {style}, {name} and {caption}',
    )
    parser.add_argument(
        "--style", nargs="+", default=[], metavar="TEXT", help="what {style} is; of several each sketch has one by lot"
    )
    parser.add_argument(
        "--model",
        default=DEFAULT,
        help=f"a name that `s2i models` lists, a folder or a Hugging Face id (default: {DEFAULT})",
    )
    _add_settings(parser)
    parser.add_argument("--dtype", choices=("fp32", "fp16", "bf16"), help="precision (default: what suits the device)")
    parser.add_argument("--batch", type=int, metavar="N", help="sketches that go through the network together")
    parser.add_argument("--limit", type=int, metavar="N", help="take the first N sketches; more can be taken later")
    parser.add_argument(
        "--shuffle", action="store_true", help="take the sketches by lot, not in the order of their names"
    )
    parser.add_argument("--retry", action="store_true", help="take those again that were set aside")
    parser.add_argument("--no-report", action="store_true", help="make no sheet and no report in the end")
    parser.add_argument("--dry-run", action="store_true", help="say what it would take on this machine, and stop")
    parser.add_argument("--price", type=float, metavar="P", help="of an hour of a device, for --dry-run")
    parser.add_argument(
        "--max-bytes", type=as_bytes, default=1e9, metavar="SIZE", help="refuse to fetch more (default: 1GB)"
    )
    parser.add_argument("--offline", action="store_true", help="use no network for the sketches")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=_dataset)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--strength", type=float, metavar="S", help="above 0, up to 1: how far from the sketch")
    parser.add_argument("--guidance", type=float, metavar="G", help="weight of the prompt, 1 is none")
    parser.add_argument("--steps", type=int, metavar="N", help="steps on the whole schedule")
    parser.add_argument("--seed", type=int, default=0, help="of the whole set; each picture has its own by its name")
    parser.add_argument("--negative", metavar="TEXT", help="what to steer away from")
    parser.add_argument(
        "--size",
        type=as_size,
        nargs="+",
        metavar="WxH",
        help="width first; of several the one nearest a sketch's shape",
    )
    parser.add_argument("--prepare", choices=PREPARE, help="as for `s2i translate`")
    parser.add_argument("--fit", choices=FIT, help="how a sketch is brought to the size")
    parser.add_argument("--invert", action="store_true", default=None, help="the sketches are white on black")
    parser.add_argument("--scheduler", metavar="NAME", help=one_of(SCHEDULERS))
    parser.add_argument("--control-scale", type=float, metavar="C", help="0 to 2: how firmly the lines lead")
    parser.add_argument("--control-start", type=float, metavar="F", help="0 to 1: where in the run they begin to")
    parser.add_argument("--control-end", type=float, metavar="F", help="0 to 1: where they cease to")


def _dataset(args) -> None:
    from s2i_teach.data_sources.sources import open_source
    from s2i_teach.models.processes import leave
    from s2i_teach.translation.dataset.listing import check_apart
    from s2i_teach.translation.dataset.process import pipeline_here, speaks
    from s2i_teach.translation.dataset.request import check_template
    from s2i_teach.translation.dataset.run import OWN, translate_dataset

    if args.price is not None and not args.dry_run:
        raise InputError("--price says what a run would cost: add --dry-run, or leave it out.")
    # What can be wrong with the input is found before the model is loaded.
    check_template(args.prompt, args.style)
    with open_source(args.source, max_bytes=args.max_bytes, offline=args.offline, quiet=True) as opened:
        check_apart(opened, args.to)
    given = {
        name: getattr(args, option)
        for option, name in OPTIONS.items()
        if name not in OWN and getattr(args, option) is not None
    }
    made = translate_dataset(
        args.source,
        args.to,
        args.prompt,
        style=args.style,
        pipe=pipeline_here(args.model, args.dtype),
        seed=args.seed,
        size=args.size,
        batch=args.batch,
        limit=args.limit,
        shuffle=args.shuffle,
        retry=args.retry,
        report=not args.no_report,
        dry_run=args.dry_run,
        price=args.price,
        max_bytes=args.max_bytes,
        offline=args.offline,
        quiet=args.quiet,
        **given,
    )
    if speaks():
        print(made)
    leave()
