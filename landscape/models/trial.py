"""The trial of a model of one's own: on a copy, before anything is trained, what commands will do.

Each function holds it to one property, and answers why it fails and a way out, or None.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.func import vmap

from landscape.models.parameters import Params, call, in_float64, split, to_dtype, trainable
from landscape.models.soundness import Fault, cause, looked_at, unsound
from landscape.numerics.derivative_checks import ancestors

ROUNDINGS = 2**12
"""How many eps of a logit, or of 1, may depend on how the sequences beside it are computed."""

NEARBY = 0.3
"""Deviation of the second weights that a model is tried at: what starts at 0 hides what it does."""

ENUMERATED = 2**22
"""Most logits of all sequences: up to here causality is looked at in every context there is."""

SCORES = 2**24
"""Attention scores of the sequences that are looked at instead, where they are too many."""

TOGETHER = 2**15
"""Symbols that are computed at once."""


@dataclass(frozen=True)
class Subject:
    """A copy of the model in float64, its sizes, and the weights that it is tried at."""

    model: nn.Module
    states: int
    length: int
    points: tuple[Params, ...]
    fresh: nn.Module  # another copy, which has not computed anything yet
    eps: float = float(torch.finfo(torch.float64).eps)

    def logits(self, params: Mapping[str, Tensor], tokens: Int[Tensor, "B N"]) -> Tensor:
        """The logits at some weights, few sequences at a time."""
        rows = max(1, TOGETHER // self.length)
        with torch.no_grad():
            parts = [call(self.model, params, "forward", part) for part in tokens.split(rows)]
        return torch.cat(parts)

    def differ(self, one: Tensor, other: Tensor) -> Tensor:
        """Where two tables of the same logits [..., S] differ by more than rounding."""
        size = torch.maximum(one.abs(), other.abs()).amax(-1).clamp(min=1)
        return ((one - other).abs().amax(-1) > ROUNDINGS * self.eps * size).nan_to_num()


def trial(model: nn.Module, states: int, length: int, *, curvature: bool = True) -> Fault | None:
    """Why a model cannot be used and a way out, or None; it is tried on a copy and not changed.

    A model is used if it is causal, gives a sequence the same logits whatever is beside it, is a
    function of its parameters alone, and is computed for several runs at once. To have its
    curvature measured it must be twice differentiable in float64 besides.

    Args:
        model: from tokens [B, N] to logits [B, N, S].
        states: the number S of symbols.
        length: N.
        curvature: whether it will be measured, and not only trained.

    >>> trial(nn.Sequential(nn.Embedding(2, 4), nn.Linear(4, 2)), states=2, length=3) is None
    True
    """
    found = _parameters(model)
    if found is not None:
        return found
    try:
        copied = to_dtype(copy.deepcopy(model), torch.float64)
        fresh = copy.deepcopy(copied)
    except Exception as error:  # whatever code of one's own raises
        return _uncopied(error)
    subject = Subject(copied, states, length, tuple(_points(copied)), fresh)
    found = _logits(subject) or _repeats(subject) or _reads_parameters(subject)
    if found is not None:
        return found
    own = {name: value.detach() for name, value in trainable(copied)}
    rough = unsound(copied, own, states, length)
    if rough is not None and "rounds inside" in rough[0]:
        eps = float(torch.finfo(torch.float32).eps)
        subject = replace(subject, eps=eps)
    found = _alone(subject) or _causal(subject) or _checkpoints(subject) or _several_runs(subject)
    return found or (rough if curvature else None)


def _parameters(model: nn.Module) -> Fault | None:
    if next(model.parameters(), None) is None:
        return "it has no parameters", "register them as torch.nn.Parameter"
    try:
        split(model, dict(model.named_parameters()))
        dict(trainable(model))
    except ValueError as error:  # all of them frozen, or a complex one
        why, _, hint = str(error).partition("; ")
        return why, hint
    return _shared(model)


def _shared(model: nn.Module) -> Fault | None:
    """Whether two parameters lie in the same memory: in place they move together, here apart."""
    spans: list[tuple[int, int, str]] = []
    for name, value in model.named_parameters():
        if value.numel():
            first = value.data_ptr()
            reach = sum((n - 1) * s for n, s in zip(value.shape, value.stride(), strict=True)) + 1
            spans.append((first, first + reach * value.element_size(), name))
    spans.sort()
    for (_, end, one), (begin, _, other) in pairwise(spans):
        if begin < end:
            return (
                f"its parameters {one!r} and {other!r} are two, but lie in the same memory",
                "tie weights by giving both modules the one nn.Parameter, or copy the values",
            )
    return None


def _uncopied(error: Exception) -> Fault:
    if "deepcopy protocol" in str(error):
        return (
            "it cannot be copied, since it keeps a computed tensor as an attribute, as the old "
            "torch.nn.utils.weight_norm and spectral_norm do",
            "compute it in forward; of a norm, take torch.nn.utils.parametrizations",
        )
    return f"it cannot be copied (copy.deepcopy): {_first(error)}", "keep plain attributes"


def _first(error: BaseException) -> str:
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


def _points(model: nn.Module) -> Iterator[Params]:
    """The model's own weights, and others around them."""
    generator = torch.Generator().manual_seed(0)
    own = in_float64({name: value.detach() for name, value in trainable(model)})
    yield own
    yield {
        name: value + NEARBY * torch.randn(value.shape, generator=generator).to(value)
        for name, value in own.items()
    }


