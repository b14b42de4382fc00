"""The networks that people bring: what they give is what an enumeration of their own gives.

Every row of docs/own_models.md is a case here.
"""

import inspect
import json
import re
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from landscape.models.kernels import differentiable_kernels, fused
from landscape.models.parameters import call, in_float64, parameters_of, to_dtype
from landscape.models.soundness import unsound
from landscape.models.trial import trial
from landscape.objectives.exact import ExactLoss
from landscape.objectives.sampled import SampledLoss
from landscape.points.refinement import refine
from landscape.points.unigram import unigram_point
from landscape.sources import BinaryMarkov
from landscape.spectra.spectrum import hessian_spectrum
from landscape.training.loop import train
from tests.landscape.cli.running import Run
from tests.planted import architectures
from tests.twins import enumerated

ROOT = Path(__file__).parents[3]
KERNEL = np.array([[0.7, 0.3], [0.4, 0.6]])
CHAIN = BinaryMarkov("0.3", "0.4")
SLOW_CELLS = pytest.mark.filterwarnings("ignore:There is a performance drop")  # torch's own cells

WORK = {
    "GPT2", "TiedGPT2", "Heads", "heads_in_eval_mode", "Encoder", "encoder_in_eval_mode",
    "ComplexRope", "Llama", "Alibi", "LinearAttention", "Gru", "SelectiveScan", "DenseExperts",
    "batch_norm_in_eval_mode", "WeightNormed", "NoForwardMode", "Frozen", "Residual",
    "SafeQKNormed", "Universal", "spectral_norm_in_eval_mode",
}  # fmt: skip

REFUSED = {
    "Remembered": "does not compute with the parameters that are put in place of its own",
    "PlainList": "weights that are not among its parameters.*nn.ModuleList",
    "TiedInMemory": "'emb.weight' and 'head.weight' are two, but lie in the same memory",
    "Leaving": "cannot be evaluated.*SystemExit",
    "TorchLSTM": "nn.LSTM runs on a kernel that cannot be batched.*nn.LSTMCell",
    "TorchGRU": "nn.GRU runs on a kernel that cannot be batched.*nn.GRUCell",
    "MaskedExperts": "decides by values.*torch.where",
    "ExpertChoice": "looks ahead",
    "BatchNormed": "BatchNorm edits the running statistics 'norm.running_mean'.*eval mode",
    "BatchNormedOnly": "change with the sequences beside it",
    "DroppingEncoder": "it draws.*the dropout 'encoder.layers.0.* is in train mode.*eval mode",
    "OldFunction": "no setup_context.*forward mode",
    "Checkpointed": "torch.utils.checkpoint",
    "CheckpointedReentrant": "torch.utils.checkpoint",
    "CrowdedExpert": "change with the sequences beside it",
    "SpectralNormed": "edits a buffer.*eval mode",
    "MaxNormed": "edits its parameter 'emb.weight' in place.*max_norm",
    "PlainTensor": "to have the same dtype.*as buffers",
    "AheadAfterOnes": r"looks ahead.*position 1, after 1\)",
    "AheadAfterManyOnes": r"looks ahead.*position 7, after 1 1 1 1 1 1 1\)",
    "AheadInBlocks": "looks ahead.*position 1, after",
    "AheadWhenTrained": "looks ahead",
    "Tuple": r"returned a tuple \(Tensor, NoneType\).*return the logits alone",
    "AllFrozen": "every parameter of AllFrozen is frozen.*requires_grad_",
    "ComplexWeights": "'turns' is complex.*view_as_complex",
}

UNMEASURED = {
    "Llama32": "rounds inside .float to float32.*measure.points",
    "Residual32": "rounds inside .float to float32",
    "Brain16": "rounds inside .to to bfloat16",
    "Softmax32": "rounds inside .softmax to float32",
    "Numb": "rounds inside",
    "StraightThrough": "its first derivatives are not those of its values",
}
"""Those that can be trained, but have no curvature in float64."""

KNOWN: dict[str, tuple[float, float, int, float, float, tuple[int, int, int]]] = {
    "GPT2": (2.5800513858, 1.95647935, 104, -2.30508727, 2.68295358, (34, 33, 37)),
    "WeightNormed": (0.6943331926, 0.30478827, 42, -0.43886183, 1.25499023, (17, 5, 20)),
}
"""Loss, gradient norm, D, extreme eigenvalues and inertia by whole Hessians of differences."""


