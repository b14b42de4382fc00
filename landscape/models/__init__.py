"""Models of the papers, each a plain `torch.nn.Module` from tokens [B,N] to logits [B,N,S]."""

from landscape.models.gpt import GPT
from landscape.models.protocols import Readable
from landscape.models.reduced import ReducedModel
from landscape.models.single_layer import SingleLayer

__all__ = ["GPT", "Readable", "ReducedModel", "SingleLayer"]
