"""Theorems on the chain, and its powers by induction."""
