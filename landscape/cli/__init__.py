"""The command line: arguments in, records out, no mathematics.

Each command lives in a module of its name in `commands/` and imports what it needs when it runs,
so that ``landscape --help`` answers at once.
"""

import importlib
import io
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import TextWrapper
from typing import Any, TypeVar

import click

from landscape.cli import process, streams
from landscape.errors import elided

COMMANDS = (
    "scan",
    "verify",
    "theory",
    "spectrum",
    "slice",
    "flow",
    "train",
    "figures",
    "report",
    "status",
    "collect",
)


T = TypeVar("T")


class _Left(Exception):
    """The command was left before its end; click would make codes of its own of the reasons."""

    def __init__(self, code: int) -> None:
        self.code = code


def _watched(function: Callable[..., T], *arguments: Any, **options: Any) -> T:
    try:
        return function(*arguments, **options)
    except BrokenPipeError:
        raise _Left(streams.READER_GONE) from None
    except process.Terminated as signal:
        raise _Left(signal.code) from None
    except KeyboardInterrupt:
        raise _Left(130) from None


class _Commands(click.Group):
    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        return _watched(super().make_context, *arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        return _watched(super().invoke, ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(
            f"landscape.cli.commands.{cmd_name}"
        ).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise click.UsageError(
                f"No such command {args[0]!r}.{hint} The commands are: {', '.join(COMMANDS)}."
            )
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        from landscape.version import __version__

        click.echo(f"markov-landscape {__version__}")
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Version."
)
def cli() -> None:
    """The loss landscape of transformers trained on Markov chains: theory beside measurement.

    Start with `landscape scan`: about two minutes for a grid of chains, trained and measured.
    """


def _lines(message: str) -> str:
    """A message with its lines broken between words where a terminal would break them anywhere."""
    if not sys.stderr.isatty():
        return message
    wrap = TextWrapper(
        shutil.get_terminal_size().columns,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(map(wrap.fill, message.splitlines()))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    0: done. 1: a prediction was refuted by the measurement, a cell failed, or a file could not be
    written. 2: wrong usage or bad input. 130, 143, 129: interrupted by Ctrl-C, SIGTERM, SIGHUP.
    141: whoever read the output has left, as `| head` does.
    """
    # Before torch is loaded: let its threads spin for microseconds, not milliseconds, while they
    # wait for each other. On a busy machine the long wait slows small arrays down several times
    # over; no wait at all (OMP_WAIT_POLICY=PASSIVE) does so on an idle one.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    process.current_folder_last()
    streams.attach()
    with process.signals_interrupt():
        try:
            code, words = _code(arguments)
            if words:
                click.echo(_lines(elided(words)), err=True)
        except BrokenPipeError:  # of stderr
            code = streams.READER_GONE
        except KeyboardInterrupt:  # a second one, or one between two steps
            code = 130
        sys.exit(streams.settle(code))


def _code(arguments: list[str] | None) -> tuple[int, str]:
    """The exit code of the command, and what is left to say."""
    try:
        return cli.main(args=arguments, prog_name="landscape", standalone_mode=False) or 0, ""
    except click.ClickException as error:
        told = io.StringIO()
        error.show(told)
        click.echo(elided(told.getvalue()), nl=False, err=True)
        return error.exit_code, ""
    except _Left as left:
        gone = left.code == streams.READER_GONE
        return left.code, "" if gone else INTERRUPTED
    except click.Abort:
        return 130, INTERRUPTED
    except ValueError as error:
        return 2, f"Error: {error}"
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        return 1, f"Error: {error.strerror or error}{place}"
    except (MemoryError, RecursionError) as error:
        what = "memory" if isinstance(error, MemoryError) else "depth of calls"
        return 2, f"Error: this takes more {what} than the process has; {SMALLER}"
    except Exception as error:  # the last resort: no traceback is a message
        if "alloc" in str(error) and "memory" in str(error):  # torch's own MemoryError
            return 2, f"Error: this takes more memory than the machine has; {SMALLER}"
        return 1, f"Error: {_fault(error)}"


INTERRUPTED = "Interrupted. A scan keeps its finished cells and goes on when run again."
SMALLER = "take a smaller width, length or number of runs"


def _fault(error: Exception) -> str:
    """What is no fault of the user's, in a line, with the place where it was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = trace and f"{Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno}"
    text = str(error).splitlines()[:1]
    return (
        f"a fault of the program, in {place}: {': '.join([type(error).__name__, *text])}; "
        "please report it with the command that led here"
    )
