"""``s2i sample`` and ``s2i class-pack``: what these rooms do, as commands."""

import argparse
import re

from s2i_teach.errors import InputError
from s2i_teach.files import written

UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}


def add_data_parsers(commands) -> None:
    """Add the commands to argparse's subparsers. Nothing heavy is imported here."""
    sample = commands.add_parser(
        "sample",
        help="draw sketches of several categories by lot, into folders named after them",
        description="A source is imagenet-sketch, quickdraw, sketches, line-art, pairs, my-drive/FOLDER, a folder, a "
        "zip, a Quick, Draw! file, the http(s) address of a zip, or a Google Drive link.",
    )
    sample.add_argument("source", metavar="SOURCE", help="a name, a path or an address")
    sample.add_argument(
        "--categories", nargs="+", metavar="NAME", help="English names or class ids, or one number: so many by lot"
    )
    sample.add_argument("--per-category", type=int, default=10, metavar="N", help="how many of each (default: 10)")
    sample.add_argument("--seed", type=int, default=0, help="whole number (default: 0)")
    sample.add_argument("--to", metavar="FOLDER", help="the folder to make (default: samples/<source>)")
    sample.add_argument("--plan", action="store_true", help="say what would be drawn and what it costs, and stop")
    sample.add_argument(
        "--clean", action="store_true", help="make a cleaned copy, FOLDER-clean, and a report, FOLDER-report"
    )
    sample.add_argument(
        "--pack", metavar="ZIP", help="make one zip for a class of it (of the cleaned copy with --clean)"
    )
    sample.add_argument(
        "--max-bytes", type=as_bytes, default=1e9, metavar="SIZE", help="refuse to fetch more (default: 1GB)"
    )
    sample.add_argument("--offline", action="store_true", help="use no network")
    sample.add_argument("--quiet", action="store_true", help="say only where the sample lies")
    sample.set_defaults(run=_sample)

    pack = commands.add_parser("class-pack", help="fetch and unpack the zip that a teacher packed")
    pack.add_argument(
        "links", nargs="+", metavar="LINK", help="a Drive link or address; further ones are tried after it"
    )
    pack.add_argument("--sha256", metavar="HASH", help="the hash that came with the link")
    pack.add_argument("--to", metavar="FOLDER", help="the folder to make (default: samples/<source>)")
    pack.add_argument("--offline", action="store_true", help="use only what was fetched before")
    pack.set_defaults(run=_class_pack)


def as_bytes(text: str) -> float:
    """``500MB``, ``2 GB``, ``1e9``."""
    found = re.fullmatch(r"\s*([\d.]+(?:e\d+)?)\s*([kmgt]?)b?\s*", text, re.IGNORECASE)
    try:
        if found is None:
            raise ValueError(text)
        return float(found[1]) * UNITS[found[2].lower()]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{written(text)} is no size: write 500MB or 2GB") from error


def _sample(args) -> None:
    from s2i_teach.data_sources.pack import pack, pack_place
    from s2i_teach.data_sources.sample import clean_beside, sample

    categories = args.categories
    if categories and len(categories) == 1 and categories[0].isdecimal():
        categories = int(categories[0])
    if args.plan and (args.pack or args.clean):
        raise InputError("--plan writes nothing: leave out --pack and --clean.")
    if args.pack is not None:
        pack_place(args.pack)
    made = sample(
        args.source,
        categories=categories,
        per_category=args.per_category,
        seed=args.seed,
        to=args.to,
        plan=args.plan,
        max_bytes=args.max_bytes,
        offline=args.offline,
        quiet=args.quiet,
    )
    print(made)
    if args.plan:
        return
    folder = made.folder
    if args.clean:
        folder = clean_beside(made, args.quiet)
    if args.pack is not None:
        print(pack(folder, args.pack))


def _class_pack(args) -> None:
    from s2i_teach.data_sources.pack import class_pack

    print(class_pack(args.links, sha256=args.sha256, to=args.to, offline=args.offline))
