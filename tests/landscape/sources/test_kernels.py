"""Kernels as they are handed over: what is read, what is refused, and the law that settles."""

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

from landscape.sources import Markov, OrderKMarkov
from landscape.sources.kernels import closed_classes, context_matrix, irreducible_law
from tests.twins.sources import CYCLIC, LAW, SPARSE, TERNARY, random_rows

EPS = float(np.finfo(np.float64).eps)


def exact_law(kernel: np.ndarray) -> list[Fraction]:
    """pi Q = 0 with the rates Q of the off-diagonal entries, solved by Gauss in rationals."""
    size = len(kernel)
    rates = [[Fraction(float(entry)) for entry in row] for row in kernel]
    for s in range(size):
        rates[s][s] = -sum((rates[s][t] for t in range(size) if t != s), Fraction(0))
    system = [[rates[s][t] for s in range(size)] + [Fraction(0)] for t in range(size - 1)]
    system.append([Fraction(1)] * (size + 1))
    for column in range(size):
        pivot = next(row for row in range(column, size) if system[row][column] != 0)
        system[column], system[pivot] = system[pivot], system[column]
        head = system[column][column]
        system[column] = [entry / head for entry in system[column]]
        for row in range(size):
            if row != column:
                factor = system[row][column]
                lines = zip(system[row], system[column], strict=True)
                system[row] = [entry - factor * other for entry, other in lines]
    return [row[-1] for row in system]


def nearly_apart(size: int, seed: int) -> np.ndarray:
    """Two halves that exchange one part in 1e12, and are left at rates of all sizes."""
    generator = np.random.default_rng(seed)
    kernel = generator.dirichlet(np.ones(size), size) * 10.0 ** generator.integers(-9, 0, (size, 1))
    half = size // 2
    kernel[:half, half:] *= 1e-12
    kernel[half:, :half] *= 1e-12
    np.fill_diagonal(kernel, 0)
    np.fill_diagonal(kernel, 1 - kernel.sum(1))
    return kernel


def worst(law: np.ndarray, exact: list[Fraction]) -> float:
    return max(abs(float(Fraction(float(a)) / b - 1)) for a, b in zip(law, exact, strict=True))


@pytest.mark.parametrize("size", [2, 3, 5, 8])
def test_the_stationary_law_is_the_rational_one_entry_by_entry(size: int) -> None:
    for seed in range(3):
        for kernel in (random_rows(size, size, seed), nearly_apart(size, seed)):
            # sums and products of positive numbers, some 2 size roundings of eps/2 each at worst
            chain = Markov(kernel)
            assert worst(chain.stationary, exact_law(chain.kernel)) < 2 * size * EPS


def test_a_solver_that_subtracts_is_refuted_by_the_same_comparison() -> None:
    kernel = Markov(nearly_apart(8, 0)).kernel
    system = np.vstack([kernel.T - np.eye(8), np.ones(8)])
    law = np.linalg.lstsq(system, np.eye(9)[-1], rcond=None)[0]
    assert worst(law, exact_law(kernel)) > 1e-8


def test_many_kernels_are_settled_at_once_as_one_by_one() -> None:
    kernels = np.stack([random_rows(4, 4, seed) for seed in range(5)])
    together = irreducible_law(kernels)
    for law, kernel in zip(together, kernels, strict=True):
        assert law.tolist() == irreducible_law(kernel).tolist()


def test_the_law_of_pairs_is_that_of_50_digits() -> None:
    chain = OrderKMarkov(TERNARY)
    with mpmath.workdps(50):
        matrix = mpmath.matrix(context_matrix(chain.kernel).tolist())
        law = mpmath.matrix([[mpmath.mpf(1) / 9] * 9])
        for _ in range(200):  # positive chains forget their start geometrically
            law = law * matrix
        total = sum(law)
        errors = [abs(chain.stationary_contexts[c] - law[c] / total) for c in range(9)]
    assert max(errors) < 2 * 9 * EPS
    assert max(abs(chain.stationary_contexts[::-1] - np.array(law.tolist()[0], float))) > 1e-2


def test_a_periodic_chain_has_its_stationary_law() -> None:
    kernel: list[list[float]] = [
        [0, 0, 0.25, 0.75],
        [0, 0, 0.5, 0.5],
        [0.5, 0.5, 0, 0],
        [1, 0, 0, 0],
    ]
    law = Markov(kernel).stationary
    # by hand: from {2, 3} to 0 with (a/2 + b), where a, b = P(2), P(3); exact in rationals
    exact = exact_law(np.array(kernel, dtype=float))
    assert worst(law, exact) < 8 * EPS
    assert exact[0] + exact[1] == Fraction(1, 2)


