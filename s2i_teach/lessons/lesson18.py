"""Exercises of lesson 18, one process, three languages."""

import torch

from s2i_teach.lessons.engine import Exercise, Lesson, Mistake
from s2i_teach.theory.conversion import KINDS, convert, factors, ode_step
from s2i_teach.theory.score import mixture_log_density, mixture_score
from s2i_teach.theory.solvers import heun_step, slope


def _mixture_cases(generator):
    for points, centres, dimensions, sigma in ((6, 3, 2, 0.6), (4, 5, 2, 1.4), (3, 2, 1, 0.35), (5, 7, 3, 0.9)):
        x = torch.randn(points, dimensions, generator=generator)
        yield x, torch.randn(centres, dimensions, generator=generator), sigma


def _levels(generator):
    """A shape, and (α, σ) before and after a step, in the three languages."""
    for a, a_prev in ((0.3, 0.6), (0.02, 0.1), (0.9, 1.0)):
        yield (3, 2), a**0.5, (1 - a) ** 0.5, a_prev**0.5, (1 - a_prev) ** 0.5
    for t, t_next in ((0.8, 0.5), (0.3, 0.0)):
        yield (2, 3, 4, 4), 1 - t, t, 1 - t_next, t_next
    yield (5, 2), 1.0, 3.0, 1.0, 1.2


def _step_cases(generator):
    for shape, *levels in _levels(generator):
        yield torch.randn(shape, generator=generator), torch.randn(shape, generator=generator), *levels


def _convert_cases(generator):
    # The first case that a wrong answer fails decides its message: this order keeps the mistakes apart longest.
    kinds = ("epsilon", "flow_prediction", "v_prediction", "sample")
    assert set(kinds) == set(KINDS)
    for alpha, sigma in ((0.6, 0.8), (0.7, 0.3), (1.0, 2.5)):
        for wanted in kinds:
            for kind in kinds:
                prediction = torch.randn(3, 2, generator=generator)
                yield prediction, kind, wanted, torch.randn(3, 2, generator=generator), alpha, sigma


def _shrink(x, sigma):
    return 0.25 / (0.25 + sigma**2) * x


def _bend(x, sigma):
    return torch.tanh(x / (1 + sigma)) + 0.3 * sigma


def _heun_cases(generator):
    for denoise in (_bend, _shrink):
        for sigma, sigma_next in ((3.0, 1.2), (0.8, 0.5), (0.4, 0.0)):
            yield denoise, torch.randn(4, 2, generator=generator), sigma, sigma_next


# Variants of the answers, for the mistakes


def _mixture(power=2, half=2.0, sign=1, shares=None, outside=2, total=torch.sum):
    """``mixture_score`` with something changed; ``shares`` gives the weights from ‖c − x‖² and σ."""

    def variant(x, centres, sigma):
        arrows = centres - x[:, None]
        squares = arrows.pow(2).sum(2)
        share = (shares or (lambda s, sigma: torch.softmax(-s / (half * sigma**power), dim=1)))(squares, sigma)
        return sign * total(share[:, :, None] * arrows, dim=1) / sigma**outside

    return variant


def _without_gradients(function):
    """The same function where autograd is off: an answer that asks it for the gradient raises."""

    def run(*arguments):
        with torch.inference_mode():
            return function(*arguments)

    return run


def _by_autograd(x, centres, sigma):
    leaf = x.clone().requires_grad_(True)
    return torch.autograd.grad(mixture_log_density(leaf, centres, sigma).sum(), leaf)[0]


def _nearest(x, centres, sigma):
    arrows = centres - x[:, None]
    return arrows[torch.arange(len(x)), arrows.pow(2).sum(2).argmin(1)] / sigma**2


def _not_normalised(x, centres, sigma):
    arrows = centres - x[:, None]
    bells = torch.exp(-arrows.pow(2).sum(2) / (2 * sigma**2))
    return (bells[:, :, None] * arrows).sum(1) / sigma**2


