"""The rank-one ansatz: reduced coordinates (e, w, b) inside the real transformer."""

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor, nn

from landscape.models.initial import random_signs
from landscape.models.parameters import Coordinates, Params, in_float64
from landscape.models.protocols import HoldsAnsatz, OnAnsatz
from landscape.sources.protocol import TwoState

COORDINATES = ("e", "w", "b")


def ansatz(
    model: nn.Module, e: float, w: float, b: float, *, signs: Float[Tensor, " d"] | None = None
) -> Params:
    """The rank-one ansatz (e, w, b) of the reduced model, inside the real one.

    With a sign vector alpha/sqrt(d): embedding ``e alpha`` (and readout, when untied), positions
    ``-(e/2) alpha``, ``W_O = I``, ``W_Q = W_K = W_V = 0``, ``W_1 = (2|w|/sqrt(r)) 1 alpha^T``,
    ``W_2 = (2w/sqrt(r)) alpha 1^T``. For e > 0 the single layer's logit is then
    ``e^2 (1 + 2w|w|) x + b - e^2/2``, that of `ReducedModel`. A GPT of two symbols has the same
    difference of logits from ``E_x = (x - 1/2) e alpha``, no positions, and all blocks but the
    first at 0.

    Args:
        model: `SingleLayer`, `GPT`, `ReducedModel` or another that `HoldsAnsatz`; gives names,
            shapes, dtype and device.
        e, w, b: reduced coordinates; e < 0 is the mirror branch (the relu fires at x = 0).
        signs: of alpha, +-1; by default they alternate, the first being 1.

    Raises:
        ValueError: for a model that cannot hold the ansatz, such as a GPT of other than two
            symbols, with LayerNorm, GELU or no feed-forward layer.

    Source: *Local to Global* (arXiv 2406.03072), the rank-one parametrisation.

    >>> from landscape.models import SingleLayer
    >>> ansatz(SingleLayer(width=4, length=2), e=1.0, w=0.5, b=0.0)["embedding"].tolist()
    [0.5, -0.5, 0.5, -0.5]
    """
    holder = _holder(model)
    if signs is None:
        signs = torch.ones(holder.width)
        signs[1::2] = -1
    like = next(model.parameters()).detach()
    return holder.ansatz(e, w, b, signs.to(like) / math.sqrt(holder.width))


def basin(model: nn.Module, seed: int, *, e: float, w: float, b: float) -> Params:
    """The ansatz at (e, w, b), with random signs alpha.

    For p+q > 1 gradient flow of the reduced model reaches the bigram from ``w <= -1/sqrt(2)`` and
    any ``e != 0``; with the choice ``e = sqrt(d)/2, w = -d`` of a configuration the entries of the
    embedding are +-1/2, and with r = 4d those of W_1 and W_2 +-1.

    Args:
        model: as in `ansatz`.
        seed: of the signs.
        e, w, b: reduced coordinates.

    Source: *Local to Global* (arXiv 2406.03072), initialising inside the bigram's basin.

    >>> from landscape.models import SingleLayer
    >>> params = basin(SingleLayer(width=4, length=2), seed=0, e=1.0, w=-4.0, b=0.0)
    >>> params["embedding"].abs().tolist(), params["hidden_out"].abs().max().item()
    ([0.5, 0.5, 0.5, 0.5], 1.0)
    """
    signs = random_signs(_holder(model).width, torch.Generator().manual_seed(seed))
    return ansatz(model, e, w, b, signs=signs)


def _holder(model: nn.Module) -> HoldsAnsatz:
    if not isinstance(model, HoldsAnsatz):
        raise ValueError(
            f"model={type(model).__name__} does not hold the rank-one ansatz; take SingleLayer, "
            f"ReducedModel or a GPT, or implement landscape.models.protocols.HoldsAnsatz"
        )
    return model


def rank_one_layer(w: float, alpha: Float[Tensor, " d"], hidden: int) -> Params:
    """What the ansatz has of a layer besides zeros: W_O = I, W_1 and W_2 of rank one.

    >>> rank_one_layer(-1.0, torch.ones(1), 4)["hidden_out"].tolist()
    [[-1.0, -1.0, -1.0, -1.0]]
    """
    ones = alpha.new_ones(hidden)
    return {
        "output": torch.eye(len(alpha), dtype=alpha.dtype, device=alpha.device),
        "hidden_in": 2 * abs(w) / math.sqrt(hidden) * torch.outer(ones, alpha),
        "hidden_out": 2 * w / math.sqrt(hidden) * torch.outer(alpha, ones),
    }


