"""Axes: the parts of a picture."""
