"""Who vouches for the steps of a proof, and whether the theorem states at which sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["what_was_checked", "with_sizes"]

SENTENCE = re.compile(r"(?<=[.;:]) (?=(?:The|the) machine )")
SIZE = re.compile(r"\b[A-Za-z] (?:=|<=) (?:[A-Za-z] = )*\d")


def with_sizes(statement: str) -> bool:
    """Whether a statement says at which sizes the machine has gone through something.

    >>> with_sizes("It is so. The machine differentiates the logit at d = r = 1, N = 2.")
    True
    >>> with_sizes("It is so at d = 1.")
    False
    """
    return any(
        part.lower().startswith("the machine ") and SIZE.search(part) is not None
        for part in SENTENCE.split(statement)
    )


def what_was_checked(theorem: Mapping[str, Any]) -> str:
    """Steps by who vouches for them, and whether sizes are stated; see
    `landscape.report.data.held`.

    >>> steps = [{"kind": "identity"}, {"kind": "lemma"}]
    >>> what_was_checked({"steps": steps, "statement": "It is so."})
    '1 step by SymPy, 1 cited'
    """
    cited = sum(step["kind"] == "lemma" for step in theorem["steps"])
    machine = len(theorem["steps"]) - cited
    parts = [f"{machine} step{'' if machine == 1 else 's'} by SymPy"]
    if cited:
        parts.append(f"{cited} cited")
    if with_sizes(theorem["statement"]):
        parts.append("sizes stated")
    return ", ".join(parts)
