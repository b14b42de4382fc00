"""Objects that proofs are built from, replaced by wrong ones, to see which steps refuse them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.twins.numerical_steps import worst
from theory.proving.steps import Identity, Sign, Step, check_step


@contextmanager
def replaced(original: Callable[..., Any], wrong: Callable[..., Any]) -> Iterator[None]:
    """A function of theory is another one, wherever its name was taken to, and nothing cached."""
    held = [
        (module, name)
        for module in theory_modules()
        for name, found in vars(module).items()
        if found is original
    ]
    assert held
    try:
        forget()
        for module, name in held:
            setattr(module, name, wrong)
        yield
    finally:
        for module, name in held:
            setattr(module, name, original)
        forget()


def theory_modules() -> list[Any]:
    return [module for name, module in sys.modules.items() if name.startswith("theory.")]


def forget() -> None:
    for module in theory_modules():
        for found in list(vars(module).values()):
            if callable(clear := getattr(found, "cache_clear", None)):
                clear()


def refused(steps: tuple[Step, ...]) -> list[str]:
    """The claims of the steps that are false at a point, which the machine never accepts.

    Identities are evaluated in mpmath; to let the machine simplify what is not 0 takes far longer.
    """
    return [
        step.claim
        for step in steps
        if (isinstance(step, Identity) and worst(step, points=1) > 1e-30)
        or (isinstance(step, Sign) and check_step(step).false)
    ]
