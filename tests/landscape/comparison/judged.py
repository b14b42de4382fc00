"""Points of small models with their measured spectra, as `compare` takes them."""

from typing import Any

import torch

from landscape.comparison.checks import Report, Verdict
from landscape.models import ReducedModel, SingleLayer
from landscape.models.initial import gaussian
from landscape.objectives.exact import ExactLoss
from landscape.points.bigram import bigram_point
from landscape.points.critical_point import CriticalPoint
from landscape.points.unigram import unigram_point
from landscape.sources import BinaryMarkov
from landscape.spectra.spectrum import Spectrum, hessian_spectrum

Judged = tuple[Any, ExactLoss, CriticalPoint, Spectrum]


def judged(model: Any, objective: ExactLoss, point: CriticalPoint) -> Judged:
    spectrum = hessian_spectrum(model, objective, point.params)
    return model, objective, point, spectrum


def origin(tying: str, p: Any, q: Any) -> Judged:
    """The unigram point of no weights at all."""
    model, objective = SingleLayer(width=4, length=6, tying=tying), ExactLoss(BinaryMarkov(p, q), 6)
    return judged(model, objective, unigram_point(model, objective, free=gaussian(model, 0.0, 0)))


def chain_point(
    kind: str, tying: str, *, p: Any = "0.2", q: Any = "0.35", w: float | None = None
) -> Judged:
    """What `compare` takes, of a small model of that tying or of the reduced one."""
    model: Any = ReducedModel()
    if tying != "reduced":
        model = SingleLayer(width=3, hidden=5, length=4, tying=tying)
    objective, free = ExactLoss(BinaryMarkov(p, q), 4), gaussian(model, 0.5, 3)
    if tying == "reduced":
        free["feedforward"] = torch.tensor(w or 0.0).double()
    if kind == "unigram":
        return judged(model, objective, unigram_point(model, objective, free=free))
    return judged(model, objective, bigram_point(model, objective, w=w, free=free))


def verdicts(report: Report) -> dict[str, Verdict]:
    return {check.id: check.verdict for check in report.checks}
