"""What the loss landscape of transformers trained on Markov chains must look like, derived.

Each public name is imported from its module on first use, so `import theory` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from theory.certificates.unigram import (
        BigramRoot,
        Certificate,
        PlaneCertificate,
        certify_bigram_root,
        certify_plane,
        certify_unigram,
    )
    from theory.chain.kernel import Chain, chain_of, law_entropy
    from theory.checker.check import CheckResult, check
    from theory.numeric import function
    from theory.proving.theorem import Control, Hypothesis, Proof, Scope, Theorem, prove
    from theory.reduced.basins import basin, separatrix
    from theory.reduced.critical_points import classify
    from theory.reduced.escape import escape_radius
    from theory.reduced.kink import one_sided_curvatures
    from theory.spectra.bigram import bigram_spectrum
    from theory.spectra.predicted_spectrum import PredictedSpectrum
    from theory.spectra.reduced import (
        ansatz_bigram,
        reduced_bigram_spectrum,
        reduced_unigram_spectrum,
    )
    from theory.spectra.states import (
        contrasts,
        first_lag_criterion,
        gauge_nullity,
        states_spectrum,
    )
    from theory.spectra.universal_law import lag_covariances, universal_block
    from theory.statements.records import ProofRecord, StepRecord, proof_record
    from theory.statements.registry import register, theorem, theorems
    from theory.transformer.representation import single_layer_representation

# No name may equal a module's or a folder's (tests/test_startup.py): see `landscape/__init__.py`.
_NAMES = {
    "certificates.unigram": (
        *("BigramRoot", "Certificate", "PlaneCertificate"),
        *("certify_bigram_root", "certify_plane", "certify_unigram"),
    ),
    "chain.kernel": ("Chain", "chain_of", "law_entropy"),
    "checker.check": ("CheckResult", "check"),
    "numeric": ("function",),
    "proving.theorem": ("Control", "Hypothesis", "Proof", "Scope", "Theorem", "prove"),
    "reduced.basins": ("basin", "separatrix"),
    "reduced.critical_points": ("classify",),
    "reduced.escape": ("escape_radius",),
    "reduced.kink": ("one_sided_curvatures",),
    "spectra.bigram": ("bigram_spectrum",),
    "spectra.predicted_spectrum": ("PredictedSpectrum",),
    "spectra.reduced": ("ansatz_bigram", "reduced_bigram_spectrum", "reduced_unigram_spectrum"),
    "spectra.states": ("contrasts", "first_lag_criterion", "gauge_nullity", "states_spectrum"),
    "spectra.universal_law": ("lag_covariances", "universal_block"),
    "statements.records": ("ProofRecord", "StepRecord", "proof_record"),
    "statements.registry": ("register", "theorem", "theorems"),
    "transformer.representation": ("single_layer_representation",),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "BigramRoot", "Certificate", "Chain", "CheckResult", "Control", "Hypothesis",
    "PlaneCertificate", "PredictedSpectrum", "Proof", "ProofRecord", "Scope", "StepRecord",
    "Theorem", "ansatz_bigram", "basin", "bigram_spectrum", "certify_bigram_root",
    "certify_plane", "certify_unigram", "chain_of", "check", "classify", "contrasts",
    "escape_radius", "first_lag_criterion", "function", "gauge_nullity", "lag_covariances",
    "law_entropy", "one_sided_curvatures", "proof_record", "prove", "reduced_bigram_spectrum",
    "reduced_unigram_spectrum", "register", "separatrix", "single_layer_representation",
    "states_spectrum", "theorem", "theorems", "universal_block",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
