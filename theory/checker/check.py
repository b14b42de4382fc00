"""The independent checker of certificates.

It shares nothing with the search for them but the JSON format: no ball, no closed-form Jacobian and
no float. z and J come from dual numbers carried through the forward pass
(`theory.checker.dual_numbers`), ranges over a band from Bernstein's form, areas from trapezoids,
and a bigram root from the interval Newton operator with Cramer's rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from theory.checker.bigram_root import check_bigram_root
from theory.checker.format import Malformed, digest
from theory.checker.unigram import check_plane, check_unigram

__all__ = ["CheckResult", "check"]


@dataclass(frozen=True)
class CheckResult:
    """Whether a certificate proves its claim, and why not; true or false as such.

    >>> bool(CheckResult(False, "for the example"))
    False
    """

    valid: bool
    reason: str

    def __bool__(self) -> bool:
        return self.valid


_ODD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

CHECKS: Mapping[str, Callable[[dict[str, Any]], str | None]] = {
    "unigram": check_unigram,
    "unigram-plane": check_plane,
    "bigram-root": check_bigram_root,
}


KEYS: Mapping[str, frozenset[str]] = {
    "unigram": frozenset({"tying", "p", "q", "word", "status", "inertia"}),
    "unigram-plane": frozenset({"tying", "box", "decided", "bands", "undecided"}),
    "bigram-root": frozenset({"p", "q", "w", "e_sign", "unique_in", "root_in"}),
}
"""What a claim of each kind says, and all that it says."""

BAND = frozenset({"lambda", "word", "inertia"})
ALWAYS = frozenset({"kind", "claim", "theorems", "sha256"})


def surplus(certificate: dict[str, Any]) -> str | None:
    """What a record says beyond what is checked, or lacks: such a claim would pass unread."""
    kind, claim = certificate["kind"], certificate["claim"]
    inputs = frozenset() if kind == "bigram-root" else frozenset({"weights", "witness"})
    parts = [(certificate, ALWAYS | inputs, "the record"), (claim, KEYS[kind], "its claim")]
    if kind == "unigram-plane":
        parts += [(band, BAND, "a band of its claim") for band in claim["bands"]]
    for part, keys, name in parts:
        if set(part) != keys:
            return f"{name} has the keys {sorted(map(str, part))}, not {sorted(keys)}"
    for part, _, name in parts:
        counts = part.get("inertia")
        if counts is not None and any(type(count) is not int for count in counts):
            return f"the inertia in {name} is not made of integers"
    return None


def check(certificate: object) -> CheckResult:
    """Whether a certificate, as parsed from JSON, proves what it claims.

    The digest finds an accident; then every claim is proved anew from the exact inputs that the
    certificate names. It is valid for those inputs: that they are the ones you mean is for you to
    compare. What it takes from `theory.statements.registry`, its list `theorems` says.

    Never raises: what is no certificate is refused with a reason.

    >>> check({"kind": "unigram"}).reason
    'refused: the record is not what its sha256 says'
    >>> check([]).reason
    'refused: not a JSON object with a kind that is known'
    """
    try:
        if not isinstance(certificate, dict) or certificate.get("kind") not in CHECKS:
            return CheckResult(False, "refused: not a JSON object with a kind that is known")
        if certificate.get("sha256") != digest(certificate):
            return CheckResult(False, "refused: the record is not what its sha256 says")
        objection = surplus(certificate) or CHECKS[certificate["kind"]](certificate)
    except Malformed as error:
        return CheckResult(False, f"refused: {error}")
    except _ODD as error:
        return CheckResult(False, f"refused: malformed, {type(error).__name__}: {error}")
    if objection is not None:
        return CheckResult(False, f"refused: {objection}")
    return CheckResult(True, "every claim was proved anew")