def _logits(subject: Subject) -> Fault | None:
    """Whether there are logits, of the right shape."""
    tokens, states = looked_at(subject.states, subject.length)[:2], subject.states
    shape = (*tokens.shape, states)
    try:
        with torch.no_grad():
            logits = call(subject.model, subject.points[0], "forward", tokens)
    except (Exception, SystemExit) as error:  # whatever code of one's own raises
        why = f"it cannot be evaluated on tokens of shape {list(tokens.shape)}: {_first(error)}"
        kept = "dtype" in str(error) or "scalar type" in str(error)
        return why, "register the tensors that it keeps as buffers (float64 is asked of it)" * kept
    wanted = f"return the logits alone, of shape {shape}, one for each symbol"
    if not isinstance(logits, Tensor):
        inside = ""
        if isinstance(logits, tuple | list):
            inside = f" ({', '.join(type(part).__name__ for part in logits)})"
        return f"it returned a {type(logits).__name__}{inside}", wanted
    if tuple(logits.shape) != shape or not logits.is_floating_point():
        return (
            f"it returned {type(logits).__name__} of shape {tuple(logits.shape)} for tokens of "
            f"shape {tuple(tokens.shape)}",
            wanted.replace("the logits alone,", "logits"),
        )
    return None


def _repeats(subject: Subject) -> Fault | None:
    """Whether the same tokens get the same answer, and no statistics are kept on the way."""
    model, own = subject.model, subject.points[0]
    tokens = looked_at(subject.states, subject.length)
    for point in subject.points:
        given = {name: value.clone() for name, value in point.items()}
        subject.logits(given, tokens)
        edited = [name for name in point if not torch.equal(given[name], point[name])]
        if edited:
            return (
                f"it edits its parameter {edited[0]!r} in place whenever it is evaluated (as "
                "nn.Embedding with max_norm does)",
                "compute with the parameters and leave them as they are",
            )
    before = {name: value.clone() for name, value in model.named_buffers()}
    first, again = subject.logits(own, tokens), subject.logits(own, tokens)
    draws = next((n for n, m in model.named_modules() if _drops(m)), None)
    if not torch.equal(first.nan_to_num(), again.nan_to_num()):
        where = f"the dropout {draws!r} is in train mode" if draws is not None else "it draws"
        return (
            "it answers the same tokens otherwise the second time: it draws (dropout) or edits a "
            f"buffer{f' ({where})' if draws is not None else ''}",
            "make it a function of its parameters alone: dropout 0, or return it in eval mode",
        )
    for name, value in model.named_buffers():
        owner = model.get_submodule(name.rpartition(".")[0])
        normed = isinstance(owner, nn.modules.batchnorm._NormBase) and name in before
        if normed and not torch.equal(before[name], value):
            return (
                f"its BatchNorm edits the running statistics {name!r} whenever it is evaluated",
                "return the model in eval mode, or take LayerNorm in its place",
            )
    return None


