"""The registry of theorems: every statement of this project about the landscape, each proved.

A theorem lives in a file of `theory.proofs`; here they are listed in the order in which they build
on each other.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from theory.theorem import Theorem

__all__ = ["THEOREM_IDS", "theorem", "theorems"]

_HOME = {
    "entropies": "entropies",
    "best-bias": "best_bias",
    "critical-points": "critical_points",
    "global-minimum": "global_minimum",
    "bigram-spectrum": "bigram_spectrum",
    "full-bigram": "full_bigram",
    "tied-unigram": "tied_unigram",
    "universal-law": "universal_law",
    "tied-condition": "tied_condition",
    "untied-unigram": "untied_unigram",
    "relu-kink": "relu_kink",
    "s-states": "s_states",
    "memory": "memory",
    "gradient-flow": "gradient_flow",
    "conserved-energy": "conserved_energy",
    "separatrix": "separatrix",
    "basins": "basins",
    "valley": "valley",
    "escape-radius": "escape_radius",
    "attention-reduced": "attention_reduced",
    "degenerate-lines": "degenerate_lines",
}

THEOREM_IDS = tuple(_HOME)
"""The ids, in order."""


@cache
def theorem(name: str) -> Theorem:
    """The theorem of an id.

    Raises ValueError for an unknown id, naming the nearest.

    >>> theorem("entropies").title
    'Entropies of the chain'
    """
    if name not in _HOME:
        from difflib import get_close_matches

        near = get_close_matches(name, THEOREM_IDS, n=1, cutoff=0.75)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"theorem = {name!r} is not in the registry: {hint}choose one of "
            f"{', '.join(THEOREM_IDS)}"
        )
    found: Theorem = import_module(f"theory.proofs.{_HOME[name]}").THEOREM
    return found


def theorems() -> tuple[Theorem, ...]:
    """All theorems, in order."""
    return tuple(theorem(name) for name in THEOREM_IDS)
