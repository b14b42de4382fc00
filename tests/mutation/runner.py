"""One mutant's run: a forked child that reads the mutated file in place of the real one.

The parent has the heavy libraries imported and nothing of the project, so that each child starts
at once and imports the project itself, checked types included.
"""

import importlib
import json
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Result", "Started", "preload", "start"]

QUIET = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "--tb=no"]
# rewriting assertions would read a file named on the command line past its loader
QUIET += ["--assert=plain"]
MEMORY = 12 * 2**30


@dataclass(frozen=True)
class Result:
    """What the tests said.

    Fields: `passed`; `by`, the first test that failed, or what else ended the run; `seconds`, of
    processor time; `each`, the seconds of each test that ran; `modules`, the libraries that they
    imported.
    """

    passed: bool
    by: str
    seconds: float = 0.0
    each: dict[str, float] = field(default_factory=dict)
    modules: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Started:
    """A child at work: its process, and the pipe that its result comes through."""

    pid: int
    pipe: int

    def result(self) -> Result:
        """Wait for the child and say what came of it."""
        with os.fdopen(self.pipe) as pipe:
            told = pipe.read()
        _, status = os.waitpid(self.pid, 0)
        if told:
            return Result(**json.loads(told))
        ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        name = signal.Signals(ended).name if ended else f"exit {os.waitstatus_to_exitcode(status)}"
        return Result(False, "time" if ended == signal.SIGXCPU else name)


def start(
    root: Path,
    tests: Sequence[str],
    *,
    path: Path | None = None,
    source: str = "",
    cost: Mapping[str, float],
    limit: float,
) -> Started:
    """Run tests with the file at `path` read as `source`, until the first of them fails.

    Arguments: `root`, the folder of pyproject.toml; `tests`, files of tests under it; `path`, the
    mutated file, or None for none; `cost` of each test by its id, the cheapest of which is run
    first; `limit`, seconds of processor time, after which the mutant counts as one that never
    ends. Time on the clock would depend on what else the machine does.
    """
    sys.stdout.flush()
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid:
        os.close(theirs)
        return Started(pid, ours)
    code = 1
    try:
        os.close(ours)
        result = _child(root, tests, path, source, cost, limit)
        with os.fdopen(theirs, "w") as pipe:
            json.dump(result.__dict__, pipe)
        code = 0
    finally:
        os._exit(code)


def preload(modules: Sequence[str]) -> None:
    """Import libraries here, that no child need import them again."""
    for name in modules:
        importlib.import_module(name)


class _Told:
    """What pytest says of each test, and hypothesis kept from looking for the simplest failure."""

    def __init__(self, cost: Mapping[str, float]) -> None:
        self.failed = ""
        self.each: dict[str, float] = {}
        self.cost = cost

    def pytest_sessionstart(self) -> None:
        if "hypothesis" in sys.modules:
            from hypothesis import Phase, settings

            phases = (Phase.explicit, Phase.generate)
            settings.register_profile("mutant", settings(), database=None, phases=phases)
            settings.load_profile("mutant")

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self.cost.get(item.nodeid, 0.0))

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.each[report.nodeid] = self.each.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self.failed = self.failed or report.nodeid


def _child(
    root: Path,
    tests: Sequence[str],
    path: Path | None,
    source: str,
    cost: Mapping[str, float],
    limit: float,
) -> Result:
    seconds = int(limit) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.chdir(root)
    if path is not None:
        _read_instead(path, source)
    told = _Told(cost)
    code = pytest.main([*QUIET, f"--rootdir={root}", *tests], plugins=[told])
    passed = code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    by = told.failed or ("" if passed else f"pytest {code!r}")
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Result(passed, by, used.ru_utime + used.ru_stime, told.each, _libraries())


def _read_instead(path: Path, source: str) -> None:
    """Whatever loader asks for the file, compiled or not, is given the mutated text."""
    real, read = str(path), SourceFileLoader.get_data
    compiled = f"{path.stem}."

    def get_data(self: SourceFileLoader, asked: str) -> bytes:
        if asked == real:
            return source.encode()
        cached = Path(asked)
        if cached.parent == path.parent / "__pycache__" and cached.name.startswith(compiled):
            raise OSError(f"{asked} is compiled from the file as it is, not from the mutant")
        return bytes(read(self, asked))

    sys.dont_write_bytecode = True
    SourceFileLoader.get_data = get_data  # type: ignore[method-assign, assignment]  # its own door


def _libraries() -> list[str]:
    """The top-level modules imported from outside the project that a parent may import."""
    found = set()
    for name, module in list(sys.modules.items()):
        origin = getattr(module, "__file__", None) or ""
        if "." not in name and "site-packages" in origin:
            found.add(name)
    return sorted(found)
