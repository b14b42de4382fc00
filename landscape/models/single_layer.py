"""The single-layer transformer of *Attention with Markov*."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from landscape.models.ansatz import rank_one_layer
from landscape.models.block import attention_weights, lookback
from landscape.models.initial import standard
from landscape.models.parameters import Params
from landscape.models.score_table import attention_over_contexts, in_lexicographic_order

LARGEST = 2**28
"""Most parameters of a model, 2 GiB in float64: beyond, the size is a slip of the pen."""


class SingleLayer(nn.Module):
    """Single-layer, single-head transformer with relu feed-forward, no LayerNorm, on {0, 1}.

    With ``u_n = x_n e + p_n`` and ``att_n = softmax_{i<=n} <W_Q u_n, W_K u_i>/sqrt(d)``::

        y_n     = u_n + W_O sum_{i<=n} att_{n,i} W_V u_i
        z_n     = y_n + W_2 relu(W_1 y_n)
        logit_n = <a, z_n> + b            (tied: a = e)

    Parameters: `embedding` e [d], `positions` p [N,d], `query`, `key`, `value`, `output` [d,d],
    `hidden_in` W_1 [r,d], `hidden_out` W_2 [d,r], `readout` a [d] (untied only), `bias` b [].

    Args:
        width: model width d.
        length: longest sequence N.
        hidden: hidden width r, by default 4d.
        tying: "tied" or "untied".
        dtype: torch.float64 or torch.float32.
        seed: seed of the standard initialisation the model starts from.

    Raises:
        ValueError: for a width, hidden width or length below 1 or absurdly large, or an unknown
            tying or dtype.

    Source: *Attention with Markov* (arXiv 2402.04161), the single-layer model, with its output
    matrix W_O written out.

    >>> model = SingleLayer(width=4, length=7)
    >>> sum(p.numel() for p in model.parameters())
    225
    >>> model(torch.zeros(2, 7, dtype=torch.long)).shape
    torch.Size([2, 7, 2])
    """

    states = 2
    layers = 1
    heads = 1
    embedding_name = "embedding"
    positions_name = "positions"
    bias_name = "bias"
    linear_weights = ("query", "key", "value", "output", "hidden_in", "hidden_out", "readout")
    mirror = True
    idle = ("query", "key", "output")  # W_V = 0 on the ansatz
    free = ("query", "key")

    def __init__(
        self,
        *,
        width: int,
        length: int,
        hidden: int | None = None,
        tying: str = "tied",
        dtype: torch.dtype = torch.float64,
        seed: int = 0,
    ) -> None:
        super().__init__()
        hidden = 4 * width if hidden is None else hidden
        for name, size in (("width", width), ("length", length), ("hidden", hidden)):
            if size < 1:
                raise ValueError(f"{name}={size} is out of range; give an integer of at least 1")
        count = (length + 2) * width + 4 * width**2 + 2 * hidden * width + 1
        if count > LARGEST:
            raise ValueError(
                f"width={width}, hidden={hidden}, length={length} make {count:.3g} parameters; "
                f"give sizes that make at most {LARGEST:.3g}"
            )
        if tying not in ("tied", "untied"):
            raise ValueError(f"tying={tying!r} is unknown; give 'tied' or 'untied'")
        if dtype not in (torch.float32, torch.float64):
            raise ValueError(f"dtype={dtype} is not supported; give torch.float64 or torch.float32")
        self.width, self.length, self.hidden, self.tying = width, length, hidden, tying

        def zeros(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(*shape, dtype=dtype))

        self.embedding = zeros(width)
        self.positions = zeros(length, width)
        self.query, self.key = zeros(width, width), zeros(width, width)
        self.value, self.output = zeros(width, width), zeros(width, width)
        self.hidden_in, self.hidden_out = zeros(hidden, width), zeros(width, hidden)
        if tying == "untied":
            self.readout = zeros(width)
        self.bias = nn.Parameter(torch.zeros((), dtype=dtype))

        with torch.no_grad():
            for name, value in standard(self, seed).items():
                self.get_parameter(name).copy_(value)

    @property
    def readout_name(self) -> str:
        """Name of the parameter that reads z out: `embedding` when tied."""
        return "embedding" if self.tying == "tied" else "readout"

    def represent(self, inputs: Float[Tensor, "B N d"]) -> Float[Tensor, "B N d"]:
        """Final representations z_1..z_N of input vectors u_1..u_N, attention written out."""
        n = inputs.shape[1]
        scores = (inputs @ self.query.T) @ (inputs @ self.key.T).mT / math.sqrt(self.width)
        causal = torch.ones(n, n, dtype=torch.bool, device=inputs.device).tril()
        attention = torch.softmax(scores.masked_fill(~causal, -torch.inf), dim=-1)
        y = inputs + attention @ (inputs @ self.value.T) @ self.output.T
        return y + torch.relu(y @ self.hidden_in.T) @ self.hidden_out.T

    def _inputs(self, tokens: Int[Tensor, "B N"]) -> Float[Tensor, "B N d"]:
        """u_n = x_n e + p_n."""
        n = tokens.shape[1]
        if n > self.length:
            raise ValueError(
                f"tokens have length {n}, the model was built for at most {self.length}; "
                f"build it with length={n}"
            )
        return tokens[..., None] * self.embedding + self.positions[:n]

    def forward(self, tokens: Int[Tensor, "B N"]) -> Float[Tensor, "B N 2"]:
        """Logits (0, logit_n) of the next symbol at every position."""
        z = self.represent(self._inputs(tokens))
        logit = z @ getattr(self, self.readout_name) + self.bias
        return torch.stack([torch.zeros_like(logit), logit], dim=-1)

    def observe(self, tokens: Int[Tensor, "B N"]) -> dict[str, Tensor]:
        """What attention does at every position, with axes for its one layer and one head.

        `attention` [B,1,1,N,N] is its weights, `attended` [B,1,N] the Euclidean norm of what it
        adds to the stream and `stream` [B,1,N] that of the stream it is added to.
        """
        u = self._inputs(tokens)
        queries, keys = u @ self.query.T, u @ self.key.T
        mask = lookback(tokens.shape[1], None, u).mask
        weights = attention_weights(queries[:, None], keys[:, None], mask)
        added = weights[:, 0] @ (u @ self.value.T) @ self.output.T
        return {
            "attention": weights[:, None],
            "attended": added.norm(dim=-1)[:, None],
            "stream": u.norm(dim=-1)[:, None],
        }

    def _context_residual(self, length: int) -> Float[Tensor, "d contexts"]:
        """y after attention, at the last position of every context, ordered as by attention."""
        if length > self.length:
            raise ValueError(
                f"the loss is over contexts of length {length}, the model was built for at most "
                f"{self.length}; build it with length={length}"
            )
        symbols = torch.arange(2, dtype=self.embedding.dtype, device=self.embedding.device)
        u = symbols[:, None] * self.embedding + self.positions[:length, None]
        scores = torch.einsum("nsd,itd->nsit", u @ self.query.T, u @ self.key.T)
        values = u @ self.value.T @ self.output.T
        return attention_over_contexts(scores / math.sqrt(self.width), values, u)

    def context_logits(self, length: int) -> Float[Tensor, "contexts 2"]:
        """Logits after every context of lengths 1..length, each length lexicographic.

        Equal to `forward` on all sequences, at the cost of one feed-forward per context.
        """
        y = self._context_residual(length)
        readout = getattr(self, self.readout_name)
        # sum_j v_j relu(h_j) = <y, sum_j [h_j > 0] v_j W_1j>: between kinks the pattern of open
        # units is constant, so no derivative of any order needs an array of hidden x contexts
        opened = (self.hidden_in.detach() @ y.detach() > 0).to(y.dtype)
        slope = ((self.hidden_out.T @ readout)[:, None] * self.hidden_in).T @ opened
        logit = (y * (readout[:, None] + slope)).sum(0) + self.bias
        logit = in_lexicographic_order(logit, self.states, length)
        return torch.stack([torch.zeros_like(logit), logit]).T

    def context_preactivations(self, length: int) -> Float[Tensor, "contexts r"]:
        """W_1 y after every context, for units whose outgoing weights W_2[:, j] do not vanish.

        The loss is differentiable where none of them is 0; a unit without outgoing weights does
        no harm at its kink and is left out.
        """
        live = self.hidden_out.detach().abs().amax(dim=0) > 0
        h = self.hidden_in[live] @ self._context_residual(length)
        return in_lexicographic_order(h, self.states, length).T

    def ansatz(self, e: float, w: float, b: float, alpha: Float[Tensor, " d"]) -> Params:
        """The rank-one ansatz at (e, w, b) along alpha, as `landscape.models.ansatz` writes it."""
        zeros = {name: torch.zeros_like(value) for name, value in self.named_parameters()}
        return zeros | {
            "embedding": e * alpha,
            "positions": (-e / 2 * alpha).repeat(self.length, 1),
            self.readout_name: e * alpha,
            "bias": torch.full_like(zeros["bias"], b),
            **rank_one_layer(w, alpha, self.hidden),
        }
