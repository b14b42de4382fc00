"""The predictions a measurement is compared with, in one place.

Nothing here needs sympy until a reduced-model expression is evaluated.
"""

from __future__ import annotations

from theory.chain.kernel import Chain, chain_of, law_entropy
from theory.spectra.bigram import bigram_spectrum
from theory.spectra.predicted_spectrum import PredictedSpectrum
from theory.spectra.reduced import ansatz_bigram, reduced_bigram_spectrum, reduced_unigram_spectrum
from theory.spectra.states import contrasts, first_lag_criterion, gauge_nullity, states_spectrum
from theory.spectra.universal_law import lag_covariances, universal_block
from theory.transformer.representation import single_layer_representation

__all__ = [
    "Chain",
    "PredictedSpectrum",
    "ansatz_bigram",
    "bigram_spectrum",
    "chain_of",
    "contrasts",
    "first_lag_criterion",
    "gauge_nullity",
    "lag_covariances",
    "law_entropy",
    "reduced_bigram_spectrum",
    "reduced_unigram_spectrum",
    "single_layer_representation",
    "states_spectrum",
    "universal_block",
]
