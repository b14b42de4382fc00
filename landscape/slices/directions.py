"""Directions in parameter space along which a loss is sliced: rows, and a name for each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from landscape.errors import refused
from landscape.models.parameters import Coordinates, in_float64
from landscape.spectra.spectrum import Spectrum

Named = tuple[Float[Tensor, "k D"], tuple[str, ...]]
"""Directions as rows in the order of the parameters, and their names."""


def as_rows(directions: Any, size: int) -> Float[Tensor, "k D"]:
    """One or two directions [k, D] in float64, verbatim, from a tensor or anything like an array.

    Raises:
        ValueError: if they are not numbers, not one or two rows of the given length, not finite,
            or linearly dependent whatever their norms.

    >>> as_rows([[3, 4]], 2).tolist()
    [[3.0, 4.0]]
    """
    try:
        rows = torch.as_tensor(directions, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"directions={type(directions).__name__} are no array of numbers ({error}); give one "
            f"or two rows of {size}"
        ) from None
    if rows.ndim != 2 or len(rows) not in (1, 2) or rows.shape[1] != size:
        raise ValueError(
            f"directions of shape {tuple(rows.shape)} do not span a slice of a model of {size} "
            f"parameters; give one or two rows of that length"
        )
    if not rows.isfinite().all():
        lost = int((~rows.isfinite()).sum())
        raise ValueError(
            f"directions hold NaN or infinite entries ({lost} of {rows.numel()}); give finite ones"
        )
    if not independent(rows):
        raise ValueError("directions are linearly dependent or zero; give independent ones")
    return rows


def independent(rows: Float[Tensor, "k D"]) -> bool:
    """Whether rows are linearly independent, to 1e-7 of an angle; their norms do not matter.

    >>> independent(torch.tensor([[2e-9, 0.0], [0.0, 1.0]]).double())
    True
    """
    largest = rows.abs().amax(dim=1, keepdim=True)
    if not bool((largest > 0).all()):
        return False
    unit = rows / largest  # first by the largest entry: squares of 1e-200 are 0
    unit = unit / unit.norm(dim=1, keepdim=True)
    return int(torch.linalg.matrix_rank(unit, rtol=1e-7)) == len(rows)


def eigen_directions(
    spectrum: Spectrum, which: Sequence[int | str] = ("lowest", "highest")
) -> Named:
    """Hessian eigenvectors, by index or by where they lie in the ascending order.

    "lowest" and "highest" are the ends of the eigenvalues that do not count as zero. Where fewer
    than two are nonzero (p+q = 1), flat directions fill the plane. Eigenvectors are unit vectors.

    Args:
        spectrum: the measured spectrum.
        which: one or two of "lowest", "highest" and indices; a negative index counts from the end.

    Raises:
        ValueError: for a name or index that there is not, or a model of a single parameter.
    """
    size = spectrum.parameters
    if size < 2 and len(which) > 1:
        raise ValueError("a model of 1 parameter has no plane; give one direction of your own")
    zero = spectrum.eigenvalues.abs() <= spectrum.zero_bound
    order = torch.cat([torch.nonzero(~zero).flatten(), torch.nonzero(zero).flatten()])
    last = max(int((~zero).sum()), min(size, 2)) - 1
    low, high = sorted([int(order[0]), int(order[last])])
    found = []
    for item in which:
        index = {"lowest": low, "highest": high}.get(item) if isinstance(item, str) else item
        if index is None or not -size <= index < size:
            allowed = f"'lowest', 'highest' or an index from 0 to {size - 1}"
            raise refused("which", item, why="it names no eigenvector", allowed=allowed)
        found.append(index % size)
    return spectrum.eigenvectors[:, found].T, tuple(f"eigenvector {index}" for index in found)


def random_directions(params: Mapping[str, Tensor], *, count: int = 2, seed: int = 0) -> Named:
    """Independent Gaussian directions, each scaled to unit length; the seed decides them.

    >>> rows, names = random_directions({"e": torch.zeros(3)}, seed=1)
    >>> bool((rows.norm(dim=1) - 1).abs().max() < 1e-15), names
    (True, ('random 0', 'random 1'))
    """
    rows = _gaussian(params, count, seed)
    return rows / rows.norm(dim=1, keepdim=True), tuple(f"random {k}" for k in range(count))


def filter_normalised_directions(
    params: Mapping[str, Tensor], *, count: int = 2, seed: int = 0
) -> Named:
    """Gaussian directions scaled, filter by filter, to the norms of the point's own filters.

    ``d_f <- d_f |theta_f| / |d_f|``. A filter is all that has one index of the first axis: a row of
    a matrix (the weights into one output unit, or one position), a whole kernel of a convolution
    [out, in, taps]. A vector is one filter, as is a scalar. One of norm zero is left alone: along
    it the direction is 0.

    Raises:
        ValueError: where too few filters are nonzero for `count` independent directions.

    Source: Li et al., *Visualizing the Loss Landscape of Neural Nets* (NeurIPS 2018), section 4.

    >>> point = {"W": torch.tensor([[3.0, 4.0], [0.0, 0.0]]), "a": torch.tensor([2.0, 0.0])}
    >>> rows, _ = filter_normalised_directions(point, count=1)
    >>> [round(x, 12) for x in (rows[0, :2].norm().item(), rows[0, 2:4].norm().item())]
    [5.0, 0.0]
    """
    point, axes = in_float64(params), Coordinates.of(params)
    rows = []
    for row in _gaussian(params, count, seed):
        scaled = {}
        for name, draw in axes.params(row).items():
            across = tuple(range(min(1, draw.ndim - 1), draw.ndim)) if draw.ndim else ()
            size = torch.linalg.vector_norm(point[name], dim=across, keepdim=True)
            scaled[name] = draw * size / torch.linalg.vector_norm(draw, dim=across, keepdim=True)
        rows.append(axes.vector(scaled))
    directions = torch.stack(rows)
    if not independent(directions):
        raise ValueError(
            f"filter-normalised directions need nonzero weights: at this point the {count} are "
            f"dependent or zero; draw the weights, or take random directions"
        )
    return directions, tuple(f"filter-normalised {k}" for k in range(count))


def given_directions(
    params: Mapping[str, Tensor], vectors: Mapping[str, Mapping[str, Tensor]]
) -> Named:
    """Directions given as named parameter dictionaries, verbatim; what one leaves out is 0 in it.

    Raises:
        ValueError: for a parameter that the point does not have, or in another shape.

    >>> point = {"e": torch.zeros(2), "b": torch.zeros(())}
    >>> given_directions(point, {"up": {"b": torch.tensor(3.0)}})[0].tolist()
    [[0.0, 0.0, 3.0]]
    """
    axes, rows = Coordinates.of(params), []
    shapes = dict(zip(axes.names, axes.shapes, strict=True))
    device = next(iter(params.values())).device
    for name, vector in vectors.items():
        for key, value in vector.items():
            if shapes.get(key) != value.shape:
                there = ", ".join(f"{key} {list(shape)}" for key, shape in shapes.items())
                raise ValueError(
                    f"the direction {name!r} has {key} of shape {list(value.shape)}, which the "
                    f"point has not; give some of: {there}"
                )
        zero = {key: torch.zeros(shape, dtype=torch.float64) for key, shape in shapes.items()}
        rows.append(axes.vector(zero | in_float64(vector)).to(device))
    if not rows:
        raise ValueError("no direction is given; give one or two")
    return torch.stack(rows), tuple(vectors)


def read_directions(params: Mapping[str, Tensor], path: Path | str) -> Named:
    """Directions from a safetensors file whose tensors are named ``DIRECTION/PARAMETER``.

    Raises:
        ValueError: for a file that cannot be read or a tensor named otherwise, and as
            `given_directions` does.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    vectors: dict[str, dict[str, Tensor]] = {}
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path} cannot be read as safetensors: {error}") from None
    for label, value in tensors.items():
        name, slash, key = label.rpartition("/")
        if not slash:
            raise ValueError(
                f"{path} has a tensor {label!r}; name each DIRECTION/PARAMETER, as in 'up/bias'"
            )
        vectors.setdefault(name, {})[key] = value
    return given_directions(params, dict(sorted(vectors.items())))


