"""What the loss landscape of transformers trained on Markov chains must look like, derived.

Each public name is imported from its module on first use, so `import theory` costs nothing; the
names and their homes stand in `__init__.pyi`.
"""

from lazy_loader import attach_stub

# No name may equal a module's or a folder's: importing that would set it on the package, over the
# name (tests/test_startup.py).
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
