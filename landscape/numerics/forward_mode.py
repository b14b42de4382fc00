"""Forward-mode differentiation belongs to one thread at a time.

torch.func counts how deeply `jvp` and `jacfwd` are nested in a variable of the whole process: a
thread that leaves a derivative of its own ends that of every other, whose tangents then become
zero without a word.
Whoever differentiates forward holds `FORWARD_MODE` meanwhile.
"""

from threading import RLock

FORWARD_MODE = RLock()
