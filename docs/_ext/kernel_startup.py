"""Run by every kernel as it starts: shell lines print what they print into a file, and may fail.

IPython gives ``!command`` a terminal, into which progress bars draw themselves line after line,
and goes on whatever its exit code. Here a command that fails stops its page, as a failing cell
does. Where a page is about such a command, the cell has the tag `raises-exception`.
"""

import os
import subprocess
from typing import Any

from IPython import get_ipython

_shell: Any = get_ipython()


def _system(line: str) -> None:
    command = _shell.var_expand(line, depth=1)
    done = subprocess.run(
        command,
        shell=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(done.stdout, end="")
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {line}")


_shell.system = _system

# Set by the kernel for its terminal.
for name in ("FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):
    os.environ.pop(name, None)
