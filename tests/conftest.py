import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A shared, loaded machine misses deadlines that say nothing about the claim; the examples of a run
# follow from the test alone, so that CI and a laptop decide alike.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")

# matplotlib opens no window, and subprocesses inherit it.
os.environ.setdefault("MPLBACKEND", "Agg")

# Proofs that the tests go through are remembered beside the tests, not in the home of whoever runs.
CACHE = Path(__file__).resolve().parents[1] / ".pytest_cache"
os.environ.setdefault("MARKOV_LANDSCAPE_CACHE", str(CACHE / "markov-landscape"))


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    """A command run inside the tests sets torch's threads for its process, which is all of ours.

    On a busy machine more threads than cores wait for each other: every later test is slower.
    """
    torch = sys.modules.get("torch")
    before = None if torch is None else torch.get_num_threads()
    yield
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(before or int(os.environ.get("OMP_NUM_THREADS", "0")) or 1)
