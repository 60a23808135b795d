"""Exercises of lesson 1, pictures, tensors, noise and seeds."""

import torch

from s2i_teach.images import pixels_to_tensor, tensor_to_pixels
from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.theory.measure import max_difference, psnr
from s2i_teach.theory.noise import noise_for


def _pixel_cases(generator):
    yield (torch.tensor([[[0, 128, 255], [255, 1, 7]], [[3, 2, 1], [9, 80, 254]], [[5, 5, 5], [0, 0, 0]]]).byte(),)
    yield (torch.randint(256, (5, 4, 3), generator=generator, dtype=torch.uint8),)
    yield (torch.randint(256, (4, 4, 1), generator=generator, dtype=torch.uint8),)


def _tensor_cases(generator):
    yield (torch.rand(3, 4, 5, generator=generator) * 2 - 1,)
    yield (torch.linspace(-1.5, 1.5, 3 * 6 * 2).view(3, 6, 2),)


def _pair_cases(generator):
    a = torch.rand(2, 3, 4, 5, generator=generator) * 2 - 1
    yield a, a.flip(3)
    yield a, a + 0.3 * torch.rand(a.shape, generator=generator) - 0.05
    yield a, a.clone()


def _quality_cases(generator):
    a = torch.rand(3, 3, 4, 5, generator=generator) * 1.6 - 0.8
    yield a, a + 0.1 * torch.randn(a.shape, generator=generator)
    yield a, a * 1.7
    yield a[:1], a[1:2]


def _seed_cases(generator):
    yield [0, 1, 2], (3, 4, 4)
    yield [7], (2, 3)
    yield torch.randint(1000, (4,), generator=generator).tolist(), (1, 5, 2)


def _one_generator(seeds, shape):
    return torch.randn(len(seeds), *shape, generator=torch.Generator().manual_seed(seeds[0]))


def _mse(a, b):
    return ((a.clamp(-1, 1) - b.clamp(-1, 1)) ** 2).flatten(1).mean(1).clamp(min=1e-10)


