"""Theorems on the three scalars."""
