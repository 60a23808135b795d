"""Kinds of guidance and models of few steps, judged side by side as in lesson 12: ``python -m benchmarks.few_steps``.

Every row draws the same things from the same noise. Printed for each: the share that the judge names rightly; the Fréchet distance
to real pictures, on features of the small CLIP; precision and recall; variety, the mean distance of these features between two
pictures of one thing; colourfulness; and seconds for a picture, on one thread.
"""

import argparse
import time

import torch

import s2i_teach as s2i
from benchmarks.judging import generate
from s2i_teach.evaluate.distribution import frechet_distance, precision_recall
from s2i_teach.evaluate.realism import picture_features, real_features
from s2i_teach.images import to_picture, to_tensor
from s2i_teach.lessons.guided import guided_pictures, worsened
from s2i_teach.lessons.styles import named_share
from s2i_teach.models.catalog import find
from s2i_teach.models.schedulers import make_scheduler
from s2i_teach.theory.guidance import classifier_free_guidance as guided
from s2i_teach.theory.guidance import guidance_at
from s2i_teach.theory.guided_density import rescale_guidance
from s2i_teach.theory.measure import colourfulness
from s2i_teach.training.judge import load_judge
from s2i_teach.training.vocabulary import liked_things, with_article

MIDDLE = (200, 800)
"""Timesteps at which the interval guides."""
GUIDES = {
    "none": lambda t, other, c: c,
    "4": lambda t, other, c: guided(other, c, 4),
    "8": lambda t, other, c: guided(other, c, 8),
    "8, in the middle": lambda t, other, c: guided(other, c, guidance_at(t, 8, MIDDLE)),
    "8, rescaled by 0.7": lambda t, other, c: rescale_guidance(guided(other, c, 8), c, 0.7),
}
MODELS = {
    "mini, 20 steps": ("mini", 20, None),
    "mini, 4 steps from the top": ("mini", 4, None),
    "mini, 4 steps, its own stops": ("mini", 4, None),
    "mini-fast, 4 steps": ("mini-fast", 4, None),
    "mini-fast, guidance 4": ("mini-fast", 4, 4.0),
    "mini-distilled, 4 steps": ("mini-distilled", 4, None),
    "mini-distilled, 8 steps": ("mini-distilled", 8, None),
    "mini-distilled, guidance 4": ("mini-distilled", 4, 4.0),
}


def row(name: str, pictures: list, things: list[str], seconds: float) -> None:
    """Print one row; the second half of the pictures shows the things of the first half again."""
    features, half = picture_features(pictures), len(pictures) // 2
    precision, recall = precision_recall(features, real_features()[: len(features)])
    print(
        f"{name:32} named {named_share(pictures, things):4.0%}  Fréchet {frechet_distance(features, real_features()):.3f}  "
        f"precision {precision:.2f}  recall {recall:.2f}  variety {(features[:half] - features[half:]).norm(dim=1).mean():.3f}  "
        f"colours {colourfulness(torch.stack([to_tensor(picture) for picture in pictures])).mean():3.0f}  {seconds:.2f} s",
        flush=True,
    )


@torch.no_grad()
def main() -> None:
    """Print the rows of every kind of guidance and of every model that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--things", type=int, default=64, help="how many; each is drawn twice")
    parser.add_argument("--rows", nargs="+", default=list(MODELS), choices=list(MODELS), help="of the models")
    parser.add_argument("--only", choices=("guidance", "models"), help="one of the two tables")
    args = parser.parse_args()
    torch.set_num_threads(1)
    known = sorted(liked_things() & set(load_judge().config.label2id))[: args.things]
    things = known * 2
    if args.only != "models":
        pipe = s2i.load_pipeline("mini", device="cpu", dtype="fp32")
        kinds = [(name, guide, None) for name, guide in GUIDES.items()]
        bad = worsened(pipe.unet)
        kinds += [(f"{s}, against a worse one", lambda t, other, c, s=s: guided(other, c, s), bad) for s in (2, 4)]
        for name, guide, worse in kinds:
            started, made = time.perf_counter(), []
            for seed, part in enumerate(range(0, len(things), 16)):
                made += guided_pictures(
                    pipe, [with_article(thing) for thing in things[part : part + 16]], guide, seed=seed, worse=worse
                )
            row(f"guidance {name}", made, things, (time.perf_counter() - started) / len(made))
    if args.only != "guidance":
        for name in args.rows:
            model, steps, scale = MODELS[name]
            try:
                pipe = s2i.load_pipeline(model, device="cpu", dtype="fp32")
            except (s2i.InputError, OSError) as error:
                print(f"{name}: left out, {error}")
                continue
            if steps < find(model).steps and "own" not in name:  # as its students step
                pipe.scheduler = make_scheduler("ddim", pipe.scheduler, steps)
                pipe.scheduler.register_to_config(timestep_spacing="trailing")
            started = time.perf_counter()
            made = generate(
                pipe,
                [with_article(thing) for thing in things],
                list(range(len(things))),
                steps=steps,
                guidance_scale=scale,
            )
            row(name, [to_picture(x) for x in made], things, (time.perf_counter() - started) / len(made))


if __name__ == "__main__":
    main()
