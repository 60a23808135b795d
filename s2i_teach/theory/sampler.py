"""From noise to a picture: which timesteps are visited, and one step from each to the next.

A step takes x_t, the predicted noise ε̂ and two noise levels: ``a`` = ᾱ at the timestep where it stands, ``a_prev`` = ᾱ
where it goes (less noise, nearer to 1; exactly 1 is the finished picture). Both are numbers or shaped to be multiplied
with the pictures. How far apart the two are is free, and that is all that respacing is.
"""

import torch

from s2i_teach.theory.prediction import x0_from_eps


def ddpm_step(
    x_t: torch.Tensor, eps: torch.Tensor, a: torch.Tensor | float, a_prev: torch.Tensor | float, noise: torch.Tensor
) -> torch.Tensor:
    """One random step: draws from q(x_prev | x_t, x̂_0) (Ho et al. 2020, equations 6 and 7; variance β̃).

    ``x_t``, ``eps`` and ``noise`` are ``(B, …)``; returns ``(B, …)``. Equals diffusers' ``DDPMScheduler.step``.
    """
    x0 = x0_from_eps(x_t, eps, a)
    alpha = a / a_prev  # of this step alone, however many of the training's steps it spans
    mean = (a_prev**0.5 * (1 - alpha) * x0 + alpha**0.5 * (1 - a_prev) * x_t) / (1 - a)
    variance = (1 - a_prev) / (1 - a) * (1 - alpha)
    return mean + variance**0.5 * noise


def ddpm_coefficients(alpha: float, alpha_bar: float) -> tuple[float, float]:
    """A and B in the mean of :func:`ddpm_step` = A · x_t − B · ε̂ (Ho et al. 2020, equation 11, before its noise).

    ``alpha`` is the step's own α, ``alpha_bar`` is ᾱ where it stands; both are numbers in (0, 1], or tensors.
    """
    return 1 / alpha**0.5, (1 - alpha) / (alpha * (1 - alpha_bar)) ** 0.5


def ddim_step(
    x_t: torch.Tensor,
    eps: torch.Tensor,
    a: torch.Tensor | float,
    a_prev: torch.Tensor | float,
    noise: torch.Tensor | None = None,
    eta: float = 0.0,
) -> torch.Tensor:
    """One step of DDIM (Song, Meng & Ermon 2020, equations 12 and 16): x̂_0, noised again with the same ε̂ to ``a_prev``.

    ``eta`` = 0 draws nothing, so the same start gives the same picture; ``eta`` = 1 is :func:`ddpm_step`. ``noise`` is
    needed for ``eta`` > 0 only. Tensors are ``(B, …)``. Equals diffusers' ``DDIMScheduler.step``.

    Raises:
        ValueError: ``eta`` > 0 without noise.
    """
    if eta > 0 and noise is None:
        raise ValueError("DDIM with η > 0 adds fresh noise at every step: give noise.")
    x0 = x0_from_eps(x_t, eps, a)
    sigma = eta * ((1 - a_prev) / (1 - a) * (1 - a / a_prev)) ** 0.5
    x_prev = a_prev**0.5 * x0 + (1 - a_prev - sigma**2) ** 0.5 * eps
    return x_prev if noise is None else x_prev + sigma * noise


def euler_step(
    x_t: torch.Tensor, eps: torch.Tensor, a: torch.Tensor | float, a_prev: torch.Tensor | float
) -> torch.Tensor:
    """One straight step along dx̄/dσ = ε̂, with x̄ = x/√ᾱ and σ = √((1 − ᾱ)/ᾱ) (Karras et al. 2022, algorithm 1).

    With these letters it is :func:`ddim_step` at η = 0, written another way. Equals diffusers'
    ``EulerDiscreteScheduler.step``, which keeps x̄ where this keeps x. Tensors are ``(B, …)``.
    """

    def sigma(level):
        return ((1 - level) / level) ** 0.5

    scaled = x_t / a**0.5 + (sigma(a_prev) - sigma(a)) * eps
    return a_prev**0.5 * scaled