def built(name: str, length: int = 4, width: int = 4) -> Any:
    make = getattr(architectures, name)
    sizes = {"states": 2, "width": width, "length": length}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make(**{k: sizes[k] for k in inspect.signature(make).parameters})


@cache
def measured(name: str, length: int) -> Any:
    model = built(name, length)
    return hessian_spectrum(model, ExactLoss(CHAIN, length), parameters_of(model))


def largest_gap(name: str, found: Any, twin: nn.Module, length: int) -> float:
    """Between H v of the spectrum and differences of first-order gradients, over two v."""
    V, values = found.eigenvectors.numpy(), found.eigenvalues.numpy()
    generator = np.random.default_rng(0)
    gaps = []
    for _ in range(2):
        v = generator.standard_normal(len(values))
        product = enumerated.hessian_product(twin, KERNEL, length, v)
        gaps.append(np.abs(V @ (values * (V.T @ v)) - product).max())
    return float(max(gaps))


# --- what works ---------------------------------------------------------------------------------


@SLOW_CELLS
@pytest.mark.parametrize("name", sorted(WORK))
def test_loss_gradient_and_hessian_are_those_of_an_enumeration(name: str) -> None:
    length = 3
    found, twin = measured(name, length), enumerated.double(built(name, length))
    among = [p for p in twin.parameters() if p.requires_grad]
    assert abs(found.loss - enumerated.loss(twin, KERNEL, length).item()) < 1e-14
    slope = enumerated.gradient(twin, KERNEL, length, among)
    assert abs(found.gradient_norm - np.linalg.norm(slope)) < 1e-13
    assert found.parameters == len(slope)
    # h^4 of a fifth derivative, and eps/h: below 1e-10 of H v for all of them
    assert largest_gap(name, found, twin, length) < 2e-10
    assert trial(built(name, length), 2, length) is None


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_known_spectra_come_out(name: str) -> None:
    found = measured(name, 4)
    loss, slope, size, lowest, highest, inertia = KNOWN[name]
    assert abs(found.loss - loss) < 1e-10 and abs(found.gradient_norm - slope) < 1e-8
    assert (found.parameters, found.inertia) == (size, inertia)
    assert abs(found.eigenvalues[0].item() - lowest) < 1e-8
    assert abs(found.eigenvalues[-1].item() - highest) < 1e-8


@pytest.mark.parametrize("name", ["GPT2", "Encoder", "heads_in_eval_mode"])
def test_a_loss_is_twice_differentiable_without_a_word_of_its_user(name: str) -> None:
    model, loss = built(name, 3), ExactLoss(CHAIN, 3)
    params = in_float64(parameters_of(model))
    along = {key: torch.ones_like(value) for key, value in params.items()}

    def slope(at: Any) -> Any:
        return torch.func.grad(lambda p: loss(model, p))(at)

    forward = torch.func.jvp(slope, (params,), (along,))[1]
    twin = enumerated.double(built(name, 3))
    size = sum(value.numel() for value in params.values())
    product = enumerated.hessian_product(twin, KERNEL, 3, np.ones(size))
    joined = torch.cat([value.reshape(-1) for value in forward.values()]).numpy()
    assert np.abs(joined - product).max() < 1e-9
    with fused(), pytest.raises(NotImplementedError):  # control: on torch's own choice of kernels
        if name == "heads_in_eval_mode":
            torch.func.jvp(
                lambda p: torch.func.functional_call(model, p, (torch.zeros(1, 3).long(),)),
                ({key: value.float() for key, value in params.items()},),
                ({key: value.float() for key, value in along.items()},),
            )
        torch.func.jvp(slope, (params,), (along,))


def test_a_module_under_two_names_is_given_back_what_it_had() -> None:
    model = built("Universal").double()
    before, tokens = model.block.weight, torch.tensor([[0, 1, 1, 0]])
    params = {name: value + 0.1 for name, value in parameters_of(model).items()}
    found = call(model, params, "forward", tokens)
    assert model.block.weight is before
    other = built("Universal").double()
    with torch.no_grad():
        for name, value in other.named_parameters():
            value.copy_(params[name])
    assert torch.equal(found, other(tokens))
    torch.func.functional_call(model, params, (tokens,))
    assert model.block.weight is not before  # control: torch's own


