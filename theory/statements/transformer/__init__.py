"""Theorems on the whole network."""
