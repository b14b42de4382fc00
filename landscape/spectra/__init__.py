"""Derivatives and Hessian spectra at a point, and kinks, where there are none."""
