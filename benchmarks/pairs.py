"""What is compared. Each pair first shows that both ways give the same numbers."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from benchmarks.naive import Enumerated, Plain, sample_step_by_step, slice_by_loop, train_plainly
from benchmarks.pair import Pair
from landscape import (
    GPT,
    BinaryMarkov,
    ExactLoss,
    Markov,
    SampledLoss,
    SingleLayer,
    hessian_spectrum,
    loss_slice,
    unigram_point,
)
from landscape.models.initial import gaussian, standard
from landscape.models.parameters import Coordinates, as_arrays, parameters_of
from landscape.objectives.protocol import Objective
from landscape.spectra.operators import gradient, hessian_products
from landscape.training.loop import train_together
from landscape.training.recipe import Recipe
from theory.spectra.states import states_spectrum
from theory.spectra.universal_law import lag_covariances
from theory.transformer.representation import single_layer_representation

CHAIN = BinaryMarkov(0.5, 0.8)
STEPS = 100
"""Training steps of one timed call: enough for what is done once a run to count little."""


LONG = (
    "At this length a run alone fills the cache and the processor: its table has (2N)^2 = 65536 "
    "attention weights, a quarter of the B N^2 that plain attention exponentiates, and its sums "
    "over keys are a matrix product of 2 (2N)^2 B (d+1) = 1.9e7 operations, three with the "
    "gradient. Batching runs saves what is spent on calling operations, not these."
)


def sampler() -> Iterator[Pair]:
    """Sequences drawn in one sweep, against a loop over steps."""
    generator = torch.Generator().manual_seed(0)

    def difference() -> float:
        """Largest gap between the two transition frequencies, each from 2^18 symbols."""
        rates = []
        for path in (
            CHAIN.sample(256, 1024, generator),
            sample_step_by_step(CHAIN, 256, 1024, generator),
        ):
            now, then = path[:, :-1], path[:, 1:]
            rates.append([then[now == s].double().mean().item() for s in (0, 1)])
        ours, naive = rates
        return max(abs(a - b) for a, b in zip(ours, naive, strict=True))

    yield Pair(
        "Sampler, 16 sequences of 1024: one sweep against a loop of multinomial draws",
        lambda: CHAIN.sample(16, 1024, generator),
        lambda: sample_step_by_step(CHAIN, 16, 1024, generator),
        difference,
        tolerance=0.01,  # seven standard errors of a frequency
        goal=20,
    )


def sampler_of_five() -> Iterator[Pair]:
    """Sequences of any kernel by composed maps, against a loop over steps."""
    chain = Markov.dirichlet(5, seed=0)
    by_steps = partial(sample_step_by_step, chain)

    def difference() -> float:
        """Largest gap between the two tables of transition frequencies, of 2^18 symbols each."""
        tables = []
        for draw in (chain.sample, by_steps):
            path = draw(256, 1024, torch.Generator().manual_seed(0))
            pairs = (path[:, :-1] * 5 + path[:, 1:]).flatten()
            counts = torch.bincount(pairs, minlength=25).double().reshape(5, 5)
            tables.append(counts / counts.sum(1, keepdim=True))
        return float((tables[0] - tables[1]).abs().max())

    generator = torch.Generator().manual_seed(0)
    yield Pair(
        "Sampler of 5 symbols, 16 sequences of 1024: composed maps against a loop of draws",
        lambda: chain.sample(16, 1024, generator),
        lambda: by_steps(16, 1024, generator),
        difference,
        tolerance=0.02,  # a rare symbol's row has a tenth of the transitions
    )


def together_gpt() -> Iterator[Pair]:
    """16 runs of a GPT on fresh batches in one graph, against the same code one run at a time."""
    model = GPT(width=8, length=32, layers=2, dtype=torch.float32)
    loss = SampledLoss(CHAIN, 32, batch=16, seed=0)
    train = partial(train_together, model, [loss], Recipe(steps=STEPS, evaluate_every=STEPS))

    def difference() -> float:
        both = [train(seeds=seeds)[0].loss[0, 0] for seeds in (range(16), [0])]
        return float(abs(both[0] - both[1]))

    yield Pair(
        "16 runs of a GPT trained together, sampled, d=8, L=2, N=32, batch 16: against one by one",
        lambda: train(seeds=range(16)),
        lambda: train(seeds=[0]),
        difference,
        tolerance=1e-5,  # float32, before the first step
        unit=f"run of {STEPS} steps",
        units=16,
        dtype=torch.float32,
    )


def exact_loss(length: int, goal: float | None) -> Iterator[Pair]:
    """The exact loss, its gradient and a Hessian product, against the sum over all sequences."""
    model = SingleLayer(width=8, length=length)
    params = gaussian(model, 0.3, 0)
    exact, brute = ExactLoss(CHAIN, length), Enumerated(CHAIN, length)
    direction = torch.ones(1, Coordinates.of(params).size, dtype=torch.float64)
    ways: dict[str, Callable[[Objective], Tensor]] = {
        "loss": lambda objective: objective(model, params),
        "gradient": lambda objective: gradient(model, objective, params)[0],
        "Hessian product": lambda objective: hessian_products(model, objective, params, direction),
    }

    def gap(way: Callable[[Objective], Tensor]) -> float:
        return float((way(exact) - way(brute)).detach().abs().max())

    contexts, rows = 2 ** (length + 1) - 2, length * 2**length
    for name, way in ways.items():
        yield Pair(
            f"Exact {name}, d=8, N={length}: score tables against all 2^{length} sequences",
            partial(way, exact),
            partial(way, brute),
            partial(gap, way),
            tolerance=1e-12,
            goal=goal,
            bound=(
                f"Both ways run the feed-forward layer once a row, {contexts} contexts here and "
                f"{rows} positions there: a ratio of {rows / contexts:.2g}, which grows as N/2. "
                f"Only attention gains more."
            ),
        )


def together_exact() -> Iterator[Pair]:
    """64 runs in one graph, against the same code one run at a time."""
    model = SingleLayer(width=4, length=8)
    losses = [ExactLoss(BinaryMarkov(0.1 + 0.05 * k, 0.3), 8) for k in range(16)]

    def together() -> torch.Tensor:
        return torch.from_numpy(
            train_together(model, losses, Recipe(steps=STEPS), seeds=range(4))[0].loss
        )

    def alone() -> torch.Tensor:
        return torch.from_numpy(
            train_together(model, losses[:1], Recipe(steps=STEPS), seeds=[0])[0].loss
        )

    yield Pair(
        "64 runs trained together, exact loss, d=4, N=8: against one by one",
        together,
        alone,
        lambda: float((together()[:1] - alone()).abs().max()),
        tolerance=1e-12,
        unit=f"run of {STEPS} steps",
        units=64,
        goal=20,
    )


def together_sampled() -> Iterator[Pair]:
    """64 runs on fresh batches in one graph, against the same code one run at a time."""
    model = SingleLayer(width=8, length=128, dtype=torch.float32)
    loss = SampledLoss(CHAIN, 128, batch=16, seed=0)
    train = partial(train_together, model, [loss], Recipe(steps=STEPS, evaluate_every=STEPS))

    def difference() -> float:
        both = [train(seeds=seeds)[0].loss[0] for seeds in (range(64), [0])]
        return float(abs(both[0] - both[1]).max())

    yield Pair(
        "64 runs trained together, sampled, d=8, N=128, batch 16: against one by one",
        lambda: train(seeds=range(64)),
        lambda: train(seeds=[0]),
        difference,
        tolerance=1e-5,  # float32
        unit=f"run of {STEPS} steps",
        units=64,
        bound=LONG,
        dtype=torch.float32,
    )


def plain_loop(width: int, length: int, batch: int) -> Iterator[Pair]:
    """64 runs on fresh batches, against the loop as the field writes it, one run at a time."""
    model = SingleLayer(width=width, length=length, dtype=torch.float32)
    loss = SampledLoss(CHAIN, length, batch=batch, seed=0)
    plain = Plain(width, length, 4 * width, torch.float32)
    recipe = Recipe(steps=STEPS, evaluate_every=STEPS)
    generator = torch.Generator().manual_seed(0)

    def difference() -> float:
        params = gaussian(model, 0.3, 0)
        target = CHAIN.conditional_law(loss.tokens)[..., 1].float()
        logits = plain.load(params)(loss.tokens)
        theirs = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
        return abs(loss(model, params).item() - theirs.item())

    def naive() -> None:
        train_plainly(plain.load(standard(model, 0)), CHAIN, batch, STEPS, generator)

    yield Pair(
        f"64 sampled runs, d={width}, N={length}, batch {batch}: against a plain torch loop",
        lambda: train_together(model, [loss], recipe, seeds=range(64)),
        naive,
        difference,
        tolerance=1e-5,  # float32
        unit=f"run of {STEPS} steps",
        units=64,
        goal=10,
        bound=LONG if length > 16 else "",
        dtype=torch.float32,
    )


def surface() -> Iterator[Pair]:
    """A loss surface of 51 x 51 points in batches, against a loop over its points."""
    model, loss = SingleLayer(width=4, length=8), ExactLoss(CHAIN, 8)
    params = gaussian(model, 0.3, 0)
    rows = torch.randn(
        2,
        Coordinates.of(params).size,
        dtype=torch.float64,
        generator=torch.Generator().manual_seed(0),
    )
    axis = torch.linspace(-2, 2, 51, dtype=torch.float64)

    def ours() -> torch.Tensor:
        return torch.from_numpy(loss_slice(model, loss, params, rows, radius=2.0).loss)

    def naive() -> torch.Tensor:
        return torch.from_numpy(slice_by_loop(model, loss, params, rows, axis))

    yield Pair(
        "Loss surface, 51 x 51, d=4, N=8: in batches against a loop over points",
        ours,
        naive,
        lambda: float((ours() - naive()).abs().max()),
        tolerance=1e-10,  # losses of a few thousand nats in the corners
        unit="surface",
        goal=5,
    )


def predicted_spectrum() -> Iterator[Pair]:
    """The unigram spectrum from the closed form, against the dense Hessian's."""
    model, loss = SingleLayer(width=8, length=10), ExactLoss(CHAIN, 10)
    point = unigram_point(model, loss, free=gaussian(model, 0.5, 0))
    weights = as_arrays(point.params)
    size = sum(value.numel() for value in parameters_of(model).values())

    def predicted() -> torch.Tensor:
        z, jacobian = single_layer_representation(weights)
        covariance = lag_covariances(p=CHAIN.p, q=CHAIN.q, length=len(z))
        spectrum = states_spectrum(
            z, jacobian, covariance, tying="tied", parameters=size, head="logit"
        )
        return torch.from_numpy(spectrum.full())

    def measured() -> torch.Tensor:
        return hessian_spectrum(model, loss, point.params).eigenvalues

    yield Pair(
        "Unigram spectrum, d=8, N=10: predicted in closed form against measured",
        predicted,
        measured,
        lambda: float((predicted() - measured()).abs().max()),
        tolerance=1e-12,
        goal=100,
    )


def pairs() -> Iterator[Pair]:
    """All of them, made when their turn comes."""
    yield from sampler()
    yield from sampler_of_five()
    for length in (8, 10, 12, 14):
        yield from exact_loss(length, goal=10 if length == 12 else None)
    yield from together_exact()
    yield from together_sampled()
    yield from together_gpt()
    yield from plain_loop(4, 8, 256)
    yield from plain_loop(8, 128, 16)
    yield from surface()
    yield from predicted_spectrum()
