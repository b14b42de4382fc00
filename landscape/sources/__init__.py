"""Sources of symbols: exact contexts, entropies, lag covariances, and loop-free sampling."""

from landscape.sources.binary import BinaryMarkov, probability
from landscape.sources.finite_memory import FiniteMemory
from landscape.sources.in_context import InContext
from landscape.sources.lag import LagMarkov
from landscape.sources.markov import Markov, SwitchingMarkov
from landscape.sources.order_k import OrderKMarkov
from landscape.sources.protocol import (
    REFERENCES,
    MarkovSource,
    Reference,
    SampledSource,
    TwoState,
    known_reference,
)

__all__ = [
    "REFERENCES",
    "BinaryMarkov",
    "FiniteMemory",
    "InContext",
    "LagMarkov",
    "Markov",
    "MarkovSource",
    "OrderKMarkov",
    "Reference",
    "SampledSource",
    "SwitchingMarkov",
    "TwoState",
    "known_reference",
    "probability",
]
