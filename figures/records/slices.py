"""What the picture of a slice shows: plain arrays, from a measurement or from a scan's folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from landscape.config.cell import CellConfig
from landscape.store.reading import StoredScan
from theory.chain.binary import entropy_rate, unigram_entropy
from theory.numeric import function
from theory.symbols import p, q

__all__ = ["QUADRATIC", "SliceRecord", "finer", "load", "oblique", "quadratic"]

NEAR = {"saddle": (0.2, 0.3), "local minimum": (0.5, 0.8)}
"""The chains of the papers; the cell of each kind nearest to its chain is drawn."""


FINE = 401
"""Points per axis of theory's loss: on the measured grid its contours are ragged in a valley."""

QUADRATIC = "near the point, by the predicted eigenvalues"
"""What the quadratic prediction along eigenvectors is called in legends."""


@dataclass(frozen=True)
class SliceRecord:
    """A measured loss on a line or surface, and what theory says of it.

    Fields:
        title: what is sliced, and where.
        x, y: [A], [B], the axes as they are drawn; y is [0.] for a line.
        labels: of the two axes, units included.
        loss: [A, B], nats; a value that is not finite is drawn as such.
        center: where the point lies on the axes.
        unigram_loss, bigram_loss: H_u and H_b, nats.
        predicted: [F, G], theory's loss, nats, or None.
        predicted_x, predicted_y: [F], [G], its own axes, within x and y; None: the measured ones.
        prediction: what the predicted loss is, for the legend.
        marks: other points in the plane, each with its name.
    """

    title: str
    x: Float[np.ndarray, " A"]
    y: Float[np.ndarray, " B"]
    labels: tuple[str, str]
    loss: Float[np.ndarray, "A B"]
    center: tuple[float, float]
    unigram_loss: float
    bigram_loss: float
    predicted: Float[np.ndarray, "F G"] | None = None
    predicted_x: Float[np.ndarray, " F"] | None = None
    predicted_y: Float[np.ndarray, " G"] | None = None
    prediction: str = "predicted"
    marks: tuple[tuple[str, float, float], ...] = ()


def quadratic(
    x: Float[np.ndarray, " A"],
    y: Float[np.ndarray, " B"],
    loss: float,
    eigenvalues: Sequence[float],
) -> Float[np.ndarray, "A B"]:
    """L + lambda_1 x^2/2 + lambda_2 y^2/2: the loss near a critical point, along eigenvectors.

    Arguments:
        x, y: distances from the point along the two unit eigenvectors.
        loss: at the point, nats.
        eigenvalues: one or two, nats per squared distance.

    >>> quadratic(np.array([2.0]), np.array([0.0]), 0.5, [0.25, -1.0]).tolist()
    [[1.0]]
    """
    first, second = [*eigenvalues, 0.0][:2]
    return loss + first * x[:, None] ** 2 / 2 + second * y[None, :] ** 2 / 2


