"""Losses as functions of parameters: exact, sampled, fresh batches, population."""
