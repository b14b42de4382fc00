"""Every Hessian eigenvalue at a unigram and at a bigram point, measured and predicted."""

from __future__ import annotations

from typing import Any

import xarray

from landscape.comparison.spectra import compare
from landscape.models import SingleLayer
from landscape.models.initial import gaussian
from landscape.objectives.exact import ExactLoss
from landscape.points.bigram import bigram_point
from landscape.points.unigram import unigram_point
from landscape.sources import BinaryMarkov
from landscape.spectra.spectrum import hessian_spectrum

__all__ = ["measured"]


def measured(
    *, p: float, q: float, width: int, length: int, deviation: float, seed: int
) -> xarray.Dataset:
    """The spectra of the tied single layer, all D eigenvalues ascending, in nats.

    At the unigram point the weights that are free there are normal with this standard deviation; at
    the bigram point, on the rank-one ansatz, query and key are.

    Returns `measured` and `predicted` [point, index], and `zero_bound`, `max_error` and the
    verdict [point].

    >>> found = measured(p=0.5, q=0.8, width=2, length=3, deviation=0.3, seed=0)
    >>> found["verdict"].values.tolist(), bool(found["max_error"].max() < 1e-13)
    (['verified', 'verified'], True)
    """
    source = BinaryMarkov(str(p), str(q))
    model, objective = SingleLayer(width=width, length=length), ExactLoss(source, length)
    free = gaussian(model, deviation, seed)
    rows: dict[str, list[Any]] = {
        name: [] for name in ("measured", "predicted", "zero_bound", "max_error", "verdict")
    }
    kinds = ("unigram", "bigram")
    for make in (unigram_point, bigram_point):
        point = make(model, objective, free=free)
        spectrum = hessian_spectrum(model, objective, point.params)
        report = compare(model, point, spectrum, source, length=length)
        if report.predicted is None:
            raise ValueError(f"there is no prediction at the {point.kind} point: {report.verdict}")
        rows["measured"].append(spectrum.eigenvalues)
        rows["predicted"].append(report.predicted.full())
        rows["zero_bound"].append(spectrum.zero_bound)
        rows["max_error"].append(report.max_error)
        rows["verdict"].append(report.verdict)
    both, each = ("point", "index"), ("point",)
    variables = {
        name: (both if name in ("measured", "predicted") else each, values)
        for name, values in rows.items()
    }
    return xarray.Dataset(variables, coords={"point": list(kinds)})
