"""Two threads that work with different precisions: each has its own, and none is left behind."""

import ast
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event

import flint
import mpmath
import pytest

from theory.attention.spectra import running_moments
from theory.certificates.bigram_root import certify_bigram_root
from theory.chain.kernel import chain_of
from theory.precision import workdps, workprec
from theory.proving.steps import Identity, check_step
from theory.symbols import p, q

ROOT = Path(__file__).resolve().parents[2]

Block = Callable[[int], AbstractContextManager[None]]

PATIENCE = 0.2
"""Seconds that one thread waits for the other, which a lock keeps out."""


def seen_and_left(block: Block, read: Callable[[], int], wide: int, narrow: int) -> tuple[int, int]:
    """The precision a thread has in a block while another enters one, and what is left at last."""
    entered, inside, done = Event(), Event(), Event()

    def first() -> int:
        with block(wide):
            entered.set()
            inside.wait(PATIENCE)
            seen = read()
        done.set()
        return seen

    def second() -> None:
        entered.wait()
        with block(narrow):
            inside.set()
            done.wait(PATIENCE)

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.submit(first), pool.submit(second)
        two.result()
        return one.result(), read()


def decimals() -> int:
    return int(mpmath.mp.dps)


def ball_bits() -> int:
    return int(flint.ctx.prec)


@pytest.fixture
def restored() -> Iterator[tuple[int, int]]:
    before = mpmath.mp.prec, flint.ctx.prec
    yield before
    mpmath.mp.prec, flint.ctx.prec = before


def test_a_thread_has_its_own_precision_and_leaves_none(restored: tuple[int, int]) -> None:
    before = decimals()
    assert seen_and_left(workdps, decimals, 50, 15) == (50, before)
    assert seen_and_left(workprec, ball_bits, 300, 60) == (300, restored[1])
    assert seen_and_left(workprec, lambda: int(mpmath.mp.prec), 300, 60) == (300, restored[0])


@pytest.mark.parametrize(
    ("block", "read", "wide", "narrow"),
    [
        (mpmath.workdps, decimals, 50, 20),
        (mpmath.workprec, lambda: int(mpmath.mp.prec), 300, 60),
        (lambda count: flint.ctx.workprec(count), ball_bits, 300, 60),
    ],
)
def test_the_libraries_own_blocks_do_neither(
    restored: tuple[int, int], block: Block, read: Callable[[], int], wide: int, narrow: int
) -> None:
    """The control: without the lock the one computes with the other's, and one is left behind."""
    assert seen_and_left(block, read, wide, narrow) == (narrow, wide)


def test_certificates_and_moments_from_two_threads_are_those_of_one() -> None:
    """Switching threads every microsecond: a certificate needs 100 bits, the rest set others."""

    def certified(_: int) -> object:
        return certify_bigram_root(0.2, 0.3, 0.0)

    def measured(count: int) -> object:
        kernel = [[0.2, 0.8], [0.7, 0.3]]
        found = chain_of(kernel, length=2)
        step = Identity("planted", p * (1 - q) + p * q, p)
        moments = running_moments(0.3, 0.4, 2 + count % 3).tolist()
        return moments, found.covariance.tolist(), found.unigram_loss, check_step(step).accepted

    before, interval = (mpmath.mp.prec, flint.ctx.prec), sys.getswitchinterval()
    alone = [certified(0), *(measured(k) for k in range(3))]
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as pool:
            roots = pool.map(certified, range(6))
            others = pool.map(measured, range(6))
            assert [*roots] == [alone[0]] * 6
            assert [*others] == alone[1:] * 2
    finally:
        sys.setswitchinterval(interval)
    assert (mpmath.mp.prec, flint.ctx.prec) == before


def precisions_set(source: str) -> list[int]:
    """The lines of a module that set a precision: of mpmath or flint, by block or by assignment."""
    blocks = {"workdps", "workprec", "extradps", "extraprec"}
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value).rpartition(".")[2]
            owned = owner in ("mp", "ctx", "iv") and node.attr in ("dps", "prec")
            set_here = owned and isinstance(node.ctx, ast.Store)
            if set_here or node.attr in blocks:
                found.append(node.lineno)
        if isinstance(node, ast.ImportFrom) and node.module != "theory.precision":
            found += [node.lineno for alias in node.names if alias.name in blocks]
    return found


def test_a_precision_is_set_in_one_module_alone() -> None:
    setting = {
        path.relative_to(ROOT).as_posix()
        for package in ("theory", "landscape", "figures")
        for path in (ROOT / package).rglob("*.py")
        if precisions_set(path.read_text("utf-8"))
    }
    assert setting == {"theory/precision.py"}
    planted = ["mpmath.mp.dps = 30", "flint.ctx.prec = 99", "from mpmath import workdps"]
    assert [precisions_set(text) for text in planted] == [[1]] * 3  # the control