def directions_to(
    origin: Mapping[str, Tensor], points: Mapping[str, Mapping[str, Tensor]], *, name: str
) -> Named:
    """The differences of points from an origin: verbatim, neither orthogonal nor unit.

    Args:
        origin: the parameters they start from.
        points: where they lead, by name.
        name: of the origin.

    >>> here, there = {"b": torch.tensor(1.0)}, {"b": torch.tensor(3.0)}
    >>> directions_to(here, {"bigram": there}, name="unigram")
    (tensor([[2.]], dtype=torch.float64), ('bigram - unigram',))
    """
    axes = Coordinates.of(origin)
    start = axes.vector(in_float64(origin))
    rows = [axes.vector(in_float64(point)) - start for point in points.values()]
    return torch.stack(rows), tuple(f"{other} - {name}" for other in points)


def drawn_directions(
    kind: Literal["eigen", "random", "filter"],
    spectrum: Spectrum,
    params: Mapping[str, Tensor],
    *,
    seed: int,
) -> Named:
    """The plane through a measured point that a scan's setting names."""
    if kind == "eigen":
        return eigen_directions(spectrum)
    draw = random_directions if kind == "random" else filter_normalised_directions
    return draw(params, seed=seed)


def _gaussian(params: Mapping[str, Tensor], count: int, seed: int) -> Float[Tensor, "k D"]:
    generator = torch.Generator().manual_seed(seed)
    size = Coordinates.of(params).size
    draw = torch.randn(count, size, generator=generator, dtype=torch.float64)
    return draw.to(next(iter(params.values())).device)
