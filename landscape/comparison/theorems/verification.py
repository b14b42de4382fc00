"""Every theorem of the registry at one point, with a verdict for each of its consequences there."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from torch import Tensor, nn

from landscape.comparison import theorems as room
from landscape.comparison.checks import Check, NotApplicable, Verdict, worst
from landscape.comparison.theorems.subject import CLAIMS, Subject
from landscape.objectives.exact import ExactLoss
from landscape.sources.protocol import Exact
from theory.proving.theorem import Theorem
from theory.statements.records import proof_record
from theory.statements.registry import registered, theorem

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class Verification:
    """The checks of every theorem at one point of the (p, q) plane.

    Fields: `p`, `q`, as written, None where the source is not the binary chain; `source`, in words;
    `model`, its class; `checks`, in the order of the registry.
    """

    p: Exact | None
    q: Exact | None
    source: str
    model: str
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of a check that applies; "not-applicable" where none does."""
        return worst(c.verdict for c in self.checks if c.verdict != "not-applicable")

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
    theorems: Sequence[str] | None = None,
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
        theorems: ids, those of all `theory.theorems` by default.

    Raises:
        ValueError: for an unknown theorem, or a w given for a model without the ansatz.

    >>> from landscape import BinaryMarkov, ExactLoss, ReducedModel
    >>> loss = ExactLoss(BinaryMarkov("0.5", "0.8"), 1)
    >>> found = verify(ReducedModel(), loss, theorems=("tied-unigram",))
    >>> found.verdict, found.checks[-1].measured
    ('proved', 'local minimum')
    """
    subject, names = Subject(model, objective, at_zero(model, free), w), theorems
    if names is None:
        names = registered()
    chain = subject.chain
    return Verification(
        p=None if chain is None else chain.p,
        q=None if chain is None else chain.q,
        source=type(objective.source).__name__,
        model=type(model).__name__,
        checks=tuple(check for name in names for check in _checks(theorem(name), subject)),
    )


def at_zero(model: nn.Module, free: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
    """The weights given, and zeros for the others; gains are 1, or there were no network."""
    zeros = {name: 0 * value.detach() for name, value in model.named_parameters()}
    gains = {name: zeros[name] + 1 for name in zeros if name.rpartition(".")[2] == "gain"}
    return {**zeros, **gains, **(free or {})}


def _checks(theorem: Theorem, subject: Subject) -> Iterator[Check]:
    """The checks of one theorem; one that is not applicable says why."""
    if subject.chain is not None:
        p, q = subject.chances
        failed = [h for h in theorem.hypotheses if h.holds(p, q) is False]
        if failed:
            yield _not_applicable(theorem, f"it assumes {failed[0].words}")
            return
    if theorem.id not in measured():
        yield _not_applicable(theorem, "no function measures it: name it with `claims_of`")
        return
    record = proof_record(theorem.id)
    try:
        for check in CLAIMS[theorem.id](subject):
            yield of_theorem(check, theorem, record.digest if record.proved else None)
    except NotApplicable as failure:
        yield _not_applicable(theorem, failure.reason)


@cache
def _load() -> None:
    """Import every file of claims in this folder, so that `claims_of` has seen its functions."""
    for module in pkgutil.iter_modules(room.__path__):
        if module.name.endswith("_claims"):
            import_module(f"{room.__name__}.{module.name}")


def measured() -> frozenset[str]:
    """The ids of the theorems that some function of claims is about."""
    _load()
    return frozenset(CLAIMS)


def of_theorem(check: Check, theorem: Theorem, digest: str | None) -> Check:
    """A check as a consequence of a theorem; `digest` is that of its proof, None if not proved.

    "proved" where it agrees, and has no note that says why it is more than the theorem proves.
    """
    verdict, note = check.verdict, check.note
    if verdict == "verified" and digest is None:
        verdict, note = "inconclusive", f"the proof of {theorem.id} is not accepted"
    elif verdict == "verified" and not note:
        verdict = "proved"
    proof = None if digest is None else {"theorem": theorem.id, "proof": digest}
    return replace(
        check,
        id=f"{theorem.id}/{check.id}",
        source=theorem.source,
        verdict=verdict,
        certificate=check.certificate or proof,
        note=note,
        theorems=(theorem.id,),
    )


def _not_applicable(theorem: Theorem, reason: str) -> Check:
    verdict: Verdict = "not-applicable"
    check = Check(theorem.id, theorem.title, theorem.source, None, None, None, verdict)
    return replace(check, note=reason, theorems=(theorem.id,))
