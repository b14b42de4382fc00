"""The loss on sampled sequences, with its standard error."""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from landscape.models.parameters import call
from landscape.models.sequence_table import sequence_logits
from landscape.models.single_layer import SingleLayer
from landscape.numerics.softplus import softplus
from landscape.objectives.exact import ExactLoss
from landscape.objectives.protocol import LONGEST_EXACT, check_states
from landscape.sources import SampledSource, known_reference

SEEDS = 2**32
"""Seeds that torch's CPU generator tells apart: it drops the higher bits."""

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


def _logits(
    model: nn.Module,
    params: Mapping[str, Tensor],
    tokens: Int[Tensor, "B N"],
    states: int,
    table: bool,
) -> Float[Tensor, "B N S"]:
    """Logits at every position: by `forward`, or from the table that the single layer has."""
    check_states(model, states)
    if table and type(model) is SingleLayer:  # a subclass may have another forward
        return sequence_logits(model, params, tokens)
    logits: Tensor = call(model, params, "forward", tokens)
    return logits


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
        seed: of the draw, below 2^32, up to which torch tells seeds apart; a CPU generator gives
            the seed, and moves on by one number.
        device: where the data live. The draw is the same everywhere.

    Raises:
        ValueError: if length or batch is below 1, or the seed outside [0, 2^32).

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
            seed = int(torch.randint(SEEDS, (), generator=seed))
        if not 0 <= seed < SEEDS:
            raise ValueError(f"seed={seed} is out of range; give an integer from 0 to {SEEDS - 1}")
        self.source, self.length, self.states = source, length, source.states
        self.batch, self.seed, self.device = batch, seed, torch.device(device)
        generator = torch.Generator().manual_seed(seed)
        self.tokens: Int[Tensor, "B N"] = source.sample(batch, length, generator).to(self.device)
        contexts = self.states**length
        short = contexts <= 2**LONGEST_EXACT and contexts * self.states < batch * length
        self._by_context = ExactLoss(source, length, device=device) if short else None
        self._drawn = self.batch_of(self.tokens)

    def rows(self, model: nn.Module) -> int:
        """How many predictions the model has to make: its work."""
        exact = self._by_context
        return self.batch * self.length if exact is None else exact.rows(model)

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
        self, model: nn.Module, params: Mapping[str, Tensor], batch: Batch, *, table: bool = False
    ) -> Float[Tensor, ""]:
        """The loss on another batch, that `batch_of` made: runs with their own map over it.

        With `table` the single layer takes its attention from `sequence_table`: several times
        faster, and NaN where scores lie too far apart. Whoever asks for it looks at the result.
        """
        if self._by_context is not None:
            return self._by_context.evaluate(model, params, batch)
        tokens, law = batch
        logits = _logits(model, params, tokens, self.states, table)
        return cross_entropy(logits, law.to(logits.dtype)).mean()

    def _at_tokens(
        self, model: nn.Module, params: Mapping[str, Tensor], table: bool
    ) -> Float[Tensor, "B N"]:
        logits = _logits(model, params, self.tokens, self.states, table)
        law = self.source.conditional_law(self.tokens)
        return cross_entropy(logits, law.to(logits.dtype))

    def by_sequence(
        self, model: nn.Module, params: Mapping[str, Tensor], *, table: bool = False
    ) -> Float[Tensor, " B"]:
        """The mean cross-entropy over the positions of each sequence, in nats: independent draws.

        Their mean is the loss.
        """
        return self._at_tokens(model, params, table).mean(-1)

    def post_stratified(
        self, model: nn.Module, params: Mapping[str, Tensor], *, table: bool = False
    ) -> Float[Tensor, " B"]:
        """Numbers by sequence whose mean estimates the population loss better than the loss does.

        The symbols of a sample are not shared out as the stationary law pi says, but what they
        should be is known. With m_s the mean cross-entropy l after symbol s, at C_s positions::

            estimate = sum_s pi_s m_s
            v_b = estimate + B sum_s (pi_s/C_s) sum_{n: x_bn=s} (l_bn - m_s)

        It has no error at all for a prediction that depends on the last symbol alone, the unigram's
        and the bigram's among them. The mean of v is the estimate, and v/sqrt(B) has the spread of
        its error (linearised). Where a symbol never shows up, or where the source does not start at
        stationarity, so that the shares are other ones, the plain `by_sequence`.

        Source: post-stratification; Cochran, *Sampling Techniques* (1977), section 5A.9.
        """
        law = torch.from_numpy(self.source.stationary).to(self.device)
        shown = self.tokens[..., None] == torch.arange(self.states, device=self.device)
        counts = shown.sum((0, 1))
        if not (counts.all() and self.source.starts_stationary):
            return self.by_sequence(model, params, table=table)
        losses = self._at_tokens(model, params, table)
        members = shown.to(losses.dtype)
        means = (losses[..., None] * members).sum((0, 1)) / counts
        weight = (law / counts).to(losses.dtype)
        apart = ((losses[..., None] - means) * members * weight).sum((1, 2))
        return (law.to(losses.dtype) * means).sum() + self.batch * apart

    def standard_error(self, model: nn.Module, params: Mapping[str, Tensor]) -> Float[Tensor, ""]:
        """Standard error of the loss, in nats: that of the mean of B independent sequences.

        The positions of one sequence depend on each other, and do not count one by one. Its mean
        square is the variance of the loss; for few sequences of unequal kinds the loss lies within
        1.96 of it less often than 95% (about 90% for a batch of 8).

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
        self, model: nn.Module, params: Mapping[str, Tensor], reference: str, *, table: bool = False
    ) -> Float[Tensor, ""]:
        """Mean KL divergence in nats, over the sampled contexts, from the prediction to another's.

        ``(1/BN) sum_{b,n} KL(softmax(l_bn) || r)``, r being what the source's predictor of that
        name answers: "unigram", "bigram" or "optimal".

        Raises:
            ValueError: for any other reference.
        """
        law = self.source.predictor(known_reference(reference), self.tokens)
        log_prediction = torch.log_softmax(
            _logits(model, params, self.tokens, self.states, table), dim=-1
        )
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
