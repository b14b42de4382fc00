"""What the tests of a file say of its mutants, the nearest tests first."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.operators import Mutant
from tests.mutation.runner import Result, Started, preload, start
from tests.mutation.targets import judges

__all__ = ["Judge"]

ALLOWANCE = 4.0
"""How many times as long as the real file's own tests a mutant's may take."""

DISTANT = 300.0
"""Seconds of processor time for all the other tests: many times what they take."""


@dataclass(frozen=True)
class _Stage:
    tests: list[str]
    limit: float


class Judge:
    """The tests of a file in two goes, the nearest first, and what each test has cost so far."""

    def __init__(self, root: Path, path: str) -> None:
        self.root, self.path = root, path
        self.cost: dict[str, float] = {}
        self.trusted: set[str] = set()
        nearest, others = judges(root, path)
        real = self.require(nearest)
        preload(real.modules)
        self.stages = [_Stage(nearest, ALLOWANCE * real.seconds + 2)]
        if others:
            self.stages.append(_Stage(others, DISTANT))

    def require(self, tests: list[str]) -> Result:
        """Pass tests on the file as it is: what they say of a mutant is then about the mutant."""
        real = start(self.root, tests, cost=self.cost, limit=DISTANT).result()
        if not real.passed:
            raise ValueError(f"{self.path} fails {real.by} as it is: mend that first")
        self.cost |= real.each
        self.trusted |= set(tests)
        return real

    def verdicts(self, asked: Sequence[Mutant], jobs: int) -> Iterator[tuple[Mutant, Result]]:
        """Each mutant with the last thing said of it, `jobs` of them at a time."""
        waiting = deque((mutant, 0) for mutant in asked)
        running: deque[tuple[Mutant, int, Started]] = deque()
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(self.begin(*waiting.popleft()))
            mutant, stage, child = running.popleft()
            result = child.result()
            self.cost |= {test: spent for test, spent in result.each.items() if test != result.by}
            if result.passed and stage + 1 < len(self.stages):
                waiting.appendleft((mutant, stage + 1))
                continue
            by = result.by.partition("::")[0]
            if by in self.stages[stage].tests and by not in self.trusted:
                self.require([by])
            yield mutant, result

    def begin(self, mutant: Mutant, stage: int) -> tuple[Mutant, int, Started]:
        """Set a mutant before one of the goes."""
        child = start(
            self.root,
            self.stages[stage].tests,
            path=self.root / self.path,
            source=mutant.source,
            cost=self.cost,
            limit=self.stages[stage].limit,
        )
        return mutant, stage, child