def test_contexts_that_are_left_for_good_get_no_weight() -> None:
    # after 1 1 nothing leads back to 1 1: at most one 1 in a row
    kernel: list[list[float]] = [[0.5, 0.5], [1, 0], [0.5, 0.5], [0.5, 0.5]]
    chain = OrderKMarkov(kernel)
    assert chain.stationary_contexts[3] == 0
    assert abs(chain.stationary[1] - 1 / 3) < 2 * EPS  # 0 -> 1 half the time, 1 -> 0 always
    assert [part.tolist() for part in closed_classes(context_matrix(chain.kernel))] == [[0, 1, 2]]


def test_rows_are_normalised_by_their_correctly_rounded_sum() -> None:
    tenths = np.full((10, 10), 0.1)
    assert Markov(tenths).kernel.tolist() == tenths.tolist()  # cumulative addition gives 1 - eps/2
    off = CYCLIC.copy()
    off[1] *= 1 + 4 * EPS
    assert abs(Markov(off).kernel.sum(1) - 1).max() <= EPS
    assert Markov(off).kernel[0].tolist() == CYCLIC[0].tolist() or CYCLIC[0].sum() != 1


REFUSED = [
    # the rest is refused in the same words of a configuration: tests/laws/test_refusals.py
    ([0.5, 0.5], r"kernel of shape \(2,\) is not square"),
    ([[1.0]], r"kernel of shape \(1, 1\) has too few states; give at least 2"),
    ([["a", "b"], ["c", "d"]], r"kernel is no array of numbers: could not convert"),
    ([[0.5, 0.5], [-0.1, 1.1]], r"kernel\[1, 0\]=-0\.1 is no probability"),
    ([[0.5, 0.5], [0.5, np.nan]], r"kernel\[1, 1\]=nan is no probability"),
    ([[0.5, 0.5], [0.5, np.inf]], r"kernel\[1, 1\]=inf is no probability"),
    ([[0.5, 0.5], [0.25, 0.5]],
     r"row 1 of kernel sums to 0\.75, not to 1 \(allowed error 3\.6e-15\); give a law, if need"),
    ([[0.5, 0.5], [0.5, 0.5 + 1e-14]], r"row 1 of kernel sums to 1\.00000000000001"),
    ([[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0.5, 0.5]],
     r"kernel is reducible: state 2 cannot be reached from state 0"),
    (np.eye(3), r"kernel is reducible: state 1 cannot be reached from state 0"),
]  # fmt: skip