def _of_the_density(x, centres, sigma):
    arrows = centres - x[:, None]
    bells = torch.exp(-arrows.pow(2).sum(2) / (2 * sigma**2)) / (2 * torch.pi * sigma**2) ** (x.shape[1] / 2)
    return (bells[:, :, None] * arrows).mean(1) / sigma**2


def _the_guess(x, centres, sigma):
    return x + sigma**2 * mixture_score(x, centres, sigma)


def _heun(base=lambda x, euler: x, where=lambda x, euler: euler, asked=None, divided=None, weights=(0.5, 0.5)):
    def variant(denoise, x, sigma, sigma_next):
        here, length = slope(denoise, x, sigma), sigma_next - sigma
        euler = x + length * here
        if sigma_next == 0:
            return euler
        place = where(x, euler)
        guess = denoise(place, asked(sigma, sigma_next) if asked else sigma_next)
        there = (place - guess) / (divided(sigma, sigma_next) if divided else sigma_next)
        return base(x, euler) + length * (weights[0] * here + weights[1] * there)

    return variant


def _heun_added(together):
    """``heun_step`` with another way to put the length and the two slopes together."""

    def variant(denoise, x, sigma, sigma_next):
        here, length = slope(denoise, x, sigma), sigma_next - sigma
        euler = x + length * here
        return x + together(length, here, slope(denoise, euler, sigma_next)) if sigma_next else euler

    return variant


def _x_for_the_end(denoise, x, sigma, sigma_next):
    here, length = slope(denoise, x, sigma), sigma_next - sigma
    euler = x + length * here
    return x + length * (here + (x - denoise(euler, sigma_next)) / sigma_next) / 2 if sigma_next else euler


def _no_last_step(denoise, x, sigma, sigma_next):
    here = slope(denoise, x, sigma)
    euler = x + (sigma_next - sigma) * here
    there = (euler - denoise(euler, sigma_next)) / torch.tensor(sigma_next)
    return x + (sigma_next - sigma) * (here + there) / 2


def _midpoint(denoise, x, sigma, sigma_next):
    length, middle = sigma_next - sigma, (sigma + sigma_next) / 2
    return x + length * slope(denoise, x + length / 2 * slope(denoise, x, sigma), middle)


def _upwards(denoise, x, sigma, sigma_next):
    length, here = sigma - sigma_next, slope(denoise, x, sigma)
    end = x + length * here
    return x + length * (here + slope(denoise, end, sigma_next)) / 2 if sigma_next else end


def _stays_at_0(denoise, x, sigma, sigma_next):
    return heun_step(denoise, x, sigma, sigma_next) if sigma_next else x


def _solve(both_of):
    """``convert`` with another denominator."""

    def variant(prediction, kind, wanted, x_t, alpha, sigma):
        a, b = factors(kind, alpha, sigma)
        both = both_of(a, b, alpha, sigma)
        c, d = factors(wanted, alpha, sigma)
        return c * (b * x_t - sigma * prediction) / both + d * (alpha * prediction - a * x_t) / both

    return variant


def _with_table(**changed):
    """``convert`` with other factors for some kinds: name → (a, b) as a function of α and σ."""

    def look(kind, alpha, sigma):
        return changed[kind](alpha, sigma) if kind in changed else factors(kind, alpha, sigma)

    def variant(prediction, kind, wanted, x_t, alpha, sigma):
        a, b = look(kind, alpha, sigma)
        both = alpha * b - sigma * a
        x0, eps = (b * x_t - sigma * prediction) / both, (alpha * prediction - a * x_t) / both
        c, d = look(wanted, alpha, sigma)
        return c * x0 + d * eps

    return variant


def _as_if_unit_variance(prediction, kind, wanted, x_t, alpha, sigma):
    if kind != "v_prediction":
        return convert(prediction, kind, wanted, x_t, alpha, sigma)
    x0, eps = alpha * x_t - sigma * prediction, sigma * x_t + alpha * prediction
    c, d = factors(wanted, alpha, sigma)
    return c * x0 + d * eps


