"""A model of the user's own: MODULE:ATTRIBUTE, imported when it is asked for and allowed."""

import copy
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib.machinery import PathFinder
from typing import Any

import torch
from torch import nn
from torch.func import functional_call, vmap

from landscape.errors import ConfigError, refused

ROUNDINGS = 64
"""How many eps of a logit may depend on how the sequences beside it are computed."""


def refuse_code(kinds: Iterable[str], allow: bool) -> None:
    """Refuse to run code that a configuration names, unless that is allowed; then load it.

    So that a wrong name is refused before anything is computed or written.

    Args:
        kinds: of the models.
        allow: whether code may be run.

    Raises:
        ConfigError: for the first kind that is MODULE:ATTRIBUTE, if it may not or cannot be loaded.
    """
    for kind in dict.fromkeys(kinds):
        if ":" in kind and not allow:
            hint = "add --allow-code (in Python allow_code=True) if you trust it"
            raise _useless(kind, why="it runs code of your own", hint=hint)
        if ":" in kind:
            builder(kind)


def builder(kind: str) -> Callable[..., nn.Module]:
    """What MODULE:ATTRIBUTE names; modules are looked for in the current folder too.

    That folder comes last, so that no file in it is taken for a module of this package or of a
    library. The global random state is put back after the import.

    Raises:
        ConfigError: if there is no such module or attribute, if it cannot be called, or if a module
            of this name is found elsewhere and the one of the current folder would not be used.
    """
    module, _, attribute = kind.partition(":")
    here = os.getcwd()
    if here not in sys.path:  # console scripts, unlike `python -m`, do not have it
        sys.path.append(here)
    other = _found_first(module.partition(".")[0], here)
    if other:
        raise _useless(
            kind,
            why=f"the module of this name that is found first is {other}, not the one of this "
            "folder",
            hint="give your file another name",
        )
    try:
        with torch.random.fork_rng():
            found = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # whatever a module of one's own raises
        raise _useless(
            kind,
            why=f"it cannot be loaded: {type(error).__name__}: {error}",
            hint="give MODULE:ATTRIBUTE with a module in the current folder or installed",
        ) from error
    if not callable(found) or isinstance(found, nn.Module):  # to call a model is to evaluate it
        hint = "give a class of torch.nn.Module or a function that returns one"
        raise _useless(kind, why=f"it is of type {type(found).__name__}", hint=hint)
    build: Callable[..., nn.Module] = found
    return build


def _found_first(name: str, folder: str) -> str:
    """Where a module is found instead of in the folder that has one of this name; "" if nowhere."""
    own = PathFinder.find_spec(name, [folder])
    if own is None or not own.origin:  # none, or a folder without code of its own
        return ""
    loaded = sys.modules.get(name)
    with suppress(ValueError):  # of a module that was put together by hand
        first = importlib.util.find_spec(name) if loaded is None else loaded.__spec__
        if first is not None and os.path.realpath(first.origin or "") != os.path.realpath(
            own.origin
        ):
            return first.origin or "elsewhere"
    return ""


def build(kind: str, settings: Mapping[str, Any], given: Iterable[str], seed: int) -> nn.Module:
    """A model of the user's own, built with those settings that it takes.

    The builder is called under `torch.manual_seed(seed)`, and its model tried on two sequences; the
    global random state is put back afterwards.

    Args:
        kind: MODULE:ATTRIBUTE.
        settings: states, width, length, ... and what else could be passed, by name.
        given: the names among them that were written by the user, and so must be taken.
        seed: of the initial parameters.

    Raises:
        ConfigError: if the model does not take a setting that was given, needs one that nobody
            has, is no `torch.nn.Module` with parameters, or is none from tokens to causal logits.

    >>> build("landscape:GPT", {"states": 3, "width": 4, "length": 2}, [], seed=0).states
    3
    """
    found = builder(kind)
    taken: Mapping[str, inspect.Parameter] = {}
    if getattr(found, "__init__", None) is not nn.Module.__init__:  # which refuses what it is given
        with suppress(ValueError):  # some builtins do not tell
            taken = inspect.signature(found).parameters
    anything = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken.values())
    unread = [] if anything else [name for name in given if name not in taken]
    if unread:
        raise refused(
            f"model.{unread[0]}",
            why=f"{kind} takes no argument of that name (it takes {', '.join(taken) or 'none'})",
            hint="leave it out",
        )
    named = {name: value for name, value in settings.items() if anything or name in taken}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            model = found(**named)
        except Exception as error:  # whatever code of one's own raises
            raise _useless(
                kind,
                why=f"it cannot be built with {', '.join(named) or 'no arguments'}: "
                f"{type(error).__name__}: {error}",
                hint=f"its arguments may be {', '.join(settings)}",
            ) from error
        if not isinstance(model, nn.Module):
            raise _useless(
                kind, why=f"it returned a {type(model).__name__}", hint="return a torch.nn.Module"
            )
        _try(kind, model, settings["states"], settings["length"])
    return model


def _try(kind: str, model: nn.Module, states: int, length: int) -> None:
    """Refuse what cannot be trained: a model must be causal, a function of its parameters alone."""
    if next(model.parameters(), None) is None:
        raise _useless(kind, "it has no parameters", "register them as torch.nn.Parameter")
    tokens = torch.zeros(2, length, dtype=torch.long)
    tokens[1, -1] = 1
    tried = copy.deepcopy(model)  # a copy: buffers may count what they see
    try:
        with torch.no_grad():
            logits = tried(tokens)
    except Exception as error:  # whatever code of one's own raises
        why = f"it cannot be evaluated on tokens of shape [2, {length}]"
        raise _useless(kind, f"{why}: {type(error).__name__}: {error}") from error
    shape = tuple(getattr(logits, "shape", ()))
    if shape != (2, length, states) or not logits.is_floating_point():
        raise _useless(
            kind,
            f"it returned {type(logits).__name__} of shape {shape} for tokens of shape "
            f"(2, {length})",
            f"return logits of shape (2, {length}, {states}), one for each symbol",
        )
    with torch.no_grad():
        again = tried(tokens)
    if not torch.equal(logits.nan_to_num(), again.nan_to_num()):
        raise _useless(
            kind,
            "it answers the same tokens otherwise the second time: it draws (dropout) or edits a "
            "buffer",
            "make it a function of its parameters alone",
        )
    ahead = (logits[0, :-1] - logits[1, :-1]).abs()
    if bool(
        (ahead > ROUNDINGS * torch.finfo(logits.dtype).eps * logits[:, :-1].abs().amax(0)).any()
    ):
        raise _useless(
            kind, "it looks ahead: its logits change with a later symbol", "make it causal"
        )
    own = {name: value.detach() for name, value in model.named_parameters()}
    pair = {name: torch.stack([value, value]) for name, value in own.items()}
    try:
        vmap(lambda params: functional_call(tried, params, (tokens,)))(pair)
    except Exception as error:
        raise _useless(
            kind,
            "it cannot be computed for several runs at once (torch.func.vmap over its "
            f"parameters): {str(error).splitlines()[0]}",
            "write it without branches on values, in-place edits or buffers that count, such as "
            "BatchNorm's",
        ) from error


def _useless(kind: str, why: str, hint: str = "") -> ConfigError:
    return refused("model.kind", kind, why=why, hint=hint)
