"""Hessian products asked for by two threads at once."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from threading import Event

import pytest
import torch
from torch import Tensor, nn

from landscape.numerics import differentiation
from landscape.spectra.operators import FEW, hessian_products


class Cubic:
    """L = sum of x^3, H = diag(6x); on the way it can wait for another thread."""

    length = 1

    def __init__(self, inside: Event | None = None, wait_for: Event | None = None) -> None:
        self.inside, self.wait_for = inside, wait_for

    def __call__(self, model: nn.Module, params: Mapping[str, Tensor]) -> Tensor:
        if self.inside is not None:
            self.inside.set()
        if self.wait_for is not None:
            self.wait_for.wait(timeout=0.5)
        return (params["x"] ** 3).sum()


def two_at_once() -> tuple[Tensor, Tensor]:
    """The first is inside its derivative when the second starts, and leaves before it."""
    params = {"x": torch.arange(1, FEW + 2, dtype=torch.float64)}
    unit = torch.eye(FEW + 1, dtype=torch.float64)
    first_inside, second_inside, never = Event(), Event(), Event()

    def first() -> Tensor:
        return hessian_products(nn.Module(), Cubic(first_inside, second_inside), params, unit)

    def second() -> Tensor:
        assert first_inside.wait(timeout=10)
        return hessian_products(nn.Module(), Cubic(second_inside, never), params, unit)

    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(first), pool.submit(second)]
        return runs[0].result(), runs[1].result()


def test_threads_do_not_end_each_others_derivatives() -> None:
    for product in two_at_once():
        assert torch.equal(product, torch.diag(6 * torch.arange(1, FEW + 2, dtype=torch.float64)))


def test_without_the_lock_a_hessian_is_silently_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differentiation, "FORWARD_MODE", nullcontext())
    assert not two_at_once()[1].any()
