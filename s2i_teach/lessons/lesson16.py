"""Exercises of lesson 16, seven ways to colour a sketch."""

import torch
import torch.nn.functional as F

from s2i_teach.families.cyclegan import cycle_loss
from s2i_teach.families.pix2pix import PatchDiscriminator, receptive_field
from s2i_teach.families.vae import reparameterise
from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.theory.policy import policy_gradient_loss

# The reparameterisation trick


def _code_cases(generator):
    for number, size in ((3, 4), (1, 1), (5, 2)):
        mean = torch.randn(number, size, generator=generator)
        log_variance = torch.randn(number, size, generator=generator)
        yield mean, log_variance, torch.randn(number, size, generator=generator)


def with_gradients(function):
    """The same function, which also gives the gradient of its weighted sum at each tensor that it was given.

    A gradient that does not come through is None.
    """

    def seen(*arguments):
        given = [a.detach().clone().requires_grad_() for a in arguments]
        value = function(*given)
        if not isinstance(value, torch.Tensor) or not value.requires_grad:
            return value, *([None] * len(given))
        weights = torch.arange(1.0, value.numel() + 1).view(value.shape)
        return value, *torch.autograd.grad((weights * value).sum(), given, allow_unused=True)

    return seen


def _drawn(spread, mean=lambda m: m):
    """A variant of the draw, for the mistakes: another standard deviation, or another mean."""
    return lambda m, log_variance, eps: mean(m) + spread(log_variance) * eps


def _no_gradient(mean, log_variance, eps):
    return reparameterise(mean, log_variance, eps).detach()


def _explain_draw(arguments, answer) -> str | None:
    """What is wrong with a draw that is no typical mistake, in terms of value and gradients."""
    from s2i_teach.lessons.compare import difference

    value, *gradients = answer
    right, *wanted = with_gradients(reparameterise)(*arguments)
    if isinstance(value, torch.Tensor) and (gradients[2] is None or not gradients[2].any()):
        return "z does not depend on the eps that was given: use it, and do not draw anew."
    if words := difference(value, right, 1e-5):
        return f"z: {words}"
    for name, one, other in zip(("mean", "log_variance", "eps"), gradients, wanted, strict=True):
        if words := difference(one, other, 1e-5):
            return f"z is right, but its gradient at {name} is not: {words}"
    return None


# What a patch discriminator sees


def _layer_cases(generator):
    yield ([(4, 2), (4, 2), (4, 2), (4, 1), (4, 1)],)
    yield ([(3, 1)],)
    yield ([],)
    for number in (2, 3, 5):
        kernels = torch.randint(1, 6, (number,), generator=generator).tolist()
        strides = torch.randint(1, 4, (number,), generator=generator).tolist()
        yield (list(zip(kernels, strides, strict=True)),)
    yield (list(PatchDiscriminator.LAYERS),)  # last, since a prediction asks for it later


def _seen_by(step, first=1, order=lambda layers: list(reversed(layers))):
    """A variant of the receptive field, for the mistakes."""

    def variant(layers):
        side = first
        for kernel, stride in order(list(layers)):
            side = step(side, kernel, stride)
        return side

    return variant


def _strides(layers):
    side = 1
    for _, stride in layers:
        side *= stride
    return side


# There and back


def _cycle_cases(generator):
    for batch, side in ((2, 4), (3, 2)):
        sketches = torch.rand(batch, 1, side, side, generator=generator)
        pictures = torch.randn(batch, 3, side, side, generator=generator)
        colours = torch.randn(3, generator=generator).view(1, 3, 1, 1)
        weights = torch.randn(3, generator=generator).view(1, 3, 1, 1)
        yield (
            sketches,
            pictures,
            lambda s, colours=colours: (s * colours).tanh() + 0.1,
            lambda p, weights=weights: (p * weights).sum(1, keepdim=True).sigmoid(),
        )


