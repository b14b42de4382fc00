"""The loss on sampled sequences, with its standard error."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from landscape.models.sequence_table import logits_along
from landscape.objective import LONGEST_EXACT, ExactLoss
from landscape.softplus import softplus
from landscape.sources import SampledSource

Batch = tuple[Tensor, Tensor]
"""Sampled data as the loss takes it: contexts by their counts, or sequences and their laws."""


def cross_entropy(
    logits: Float[Tensor, "*rows S"], law: Float[Tensor, "*rows S"]
) -> Float[Tensor, "*rows"]:
    """Cross-entropy logsumexp(l) - <r, l> of each row of logits l to its law r, in nats.

    >>> cross_entropy(torch.zeros(1, 2), torch.tensor([[0.5, 0.5]])).tolist()  # ln 2
    [0.6931471824645996]
    """
    if logits.shape[-1] == 2:  # as in ExactLoss: from the logit difference
        logit = logits[..., 1] - logits[..., 0]
        return softplus(logit) - law[..., 1] * logit
    return torch.logsumexp(logits, dim=-1) - (law * logits).sum(-1)


class SampledLoss:
    """Loss on B sequences of length N drawn once, in nats, with its standard error.

    The target at every position is the conditional law r of the next symbol, which the source
    knows, in place of the symbol that happened to follow (Rao-Blackwell)::

        L = (1/BN) sum_{b,n} [logsumexp(l_bn) - <r_bn, l_bn>]

    Its expectation is `ExactLoss`, its variance smaller than with drawn targets, and all N
    positions count. A function of the parameters alone: differentiable twice in both modes, and
    batched under `torch.func.vmap`. Any model with `forward` will do. Where there are fewer
    contexts than positions, ``S^(N+1) < BN``, the same sum is taken by context, each with the share
    of positions that show it, at the cost of the exact loss.

    Args:
        source: a source that can be sampled.
        length: context length N.
        batch: number of sequences B.
        seed: of the draw; a CPU generator gives the seed, and moves on by one number.
        device: where the data live. The draw is the same everywhere.

    Raises:
        ValueError: if length or batch is below 1.

    Source: Rao-Blackwell theorem; the loss of *Attention with Markov* (arXiv 2402.04161).

    >>> from landscape import BinaryMarkov, SingleLayer
    >>> loss = SampledLoss(BinaryMarkov(0.5, 0.8), length=32, batch=64, seed=0)
    >>> model = SingleLayer(width=2, length=32)
    >>> params = {n: p.detach() * 0 for n, p in model.named_parameters()}
    >>> round(loss(model, params).item(), 5)  # ln 2 at every position
    0.69315
    >>> loss.standard_error(model, params).item() < 1e-15
    True
    """

    def __init__(
        self,
        source: SampledSource,
        length: int,
        *,
        batch: int,
        seed: int | torch.Generator,
        device: str | torch.device = "cpu",
    ) -> None:
        for name, value in (("length", length), ("batch", batch)):
            if value < 1:
                raise ValueError(f"{name}={value} is out of range; give an integer of at least 1")
        if isinstance(seed, torch.Generator):
            seed = int(torch.randint(2**62, (), generator=seed))
        self.source, self.length, self.states = source, length, source.states
        self.batch, self.seed, self.device = batch, seed, torch.device(device)
        generator = torch.Generator().manual_seed(seed)
        self.tokens: Int[Tensor, "B N"] = source.sample(batch, length, generator).to(self.device)
        contexts = self.states**length
        short = contexts <= 2**LONGEST_EXACT and contexts * self.states < batch * length
        self._by_context = ExactLoss(source, length, device=device) if short else None
        self._drawn = self.batch_of(self.tokens)

    @property
    def rows(self) -> int:
        """How many predictions the loss is a mean of: a model's work."""
        return (
            self.batch * self.length if self._by_context is None else len(self._by_context.weights)
        )

    def batch_of(self, tokens: Int[Tensor, "*runs B N"]) -> Batch:
        """What the loss needs of sequences, these or others, for any number of runs.

        Each run's share of positions at every context, and its product with the law r there; or the
        sequences themselves and r at every position.
        """
        exact = self._by_context
        if exact is None:
            return tokens, self.source.conditional_law(tokens)
        shares = context_shares(tokens, self.states)
        law = exact.joint / exact.weights[:, None]
        return shares, shares[..., None] * law

    def __call__(self, model: nn.Module, params: Mapping[str, Tensor]) -> Float[Tensor, ""]:
        """The loss of `model` with `params` in place of its own parameters."""
        return self.evaluate(model, params, self._drawn)

    def evaluate(
        self, model: nn.Module, params: Mapping[str, Tensor], batch: Batch
    ) -> Float[Tensor, ""]:
        """The loss on another batch, that `batch_of` made: runs with their own map over it."""
        if self._by_context is not None:
            return self._by_context.evaluate(model, params, batch)
        tokens, law = batch
        logits = logits_along(model, params, tokens)
        return cross_entropy(logits, law.to(logits.dtype)).mean()

    def by_sequence(self, model: nn.Module, params: Mapping[str, Tensor]) -> Float[Tensor, " B"]:
        """The mean cross-entropy over the positions of each sequence, in nats: independent draws.

        Their mean is the loss.
        """
        logits = logits_along(model, params, self.tokens)
        law = self.source.conditional_law(self.tokens)
        return cross_entropy(logits, law.to(logits.dtype)).mean(-1)

    def standard_error(self, model: nn.Module, params: Mapping[str, Tensor]) -> Float[Tensor, ""]:
        """Standard error of the loss, in nats: that of the mean of B independent sequences.

        The positions of one sequence depend on each other, and do not count one by one.

        Raises:
            ValueError: for a batch of one sequence, whose spread nobody has seen.
        """
        if self.batch < 2:
            raise ValueError(
                f"batch={self.batch} has no standard error: it is the spread between sequences; "
                "give a batch of at least 2"
            )
        return self.by_sequence(model, params).std() / math.sqrt(self.batch)

    def divergence(
        self, model: nn.Module, params: Mapping[str, Tensor], reference: str
    ) -> Float[Tensor, ""]:
        """Mean KL divergence in nats, over the sampled contexts, from the prediction to another's.

        ``(1/BN) sum_{b,n} KL(softmax(l_bn) || r)`` for reference "bigram" (r the conditional law)
        or "unigram" (r the law of a single symbol).

        Raises:
            ValueError: for any other reference.
        """
        law = self.source.conditional_law(self.tokens)
        if reference == "unigram":
            law = torch.from_numpy(self.source.context_law(1)).to(law).expand_as(law)
        elif reference != "bigram":
            raise ValueError(f"reference={reference!r} is unknown; give 'bigram' or 'unigram'")
        log_prediction = torch.log_softmax(logits_along(model, params, self.tokens), dim=-1)
        terms = log_prediction.exp() * (log_prediction - law.log().to(log_prediction.dtype))
        return terms.sum(-1).mean()


def context_shares(
    tokens: Int[Tensor, "*runs B N"], states: int
) -> Float[Tensor, "*runs contexts"]:
    """Share of a run's B N positions at each context, lengths 1..N, each length lexicographic.

    >>> context_shares(torch.tensor([[0, 0], [0, 1]]), 2).tolist()
    [0.5, 0.0, 0.25, 0.25, 0.0, 0.0]
    """
    *runs, batch, length = tokens.shape
    places = states ** torch.arange(length - 1, -1, -1, device=tokens.device)
    paths = (tokens * places).sum(-1)
    counts = torch.zeros(*runs, states**length, dtype=torch.float64, device=tokens.device)
    tables = [counts.scatter_add(-1, paths, counts.new_ones(()).expand(paths.shape))]
    for _ in range(length - 1):  # a context shows wherever one that continues it does
        tables.append(tables[-1].unflatten(-1, (-1, states)).sum(-1))
    return torch.cat(tables[::-1], dim=-1) / (batch * length)