def _as_if_unit_sum(noise):
    """``convert`` with x_0 = x_t − σ · u for rectified flow's velocity u, and ``noise`` for ε."""

    def variant(prediction, kind, wanted, x_t, alpha, sigma):
        if kind != "flow_prediction":
            return convert(prediction, kind, wanted, x_t, alpha, sigma)
        x0 = x_t - sigma * prediction
        c, d = factors(wanted, alpha, sigma)
        return c * x0 + d * noise(prediction, x_t, x0, alpha)

    return variant


def _noise_upside_down(prediction, kind, wanted, x_t, alpha, sigma):
    a, b = factors(kind, alpha, sigma)
    both = alpha * b - sigma * a
    c, d = factors(wanted, alpha, sigma)
    return c * (b * x_t - sigma * prediction) / both + d * (a * x_t - alpha * prediction) / both


def _step(change):
    """``ode_step`` with x̄, the length of the step and the next α changed."""

    def variant(x_t, eps, alpha, sigma, alpha_next, sigma_next):
        bar, length, back = change(x_t, alpha, sigma, alpha_next, sigma_next)
        return back * (bar + length * eps)

    return variant


LESSON = Lesson(
    18,
    "One process, three languages",
    [
        Exercise(
            "mixture_score",
            mixture_score,
            _mixture_cases,
            hints=(
                "∇ log p = ∇p / p. The gradient of one bell curve is (c − x) / σ² times the bell curve itself.",
                "So the score is Σ w · (c − x) / σ², where w is each bell curve over the sum of all: p(c given x).",
                "arrows = centres - x[:, None] is (B, N, D). Its squared lengths are arrows.pow(2).sum(2), (B, N).",
                "torch.softmax(-squares / (2 * sigma**2), dim=1) are the weights. Give them a third axis with "
                "[:, :, None], multiply the arrows and add up along axis 1.",
            ),
            mistakes={
                "sign": Mistake(
                    _mixture(sign=-1),
                    "your arrows point away from the data: the score points to where the density grows, c − x.",
                ),
                "equal shares": Mistake(
                    _mixture(shares=lambda s, sigma: torch.ones_like(s) / s.shape[1]),
                    "all centres count equally here: near ones count more, by the share of their bell curve.",
                ),
                "nearest": Mistake(
                    _nearest, "this is the arrow to the nearest centre alone: all centres count, each by its share."
                ),
                "not normalised": Mistake(
                    _not_normalised,
                    "your weights do not add up to 1: divide each bell curve by the sum of all. "
                    "It is the gradient of *log* p.",
                ),
                "gradient of p": Mistake(
                    _of_the_density, "this is the gradient of p itself: the score is the gradient of log p, ∇p / p."
                ),
                "softmax over points": Mistake(
                    _mixture(shares=lambda s, sigma: torch.softmax(-s / (2 * sigma**2), dim=0)),
                    "the shares add up to 1 over the points x: for each x they add up to 1 over the centres, dim=1.",
                ),
                "no width": Mistake(
                    _mixture(shares=lambda s, sigma: torch.softmax(-s, dim=1)),
                    "the weights do not know σ: in the exponent the square is divided by 2σ².",
                ),
                "not squared": Mistake(
                    _mixture(shares=lambda s, sigma: torch.softmax(-s.sqrt() / (2 * sigma**2), dim=1)),
                    "in the exponent stands the distance to a centre where its square belongs.",
                ),
                "far ones": Mistake(
                    _mixture(shares=lambda s, sigma: torch.softmax(s / (2 * sigma**2), dim=1)),
                    "the far centres count most here: the exponent has a minus.",
                ),
                "mean over centres": Mistake(
                    _mixture(total=torch.mean),
                    "you take the mean over the centres: the shares add up to 1 already, so add the arrows up.",
                ),
                "variance": Mistake(
                    _mixture(power=1, outside=1), "σ is taken for the variance: the variance of each bell curve is σ²."
                ),
                "autograd": Mistake(
                    _by_autograd,
                    "autograd is off here: derive the gradient on paper, and write down what you found.",
                ),
                "no 2": Mistake(_mixture(half=1.0), "in the exponent the square is divided by 2σ²: your 2 is missing."),
                "sigma in the exponent": Mistake(
                    _mixture(power=1), "in the exponent stands σ where σ² belongs: the bell curve has the variance σ²."
                ),
                "sigma outside": Mistake(
                    _mixture(outside=1), "you divide by σ: the gradient of (x − c)²/(2σ²) is (x − c)/σ²."
                ),
                "not divided": Mistake(
                    _mixture(outside=0), "this is the mean arrow to the data: the score is it, divided by σ²."
                ),
                "guess": Mistake(
                    _the_guess,
                    "this is the guessed centre E[c given x] itself: the score is the arrow to it from x, over σ².",
                ),
            },
            minutes=12,
            difficulty=3,
            seen=_without_gradients,
            praise="It agrees with the gradient of log p, and no gradient was taken.",
        ),
        Exercise(
            "ode_step",
            ode_step,
            _step_cases,
            hints=(
                "Three lines: to x̄ by dividing by α, one straight step in x̄, back by multiplying with the next α.",
                "The slope is dx̄/dσ̄ = ε̂. The step is as long as the change of σ̄, and σ̄ is σ / α at each end.",
                "alpha_next * (x_t / alpha + (sigma_next / alpha_next - sigma / alpha) * eps)",
            ),
            mistakes={
                "no scaling": Mistake(
                    _step(lambda x, a, s, b, r: (x, r / b - s / a, 1.0)),
                    "x_t is taken for x̄: divide it by α before the step, and multiply by the next α after it.",
                ),
                "not back": Mistake(
                    _step(lambda x, a, s, b, r: (x / a, r / b - s / a, 1.0)),
                    "this is x̄ at the end of the step: multiply it by the next α.",
                ),
                "back with the old alpha": Mistake(
                    _step(lambda x, a, s, b, r: (x / a, r / b - s / a, a)),
                    "you go back with the α of the start: the picture is at the next α now.",
                ),
                "sigma for its ratio": Mistake(
                    _step(lambda x, a, s, b, r: (x / a, r - s, b)),
                    "the step's length is the change of σ: it is the change of σ̄ = σ / α.",
                ),
                "backwards": Mistake(
                    _step(lambda x, a, s, b, r: (x / a, s / a - r / b, b)),
                    "the step goes the wrong way: σ̄ at the end minus σ̄ at the start, which is below 0.",
                ),
                "one alpha": Mistake(
                    _step(lambda x, a, s, b, r: (x / a, (r - s) / a, b)),
                    "both σ are divided by the first α: each σ̄ has the α of its own end.",
                ),
                "squares": Mistake(
                    _step(lambda x, a, s, b, r: (x / a, (r / b) ** 2 - (s / a) ** 2, b)),
                    "you take the change of σ̄²: the slope is that by σ̄ itself.",
                ),
                "to the end": Mistake(
                    _step(lambda x, a, s, b, r: (x / a, -s / a, b)),
                    "this goes the whole way to σ̄ = 0: the step ends at the next σ̄.",
                ),
                "picture": Mistake(
                    _step(lambda x, a, s, b, r: (x / a, -s / a, 1.0)),
                    "this is the guessed picture: the step ends at the next σ̄, and x̄ there is multiplied by the next α.",
                ),
                "no alpha": Mistake(
                    _step(lambda x, a, s, b, r: (x, r - s, 1.0)),
                    "no α is used: this is EDM's step, and right where both α are 1.",
                ),
                "divided at the end": Mistake(
                    _step(lambda x, a, s, b, r: (x / a, r / b - s / a, 1 / b)),
                    "you divide by the next α at the end: x̄ is x / α, so x is α times x̄.",
                ),
                "eps divided": Mistake(
                    _step(lambda x, a, s, b, r: (x / a, (r / b - s / a) / a, b)),
                    "the slope is divided by α as well: dx̄/dσ̄ is ε̂ as it is.",
                ),
                "only x brought back": Mistake(
                    _step(lambda x, a, s, b, r: (x / a, (r / b - s / a) / b, b)),
                    "only x / α is multiplied by the next α: put the whole sum in parentheses.",
                ),
            },
            minutes=8,
            difficulty=2,
            praise="One line, and it is DDIM, rectified flow's step and EDM's.",
        ),
        Exercise(
            "convert",
            convert,
            _convert_cases,
            hints=(
                "Each row of the table is p = a · x_0 + b · ε. Together with x_t = α · x_0 + σ · ε these are two "
                "equations with two unknowns. Solve them on paper, once, with letters.",
                "Multiply the first by σ and the second by b, and subtract: ε is gone. "
                "x_0 = (b · x_t − σ · p) / (α · b − σ · a).",
                "In the same way ε = (α · p − a · x_t) / (α · b − σ · a).",
                "a, b = factors(kind, alpha, sigma), then x_0 and ε, then c, d = factors(wanted, alpha, sigma) "
                "and c · x_0 + d · ε.",
            ),
            mistakes={
                "only the noise": Mistake(
                    lambda prediction, kind, wanted, x_t, alpha, sigma: convert(
                        prediction, kind, "epsilon", x_t, alpha, sigma
                    ),
                    "you always answer with ε: the answer is c · x_0 + d · ε, with c and d of what is wanted.",
                ),
                "handed on": Mistake(
                    lambda prediction, kind, wanted, x_t, alpha, sigma: prediction,
                    "you hand the prediction on as it came: that is right only where kind and wanted are the same.",
                ),
                "unknowns swapped": Mistake(
                    lambda prediction, kind, wanted, x_t, alpha, sigma: convert(
                        prediction, kind, wanted, x_t, sigma, alpha
                    ),
                    "x_0 and ε have changed places: x_t = α · x_0 + σ · ε, and p = a · x_0 + b · ε.",
                ),
                "unit variance": Mistake(
                    _as_if_unit_variance,
                    "your rule for v holds where α² + σ² = 1 only: in general divide by α² + σ².",
                ),
                "unit sum": Mistake(
                    _as_if_unit_sum(lambda prediction, x_t, x0, alpha: x_t + alpha * prediction),
                    "your rule for rectified flow's velocity holds where α + σ = 1 only: in general divide by α + σ.",
                ),
                "unit sum for the picture": Mistake(
                    _as_if_unit_sum(lambda prediction, x_t, x0, alpha: x0 + prediction),
                    "your x_0 from rectified flow's velocity holds where α + σ = 1 only: in general divide by α + σ.",
                ),
                "only the picture": Mistake(
                    lambda prediction, kind, wanted, x_t, alpha, sigma: convert(
                        prediction, kind, "sample", x_t, alpha, sigma
                    ),
                    "you always answer with x_0: the answer is c · x_0 + d · ε, with c and d of what is wanted.",
                ),
                "the other way": Mistake(
                    lambda prediction, kind, wanted, x_t, alpha, sigma: convert(
                        prediction, wanted, kind, x_t, alpha, sigma
                    ),
                    "kind and wanted have changed places: the prediction is of the kind, the answer is what is wanted.",
                ),
                "one velocity": Mistake(
                    _with_table(v_prediction=lambda alpha, sigma: (-1.0, 1.0)),
                    "you take v for rectified flow's velocity: v = α · ε − σ · x_0.",
                ),
                "the other velocity": Mistake(
                    _with_table(flow_prediction=lambda alpha, sigma: (-sigma, alpha)),
                    "you take rectified flow's velocity for v: it is ε − x_0, whatever α and σ are.",
                ),
                "the noise's sign": Mistake(
                    _noise_upside_down, "your ε has the opposite sign: ε = (α · p − a · x_t) / (α · b − σ · a)."
                ),
                "v's sign": Mistake(
                    _with_table(v_prediction=lambda alpha, sigma: (sigma, -alpha)),
                    "your v has the opposite sign: v = α · ε − σ · x_0.",
                ),
                "v's factors": Mistake(
                    _with_table(v_prediction=lambda alpha, sigma: (-alpha, sigma)),
                    "in your v the factors have changed places: v = α · ε − σ · x_0.",
                ),
                "velocity's sign": Mistake(
                    _with_table(flow_prediction=lambda alpha, sigma: (1.0, -1.0)),
                    "your velocity points from noise to picture: here it is ε − x_0, as t grows towards the noise.",
                ),
                "determinant": Mistake(
                    _solve(both_of=lambda a, b, alpha, sigma: alpha * b + sigma * a),
                    "the denominator is α · b − σ · a, with a minus.",
                ),
                "not divided": Mistake(
                    _solve(both_of=lambda a, b, alpha, sigma: 1.0),
                    "the denominator is missing: α · b − σ · a is not 1 for every kind.",
                ),
            },
            minutes=10,
            difficulty=3,
            tolerance=1e-4,
        ),
        Exercise(
            "heun_step",
            heun_step,
            _heun_cases,
            hints=(
                "here = slope(denoise, x, sigma), and euler = x + (sigma_next − sigma) · here.",
                "If sigma_next is 0, give euler back. Else there = slope(denoise, euler, sigma_next).",
                "The step starts at x again, and walks along the mean of the two slopes.",
            ),
            mistakes={
                "old sigma in the slope": Mistake(
                    _heun(divided=lambda sigma, sigma_next: sigma),
                    "the second slope is divided by the first σ: there the noise is σ_next. It is the "
                    "bug of section 9.",
                ),
                "old sigma asked": Mistake(
                    _heun(asked=lambda sigma, sigma_next: sigma),
                    "the denoiser is asked about the second point with the first σ: tell it σ_next.",
                ),
                "old sigma twice": Mistake(
                    _heun(asked=lambda sigma, sigma_next: sigma, divided=lambda sigma, sigma_next: sigma),
                    "the second slope is taken at the first σ altogether: both its σ are σ_next.",
                ),
                "same place": Mistake(
                    _heun(where=lambda x, euler: x),
                    "the second slope is taken at x: take it where Euler's step ends.",
                ),
                "from the end": Mistake(
                    _heun(base=lambda x, euler: euler),
                    "the step goes on from Euler's point: it starts at x again, with the better slope.",
                ),
                "x for the end": Mistake(
                    _x_for_the_end,
                    "the second slope is measured from x: its x and its guess both belong to where Euler's step ends.",
                ),
                "no parentheses": Mistake(
                    _heun_added(lambda length, here, there: length * here + there / 2),
                    "only the second slope is halved, and it lacks the length: put the sum of the slopes in parentheses.",
                ),
                "half of one": Mistake(
                    _heun(weights=(1.0, 0.5)), "only the second slope is halved: the mean halves both."
                ),
                "stays at 0": Mistake(
                    _stays_at_0, "where σ_next is 0 you give x back as it came: give Euler's step there."
                ),
                "sum": Mistake(_heun(weights=(1.0, 1.0)), "the two slopes are added: take their mean."),
                "second alone": Mistake(
                    _heun(weights=(0.0, 1.0)), "only the second slope counts here: take the mean of both."
                ),
                "Euler": Mistake(
                    lambda denoise, x, sigma, sigma_next: x + (sigma_next - sigma) * slope(denoise, x, sigma),
                    "this is Euler's step: Heun's asks a second time, where Euler's ends.",
                ),
                "midpoint": Mistake(
                    _midpoint,
                    "this is the midpoint rule, of order 2 as well: Heun's asks at the end of the step.",
                ),
                "divides by zero": Mistake(
                    _no_last_step, "where σ_next is 0 the second slope divides by 0: give Euler's step back there."
                ),
                "wrong way": Mistake(_upwards, "the step goes the wrong way: its length is σ_next − σ, below 0."),
            },
            minutes=10,
            difficulty=3,
            praise="Twice the work for each step, and an error that falls with the square.",
        ),
    ],
)
