"""The record of losses along a path of parameters that walks on the unigram and then descends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from landscape.models.parameters import Coordinates

if TYPE_CHECKING:
    import xarray

LOSS_TOLERANCE = 1e-14
"""nats: a sum of 2^(N+1) terms whose weights add to 1 is rounded some twenty times."""


@dataclass(frozen=True)
class LossPath:
    """Losses at the corners of a path theta_0, theta_1, ..., and what holds between them.

    `walks` marks the corners that belong to the walk along the unigram manifold; the others
    descend. Between the corners nothing is sampled, and nothing need be:

    - On the walk the embedding is exactly 0, so every logit is exactly the output bias, whatever
      the other weights: the loss is the same number at every point. `logit_range` is the spread of
      all logits of all contexts and corners, and 0.0 to the last bit.
    - On the descent the logits are a function of the last symbol alone (`logit_spread`), with the
      gap s = f(1) - f(0), and the bias is the best for it. The loss is then a function l(s):
      cross-entropy is convex in the logits, and the least over the bias of a convex function is
      convex. A convex function falls all the way to its minimum, so l falls with every step
      of s towards the s* of the bigram, and s is monotone in the path's parameter: between two
      corners the loss lies between theirs. `largest_rise` and `convexity` hold the sampled losses
      to that.
    """

    t: Float[np.ndarray, " n"]  # arc length of the polygon through the corners
    loss: Float[np.ndarray, " n"]  # nats
    distance: Float[np.ndarray, " n"]  # Euclidean, from the start
    walks: Bool[np.ndarray, " n"]
    gap: Float[np.ndarray, " n"]  # s, a difference of logits
    curvature: Float[np.ndarray, " n"]  # along the direction of the descent, nat per unit e^2
    lowest: Float[np.ndarray, " n"]  # least eigenvalue of the (E, b) block; nan at kinks
    unigram_loss: float  # H_u of the source, nats
    bigram_loss: float  # H_b of the source, nats
    logit_range: float  # largest logit minus smallest on the walk
    logit_spread: float  # largest |logit - f(last symbol)| on the descent
    coordinates: Coordinates  # which parameter each column of the corners is
    corners: Float[Tensor, "n D"]

    @property
    def barrier(self) -> float:
        """The largest loss on the path minus H_u, nats."""
        return float(self.loss.max() - self.unigram_loss)

    @property
    def largest_rise(self) -> float:
        """The largest step up of the loss on the descent, nats; 0 if it never rises."""
        down = self._descent(self.loss)
        return float(np.diff(down).max(initial=0.0))

    @property
    def monotone(self) -> bool:
        """Whether the loss never rises on the descent, beyond rounding."""
        return self.largest_rise <= LOSS_TOLERANCE

    @property
    def convexity(self) -> float:
        """The least change of slope of l(s) on the descent, beyond rounding; below 0: not convex.

        Consecutive slopes of l are compared; each is known to `LOSS_TOLERANCE` over its step of s.
        -inf where s turns back.
        """
        s, loss = self._descent(self.gap), self._descent(self.loss)
        step = np.diff(s)
        if step.size < 2:
            return 0.0
        if not ((step > 0).all() or (step < 0).all()):
            return -np.inf
        slopes, error = np.diff(loss) / step, LOSS_TOLERANCE / abs(step)
        bend = np.diff(slopes) * np.sign(step[0]) + error[1:] + error[:-1]
        return float(min(bend.min(), 0.0))

    def _descent(self, values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
        """From the last corner of the walk on: there the descent begins."""
        first = int(self.walks.sum()) - 1
        return values[max(first, 0) :]

    def faults(self) -> tuple[str, ...]:
        """Where the record does not say what a path without a barrier says; empty if nowhere."""
        found = []
        if not self.barrier <= LOSS_TOLERANCE:
            top = int(self.loss.argmax())
            found.append(
                f"the loss rises {self.barrier:.3g} nat above the unigram's, at distance "
                f"{self.distance[top]:.3g} from the start"
            )
        if self.logit_range != 0:
            found.append(f"on the walk the logits differ by {self.logit_range:.1e}")
        if not self.logit_spread <= 1e-12 * max(1.0, float(abs(self.gap).max())):
            found.append(
                f"on the descent the logits are no function of the last symbol, by "
                f"{self.logit_spread:.1e}"
            )
        if not self.monotone:
            found.append(f"the loss rises by {self.largest_rise:.3g} nat on the descent")
        if self.convexity < 0:
            found.append("the loss is no convex function of the gap between the logits")
        end = float(self.loss[-1] - self.bigram_loss)
        if not abs(end) <= 10 * LOSS_TOLERANCE:
            found.append(f"the path ends {end:.3g} nat above the least loss")
        return tuple(found)

    def to_xarray(self) -> xarray.Dataset:
        """Losses, curvatures and corners of the path; scalars and checks as attributes."""
        import xarray

        return xarray.Dataset(
            {
                "loss": ("t", self.loss, {"units": "nat"}),
                "distance": ("t", self.distance),
                "walks": ("t", self.walks.astype(np.int8)),
                "gap": ("t", self.gap),
                "curvature": ("t", self.curvature, {"units": "nat"}),
                "lowest": ("t", self.lowest, {"units": "nat"}),
                "corners": (("t", "coordinate"), self.corners.cpu().numpy()),
            },
            coords={"t": self.t, "coordinate": self.coordinates.labels()},
            attrs={
                "unigram_loss": self.unigram_loss,
                "bigram_loss": self.bigram_loss,
                "barrier": self.barrier,
                "largest_rise": self.largest_rise,
                "convexity": self.convexity,
                "logit_range": self.logit_range,
                "logit_spread": self.logit_spread,
                "faults": list(self.faults()),
            },
        )

    def params(self, index: int) -> dict[str, Tensor]:
        """The parameters at one corner."""
        return self.coordinates.params(self.corners[index])
