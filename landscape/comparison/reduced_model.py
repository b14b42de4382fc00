"""The gradient flow of the reduced loss, integrated, beside theory's energy and basins.

Theory gives the vector field and, separately, what its flows do; the integration knows the field
alone. Where a flow ended is read off the point that it reached, never off theory's basins.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float

from landscape.numerics.integration import Orbit, follow
from landscape.slices.loss_slice import LossSlice
from landscape.sources import MarkovSource, TwoState
from theory.chain.binary import entropy_rate, unigram_entropy
from theory.exact import Number, probability
from theory.numeric import function
from theory.reduced import flow
from theory.reduced.basins import basin, energy_at, separatrix
from theory.reduced.critical_points import bigram_set
from theory.reduced.flow import energy
from theory.reduced.loss import best_bias, best_logit, loss_at_best_bias, reduced_loss
from theory.symbols import b, e, p, q, s, tau, w
from theory.transformer.forward import reduced_logit

__all__ = ["DRIFT_TOLERANCE", "LONGEST", "ReducedFlow", "allowed_drift", "closed", "reduced_flow"]

LONGEST = {False: 1e9, True: 1e6}
"""Time within which a flow must settle unless told otherwise, by whether p + q = 1: there e falls
as t^(-1/2), and in any time it only comes nearer."""

DRIFT_TOLERANCE = 1e-9
"""How far the energy may drift. So much of it cannot be resolved either: a start this close to the
separatrix is not held against theory."""

NEAR = 0.1
"""Nearness in the gap s, as a share of s*, at which an equilibrium belongs to a set. The equilibria
have s = 0 or s = s* and nothing between."""


@dataclass(frozen=True)
class ReducedFlow:
    """A flow from (e, w), or from (e, w, b), and what theory says of it.

    Fields:
        endpoint: (e, w, b) where it was left.
        loss: there, in nats.
        unigram_loss, bigram_loss: H_u and H_b, in nats.
        basin: 'unigram' or 'bigram', the set on which it settled; None if it has not settled, or
            at p + q = 1, where the two are one.
        basin_by_theory: the same from the closed form; None where that is silent: with a free
            bias, at p + q = 1, and within `allowed_drift` of the separatrix.
        energy: at the start; None at w = 0, where it is infinite, and with a free bias.
        energy_drift: the largest deviation from it at any step; None as the energy is.
        separatrix: e_sep at the start's w; None for w >= 0 and with a free bias.
        free: whether b flows too, or follows e and w at its best value.
        degenerate: whether p + q = 1.
        orbit: the steps, [K, 2] or [K, 3].
    """

    endpoint: tuple[float, float, float]
    loss: float
    unigram_loss: float
    bigram_loss: float
    basin: str | None
    basin_by_theory: str | None
    energy: float | None
    energy_drift: float | None
    separatrix: float | None
    free: bool
    degenerate: bool
    orbit: Orbit

    @property
    def refuted(self) -> bool:
        """Whether theory and integration name different basins."""
        return None not in (self.basin, self.basin_by_theory) and self.basin != self.basin_by_theory

    @property
    def drifted(self) -> bool:
        """Whether the energy was lost by more than `allowed_drift`."""
        if self.energy_drift is None:
            return False
        return not self.energy_drift <= allowed_drift(*self.orbit.points[0, :2].tolist())


def allowed_drift(e: float, w: float) -> float:
    """`DRIFT_TOLERANCE`, or far out 1e-11 of e^2 + w^2: relative errors of thousands of steps.

    >>> allowed_drift(3.0, -3.0), round(allowed_drift(1e3, 0.0), 9)
    (1e-09, 1e-05)
    """
    return max(DRIFT_TOLERANCE, 1e-11 * (e**2 + w**2))


def reduced_flow(
    p: Number,
    q: Number,
    e: float,
    w: float,
    b: float | None = None,
    *,
    time: float | None = None,
    stop: bool = True,
) -> ReducedFlow:
    """Follow minus the gradient of the reduced loss from (e, w), or from (e, w, b).

    Arguments:
        p, q: probabilities in (0, 1), taken as the decimals they were written as.
        e, w: the start; e < 0 is the transformer's mirror branch.
        b: the bias at the start, which then flows too; None keeps it at its best value.
        time: the longest time to follow; None is that of `LONGEST`.
        stop: False goes on to the end of the time after the flow has settled.

    Raises ValueError for p or q outside (0, 1), a start that is not finite or too far out for
    floats, or a time that is not positive; ArithmeticError where the steps cannot be continued.

    >>> found = reduced_flow(0.9, 0.9, 0.7, -0.3)
    >>> found.basin, found.basin_by_theory, found.energy_drift < 1e-9
    ('bigram', 'bigram', True)
    >>> reduced_flow(0.9, 0.9, 0.7, -0.3, -1.0).basin
    'unigram'
    """
    up, down = probability("p", p), probability("q", q)
    start = {"e": e, "w": w} | ({} if b is None else {"b": b})
    for name, value in start.items():
        if not math.isfinite(value):
            raise ValueError(f"{name} = {value} is not a finite number: give one such as 0.5")
    chances, w_sign, e_sign = (float(up), float(down)), -1 if w < 0 else 1, -1 if e < 0 else 1
    field, jacobian = _fields(*chances, w_sign, e_sign, b is not None)
    keeps_sign = [name != "b" for name in start]  # no flow crosses e = 0 or w = 0
    origin = np.array([*start.values()], float)
    degenerate = up + down == 1
    longest = LONGEST[degenerate] if time is None else time
    orbit = follow(field, jacobian, origin, keeps_sign=keeps_sign, time=longest, stop=stop)
    at = [float(value) for value in orbit.end]
    if b is None:
        at.append(float(closed("bias", e_sign)(*chances, *at, w_sign)))
    star, H_u, H_b = (float(closed(name, 1)(*chances)) for name in ("star", "unigram", "bigram"))
    ended = None
    if orbit.settled and not degenerate:
        height = float(closed("gap", e_sign)(*at[:2], w_sign))
        sets = {"unigram": abs(height), "bigram": abs(height - star)}
        ended = next((name for name, far in sets.items() if far < NEAR * abs(star)), None)
    level = None if b is not None else energy_at(e, w)
    near = allowed_drift(e, w)
    return ReducedFlow(
        endpoint=(at[0], at[1], at[2]),
        loss=float(closed("loss", e_sign)(*chances, *at, w_sign)),
        unigram_loss=H_u,
        bigram_loss=H_b,
        basin=ended,
        basin_by_theory=None if b is not None else basin(p, q, e, w, resolution=near),
        energy=level,
        energy_drift=None if level is None else _drift(orbit, level, w_sign),
        separatrix=None if b is not None else separatrix(w),
        free=b is not None,
        degenerate=degenerate,
        orbit=orbit,
    )


def _drift(orbit: Orbit, level: float, w_sign: int) -> float:
    e, w = orbit.points[orbit.points[:, 1] * w_sign > 1e-290, :2].T  # below it, w loses digits
    return float(np.abs(closed("energy", 1)(e, w, w_sign) - level).max(initial=0.0))


Function = Callable[[Float[np.ndarray, " n"]], Any]


def _fields(
    up: float, down: float, w_sign: int, e_sign: int, free: bool
) -> tuple[Function, Function]:
    """The velocity and the Jacobian at a point, (e, w) or (e, w, b)."""
    velocity, slope = _derived(e_sign, free)
    gap, logit = closed("gap", e_sign), closed("logit", 1)

    def last(y: Any) -> Any:
        if free:
            return y[2]
        return logit(up, down, gap(y[0], y[1], w_sign))

    return (
        lambda y: np.array(velocity(up, down, y[0], y[1], w_sign, last(y))),
        lambda y: slope(up, down, y[0], y[1], w_sign, last(y)),
    )


@cache
def _derived(e_sign: int, free: bool) -> tuple[Any, Any]:
    """The derived expressions as functions of p, q, e, w, sign(w) and b or the best f(0)."""
    arguments = [p, q, e, w, tau, b if free else flow.level]
    field = flow.free_vector_field(e_sign) if free else flow.vector_field(e_sign)
    jacobian = flow.free_jacobian(e_sign) if free else flow.jacobian(e_sign)
    return function(arguments, list(field), np), function(arguments, jacobian, np)


@cache
def closed(name: str, e_sign: int) -> Any:
    """A closed form of theory as a function of arrays."""
    if name == "gap":
        return function([e, w, tau], flow.gap(e_sign), np)
    if name == "logit":
        return function([p, q, s], best_logit(), np)
    if name == "bias":
        return function([p, q, e, w, tau], best_bias(e_sign), np)
    if name == "loss":
        return function([p, q, e, w, b, tau], reduced_loss(e_sign), np)
    if name == "energy":
        return function([e, w, tau], energy(), np)
    if name == "star":
        zero, one = bigram_set(e_sign).logits
        return function([p, q], one - zero, np)
    return function([p, q], unigram_entropy() if name == "unigram" else entropy_rate(), np)


SURFACE_TOLERANCE = 1e-10
"""Largest |measured - symbolic| in nats, times max(1, |loss|), that round-off may leave."""


def reduced_surface(
    source: TwoState,
    e: Float[np.ndarray, "..."],
    w: Float[np.ndarray, "..."],
    b: Float[np.ndarray, "..."] | None,
    *,
    mirror: bool = True,
) -> Float[np.ndarray, "..."]:
    """Theory's loss L(e, w, b) in nats at arrays of reduced coordinates; b None: at its best value.

    Args:
        source: the chain.
        e, w, b: coordinates, broadcasting.
        mirror: whether e < 0 is the transformer's mirror branch, or as e > 0 (the reduced model).

    >>> from landscape.sources import BinaryMarkov
    >>> chain = BinaryMarkov(0.5, 0.8)
    >>> loss = reduced_surface(chain, np.zeros(1), np.zeros(1), None)[0]
    >>> bool(abs(loss - chain.unigram_entropy) < 1e-15)
    True
    """
    e, w = np.broadcast_arrays(e, w)
    sign = np.where(w < 0, -1.0, 1.0)
    chances = float(source.p), float(source.q)
    branches = [_loss(branch, b is None)(*chances, e, w, sign, 0.0 if b is None else b)
                for branch in ((1, -1) if mirror else (1, 1))]  # fmt: skip
    values: Float[np.ndarray, "..."] = np.where(e < 0, branches[1], branches[0])
    return values


def surface_of(
    found: LossSlice, source: MarkovSource, *, mirror: bool = True
) -> Float[np.ndarray, "A B"] | None:
    """What theory says of a slice: the reduced loss on a reduced chart, None on any other."""
    if found.chart != "reduced" or not isinstance(source, TwoState):
        return None
    axes = [found.alpha[:, None], found.beta[None, :]]
    at: dict[str, Any] = {name: np.asarray(value) for name, value in found.held.items()}
    for name, start, offset in zip(found.names, found.origin, axes, strict=False):
        at[name] = start + offset
    values = reduced_surface(source, at["e"], at["w"], at.get("b"), mirror=mirror)
    return np.broadcast_to(values, found.loss.shape).copy()


def surface_error(found: LossSlice, predicted: Float[np.ndarray, "A B"] | None) -> float | None:
    """The largest |measured - predicted| in nats over the finite losses; None without any."""
    if predicted is None or not np.isfinite(found.loss).any():
        return None
    return float(np.nanmax(np.abs(np.where(np.isfinite(found.loss), found.loss - predicted, 0.0))))


def surface_refuted(found: LossSlice, predicted: Float[np.ndarray, "A B"] | None) -> bool:
    """Whether a finite loss of the slice is not theory's, to `SURFACE_TOLERANCE`."""
    if predicted is None:
        return False
    known = np.isfinite(found.loss)
    measured, expected = found.loss[known], predicted[known]
    allowed = SURFACE_TOLERANCE * np.maximum(1.0, np.abs(expected))
    return not bool((np.abs(measured - expected) <= allowed).all())


@cache
def _loss(branch: int, best: bool) -> Any:
    """The symbolic loss as a function of p, q, e, w, sign(w) and b."""
    expression = reduced_loss(branch)
    if best:
        zero, one = reduced_logit(branch)
        expression = loss_at_best_bias().subs(s, one - zero)
    return function([p, q, e, w, tau, b], expression, np)
