"""A critical point where its parameters are asked for is refused in one sentence, everywhere."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# In a process of its own: the tests' run-time checker of annotations would be the first to refuse.
PREAMBLE = """
import json, torch
from landscape import (BinaryMarkov, ExactLoss, SampledLoss, SingleLayer, bigram_point,
    coordinate_slice, hessian_spectrum, loss_slice, refine, unigram_point)
from landscape.slices.directions import (directions_to, filter_normalised_directions,
    random_directions, read_directions)
from landscape.spectra.kinks import one_sided_curvatures, preactivations
from landscape.spectra.operators import dense_hessian, gradient, hessian_products

model, loss = SingleLayer(width=2, length=2), ExactLoss(BinaryMarkov(0.5, 0.8), 2)
drawn = SampledLoss(BinaryMarkov(0.5, 0.8), 2, batch=4, seed=0)
point = unigram_point(model, loss)
rows = torch.eye(sum(value.numel() for value in point.params.values()), dtype=torch.float64)[:1]
"""

CALLS = (
    "hessian_spectrum(model, loss, @)",
    "loss_slice(model, loss, @, rows, resolution=3)",
    "loss_slice(model, loss, point.params, rows, points={'a': @}, resolution=3)",
    "coordinate_slice(model, loss, @, axes=('e',), resolution=3)",
    "refine(model, loss, @)",
    "random_directions(@)",
    "filter_normalised_directions(@, count=1)",
    "loss(model, @)",
    "drawn(model, @)",
    "gradient(model, loss, @)",
    "dense_hessian(model, loss, @)",
    "hessian_products(model, loss, @, rows)",
    "preactivations(model, @, 2)",
    "unigram_point(model, loss, free=@)",
    "bigram_point(model, loss, free=@)",
)


@pytest.fixture(scope="module")
def told() -> dict[str, list[str]]:
    """Of each call, what it raises when it is given the point, and its parameters."""
    code = f"""{PREAMBLE}
def raised(call):
    try:
        eval(call)
    except Exception as error:
        return f"{{type(error).__name__}}: {{error}}"
    return ""

found = {{call: [raised(call.replace("@", each)) for each in ("point", "point.params")]
    for call in {CALLS!r}}}
print(json.dumps(found))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, list[str]] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize("call", CALLS)
def test_a_point_in_place_of_its_parameters_is_refused(
    told: dict[str, list[str]], call: str
) -> None:
    refused, done = told[call]
    name = "free" if "free" in call else "params"
    assert refused == (
        f"TypeError: {name} is of type CriticalPoint, and must be a mapping from names to tensors; "
        "those of a point are point.params"
    )
    assert "mapping" not in done  # the control: what is asked for is taken
