"""The predictions a measurement is compared with, in one place.

Nothing here needs sympy until a reduced-model expression is evaluated.
"""

from __future__ import annotations

from theory.bigram import bigram_spectrum
from theory.chain import Chain, chain, law_entropy
from theory.prediction import PredictedSpectrum
from theory.reduced import ansatz_bigram, reduced_bigram_spectrum, reduced_unigram_spectrum
from theory.single_layer import single_layer_representation
from theory.unigram import lag_covariances, unigram_block, unigram_spectrum
from theory.unigram_law import universal_block
from theory.unigram_states import (
    contrasts,
    first_lag_criterion,
    gauge_nullity,
    states_spectrum,
)

__all__ = [
    "Chain",
    "PredictedSpectrum",
    "ansatz_bigram",
    "bigram_spectrum",
    "chain",
    "contrasts",
    "first_lag_criterion",
    "gauge_nullity",
    "lag_covariances",
    "law_entropy",
    "reduced_bigram_spectrum",
    "reduced_unigram_spectrum",
    "single_layer_representation",
    "states_spectrum",
    "unigram_block",
    "unigram_spectrum",
    "universal_block",
]