@pytest.mark.parametrize(("kernel", "message"), REFUSED)
def test_what_is_no_kernel_of_an_irreducible_chain_is_refused(
    kernel: list[list[float]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Markov(kernel)
    assert Markov(SPARSE).states == 3  # zeros alone are no reason


def test_every_row_of_an_accepted_kernel_sums_to_1() -> None:
    for kernel in (Markov.dirichlet(7, seed=3).kernel, OrderKMarkov.dirichlet(3, 2, seed=3).kernel):
        assert np.abs(kernel.sum(1) - 1).max() <= 2 * EPS


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (np.full((3, 2), 0.5), r"kernel of shape \(3, 2\) has 3 rows, which is no power of its 2"),
        (np.full((1, 2), 0.5), r"kernel of shape \(1, 2\) has 1 rows, which is no power"),
        (np.full((2, 4, 2), 0.5), r"kernel of shape \(2, 4, 2\) is no kernel on contexts; give"),
        (np.full(4, 0.25), r"kernel of shape \(4,\) is no kernel on contexts"),
        (np.ones((1, 1)), r"kernel of shape \(1, 1\) has too few states; give at least 2"),
        ([[0.5, 0.5]] * 3 + [[0.5, 0.4]], r"row 3 of kernel sums to 0\.9, not to 1"),
        ([[1, 0], [0.5, 0.5], [0.5, 0.5], [0, 1]],
         r"kernel has 2 stationary laws: contexts \(0, 0\) and \(1, 1\) lead into parts"),
        ([[1, 0], [1, 0], [0.5, 0.5], [0.5, 0.5]],
         r"kernel never returns to symbol 1: its stationary probability is 0; leave it out"),
    ],
)  # fmt: skip
def test_what_is_no_kernel_on_contexts_is_refused(kernel: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OrderKMarkov(kernel)


def test_a_kernel_on_contexts_is_taken_flat_or_by_axes() -> None:
    assert OrderKMarkov(TERNARY.reshape(3, 3, 3)) == OrderKMarkov(TERNARY)
    assert OrderKMarkov(TERNARY).order == 2
    assert OrderKMarkov(CYCLIC).order == 1
    assert OrderKMarkov(random_rows(32, 2, 0)).order == 5
    swapped = OrderKMarkov(TERNARY.reshape(3, 3, 3).transpose(1, 0, 2))
    assert swapped != OrderKMarkov(TERNARY)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ([0.5, 0.5], r"start has 2 entries; give a law of 3 numbers"),
        ([0.5, 0.25, 0.125], r"start sums to 0\.875, not to 1"),
        ([0.5, 0.6, -0.1], r"start\[2\]=-0\.1 is no probability; give numbers from 0 to 1"),
    ],
)
def test_what_is_no_start_law_is_refused(start: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Markov(CYCLIC, start=start)
    with pytest.raises(ValueError, match=message.replace("3 numbers", "9 numbers, or 3")):
        OrderKMarkov(TERNARY, start=start)
    assert Markov(CYCLIC, start=LAW).start.tolist() == LAW


def test_files_hold_the_kernel_that_was_written(tmp_path: Path) -> None:
    np.save(tmp_path / "kernel.npy", CYCLIC)
    np.savetxt(tmp_path / "kernel.csv", CYCLIC, fmt="%.17g", delimiter=",")
    assert Markov.from_file(tmp_path / "kernel.npy") == Markov(CYCLIC)
    assert Markov.from_file(str(tmp_path / "kernel.csv")) == Markov(CYCLIC)
    np.save(tmp_path / "pairs.npy", TERNARY.reshape(3, 3, 3))
    assert OrderKMarkov.from_file(tmp_path / "pairs.npy") == OrderKMarkov(TERNARY)
    assert Markov.from_file(tmp_path / "kernel.npy", start=LAW) == Markov(CYCLIC, start=LAW)
    (tmp_path / "kernel.csv").write_text("\ufeff0, 1\r\n\r\n.25,.75\r\n", "utf-8")
    assert Markov.from_file(tmp_path / "kernel.csv").kernel.tolist() == [[0, 1], [0.25, 0.75]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.npy", None, r"cannot be read: No such file or directory"),
        (
            "kernel.xlsx",
            b"PK",
            r"ends in '\.xlsx'; give \.npy, \.csv, \.tsv, \.txt, \.dat or \.json",
        ),
        ("words.csv", b"from,to\n", r"holds no kernel: line 1 is a header, and no row follows"),
        ("ragged.csv", b"1,0\n1\n", r"holds no kernel: line 2 has 1 columns, and line 1 has 2"),
        ("cut.npy", b"\x93NUMPY", r"holds no kernel: "),
        ("empty.npy", b"", r"holds no kernel: "),
        (
            "pickle.npy",
            np.array([{}], dtype=object),
            r"holds no kernel: its entries are Python objects",
        ),
        ("empty.csv", b"", r"holds no kernel: it has no rows of numbers"),
        ("wide.npy", np.full((2, 3), 1 / 3), r"^kernel of shape \(2, 3\) is not square"),
    ],
)
def test_files_that_hold_no_kernel_are_refused_by_name(
    name: str, content: Any, message: str, tmp_path: Path
) -> None:
    if isinstance(content, np.ndarray):
        np.save(tmp_path / name, content)
    elif content is not None:
        (tmp_path / name).write_bytes(content)
    words = message if message.startswith("^") else rf"kernel file '.*{re.escape(name)}' {message}"
    with pytest.raises(ValueError, match=words):
        Markov.from_file(tmp_path / name)


def test_dirichlet_kernels_follow_from_their_seed_and_their_concentration() -> None:
    assert Markov.dirichlet(4, seed=1) == Markov.dirichlet(4, seed=1) != Markov.dirichlet(4, seed=2)
    assert OrderKMarkov.dirichlet(2, 3, seed=1).kernel.shape == (8, 2)
    # Var of an entry is (1/S)(1-1/S)/(S a + 1); 2500 entries: 5 standard errors are below 20%
    for concentration in (0.5, 1.0, 20.0):
        entries = Markov.dirichlet(50, concentration=concentration, seed=0).kernel
        variance = 0.02 * 0.98 / (50 * concentration + 1)
        assert abs(entries.var() / variance - 1) < 0.2
        assert abs(entries.var() / (variance * 1.5) - 1) > 0.2


@pytest.mark.parametrize("concentration", [0.0, -1.0, float("inf"), float("nan")])
def test_an_impossible_concentration_is_refused(concentration: float) -> None:
    with pytest.raises(ValueError, match=rf"concentration={concentration} is out of range; give"):
        Markov.dirichlet(3, concentration=concentration, seed=0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"states": 1}, "states=1 is out of range; give an integer of at least 2"),
        ({"order": 0}, "order=0 is out of range; give an integer of at least 1"),
        ({"seed": -1}, "seed=-1 is out of range; give an integer of at least 0"),
    ],
)
def test_impossible_draws_are_refused(given: dict[str, int], message: str) -> None:
    drawn = OrderKMarkov.dirichlet if "order" in given else Markov.dirichlet
    with pytest.raises(ValueError, match=message):
        drawn(**{"states": 3, "seed": 0, **given})
