"""What a loss must offer, a scalar of a model and its parameters, and what it may offer besides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from landscape.sources.protocol import MarkovSource


@runtime_checkable
class Objective(Protocol):
    """A scalar loss of a model and its parameters, differentiable twice in both modes.

    A function of the parameters alone: it moves neither the model nor a state of its own, and is
    batched under `torch.func.vmap`.
    """

    length: int
    """Context length N."""

    def __call__(self, model: nn.Module, params: Mapping[str, Tensor]) -> Tensor:
        """The loss in nats."""


@runtime_checkable
class Counted(Protocol):
    """A loss that tells how much work one value of it is."""

    def rows(self, model: nn.Module) -> int:
        """How many predictions it asks of the model: contexts, or sequences times positions."""


@runtime_checkable
class Sourced(Protocol):
    """A loss on a source of symbols, which closed forms may then be told of."""

    @property
    def source(self) -> MarkovSource:
        """What the contexts are drawn from."""


def chunk_of(model: nn.Module, objective: Objective, predictions: int) -> int:
    """How many evaluations of the loss at once keep the predictions they make near this number.

    One that is not `Counted` is taken to enumerate binary contexts.

    >>> from landscape import BinaryMarkov, ExactLoss, ReducedModel
    >>> chunk_of(ReducedModel(), ExactLoss(BinaryMarkov(0.5, 0.8), 8), 2**18)
    514
    """
    rows: int = 2 ** (objective.length + 1)
    if isinstance(objective, Counted):
        rows = objective.rows(model)
    return max(1, predictions // rows)


LONGEST_EXACT = 16
"""Longest exact binary context; other alphabets get as many contexts, S^N <= 2^16."""


def check_states(model: nn.Module, states: int) -> None:
    """Refuse a model that is known to be of another alphabet than the source.

    >>> from landscape import SingleLayer
    >>> check_states(SingleLayer(width=2, length=2), 3)
    Traceback (most recent call last):
        ...
    ValueError: the source has 3 symbols and SingleLayer predicts 2; give a model of 3 states
    """
    known = getattr(model, "states", states)
    if known != states:
        raise ValueError(
            f"the source has {states} symbols and {type(model).__name__} predicts {known}; give a "
            f"model of {states} states"
        )