def test_kernels_are_shared_by_threads_and_put_back() -> None:
    def enabled() -> tuple[bool, bool, bool]:
        backend = torch.backends
        fast = backend.mha.get_fastpath_enabled()
        return backend.cuda.flash_sdp_enabled(), backend.cuda.math_sdp_enabled(), fast

    before, model, inside = enabled(), built("GPT2"), []
    with differentiable_kernels(model):

        def another() -> None:
            with differentiable_kernels(model):
                pass
            inside.append(enabled())

        thread = Thread(target=another)
        thread.start()
        thread.join()
        assert enabled() == inside[0] == (False, True, False)
    with fused(), differentiable_kernels(model):
        assert enabled() == (*before[:2], False)
    assert enabled() == before == (True, True, True)


def test_the_weight_norm_of_torch_has_a_wrong_second_derivative() -> None:
    model = built("WeightNormed").double()
    tokens = torch.tensor([[0, 1, 1, 0]])
    params = {k: v.detach() + 0.1 for k, v in model.named_parameters()}

    def curvature(plain: bool) -> float:
        moving = {k: v.clone().requires_grad_() for k, v in params.items()}
        if plain:
            logits = call(model, moving, "forward", tokens)
        else:
            logits = torch.func.functional_call(model, moving, (tokens,))
        leaf = moving["mid.parametrizations.weight.original1"]
        (slope,) = torch.autograd.grad(logits.square().sum(), leaf, create_graph=True)
        return float(torch.autograd.grad(slope.sum(), leaf)[0].sum())

    def slope(step: float) -> float:
        name = "mid.parametrizations.weight.original1"
        leaf = (params[name] + step).requires_grad_()
        logits = torch.func.functional_call(model, {**params, name: leaf}, (tokens,))
        return float(torch.autograd.grad(logits.square().sum(), leaf)[0].sum())

    quotient = (slope(1e-5) - slope(-1e-5)) / 2e-5
    # h^2 of a fourth derivative
    assert abs(curvature(plain=True) - quotient) < 1e-6
    assert abs(curvature(plain=False) - quotient) > 1e-3


@SLOW_CELLS
@pytest.mark.parametrize("name", ["GPT2", "Encoder", "Llama", "Gru", "ComplexRope", "Softmax32"])
def test_they_are_trained_at_either_precision(name: str) -> None:
    for dtype in (torch.float32, torch.float64):
        model = to_dtype(built(name, 3), dtype)
        loss = SampledLoss(CHAIN, 3, batch=4, seed=0)
        start = {0: parameters_of(model)}
        done = train(model, loss, steps=2, seeds=[0], initial=start.__getitem__)
        assert np.isfinite(done.loss).all() and {v.dtype for v in done.params.values()} == {dtype}


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad=True:UserWarning")
@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_be_used_is_refused_with_its_cause_and_a_way_out(name: str) -> None:
    length = 9 if name == "AheadAfterManyOnes" else 5
    for curvature in (True, False):
        found = trial(built(name, length), 2, length, curvature=curvature)
        assert found is not None and re.search(REFUSED[name], "; ".join(found)), found
        assert "\n" not in "; ".join(found)


def test_a_parameter_of_no_entries_is_let_pass() -> None:
    assert trial(built("WithNothing", 3), 2, 3) is None


@pytest.mark.parametrize("name", ["TorchLSTM", "OldFunction", "MaskedExperts"])
def test_in_python_they_are_measured_all_the_same_and_not_trained(name: str) -> None:
    twin = enumerated.double(built(name, 3))
    assert largest_gap(name, measured(name, 3), twin, 3) < 2e-10
    with pytest.raises(ValueError, match=f"model={name} cannot be computed for several runs"):
        train(built(name, 3), ExactLoss(CHAIN, 3), steps=1, seeds=[0])


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated:FutureWarning")
def test_the_old_weight_norm_is_refused_by_its_name() -> None:
    class Old(architectures.WeightNormed):
        norm = staticmethod(nn.utils.weight_norm)

    found = trial(Old(2, 4, 3), 2, 3)
    assert found is not None and "the old torch.nn.utils.weight_norm" in found[0]
    assert "torch.nn.utils.parametrizations" in found[1]


