"""An autonomous flow y' = v(y) followed until it has settled on a curve of equilibria.

LSODA with the Jacobian given: Adams' method up to order 12 on the way, and backward differences
where the flow is stiff. On the flows of the reduced loss it keeps the energy to 1e-10 with a tenth
of the evaluations of Radau. Explicit Runge-Kutta of order 8 keeps it to 1e-13, but is held to the
fastest rate for ever: with a free bias the rates are up to a million apart.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.integrate import solve_ivp

Field = Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, " n"]]


Jacobian = Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, "n n"]]

ACCURACY = 1e-13
"""Error of a step, relative and absolute, in each coordinate or its logarithm. Thousands of steps
add up to about 1e-11 of the conserved energy."""

DISTANCE = 1e-10
"""A flow has settled within this distance of an equilibrium, times 1 + |y|."""

MOVING = 1e-4
"""Speed above which nobody need look whether the flow has settled."""

EVALUATIONS = 300_000
"""Evaluations of the field after which a flow is given up; most take a thousand."""

NEUTRAL = 1e-6
"""A rate this many times smaller than the next is that along a curve of equilibria."""


@dataclass(frozen=True)
class Orbit:
    """The steps of a flow.

    Fields:
        times: [K], the first 0.
        points: [K, n], the point at each time.
        settled: whether it ended at an equilibrium, and not because the time was up.
        evaluations: of the field.
        method: of integration, with its tolerance.
    """

    times: Float[np.ndarray, " K"]
    points: Float[np.ndarray, "K n"]
    settled: bool
    evaluations: int
    method: str = f"LSODA (scipy), derived Jacobian, tolerance {ACCURACY:g}"

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.times) - 1

    @property
    def end(self) -> Float[np.ndarray, " n"]:
        """The last point, [n]."""
        last: Float[np.ndarray, " n"] = self.points[-1]
        return last


def settled(
    velocity: Float[np.ndarray, " n"],
    jacobian: Float[np.ndarray, "n n"],
    point: Float[np.ndarray, " n"],
) -> float:
    """How far a gradient flow is from having settled: at most 1 where it has.

    The equilibria form curves: of the eigenvalues of the (symmetric) Jacobian one may be nearly 0,
    and all others must be negative. The slowest of their rates turns the velocity into a distance,
    and that is divided by `DISTANCE` (1 + |y|). Beside a saddle, however slow the flow, an
    eigenvalue is positive and the answer is infinite. Coordinates that are exactly 0 and stay so
    are left out: the flow is along the others.

    >>> across = np.diag([-1.0, 0.0])
    >>> settled(np.array([1e-12, 0.0]), across, np.array([1e-12, 0.5]))
    0.00666...
    >>> settled(np.array([1e-12, 0.0]), -across, np.array([1e-12, 0.5]))
    inf
    """
    if not (np.isfinite(velocity).all() and np.isfinite(jacobian).all()):
        return math.inf
    if not velocity.any():
        return 0.0
    moves = (velocity != 0) | (point != 0)
    rates = np.linalg.eigvalsh(jacobian[np.ix_(moves, moves)])
    slow = float(-rates[-1])
    if len(rates) > 1 and abs(slow) <= -NEUTRAL * rates[-2]:
        slow = float(-rates[-2])  # the last is along the curve
    if not slow > 0:
        return math.inf
    return float(np.linalg.norm(velocity)) / slow / (DISTANCE * (1 + float(np.linalg.norm(point))))


def follow(
    field: Field,
    jacobian: Jacobian,
    start: Float[np.ndarray, " n"],
    *,
    keeps_sign: Sequence[bool] = (),
    time: float,
    stop: bool = True,
) -> Orbit:
    """Integrate y' = field(y) from `start`, for `time` or until it has settled.

    Arguments:
        field, jacobian: v(y) [n] and dv/dy [n, n], the latter symmetric (a gradient flow).
        start: [n].
        keeps_sign: which coordinates no flow carries through 0; these are followed in their
            logarithm. Left out, none.
        time: the longest time.
        stop: False goes on to the end of the time in any case.

    Raises ValueError where the field is not finite at the start, or the time is not a positive
    number; ArithmeticError where the steps cannot be continued.

    >>> def field(y: np.ndarray) -> np.ndarray:
    ...     return np.array([-y[0], 0.0])
    >>> orbit = follow(field, lambda y: np.diag([-1.0, 0.0]), np.array([1.0, 2.0]), time=100.0)
    >>> orbit.settled, bool(20 < orbit.times[-1] < 30), orbit.end.round(9).tolist()
    (True, True, [0.0, 2.0])
    """
    if not (np.isfinite(time) and time > 0):
        raise ValueError(f"time = {time} is not a length of time: give a positive number")
    with np.errstate(all="ignore"):
        velocity, slope = field(start), jacobian(start)
    finite = np.isfinite(velocity).all() and np.isfinite(slope).all()
    if not finite or np.abs(start).max() > HUGE:
        raise ValueError(
            f"start = {start.tolist()} is too far out: beyond {HUGE:g}, or where the gradient is "
            "not a finite float; start nearer to 0"
        )

    chart = Logarithmic.at(start, keeps_sign or [False] * len(start))
    moved, evaluations = chart.field(field), itertools.count(1)

    # plain annotations in what runs at every step, as in `Logarithmic`
    def remaining(_: float, z: Any) -> float:
        y = chart.out(z)
        velocity = field(y)
        if np.linalg.norm(velocity) > MOVING:
            return 1.0
        return float(np.clip(settled(velocity, jacobian(y), y) - 1, -1, 1))

    def counted(t: float, z: Any) -> Any:
        if next(evaluations) > EVALUATIONS:
            raise ArithmeticError(
                f"the flow from {start.tolist()} is too stiff or too noisy: {EVALUATIONS} "
                f"evaluations led to t = {t:.6g} of {time:g}; give a shorter time"
            )
        return moved(z)

    remaining.terminal = True  # type: ignore[attr-defined]  # how scipy marks an event that ends
    origin, bent = chart.into(start), chart.jacobian(field, jacobian)
    if stop and remaining(0.0, origin) <= 0:
        return Orbit(np.zeros(1), start[None, :].copy(), True, 1)
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # a trial step may go too far, and is then taken back
        found = solve_ivp(
            counted,
            (0.0, float(time)),
            origin,
            method="LSODA",
            jac=lambda _, z: bent(z),
            rtol=ACCURACY,
            atol=ACCURACY,
            events=remaining if stop else None,
        )
    points = chart.shown(found.y.T)
    if found.status < 0 or not np.isfinite(points).all():
        raise ArithmeticError(
            f"the flow could not be followed from {start.tolist()}: {found.message}"
        )
    points[0] = start  # not by way of its logarithm
    return Orbit(found.t, points, found.status == 1, int(found.nfev))


TINY = 1e-300
"""The least size at which a field is evaluated. It is linear there: v_i / y_i no longer changes."""

HUGE = 1e50
"""The largest size at which one is: a trial step beyond it is large, but not NaN, and is redone."""


@dataclass(frozen=True)
class Logarithmic:
    """The chart in which some coordinates of y [n] are ln|y_i| and the others are themselves.

    Fields:
        log: [n], which are logarithms.
        sign: [n], the signs of those; 1 for the others.
    """

    log: Bool[np.ndarray, " n"]
    sign: Float[np.ndarray, " n"]

    @staticmethod
    def at(start: Float[np.ndarray, " n"], keeps_sign: Sequence[bool]) -> Logarithmic:
        """The chart around a start. A coordinate that is 0 there stays plain: it stays 0."""
        log = np.array(keeps_sign, bool) & (start != 0)
        return Logarithmic(log, np.where(log, np.sign(start), 1.0))

    def into(self, y: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """z(y).

        >>> chart = Logarithmic.at(np.array([-1.0, 2.0]), [True, False])
        >>> chart.into(np.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
        """
        z: Float[np.ndarray, " n"] = np.where(self.log, np.log(np.where(self.log, abs(y), 1.0)), y)
        return z

    # What runs at every step of a flow, here and below, has plain annotations: checking shapes
    # there would take longer than the steps.
    def out(self, z: Any) -> Any:
        """y(z) as a field is given it, [n] or [K, n]: from `TINY` to `HUGE` in size on a log."""
        size = np.clip(np.exp(np.where(self.log, z, 0.0)), TINY, HUGE)
        return np.where(self.log, self.sign * size, z)

    def shown(self, z: Float[np.ndarray, "*K n"]) -> Float[np.ndarray, "*K n"]:
        """y(z), [n] or [K, n], 0 where it is too small for a float.

        >>> chart = Logarithmic.at(np.array([-1.0]), [True])
        >>> [f"{y:.6g}" for y in chart.shown(np.array([[-700.0], [-1600.0]]))[:, 0]]
        ['-9.85968e-305', '-0']
        """
        y: Float[np.ndarray, "*K n"] = np.where(
            self.log, self.sign * np.exp(np.where(self.log, z, 0.0)), z
        )
        return y

    def field(self, velocity: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The velocity z'(z), [n], from v(y)."""

        def moved(z: Any) -> Any:
            y = self.out(z)
            return velocity(y) / np.where(self.log, y, 1.0)

        return moved

    def jacobian(
        self, velocity: Callable[[Any], Any], slope: Callable[[Any], Any]
    ) -> Callable[[Any], Any]:
        """dz'/dz, [n, n], from v(y) and dv/dy.

        >>> chart = Logarithmic.at(np.array([3.0]), [True])
        >>> slope = chart.jacobian(lambda y: y**2, lambda y: np.diag(2 * y))
        >>> slope(np.log([3.0])).round(9).tolist()
        [[3.0]]
        """

        def moved(z: Any) -> Any:
            y = self.out(z)
            unit = np.where(self.log, y, 1.0)
            rate = np.where(self.log, velocity(y) / unit, 0.0)
            return slope(y) * unit[None, :] / unit[:, None] - np.diag(rate)

        return moved
