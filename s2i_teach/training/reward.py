"""DDPO in small: a reward fine-tunes the sampler of the miniature that the sketch leads by the policy gradient (Black et al. 2023).

The sampler is a policy (:mod:`s2i_teach.theory.policy`): every step draws x_{t−1} from a Gaussian around what the network
makes of x_t. Several pictures are made of one sketch. Those that keep more of its lines than their group's mean get an
advantage above 0, and all their steps become more probable. That is DDPO's score-function estimator (equation 4 there), with
one update for each set of pictures. No gradient goes through the decoder or through the reward, which counts edge pixels.

A reward says nothing of what it does not measure, and a model that follows it alone gives that up. The penalty holds it back:
β · KL(π ‖ π_0), with π_0 the model as it was (Fan et al. 2023, DPOK, section 4.2).
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from s2i_teach.errors import InputError
from s2i_teach.evaluate.faithfulness import edge_scores
from s2i_teach.files import write_tensors
from s2i_teach.images import to_picture
from s2i_teach.models.kinds import Text, decode_latents, encode_text, evaluate
from s2i_teach.models.load import load_pipeline
from s2i_teach.paths import data_dir
from s2i_teach.theory.policy import (
    denoising_policy,
    gaussian_kl,
    gaussian_log_prob,
    group_advantages,
    policy_gradient_loss,
)
from s2i_teach.theory.prediction import eps_from_v
from s2i_teach.theory.sampler import spaced_timesteps
from s2i_teach.training.checkpoints import gone_on_from, load_own, save_atomically
from s2i_teach.training.families import Stock, stock_in
from s2i_teach.training.loop import Budget, save_grid

MODEL = "mini-scribble"

LEVELS = 15
"""Steps between no change and a tensor's largest one, in a file of changes."""

