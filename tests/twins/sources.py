"""Slow twins of the sources: one rule for the next symbol, walked path by path in plain numpy.

Nothing of `landscape.sources` is used but the objects under test: no context number, no doubling,
no counting by sorting, no elimination.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from landscape.sources import (
    BinaryMarkov,
    InContext,
    LagMarkov,
    Markov,
    OrderKMarkov,
    SampledSource,
    SwitchingMarkov,
)

Path = tuple[int, ...]
Law = Sequence[float] | np.ndarray
Rule = Callable[[Path], Law]


@dataclass(frozen=True)
class Twin:
    """A source, the probability of a path, and what its two simple predictors answer to one."""

    name: str
    source: SampledSource
    chance: Callable[[Path], float]
    unigram: Rule
    bigram: Rule
    stationary_chance: Callable[[Path], float] | None = None  # from the stationary law on

    @property
    def states(self) -> int:
        return self.source.states

    def optimal(self, path: Path) -> np.ndarray:
        """P(x_{n+1} | x_1..x_n) as a quotient of path probabilities."""
        return np.array([self.chance((*path, t)) / self.chance(path) for t in range(self.states)])

    def answer(self, reference: str, path: Path) -> Law:
        rules = {"unigram": self.unigram, "bigram": self.bigram, "optimal": self.optimal}
        return rules[reference](path)


def paths(states: int, length: int) -> list[Path]:
    """All S^n paths, lexicographic."""
    return list(itertools.product(range(states), repeat=length))


def walked(rule: Rule) -> Callable[[Path], float]:
    """Probability of a path: a product of what the rule says after each prefix."""

    def chance(path: Path) -> float:
        return math.prod(float(rule(path[:n])[path[n]]) for n in range(len(path)))

    return chance


def loss(twin: Twin, reference: str, length: int) -> float:
    """(1/N) sum_n E[-ln answer(x_1..x_n)[x_{n+1}]] over all S^(N+1) paths, a target at every n."""
    total = 0.0
    for path in paths(twin.states, length + 1):
        chance = twin.chance(path)
        if chance > 0:
            total -= chance * sum(
                math.log(twin.answer(reference, path[:n])[path[n]]) for n in range(1, length + 1)
            )
    return total / length


def solved_law(rule: Rule, states: int, order: int) -> np.ndarray:
    """Stationary law of k symbols in a row, by least squares on its defining equations."""
    contexts = paths(states, order)
    matrix = np.zeros((len(contexts), len(contexts)))
    for row, context in enumerate(contexts):
        for t in range(states):
            matrix[row, contexts.index((*context[1:], t))] += rule(context)[t]
    system = np.vstack([matrix.T - np.eye(len(contexts)), np.ones(len(contexts))])
    return np.asarray(np.linalg.lstsq(system, np.eye(len(contexts) + 1)[-1], rcond=None)[0])


def remembering(
    name: str,
    source: SampledSource,
    order: int,
    rule: Callable[[Path], Law],
    start: Sequence[float] | np.ndarray | None = None,
    law: Sequence[float] | np.ndarray | None = None,
) -> Twin:
    """The twin of a source whose next symbol is what `rule` says of the last k."""
    states = source.states
    contexts = paths(states, order)
    stationary = solved_law(rule, states, order) if law is None else np.asarray(law)

    def from_start(first: np.ndarray) -> Callable[[Path], float]:
        def chance(path: Path) -> float:
            head = path[:order]
            opening = sum(
                first[number] for number, c in enumerate(contexts) if c[: len(head)] == head
            )
            later = [rule(path[n - order : n])[path[n]] for n in range(order, len(path))]
            return float(opening) * math.prod(map(float, later))

        return chance

    settled = from_start(stationary)
    single = [settled((t,)) for t in range(states)]
    pairs = [[settled((s, t)) / settled((s,)) for t in range(states)] for s in range(states)]
    return Twin(
        name,
        source,
        from_start(stationary if start is None else np.asarray(start)),
        lambda path: single,
        lambda path: pairs[path[-1]],
        settled,
    )


def first_order(
    name: str, source: SampledSource, kernel: np.ndarray, start: Law | None = None
) -> Twin:
    return remembering(name, source, 1, lambda context: kernel[context[0]], start)


def lagged(name: str, source: LagMarkov, kernel: np.ndarray, start: Law | None = None) -> Twin:
    lag = source.lag
    single = solved_law(lambda context: kernel[context[0]], len(kernel), 1)

    def product(law: Law) -> list[float]:
        return [math.prod(law[x] for x in c) for c in paths(len(kernel), lag)]

    return remembering(
        name,
        source,
        lag,
        lambda context: kernel[context[0]],
        product(single if start is None else start),
        product(single),
    )


def gamma_chance(source: InContext) -> Callable[[Path], float]:
    """P(x_1..x_n) as an integral over the prior done by hand: quotients of gamma functions."""
    s, a, k = source.states, source.concentration, source.order

    def chance(path: Path) -> float:
        value = math.prod(float(source.start[x]) for x in path[:k])
        windows = [path[i : i + k + 1] for i in range(len(path) - k)]
        for context in set(window[:-1] for window in windows):
            counts = [windows.count((*context, t)) for t in range(s)]
            logs = [math.lgamma(a + count) - math.lgamma(a) for count in counts]
            value *= math.exp(sum(logs) + math.lgamma(s * a) - math.lgamma(s * a + sum(counts)))
        return value

    return chance


def learning(name: str, source: InContext) -> Twin:
    s = source.states

    def unigram(path: Path) -> list[float]:
        return [(1 + path.count(t)) / (s + len(path)) for t in range(s)]

    def bigram(path: Path) -> list[float]:
        after = [y for x, y in itertools.pairwise(path) if x == path[-1]]
        return [(1 + after.count(t)) / (s + len(after)) for t in range(s)]

    return Twin(name, source, gamma_chance(source), unigram, bigram)


def random_rows(rows: int, states: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(states), rows)


CYCLIC = random_rows(3, 3, 19)
SYMMETRIC = np.array([[0.5, 0.2, 0.3], [0.2, 0.7, 0.1], [0.3, 0.1, 0.6]])
SPARSE = np.array([[0.0, 1.0, 0.0], [0.25, 0.0, 0.75], [0.5, 0.5, 0.0]])
ROTATION = np.roll(np.eye(3), 1, axis=1)  # period 3
BINARY = np.array([[0.8, 0.2], [0.3, 0.7]])
SECOND = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3]])
TERNARY, THIRD = random_rows(9, 3, 19), random_rows(8, 2, 4)
LAW = [0.6, 0.1, 0.3]
PAIRS = random_rows(1, 4, 5)[0]


def table(rows: np.ndarray) -> Callable[[Path], Law]:
    order = round(math.log(len(rows), rows.shape[1]))
    contexts = paths(rows.shape[1], order)
    return lambda context: rows[contexts.index(context)]


FINITE = [
    first_order("binary", BinaryMarkov("0.2", "0.3"), BINARY),
    first_order("random", Markov(CYCLIC), CYCLIC),
    first_order("random from a law", Markov(CYCLIC, start=LAW), CYCLIC, LAW),
    first_order("symmetric", Markov(SYMMETRIC), SYMMETRIC),
    first_order("sparse", Markov(SPARSE), SPARSE),
    first_order("periodic from a law", Markov(ROTATION, start=LAW), ROTATION, LAW),
    first_order("switching", SwitchingMarkov(3, 0.4), np.full((3, 3), 0.2) + 0.4 * np.eye(3)),
    remembering("order 2", OrderKMarkov(SECOND), 2, table(SECOND)),
    remembering("order 2, S=3", OrderKMarkov(TERNARY), 2, table(TERNARY)),
    remembering("order 3", OrderKMarkov(THIRD), 3, table(THIRD)),
    remembering("order 2 from a law", OrderKMarkov(SECOND, start=PAIRS), 2, table(SECOND), PAIRS),
    remembering(
        "order 2 from independent symbols",
        OrderKMarkov(SECOND, start=[0.9, 0.1]),
        2,
        table(SECOND),
        [0.81, 0.09, 0.09, 0.01],
    ),
    lagged("lag 1", LagMarkov(Markov(CYCLIC), 1), CYCLIC),
    lagged("lag 2", LagMarkov(BinaryMarkov("0.2", "0.3"), 2), BINARY),
    lagged("lag 2, S=3", LagMarkov(Markov(CYCLIC), 2), CYCLIC),
    lagged("lag 3 from a law", LagMarkov(Markov(BINARY, start=[0.9, 0.1]), 3), BINARY, [0.9, 0.1]),
]
LEARNING = [
    learning("in context", InContext(2)),
    learning("in context, S=3", InContext(3)),
    learning("in context, a=.3", InContext(2, concentration=0.3, start=[0.9, 0.1])),
    learning("in context, order 2", InContext(2, order=2)),
]
TWINS = FINITE + LEARNING


def named(twin: Twin) -> str:
    return twin.name
