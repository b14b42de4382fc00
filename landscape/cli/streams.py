"""The streams that a process was given: closed, without all letters, or without a reader."""

import os
import sys
from typing import TextIO

READER_GONE = 141
"""The exit code of a process whose reader has left, 128 + SIGPIPE: a shell's own."""


def attach() -> None:
    """Make every standard stream one that can be written to, or read from.

    A closed one (`>&-`) becomes the null device, in the system's table too: otherwise the next file
    that is opened takes its number, and what a library prints goes there. Characters that
    the encoding of a stream lacks, or the bytes of a file name that are no text, are
    written as escapes, such as \\u03c0.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  (it stays)
    for stream in (sys.stdout, sys.stderr):
        # What PYTHONIOENCODING says of errors, such as ascii:replace, is left as it is.
        if getattr(stream, "errors", None) in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def settle(code: int) -> int:
    """The exit code once all that was printed is written: 141 if nobody reads, 1 if it cannot be.

    Python flushes once more when it ends, and would complain then: what cannot be written is let
    go.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            code = READER_GONE
            _let_go(stream)
        except (OSError, ValueError):  # a full disk; a stream that was closed
            code = code or 1
            _let_go(stream)
    return code


def _let_go(stream: TextIO) -> None:
    try:
        number = stream.fileno()
    except (OSError, ValueError):
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)
