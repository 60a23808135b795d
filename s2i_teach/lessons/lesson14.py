"""Exercises of lesson 14, the sketch leads."""

import math

import torch
from torch import nn

from s2i_teach.evaluate.effects import what_helped
from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.theory.control import add_control, conv_gradients, zeroed
from s2i_teach.theory.first_step import one_step, silent_and_learning


def _gradient_cases(generator):
    for out, channels, zero in ((5, 3, False), (5, 3, True), (2, 4, False)):
        w = torch.randn(out, channels, generator=generator) * (not zero)
        x = torch.randn(2, channels, 3, 4, generator=generator)
        yield w, x, torch.randn(2, out, 3, 4, generator=generator)


def _of_w(change):
    """A variant of the gradients, for the mistakes: another one for w."""
    return lambda w, x, grad_y: (change(w, x, grad_y), conv_gradients(w, x, grad_y)[1])


def _of_x(change):
    """A variant of the gradients, for the mistakes: another one for x."""
    return lambda w, x, grad_y: (conv_gradients(w, x, grad_y)[0], change(w, x, grad_y))


class Times(nn.Module):
    """A layer times a constant, or times a weight that learns."""

    def __init__(self, layer: nn.Module, factor: float, learns: bool):
        super().__init__()
        self.layer = layer
        self.factor = nn.Parameter(torch.tensor(factor)) if learns else factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) * self.factor


def joins(seed: int = 0, channels: int = 4) -> dict[str, nn.Module]:
    """Name → a layer that could join a control network to a U-Net, ``(B, channels, H, W)`` → the same."""
    generator = torch.Generator().manual_seed(seed)

    def conv(bias=True):
        layer = nn.Conv2d(channels, channels, 1, bias=bias)
        with torch.no_grad():
            for weight in layer.parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator) / channels**0.5)
        return layer

    def zero():
        return zeroed(conv())

    biased = zero()
    nn.init.constant_(biased.bias, 0.5)
    return {
        "random convolution": conv(bias=False),
        "zero convolution": zero(),
        "zero convolution, frozen": zero().requires_grad_(False),
        "random convolution, frozen": conv().requires_grad_(False),
        "random convolution times the number 0": Times(conv(), 0.0, learns=False),
        "random convolution times a weight that is 0": Times(conv(), 0.0, learns=True),
        "random convolution, then a zero convolution": nn.Sequential(conv(), zero()),
        "two zero convolutions in a row": nn.Sequential(zero(), zero()),
        "zero convolution, then ReLU": nn.Sequential(zero(), nn.ReLU()),
        "zero convolution, then SiLU": nn.Sequential(zero(), nn.SiLU()),
        "convolution of weight 0 and bias 0.5": biased,
    }


