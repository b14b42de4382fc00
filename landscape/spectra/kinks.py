"""Where the loss has a relu kink: distance to it, and one-sided curvatures across it.

Automatic differentiation returns a number at a kink, but not a curvature. There the loss is
positively homogeneous of degree two along rays without being quadratic, so its curvature is asked
for one ray at a time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import jvp, vmap

from landscape.models.parameters import Coordinates, call, frozen, in_float64, split
from landscape.models.protocols import Kinked, Readable
from landscape.models.representation import KINK, jump_at_zero_embedding
from landscape.numerics.differentiation import FORWARD_MODE
from landscape.objectives.protocol import LONGEST_EXACT, Objective, chunk_of
from landscape.spectra.operators import RAY_STEP, curvatures_along_rays, gradient

EPS = torch.finfo(torch.float64).eps

MOST_PLACES, MOST_DIRECTIONS = 4096, 16
"""Kinks that are looked at, and directions that are listed: a transformer at E = 0 may have one for
nearly every unit and context, and each takes eight second derivatives of the loss, or sixteen."""

REACHED = 1e-6
"""By how much a limit may change with a step four times as large: its error is O(h^4) without a
kink in between, and a curvature's difference across one."""

TOGETHER = 2**18
"""Predictions of the second derivatives that are formed at once."""


def may_kink(model: nn.Module) -> bool:
    """Whether a model tells of relu units; one that says it is `smooth` has none.

    >>> from landscape.models import GPT
    >>> [may_kink(GPT(width=2, length=2, activation=name)) for name in ("gelu", "relu")]
    [False, True]
    """
    return isinstance(model, Kinked) and not getattr(model, "smooth", False)


@dataclass(frozen=True)
class OneSided:
    """Curvatures of the loss along +v and -v, per unit length squared, at a kink.

    ``plus = lim_{t->0+} d^2/dt^2 L(theta + t v)``, `minus` the same along -v. `direction` is the
    unit vector v in parameter space, [D].
    """

    minus: float
    plus: float
    direction: Float[Tensor, " D"]


def preactivations(
    model: nn.Module, params: Mapping[str, Tensor], length: int
) -> Float[Tensor, "contexts r"] | None:
    """Pre-activations of the units that matter, after every context.

    None without relu units, and where there are too many contexts to look at each.
    """
    if not isinstance(model, Kinked) or not may_kink(model):
        return None
    if model.states**length > 2**LONGEST_EXACT:
        return None
    values: Tensor = call(model, in_float64(params), "context_preactivations", length)
    return values if values.numel() else None


def at_kink(values: Float[Tensor, "contexts r"] | None) -> bool:
    """Whether a pre-activation is 0 to rounding, relative to the largest of them."""
    if values is None:
        return False
    size = values.abs()
    return bool(size.min() <= 16 * EPS * size.max())


def own_jump(model: nn.Module, params: Mapping[str, Tensor], length: int) -> float | None:
    """The relative jump of a slope at a unigram point, of a model that tells of no relu units.

    A kink of one's own relu, absolute value or maximum shows in difference quotients alone; they
    are taken where the embedding is 0. None for a model that tells of its units, or says that it is
    smooth, and at any other point.
    """
    return None if isinstance(model, Kinked) else jump_at_zero_embedding(model, params, length)


JUMP_STEPS = (2.0**-17, 2.0**-21)
"""Of the difference quotients that find a kink at a point: it is there at every step, another one
nearby is not. Of float64, round-off leaves 1e-9 of a curvature, truncation h^2 of it."""

JUMP_DIRECTIONS = 4
"""Random directions across which a kink is looked for: almost every one leads across."""


def slope_jump(model: nn.Module, objective: Objective, params: Mapping[str, Tensor]) -> float:
    """By how much the curvatures to both sides of a point differ, relative to the larger one or 1.

    With g the gradient and d(h) = <v, g(theta + h v) - 2 g(theta) + g(theta - h v)>/h, that is
    |2 d(h/2) - d(h)| for random unit v: 0 to rounding where the loss is smooth. Where a slope or a
    curvature jumps, as at the kink of a relu, an absolute value or a maximum, it is not small.
    """
    params = in_float64(params)
    moving, held = split(model, params)
    axes = Coordinates.of(moving)
    point = axes.vector(moving)
    generator = torch.Generator().manual_seed(3)

    def slope(vector: Tensor) -> Tensor:
        return gradient(model, objective, {**held, **axes.params(vector)})[0]

    here, largest = slope(point), 0.0
    for _ in range(JUMP_DIRECTIONS):
        drawn = torch.randn(axes.size, generator=generator, dtype=torch.float64).to(point)
        v = drawn / drawn.norm()

        def sides(h: float, v: Tensor = v) -> tuple[float, float]:
            ends = ((slope(point + s * h * v) - here) @ v / (s * h) for s in (1, -1))
            plus, minus = ends
            return float(plus), float(minus)

        found = []
        for h in JUMP_STEPS:
            (plus, minus), (near_plus, near_minus) = sides(h), sides(h / 2)
            size = max(1.0, abs(near_plus), abs(near_minus))
            found.append(abs(2 * (near_plus - near_minus) - (plus - minus)) / size)
        largest = max(largest, min(found))
    return largest


