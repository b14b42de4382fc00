"""GPT, a pre-LayerNorm transformer of any depth, and the variants that the papers compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from landscape.models.ansatz import rank_one_layer
from landscape.models.block import Block, LayerNorm, Lookback, Shape, lookback
from landscape.models.initial import standard
from landscape.models.parameters import Params
from landscape.models.single_layer import LARGEST


class GPT(nn.Module):
    """A causal transformer of L blocks on {0, ..., S-1}, as GPT-2 unless told otherwise.

    With ``u_n = E[x_n] + p_n`` and y_n = u_n at first, every block (`landscape.models.block`)::

        y_n <- y_n + W_O attention(LN(y))_n + c_O
        y_n <- y_n + W_2 act(W_1 LN(y_n) + c_1) + c_2

    and at last ``z_n = LN(y_n)``, ``logits_n = A z_n + b`` (tied: A = E). The scores of a head are
    ``<q_n, k_i>/sqrt(d/H)``, plus a learned scalar of the distance n-i if positions are relative.

    Parameters: `embedding` E [S,d], `positions` p [N,d] (learned only), `readout` A [S,d] (untied
    only), `bias` b [S], `blocks.0.query`, ... , `final_norm.gain`, `final_norm.shift` [d].

    Args:
        states: number S of symbols.
        width: model width d.
        length: longest sequence N.
        layers: number L of blocks.
        heads: number H of attention heads, a divisor of d.
        hidden: hidden width r, by default 4d.
        tying: "tied" or "untied".
        layer_norm: whether LN normalises, with a gain (and a shift, if there are biases); without,
            it is the identity.
        activation: "gelu", by the error function, or "relu".
        biases: whether the linear maps have biases c and LN a shift; b is always there.
        positions: "learned", "relative" or "none".
        window: how many keys a query sees at most, itself one of them; None sees all before it.
        attention: whether the blocks attend.
        feedforward: whether the blocks have hidden units.
        dtype: torch.float64 or torch.float32.
        seed: seed of the standard initialisation the model starts from.

    Raises:
        ValueError: for a size out of range or absurdly large, heads that do not divide the width,
            an unknown choice or dtype, and a window or relative positions without attention.

    Source: Radford et al., *Language Models are Unsupervised Multitask Learners* (GPT-2), and
    *Attention with Markov* (arXiv 2402.04161), whose experiments are run on it.

    >>> model = GPT(states=3, width=4, length=7, layers=2, heads=2)
    >>> model(torch.zeros(2, 7, dtype=torch.long)).shape
    torch.Size([2, 7, 3])
    """

    embedding_name = "embedding"
    bias_name = "bias"

    def __init__(
        self,
        *,
        states: int = 2,
        width: int,
        length: int,
        layers: int = 1,
        heads: int = 1,
        hidden: int | None = None,
        tying: str = "tied",
        layer_norm: bool = True,
        activation: str = "gelu",
        biases: bool = True,
        positions: str = "learned",
        window: int | None = None,
        attention: bool = True,
        feedforward: bool = True,
        dtype: torch.dtype = torch.float64,
        seed: int = 0,
    ) -> None:
        super().__init__()
        hidden = 4 * width if hidden is None else hidden
        check_sizes(
            {
                "states": states,
                "width": width,
                "length": length,
                "layers": layers,
                "heads": heads,
                "hidden": hidden,
            }
        )
        check_choices(tying=tying, activation=activation, positions=positions)
        check_attention(attention, window, positions)
        if dtype not in (torch.float32, torch.float64):
            raise ValueError(f"dtype={dtype} is not supported; give torch.float64 or torch.float32")
        self.states, self.width, self.length, self.hidden = states, width, length, hidden
        self.layers, self.heads, self.tying, self.window = layers, heads, tying, window
        self.positions_name = "positions" if positions == "learned" else None
        self.attention = attention
        self.smooth = activation == "gelu" or not feedforward

        def zeros(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(*shape, dtype=dtype))

        self.embedding = zeros(states, width)
        self.positions = zeros(length, width) if positions == "learned" else None
        self.readout = zeros(states, width) if tying == "untied" else None
        self.bias = zeros(states)
        reach = length if positions == "relative" else 0
        shape = Shape(
            width, heads, hidden, layer_norm, activation, biases, attention, feedforward, reach
        )
        self.blocks = nn.ModuleList(Block(shape, dtype) for _ in range(layers))
        self.final_norm: nn.Module = nn.Identity()
        if layer_norm:
            self.final_norm = LayerNorm(width, shift=biases, dtype=dtype)

        with torch.no_grad():
            for name, value in standard(self, seed).items():
                self.get_parameter(name).copy_(value)

    @property
    def readout_name(self) -> str:
        """Name of the parameter that reads z out: `embedding` when tied."""
        return "embedding" if self.tying == "tied" else "readout"

    @property
    def linear_weights(self) -> tuple[str, ...]:
        """The matrices, to which weight decay applies: those of the blocks and a readout of z."""
        inner = tuple(
            f"blocks.{layer}.{name}"
            for layer, block in enumerate(self._stack())
            for name in block.matrices
        )
        return inner if self.tying == "tied" else (*inner, "readout")

    def _stack(self) -> Iterator[Block]:
        return iter(cast("list[Block]", self.blocks))

    def _seen(self, inputs: Tensor) -> Lookback:
        return lookback(inputs.shape[-2], self.window, inputs)

    def _inputs(self, tokens: Int[Tensor, "B N"]) -> Float[Tensor, "B N d"]:
        """u_n = E[x_n] + p_n."""
        n = tokens.shape[1]
        if n > self.length:
            raise ValueError(
                f"tokens have length {n}, the model was built for at most {self.length}; "
                f"build it with length={n}"
            )
        # a product with the one-hot symbols: its backward pass is another one, where that of a
        # lookup adds row by row, in an order that an accelerator does not repeat
        symbols = torch.arange(self.states, device=tokens.device)
        u = (tokens[..., None] == symbols).to(self.embedding.dtype) @ self.embedding
        return u if self.positions is None else u + self.positions[:n]

    def represent(self, inputs: Float[Tensor, "B N d"]) -> Float[Tensor, "B N d"]:
        """Final representations z_1..z_N of input vectors u_1..u_N, attention written out."""
        seen, stream = self._seen(inputs), inputs
        for block in self._stack():
            stream = block(stream, seen)
        z: Tensor = self.final_norm(stream)
        return z

    def forward(self, tokens: Int[Tensor, "B N"]) -> Float[Tensor, "B N S"]:
        """Logits of the next symbol at every position."""
        readout: Tensor = getattr(self, self.readout_name)
        return self.represent(self._inputs(tokens)) @ readout.T + self.bias

    def observe(self, tokens: Int[Tensor, "B N"]) -> dict[str, Tensor]:
        """What attention does at every position of every layer.

        `attention` [B,L,H,N,N] is its weights, `attended` [B,L,N] the Euclidean norm of what it
        adds to the stream and `stream` [B,L,N] that of the stream it is added to. Empty without
        attention.
        """
        if not self.attention:
            return {}
        stream = self._inputs(tokens)
        seen, rows = self._seen(stream), []
        for block in self._stack():
            added, weights = block.attend(stream, seen)
            rows.append((weights, added.norm(dim=-1), stream.norm(dim=-1)))
            stream = block.feed(stream + added)
        names = ("attention", "attended", "stream")
        return {
            name: torch.stack(layers, dim=1)
            for name, layers in zip(names, zip(*rows, strict=True), strict=True)
        }

    def context_preactivations(self, length: int) -> Float[Tensor, "contexts units"]:
        """What every relu acts on, after every context of lengths 1..length, lexicographic.

        Of all blocks, the units whose outgoing weights W_2[:, j] do not vanish. None where nothing
        has a kink: with GELU, and without feed-forward.
        """
        symbols = torch.arange(self.states, device=self.embedding.device)
        tokens = torch.cartesian_prod(*[symbols] * length).reshape(-1, length)
        stream = self._inputs(tokens)
        seen = self._seen(stream)
        units = [stream[..., :0]]
        for block in self._stack():
            if self.smooth:
                break
            if self.attention:
                stream = stream + block.attend(stream, seen)[0]
            before = block.preactivations(stream)
            stream = stream + block.respond(before)
            units.append(before[..., block.hidden_out.detach().abs().amax(dim=0) > 0])
        found = torch.cat(units, dim=-1)
        # those after a context of length n, at the first sequence that starts with it
        steps = [self.states ** (length - n) for n in range(1, length + 1)]
        return torch.cat([found[::step, n] for n, step in enumerate(steps)])

    def ansatz(self, e: float, w: float, b: float, alpha: Float[Tensor, " d"]) -> Params:
        """The rank-one ansatz at (e, w, b) along alpha, as `landscape.models.ansatz` writes it.

        Raises:
            ValueError: for other than two symbols, LayerNorm, GELU or no feed-forward layer.
        """
        params = {name: torch.zeros_like(value) for name, value in self.named_parameters()}
        if self.states != 2 or self.smooth or isinstance(self.final_norm, LayerNorm):
            raise ValueError(
                f"the rank-one ansatz needs a GPT with states=2 (it has {self.states}), "
                f"activation='relu', layer_norm=False and feedforward=True; build it so, or take "
                f"another initialisation"
            )
        params["embedding"] = torch.stack([-e / 2 * alpha, e / 2 * alpha])
        params[self.readout_name] = params["embedding"].clone()
        params["bias"] = alpha.new_tensor([0.0, b])
        first = {f"blocks.0.{k}": v for k, v in rank_one_layer(w, alpha, self.hidden).items()}
        return params | {name: value for name, value in first.items() if name in params}


CHOICES = {
    "tying": ("tied", "untied"),
    "activation": ("gelu", "relu"),
    "positions": ("learned", "relative", "none"),
}


def check_choices(**given: str) -> None:
    """Refuse a name that is not among those of its choice.

    >>> check_choices(tying="tied", positions="none")
    """
    for name, value in given.items():
        if value not in CHOICES[name]:
            *others, last = map(repr, CHOICES[name])
            raise ValueError(f"{name}={value!r} is unknown; give {', '.join(others)} or {last}")


def check_attention(attention: bool, window: int | None, positions: str) -> None:
    """Refuse an empty window, and what only attention has where there is none."""
    if window is not None and window < 1:
        raise ValueError(
            f"window={window} is out of range; give an integer of at least 1, or None for all keys"
        )
    if not attention and (window is not None or positions == "relative"):
        what = f"positions={positions!r}" if window is None else f"window={window}"
        raise ValueError(f"{what} belongs to attention; leave it out, or give attention=True")


def check_sizes(sizes: Mapping[str, int]) -> None:
    """Refuse sizes that make no model, and those that make one beyond all measure."""
    for name, size in sizes.items():
        least = 2 if name == "states" else 1
        if size < least:
            raise ValueError(f"{name}={size} is out of range; give an integer of at least {least}")
    d, heads = sizes["width"], sizes["heads"]
    if d % heads:
        raise ValueError(f"heads={heads} does not divide width={d}; give a divisor of the width")
    per_layer = 4 * d**2 + 2 * sizes["hidden"] * d + heads * sizes["length"]
    count = (2 * sizes["states"] + sizes["length"]) * d + sizes["layers"] * per_layer
    if count > LARGEST:
        given = ", ".join(f"{name}={size}" for name, size in sizes.items() if name != "heads")
        raise ValueError(
            f"{given} make {count:.3g} parameters; give sizes that make at most {LARGEST:.3g}"
        )