LESSON = Lesson(
    1,
    "Pictures, tensors, noise, seeds",
    [
        Exercise(
            "pixels_to_tensor",
            pixels_to_tensor,
            _pixel_cases,
            hints=(
                "There are three things to do: make floats of the bytes, change the range, and change the order of "
                "the axes.",
                "0 … 255 divided by 127.5 is 0 … 2. What must you subtract to get −1 … 1?",
                "x.permute(2, 0, 1) makes the last axis the first one.",
            ),
            mistakes={
                "bytes": Mistake(
                    lambda p: p.float().permute(2, 0, 1),
                    "the numbers still go from 0 to 255: divide by 127.5 and subtract 1.",
                ),
                "zero to one": Mistake(
                    lambda p: (p.float() / 255).permute(2, 0, 1),
                    "this goes from 0 to 1: a diffusion model wants −1 to 1, so that grey is 0, like the noise's mean.",
                ),
                "divided by 128": Mistake(
                    lambda p: (p.float() / 128 - 1).permute(2, 0, 1),
                    "white becomes 0.992 instead of 1: half of 255 is 127.5.",
                ),
                "overflow": Mistake(
                    lambda p: (p * 2 / 255 - 1).permute(2, 0, 1),
                    "bytes overflow: for them 2 · 200 is 144. Make floats first with .float(), then calculate.",
                ),
                "axes not moved": Mistake(
                    lambda p: p.float() / 127.5 - 1,
                    "the values are right, the axes are still (H, W, C): torch wants the channels first.",
                ),
                "along the diagonal": Mistake(
                    lambda p: (p.float() / 127.5 - 1).permute(2, 1, 0),
                    "height and width have changed places: the picture is mirrored along its diagonal.",
                ),
                "viewed": Mistake(
                    lambda p: (p.float() / 127.5 - 1).reshape(p.shape[2], p.shape[0], p.shape[1]),
                    "reshape keeps the order of the numbers and mixes up pixels and colours: permute moves the axes.",
                ),
            },
            minutes=6,
            difficulty=1,
            tolerance=1e-6,
        ),
        Exercise(
            "tensor_to_pixels",
            tensor_to_pixels,
            _tensor_cases,
            hints=(
                "Go back in the opposite order: first the range, then whole numbers, then the axes.",
                "A model's picture may reach 1.02: x.clamp(-1, 1) first. .round() goes to the nearest whole number.",
                "((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8), and the channels last.",
            ),
            mistakes={
                "cut off": Mistake(
                    lambda x: ((x.clamp(-1, 1) + 1) * 127.5).to(torch.uint8).permute(1, 2, 0),
                    "the fraction is cut off instead of rounded: every round trip would make the picture darker.",
                ),
                "not clipped": Mistake(
                    lambda x: ((x + 1) * 127.5).round().to(torch.int32).to(torch.uint8).permute(1, 2, 0),
                    "what lies outside [−1, 1] wraps around: 260 becomes 4, and white gets black spots. Clip first.",
                ),
                "clipped to 0": Mistake(
                    lambda x: ((x.clamp(0, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0),
                    "everything darker than grey is lost: clip to [−1, 1], not to [0, 1].",
                ),
                "axes not moved": Mistake(
                    lambda x: ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8),
                    "the values are right, the axes are still (C, H, W): a picture file wants the colours last.",
                ),
                "floats": Mistake(
                    lambda x: ((x.clamp(-1, 1) + 1) * 127.5).round().permute(1, 2, 0),
                    "right values, but still floats: .to(torch.uint8) makes bytes.",
                ),
            },
            minutes=6,
            difficulty=2,
            tolerance=0,
        ),
        Exercise(
            "max_difference",
            max_difference,
            _pair_cases,
            hints=(
                "Differences must not cancel: take |a − b| before anything is put together.",
                "(a - b).abs() has as many numbers as a. Take the largest of them; .item() makes a plain number of it.",
            ),
            mistakes={
                "signed sum": Mistake(
                    lambda a, b: abs((a - b).sum().item()),
                    "the differences are added with their signs and cancel: by this sum a mirrored picture is equal "
                    "to the picture.",
                ),
                "signed maximum": Mistake(
                    lambda a, b: (a - b).max().item(),
                    "this sees only where a is larger: where b is larger, a − b is negative. Take .abs() first.",
                ),
                "mean": Mistake(
                    lambda a, b: (a - b).abs().mean().item(),
                    "this is the mean: one wrong pixel among a million hardly changes it. Take the maximum.",
                ),
                "squared": Mistake(
                    lambda a, b: ((a - b) ** 2).max().item(),
                    "this is the square of it: 0.001 would look like 0.000001.",
                ),
            },
            minutes=4,
            difficulty=1,
            tolerance=1e-7,
        ),
        Exercise(
            "psnr",
            psnr,
            _quality_cases,
            hints=(
                "Start with the mean squared error of each picture: .flatten(1) puts the numbers of each picture in "
                "one row.",
                "The peak is the distance from black to white. From −1 to 1 that is 2, and its square is 4.",
                "10 * torch.log10(4 / mse), with mse.clamp(min=1e-10), one number per picture.",
            ),
            mistakes={
                "peak of 1": Mistake(
                    lambda a, b: 10 * torch.log10(1 / _mse(a, b)),
                    "the peak is 1 here, as for pictures from 0 to 1: from −1 to 1 it is 2. You are 6 dB too low.",
                ),
                "peak of 255": Mistake(
                    lambda a, b: 10 * torch.log10(255**2 / _mse(a, b)),
                    "the peak is 255 here, as for bytes: from −1 to 1 it is 2. You are 42 dB too high.",
                ),
                "over the batch": Mistake(
                    lambda a, b: (10 * torch.log10(4 / _mse(a, b).mean())).expand(len(a)),
                    "all pictures get the batch's number: the exercise asks for one number per picture.",
                ),
                "one number": Mistake(
                    lambda a, b: 10 * torch.log10(4 / _mse(a, b).mean()),
                    "this is one number for the whole batch: take the mean over each picture, .flatten(1).mean(1).",
                ),
                "natural logarithm": Mistake(
                    lambda a, b: 10 * torch.log(4 / _mse(a, b)),
                    "decibels use the logarithm to base 10: torch.log10.",
                ),
                "twenty": Mistake(
                    lambda a, b: 20 * torch.log10(4 / _mse(a, b)),
                    "the factor 20 belongs to ratios of amplitudes: the MSE is already a square, so the factor is 10.",
                ),
                "upside down": Mistake(
                    lambda a, b: 10 * torch.log10(_mse(a, b) / 4),
                    "the fraction is upside down: more decibels mean a better picture.",
                ),
                "not clipped": Mistake(
                    lambda a, b: 10 * torch.log10(4 / ((a - b) ** 2).flatten(1).mean(1).clamp(min=1e-10)),
                    "values that no screen can show are counted as errors: clip both pictures to [−1, 1] first.",
                ),
            },
            minutes=8,
            difficulty=2,
            tolerance=1e-5,
        ),
        Exercise(
            "noise_for",
            noise_for,
            _seed_cases,
            hints=(
                "torch.Generator().manual_seed(7) is a source of random numbers of its own.",
                "torch.randn(shape, generator=…) draws from it. Make one generator per seed.",
                "torch.stack([... for seed in seeds]) makes one tensor of them, with a new first axis.",
            ),
            mistakes={
                "one generator": Mistake(
                    _one_generator,
                    "one generator draws for all: the second picture's noise depends on its place in the batch, not on "
                    "its own seed.",
                ),
                "same for all": Mistake(
                    lambda seeds, shape: noise_for(seeds[:1] * len(seeds), shape),
                    "every picture has the noise of the first seed: each picture has a seed of its own.",
                ),
                "uniform": Mistake(
                    lambda seeds, shape: torch.stack(
                        [torch.rand(tuple(shape), generator=torch.Generator().manual_seed(seed)) for seed in seeds]
                    ),
                    "torch.rand spreads evenly over 0 … 1: the noise of diffusion follows the bell curve, torch.randn.",
                ),
                "no seed": Mistake(
                    lambda seeds, shape: torch.randn(len(seeds), *shape),
                    "the seeds are not used: this is other noise at every call.",
                ),
                "added": Mistake(
                    lambda seeds, shape: noise_for(seeds, shape).sum(0),
                    "the noises are added up to one: keep them apart, one per seed, with torch.stack.",
                ),
            },
            minutes=8,
            difficulty=2,
            tolerance=0,
        ),
    ],
)
