"""Algebra that only proofs need."""
