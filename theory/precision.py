"""The working precision of mpmath and of flint, which belongs to one thread at a time.

Both libraries keep their precision in one variable of the process, and mpmath its constants (pi,
ln 2) in memories beside it. Two threads that each set a precision and put the old one back compute
with one another's, and leave one of them behind. So whoever computes with either library does it in
one of these blocks; a second thread waits for its end.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import mpmath

_HELD = RLock()


@contextmanager
def workdps(count: int) -> Iterator[None]:
    """A block in which mpmath works with `count` decimal digits, for this thread alone.

    >>> with workdps(30):
    ...     print(mpmath.mpf(1) / 3)
    0.333333333333333333333333333333
    """
    with _HELD, mpmath.workdps(count):
        yield


@contextmanager
def workprec(count: int) -> Iterator[None]:
    """A block in which mpmath and flint work with `count` bits, for this thread alone.

    >>> from flint import arb
    >>> with workprec(200):
    ...     print(mpmath.mp.prec, float((arb(1) / 3).rad()) < 1e-59)
    200 True
    """
    import flint  # which the predictions of a measurement do without

    with _HELD, mpmath.workprec(count), flint.ctx.workprec(count):
        yield
