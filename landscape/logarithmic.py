"""Coordinates that a flow never carries through 0, written as the logarithm of their size.

Where y_i = +-exp(z_i), the flow y' = v(y) becomes z_i' = v_i / y_i. An exponential approach to 0,
or growth away from it, is a straight line in z, and relative accuracy in y is absolute accuracy in
z: a coordinate may become as small as it likes and grow again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["HUGE", "Logarithmic"]

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
