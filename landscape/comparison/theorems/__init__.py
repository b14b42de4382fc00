"""The theorems of the registry, each set beside a measurement at one point of the (p, q) plane."""
