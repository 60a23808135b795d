"""One training loop for every part of the miniature: budget, schedule, EMA, checkpoints that resume exactly, a log.

All randomness of step ``n`` comes from ``(seed, n)``. A run that is killed and resumed therefore takes the same steps,
and with ``steps`` as its budget it ends with the same weights.

Several processes (``torchrun --standalone --nproc_per_node 2 -m s2i_teach.cli train …``) train as local SGD (Stich 2019): each
takes its own steps on its own pictures, and every ``average_every`` steps all take the mean of their weights and of the
optimiser's moments; the first one's running average of the weights is the result. On two CPU cores that makes 93 pictures
a second where one process of two threads makes 58.
"""

import atexit
import csv
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate.utils import broadcast
from torch import nn
from tqdm.auto import tqdm

from s2i_teach.models.processes import before_meeting, leave
from s2i_teach.training.checkpoints import gone_on_from, load_own, save_atomically
from s2i_teach.training.optimizers import make_optimizer


@dataclass
class Budget:
    """How long to train: ``steps`` updates, or ``minutes`` of wall time summed over resumes, whichever ends first."""

    steps: int | None = None
    minutes: float | None = None

    def __post_init__(self):
        if self.steps is None and self.minutes is None:
            raise ValueError("A training needs a budget: give steps, minutes, or both.")

    def progress(self, step: int, seconds: float) -> float:
        """The fraction of the budget that is used, from 0 to 1."""
        parts = [step / self.steps] if self.steps else []
        parts += [seconds / (60 * self.minutes)] if self.minutes else []
        return min(1.0, max(parts))


def learning_rate(base: float, step: int, progress: float, warmup: int = 100, fall: float = 0.3) -> float:
    """Linear warm-up, then constant, then linear to zero over the last ``fall`` of the budget."""
    return base * min(1.0, (step + 1) / warmup) * min(1.0, (1 - progress) / fall)


class EMA:
    """Exponential moving average of a module's weights, warmed up: decay_n = min(decay, (1 + n) / (10 + n))."""

    def __init__(self, module: nn.Module, decay: float):
        self.decay, self.updates = decay, 0
        self.average = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        state = module.state_dict()
        floating = [name for name, value in self.average.items() if value.is_floating_point()]
        torch._foreach_lerp_([self.average[n] for n in floating], [state[n].detach() for n in floating], 1 - decay)

    def copy_to(self, module: nn.Module) -> None:
        """Put the averaged weights into ``module``."""
        module.load_state_dict(self.average)


class Trainer:
    """Runs ``step_fn`` under a budget.

    Args:
        out: folder for ``checkpoint.pt``, ``log.csv`` and what ``sample_fn`` draws.
        model: the module that is trained (frozen parameters are left alone).
        step_fn: ``step_fn(step, generator) -> {"loss": tensor, ...}``; must draw all its randomness from ``generator``.
        sample_fn: ``sample_fn(ema_model_state, step)``, called now and then and at the end, or None.
        lr, weight_decay, betas: of AdamW.
        optimizer: ``"adamw"`` or ``"muon"`` (:mod:`s2i_teach.training.optimizers`).
        ema: decay of the weight average.
        fall: share of the budget, from its end, over which the learning rate falls.
        resume: go on from ``checkpoint.pt`` if there is one.
        average_every: steps between two averagings, where several processes train.
    """

    def __init__(
        self,
        out: str | Path,
        model: nn.Module,
        step_fn: Callable,
        budget: Budget,
        *,
        accelerator,
        lr: float,
        weight_decay: float = 0.01,
        betas=(0.9, 0.99),
        ema: float = 0.999,
        clip: float = 1.0,
        seed: int = 0,
        sample_fn: Callable | None = None,
        sample_every: float = 300,
        checkpoint_every: float = 120,
        resume: bool = False,
        name: str = "train",
        average_every: int = 64,
        optimizer: str = "adamw",
        fall: float = 0.3,
    ):
        self.out = Path(out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.accelerator = accelerator
        self.model, self.step_fn, self.budget = model.to(accelerator.device), step_fn, budget
        self.lr, self.clip, self.seed, self.name = lr, clip, seed, name
        self.sample_fn, self.sample_every, self.checkpoint_every = sample_fn, sample_every, checkpoint_every
        self.optimizer = make_optimizer(optimizer, model, lr, weight_decay, betas)
        self.ema = EMA(model, ema)
        self.average_every, self.fall = average_every, fall
        self.step, self.seconds = 0, 0.0
        self.checkpoint = self.out / "checkpoint.pt"
        if resume and self.checkpoint.is_file():
            with gone_on_from(self.checkpoint):
                self._load()

    def _state(self) -> dict:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.average,
            "ema_updates": self.ema.updates,
            "step": self.step,
            "seconds": self.seconds,
            "seed": self.seed,
        }

    def _load(self) -> None:
        device = self.accelerator.device
        place = (
            "cpu" if device.type == "cpu" else device
        )  # several processes number their CPU, which torch.load refuses
        state = load_own(self.checkpoint, self.seed, place)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.ema.average, self.ema.updates = state["ema"], state["ema_updates"]
        self.step, self.seconds = state["step"], state["seconds"]

    def run(self) -> nn.Module:
        """Train until the budget is used; returns the model with the averaged weights in it."""
        main = self.accelerator.is_main_process
        started, last_saved, last_sampled = time.monotonic() - self.seconds, self.seconds, self.seconds
        bar = tqdm(
            total=self.budget.steps, initial=self.step, desc=self.name, mininterval=5, smoothing=0.05, disable=not main
        )
        with _Log(self.out / "log.csv", fresh=self.step == 0) if main else nullcontext() as log:
            while (progress := self.budget.progress(self.step, self.seconds)) < 1:
                for group in self.optimizer.param_groups:
                    group["lr"] = learning_rate(self.lr, self.step, progress, fall=self.fall)
                losses = self._update()
                bar.update()
                if main:
                    log.add(self.step, self.seconds, losses, bar)
                if self.step % 50 == 0 and not torch.isfinite(losses["loss"]):
                    raise FloatingPointError(
                        f"The loss is not finite at step {self.step}: lower the learning rate and resume from "
                        f"{self.checkpoint}."
                    )
                if not self._together(time.monotonic() - started):
                    continue
                if self.seconds - last_saved > self.checkpoint_every:
                    self._save()
                    last_saved = self.seconds
                if self.seconds - last_sampled > self.sample_every:
                    self._sample()
                    last_sampled = self.seconds
        bar.close()
        self._save()
        self._sample()
        if self.accelerator.num_processes > 1:
            self.ema.average = broadcast(self.ema.average)
        self.ema.copy_to(self.model)
        return self.model

    def _update(self) -> dict:
        """One step of the optimiser; returns the losses."""
        seed = self.seed * 1_000_003 + self.step + 500_000_003 * self.accelerator.process_index
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)  # layers that draw by themselves
        losses = self.step_fn(self.step, generator)
        self.accelerator.backward(losses["loss"])
        nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.ema.update(self.model)
        self.step += 1
        return {key: value.detach() for key, value in losses.items()}

    @torch.no_grad()
    def _together(self, seconds: float) -> bool:
        """Set the clock and, where several processes train, average what they have. Whether all stand at one place.

        Only there is the budget looked at and a checkpoint written: all processes then agree, and one file holds all.
        """
        if self.accelerator.num_processes == 1:
            self.seconds = seconds
            return True
        if self.step % self.average_every and self.step != self.budget.steps:
            return False
        moments = [
            value
            for state in self.optimizer.state.values()
            for value in state.values()
            if torch.is_tensor(value) and value.dim()
        ]
        shared = [value for value in (*self.model.state_dict().values(), *moments) if value.is_floating_point()]
        flat = torch.cat([torch.tensor([seconds], device=shared[0].device), *(value.flatten() for value in shared)])
        flat = self.accelerator.reduce(flat, "mean")
        self.seconds = flat[0].item()
        for value, mean in zip(shared, flat[1:].split([value.numel() for value in shared]), strict=True):
            value.copy_(mean.view_as(value))
        return True

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            save_atomically(self._state(), self.checkpoint)

    def _sample(self) -> None:
        if not self.sample_fn or not self.accelerator.is_main_process:
            return
        trained = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.ema.copy_to(self.model)
        self.model.eval()
        with torch.no_grad():
            self.sample_fn(self.model, self.step)
        self.model.train()
        self.model.load_state_dict(trained)


