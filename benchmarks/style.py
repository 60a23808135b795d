"""What a style costs, how far it comes and what it makes the miniature forget: ``python -m benchmarks.style``.

Ten drawings of one look are learned in several ways. Then pictures are made from words alone, of things that were not among the ten.
Printed for each way: seconds of training, the loss over the last fifth, and at each weight how far the colours are from those of the
drawings and in which share of pictures the judge names the thing.
"""

import argparse
import tempfile
import time
from pathlib import Path

import s2i_teach as s2i
from s2i_teach.lessons.styles import named_share, off_palette, palette, ten_drawings
from s2i_teach.models.devices import one_thread
from s2i_teach.models.style import save_style
from s2i_teach.training.drawings import not_to_forget
from s2i_teach.training.style import train_style
from s2i_teach.training.vocabulary import with_article
from s2i_teach.translation.looks import LOOKS

THINGS = (
    "turtle", "owl", "strawberry", "rocket", "cactus", "banana", "snail", "penguin", "star", "carrot", "pear", "whale", "pizza",
    "rose", "bear", "key", "crab", "cupcake", "balloon", "guitar",
)  # fmt: skip
"""None of them is among the ten."""
WAYS = {
    "default": {},
    "with 40 to keep": {"prior": 40},
    "attention, 200 steps": {"which": "attention", "steps": 200},
    "convolutions, 120 steps": {"which": "convolutions", "steps": 120, "lr": 1e-3},
    "rank 2": {"rank": 2},
}


def main() -> None:
    """Print the table of every way that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--look", default="two inks", choices=list(LOOKS))
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    pipe = s2i.load_pipeline("mini", device="cpu", dtype="fp32")
    drawings = ten_drawings(args.look)
    colours = palette(drawings)
    for way in args.ways:
        given = dict(WAYS[way])
        kept = given.pop("prior", 0)
        started = time.perf_counter()
        steps = list(train_style(pipe, drawings, prior=not_to_forget(kept) if kept else (), **given))
        seconds, last = time.perf_counter() - started, steps[-len(steps) // 5 :]
        loss = sum(step.loss for step in last) / len(last)
        print(f"{way}: {steps[0].numbers:,} numbers, {len(steps)} steps, {seconds:.1f} s, loss {loss:.3f}", flush=True)
        with tempfile.TemporaryDirectory() as folder, one_thread():
            style = str(save_style(steps[-1].added, Path(folder) / "style.safetensors"))
            for words in ("", ", openmoji style"):
                for weight, (named, off) in measured(pipe, style, words, range(args.seeds), colours).items():
                    print(
                        f"  a thing{words}, weight {weight}: named {named:.0%}, off the palette {off:.3f}", flush=True
                    )


def measured(pipe, style: str, words: str, seeds, colours) -> dict:
    """Weight → the named share and the distance from the palette."""
    from PIL import Image

    prompts = {thing: with_article(thing) + words for thing in THINGS}
    given = dict(strength=1.0, style=style, style_weight=[0.0, 0.5, 1.0], seeds=list(seeds), quiet=True)
    made = s2i.sweep(Image.new("RGB", (128, 128), "white"), prompts=list(prompts.values()), pipe=pipe, **given)
    table = {}
    for weight in (0.0, 0.5, 1.0):
        results = [result for result in made.results if result.settings.style_weight == weight]
        things = [thing for thing, prompt in prompts.items() for result in results if result.settings.prompt == prompt]
        pictures = [
            result.image for prompt in prompts.values() for result in results if result.settings.prompt == prompt
        ]
        table[weight] = named_share(pictures, things), off_palette(pictures, colours)
    return table


if __name__ == "__main__":
    main()