def _there_and_back(back, again, order=(0, 1, 2, 3)):
    """A variant of the cycle loss, for the mistakes: other terms, in another order."""

    def variant(sketches, pictures, paint, draw):
        painted, drawn = paint(sketches), draw(pictures)
        values = (
            back(sketches, pictures, painted, drawn, paint, draw),
            again(sketches, pictures, painted, drawn, paint, draw),
            painted,
            drawn,
        )
        return tuple(values[i] for i in order)

    return variant


def _back(s, p, painted, drawn, paint, draw):
    return F.l1_loss(draw(painted), s)


def _again(s, p, painted, drawn, paint, draw):
    return F.l1_loss(paint(drawn), p)


# The policy gradient


def _policy_cases(generator):
    for number in (5, 1, 8):
        yield torch.randn(number, generator=generator) - 2, torch.randn(number, generator=generator)


def _learned(loss):
    """A variant of the loss, for the mistakes."""
    return lambda log_prob, advantage: loss(log_prob, advantage)


POLICY_MISTAKES = {
    "sign": Mistake(
        _learned(lambda p, a: (p * a.detach()).mean()),
        "the sign is missing: making this smaller makes *good* actions less probable.",
    ),
    "through the advantage": Mistake(
        _learned(lambda p, a: -(p * a).mean()),
        "a gradient goes through the advantage: the network that estimates it would learn to please and not to "
        "be right. advantage.detach() stops it.",
    ),
    "probability": Mistake(
        _learned(lambda p, a: -(p.exp() * a.detach()).mean()),
        "you take the probability: the gradient of *log* π is what Williams' theorem has. With π itself, rare "
        "actions would hardly teach anything.",
    ),
    "sum": Mistake(
        _learned(lambda p, a: -(p * a.detach()).sum()),
        "this is a sum: take the mean, or the learning rate depends on the number of actions.",
    ),
    "apart": Mistake(
        _learned(lambda p, a: -p.mean() * a.detach().mean()),
        "you multiply two means: which action had which advantage is lost. Multiply first.",
    ),
    "cut off": Mistake(
        _learned(lambda p, a: -(p.detach() * a).mean()),
        "the policy gets no gradient: it is the advantage that is detached, not log_prob.",
    ),
    "reward alone": Mistake(
        _learned(lambda p, a: -a.mean() + 0 * p.sum()),
        "this is the mean advantage alone: it does not depend on the policy's numbers, so nothing is learned.",
    ),
    "probability alone": Mistake(
        _learned(lambda p, a: -p.mean()),
        "this makes every action more probable, good or bad: weigh each by its advantage.",
    ),
    "size alone": Mistake(
        _learned(lambda p, a: -(p * a.detach().abs()).mean()),
        "the advantage's sign is lost: bad actions would become more probable too.",
    ),
}


def _explain_policy(arguments, answer) -> str | None:
    """What is wrong with a loss that is no typical mistake, in terms of value and gradients."""
    value, at_log_prob, at_advantage = answer
    right, wanted, _ = with_gradients(policy_gradient_loss)(*arguments)
    if not isinstance(value, torch.Tensor):
        return "return the loss, a tensor with one number."
    if value.shape != right.shape:
        return f"the loss is one number, and this has the shape {tuple(value.shape)}: take the mean."
    for mistake in POLICY_MISTAKES.values():  # those whose value is the same; their gradients may be others
        if abs(value.item() - mistake.function(*arguments).item()) < 1e-5 < abs(value.item() - right.item()):
            return mistake.message
    if abs(value.item() - right.item()) > 1e-5:
        return f"the loss is {value.item():.4g} instead of {right.item():.4g}."
    if at_advantage is not None:
        return "the loss is right, but a gradient goes through the advantage: .detach() stops it."
    if at_log_prob is None or (at_log_prob - wanted).abs().max() > 1e-5:
        return "the loss is right, but its gradient at log_prob is not: do not detach log_prob."
    return None


