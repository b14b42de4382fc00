"""Networks as people of the field write them, small: from tokens [B, N] to logits [B, N, S].

Nothing of `landscape` is used. They are built in float32, as most are.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Sizes = dict[str, int]


def causal(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool).tril()


class Ends(nn.Module):
    """An embedding, a readout, and a network between them."""

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__()
        self.emb = nn.Embedding(states, width)
        self.head = nn.Linear(width, states)
        self.width, self.length = width, length

    def between(self, x: Tensor) -> Tensor:
        return x

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.head(self.between(self.emb(tokens)))
        return logits


# --- attention ----------------------------------------------------------------------------------


class Attends(Ends):
    """Causal attention of one head, written out, on the stream."""

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__(states, width, length)
        self.qkv = nn.Linear(width, 3 * width)

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        return q @ k.mT / math.sqrt(q.shape[-1])

    def between(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = self.scores(q, k).masked_fill(~causal(x.shape[1]), -math.inf)
        found: Tensor = x + self.weights(scores) @ v
        return found

    def weights(self, scores: Tensor) -> Tensor:
        return scores.softmax(-1)


class GPT2(nn.Module):
    """A block of GPT-2 on the fused kernel, the head tied to the token embedding."""

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__()
        self.wte = nn.Embedding(states, width)
        self.wpe = nn.Embedding(length, width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.head = nn.Linear(width, states, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, tokens: Tensor) -> Tensor:
        batch, length = tokens.shape
        x = self.wte(tokens) + self.wpe(torch.arange(length))
        parts = self.qkv(x).split(x.shape[-1], dim=-1)
        q, k, v = (part.view(batch, length, 1, -1).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        logits: Tensor = self.head(x + self.out(y.transpose(1, 2).reshape(batch, length, -1)))
        return logits


class TiedGPT2(nn.Module):
    """The same with a LayerNorm, its attention written out, the mask a buffer."""

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__()
        self.wte = nn.Embedding(states, width)
        self.wpe = nn.Embedding(length, width)
        self.ln1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.head = nn.Linear(width, states, bias=False)
        self.head.weight = self.wte.weight
        self.register_buffer("mask", torch.tril(torch.ones(length, length)))

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        x = self.wte(tokens) + self.wpe(torch.arange(length))
        q, k, v = self.qkv(self.ln1(x)).chunk(3, -1)
        mask = self.get_buffer("mask")[:length, :length]
        scores = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(mask == 0, -math.inf)
        logits: Tensor = self.head(x + self.out(scores.softmax(-1) @ v))
        return logits


class Heads(Ends):
    """nn.MultiheadAttention with a causal mask."""

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__(states, width, length)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)

    def between(self, x: Tensor) -> Tensor:
        mask = ~causal(x.shape[1])
        found, _ = self.attention(x, x, x, attn_mask=mask, need_weights=False, is_causal=True)
        attended: Tensor = x + found
        return attended


def heads_in_eval_mode(states: int, width: int, length: int) -> nn.Module:
    """The same in eval mode, where torch has a fast path without derivatives."""
    return Heads(states, width, length).eval()


class Encoder(Ends):
    """nn.TransformerEncoder with a causal mask, without dropout."""

    dropout = 0.0

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__(states, width, length)
        layer = nn.TransformerEncoderLayer(
            width, 2, 2 * width, self.dropout, activation="gelu", batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def between(self, x: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        found: Tensor = self.encoder(x, mask=mask, is_causal=True)
        return found


class DroppingEncoder(Encoder):
    """With the dropout that it has by default."""

    dropout = 0.1


def encoder_in_eval_mode(states: int, width: int, length: int) -> nn.Module:
    """The last in eval mode, as a checkpoint is looked at."""
    return DroppingEncoder(states, width, length).eval()


def angles(width: int, length: int) -> Tensor:
    rates = 100.0 ** -(torch.arange(0, width, 2).float() / width)
    return torch.outer(torch.arange(length).float(), rates)


class ComplexRope(nn.Module):
    """Rotary positions as in LLaMA's code: a complex buffer that is not saved."""

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__()
        self.wte = nn.Embedding(states, width)
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width, bias=False)
        self.head = nn.Linear(width, states)
        turned = angles(width, length)
        turns = torch.polar(torch.ones_like(turned), turned)
        self.register_buffer("freqs_cis", turns, persistent=False)

    def turn(self, x: Tensor) -> Tensor:
        pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
        turned = pairs * self.get_buffer("freqs_cis")[: x.shape[1]]
        return torch.view_as_real(turned).flatten(-2)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.wte(tokens)
        scores = self.turn(self.q(x)) @ self.turn(self.k(x)).mT / x.shape[-1] ** 0.5
        weights = scores.masked_fill(~causal(tokens.shape[1]), -math.inf).softmax(-1)
        logits: Tensor = self.head(x + weights @ self.v(x))
        return logits


