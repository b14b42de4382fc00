"""The command line: arguments in, records out, no mathematics.

Each command lives in a module of its name in `commands/` and imports what it needs when it runs,
so that ``landscape --help`` answers at once.
"""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import sys
from textwrap import TextWrapper

import click

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


class _Commands(click.Group):
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
    written. 2: wrong usage or bad input. 130: interrupted.
    """
    # Before torch is loaded: let its threads spin for microseconds, not milliseconds, while they
    # wait for each other. On a busy machine the long wait slows small arrays down several times
    # over; no wait at all (OMP_WAIT_POLICY=PASSIVE) does so on an idle one.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    try:
        code = cli.main(args=arguments, prog_name="landscape", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except ValueError as error:
        click.echo(_lines(f"Error: {error}"), err=True)
        code = 2
    except BrokenPipeError:  # the reader has enough, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        click.echo(f"Error: {error.strerror or error}{place}", err=True)
        code = 1
    except (click.Abort, KeyboardInterrupt):
        click.echo(
            "Interrupted. A scan keeps its finished cells and goes on when run again.", err=True
        )
        code = 130
    sys.exit(code or 0)
