"""The registry of theorems: every statement of this project about the landscape, each proved.

A theorem lives in a file of `theory.statements`; here they are listed in the order in which they
build on each other. One that lives elsewhere is registered for the process that needs it.
"""

from importlib import import_module

from theory.proving.theorem import Proof, Theorem, prove as gone_through

_HOME = {
    "entropies": "chain.entropies",
    "best-bias": "reduced.best_bias",
    "critical-points": "reduced.critical_points",
    "global-minimum": "reduced.global_minimum",
    "bigram-spectrum": "reduced.bigram_spectrum",
    "full-bigram": "transformer.full_bigram",
    "tied-unigram": "reduced.tied_unigram",
    "universal-law": "transformer.universal_law",
    "tied-condition": "transformer.tied_condition",
    "untied-unigram": "transformer.untied_unigram",
    "relu-kink": "transformer.relu_kink",
    "s-states": "transformer.s_states",
    "memory": "transformer.memory",
    "gradient-flow": "reduced.gradient_flow",
    "conserved-energy": "reduced.conserved_energy",
    "separatrix": "reduced.separatrix",
    "basins": "reduced.basins",
    "valley": "reduced.valley",
    "escape-radius": "transformer.escape_radius",
    "attention-reduced": "transformer.attention_reduced",
    "degenerate-lines": "reduced.degenerate_lines",
}

THEOREM_IDS = tuple(_HOME)
"""The ids of this project's own, in order."""

_OTHERS: dict[str, Theorem] = {}


def register(found: Theorem) -> Theorem:
    """Add a theorem of yours to the registry of this process, and return it.

    It is then proved, listed and verified like the others. Its proof is gone through in each
    process anew, because the cache knows the code of this project only.

    Raises ValueError for an id that another theorem has.
    """
    if found.id in _HOME or _OTHERS.get(found.id, found) != found:
        raise ValueError(f"id = {found.id!r} is that of another theorem: give one of its own")
    _OTHERS[found.id] = found
    return found


def registered() -> tuple[str, ...]:
    """The ids of all theorems: this project's in order, and then those that were added.

    >>> registered()[0]
    'entropies'
    """
    return (*THEOREM_IDS, *_OTHERS)


def theorem(name: str) -> Theorem:
    """The theorem of an id.

    Raises ValueError for an unknown id, naming the nearest.

    >>> theorem("entropies").title
    'Entropies of the chain'
    """
    if name in _OTHERS:
        return _OTHERS[name]
    if name not in _HOME:
        from difflib import get_close_matches

        near = get_close_matches(name, registered(), n=1, cutoff=0.75)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"theorem = {name!r} is not in the registry: {hint}choose one of "
            f"{', '.join(registered())}"
        )
    found: Theorem = import_module(f"theory.statements.{_HOME[name]}").THEOREM
    return found


def prove(theorem_or_id: Theorem | str) -> Proof:
    """Go through a theorem's proof step by step, and then through its control.

    The theorem is given itself, or by its id. Raises ValueError for an unknown id, naming the
    nearest, and TypeError for what is neither.

    >>> proof = prove("entropies")
    >>> proof.proved, proof.theorem.title
    (True, 'Entropies of the chain')
    """
    found = theorem(theorem_or_id) if isinstance(theorem_or_id, str) else theorem_or_id
    if not isinstance(found, Theorem):
        raise TypeError(
            f"theorem_or_id = {found!r} is refused: give the id of a theorem, such as "
            f"{THEOREM_IDS[0]!r}, or a theory.Theorem"
        )
    return gone_through(found)


def theorems() -> tuple[Theorem, ...]:
    """All theorems, in the order of `registered`."""
    return tuple(theorem(name) for name in registered())
