"""Lesson 4's U-Net and training loop beside smalldiffusion's: ``python -m benchmarks.first_unet [--seconds 120]``.

The same embedded pictures, parameter counts within 10 %, equal CPU seconds, taken in turns in one run. Printed is the
mean squared error of the predicted noise on things that neither has seen: the same schedule, timesteps and noise.
Needs ``pip install --no-deps smalldiffusion einops`` beside the project's test environment.
"""

import argparse
import copy
import sys
import time
from unittest.mock import MagicMock

import torch
import torch.nn.functional as F

from s2i_teach.theory.forward import add_noise
from s2i_teach.theory.schedule import alphas_cumprod, linear_betas
from s2i_teach.theory.training import loss_by_timestep, train
from s2i_teach.theory.unet import UNet
from s2i_teach.training.pictures import load_pairs

SIDE, BATCH = 32, 16
TIMES = list(range(20, 1000, 70))


def import_smalldiffusion():
    """The library. Its data sets alone need torchvision: where that is missing, a mock stands in during the import."""
    try:
        import accelerate  # noqa: F401 (looks for torchvision itself, so it comes before the mock)
        import torchvision  # noqa: F401
    except ImportError:
        for name in ("torchvision", "torchvision.transforms"):
            sys.modules[name] = MagicMock()
    try:
        import smalldiffusion
        from smalldiffusion.model_unet import Unet
    except ImportError as error:
        raise SystemExit(f"{error}: pip install --no-deps smalldiffusion einops") from error
    finally:
        for name in ("torchvision", "torchvision.transforms"):
            if isinstance(sys.modules.get(name), MagicMock):
                del sys.modules[name]
    return smalldiffusion, Unet


def pictures(split: str) -> torch.Tensor:
    """All pictures of one drawing style at 32 × 32, ``(N, 3, 32, 32)`` in [−1, 1]."""
    pairs = load_pairs(split, keep=lambda row: row["style"] == "noto")
    return F.interpolate(pairs.batch(torch.arange(len(pairs))), (SIDE, SIDE), mode="area")


def parameters(model) -> int:
    return sum(p.numel() for p in model.parameters())


class Runner:
    """Steps a training generator until it has used a given number of CPU seconds in all."""

    def __init__(self, name: str, steps, after=lambda step: None):
        self.name, self.steps, self.after = name, steps, after
        self.cpu, self.count, self.last = 0.0, 0, None

    def until(self, cpu_seconds: float) -> None:
        """Go on until ``cpu_seconds`` are used or the generator ends."""
        while self.cpu < cpu_seconds:
            started = time.process_time()
            step = next(self.steps, None)
            if step is None:
                return
            self.last = step
            self.after(step)
            self.cpu += time.process_time() - started
            self.count += 1


def main() -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120, help="CPU seconds for each")
    parser.add_argument("--turn", type=float, default=10, help="CPU seconds of one turn")
    args = parser.parse_args()
    torch.set_num_threads(1)
    smalldiffusion, TheirUnet = import_smalldiffusion()
    seen, unseen = pictures("train"), pictures("test")
    alpha_bar = alphas_cumprod(linear_betas())

    torch.manual_seed(0)
    ours = UNet(widths=(40, 80, 112))
    torch.manual_seed(0)
    theirs = TheirUnet(SIDE, 3, 3, ch=32, ch_mult=(1, 2, 2), num_res_blocks=1, attn_resolutions=(), dropout=0.0)
    schedule = smalldiffusion.ScheduleDDPM()
    print(f"{len(seen)} pictures seen, {len(unseen)} held out, {SIDE} × {SIDE}, batch {BATCH}, one thread")
    print(f"parameters: ours {parameters(ours):,}, smalldiffusion {parameters(theirs):,}", flush=True)

    # How many steps the seconds will hold: our learning rate falls at the end.
    probe = Runner("probe", train(copy.deepcopy(ours), seen, alpha_bar, steps=30, batch_size=BATCH))
    probe.until(1e9)
    steps = round(args.seconds / (probe.cpu / probe.count))

    averaged = copy.deepcopy(theirs).eval().requires_grad_(False)

    def average(step) -> None:  # as their examples do, so that ours has no advantage by it
        with torch.no_grad():
            for mean, value in zip(averaged.parameters(), theirs.parameters(), strict=True):
                mean.lerp_(value, 0.005)

    loader = torch.utils.data.DataLoader(seen, batch_size=BATCH, shuffle=True, drop_last=True)
    from accelerate import Accelerator

    loop = smalldiffusion.training_loop(loader, theirs, schedule, accelerator=Accelerator(cpu=True), lr=1e-3)
    runners = [
        Runner("ours", train(ours, seen, alpha_bar, steps=steps, batch_size=BATCH, lr=1e-3)),
        Runner("smalldiffusion", loop, average),
    ]
    wall = time.perf_counter()
    for turn in range(1, round(args.seconds / args.turn) + 1):
        for runner in runners:
            runner.until(min(args.seconds, turn * args.turn))
    wall = time.perf_counter() - wall

    def theirs_at(model):
        """Their network, asked as ours is: x_t is scaled to variance 1, theirs wants x_0 + σ · ε."""

        def predict(x_t, t):
            a = alpha_bar[t].view(-1, 1, 1, 1)
            return model.eval()(x_t / a.sqrt(), ((1 - a) / a).sqrt())

        return predict

    x, t = unseen[:2], torch.tensor([5, 900])
    noise = torch.randn_like(x)
    sigma = schedule[t].view(-1, 1, 1, 1)
    root = alpha_bar[t].view(-1, 1, 1, 1).sqrt()
    gap = (add_noise(x, noise, alpha_bar, t) / root - (x + sigma * noise)).abs().max() / sigma.max()
    assert gap < 1e-4, f"the two schedules differ by {gap:g}"

    losses = {
        "ours": loss_by_timestep(runners[0].last.averaged, unseen, alpha_bar, TIMES),
        "smalldiffusion": loss_by_timestep(theirs_at(theirs), unseen, alpha_bar, TIMES),
        "smalldiffusion, averaged": loss_by_timestep(theirs_at(averaged), unseen, alpha_bar, TIMES),
    }
    print(f"{wall:.0f} s wall for both")
    print("| | CPU seconds | updates | held-out loss | at t = " + " | t = ".join(map(str, TIMES[::3])) + " |")
    print("|---|---|---|---|" + "---|" * len(TIMES[::3]))
    mean = {name: sum(values) / len(values) for name, values in losses.items()}
    for name, values in losses.items():
        runner = runners[name != "ours"]
        cells = " | ".join(f"{value:.4f}" for value in values[::3])
        print(f"| {name} | {runner.cpu:.0f} | {runner.count} | **{mean[name]:.4f}** | {cells} |")
    best = min(value for name, value in mean.items() if name != "ours")
    print(f"ours / the better of theirs: {mean['ours'] / best:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
