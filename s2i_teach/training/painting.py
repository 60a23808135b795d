"""Painting as a game with rewards, and an agent that learns it by PPO (Schulman et al. 2017).

The game is an environment of gymnasium, PPO is that of stable-baselines3: the extra ``families`` installs both.
"""

import json
import time
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from s2i_teach.errors import InputError
from s2i_teach.families.base import Facts
from s2i_teach.families.painter import CELLS, NUMBERS, SMALL, STROKES, Painter, apply_strokes, shrunk
from s2i_teach.families.unlearned import compare, greedy_painter, random_painter
from s2i_teach.training.checkpoints import gone_on_from, load_own, save_atomically
from s2i_teach.training.doodles import doodle
from s2i_teach.training.loop import Budget, learning_rate, save_grid

try:
    import gymnasium
    from gymnasium import spaces
    from stable_baselines3 import PPO
    from stable_baselines3.common.buffers import DictRolloutBuffer
    from stable_baselines3.common.distributions import DiagGaussianDistribution
    from stable_baselines3.common.logger import Logger
    from stable_baselines3.common.policies import ActorCriticPolicy
    from stable_baselines3.common.vec_env import VecEnv
except ImportError as error:
    raise InputError(
        'The painter learns with gymnasium and stable-baselines3: install them by pip install "s2i_teach[families]".'
    ) from error

CANVASES = 64
"""Canvases that are painted at once; each gets all of its strokes before the agent learns from them."""
PPO_OPTIONS = {
    "n_epochs": 2,
    "gamma": 0.8,
    "gae_lambda": 0.8,
    "clip_range": 0.2,
    "vf_coef": 20.0,
    "max_grad_norm": 0.5,
}
"""γ below 1: what a stroke is worth shows at once, and later strokes' luck is noise to it. Rewards are of the order of
0.05, so their squared error weighs little: hence the value's large weight."""
LEAST = 0.15
"""A blank page is taken to be at least so far from its picture, or small and white things would have the largest rewards."""

OBSERVATIONS = spaces.Dict(
    {
        "canvas": spaces.Box(-1, 1, (3, SMALL, SMALL), np.float32),
        "lines": spaces.Box(0, 1, (1, SMALL, SMALL), np.float32),
        "left": spaces.Box(0, 1, (1,), np.float32),
        "lots": spaces.Box(0, 1, (1, CELLS, CELLS), np.float32),
    }
)
ACTIONS = spaces.Box(-1, 1, (len(NUMBERS),), np.float32)


class Easel:
    """Canvases that are painted side by side, with the real pictures that they are compared with.

    Args:
        stock: pages, :class:`s2i_teach.training.families.Stock`.
        canvases: how many.
        strokes: of a painting.
    """

    def __init__(self, stock, canvases: int = 1, strokes: int = STROKES):
        self.stock, self.canvases, self.strokes = stock, canvases, strokes

    def start(self, generator: torch.Generator) -> None:
        """New pages, and blank canvases. All randomness until the next start comes from ``generator``."""
        self.generator = generator
        batch = self.stock.batch(self.canvases, generator)
        self.lines, self.real, self.done = shrunk(batch.hints), shrunk(batch.pictures), 0
        self.canvas = torch.ones_like(self.real)
        self.blank = self.error().clamp(min=LEAST)

    def error(self) -> torch.Tensor:
        """Mean squared error of each canvas to its picture, for pixels in [−1, 1], ``(B,)``."""
        return (self.canvas - self.real).square().mean((1, 2, 3))

    def share(self) -> float:
        """All canvases' error as a share of the blank pages'."""
        return float(self.error().sum() / (1 - self.real).square().mean((1, 2, 3)).sum())

    def stroke(self, strokes: torch.Tensor) -> torch.Tensor:
        """Paint a stroke on each canvas, ``(B, 9)``. Returns the rewards ``(B,)``: by how much the error fell, as a share of
        the blank page's. Over a painting they add up to 1 at the most.
        """
        before = self.error()
        self.canvas, self.done = apply_strokes(self.canvas, strokes.clamp(-1, 1)), self.done + 1
        return (before - self.error()) / self.blank

    @property
    def over(self) -> bool:
        return self.done == self.strokes

    def observe(self) -> dict[str, np.ndarray]:
        """What the agent sees, with a leading axis of canvases."""
        left = np.full((self.canvases, 1), 1 - self.done / self.strokes, np.float32)
        lots = torch.rand(self.canvases, 1, CELLS, CELLS, generator=self.generator).numpy()
        return {"canvas": self.canvas.numpy().copy(), "lines": self.lines.numpy().copy(), "left": left, "lots": lots}


