"""What a prediction needs to know of a network: z and its Jacobian where all symbols embed to 0.

Nothing here looks at a loss. The numbers are inputs of the universal unigram law, measured in
float64; whether its hypotheses hold is measured with them.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import jacrev

from landscape.models.parameters import call, in_float64, value_of
from landscape.models.protocols import Readable

EPS = float(torch.finfo(torch.float64).eps)

PROBES = 4
"""Random inputs at which a symmetry has to hold: of an analytic network, one has it then at all."""

NEARBY = 0.1
"""Deviation of the weights nearby: of an analytic network, almost all weights have one rank."""

CLEAN = 1e-10
"""How far from 0, relative to the largest of them, what a symmetry leaves of z and J may be."""

STEP = 2.0**-17
"""Of the second differences that find a kink, over the largest slope: their round-off eps/h is then
3e-11 of the slopes, their truncation h^3 times a fourth derivative; what a kink leaves is a slope.
"""

KINK = 1e-6
"""Jump of a slope, relative to the slopes, from which on there is a kink."""

MISREAD = 1e-9
"""Relative error of the logits from which on a model is not what its names say: far above the
round-off of another order of its sums, far below what a forgotten scale does."""


@dataclass(frozen=True)
class Representation:
    """z_n and J_{n,i} = dz_n/du_i at u_i = p_i, and the directions that the network does not see.

    `silent` spans the w that may be added to any input without a change of any z, `redundant` the
    (beta, w) with beta + <w, z_n> = 0 whatever the input: for a network between LayerNorms without
    biases both are the vector of ones. They are measured at random inputs, and are none where their
    number is another one at weights nearby.
    """

    z: Float[np.ndarray, "N d"]
    J: Float[np.ndarray, "N N d d"]  # row: component of z_n; 0 for i > n
    silent: Float[np.ndarray, "d r"]
    redundant: Float[np.ndarray, "1+d s"]
    jump: float  # largest jump of a directional derivative of z at u = p, over the largest |J|


def unigram_inputs(
    model: Readable, params: Mapping[str, Tensor], length: int
) -> Float[Tensor, "N d"]:
    """u_i = p_i, the inputs when every symbol embeds to 0; zeros where there are no positions.

    Raises:
        ValueError: if the positions have another shape than [N or more, d].
    """
    embedding = value_of(model, params, model.embedding_name)
    width = embedding.shape[-1]
    if model.positions_name is None:
        return torch.zeros(length, width, dtype=torch.float64, device=embedding.device)
    positions = value_of(model, params, model.positions_name)
    if positions.dim() != 2 or positions.shape[0] < length or positions.shape[1] != width:
        raise ValueError(
            f"parameter {model.positions_name!r} has shape {tuple(positions.shape)}, but length "
            f"{length} and embeddings of width {width} need positions [{length}, {width}]; give "
            f"positions_name = None if they are added elsewhere"
        )
    return positions[:length].double()


def representation(model: nn.Module, params: Mapping[str, Tensor], length: int) -> Representation:
    """Measure z, J and the network's symmetries at zero embedding; the model is not changed.

    Args:
        model: a `Readable` model.
        params: the point; embedding and readout do not enter.
        length: N.

    Raises:
        ValueError: if the model is not `Readable`, or its positions have another shape.

    Source: MATH of this project, section 4.

    >>> from landscape.models import GPT
    >>> model = GPT(width=2, length=2, layer_norm=False)
    >>> found = representation(model, {n: 0 * p for n, p in model.named_parameters()}, 2)
    >>> found.J[1].tolist(), found.silent.shape
    ([[[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]], (2, 0))
    """
    if not isinstance(model, Readable):
        raise ValueError(
            f"model={type(model).__name__} has no representation to measure; implement "
            f"landscape.models.Readable"
        )
    params = in_float64(params)
    u = unigram_inputs(model, params, length)

    def represent(inputs: Tensor) -> Tensor:
        z: Tensor = call(model, params, "represent", inputs[None])[0]
        return z

    with torch.no_grad():
        z = represent(u)
    J = jacrev(represent)(u).permute(0, 2, 1, 3)
    probes = _probes(u)
    with torch.no_grad():
        jump = _relative_jump(represent, u, probes, J)
    head = {model.embedding_name, model.readout_name, model.bias_name}
    silent, redundant = _symmetries(model, params, params.keys() - head, probes)
    slopes, values = J.cpu().numpy(), z.cpu().numpy()
    # of slopes that are mostly round-off a direction is not known well enough to be claimed
    if np.abs(slopes @ silent).max(initial=0.0) > CLEAN * np.abs(slopes).max():
        silent = silent[:, :0]
    constant = np.column_stack([np.ones(length), values])
    if np.abs(constant @ redundant).max(initial=0.0) > CLEAN * np.abs(constant).max():
        redundant = redundant[:, :0]
    return Representation(z=values, J=slopes, silent=silent, redundant=redundant, jump=jump)


def _probes(u: Float[Tensor, "N d"]) -> Float[Tensor, "k N d"]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(PROBES, *u.shape, generator=generator, dtype=torch.float64).to(u)


def _relative_jump(
    represent: Callable[[Tensor], Tensor],
    u: Float[Tensor, "N d"],
    probes: Float[Tensor, "k N d"],
    J: Float[Tensor, "..."],
) -> float:
    """`_jump` over the largest slope, J being the slopes in any order."""
    steep = max(1.0, float(J.abs().max()))
    return _jump(represent, u, probes, STEP / steep) / steep


def jump_at_zero_embedding(
    model: nn.Module, params: Mapping[str, Tensor], length: int
) -> float | None:
    """`Representation.jump` alone, at a point whose embedding is 0; None elsewhere.

    It is the kink of a network that does not tell of its relu units. None too for a model that is
    not `Readable`, or whose positions cannot be added.

    >>> from landscape.models import SingleLayer
    >>> model = SingleLayer(width=2, length=2)
    >>> jump_at_zero_embedding(model, dict(model.named_parameters()), 2) is None
    True
    >>> at_zero = {name: 0 * value for name, value in model.named_parameters()}
    >>> jump_at_zero_embedding(model, at_zero, 2)
    0.0
    """
    if not isinstance(model, Readable) or params[model.embedding_name].any():
        return None
    params = in_float64(params)
    try:
        u = unigram_inputs(model, params, length)
    except ValueError:
        return None

    def represent(inputs: Tensor) -> Tensor:
        z: Tensor = call(model, params, "represent", inputs[None])[0]
        return z

    J = jacrev(represent)(u)
    with torch.no_grad():
        return _relative_jump(represent, u, _probes(u), J)


def _symmetries(
    model: nn.Module,
    params: Mapping[str, Tensor],
    weights: Collection[str],
    probes: Float[Tensor, "k N d"],
) -> tuple[Float[np.ndarray, "d r"], Float[np.ndarray, "1+d s"]]:
    """`silent` and `redundant` where the network has as many at other weights as well, else none.

    A network whose weights are all 0 sees nothing, and beside them it sees: what is unseen at a
    point alone makes no flat set, and the loss bends along it at higher order. The others are
    weights nearby, and weights of size 1: huge ones leave slopes that float64 takes for 0.
    """
    generator = torch.Generator().manual_seed(2)
    nearby, ordinary = dict(params), dict(params)
    for name in sorted(weights):
        drawn = torch.randn(params[name].shape, generator=generator, dtype=torch.float64)
        drawn = drawn.to(params[name])
        nearby[name], ordinary[name] = params[name] + NEARBY * drawn, drawn
    here, *others = (_unseen_at(model, at, probes) for at in (params, nearby, ordinary))
    kept = (
        mine if all(mine.shape == other.shape for other in theirs) else mine[:, :0]
        for mine, *theirs in zip(here, *others, strict=True)
    )
    silent, redundant = kept
    return silent, redundant


def _unseen_at(
    model: nn.Module, params: Mapping[str, Tensor], probes: Float[Tensor, "k N d"]
) -> tuple[Float[np.ndarray, "d r"], Float[np.ndarray, "1+d s"]]:
    def represent(inputs: Tensor) -> Tensor:
        z: Tensor = call(model, params, "represent", inputs[None])[0]
        return z

    width = probes.shape[-1]
    slopes = torch.stack([jacrev(represent)(probe) for probe in probes])
    with torch.no_grad():
        values = torch.stack([represent(probe) for probe in probes]).reshape(-1, width)
    constant = torch.ones(len(values), 1).to(values)
    return _unseen(slopes.reshape(-1, width)), _unseen(torch.cat([constant, values], dim=1))


def _unseen(rows: Float[Tensor, "rows k"]) -> Float[np.ndarray, "k r"]:
    """Orthonormal basis of the vectors that all rows take to 0, by rounding; none of NaN."""
    if not rows.isfinite().all():
        return np.zeros((rows.shape[1], 0))
    _, values, basis = torch.linalg.svd(rows, full_matrices=len(rows) < rows.shape[1])
    size = torch.zeros(len(basis)).to(values)
    size[: len(values)] = values
    # a slope is a sum of products through the layers, which may be larger than what is left of them
    bound = 64 * max(rows.shape) * EPS * max(1.0, float(size.max()))
    found: np.ndarray = basis[size <= bound].T.cpu().numpy()
    return found


def _jump(
    represent: Callable[[Tensor], Tensor],
    u: Float[Tensor, "N d"],
    directions: Float[Tensor, "k N d"],
    step: float,
) -> float:
    """Largest |z(u+hv) - 2 z(u) + z(u-hv)|/h for h -> 0, over some directions v."""

    def second(h: float) -> Tensor:
        ends = [represent(u + h * v) + represent(u - h * v) for v in directions]
        return (torch.stack(ends) - 2 * represent(u)) / h

    # at a smooth point the quotient is linear in h
    return float((2 * second(step / 2) - second(step)).abs().max())


def misread(model: nn.Module, params: Mapping[str, Tensor], length: int) -> float:
    """Largest relative error of the logits that the model's names promise.

    With random embedding and readout, ``forward`` of random tokens is compared with the readout
    applied to ``represent(embedding + positions)``, plus the bias. A model that scales its
    embedding, say, or adds something else, is `Readable` by its names only. Infinite where the
    positions cannot be added at all.

    Raises:
        ValueError: if the model is not `Readable`.

    >>> from landscape.models import SingleLayer
    >>> model = SingleLayer(width=2, length=3)
    >>> misread(model, dict(model.named_parameters()), 3) < 1e-13
    True
    """
    if not isinstance(model, Readable):
        raise ValueError(f"model={type(model).__name__} is not landscape.models.Readable")
    params = in_float64(params)
    try:
        positions = unigram_inputs(model, params, length)
    except ValueError:
        return math.inf
    generator = torch.Generator().manual_seed(1)
    for name in (model.embedding_name, model.readout_name, model.bias_name):
        own = value_of(model, params, name)
        drawn = torch.randn(own.shape, generator=generator, dtype=torch.float64)
        params[name] = drawn.to(own.device)
    E, A, b = (params[name] for name in (model.embedding_name, model.readout_name, model.bias_name))
    states = 2 if E.dim() == 1 else len(E)
    tokens = torch.randint(states, (PROBES, length), generator=generator).to(E.device)
    with torch.no_grad():
        logits: Tensor = call(model, params, "forward", tokens)
        embedded = tokens[..., None] * E if E.dim() == 1 else E[tokens]
        read = call(model, params, "represent", embedded + positions) @ A.t() + b
        if A.dim() == 1:
            read = torch.stack([torch.zeros_like(read), read], dim=-1)
    return float((logits - read).abs().max() / read.abs().max())
