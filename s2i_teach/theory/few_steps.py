"""Students of few steps, trained in seconds where the teacher is small: by segments, and by consistency.

A student is ``student(x_t, t)``, ``(B, …)`` and ``(B,)`` → v, ``(B, …)``. The teacher is ``teacher(x, a)`` → ε̂ for one ᾱ; it may be
a network, or the perfect denoiser of a finite data set (:func:`s2i_teach.theory.ideal.ideal_eps`).
"""

import copy
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from s2i_teach.theory.consistency import consistency_function, consistency_target
from s2i_teach.theory.distil import average_in, jump, one_step_target
from s2i_teach.theory.forward import add_noise
from s2i_teach.theory.prediction import x0_from_v
from s2i_teach.theory.sampler import ddim_step, levels_of, spaced_timesteps
from s2i_teach.theory.training import Step, fit

Teacher = Callable[[torch.Tensor, float], torch.Tensor]
Draw = Callable[[int, torch.Generator], torch.Tensor]


@torch.no_grad()
def follow_teacher(teacher: Teacher, x: torch.Tensor, levels: list[float]) -> torch.Tensor:
    """Where steps of DDIM at η = 0 lead from ``x`` ``(B, …)`` through the ᾱ of ``levels``, the noisiest first."""
    for a, a_next in pairwise(levels):
        x = ddim_step(x, teacher(x, a), a, a_next)
    return x


@torch.no_grad()
def follow_student(student: nn.Module, x: torch.Tensor, alpha_bar: torch.Tensor, timesteps: list[int]) -> torch.Tensor:
    """The same by a student, in one step from each of the ``timesteps`` to the next, and at last to the picture. ``(B, …)``."""
    for t, (a, a_next) in zip(timesteps, pairwise(levels_of(alpha_bar, timesteps)), strict=True):
        x = jump(x, student(x, torch.full((len(x),), t)), a, a_next)
    return x


def distil_segments(
    student: nn.Module,
    teacher: Teacher,
    draw: Draw,
    alpha_bar: torch.Tensor,
    *,
    steps: int,
    batch_size: int = 256,
    segments: int = 4,
    teacher_steps: int = 16,
    lr: float = 1e-3,
    seed: int = 0,
) -> Iterator[Step]:
    """Cut the path into ``segments``; the student learns to cross each in one step, where the teacher takes many.

    Progressive distillation (Salimans & Ho 2022, algorithm 2) with all halvings done at once. ``draw(n, generator)`` gives ``n``
    pictures; the other words are those of :func:`s2i_teach.theory.training.fit`.
    """  # fmt: skip
    stops = spaced_timesteps(segments, len(alpha_bar), "trailing")
    fine = spaced_timesteps(segments * teacher_steps, len(alpha_bar), "trailing")
    levels = levels_of(alpha_bar, fine)

    def batch(generator):
        number = int(torch.randint(segments, (1,), generator=generator))
        path = levels[number * teacher_steps : (number + 1) * teacher_steps + 1]
        x0 = draw(batch_size, generator)
        t = torch.full((batch_size,), stops[number])
        x_t = add_noise(x0, torch.randn(x0.shape, generator=generator), alpha_bar, t)
        x_s = follow_teacher(teacher, x_t, path)
        return x0, x_t, t, one_step_target(x_t, x_s, path[0], path[-1])

    return fit(student, batch, steps=steps, lr=lr, seed=seed)


def consistent(student: nn.Module, x_t: torch.Tensor, alpha_bar: torch.Tensor, t: int) -> torch.Tensor:
    """The consistency function of a student, f(x_t, t): one jump to the picture. ``(B, …)`` → ``(B, …)``."""
    v = student(x_t, torch.full((len(x_t),), t))
    return consistency_function(x_t, x0_from_v(x_t, v, alpha_bar[t].item()), t)


def distil_consistency(
    student: nn.Module,
    teacher: Teacher,
    draw: Draw,
    alpha_bar: torch.Tensor,
    *,
    steps: int,
    batch_size: int = 256,
    origins: int = 50,
    decay: float = 0.98,
    lr: float = 1e-3,
    seed: int = 0,
) -> Iterator[Step]:
    """Consistency distillation (Song et al. 2023, algorithm 2): the answer here is to be the slow copy's, one step further.

    The teacher steps between neighbours of ``origins`` timesteps, as in LCM (Luo et al. 2023, algorithm 1). ``decay`` is that of the
    slow copy. The other words are those of :func:`distil_segments`.
    """  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(student.parameters(), lr=lr, weight_decay=0.0)
    slow = copy.deepcopy(student).requires_grad_(False)
    stops = [*spaced_timesteps(origins, len(alpha_bar), "trailing"), 0]
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * min(1.0, 3 * (steps - step) / steps)
        place = int(torch.randint(origins, (1,), generator=generator))
        t, t_next = stops[place], stops[place + 1]
        a, a_next = alpha_bar[t].item(), alpha_bar[t_next].item()
        x0 = draw(batch_size, generator)
        times = torch.full((batch_size,), t)
        x_t = add_noise(x0, torch.randn(x0.shape, generator=generator), alpha_bar, times)
        target = consistency_target(
            x_t, teacher(x_t, a), lambda x, s: consistent(slow, x, alpha_bar, s), a, a_next, t_next
        )
        prediction = consistent(student, x_t, alpha_bar, t)
        loss = F.mse_loss(prediction, target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        average_in(slow, student, decay)
        yield Step(step, loss.item(), x0, x_t, times, target, prediction.detach(), slow)