Reward = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def edge_reward(hints: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
    """Edge F1 of each picture with its sketch, ``(B,)`` in [0, 1].

    ``hints`` are white lines on black, ``(B, 1, H, W)`` in [0, 1]; ``pictures`` are ``(B, 3, H, W)`` in [−1, 1].
    """
    pages = [to_picture(1 - 2 * hint.expand(3, -1, -1)) for hint in hints]
    return torch.tensor([edge_scores(page, to_picture(x))[2] for page, x in zip(pages, pictures, strict=True)])


def policy_parameters(pipe) -> dict[str, nn.Parameter]:
    """What learns, by name: the ControlNet's zero convolutions, and scale and shift of every norm of the U-Net.

    They are a hundredth of all numbers. So a reward can turn them with few pictures, and the change is a small file.
    """
    names = {f"controlnet.{name}" for name, _ in pipe.controlnet.named_parameters() if name.startswith("controlnet_")}
    names -= {name for name in names if name.startswith("controlnet.controlnet_cond_embedding")}
    norms = (nn.GroupNorm, nn.LayerNorm)
    for place, module in pipe.unet.named_modules():
        names |= (
            {f"unet.{place}.{name}" for name, _ in module.named_parameters()} if isinstance(module, norms) else set()
        )
    every = {
        f"{part}.{name}": value
        for part in ("controlnet", "unet")
        for name, value in getattr(pipe, part).named_parameters()
    }
    return {name: value for name, value in every.items() if name in names}


@dataclass(frozen=True)
class RewardFacts:
    """CPU minutes and updates of a training by reward, pictures it made, and the mean reward of each tenth of them."""

    cpu_minutes: float
    updates: int
    pictures: int
    rewards: tuple[float, ...]


@dataclass
class Rollout:
    """Pictures on their way: the latents before each step and after the last, and what every step was told.

    Attributes:
        latents: ``steps + 1`` of ``(B, 4, h, w)``, noise first.
        hints: ``(B, 1, H, W)`` in [0, 1].
        text, empty: the prompts, and as many empty ones for guidance.
        pictures: ``(B, 3, H, W)`` in [−1, 1].
    """

    latents: list[torch.Tensor]
    hints: torch.Tensor
    text: Text
    empty: Text
    pictures: torch.Tensor = field(default_factory=lambda: torch.empty(0))


class RewardFitting:
    """Fine-tunes the miniature that the sketch leads, under a budget of CPU time; randomness of update n follows ``(seed, n)``.

    Args:
        stock: sketches with captions, from :func:`s2i_teach.training.families.stock_in`. Their pictures are not looked at.
        out: folder for ``checkpoint.pt``, ``log.jsonl`` and sheets; None keeps nothing.
        pipe: in fp32, of the kind "control"; it is changed. None loads :data:`MODEL`.
        reward: hints and pictures → ``(B,)``. It may be anything that gives numbers.
        minutes: budget in CPU minutes, summed over resumes.
        steps: the same in updates; whichever ends first.
        batch_size: pictures an update; a multiple of ``each``.
        each: pictures of one sketch, which are compared with one another.
        inference_steps: of the sampler, with η = 1.
        guidance_scale: of the sampler; above 1 a step costs twice as much.
        penalty: β, what each nat costs by which a step leaves the model as it was, in standard deviations of the reward.
        resume: go on from the checkpoint, if there is one.

    Raises:
        InputError: no budget, a batch that makes no groups, or a checkpoint of another seed.
    """

    def __init__(
        self,
        stock: Stock,
        out: Path | None = None,
        *,
        pipe=None,
        reward: Reward = edge_reward,
        minutes: float | None = None,
        steps: int | None = None,
        batch_size: int = 16,
        each: int = 4,
        lr: float = 1e-3,
        inference_steps: int = 4,
        guidance_scale: float = 1.0,
        penalty: float = 0.0,
        seed: int = 0,
        resume: bool = False,
        device: str | None = None,
        sheet_every: float = 300,
    ):
        if minutes is None and steps is None:
            raise InputError("A training needs a budget: give minutes, steps, or both.")
        if each < 2 or batch_size < each or batch_size % each:
            raise InputError(
                f"{batch_size} pictures an update make no groups of {each}: give a multiple of {max(2, each)}."
            )
        self.pipe = pipe or load_pipeline(MODEL, device=device, dtype="fp32")
        self.stock, self.out, self.reward = stock, out, reward
        self.minutes, self.steps, self.seed, self.sheet_every = minutes, steps, seed, sheet_every
        self.batch_size, self.each, self.guidance_scale = batch_size, each, guidance_scale
        self.penalty = penalty
        levels = self.pipe.scheduler.alphas_cumprod
        times = spaced_timesteps(inference_steps, len(levels), "trailing")
        self.visits = [(t, float(levels[t])) for t in times] + [(-1, 1.0)]
        for part in (self.pipe.unet, self.pipe.controlnet, self.pipe.vae, self.pipe.text_encoder):
            part.requires_grad_(False)
        self.parameters = policy_parameters(self.pipe)
        self.first = {name: value.detach().clone() for name, value in self.parameters.items()}
        for value in self.parameters.values():
            value.requires_grad_(True)
        self.optimizer = torch.optim.Adam(self.parameters.values(), lr, betas=(0.9, 0.95))
        self.step, self.seconds, self.rewards = 0, 0.0, []
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            if resume and (out / "checkpoint.pt").is_file():
                with gone_on_from(out / "checkpoint.pt"):
                    self._load(out / "checkpoint.pt")

    @property
    def progress(self) -> float:
        """The share of the budget that is used."""
        return Budget(self.steps, self.minutes).progress(self.step, self.seconds)

    def run(self) -> RewardFacts:
        """Learn until the budget is used."""
        started, saved, drawn = time.process_time() - self.seconds, self.seconds, self.seconds
        bar = tqdm(initial=self.step, total=self.steps, desc="reward", mininterval=5)
        while self.progress < 1:
            said = self.update()
            self.seconds = time.process_time() - started
            bar.update()
            bar.set_postfix(reward=f"{np.mean(self.rewards[-10:]):.3f}", refresh=False)
            if self.out is not None:
                with open(self.out / "log.jsonl", "a", encoding="utf-8") as file:
                    file.write(json.dumps({"step": self.step, "seconds": round(self.seconds)} | said) + "\n")
                if self.seconds - saved > 60:
                    save_atomically(self._state(), self.out / "checkpoint.pt")
                    saved = self.seconds
                if self.seconds - drawn > self.sheet_every:
                    self._draw()
                    drawn = self.seconds
        bar.close()
        if self.out is not None:
            save_atomically(self._state(), self.out / "checkpoint.pt")
            self._draw()
        return self.facts()

    def update(self) -> dict[str, float]:
        """Pictures of a few sketches, what they earned, and one step up the policy gradient; returns the means."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.step)
        made = self.pictures(self.batch_size // self.each, self.each, generator)
        rewards = self.reward(made.hints.cpu(), made.pictures.cpu()).float()
        self.learn(made, group_advantages(rewards, self.each))
        self.step += 1
        self.rewards.append(float(rewards.mean()))
        groups = rewards.view(-1, self.each)
        return {"reward": round(self.rewards[-1], 4), "spread in a group": round(float(groups.std(1).mean()), 4)}

    @torch.no_grad()
    def pictures(self, sketches: int, each: int, generator: torch.Generator) -> Rollout:
        """``each`` pictures of so many sketches of the stock, every step drawn from the policy."""
        hints, captions = self._sketches(sketches, generator)
        empty = encode_text(self.pipe, captions[0], "")[1]
        texts = [encode_text(self.pipe, caption, None)[0] for caption in captions for _ in range(each)]
        made = Rollout([], hints.repeat_interleave(each, 0), Text.together(texts), Text.together([empty] * len(texts)))
        height, width = (side // 2 ** (len(self.pipe.vae.config.block_out_channels) - 1) for side in hints.shape[2:])
        shape = (len(texts), self.pipe.unet.config.in_channels, height, width)
        made.latents.append(torch.randn(shape, generator=generator).to(hints))
        for number in range(len(self.visits) - 1):
            mean, std = self.policy(made, number)
            made.latents.append(mean + std * torch.randn(shape, generator=generator).to(hints))
        made.pictures = decode_latents(self.pipe, made.latents[-1]).clamp(-1, 1)
        return made

    def _sketches(self, number: int, generator: torch.Generator) -> tuple[torch.Tensor, list[str]]:
        """Sketches that have some ink, as the reward needs it: those of the stock may be nearly empty."""
        hints, captions = [], []
        while len(hints) < number:
            batch = self.stock.batch(number, generator)
            for hint, caption in zip(batch.hints, batch.captions, strict=True):
                if (hint > 0.5).sum() >= 32 and len(hints) < number:
                    hints.append(hint)
                    captions.append(caption)
        return torch.stack(hints).to(self.pipe.device), captions

    def policy(self, made: Rollout, number: int) -> tuple[torch.Tensor, float]:
        """Mean and standard deviation of the step with that number, from the latents that were before it."""
        (t, a), (_, a_prev) = self.visits[number : number + 2]
        x = made.latents[number]
        guided = self.guidance_scale > 1
        times = 2 if guided else 1
        v = evaluate(
            self.pipe,
            x.repeat(times, 1, 1, 1),
            torch.full((times * len(x),), t, device=x.device),
            Text.together([made.text, made.empty]) if guided else made.text,
            hint=made.hints.expand(-1, 3, -1, -1).repeat(times, 1, 1, 1),
            scales=[1.0] * (times * len(x)),
        )
        if guided:
            asked, empty = v.chunk(2)
            v = empty + self.guidance_scale * (asked - empty)
        return denoising_policy(x, eps_from_v(x, v, a), a, a_prev)

    def learn(self, made: Rollout, advantages: torch.Tensor) -> None:
        """One step: −Σ_t E[log π(x_{t−1} | x_t) · A], its gradient summed over the steps that draw something."""
        self.optimizer.zero_grad(set_to_none=True)
        drawing = len(self.visits) - 2  # the last step draws nothing
        for number in range(drawing):
            before = self.mean_as_it_was(made, number) if self.penalty else None
            mean, std = self.policy(made, number)
            log_std = torch.tensor(std, device=mean.device).log()
            log_prob = gaussian_log_prob(made.latents[number + 1].flatten(1), mean.flatten(1), log_std)
            loss = policy_gradient_loss(log_prob, advantages.to(mean))
            if before is not None:
                loss = loss + self.penalty * gaussian_kl(mean.flatten(1), before.flatten(1), std).mean()
            (loss / drawing).backward()
        self.optimizer.step()

    def mean_as_it_was(self, made: Rollout, number: int) -> torch.Tensor:
        """The step's mean by the weights that the training began with."""
        learned = {name: value.detach().clone() for name, value in self.parameters.items()}
        self._put(self.first)
        try:
            with torch.no_grad():
                return self.policy(made, number)[0]
        finally:
            self._put(learned)

    def _put(self, weights: dict[str, torch.Tensor]) -> None:
        with torch.no_grad():
            for name, value in self.parameters.items():
                value.copy_(weights[name])

    def changes(self) -> dict[str, torch.Tensor]:
        """What has been learned: the differences from the weights that it began with."""
        return {name: value.detach() - self.first[name] for name, value in self.parameters.items()}

    def facts(self) -> RewardFacts:
        """What is to be known of the training so far."""
        tenths = np.array_split(self.rewards, min(10, len(self.rewards))) if self.rewards else []
        means = tuple(round(float(part.mean()), 4) for part in tenths)
        return RewardFacts(round(self.seconds / 60, 2), self.step, self.step * self.batch_size, means)

    def _state(self) -> dict:
        return {
            "changes": self.changes(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "rewards": self.rewards,
            "seed": self.seed,
        }

    def _load(self, file: Path) -> None:
        state = load_own(file, self.seed, self.pipe.device)
        self._put({name: self.first[name] + change for name, change in state["changes"].items()})
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.rewards = state["step"], state["seconds"], state["rewards"]

    def _draw(self) -> None:
        """A sheet: twelve sketches that stay the same, and a picture of each."""
        made = self.pictures(12, 1, torch.Generator().manual_seed(-1))
        rows = torch.cat([1 - 2 * made.hints.expand(-1, 3, -1, -1), made.pictures])
        save_grid(rows, self.out / f"reward-{self.step:05d}.png", 12)


def save_changes(fitting: RewardFitting, file: Path) -> Path:
    """Write what was learned with its facts; returns the file.

    Each tensor is whole numbers from −:data:`LEVELS` to :data:`LEVELS` and a scale. They need half the space of fp16, and the wheel
    has little left.
    """
    changes = {}
    for name, value in fitting.changes().items():
        scale = value.abs().max() / LEVELS
        changes[name] = (value / scale.clamp(min=1e-12)).round().to(torch.int8)
        changes[f"{name}.scale"] = scale
    return write_tensors(file, changes, {"facts": json.dumps(asdict(fitting.facts()))})


def facts_in(file: Path | None = None) -> RewardFacts:
    """What is to be known of the training whose changes lie in a file; None is the one that ships.

    Raises:
        InputError: it is not there, or holds no such facts.
    """
    from safetensors import SafetensorError, safe_open

    file = file or data_dir() / "mini" / "rewarded.safetensors"
    try:
        with safe_open(str(file), "pt") as changes:
            facts = json.loads((changes.metadata() or {})["facts"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise InputError(f"{file} holds no changes of s2i train reward.") from error
    return RewardFacts(**facts | {"rewards": tuple(facts["rewards"])})


def train_reward(out: Path, stock: Stock | None = None, **options) -> Path:
    """Fine-tune :data:`MODEL` in ``out/reward`` on sketches of the stock in ``out/families``; returns the file of changes.

    ``options`` are those of :class:`RewardFitting`.
    """
    fitting = RewardFitting(stock or stock_in(out / "families"), out / "reward", **options)
    fitting.run()
    return save_changes(fitting, out / "reward" / "changes.safetensors")
