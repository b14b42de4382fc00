"""The version of this distribution, as it was installed."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("markov-landscape")
except PackageNotFoundError:  # a checkout on the path, not installed
    __version__ = "0+source"
