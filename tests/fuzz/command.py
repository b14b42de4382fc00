"""A command run in this process: its exit code, what it told, and what it let escape."""

import contextlib
import io
import traceback
from dataclasses import dataclass

from landscape.cli import main


@dataclass(frozen=True)
class Said:
    """Exit code, stdout, stderr; and the last line of what was raised, which nothing should be."""

    code: int
    out: str
    err: str
    raised: str


def say(*words: str) -> Said:
    """Run `landscape WORDS`."""
    out, err, code, raised = io.StringIO(), io.StringIO(), -1, ""
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(words))
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        except BaseException as error:
            raised = traceback.format_exception_only(error)[-1].strip()
    if "Traceback (most recent call last)" in err.getvalue():
        raised = raised or err.getvalue().splitlines()[-1]
    return Said(code, out.getvalue(), err.getvalue(), raised)
