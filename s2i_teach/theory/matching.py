"""Distribution matching: a student that learns in one step, not what the teacher makes of this noise, but what it makes at all."""

import copy
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import nn

from s2i_teach.theory.distil import average_in, distribution_matching_gradient
from s2i_teach.theory.forward import add_noise, per_picture
from s2i_teach.theory.prediction import v_from_x0_and_eps, x0_from_eps, x0_from_v


def distil_distribution(
    student: nn.Module,
    teacher: Callable[[torch.Tensor, float], torch.Tensor],
    fake: nn.Module,
    like: torch.Tensor,
    alpha_bar: torch.Tensor,
    *,
    steps: int,
    batch_size: int = 256,
    fake_updates: int = 3,
    lr: float = 5e-4,
    decay: float = 0.99,
    seed: int = 0,
) -> Iterator[tuple[torch.Tensor, nn.Module]]:
    """Distribution matching (Yin et al. 2023, algorithm 1, without its regression): yields pictures and the slow copy.

    The student makes pictures of noise in one step from the last timestep. ``fake`` is a denoiser that learns from those pictures
    alone, ``fake_updates`` times in each round. The student then goes against :func:`distribution_matching_gradient`. ``like`` is one
    picture, for its shape. Yields what the student made, ``(B, …)``, and its slow copy, whose ``decay`` is given.
    """  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    last = len(alpha_bar) - 1
    slow = copy.deepcopy(student).requires_grad_(False)
    of_student = torch.optim.AdamW(student.parameters(), lr=lr, weight_decay=0.0, betas=(0.0, 0.99))
    of_fake = torch.optim.AdamW(fake.parameters(), lr=lr, weight_decay=0.0)

    def noise():
        return torch.randn((batch_size, *like.shape), generator=generator)

    def noisy(x, low):
        t = torch.randint(low, last, (1,), generator=generator).expand(len(x))
        eps = noise()
        return t, eps, add_noise(x, eps, alpha_bar, t)

    for step in range(steps):
        for optimizer in (of_student, of_fake):
            optimizer.param_groups[0]["lr"] = lr * min(1.0, 3 * (steps - step) / steps)
        start = noise()
        made = x0_from_v(start, student(start, torch.full((batch_size,), last)), alpha_bar[last].item())
        for _ in range(fake_updates):
            t, eps, x_t = noisy(made.detach(), 0)
            wanted = v_from_x0_and_eps(made.detach(), eps, per_picture(alpha_bar, t, made))
            loss = F.mse_loss(fake(x_t, t), wanted)
            of_fake.zero_grad(set_to_none=True)
            loss.backward()
            of_fake.step()
        with torch.no_grad():
            t, _, x_t = noisy(made, 20)
            a = alpha_bar[t[0]].item()
            real_x0 = x0_from_eps(x_t, teacher(x_t, a), a)
            gradient = distribution_matching_gradient(made, real_x0, x0_from_v(x_t, fake(x_t, t), a))
        of_student.zero_grad(set_to_none=True)
        made.backward(gradient / gradient.numel())
        of_student.step()
        average_in(slow, student, decay)
        yield made.detach(), slow
