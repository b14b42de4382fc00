"""A model of the user's own: MODULE:ATTRIBUTE, imported when it is asked for and allowed."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import nn

from landscape.refusal import ConfigError


def refuse_code(kinds: Iterable[str], allow: bool) -> None:
    """Refuse to run code that a configuration names, unless that is allowed.

    Args:
        kinds: of the models.
        allow: whether code may be run.

    Raises:
        ConfigError: for the first kind that is MODULE:ATTRIBUTE, if it may not.
    """
    for kind in kinds:
        if ":" in kind and not allow:
            raise ConfigError(
                f"model.kind = {kind!r} is refused: it runs code of your own; add --allow-code "
                f"(in Python allow_code=True) if you trust it"
            )


def builder(kind: str) -> Callable[..., nn.Module]:
    """What MODULE:ATTRIBUTE names; modules are looked for in the current folder too.

    Raises:
        ConfigError: if there is no such module or attribute, or if it cannot be called.
    """
    module, _, attribute = kind.partition(":")
    if os.getcwd() not in sys.path:  # console scripts, unlike `python -m`, do not have it
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # whatever a module of one's own raises
        raise ConfigError(
            f"model.kind = {kind!r} cannot be loaded: {type(error).__name__}: {error}; give "
            f"MODULE:ATTRIBUTE with a module in the current folder or installed"
        ) from error
    if not callable(found):
        raise ConfigError(
            f"model.kind = {kind!r} is a {type(found).__name__}; give a class of torch.nn.Module "
            f"or a function that returns one"
        )
    build: Callable[..., nn.Module] = found
    return build


def build(kind: str, settings: Mapping[str, Any], given: Iterable[str], seed: int) -> nn.Module:
    """A model of the user's own, built with those settings that it takes.

    The builder is called under `torch.manual_seed(seed)`, with the global random state put back
    afterwards.

    Args:
        kind: MODULE:ATTRIBUTE.
        settings: states, width, length, ... and what else could be passed, by name.
        given: the names among them that were written by the user, and so must be taken.
        seed: of the initial parameters.

    Raises:
        ConfigError: if the model does not take a setting that was given, needs one that nobody
            has, or is no `torch.nn.Module`.

    >>> build("torch.nn:Identity", {"width": 4}, [], seed=0)
    Identity()
    """
    found = builder(kind)
    taken: Mapping[str, inspect.Parameter] = {}
    with suppress(ValueError):  # some builtins do not tell
        taken = inspect.signature(found).parameters
    anything = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken.values())
    refused = [] if anything else [name for name in given if name not in taken]
    if refused:
        raise ConfigError(
            f"model.{refused[0]} is refused: {kind} takes no argument of that name (it takes "
            f"{', '.join(taken) or 'none'})"
        )
    named = {name: value for name, value in settings.items() if name in taken}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            model = found(**named)
        except TypeError as error:
            raise ConfigError(
                f"{kind} cannot be built with {', '.join(named) or 'no arguments'}: {error}; its "
                f"arguments may be {', '.join(settings)}"
            ) from error
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{kind} returned a {type(model).__name__}; return a torch.nn.Module")
    return model
