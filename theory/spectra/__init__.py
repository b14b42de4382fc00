"""Closed-form Hessian spectra: what a measured spectrum is compared with."""
