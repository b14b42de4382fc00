"""Sources of symbols: exact contexts, entropies, lag covariances, and loop-free sampling."""

from landscape.sources.binary import BinaryMarkov, probability
from landscape.sources.protocol import REFERENCES, MarkovSource, Reference, SampledSource

__all__ = [
    "REFERENCES",
    "BinaryMarkov",
    "MarkovSource",
    "Reference",
    "SampledSource",
    "probability",
]
