"""Refusals in the words that the user typed: --p where a configuration says source.p."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import click

__all__ = ["in_options", "naming_options"]

SECTIONS = {"source", "model", "train", "measure"}

RENAMED = {"model.kind": "model", "measure.random_weights": "random_weights"}

SAMPLED = r", or (?:train\.data = |--data )'?sampled'? \(SampledLoss\)"
EXACT = r"(?:train\.data = |--data )'?exact'? enumerates"


def in_options(message: str, options: dict[str, str]) -> str:
    """A refusal with each setting named as the option for it, and its value as it was typed.

    Arguments: `options`, the option of each dotted setting that was, or could be, given by one.

    >>> in_options("source.p = '1.2' is refused: it must be below 1", {"source.p": "--p"})
    '--p 1.2 is refused: it must be below 1'
    >>> in_options("source.q is missing", {"source.q": "--q"})
    '--q is missing'
    """
    names = "|".join(re.escape(name) for name in sorted(options, key=len, reverse=True))
    if not names:
        return message
    quoted = re.compile(rf"(?<![\w.-])({names}) = '([^']*)'")
    bare = re.compile(rf"(?<![\w.-])({names}) = (?=\S)")
    message = quoted.sub(lambda found: f"{options[found[1]]} {found[2] or repr('')}", message)
    message = bare.sub(lambda found: f"{options[found[1]]} ", message)
    return re.sub(rf"(?<![\w.-])({names})(?![\w.])", lambda found: options[found[1]], message)


@contextmanager
def naming_options(*, switch: bool = False, by_name: Collection[str] = ()) -> Iterator[None]:
    """Put what is refused within into the options of the command that runs.

    Outside a command nothing is changed. A command without --data measures with the exact loss,
    and is not told to sample.

    Arguments:
        switch: whether the source was given by --switch, whose probability is source.p.
        by_name: the dotted settings that the user gave by --set, which keep their names.
    """
    try:
        yield
    except ValueError as error:
        context = click.get_current_context(silent=True)
        if context is None:
            raise
        message = str(error)
        offered = {
            parameter.name: parameter.opts[0]
            for parameter in context.command.params
            if parameter.name is not None and parameter.opts[0].startswith("--")
        }
        if "data" not in offered:
            message = re.sub(EXACT, "the exact loss enumerates", re.sub(SAMPLED, "", message))
        raise type(error)(in_options(message, _options(offered, switch, by_name))) from None


def _options(offered: dict[str, str], switch: bool, by_name: Collection[str]) -> dict[str, str]:
    """The option of each dotted setting."""
    from landscape.config.dotted_names import SETTINGS

    found = {}
    for setting in SETTINGS:
        section, _, name = setting.partition(".")
        if setting == "source.p" and switch:
            name = "switch"
        name = RENAMED.get(setting, name)
        ours = section in SECTIONS and setting not in by_name and setting != "source.kind"
        if ours and name in offered:
            found[setting] = offered[name]
    return found