class Painting(gymnasium.Env):
    """One canvas as a gymnasium environment: an episode is a painting, an action a stroke, see :class:`Easel`."""

    observation_space, action_space = OBSERVATIONS, ACTIONS

    def __init__(self, stock, strokes: int = STROKES):
        self.easel = Easel(stock, 1, strokes)

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        super().reset(seed=seed)
        self.easel.start(torch.Generator().manual_seed(int(self.np_random.integers(2**31))))
        return self._observe(), {}

    def step(self, action):
        reward = float(self.easel.stroke(torch.as_tensor(np.asarray(action, np.float32))[None]))
        return self._observe(), reward, self.easel.over, False, {"error": float(self.easel.error())}

    def _observe(self) -> dict[str, np.ndarray]:
        return {name: value[0] for name, value in self.easel.observe().items()}


class ManyPaintings(VecEnv):
    """Many canvases as one environment of stable-baselines3: each call of the renderer paints on all of them.

    All paintings of a round begin and end together. The pages of round n follow from ``(seed, n)``.
    """

    def __init__(self, stock, canvases: int = CANVASES, strokes: int = STROKES, seed: int = 0, round: int = 0):
        self.render_mode = None
        super().__init__(canvases, OBSERVATIONS, ACTIONS)
        self.easel, self.seed_, self.round = Easel(stock, canvases, strokes), seed, round
        self.last_share = float("nan")

    def reset(self):
        self.easel.start(torch.Generator().manual_seed(self.seed_ * 1_000_003 + self.round))
        return self.easel.observe()

    def step_async(self, actions: np.ndarray) -> None:
        self.actions = torch.as_tensor(actions)

    def step_wait(self):
        rewards, over = self.easel.stroke(self.actions).numpy(), self.easel.over
        seen, infos = self.easel.observe(), [{} for _ in range(self.num_envs)]
        if over:
            infos = [{"terminal_observation": {k: v[i] for k, v in seen.items()}} for i in range(self.num_envs)]
            self.last_share = self.easel.share()
            self.round += 1
            seen = self.reset()
        return seen, rewards, np.full(self.num_envs, over), infos

    def close(self) -> None:
        """Nothing is open."""

    def get_attr(self, attr_name, indices=None):
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name, value, indices=None) -> None:
        setattr(self, attr_name, value)

    def env_method(self, method_name, *args, indices=None, **options):
        return [getattr(self, method_name)(*args, **options) for _ in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class, indices=None):
        return [False for _ in self._get_indices(indices)]


class PainterPolicy(ActorCriticPolicy):
    """The :class:`Painter` as stable-baselines3 wants a policy: it trains that module itself, no copy of it."""

    def _build(self, lr_schedule) -> None:
        self.painter = Painter()
        self.optimizer = self.optimizer_class(self.painter.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)

    def _both(self, obs) -> tuple[DiagGaussianDistribution, torch.Tensor]:
        mean, log_std, value = self.painter(obs["canvas"], obs["lines"], obs["left"], obs["lots"])
        return self.action_dist.proba_distribution(mean, log_std), value[:, None]

    def forward(self, obs, deterministic: bool = False):
        policy, value = self._both(obs)
        actions = policy.get_actions(deterministic=deterministic)
        return actions, value, policy.log_prob(actions)

    def evaluate_actions(self, obs, actions):
        policy, value = self._both(obs)
        return value, policy.log_prob(actions), policy.entropy()

    def get_distribution(self, obs):
        return self._both(obs)[0]

    def predict_values(self, obs):
        return self._both(obs)[1]


class EvenBuffer(DictRolloutBuffer):
    """Keeps a round's strokes, and lets each stroke of a painting count as much as the first.

    The first strokes gain most of the reward. Left as they are, their advantages would drown those of all later ones; so
    the advantages of the i-th stroke are divided by their own standard deviation over the canvases.
    """

    def compute_returns_and_advantage(self, last_values, dones) -> None:
        super().compute_returns_and_advantage(last_values, dones)
        self.advantages /= self.advantages.std(1, keepdims=True) + 1e-8