def probe(seed: int = 0, channels: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """What comes into a join and what should come out, both ``(3, channels, 5, 5)``, random."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(3, channels, 5, 5, generator=generator)
    return x, torch.randn(x.shape, generator=generator)


def _join_cases(generator):
    seed = int(torch.randint(1000, (), generator=generator))
    for layer in joins(seed).values():
        yield layer, *probe(seed)


def _is_silent(layer, x) -> bool:
    return not layer(x).any()


def _judged(silent=lambda layer, x, target: _is_silent(layer, x), learning=None):
    """A variant of the test of a join, for the mistakes."""

    def variant(layer, x, target):
        said = silent(layer, x, target)
        return said, learning(layer, x, target) if learning else silent_and_learning(layer, x, target)[1]

    return variant


def _depends(layer, x) -> bool:
    return not torch.equal(layer(x), layer(torch.zeros_like(x)))


def _without_target(layer, x, target):
    return silent_and_learning(layer, x, layer(x).detach())[1]


def _any_gradient(layer, x, target):
    moved = one_step(layer, x, target)
    return any(not torch.equal(a, b) for a, b in zip(layer.parameters(), moved.parameters(), strict=True))


def _explain_join(arguments, answer) -> str | None:
    """What is wrong with two answers that are no typical mistake."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        return "return two answers, (silent, learning)."
    if not all(isinstance(said, bool) for said in answer):
        kinds = " and ".join(type(said).__name__ for said in answer)
        return f"the answers are {kinds}: make them True or False, bool(…)."
    right = silent_and_learning(*arguments)
    which = [name for name, one, other in zip(("silent", "learning"), answer, right, strict=True) if one != other]
    return f"{' and '.join(which)} should be the other way round for this layer: {arguments[0]}"


def _control_cases(generator):
    # Equal sizes first, where a wrong order gives wrong numbers rather than an error.
    narrowing = [(2, 8, 8), (3, 4, 4), (4, 2, 2), (4, 2, 2)]
    for sizes, scale in (([(2, 4, 4)] * 4, 0.7), (narrowing, 1.0), ([(1, 2, 2)] * 3, 0.0)):
        features = [torch.randn(2, *size, generator=generator) for size in sizes]
        residuals = [torch.randn(2, *size, generator=generator) for size in sizes]
        yield features[:-1], features[-1], residuals, scale
    features = [torch.randn(1, 2, 4, 4, generator=generator) for _ in range(6)]
    yield features[:2], features[2], features[3:]


def _plain(s, r, k):
    return s + k * r


def _added(on_skip=_plain, on_middle=None, order=lambda residuals: residuals, result=lambda s, m: (s, m)):
    """A variant of adding the residuals, for the mistakes; ``k`` is the scale."""

    def variant(skips, middle, residuals, scale=1.0):
        *for_skips, for_middle = order(list(residuals))
        led = [on_skip(s, r, scale) for s, r in zip(skips, for_skips, strict=True)]
        return result(led, (on_middle or on_skip)(middle, for_middle, scale))

    return variant


def _loss_cases(generator):
    """Losses of 40 pictures: what is hard about a picture is hard in all three, so only pairs tell."""

    def differences(mean, deviation=0.004):
        d = torch.randn(40, generator=generator)
        return mean + deviation * (d - d.mean()) / d.std()

    # How hard a picture is, other − unled and right − unled. Each case is the first to tell some mistake from others.
    barely = 0.5 * 0.004 / math.sqrt(40)  # half a standard error
    for spread, other, right in (
        (0.1, 0.0, -barely),  # nothing is shown
        (0.1, 0.02, -0.03),  # read and gained
        (0.1, -0.03, None),  # trained, and deaf
        (0.0, 0.002, -0.006),  # read and gained, less than single pictures tremble
        (0.1, 0.002, -0.006),  # the same, less than pictures differ
        (0.1, 0.03, barely),  # read, for nothing
        (0.1, 0.05, 0.02),  # read, and worse than without
    ):
        unled = 0.1 + spread * torch.rand(40, generator=generator)
        others = unled + differences(other)
        yield unled, others, others + differences(0.0) if right is None else unled + differences(right)


ANSWERS = ("the hint", "the training alone", "the hint is read, nothing is gained", "nothing is shown")


def _shown(one, another) -> bool:
    gain = another - one
    return bool(gain.mean() > 2 * gain.std() / len(gain) ** 0.5)


def _helped(lower=_shown, compare=lambda u, o, r, lower: (lower(r, o), lower(r, u)), answers=ANSWERS):
    """A variant of what helped, for the mistakes."""

    def variant(unled, other, right):
        is_read, is_gained = compare(unled, other, right, lower)
        return answers[0 if is_read and is_gained else 1 if is_gained else 2 if is_read else 3]

    return variant


def _unpaired(one, another) -> bool:
    return bool(another.mean() - one.mean() > 2 * ((one.var() + another.var()) / len(one)) ** 0.5)


LESSON = Lesson(
    14,
    "The sketch leads",
    [
        Exercise(
            "conv_gradients",
            conv_gradients,
            _gradient_cases,
            hints=(
                "Take a single pixel and one channel first: y = w · x. What is dy/dw? What is dy/dx?",
                "The chain rule: dL/dw = dL/dy · dy/dw. The same w is used at every pixel of every picture, so its "
                "share of all of them adds up.",
                'torch.einsum("bdhw,bchw->dc", grad_y, x) multiplies and adds up over b, h and w. For x add up over d.',
            ),
            mistakes={
                "w for x": Mistake(
                    _of_w(lambda w, x, g: w * g.sum((0, 2, 3))[:, None]),
                    "you multiply by w where dy/dw is asked: y = w · x, so dy/dw is x. With yours, a weight of 0 "
                    "would stay 0 for ever.",
                ),
                "chain rule left out": Mistake(
                    _of_w(lambda w, x, g: x.sum((0, 2, 3)).expand(len(w), -1).clone()),
                    "this is dy/dw alone: by the chain rule it is multiplied with dL/dy, pixel by pixel, before "
                    "adding up.",
                ),
                "sums multiplied": Mistake(
                    _of_w(lambda w, x, g: g.sum((0, 2, 3))[:, None] * x.sum((0, 2, 3))),
                    "you add up first and multiply afterwards: multiply at every pixel, then add up the products.",
                ),
                "mean": Mistake(
                    _of_w(lambda w, x, g: conv_gradients(w, x, g)[0] / g[:, 0].numel()),
                    "this is the mean over pictures and pixels: each of them adds its share, so it is their sum.",
                ),
                "each picture for itself": Mistake(
                    _of_w(lambda w, x, g: torch.einsum("bdhw,bchw->bdc", g, x)),
                    "dL/dw is (B, D, C) here, one for each picture: they share one w, so add up over the pictures too.",
                ),
                "transposed": Mistake(
                    _of_w(lambda w, x, g: conv_gradients(w, x, g)[0].T.clone()),
                    "dL/dw is (C, D) here: it has the shape of w, (D, C).",
                ),
                "dy/dx alone": Mistake(
                    _of_x(lambda w, x, g: w.sum(0)[None, :, None, None].expand(x.shape).clone()),
                    "dL/dx is dy/dx alone: multiply with dL/dy and add up over the channels of y.",
                ),
                "never to x": Mistake(
                    _of_x(lambda w, x, g: torch.zeros_like(x)),
                    "dL/dx is 0 here for every w: that is so only while w is 0. In general dy/dx = w.",
                ),
                "x for w": Mistake(
                    _of_x(lambda w, x, g: x * g.sum(1, keepdim=True)),
                    "in dL/dx you multiply by x: y = w · x, so dy/dx is w.",
                ),
                "swapped": Mistake(
                    lambda w, x, grad_y: conv_gradients(w, x, grad_y)[::-1],
                    "the two have changed places: dL/dw first, then dL/dx.",
                ),
            },
            minutes=7,
            difficulty=3,
            tolerance=1e-4,
        ),
        Exercise(
            "silent_and_learning",
            silent_and_learning,
            _join_cases,
            hints=(
                "Silent: look at what comes *out* for x, layer(x), not at the weights. (…).any() says whether "
                "anything is not 0.",
                "Learning: one_step(layer, x, target) is the layer after one step. What must be different about it? "
                "Not just its answer: a bias changes the answer to everything alike.",
                "What of the answer depends on x is layer(x) − layer(torch.zeros_like(x)). Compare it before and "
                "after the step with torch.equal.",
            ),
            mistakes={
                "weights are zero": Mistake(
                    _judged(silent=lambda layer, x, target: not any(w.any() for w in layer.parameters())),
                    "you ask whether the weights are 0: a random convolution times 0 is silent too. Ask what comes "
                    "out.",
                ),
                "asked with nothing": Mistake(
                    _judged(silent=lambda layer, x, target: not layer(torch.zeros_like(x)).any()),
                    "you ask what comes out for an input of zeros: a convolution without a bias then says nothing, "
                    "whatever its weights. Ask with x.",
                ),
                "deaf for silent": Mistake(
                    _judged(silent=lambda layer, x, target: not _depends(layer, x)),
                    "a layer that says 0.5 to everything depends on nothing, but is not silent: it changes what it is "
                    "added to.",
                ),
                "the answer moved": Mistake(
                    _judged(learning=lambda layer, x, target: not torch.equal(layer(x), one_step(layer, x, target)(x))),
                    "you ask whether the answer changed: the last bias of two zero convolutions changes it, to the "
                    "same for every x. Ask whether what *depends on x* changed.",
                ),
                "trainable": Mistake(
                    _judged(learning=lambda layer, x, target: any(w.requires_grad for w in layer.parameters())),
                    "you ask whether weights *may* change: two zero convolutions in a row may, and never listen. Let "
                    "one_step change them, and look.",
                ),
                "depends afterwards": Mistake(
                    _judged(learning=lambda layer, x, target: _depends(one_step(layer, x, target), x)),
                    "you look at the layer after the step alone: a frozen random convolution depends on x, and did so "
                    "before. Compare before and after.",
                ),
                "one for the other": Mistake(
                    _judged(learning=lambda layer, x, target: not _is_silent(layer, x)),
                    "you take it that what is silent cannot learn: conv_gradients says otherwise. Let one_step decide.",
                ),
                "nothing to learn": Mistake(
                    _judged(learning=_without_target),
                    "the layer is trained towards what it already says, or towards 0 while it says 0: then every "
                    "gradient is 0. Take the target.",
                ),
                "swapped": Mistake(
                    lambda layer, x, target: silent_and_learning(layer, x, target)[::-1],
                    "the two have changed places, or both are turned round: silent first, then learning. (…).any() is "
                    "True where something is *not* 0, torch.equal where nothing changed.",
                ),
            },
            explain=_explain_join,
            minutes=9,
            difficulty=3,
        ),
        Exercise(
            "add_control",
            add_control,
            _control_cases,
            hints=(
                "What must come out at scale 0, to the last bit? The skips and the middle as they were.",
                "The scale belongs to the residual alone. There are n skips and n + 1 residuals: the last one is the "
                "middle's.",
                "*for_skips, for_middle = residuals; each skip becomes skip + scale * residual, and so does the "
                "middle.",
            ),
            mistakes={
                "all of it scaled": Mistake(
                    _added(lambda s, r, k: k * (s + r)),
                    "the scale multiplies the U-Net's own features too: at scale 0 the U-Net would be handed nothing. "
                    "Multiply the residual alone.",
                ),
                "exchanged": Mistake(
                    _added(lambda s, r, k: (1 - k) * s + k * r),
                    "this exchanges the skip for the residual as the scale rises: at scale 1 nothing of the U-Net is "
                    "left. The residual is added, the skip stays whole.",
                ),
                "scaled twice": Mistake(
                    _added(lambda s, r, k: s + k * k * r),
                    "the scale acts twice: 0.5 would be a quarter of the control.",
                ),
                "not scaled": Mistake(
                    _added(lambda s, r, k: s + r), "the scale is not used: scale 0 must give the U-Net as it was."
                ),
                "middle forgotten": Mistake(
                    _added(_plain, lambda s, r, k: s), "the middle gets nothing: its residual is the last one."
                ),
                "middle not scaled": Mistake(
                    _added(_plain, lambda s, r, k: s + r),
                    "the middle's residual is added whole: scale 0 then still leads, through the middle.",
                ),
                "middle alone": Mistake(
                    _added(lambda s, r, k: s, _plain),
                    "only the middle is led: it is too coarse for lines. The skips get their residuals too.",
                ),
                "middle first": Mistake(
                    _added(order=lambda residuals: [*residuals[1:], residuals[0]]),
                    "you give the first residual to the middle: the middle's is the last, as the control network "
                    "makes it last.",
                ),
                "backwards": Mistake(
                    _added(order=lambda residuals: residuals[::-1]),
                    "the residuals are taken from behind: they stand in the order of the skips, the finest first.",
                ),
                "subtracted": Mistake(_added(lambda s, r, k: s - k * r), "the residual is taken off: it is added."),
                "one list": Mistake(
                    _added(result=lambda led, middle: [*led, middle]),
                    "skips and middle are in one list: return a pair, the list of the skips and the middle.",
                ),
                "residuals alone": Mistake(
                    _added(lambda s, r, k: k * r),
                    "these are the residuals alone: the U-Net's own features belong to it.",
                ),
            },
            minutes=6,
            difficulty=2,
        ),
        Exercise(
            "what_helped",
            what_helped,
            _loss_cases,
            hints=(
                "Two questions: is the loss lower with the right hint than with another's? Is it lower than without "
                "the network?",
                "Each question picture by picture: gain = another - one, a number for each picture. It is shown if "
                "its mean is more than twice gain.std() / len(gain) ** 0.5.",
                "Read and gained: the hint. Gained only: the training alone. Read only, or neither: the other two.",
            ),
            mistakes={
                "better than without": Mistake(
                    _helped(compare=lambda u, o, r, lower: (lower(r, u), lower(r, u))),
                    "you compare only with the U-Net alone: a network that does not look at its hint may be better "
                    "too, by its training. Ask it with another's hint.",
                ),
                "either way": Mistake(
                    _helped(lower=lambda one, another: _shown(one, another) or _shown(another, one)),
                    "you ask whether the two *differ*: worse than before is not gained. Lower is asked.",
                ),
                "better than another's": Mistake(
                    _helped(compare=lambda u, o, r, lower: (lower(r, o), lower(r, o))),
                    "you compare only with another's hint: a network may read its hint and still be no better than "
                    "the U-Net alone.",
                ),
                "another's with without": Mistake(
                    _helped(compare=lambda u, o, r, lower: (lower(r, o), lower(o, u))),
                    "whether something is gained asks for the *right* hint against the U-Net alone: another's hint "
                    "may well do harm.",
                ),
                "not paired": Mistake(
                    _helped(lower=_unpaired),
                    "your standard error is that of two separate sets: the pictures differ in how hard they are, in "
                    "the same way in both. Take the differences first, then their deviation.",
                ),
                "root forgotten": Mistake(
                    _helped(lower=lambda one, another: bool((another - one).mean() > 2 * (another - one).std())),
                    "you compare with the deviation of single pictures: the standard error of a mean is √n times "
                    "smaller.",
                ),
                "means alone": Mistake(
                    _helped(lower=lambda one, another: bool(one.mean() < another.mean())),
                    "you compare the means alone: one of two means is always lower. The difference must be more than "
                    "two standard errors.",
                ),
                "turned round": Mistake(
                    _helped(lower=lambda one, another: _shown(another, one)),
                    "you take a higher loss for the better one: lower is better.",
                ),
                "answers swapped": Mistake(
                    _helped(answers=(ANSWERS[0], ANSWERS[2], ANSWERS[1], ANSWERS[3])),
                    "two answers have changed places: gained but not read is the training alone.",
                ),
            },
            minutes=7,
            difficulty=3,
        ),
    ],
)