LESSON = Lesson(
    16,
    "Seven ways to colour a sketch",
    [
        Exercise(
            "reparameterise",
            reparameterise,
            _code_cases,
            hints=(
                "If eps has mean 0 and standard deviation 1, what mean and standard deviation has a + b · eps?",
                "a is the mean. b is the standard deviation σ, and you are given log σ². Which power of e is σ?",
                "σ = exp(½ · log σ²). Return mean + σ · eps.",
            ),
            mistakes={
                "variance": Mistake(
                    _drawn(torch.exp),
                    "you multiply by exp(log σ²), which is the variance σ²: the standard deviation is its root, exp(½ log σ²).",
                ),
                "logarithm": Mistake(
                    _drawn(lambda v: v),
                    "you multiply by log σ² itself, which may be negative: take the exponential of half of it.",
                ),
                "half of the logarithm": Mistake(
                    _drawn(lambda v: 0.5 * v), "½ log σ² is log σ: its exponential is the standard deviation."
                ),
                "turned round": Mistake(
                    _drawn(lambda v: (-0.5 * v).exp()),
                    "the sign of the exponent is wrong: a large variance must give a wide draw.",
                ),
                "twice": Mistake(
                    _drawn(lambda v: (2 * v).exp()),
                    "the exponent is 2 · log σ²: σ is the *root* of σ², a half and not two.",
                ),
                "no noise": Mistake(
                    _drawn(torch.zeros_like),
                    "this is always the mean: without the noise every sketch has one picture again.",
                ),
                "no mean": Mistake(
                    _drawn(lambda v: (0.5 * v).exp(), torch.zeros_like),
                    "the mean is left out: z must tell what the encoder has seen.",
                ),
                "subtracted": Mistake(
                    lambda m, v, eps: m - (0.5 * v).exp() * eps,
                    "the noise is taken off. It has the same distribution, but the gradient at log_variance has the wrong "
                    "sign for this eps: add it.",
                ),
                "cut off": Mistake(
                    _no_gradient,
                    "no gradient comes through to the encoder: z must be computed from mean and log_variance, without "
                    ".detach() and without torch.normal.",
                ),
                "noise alone": Mistake(
                    lambda m, v, eps: eps, "this is the noise alone: the encoder's words are not used."
                ),
            },
            seen=with_gradients,
            explain=_explain_draw,
            minutes=6,
            difficulty=2,
            praise="z has the right distribution, and gradients go through it.",
        ),
        Exercise(
            "receptive_field",
            receptive_field,
            _layer_cases,
            hints=(
                "Begin behind the last layer, where one logit sees one place: itself. Then go back layer by layer.",
                "r neighbouring outputs of a convolution with stride s start r − 1 strides apart, and the last one still sees "
                "k places.",
                "side = 1; for kernel, stride in reversed(layers): side = kernel + (side − 1) * stride.",
            ),
            mistakes={
                "from the front": Mistake(
                    _seen_by(lambda r, k, s: k + (r - 1) * s, order=list),
                    "you go from the first layer to the last: a stride enlarges what lies *behind* it, so begin with the "
                    "last layer.",
                ),
                "strides forgotten": Mistake(
                    _seen_by(lambda r, k, s: r + k - 1),
                    "the strides are not used: with a stride of 2, neighbours behind the layer lie two pixels apart in front "
                    "of it.",
                ),
                "one too many": Mistake(
                    _seen_by(lambda r, k, s: k + r * s),
                    "r outputs have r − 1 steps between them, not r.",
                ),
                "no overlap": Mistake(
                    _seen_by(lambda r, k, s: r * k),
                    "you multiply by the kernel: neighbouring windows overlap, as each lies only one stride further.",
                ),
                "times the stride": Mistake(
                    _seen_by(lambda r, k, s: r * s + k - 1),
                    "between r outputs lie r − 1 strides: k + (r − 1) · s, not (k − 1) + r · s.",
                ),
                "strides alone": Mistake(
                    _strides,
                    "this is how many pixels lie between two logits. What one of them *sees* depends on the kernels too.",
                ),
                "starts at 0": Mistake(
                    _seen_by(lambda r, k, s: k + (r - 1) * s, first=0),
                    "you begin with 0: behind the last layer a logit sees one place, itself.",
                ),
                "area": Mistake(
                    lambda layers: receptive_field(layers) ** 2,
                    "this is the number of pixels in the square: the side is asked for.",
                ),
            },
            minutes=8,
            difficulty=3,
            praise="It agrees with the library's, and with what a gradient finds.",
        ),
        Exercise(
            "cycle_loss",
            cycle_loss,
            _cycle_cases,
            hints=(
                "Nothing here is a pair. With what can a sketch be compared that went through both networks? With itself.",
                "painted = paint(sketches), drawn = draw(pictures). Then each takes the other way back.",
                "F.l1_loss(draw(painted), sketches), F.l1_loss(paint(drawn), pictures), painted, drawn.",
            ),
            mistakes={
                "as if paired": Mistake(
                    _there_and_back(
                        lambda s, p, painted, drawn, paint, draw: F.l1_loss(drawn, s),
                        lambda s, p, painted, drawn, paint, draw: F.l1_loss(painted, p),
                    ),
                    "you compare each with its neighbour of the other kind: those are of different pages, and no pair is known.",
                ),
                "squared": Mistake(
                    _there_and_back(
                        lambda s, p, painted, drawn, paint, draw: F.mse_loss(draw(painted), s),
                        lambda s, p, painted, drawn, paint, draw: F.mse_loss(paint(drawn), p),
                    ),
                    "this is the squared error: the absolute one is asked for, F.l1_loss.",
                ),
                "the sketch's way alone": Mistake(
                    _there_and_back(_back, _back),
                    "both terms are the sketch's: the pictures go there and back as well.",
                ),
                "the picture's way alone": Mistake(
                    _there_and_back(_again, _again),
                    "both terms are the picture's: the sketches go there and back as well.",
                ),
                "exchanged": Mistake(
                    _there_and_back(_back, _again, (1, 0, 2, 3)),
                    "the two errors have changed places: the sketches' comes first.",
                ),
                "middle exchanged": Mistake(
                    _there_and_back(_back, _again, (0, 1, 3, 2)),
                    "what lay between has changed places: paint(sketches) comes first, then draw(pictures).",
                ),
                "with the other's way": Mistake(
                    _there_and_back(
                        lambda s, p, painted, drawn, paint, draw: F.l1_loss(draw(painted), drawn),
                        lambda s, p, painted, drawn, paint, draw: F.l1_loss(paint(drawn), painted),
                    ),
                    "you compare what came back with what the other way made: a sketch must come back as itself.",
                ),
                "summed": Mistake(
                    _there_and_back(
                        lambda s, p, painted, drawn, paint, draw: (draw(painted) - s).abs().sum(),
                        lambda s, p, painted, drawn, paint, draw: (paint(drawn) - p).abs().sum(),
                    ),
                    "these are sums: take means, or a larger page counts for more.",
                ),
                "without the way": Mistake(
                    lambda s, p, paint, draw: cycle_loss(s, p, paint, draw)[:2],
                    "only the two errors come back: return what lay between as well, since the discriminators judge it.",
                ),
            },
            minutes=7,
            difficulty=2,
        ),
        Exercise(
            "policy_gradient_loss",
            policy_gradient_loss,
            _policy_cases,
            hints=(
                "An action that turned out better than expected should become more probable. Training makes a loss smaller.",
                "So log_prob times advantage is to become larger. What has to be made smaller, then? And what may the gradient "
                "go through?",
                "−(log_prob * advantage.detach()).mean().",
            ),
            mistakes=POLICY_MISTAKES,
            seen=with_gradients,
            explain=_explain_policy,
            minutes=7,
            difficulty=3,
        ),
    ],
)
