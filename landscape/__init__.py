"""What the loss landscape of transformers trained on Markov chains does look like, measured.

Each public name is imported from its module on first use, so `import landscape` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from landscape.charts import coordinate_slice
    from landscape.compare_theorems.verification import verify
    from landscape.escape import escape_radius
    from landscape.escape_ansatz import escape_along_ansatz
    from landscape.models import GPT, ReducedModel, SingleLayer
    from landscape.objective import ExactLoss
    from landscape.points import bigram_point, unigram_point
    from landscape.refinement import refine
    from landscape.sampled import SampledLoss
    from landscape.scanning import scan
    from landscape.slices import loss_slice
    from landscape.sources import (
        BinaryMarkov,
        InContext,
        LagMarkov,
        Markov,
        OrderKMarkov,
        SwitchingMarkov,
    )
    from landscape.spectrum import hessian_spectrum
    from landscape.survival import SurvivalCurve, survival_curve
    from landscape.survival_scan import survival_by
    from landscape.training import train
    from landscape.valley import valley_path

    __version__: str

__all__ = [
    "GPT",
    "BinaryMarkov",
    "ExactLoss",
    "InContext",
    "LagMarkov",
    "Markov",
    "OrderKMarkov",
    "ReducedModel",
    "SampledLoss",
    "SingleLayer",
    "SurvivalCurve",
    "SwitchingMarkov",
    "__version__",
    "bigram_point",
    "coordinate_slice",
    "escape_along_ansatz",
    "escape_radius",
    "hessian_spectrum",
    "loss_slice",
    "refine",
    "scan",
    "survival_by",
    "survival_curve",
    "train",
    "unigram_point",
    "valley_path",
    "verify",
]

# No name may equal a module's: importing that module would set it on the package, over the name.
# This is why the scan lives in scanning.py (tests/test_startup.py holds every later name to it).
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
    "ExactLoss": "objective",
    "SampledLoss": "sampled",
    "train": "training",
    "unigram_point": "points",
    "bigram_point": "points",
    "refine": "refinement",
    "hessian_spectrum": "spectrum",
    "loss_slice": "slices",
    "coordinate_slice": "charts",
    "SurvivalCurve": "survival",
    "survival_curve": "survival",
    "survival_by": "survival_scan",
    "scan": "scanning",
    "valley_path": "valley",
    "escape_radius": "escape",
    "escape_along_ansatz": "escape_ansatz",
    "verify": "compare_theorems.verification",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        value: object = _version()
    elif name in _HOME:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("markov-landscape")
    except PackageNotFoundError:  # a checkout on the path, not installed
        return "0+source"