class RMSNorm(nn.Module):
    """LLaMA's norm; `up` is its cast to float32."""

    def __init__(self, width: int, up: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.up = up

    def forward(self, x: Tensor) -> Tensor:
        h = x.float() if self.up else x
        h = h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-6)
        return h.type_as(x) * self.weight


class Llama(Ends):
    """A block of LLaMA: RMSNorm, rotary positions by real numbers, fused attention, SwiGLU."""

    up = False

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__(states, width, length)
        self.first, self.second = RMSNorm(width, self.up), RMSNorm(width, self.up)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.gate = nn.Linear(width, 2 * width, bias=False)
        self.up_projection = nn.Linear(width, 2 * width, bias=False)
        self.down = nn.Linear(2 * width, width, bias=False)
        turned = angles(width, length).repeat(1, 2)
        self.register_buffer("cos", turned.cos())
        self.register_buffer("sin", turned.sin())

    def turn(self, x: Tensor) -> Tensor:
        low, high = x.chunk(2, -1)
        length = x.shape[1]
        cos, sin = self.get_buffer("cos")[:length], self.get_buffer("sin")[:length]
        return x * cos + torch.cat([-high, low], -1) * sin

    def between(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.first(x)).chunk(3, -1)
        q, k, v = (part[:, None] for part in (self.turn(q), self.turn(k), v))
        x = x + F.scaled_dot_product_attention(q, k, v, is_causal=True)[:, 0]
        h = self.second(x)
        found: Tensor = x + self.down(F.silu(self.gate(h)) * self.up_projection(h))
        return found


class Llama32(Llama):
    """The same with the cast to float32 in its norms."""

    up = True


class Alibi(Attends):
    """Attention whose scores fall linearly with the distance."""

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        places = torch.arange(q.shape[1])
        return super().scores(q, k) - 0.5 * (places[:, None] - places)


class Softmax32(Attends):
    """Attention whose softmax is computed in float32."""

    def weights(self, scores: Tensor) -> Tensor:
        return scores.softmax(-1, dtype=torch.float32).to(scores.dtype)


class Brain16(Attends):
    """Attention whose weights are rounded to bfloat16."""

    def weights(self, scores: Tensor) -> Tensor:
        return scores.softmax(-1).to(torch.bfloat16).to(scores.dtype)


class LinearAttention(Attends):
    """Attention with elu + 1 for its kernel, as a sum over what came before."""

    def between(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        q, k = F.elu(q) + 1, F.elu(k) + 1
        sums = (k[..., None] * v[..., None, :]).cumsum(1)
        found: Tensor = x + (q[..., None, :] @ sums)[..., 0, :] / (q * k.cumsum(1)).sum(
            -1, keepdim=True
        )
        return found


# --- recurrent networks -------------------------------------------------------------------------


class Gru(Ends):
    """nn.GRUCell in a loop."""

    def __init__(self, states: int, width: int, length: int) -> None:
        nn.Module.__init__(self)
        self.emb = nn.Embedding(states, width)
        self.cell = nn.GRUCell(width, width)
        self.head = nn.Linear(width, states)
        self.width = width

    def between(self, x: Tensor) -> Tensor:
        h, found = x.new_zeros(x.shape[0], self.width), []
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)
            found.append(h)
        return torch.stack(found, 1)


class TorchLSTM(Ends):
    """nn.LSTM."""

    kind: Any = nn.LSTM

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__(states, width, length)
        self.rnn = self.kind(width, width, batch_first=True)

    def between(self, x: Tensor) -> Tensor:
        found: Tensor = self.rnn(x)[0]
        return found


class TorchGRU(TorchLSTM):
    """nn.GRU."""

    kind = nn.GRU


