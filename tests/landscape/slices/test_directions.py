"""Directions are what they are called: eigenvectors, draws, filters, files, differences."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from landscape.models import SingleLayer
from landscape.models.initial import gaussian
from landscape.models.parameters import Coordinates
from landscape.objectives.exact import ExactLoss
from landscape.points.unigram import unigram_point
from landscape.slices.directions import (
    directions_to,
    drawn_directions,
    eigen_directions,
    filter_normalised_directions,
    given_directions,
    independent,
    random_directions,
    read_directions,
)
from landscape.slices.plane import loss_slice
from landscape.sources import BinaryMarkov
from landscape.spectra.spectrum import Spectrum, hessian_spectrum
from tests.landscape.slices.planes import LOSS, PARAMS, TIED, WIDER, sliced

N = 3
Params = dict[str, Tensor]
MODEL = SingleLayer(width=2, hidden=3, length=N, tying="untied")
POINT: Params = gaussian(MODEL, 0.7, 4)
SIZE = Coordinates.of(POINT).size


@pytest.fixture(scope="module")
def spectrum() -> Spectrum:
    return hessian_spectrum(MODEL, ExactLoss(BinaryMarkov(0.5, 0.8), N), POINT)


def test_eigenvectors_by_index_have_their_eigenvalues_as_curvatures(spectrum: Spectrum) -> None:
    rows, names = eigen_directions(spectrum, (3, -2))
    assert names == ("eigenvector 3", f"eigenvector {SIZE - 2}")
    objective = ExactLoss(BinaryMarkov(0.5, 0.8), N)
    found = loss_slice(MODEL, objective, POINT, rows, names=names, resolution=3, radius=0.1)
    expected = spectrum.eigenvalues[[3, SIZE - 2]].numpy()
    assert np.abs(found.curvatures - expected).max() < 1e-13  # D eps ||H||
    assert np.abs(found.curvatures - spectrum.eigenvalues[[4, SIZE - 3]].numpy()).min() > 1e-6


def test_words_and_indices_can_be_mixed(spectrum: Spectrum) -> None:
    ends, names = eigen_directions(spectrum)
    rows, mixed = eigen_directions(spectrum, ("highest", 0))
    assert mixed == (names[1], "eigenvector 0")
    assert torch.equal(rows[0], ends[1])
    assert torch.equal(rows[1], spectrum.eigenvectors[:, 0])


@pytest.mark.parametrize("which", ["middle", SIZE, -SIZE - 1])
def test_an_eigenvector_that_there_is_not_is_refused(spectrum: Spectrum, which: int | str) -> None:
    text = rf"which = {which!r} is refused: it names no eigenvector; .* from 0 to {SIZE - 1}"
    with pytest.raises(ValueError, match=text):
        eigen_directions(spectrum, (which,))


def test_eigen_directions_are_the_ends_of_the_spectrum_that_are_not_flat() -> None:
    model = SingleLayer(width=2, hidden=3, length=N, tying="untied")
    point = unigram_point(model, LOSS, free=gaussian(model, 0.7, 4))
    spectrum = hessian_spectrum(model, LOSS, point.params)
    directions, names = eigen_directions(spectrum)
    last = spectrum.parameters - 1
    assert names == ("eigenvector 0", f"eigenvector {last}")
    assert torch.equal(directions, spectrum.eigenvectors[:, [0, last]].T)
    found = sliced(directions, model=model, params=point.params, radius=0.1)
    assert np.abs(found.gram - np.eye(2)).max() < 1e-13
    # down along the first, up along the second: a saddle seen
    assert found.loss[0, 1] < found.center_loss < found.loss[1, 0]


def test_where_all_curvatures_are_positive_the_lowest_that_is_not_zero_is_taken() -> None:
    point = unigram_point(WIDER, LOSS, free=gaussian(WIDER, 0.0, 0))
    spectrum = hessian_spectrum(WIDER, LOSS, point.params)
    _, names = eigen_directions(spectrum)
    lowest, highest = (int(name.split()[1]) for name in names)
    assert spectrum.inertia == (0, lowest, spectrum.parameters - lowest)
    assert highest == spectrum.parameters - 1


def test_at_a_degenerate_point_flat_directions_fill_the_plane() -> None:
    objective = ExactLoss(BinaryMarkov("0.3", "0.7"), 3)
    point = unigram_point(WIDER, objective, free=gaussian(WIDER, 0.0, 0))
    spectrum = hessian_spectrum(WIDER, objective, point.params)
    assert spectrum.inertia == (0, spectrum.parameters - 1, 1)
    directions, names = eigen_directions(spectrum)
    assert len(set(names)) == 2
    assert f"eigenvector {spectrum.parameters - 1}" in names
    found = sliced(directions, model=WIDER, loss=objective, params=point.params)
    assert np.abs(found.gram - np.eye(2)).max() < 1e-13
    curved = found.loss.max(axis=0) - found.loss.min(axis=0), np.ptp(found.loss, axis=1)
    assert max(curved[0].max(), curved[1].max()) > 1e-2


def test_a_single_parameter_has_no_plane() -> None:
    one = torch.ones(1, dtype=torch.float64)
    spectrum = hessian_spectrum(TIED, LOSS, PARAMS)
    single = dataclasses.replace(spectrum, eigenvalues=one, eigenvectors=one[:, None])
    with pytest.raises(ValueError, match=r"a model of 1 parameter has no plane; give one"):
        eigen_directions(single)


def test_random_directions_are_unit_seeded_and_leave_the_global_state() -> None:
    state = torch.get_rng_state()
    rows, _ = random_directions(POINT, seed=5)
    assert torch.equal(torch.get_rng_state(), state)
    assert rows.shape == (2, SIZE)
    assert (rows.norm(dim=1) - 1).abs().max() < 1e-15
    assert torch.equal(rows, random_directions(POINT, seed=5)[0])
    assert not torch.equal(rows, random_directions(POINT, seed=6)[0])
    assert abs(rows[0] @ rows[1]) > 1e-6  # drawn, not orthogonalised


def test_random_directions_are_gaussian_before_they_are_scaled() -> None:
    """Scaled to unit length the entries times sqrt(D) have moments 0, 1, 0, 3 but for O(1/D)."""
    rows, _ = random_directions({"W": torch.zeros(100, 100)}, seed=0)
    x = (rows * 100).flatten().numpy()  # 4 standard errors at 2e4 draws: .028, .04, .11, .28
    assert abs(x.mean()) < 0.028 and abs((x**2).mean() - 1) < 0.04
    assert abs((x**3).mean()) < 0.11 and abs((x**4).mean() - 3) < 0.28


def test_filters_get_the_norms_of_the_point_s_own() -> None:
    point = {name: value.clone() for name, value in POINT.items()}
    point["hidden_in"][1] = 0  # a filter of norm zero
    rows, _ = filter_normalised_directions(point, seed=2)
    for row in rows:
        moves = {k: v.numpy() for k, v in Coordinates.of(point).params(row).items()}
        for name, value in point.items():
            own, move = value.numpy(), moves[name]
            if own.ndim == 2:
                pairs = list(zip(np.linalg.norm(own, axis=1), np.linalg.norm(move, axis=1)))  # noqa: B905  # same rows
            else:
                pairs = [(np.linalg.norm(own), np.linalg.norm(move))]
            for size, moved in pairs:
                assert abs(size - moved) < 1e-14
    assert (Coordinates.of(point).params(rows[0])["hidden_in"][1] == 0).all()
    # the control: a plain draw has other norms, filter by filter
    plain = Coordinates.of(point).params(random_directions(point, seed=2)[0][0])
    assert abs(plain["query"][0].norm() - point["query"][0].norm()) > 1e-2


def test_filters_follow_the_scale_of_the_weights() -> None:
    """What they are for (Li et al. 2018): twice the weights, twice the direction."""
    one, _ = filter_normalised_directions(POINT, seed=2)
    two, _ = filter_normalised_directions({k: 2 * v for k, v in POINT.items()}, seed=2)
    assert (two - 2 * one).abs().max() < 1e-15


def test_where_too_few_filters_are_left_it_is_said() -> None:
    flat = {name: 0 * value for name, value in POINT.items()}
    flat["bias"] = flat["bias"] + 1  # one filter for two directions
    with pytest.raises(ValueError, match="filter-normalised directions need nonzero weights"):
        filter_normalised_directions(flat)
    assert filter_normalised_directions(flat, count=1)[0].shape == (1, SIZE)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[2e-9, 0.0], [0.0, 1.0]], True),
        ([[1e-200, 0.0], [0.0, 1e200]], True),
        ([[1.0, 0.0], [1.0, 1e-6]], True),
        ([[1.0, 0.0], [1.0, 1e-9]], False),
        ([[1.0, 2.0], [2e-9, 4e-9]], False),
        ([[0.0, 0.0], [1.0, 0.0]], False),
    ],
)
def test_independence_is_of_angles_not_of_norms(rows: list[list[float]], expected: bool) -> None:
    assert independent(torch.tensor(rows, dtype=torch.float64)) is expected


def test_given_directions_are_verbatim_and_zero_where_nothing_is_given(tmp_path: Path) -> None:
    vectors = {
        "up": {"bias": torch.tensor(3.0).double()},
        "away": {"embedding": torch.tensor([1.0, -2.0]).double(), "bias": torch.tensor(0.5)},
    }
    rows, names = given_directions(POINT, vectors)
    assert names == ("up", "away")
    axes = Coordinates.of(POINT)
    assert rows[0].abs().sum() == 3 and axes.params(rows[0])["bias"] == 3
    assert axes.params(rows[1])["embedding"].tolist() == [1.0, -2.0]
    flat = {f"{name}/{key}": x for name, part in vectors.items() for key, x in part.items()}
    save_file(flat, tmp_path / "d.safetensors")
    read, order = read_directions(POINT, tmp_path / "d.safetensors")
    assert order == ("away", "up")  # a file has no order but the names'
    assert torch.equal(read, rows.flip(0))


@pytest.mark.parametrize(
    ("tensors", "text"),
    [
        ({"up/bias": torch.zeros(2)}, r"'up' has bias of shape \[2\].*embedding \[2\]"),
        ({"up/bais": torch.zeros(())}, r"'up' has bais of shape \[\], which the point has not"),
        ({"bias": torch.zeros(())}, r"tensor 'bias'; name each DIRECTION/PARAMETER"),
        ({}, "no direction is given"),
        (None, "cannot be read as safetensors"),
    ],
)
def test_a_file_of_other_directions_is_refused(
    tmp_path: Path, tensors: dict[str, Tensor] | None, text: str
) -> None:
    path = tmp_path / "d.safetensors"
    if tensors is None:
        path.write_bytes(b"damaged")
    else:
        save_file(tensors, path)
    with pytest.raises(ValueError, match=text):
        read_directions(POINT, path)


def test_differences_are_neither_orthogonal_nor_unit() -> None:
    other, third = gaussian(MODEL, 0.7, 5), gaussian(MODEL, 1.3, 6)
    rows, names = directions_to(POINT, {"bigram": other, "trained": third}, name="unigram")
    assert names == ("bigram - unigram", "trained - unigram")
    axes = Coordinates.of(POINT)
    assert torch.equal(rows[0], axes.vector(other) - axes.vector(POINT))
    assert torch.equal(rows[1], axes.vector(third) - axes.vector(POINT))
    assert abs(rows[0] @ rows[1]) > 0.1 and (rows.norm(dim=1) - 1).abs().min() > 0.1


def test_the_scan_s_setting_names_the_same_directions(spectrum: Spectrum) -> None:
    pairs = (
        ("eigen", eigen_directions(spectrum)),
        ("random", random_directions(POINT, seed=3)),
        ("filter", filter_normalised_directions(POINT, seed=3)),
    )
    for kind, (rows, names) in pairs:
        found, called = drawn_directions(kind, spectrum, POINT, seed=3)  # type: ignore[arg-type]  # one of three words
        assert torch.equal(found, rows) and called == names


def test_a_filter_of_a_convolution_is_scaled_as_a_whole() -> None:
    """Li et al. scale all of one output channel; every row of three taps alone is another law."""
    torch.manual_seed(0)
    weights = {"conv": torch.randn(4, 5, 3), "image": torch.randn(2, 3, 2, 2), "row": torch.ones(3)}
    (row,), _ = filter_normalised_directions(weights, count=1, seed=2)
    drawn = Coordinates.of(weights).params(row)
    for name in ("conv", "image"):
        filters, given = drawn[name].flatten(1), weights[name].double().flatten(1)
        assert (filters.norm(dim=1) / given.norm(dim=1) - 1).abs().max() < 1e-14
        taps = drawn[name].norm(dim=-1) / weights[name].double().norm(dim=-1)
        assert (taps - 1).abs().max() > 0.1  # the control
    assert abs(drawn["row"].norm() - 3**0.5) < 1e-14
    # the same draw, filter by filter, in plain numpy
    generator = torch.Generator().manual_seed(2)
    draw = torch.randn(1, row.numel(), generator=generator, dtype=torch.float64)[0]
    start = 0
    for name, value in weights.items():
        part = draw[start : start + value.numel()].reshape(value.shape).numpy()
        start += value.numel()
        for k in range(len(value) if value.ndim > 1 else 1):
            mine, weight = (x[k] if value.ndim > 1 else x for x in (part, value.double().numpy()))
            expected = mine * np.linalg.norm(weight) / np.linalg.norm(mine)
            found = drawn[name][k] if value.ndim > 1 else drawn[name]
            assert np.abs(found.numpy() - expected).max() < 1e-14