def spaced_timesteps(
    num_inference_steps: int, num_train_timesteps: int = 1000, spacing: str = "leading", offset: int = 0
) -> list[int]:
    """The timesteps a sampler visits, the noisiest first: diffusers' three ``timestep_spacing``.

    ``"leading"`` steps from 0 in equal strides (and may leave the noisiest unvisited), ``"trailing"`` from T − 1 down,
    ``"linspace"`` visits both ends (Lin et al. 2023, table 2). ``offset`` is added, with ``"leading"`` only.

    Raises:
        ValueError: another spacing, or not 1 ≤ ``num_inference_steps`` ≤ ``num_train_timesteps``.
    """
    n, total = num_inference_steps, num_train_timesteps
    if not 1 <= n <= total:
        raise ValueError(f"{n} steps of {total}: the number of steps must lie between 1 and {total}.")
    if spacing == "leading":
        return [i * (total // n) + offset for i in reversed(range(n))]
    if spacing == "trailing":
        return [round(total - i * total / n) - 1 for i in range(n)]
    if spacing == "linspace":
        return [round(i * (total - 1) / (n - 1)) if n > 1 else 0 for i in reversed(range(n))]
    raise ValueError(f'The spacing {spacing!r} is not known: use "leading", "trailing" or "linspace".')


def levels_of(alpha_bar: torch.Tensor, timesteps: list[int], final: float = 1.0) -> list[float]:
    """ᾱ at each of the timesteps of a run, and where its last step ends: 1 is the finished picture.

    ``alpha_bar`` is ``(T,)``. Stable Diffusion's DDIM ends at ``alpha_bar[0]`` (``set_alpha_to_one=False``).
    """
    return [*alpha_bar[timesteps].tolist(), final]


def space_timesteps(num_train_timesteps: int, timestep_respacing: int | str) -> list[int]:
    """The timesteps that are kept, ascending: improved-diffusion's ``timestep_respacing`` (Nichol & Dhariwal 2021).

    ``100`` or ``"100"`` keeps 100, spread evenly from the first to the last; ``"10,15,20"`` cuts the range into three
    equal sections and keeps 10, 15 and 20 of them; ``"ddim50"`` keeps exactly 50 at one whole stride.

    Raises:
        ValueError: no whole stride gives that many, a section is smaller than what is to be kept, or not a number.
    """
    words = str(timestep_respacing)
    name, counts = ("ddim", [words[4:]]) if words.startswith("ddim") else ("", words.split(","))
    if not all(count.strip().isdigit() and int(count) > 0 for count in counts):
        raise ValueError(f'timestep_respacing is {words!r}: give a number, "10,15,20" or "ddim50".')
    if name:
        for whole in range(1, num_train_timesteps + 1):
            if len(range(0, num_train_timesteps, whole)) == int(counts[0]):
                return list(range(0, num_train_timesteps, whole))
        raise ValueError(f"No whole stride takes {counts[0]} of {num_train_timesteps} timesteps.")
    kept, start = set(), 0
    for section, count in enumerate(map(int, counts)):
        size = num_train_timesteps // len(counts) + (section < num_train_timesteps % len(counts))
        if count > size:
            raise ValueError(f"Section {section + 1} has {size} timesteps: {count} of them cannot be kept.")
        stride = (size - 1) / (count - 1) if count > 1 else 1.0
        position = 0.0  # added up, as in the original, since rounding depends on it
        for _ in range(count):
            kept.add(start + round(position))
            position += stride
        start += size
    return sorted(kept)


def respaced_betas(alpha_bar: torch.Tensor, kept: list[int]) -> torch.Tensor:
    """The β of a shorter chain that passes the same noise levels: β'_i = 1 − ᾱ_{k_i} / ᾱ_{k_{i−1}}.

    What improved-diffusion's ``SpacedDiffusion`` does. ``alpha_bar`` is ``(T,)``, ``kept`` ascending; returns
    ``(len(kept),)``, with which the step formulas go on as if the chain had always been this short.
    """
    levels = alpha_bar[torch.as_tensor(kept)]
    before = torch.cat([torch.ones_like(levels[:1]), levels[:-1]])
    return 1 - levels / before
