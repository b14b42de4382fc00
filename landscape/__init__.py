"""What the loss landscape of transformers trained on Markov chains does look like, measured.

Each public name is imported from its module on first use, so `import landscape` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from landscape.comparison.checks import Check, Report
    from landscape.comparison.spectra import compare, predict
    from landscape.comparison.theorems.verification import Verification, verify
    from landscape.config.scan import ScanConfig
    from landscape.models import GPT, Readable, ReducedModel, SingleLayer
    from landscape.objectives.exact import ExactLoss
    from landscape.objectives.protocol import Objective
    from landscape.objectives.sampled import SampledLoss
    from landscape.points.bigram import bigram_point
    from landscape.points.critical_point import CriticalPoint
    from landscape.points.refinement import refine
    from landscape.points.unigram import unigram_point
    from landscape.scanning.scan import scan
    from landscape.scanning.survival import survival_by
    from landscape.slices.loss_slice import LossSlice
    from landscape.slices.plane import loss_slice
    from landscape.slices.reduced_plane import coordinate_slice
    from landscape.sources import (
        BinaryMarkov,
        InContext,
        LagMarkov,
        Markov,
        OrderKMarkov,
        SwitchingMarkov,
    )
    from landscape.spectra.spectrum import Spectrum, hessian_spectrum
    from landscape.store.reading import collect, open_scan
    from landscape.sublevel.escape import escape_radius
    from landscape.sublevel.escape_on_ansatz import escape_along_ansatz
    from landscape.sublevel.loss_path import LossPath
    from landscape.sublevel.valley import valley_path
    from landscape.sublevel.witness import EscapeRadius
    from landscape.training.loop import train
    from landscape.training.survival import SurvivalCurve, survival_curve
    from landscape.training.trajectory import Trajectory
    from landscape.version import __version__

__all__ = [
    "GPT",
    "BinaryMarkov",
    "Check",
    "CriticalPoint",
    "EscapeRadius",
    "ExactLoss",
    "InContext",
    "LagMarkov",
    "LossPath",
    "LossSlice",
    "Markov",
    "Objective",
    "OrderKMarkov",
    "Readable",
    "ReducedModel",
    "Report",
    "SampledLoss",
    "ScanConfig",
    "SingleLayer",
    "Spectrum",
    "SurvivalCurve",
    "SwitchingMarkov",
    "Trajectory",
    "Verification",
    "__version__",
    "bigram_point",
    "collect",
    "compare",
    "coordinate_slice",
    "escape_along_ansatz",
    "escape_radius",
    "hessian_spectrum",
    "loss_slice",
    "open_scan",
    "predict",
    "refine",
    "scan",
    "survival_by",
    "survival_curve",
    "train",
    "unigram_point",
    "valley_path",
    "verify",
]

# No name may equal a module's or a folder's: importing that would set it on the package, over the
# name. This is why the scan lives in scanning/ (tests/test_startup.py holds every name to it).
_HOME = {
    "BinaryMarkov": "sources",
    "Markov": "sources",
    "SwitchingMarkov": "sources",
    "OrderKMarkov": "sources",
    "LagMarkov": "sources",
    "InContext": "sources",
    "SingleLayer": "models",
    "GPT": "models",
    "ReducedModel": "models",
    "Readable": "models",
    "Objective": "objectives.protocol",
    "ExactLoss": "objectives.exact",
    "SampledLoss": "objectives.sampled",
    "train": "training.loop",
    "Trajectory": "training.trajectory",
    "SurvivalCurve": "training.survival",
    "survival_curve": "training.survival",
    "CriticalPoint": "points.critical_point",
    "unigram_point": "points.unigram",
    "bigram_point": "points.bigram",
    "refine": "points.refinement",
    "Spectrum": "spectra.spectrum",
    "hessian_spectrum": "spectra.spectrum",
    "LossSlice": "slices.loss_slice",
    "loss_slice": "slices.plane",
    "coordinate_slice": "slices.reduced_plane",
    "LossPath": "sublevel.loss_path",
    "valley_path": "sublevel.valley",
    "EscapeRadius": "sublevel.witness",
    "escape_radius": "sublevel.escape",
    "escape_along_ansatz": "sublevel.escape_on_ansatz",
    "Check": "comparison.checks",
    "Report": "comparison.checks",
    "compare": "comparison.spectra",
    "predict": "comparison.spectra",
    "Verification": "comparison.theorems.verification",
    "verify": "comparison.theorems.verification",
    "ScanConfig": "config.scan",
    "scan": "scanning.scan",
    "survival_by": "scanning.survival",
    "open_scan": "store.reading",
    "collect": "store.reading",
    "__version__": "version",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