def best_bias(
    source: TwoState, e: Float[Tensor, "..."], w: Float[Tensor, "..."], *, mirror: bool = True
) -> Float[Tensor, "..."]:
    """The bias b*(e, w) of least loss, for the logits of the rank-one ansatz.

    With the gap ``s = f(1) - f(0) = e^2 (1 + 2w|w|)`` and the two logits centred on their middle
    m, dL/db = 0 is a quadratic equation in exp(m) of product of roots -p/q, so::

        m = ln(p/q)/2 + asinh( (p - q) exp(-s/2) / (2 sqrt(pq)) ),    f(0) = m - s/2

    and b* = f(0) + e^2/2 for e > 0, where the relu leaves f(0) alone; on the mirror branch e < 0
    it leaves f(1) = b + e^2/2 alone, and b* = f(0) + e^2 (1/2 + 2w|w|).

    Args:
        source: gives p and q.
        e, w: reduced coordinates, broadcasting.
        mirror: whether e < 0 is the mirror branch (the transformer), or e and -e are the same
            (the reduced model).

    Source: MATH of this project, section 3, in another form; *Local to Global* (arXiv 2406.03072).

    >>> from landscape.sources import BinaryMarkov
    >>> zero = torch.zeros((), dtype=torch.float64)
    >>> best_bias(BinaryMarkov(0.5, 0.8), zero, zero).exp().item()  # p/q
    0.625
    """
    p, q = float(source.p), float(source.q)
    growth = w * w.abs()
    gap = e**2 * (1 + 2 * growth)
    difference = float(Fraction(source.p) - Fraction(source.q))
    if difference == 0:
        middle = 0 * gap
    else:  # asinh(x) is sign(x) ln(2|x|) long before exp overflows
        log = math.log(abs(difference) / (2 * math.sqrt(p * q))) - gap / 2
        large = log > 30
        tame = torch.asinh(torch.exp(torch.where(large, 0.0, log)))
        middle = math.copysign(1.0, difference) * torch.where(large, log + math.log(2.0), tame)
    zero = math.log(p / q) / 2 + middle - gap / 2
    lifted = 2 * growth if mirror else 0 * growth
    return zero + e**2 * (0.5 + torch.where(e < 0, lifted, 0.0))


def on_ansatz(model: nn.Module) -> OnAnsatz:
    """The model as one whose landscape has the reduced coordinates.

    Raises:
        ValueError: for any other.
    """
    if not isinstance(model, OnAnsatz):
        raise ValueError(
            f"model={type(model).__name__} has no coordinates (e, w, b) on the rank-one ansatz; "
            f"take SingleLayer or ReducedModel, or implement landscape.models.protocols.OnAnsatz"
        )
    return model


class Frame:
    """The ansatz as a surface in parameter space: ``base + (e, w+, w-, b) @ rows``.

    It is linear in e and b and in each sign of w: W_1 is proportional to |w| and W_2 to w.

    Args:
        model: `OnAnsatz`.
        params: a point, in whose dtype float64 all is computed.
        kept: names of the weights that keep the point's values in place of the ansatz's.

    Raises:
        ValueError: for a model without those coordinates.
    """

    base: Float[Tensor, " D"]  # the ansatz at (0, 0, 0)
    rows: Float[Tensor, "4 D"]  # its derivatives by e, w+, w- and b

    def __init__(self, model: nn.Module, params: Mapping[str, Tensor], kept: Iterable[str]) -> None:
        on_ansatz(model)
        self.model, self.axes = model, Coordinates.of(params)
        self._kept = in_float64({name: params[name] for name in kept})
        self.base = self.corner(0.0, 0.0, 0.0)
        ends = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)]
        self.rows = torch.stack([self.corner(*end) - self.base for end in ends])

    def corner(self, e: float, w: float, b: float) -> Float[Tensor, " D"]:
        """One point of the ansatz, to the last bit that of `ansatz`."""
        return self.axes.vector(in_float64(ansatz(self.model, e, w, b)) | self._kept)

    def points(self, at: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n D"]:
        """The points of the ansatz at any coordinates, differentiable and under vmap."""
        return self.base + features(at) @ self.rows

    def projection(self, vector: Float[Tensor, " D"]) -> Float[Tensor, "4"]:
        """The features (e, w+, w-, b) of the vector's part along each row."""
        return self.rows @ (vector - self.base) / (self.rows**2).sum(1)


def features(at: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 4"]:
    """(e, w+, w-, b): what the ansatz is linear in."""
    e, w, b = at.unbind(-1)
    plus, minus = torch.where(w >= 0, w, 0.0), torch.where(w < 0, -w, 0.0)
    return torch.stack([e, plus, minus, b], dim=-1)


def reduced_coordinates(model: nn.Module, params: Mapping[str, Tensor]) -> dict[str, float]:
    """The (e, w, b) of a point on the rank-one ansatz; its free weights may be any.

    Raises:
        ValueError: if the point is not on the ansatz, or the model has no such coordinates.

    >>> from landscape.models import SingleLayer
    >>> model = SingleLayer(width=4, length=2)
    >>> found = reduced_coordinates(model, ansatz(model, e=-1.0, w=0.5, b=0.25))
    >>> [round(found[name], 12) for name in "ewb"]
    [-1.0, 0.5, 0.25]
    """
    frame = Frame(model, params, on_ansatz(model).free)
    here = frame.axes.vector(in_float64(params))
    e, plus, minus, b = frame.projection(here)
    at = torch.stack([e, plus.clamp(min=0) - minus.clamp(min=0), b])
    left = (here - frame.points(at)).norm().item()
    if not left <= 1e-9 * max(1.0, (here - frame.base).norm().item()):
        raise ValueError(
            f"the point lies {left:.2g} off the rank-one ansatz, so it has no reduced coordinates "
            f"(e, w, b); take a bigram point, or at the unigram unigram_point(model, loss, "
            f"free=ansatz(model, 0.0, w, 0.0)) with ansatz from landscape.models.ansatz"
        )
    return dict(zip(COORDINATES, at.tolist(), strict=True))
