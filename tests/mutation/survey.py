"""Every mutant of a file, run, and what is left of them once the explanations are read."""

import resource
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.judge import Judge
from tests.mutation.operators import Mutant, mutants

__all__ = ["Explanation", "Survey", "explanations", "survey"]


@dataclass(frozen=True)
class Explanation:
    """Why a mutant may survive: the change it is about, and the reason."""

    change: str
    reason: str


@dataclass(frozen=True)
class Survey:
    """What became of a file's mutants.

    Fields: `killed`, by which test; `explained`, survivors with a reason; `unexplained`, survivors
    without; `stale`, explanations of what no longer exists, is another change, or is killed;
    `seconds`, of processor time.
    """

    path: str
    killed: dict[str, str]
    explained: list[Mutant]
    unexplained: list[Mutant]
    stale: list[str]
    seconds: float

    @property
    def sound(self) -> bool:
        """Whether every survivor is explained, and every explanation is of a survivor."""
        return not self.unexplained and not self.stale

    def lines(self) -> Iterator[str]:
        """The report."""
        total = len(self.killed) + len(self.explained) + len(self.unexplained)
        yield (
            f"{self.path}: {total} mutants, {len(self.killed)} killed, "
            f"{len(self.explained)} explained, {len(self.unexplained)} unexplained "
            f"({self.seconds:.0f} s)"
        )
        for mutant in self.unexplained:
            yield f"  survives: {mutant.id}  line {mutant.line}\n    {mutant.change}"
        for line in self.stale:
            yield f"  stale: {line}"


def explanations(file: Path) -> dict[str, Explanation]:
    """The explained survivors of a TOML file, by id.

    Each `[[explained]]` has a `reason` and a table `mutants` of ids and their changes.
    Raises ValueError for a reason or a change that is empty, and for an id explained twice.
    """
    found: dict[str, Explanation] = {}
    for entry in tomllib.loads(file.read_text("utf-8")).get("explained", []):
        for name, change in entry["mutants"].items():
            if not entry["reason"].strip() or not change.strip():
                raise ValueError(f"{name} is not explained: give its change and a reason")
            if name in found:
                raise ValueError(f"{name} is explained twice: give one reason")
            found[name] = Explanation(change, entry["reason"])
    return found


def survey(
    root: Path,
    path: str,
    explained: Mapping[str, Explanation],
    *,
    jobs: int = 1,
    only: str = "",
    tell: Callable[[str], None] = lambda line: None,
) -> Survey:
    """Run every mutant of a file against its tests.

    Arguments: `root`, the folder of pyproject.toml; `path`, the file, from there; `explained`, as
    from `explanations`; `jobs`, how many mutants at a time; `only`, what an id must contain;
    `tell`, called with a line for each mutant.
    Raises ValueError where the tests do not pass on the file as it is.
    """
    began = _spent()
    source = (root / path).read_text("utf-8")
    judge = Judge(root, path)
    killed: dict[str, str] = {}
    survivors: list[Mutant] = []
    found = list(mutants(path, source))
    asked = [mutant for mutant in found if only in mutant.id]
    for mutant, result in judge.verdicts(asked, jobs):
        tell(f"{'survives' if result.passed else 'killed'} {mutant.id} {result.by}")
        if result.passed:
            survivors.append(mutant)
        else:
            killed[mutant.id] = result.by
    ours = {
        name: why
        for name, why in explained.items()
        if name.startswith(f"{path}::") and only in name
    }
    changes = {mutant.id: mutant.change for mutant in found}
    return Survey(
        path=path,
        killed=killed,
        explained=[mutant for mutant in survivors if mutant.id in ours],
        unexplained=[mutant for mutant in survivors if mutant.id not in ours],
        stale=[*_stale(ours, changes, killed)],
        seconds=_spent() - began,
    )


def _spent() -> float:
    """The processor time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _stale(
    ours: Mapping[str, Explanation], changes: Mapping[str, str], killed: Mapping[str, str]
) -> Iterator[str]:
    for name, why in ours.items():
        if name not in changes:
            yield f"{name} is no mutant: delete its explanation"
        elif changes[name] != why.change:
            yield f"{name} is now {changes[name]}, and the explanation is of {why.change}"
        elif name in killed:
            yield f"{name} is killed by {killed[name]}: delete its explanation"
