"""The text of a module of one's own: models that can be used, and every kind that cannot."""

PROGRAM = '''
import pathlib

import torch
from torch import nn

pathlib.Path("imported").touch()


class Bare(nn.Module):
    """Logits of the last symbol alone."""

    def __init__(self, states, width, dtype):
        super().__init__()
        self.inner = nn.Parameter(torch.randn(states, width, dtype=dtype))
        self.outer = nn.Parameter(torch.randn(width, states, dtype=dtype))

    def forward(self, tokens):
        one_hot = nn.functional.one_hot(tokens, len(self.inner)).to(self.inner.dtype)
        return torch.tanh(one_hot @ self.inner) @ self.outer


class Named(nn.Module):
    """The same with the names of its parts: its unigram point can be built."""

    embedding_name, readout_name, positions_name, bias_name = "embedding", "embedding", None, "bias"

    def __init__(self, states, width=2, dtype=torch.float64):
        super().__init__()
        self.embedding = nn.Parameter(0.02 * torch.randn(states, width, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(states, dtype=dtype))
        self.inner = nn.Parameter(0.1 * torch.randn(width, width, dtype=dtype))

    def represent(self, inputs):
        return inputs + torch.tanh(inputs @ self.inner)

    def forward(self, tokens):
        one_hot = nn.functional.one_hot(tokens, len(self.bias)).to(self.bias.dtype)
        return self.represent(one_hot @ self.embedding) @ self.embedding.T + self.bias


def everything(**settings):
    model = Named(settings["states"], settings["width"], settings["dtype"])
    model.settings = settings
    return model


class Numbered(Bare):
    def __init__(self, states, width, dtype, seed):
        super().__init__(states, width, dtype)
        self.seed = seed


def number(states):
    return 3


def broken(states):
    raise KeyError("the reason")


def demanding(colour):
    return Bare(2, 2, torch.float64)


class Ahead(Bare):
    def forward(self, tokens):
        return super().forward(tokens.flip(1))


class Drops(Bare):
    def forward(self, tokens):
        return nn.functional.dropout(super().forward(tokens))


class Counts(Bare):
    def __init__(self, states, width, dtype):
        super().__init__(states, width, dtype)
        self.register_buffer("seen", torch.ones((), dtype=dtype))

    def forward(self, tokens):
        self.seen.add_(1.0)
        return super().forward(tokens) * self.seen


class Normalised(Bare):
    def __init__(self, states, width, dtype):
        super().__init__(states, width, dtype)
        self.norm = nn.BatchNorm1d(states, dtype=dtype)

    def forward(self, tokens):
        return self.norm(super().forward(tokens).mT).mT


class Branches(Bare):
    def forward(self, tokens):
        return super().forward(tokens) * (1 if self.inner.sum().item() > 0 else 2)


class Single(Bare):
    def forward(self, tokens):
        return super().forward(tokens)[..., 0]


class Empty(nn.Module):
    def forward(self, tokens):
        return nn.functional.one_hot(tokens, 2).double()


class Failing(Bare):
    def forward(self, tokens):
        raise RuntimeError("no such thing")


instance = Bare(2, 2, torch.float64)
text = "a text"
'''
