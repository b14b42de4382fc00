"""The public names of `theory`, each with the module that it is loaded from on first use."""

from .certificates.bigram_root import (
    BigramRoot as BigramRoot,
    certify_bigram_root as certify_bigram_root,
)
from .certificates.plane import PlaneCertificate as PlaneCertificate, certify_plane as certify_plane
from .certificates.unigram import Certificate as Certificate, certify_unigram as certify_unigram
from .chain.kernel import Chain as Chain, chain_of as chain_of, law_entropy as law_entropy
from .checker.check import CheckResult as CheckResult, check as check
from .numeric import function as function
from .proving.theorem import (
    Control as Control,
    Hypothesis as Hypothesis,
    Proof as Proof,
    Scope as Scope,
    Theorem as Theorem,
)
from .reduced.basins import basin as basin, separatrix as separatrix
from .reduced.critical_points import (
    classify as classify,
    one_sided_curvatures as one_sided_curvatures,
)
from .reduced.escape import escape_radius as escape_radius
from .reduced.loss import best_bias as best_bias
from .spectra.bigram import bigram_spectrum as bigram_spectrum
from .spectra.predicted_spectrum import PredictedSpectrum as PredictedSpectrum
from .spectra.reduced import (
    ansatz_bigram as ansatz_bigram,
    reduced_bigram_spectrum as reduced_bigram_spectrum,
    reduced_unigram_spectrum as reduced_unigram_spectrum,
)
from .spectra.states import (
    contrasts as contrasts,
    first_lag_criterion as first_lag_criterion,
    gauge_nullity as gauge_nullity,
    states_spectrum as states_spectrum,
)
from .spectra.universal_law import (
    lag_covariances as lag_covariances,
    universal_block as universal_block,
)
from .statements.records import (
    ProofRecord as ProofRecord,
    StepRecord as StepRecord,
    proof_record as proof_record,
)
from .statements.registry import (
    prove as prove,
    register as register,
    theorem as theorem,
    theorems as theorems,
)
from .transformer.representation import single_layer_representation as single_layer_representation
