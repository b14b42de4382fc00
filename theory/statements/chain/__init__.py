"""Theorems on the chain."""
