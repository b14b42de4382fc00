"""Whole pictures: of a scan, a spectrum, training runs, a flow."""