@pytest.mark.parametrize("name", ["AheadAfterManyOnes", "AheadAfterOnes", "AheadInBlocks"])
def test_looking_ahead_is_seen_where_sequences_are_too_many(name: str) -> None:
    assert "looks ahead" in (trial(built(name, 40), 2, 40) or ("",))[0]
    causal = trial(built("Alibi", 40), 2, 40)
    assert causal is None  # control


@pytest.mark.parametrize("name", sorted(UNMEASURED))
def test_what_rounds_or_passes_gradients_by_is_trained_and_not_measured(name: str) -> None:
    length = 3
    model, loss = built(name, length), ExactLoss(CHAIN, length)
    found = trial(model, 2, length)
    assert found is not None and re.search(UNMEASURED[name], "; ".join(found)), found
    assert trial(model, 2, length, curvature=False) is None
    done = train(to_dtype(model, torch.float64), loss, steps=2, seeds=[0])
    for act in (hessian_spectrum, refine):
        with pytest.raises(ValueError, match=UNMEASURED[name].partition(".*")[0]):
            act(model, loss, done.end(0))


def test_a_tensor_of_the_default_dtype_that_is_written_into_is_seen() -> None:
    model = built("WrittenInto", 3)
    found = unsound(model, parameters_of(model), 2, 3)
    assert found is not None and "setitem to float32" in found[0]


def test_small_logits_and_steep_functions_do_not_count_as_rounding() -> None:
    for scale in (1e-8, 1e-3, 30.0):
        model = built("Llama", 3)
        weights = {name: scale * value for name, value in parameters_of(model).items()}
        assert unsound(model, weights, 2, 3) is None


# --- constants ----------------------------------------------------------------------------------


def test_complex_constants_keep_their_imaginary_part() -> None:
    model = built("ComplexRope")
    turns = model.get_buffer("freqs_cis").clone()
    to_dtype(model, torch.float64)
    assert torch.equal(model.get_buffer("freqs_cis"), turns.to(torch.complex128))
    assert turns.imag.abs().max() > 0.5  # control: there is one to be lost
    to_dtype(model, torch.float32)
    assert torch.equal(model.get_buffer("freqs_cis"), turns)


def test_other_constants_change_in_nothing_but_their_precision() -> None:
    model = nn.Module()
    kept = {
        "whole": torch.tensor([3, 2**40]),
        "truth": torch.tensor([True, False]),
        "short": torch.tensor([0.1]).half(),
        "shorter": torch.tensor([0.1]).bfloat16(),
    }
    for name, value in kept.items():
        model.register_buffer(name, value.clone())
    to_dtype(model, torch.float64)
    for name, value in model.named_buffers():
        assert torch.equal(value.to(kept[name].dtype), kept[name])
        assert value.dtype == (
            torch.float64 if kept[name].is_floating_point() else kept[name].dtype
        )


def test_frozen_parameters_are_constants_in_training_and_in_the_hessian() -> None:
    model, loss = built("Frozen"), ExactLoss(CHAIN, 4)
    before = model.emb.weight.detach().clone()
    done = train(model, loss, steps=5, seeds=[0, 1], lr=0.05)
    assert set(done.params) == {"head.weight", "head.bias"}
    assert torch.equal(model.emb.weight, before)
    found = hessian_spectrum(model, loss, done.end(0))
    assert (found.parameters, found.frozen) == (10, ("emb.weight",))
    assert found.to_xarray().attrs["frozen"] == "emb.weight"
    listed = hessian_spectrum(model, loss, {**done.end(0), "emb.weight": before})
    assert torch.equal(listed.eigenvalues, found.eigenvalues)
    moved = hessian_spectrum(model, loss, {**done.end(0), "emb.weight": before + 1})
    assert moved.parameters == 10 and not torch.allclose(moved.eigenvalues, found.eigenvalues)
    model.emb.weight.requires_grad_(True)  # control
    free = hessian_spectrum(model, loss, {**done.end(0), "emb.weight": before})
    assert (free.parameters, free.frozen) == (18, ())


