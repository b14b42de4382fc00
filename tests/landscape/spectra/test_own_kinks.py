"""The kink of a relu that the model does not tell of: no inertia, and the true curvatures."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu, leaky_relu, softplus

from landscape.comparison.spectra import compare
from landscape.models.parameters import Coordinates, parameters_of
from landscape.objectives.exact import ExactLoss
from landscape.points.critical_point import CriticalPoint
from landscape.points.unigram import unigram_point
from landscape.slices.directions import drawn_directions
from landscape.slices.plane import loss_slice
from landscape.sources import BinaryMarkov
from landscape.spectra.spectrum import Spectrum, hessian_spectrum
from tests.landscape.cli.running import Record, Run
from tests.planted.relu_network import ReluNetwork

LOSS = ExactLoss(BinaryMarkov("0.3", "0.4"), 3)


def measured(**given: Any) -> tuple[ReluNetwork, CriticalPoint, Spectrum]:
    model = ReluNetwork(**given)
    point = unigram_point(model, LOSS)
    return model, point, hessian_spectrum(model, LOSS, point.params)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("act", [torch.relu, leaky_relu, torch.abs])
def test_one_sided_curvatures_are_difference_quotients_of_the_loss(
    act: Callable[[Tensor], Tensor], tied: bool
) -> None:
    """The gradient is 0 there, so 2 (L(theta + h v) - L(theta))/h^2 tends to the curvature."""
    model, point, spectrum = measured(act=act, tied=tied)
    assert spectrum.kink and len(spectrum.one_sided) == (8 if tied else 16)
    axes, h = Coordinates.of(point.params), 1e-3
    at = axes.vector(point.params)
    apart = 0.0
    for side in spectrum.one_sided:
        for sign, found in ((1, side.plus), (-1, side.minus)):
            there = [
                float(LOSS(model, axes.params(at + sign * k * h * side.direction)))
                for k in (0, 1, 2)
            ]
            one, two = 2 * (there[1] - there[0]) / h**2, (there[2] - there[0]) / (2 * h**2)
            # linear extrapolation to h = 0 leaves h^2, and round-off eps/h^2
            assert abs(2 * one - two - found) < 1e-5 * max(1.0, abs(found))
        apart = max(apart, abs(side.plus - side.minus))
    assert apart > 1e-3  # they are no curvature of a Hessian


def test_there_is_no_inertia_and_the_reason_is_said() -> None:
    model, point, spectrum = measured()
    report = compare(model, LOSS, point, spectrum)
    assert (report.verdict, report.predicted) == ("not-applicable", None)
    assert report.reason == "the loss has a kink here, and no Hessian"
    (check,) = report.checks
    assert check.measured == spectrum.jump and spectrum.jump is not None and spectrum.jump > 0.01


@pytest.mark.parametrize("given", [{"act": gelu}, {"act": softplus}, {"level": 0.1}])
def test_a_smooth_point_has_a_hessian(given: dict[str, Any]) -> None:
    """The control: the same network with another activation, or away from its kinks."""
    model, point, spectrum = measured(**given)
    assert not spectrum.kink and spectrum.one_sided == ()
    assert compare(model, LOSS, point, spectrum).verdict == "verified"


def test_a_kink_within_the_steps_leaves_the_curvatures_uncomputed() -> None:
    """Units at 0 and others a thousandth away: no limit is reached within the steps."""

    class Stairs(ReluNetwork):
        def represent(self, u: Tensor) -> Tensor:
            inner = u @ self.up.T
            return u + (torch.relu(inner) + 9 * torch.relu(inner - 1e-3)) @ self.down.T

    model = Stairs()
    point = unigram_point(model, LOSS)
    spectrum = hessian_spectrum(model, LOSS, point.params)
    assert spectrum.kink and spectrum.one_sided == ()


def test_a_slice_through_the_kink_finds_no_fault_in_itself() -> None:
    model, point, spectrum = measured()
    directions, names = drawn_directions("random", spectrum, point.params, seed=0)
    plane = loss_slice(model, LOSS, point.params, directions, names=names, resolution=5)
    assert plane.faults() == ()


OWN = "--p .3 --q .4 --at unigram --width 4 --length 3 --random-weights .5 --allow-code"
WHERE = "tests.planted.relu_network:ReluNetwork"


def test_the_command_says_that_there_is_no_inertia(record: Record, run: Run) -> None:
    result = record(f"spectrum {OWN} --model {WHERE}")
    assert (result["inertia"], result["verdict"]) == (None, "not-applicable")
    assert len(result["one_sided"]) == 8 and result["why"].startswith("the loss has a kink")
    _, out, _ = run(f"spectrum {OWN} --model {WHERE}")
    assert "no Hessian, and no inertia" in out and "negative," not in out
    assert "not-applicable: the loss has a kink here" in out


class Hidden(torch.nn.Module):
    """A network of one's own that tells nothing: its inner layer starts at 0, where `act` bends."""

    def __init__(self, act: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.emb, self.inner = torch.nn.Embedding(2, 2), torch.nn.Linear(2, 2)
        self.head, self.act = torch.nn.Linear(2, 2), act
        torch.nn.init.zeros_(self.inner.weight)
        torch.nn.init.zeros_(self.inner.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.emb(tokens)
        found: Tensor = self.head(x + self.act(self.inner(x)))
        return found


BENT: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "leaky": leaky_relu,
    "absolute": torch.abs,
    "squared relu": lambda x: torch.relu(x) ** 2,  # its second derivative jumps alone
    "norm": lambda x: x.norm(dim=-1, keepdim=True).expand_as(x),
    "maximum": lambda x: torch.maximum(x, -2 * x),
}


@pytest.mark.parametrize("name", BENT)
def test_a_kink_at_any_point_of_a_model_that_tells_nothing_is_found(name: str) -> None:
    model = Hidden(BENT[name]).double()
    params = parameters_of(model)
    spectrum = hessian_spectrum(model, LOSS, params)
    assert spectrum.kink and spectrum.one_sided == ()
    trained = CriticalPoint("trained", params, spectrum.loss, spectrum.gradient_norm)
    report = compare(model, LOSS, trained, spectrum)
    assert (report.verdict, report.reason) == (
        "not-applicable",
        "the loss has a kink here, and no Hessian",
    )
    # the control: beside the kink there is none
    beside = {**params, "inner.bias": torch.tensor([0.3, -0.4], dtype=torch.float64)}
    assert not hessian_spectrum(model, LOSS, beside).kink


@pytest.mark.parametrize("act", [gelu, softplus, torch.tanh, lambda x: x**3])
def test_no_kink_is_found_where_all_is_smooth(act: Callable[[Tensor], Tensor]) -> None:
    model = Hidden(act).double()
    for scale in (1.0, 30.0):
        params = {name: scale * value for name, value in parameters_of(model).items()}
        assert not hessian_spectrum(model, LOSS, params).kink
