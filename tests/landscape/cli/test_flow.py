"""`landscape flow` and the flow behind it, against closed forms and another integrator."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from jaxtyping import config

from landscape.comparison import reduced_model
from landscape.comparison.reduced_model import ReducedFlow, allowed_drift, reduced_flow
from landscape.models import ReducedModel
from landscape.numerics import integration
from landscape.numerics.integration import Logarithmic, follow, settled
from landscape.objectives.exact import ExactLoss
from landscape.sources import BinaryMarkov
from tests.landscape.cli.running import Run
from theory.reduced.basins import basin


@pytest.fixture
def run(run: Run) -> Run:
    return partial(run, "flow")


Chain = tuple[float, float]


def entropies(p: float, q: float) -> tuple[float, float]:
    def h(x: float) -> float:
        return -x * math.log(x) - (1 - x) * math.log(1 - x)

    return h(p / (p + q)), (q * h(p) + p * h(q)) / (p + q)


def e_sep(w: float) -> float:
    return math.sqrt(w * w - math.log(-w) - (1 + math.log(2)) / 2)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Shapes unchecked, here alone: at each of a million evaluations it would take a minute."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


# The bracket of a bisection is halved until it is 1e-6 wide.
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("chain", "w"),
    [
        ((0.5, 0.8), -0.6),
        pytest.param((0.2, 0.3), -0.9, marks=pytest.mark.slow),
        pytest.param((0.9, 0.9), -0.3, marks=pytest.mark.slow),
        pytest.param((0.1, 0.1), -2.0, marks=pytest.mark.slow),
    ],
)
def test_bisection_with_the_integrator_finds_the_separatrix(chain: Chain, w: float) -> None:
    low, high = 0.5 * e_sep(w), 1.5 * e_sep(w)
    while high - low > 1e-6:
        middle = (low + high) / 2
        if reduced_flow(*chain, middle, w).basin == "bigram":
            high = middle
        else:
            low = middle
    assert abs((low + high) / 2 - e_sep(w)) < 1e-5
    # the control: the level of another energy is not where the basins meet
    assert abs((low + high) / 2 - math.sqrt(e_sep(w) ** 2 + 1e-4)) > 1e-5


@pytest.mark.parametrize(
    ("chain", "w"),
    [
        *(((0.9, 0.9), -0.05), ((0.1, 0.1), -0.8)),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in (((0.9, 0.9), -0.5), ((0.1, 0.1), -1.4), ((0.1, 0.1), -2.9))
        ),
    ],
)
def test_the_basins_meet_at_the_closed_form(chain: Chain, w: float) -> None:
    for sign in (1, -1):
        starts = [sign * (e_sep(w) + step) for step in (-1e-5, 1e-5)]
        assert [reduced_flow(*chain, e, w).basin for e in starts] == ["unigram", "bigram"]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("chain", [(0.9, 0.9), pytest.param((0.2, 0.3), marks=pytest.mark.slow)])
def test_theory_and_integration_agree_on_a_grid_of_starts(chain: Chain) -> None:
    found, predicted, mirrored = [], [], []
    for w in np.linspace(-2.9, 2.8, 10).tolist():
        for e in np.linspace(-2.5, 2.75, 10).tolist():
            flow = reduced_flow(*chain, e, w)
            found.append(flow.basin)
            predicted.append(flow.basin_by_theory)
            mirrored.append(basin(1 - chain[0], 1 - chain[1], e, w))
            losses = dict(zip(("unigram", "bigram"), entropies(*chain), strict=True))
            assert flow.basin is not None and abs(flow.loss - losses[flow.basin]) < 1e-14
            assert flow.energy_drift is not None and flow.energy_drift < 1e-9
    assert found == predicted
    assert 10 < found.count("unigram") < 90
    assert found != mirrored  # the control: the other regime has other basins


Start = tuple[float, float, float, float]
STARTS: list[Start] = [
    (0.1, 0.1, 0.7, -2.0), (0.1, 0.1, 2.5, -2.0), (0.9, 0.9, 2.0, 0.5), (0.9, 0.9, 0.67, -0.3),
    (0.5, 0.8, 3.0, 3.0), (0.2, 0.3, -1.5, -1.9), (0.5, 0.6, 1.0, -0.5), (0.2, 0.8, 1.0, 1.0),
]  # fmt: skip


@pytest.mark.parametrize("start", STARTS)
def test_the_energy_drifts_less_than_1e_minus_9_in_a_flow_of_length_1000(start: Start) -> None:
    flow = reduced_flow(*start, time=1000.0, stop=False)
    assert flow.orbit.times[-1] == 1000.0
    e, w = flow.orbit.points.T
    energy = e**2 - w**2 - np.sign(w) * np.log(np.abs(w))
    assert np.abs(energy - energy[0]).max() < 1e-9
    assert flow.energy == pytest.approx(energy[0], abs=1e-14)
    assert flow.energy_drift == pytest.approx(np.abs(energy - energy[0]).max(), abs=1e-14)
    wrong = e**2 - w**2 + np.sign(w) * np.log(np.abs(w))  # the control
    assert np.abs(wrong - wrong[0]).max() > 1e-3


@pytest.mark.parametrize(
    "start", [(0.9, 0.9, 0.7, -0.3), (0.1, 0.1, 2.5, -2.0), (0.2, 0.3, 0.4, 0.5)]
)
def test_the_end_on_the_bigram_set_is_where_it_meets_the_level_of_the_start(start: Start) -> None:
    p, q, e0, w0 = start
    flow = reduced_flow(*start)
    assert flow.basin == "bigram"
    e, w, b = flow.endpoint
    star = math.log((1 - p) * (1 - q) / (p * q))
    level = e0**2 - w0**2 - math.copysign(1, w0) * math.log(abs(w0))

    def curve(x: Any, y: Any) -> tuple[Any, Any]:
        side = mpmath.sign(y)
        return x**2 * (1 + 2 * side * y**2) - star, x**2 - y**2 - side * mpmath.log(abs(y)) - level

    meeting = mpmath.findroot(curve, (e, w))
    # it has settled within 1e-10 (1 + |y|), `integration.DISTANCE`
    assert abs(meeting[0] - e) < 1e-9 and abs(meeting[1] - w) < 1e-9
    assert abs(b - (e**2 / 2 + math.log(p / (1 - p)))) < 1e-8
    assert abs(meeting[0] - e0) > 1e-2  # the control: it has come a long way


Field = Callable[[np.ndarray], np.ndarray]


def gradient(p: float, q: float) -> Field:
    """Minus the gradient in (e, w, b), e > 0, w < 0, written out by hand."""

    def velocity(y: np.ndarray) -> np.ndarray:
        e, w, b = y
        zero, one = b - e * e / 2, b + e * e / 2 - 2 * e * e * w * w
        rho0 = q / (p + q) * (1 / (1 + math.exp(-zero)) - p)
        rho1 = p / (p + q) * (1 / (1 + math.exp(-one)) - (1 - q))
        return -np.array(
            [-rho0 * e + rho1 * e * (1 - 4 * w * w), -4 * rho1 * e * e * w, rho0 + rho1]
        )

    return velocity


def runge_kutta(velocity: Field, y: np.ndarray, step: float, steps: int) -> np.ndarray:
    for _ in range(steps):
        one = velocity(y)
        two = velocity(y + step / 2 * one)
        three = velocity(y + step / 2 * two)
        y = y + step / 6 * (one + 2 * two + 2 * three + velocity(y + step * three))
    return y


def test_the_free_flow_is_that_of_a_hand_written_gradient_by_runge_kutta() -> None:
    start = np.array([0.6, -0.3, 1.0])
    flow = reduced_flow(0.9, 0.9, *start.tolist(), time=20.0, stop=False)
    # fourth order: steps of 0.01 leave about 1e-10
    expected = runge_kutta(gradient(0.9, 0.9), start, 0.01, 2000)
    assert np.abs(np.array(flow.endpoint) - expected).max() < 1e-8
    other = runge_kutta(gradient(0.9, 0.8), start, 0.01, 2000)
    assert np.abs(np.array(flow.endpoint) - other).max() > 1e-2  # the control: another chain


def test_the_loss_at_the_end_is_that_of_the_reduced_model() -> None:
    """The model in torch, over all contexts: nothing of theory in it."""
    flow = reduced_flow(0.5, 0.8, 1.2, -1.4, 0.3, time=2.0)
    model = ReducedModel()
    measured = ExactLoss(BinaryMarkov(0.5, 0.8), length=4)
    names = ("embedding", "feedforward", "bias")
    params = dict(zip(names, torch.tensor(flow.endpoint, dtype=torch.float64), strict=True))
    assert abs(float(measured(model, params)) - flow.loss) < 1e-14
    params["bias"] = params["bias"] + 0.1
    assert abs(float(measured(model, params)) - flow.loss) > 1e-4


def test_the_free_bias_moves_the_basins() -> None:
    """The two examples of the mathematics document; with b at its best value they are exchanged."""
    assert reduced_flow(0.9, 0.9, 0.7, -0.3, -1.0).basin == "unigram"
    assert reduced_flow(0.9, 0.9, 0.6, -0.3, 1.0).basin == "bigram"
    assert reduced_flow(0.9, 0.9, 0.7, -0.3).basin == "bigram"
    assert reduced_flow(0.9, 0.9, 0.6, -0.3).basin == "unigram"


def test_a_coordinate_too_small_for_floats_grows_again() -> None:
    """From b = -1e5, e falls to exp(-8e4) before b is back, and then leaves the saddle."""
    far, near = (reduced_flow(0.9, 0.9, 1.0, -1.0, b) for b in (-1e5, -200.0))
    assert far.basin == near.basin == "bigram"
    assert np.abs(far.orbit.points[:, 0]).min() == 0.0  # exp(-8e4) is less than any float
    assert 1e-100 < np.abs(near.orbit.points[:, 0]).min() < 1e-80
    # both leave the line e = 0 where the bias was back, which is nearly the same point
    assert np.abs(np.array(far.endpoint) - near.endpoint).max() < 1e-5
    other = reduced_flow(0.9, 0.9, 1.0, -1.2, -200.0)  # the control: another w
    assert np.abs(np.array(far.endpoint) - other.endpoint).max() > 1e-2


def test_the_edges() -> None:
    def ends(*start: float) -> tuple[str | None, str | None]:
        flow = reduced_flow(*start)
        return flow.basin, flow.basin_by_theory

    assert ends(0.1, 0.1, 0.0, 1.0) == ends(0.9, 0.9, 0.0, -2.0) == ("unigram", "unigram")
    assert ends(0.9, 0.9, 1e-12, -2.0) == ends(0.1, 0.1, 1e-12, 0.0) == ("bigram", "bigram")
    assert ends(0.9, 0.9, 1.0, 0.0) == ends(0.9, 0.9, 3.0, 1e-9) == ("unigram", "unigram")
    assert ends(0.1, 0.1, 1e-12, -0.8) == ("unigram", "unigram")
    assert ends(0.2, 0.8, 1.0, -1.0) == (None, None)
    assert ends(1e-9, 1e-9, 1.0, 0.5) == ends(0.1, 0.1, 30.0, -5.0) == ("bigram", "bigram")
    assert reduced_flow(0.1, 0.1, 0.0, 0.0, 3.0).basin == "unigram"  # b alone moves
    on = reduced_flow(0.9, 0.9, e_sep(-0.3), -0.3, time=100.0)
    assert on.basin is on.basin_by_theory is None and not on.refuted
    flow = reduced_flow(0.9, 0.9, 1.0, 0.0)
    assert flow.energy is flow.energy_drift is flow.separatrix is None
    assert flow.orbit.points[-1, 1] == 0.0


def test_what_the_integrator_follows_and_when_it_stops() -> None:
    def field(y: np.ndarray) -> np.ndarray:
        return np.array([y[0] * (1 - y[0]), 0.0])

    def slope(y: np.ndarray) -> np.ndarray:
        return np.diag([1 - 2 * y[0], 0.0])

    start = np.array([1e-8, 1.0])  # the logistic curve: it leaves 0, which is unstable
    orbit = follow(field, slope, start, keeps_sign=[True, True], time=1e3)
    t = orbit.times
    exact = 1e-8 * np.exp(t) / (1 + 1e-8 * np.expm1(t))
    assert np.abs(orbit.points[:, 0] / exact - 1).max() < 1e-10
    assert orbit.settled and orbit.steps == len(t) - 1 and 40 < t[-1] < 45
    assert abs(orbit.end[0] - 1) < 3e-10
    short = follow(field, slope, start, time=10.0)
    assert not short.settled and short.times[-1] == 10.0
    still = follow(field, slope, np.array([1.0, 1.0]), time=10.0)
    assert still.settled and still.steps == 0
    # however slow, what is beside an unstable point has not settled
    slow = np.array([1e-30, 0.0])
    assert settled(slow, np.diag([1.0, 0.0]), slow) == math.inf
    assert settled(slow, np.diag([-1.0, 0.0]), slow) < 1
    assert settled(slow, np.diag([-1.0, np.nan]), slow) == math.inf


def test_the_chart_of_logarithms_moves_the_field_as_the_chain_rule_says() -> None:
    """Against differences of y(z): dz/dt = v / (dy/dz), and of dz/dt itself."""

    def field(y: np.ndarray) -> np.ndarray:
        return np.array([y[0] * y[1], -y[1] * (1 + y[2]), y[0] - y[2] ** 2])

    def slope(y: np.ndarray) -> np.ndarray:
        return np.array([[y[1], y[0], 0.0], [0.0, -1 - y[2], -y[1]], [1.0, 0.0, -2 * y[2]]])

    y = np.array([0.7, -1.9, 0.4])
    chart = Logarithmic.at(y, [True, True, False])
    z = chart.into(y)
    assert z.tolist() == [math.log(0.7), math.log(1.9), 0.4]
    assert np.abs(chart.out(z) - y).max() < 1e-15
    moved = chart.field(field)
    step = 1e-6 * np.eye(3)
    along = np.array([(chart.out(z + h) - chart.out(z - h)) / 2e-6 for h in step])
    assert np.abs(moved(z) @ along - field(y)).max() < 1e-9  # differences of second order
    expected = np.array([(moved(z + h) - moved(z - h)) / 2e-6 for h in step]).T
    assert np.abs(chart.jacobian(field, slope)(z) - expected).max() < 1e-8
    assert np.abs(slope(y) - expected).max() > 0.1  # the control: the chart left out
    still = Logarithmic.at(np.array([0.0, 2.0]), [True, True])
    assert still.log.tolist() == [False, True]  # a coordinate at 0 has no logarithm
    far = np.array([-1e4, 0.0, 0.0])
    assert abs(chart.out(far)[0]) == 1e-300 and chart.shown(far)[0] == 0.0
    assert (chart.shown(z) == chart.out(z)).all()


def test_a_weight_too_small_for_floats_ends_at_0_and_not_where_it_is_cut_off(run: Run) -> None:
    """From e = 40 the conserved energy leaves ln w = e^2 - w^2 - 1600.44 = -1598.2 at e = e*."""
    code, out, _ = run("--p .2 --q .3 --e 40 --w .5")
    assert code == 0 and "w = 0, b" in out
    found = reduced_flow(0.2, 0.3, 40.0, 0.5)
    e, w, _ = found.endpoint
    assert found.energy is not None and w == 0.0 and found.basin == "bigram"
    assert math.exp(-700) > 0.0 and e**2 - found.energy < -745  # less than the least float
    near = reduced_flow(0.2, 0.3, 20.0, 0.5)  # the control: one that a float holds is kept
    assert near.energy is not None
    assert abs(math.log(near.endpoint[1]) - (near.endpoint[0] ** 2 - near.energy)) < 1e-8


def test_what_the_integrator_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    one = np.ones(2)
    with pytest.raises(ValueError, match=r"time = 0.0 is not a length of time: give a positive"):
        follow(lambda y: -y, lambda y: -np.eye(2), one, time=0.0)
    with pytest.raises(ValueError, match=r"start = \[1.0, 1.0\] is too far out"):
        follow(lambda y: y * np.inf, lambda y: -np.eye(2), one, time=1.0)
    monkeypatch.setattr(integration, "EVALUATIONS", 10)
    with pytest.raises(ArithmeticError, match="too stiff or too noisy: 10 evaluations led to t"):
        follow(lambda y: -y, lambda y: -np.eye(2), one, time=1.0)
    with pytest.raises(ValueError, match="b = inf is not a finite number"):
        reduced_flow(0.5, 0.8, 1.0, 1.0, math.inf)


START = "--p .9 --q .9 --e .7 --w -.3"


def test_the_contract(run: Run) -> None:
    code, out, err = run(START, "--json")
    assert code == 0 and err == ""
    found = json.loads(out)
    assert set(found["endpoint"]) == {"e", "w", "b"}
    assert found["basin"] == found["basin_by_theory"] == "bigram"
    assert found["loss"] == pytest.approx(entropies(0.9, 0.9)[1], abs=1e-14)
    assert found["energy_start"] == pytest.approx(0.4 - math.log(1 / 0.3), abs=1e-14)
    assert found["energy_drift"] < 1e-9
    assert found["separatrix_w_to_e"] == pytest.approx(0.66888, abs=5e-6)
    assert found["settled"] and 10 < found["time"] < 50
    assert found["steps"] > 100 and found["method"].startswith("LSODA")


def test_what_is_null(run: Run) -> None:
    def nulls(arguments: str) -> tuple[set[str], str]:
        code, out, err = run(arguments, "--json")
        assert code == 0
        return {name for name, value in json.loads(out).items() if value is None}, err

    energy = {"energy_start", "energy_drift"}
    free = {*energy, "separatrix_w_to_e", "basin_by_theory"}
    assert nulls(f"{START} --b -1") == (free, "")
    assert nulls("--p .9 --q .9 --e .7 --w 0") == ({*energy, "separatrix_w_to_e"}, "")
    assert nulls("--p .9 --q .9 --e .7 --w .1") == ({"separatrix_w_to_e"}, "")
    both = {"basin", "basin_by_theory"}
    found, err = nulls("--p .7 --q .3 --e .7 --w -.3")
    assert found == both and "p + q = 1: the unigram is the bigram" in err
    found, err = nulls(f"{START} --time 2")
    assert found == {"basin"} and "Undecided: the flow has not settled by time 2; give a" in err
    found, err = nulls("--p .5 --q .50000000001 --e .7 --w -.3")
    assert found == {"basin"} and "cannot be told apart in float64" in err


def test_what_is_refuted_or_lost_is_exit_code_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduced_model, "basin", lambda *_, **__: "unigram")
    code, out, err = run(START)
    assert code == 1 and "basin               bigram (theory: unigram)" in out
    assert "Refuted: theory says unigram, the integration ended at the bigram" in err
    monkeypatch.undo()
    assert run(START)[0] == 0
    monkeypatch.setattr(integration, "ACCURACY", 1e-4)
    code, _, err = run(START)
    assert code == 1 and "Self-check failed: the energy drifted by" in err
    monkeypatch.setattr(integration, "EVALUATIONS", 10)
    code, _, err = run(START)
    assert code == 1 and "Error: the flow from [0.7, -0.3] is too stiff" in err
    assert allowed_drift(3.0, 3.0) == 1e-9 < allowed_drift(100.0, 0.0)


def test_the_portrait_is_written(run: Run, tmp_path: Path) -> None:
    for name, more in (("best.png", ""), ("free.pdf", " --b 1")):
        code, out, _ = run(f"--p .5 --q .8 --e 1 --w -.3{more} --plot {tmp_path / name}")
        assert code == 0 and out.startswith("basin") and (tmp_path / name).stat().st_size > 5000


def test_a_record_says_itself_whether_it_is_refuted() -> None:
    flow = reduced_flow(0.9, 0.9, 1.0, -0.5, time=1.0)

    def record(basin: str | None, by_theory: str | None, drift: float | None) -> ReducedFlow:
        return replace(flow, basin=basin, basin_by_theory=by_theory, energy_drift=drift)

    assert record("unigram", "bigram", None).refuted
    assert not record("unigram", None, None).refuted
    assert not record(None, "bigram", None).refuted
    assert record(None, None, 2e-9).drifted and record(None, None, math.nan).drifted
    assert not record(None, None, 1e-10).drifted and not record(None, None, None).drifted


def test_help_says_how_long_the_flow_is_followed(run: Run) -> None:
    help_ = " ".join(run("flow", "--help")[1].split())
    most, degenerate = (f"{reduced_model.LONGEST[flat]:.0e}" for flat in (False, True))
    plain = [text.replace("e+0", "e") for text in (most, degenerate)]
    assert f"at most {plain[0]}, or {plain[1]} where p + q = 1]" in help_
