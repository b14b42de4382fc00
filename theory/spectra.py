"""The predictions a measurement is compared with, in one place.

Nothing here needs sympy until a reduced-model expression is evaluated.
"""

from __future__ import annotations

from theory.bigram import bigram_spectrum
from theory.prediction import PredictedSpectrum
from theory.reduced import ansatz_bigram, reduced_bigram_spectrum, reduced_unigram_spectrum
from theory.single_layer import single_layer_representation
from theory.unigram import lag_covariances, unigram_block, unigram_spectrum

__all__ = [
    "PredictedSpectrum",
    "ansatz_bigram",
    "bigram_spectrum",
    "lag_covariances",
    "reduced_bigram_spectrum",
    "reduced_unigram_spectrum",
    "single_layer_representation",
    "unigram_block",
    "unigram_spectrum",
]
