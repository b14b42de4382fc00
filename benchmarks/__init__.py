"""Ratios against naive twins, measured in one run."""
