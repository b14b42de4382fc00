"""The population loss, exact: a sum over every context, with no sampling error."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from landscape.models.parameters import call
from landscape.models.protocols import ContextModel
from landscape.numerics.softplus import softplus
from landscape.objectives.protocol import LONGEST_EXACT, check_states
from landscape.sources import MarkovSource, known_reference


def enumerated_context_logits(
    model: nn.Module, params: Mapping[str, Tensor], states: int, length: int
) -> Float[Tensor, "contexts S"]:
    """The same table for any causal model, by running `forward` on all S^N sequences.

    The logits after a context of length n are read off the first sequence that starts with it.
    """
    device = next(iter(params.values())).device
    sequences = torch.cartesian_prod(*[torch.arange(states, device=device)] * length)
    logits = call(model, params, "forward", sequences.reshape(-1, length))
    return torch.cat([logits[:: states ** (length - n), n - 1] for n in range(1, length + 1)])


class ExactLoss:
    """Population loss L = (1/N) sum_n E[cross-entropy(logits_n, x_{n+1})] in nats, exactly.

    The expectation over x_{n+1} is taken in closed form (its conditional law r given the context)
    and the one over contexts is the sum over all of them, lengths 1..N, weighted by the source::

        L = (1/N) sum_n sum_{x_1..x_n} P(x_1..x_n) [logsumexp(l) - <r, l>]

    Models with `context_logits` (the single layer: score tables) are evaluated by it, any other
    causal model by enumeration. Twice differentiable in forward and reverse mode, and batched
    under `torch.func.vmap`.

    Args:
        source: a Markov source with exact contexts.
        length: context length N; S^N is at most 2^16.
        device: where the tables live. They are float64, and are rounded to the dtype of the
            parameters they meet.

    Raises:
        ValueError: if length is below 1 or has too many contexts for exact enumeration.

    >>> from landscape import BinaryMarkov, SingleLayer
    >>> loss = ExactLoss(BinaryMarkov(0.5, 0.8), length=3)
    >>> model = SingleLayer(width=2, length=3)
    >>> round(loss(model, {n: p * 0 for n, p in model.named_parameters()}).item(), 5)  # ln 2
    0.69315
    """

    def __init__(
        self, source: MarkovSource, length: int, *, device: str | torch.device = "cpu"
    ) -> None:
        states = source.states
        if length < 1:
            raise ValueError(f"length={length} is out of range; give an integer of at least 1")
        if states**length > 2**LONGEST_EXACT:
            longest = max(n for n in range(1, LONGEST_EXACT + 1) if states**n <= 2**LONGEST_EXACT)
            raise ValueError(
                f"length={length} is too long for exact enumeration: {states}^{length} = "
                f"{states**length:.3g} contexts, about {states**length * 8e-9:.3g} GB for one "
                f"number each; give a length of at most {longest}, or estimate the loss from "
                f"samples (SampledLoss)"
            )
        self.source, self.length, self.states = source, length, states
        law = [source.context_law(n) / length for n in range(1, length + 1)]
        joint = [row[:, None] * source.next_law(n + 1) for n, row in enumerate(law)]
        self.weights = torch.from_numpy(np.concatenate(law)).to(device)
        self.joint = torch.from_numpy(np.concatenate(joint)).to(device)

    def rows(self, model: nn.Module) -> int:
        """How many predictions the model has to make: its work."""
        if isinstance(model, ContextModel):
            return len(self.weights)
        return int(self.length * self.states**self.length)

    @property
    def tables(self) -> tuple[Float[Tensor, " contexts"], Float[Tensor, "contexts S"]]:
        """P(context)/N and P(context, next symbol)/N: all the loss knows of the source."""
        return self.weights, self.joint

    def __call__(self, model: nn.Module, params: Mapping[str, Tensor]) -> Float[Tensor, ""]:
        """The loss of `model` with `params` in place of its own parameters."""
        return self.evaluate(model, params, self.tables)

    def context_logits(
        self, model: nn.Module, params: Mapping[str, Tensor]
    ) -> Float[Tensor, "contexts S"]:
        """Logits after every context of lengths 1..N, each length lexicographic.

        Raises:
            ValueError: if the model predicts another number of symbols than the source has.
        """
        check_states(model, self.states)
        if isinstance(model, ContextModel):
            logits: Tensor = call(model, params, "context_logits", self.length)
            return logits
        return enumerated_context_logits(model, params, self.states, self.length)

    def evaluate(
        self,
        model: nn.Module,
        params: Mapping[str, Tensor],
        tables: tuple[Float[Tensor, " contexts"], Float[Tensor, "contexts S"]],
    ) -> Float[Tensor, ""]:
        """The loss for another source's `tables` of one shape: a batch of chains maps over them."""
        logits = self.context_logits(model, params)
        weights, joint = (table.to(logits.dtype) for table in tables)
        if self.states == 2:  # the same number from the logit difference, at a third of the cost
            zero, one = logits.unbind(-1)
            logit = one - zero
            return (weights * softplus(logit) - joint[:, 1] * logit).sum()
        return weights @ torch.logsumexp(logits, dim=-1) - (joint * logits).sum()

    def divergence(
        self, model: nn.Module, params: Mapping[str, Tensor], reference: str
    ) -> Float[Tensor, ""]:
        """Mean KL divergence in nats, over contexts, from the model's prediction to a predictor's.

        ``(1/N) sum_n E[KL(softmax(l) || r)]``, r being what the source's predictor of that name
        answers: "unigram", "bigram" or "optimal". Infinite where r forbids a symbol that a context
        may be followed by in the model's opinion.

        Raises:
            ValueError: for any other reference.
        """
        name = known_reference(reference)
        tables = [self.source.predictor_table(name, n + 1) for n in range(self.length)]
        law = torch.from_numpy(np.concatenate(tables)).to(self.weights)
        log_prediction = torch.log_softmax(self.context_logits(model, params), dim=-1)
        terms = log_prediction.exp() * (log_prediction - law.log())
        # a context that cannot occur has no law to differ from
        return (self.weights * torch.where(self.weights > 0, terms.sum(-1), 0.0)).sum()


def stacked_tables(
    objectives: Sequence[ExactLoss],
) -> tuple[Float[Tensor, "chains contexts"], Float[Tensor, "chains contexts S"]]:
    """The tables of several objectives of one shape, stacked along a new first axis.

    Raises:
        ValueError: if the objectives differ in length or number of symbols.
    """
    shapes = {(objective.length, objective.states) for objective in objectives}
    if len(shapes) != 1:
        raise ValueError(
            f"objectives of different (length, states) {sorted(shapes)} cannot be stacked; "
            f"train each shape in its own call"
        )
    weights, joint = zip(*[objective.tables for objective in objectives], strict=True)
    return torch.stack(weights), torch.stack(joint)
