"""A model of the user's own: MODULE:ATTRIBUTE, imported when it is asked for and allowed."""

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

from landscape.errors import ConfigError, refused
from landscape.models.trial import trial

_TRIED: set[tuple[Any, ...]] = set()
"""What passed its trial in this process: runs that differ by their seed alone are tried once."""


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


def build(
    kind: str,
    settings: Mapping[str, Any],
    given: Iterable[str],
    seed: int,
    *,
    curvature: bool = True,
) -> nn.Module:
    """A model of the user's own, built with those settings that it takes.

    The builder is called under `torch.manual_seed(seed)`, and its model put to `trial`; the global
    random state is put back afterwards.

    Args:
        kind: MODULE:ATTRIBUTE.
        settings: states, width, length, ... and what else could be passed, by name.
        given: the names among them that were written by the user, and so must be taken.
        seed: of the initial parameters.
        curvature: whether the model is to be measured, and not only trained.

    Raises:
        ConfigError: if the model does not take a setting that was given, needs one that nobody
            has, is no `torch.nn.Module`, or fails its trial.

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
        sizes = {name: value for name, value in named.items() if name != "seed"}
        key = (found, settings["length"], curvature, tuple(sorted(sizes.items(), key=str)))
        if key not in _TRIED:
            refusal = trial(model, settings["states"], settings["length"], curvature=curvature)
            if refusal is not None:
                raise _useless(kind, *refusal)
            _TRIED.add(key)
    return model


def _useless(kind: str, why: str, hint: str = "") -> ConfigError:
    return refused("model.kind", kind, why=why, hint=hint)
