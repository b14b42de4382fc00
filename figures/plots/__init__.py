"""Whole pictures."""