def finer(axis: Float[np.ndarray, " A"], points: int = FINE) -> Float[np.ndarray, " F"]:
    """An axis of at least so many points over the same range; a single value stays one.

    The points of the axis are among them: each step is split into equal parts.

    >>> finer(np.array([0.0, 1.0, 2.0]), 4).tolist(), finer(np.zeros(1)).tolist()
    ([0.0, 0.5, 1.0, 1.5, 2.0], [0.0])
    """
    if len(axis) < 2:
        return axis
    parts = -(-(points - 1) // (len(axis) - 1))
    places = np.arange(parts * (len(axis) - 1) + 1) / parts
    found: Float[np.ndarray, " F"] = np.interp(places, np.arange(len(axis)), axis)
    return found


def oblique(gram: Float[np.ndarray, "k k"]) -> str:
    """What a title adds where two directions are not at right angles: the picture draws them so.

    >>> oblique(np.array([[4.0, 1.0], [1.0, 1.0]])), oblique(np.eye(2))
    ('\\naxes at 60 degrees, drawn at 90', '')
    """
    if len(gram) < 2:
        return ""
    cosine = gram[0, 1] / np.sqrt(gram[0, 0] * gram[1, 1])
    angle = float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
    return "" if abs(angle - 90) < 0.5 else f"\naxes at {angle:.0f} degrees, drawn at 90"


def load(store: StoredScan) -> tuple[SliceRecord, ...]:
    """The slices of a scan worth a look: a saddle and a local minimum, unigram then bigram.

    Of the tied cells (or all, if none is tied) that theory calls a saddle, and a local minimum, the
    one nearest to the chains of the papers is taken. Raises ValueError where no cell has a slice.
    """
    best: dict[str, tuple[float, CellConfig]] = {}
    cells = [cell for cell in store.cells if store.done(cell) and cell.measure.slice is not None]
    for cell in [c for c in cells if c.model.tying == "tied"] or cells:
        word = store.scalars(cell)["points"].get("unigram", {}).get("classification")
        if word in NEAR:
            up, down = NEAR[word]
            p_here, q_here = map(float, cell.source.chain)
            far = abs(p_here - up) + abs(q_here - down)
            if word not in best or far < best[word][0] - 1e-12:
                best[word] = far, cell
    chosen = [best[word][1] for word in NEAR if word in best]
    found = [
        _read(store, cell, kind, _varied(store.cells, cell))
        for kind in ("unigram", "bigram")
        for cell in chosen
        if kind in cell.measure.points
    ]
    if not found:
        raise ValueError(
            "no finished cell has a slice at a saddle or a local minimum: set measure.slice, and "
            "scan into another folder"
        )
    return tuple(found)


def _read(store: StoredScan, cell: CellConfig, kind: str, settings: str) -> SliceRecord:
    found = store.groups(cell, f"slices/{kind}", f"theory/{kind}")
    plane, theory = found[f"slices/{kind}"], found[f"theory/{kind}"]
    alpha, beta, loss = (plane[name].values for name in ("alpha", "beta", "loss"))
    names, gram = plane["axis"].values.tolist(), plane["gram"].values
    norms = np.sqrt(np.diag(gram))
    eigenvalues = theory["eigenvalue"].values if "eigenvalue" in theory else None
    word = theory.attrs["classification"]
    x, y = alpha * norms[0], beta * norms[-1]
    H_u, H_b = _entropies(cell)
    predicted, labels = None, tuple(f"distance along {name}" for name in names)
    if eigenvalues is not None and all(name.startswith("eigenvector ") for name in names):
        chosen = [float(eigenvalues[int(name.split()[1])]) for name in names]
        predicted = quadratic(finer(x), finer(y), H_u if kind == "unigram" else H_b, chosen)
        labels = tuple(
            rf"{label}, $\lambda={value:.3g}$" for label, value in zip(labels, chosen, strict=True)
        )
    chain = f"$(p, q) = ({cell.source.p}, {cell.source.q})$"
    return SliceRecord(
        title=f"{kind}, {word}: {chain}{settings}{oblique(gram)}",
        x=x,
        y=y,
        labels=(labels[0], labels[-1]),
        loss=loss,
        center=(0.0, 0.0),
        unigram_loss=H_u,
        bigram_loss=H_b,
        predicted=predicted,
        predicted_x=finer(x),
        predicted_y=finer(y),
        prediction=QUADRATIC,
    )


def _varied(cells: Sequence[CellConfig], drawn: CellConfig) -> str:
    """The settings of a cell, besides p and q, that are not the same in all cells of the scan."""
    names = [
        name
        for name, value in drawn.coordinates.items()
        if name not in ("source.p", "source.q")
        and any(cell.coordinates[name] != value for cell in cells)
    ]
    words = [f"{name.rpartition('.')[2]} = {drawn.coordinates[name]}" for name in names]
    return "".join(f"{', ' if k else chr(10)}{word}" for k, word in enumerate(words))


def _entropies(cell: CellConfig) -> tuple[float, float]:
    chain = map(float, cell.source.chain)
    values = function([p, q], [unigram_entropy(), entropy_rate()], np)(*chain)
    return float(values[0]), float(values[1])
