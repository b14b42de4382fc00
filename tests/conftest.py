import os

from hypothesis import settings

# A shared, loaded machine misses deadlines that say nothing about the claim; the examples of a run
# follow from the test alone, so that CI and a laptop decide alike.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")

# matplotlib opens no window, and subprocesses inherit it.
os.environ.setdefault("MPLBACKEND", "Agg")