class PainterFitting:
    """Trains a painter under a budget of CPU time, as ``Fitting`` trains the other families; options are the same.

    A step is a round: all canvases are painted, then PPO learns from the strokes. All randomness of round n follows from
    ``(seed, n)``.
    """

    def __init__(
        self,
        stock,
        out: Path | None = None,
        *,
        minutes: float | None = None,
        steps: int | None = None,
        batch_size: int | None = None,
        lr: float | None = None,
        seed: int = 0,
        resume: bool = False,
        device: str | None = None,
        sheet_every: float = 240,
        canvases: int | None = None,
        **options,
    ):
        if minutes is None and steps is None:
            raise InputError("A training needs a budget: give minutes, steps, or both.")
        self.stock, self.out, self.minutes, self.steps = stock, out, minutes, steps
        self.lr, self.seed, self.sheet_every = lr or Painter.learning_rate, seed, sheet_every
        self.step, self.seconds, state = 0, 0.0, None
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            if resume and (out / "checkpoint.pt").is_file():
                with gone_on_from(out / "checkpoint.pt"):
                    state = self._loaded(out / "checkpoint.pt")
        torch.manual_seed(seed)
        self.paintings = ManyPaintings(stock, canvases or CANVASES, seed=seed, round=self.step)
        self.ppo = PPO(
            PainterPolicy,
            self.paintings,
            learning_rate=lambda _: learning_rate(self.lr, self.step, self.progress, warmup=5),
            n_steps=STROKES,
            batch_size=batch_size or Painter.batch_size,
            rollout_buffer_class=EvenBuffer,
            device=device or "cpu",
            **{**PPO_OPTIONS, **options},
        )
        self.ppo.set_logger(Logger(None, []))
        self.family = self.ppo.policy.painter
        if state and out is not None:
            with gone_on_from(out / "checkpoint.pt"):
                self.family.load_state_dict(state["family"])
                self.ppo.policy.optimizer.load_state_dict(state["optimizer"])

    @property
    def progress(self) -> float:
        """The share of the budget that is used."""
        return Budget(self.steps, self.minutes).progress(self.step, self.seconds)

    def run(self) -> Painter:
        """Train until the budget is used; returns the painter."""
        started, saved, drawn = time.process_time() - self.seconds, self.seconds, self.seconds
        bar = tqdm(initial=self.step, total=self.steps, desc="painter", mininterval=5, smoothing=0.05)
        while self.progress < 1:
            said = self.update()
            self.seconds = time.process_time() - started
            bar.update()
            bar.set_postfix({name: f"{value:.4f}" for name, value in said.items()}, refresh=False)
            if self.out is None:
                continue
            self._note(said)
            if self.seconds - saved > 60:
                save_atomically(self._state(), self.out / "checkpoint.pt")
                saved = self.seconds
            if self.seconds - drawn > self.sheet_every:
                self._draw()
                drawn = self.seconds
        bar.close()
        self.family.cpu().eval()
        if self.out is not None:
            save_atomically(self._state(), self.out / "checkpoint.pt")
            self._draw()
        return self.family

    def update(self) -> dict[str, float]:
        """One round. Returns the error that the paintings were left with, as a share of the blank pages', and PPO's losses."""
        torch.manual_seed(self.seed * 1_000_003 + self.step)
        np.random.seed((self.seed * 1_000_003 + self.step) % 2**32)  # stable-baselines3 shuffles by numpy's own
        self.ppo.learn(STROKES * self.paintings.num_envs, reset_num_timesteps=False)
        self.step += 1
        names = (
            "policy_gradient_loss",
            "value_loss",
            "approx_kl",
            "clip_fraction",
            "explained_variance",
            "entropy_loss",
        )
        said = {name: float(self.ppo.logger.name_to_value[f"train/{name}"]) for name in names}
        said = {"share": self.paintings.last_share, **said}
        if not all(np.isfinite(list(said.values()))):
            raise FloatingPointError(f"A loss is not finite in round {self.step}: {said}.")
        return said

    def _state(self) -> dict:
        optimizer = self.ppo.policy.optimizer.state_dict()
        told = {"step": self.step, "seconds": self.seconds, "seed": self.seed}
        return {"family": self.family.state_dict(), "optimizer": optimizer, **told}

    def _loaded(self, file: Path) -> dict:
        state = load_own(file, self.seed)
        self.step, self.seconds = state["step"], state["seconds"]
        return state

    def _note(self, said: dict[str, float]) -> None:
        with open(self.out / "log.jsonl", "a", encoding="utf-8") as file:
            row = {"step": self.step, "seconds": round(self.seconds)} | {k: round(v, 5) for k, v in said.items()}
            file.write(json.dumps(row) + "\n")

    @torch.no_grad()
    def _draw(self) -> None:
        """A sheet of eight doodles, what is painted for them, and the real pictures."""
        batch = self.stock.batch(8, torch.Generator().manual_seed(7))
        made = self.family.generate(batch.hints, torch.Generator().manual_seed(0))
        sheet = torch.cat([batch.hints.expand(-1, 3, -1, -1) * -2 + 1, made, batch.pictures])
        save_grid(sheet, self.out / f"painter-{self.step:06d}.png", 8)


def train_painter(stock, out: Path | None = None, **options) -> tuple[Painter, Facts]:
    """A trained painter and what is to be known of it; ``options`` are those of :class:`PainterFitting`."""
    fitting = PainterFitting(stock, out, **options)
    painter = fitting.run()
    return painter, Facts(round(fitting.seconds / 60, 2), fitting.step, painter.num_parameters())


@torch.no_grad()
def measure(painter: Painter, stock, seed: int = 1) -> dict[str, tuple[float, float, float]]:
    """The agent, the greedy painter and the random one on every page of a stock, as :func:`unlearned.compare` says it."""
    lines, inside = (
        torch.from_numpy(np.unpackbits(x.numpy(), axis=-1)).float()[:, None] for x in (stock.lines, stock.inside)
    )
    hints = doodle(lines, inside, torch.Generator().manual_seed(seed))[:, :1].contiguous()
    painters = {"agent": painter.generate, "greedy": greedy_painter, "random": random_painter}
    made = {name: paint(hints, torch.Generator().manual_seed(seed)) for name, paint in painters.items()}
    return compare(made, stock.pictures.float() / 127.5 - 1)
