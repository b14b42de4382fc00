"""Every theorem of the registry at one point, with a verdict for each of its consequences there."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from torch import Tensor, nn

from landscape.comparison.checks import WORST, Check, Claim, NotApplicable, Verdict, judge
from landscape.comparison.theorems.subject import Subject
from landscape.objectives.exact import ExactLoss
from landscape.sources import BinaryMarkov
from theory.proving.theorem import Theorem
from theory.statements.records import proof_record
from theory.statements.registry import THEOREM_IDS, theorem

if TYPE_CHECKING:
    import xarray

__all__ = ["CLAIMS", "Verification", "verify"]

Claims = Callable[[Subject], Iterator[Claim]]

CLAIMS: dict[str, str] = {
    "entropies": "chain_claims.entropy_claims",
    "global-minimum": "bigram_claims.minimum_claims",
    "critical-points": "bigram_claims.critical_point_claims",
    "best-bias": "bigram_claims.bias_claims",
    "bigram-spectrum": "bigram_claims.reduced_bigram_claims",
    "full-bigram": "bigram_claims.full_bigram_claims",
    "tied-unigram": "unigram_claims.reduced_claims",
    "tied-condition": "unigram_claims.condition_claims",
    "untied-unigram": "unigram_claims.untied_claims",
    "relu-kink": "unigram_claims.kink_claims",
    "universal-law": "unigram_claims.universal_claims",
    "s-states": "unigram_claims.states_claims",
    "memory": "chain_claims.memory_claims",
    "gradient-flow": "flow_claims.field_claims",
    "conserved-energy": "flow_claims.energy_claims",
    "separatrix": "flow_claims.separatrix_claims",
    "basins": "flow_claims.basin_claims",
    "valley": "valley_claims.valley_claims",
    "escape-radius": "valley_claims.escape_claims",
    "attention-reduced": "attention_claims.attention_claims",
    "degenerate-lines": "degenerate_claims.degenerate_claims",
}
"""Which function of this folder measures a theorem's consequences."""


@dataclass(frozen=True)
class Verification:
    """The checks of every theorem at one point of the (p, q) plane.

    Fields: `p`, `q`, as written, None where the source is not the binary chain; `source`, in words;
    `model`, its class; `checks`, in the order of the registry.
    """

    p: Decimal | None
    q: Decimal | None
    source: str
    model: str
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of a check that applies; "not-applicable" where none does."""
        found = {check.verdict for check in self.checks} - {"not-applicable"}
        return next((verdict for verdict in WORST if verdict in found), "not-applicable")

    def to_xarray(self) -> xarray.Dataset:
        """The verdicts, with the checks as JSON."""
        import xarray

        return xarray.Dataset(
            {"verdict": ("check", [check.verdict for check in self.checks])},
            coords={"check": [check.id for check in self.checks]},
            attrs={
                "p": "" if self.p is None else str(self.p),
                "q": "" if self.q is None else str(self.q),
                "source": self.source,
                "model": self.model,
                "verdict": self.verdict,
                "checks": json.dumps([asdict(check) for check in self.checks]),
            },
        )


def verify(
    model: nn.Module,
    objective: ExactLoss,
    *,
    free: Mapping[str, Tensor] | None = None,
    w: float | None = None,
    theorems: tuple[str, ...] = THEOREM_IDS,
) -> Verification:
    """Check every theorem about a model and a source: proof, prediction, measurement, verdict.

    Theory is given the probabilities as written and, for theorems about real weights, the weights;
    the measurement knows the model and the loss. "proved" is a consequence of a theorem whose proof
    the machine accepts and whose hypotheses hold, with which the measurement agrees; "verified" one
    whose prediction has measured inputs; "not-applicable" says which hypothesis fails.

    Args:
        model: any module; theorems about the reduced model are checked whatever it is.
        objective: the exact loss.
        free: the weights that are free at the critical points, by name; zeros by default.
        w: the coordinate of the rank-one ansatz whose weights the unigram point takes instead.
        theorems: ids of `theory.statements.registry`, all by default.

    Raises:
        ValueError: for an unknown theorem, or a w given for a model without the ansatz.

    >>> from landscape import BinaryMarkov, ExactLoss, ReducedModel
    >>> loss = ExactLoss(BinaryMarkov("0.5", "0.8"), 1)
    >>> found = verify(ReducedModel(), loss, theorems=("tied-unigram",))
    >>> found.verdict, found.checks[-1].measured
    ('proved', 'local minimum')
    """
    subject = Subject(model, objective, at_zero(model, free), w)
    source = objective.source
    binary = source if isinstance(source, BinaryMarkov) else None
    checks = tuple(check for name in theorems for check in _checks(theorem(name), subject))
    return Verification(
        p=None if binary is None else binary.p,
        q=None if binary is None else binary.q,
        source=type(source).__name__,
        model=type(model).__name__,
        checks=checks,
    )


def at_zero(model: nn.Module, free: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
    """The weights given, and zeros for the others; gains are 1, or there were no network."""
    zeros = {name: 0 * value.detach() for name, value in model.named_parameters()}
    gains = {name: zeros[name] + 1 for name in zeros if name.rpartition(".")[2] == "gain"}
    return {**zeros, **gains, **(free or {})}


def _checks(theorem: Theorem, subject: Subject) -> Iterator[Check]:
    """The checks of one theorem; one that is not applicable says why."""
    record = proof_record(theorem.id)
    digest = record.digest if record.proved else None
    source = subject.objective.source
    if isinstance(source, BinaryMarkov):
        failed = [h for h in theorem.hypotheses if h.holds(source.p, source.q) is False]
        if failed:
            yield _not_applicable(theorem, f"it assumes {failed[0].words}")
            return
    file, _, name = CLAIMS[theorem.id].partition(".")
    claims: Claims = getattr(importlib.import_module(f"landscape.comparison.theorems.{file}"), name)
    try:
        for claim in claims(subject):
            yield judge(theorem, claim, digest)
    except NotApplicable as failure:
        yield _not_applicable(theorem, failure.reason)


def _not_applicable(theorem: Theorem, reason: str) -> Check:
    return Check(
        id=theorem.id,
        claim=theorem.title,
        source=theorem.source,
        predicted=None,
        measured=None,
        tolerance=None,
        verdict="not-applicable",
        note=reason,
    )