def _drops(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.dropout._DropoutNd) and module.training and module.p > 0


def _reads_parameters(subject: Subject) -> Fault | None:
    """Whether values put in place of its parameters are what it computes with."""
    tokens = looked_at(subject.states, subject.length)
    values = subject.points[-1]
    with torch.enable_grad():
        held: Tensor = call(copy.deepcopy(subject.fresh), values, "forward", tokens)
    if held.requires_grad:
        return (
            "it computes with weights that are not among its parameters, and which nothing would "
            "train or measure: layers in a plain list, or a tensor that it keeps",
            "register them: nn.ModuleList, nn.ParameterList, or nn.Parameter as an attribute",
        )
    other = copy.deepcopy(subject.fresh)
    with torch.no_grad():
        for name, value in trainable(other):
            value.copy_(values[name])
    there = replace(subject, model=other).logits({}, tokens)
    if subject.differ(subject.logits(values, tokens), there).any():
        return (
            "it does not compute with the parameters that are put in place of its own "
            "(torch.func.functional_call): it keeps another reference to them",
            "read them as attributes of their modules in forward",
        )
    return None


def _alone(subject: Subject) -> Fault | None:
    """Whether a sequence gets the same logits alone as among others."""
    tokens = looked_at(subject.states, subject.length)
    generator = torch.Generator().manual_seed(2)
    more = torch.randint(subject.states, (56, subject.length), generator=generator)
    batches = (torch.cat([tokens, more]), tokens, tokens[:1].expand_as(tokens))
    hint = (
        "let no operation mix sequences: LayerNorm or RMSNorm in the place of BatchNorm, or the "
        "model in eval mode if it has running statistics; experts chosen by the token alone"
    )
    for params in subject.points:
        try:
            alone = torch.cat([subject.logits(params, row[None]) for row in tokens])
        except Exception as error:  # whatever code of one's own raises
            return f"it cannot be evaluated on one sequence alone: {_first(error)}", hint
        for batch in batches:
            among = subject.logits(params, batch)[: len(tokens)]
            there = alone if batch is not batches[-1] else alone[:1].expand_as(among)
            if subject.differ(among, there).any():
                return "its logits of a sequence change with the sequences beside it", hint
    return None


def _causal(subject: Subject) -> Fault | None:
    """Whether the logits at a position are those of every sequence that begins alike.

    Of all sequences, where they are few enough; else of random ones with random ends, half of them
    with long runs of one symbol.
    """
    states, length = subject.states, subject.length
    size = states**length * length * states
    complete = size <= ENUMERATED
    tokens = _all(states, length) if complete else None
    for params in subject.points:
        if tokens is not None:
            logits = subject.logits(params, tokens)
            for n in range(1, length):
                table = logits[:, n - 1].unflatten(0, (states**n, -1))
                ahead = subject.differ(table, table[:, :1].expand_as(table)).nonzero()
                if len(ahead):
                    prefix = tokens.unflatten(0, (states**n, -1))[ahead[0, 0], 0, :n]
                    return _ahead(n, prefix)
        else:
            first, second, cuts = _pairs(states, length)
            one, other = subject.logits(params, first), subject.logits(params, second)
            before = torch.arange(length) < cuts[:, None]
            ahead = (subject.differ(one, other) & before).nonzero()
            if len(ahead):
                row, n = ahead[0].tolist()
                return _ahead(n + 1, first[row, : n + 1])
    return None


