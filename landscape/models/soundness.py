"""Whether a model's derivatives are those of a function in float64: what curvature asks of it."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from landscape.models.kernels import of_the_package
from landscape.models.parameters import Coordinates, call, in_float64, split
from landscape.numerics.derivative_checks import narrowing, wrong_derivative

SEQUENCES = 8
"""Sequences of tokens on which a model is looked at: a few, so that its relu kinks are few."""

Fault = tuple[str, str]
"""Why something cannot be had of a model, and a way out."""

_BATCHED = "torch.func.vmap over its parameters"


def cause(model: nn.Module, error: Exception) -> Fault:
    """What in a model torch could not transform, and a way out, from the error that it raised.

    >>> cause(nn.LSTM(1, 1), RuntimeError("Batching rule not implemented for aten::lstm.input"))[1]
    "write the recurrence as a loop over positions with nn.LSTMCell, or as in the tutorial 'Bring \
your own model'"
    """
    text = str(error)
    recurrent = next((m for m in model.modules() if isinstance(m, nn.RNNBase)), None)
    normed = next(
        (
            name
            for name, m in model.named_modules()
            if isinstance(m, nn.modules.batchnorm._NormBase) and m.track_running_stats
        ),
        None,
    )
    if recurrent is not None and "Batching rule" in text:
        kind = type(recurrent).__name__
        return (
            f"nn.{kind} runs on a kernel that cannot be batched ({_BATCHED})",
            f"write the recurrence as a loop over positions with nn.{kind}Cell, or as in the "
            "tutorial 'Bring your own model'",
        )
    if "saved tensor hooks" in text or "use_reentrant" in text:
        return (
            "it packs what the backward pass needs (torch.utils.checkpoint, or hooks on saved "
            "tensors), which computes again later, with other parameters than were given",
            "call the layers directly: checkpointing saves memory and changes no number",
        )
    if "setup_context" in text:
        return (
            "a torch.autograd.Function of it has no setup_context, without which torch.func "
            "transforms none",
            "write forward without ctx, add setup_context and generate_vmap_rule = True, and jvp "
            "for forward mode; or compute it by plain operations",
        )
    if "generate_vmap_rule" in text:
        return (
            f"a torch.autograd.Function of it has no rule for batches ({_BATCHED})",
            "set generate_vmap_rule = True in it, or compute it by plain operations",
        )
    if normed is not None and ("running_mean" in text or "in-place" in text):
        return (
            f"the BatchNorm {normed!r} edits its running statistics in train mode",
            "return the model in eval mode, or take LayerNorm",
        )
    if ".item()" in text or "data-dependent" in text or "dynamic shape" in text:
        return (
            "its forward decides by values (if, .item(), boolean masks as indices), and they are "
            f"those of several runs at once ({_BATCHED}): {text.splitlines()[0]}",
            "compute both branches and choose by torch.where; of experts, all of them, each "
            "weighted by its gate or by 0",
        )
    if "double backward" in text or "once_differentiable" in text or "derivative for" in text:
        return (
            f"an operation of it can be differentiated only once ({text.splitlines()[0]})",
            "compute it by plain operations",
        )
    first = text.splitlines()[0] if text else type(error).__name__
    return (
        f"torch answers {first!r}",
        "write it without branches on values, in-place edits or buffers that count",
    )


def looked_at(states: int, length: int) -> Tensor:
    """A few random sequences of tokens, the same ones every time."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(states, (SEQUENCES, length), generator=generator)


def unsound(
    model: nn.Module, params: Mapping[str, Tensor], states: int, length: int
) -> Fault | None:
    """Why a model's second derivatives would not be those of its function in float64, if so.

    Looked at is a random smooth function of its logits on a few sequences, of the parameters that
    are measured: whether it rounds to less precision than float64 inside, and whether its first and
    second derivatives are those of difference quotients nearby. This package's own models are
    taken to be sound: their tests hold them to more.

    >>> unsound(nn.Sequential(nn.Embedding(2, 2), nn.Linear(2, 2)).double(), {}, 2, 3) is None
    True
    """
    if of_the_package(model):
        return None
    params = in_float64(params or dict(model.named_parameters()))
    moving, held = split(model, params)
    axes = Coordinates.of(moving)
    vector = axes.vector(moving)
    tokens = looked_at(states, length).to(vector.device)
    weights = torch.randn(
        SEQUENCES, length, states, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    ).to(vector.device)

    def function(values: Tensor) -> Tensor:
        logits: Tensor = call(model, {**held, **axes.params(values)}, "forward", tokens)
        return (torch.log_softmax(logits, -1) * weights).sum(-1).mean()

    rounding = narrowing(function, vector)
    if rounding is not None:
        return (
            f"its forward rounds inside ({rounding}) also where the parameters are float64, which "
            "is what curvature is measured in",
            "compute in the dtype of its input there; training alone is possible as it is (in a "
            "scan with measure.points = [])",
        )
    try:
        wrong = wrong_derivative(function, vector)
    except (NotImplementedError, RuntimeError) as error:
        why, hint = cause(model, error)
        return f"it cannot be differentiated twice: {why}", hint
    if wrong is not None:
        return (
            f"its {wrong} derivatives are not those of its values, by difference quotients: an "
            "operation of it has another function's backward pass (detach, a straight-through "
            "estimator, torch.utils.checkpoint, a fused kernel)",
            "compute it by plain operations",
        )
    return None


def refuse_unsound(
    model: nn.Module, params: Mapping[str, Tensor], states: int | None, length: int
) -> None:
    """Refuse to measure curvature that would be another function's; see `unsound`.

    Raises:
        ValueError: with the reason. Where the number of states is not known nothing is looked at.
    """
    found = None if states is None else unsound(model, params, states, length)
    if found is not None:
        raise ValueError(
            f"model={type(model).__name__} has no curvature to measure: {'; '.join(found)}"
        )
