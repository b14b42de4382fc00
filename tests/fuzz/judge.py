"""What may not happen to any input: a traceback, a hang, an acceptance of what is out of range."""

import importlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from landscape.cli import main
from tests.fuzz.inputs import Input

LONGEST = 20.0
"""Seconds that an input may take."""


class Hang(BaseException):
    """An input takes longer than that."""


@contextmanager
def _place(given: Input) -> Iterator[None]:
    """A folder of its own with the input's files, as the current one."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        for name, content in given.files.items():
            (Path(folder) / name).write_bytes(content)
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def run_here(given: Input) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command in this process; an exception is code -1."""
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]

    def late(number: int, frame: FrameType | None) -> None:
        raise Hang

    kept = sys.stdout, sys.stderr
    alarm = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, LONGEST)
    code, fault = -1, ""
    with _place(given):
        sys.stdout, sys.stderr = streams
        try:
            main(list(given.words))
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else -1
        except BaseException:
            fault = traceback.format_exc()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, alarm)
            sys.stdout, sys.stderr = kept
    out, err = (stream.buffer.getvalue().decode("utf-8", "replace") for stream in streams)
    return code, out, err + fault


def run_apart(given: Input) -> tuple[int, str, str]:
    """The same of a process of its own."""
    words = [sys.executable, "-m", "landscape", *(w.replace("\0", "") for w in given.words)]
    with _place(given):
        try:
            found = subprocess.run(words, capture_output=True, timeout=6 * LONGEST, check=False)
        except subprocess.TimeoutExpired:
            return -1, "", "a hang"
    out, err = (text.decode("utf-8", "replace") for text in (found.stdout, found.stderr))
    return found.returncode, out, err


def faults(given: Input, found: tuple[int, str, str], seconds: float = 0.0) -> list[str]:
    """What is wrong with the answer to an input; nothing, if all is as promised."""
    code, out, err = found
    wrong = []
    if seconds > LONGEST or "Hang" in err:
        wrong.append("hang")
    elif "Traceback" in err or code == -1:
        wrong.append("traceback")
    if "a fault of the program" in err:
        wrong.append("fault of the program")
    if code not in (0, 1, 2, -1):
        wrong.append(f"exit code {code}")
    if given.wrong and code in (0, 1):
        wrong.append("false acceptance")
    if code == 2 and "Error: " not in err:
        wrong.append("refused without a word")
    if code == 2 and out:
        wrong.append("refused after it had printed")
    if any(len(word) > 300 for word in err.split()):
        wrong.append("a value quoted in full")
    return wrong


def loaded() -> None:
    """Load what commands load when they run: a first import is no hang, and is not to be cut."""
    for name in ("comparison.spectra", "scanning.scan", "cli.commands.slice", "config.build"):
        importlib.import_module(f"landscape.{name}")


def judged(given: Input, *, apart: bool = False) -> tuple[int, list[str], float]:
    """Exit code, faults and seconds of an input."""
    begun = time.perf_counter()
    found = (run_apart if apart else run_here)(given)
    seconds = time.perf_counter() - begun
    return found[0], faults(given, found, 0.0 if apart else seconds), seconds