def test_a_frozen_embedding_has_no_unigram_point() -> None:
    model = built("FrozenReader")
    with pytest.raises(
        ValueError, match=r"'wte' of FrozenReader is frozen \(requires_grad=False\)"
    ):
        unigram_point(model, ExactLoss(CHAIN, 3))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("QKNormed", "the forward pass of QKNormed is not finite at the unigram.*eps"),
        ("RootedQKNormed", "the gradient, not the loss, of RootedQKNormed.*sqrt"),
    ],
)
def test_a_norm_of_nothing_is_named_at_the_unigram(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        unigram_point(built(name, 3), ExactLoss(CHAIN, 3))
    assert unigram_point(built("SafeQKNormed", 3), ExactLoss(CHAIN, 3)).gradient_norm < 1e-7


# --- from the shell -----------------------------------------------------------------------------

OWN = "--p .3 --q .4 --width 4 --allow-code --model tests.planted.architectures:{}"


@pytest.mark.parametrize(
    ("words", "name", "wanted"),
    [
        ("--length 4 --at trained --steps 0", "TiedGPT2", (2.585689911178, 112, [35, 39, 38])),
        ("--length 4 --at trained --steps 0", "SelectiveScan", (0.727680011838, 95, [42, 12, 41])),
        ("--length 4 --at trained --steps 0", "ComplexRope", (0.826211886460, 66, [18, 28, 20])),
        ("--length 4 --at trained --steps 0", "DenseExperts", (0.656861309408, 68, [12, 42, 14])),
        ("--length 4 --at trained --steps 9", "Frozen", (None, 10, [0, 8, 2])),
        ("--length 3 --at unigram --random-weights .5", "Residual", (None, 90, [2, 85, 3])),
        ("--length 3 --at unigram --random-weights .5", "SafeQKNormed", (None, 58, [4, 53, 1])),
    ],
)
def test_a_spectrum_from_the_shell(
    words: str, name: str, wanted: tuple[float | None, int, list[int]], run: Run
) -> None:
    code, out, err = run("spectrum", OWN.format(name), words, "--json")
    assert code == 0, err
    found, (loss, size, inertia) = json.loads(out), wanted
    assert (found["parameters"], found["inertia"]) == (size, inertia)
    assert loss is None or abs(found["loss"] - loss) < 1e-11
    assert found["frozen"] == (["emb.weight"] if name == "Frozen" else [])


@pytest.mark.parametrize("name", ["BatchNormedOnly", "AheadAfterOnes", "OldFunction", "Residual32"])
def test_a_refusal_comes_before_the_training_with_code_2(name: str, run: Run) -> None:
    for words in ("--at trained --steps 100000", "--at unigram --random-weights .5"):
        code, out, err = run("spectrum", OWN.format(name), "--length 3", words, "--json")
        assert (code, out) == (2, "") and f"architectures:{name} is refused: it" in err
        assert "Traceback" not in err and "training: step" not in err


def test_constants_that_the_seed_draws_are_not_mixed_up(tmp_path: Path, run: Run) -> None:
    config = tmp_path / "own.toml"
    text = (
        '[source]\np = 0.3\nq = 0.4\n[model]\nkind = "tests.planted.architectures:RandomFeatures"\n'
        "length = 3\n[train]\nsteps = 2\nseeds = {}\n[measure]\npoints = [{}]\n"
    )
    config.write_text(text.format(2, ""))
    code, _, err = run("scan", config, "--allow-code --no-report --out", tmp_path / "out")
    assert code == 2 and "its constant 'emb.weight' (frozen, or a buffer) is drawn by the" in err
    assert "train.seeds = 1" in err and not (tmp_path / "out").exists()
    config.write_text(text.format(1, '"trained"'))
    code, _, err = run("scan", config, "--allow-code --no-report --out", tmp_path / "out")
    assert code == 0, err


def test_the_page_of_what_works_has_a_row_for_every_case() -> None:
    page = (ROOT / "docs" / "own_models.md").read_text("utf-8")
    rows = set(re.findall(r"`(\w+)` *\|$", page, flags=re.MULTILINE))
    assert rows == WORK | set(REFUSED) | set(UNMEASURED)