def _ahead(position: int, prefix: Int[Tensor, " n"]) -> Fault:
    symbols = " ".join(map(str, prefix[-8:].tolist()))
    before = "... " if len(prefix) > 8 else ""
    return (
        "it looks ahead: its logits change with a later symbol (those at position "
        f"{position}, after {before}{symbols})",
        "make it causal",
    )


def _all(states: int, length: int) -> Int[Tensor, "B N"]:
    return torch.cartesian_prod(*[torch.arange(states)] * length).reshape(-1, length)


def _pairs(
    states: int, length: int
) -> tuple[Int[Tensor, "B N"], Int[Tensor, "B N"], Int[Tensor, " B"]]:
    """Pairs of sequences that are equal up to a random cut, and independent after it."""
    generator = torch.Generator().manual_seed(0)
    count = min(256, max(16, SCORES // (length * length)))

    def drawn() -> Tensor:
        return torch.randint(states, (count, length), generator=generator)

    change = torch.rand(count, length, generator=generator) < 2.0 / length
    change[: count // 2] = True
    change[:, 0] = True
    last = torch.where(change, torch.arange(length), 0).cummax(1).values
    first = drawn().gather(1, last)
    cuts = torch.randint(1, length, (count,), generator=generator)
    known = torch.tensor([1, 2, 3, length - 1])
    cuts[: len(known)] = known
    cuts[count // 2 : count // 2 + len(known)] = known
    second = torch.where(torch.arange(length) < cuts[:, None], first, drawn())
    return first, second, cuts


def _checkpoints(subject: Subject) -> Fault | None:
    """Whether all that its backward pass needs is kept, and nothing computed again then.

    By then the parameters that were put in place of its own are gone.
    """
    tokens = looked_at(subject.states, subject.length)
    leaves = {name: value.clone().requires_grad_() for name, value in subject.points[0].items()}
    hooked = RuntimeError("saved tensor hooks")
    try:
        with torch.enable_grad(), torch.autograd.graph.disable_saved_tensors_hooks(str(hooked)):
            logits: Tensor = call(subject.model, leaves, "forward", tokens)
    except RuntimeError as error:
        return cause(subject.model, hooked) if str(hooked) in str(error) else None
    if any(node.name() == "CheckpointFunctionBackward" for node in ancestors(logits.grad_fn)):
        return cause(subject.model, hooked)
    return None


def _several_runs(subject: Subject) -> Fault | None:
    """Whether it is computed for several runs at once, with the gradients of each alone."""
    tokens = looked_at(subject.states, subject.length)
    generator = torch.Generator().manual_seed(1)
    shape = (*tokens.shape, subject.states)
    weights = torch.randn(shape, generator=generator, dtype=torch.float64)

    def loss(params: Mapping[str, Tensor]) -> Tensor:
        logits: Tensor = call(subject.model, params, "forward", tokens)
        return (torch.log_softmax(logits, -1) * weights).sum(-1).mean()

    def slopes(of: Callable[[Params], Tensor], params: Params) -> list[Tensor]:
        leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
        return list(
            torch.autograd.grad(
                of(leaves).sum(), list(leaves.values()), allow_unused=True, materialize_grads=True
            )
        )

    runs = {name: torch.stack([p[name] for p in subject.points]) for name in subject.points[0]}
    try:
        with torch.enable_grad():
            together = slopes(lambda params: vmap(loss)(params), runs)
            each = [slopes(loss, point) for point in subject.points]
    except Exception as error:  # whatever torch or code of one's own raises
        why, hint = cause(subject.model, error)
        return f"it cannot be computed for several runs at once: {why}", hint
    for name, found, *alone in zip(runs, together, *each, strict=True):
        size = found.abs().amax().clamp(min=1) if found.numel() else 1.0
        if (
            found.numel()
            and (found - torch.stack(alone)).abs().max() > 2 * ROUNDINGS * subject.eps * size
        ):
            return (
                "it gives several runs at once (torch.func.vmap over its parameters) another "
                f"gradient by {name!r} than each alone",
                "compute it by plain operations",
            )
    return None