class SelectiveScan(Ends):
    """A state-space layer with selection, as in Mamba."""

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__(states, width, length)
        n = self.n = 2
        self.conv = nn.Conv1d(width, width, 3, groups=width, padding=2)
        self.A_log = nn.Parameter(torch.log(torch.arange(1, n + 1.0).repeat(width, 1)))
        self.D = nn.Parameter(torch.ones(width))
        self.proj = nn.Linear(width, 2 * n + 1)
        self.dt = nn.Parameter(torch.zeros(width))
        self.gate = nn.Linear(width, width)

    def between(self, x: Tensor) -> Tensor:
        stream, length = x, x.shape[1]
        x = F.silu(self.conv(x.mT)[..., :length].mT)
        dt, B, C = self.proj(x).split([1, self.n, self.n], -1)
        dt, A = F.softplus(dt + self.dt), -torch.exp(self.A_log)
        h, found = x.new_zeros(x.shape[0], self.width, self.n), []
        for t in range(length):
            step = dt[:, t, :, None]
            h = torch.exp(step * A) * h + step * B[:, t, None] * x[:, t, :, None]
            found.append((h * C[:, t, None]).sum(-1))
        y = torch.stack(found, 1) + self.D * x
        return stream + y * F.silu(self.gate(stream))


# --- mixtures of experts ------------------------------------------------------------------------