def curvature_along_ray(
    model: nn.Module,
    objective: Objective,
    params: Mapping[str, Tensor],
    direction: Float[Tensor, " D"],
    *,
    step: float = RAY_STEP,
) -> float:
    """lim_{t->0+} d^2/dt^2 L(theta + t v) at one point: see `curvatures_along_rays`."""
    params = in_float64(params)
    axes = Coordinates.of(params)
    points = axes.vector(params)[None]
    chunk = chunk_of(model, objective, TOGETHER)
    return curvatures_along_rays(
        lambda v: objective(model, axes.params(v)), points, direction, step=step, chunk=chunk
    ).item()


def one_sided_curvatures(
    model: nn.Module, objective: Objective, params: Mapping[str, Tensor]
) -> list[OneSided]:
    """One-sided curvatures along the embedding directions that open or close a kinked unit.

    For each relu unit whose pre-activation is 0 after some context, v is the gradient of that
    pre-activation with respect to the token embedding, normalised: moving along +v opens the unit,
    along -v closes it. With a readout of its own the loss is flat along the embedding alone, so
    embedding and readout then move together, along (v, v)/sqrt(2) and (v, -v)/sqrt(2). Equal
    directions are listed once. Of many, those of the shortest contexts are listed,
    `MOST_DIRECTIONS` of the first `MOST_PLACES` kinks. Empty away from kinks, and where the
    embedding moves no kinked unit.

    A model that does not tell of its units has its kink at zero embedding alone looked for
    (`own_jump`). There v goes through the coordinates of the embedding, as many are listed, and
    none where another kink lies so near that the limits are not reached.
    """
    jump = own_jump(model, params, objective.length)
    if jump is not None and jump > KINK:
        return _along_coordinates(model, objective, params)
    values = preactivations(model, params, objective.length)
    if values is None or not at_kink(values) or not isinstance(model, Kinked):
        return []
    names = _moving(model, params)
    if names is None:
        return []
    params, embedding = in_float64(params), names[0]
    places = (values.abs() <= 16 * EPS * values.abs().max()).nonzero()[:MOST_PLACES].unbind(1)

    def opening(moved: Tensor) -> Tensor:
        name = "context_preactivations"
        shifted: Tensor = call(model, {**params, embedding: moved}, name, objective.length)
        return shifted[places]

    def derivative(direction: Tensor) -> Tensor:
        along: Tensor = jvp(opening, (params[embedding],), (direction,))[1]
        return along

    size = params[embedding].numel()
    units = torch.eye(size, dtype=torch.float64, device=values.device)
    together = max(1, 2**LONGEST_EXACT // len(values))
    with FORWARD_MODE:
        slopes = vmap(derivative, chunk_size=together)(
            units.reshape(size, *params[embedding].shape)
        ).T
    slopes = slopes[slopes.norm(dim=1) > 0]
    slopes = slopes / slopes.norm(dim=1, keepdim=True)
    found: list[OneSided] = []
    listed = 0
    while len(slopes) and listed < MOST_DIRECTIONS:
        listed, slope = listed + 1, slopes[0]
        slopes = slopes[(slopes @ slope).abs() <= 1 - 1e-9]
        for direction in _with_readout(names, params, slope.reshape(params[embedding].shape)):
            plus = curvature_along_ray(model, objective, params, direction)
            minus = curvature_along_ray(model, objective, params, -direction)
            found.append(OneSided(minus, plus, direction))
    return found


def _moving(model: nn.Module, params: Mapping[str, Tensor]) -> tuple[str, str | None] | None:
    """Names of the embedding, and of a readout that moves beside it; None if it is frozen."""
    assert isinstance(model, Kinked | Readable)  # or no kink was found
    held = frozen(model)
    embedding, readout = (
        None if name in held or name not in params else name
        for name in (model.embedding_name, model.readout_name)
    )
    if embedding is None:
        return None
    return embedding, None if readout == embedding else readout


def _with_readout(
    names: tuple[str, str | None], params: Mapping[str, Tensor], moved: Tensor
) -> Iterator[Float[Tensor, " D"]]:
    """Unit directions in which the embedding moves, and an untied readout by as much with it."""
    embedding, readout = names
    for sign in (1,) if readout is None else (1, -1):
        moves = {name: torch.zeros_like(value) for name, value in params.items()}
        moves[embedding] = moved
        if readout is not None:
            moves[readout] = sign * moved
        direction = Coordinates.of(params).vector(moves)
        yield direction / direction.norm()


def _along_coordinates(
    model: nn.Module, objective: Objective, params: Mapping[str, Tensor]
) -> list[OneSided]:
    names = _moving(model, params)
    if names is None:
        return []
    params = in_float64(params)
    like = params[names[0]]
    found: list[OneSided] = []
    for unit in torch.eye(like.numel()).to(like)[:MOST_DIRECTIONS]:
        for direction in _with_readout(names, params, unit.reshape(like.shape)):
            sides = []
            for v in (-direction, direction):
                near, far = (
                    curvature_along_ray(model, objective, params, v, step=step)
                    for step in (RAY_STEP / 4, RAY_STEP)
                )
                if not abs(near - far) <= REACHED * max(1.0, abs(near)):
                    return []
                sides.append(near)
            found.append(OneSided(sides[0], sides[1], direction))
    return found[:MOST_DIRECTIONS]
