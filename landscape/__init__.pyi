"""The public names of `landscape`, each with the module that it is loaded from on first use."""

from .comparison.checks import Check as Check, Report as Report
from .comparison.spectra import compare as compare, predict as predict
from .comparison.theorems.verification import Verification as Verification, verify as verify
from .config.scan import ScanConfig as ScanConfig
from .errors import ConfigError as ConfigError
from .models import (
    GPT as GPT,
    Readable as Readable,
    ReducedModel as ReducedModel,
    SingleLayer as SingleLayer,
)
from .objectives.exact import ExactLoss as ExactLoss
from .objectives.protocol import Objective as Objective
from .objectives.sampled import SampledLoss as SampledLoss
from .points.bigram import bigram_point as bigram_point
from .points.critical_point import CriticalPoint as CriticalPoint
from .points.refinement import refine as refine
from .points.unigram import unigram_point as unigram_point
from .scanning.scan import scan as scan
from .scanning.survival import survival_by as survival_by
from .slices.loss_slice import LossSlice as LossSlice
from .slices.plane import loss_slice as loss_slice
from .slices.reduced_plane import coordinate_slice as coordinate_slice
from .sources import (
    BinaryMarkov as BinaryMarkov,
    InContext as InContext,
    LagMarkov as LagMarkov,
    Markov as Markov,
    OrderKMarkov as OrderKMarkov,
    SwitchingMarkov as SwitchingMarkov,
)
from .spectra.spectrum import Spectrum as Spectrum, hessian_spectrum as hessian_spectrum
from .store.reading import collect as collect, open_scan as open_scan
from .sublevel.escape import escape_radius as escape_radius
from .sublevel.escape_on_ansatz import escape_along_ansatz as escape_along_ansatz
from .sublevel.loss_path import LossPath as LossPath
from .sublevel.valley import valley_path as valley_path
from .sublevel.witness import EscapeRadius as EscapeRadius
from .training.loop import train as train
from .training.survival import SurvivalCurve as SurvivalCurve, survival_curve as survival_curve
from .training.trajectory import Trajectory as Trajectory
from .version import __version__ as __version__