class MaskedExperts(Ends):
    """The best of two experts, to which the tokens are sent by a mask."""

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__(states, width, length)
        self.gate = nn.Linear(width, 2)
        self.experts = nn.ModuleList(nn.Linear(width, width) for _ in range(2))

    def between(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        share, chosen = self.gate(rows).softmax(-1).max(-1)
        found = torch.zeros_like(rows)
        for e, expert in enumerate(self.experts):
            mine = chosen == e
            if mine.any():
                found[mine] = expert(rows[mine]) * share[mine, None]
        return (rows + found).reshape(x.shape)


class DenseExperts(MaskedExperts):
    """The same network with every expert computed, and one chosen by its weight."""

    def between(self, x: Tensor) -> Tensor:
        share, chosen = self.gate(x).softmax(-1).max(-1)
        weights = F.one_hot(chosen, 2).to(x.dtype) * share[..., None]
        found: Tensor = x + sum(weights[..., e, None] * f(x) for e, f in enumerate(self.experts))
        return found


class CrowdedExpert(MaskedExperts):
    """An expert that drops what is beyond three quarters of the tokens of the batch."""

    def between(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        chosen = F.one_hot(self.gate(rows).argmax(-1), 2)
        place = (chosen.cumsum(0) * chosen).sum(-1)
        kept = place <= max(4, len(rows) * 3 // 4)
        served: Tensor = self.experts[0](rows) * kept[:, None]
        return (rows + served).reshape(x.shape)


class ExpertChoice(MaskedExperts):
    """Each expert takes its best half of the positions of a sequence."""

    def between(self, x: Tensor) -> Tensor:
        gate = self.gate(x).softmax(-1)
        value, place = gate.topk(max(1, x.shape[1] // 2), dim=1)
        weights = torch.zeros_like(gate).scatter(1, place, value)
        found: Tensor = x + sum(weights[..., e, None] * f(x) for e, f in enumerate(self.experts))
        return found


# --- norms --------------------------------------------------------------------------------------


class BatchNormed(Ends):
    """BatchNorm in train mode, which keeps running statistics."""

    tracked = True

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__(states, width, length)
        self.norm = nn.BatchNorm1d(width, track_running_stats=self.tracked)

    def between(self, x: Tensor) -> Tensor:
        found: Tensor = self.norm(x.mT).mT
        return found


class BatchNormedOnly(BatchNormed):
    """BatchNorm by the statistics of the batch, whatever the mode."""

    tracked = False


def batch_norm_in_eval_mode(states: int, width: int, length: int) -> nn.Module:
    """By its running statistics."""
    model = BatchNormed(states, width, length)
    model.norm.running_mean, model.norm.running_var = torch.ones(width), torch.ones(width) / 2
    return model.eval()


class WeightNormed(Ends):
    """A layer in weight normalisation."""

    norm: Any = staticmethod(nn.utils.parametrizations.weight_norm)

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__(states, width, length)
        self.mid = self.norm(nn.Linear(width, width))

    def between(self, x: Tensor) -> Tensor:
        return F.gelu(self.mid(x))


class Universal(Ends):
    """One block twice, under two names, and the head tied to the embedding."""

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__(states, width, length)
        self.block = nn.Linear(width, width)
        self.blocks = nn.ModuleList([self.block, self.block])
        self.head.weight = self.emb.weight

    def between(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = x + block(x).tanh()
        return x


class SpectralNormed(WeightNormed):
    """A layer over its largest singular value, which train mode improves from call to call."""

    norm = staticmethod(nn.utils.parametrizations.spectral_norm)


def spectral_norm_in_eval_mode(states: int, width: int, length: int) -> nn.Module:
    """With the vectors that it has found."""
    return SpectralNormed(states, width, length).eval()


# --- functions of one's own ---------------------------------------------------------------------


class _OldSquare(torch.autograd.Function):
    """x^2, as functions were written before torch.func."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        found: Tensor = 2 * x * g
        return found


class _Square(torch.autograd.Function):
    """x^2 without a forward mode."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x * x

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        found: Tensor = 2 * x * g
        return found


class OldFunction(Ends):
    """An autograd.Function without setup_context."""

    square: Any = _OldSquare

    def between(self, x: Tensor) -> Tensor:
        found: Tensor = self.square.apply(x)
        return found


class NoForwardMode(OldFunction):
    """An autograd.Function without jvp."""

    square = _Square


class StraightThrough(Ends):
    """A sign in the forward pass, the identity in the backward pass."""

    def between(self, x: Tensor) -> Tensor:
        return x + (x.sign() - x).detach()


class Checkpointed(Ends):
    """A layer whose intermediates are computed again in the backward pass."""

    reentrant = False

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__(states, width, length)
        self.mid = nn.Linear(width, width)

    def between(self, x: Tensor) -> Tensor:
        from torch.utils.checkpoint import checkpoint

        found: Tensor = checkpoint(lambda y: self.mid(y).tanh(), x, use_reentrant=self.reentrant)
        return found


class CheckpointedReentrant(Checkpointed):
    """The older way of it."""

    reentrant = True


# --- what looks ahead, or cannot be measured ----------------------------------------------------


class AheadAfterOnes(Ends):
    """Sees the next symbol only after `run` ones."""

    run = 1

    def between(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.emb(tokens)
        after = torch.cat([x[:, 1:], x[:, -1:]], 1)
        ones = F.pad((tokens == 1).int(), (self.run - 1, 0)).unfold(1, self.run, 1).all(-1)
        logits: Tensor = self.head(torch.where(ones[..., None], x + after, x))
        return logits


class AheadAfterManyOnes(AheadAfterOnes):
    """After seven of them."""

    run = 7


class AheadInBlocks(Attends):
    """Attention inside blocks of two symbols, both ways."""

    def between(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        block = torch.arange(x.shape[1]) // 2
        scores = (q @ k.mT).masked_fill(block[:, None] < block, -math.inf)
        found: Tensor = x + scores.softmax(-1) @ v
        return found


class AheadWhenTrained(Attends):
    """Attention without a mask, whose output starts at 0: it shows only once it has moved."""

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__(states, width, length)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)

    def between(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        found: Tensor = x + self.out((q @ k.mT).softmax(-1) @ v)
        return found


class Tuple(Ends):
    """Logits beside a loss, as nanoGPT returns them."""

    def forward(self, tokens: Tensor) -> Any:
        return super().forward(tokens), None


class Frozen(nn.Module):
    """Only the head is trained."""

    def __init__(self, states: int, width: int) -> None:
        super().__init__()
        self.emb = nn.Embedding(states, width)
        self.emb.weight.requires_grad_(False)
        self.head = nn.Linear(width, states)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.head(self.emb(tokens))
        return logits


class MaxNormed(Ends):
    """An embedding that is cut to a norm in place."""

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__(states, width, length)
        self.emb = nn.Embedding(states, width, max_norm=0.5)


class PlainTensor(Ends):
    """A constant that is no buffer, and so stays in float32."""

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__(states, width, length)
        self.mix = torch.eye(width)

    def between(self, x: Tensor) -> Tensor:
        return x @ self.mix


class AllFrozen(Ends):
    """Nothing is trained."""

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__(states, width, length)
        self.requires_grad_(False)


class ComplexWeights(Ends):
    """A diagonal of complex numbers."""

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__(states, width, length)
        self.turns = nn.Parameter(torch.polar(torch.ones(width), torch.arange(width).float()))

    def between(self, x: Tensor) -> Tensor:
        return (x * self.turns).real


class WrittenInto(Ends):
    """Its states are gathered in a tensor of the default dtype, which rounds them."""

    def between(self, x: Tensor) -> Tensor:
        found = torch.zeros(*x.shape, *x.shape[:0])
        for t in range(x.shape[1]):
            found[:, t] = x[:, t].tanh()
        return found.to(x.dtype)


class Numb(Ends):
    """Rounds through numbers that leave the graph for a moment."""

    def between(self, x: Tensor) -> Tensor:
        return x + (x.detach().float().sin().double() - x.detach().sin()).to(x.dtype) + x.sin()


class QKNormed(nn.Module):
    """Attention with queries and keys divided by their norms, tied; `Readable`."""

    embedding_name, readout_name, positions_name, bias_name = "wte", "wte", None, "bias"

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__()
        self.wte = nn.Parameter(0.3 * torch.randn(states, width))
        self.bias = nn.Parameter(torch.zeros(states))
        self.q = nn.Parameter(0.5 * torch.randn(width, width))
        self.k = nn.Parameter(0.5 * torch.randn(width, width))
        self.v = nn.Parameter(0.5 * torch.randn(width, width))

    def norm(self, x: Tensor) -> Tensor:
        found: Tensor = x / x.norm(dim=-1, keepdim=True)
        return found

    def represent(self, inputs: Tensor) -> Tensor:
        q, k = self.norm(inputs @ self.q), self.norm(inputs @ self.k)
        scores = (q @ k.mT).masked_fill(~causal(inputs.shape[1]), -math.inf)
        return inputs + scores.softmax(-1) @ (inputs @ self.v)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.represent(self.wte[tokens]) @ self.wte.T + self.bias


class SafeQKNormed(QKNormed):
    """With an eps in the norm."""

    def norm(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=-1)


class RootedQKNormed(QKNormed):
    """With an eps beside the root, whose slope at 0 is infinite."""

    def norm(self, x: Tensor) -> Tensor:
        return x / (x.pow(2).sum(-1, keepdim=True).sqrt() + 1e-6)


class Residual(nn.Module):
    """A residual MLP between RMSNorms, as in LLaMA, tied or not; `Readable`."""

    embedding_name, readout_name, bias_name = "wte", "wte", "bias"
    positions_name: str | None = None
    up = False

    def __init__(self, states: int, width: int) -> None:
        super().__init__()
        self.wte = nn.Parameter(0.3 * torch.randn(states, width))
        self.bias = nn.Parameter(torch.zeros(states))
        self.norm = RMSNorm(width, self.up)
        self.up_projection = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def represent(self, inputs: Tensor) -> Tensor:
        found: Tensor = inputs + self.down(F.silu(self.up_projection(self.norm(inputs))))
        return found

    def forward(self, tokens: Tensor) -> Tensor:
        return self.represent(self.wte[tokens]) @ self.wte.T + self.bias


class Residual32(Residual):
    """The same with the cast to float32 in its norm."""

    up = True


class FrozenReader(Residual):
    """With a frozen embedding: its unigram point is not one that training can reach."""

    def __init__(self, states: int, width: int) -> None:
        super().__init__(states, width)
        self.wte.requires_grad_(False)


class RandomFeatures(Ends):
    """Whose features are constants drawn with it."""

    def __init__(self, states: int, width: int, length: int) -> None:
        super().__init__(states, width, length)
        self.emb.weight.requires_grad_(False)


class Remembered(nn.Module):
    """That keeps what it computed from its weights at the first call, as caches do."""

    def __init__(self, states: int, width: int) -> None:
        super().__init__()
        self.emb, self.lin = nn.Embedding(states, width), nn.Linear(width, states)
        self.kept: Tensor | None = None

    def forward(self, tokens: Tensor) -> Tensor:
        if self.kept is None:
            self.kept = torch.tanh(self.lin.weight)
        return F.linear(self.emb(tokens), self.kept, self.lin.bias)


class PlainList(nn.Module):
    """With a layer in a plain list, which torch does not look into."""

    def __init__(self, states: int, width: int) -> None:
        super().__init__()
        self.emb, self.head = nn.Embedding(states, width), nn.Linear(width, states)
        self.layers = [nn.Linear(width, width).double()]

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.layers[0](self.emb(tokens).double())
        found: Tensor = self.head(hidden.to(self.head.weight.dtype))
        return found


class TiedInMemory(nn.Module):
    """With two parameters in one memory."""

    def __init__(self, states: int, width: int) -> None:
        super().__init__()
        self.emb, self.head = nn.Embedding(states, width), nn.Linear(width, states)
        self.head.weight = nn.Parameter(self.emb.weight.data)

    def forward(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.head(self.emb(tokens))
        return found


class Leaving(PlainList):
    """That ends the program."""

    def forward(self, tokens: Tensor) -> Tensor:
        raise SystemExit(0)


class WithNothing(nn.Module):
    """With a parameter of no entries."""

    def __init__(self, states: int, width: int) -> None:
        super().__init__()
        self.emb, self.head = nn.Embedding(states, width), nn.Linear(width, states)
        self.none = nn.Parameter(torch.zeros(0))

    def forward(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.head(self.emb(tokens)) + self.none.sum()
        return found