class _Log:
    """``log.csv``: the running means of the losses, every fifty steps."""

    def __init__(self, path: Path, fresh: bool):
        fresh = fresh or not path.is_file()
        self.file = open(path, "w" if fresh else "a", newline="")  # noqa: SIM115 (closed in __exit__)
        self.fresh, self.writer, self.averages = fresh, None, {}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def add(self, step: int, seconds: float, losses: dict, bar) -> None:
        """Take one step's losses; write a row at every fiftieth."""
        for key, value in losses.items():
            value = float(value)
            self.averages[key] = 0.98 * self.averages.get(key, value) + 0.02 * value
        if step % 50:
            return
        bar.set_postfix({k: f"{v:.4f}" for k, v in self.averages.items()}, refresh=False)
        row = {"step": step, "seconds": round(seconds), **{k: f"{v:.5f}" for k, v in self.averages.items()}}
        if self.writer is None:
            self.writer = csv.DictWriter(self.file, row)
            if self.fresh:
                self.writer.writeheader()
        self.writer.writerow(row)
        self.file.flush()


def make_accelerator(device: str | None = None):
    """An ``accelerate.Accelerator`` in the precision that this device is fast and safe in.

    bf16 on CUDA from capability 8 and on CPUs with AMX or AVX512_BF16; else fp32 (training in fp16 is not tried).
    """
    from accelerate import Accelerator

    from s2i_teach.models.devices import cpu_is_fast_in_bf16

    before_meeting()
    cpu = device == "cpu" or not torch.cuda.is_available()
    fast = cpu_is_fast_in_bf16() if cpu else torch.cuda.get_device_capability()[0] >= 8
    made = Accelerator(mixed_precision="bf16" if fast else "no", cpu=cpu)
    if made.num_processes > 1:
        atexit.unregister(leave)
        atexit.register(leave)
    return made


def save_grid(pictures: torch.Tensor, path: str | Path, columns: int) -> None:
    """Write pictures ``(N, 3, H, W)`` in [−1, 1] as one PNG, ``columns`` a row, with a thin gap."""
    from PIL import Image

    pixels = ((pictures.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    height, width = pixels.shape[1:3]
    rows = -(-len(pixels) // columns)
    sheet = Image.new("RGB", (columns * (width + 2) - 2, rows * (height + 2) - 2), (200, 200, 200))
    for i, picture in enumerate(pixels):
        sheet.paste(Image.fromarray(picture), ((i % columns) * (width + 2), (i // columns) * (height + 2)))
    sheet.save(path)
