"""The theorems over a grid of the (p, q) plane, counted by verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from torch import Tensor, nn

from landscape.comparison.checks import ORDER, Check, Verdict, worst
from landscape.comparison.theorems.verification import Verification, at_zero, verify
from landscape.comparison.unigram_law import arrays_of
from landscape.models import SingleLayer
from landscape.models.ansatz import ansatz
from landscape.objectives.exact import ExactLoss
from landscape.sources import BinaryMarkov
from theory.certificates.plane import PlaneCertificate, certify_plane
from theory.spectra.universal_law import Tying

if TYPE_CHECKING:
    import xarray

DIGITS = Decimal("0.0001")


@dataclass(frozen=True)
class Doubt:
    """A point (p, q) of the grid where a check does not hold, or cannot be told, and why."""

    p: float
    q: float
    verdict: Verdict
    note: str


@dataclass(frozen=True)
class GridSummary:
    """One check over the grid: how often each verdict was given, and the largest error.

    `doubts` are the points where it is refuted or inconclusive, with the reason found there.
    """

    id: str
    claim: str
    source: str
    counts: Mapping[Verdict, int]
    largest_error: float | None
    verdict: Verdict
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True)
class PlaneVerification:
    """Verifications at every pair of p and q.

    Fields: `p`, `q`, the axes as written; `points`, a `Verification` for each pair, p slowest;
    `certificate`, the signs at the unigram point over the whole box between the ends of the axes,
    for a single layer at its own weights and None for other models.
    """

    p: tuple[Decimal, ...]
    q: tuple[Decimal, ...]
    points: tuple[Verification, ...]
    certificate: PlaneCertificate | None

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of any point."""
        return worst(point.verdict for point in self.points)

    def summary(self) -> tuple[GridSummary, ...]:
        """Each theorem's checks, counted over the points.

        A check that is not applicable at a point counts for its theorem; the claims of the theorem
        at the other points are listed under their own ids.
        """
        found: dict[str, list[Check]] = {}
        doubts: dict[str, list[Doubt]] = {}
        places = ((float(up), float(down)) for up in self.p for down in self.q)
        for place, point in zip(places, self.points, strict=True):
            for check in point.checks:
                found.setdefault(check.id, []).append(check)
                if check.verdict in ("refuted", "inconclusive"):
                    doubt = Doubt(*place, check.verdict, check.note)
                    doubts.setdefault(check.id, []).append(doubt)
        return tuple(
            replace(_summarise(checks), doubts=tuple(doubts.get(id, ())))
            for id, checks in found.items()
        )

    def to_xarray(self) -> xarray.Dataset:
        """The worst verdict at each point, labelled by p and q."""
        import numpy as np
        import xarray

        table = np.array([point.verdict for point in self.points]).reshape(len(self.p), -1)
        return xarray.Dataset(
            {"verdict": (("p", "q"), table)},
            coords={"p": [float(x) for x in self.p], "q": [float(x) for x in self.q]},
        )


def _summarise(checks: Sequence[Check]) -> GridSummary:
    verdicts = [check.verdict for check in checks]
    errors = [check.error for check in checks if check.error is not None]
    return GridSummary(
        id=checks[0].id,
        claim=checks[0].claim,
        source=checks[0].source,
        counts={verdict: verdicts.count(verdict) for verdict in ORDER if verdict in verdicts},
        largest_error=max(errors) if errors else None,
        verdict=worst(verdicts),
    )


def grid_values(count: int) -> tuple[Decimal, ...]:
    """`count` probabilities that divide (0, 1) evenly, to four decimals.

    Raises ValueError for a count below 1 or above 99.

    >>> grid_values(4)
    (Decimal('0.2'), Decimal('0.4'), Decimal('0.6'), Decimal('0.8'))
    """
    if not 1 <= count <= 99:
        raise ValueError(f"grid={count} is out of range: give 1 to 99 values, such as 9")
    values = (Decimal(k) / (count + 1) for k in range(1, count + 1))
    return tuple(Decimal(f"{value.quantize(DIGITS):f}".rstrip("0")) for value in values)


def verify_plane(
    model: nn.Module,
    length: int,
    p: Sequence[Decimal],
    q: Sequence[Decimal],
    *,
    free: Mapping[str, Tensor] | None = None,
    w: float | None = None,
    theorems: Sequence[str] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> PlaneVerification:
    """`verify` at every pair of p and q.

    Args:
        model, free, w, theorems: as in `verify`.
        length: context length N of the exact loss.
        p, q: the axes.
        progress: called with the number of points that are done.
    """
    device = next(model.parameters()).device
    points: list[Verification] = []
    for up in p:
        for down in q:
            objective = ExactLoss(BinaryMarkov(up, down), length, device=device)
            points.append(verify(model, objective, free=free, w=w, theorems=theorems))
            progress(len(points))
    return PlaneVerification(
        tuple(p), tuple(q), tuple(points), _certificate(model, length, p, q, free, w)
    )


def _certificate(
    model: nn.Module,
    length: int,
    p: Sequence[Decimal],
    q: Sequence[Decimal],
    free: Mapping[str, Tensor] | None,
    w: float | None,
) -> PlaneCertificate | None:
    """The box certificate of a single layer's weights, which do not depend on p and q."""
    if not isinstance(model, SingleLayer) or not (p[0] < p[-1] and q[0] < q[-1]):
        return None
    params = at_zero(model, free) if w is None else ansatz(model, 0.0, w, 0.0)
    weights = arrays_of(params, length)
    return certify_plane(weights, cast(Tying, model.tying), ((p[0], p[-1]), (q[0], q[-1])))
